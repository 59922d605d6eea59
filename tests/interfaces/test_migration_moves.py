"""Hops found by symmetry alone: their number, lengths and copies are the crystal's; every known path is there."""

import csv
import re
from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ionics.interfaces import phases
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration import moves, paths, percolation, sites
from ionics.interfaces.migration.ends import symmetric

CUBE = 4.0  # angstrom


@pytest.fixture(scope="module")
def layered():
    """LiCoO2: layers of lithium between layers of CoO2."""
    lattice = Lattice.hexagonal(2.816, 14.054)
    return Structure.from_spacegroup("R-3m", lattice, ["Li+", "Co3+", "O2-"], [[0, 0, 0], [0, 0, 0.5], [0, 0, 0.2396]])


@pytest.fixture(scope="module")
def phosphate():
    """gamma-Li3PO4: eight lithium on 8d, four on 4c."""
    where = [
        [0.1639, 0.5013, 0.3013], [0.4237, 0.75, 0.2057], [0.4115, 0.25, 0.3082],
        [0.3417, 0.0434, 0.2058], [0.0501, 0.25, 0.2937], [0.0892, 0.75, 0.1223],
    ]  # fmt: skip
    lattice = Lattice.orthorhombic(10.490, 6.120, 4.9266)
    return Structure.from_spacegroup("Pnma", lattice, ["Li+", "Li+", "P5+", "O2-", "O2-", "O2-"], where)


@pytest.fixture(scope="module")
def cubic():
    """Simple cubic lithium: six neighbours, all equal."""
    return Structure(Lattice.cubic(CUBE), ["Li"], [[0, 0, 0]])


def test_a_simple_cube_has_one_hop_with_three_copies_and_it_percolates_everywhere(cubic):
    (hop,) = moves.vacancy(sites.sites(cubic), limit=CUBE + 0.1)
    assert hop.distance == pytest.approx(CUBE)
    assert len(hop.copies) == 3  # six neighbours, every hop shared by two atoms
    easiest = percolation.percolation([hop], [0.3])
    assert easiest.barrier == (0.3, 0.3, 0.3)
    assert easiest.dimension == 3


def test_copies_go_with_the_size_of_the_cell_in_which_a_crystal_is_written():
    centred = Structure.from_spacegroup("Fm-3m", Lattice.cubic(CUBE), ["Li"], [[0, 0, 0]])
    (small,), (large,) = (
        moves.vacancy(sites.sites(cell), limit=0.75 * CUBE) for cell in (centred.get_primitive_structure(), centred)
    )
    assert (len(small.copies), len(large.copies)) == (6, 24)  # twelve neighbours; one and four atoms


def test_lithium_moves_in_layers_only_in_a_layered_oxide(layered):
    (hop,) = moves.vacancy(sites.sites(layered))
    assert hop.distance == pytest.approx(2.816)
    easiest = percolation.percolation([hop], [0.5])
    assert easiest.barrier == (0.5, 0.5, np.inf)
    assert easiest.dimension == 2


def test_the_divacancy_next_to_both_ends_comes_first_and_bends_towards_the_tetrahedron(layered):
    found = sites.sites(layered)
    first = moves.divacancy(found)[0]
    start, end, beside = (found.position(place) for place in first.places)
    sides = [np.linalg.norm(a - b) for a, b in ((start, end), (end, beside), (beside, start))]
    assert sides == pytest.approx([2.816] * 3)  # a triangle of neighbours
    way = paths.path(first, found)
    assert len(way.initial) == 3 * 3 * 12 - 2
    straight = (way.initial.positions + way.final.positions) / 2
    assert np.linalg.norm(way.middle - straight) == pytest.approx(2.816 / 12**0.5)  # to the middle of the triangle


def test_the_highest_barrier_on_the_easiest_path_is_not_that_of_an_unused_hop(phosphate):
    kinds = moves.vacancy(sites.sites(phosphate), limit=3.5)
    lengths = np.array([kind.distance for kind in kinds])
    easiest = percolation.percolation(kinds, lengths)
    for axis in range(3):
        only = [kind for kind in kinds if kind.distance <= easiest.barrier[axis] + 1e-9]
        fewer = [kind for kind in kinds if kind.distance < easiest.barrier[axis] - 1e-9]
        assert np.isfinite(percolation.percolation(only, np.zeros(len(only))).barrier[axis])
        assert np.isinf(percolation.percolation(fewer, np.zeros(len(fewer))).barrier[axis])


def test_a_percolating_barrier_never_lies_below_a_lower_set_of_barriers(phosphate):
    kinds = moves.vacancy(sites.sites(phosphate), limit=3.5)
    random = np.random.default_rng(0)
    for _ in range(20):
        low = random.uniform(0.1, 1.0, len(kinds))
        high = low + random.uniform(0.0, 0.5, len(kinds))
        assert np.all(
            np.array(percolation.percolation(kinds, high).barrier) >= percolation.percolation(kinds, low).barrier
        )


def test_the_eight_vacancy_paths_of_du_and_holzwarth_are_found(phosphate):
    # Four kinds of 8d-4c and three of 8d-8d; 4d-8d and 8d-7d of the paper are one by symmetry. Lengths: measured cell.
    kinds = moves.vacancy(sites.sites(phosphate), limit=3.5)
    found = sorted((kind.label[:5], round(kind.distance, 2)) for kind in kinds)
    assert found == [
        ("8d-4c", 2.68), ("8d-4c", 2.94), ("8d-4c", 3.16), ("8d-4c", 3.44),
        ("8d-8d", 3.04), ("8d-8d", 3.05), ("8d-8d", 3.08),
    ]  # fmt: skip


def test_every_distinct_hop_stands_for_all_pairs_within_the_limit(phosphate):
    limit = 3.5
    kinds = moves.vacancy(sites.sites(phosphate), limit, clear=0.0)
    ions = [site for site in phosphate if site.specie.symbol == "Li"]
    pairs = sum(sum(n.specie.symbol == "Li" for n in phosphate.get_neighbors(ion, limit)) for ion in ions)
    assert sum(len(kind.copies) for kind in kinds) == pairs / 2


def test_a_limit_too_short_for_any_path_grows_to_the_first_that_percolates():
    far = Structure(Lattice.cubic(6.0), ["Li", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (hop,) = moves.vacancy(sites.sites(far), limit=4.0)
    assert hop.distance == pytest.approx(6.0)


def test_a_hop_over_another_ion_is_left_out(cubic):
    kinds = moves.vacancy(sites.sites(cubic), limit=2 * CUBE + 0.1)
    assert 2 * CUBE not in [round(kind.distance, 6) for kind in kinds]


def test_voids_of_a_face_centred_oxide_are_led_by_its_octahedra():
    # Li2O: anions face-centred, lithium in all tetrahedra, so the roomiest void is the octahedron at 1/2 1/2 1/2
    oxide = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.619), ["Li", "O"], [[0.25, 0.25, 0.25], [0, 0, 0]])
    found = sites.sites(oxide, interstitials=True)
    empty = found.points[~found.full]
    away = oxide.lattice.get_all_distances(empty, [[0.5, 0.5, 0.5]])
    assert away.min() < 1e-3
    assert found.names.count("i1") == 4


def test_a_kick_out_moves_two_ions_and_keeps_the_host(phosphate):
    found = sites.sites(phosphate, interstitials=True)
    kick = moves.interstitialcy(found, limit=3.0)[0]
    way = paths.path(kick, found)
    moved = np.linalg.norm(way.final.positions - way.initial.positions, axis=1)
    assert np.count_nonzero(moved > 1e-6) == 2
    assert set(np.flatnonzero(moved > 1e-6)) == set(way.moving)
    pushed = way.moving[1]
    came = way.final.positions[way.moving[0]]
    assert came == pytest.approx(way.initial.positions[pushed])  # one comes to where the other was
    assert way.initial.get_initial_charges().sum() == pytest.approx(1.0)  # one Li+ too many


def test_ends_equal_by_symmetry_are_relaxed_once(phosphate):
    found = sites.sites(phosphate)
    known = symmetric(found, paths.supercell(phosphate.lattice.matrix))
    relaxed = 0
    for kind in moves.vacancy(found, limit=3.1):
        way = paths.path(kind, found)
        for end in (way.initial, way.final):
            if known.find(end) is None:
                relaxed += 1
                moved = end.copy()
                moved.rattle(0.02, seed=1)
                known.add(end, moved, 1.0)
                positions, _ = known.find(end)
                assert positions == pytest.approx(moved.positions)
    assert relaxed == 2  # a vacancy on 8d and one on 4c, wherever they stand


def test_a_supercell_keeps_its_images_apart():
    cell = np.array([[2.816, 0, 0], [-1.408, 2.4387, 0], [0, 0, 14.054]])
    assert paths.supercell(cell, 8.0) == (3, 3, 1)


def test_disorder_an_unknown_ion_and_unknown_mechanisms_are_told_in_words(layered):
    with pytest.raises(AtomsError, match=r"partly filled.*order it first"):
        sites.sites(Structure(Lattice.cubic(4), [{"Li": 0.5}], [[0, 0, 0]]))
    with pytest.raises(AtomsError, match="no Na in LiCoO2"):
        sites.sites(layered, "Na")
    with pytest.raises(AtomsError, match=r"no migration mechanism is called 'vacancies'.*one of vacancy"):
        moves.all_moves(sites.sites(layered), ("vacancies",))
    with pytest.raises(AtomsError, match="no voids"):
        moves.interstitial(sites.sites(layered))
    found = sites.sites(layered)
    (hop,) = moves.vacancy(found)
    with pytest.raises(AtomsError, match="too small for"):
        paths.path(hop, found, repeats=(1, 1, 1))


def test_the_paths_of_the_published_table_are_all_among_the_hops(shared):
    """Every name of the table that belongs to a curated structure has its hop; see benchmarks/migration_barriers.py."""
    cases = {
        "LiCoO2": ({"3a-3a": 1, "3a-3a+3a": 1}, ("LiCoO2(MV)", "LiCoO2(DV)")),
        "gamma-Li3PO4": ({"8d-4c": 4, "8d-8d": 3, "4c-8d+8d": 1}, ("g-Li3PO4",)),
        "LiTi2(PO4)3": ({"6b-6b": 1}, ("LiTi2(PO4)3",)),
        "tetragonal-LLZO": ({"32g-32g": 1, "32g-16f": 2}, ("Li7La3Zr2O12", "Li7La3Zr2O13", "Li7La3Zr2O14")),
        "beta-Li3PO4": ({"4b-2a": 4, "4b-4b": 3}, ("b-Li3PO4",)),
        "beta-Li3PS4": ({"8d-4b": 1, "8d-8d": 2}, ("b-Li3PS4",)),
        "gamma-Li3PS4": ({"4b-2a": 3}, ("g-Li3PS4",)),
    }
    with (shared / "validation" / "migration_barriers.csv").open(encoding="utf-8-sig") as file:
        rows = [row["COMPOSITION"] for row in csv.DictReader(file)]
    for phase, (wanted, names) in cases.items():
        structure = phases.curated(phase).structure
        found = sites.sites(structure.get_primitive_structure() if "LLZO" in phase else structure)
        kinds = moves.all_moves(found, (moves.VACANCY, moves.DIVACANCY))
        plain = Counter(re.sub(r"'+$|\(\d+\)$", "", kind.label) for kind in kinds)  # without primes and numbers
        assert all(plain[label] >= least for label, least in wanted.items()), (phase, plain)
        assert all(name in rows for name in names)
