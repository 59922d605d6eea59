"""Where the closed approximation of the double layer of a site-limited defect pair breaks.

The Poisson-Fermi-Dirac equation of Swift, Swift and Qi, Nat. Comput. Sci. 1 (2021) 212, doi:10.1038/s43588-021-00041-y,

    f'' = 1/(B e^-f + 1) - 1/(B e^f + 1),   f = e (phi_bulk - phi)/kT,   x in units of sqrt(eps eps0 kT/(alpha N e^2)),

B = alpha exp(Ef0/kT), has a first integral, so its charge and depth are quadratures. The published closed form joins a
parabola, all sites full, to the dilute tail. Here both are compared over B and the potential of the metal.

    python benchmarks/double_layer_closed_form.py          writes results/double_layer_closed_form.md
"""

from __future__ import annotations

import datetime
import math
import platform
from pathlib import Path

import numpy as np

ALPHA, KT = 0.1, 8.61733e-5 * 300  # as published; eV
POTENTIALS = (5, 10, 20, 40, 62.7, 84.5, 150, 300)  # e phi/kT
ENERGIES = (-2, 0, 0.557, 2, 5, 10, 15, 20, 25, 30, 33.3, 37.6, 45)  # Ef0/kT
CASES = {  # e phi_bulk [eV], Ef0 [eV]: inputs published with the code of the paper
    "LLZO": (1.6216363422810787, 0.0143907397384),
    "Li2CO3": (1.844417907251016, 0.9110166485045346),
    "Li2O (111)": (2.183321390809776, 0.8601251285608837),
    "Li2O (110)": (0.7104936557674408, 0.8601251285608837),
    "LiF": (1.9160630915364418, 0.9733510180664657),
}
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def work(f: np.ndarray, b: float) -> np.ndarray:
    """Half the squared slope f'^2/2 at f: the first integral."""
    return np.log1p(4 * b * np.sinh(f / 2) ** 2 / (1 + b) ** 2)


def exact(f0: float, b: float, points: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Depth over f, from f0 down to f0 1e-6, by Gauss quadrature between points that are dense at both ends."""
    turns = 1 - np.geomspace(1e-9, 0.5, points // 2), 0.5 * np.geomspace(1, 2e-6, points // 2)[1:]
    f = f0 * np.concatenate([[1.0], *turns])
    half, middle = (f[:-1] - f[1:]) / 2, (f[:-1] + f[1:]) / 2
    inside = middle[:, None] + half[:, None] * NODES
    steps = half * (WEIGHTS / np.sqrt(2 * work(inside, b))).sum(axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]), f


def closed(x: np.ndarray, f0: float, b: float) -> np.ndarray:
    """The published piecewise form: its equations 14 before x1 = |f'(0)|, and 16 with 17 behind it."""
    slope = math.sqrt(2 * work(np.array(f0), b))
    near = f0 - slope * x + x**2 / 2
    y = np.maximum(math.sqrt(2 / b) * (x - slope + math.sqrt(2)), 1e-300)
    return np.where(x <= slope, near, -2 * np.log(np.tanh(y / 2)))


def errors(f0: float, b: float) -> tuple[float, float, float, float]:
    """Largest error over the potential of the metal; jump at x1; error of the depth of half the potential; x1."""
    x, f = exact(f0, b)
    slope = math.sqrt(2 * work(np.array(f0), b))
    edges = np.array([slope, slope * (1 + 1e-12)])
    own = np.interp(np.log(edges), np.log(x[1:]), f[1:])
    both = closed(edges, f0, b)
    worst = max(np.abs(closed(x, f0, b) - f).max(), np.abs(both - own).max())
    dense = np.concatenate([np.linspace(0, slope, 20001), slope + np.geomspace(1e-9, x[-1], 20001)])
    over = closed(dense, f0, b) <= f0 / 2
    half = dense[over.argmax()] if over.any() else math.nan
    return worst / f0, (both[1] - both[0]) / f0, half / np.interp(-f0 / 2, -f, x) - 1, slope


def table() -> list[str]:
    head = "| Ef0/kT \\ eφ/kT | " + " | ".join(f"{f0:g}" for f0 in POTENTIALS) + " |"
    rows = [head, "|---" * (len(POTENTIALS) + 1) + "|"]
    for energy in ENERGIES:
        found = [f"{100 * errors(f0, ALPHA * math.exp(energy))[0]:.1f} %" for f0 in POTENTIALS]
        rows.append(f"| {energy:g} | " + " | ".join(found) + " |")
    return rows


def cases() -> list[str]:
    head = "| | Ef0/kT | eφ/kT | largest error of φ | jump at x1 | depth of φ/2 | depth of 1.24 V |"
    rows = [head, "|---" * 7 + "|"]
    for name, (volts, energy) in CASES.items():
        f0, b = volts / KT, ALPHA * math.exp(energy / KT)
        worst, jump, half, _ = errors(f0, b)
        said = f"{energy / KT:.2f} | {f0:.1f} | {worst * volts * 1e3:.0f} mV, {100 * worst:.1f} % | "
        rows.append(f"| {name} | {said}{-jump * volts * 1e3:+.0f} mV | {100 * half:+.1f} % | {_reached(f0, b, 1.24)} |")
    return rows


def _reached(f0: float, b: float, volts: float) -> str:
    """Error of the depth at which the potential has risen by so much from the metal."""
    x, f = exact(f0, b, 20000)
    wanted = f0 - volts / KT
    if wanted <= 0:
        return "not reached"
    dense = np.geomspace(1e-3, x[-1], 400001)
    found = dense[(closed(dense, f0, b) <= wanted).argmax()]
    return f"{100 * (found / np.interp(-wanted, -f, x) - 1):+.2f} %"


def edges() -> list[str]:
    """Ef0/kT between which the largest error stays below 1 and 10 %."""
    rows = ["| eφ/kT | below 1 % for Ef0/kT | below 10 % for Ef0/kT |", "|---|---|---|"]
    energies = np.arange(-4, 110, 0.1)
    for f0 in POTENTIALS:
        found = np.array([errors(f0, ALPHA * math.exp(e))[0] for e in energies])
        rows.append(f"| {f0:g} | {_spans(energies, found < 0.01)} | {_spans(energies, found < 0.1)} |")
    return rows


def _spans(energies: np.ndarray, holds: np.ndarray) -> str:
    starts = np.flatnonzero(holds & ~np.concatenate([[False], holds[:-1]]))
    ends = np.flatnonzero(holds & ~np.concatenate([holds[1:], [False]]))
    said = [f"{energies[a]:.1f} to {energies[b]:.1f}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(said) or "nowhere"


def main() -> None:
    lines = [
        "# Where the closed form of a double layer breaks",
        "",
        f"`python benchmarks/double_layer_closed_form.py`, {datetime.date.today()}, "
        f"Python {platform.python_version()}, "
        f"{platform.machine()}; no number depends on the machine. alpha = {ALPHA}.",
        "",
        "Published cases:", "", *cases(), "",
        "Largest error of the potential over the potential of the metal:", "", *table(), "",
        "Where it is small:", "", *edges(), "",
    ]  # fmt: skip
    path = Path(__file__).parent / "results" / "double_layer_closed_form.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
