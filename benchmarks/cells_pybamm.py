"""Time and error of PyBaMM on composite electrodes with an electrolyte in which one ion moves.

    python benchmarks/cells_pybamm.py [rates cells accuracy impedance] [--output FILE]

rates: discharges at eight currents from C/10 to 5C, all with what is built once, one after another and as one list.
cells: 1C discharges of 256 cells of other radius, thickness, diffusivity and exchange current, as inputs of one model.
accuracy: time against error, over meshes, tolerances and forms of the model.
impedance: 60 frequencies of one half cell, against the formula of a transmission line.

Runs in an environment of its own, `pip install pybamm`; ionics is not needed. Prints JSON. The equations are those
of Doyle, Fuller and Newman with transference number 1, so the salt stays where it is; cells are given in SI by `HALF`
and `FULL`. PyBaMM at its fastest: inputs instead of rebuilding, only the voltage returned, no derivatives; with and
without compiling by gcc, with and without the balance of salt, which does nothing here. What gcc made is kept within
a part: only the first model of its kind has the time of compiling in its first solution.
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

Row = dict[str, object]
FARADAY, GAS = 96485.33212, 8.31446261815324  # what PyBaMM uses
REPEATS = 11
RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
ONE_C = 45.0  # A m-2 of the cells below
LONGEST = 1.3  # of the time that 1C is called after; every discharge below ends at the voltage before
VOLTAGE = ["Voltage [V]"]
SALT = 1000.0  # mol m-3, of no consequence

NMC = {
    "thickness": 80e-6,
    "active_fraction": 0.6,
    "electrolyte_fraction": 0.3,
    "electrolyte_conductivity": 0.2,  # S m-1 of the bulk; times fraction ** bruggeman in the electrode
    "bruggeman": 1.5,
    "electrode_conductivity": 1.0,  # S m-1, of the composite as it is
    "radius": 3e-6,
    "diffusivity": 1e-14,
    "sites": 50000.0,  # mol m-3
    "start": 0.25,
    "exchange_current": 1.0,  # A m-2; "sqrt": at half filling, 2 i0 sqrt(x (1 - x))
    "kinetics": "constant",
    "capacitance": 0.2,  # F m-2 of surface, where the double layer is asked for
    "open_circuit": "nmc",
}
GRAPHITE = NMC | {
    "thickness": 120e-6,
    "active_fraction": 0.55,
    "electrolyte_fraction": 0.35,
    "electrode_conductivity": 10.0,
    "radius": 5e-6,
    "diffusivity": 3e-14,
    "sites": 31000.0,
    "start": 0.83,
    "open_circuit": "graphite",
}
LITHIUM = {"exchange_current": 10.0, "capacitance": 0.2}
HALF = {
    "temperature": 298.15,
    "cutoff": 3.0,
    "current": ONE_C,
    "separator": {"thickness": 30e-6, "conductivity": 0.2},
    "negative": LITHIUM,
    "positive": NMC,
}
FULL = HALF | {"negative": GRAPHITE}


def nmc(x, exp, tanh):
    """Mohtat et al., J. Electrochem. Soc. 167 (2020) 110561, doi:10.1149/1945-7111/aba5d1 [V against Li]."""
    poly = 4.3452 - 1.6518 * x + 1.6225 * x**2 - 2.0843 * x**3 + 3.5146 * x**4 - 2.2166 * x**5
    return poly - 0.5623e-4 * exp(109.451 * x - 100.006)


def graphite(x, exp, tanh):
    """Chen et al., J. Electrochem. Soc. 167 (2020) 080534, doi:10.1149/1945-7111/ab9050 [V against Li]."""
    return (
        1.9793 * exp(-39.3631 * x)
        + 0.2482
        - 0.0909 * tanh(29.8538 * (x - 0.1234))
        - 0.04478 * tanh(14.9159 * (x - 0.2769))
        - 0.0205 * tanh(30.4444 * (x - 0.6103))
    )


OPEN_CIRCUIT = {"nmc": nmc, "graphite": graphite}


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
FRACTIONS = np.array([0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])  # of a discharge, where voltages are compared


def curve(solution, times) -> np.ndarray:
    return np.asarray(solution["Voltage [V]"](times))


def errors(solutions, references) -> Row:
    """The largest differences of voltages at FRACTIONS of the discharges that both reach, and of their durations."""
    volts, lengths = [], []
    for mine, other in zip(solutions, references, strict=True):
        at = FRACTIONS * min(mine.t[-1], other.t[-1])
        volts.append(1e3 * np.abs(curve(mine, at) - curve(other, at)))
        lengths.append(abs(mine.t[-1] / other.t[-1] - 1))
    start, rest = np.max(volts, axis=0)[0], np.max(volts, axis=0)[1:]
    return {"error at 0.1 % of the time [mV]": start, "largest later [mV]": max(rest), "of the duration": max(lengths)}


# Questions

CONFIGURATIONS = {
    "default": {"salt": True},
    "no salt": {},
    "no salt, gcc": {"gcc": True},
    "default, rtol 1e-6": {"salt": True, "rtol": 1e-6, "atol": 1e-8},
    "no salt, gcc, rtol 1e-6": {"gcc": True, "rtol": 1e-6, "atol": 1e-8},
    "default, rtol 1e-8": {"salt": True, "rtol": 1e-8, "atol": 1e-10},
    "no salt, gcc, rtol 1e-8": {"gcc": True, "rtol": 1e-8, "atol": 1e-10},
}


def rates(_) -> list[Row]:
    """Eight discharges of the half cell: one after another on one core, and as one list of inputs on two."""
    currents = [{"current": rate * ONE_C} for rate in RATES]
    longest = 3600 * LONGEST / min(RATES)
    exact = Built(HALF, CURRENT, **REFERENCE).discharge(currents, longest)
    rows, questions, built = [], {}, {}
    for name, how in CONFIGURATIONS.items():
        for threads in (1, 2):

            def first():
                one = Built(HALF, CURRENT, threads=threads, **how)
                return one, one.discharge(currents, longest)

            (one, _), took = once(first)
            label = f"{name}, threads {threads}"
            built[label] = one, took
            questions[label] = lambda one=one: one.discharge(currents, longest)
            if threads == 1:
                questions[f"{name}, one by one"] = lambda one=one: [
                    one.discharge(own, 3600 * LONGEST / rate) for own, rate in zip(currents, RATES, strict=True)
                ]
    times = in_turn(questions)
    for label, all_ in times.items():
        name, how = label.rsplit(", ", 1)
        row: Row = {"model": name, "how": how, "discharges": len(RATES)} | spread(all_)
        if label in built:
            one, took = built[label]
            plain = Built(HALF, CURRENT, outputs=None, **{k: v for k, v in CONFIGURATIONS[name].items() if k != "gcc"})
            row |= {"built and first solved [s]": took, "unknowns": one.unknowns}
            row |= errors(plain.discharge(currents, longest), exact)
        rows.append(row)
    return rows


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


def varied(count: int) -> list[dict[str, float]]:
    """Cells within a factor of 4 around `NMC` (thickness: 2), each at its own 1C."""
    u = np.random.default_rng(0).uniform(-1, 1, (count, 4))
    return [
        {
            "thickness": (thickness := NMC["thickness"] * 2 ** (0.5 * a)),
            "radius": NMC["radius"] * 2**b,
            "diffusivity": NMC["diffusivity"] * 2**c,
            "exchange_current": NMC["exchange_current"] * 2**d,
            "current": ONE_C * thickness / NMC["thickness"],
        }
        for a, b, c, d in u.tolist()
    ]


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


def cells(arguments) -> list[Row]:
    """256 half cells that differ: lengths as inputs by symbolic meshes, and absorbed in other inputs."""
    given = varied(arguments.cells)
    scaled = [absorbed(one) for one in given]
    exact = Built(HALF, ABSORBED, **REFERENCE | {"depths": 60, "radii": 80}).discharge(scaled[: arguments.checked])
    rows, questions, about = [], {}, {}
    tight = {"rtol": 1e-6, "atol": 1e-8}
    # With a porosity as input the other form has an error of first order. At rtol 1e-4 and 20 x 20 nodes the
    # integrator gives up on one of the 256 in this form, hence no such row.
    drop = {"form": "algebraic", "gcc": True}
    makes = {
        "symbolic meshes, default": (VARIED | LENGTHS, given, {"symbolic": True, "salt": True}),
        "symbolic meshes, no salt, gcc": (VARIED | LENGTHS, given, {"symbolic": True, "gcc": True}),
        "lengths absorbed, no salt, gcc, 10 x 20 graded": (ABSORBED, scaled, drop | GRADED),
        "symbolic meshes, default, rtol 1e-6": (VARIED | LENGTHS, given, {"symbolic": True, "salt": True} | tight),
        "symbolic meshes, no salt, gcc, rtol 1e-6": (VARIED | LENGTHS, given, {"symbolic": True, "gcc": True} | tight),
        "lengths absorbed, no salt, gcc, rtol 1e-6": (ABSORBED, scaled, drop | tight),
        "lengths absorbed, no salt, gcc, 10 x 20 graded, rtol 1e-6": (ABSORBED, scaled, drop | GRADED | tight),
    }
    for name, (inputs, own, how) in makes.items():
        plain = Built(HALF, inputs, outputs=None, **how | {"gcc": False})
        wrong = errors(plain.discharge(own[: arguments.checked]), exact)
        for threads in (1, 2):

            def first():
                one = Built(HALF, inputs, threads=threads, **how)
                return one, one.discharge(own[:1])

            (one, _), took = once(first)
            questions[name, threads] = lambda one=one, own=own: one.discharge(own)
            about[name, threads] = {"built and first solved [s]": took, "unknowns": one.unknowns} | wrong
    times = in_turn(questions, repeats=5)
    for (name, threads), all_ in times.items():
        row = {"model": name, "threads": threads, "cells": len(given), "all, median [s]": statistics.median(all_)}
        rows.append(row | {f"{key[:-5]} a cell [ms]": t for key, t in spread(all_, len(given)).items()})
        rows[-1] |= about[name, threads]
    return rows


def accuracy(_) -> list[Row]:
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
                    wrong = errors([Built(HALF, CURRENT, outputs=None, **how).discharge(own, longest)], [exact])
                    one = Built(HALF, CURRENT, gcc=True, **how)
                    one.discharge(own, longest)
                    key = len(questions)
                    questions[key] = lambda one=one, own=own, longest=longest: one.discharge(own, longest)
                    about[key] = {"rate": rate, **how, "unknowns": one.unknowns} | wrong
    for key, all_ in in_turn(questions).items():
        rows.append(about[key] | spread(all_))
    return rows


MESHES = [(5, 10, 2.0), (10, 10, 2.0), (10, 20, 2.0), (20, 20, 0.0), (20, 20, 2.0), (40, 40, 2.0)]  # nodes, grading


def impedance(_) -> list[Row]:
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


PARTS = {"rates": rates, "cells": cells, "accuracy": accuracy, "impedance": impedance}


def processor() -> str:
    """Name of the CPU."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.machine()])[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--cells", type=int, default=256, help="in `cells`")
    parser.add_argument("--checked", type=int, default=16, help="of them compared with a fine mesh")
    parser.add_argument("--output", type=Path, help="a file for the JSON, besides printing it")
    arguments = parser.parse_args()
    pybamm.set_logging_level("ERROR")
    report = {}
    for name in arguments.parts or PARTS:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:  # of what gcc made, so that first solutions are first
            os.environ["PYBAMM_CASADI_AOT_CACHE"] = folder
            rows = PARTS[name](arguments)
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
