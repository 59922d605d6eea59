"""What a small periodic current does inside a stack: profiles of everything, and the view of a reference electrode."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from ionics.transport.balance import State, node_ranges, profiles
from ionics.transport.impedance import CACHED, Frequencies
from ionics.transport.newton import Solution
from ionics.transport.stack import Stack
from ionics.transport.tangent import Tangent, along_waves, in_turns


class Response(eqx.Module):
    """Complex amplitudes of the profiles for one unit of current or voltage. NaN where a carrier does not live."""

    frequency: Float[Array, " frequency"]  # Hz
    x: Float[Array, " node"]  # m from the left contact
    layer: Int[Array, " node"]  # index
    potential: Complex[Array, "node frequency"]  # V, against the left metal
    occupancy: Complex[Array, "carrier node frequency"]  # 1
    concentration: Complex[Array, "carrier node frequency"]  # mol m-3
    electrochemical: Complex[Array, "carrier node frequency"]  # eta / F, V
    rate: Complex[Array, "reaction junction frequency"]  # mol m-2 s-1
    voltage: Complex[Array, " frequency"]  # V, at the terminals
    current: Complex[Array, " frequency"]  # A m-2

    def per_voltage(self) -> Response:
        """The same for one volt at the terminals."""
        amplitudes = (
            self.potential,
            self.occupancy,
            self.concentration,
            self.electrochemical,
            self.rate,
            self.voltage,
            self.current,
        )
        return Response(self.frequency, self.x, self.layer, *(a / self.voltage for a in amplitudes))


class Split(eqx.Module):
    """A cell's impedance as a reference electrode splits it: left + right = Z."""

    frequency: Float[Array, " frequency"]  # Hz
    left: Complex[Array, " frequency"]  # Ohm m2, left metal against reference
    right: Complex[Array, " frequency"]  # Ohm m2, reference against right terminal, with the series resistance


def response(stack: Stack, about: Solution | State, frequency: Frequencies) -> Response:
    """Amplitudes of all profiles per unit current [per A m-2] at frequencies [Hz] about a steady or equilibrium state.

    The current counts as in Current: positive from left to right (discharge), so `voltage` is -Z.
    """
    _meshed_once(stack)
    state = about.state if isinstance(about, Solution) else about
    return _response(stack, state, jnp.atleast_1d(jnp.asarray(frequency, float)))


def split(
    stack: Stack,
    about: Solution | State,
    frequency: Frequencies,
    layer: str,
    position: Float[Array, ""] | float,
    species: str,
) -> Split:
    """The two half-cell impedances [Ohm m2] that a reference electrode inside the stack would measure.

    It stands `position` [m] from the left end of a layer (0 and the thickness are the two sides of its junctions),
    takes no current and senses eta / zF of a charged species: lithium metal that of Li+, a voltage probe that of e-.
    """
    found = response(stack, about, frequency)
    index = [one.name for one in stack.layers].index(layer)
    k = stack.index(species)
    if not any(carrier.species.name == species for carrier in stack.layers[index].material.carriers):
        raise ValueError(f"no {species} in layer {layer}: a reference electrode there has nothing to sense")
    if stack.species[k].charge == 0:
        raise ValueError(f"{species} is neutral: a reference electrode senses eta / zF of a charged species")
    eta = found.electrochemical[k, node_ranges(stack)[index]] / stack.species[k].charge
    where = stack.layers[index].positions()

    def sensed(eta):
        return jnp.interp(jnp.asarray(position, float), where, eta)

    reference = along_waves(sensed, eta)
    return Split(found.frequency, -reference, reference - found.voltage)


def _meshed_once(stack: Stack) -> None:
    if stack.units:
        raise ValueError("a repeated unit is meshed once: write its layers out to see inside the stack")


@eqx.filter_jit
def _response(stack: Stack, state: State, frequency) -> Response:
    tangent = Tangent(stack, state)
    layout = tangent.layout
    shape, slope = jax.linearize(lambda x: profiles(stack, layout.unflatten(x)), tangent.x)

    def answer(frequency):
        change = tangent.response(tangent.factors(frequency), frequency)
        # index and position do not change; numbers only
        moved = along_waves(lambda dx: _amplitudes(slope(dx)), change)
        rate = change[jnp.asarray(layout.junction), : layout.reactions]
        return *moved, jnp.moveaxis(rate, 0, 1), change[-1, -1]

    *moved, rate, voltage = in_turns(answer, layout, frequency, CACHED)
    moved = [jnp.where(jnp.isnan(a)[..., None], jnp.nan, da) for a, da in zip(_amplitudes(shape), moved, strict=True)]
    voltage = voltage - stack.series_resistance
    return Response(frequency, shape.x, shape.layer, *moved, rate, voltage, jnp.ones_like(voltage))


def _amplitudes(shape):
    return shape.potential, shape.occupancy, shape.concentration, shape.electrochemical
