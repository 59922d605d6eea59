"""Gradient energy in a file: what it makes of particles and films, what is said of mistakes, what `check` tells."""

from pathlib import Path

import numpy as np
import pytest

import ionics
from ionics.cells.inward import Shells
from ionics.cells.phase_field import STEPS, PhaseField
from ionics.config import ConfigError
from ionics.config.cell_assembly import build_cell
from ionics.constants import FARADAY, GAS

CONFIGS = Path(__file__).parents[2] / "configs"
T, WIDTH = 298.15, 4.1210e-9  # K; m: A22 of the reference numbers, of the numbers below
FILM = f"""\
temperature: {T} K
materials:
  phosphate:
    carriers:
      Li:
        charge: 0
        statistics: regular-solution
        interaction: {3 * GAS * T} J/mol
        gradient_energy: 3e-10 J/m
        sites: 22800 mol/m^3
        mu0: -3.4 eV
        diffusivity: 1e-15 m^2/s
cell:
  negative: {{metal: Li, reaction: {{law: equilibrium}}}}
  separator: {{conductivity: 1 S/m, thickness: 1 um}}
  positive:
    film:
      material: phosphate
      thickness: 20 nm
      occupancy: 0.02
      reaction: {{law: butler-volmer, exchange_current: 10 A/m^2}}
study:
  capacity: {{positive: {{Li: [0.02, 0.98]}}}}
  tolerance: 1e-3
  protocol:
    - {{hold: {{c_rate: 0.1}}, until: {{voltage: 3.2 V}}}}
"""
STACK = """\
stack:
  left: {contact: blocking}
  layers: [{name: film, material: phosphate, thickness: 20 nm, nodes: 21, occupancy: {Li: 0.9}}]
  right: {contact: blocking}
"""


def written(folder, *changes):
    text = FILM
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / "film.yaml"
    path.write_text(text)
    return path


def member(folder, *changes):
    (found,) = build_cell(ionics.load(written(folder, *changes)).config).positive.members
    return found


MISTAKES = {
    "carriers that do not interact": (
        f"        statistics: regular-solution\n        interaction: {3 * GAS * T} J/mol\n",
        "        statistics: lattice\n",
        8, "gradient_energy", "3e-10 J/m", "not used with statistics lattice"),
    "diffusion down a concentration": (
        "        mu0:", "        mobility: chemical\n        mu0:", 11, "mobility", "chemical",
        "runs down its chemical potential; hopping or vehicle"),
    "what does not move": (
        "        diffusivity: 1e-15 m^2/s", "        mobility: immobile", 12, "mobility", "immobile",
        "runs down its chemical potential"),
    "less than nothing": ("3e-10 J/m", "-3e-10 J/m", 9, "gradient_energy", "-3e-10 J/m", "must be positive"),
    "no unit": ("3e-10 J/m", "3e-10", 9, "gradient_energy", "3e-10", "write an energy per length with its unit"),
    "another unit": ("3e-10 J/m", "3e-10 J/m^2", 9, "gradient_energy", "3e-10 J/m^2", "is not an energy per length"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line_with_its_place_and_the_way_out(tmp_path, name):
    before, after, line, key, value, words = MISTAKES[name]
    with pytest.raises(ConfigError) as error:
        ionics.load(written(tmp_path, (before, after)))
    (problem,) = error.value.problems
    assert str(problem).startswith(
        f"{tmp_path / 'film.yaml'}:{line}: materials.phosphate.carriers.Li.{key}: got {value}"
    )
    assert words in str(problem)


def test_nodes_are_counted_over_the_boundary_unless_the_file_says_how_many(tmp_path):
    found = member(tmp_path).inside
    assert isinstance(found, PhaseField)
    assert found.unknowns == int(np.ceil(STEPS * 20e-9 / WIDTH)) + 1
    np.testing.assert_allclose(found.spacing, found.spacing[0])
    assert float(found.gradient_energy) == 3e-10
    stated = member(tmp_path, ("      occupancy: 0.02\n", "      occupancy: 0.02\n      nodes: 12\n")).inside
    assert isinstance(stated, PhaseField)
    assert stated.unknowns == 12
    without = member(tmp_path, ("        gradient_energy: 3e-10 J/m\n", "")).inside
    assert isinstance(without, Shells)


def test_a_piece_that_takes_too_many_nodes_is_told_how_small_it_may_be(tmp_path):
    path = written(tmp_path, ("thickness: 20 nm", "thickness: 1 um"))
    with pytest.raises(ConfigError) as error:
        ionics.load(path).check()
    said = str(error.value)
    assert f"{path}:19: cell.positive.film.thickness: got 1 um" in said
    assert "4.12 nm wide" in said
    assert "up to 514 nm" in said  # 499 steps, 4 over a width
    at_most = member(tmp_path, ("thickness: 20 nm", "thickness: 514 nm"))
    assert at_most.unknowns == 500


def test_who_changes_how_the_library_moves_its_lithium_loses_the_phases(tmp_path):
    """`like` an entry with gradient energy, but with diffusion down a concentration: there is nothing to delete."""
    other = "  other:\n    like: phosphate\n    carriers: {Li: {mobility: chemical, diffusivity: 1e-15 m^2/s}}\ncell:"
    found = member(tmp_path, ("cell:", other), ("material: phosphate", "material: other"))
    assert not isinstance(found.inside, PhaseField)


def test_the_table_says_what_separates_and_how_wide_boundaries_are(tmp_path):
    found = ionics.load(written(tmp_path)).check()
    (row,) = [row for row in found.rows if row[0] == "positive: positive, phases"]
    told = " ".join(row)
    for words in ("0.0707 and 0.929", "0.211 to 0.789", "21.3 mV", "boundary 4.12 nm in 20 nm", "21 nodes"):
        assert words in told
    assert not found.warnings
    warm = ionics.load(written(tmp_path, (f"temperature: {T} K", "temperature: 500 K"))).check()
    assert "too warm for two" in str(warm)


def test_the_table_warns_of_a_mesh_that_the_boundary_jumps_over_and_of_boundaries_without_energy(tmp_path):
    coarse = written(tmp_path, ("      occupancy: 0.02\n", "      occupancy: 0.02\n      nodes: 9\n"))
    (said,) = ionics.load(coarse).check().warnings
    assert "9 nodes are 1.6 steps over the width" in said
    (said,) = ionics.load(written(tmp_path, ("        gradient_energy: 3e-10 J/m\n", ""))).check().warnings
    assert "has no gradient_energy" in said


def test_a_stack_says_that_it_does_not_use_it(tmp_path):
    text = FILM[: FILM.index("cell:")] + STACK
    path = tmp_path / "stack.yaml"
    path.write_text(text.replace("  phosphate:\n", "  phosphate:\n    permittivity: 10\n"))
    said = [words for words in ionics.load(path).check().warnings if "gradient_energy" in words]
    assert said[0].startswith("film: the gradient_energy of Li is not used in a stack")
    assert len(said) == 1


def test_a_film_fills_on_its_plateau_and_the_open_circuit_voltage_is_that_of_both_phases(tmp_path):
    """Losses add up, lithium follows the charge; between the phases the mean says nothing about the voltage."""
    result = ionics.load(written(tmp_path)).run()
    assert result.attrs["complete"] == 1
    filled = result.mean_filling.sel(member="positive").values
    passed = result.charge.values / (FARADAY * 22800 * 20e-9)
    np.testing.assert_allclose(filled - filled[0], passed, atol=1e-9)
    told = result.open_circuit.values + result.overpotential.sum("loss").values
    np.testing.assert_allclose(told, result.voltage.values, atol=1e-9)
    both = (filled > 0.08) & (filled < 0.92)
    np.testing.assert_allclose(result.open_circuit.values[both], 3.4, atol=1e-9)
    half = np.argmin(np.abs(filled - 0.5))
    assert abs(result.voltage.values[half] - 3.4) < 2e-3  # V; 0.1C costs that little
    assert result.voltage.values[filled < 0.3].min() < 3.4 - 0.008  # until it begins: a spinodal is 10.7 mV off


@pytest.mark.slow
def test_of_the_particles_of_a_cell_one_fills_after_the_other_as_its_file_says():
    """As docs/electrodes.md says. Slow: 2700 time steps of nine particles, a minute with its compilation."""
    result = ionics.load(CONFIGS / "lithium_iron_phosphate_phases.yaml").run()
    assert result.attrs["complete"] == 1
    filled, row = result.mean_filling.sel(member="LFP").values, result.step_of_row.values
    middle = (filled > 0.2) & (filled < 0.8)
    down, up, fast = (result.voltage.values[(row == k) & middle] for k in (0, 2, 4))
    assert down.min() == pytest.approx(3.422 - 0.0369, abs=5e-3)  # spinodals, 0.1C costs a few mV more
    assert up.max() == pytest.approx(3.422 + 0.0369, abs=5e-3)
    assert fast.max() < 3.422 - 0.05
    two = {k: two_phases(result, k) for k in (0, 4)}
    assert max(two[0]) <= 3  # of nine; at last two of the largest are left, and share the current
    assert max(two[4]) >= 4


@pytest.mark.slow
def test_an_error_as_large_as_what_the_poor_phase_holds_empties_nothing():
    """Phases at 0.012 and 0.988, steps good to 0.01. Slow: as above, with particles of other sizes."""
    changes = [
        "study.tolerance=1e-2",
        "cell.positive.active.LFP.radius={radii: [10 nm, 20 nm, 30 nm], shares: [1, 1, 1]}",
        "study.protocol=[{hold: {c_rate: 0.1}, until: {voltage: 3.2 V}}]",
    ]
    result = ionics.load(CONFIGS / "lithium_iron_phosphate_phases.yaml", changes).run()
    assert result.attrs["complete"] == 1
    assert float(result.mean_filling.sel(member="LFP")[-1]) > 0.99
    assert result.filling.values[:, result.point_member.values == "LFP"].min() > 0


def two_phases(result, step):
    """How many particles hold both phases, at each snapshot of a step."""
    own = result.isel(point=np.flatnonzero(result.point_member.values == "LFP"))
    held = own.filling.values[own.snapshot_step.values == step]
    middle, surface = (held[:, own.point_position.values == place] for place in (0, 1))
    return np.sum(np.abs(surface - middle) > 0.5, axis=1)
