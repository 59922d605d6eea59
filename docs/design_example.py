"""What to measure for the barrier of a ceramic, at three temperatures: python docs/design_example.py

Draws docs/images/design.png and prints the sentences of docs/experiments.md.
"""

import sys
from pathlib import Path

import jax
import matplotlib as mpl
import numpy as np

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from ionics.constants import FARADAY  # noqa: E402
from ionics.fitting.ceramics.grains import half_grain, remeshed, spectrum_model  # noqa: E402
from ionics.fitting.design.information import Condition  # noqa: E402
from ionics.fitting.design.plan import Timing, design  # noqa: E402
from ionics.fitting.model import CircuitModel  # noqa: E402
from ionics.laws import Arrhenius  # noqa: E402
from ionics.plots.design import plot_design  # noqa: E402
from ionics.transport.stack import Carrier, Material, Species, neutral_charge  # noqa: E402
from ionics.transport.statistics import Dilute  # noqa: E402

FREQUENCY = np.geomspace(1e-1, 1e6, 71)  # Hz


def ceramic(celsius):
    """1 mm of grains of 200 nm with a barrier of 0.3 V, behind an electrode, with errors of 1 % of |Z|."""
    carrier = Carrier(Species("V_O", 2), Dilute(), 1.0, 30.0, Arrhenius(5e-11, 0.7 * FARADAY, 773.0))
    material = Material("ceria", (carrier,), 26.0, neutral_charge((carrier,)))
    electrode = CircuitModel("CPE1", start={"CPE1.Q": 1e-6, "CPE1.n": 0.85}, bounds={"CPE1.n": (0.5, 1.0)})
    half = remeshed(half_grain(material, 200e-9, celsius + 273.15, 0.3))
    return Condition(f"{celsius} °C", spectrum_model(half, 1e-3, 1e-4, electrodes=electrode), FREQUENCY, 0.01)


if __name__ == "__main__":
    mpl.use("Agg")
    made = design([ceramic(t) for t in (300, 400, 500)], "barrier", count=36, timing=Timing(cycles=3.0, pause=1.0))
    print("\n".join(made.sentences))
    axes = plot_design(made.to_dataset())
    axes[0].figure.savefig(HERE / "images" / "design.png", dpi=100)
