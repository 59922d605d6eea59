"""Series: fitted apart they are single fits; fitted together they know more, and say by how much."""

import numpy as np
import pytest

from ionics.fitting.across import EV, Arrhenius, Curve, Each, Shared
from ionics.fitting.leastsquares import fit, fit_series, fit_together
from ionics.fitting.model import CircuitModel, Parameter
from ionics.fitting.spectrum import DataError
from tests.fitting.recovery.simple import ARC, TRUTH, arc

KELVIN = (280.0, 300.0, 320.0, 340.0)
ENERGY = 0.45  # eV


@pytest.fixture(scope="module")
def four():
    """The same arc measured four times."""
    return [arc(noise=0.01, seed=k, temperature=T) for k, T in enumerate(KELVIN)]


@pytest.fixture(scope="module")
def apart(four):
    return fit_series(ARC, four, weighting="sigma", starts=4)


def activated(seed=0, noise=0.005):
    """R1 falls when hot, C1 changes with the state of charge along a line with a kink."""
    spectra = []
    for k, kelvin in enumerate(KELVIN):
        r1 = 200.0 * np.exp(ENERGY / EV * (1 / kelvin - 1 / 300.0))
        charge = k / 3
        c1 = 5e-7 * 2 ** min(2 * charge, 1.0)
        fields = {"temperature": kelvin, "conditions": {"state_of_charge": charge}}
        spectra.append(arc((10.0, r1, c1), noise, seed + 10 * k, **fields))
    return spectra


LAWS = {"R1": Arrhenius(reference=300.0), "C1": Curve("state_of_charge", (0.0, 0.5, 1.0))}


@pytest.fixture(scope="module")
def together():
    return fit_together(ARC, activated(), LAWS, weighting="sigma", starts=4)


def test_a_series_fitted_apart_is_a_series_of_single_fits(four, apart):
    for spectrum, one in zip(four, apart, strict=True):
        alone = fit(ARC, spectrum, weighting="sigma", starts=4)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-7)  # where the polish of either ended
        np.testing.assert_allclose(one.standard_errors, alone.standard_errors, rtol=1e-6)


def test_together_with_a_value_of_its_own_for_everything_they_are_single_fits_too(four, apart):
    whole = fit_together(ARC, four, {name: Each() for name in ("R0", "R1", "C1")}, weighting="sigma", starts=4)
    for member, alone in zip(whole.members, apart, strict=True):
        np.testing.assert_allclose(member.values, alone.values, rtol=1e-6)
        np.testing.assert_allclose(member.standard_errors, alone.standard_errors, rtol=1e-5)
    assert whole.names[4:8] == ("R1 (280 K)", "R1 (300 K)", "R1 (320 K)", "R1 (340 K)")
    assert whole.chi_squared == pytest.approx(sum(one.chi_squared for one in apart), rel=1e-9)


def test_the_error_of_what_is_shared_falls_with_the_root_of_the_number_of_spectra(four, apart):
    whole = fit_together(ARC, four, {}, weighting="sigma", starts=4)
    singly = np.sqrt(np.mean([one.standard_errors**2 for one in apart], axis=0))
    # the Jacobians stand at estimates that scatter by about a per cent
    np.testing.assert_allclose(whole.standard_errors, singly / 2, rtol=0.03)
    for member in whole.members:
        np.testing.assert_allclose(member.values, whole.values)
        np.testing.assert_allclose(member.standard_errors, whole.standard_errors)
    assert all(abs(whole[name] - truth) < 4 * whole.error(name) for name, truth in zip(ARC_NAMES, TRUTH, strict=True))


ARC_NAMES = ("R0", "R1", "C1")


def test_laws_across_a_series_are_found_with_errors_that_fit(together):
    truth = {
        "R0": 10.0, "R1 (300 K)": 200.0, "R1.activation_energy": ENERGY,
        "C1 (state_of_charge 0)": 5e-7, "C1 (state_of_charge 0.5)": 1e-6, "C1 (state_of_charge 1)": 1e-6,
    }  # fmt: skip
    assert set(together.names) == set(truth)
    for name, value in truth.items():
        assert abs(together[name] - value) < 4 * together.error(name)
        assert together.error(name) < 0.05 * value
    assert together.reduced_chi_squared == pytest.approx(1.0, abs=4 * np.sqrt(2 / together.dof))


def test_errors_of_members_follow_from_those_of_the_law(together):
    """ln R1(T) = ln R1(300 K) + Ea/k (1/T - 1/300 K)."""
    i, j = (together.names.index(name) for name in ("R1 (300 K)", "R1.activation_energy"))
    for member, kelvin in zip(together.members, KELVIN, strict=True):
        by = np.array([1 / together.values[i], (1 / kelvin - 1 / 300.0) / EV])
        share = np.sqrt(by @ together.covariance[np.ix_([i, j], [i, j])] @ by)
        assert member.error("R1") / member["R1"] == pytest.approx(share, rel=1e-9)


@pytest.mark.slow
def test_errors_of_a_law_are_the_scatter_of_repeated_series():
    fits = [fit_together(ARC, activated(seed=100 * k), LAWS, starts=0) for k in range(40)]
    scatter = np.std([one.values for one in fits], axis=0, ddof=1)
    stated = np.mean([one.standard_errors for one in fits], axis=0)
    np.testing.assert_allclose(stated, scatter, rtol=0.4)  # scatter is known to 1/sqrt(78) = 11 %; 3.5 of those
    members = np.array([[one.members[k]["R1"] for one in fits] for k in range(4)])
    errors = [np.mean([one.members[k].error("R1") for one in fits]) for k in range(4)]
    np.testing.assert_allclose(errors, np.std(members, axis=1, ddof=1), rtol=0.4)


@pytest.mark.parametrize(("unit", "sign"), [("ohm", 1), ("ohm m^2", 1), ("s", 1), ("S/m", -1), ("F", -1), ("", -1)])
def test_an_activation_energy_is_positive_for_what_heat_makes_easier(unit, sign):
    """Resistances and times fall when hot; conductivities, and what has an unknown unit, rise."""
    parameter = Parameter("x", 1.0, 1e-9, 1e9, unit=unit)
    spread = Arrhenius(300.0).spread(parameter, [arc(temperature=T) for T in (300.0, 350.0)])
    assert np.sign(spread.rows[1, 1]) == -sign
    assert spread.rows[0].tolist() == [1.0, 0.0]
    line = Arrhenius(300.0, times_temperature=True).spread(parameter, [arc(temperature=T) for T in (300.0, 350.0)])
    np.testing.assert_allclose(line.level, [0.0, sign * np.log(350 / 300)], atol=1e-15)


ONE, TWO = {"temperature": 300.0}, {"temperature": 310.0}
WRONG = {
    "no temperature": ({"R1": Arrhenius()}, [ONE, {"label": "cold"}], "parameter R1: an Arrhenius law needs the "
        "temperature of every spectrum; cold has none"),
    "one temperature": ({"R1": Arrhenius()}, [ONE, ONE],
        "parameter R1: an Arrhenius law needs more than one temperature"),
    "no such condition": ({"R1": Curve("pressure", (0.0, 1.0))}, [{"label": "first"}, {}],
        "parameter R1: a curve needs the pressure of every spectrum; first has none"),
    "knots too narrow": ({"R1": Curve("temperature", (300.0, 305.0))}, [ONE, TWO],
        "parameter R1: knots from 300 to 305, but temperature runs from 300 to 310"),
    "one knot": ({"R1": Curve("temperature", (300.0,))}, [ONE, TWO],
        "parameter R1: knots (300.0,); valid: at least two, increasing"),
    "a knot alone": ({"R1": Curve("temperature", (290.0, 300.0, 310.0))}, [ONE, TWO],
        "parameter R1: no spectrum lies beside the knot at 290"),
    "no such parameter": ({"R7": Shared()}, [ONE, TWO], "there is no parameter 'R7'; the model has R0, R1, C1"),
}  # fmt: skip


@pytest.mark.parametrize(("laws", "fields", "message"), WRONG.values(), ids=WRONG)
def test_a_law_that_cannot_be_is_refused_with_what_would_do(laws, fields, message):
    with pytest.raises(DataError) as caught:
        fit_together(ARC, [arc(**own) for own in fields], laws)
    assert str(caught.value) == message


def test_an_exponent_has_no_arrhenius_law():
    model = CircuitModel("R0-CPE1")
    with pytest.raises(DataError, match=r"parameter CPE1\.n: an Arrhenius law needs a log scale"):
        fit_together(model, [arc(**ONE), arc(**TWO)], {"CPE1.n": Arrhenius()})
