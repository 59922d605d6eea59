"""Pictures of spectrum images taken apart, and of ion networks."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.style import INK, OTHERS, colour, dress

NETWORK = (8.4, 3.6)  # inches
DIMENSIONS = ("pieces", "rings", "voids")


def plot_components(
    ds: xr.Dataset, figure=None, names: tuple[str, ...] | None = None, reference: xr.Dataset | None = None
):
    """Fractions of each component (maps, or lines of a line scan) above their spectra with one standard uncertainty.

    `ds` is what `factorise` or `endmembers` return; `reference` (spectrum, fraction with a dimension `phase`) adds the
    spectra that a made-up image holds as dashes.
    """
    number = ds.sizes["component"]
    spatial = [dim for dim in ds.fraction.dims if dim != "component"]
    if len(spatial) not in (1, 2):
        raise ValueError(f"maps of {len(spatial)} dimensions cannot be drawn; select a slice with isel")
    labels = names or tuple(f"component {k + 1}" for k in range(number))
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(3.1 * number if len(spatial) == 2 else 7.4, 5.6)
    if len(spatial) == 2:
        grid = figure.add_gridspec(2, number, height_ratios=(1, 2))
        maps = [figure.add_subplot(grid[0, k]) for k in range(number)]
        _draw_maps(figure, maps, ds.fraction, labels)
    else:
        grid = figure.add_gridspec(2, 1, height_ratios=(1, 1.6))
        maps = [figure.add_subplot(grid[0, 0])]
        _draw_lines(maps[0], ds.fraction, labels)
    ax = figure.add_subplot(grid[1, :])
    _draw_spectra(ax, ds, labels, reference)
    return np.array([*maps, ax])


def plot_network(ds: xr.Dataset, figure=None):
    """Births and deaths of the features of an ion network, and Betti curves per cell."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(*NETWORK)
    left, right = figure.subplots(1, 2)
    last = float(ds.radius.max())
    for k, name in enumerate(DIMENSIONS):
        own = ds.isel(feature=np.flatnonzero(ds.dimension.values == k))
        lives = np.isfinite(own.death.values)
        left.scatter(own.birth[lives], own.death[lives], s=18, color=colour(k), label=name, alpha=0.7, linewidth=0)
        left.scatter(own.birth[~lives], np.full((~lives).sum(), last), s=26, color=colour(k), marker="^", linewidth=0)
    for k, name in enumerate(DIMENSIONS):
        right.plot(ds.radius, ds.betti.sel(order=k), color=colour(k), linewidth=1.6, label=name)
    left.plot([0, last], [0, last], color=OTHERS, linewidth=1)
    left.scatter([], [], s=26, color=OTHERS, marker="^", label="never dies")
    left.set_xlabel("birth (Å)")
    left.set_ylabel("death (Å)")
    left.legend(loc="lower right", frameon=False, fontsize=9)
    right.set_xlabel("radius of the balls (Å)")
    right.set_ylabel("features per cell")
    for direction, radius in enumerate(np.unique(ds.percolation.values.round(3))):
        right.axvline(radius, color=OTHERS, linewidth=1, linestyle=":", label=None if direction else "percolation")
    right.legend(frameon=False, fontsize=9)
    for ax in (left, right):
        dress(ax)
    return np.array([left, right])


def _draw_maps(figure, axes, fraction: xr.DataArray, labels: tuple[str, ...]) -> None:
    rows, columns = (dim for dim in fraction.dims if dim != "component")
    x, y = fraction[columns], fraction[rows]
    for k, ax in enumerate(axes):
        drawn = ax.pcolormesh(x, y, fraction.isel(component=k), vmin=0, vmax=1, cmap="cividis", shading="nearest")
        ax.set_title(labels[k], loc="left", fontsize=10, color=colour(k))
        ax.set_aspect("equal" if x.attrs.get("units") == y.attrs.get("units") else "auto")
        ax.set_xlabel(_axis(x))
        ax.tick_params(labelsize=9, color="#777777")
        ax.tick_params(labelleft=k == 0)
    axes[0].set_ylabel(_axis(y))
    figure.colorbar(drawn, ax=axes, label="fraction", shrink=0.9)


def _draw_lines(ax, fraction: xr.DataArray, labels: tuple[str, ...]) -> None:
    x = fraction[next(dim for dim in fraction.dims if dim != "component")]
    for k, label in enumerate(labels):
        ax.plot(x, fraction.isel(component=k), color=colour(k), linewidth=1.6, label=label)
    ax.set_xlabel(_axis(x))
    ax.set_ylabel("fraction")
    ax.legend(frameon=False, fontsize=9)
    dress(ax)


def _draw_spectra(ax, ds: xr.Dataset, labels: tuple[str, ...], reference: xr.Dataset | None) -> None:
    energy = ds[next(dim for dim in ds.spectrum.dims if dim != "component")]
    size = ds.spectrum.sum(energy.name)
    for k, label in enumerate(labels):
        row = ds.spectrum.isel(component=k) / size.isel(component=k)
        ax.plot(energy, row, color=colour(k), linewidth=1.4, label=label)
        if "spectrum_error" in ds:
            error = ds.spectrum_error.isel(component=k) / size.isel(component=k)
            ax.fill_between(energy, row - error, row + error, color=colour(k), alpha=0.25, linewidth=0)
    if reference is not None:
        pure = reference.spectrum / reference.spectrum.sum(energy.name)
        lines = ax.plot(energy, pure.transpose(energy.name, "phase"), color=INK, linewidth=0.8, linestyle="--")
        lines[0].set_label("what the image was made of")
    ax.set_xlabel(_axis(energy))
    ax.set_ylabel("share of the spectrum per channel")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=9)
    dress(ax)


def _axis(values: xr.DataArray) -> str:
    name, unit = values.attrs.get("long_name", str(values.name)), values.attrs.get("units")
    return f"{name} ({unit})" if unit else name
