"""Datasets: what they hold, that files come back as they went, and what is concluded from them."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from ionics import fit_results, plots, results
from ionics.constants import VACUUM_PERMITTIVITY
from ionics.fitting.derived import arrhenius
from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.notation import parse
from ionics.fitting.spectrum import Spectrum
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import Linear
from ionics.laws import Constant
from ionics.quantity import plus_minus, pretty_unit, quantity
from ionics.results import Origin, open_result, save, to_dataset
from ionics.summary import blocking, contributions, verdict
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.stack import Carrier, Junction, Layer, Material, Species, Stack, transfer
from ionics.transport.statistics import Lattice

SITES, FREE, TEMPERATURE, THICKNESS = 1e4, 0.5, 300.0, 1e-6
CONTACT, CAPACITY, SERIES = 1e-3, 0.05, 2e-4  # ohm m2, F m-2, ohm m2


def stack(right_blocks: bool = False) -> Stack:
    """A film of one ion between two linear contacts."""
    ion = Species("Li+", 1)
    carrier = Carrier(ion, Lattice(), SITES, FREE, Constant(1e-14))
    material = Material("glass", (carrier,), 10.0, -SITES * FREE)
    layer = Layer("film", material, THICKNESS, jnp.full(40, 1 / 40))
    crossing = (transfer("Li+", Linear(Constant(CONTACT))),)
    left = Junction("left contact", crossing, Capacitance(CAPACITY))
    right = Junction("right contact", () if right_blocks else crossing, Capacitance(CAPACITY))
    return Stack((ion,), (layer,), (left, right), TEMPERATURE, SERIES)


FREQUENCY = np.geomspace(1e-3, 1e9, 60)


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    device = stack()
    rest = equilibrium(device)
    return to_dataset(device, rest, impedance(device, rest, FREQUENCY), Origin("Film", "made up", "a: 1\n", 2e-4))


@pytest.fixture(scope="module")
def blocked() -> xr.Dataset:
    device = stack(right_blocks=True)
    rest = equilibrium(device)
    return to_dataset(device, rest, impedance(device, rest, FREQUENCY))


@pytest.fixture(scope="module")
def fitted() -> xr.Dataset:
    model = CircuitModel(parse("R0-p(R1,CPE1)", {"R0": 10.0, "R1": 100.0, "CPE1.Q": 1e-6, "CPE1.n": 0.9}))
    frequency = np.geomspace(1, 1e5, 32)
    truth = np.asarray(model.impedance(jnp.array([p.start for p in model.parameters]), jnp.asarray(frequency)))
    rng = np.random.default_rng(1)
    noise = 1 + 0.01 * (rng.normal(size=32) + 1j * rng.normal(size=32))
    spectrum = Spectrum(frequency, truth * noise, temperature=300.0, label="made", source="made.csv", sha256="0")
    return fit_results.fit_to_dataset(fit(model, spectrum, starts=4), Origin("Fit"))


def test_every_number_has_a_unit_and_a_long_name(run, fitted):
    words = ("element_kind", "material", "nodes", "parameter_unit")
    for ds in (run, fitted):
        for name, variable in ds.data_vars.items():
            in_parameter_unit = "in parameter_unit" in variable.attrs.get("long_name", "")
            if name not in words and not in_parameter_unit and name not in ("at_bound", "lower", "upper", "covariance"):
                assert variable.attrs.get("units"), name
                assert variable.attrs.get("long_name"), name


def test_no_variable_is_complex_because_netcdf_has_none(run, fitted):
    assert not any(np.iscomplexobj(v) for ds in (run, fitted) for v in ds.variables.values())


def test_impedance_is_per_area_in_ohm_cm2_and_the_parts_add_up_to_it(run):
    z, parts = run.ionics.z, run.ionics.parts
    assert z.attrs["units"] == "ohm cm^2"
    # the engine adds the parts up in float64: 60 eps of the largest is rounding
    assert np.abs((parts.sum("element") - z).values).max() < 60 * np.finfo(float).eps * np.abs(z.values).max()
    assert parts.sel(element="series resistance").values == pytest.approx(np.full(60, SERIES * 1e4))


def test_resistances_and_capacitances_of_elements_are_those_that_were_put_in(run):
    table = contributions(run)
    # each is one R beside one C, but for the space charge at the contacts (Debye length / thickness = 1e-4)
    for contact in ("left contact", "right contact"):
        own = table.sel(element=contact)
        assert float(own.resistance) == pytest.approx(CONTACT * 1e4, rel=1e-3)
        assert float(own.capacitance) == pytest.approx(CAPACITY * 1e-4, rel=1e-3)
        assert float(own.peak_frequency) == pytest.approx(1 / (2 * np.pi * CONTACT * CAPACITY), rel=1e-3)
    geometric = VACUUM_PERMITTIVITY * 10.0 / THICKNESS * 1e-4
    assert float(table.sel(element="film").capacitance) == pytest.approx(geometric, rel=1e-3)
    assert float(table.share.sum()) == pytest.approx(1.0, abs=1e-12)


def test_rounding_is_not_taken_for_an_arc(run):
    noisy = run.copy(deep=True)
    rng = np.random.default_rng(0)
    wiggle = 1e-14 * rng.normal(size=(2, FREQUENCY.size)) * float(run.z_real.max())
    for name, values in zip(("z_part_real", "z_part_imag"), wiggle, strict=True):
        noisy[name] = run[name].where(run.element != "series resistance", xr.DataArray(values, dims="frequency"))
    table = contributions(noisy).sel(element="series resistance")
    assert np.isnan(table.peak_frequency)
    assert np.isnan(table.capacitance)


def test_the_verdict_names_the_largest_share_and_counts_in_ohm_on_the_area(run):
    words = " ".join(verdict(run))
    total = float(run.z_real.sel(frequency=1e-3))
    assert quantity(total, "Ω cm²") in words
    assert quantity(total / 2.0, "Ω") in words  # 2 cm^2
    assert "film" in words
    assert not blocking(run)


def test_a_blocked_cell_is_said_to_be_blocked_and_what_was_held_is_said(blocked):
    assert blocking(blocked)
    words = " ".join(verdict(blocked))
    assert "Direct current is blocked" in words
    for sentence in json.loads(blocked.attrs["pinned"]):
        assert sentence[1:] in words
    # the contact behind which nothing passes is its capacitance in series with the space charge's
    own = contributions(blocked).sel(element="right contact")
    assert float(own.capacitance) < CAPACITY * 1e-4 * (1 + 1e-3)


def test_a_saved_result_comes_back_bit_for_bit(run, tmp_path):
    save(run, tmp_path / "result.nc")
    again = open_result(tmp_path)
    xr.testing.assert_identical(again, run)
    assert json.loads(again.attrs["versions"])["jax"]
    assert again.attrs["config"] == "a: 1\n"
    assert again.attrs["result"] == 0


def test_a_failed_save_leaves_the_old_file_and_nothing_else(run, tmp_path):
    path = save(run, tmp_path / "result.nc")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="broken"):
        save(run.assign(broken=((), {"not": "a number"})), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["result.nc"]


def test_opening_what_is_not_there_says_what_would_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"result\.nc: no such result file"):
        open_result(tmp_path)


def test_a_fit_keeps_data_errors_and_correlation(fitted, tmp_path):
    save(fitted, tmp_path / "fit.nc")
    again = open_result(tmp_path / "fit.nc")
    xr.testing.assert_identical(again, fitted)
    value, error = (again[name].sel(parameter="R1").item() for name in ("value", "standard_error"))
    assert abs(value - 100.0) < 4 * error < 20.0
    residual = again.residual_real + 1j * again.residual_imag
    model = results.model_of(again)
    assert ((again.ionics.z - model) / abs(model)).values == pytest.approx(residual.values, rel=1e-12)
    assert np.diag(again.correlation.values) == pytest.approx(np.ones(4))
    assert "of 5 starts" in verdict(again)[1]  # the given one and four others


def test_a_series_keeps_each_fit_and_its_activation_energy(fitted, tmp_path):
    kelvin = np.array([300.0, 320.0, 340.0, 360.0])
    members = {f"{t:.0f}": fitted.assign(temperature=results.scalar(t, "K", "temperature")) for t in kelvin}
    sigma = 1e3 / kelvin * np.exp(-0.4 / (8.617333262e-5 * kelvin))
    points = {"R1": (sigma, 0.01 * sigma, arrhenius(kelvin, sigma, errors=0.01 * sigma))}
    tree = fit_results.add_arrhenius(fit_results.series(members), points, "S/cm")
    save(tree, tmp_path / "result.nc")
    again = open_result(tmp_path)
    assert isinstance(again, xr.DataTree)
    assert set(again.children) == set(members)
    assert float(again["activation_energy"].item()) == pytest.approx(0.4, abs=1e-8)
    assert "0.400" in " ".join(verdict(again))
    assert again["320"].ionics.z.attrs["units"] == "ohm"


def test_hundreds_of_fits_are_stored_in_one_group_and_come_back_as_they_were(fitted, tmp_path):
    names = [f"row {k}" for k in range(40)]
    members = {name: fitted.assign_attrs(label=name) for name in names}
    members["row 7"] = fitted.isel(frequency=slice(0, 11)).assign_attrs(label="a shorter one")
    members["row 8"] = fitted.drop_vars("covariance")
    tree = fit_results.series(members)
    save(tree, tmp_path / "result.nc")
    again = open_result(tmp_path)
    assert list(again.children) == names
    for name in names:
        xr.testing.assert_identical(again[name].to_dataset(inherit=False), tree[name].to_dataset(inherit=False))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 m"), (1.0, "1 m"), (999.6, "1 km"), (12345.0, "12.3 km"), (1e-9, "1 nm"), (-2.5e-6, "-2.5 µm"),
        (123456.0, "123 km"), (1e20, "100000000 Tm"), (float("nan"), "nan m"), (float("inf"), "inf m"),
    ],
)  # fmt: skip
def test_quantities_read_like_those_of_a_lab_book(value, words):
    assert quantity(value, "m") == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (12.3456, 0.567, "12.35 ± 0.57"), (1234.5, 12.0, "1234 ± 12"), (1.2e-6, 3.4e-8, "(1.200 ± 0.034)e-06"),
        (5.0, float("nan"), "5"), (1e7, 2e5, "(1.000 ± 0.020)e+07"), (-0.5, 0.011, "-0.500 ± 0.011"),
    ],
)  # fmt: skip
def test_errors_have_two_digits_and_values_no_more_than_they_deserve(value, error, words):
    assert plus_minus(value, error) == words


def test_units_are_written_with_signs():
    assert pretty_unit("ohm cm^2") == "Ω cm²"
    assert pretty_unit("1") == ""


def test_the_accessor_saves_and_speaks(run, tmp_path):
    assert run.ionics.save(tmp_path / "a.nc").is_file()
    assert run.ionics.verdict == " ".join(verdict(run))
    assert plots.Ionics(run).contributions.identical(contributions(run))
