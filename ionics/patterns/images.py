"""Spectrum images as matrices: one row per pixel, one column per channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr


@dataclass(frozen=True)
class Image:
    """A spectrum image laid flat."""

    values: np.ndarray  # (pixels, channels), at least 0
    energy: xr.DataArray  # (channels,)
    pixels: xr.DataArray  # the image without its energy: shape and coordinates of maps
    dim: str  # of the energy
    unit: str

    @property
    def counts(self) -> bool:
        """Whether all values are whole numbers, as detectors that count give."""
        return bool(np.all(self.values == np.round(self.values)))

    def map(self, values: np.ndarray, name: str, unit: str, **attrs: str) -> xr.DataArray:
        """Numbers per pixel, or per leading axis `component` and pixel, as an image."""
        lead = values.shape[:-1]
        dims = (("component",) if lead else ()) + tuple(self.pixels.dims)
        found = xr.DataArray(values.reshape(lead + self.pixels.shape), dims=dims, coords=self.pixels.coords, name=name)
        return found.assign_attrs(units=unit, long_name=name.replace("_", " "), **attrs)

    def spectra(self, values: np.ndarray, name: str, unit: str) -> xr.DataArray:
        """Numbers of shape (components, channels) with their energies."""
        found = xr.DataArray(values, dims=("component", self.dim), coords={self.dim: self.energy}, name=name)
        return found.assign_attrs(units=unit, long_name=name.replace("_", " "))


def flat(image: xr.DataArray, energy: str = "energy", negative: str = "refuse") -> Image:
    """An image of dimensions (..., energy) as a matrix.

    Raises ValueError without the energy dimension or a spatial one, for values that are no numbers, and for negative
    ones unless they are set to 0 (`negative="zero"`).
    """
    if energy not in image.dims:
        raise ValueError(f"the image has dimensions {image.dims}; one of them has to be {energy!r} (or say which)")
    spatial = [dim for dim in image.dims if dim != energy]
    if not spatial or image.sizes[energy] < 2:
        raise ValueError(f"the image has sizes {dict(image.sizes)}; it needs a spatial dimension and 2 energies")
    ordered = image.transpose(*spatial, energy)
    values = np.asarray(ordered.values, dtype=float).reshape(-1, image.sizes[energy])
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} values of the image are no numbers; cut or fill them")
    if values.min() < 0:
        if negative != "zero":
            raise ValueError(
                f"{int((values < 0).sum())} values are negative, the lowest {values.min():.3g}; counts are not: "
                "leave the background in, or say negative='zero'"
            )
        values = np.maximum(values, 0)
    pixels = ordered.isel({energy: 0}, drop=True)
    return Image(values, ordered[energy], pixels, energy, str(image.attrs.get("units", "")))


def numbers(components: int, image: Image) -> None:
    """Raise ValueError if so many components cannot be told apart."""
    most = min(image.values.shape)
    if not 1 <= components <= most:
        raise ValueError(
            f"{components} components of {image.values.shape[0]} spectra: between 1 and {most} are possible"
        )


def matched(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which row of `found` is most like each row of `wanted`, by angle, each used once; shape (wanted,)."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(-cosines(wanted, found))[1]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosines of the angles between all rows, (rows of a, rows of b)."""
    lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None]
    return a @ b.T / np.maximum(lengths, np.finfo(float).tiny)


def poisson_deviance(values: np.ndarray, model: np.ndarray) -> float:
    """Twice the log likelihood ratio of counts against a model, per value: about 1 where the model is right."""
    from scipy.special import xlogy

    safe = np.maximum(model, 1e-12)
    return float(2 * (xlogy(values, values / safe) - values + safe).mean())


def choices(value: str, allowed: Sequence[str], what: str) -> None:
    """Raise ValueError for a word that is not allowed."""
    if value not in allowed:
        raise ValueError(f"{what} {value!r} is none of {', '.join(allowed)}")
