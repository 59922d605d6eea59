"""Pictures of parameters: profile likelihoods, draws of the posterior, values through a series."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from ionics.plots.spectra import complex_values, equal_limits
from ionics.plots.style import INK, PALETTE, SMALL, by_time, colour, dress, new_axes, scaled
from ionics.quantity import pretty_unit
from ionics.results import impedance_of, model_of

CONDITIONS = {
    "temperature": ("temperature (°C)", lambda kelvin: kelvin - 273.15),
    "state_of_charge": ("state of charge (%)", lambda share: 100 * share),
    "pressure": ("pressure (MPa)", lambda pascal: pascal / 1e6),
    "cycle": ("cycle", lambda number: number),
    "time": ("time (h)", lambda second: second / 3600),
}
LIMITS = ((1.0, "68 %"), (1.96**2, "95 %"))  # rises of chi-squared, by many degrees of freedom
SPECTRA = (6.4, 4.8)  # inches
MOST = 9  # parameters of a corner
LOOSE = 2.0  # an error above so many times the value says that it is not determined
MANY = 30  # spectra: no caps, thin points
APART = 12.0  # ratio of largest to smallest spectrum from which their axes are logarithmic


def condition_of(ds: xr.Dataset) -> str | None:
    """What varies most through a series."""
    found = [name for name in CONDITIONS if name in ds and len(np.unique(ds[name].values)) > 1]
    return max(found, key=lambda name: len(np.unique(ds[name].values)), default=None)


def plot_likelihoods(ds: xr.Dataset, figure=None):
    """How chi-squared rises as each parameter is held away from its best value; its parabola thin beside it."""
    names = [str(name) for name in ds.profiled.values]
    axes = _panels(figure, len(names), 3.1, 2.4)
    for ax, name in zip(axes, names, strict=False):
        own = ds.sel(profiled=name)
        best, error = float(ds["value"].sel(parameter=name)), float(ds.standard_error.sel(parameter=name))
        log, unit = bool(ds.log_scale.sel(parameter=name)), str(ds.parameter_unit.sel(parameter=name).item())
        value, rise = own.profile_value.values, own.profile_rise.values
        keep = np.isfinite(value) & (rise < 14)
        ax.plot(value[keep], rise[keep], "o-", color=PALETTE[0], markersize=2.5, linewidth=1.3)
        if np.isfinite(error) and error > 0:
            x = np.linspace(value[keep].min(), value[keep].max(), 200)
            away = np.log(x / best) / (error / best) if log else (x - best) / error
            ax.plot(x, away**2, color=INK, linewidth=0.7, linestyle="--")
        for height, share in LIMITS:
            ax.axhline(height, color="#999999", linewidth=0.7)
            ax.text(0.99, height, share, transform=ax.get_yaxis_transform(), ha="right", va="bottom", fontsize=7)
        if log and value[keep].max() / value[keep].min() > 3:
            ax.set_xscale("log")
        ax.set_ylim(-0.3, 11)
        ax.set_xlabel(_named(name, unit), fontsize=SMALL)
        dress(ax)
        ax.xaxis.label.set_size(SMALL)
    for ax in axes[:: _columns(len(names))]:
        ax.set_ylabel("rise of χ²")
    return axes


def plot_corner(ds: xr.Dataset, figure=None):
    """Draws of the posterior, by pairs and one by one, with the values of the fit. Needs the extra `bayes`."""
    import corner

    names = [str(name) for name in ds.parameter.values][:MOST]
    own = ds.sel(parameter=names)
    draws = own.posterior_draws.stack(one=("chain", "draw")).transpose("one", "parameter").values
    best = own["value"].values
    log = own.log_scale.values.astype(bool) & (draws.max(axis=0) / np.maximum(draws.min(axis=0), 1e-300) > 3)
    labels, factors = [], []
    for name, unit, is_log, size in zip(names, own.parameter_unit.values, log, abs(best), strict=True):
        power = 0 if is_log or 1e-3 <= size < 1e4 else int(np.floor(np.log10(size)))
        factors.append(10.0**-power)
        labels.append(("log10 " if is_log else "") + _named(name, str(unit)) + (f" × 1e{-power:+d}" if power else ""))
    shown, best = (
        np.where(log, np.log10(np.maximum(values, 1e-300)), values * np.array(factors)) for values in (draws, best)
    )
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure()
    figure.set_size_inches(1.0 + 1.5 * len(names), 1.0 + 1.5 * len(names))
    figure = corner.corner(
        shown, fig=figure, labels=labels, truths=list(best), truth_color=PALETTE[5], color=PALETTE[0],
        quantiles=[0.025, 0.5, 0.975], label_kwargs={"fontsize": SMALL}, max_n_ticks=3, plot_datapoints=False,
        levels=(0.393, 0.865), smooth=0.8, labelpad=0.18,
    )  # fmt: skip
    figure.subplots_adjust(top=0.98, right=0.98, left=0.12, bottom=0.12)
    for ax in figure.axes:
        ax.tick_params(labelsize=6.5)
    return figure.axes


def plot_series(ds: xr.Dataset, figure=None):
    """Every parameter through the series with its standard errors, and the misfit; open where Kramers-Kronig fails."""
    names, along = [str(name) for name in ds.parameter.values], condition_of(ds)
    axes = _panels(figure, len(names) + 1, 3.4, 2.2)
    if along is None:
        x, label = np.arange(1, ds.sizes["spectrum"] + 1), "spectrum"
    else:
        label, shown = CONDITIONS[along]
        x = shown(ds[along].values)
    sound = ds.consistent.values.astype(bool) if "consistent" in ds else np.ones(len(x), bool)
    for k, (ax, name) in enumerate(zip(axes, names, strict=False)):
        value, error = ds["value"].sel(parameter=name).values, ds.standard_error.sel(parameter=name).values
        _run(ax, x, value, error, sound, colour(k))
        ax.set_ylabel(_named(name, str(ds.parameter_unit.sel(parameter=name).item())))
    misfit = axes[len(names)]
    for keep, fill in ((sound, INK), (~sound, "white")):
        misfit.plot(x[keep], 100 * ds.relative_rmse.values[keep], "o", color=INK, markersize=3, markerfacecolor=fill)
    misfit.set_ylabel("relative RMSE (%)")
    misfit.set_ylim(0)
    for ax in axes:
        dress(ax)
        ax.yaxis.label.set_size(SMALL)
    for ax in axes[max(0, len(axes) - _columns(len(axes))) :]:
        ax.set_xlabel(label)
    return axes


def _run(ax, x, value, error, sound, color):
    """One parameter through a series. Values without an error (on a bound, not determined) set no limits: crosses."""
    known = np.isfinite(error) & (error < LOOSE * np.abs(value))
    known = known if known.any() else np.ones(len(x), bool)
    log = bool(np.all(value[known] > 0) and value[known].max() > 8 * value[known].min())
    low = np.minimum(error, 0.9 * value) if log else error
    for keep, fill in ((known & sound, color), (known & ~sound, "white")):
        ax.errorbar(
            x[keep], value[keep], yerr=np.nan_to_num(np.stack([low, error])[:, keep], posinf=0), fmt="o", color=color,
            markersize=3, markerfacecolor=fill, linewidth=0.8, capsize=1.5 if len(x) < MANY else 0,
        )  # fmt: skip
    ax.set_yscale("log" if log else "linear")
    middle = np.nanmedian(np.abs(value))
    if not log and np.ptp(value[known]) < 1e-6 * middle:
        ax.set_ylim(0.9 * value[known].min(), 1.1 * value[known].max())
    if not known.all():
        bottom, top = ax.get_ylim()
        inside = np.clip(value[~known], bottom, top)
        ax.plot(x[~known], inside, "x", color="#999999", markersize=4, markeredgewidth=0.8, clip_on=False, zorder=1)
        ax.set_ylim(bottom, top)


def plot_spectra(tree: xr.DataTree, ax=None):
    """All spectra of a series and their fits, from dark to light along what varies.

    The axes are logarithmic where one spectrum is more than APART times another.
    """
    ax = new_axes(ax, SPECTRA)
    root = tree.to_dataset()
    along = condition_of(root)
    members = [tree[_key(name)].to_dataset(inherit=False).sortby("frequency") for name in root.spectrum.values]
    number = root[along].values if along else np.arange(len(members), dtype=float)
    share = (number - number.min()) / max(np.ptp(number), 1e-300)
    models = [complex_values(model_of(ds)) for ds in members]
    scale, unit = scaled(float(np.percentile([np.max(z.real) for z in models], 90)), members[0].z_real.attrs["units"])
    for ds, z, place in zip(members, models, share, strict=True):
        data = complex_values(impedance_of(ds)) * scale
        ax.plot(data.real, -data.imag, "o", markersize=3, markerfacecolor="none", color=by_time(place), linewidth=0.7)
        ax.plot(z.real * scale, -z.imag * scale, color=by_time(place), linewidth=0.9)
    reach = [float(np.max(abs(z))) for z in models]
    if max(reach) > APART * min(reach):
        _decades(ax, np.concatenate([complex_values(impedance_of(ds)) for ds in members]) * scale)
    else:
        equal_limits(ax, np.concatenate(models) * scale)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    dress(ax)
    if along:
        from matplotlib import cm, colors

        label, shown = CONDITIONS[along]
        bounds = colors.Normalize(float(shown(number.min())), float(shown(number.max())))
        cmap = colors.ListedColormap(by_time(np.linspace(0, 1, 256)))
        bar = ax.figure.colorbar(cm.ScalarMappable(bounds, cmap), ax=ax, shrink=0.8, label=label)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=SMALL)
    return ax


def _decades(ax, z):
    """Logarithmic axes about what is capacitive."""
    z = z[(z.real > 0) & (z.imag < 0)]
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(0.7 * np.percentile(z.real, 0.2), 1.6 * z.real.max())
    ax.set_ylim(0.7 * np.percentile(-z.imag, 0.2), 1.6 * (-z.imag).max())


def _key(name) -> str:
    return str(name).replace("/", "-")


def _columns(count: int) -> int:
    return min(3, count)


def _panels(figure, count: int, width: float, height: float):
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    columns = _columns(count)
    rows = math.ceil(count / columns)
    figure.set_size_inches(width * columns, height * rows)
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    return np.array(axes)


def _named(name: str, unit: str) -> str:
    short = name if len(name) < 34 else "…" + name[-32:]
    return f"{short} ({pretty_unit(unit)})" if unit not in ("", "1") else short
