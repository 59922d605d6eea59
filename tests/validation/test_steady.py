"""Steady states under current, light or between unequal reservoirs: C02, junctions of several ions, reaction planes."""

import equinox as eqx
import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator
from scipy.optimize import root

from ionics.constants import AVOGADRO, FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.kinetics.bulk import Generation
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
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
from tests.cells import ANION, CATION, ELECTRON, HOLE, T, layer, salt, stack
from tests.validation.collocation import chebyshev
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


# the cell of D06: currents over 4 F D c / L, at which a neutral salt is used up; LEVEL: what a cation at c gains in RT
# by leaving a metal at the same potential; SHARES: of that energy in the rate of dissolution on the left and right
CONCENTRATION, DIFFUSIVITY, THICKNESS = 100.0, 1e-12, 1e-7
LIMIT = 4 * FARADAY * DIFFUSIVITY * CONCENTRATION / THICKNESS
EXCHANGE, LEVEL, SHARES = (0.5, 2.0), 2.0, (0.3, 0.6)


def between_reaction_planes(debye, compact, currents, n=96):
    """Points; for each current the potential and the cations there, and the voltage, by collocation (Chebyshev).

    Lengths in thicknesses, potential in RT/F, concentrations in that of the salt: c' + c φ' = -4 current (cations),
    a' = a φ' (anions), debye^2 φ'' = (a - c)/2. Over the compact layers the potential goes on straight for a length
    `compact`; there i = k [exp(s A) - c exp(-(1 - s) A)]: A is what a cation gains on its way out of the metal to the
    reaction plane, c its concentration there.
    """
    x, d = chebyshev(n)
    x, d = 0.5 * (1 + x), 2 * d
    mean = np.linalg.inv(np.vstack([d[1:], np.eye(n + 1)[0]]))[-1, :-1]  # of what is given in all points but the first

    def rows(y, level, current):
        phi, u = y[: n + 1], y[n + 1 : -1]
        slope, c, a = d @ phi, np.exp(u), np.exp(y[-1] + phi)
        laws = [phi[0] - compact * slope[0], mean @ a[1:] - 1]
        for k, end, sign in ((0, 0, -1), (1, -1, 1)):
            dissolving = level + sign * compact * slope[end]  # metal against its reaction plane
            out, into = SHARES[k] * dissolving, u[end] - (1 - SHARES[k]) * dissolving
            laws.append(EXCHANGE[k] * (np.exp(out) - np.exp(into)) + sign * current)
        charge = debye**2 * (d @ slope) - 0.5 * (a - c)
        return np.concatenate([(c * (d @ (u + phi)) + 4 * current)[1:], charge[1:-1], laws])

    y, found = np.zeros(2 * n + 3), []  # potential, ln c, and ln a - potential, which is the same everywhere
    for level, current in [(LEVEL / 4, 0.0), (LEVEL / 2, 0.0), (LEVEL, 0.0), *((LEVEL, i) for i in currents)]:
        one = root(rows, y, (level, current), method="hybr", options={"xtol": 1e-11, "maxfev": 100000})
        assert np.abs(rows(one.x, level, current)).max() < 1e-6, one.message
        y = one.x
        found.append((y[: n + 1], np.exp(y[n + 1 : -1]), y[n] + compact * (d @ y[: n + 1])[-1]))
    return x, found[3:]


@pytest.mark.parametrize(("debye", "compact"), [(0.04, 0.004), (0.04, 0.04), (0.2, 0.02)])
def test_the_reaction_sees_its_plane_behind_the_diffuse_layer(debye, compact):
    """D06: rates of the concentration and the potential at the reaction plane, thin and thick diffuse layers."""
    length = debye * THICKNESS
    eps = 2 * FARADAY * CONCENTRATION * length**2 / THERMAL  # F m-1
    carriers = tuple(
        Carrier(species, Dilute(), CONCENTRATION, 1.0, Constant(DIFFUSIVITY)) for species in (CATION, ANION)
    )
    material = Material("salt", carriers, eps / VACUUM_PERMITTIVITY, 0.0)
    contacts = [
        Junction(
            side,
            (transfer("C+", ButlerVolmer(Constant(LIMIT * k), share, True), sign * LEVEL * GAS * T),),
            Capacitance(eps / (compact * THICKNESS)),
        )
        for side, sign, k, share in zip(("left", "right"), (1, -1), EXCHANGE, (SHARES[0], 1 - SHARES[1]), strict=True)
    ]
    cell = stack([CATION, ANION], [layer(material, THICKNESS)], contacts)
    currents = np.array([0.1, 0.4, 0.8, 1.1])
    points, exact = between_reaction_planes(debye, compact, currents)
    name = f"λ = {debye} L, compact {compact} L"
    state, volts, axes = equilibrium(cell), [], ("position over the thickness", "potential [RT/F]")
    for current, (phi, c, _) in zip(currents, exact, strict=True):
        state = steady(cell, Current(current * LIMIT), state)
        volts.append(float(state.state.voltage) / THERMAL)
        shape = profiles(cell, state.state)
        x, potential = np.asarray(shape.x) / THICKNESS, np.asarray(shape.potential) / THERMAL
        planes = np.asarray(shape.concentration)[0, [0, -1]] / CONCENTRATION
        at = f"{name}, {current:g} of the limit"
        # beyond the limit the cations that leave the left metal are thin and spread over a layer of strong field
        compare("D06", f"{at}: c at the planes", planes, c[[0, -1]], 6e-4 if current > 1 else 5e-5)
        series = BarycentricInterpolator(points, phi)(x)
        compare("D06", f"{at}: φ on all nodes", potential, series, 5e-5, scale=np.ptp(phi))
        if current == currents[-1]:
            curve("D06", at, axes, (x, potential), (x, series))
    compare("D06", f"{name}: voltage", volts, [v for *_, v in exact], 5e-5)
