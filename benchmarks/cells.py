"""Discharges of composite half cells: eight rates of one cell, and one rate of many cells, against PyBaMM (IDAKLU).

    python benchmarks/cells.py --pybamm PYTHON [rates cells] [--cells 256 --repeats 7]

PYTHON: an interpreter with PyBaMM (`pip install pybamm` in an environment of its own). It runs `cells_pybamm.py serve`
and waits while ionics works; both are asked in turn, so that a busy moment of the machine meets both. Errors are those
of the voltage at eight times of each of the first 16 discharges, and of its duration, against PyBaMM on fine meshes at
tight tolerances. Writes `results/cells.json` and prints the table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

import equinox as eqx  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from cells_setup import CHECKED, FRACTIONS, HALF, NMC, ONE_C, OPEN_CIRCUIT, RATES, varied  # noqa: E402
from machine import processor  # noqa: E402

import ionics  # noqa: E402
from ionics.cells.balance import at_rest, flatten  # noqa: E402
from ionics.cells.cell import Cell, Conductor, Electrode, Metal, Particle, Surface  # noqa: E402
from ionics.cells.inward import Modes  # noqa: E402
from ionics.cells.simulate import simulate_many  # noqa: E402
from ionics.kinetics.rates import ButlerVolmer  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.balance import Current  # noqa: E402
from ionics.transport.flux import Chemical  # noqa: E402
from ionics.transport.protocol import Cutoff, Step  # noqa: E402
from ionics.transport.stack import Carrier, Species  # noqa: E402
from ionics.transport.statistics import Measured  # noqa: E402

Row = dict[str, object]
HERE = Path(__file__).parent
MESHES = {"20 x 20 nodes": (20, 20), "12 x 20 nodes": (12, 20), "12 x 12 nodes": (12, 12)}  # depth, radius
TOLERANCE = 1e-3
OCCUPANCIES = np.linspace(0.002, 0.999, 400)


# What ionics is told


def half_cell(nodes: tuple[int, int], one: dict[str, float]) -> Cell:
    """Lithium | separator | composite; `one` replaces numbers of `NMC`."""
    depth, radius = nodes
    own = NMC | one
    curve = OPEN_CIRCUIT[own["open_circuit"]](OCCUPANCIES, np.exp, np.tanh)
    carrier = Carrier(
        Species("Li", 0), Measured(OCCUPANCIES, curve), own["sites"], 0.5, Constant(own["diffusivity"]), Constant(0.0),
        Chemical(),
    )  # fmt: skip
    spacing = np.linspace(4.0, 1.0, radius - 1)
    even = np.linspace(0, 1, depth)
    surface = Surface(ButlerVolmer(Constant(own["exchange_current"]), 0.5))
    particles = Particle(
        "NMC", carrier, Modes(3, spacing / spacing.sum()), surface,
        np.array([own["radius"]]), np.array([own["active_fraction"] * own["thickness"]]),
    )  # fmt: skip
    ionic = own["electrolyte_conductivity"] * own["electrolyte_fraction"] ** own["bruggeman"]
    positive = Electrode(
        "positive", (particles,), own["thickness"], Constant(ionic), Constant(own["electrode_conductivity"]),
        np.diff(0.25 * even + 0.375 * (1 - np.cos(np.pi * even))),
    )  # fmt: skip
    metal = Metal("Li", Surface(ButlerVolmer(Constant(HALF["negative"]["exchange_current"]), 0.5)))
    separator = Conductor("separator", Constant(HALF["separator"]["conductivity"]), HALF["separator"]["thickness"])
    return Cell(Electrode("negative", (metal,)), (separator,), positive, HALF["temperature"])


def changed(base: Cell, thickness: float, radius: float, diffusivity: float, exchange_current: float) -> Cell:
    """The cell with other numbers, as inputs of a model."""

    def where(cell):
        (own,) = cell.positive.members
        rate = own.surface.law.exchange_current.value
        return cell.positive.thickness, own.volume, own.radius, own.carrier.diffusivity.value, rate

    volume = NMC["active_fraction"] * thickness
    values = (thickness, np.array([volume]), np.array([radius]), diffusivity, exchange_current)
    return eqx.tree_at(where, base, tuple(jnp.asarray(value) for value in values))


class Set:
    """Discharges of one of the questions on one mesh."""

    def __init__(self, which: str, nodes: tuple[int, int], count: int):
        if which == "rates":
            self.cells = half_cell(nodes, {})
            currents = [rate * ONE_C for rate in RATES]
        else:
            given = varied(count)
            currents = [one["current"] for one in given]
            base = half_cell(nodes, {})
            self.cells = [changed(base, **{k: v for k, v in one.items() if k != "current"}) for one in given]
        cutoff = (Cutoff.voltage(HALF["cutoff"], "below"),)
        self.steps = [Step(Current(one), cutoffs=cutoff) for one in currents]
        first = self.cells if isinstance(self.cells, Cell) else self.cells[0]
        x = flatten(at_rest(first, {"NMC": NMC["start"]}))
        self.starts, self.unknowns = jnp.broadcast_to(x, (len(currents), *x.shape)), len(x)

    def discharge(self):
        found = simulate_many(self.cells, self.steps, self.starts, rtol=TOLERANCE, most=300)
        if np.any(np.asarray(found.result)):
            raise RuntimeError("a discharge did not end")
        return found


# The other side


class Other:
    """PyBaMM in a process of its own."""

    def __init__(self, python: str, count: int):
        self.count = count
        self.process = subprocess.Popen(
            [python, HERE / "cells_pybamm.py", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, which: str, make: str, threads: int = 2, **more) -> dict:
        """Its answer."""
        asked = {"set": which, "make": make, "threads": threads, "count": self.count} | more
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("PyBaMM's process ended: see its words above")
        return json.loads(line)


# Questions


def question(which: str, other: Other, repeats: int, makes: tuple[str, ...]) -> list[Row]:
    """Times and errors of both sides."""
    reference = other.ask(which, "exact", ends=True)
    ends = np.array(reference["ends"])
    times = (ends[:, None] * FRACTIONS).tolist()
    exact = np.array(other.ask(which, "exact", times=times)["volts"])
    rows, asked = [], {}
    for make in makes:
        for threads in (1, 2):
            found = other.ask(which, make, threads)
            row = {"who": "PyBaMM", "how": f"{make}, threads {threads}"}
            row |= {"first [s]": found["first"], "unknowns": found["unknowns"]}
            if threads == 1:
                answer = other.ask(which, make, times=times)
                wrong = errors(np.array(answer["volts"]), np.array(answer["ends"]), exact, ends)
            rows.append(row | wrong)
            asked[len(rows) - 1] = lambda make=make, threads=threads: other.ask(which, make, threads)["seconds"]
    for mesh, nodes in MESHES.items():
        begun = time.perf_counter()
        one = Set(which, nodes, other.count)
        found = one.discharge()
        row = {"who": "ionics", "how": mesh, "first [s]": time.perf_counter() - begun, "unknowns": one.unknowns}
        some = jax.tree.map(lambda a: a[:CHECKED], found)
        volts = np.asarray(jax.vmap(lambda course, at: course.at(at)[:, 2])(some, jnp.asarray(times)))
        rows.append(row | errors(volts, np.asarray(some.end.time), exact, ends))
        asked[len(rows) - 1] = lambda one=one: timed(one.discharge)
    taken = {key: [] for key in asked}
    for _ in range(repeats):
        for key, ask in asked.items():
            taken[key].append(ask())
    base = statistics.median(taken[1])  # default, two threads
    for key, all_ in taken.items():
        each = 1e3 / (other.count if which == "cells" else len(RATES))
        rows[key] |= {"median of one [ms]": each * statistics.median(all_), "least of one [ms]": each * min(all_)}
        rows[key] |= {"throughput against PyBaMM's default on two threads": base / statistics.median(all_)}
    return rows


def timed(function) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def errors(volts, lengths, exact, ends) -> Row:
    """The largest of all discharges."""
    off = 1e3 * np.abs(volts - exact)
    return {
        "error at 0.1 % of the time [mV]": off[:, 0].max(),
        "largest later [mV]": off[:, 1:].max(),
        "of the duration": np.abs(lengths / ends - 1).max(),
    }


PARTS = {
    "rates": ("default", "without salt, compiled"),
    "cells": ("default", "without salt, compiled", "without salt, compiled, 10 x 20 graded nodes"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--pybamm", required=True, help="interpreter of an environment with PyBaMM")
    parser.add_argument("--cells", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    target, other, report = HERE / "results" / "cells.json", Other(arguments.pybamm, arguments.cells), {}
    for name in arguments.parts or PARTS:
        before = os.getloadavg()[0]
        report[name] = {
            "rows": question(name, other, arguments.repeats, PARTS[name]),
            "device": f"{processor()}, {os.cpu_count()} cores",
            "load": {"before": before, "after": os.getloadavg()[0]},
            "date": datetime.date.today().isoformat(),
            "versions": {"python": platform.python_version(), "jax": version("jax"), "ionics": ionics.__version__},
            "command": "python benchmarks/cells.py --pybamm PYTHON " + " ".join(arguments.parts),
        }
    target.write_text(json.dumps(report, indent=2, default=float) + "\n")
    for name, part in report.items():
        print(f"\n{name}; load {part['load']['before']:.1f} to {part['load']['after']:.1f}")
        for row in part["rows"]:
            print("; ".join(f"{k}: {v:.3g}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items()))


if __name__ == "__main__":
    sys.exit(main())
