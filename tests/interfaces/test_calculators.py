"""Calculators by name: what is found, what is refused with words, and what an ensemble says."""

import pickle
import sys
import types

import crystals_by_hand as crystals
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from ionics.interfaces import calculators
from ionics.interfaces.calculators import Ensemble, Recipe, calculator, describe
from ionics.interfaces.errors import AtomsError, MissingExtra
from ionics.interfaces.field import BondValenceField


def test_the_field_goes_by_its_name_and_says_its_version():
    assert isinstance(calculator("bond-valence"), BondValenceField)
    assert "bond-valence" in describe(calculator("bond-valence"))


def test_a_dotted_path_or_an_object_is_a_calculator_too():
    made = calculator("ase.calculators.emt:EMT")
    assert isinstance(made, EMT)
    assert calculator(made) is made
    assert describe(made).startswith("EMT (ase 3.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chgnet-9", "no calculator 'chgnet-9'; one of bond-valence"),
        ("emt", "no calculator 'emt'"),
        ("ase.calculators.nowhere:X", "cannot be imported"),
        ("ase.calculators.emt:Nothing", "has no Nothing"),
        ("ase.atoms:Atoms", "is not an ASE calculator"),
        ("ase.calculators.singlepoint:SinglePointCalculator", "without arguments"),
        (3.0, "a float is not an ASE calculator"),
    ],
)
def test_what_is_no_calculator_is_refused_with_words(name, words):
    with pytest.raises(AtomsError, match=words):
        calculator(name)


@pytest.mark.parametrize("name", ["chgnet", "sevenn"])
def test_a_missing_extra_names_the_line_to_install_it(name, monkeypatch):
    monkeypatch.setattr(calculators.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(MissingExtra, match="pip install"):
        calculator(name)


def test_a_recipe_travels_to_a_worker_and_cooks_there():
    recipe = pickle.loads(pickle.dumps(Recipe("bond-valence")))
    atoms = crystals.lithium_oxide()
    atoms.calc = recipe()
    assert np.isfinite(atoms.get_potential_energy())


def test_an_ensemble_is_the_mean_and_its_spread_the_disagreement():
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    atoms.rattle(0.1, seed=1)
    weak, strong = (LennardJones(sigma=2.3, epsilon=e, rc=5.0) for e in (0.1, 0.2))
    energies = [weak.get_potential_energy(atoms), strong.get_potential_energy(atoms)]
    both = Ensemble([weak, strong])
    atoms.calc = both
    assert atoms.get_potential_energy() == pytest.approx(np.mean(energies))
    assert both.results["energy_spread"] == pytest.approx(abs(energies[0] - energies[1]) / np.sqrt(2))
    assert atoms.get_forces() == pytest.approx(1.5 * weak.get_forces(atoms))
    assert both.energies(atoms) == pytest.approx(energies)
    assert atoms.get_stress() == pytest.approx(1.5 * weak.get_stress(atoms))
    assert describe(both).startswith("mean of LennardJones")


def test_an_ensemble_of_one_is_refused():
    with pytest.raises(AtomsError, match="no spread"):
        Ensemble([EMT()])


def test_a_library_may_not_chatter(capsys, monkeypatch):
    noisy = types.ModuleType("noisy_potential")

    class Noisy(EMT):
        def __init__(self):
            super().__init__()
            print("I run on a toaster")

    noisy.Noisy = Noisy
    monkeypatch.setitem(sys.modules, "noisy_potential", noisy)
    calculator("noisy_potential:Noisy")
    assert capsys.readouterr().out == ""


@pytest.mark.mlip
def test_chgnet_is_quiet_and_gives_what_its_library_gives(capsys):
    pytest.importorskip("chgnet")
    atoms = crystals.lithium_cobalt_oxide()
    atoms.rattle(0.05, seed=2)
    made = calculator("chgnet", threads=1)
    atoms.calc = made
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    assert capsys.readouterr().out == ""
    assert describe(made).startswith("CHGNet 0.3.0 (chgnet 0.")
    with calculators.quiet():
        made.inner.calculate(atoms, ["energy", "forces", "stress"], ["positions"])
    # the same network in single precision, with and without the gradient to the cell
    assert energy == pytest.approx(float(made.inner.results["energy"]), abs=1e-4)
    assert forces == pytest.approx(made.inner.results["forces"], abs=1e-4)
    assert stress == pytest.approx(made.inner.results["stress"].flat[[0, 4, 8, 5, 2, 1]], abs=1e-4)
    assert atoms.get_magnetic_moments().shape == (4,)
