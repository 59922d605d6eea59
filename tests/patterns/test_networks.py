"""Persistent homology of lattices whose balls meet at radii known exactly, and of ions between slabs."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

pytest.importorskip("gudhi")

from ionics.interfaces.phases import curated
from ionics.patterns.networks import ion_network

EDGE = 4.0  # angstrom
# dimension: {(birth, death) in cubic edges: number per cubic cell, in the limit of many repeats}
KNOWN = {
    "sc": {  # square rings filled at half a face diagonal, cubes at half a body diagonal
        0: {(0, 1 / 2): 1},
        1: {(1 / 2, 2**0.5 / 2): 2},
        2: {(2**0.5 / 2, 3**0.5 / 2): 1},
    },
    "bcc": {  # triangles of two short edges (sqrt 3 / 2) and one long (1), tetrahedra of two such pairs
        0: {(0, 3**0.5 / 4): 2},
        1: {(3**0.5 / 4, 3 / (4 * 2**0.5)): 6, (1 / 2, 3 / (4 * 2**0.5)): 6},
        2: {(3 / (4 * 2**0.5), 5**0.5 / 4): 12},
    },
    "fcc": {  # equilateral triangles, 8 tetrahedra and 4 octahedra
        0: {(0, 2**0.5 / 4): 4},
        1: {(2**0.5 / 4, 6**0.5 / 6): 20},
        2: {(6**0.5 / 6, 3**0.5 / 4): 8, (6**0.5 / 6, 1 / 2): 4},
    },
}


def table(found) -> dict:
    """Numbers per cell of the features that die, by dimension and rounded (birth, death) in cubic edges."""
    rows = {0: {}, 1: {}, 2: {}}
    for k, birth, death, weight in zip(
        found.dimension.values, found.birth.values, found.death.values, found.weight.values, strict=True
    ):
        if np.isfinite(death):
            pair = (round(birth / EDGE, 3), round(death / EDGE, 3))
            rows[int(k)][pair] = rows[int(k)].get(pair, 0) + weight
    return rows


@pytest.mark.parametrize("lattice", KNOWN)
def test_cubic_lattices_have_the_radii_of_geometry(lattice):
    found = ion_network(bulk("Li", lattice, a=EDGE, cubic=True))
    rows = table(found)
    for dimension, wanted in KNOWN[lattice].items():
        assert set(rows[dimension]) == {(round(b, 3), round(d, 3)) for b, d in wanted}
        for pair, number in wanted.items():
            counted = rows[dimension][round(pair[0], 3), round(pair[1], 3)]
            assert counted == pytest.approx(number, abs=0.2)  # of each kind up to 4 of 27 cells' features never die
    never = found.isel(feature=np.isinf(found.death.values))
    assert [int((never.dimension == k).sum()) for k in (0, 1, 2)] == [1, 3, 3]  # the homology of a torus
    first = min(birth for birth, _ in KNOWN[lattice][1])
    assert found.percolation.values == pytest.approx(first * EDGE, abs=1e-3)


def test_betti_curves_begin_with_the_ions_and_end_with_one_piece():
    found = ion_network(bulk("Li", "bcc", a=EDGE, cubic=True), radii=np.array([0.0, 1.9, 2.05, 3.0]))
    pieces = found.betti.sel(order=0).values
    assert pieces == pytest.approx([2, 1 / 27, 1 / 27, 1 / 27])
    rings = found.betti.sel(order=1).values
    assert rings[1] == pytest.approx(8 - 2 + 1 / 27)  # edges - points + pieces: 8 short edges in a cell of 2
    assert rings[2] == pytest.approx(14 - 2 + 1 / 27)  # and 6 long edges, at radius 2
    assert found.radius.attrs["units"] == "angstrom"


def test_the_same_crystal_in_another_cell_is_the_same_network():
    small = ion_network(bulk("Li", "bcc", a=EDGE))
    large = ion_network(bulk("Li", "bcc", a=EDGE, cubic=True).repeat((3, 3, 3)))
    assert small.percolation.values == pytest.approx(large.percolation.values, abs=1e-3)
    assert set(table(small)[2]) == set(table(large)[2])
    assert large.attrs["repeats"] == [1, 1, 1]


def test_lithium_of_a_layered_oxide_percolates_in_the_layer_only():
    found = ion_network(curated("LiCoO2").structure)
    inside, across = found.percolation.values[:2], found.percolation.values[2]
    assert inside == pytest.approx(2.8156 / 2, abs=1e-3)  # half the hop in the layer
    layer = 14.0542 / 3
    assert across == pytest.approx(np.hypot(layer, 2.8156 / 3**0.5) / 2, abs=1e-3)  # half the way to the next layer


def test_a_slab_in_vacuum_percolates_along_two_directions_and_is_resolved_by_height():
    slab = bulk("Li", "sc", a=EDGE).repeat((4, 4, 3))
    slab.pbc = (True, True, False)
    found = ion_network(slab, plane=EDGE, distances=np.array([-6.0, 0.1, 6.0]))
    assert len(found.percolation) == 2
    assert found.percolation.values == pytest.approx(EDGE / 2, abs=1e-3)
    voids = found.betti_near.sel(order=2).max("radius").values
    assert voids.sum() > 0
    assert found.betti_near.sum("bin").values == pytest.approx(found.betti.values, abs=1e-9)  # nothing is lost
    assert float(found.distance.min()) >= -EDGE - 1e-3


def test_other_ions_are_left_out():
    salt = bulk("CsCl", "cesiumchloride", a=EDGE)
    alone = ion_network(bulk("Li", "sc", a=EDGE))
    assert ion_network(salt, ion="Cl").percolation.values == pytest.approx(alone.percolation.values, abs=1e-3)


def test_entropy_is_one_where_all_live_equally_long_and_falls_with_disorder():
    crystal = bulk("Li", "sc", a=EDGE).repeat((3, 3, 3))
    shaken = crystal.copy()
    shaken.rattle(0.3, seed=0)
    regular, irregular = ion_network(crystal), ion_network(shaken)
    assert regular.entropy.values == pytest.approx(1, abs=1e-4)
    assert (irregular.entropy.values < regular.entropy.values - 5e-4).all()  # merging of pieces scatters least


def test_what_has_no_network_is_refused():
    with pytest.raises(ValueError, match="there is no Na among F, Li"):
        ion_network(bulk("LiF", "rocksalt", a=EDGE), ion="Na")
    with pytest.raises(ValueError, match="has no positions"):
        ion_network("LiF")
    with pytest.raises(ValueError, match="at least 5 are needed"):
        ion_network(Atoms("Li2", [[0, 0, 0], [3, 0, 0]]))
    with pytest.raises(ValueError, match="need a plane"):
        ion_network(bulk("Li", "sc", a=EDGE), distances=np.array([0.0, 1.0]))
