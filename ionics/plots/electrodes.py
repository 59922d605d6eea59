"""Pictures of the electrodes of a cell as they fill: over their depth, and inside a particle."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.evolution import SEEN, time_bar
from ionics.plots.style import by_time, dress, length_unit


def plot_electrodes(ds: xr.Dataset, figure=None):
    """Occupancies at several times, from dark to light: at the surfaces over the depth, and inside one particle.

    The particle is the largest one at the separator; of a film, its only piece.
    """
    wanted = np.linspace(float(ds.time.min()), float(ds.time.max()), SEEN)
    some = ds.isel(snapshot=np.unique(np.argmin(abs(ds.snapshot_time.values[:, None] - wanted), axis=0)))
    panels = [panel for name in _stores(ds) for panel in _panels(some, name)]
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(1.6 + (5.4 if len(panels) == 1 else 3.9) * len(panels), 3.8)
    axes = figure.subplots(1, len(panels), squeeze=False)
    total = float(ds.time.max() - ds.time.min()) or 1.0
    for ax, (title, label, x, rows) in zip(axes[0], panels, strict=True):
        for n, row in enumerate(rows):
            shade = by_time((float(some.snapshot_time[n]) - float(ds.time.min())) / total)
            ax.plot(x, row, color=shade, linewidth=1.6)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel(label)
        ax.set_xlim(x.min(), x.max())
        dress(ax)
    axes[0][0].set_ylabel("occupancy")
    time_bar(figure, axes, ds)
    return axes


def _stores(ds: xr.Dataset) -> list[str]:
    """Members that fill: not metals."""
    return [str(name) for name in dict.fromkeys(ds.point_member.values) if (ds.point_member == name).sum() > 1]


def _panels(ds: xr.Dataset, name: str):
    """Title, label, positions and rows."""
    own = ds.isel(point=np.flatnonzero(ds.point_member.values == name))
    depth, size, position = (own[f"point_{key}"].values for key in ("depth", "size", "position"))
    biggest = size == size.max()
    if len(np.unique(depth)) > 1:
        at = biggest & (position == position.max())
        factor, unit = length_unit(depth.max())
        yield f"{name}: surface", f"distance from separator ({unit})", depth[at] * factor, own.filling.values[:, at]
    at = biggest & (depth == depth.min())
    factor, unit = length_unit(size.max())
    where, origin = ("inside, at the separator", "middle") if len(np.unique(depth)) > 1 else ("inside", "collector")
    x = position[at] * size.max() * factor
    yield f"{name}: {where}", f"distance from the {origin} ({unit})", x, own.filling.values[:, at]
