"""A configuration as something one asks: `ionics.load(path).run()`, `.fit()`. The command line does no more."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import xarray as xr

from ionics import config as door
from ionics import intervals, plots, results  # plots registers the `.ionics` accessor
from ionics.config import materials, table
from ionics.config.course import refuse_impossible, stack_device
from ionics.config.ensemble import ensemble
from ionics.config.questions import Study as Question
from ionics.config.resolved import resolved
from ionics.config.schema import Config
from ionics.config.table import Check
from ionics.transport.newton import Solution
from ionics.transport.stack import Stack

if TYPE_CHECKING:
    from ionics.config.cell_table import CellCheck
    from ionics.config.interface_course import Look

Progress = Callable[[str], None]
__all__ = ["Progress", "Study", "load", "plots"]


def load(path: str | Path, overrides: str | Sequence[str] = ()) -> Study:
    """The study in a YAML file, after one or several overrides 'dotted.key=value'. Raises ConfigError."""
    return Study(door.read(path, [overrides] if isinstance(overrides, str) else overrides))


class Study:
    """A checked configuration and the questions it can answer."""

    def __init__(self, config: Config):
        jax.config.update("jax_enable_x64", True)
        self.config = config

    @functools.cached_property
    def stack(self) -> Stack:
        """The device, in SI."""
        return door.build(self.config)

    def run(self, progress: Progress | None = None) -> xr.Dataset:
        """Equilibrium, steady state or a protocol, and the impedance about its end if asked.

        A protocol that is interrupted or fails on its way gives what was done: attribute `complete` is 0 then, and
        `message` says why. Raises ConfigError, NotConverged.
        """
        from ionics.transport.impedance import impedance

        tell, asked = progress or _silent, self.question
        if self.config.cell is not None:
            from ionics.config.cell_course import run

            return run(self, tell)
        tell("building the stack")
        stack = self.stack
        refuse_impossible(self.config, stack)
        if asked.protocol:
            return self._in_time(stack, tell)
        tell("equilibrium")
        stack, solution = self._rest(stack, flowing=asked.operating_point != "equilibrium")
        if asked.operating_point != "equilibrium":
            tell("steady state")
            solution = self.under_drive(stack, solution)
        spectrum = None
        if asked.impedance is not None:
            tell("impedance")
            spectrum = impedance(stack, solution, jnp.asarray(asked.impedance.frequency))
        found = results.to_dataset(stack, solution, spectrum, self.origin)
        return intervals.added(found, stack, ensemble(self, stack, solution, spectrum, tell))

    @property
    def question(self) -> Question:
        """What `run` is asked. Raises ConfigError where nothing is."""
        if self.config.study is None:
            raise self.config.error((), "nothing to run", "write e.g. study: {impedance: {from: 1 mHz, to: 1 MHz}}")
        return self.config.study

    def _rest(self, stack: Stack, flowing: bool) -> tuple[Stack, Solution]:
        """The equilibrium, and the stack with the meshes that follow it."""
        from ionics.transport import adapt
        from ionics.transport.freedom import Overdetermined

        try:
            return adapt.resolved(stack, occupancy=self.occupancy, flowing=flowing)
        except Overdetermined as error:
            raise self.config.error(("study", "state_of_charge"), str(error)) from None

    def under_drive(self, stack: Stack, rest: Solution, throw: bool = True) -> Solution:
        """The steady state at the operating point asked for. Raises NotConverged (unless throw=False), ConfigError."""
        from ionics.transport.balance import Current, Voltage
        from ionics.transport.steady import steady

        point = self.question.operating_point
        if stack.units:
            place, problem = ("study", "operating_point"), "the impedance of a repeated unit is known at rest only"
            raise self.config.error(place, problem, "equilibrium, or the unit's layers without repeat")
        drive = Voltage(point.voltage) if point.current is None else Current(point.current)
        return steady(stack, drive, rest) if throw else steady(stack, drive, rest, throw=False)

    def _in_time(self, stack: Stack, tell: Progress) -> xr.Dataset:
        """The protocol, and the impedance about its end."""
        from ionics import timeline
        from ionics.config import course
        from ionics.transport.impedance import impedance

        asked = self.question
        if asked.start is None:
            tell("equilibrium")
            stack, begin = self._rest(stack, flowing=True)
            if asked.space_charge == "lumped":
                return self._lumped(stack, begin, tell)
        else:
            stack, begin = self._resumed(stack, asked.start)
        done = course.follow(self.config, course.StackEngine(stack), begin, tell)
        spectrum = None
        if asked.impedance is not None and done.complete:
            tell("impedance")
            warm = stack.at(done.acts[-1].temperature[-1])
            spectrum = impedance(warm, done.end.state, jnp.asarray(asked.impedance.frequency))
        return timeline.to_dataset(stack, done, spectrum, self.origin)

    def _lumped(self, stack: Stack, rest: Solution, tell: Progress) -> xr.Dataset:
        """The protocol done to the cell that the stack is where its space charges are lumped."""
        from ionics.cells.balance import at_rest
        from ionics.cells.lumped import NotLumpable, lumped
        from ionics.config.cell_course import CellEngine, answer

        tell("lumping the space charges")
        one_c = stack_device(self.config, stack).one_c
        try:
            cell, filled = lumped(stack, rest.state)
        except NotLumpable as error:
            raise self.config.error(("study", "space_charge"), str(error), "resolved") from None
        return answer(self, CellEngine(cell, one_c), filled, at_rest(cell, filled), tell)

    def _resumed(self, stack: Stack, name: str):
        from ionics import timeline

        place, path = ("study", "start"), Path(self.config.document.name).parent / name
        try:
            return timeline.resume(results.open_result(path), stack)
        except FileNotFoundError as error:
            raise self.config.error(place, str(error), "the folder of an earlier result, seen from this file") from None
        except ValueError as error:
            raise self.config.error(place, f"no run of this stack: {error}", "a result of the same stack") from None

    @property
    def occupancy(self) -> dict[tuple[str, str], float]:
        """(layer, carrier) -> mean occupancy held."""
        charge = self.config.study.state_of_charge if self.config.study else {}
        return {(layer, carrier): share for layer, own in charge.items() for carrier, share in own.items()}

    def fit(self, data: str | Path | None = None, progress: Progress | None = None) -> xr.Dataset | xr.DataTree:
        """Fit the spectrum, or the series of spectra, that the file or `data` names. Raises ConfigError, DataError."""
        from ionics.config.fits import fit

        return fit(self, data, progress or _silent)

    def interface(self, work: str | Path | None = None, progress: Progress | None = None) -> xr.Dataset:
        """The junction of two crystals and the stack it hands over; stages that are done are kept in the folder `work`.

        Left out, it is results/<name of the file>.work. Raises ConfigError.
        """
        from ionics.config.interface_course import interface

        return interface(
            self, Path(work or Path("results") / f"{Path(self.config.document.name).stem}.work"), progress or _silent
        )

    def design(self, progress: Progress | None = None) -> xr.Dataset:
        """What to measure to determine the parameters of the fit best. Raises ConfigError."""
        from ionics.config.designs import design

        return design(self, progress or _silent)

    def check(self) -> Check | CellCheck | Look:
        """The resolved stack, the cell or the crystals to join: what will be computed, and what to be careful about."""
        if self.config.interface is not None and self.config.stack is None:
            from ionics.config.interface_course import look

            return look(self, self.config.interface)
        return table.check(self.config)

    @property
    def origin(self) -> results.Origin:
        """What goes into the attributes of the results."""
        config = self.config
        warnings = () if config.interface is not None else self.check().warnings
        return results.Origin(config.title, config.source, resolved(config), config.area, _citations(config), warnings)

    def __repr__(self) -> str:
        return (
            f"<Study {self.config.title or self.config.document.name}: {', '.join(self._questions()) or 'no question'}>"
        )

    def _questions(self) -> list[str]:
        parts = (
            (".run()", self.config.study),
            (".fit()", self.config.fit),
            (".design()", self.config.design),
            (".interface()", self.config.interface),
        )
        return [word for word, part in parts if part is not None]

    def _repr_html_(self) -> str:
        config = self.config
        rows = "".join(
            f"<tr><td>{html.escape(layer.name)}</td><td>{html.escape(layer.material)}</td>"
            f"<td>{layer.thickness * 1e9:.4g} nm</td></tr>"
            for _, layer in (config.stack.flat() if config.stack else [])
        )
        table = f"<table><tr><th>layer</th><th>material</th><th>thickness</th></tr>{rows}</table>" if rows else ""
        title = html.escape(config.title or config.document.name)
        return f"<p><b>{title}</b><br>{html.escape(config.source)}</p>{table}<p>{', '.join(self._questions())}</p>"


def _citations(config: Config) -> tuple[tuple[str, str], ...]:
    names = dict.fromkeys(config.used())
    return tuple((name, source) for name in names for source in materials.citations(config.material(name)))


def _silent(text: str) -> None:
    """Progress that nobody watches."""
