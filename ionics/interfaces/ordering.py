"""Partly occupied sites -> one ordered cell: the arrangement of point charges with the lowest Coulomb energy.

With fixed sites the energy of an arrangement is q M q, where M is the Ewald matrix of unit charges at every site, so
one Ewald sum serves all arrangements. Few enough are all tried, else swaps at a falling temperature sample them from a
stated seed. Arrangements that an operation of the averaged crystal turns into each other count as one.

Sources: Okhotnikov, Charpentier and Cadars, J. Cheminform. 8, 17 (2016), 10.1186/s13321-016-0129-3 (ordering by Coulomb
energy); Ewald sums by pymatgen. The choice is electrostatic: it knows no size, no relaxation and no entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Species, Structure

from ionics.interfaces.arrangements import Places, distinct, enumerated, number, sampled
from ionics.interfaces.errors import AtomsError

CROWDED = 30.0  # eV on a pair of ions that stand too near: more than any swap gains
LIMIT = 50_000  # arrangements that are all tried; more are sampled
NEUTRAL = 1e-6  # e, of an ordered cell


@dataclass(frozen=True)
class Ordering:
    """What a user may say about the ordering of a cell."""

    supercell: tuple[int, int, int] = (1, 1, 1)
    primitive: bool = False  # order the primitive cell (times the supercell) and repeat it in the given one
    shared: bool = False  # a species may move between all its partly occupied sites; only its total is kept
    closest: float = 2.0  # angstrom: ions of partly occupied sites stand no nearer
    limit: int = LIMIT
    restarts: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Ordered:
    """The best arrangement and what it was chosen from."""

    structure: Structure
    energy: float  # eV per cell that was ordered, Coulomb
    gap: float  # eV to the next distinct arrangement; infinite if there is none
    tried: int  # arrangements whose energy was taken
    complete: bool  # all there are
    distinct: int  # those that differ by symmetry: of a sample, among the lowest
    note: str


def ordered(
    structure: Structure, ordering: Ordering | None = None, tell: Callable[[str], None] = lambda text: None
) -> Ordered:
    """The electrostatically best arrangement of a structure with partial occupancies and oxidation states.

    Raises AtomsError if no arrangement near the occupancies is neutral, or none keeps the ions apart.
    """
    choice = ordering or Ordering()
    parent = structure.get_primitive_structure() if choice.primitive else structure
    cell = parent.copy()
    cell.make_supercell(choice.supercell)
    places = _places(cell, choice)
    count = number(places)
    tell(f"{cell.formula}: {count:.3g} arrangements of {len(places.sites)} partly occupied sites")
    complete = count <= choice.limit
    seen = enumerated(places) if complete else sampled(places, choice.restarts, choice.seed)
    best, energies, different = distinct(seen, places, parent, cell)
    gap = float(energies[1] - energies[0]) if len(energies) > 1 else np.inf
    _not_crowded(cell, places, best, choice.closest)
    result = _filled(cell, places, best)
    note = _note(result, choice, seen.tried, complete, different, gap)
    if choice.primitive:
        result = _repeated(result, structure, choice)
    return Ordered(result, float(energies[0]), gap, seen.tried, complete, different, note)


def _places(cell: Structure, choice: Ordering) -> Places:
    """Partly occupied sites, who may sit there, how many of each, and the energy of any arrangement."""
    sites = np.array([i for i, site in enumerate(cell) if not site.is_ordered])
    if not len(sites):
        raise AtomsError(f"{cell.formula} has no partly occupied sites", "leave out the ordering")
    groups = _groups(cell, sites, choice.shared)
    kinds = sorted({species for i in sites for species in cell[i].species}, key=str)
    charges = np.array([0.0, *[float(kind.oxi_state) for kind in kinds]])  # 0: empty
    counts = _counts(cell, sites, groups, kinds, charges)
    fixed = np.setdiff1d(np.arange(len(cell)), sites)
    matrix = _ewald(cell)
    host = np.array([float(cell[i].specie.oxi_state) for i in fixed])
    return Places(
        sites=sites,
        groups=groups,
        kinds=kinds,
        charges=charges,
        counts=counts,
        pair=matrix[np.ix_(sites, sites)] + CROWDED / 2 * _crowded(cell, sites, choice.closest),
        field=2 * matrix[np.ix_(sites, fixed)] @ host,
        base=float(host @ matrix[np.ix_(fixed, fixed)] @ host),
    )


def _ewald(cell: Structure) -> np.ndarray:
    """Energies [eV] of unit charges at every site, shape (sites, sites): half of each pair in either triangle."""
    from pymatgen.analysis.ewald import EwaldSummation

    full = Structure(cell.lattice, [Species("H", 1)] * len(cell), cell.frac_coords)
    return np.asarray(EwaldSummation(full).total_energy_matrix)


def _crowded(cell: Structure, sites: np.ndarray, closest: float) -> np.ndarray:
    """Pairs of partly occupied sites that stand nearer than `closest` [angstrom], (places, places)."""
    where = cell.frac_coords[sites]
    near = cell.lattice.get_all_distances(where, where) < closest
    return near & ~np.eye(len(sites), dtype=bool)


def _not_crowded(cell: Structure, places: Places, state: np.ndarray, closest: float) -> None:
    """Raise AtomsError if the best arrangement still has ions nearer than `closest` [angstrom]."""
    sites = places.sites[state > 0]
    near = np.argwhere(_crowded(cell, sites, closest))
    if len(near):
        i, j = sites[near[0]]
        pair = " and ".join(f"{cell[k].species_string} at {np.round(cell[k].frac_coords, 3).tolist()}" for k in (i, j))
        raise AtomsError(
            f"every arrangement of {cell.formula} that was tried fills sites nearer than {closest} angstrom, "
            f"such as {pair}, {cell.get_distance(i, j):.2f} apart",
            "shared=True, so that ions may change sites, other occupancies, or a smaller `closest`",
        )


def _groups(cell: Structure, sites: np.ndarray, shared: bool) -> np.ndarray:
    """A label per partly occupied site: sites of the same occupancies, or of the same species where they are shared."""
    names = [
        str(sorted(map(str, cell[i].species)))
        if shared
        else str(sorted((str(s), round(x, 4)) for s, x in _parts(cell[i])))
        for i in sites
    ]
    return np.unique(names, return_inverse=True)[1]


def _parts(site) -> list[tuple]:
    return list(site.species.items())


def _counts(cell: Structure, sites: np.ndarray, groups: np.ndarray, kinds: list, charges: np.ndarray) -> np.ndarray:
    """Whole numbers of each kind in each group that are neutral and nearest to the occupancies, (groups, 1 + kinds)."""
    real = np.zeros((groups.max() + 1, len(kinds)))
    for i, group in zip(sites, groups, strict=True):
        for species, part in _parts(cell[i]):
            real[group, kinds.index(species)] += part
    room = np.bincount(groups)
    host = sum(float(site.specie.oxi_state) for site in cell if site.is_ordered)
    whole = _nearest(real, room, charges[1:], -host)
    if whole is None:
        charge = float((real * charges[1:]).sum() + host)
        raise AtomsError(
            f"no neutral filling of {cell.formula}: its occupancies carry {charge:+.2f} e, "
            "and no whole numbers near them are neutral",
            "a larger supercell, or occupancies that are neutral",
        )
    return np.column_stack([room - whole.sum(1), whole])


def _nearest(real: np.ndarray, room: np.ndarray, charges: np.ndarray, aim: float) -> np.ndarray | None:
    """Whole numbers near `real` whose charge is `aim`, none where nothing sits, no more than there is room."""
    present = np.argwhere(real > 1e-9)
    options = [range(max(int(np.floor(real[g, k])) - 1, 0), int(np.ceil(real[g, k])) + 2) for g, k in present]
    best, least = None, np.inf
    for choice in np.stack(np.meshgrid(*options, indexing="ij"), -1).reshape(-1, len(options)):
        whole = np.zeros(real.shape, int)
        whole[tuple(present.T)] = choice
        if abs((whole * charges).sum() - aim) > NEUTRAL or (whole.sum(1) > room).any():
            continue
        full = np.isclose(real.sum(1), room)
        off = ((whole - real) ** 2).sum()
        if off < least and (whole.sum(1) == room)[full].all():
            best, least = whole, off
    return best


def _filled(cell: Structure, places: Places, state: np.ndarray) -> Structure:
    """The cell with one arrangement, sorted so that like atoms stand together."""
    taken = dict(zip(places.sites, state, strict=True))
    species, where = [], []
    for i, site in enumerate(cell):
        if i not in taken:
            species.append(site.specie)
        elif taken[i]:
            species.append(places.kinds[taken[i] - 1])
        else:
            continue
        where.append(site.frac_coords)
    return Structure(cell.lattice, species, where).get_sorted_structure(key=lambda s: (s.specie.X, s.specie.symbol))


def _repeated(result: Structure, structure: Structure, choice: Ordering) -> Structure:
    """An ordered primitive cell repeated in the axes of the given cell."""
    target = structure.lattice.matrix * np.array(choice.supercell)[:, None]
    matrix = target @ result.lattice.inv_matrix
    if not np.allclose(matrix, np.round(matrix), atol=1e-4):
        raise AtomsError(
            "the ordered primitive cell does not repeat in the given cell",
            "primitive=False, or equal supercell numbers",
        )
    whole = result.copy()
    whole.make_supercell(np.round(matrix).astype(int))
    return Structure(target, whole.species, whole.frac_coords)


def _note(result: Structure, choice: Ordering, tried: int, complete: bool, different: int, gap: float) -> str:
    size = "x".join(map(str, choice.supercell)) + (" primitive" if choice.primitive else "")
    how = "all there are," if complete else f"sampled with seed {choice.seed}, {choice.restarts} restarts,"
    kept = "totals kept" if choice.shared else "occupancy of each site kept"
    after = f"the next lies {gap:.3g} eV per cell higher" if np.isfinite(gap) else "it is the only one"
    return (
        f"ordered in a {size} cell as {result.composition.reduced_formula} ({kept}): lowest Coulomb energy of {tried} "
        f"arrangements ({how} {different} distinct ones kept), {after}"
    )
