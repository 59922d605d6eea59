"""The cell as a value: two electrodes of particles or metal, what lies between them. Pytrees; units in comments.

Numbers are array leaves; names, shapes and counts are static. Everything is SI. An electrode has its own coordinate,
from
the separator (0) to the current collector (1), and its own current, positive where positive charge flows that way: in
discharge the positive electrode has that of the cell, the negative one minus that.
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.cells.inward import Modes, Nodes, Spreading, Voids, filling
from ionics.constants import FARADAY, GAS
from ionics.kinetics.compact import Capacitance, CompactLayer, NoCompactLayer
from ionics.kinetics.contact import ContactArea
from ionics.kinetics.film import NoFilm, Passive
from ionics.kinetics.rates import RateLaw
from ionics.laws import Constant, Law, array
from ionics.transport.stack import Carrier, Material, bulk_conductivity
from ionics.transport.statistics import Filling, RegularSolution

Scalar = Float[Array, ""]
Values = Float[Array, "..."]


class Surface(eqx.Module):
    """Where lithium enters: Li+ + e- <-> Li forward into the electrode, per area of it."""

    law: RateLaw
    activities: Float[Array, " 2"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=(0.0, 0.0)
    )  # ln of what Li+ and e- contribute to the forward and to the backward rate, where the law asks
    film: Passive = eqx.field(default=NoFilm())  # a coating, in series with the reaction
    compact: CompactLayer = eqx.field(default=NoCompactLayer())
    contact: ContactArea = eqx.field(default_factory=lambda: ContactArea(1.0, 0.0, 0.0))

    def residual(
        self, rate: Values, drop: Values, open_circuit: Values, lithium: tuple[Values, Values], touching, temperature
    ):
        """The law as something that vanishes; all of it elementwise.

        rate [mol m-2 s-1] per whole surface; drop: potential of the electrode over that of the electrolyte [V];
        open_circuit [V]; lithium: ln of empty and filled sites; touching: share of the surface.
        """
        local = rate / touching
        resistance = self.film.resistance(jnp.zeros(0), temperature)
        affinity = FARADAY * (open_circuit - drop - resistance * FARADAY * local)
        activities = self.activities[0] + lithium[0], self.activities[1] + lithium[1]
        return self.law.residual(local, affinity, 1, activities, temperature)

    @property
    def capacitance(self) -> Scalar:
        """Of the compact layer [F m-2]; zero where there is none."""
        return self.compact.capacitance if isinstance(self.compact, Capacitance) else jnp.zeros(())


class Particle(eqx.Module):
    """An active material in pieces: spheres, cylinders or a film, in one or several sizes."""

    name: str = eqx.field(static=True)
    carrier: Carrier  # neutral lithium: sites, statistics, diffusivity
    inside: Nodes | Modes  # how it spreads within a piece
    surface: Surface
    radius: Float[Array, " size"] = array()  # m; of a film, its thickness
    volume: Float[Array, " size"] = array()  # of each size per area of the electrode, m

    @property
    def unknowns(self) -> int:
        """Of one piece."""
        return self.inside.unknowns

    @property
    def area(self) -> Float[Array, " size"]:
        """Surface of each size per area of the electrode [1]."""
        return self.inside.dimension * self.volume / self.radius

    def spreading(self, temperature: Scalar) -> Spreading:
        """Diffusion as a rate, and what a rate at the surface adds."""
        size = self.radius[:, None]
        speed = self.carrier.diffusivity(temperature) / size**2
        return Spreading(self.carrier, size, speed, 1 / (self.carrier.sites * size), temperature)

    def filling(self, theta: Values, temperature: Scalar) -> Filling:
        """How the sites are filled at an occupancy."""
        return filling(self.carrier, theta, temperature)

    def outside(
        self, surface: Values, temperature: Scalar, curvature: Values | float = 0.0
    ) -> tuple[Values, tuple[Values, Values], Values]:
        """Open-circuit potential [V] against Li/Li+, ln of empty and filled sites, share that touches.

        surface, curvature: what the inside lets see of itself.
        """
        own = self.filling(surface, temperature)
        mu = self.carrier.standard_potential(temperature) + GAS * temperature * (own.chemical + curvature)
        return -mu / FARADAY, (own.log_vacancy, own.log_occupancy), self.surface.contact(surface)

    def open_circuit(self, theta: Values, temperature: Scalar) -> Values:
        """At an occupancy, against Li/Li+ [V]."""
        return self.outside(theta, temperature)[0]

    def settled(self, theta: Values, temperature: Scalar) -> Values:
        """The same of much material that holds so much on average and is left alone: in two phases that of both."""
        own = self.carrier.statistics
        if self.inside.separates and isinstance(own, RegularSolution):
            low = own.binodal(temperature)
            theta = jnp.where((theta > low) & (theta < 1 - low), low, theta)
        return self.open_circuit(theta, temperature)


class Metal(eqx.Module):
    """Lithium, or an alloy on a plateau: it gives and takes without changing its potential.

    What it has in place of an occupancy is the share of voids under it. Stripping makes them, creep under pressure
    closes
    them: dv/dt = (1 - v) i / depth - v / healing, i the stripping current density. Without a depth there are none. That
    voids grow where stripping outruns the supply is measured (Kasemchainan et al., Nat. Mater. 18 (2019) 1105,
    doi:10.1038/s41563-019-0438-9); this law of it is the simplest with a steady state.
    """

    name: str = eqx.field(static=True)
    surface: Surface
    potential: Law = eqx.field(default_factory=lambda: Constant(0.0))  # against Li/Li+, V
    depth: Scalar = eqx.field(converter=lambda x: jnp.asarray(x, float), default=jnp.inf)  # C m-2
    healing: Scalar = eqx.field(converter=lambda x: jnp.asarray(x, float), default=jnp.inf)  # s

    unknowns: ClassVar[int] = 1

    @property
    def inside(self) -> Voids:
        """How the share of voids changes."""
        return Voids(self.depth, self.healing)

    @property
    def area(self):
        """Of the metal [1]."""
        return jnp.ones(1)

    def spreading(self, temperature: Scalar) -> None:
        """Nothing spreads."""

    def outside(self, surface, temperature):
        nothing = jnp.zeros_like(surface)
        return nothing + self.potential(temperature), (nothing, nothing), 1 - surface

    def open_circuit(self, theta, temperature):
        return jnp.zeros_like(theta) + self.potential(temperature)

    def settled(self, theta, temperature):
        return self.open_circuit(theta, temperature)


Member = Particle | Metal


class Electrode(eqx.Module):
    """Active material, and how ions and electrons get to it. With a single node they do without resistance."""

    name: str = eqx.field(static=True)
    members: tuple[Member, ...]
    thickness: Scalar = eqx.field(converter=lambda x: jnp.asarray(x, float), default=0.0)  # m
    ionic: Law = eqx.field(default_factory=lambda: Constant(jnp.inf))  # effective conductivities, S m-1
    electronic: Law = eqx.field(default_factory=lambda: Constant(jnp.inf))
    spacing: Float[Array, " face"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=()
    )  # shares of the thickness, from the separator; end nodes on the ends

    @property
    def nodes(self) -> int:
        """Along the thickness."""
        return self.spacing.shape[0] + 1

    @property
    def shares(self) -> Float[Array, " node"]:
        """Of the thickness in the cell of each node; they sum to one."""
        if self.nodes == 1:
            return jnp.ones(1)
        h = self.spacing / jnp.sum(self.spacing)
        return 0.5 * (jnp.pad(h, (1, 0)) + jnp.pad(h, (0, 1)))

    @property
    def capacitance(self) -> Scalar:
        """Of all surfaces per area of the electrode [F m-2]."""
        return sum((jnp.sum(one.area) * one.surface.capacitance for one in self.members), jnp.zeros(()))


class Bulk(Law):
    """The conductivity of a material, or a share of it where it fills a part of the space [S m-1]."""

    material: Material
    share: Scalar = array()  # 1

    def __call__(self, temperature):
        return self.share * bulk_conductivity(self.material, temperature)


class Conductor(eqx.Module):
    """What only conducts: a separator."""

    name: str = eqx.field(static=True)
    conductivity: Law  # S m-1
    thickness: Scalar = array()  # m

    def resistance(self, temperature: Scalar) -> Scalar:
        """Per area [Ohm m2]."""
        return self.thickness / self.conductivity(temperature)


class Cell(eqx.Module):
    """Negative electrode | what conducts | positive electrode."""

    negative: Electrode
    between: tuple[Conductor, ...]
    positive: Electrode
    temperature: Scalar = array()  # K
    series_resistance: Scalar = eqx.field(converter=lambda x: jnp.asarray(x, float), default=0.0)  # Ohm m2

    species: ClassVar[tuple] = ()  # that a cutoff may look at

    def __check_init__(self):
        if not jnp.zeros(()).dtype == jnp.float64:
            raise RuntimeError(
                "ionics computes in float64: set JAX_ENABLE_X64=1 or jax.config.update('jax_enable_x64', True)"
            )

    @property
    def resistance(self) -> Scalar:
        """Of what only conducts [Ohm m2]."""
        parts = (one.resistance(self.temperature) for one in self.between)
        return sum(parts, self.series_resistance)

    @property
    def thermal_voltage(self) -> Scalar:
        """RT/F [V]."""
        return GAS * self.temperature / FARADAY
