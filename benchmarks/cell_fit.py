"""Time of a joint fit of a full cell: discharges at eight rates and two impedance spectra, ten parameters.

    python benchmarks/cell_fit.py [evaluation fit] [--nodes 8 --shells 12]

evaluation: all residuals of one set of parameters, and with their derivatives; by hand the derivatives are differences.
fit: from a start that is off by factors up to two; from it and four random ones (once; all is compiled then); by hand
SciPy's least_squares on the same residuals with differences over 1e-3. What was asked replaces its part of the results.

The cell is graphite | NMC with porous electrodes in which one ion moves, as in `cells_pybamm.py`, with double layers.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import functools
import json
import os
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cells_setup import graphite, nmc
from machine import processor
from scipy.optimize import least_squares

jax.config.update("jax_enable_x64", True)

from ionics.cells.cell import Cell, Conductor, Electrode, Particle, Surface  # noqa: E402
from ionics.cells.inward import Modes  # noqa: E402
from ionics.constants import FARADAY  # noqa: E402
from ionics.fitting.cells.fit import fit_cell, pose  # noqa: E402
from ionics.fitting.cells.packing import impedance_errors, pack, voltage_errors  # noqa: E402
from ionics.fitting.cells.records import Discharge, Impedance  # noqa: E402
from ionics.fitting.cells.states import Specimen  # noqa: E402
from ionics.fitting.model import Free  # noqa: E402
from ionics.fitting.posed import linearised  # noqa: E402
from ionics.fitting.spectrum import Spectrum  # noqa: E402
from ionics.kinetics.compact import Capacitance  # noqa: E402
from ionics.kinetics.rates import ButlerVolmer  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.flux import Chemical  # noqa: E402
from ionics.transport.stack import Carrier, Species  # noqa: E402
from ionics.transport.statistics import Measured  # noqa: E402

Row = dict[str, object]
REPEATS = 3
RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
CUTOFF, FILLED, AREA = 3.0, {"NMC": 0.25, "graphite": 0.83}, 1e-4
NOISE, CHARGE, RELATIVE = 2e-3, 2e-3, 0.01  # V, shares
FREQUENCY = np.geomspace(1e4, 1e-2, 40)
OFF = np.array([2.0, 0.6, 0.5, 1.8, 1.6, 0.5, 0.7, 1.1, 0.95, 1.02])  # of the true values


def electrode(name, material, curve, sites, diffusivity, exchange, radius, volume, thickness, electronic, sizes):
    """Spheres of one size in a porous electrode."""
    nodes, shells = sizes
    theta = np.linspace(0.005, 0.995, 200)
    spacing = np.linspace(4.0, 1.0, shells - 1)
    carrier = Carrier(
        Species("Li", 0),
        Measured(theta, curve(theta, np.exp, np.tanh)),
        sites,
        0.5,
        Constant(diffusivity),
        Constant(0.0),
        Chemical(),
    )
    surface = Surface(ButlerVolmer(Constant(exchange), 0.5, True), compact=Capacitance(0.2))
    own = Particle(
        material,
        carrier,
        Modes(3, spacing / spacing.sum()),
        surface,
        np.array([radius]),
        np.array([volume * thickness]),
    )
    ionic, depth = Constant(0.2 * 0.3**1.5), np.full(nodes - 1, 1 / (nodes - 1))
    return Electrode(name, (own,), thickness, ionic, Constant(electronic), depth)


def full_cell(sizes) -> Cell:
    """graphite | NMC."""
    positive = electrode("positive", "NMC", nmc, 5e4, 1e-14, 1.0, 3e-6, 0.6, 80e-6, 1.0, sizes)
    negative = electrode("negative", "graphite", graphite, 31e3, 3e-14, 1.0, 5e-6, 0.55, 120e-6, 10.0, sizes)
    return Cell(negative, (Conductor("separator", Constant(0.2), 30e-6),), positive, 298.15)


def member(side):
    return lambda s: getattr(s.cell, side).members[0]


def free() -> tuple[Free, ...]:
    """Ten parameters."""
    p, n = member("positive"), member("negative")
    return (
        Free("NMC D", lambda s: p(s).carrier.diffusivity.value, 1e-17, 1e-11, unit="m2/s"),
        Free("graphite D", lambda s: n(s).carrier.diffusivity.value, 1e-17, 1e-11, unit="m2/s"),
        Free("NMC i0", lambda s: p(s).surface.law.exchange_current.value, 1e-3, 1e3, unit="A/m2"),
        Free("graphite i0", lambda s: n(s).surface.law.exchange_current.value, 1e-3, 1e3, unit="A/m2"),
        Free("conductivity", lambda s: (s.cell.positive.ionic.value, s.cell.negative.ionic.value,
                                        s.cell.between[0].conductivity.value), 1e-2, 1e2, factor=True),
        Free("NMC double layer", lambda s: p(s).surface.compact.capacitance, 1e-3, 1e2, unit="F/m2"),
        Free("graphite double layer", lambda s: n(s).surface.compact.capacitance, 1e-3, 1e2, unit="F/m2"),
        Free("NMC volume", lambda s: p(s).volume, 1e-6, 1e-3, unit="m"),
        Free("graphite volume", lambda s: n(s).volume, 1e-6, 1e-3, unit="m"),
        Free("graphite filled", lambda s: s.filled["graphite"], 0.5, 0.99, "linear"),
    )  # fmt: skip


@eqx.filter_jit
def answers(part, specimen):
    return part.answer(specimen, jnp.asarray(1e-6)) if hasattr(part, "current") else part.answer(specimen)


def records(cell: Cell, seed: int = 0):
    """What the cell does at eight rates and two states of charge, with errors."""
    specimen, rng = Specimen(cell, FILLED), np.random.default_rng(seed)
    nmc_member = cell.positive.members[0]
    assert isinstance(nmc_member, Particle)
    one = FARADAY * float(nmc_member.carrier.sites * nmc_member.volume[0]) * 0.6 / 3600
    blank = np.linspace(1.0, 2.0, 59)
    asked = [
        Discharge(
            one * c, blank, np.full(59, 4.0), CUTOFF, capacity=1.0, sigma=NOISE, charge_sigma=CHARGE, label=f"{c}C"
        )
        for c in RATES
    ]
    _, ends = answers(pack(asked).discharges, specimen)
    timed = []
    for own, end in zip(asked, np.asarray(ends), strict=True):
        time_ = np.unique(np.concatenate([np.geomspace(1e-3, 0.1, 12), np.linspace(0.1, 1.0, 49)[:-1]]))
        timed.append(dataclasses.replace(own, time=time_ * float(end) / own.current, capacity=float(end)))
    voltage, _ = answers(pack(timed).discharges, specimen)
    found = []
    for own, v in zip(timed, np.asarray(voltage), strict=True):
        clean = dataclasses.replace(own, voltage=v[: len(own.time)])
        noise = voltage_errors(clean) * rng.standard_normal(len(clean.time))
        end = clean.capacity * (1 + CHARGE * rng.standard_normal())
        found.append(dataclasses.replace(clean, voltage=clean.voltage + noise, capacity=end))
    flat, full = Spectrum(FREQUENCY, np.ones(len(FREQUENCY)) + 0j), float(np.asarray(ends)[0])
    spectra = [Impedance(flat, AREA, s * full, sigma=RELATIVE, label=f"{100 * (1 - s):.0f} %") for s in (0.3, 0.7)]
    for own, z in zip(spectra, np.asarray(answers(pack(spectra).spectra, specimen)), strict=True):
        clean = dataclasses.replace(own, spectrum=Spectrum(FREQUENCY, z[: len(FREQUENCY)] / AREA))
        size = impedance_errors(clean) / AREA
        noise = size * (rng.standard_normal(len(size)) + 1j * rng.standard_normal(len(size)))
        found.append(dataclasses.replace(clean, spectrum=Spectrum(FREQUENCY, clean.spectrum.impedance + noise)))
    return found


def start(cell: Cell, fingers):
    """The cell and its filling, off by OFF, and what a fit from there should find: of a factor, its way back."""
    specimen = Specimen(cell, FILLED)
    values = np.array([finger.start(specimen) for finger in fingers])
    for finger, value in zip(fingers, values * OFF, strict=True):
        specimen = finger.put(specimen, jnp.asarray(value))
    return specimen, values / np.where([finger.factor for finger in fingers], OFF, 1.0)


def once(function):
    """Its result, how long it took, and how long processors were busy [s]."""
    begin, busy = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - begin, time.process_time() - busy


def setting(sizes):
    """The problem, where it starts, and the truth."""
    cell, fingers = full_cell(sizes), free()
    data = records(cell)
    specimen, truth = start(cell, fingers)
    return data, fingers, specimen, truth


def evaluation(sizes) -> list[Row]:
    data, fingers, specimen, _ = setting(sizes)
    problem = pose(specimen.cell, specimen.filled, data, fingers)
    at = jnp.asarray(problem.unknowns.start)
    value = eqx.filter_jit(lambda problem, at: problem.misfit(at, problem.rtol))
    rows = []
    for name, function in (("residuals", lambda: value(problem.problem, at)),
                           ("and derivatives", lambda: linearised(problem.problem, at))):  # fmt: skip
        _, first, _ = once(lambda: jax.block_until_ready(function()))
        later = [once(lambda: jax.block_until_ready(function()))[1] for _ in range(REPEATS)]
        rows.append(
            {"what": name, "first call [s]": first, "median [s]": statistics.median(later), "least [s]": min(later)}
        )
    rows.append(
        {"what": "and derivatives by differences, 11 times the residuals", "least [s]": 11 * rows[0]["least [s]"]}
    )
    return rows


def fit(sizes) -> list[Row]:
    data, fingers, specimen, truth = setting(sizes)
    filled = {name: float(value) for name, value in specimen.filled.items()}
    rows = []
    for starts, again in ((0, True), (4, False)):
        task = functools.partial(fit_cell, specimen.cell, filled, data, fingers, starts=starts)
        found, first, busy = once(task)
        _, later, busy_later = once(task) if again else (None, None, None)
        deviation = np.abs(found.values - truth) / found.standard_errors
        rows.append(
            {"by": "ionics", "starts": starts + 1, "first call [s]": first, "its CPU time [s]": busy,
             "again [s]": later, "CPU time again [s]": busy_later, "reduced chi-squared": found.reduced_chi_squared,
             "at the best": found.starts_at_best,
             "farthest from the truth [standard errors]": float(deviation.max())}
        )  # fmt: skip
    problem, value = found.posed.problem, eqx.filter_jit(lambda problem, at: problem.misfit(at, problem.rtol))
    box, calls = found.posed.unknowns.box, []

    def residual(x):
        calls.append(x)
        return np.asarray(value(problem, jnp.asarray(x)))

    residual(found.posed.unknowns.start)
    ended, wall, busy = once(
        lambda: least_squares(
            residual,
            found.posed.unknowns.start,
            bounds=(np.asarray(box.lower), np.asarray(box.upper)),
            x_scale="jac",
            diff_step=1e-3,  # voltages are good to some microvolts: smaller differences would be of time steps
            xtol=1e-5,
            ftol=1e-5,  # as far as ionics goes
        )
    )
    rows.append(
        {"by": "SciPy, differences, same residuals", "starts": 1, "again [s]": wall, "CPU time again [s]": busy,
         "evaluations": len(calls), "reduced chi-squared": float(2 * ended.cost / found.dof)}
    )  # fmt: skip
    heads = dict.fromkeys(head for row in rows for head in row)
    return [{head: row.get(head) for head in heads} for row in rows]


PARTS = {
    "evaluation": (evaluation, "All residuals of 8 discharges and 2 spectra, and their derivatives by 10 parameters"),
    "fit": (fit, "Joint fit of 8 discharges and 2 spectra, 10 parameters, start off by factors up to two"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--nodes", type=int, default=8, help="along the depth of each electrode")
    parser.add_argument("--shells", type=int, default=12, help="nodes of a particle")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "cell_fit.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    for name in arguments.parts or PARTS:
        function, title = PARTS[name]
        before = os.getloadavg()[0]
        rows = function((arguments.nodes, arguments.shells))
        load = f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        report[name] = {
            "title": f"{title} ({arguments.nodes} nodes an electrode, {arguments.shells} a particle)",
            "rows": rows,
            "device": f"{processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, {load}",
            "date": datetime.date.today().isoformat(),
            "command": "python benchmarks/cell_fit.py " + " ".join(sys.argv[1:]),
            "versions": versions(),
        }
        path.write_text(json.dumps(report, indent=2) + "\n")
        print(section(report[name]))
    text = [section(report[name]) for name in PARTS if name in report]
    (arguments.output / "cell_fit.md").write_text("\n".join(["# Fits of cells", "", *text]))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("jax", "numpy", "scipy", "equinox"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def section(part: dict) -> str:
    """A part of the report as a table."""
    heads = list(dict.fromkeys(head for row in part["rows"] for head in row))
    lines = [f"## {part['title']}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(shown(row.get(head)) for head in heads) + " |" for row in part["rows"]]
    words = ", ".join(f"{name} {number}" for name, number in part["versions"].items())
    return "\n".join([*lines, "", f"{part['device']}; {part['date']}; {words}. `{part['command'].strip()}`", ""])


def shown(value) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
