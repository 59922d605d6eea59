"""Stress of a clamped film and what it does to the chemical potential (PHYSICS: mu gains -Omega sigma_h)."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from ionics.laws import array

Scalar = Float[Array, ""]
Values = Float[Array, "..."]


class ClampedFilm(eqx.Module):
    """A film that cannot expand in its plane: biaxial stress from the carrier it takes up, beside a pressure.

    Larche and Cahn, Acta Metall. 33 (1985) 331. Local in the concentration, so no new unknown.
    """

    molar_volume: Scalar = array()  # Omega, partial molar volume, m3 mol-1
    modulus: Scalar = array()  # Young's, Pa
    poisson: Scalar = array()  # Poisson's ratio, 1
    concentration: Scalar = array()  # at which the film was clamped without stress, mol m-3
    residual: Scalar = array()  # biaxial stress at that concentration, Pa (tension positive)
    pressure: Scalar = array()  # hydrostatic cell pressure, Pa

    def biaxial(self, concentration: Values) -> Values:
        """sigma = -(E/(1-nu)) (Omega/3) (c - c0) + sigma_0 [Pa]."""
        change = concentration - self.concentration
        return self.residual - self.modulus / (1 - self.poisson) * self.molar_volume / 3 * change

    def potential(self, concentration: Values) -> Values:
        """-Omega sigma_h [J mol-1], sigma_h = 2/3 sigma_biaxial - p."""
        return -self.molar_volume * (2 / 3 * self.biaxial(concentration) - self.pressure)


def curvature(biaxial, film, substrate, modulus, poisson):
    """Of a substrate under a thin stressed film [m-1]: 6 sigma h_f (1 - nu) / (E h^2).

    Stoney, Proc. R. Soc. A 82 (1909) 172. biaxial [Pa]; film, substrate: thicknesses [m]; modulus,
    poisson: of the substrate.
    """
    return 6 * biaxial * film * (1 - poisson) / (modulus * substrate**2)


def sphere_stress(molar_volume, modulus, poisson, change):
    """Radial stress at the centre and tangential stress at the surface [Pa] of a sphere charged at a steady rate.

    change = j R / (2 F D) [mol m-3]; Cheng and Verbrugge, J. Power Sources 190 (2009) 453.
    """
    centre = 2 * molar_volume * modulus / (9 * (1 - poisson)) * 3 / 5 * change
    return centre, -centre
