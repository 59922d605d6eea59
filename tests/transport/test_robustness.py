"""Stacks at random: every answer obeys the invariants of physics, or says in words why there is none."""

import jax
import pytest

from ionics.transport.balance import Voltage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.newton import BEYOND, BLOCKED, MESSAGES, NO_EQUILIBRIUM, NO_STEADY_STATE, NOT_FINITE, STALLED
from ionics.transport.steady import steady
from tests.transport.checks import at_rest, under_drive
from tests.transport.random_stacks import stack, structure, volts

FOUND, NONE, LOST = range(3)  # an answer; the stack has none, and the words say why; the solver has lost its way
WORDS = {
    0: FOUND,
    NO_EQUILIBRIUM: NONE,
    NO_STEADY_STATE: NONE,
    BEYOND: NONE,
    BLOCKED: NONE,
    STALLED: LOST,
    NOT_FINITE: LOST,
}
DRAWS = 25
MANY = 67


def answers(seed: int, draws) -> tuple[list[int], list[str]]:
    """Of each question to the stacks of one structure: what became of it; and every violation, with its names."""
    shape, found, wrong = structure(seed), [], []

    def ask(draw, cell, solution, drive, check):
        code = int(solution.result)
        assert code in MESSAGES
        assert solution.message() == MESSAGES[code]
        found.append(WORDS[code])
        wrong.extend(
            f"{shape} ({seed}, {draw}): {what}" for what in (check(cell, solution, drive) if code == 0 else [])
        )

    for draw in draws:
        cell = stack(shape, draw)
        rest = equilibrium(cell, throw=False)
        ask(draw, cell, rest, Voltage(0.0), at_rest)
        if int(rest.result) in (0, NO_EQUILIBRIUM):
            drive = Voltage(float(rest.state.voltage) + volts(draw))
            ask(draw, cell, steady(cell, drive, rest, throw=False), drive, under_drive)
    return found, wrong


@pytest.mark.parametrize("seed", [4, 6])
def test_random_stacks_obey_physics_or_say_why_not(seed):
    found, wrong = answers(seed, range(1000 * seed, 1000 * seed + DRAWS))
    assert not wrong
    assert found.count(LOST) == 0
    assert found.count(FOUND) >= 0.9 * len(found)


@pytest.mark.parametrize(("seed", "draw"), [(111, 111009), (117, 117004), (118, 118046)])
def test_what_was_lost_once_is_found(seed, draw):
    """A lattice filled by 3.6 V; an ion that was counted twice; pairs in a layer without vacancies."""
    found, wrong = answers(seed, [draw])
    assert not wrong
    assert found == [FOUND, FOUND]


@pytest.mark.slow
def test_of_two_thousand_random_stacks_few_are_lost():
    """The aim is 0.5 %; what is reached is in docs/design.md."""
    asked = lost = 0
    for seed in range(100, 130):
        found, wrong = answers(seed, range(1000 * seed, 1000 * seed + MANY))
        asked, lost = asked + len(found), lost + found.count(LOST) + len(wrong)
        jax.clear_caches()
    assert lost <= 0.04 * asked
