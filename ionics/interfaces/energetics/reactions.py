"""What two phases in contact turn into: mixing ratio, products and energy, closed or open to lithium.

By pymatgen's convex hulls: Richards et al., Chem. Mater. 28 (2016) 266, doi:10.1021/acs.chemmater.5b04082;
Xiao et al., Nat. Rev. Mater. 5 (2020) 105, doi:10.1038/s41578-019-0157-5. Thermodynamics only: a negative energy says
that a reaction may run, not how fast; and only products among the entries are seen, so that with few entries the
energy found is an upper bound of the true one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pymatgen.core import Composition, Element
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.energetics.chemical import LITHIUM, metal_energy
from ionics.interfaces.energetics.entries import NOWHERE, Entries, closed, composition, source_of
from ionics.interfaces.energetics.units import JOULE_PER_AREA, KILOJOULE_PER_MOLE
from ionics.interfaces.errors import AtomsError

NOTHING = 1e-6  # eV/atom: no reaction
SEEN = 1e-8  # formula units: less is none


@dataclass(frozen=True)
class Kink:
    """One mixing ratio at which the products change; written for one formula unit of the scarcer phase."""

    fraction: float  # of the atoms that are of the left phase
    energy: float  # eV per atom of the mixture; open to lithium: per atom of it that is not lithium
    reactants: dict[str, float]  # formula -> formula units in the reaction
    products: dict[str, float]  # formula -> formula units in the reaction
    lithium: float  # atoms from the reservoir in the reaction, negative: to it; 0 if closed
    released: float  # eV in the reaction; open to lithium: of the grand potential, negative if it runs

    @property
    def per_mole(self) -> float:
        """kJ per mole of the reaction as written."""
        return self.released * KILOJOULE_PER_MOLE

    @property
    def reaction(self) -> str:
        """Balanced, in words."""
        left, right = dict(self.reactants), dict(self.products)
        if abs(self.lithium) > SEEN:
            (left if self.lithium > 0 else right)["Li (reservoir)"] = abs(self.lithium)
        return " + ".join(map(_term, left.items())) + " -> " + " + ".join(map(_term, right.items()))

    def per_area(self, volumes: Mapping[str, float], thickness: float) -> float:
        """Energy [J/m^2] once the two phases are used up over `thickness` [angstrom] of both together.

        volumes: formula -> angstrom^3 per formula unit of the two phases.
        """
        if missing := sorted(set(self.reactants) - set(volumes)):
            raise AtomsError(f"no volume of {', '.join(missing)}", "angstrom^3 per formula unit of each reactant")
        volume = sum(n * volumes[name] for name, n in self.reactants.items())
        return self.released / volume * thickness * JOULE_PER_AREA


def _term(named: tuple[str, float]) -> str:
    name, amount = named
    return name if abs(amount - 1) < SEEN else f"{amount:.4g} {name}"


@dataclass(frozen=True)
class Reactivity:
    """Of two phases: the energy of mixing them, over the mixing ratio."""

    left: str
    right: str
    voltage: float | None  # against Li/Li+ [V] at which lithium is free to come and go; None: closed
    kinks: tuple[Kink, ...]  # rising fraction of the left phase, from 0 to 1
    above: dict[str, float]  # reactant -> its own energy above the hull [eV/atom], it falls apart without a partner
    sources: tuple[str, ...]
    phases: tuple[str, ...]  # formulas that were offered as products
    notes: tuple[str, ...]

    @property
    def worst(self) -> Kink:
        """The most negative point."""
        return min(self.kinks, key=lambda kink: kink.energy)

    def mutual(self, kink: Kink) -> float:
        """Of its energy, what the two phases have only together [same unit]: not what each loses alone."""
        ends = {name: end.released for end in (self.kinks[0], self.kinks[-1]) for name in end.reactants}
        own = sum(n * ends[name] for name, n in kink.reactants.items())
        return kink.energy * (1 - own / kink.released) if kink.released else 0.0

    @property
    def contact(self) -> Kink:
        """The point at which the two phases gain most by being together."""
        return min(self.kinks, key=self.mutual)

    @property
    def _per(self) -> str:
        return "meV/atom" if self.voltage is None else "meV per atom other than Li"

    def words(self) -> str:
        """What happens, in sentences."""
        sentences = [self._first(), *self._instability(), *self._together(), *(f"Note: {n}." for n in self.notes)]
        return "\n".join(sentences)

    def _first(self) -> str:
        offered = f"among {len(self.phases)} phases ({', '.join(self.sources)})"
        where = "closed" if self.voltage is None else f"open to lithium at {self.voltage:g} V against Li/Li+"
        worst = self.worst
        if worst.energy > -NOTHING:
            return f"{self.left} | {self.right}, {where}: no reaction {offered}."
        share = f"{100 * worst.fraction:.0f} % of the atoms from {self.left}"
        return (
            f"{self.left} | {self.right}, {where}: {worst.reaction} releases {-worst.energy * 1e3:.0f} {self._per} "
            f"({-worst.per_mole:.0f} kJ/mol as written), {share}; {offered}."
        )

    def _instability(self) -> list[str]:
        return [
            f"{name} alone lies {energy * 1e3:.0f} meV/atom above the hull of these entries; it may fall apart alone."
            for name, energy in self.above.items()
            if energy > NOTHING
        ]

    def _together(self) -> list[str]:
        """What the contact adds where a phase is unstable by itself."""
        if min(self.kinks[0].energy, self.kinks[-1].energy) > -NOTHING:
            return []
        gain = -self.mutual(self.contact)
        if gain < NOTHING:
            return ["The contact adds nothing to what each phase does alone."]
        return [f"The contact adds at most {gain * 1e3:.0f} {self._per}, by {self.contact.reaction}."]


def reactivity(left: str, right: str, entries: Entries, voltage: float | None = None) -> Reactivity:
    """Reactions of two phases, by their formulas, among the phases of `entries`.

    Energies count from the entries of the two phases themselves. voltage [V against Li/Li+]: lithium comes from
    and goes to a reservoir at mu_Li = -voltage from the metal of the same entries; energies are then grand potentials.
    """
    pair = composition(left), composition(right)
    if pair[0].reduced_formula == pair[1].reduced_formula:
        raise AtomsError(f"{left} and {right} are one composition", "two different phases")
    if voltage is not None and LITHIUM in {c.chemical_system for c in pair}:
        raise AtomsError("lithium metal is its own reservoir", "no voltage, or `alone` for the other phase at 0 V")
    known, whole, notes = _offered(pair, entries, voltage)
    lowest = known.of(left), known.of(right)
    diagrams = _diagrams(whole, voltage)
    kinks = tuple(_kinks(lowest, diagrams, voltage is None))
    _check_known(kinks, whole)
    above = {e.composition.reduced_formula: _above(diagrams[0], e) for e in lowest}
    phases = tuple(sorted({e.composition.reduced_formula for e in known.entries}))
    return Reactivity(left, right, voltage, kinks, above, known.sources, phases, notes)


def alone(formula: str, entries: Entries, voltage: float) -> Kink:
    """What one phase turns into, open to lithium at `voltage` [V against Li/Li+]; energy 0 where it is stable."""
    pair = (composition(formula),)
    known, whole, _ = _offered(pair, entries, voltage)
    entry, diagrams = known.of(formula), _diagrams(whole, voltage)
    kink = _kink(1.0, (entry,), diagrams)
    _check_known((kink,), whole)
    return kink


def _offered(pair: Sequence[Composition], entries: Entries, voltage: float | None):
    """Entries of the elements at hand, the same with placeholders, and what has to be said of them."""
    free = {LITHIUM} if voltage is not None else set()
    elements = {str(e) for c in pair for e in c} | free
    known = entries.among(sorted(elements))
    whole = closed(known, sorted(elements - free))
    notes = list(whole.notes)
    if len(known.sources) > 1:
        notes.append(
            f"energies of {len(known.sources)} sources are mixed ({'; '.join(known.sources)}), whose zeros may differ"
        )
    return known, whole, tuple(notes)


def _diagrams(whole: Entries, voltage: float | None):
    """The convex hull, and the same open to lithium or None."""
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PhaseDiagram

    if voltage is None:
        return PhaseDiagram(list(whole.entries)), None
    chemical = {Element(LITHIUM): metal_energy(whole.entries) - voltage}
    return PhaseDiagram(list(whole.entries)), GrandPotentialPhaseDiagram(list(whole.entries), chemical)


def _kinks(lowest: tuple[ComputedEntry, ComputedEntry], diagrams, is_closed: bool) -> list[Kink]:
    """At every mixing ratio where the tie line of the two phases crosses a facet of the hull."""
    from pymatgen.analysis.interface_reactions import GrandPotentialInterfacialReactivity, InterfacialReactivity

    pair, (diagram, grand) = tuple(e.composition for e in lowest), diagrams
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has no matching entry.*")  # only ratios are taken from there
        mixed = (
            InterfacialReactivity(*pair, diagram, norm=True)
            if is_closed
            else GrandPotentialInterfacialReactivity(*pair, grand, diagram, norm=True)
        )
        ratios = sorted({round(float(kink[1]), 12) for kink in mixed.get_kinks()} | {0.0, 1.0})
    return [_kink(x, lowest, diagrams) for x in ratios]


def _kink(fraction: float, lowest: Sequence[ComputedEntry], diagrams) -> Kink:
    """Products and energy at one mixing ratio of phases, by the entries themselves."""
    diagram, grand = diagrams
    shares = (fraction, 1 - fraction)[: len(lowest)]
    units = {e.composition.reduced_formula: s / _atoms(e) for e, s in zip(lowest, shares, strict=True) if s > SEEN}
    smallest = min(units.values())
    units = {name: n / smallest for name, n in units.items()}
    mixture = sum((Composition(name) * n for name, n in units.items()), Composition())
    held = {} if grand is None else grand.chempots
    rest = Composition({e: n for e, n in mixture.items() if e not in held})
    parts = (grand or diagram).get_decomposition(rest)
    products, after = {}, 0.0
    for part, share in parts.items():
        entry = getattr(part, "original_entry", part)
        formula = entry.composition.reduced_composition
        n = share * rest.num_atoms / sum(k for e, k in formula.items() if e not in held)
        products[entry.composition.reduced_formula] = float(n)
        after += n * formula.num_atoms * entry.energy_per_atom
    before = sum(units.get(e.composition.reduced_formula, 0.0) * _atoms(e) * e.energy_per_atom for e in lowest)
    lithium = sum(n * Composition(name)[LITHIUM] for name, n in products.items()) - mixture[LITHIUM] if held else 0.0
    released = after - before - sum(lithium * mu for mu in held.values())
    return Kink(fraction, float(released / rest.num_atoms), units, products, float(lithium), float(released))


def _atoms(entry: ComputedEntry) -> float:
    """Atoms in a reduced formula unit."""
    return entry.composition.reduced_composition.num_atoms


def _above(diagram, entry: ComputedEntry) -> float:
    return max(0.0, entry.energy_per_atom - diagram.get_hull_energy_per_atom(entry.composition))


def _check_known(kinks: Sequence[Kink], whole: Entries) -> None:
    """No product may be an element of which there is only a placeholder."""
    stand_ins = {e.composition.reduced_formula for e in whole.entries if source_of(e) == NOWHERE}
    if free := sorted({p for kink in kinks for p in kink.products} & stand_ins):
        raise AtomsError(
            f"{', '.join(free)} would be set free, of which there is no energy", "an entry of it, or of more products"
        )
