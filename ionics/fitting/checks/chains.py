"""Impedance as a chain of RC elements with given time constants: what the linear tests and corrections rest on.

Sums of 1 / (1 + i omega tau_k), with coefficients of either sign, come as close as one likes to any impedance
that obeys the Kramers-Kronig relations (Boukamp, J. Electrochem. Soc. 142 (1995) 1885). With time constants a
step h apart in ln tau, what is left of a single relaxation falls as exp(-pi^2 / h): the kernel's Fourier
transform is 1 / cosh(pi k / 2), and a grid carries k up to pi / h. Two a decade leave 2e-4, three 3e-6.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float

BEYOND = 1.0  # decades that the time constants reach past either end of the spectrum


def time_constants(
    frequency: Float[np.ndarray, " frequency"], per_decade: float, beyond: float = BEYOND
) -> Float[np.ndarray, " relaxation"]:
    """Log-spaced tau [s], from the fastest, `beyond` decades past 1 / omega at either end."""
    low = np.log10(1 / (2 * np.pi * np.max(frequency))) - beyond
    high = np.log10(1 / (2 * np.pi * np.min(frequency))) + beyond
    return np.logspace(low, high, int(np.ceil(per_decade * (high - low))) + 1)


def relaxations(
    frequency: Float[np.ndarray, " frequency"], tau: Float[np.ndarray, " relaxation"]
) -> Complex[np.ndarray, "frequency relaxation"]:
    """1 / (1 + i omega tau), frequency in Hz, tau in s."""
    return 1 / (1 + 2j * np.pi * np.outer(frequency, tau))
