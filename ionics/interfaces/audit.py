"""What is wrong with a built interface, in words: measured on its atoms, whoever made them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce
from ase.neighborlist import neighbor_list

from ionics.interfaces import contact, polyhedra
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.phases import Phase
from ionics.interfaces.rules import Rules

FAR = 4.0  # angstrom: beyond this nothing touches and nothing is bonded
BOND = 1.15  # an anion within this times the longest bulk bond still belongs to its cation

Kind = tuple[str, float]  # symbol and oxidation state


@dataclass(frozen=True)
class Audit:
    """The state of an interface; `reasons` is empty when it passed."""

    passed: bool
    reasons: tuple[str, ...]
    charge: float  # e, of all atoms
    dipole: tuple[float, float]  # e/angstrom: along z over area, of the left and the right slab
    polarisation: tuple[float, float]  # e/angstrom^2: the same over the height of the slab
    stoichiometry: tuple[str, str]  # of each slab
    lithium_excess: tuple[float, float]  # atoms of each slab beyond the formula of its bulk
    cut: int  # covalent units (PO4, PS4) that miss a corner
    open: int  # the most corners that one polyhedron (TiO6, CoO6) misses
    corners: int  # corners that all polyhedra miss
    shortest: tuple[str, float, float]  # pair, distance [angstrom], over the distance at which the two touch
    stretch: float  # of the bond of a unit or polyhedron farthest from those of the bulk, relative
    strain: float | None  # largest principal strain as built; unknown for atoms from elsewhere
    shear: float | None  # radians, as built
    corner: float  # degrees, sharpest corner of the cell in the plane, shortest vectors


@dataclass(frozen=True)
class _Centre:
    """A kind of cation with the anions that it has in the bulk."""

    unit: bool
    coordination: int
    shortest: float
    longest: float


@dataclass(frozen=True)
class _Near:
    """Pairs of atoms within FAR, both ways round, each (pairs,)."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray  # angstrom


def audit(interface: Interface, left: Phase, right: Phase, rules: Rules | None = None) -> Audit:
    """All that can be told from atoms and the two bulk phases before any energy."""
    rules = rules or Rules()
    atoms, slabs = interface.atoms, [interface.slab(tag) for tag in (LEFT, RIGHT)]
    phases = (left, right)
    near = _Near(*neighbor_list("ijd", atoms, FAR))
    missing = [_missing(atoms, near, tag, phase) for tag, phase in zip((LEFT, RIGHT), phases, strict=True)]
    corners = np.concatenate([open_ for _, open_, _ in missing])
    dipole = [float(s.get_initial_charges() @ (s.positions[:, 2] - s.positions[:, 2].mean())) for s in slabs]
    area = interface.area
    found = {
        "charge": float(atoms.get_initial_charges().sum()),
        "dipole": (dipole[0] / area, dipole[1] / area),
        "polarisation": tuple(
            p / area / max(float(np.ptp(s.positions[:, 2])), 1.0) for p, s in zip(dipole, slabs, strict=True)
        ),
        "stoichiometry": tuple(s.get_chemical_formula(mode="reduce" if len(s) > 400 else "hill") for s in slabs),
        "lithium_excess": tuple(_excess(s, p)[0] for s, p in zip(slabs, phases, strict=True)),
        "cut": sum(cut for cut, _, _ in missing),
        "open": int(corners.max(initial=0)),
        "corners": int(corners.sum()),
        "shortest": _shortest(atoms, near, phases),
        "stretch": max(stretch for _, _, stretch in missing),
        "strain": _told(atoms),
        "shear": float(atoms.info["shear"]) if "shear" in atoms.info else None,
        "corner": _corner(atoms),
    }
    other = [_excess(s, p)[1] for s, p in zip(slabs, phases, strict=True)]
    reasons = tuple(_reasons(found, other, phases, rules))
    return Audit(passed=not reasons, reasons=reasons, **found)


def _reasons(found: dict, other: list[str], phases: tuple[Phase, Phase], rules: Rules) -> list[str]:
    out = []
    if found["cut"]:
        out.append(f"{found['cut']} covalent units (PO4, PS4 and the like) miss a corner")
    if found["open"] > rules.open:
        out.append(f"a polyhedron misses {found['open']} corners, at most {rules.open}")
    if abs(found["charge"]) > rules.charge:
        out.append(f"the charges add up to {found['charge']:+.3g} e instead of 0")
    for phase, polarisation in zip(phases, found["polarisation"], strict=True):
        if abs(polarisation) > rules.polar:
            out.append(f"the slab of {phase.name} is polar: {polarisation:+.3f} e/A^2, at most {rules.polar}")
    for phase, excess, rest in zip(phases, found["lithium_excess"], other, strict=True):
        if rest:
            out.append(f"the slab of {phase.name} has not the formula of its bulk: {rest}")
        if abs(excess) > 1e-6:
            out.append(f"the slab of {phase.name} has {excess:+.3g} Li beyond the formula of its bulk")
    if found["strain"] is not None and found["strain"] > rules.strain:
        out.append(f"a principal strain of {found['strain']:.4f}, at most {rules.strain}")
    if found["shear"] is not None and found["shear"] > rules.shear:
        out.append(f"a shear of {found['shear']:.4f} rad, at most {rules.shear}")
    if found["stretch"] > rules.stretch:
        out.append(
            f"bonds of units or polyhedra differ by {found['stretch']:.3f} from the bulk, at most {rules.stretch}"
        )
    if found["corner"] < rules.corner:
        out.append(f"a corner of the cell of {found['corner']:.0f} degrees, at least {rules.corner:.0f}")
    pair, distance, ratio = found["shortest"]
    if ratio < rules.near:
        out.append(f"{pair} at {distance:.2f} A is {ratio:.2f} of the distance at which the ions touch")
    return out


def _kinds(atoms: Atoms) -> list[Kind]:
    return list(zip(atoms.get_chemical_symbols(), atoms.get_initial_charges().tolist(), strict=True))


def _centres(phase: Phase) -> dict[Kind, _Centre]:
    """Centres of units and polyhedra of a bulk, by kind; where sites of a kind differ, the least coordination."""
    bond = polyhedra.bonds(phase.structure)
    states = polyhedra.oxidation(phase.structure)
    out: dict[Kind, _Centre] = {}
    for k in np.flatnonzero(bond.units | bond.polyhedra):
        kind = phase.structure[int(k)].specie.symbol, float(states[k])
        length = bond.length[bond.cation == k]
        one = _Centre(bool(bond.units[k]), int(bond.coordination[k]), float(length.min()), float(length.max()))
        old = out.get(kind, one)
        out[kind] = _Centre(
            one.unit or old.unit,
            min(one.coordination, old.coordination),
            min(one.shortest, old.shortest),
            max(one.longest, old.longest),
        )
    return out


def _missing(atoms: Atoms, near: _Near, tag: int, phase: Phase) -> tuple[int, np.ndarray, float]:
    """Cut units, corners that each polyhedron misses, and the largest relative stretch of their bonds."""
    centres = _centres(phase)
    kinds, tags = _kinds(atoms), atoms.get_tags()
    index = [k for k, kind in enumerate(kinds) if tags[k] == tag and kind in centres]
    if not index:
        return 0, np.zeros(0, dtype=int), 0.0
    bond = atoms.get_initial_charges()[near.second] < 0
    i, d = near.first[bond], near.distance[bond]
    order = np.lexsort((d, i))
    start = np.searchsorted(i[order], np.arange(len(atoms) + 1))
    cut, corners, stretch = 0, [], 0.0
    for k in index:
        centre, length = centres[kinds[k]], d[order[start[k] : start[k + 1]]]
        length = length[length <= BOND * centre.longest][: centre.coordination]
        lost = centre.coordination - len(length)
        cut += bool(centre.unit and lost)
        corners += [] if centre.unit else [lost]
        if len(length):
            stretch = max(stretch, length[-1] / centre.longest - 1, 1 - length[0] / centre.shortest)
    return cut, np.array(corners, dtype=int), float(stretch)


def _excess(slab: Atoms, phase: Phase) -> tuple[float, str]:
    """Lithium beyond the formula of the bulk [atoms], and what else does not fit, in words."""
    has = Counter(slab.get_chemical_symbols())
    bulk = dict(phase.structure.composition.get_el_amt_dict())
    frame = {e: n for e, n in bulk.items() if e != "Li"}
    if not frame:
        return 0.0, "" if set(has) == {"Li"} else f"{slab.get_chemical_formula()} for Li"
    charge = dict(
        zip((site.specie.symbol for site in phase.structure), polyhedra.oxidation(phase.structure), strict=True)
    )
    firm = max(frame, key=lambda element: charge[element])  # the formula is counted by what moves least: P, Co, Zr
    mean = has[firm] / frame[firm]
    off = [f"{has[e] - mean * frame[e]:+.3g} {e}" for e in frame if abs(has[e] - mean * frame[e]) > 1e-6]
    off += [f"{has[e]:+d} {e}" for e in has if e not in bulk]
    return has["Li"] - mean * bulk.get("Li", 0.0), ", ".join(off)


def _shortest(atoms: Atoms, near: _Near, phases: tuple[Phase, Phase]) -> tuple[str, float, float]:
    """The pair nearest to each other for its kinds; what is as near in the bulk of its slab counts as touching."""
    kinds, tags = _kinds(atoms), atoms.get_tags()
    i, j, d = near.first, near.second, near.distance
    across = tags[i] != tags[j]
    worst = ("", np.inf, np.inf)
    for one, two, distance in _least(kinds, i[across], j[across], d[across]):
        worst = _nearer(worst, one, two, distance, contact.least(one, two))
    for tag, phase in zip((LEFT, RIGHT), phases, strict=True):
        own = {(one, two): distance for one, two, distance in _bulk(phase)}
        inside = ~across & (tags[i] == tag)
        for one, two, distance in _least(kinds, i[inside], j[inside], d[inside]):
            touch = min(contact.least(one, two), own.get((one, two), np.inf))
            worst = _nearer(worst, one, two, distance, touch)
    return worst


def _nearer(
    worst: tuple[str, float, float], one: Kind, two: Kind, distance: float, touch: float
) -> tuple[str, float, float]:
    return (f"{one[0]}-{two[0]}", distance, distance / touch) if distance / touch < worst[2] else worst


def _least(kinds: list[Kind], i: np.ndarray, j: np.ndarray, d: np.ndarray) -> list[tuple[Kind, Kind, float]]:
    """The shortest distance [angstrom] of every pair of kinds among pairs of atoms."""
    names = sorted(set(kinds))
    of = np.array([names.index(kind) for kind in kinds])
    least = np.full((len(names), len(names)), np.inf)
    np.minimum.at(least, (of[i], of[j]), d)
    return [(names[a], names[b], float(least[a, b])) for a, b in np.argwhere(np.isfinite(least))]


def _bulk(phase: Phase) -> list[tuple[Kind, Kind, float]]:
    states = polyhedra.oxidation(phase.structure)
    first, second, _, length = phase.structure.get_neighbor_list(FAR)
    kinds = [(site.specie.symbol, float(q)) for site, q in zip(phase.structure, states, strict=True)]
    return _least(kinds, first, second, length)


def _told(atoms: Atoms) -> float | None:
    strains = [atoms.info[key] for key in ("left_strain", "right_strain") if key in atoms.info]
    return float(np.abs(strains).max()) if strains else None


def _corner(atoms: Atoms) -> float:
    """The sharpest corner of the cell in the plane, of its shortest vectors [degrees]."""
    reduced = np.asarray(minkowski_reduce(atoms.cell.array, pbc=[True, True, False])[0])
    a, b = reduced[0], reduced[1]
    angle = np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
    return float(min(angle, 180 - angle))
