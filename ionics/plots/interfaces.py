"""Pictures of atomistic interfaces: which candidates, how they were searched, what lithium meets, what it costs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.style import INK, OTHERS, SMALL, colour, dress, new_axes

CANDIDATES, SEARCH, REGISTRY, PATHS, GAMMA, REACTIONS = (
    (7.2, 4.6),
    (6.8, 4.2),
    (5.6, 4.8),
    (7.0, 4.4),
    (6.8, 4.4),
    (6.8, 4.4),
)
LEAST = 1e-3  # J/m^2: nearer to the best is drawn here
NOTHING = 1e-6  # eV/atom: no reaction
MOST_SHOWN = 20_000  # candidates drawn one by one


def plot_candidates(ds: xr.Dataset, ax=None):
    """Score against strain; those that fail the audit are grey, the searched ones ringed."""
    ax = new_axes(ax, CANDIDATES)
    strain, score = 100 * ds.candidate_strain.values, ds.candidate_score.values
    passed = ds.candidate_passed.values.astype(bool)
    keep = np.arange(len(score))
    if len(keep) > MOST_SHOWN:
        keep = keep[np.linspace(0, len(keep) - 1, MOST_SHOWN).astype(int)]
    no, yes = keep[~passed[keep]], keep[passed[keep]]
    ax.scatter(
        strain[no], score[no], s=9, color=OTHERS, alpha=0.5, linewidths=0, label=f"fail the audit ({(~passed).sum()})"
    )
    area = ds.candidate_area.values
    shown = ax.scatter(
        strain[yes], score[yes], s=16, c=area[yes], cmap="viridis", linewidths=0, label=f"pass ({passed.sum()})"
    )
    if len(yes):
        ax.figure.colorbar(shown, ax=ax, label="area (Å²)")
    searched = np.flatnonzero(ds.candidate_searched.values)
    ax.scatter(
        strain[searched],
        score[searched],
        s=90,
        facecolors="none",
        edgecolors=colour(1),
        linewidths=1.6,
        label="searched",
    )
    ax.set_xlabel("largest principal strain (%)")
    ax.set_ylabel("score (J/m²), lower is better")
    ax.legend(frameon=False, fontsize=SMALL)
    dress(ax)
    return ax


def plot_search(ds: xr.Dataset, ax=None):
    """Energy of every visited structure, and the best so far of each candidate."""
    ax = new_axes(ax, SEARCH)
    of = ds.visit_candidate.values
    best = np.nanmin(ds.visit_energy.values)
    for k, candidate in enumerate(dict.fromkeys(of.tolist())):
        own = np.flatnonzero(of == candidate)
        energy = np.maximum(ds.visit_energy.values[own] - best, LEAST)
        calls = ds.visit_calls.values[own]
        ax.plot(calls, energy, ".", color=colour(k), markersize=3.5, alpha=0.45)
        ax.step(calls, np.fmin.accumulate(energy), where="post", color=colour(k), linewidth=1.8, label=str(candidate))
    ax.set_yscale("log")
    ax.set_xlabel("energy calls of the field")
    ax.set_ylabel("energy above the best (J/m²)")
    ax.legend(frameon=False, fontsize=SMALL, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    dress(ax)
    return ax


def plot_registry(ds: xr.Dataset, ax=None):
    """Energy over the lateral shift of the upper slab, the gap free at each."""
    ax = new_axes(ax, REGISTRY)
    energy = np.pad(ds.registry_energy.values, ((0, 1), (0, 1)), mode="wrap")
    a, b = ds.cell.values[0, :2], ds.cell.values[1, :2]
    u, v = np.meshgrid(np.append(ds.shift_a.values, 1.0), np.append(ds.shift_b.values, 1.0), indexing="ij")
    xy = u[..., None] * a + v[..., None] * b
    drawn = ax.contourf(xy[..., 0], xy[..., 1], energy - np.nanmin(energy), levels=24, cmap="viridis")
    ax.figure.colorbar(drawn, ax=ax, label="energy above the lowest (J/m²)")
    low = np.unravel_index(np.nanargmin(energy), energy.shape)
    ax.plot(*xy[low], "o", markersize=9, markerfacecolor="none", markeredgecolor="white", markeredgewidth=1.8)
    ax.set_xlabel("shift along x (Å)")
    ax.set_ylabel("shift along y (Å)")
    ax.set_aspect("equal")
    dress(ax)
    return ax


def plot_paths(ds: xr.Dataset, figure=None):
    """Energy along every hop, and barriers against the distance from the plane."""
    figure, (left, right) = _two(figure, (10.0, 4.2))
    for k in range(ds.sizes["path"]):
        energy, along = ds.path_energy.values[k], ds.path_coordinate.values[k]
        words = str(ds.path_label.values[k]) + ("" if ds.path_converged.values[k] else " (not converged)")
        fine, smooth = _smooth(along, energy)
        left.plot(fine, smooth, color=colour(k), linewidth=1.5, linestyle="-" if ds.path_converged.values[k] else "--")
        left.plot(along, energy, "o", color=colour(k), markersize=4.5, label=words)
        spread = np.array([[ds.path_backward.values[k]], [ds.path_forward.values[k]]])
        right.vlines(ds.path_distance.values[k], spread.min(), spread.max(), color=colour(k), linewidth=1.4, alpha=0.6)
        face = colour(k) if ds.path_converged.values[k] else "none"
        for key, mark, aside in (("path_forward", "^", -0.04), ("path_backward", "v", 0.04)):
            right.errorbar(
                ds.path_distance.values[k] + aside, float(ds[key][k]), yerr=float(ds.path_error[k]), fmt=mark,
                color=colour(k), markerfacecolor=face, markersize=6, capsize=2, elinewidth=0.8,
            )  # fmt: skip
    left.set_xlabel("along the path (Å)")
    left.set_ylabel("energy (eV)")
    left.legend(frameon=False, fontsize=SMALL)
    right.axvline(0, color=INK, linewidth=0.8, linestyle=":")
    right.set_xlabel(f"distance from the plane (Å): {ds.attrs['left']} | {ds.attrs['right']}")
    right.set_ylabel("barrier (eV): ▲ forward, ▼ backward; open: not converged")
    right.set_ylim(bottom=0)
    for ax in (left, right):
        dress(ax)
    return left, right


def _smooth(x, y):
    """A monotone-free cubic through the images, level at the ends, where the forces vanish."""
    from scipy.interpolate import CubicSpline

    fine = np.linspace(x[0], x[-1], 101)
    return fine, CubicSpline(x, y, bc_type="clamped")(fine)


def plot_defects(ds: xr.Dataset, figure=None):
    """Energies of lithium defects against the distance from the plane; below, the potential of the stack."""
    rows = 2 if "continuum_potential" in ds else 1
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(7.0, 2.4 + 2.4 * rows)
    axes = np.atleast_1d(figure.subplots(rows, 1))
    ax = axes[0]
    for k, kind in enumerate(dict.fromkeys(ds.site_kind.values)):
        own = ds.isel(site=np.flatnonzero(ds.site_kind.values == kind))
        x, y, error = own.site_distance.values, own.site_relative.values, own.site_error.values
        ax.errorbar(
            x, y, yerr=np.where(np.isfinite(error), error, 0), fmt="o", color=colour(k), capsize=2, label=str(kind)
        )
    ax.axvline(0, color=INK, linewidth=0.8, linestyle=":")
    ax.set_ylabel("energy against the inner slab (eV)")
    ax.set_xlabel(f"distance from the plane (Å): {ds.attrs['left']} | {ds.attrs['right']}")
    ax.legend(frameon=False, fontsize=SMALL)
    if rows == 2:
        below = axes[1]
        below.plot(1e9 * ds.continuum_position.values, ds.continuum_potential.values, color=colour(0), linewidth=1.8)
        if "continuum_low" in ds:
            below.fill_between(
                1e9 * ds.continuum_position.values, ds.continuum_low.values, ds.continuum_high.values,
                color=colour(0), alpha=0.2, linewidth=0,
            )  # fmt: skip
        below.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        below.set_xlabel("distance from the junction (nm)")
        below.set_ylabel("potential (V)")
    for one in axes:
        dress(one)
    return axes


def plot_gamma(ds: xr.Dataset, ax=None):
    """Interface energy against the voltage that stands for the lithium chemical potential."""
    ax = new_axes(ax, GAMMA)
    for k, name in enumerate(ds.lithium_content.values):
        ax.plot(
            ds.lithium_voltage.values,
            ds.gamma.values[k],
            color=colour(k),
            linewidth=1.6,
            label=f"{name:+g} Li" if name else "as matched",
        )
    ax.set_xlabel("voltage against Li/Li⁺ (V), shifted as the electrode's where it was measured")
    ax.set_ylabel("energy against the stoichiometric junction (J/m²)")
    ax.legend(frameon=False, fontsize=SMALL)
    dress(ax)
    return ax


def plot_reactions(ds: xr.Dataset, ax=None):
    """Reaction energy against the mixing ratio; the kinks are the products."""
    ax = new_axes(ax, REACTIONS)
    x, y = ds.reaction_mixing.values, ds.reaction_energy.values
    y = np.where(np.abs(y) < NOTHING, 0.0, y)
    if not y.any():
        ax.text(0.5, 0.6, "no reaction among the phases at hand", ha="center", transform=ax.transAxes)
        ax.set_ylim(-0.05, 0.05)
    ax.plot(x, y, "o-", color=colour(0), linewidth=1.5, markersize=5)
    for k in range(len(x)):
        if 0 < x[k] < 1:
            ax.annotate(
                str(ds.reaction_products.values[k]),
                (x[k], y[k]),
                fontsize=6.5,
                xytext=(4, -9),
                textcoords="offset points",
            )
    ax.axhline(0, color=INK, linewidth=0.8, linestyle=":")
    ax.set_xlabel(f"share of {ds.attrs['left']} in the mixture")
    ax.set_ylabel("reaction energy (eV/atom)")
    ax.margins(x=0.12, y=0.15 if y.any() else 0.0)
    dress(ax)
    return ax


def _two(figure, size):
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(*size)
    return figure, figure.subplots(1, 2)
