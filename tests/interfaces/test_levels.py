"""Lithium chemical potentials that may be handed over, and the steps that follow: by definitions and by the solver."""

import math

import numpy as np
import pytest
from ase import Atoms

import ionics
from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.handoff import defect_pair, handover, layer, lithium_metal
from ionics.interfaces.interface import Interface
from ionics.interfaces.levels import (
    Calibration,
    Level,
    built_in,
    lithium_potential,
    mean_voltage,
    potential_step,
)
from ionics.interfaces.lineup import lineup

KT = BOLTZMANN * 300 / ELEMENTARY_CHARGE  # eV


def said(value, unit="", error=0.0):
    return Estimate(value, unit, "a made-up crystal", "chosen for the test", error)


def cobaltate(value=-3.12, **changes):
    return Level(
        **({"phase": "LiCoO2", "model": "potential 0.3", "occupancy": (0.96, 1.0)} | changes),
        value=value,
        uncertainty=0.05,
    )


def measured(**changes):
    """Of the thin film of the library, by a model that is 0.78 V off."""
    given = {
        "model": "potential 0.3", "phase": "LiCoO2", "occupancy": (0.96, 1.0), "voltage": 3.9, "modelled": 3.12,
        "uncertainty": 0.02, "source": "somebody 2020",
    }  # fmt: skip
    return Calibration(**(given | changes))


def test_a_level_without_a_measured_voltage_is_refused_and_told_what_to_write():
    with pytest.raises(AtomsError) as caught:
        cobaltate().estimate()
    assert "not calibrated to a measured open-circuit voltage" in caught.value.problem
    assert "LiCoO2" in caught.value.valid
    with pytest.raises(AtomsError, match="not calibrated"):
        potential_step(cobaltate(), cobaltate().by(measured()))
    with pytest.raises(AtomsError, match="not calibrated"):
        built_in(said(0.1, "eV"), said(0.5, "eV"), cobaltate(), "right")


def test_a_calibrated_level_is_the_measured_one_where_it_was_calibrated():
    found = cobaltate().by(measured()).estimate()
    assert found.value == pytest.approx(-3.9)
    assert found.uncertainty == pytest.approx(math.hypot(0.05, 0.02))
    assert "3.9 V measured" in found.method
    # elsewhere in the same host only the difference to there is the model's
    near = cobaltate(-3.20, occupancy=(0.88, 0.92)).by(measured()).estimate()
    assert near.value == pytest.approx(-3.98)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phase": "LiNiO2"}, "calibration of phase LiNiO2"),
        ({"model": "potential 0.4"}, "calibration of model potential 0.4"),
        ({"occupancy": (0.5, 0.6)}, "calibrated at 0.55"),
        ({"source": " "}, "has no source"),
        ({"occupancy": (0.6, 0.5)}, "between the fillings"),
        ({"voltage": math.nan}, "numbers"),
    ],
)
def test_a_calibration_of_something_else_is_refused(changes, words):
    with pytest.raises(AtomsError, match=words):
        cobaltate().by(measured(**changes))


def test_what_taking_out_lithium_costs_against_metal():
    # 36 formula units with and without two lithium, each 1.9 eV in the metal: 3.1 eV to take one out
    assert lithium_potential(-600.0, -590.0, 2, -1.9) == pytest.approx(-3.1)
    with pytest.raises(AtomsError, match="more lithium first"):
        lithium_potential(-600.0, -590.0, -2, -1.9)


def test_the_mean_of_a_measured_curve_is_its_integral():
    x = np.linspace(0.4, 1.0, 13)
    assert mean_voltage(x, 5 - x, (0.5, 0.9)) == pytest.approx(4.3)
    assert mean_voltage(x[::-1], (5 - x)[::-1], (0.625, 0.625)) == pytest.approx(4.375)
    with pytest.raises(AtomsError, match=r"not all on a curve from 0\.4 to 1"):
        mean_voltage(x, 5 - x, (0.2, 0.5))


def test_two_electrodes_make_the_open_circuit_voltage_between_them():
    anode = Level("graphite", "potential 0.3", (0.4, 0.5), -0.3, 0.02)
    anode = anode.by(measured(phase="graphite", occupancy=(0.4, 0.5), voltage=0.12, modelled=0.3))
    cell = potential_step(anode, cobaltate().by(measured()))
    assert cell.value == pytest.approx(3.9 - 0.12)
    assert cell.unit == "V"


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_face_of_an_electrolyte_holds_as_many_defects_as_they_cost_there(tmp_path, side):
    """Signs of the whole way: from energies at the junction over the step and the file to the solver's occupancy.

    Nothing lies between metal and face, so there theta/(1 - theta) = exp(-E/kT) of the energies put in.
    """
    from ionics.transport.adapt import resolved
    from ionics.transport.balance import profiles

    into, out = said(0.15, "eV", 0.05), said(0.65, "eV", 0.05)
    moving = said(1e-12, "m^2/s")
    pair = defect_pair(said(10.0), said(1e4, "mol/m^3"), said((0.15 + 0.65) / 2, "eV", 0.05), moving, moving, 300)
    metal, far = lithium_metal(built_in(into, out, None, side)), {"contact": "reservoir"}
    made = handover(
        "beside lithium", 300.0, {"e": pair}, [layer("e", "e", "2 um")],
        left=metal if side == "left" else far, right=far if side == "left" else metal,
        atoms="made up", models="none", settings="none",
    )  # fmt: skip
    cell, solution = resolved(ionics.load(made.write(tmp_path / "stack.yaml")).stack)
    filled = np.asarray(profiles(cell, solution.state).occupancy)[:, 0 if side == "left" else -1]
    # energies in six digits of an eV: 1e-6/kT
    assert -KT * np.log(filled / (1 - filled)) == pytest.approx([0.15, 0.65], abs=2e-6)


def test_a_host_that_holds_lithium_tighter_lowers_the_electrolyte_by_its_voltage():
    free = built_in(said(0.2, "eV", 0.1), said(0.6, "eV", 0.1), None, "left")
    held = built_in(said(0.2, "eV", 0.1), said(0.6, "eV", 0.1), cobaltate().by(measured()), "left")
    assert free.value == pytest.approx(0.2)
    assert held.value == pytest.approx(0.2 - 3.9)
    assert held.uncertainty == pytest.approx(math.hypot(0.05, 0.05, 0.05, 0.02), rel=1e-9)
    assert built_in(said(0.2, "eV"), said(0.6, "eV"), None, "right").value == pytest.approx(-0.2)
    with pytest.raises(AtomsError, match="left or right"):
        built_in(said(0.2, "eV"), said(0.6, "eV"), None, "top")


def planes(charges, heights, area=16.0):
    """Layers of single ions, the lower half the left slab."""
    side, n = math.sqrt(area), len(heights)
    atoms = Atoms("Li" * n, positions=[[0, 0, z] for z in heights], cell=[side, side, max(heights) + 12], pbc=True)
    atoms.set_initial_charges(charges)
    atoms.set_tags([1] * (n // 2) + [2] * (n - n // 2))
    return Interface(atoms, "one", "other", (heights[n // 2 - 1] + heights[n // 2]) / 2)


def layered(count=16, spacing=1.0, moved=0.0):
    """Planes of +1, -1, -1, +1 without a dipole; moved: how far the two planes at the junction are pushed down."""
    heights = np.arange(count) * spacing
    charges = np.tile([1.0, -1.0, -1.0, 1.0], count // 4)
    heights[count // 2 - 1] -= moved
    heights[count // 2] -= moved
    return charges, heights


def test_alike_slabs_have_no_step():
    charges, heights = layered()
    found = lineup(planes(charges, heights), (4.0, 4.0))
    assert found.step == pytest.approx(0.0, abs=1e-3)  # a grid of 0.02 angstrom
    assert found.potential[-1] == pytest.approx(0.0, abs=1e-9)  # no dipole: both vacuums are at zero


def test_a_sheet_of_dipoles_is_a_step_of_its_moment_over_eps0():
    charges, heights = layered(moved=0.3)
    found = lineup(planes(charges, heights), (4.0, 4.0))
    exact = 2 * 0.3 * 1e-10 * ELEMENTARY_CHARGE / (VACUUM_PERMITTIVITY * 16e-20)  # both planes are positive, moved down
    assert abs(found.potential[-1]) == pytest.approx(exact, rel=1e-9)
    assert found.step == pytest.approx(-exact, rel=0.05)  # the grid of the running mean against 0.3 angstrom
    screened = found.estimate(2.5, "planes")
    assert screened.value == pytest.approx(found.step / 2.5)
    assert screened.uncertainty >= abs(found.step) * 0.6 * (1 - 1e-12)


@pytest.mark.parametrize(
    ("charges", "heights", "words"),
    [
        ([1.0, -1.0, -1.0, 2.0] * 4, None, "add up to"),
        ([0.0] * 16, None, "all charges are zero"),
        ([1.0, -1.0, -1.0, 1.0], np.arange(4.0), "no inner part"),
    ],
)
def test_what_has_no_lineup_is_refused(charges, heights, words):
    heights = layered()[1] if heights is None else heights
    with pytest.raises(AtomsError, match=words):
        lineup(planes(charges, heights), (4.0, 4.0))
