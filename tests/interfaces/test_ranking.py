"""Ranking without building: the arrays say what the atoms would, in the order of a score that means something."""

from dataclasses import replace

import numpy as np
import pytest

from ionics.interfaces import matching, phases, ranking
from ionics.interfaces.audit import audit
from ionics.interfaces.matching import Limits, build, candidates
from ionics.interfaces.ranking import Weights, columns, rank
from ionics.interfaces.rules import Rules
from tests.interfaces.published import cobaltate, lithium, phosphate

EVERY = Limits(area=400, mismatch=0.05, strain=9, shear=9, atoms=10**6, merge=False)


@pytest.fixture(scope="module")
def found():
    pairs = [(p, q) for p in [(0, 0, 1), (1, 0, 1), (1, 0, 4)] for q in [(1, 0, 0), (0, 0, 1), (1, 0, 1)]]
    return candidates(cobaltate(), phosphate(), pairs, replace(EVERY, area=250, merge=True))


def test_arrays_agree_with_built_and_audited_atoms(found):
    sample = found[:: len(found) // 25]
    assert {c.match.flipped for c in sample} == {True, False}
    assert any(c.left.carried for c in sample)
    cheap = columns(sample)
    for k, candidate in enumerate(sample):
        made = build(candidate, cobaltate(), phosphate())
        judged = audit(made, cobaltate(), phosphate())
        assert len(made.atoms) == cheap.atoms[k]
        assert made.area == pytest.approx(cheap.area[k], rel=1e-12)
        assert judged.charge == pytest.approx(cheap.charge[k], abs=1e-9)
        np.testing.assert_allclose(judged.dipole, cheap.dipole[k], atol=1e-9)
        np.testing.assert_allclose(judged.polarisation, cheap.polarisation[k], atol=1e-9)
        assert judged.lithium_excess == (0, 0)
        assert judged.cut == cheap.cut[k]
        assert judged.strain == pytest.approx(cheap.strain[k], abs=1e-12)
        assert judged.shear == pytest.approx(cheap.shear[k], abs=1e-12)
        # the other slab may close a corner, it never opens one
        assert judged.open <= cheap.open[k]


def test_what_ranking_passes_the_audit_passes(found):
    best = [r for r in rank(found) if r.passed][:6]
    assert best
    for one in best:
        judged = audit(build(one.candidate, cobaltate(), phosphate()), cobaltate(), phosphate())
        assert judged.passed, judged.reasons


def test_no_candidate_is_built_to_be_ranked(found, monkeypatch):
    def never(*_, **__):
        raise AssertionError("atoms were made")

    monkeypatch.setattr(matching, "Atoms", never)
    assert len(rank(found)) == len(found)


def test_every_candidate_is_ranked_once_those_that_pass_first_by_rising_score(found):
    ranked = rank(found)
    assert {id(r.candidate) for r in ranked} == set(map(id, found))
    passed = [r.passed for r in ranked]
    assert passed == sorted(passed, reverse=True)
    scores = [r.score for r in ranked if r.passed]
    assert scores == sorted(scores)


def test_ninety_thousand_unmerged_candidates_are_counted_as_pymatgen_counts_them_and_ranked():
    """Planes with indices to 1 at 5 %; 90,804 from 7 x 5 runs of pymatgen's builder, cuts unmerged (2.5 minutes)."""
    made = candidates(cobaltate(), phosphate(), None, EVERY)
    assert len(made) == 90_804
    assert len(rank(made)) == 90_804


def test_a_crystal_upon_itself_closes_every_bond_it_lost():
    """The lower and the upper face of one cut are halves of one bulk: nothing is left open, nothing is strained."""
    made = candidates(phosphate(), phosphate(), [((1, 0, 0), (1, 0, 0))], Limits(area=40, mismatch=0.01))
    same = [c for c in made if c.left.cut == c.right.cut and not c.match.flipped]
    assert same
    values = columns(same)
    np.testing.assert_allclose(values.unmet, 0, atol=1e-12)
    np.testing.assert_allclose(values.elastic, 0, atol=1e-12)
    assert (values.met > 0).all()


def test_the_score_adds_its_terms_in_electronvolts(found):
    weights = Weights(remade=1.3, open=0.4, permittivity=7.0, atom=1e-5)
    values, ranked = columns(found), {id(r.candidate): r for r in rank(found, weights=weights)}
    for k in range(0, len(found), 25):
        one = ranked[id(found[k])]
        assert one.bonds == pytest.approx(1.3 * values.met[k] + 0.4 * values.unmet[k])
        # a plate of surface charge p/H and height H in a medium: energy p^2/(2 eps eps0 H), in SI and back
        height = np.abs(values.dipole[k] / np.where(values.polarisation[k] == 0, np.inf, values.polarisation[k]))
        plate = sum(
            (p * 1.602176634e-19 * 1e10) ** 2 / (2 * 7.0 * 8.8541878128e-12 * h * 1e-10)
            for p, h in zip(values.dipole[k], height, strict=True)
            if h > 0
        )
        assert one.polarity == pytest.approx(plate / 1.602176634e-19 * 1e-20, rel=1e-5, abs=1e-12)
        assert one.score == pytest.approx(one.strain + one.bonds + one.polarity + 1e-5 * found[k].atoms)


def test_compensation_lowers_the_field_energy(found):
    polar = [c for c in found if c.left.carried is not None]
    bare = [replace(c, left=replace(c.left, carried=None)) for c in polar]
    even = np.array([c.match.left_count % 2 == 0 for c in polar])
    with_, without = columns(polar), columns(bare)
    assert (with_.polarity < without.polarity).all()
    halved = even & np.array([abs(c.left.carried.fraction - 0.5) < 1e-9 for c in polar])
    assert halved.any()
    np.testing.assert_allclose(with_.dipole[halved, 0], 0, atol=1e-9)


def test_rules_decide_what_passes(found):
    few, many = rank(found, Rules(strain=0.01)), rank(found, Rules(open=3, polar=1.0, strain=1.0, shear=1.0))
    assert sum(r.passed for r in few) < sum(r.passed for r in rank(found)) < sum(r.passed for r in many) == len(found)
    words = {word for r in few for word in r.reasons}
    assert "a principal strain above 0.01" in words


def test_a_row_of_the_table_gives_principal_strains_of_both_sides(found):
    row = rank(found)[0].row()
    assert len(str(row["left_strain_percent"]).split()) == len(str(row["right_strain_percent"]).split()) == 2
    assert row["reasons"] == ""
    assert row["passed"] is True


def test_nothing_to_rank_is_an_empty_table():
    assert rank([]) == []


def test_a_metal_upon_an_oxide_is_ranked_too():
    oxide = phases.curated("Li2O")
    ranked = ranking.rank(candidates(lithium(), oxide, None, Limits(area=150, mismatch=0.05)))
    assert np.isfinite([r.score for r in ranked]).all()
