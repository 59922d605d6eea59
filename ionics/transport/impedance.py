"""Small-signal impedance: the exact linearisation of the balance about a state, all frequencies at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Complex, Float

from ionics.transport.balance import Current, State, flows, outflow, storage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.linear import (
    Layout,
    arranged,
    backward,
    coloured,
    factorise,
    substitute,
    with_identity,
)
from ionics.transport.newton import Solution
from ionics.transport.stack import Junction, Stack, Unit, reservoir

Frequencies = Float[Array, " frequency"] | Float[np.ndarray, " frequency"] | Sequence[float] | float  # Hz
SERIES = "series resistance"
CACHED = 400_000  # complex numbers, 6 MB


class Impedance(eqx.Module):
    """Impedance of a stack and the share of each layer and junction in it."""

    frequency: Float[Array, " frequency"]  # Hz
    z: Complex[Array, " frequency"]  # Ohm m2, with the series resistance
    parts: Complex[Array, "element frequency"]  # Ohm m2, summing to z
    elements: tuple[str, ...] = eqx.field(static=True)


def impedance(stack: Stack, about: Solution | State, frequency: Frequencies) -> Impedance:
    """Z = -dV/dI [Ohm m2] at frequencies [Hz] about any steady or equilibrium state.

    The shares of the elements are those of the complex power, by Tellegen's theorem: flux times drop in eta and
    displacement current times drop in potential on faces, storage current times chemical potential on
    nodes. In a chain of two-terminal elements each share is the impedance of that element; the shares add up to Z
    exactly, and the real part of each is what it dissipates. Repeated units count as often as they stand in series.
    """
    state = about.state if isinstance(about, Solution) else about
    if stack.units and not isinstance(state.current, Tracer) and float(state.current) != 0:
        raise ValueError("the impedance of a repeated unit is known at equilibrium only, not under current")
    frequency = jnp.atleast_1d(jnp.asarray(frequency, float))
    return _impedance(stack, state, frequency)


@eqx.filter_jit
def _impedance(stack: Stack, state: State, frequency) -> Impedance:
    z, parts = _alone(stack, state, frequency)
    z = z + stack.series_resistance
    names = elements(stack)
    for unit in stack.units:
        alone = unit_alone(stack, unit)
        rest = equilibrium(alone, throw=False).state
        own, inside = _alone(alone, rest, frequency)
        first = 1 + 2 * unit.first
        parts = parts.at[first : first + inside.shape[0] - 2].add((unit.count - 1) * inside[1:-1])
        z = z + (unit.count - 1) * own
    series = jnp.broadcast_to(stack.series_resistance.astype(complex), (1, *frequency.shape))
    parts = jnp.concatenate([parts, series])
    return Impedance(frequency, z, parts, (*names, SERIES))


def _alone(stack: Stack, state: State, frequency):
    """Z and the shares of the elements, each layer standing once and without the series resistance."""
    layout = Layout(stack)
    x = layout.flatten(state)

    def everything(x):
        state = layout.unflatten(x)
        flowing = flows(stack, state)
        leaving, stored = outflow(stack, state, Current(0.0), flowing), storage(stack, state, flowing)
        return layout.flatten(leaving), layout.flatten(stored), flowing

    # One linearisation serves the matrix, the refinement and the shares.
    _, along = jax.linearize(everything, x)

    def answer(frequency):
        change = response(stack, layout, along, frequency)
        return -change[-1, -1], _shares(layout, frequency, change, _along(lambda dx: along(dx)[2], change))

    # As many frequencies at once as leave the factors of the matrix in the cache of a processor.
    count = frequency.shape[0]
    turns = -(-count * layout.blocks * layout.width**2 // CACHED)
    if turns == 1:
        return answer(frequency)
    each = -(-count // turns)
    z, parts = jax.lax.map(answer, jnp.resize(frequency, (turns, each)))
    return z.ravel()[:count], jnp.moveaxis(parts, 0, 1).reshape(parts.shape[1], -1)[:, :count]


def elements(stack: Stack) -> tuple[str, ...]:
    """Names of junctions and layers in the order they stand."""
    names = [stack.junctions[0].name]
    for layer, junction in zip(stack.layers, stack.junctions[1:], strict=True):
        names += [layer.name, junction.name]
    return tuple(names)


def unit_alone(stack: Stack, unit: Unit) -> Stack:
    """The layers of a repeated unit between reservoirs: what each further copy adds."""
    layers = stack.layers[unit.first : unit.last + 1]
    inner = stack.junctions[unit.first + 1 : unit.last + 1]
    ends = [
        Junction(side, reservoir(layer.material, side, stack.temperature))
        for side, layer in (("left", layers[0]), ("right", layers[-1]))
    ]
    return Stack(stack.species, layers, (ends[0], *inner, ends[1]), stack.temperature)


def response(
    stack: Stack, layout: Layout, along: Callable, frequency: Float[Array, " frequency"]
) -> Complex[Array, "block row frequency"]:
    """Change of every unknown per unit current through the cell, at each frequency, in the layout's blocks."""
    rate = 2j * jnp.pi * frequency
    shape, many = (layout.blocks, layout.width), frequency.shape[0]
    dispersion = jnp.stack([-junction.compact.dispersion(2 * jnp.pi * frequency) for junction in stack.junctions])
    kick = jnp.zeros((*shape, many), complex).at[layout.metal, 0].set(1.0)
    # The solve is taken as given. One refinement with the balance itself makes the answer differentiable, and as
    # exact as the fluxes: they enter neighbouring cells with opposite signs, so nothing leaks, while the rounding of
    # the assembled matrix does (1e-7 of Z on fine meshes at low frequency).
    still, moving = coloured(lambda dx: along(dx)[:2], *shape)
    still, moving, fixed = jax.lax.stop_gradient((with_identity(still, layout.padding()), moving, dispersion))
    factors = factorise(still, layout, moving, jax.lax.stop_gradient(rate), fixed)
    answer = backward(factors, arranged(kick[:, :, None], layout), layout)[:, :, 0]
    leaving, stored = _along(lambda dx: along(dx)[:2], answer)
    junctions = jnp.asarray(layout.junction)
    residual = (leaving + rate * stored - kick).at[junctions, -1].add(dispersion * answer[junctions, -1])
    return answer - substitute(factors, residual[:, :, None], layout)[:, :, 0]


def _along(derivative, change):
    """A real linear map along complex changes, batch last."""
    real_and_imaginary = jnp.concatenate([change.real, change.imag], axis=-1)
    slopes = jax.vmap(derivative, in_axes=-1, out_axes=-1)(real_and_imaginary)
    half = change.shape[-1]
    return jax.tree.map(lambda a: a[..., :half] + 1j * a[..., half:], slopes)


def _shares(layout: Layout, frequency, change, along) -> Complex[Array, "element frequency"]:
    """Complex power of every junction and layer at unit current."""
    rate = 2j * jnp.pi * frequency
    layers, junctions = along
    phi = change[:, -1]
    shares = []
    for i, junction in enumerate(junctions):
        power = jnp.conj(rate * junction.displacement) * junction.drop
        for affinity, passing in zip(junction.affinity, junction.rate, strict=True):
            power = power + jnp.conj(passing) * affinity
        shares.append(power)
        if i < len(layers):
            first, last = layout.nodes[i]
            shares.append(_layer_power(layers[i], -jnp.diff(phi[first:last], axis=0), rate))
    return jnp.stack(shares)


def _layer_power(flow, drop, rate) -> Complex[Array, " frequency"]:
    power = jnp.sum(jnp.conj(rate * flow.displacement) * drop, axis=0)
    for flux, eta, mu, content in zip(flow.flux, flow.electrochemical, flow.chemical, flow.content, strict=True):
        power = power - jnp.sum(jnp.conj(flux) * jnp.diff(eta, axis=0), axis=0)
        power = power + jnp.sum(jnp.conj(rate * content) * mu, axis=0)
    return power
