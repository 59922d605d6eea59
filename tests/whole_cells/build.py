"""Cells that several tests share. One place, so that shapes and compiled functions are shared too."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.cells.cell import Cell, Conductor, Electrode, Metal, Particle, Surface
from ionics.cells.inward import Modes, Shells
from ionics.constants import FARADAY, GAS
from ionics.kinetics.compact import Capacitance, NoCompactLayer
from ionics.kinetics.contact import ContactArea
from ionics.kinetics.film import NoFilm, ResistiveFilm
from ionics.kinetics.rates import ButlerVolmer, Linear
from ionics.laws import Constant
from ionics.transport.flux import Chemical
from ionics.transport.stack import Carrier, Species
from ionics.transport.statistics import Lattice, Measured

T = 298.15
THERMAL = GAS * T / FARADAY
LITHIUM = Species("Li", 0)
OCCUPANCY = np.linspace(0.01, 0.99, 40)
SLOPING = 4.2 - 0.8 * OCCUPANCY - 0.05 * np.tanh((OCCUPANCY - 0.5) / 0.1)  # V


def even(nodes):
    return jnp.full(nodes - 1, 1 / (nodes - 1))


def carrier(statistics, sites, diffusivity, potential=0.0):
    """Lithium with one diffusivity; potential: where a lattice is half full [V]."""
    return Carrier(LITHIUM, statistics, sites, 0.5, Constant(diffusivity), Constant(-potential * FARADAY), Chemical())


def surface(exchange_current, film=None, capacitance=None, contact=None):
    """A coating [Ohm m2], a double layer [F m-2], a law of contact."""
    more = {} if contact is None else {"contact": contact}
    return Surface(
        ButlerVolmer(Constant(exchange_current), 0.5, contact is not None),
        film=NoFilm() if film is None else ResistiveFilm(Constant(film)),
        compact=NoCompactLayer() if capacitance is None else Capacitance(capacitance),
        **more,
    )


def composite_electrode(name, kind, sizes, depth, shift=0.0):
    """Spheres with kinetics that depend on the occupancy, a coating, a double layer and a changing contact."""
    own = surface(2.0, 1e-3, 0.1, ContactArea(0.8, 1.0, 0.5))
    radius, volume = jnp.linspace(2e-6, 4e-6, sizes), jnp.linspace(1e-5, 2e-5, sizes)
    inside = carrier(Measured(OCCUPANCY, SLOPING - shift), 5e4, 2e-14)
    particle = Particle(name, inside, kind(3, even(5)), own, radius, volume)
    return Electrode(name, (particle,), 60e-6, Constant(0.05), Constant(2.0), even(depth))


def composite():
    """Two composite electrodes, one of particles of two sizes in shells, one of one size in modes."""
    anode = composite_electrode("anode", Shells, 2, 4, shift=3.5)
    cathode = composite_electrode("cathode", Modes, 1, 5)
    return Cell(anode, (Conductor("separator", Constant(0.2), 3e-5),), cathode, T, 1e-4)


FILM = {"thickness": 3.2e-7, "sites": 23300.0, "diffusivity": 1.76e-15, "potential": 3.9}  # a film of LiCoO2, as in A14
IN_SERIES, COATING, ANODE, CATHODE = 2e-3, 5e-4, 8.0, 3.0  # Ohm m2, A m-2


def thin_film(nodes=21, **changes):
    """Lithium | conductor | film electrode: closed forms exist for all of it."""
    film = FILM | changes
    inside = carrier(Lattice(), film["sites"], film["diffusivity"], film["potential"])
    particle = Particle(
        "film", inside, Modes(1, even(nodes)), surface(CATHODE, COATING), film["thickness"] * jnp.ones(1),
        film["thickness"] * jnp.ones(1),
    )  # fmt: skip
    lithium = Metal("lithium", surface(ANODE))
    separator = Conductor("separator", Constant(1e-4), IN_SERIES * 1e-4)
    return Cell(Electrode("anode", (lithium,)), (separator,), Electrode("cathode", (particle,)), T)


def with_voids(cell, depth, healing):
    """The same with lithium that loses contact, C m-2 and s."""
    where = lambda c: (c.negative.members[0].depth, c.negative.members[0].healing)  # noqa: E731
    return eqx.tree_at(where, cell, (jnp.asarray(depth), jnp.asarray(healing)))


def transmission_line(nodes, ionic, electronic, resistance, compact, thickness=5e-5):
    """A porous electrode of a resistance and a compact layer at every depth; the other electrode takes 1e-12 Ohm m2."""
    wall = Metal("wall", Surface(Linear(Constant(resistance)), compact=compact))
    porous = Electrode("porous", (wall,), thickness, Constant(ionic), Constant(electronic), even(nodes))
    flat = Electrode("flat", (Metal("metal", Surface(Linear(Constant(1e-12)))),))
    return Cell(flat, (), porous, T)
