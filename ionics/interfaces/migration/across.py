"""Barriers of vacancy hops at every distance from the plane of an interface, and over the plane itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as File

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.geometry import get_distances

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface
from ionics.interfaces.migration import neb as bands
from ionics.interfaces.migration.ends import Ends
from ionics.interfaces.migration.moves import VACANCY
from ionics.interfaces.migration.paths import Path

OUTER = 4.0  # angstrom: how deep the atoms at the free surfaces are held


@dataclass(frozen=True)
class Hop:
    """An ion's way into the place of another one that is taken out."""

    start: int  # atom that moves
    end: int  # atom whose place it takes
    length: float  # angstrom
    distance: float  # angstrom, of its middle from the plane
    crosses: bool  # from one slab into the other
    step: np.ndarray  # angstrom, from start to end by the shortest way, shape (3,)


@dataclass(frozen=True)
class Profile:
    """Barriers against the distance from the plane; arrays of shape (hops,), from left to right."""

    distance: np.ndarray  # angstrom
    barrier: np.ndarray  # eV, the higher of both ways; nan where no barrier was found, see `message`
    error: np.ndarray  # eV
    forward: np.ndarray  # eV, from left to right
    backward: np.ndarray  # eV
    length: np.ndarray  # angstrom
    crosses: np.ndarray  # mask
    message: tuple[str, ...]
    details: tuple[bands.Barrier, ...]

    @property
    def crossing(self) -> int | None:
        """Index of the easiest hop over the plane, if one was found."""
        over = np.flatnonzero(self.crosses & np.isfinite(self.barrier))
        return int(over[self.barrier[over].argmin()]) if len(over) else None


def hops(
    interface: Interface,
    edges: Sequence[float] | np.ndarray,
    ion: str = "Li",
    limit: float = 4.0,
    each: int = 1,
    over: int = 1,
    outer: float = OUTER,
    clear: float = 1.0,
) -> tuple[Hop, ...]:
    """The shortest hops whose middle stands in each bin, `each` of them, and the `over` shortest over the plane.

    `edges` [angstrom]: of the bins, as distance from the plane, shape (bins + 1,). Both ions stand deeper than `outer`
    [angstrom] below the free surfaces. `limit` [angstrom] holds within the slabs; over the plane the shortest pairs are
    taken however long, for a gap between two lattices has no limit of its own.
    """
    found = _pairs(interface, ion, outer, clear, limit)
    chosen: list[Hop] = []
    for low, high in itertools.pairwise(edges):
        within = [h for h in found if low <= h.distance < high and h.length <= limit and not h.crosses]
        chosen += within[:each]
    across = [hop for hop in found if hop.crosses][:over]
    if not chosen and not across:
        raise AtomsError(
            f"no hop of {ion} up to {limit} angstrom in these bins",
            f"thicker slabs, an outer depth below {outer} angstrom, or a longer limit",
        )
    return tuple(sorted([*chosen, *across], key=lambda hop: hop.distance))


def _pairs(interface: Interface, ion: str, outer: float, clear: float, limit: float) -> list[Hop]:
    """Hops between all free ions, each once, from below to above, the shortest first."""
    atoms = interface.atoms
    free = np.flatnonzero((atoms.symbols == ion) & ~interface.outer(outer))
    if len(free) < 2:
        raise AtomsError(
            f"{len(free)} {ion} stand deeper than {outer} angstrom below the surfaces",
            "thicker slabs or a smaller outer depth",
        )
    steps, lengths = get_distances(atoms.positions[free], cell=atoms.cell, pbc=atoms.pbc)
    heights, tags = interface.distance, atoms.get_tags()
    longest = max(limit, _shortest_over(lengths, tags[free]) + 1.0)
    rows = []
    for i, start in enumerate(free):
        for j, end in enumerate(free):
            upward = (heights[start], start) < (heights[end], end)
            if not upward or lengths[i, j] > longest or _blocked(steps[i], lengths[i], i, j, clear):
                continue
            middle = float(heights[start] + steps[i, j, 2] / 2)
            crosses = bool(tags[start] != tags[end])
            rows.append(Hop(int(start), int(end), float(lengths[i, j]), middle, crosses, steps[i, j]))
    return sorted(rows, key=lambda hop: round(hop.length, 6))


def _shortest_over(lengths: np.ndarray, tags: np.ndarray) -> float:
    """The shortest way from an ion of one slab to one of the other [angstrom]; 0 if one slab has none."""
    over = lengths[np.ix_(tags == tags.min(), tags != tags.min())]
    return float(over.min()) if over.size else 0.0


def _blocked(steps: np.ndarray, lengths: np.ndarray, i: int, j: int, clear: float) -> bool:
    """Whether another ion stands within `clear` [angstrom] of the line from i to j."""
    line = steps[j]
    along = steps @ line / (line @ line)
    aside = np.linalg.norm(steps - along[:, None] * line, axis=1)
    between = (along > 0) & (along < 1) & (aside < clear) & (lengths > 0)
    between[[i, j]] = False
    return bool(between.any())


def path(interface: Interface, hop: Hop) -> Path:
    """A hop as two states of the same atoms: the ion at `end` taken out, the one at `start` moved there."""
    keep = np.delete(np.arange(len(interface.atoms)), hop.end)
    moving = int(np.searchsorted(keep, hop.start))
    initial: Atoms = interface.atoms[keep]
    final = initial.copy()
    final.positions[moving] += hop.step
    ion = interface.atoms.symbols[hop.start]
    side = "over the plane" if hop.crosses else f"at {hop.distance:+.1f} A"
    return Path(initial, final, (moving,), f"{ion}{hop.start}-{ion}{hop.end} {side}", VACANCY, hop.length)


def across(
    interface: Interface,
    calculator: Calculator,
    chosen: Sequence[Hop],
    settings: bands.Settings | None = None,
    outer: float = OUTER,
    model_error: float = np.nan,
    others: Sequence[Calculator] = (),
    keep: File | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Profile:
    """Barriers of the hops chosen, with the atoms within `outer` [angstrom] of the free surfaces held.

    The error of a barrier: `model_error` [eV] of the potential against its reference (nan: not known, and so is the
    error, unless there are `others`), and the spread over further calculators, added in squares. `keep`: a folder with
    a band for every hop; a stopped run goes on there. A hop whose calculator fails is marked and the rest goes on.
    """
    results, known = [], Ends()
    for hop in chosen:
        way = path(interface, hop)
        fixed = np.delete(interface.outer(outer), hop.end)
        file = None if keep is None else keep / f"hop_{hop.start}_{hop.end}.xyz"
        result = bands.neb(way, calculator, settings, fixed, file, known, tell)
        if others and result.converged:
            result = bands.with_spread(result, others)
        results.append(result)
        tell(f"{way.label}: {result.forward:.3f} eV up, {result.backward:.3f} eV down, {result.message}")
    return _profile(chosen, results, model_error)


def _profile(chosen: Sequence[Hop], results: Sequence[bands.Barrier], model_error: float) -> Profile:
    good = [result if result.converged else replace(result, forward=np.nan, backward=np.nan) for result in results]
    forward = np.array([result.forward for result in good])
    backward = np.array([result.backward for result in good])
    spread = np.array([np.nan if result.spread is None else result.spread for result in good])
    return Profile(
        np.array([hop.distance for hop in chosen]), np.maximum(forward, backward), _error(model_error, spread),
        forward, backward, np.array([hop.length for hop in chosen]), np.array([hop.crosses for hop in chosen]),
        tuple(result.message for result in results), tuple(results),
    )  # fmt: skip


def _error(model: float, spread: np.ndarray) -> np.ndarray:
    both = np.stack([np.full_like(spread, model), spread])
    known = np.isfinite(both).any(axis=0)
    return np.where(known, np.sqrt(np.nansum(both**2, axis=0)), np.nan)
