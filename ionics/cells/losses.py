"""Who eats the voltage: what each conductor and each part of an electrode takes from it, for every row of a run.

V = open circuit of the mean compositions + sum of losses, exactly. Losses are parts of V: negative in discharge.
Every place counts with its share of the current (see `passage`), the double layer's included, as far as all of it flows
the same way: the weight of that is (I / sum of sizes)^2, of the area the rest. So the losses of a passing current are
those of its power, and nothing is divided by a current that has stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.cells.balance import State, unflatten
from ionics.cells.cell import Cell, Electrode, Particle
from ionics.cells.passage import Passage, elements, kept, passage, pieces, split

Scalar = Float[Array, ""]
Rows = Float[np.ndarray, "row unknown"] | Float[Array, "row unknown"]

UNEVENNESS = "unevenness"
CHUNK = 64  # rows at once, always as many: compiled once


class History(NamedTuple):
    """What happens inside a cell, one row for each state."""

    losses: Float[np.ndarray, "row loss"]  # V, each one's part of V - open_circuit
    open_circuit: Float[np.ndarray, " row"]  # V, of the mean compositions


def names(cell: Cell) -> tuple[str, ...]:
    """Of the losses: pieces of the negative electrode, conductors, pieces of the positive, the series resistance."""
    return elements(cell, _taking)


def _taking(electrode: Electrode) -> tuple[str, ...]:
    """What takes voltage in an electrode."""
    return (*pieces(electrode), UNEVENNESS) if _uneven(electrode) else pieces(electrode)


def _uneven(electrode: Electrode) -> bool:
    """Whether there is more than one particle to differ."""
    particles = any(isinstance(member, Particle) for member in electrode.members)
    return particles and sum(member.area.shape[0] for member in electrode.members) * electrode.nodes > 1


def history(cell: Cell, x: Rows, temperature: Float[np.ndarray, " row"] | Float[Array, " row"]) -> History:
    """Losses and open-circuit voltages of rows of unknowns [as `flatten` orders them] at their temperatures [K].

    Diffusion is the open-circuit potential of a surface against that of its own particle's mean; unevenness that of
    a particle's mean against the electrode's, over depth, sizes and members. The electrode's is that of each member's
    mean occupancy; of several members the mean, weighted with their capacities. A metal counts only where it is alone.
    Where phases separate, the open-circuit potential of a mean between them is that of both.
    """
    x, temperature = np.asarray(x), np.asarray(temperature)
    rows, found = len(temperature), []
    for start in range(0, rows, CHUNK):
        which = np.minimum(np.arange(start, start + CHUNK), rows - 1)
        part = _history(cell, jnp.asarray(x[which]), jnp.asarray(temperature[which]))
        found.append(jax.tree.map(np.asarray, part))
    return History(*(np.concatenate(parts)[:rows] for parts in zip(*found, strict=True)))


def averages(losses: Float[np.ndarray, "row loss"], charge: Float[np.ndarray, " row"]) -> Float[np.ndarray, " loss"]:
    """Of each loss [V] over the charge that passed: its energy per charge, negative where it is lost either way."""
    passed = np.diff(charge)
    middle = 0.5 * (losses[1:] + losses[:-1])
    return passed @ middle / np.sum(np.abs(passed))


def limiting(
    named: Sequence[str], losses: Float[np.ndarray, "row loss"], charge: Float[np.ndarray, " row"]
) -> tuple[str, float]:
    """The step that loses most of a charge or discharge, and how much on average [V]; charge [C m-2] of each row."""
    found = averages(losses, charge)
    worst = int(np.argmin(found))
    return named[worst], float(found[worst])


@eqx.filter_jit
def _history(cell: Cell, x, temperature):
    def one(x, temperature):
        warm = eqx.tree_at(lambda c: c.temperature, cell, temperature)
        return _losses(warm, unflatten(warm, x))

    return jax.vmap(one)(x, temperature)


def _losses(cell: Cell, state: State):
    below, bottom = _of_electrode(cell.negative, state.negative, -state.current, cell.temperature)
    above, top = _of_electrode(cell.positive, state.positive, state.current, cell.temperature)
    resistances = [*(one.resistance(cell.temperature) for one in cell.between), cell.series_resistance]
    *between, series = (-one * state.current for one in resistances)
    return jnp.stack([*(-own for own in below), *between, *above, series]), top - bottom


def _of_electrode(electrode: Electrode, inside, current, temperature) -> tuple[list[Scalar], Scalar]:
    """What each piece adds to the potential of an electrode, and the potential of the mean composition [V]."""
    found = passage(electrode, inside, current, temperature)
    weights = _weights(electrode, found, current)
    taken = split(found, weights, jnp.zeros_like(found.charging))
    pairs = list(zip(electrode.members, inside.filling, strict=True))
    means = [member.inside.mean(filling) for member, filling in pairs]
    own = [one.settled(mean, temperature) for one, mean in zip(electrode.members, means, strict=True)]
    of_means = sum(jnp.sum(weight * each) for weight, each in zip(weights, own, strict=True))
    together = _together(electrode, means, temperature)
    parts = kept(electrode, taken._replace(surface=taken.surface - of_means))
    return [*parts, of_means - together] if _uneven(electrode) else parts, together


def _weights(electrode: Electrode, found: Passage, current: Scalar) -> tuple[Float[Array, "size depth"], ...]:
    """Of each place; they sum to one."""
    areas = [electrode.shares * member.area[:, None] for member in electrode.members]
    layers = [own * m.surface.capacitance for own, m in zip(areas, electrode.members, strict=True)]
    holding = electrode.capacitance > 0  # else what is left over is rounding
    layers = [jnp.where(holding, layer, area) for layer, area in zip(layers, areas, strict=True)]
    at_depth = sum(jnp.sum(layer, axis=0) for layer in layers)
    through = [own + layer / at_depth * found.charging for own, layer in zip(found.through, layers, strict=True)]
    size = sum(jnp.sum(jnp.abs(own)) for own in through)
    scale = jnp.where(size > 0, size, 1.0)
    aligned, whole = current / scale, sum(jnp.sum(own) for own in areas)
    return tuple(
        aligned * own / scale + (1 - aligned**2) * area / whole for own, area in zip(through, areas, strict=True)
    )


def _together(electrode: Electrode, means: list, temperature: Scalar) -> Scalar:
    """Open-circuit potential of the mean composition [V]."""
    mixed = any(isinstance(member, Particle) for member in electrode.members)
    levels, capacities = [], []
    for member, mean in zip(electrode.members, means, strict=True):
        if isinstance(member, Particle):
            volume = member.volume[:, None] * electrode.shares
            levels.append(member.settled(jnp.sum(volume * mean) / jnp.sum(volume), temperature))
            capacities.append(member.carrier.sites * jnp.sum(volume))
        else:
            levels.append(jnp.mean(member.open_circuit(mean, temperature)))
            capacities.append(jnp.asarray(0.0 if mixed else 1.0))
    return jnp.average(jnp.stack(levels), weights=jnp.stack(capacities))
