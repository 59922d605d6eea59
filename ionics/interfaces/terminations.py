"""Where a facet is cut, and the slab that follows: which atoms go to which side, what the cut costs, its dipole."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

import numpy as np

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.slabs import Facet

SKIN = 0.6  # angstrom: ions this near to the outermost atom may be carried to the other face
THINNEST = 4.0  # angstrom: thinner slabs have no inside
POLAR = 0.005  # e/angstrom^2, dipole per volume: below this a cut is rough rather than polar


@dataclass(frozen=True, eq=False)
class Termination:
    """A slab of whole repeats of a facet, cut at one height; per cell of the facet unless said otherwise.

    `top` is what the upper face lost (a left slab meets the junction with it), `bottom` the lower one.
    """

    facet: Facet = field(repr=False)
    label: str
    cut: float  # angstrom above the origin of the facet
    repeats: int
    layer: np.ndarray = field(repr=False)  # (atoms,) repeats by which each atom is lifted into the slab
    moved: int  # atoms that changed sides because their unit would have been cut
    cut_units: int  # covalent units left without a corner: only where a framework of them has no end
    dipole: float  # e angstrom, upwards, of the unstrained slab before ions are carried across
    thickness: float  # angstrom from the lowest to the highest atom
    top: Face
    bottom: Face
    carried: Carried | None  # ions that cancel the dipole when part of them changes faces

    def number(self, cells: int) -> int:
        """Ions to carry across in a supercell of so many cells of the facet."""
        return round(self.carried.fraction * len(self.carried.atoms) * cells) if self.carried else 0


@dataclass(frozen=True)
class Face:
    """What one face of a slab lost, per cell of the facet."""

    cations: float  # bond valence that cations of this face lost, v.u.
    anions: float  # bond valence that anions of this face lost, v.u.
    corners: int  # corners that polyhedra (TiO6, CoO6) of this face lost
    open: int  # the most corners that one polyhedron lost


@dataclass(frozen=True, eq=False)
class Carried:
    """Ions on one face of which `fraction` belongs to the other face."""

    atoms: np.ndarray  # indices into the facet
    step: int  # repeats by which a carried ion is lifted: -repeats from the top to the bottom, +repeats back
    fraction: float
    change: float  # e angstrom, of the dipole for each carried ion
    lost: float  # v.u. that each has lost where it stands
    charge: float  # e


def repeats(facet: Facet, thickness: float) -> int:
    """Whole repeats that make a slab at least `thickness` [angstrom] high."""
    if not thickness >= THINNEST:
        raise AtomsError(
            f"a slab of {facet.phase} {facet.plane} of {thickness:g} angstrom has no inside",
            f"at least {THINNEST:g} angstrom",
        )
    return ceil(thickness / facet.repeat - 1e-6)


def termination(facet: Facet, cut: float, thickness: float, label: str = "", compensate: bool = True) -> Termination:
    """The slab between `cut` and the next whole repeat that makes it at least `thickness` [angstrom] high."""
    times = repeats(facet, thickness)
    bare = -np.floor((facet.positions[:, 2] - cut) / facet.repeat).astype(int)
    layer = -np.floor((facet.height - cut) / facet.repeat).astype(int)
    z = facet.positions[:, 2] + layer * facet.repeat
    height = float(z.max() - z.min() + (times - 1) * facet.repeat)
    dipole = times * float(facet.oxidation @ z)
    bottom, top, units = _faces(facet, layer)
    return Termination(
        facet,
        label or f"{cut:.2f}",
        cut,
        times,
        layer,
        int((bare != layer).sum()),
        units,
        dipole,
        height,
        top,
        bottom,
        _carried(facet, layer, times, dipole) if compensate else None,
    )


def terminations(
    facet: Facet, cuts: list[float], thickness: float, merge: bool = True, compensate: bool = True
) -> list[Termination]:
    """A slab for each cut; merged: cuts that leave the same slab, up to whole repeats, are given once."""
    found: dict[object, Termination] = {}
    for number, cut in enumerate(cuts, start=1):
        one = termination(facet, cut, thickness, f"{number}", compensate)
        found.setdefault(_content(one) if merge else number, one)
    return list(found.values())


def _content(side: Termination) -> tuple[float, ...]:
    """The same for slabs with the same atoms up to whole repeats, those carried half way included."""
    layer = side.layer.astype(float)
    if side.carried is not None:
        layer[side.carried.atoms] += np.sign(side.carried.step) * side.carried.fraction
    return tuple(np.round(layer - np.floor(layer.min() + 1e-6), 4) + 0.0)


def _faces(facet: Facet, layer: np.ndarray) -> tuple[Face, Face, int]:
    """Of a slab whose two faces share no bond: bottom, top, and units that lost a corner."""
    bond = facet.bonds
    up = bond.image[:, 2] + layer[bond.cation] - layer[bond.anion]  # repeats the anion is above its slab's
    return _face(facet, up < 0, -up), _face(facet, up > 0, up), int((bond.units[bond.cation] & (up != 0)).sum())


def _face(facet: Facet, broken: np.ndarray, times: np.ndarray) -> Face:
    """`broken` bonds leave their cation at this face; those broken the other way leave their anion here."""
    bond = facet.bonds
    anions = (times < 0) * -times
    corner = broken & bond.polyhedra[bond.cation]
    lost = np.bincount(bond.cation[corner], minlength=len(facet.symbols))
    return Face(
        cations=float((bond.valence * broken * times).sum()),
        anions=float((bond.valence * anions).sum()),
        corners=int((corner * times).sum()),
        open=int(lost.max(initial=0)),
    )


def _carried(facet: Facet, layer: np.ndarray, times: int, dipole: float) -> Carried | None:
    """The single ions of one face whose partial transfer cancels the dipole: the least charged, nearest to half."""
    z = facet.positions[:, 2] + layer * facet.repeat
    full = times * facet.repeat
    if abs(dipole) < POLAR * facet.area * full:
        return None
    alone = (np.bincount(facet.group)[facet.group] == 1) & ~_held(facet)
    best: tuple[float, Carried] | None = None
    for step, face in (
        (-times, z > z.max() - SKIN),
        (times, z < z.min() + SKIN),
    ):
        for charge in np.unique(facet.oxidation[alone & face]):
            atoms = np.flatnonzero(alone & face & (facet.oxidation == charge))
            change = charge * np.sign(step) * full
            fraction = -dipole / (change * len(atoms)) if change else 0.0
            if 0 < fraction < 0.99:  # all of them would be the cut below this layer
                cost = abs(charge) + abs(fraction - 0.5)
                if best is None or cost < best[0] - 1e-6:
                    lost = _lost(facet, layer, atoms[0], up=step < 0)
                    best = cost, Carried(atoms, step, float(fraction), float(change), lost, float(charge))
    return best[1] if best else None


def _held(facet: Facet) -> np.ndarray:
    """Atoms that are centre or corner of a polyhedron, shape (atoms,): they are not carried across."""
    bond = facet.bonds
    inside = bond.polyhedra[bond.cation]
    held = bond.polyhedra.copy()
    held[bond.anion[inside]] = True
    return held


def _lost(facet: Facet, layer: np.ndarray, atom: int, up: bool) -> float:
    """Bond valence that one atom has lost at the upper or lower face [v.u.]."""
    bond = facet.bonds
    rise = bond.image[:, 2] + layer[bond.cation] - layer[bond.anion]
    mine = np.where(bond.cation == atom, rise, np.where(bond.anion == atom, -rise, 0))
    return float(bond.valence[mine > 0 if up else mine < 0].sum())
