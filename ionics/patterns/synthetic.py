"""Made-up spectrum images with known answers: electron energy loss across a junction of LiCoO2 and Li3PO4.

Shapes are drawn, not computed: a power-law background, steps with a tail at the O K and Co L edges, peaks where
measured spectra have them (pre-peak of O K at 530 eV in LiCoO2, Co L3 and L2 near 780 and 795 eV, lower by 2 eV and
with a higher ratio for Co2+). They test an analysis; they are no reference spectra.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

PHASES = ("LiCoO2", "interphase", "Li3PO4")
ENERGY = np.arange(520.0, 820.0, 2.0)  # eV
THICKNESS = 3.0  # nm, of the interphase


def spectra(energy: np.ndarray = ENERGY) -> xr.DataArray:
    """Spectra of the three phases, each summing to 1, dimensions (phase, energy [eV])."""
    background = 3 * (energy / 520) ** -3.5
    cobalt3 = _edge(energy, 782, 0.9) + _peak(energy, 780.5, 2.2, 5.0) + _peak(energy, 795.5, 2.4, 2.0)
    cobalt2 = _edge(energy, 781, 0.9) + _peak(energy, 778.5, 2.0, 5.2) + _peak(energy, 794.0, 2.2, 1.2)
    oxide = _edge(energy, 532, 2.6) + _peak(energy, 530.0, 1.4, 2.2) + _peak(energy, 541.0, 4.0, 2.0)
    reduced = _edge(energy, 533, 2.6) + _peak(energy, 532.0, 1.6, 0.8) + _peak(energy, 539.5, 3.0, 2.6)
    phosphate = _edge(energy, 534, 3.4) + _peak(energy, 537.5, 2.2, 4.2) + _peak(energy, 557.0, 8.0, 1.0)
    rows = np.array([background + oxide + cobalt3, background + reduced + 0.6 * cobalt2, 0.8 * background + phosphate])
    rows /= rows.sum(1, keepdims=True)
    found = xr.DataArray(rows, dims=("phase", "energy"), coords={"phase": list(PHASES), "energy": energy})
    found.energy.attrs.update(units="eV", long_name="energy loss")
    return found.assign_attrs(units="1")


def fractions(x: np.ndarray, y: np.ndarray, rough: float = 0.8) -> xr.DataArray:
    """Fractions of the phases, dimensions (phase, y, x [nm]): the junction waves by `rough` nm about x = 0."""
    middle = rough * np.sin(2 * np.pi * y / max(np.ptp(y), 1e-9))
    distance = x[None, :] - middle[:, None]
    left = 1 / (1 + np.exp((distance + THICKNESS / 2) / 0.35))
    right = 1 / (1 + np.exp(-(distance - THICKNESS / 2) / 0.35))
    found = xr.DataArray(
        np.stack([left, 1 - left - right, right]),
        dims=("phase", "y", "x"),
        coords={"phase": list(PHASES), "y": y, "x": x},
    )
    for axis in ("x", "y"):
        found[axis].attrs.update(units="nm", long_name="position across" if axis == "x" else "position along")
    return found.assign_attrs(units="1")


def image(counts: float = 50_000, shape: tuple[int, int] = (12, 40), width: float = 16.0, seed: int = 0) -> xr.Dataset:
    """A map of (y, x) spectra with Poisson noise, `counts` per pixel on average; with what it was made of."""
    x, y = np.linspace(-width / 2, width / 2, shape[1]), np.linspace(0, width * shape[0] / shape[1], shape[0])
    pure, parts = spectra(), fractions(x, y)
    mean = counts * xr.dot(parts, pure, dim="phase").transpose("y", "x", "energy")
    noisy = np.random.default_rng(seed).poisson(mean.values)
    measured = mean.copy(data=noisy.astype(float)).assign_attrs(units="counts", long_name="counts")
    return xr.Dataset({"image": measured, "spectrum": pure, "fraction": parts}, attrs={"counts": counts, "seed": seed})


def _edge(energy: np.ndarray, onset: float, height: float) -> np.ndarray:
    """A step with a tail."""
    step = 1 / (1 + np.exp(-(energy - onset) / 0.8))
    return height * step * (np.maximum(energy, onset) / onset) ** -4


def _peak(energy: np.ndarray, centre: float, width: float, height: float) -> np.ndarray:
    return height * np.exp(-0.5 * ((energy - centre) / width) ** 2)
