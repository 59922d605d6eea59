"""Work of adhesion and energy of interfaces, against sums over pairs that are known exactly."""

import numpy as np
import pytest

from ionics.interfaces.energetics.adhesion import (
    Relaxing,
    adhesion,
    energy_estimate,
    interface_energy,
    surface_energy,
    work_estimate,
)
from ionics.interfaces.energetics.counting import bulk, counted
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT
from tests.interfaces.pairs import REACH, A, Pairs, crystal, rock_salt, stacked, upside_down

ROUNDING = 1e-10  # eV/angstrom^2: sums of some thousand pairs of about 1 eV, by 17 angstrom^2


def energy(atoms, depth=1.0) -> float:
    atoms = atoms.copy()
    atoms.calc = Pairs(depth)
    return atoms.get_potential_energy()


@pytest.fixture
def junction():
    return stacked(rock_salt("LiF", 3), rock_salt("MgO", 4), gap=2.3, shift=0.4 * A)


def test_slabs_out_of_reach_do_not_hold_together():
    apart = stacked(rock_salt("LiF", 3), rock_salt("MgO", 3), gap=REACH + 0.1)
    assert adhesion(apart, Pairs()).work("rigid") == pytest.approx(0.0, abs=ROUNDING)


def test_work_is_the_sum_over_bonds_that_cross_the_plane(junction):
    atoms, left, right = junction.atoms, *(np.flatnonzero(junction.side(tag)) for tag in (LEFT, RIGHT))
    symbols, crossing = np.array(atoms.get_chemical_symbols()), 0.0
    for i in (-2, -1, 0, 1, 2):
        for j in (-2, -1, 0, 1, 2):
            image = atoms.positions[right] + [i * A, j * A, 0]
            r = np.linalg.norm(image[None] - atoms.positions[left][:, None], axis=2).ravel()
            pairs = np.repeat(symbols[left], len(right)), np.tile(symbols[right], len(left))
            near = r < REACH
            crossing += Pairs().value(pairs[0][near], pairs[1][near], r[near])[0].sum()
    found = adhesion(junction, Pairs())
    assert found.work("rigid") == pytest.approx(-crossing / A**2, abs=ROUNDING)
    assert found.work("rigid") > 0


def test_it_does_not_matter_which_side_is_called_left(junction):
    there, back = (adhesion(one, Pairs()) for one in (junction, upside_down(junction)))
    assert back.work("rigid") == pytest.approx(there.work("rigid"), abs=ROUNDING)
    assert back.rigid.left == pytest.approx(there.rigid.right, abs=1e-9)


def test_it_does_not_matter_how_large_the_cell_is(junction):
    wide = stacked(rock_salt("LiF", 3, across=2), rock_salt("MgO", 4, across=2), gap=2.3, shift=0.4 * A)
    assert wide.area == pytest.approx(4 * junction.area)
    assert adhesion(wide, Pairs()).work("rigid") == pytest.approx(
        adhesion(junction, Pairs()).work("rigid"), abs=ROUNDING
    )


def test_a_plane_within_a_perfect_crystal_costs_nothing_and_is_cut_for_two_surface_energies():
    whole = stacked(
        rock_salt("MgO", 4), rock_salt("MgO", 4), gap=A / 2
    )  # four layers: the next image lies out of reach
    bulk_entry = bulk(crystal("MgO"), energy(crystal("MgO")))
    found = adhesion(whole, Pairs())
    slab = whole.slab(LEFT)
    sigma = surface_energy(slab, energy(slab), bulk_entry, whole.area)
    assert interface_energy(found, bulk_entry, bulk_entry, "rigid") == pytest.approx(0.0, abs=ROUNDING)
    assert found.work("rigid") == pytest.approx(2 * sigma, abs=ROUNDING)
    assert sigma > 0


def test_interface_energy_does_not_grow_with_the_slabs(junction):
    bulks = [bulk(crystal(name), energy(crystal(name))) for name in ("LiF", "MgO")]
    thick = stacked(rock_salt("LiF", 5), rock_salt("MgO", 7), gap=2.3, shift=0.4 * A)
    thin, thicker = (interface_energy(adhesion(one, Pairs()), *bulks, "rigid") for one in (junction, thick))
    assert thicker == pytest.approx(thin, abs=ROUNDING)


def test_energy_of_a_slab_with_an_atom_too_few_is_refused(junction):
    bulks = [bulk(crystal(name), energy(crystal(name))) for name in ("LiF", "MgO")]
    short = junction.moved(junction.atoms[1:])  # a lithium or fluoride ion less
    with pytest.raises(AtomsError, match=r"not made of LiF.* left (F|Li)"):
        interface_energy(adhesion(short, Pairs()), *bulks, "rigid")


def test_every_slab_needs_atoms(junction):
    with pytest.raises(AtomsError, match="no atoms; tags 1"):
        adhesion(junction.moved(junction.slab(LEFT)), Pairs())


def test_relaxed_energies_are_asked_for_by_name(junction):
    found = adhesion(junction, Pairs())
    with pytest.raises(AtomsError, match="nothing was relaxed"):
        found.work()
    with pytest.raises(AtomsError, match="'both'"):
        found.work("both")


def test_spread_over_two_models_is_their_standard_deviation(junction):
    weak, strong = (adhesion(junction, Pairs(depth)) for depth in (1.0, 1.2))
    told = work_estimate({"weak": weak, "strong": strong}, "LiF | MgO, pair potential", "rigid")
    works = np.array([one.work("rigid") for one in (weak, strong)]) * JOULE_PER_AREA
    assert told.value == pytest.approx(works.mean())
    assert told.uncertainty == pytest.approx(works.std(ddof=1))
    assert strong.work("rigid") == pytest.approx(1.2 * weak.work("rigid"))  # energies are proportional to the depth
    assert (told.unit, "2 models" in told.method) == ("J/m^2", True)


def test_one_model_has_no_spread_but_may_have_an_error_from_elsewhere(junction):
    found = {"one": adhesion(junction, Pairs())}
    with pytest.raises(AtomsError, match="says nothing about its own error"):
        work_estimate(found, "x", "rigid")
    assert work_estimate(found, "x", "rigid", uncertainty=0.2).uncertainty == 0.2


def test_each_model_needs_bulk_energies_of_its_own(junction):
    found = {"a": adhesion(junction, Pairs()), "b": adhesion(junction, Pairs(1.2))}
    own = {
        name: tuple(bulk(crystal(f), energy(crystal(f), depth)) for f in ("LiF", "MgO"))
        for name, depth in (("a", 1.0), ("b", 1.2))
    }
    told = energy_estimate(found, own, "x", "rigid")
    parts = [interface_energy(found[n], *own[n], "rigid") * JOULE_PER_AREA for n in ("a", "b")]
    assert told.value == pytest.approx(np.mean(parts))
    with pytest.raises(AtomsError, match="no bulk energies of b"):
        energy_estimate(found, {"a": own["a"]}, "x", "rigid")


def test_relaxing_lowers_all_three_energies_and_the_work_below_that_of_separation(junction, tmp_path):
    pytest.importorskip("ionics.interfaces.relax")
    heard = []
    found = adhesion(junction, Pairs(), Relaxing(fmax=0.02, steps=300), keep=tmp_path, tell=heard.append)
    assert found.unfinished == ()
    for kind in ("interface", "left", "right"):
        assert getattr(found.relaxed, kind) <= getattr(found.rigid, kind)
    separated = adhesion(junction.moved(found.atoms[0]), Pairs())
    assert found.work() <= separated.work("rigid") + ROUNDING
    assert any("relaxing the left" in words for words in heard)


def test_what_did_not_relax_is_said_in_the_estimate(junction):
    pytest.importorskip("ionics.interfaces.relax")
    found = adhesion(junction, Pairs(), Relaxing(fmax=1e-6, steps=1))
    assert len(found.unfinished) == 3
    assert "not fully" in work_estimate({"one": found}, "x", uncertainty=0.1).method


def test_formula_units_are_counted():
    mixed = stacked(rock_salt("LiF", 3), rock_salt("MgO", 2), gap=2.0).atoms
    entries = [bulk(crystal("LiF"), 0.0), bulk(crystal("MgO"), 0.0)]
    count = counted(mixed, entries, ("Li",))
    assert np.array(count.units) * 4 == pytest.approx([6, 4])  # 2 a layer and cell, 4 in a cubic cell
    assert count.excess == {"Li": 0.0}


def test_a_phase_and_its_delithiated_form_cannot_both_be_counted():
    with_, without = crystal("LiF"), crystal("LiF")[[1, 3, 5, 7]]
    with pytest.raises(AtomsError, match="cannot be told apart"):
        counted(with_, [bulk(with_, 0.0), bulk(without, 0.0)], ("Li",))


@pytest.mark.mlip
def test_lithium_fluoride_holds_to_magnesia_and_best_with_anions_over_cations():
    pytest.importorskip("chgnet")
    from ionics.interfaces.calculators import calculator

    chgnet = calculator("chgnet")
    over_anion, over_cation = (
        adhesion(stacked(rock_salt("LiF", 3), rock_salt("MgO", 3), gap=2.2, shift=shift), chgnet).work("rigid")
        for shift in (A / 2, 0.0)
    )
    assert over_anion > 0
    assert over_anion > over_cation
