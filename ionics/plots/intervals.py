"""What uncertain numbers do to a picture: bands with 68 and 95 % of the draws, and which number matters how much."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ionics.plots.style import PALETTE, SMALL, dress

BANDS = ((0, 4, 0.13), (1, 3, 0.22))  # outer and inner: quantiles between which it lies, and how dark it is
WIDTHS = (1.96, 1.0)  # standard deviations of the same
AROUND = np.linspace(0, 2 * np.pi, 33)
MOST_ANSWERS, MOST_NUMBERS = 4, 10  # drawn
LONGEST = 46  # letters of a name
WIDEST = 6.0  # times the reach of the central curve: what is beyond is cut off


def bands(ds: xr.Dataset, name: str):
    """Of a variable with quantiles, (low, high, darkness) of the outer and the inner band; none without them."""
    key = f"{name}_quantile"
    if key not in ds:
        return []
    values = ds[key].transpose("quantile", ...).values
    return [(values[low], values[high], alpha) for low, high, alpha in BANDS]


def shade_along(ax, x, found, color, factor: float = 1.0):
    """Bands along x."""
    for low, high, alpha in found:
        ax.fill_between(x, low * factor, high * factor, color=color, alpha=alpha, linewidth=0, zorder=1.5)


def shade_plane(ax, ds: xr.Dataset, scale: float, color) -> None:
    """Where Z may be in the complex plane: at every frequency a region about the median, 68 and 95 % in each direction.

    Modulus and phase are spread together, so what only grows or shrinks makes a line and not a disc.
    """
    if "z_draw_real" not in ds:
        return
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    draws = ds.z_draw_real.transpose("frequency", "answered").values + 1j * ds.z_draw_imag.values.T
    for width, (_, _, alpha), label in zip(WIDTHS, BANDS, ("", "68 and 95 % of the draws"), strict=True):
        hulls = [_region(z, width) * scale for z in draws]
        outlines = [_joined(a, b) for a, b in pairwise(hulls)] or hulls
        points = [np.column_stack([z.real, -z.imag]) for z in outlines]
        shape = Path.make_compound_path(*(Path(one, closed=True) for one in points))
        ax.add_patch(PathPatch(shape, facecolor=color, alpha=alpha, linewidth=0, zorder=1.5, label=label or None))
    _widen(ax, ds, scale)


def _region(z, width: float) -> NDArray[np.complex128]:
    """An outline about draws of Z at one frequency, whose shadow on any direction holds `width` standard deviations."""
    polar = np.stack([np.log(np.abs(z)), np.unwrap(np.angle(z), period=2 * np.pi)])
    values, vectors = np.linalg.eigh(np.cov(polar))
    ellipse = vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * np.stack([np.cos(AROUND), np.sin(AROUND)]))
    x, y = np.median(polar, axis=1)[:, None] + width * ellipse
    return np.exp(x + 1j * y)


def _joined(one, other) -> NDArray[np.complex128]:
    """The convex outline of two outlines, counter-clockwise so that overlapping ones are filled alike."""
    from scipy.spatial import ConvexHull, QhullError

    both = np.append(one, other)
    size = np.abs(both).max()
    try:
        hull = ConvexHull(np.column_stack([np.real(both), -np.imag(both)]) / size).vertices
    except QhullError:  # no area: all draws agree
        return both
    return both[np.append(hull, hull[0])]


def _widen(ax, ds, scale):
    """Axes that show the inner band, unless the curve in the middle would vanish."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    x = ds.z_real_quantile.transpose("quantile", ...).values[3].max() * scale
    y = -ds.z_imag_quantile.transpose("quantile", ...).values[1].min() * scale
    if -ds.z_imag.values.min() * scale > top:  # a blocking tail is cut off already
        x = y = 0.0
    width, height = right - left, top - bottom
    ax.set_xlim(left, min(max(right, 1.05 * x), left + WIDEST * width))
    ax.set_ylim(bottom, min(max(top, 1.1 * y), bottom + WIDEST * height))


def plot_influence(ds: xr.Dataset, figure=None):
    """Which uncertain number explains how much of the spread of an answer; what the bars leave is not a sum of them."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    answers = [str(name) for name in ds.answer.values][:MOST_ANSWERS]
    shares = ds.influence.sel(answer=answers).transpose("answer", "uncertain").values
    order = np.argsort(-shares.max(axis=0))[:MOST_NUMBERS]
    order = order[np.argsort(shares[0][order])]
    names = [_short(str(ds.uncertain.values[k])) for k in order]
    figure.set_size_inches(3.6 + 1.9 * len(answers), 1.1 + 0.32 * len(order))
    axes = np.atleast_1d(figure.subplots(1, len(answers), sharey=True))
    for n, (ax, answer) in enumerate(zip(axes, answers, strict=True)):
        ax.barh(np.arange(len(order)), 100 * shares[n][order], color=PALETTE[0], height=0.65)
        for at, share in enumerate(100 * shares[n][order]):
            if share >= 0.5:
                ax.text(share + 2, at, f"{share:.0f} %", va="center", fontsize=SMALL)
        ax.set_xlim(0, 119)
        ax.set_xticks([0, 50, 100])
        ax.set_title(answer if len(answer) < 30 else "\n".join(_halves(answer)), fontsize=SMALL, loc="left")
        dress(ax)
        ax.grid(False, axis="y")
        ax.set_yticks(np.arange(len(order)), names, fontsize=SMALL)
        ax.tick_params(labelleft=n == 0, labelsize=SMALL, left=False)
    figure.supxlabel("share of the spread (%)", fontsize=9)
    return axes


def _halves(text: str) -> tuple[str, str]:
    """Two lines of about the same length."""
    words = text.split(" ")
    k = min(range(1, len(words)), key=lambda n: abs(len(" ".join(words[:n])) - len(text) / 2))
    return " ".join(words[:k]), " ".join(words[k:])


def _short(key: str) -> str:
    """A dotted key without the part of the file it stands in."""
    for part in ("stack.layers.", "stack.junctions.", "materials.", "stack."):
        key = key.removeprefix(part)
    key = key.replace(".carriers.", ", ")
    return key if len(key) <= LONGEST else "…" + key[1 - LONGEST :]
