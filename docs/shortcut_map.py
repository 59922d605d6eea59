"""Where the Mott-Schottky shortcut misreads a barrier: python docs/shortcut_map.py [TABLE.npz]

For every barrier, dopant concentration and grain size the full stack answers with R_gb/R_b and tau_gb/tau_b; the
closed forms read the barrier back from them. Draws docs/images/shortcut_map.png. TABLE.npz: kept numbers of an earlier
run, read if it is there, else written.
"""

import sys
import time
from pathlib import Path

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from ionics.constants import AVOGADRO, FARADAY, GAS  # noqa: E402
from ionics.fitting.ceramics import depletion  # noqa: E402
from ionics.fitting.ceramics.arcs import LOW  # noqa: E402
from ionics.fitting.ceramics.grains import answer, half_grain, remeshed  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.stack import Carrier, Material, Species, debye_length, neutral_charge  # noqa: E402
from ionics.transport.statistics import Dilute  # noqa: E402

TEMPERATURE, PERMITTIVITY = 298.15, 30.0
BARRIERS = np.geomspace(0.05, 0.8, 24)  # V
DOPANTS = np.array([1e24, 1e25, 1e26, 1e27])  # m-3
GRAINS = np.geomspace(20e-9, 5e-6, 13)  # m
THERMAL = GAS * TEMPERATURE / FARADAY


def grain_of(dopant):
    """A dilute carrier of charge one between immobile dopants."""
    carrier = Carrier(Species("A+", 1), Dilute(), 1.0, dopant / AVOGADRO, Constant(1e-12))
    return Material("grain", (carrier,), PERMITTIVITY, neutral_charge((carrier,)))


def table():
    """Ratios of the stack and what is left of the barrier in the middle, over dopant, grain and barrier."""
    found = np.full((3, len(DOPANTS), len(GRAINS), len(BARRIERS)), np.nan)
    begun = time.perf_counter()
    for i, dopant in enumerate(DOPANTS):
        for j, grain in enumerate(GRAINS):
            for k, barrier in enumerate(BARRIERS):
                one = answer(remeshed(half_grain(grain_of(dopant), grain, TEMPERATURE, barrier)))
                found[:, i, j, k] = one.resistance, one.time, one.middle
    print(f"{found[0].size} stacks in {time.perf_counter() - begun:.0f} s")
    return found


def errors(found):
    """Relative error of the barrier by either shortcut."""
    length = np.array([float(debye_length(grain_of(dopant), TEMPERATURE)) for dopant in DOPANTS])
    excess = found[0] * GRAINS[None, :, None] / (2 * length[:, None, None])
    by_resistance = np.vectorize(depletion.barrier_of_excess)(excess) * THERMAL / BARRIERS - 1
    by_times = np.vectorize(depletion.barrier_of_times)(found[1]) * THERMAL / BARRIERS - 1
    return by_resistance, by_times, length


def draw(found):
    """Two rows, one a shortcut; one column a dopant concentration; lines where the error is a tenth."""
    *both, length = errors(found)
    figure, axes = plt.subplots(2, 4, figsize=(12.6, 6.2), sharex=True, sharey=True, layout="constrained")
    for row, (error, name) in enumerate(zip(both, ("from $R_{gb}/R_b$", "from $τ_{gb}/τ_b$"), strict=True)):
        for i, ax in enumerate(axes[row]):
            percent = 100 * error[i]
            image = ax.pcolormesh(
                BARRIERS, GRAINS * 1e9, np.clip(percent, -50, 50), cmap="PuOr_r", vmin=-50, vmax=50, shading="gouraud"
            )
            ax.contour(
                BARRIERS, GRAINS * 1e9, np.nan_to_num(np.abs(percent), nan=99), [10], colors="#222222", linewidths=1.3
            )
            width = 2 * length[i] * np.sqrt(2 * BARRIERS / THERMAL)
            ax.plot(BARRIERS, width * 1e9, "--", color="#0072B2", lw=1.3)
            low = LOW["times" if row else "resistances"]
            ax.axvline(low * THERMAL, color="#009E73", lw=1.3, ls=":")
            ax.set(yscale="log", ylim=(GRAINS[0] * 1e9, GRAINS[-1] * 1e9), xlim=(BARRIERS[0], BARRIERS[-1]))
            if row == 0:
                exponent = round(np.log10(DOPANTS[i]))
                ax.set_title(f"$10^{{{exponent}}}$ m$^{{-3}}$, L = {length[i] * 1e9:.2g} nm", fontsize=10)
        axes[row, 0].set_ylabel(f"{name}\ngrain size (nm)")
    for ax in axes[1]:
        ax.set_xlabel("barrier (V)")
    lines = [
        Line2D([], [], color="#222222", lw=1.3),
        Line2D([], [], color="#0072B2", ls="--", lw=1.3),
        Line2D([], [], color="#009E73", ls=":", lw=1.3),
    ]
    names = ["error 10 %", "two layers λ* fill the grain", "3.5 RT/F (above) and 5 RT/F (below)"]
    figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01, extend="both")
    bar.set_label("shortcut against stack (%)")
    (HERE / "images").mkdir(exist_ok=True)
    figure.savefig(HERE / "images" / "shortcut_map.png", dpi=110)


def report(found):
    """How often, and where."""
    *both, length = errors(found)
    for error, name in zip(both, ("resistances", "time constants"), strict=True):
        far = ~(np.abs(error) < 0.1)
        lowest = LOW["resistances" if error is both[0] else "times"]
        low = np.broadcast_to(lowest * THERMAL > BARRIERS, far.shape)
        width = 2 * length[:, None, None] * np.sqrt(2 * BARRIERS / THERMAL)
        met = width > GRAINS[None, :, None]
        parts = ((far & low).sum(), (far & met).sum(), (far & ~low & ~met).sum())
        first, second, rest = (100 * part / far.sum() for part in parts)
        largest = 100 * np.nanmax(np.abs(np.where(low | met, np.nan, error)))
        print(
            f"{name}: {100 * far.mean():.0f} % of {far.size} above a tenth, of them {first:.0f} % below {lowest:g} RT/F"
            f", {second:.0f} % with layers that meet, {rest:.0f} % neither; largest where neither holds {largest:.1f} %"
        )


if __name__ == "__main__":
    mpl.use("Agg")
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if kept is not None and kept.is_file():
        numbers = np.load(kept)["found"]
    else:
        numbers = table()
        if kept is not None:
            np.savez(kept, found=numbers)
    report(numbers)
    draw(numbers)
