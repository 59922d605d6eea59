"""Defects of bulk and interface: by symmetry, by a potential whose answers are known, and when things go wrong."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.interfaces.continuum import COULOMB
from ionics.interfaces.defect_lists import frenkel_pairs, holes, interstitials, transfers, vacancies
from ionics.interfaces.defects import Defect, Settings, compute
from ionics.interfaces.depth import binned, combined, energy_profile, formation, segregation, transfer_energies
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.field import BondValenceField
from ionics.interfaces.interface import LEFT, RIGHT, Interface

A = 4.03  # angstrom, LiF
KT = BOLTZMANN * 300 / ELEMENTARY_CHARGE


def rock_salt(*repeats):
    atoms = bulk("LiF", "rocksalt", a=A, cubic=True).repeat(repeats)
    atoms.set_initial_charges([1 if s == "Li" else -1 for s in atoms.get_chemical_symbols()])
    atoms.set_tags(LEFT)
    return atoms


def no_interface(layers=10, side=2):
    """LiF(001), cut in thought only: what is called the right slab goes on where the left one ends."""
    atoms = rock_salt(side, side, (layers + 1) // 2)
    atoms = atoms[atoms.positions[:, 2] < (layers - 0.5) * A / 2]
    atoms.set_cell([side * A, side * A, (layers - 1) * A / 2 + 12.0])
    plane = (layers - 1) * A / 4
    atoms.set_tags(np.where(atoms.positions[:, 2] < plane, LEFT, RIGHT))
    return Interface(atoms, "LiF", "LiF again", plane)


class Tethered(Calculator):
    """Every atom on a spring at its lattice site; lithium costs `height(z)` [eV] where it stands."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012
    description = "springs 1.0"

    def __init__(self, sites, height, fixed_charges=True, fails_without=None):
        super().__init__()
        self.sites, self.height, self.fixed_charges, self.fails_without = sites, height, fixed_charges, fails_without
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        away = self.atoms.positions[:, None] - self.sites[None]
        near = away[np.arange(len(self.atoms)), (away**2).sum(axis=2).argmin(axis=1)]
        if self.fails_without is not None:
            gaps = ((self.atoms.positions - self.fails_without) ** 2).sum(axis=1)
            if gaps.min() > 1.0:
                raise RuntimeError("out of memory")
        lithium = self.atoms.numbers == 3
        at = np.round((self.atoms.positions - near)[:, 2], 6)  # the height of the site
        self.results = {"energy": float((near**2).sum() + self.height(at[lithium]).sum()), "forces": -2 * near}


def well(plane):
    return lambda z: 0.3 * np.exp(-np.abs(z - plane) / 2) * np.sign(z - plane)


def test_defects_that_symmetry_calls_equal_cost_the_same_and_a_pair_is_bound_by_its_charges():
    atoms = rock_salt(2, 2, 2)
    found = holes(atoms)
    assert len(found) == 64  # one in the middle of every small cube
    alone = [*vacancies(atoms)[:2], *interstitials(found[:2])]
    near = frenkel_pairs(atoms, found, separation=(3.0, 4.0))[0]
    far = frenkel_pairs(atoms, found, separation=(5.0, 8.0))[0]
    got = compute(atoms, [*alone, near, far], BondValenceField())
    assert got.good.all()
    assert got.fixed_charges
    # forces stop at 0.05 eV/A: energies then agree to some meV
    assert got.energy[0] == pytest.approx(got.energy[1], abs=0.01)
    assert got.energy[2] == pytest.approx(got.energy[3], abs=0.01)
    both = got.energy[0] + got.energy[2]
    for energy, apart in zip(got.energy[4:], (3.34, 5.24), strict=True):  # angstrom, quarters of the cell
        attraction = 0.6**2 * COULOMB / apart  # of the field's charges, before anything relaxes around them
        assert 0 < both - energy < attraction
    np.testing.assert_allclose(got.empty[0], atoms.positions[0], atol=0.1)


def test_an_interface_that_is_none_segregates_nothing():
    interface = no_interface(layers=14)
    fixed = interface.outer(1.0)
    got = compute(interface.atoms, two_a_layer(interface, fixed), BondValenceField(), fixed)
    depth = segregation(interface, LEFT, got, 0.0)
    assert np.unique(np.round(depth.distance)).tolist()[:4] == [1, 3, 5, 7]  # layers of 2.015 angstrom
    # a vacancy relaxes less two layers from a fixed one
    assert np.abs(depth.energy).max() < 0.05


def two_a_layer(interface, fixed):
    """Vacancies: two lithium of every layer of the left slab that is not fixed."""
    layers: dict[float, list[Defect]] = {}
    for defect in vacancies(interface.atoms, fixed):
        height = interface.distance[defect.removed]
        if height < 0:
            layers.setdefault(round(height, 3), []).append(defect)
    return [defect for own in layers.values() for defect in own[:2]]


def test_energies_against_distance_are_those_of_the_potential():
    interface = no_interface(side=1)
    calculator = Tethered(interface.atoms.positions.copy(), well(interface.plane))
    got = compute(interface.atoms, vacancies(interface.atoms), calculator)
    for tag in (LEFT, RIGHT):
        depth = segregation(interface, tag, got, 0.1)
        sign = 1 if tag == LEFT else -1  # a vacancy saves what the lithium cost there
        exact = sign * 0.3 * np.exp(-depth.distance / 2)
        np.testing.assert_allclose(depth.energy + depth.reference, exact, atol=1e-9)
        assert np.all(depth.error >= 0.1)
        assert depth.reference == pytest.approx(exact[depth.distance >= depth.reach].mean(), abs=1e-9)


def test_lithium_that_changes_its_slab_costs_what_the_two_sites_differ_by():
    interface = no_interface(side=1)
    atoms, plane = interface.atoms, interface.plane
    points = holes(atoms)
    calculator = Tethered(np.concatenate([atoms.positions, points]), well(plane))
    alone = [compute(atoms, list_, calculator) for list_ in (vacancies(atoms), interstitials(points))]
    together = compute(atoms, transfers(interface, points), calculator)
    moved = transfer_energies(interface, together, 0.1)
    assert len(moved.energy) > 4
    assert set(np.sign(moved.left_from)) == {-1, 1}
    height = well(0.0)
    np.testing.assert_allclose(moved.energy, height(moved.now_at) - height(moved.left_from), atol=1e-6)
    summed = combined(interface, *alone, 0.1)
    np.testing.assert_allclose(summed.energy, height(summed.now_at) - height(summed.left_from), atol=1e-6)


def test_a_slice_is_the_free_energy_of_its_sites():
    interface = no_interface(side=1)
    got = compute(interface.atoms, vacancies(interface.atoms), Tethered(interface.atoms.positions.copy(), well(0.0)))
    depth = segregation(interface, LEFT, got, 0.05)
    whole = binned(depth, 100.0, 300)
    assert whole.energy == pytest.approx([-KT * np.log(np.exp(-depth.energy / KT).mean())])
    fine = binned(depth, 0.5, 300)
    np.testing.assert_allclose(fine.distance, np.unique(np.round(depth.distance, 9)), atol=1e-6)


def test_a_profile_is_zero_in_the_bulk_and_mirrored_on_the_left():
    interface = no_interface(side=1)
    depths = []
    for tag in (LEFT, RIGHT):
        got = compute(
            interface.atoms, vacancies(interface.atoms), Tethered(interface.atoms.positions.copy(), well(9.0))
        )
        depths.append(binned(segregation(interface, tag, got, 0.05), 0.5, 300))
    left, right = (energy_profile(one, tag, 5.0) for one, tag in zip(depths, (LEFT, RIGHT), strict=True))
    assert left["energy"][0] == "0 eV"
    assert right["energy"][-1] == "0 eV"
    x = [float(text.removesuffix(" nm")) for text in left["position"]]
    assert x == sorted(x)
    assert x[-1] == pytest.approx(5.0 - depths[0].distance[0] / 10, abs=1e-6)
    assert isinstance(left["energy"][-1], Estimate)
    assert left["energy"][-1].value == pytest.approx(depths[0].energy[0])
    with pytest.raises(AtomsError, match="thinner than what the interface changes"):
        energy_profile(depths[0], LEFT, 0.1)


def test_a_pair_that_falls_together_is_told_and_has_no_energy():
    atoms = rock_salt(2, 2, 2)
    near = tuple(atoms.positions[0] + np.array([0.9, 0.9, 0.9]))
    got = compute(atoms, [Defect(0, near)], BondValenceField())
    assert np.isnan(got.energy[0])
    assert "fell back" in got.messages[0]


def test_a_calculator_that_fails_leaves_the_rest_and_what_is_done_is_not_done_again(tmp_path):
    interface = no_interface(side=1)
    sites = interface.atoms.positions.copy()
    lithium = vacancies(interface.atoms)[:4]
    calculator = Tethered(sites, well(9.0), fails_without=sites[lithium[1].removed])
    told = []
    got = compute(interface.atoms, lithium, calculator, keep=tmp_path, tell=told.append)
    assert got.good.tolist() == [True, False, True, True]
    assert "out of memory" in got.messages[1]
    assert any("out of memory" in line for line in told)
    before = calculator.calls
    again = compute(interface.atoms, lithium, calculator, keep=tmp_path)
    assert calculator.calls == before
    np.testing.assert_array_equal(again.energy, got.energy)
    (tmp_path / f"{lithium[2].name}.json").unlink()
    (tmp_path / f"{lithium[2].name}.extxyz").unlink()
    third = compute(interface.atoms, lithium, calculator, keep=tmp_path)
    assert calculator.calls > before
    np.testing.assert_allclose(third.energy, got.energy)
    assert json.loads((tmp_path / "question.json").read_text())["digest"]
    with pytest.raises(AtomsError, match="another structure, potential or setting"):
        compute(interface.atoms, lithium, calculator, settings=Settings(fmax=0.01), keep=tmp_path)


def test_lone_defects_of_a_potential_for_neutral_atoms_are_refused_where_electrons_cannot_follow():
    interface = no_interface(side=1)
    sites = interface.atoms.positions.copy()
    points = holes(interface.atoms)
    neutral = Tethered(np.concatenate([sites, points]), well(9.0), fixed_charges=False)
    out = compute(interface.atoms, vacancies(interface.atoms), neutral)
    with pytest.raises(AtomsError, match="another defect"):
        segregation(interface, LEFT, out, 0.1)
    assert len(segregation(interface, LEFT, out, 0.1, follows=True).energy)
    put = compute(interface.atoms, interstitials(points[:3]), neutral)
    with pytest.raises(AtomsError, match="do not add up"):
        combined(interface, out, put, 0.1)
    pairs = compute(interface.atoms, frenkel_pairs(interface.atoms, points), neutral)
    assert len(segregation(interface, LEFT, pairs, 0.1).energy)


def test_the_middle_of_a_slab_is_compared_with_the_bulk():
    interface = no_interface(layers=8, side=1)
    atoms = rock_salt(1, 1, 1)
    bottom = Tethered(interface.atoms.positions.copy(), lambda z: np.full(len(z), -0.7))
    own = compute(interface.atoms, vacancies(interface.atoms), bottom)
    depth = segregation(interface, LEFT, own, 0.0)
    same = compute(atoms, vacancies(atoms), Tethered(atoms.positions.copy(), lambda z: np.full(len(z), -0.4)))
    assert formation(depth, same)[0] == pytest.approx(0.3)
    with pytest.raises(AtomsError, match="no defect of the bulk"):
        formation(
            depth,
            compute(atoms, [Defect(0)], Tethered(atoms.positions.copy(), well(0.0), fails_without=atoms.positions[0])),
        )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Defect(), "without an atom"),
        (lambda: Defect(1).made(rock_salt(1, 1, 1)), "is no Li"),
        (lambda: Defect(added=(0.0, 0.0, 0.2)).made(rock_salt(1, 1, 1)), "0.2 angstrom from another"),
        (lambda: vacancies(Atoms("F", cell=[5, 5, 5], pbc=True)), "no Li that may leave"),
        (lambda: frenkel_pairs(rock_salt(1, 1, 1), np.zeros((0, 3))), "no holes"),
        (
            lambda: frenkel_pairs(rock_salt(2, 2, 2), holes(rock_salt(2, 2, 2)), separation=(0.1, 0.2)),
            "no hole between",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, words):
    with pytest.raises(AtomsError, match=words):
        make()


def test_a_slab_without_a_middle_is_refused():
    interface = no_interface(layers=4, side=1)
    got = compute(interface.atoms, vacancies(interface.atoms), Tethered(interface.atoms.positions.copy(), well(3.0)))
    with pytest.raises(AtomsError, match="nothing stands for its bulk"):
        segregation(interface, LEFT, got, 0.1)
