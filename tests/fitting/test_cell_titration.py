"""A titration of pulses and rests gives a diffusivity over the occupancy."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.fitting.cells.fit import fit_cell
from ionics.fitting.cells.knots import knots
from ionics.fitting.cells.packing import pack
from ionics.fitting.cells.records import Titration
from ionics.fitting.cells.states import Specimen
from ionics.fitting.model import Free
from ionics.laws import Curve
from tests.fitting.half_cells import FILLED, ONE, answered, half_cell, particle, with_errors

KNOTS = np.array([0.3, 0.4, 0.5, 0.6])
TRUE = np.array([2e-15, 8e-15, 4e-15, 1e-15])
UNIT = 5e-15  # the curve is the logarithm of the diffusivity over this one
PULSES, PULSE, REST = 6, 900.0, 3600.0  # s; at C/3 a pulse passes 0.05 of the sites


def cell(values):
    return half_cell(curve=Curve(KNOTS, np.log(np.asarray(values) / UNIT)))


@pytest.fixture(scope="module")
def record():
    current = np.tile([ONE / 3, 0.0], PULSES)
    duration = np.tile([PULSE, REST], PULSES)
    begun = np.append(0.0, np.cumsum(duration)[:-1])
    time = np.concatenate([b + np.geomspace(5.0, d, 12) for b, d in zip(begun, duration, strict=True)])
    blank = Titration(current, duration, time, np.full(len(time), 3.8), sigma=1e-3, label="GITT")
    found = answered(pack([blank]).titrations, Specimen(cell(TRUE), {"NMC": FILLED}))
    return dataclasses.replace(blank, voltage=np.asarray(found)[0].ravel())


@pytest.mark.slow
def test_a_titration_gives_the_diffusivity_at_every_state_of_charge(record):
    start = cell(np.full(4, 4e-15))
    fingers = knots(
        "D", lambda s: particle(s.cell).carrier.diffusivity_curve, particle(start).carrier.diffusivity_curve,
        1e-17, 1e-12, unit="m2/s", times=UNIT,
    )  # fmt: skip
    kinetics = Free("i0", lambda s: particle(s.cell).surface.law.exchange_current.value, 1e-2, 1e2, unit="A/m2")
    (noisy,) = with_errors([record], 0, sigma=1e-3)
    fit = fit_cell(start, {"NMC": FILLED}, [noisy], (*fingers, kinetics), starts=0)
    assert fit.reduced_chi_squared == pytest.approx(1, abs=4 * np.sqrt(2 / fit.dof))
    assert fit.undetermined == ()
    for finger, truth in zip(fingers, TRUE, strict=True):
        assert abs(np.log(fit[finger.name] / truth)) < 4 * fit.error(finger.name) / fit[finger.name], finger.name
        assert fit.error(finger.name) < 0.1 * truth, finger.name
    (own,) = fit.fitted
    assert own.rms == pytest.approx(1e-3, rel=0.3)
    assert len(own.x) == len(record.time)
    assert np.all(np.diff(own.x) > 0)


def test_a_titration_whose_pulses_cannot_be_passed_is_still_answered(record):
    slow = Specimen(cell(np.full(4, 1e-18)), {"NMC": FILLED})
    voltage = np.asarray(answered(pack([record]).titrations, slow))
    assert np.all(np.isfinite(voltage))
    assert voltage.min() >= record.voltage.min() - 1.0 - 1e-6  # followed so far
    assert jnp.asarray(voltage).shape == (1, 2 * PULSES, 12)
