"""The audit finds what is wrong with atoms, whoever built them, and lets nothing cut or sheared pass."""

from dataclasses import replace

import numpy as np
import pytest

from ionics.interfaces import phases
from ionics.interfaces.audit import audit
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.matching import Limits, build, candidates
from ionics.interfaces.ranking import rank
from ionics.interfaces.rules import Rules
from tests.interfaces.published import cobaltate, lithium, phosphate


@pytest.fixture(scope="module")
def good() -> Interface:
    found = candidates(cobaltate(), phosphate(), [((0, 0, 1), (0, 0, 1))], Limits(area=140, mismatch=0.05))
    return build(rank(found)[0].candidate, cobaltate(), phosphate())


def judged(interface: Interface, rules: Rules | None = None):
    return audit(interface, cobaltate(), phosphate(), rules)


def without(interface: Interface, index: int) -> Interface:
    atoms = interface.atoms.copy()
    del atoms[index]
    return interface.moved(atoms)


def outermost(interface: Interface, tag: int, symbol: str) -> int:
    """The atom of an element of one slab that stands nearest to the plane."""
    wanted = interface.side(tag) & (np.array(interface.atoms.get_chemical_symbols()) == symbol)
    return int(np.flatnonzero(wanted)[np.abs(interface.distance[wanted]).argmin()])


def test_a_good_interface_passes_and_is_neutral_whole_and_stoichiometric(good):
    result = judged(good)
    assert result.passed, result.reasons
    assert result.cut == 0
    assert result.charge == pytest.approx(0, abs=1e-9)
    assert result.lithium_excess == (0, 0)
    assert result.shortest[2] > 0.95  # ions touch, apart from the strain of the slabs
    assert result.strain is not None
    assert result.stretch < 1.1 * result.strain  # affine strain stretches no bond by more


def test_a_phosphate_without_one_of_its_oxygens_is_found(good):
    result = judged(without(good, outermost(good, RIGHT, "O")))
    assert not result.passed
    assert result.cut == 1
    assert result.charge == pytest.approx(2)
    text = " ".join(result.reasons)
    assert "covalent units" in text
    assert "-1 O" in text


def test_missing_and_added_lithium_are_counted(good):
    result = judged(without(good, outermost(good, LEFT, "Li")))
    assert result.lithium_excess == pytest.approx((-1, 0))
    assert result.charge == pytest.approx(-1)
    atoms = good.atoms.copy()
    extra = atoms[[outermost(good, RIGHT, "Li")]]
    extra.positions[:, 2] = atoms.positions[:, 2].max() + 2.0
    assert judged(good.moved(atoms + extra)).lithium_excess == pytest.approx((0, 1))


def test_a_polar_slab_is_refused_and_passes_once_its_lithium_is_halved():
    planes = [((0, 0, 1), (1, 0, 0))]
    limits = Limits(area=160, mismatch=0.05, atoms=600)
    for compensate in (False, True):
        found = candidates(cobaltate(), phosphate(), planes, replace(limits, compensate=compensate))
        whole = [c for c in found if not max(c.left.top.open, c.left.bottom.open)]
        assert whole
        for candidate in whole[::8]:
            result = judged(build(candidate, cobaltate(), phosphate()))
            assert any("LiCoO2 is polar" in reason for reason in result.reasons) is not compensate
            # Li+ and CoO2- half a layer apart: 1 e over c/6 in a^2 sqrt(3)/2, up to the strain of the slab
            if not compensate:
                area = 2.816**2 * np.sqrt(0.75)
                assert abs(result.dipole[0]) == pytest.approx(candidate.left.repeats * 14.054 / 6 / area, rel=0.03)


def test_an_open_octahedron_is_refused_unless_the_rules_allow_it():
    found = candidates(cobaltate(), phosphate(), [((1, 1, 0), (1, 0, 0))], Limits(area=300, mismatch=0.05, atoms=900))
    made = build(found[0], cobaltate(), phosphate())
    result = judged(made)
    assert result.open == 2  # CoO4 at the (110) face
    assert any("misses 2 corners, at most 1" in reason for reason in result.reasons)
    assert not any("corners" in reason for reason in judged(made, Rules(open=2)).reasons)


@pytest.mark.parametrize(("degrees", "rules"), [(8, Rules(stretch=0.05)), (20, Rules())])
def test_a_sheared_slab_is_found_by_its_bonds_even_when_nothing_is_told(good, degrees, rules):
    atoms = good.atoms.copy()
    shear = np.eye(3)
    shear[1, 0] = np.tan(np.radians(degrees))
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.info.clear()
    result = judged(good.moved(atoms), rules)
    assert result.strain is None
    assert any("bonds of units or polyhedra differ" in reason for reason in result.reasons)


def test_told_strain_and_shear_beyond_the_rules_are_refused(good):
    tight = Rules(strain=judged(good).strain / 2, shear=judged(good).shear / 2)
    reasons = " ".join(judged(good, tight).reasons)
    assert "a principal strain of" in reasons
    assert "a shear of" in reasons


def test_ions_pushed_into_each_other_are_found(good):
    atoms = good.atoms.copy()
    atoms.positions[good.side(RIGHT), 2] -= 0.8
    result = judged(good.moved(atoms))
    assert not result.passed
    assert any("of the distance at which the ions touch" in reason for reason in result.reasons)


def test_a_cell_with_a_sharp_corner_is_judged_by_its_shortest_vectors(good):
    atoms = good.atoms.copy()
    cell = atoms.cell.array
    atoms.set_cell([cell[0], cell[1] + 3 * cell[0], cell[2]])  # the same crystal in a long cell
    same = judged(good.moved(atoms))
    assert same.corner == pytest.approx(judged(good).corner, abs=1e-6)
    assert same.passed


def test_a_metal_has_no_charge_no_dipole_and_no_excess():
    fluoride = phases.curated("LiF")
    found = rank(candidates(lithium(), fluoride, [((1, 1, 0), (1, 0, 0))], Limits(area=150, mismatch=0.05)))
    result = audit(build(found[0].candidate, lithium(), fluoride), lithium(), fluoride)
    assert result.passed, result.reasons
    assert result.dipole[0] == 0
    assert result.lithium_excess == (0, 0)


@pytest.mark.parametrize(
    ("name", "plane", "unit"),
    [
        ("beta-Li3PS4", (1, 0, 0), "P"),
        ("Li2CO3", (0, 0, 1), "C"),
        ("LiTi2(PO4)3", (0, 1, 2), "P"),
        ("Fe2(MoO4)3", (0, 0, 1), "Mo"),
    ],
)
def test_thiophosphates_carbonates_and_molybdates_stay_whole_too(name, plane, unit):
    phase = phases.curated(name)
    limits = Limits(area=300, mismatch=0.08, angle=0.03, strain=1, shear=1, atoms=5000)
    found = candidates(cobaltate(), phase, [((1, 0, 4), plane), ((0, 0, 1), plane)], limits)
    for candidate in found[:: max(1, len(found) // 4)]:
        made = build(candidate, cobaltate(), phase)
        assert unit in made.slab(RIGHT).get_chemical_symbols()
        assert audit(made, cobaltate(), phase).cut == 0
