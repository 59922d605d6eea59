"""Which bulk an interface is made of: formula units of each phase, and what is left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.errors import AtomsError

SOLVED = 1e-6  # atoms: formula units are counted to this


def bulk(atoms: Atoms, energy: float, source: str = "") -> ComputedEntry:
    """A bulk phase as an entry: its atoms and their energy [eV]."""
    return ComputedEntry(Counter(atoms.get_chemical_symbols()), energy, data={"source": source})


@dataclass(frozen=True)
class Counted:
    """Atoms = sum of units x bulk compositions + excess."""

    units: tuple[float, ...]  # of every bulk, in the order given: how often its composition is in the atoms
    excess: dict[str, float]  # element -> atoms beyond those; of elements that were let open


def counted(atoms: Atoms, bulks: Sequence[ComputedEntry], open_elements: Sequence[str] = ()) -> Counted:
    """Write the atoms as whole bulk and an excess of the open elements; raises AtomsError where that cannot be.

    With lithium metal as one of the bulks, lithium has no excess: what there is counts as metal.
    """
    has = Counter(atoms.get_chemical_symbols())
    elements = sorted({*has, *open_elements, *(str(e) for b in bulks for e in b.composition)})
    closed = [{str(e): n for e, n in b.composition.items()} for b in bulks]
    opened = [name for name in open_elements if {name} not in [set(c) for c in closed]]
    columns = [[c.get(e, 0.0) for e in elements] for c in closed] + [[float(e == o) for e in elements] for o in opened]
    matrix, wanted = np.array(columns).T, np.array([has[e] for e in elements], dtype=float)
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        names = ", ".join(b.reduced_formula for b in bulks)
        raise AtomsError(
            f"formula units of {names} cannot be told apart when {', '.join(opened) or 'nothing'} is free",
            "let fewer elements be free; a phase and its own delithiated form count as one phase",
        )
    solved = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    _check_rest(elements, wanted - matrix @ solved, bulks, opened)
    excess = dict.fromkeys(open_elements, 0.0) | {
        o: _clean(n) for o, n in zip(opened, solved[len(bulks) :], strict=True)
    }
    return Counted(tuple(float(n) for n in solved[: len(bulks)]), excess)


def _check_rest(elements: list[str], rest: np.ndarray, bulks: Sequence[ComputedEntry], opened: Sequence[str]) -> None:
    if np.abs(rest).max() < SOLVED:
        return
    off = ", ".join(f"{e} {r:+.3g}" for e, r in zip(elements, rest, strict=True) if abs(r) >= SOLVED)
    names = ", ".join(b.reduced_formula for b in bulks)
    raise AtomsError(
        f"the atoms are not made of {names}" + (f" and free {', '.join(opened)}" if opened else "") + f": left {off}",
        "give a chemical potential for the element that is off, or an interface of whole formula units",
    )


def _clean(number: float) -> float:
    """A whole number of atoms as such."""
    return float(round(number)) if abs(number - round(number)) < SOLVED else float(number)


def beyond_bulk(
    energy: float, atoms: Atoms, bulks: Sequence[ComputedEntry], potentials: Mapping[str, float] | None = None
) -> float:
    """Energy [eV] of the atoms beyond that of their bulk and of the excess at its chemical potentials [eV/atom]."""
    potentials = dict(potentials or {})
    count = counted(atoms, bulks, tuple(potentials))
    inside = sum(n * b.energy for n, b in zip(count.units, bulks, strict=True))
    return energy - inside - sum(count.excess[e] * mu for e, mu in potentials.items())
