"""Errors are honest: 95 % intervals hold the truth 95 % of the time, and what is not determined is named."""

import numpy as np
import pytest

from ionics.fitting.leastsquares import fit, fit_series
from ionics.fitting.model import CircuitModel
from ionics.fitting.profile import profiles
from tests.fitting.recovery.families import CIRCUITS, STACKS, called, coverage, is_named, measured, study
from tests.fitting.recovery.open_cases import CASES, FREQUENCY

EACH = {"circuit": 50, "stack": 20}  # data sets of unknown size of the errors, and as many with known sigma
OPEN = 16  # data sets that leave the same thing open


def in_words(name, answers):
    share, error = coverage(answers)
    return f"{name}: {100 * share:.1f} +- {100 * error:.1f} % of {len(answers)} intervals hold the truth"


def named(case, count, seed):
    """Of a case: (named, should be named), (named although determined, determined)."""
    fits = fit_series(case.model, case.spectra(count, seed), starts=6)

    def of(names):
        return sum(is_named(one, called(one, name)) for one in fits for name in names), len(fits) * len(names)

    return of(case.open_), of(case.determined)


# ---- always run: small samples, whose chance is part of the test


def test_intervals_of_a_circuit_hold_the_truth_nineteen_times_in_twenty():
    answers = [one for one in study("blocking pellet", 12, seed=3).answers() if one.is_determined]
    share, error = coverage(answers)
    assert abs(share - 0.95) < max(3 * error, 0.04)  # 0.04: what 130 intervals in 24 data sets leave to chance
    assert len(answers) >= 0.9 * 24 * 6


@pytest.mark.parametrize("case", ["two resistors in series", "exchange current and area", "an arc below the range"])
def test_what_is_left_open_is_named_and_what_is_not_is_not(case):
    (said, should), (false, _) = named(CASES[case], 4, seed=5)
    assert (said, false) == (should, 0)


def test_a_resistance_that_is_as_good_as_infinite_has_a_lower_limit_only():
    model = CircuitModel("R0-p(R1,C1)")
    rng = np.random.default_rng(2)
    fits = [fit(model, measured(model, [50.0, 1e12, 1e-6], FREQUENCY, 0.01, rng), starts=4) for _ in range(3)]
    for one in fits:
        assert len(one.undetermined) == 1
        assert one.undetermined[0].startswith("R1 is not determined by these data: ")
        assert one.error("R0") < 0.01 * one["R0"]


def test_an_exponent_at_its_natural_limit_is_not_called_undetermined():
    model = CircuitModel("R0-p(R1,CPE1)")
    rng = np.random.default_rng(0)
    truth = [10.0, 100.0, 1e-6, 1.0]
    fits = [fit(model, measured(model, truth, FREQUENCY, 0.003, rng), starts=4) for _ in range(6)]
    on_bound = [one for one in fits if one.at_bound[3]]
    assert on_bound  # half of them
    for one in on_bound:
        assert one.undetermined == ()
        assert one.limits[0].startswith("CPE1.n lies on its natural limit 1; it is at least 0.9")


def test_a_bound_that_the_data_would_cross_is_told():
    model = CircuitModel("R0-p(R1,C1)", bounds={"R0": (1.0, 8.0)}, start={"R0": 5.0})
    spectrum = measured(CircuitModel("R0-p(R1,C1)"), [10.0, 100.0, 1e-6], FREQUENCY, 0.005, np.random.default_rng(0))
    result = fit(model, spectrum, starts=4)
    assert result.limits == ("R0 lies on its upper bound 8 ohm, and the data would have it beyond",)
    assert "R0 lies on its upper bound" in result.summary()


def test_a_parameter_held_at_zero_widens_the_error_of_the_one_that_makes_up_for_it():
    """An arc cut off at high frequency: only R0 + R1 is well known, and R0 may end at zero."""
    model = CircuitModel("R0-p(R1,CPE1)-CPE2")
    rng, truth = np.random.default_rng(0), [10.0, 150.0, 7e-9, 0.77, 1.5e-5, 0.75]
    fits = [
        fit(model, measured(model, truth, FREQUENCY, 0.01, rng), start=np.array(truth), starts=0) for _ in range(12)
    ]
    at_zero = [one for one in fits if one.at_bound[0]]
    assert at_zero
    for one in at_zero:
        assert one.error("R1") > 5.0  # ohm; with R0 held at zero it would be 0.5
        assert one.interval("R1")[0] < 150.0 < one.interval("R1")[1]
        assert "R0 is not determined by these data: it lies on its lower bound" in one.undetermined[0]


# ---- the study


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CIRCUITS, *STACKS])
def test_intervals_of_every_family_hold_the_truth(name, record_property):
    answers = study(name, EACH["circuit" if name in CIRCUITS else "stack"]).answers()
    determined = [one for one in answers if one.is_determined]
    record_property("coverage", in_words(name, determined))
    print(in_words(name, determined))
    share, error = coverage(determined)
    assert 0.93 - 2 * error <= share <= 0.97 + 2 * error
    assert len(determined) >= 0.9 * len(answers)


@pytest.mark.slow
def test_intervals_of_all_data_sets_hold_the_truth_93_to_97_times_in_100():
    answers = [
        one
        for name in (*CIRCUITS, *STACKS)
        for one in study(name, EACH["circuit" if name in CIRCUITS else "stack"], seed=1).answers()
        if one.is_determined
    ]
    print(in_words("all", answers))
    assert len({(one.family, one.number) for one in answers}) >= 200
    assert 0.93 <= coverage(answers)[0] <= 0.97


@pytest.mark.slow
def test_profiles_hold_the_truth_where_errors_are_large():
    made = study("finite diffusion", 40, seed=2)
    linear, profile = [], []
    for k, result in enumerate(made.fits[:40]):
        poor = [one for one in made.of(k) if one.is_determined and one.share > 0.1 and not one.name.endswith(".n")]
        if not poor:
            continue
        for one, own in zip(poor, profiles(result, [called(result, p.name) for p in poor])[0], strict=True):
            low, high = own.interval()
            linear.append(one.covers)
            profile.append(low <= one.truth <= high)
    print(f"errors above 10 %: linear {np.mean(linear):.3f}, profile {np.mean(profile):.3f} of {len(profile)}")
    assert np.mean(profile) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(profile))


@pytest.mark.slow
def test_what_is_not_determined_is_named_in_19_of_20():
    said = should = false = fine = 0
    for name, case in CASES.items():
        (a, b), (c, d) = named(case, OPEN, seed=1)
        print(f"{name}: {a} of {b} named, {c} of {d} named though determined")
        said, should, false, fine = said + a, should + b, false + c, fine + d
    print(f"all: {said} of {should} named, {false} of {fine} named though determined")
    assert said >= 0.95 * should
    assert false <= 0.05 * fine
