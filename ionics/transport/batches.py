"""What jax.vmap makes of functions whose speed depends on where the batch stands and how much of it is at hand."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap


def batch_last(function: Callable) -> Callable:
    """A function of arrays whose last axis is a batch (or of length one): jax.vmap makes that batch longer.

    Left alone, jax.vmap puts a batch first in loops, where small blocks of it lie apart in memory. Not for reverse
    differentiation.
    """

    @custom_vmap
    def own(*args):
        return function(*args)

    @own.def_vmap
    def _(size, batched, *args):
        leaves, tree = jax.tree.flatten(args)
        flags = jax.tree.leaves(batched)
        (before,) = np.broadcast_shapes(*(leaf.shape[-1:] for leaf in leaves))

        def longer(leaf, flag):
            if not flag and leaf.shape[-1] == 1:
                return leaf
            leaf = jnp.moveaxis(leaf, 0, -1) if flag else leaf[..., None]
            return jnp.broadcast_to(leaf, (*leaf.shape[:-2], before, size)).reshape(*leaf.shape[:-2], before * size)

        found = own(*jax.tree.unflatten(tree, map(longer, leaves, flags)))
        found = jax.tree.map(lambda a: jnp.moveaxis(a.reshape(*a.shape[:-1], before, size), -1, 0), found)
        return found, jax.tree.map(lambda _: True, found)

    return own


def in_turns(function: Callable, size: int) -> Callable:
    """A function of pytrees whose batches under jax.vmap are worked off `size` members at a time.

    What they need then stays in the cache of a processor; elsewhere all are worked off at once. So are batches whose
    derivatives are asked for.
    """

    @eqx.filter_custom_jvp
    def own(*args):
        arrays, rest = eqx.partition(args, eqx.is_array)
        leaves, tree = jax.tree.flatten(arrays)

        def one(leaves):
            return function(*eqx.combine(jax.tree.unflatten(tree, leaves), rest))

        call = custom_vmap(one)

        @call.def_vmap
        def _(many, batched, leaves):
            turns = -(-many // size) if jax.default_backend() == "cpu" else 1
            flags, each = batched[0], -(-many // turns)
            more = turns * each - many

            def filled(x):
                last = jnp.broadcast_to(x[-1:], (more, *x.shape[1:]))
                return jnp.concatenate([x, last]).reshape(turns, each, *x.shape[1:])

            def turn(share):
                share = iter(share)
                given = [next(share) if flag else x for flag, x in zip(flags, leaves, strict=True)]
                return jax.vmap(one, in_axes=([0 if flag else None for flag in flags],))(given)

            share = [x for flag, x in zip(flags, leaves, strict=True) if flag]
            if turns == 1:
                found = turn(share)
            else:
                found = jax.lax.map(turn, [filled(x) for x in share])
                found = jax.tree.map(lambda a: a.reshape(turns * each, *a.shape[2:])[:many], found)
            return found, jax.tree.map(lambda _: True, found)

        return call(leaves)

    @own.def_jvp
    def _(primals, tangents):
        return eqx.filter_jvp(function, primals, tangents)

    return own
