"""Two cells that nearly coincide: principal strains, and who takes which part of them.

A misfit stretches vectors of the left crystal into those of the right: F with left @ F = right, F = V R, strain = ln V.
Logarithms add, so the two sides part one tensor between them, and both keep its principal axes: for isotropic sheets
in plane stress the mean and the difference of the principal strains cost energy separately,
h Y / (1 - nu) mean^2 + h Y / (1 + nu) half^2, and each is shared against the stiffness of the other side.
Source: Nye, Physical Properties of Crystals (1985), chapter 8 (plane stress of an isotropic sheet).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionics.interfaces.phases import Elasticity

GIGAPASCAL = 0.006241509  # eV/angstrom^3


@dataclass(frozen=True)
class Sheet:
    """A slab as an isotropic sheet in plane stress."""

    youngs: float  # GPa
    poisson: float
    thickness: float  # angstrom

    @property
    def even(self) -> float:
        """Stiffness against equal strains along both axes [eV/angstrom^2]."""
        return GIGAPASCAL * self.youngs / (1 - self.poisson) * self.thickness

    @property
    def odd(self) -> float:
        """Stiffness against opposite strains along the two axes [eV/angstrom^2]."""
        return GIGAPASCAL * self.youngs / (1 + self.poisson) * self.thickness

    def energy(self, strain: np.ndarray) -> np.ndarray:
        """Per area [eV/angstrom^2] of principal strains of shape (..., 2)."""
        mean, half = strain.mean(-1), (strain[..., 0] - strain[..., 1]) / 2
        return self.even * mean**2 + self.odd * half**2

    def normal(self, strain: np.ndarray) -> np.ndarray:
        """Strain along the free normal that follows from principal strains of shape (..., 2) in the plane."""
        return -self.poisson / (1 - self.poisson) * strain.sum(-1)


def sheets(left: Elasticity | None, right: Elasticity | None, thickness: tuple[float, float]) -> tuple[Sheet, Sheet]:
    """Both slabs; one whose elasticity is unknown is taken as stiff as the other (both unknown: 100 GPa, 0.25)."""
    known = left or right
    both = [(e.youngs, e.poisson) if e else (100.0, 0.25) for e in (left or known, right or known)]
    return Sheet(*both[0], thickness[0]), Sheet(*both[1], thickness[1])


def misfit(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of cells, rows are vectors, shapes (..., 2, 2): left @ F = right.

    Returns principal logarithmic strains (..., 2), rising; their axes in the frame of the left cell as columns
    (..., 2, 2); and the rotation R (..., 2, 2) of F = V R.
    """
    f = np.linalg.solve(left, right)
    square, axes = np.linalg.eigh(f @ np.swapaxes(f, -1, -2))
    strain = np.log(square) / 2
    stretch = axes @ (np.exp(-strain)[..., :, None] * np.swapaxes(axes, -1, -2))
    return strain, axes, stretch @ f


def share(strain: np.ndarray, left: Sheet, right: Sheet) -> tuple[np.ndarray, np.ndarray]:
    """Principal strains of the left and the right slab that meet at least energy, each (..., 2), on the same axes."""
    mean, half = strain.mean(-1), (strain[..., 1] - strain[..., 0]) / 2
    even, odd = right.even / (left.even + right.even), right.odd / (left.odd + right.odd)
    mine = np.stack([even * mean - odd * half, even * mean + odd * half], axis=-1)
    return mine, mine - strain


def tensor(strain: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The stretch exp(strain) as a matrix, from principal logarithmic strains and axes (columns)."""
    return axes @ (np.exp(strain)[..., :, None] * np.swapaxes(axes, -1, -2))


def von_mises(strain: np.ndarray) -> np.ndarray:
    """The scalar that other tools report, of principal strains (..., 2) in the plane; for comparison only."""
    full = np.concatenate([strain, np.zeros_like(strain[..., :1])], axis=-1)
    deviator = full - full.mean(-1, keepdims=True)
    return np.sqrt(2 / 3 * (deviator**2).sum(-1))
