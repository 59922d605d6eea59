"""What `ionics check` shows of a cell: resistances, capacities and times of its parts, and where to be careful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ionics.cells.balance import at_rest
from ionics.cells.cell import Cell, Electrode, Particle
from ionics.cells.phase_field import STEPS, PhaseField, boundary_width
from ionics.config import uncertainty
from ionics.config.cell_assembly import beginning, build_cell, capacity
from ionics.config.plans import HOUR, Device, plan
from ionics.config.schema import Config
from ionics.constants import FARADAY
from ionics.quantity import duration, quantity
from ionics.transport.statistics import Measured, RegularSolution

CM2 = 1e-4  # m2


@dataclass(frozen=True)
class CellCheck:
    """The parts of a cell as rows of text; as text it is what `ionics check` prints."""

    rows: tuple[tuple[str, ...], ...]  # part, what, numbers
    voltage: float  # V, at rest at the beginning
    one_c: float | None  # A m-2
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        width = max(len(row[0]) for row in self.rows)
        lines = [f"{part:<{width}}  {'   '.join(numbers)}" for part, *numbers in self.rows]
        lines.append(f"{'at rest':<{width}}  {self.voltage:.4g} V")
        if self.one_c is not None:
            lines.append(f"{'1C':<{width}}  {quantity(self.one_c * CM2, 'A/cm²')}")
        if self.warnings:
            lines += ["", "To be careful about:", *(f"- {text}" for text in self.warnings)]
        return "\n".join(lines)


def check_cell(config: Config) -> CellCheck:
    """The table of a checked configuration. Raises ConfigError where it cannot be built or done."""
    cell, filled = build_cell(config), beginning(config)
    charge = capacity(config, cell)
    warnings = [text for side in ("negative", "positive") for text in _warnings(cell, getattr(cell, side), filled)]
    warnings += uncertainty.not_followed(config)
    one_c = None if charge is None else charge / HOUR
    if config.study is not None and config.study.protocol:
        plan(config, Device(float(cell.temperature), one_c=one_c))
    return CellCheck(parts(cell, filled), float(at_rest(cell, filled).voltage), one_c, tuple(warnings))


def parts(cell: Cell, filled: dict[str, float]) -> tuple[tuple[str, ...], ...]:
    """The parts of a cell as rows of text: name and numbers."""
    rows = [row for side in ("negative", "positive") for row in _electrode(cell, side, filled)]
    for one in cell.between:
        resistance = float(one.resistance(cell.temperature))
        rows.append((one.name, quantity(float(one.thickness), "m"), quantity(resistance / CM2, "ohm cm²")))
    if float(cell.series_resistance):
        rows.append(("in series", quantity(float(cell.series_resistance) / CM2, "ohm cm²")))
    return tuple(rows)


def _electrode(cell: Cell, side: str, filled: dict[str, float]) -> Iterator[tuple[str, ...]]:
    electrode: Electrode = getattr(cell, side)
    temperature = cell.temperature
    if electrode.nodes > 1:
        thickness = float(electrode.thickness)
        ionic, electronic = (thickness / float(law(temperature)) for law in (electrode.ionic, electrode.electronic))
        both = f"ions {quantity(ionic / CM2, 'ohm cm²')}", f"electrons {quantity(electronic / CM2, 'ohm cm²')}"
        yield (f"{side} electrode", quantity(thickness, "m"), *both)
    for one in electrode.members:
        resistance = f"reaction {quantity(_reaction(one, electrode, filled, temperature) / CM2, 'ohm cm²')}"
        if not isinstance(one, Particle):
            yield f"{side}: {one.name}", f"{float(one.potential(temperature)):.4g} V", resistance
            continue
        amount = FARADAY * float(one.carrier.sites * jnp.sum(one.volume))
        times = float(jnp.max(one.radius)) ** 2 / float(one.carrier.diffusivity(temperature))
        yield (
            f"{side}: {one.name}",
            f"all sites {quantity(amount / 3600 * CM2, 'Ah/cm²')}", f"filled {filled[one.name]:g}",
            f"area {float(jnp.sum(one.area)):.3g}", f"diffusion {duration(times)}", resistance,
        )  # fmt: skip
        if isinstance(one.inside, PhaseField):
            yield f"{side}: {one.name}, phases", *_phases(one, one.inside, float(temperature))


def _phases(one: Particle, inside: PhaseField, temperature: float) -> Iterator[str]:
    """What a regular solution with gradient energy does, and how finely that is followed."""
    own, nodes = one.carrier.statistics, f"{one.unknowns} nodes"
    width = boundary_width(one.carrier, float(inside.gradient_energy), temperature)
    if not isinstance(own, RegularSolution) or not np.isfinite(width):
        yield from ("one: too warm for two", nodes)
        return
    low, unstable = float(own.binodal(temperature)), float(own.spinodal(temperature))
    smallest, largest = float(jnp.min(one.radius)), float(jnp.max(one.radius))
    yield f"at {low:.3g} and {1 - low:.3g}"
    yield f"unstable from {unstable:.3g} to {1 - unstable:.3g}"
    yield f"hysteresis up to {quantity(float(own.hysteresis(temperature)), 'V')}"
    yield f"boundary {quantity(width, 'm')} in {_between(smallest, largest)}"
    yield nodes


def _between(low: float, high: float) -> str:
    return quantity(high, "m") if high == low else f"{quantity(low, 'm')} to {quantity(high, 'm')}"


def _reaction(one, electrode: Electrode, filled: dict[str, float], temperature) -> float:
    """Of all surfaces of a member near equilibrium, with its coating [ohm m2]."""
    theta = jnp.asarray(filled.get(one.name, 0.0), float)

    def law(rate, drop):
        return one.surface.residual(rate, drop, *one.outside(theta, temperature), temperature)

    rest = jnp.zeros(()), one.open_circuit(theta, temperature)
    by_rate, by_drop = jax.grad(law, (0, 1))(*rest)
    return float(by_rate / by_drop / FARADAY / jnp.sum(one.area)) if float(by_drop) else 0.0


def _warnings(cell: Cell, electrode: Electrode, filled: dict[str, float]) -> Iterator[str]:
    levels = {}
    for one in electrode.members:
        theta = filled.get(one.name, 0.0)
        levels[one.name] = float(one.settled(jnp.asarray(theta), cell.temperature))
        if isinstance(one, Particle):
            yield from _of_phases(one, float(cell.temperature))
        if not isinstance(one, Particle) or not isinstance(one.carrier.statistics, Measured):
            continue
        low, high = (float(one.carrier.statistics.curve.knots[k]) for k in (0, -1))
        if not low <= theta <= high:
            yield f"{one.name}: begins at {theta:g}, outside its open-circuit curve ({low:g} to {high:g})"
    if len(levels) > 1 and np.ptp(list(levels.values())) > 1e-3:
        told = ", ".join(f"{name} {level:.4g} V" for name, level in levels.items())
        yield f"the members of the {electrode.name} electrode are not in balance at the beginning: {told}"


def _of_phases(one: Particle, temperature: float) -> Iterator[str]:
    """Two phases whose boundaries the mesh cannot follow."""
    own = one.carrier.statistics
    if not isinstance(own, RegularSolution) or not float(own.binodal(temperature)) < 0.5:
        return
    if not isinstance(one.inside, PhaseField):
        yield (
            f"{one.name}: separates into two phases, but has no gradient_energy: their boundaries have no width and no "
            "energy, so results depend on the mesh"
        )
        return
    width = boundary_width(one.carrier, float(one.inside.gradient_energy), temperature)
    steps = (one.unknowns - 1) * width / float(jnp.max(one.radius))
    if steps < 0.75 * STEPS:
        yield (
            f"{one.name}: {one.unknowns} nodes are {steps:.2g} steps over the width of a boundary between phases, "
            f"where {STEPS} follow it smoothly: it jumps from node to node; leave out nodes, or give more"
        )
