"""Time of the questions one asks of a stack, against the same problem by hand (byhand.py: numpy, banded solver, IDA).

    python benchmarks/engine.py questions   equilibrium, steady state, impedance at 60 frequencies: one stack, and many
    python benchmarks/engine.py transient   100 s after a step of the voltage, both programs equally accurate
    python benchmarks/engine.py scaling     cost against the number of nodes and of frequencies
    python benchmarks/engine.py compile     first and second run of each question in fresh processes
    python benchmarks/engine.py many        10^3 to 10^6 stacks on a GPU; without one it says what it would do

Three layers with two dilute carriers, 3 unknowns a node, the cation in equilibrium with both metals, the anion
trapped; `many` stacks have every number changed by up to a factor of two. By hand runs on one core; the ratio to an
ideal loop over all cores is that of one core divided by their number.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
START = time.perf_counter()

import equinox as eqx  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

jax.config.update("jax_enable_x64", True)

from byhand import STANDARD, THERMAL, by_hand, stack, varied  # noqa: E402

from ionics.transport.balance import Voltage  # noqa: E402
from ionics.transport.equilibrium import equilibrium  # noqa: E402
from ionics.transport.impedance import impedance  # noqa: E402
from ionics.transport.linear import Layout  # noqa: E402
from ionics.transport.protocol import Step  # noqa: E402
from ionics.transport.stack import neutral_charge  # noqa: E402
from ionics.transport.steady import steady  # noqa: E402
from ionics.transport.transient import simulate  # noqa: E402

IMPORTED = time.perf_counter() - START
CORES = os.cpu_count() or 1
FREQUENCY = np.geomspace(1e-2, 1e6, 60)
STEP = 4.0  # RT/F
DRIVE = Voltage(STEP * THERMAL)
TIMES = np.geomspace(1e-6, 100.0, 9)  # s
CHUNK = 64  # stacks at once on a CPU
TARGETS = (1e-3, 1e-5)  # largest error of any log c and F phi / RT at any time
NAMES = ("equilibrium", "steady state", "impedance")


# Asking ionics


def stationary(cell, start):
    """The steady state in one solve, for many stacks at once."""
    return steady(cell, DRIVE, start, throw=False)


def transient(cell, start, rtol, order=4):
    """States at TIMES after a step of the voltage."""
    return simulate(cell, Step(DRIVE, TIMES[-1], save=jnp.asarray(TIMES)), start, rtol=rtol, order=order, throw=False)


EQUILIBRIUM = eqx.filter_jit(eqx.filter_vmap(partial(equilibrium, throw=False)))
STEADY = eqx.filter_jit(eqx.filter_vmap(stationary))
IMPEDANCE = eqx.filter_jit(eqx.filter_vmap(lambda cell, start: impedance(cell, start, FREQUENCY)))
TRANSIENT = eqx.filter_jit(eqx.filter_vmap(transient, in_axes=(eqx.if_array(0), eqx.if_array(0), None, None)))


def stacked(trees):
    """Many pytrees as one with a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def in_chunks(question: Callable, *batches, chunk: int = CHUNK, workers: int = CORES):
    """Answers for a batch, a chunk at a time; every core takes the next chunk when it is free."""
    count = jax.tree.leaves(batches[0])[0].shape[0]
    parts = [jax.tree.map(lambda a: a[i : i + chunk], batches) for i in range(0, count, chunk)]
    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(lambda part: jax.block_until_ready(question(*part)), parts))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *answers)


# Timing


def in_turn(questions: dict[str, Callable], repeats: int) -> dict[str, dict[str, float]]:
    """Median and least time of each question [s], asked in turn so that a busy moment of the machine meets all."""
    times = {name: [] for name in questions}
    for _ in range(repeats):
        for name, question in questions.items():
            begin = time.perf_counter()
            jax.block_until_ready(question())
            times[name].append(time.perf_counter() - begin)
    return {name: {"median": float(np.median(all_)), "least": min(all_)} for name, all_ in times.items()}


def ratio(times: dict, other: str, mine: str, which: str) -> float:
    return times[other][which] / times[mine][which]


# Comparisons


def questions(arguments) -> dict:
    """One stack, then many: equilibrium, steady state, impedance."""
    cell = stack(STANDARD, arguments.nodes)
    hand = by_hand(cell, STANDARD)
    rest, y = equilibrium(cell), hand.equilibrium()
    under, z = steady(cell, DRIVE, rest), np.asarray(impedance(cell, rest, FREQUENCY).z)
    steps = {"equilibrium": int(rest.steps), "steady state": int(under.steps)}
    y_under = hand.steady(y, STEP)
    single = in_turn(
        {
            "equilibrium": lambda: equilibrium(cell),
            "equilibrium by hand": hand.equilibrium,
            "Poisson-Boltzmann by hand": hand.poisson_boltzmann,
            "steady state": lambda: steady(cell, DRIVE, rest),
            "steady state by hand": lambda: hand.steady(y, STEP),
            "impedance": lambda: impedance(cell, rest, FREQUENCY),
            "impedance by hand": lambda: hand.impedance(y, FREQUENCY),
        },
        arguments.repeats,
    )
    problems = [varied(seed) for seed in range(arguments.stacks)]
    cells = [stack(problem, arguments.nodes) for problem in problems]
    hands = [by_hand(one, problem) for one, problem in zip(cells, problems, strict=True)]
    batch = stacked(cells)
    rests = in_chunks(EQUILIBRIUM, batch)
    unders, spectra = in_chunks(STEADY, batch, rests), in_chunks(IMPEDANCE, batch, rests)
    flat = [one.equilibrium() for one in hands]
    tilted = [one.steady(y, STEP) for one, y in zip(hands, flat, strict=True)]
    many = in_turn(
        {
            "equilibrium": lambda: in_chunks(EQUILIBRIUM, batch),
            "equilibrium by hand": lambda: [one.equilibrium() for one in hands],
            "Poisson-Boltzmann by hand": lambda: [one.poisson_boltzmann() for one in hands],
            "steady state": lambda: in_chunks(STEADY, batch, rests),
            "steady state by hand": lambda: [one.steady(y, STEP) for one, y in zip(hands, flat, strict=True)],
            "impedance": lambda: in_chunks(IMPEDANCE, batch, rests),
            "impedance by hand": lambda: [one.impedance(y, FREQUENCY) for one, y in zip(hands, flat, strict=True)],
        },
        max(3, arguments.repeats // 5),
    )
    few = slice(0, len(hands), max(1, len(hands) // 16))
    spectra_by_hand = [one.impedance(y, FREQUENCY) for one, y in zip(hands[few], flat[few], strict=True)]
    currents = np.array([one.current(y) for one, y in zip(hands, tilted, strict=True)])
    return {
        "what": f"{Layout(cell).blocks} blocks of 3 unknowns, {len(FREQUENCY)} frequencies, {arguments.stacks} stacks",
        "newton_steps": steps | {"by hand": hand.steps},
        "single": single,
        "many": many,
        "failed": int(np.sum(np.asarray(rests.result) != 0) + np.sum(np.asarray(unders.result) != 0)),
        "differences": {
            "F phi / RT": float(np.abs(unmerged(rest.state.phi, arguments.nodes) / THERMAL - y[:, 2]).max()),
            "steady current": float(abs(under.state.current / hand.current(y_under) - 1)),
            "Z": float(np.abs(z / hand.impedance(y, FREQUENCY) - 1).max()),
            "steady current, many": float(np.abs(np.asarray(unders.state.current) / currents - 1).max()),
            "Z, many": float(np.abs(np.asarray(spectra.z)[few] / np.stack(spectra_by_hand) - 1).max()),
        },
    }


def unmerged(values, nodes: int) -> np.ndarray:
    """Values by node as they stand by hand, where two layers share the node on their junction."""
    return np.delete(np.asarray(values), [nodes, 2 * nodes], axis=-1)


def profiles(state, nodes: int) -> np.ndarray:
    """log c and F phi / RT of states [time, ...] as they stand by hand."""
    y = np.concatenate([np.asarray(state.u), np.asarray(state.phi)[..., None, :] / THERMAL], axis=-2)
    return np.moveaxis(unmerged(y, nodes), -2, -1)


def errors(states: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(states - reference).max())


def cheapest(runs: list[dict], target: float) -> dict | None:
    """The fastest run that is accurate enough."""
    good = [run for run in runs if run["error"] <= target]
    return min(good, key=lambda run: run["time_s"]["least"]) if good else None


def transients(arguments) -> dict:
    """A step of the voltage: both at several tolerances against a tight reference, then the cheapest good enough."""
    cell = stack(STANDARD, arguments.nodes)
    hand, rest = by_hand(cell, STANDARD), equilibrium(cell)
    y = hand.equilibrium()
    reference, _ = hand.transient(y, STEP, TIMES, 1e-10)
    again = profiles(jax.tree.map(lambda a: a[1:], transient(cell, rest, 1e-9, 4).state), arguments.nodes)
    tolerances = 10.0 ** -np.arange(2, 8, 0.5)
    asked, runs = {}, {"ionics": [], "by hand": []}
    for rtol in tolerances:
        for order in (3, 4):
            found = transient(cell, rest, rtol, order)
            states = profiles(jax.tree.map(lambda a: a[1:], found.state), arguments.nodes)
            name = f"order {order}, rtol {rtol:.1e}"
            asked[name] = partial(transient, cell, rest, rtol, order)
            counts = {k: int(getattr(found, k)) for k in ("steps", "rejected", "corrections")}
            run = {"name": name, "rtol": rtol, "order": order, "error": errors(states, reference)}
            runs["ionics"].append(run | counts)
        states, answer = hand.transient(y, STEP, TIMES, rtol)
        name = f"IDA, rtol {rtol:.1e}"
        asked[name] = partial(hand.transient, y, STEP, TIMES, rtol)
        counts = {"residuals": int(answer.nfev), "jacobians": int(answer.njev)}
        runs["by hand"].append({"name": name, "rtol": rtol, "error": errors(states, reference)} | counts)
    times = in_turn(asked, max(3, arguments.repeats // 3))
    for run in (*runs["ionics"], *runs["by hand"]):
        run["time_s"] = times[run["name"]]
    best = {f"{target:g}": {k: cheapest(v, target) for k, v in runs.items()} for target in TARGETS}
    return {
        "what": f"{TIMES[-1]:g} s after a step of {STEP:g} RT/F, {Layout(cell).blocks} blocks of 3 unknowns",
        "two_references_differ_by": errors(again, reference),
        "runs": runs,
        "single": best,
        "many": many_transients(arguments, best),
    }


def many_transients(arguments, best: dict) -> dict:
    """Many stacks at the tolerances that served one; the error is the median of theirs."""
    problems = [varied(seed) for seed in range(arguments.stacks)]
    cells = [stack(problem, arguments.nodes) for problem in problems]
    hands = [by_hand(one, problem) for one, problem in zip(cells, problems, strict=True)]
    batch, flat = stacked(cells), [one.equilibrium() for one in hands]
    rests = in_chunks(EQUILIBRIUM, batch)
    few = range(0, arguments.stacks, max(1, arguments.stacks // 16))
    tight = {i: hands[i].transient(flat[i], STEP, TIMES, 1e-9)[0] for i in few}
    answer = {}
    for target, both in best.items():
        mine, other = both["ionics"], both["by hand"]
        if mine is None or other is None:
            continue

        def ours(mine=mine):
            ask = partial(TRANSIENT, rtol=mine["rtol"], order=mine["order"])
            return in_chunks(ask, batch, rests)

        def theirs(other=other):
            return [one.transient(y, STEP, TIMES, other["rtol"])[0] for one, y in zip(hands, flat, strict=True)]

        found, by_ida = ours(), theirs()
        states = profiles(jax.tree.map(lambda a: a[:, 1:-1], found.state), arguments.nodes)
        answer[target] = {
            "times_s": in_turn({"ionics": ours, "by hand": theirs}, 3),
            "median_error": {
                "ionics": float(np.median([errors(states[i], tight[i]) for i in few])),
                "by hand": float(np.median([errors(by_ida[i], tight[i]) for i in few])),
            },
            "failed": int(np.sum(np.asarray(found.result) != 0)),
            "steps": {"mean": float(np.mean(found.steps)), "most": int(np.max(found.steps))},
        }
    return answer


def scaling(arguments) -> dict:
    """Cost of one stack against nodes and frequencies, and the slopes of log-log fits."""
    by_nodes, by_frequencies = {}, {}
    for nodes in arguments.sizes:
        cell = stack(STANDARD, nodes)
        hand, rest = by_hand(cell, STANDARD), equilibrium(cell)
        y = hand.equilibrium()
        asked = {
            "equilibrium": partial(equilibrium, cell),
            "equilibrium by hand": hand.equilibrium,
            "steady state": partial(steady, cell, DRIVE, rest),
            "steady state by hand": partial(hand.steady, y, STEP),
            "impedance": partial(impedance, cell, rest, FREQUENCY),
            "impedance by hand": partial(hand.impedance, y, FREQUENCY),
            "transient": partial(transient, cell, rest, 1e-4),
            "transient by hand": partial(hand.transient, y, STEP, TIMES, 1e-4),
        }
        by_nodes[3 * nodes] = timed(asked, arguments.repeats)
    cell = stack(STANDARD, arguments.nodes)
    hand, rest = by_hand(cell, STANDARD), equilibrium(cell)
    y = hand.equilibrium()
    for count in (8, 15, 30, 60, 120, 240):
        frequency = np.geomspace(1e-2, 1e6, count)
        ours, theirs = partial(impedance, cell, rest, frequency), partial(hand.impedance, y, frequency)
        by_frequencies[count] = timed({"impedance": ours, "impedance by hand": theirs}, arguments.repeats)
    return {
        "what": f"medians of one stack; frequencies at {3 * arguments.nodes} nodes",
        "by_nodes": by_nodes,
        "by_frequencies": by_frequencies,
        "exponents": {"nodes": exponents(by_nodes), "frequencies": exponents(by_frequencies)},
    }


def timed(asked: dict, repeats: int) -> dict:
    """Median and least times after a first call of each."""
    for question in asked.values():
        jax.block_until_ready(question())
    return in_turn(asked, repeats)


def exponents(by_size: dict) -> dict:
    """d log(time) / d log(size) over all sizes, and from the last but one to the last."""
    sizes = np.array(list(by_size), float)
    found = {}
    for name in next(iter(by_size.values())):
        times = np.array([case[name]["least"] for case in by_size.values()])
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        last = math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
        found[name] = {"all": float(slope), "last": float(last)}
    return found


COMPILED = {
    "equilibrium": lambda cell: lambda: equilibrium(cell),
    "steady state": lambda cell: partial(steady, cell, DRIVE, equilibrium(cell)),
    "impedance": lambda cell: partial(impedance, cell, equilibrium(cell), FREQUENCY),
    "transient": lambda cell: partial(transient, cell, equilibrium(cell), 1e-4),
    "equilibrium of 64": lambda cell: partial(EQUILIBRIUM, stacked([cell] * CHUNK)),
}


def compiling(arguments) -> dict:
    """Every question twice in a fresh process with a cache that was empty before the first."""
    found = {}
    for name in COMPILED:
        with tempfile.TemporaryDirectory() as cache:
            keep = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
            words = [sys.executable, __file__, "child", "--question", name, "--nodes", str(arguments.nodes)]
            found[name] = {}
            for run in ("first", "second"):
                answer = subprocess.run(words, env=os.environ | keep, capture_output=True, text=True, check=True)
                found[name][run] = json.loads(answer.stdout.splitlines()[-1])
    return {"what": "seconds to import, to the answer of the first call, and of the next", "questions": found}


def child(arguments) -> None:
    """One question in a process of its own; what it needs to be asked is not counted."""
    question = COMPILED[arguments.question](stack(STANDARD, arguments.nodes))
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        jax.block_until_ready(question())
        times.append(time.perf_counter() - begin)
    print(json.dumps({"import": IMPORTED, "call": times[0], "next_call": times[1]}))


def many(arguments) -> dict:
    """10^3 to 10^6 stacks: equilibrium and steady state, each chunk made, solved and reduced on the device."""
    cell = stack(STANDARD, arguments.nodes)
    layout = Layout(cell)
    numbers = 8 * layout.blocks * layout.width * (3 * layout.width * 4 + 3 * layout.width * 3)  # factors and colours
    devices = jax.devices()
    report = {
        "what": "equilibrium and steady state of many stacks in chunks",
        "chunk": arguments.chunk,
        "estimated_bytes_per_stack": numbers,
        "cases": [],
    }
    if devices[0].platform == "cpu" and not arguments.on_cpu:
        report["not_run"] = (
            f"no GPU: would solve {', '.join(f'{n:,}' for n in arguments.counts)} stacks of {layout.blocks} blocks of "
            f"{layout.width} in chunks of {arguments.chunk:,} (about {numbers * arguments.chunk / 1e9:.2g} GB each)"
        )
        return report

    @eqx.filter_jit
    def solve(key):
        def one(key):
            own = changed(cell, key)
            rest = equilibrium(own, throw=False)
            under = stationary(own, rest)
            return rest.result, under.result, under.state.current

        return jax.vmap(one)(jax.random.split(key, arguments.chunk))

    begin = time.perf_counter()
    jax.block_until_ready(solve(jax.random.key(0)))
    report["first_call_s"] = time.perf_counter() - begin
    for count in arguments.counts:
        turns, failed = -(-count // arguments.chunk), 0
        begin = time.perf_counter()
        for turn in range(turns):
            at_rest, under, _ = solve(jax.random.key(turn))
            failed += int(jnp.sum((at_rest != 0) | (under != 0)))
        spent = time.perf_counter() - begin
        solved = turns * arguments.chunk
        report["cases"].append({"stacks": solved, "time_s": spent, "per_second": solved / spent, "failed": failed})
    return report


def changed(cell, key):
    """A stack with thicknesses, permittivities, diffusivities and amounts changed by up to a factor of two."""
    leaves = [
        *(layer.thickness for layer in cell.layers),
        *(layer.material.permittivity for layer in cell.layers),
        *(carrier.diffusivity.value for layer in cell.layers for carrier in layer.material.carriers),
        *(carrier.occupancy for layer in cell.layers for carrier in layer.material.carriers),
    ]
    factors = 2.0 ** jax.random.uniform(key, (len(leaves),), minval=-1.0, maxval=1.0)

    def where(cell):
        carriers = [carrier for layer in cell.layers for carrier in layer.material.carriers]
        return [
            *(layer.thickness for layer in cell.layers),
            *(layer.material.permittivity for layer in cell.layers),
            *(carrier.diffusivity.value for carrier in carriers),
            *(carrier.occupancy for carrier in carriers),
        ]

    cell = eqx.tree_at(where, cell, [leaf * factor for leaf, factor in zip(leaves, factors, strict=True)])
    fixed = [neutral_charge(layer.material.carriers) for layer in cell.layers]
    return eqx.tree_at(lambda s: [layer.material.fixed_charge for layer in s.layers], cell, fixed)


# Reports


def ms(times: dict) -> str:
    return f"{1e3 * times['median']:.3g} ({1e3 * times['least']:.3g})"


def table(head: list[str], rows: list[list]) -> list[str]:
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]


def questions_table(report: dict) -> list[str]:
    lines = ["Medians of warm calls in ms, the least in brackets, the programs in turn.", ""]
    rows = []
    for size in ("single", "many"):
        times = report[size]
        for name in NAMES:
            r = ratio(times, f"{name} by hand", name, "median"), ratio(times, f"{name} by hand", name, "least")
            row = [size, name, ms(times[name]), ms(times[f"{name} by hand"]), f"{r[0]:.2f} ({r[1]:.2f})"]
            rows.append([*row, f"{r[0] / CORES:.2f} ({r[1] / CORES:.2f})" if size == "many" else ""])
        for which, names in (("all three", NAMES), ("equilibrium and steady state", NAMES[:2])):
            mine, other = (
                {k: sum(times[f"{n}{by}"][k] for n in names) for k in ("median", "least")} for by in ("", " by hand")
            )
            r = other["median"] / mine["median"], other["least"] / mine["least"]
            row = [size, which, ms(mine), ms(other), f"{r[0]:.2f} ({r[1]:.2f})"]
            rows.append([*row, f"{r[0] / CORES:.2f} ({r[1] / CORES:.2f})" if size == "many" else ""])
        rows.append([size, "Poisson-Boltzmann", "", ms(times["Poisson-Boltzmann by hand"]), "", ""])
    head = ["stacks", "question", "ionics", "by hand, one core", "ratio", f"ratio to {CORES} ideal cores"]
    differences = ", ".join(f"{name} {value:.1e}" for name, value in report["differences"].items())
    steps = ", ".join(f"{name} {value}" for name, value in report["newton_steps"].items())
    return [
        *lines,
        *table(head, rows),
        "",
        f"Differences: {differences}. Newton's steps: {steps}. Failed: {report['failed']}.",
    ]


def transient_table(report: dict) -> list[str]:
    rows = []
    for target, both in report["single"].items():
        mine, other = both["ionics"], both["by hand"]
        if mine is None or other is None:
            rows.append(["single", target, "not reached", "", "", ""])
            continue
        r = [other["time_s"][k] / mine["time_s"][k] for k in ("median", "least")]
        names = [f"{ms(run['time_s'])}; {run['name']}, error {run['error']:.1e}" for run in (mine, other)]
        rows.append(["single", target, *names, f"{r[0]:.2f} ({r[1]:.2f})", ""])
    for target, case in report["many"].items():
        mine, other = (case["times_s"][name] for name in ("ionics", "by hand"))
        r = [other[k] / mine[k] for k in ("median", "least")]
        names = [f"{ms(case['times_s'][n])}; median error {case['median_error'][n]:.1e}" for n in ("ionics", "by hand")]
        shares = [f"{r[0]:.2f} ({r[1]:.2f})", f"{r[0] / CORES:.2f} ({r[1] / CORES:.2f})"]
        rows.append([f"many ({case['failed']} failed)", target, *names, *shares])
    head = [
        "stacks",
        "error allowed",
        "ionics, ms",
        "IDA by hand, one core, ms",
        "ratio",
        f"ratio to {CORES} ideal cores",
    ]
    runs = [
        [run["name"], f"{run['error']:.1e}", ms(run["time_s"]), run.get("steps", ""), run.get("residuals", "")]
        for run in (*report["runs"]["ionics"], *report["runs"]["by hand"])
    ]
    note = "Medians in ms, the least in brackets. Errors: largest of any log c or F phi / RT at nine times."
    apart = f"Reference: IDA at rtol 1e-10; ionics at 1e-9 differs by {report['two_references_differ_by']:.1e}."
    return [note, apart, "", *table(head, rows), "", *table(["run", "error", "ms", "steps", "residuals"], runs)]


def scaling_table(report: dict) -> list[str]:
    lines = []
    for axis in ("nodes", "frequencies"):
        cases, slopes = report[f"by_{axis}"], report["exponents"][axis]
        rows = [[size, *(ms(times) for times in case.values())] for size, case in cases.items()]
        rows.append(["exponent (last)", *(f"{s['all']:.2f} ({s['last']:.2f})" for s in slopes.values())])
        lines += [*table([axis, *slopes], rows), ""]
    return ["Medians in ms, the least in brackets.", "", *lines[:-1]]


def compiling_table(report: dict) -> list[str]:
    rows = []
    for name, runs in report["questions"].items():
        for run, times in runs.items():
            rows.append([name, run, *(f"{times[k]:.3g}" for k in ("import", "call", "next_call"))])
    return table(["question", "process", "import, s", "call, s", "next call, s"], rows)


def many_table(report: dict) -> list[str]:
    if "not_run" in report:
        return [report["not_run"]]
    rows = [[f"{c['stacks']:,}", f"{c['time_s']:.3g}", f"{c['per_second']:,.0f}", c["failed"]] for c in report["cases"]]
    return [
        f"Chunks of {report['chunk']:,}; the first call took {report['first_call_s']:.1f} s.",
        "",
        *table(["stacks", "s", "stacks per second", "failed"], rows),
    ]


PARTS = {
    "questions": (questions, questions_table),
    "transient": (transients, transient_table),
    "scaling": (scaling, scaling_table),
    "compile": (compiling, compiling_table),
    "many": (many, many_table),
}


def machine() -> dict:
    """Where and with what."""
    info = Path("/proc/cpuinfo")
    model = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    device = jax.devices()[0]
    kind = "" if device.platform == "cpu" else f" ({device.device_kind})"
    names = ("jax", "jaxlib", "equinox", "numpy", "scipy", "scikit-sundae")
    return {
        "device": f"{(model or [platform.processor()])[0]}, {CORES} cores, jax on {device.platform}{kind}",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in names},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "child"])
    parser.add_argument("--nodes", type=int, default=67, help="of each of the three layers")
    parser.add_argument("--stacks", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--sizes", type=int, nargs="+", default=[33, 67, 133, 267, 533], help="nodes of each layer")
    parser.add_argument("--counts", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6], help="stacks in `many`")
    parser.add_argument("--chunk", type=int, default=8192, help="stacks at once in `many`")
    parser.add_argument("--on-cpu", action="store_true", help="run `many` without a GPU, too")
    parser.add_argument("--question", choices=list(COMPILED), help=argparse.SUPPRESS)
    parser.add_argument("--label", default="", help="added to the names of the files, for other versions of jax")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    if arguments.part == "child":
        return child(arguments)
    measure, written = PARTS[arguments.part]
    before = os.getloadavg()[0]
    report = measure(arguments) | machine()
    report["load"] = {"before": before, "after": os.getloadavg()[0]}
    report["command"] = " ".join(["python benchmarks/engine.py", *sys.argv[1:]])
    text = [f"# Engine, {arguments.part}: {report['what']}", "", *written(report), ""]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    load = f"load {before:.1f} before and {report['load']['after']:.1f} after"
    text += [f"{report['device']}, {load}; {report['date']}; {versions}. `{report['command']}`", ""]
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"engine_{arguments.part}{arguments.label}"
    file.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    file.with_suffix(".md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
