"""A LiCoO2 | graphite pouch cell fitted to four discharges: what a model without gradients of salt can explain of it.

    python docs/cell_fit_example.py FOLDER [--picture docs/images/cell_fit.png]

FOLDER holds the discharges of the Enertech cell at C/10, C/2, 1C and 2C (Rieger et al., J. Electrochem. Soc. 163 (2016)
A1566; Ai et al., ibid. 167 (2020) 013512, doi:10.1149/2.0122001JES) and the open-circuit curves of its electrodes, as
they are distributed with PyBaMM (BSD-3-Clause). Thicknesses, area, radii and fractions are those of its parameter set
Ai2020.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from scipy.interpolate import PchipInterpolator  # noqa: E402

from ionics.cells.cell import Cell, Conductor, Electrode, Particle, Surface  # noqa: E402
from ionics.cells.inward import Modes  # noqa: E402
from ionics.fitting.cells.cycled import discharges  # noqa: E402
from ionics.fitting.cells.fit import fit_cell  # noqa: E402
from ionics.fitting.files.cycling import read_cycling  # noqa: E402
from ionics.fitting.model import Free  # noqa: E402
from ionics.kinetics.rates import ButlerVolmer  # noqa: E402
from ionics.laws import Constant  # noqa: E402
from ionics.transport.flux import Chemical  # noqa: E402
from ionics.transport.stack import Carrier, Species  # noqa: E402
from ionics.transport.statistics import Measured  # noqa: E402

AREA, NOMINAL = 0.051 * 0.047 * 34, 2.28  # m2, Ah
RATES = (0.1, 0.5, 1.0, 2.0)
ERRORS = {"sigma": 10e-3, "charge_sigma": 3e-3}  # V and share: what such a model may miss; instruments are better
SETTLED = 3.0  # s: before, the current still rises (at 2C the voltage falls 87 mV in the first second, 71 in the next)
FILLED = {"graphite": 0.84, "LiCoO2": 0.435}
NODES, SHELLS = 8, 12


def electrode(name, material, table, sites, diffusivity, radius, fraction, thickness, ionic, electronic):
    """Spheres of one size in a porous electrode; the exchange current begins at 1 A/m2."""
    spacing = np.linspace(4.0, 1.0, SHELLS - 1)
    carrier = Carrier(Species("Li", 0), Measured(*table), sites, 0.5, Constant(diffusivity), Constant(0.0), Chemical())
    own = Particle(
        material, carrier, Modes(3, spacing / spacing.sum()), Surface(ButlerVolmer(Constant(1.0), 0.5, True)),
        np.array([radius]), np.array([fraction * thickness]),
    )  # fmt: skip
    depth = np.full(NODES - 1, 1 / (NODES - 1))
    return Electrode(name, (own,), thickness, Constant(ionic), Constant(electronic), depth)


def open_circuit(path: Path, error: float = 1e-3):
    """As few points of a table as describe it within an error [V]."""
    theta, potential = np.loadtxt(path, delimiter=",", comments="#").T
    falling = potential < np.minimum.accumulate(np.append(np.inf, potential[:-1]))
    own = falling & (theta > 0) & (theta < 1)
    theta, potential = theta[own], potential[own]
    kept = np.isin(np.arange(len(theta)), (0, len(theta) - 1))
    while True:
        missed = np.abs(PchipInterpolator(theta[kept], potential[kept])(theta) - potential)
        if missed.max() < error:
            return theta[kept], potential[kept]
        kept[np.argmax(missed)] = True


def cell(folder: Path) -> Cell:
    """The cell of the parameter set; the conductivity of the electrolyte begins at 1 S/m times a factor."""
    graphite = open_circuit(folder / "graphite_ocp_Enertech_Ai2020.csv")
    cobaltate = open_circuit(folder / "lico2_ocp_Ai2020.csv")
    negative = electrode("negative", "graphite", graphite, 28700.0, 3.9e-14, 5e-6, 0.61, 76.5e-6, 0.33**2.914, 100.0)
    positive = electrode("positive", "LiCoO2", cobaltate, 49943.0, 5.4e-15, 3e-6, 0.62, 68e-6, 0.32**1.83, 10.0)
    return Cell(negative, (Conductor("separator", Constant(0.5**1.5), 25e-6),), positive, 298.15, 1e-3)


def member(side):
    return lambda s: getattr(s.cell, side).members[0]


def everywhere(s):
    return s.cell.negative.ionic.value, s.cell.between[0].conductivity.value, s.cell.positive.ionic.value


def free():
    """Ten parameters: what each electrode holds and how full it is, diffusion, kinetics, two kinds of resistance."""
    n, p = member("negative"), member("positive")
    return (
        Free("graphite volume", lambda s: n(s).volume, 3e-5, 7e-5, unit="m"),
        Free("LiCoO2 volume", lambda s: p(s).volume, 3e-5, 6e-5, unit="m"),
        Free("graphite filled", lambda s: s.filled["graphite"], 0.6, 0.99, "linear"),
        Free("LiCoO2 filled", lambda s: s.filled["LiCoO2"], 0.35, 0.6, "linear"),
        Free("graphite D", lambda s: n(s).carrier.diffusivity.value, 1e-16, 1e-11, unit="m2/s"),
        Free("LiCoO2 D", lambda s: p(s).carrier.diffusivity.value, 1e-17, 1e-11, unit="m2/s"),
        Free("graphite i0", lambda s: n(s).surface.law.exchange_current.value, 1e-2, 1e3, unit="A/m2"),
        Free("LiCoO2 i0", lambda s: p(s).surface.law.exchange_current.value, 1e-2, 1e3, unit="A/m2"),
        Free("electrolyte", everywhere, 1e-2, 1e2, factor=True),
        Free("series resistance", lambda s: s.cell.series_resistance, 1e-6, 1e-1, unit="ohm m2"),
    )


def records(folder: Path, rates=RATES):
    """The discharges once their current has settled. All voltages count alike, those of a wrong model, too."""
    found = []
    for rate in rates:
        record = read_cycling(folder / f"Enertech_{rate:g}C_discharge_U.txt", current=rate * NOMINAL)
        (one,) = discharges(record, AREA)
        late = one.time >= SETTLED
        kept = {"time": one.time[late], "voltage": one.voltage[late], "label": f"{rate:g}C"}
        found.append(dataclasses.replace(one, **kept, **ERRORS))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    data = records(arguments.folder, arguments.rates)
    begun = time.perf_counter()
    fit = fit_cell(cell(arguments.folder), FILLED, data, free(), starts=arguments.starts, iterations=150)
    print(f"{time.perf_counter() - begun:.0f} s; {fit.summary()}")
    for name in fit.names:
        low, high = fit.interval(name)
        print(f"{name}: {low:.4g} to {high:.4g}")
    if arguments.picture:
        draw(fit, arguments.rates, arguments.picture)


def draw(fit, rates, path: Path) -> None:
    """Voltage over charge, and what is missed."""
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(
        2, 1, figsize=(6.4, 5.6), sharex=True, height_ratios=(2.2, 1), layout="constrained"
    )
    for rate, one in zip(rates, fit.fitted, strict=True):
        charge = one.record.current * one.x / 3.6e4  # mAh cm-2
        (line,) = above.plot(charge, one.model, label=f"{rate:g}C, {1e3 * one.rms:.0f} mV")
        above.plot(charge, one.measured, "o", ms=3, mfc="none", color=line.get_color())
        below.plot(charge, 1e3 * (one.measured - one.model), "o-", ms=2.5, lw=0.8, color=line.get_color())
    above.set_ylabel("voltage (V)")
    above.legend(frameon=False, title="lines: fitted, root mean square")
    below.axhline(0, color="0.6", lw=0.8)
    below.set_ylim(-80, 80)
    below.set_xlabel("charge (mAh cm$^{-2}$)")
    below.set_ylabel("measured - fitted (mV)")
    figure.savefig(path, dpi=160)


if __name__ == "__main__":
    main()
