"""The same equations solved by PyBaMM 26.10 (Doyle-Fuller-Newman, transference number 1), at rates up to 5C.

The voltages are those of PyBaMM on meshes of 160 x 200 nodes, which differ from those on 80 x 100 by 0.03 mV at most;
they come from
`benchmarks/cells_pybamm.py`, whose cells these are. Open-circuit curves: Mohtat et al., J. Electrochem. Soc. 167 (2020)
110561, and Chen et al., J. Electrochem. Soc. 167 (2020) 080534.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells.balance import at_rest
from ionics.cells.cell import Cell, Conductor, Electrode, Metal, Particle, Surface
from ionics.cells.inward import Modes
from ionics.cells.simulate import simulate
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.balance import Current
from ionics.transport.flux import Chemical
from ionics.transport.protocol import Cutoff, Step
from ionics.transport.stack import Carrier, Species
from ionics.transport.statistics import Measured

LITHIUM = Species("Li", 0)
NODES = 30  # along depth and radius: 0.3 mV from the converged voltage
CASES = {  # (positive: i0 by occupancy, sigma; full cell): current, end [s], times [s], voltages [V]
    "half, constant exchange current, 1C": (
        (False, 1.0, False), 45.0, 3770.9676,
        [35.544701, 383.408, 938.008461, 1882.328165, 2826.647869, 3396.237532, 3651.05396],
        [3.854151, 3.783769, 3.701749, 3.616909, 3.551896, 3.477799, 3.384572]),
    "half, constant exchange current, 5C": (
        (False, 1.0, False), 225.0, 657.22,
        [6.330291, 66.821946, 163.480027, 328.060005, 492.639982, 591.910444, 636.320914],
        [3.576848, 3.477712, 3.408059, 3.321096, 3.206719, 3.10549, 3.041055]),
    "half, exchange current over occupancy, 1C": (
        (True, 1.0, False), 45.0, 3762.5319,
        [35.478652, 382.550315, 935.910133, 1878.11739, 2820.324647, 3388.640136, 3642.886539],
        [3.85128, 3.782709, 3.701854, 3.616097, 3.546856, 3.463088, 3.358485]),
    "half, poor conductor of electrons, 1C": (
        (False, 0.05, False), 45.0, 3768.4916,
        [35.525318, 383.156258, 937.392575, 1881.092248, 2824.791921, 3394.007597, 3648.656716],
        [3.827699, 3.759805, 3.677932, 3.592494, 3.532276, 3.459606, 3.371764]),
    "graphite, 1C": (
        (False, 1.0, True), 45.0, 3263.2543,
        [31.522262, 331.786946, 811.717447, 1628.896407, 2446.075368, 2938.976963, 3159.485571],
        [3.782987, 3.718528, 3.620854, 3.501993, 3.396744, 3.267002, 3.105587]),
    "graphite, 5C": (
        (False, 1.0, True), 225.0, 318.3742,
        [3.136193, 32.370261, 79.193911, 158.920665, 238.64742, 286.736573, 308.250142],
        [3.470691, 3.373479, 3.299607, 3.201075, 3.106193, 3.043779, 3.014264]),
}  # fmt: skip


def nmc(x):
    poly = 4.3452 - 1.6518 * x + 1.6225 * x**2 - 2.0843 * x**3 + 3.5146 * x**4 - 2.2166 * x**5
    return poly - 0.5623e-4 * np.exp(109.451 * x - 100.006)


def graphite(x):
    steps = -0.0909 * np.tanh(29.8538 * (x - 0.1234)) - 0.04478 * np.tanh(14.9159 * (x - 0.2769))
    return 1.9793 * np.exp(-39.3631 * x) + 0.2482 + steps - 0.0205 * np.tanh(30.4444 * (x - 0.6103))


def electrode(name, curve, thickness, fraction, ionic, electronic, radius, diffusivity, sites, law):
    x = np.linspace(0.002, 0.999, 400)
    carrier = Carrier(LITHIUM, Measured(x, curve(x)), sites, 0.5, Constant(diffusivity), Constant(0.0), Chemical())
    spacing = np.linspace(4.0, 1.0, NODES - 1)
    inside = Modes(3, spacing / spacing.sum())
    size, volume = jnp.asarray([radius]), jnp.asarray([fraction * thickness])
    particles = Particle(name, carrier, inside, Surface(law), size, volume)
    even = np.linspace(0, 1, NODES)
    depth = np.diff(0.25 * even + 0.375 * (1 - np.cos(np.pi * even)))  # finer towards both ends
    return Electrode(name, (particles,), thickness, Constant(0.2 * ionic**1.5), Constant(electronic), depth)


def cell(over_occupancy, sigma, full):
    """With exchange currents of 1 A/m2: constant, or 2 sqrt(x (1 - x)) times it."""
    law = ButlerVolmer(Constant(2.0 if over_occupancy else 1.0), 0.5, over_occupancy)
    positive = electrode("NMC", nmc, 80e-6, 0.6, 0.3, sigma, 3e-6, 1e-14, 5e4, law)
    metal = Electrode("negative", (Metal("Li", Surface(ButlerVolmer(Constant(10.0), 0.5))),))
    one = ButlerVolmer(Constant(1.0), 0.5, False)
    carbon = electrode("graphite", graphite, 120e-6, 0.55, 0.35, 10.0, 5e-6, 3e-14, 31e3, one)
    separator = Conductor("separator", Constant(0.2), 30e-6)
    return Cell(carbon if full else metal, (separator,), positive, 298.15)


@pytest.mark.parametrize("name", CASES)
def test_pybamm_has_the_same_voltage_within_a_millivolt(name):
    kind, current, end, times, volts = CASES[name]
    one = cell(*kind)
    step = Step(Current(current), cutoffs=(Cutoff.voltage(3.0, "below"),), save=times)
    run = simulate(one, step, at_rest(one, {"NMC": 0.25, "graphite": 0.83}), rtol=1e-4, keep=False)
    np.testing.assert_allclose(np.asarray(run.voltage)[1:-1], volts, atol=1e-3)
    slope = (volts[-1] - 3.0) / (end - times[-1])  # V/s, on the last stretch: a millivolt as a time
    assert float(run.t[-1]) == pytest.approx(end, abs=1e-3 / slope)
