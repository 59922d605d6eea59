"""Pictures of results: functions that take a Dataset and, if you like, the axes to draw on, and return the
axes.

Colours are those of Okabe and Ito (2008), told apart by every kind of colour vision. Nothing here touches the
global settings of matplotlib, which is imported when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from ionics import results
from ionics.fit_results import part_of
from ionics.plots.atoms import plot_structure
from ionics.plots.cell_fits import LIMITS, plot_limits, plot_records
from ionics.plots.design import plot_choice, plot_design
from ionics.plots.estimates import SPECTRA, plot_corner, plot_likelihoods, plot_series, plot_spectra
from ionics.plots.evolution import (
    in_time,
    plot_losses,
    plot_moments,
    plot_protocol,
    plot_sweep,
    plot_thermal,
    plot_voltage,
)
from ionics.plots.fits import (
    ARRHENIUS,
    correlation_size,
    plot_arrhenius,
    plot_contributions,
    plot_correlation,
    plot_fit,
)
from ionics.plots.interfaces import (
    CANDIDATES,
    GAMMA,
    REACTIONS,
    REGISTRY,
    SEARCH,
    plot_candidates,
    plot_defects,
    plot_gamma,
    plot_paths,
    plot_reactions,
    plot_registry,
    plot_search,
)
from ionics.plots.intervals import plot_influence
from ionics.plots.measured import plot_measured
from ionics.plots.profiles import plot_profiles
from ionics.plots.rates import CAPACITY_RATE, plot_capacity_rate
from ionics.plots.relaxation import DRT, KRAMERS_KRONIG, plot_drt, plot_kramers_kronig
from ionics.plots.spectra import BODE, PARTS, plot_bode, plot_nyquist, plot_parts
from ionics.plots.style import DPI
from ionics.summary import contributions, verdict


@dataclass(frozen=True)
class Picture:
    """How a picture is drawn: on a figure, on one axes, or on several above each other."""

    plot: Callable
    rows: int  # 0: the plot takes the figure and shapes it
    size: tuple[float, float] | None = None  # inches
    laid_out: bool = True  # by matplotlib; else by the plot


def pictures(result: xr.Dataset | xr.DataTree) -> dict[str, Picture]:
    """Every picture a result has, by the name of its file."""
    ds = result.to_dataset() if isinstance(result, xr.DataTree) else result
    kind = ds.attrs.get("kind")
    if kind in ("fit", "joint"):
        return _of_estimates(ds)
    if kind == "capacity-rate":
        return {"capacity_rate": Picture(plot_capacity_rate, 1, CAPACITY_RATE)} | _of_estimates(ds)
    if kind == "series":
        return _of_series(result, ds)
    if kind == "design":
        return {"choice": Picture(plot_choice, 0)} if "record" in ds.dims else {"design": Picture(plot_design, 0)}
    if kind == "interface":
        return _of_atoms(ds)
    spectrum = {
        "nyquist": Picture(partial(plot_nyquist, resize=True), 1),
        "bode": Picture(plot_bode, 2, BODE),
        "parts": Picture(plot_parts, 2, PARTS),
    }
    spectrum = spectrum if "z_real" in ds else {}
    if kind == "protocol":
        return {name: Picture(*how) for name, how in in_time(ds).items()} | spectrum
    found = spectrum | ({"profiles": Picture(plot_profiles, 0)} if "potential" in ds else {})
    return found | ({"influence": Picture(plot_influence, 0)} if ds.sizes.get("answer") else {})


def _of_estimates(ds: xr.Dataset) -> dict[str, Picture]:
    found = {"fit": Picture(plot_fit, 0)} if "z_model_real" in ds else {}
    if "record" in ds.dims:
        found["records"] = Picture(plot_records, 0)
    if "limited" in ds.dims:
        found["limits"] = Picture(plot_limits, 1, LIMITS)
    if "z_part_real" in ds:
        found["contributions"] = Picture(partial(plot_contributions, resize=True), 1)
    if "kk_residual_real" in ds:
        found["consistency"] = Picture(lambda ds, ax: plot_kramers_kronig(part_of(ds, "kk"), ax), 1, KRAMERS_KRONIG)
    if "drt_gamma" in ds:
        found["relaxation_times"] = Picture(lambda ds, ax: plot_drt(part_of(ds, "drt"), ax), 1, DRT)
    if ds.sizes["parameter"] > 1 and np.isfinite(ds.correlation.values).any():
        found["correlation"] = Picture(plot_correlation, 1, correlation_size(ds))
    if "profiled" in ds.dims:
        found["likelihoods"] = Picture(plot_likelihoods, 0)
    if "posterior_draws" in ds:
        found["corner"] = Picture(plot_corner, 0, laid_out=False)
    return found


def _of_atoms(ds: xr.Dataset) -> dict[str, Picture]:
    drawn = {
        "structure": ("atom", Picture(plot_structure, 0)),
        "candidates": ("candidate", Picture(plot_candidates, 1, CANDIDATES)),
        "search": ("visit", Picture(plot_search, 1, SEARCH)),
        "registry": ("shift_a", Picture(plot_registry, 1, REGISTRY)),
        "paths": ("path", Picture(plot_paths, 0)),
        "defects": ("site", Picture(plot_defects, 0)),
        "gamma": ("lithium_content", Picture(plot_gamma, 1, GAMMA)),
        "reactions": ("kink", Picture(plot_reactions, 1, REACTIONS)),
    }
    return {name: picture for name, (dim, picture) in drawn.items() if ds.sizes.get(dim)}


def _of_series(tree: xr.Dataset | xr.DataTree, ds: xr.Dataset) -> dict[str, Picture]:
    found = {"arrhenius": Picture(plot_arrhenius, 1, ARRHENIUS)} if "arrhenius" in ds.dims else {}
    found["series"] = Picture(plot_series, 0)
    if isinstance(tree, xr.DataTree):
        members = [tree[str(name).replace("/", "-")].to_dataset(inherit=False) for name in ds.spectrum.values]
        found = {"spectra": Picture(lambda ds, ax: plot_spectra(tree, ax), 1, SPECTRA)} | found
        if all("drt_gamma" in member for member in members):
            parts = [part_of(member, "drt") for member in members]
            found["relaxation_times"] = Picture(lambda ds, ax: plot_drt(parts, ax), 1, DRT)
    return found


def figures(result: xr.Dataset | xr.DataTree) -> dict:
    """Every picture a result has, name -> matplotlib Figure."""
    ds = result.to_dataset() if isinstance(result, xr.DataTree) else result
    return {name: _draw(picture, ds) for name, picture in pictures(result).items()}


def write_figures(result: xr.Dataset | xr.DataTree, folder: Path, suffix: str = "", only: str = "") -> list[Path]:
    """Save the pictures (or the one named `only`) as PNG files and say where."""
    ds, paths = result.to_dataset() if isinstance(result, xr.DataTree) else result, []
    for name, picture in pictures(result).items():
        if only in ("", name):
            paths.append(Path(folder) / f"{name}{suffix}.png")
            _draw(picture, ds).savefig(paths[-1], dpi=DPI)
    return paths


def _draw(picture: Picture, ds: xr.Dataset):
    """The picture on a Figure of its own that no window toolkit and no pyplot knows."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08) if picture.laid_out else None)
    if picture.size:
        figure.set_size_inches(*picture.size)
    if picture.rows == 0:
        picture.plot(ds, figure)
    else:
        picture.plot(ds, figure.add_subplot() if picture.rows == 1 else figure.subplots(picture.rows, 1, sharex=True))
    return figure


@xr.register_datatree_accessor("ionics")
@xr.register_dataset_accessor("ionics")
class Ionics:
    """What a result can show: `ds.ionics.plot_nyquist()`."""

    def __init__(self, result: xr.Dataset | xr.DataTree):
        self._result = result
        self._ds = result.to_dataset() if isinstance(result, xr.DataTree) else result

    @property
    def z(self) -> xr.DataArray:
        """Complex impedance over frequency."""
        return results.impedance_of(self._ds)

    @property
    def parts(self) -> xr.DataArray:
        """Complex impedance of each element over frequency; they sum to z."""
        return results.parts_of(self._ds)

    @property
    def contributions(self) -> xr.Dataset:
        """Resistance, share, arc frequency and capacitance of each element."""
        return contributions(self._ds)

    @property
    def verdict(self) -> str:
        """The result in sentences."""
        return " ".join(verdict(self._ds))

    def plot_nyquist(self, ax=None):
        return plot_nyquist(self._ds, ax)

    def plot_bode(self, axes=None):
        return plot_bode(self._ds, axes)

    def plot_parts(self, axes=None):
        return plot_parts(self._ds, axes)

    def plot_profiles(self, figure=None):
        return plot_profiles(self._ds, figure)

    def plot_influence(self, figure=None):
        return plot_influence(self._ds, figure)

    def plot_fit(self, figure=None):
        return plot_fit(self._ds, figure)

    def plot_records(self, figure=None):
        return plot_records(self._ds, figure)

    def plot_capacity_rate(self, ax=None):
        return plot_capacity_rate(self._ds, ax)

    def plot_measured(self, figure=None):
        return plot_measured(self._ds, figure)

    def plot_limits(self, ax=None):
        return plot_limits(self._ds, ax)

    def plot_correlation(self, ax=None):
        return plot_correlation(self._ds, ax)

    def plot_contributions(self, ax=None):
        return plot_contributions(self._ds, ax)

    def plot_kramers_kronig(self, ax=None):
        return plot_kramers_kronig(part_of(self._ds, "kk"), ax)

    def plot_drt(self, ax=None):
        return plot_drt(part_of(self._ds, "drt"), ax)

    def plot_likelihoods(self, figure=None):
        return plot_likelihoods(self._ds, figure)

    def plot_corner(self, figure=None):
        return plot_corner(self._ds, figure)

    def plot_design(self, figure=None):
        return plot_design(self._ds, figure)

    def plot_series(self, figure=None):
        return plot_series(self._ds, figure)

    def plot_spectra(self, ax=None):
        return plot_spectra(self._result, ax)

    def plot_arrhenius(self, ax=None):
        return plot_arrhenius(self._ds, ax)

    def plot_protocol(self, axes=None):
        return plot_protocol(self._ds, axes)

    def plot_voltage(self, ax=None):
        return plot_voltage(self._ds, ax)

    def plot_losses(self, axes=None):
        return plot_losses(self._ds, axes)

    def plot_moments(self, figure=None):
        return plot_moments(self._ds, figure)

    def plot_thermal(self, ax=None):
        return plot_thermal(self._ds, ax)

    def plot_sweep(self, ax=None):
        return plot_sweep(self._ds, ax)

    def plot_structure(self, figure=None):
        return plot_structure(self._ds, figure)

    def plot_candidates(self, ax=None):
        return plot_candidates(self._ds, ax)

    def plot_search(self, ax=None):
        return plot_search(self._ds, ax)

    def plot_registry(self, ax=None):
        return plot_registry(self._ds, ax)

    def plot_paths(self, figure=None):
        return plot_paths(self._ds, figure)

    def plot_defects(self, figure=None):
        return plot_defects(self._ds, figure)

    def plot_gamma(self, ax=None):
        return plot_gamma(self._ds, ax)

    def plot_reactions(self, ax=None):
        return plot_reactions(self._ds, ax)

    def save(self, path) -> Path:
        """Write to netCDF; the name appears when the file is whole."""
        return results.save(self._result, path)
