"""Exact linear response of dilute ions between two equal plates: A05 and A08 for any number of ions.

iω y_i = D_i (y_i'' + z_i φ''),  φ'' = -κ² Σ z_j c_j y_j  with y = δc/c, φ in RT/F and κ² = F²/(ε RT): a system
y'' = M y with constant coefficients, odd about the middle. Nothing here is shared with the package but constants.
"""

from dataclasses import dataclass

import numpy as np

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY


@dataclass(frozen=True)
class Ions:
    """Charges, concentrations [mol m-3], diffusivities [m2 s-1], and exchange currents at the plates [A m-2]."""

    charge: tuple[int, ...]
    concentration: tuple[float, ...]
    diffusivity: tuple[float, ...]
    exchange: tuple[float, ...]  # zero: blocked


def plates(ions: Ions, permittivity, half, frequency, temperature, elastance=0.0):
    """Impedance [Ohm m2]; half: half the distance [m]; elastance: 1/C of the compact layer at either plate [m2 F-1]."""
    return np.array([_one(ions, permittivity, half, f, temperature, elastance) for f in frequency])


def _one(ions, permittivity, half, frequency, temperature, elastance):
    z, c, d = (np.array(v, float) for v in (ions.charge, ions.concentration, ions.diffusivity))
    passing = np.array(ions.exchange) / FARADAY  # mol m-2 s-1 per RT of affinity
    eps, rate = VACUUM_PERMITTIVITY * permittivity, 2j * np.pi * frequency
    kappa2 = FARADAY**2 / (eps * GAS * temperature)
    squares, shapes = np.linalg.eig(np.diag(rate / d) + kappa2 * np.outer(z, z * c))
    mu = np.sqrt(squares)
    # y = sum_k a_k shape_k sinh(mu_k x), phi = -sum_k a_k w_k sinh(mu_k x) + b x; a_k counts over cosh(mu_k half)
    w = kappa2 * (z * c) @ shapes / squares
    sinh, slope = np.tanh(mu * half), mu
    potentials = shapes - np.outer(z, w)  # of y + z phi
    flux = -(d * c)[:, None] * np.column_stack([potentials * slope, z])
    surface = np.column_stack([potentials * sinh, z * half])
    laws = flux - passing[:, None] * surface
    phi, field = np.append(-w * sinh, half), np.append(-w * slope, 1.0)
    rows = np.vstack([laws, phi + elastance * eps * field])
    right = np.append(-passing * z, 1.0)  # the right metal at one RT/F, the left one at minus one
    unknown = np.linalg.solve(rows, right)
    current = FARADAY * z @ (flux @ unknown) - rate * eps * GAS * temperature / FARADAY * (field @ unknown)
    return -2 * GAS * temperature / FARADAY / current
