"""A fit returns the truth, its error, and a plain word where the data leave something open."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.fitting.circuits import CPE, C, R
from ionics.fitting.leastsquares import fit, fit_series
from ionics.fitting.model import AbstractModel, CircuitModel, Free, LeafModel, Parameter
from ionics.fitting.notation import parse
from ionics.fitting.problem import linearised
from ionics.fitting.spectrum import DataError, Spectrum

FREQUENCY = np.logspace(6, -1, 43)
TRUTH = {"R0": 20.0, "R1": 300.0, "CPE1.Q": 2e-7, "CPE1.n": 0.9, "CPE2.Q": 3e-5, "CPE2.n": 0.75}
MODEL = CircuitModel("R0-p(R1,CPE1)-CPE2")


def synthetic(circuit, noise=0.0, seed=0, **fields):
    """The circuit's impedance with relative Gaussian noise on real and imaginary part."""
    z = np.asarray(circuit.impedance(jnp.asarray(2 * np.pi * FREQUENCY)))
    rng = np.random.default_rng(seed)
    z = z + noise * np.abs(z) * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z)))
    return Spectrum(FREQUENCY, z, label="synthetic", **fields)


@pytest.fixture(scope="module")
def clean():
    return fit(MODEL, synthetic(parse("R0-p(R1,CPE1)-CPE2", TRUTH)))


@pytest.fixture(scope="module")
def noisy():
    return fit(MODEL, synthetic(parse("R0-p(R1,CPE1)-CPE2", TRUTH), noise=0.01))


def test_without_noise_the_truth_is_found_to_rounding(clean):
    for name, value in TRUTH.items():
        assert clean[name] == pytest.approx(value, rel=1e-9)  # rounding 1e-16 times the condition of the Jacobian
    assert clean.relative_rmse < 1e-11
    assert clean.starts_at_best > 10
    assert not clean.undetermined


def test_with_noise_the_truth_lies_within_four_standard_errors_and_chi_squared_is_the_noise(noisy):
    for name, value in TRUTH.items():
        assert abs(noisy[name] - value) < 4 * noisy.error(name)
    spread = np.sqrt(2 / noisy.dof)  # of reduced chi-squared
    assert noisy.reduced_chi_squared == pytest.approx(0.01**2, rel=4 * spread)
    assert not noisy.systematic


def test_every_start_is_reported_with_its_cost_and_code(noisy):
    assert len(noisy.start_costs) == len(noisy.start_codes) == 65
    assert set(noisy.start_codes) <= {"converged", "iteration limit", "non-finite"}
    assert np.nanmin(noisy.start_costs) == pytest.approx(noisy.chi_squared, rel=1e-9)


def test_the_summary_leads_with_the_verdict_and_chi_squared(noisy):
    first, second = noisy.summary().split("\n")[:2]
    assert first.startswith("synthetic: fits well")
    assert second.startswith(f"chi-squared {noisy.chi_squared:.6g}")
    assert noisy._repr_html_().startswith("<p><b>fits well")
    assert noisy.as_dict()["parameters"]["R1"]["unit"] == "ohm"


def test_the_jacobian_is_that_of_differences(noisy):
    at = jnp.asarray(noisy.posed.unknowns.inner(np.array([TRUTH[name] for name in noisy.names])))
    _, exact = linearised(noisy.posed.problem, at)
    for k in range(len(at)):
        step = 1e-5  # of a logarithm: truncation 1e-10, rounding 1e-11
        up, down = (linearised(noisy.posed.problem, at.at[k].add(sign * step))[0] for sign in (1, -1))
        np.testing.assert_allclose(exact[:, k], (up - down) / (2 * step), atol=1e-8)


def test_standard_errors_are_the_scatter_of_repeated_measurements():
    repeats = 100
    circuit = parse("R0-p(R1,CPE1)-CPE2", TRUTH)
    model = CircuitModel(circuit)
    fits = [fit(model, synthetic(circuit, 0.01, seed), starts=0) for seed in range(repeats)]
    scatter = np.std([result.values for result in fits], axis=0, ddof=1)
    stated = np.mean([result.standard_errors for result in fits], axis=0)
    # a standard deviation from 100 samples is itself known to 1/sqrt(200) = 7 %; four of those
    np.testing.assert_allclose(stated, scatter, rtol=0.28)


def test_given_errors_are_not_rescaled_by_the_misfit():
    circuit = parse("R0-p(R1,CPE1)-CPE2", TRUTH)
    spectrum = synthetic(circuit, noise=0.01)
    small = fit(
        MODEL, dataclasses.replace(spectrum, sigma=0.01 * np.abs(spectrum.impedance)), weighting="sigma", starts=8
    )
    large = fit(
        MODEL, dataclasses.replace(spectrum, sigma=0.02 * np.abs(spectrum.impedance)), weighting="sigma", starts=8
    )
    assert small.reduced_chi_squared == pytest.approx(1.0, abs=4 * np.sqrt(2 / small.dof))
    np.testing.assert_allclose(large.values, small.values, rtol=1e-6)
    np.testing.assert_allclose(large.standard_errors, 2 * small.standard_errors, rtol=1e-5)
    assert small.verdict.startswith("fits within the given errors")
    with pytest.raises(DataError, match="weighting 'sigma' needs the spectrum's sigma"):
        fit(MODEL, spectrum, weighting="sigma")


def test_two_resistors_in_series_are_said_to_be_determined_as_a_sum_only():
    spectrum = synthetic(R(10.0) + (R(100.0) | C(1e-6)), noise=0.005)
    result = fit(CircuitModel("R0-R1-p(R2,C2)"), spectrum, starts=16)
    assert result.undetermined == ("R0 and R1 are not determined separately by these data: only their sum R0 + R1 is",)
    assert np.all(np.isinf(result.standard_errors[:2]))
    assert result["R0"] + result["R1"] == pytest.approx(10.0, rel=0.05)
    assert "not every parameter is determined" in result.verdict


def test_a_diffusion_layer_whose_end_is_never_reached_leaves_its_length_open():
    truth = parse("R0-Wo1", {"R0": 10.0, "Wo1.Z0": 1e5, "Wo1.tau": 1e6})  # lowest omega tau = 6e5
    result = fit(CircuitModel("R0-Wo1"), synthetic(truth, noise=0.01), start=np.array([10.0, 1e5, 1e6]), starts=0)
    assert len(result.undetermined) == 1
    assert "Wo1.Z0 * Wo1.tau^-0.5" in result.undetermined[0]
    assert result["Wo1.Z0"] / np.sqrt(result["Wo1.tau"]) == pytest.approx(100.0, rel=0.05)


def test_a_parameter_on_its_bound_is_flagged_and_has_no_error():
    spectrum = synthetic(R(10.0) + (R(100.0) | C(1e-6)), noise=0.005)
    model = CircuitModel(R(5.0) + (R(100.0) | C(1e-6)), bounds={"R0": (1.0, 8.0)})
    result = fit(model, spectrum, starts=8)
    assert result.at_bound == (True, False, False)
    assert result["R0"] == pytest.approx(8.0)
    assert np.isnan(result.error("R0"))
    assert np.all(np.isfinite(result.standard_errors[1:]))
    assert "on its bound" in result.summary()


def test_a_fixed_parameter_stays_and_is_not_counted():
    spectrum = synthetic(R(10.0) + (R(100.0) | C(1e-6)), noise=0.005)
    result = fit(CircuitModel(R(10.0) + (R(50.0) | C(1e-7)), fixed=("R0",)), spectrum, starts=8)
    assert result.names == ("R1", "C0")
    assert result["R1"] == pytest.approx(100.0, rel=0.01)


def test_a_wrong_circuit_is_called_wrong_even_though_it_converged():
    result = fit(CircuitModel("R0-p(R1,C1)"), synthetic(parse("R0-p(R1,CPE1)-CPE2", TRUTH)), starts=8)
    assert result.start_codes[0] == "converged"
    assert result.verdict.startswith("does not fit")
    assert result.systematic


def test_too_few_points_and_wrong_words_are_refused():
    few = Spectrum(FREQUENCY[:3], np.array([1 - 1j, 2 - 1j, 3 - 1j]), label="few")
    with pytest.raises(DataError, match="few: 3 points cannot determine 6 parameters; valid: more than 3 points"):
        fit(MODEL, few)
    with pytest.raises((ValueError, TypeError), match=r"(?s)weighting.*modulus.*sigma.*unit"):
        fit(MODEL, synthetic(R(1.0) + C(1e-6)), weighting="none")
    with pytest.raises(ValueError, match="parameter x: bounds 2 to 1; valid: 0 < lower < upper"):
        Parameter("x", 1.0, 2.0, 1.0)


TRACES = []


class Counted(AbstractModel):
    """A circuit that counts how often it is traced or run."""

    circuit: CircuitModel

    @property
    def parameters(self):
        return self.circuit.parameters

    def impedance(self, values, frequency):
        TRACES.append(len(frequency))
        return self.circuit.impedance(values, frequency)


def test_a_series_of_spectra_of_different_length_is_compiled_once():
    circuits = [parse("R0-p(R1,CPE1)-CPE2", {**TRUTH, "R1": r}) for r in (200.0, 300.0, 400.0)]
    spectra = [synthetic(circuit, 0.002, k).window(fmin=0.1 * (k + 1)) for k, circuit in enumerate(circuits)]
    TRACES.clear()
    results = fit_series(Counted(MODEL), spectra, starts=8)
    padded = [length for length in TRACES if length == 64]
    once = len(padded)
    fit_series(Counted(MODEL), spectra, starts=8)
    assert len([length for length in TRACES if length == 64]) == once  # nothing is traced a second time
    for result, r in zip(results, (200.0, 300.0, 400.0), strict=True):
        assert abs(result["R1"] - r) < 4 * result.error("R1")


# ---- any pytree


class Slab(eqx.Module):
    conductivity: jax.Array
    permittivity: jax.Array


class Pellet(eqx.Module):
    """Two slabs between two equal contacts."""

    slabs: tuple[Slab, Slab]
    contact: tuple[jax.Array, jax.Array]


def response(pellet, frequency):
    s = jax.lax.complex(jnp.zeros_like(frequency), 2 * np.pi * frequency)

    def admittance(conductivity, permittivity):
        return jax.lax.complex(conductivity, 0.0) + s * jax.lax.complex(permittivity, 0.0)

    bulk = sum(1 / admittance(slab.conductivity, slab.permittivity) for slab in pellet.slabs)
    return bulk + sum(1 / admittance(jnp.zeros(()), area) for area in pellet.contact)


def pellet(conductivities, contacts):
    slabs = tuple(Slab(jnp.asarray(s), jnp.asarray(1e-10)) for s in conductivities)
    return Pellet(slabs, tuple(jnp.asarray(c) for c in contacts))


def test_leaves_of_any_pytree_are_fitted_and_tied_leaves_move_together():
    true = pellet((1e-3, 1e-5), (2e-6, 4e-6))
    z = np.asarray(response(true, jnp.asarray(FREQUENCY)))
    model = LeafModel(
        pellet((1e-3, 2e-4), (1e-6, 2e-6)),
        (
            Free("grain boundary", lambda p: p.slabs[1].conductivity, 1e-8, 1e-2, unit="S"),
            Free("contacts", lambda p: p.contact, 1e-2, 1e2, factor=True),
        ),
        response,
    )
    assert [p.start for p in model.parameters] == [2e-4, 1.0]
    result = fit(model, Spectrum(FREQUENCY, z), starts=8)
    assert result["grain boundary"] == pytest.approx(1e-5, rel=1e-9)
    assert result["contacts"] == pytest.approx(2.0, rel=1e-9)


def test_a_value_replaces_all_leaves_it_is_tied_to():
    free = Free("sigma", lambda p: tuple(slab.conductivity for slab in p.slabs), 1e-8, 1.0)
    changed = free.put(pellet((1e-3, 1e-5), (1e-6, 1e-6)), jnp.asarray(0.5))
    assert [float(slab.conductivity) for slab in changed.slabs] == [0.5, 0.5]


def test_equal_arcs_are_named_by_the_nearest_start():
    truth = (R(1e3) | CPE(1e-9, 0.9)) + (R(5e2) | CPE(1e-6, 0.9))
    exchanged = (R(5e2) | CPE(1e-6, 0.9)) + (R(1e3) | CPE(1e-9, 0.9))
    spectrum = synthetic(truth)
    assert fit(CircuitModel(truth), spectrum, starts=16)["R0"] == pytest.approx(1e3, rel=1e-6)
    assert fit(CircuitModel(exchanged), spectrum, starts=16)["R0"] == pytest.approx(5e2, rel=1e-6)


def test_resistors_of_very_different_size_are_still_said_to_be_determined_as_a_sum():
    spectrum = synthetic(R(1020.0) + (R(100.0) | C(1e-6)), noise=0.005)
    start = np.array([20.0, 1000.0, 100.0, 1e-6])
    result = fit(CircuitModel("R0-R1-p(R2,C2)"), spectrum, start=start, starts=0)
    assert result.undetermined == ("R0 and R1 are not determined separately by these data: only their sum R0 + R1 is",)
