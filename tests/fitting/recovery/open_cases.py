"""Data sets that leave something open on purpose, and what should be named then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ionics.fitting.model import AbstractModel, CircuitModel, Free, LeafModel
from tests.fitting.recovery.families import measured, noises

FREQUENCY = np.logspace(6, -1, 50)


class Cell(eqx.Module):
    """Two layers and a contact: Z = d (1/s1 + 1/s2) + 1 / (i0 area F/RT + i omega C), ohm."""

    conductivity: tuple[jax.Array, jax.Array]  # S
    exchange_current: jax.Array  # A m-2
    area: jax.Array  # m2
    capacitance: jax.Array  # F


def response(cell: Cell, frequency):
    omega = 2 * np.pi * frequency
    contact = jax.lax.complex(
        cell.exchange_current * cell.area / 0.0257 * jnp.ones_like(omega), omega * cell.capacitance
    )
    first, second = cell.conductivity
    return 1 / contact + (1 / first + 1 / second)


def cell(*free: str) -> LeafModel:
    where = {
        "first": Free("first", lambda c: c.conductivity[0], 1e-6, 1e3, unit="S"),
        "second": Free("second", lambda c: c.conductivity[1], 1e-6, 1e3, unit="S"),
        "i0": Free("i0", lambda c: c.exchange_current, 1e-4, 1e4, unit="A/m^2"),
        "area": Free("area", lambda c: c.area, 1e-7, 1e-2, unit="m^2"),
        "C": Free("C", lambda c: c.capacitance, 1e-9, 1e-2, unit="F"),
    }
    own = Cell((jnp.asarray(0.05), jnp.asarray(0.05)), jnp.asarray(2.0), jnp.asarray(1e-4), jnp.asarray(1e-5))
    return LeafModel(own, tuple(where[name] for name in free), response)


@dataclass(frozen=True)
class Case:
    """A model, truths that leave some of its parameters open, and their names."""

    model: AbstractModel
    truth: Callable[..., list[float]]  # of a random generator, in the order of the parameters
    open_: tuple[str, ...]
    determined: tuple[str, ...]

    def spectra(self, count: int, seed: int):
        rng = np.random.default_rng(seed)
        return [measured(self.model, self.truth(rng), FREQUENCY, float(n), rng) for n in noises(rng, count)]


def _near(rng, *values):
    """Within a factor of two."""
    return [value * 2 ** rng.uniform(-1, 1) for value in values]


def _parts(rng, *values):
    """As `_near`, exponents (0.1 to 1) left as they are."""
    return [value if 0.1 < value < 1 else value * 2 ** rng.uniform(-1, 1) for value in values]


def _case(circuit: str, truth, open_: str, determined: str) -> Case:
    return Case(CircuitModel(circuit), truth, tuple(open_.split()), tuple(determined.split()))


CASES = {
    "two resistors in series": _case("R0-R1-p(R2,C2)", lambda rng: _near(rng, 5.0, 5.0, 100.0, 1e-6), "R0 R1", "R2 C2"),
    "two resistors side by side": _case(
        "R0-p(R1,R2,C2)", lambda rng: _near(rng, 10.0, 200.0, 200.0, 1e-6), "R1 R2", "R0 C2"
    ),
    "two equal layers": Case(
        cell("first", "second", "i0", "C"),
        lambda rng: _near(rng, 0.05, 0.05, 2.0, 1e-5),
        ("first", "second"),
        ("i0", "C"),
    ),
    "exchange current and area": Case(
        cell("first", "i0", "area", "C"),
        lambda rng: _near(rng, 0.05, 2.0, 1e-4, 1e-5),
        ("i0", "area"),
        ("first", "C"),
    ),
    "an end never reached by diffusion": _case(
        "R0-Wo1", lambda rng: _near(rng, 10.0, 1e5, 1e6), "Wo1.Z0 Wo1.tau", "R0"
    ),
    "an arc above the range": _case(
        "R0-p(R1,C1)-CPE2", lambda rng: _parts(rng, 10.0, 50.0, 1e-13, 1e-5, 0.8), "R1 C1", "CPE2.Q CPE2.n"
    ),
    "an arc below the range": _case("R0-p(R1,C1)", lambda rng: _near(rng, 50.0, 1e10, 1e-6), "R1", "R0 C1"),
    "a blocking contact called an arc": _case(
        "R0-p(R1,CPE1)-p(R2,CPE2)",
        lambda rng: _parts(rng, 50.0, 300.0, 1e-8, 0.9, 1e12, 1e-5, 0.8),
        "R2",
        "R0 R1 CPE1.Q CPE1.n CPE2.Q CPE2.n",
    ),
    "a hidden capacitance": _case("R0-p(R1,C1)-C2", lambda rng: _near(rng, 50.0, 1000.0, 1e-14, 1e-5), "C1", "C2"),
}
