"""Cells fitted to discharges and impedance: the truth is found, and what the data leave open is named."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.fitting.cells.fit import fit_cell
from ionics.fitting.cells.records import Discharge
from ionics.fitting.model import Prior
from ionics.fitting.posed import linearised
from ionics.fitting.spectrum import DataError
from tests.fitting.half_cells import FREE, FULL, ONE, TRUTH, clean_records, half_cell, moved, with_errors

LAYER = {"C": Prior(TRUTH["C"], 0.02)}  # known from elsewhere: the double layer, with which the surface can be told,
RADIUS = {"R": Prior(TRUTH["R"], 0.02)}  # or the radius, as from a microscope


@pytest.fixture(scope="module")
def clean():
    return clean_records(half_cell())


@pytest.fixture(scope="module")
def begin():
    """A cell and filling that are off, as a guess is."""
    return moved(half_cell(), D=2.0, i0=2.0, C=0.5, kappa=1.7, R=0.8, filled=0.95)


@pytest.fixture(scope="module")
def joint(clean, begin):
    return fit_cell(*begin, with_errors(clean, 1), FREE, priors=LAYER, starts=0)


@pytest.fixture(scope="module")
def alone(clean, begin):
    """The discharges alone."""
    return fit_cell(*begin, with_errors(clean, 1)[:4], FREE, priors=LAYER, starts=0)


@pytest.mark.slow
def test_discharges_and_impedance_together_give_the_truth_within_the_errors(joint):
    limit = 4 * np.sqrt(2 / joint.dof)  # of reduced chi-squared, four standard deviations
    assert joint.reduced_chi_squared == pytest.approx(1, abs=limit)
    assert joint.verdict.startswith("fits within the given errors")
    assert joint.undetermined == ()
    for name, truth in TRUTH.items():
        assert abs(joint[name] - truth) < 4 * joint.error(name), name
        assert joint.error(name) < 0.1 * truth, name


def test_the_jacobian_is_that_of_differences(joint):
    problem, at = joint.posed.problem, jnp.asarray(joint.posed.unknowns.inner(joint.values))
    tight = dataclasses.replace(problem, rtol=jnp.asarray(1e-6), coarse=jnp.asarray(1e-6))
    (_, exact), (_, coarse) = linearised(tight, at), linearised(problem, at)
    length = jnp.linalg.norm(exact, axis=0)
    # those that are searched with are of coarse time steps
    assert jnp.max(jnp.linalg.norm(coarse - exact, axis=0) / length) < 0.02
    # along two directions in which every unknown changes residuals as much as the others: one column that is 5 % off
    # is 2 % of the change along a direction
    for signs in (np.ones(len(at)), (-1.0) ** np.arange(len(at))):
        way = signs / length
        step = 3e-2 / float(jnp.max(jnp.abs(way)))
        up, down = (linearised(tight, at + sign * step * way)[0] for sign in (1, -1))
        slope = exact @ way
        # between two time steps voltages are good to some microvolts: 1e-3 standard deviations of 300 numbers
        rounding = 1e-3 * np.sqrt(300) / (2 * step)
        assert jnp.linalg.norm((up - down) / (2 * step) - slope) < 0.01 * jnp.linalg.norm(slope) + rounding


@pytest.mark.slow
def test_discharges_alone_know_a_radius_only_with_diffusivity_and_exchange_current(alone):
    (sentence,) = alone.undetermined
    assert sentence.startswith("D, R and i0 are not determined separately")
    # the time of diffusion and the conductance of the surface they do know
    assert alone["D"] / alone["R"] ** 2 == pytest.approx(TRUTH["D"] / TRUTH["R"] ** 2, rel=0.1)
    assert alone["i0"] / alone["R"] == pytest.approx(TRUTH["i0"] / TRUTH["R"], rel=0.1)


@pytest.mark.slow
def test_discharges_alone_do_not_know_the_double_layer(clean, begin):
    fit = fit_cell(*begin, with_errors(clean, 1)[:4], FREE, priors=RADIUS, starts=0)
    (sentence,) = fit.undetermined
    assert sentence.startswith("C is not determined by these data")
    assert fit.error("D") < 0.1 * fit["D"]


def test_impedance_closes_what_discharges_leave_open(joint, clean):
    assert joint.error("R") < 0.05 * joint["R"]
    sources = dict(sentence.split(": ", 1) for sentence in joint.sources)
    assert "open without impedances" in sources["R"]
    share = dict(zip(joint.by_kind.parts, joint.by_kind.share, strict=True))
    assert share["discharges"][joint.names.index("volume")] > 0.9  # the capacity is not in a spectrum
    fit = fit_cell(joint.specimen.cell, joint.specimen.filled, with_errors(clean, 1), FREE, priors=RADIUS, starts=0)
    assert fit.undetermined == ()
    assert fit.error("C") < 0.05 * fit["C"]


def test_shares_of_the_records_and_the_priors_add_up_to_the_variance(joint):
    np.testing.assert_allclose(joint.by_record.share.sum(axis=0), 1, rtol=1e-6)  # of an inverse of a matrix
    assert joint.by_record.parts[-1] == "what was known before"
    assert joint.by_record.share[-1, joint.names.index("C")] > 0.5


def test_every_record_is_missed_by_its_noise(joint):
    for one in joint.fitted[:3]:
        # 2 mV, and more where the voltage is steep
        assert 1.5e-3 < one.rms < 8e-3
        assert one.capacity == pytest.approx(one.record.capacity, rel=4 * 2e-3)
    assert joint.fitted[3].rms < 2 * 0.005
    for one in joint.fitted[4:]:
        assert one.rms == pytest.approx(0.01 * np.sqrt(2), rel=0.4)  # of both parts


def test_a_rate_that_cannot_be_has_no_capacity(joint):
    table = joint.fitted[3]
    assert table.measured[-1] == 0
    assert table.model[-1] < 1e-3 * FULL
    assert "table" in table.sentence


def test_sizes_of_errors_that_nobody_states_are_found(clean, joint):
    silent = [dataclasses.replace(one, sigma=None) for one in with_errors(clean, 3)]
    fit = fit_cell(joint.specimen.cell, joint.specimen.filled, silent, FREE, priors=LAYER, starts=0)
    sizes = {one.name: one.size for one in fit.sizes if not one.stated}
    assert fit.weighting == "estimated"
    assert sorted(sizes) == [
        "discharge 0.2C", "discharge 1.0C", "discharge 4.0C", "impedance 40 %", "impedance 80 %", "rates table",
    ]  # fmt: skip
    for name, size in sizes.items():
        if name != "rates table":  # of four numbers little can be said
            truth = 2e-3 if name.startswith("discharge") else 0.01
            assert size == pytest.approx(truth, rel=4 / np.sqrt(2 * 40)), name  # of about 40 numbers each
    for name, truth in TRUTH.items():
        assert abs(fit[name] - truth) < 5 * fit.error(name), name


def test_too_few_numbers_are_refused(begin):
    one = Discharge(ONE, np.array([10.0, 20.0]), np.array([4.0, 3.9]))
    with pytest.raises(DataError, match="2 numbers cannot determine 7 parameters"):
        fit_cell(*begin, [one], FREE)
