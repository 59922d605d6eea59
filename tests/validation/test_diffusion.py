"""Diffusion impedances as spectra of a stack: A10."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS
from ionics.kinetics.bulk import MassAction
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import Equilibrium
from ionics.laws import Constant
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Chemical, Immobile
from ionics.transport.grid import graded
from ionics.transport.impedance import impedance
from ionics.transport.stack import (
    BulkReaction,
    Carrier,
    Junction,
    Layer,
    Material,
    Reaction,
    Species,
    bulk_potential,
    neutral_charge,
    transfer,
)
from ionics.transport.statistics import Dilute, Lattice
from tests.cells import ELECTRON, LITHIUM, T, stack
from tests.validation.record import compare, spectrum
from tests.validation.test_impedance import tabulated

NEUTRAL, TRAPPED = Species("Li", 0), Species("trapped", 0)
NODES = 321


def film(p, thickness, reservoir=False, trapping=None):
    """An ideal lattice of neutral lithium with electrons; lithium enters on the left, electrons on the right.

    reservoir: the right end holds lithium, too; trapping [1/s]: rate at which it relaxes towards sites so many that
    their filling never changes.
    """
    lithium = Carrier(NEUTRAL, Lattice(), p["c_max"], p["x"], Constant(p["D"]), Constant(0.0), Chemical())
    electrons = Carrier(ELECTRON, Dilute(), 1e4, 1.0, Constant(1e-7))  # so many and fast that they drop no voltage
    carriers, reactions = (lithium, electrons), ()
    if trapping is not None:
        sites = Carrier(TRAPPED, Lattice(), 1e12, 0.5, mobility=Immobile())
        # x (1 - t) - K t (1 - x) with K = x / (1 - x): relaxes at (1 - t) + K t times the constant, t = 1/2
        constant = trapping * p["c_max"] / (0.5 + 0.5 * p["x"] / (1 - p["x"]))
        level = -bulk_potential(lithium, T)
        catch = BulkReaction((("Li", 1),), (("trapped", 1),), MassAction(Constant(constant)), level)
        carriers, reactions = (*carriers, sites), (catch,)
    material = Material("host", carriers, 10.0, neutral_charge(carriers), reactions)
    entering = Reaction((("Li+", 1),), (("Li", 1), ("e-", -1)), Equilibrium(), 0.0)
    leaving = (transfer("e-"), transfer("Li", None, -bulk_potential(lithium, T))) if reservoir else (transfer("e-"),)
    layer = Layer("film", material, thickness, jnp.asarray(graded(NODES, 1e-9 / thickness, 1.0, (0.1, 0.8, 0.1))))
    species = [LITHIUM, NEUTRAL, ELECTRON, *([TRAPPED] if trapping is not None else [])]
    return stack(species, [layer], [Junction("left", (entering,), Capacitance(1e-6)), Junction("right", leaving)])


def elements(p):
    """Closed forms of A10 over angular frequency times i."""
    scale = p["L"] * GAS * T / (FARADAY * p["c_max"] * p["x"] * (1 - p["x"])) / (FARADAY * p["D"])

    def u(s):
        return np.sqrt(s * p["L"] ** 2 / p["D"])

    return {
        "Z_reflecting": lambda s: scale / np.tanh(u(s)) / u(s),
        "Z_transmissive": lambda s: scale * np.tanh(u(s)) / u(s),
        "Z_semiinf": lambda s: scale / u(s),
        "Z_Gerischer": lambda s: scale * np.sqrt(p["D"] / p["L"] ** 2) / np.sqrt(0.05 + s),
    }


@pytest.mark.parametrize("name", ["Z_reflecting", "Z_transmissive", "Z_semiinf", "Z_Gerischer"])
def test_diffusion_elements(reference, name):
    """A10: Warburg's elements and Gerischer's are layers with one end or the other, or with traps."""
    p = reference["A10"]["parameters"]
    thickness = p["L"] if name in ("Z_reflecting", "Z_transmissive") else 2e-5
    cell = film(p, thickness, name == "Z_transmissive", 0.05 if name == "Z_Gerischer" else None)
    case = reference["A10"]["reference"]
    if name == "Z_Gerischer":
        frequency, expected = np.array([1e-2]), complex(*case["Z_Gerischer(k=0.05 s^-1, 1e-2 Hz)"])
    else:
        frequency, expected = tabulated(case, name)
    many = np.geomspace(1e-4, 1e2, 40)
    z = impedance(cell, equilibrium(cell), np.concatenate([frequency, many])).z
    z, along = np.split(np.asarray(z), [len(frequency)])
    exact = elements(p)[name](2j * np.pi * many)
    label = name[2:].replace("semiinf", "semi-infinite")
    compare("A10", label, z, expected, 4e-4)
    compare("A10", f"{label}, 0.1 mHz to 100 Hz", along, exact, 4e-4)
    spectrum("A10", label, many, along, many, exact)
