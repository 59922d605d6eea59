"""Block-tridiagonal systems of a stack: coloured Jacobian, elimination from left to right, substitution.

Blocks stand in a row: junction 0, nodes of layer 0, junction 1, nodes of layer 1, ..., last junction, right metal.
Every leading part whose right neighbour is held is well posed, so inner nodes are eliminated one after another without
pivoting. A junction may state any law, constraints included: it is eliminated together with the nodes (or the metal) on
both of its sides, with pivoting. A matrix is factorised once and solved for as many right-hand sides as wanted.
The batch is always the last axis; whatever does not depend on it has length one there.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from ionics.transport.balance import State
from ionics.transport.batches import batch_last
from ionics.transport.chains import multiplied_out
from ionics.transport.stack import Stack

Blocks = Inexact[Array, "block row column batch"]
Rows = Inexact[Array, "block row many batch"]


class Tridiagonal(NamedTuple):
    """lower[b] couples block b to b-1, upper[b] to b+1; lower[0] and upper[-1] are zero."""

    lower: Blocks
    diagonal: Blocks
    upper: Blocks


class Layout:
    """Where each unknown of a stack stands among the blocks. Static: sizes only."""

    def __init__(self, stack: Stack):
        self.sizes = tuple(layer.nodes for layer in stack.layers)
        self.carriers = len(stack.species)
        self.reactions = max((len(j.reactions) for j in stack.junctions), default=0)
        self.slots = max((j.slots for j in stack.junctions), default=0)
        self.width = max(self.carriers, self.reactions + self.slots, 1) + 1
        self.junction = [0]
        self.nodes = []
        for size in self.sizes:
            first = self.junction[-1] + 1
            self.nodes.append((first, first + size))
            self.junction.append(first + size)
        if min(self.sizes) < 3:
            raise ValueError(f"every layer needs three nodes or more; the layers have {self.sizes}")
        self.metal = self.junction[-1] + 1
        self.blocks = self.metal + 1

    def flatten(self, state: State) -> Inexact[Array, "block row"]:
        """Carriers (rates and slots; current) first, potential (displacement; voltage) last in each block."""

        def block(first, last):
            gap = jnp.zeros((last.shape[0], self.width - 1 - first.shape[1]), last.dtype)
            return jnp.concatenate([first, gap, last[:, None]], axis=1)

        # Slices and joins only: gathers and scatters are slow to compile and to run.
        faces = jnp.concatenate([state.rate, state.surface]).T
        nodes, junctions = block(state.u.T, state.phi), block(faces, state.displacement)
        parts, start = [junctions[:1]], 0
        for g, size in enumerate(self.sizes):
            parts += [nodes[start : start + size], junctions[g + 1 : g + 2]]
            start += size
        return jnp.concatenate([*parts, block(state.current[None, None], state.voltage[None])])

    def unflatten(self, x: Inexact[Array, "block row"]) -> State:
        """The inverse of flatten; padding is dropped."""
        nodes = jnp.concatenate([x[a:b] for a, b in self.nodes])
        junctions, metal = jnp.stack([x[j] for j in self.junction]), x[self.metal]
        return State(
            u=nodes[:, : self.carriers].T,
            phi=nodes[:, -1],
            rate=junctions[:, : self.reactions].T,
            surface=junctions[:, self.reactions : self.reactions + self.slots].T,
            displacement=junctions[:, -1],
            voltage=metal[-1],
            current=metal[0],
        )

    def of_nodes(self) -> np.ndarray:
        """True where a block is a node."""
        found = np.zeros(self.blocks, bool)
        for a, b in self.nodes:
            found[a:b] = True
        return found

    def padding(self) -> np.ndarray:
        """True where a slot holds no unknown."""
        pad = np.ones((self.blocks, self.width), bool)
        pad[self.of_nodes(), : self.carriers] = False
        pad[self.junction, : self.reactions + self.slots] = False
        pad[self.metal, 0] = False
        pad[:, -1] = False
        return pad


def jacobian(function, x: Inexact[Array, "block row"]) -> Tridiagonal:
    """The block-tridiagonal Jacobian of function: blocks -> blocks, in 3 x width directional derivatives."""
    _, slope = jax.linearize(function, x)
    return coloured(lambda dx: (slope(dx),), *x.shape)[0]


def coloured(derivative, blocks: int, width: int) -> tuple[Tridiagonal, ...]:
    """The matrices of the linear block-tridiagonal maps that `derivative` yields as a tuple.

    Blocks three apart share no row, so one derivative along all of them gives all their columns. The directions are
    taken in a loop: where they are compiled in one piece, every slope is computed anew for each of them.
    """
    colour = np.arange(blocks) % 3
    seeds = np.einsum("bc,sw->cwbs", np.eye(3)[colour], np.eye(width)).reshape(3 * width, blocks, width)
    columns = jax.lax.map(multiplied_out(derivative, jnp.zeros((blocks, width))), jnp.asarray(seeds))

    def couple(columns, offset):
        columns = columns.reshape(3, width, blocks, width)  # colour, slot, block, row
        neighbour = np.arange(blocks) + offset
        source = np.where((neighbour >= 0) & (neighbour < blocks), neighbour % 3, -1)
        picked = (jnp.where((source == c)[:, None], columns[c], 0.0) for c in range(3))
        return jnp.moveaxis(sum(picked, jnp.zeros(())), 0, -1)[..., None]

    return tuple(Tridiagonal(*(couple(one, offset) for offset in (-1, 0, 1))) for one in columns)


def with_identity(matrix: Tridiagonal, padding: np.ndarray) -> Tridiagonal:
    """Rows of empty slots become identity rows."""
    eye = jnp.asarray(padding[:, :, None] * np.eye(padding.shape[1]))[..., None]
    return matrix._replace(diagonal=matrix.diagonal + eye)


def multiply(matrix: Tridiagonal, x: Rows) -> Rows:
    """matrix @ x."""
    pad = jnp.zeros_like(x[:1])
    before, after = jnp.concatenate([pad, x[:-1]]), jnp.concatenate([x[1:], pad])
    product = jax.vmap(_mm)
    return product(matrix.lower, before) + product(matrix.diagonal, x) + product(matrix.upper, after)


def transposed(matrix: Tridiagonal) -> Tridiagonal:
    """The transposed matrix."""
    lower, diagonal, upper = (jnp.swapaxes(part, 1, 2) for part in matrix)
    first, last = jnp.zeros_like(upper[:1]), jnp.zeros_like(lower[:1])
    return Tridiagonal(jnp.concatenate([first, upper[:-1]]), diagonal, jnp.concatenate([lower[1:], last]))


def solve(matrix: Tridiagonal, rhs: Rows, layout: Layout) -> Rows:
    """x with matrix @ x = rhs. A singular system gives infinities or NaN, never a wrong finite answer silently.

    Its derivatives are those of the equation, not of the elimination.
    """
    batch = np.broadcast_shapes(*(part.shape[-1:] for part in (*matrix, rhs)))
    rhs = jnp.broadcast_to(rhs, (*rhs.shape[:-1], *batch)).astype(jnp.result_type(*matrix, rhs))
    eliminate = batch_last(lambda matrix, rhs: substitute(factorise(matrix, layout), rhs, layout))
    return jax.lax.custom_linear_solve(
        lambda x: multiply(matrix, x),
        rhs,
        lambda _, b: eliminate(matrix, b),
        lambda _, b: eliminate(transposed(matrix), b),
    )


def eliminated(matrix: Tridiagonal, layout: Layout, moving: Tridiagonal, rate: Inexact[Array, ""]) -> Factors:
    """`factorise` that keeps a batch last under jax.vmap. Nothing is differentiated by it."""
    given = jax.lax.stop_gradient((matrix, moving, rate[None]))
    return batch_last(lambda matrix, moving, rate: factorise(matrix, layout, moving, rate))(*given)


def substituted(factors: Factors, rhs: Rows, layout: Layout) -> Rows:
    """`substitute` that keeps a batch last under jax.vmap. Nothing is differentiated by it."""
    return batch_last(lambda factors, rhs: substitute(factors, rhs, layout))(*jax.lax.stop_gradient((factors, rhs)))


class Factors(NamedTuple):
    """What the elimination of a matrix leaves: enough to solve for any right-hand side by substitution.

    Short layers are filled up, behind their last inner node, with nodes that repeat the value to their right.
    """

    lower: Array  # of the inner nodes: layer node row column batch
    inverse: Array  # of their pivots
    upper: Array
    back: Array  # from each layer's last node to the one before: layer row column batch
    ahead: Array  # from each layer's first node to the next
    joint: Array  # inverse pivots of [last node before, junction, first node behind]: layer row column batch
    end: Array  # the same of the last junction: [last node, junction, metal]


def factorise(
    matrix: Tridiagonal,
    layout: Layout,
    moving: Tridiagonal | None = None,
    rate: Inexact[Array, " batch"] | Inexact[Array, ""] | float = 0.0,
    dispersion: Inexact[Array, "junction batch"] | float = 0.0,
) -> Factors:
    """Eliminate matrix + rate * moving from left to right; it is never formed for all of the batch at once.

    moving: storage, which must not couple inner nodes to each other. dispersion: added to the last diagonal entry of
    each junction.
    """
    if moving is None:
        moving = jax.tree.map(lambda part: jnp.zeros_like(part[..., :1]), matrix)
    width, dtype = layout.width, jnp.result_type(*matrix, rate, dispersion)
    eye = jnp.eye(width)[..., None]
    lower = _of_layers(matrix.lower, layout, 0 * eye)
    diagonal = _of_layers(matrix.diagonal, layout, eye)
    stored = _of_layers(moving.diagonal, layout, 0 * eye)
    upper = _of_layers(matrix.upper, layout, -eye)
    back = jnp.stack([matrix.lower[b - 1] for _, b in layout.nodes])
    ahead = jnp.stack([matrix.upper[a] for a, _ in layout.nodes])
    joints, storing = (jnp.stack([_dense(part, j) for j in layout.junction]) for part in (matrix, moving))
    storing = storing.at[0, :width].set(0.0)  # nothing stands before the left contact
    joints = (joints + rate * storing).astype(dtype).at[:, 2 * width - 1, 2 * width - 1].add(dispersion)

    def node(carry, here):
        below, middle, above, amount = here
        inverse = _inverse(middle + rate * amount - _mm(below, carry))
        return _mm(inverse, above), inverse

    def layer(carry, here):
        coupling, joint, forth, size, *nodes = here
        joint = pivoted_inverse(joint.at[:width, :width].add(-_mm(coupling, carry)))
        _, inverse = jax.lax.scan(node, _mm(joint[-width:, -width:], forth), tuple(nodes))
        return _mm(inverse[size - 1], nodes[2][size - 1]), (joint, inverse)

    nothing = jnp.zeros((width, width, joints.shape[-1]), dtype)
    layers = (_shifted(back), joints[:-1], ahead, _inner(layout), lower, diagonal, upper, stored)
    carry, (joint, inverse) = jax.lax.scan(layer, nothing, layers)
    end = joints[-1].at[:width, :width].add(-_mm(back[-1], carry))
    return Factors(lower, inverse, upper, back, ahead, joint, pivoted_inverse(end))


def of_transposed(factors: Factors, layout: Layout) -> Factors:
    """Factors of the transposed matrix, for `backward`: its pivots are the transposed pivots."""

    def turned(a):
        return jnp.swapaxes(a, -3, -2)

    size = _inner(layout)[:, None]
    slot = jnp.arange(factors.lower.shape[1])[None]
    upper = jnp.concatenate([factors.lower[:, 1:], factors.lower[:, :1]], axis=1)  # the next node's coupling to this
    last, filling = (test[..., None, None, None] for test in (slot == size - 1, slot >= size))
    upper = jnp.where(last, factors.back[:, None], jnp.where(filling, factors.upper, upper))
    return Factors(
        lower=turned(factors.upper),
        inverse=turned(factors.inverse),
        upper=turned(upper),
        back=turned(factors.upper[jnp.arange(len(layout.sizes)), size[:, 0] - 1]),
        ahead=turned(factors.lower[:, 0]),
        joint=turned(factors.joint),
        end=turned(factors.end),
    )


class Partial(NamedTuple):
    """A right-hand side after the elimination: its nodes, joints and end stand as in Factors."""

    nodes: Array  # layer node row many batch
    joint: Array  # layer row many batch
    end: Array  # row many batch


def substitute(factors: Factors, rhs: Rows, layout: Layout) -> Rows:
    """Solve with a factorised matrix. Linear in rhs, also for differentiation."""
    return backward(factors, forward(factors, rhs, layout), layout)


def arranged(rhs: Rows, layout: Layout) -> Partial:
    """A right-hand side by layers: what the elimination makes of it if only the metal's rows are not zero."""
    nothing = jnp.zeros_like(rhs[:1])
    joint = [rhs[j - 1 : j + 2] if j else jnp.concatenate([nothing, rhs[:2]]) for j in layout.junction]
    joint = jnp.stack(joint).reshape(len(joint), 3 * layout.width, *rhs.shape[2:])
    return Partial(_of_layers(rhs, layout, nothing[0]), joint[:-1], joint[-1])


def forward(factors: Factors, rhs: Rows, layout: Layout) -> Partial:
    """Eliminate a right-hand side from left to right."""
    width, batch = layout.width, max(rhs.shape[-1], factors.end.shape[-1])
    dtype = jnp.result_type(rhs, factors.end)
    nodes, joint, end = arranged(jnp.broadcast_to(rhs, (*rhs.shape[:-1], batch)).astype(dtype), layout)

    def node(carry, here):
        below, inverse, row = here
        row = row - _mm(below, carry)
        return _mm(inverse, row), row

    def layer(carry, here):
        coupling, inverse, row, size, *inner = here
        row = row.at[:width].add(-_mm(coupling, carry))
        _, rows = jax.lax.scan(node, _mm(inverse[-width:], row), tuple(inner))
        return _mm(inner[1][size - 1], rows[size - 1]), (row, rows)

    layers = (_shifted(factors.back), factors.joint, joint, _inner(layout), factors.lower, factors.inverse, nodes)
    carry, (joint, nodes) = jax.lax.scan(layer, jnp.zeros((width, *end.shape[1:]), dtype), layers)
    return Partial(nodes, joint, end.at[:width].add(-_mm(factors.back[-1], carry)))


def backward(factors: Factors, partial: Partial, layout: Layout) -> Rows:
    """Find the unknowns from right to left."""
    width = layout.width

    def node(after, here):
        inverse, above, row = here
        x = _mm(inverse, row - _mm(above, after))
        return x, x

    def layer(after, here):
        joint, forth, row, *inner = here
        first, x = jax.lax.scan(node, after, tuple(inner), reverse=True)
        three = _mm(joint, row.at[-width:].add(-_mm(forth, first)))
        return three[:width], (three, x)

    end = _mm(factors.end, partial.end)
    layers = (factors.joint, factors.ahead, partial.joint, factors.inverse, factors.upper, partial.nodes)
    _, (joints, x) = jax.lax.scan(layer, end[:width], layers, reverse=True)
    joints = jnp.concatenate([joints, end[None]]).reshape(-1, width, *end.shape[1:])
    parts = [joints[1:3]]
    for g, size in enumerate(layout.sizes):
        parts += [x[g, : size - 2], joints[3 * g + 3 : 3 * g + 6]]
    return jnp.concatenate(parts)


def _inner(layout: Layout) -> Array:
    """How many inner nodes each layer has."""
    return jnp.asarray(layout.sizes) - 2


def _shifted(a: Array) -> Array:
    """Entries of the layer before; none is before the first."""
    return jnp.concatenate([jnp.zeros_like(a[:1]), a[:-1]])


def _of_layers(blocks: Array, layout: Layout, filling: Array) -> Array:
    """Blocks of the inner nodes by layer, short layers filled up."""
    longest = max(layout.sizes) - 2

    def filled(part):
        more = longest - part.shape[0]
        return jnp.concatenate([part, jnp.broadcast_to(filling, (more, *part.shape[1:]))]) if more else part

    return jnp.stack([filled(blocks[a + 1 : b - 1]) for a, b in layout.nodes])


def _dense(matrix: Tridiagonal, junction: int) -> Array:
    """The dense matrix of a junction and its two neighbours; before the left contact stands an identity."""
    shape = (*matrix.diagonal.shape[1:3], jnp.broadcast_shapes(*(part.shape[-1:] for part in matrix))[0])
    nothing, middle = jnp.zeros(shape), slice(junction - 1, junction + 2)
    lower, diagonal, upper = (
        [jnp.broadcast_to(block, shape) for block in (part[middle] if junction else (first, *part[:2]))]
        for part, first in zip(matrix, (nothing, jnp.eye(shape[0])[..., None], nothing), strict=True)
    )
    rows = [
        [diagonal[0], upper[0], nothing],
        [lower[1], diagonal[1], upper[1]],
        [nothing, lower[2], diagonal[2]],
    ]
    return jnp.concatenate([jnp.concatenate(row, axis=1) for row in rows])


def pivoted_inverse(a: Array) -> Array:
    """Dense inverse with partial pivoting after scaling rows and columns to order one (units differ by 20 decades).

    Elementwise in the batch rather than through LAPACK: batches of its small factorisations inside compiled loops have
    been seen to wait for each other forever on two cores (jaxlib 0.10.2). Gauss and Jordan in place; rows stay where
    they are and remember of which column they were the pivot.
    """
    size, order = a.shape[0], jnp.arange(a.shape[0])[:, None]
    columns = _order_one(jnp.max(_size(a), axis=0, keepdims=True))
    rows = _order_one(jnp.max(_size(a * columns), axis=1, keepdims=True))

    def exchange(p, carry):
        a, owner = carry
        column = jax.lax.dynamic_index_in_dim(a, p, axis=1, keepdims=False)
        chosen = order == jnp.argmax(jnp.where(owner < 0, _size(column), -1.0), axis=0)
        best = jnp.sum(jnp.where(chosen[:, None], a, 0.0), axis=0)
        scale = _reciprocal(jax.lax.dynamic_index_in_dim(best, p, axis=0, keepdims=False))
        row = jnp.where(order == p, scale, best * scale)
        rest = jnp.where(order == p, 0.0, a) - column[:, None] * row
        return jnp.where(chosen[:, None], row, rest), jnp.where(chosen, p, owner)

    nobody = jnp.full((size, a.shape[-1]), -1)
    a, owner = jax.lax.fori_loop(0, size, exchange, (a * columns * rows, nobody))
    back = (owner[None] == order[:, None]).astype(float)
    return _mm(back, _mm(a, back)) * jnp.swapaxes(columns, 0, 1) * jnp.swapaxes(rows, 0, 1)


def _size(x: Array) -> Array:
    """A norm that is cheap for complex numbers."""
    return jnp.abs(x.real) + jnp.abs(x.imag) if jnp.iscomplexobj(x) else jnp.abs(x)


def _order_one(size: Array) -> Array:
    return 1 / jnp.where(size > 0, size, 1.0)


def _inverse(a: Array) -> Array:
    """Inverse of small blocks with trailing batch axes, unrolled, without pivoting (Gauss and Jordan, in place)."""
    for p in range(a.shape[0]):
        scale = _reciprocal(a[p, p])
        row = (a[p] * scale).at[p].set(scale)
        a = (a.at[:, p].set(0) - a[:, p, None] * row).at[p].set(row)
    return a


def _reciprocal(x: Array) -> Array:
    """1/x; complex division is slow in compiled code, one real division is not."""
    if jnp.iscomplexobj(x):
        return jnp.conj(x) * (1 / (x.real**2 + x.imag**2))
    return 1 / x


def _mm(a: Array, b: Array) -> Array:
    """Small matrix product over the first two axes, elementwise in the rest.

    Not einsum: a batched product of small complex matrices is five times slower in compiled code.
    """
    return jnp.sum(a[:, :, None] * b[None], axis=1)
