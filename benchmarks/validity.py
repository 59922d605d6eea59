"""Time of a Kramers-Kronig test and of a distribution of relaxation times, one spectrum and 148, against peers.

    python benchmarks/validity.py [--data EISdata1_SoC0_Cyc1to100.csv] [--output benchmarks/results]

The peers have no batches: they are called once for the first spectrum after a warm-up, and for the 148 their time is
that of `--sample` spectra times 148 / sample. impedance.py: linKK with c = 0.85, up to 50 elements and a capacitor;
pyimpspec: perform_kramers_kronig_test and calculate_drt (tr-rbf) with their defaults on one process; pyDRTtools:
simple_run (GCV), which like pyimpspec gives no band; its Bayesian_run, which
gives one, is not timed. A peer that is not installed is left out. Without --data the 148 spectra are synthetic:
two ZARCs and a Warburg end, 0.3 % noise.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime
import io
import json
import os
import platform
import statistics
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from machine import processor

from ionics.fitting.checks.kramers_kronig import kramers_kronig, kramers_kronig_series
from ionics.fitting.relaxation.relaxation_times import distribution_of_relaxation_times, relaxation_times_series
from ionics.fitting.spectrum import Spectrum

NUMBER = 148
PEERS = ("impedance", "pyimpspec", "pyDRTtools")


def spectra(path: Path | None) -> list[Spectrum]:
    """148 spectra on one grid of 36 frequencies."""
    if path:
        with open(path) as file:
            head, *rows = csv.reader(file)
        at = [k for k, name in enumerate(head) if name.startswith("Re(Z)")]
        frequency = np.array([float(head[k][5:]) for k in at])
        z = np.array([[float(row[k]) - 1j * float(row[k + 1]) for k in at] for row in rows])
        return [Spectrum(frequency, row, label=f"row {k}") for k, row in enumerate(z)]
    rng = np.random.default_rng(0)
    frequency = np.logspace(4, -2, 36)
    s = 2j * np.pi * frequency
    found = []
    for k in range(NUMBER):
        z = 50 + 100 / (1 + (1e-4 * s) ** 0.85) + (300 + k) / (1 + (1e-2 * s) ** 0.8) + 300 / np.sqrt(s)
        noise = rng.standard_normal(36) + 1j * rng.standard_normal(36)
        found.append(Spectrum(frequency, z + 0.003 * abs(z) * noise, label=f"synthetic {k}"))
    return found


def timed(function, repeats: int) -> float:
    """Median [s] of calls after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def peers() -> dict[str, tuple[str, object]]:
    """Name -> (question, function of a spectrum) of what is installed."""
    found = {}
    with contextlib.suppress(ImportError):
        from impedance.models.circuits.elements import circuit_elements
        from impedance.validation import linKK

        circuit_elements.setdefault("np", np)  # its circuit strings hold np.float64(...) with numpy 2
        found["impedance.py linKK"] = (
            "kk",
            lambda s: linKK(s.frequency, s.impedance, c=0.85, max_M=50, fit_type="complex", add_cap=True),
        )
    with contextlib.suppress(ImportError):
        from pyimpspec import DataSet, calculate_drt, perform_kramers_kronig_test

        def data(s):
            return DataSet(frequencies=np.array(s.frequency), impedances=np.array(s.impedance))

        found["pyimpspec KK"] = ("kk", lambda s: perform_kramers_kronig_test(data(s), num_procs=1))
        found["pyimpspec DRT (tr-rbf)"] = ("drt", lambda s: calculate_drt(data(s), method="tr-rbf", num_procs=1))
    with contextlib.suppress(ImportError), contextlib.redirect_stdout(io.StringIO()):
        import matplotlib

        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        matplotlib.use = lambda *_, **__: None  # it asks for a Qt window on import
        from pyDRTtools.runs import EIS_object, simple_run

        def entry(s):
            return EIS_object(np.array(s.frequency), s.impedance.real.copy(), s.impedance.imag.copy())

        found["pyDRTtools simple_run"] = ("drt", lambda s: simple_run(entry(s)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the CSV file of SSB_EIS_ML instead of synthetic spectra")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=2, help="spectra a peer is timed with")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    many, repeats = spectra(arguments.data), arguments.repeats
    ours = {
        "kk": (timed(lambda: kramers_kronig(many[1]), repeats), timed(lambda: kramers_kronig_series(many), 1)),
        "drt": (
            timed(lambda: distribution_of_relaxation_times(many[1]), repeats),
            timed(lambda: relaxation_times_series(many), 1),
        ),
    }
    rows = [
        {"program": f"ionics {name}", "question": question, "one_s": ours[question][0], "many_s": ours[question][1]}
        for question, name in (("kk", "kramers_kronig"), ("drt", "distribution_of_relaxation_times, 200 draws"))
    ]
    for name, (question, function) in peers().items():
        print(f"timing {name}", file=sys.stderr)
        row = {"program": name, "question": question}
        try:
            times = [timed(lambda s=s, f=function: f(s), 1) for s in many[1 : 1 + arguments.sample]]
            row |= {"one_s": times[0], "many_s": statistics.mean(times) * len(many)}
        except Exception as error:  # what a peer raises is a result
            row |= {"failed": f"{type(error).__name__}: {error}"[:80]}
        rows.append(row)
    report = {
        "what": f"Kramers-Kronig test and distribution of relaxation times of one spectrum and of {len(many)}",
        "data": arguments.data.name if arguments.data else "synthetic",
        "rows": rows,
        "device": f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}",
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/validity.py "
        + " ".join(Path(word).name if "/" in word else word for word in sys.argv[1:]),
        "versions": versions(),
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "validity.json").write_text(json.dumps(report, indent=2) + "\n")
    (arguments.output / "validity.md").write_text(markdown(report))
    print(markdown(report))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("numpy", "scipy", *PEERS):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def markdown(report: dict) -> str:
    """The report as a table."""
    lines = [
        f"# {report['what']}",
        "",
        "| program | one [s] | / ionics | all [s] | / ionics |",
        "|---|---|---|---|---|",
    ]
    ours = {row["question"]: row for row in report["rows"] if row["program"].startswith("ionics")}
    for row in report["rows"]:
        own = ours[row["question"]]
        if "failed" in row:
            lines.append(f"| {row['program']} | {row['failed']} | | | |")
        else:
            lines.append(
                f"| {row['program']} | {row['one_s']:.3f} | {row['one_s'] / own['one_s']:.1f} "
                f"| {row['many_s']:.1f} | {row['many_s'] / own['many_s']:.1f} |"
            )
    words = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"Data: {report['data']}. {report['device']}; {report['date']}; {words}. `{report['command']}`",
            "",
        ]
    )


if __name__ == "__main__":
    main()
