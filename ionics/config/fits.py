"""The `fit` part of a file: which spectra, which model, and what follows from the fitted numbers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ionics import results
from ionics.config import units
from ionics.config.leaves import Leaf, together
from ionics.config.questions import Fit
from ionics.config.schema import Config
from ionics.config.units import UnitError
from ionics.fitting import derived
from ionics.fitting.circuits import CPE, AbstractCircuit, Parallel, R
from ionics.fitting.derived import Measured
from ionics.fitting.leastsquares import Weighting
from ionics.fitting.leastsquares import fit as least_squares
from ionics.fitting.model import AbstractModel, CircuitModel, Parameter
from ionics.fitting.readers import read_spectrum
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import DataError, Spectrum
from ionics.transport.stack import Stack

if TYPE_CHECKING:
    from ionics.config.study import Study

SUFFIXES = (".csv", ".txt", ".mpt", ".dat", ".z", ".asc")
DIMENSIONS = {"ohm": units.RESISTANCE, "1": units.RATIO}


def fit(study: Study, data: str | Path | None, tell: Callable[[str], None]) -> xr.Dataset | xr.DataTree:
    """Fit every spectrum that is named with the same model: one Dataset, or a tree of them for a series."""
    config = study.config
    asked = question(config)
    tell("reading spectra")
    spectra = [spectrum(config, path) for path in paths(config, data)]
    tell("preparing the model")
    model = stack_model(study) if asked.model == "stack" else circuit_model(config)
    _check_arrhenius(config, model)
    members, fits, origin = {}, [], study.origin
    for k, one in enumerate(spectra):
        tell(f"fitting {one.label}" + (f" ({k + 1} of {len(spectra)})" if len(spectra) > 1 else ""))
        weighted, weighting = _weighted(one, config)
        fits.append(least_squares(model, weighted, weighting=weighting, starts=asked.starts))
        model = _onward(model, fits[-1])
        members[one.label] = results.add_derived(
            results.fit_to_dataset(fits[-1], origin), consequences(config, model, fits[-1])
        )
    if len(members) == 1 and asked.series is None:
        return next(iter(members.values()))
    return _arrhenius(config, results.series(members, origin), fits)


def question(config: Config) -> Fit:
    """The `fit` part. Raises ConfigError where there is none."""
    if config.fit is None:
        raise config.error((), "nothing to fit", "write e.g. fit: {data: FILE, circuit: R0-p(R1,CPE1)-CPE2}")
    return config.fit


def paths(config: Config, data: str | Path | None) -> list[Path]:
    """The files to fit; a path in the configuration is relative to its folder."""
    asked = question(config)
    if data is None and asked.data is None:
        raise config.error(("fit",), "no data", "write data: FILE, or give --data FILE")
    given = Path(data) if data is not None else Path(config.document.name).parent / str(asked.data)
    if given.is_dir():
        found = sorted(p for p in given.iterdir() if p.suffix.lower() in SUFFIXES)
    elif any(sign in given.name for sign in "*?["):
        found = sorted(given.parent.glob(given.name))
    else:
        found = [given]
    if not found:
        raise DataError(f"{given}: no spectra there; expected files ending in {', '.join(SUFFIXES)}")
    return sorted(found, key=lambda path: temperature(config, path) or 0.0)


def temperature(config: Config, path: Path) -> float | None:
    """What the name of a file says [K]."""
    series = question(config).series
    if series is None:
        return None
    match = re.search(series.temperature, path.name)
    try:
        number = float(match[1] if match else "")
    except ValueError:
        pattern = f"its name does not give a temperature by '{series.temperature}'"
        raise DataError(f"{path}: {pattern}; change fit.series.temperature or move the file") from None
    return {"K": number, "degC": number + 273.15, "degF": (number + 459.67) / 1.8}[series.unit]


def spectrum(config: Config, path: Path) -> Spectrum:
    """A file as the configuration wants it read."""
    asked = question(config)
    columns = [int(c) if c.isdigit() else c for c in asked.columns] if asked.columns else None
    kelvin = temperature(config, path)
    if kelvin is None and asked.model == "stack":
        kelvin = config.temperature
    found = read_spectrum(path, columns=columns, temperature=kelvin)
    return found.window(*asked.frequency_range) if asked.frequency_range else found


def _weighted(one: Spectrum, config: Config) -> tuple[Spectrum, Weighting]:
    weighting = question(config).weighting
    if weighting == "modulus":
        return one, "modulus"
    sigma = weighting.sigma if weighting.relative is None else weighting.relative * abs(one.impedance)
    return dataclasses.replace(one, sigma=np.broadcast_to(sigma, one.frequency.shape)), "sigma"


# ---- models


def circuit_model(config: Config) -> CircuitModel:
    """The circuit with the starts and bounds of the file."""
    asked = question(config)
    try:
        known = {parameter.name: parameter for parameter in CircuitModel(str(asked.circuit)).parameters}
    except ValueError as error:  # CircuitError is one
        raise config.error(("fit", "circuit"), str(error)) from None
    for name in asked.free:
        if name not in known:
            raise config.error(("fit", "free", name), "the circuit has no such parameter", f"it has {', '.join(known)}")
        _right_unit(config, name, known[name].unit)
    starts = {name: free.start.value for name, free in asked.free.items() if free.start}
    bounds = {name: (free.bounds[0].value, free.bounds[1].value) for name, free in asked.free.items() if free.bounds}
    model = CircuitModel(str(asked.circuit), starts, bounds)
    try:
        _ = model.parameters
    except ValueError as error:
        raise config.error(("fit", "free"), str(error)) from None
    return model


def _right_unit(config: Config, name: str, unit: str) -> None:
    """Where the unit of a parameter is a plain one, what is written must have it."""
    free = question(config).free[name]
    for key, written in (("start", free.start), *(("bounds", bound) for bound in free.bounds or ())):
        if written is not None and unit in DIMENSIONS:
            try:
                written.of(DIMENSIONS[unit])
            except UnitError as error:
                raise config.error(("fit", "free", name, key), error.problem, error.valid) from None


class StackModel(AbstractModel):
    """A stack whose quantities are free by the names and in the units (SI) of the file."""

    stack: Stack
    leaves: tuple[Leaf, ...] = eqx.field(static=True)
    free: tuple[Parameter, ...] = eqx.field(static=True)
    response: Callable = eqx.field(static=True)  # (stack, frequency [Hz]) -> impedance [ohm]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.free

    def impedance(self, values, frequency):
        stack = self.stack
        for leaf, value in zip(self.leaves, values, strict=True):
            new = jax.tree.map(
                lambda old, leaf=leaf, value=value: jnp.full_like(old, leaf.value(value)), leaf.where(stack)
            )
            stack = eqx.tree_at(leaf.where, stack, new)
        return self.response(stack, frequency)


def _onward(model: AbstractModel, result: FitResult) -> AbstractModel:
    """The model for the next spectrum of a series: a circuit starts where the last fit ended.

    Of equally good fits the one nearest to the start is returned, so arcs keep their names through a series.
    """
    if not isinstance(model, CircuitModel):
        return model
    return CircuitModel(model.circuit, dict(zip(result.names, result.values, strict=True)), dict(model.bounds))


def stack_model(study: Study) -> StackModel:
    """The stack with the quantities that the file sets free; its response is Z of the stack over the area [ohm]."""
    from ionics.transport.equilibrium import equilibrium
    from ionics.transport.impedance import impedance

    config = study.config
    if config.study is not None and config.study.operating_point != "equilibrium":
        raise config.error(("study", "operating_point"), "stacks are fitted at equilibrium", "equilibrium")
    if config.area is None:
        raise config.error((), "a spectrum in ohm needs the area of the stack", "write e.g. area: 1 cm^2")
    area, occupancy, stack = config.area, study.occupancy, study.stack

    def response(stack, frequency):
        rest = equilibrium(stack, occupancy=occupancy, throw=False)
        return impedance(stack, rest, frequency).z / area

    leaves = tuple(together(config, path, asked.tied) for path, asked in question(config).free.items())
    free = tuple(_parameter(config, leaf, stack) for leaf in leaves)
    return StackModel(stack, leaves, free, response)


def _parameter(config: Config, leaf: Leaf, stack: Stack) -> Parameter:
    """Start and bounds in SI; by default three decades to each side of what the stack has."""
    asked = question(config).free[leaf.path]

    def si(written, key):
        try:
            return written.of(leaf.dimension)
        except UnitError as error:
            raise config.error(("fit", "free", leaf.path, key), error.problem, error.valid) from None

    present = leaf.quantity(float(np.ravel(jax.tree.leaves(leaf.where(stack))[0])[0]))
    start = si(asked.start, "start") if asked.start else present
    if asked.bounds is None and asked.scale == "linear":
        raise config.error(("fit", "free", leaf.path), "a linear scale needs bounds", "bounds: [lower, upper]")
    low, high = (si(bound, "bounds") for bound in asked.bounds) if asked.bounds else (start / 1e3, start * 1e3)
    if not low <= start <= high:
        raise config.error(
            ("fit", "free", leaf.path), f"the stack has {start:.4g}, outside the bounds", "wider bounds, or a start"
        )
    return Parameter(leaf.path, start, low, high, asked.scale, leaf.dimension.unit or "1")


# ---- consequences


def consequences(config: Config, model: AbstractModel, result: FitResult) -> dict[str, tuple[float, float, str]]:
    """Conductivities of the resistors, effective capacitances of each R || CPE, per area where possible."""
    if not isinstance(model, CircuitModel):
        return {}
    geometry, found = _geometry(config), {}
    if geometry is not None:
        for element in model.circuit.elements():
            if isinstance(element, R) and element.label in result.names:
                found[f"conductivity of {element.label}"] = geometry.conductivity(_resistance(result, element.label))
    for r, cpe in _pairs(model.circuit):
        if {r, f"{cpe}.Q", f"{cpe}.n"} <= set(result.names):
            capacitance = derived.propagate(
                result, lambda v, r=r, c=cpe: derived.hsu_mansfeld(v[f"{c}.Q"], v[f"{c}.n"], v[r]), "F"
            )
            found[f"capacitance of {r} | {cpe}"] = (
                capacitance if geometry is None else geometry.specific_capacitance(capacitance)
            )
    return {name: (number.value, number.error, number.unit) for name, number in found.items()}


def _geometry(config: Config) -> derived.Geometry | None:
    asked = question(config).geometry
    return derived.Geometry(asked.thickness, asked.area) if asked else None


def _resistance(result: FitResult, name: str) -> Measured:
    """A fitted resistance, or the sum of several with the error that follows from their covariance."""
    return derived.propagate(result, lambda values: sum(values[term] for term in _terms(name)), "ohm")


def _pairs(circuit: AbstractCircuit):
    """Labels of each resistor and constant-phase element that stand alone side by side."""
    parts = getattr(circuit, "parts", ())
    if isinstance(circuit, Parallel) and sorted(type(p).__name__ for p in parts) == ["CPE", "R"]:
        r, cpe = sorted(parts, key=lambda part: isinstance(part, CPE))
        yield r.label, cpe.label
    for part in parts:
        yield from _pairs(part)


def _arrhenius(config: Config, tree: xr.DataTree, fits: list[FitResult]) -> xr.DataTree:
    """Activation energies of sigma T, or of T/R without a geometry; of sums too, `R1 + R2`."""
    asked = question(config).arrhenius
    if not asked:
        return tree
    geometry, points, unit = _geometry(config), {}, ""
    kelvin = np.array([one.spectrum.temperature for one in fits])
    for name in asked:
        rows = [_conductance(geometry, _resistance(one, name)) for one in fits]
        sigma, errors = np.array([row.value for row in rows]), np.array([row.error for row in rows])
        sound, unit = bool(np.all(np.isfinite(errors) & (errors > 0))), rows[0].unit
        points[name] = (sigma, errors, derived.arrhenius(kelvin, sigma, errors=errors if sound else None))
    return results.add_arrhenius(tree, points, unit)


def _terms(name: str) -> list[str]:
    return [term.strip() for term in name.split("+")]


def _check_arrhenius(config: Config, model: AbstractModel) -> None:
    """Complain about names before anything is fitted."""
    known = [parameter.name for parameter in model.parameters]
    for name in question(config).arrhenius:
        for term in _terms(name):
            if term not in known:
                valid = f"the model has {', '.join(known)}"
                raise config.error(("fit", "arrhenius"), f"no parameter '{term}'", valid)


def _conductance(geometry: derived.Geometry | None, resistance: Measured) -> Measured:
    if geometry is not None:
        return geometry.conductivity(resistance)
    return Measured(1 / resistance.value, resistance.error / resistance.value**2, "S")
