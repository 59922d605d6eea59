"""Relaxation: it arrives, resumes, and says what went wrong."""

import crystals_by_hand as crystals
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.io import read

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.field import BondValenceField
from ionics.interfaces.relax import METHODS, relax


class Failing(EMT):
    """Fails at one call, by an exception or by a number that is none."""

    def __init__(self, at: int, how: str = "raise"):
        super().__init__()
        self.at, self.how, self.calls = at, how, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        self.calls += 1
        if self.calls == self.at:
            if self.how == "raise":
                raise RuntimeError("self-consistency was not reached")
            self.results["forces"] = self.results["forces"] * np.nan


class Pushing(Calculator):
    """Drives every atom but the first away, for ever."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        forces = np.zeros((len(self.atoms), 3))
        forces[-1, 2] = 2.0
        self.results = {"energy": -2.0 * self.atoms.positions[-1, 2], "forces": forces}


def shaken():
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 1, 1)
    atoms.rattle(0.15, seed=4)
    return atoms


@pytest.mark.parametrize("method", METHODS)
def test_a_shaken_crystal_comes_to_rest(method):
    done = relax(shaken(), EMT(), fmax=0.02, steps=200, method=method)
    perfect = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 1, 1)
    perfect.calc = EMT()
    assert done.converged
    assert done.message == "relaxed"
    assert done.forces_max <= 0.02
    assert done.energy == pytest.approx(perfect.get_potential_energy(), abs=1e-3)  # fmax^2 over stiffness, 8 atoms
    assert done.atoms.get_potential_energy() == done.energy  # attached


def test_the_atoms_given_are_left_alone_and_the_fixed_ones_stay():
    atoms = shaken()
    before = atoms.positions.copy()
    fixed = np.arange(8) < 3
    done = relax(atoms, EMT(), fmax=0.02, fixed=fixed)
    assert atoms.positions == pytest.approx(before, abs=0)
    assert done.atoms.positions[fixed] == pytest.approx(before[fixed], abs=0)
    assert not np.allclose(done.atoms.positions[~fixed], before[~fixed])
    assert done.converged


def test_a_cell_relaxes_to_no_stress():
    atoms = crystals.lithium_fluoride()
    atoms.set_cell(1.03 * atoms.cell.array, scale_atoms=True)
    done = relax(atoms, BondValenceField(), fmax=0.005, cell=True)
    done.atoms.calc = BondValenceField()
    # the filter counts stress times volume as a force: 0.005 eV over 16 angstrom^3
    assert done.converged
    assert done.atoms.get_stress() == pytest.approx(np.zeros(6), abs=1e-3)


def test_an_interrupted_relaxation_goes_on_where_it_was(tmp_path):
    keep = tmp_path / "relax.extxyz"
    first = relax(shaken(), EMT(), fmax=0.01, steps=6, keep=keep)
    assert not first.converged
    assert "not at rest after 6 steps" in first.message
    second = relax(shaken(), EMT(), fmax=0.01, steps=100, keep=keep)
    whole = relax(shaken(), EMT(), fmax=0.01, steps=100)
    assert second.converged
    assert second.energy == pytest.approx(whole.energy, abs=1e-3)
    third = relax(shaken(), EMT(), fmax=0.01, keep=keep)
    assert third.steps == 0  # nothing left to do
    assert third.energy == pytest.approx(second.energy, abs=1e-9)
    assert list(tmp_path.iterdir()) == [keep]  # no half-written file remains


@pytest.mark.parametrize(
    ("how", "words"), [("raise", "the calculator failed: RuntimeError: self-consistency"), ("nan", "not a number")]
)
def test_a_calculator_that_fails_midway_leaves_words_and_resumable_work(tmp_path, how, words):
    keep = tmp_path / "relax.extxyz"
    failed = relax(shaken(), Failing(5, how), fmax=0.01, keep=keep)
    assert not failed.converged
    assert words in failed.message
    start = shaken()
    start.calc = EMT()
    assert failed.energy < start.get_potential_energy()  # some of the way is done
    assert read(keep).get_potential_energy() == pytest.approx(failed.energy)
    assert relax(shaken(), EMT(), fmax=0.01, keep=keep).converged


def test_a_calculator_that_fails_at_once_gives_back_the_atoms():
    failed = relax(shaken(), Failing(1), fmax=0.01)
    assert not failed.converged
    assert np.isnan(failed.energy)
    assert failed.atoms.positions == pytest.approx(shaken().positions)


def test_atoms_that_fly_apart_are_noticed():
    pair = Atoms("Cu2", [(0, 0, 0), (0, 0, 2.5)], cell=[9, 9, 40], pbc=True)
    fled = relax(pair, Pushing(), fmax=0.01, steps=500, method="FIRE")  # a constant force has no curvature
    assert not fled.converged
    assert "falls apart" in fled.message
    assert fled.atoms.positions[1, 2] < 2.5 + 6.5  # what is given back is the last sound structure


def test_a_file_of_other_atoms_is_refused(tmp_path):
    keep = tmp_path / "relax.extxyz"
    relax(shaken(), EMT(), steps=2, keep=keep)
    with pytest.raises(AtomsError, match="other atoms"):
        relax(bulk("Ag", "fcc", a=4.1), EMT(), keep=keep)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(AtomsError, match="one of FIRE, BFGS"):
        relax(shaken(), EMT(), method="Newton")


def test_progress_is_told():
    told = []
    relax(shaken(), EMT(), fmax=0.02, tell=told.append)
    assert told[0].startswith("step 1: ")
    assert "eV/angstrom" in told[0]
