"""Thin-film cells with Li3PO4 and LiCoO2 in time, against published models: B01, B02, B03."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS
from ionics.kinetics.bulk import WeakElectrolyte
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.balance import Current, flows, profiles
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Chemical
from ionics.transport.grid import graded
from ionics.transport.protocol import Cutoff, Step
from ionics.transport.stack import (
    BulkReaction,
    Carrier,
    Junction,
    Layer,
    Material,
    Reaction,
    Species,
    bulk_conductivity,
    bulk_potential,
    bulk_step,
    neutral_charge,
    transfer,
)
from ionics.transport.statistics import Dilute, Measured
from ionics.transport.transient import simulate
from tests.cells import ELECTRON, LITHIUM, T, stack
from tests.validation.record import compare, curve

VACANCY, NEUTRAL = Species("n-", -1), Species("Li", 0)
THERMAL = GAS * T / FARADAY
# so much smaller than the space charge's own capacitance that the potential drops here: the models know none
COMPACT = Capacitance(1e-4)


def electrolyte(p, recombination):
    """Li3PO4: a share of the lithium is free and leaves vacancies behind."""
    carriers = tuple(
        Carrier(s, Dilute(), p["a0"], p["delta"], Constant(d)) for s, d in ((LITHIUM, p["Dp"]), (VACANCY, p["Dn"]))
    )
    law = WeakElectrolyte("Li+", "n-", Constant(recombination), p["a0"], p["delta"])
    return Material("Li3PO4", carriers, 10.0, 0.0, (BulkReaction((), (("Li+", 1), ("n-", 1)), law),))


def slab(material, thickness, nodes, ends, name):
    """ends: lengths to which the mesh is graded on the left and on the right, as shares of the thickness."""
    return Layer(name, material, thickness, jnp.asarray(graded(nodes, *ends)))


def between_lithium(p, recombination, nodes=321):
    """Li | Li3PO4 | Li with reversible contacts: the voltage is that of transport alone."""
    own = electrolyte(p, recombination)
    level = bulk_potential(own.carriers[0], T)
    contacts = [Junction(side, (transfer("Li+", None, sign * level),), COMPACT) for side, sign in (("l", 1), ("r", -1))]
    return stack([LITHIUM, VACANCY], [slab(own, p["L"], nodes, (1.0, 0.1), "Li3PO4")], contacts)


def full_cell(p, recombination, curve, sites, filled, exchange, nodes=(321, 161)):
    """Li | Li3PO4 | LiCoO2 | metal with Butler-Volmer kinetics at the oxide.

    curve: occupancies and open-circuit voltages; i0 = exchange (theta+ (1 - x))^0.6 x^0.4, theta+ = c+/a0.
    """
    own = electrolyte(p, recombination)
    lithium = Carrier(NEUTRAL, Measured(*curve), sites, filled, Constant(p["D_Li"]), Constant(0.0), Chemical())
    electrons = Carrier(ELECTRON, Dilute(), 1e4, 1.0, Constant(1e-7))  # 4e3 S/m: they drop no voltage
    oxide = Material("LiCoO2", (lithium, electrons), 10.0, neutral_charge((lithium, electrons)))
    level = bulk_potential(own.carriers[0], T)
    insertion = Reaction(
        (("Li+", 1),), (("Li", 1), ("e-", -1)), ButlerVolmer(Constant(exchange), 0.4, True), level=-level
    )
    layers = [slab(own, p["L"], nodes[0], (1.0, 0.1), "Li3PO4"), slab(oxide, p["M"], nodes[1], (0.2, 1.0), "LiCoO2")]
    junctions = [
        Junction("lithium", (transfer("Li+", None, level),), COMPACT),
        Junction("oxide", (insertion,), COMPACT),
        Junction("metal", (transfer("e-"),), COMPACT),
    ]
    cell = stack([LITHIUM, VACANCY, NEUTRAL, ELECTRON], layers, junctions)
    steps = [bulk_step(cell, j) for j in range(3)]  # nothing is charged at rest
    return eqx.tree_at(lambda s: [junction.step for junction in s.junctions], cell, steps)


def dense(times, end, count=40):
    """The times and as many more up to the end as make `count`."""
    return sorted([*times, *np.linspace(0, end, count - len(times) + 3)[1:-2]])


def saved(run, times):
    """Rows of a run that were asked for."""
    return [int(np.argmin(np.abs(np.asarray(run.t) - t))) for t in times]


def row(run, k):
    return jax.tree.map(lambda a: a[k], run.state)


PRINTED, HUNDREDFOLD = "kr=0.90e-8(printed)", "kr=0.90e-6(x100)"


@pytest.mark.parametrize(("name", "recombination"), [(PRINTED, 0.9e-8), (HUNDREDFOLD, 0.9e-6)])
def test_weak_electrolyte_under_current(reference, name, recombination):
    """B01: 51.2C until the lithium ions nearly run out, 3.2C until they do not change any more."""
    case, p = reference["B01"]["reference"], reference["B01"]["parameters"]
    cell = between_lithium(p, recombination)
    rest = equilibrium(cell)
    material = cell.layers[0].material
    sigma = float(bulk_conductivity(material, T))
    compare("B01", "conductivity", sigma, case["sigma_S_m"], 1e-12)
    compare("B01", "resistance", p["L"] / sigma * 1e4, case["R_ohm_Ohm_cm2"], 1e-12)
    alone = eqx.tree_at(lambda m: m.carriers, material, material.carriers[:1])
    compare("B01", "transference number", bulk_conductivity(alone, T) / sigma, case["t_plus"], 1e-12)
    short = "printed" if name == PRINTED else "100 kᵣ"
    axes = "time / 64.9 s (51.2C), / 600 s (3.2C)", "η of transport [mV]"
    for rate, current, times in (
        ("", 5.12, (15.0, 20.0, 30.0, 50.0, 50.4, 64.9)),
        (" 3.2C", 0.32, (12.0, 60.0, 120.0, 600.0)),
    ):
        run = simulate(cell, Step(Current(current), times[-1], save=dense(times, times[-1])), rest, rtol=1e-5)
        found = []
        for k, t in zip(saved(run, times), times, strict=True):
            millivolts = float(run.voltage[k]) * 1e3
            ends = p["a0"] * np.exp(np.asarray(run.state.u[k, 0, [0, -1]]))
            key = f"{name}{rate} t={float(t)}s "
            label = f"{short},{rate} {t:g} s"
            if key + "eta_mt_mV" in case:
                found.append((t, millivolts, case[key + "eta_mt_mV"]))
                last = t == 64.9 and name == PRINTED  # ions nearly gone: -d ln c/dx is ten times that of before
                compare("B01", f"η, {label}", millivolts, found[-1][2], 1e-3 if last else 1e-4)
            if key + "a(0),a(L)" in case:
                compare("B01", f"c at both ends, {label}", ends, case[key + "a(0),a(L)"], 1e-4)
            if key + "diffusion,migration_mV" in case:
                diffusion = THERMAL * np.log(ends[1] / ends[0]) * 1e3
                parts = [diffusion, millivolts - diffusion]
                compare("B01", f"diffusion, migration, {label}", parts, case[key + "diffusion,migration_mV"], 2e-3)
        t, _, exact = np.transpose(found)
        ours = np.asarray(run.t) / times[-1], np.asarray(run.voltage) * 1e3
        curve("B01", f"{short},{rate or ' 51.2C'}", axes, ours, (t / times[-1], exact))


def test_discharge_at_ten_c(reference):
    """B02: voltage and overpotentials of Kim et al. 2019.

    Their open-circuit curve (a rational function, Fabre 2012) is at hand as values only: here the monotone cubic
    through the seven tabulated and the twelve that follow from tabulated voltages and overpotentials. The
    overpotentials of transport and charge transfer and the surface filling test the model; the open-circuit part of
    the voltage is then interpolation.
    """
    case, p = reference["B02"]["reference"], reference["B02"]["parameters"]
    current = case["1C_uA"] * 1e-1  # 10C of 1 cm2, A m-2
    capacity = FARADAY * p["M"] * (p["cmax"] - p["cmin"])
    compare("B02", "1C", capacity / 3600 * 100, case["1C_uA"], 1e-9)
    times = [1.0, 10.0, 50.0, 100.0, 200.0, 300.0]
    rows = [case[f"t={t}: V_without_Nernst, V_with_Nernst, eta_ct_mV, eta_mt_mV, eta_d_mV"] for t in times]
    points = dict(zip((0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99), case["OCV(0.5..1)"], strict=True))
    start = 1 - p["SOC0"]  # share of the window, x = (1 + share) / 2
    for t, (_, volts, transferred, moved, diffusion) in zip(times, rows, strict=True):
        mean = start + current * t / capacity
        surface = mean + lag(p, current, t) / (p["cmax"] - p["cmin"])
        points[0.5 + 0.5 * surface] = volts - 1e-3 * (transferred + moved)
        points[0.5 + 0.5 * mean] = volts - 1e-3 * (transferred + moved + diffusion)
    knots = np.array(sorted(points.items()))
    occupancy, table = 2 * knots[:, 0] - 1, knots[:, 1]
    exchange = FARADAY * p["k_pos"]
    cell = full_cell(p, p["k_r"], (occupancy, table), p["cmax"] - p["cmin"], start, exchange)
    run = simulate(cell, Step(Current(current), times[-1], save=times), equilibrium(cell), rtol=1e-5)
    found = []
    n = cell.layers[0].nodes
    for k, t, expected in zip(saved(run, times), times, rows, strict=True):
        state = row(run, k)
        shape, (_, junctions) = profiles(cell, state), flows(cell, state)
        ions = np.asarray(shape.concentration[0, :n])
        moved = (shape.electrochemical[0, n - 1] - shape.electrochemical[0, 0]) * 1e3
        transferred = -float(junctions[1].affinity[0]) / FARADAY * 1e3
        surface, mean = float(shape.occupancy[2, n]), start + current * t / capacity
        open_circuit = cell.layers[1].material.carriers[0].statistics.curve
        diffusion = float(open_circuit(jnp.asarray(surface)) - open_circuit(jnp.asarray(mean))) * 1e3
        volts = float(run.voltage[k])
        without = volts - THERMAL * np.log(ions[-1] / ions[0])
        found.append((volts, transferred, float(moved), diffusion))
        compare(
            "B02",
            f"filling of the surface, {t:g} s",
            surface,
            mean + lag(p, current, t) * 2 / p["cmax"],
            5e-5,
            scale=1.0,
        )
        compare("B02", f"V, {t:g} s", [without, volts], expected[:2], 2e-5, scale=1.0)
        compare("B02", f"η of charge transfer, {t:g} s", transferred, expected[2], 5e-4)
        compare("B02", f"η of transport, {t:g} s", moved, expected[3], 5e-4)
        compare("B02", f"η of diffusion, {t:g} s", diffusion, expected[4], 5e-4)
    for name, k in (("charge transfer", 2), ("transport", 3), ("diffusion", 4)):
        ours = np.array(found)[:, k - 1]
        curve("B02", name, ("time [s]", "overpotential [mV]"), (times, ours), (times, np.array(rows)[:, k]))


def lag(p, current, t):
    """Concentration at the surface of a slab above its mean [mol m-3] (A14)."""
    n = np.arange(1, 2000)
    decay = np.exp(-((n * np.pi) ** 2) * p["D_Li"] * t / p["M"] ** 2)
    return current * p["M"] / (FARADAY * p["D_Li"]) * (1 / 3 - 2 / np.pi**2 * np.sum(decay / n**2))


@pytest.fixture(scope="module")
def danilov(reference):
    """The cell of B03 and its resting state."""
    p = reference["B03"]["parameters"]
    charge = np.array(p["EMF_Q_uAh"])
    table = 0.5 + 0.5 * charge / charge[-1], np.array(p["EMF_V"])
    exchange = 10.0 / (0.5 * p["delta"] ** 0.6)  # 1 mA/cm2 at x = 1/2 with as many ions as at rest
    cell = full_cell(p, p["k_r"], table, p["cmax"], p["x0"], exchange)
    return cell, equilibrium(cell)


@pytest.mark.parametrize(
    ("rate", "column"), [("1.6", 0), ("3.2", 1), ("6.4", 2), ("12.8", 3), ("25.6", 4), ("51.2", 5)]
)
def test_discharge_at_six_rates(reference, danilov, rate, column):
    """B03: a measured open-circuit curve, two transport problems and a reaction, to 3.0 V at up to 51.2C."""
    case, p = reference["B03"]["reference"], reference["B03"]["parameters"]
    cell, rest = danilov
    assert float(rest.state.voltage) == pytest.approx(p["EMF_V"][0], abs=1e-9)
    current = float(rate) * 0.1  # 1C is 10 uA/cm2
    charges = [q for q in (2.0, 4.0, 8.0) if f"{rate}C: V(Q={q})" in case]
    times = [q * 36 / current for q in charges]  # 1 uAh/cm2 is 36 C/m2
    minutes, passed, _ = case[f"{rate}C: t_cut_min, Q_uAh_cm2, Q_measured"]
    step = Step(Current(current), cutoffs=(Cutoff.voltage(3.0, "below"),), save=dense(times, 60 * minutes))
    run = simulate(cell, step, rest, rtol=1e-5)
    compare("B03", f"end, {rate}C", float(run.t[-1]) / 60, minutes, 1e-4)
    compare("B03", f"capacity, {rate}C", float(run.charge[-1]) / 36, passed, 1e-4)
    ours = [float(run.voltage[k]) for k in saved(run, times)]
    expected = [case[f"{rate}C: V(Q={q})"] for q in charges]
    compare("B03", f"V, {rate}C", ours, expected, 5e-5, scale=1.0)
    axes = "charge [µAh cm⁻²]", "voltage [V]"
    line = np.asarray(run.charge) / 36, np.asarray(run.voltage)
    curve("B03", f"{rate}C", axes, line, ([*charges, passed], [*expected, 3.0]))


def test_six_rates_against_the_measurement(reference, danilov):
    """B03: as far from the measured voltages as the model of the reference is, 6 mV; four rates were read off."""
    p = reference["B03"]["parameters"]
    cell, rest = danilov
    charges, squares = [2.0, 4.0, 8.0], []
    for k, rate in enumerate((1.6, 3.2, 6.4, 12.8)):
        times = [q * 36 / (0.1 * rate) for q in charges]
        step = Step(Current(0.1 * rate), cutoffs=(Cutoff.voltage(3.0, "below"),), save=dense(times, 1.05 * times[-1]))
        run = simulate(cell, step, rest, rtol=1e-5)
        measured = [p["measured_V_at_Q_for_1p6_3p2_6p4_12p8C"][f"{q:g}"][k] for q in charges]
        ours = [float(run.voltage[n]) for n in saved(run, times)]
        squares += [(a - b) ** 2 for a, b in zip(ours, measured, strict=True)]
    expected = reference["B03"]["check"]["rms_V_model_minus_measured_mV"]
    compare("B03", "rms distance from the measurement", np.sqrt(np.mean(squares)) * 1e3, expected, 1e-3)
