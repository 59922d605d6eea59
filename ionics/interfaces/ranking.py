"""Thousands of candidates in order before any energy is computed, from arrays: no candidate is built.

The score [eV/angstrom^2] adds what can be told from the two slabs and their match:
  strain    elastic energy of both slabs
  bonds     bond valence lost at the faces of the junction: what both lost is remade across, but fits worse than in
            the bulk; what one side lost beyond that heals within its own slab
  polarity  field energy of the slabs' dipoles, p^2 / (2 eps H)
  size      a small charge for each atom, so that of two equals the smaller comes first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.matching import Candidate
from ionics.interfaces.rules import Rules
from ionics.interfaces.terminations import Termination

COULOMB = 180.9513  # eV angstrom/e^2: e^2 / eps0


@dataclass(frozen=True)
class Weights:
    """What the terms of the score weigh.

    `remade` and `open` are rounded from a fit to energies of 28 junctions of LiCoO2 and Li3PO4 in the bond-valence
    field and were tried on others (docs/interfaces/matching.md); the rest are choices.
    """

    remade: float = 0.8  # eV for each valence unit that the two sides give each other
    open: float = 0.05  # eV for each valence unit that one side lost and the other cannot give back
    permittivity: float = 10.0  # relative, of both slabs
    atom: float = 2e-5  # eV/angstrom^2 for each atom


@dataclass(frozen=True)
class Columns:
    """One value for each candidate, shape (candidates,) or (candidates, 2) for left and right."""

    area: np.ndarray  # angstrom^2
    atoms: np.ndarray
    charge: np.ndarray  # e
    dipole: np.ndarray  # (.., 2) e/angstrom, of each slab over the area
    polarisation: np.ndarray  # (.., 2) e/angstrom^2, over its height
    strain: np.ndarray  # largest principal strain of either slab
    shear: np.ndarray  # radians
    cut: np.ndarray  # covalent units that miss a corner
    open: np.ndarray  # the most corners that a polyhedron misses at any face
    unmet: np.ndarray  # v.u./angstrom^2 of bond valence that the other side cannot give back
    met: np.ndarray  # v.u./angstrom^2 that it can
    elastic: np.ndarray  # eV/angstrom^2
    polarity: np.ndarray  # eV/angstrom^2 at relative permittivity 1


@dataclass(frozen=True)
class Ranked:
    """A candidate with its score and the terms of it."""

    candidate: Candidate
    score: float  # eV/angstrom^2
    strain: float  # eV/angstrom^2
    bonds: float
    polarity: float
    dipole: tuple[float, float]  # e/angstrom, of the left and the right slab
    reasons: tuple[str, ...]  # why the audit would refuse it; empty if it passes

    @property
    def passed(self) -> bool:
        return not self.reasons

    def row(self) -> dict[str, object]:
        """As a line of a table; strains are principal ones, in per cent."""
        match = self.candidate.match
        percent = [f"{100 * e:+.2f}" for e in (*match.left_strain, *match.right_strain)]
        return {
            "candidate": self.candidate.name,
            "score_eV_per_A2": self.score,
            "strain_eV_per_A2": self.strain,
            "bonds_eV_per_A2": self.bonds,
            "polarity_eV_per_A2": self.polarity,
            "left_strain_percent": " ".join(percent[:2]),
            "right_strain_percent": " ".join(percent[2:]),
            "shear_mrad": 1e3 * match.shear,
            "area_A2": match.area,
            "atoms": self.candidate.atoms,
            "passed": self.passed,
            "reasons": "; ".join(self.reasons),
        }


def rank(candidates: Sequence[Candidate], rules: Rules | None = None, weights: Weights | None = None) -> list[Ranked]:
    """Those that pass first, each group by rising score."""
    rules, weights = rules or Rules(), weights or Weights()
    if not candidates:
        return []
    c = columns(candidates)
    bonds = weights.remade * c.met + weights.open * c.unmet
    polarity = c.polarity / weights.permittivity
    score = c.elastic + bonds + polarity + weights.atom * c.atoms
    faults = _faults(c, rules)
    failed = np.any([mask for _, mask in faults], axis=0)
    return [
        Ranked(
            candidates[k],
            float(score[k]),
            float(c.elastic[k]),
            float(bonds[k]),
            float(polarity[k]),
            (float(c.dipole[k, 0]), float(c.dipole[k, 1])),
            tuple(word for word, mask in faults if mask[k]) if failed[k] else (),
        )
        for k in np.lexsort((score, failed))
    ]


def _faults(c: Columns, rules: Rules) -> list[tuple[str, np.ndarray]]:
    return [
        ("a covalent unit is cut", c.cut > 0),
        (f"a polyhedron misses more than {rules.open} corners", c.open > rules.open),
        ("the charges do not add up to 0", np.abs(c.charge) > rules.charge),
        ("the left slab is polar", np.abs(c.polarisation[:, 0]) > rules.polar),
        ("the right slab is polar", np.abs(c.polarisation[:, 1]) > rules.polar),
        (f"a principal strain above {rules.strain}", c.strain > rules.strain),
        (f"a shear above {rules.shear} rad", c.shear > rules.shear),
    ]


def columns(candidates: Sequence[Candidate]) -> Columns:
    """All that ranking needs, by array arithmetic on what matches and terminations carry."""
    matches, of_match = _unique([c.match for c in candidates])
    area = np.array([m.area for m in matches])[of_match]
    flip = np.array([m.flipped for m in matches])[of_match]
    cells = np.array([(m.left_count, m.right_count) for m in matches])[of_match]
    normal = np.array([m.normal for m in matches])[of_match]
    left = _side([c.left for c in candidates], cells[:, 0], normal[:, 0], area)
    right = _side([c.right for c in candidates], cells[:, 1], normal[:, 1], area)
    sign = np.where(flip, -1.0, 1.0)
    lower = np.where(flip[:, None], right.top, right.bottom)  # the face that meets the left slab
    met = np.minimum(left.top[:, 0], lower[:, 1]) + np.minimum(left.top[:, 1], lower[:, 0])
    unmet = np.abs(left.top[:, 0] - lower[:, 1]) + np.abs(left.top[:, 1] - lower[:, 0])
    dipole = np.column_stack([left.dipole, sign * right.dipole])
    heights = np.column_stack([left.height, right.height])
    return Columns(
        area=area,
        atoms=left.atoms + right.atoms,
        charge=left.charge + right.charge,
        dipole=dipole,
        polarisation=dipole / heights,
        strain=np.array([m.strain for m in matches])[of_match],
        shear=np.array([m.shear for m in matches])[of_match],
        cut=left.cut + right.cut,
        open=np.maximum(left.open, right.open),
        unmet=unmet,
        met=met,
        elastic=np.array([m.energy for m in matches])[of_match],
        polarity=COULOMB / 2 * (dipole**2 / heights).sum(-1),
    )


@dataclass(frozen=True)
class _Side:
    atoms: np.ndarray
    charge: np.ndarray
    dipole: np.ndarray  # e/angstrom
    height: np.ndarray  # angstrom
    cut: np.ndarray
    open: np.ndarray
    top: np.ndarray  # (.., 2) v.u./angstrom^2 that cations and anions lost
    bottom: np.ndarray


def _side(sides: list[Termination], cells: np.ndarray, normal: np.ndarray, area: np.ndarray) -> _Side:
    cuts, of = _unique(sides)
    atoms = np.array([t.repeats * len(t.facet.symbols) for t in cuts])[of] * cells
    charge = np.array([t.repeats * t.facet.oxidation.sum() for t in cuts])[of] * cells
    fraction = np.array([t.carried.fraction * len(t.carried.atoms) if t.carried else 0.0 for t in cuts])[of]
    number = np.rint(fraction * cells)
    change = np.array([t.carried.change if t.carried else 0.0 for t in cuts])[of]
    dipole = np.array([t.dipole for t in cuts])[of] * cells + number * change
    height = np.array([_height(t) for t in cuts])[of, (number > 0).astype(int)]
    lost = np.array([[t.top.cations, t.top.anions, t.bottom.cations, t.bottom.anions] for t in cuts])[of]
    each = np.array([_change(t) for t in cuts])[of]
    valence = np.maximum(lost * cells[:, None] + each * number[:, None], 0.0) / area[:, None]
    return _Side(
        atoms,
        charge,
        dipole * (1 + normal) / area,
        height * (1 + normal),
        np.array([t.cut_units for t in cuts])[of] * cells,
        np.array([max(t.top.open, t.bottom.open) for t in cuts])[of],
        valence[:, :2],
        valence[:, 2:],
    )


def _height(side: Termination) -> tuple[float, float]:
    """From the lowest to the highest atom [angstrom], without and with carried ions."""
    if side.carried is None:
        return side.thickness, side.thickness
    facet = side.facet
    z = facet.positions[:, 2] + side.layer * facet.repeat
    low, high = z.min(), z.max() + (side.repeats - 1) * facet.repeat
    own = z[side.carried.atoms]
    there = own + side.carried.step * facet.repeat + (side.repeats - 1) * facet.repeat * (side.carried.step < 0)
    return side.thickness, float(max(high, there.max()) - min(low, there.min()))


def _change(side: Termination) -> np.ndarray:
    """Bond valence that one carried ion adds to (top cations, top anions, bottom cations, bottom anions)."""
    if side.carried is None:
        return np.zeros(4)
    lost, kept = side.carried.lost, abs(side.carried.charge) - side.carried.lost
    leaves, arrives = np.array([-lost, kept]), np.array([kept, -lost])
    if side.carried.charge < 0:
        leaves, arrives = leaves[::-1], arrives[::-1]
    return np.concatenate([leaves, arrives] if side.carried.step < 0 else [arrives, leaves])


def _unique(items: list) -> tuple[list, np.ndarray]:
    """Distinct objects, and for each item the place of its object among them."""
    place: dict[int, int] = {}
    distinct = []
    for item in items:
        if id(item) not in place:
            place[id(item)] = len(distinct)
            distinct.append(item)
    return distinct, np.array([place[id(item)] for item in items])
