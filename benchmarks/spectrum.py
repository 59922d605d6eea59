"""Time of an impedance spectrum and of an equilibrium, against the same problem by hand with SciPy's banded solver.

    python benchmarks/spectrum.py [--nodes 161 641] [--repeats 25] [--output benchmarks/results]

Three layers of dilute cations and anions (one layer with fixed charge), both crossing the junctions in equilibrium,
between blocking contacts, 3 unknowns a node, 60 frequencies. The other side is what one writes for this one problem
with numpy: Scharfetter-Gummel fluxes, Jacobian and storage by hand, unknowns interleaved node by node,
scipy.linalg.solve_banded in every Newton step and at every frequency. It knows nothing else: no other statistics,
kinetics, shares of the elements or derivatives. Both use the same nodes, in one process, their repeats in turn.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
from scipy.linalg import solve_banded

jax.config.update("jax_enable_x64", True)

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.equilibrium import equilibrium  # noqa: E402
from ionics.transport.impedance import impedance  # noqa: E402
from ionics.transport.stack import Carrier, Junction, Layer, Material, Species, Stack, graded_mesh, transfer  # noqa: E402
from ionics.transport.statistics import Dilute  # noqa: E402

T = 298.15
FREQUENCY = np.geomspace(1e-2, 1e6, 60)
# thickness m, relative permittivity, diffusivity m2/s of C+ and A-, their amounts mol/m3, fixed charge mol/m3
LAYERS = (
    (2e-7, 10.0, (1e-12, 1e-12), (1.0, 1.0), 0.0),
    (1e-7, 20.0, (1e-13, 3e-13), (0.3, 0.7), 0.4),
    (3e-7, 15.0, (3e-13, 1e-13), (2.0, 2.0), 0.0),
)


def stack(nodes: int) -> Stack:
    """The problem in ionics' words."""
    species = (Species("C+", 1), Species("A-", -1))
    layers = []
    for i, (thickness, eps, diffusivity, amount, fixed) in enumerate(LAYERS):
        carriers = tuple(
            Carrier(s, Dilute(), 1.0, c, Constant(d)) for s, c, d in zip(species, amount, diffusivity, strict=True)
        )
        material = Material(f"material {i}", carriers, eps, fixed)
        layers.append(Layer(f"layer {i}", material, thickness, graded_mesh(material, thickness, T, nodes)))
    cross = (transfer("C+"), transfer("A-"))
    junctions = (Junction("left"), Junction("0 | 1", cross), Junction("1 | 2", cross), Junction("right"))
    return Stack(species, tuple(layers), junctions, T)


class ByHand:
    """The same problem in numpy. Where two layers meet in equilibrium their end nodes are one node with two half cells.

    Unknowns of a node: log c of the cation, log c of the anion, F phi / RT; phi is zero on the left metal.
    """

    charge = np.array([1.0, -1.0])

    def __init__(self, spacings: list[np.ndarray]):
        self.h = np.concatenate([s * p[0] for s, p in zip(spacings, LAYERS, strict=True)])
        of_face = np.repeat(np.arange(len(LAYERS)), [len(s) for s in spacings])
        eps, fixed = (np.array([p[k] for p in LAYERS])[of_face] for k in (1, 4))
        diffusivity = np.array([p[2] for p in LAYERS])[of_face].T
        half = np.stack([np.pad(self.h / 2, (0, 1)), np.pad(self.h / 2, (1, 0))])
        self.volume = half.sum(axis=0)
        self.background = np.pad(fixed, (0, 1)) * half[0] + np.pad(fixed, (1, 0)) * half[1]
        self.conductance = diffusivity / self.h
        self.permittivity = VACUUM_PERMITTIVITY * eps / self.h * GAS * T / FARADAY  # C m-2 per RT/F
        amount = np.array([p[3] for p in LAYERS])[of_face].T
        self.amount = (np.pad(amount, ((0, 0), (0, 1))) * half[0] + np.pad(amount, ((0, 0), (1, 0))) * half[1]).sum(1)

    @staticmethod
    def band(lower, diagonal, upper) -> np.ndarray:
        """Band storage (5 above, 3 below the diagonal) of blocks [node, row, column]."""
        nodes, width = diagonal.shape[0], 3
        ab = np.zeros((9, nodes * width), diagonal.dtype)
        for r in range(width):
            for c in range(width):
                ab[5 + r - c, c::width] = diagonal[:, r, c]
                if r + width - c <= 3:  # what lies farther out is zero
                    ab[5 + r + width - c, c : (nodes - 1) * width : width] = lower[1:, r, c]
                if width + c - r <= 5:
                    ab[5 + r - width - c, width + c :: width] = upper[:-1, r, c]
        return ab

    def equilibrium(self) -> tuple[np.ndarray, np.ndarray]:
        """Poisson-Boltzmann with both amounts held between grounded metals: Newton, bordered by two constants."""
        n = len(self.volume)
        phi, mu = np.zeros(n), np.log(self.amount / self.volume.sum())
        for _ in range(100):
            c = np.exp(mu[:, None] - self.charge[:, None] * phi)
            field = np.diff(phi) * self.permittivity
            charge = self.charge @ c * self.volume + self.background
            residual = -np.diff(field, prepend=0, append=0) - FARADAY * charge
            slope = FARADAY * c.sum(axis=0) * self.volume
            ab = np.zeros((3, n))
            ab[0, 1:] = ab[2, :-1] = -self.permittivity
            ab[1] = slope + np.pad(self.permittivity, (0, 1)) + np.pad(self.permittivity, (1, 0))
            columns = -FARADAY * self.charge[:, None] * c * self.volume
            right = np.vstack([residual, columns])
            for end, off in ((0, (0, 1)), (-1, (2, -2))):  # the potential of the metals
                ab[1, end], ab[off] = 1.0, 0.0
                right[:, end] = 0.0, 0.0, 0.0
            solved = solve_banded((1, 1), ab, right.T).T
            along = -self.charge[:, None] * c * self.volume  # of the amounts with phi
            schur = np.diag((c * self.volume).sum(axis=1)) - along @ solved[1:].T
            d_mu = np.linalg.solve(schur, along @ solved[0] - ((c * self.volume).sum(axis=1) - self.amount))
            d_phi = -solved[0] - d_mu @ solved[1:]
            size = np.abs(d_phi).max()
            step = min(1.0, 4.0 / max(size, 1e-300))
            phi, mu = phi + step * d_phi, mu + step * d_mu
            if size < 1e-9:
                return mu[:, None] - self.charge[:, None] * phi, phi
        raise RuntimeError("no equilibrium")

    def impedance(self, u: np.ndarray, phi: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """-dV/dI [Ohm m2], one complex banded solve per frequency."""
        n, c = len(phi), np.exp(u)
        lower, diagonal, upper = (np.zeros((n, 3, 3)) for _ in range(3))
        storage = np.zeros((n, 3, 3))
        for k, z in enumerate(self.charge):
            x = z * np.diff(phi)
            near = np.abs(x) < 1e-3
            safe = np.where(near, 1.0, x)
            b = np.where(near, 1 - x / 2 + x**2 / 12, safe / np.expm1(safe))
            db = np.where(near, -0.5 + x / 6 - x**3 / 180, (1 - b - x) / np.expm1(safe))
            left, right = self.conductance[k] * b * c[k, :-1], -self.conductance[k] * (b + x) * c[k, 1:]
            drift = self.conductance[k] * z * (db * c[k, :-1] - (db + 1) * c[k, 1:])  # with phi_right
            for column, a, e in ((k, left, right), (2, -drift, drift)):  # flux by the left and the right node
                diagonal[:-1, k, column] += a
                upper[:-1, k, column] += e
                diagonal[1:, k, column] -= e
                lower[1:, k, column] -= a
            storage[:, k, k] = c[k] * self.volume
            diagonal[:, 2, k] = -FARADAY * z * c[k] * self.volume
        diagonal[:, 2, 2] = np.pad(self.permittivity, (0, 1)) + np.pad(self.permittivity, (1, 0))
        upper[:-1, 2, 2] = lower[1:, 2, 2] = -self.permittivity
        for end, side in ((0, upper), (-1, lower)):  # potentials of the metals: 0 and one RT/F
            diagonal[end, 2], side[end, 2] = (0.0, 0.0, 1.0), 0.0
        still, moving = self.band(lower, diagonal, upper), self.band(0 * lower, storage, 0 * upper)
        kick = np.zeros(3 * n, complex)
        kick[-1] = 1.0
        z = np.empty(len(frequency), complex)
        for i, omega in enumerate(2 * np.pi * frequency):
            x = solve_banded((3, 5), still + 1j * omega * moving, kick, overwrite_ab=True, check_finite=False)
            # the charge on the right metal: Gauss' law of the last half cell
            field = self.permittivity[-1] * (x[-1] - x[-4])
            charge = field - FARADAY * self.volume[-1] * (c[0, -1] * x[-3] - c[1, -1] * x[-2])
            z[i] = GAS * T / FARADAY / (1j * omega * charge)
        return z


def in_turn(questions: dict, repeats: int) -> dict[str, float]:
    """Median time of each question [s], asked in turn so that a busy moment of the machine meets all of them."""
    times = {name: [] for name in questions}
    for _ in range(repeats):
        for name, question in questions.items():
            begin = time.perf_counter()
            question()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


def compare(nodes: int, repeats: int) -> dict:
    """Both programs on one mesh."""
    cell = stack(nodes)
    hand = ByHand([np.asarray(layer.spacing) for layer in cell.layers])
    begin = time.perf_counter()
    solution, middle = jax.block_until_ready(equilibrium(cell)), time.perf_counter()
    answer, end = jax.block_until_ready(impedance(cell, solution, FREQUENCY)), time.perf_counter()
    u, phi = hand.equilibrium()
    z = hand.impedance(u, phi, FREQUENCY)
    ours = np.delete(np.asarray(solution.state.phi), [nodes, 2 * nodes]) * FARADAY / (GAS * T)  # those it has once
    questions = {
        "equilibrium": lambda: jax.block_until_ready(equilibrium(cell)),
        "equilibrium by hand": hand.equilibrium,
        "spectrum": lambda: jax.block_until_ready(impedance(cell, solution, FREQUENCY)),
        "spectrum by hand": lambda: hand.impedance(u, phi, FREQUENCY),
    }
    times = in_turn(questions, repeats)
    return {
        "nodes": [layer.nodes for layer in cell.layers],
        "times_s": times,
        "first_call_s": {"equilibrium": middle - begin, "spectrum": end - middle},
        "ratio_spectrum": times["spectrum by hand"] / times["spectrum"],
        "ratio_equilibrium": times["equilibrium by hand"] / times["equilibrium"],
        "largest_relative_difference_of_Z": float(np.max(np.abs(np.asarray(answer.z) / z - 1))),
        "largest_difference_of_F_phi_over_RT": float(np.max(np.abs(ours - phi))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[161, 641], help="of each of the three layers")
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    info = Path("/proc/cpuinfo")
    model = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    report = {
        "what": "three layers, two carriers and the potential, 60 frequencies from 10 mHz to 1 MHz",
        "cases": [compare(nodes, arguments.repeats) for nodes in arguments.nodes],
        "device": f"{(model or [platform.processor()])[0]}, {os.cpu_count()} cores, jax on {jax.default_backend()}",
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python benchmarks/spectrum.py", *words]),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("jax", "jaxlib", "numpy", "scipy")},
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "spectrum.json").write_text(json.dumps(report, indent=2) + "\n")
    (arguments.output / "spectrum.md").write_text(markdown(report))
    print(markdown(report))


def markdown(report: dict) -> str:
    """The report as a table."""
    head = "| nodes | question | ionics | by hand, solve_banded | ratio | first call | largest difference |"
    what = "Medians of warm calls in ms, the two programs in turn; first calls (with compilation) in s."
    lines = [f"# Spectrum: {report['what']}", "", what, "", head, "|---" * 7 + "|"]
    for case in report["cases"]:
        differences = {
            "spectrum": f"{case['largest_relative_difference_of_Z']:.1e} of Z",
            "equilibrium": f"{case['largest_difference_of_F_phi_over_RT']:.1e} RT/F",
        }
        for name, difference in differences.items():
            mine, other = (1e3 * case["times_s"][key] for key in (name, f"{name} by hand"))
            lines += [
                f"| {' + '.join(map(str, case['nodes']))} | {name} | {mine:.2f} | {other:.2f} "
                f"| {case[f'ratio_{name}']:.2f} | {case['first_call_s'][name]:.1f} | {difference} |"
            ]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    return "\n".join([*lines, "", f"{report['device']}; {report['date']}; {versions}. `{report['command']}`", ""])


if __name__ == "__main__":
    main()
