"""The command line and load(): what they write, what they say, and how they fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import ionics
from ionics.cli import app
from ionics.config.errors import ConfigError
from ionics.config.study import Study
from ionics.fitting.spectrum import DataError
from ionics.transport.equilibrium import NotConverged

FILM = """\
title: Film
source: made up
temperature: 300 K
area: 2 cm^2
materials:
  glass:
    permittivity: 10
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 1e4 mol/m^3, occupancy: 0.5, conductivity: 1e-4 S/m}
stack:
  left: {contact: reservoir, law: linear, resistance: 10 ohm cm^2, compact_layer: {capacitance: 5 uF/cm^2}}
  layers:
    - {name: film, material: glass, thickness: 1 um, nodes: 41}
  right: {contact: reservoir, law: linear, resistance: 20 ohm cm^2, compact_layer: {capacitance: 5 uF/cm^2}}
study:
  impedance: {from: 1 Hz, to: 10 MHz, points: 24}
"""
CIRCUIT = "fit: {data: DATA, circuit: 'R0-p(R1,CPE1)', starts: 4}\n"


@pytest.fixture(scope="module", autouse=True)
def _cache():
    """The command line keeps compiled code; in a test it is kept where the tests keep theirs."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = jax.config.jax_compilation_cache_dir
    yield
    del os.environ["JAX_COMPILATION_CACHE_DIR"]


@pytest.fixture
def film(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "film.yaml"
    path.write_text(FILM)
    return path


def spectrum(path: Path, resistance: float = 100.0) -> Path:
    """R0 = 10 ohm and an arc of R1 with 1 uF, in a file."""
    f = np.geomspace(1, 1e5, 32)
    z = 10 + resistance / (1 + 2j * np.pi * f * resistance * 1e-6)
    rows = [f"{a},{b.real},{-b.imag}" for a, b in zip(f, z, strict=True)]
    path.write_text("\n".join(["freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm", *rows]) + "\n")
    return path


def ask(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_run_writes_the_whole_folder_and_says_the_verdict(film):
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 0, answer.output
    assert "77 % of it is the film" in answer.stdout  # 100 of 130 ohm cm^2
    assert "65 Ω on 2 cm²" in answer.stdout
    written = {p.name for p in Path("out").iterdir()}
    assert written == {
        "result.nc", "config.yaml", "report.html", "nyquist.png", "bode.png", "parts.png", "profiles.png",
    }  # fmt: skip
    ds = ionics.open_result("out")
    assert float(ds.z_real.sel(frequency=1.0)) == pytest.approx(130.0, rel=1e-3)
    assert ds.attrs["message"] == "converged"
    assert {p.name for p in Path.cwd().iterdir()} == {"film.yaml", "out"}


def test_the_resolved_configuration_runs_again_to_the_same_numbers(film, tmp_path):
    first = ionics.load(film, ["stack.layers.film.thickness=2 um"]).run()
    (tmp_path / "again.yaml").write_text(first.attrs["config"])
    again = ionics.load(tmp_path / "again.yaml").run()
    assert "2 um" in first.attrs["config"]
    xr.testing.assert_equal(again, first)


def test_the_resolved_configuration_holds_the_library_numbers_it_used(tmp_path):
    text = FILM.replace("material: glass", "material: LiPON")
    (tmp_path / "lipon.yaml").write_text(text)
    study = ionics.load(tmp_path / "lipon.yaml")
    (tmp_path / "alone.yaml").write_text(study.origin.config)
    assert "61141 mol/m^3" in study.origin.config
    alone = ionics.load(tmp_path / "alone.yaml")
    same = jax.tree.map(lambda a, b: bool(np.all(a == b)), study.stack, alone.stack)
    assert all(jax.tree.leaves(same))
    assert any("Raijmakers" in source for _, source in study.origin.materials)


def test_set_changes_one_value(film):
    answer = ask("run", film, "--out", "out", "--set", "stack.left.resistance=70 ohm cm^2")
    assert answer.exit_code == 0, answer.output
    assert float(ionics.open_result("out").z_real.sel(frequency=1.0)) == pytest.approx(190.0, rel=1e-3)


def test_python_and_command_line_give_the_same_numbers(film):
    assert ask("run", film, "--out", "out").exit_code == 0
    xr.testing.assert_equal(ionics.open_result("out"), ionics.load(film).run())


def test_a_current_drives_the_voltage_through_the_resistance(film):
    ds = ionics.load(film, ["study.operating_point={current: 1 mA/cm^2}"]).run()
    # three linear resistors, 130 ohm cm^2; the film is ohmic since its filling does not change
    assert float(ds.voltage) == pytest.approx(-0.130, rel=2e-3)
    assert "on discharge at 1 mA/cm²" in ds.ionics.verdict


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("thickness: 1 um", "thikness: 1 um", "did you mean thickness"),
        ("material: glass", "material: glas", "glass"),
        ("thickness: 1 um", "thickness: 1", "unit"),
        ("study:", "studie:", "did you mean study"),
    ],
)
def test_mistakes_are_told_with_file_and_line_and_nothing_is_written(film, old, new, words):
    film.write_text(FILM.replace(old, new))
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 2
    assert "film.yaml:" in answer.stderr
    assert words in answer.stderr
    assert "Traceback" not in answer.output
    assert {p.name for p in Path.cwd().iterdir()} == {"film.yaml"}


def test_a_missing_file_is_named(tmp_path):
    answer = ask("run", tmp_path / "nothing.yaml", "--out", tmp_path / "out")
    assert answer.exit_code == 2
    assert "nothing.yaml" in answer.stderr


def test_nothing_to_run_is_a_mistake_in_the_file(film):
    film.write_text(FILM.split("study:")[0])
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 2
    assert "study" in answer.stderr


def test_a_current_that_cannot_pass_is_a_mistake_in_the_file(film):
    blocked = FILM.replace("contact: reservoir, law: linear, resistance: 20 ohm cm^2,", "contact: blocking,")
    film.write_text(blocked.replace("study:", "study:\n  operating_point: {current: 1 mA/cm^2}"))
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 2, answer.output
    assert "film.yaml:16: study.operating_point.current: got 1 mA/cm^2; no direct current can pass" in answer.stderr
    assert "Traceback" not in answer.output
    assert not Path("out").exists()


def test_no_solution_ends_with_status_one_and_the_words_of_the_solver(film, monkeypatch):
    def steady(stack, drive, rest):
        raise NotConverged("the time step became too small")

    monkeypatch.setattr("ionics.transport.steady.steady", steady)
    film.write_text(FILM.replace("study:", "study:\n  operating_point: {current: 1 mA/cm^2}"))
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 1, answer.output
    assert "the time step became too small" in answer.stderr
    assert "Traceback" not in answer.output
    assert not Path("out").exists()


def test_a_folder_with_other_files_is_refused_before_any_work(film):
    Path("out").mkdir()
    Path("out/thesis.txt").write_text("years of work")
    answer = ask("run", film, "--out", "out")
    assert answer.exit_code == 2
    assert "thesis.txt" in answer.stderr
    assert "equilibrium" not in answer.stderr
    assert [p.name for p in Path("out").iterdir()] == ["thesis.txt"]


def test_without_out_results_go_beside_their_kind(film):
    assert ask("run", film).exit_code == 0
    assert Path("results/film/result.nc").is_file()


def test_stages_are_told_in_plain_lines_where_there_is_no_terminal(film):
    told = ask("run", film, "--out", "out").stderr.splitlines()
    assert [line for line in told if "impedance" in line] == ["... impedance"]


def test_fit_finds_the_circuit_and_writes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spectrum(tmp_path / "cell.csv")
    Path("fit.yaml").write_text(CIRCUIT.replace("DATA", "cell.csv"))
    answer = ask("fit", "fit.yaml", "--out", "out")
    assert answer.exit_code == 0, answer.output
    assert "Fits well" in answer.stdout
    ds = ionics.open_result("out")
    assert ds["value"].sel(parameter=["R0", "R1"]).values == pytest.approx([10, 100], rel=1e-6)
    # a CPE with n = 1 is a capacitor: C = Q
    assert float(ds.derived_value.sel(derived="capacitance of R1 | CPE1")) == pytest.approx(1e-6, rel=1e-5)
    assert set(os.listdir("out")) == {
        "fit.png", "correlation.png", "consistency.png", "report.html", "config.yaml", "result.nc"
    }  # fmt: skip


def test_fit_takes_a_series_and_gives_activation_energies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for celsius in (20, 40, 60, 80):
        kelvin = celsius + 273.15
        spectrum(Path(f"data/cell-{celsius}C.csv"), 1e-6 * kelvin * np.exp(0.4 / (8.617333262e-5 * kelvin)))
    Path("fit.yaml").write_text(
        "fit:\n  data: data\n  circuit: R0-p(R1,CPE1)\n  starts: 4\n  geometry: {area: 0.5 cm^2, thickness: 1 mm}\n"
        "  free: {R1: {start: 100 ohm, bounds: [1 ohm, 1e6 ohm]}}\n"
        '  series: {temperature: "-(\\\\d+)C", unit: degC}\n  arrhenius: [R1, R0 + R1]\n'
    )
    tree = ionics.load("fit.yaml").fit()
    assert isinstance(tree, xr.DataTree)
    assert float(tree["activation_energy"].sel(arrhenius="R1")) == pytest.approx(0.4, abs=1e-4)
    both = 0.1 / (0.5 * tree["value"].sel(parameter=["R0", "R1"]).sum("parameter").values)
    assert tree["conductivity"].sel(arrhenius="R0 + R1").values == pytest.approx(both, rel=1e-9)
    assert tree["temperature"].values == pytest.approx(np.array([20, 40, 60, 80]) + 273.15)
    sigma = 0.1 / (0.5 * tree["value"].sel(parameter="R1").values)  # thickness / (area R), S/cm
    assert tree["conductivity"].sel(arrhenius="R1").values == pytest.approx(sigma, rel=1e-9)


@pytest.mark.parametrize(
    ("config", "status", "words"),
    [
        (CIRCUIT.replace("DATA", "missing.csv"), DataError, "missing.csv"),
        (CIRCUIT.replace("DATA", "cell.csv").replace("p(R1", "p(X1"), ConfigError, "X"),
        (CIRCUIT.replace("DATA", "cell.csv").replace("starts: 4", "free: {R7: {start: 1 ohm}}"), ConfigError, "R1"),
        (CIRCUIT.replace("DATA", "cell.csv").replace("starts: 4", "free: {R1: {start: 1 F}}"), ConfigError, "ohm"),
        (CIRCUIT.replace("data: DATA, ", ""), ConfigError, "--data"),
    ],
    ids=["missing file", "unknown element", "unknown parameter", "wrong unit", "no data"],
)
def test_mistakes_in_a_fit_are_told(tmp_path, config, status, words):
    spectrum(tmp_path / "cell.csv")
    (tmp_path / "fit.yaml").write_text(config)
    with pytest.raises(status, match=words):
        ionics.load(tmp_path / "fit.yaml").fit()


def test_a_broken_data_file_ends_with_status_two_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("cell.csv").write_text("freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n1,2,x\n")
    Path("fit.yaml").write_text(CIRCUIT.replace("DATA", "cell.csv"))
    answer = ask("fit", "fit.yaml", "--out", "out")
    assert answer.exit_code == 2
    assert "cell.csv" in answer.stderr
    assert not Path("out").exists()


def test_the_option_data_goes_before_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spectrum(tmp_path / "other.csv", 200.0)
    Path("fit.yaml").write_text(CIRCUIT.replace("DATA", "cell.csv"))
    assert ask("fit", "fit.yaml", "--data", "other.csv", "--out", "out").exit_code == 0
    assert float(ionics.open_result("out")["value"].sel(parameter="R1")) == pytest.approx(200, rel=1e-6)


@pytest.mark.slow
def test_a_fit_of_the_stack_finds_what_the_spectrum_was_computed_with(film, tmp_path):
    ds = ionics.load(film).run()
    z = ds.ionics.z.values / 2.0  # ohm on 2 cm^2
    rows = [f"{f},{a.real},{-a.imag}" for f, a in zip(ds.frequency.values, z, strict=True)]
    (tmp_path / "film.csv").write_text("\n".join(["freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm", *rows]))
    film.write_text(
        FILM + "fit:\n  data: film.csv\n  model: stack\n  starts: 2\n  free:\n"
        "    stack.layers.film.carriers.Li+.conductivity: {start: 1e-5 S/m, bounds: [1e-6 S/m, 1e-2 S/m]}\n"
        "    stack.left.compact_layer.capacitance: {start: 1 uF/cm^2, bounds: [0.1 uF/cm^2, 100 uF/cm^2]}\n"
    )
    fitted = ionics.load(film).fit()
    assert fitted["value"].values == pytest.approx([1e-4, 5e-2], rel=1e-6)  # S/m, F/m^2
    assert list(fitted.parameter_unit.values) == ["S/m", "F/m^2"]


def test_check_shows_the_stack_and_every_mistake(film, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(FILM.replace("nodes: 41", "nodes: many").replace("area: 2", "area: minus 2"))
    answer = ask("check", film)
    assert answer.exit_code == 0
    assert "film" in answer.stdout
    assert "glass" in answer.stdout
    answer = ask("check", film, bad)
    assert answer.exit_code == 2
    assert "glass" in answer.stdout
    assert answer.stderr.count("bad.yaml:") >= 2


def test_materials_are_listed_with_their_sources():
    assert "LiPON" in ask("materials").stdout
    assert "Raijmakers" in ask("materials", "LiPON").stdout
    answer = ask("materials", "LiPOM")
    assert answer.exit_code == 2
    assert "LiPON" in answer.stderr


def test_plot_draws_a_result_again(film):
    assert ask("run", film, "--out", "out").exit_code == 0
    Path("out/nyquist.png").unlink()
    answer = ask("plot", "out")
    assert answer.exit_code == 0, answer.output
    assert Path("out/nyquist.png").is_file()
    assert ask("plot", "out/result.nc", "--out", "elsewhere").exit_code == 0
    assert Path("elsewhere/report.html").is_file()
    answer = ask("plot", "nowhere")
    assert answer.exit_code == 2
    assert "nowhere" in answer.stderr


def test_a_study_introduces_itself(film):
    study = ionics.load(film)
    assert isinstance(study, Study)
    assert ".run()" in repr(study)
    assert "glass" in study._repr_html_()
    assert study.check().layers[0].name == "film"


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "ionics", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"ionics {ionics.__version__}"


def test_the_command_line_computes_in_float64_and_caches_in_the_users_folder(film, tmp_path):
    """In a process of its own, since both are settings of the process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"XDG_CACHE_HOME": str(tmp_path)}
    code = (
        "import json, ionics.cli as c; c._settings(); import jax, jax.numpy as jnp;"
        "print(json.dumps([str(jnp.ones(()).dtype), jax.config.jax_compilation_cache_dir]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    dtype, folder = json.loads(done.stdout)
    assert dtype == "float64"
    assert sys.platform in ("darwin", "win32") or folder == str(tmp_path / "ionics" / "compiled")


def test_an_unwritable_cache_folder_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "file")
    code = "import ionics.cli as c; c._settings(); import jax; print(jax.config.jax_compilation_cache_dir)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "None"
