"""Spectra of random circuits of every kind, with noise, and with a resistance that drifts during the sweep."""

from collections.abc import Iterator

import numpy as np

from ionics.fitting.checks.chains import relaxations, time_constants
from ionics.fitting.spectrum import Spectrum

KINDS = ("arcs", "warburg", "randles", "gerischer", "inductive", "blocking", "diffusion", "open")


def noisy(rng, z: np.ndarray, share: float) -> np.ndarray:
    return z + share * abs(z) * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape))


def circuit(rng, kind: str):
    """Frequencies [Hz], and Z [ohm] as a function of a factor, number or one a frequency, on one resistance."""
    top, low = rng.uniform(4, 7), rng.uniform(-2.5, 0.5)
    frequency = np.logspace(top, low, int((top - low) * rng.integers(5, 12)) + 1)
    s = 2j * np.pi * frequency
    first = 10 ** rng.uniform(0, 2)
    arc, second = first * 10 ** rng.uniform(-0.5, 1, 2)
    fast = rng.uniform(top - 2.5, top - 0.5)
    slow = rng.uniform(low + 0.5, max(fast - 1, low + 0.6))
    n, m, blocking = rng.uniform(0.7, 1, 3)
    warburg = 3 * first * 10 ** rng.uniform(-0.5, 0.7) * np.sqrt(2 * np.pi * 10**low)
    depth, edge = 10 ** rng.uniform(low, low + 2), 10 ** rng.uniform(low, low + 2.5)
    inductance = first / (2 * np.pi * 10**top) * 10 ** rng.uniform(-1, 0.3)
    x = np.sqrt(s / (2 * np.pi * depth))
    double_layer = (s / (2 * np.pi * 10**slow)) ** m / second

    def impedance(factor=1.0):
        z = first + arc / (1 + (s / (2 * np.pi * 10**fast)) ** n)
        r = second * factor
        rest = {
            "arcs": lambda: 1 / (1 / r + double_layer),
            "warburg": lambda: 1 / (1 / r + double_layer) + warburg / np.sqrt(s),
            "randles": lambda: 1 / (1 / (r + warburg / np.sqrt(s)) + double_layer),
            "gerischer": lambda: r / np.sqrt(1 + x**2),
            "inductive": lambda: 1 / (1 / r + double_layer) + s * inductance,
            "blocking": lambda: z * (factor - 1) + first * (s / (2 * np.pi * edge)) ** -blocking,
            "diffusion": lambda: r * np.tanh(x) / x,
            "open": lambda: 1 / (1 / r + double_layer) + second / (x * np.tanh(x)),
        }
        return z + rest[kind]()

    return frequency, impedance


def consistent(number: int, seed: int) -> Iterator[tuple[str, float, Spectrum]]:
    """Kind, noise (0.1 to 3 % of |Z|), spectrum."""
    rng = np.random.default_rng(seed)
    for k in range(number):
        kind, share = KINDS[k % len(KINDS)], 10 ** rng.uniform(-3, np.log10(0.03))
        frequency, impedance = circuit(rng, kind)
        yield kind, share, Spectrum(frequency, noisy(rng, impedance(), share), label=kind)


def drifting(number: int, seed: int) -> Iterator[tuple[float, Spectrum]]:
    """Spectra with a resistance that changes by 2 to 10 % from the first point to the last, noise 0.05 to 1 %.

    Every other drifts with the number of the point, the others with the time, most of which goes into the lowest
    frequencies. With each comes the size of what no chain of RC elements can follow, in standard deviations of
    the noise: the norm over all points.
    """
    rng = np.random.default_rng(seed)
    for k in range(number):
        frequency, impedance = circuit(rng, KINDS[k % len(KINDS)])
        share, change = 10 ** rng.uniform(-3.3, -2), rng.uniform(0.02, 0.1) * rng.choice([-1, 1])
        spent = np.cumsum(3 / frequency + 0.3)
        course = np.linspace(0, 1, len(frequency)) if k % 2 else spent / spent[-1]
        z = impedance(1 + change * course)
        yield contradiction(frequency, z) / share, Spectrum(frequency, noisy(rng, z, share))


def contradiction(frequency: np.ndarray, z: np.ndarray) -> float:
    """Norm over |Z| of what the best chain of any useful density leaves of Z or of 1 / Z."""
    least, omega = np.inf, 2 * np.pi * frequency
    for per_decade in (2.0, 2.5, 3.0, 3.5):
        chain = relaxations(frequency, time_constants(frequency, per_decade))
        if chain.shape[1] + 3 > 0.9 * len(frequency):
            break
        columns = np.column_stack([np.ones_like(omega), 1j * omega / omega[0], omega[-1] / (1j * omega), chain])
        for target in (z, 1 / z):
            rows = columns / abs(target)[:, None]
            goal = target / abs(target)
            rows, goal = np.vstack([rows.real, rows.imag]), np.concatenate([goal.real, goal.imag])
            rest = goal - rows @ np.linalg.lstsq(rows, goal, rcond=1e-12)[0]
            least = min(least, float(np.linalg.norm(rest)))
    return least
