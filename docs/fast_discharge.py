"""What a discharge at 10,000C, and graphene at 800C, would take: python docs/fast_discharge.py [TABLE.npz]

Of the films of configs/epitaxial_lco_10000C.yaml and configs/graphene_800C.yaml, for every junction resistance and
diffusivity and some resistances of the electrolyte: the share of the capacity that is passed before the cutoff.
Draws docs/images/fast_discharge_*.png. TABLE.npz: kept numbers of an earlier run, read if it is there, else written.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.lines import Line2D
from scipy.optimize import brentq

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import ionics  # noqa: E402
from ionics.cells.balance import State, at_rest, flatten  # noqa: E402
from ionics.cells.cell import Cell  # noqa: E402
from ionics.cells.simulate import simulate_many  # noqa: E402
from ionics.config.cell_assembly import beginning, build_cell, capacity  # noqa: E402
from ionics.kinetics.rates import ButlerVolmer, Linear  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.balance import Current  # noqa: E402
from ionics.transport.protocol import Cutoff, Step  # noqa: E402

CM2 = 1e-4  # m2
HOUR = 3600.0  # s
RESISTANCES = np.geomspace(1, 1000, 43)  # ohm cm2
LAWS = ("linear", "butler-volmer")


@dataclass(frozen=True)
class Film:
    """A film that is filled or emptied at one rate, and the values at which that is computed."""

    name: str
    cell: Cell
    start: State
    capacity: float  # C m-2
    rate: float  # C-rate; negative where the film is emptied
    cutoff: float  # V
    diffusivities: np.ndarray  # m2 s-1
    electrolytes: tuple[float, ...]  # ohm cm2

    @property
    def current(self) -> float:
        """A m-2."""
        return self.capacity * self.rate / HOUR

    @property
    def step(self) -> Step:
        """At this current to the cutoff."""
        side = "below" if self.rate > 0 else "above"
        return Step(Current(self.current), cutoffs=[Cutoff.voltage(self.cutoff, side)])

    def left(self, resistance: float, diffusivity: float, electrolyte: float, law: str) -> float:
        """Share of the capacity that passes before the cutoff; resistances in ohm cm2."""
        return float(self.all_left([(resistance, diffusivity, electrolyte)], law)[0])

    def all_left(self, values: Sequence[tuple[float, float, float]], law: str) -> np.ndarray:
        """The same of many values of resistance, diffusivity and resistance of the electrolyte."""
        cells = [changed(self.cell, r * CM2, d, e * CM2, law) for r, d, e in values]
        starts = jnp.tile(flatten(self.start), (len(cells), 1))
        found = simulate_many(cells, self.step, starts)
        if np.any(found.result):
            raise RuntimeError(f"{self.name}, {law}: not done for {np.array(values)[np.asarray(found.result) != 0]}")
        return np.abs(np.asarray(found.end.charge)) / self.capacity


def changed(cell: Cell, resistance: float, diffusivity: float, electrolyte: float, law: str) -> Cell:
    """The same cell with other numbers in SI. Butler-Volmer: with this resistance at rest, alike at all fillings."""
    if law == "linear":
        rate = Linear(Constant(resistance))
    else:
        rate = ButlerVolmer(Constant(float(cell.thermal_voltage) / resistance), 0.5)
    film, between = cell.positive.members[0], cell.between[0]
    film = eqx.tree_at(lambda one: one.surface.law, film, rate)
    film = eqx.tree_at(lambda one: one.carrier.diffusivity, film, Constant(diffusivity))
    thickness = electrolyte * between.conductivity(cell.temperature)
    return eqx.tree_at(
        lambda one: (one.positive.members, one.between[0].thickness), cell, ((film,), jnp.asarray(thickness))
    )


def film(name: str, file: str, filling: float, rate: float, cutoff: float, diffusivities, electrolytes) -> Film:
    """The film of a file, from a filling on."""
    config = ionics.load(
        HERE.parent / "configs" / file, f"study.state_of_charge={{positive: {{Li: {filling}}}}}"
    ).config
    cell = build_cell(config)
    return Film(
        name, cell, at_rest(cell, beginning(config)), capacity(config, cell), rate, cutoff, diffusivities, electrolytes
    )


def films() -> tuple[Film, Film, Film]:
    """LiCoO2 filled, graphene filled, graphene emptied."""
    cobalt, graphene = np.geomspace(1e-16, 1e-12, 25), np.geomspace(1e-18, 1e-14, 25)
    return (
        film("LiCoO2, 50 nm, 10,000C", "epitaxial_lco_10000C.yaml", 0.51, 10_000, 3.0, cobalt, (0.0, 10.0, 20.0)),
        film("graphene, 10 nm, filled at 800C", "graphene_800C.yaml", 0.01, 800, 0.005, graphene, (0.0, 40.0, 80.0)),
        film("graphene, 10 nm, emptied at 800C", "graphene_800C.yaml", 0.99, -800, 1.5, graphene, (0.0,)),
    )


def table(one: Film, law: str) -> np.ndarray:
    """Share of the capacity over electrolyte, diffusivity and resistance."""
    begun = time.perf_counter()
    values = [(r, d, e) for e in one.electrolytes for d in one.diffusivities for r in RESISTANCES]
    found = one.all_left(values, law)
    print(f"{one.name}, {law}: {found.size} discharges in {time.perf_counter() - begun:.0f} s")
    return found.reshape(len(one.electrolytes), len(one.diffusivities), len(RESISTANCES))


def draw(one: Film, found: dict[str, np.ndarray], marks, name: str):
    """Two maps, one for each law. Colours: without electrolyte."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.2), sharey=True, layout="constrained")
    styles, grid = ("-", "--", ":"), (RESISTANCES, one.diffusivities)
    for ax, law in zip(axes, LAWS, strict=True):
        percent = 100 * found[f"{one.name}, {law}"]
        image = ax.pcolormesh(*grid, percent[0], cmap="cividis", vmin=0, vmax=100, shading="gouraud")
        ax.contour(*grid, percent[0], [50], colors="white", linewidths=1.8)
        for values, style in zip(percent, styles, strict=True):
            ax.contour(*grid, values, [90], colors="#D55E00", linewidths=1.8, linestyles=style)
        ax.set(xscale="log", yscale="log", xlabel="junction resistance at rest (Ω cm²)")
        ax.set_title(
            {"linear": "junction: the same resistance at any current", "butler-volmer": "junction: Butler and Volmer"}[
                law
            ]
        )
        marks(ax)
    axes[0].set_ylabel("diffusivity in the film (m²/s)")
    lines = [Line2D([], [], color="white", lw=1.8), *(Line2D([], [], color="#D55E00", ls=s, lw=1.8) for s in styles)]
    words = ["50 %", *(f"90 %, electrolyte {value:g} Ω cm²" for value in one.electrolytes)]
    legend = figure.legend(
        lines, words, loc="outside lower center", ncols=4, fontsize=9, facecolor="#3a3f4f", edgecolor="none"
    )
    for text in legend.get_texts():
        text.set_color("white")
    figure.colorbar(image, ax=axes, label=f"capacity that is left, {one.name} (%)", pad=0.01)
    figure.savefig(HERE / "images" / name, dpi=110)
    plt.close(figure)


def note(ax, x: float, y: float, words: str, **options):
    """Words that are read on any colour."""
    outline = [patheffects.withStroke(linewidth=2.5, foreground="black")]
    ax.text(x, y, words, color="white", fontsize=8.5, path_effects=outline, **options)


def span(ax, low: float, high: float, words: str):
    """Diffusivities that were measured."""
    ax.plot([700, 700], [low, high], color="white", lw=3, solid_capstyle="butt", path_effects=[
        patheffects.Stroke(linewidth=5, foreground="black"), patheffects.Normal()])  # fmt: skip
    note(ax, 600, np.sqrt(low * high), words, ha="right", va="center")


def cobalt_marks(ax):
    """What is known of LiCoO2."""
    ax.axvline(8.6, color="white", lw=1.2, ls="-.")
    note(ax, 9.5, 1.2e-16, "epitaxial LiCoO$_2$ | Li$_3$PO$_4$", rotation=90, va="bottom")
    span(ax, 3e-15, 7.9e-14, "sputtered film, over x")
    span(ax, 1e-16, 8e-16, "across the layers")


def graphene_marks(ax):
    """What is known of graphite."""
    ax.axhline(1e-15, color="white", lw=1.2, ls="-.")
    note(ax, 900, 1.1e-15, "along grain boundaries of graphite", ha="right", va="bottom")


def limits(one: Film, law: str):
    """The largest resistance with the fastest diffusion, and the slowest diffusion without resistance."""
    fast, slow, most = one.diffusivities[-1] * 1e3, one.diffusivities[0] * 1e-2, 5.0
    for share in (0.9, 0.5):
        said = f"at any up to {10**most:g}"
        if one.left(10**most, fast, 0.0, law) < share:
            said = f"up to {10 ** brentq(lambda x: one.left(10**x, fast, 0.0, law) - share, -1, most, xtol=1e-3):.3g}"
        slowest = brentq(lambda x: one.left(1e-2, 10**x, 0.0, law) - share, np.log10(slow), np.log10(fast), xtol=1e-3)
        print(
            f"{one.name}, {law}: {share:.0%} with a junction {said} ohm cm2, diffusion down to {10**slowest:.3g} m2/s"
        )
    print(f"  at {abs(one.current) * CM2 * 1e3:.3g} mA/cm2 of {one.capacity / HOUR * CM2 * 1e6:.3g} uAh/cm2")


if __name__ == "__main__":
    mpl.use("Agg")
    cobalt, filled, emptied = films()
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if kept is not None and kept.is_file():
        numbers = dict(np.load(kept))
    else:
        numbers = {f"{one.name}, {law}": table(one, law) for one in (cobalt, filled) for law in LAWS}
        if kept is not None:
            np.savez(kept, **numbers)
    draw(cobalt, numbers, cobalt_marks, "fast_discharge_lco.png")
    draw(filled, numbers, graphene_marks, "fast_discharge_graphene.png")
    for each in (cobalt, filled, emptied):
        for law in LAWS:
            limits(each, law)
