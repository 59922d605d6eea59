"""Models so simple that what a fit must say can be written down."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ionics.fitting.model import AbstractModel, CircuitModel, Parameter, Prior
from ionics.fitting.spectrum import Spectrum
from tests.fitting.recovery.families import measured

FREQUENCY = np.logspace(6, 0, 32)
ARC = CircuitModel("R0-p(R1,C1)", start={"R0": 20.0, "R1": 100.0, "C1": 1e-6})
TRUTH = (10.0, 200.0, 5e-7)


class Line(AbstractModel):
    """Z = a + i b x with x = f / 100 Hz, a and b in ohm: linear, so that everything about its fits is known."""

    free: tuple[Parameter, ...] = eqx.field(static=True)

    def __init__(self, prior: Prior | None = None):
        self.free = (
            Parameter("a", 1.0, -100.0, 100.0, "linear", "ohm", prior),
            Parameter("b", 1.0, -100.0, 100.0, "linear", "ohm"),
        )

    @property
    def parameters(self):
        return self.free

    def impedance(self, values, frequency):
        return jax.lax.complex(values[0] * jnp.ones_like(frequency), values[1] * frequency / 100)


def line(a: float = 3.0, b: float = -2.0, sigma: float = 0.1, points: int = 6, seed: int = 0) -> Spectrum:
    """Of a line, with the same sigma [ohm] at every point."""
    frequency = np.linspace(50.0, 200.0, points)
    rng = np.random.default_rng(seed)
    scatter = rng.standard_normal(points) + 1j * rng.standard_normal(points)
    return Spectrum(frequency, a + 1j * b * frequency / 100 + sigma * scatter, sigma=np.full(points, sigma))


def arc(values=TRUTH, noise: float = 0.01, seed: int = 0, frequency=FREQUENCY, **fields) -> Spectrum:
    """Of R0-p(R1,C1)."""
    return measured(ARC, list(values), frequency, noise, np.random.default_rng(seed), **fields)
