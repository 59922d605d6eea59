"""Diffusivities of ions from a run of molecular dynamics, also slab by slab, with errors by kinisi.

kinisi (McCluskey et al., 10.21105/joss.05984) fits the mean-squared displacement with the covariance of its points,
which an ordinary fit leaves out; errors are the spread of its posterior.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ionics.interfaces.errors import AtomsError, MissingExtra
from ionics.interfaces.migration.md import Run

AREA_PER_TIME = 1e-8  # m^2/s in one angstrom^2/ps
ABSURD = 5.0  # a diffusivity this many times what the whole displacement would give is no result


@dataclass(frozen=True)
class Diffusivity:
    """Of one ion, in slabs of height; nan without ions; 0 with the bound as error where ions only rattle."""

    height: np.ndarray  # angstrom, middle of each slab, shape (slabs,)
    value: np.ndarray  # m^2/s, shape (slabs,)
    error: np.ndarray  # m^2/s, one standard deviation, shape (slabs,)
    ions: np.ndarray  # ions followed, summed over the pieces of the run, shape (slabs,)
    lag: np.ndarray  # ps, shape (lags,)
    displacement: np.ndarray  # angstrom^2, mean-squared, shape (slabs, lags)

    @property
    def mean(self) -> tuple[float, float]:
        """Of the slabs, weighted by their errors, and its error [m^2/s]."""
        known = np.isfinite(self.value)
        weight = 1 / self.error[known] ** 2
        return float(weight @ self.value[known] / weight.sum()), float(weight.sum() ** -0.5)

    @property
    def flatness(self) -> float:
        """chi2 per degree of freedom of the slabs about their mean: near 1 where all slabs are alike."""
        known = np.isfinite(self.value)
        pulls = (self.value[known] - self.mean[0]) / self.error[known]
        return float(pulls @ pulls / max(1, known.sum() - 1))


def diffusivity(motion: Run, ion: str = "Li", start: float = 1.0, lags: int = 20, seed: int = 0) -> Diffusivity:
    """Of all ions together in three dimensions; one slab as high as the cell.

    `start` [ps]: from which lag on the ions diffuse rather than rattle. `lags`: how many lags are fitted.
    """
    z = motion.positions[..., 2]
    edges = np.array([z.min() - 1e-6, z.max() + 1e-6])
    return resolved(motion, edges, ion, pieces=1, plane="xyz", start=start, lags=lags, seed=seed)


def resolved(
    motion: Run,
    edges: np.ndarray,
    ion: str = "Li",
    pieces: int = 4,
    plane: str = "xy",
    start: float = 1.0,
    lags: int = 20,
    seed: int = 0,
    fixed: np.ndarray | None = None,
) -> Diffusivity:
    """Slab by slab between the heights `edges` [angstrom], shape (slabs + 1,), in the cell from 0 to its height.

    The run is cut into `pieces`; in each an ion counts for the slab in which it stands at the start of the piece. An
    ion that leaves its slab within a piece still counts for it: pieces should be shorter than the time for that. Motion
    is followed along `plane` (xy: along the interface). Drift of the other ions (`fixed` if given) is taken off.
    """
    _need_kinisi()
    which = np.flatnonzero(motion.atoms.symbols == ion)
    if not len(which):
        raise AtomsError(f"no {ion} in the run", f"one of {sorted(set(motion.atoms.symbols))}")
    edges = np.asarray(edges, dtype=float)
    size = len(motion.positions) // pieces
    lag = _lags(size, motion.interval, start, lags)
    frame = _anchor(motion, which, fixed)
    slabs = []
    for low, high in itertools.pairwise(edges):
        followed = [
            _follow(frame[k * size : (k + 1) * size], which, low, high, _height(motion.atoms)) for k in range(pieces)
        ]
        slabs.append(_fit(followed, motion, lag, plane, start, seed))
    value, error, ions, displacement = (np.array(row) for row in zip(*slabs, strict=True))
    return Diffusivity((edges[:-1] + edges[1:]) / 2, value, error, ions, lag, displacement)


def _need_kinisi():
    try:
        import kinisi  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise MissingExtra("kinisi", "atoms", "a diffusivity with its error") from error


def _lags(size: int, interval: float, start: float, most: int) -> np.ndarray:
    """Lags [ps], shape (lags,): multiples of the interval up to half a piece, at least three from `start` on."""
    longest = size // 2
    if longest * interval < start + 2 * interval:
        raise AtomsError(
            f"a piece of the run is {size * interval:.3g} ps long, too short for lags from {start} ps on",
            "a longer run, fewer pieces or an earlier start",
        )
    return np.unique(np.linspace(1, longest, min(most, longest)).round().astype(int)) * interval


def _anchor(motion: Run, which: np.ndarray, fixed: np.ndarray | None) -> np.ndarray:
    """Positions seen from the host, shape (frames, atoms, 3)."""
    host = np.setdiff1d(np.arange(len(motion.atoms)), which) if fixed is None else np.flatnonzero(fixed)
    if not len(host):
        return motion.positions
    drift = (motion.positions[:, host] - motion.positions[0, host]).mean(axis=1, keepdims=True)
    return motion.positions - drift


def _height(atoms: Atoms) -> float:
    """Of the cell [angstrom] where it repeats upwards, else infinite."""
    return float(atoms.cell.array[2, 2]) if atoms.pbc[2] else np.inf


def _follow(frames: np.ndarray, which: np.ndarray, low: float, high: float, height: float) -> np.ndarray:
    """Tracks of the ions that start in a slab, shape (frames, ions, 3)."""
    z = frames[0, which, 2]
    z = np.mod(z, height) if np.isfinite(height) else z
    return frames[:, which[(z >= low) & (z < high)]]


def _fit(followed: list[np.ndarray], motion: Run, lag: np.ndarray, plane: str, start: float, seed: int):
    """Diffusivity, its error, the ions and the mean-squared displacement of one slab."""
    ions = sum(track.shape[1] for track in followed)
    if ions == 0:
        return np.nan, np.nan, 0, np.full(len(lag), np.nan)
    tracks = np.concatenate([track - track[0] for track in followed], axis=1)
    squares = _squares(tracks, lag, motion, plane)
    most = float(squares[-1] / (2 * len(plane) * lag[-1])) * AREA_PER_TIME  # all motion taken for diffusion
    value, error = _kinisi(tracks, motion, lag, plane, start, seed)
    if not (np.isfinite(value) and value < ABSURD * most):
        value, error = 0.0, most  # ions that only rattle leave the fit without a slope
    return value, error, ions, squares


def _squares(tracks: np.ndarray, lag: np.ndarray, motion: Run, plane: str) -> np.ndarray:
    axes = ["xyz".index(axis) for axis in plane]
    steps = np.rint(lag / motion.interval).astype(int)
    return np.array([((tracks[s:] - tracks[:-s])[..., axes] ** 2).sum(axis=-1).mean() for s in steps])


def _kinisi(tracks: np.ndarray, motion: Run, lag: np.ndarray, plane: str, start: float, seed: int):
    """Mean and standard deviation [m^2/s] of kinisi's posterior."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kinisi and its libraries warn of their own future
        import scipp as sc
        from kinisi.analyze import DiffusionAnalyzer

        size = 4 * float(np.ptp(tracks, axis=(0, 1)).max()) + 100.0  # a box in which nothing wraps
        frames = [Atoms(f"Li{tracks.shape[1]}", at + size / 2, cell=[size] * 3, pbc=True) for at in tracks]
        analyzer = DiffusionAnalyzer.from_ase(
            frames, specie="Li", time_step=sc.scalar(motion.interval, unit="ps"),
            step_skip=sc.scalar(1, unit="dimensionless"), dimension=plane, progress=False,
            dt=sc.array(dims=["time interval"], values=lag, unit="ps"),
        )  # fmt: skip
        analyzer.diffusion(
            sc.scalar(start, unit="ps"), progress=False, n_samples=500, random_state=np.random.RandomState(seed)
        )
        samples = sc.to_unit(analyzer.D, "angstrom^2/ps").values
    return float(np.mean(samples)) * AREA_PER_TIME, float(np.std(samples, ddof=1)) * AREA_PER_TIME
