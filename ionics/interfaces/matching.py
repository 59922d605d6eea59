"""Two crystals matched: planes, cells that coincide, strain shared by stiffness, cuts; and the built interface.

    candidates(left, right, planes, limits) -> build(candidate, left, right) -> audit(interface, left, right)

A match carries principal strains of both sides, never a scalar that hides one. Candidates are cheap records: slabs are
made once for each cut and matches once for each pair of planes; only `build` makes atoms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms
from pymatgen.core.surface import get_symmetrically_distinct_miller_indices

from ionics.interfaces import contact
from ionics.interfaces.coincidence import Limits, Match, pairs, within
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.phases import Phase
from ionics.interfaces.slabs import Facet, Plane, facet, heights
from ionics.interfaces.supercells import mismatches, near, supercells
from ionics.interfaces.terminations import Termination, terminations

__all__ = ["Candidate", "Limits", "Match", "Termination", "build", "candidates", "matches", "planes"]

THIN = 4.0  # angstrom, least vacuum
MARGIN = 1.0  # angstrom between the bottom of the cell and the lowest atom


@dataclass(frozen=True, eq=False)
class Candidate:
    """A match with one cut on either side: all that `build` needs, without atoms."""

    match: Match
    left: Termination
    right: Termination

    @property
    def atoms(self) -> int:
        return sum(
            count * side.repeats * len(side.facet.symbols)
            for count, side in ((self.match.left_count, self.left), (self.match.right_count, self.right))
        )

    @property
    def name(self) -> str:
        planes = [
            f"{s.facet.phase}({' '.join(map(str, s.facet.plane))}) cut {s.label}" for s in (self.left, self.right)
        ]
        return f"{planes[0]} | {planes[1]}, {self.match.area:.1f} A^2, {self.match.turn:.1f} deg"


def planes(phase: Phase, max_index: int = 1) -> list[Plane]:
    """Planes that symmetry does not make equal, Miller indices of the conventional cell up to `max_index`."""
    if max_index < 1:
        raise AtomsError(f"no plane has indices up to {max_index}", "max_index of at least 1")
    found = get_symmetrically_distinct_miller_indices(phase.structure, max_index)
    return [(int(h), int(k), int(m)) for h, k, m in found]


def matches(
    left: Phase, right: Phase, left_plane: Plane, right_plane: Plane, limits: Limits | None = None
) -> list[Match]:
    """All cells of a pair of planes that coincide within limits, least strain energy first; empty if there is none."""
    limits = limits or Limits()
    pair = facet(left, left_plane), facet(right, right_plane)
    return within(pairs(left, right, *pair, limits), limits)[0]


def candidates(
    left: Phase,
    right: Phase,
    planes: Iterable[tuple[Plane, Plane]] | None = None,
    limits: Limits | None = None,
) -> list[Candidate]:
    """All candidates of pairs of planes (default: all low-index ones), unranked. None at all: an error says why."""
    limits = limits or Limits()
    wanted = list(planes) if planes is not None else list(product(_low(left), _low(right)))
    if not wanted:
        raise AtomsError("no pair of planes was given", "e.g. [((1, 0, 4), (1, 0, 0))]")
    sides = [_sides(phase, {p[k] for p in wanted}, k, limits) for k, phase in enumerate((left, right))]
    found, refused = [], []
    for one, two in wanted:
        (a, cuts_a), (b, cuts_b) = sides[0][one], sides[1][two]
        good, bad = within(pairs(left, right, a, b, limits), limits)
        refused += bad
        found += [Candidate(m, s, t) for m in good for s in cuts_a for t in cuts_b]
    fitting = [c for c in found if c.atoms <= limits.atoms]
    if not fitting:
        raise AtomsError(
            *_none(left, right, [(sides[0][p][0], sides[1][q][0]) for p, q in wanted], limits, refused, found)
        )
    return fitting


def _low(phase: Phase) -> list[Plane]:
    return planes(phase)


def _sides(phase: Phase, wanted: set[Plane], side: int, limits: Limits) -> dict[Plane, tuple[Facet, list[Termination]]]:
    out = {}
    for plane in wanted:
        face = facet(phase, plane)
        cuts = heights(phase, plane, limits.layer)
        out[plane] = face, terminations(face, cuts, limits.thickness[side], limits.merge, limits.compensate)
    return out


def _none(
    left: Phase,
    right: Phase,
    facets: list[tuple[Facet, Facet]],
    limits: Limits,
    refused: list[Match],
    found: list[Candidate],
) -> tuple[str, str]:
    """Why there is no candidate, the closest that was found, and which limit would admit it."""
    what = f"no interface of {left.name} and {right.name} within limits"
    if found:
        least = min(c.atoms for c in found)
        return f"{what}: the smallest has {least} atoms, the limit is {limits.atoms}", f"atoms of at least {least}"
    if refused:
        m = min(refused, key=lambda m: max(m.strain / limits.strain, m.shear / limits.shear))
        text = (
            f"principal strain {m.strain:.4f} (limit {limits.strain}), shear {m.shear:.4f} rad (limit {limits.shear})"
        )
        names = f"{_named(left, m.left_plane)} | {_named(right, m.right_plane)}"
        return (
            f"{what}: the closest of {len(refused)}, {names}, {m.area:.0f} A^2, has {text}",
            "widen strain or shear, or allow a larger area",
        )
    return _closest(what, left, right, facets, limits)


def _named(phase: Phase, plane: Plane) -> str:
    return f"{phase.name}({' '.join(map(str, plane))})"


def _closest(
    what: str, left: Phase, right: Phase, facets: list[tuple[Facet, Facet]], limits: Limits
) -> tuple[str, str]:
    best: tuple[float, str, str] | None = None
    for a, b in facets:
        cells = [supercells(f.cell[:2, :2], limits.area) for f in (a, b)]
        alike = near(cells[0], cells[1], (a.area, b.area), limits.tolerance)
        if max(a.area, b.area) >= limits.area or not len(alike):
            continue
        length, turn = mismatches(cells[0], cells[1], alike)
        badness = np.maximum(length / limits.mismatch, turn / limits.angle)
        k = np.unravel_index(badness.argmin(), badness.shape)
        if best is None or badness[k] < best[0]:
            names = f"{_named(left, a.plane)} | {_named(right, b.plane)}"
            told = f"{what}: the closest, {names}, differs by {length[k]:.4f} in length and {turn[k]:.4f} in angle"
            best = float(badness[k]), told, _wider(float(length[k]), float(turn[k]), limits)
    if best is None:
        least = min(max(a.area, b.area) for a, b in facets)
        return f"{what}: the smallest cell of these planes has {least:.0f} A^2", f"an area well above {least:.0f} A^2"
    return best[1], best[2]


def _wider(length: float, turn: float, limits: Limits) -> str:
    wanted = []
    if length > limits.mismatch:
        wanted.append(f"mismatch above {length:.4f} (it is {limits.mismatch})")
    if turn > limits.angle:
        wanted.append(f"angle above {turn:.4f} (it is {limits.angle})")
    return f"widen {' and '.join(wanted)}, or an area above {limits.area:g} A^2"


def build(
    candidate: Candidate,
    left: Phase,
    right: Phase,
    shift: tuple[float, float] = (0.0, 0.0),
    gap: float | None = None,
    vacuum: float = 12.0,
) -> Interface:
    """The atoms of a candidate: left slab below, right slab above, then `vacuum` [angstrom].

    `shift` moves the right slab sideways, in fractions of the common cell. `gap` is the height between the uppermost
    atom of the left and the lowest of the right slab [angstrom]; by default as near as ionic radii allow.
    """
    sides = candidate.left.facet, candidate.right.facet
    if (left.name, right.name) != (sides[0].phase, sides[1].phase):
        raise AtomsError(
            f"a candidate of {sides[0].phase} | {sides[1].phase} was to be built of {left.name} | {right.name}",
            "the phases it was made from",
        )
    if not vacuum >= THIN:
        raise AtomsError(f"with a vacuum of {vacuum} A the free surfaces would touch", f"at least {THIN:g} A")
    match = candidate.match
    cell, turn = _along_x(match.cell)
    below, above = _slab(candidate, LEFT, cell, turn), _slab(candidate, RIGHT, cell, turn)
    below.positions[:, 2] += MARGIN - below.positions[:, 2].min()
    top = below.positions[:, 2].max()
    above.positions[:, :2] += np.asarray(shift, dtype=float) @ cell
    above.positions[:, 2] += top - above.positions[:, 2].min()
    apart = contact.gap(below, above, cell) if gap is None else float(gap)
    above.positions[:, 2] += apart
    atoms = below + above
    atoms.set_cell([[*cell[0], 0], [*cell[1], 0], [0, 0, atoms.positions[:, 2].max() + vacuum]])
    atoms.pbc = True
    flat = atoms.get_scaled_positions(wrap=False)
    flat[:, :2] %= 1.0
    atoms.set_scaled_positions(flat)
    atoms.info.update(_told(candidate))
    return Interface(atoms, left.name, right.name, float(top + apart / 2))


def _told(candidate: Candidate) -> dict[str, object]:
    """What the atoms themselves no longer show: kept in atoms.info, so in extxyz files and databases."""
    match = candidate.match
    return {
        "candidate": candidate.name,
        "left_plane": list(match.left_plane),
        "right_plane": list(match.right_plane),
        "left_strain": match.left_strain.tolist(),
        "right_strain": match.right_strain.tolist(),
        "shear": match.shear,
    }


def _along_x(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell turned so that its first vector lies along x; and the turn, rows @ turn."""
    x = cell[0] / np.linalg.norm(cell[0])
    turn = np.array([[x[0], -x[1]], [x[1], x[0]]])
    return cell @ turn, turn


def _slab(candidate: Candidate, tag: int, cell: np.ndarray, turn: np.ndarray) -> Atoms:
    """One strained slab in the common cell, at a height of its own."""
    match, side = candidate.match, candidate.left if tag == LEFT else candidate.right
    own, normal = (match.left_cell, match.normal[0]) if tag == LEFT else (match.right_cell, match.normal[1])
    flip = np.array([1.0, -1.0, -1.0]) if tag == RIGHT and match.flipped else np.ones(3)
    facet = side.facet
    positions, kind = _stacked(side, own * flip[:2])
    positions = positions * flip
    flat = positions[:, :2] @ np.linalg.solve(own, cell)
    atoms = Atoms([facet.symbols[k] for k in kind], positions=np.column_stack([flat, positions[:, 2] * (1 + normal)]))
    atoms.set_tags(np.full(len(atoms), tag))
    atoms.set_initial_charges(facet.oxidation[kind])
    return atoms


def _stacked(side: Termination, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions [angstrom] of an unstrained slab over the cell `vectors` (rows), ions carried; atoms of the facet."""
    facet = side.facet
    plane = facet.cell[:2, :2]
    steps = _points(np.rint(vectors @ np.linalg.inv(plane)).astype(int)) @ facet.cell[:2]
    lifted = facet.positions + side.layer[:, None] * facet.cell[2]
    stack = lifted[None, None] + np.arange(side.repeats)[:, None, None, None] * facet.cell[2] + steps[None, :, None]
    kind = np.broadcast_to(np.arange(len(lifted)), stack.shape[:3]).copy()
    if side.carried is not None:
        level = side.repeats - 1 if side.carried.step < 0 else 0
        layer = stack[level][:, side.carried.atoms]
        chosen = _spread(layer.reshape(-1, 3)[:, :2], vectors, side.number(len(steps)))
        row, column = np.unravel_index(chosen, layer.shape[:2])
        stack[level, row, side.carried.atoms[column]] += side.carried.step * facet.cell[2]
    return stack.reshape(-1, 3), kind.reshape(-1)


def _points(matrix: np.ndarray) -> np.ndarray:
    """The lattice points inside a supercell of a plane lattice, shape (determinant, 2), whole numbers."""
    corners = np.array([[0, 0], matrix[0], matrix[1], matrix.sum(0)])
    low, high = corners.min(0), corners.max(0)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    grid = grid.reshape(-1, 2)
    fraction = grid @ np.linalg.inv(matrix)
    return grid[((fraction > -1e-9) & (fraction < 1 - 1e-9)).all(axis=1)]


def _spread(places: np.ndarray, cell: np.ndarray, number: int) -> list[int]:
    """Indices of `number` places (sites, 2) that lie far apart in the periodic plane, one after the other."""
    chosen: list[int] = []
    nearest = np.full(len(places), np.inf)
    while len(chosen) < number:
        take = 0 if not chosen else int(np.argmax(np.round(nearest, 6)))
        chosen.append(take)
        apart = (places - places[take]) @ np.linalg.inv(cell)
        nearest = np.minimum(nearest, np.linalg.norm((apart - np.round(apart)) @ cell, axis=1))
        nearest[chosen] = -1.0
    return chosen
