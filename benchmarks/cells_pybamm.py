"""Time and error of PyBaMM on composite electrodes with an electrolyte in which one ion moves.

    python benchmarks/cells_pybamm.py [accuracy impedance | serve] [--output FILE]

serve: answers `cells.py`, which asks for discharges at eight currents from C/10 to 5C, and for 1C discharges of many
cells of other radius, thickness, diffusivity and exchange current, as inputs of one model.
accuracy: time against error, over meshes, tolerances and forms of the model.
impedance: 60 frequencies of one half cell, against the formula of a transmission line.

Runs in an environment of its own, `pip install pybamm`; ionics is not needed. Prints JSON. The equations are those
of Doyle, Fuller and Newman with transference number 1, so the salt stays where it is; cells are those of
`cells_setup.py`. PyBaMM at its fastest: inputs instead of rebuilding, only the voltage returned, no derivatives; with
and without compiling by gcc, with and without the balance of salt, which does nothing here. What gcc made is kept
within a part: only the first model of its kind has the time of compiling in its first solution.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")

import numpy as np
import pybamm
from cells_setup import CHECKED, FRACTIONS, HALF, LONGEST, NMC, ONE_C, OPEN_CIRCUIT, RATES, varied
from machine import processor

Row = dict[str, object]
FARADAY, GAS = 96485.33212, 8.31446261815324  # what PyBaMM uses
REPEATS = 11
VOLTAGE = ["Voltage [V]"]
SALT = 1000.0  # mol m-3, of no consequence

# What PyBaMM is told


def parameter_values(cell: dict, inputs: dict[str, str] | None = None) -> pybamm.ParameterValues:
    """PyBaMM's names for a cell; `inputs`: of PyBaMM's names, those that are given at the solution under another."""
    found = {
        "chemistry": "lithium_ion",
        "Current function [A]": cell["current"],
        "Nominal cell capacity [A.h]": ONE_C,
        "Separator thickness [m]": cell["separator"]["thickness"],
        "Separator porosity": 1.0,
        "Electrolyte conductivity [S.m-1]": cell["separator"]["conductivity"],
        "Initial concentration in electrolyte [mol.m-3]": SALT,
        "Cation transference number": 1.0,
        "Electrolyte diffusivity [m2.s-1]": 1e-10,
        "Thermodynamic factor": 1.0,
        "Lower voltage cut-off [V]": cell["cutoff"],
        "Upper voltage cut-off [V]": cell.get("upper_cutoff", 5.0),
        "Open-circuit voltage at 0% SOC [V]": cell["cutoff"],
        "Open-circuit voltage at 100% SOC [V]": 4.2,
        "Contact resistance [Ohm]": 0.0,
    }
    found |= {f"{name} temperature [K]": cell["temperature"] for name in ("Ambient", "Reference", "Initial")}
    found |= {f"Electrode {name} [m]": 1.0 for name in ("height", "width")}
    found |= {f"Separator Bruggeman coefficient ({name})": 1.0 for name in ("electrolyte", "electrode")}
    found |= {
        "Number of electrodes connected in parallel to make a cell": 1.0,
        "Number of cells connected in series to make a battery": 1.0,
    }
    sides = {"positive": cell["positive"]}
    if is_half(cell):
        found |= {
            "Negative electrode thickness [m]": 1e-5,
            "Negative electrode OCP [V]": 0.0,
            "Negative electrode OCP entropic change [V.K-1]": 0.0,
            "Negative electrode conductivity [S.m-1]": 1e12,
            "Negative electrode double-layer capacity [F.m-2]": cell["negative"]["capacitance"],
            "Exchange-current density for lithium metal electrode [A.m-2]": cell["negative"]["exchange_current"],
        }
    else:
        sides["negative"] = cell["negative"]
    for side, one in sides.items():
        if one["electrolyte_conductivity"] != cell["separator"]["conductivity"]:
            raise ValueError("PyBaMM has one electrolyte: change the fraction or the exponent of Bruggeman instead")
        found |= electrode(side, one)
    found |= {name: pybamm.InputParameter(short) for name, short in (inputs or {}).items()}
    return pybamm.ParameterValues(found)


def electrode(side: str, one: dict) -> dict[str, object]:
    """PyBaMM's names for a composite electrode."""
    name, law = side.capitalize(), OPEN_CIRCUIT[one["open_circuit"]]
    return {
        f"{name} electrode thickness [m]": one["thickness"],
        f"{name} electrode conductivity [S.m-1]": one["electrode_conductivity"],
        f"{name} electrode porosity": one["electrolyte_fraction"],
        f"{name} electrode active material volume fraction": one["active_fraction"],
        f"{name} electrode Bruggeman coefficient (electrolyte)": one["bruggeman"],
        f"{name} electrode Bruggeman coefficient (electrode)": 0.0,
        f"{name} particle radius [m]": one["radius"],
        f"{name} particle diffusivity [m2.s-1]": one["diffusivity"],
        f"Maximum concentration in {side} electrode [mol.m-3]": one["sites"],
        f"Initial concentration in {side} electrode [mol.m-3]": one["start"] * one["sites"],
        f"{name} electrode OCP [V]": lambda x: law(x, pybamm.exp, pybamm.tanh),
        f"{name} electrode OCP entropic change [V.K-1]": 0.0,
        f"{name} electrode exchange-current density [A.m-2]": exchange(one),
        f"{name} electrode double-layer capacity [F.m-2]": one["capacitance"],
    }


def exchange(one: dict):
    """The exchange current density: a number, or m sqrt(c_e c (sites - c)), which is i0 at half filling."""
    i0 = one["exchange_current"]
    if one["kinetics"] == "constant":
        return i0
    factor = 2 * i0 / (one["sites"] * SALT**0.5)
    return lambda salt, surface, sites, temperature: factor * salt**0.5 * surface**0.5 * (sites - surface) ** 0.5


def is_half(cell: dict) -> bool:
    return "open_circuit" not in cell["negative"]


def model(cell: dict, form: str = "false", salt: bool = False) -> pybamm.lithium_ion.DFN:
    """The equations; `form` as in PyBaMM's "surface form"; without `salt` its balance is left out, which is exact."""
    options = {"surface form": form} | ({"working electrode": "positive"} if is_half(cell) else {})
    found = pybamm.lithium_ion.DFN(options, build=False)
    if not salt:
        found.submodels["electrolyte diffusion"] = pybamm.electrolyte_diffusion.ConstantConcentration(
            found.param, found.options
        )
    found.build_model()
    return found


def numerics(one: pybamm.BaseModel, depths: int, radii: int, fine: float = 0.0, symbolic: bool = False) -> dict:
    """Nodes, meshes and methods: PyBaMM's own, or with `fine` nodes closer together below the surface of particles.

    fine: how steeply, with surface values then extrapolated by a parabola; symbolic: lengths may be inputs.
    """
    points = {f"x_{k}": depths for k in "nsp"} | {f"r_{k}": radii for k in "np"}
    meshes, methods = dict(one.default_submesh_types), dict(one.default_spatial_methods)
    if symbolic:
        for name in meshes:
            if name in ("separator", "negative electrode", "positive electrode") or name.endswith("particle"):
                meshes[name] = pybamm.SymbolicUniform1DSubMesh
    if fine:
        parabola = {"extrapolation": {"order": {"gradient": "quadratic", "value": "quadratic"}}}
        for side in ("negative", "positive"):
            meshes[f"{side} particle"] = pybamm.MeshGenerator(
                pybamm.Exponential1DSubMesh, {"side": "right", "stretch": fine}
            )
            methods[f"{side} particle"] = pybamm.FiniteVolume(parabola)
        methods["macroscale"] = pybamm.FiniteVolume(parabola)
    return {"var_pts": points, "submesh_types": meshes, "spatial_methods": methods}


class Built:
    """A cell ready to be solved for inputs: what PyBaMM needs to do once."""

    def __init__(
        self, cell: dict, inputs: dict[str, str], *, rtol=1e-4, atol=1e-6, depths=20, radii=20, fine=0.0, form="false",
        salt=False, symbolic=False, gcc=False, threads=1, outputs: list[str] | None = VOLTAGE,
    ):  # fmt: skip
        one = model(cell, form, salt)
        self.solver = pybamm.IDAKLUSolver(
            rtol=rtol, atol=atol, output_variables=outputs, options={"compile": gcc, "num_threads": threads}
        )
        simulation = pybamm.Simulation(
            one,
            parameter_values=parameter_values(cell, inputs),
            solver=self.solver,
            **numerics(one, depths, radii, fine, symbolic),
        )
        simulation.build()
        self.model = simulation.built_model

    @property
    def unknowns(self) -> int:
        return int(self.model.len_rhs_and_alg)

    def discharge(self, inputs: dict | list[dict], longest: float = 3600.0 * LONGEST):
        """To the cut-off."""
        return self.solver.solve(self.model, [0.0, longest], inputs=inputs)


# Timing


def once(function: Callable):
    """Its result and how long it took [s]."""
    begin = time.perf_counter()
    found = function()
    return found, time.perf_counter() - begin


def in_turn(questions: dict[str, Callable], repeats: int = REPEATS) -> dict[str, list[float]]:
    """Times of each [s], asked in turn so that a busy moment of the machine meets all."""
    times = {name: [] for name in questions}
    for _ in range(repeats):
        for name, question in questions.items():
            times[name].append(once(question)[1])
    return times


def spread(times: list[float], count: int = 1) -> Row:
    """Median and least time of one of `count` [ms]."""
    return {"median [ms]": 1e3 * statistics.median(times) / count, "least [ms]": 1e3 * min(times) / count}


CURRENT = {"Current function [A]": "current"}
REFERENCE = {"rtol": 1e-9, "atol": 1e-11, "depths": 80, "radii": 120, "fine": 3.0, "form": "algebraic", "outputs": None}


def curve(solution, times) -> np.ndarray:
    return np.asarray(solution["Voltage [V]"](times))


def errors(mine, other) -> Row:
    """The largest differences of voltages at FRACTIONS of a discharge, and of its duration."""
    at = FRACTIONS * min(mine.t[-1], other.t[-1])
    volts = 1e3 * np.abs(curve(mine, at) - curve(other, at))
    return {
        "error at 0.1 % of the time [mV]": volts[0],
        "largest later [mV]": max(volts[1:]),
        "of the duration": abs(mine.t[-1] / other.t[-1] - 1),
    }


# Questions of another process

LENGTHS = {"Positive electrode thickness [m]": "thickness", "Positive particle radius [m]": "radius"}
VARIED = CURRENT | {
    "Positive particle diffusivity [m2.s-1]": "diffusivity",
    "Positive electrode exchange-current density [A.m-2]": "exchange_current",
}
ABSORBED = VARIED | {
    "Positive electrode active material volume fraction": "active_fraction",
    "Positive electrode porosity": "electrolyte_fraction",
    "Positive electrode conductivity [S.m-1]": "electrode_conductivity",
}
GRADED = {"depths": 10, "radii": 20, "fine": 2.0}
# With a porosity as input the other form has an error of first order. At rtol 1e-4 and 20 x 20 nodes the integrator
# gives up on one of 256 in this form, hence no such make.
DROP = {"form": "algebraic", "gcc": True}
MAKES = {  # of each set, by name: inputs, and how it is built
    "rates": {
        "default": (CURRENT, {"salt": True}),
        "without salt, compiled": (CURRENT, {"gcc": True}),
        "exact": (CURRENT, REFERENCE),
    },
    "cells": {
        "default": (VARIED | LENGTHS, {"symbolic": True, "salt": True}),
        "without salt, compiled": (VARIED | LENGTHS, {"symbolic": True, "gcc": True}),
        "without salt, compiled, 10 x 20 graded nodes": (ABSORBED, DROP | GRADED),
        "exact": (ABSORBED, REFERENCE | {"depths": 60, "radii": 80}),
    },
}


def given(which: str, inputs: dict, count: int) -> tuple[list[dict[str, float]], float]:
    """What a set asks of the solver, and for how long at most."""
    if which == "rates":
        return [{"current": rate * ONE_C} for rate in RATES], 3600 * LONGEST / min(RATES)
    own = varied(count)
    return [absorbed(one) for one in own] if inputs is ABSORBED else own, 3600 * LONGEST


def absorbed(cell: dict[str, float]) -> dict[str, float]:
    """The same cell on the lengths of `NMC`: what else there is scaled so that nothing changes; meshes stay numbers."""
    long, wide = cell["thickness"] / NMC["thickness"], cell["radius"] / NMC["radius"]
    return {
        "current": cell["current"],
        "diffusivity": cell["diffusivity"] / wide**2,
        "exchange_current": cell["exchange_current"] / wide,
        "active_fraction": NMC["active_fraction"] * long,
        "electrolyte_fraction": NMC["electrolyte_fraction"] * long ** (-1 / NMC["bruggeman"]),
        "electrode_conductivity": NMC["electrode_conductivity"] / long,
    }


def serve() -> None:
    """Answer lines of JSON: {set, make, threads, count} with the time it took [s], with the first time [s] of a make
    once more by itself; with `times` [s] for each discharge, or `ends`, without timing by voltages or ends instead.
    """
    built = {}
    for line in sys.stdin:
        asked = json.loads(line)
        inputs, how = MAKES[asked["set"]][asked["make"]]
        own, longest = given(asked["set"], inputs, asked["count"])
        if "times" in asked or asked.get("ends"):
            one = Built(HALF, inputs, **how | {"outputs": None, "gcc": False, "threads": 2})
            found = one.discharge(own[:CHECKED], longest)
            answer = {"ends": [float(solution.t[-1]) for solution in found]}
            if "times" in asked:
                pairs = zip(found, asked["times"], strict=True)
                answer["volts"] = [curve(solution, np.array(times)).tolist() for solution, times in pairs]
        else:
            key, first = (asked["set"], asked["make"], asked["threads"]), {}
            if key not in built:
                (built[key], _), took = once(lambda: first_solved(inputs, how, asked["threads"], own[:1], longest))
                first = {"first": took, "unknowns": built[key].unknowns}
            one = built[key]
            answer = {"seconds": once(lambda: one.discharge(own, longest))[1], **first}
        print(json.dumps(answer), flush=True)


def first_solved(inputs, how, threads, own, longest) -> tuple[Built, object]:
    one = Built(HALF, inputs, threads=threads, **how)
    return one, one.discharge(own, longest)


# Questions of its own


def accuracy() -> list[Row]:
    """1C and 5C: what an error costs, over meshes and tolerances; no salt, gcc."""
    rows, questions, about = [], {}, {}
    for rate in (1.0, 5.0):
        own, longest = {"current": rate * ONE_C}, 3600 * LONGEST / rate
        exact = Built(HALF, CURRENT, **REFERENCE | {"depths": 160, "radii": 200}).discharge(own, longest)
        for form in ("false", "algebraic"):
            for depths, radii, fine in MESHES:
                for rtol in (1e-4, 1e-6):
                    how = {"depths": depths, "radii": radii, "fine": fine, "form": form}
                    how |= {"rtol": rtol, "atol": 1e-2 * rtol}
                    wrong = errors(Built(HALF, CURRENT, outputs=None, **how).discharge(own, longest), exact)
                    one = Built(HALF, CURRENT, gcc=True, **how)
                    one.discharge(own, longest)
                    key = len(questions)
                    questions[key] = lambda one=one, own=own, longest=longest: one.discharge(own, longest)
                    about[key] = {"rate": rate, **how, "unknowns": one.unknowns} | wrong
    for key, all_ in in_turn(questions).items():
        rows.append(about[key] | spread(all_))
    return rows


MESHES = [(5, 10, 2.0), (10, 10, 2.0), (10, 20, 2.0), (20, 20, 0.0), (20, 20, 2.0), (40, 40, 2.0)]  # nodes, grading


def impedance() -> list[Row]:
    """60 frequencies of the half cell with its double layers, at the start."""
    frequency, rows = np.logspace(5, -4, 60), []
    exact = line(HALF, frequency)
    for depths, radii, fine in ((20, 20, 0.0), (40, 20, 2.0), (80, 40, 2.0), (320, 40, 2.0)):
        one = model(HALF, "differential")
        (simulation, found), first = once(lambda: spectrum(one, frequency, depths, radii, fine))
        times = in_turn({"again": lambda: simulation.solve(frequency)})["again"]
        off = np.abs(found / exact - 1)
        row = {"depths": depths, "radii": radii, "fine": fine, "unknowns": int(simulation.built_model.len_rhs_and_alg)}
        row |= {"built and first solved [s]": first, **spread(times), "largest relative error": np.max(off)}
        rows.append(row | {"the same below 1 kHz": np.max(off[frequency < 1e3])})
    return rows


def spectrum(one, frequency, depths: int, radii: int, fine: float, cell: dict = HALF):
    """What PyBaMM built, and the impedance [ohm m2]."""
    found = pybamm.EISSimulation(
        one, parameter_values=parameter_values(cell | {"current": 0.0}), **numerics(one, depths, radii, fine)
    )
    return found, np.asarray(found.solve(frequency).impedance)


def line(cell: dict, frequency) -> np.ndarray:
    """Impedance of a half cell where filling is even [ohm m2]: a transmission line with Warburg's spheres.

    Bisquert, Phys. Chem. Chem. Phys. 2 (2000) 4185, doi:10.1039/b001708f.
    """
    one, s = cell["positive"], 2j * np.pi * np.asarray(frequency)
    thermal = GAS * cell["temperature"] / FARADAY
    x, share = one["start"], 1e-6
    law = OPEN_CIRCUIT[one["open_circuit"]]
    slope = (law(x + share, np.exp, np.tanh) - law(x - share, np.exp, np.tanh)) / (2 * share)
    i0 = one["exchange_current"] * (1 if one["kinetics"] == "constant" else 2 * np.sqrt(x * (1 - x)))
    deep = one["radius"] * np.sqrt(s / one["diffusivity"])
    diffusion = -slope * one["radius"] / (FARADAY * one["sites"] * one["diffusivity"])
    diffusion = diffusion * np.tanh(deep) / (deep - np.tanh(deep))
    surface = s * one["capacitance"] + 1 / (thermal / i0 + diffusion)
    ions = one["electrolyte_conductivity"] * one["electrolyte_fraction"] ** one["bruggeman"]
    electrons, area = one["electrode_conductivity"], 3 * one["active_fraction"] / one["radius"]
    v = one["thickness"] * np.sqrt(area * surface * (1 / ions + 1 / electrons))
    shape = (2 / np.sinh(v) + (ions / electrons + electrons / ions) / np.tanh(v)) / v
    metal = 1 / (s * cell["negative"]["capacitance"] + cell["negative"]["exchange_current"] / thermal)
    separator = cell["separator"]["thickness"] / cell["separator"]["conductivity"]
    return metal + separator + one["thickness"] / (ions + electrons) * (1 + shape)


PARTS = {"accuracy": accuracy, "impedance": impedance}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}, all by default; or serve")
    parser.add_argument("--output", type=Path, help="a file for the JSON, besides printing it")
    arguments = parser.parse_args()
    pybamm.set_logging_level("ERROR")
    if arguments.parts == ["serve"]:
        serve()
        return
    report = {}
    for name in arguments.parts or PARTS:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:  # of what gcc made, so that first solutions are first
            os.environ["PYBAMM_CASADI_AOT_CACHE"] = folder
            rows = PARTS[name]()
        report[name] = {
            "what": PARTS[name].__doc__,
            "rows": rows,
            "device": f"{processor()}, {os.cpu_count()} cores",
            "load": {"before": before, "after": os.getloadavg()[0]},
            "date": datetime.date.today().isoformat(),
            "versions": {"python": platform.python_version()}
            | {one: version(one) for one in ("pybamm", "pybammsolvers", "casadi", "numpy")},
            "command": "python benchmarks/cells_pybamm.py " + " ".join(sys.argv[1:]),
        }
    text = json.dumps(report, indent=2, default=float)  # numbers of numpy
    if arguments.output:
        arguments.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
