"""The model of a fit: the circuit or the stack of the file, what is free in it, how that runs through a series."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.config import units
from ionics.config.fit_questions import Along, Arrhenius, Fit, FreeParameter
from ionics.config.leaves import Leaf, together
from ionics.config.schema import Config
from ionics.config.units import Dimension, UnitError
from ionics.fitting import across as laws
from ionics.fitting.model import AbstractModel, CircuitModel, Parameter, Prior
from ionics.fitting.spectrum import Spectrum
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import Impedance, impedance
from ionics.transport.newton import Solution
from ionics.transport.stack import Stack
from ionics.transport.terminals import terminal_impedance

DIMENSIONS = {"ohm": units.RESISTANCE, "1": units.RATIO, "H": units.INDUCTANCE, "s": units.TIME}


# ---- circuits


def circuit_model(config: Config, asked: Fit) -> CircuitModel:
    """The circuit with the starts, bounds and priors of the file. Raises ConfigError."""
    try:
        known = {parameter.name: parameter for parameter in CircuitModel(str(asked.circuit)).parameters}
    except ValueError as error:  # CircuitError is one
        raise config.error(("fit", "circuit"), str(error)) from None
    for name, free in asked.free.items():
        if name not in known:
            raise config.error(("fit", "free", name), "the circuit has no such parameter", f"it has {', '.join(known)}")
        _right_unit(config, name, free, DIMENSIONS.get(known[name].unit))
        if free.scale not in (None, known[name].scale):
            raise config.error(("fit", "free", name, "scale"), f"{name} has its own scale", known[name].scale)
        if free.tied:
            raise config.error(("fit", "free", name, "tied"), "only leaves of a stack can be tied", "delete it")
    held = {name: free.fixed.value for name, free in asked.free.items() if free.fixed}
    starts = held | {name: free.start.value for name, free in asked.free.items() if free.start}
    bounds = {name: (free.bounds[0].value, free.bounds[1].value) for name, free in asked.free.items() if free.bounds}
    priors = {name: prior(config, name, free, known[name].scale) for name, free in asked.free.items() if free.prior}
    model = CircuitModel(str(asked.circuit), starts, bounds, fixed=tuple(held), priors=priors)
    try:
        _ = model.parameters
    except ValueError as error:
        raise config.error(("fit", "free"), str(error)) from None
    return model


def _right_unit(config: Config, name: str, free: FreeParameter, dimension: Dimension | None) -> None:
    """Where the unit of a parameter is a plain one, what is written must have it."""
    stated = [("start", free.start), ("fixed", free.fixed), *(("bounds", bound) for bound in free.bounds or ())]
    for key, written in [*stated, ("prior", free.prior and free.prior.value)]:
        if written is not None and dimension is not None:
            try:
                written.of(dimension)
            except UnitError as error:
                raise config.error(("fit", "free", name, key), error.problem, error.valid) from None


def prior(config: Config, name: str, free: FreeParameter, scale: str, dimension: Dimension | None = None) -> Prior:
    """The prior of the file, on the scale the parameter is searched on. Raises ConfigError."""
    stated, place = free.prior, ("fit", "free", name, "prior")

    def si(written):
        try:
            return written.value if dimension is None else written.of(dimension)
        except UnitError as error:
            raise config.error(place, error.problem, error.valid) from None

    if (stated.factor is None) == (scale == "log"):
        valid = "{value: ..., factor: 1.5}" if scale == "log" else "{value: ..., error: ...}"
        raise config.error(place, f"{name} is searched on a {scale} scale", valid)
    try:
        return Prior(si(stated.value), math.log(stated.factor) if stated.factor else si(stated.error))
    except ValueError as error:
        raise config.error(place, str(error)) from None


# ---- stacks


class StackModel(AbstractModel):
    """A stack at equilibrium whose quantities are free by the names and in the units (SI) of the file."""

    slow: ClassVar[bool] = True
    stack: Stack
    area: Float[Array, ""]  # m2
    occupancy: Float[Array, " held"]  # mean, of what `held` names
    held: tuple[tuple[str, str], ...] = eqx.field(static=True)  # (layer, carrier)
    leaves: tuple[Leaf, ...] = eqx.field(static=True)
    free: tuple[Parameter, ...] = eqx.field(static=True)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.free

    def under(self, spectrum: Spectrum) -> StackModel:
        """At the temperature of the spectrum, and at its state of charge where one occupancy is held."""
        model = self
        if spectrum.temperature is not None:
            model = eqx.tree_at(lambda m: m.stack, model, self.stack.at(spectrum.temperature))
        if "state_of_charge" in spectrum.conditions and len(self.held) == 1:
            share = jnp.asarray([spectrum.conditions["state_of_charge"]])
            model = eqx.tree_at(lambda m: m.occupancy, model, share)
        return model

    def at(self, values: Float[Array, " parameter"]) -> Stack:
        """The stack with these values."""
        stack = self.stack
        for leaf, value in zip(self.leaves, values, strict=True):
            stack = leaf.put(stack, value)
        return stack

    def response(self, values: Float[Array, " parameter"], frequency: Float[Array, " frequency"]) -> Impedance:
        """Impedance per area with the share of every element."""
        stack = self.at(values)
        return impedance(stack, self._rest(stack), frequency)

    def impedance(self, values, frequency):
        stack = self.at(values)
        return terminal_impedance(stack, self._rest(stack).state, frequency) / self.area

    def _rest(self, stack: Stack) -> Solution:
        return equilibrium(stack, occupancy=dict(zip(self.held, self.occupancy, strict=True)), throw=False)


def stack_model(config: Config, asked: Fit, stack: Stack, occupancy: dict[tuple[str, str], float]) -> StackModel:
    """The stack with the quantities that the file sets free; its response is Z of the stack over the area [ohm]."""
    if config.study is not None and config.study.operating_point != "equilibrium":
        raise config.error(("study", "operating_point"), "stacks are fitted at equilibrium", "equilibrium")
    if config.area is None:
        raise config.error((), "a spectrum in ohm needs the area of the stack", "write e.g. area: 1 cm^2")
    free = {path: one for path, one in asked.free.items() if one.fixed is None}
    for path, one in asked.free.items():
        if one.fixed is not None:
            held = together(config, path, [])
            stack = held.put(stack, _si(config, path, "fixed", one.fixed, held.dimension))
    if not free:
        raise config.error(("fit", "free"), "nothing is free", "a path with bounds")
    leaves = tuple(together(config, path, one.tied) for path, one in free.items())
    return StackModel(
        stack,
        jnp.asarray(config.area),
        jnp.asarray(list(occupancy.values()), dtype=float),
        tuple(occupancy),
        leaves,
        tuple(_parameter(config, free[leaf.path], leaf, stack) for leaf in leaves),
    )


def _si(config: Config, path: str, key: str, written, dimension: Dimension) -> float:
    try:
        return written.of(dimension)
    except UnitError as error:
        raise config.error(("fit", "free", path, key), error.problem, error.valid) from None


def _parameter(config: Config, asked: FreeParameter, leaf: Leaf, stack: Stack) -> Parameter:
    """Start and bounds in SI; by default three decades to each side of what the stack has."""
    path, scale, dimension = leaf.path, asked.scale or "log", leaf.dimension
    present = leaf.quantity(float(np.ravel(jax.tree.leaves(leaf.where(stack))[0])[0]))
    start = _si(config, path, "start", asked.start, dimension) if asked.start else present
    if asked.bounds is None and scale == "linear":
        raise config.error(("fit", "free", path), "a linear scale needs bounds", "bounds: [lower, upper]")
    if scale == "log" and start <= 0:
        raise config.error(("fit", "free", path), f"a log scale, but it is {start:.4g}", "scale: linear, with bounds")
    stated = [_si(config, path, "bounds", bound, dimension) for bound in asked.bounds or ()]
    low, high = stated or (start / 1e3, start * 1e3)
    if not low <= start <= high:
        raise config.error(
            ("fit", "free", path), f"the stack has {start:.4g}, outside the bounds", "wider bounds, or a start"
        )
    known = prior(config, path, asked, scale, dimension) if asked.prior else None
    return Parameter(path, start, low, high, scale, dimension.unit or "1", known)


# ---- through a series


def across(config: Config, asked: Fit, model: AbstractModel) -> dict[str, laws.Across]:
    """How each parameter runs through the series, by its name. Raises ConfigError."""
    scales = {parameter.name: parameter.scale for parameter in model.parameters}
    found = {}
    for name, free in asked.free.items():
        if free.across is None:
            continue
        activated = free.across == "arrhenius" or isinstance(free.across, Arrhenius)
        if activated and scales[name] != "log":
            raise config.error(("fit", "free", name, "across"), "an Arrhenius law needs a log scale", "each, shared")
        found[name] = _law(free.across)
    return found


def _law(stated) -> laws.Across:
    if isinstance(stated, Arrhenius):
        return laws.Arrhenius(stated.reference, stated.times_temperature)
    if isinstance(stated, Along):
        (condition,) = stated.model_fields_set
        return laws.Curve(condition, tuple(getattr(stated, condition)))
    return {"shared": laws.Shared, "each": laws.Each, "arrhenius": laws.Arrhenius}[stated]()
