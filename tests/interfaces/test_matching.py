"""Matching: counts as published, strain shared by stiffness, slabs that keep units whole, built interfaces."""

import numpy as np
import pytest
from ase.geometry import get_distances
from pymatgen.analysis.elasticity.strain import Deformation
from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
from pymatgen.analysis.interfaces.zsl import ZSLGenerator
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor
from scipy.optimize import minimize

from ionics.interfaces import contact, phases, strain
from ionics.interfaces.coincidence import pairs
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT
from ionics.interfaces.matching import Limits, build, candidates, matches, planes
from ionics.interfaces.slabs import facet, heights
from ionics.interfaces.supercells import Tolerance, coincident, supercells
from ionics.interfaces.terminations import termination, terminations
from tests.interfaces import published
from tests.interfaces.published import cobaltate, lithium, phosphate

ANY = {"strain": 9.0, "shear": 9.0, "atoms": 10**6}  # limits that refuse nothing
LOW = [(0, 0, 1), (0, 1, 2), (1, 0, 4), (1, 1, 0)]  # of LiCoO2


def count(left, right, mismatch):
    """Coincident cells of pymatgen's own slab cells, found by our search."""
    cells = [published.flat(published.vectors(*side)) for side in (left, right)]
    both = [supercells(c, 400.0) for c in cells]
    areas = abs(np.linalg.det(cells[0])), abs(np.linalg.det(cells[1]))
    return len(coincident(both[0], both[1], areas, Tolerance(mismatch)))


@pytest.mark.parametrize(("planes_", "area"), [(((0, 0, 1), (0, 1, 0)), 250), (((1, 0, 1), (1, 0, 0)), 400)])
def test_the_search_for_all_pairs_at_once_finds_what_pymatgen_finds_one_by_one(planes_, area):
    rows = published.vectors(cobaltate(), planes_[0]), published.vectors(phosphate(), planes_[1])
    theirs = list(ZSLGenerator(max_area=area, bidirectional=True)(rows[1], rows[0]))
    ours = pairs(
        cobaltate(), phosphate(), facet(cobaltate(), planes_[0]), facet(phosphate(), planes_[1]),
        Limits(area=area, merge=False, **ANY),
    )  # fmt: skip
    assert len(ours) == len(theirs) > 5
    their_areas = sorted(np.linalg.norm(np.cross(*m.substrate_sl_vectors)) for m in theirs)
    np.testing.assert_allclose(sorted(abs(np.linalg.det(m.left_cell)) for m in ours), their_areas, rtol=1e-9)


def test_terminations_are_4_merged_and_96_kept_apart_on_lco_001_li3po4_010():
    builder = CoherentInterfaceBuilder(
        cobaltate().structure.copy(),
        phosphate().structure.copy(),
        (0, 1, 0),
        (0, 0, 1),
        zslgen=ZSLGenerator(max_area=60),
    )
    assert len(builder.terminations) == 4
    ours = len(heights(cobaltate(), (0, 0, 1))), len(heights(phosphate(), (0, 1, 0)))
    assert ours == (12, 8)  # 96 pairs: label_index=True and filter_out_sym_slabs=False there
    # Of these, 3 and 2 leave different slabs: the cell of LiCoO2 holds three equal layers, no cut may open a PO4, and
    # lithium carried to halve the charge of a face makes a cut above it and one below it the same.
    kept = [
        terminations(facet(p, h), heights(p, h), 8.0) for p, h in ((cobaltate(), (0, 0, 1)), (phosphate(), (0, 1, 0)))
    ]
    assert [len(k) for k in kept] == [3, 2]


def test_the_published_number_of_candidates():
    """43,728, from pymatgen's slab cells and unmerged cuts, length tolerance 3 %, to 400 square angstrom."""
    low = planes(phosphate())
    assert len(low) == 7
    total = sum(
        count((cobaltate(), p), (phosphate(), q), 0.03) * len(heights(cobaltate(), p)) * len(heights(phosphate(), q))
        for p in LOW
        for q in low
    )
    assert total == 43_728


def test_lco_104_matches_li3po4_once_its_own_small_cell_is_used():
    """pymatgen's slab of the centred crystal is three times its smallest cell, and then nothing fits at 3 %."""
    assert all(count((cobaltate(), (1, 0, 4)), (phosphate(), q), 0.03) == 0 for q in planes(phosphate()))
    theirs = np.linalg.norm(np.cross(*published.vectors(cobaltate(), (1, 0, 4))))
    ours = facet(cobaltate(), (1, 0, 4))
    assert theirs == pytest.approx(3 * ours.area, rel=1e-9)
    volume = cobaltate().structure.volume / 3  # of one LiCoO2: what a lattice point of the centred cell holds
    spacing = cobaltate().structure.lattice.d_hkl((1, 0, 4))
    assert ours.area == pytest.approx(volume / spacing, rel=1e-9)
    assert matches(cobaltate(), phosphate(), (1, 0, 4), (1, 0, 0), Limits(area=400, **ANY))


def test_a_small_von_mises_strain_hides_a_principal_strain_of_0_017():
    found = matches(cobaltate(), lithium(), (1, 0, 4), (1, 1, 0), Limits(area=150, **ANY))
    worst = min(found, key=lambda m: abs(m.von_mises - 0.010))
    assert worst.von_mises == pytest.approx(0.010, abs=0.0005)  # as published, to its digits
    assert np.abs(worst.misfit).max() == pytest.approx(0.0175, abs=0.0005)
    rows = [np.array([*v, 0.0]) for v in (*worst.left_cell, *worst.right_cell)]
    outward = [np.cross(rows[0], rows[1]), np.cross(rows[2], rows[3])]
    square = [np.array([rows[0], rows[1], outward[0]]), np.array([rows[2], rows[3], outward[1]])]
    square[1][2] *= np.linalg.norm(outward[0]) / np.linalg.norm(outward[1])
    theirs = Deformation(np.linalg.solve(*square).T).green_lagrange_strain
    # Green-Lagrange and logarithm differ by the square of the strain
    assert worst.von_mises == pytest.approx(float(theirs.von_mises_strain), abs=0.0175**2)
    assert np.abs(worst.right_strain).max() > 10 * np.abs(worst.left_strain).max()  # lithium is 24 times softer


def test_shared_strain_has_the_least_energy_of_all_ways_to_share_it():
    left, right = strain.Sheet(191.0, 0.24, 9.4), strain.Sheet(30.0, 0.36, 12.0)
    total = np.array([-0.02, 0.031])
    mine, other = strain.share(total, left, right)
    np.testing.assert_allclose(mine - other, total, atol=1e-15)

    def energy(x):  # any symmetric tensor for the left side, in the frame of the principal axes
        tensor = np.array([[x[0], x[2]], [x[2], x[1]]])
        return 1e4 * (
            left.energy(np.linalg.eigvalsh(tensor)) + right.energy(np.linalg.eigvalsh(tensor - np.diag(total)))
        )

    best = minimize(energy, [0.0, 0.0, 0.003], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    np.testing.assert_allclose(best.x, [*mine, 0.0], atol=1e-6)  # the search ends at 1e-9, rounded up


def test_the_stiffness_is_that_of_plane_stress():
    sheet = strain.Sheet(100.0, 0.3, 1.0)
    x, y = 0.01, -0.004
    expected = 0.5 * 100.0 / (1 - 0.3**2) * (x * x + y * y + 2 * 0.3 * x * y) * strain.GIGAPASCAL
    assert sheet.energy(np.array([x, y])) == pytest.approx(expected, rel=1e-12)


def test_matches_left_out_are_those_that_structure_matcher_calls_equal():
    left, right = phases.curated("Li"), phases.curated("LiF")
    limits = {"area": 90.0, "mismatch": 0.05, "thickness": (4.0, 4.0), **ANY}
    plane = (1, 1, 0)
    raw = candidates(left, right, [(plane, plane)], Limits(merge=False, **limits))
    raw = [c for c in raw if c.left is raw[0].left and c.right is raw[0].right]
    built = [AseAtomsAdaptor.get_structure(build(c, left, right).atoms) for c in raw]  # type: ignore[arg-type]
    groups = StructureMatcher(scale=False, ltol=0.01, stol=0.05, angle_tol=0.5).group_structures(built)
    kept = matches(left, right, plane, plane, Limits(**limits))
    assert (len(raw), len(groups), len(kept)) == (8, 1, 1)
    assert sum(m.copies for m in kept) == len(raw)


@pytest.mark.parametrize("plane", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_every_cut_leaves_every_phosphate_whole_and_the_composition_of_the_bulk(plane):
    face = facet(phosphate(), plane)
    assert face.area * face.repeat == pytest.approx(phosphate().structure.volume, rel=1e-9)
    for one in terminations(face, heights(phosphate(), plane), 8.0, merge=False):
        assert one.cut_units == 0
        assert one.repeats * face.repeat >= 8.0
        assert face.oxidation.sum() == pytest.approx(0, abs=1e-9)


def test_half_of_the_cuts_of_li3po4_010_would_open_phosphates():
    """As published for slabs cut flat: those cuts are repaired by moving atoms with their unit."""
    cuts = terminations(facet(phosphate(), (0, 1, 0)), heights(phosphate(), (0, 1, 0)), 8.0, merge=False)
    assert [c.moved > 0 for c in cuts].count(True) == len(cuts) // 2


def test_the_dipole_of_a_polar_slab_is_that_of_its_charged_layers():
    face = facet(cobaltate(), (0, 0, 1))
    third = 14.054 / 3
    for cut in heights(cobaltate(), (0, 0, 1)):
        one = termination(face, cut, 12.0, compensate=True)
        if one.top.open or one.bottom.open:
            continue
        # each repeat: Li+ and, half a repeat away, CoO2-: 1 e over c/6
        assert abs(one.dipole) == pytest.approx(one.repeats * third / 2, rel=1e-9)
        assert one.carried is not None
        assert one.carried.fraction == pytest.approx(0.5, abs=1e-9)


@pytest.fixture(scope="module")
def found():
    limits = Limits(area=200, mismatch=0.05, atoms=600)
    return candidates(cobaltate(), phosphate(), [((0, 0, 1), (1, 0, 0)), ((1, 0, 1), (1, 0, 0))], limits)


def test_a_built_interface_has_both_slabs_in_one_right_handed_cell(found):
    for candidate in found[::7]:
        made = build(candidate, cobaltate(), phosphate(), vacuum=11.0)
        atoms = made.atoms
        assert len(atoms) == candidate.atoms
        assert made.area == pytest.approx(candidate.match.area, rel=1e-9)
        assert atoms.cell.volume > 0
        np.testing.assert_allclose(atoms.cell.array[[0, 0, 1, 2, 2], [1, 2, 2, 0, 1]], 0, atol=1e-9)
        assert atoms.cell.array[2, 2] - np.ptp(atoms.positions[:, 2]) == pytest.approx(12.0, abs=1e-9)  # and 1 below
        assert made.oxidation.sum() == pytest.approx(0, abs=1e-9)
        below, above = made.distance[made.side(LEFT)], made.distance[made.side(RIGHT)]
        assert below.max() == pytest.approx(-above.min(), abs=1e-9)  # the plane is the middle of the gap
        assert set(atoms.get_tags()) == {LEFT, RIGHT}


def test_slabs_touch_by_ionic_radii_and_no_pair_is_nearer(found):
    for candidate in found[::7]:
        made = build(candidate, cobaltate(), phosphate(), shift=(0.21, 0.4))
        below, above = made.slab(LEFT), made.slab(RIGHT)
        distance = get_distances(below.positions, above.positions, cell=made.atoms.cell, pbc=[True, True, False])[1]
        ratio = distance / contact.table(below, above)
        assert ratio.min() == pytest.approx(1, abs=1e-9)


def test_a_given_gap_is_kept_and_a_shift_moves_the_right_slab_alone(found):
    first = build(found[0], cobaltate(), phosphate(), gap=2.5)
    second = build(found[0], cobaltate(), phosphate(), shift=(0.25, 0.0), gap=2.5)
    z = first.atoms.positions[:, 2]
    assert z[first.side(RIGHT)].min() - z[first.side(LEFT)].max() == pytest.approx(2.5, abs=1e-12)
    moved = second.atoms.get_scaled_positions() - first.atoms.get_scaled_positions()
    moved -= np.round(moved)
    np.testing.assert_allclose(moved[first.side(LEFT)], 0, atol=1e-9)
    np.testing.assert_allclose(np.abs(moved[first.side(RIGHT)]), [[0.25, 0, 0]] * first.side(RIGHT).sum(), atol=1e-9)


def test_bonds_of_a_slab_are_those_of_the_bulk_stretched_by_its_principal_strains(found):
    bulk = facet(phosphate(), (1, 0, 0)).bonds
    bonds = bulk.length[bulk.units[bulk.cation]]
    for candidate in found[::11]:
        slab = build(candidate, cobaltate(), phosphate()).slab(RIGHT)
        number, kind = slab.get_atomic_numbers(), slab.get_all_distances(mic=True)
        own = np.sort(kind[number == 15][:, number == 8], axis=1)[:, :4]
        limit = max(np.abs(candidate.match.right_strain).max(), abs(candidate.match.normal[1])) * 1.02 + 1e-9
        assert own.min() > bonds.min() * (1 - limit)
        assert own.max() < bonds.max() * (1 + limit)


def test_a_crystal_is_never_turned_into_its_mirror_image():
    """Chains of tellurium wind the same way in both slabs of every match, upside down or not."""
    crystal = published.tellurium()
    made = candidates(
        crystal, crystal, [((1, 0, 0), (1, 0, 1)), ((0, 0, 1), (0, 0, 1))],
        Limits(area=100, mismatch=0.06, angle=0.05, merge=False, **ANY),
    )  # fmt: skip
    assert {c.match.flipped for c in made} == {True, False}
    for candidate in made[:: len(made) // 8]:
        interface = build(candidate, crystal, crystal)
        for tag in (LEFT, RIGHT):
            assert winding(interface.slab(tag)) > 0.5


def winding(slab):
    """Mean sine of the torsion along chains: bonds of tellurium are 2.8 angstrom, other distances 3.4 and more."""
    vector = slab.get_all_distances(mic=True, vector=True)
    length = np.linalg.norm(vector, axis=-1)
    near = (length < 3.1) & (length > 0.1)
    sines = []
    for j, k in zip(*np.nonzero(near), strict=True):
        before, after = np.flatnonzero(near[j] & (np.arange(len(slab)) != k)), np.flatnonzero(near[k])
        for i in before:
            for m in after[after != j]:
                a, b, c = vector[i, j], vector[j, k], vector[k, m]
                one, two = np.cross(a, b), np.cross(b, c)
                sines.append(np.cross(one, two) @ b / np.linalg.norm(one) / np.linalg.norm(two) / np.linalg.norm(b))
    return np.mean(sines)


def test_no_match_names_the_closest_and_the_limit_to_widen():
    with pytest.raises(
        AtomsError, match=r"closest, LiCoO2\(1 0 4\) \| Li3PO4\(1 0 0\), differs by .* widen mismatch above"
    ):
        candidates(cobaltate(), phosphate(), [((1, 0, 4), (1, 0, 0))], Limits(area=100, mismatch=0.01))


def test_a_widened_limit_as_told_is_enough():
    planes_, narrow = [((1, 0, 4), (1, 0, 0))], Limits(area=100, mismatch=0.01, **ANY)
    with pytest.raises(AtomsError) as told:
        candidates(cobaltate(), phosphate(), planes_, narrow)
    words = told.value.valid.split()
    wanted = {name: float(words[words.index(name) + 2]) + 1e-4 for name in ("mismatch", "angle") if name in words}
    assert candidates(cobaltate(), phosphate(), planes_, Limits(**{"area": 100, "mismatch": 0.01, **ANY, **wanted}))


def test_matches_refused_by_strain_are_told_with_their_principal_strain():
    with pytest.raises(AtomsError, match=r"closest of \d+, .* has principal strain 0\.\d+ \(limit 0\.0001\)"):
        candidates(cobaltate(), phosphate(), [((0, 0, 1), (1, 0, 0))], Limits(strain=1e-4, area=160, mismatch=0.05))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"planes": [((0, 0, 0), (1, 0, 0))]}, r"\(0, 0, 0\) is no plane"),
        ({"planes": [((1, 0), (1, 0, 0))]}, "three whole numbers"),
        ({"planes": []}, "no pair of planes"),
        ({"limits": Limits(thickness=(8.0, 1.0))}, "has no inside; at least 4 angstrom"),
        ({"limits": Limits(atoms=20, mismatch=0.05)}, "the limit is 20; atoms of at least"),
        ({"limits": Limits(area=20)}, "the smallest cell of these planes has 30"),
    ],
)
def test_bad_input_is_refused_in_words(change, words):
    asked = {"planes": [((0, 0, 1), (1, 0, 0))], "limits": Limits(), **change}
    with pytest.raises(AtomsError, match=words):
        candidates(cobaltate(), phosphate(), **asked)


@pytest.mark.parametrize("name", ["area", "mismatch", "strain", "atoms"])
def test_a_limit_that_admits_nothing_is_refused_by_name(name):
    with pytest.raises(AtomsError, match=f"the limit {name} is 0; a number above 0"):
        Limits(**{name: 0})


def test_an_interface_without_vacuum_is_refused(found):
    with pytest.raises(AtomsError, match="the free surfaces would touch"):
        build(found[0], cobaltate(), phosphate(), vacuum=0.0)


def test_a_candidate_is_built_of_its_own_phases_only(found):
    with pytest.raises(AtomsError, match=r"LiCoO2 \| Li3PO4 was to be built of Li3PO4 \| LiCoO2"):
        build(found[0], phosphate(), cobaltate())


def test_an_atom_without_oxidation_state_and_a_disordered_site_are_refused():
    bare = phosphate().structure.copy()
    bare.remove_oxidation_states()
    with pytest.raises(AtomsError, match="without oxidation state"):
        facet(phases.Phase("bare", bare, "test"), (1, 0, 0))
    mixed = cobaltate().structure.copy()
    mixed.replace(0, {"Li+": 0.5})
    with pytest.raises(AtomsError, match="partly occupied"):
        facet(phases.Phase("mixed", mixed, "test"), (0, 0, 1))
