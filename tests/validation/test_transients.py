"""Transients against closed forms and independent solutions: A06, A13, A14, A27 and a steric electrolyte, D05."""

import equinox as eqx
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import BarycentricInterpolator
from scipy.optimize import brentq

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import Equilibrium
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Chemical
from ionics.transport.protocol import Cutoff, Step
from ionics.transport.stack import (
    Carrier,
    Junction,
    Layer,
    Material,
    Reaction,
    Species,
    ends_mesh,
    neutral_charge,
    transfer,
)
from ionics.transport.statistics import Dilute, Lattice
from ionics.transport.transient import simulate
from tests.cells import ANION, CATION, ELECTRON, T, salt, stack
from tests.validation.collocation import chebyshev
from tests.validation.record import compare, curve

LITHIUM = Species("Li", 0)
NODES = 161
ACCURATE = 1e-6  # error of one time step in RT: below the errors of the meshes, which are of second order


def between_blocking_plates(material, thickness, length):
    """Graded to a screening length."""
    one = Layer("layer", material, thickness, ends_mesh(material, thickness, (length, length), NODES))
    return stack([CATION, ANION], [one], [Junction("left contact"), Junction("right contact")])


def test_a_charged_blocking_cell_relaxes_with_the_pole_and_not_with_the_circuit(reference):
    case = reference["A06"]
    given, exact = case["parameters"], case["reference"]
    material = salt(given["c0"], given["D"], given["eps_r"])
    debye = np.sqrt(VACUUM_PERMITTIVITY * given["eps_r"] * GAS * T / (2 * FARADAY**2 * given["c0"]))
    circuit = debye * given["half_spacing_L"] / given["D"]
    assert circuit == pytest.approx(exact["tau_RC_s"], rel=1e-6)
    cell = between_blocking_plates(material, 2 * given["half_spacing_L"], debye / 4)
    times = np.array([0.2, 1.0, 3.0, 3.5, 4.0]) * circuit
    step = Step(Voltage(given["V0_total"]), times[-1], save=times)
    run = simulate(cell, step, equilibrium(cell, voltage=0.0), rtol=ACCURATE)
    current = -np.asarray(run.current)[1:]
    wanted = [exact[f"i(t={n} tau_RC)_A_m2 for 1 mV"] for n in ("0.2", "1", "3")]
    # 161 graded nodes leave 4.7e-4 of the capacitance: as much of the current, times the time constants that passed
    compare("A06", "current after the step", current[:2], wanted[:2], 6e-4)
    compare("A06", "current three time constants after the step", current[2], wanted[2], 2e-3)
    tau = (times[4] - times[2]) / np.log(current[2] / current[4])
    compare("A06", "slowest time constant", tau, exact["tau_exact_s"], 6e-4)
    curve("A06", "current", ("t [s]", "I [A/m²]"), (times[:3], current[:3]), (times[:3], wanted), ("linear", "log"))


def test_a_large_step_depletes_the_middle_of_a_blocking_cell(reference):
    case = reference["A27"]
    v, eps, exact = case["parameters"]["v"], case["parameters"]["eps"], case["reference"]
    half, diffusivity, permittivity = 1e-6, 1e-12, 10.0
    debye = eps * half
    c0 = VACUUM_PERMITTIVITY * permittivity * GAS * T / (2 * FARADAY**2 * debye**2)
    # the double layers at 3 RT/F are as thin as a quarter of the Debye length: the mesh is graded to that
    cell = between_blocking_plates(salt(c0, diffusivity, permittivity), 2 * half, debye / 4)
    units = np.array([0.5, 1.0, 2.0, 5.0, 20.0])
    times = units * debye * half / diffusivity
    step = Step(Voltage(2 * v * GAS * T / FARADAY), times[-1], save=times)
    run = simulate(cell, step, equilibrium(cell, voltage=0.0), rtol=ACCURATE)
    charge = np.asarray(run.state.displacement)[1:, 0] / (2 * FARADAY * c0 * debye)
    middle = np.exp(np.asarray(run.state.u)[1:, 0, NODES // 2]) / c0
    charges = [exact[f"t={t}: q_left/(2Fc0 lamD)"] for t in units]
    middles = [exact[f"t={t}: c_mid/c0"] for t in units]
    compare("A27", "charge", charge, charges, 1e-3)  # space, second order: 4.6e-4 with 161 nodes
    compare("A27", "concentration in the middle", middle, middles, 3e-4)
    axes = "t D/(λL)", "q/(2Fcλ), c/c₀"
    curve("A27", "charge", axes, (units, -charge), (units, -np.array(charges)))
    curve("A27", "concentration in the middle", axes, (units, middle), (units, middles))


def crowding(debye, filled, wall, times, n=80):
    """Cations and anions over time, and the charge of the left plate, by collocation in space (Kilic et al. 2007).

    Lengths in half distances, time in debye * half / D, potential in RT/F, concentrations in that of the bulk; filled:
    share of the sites that both ions take there. Fluxes vanish at the plates, which keeps the amounts to rounding.
    """
    x, d = chebyshev(n)
    potential = np.linalg.inv(np.vstack([np.eye(n + 1)[0], (d @ d)[1:-1], np.eye(n + 1)[-1]]))

    def slope(c):
        rho = -(c[0] - c[1]) / (2 * debye**2)
        return d @ potential @ np.concatenate([[wall], rho[1:-1], [-wall]])

    def rate(_, y):
        c = y.reshape(2, -1)
        total = c.sum(axis=0)
        crowd = 0.5 * filled * (d @ total) / (1 - 0.5 * filled * total)
        flux = -debye * (c @ d.T + c * (np.outer((1, -1), slope(c)) + crowd))
        flux[:, [0, -1]] = 0
        return -(flux @ d.T).ravel()

    run = solve_ivp(rate, (0, times[-1]), np.ones(2 * n + 2), "BDF", times, rtol=1e-8, atol=1e-10)
    assert run.success, run.message
    c = run.y.T.reshape(-1, 2, n + 1)
    return x, c, np.array([-debye * slope(own)[0] for own in c])


@pytest.mark.slow
def test_crowded_ions_after_a_large_step():
    """D05: two ions that share their sites; the layers at the plates fill up, the middle is depleted."""
    half, diffusivity, permittivity, debye, filled, wall = 1e-6, 1e-12, 10.0, 0.1, 0.5, 6.0
    thermal = GAS * T / FARADAY
    c0 = VACUUM_PERMITTIVITY * permittivity * thermal / (2 * FARADAY * (debye * half) ** 2)
    sites = 2 * c0 / filled
    carriers = tuple(
        Carrier(s, Lattice(), sites, filled / 2, Constant(diffusivity), sublattice="solvent") for s in (CATION, ANION)
    )
    units = np.array([0.1, 0.5, 1.0, 2.0, 5.0, 20.0])
    x, exact, charges = crowding(debye, filled, wall, units)
    cell = between_blocking_plates(Material("electrolyte", carriers, permittivity, 0.0), 2 * half, debye * half / 2)
    times = units * debye * half**2 / diffusivity
    step = Step(Voltage(-2 * wall * thermal), times[-1], save=times)
    run = simulate(cell, step, equilibrium(cell, voltage=0.0), rtol=ACCURATE)
    charge = np.asarray(run.state.displacement)[1:, 0] / (2 * FARADAY * c0 * debye * half)
    compare("D05", "charge", charge, charges, 3e-4)  # space, second order: 1.3e-4 with 161 nodes
    weight = np.exp(np.asarray(run.state.u)[1:])
    c = weight / (1 + weight.sum(axis=1, keepdims=True)) * 2 / filled
    compare("D05", "concentration in the middle", c[:, 0, NODES // 2], exact[:, 0, len(x) // 2], 1e-4)
    position = np.append(0, np.cumsum(np.asarray(cell.layers[0].spacing))) * 2 - 1
    axes = "position over half the distance", "concentration over that of the bulk"
    for k in (1, 3, 5):
        series = BarycentricInterpolator(x, exact[k].T)(position).T
        at = f"t = {units[k]:g} λL/D"
        compare("D05", f"both ions on all nodes, {at}", c[k], series, 4e-4, scale=2 / filled)
        curve("D05", f"cations, {at}", axes, (position, c[k, 0]), (position, series[0]))
        curve("D05", f"anions, {at}", axes, (position, c[k, 1]), (position, series[1]))


def insertion_film(thickness, concentration, diffusivity, finest):
    """Neutral lithium that enters from an electrolyte on the left, and electrons that enter on the right.

    Diffusion in the electrons is fast, their space charge is kept out by the small compact layer.
    """
    carriers = (
        Carrier(LITHIUM, Dilute(), 1.0, concentration, Constant(diffusivity), Constant(0.0), Chemical()),
        Carrier(ELECTRON, Dilute(), 1.0, 1e4, Constant(1e-9)),
    )
    film = Material("film", carriers, 10.0, neutral_charge(carriers))
    one = Layer("film", film, thickness, ends_mesh(film, thickness, (finest, thickness), NODES))
    insertion = Reaction((("Li+", 1),), (("Li", 1), ("e-", -1)), Equilibrium(), 0.0)
    left = Junction("left contact", (insertion,), Capacitance(1e-3))
    right = Junction("right contact", (transfer("e-", level=-GAS * T * np.log(1e4)),))
    return stack([LITHIUM, ELECTRON, Species("Li+", 1)], [one], [left, right])


@pytest.fixture(scope="module")
def thick_film():
    """As good as infinite for ten seconds."""
    return insertion_film(4e-6, 1000.0, 1e-14, 2e-8)


def test_the_current_after_a_step_falls_with_the_root_of_time(reference, thick_film):
    given, exact = reference["A13"]["parameters"], reference["A13"]["reference"]
    start = equilibrium(thick_film)
    times = np.array([0.1, 1.0, 10.0])
    # half a volt leaves exp(-19) of the lithium at the surface
    step = Step(Voltage(start.state.voltage + 0.5), 10.0, cutoffs=[NEVER], save=times)
    run = simulate(thick_film, step, start, rtol=ACCURATE)
    current = -np.asarray(run.current)[1:4]
    wanted = [exact[f"i_Cottrell(t={t} s)_A_m2"] for t in ("0.1", "1", "10")]
    compare("A13", "current of Cottrell", current, wanted, 1e-3)
    line = np.geomspace(0.05, 20, 50)
    cottrell = FARADAY * given["c"] * np.sqrt(given["D"] / (np.pi * line))
    curve("A13", "Cottrell", ("t [s]", "I [A/m²]"), (times, current), (line, cottrell), ("log", "log"))


NEVER = Cutoff.occupancy("Li", 1e9, "above")


def test_a_surface_is_depleted_at_the_time_of_sand(reference, thick_film):
    given, exact = reference["A13"]["parameters"], reference["A13"]["reference"]
    left = 0.01  # of the concentration: theta(t) = 1 - sqrt(t / t_Sand)
    step = Step(
        Current(-given["j"]), cutoffs=[Cutoff.occupancy("Li", left * given["c"], "below")], save=[0.1, 0.2, 0.3]
    )
    run = simulate(thick_film, step, equilibrium(thick_film), rtol=ACCURATE)
    assert run.ended_by() == ("smallest occupancy of Li below 10",)
    compare("A13", "time of Sand", float(run.end.time), (1 - left) ** 2 * exact["t_Sand_s"], 1e-3)


def test_a_film_fills_under_constant_current(reference):
    given, exact = reference["A14"]["parameters"], reference["A14"]["reference"]
    film = insertion_film(given["L"], given["c0"], given["D"], given["L"])
    full = Cutoff.occupancy("Li", given["cmax"], "above")
    step = Step(Current(given["j"]), cutoffs=[full], save=[5.0, 20.0, 50.0])
    run = simulate(film, step, equilibrium(film), rtol=ACCURATE)
    c = np.exp(np.asarray(run.state.u)[2:4, 0])
    for name, found in (("c_surface", c[:, 0]), ("c_back", c[:, -1]), ("c_mean", _mean(film, c))):
        wanted = [exact[f"{name}({t} s)_mol_m3"] for t in (20, 50)]
        # the charge of the compact layer, 1e-3 F/m2 times 0.03 V, is 1e-6 of what is inserted; the mesh leaves 1e-5
        compare("A14", name, found, wanted, 5e-5)
    compare("A14", "time of saturation", float(run.end.time), exact["t_saturation_s"], 1e-4)
    x = np.append(0, np.cumsum(np.asarray(film.layers[0].spacing)))
    for t, ours in zip((20, 50), c, strict=True):
        series = slab(given, t, 1 - x)
        compare("A14", f"c at {t} s on all nodes", ours, series, 5e-5)
        nm = x * given["L"] * 1e9
        curve("A14", f"{t} s", ("x [nm]", "concentration [mol m⁻³]"), (nm, ours), (nm, series))


def slab(p, t, xi):
    """Concentration after a time t of constant current, at xi from the closed end; Carslaw and Jaeger, 3.8."""
    n = np.arange(1, 400)[:, None]
    fourier = p["D"] * t / p["L"] ** 2
    waves = np.sum((-1.0) ** n / n**2 * np.exp(-((n * np.pi) ** 2) * fourier) * np.cos(n * np.pi * xi), axis=0)
    shape = fourier + (3 * xi**2 - 1) / 6 - 2 / np.pi**2 * waves
    return p["c0"] + p["j"] * p["L"] / (FARADAY * p["D"]) * shape


def _mean(film, c):
    h = np.asarray(film.layers[0].spacing)
    weights = 0.5 * (np.append(h, 0) + np.append(0, h))
    return c @ weights


def between_reversible_plates(concentration, plus, minus, thickness, finest):
    """A salt whose cation alone passes the plates.

    As good as neutral, which the closed forms are: little charge in compact layers and in space charges.
    """
    material = salt(concentration, plus, eps=1.0)
    carriers = tuple(
        eqx.tree_at(lambda c: c.diffusivity, carrier, Constant(d))
        for carrier, d in zip(material.carriers, (plus, minus), strict=True)
    )
    material = eqx.tree_at(lambda m: m.carriers, material, carriers)
    one = Layer("layer", material, thickness, ends_mesh(material, thickness, (finest, finest), NODES))
    level = GAS * T * np.log(concentration)
    contacts = [
        Junction(f"{side} contact", (transfer("C+", level=sign * level),), Capacitance(1e-3))
        for side, sign in (("left", 1), ("right", -1))
    ]
    return stack([CATION, ANION], [one], contacts)


@pytest.mark.parametrize("kind", ["half space", "slab"])
def test_a_binary_electrolyte_is_depleted_by_what_the_anion_does_not_carry(reference, kind):
    given, exact = reference["A13"]["parameters"], reference["A13"]["reference"]
    share, ambipolar, c = given["t_plus"], given["D"], given["c"]
    minus = ambipolar / (2 * share)
    plus = minus * share / (1 - share)
    left = 0.05
    if kind == "half space":
        thickness, current = 4e-6, given["j"]
        expected = (1 - left) ** 2 * exact["t_Sand_binary_(t+=0.15)_s"]
    else:
        thickness, current = given["L"], 1.5 * exact["i_lim_slab_A_m2"]

        def at_the_plate(t):
            n = np.arange(1, 401, 2)
            series = np.sum(4 / (n * np.pi) ** 2 * np.exp(-((n * np.pi / thickness) ** 2) * ambipolar * t))
            return c - current * (1 - share) * thickness / (FARADAY * ambipolar) * (0.5 - series)

        assert brentq(at_the_plate, 1e3, 1e4) == pytest.approx(exact["t_deplete(1.5 i_lim)_s"], rel=1e-6)
        expected = brentq(lambda t: at_the_plate(t) - left * c, 1e3, 1e4)
    cell = between_reversible_plates(c, plus, minus, thickness, thickness / 1000)
    step = Step(Current(current), cutoffs=[Cutoff.occupancy("A-", left * c, "below")])
    run = simulate(cell, step, equilibrium(cell), rtol=ACCURATE)
    compare("A13", f"depletion of a {kind}", float(run.end.time), expected, 1e-3)
