"""`ionics interface`: two crystals to a stack that runs, also after interruptions; and what it refuses, in words."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ionics
from ionics import config
from ionics.cli import app
from ionics.config.errors import ConfigError
from ionics.interfaces import calculators, text
from ionics.interfaces.audit import audit
from ionics.report import write_result

FLUORIDE = """\
title: Two faces of LiF
source: made for a test
temperature: 500 K
interface:
  left: {structure: LiF, planes: [[1, 0, 0]], thickness: 6 angstrom, permittivity: 9}
  right: {structure: LiF, planes: [[1, 1, 0]], thickness: 6 angstrom, permittivity: 9}
  match: {area: 60 angstrom^2, strain: 4 %, keep: 1}
  model: bond-valence
  search: {calls: 60, refine: 1}
  relax: {steps: 200}
  migration: {hops: 0, steps: 100, longest: 3.6 angstrom, error: 0.1 eV}
  defects: {sites: 3, steps: 200}
  energies: {lithium: false}
"""


def written(folder: Path, words: str = FLUORIDE, name: str = "two.yaml") -> Path:
    path = folder / name
    path.write_text(words, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def found(tmp_path_factory, work):
    pytest.importorskip("pymoo")
    return ionics.load(written(tmp_path_factory.mktemp("file"))).interface(work)


def test_the_best_interface_is_whole_and_near_where_it_was_matched(found):
    best = text.interface(found.attrs["atoms"])
    assert best.atoms.get_initial_charges().sum() == pytest.approx(0, abs=1e-9)
    assert best.distance[best.side(1)].mean() < 0 < best.distance[best.side(2)].mean()
    assert bool(found.candidate_passed.values[np.flatnonzero(found.candidate_searched.values)].all())
    assert found.relaxed_energy.values.min() < 0  # the slabs hold together


def test_a_relaxed_interface_costs_less_than_any_visited_one(found):
    """Relaxation of the best of the search can only gain; both count from the same separated slabs as they stand."""
    assert float(found.relaxed_energy.min()) < float(np.nanmin(found.visit_energy)) + 1e-9


def test_the_stack_is_what_the_stages_found(found, tmp_path):
    stack = config.read(written(tmp_path, found.attrs["stack"], "stack.yaml"))
    for side in ("left", "right"):
        carriers = stack.materials[f"LiF ({side})"].carriers
        joule = 96485.33212
        barrier = float(found.attrs[f"hop_{side}"][0])
        assert float(carriers["Li+"].hop.barrier) / joule == pytest.approx(barrier, rel=1e-5)
        pair, apart = (float(x) for x in found.attrs[f"pair_{side}"])
        attraction = 14.399645 / (9 * apart)  # e^2/(4 pi eps0) in eV angstrom
        energy = float(carriers["Li+"].formation_energy.value) / joule
        assert energy == pytest.approx((pair + attraction) / 2, rel=1e-5)
    sites = 4 / (4.0270**3 * 1e-30) / 6.02214076e23  # four lithium in the cubic cell
    assert float(stack.materials["LiF (left)"].carriers["Li+"].sites.value) == pytest.approx(sites, rel=3e-3)
    assert "bond-valence" in stack.source
    assert "LiF" in stack.source


def test_the_stack_runs_with_intervals(found, tmp_path):
    path = written(tmp_path, found.attrs["stack"], "stack.yaml")
    short = ["study.impedance={from: 1 Hz, to: 1 MHz, points: 7}", "study.uncertainty={samples: 10, seed: 1}"]
    layers = config.read(path).stack.layers
    short += [f"stack.layers.{layer.name}.nodes=81" for layer in layers]
    result = ionics.load(path, short).run()
    assert result.attrs["message"]
    low, high = (float(result.resistance_quantile.sel(quantile=q)) for q in (0.16, 0.84))
    assert 0 < low < high


def test_an_answered_question_is_not_computed_again(found, work, tmp_path, monkeypatch):
    monkeypatch.setattr("ionics.config.interface_course.search", None)
    monkeypatch.setattr("ionics.config.interface_course.relax", None)
    monkeypatch.setattr("ionics.config.interface_bulk.compute", None)
    again = ionics.load(written(tmp_path)).interface(work)
    assert again.attrs["stack"] == found.attrs["stack"]


def test_a_changed_question_keeps_what_does_not_depend_on_it(found, work, tmp_path, monkeypatch):
    monkeypatch.setattr("ionics.config.interface_course.search", None)
    words = FLUORIDE.replace("steps: 200}", "steps: 3}", 1).replace("  migration", "  # migration")
    changed = written(tmp_path, words)
    other = ionics.load(changed).interface(work)
    assert np.array_equal(other.visit_energy, found.visit_energy)
    assert other.attrs["atoms"] != found.attrs["atoms"]


def test_an_interrupted_run_ends_as_an_uninterrupted_one(found, tmp_path):
    study, folder = ionics.load(written(tmp_path)), tmp_path / "work"
    for stop in ("generation 2", "mapping", "barriers", "defect 3", "Frenkel"):

        def tell(words, stop=stop):
            if stop in words and "done before" not in words:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            study.interface(folder, tell)
    assert study.interface(folder).attrs["stack"] == found.attrs["stack"]


def test_a_calculator_that_fails_loses_nothing(found, work, tmp_path, monkeypatch):
    """The relaxation stops with words; the candidates and the search stay, and the run goes on once it works again."""
    from ionics.interfaces.field import BondValenceField

    right, calls = BondValenceField.calculate, []

    def breaks(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 5:
            raise RuntimeError("out of memory")
        return right(self, *args, **kwargs)

    changed = written(tmp_path, FLUORIDE.replace("relax: {steps: 200}", "relax: {steps: 201}"))
    with monkeypatch.context() as patch:
        patch.setattr(BondValenceField, "calculate", breaks)
        with pytest.raises((ConfigError, RuntimeError), match="out of memory"):
            ionics.load(changed).interface(work)
    assert ionics.load(changed).interface(work).attrs["stack"]


def test_the_command_writes_a_whole_folder_and_says_what_it_found(found, work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path)
    (tmp_path / "out.work").symlink_to(work)
    done = CliRunner().invoke(app, ["interface", str(path), "--out", "out"])
    assert done.exit_code == 0, done.output
    names = {entry.name for entry in (tmp_path / "out").iterdir()}
    assert {"result.nc", "stack.yaml", "interface.extxyz", "search.db", "report.html", "structure.png"} <= names
    assert "pass the audit" in done.stdout
    assert json.loads(found.attrs["materials"])[0][0] == "LiF (left)"
    assert CliRunner().invoke(app, ["check", "out/stack.yaml"]).exit_code == 0
    write_result(found, tmp_path / "out")  # an earlier result is replaced


def test_check_says_what_would_be_joined(tmp_path):
    done = CliRunner().invoke(app, ["check", str(written(tmp_path))])
    assert done.exit_code == 0
    assert "pass the audit" in done.stdout


SODIUM = """\
data_x
_cell_length_a 4.0
_cell_length_b 4.0
_cell_length_c 4.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("structure: LiF, planes: [[1, 0, 0]]", "structure: gama-Li3PO4, planes: [[1, 0, 0]]"),
            "did you mean gamma-Li3PO4",
        ),
        (("planes: [[1, 0, 0]]", "planes: [[0, 0, 0]]"), "plane 1 is (0 0 0)"),
        (("area: 60 angstrom^2, strain: 4 %", "area: 60 angstrom^2, strain: 0.01 %"), "no interface"),
        (("model: bond-valence", "model: chagnet"), "there is no calculator"),
        (("strain: 4 %", "strain: 4 angstrom"), "angstrom"),
        (("structure: LiF, planes: [[1, 0, 0]]", "structure: missing.cif, planes: [[1, 0, 0]]"), "missing.cif"),
        (("structure: LiF, planes: [[1, 0, 0]]", "structure: half.cif, planes: [[1, 0, 0]]"), "partly occupied"),
        (("structure: LiF, planes: [[1, 0, 0]]", "structure: near.cif, planes: [[1, 0, 0]]"), "overlap"),
        (
            (
                "structure: LiF, planes: [[1, 0, 0]]",
                "structure: whole.cif, oxidation_states: {Li: 1, F: -2}, planes: [[1, 0, 0]]",
            ),
            "add up to -1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path, change, words):
    written(tmp_path, SODIUM + "Li1 Li 0 0 0 0.5\nF1 F 0.5 0.5 0.5 1\n", "half.cif")
    written(tmp_path, SODIUM + "Li1 Li 0 0 0 1\nF1 F 0.1 0.0 0.0 1\n", "near.cif")
    written(tmp_path, SODIUM + "Li1 Li 0 0 0 1\nF1 F 0.5 0.5 0.5 1\n", "whole.cif")
    assert change[0] in FLUORIDE
    path = written(tmp_path, FLUORIDE.replace(*change, 1).replace("calls: 60", "calls: 6"))
    with pytest.raises(ConfigError) as caught:
        ionics.load(path).interface(tmp_path / "work")
    assert words in str(caught.value)
    assert f"{path}:" in str(caught.value)


def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    def missing(package, extra, purpose):
        raise calculators.MissingExtra(package, extra, purpose)

    monkeypatch.setattr(calculators, "_needs", missing)
    path = written(tmp_path, FLUORIDE.replace("model: bond-valence", "model: chgnet"))
    with pytest.raises(ConfigError, match=r"pip install 'ionics-toolkit\[mlip\]'") as caught:
        ionics.load(path).interface(tmp_path / "work")
    assert "interface.model" in str(caught.value)


def test_an_electrode_without_a_measured_voltage_hands_nothing_over(tmp_path):
    lines = [line for line in FLUORIDE.splitlines() if not line.strip().startswith(("migration", "relax"))]
    changed = "\n".join(lines).replace("permittivity: 9}", "permittivity: 9, electrode: {occupancy: 0.95}}", 1)
    changed = changed.replace("calls: 60", "calls: 8") + "\n  relax: {steps: 2}\n"
    with pytest.raises(ConfigError, match="not calibrated"):
        ionics.load(written(tmp_path, changed)).interface(tmp_path / "work")


def test_the_audit_holds_for_what_was_built(found):
    from ionics.interfaces import phases

    start = text.interface(str(found.start_atoms.values[0]))
    sides = [phases.curated("LiF")] * 2
    assert audit(start, *sides).cut == 0
