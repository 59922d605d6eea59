"""Ordering by Coulomb energy: against exact small cases, direct Ewald sums and the shipped cells."""

from itertools import combinations

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure

from ionics.interfaces import phases
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.ordering import Ordering, ordered


def half_filled() -> Structure:
    """Rock salt whose cation sites are half Li+, half Al3+; the anions are O2-."""
    cations = {"Li+": 0.5, "Al3+": 0.5}
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.1), [cations, "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def by_hand(structure: Structure) -> list[float]:
    """Energies [eV] of all ways to put two Li+ and two Al3+ on the four cation sites, each by its own Ewald sum."""
    found = []
    for lithium in combinations(range(4), 2):
        cell = structure.copy()
        for k in range(4):
            cell.replace(k, "Li+" if k in lithium else "Al3+")
        found.append(EwaldSummation(cell).total_energy)
    return sorted(found)


def test_energies_are_those_of_direct_ewald_sums():
    result = ordered(half_filled())
    energies = by_hand(half_filled())
    assert result.tried == 6
    assert result.complete
    assert result.energy == pytest.approx(energies[0], abs=1e-6)  # the matrix is that of the same sum
    assert EwaldSummation(result.structure).total_energy == pytest.approx(energies[0], abs=1e-6)


def test_arrangements_that_symmetry_maps_onto_each_other_count_once():
    result = ordered(half_filled())  # six ways in one cell, all of them layers along an axis
    assert result.distinct == 1
    assert result.gap == np.inf
    assert "it is the only one" in result.note


def test_a_supercell_finds_the_known_ground_state():
    """LiAlO2-like rock salt: of the cells with 4 x 2 cations the I41/amd stacking has the lowest Coulomb energy.

    Its layers alternate Li2 and Al2 along a doubled axis: structure 40 of Magri, Wei and Zunger, PRB 42, 11388 (1990).
    """
    result = ordered(half_filled(), Ordering(supercell=(1, 1, 2)))
    assert result.tried == 70
    assert result.distinct > 3
    assert result.energy / 2 < ordered(half_filled()).energy
    assert result.structure.get_space_group_info()[0] == "I4_1/amd"


def test_sampling_finds_what_enumeration_finds():
    parent = half_filled()
    exact = ordered(parent, Ordering(supercell=(1, 2, 2)))  # 12870 arrangements
    sample = ordered(parent, Ordering(supercell=(1, 2, 2), limit=10, restarts=4, seed=3))
    assert exact.complete
    assert not sample.complete
    assert sample.energy == pytest.approx(exact.energy, abs=1e-6)
    assert "sampled with seed 3, 4 restarts" in sample.note
    again = ordered(parent, Ordering(supercell=(1, 2, 2), limit=10, restarts=4, seed=3))
    assert again.structure == sample.structure


def test_vacancies_and_counts_are_neutral():
    parent = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.2), [{"Li+": 0.5, "Mg2+": 0.25}, "O2-"], [[0, 0, 0], [0.5] * 3]
    )
    parent.replace_species({"O2-": {"F-": 1.0}})
    result = ordered(parent)  # 4 F- need Li2 Mg1 and one empty site
    assert result.structure.composition.as_dict() == {"Li+": 2, "Mg2+": 1, "F-": 4}
    assert result.structure.charge == 0


def test_a_cell_that_no_whole_numbers_make_neutral_is_refused():
    parent = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), [{"Al3+": 0.9}, "O2-"], [[0, 0, 0], [0.5] * 3])
    with pytest.raises(AtomsError, match=r"no neutral filling .* carry \+2\.80 e.*a larger supercell"):
        ordered(parent)


def test_an_ordered_structure_needs_no_ordering():
    with pytest.raises(AtomsError, match="no partly occupied sites"):
        ordered(phases.curated("LiF").structure)


def split_sites() -> Structure:
    """Two lithium sites 0.84 angstrom apart, each half full, and one fluorine."""
    where = [[0, 0, 0], [0.2, 0, 0], [0.6, 0.5, 0.5]]
    return Structure(Lattice.cubic(4.2), [{"Li+": 0.5}, {"Li+": 0.5}, "F-"], where)


def test_split_sites_are_not_both_filled():
    result = ordered(split_sites(), Ordering(supercell=(2, 1, 1)))
    lithium = [site for site in result.structure if site.specie.symbol == "Li"]
    assert len(lithium) == 2
    assert result.structure.get_distance(0, 1) > 2


def test_occupancies_that_crowd_are_refused_with_the_pair():
    crowded = Structure(
        Lattice.cubic(4.2), [{"Li+": 0.99}, {"Li+": 0.98}, "O2-"], [[0, 0, 0], [0.2, 0, 0], [0.6, 0.5, 0.5]]
    )
    with pytest.raises(AtomsError, match=r"nearer than 2\.0 angstrom, such as .* 0\.84 apart"):
        ordered(crowded)


SHIPPED = {
    "Li6PS5Cl": Ordering(primitive=True),
    "LATP": Ordering(),
    "cubic-LLZO": Ordering(primitive=True, shared=True, seed=1),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_ordered_cells_are_what_ordering_gives(name):
    """In a second each: what `notes` of the phase say was done can be done again."""
    phase = phases.read(phases.CRYSTALS / "disordered" / f"{name}.cif", order=SHIPPED[name])
    shipped = phases.curated(name).structure
    assert phase.structure.composition == shipped.composition
    energy = EwaldSummation(phase.structure).total_energy
    assert EwaldSummation(shipped).total_energy == pytest.approx(energy, rel=1e-7)  # positions are written to 1e-6
    assert any("lowest Coulomb energy" in note for note in phase.notes)


def test_order_true_is_the_default_ordering():
    phase = phases.read(half_filled(), order=True)
    assert len(phase.structure) == 8
    assert phase.structure.is_ordered
