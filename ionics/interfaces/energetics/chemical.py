"""Energy of interfaces and surfaces against the chemical potential of lithium.

    gamma(mu) = (E - sum over bulk phases n e - excess mu) / A,   d gamma / d mu = -excess / A

Straight lines, one a structure; the lowest at each mu is stable, so that the envelope is concave and the excess of the
stable structure never falls with mu (Gibbs adsorption; Reuter & Scheffler, Phys. Rev. B 65 (2001) 035406,
doi:10.1103/PhysRevB.65.035406). mu is counted from lithium metal of the same calculator: -mu is the voltage against
Li/Li+.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.energetics.counting import counted
from ionics.interfaces.energetics.spread import ensemble
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

LITHIUM = "Li"


@dataclass(frozen=True)
class Line:
    """gamma of one structure, a straight line over mu_Li [eV, from lithium metal]."""

    name: str
    area: float  # angstrom^2
    excess: float  # lithium atoms of the cell beyond whole formula units
    metal: float  # gamma at mu = 0 [eV/angstrom^2]

    def __call__(self, mu):
        """gamma [eV/angstrom^2] at mu, of the same shape."""
        return self.metal - self.excess / self.area * np.asarray(mu, dtype=float)

    @property
    def coverage(self) -> float:
        """Excess of lithium per area [1/angstrom^2]."""
        return self.excess / self.area


def line(
    name: str,
    atoms: Atoms,
    energy: float,
    area: float,
    bulks: Sequence[ComputedEntry],
    lithium: float,
    reservoirs: Mapping[str, float] | None = None,
    outer: float = 0.0,
) -> Line:
    """gamma(mu_Li) of a structure of `energy` [eV].

    bulks: the one phase of a surface, the two of an interface, each an entry with the energy of its composition;
    lithium: energy of the metal [eV/atom]; reservoirs: chemical potentials [eV/atom] of other elements that may be off;
    outer: energy of the free surfaces to leave out [eV/angstrom^2]. With 0 they stay in: differences between structures
    with the same free surfaces are sharp, gamma itself then holds both. Two faces of a slab: `area` counts both.
    """
    reservoirs = dict(reservoirs or {})
    if LITHIUM in reservoirs:
        raise AtomsError("a reservoir holds lithium at one chemical potential", "leave Li out: it is the axis")
    count = counted(atoms, bulks, (LITHIUM, *reservoirs))
    inside = sum(n * b.energy for n, b in zip(count.units, bulks, strict=True))
    others = sum(count.excess[e] * mu for e, mu in reservoirs.items())
    excess = count.excess[LITHIUM]
    return Line(name, area, excess, (energy - inside - others - excess * lithium) / area - outer)


@dataclass(frozen=True)
class Envelope:
    """The stable structure at every chemical potential between two bounds."""

    bounds: np.ndarray  # eV from lithium metal, shape (stable + 1,), rising: where one gives way to the next
    stable: tuple[Line, ...]  # between them, excess not falling
    all: tuple[Line, ...]

    def at(self, mu: float) -> Line:
        """The stable structure at mu [eV]."""
        if not self.bounds[0] <= mu <= self.bounds[-1]:
            raise AtomsError(f"mu_Li = {mu:g} eV is outside of {self.bounds[0]:g} to {self.bounds[-1]:g} eV", "")
        return self.stable[min(int(np.searchsorted(self.bounds[1:], mu)), len(self.stable) - 1)]

    def gamma(self, mu):
        """Energy of the stable structure [eV/angstrom^2] at mu [eV], of the same shape."""
        return np.min([each(mu) for each in self.stable], axis=0)

    @property
    def voltages(self) -> np.ndarray:
        """The bounds against Li/Li+ [V], falling, shape (stable + 1,)."""
        return 0.0 - self.bounds  # no negative zero

    def words(self) -> str:
        """One line a stable structure: from the highest voltage to the lowest."""
        spans = zip(self.voltages[:-1], self.voltages[1:], self.stable, strict=True)
        return "\n".join(
            f"{high:.2f} to {low:.2f} V: {one.name}, {one.excess:+g} Li a cell, {one.coverage * 100:+.2f} Li/nm^2, "
            f"gamma {float(one(-high)) * JOULE_PER_AREA:.2f} to {float(one(-low)) * JOULE_PER_AREA:.2f} J/m^2"
            for high, low, one in spans
        )


def envelope(lines: Sequence[Line], low: float, high: float) -> Envelope:
    """The lower envelope of lines for mu_Li from `low` to `high` [eV from lithium metal]; no grid, exact crossings."""
    if not lines:
        raise AtomsError("no structure to compare", "at least one")
    if not (np.isfinite([low, high]).all() and low < high):
        raise AtomsError(f"mu_Li from {low} to {high} eV is no range", "a lower bound below the upper one")
    stable, edges = [min(lines, key=lambda one: (float(one(low)), -one.coverage))], [low]
    while True:
        now = stable[-1]
        after = [(_crossing(now, one), -one.coverage, one) for one in lines if one.coverage > now.coverage]
        after = [each for each in after if each[0] < high]
        if not after:
            return Envelope(np.array([*edges, high]), tuple(stable), tuple(lines))
        where, _, following = min(after, key=lambda each: each[:2])
        edges.append(max(where, edges[-1]))
        stable.append(following)


def _crossing(one: Line, other: Line) -> float:
    """Where two lines meet [eV]."""
    return (other.metal - one.metal) / (other.coverage - one.coverage)


def gamma_estimate(
    envelopes: Mapping[str, Envelope], voltage: float, source: str, uncertainty: float | None = None
) -> Estimate:
    """Energy of the stable structure [J/m^2] at a voltage against Li/Li+, over calculators (name -> Envelope)."""
    values = {name: float(one.at(-voltage)(-voltage)) * JOULE_PER_AREA for name, one in envelopes.items()}
    chosen = ", ".join(sorted({f"{one.at(-voltage).excess:+g} Li" for one in envelopes.values()}))
    method = f"gamma(mu_Li) at {voltage:g} V of the stable structure ({chosen}), each calculator with its own metal"
    return ensemble(values, "J/m^2", source, method, uncertainty)


def bounds(phases: Sequence[ComputedEntry], entries: Sequence[ComputedEntry]) -> tuple[float, float]:
    """Lowest and highest mu_Li [eV from lithium metal] at which all `phases` are stable together among `entries`.

    Chemical potentials of all elements are sought that give every phase its energy and leave no entry below its own:
    a linear programme in them, first for the lowest, then for the highest mu_Li. Raises AtomsError if a phase is not
    stable at any, or if phases react with each other. `entries` has to hold lithium metal.
    """
    from scipy.optimize import linprog

    metal = metal_energy(entries)
    pool = [*entries, *phases]
    elements = sorted({str(e) for entry in pool for e in entry.composition})
    slack = 1e-9 * max(1.0, *(abs(entry.energy_per_atom) for entry in pool))  # rounding, so that equal entries agree
    all_, own = _per_atom(pool, elements), _per_atom(phases, elements)
    found = []
    for sign in (1.0, -1.0):
        aim = sign * np.array([float(e == LITHIUM) for e in elements])
        solved = linprog(aim, all_[0], all_[1] + slack, *own, bounds=(None, None), method="highs")
        if solved.status == 2:
            raise AtomsError(
                _unstable(phases), "bounds of each phase alone, or bounds measured, such as cut-off voltages"
            )
        found.append(-np.inf if solved.status == 3 else float(sign * solved.fun) - metal)
    return found[0], found[1]


def _per_atom(entries: Sequence[ComputedEntry], elements: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the elements, (entries, elements), and energies [eV], (entries,), of one atom."""
    shares = [[entry.composition.get_atomic_fraction(e) for e in elements] for entry in entries]
    return np.array(shares), np.array([entry.energy_per_atom for entry in entries])


def _unstable(phases: Sequence[ComputedEntry]) -> str:
    names = " and ".join(entry.reduced_formula for entry in phases)
    if len(phases) == 1:
        return f"{names} is not stable at any chemical potential of lithium among these entries"
    return f"{names} are not stable together at any chemical potential of lithium among these entries: they react"


def metal_energy(entries: Sequence[ComputedEntry]) -> float:
    """Energy of lithium metal [eV/atom]: the lowest entry of lithium alone."""
    alone = [entry.energy_per_atom for entry in entries if entry.composition.chemical_system == LITHIUM]
    if not alone:
        raise AtomsError("no entry of lithium metal", "an entry with formula Li from the same source")
    return min(alone)
