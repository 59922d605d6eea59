"""Particles that separate into two phases fill one after the other: python docs/phase_field.py

Of configs/lithium_iron_phosphate_phases.yaml: voltage at 0.1C and 2C, how full each particle is, and the boundary that
runs through one of them. Draws docs/images/phase_field.png and prints the numbers of docs/electrodes.md.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import ionics  # noqa: E402
from ionics.cells.balance import State, at_rest, unflatten  # noqa: E402
from ionics.cells.cell import Cell  # noqa: E402
from ionics.cells.simulate import simulate, states  # noqa: E402
from ionics.config.cell_assembly import beginning, build_cell, capacity  # noqa: E402
from ionics.transport.balance import Current  # noqa: E402
from ionics.transport.protocol import Cutoff, Step  # noqa: E402

HOUR, MV = 3600.0, 1e3
SIZES = ("#0072B2", "#009E73", "#D55E00")  # of the radii, small to large
PLATEAU = 3.422  # V
FILE = HERE.parent / "configs" / "lithium_iron_phosphate_phases.yaml"


@dataclass(frozen=True)
class Course:
    """A charge or discharge."""

    mean: np.ndarray  # of the electrode, row
    voltage: np.ndarray  # V, row
    pieces: np.ndarray  # mean of each, row size depth
    inside: np.ndarray  # occupancy, row node size depth
    end: State


def course(cell: Cell, start: State, rate: float, full: float, cutoff: float) -> Course:
    """At a C-rate, negative in charge, from a state to a voltage; full: charge of 1C in an hour [C m-2]."""
    step = Step(Current(rate * full / HOUR), cutoffs=(Cutoff.voltage(cutoff, "below" if rate > 0 else "above"),))
    begun = time.perf_counter()
    run = simulate(cell, step, start, steps=5000)
    member, inside = cell.positive.members[0], np.asarray(states(cell, run.x).positive.filling[0])
    pieces = np.asarray(jax.vmap(member.inside.mean)(inside))
    shares = np.asarray(member.volume)[:, None] * np.asarray(cell.positive.shares)
    mean = np.sum(pieces * shares, axis=(1, 2)) / np.sum(shares)
    print(f"{rate:g}C: {len(run.t)} rows in {time.perf_counter() - begun:.0f} s")
    return Course(mean, np.asarray(run.voltage), pieces, inside, unflatten(cell, run.end.x))


def level(one: Course) -> float:
    """Median of the voltage over the middle of the plateau [V]."""
    even = np.linspace(0.2, 0.8, 601)
    order = np.argsort(one.mean)
    return float(np.median(np.interp(even, one.mean[order], one.voltage[order])))


def between(one: Course) -> float:
    """How many of the pieces hold two phases or stand between them, mean over the middle of the plateau."""
    middle = (one.mean > 0.2) & (one.mean < 0.8)
    held = np.sum((one.pieces > 0.15) & (one.pieces < 0.85), axis=(1, 2))[middle]
    return float(np.trapezoid(held, one.mean[middle]) / np.ptp(one.mean[middle]))


def draw(cell: Cell, slow: Course, back: Course, fast: Course):
    """Voltage; each particle at 0.1C and at 2C; profiles in one."""
    figure, grid = plt.subplots(2, 2, figsize=(10.5, 7.2), layout="constrained")
    axes = grid.ravel()
    for one, style, words in ((slow, "-", "0.1C discharge"), (back, "--", "0.1C charge"), (fast, ":", "2C discharge")):
        axes[0].plot(one.mean, one.voltage, style, color="black", lw=1.4, label=words)
    spread = 0.5 * float(cell.positive.members[0].carrier.statistics.hysteresis(cell.temperature))
    axes[0].axhspan(PLATEAU - spread, PLATEAU + spread, color="#cfd8dc", lw=0, label="between the spinodals")
    axes[0].axhline(PLATEAU, color="#78909c", lw=1, label="both phases at rest")
    axes[0].set(ylim=(3.18, 3.5), xlabel="occupancy of the electrode", ylabel="voltage (V)")
    axes[0].legend(fontsize=8, loc="lower left")
    radii = np.asarray(cell.positive.members[0].radius) * 1e9
    for ax, one, title in ((axes[1], slow, "0.1C: one after the other"), (axes[2], fast, "2C: several at a time")):
        for size, color in enumerate(SIZES):
            for depth, style in enumerate(("-", "--", ":")):
                words = f"{radii[size]:.0f} nm" if depth == 0 else None
                ax.plot(one.mean, one.pieces[:, size, depth], style, color=color, lw=1.3, label=words)
        ax.set(xlabel="occupancy of the electrode", ylabel="occupancy of each particle")
        ax.set_title(title, fontsize=10, loc="left")
        ax.legend(fontsize=8, loc="upper left", title="radius", title_fontsize=8)
    positions = np.asarray(cell.positive.members[0].inside.positions) * radii[-1]
    chosen = int(np.argmin(np.abs(slow.pieces[:, -1, :] - 0.5).min(axis=0)))
    for k, share in enumerate((0.1, 0.3, 0.5, 0.7, 0.9)):
        row = int(np.argmin(np.abs(slow.pieces[:, -1, chosen] - share)))
        shade = mpl.colormaps["viridis"](k / 5)
        axes[3].plot(positions, slow.inside[row, :, -1, chosen], ".-", ms=3, color=shade, label=f"{share:g} full")
    axes[3].set(xlabel="distance from the middle (nm)", ylabel="occupancy in a particle of 40 nm")
    axes[3].set_title("0.1C: a boundary runs inwards", fontsize=10, loc="left")
    axes[3].legend(fontsize=8, loc="center left")
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "images" / "phase_field.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    mpl.use("Agg")
    config = ionics.load(FILE).config
    cell = build_cell(config)
    full, rest = capacity(config, cell), at_rest(cell, beginning(config))
    slow = course(cell, rest, 0.1, full, 3.2)
    back = course(cell, slow.end, -0.1, full, 3.65)
    slower = course(cell, rest, 0.01, full, 3.2)
    slower_back = course(cell, slower.end, -0.01, full, 3.65)
    fast = course(cell, rest, 2.0, full, 3.0)
    for name, down, up in (("0.1C", slow, back), ("0.01C", slower, slower_back)):
        print(
            f"{name}: discharge {level(down):.4f} V, charge {level(up):.4f} V, {MV * (level(up) - level(down)):.1f} mV"
        )
    for name, one in (("0.01C", slower), ("0.1C", slow), ("2C", fast)):
        print(f"{name}: {between(one):.2f} of {one.pieces[0].size} pieces on their way")
    draw(cell, slow, back, fast)
