"""Exchange of cations across the plane: who is exchanged, what the charges do, and what a failing calculator leaves."""

import numpy as np
import pytest

from ionics.interfaces.energetics.adhesion import Relaxing
from ionics.interfaces.energetics.exchanges import ROOM, TIGHT, swaps
from ionics.interfaces.energetics.mixing import mixing
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT
from tests.interfaces.pairs import A, Pairs, rock_salt, stacked

SOURCE = "pair potential"


def replaced(slab, old: str, new: str, charge: float):
    atoms = slab.copy()
    mask = atoms.symbols == old
    atoms.symbols[mask] = new
    charges = atoms.get_initial_charges()
    charges[mask] = charge
    atoms.set_initial_charges(charges)
    return atoms


@pytest.fixture
def junction():
    """LiF | MgO with every second lithium of LiF a sodium, so that both sides have a cation to give."""
    below = rock_salt("LiF", 3, across=2)
    lithium = np.flatnonzero(below.symbols == "Li")
    below.symbols[lithium[::2]] = "Na"
    return stacked(below, rock_salt("MgO", 3, across=2), gap=2.3)


@pytest.fixture
def even():
    """NaF | an oxide of a cation of the same charge as sodium."""
    return stacked(rock_salt("NaF", 2), replaced(rock_salt("MgO", 2), "Mg", "Co", 1.0), gap=2.3)


def energy(atoms) -> float:
    atoms = atoms.copy()
    atoms.calc = Pairs()
    return atoms.get_potential_energy()


class Refusing(Pairs):
    """Fails as soon as a magnesium stands in one place of the left slab."""

    place = -1

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if atoms.symbols[self.place] == "Mg":
            raise RuntimeError("self-consistency was not reached")
        super().calculate(atoms, properties, system_changes or ["positions"])


class Counting(Pairs):
    calls = 0

    def calculate(self, *args, **kwargs):
        type(self).calls += 1
        super().calculate(*args, **kwargs)


def test_pairs_nearest_to_the_plane_come_first(junction):
    found = swaps(junction, "Na", "Mg", depth=6.0, most=30)
    away = [abs(one.distances[0]) + abs(one.distances[1]) for one in found]
    assert away == sorted(away)
    assert all(one.distances[0] < 0 < one.distances[1] for one in found)
    assert len(swaps(junction, "Na", "Mg", depth=6.0, most=3)) == 3


def test_without_names_every_cation_but_lithium_is_exchanged(junction):
    assert {one.elements for one in swaps(junction, depth=6.0, most=200)} == {("Na", "Mg")}


def test_elements_that_are_not_there_are_named_beside_those_that_are(junction):
    with pytest.raises(AtomsError, match=r"no Co within 4 .* on the left.*there are: Li, Na"):
        swaps(junction, "Co", "Mg")
    with pytest.raises(AtomsError, match=r"no cation but lithium within 0\.5 .* on the left.*none"):
        swaps(junction, depth=0.5)


def test_an_exchange_keeps_atoms_and_total_charge_and_carries_charge_across(junction):
    one = swaps(junction, "Na", "Mg")[0]
    before, after = junction.atoms, one.done(junction.atoms)
    assert sorted(before.symbols) == sorted(after.symbols)
    assert after.get_initial_charges().sum() == pytest.approx(before.get_initial_charges().sum())
    left = before.get_tags() == LEFT
    gained = after.get_initial_charges()[left].sum() - before.get_initial_charges()[left].sum()
    assert gained == pytest.approx(one.charge) == pytest.approx(1.0)
    assert not one.compensated
    assert "not compensated: +1 e into the left" in one.words()


def test_exchanging_twice_is_doing_nothing(junction):
    one = swaps(junction, "Na", "Mg")[0]
    back = one.done(one.done(junction.atoms))
    assert back.get_chemical_symbols() == junction.atoms.get_chemical_symbols()
    assert energy(back) == pytest.approx(energy(junction.atoms), abs=1e-10)


def test_lithium_carries_the_charge_back(junction):
    roomy = junction.moved(junction.atoms[[i for i in range(len(junction.atoms)) if i != _oxide_pair(junction)]])
    one = swaps(roomy, "Na", "Mg", compensate=True)[0]
    after = one.done(roomy.atoms)
    assert one.compensated
    for tag in (LEFT, RIGHT):
        before = roomy.atoms.get_initial_charges()[roomy.side(tag)].sum()
        assert after.get_initial_charges()[after.get_tags() == tag].sum() == pytest.approx(before)
    (index, _), *_ = one.lithium
    assert after.symbols[index] == "Li"
    distances = after.get_distances(index, [i for i in range(len(after)) if i != index], mic=True)
    assert distances.min() >= TIGHT * ROOM["anion"] - 1e-9


def _oxide_pair(junction) -> int:
    """A magnesium ion near the plane, whose place is a void once it is gone."""
    found = np.flatnonzero(junction.atoms.symbols == "Mg")
    return int(found[np.argsort(np.abs(junction.distance[found]))[3]])


def test_without_room_for_lithium_the_exchange_says_that_it_is_not_compensated():
    full = stacked(rock_salt("NaF", 2), rock_salt("MgO", 2), gap=2.3)
    one = swaps(full, "Na", "Mg", compensate=True)[0]
    assert not one.compensated
    assert "0 Li" in one.note


def test_equal_charges_need_no_compensation(even):
    one = swaps(even, "Na", "Co", compensate=True)[0]
    assert (one.compensated, one.lithium, one.charge) == (True, (), 0.0)


def test_energies_are_differences_of_the_two_structures(junction):
    some = swaps(junction, "Na", "Mg", most=4)
    found = mixing(junction, some, Pairs, SOURCE)
    start = energy(junction.atoms)
    assert found.start == pytest.approx(start)
    for one in found.found:
        assert one.energy == pytest.approx(energy(one.swap.done(junction.atoms)) - start, abs=1e-9)
    energies = [one.energy for one in found.found]
    assert energies == sorted(energies)
    assert "favourable" in found.words()
    assert "rigid, pair potential" in found.words()


def test_equal_atoms_by_another_name_cost_nothing_to_exchange():
    """Two slabs of one crystal whose cations differ in name only: an ideal mixture."""
    both = stacked(rock_salt("NaF", 2), replaced(rock_salt("NaF", 2), "Na", "Co", 1.0), gap=A / 2)
    found = mixing(both, swaps(both, "Na", "Co", most=3), Twin, SOURCE)
    assert [one.energy for one in found.found] == pytest.approx([0.0] * 3, abs=1e-10)


class Twin(Pairs):
    """Cobalt behaves as sodium."""

    def value(self, one, other, r):
        return super().value(np.where(one == "Co", "Na", one), np.where(other == "Co", "Na", other), r)


def test_what_is_kept_is_not_computed_again(junction, tmp_path):
    some = swaps(junction, "Na", "Mg", most=3)
    first = mixing(junction, some[:2], Counting, SOURCE, folder=tmp_path)
    Counting.calls = 0
    second = mixing(junction, some, Counting, SOURCE, folder=tmp_path)
    assert Counting.calls == 1
    assert {one.energy for one in first.found} <= {one.energy for one in second.found}
    Counting.calls = 0
    mixing(junction, some, Counting, "another potential", folder=tmp_path)
    assert Counting.calls == 4
    assert not list(tmp_path.glob(".*"))


def test_a_torn_file_is_named(junction, tmp_path):
    some = swaps(junction, "Na", "Mg", most=1)
    mixing(junction, some, Pairs, SOURCE, folder=tmp_path)
    torn = next(tmp_path.glob("start-*.json"))
    torn.write_text("{")
    with pytest.raises(AtomsError, match=r"start-.*remove that file"):
        mixing(junction, some, Pairs, SOURCE, folder=tmp_path)


def test_a_calculator_that_fails_on_one_exchange_leaves_the_others(junction, tmp_path):
    some = swaps(junction, "Na", "Mg", depth=6.0, most=12)
    Refusing.place = some[0].left
    found = mixing(junction, some, Refusing, SOURCE, folder=tmp_path)
    failed = [one for one in found.found if one.failed]
    assert 0 < len(failed) < len(some)
    assert found.found[-len(failed) :] == tuple(failed)
    assert all("self-consistency" in one.message for one in failed)
    whole = mixing(junction, some, Pairs, SOURCE, folder=tmp_path)  # what failed is tried again
    assert not any(one.failed for one in whole.found)


def test_a_start_without_an_energy_is_an_error(junction):
    def broken():
        calculator = Pairs()
        calculator.calculate = lambda *args, **kwargs: (_ for _ in ()).throw(RuntimeError("no licence"))
        return calculator

    with pytest.raises(AtomsError, match="before any exchange has no energy: RuntimeError: no licence"):
        mixing(junction, swaps(junction, "Na", "Mg", most=1), broken, SOURCE)


def test_two_processes_find_what_one_does(junction, tmp_path):
    some = swaps(junction, "Na", "Mg", most=3)
    one = mixing(junction, some, Pairs, SOURCE)
    two = mixing(junction, some, Pairs, SOURCE, folder=tmp_path, workers=2)
    assert [each.energy for each in two.found] == pytest.approx([each.energy for each in one.found], abs=1e-12)


def test_relaxed_energies_are_against_the_relaxed_start():
    small = stacked(rock_salt("NaF", 2), rock_salt("MgO", 2), gap=2.3)
    found = mixing(small, swaps(small, "Na", "Mg", most=1), Pairs, SOURCE, Relaxing(fmax=0.1, steps=40, held=1.0))
    assert found.start < energy(small.atoms)
    assert np.isfinite(found.best.energy)
    assert "relaxed" in found.words()
