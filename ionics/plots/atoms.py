"""Pictures of atoms: an interface from the side and from above."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.style import INK, SMALL, dress

PER_ANGSTROM = 0.16  # inches
WIDEST, TALLEST = 5.0, 6.5  # inches of one view


def plot_structure(ds: xr.Dataset, figure=None):
    """The best interface: along b, along a, and the atoms next to the plane from above. Axes in angstrom."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    ds = _wrapped(ds)
    position, cell = ds.atom_position.values, ds.cell.values
    span = [np.ptp(np.append(position[:, k], [0, cell[0, k] + cell[1, k]])) + 3 for k in range(2)]
    height = np.ptp(position[:, 2]) + 4
    figure.set_size_inches(
        min(3 * WIDEST, PER_ANGSTROM * (2 * span[0] + span[1]) + 3.5), min(TALLEST, 0.2 * height + 1.4)
    )
    axes = figure.subplots(1, 3, width_ratios=[span[0], span[1], span[0]])
    _side(axes[0], ds, 0)
    _side(axes[1], ds, 1)
    _above(axes[2], ds)
    _legend(figure, ds)
    return axes


def _wrapped(ds: xr.Dataset) -> xr.Dataset:
    """Every atom inside the cell along a and b."""
    flat = ds.atom_position.values @ np.linalg.inv(ds.cell.values)
    flat[:, :2] %= 1.0
    return ds.assign(atom_position=(("atom", "xyz"), flat @ ds.cell.values))


def _side(ax, ds: xr.Dataset, across: int):
    """Along the other direction of the plane."""
    position, plane = ds.atom_position.values, float(ds.plane)
    depth = position[:, 1 - across]
    _spheres(ax, position[:, across], position[:, 2] - plane, depth if across == 0 else -depth, ds)
    ax.axhline(0, color=INK, linewidth=0.8, linestyle=":")
    low, high = ax.get_xlim()
    for y, name, where in ((-0.6, ds.attrs["left"], "top"), (0.6, ds.attrs["right"], "bottom")):
        ax.text(high - 0.01 * (high - low), y, name, ha="right", va=where, fontsize=SMALL, color=INK, alpha=0.7)
    ax.set_xlabel(f"{'xy'[across]} (Å)")
    ax.set_ylabel("distance from the plane (Å)")
    dress(ax)


def _above(ax, ds: xr.Dataset):
    """The atoms within 3 angstrom of the plane, those below paler, and the cell."""
    near = np.abs(ds.atom_position.values[:, 2] - float(ds.plane)) < 3.0
    own = ds.isel(atom=np.flatnonzero(near))
    position = own.atom_position.values
    _spheres(ax, position[:, 0], position[:, 1], -position[:, 2], own)
    a, b = ds.cell.values[0, :2], ds.cell.values[1, :2]
    corners = np.array([[0, 0], a, a + b, b, [0, 0]])
    ax.plot(corners[:, 0], corners[:, 1], color=INK, linewidth=0.9)
    ax.set_xlabel("x (Å)")
    ax.set_ylabel("y (Å)")
    ax.set_title("from above, within 3 Å of the plane", fontsize=SMALL)
    dress(ax)


def _spheres(ax, x, y, depth, ds: xr.Dataset):
    """Discs in true scale, the far ones first."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    order = np.argsort(-depth)
    radius, colour = ds.atom_radius.values, ds.atom_colour.values
    discs = [Circle((x[i], y[i]), radius[i]) for i in order]
    ax.add_collection(
        PatchCollection(discs, facecolors=[str(colour[i]) for i in order], edgecolors="#333333", linewidths=0.4)
    )
    margin = radius.max() + 0.2
    ax.set_xlim(x.min() - margin, x.max() + margin)
    ax.set_ylim(y.min() - margin, y.max() + margin)
    ax.set_aspect("equal")


def _legend(figure, ds: xr.Dataset):
    from matplotlib.lines import Line2D

    symbols = ds.atom_symbol.values
    kinds = {str(symbol): str(ds.atom_colour.values[i]) for i, symbol in enumerate(symbols)}
    marks = [
        Line2D([], [], marker="o", linestyle="", markersize=7, color=colour, markeredgecolor="#333333", label=symbol)
        for symbol, colour in kinds.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=SMALL)
