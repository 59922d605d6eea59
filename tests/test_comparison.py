"""Which model the data want: the true one, and a plain word where they cannot tell."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.comparison import NotComparable, compare
from ionics.fit_results import fit_to_dataset
from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.notation import parse
from ionics.fitting.spectrum import Spectrum

FREQUENCY = np.logspace(6, 0, 43)
TWO = {"R0": 10.0, "R1": 100.0, "C1": 1e-8, "R2": 60.0, "C2": 1e-6}


def measured(circuit, values, noise=0.01, sha256="a"):
    z = np.asarray(parse(circuit, values).impedance(jnp.asarray(2 * np.pi * FREQUENCY)))
    rng = np.random.default_rng(3)
    z = z * (1 + noise * (rng.standard_normal(43) + 1j * rng.standard_normal(43)))
    return Spectrum(FREQUENCY, z, label="sample", sha256=sha256)


@pytest.fixture(scope="module")
def fits():
    spectrum = measured("R0-p(R1,C1)-p(R2,C2)", TWO)
    circuits = {
        "one arc": "R0-p(R1,C1)",
        "two arcs": "R0-p(R1,C1)-p(R2,C2)",
        "three arcs": "R0-p(R1,C1)-p(R2,C2)-p(R3,C3)",
    }
    return {name: fit_to_dataset(fit(CircuitModel(circuit), spectrum, starts=16)) for name, circuit in circuits.items()}


def test_the_circuit_that_made_the_data_is_preferred(fits):
    table = compare(fits)
    assert table.model.values[0] == "two arcs"
    assert float(table.delta_aicc.sel(model="one arc")) > 100
    assert table.attrs["message"].startswith(("The data want two arcs", "The data favour two arcs"))
    assert float(table.weight.sum()) == pytest.approx(1.0)


def test_a_model_that_only_has_more_parameters_is_told_from_the_true_one_by_its_penalty(fits):
    table = compare({name: fits[name] for name in ("two arcs", "three arcs")})
    # two more parameters that fit noise: AICc rises by 2 x 2 and less than chance takes back
    assert 0 < float(table.delta_aicc.sel(model="three arcs")) < 8


def test_fits_of_other_data_or_other_weighting_are_refused(fits):
    other = fit_to_dataset(fit(CircuitModel("R0-p(R1,C1)"), measured("R0-p(R1,C1)", {}, sha256="b"), starts=4))
    with pytest.raises(NotComparable, match="data of one arc and other differ: only fits of the same data"):
        compare({"one arc": fits["one arc"], "other": other})
    spectrum = measured("R0-p(R1,C1)-p(R2,C2)", TWO)
    spectrum = dataclasses.replace(spectrum, sigma=0.01 * np.abs(spectrum.impedance))
    known = fit_to_dataset(fit(CircuitModel("R0-p(R1,C1)"), spectrum, weighting="sigma", starts=4))
    with pytest.raises(NotComparable, match="weighting of one arc and known differ"):
        compare({"one arc": fits["one arc"], "known": known})
    with pytest.raises(NotComparable, match="one fit; a comparison needs two"):
        compare({"one arc": fits["one arc"]})
