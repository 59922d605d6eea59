"""Cells of the benchmarks against PyBaMM, in numbers: what both sides are told."""

from __future__ import annotations

import numpy as np

RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
ONE_C = 45.0  # A m-2 of the cells below
LONGEST = 1.3  # of the time that 1C is called after; every discharge below ends at the voltage before
CHECKED = 16  # discharges of a set, at most, that are compared with fine meshes
FRACTIONS = np.array([0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])  # of a discharge, where voltages are compared

NMC = {
    "thickness": 80e-6,
    "active_fraction": 0.6,
    "electrolyte_fraction": 0.3,
    "electrolyte_conductivity": 0.2,  # S m-1 of the bulk; times fraction ** bruggeman in the electrode
    "bruggeman": 1.5,
    "electrode_conductivity": 1.0,  # S m-1, of the composite as it is
    "radius": 3e-6,
    "diffusivity": 1e-14,
    "sites": 50000.0,  # mol m-3
    "start": 0.25,
    "exchange_current": 1.0,  # A m-2; "sqrt": at half filling, 2 i0 sqrt(x (1 - x))
    "kinetics": "constant",
    "capacitance": 0.2,  # F m-2 of surface, where the double layer is asked for
    "open_circuit": "nmc",
}
GRAPHITE = NMC | {
    "thickness": 120e-6,
    "active_fraction": 0.55,
    "electrolyte_fraction": 0.35,
    "electrode_conductivity": 10.0,
    "radius": 5e-6,
    "diffusivity": 3e-14,
    "sites": 31000.0,
    "start": 0.83,
    "open_circuit": "graphite",
}
LITHIUM = {"exchange_current": 10.0, "capacitance": 0.2}
HALF = {
    "temperature": 298.15,
    "cutoff": 3.0,
    "current": ONE_C,
    "separator": {"thickness": 30e-6, "conductivity": 0.2},
    "negative": LITHIUM,
    "positive": NMC,
}
FULL = HALF | {"negative": GRAPHITE}


def nmc(x, exp, tanh):
    """Mohtat et al., J. Electrochem. Soc. 167 (2020) 110561, doi:10.1149/1945-7111/aba5d1 [V against Li]."""
    poly = 4.3452 - 1.6518 * x + 1.6225 * x**2 - 2.0843 * x**3 + 3.5146 * x**4 - 2.2166 * x**5
    return poly - 0.5623e-4 * exp(109.451 * x - 100.006)


def graphite(x, exp, tanh):
    """Chen et al., J. Electrochem. Soc. 167 (2020) 080534, doi:10.1149/1945-7111/ab9050 [V against Li]."""
    return (
        1.9793 * exp(-39.3631 * x)
        + 0.2482
        - 0.0909 * tanh(29.8538 * (x - 0.1234))
        - 0.04478 * tanh(14.9159 * (x - 0.2769))
        - 0.0205 * tanh(30.4444 * (x - 0.6103))
    )


OPEN_CIRCUIT = {"nmc": nmc, "graphite": graphite}


def varied(count: int) -> list[dict[str, float]]:
    """Cells within a factor of 4 around `NMC` (thickness: 2), each at its own 1C."""
    u = np.random.default_rng(0).uniform(-1, 1, (count, 4))
    return [
        {
            "thickness": (thickness := NMC["thickness"] * 2 ** (0.5 * a)),
            "radius": NMC["radius"] * 2**b,
            "diffusivity": NMC["diffusivity"] * 2**c,
            "exchange_current": NMC["exchange_current"] * 2**d,
            "current": ONE_C * thickness / NMC["thickness"],
        }
        for a, b, c, d in u.tolist()
    ]
