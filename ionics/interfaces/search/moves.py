"""What can be done to the atoms of an interlayer; every move of one candidate returns None where it found no room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase import Atoms

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT
from ionics.interfaces.search.frame import Candidate, Frame
from ionics.interfaces.search.geometry import allowed, between

TRIES = 50  # of a move before it gives up
POINTS = 20  # among which the roomiest place for one atom is chosen; many more would always find the same place


def registered(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """A registry anywhere within bounds, shape (5,)."""
    low, high = frame.bounds
    return rng.uniform(low, high)


def nudged(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """The candidate at a registry near its own: normal steps of 0.3 to 30 % of the bounds, all sizes alike."""
    low, high = frame.bounds
    share = 0.3 * 10 ** rng.uniform(-2, 0)
    stepped = candidate.registry + rng.normal(size=5) * share * (high - low)
    return frame.carried(candidate, within(frame, stepped))


def within(frame: Frame, registry: np.ndarray) -> np.ndarray:
    """Shifts back into the cell, the rest back to the bounds, shape (5,)."""
    low, high = frame.bounds
    return np.concatenate([registry[:2] % 1.0, np.clip(registry[2:], low[2:], high[2:])])


def exchanged(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
    """Two ions of different elements and the same sign of charge trade places, such as Co and P."""
    inner = candidate.interlayer.copy()
    sign = np.sign(inner.get_initial_charges())
    one, other = np.nonzero((inner.numbers[:, None] < inner.numbers[None, :]) & (sign[:, None] == sign[None, :]))
    if not len(one):
        return None
    pick = rng.integers(len(one))
    pair = [one[pick], other[pick]]
    inner.positions[pair] = inner.positions[pair[::-1]]
    return _if_roomy(frame, replace(candidate, interlayer=inner))


def across(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
    """One mobile ion leaves for the roomiest of random places on the other side of the plane."""
    at = _mobile(candidate, frame)
    if not len(at):
        return None
    chosen = int(rng.choice(at))
    height = candidate.interlayer.positions[chosen, 2] - frame.plane(candidate.registry)
    kept = replace(candidate, interlayer=candidate.interlayer[np.arange(len(candidate.interlayer)) != chosen])
    place = _place(frame, kept, candidate.interlayer.numbers[chosen], rng, -1 if height > 0 else 1)
    inner = candidate.interlayer.copy()
    inner.positions[chosen] = place
    return _if_roomy(frame, replace(candidate, interlayer=inner))


def inserted(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
    """One more mobile ion, with the charge of those in the start, in the roomiest of random places."""
    known = np.nonzero(frame.start.atoms.symbols == frame.settings.mobile)[0]
    if not len(known):
        raise AtomsError(f"{frame.settings.mobile} stands nowhere in the start", "mobile: an element of the start")
    ion = Atoms([frame.settings.mobile], cell=frame.left.cell, pbc=frame.left.pbc)
    ion.positions[0] = _place(frame, candidate, ion.numbers[0], rng, int(rng.choice([-1, 1])))
    ion.set_initial_charges(frame.start.oxidation[known[:1]])
    ion.set_tags(RIGHT if ion.positions[0, 2] > frame.plane(candidate.registry) else LEFT)
    return _if_roomy(frame, replace(candidate, interlayer=ordered(candidate.interlayer + ion)))


def removed(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
    """One mobile ion of the interlayer less."""
    at = _mobile(candidate, frame)
    if not len(at):
        return None
    kept = np.arange(len(candidate.interlayer)) != int(rng.choice(at))
    return replace(candidate, interlayer=candidate.interlayer[kept])


def shaken(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
    """Four in ten atoms of the interlayer displaced at random, all by little or all by much."""
    largest = frame.settings.rattle * 10 ** rng.uniform(-1, 0)
    for _ in range(TRIES):
        inner = candidate.interlayer.copy()
        step = rng.uniform(-1, 1, size=(len(inner), 3)) * largest
        inner.positions += step * (rng.random(len(inner)) < 0.4)[:, None]
        moved = _if_roomy(frame, replace(candidate, interlayer=inner))
        if moved is not None:
            return moved
    return None


UNARY = {"rattle": shaken, "exchange": exchanged, "across": across, "insert": inserted, "remove": removed}


def fresh(frame: Frame, rng: np.random.Generator) -> Candidate:
    """A candidate that owes nothing to others: any registry, the buffer at random, up to three moves of atoms."""
    start = replace(origin(frame), operator="random")
    candidate = buffered(frame, frame.carried(start, registered(frame, rng)), rng)
    if not frame.settings.of_atoms:
        return candidate
    weights = {name: w for name, w in frame.settings.moves.items() if name in UNARY and w > 0}
    for _ in range(rng.integers(0, 4) if weights else 0):
        name = str(rng.choice(list(weights), p=np.array(list(weights.values())) / sum(weights.values())))
        candidate = UNARY[name](frame, candidate, rng) or candidate
    return candidate


def origin(frame: Frame) -> Candidate:
    """The start itself; its lift is 0 or the nearest bound."""
    low, high = frame.bounds
    zero = Candidate(frame.number, np.zeros(5), frame.interlayer)
    return frame.carried(zero, np.clip(np.zeros(5), low, high))


def buffered(frame: Frame, candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """The candidate with the atoms of the buffer put at random places about the plane, the roomiest for each."""
    for symbol, (number, charge) in frame.settings.buffer.items():
        for _ in range(number):
            ion = Atoms([symbol], cell=frame.left.cell, pbc=frame.left.pbc)
            ion.positions[0] = _place(frame, candidate, ion.numbers[0], rng, 0)
            ion.set_initial_charges([charge])
            ion.set_tags(RIGHT if ion.positions[0, 2] > frame.plane(candidate.registry) else LEFT)
            candidate = replace(candidate, interlayer=candidate.interlayer + ion)
    return replace(candidate, interlayer=ordered(candidate.interlayer))


def ordered(inner: Atoms) -> Atoms:
    """Sorted by element, then by side: interlayers of one composition have the same element at the same place."""
    return inner[np.lexsort([inner.get_tags(), inner.numbers])]


def _place(frame: Frame, candidate: Candidate, number: int, rng: np.random.Generator, side: int) -> np.ndarray:
    """The roomiest [angstrom] of random points below (-1), above (1) or about (0) the plane, shape (3,)."""
    depth = max(frame.settings.depth, 1.0)
    half = max(1.0, float(candidate.registry[2]) / 2)
    span = {-1: (-depth, 0.0), 0: (-half, half), 1: (0.0, depth)}[side]
    everything = frame.rigid(candidate.registry) + candidate.interlayer
    points = rng.random((POINTS, 2)) @ everything.cell.array[:2]
    points[:, 2] = frame.plane(candidate.registry) + rng.uniform(*span, POINTS)
    ratio = between(points, everything.positions, everything.cell.array).min(axis=2)
    ratio = ratio / allowed(np.array([number]), everything.numbers, frame.limits)
    return points[np.argmax(ratio.min(axis=1))]


def _mobile(candidate: Candidate, frame: Frame) -> np.ndarray:
    return np.nonzero(candidate.interlayer.symbols == frame.settings.mobile)[0]


def _if_roomy(frame: Frame, candidate: Candidate) -> Candidate | None:
    return candidate if frame.roomy(candidate) else None
