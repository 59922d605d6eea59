"""Equivalent circuits as values that combine: `R(10.0) + (R(50.0) | CPE(1e-6, 0.9)) + CPE(1e-5, 0.8)`.

`+` puts in series, `|` in parallel. A circuit is a pytree: its leaves are the parameter values, in the order
in which the elements are written. An element states its impedance as a function of s = i omega [s-1]; to add
one, add one class below, and everything else (parser, names, bounds, starts) finds it.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

Impedance = Complex[Array, " frequency"]  # ohm


class AbstractCircuit(eqx.Module):
    """Anything with two terminals."""

    @abc.abstractmethod
    def of(self, s: Complex[Array, " frequency"]) -> Impedance:
        """Impedance [ohm] at s = i omega [s-1]; the parameters are complex here, as s is."""

    @abc.abstractmethod
    def elements(self) -> tuple[AbstractElement, ...]:
        """The elements in the order they are written."""

    def impedance(self, omega: Float[Array | np.ndarray, " frequency"]) -> Impedance:
        """Impedance [ohm] at the angular frequency omega [rad s-1]."""
        omega = jnp.asarray(omega, dtype=float)
        complex_valued = jax.tree.map(lambda leaf: jax.lax.complex(leaf, jnp.zeros_like(leaf)), self)
        return complex_valued.of(jax.lax.complex(jnp.zeros_like(omega), omega))

    def __add__(self, other: AbstractCircuit) -> Series:
        return Series((*_parts(self, Series), *_parts(other, Series)))

    def __or__(self, other: AbstractCircuit) -> Parallel:
        return Parallel((*_parts(self, Parallel), *_parts(other, Parallel)))


def _parts(circuit, kind):
    return circuit.parts if isinstance(circuit, kind) else (circuit,)


class Series(AbstractCircuit):
    """One after the other."""

    parts: tuple[AbstractCircuit, ...]

    def of(self, s):
        return sum(part.of(s) for part in self.parts[1:]) + self.parts[0].of(s)

    def elements(self):
        return tuple(element for part in self.parts for element in part.elements())

    def __str__(self):
        return "-".join(str(part) for part in self.parts)


class Parallel(AbstractCircuit):
    """Side by side."""

    parts: tuple[AbstractCircuit, ...]

    def of(self, s):
        return 1 / sum((1 / part.of(s) for part in self.parts[1:]), 1 / self.parts[0].of(s))

    def elements(self):
        return tuple(element for part in self.parts for element in part.elements())

    def __str__(self):
        return f"p({','.join(str(part) for part in self.parts)})"


def value(symbol: str, unit: str, lower: float, upper: float, scale: str = "log"):
    """An element's parameter: its symbol, its unit, where it can lie, and on which scale it is searched."""
    facts = {"symbol": symbol, "unit": unit, "lower": lower, "upper": upper, "scale": scale}
    return eqx.field(converter=lambda x: jnp.asarray(x, dtype=float), metadata=facts)


Scalar = Float[Array, ""] | Complex[Array, ""]


class AbstractElement(AbstractCircuit):
    """One element; `symbols` name it in circuit strings, `typical` are the values of a bare name."""

    symbols: ClassVar[tuple[str, ...]]
    typical: ClassVar[tuple[float, ...]]
    label: str = eqx.field(static=True, default="", kw_only=True)  # `R1`; empty: numbered as written

    def elements(self):
        return (self,)

    def quantities(self) -> tuple[tuple[dict, Array], ...]:
        """Facts and value of each parameter."""
        fields = (field for field in dataclasses.fields(self) if "symbol" in field.metadata)
        return tuple((dict(field.metadata), getattr(self, field.name)) for field in fields)

    def __str__(self):
        return self.label or self.symbols[0]


class R(AbstractElement):
    """Resistor, Z = R."""

    symbols, typical = ("R",), (1e3,)
    r: Scalar = value("R", "ohm", 1e-6, 1e15)

    def of(self, s):
        return self.r * jnp.ones_like(s)


class C(AbstractElement):
    """Capacitor, Z = 1 / (s C)."""

    symbols, typical = ("C",), (1e-11,)
    c: Scalar = value("C", "F", 1e-16, 1e6)

    def of(self, s):
        return 1 / (s * self.c)


class L(AbstractElement):
    """Inductor, Z = s L."""

    symbols, typical = ("L",), (1e-7,)
    inductance: Scalar = value("L", "H", 1e-13, 1e3)

    def of(self, s):
        return s * self.inductance


class CPE(AbstractElement):
    """Constant-phase element, Z = 1 / (Q s^n); n = 1 is a capacitor."""

    symbols, typical = ("CPE", "Q"), (1e-11, 0.85)
    q: Scalar = value("Q", "F s^(n-1)", 1e-16, 1e6)
    n: Scalar = value("n", "1", 0.2, 1.0, "linear")

    def of(self, s):
        return 1 / (self.q * s**self.n)


class W(AbstractElement):
    """Semi-infinite diffusion (Warburg), Z = A (1 - i) / sqrt(omega)."""

    symbols, typical = ("W",), (1e2,)
    a: Scalar = value("A", "ohm s^(-1/2)", 1e-9, 1e12)

    def of(self, s):
        return self.a * jnp.sqrt(2.0 / s)


class Wo(AbstractElement):
    """Diffusion towards a blocking end, Z = Z0 coth(x) / x, x = sqrt(s tau), tau = L^2 / D."""

    symbols, typical = ("Wo",), (1e2, 1e1)
    z0: Scalar = value("Z0", "ohm", 1e-6, 1e15)
    tau: Scalar = value("tau", "s", 1e-12, 1e9)

    def of(self, s):
        x = jnp.sqrt(s * self.tau)
        return self.z0 / (x * tanh(x))


class Ws(AbstractElement):
    """Diffusion towards an end of fixed concentration, Z = Z0 tanh(x) / x, x = sqrt(s tau), tau = L^2 / D."""

    symbols, typical = ("Ws",), (1e2, 1e1)
    z0: Scalar = value("Z0", "ohm", 1e-6, 1e15)
    tau: Scalar = value("tau", "s", 1e-12, 1e9)

    def of(self, s):
        x = jnp.sqrt(s * self.tau)
        return self.z0 * tanh(x) / x


class G(AbstractElement):
    """Diffusion with a sink (Gerischer), Z = R / sqrt(1 + s t)."""

    symbols, typical = ("G",), (1e2, 1e-1)
    r: Scalar = value("R", "ohm", 1e-6, 1e15)
    t: Scalar = value("t", "s", 1e-12, 1e9)

    def of(self, s):
        return self.r / jnp.sqrt(1.0 + s * self.t)


class HN(AbstractElement):
    """A skewed arc (Havriliak and Negami, Polymer 8 (1967) 161), Z = R / (1 + (s tau)^alpha)^beta.

    beta = 1 is R || CPE, alpha = 1 is that of Davidson and Cole.
    """

    symbols, typical = ("HN",), (1e3, 1e-3, 0.9, 0.8)
    r: Scalar = value("R", "ohm", 1e-6, 1e15)
    tau: Scalar = value("tau", "s", 1e-12, 1e9)
    alpha: Scalar = value("alpha", "1", 0.2, 1.0, "linear")
    beta: Scalar = value("beta", "1", 0.1, 1.0, "linear")

    def of(self, s):
        return self.r / (1.0 + (s * self.tau) ** self.alpha) ** self.beta


class TLQ(AbstractElement):
    """A porous electrode that blocks: ions in the pores, a constant phase on their walls, electrons without loss.

    Z = R_ion coth(x) / x, x = sqrt(R_ion Q s^n) (de Levie, Electrochim. Acta 8 (1963) 751).
    """

    symbols, typical = ("TLQ", "TLMQ"), (1e2, 1e-4, 0.9)
    r: Scalar = value("Rion", "ohm", 1e-6, 1e15)
    q: Scalar = value("Q", "F s^(n-1)", 1e-16, 1e6)
    n: Scalar = value("n", "1", 0.2, 1.0, "linear")

    def of(self, s):
        x = jnp.sqrt(self.r * self.q * s**self.n)
        return self.r / (x * tanh(x))


class TLR(AbstractElement):
    """A porous electrode that reacts: as TLQ, with a charge-transfer resistance beside the constant phase."""

    symbols, typical = ("TLR",), (1e2, 1e2, 1e-4, 0.9)
    r: Scalar = value("Rion", "ohm", 1e-6, 1e15)
    transfer: Scalar = value("Rct", "ohm", 1e-6, 1e15)
    q: Scalar = value("Q", "F s^(n-1)", 1e-16, 1e6)
    n: Scalar = value("n", "1", 0.2, 1.0, "linear")

    def of(self, s):
        x = jnp.sqrt(self.r * (1 / self.transfer + self.q * s**self.n))
        return self.r / (x * tanh(x))


class TL(AbstractElement):
    """A transmission line of two rails, ions from one end and electrons from the other, joined all along by Rct || CPE.

    Z = Ri Re / (Ri + Re) (1 + 2 / (x sinh x)) + (Ri^2 + Re^2) / ((Ri + Re) x tanh x),
    x = sqrt((Ri + Re) (1/Rct + Q s^n)) (Bisquert, J. Phys. Chem. B 104 (2000) 2287, doi 10.1021/jp993148h).
    """

    symbols, typical = ("TL",), (1e2, 1e1, 1e2, 1e-4, 0.9)
    r: Scalar = value("Rion", "ohm", 1e-6, 1e15)
    electronic: Scalar = value("Rel", "ohm", 1e-6, 1e15)
    transfer: Scalar = value("Rct", "ohm", 1e-6, 1e15)
    q: Scalar = value("Q", "F s^(n-1)", 1e-16, 1e6)
    n: Scalar = value("n", "1", 0.2, 1.0, "linear")

    def of(self, s):
        ions, electrons = self.r, self.electronic
        both = ions + electrons
        x = jnp.sqrt(both * (1 / self.transfer + self.q * s**self.n))
        inverse_sinh = -2.0 * jnp.exp(-x) / jnp.expm1(-2.0 * x)
        crossed = ions * electrons / both * (1.0 + 2.0 * inverse_sinh / x)
        return crossed + (ions**2 + electrons**2) / (both * x * tanh(x))


def tanh(x: Complex[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """Hyperbolic tangent for Re x >= 0 that cannot overflow: far along, e^(-2x) is just 0.

    `expm1` keeps the digits near x = 0, where 1 - e^(-2x) would lose them.
    """
    return -jnp.expm1(-2.0 * x) / (1.0 + jnp.exp(-2.0 * x))


# What a spectrum can resolve, per unit: from |Z| [ohm] and angular frequency [s-1] at the ends of the data.
REACH = {
    "ohm": lambda z, w: (z[0] / 10, z[1] * 3),
    "F": lambda z, w: (1 / (w[1] * z[1]), 10 / (w[0] * z[0])),
    "F s^(n-1)": lambda z, w: (1 / (w[1] * z[1]), 10 / (w[0] * z[0])),
    "H": lambda z, w: (z[0] / w[1] / 100, z[1] / w[1] * 10),
    "s": lambda z, w: (0.1 / w[1], 10 / w[0]),
    "ohm s^(-1/2)": lambda z, w: (z[0] * w[0] ** 0.5 / 10, z[1] * w[1] ** 0.5),
}


def labelled(circuit: AbstractCircuit) -> AbstractCircuit:
    """The circuit with every element labelled: those without are numbered from 0 in the order written."""
    taken = {element.label for element in circuit.elements() if element.label}

    def name(element):
        free = (f"{element.symbols[0]}{number}" for number in itertools.count())
        chosen = element.label or next(label for label in free if label not in taken)
        taken.add(chosen)
        return dataclasses.replace(element, label=chosen)

    return jax.tree.map(name, circuit, is_leaf=lambda node: isinstance(node, AbstractElement))
