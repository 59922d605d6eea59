"""A linear map with its elementwise chains multiplied out: the chain rule once, not once per direction.

The derivative of a flux runs through every intermediate of its formula. Along one direction that is the cheapest way;
along the many directions that a matrix is made of, it is cheaper to multiply the slopes of a chain first, which do not
depend on the direction, and to apply the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal
from jaxtyping import Array

CALLS = {"jit", "pjit", "closed_call", "checkpoint"}
ELEMENTWISE = {"neg", "add", "add_any", "sub", "mul", "div", "select_n"}
VIEWS = {"slice", "squeeze", "reshape", "transpose", "broadcast_in_dim", "rev", "expand_dims", "copy"}


class Term(NamedTuple):
    """slope * base; the slope is a number or an array of the base's shape."""

    base: Array
    slope: Array | float


class Sum(dict[tuple, Term]):
    """A linear quantity: the sum of terms whose bases all have its shape, each base known by a name."""


def multiplied_out(linear: Callable, *example) -> Callable:
    """The same linear function; elementwise operations between two movements of data become one product each."""
    jaxpr, shape = jax.make_jaxpr(linear, return_shape=True)(*example)
    tree = jax.tree.structure(shape)

    def apply(*along):
        names = iter(range(2**60))
        given = [Sum({(next(names),): Term(leaf, 1.0)}) for leaf in jax.tree.leaves(along)]
        found = _Run(names).run(jaxpr, given)
        return jax.tree.unflatten(tree, [_value(one) for one in found])

    return apply


class _Run:
    """One pass over the operations of a linear function."""

    def __init__(self, names):
        self.names, self.views = names, {}

    def run(self, closed: ClosedJaxpr, given: list) -> list:
        jaxpr = closed.jaxpr
        values = dict(zip(jaxpr.constvars, closed.consts, strict=True)) | dict(zip(jaxpr.invars, given, strict=True))
        for eqn in jaxpr.eqns:
            inputs = [v.val if isinstance(v, Literal) else values[v] for v in eqn.invars]
            if not any(isinstance(one, Sum) for one in inputs):
                found = self.bound(eqn, inputs)
            elif eqn.primitive.name in CALLS:
                found = self.run(eqn.params["jaxpr"], inputs)
            elif (found := self.combined(eqn, inputs)) is None:
                for v, one in zip(eqn.invars, inputs, strict=True):  # whoever else needs the sum finds it added up
                    if isinstance(one, Sum):
                        values[v] = self.base(_value(one))
                found = [self.base(one) for one in self.bound(eqn, [_value(one) for one in inputs])]
            values.update(zip(eqn.outvars, found, strict=True))
        return [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars]

    def base(self, value: Array) -> Sum:
        return Sum({(next(self.names),): Term(value, 1.0)})

    @staticmethod
    def bound(eqn, inputs) -> list:
        found = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
        return list(found) if eqn.primitive.multiple_results else [found]

    def combined(self, eqn, inputs) -> list[Sum] | None:
        """The sum that an operation makes of sums; None if it is none of those known here."""
        name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
        if name in VIEWS and len(inputs) == 1:
            return [Sum(dict(self.viewed(eqn, key, term) for key, term in inputs[0].items()))]
        if name not in ELEMENTWISE:
            return None
        inputs = [self.filled(one, shape) if isinstance(one, Sum) else one for one in inputs]
        first = inputs[0]
        if name == "neg":
            return [_scaled(first, lambda slope: -slope)]
        if name in ("add", "add_any", "sub"):
            second = inputs[1] if name != "sub" or not isinstance(inputs[1], Sum) else _scaled(inputs[1], lambda s: -s)
            return [_added(first, second)]
        if name == "mul":
            linear, factor = inputs if isinstance(first, Sum) else inputs[::-1]
            return [_scaled(linear, lambda slope: slope * factor)]
        if name == "div":
            return [_scaled(first, lambda slope: slope / inputs[1])]
        return [_selected(first, inputs[1:])]

    def filled(self, one: Sum, shape: tuple) -> Sum:
        """The same number everywhere, where elementwise operations take numbers."""
        return Sum(
            {
                (key if base.shape == shape else (*key, shape)): Term(jnp.broadcast_to(base, shape), slope)
                for key, (base, slope) in one.items()
            }
        )

    def viewed(self, eqn, key: tuple, term: Term) -> tuple[tuple, Term]:
        seen = (*key, eqn.primitive.name, str(eqn.params))
        if seen not in self.views:
            self.views[seen] = self.bound(eqn, [term.base])[0]
        slope = self.bound(eqn, [term.slope])[0] if jnp.ndim(term.slope) else term.slope
        return seen, Term(self.views[seen], slope)


def _value(one):
    """Add up; what is no sum stands for itself."""
    if not isinstance(one, Sum):
        return one
    parts = [base if isinstance(slope, float) and slope == 1.0 else slope * base for base, slope in one.values()]
    return sum(parts[1:], parts[0])


def _scaled(one: Sum, change: Callable) -> Sum:
    return Sum({key: Term(base, change(slope)) for key, (base, slope) in one.items()})


def _added(a, b) -> Sum:
    """Something that is added to a linear quantity without being linear is zero."""
    if not (isinstance(a, Sum) and isinstance(b, Sum)):
        return a if isinstance(a, Sum) else b
    both = dict(a)
    for key, term in b.items():
        both[key] = Term(term.base, both[key].slope + term.slope) if key in both else term
    return Sum(both)


def _selected(which, cases) -> Sum:
    keys = dict.fromkeys(key for case in cases if isinstance(case, Sum) for key in case)
    chosen = Sum()
    for key in keys:
        base = next(case[key].base for case in cases if isinstance(case, Sum) and key in case)
        slopes = [case[key].slope if isinstance(case, Sum) and key in case else 0.0 for case in cases]
        shape, dtype = jnp.shape(base), base.dtype
        chosen[key] = Term(
            base, jax.lax.select_n(which, *(jnp.broadcast_to(jnp.asarray(s, dtype), shape) for s in slopes))
        )
    return chosen
