"""A ceramic as the part of its stack that repeats, and the resistance and time constant of its grain boundary.

Both are taken from the impedance at low frequency, where two arcs are R_b + R_gb - i omega (R_b tau_b + R_gb tau_gb):
no fit stands between. R_b and tau_b are those of the neutral grain, whatever part of it the layers take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from ionics.constants import VACUUM_PERMITTIVITY
from ionics.fitting.model import CircuitModel, Free, LeafModel
from ionics.kinetics.compact import Capacitance, CompactLayer, NoCompactLayer
from ionics.laws import Constant
from ionics.transport.adapt import resolved
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance, unit_alone
from ionics.transport.newton import Solution
from ionics.transport.stack import Junction, Layer, Material, Stack, bulk_conductivity, graded_mesh, reservoir

NODES = 201  # of half a grain: 3e-5 of the resistance of its layer
LOOSE = 1e-9  # F m-2: a contact so loose that no field ends on it
SLOW = 1e-3  # omega tau of the slowest arc
HIGHEST = 300.0  # RT

CORE = Free("barrier", lambda stack: stack.junctions[0].step, -5.0, 5.0, "linear", "V")
CHARGE = Free("core charge", lambda stack: stack.junctions[1].surface_charge, -10.0, 10.0, "linear", "C m-2")
PERMITTIVITY = Free(
    "permittivity", lambda stack: tuple(layer.material.permittivity for layer in stack.layers), 1.0, 1e5, "log", "1"
)
GRAIN = Free("half a grain", lambda stack: stack.layers[0].thickness, 1e-10, 1e-2, "log", "m")
CONDUCTIVITY = Free(
    "conductivity factor",
    lambda stack: tuple(c.diffusivity.value for layer in stack.layers for c in layer.material.carriers),
    1e-4,
    1e4,
    "log",
    "1",
    factor=True,
)


class Ceramic(eqx.Module):
    """What repeats in a ceramic: half a grain from its core (left) to its middle, or a unit from middle to middle.

    In the middle of a grain there is no field, by symmetry: layers wider than the grain meet there. Charge, potential
    and composition are counted from the neutral grain, with which the core is in equilibrium.
    """

    stack: Stack  # between reservoirs of the neutral grain
    half: bool = eqx.field(static=True)
    charge: int = eqx.field(static=True)  # charge number of the carrier that carries most of the current
    frozen: tuple[str, ...] = eqx.field(static=True, default=())  # species in equilibrium that no signal moves

    @property
    def material(self) -> Material:
        """Of the grain, as the signal finds it."""
        return _frozen(self.stack.layers[0].material, self.frozen)

    @property
    def grain(self) -> Float[Array, ""]:
        """Grain size [m]: the length from one middle, or core, to the next."""
        length = sum((layer.thickness for layer in self.stack.layers), jnp.zeros(()))
        return 2 * length if self.half else length


def half_grain(
    material: Material,
    grain: float,
    temperature: float,
    barrier: float = 0.0,
    *,
    frozen: tuple[str, ...] = (),
    nodes: int | None = NODES,
) -> Ceramic:
    """Half a grain of that size [m], its core `barrier` volts above the neutral grain, at temperature [K].

    By symmetry the other half and the next grains add the same, at every frequency. frozen: species whose profile is
    that of equilibrium but which no signal moves: dopants of a Gouy-Chapman layer.
    """
    layer = Layer("grain", material, grain / 2, graded_mesh(material, grain / 2, temperature, nodes))
    ends = (
        Junction("core", reservoir(material, "left", temperature), step=barrier),
        Junction("middle of the grain", reservoir(material, "right", temperature)),
    )
    stack = Stack(tuple(carrier.species for carrier in material.carriers), (layer,), ends, temperature)
    return Ceramic(stack, True, _main(_frozen(material, frozen), temperature), frozen)


def repeated(stack: Stack, unit: int = 0, frozen: tuple[str, ...] = ()) -> Ceramic:
    """The repeated unit of a stack, from the middle of a grain to that of the next, with the core that it has.

    Raises ValueError if the stack has no such unit.
    """
    if not 0 <= unit < len(stack.units):
        raise ValueError(f"repeated unit {unit}: the stack has {len(stack.units)}")
    alone = unit_alone(stack, stack.units[unit])
    return Ceramic(alone, False, _main(_frozen(alone.layers[0].material, frozen), float(stack.temperature)), frozen)


def shares(material: Material, temperature: float) -> Float[np.ndarray, " carrier"]:
    """Share of each carrier in the conductivity of the neutral material."""
    alone = [eqx.tree_at(lambda m: m.carriers, material, (c,), is_leaf=_is_tuple) for c in material.carriers]
    sigma = np.array([float(bulk_conductivity(one, temperature)) for one in alone])
    return sigma / sigma.sum()


def _main(material, temperature):
    return material.carriers[int(np.argmax(shares(material, temperature)))].species.charge


def _is_tuple(x):
    return isinstance(x, tuple)


def _frozen(material: Material, species: tuple[str, ...]) -> Material:
    still = [k for k, carrier in enumerate(material.carriers) if carrier.species.name in species]
    for k in still:
        material = eqx.tree_at(lambda m, k=k: m.carriers[k].diffusivity, material, Constant(0.0))
    return material


def _signalling(ceramic: Ceramic) -> Stack:
    """The stack that the signal meets.

    The linearisation needs the state, not how it came about: for the signal the middle of a grain is a node of the
    potential, and what is frozen stays.
    """
    stack = _ended(ceramic, NoCompactLayer())
    if not ceramic.frozen:
        return stack
    materials = [_frozen(layer.material, ceramic.frozen) for layer in stack.layers]
    return eqx.tree_at(lambda s: [layer.material for layer in s.layers], stack, materials)


def _ended(ceramic: Ceramic, compact: CompactLayer) -> Stack:
    """The stack with that compact layer in the middle of the grains."""
    junctions = list(ceramic.stack.junctions)
    for j in (-1,) if ceramic.half else (0, -1):
        junctions[j] = eqx.tree_at(lambda junction: junction.compact, junctions[j], compact)
    return eqx.tree_at(lambda s: s.junctions, ceramic.stack, tuple(junctions), is_leaf=_is_tuple)


def rest(ceramic: Ceramic, throw: bool = False) -> Solution:
    """Equilibrium without a field in the middle of the grains. Raises NotConverged (if throw)."""
    return equilibrium(_ended(ceramic, Capacitance(LOOSE)), throw=throw)


def remeshed(ceramic: Ceramic) -> Ceramic:
    """The same ceramic on meshes that follow its space charges. Raises NotConverged."""
    stack, _ = resolved(_ended(ceramic, Capacitance(LOOSE)))
    return eqx.tree_at(
        lambda c: [layer.spacing for layer in c.stack.layers], ceramic, [layer.spacing for layer in stack.layers]
    )


def spectrum(ceramic: Ceramic, frequency: Float[Array, " frequency"]) -> Complex[Array, " frequency"]:
    """Impedance [ohm m2] of one grain with its boundary at frequency [Hz]."""
    z = impedance(_signalling(ceramic), rest(ceramic).state, frequency).z
    return 2 * z if ceramic.half else z


class Answer(NamedTuple):
    """A grain boundary against its neutral grain."""

    resistance: Float[Array, ""]  # R_gb / R_b
    time: Float[Array, ""]  # tau_gb / tau_b
    barrier: Float[Array, ""]  # V, where the potential differs most from that of the neutral grain
    middle: Float[Array, ""]  # V, what is left of it in the middle of the grain
    result: Int[Array, ""]  # code of the equilibrium


def answer(ceramic: Ceramic) -> Answer:
    """Ratios of resistances and time constants, and the potentials at rest; differentiable by every leaf."""
    stack, solution = ceramic.stack, rest(ceramic)
    grains = [layer for layer in stack.layers if layer.material.name == ceramic.material.name]
    sigma = bulk_conductivity(ceramic.material, stack.temperature)
    neutral = sum((layer.thickness for layer in grains), jnp.zeros(())) / sigma
    tau = VACUUM_PERMITTIVITY * ceramic.material.permittivity / sigma
    phi = solution.state.phi
    top = phi[jnp.argmax(jnp.abs(phi))]
    lifted = jnp.minimum(jnp.abs(ceramic.charge * top / stack.thermal_voltage), HIGHEST)
    omega = SLOW / (tau * (1 + jnp.exp(lifted)))
    z = impedance(_signalling(ceramic), solution.state, omega[None] / (2 * np.pi)).z[0]
    excess = z.real - neutral
    time = (-z.imag / omega - neutral * tau) / (excess * tau)
    return Answer(excess / neutral, time, top, phi[-1], solution.result)


# ---- the whole spectrum


def spectrum_model(
    ceramic: Ceramic,
    thickness: float,
    area: float,
    free: Sequence[Free] = (CORE, CONDUCTIVITY, PERMITTIVITY),
    electrodes: CircuitModel | None = None,
) -> LeafModel:
    """A sample of that thickness [m] and area [m2] for `fit`: grains and boundaries of the stack, and a circuit.

    free: fingers at leaves of the stack; the values of the circuit, in series, are free too. Half a grain has a barrier
    (`CORE`), a repeated unit a core (`CHARGE`). The mesh is that of the ceramic as given: see `remeshed`.
    """
    circuit = None if electrodes is None else electrodes.circuit
    count = thickness / float(ceramic.grain)

    def of_stack(one: Free) -> Free:
        return Free(
            one.name, lambda tree: one.where(tree[0].stack), one.lower, one.upper, one.scale, one.unit, one.factor
        )

    def of_circuit(k, parameter) -> Free:
        where = lambda tree: jax.tree.leaves(tree[1])[k]  # noqa: E731
        return Free(parameter.name, where, parameter.lower, parameter.upper, parameter.scale, parameter.unit)

    def response(tree, frequency):
        z = count * spectrum(tree[0], frequency) / area
        return z if tree[1] is None else z + tree[1].impedance(2 * np.pi * frequency)

    parameters = () if electrodes is None else electrodes.parameters
    every = (*map(of_stack, free), *(of_circuit(k, parameter) for k, parameter in enumerate(parameters)))
    return LeafModel((ceramic, circuit), every, response)
