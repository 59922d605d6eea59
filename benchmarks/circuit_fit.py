"""Time of a circuit fit from 64 starts, against the same starts looped through impedance.py.

    python benchmarks/circuit_fit.py [--starts 64] [--data exampleData.csv] [--output benchmarks/results]

Both fit the circuit of impedance.py's documentation, R0-p(R1,C1)-p(R2-Wo1,C2), with modulus weighting, bounds
and identical starting values, in one process. ionics runs its starts as one compiled batch (the first call,
which compiles, is stated apart); impedance.py has no multi-start, so its fit is called once per start.
Without --data the spectrum is the circuit itself with 1 % noise.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import statistics
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from ionics.fitting import leastsquares  # noqa: E402
from ionics.fitting.files.readers import read_spectrum  # noqa: E402
from ionics.fitting.leastsquares import fit  # noqa: E402
from ionics.fitting.model import CircuitModel  # noqa: E402
from ionics.fitting.notation import parse  # noqa: E402
from ionics.fitting.spectrum import Spectrum  # noqa: E402

CIRCUIT = "R0-p(R1,C1)-p(R2-Wo1,C2)"
VALUES = {"R0": 0.0165, "R1": 0.0052, "C1": 0.2, "R2": 0.0094, "Wo1.Z0": 0.14, "Wo1.tau": 1200.0, "C2": 2.6}


def spectrum(path: str | None) -> Spectrum:
    """The measured spectrum's capacitive points, or the circuit with noise."""
    if path:
        whole = read_spectrum(path)
        keep = whole.impedance.imag < 0
        return dataclasses.replace(whole, frequency=whole.frequency[keep], impedance=whole.impedance[keep])
    frequency = np.logspace(3.2, -2.5, 57)
    z = np.asarray(parse(CIRCUIT, VALUES).impedance(2 * np.pi * frequency))
    rng = np.random.default_rng(0)
    noise = 0.01 * np.abs(z) * (rng.standard_normal(57) + 1j * rng.standard_normal(57))
    return Spectrum(frequency, z + noise, label="synthetic")


def ours(model: CircuitModel, data: Spectrum, starts: int, repeats: int) -> dict:
    """First call, and median of the later ones [s]."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        result = fit(model, data, starts=starts)
        times.append(time.perf_counter() - begin)
    return {
        "first_call_s": times[0],
        "time_s": statistics.median(times[1:]),
        "relative_rmse": result.relative_rmse,
        "starts_at_best": result.starts_at_best,
    }


def theirs(model: CircuitModel, data: Spectrum, starts: int) -> dict:
    """impedance.py from the same starts, one after the other [s]."""
    from impedance.models.circuits import CustomCircuit

    parameters = model.parameters
    is_log = np.array([p.scale == "log" for p in parameters])
    given = [p.start for p in parameters]
    inner = leastsquares._starts(parameters, given, model.reach(data), is_log, starts, 0)
    bounds = ([p.lower for p in parameters], [p.upper for p in parameters])
    errors, failed = [], 0
    begin = time.perf_counter()
    for row in inner:
        values = np.clip(np.where(is_log, np.exp(row), row), *bounds)
        circuit = CustomCircuit(CIRCUIT, initial_guess=list(values))
        try:
            circuit.fit(data.frequency, data.impedance, bounds=bounds, weight_by_modulus=True)
        except (RuntimeError, ValueError):  # no convergence within its iteration limit
            failed += 1
            continue
        misfit = np.abs(circuit.predict(data.frequency) / data.impedance - 1)
        errors.append(float(np.sqrt(np.mean(misfit**2))))
    elapsed = time.perf_counter() - begin
    best = min(errors) if errors else None
    return {
        "time_s": elapsed,
        "relative_rmse": best,
        "starts_at_best": sum(error <= best * (1 + 5e-5) for error in errors) if errors else 0,
        "starts_failed": failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", help="a spectrum to read instead of the synthetic one")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    data, model = spectrum(arguments.data), CircuitModel(CIRCUIT)
    mine = ours(model, data, arguments.starts, arguments.repeats)
    other = theirs(model, data, arguments.starts)
    report = {
        "what": f"fit of {CIRCUIT} to {len(data)} points from {arguments.starts} random starts and the given one",
        "data": Path(arguments.data).name if arguments.data else "synthetic, 1 % noise",
        "ionics": mine,
        "impedance.py": other,
        "ratio": other["time_s"] / mine["time_s"],
        "ratio_with_compilation": other["time_s"] / mine["first_call_s"],
        "device": f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, {platform.machine()}",
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/circuit_fit.py " + " ".join(
            Path(word).name if "/" in word else word for word in sys.argv[1:]
        ),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("jax", "numpy", "scipy", "impedance")},
        },
    }  # fmt: skip
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = "circuit_fit" + ("" if not arguments.data else "_" + Path(arguments.data).stem)
    (arguments.output / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    (arguments.output / f"{name}.md").write_text(markdown(report))
    print(markdown(report))


def markdown(report: dict) -> str:
    """The report as a table."""
    mine, other = report["ionics"], report["impedance.py"]
    return "\n".join(
        [
            f"# Circuit fit: {report['what']}",
            "",
            "| program | time [s] | best relative RMSE | starts that found it |",
            "|---|---|---|---|",
            f"| ionics, compiled | {mine['time_s']:.3f} | {mine['relative_rmse']:.6f} | {mine['starts_at_best']} |",
            f"| ionics, first call | {mine['first_call_s']:.3f} | | |",
            f"| impedance.py, looped | {other['time_s']:.3f} | {other['relative_rmse']:.6f} "
            f"| {other['starts_at_best']} ({other['starts_failed']} failed) |",
            "",
            f"Ratio {report['ratio']:.1f} (with compilation {report['ratio_with_compilation']:.1f}). "
            f"Data: {report['data']}. {report['device']}; {report['date']}; "
            + ", ".join(f"{name} {number}" for name, number in report["versions"].items())
            + f". `{report['command']}`",
            "",
        ]
    )


if __name__ == "__main__":
    main()
