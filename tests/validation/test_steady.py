"""Steady states under current, light or between unequal reservoirs: C02, and junctions of several ions."""

import equinox as eqx
import numpy as np
import pytest

from ionics.constants import AVOGADRO, FARADAY, GAS
from ionics.kinetics.bulk import Generation
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage, profiles
from ionics.transport.equilibrium import NotConverged, equilibrium
from ionics.transport.stack import (
    BulkReaction,
    Carrier,
    Junction,
    Material,
    Species,
    bulk_step,
    debye_length,
    neutral_charge,
    transfer,
)
from ionics.transport.statistics import Dilute
from ionics.transport.steady import steady
from tests.cells import ELECTRON, HOLE, T, layer, salt, stack
from tests.validation.record import compare, curve

NODES = 161
THERMAL = GAS * T / FARADAY


def test_pn_junction_under_light(reference):
    """C02: generation everywhere, no recombination, a step of the permittivity; tabulated with four or five digits."""
    case, p = reference["C02"]["reference"], reference["C02"]["parameters"]
    thermal, moles = p["kT_q_V"], 1e6 / AVOGADRO
    temperature = thermal * FARADAY / GAS
    states, doping = p["Nc_cm3"] * moles, 1e15 * moles
    squared = states**2 * np.exp(-p["Eg_eV"] / thermal)
    light = BulkReaction((), (("e-", 1), ("h+", 1)), Generation(Constant(p["G_cm3s"] * moles)))
    layers = []
    for name, eps, electrons in (("n", 1000.0, doping), ("p", 10000.0, squared / doping)):
        holes = squared / electrons
        carriers = (
            Carrier(ELECTRON, Dilute(), states, electrons / states, Constant(p["mu_n_cm2Vs"] * 1e-4 * thermal)),
            Carrier(
                HOLE,
                Dilute(),
                states,
                holes / states,
                Constant(p["mu_p_cm2Vs"] * 1e-4 * thermal),
                Constant(p["Eg_eV"] * FARADAY),
            ),
        )
        material = Material(name, carriers, eps, neutral_charge(carriers), (light,))
        layers.append(layer(material, p["L_cm"] * 5e-3, NODES, name, temperature))
    both = (transfer("e-"), transfer("h+"))
    cell = stack([ELECTRON, HOLE], layers, [Junction(name, both) for name in ("n", "middle", "p")], temperature)
    contacts = [bulk_step(cell, 0), bulk_step(cell, 2)]
    cell = eqx.tree_at(lambda s: [s.junctions[0].step, s.junctions[2].step], cell, contacts)
    state, found = equilibrium(cell), []
    for volts in case["V"]:
        state = steady(cell, Voltage(volts), state)
        found.append(float(state.state.current) * 1e-4)
    # the table has four digits at its ends and five in between
    compare("C02", "current", found, case["J_A_cm2"], 1e-4)
    axes = "voltage [V]", "size of the current [mA cm⁻²]"
    ours, table = (np.abs(j) * 1e3 for j in (found, case["J_A_cm2"]))
    curve("C02", "|J|", axes, (case["V"], ours), (case["V"], table), ("linear", "log"))


def membrane(left, right, charges, diffusivities, thickness, eps=10.0):
    """Dilute ions between two reservoirs that hold the concentrations [mol m-3] at its faces."""
    species = [Species(f"ion {k}", z) for k, z in enumerate(charges)]
    carriers = tuple(
        Carrier(s, Dilute(), 1.0, 0.5 * (a + b), Constant(d))
        for s, a, b, d in zip(species, left, right, diffusivities, strict=True)
    )
    material = Material("membrane", carriers, eps, 0.0)
    contacts = [
        Junction(
            side,
            tuple(
                transfer(s.name, None, sign * GAS * T * np.log(c)) for s, c in zip(species, concentrations, strict=True)
            ),
        )
        for side, concentrations, sign in (("left", left, 1), ("right", right, -1))
    ]
    return stack(species, [layer(material, thickness, NODES)], contacts)


def at_rest(left, right, charges, diffusivities, thickness):
    """Open-circuit voltage, right against left [V], and the cell with its state."""
    cell = membrane(left, right, charges, diffusivities, thickness)
    solution = steady(cell, Current(0.0))
    return float(solution.state.voltage), cell, solution


def test_unequal_reservoirs_have_no_equilibrium():
    cell = membrane((10.0, 10.0), (20.0, 20.0), (1, -1), (1e-12, 3e-12), 1e-7)
    with pytest.raises(NotConverged, match="there is no equilibrium"):
        equilibrium(cell)


def test_reservoirs_of_equal_strength_have_a_constant_field():
    """D03: with as many ions on either side Goldman's equation is exact, however long the membrane."""
    left, right, diffusivities = (10.0, 90.0, 100.0), (80.0, 20.0, 100.0), (2e-12, 1e-12, 1.5e-12)
    d = np.array(diffusivities)
    inward = d[0] * left[0] + d[1] * left[1] + d[2] * right[2]
    outward = d[0] * right[0] + d[1] * right[1] + d[2] * left[2]
    volts, cell, solution = at_rest(left, right, (1, 1, -1), diffusivities, 1e-7)
    compare("D03", "three ions, equal strength", volts, THERMAL * np.log(inward / outward), 1e-6)
    shape = profiles(cell, solution.state)
    x = np.asarray(shape.x)
    exact = volts * x / x[-1]
    compare("D03", "constant field", shape.potential, exact, 1e-6, scale=abs(volts))
    curve("D03", "φ", ("x [nm]", "potential [V]"), (x * 1e9, shape.potential), (x * 1e9, exact))


@pytest.mark.parametrize(("debye_lengths", "rel"), [(0.01, 1e-5), (3e3, 1e-3)])
def test_salt_between_reservoirs_from_goldman_to_planck(debye_lengths, rel):
    """D03: a thin membrane has a constant field, a thick one is neutral: the two classical limits of one equation."""
    low, high, plus, minus = 1.0, 20.0, 1e-12, 3e-12
    length = float(debye_length(salt(high), T))
    volts, _, _ = at_rest((low, low), (high, high), (1, -1), (plus, minus), debye_lengths * length)
    if debye_lengths < 1:
        expected, name = THERMAL * np.log((plus * low + minus * high) / (plus * high + minus * low)), "Goldman"
    else:
        expected, name = -THERMAL * (plus - minus) / (plus + minus) * np.log(high / low), "Planck"
    compare("D03", f"salt, {name}'s limit", volts, expected, rel)
