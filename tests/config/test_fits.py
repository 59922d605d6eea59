"""Fits as a file asks for them: series together, priors, held values, ceramics, designs; and what is refused."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import ionics
from ionics.config.errors import ConfigError
from ionics.fit_results import joint_of
from ionics.fitting.notation import parse
from ionics.report import open_result, write_result

EV = 8.617333262e-5  # eV K-1
VALUES = {"CPE1.Q": 1e-9, "CPE1.n": 0.95, "CPE2.Q": 1e-7, "CPE2.n": 0.9, "CPE3.Q": 1e-5, "CPE3.n": 0.8}
CERAMIC = "p(R1,CPE1)-p(R2,CPE2)-CPE3"


def write(path: Path, circuit: str, values: dict[str, float], seed: int = 0, points: int = 31) -> Path:
    """A spectrum with 0.3 % of noise in a file."""
    frequency = np.logspace(6, 0, points)
    z = np.asarray(parse(circuit, values).impedance(jnp.asarray(2 * np.pi * frequency)))
    rng = np.random.default_rng(seed)
    z = z * (1 + 0.003 * (rng.standard_normal(points) + 1j * rng.standard_normal(points)))
    rows = [f"{f!r},{one.real!r},{one.imag!r}" for f, one in zip(frequency.tolist(), z.tolist(), strict=True)]
    path.write_text("f/Hz,Re(Z)/Ohm,Im(Z)/Ohm\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four temperatures of a ceramic: R1 with 0.3 eV, R2 with 0.5 eV, everything else the same."""
    data = tmp_path_factory.mktemp("ceramic")
    for k, kelvin in enumerate((280, 300, 320, 340)):
        warm = 1 / EV * (1 / kelvin - 1 / 300)
        resistances = {"R1": 1e3 * np.exp(0.3 * warm), "R2": 5e3 * np.exp(0.5 * warm)}
        write(data / f"pellet_{kelvin}K.csv", CERAMIC, VALUES | resistances, seed=k)
    return data


@pytest.fixture(scope="module")
def together(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("together") / "fit.yaml"
    path.write_text(
        f"""\
fit:
  data: {folder}
  circuit: {CERAMIC}
  starts: 16
  series: {{pattern: "_(?P<temperature>\\\\d+)K"}}
  geometry: {{area: 1 cm^2, thickness: 1 mm}}
  ceramic: {{grain: 1 um}}
  relaxation_times: true
  profiles: [R1.activation_energy]
  free:
    R1: {{start: 1000 ohm, across: arrhenius}}
    R2: {{start: 5000 ohm, across: {{reference: 300 K}}}}
    CPE1.Q: {{start: 1e-9}}
    CPE2.Q: {{start: 1e-7}}
    CPE3.Q: {{start: 1e-5}}
    CPE3.n: {{across: {{temperature: [280 K, 340 K]}}}}
"""
    )
    return ionics.load(path).fit()


def test_a_series_is_fitted_with_laws_from_the_file(together):
    joint = joint_of(together)
    energies = {"R1.activation_energy": 0.3, "R2.activation_energy": 0.5}
    for name, energy in energies.items():
        own = joint.sel(parameter=name)
        assert abs(float(own["value"]) - energy) < 4 * float(own.standard_error)
        assert float(own.standard_error) < 0.003
    assert float(joint["value"].sel(parameter="R2 (300 K)")) == pytest.approx(5e3, rel=0.01)
    assert "CPE3.n (temperature 280)" in joint.parameter.values
    assert joint.attrs["undetermined"] == "[]"
    assert together.attrs["together"].startswith("4 spectra together, relative RMSE 0.4")


def test_members_of_a_joint_fit_carry_their_own_values_and_errors(together):
    root = together.to_dataset()
    assert root.sizes["spectrum"] == 4
    ratio = root["value"].sel(parameter="R1").values
    assert ratio[0] / ratio[1] == pytest.approx(np.exp(0.3 / EV * (1 / 280 - 1 / 300)), rel=0.02)
    assert np.ptp(root["value"].sel(parameter="CPE1.n").values) == 0  # shared
    assert np.all(root.standard_error.values > 0)


def test_the_profile_of_a_shared_energy_holds_the_truth(together):
    joint = joint_of(together)
    assert list(joint.profiled.values) == ["R1.activation_energy"]
    assert float(joint.profile_low[0]) < 0.3 < float(joint.profile_high[0])


def test_bricks_and_barrier_follow_from_the_arcs(together):
    root = together.to_dataset()
    ratio = root.derived_value.sel(derived="R boundary / R grains").values
    values = root["value"]
    assert ratio == pytest.approx((values.sel(parameter="R2") / values.sel(parameter="R1")).values, rel=1e-9)
    assert {"permittivity of the grains", "thickness of the boundary"} <= set(root.derived.values)
    assert "barrier, Mott-Schottky, from time constants" in root.derived.values


def test_a_joint_fit_is_written_whole_and_read_again(together, tmp_path):
    write_result(together, tmp_path / "out")
    again = open_result(tmp_path / "out")
    assert joint_of(again).identical(joint_of(together))
    drawn = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert {"spectra", "series", "relaxation_times", "likelihoods-together"} <= drawn
    page = (tmp_path / "out" / "report.html").read_text()
    assert "R1.activation_energy" in page or "R1.Ea" in page
    assert "barrier, Mott-Schottky" in page


def test_a_held_value_and_a_prior_come_from_the_file(tmp_path):
    data = write(tmp_path / "cell.csv", "R0-p(R1,C1)", {"R0": 10.0, "R1": 100.0, "C1": 1e-6})
    text = f"fit: {{data: {data}, circuit: 'R0-R2-p(R1,C1)', starts: 8, free: FREE}}\n"
    (tmp_path / "fit.yaml").write_text(text.replace("FREE", "{R2: {fixed: 4 ohm}}"))
    held = ionics.load(tmp_path / "fit.yaml").fit()
    assert "R2" not in held.parameter.values
    assert float(held["value"].sel(parameter="R0")) == pytest.approx(6.0, rel=0.02)
    (tmp_path / "fit.yaml").write_text(text.replace("FREE", "{R2: {prior: {value: 4 ohm, factor: 1.1}}}"))
    known = ionics.load(tmp_path / "fit.yaml").fit()
    assert float(known["value"].sel(parameter="R2")) == pytest.approx(4.0, rel=0.02)
    # what is known of R2 is all that is known of it: its error is that of the prior
    assert float(known.standard_error.sel(parameter="R2")) == pytest.approx(4 * np.log(1.1), rel=0.05)


def test_error_models_and_cables_come_from_the_file(tmp_path):
    values = {"L0": 1e-6, "R0": 10.0, "R1": 100.0, "CPE1.Q": 1e-5, "CPE1.n": 0.8}
    data = write(tmp_path / "cell.csv", "L0-R0-p(R1,CPE1)", values, points=61)
    more = "corrections: {inductance: 1 uH}, weighting: fitted, robust: true"
    (tmp_path / "fit.yaml").write_text(f"fit: {{data: {data}, circuit: 'R0-p(R1,CPE1)', starts: 8, {more}}}\n")
    ds = ionics.load(tmp_path / "fit.yaml").fit()
    assert ds.attrs["weighting"] == "sigma"
    assert float(ds["value"].sel(parameter="R0")) == pytest.approx(10.0, rel=0.01)
    assert float(ds.reduced_chi_squared) == pytest.approx(1.0, abs=0.6)  # the size of the errors is found to a quarter
    assert "inductance of 1e-06 H" in ds.attrs["notes"]


def test_a_design_is_asked_for_in_the_file(tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "fit: {circuit: 'R0-p(R1,C1)', free: {R0: {start: 20 ohm}, R1: {start: 100 ohm}, C1: {start: 1e-6}}}\n"
        "design: {question: R1, from: 1 Hz, to: 1 MHz, points: 61, count: 8, keep: 3}\n"
    )
    ds = ionics.load(tmp_path / "plan.yaml").design()
    suggested, even = (float(ds.answer_error.sel(plan=name)) for name in ("suggested", "even"))
    assert suggested < even
    write_result(ds, tmp_path / "out")
    assert {"design.png", "report.html", "result.nc"} <= {path.name for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ConfigError, match=r"design.question.*'R9' is not free.*R0, R1, C1"):
        ionics.load(tmp_path / "plan.yaml", ["design.question=R9"]).design()


BROKEN = {
    "an exponent on an Arrhenius line": ("free: {CPE1.n: {across: arrhenius}}", "an Arrhenius law needs a log scale"),
    "a prior on the wrong scale": ("free: {R1: {prior: {value: 1 ohm, error: 1 ohm}}}", "searched on a log scale"),
    "held and free": ("free: {R1: {fixed: 1 ohm, start: 2 ohm}}", "a parameter that is held has nothing else"),
    "knots of two conditions": ("free: {R1: {across: {cycle: [1, 2], pressure: [1 Pa, 2 Pa]}}}", "knots of one"),
    "a law that is none": ("free: {R1: {across: linear}}", "fit.free.R1.across"),
    "tied circuit parameters": ("free: {R1: {tied: [R2]}}", "only leaves of a stack can be tied"),
    "two ways to name conditions": ("series: {temperature: '(a)', table: x.csv}", "two ways to name the conditions"),
    "a ceramic without its circuit": ("ceramic: {bulk: [R7, CPE1]}", "R7"),
    "the full stack without a grain": ("ceramic: {stack: true, grain: 1 um}", "the full stack needs permittivity"),
    "a profile of nothing": ("profiles: [R9]", "R9"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_fitted_is_refused_in_one_message(case, folder, tmp_path):
    part, words = BROKEN[case]
    series = "" if part.startswith("series") else 'series: {temperature: "_(\\\\d+)K"}, '
    (tmp_path / "fit.yaml").write_text(f"fit: {{data: {folder}, circuit: '{CERAMIC}', {series}starts: 1, {part}}}\n")
    with pytest.raises(ConfigError) as caught:
        ionics.load(tmp_path / "fit.yaml").fit()
    assert words in str(caught.value)
    assert "fit.yaml" in str(caught.value)
