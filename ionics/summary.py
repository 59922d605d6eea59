"""What a result says: contributions of the elements, and the verdict in sentences with readable numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import xarray as xr

from ionics.quantity import duration, quantity
from ionics.results import impedance_of, parts_of, variable

NOISE = 1e-10  # of |Z|: a share below is rounding
ARC = 0.2  # of the range of an element's real part: a summit below is a ripple on something else (1/2 for one R || C)
LEAST_SHARE = 0.005  # of the resistance: an element below is not listed with its interval
LOPSIDED = 0.15  # of the draws: more of them on one side of the central value are told
MOST_NAMED = 8  # kinds of steps in a verdict
FLAT = 1e-3  # of an element's own |Z|: a summit of -Im Z below is no arc


def reference_frequency(ds: xr.Dataset) -> float:
    """Where resistances are read off [Hz]: the lowest frequency, or the foot of the tail of a blocked cell.

    The foot is the last minimum of -Im Z on the way down in frequency, if there is one.
    """
    frequency = np.sort(ds.frequency.values)
    y = -np.imag(impedance_of(ds).sortby("frequency").values)
    valleys = np.flatnonzero((y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])) + 1
    return float(frequency[valleys[0]] if blocking(ds) and len(valleys) else frequency[0])


def contributions(ds: xr.Dataset) -> xr.Dataset:
    """What each element adds: resistance and share at the reference frequency, arc frequency, capacitance.

    The capacitance is that of the highest arc, 1 / (4 pi f_peak (-Im Z)_peak), exact for one R in parallel
    with one C; of an element without an arc that blocks at the lowest frequency, -1 / (omega Im Z); otherwise
    NaN.
    """
    parts = parts_of(ds).transpose("element", "frequency").sortby("frequency")
    frequency = parts.frequency.values
    least = NOISE * abs(parts.values.sum(axis=0)).max()
    rows = [_arc(frequency, part) if abs(part).max() > least else (math.nan, math.nan) for part in parts.values]
    low = reference_frequency(ds)
    resistance = np.real(parts.sel(frequency=low).values)
    total = resistance.sum()
    axis, area = ("element",), parts.attrs["units"].removeprefix("ohm").strip()
    farad = f"F/{area}" if area else "F"
    return xr.Dataset(
        {
            "resistance": variable(axis, resistance, parts.attrs["units"], f"real part at {low:.6g} Hz"),
            "share": variable(axis, resistance / total, "1", f"share of the real part at {low:.6g} Hz"),
            "peak_frequency": variable(axis, [r[0] for r in rows], "Hz", "frequency of the arc's summit"),
            "capacitance": variable(axis, [r[1] for r in rows], farad, "effective capacitance"),
        },
        coords={"element": ds.element.values},
    )


def _arc(frequency, z) -> tuple[float, float]:
    """Frequency of the highest interior summit of -Im Z and the effective capacitance."""
    y = -z.imag
    summits = [i for i in range(1, len(y) - 1) if y[i] > y[i - 1] and y[i] >= y[i + 1] and y[i] > FLAT * abs(z).max()]
    i = max(summits, key=lambda k: y[k], default=0)
    if y[i] > ARC * np.ptp(z.real) and i:
        f, height = _summit(np.log(frequency[i - 1 : i + 2]), y[i - 1 : i + 2])
        return f, 1 / (4 * math.pi * f * height)
    if y[0] > abs(z[0].real):
        return math.nan, 1 / (2 * math.pi * frequency[0] * y[0])
    return math.nan, math.nan


def _summit(log_frequency, y) -> tuple[float, float]:
    """Frequency and height of the top of 1/y = a f + b/f through three points, which is the arc of one R and one C."""
    if (y <= 0).any():
        return float(np.exp(log_frequency[1])), float(y[1])
    x = np.exp(log_frequency - log_frequency[1])
    (a, b), *_ = np.linalg.lstsq(np.column_stack([x, 1 / x]), 1 / y, rcond=None)
    if not (a > 0 and b > 0):
        return float(np.exp(log_frequency[1])), float(y[1])
    return float(np.exp(log_frequency[1]) * math.sqrt(b / a)), 1 / (2 * math.sqrt(a * b))


def blocking(ds: xr.Dataset) -> bool:
    """Whether no direct current can pass: at the lowest frequency Z points down rather than to the right."""
    z = impedance_of(ds).sortby("frequency").values
    return bool(-z[0].imag > abs(z[0].real) and (len(z) == 1 or -z[0].imag > -z[1].imag))


def verdict(result: xr.Dataset | xr.DataTree) -> list[str]:
    """The result in sentences, the most important first."""
    ds = result.to_dataset() if isinstance(result, xr.DataTree) else result
    if ds.attrs.get("kind") in ("fit", "joint", "capacity-rate"):
        return _fit_verdict(ds)
    if ds.attrs.get("kind") == "series":
        return _series_verdict(ds)
    if ds.attrs.get("kind") == "protocol":
        return _protocol_verdict(ds)
    if ds.attrs.get("kind") in ("design", "interface"):
        return [f"{text[:1].upper()}{text[1:]}." for text in ds.attrs["sentences"].split("\n")]
    celsius = quantity(float(ds.temperature) - 273.15, "°C", prefix=False)
    current = float(ds.current)
    if abs(current) < 1e-12:
        sentences = [f"The cell rests at {float(ds.voltage):.4g} V at {celsius}."]
    else:
        way = "discharge" if current > 0 else "charge"
        density = quantity(abs(current) / 1e4, "A/cm²")
        sentences = [f"The cell is at {float(ds.voltage):.4g} V on {way} at {density}, {celsius}."]
    if int(ds.attrs["result"]) != 0:
        sentences.insert(0, f"Do not use these numbers: {ds.attrs['message']}")
    if "z_real" in ds:
        sentences += _resistance_sentences(ds)
    sentences += _uncertain_sentences(ds) if "uncertainty" in ds.attrs else []
    pinned = json.loads(ds.attrs.get("pinned", "[]"))
    return sentences + [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in pinned]


def intervals_of(ds: xr.Dataset) -> list[tuple[str, str, float, list[tuple[float, float]]]]:
    """Of a run on uncertain numbers: name, unit, central value and (low, high) of 68 and 95 % of what follows."""
    found = []

    def add(name, central, values, unit):
        edges = [float(x) for x in values]
        if all(map(math.isfinite, edges)):
            found.append((name, unit, float(central), [(edges[1], edges[3]), (edges[0], edges[4])]))

    if "resistance_quantile" in ds:
        at = f"at {quantity(reference_frequency(ds), 'Hz')}"
        at = "at the foot of the blocking tail" if blocking(ds) else at  # of each draw
        add(f"resistance {at}", ds.resistance, ds.resistance_quantile.values, "Ω cm²")
        for k, name in enumerate(ds.element.values):
            own = ds.isel(element=k)
            if abs(float(own.element_share)) > LEAST_SHARE:
                add(f"{name}, resistance {at}", own.element_resistance, own.element_resistance_quantile.values, "Ω cm²")
                share, shares = 100 * own.element_share, 100 * own.element_share_quantile.values
                add(f"{name}, share of it", share, shares, "%")
    if "junction_capacitance_quantile" in ds:
        for k, name in enumerate(ds.element.values):
            own = ds.isel(element=k)
            edges = own.junction_capacitance_quantile.values
            add(f"{name}, capacitance at rest", own.junction_capacitance, edges, "F/cm²")
    if "voltage_quantile" in ds and np.ptp(ds.voltage_quantile.values) > 1e-6:
        add("voltage", ds.voltage, ds.voltage_quantile.values, "V")
    return found


def _uncertain_sentences(ds) -> list[str]:
    """The interval of the resistance (or voltage), where it comes from, and what became of the draws."""
    found, sentences = intervals_of(ds), []
    if found:
        name, unit, _, ((low, high), (least, most)) = found[0]
        words = [f"{quantity(a, unit)} to {quantity(b, unit)}" for a, b in ((low, high), (least, most))]
        sentences.append(f"With the uncertain numbers, {name}: 68 % interval {words[0]}, 95 % {words[1]}.")
    if "resistance_draw" in ds:
        above = float((ds.resistance_draw > ds.resistance).mean())
        if abs(above - 0.5) > LOPSIDED:
            middle, own = (quantity(float(x), "Ω cm²") for x in (ds.resistance_quantile[2], ds.resistance))
            sentences.append(f"{100 * above:.0f} % of the draws lie above the central {own}; their median is {middle}.")
    if ds.sizes.get("answer"):
        own = ds.isel(answer=0)
        first = int(np.argmax(own.influence.values))
        share, name = 100 * float(own.influence[first]), ds.uncertain.values[first]
        if share >= 1:
            sentences.append(f"{share:.0f} % of the spread of the {ds.answer.values[0]} comes from {name}.")
    return sentences + [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs["uncertainty"])]


def charging_steps(ds: xr.Dataset) -> list[int]:
    """Steps of a protocol that pass charge in one direction without a sweep or a held voltage."""
    charge, kinds = ds.step_charge.values, ds.step_kind.values
    least = 1e-6 * max(abs(charge).max(), 1e-300)
    return [
        n for n, kind in enumerate(kinds) if kind in ("current", "c_rate", "power", "load") and abs(charge[n]) > least
    ]


def _protocol_verdict(ds) -> list[str]:
    time, last = float(ds.time[-1] - ds.time[0]), float(ds.voltage[-1])
    done, planned = ds.sizes["step"], int(ds.attrs["steps_planned"])
    sentences = [f"{done} steps in {duration(time)}; the cell ends at {last:.4g} V."]
    if not int(ds.attrs["complete"]):
        sentences.insert(0, f"Not finished, {done} of {planned} steps: {ds.attrs['message']}.")
    charging = charging_steps(ds)
    by_name: dict[str, list[int]] = {}
    for n in charging:
        by_name.setdefault(str(ds.step_name.values[n]), []).append(n)
    for name, steps in list(by_name.items())[:MOST_NAMED]:
        passed = quantity(float(abs(ds.step_charge.values[steps]).sum()) / 3.6e7, "Ah/cm²")
        times = f", {len(steps)} times" if len(steps) > 1 else ""
        took = duration(float(ds.step_duration.values[steps].sum()))
        end = str(ds.step_end.values[steps[-1]])
        until = end if end == "interrupted" else f"to {end}"
        sentences.append(f"{name[:1].upper()}{name[1:]}{times}: {passed} in {took}, {until}.")
    sentences += [f"Step {n + 1}: {end}." for n, end in enumerate(map(str, ds.step_end.values)) if "skipped" in end][:3]
    sentences += _eaters(ds, charging)
    return sentences + (_resistance_sentences(ds) if "z_real" in ds else [])


def _eaters(ds, charging: list[int]) -> list[str]:
    """Who takes most of the voltage half way through the step with the largest current."""
    if "overpotential" not in ds or not charging:
        return []
    of, size = ds.step_of_row.values, [abs(ds.current.values[ds.step_of_row.values == n]).mean() for n in charging]
    n = charging[int(np.argmax(size))]
    rows = np.flatnonzero(of == n)
    half = 0.5 * (ds.charge.values[rows[0]] + ds.charge.values[rows[-1]])
    row = rows[int(np.argmin(abs(ds.charge.values[rows] - half)))]
    parts = ds.overpotential.values[row]
    total, first = parts.sum(), int(np.argmax(abs(parts)))
    if abs(total) < 1e-4:
        return []
    words = f"{quantity(abs(parts[first]), 'V')} ({100 * parts[first] / total:.0f} %) is {ds.loss.values[first]}"
    return [f"Half way through '{ds.step_name.values[n]}' {quantity(abs(total), 'V')} are lost; {words}."]


def _resistance_sentences(ds) -> list[str]:
    low = reference_frequency(ds)
    total = float(ds.z_real.sel(frequency=low))
    ohms = (
        f" ({quantity(total / (float(ds.area) * 1e4), 'Ω')} on {float(ds.area) * 1e4:.3g} cm²)" if "area" in ds else ""
    )
    share = contributions(ds)["share"]
    first = share.isel(element=int(np.argmax(share.values)))
    size = f"{100 * float(first):.0f} % of it is {_article(str(first.element.item()))}"
    where = f"at {quantity(low, 'Hz')}"
    if blocking(ds):
        real = f"{where} the real part of Z is {quantity(total, 'Ω cm²')}{ohms}"
        foot = "at the foot of the blocking tail, " if low > float(ds.frequency.min()) else ""
        return [f"Direct current is blocked; {foot}{real}, and {size}."]
    return [f"The resistance {where} is {quantity(total, 'Ω cm²')}{ohms}; {size}.", *_space_charges(ds, low)]


def _space_charges(ds, low) -> list[str]:
    """What space charge adds to the bulk of layers with one carrier, where it is more than a twentieth of the whole."""
    if "bulk_resistance" not in ds:
        return []
    found, total = [], float(ds.z_real.sel(frequency=low))
    for element in ds.element.values:
        bulk = float(ds.bulk_resistance.sel(element=element))
        excess = float(ds.z_part_real.sel(element=element, frequency=low)) - bulk
        if math.isfinite(bulk) and excess > 0.05 * total:
            added, own = quantity(excess, "Ω cm²"), quantity(bulk, "Ω cm²")
            found.append(f"Of the {element}, {own} is its neutral bulk; {added} is its space charge.")
    return found


def _article(element: str) -> str:
    return f"the junction {element}" if " | " in element else f"the {element}"


def _fit_verdict(ds) -> list[str]:
    text = str(ds.attrs["message"])
    starts = f"{ds.attrs['starts_at_best']} of {ds.sizes['start']} starts found this optimum"
    size = f"Reduced chi-squared {float(ds.reduced_chi_squared):.4g}; " if "reduced_chi_squared" in ds else ""
    sentences = [f"{text[:1].upper()}{text[1:]}.", f"{size}{starts}."]
    sentences += [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs["undetermined"])]
    sentences += [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs["limits"])]
    sentences += [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs.get("elsewhere", "[]"))]
    sentences += [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs.get("limiting", "[]"))]
    sentences += [f"{text}." for text in json.loads(ds.attrs.get("profiles", "[]")) if " lies between " not in text]
    beside = {"ceramic": "Grain boundaries", "profile_warning": "Profiles", "posterior": "Posterior"}
    sentences += [f"{name}: {ds.attrs[key]}." for key, name in beside.items() if ds.attrs.get(key)]
    if "kk_message" in ds.attrs:
        sentences.append(f"The spectrum is {ds.attrs['kk_message']}.")
    return sentences


def _series_verdict(ds) -> list[str]:
    worst, count = int(np.argmax(ds.relative_rmse.values)), ds.sizes["spectrum"]
    sentences = [
        f"{count} {'spectrum' if count == 1 else 'spectra'} fitted; the worst, {ds.spectrum.values[worst]}, with "
        f"relative RMSE {100 * float(ds.relative_rmse[worst]):.2g} %."
    ]
    if "together" in ds.attrs:
        energies = [f"{text[:1].upper()}{text[1:]}." for text in json.loads(ds.attrs["together_energies"])]
        sentences = [f"{ds.attrs['together']}.", *energies, *sentences]
    if "consistent" in ds:
        failed = [str(name) for name in ds.spectrum.values[ds.consistent.values == 0]]
        named = ", ".join(failed[:MOST_NAMED]) + (" and others" if len(failed) > MOST_NAMED else "")
        sentences.append(
            f"{len(failed)} of them are not consistent with Kramers-Kronig: {named}."
            if failed
            else "All are consistent with Kramers-Kronig."
        )
        sentences += _outliers(ds)
    for name in ds.arrhenius.values if "arrhenius" in ds.dims else ():
        own = ds.sel(arrhenius=name)
        energy = f"{float(own.activation_energy):.3f} ± {float(own.activation_energy_error):.3f} eV"
        sentences.append(f"Activation energy of {name}: {energy} (R² = {float(own.r_squared):.4f}).")
    return sentences


def _outliers(ds) -> list[str]:
    """Spectra with points that do not belong to their neighbours."""
    told = []
    for name, text in zip(ds.spectrum.values, json.loads(ds.attrs["consistency"]), strict=True):
        points = text.partition("outlier")[2].partition(" at ")[2].split(", ")
        if "outlier" in text:
            told.append(f"{name} at {', '.join(points[:2])}" + (f" and {len(points) - 2} more" if points[2:] else ""))
    named = "; ".join(told[:MOST_NAMED])
    more = f"; and {len(told) - MOST_NAMED} more spectra" if len(told) > MOST_NAMED else ""
    return [f"Points that do not belong to their neighbours: {named}{more}."] if told else []
