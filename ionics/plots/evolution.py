"""Pictures of a protocol: what the terminals saw, who took which part of the voltage, and profiles as they change."""

from __future__ import annotations

from collections import Counter

import numpy as np
import xarray as xr

from ionics.plots.measured import plot_measured
from ionics.plots.style import (
    INK,
    OTHERS,
    PALETTE,
    SMALL,
    by_time,
    dress,
    legend_outside,
    length_unit,
    new_axes,
    scaled,
    shade_layers,
    span,
    time_unit,
    two_axes,
)
from ionics.summary import charging_steps

PROTOCOL, VOLTAGE, LOSSES, SWEEP, SURFACE = (8.4, 5.0), (7.0, 4.4), (9.4, 5.8), (6.4, 4.6), (6.8, 3.6)  # inches
MILLIAMPERE_HOURS = 1 / 36000.0  # mAh cm^-2 in C m^-2
CM2 = 1e-4  # m2
LABELLED = 9  # steps, at most, that are told apart by colour
MOST_LABELS = 12  # of curves in a legend
SEEN = 9  # snapshots that are drawn
LEAST = 0.01  # of the largest loss: smaller ones are drawn together
FACES = ("contact", "junction")
CHANGED = 1e-3  # of the largest concentration of a carrier, for its profile to be drawn


def in_time(ds: xr.Dataset) -> dict[str, tuple]:
    """The pictures that a protocol has: name -> plot, rows of axes, size."""
    found = {"protocol": (plot_protocol, 2 + _warms(ds), PROTOCOL)}
    if len(charging_steps(ds)):
        found["voltage"] = (plot_voltage, 1, VOLTAGE)
    if len(_sweeps(ds)):
        found["sweep"] = (plot_sweep, 1, SWEEP)
    if len(_warming(ds)):
        found["thermal"] = (plot_thermal, 1, SWEEP)
    if "overpotential" in ds and np.abs(ds.overpotential.values).max() > 1e-4:
        found["losses"] = (plot_losses, 2, LOSSES)
    if "slot" in ds.dims:
        found["junctions"] = (plot_surface, 1, SURFACE)
    if "measured" in ds.dims:
        found["spectra"] = (plot_measured, 0)
    if "place" in ds.dims:
        from ionics.plots.electrodes import plot_electrodes

        return found | {"electrodes": (plot_electrodes, 0)}
    return found | {"moments": (plot_moments, 0)}


def plot_protocol(ds: xr.Dataset, axes=None):
    """Voltage and current (and the temperature, if it changes) against time; steps are shaded in turn."""
    rows = 2 + _warms(ds)
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(rows, 1, sharex=True, figsize=PROTOCOL, layout="constrained")[1]
    t, unit = _time(ds)
    axes[0].plot(t, ds.voltage.values, color=PALETTE[0], linewidth=1.8)
    if "open_circuit" in ds:
        axes[0].plot(t, ds.open_circuit.values, color=OTHERS, linewidth=1.2, linestyle="--")
        axes[0].plot([], [], color=PALETTE[0], linewidth=1.8, label="at the terminals")
        axes[0].plot([], [], color=OTHERS, linewidth=1.2, linestyle="--", label="open circuit of the mean composition")
        axes[0].legend(frameon=False, fontsize=SMALL, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    axes[0].set_ylabel("voltage (V)")
    factor, ampere = _current(ds)
    axes[1].plot(t, np.where(_first_instants(ds), np.nan, ds.current.values) * factor, color=PALETTE[5], linewidth=1.8)
    axes[1].axhline(0, color=INK, linewidth=0.6)
    _crop(axes[1], ds, ds.current.values * factor)
    axes[1].set_ylabel(f"current ({ampere})")
    if rows == 3:
        axes[2].plot(t, ds.temperature.values, color=PALETTE[2], linewidth=1.8)
        axes[2].set_ylabel("temperature (K)")
    for ax in axes:
        _shade_steps(ax, ds, t)
        ax.set_xlim(t[0], t[-1])
        dress(ax)
    axes[-1].set_xlabel(f"time ({unit})")
    return axes


def plot_voltage(ds: xr.Dataset, ax=None):
    """Voltage against the charge passed: of each step, or one after another where the current never turns round."""
    ax = new_axes(ax, VOLTAGE)
    steps = charging_steps(ds)
    charge, voltage, of = ds.charge.values * MILLIAMPERE_HOURS, ds.voltage.values, ds.step_of_row.values
    turns = len(np.unique(np.sign(ds.step_charge.values[steps]))) > 1
    factor, unit = scaled(max(np.ptp(charge), 1e-12) / 1e3, "Ah/cm^2")
    factor /= 1e3
    if len(steps) > LABELLED and not turns:
        ax.plot(abs(charge - charge[0]) * factor, voltage, color=PALETTE[0], linewidth=1.4, label="at the terminals")
        if "open_circuit" in ds:
            rest = ds.open_circuit.values
            ax.plot(abs(charge - charge[0]) * factor, rest, "--", color=OTHERS, linewidth=1.2, label="open circuit")
        ax.legend(frameon=False, fontsize=9)
    else:
        names = Counter(str(ds.step_name.values[n]) for n in steps)
        several = len(steps) > len(names) or len(names) > LABELLED
        numbered = several and len(steps) <= MOST_LABELS
        for k, n in enumerate(steps):
            own, name = of == n, str(ds.step_name.values[n])
            shade = by_time(k / max(len(steps) - 1, 1)) if several else _apart(k)
            style = "-" if ds.step_charge.values[n] > 0 else "--"
            passed = abs(charge[own] - charge[own][0]) * factor
            again = names.pop(name, 0)  # said where the name comes first
            label = (
                f"{k + 1}: {name}" if numbered else f"{name}, {again} times" if again > 1 else name if again else None
            )
            ax.plot(passed, voltage[own], style, color=shade, linewidth=1.8, label=label)
        if len(ax.get_legend_handles_labels()[1]) <= MOST_LABELS:
            legend_outside(ax)
    ax.set_xlabel(f"charge passed ({unit})")
    ax.set_ylabel("voltage (V)")
    ax.set_xlim(left=0)
    dress(ax)
    return ax


def plot_sweep(ds: xr.Dataset, ax=None):
    """Current against voltage while the voltage is swept; later sweeps are lighter."""
    ax = new_axes(ax, SWEEP)
    steps, factor, unit = _sweeps(ds), *_current(ds)
    arrows = []
    for k, n in enumerate(steps):
        own = (ds.step_of_row.values == n) & ~_first_instants(ds)
        shade = by_time(k / max(len(steps) - 1, 1)) if len(steps) > 1 else PALETTE[0]
        voltage, current = ds.voltage.values[own], ds.current.values[own] * factor
        ax.plot(voltage, current, color=shade, linewidth=1.6)
        if len(voltage) > 4 and k < 2:
            arrows.append((voltage, current, shade))
    ax.axhline(0, color=INK, linewidth=0.6)
    for voltage, current, shade in arrows:
        at = int(np.argmin(abs(voltage - 0.5 * (voltage[0] + voltage[-1]))))
        at = min(max(at, 1), len(voltage) - 1)
        ends = (voltage[at - 1], current[at - 1]), (voltage[at], current[at])
        ax.annotate(
            "", ends[1], ends[0], arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 1.6, "mutation_scale": 16}
        )
    ax.set_xlabel("voltage (V)")
    ax.set_ylabel(f"current ({unit}), discharge positive")
    dress(ax)
    return ax


def plot_thermal(ds: xr.Dataset, ax=None):
    """Current against temperature in the steps that change it."""
    ax, (factor, unit) = new_axes(ax, SWEEP), (1.0, "")
    rows = [(n, (ds.step_of_row.values == n) & ~_first_instants(ds)) for n in _warming(ds)]
    largest = max((abs(ds.current.values[own]).max() for _, own in rows), default=0.0)
    factor, unit = scaled(largest * CM2, "A/cm^2")
    for k, (n, own) in enumerate(rows):
        current = ds.current.values[own] * factor * CM2
        ax.plot(ds.temperature.values[own], current, color=_apart(k), linewidth=1.8, label=str(ds.step_name.values[n]))
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_xlabel("temperature (K)")
    ax.set_ylabel(f"current ({unit}), discharge positive")
    ax.legend(frameon=False, fontsize=9)
    dress(ax)
    return ax


def plot_losses(ds: xr.Dataset, axes=None):
    """Who eats the voltage: above, voltage and open circuit; below, what lies between them, stacked by its causes."""
    upper, lower = two_axes(axes, LOSSES)
    t, unit = _time(ds)
    upper.plot(t, ds.voltage.values, color=INK, linewidth=1.6, label="voltage")
    upper.plot(t, ds.open_circuit.values, color=OTHERS, linewidth=1.4, linestyle="--", label="open circuit")
    upper.set_ylabel("voltage (V)")
    legend_outside(upper)
    parts = ds.overpotential.values * 1e3
    total = parts.sum(axis=1)
    sizes = np.array([_usual(ds, np.abs(part)) for part in parts.T])
    shown = [k for k in np.argsort(-sizes)[: len(PALETTE) - 1] if sizes[k] > LEAST * sizes.max()]
    columns = [(str(ds.loss.values[k]), parts[:, k], PALETTE[i]) for i, k in enumerate(sorted(shown))]
    rest = [k for k in range(len(sizes)) if k not in shown]
    if rest and sizes[rest].sum() > LEAST * sizes.max():
        columns.append((f"{len(rest)} others", parts[:, rest].sum(axis=1), OTHERS))
    above, below = np.zeros(len(t)), np.zeros(len(t))
    for name, part, shade in columns:
        for sign, base in ((1, above), (-1, below)):
            own = np.where(sign * part > 0, part, 0.0)
            lower.fill_between(t, base, base + own, color=shade, alpha=0.6, linewidth=0)
            base += own
        lower.fill_between([], [], [], color=shade, alpha=0.6, label=name)
    lower.plot(t, total, color=INK, linewidth=1.2, label="voltage − open circuit")
    lower.axhline(0, color=INK, linewidth=0.6)
    _crop_losses(lower, ds, below, above)
    lower.set_ylabel("share of voltage − open circuit (mV)")
    legend_outside(lower)
    for ax in (upper, lower):
        ax.set_xlim(t[0], t[-1])
        _shade_steps(ax, ds, t)
        dress(ax)
    lower.set_xlabel(f"time ({unit})")
    return np.array([upper, lower])


def _crop_losses(ax, ds, below, above):
    """Limits that the last moments of a discharge do not blow up; what is cut off is said."""
    low, high = _usual(ds, -below), _usual(ds, above)
    low, high = 1.15 * max(low, 0.06 * high), 1.15 * max(high, 0.06 * low)
    ax.set_ylim(-low, high)
    if -below.min() > low or above.max() > high:
        worst = below.min() if -below.min() > above.max() else above.max()
        ax.set_title(f"goes to {worst:.0f} mV for a moment".replace("-", "−"), loc="right", fontsize=SMALL, color=INK)


def _usual(ds, size) -> float:
    """The largest, or half as much again as what is exceeded for less than a fiftieth of the time.

    Every step counts as long as every other.
    """
    if not size.max() > 0:
        return 0.0
    of, t = ds.step_of_row.values, ds.time.values
    lasts = np.zeros(len(t))
    for n in range(ds.sizes["step"]):
        own = of == n
        if own.sum() > 1 and np.ptp(t[own]) > 0:
            lasts[own] = np.gradient(t[own]) / np.ptp(t[own])
    order = np.argsort(size)
    share = np.cumsum(lasts[order]) / max(lasts.sum(), 1e-300)
    at = min(int(np.searchsorted(share, 0.98)), len(t) - 1)
    return float(min(size.max(), 1.5 * size[order][at]))


def plot_surface(ds: xr.Dataset, ax=None):
    """What the junctions store: thickness of films, filling of interface states."""
    ax = new_axes(ax, SURFACE)
    t, unit = _time(ds)
    films, held = ds.slot_unit.values == "m", ds.surface.values
    factor, length = length_unit(held[:, films].max()) if films.any() else (1.0, "")
    beside = ax.twinx() if films.any() and not films.all() else ax
    places = {str(name).rpartition(": ")[0] for name in ds.slot.values}
    for k, name in enumerate(map(str, ds.slot.values)):
        if held[:, k].max() < 1e-2 * held[:, films == films[k]].max():
            continue
        on, scale = (ax, factor) if films[k] else (beside, 1e6)
        on.plot(t, held[:, k] * scale, color=_apart(k), linewidth=1.8)
        ax.plot([], [], color=_apart(k), linewidth=1.8, label=name if len(places) > 1 else name.rpartition(": ")[2])
    if len(places) == 1:
        ax.set_title(next(iter(places)), loc="left", fontsize=10)
    ax.set_ylabel(f"thickness ({length})" if films.any() else "amount (µmol/m²)")
    if beside is not ax:
        beside.set_ylabel("amount (µmol/m²)")
    legend_outside(ax)
    ax.set_xlim(t[0], t[-1])
    _shade_steps(ax, ds, t)
    ax.set_xlabel(f"time ({unit})")
    dress(ax)
    return ax


def plot_moments(ds: xr.Dataset, figure=None):
    """Profiles at several times, from dark to light: what is lost on the way (or the potential), what changes."""
    wanted = np.linspace(float(ds.time.min()), float(ds.time.max()), SEEN)
    nearest = np.argmin(abs(ds.snapshot_time.values[:, None] - wanted), axis=0)
    in_turn = np.linspace(0, ds.sizes["snapshot"] - 1, SEEN).astype(int)
    some = ds.isel(snapshot=np.unique([*in_turn[::2], *nearest[::2]]))
    changing = _changing(some)
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    if "current_path" in ds:
        columns = [("voltage lost up to x (mV)", 1e3 * _lost(some))]
    else:
        columns = [("potential (V)", some.potential.values)]
    columns += [
        (f"concentration of {ds.carrier.values[k]} (mol/m³)", some.concentration.values[:, k]) for k in changing
    ]
    across, down = len(columns), 1
    figure.set_size_inches(1.6 + (5.4 if across == 1 else 4.2) * across, 3.8)
    axes = figure.subplots(down, across, squeeze=False)
    total = float(ds.time.max() - ds.time.min()) or 1.0
    factor, unit = length_unit(float(np.ptp(ds.x.values)))
    x, layers = ds.x.values * factor, ds.layer.values
    for ax, (label, profiles) in zip(axes.ravel(), columns, strict=False):
        shade_layers(ax, ds, x, x.min(), x.max(), letters=42)
        for n, profile in enumerate(profiles):
            shade = by_time((float(some.snapshot_time[n]) - float(ds.time.min())) / total)
            for name in dict.fromkeys(layers):
                own = layers == name
                ax.plot(x[own], profile[own], color=shade, linewidth=1.5)
        ax.set_ylabel(label)
        ax.set_xlabel(f"x ({unit})")
        ax.set_xlim(x.min(), x.max())
        finite = profiles[np.isfinite(profiles)]
        span(ax, finite, max(2e-3, 1e-3 * np.abs(finite).max(initial=0.0)))
        dress(ax)
        ax.ticklabel_format(axis="y", useOffset=False, style="plain")
    time_bar(figure, axes, ds)
    return axes


def time_bar(figure, axes, ds):
    """The colours of the times."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    t, unit = _time(ds)
    colours = ListedColormap(by_time(np.linspace(0, 1, 128)))
    scale = ScalarMappable(Normalize(t[0], t[-1] if t[-1] > t[0] else t[0] + 1), colours)
    bar = figure.colorbar(scale, ax=axes, shrink=0.85, pad=0.01, aspect=30)
    bar.set_label(f"time ({unit})", fontsize=10)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL)


def _lost(ds):
    """What flow and reactions have taken from the voltage on the way from the left metal [V] (snapshot, node)."""
    species = dict(zip(dict.fromkeys(ds.layer.values), str(ds.current_path.values).split(" | "), strict=True))
    carriers, losses = [str(c) for c in ds.carrier.values], [str(name) for name in ds.loss.values]
    taken = ds.overpotential.values[ds.snapshot_row.values]
    faces = [name for name, kind in zip(ds.element.values, ds.element_kind.values, strict=True) if kind in FACES]
    found, before = np.empty_like(ds.potential.values), np.zeros(ds.sizes["snapshot"])
    for face, (layer, name) in zip(faces, species.items(), strict=False):
        for part in (str(face), f"film at {face}"):
            before = before + (taken[:, losses.index(part)] if part in losses else 0.0)
        own, k = ds.layer.values == layer, carriers.index(name)
        psi = ds.electrochemical_potential.values[:, k, own] / float(ds.charge_number[k])
        found[:, own] = before[:, None] + psi - psi[:, :1]
        before = found[:, own][:, -1]
    return found


def _changing(ds) -> list[int]:
    """Carriers whose concentration changes with time: neutral ones, and the one charged one that changes most."""
    values, found = ds.concentration.values, []
    for k in range(ds.sizes["carrier"]):
        own = values[:, k][:, np.isfinite(values[0, k])]
        if own.size:
            change = np.ptp(own, axis=0)
            found.append((np.median(change / abs(own).max()) + 0.01 * (change / abs(own).max()).max(), k))
    order = [k for share, k in sorted(found, reverse=True) if share > CHANGED]
    neutral = [k for k in order if float(ds.charge_number[k]) == 0]
    charged = [k for k in order if float(ds.charge_number[k]) != 0]
    return (neutral + charged[:1])[:2]


def _warms(ds) -> int:
    return int(np.ptp(ds.temperature.values) > 1e-6)


def _warming(ds) -> list[int]:
    of = ds.step_of_row.values
    return [n for n in range(ds.sizes["step"]) if np.ptp(ds.temperature.values[of == n]) > 1e-6]


def _apart(k: int) -> str:
    return PALETTE[(0, 5, 2, 1, 3, 4, 6, 7)[k % 8]]


def _sweeps(ds) -> list[int]:
    moved = [np.ptp(ds.voltage.values[ds.step_of_row.values == n]) for n in range(ds.sizes["step"])]
    return [n for n, kind in enumerate(ds.step_kind.values) if kind == "sweep" and moved[n] > 0]


def _time(ds):
    t = ds.time.values
    factor, unit = time_unit(float(t[-1] - t[0]))
    return t * factor, unit


def _current(ds):
    """Factor and unit of current densities, by what lasts: not by the spike after a jump."""
    size = max((abs(_lasting(ds, n)).max() for n in range(ds.sizes["step"])), default=0.0)
    factor, unit = scaled(size * CM2, "A/cm^2")
    return factor * CM2, unit


def _first_instants(ds):
    """Rows in which capacitances are charged after a jump: the first millionth of a step."""
    begin = ds.time.values[np.searchsorted(ds.step_of_row.values, ds.step_of_row.values)]
    lasts = ds.step_duration.values[ds.step_of_row.values]
    return (ds.time.values - begin < 1e-6 * lasts) & (np.append(np.diff(ds.step_of_row.values), 1) == 0)


def _lasting(ds, n):
    """Current of a step after the first hundredth of it."""
    own = ds.step_of_row.values == n
    t, current = ds.time.values[own], ds.current.values[own]
    later = current[t >= t[0] + 0.01 * (t[-1] - t[0])]
    return later if later.size else current


def _crop(ax, ds, current):
    """Limits that a spike at the beginning of a step does not blow up."""
    factor, _ = _current(ds)
    values = np.concatenate([_lasting(ds, n) for n in range(ds.sizes["step"])] + [np.zeros(1)]) * factor
    low, high = values.min(), values.max()
    room = 0.12 * ((high - low) or 1.0)
    if current.min() < low - 3 * room or current.max() > high + 3 * room:
        ax.set_ylim(low - 3 * room, high + 3 * room)


def _shade_steps(ax, ds, t):
    of = ds.step_of_row.values
    if ds.sizes["step"] > 60:
        return
    for n in range(1, ds.sizes["step"], 2):
        own = t[of == n]
        ax.axvspan(own[0], own[-1], color="#000000", alpha=0.05, linewidth=0, zorder=0)
