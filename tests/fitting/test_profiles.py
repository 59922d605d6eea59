"""Profiles of chi-squared: a parabola where the model is linear, and plain words where a side is open."""

import numpy as np
import pytest

from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.profile import profiles
from tests.fitting.recovery.families import measured
from tests.fitting.recovery.simple import ARC, FREQUENCY, Line, arc, line


@pytest.mark.parametrize("weighting", ["sigma", "unit"])
def test_the_profile_of_a_linear_model_is_a_parabola(weighting):
    result = fit(Line(), line(), weighting=weighting, starts=0)
    found, warning = profiles(result)
    assert warning == ""
    for own in found:
        away = (own.value - result[own.name]) / result.error(own.name)
        np.testing.assert_allclose(own.rise, away**2, atol=1e-8)  # the profile's searches end to 1e-11
        np.testing.assert_allclose(own.interval(), result.interval(own.name), rtol=1e-6)
        assert own.closed() == (True, True)


def test_no_profile_lies_below_the_optimum_and_intervals_agree_where_errors_are_small():
    result = fit(ARC, arc(noise=0.003), starts=4)
    found, warning = profiles(result)
    assert warning == ""
    for own in found:
        assert own.rise.min() >= -1e-6
        # asymmetry is of the size of the error itself, here below 1 %
        np.testing.assert_allclose(np.log(own.interval()), np.log(result.interval(own.name)), atol=2e-4)


def test_an_open_side_is_told():
    model = CircuitModel("R0-p(R1,C1)")
    spectrum = measured(model, [50.0, 1e12, 1e-6], FREQUENCY, 0.01, np.random.default_rng(1))
    result = fit(model, spectrum, starts=4)
    (own,), _ = profiles(result, ["R1"])
    assert own.closed() == (True, False)
    assert own.sentence().startswith("R1 is above ")
    assert own.sentence().endswith(" ohm (95 %); the data set no upper limit")


def test_an_unknown_name_is_refused():
    result = fit(Line(), line(), weighting="sigma", starts=0)
    with pytest.raises(KeyError, match="no parameter 'c'; there are a, b"):
        profiles(result, ["c"])
