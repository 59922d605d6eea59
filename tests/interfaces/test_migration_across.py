"""Barriers against the distance from a plane: where two halves are one crystal, they are those of the crystal."""

import numpy as np
import pytest
from ase.build import fcc100
from ase.calculators.emt import EMT

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.migration import across, neb

SETTINGS = neb.Settings(images=1, fmax=0.05)


@pytest.fixture(scope="module")
def halves():
    """Ten layers of copper, called left below the middle and right above: an interface that is none."""
    atoms = fcc100("Cu", (2, 2, 10), a=3.594, vacuum=6.0, periodic=True)  # lattice of the effective-medium theory
    plane = float(atoms.positions[:, 2].mean())
    atoms.set_tags(np.where(atoms.positions[:, 2] < plane, LEFT, RIGHT))
    return Interface(atoms, "Cu", "Cu", plane)


def test_hops_are_one_per_bin_and_one_over_the_plane(halves):
    edges = np.array([-5.0, -1.0, 1.0, 5.0])
    found = across.hops(halves, edges, "Cu", limit=2.6)
    assert [hop.crosses for hop in found].count(True) == 1
    assert np.all(np.diff([hop.distance for hop in found]) >= 0)
    over = next(hop for hop in found if hop.crosses)
    assert over.distance == pytest.approx(0.0, abs=1e-6)
    assert all(hop.length == pytest.approx(3.594 / 2**0.5) for hop in found)
    held = halves.outer(4.0)
    assert not any(held[hop.start] or held[hop.end] for hop in found)


def test_a_hop_points_upwards_and_ends_where_the_other_ion_was(halves):
    over = next(hop for hop in across.hops(halves, [-3, 3], "Cu", limit=2.6) if hop.crosses)
    way = across.path(halves, over)
    assert len(way.initial) == len(halves.atoms) - 1
    where = halves.atoms.positions[over.end]
    gap = way.final.positions[way.moving[0]] - where
    gap -= np.rint(gap @ np.linalg.inv(halves.atoms.cell[:])) @ halves.atoms.cell[:]
    assert gap == pytest.approx(np.zeros(3), abs=1e-9)
    assert over.step[2] > 0


def test_where_both_sides_are_one_crystal_the_plane_is_no_barrier(halves, tmp_path):
    chosen = across.hops(halves, [-2.0, -1.6], "Cu", limit=2.6)
    found = across.across(halves, EMT(), chosen, SETTINGS, keep=tmp_path)
    assert found.crossing is not None
    assert len(found.barrier) == 2
    inside, over = found.barrier[~found.crosses][0], found.barrier[found.crosses][0]
    # Both are the same hop from layer to layer; one starts next to layers that are held: some 0.05 eV
    assert over == pytest.approx(inside, abs=0.05)
    assert np.isnan(found.error).all()  # nobody said how good the potential is
    assert len(list(tmp_path.glob("hop_*.xyz"))) == 2


def test_errors_of_the_model_and_of_an_ensemble_add_in_squares(halves):
    chosen = across.hops(halves, [9.0, 10.0], "Cu", limit=2.6)
    found = across.across(halves, EMT(), chosen, SETTINGS, model_error=0.12, others=[EMT()])
    assert found.error == pytest.approx([0.12])  # the same calculator twice: no spread


def test_a_calculator_that_fails_marks_its_hop_and_the_rest_goes_on(halves):
    class Moody(EMT):
        calls = 0

        def calculate(self, *args, **kwargs):
            Moody.calls += 1
            if Moody.calls == 2:
                raise RuntimeError("out of memory")
            super().calculate(*args, **kwargs)

    chosen = across.hops(halves, [-2.0, -1.6], "Cu", limit=2.6)
    found = across.across(halves, Moody(), chosen, SETTINGS)
    assert "out of memory" in found.message[0]
    assert np.isnan(found.barrier[0])
    assert np.isfinite(found.barrier[1])


def test_no_ion_deep_enough_is_told_in_words(halves):
    with pytest.raises(AtomsError, match="stand deeper than 40"):
        across.hops(halves, [-3, 3], "Cu", outer=40.0)
    with pytest.raises(AtomsError, match="0 Li stand deeper"):
        across.hops(halves, [-3, 3], "Li")
