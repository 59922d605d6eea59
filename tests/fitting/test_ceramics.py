"""Barriers of grain boundaries: closed forms, what becomes of them in the full stack, and when they fail."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from ionics.constants import FARADAY, GAS
from ionics.fitting.ceramics import arcs as ceramics
from ionics.fitting.ceramics import barrier, depletion
from ionics.fitting.ceramics.arcs import Arcs, barrier_of_resistances, barrier_of_times, bricks, debye, trend
from ionics.fitting.ceramics.barrier import Found, NoBarrier, compare, match
from ionics.fitting.ceramics.grains import (
    CHARGE,
    CORE,
    GRAIN,
    PERMITTIVITY,
    answer,
    half_grain,
    remeshed,
    repeated,
    spectrum,
    spectrum_model,
)
from ionics.fitting.derived import Geometry, Measured, propagate
from ionics.fitting.files.readers import read_spectrum
from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.spectrum import DataError, Spectrum
from ionics.laws import Constant
from ionics.transport.stack import (
    Carrier,
    Junction,
    Layer,
    Material,
    Species,
    Stack,
    Unit,
    debye_length,
    graded_mesh,
    neutral_charge,
    reservoir,
    transfer,
)
from ionics.transport.statistics import Dilute

T = 773.0
VACANCY, DOPANT = Species("V_O", 2), Species("dopant", -2)
THERMAL = GAS * T / FARADAY / 2  # RT/zF


def ceria(permittivity=26.0):
    """Vacancies between immobile dopants."""
    carrier = Carrier(VACANCY, Dilute(), 1.0, 30.0, Constant(5e-11))
    return Material("ceria", (carrier,), permittivity, neutral_charge((carrier,)))


def hot_ceria():
    """Dopants in equilibrium with the vacancies."""
    carriers = tuple(Carrier(s, Dilute(), 1.0, 30.0, Constant(5e-11)) for s in (VACANCY, DOPANT))
    return Material("hot ceria", carriers, 26.0, 0.0)


LENGTH = float(debye_length(ceria(), T))
ONE = Measured(1.0, 0.0, "m")


def grain(size, u, permittivity=26.0):
    """Half a grain, its size in Debye lengths, its barrier in RT/zF, on its own mesh."""
    return remeshed(half_grain(ceria(permittivity), size * LENGTH, T, u * THERMAL))


def arcs_of(found, error=0.01, temperature=T):
    """What a spectrum would say of it."""
    time = float(found.time / found.resistance)
    numbers = ((100.0, "ohm"), (100.0 * abs(float(found.resistance)), "ohm"), (1e-11, "F"), (1e-11 * abs(time), "F"))
    return Arcs.measured(float(temperature), *(Measured(value, error * value, unit) for value, unit in numbers))


# ---- closed forms


def test_the_exact_depletion_layer_is_that_of_the_reference(reference):
    """A04: quadrature of the Mott-Schottky layer with its carriers."""
    case, given = reference["A04"]["reference"], reference["A04"]["parameters"]
    length = debye(given["eps_r"], given["N_donor_mol_m3"], 298.15)
    excess = length * depletion.depletion(abs(given["V_bend"]) * FARADAY / (GAS * 298.15))
    assert excess == pytest.approx(case["int_exp_u_minus1_dx_m"], rel=1e-6)  # the reference's own digits


@pytest.mark.parametrize("u", [0.1, 2.0, 8.0, 30.0])
def test_the_parabola_is_integrated_exactly(u):
    direct = np.sqrt(2 * u) * np.exp(u) * quad(lambda t: np.exp(u * (t**2 - 1)), 0, 1, epsabs=0, epsrel=1e-12)[0]
    assert depletion.parabola(u) == pytest.approx(direct, rel=1e-11)


@pytest.mark.parametrize("u", [-3.0, 0.5, 4.0, 12.0])
def test_the_gouy_chapman_layer_is_integrated_exactly(u):
    """Over its profile exp(4 artanh(tanh(u/4) e^-x)), to 40 Debye lengths."""

    def excess(x):
        return np.expm1(4 * np.arctanh(np.tanh(u / 4) * np.exp(-x)))

    points = np.append(np.geomspace(1e-8, 1, 30), 40.0)
    parts = [quad(excess, a, b, epsabs=0, epsrel=1e-10)[0] for a, b in zip(np.append(0, points), points, strict=False)]
    assert depletion.gouy_chapman(u) == pytest.approx(sum(parts), rel=1e-8)


def test_the_shortcut_lacks_a_share_of_one_over_u():
    """Of the parabola half of it; both to the next order, 1.5 / u^2 and 3 / u^2."""
    for u in (20.0, 40.0, 80.0):
        short = depletion.mott_schottky(u)
        assert 1 - short / depletion.depletion(u) == pytest.approx(1 / u, abs=3 / u**2)
        assert 1 - short / depletion.parabola(u) == pytest.approx(1 / (2 * u), abs=1.5 / u**2)


@pytest.mark.parametrize("u", [1.5, 6.0, 25.0])
def test_inverses_return_the_barrier(u):
    assert depletion.barrier_of_times(np.exp(u) / (2 * u)) == pytest.approx(u, rel=1e-12)
    assert depletion.barrier_of_excess(depletion.mott_schottky(u)) == pytest.approx(u, rel=1e-12)
    assert depletion.barrier_of_gouy_chapman(depletion.gouy_chapman(u)) == pytest.approx(u, rel=1e-12)
    for sign in (1, -1):
        assert depletion.barrier_of_depletion(depletion.depletion(sign * u)) == pytest.approx(sign * u, rel=1e-10)


def test_ratios_that_no_barrier_has_give_none_and_say_so():
    small = Arcs.measured(T, *(Measured(1.0, 0.1, "") for _ in range(4)))
    assert np.isnan(depletion.barrier_of_times(1.3))
    found = barrier_of_times(small)
    assert np.isnan(found.potential.value)
    assert "no barrier" in found.doubts[0]
    with pytest.raises(DataError, match="above 0"):
        Arcs.measured(T, Measured(-1.0, 0.1, "ohm"), Measured(1.0, 0.1, "ohm"))


# ---- arcs to numbers, with errors


def test_bricks_of_known_grains_and_boundaries():
    """Grains of 1 um and 0.1 S/m, boundaries of 10 nm and 1e-4 S/m, both of permittivity 30: 1 mm by 1 cm2."""
    eps, count = 30 * 8.8541878188e-12, 1e-3 / 1e-6
    numbers = [
        1e-3 / 0.1 / 1e-4,
        eps * 1e-4 / 1e-3,
        count * 10e-9 / 1e-4 / 1e-4,
        eps * 1e-4 / (count * 10e-9),
    ]
    arcs = Arcs.measured(300.0, *(Measured(numbers[k], 0.01 * numbers[k], "") for k in (0, 2, 1, 3)))
    found = bricks(arcs, Geometry(1e-3, 1e-4), Measured(1e-6, 1e-7, "m"))
    assert found.time_ratio.value == pytest.approx(0.1 / 1e-4, rel=1e-12)
    assert found.specific_conductivity.value == pytest.approx(1e-6, rel=1e-12)  # S/cm
    assert found.bulk_conductivity.value == pytest.approx(1e-3, rel=1e-12)
    assert found.boundary_conductivity.value == pytest.approx(1e-4, rel=1e-12)
    assert found.permittivity.value == pytest.approx(30, rel=1e-9)
    assert found.thickness.value == pytest.approx(10e-9, rel=1e-12)
    assert found.thickness.error / found.thickness.value == pytest.approx(np.sqrt(0.01 + 2e-4), rel=1e-12)
    assert found.time_ratio.error / found.time_ratio.value == pytest.approx(0.02, rel=1e-12)


def test_errors_of_barriers_are_those_of_repeated_measurements():
    """40000 draws with a tenth of a per cent each, and of grain size and Debye length: 1 % of a standard deviation."""
    rng = np.random.default_rng(1)
    numbers, relative = np.array([100.0, 1e-11, 3000.0, 2e-10]), 1e-3
    arcs = Arcs.measured(T, *(Measured(numbers[k], relative * numbers[k], "") for k in (0, 2, 1, 3)))
    size, length = (Measured(value, relative * value, "m") for value in (1e-6, 5e-9))
    draws = numbers * (1 + relative * rng.normal(size=(40000, 4)))
    sizes, lengths = (one.value * (1 + relative * rng.normal(size=40000)) for one in (size, length))
    time = [depletion.barrier_of_times(r2 * c2 / r1 / c1) for r1, c1, r2, c2 in draws]
    excess = draws[:, 2] / draws[:, 0] * sizes / (2 * lengths)
    of_times, of_resistances = barrier_of_times(arcs, 2, length), barrier_of_resistances(arcs, 2, size, length)
    u = np.array([depletion.barrier_of_excess(y) for y in excess])
    gouy = barrier_of_resistances(arcs, 2, size, length, "gouy-chapman")
    for found, drawn in (
        (of_times.reduced, time),
        (of_times.width, lengths * np.sqrt(2 * np.array(time))),
        (of_resistances.reduced, u),
        (of_resistances.width, lengths * np.sqrt(2 * u)),
        (gouy.reduced, 2 * np.log1p(excess / 2)),
    ):
        assert found.value == pytest.approx(np.mean(drawn), rel=1e-4)
        assert found.error == pytest.approx(np.std(drawn), rel=0.02)
    assert of_times.potential.value == pytest.approx(of_times.reduced.value * THERMAL, rel=1e-12)


def test_arcs_of_a_fit_carry_its_covariance():
    model = CircuitModel(
        "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3",
        start={"R0": 1.0, "R1": 1e3, "CPE1.Q": 1e-10, "CPE1.n": 0.95, "R2": 5e3, "CPE2.Q": 3e-8, "CPE2.n": 0.85,
               "CPE3.Q": 1e-5, "CPE3.n": 0.9},
        fixed=("R0",),
    )  # fmt: skip
    frequency, rng = np.geomspace(1e-1, 1e8, 64), np.random.default_rng(0)
    values = jnp.asarray([p.start for p in model.parameters])
    z = np.asarray(model.impedance(values, jnp.asarray(frequency)))
    z = z * (1 + 0.003 * (rng.normal(size=64) + 1j * rng.normal(size=64)))
    result = fit(model, Spectrum(frequency, z, label="two arcs", temperature=T), starts=0)
    arcs = Arcs.of_fit(result)

    def times(v):
        tau = [(v[f"CPE{k}.Q"] * v[f"R{k}"]) ** (1 / v[f"CPE{k}.n"]) for k in (1, 2)]
        return tau[1] / tau[0]

    expected = propagate(result, times, "1")
    assert arcs.time_ratio.value == pytest.approx(expected.value, rel=1e-9)
    assert arcs.time_ratio.error == pytest.approx(expected.error, rel=1e-6)
    without = Arcs.of_fit(result, bulk=("R1", None))
    assert without.resistance_ratio.error == pytest.approx(propagate(result, lambda v: v["R2"] / v["R1"], "").error)
    assert np.isnan(without.time_ratio.value)
    with pytest.raises(DataError, match="no 'R7'"):
        Arcs.of_fit(result, bulk=("R7", None))


def test_the_trend_of_a_barrier_over_temperature():
    kelvin = np.linspace(500.0, 700.0, 6)
    steady = trend(kelvin, [Measured(0.3 + 1e-4 * (-1) ** k, 2e-3, "V") for k in range(6)])
    assert "same at all temperatures" in steady.sentence
    falling = trend(kelvin, [Measured(0.5 - 4e-4 * t, 1e-3, "V") for t in kelvin])
    assert falling.slope.value == pytest.approx(-4e-4, rel=1e-9)
    spread = np.sqrt(np.sum((kelvin - kelvin.mean()) ** 2))
    assert falling.slope.error == pytest.approx(1e-3 / spread, rel=1e-9)
    assert "falls by 40 mV per 100 K" in falling.sentence


# ---- the full stack


@pytest.mark.parametrize("u", [-2.0, 1.5, 6.0, 15.0])
def test_a_wide_grain_has_the_exact_depletion_resistance(u):
    """The mesh of 201 nodes: 1e-4."""
    found = answer(grain(200, u))
    assert float(found.resistance) * 100 == pytest.approx(depletion.depletion(u), rel=2e-4)
    assert float(found.barrier) == pytest.approx(u * THERMAL, rel=1e-9)
    assert abs(float(found.middle)) < 1e-9


@pytest.mark.parametrize("u", [8.0, 15.0, 25.0])
def test_high_barriers_and_wide_grains_approach_the_shortcut(u):
    """The barrier read off is high by 1/u of RT/zF by resistances, 1.7/u by time constants; next order 3/u^2."""
    arcs = arcs_of(answer(grain(200, u)))
    by_resistances = barrier_of_resistances(arcs, 2, Measured(200 * LENGTH, 0.0, "m"), Measured(LENGTH, 0.0, "m"))
    assert by_resistances.reduced.value - u == pytest.approx(1 / u, abs=3 / u**2)
    by_times = barrier_of_times(arcs, 2).reduced.value - u
    assert 1 / u < by_times < 1.7 / u + 3 / u**2


def test_a_barrier_is_found_again_and_the_shortcut_compared():
    ceramic = grain(200, 12.0)
    for by in ("times", "resistances"):
        found = compare(grain(200, 3.0), arcs_of(answer(ceramic)), by)
        assert found.stack.barrier.value == pytest.approx(12 * THERMAL, rel=1e-6)
        assert 0 < found.difference < 0.02
        assert "they agree" in found.sentence
        assert found.reasons == ()


def test_its_error_is_the_derivative_by_the_ratio():
    ceramic = grain(200, 12.0)
    ratio = float(answer(ceramic).resistance)
    low, mid, high = (
        match(ceramic, (CORE,), resistance=Measured(ratio * k, ratio * 1e-3, "1")) for k in (0.999, 1.0, 1.001)
    )
    assert mid.barrier.error == pytest.approx((high.barrier.value - low.barrier.value) / 2, rel=1e-4)


def test_a_low_barrier_is_flagged():
    found = compare(grain(200, 2.0), arcs_of(answer(grain(200, 1.5))))
    assert found.stack.barrier.value == pytest.approx(1.5 * THERMAL, rel=1e-6)
    assert found.difference > 0.5
    assert "not empty" in found.sentence
    assert "leaves carriers" in found.shortcut.doubts[0]


def test_layers_that_meet_are_flagged():
    found = compare(grain(4, 6.0), arcs_of(answer(grain(4, 8.0))))
    assert found.stack.barrier.value == pytest.approx(8 * THERMAL, rel=1e-6)
    assert found.difference > 0.1
    assert "meet in a grain" in found.sentence


def test_accumulation_is_found_where_the_shortcut_has_nothing():
    found = match(grain(20, -0.5), (CORE,), resistance=Measured(float(answer(grain(20, -3.0)).resistance), 1e-3, "1"))
    assert found.barrier.value == pytest.approx(-3 * THERMAL, rel=1e-6)
    assert "gather at the core" in barrier.why(found)[0]
    with pytest.raises(NoBarrier, match="above -1"):
        match(grain(20, -0.5), (CORE,), resistance=Measured(-1.5, 0.1, "1"))
    with pytest.raises(ValueError, match="as many of both"):
        match(grain(20, -0.5), (CORE,))


def test_barrier_and_permittivity_follow_from_both_ratios():
    found = compare(grain(200, 5.0, permittivity=40.0), arcs_of(answer(grain(200, 9.0))), also=PERMITTIVITY)
    assert found.stack.barrier.value == pytest.approx(9 * THERMAL, rel=1e-6)
    assert found.stack.values[1].value == pytest.approx(26.0, rel=1e-5)


def test_an_unknown_grain_size_follows_from_both_ratios():
    found = compare(grain(120, 5.0), arcs_of(answer(grain(200, 9.0))), also=GRAIN)
    assert found.stack.barrier.value == pytest.approx(9 * THERMAL, rel=1e-6)
    assert 2 * found.stack.values[1].value == pytest.approx(200 * LENGTH, rel=1e-5)


def test_dopants_that_follow_the_field_make_a_gouy_chapman_layer():
    """And the Mott-Schottky reading of it is far too low (Usler, De Souza 2021)."""
    material = hot_ceria()
    length = float(debye_length(material, T))
    ceramic = remeshed(half_grain(material, 200 * length, T, 12 * THERMAL, frozen=("dopant",)))
    found = answer(ceramic)
    assert float(found.resistance) * 100 == pytest.approx(depletion.gouy_chapman(12.0), rel=2e-4)
    arcs, size = arcs_of(found), Measured(200 * length, 0.0, "m")
    right = barrier_of_resistances(arcs, 2, size, Measured(length, 0.0, "m"), "gouy-chapman")
    assert right.reduced.value == pytest.approx(12.0, rel=1e-4)
    for wrong in (barrier_of_times(arcs, 2), barrier_of_resistances(arcs, 2, size, Measured(LENGTH, 0.0, "m"))):
        assert 0.6 < wrong.reduced.value / 12 < 0.8
    reasons = barrier.why(Found(ceramic, (), Measured(12 * THERMAL, 0.0, "V"), found))
    assert any("Gouy-Chapman" in reason for reason in reasons)


def test_a_series_gives_the_trend_of_both_readings():
    """A barrier that falls by 0.2 mV/K from 0.35 V at 500 K: the stack finds it, the shortcut is high and flatter."""
    kelvin = np.array([500.0, 600.0, 700.0, 800.0])

    def at(temperature, volts=0.3):
        length = debye(26.0, 30.0, temperature, 2)
        return remeshed(half_grain(ceria(), 300 * length, float(temperature), volts))

    truth = 0.35 - 2e-4 * (kelvin - 500)
    measured = [arcs_of(answer(at(t, volts)), temperature=t) for t, volts in zip(kelvin, truth, strict=True)]
    found = barrier.series(at, measured)
    np.testing.assert_allclose([one.stack.barrier.value for one in found.readings], truth, rtol=1e-6)
    assert found.stack.slope.value == pytest.approx(-2e-4, rel=1e-4)
    assert "falls by 20 mV per 100 K" in found.stack.sentence
    assert np.all([0.005 < one.difference < 0.05 for one in found.readings])
    assert found.shortcut.slope.value > found.stack.slope.value


def charged(charge):
    """A thousand grains of 40 Debye lengths with a charge [C m-2] between their halves."""
    half = 20 * LENGTH
    layers = tuple(Layer(name, ceria(), half, graded_mesh(ceria(), half, T, 201)) for name in ("left", "right"))
    junctions = (
        Junction("l", reservoir(ceria(), "left", T)),
        Junction("core", (transfer("V_O"),), surface_charge=charge),
        Junction("r", reservoir(ceria(), "right", T)),
    )
    return Stack((VACANCY,), layers, junctions, T, units=(Unit(0, 1, 1000.0),))


@pytest.mark.slow
def test_a_charged_core_between_two_grains_is_twice_half_a_grain():
    """Two ways to the same boundary: a charge in the middle of a unit, a potential at the end of half of it."""
    whole = remeshed(repeated(charged(0.05)))
    found = answer(whole)
    half = remeshed(half_grain(ceria(), 40 * LENGTH, T, float(found.barrier)))
    other = answer(half)
    assert float(found.resistance) == pytest.approx(float(other.resistance), rel=1e-7)
    assert float(found.time) == pytest.approx(float(other.time), rel=1e-7)
    again = match(repeated(charged(0.04)), (CHARGE,), time=Measured(float(found.time), 0.0, "1"))
    assert again.values[0].value == pytest.approx(0.05, rel=1e-4)
    frequency = jnp.asarray([1e2, 1e6, 1e10])
    np.testing.assert_allclose(spectrum(whole, frequency), spectrum(half, frequency), rtol=1e-6)
    with pytest.raises(ValueError, match="has 1"):
        repeated(charged(0.05), 1)


@pytest.mark.slow
def test_a_whole_spectrum_gives_barrier_conductivity_and_permittivity():
    """With electrodes as a constant-phase element and half a per cent of noise: within four standard errors."""
    electrodes = CircuitModel("CPE1", start={"CPE1.Q": 1e-6, "CPE1.n": 0.9})
    model = spectrum_model(grain(40, 8.0), 1e-3, 1e-4, electrodes=electrodes)
    true = np.array([0.3, 1.3, 30.0, 1e-6, 0.88])
    frequency, rng = np.geomspace(1e-1, 1e9, 41), np.random.default_rng(0)
    z = np.asarray(model.impedance(jnp.asarray(true), jnp.asarray(frequency)))
    z = z * (1 + 0.005 * (rng.normal(size=41) + 1j * rng.normal(size=41)))
    result = fit(model, Spectrum(frequency, z, label="ceria"), starts=0)
    assert result.names == ("barrier", "conductivity factor", "permittivity", "CPE1.Q", "CPE1.n")
    assert np.all(np.abs(result.values - true) < 4 * result.standard_errors)
    assert result.error("barrier") < 1e-3


def test_the_threshold_below_which_a_reading_is_doubted_is_a_tenth():
    for by, u in ceramics.LOW.items():
        at, below = (compare(grain(200, v), arcs_of(answer(grain(200, v))), by) for v in (u, 0.9 * u))
        assert below.difference > 0.1 > at.difference > 0.09
        assert at.shortcut.doubts == ()


@pytest.mark.slow
def test_a_measured_ceramic_has_a_barrier_of_a_fifth_of_a_volt(laboratory):
    """140 and 180 degC of configs/fit_temperature_series.yaml: grains of permittivity 27 to 34; at both the two
    ratios ask for the same 15 to 16 Debye lengths a grain, which nobody put in."""
    found = []
    for celsius in (140, 180):
        path = laboratory / "eisfitpython" / "EIS_Data" / "Example-3-4" / f"s04147-{celsius}deg.txt"
        result = fit(
            CircuitModel("p(R1,CPE1)-p(R2,CPE2)-CPE3"), read_spectrum(path, temperature=celsius + 273.15), starts=24
        )
        arcs = Arcs.of_fit(result)
        if arcs.time_ratio.value < 1:
            arcs = Arcs.of_fit(result, bulk=("R2", "CPE2"), boundary=("R1", "CPE1"))
        assert 27 < bricks(arcs, Geometry(0.21e-2, 0.50265e-4)).permittivity.value < 34
        carrier = Carrier(Species("A+", 1), Dilute(), 1.0, 1660.0, Constant(1e-14))
        material = Material("grain", (carrier,), 30.0, neutral_charge((carrier,)))
        length = float(debye_length(material, arcs.temperature))
        one = compare(half_grain(material, 30 * length, arcs.temperature), arcs, also=GRAIN)
        assert "no thin layer in series" in one.shortcut.doubts[-1]
        found.append((one.stack.barrier.value, 2 * one.stack.values[1].value / length, one.difference))
    volts, lengths, difference = np.array(found).T
    np.testing.assert_allclose(volts, 0.193, atol=0.012)
    np.testing.assert_allclose(lengths, 15.4, atol=0.8)
    assert np.all((difference > 0.05) & (difference < 0.12))
