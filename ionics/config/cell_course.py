"""What `ionics run` does with a cell: a protocol from rest, the impedance, the dataset of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import equinox as eqx
import jax.numpy as jnp
import xarray as xr

from ionics import cell_timeline, results
from ionics.cells import linear
from ionics.cells.balance import State, at_rest, flatten, unflatten
from ionics.cells.cell import Cell
from ionics.cells.impedance import Impedance, impedance
from ionics.cells.simulate import Instant, Run, begin, simulate
from ionics.config.cell_assembly import beginning, build_cell, capacity
from ionics.config.cell_table import parts
from ionics.config.course import follow
from ionics.config.plans import HOUR, ROWS, Device, plan
from ionics.config.schema import Config
from ionics.timeline import Act

if TYPE_CHECKING:
    from ionics.config.study import Study


PER_NODE = 8  # time steps that a boundary between phases may take from node to node; 2 to 4 are usual


class CellEngine:
    """A cell above the resolved scale."""

    def __init__(self, cell: Cell, one_c: float | None = None):
        """one_c: current density of 1C [A m-2], where the file states it."""
        self.cell, self.one_c = cell, one_c

    def device(self, config: Config) -> Device:
        return Device(float(self.cell.temperature), one_c=self.one_c)

    def begin(self, start) -> Instant:
        return begin(start)

    def simulate(self, step, instant, rtol, most) -> Run:
        if linear.separates(self.cell):
            most += ROWS * math.ceil(PER_NODE * len(instant.x) / ROWS)
        return simulate(self.cell, step, instant, rtol=rtol, steps=most, throw=False)

    def untouched(self, run: Run, instant: Instant, voltage: float) -> Run:
        one = jnp.ones(1)
        own = (instant.time * one, instant.x[None], voltage * one, 0 * one, instant.charge * one, run.temperature[:1])
        return eqx.tree_at(lambda r: (r.t, r.x, r.voltage, r.current, r.charge, r.temperature), run, own)

    def act(self, run, name, key, kind, ended, moments) -> Act:
        return cell_timeline.digest(self.cell, run, name, key, kind, ended, moments)

    def settled(self, end: Instant) -> Instant:
        return end

    def terminals(self, instant: Instant) -> tuple[float, float]:
        return float(instant.x[-1]), float(instant.x[-2])

    def impedance(self, instant, temperature, frequency):
        warm = eqx.tree_at(lambda c: c.temperature, self.cell, jnp.asarray(temperature, float))
        found = impedance(warm, unflatten(warm, instant.x), jnp.asarray(frequency))
        names, shares = found.pieces()
        return Impedance(found.frequency, found.z, shares, shares, names, names)


def run(study: Study, tell: Callable[[str], None]) -> xr.Dataset:
    """The protocol of a study of a cell, and the impedance at its end or at rest. Raises ConfigError, NotConverged."""
    config, asked = study.config, study.question
    tell("building the cell")
    engine = cell_engine(config)
    if asked.operating_point != "equilibrium":
        problem, valid = "a cell that passes current does not stay as it is", "equilibrium, and protocol: [hold: ...]"
        raise config.error(("study", "operating_point"), problem, valid)
    filled = beginning(config)
    rest = at_rest(engine.cell, filled)
    start = rest if asked.start is None else _resumed(config, flatten(rest).shape[0], asked.start)
    return answer(study, engine, filled, start, tell)


def cell_engine(config: Config) -> CellEngine:
    """What does a protocol to the cell of a file."""
    cell = build_cell(config)
    charge = capacity(config, cell)
    return CellEngine(cell, None if charge is None else charge / HOUR)


def answer(
    study: Study, engine: CellEngine, filled: dict[str, float], start: State | Instant, tell: Callable[[str], None]
) -> xr.Dataset:
    """What a study asks of a cell."""
    config, asked = study.config, study.question
    plan(config, engine.device(config))
    done = follow(config, engine, start, tell)
    spectrum = None
    if asked.impedance is not None and done.complete:
        tell("impedance")
        warm = float(done.acts[-1].temperature[-1] if done.acts else engine.cell.temperature)
        spectrum = engine.impedance(done.end, warm, asked.impedance.frequency)
    ds = cell_timeline.to_dataset(engine.cell, done, spectrum, study.origin)
    ds.attrs["parts"] = json.dumps(parts(engine.cell, filled), ensure_ascii=False)
    return ds


def _resumed(config: Config, unknowns: int, name: str) -> Instant:
    place, path = ("study", "start"), Path(config.document.name).parent / name
    try:
        return cell_timeline.resume(results.open_result(path), unknowns)
    except FileNotFoundError as error:
        raise config.error(place, str(error), "the folder of an earlier result, seen from this file") from None
    except ValueError as error:
        raise config.error(place, f"no run of this cell: {error}", "a result of the same cell") from None
