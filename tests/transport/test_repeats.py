"""Repeated units: N grains and boundaries without meshing N of them."""

import numpy as np
import pytest

from ionics.kinetics.compact import Capacitance, ConstantPhase
from ionics.kinetics.rates import Linear
from ionics.laws import Constant
from ionics.transport.balance import Voltage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.stack import Junction, Unit, reservoir, transfer
from ionics.transport.steady import steady
from tests.cells import LITHIUM, T, lattice, layer, stack

GRAIN = lattice(30000.0, 0.4, 1e-12, eps=15.0, name="grain")
CORE = lattice(30000.0, 0.4, 1e-14, eps=15.0, name="core", mu0=3000.0)
FREQUENCY = np.geomspace(1e-1, 1e9, 11)


def grain(name):
    return layer(GRAIN, 0.2e-6, 41, name)


def boundary(name):
    law = Linear(Constant(1e-6))
    return Junction(name, (transfer("Li+", law),), Capacitance(0.05))


def steel(name):
    return Junction(name, (), ConstantPhase(0.02, 0.85))


def test_a_unit_counted_three_times_equals_three_meshed_units():
    """Grain halves around a boundary: half | half half | half half | half is what three units are."""
    once = stack(
        [LITHIUM], [grain("left"), grain("right")], [steel("l"), boundary("gb"), steel("r")], units=(Unit(0, 1, 3.0),)
    )
    layers = [grain(f"{side}{n}") for n in range(3) for side in ("left", "right")]
    inner = [boundary(f"gb{n}") if n % 2 == 0 else Junction(f"m{n}", (transfer("Li+"),)) for n in range(5)]
    meshed = stack([LITHIUM], layers, [steel("l"), *inner, steel("r")])
    short, long = (impedance(cell, equilibrium(cell), FREQUENCY) for cell in (once, meshed))
    # at 0.1 Hz the blocked cell stores 1e-9 of what its finest face conducts: 1e-7 of Z is rounding
    np.testing.assert_allclose(short.z, long.z, rtol=1e-6)
    np.testing.assert_allclose(short.parts.sum(axis=0), short.z, rtol=1e-6)
    by_name = dict(zip(short.elements, np.asarray(short.parts), strict=True))
    each = dict(zip(long.elements, np.asarray(long.parts), strict=True))
    np.testing.assert_allclose(by_name["gb"], sum(each[f"gb{n}"] for n in (0, 2, 4)), rtol=1e-6)


def test_a_resolved_boundary_with_its_space_charge_repeats_as_well():
    core = layer(CORE, 2e-9, 41, "core")

    def unit(tag=""):
        return [grain("a" + tag), core, grain("b" + tag)], [Junction("x" + tag, (transfer("Li+"),)) for _ in range(2)]

    layers, inner = unit()
    ends = [Junction(s, reservoir(GRAIN, s, T)) for s in ("left", "right")]
    once = stack([LITHIUM], layers, [ends[0], *inner, ends[1]], units=(Unit(0, 2, 2.0),))
    second, more = unit("2")
    joint = Junction("middle", (transfer("Li+"),))
    meshed = stack([LITHIUM], layers + second, [ends[0], *inner, joint, *more, ends[1]])
    short, long = (impedance(cell, equilibrium(cell), FREQUENCY).z for cell in (once, meshed))
    # grains of 200 nm are neutral in the middle to e^-1000: the only difference is rounding
    np.testing.assert_allclose(short, long, rtol=1e-8)


def test_a_repeated_unit_under_current_is_refused():
    once = stack(
        [LITHIUM],
        [grain("left"), grain("right")],
        [
            Junction("l", reservoir(GRAIN, "left", T)),
            boundary("gb"),
            Junction("r", reservoir(GRAIN, "right", T)),
        ],
        units=(Unit(0, 1, 3.0),),
    )
    driven = steady(once, Voltage(0.01))
    with pytest.raises(ValueError, match="at equilibrium only"):
        impedance(once, driven, FREQUENCY)


def test_a_constant_phase_layer_is_q_i_omega_to_the_n():
    """Blocking steel on both sides of a conductor: Z = R + 2/(Q (i omega)^n) where nothing else answers."""
    cell = stack([LITHIUM], [grain("left"), grain("right")], [steel("l"), boundary("gb"), steel("r")])
    frequency = np.array([1e-1, 1.0])
    z = np.asarray(impedance(cell, equilibrium(cell), frequency).z)
    expected = 2 / (0.02 * (2j * np.pi * frequency) ** 0.85)
    series = z - expected
    # what remains is the resistance and two space-charge capacitances in series, some 1 F/m2: a hundredth of Q
    assert np.all(series.real > 0)
    np.testing.assert_allclose(np.abs(series.imag), 2 / (2 * np.pi * frequency * 2.3), rtol=0.6)
