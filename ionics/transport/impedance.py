"""Small-signal impedance: the exact linearisation of the balance about a state, all frequencies at once."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ionics.transport.balance import Current, State, flows, outflow, storage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.linear import Layout, Tridiagonal, jacobian, solve, with_identity
from ionics.transport.newton import Solution
from ionics.transport.stack import Junction, Stack, Unit, reservoir

SERIES = "series resistance"


class Impedance(eqx.Module):
    """Impedance of a stack and the share of each layer and junction in it."""

    frequency: Float[Array, " frequency"]  # Hz
    z: Complex[Array, " frequency"]  # Ohm m2, with the series resistance
    parts: Complex[Array, "element frequency"]  # Ohm m2, summing to z
    elements: tuple[str, ...] = eqx.field(static=True)


def impedance(stack: Stack, about: Solution | State, frequency: Float[Array, " frequency"]) -> Impedance:
    """Z = -dV/dI [Ohm m2] at frequencies [Hz] about any steady or equilibrium state.

    The shares of the elements are those of the complex power, by Tellegen's theorem: flux times drop in eta and
    displacement current times drop in potential on faces, storage current times chemical potential on
    nodes. In a chain of two-terminal elements each share is the impedance of that element; the shares add up to Z
    exactly, and the real part of each is what it dissipates. Repeated units count as often as they stand in series.
    """
    state = about.state if isinstance(about, Solution) else about
    frequency = jnp.atleast_1d(jnp.asarray(frequency, float))
    return _impedance(stack, state, frequency)


@eqx.filter_jit
def _impedance(stack: Stack, state: State, frequency) -> Impedance:
    change = response(stack, state, frequency)
    parts = _shares(stack, state, frequency, change)
    z = stack.series_resistance - change[-1, -1]
    names = elements(stack)
    for unit in stack.units:
        alone = unit_alone(stack, unit)
        rest = equilibrium(alone, throw=False).state
        change = response(alone, rest, frequency)
        inside = _shares(alone, rest, frequency, change)
        first = 1 + 2 * unit.first
        parts = parts.at[first : first + inside.shape[0] - 2].add((unit.count - 1) * inside[1:-1])
        z = z - (unit.count - 1) * change[-1, -1]
    series = jnp.broadcast_to(stack.series_resistance.astype(complex), (1, *frequency.shape))
    parts = jnp.concatenate([parts, series])
    return Impedance(frequency, z, parts, (*names, SERIES))


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
    stack: Stack, state: State, frequency: Float[Array, " frequency"]
) -> Complex[Array, "block row frequency"]:
    """Change of every unknown per unit current through the cell, at each frequency, in the layout's blocks."""
    layout = Layout(stack)
    omega = 2 * jnp.pi * frequency
    x = layout.flatten(state)

    def leaving(x):
        return layout.flatten(outflow(stack, layout.unflatten(x), Current(0.0)))

    def stored(x):
        return layout.flatten(storage(stack, layout.unflatten(x)))

    still = with_identity(jacobian(leaving, x), layout.padding())
    moving = jacobian(stored, x)
    dispersion = jnp.stack([junction.compact.dispersion(omega) for junction in stack.junctions])
    matrix = Tridiagonal(*(a + 1j * omega * m for a, m in zip(still, moving, strict=True)))
    diagonal = matrix.diagonal.at[layout._junction_index, -1, -1].add(-dispersion)
    matrix = matrix._replace(diagonal=diagonal)
    kick = jnp.zeros((layout.blocks, layout.width, 1, omega.shape[0]), complex).at[layout.metal, 0].set(1.0)
    # The solve is taken as given. One refinement with the balance itself makes the answer differentiable, and as
    # exact as the fluxes: they enter neighbouring cells with opposite signs, so nothing leaks, while the rounding of
    # the assembled matrix does (1e-7 of Z on fine meshes at low frequency).
    given = jax.lax.stop_gradient(matrix)
    answer = jax.lax.stop_gradient(solve(given, kick, layout))
    dispersed = (
        jnp.zeros_like(answer[:, :, 0])
        .at[layout._junction_index, -1]
        .set(-dispersion * answer[layout._junction_index, -1, 0])
    )
    residual = _along(leaving, x, answer) + 1j * omega * _along(stored, x, answer) + dispersed - kick[:, :, 0]
    return (answer - solve(given, residual[:, :, None], layout))[:, :, 0]


def _along(function, x, change):
    """Derivative of function at x along complex changes, batch last."""
    _, slope = jax.linearize(function, x)
    many = jax.vmap(slope, in_axes=-1, out_axes=-1)
    change = change[:, :, 0]
    return many(change.real) + 1j * many(change.imag)


def _shares(stack: Stack, state: State, frequency, change) -> Complex[Array, "element frequency"]:
    """Complex power of every junction and layer at unit current."""
    layout = Layout(stack)
    omega = 2 * jnp.pi * frequency
    change = jnp.moveaxis(change, -1, 0)
    _, along = jax.linearize(lambda state: flows(stack, state), state)
    real = jax.vmap(lambda x: along(layout.unflatten(x)))(change.real)
    imaginary = jax.vmap(lambda x: along(layout.unflatten(x)))(change.imag)
    layers, junctions = jax.tree.map(lambda a, b: a + 1j * b, real, imaginary)
    rate = (1j * omega)[:, None]
    phi = change[..., -1]
    shares = []
    for i, junction in enumerate(junctions):
        power = jnp.conj(1j * omega * junction.displacement) * junction.drop
        for affinity, passing in zip(junction.affinity, junction.rate, strict=True):
            power = power + jnp.conj(passing) * affinity
        shares.append(power)
        if i < len(layers):
            first, last = layout.nodes[i]
            drop = -jnp.diff(phi[:, first:last], axis=1)
            shares.append(_layer_power(layers[i], drop, rate))
    return jnp.stack(shares)


def _layer_power(flow, drop, rate) -> Complex[Array, " frequency"]:
    power = jnp.sum(jnp.conj(rate * flow.displacement) * drop, axis=1)
    for flux, eta, mu, content in zip(flow.flux, flow.electrochemical, flow.chemical, flow.content, strict=True):
        power = power - jnp.sum(jnp.conj(flux) * jnp.diff(eta, axis=1), axis=1)
        power = power + jnp.sum(jnp.conj(rate * content) * mu, axis=1)
    return power
