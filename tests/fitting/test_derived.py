"""Ohms become material numbers, and their errors travel with them."""

import numpy as np
import pytest

from ionics.fitting.derived import EV, Geometry, Measured, arrhenius, brug, hsu_mansfeld, propagate
from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.notation import parse
from ionics.fitting.spectrum import DataError, Spectrum


def test_a_pellet_turns_ohm_into_siemens_per_centimetre():
    pellet = Geometry.pellet(diameter=8e-3, thickness=2.1e-3)
    sigma = pellet.conductivity(Measured(1.462e5, 1.462e3, "ohm"))
    assert sigma.value == pytest.approx(0.21 / (np.pi * 0.4**2 * 1.462e5), rel=1e-12)
    assert sigma.error / sigma.value == pytest.approx(0.01)
    assert sigma.unit == "S/cm"


def test_errors_of_the_geometry_add_in_squares():
    pellet = Geometry(2.1e-3, 5e-5, thickness_error=2.1e-5, area_error=1e-6)  # 1 % and 2 %
    sigma = pellet.conductivity(Measured(100.0, 2.0, "ohm"))
    assert sigma.error / sigma.value == pytest.approx(0.03)
    capacitance = pellet.specific_capacitance(Measured(1e-6, 0.0, "F"))
    assert capacitance.value == pytest.approx(1e-6 / 0.5)
    assert capacitance.error / capacitance.value == pytest.approx(0.02)
    with pytest.raises(ValueError, match=r"area 0\.0; valid: > 0"):
        Geometry(1e-3, 0.0)


def test_an_effective_capacitance_with_exponent_one_is_the_capacitance():
    assert hsu_mansfeld(1e-6, 1.0, 50.0) == pytest.approx(1e-6)
    assert brug(1e-6, 1.0, 50.0, 5.0) == pytest.approx(1e-6)


def test_the_effective_capacitance_peaks_where_the_arc_peaks():
    q, n, r = 1e-6, 0.8, 50.0
    frequency = np.logspace(0, 6, 100001)
    z = r / (1 + r * q * (2j * np.pi * frequency) ** n)
    peak = frequency[np.argmin(z.imag)]
    assert 1 / (2 * np.pi * r * hsu_mansfeld(q, n, r)) == pytest.approx(peak, rel=1e-3)  # grid of the peak
    assert brug(q, n, r, 1e12) == pytest.approx(hsu_mansfeld(q, n, r), rel=1e-9)  # nothing in series matters


def test_an_arrhenius_line_gives_back_its_energy_in_either_form():
    temperature = np.linspace(300.0, 400.0, 6)
    boltzmann = np.exp(-0.5 / (EV * temperature))
    line = arrhenius(temperature, 1e3 / temperature * boltzmann)
    assert line.activation_energy.value == pytest.approx(0.5, rel=1e-12)
    assert np.exp(line.log_prefactor.value) == pytest.approx(1e3, rel=1e-9)
    assert line.conductivity(350.0) == pytest.approx(1e3 / 350.0 * np.exp(-0.5 / (EV * 350.0)))
    plain = arrhenius(temperature, 7.0 * boltzmann, times_temperature=False)
    assert plain.activation_energy.value == pytest.approx(0.5, rel=1e-12)
    with pytest.raises(DataError, match="at least 3"):
        arrhenius(temperature[:2], boltzmann[:2])


def test_weighted_arrhenius_errors_are_the_scatter_of_repeated_measurements():
    temperature = np.linspace(300.0, 400.0, 6)
    exact = 1e3 / temperature * np.exp(-0.5 / (EV * temperature))
    errors = exact * np.array([0.01, 0.01, 0.05, 0.01, 0.05, 0.01])
    rng = np.random.default_rng(0)
    lines = [arrhenius(temperature, rng.normal(exact, errors), errors=errors) for _ in range(400)]
    scatter = np.std([line.activation_energy.value for line in lines], ddof=1)
    # known to 1/sqrt(800) = 3.5 %; four of those
    assert lines[0].activation_energy.error == pytest.approx(scatter, rel=0.14)


def test_a_sum_of_correlated_resistances_is_better_known_than_its_parts():
    frequency = np.logspace(6, 2, 33)
    circuit = parse("R0-p(R1,CPE1)-CPE2", {"R0": 100.0, "R1": 300.0, "CPE1.Q": 1e-8, "CPE1.n": 0.9, "CPE2.Q": 1e-5})
    rng = np.random.default_rng(1)
    z = np.asarray(circuit.impedance(2 * np.pi * frequency))
    z = z * (1 + 0.01 * (rng.standard_normal(33) + 1j * rng.standard_normal(33)))
    result = fit(CircuitModel(circuit), Spectrum(frequency, z), starts=8)
    total = propagate(result, lambda p: p["R0"] + p["R1"], "ohm")
    i, j = (result.names.index(name) for name in ("R0", "R1"))
    c = result.covariance
    assert total.value == pytest.approx(result["R0"] + result["R1"])
    assert total.error == pytest.approx(np.sqrt(c[i, i] + c[j, j] + 2 * c[i, j]))
    assert total.error < min(result.error("R0"), result.error("R1"))
