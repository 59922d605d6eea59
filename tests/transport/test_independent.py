"""Programs that share nothing with the solver of this package find the same answers.

IDA of SUNDIALS (variable-order BDF, band LU with pivoting) integrates the balance in time; numpy with a Jacobian by
hand (benchmarks/byhand.py) states the equations of one problem anew.
"""

import importlib
from pathlib import Path
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer, Linear
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage, outflow, storage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.linear import Layout
from ionics.transport.protocol import Step
from ionics.transport.stack import Junction, bulk_potential, transfer
from ionics.transport.steady import steady
from ionics.transport.transient import simulate
from tests.cells import LITHIUM, T, lattice, layer, stack

THERMAL = GAS * T / FARADAY


@pytest.fixture(scope="module")
def ida():
    """IDA, where it is installed."""
    return pytest.importorskip("sksundae.ida", reason="needs scikit-sundae (pip install 'ionics-toolkit[dev]')").IDA


@pytest.fixture(scope="module")
def hand():
    """benchmarks/byhand.py, where the benchmarks are at hand."""
    path = Path(__file__).parents[2] / "benchmarks"
    if not (path / "byhand.py").exists():
        pytest.skip(f"no {path / 'byhand.py'}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path)
        return importlib.import_module("byhand")


def balance(cell, drive, x):
    """Rows of the balance and what is stored, flat in the order of the layout; empty slots hold themselves."""
    layout = Layout(cell)
    state = layout.unflatten(x.reshape(layout.blocks, layout.width))
    rows, kept = outflow(cell, state, drive), storage(cell, state)
    return jnp.where(layout.padding().ravel(), x, layout.flatten(rows).ravel()), layout.flatten(kept).ravel()


def integrals(layout):
    """Which unknowns IDA gets as integrals over time: rates of reactions and the current."""
    found = np.zeros((layout.blocks, layout.width), bool)
    found[layout.junction, : layout.reactions] = True
    found[layout.metal, 0] = True
    return found.ravel()


def residual(cell, drive, y, yp):
    """d/dt storage + outflow."""
    as_integral = integrals(Layout(cell))
    x, slope = jnp.where(as_integral, yp, y), jnp.where(as_integral, 0.0, yp)
    _, stored = jax.jvp(lambda x: balance(cell, drive, x)[1], (x,), (slope,))
    return balance(cell, drive, x)[0] + stored


BALANCE, RESIDUAL = eqx.filter_jit(balance), eqx.filter_jit(residual)
SLOPES = eqx.filter_jit(jax.jacfwd(balance, argnums=2))
MATRICES = eqx.filter_jit(jax.jacfwd(residual, argnums=(2, 3)))


class Dae:
    """A stack after a step of its drive, as residual(t, y, y') = 0 of index one for IDA.

    y holds the layout's unknowns, except that rates of reactions and the current are there as their integrals over
    time: where a law or the drive leaves them free they are multipliers, and their integrals are what has index one
    (Gear, SIAM J. Sci. Stat. Comput. 9 (1988) 39). Unknowns and rows are scaled to order one.
    """

    instant = 1e-13  # s, in which nothing but the potential moves

    def __init__(self, cell, drive, start):
        self.layout, self.given, self.start = Layout(cell), (cell, drive.terminal()), start
        self.integral = integrals(self.layout)
        layout = self.layout
        units = np.ones((layout.blocks, layout.width))
        units[layout.of_nodes(), -1] = units[layout.metal, -1] = THERMAL
        units[layout.junction, -1] = units[layout.metal, 0] = 1e-4  # C m-2
        units[layout.junction, : layout.reactions] = 1e-4 / FARADAY
        self.units = units.ravel()

    def euler(self, x):
        """One implicit Euler step over an instant, dense."""
        _, held = BALANCE(*self.given, x)
        for _ in range(60):
            rows, kept = BALANCE(*self.given, x)
            by_rows, by_kept = (np.asarray(m) for m in SLOPES(*self.given, x))
            units = self.units / np.where(self.integral, self.instant, 1.0)
            matrix = (by_rows + by_kept / self.instant) * units
            scale = 1 / np.abs(matrix).max(axis=1)
            change = np.linalg.solve(matrix * scale[:, None], scale * np.asarray(rows + (kept - held) / self.instant))
            x = x - units * change
            if np.abs(change)[~self.integral].max() < 1e-9:
                return x
        raise RuntimeError("no state after the step")

    def solve(self, ida, times, rtol):
        """States, currents [A m-2] and charges [C m-2] at times [s]."""
        dt, units, width = self.instant, self.units, self.layout.width
        first = self.euler(np.asarray(self.layout.flatten(self.start)).ravel())
        second = self.euler(first)
        y, yp = np.where(self.integral, first * dt, first), np.where(self.integral, second, (second - first) / dt)
        scale = 1 / sum(np.abs(np.asarray(m)) * units for m in MATRICES(*self.given, y, yp)).max(axis=1)

        def residual(t, y, yp, out):
            out[:] = scale * np.asarray(RESIDUAL(*self.given, y * units, yp * units))

        def slopes(t, y, yp, out, cj, matrix):
            by_y, by_yp = MATRICES(*self.given, y * units, yp * units)
            matrix[:] = scale[:, None] * (np.asarray(by_y) + cj * np.asarray(by_yp)) * units

        bands = {"lband": 2 * width - 1, "uband": 2 * width - 1}
        options = {"rtol": rtol, "atol": rtol, "first_step": dt, "max_num_steps": 100_000}
        solver = ida(residual, jacfn=slopes, linsolver="band", **bands, **options)
        answer = solver.solve(np.concatenate([[dt], times]), y / units, yp / units)
        assert answer.success, answer.message
        y, yp = answer.y[1:] * units, answer.yp[1:] * units
        x = np.where(self.integral, yp, y).reshape(len(times), self.layout.blocks, width)
        charge = y.reshape(x.shape)[:, self.layout.metal, 0]
        state = jax.vmap(self.layout.unflatten)(jnp.asarray(x))
        return SimpleNamespace(state=state, current=x[:, self.layout.metal, 0], charge=charge)


NODES, TIMES = 21, np.geomspace(1e-6, 100.0, 9)
STEP = 4 * THERMAL


@pytest.fixture(scope="module")
def salts(hand):
    """Three layers with two carriers, cations in equilibrium with both contacts, and the same by hand."""
    cell = hand.stack(hand.STANDARD, NODES)
    return cell, equilibrium(cell), hand.by_hand(cell, hand.STANDARD)


@pytest.fixture(scope="module")
def lithium():
    """Two lattice conductors between lithium contacts with Butler-Volmer kinetics, and its equilibrium."""
    one, two = lattice(2e4, 0.5, 1e-13, name="one"), lattice(1e4, 0.3, 3e-14, 20.0, 500.0, "two", hopping=True)
    ends = []
    for sign, material, by_occupancy in ((1, one, False), (-1, two, True)):
        level = sign * bulk_potential(material.carriers[0], jnp.asarray(T))
        rate = transfer("Li+", ButlerVolmer(Constant(3.0), 0.4, by_occupancy), level)
        ends.append(Junction("contact", (rate,), Capacitance(0.1)))
    middle = Junction("middle", (transfer("Li+", Linear(Constant(1e-3))),), Capacitance(0.3))
    layers = [layer(m, 3e-8, NODES, m.name) for m in (one, two)]
    cell = stack([LITHIUM], layers, [ends[0], middle, ends[1]], series_resistance=2e-3)
    return cell, equilibrium(cell)


def merged(state, nodes=NODES):
    """u and F phi / RT by node as they stand by hand, where two layers share the node on their junction."""
    y = np.concatenate([np.asarray(state.u), np.asarray(state.phi)[..., None, :] / THERMAL], axis=-2)
    return np.delete(np.moveaxis(y, -2, -1), [nodes, 2 * nodes], axis=-2)


def test_a_jacobian_by_hand_finds_the_same_equilibrium_steady_state_and_impedance(salts):
    cell, rest, hand = salts
    frequency = np.geomspace(1e-2, 1e6, 13)
    y = hand.equilibrium()
    under = steady(cell, Voltage(STEP), rest).state
    by_hand = hand.steady(y, 4.0)
    np.testing.assert_allclose(merged(rest.state), y, atol=1e-10)
    np.testing.assert_allclose(hand.poisson_boltzmann(), y, atol=1e-10)
    np.testing.assert_allclose(merged(under), by_hand, atol=1e-10)
    assert float(under.current) == pytest.approx(hand.current(by_hand), rel=1e-9)
    for about, same in ((rest.state, y), (under, by_hand)):
        z = np.asarray(impedance(cell, about, frequency).z)
        np.testing.assert_allclose(z, hand.impedance(same, frequency), rtol=1e-7)


def test_the_balance_is_the_one_stated_by_hand_at_any_time(ida, salts):
    """Both by IDA: what is left is its error at two tolerances."""
    cell, rest, hand = salts
    found = Dae(cell, Voltage(STEP), rest.state).solve(ida, TIMES, 1e-8)
    by_hand, _ = hand.transient(hand.equilibrium(), 4.0, TIMES, 1e-8)
    np.testing.assert_allclose(merged(found.state), by_hand, atol=1e-6)
    np.testing.assert_allclose(found.current, [hand.current(y) for y in by_hand], rtol=1e-5)


@pytest.mark.parametrize("drive", [Voltage(STEP), Voltage(-0.3), Current(30.0)], ids=["voltage", "far", "current"])
@pytest.mark.parametrize("name", ["salts", "lithium"])
def test_ida_follows_the_same_transient(ida, request, name, drive):
    cell, rest, *_ = request.getfixturevalue(name)
    if name == "salts" and isinstance(drive, Current):
        drive = Current(0.1)
    expected = Dae(cell, drive, rest.state).solve(ida, TIMES, 1e-8)
    found = simulate(cell, Step(drive, TIMES[-1], save=jnp.asarray(TIMES)), rest, rtol=1e-7)
    np.testing.assert_allclose(found.t[1:], TIMES)
    state = jax.tree.map(lambda a: np.asarray(a)[1:], found.state)
    np.testing.assert_allclose(state.u, expected.state.u, atol=1e-5)
    np.testing.assert_allclose(state.phi, expected.state.phi, atol=1e-5 * THERMAL)
    np.testing.assert_allclose(state.rate, expected.state.rate, atol=1e-5 * np.abs(state.rate).max())
    np.testing.assert_allclose(found.charge[1:], expected.charge, rtol=1e-5)
    np.testing.assert_allclose(found.current[1:], expected.current, rtol=2e-5)
    terminals = expected.state.voltage - cell.series_resistance * expected.current
    np.testing.assert_allclose(found.voltage[1:], terminals, atol=1e-5 * THERMAL)
