"""What a fit needs from any model: named parameters, and an impedance that JAX can differentiate."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ionics.fitting.circuits import REACH, AbstractCircuit, labelled
from ionics.fitting.notation import parameter_name, parse
from ionics.fitting.spectrum import Spectrum

Values = Float[Array, " parameter"]
Impedance = Complex[Array, " frequency"]


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter before the data: a normal distribution of the value, or of its logarithm."""

    value: float  # in the unit of the parameter
    error: float  # one standard deviation: of ln(value) on a log scale, else in the unit of the parameter

    def __post_init__(self):
        if not self.error > 0:
            raise ValueError(f"prior: error {self.error!r}; valid: > 0")


@dataclass(frozen=True)
class Parameter:
    """A number to be found: where it starts, where it may go, on which scale it is searched, what is known of it."""

    name: str
    start: float
    lower: float
    upper: float
    scale: Literal["log", "linear"] = "log"
    unit: str = ""
    prior: Prior | None = None

    def __post_init__(self):
        if self.scale not in ("log", "linear"):
            raise ValueError(f"parameter {self.name}: scale '{self.scale}'; valid: log, linear")
        if not self.lower < self.upper or (self.scale == "log" and self.lower <= 0):
            above = "0 < " if self.scale == "log" else ""
            raise ValueError(
                f"parameter {self.name}: bounds {self.lower:g} to {self.upper:g}; valid: {above}lower < upper"
            )
        if not self.lower <= self.start <= self.upper:
            raise ValueError(
                f"parameter {self.name}: start {self.start:g} is outside its bounds {self.lower:g} to {self.upper:g}"
            )
        if self.scale == "log" and self.prior is not None and self.prior.value <= 0:
            raise ValueError(f"parameter {self.name}: prior {self.prior.value:g}; valid: > 0 on a log scale")

    def inner(self, value: float) -> float:
        """The value on the scale it is searched on."""
        return float(np.log(value)) if self.scale == "log" else float(value)


class AbstractModel(eqx.Module):
    """A model of an impedance spectrum with free parameters."""

    slow: ClassVar[bool] = False  # milliseconds an evaluation, and seconds to compile it: nothing is won by batches

    @property
    @abc.abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """The free parameters, in the order of `values`."""

    @abc.abstractmethod
    def impedance(self, values: Values, frequency: Float[Array, " frequency"]) -> Impedance:
        """Impedance [ohm] at frequency [Hz] for the given parameter values."""

    def reach(self, spectrum: Spectrum) -> tuple[tuple[float, float], ...]:
        """Where random starts of each parameter are drawn from; its bounds unless the model knows better."""
        return tuple((parameter.lower, parameter.upper) for parameter in self.parameters)

    def under(self, spectrum: Spectrum) -> AbstractModel:
        """The model under the conditions of a spectrum (temperature, state of charge): other leaves, nothing else."""
        return self


class CircuitModel(AbstractModel):
    """An equivalent circuit with its values as free parameters.

    circuit: elements composed as values, or text for `parse`; start: parameter name -> value to start from;
    bounds: parameter name -> (lower, upper) instead of the element's own; fixed: names to hold at their
    value; priors: what is known of some before. Random starts are drawn from what the spectrum can resolve
    (its range of |Z| and of frequency).
    """

    circuit: AbstractCircuit
    bounds: tuple[tuple[str, tuple[float, float]], ...] = eqx.field(static=True)
    fixed: tuple[str, ...] = eqx.field(static=True)
    priors: tuple[tuple[str, Prior], ...] = eqx.field(static=True)

    def __init__(
        self,
        circuit: AbstractCircuit | str,
        start: Mapping[str, float] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        fixed: Sequence[str] = (),
        priors: Mapping[str, Prior] | None = None,
    ):
        given = start or {}
        typical = dict(bounds or {}) if isinstance(circuit, str) else {}  # typical values move inside these
        self.bounds = tuple((name, (float(low), float(high))) for name, (low, high) in (bounds or {}).items())
        self.fixed, self.priors = tuple(fixed), tuple((priors or {}).items())
        self.circuit = labelled(parse(circuit) if isinstance(circuit, str) else circuit)
        names = [name for name, _, _ in self._leaves()]
        for name in (*given, *self.fixed, *dict(self.bounds), *dict(self.priors)):
            if name not in names:
                raise ValueError(f"circuit {self.circuit} has no parameter '{name}'; it has {', '.join(names)}")
        if len(set(names)) < len(names):
            raise ValueError(f"circuit {self.circuit}: two elements have the same label")
        values = [
            given.get(name, _inside(float(value), *typical[name]) if name in typical else value)
            for name, _, value in self._leaves()
        ]
        leaves = [jnp.asarray(value, dtype=float) for value in values]
        self.circuit = jax.tree.unflatten(jax.tree.structure(self.circuit), leaves)

    def _leaves(self):
        """Name, facts and value of every leaf of the circuit, in the order of its leaves."""
        for element in self.circuit.elements():
            quantities = element.quantities()
            for facts, value in quantities:
                yield parameter_name(element.label, facts["symbol"], len(quantities)), facts, value

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        bounds, priors = dict(self.bounds), dict(self.priors)
        return tuple(
            Parameter(
                name,
                float(value),
                *bounds.get(name, (facts["lower"], facts["upper"])),
                scale=facts["scale"],
                unit=facts["unit"],
                prior=priors.get(name),
            )
            for name, facts, value in self._leaves()
            if name not in self.fixed
        )

    def impedance(self, values: Values, frequency: Float[Array, " frequency"]) -> Impedance:
        free = iter(values)
        leaves = [leaf if name in self.fixed else next(free) for name, _, leaf in self._leaves()]
        circuit = jax.tree.unflatten(jax.tree.structure(self.circuit), leaves)
        return circuit.impedance(2.0 * np.pi * frequency)

    def reach(self, spectrum: Spectrum) -> tuple[tuple[float, float], ...]:
        modulus = np.abs(spectrum.impedance)
        z = float(modulus.min()), float(modulus.max())
        w = 2 * np.pi * float(spectrum.frequency.min()), 2 * np.pi * float(spectrum.frequency.max())
        result = []
        for parameter in self.parameters:
            low, high = REACH[parameter.unit](z, w) if parameter.unit in REACH else (parameter.lower, parameter.upper)
            low, high = max(low, parameter.lower), min(high, parameter.upper)
            result.append((low, high) if low < high else (parameter.lower, parameter.upper))
        return tuple(result)


def _inside(value, lower, upper):
    return value if lower <= value <= upper else (lower * upper) ** 0.5 if lower > 0 else (lower + upper) / 2


@dataclass(frozen=True)
class Free:
    """A finger that points at leaves of a pytree: these are to be fitted.

    where: tree -> a leaf, or a tuple of leaves that are tied to one value. With `factor`, the value
    multiplies what stands in the tree (start 1) instead of replacing it: ties leaves of different size.
    """

    name: str
    where: Callable[[Any], Any]
    lower: float
    upper: float
    scale: Literal["log", "linear"] = "log"
    unit: str = ""
    factor: bool = False

    def start(self, tree) -> float:
        """The value that leaves the tree as it is: that of the first leaf, or 1 for a factor."""
        leaf = jax.tree.leaves(self.where(tree))[0]
        return 1.0 if self.factor else float(np.ravel(leaf)[0])

    def put(self, tree, value: Float[Array, ""]):
        """The tree with this value in the place pointed at."""

        def new(leaf):
            return leaf * value if self.factor else jnp.full_like(leaf, value)

        old = self.where(tree)
        return eqx.tree_at(self.where, tree, jax.tree.map(new, old))


class LeafModel(AbstractModel):
    """Any pytree, some of its leaves free, and a function that gives its impedance: a stack, for instance.

    response(tree, frequency [Hz]) -> impedance [ohm]; it is vmapped and differentiated in forward mode.
    """

    tree: Any
    free: tuple[Free, ...] = eqx.field(static=True)
    response: Callable[[Any, Float[Array, " frequency"]], Impedance] = eqx.field(static=True)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(
            Parameter(free.name, free.start(self.tree), free.lower, free.upper, free.scale, free.unit)
            for free in self.free
        )

    def impedance(self, values: Values, frequency: Float[Array, " frequency"]) -> Impedance:
        tree = self.tree
        for free, value in zip(self.free, values, strict=True):
            tree = free.put(tree, value)
        return self.response(tree, frequency)
