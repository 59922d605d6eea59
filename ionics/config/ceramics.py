"""The `ceramic` part of a fit: from two fitted arcs to bricks and the barrier between grains."""

from __future__ import annotations

import numpy as np

from ionics.config.errors import ConfigError
from ionics.config.fit_questions import Ceramic
from ionics.config.schema import Config
from ionics.fitting.ceramics import barrier
from ionics.fitting.ceramics.arcs import Arcs, Barrier, barrier_of_resistances, barrier_of_times, bricks, debye
from ionics.fitting.ceramics.grains import GRAIN, PERMITTIVITY, half_grain
from ionics.fitting.derived import Geometry, Measured
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import DataError
from ionics.laws import Constant
from ionics.transport.stack import Carrier, Material, Species, neutral_charge
from ionics.transport.statistics import Dilute

ALSO = {"permittivity": PERMITTIVITY, "grain": GRAIN}


def readings(
    config: Config, asked: Ceramic, geometry: Geometry | None, fit: FitResult
) -> tuple[dict[str, Measured], list[str]]:
    """What the arcs of one spectrum say, by name, and what to be careful about. Raises ConfigError."""
    try:
        arcs = Arcs.of_fit(fit, asked.bulk, asked.boundary)
    except (DataError, KeyError) as error:
        raise _refused(config, error) from None
    grain = None if asked.grain is None else Measured(asked.grain, 0.0, "m")
    found = bricks(arcs, geometry, grain)
    numbers = {
        "R boundary / R grains": found.resistance_ratio,
        "tau boundary / tau grains": found.time_ratio,
        "permittivity of the grains": found.permittivity,
        "thickness of the boundary": found.thickness,
        "conductivity of the boundary itself": found.specific_conductivity,
    }
    length = _length(asked, arcs.temperature)
    shortcuts = [barrier_of_times(arcs, asked.charge, length)]
    if length is not None and grain is not None:
        shortcuts.append(barrier_of_resistances(arcs, asked.charge, grain, length, asked.law))
    doubts = []
    for one in shortcuts:
        numbers |= _named(one)
        doubts += one.doubts
    if asked.stack:
        numbers["barrier, full stack"], sentence = _full(asked, arcs)
        doubts.append(sentence)
    known = {name: number for name, number in numbers.items() if number is not None and np.isfinite(number.value)}
    return known, doubts


def _named(one: Barrier) -> dict[str, Measured | None]:
    return {f"barrier, {one.form}": one.potential, f"width, {one.form}": one.width}


def _length(asked: Ceramic, kelvin: float) -> Measured | None:
    """The Debye length where permittivity and concentration are given [m]."""
    if asked.permittivity is None or asked.concentration is None:
        return None
    carriers = 2 if asked.law == "gouy-chapman" else 1
    return Measured(debye(asked.permittivity, asked.concentration, kelvin, asked.charge, carriers), 0.0, "m")


def _full(asked: Ceramic, arcs: Arcs) -> tuple[Measured | None, str]:
    """The barrier of the stack that answers as the arcs do, and how it compares with the shortcut, in a sentence."""
    carrier = Carrier(Species("ion", asked.charge), Dilute(), 1.0, asked.concentration, Constant(1e-12))
    material = Material("grain", (carrier,), asked.permittivity, neutral_charge((carrier,)))
    also = ALSO[asked.also] if asked.also else None
    try:
        found = barrier.compare(half_grain(material, asked.grain, arcs.temperature), arcs, asked.by, also)
    except barrier.NoBarrier as error:
        return None, str(error)
    return found.stack.barrier, found.sentence


def _refused(config: Config, error: Exception) -> ConfigError:
    said = str(error.args[0]) if error.args else str(error)
    return config.error(("fit", "ceramic"), said, "labels of the circuit, and spectra with a temperature")
