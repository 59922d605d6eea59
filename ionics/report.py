"""One HTML file per result: the verdict, tables, pictures, configuration, versions and sources. Opens offline."""

from __future__ import annotations

import base64
import html
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ionics import plots, results
from ionics.fit_results import joint_of
from ionics.folder import replacing
from ionics.plots.intervals import MOST_ANSWERS
from ionics.quantity import duration, plus_minus, pretty_unit, quantity
from ionics.summary import contributions, intervals_of, reference_frequency, verdict

CAPTIONS = {
    "nyquist": "Impedance in the complex plane. The filled arcs are the shares of the elements in series, from the "
    "fastest to the slowest; together they are the black line.",
    "bode": "Modulus and phase of the impedance.",
    "parts": "Which element is which arc: real parts stacked, imaginary parts one by one.",
    "profiles": "Potential, concentrations and electrochemical potentials (each relative to its left end): the whole "
    "stack, then the junctions enlarged. A flat electrochemical potential means equilibrium.",
    "influence": "Which uncertain number explains how much of the spread of what follows (of ranks; the bars of an "
    "answer add up to what a sum of all explains).",
    "protocol": "What the terminals saw, steps shaded in turn. Grey: open-circuit voltage of the mean compositions.",
    "voltage": "Voltage against the charge passed; full lines discharge, broken lines charge.",
    "sweep": "Current while the voltage is swept; the first instants after a corner are left out.",
    "thermal": "Current while the temperature changes.",
    "losses": "Who eats the voltage. Below, voltage minus open circuit, split along the path of the current: drops "
    "of the electrochemical potential of its carrier in each layer, the affinities of reactions at junctions, and what "
    "the uneven composition of an electrode takes. The parts add up.",
    "junctions": "What the junctions store: thickness of films, filling of interface states.",
    "moments": "Profiles, from early (dark) to late (light).",
    "fit": "Measured and fitted impedance, and the residuals relative to the fitted modulus.",
    "contributions": "The share of every element of the fitted stack, in series from the fastest to the slowest; "
    "points as measured.",
    "consistency": "Kramers-Kronig test: what no chain of RC elements explains. Grey: twice the noise; shaded: outside "
    "the window that would pass. Nothing was left out because of it.",
    "relaxation_times": "Distribution of relaxation times, which assumes no circuit.",
    "likelihoods": "How chi-squared rises when a parameter is held and all others follow (points), and what the "
    "standard error alone would say (dashed). A curve that stays low on one side: the data set no limit there.",
    "corner": "Draws of the posterior: every parameter and every pair of them; lines: the fit, and 2.5, 50, 97.5 %.",
    "design": "Where the information is (area), what is suggested (stems), and the standard errors that follow.",
    "choice": "What each record brings if all are made (with its error alone), and the standard errors that follow.",
    "spectra": "All spectra; of fits, with what was fitted.",
    "records": "Points: measured; lines: the cell.",
    "limits": "What each step takes from the voltage, mean over the charge; bars: two standard deviations.",
    "electrodes": "Occupancies from dark to light as time goes on.",
    "capacity_rate": "Capacity against rate with the band of the fit.",
    "series": "Parameters through the series, with standard errors; open symbols: not consistent with Kramers-Kronig.",
    "correlation": "Correlation of the fitted parameters: near ±1, the data determine only a combination of the two.",
    "structure": "The relaxed junction: from two sides, and from above the atoms next to the plane.",
    "candidates": "Every way to join the two crystals that the limits allow, ranked before any energy; grey ones fail "
    "the audit.",
    "search": "Energies of visited structures, and the best so far of each candidate.",
    "registry": "Energy over the lateral shift of the upper crystal, the gap free at each.",
    "paths": "Energy along hops of lithium, and their barriers against the distance from the plane.",
    "defects": "Energies of lithium defects against the distance from the plane; below, the potential of the stack "
    "that is handed over.",
    "gamma": "Which lithium content is stable at which lithium chemical potential, drawn as a voltage.",
    "reactions": "What the two would become if they reacted: energy against mixing ratio, products at the kinks.",
    "arrhenius": "Conductivity (or conductance) times temperature against the inverse temperature.",
}

LONGEST_TABLE = 40  # steps
LONGEST_INTERFACES = 15  # candidates
MOST_DRAWN = 12  # members of a series

STYLE = """
:root { color-scheme: light dark; --ink: #1d2327; --soft: #5b6770; --line: #d8dee3; --paper: #ffffff; --tint: #f2f6f9;
  --accent: #0072B2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaed; --soft: #a3adb5; --line: #3a444c; --paper: #14191d;
  --tint: #1d252b; --accent: #56B4E9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .9rem; } p { margin: .3rem 0; }
.verdict { background: var(--tint); border-left: 4px solid var(--accent); padding: .9rem 1.1rem; margin: 1.4rem 0;
  border-radius: 0 6px 6px 0; } .verdict p:first-child { font-weight: 600; font-size: 1.05rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; font-size: .85rem; color: var(--soft); } th:first-child, td:first-child { text-align: left; }
td.text { text-align: left; white-space: normal; } figure { margin: 1rem 0 2rem; break-inside: avoid; }
img { max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); border-radius: 6px;
  padding: .4rem; }
figcaption { margin-top: .4rem; } pre { background: var(--tint); padding: 1rem; border-radius: 6px; overflow-x: auto;
  font: .82rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } li { margin: .25rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } pre { white-space: pre-wrap; }
  h2 { break-after: avoid; } table { break-inside: avoid; } .verdict { border: 1px solid #999; } }
"""


def write_report(result: xr.Dataset | xr.DataTree, path: Path, pictures: Sequence[Path]) -> Path:
    """Write the report of a run, a fit or a series; the pictures become part of the file."""
    Path(path).write_text(report(result, pictures), encoding="utf-8")
    return Path(path)


def report(result: xr.Dataset | xr.DataTree, pictures: Sequence[Path] = ()) -> str:
    """The report as HTML text."""
    ds = result.to_dataset() if isinstance(result, xr.DataTree) else result
    kind = ds.attrs.get("kind", "run")
    tables = {
        "run": _run_tables,
        "protocol": _protocol_tables,
        "fit": _fit_tables,
        "capacity-rate": _fit_tables,
        "series": _series_tables,
        "design": _design_tables,
        "interface": _interface_tables,
    }[kind](ds)
    if "together" in ds.attrs and isinstance(result, xr.DataTree):
        tables = [*_fit_tables(joint_of(result)), *tables]
    title = (
        ds.attrs.get("title")
        or {
            "run": "Stack",
            "protocol": "Protocol",
            "fit": "Fit",
            "series": "Series of fits",
            "design": "Design",
            "capacity-rate": "Capacity against rate",
            "interface": "Interface",
        }[kind]
    )
    if kind == "fit" and ds.attrs.get("label"):
        title += f": {ds.attrs['label']}"
    body = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft">{_text(ds.attrs.get("source", ""))}</p>' if ds.attrs.get("source") else "",
        f'<p class="soft">{_text(_made(ds))}</p>',
        '<div class="verdict">' + "".join(f"<p>{_text(s)}</p>" for s in verdict(ds)) + "</div>",
        *tables,
        "<h2>Figures</h2>" if pictures else "",
        *(_figure(picture) for picture in pictures),
        _warnings(ds),
        _sources(ds),
        _notes(ds),
        f"<h2>Configuration</h2><pre>{_text(ds.attrs.get('config', ''))}</pre>" if ds.attrs.get("config") else "",
        _versions(ds),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _run_tables(ds) -> list[str]:
    tables = [_parts_table(ds)] if "z_real" in ds else []
    tables += _interval_tables(ds) if "quantile" in ds.dims else []
    return [*tables, _stack_table(ds) if "element_kind" in ds else _cell_table(ds)]


def _interval_tables(ds) -> list[str]:
    """What follows from the uncertain numbers, the numbers, and which matters how much."""
    rows = []
    for name, unit, central, pairs in intervals_of(ds):
        own, *edges = (quantity(x, unit, prefix=unit != "%") for x in (central, *pairs[0], *pairs[1]))
        rows.append([name, own, f"{edges[0]} to {edges[1]}", f"{edges[2]} to {edges[3]}"])
    draws = json.loads(ds.attrs["draws"])
    caption = (
        f"{draws['answered']} draws, seed {draws['seed']}; profiles at the same share of the thickness of a layer."
    )
    tables = [_table("Intervals", ["", "central value", "68 %", "95 %"], rows, caption)] if rows else []
    answers = [str(name) for name in ds.answer.values][:MOST_ANSWERS] if "answer" in ds.dims else []
    shares = ds.influence.sel(answer=answers).values.T if answers else np.zeros((ds.sizes["uncertain"], 0))
    order = np.argsort(-shares.max(axis=1, initial=0.0), kind="stable")
    rows = [
        [str(ds.uncertain.values[k]), str(ds.uncertain_written.values[k]), *(f"{100 * x:.0f} %" for x in shares[k]),
         "; ".join(filter(None, (str(ds[f"uncertain_{word}"].values[k]) for word in ("source", "method"))))]
        for k in order
    ]  # fmt: skip
    head = ["number", "as in the file", *(f"of {name}" for name in answers), "from"]
    explained = [f"{name} {100 * float(ds.explained.sel(answer=name)):.0f} %" for name in answers]
    caption = f"Share of the spread (of ranks) that each explains; all together: {', '.join(explained)}."
    return [*tables, _table("Uncertain numbers", head, rows, caption if answers else "")]


def _protocol_tables(ds) -> list[str]:
    """The steps, who took which part of the voltage in each, and the stack."""
    head = ["", "step", "took", "ended by", "voltage at the end", "charge (mAh/cm²)"]
    of, rows = ds.step_of_row.values, []
    shown = range(min(ds.sizes["step"], LONGEST_TABLE))
    for n in shown:
        took = duration(float(ds.step_duration[n]))
        volts = f"{float(ds.voltage.values[of == n][-1]):.4g} V"
        passed = f"{float(ds.step_charge[n]) / 36000:.4g}"
        rows.append([str(n + 1), str(ds.step_name.values[n]), took, str(ds.step_end.values[n]), volts, passed])
    more = ds.sizes["step"] - len(shown)
    caption = f"{more} more steps are in result.nc." if more else ""
    counts = f"{ds.attrs['time_steps']} time steps, {ds.attrs['time_steps_rejected']} rejected."
    tables = [_table("What was done", head, rows, f"Discharge counts positive. {caption} {counts}")]
    if "overpotential" in ds:
        tables.append(_losses_table(ds, shown))
    return [*tables, *_run_tables(ds)]


def _losses_table(ds, shown) -> str:
    """Means over each step, in mV."""
    of, t, parts = ds.step_of_row.values, ds.time.values, ds.overpotential.values * 1e3
    columns = [k for k in range(parts.shape[1]) if abs(parts[:, k]).max() > 1e-3 * abs(parts).max()]
    rows = []
    for n in shown:
        own = of == n
        length = float(np.ptp(t[own]))
        if length == 0:
            continue
        means = np.trapezoid(parts[own], t[own], axis=0) / length
        rows.append([str(n + 1), *(f"{means[k]:.3g}" if abs(means[k]) > 5e-4 else "0" for k in columns)])
    head = ["step", *(f"{ds.loss.values[k]} (mV)" for k in columns)]
    return _table(
        "Who eats the voltage", head, rows, "Mean over the step; all of them add up to voltage minus open circuit."
    )


def _parts_table(ds) -> str:
    table = contributions(ds)
    ohm, farad = (pretty_unit(table[name].attrs["units"]) for name in ("resistance", "capacitance"))
    area = float(ds.area) * 1e4 if "area" in ds else None
    head = ["element", f"Re Z ({ohm})", *(["Re Z (Ω)"] if area else []), "share", "arc at", f"capacitance ({farad})"]
    rows = []
    for k, name in enumerate(table.element.values):
        resistance, share = float(table.resistance[k]), float(table.share[k])
        if name == "series resistance" and resistance == 0:
            continue
        rows.append(
            [
                str(name),
                f"{resistance:.4g}" if abs(share) > 1e-9 else "0",
                *([f"{resistance / area:.4g}" if abs(share) > 1e-9 else "0"] if area else []),
                f"{abs(100 * share):.1f} %" if abs(share) < 5e-4 else f"{100 * share:.1f} %",
                _or_dash(float(table.peak_frequency[k]), lambda f: quantity(f, "Hz")),
                _or_dash(float(table.capacitance[k]), lambda c: f"{c:.3g}"),
            ]
        )
    low = quantity(reference_frequency(ds), "Hz")
    caption = f"Real part of each share at {low}; capacitance from the summit of its arc, or where it blocks."
    return _table("What makes up the impedance", head, rows, caption)


def _cell_table(ds) -> str:
    rows = [[part, ", ".join(numbers)] for part, *numbers in json.loads(ds.attrs["parts"])]
    return _table("The cell", ["part", ""], rows)


def _stack_table(ds) -> str:
    head = ["element", "material", "thickness", "permittivity", "Debye length", "nodes"]
    rows = []
    for k, name in enumerate(ds.element.values):
        if ds.element_kind.values[k] != "layer":
            continue
        repeats = float(ds.repeats[k]) if "repeats" in ds else 1.0
        rows.append(
            [
                str(name) + (f" (× {repeats:g})" if repeats != 1 else ""),
                str(ds.material.values[k]),
                quantity(float(ds.thickness[k]), "m"),
                f"{float(ds.permittivity[k]):.4g}",
                _or_dash(float(ds.debye_length[k]), lambda x: quantity(x, "m")),
                f"{int(ds.nodes[k])}",
            ]
        )
    return _table("The stack, from left to right", head, rows)


def _fit_tables(ds) -> list[str]:
    rows = []
    for k, name in enumerate(ds.parameter.values):
        value, error, bound = float(ds["value"][k]), float(ds.standard_error[k]), bool(ds.at_bound[k])
        relative = f"{100 * error / abs(value):.2g} %" if math.isfinite(error) and value and not bound else "–"
        words = "on its bound" if bound else ("not determined" if math.isinf(error) else "")
        limits = f"{float(ds.lower[k]):.3g} to {float(ds.upper[k]):.3g}"
        inside = f"{float(ds.interval_low[k]):.4g} to {float(ds.interval_high[k]):.4g}" if not words else "–"
        if "profile_low" in ds and name in ds.profiled.values:
            own = ds.sel(profiled=name)
            inside = f"{float(own.profile_low):.4g} to {float(own.profile_high):.4g}"
        unit = pretty_unit(str(ds.parameter_unit.values[k]))
        rows.append([str(name), plus_minus(value, error), unit, relative, inside, limits, words])
    head = ["parameter", "value ± standard error", "unit", "relative", "95 % interval", "bounds", ""]
    how = "profile likelihoods" if "profiled" in ds.dims else "standard errors"
    criteria = ", ".join(f"{name} {float(ds[name.lower()]):.5g}" for name in ("AICc", "BIC"))
    tables = [_table("Parameters", head, rows, f"Intervals from {how}. {criteria}: smaller is better.")]
    if "derived" in ds.dims:
        derived = [
            [str(n), plus_minus(float(v), float(e)), pretty_unit(str(u))]
            for n, v, e, u in zip(
                ds.derived.values, ds.derived_value.values, ds.derived_error.values, ds.derived_unit.values, strict=True
            )
        ]
        tables.append(_table("What follows from them", ["quantity", "value ± standard error", "unit"], derived))
    if "z_part_real" in ds:
        tables.append(_parts_table(ds.assign(z_real=ds.z_model_real, z_imag=ds.z_model_imag)))
    if ds.sizes.get("drt_peak", 0):
        tables.append(_peaks_table(ds))
    return tables


def _peaks_table(ds) -> str:
    head = ["peak", "time constant", "at", "resistance (Ω)", "capacitance (F)"]
    rows = []
    for k in range(ds.sizes["drt_peak"]):
        tau = float(ds.drt_peak_time_constant[k])
        sizes = [
            plus_minus(float(ds[f"drt_peak_{name}"][k]), float(ds[f"drt_peak_{name}_error"][k]))
            for name in ("resistance", "capacitance")
        ]
        rows.append([str(k + 1), quantity(tau, "s"), quantity(1 / (2 * math.pi * tau), "Hz"), *sizes])
    return _table("Peaks of the relaxation times", head, rows, str(ds.attrs["drt_message"]))


def _design_tables(ds) -> list[str]:
    """The suggested measurements."""
    if "record" in ds.dims:
        return _choice_tables(ds)
    rows = []
    for k in np.flatnonzero(ds["count"].values > 0):
        frequency = float(ds.frequency.values[k])
        rows.append([str(ds.condition.values[k]), quantity(frequency, "Hz"), str(int(ds["count"].values[k]))])
    return [_table("What to measure", ["condition", "frequency", "times"], rows)]


def _choice_tables(ds) -> list[str]:
    """What each record tells, and the standard errors of each choice."""
    names = [str(name) for name in ds.parameter.values]
    rows = []
    for k, record in enumerate(ds.record.values):
        what = "there already" if bool(ds.held[k]) else "yes" if bool(ds.chosen[k]) else ""
        shares = [f"{100 * abs(float(part)):.0f} %" for part in ds.determination[k]]
        rows.append([str(record), what, f"{100 * float(ds.contribution[k]):.0f} %", *shares])
    head = ["record", "to make", "share of the answer", *(f"of {name}" for name in names)]
    size = np.abs(ds.value.values)
    sets = [(str(plan), ds.standard_error[k].values) for k, plan in enumerate(ds.plan.values)]
    alone = zip(ds.record.values, ds.alone_error.values, ds.held.values, strict=True)
    sets += [(f"{record} alone", errors) for record, errors, held in alone if not held]
    errors = [[name, *(_share_of(error, own) for error, own in zip(row, size, strict=True))] for name, row in sets]
    caption = "Relative; alone: beside what is there already. –: not determined."
    return [_table("Which records", head, rows), _table("Standard errors", ["with", *names], errors, caption)]


def _interface_tables(ds) -> list[str]:
    """What is handed to a stack, the best candidates, the hops."""
    tables = []
    if ds.sizes.get("estimate"):
        head = ["quantity", "value", "uncertainty", "source", "how"]
        keys = ("estimate", "estimate_text", "estimate_spread", "estimate_source", "estimate_method")
        rows = list(zip(*(ds[key].values for key in keys), strict=True))
        tables.append(_table("What is handed over", head, rows, "One standard uncertainty; a factor is log-normal."))
    if ds.sizes.get("path"):
        head = ["hop", "mechanism", "from the plane (Å)", "forward (eV)", "backward (eV)", ""]
        rows = [
            [
                str(ds.path_label.values[k]),
                str(ds.path_mechanism.values[k]),
                f"{float(ds.path_distance[k]):.1f}",
                f"{float(ds.path_forward[k]):.3f}",
                f"{float(ds.path_backward[k]):.3f}",
                str(ds.path_message.values[k]),
            ]
            for k in range(ds.sizes["path"])
        ]
        tables.append(_table("Hops of lithium", head, rows))
    best = np.argsort(ds.candidate_score.values, kind="stable")[:LONGEST_INTERFACES]
    head = ["left", "right", "area (Å²)", "strain", "atoms", "dipole (e/Å)", "score", "audit"]
    rows = [
        [
            str(ds.candidate_left.values[k]),
            str(ds.candidate_right.values[k]),
            f"{float(ds.candidate_area[k]):.1f}",
            f"{100 * float(ds.candidate_strain[k]):.2f} %",
            str(int(ds.candidate_atoms[k])),
            f"{float(ds.candidate_dipole[k]):.3f}",
            f"{float(ds.candidate_score[k]):.3f}",
            str(ds.candidate_reasons.values[k]) or "passed",
        ]
        for k in best
    ]
    more = f"The best {len(best)} of {ds.sizes['candidate']}."
    return [*tables, _table("Candidates", head, rows, more)]


def _share_of(error: float, value: float) -> str:
    return f"{100 * error / value:.2g} %" if error < value else "–"


def _series_tables(ds) -> list[str]:
    warm = "temperature" in ds
    units = [pretty_unit(str(u)) for u in ds.parameter_unit.values]
    names = [f"{n} ({u})" if u else str(n) for n, u in zip(ds.parameter.values, units, strict=True)]
    head = ["spectrum", *(["T (°C)"] if warm else []), *names, "relative RMSE"]
    rows = []
    for k, spectrum in enumerate(ds.spectrum.values):
        values = [plus_minus(float(v), float(e)) for v, e in zip(ds["value"][k], ds.standard_error[k], strict=True)]
        celsius = [f"{float(ds.temperature[k]) - 273.15:.1f}"] if warm else []
        rows.append([str(spectrum), *celsius, *values, f"{100 * float(ds.relative_rmse[k]):.2g} %"])
    tables = [_table("Parameters of each spectrum", head, rows)]
    if "derived_value" in ds:
        units = [pretty_unit(str(u)) for u in ds.derived_unit.values]
        names = [f"{n} ({u})" if u not in ("", "1") else str(n) for n, u in zip(ds.derived.values, units, strict=True)]
        pairs = zip(ds.derived_value.values, ds.derived_error.values, strict=True)
        rows = [
            [str(spectrum), *(plus_minus(float(v), float(e)) for v, e in zip(*row, strict=True))]
            for spectrum, row in zip(ds.spectrum.values, pairs, strict=True)
        ]
        tables.append(_table("What follows from them", ["spectrum", *names], rows))
    return tables


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    cells = "".join(f"<th>{_text(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(c)}</td>" for c in row) + "</tr>" for row in rows)
    note = f'<p class="soft">{_text(caption)}</p>' if caption else ""
    return f'<h2>{_text(title)}</h2><div class="scroll"><table><tr>{cells}</tr>{body}</table></div>{note}'


def _figure(path: Path) -> str:
    name = Path(path).stem
    kind, _, which = name.partition("-")
    caption = CAPTIONS.get(kind, name) + (f" ({which})" if which else "")
    data = base64.b64encode(Path(path).read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{_text(name)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _warnings(ds) -> str:
    items = "".join(f"<li>{_text(warning)}</li>" for warning in json.loads(ds.attrs.get("warnings", "[]")))
    return f"<h2>To be careful about</h2><ul>{items}</ul>" if items else ""


def _sources(ds) -> str:
    materials = json.loads(ds.attrs.get("materials", "[]"))
    if not materials:
        return ""
    items = "".join(f"<li><b>{_text(name)}</b>: {_text(citation)}</li>" for name, citation in materials)
    return f"<h2>Sources of the material numbers</h2><ul>{items}</ul>"


def _notes(ds) -> str:
    notes = json.loads(ds.attrs.get("notes", "[]"))
    digest = (
        f"<li>SHA-256 of {_text(ds.attrs['data'])}: {_text(ds.attrs['sha256'])}</li>" if ds.attrs.get("sha256") else ""
    )
    items = "".join(f"<li>{_text(note)}</li>" for note in notes) + digest
    return f"<h2>How the data were read</h2><ul>{items}</ul>" if items else ""


def _versions(ds) -> str:
    found: Mapping[str, str] = json.loads(ds.attrs.get("versions", "{}"))
    words = ", ".join(f"{name} {version}" for name, version in found.items())
    return f'<h2>Versions</h2><p class="soft">{_text(words)}</p>' if words else ""


def _made(ds) -> str:
    version = json.loads(ds.attrs.get("versions", "{}")).get("ionics-toolkit", "")
    when = ds.attrs.get("created", "").replace("T", " ").replace("+00:00", " UTC")
    return f"ionics {version}, {when}".strip(" ,")


def _or_dash(value: float, write) -> str:
    return write(value) if math.isfinite(value) else "–"


def _text(value: object) -> str:
    return html.escape(str(value))


# ------------------------------------------------------------------------------------------------- the folder


def write_result(
    result: xr.Dataset | xr.DataTree, folder: str | Path, progress: Callable[[str], None] | None = None
) -> Path:
    """Write result.nc, config.yaml, the pictures and report.html as one folder that appears when it is whole.

    A folder that holds nothing but an earlier result is replaced; any other folder with files in it is refused with
    FileExistsError.
    """
    tell = progress or (lambda text: None)
    with replacing(Path(folder)) as new:
        tell("writing the result")
        results.save(result, new / "result.nc")
        (new / "config.yaml").write_text(result.attrs.get("config", ""), encoding="utf-8")
        _write_fitted(result, new)
        _write_atoms(result, new)
        tell("drawing")
        draw(result, new)
    return Path(folder)


def _write_fitted(result: xr.Dataset | xr.DataTree, folder: Path) -> None:
    """Stacks with their fitted values, as configurations that run."""
    members = {"": result} if isinstance(result, xr.Dataset) else {f"-{n}": m for n, m in result.children.items()}
    for name, member in members.items():
        if "fitted" in member.attrs:
            (folder / f"fitted{name}.yaml").write_text(member.attrs["fitted"], encoding="utf-8")


def _write_atoms(result: xr.Dataset | xr.DataTree, folder: Path) -> None:
    """Of an atomistic interface: the stack it hands over, its atoms, and every structure that was visited."""
    for name, key in (("stack.yaml", "stack"), ("interface.extxyz", "atoms")):
        if result.attrs.get(key):
            (folder / name).write_text(result.attrs[key], encoding="utf-8")
    if Path(result.attrs.get("database", "")).is_file():
        shutil.copyfile(result.attrs["database"], folder / "search.db")


def open_result(path: str | Path) -> xr.Dataset | xr.DataTree:
    """A result from its folder or its file; `.ionics` draws it."""
    return results.open_result(path)


def redraw(result: xr.Dataset | xr.DataTree, folder: str | Path) -> list[Path]:
    """Draw the pictures and the report of a result again, into the folder it is in or another."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".drawing.", dir=folder) as new:
        return [path.replace(folder / path.name) for path in draw(result, Path(new))]


def draw(result: xr.Dataset | xr.DataTree, folder: Path) -> list[Path]:
    """The pictures and the report of a result, into an existing folder."""
    pictures = plots.write_figures(result, folder)
    if isinstance(result, xr.DataTree):
        for name, member in _told(result).items():
            only = "" if name == "together" else "fit"
            pictures += plots.write_figures(member, folder, suffix=f"-{name}", only=only)
    return [*pictures, write_report(result, folder / "report.html", pictures)]


def _told(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """What was fitted to a whole series, then the members of which pictures are drawn: all, or the worst of many."""
    members = {str(name): child.to_dataset(inherit=False) for name, child in tree.children.items()}
    together = {"together": joint_of(tree)} if members.pop("together", None) is not None else {}
    if len(members) > MOST_DRAWN:
        worst = sorted(members, key=lambda name: -float(members[name].relative_rmse))[:MOST_DRAWN]
        members = {name: members[name] for name in members if name in worst}
    return together | members
