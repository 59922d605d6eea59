"""Runs on uncertain numbers: their intervals are those of closed forms, of exact derivatives and of runs by hand."""

import json
import math
from statistics import NormalDist

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ionics
from ionics import intervals, results
from ionics.config import leaves
from ionics.intervals import QUANTILES, influence, quantiles
from ionics.plots import figures
from ionics.report import report
from ionics.summary import intervals_of, verdict
from ionics.transport import adapt
from ionics.transport.balance import profiles
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance

FILE = """
title: two
temperature: 298.15 K
materials:
  one:
    permittivity: PERMITTIVITY
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 600 mol/m^3, occupancy: 0.1, conductivity: CONDUCTIVITY}
  two:
    permittivity: 13
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 200 mol/m^3, occupancy: 0.6, diffusivity: 1e-12 m^2/s}
stack:
  left: {contact: reservoir}
  layers:
    - {name: film, material: one, thickness: FILM, nodes: 101}
    - {name: host, material: two, thickness: 20 nm, nodes: 101}
  junctions:
    film | host: {carriers: {Li+: {law: equilibrium}}, space_charge_potential: POTENTIAL}
  right: {contact: reservoir}
study:
  uncertainty: {samples: SAMPLES, seed: 3}
  impedance: {from: 1 Hz, to: 1 GHz, points: 10}
"""
PLAIN = {"PERMITTIVITY": "16", "CONDUCTIVITY": "1e-6 S/cm", "FILM": "20 nm", "POTENTIAL": "-0.1 V", "SAMPLES": "64"}
FILM_RESISTANCE = 20e-9 / 1e-4 * 1e4  # ohm cm2, where nothing is charged
LN2 = math.log(2)
NORMAL = np.array([NormalDist().inv_cdf(q) for q in QUANTILES])


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The study of FILE with other words, and its run; every one is solved once, all share compiled functions."""
    done = {}

    def ask(**words: str):
        key = tuple(sorted(words.items()))
        if key not in done:
            text = FILE
            for name, value in (PLAIN | words).items():
                text = text.replace(name, value)
            path = tmp_path_factory.mktemp("asked") / "study.yaml"
            path.write_text(text, encoding="utf-8")
            study = ionics.load(path)
            done[key] = study, study.run()
        return done[key]

    return ask


@pytest.fixture(scope="module")
def wide(asked):
    """Three numbers as uncertain as atomistic ones."""
    return asked(
        POTENTIAL="{value: -0.1 V, uncertainty: 30 mV}",
        CONDUCTIVITY="{value: 1e-6 S/cm, uncertainty: factor 2, source: NEB, method: spread}",
        FILM="{value: 20 nm, uncertainty: 5 %}",
    )


def test_a_resistor_has_the_quantiles_of_its_conductivity(asked):
    """Without space charge R = L/sigma, so a log-normal sigma makes a log-normal R."""
    _, ds = asked(POTENTIAL="0 V", CONDUCTIVITY="{value: 1e-6 S/cm, uncertainty: factor 2}")
    film = ds.element_resistance_quantile.sel(element="film").values
    # between two of 64 draws a straight line stands for the log-normal distribution: 0.006 to 0.01 of ln 2 at its ends
    assert film == pytest.approx(FILM_RESISTANCE * 2**NORMAL, rel=0.01 * LN2)
    host = ds.element_resistance.sel(element="host").item()
    assert ds.resistance_quantile.values == pytest.approx(FILM_RESISTANCE * 2**NORMAL + host, rel=0.01 * LN2)
    assert ds.element_share_quantile.sel(element="film").values == pytest.approx(film / (film + host), rel=0.01)
    assert ds.z_real_quantile.isel(frequency=0).values == pytest.approx(ds.resistance_quantile.values, rel=0.01)
    assert float(ds.explained.sel(answer="resistance")) == pytest.approx(1, abs=1e-9)  # one number rules it: ranks


def test_small_uncertainties_give_what_exact_derivatives_give(asked):
    """Half of the 68 % interval of a potential is |d phi / d V| sigma, the slope by the implicit function theorem."""
    study, ds = asked(POTENTIAL="{value: -0.1 V, uncertainty: 0.5 mV}")
    stack, _ = adapt.resolved(study.stack)
    leaf = leaves.leaf(study.config, "stack.junctions.film | host.space_charge_potential")

    def potential(volts):
        moved = leaf.put(stack, volts)
        return profiles(moved, equilibrium(moved, throw=False).state).potential

    _, slope = eqx.filter_jvp(potential, (jnp.asarray(-0.1),), (jnp.asarray(1.0),))
    half = 0.5 * np.diff(ds.potential_quantile.values[[1, 3]], axis=0)[0]
    reach = NormalDist().inv_cdf(0.84) * 0.5e-3
    # to second order in 0.5 mV over RT/F, and to the rounding of Newton's method (1e-9 RT/F)
    assert half == pytest.approx(np.abs(slope) * reach, rel=5e-3, abs=1e-8)
    assert np.ptp(half) > 1e-4  # and something moves


def test_draws_are_what_runs_by_hand_give(asked):
    """Numbers put into the finished stack, on its meshes, against the file read again for every draw."""
    study, ds = asked(
        POTENTIAL="{value: -0.1 V, uncertainty: 30 mV}",
        CONDUCTIVITY="{value: 1e-6 S/cm, uncertainty: factor 2}",
        PERMITTIVITY="{value: 16, uncertainty: 10 %}",
        SAMPLES="8",
    )
    paths = ["stack.junctions.film | host.space_charge_potential", "materials.one.permittivity"]
    paths += ["materials.one.carriers.Li+.conductivity"]
    assert list(ds.uncertain.values) == paths
    stack, _ = adapt.resolved(study.stack)
    for n in range(8):
        own = stack
        for path, value in zip(paths, ds.draw_value.values[n], strict=True):
            own = leaves.leaf(study.config, path).put(own, float(value))
        z = impedance(own, equilibrium(own), jnp.asarray(ds.frequency.values)).z * 1e4
        found = ds.z_draw_real.values[n] + 1j * ds.z_draw_imag.values[n]
        # 5e-9: a condition number of 1e3 times the last correction of Newton's method
        assert np.abs(found - np.asarray(z)).max() < 1e-8 * np.abs(z).max()


def test_the_capacitance_of_a_junction_is_that_of_gouy_and_chapman(asked):
    """At flat band both sides store eps/lambda, in series; Debye lengths as `ionics check` shows them."""
    study, ds = asked(POTENTIAL="{value: 0 V, uncertainty: 0.1 mV}")
    film, host = (VACUUM * row.permittivity / row.debye_length for row in study.check().layers)
    series = film * host / (film + host) * 1e-4  # F/cm2
    # a mesh graded to the Debye length resolves a space charge to 2e-4
    assert ds.junction_capacitance.sel(element="film | host").item() == pytest.approx(series, rel=1e-3)
    low, high = ds.junction_capacitance_quantile.sel(element="film | host").values[[0, 4]]
    assert low == pytest.approx(high, rel=1e-2)
    assert np.isnan(ds.junction_capacitance.sel(element="left contact"))


VACUUM = 8.8541878128e-12


def test_every_variable_has_its_quantiles_in_order(wide):
    _, ds = wide
    for name in ("potential", "field", "concentration", "voltage", "z_real", "z_imag", "z_modulus", "z_phase"):
        values = ds[f"{name}_quantile"].transpose("quantile", ...).values
        assert values.shape[1:] == ds[name].shape
        assert (np.diff(values, axis=0) >= 0).all()
        assert ds[f"{name}_quantile"].attrs["units"] == ds[name].attrs["units"]
    assert list(ds["quantile"].values) == list(QUANTILES)
    assert list(ds.uncertain_source.values) == ["", "", "NEB"]
    # the field is minus the slope of the potential, and there is none where the bulk is neutral, at the left contact
    assert abs(ds.field.values[0]) < 1e-6 * abs(ds.field.values).max()
    middle = slice(60, 90)  # inside the film, towards the junction
    slope = np.gradient(ds.potential.values[:101], ds.x.values[:101])
    assert ds.field.values[middle] == pytest.approx(-slope[middle], rel=1e-9)


def test_what_matters_most_is_found(wide):
    """The film carries most of the resistance, L/sigma with ln 2 and 5 %: shares of its variance in closed form."""
    _, ds = wide
    shares = ds.influence.sel(answer="resistance of film").to_series()
    thickness = 0.05**2 / (0.05**2 + LN2**2)
    assert shares["stack.layers.film.thickness"] == pytest.approx(thickness, abs=0.05)  # 64 draws
    assert shares["materials.one.carriers.Li+.conductivity"] == pytest.approx(1 - thickness, abs=0.1)
    volts = ds.influence.sel(answer="capacitance of film | host").to_series()
    assert volts.idxmax() == "stack.junctions.film | host.space_charge_potential"
    assert volts.max() > 0.9


def test_the_middle_of_the_draws_of_one_number_is_the_run(asked):
    _, ds = asked(POTENTIAL="{value: -0.1 V, uncertainty: 0.5 mV}")
    middle = ds.potential_quantile.sel(quantile=0.5).values
    assert middle == pytest.approx(ds.potential.values, abs=1e-5)  # (0.5 mV)^2 / (RT/F)


def test_sentences_tables_and_pictures_tell_the_interval(wide, tmp_path):
    _, ds = wide
    text = " ".join(verdict(ds))
    low, high = ds.resistance_quantile.values[[1, 3]]
    assert f"68 % interval {low:.3g} Ω cm² to {high:.3g} Ω cm²" in text
    assert "% of the spread of the resistance comes from" in text
    names = [name for name, *_ in intervals_of(ds)]
    assert names[0].startswith("resistance at")
    assert "film | host, capacitance at rest" in names
    page = report(ds)
    assert "1e-6 S/cm, factor 2" in page
    assert "NEB; spread" in page
    drawn = figures(ds)
    assert set(drawn) == {"nyquist", "bode", "parts", "profiles", "influence"}
    for figure in drawn.values():
        figure.savefig(tmp_path / "x.png")
    assert any(p.get_label() == "68 and 95 % of the draws" for p in drawn["nyquist"].axes[0].patches)
    bars = [bar.get_width() for bar in drawn["influence"].axes[0].patches]
    assert sorted(bars) == pytest.approx(sorted(100 * ds.influence.values[0]))


def test_a_result_with_intervals_comes_back_from_its_file(wide, tmp_path):
    _, ds = wide
    back = results.open_result(results.save(ds, tmp_path / "result.nc"))
    assert back.identical(ds)
    assert verdict(back) == verdict(ds)


def test_without_draws_a_run_is_what_it_was(asked):
    """`samples: 0` and a file without uncertainties give the same variables, and the same numbers."""
    _, plain = asked()
    _, off = asked(CONDUCTIVITY="{value: 1e-6 S/cm, uncertainty: factor 2}", SAMPLES="0")
    assert set(plain.variables) == set(off.variables)
    assert "quantile" not in plain.dims
    for name in ("z_real", "z_imag", "potential"):
        assert np.array_equal(plain[name], off[name])


def test_draws_that_contradict_the_file_are_counted_and_told(asked):
    """A core 18 nm from the left end of a film of 20 ± 1.5 nm: beyond it in a share Phi(-2/1.5) of the draws."""
    core = "{value: 20 nm, uncertainty: 1.5 nm}, profiles: {Li+: {core: {position: 18 nm, width: 1 nm, depth: 1 meV}}}"
    _, ds = asked(FILM=core)
    lost = int((ds.draw_result == intervals.CONTRADICTORY).sum())
    assert lost == round(64 * NormalDist().cdf(-2 / 1.5))
    assert json.loads(ds.attrs["draws"]) == {"asked": 64, "answered": 64 - lost, "seed": 3}
    text = " ".join(verdict(ds))
    assert f"{lost} of 64 draws have no answer: stack.layers.film.profiles.Li+.core.position" in text
    assert "beyond the layer" in text
    assert "may be too narrow" in text


def test_quantiles_of_few_numbers_are_none():
    assert np.isnan(quantiles(np.array([1.0] * 7 + [np.nan]))).all()
    assert quantiles(np.arange(1.0, 101.0))[2] == pytest.approx(50.5)


def test_influence_finds_the_weights_of_a_sum():
    """y = 3 a + b of independent ranks: 90 and 10 %; 3 % is the error of ranks for variances, by their definition."""
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(4000, 3))
    shares, explained = influence(x, 3 * x[:, 0] + x[:, 1])
    assert shares == pytest.approx([0.9, 0.1, 0.0], abs=0.03)
    assert explained == pytest.approx(1, abs=0.03)
    shares, explained = influence(x, np.full(4000, 2.0))
    assert (shares == 0).all()
    assert explained == 0


def test_under_current_there_are_intervals_too(asked):
    """A constant current through two resistors: U = -I R, in quantiles too."""
    words = {"POTENTIAL": "0 V", "CONDUCTIVITY": "{value: 1e-6 S/cm, uncertainty: factor 2}", "SAMPLES": "8"}
    study, _ = asked(**words)
    path = study.config.document.name
    ds = ionics.load(path, "study.operating_point={current: 1 mA/cm^2}").run()
    drop = ds.voltage_quantile.values - rest_voltage(study)
    assert np.abs(drop) == pytest.approx(1e-3 * ds.resistance_quantile.values[::-1], rel=0.02)  # nearly ohmic: 2 mV


def rest_voltage(study) -> float:
    _, rest = adapt.resolved(study.stack)
    return float(jax.device_get(rest.state.voltage))
