"""A run on uncertain numbers: the stack again with other values drawn for them, in the compiled functions of the run.

Draws are solved one after the other: 64 of them take 5 to 7 s on two shared cores (two layers of 401 nodes, 61
frequencies), where the same under jax.vmap would first be compiled for 17 s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ionics.config import uncertainty
from ionics.config.errors import ConfigError
from ionics.config.schema import Config
from ionics.config.uncertainty import Doubt
from ionics.intervals import CONTRADICTORY, Answer, Draw, Ensemble, Number
from ionics.transport import adapt
from ionics.transport.balance import node_ranges, profiles
from ionics.transport.equilibrium import NotConverged, Occupancies, equilibrium
from ionics.transport.newton import MESSAGES, NO_EQUILIBRIUM, OK, STALLED, Solution
from ionics.transport.stack import Stack

if TYPE_CHECKING:
    from ionics.config.study import Study
    from ionics.transport.impedance import Impedance

PROBE = 0.01  # RT/F, by which the step of a junction is moved to see what its space charge stores: error 2e-5
LEAST = 1e-12  # F m-2: a junction that stores less holds no space charge
COARSE = 0.5  # RT/F from node to node, and
WORSE = 2.0  # so many times what the mesh of the run was made for: then a draw gets a mesh of its own


def ensemble(
    study: Study, stack: Stack, solution: Solution, spectrum: Impedance | None, tell: Callable[[str], None]
) -> Ensemble | None:
    """What follows from other values of the uncertain numbers of a study; None where none are asked for.

    stack, solution, spectrum: of the central values, on the meshes that all draws share.
    """
    config = uncertainty.standing_alone(study.config)
    found, asked = uncertainty.doubts(config), study.question.uncertainty
    if not found or not asked.samples:
        return None
    shares = uncertainty.design(len(found), asked.samples, asked.seed)
    questions = _Questions(study, stack, solution, spectrum)
    central = questions.answer(study, stack, solution, spectrum)
    draws = []
    for n, own in enumerate(shares):
        if n % 8 == 0:
            tell(f"draw {n + 1} of {asked.samples} of {len(found)} uncertain numbers")
        draws.append(questions.draw(config, found, own))
    return Ensemble(tuple(map(_number, found)), central, tuple(draws), asked.seed)


def _number(doubt: Doubt) -> Number:
    spread = doubt.number.spread
    also = ", ".join(doubt.keys[1:])
    return Number(doubt.key, float(doubt.number), spread.unit, spread.written, doubt.source, doubt.method, also)


class _Questions:
    """What every draw is asked, on the meshes of the run."""

    def __init__(self, study: Study, stack: Stack, solution: Solution, spectrum: Impedance | None):
        self.study, self.stack = study, stack
        self.meshes = [layer.spacing for layer in stack.layers]
        self.shares = [_shares(spacing) for spacing in self.meshes]
        self.frequency = None if spectrum is None else jnp.asarray(study.question.impedance.frequency)
        self.at_rest = study.question.operating_point == "equilibrium"
        self.profiles = eqx.filter_jit(profiles)
        self.steepest = _steepest(stack, solution)

    def draw(self, config: Config, found: Sequence[Doubt], shares: NDArray) -> Draw:
        """The answers for one set of values, or why there are none."""
        values = np.array([doubt.number.draw(share) for doubt, share in zip(found, shares, strict=True)])
        try:
            member = type(self.study)(uncertainty.drawn(config, found, shares))
            stack = eqx.tree_at(lambda s: [layer.spacing for layer in s.layers], member.stack, self.meshes)
        except ConfigError as error:
            problem = error.problems[0]
            return Draw(values, CONTRADICTORY, f"{problem.key}: {problem.problem}")
        stack, solution, remeshed = self._solved(member, stack)
        result = int(solution.result)
        if result != OK:
            return Draw(values, result, MESSAGES[result])
        answer = self.answer(member, stack, solution, self._impedance(stack, solution))
        return Draw(values, OK, MESSAGES[OK], answer, remeshed)

    def answer(self, member: Study, stack: Stack, solution: Solution, spectrum: Impedance | None) -> Answer:
        """What is kept of a solution; profiles at the shares of the layers where the nodes of the run are."""
        shape = self.profiles(stack, solution.state)
        potential, x = np.asarray(shape.potential), np.asarray(shape.x)
        field, parts = np.empty_like(potential), node_ranges(stack)
        for nodes in parts:
            field[nodes] = -np.gradient(potential[nodes], x[nodes])
        own = [_shares(layer.spacing) for layer in stack.layers]

        def placed(values):
            rows = [np.interp(new, old, values[nodes]) for new, old, nodes in zip(self.shares, own, parts, strict=True)]
            return np.concatenate(rows)

        concentration = np.asarray(shape.concentration)
        return Answer(
            potential=placed(potential),
            field=placed(field),
            concentration=np.stack([placed(row) for row in concentration]),
            voltage=float(solution.state.voltage),
            current=float(solution.state.current),
            capacitance=self._stored(member, stack),
            impedance=None if spectrum is None else jax.tree.map(np.asarray, spectrum),
        )

    def _stored(self, member: Study, stack: Stack) -> NDArray[np.float64]:
        """Of each junction; NaN under current, and at a contact that stands for the rest of a bulk."""
        ends = (member.config.stack.left, *(None for _ in stack.layers[1:]), member.config.stack.right)
        left_out = [not self.at_rest or (end is not None and end.contact == "reservoir") for end in ends]
        return np.array([math.nan if out else stored(stack, member.occupancy, j) for j, out in enumerate(left_out)])

    def _impedance(self, stack: Stack, solution: Solution):
        from ionics.transport.impedance import impedance

        return None if self.frequency is None else impedance(stack, solution, self.frequency)

    def _solved(self, member: Study, stack: Stack) -> tuple[Stack, Solution, bool]:
        """The answer on the meshes of the run, or on meshes of its own where these do not do."""
        rest = equilibrium(stack, occupancy=member.occupancy, throw=False)
        remeshed = not self._rests(rest) or self._too_coarse(stack, rest)
        if remeshed:
            try:
                stack, rest = adapt.resolved(stack, occupancy=member.occupancy, flowing=not self.at_rest)
            except NotConverged:
                failed = STALLED if self._rests(rest) else rest.result
                return stack, eqx.tree_at(lambda s: s.result, rest, jnp.asarray(failed)), False
        return stack, rest if self.at_rest else member.under_drive(stack, rest, throw=False), remeshed

    def _rests(self, solution: Solution) -> bool:
        return int(solution.result) in ((OK,) if self.at_rest else (OK, NO_EQUILIBRIUM))

    def _too_coarse(self, stack: Stack, solution: Solution) -> bool:
        """Whether the potential is steeper from node to node than the meshes were made for."""
        steepest = _steepest(stack, solution)
        return bool((steepest > np.maximum(COARSE, WORSE * self.steepest)).any())


def _shares(spacing) -> NDArray[np.float64]:
    """Where the nodes of a layer are, in shares of its thickness."""
    return np.concatenate([[0.0], np.cumsum(np.asarray(spacing))])


def _steepest(stack: Stack, solution: Solution) -> NDArray[np.float64]:
    """Of each layer, the largest change of the potential from one node to the next [RT/F]."""
    phi = np.asarray(solution.state.phi) / float(stack.thermal_voltage)
    return np.array([np.abs(np.diff(phi[nodes])).max() for nodes in node_ranges(stack)])


def stored(stack: Stack, occupancy: Occupancies, j: int) -> float:
    """Differential capacitance of junction j at rest [F m-2]: the charge that moves per volt its step changes.

    That of its compact layer and of the space charges on both sides in series. NaN where none moves.
    """
    charges, h = [], PROBE * float(stack.thermal_voltage)
    for step in (stack.junctions[j].step + h, stack.junctions[j].step - h):
        moved = eqx.tree_at(lambda s: s.junctions[j].step, stack, step)
        probe = equilibrium(moved, occupancy=occupancy, throw=False)
        charges.append(float(probe.state.displacement[j]) if int(probe.result) == OK else math.nan)
    found = abs(charges[0] - charges[1]) / (2 * h)
    return found if found > LEAST else math.nan
