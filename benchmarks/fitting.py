"""Time and quality of fits, against what one would use otherwise, in one process.

    python benchmarks/fitting.py [circuit series many posterior physics] [--data EISdata1_SoC0_Cyc1to100.csv]

circuit: one spectrum and 7 parameters from 1, 64 and 256 starts; impedance.py and pyimpspec are called once a start.
series: 7 temperatures fitted together, 28 unknowns; by hand, scipy.optimize.least_squares with numpy and differences.
many: 148 spectra of one circuit from 64 starts each; impedance.py is timed with a few and scaled up.
posterior: effective draws a second of the worst parameter; emcee and PINTS (the samplers of PyBOP) with numpy.
physics: a stack with 8 free quantities at 60 frequencies, from a start that is 30 to 50 % off.

Peers that are not installed are left out. What was asked replaces its part of the results.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from machine import processor
from scipy.optimize import least_squares

jax.config.update("jax_enable_x64", True)

import ionics  # noqa: E402
from ionics.config.fits import model_of  # noqa: E402
from ionics.fitting import leastsquares  # noqa: E402
from ionics.fitting.across import EV, Arrhenius, Each  # noqa: E402
from ionics.fitting.files.readers import read_spectra  # noqa: E402
from ionics.fitting.leastsquares import fit, fit_series, fit_together  # noqa: E402
from ionics.fitting.model import CircuitModel  # noqa: E402
from ionics.fitting.notation import parse  # noqa: E402
from ionics.fitting.posterior import sample  # noqa: E402
from ionics.fitting.problem import Posed, linearised, unknowns  # noqa: E402
from ionics.fitting.search import search  # noqa: E402
from ionics.fitting.spectrum import Spectrum  # noqa: E402

Row = dict[str, object]
PEERS = ("impedance", "pyimpspec", "emcee", "pints", "numpyro")
REPEATS = 5
SAMPLE = 3  # fits a slow peer is timed with where its time is scaled up
CIRCUIT = "R0-p(R1,C1)-p(R2-Wo1,C2)"  # of impedance.py's documentation
VALUES = {"R0": 0.0165, "R1": 0.0052, "C1": 0.2, "R2": 0.0094, "Wo1.Z0": 0.14, "Wo1.tau": 1200.0, "C2": 2.6}
STACK = """
title: LATP ceramic of 1000 grains between electrodes of constant phase
temperature: 293.15 K
area: 1 cm^2
series_resistance: 5 ohm cm^2
stack:
  left: {{contact: blocking, compact_layer: {{constant_phase: {{Q: 5e-6 S s^0.9/cm^2, n: 0.9}}}}}}
  layers:
    - repeat: 1000
      name: ceramic
      layers:
        - {{name: grain left, material: LATP, thickness: 0.5 um, nodes: {nodes}}}
        - {{name: grain right, material: LATP, thickness: 0.5 um, nodes: {nodes}}}
  junctions:
    grain left | grain right:
      carriers: {{Li+: {{law: linear, resistance: 0.1134 ohm cm^2}}}}
      compact_layer: {{constant_phase: {{Q: 1e-5 S s^0.9/cm^2, n: 0.9}}}}
  right: {{contact: blocking, compact_layer: {{constant_phase: {{Q: 5e-6 S s^0.9/cm^2, n: 0.9}}}}}}
fit:
  model: stack
  free:
    materials.LATP.carriers.Li+.conductivity: {{bounds: [1e-6 S/cm, 1e-1 S/cm]}}
    materials.LATP.permittivity: {{bounds: [1, 1000]}}
    series_resistance: {{bounds: [0.01 ohm cm^2, 1e3 ohm cm^2]}}
    stack.junctions.grain left | grain right.carriers.Li+.resistance: {{bounds: [1e-4 ohm cm^2, 1e2 ohm cm^2]}}
    stack.junctions.grain left | grain right.compact_layer.Q: {{bounds: [1e-8 S s^0.9/cm^2, 1e-2 S s^0.9/cm^2]}}
    stack.junctions.grain left | grain right.compact_layer.n: {{bounds: [0.4, 1]}}
    stack.left.compact_layer.Q: {{bounds: [1e-9 S s^0.9/cm^2, 1e-3 S s^0.9/cm^2], tied: [stack.right.compact_layer.Q]}}
    stack.left.compact_layer.n: {{bounds: [0.4, 1], tied: [stack.right.compact_layer.n]}}
"""
OFF = np.array([0.6, 1.5, 1.4, 0.65, 1.5, 0.9, 0.6, 0.93])  # of the true values; exponents have less room


def once(function):
    """Its result and how long it took [s]."""
    begin = time.perf_counter()
    found = function()
    return found, time.perf_counter() - begin


def timed(function, repeats: int = REPEATS):
    """Its result, the first call and the median of later ones [s]."""
    found, first = once(function)
    return found, first, statistics.median(once(function)[1] for _ in range(repeats))


def noisy(z, relative: float, seed: int):
    rng = np.random.default_rng(seed)
    return z + relative * np.abs(z) * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z))) / np.sqrt(2)


def rmse(z, spectrum: Spectrum) -> float:
    return float(np.sqrt(np.mean(np.abs(z / spectrum.impedance - 1) ** 2)))


def at_best(errors) -> int:
    return int(np.sum(np.asarray(errors) <= np.min(errors) * (1 + 5e-5))) if len(errors) else 0


# ---- one spectrum


def circuit(_) -> list[Row]:
    frequency = np.logspace(3.2, -2.5, 57)
    z = np.asarray(parse(CIRCUIT, VALUES).impedance(2 * np.pi * frequency))
    data, model, rows = Spectrum(frequency, noisy(z, 0.014, 0), label="synthetic"), CircuitModel(CIRCUIT), []
    for count in (1, 64, 256):
        result, first, warm = timed(lambda: fit(model, data, starts=count - 1))
        share = f"{result.starts_at_best} of {count}"
        rows.append(
            {"program": "ionics", "starts": count, "first call [s]": first, "time [s]": warm, "/ ionics": 1.0,
             "relative RMSE": result.relative_rmse, "starts at the best": share}
        )  # fmt: skip
        own = unknowns(model, [data], {})
        random = leastsquares._random(np.array(model.reach(data)), own, count - 1, 0)
        starts = own.values(np.concatenate([own.start[None], random]))
        for name, peer in circuit_peers(model, data).items():
            errors, took = once(lambda: [error for row in starts if (error := peer(row)) is not None])
            rows.append(
                {"program": name, "starts": count, "first call [s]": None, "time [s]": took, "/ ionics": took / warm,
                 "relative RMSE": min(errors, default=None), "starts at the best": f"{at_best(errors)} of {count}"}
            )  # fmt: skip
    return rows


def circuit_peers(model: CircuitModel, data: Spectrum) -> dict:
    """Name -> function of a start that fits from there and returns the relative RMSE, None where it fails."""
    found = {}
    bounds = np.array([(p.lower, p.upper) for p in model.parameters]).T
    with contextlib.suppress(ImportError):
        from impedance.models.circuits import CustomCircuit

        def by_impedance(start):
            one = CustomCircuit(CIRCUIT, initial_guess=list(np.clip(start, *bounds)))
            try:
                one.fit(data.frequency, data.impedance, bounds=tuple(bounds), weight_by_modulus=True)
            except (RuntimeError, ValueError):  # no convergence within its limit of evaluations
                return None
            return rmse(one.predict(data.frequency), data)

        found["impedance.py"] = by_impedance
    with contextlib.suppress(ImportError):
        from pyimpspec import DataSet, fit_circuit, parse_cdc
        from pyimpspec.exceptions import FittingError

        measured = DataSet(frequencies=np.array(data.frequency), impedances=np.array(data.impedance))

        def by_pyimpspec(start):
            r0, r1, c1, r2, z0, tau, c2 = start
            cdc = f"R{{R={r0}}}(R{{R={r1}}}C{{C={c1}}})(C{{C={c2}}}[R{{R={r2}}}Wo{{Y={tau / z0**2},B={tau}}}])"
            try:
                one = fit_circuit(parse_cdc(cdc), measured, method="least_squares", weight="modulus", num_procs=1)
            except FittingError:
                return None
            return rmse(one.circuit.get_impedances(data.frequency), data)

        found["pyimpspec"] = by_pyimpspec
    return found


# ---- a series

SERIES = "p(R1,CPE1)-p(R2,CPE2)-CPE3"
KELVIN = np.linspace(413.15, 473.15, 7)


def ceramic(kelvin: float, values: dict[str, float]):
    """The values of the circuit at a temperature."""
    lower = (1 / kelvin - 1 / 443.15) / EV
    return values | {"R1": values["R1"] * np.exp(0.85 * lower), "R2": values["R2"] * np.exp(1.0 * lower)}


def series(_) -> list[Row]:
    frequency = np.logspace(6, 0, 61)
    truth = {"R1": 4e4, "CPE1.Q": 4e-12, "CPE1.n": 0.97, "R2": 1e5, "CPE2.Q": 2e-9, "CPE2.n": 0.85}
    truth |= {"CPE3.Q": 1e-7, "CPE3.n": 0.7}
    spectra = [
        Spectrum(
            frequency,
            noisy(np.asarray(parse(SERIES, ceramic(T, truth)).impedance(2 * np.pi * frequency)), 0.01, k),
            temperature=float(T),
            label=f"{T:.0f} K",
        )
        for k, T in enumerate(KELVIN)
    ]
    begin = dict(zip(truth, np.array(list(truth.values())) * [0.6, 1.5, 0.95, 1.5, 0.6, 1.05, 1.5, 1.1], strict=True))
    model = CircuitModel(SERIES, begin)
    across = {"R1": Arrhenius(), "R2": Arrhenius()} | {f"CPE{n}.Q": Each() for n in (1, 2, 3)}
    rows = []
    for starts in (0, 16):
        whole, first, warm = timed(lambda: fit_together(model, spectra, across, starts=starts), 3)
        rows.append(
            {"program": f"ionics, {starts} random starts a spectrum" if starts else "ionics, from the start",
             "first call [s]": first, "time [s]": warm, "/ ionics": warm / (rows[0]["time [s]"] if rows else warm),
             "chi-squared": whole.chi_squared, "unknowns": len(whole.values)}
        )  # fmt: skip
    (found, evaluations), took = once(lambda: by_hand(spectra, whole, begin))
    rows.append(
        {"program": f"numpy and SciPy, {evaluations} Jacobians by differences", "first call [s]": None,
         "time [s]": took, "/ ionics": took / rows[0]["time [s]"], "chi-squared": found, "unknowns": len(whole.values)}
    )  # fmt: skip
    return rows


def by_hand(spectra: list[Spectrum], whole, begin: dict[str, float]):
    """What one writes oneself: residuals in numpy, logarithms searched, differences for the Jacobian."""
    w = 2 * np.pi * np.stack([one.frequency for one in spectra])
    z = np.stack([one.impedance for one in spectra])
    inverse = (1 / KELVIN - np.mean(1 / KELVIN)) / EV

    def phase(q, n):
        return 1 / (q[:, None] * (1j * w) ** n)

    def missed(x):
        r1, e1, r2, e2, n1, n2, n3 = x[:7]
        q1, q2, q3 = np.exp(x[7:]).reshape(3, -1)
        first = 1 / (np.exp(-r1 - e1 * inverse)[:, None] + 1 / phase(q1, n1))
        second = 1 / (np.exp(-r2 - e2 * inverse)[:, None] + 1 / phase(q2, n2))
        own = ((first + second + phase(q3, n3) - z) / np.abs(z)).ravel()
        return np.concatenate([own.real, own.imag])

    start = [np.log(begin["R1"]), 0.4, np.log(begin["R2"]), 0.4, *(begin[f"CPE{n}.n"] for n in (1, 2, 3))]
    start += [np.log(begin[f"CPE{n}.Q"]) for n in (1, 2, 3) for _ in KELVIN]
    low = np.array([-np.inf, -1, -np.inf, -1, 0.3, 0.3, 0.3] + 21 * [-np.inf])
    high = np.array([np.inf, 4, np.inf, 4, 1, 1, 1] + 21 * [np.inf])
    ended = least_squares(missed, start, bounds=(low, high), x_scale="jac")
    return 2 * ended.cost, ended.njev


# ---- many spectra


def many(data: Path | None) -> list[Row]:
    text = "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
    spectra = read_spectra(data) if data else synthetic()
    model = CircuitModel(text)
    found, first = once(lambda: fit_series(model, spectra, starts=64))
    _, warm = once(lambda: fit_series(model, spectra, starts=64))
    rows = [
        {"program": "ionics, 65 starts each", "spectra": len(spectra), "first call [s]": first, "time [s]": warm,
         "/ ionics": 1.0, "median relative RMSE": statistics.median(one.relative_rmse for one in found)}
    ]  # fmt: skip
    with contextlib.suppress(ImportError):
        from impedance.models.circuits import CustomCircuit

        bounds = tuple(np.array([(p.lower, p.upper) for p in model.parameters]).T)
        times, errors = [], []
        own = unknowns(model, spectra[:1], {})
        for one in spectra[:: len(spectra) // SAMPLE][:SAMPLE]:
            random = leastsquares._random(np.array(model.reach(one)), own, 4, 0)
            best = np.inf
            for row in own.values(np.concatenate([own.start[None], random])):
                theirs = CustomCircuit(text, initial_guess=list(np.clip(row, *bounds)))

                def run():
                    try:
                        theirs.fit(one.frequency, one.impedance, bounds=bounds, weight_by_modulus=True)
                    except (RuntimeError, ValueError):
                        return np.inf
                    return rmse(theirs.predict(one.frequency), one)

                error, took = once(run)
                times.append(took)
                best = min(best, error)
            errors.append(best)
        for starts in (1, 65):
            scaled = statistics.mean(times) * len(spectra) * starts
            rows.append(
                {"program": f"impedance.py, {starts} start{'s' if starts > 1 else ''} each, from {len(times)} fits",
                 "spectra": len(spectra), "first call [s]": None, "time [s]": scaled, "/ ionics": scaled / warm,
                 "median relative RMSE": statistics.median(errors) if starts > 1 else None}
            )  # fmt: skip
    return rows


def synthetic() -> list[Spectrum]:
    s, found = 2j * np.pi * np.logspace(4, -2, 36), []
    for k in range(148):
        z = 50 + 100 / (1 + (1e-4 * s) ** 0.85) + (300 + k) / (1 + (1e-2 * s) ** 0.8) + 300 / s**0.5
        found.append(Spectrum(s.imag / 2 / np.pi, noisy(z, 0.003, k), label=f"synthetic {k}"))
    return found


# ---- the posterior


def posterior(_) -> list[Row]:
    from numpyro.diagnostics import effective_sample_size

    text, frequency = "R0-p(R1,CPE1)-CPE2", np.logspace(5, -1, 61)
    values = {"R0": 10.0, "R1": 200.0, "CPE1.Q": 1e-5, "CPE1.n": 0.85, "CPE2.Q": 1e-2, "CPE2.n": 0.7}
    z = np.asarray(parse(text, values).impedance(2 * np.pi * frequency))
    data = Spectrum(frequency, noisy(z, 0.01, 0), label="synthetic", sigma=0.01 * np.abs(z) / np.sqrt(2))
    fitted = fit(CircuitModel(text), data, weighting="sigma", starts=16)
    box, w = fitted.posed.unknowns.box, 2 * np.pi * frequency
    at, lower, upper = np.array(fitted.posed.unknowns.inner(fitted.values)), np.array(box.lower), np.array(box.upper)

    def density(x):
        if np.any(x < lower) or np.any(x > upper):
            return -np.inf
        r0, r1, q1, q2 = np.exp(x[[0, 1, 2, 4]])
        model = r0 + r1 / (1 + r1 * q1 * (1j * w) ** x[3]) + 1 / (q2 * (1j * w) ** x[5])
        missed = (model - data.impedance) / data.sigma
        return -0.5 * float(missed.real @ missed.real + missed.imag @ missed.imag)

    def row(program, chains, seconds, whole):
        worst = min(float(effective_sample_size(chains[..., j])) for j in range(len(at)))
        mean = np.abs(chains.reshape(-1, len(at)).mean(axis=0) - at) / np.sqrt(np.diag(fitted.covariance)) * scale
        return {"program": program, "effective draws": worst, "sampling [s]": seconds,
                "with warm-up and compilation [s]": whole, "effective draws a second": worst / seconds,
                "with all": worst / whole, "means off [standard errors]": float(mean.max())}  # fmt: skip

    scale = np.where(fitted.posed.unknowns.is_log, fitted.values, 1.0)
    ours, took = once(lambda: sample(fitted, draws=1000, warmup=500, chains=4))
    inner = np.where(fitted.posed.unknowns.is_log, np.log(ours.draws), ours.draws)
    rows = [row("ionics, NUTS, 4 chains of 1000", inner, ours.seconds, took)]
    spread, rng = np.sqrt(np.diag(fitted.covariance)) / scale, np.random.default_rng(0)
    with contextlib.suppress(ImportError):
        import emcee

        walkers, burn, steps = 32, 1000, 4000
        sampler = emcee.EnsembleSampler(walkers, len(at), density)
        begun, before = once(lambda: sampler.run_mcmc(at + spread * rng.standard_normal((walkers, len(at))), burn))
        sampler.reset()
        _, took = once(lambda: sampler.run_mcmc(begun, steps))
        tau = sampler.get_autocorr_time(tol=0)
        own = row(
            f"emcee, {walkers} walkers, {steps} steps", np.swapaxes(sampler.get_chain(), 0, 1), took, took + before
        )
        worst = walkers * steps / float(np.max(tau))  # walkers depend on each other: by their own autocorrelation
        whole = took + before
        rows.append(
            own | {"effective draws": worst, "effective draws a second": worst / took, "with all": worst / whole}
        )
    with contextlib.suppress(ImportError):
        import pints

        class Density(pints.LogPDF):
            def __call__(self, x):
                return density(np.asarray(x))

            def n_parameters(self):
                return len(at)

        chains, burn, steps = 4, 5000, 25000
        control = pints.MCMCController(
            Density(), chains, [at + spread * rng.standard_normal(len(at)) for _ in range(chains)],
            method=pints.HaarioBardenetACMC,
        )  # fmt: skip
        control.set_max_iterations(steps)
        control.set_initial_phase_iterations(500)
        control.set_log_to_screen(False)
        drawn, took = once(control.run)
        share = (steps - burn) / steps
        name = f"PINTS, Haario-Bardenet, {chains} chains of {steps - burn}"
        rows.append(row(name, np.asarray(drawn)[:, burn:], took * share, took))
    return rows


# ---- a stack


def physics(_) -> list[Row]:
    return [row for nodes in (21, 101, 401) for row in of_stack(nodes)]


def of_stack(nodes: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.yaml"
        path.write_text(STACK.format(nodes=nodes))
        model = model_of(ionics.load(path))
    truth = np.array([p.start for p in model.parameters])
    frequency = np.logspace(10, 0, 60)
    z = np.asarray(model.response(jnp.asarray(truth), jnp.asarray(frequency)).z / model.area)
    data = Spectrum(frequency, noisy(z, 0.005, 0), label="synthetic")
    begun = time.process_time()
    result, first = once(lambda: fit(model, data, start=truth * OFF, starts=0))
    cpu = time.process_time() - begun
    warm = [once(lambda: fit(model, data, start=truth * OFF, starts=0))[1] for _ in range(REPEATS)]
    posed = Posed(model, (data,), "modulus", unknowns(model, [data], {}))
    at, box = np.array(posed.unknowns.inner(truth * OFF)), jax.tree.map(lambda leaf: leaf[None], posed.unknowns.box)
    _, _, evaluation = timed(lambda: jax.block_until_ready(linearised(posed.problem, jnp.asarray(at))), 20)
    _, _, alone = timed(lambda: search([posed.problem], np.zeros(1, int), at[None], box, 200))
    deviation = np.abs(result.values - truth) / np.sqrt(np.diag(result.covariance))
    return [
        {"nodes a layer": nodes, "first call [s]": first, "its CPU time [s]": cpu,
         "fit, median [s]": statistics.median(warm), "fit, least [s]": min(warm), "search alone [s]": alone,
         "Z and 8 derivatives [ms]": 1e3 * evaluation, "relative RMSE": result.relative_rmse,
         "farthest from the truth [standard errors]": float(deviation.max())}
    ]  # fmt: skip


# ---- what is written

PARTS = {
    "circuit": (circuit, f"One spectrum: {CIRCUIT}, 57 points, 1.4 % noise, modulus weighting, the same starts"),
    "series": (series, f"Seven temperatures together: {SERIES}, Arrhenius resistances, shared exponents"),
    "many": (many, "Many spectra of R0-p(R1,CPE1)-p(R2,CPE2)-CPE3, each from 65 starts and from its neighbours'"),
    "posterior": (posterior, "Posterior of R0-p(R1,CPE1)-CPE2, 61 points, 1 % noise that is known, flat priors"),
    "physics": (physics, "A stack with 8 free quantities, 60 frequencies, 0.5 % noise, start 30 to 50 % off"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--data", type=Path, help="the CSV file of SSB_EIS_ML for `many`, instead of synthetic spectra")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "fitting.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    for name in arguments.parts or PARTS:
        function, title = PARTS[name]
        before = os.getloadavg()[0]
        rows = function(arguments.data)
        load = f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        report[name] = {
            "title": title,
            "rows": rows,
            "data": arguments.data.name if arguments.data and name == "many" else "synthetic",
            "device": f"{processor()}, {os.cpu_count()} cores, {load}",
            "date": datetime.date.today().isoformat(),
            "command": "python benchmarks/fitting.py "
            + " ".join(Path(word).name if "/" in word else word for word in sys.argv[1:]),
            "versions": versions(),
        }
        path.write_text(json.dumps(report, indent=2) + "\n")
        print(section(report[name]))
    notes = arguments.output / "fitting_notes.md"
    text = [section(report[name]) for name in PARTS if name in report]
    text += [notes.read_text()] if notes.is_file() else []
    (arguments.output / "fitting.md").write_text("\n".join(["# Fits", "", *text]))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("jax", "numpy", "scipy", *PEERS):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def section(part: dict) -> str:
    """A part of the report as a table."""
    heads = list(part["rows"][0])
    lines = [f"## {part['title']}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell(row.get(head)) for head in heads) + " |" for row in part["rows"]]
    words = ", ".join(f"{name} {number}" for name, number in part["versions"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"Data: {part['data']}. {part['device']}; {part['date']}; {words}. `{part['command'].strip()}`",
            "",
        ]
    )


def cell(value) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
