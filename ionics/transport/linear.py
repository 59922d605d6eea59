"""Block-tridiagonal systems of a stack: coloured Jacobian, condensation of each layer onto its ends, solve.

Blocks stand in a row: junction 0, nodes of layer 0, junction 1, nodes of layer 1, ..., last junction, right metal. The
inner nodes of a layer with both ends held are a Dirichlet problem, which block elimination without pivoting solves
stably; all layers are eliminated side by side in one scan. What is left, a chain of small systems around each
junction, is solved with pivoting, so that a junction may state any law, constraints included.
The batch is always the last axis.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from ionics.transport.balance import State
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
        self.width = max(self.carriers, self.reactions, 1) + 1
        self.junction = [0]
        self.nodes = []
        for size in self.sizes:
            first = self.junction[-1] + 1
            self.nodes.append((first, first + size))
            self.junction.append(first + size)
        self.metal = self.junction[-1] + 1
        self.blocks = self.metal + 1
        self._node_index = np.concatenate([np.arange(a, b) for a, b in self.nodes])
        self._junction_index = np.asarray(self.junction)

    def flatten(self, state: State) -> Inexact[Array, "block row"]:
        """Carriers (or rates, or the current) first, potential (or displacement, or voltage) last in each block."""
        x = jnp.zeros((self.blocks, self.width), jnp.result_type(state.u, state.phi))
        x = x.at[self._node_index, : self.carriers].set(state.u.T)
        x = x.at[self._node_index, -1].set(state.phi)
        x = x.at[self._junction_index, : self.reactions].set(state.rate.T)
        x = x.at[self._junction_index, -1].set(state.displacement)
        return x.at[self.metal, 0].set(state.current).at[self.metal, -1].set(state.voltage)

    def unflatten(self, x: Inexact[Array, "block row"]) -> State:
        """The inverse of flatten; padding is dropped."""
        nodes, junctions, metal = x[self._node_index], x[self._junction_index], x[self.metal]
        return State(
            u=nodes[:, : self.carriers].T,
            phi=nodes[:, -1],
            rate=junctions[:, : self.reactions].T,
            displacement=junctions[:, -1],
            voltage=metal[-1],
            current=metal[0],
        )

    def padding(self) -> np.ndarray:
        """True where a slot holds no unknown."""
        pad = np.ones((self.blocks, self.width), bool)
        pad[self._node_index, : self.carriers] = False
        pad[self._junction_index, : self.reactions] = False
        pad[self.metal, 0] = False
        pad[:, -1] = False
        return pad


def jacobian(function, x: Inexact[Array, "block row"]) -> Tridiagonal:
    """The block-tridiagonal Jacobian of function: blocks -> blocks, in 3 x width directional derivatives.

    Blocks three apart share no row, so one derivative along all of them gives all their columns.
    """
    blocks, width = x.shape
    colour = jnp.arange(blocks) % 3
    _, derivative = jax.linearize(function, x)
    seeds = jnp.einsum("cb,sw->csbw", jax.nn.one_hot(colour, 3, axis=0), jnp.eye(width))
    columns = jax.vmap(jax.vmap(derivative))(seeds)  # colour, slot, block, row

    def couple(offset):
        source = (jnp.arange(blocks) + offset) % 3
        inside = (jnp.arange(blocks) + offset >= 0) & (jnp.arange(blocks) + offset < blocks)
        picked = columns[source, :, jnp.arange(blocks), :]  # block, slot, row
        return jnp.where(inside[:, None, None], picked, 0.0).transpose(0, 2, 1)[..., None]

    return Tridiagonal(couple(-1), couple(0), couple(1))


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


def solve(matrix: Tridiagonal, rhs: Rows, layout: Layout) -> Rows:
    """x with matrix @ x = rhs. A singular system gives infinities or NaN, never a wrong finite answer silently."""
    matrix, rhs = _same_batch(matrix, rhs)
    inner = _condense(matrix, rhs, layout)
    ends = _solve_ends(matrix, rhs, layout, inner)
    return _expand(layout, inner, ends)


class _Inner(NamedTuple):
    """Inner node i of a layer: x_i = y_i - W_i x_(i+1) - C_i x_first; and what is left for the layer's two ends."""

    w: Array  # node row column layer batch
    c: Array
    y: Array
    first_diagonal: Array  # added to the first node's own block, row column layer batch
    first_last: Array  # coupling of the first node to the last
    first_rhs: Array
    last_diagonal: Array
    last_first: Array
    last_rhs: Array


def _condense(matrix: Tridiagonal, rhs: Rows, layout: Layout) -> _Inner:
    """Eliminate the inner nodes of all layers side by side; shorter layers wait at the end, masked."""
    firsts = np.asarray([a for a, _ in layout.nodes])
    lasts = np.asarray([b - 1 for _, b in layout.nodes])
    length = max(layout.sizes) - 2
    index = np.minimum(firsts[None] + 1 + np.arange(length)[:, None], lasts[None] - 1)
    real = jnp.asarray(np.arange(length)[:, None] < (lasts - firsts - 1)[None])

    def take(block, at):  # -> (..., row, column, layer, batch)
        return jnp.moveaxis(block[at], -4 if block[at].ndim == 5 else 0, -2)

    width, many = rhs.shape[1], rhs.shape[2]
    dtype = jnp.result_type(matrix.diagonal, rhs)
    tail = (len(firsts), rhs.shape[-1])
    zero = jnp.zeros((width, width, *tail), dtype)
    eye = jnp.broadcast_to(jnp.eye(width, dtype=dtype)[:, :, None, None], zero.shape)
    start = (
        zero,
        -eye,
        jnp.zeros((width, many, *tail), dtype),
        take(matrix.upper, firsts).astype(dtype),
        zero,
        jnp.zeros((width, many, *tail), dtype),
    )

    def step(carry, node):
        w, c, y, f, diagonal, right = carry
        lower, middle, upper, b, here = node
        carried = _mm(lower, jnp.concatenate([w, c, y], axis=1))
        pivot = middle - carried[:, :width]
        columns = jnp.concatenate([upper, -carried[:, width : 2 * width], b - carried[:, 2 * width :]], axis=1)
        solved = _gauss(pivot, columns)
        w1, c1, y1 = solved[:, :width], solved[:, width : 2 * width], solved[:, 2 * width :]
        reach = _mm(f, solved)
        new = (
            w1,
            c1,
            y1,
            -reach[:, :width],
            diagonal - reach[:, width : 2 * width],
            right - reach[:, 2 * width :],
        )
        return jax.tree.map(lambda a, o: jnp.where(here[:, None], a, o), new, carry), new[:3]

    nodes = (
        take(matrix.lower, index),
        take(matrix.diagonal, index),
        take(matrix.upper, index),
        take(rhs, index),
        real,
    )
    (w, c, y, f, diagonal, right), (ws, cs, ys) = jax.lax.scan(step, start, nodes)
    reach = take(matrix.lower, lasts)
    return _Inner(ws, cs, ys, diagonal, f, right, -_mm(reach, w), -_mm(reach, c), -_mm(reach, y))


def _solve_ends(matrix: Tridiagonal, rhs: Rows, layout: Layout, inner: _Inner) -> list[Array]:
    """Solve the chain of small systems [last node before, junction, first node after or metal], with pivoting.

    Held at its right end each leading part is well posed, so the chain needs no pivoting between its systems.
    """
    width = layout.width
    first, last = slice(0, width), slice(-width, None)
    solved: list[tuple[Array, Array]] = []
    for g, junction in enumerate(layout.junction):
        blocks = range(junction - 1 if g else junction, junction + 2)
        a, b = _assemble(matrix, rhs, blocks)
        after = g < len(layout.sizes)
        if g:
            w, y = solved[-1]
            coupling = inner.last_first[:, :, g - 1]
            a = a.at[first, first].add(inner.last_diagonal[:, :, g - 1] - _mm(coupling, w[last]))
            b = b.at[first].add(inner.last_rhs[:, :, g - 1] - _mm(coupling, y[last]))
        ahead = jnp.zeros((a.shape[0], width, a.shape[-1]), a.dtype)
        if after:
            a = a.at[last, last].add(inner.first_diagonal[:, :, g])
            b = b.at[last].add(inner.first_rhs[:, :, g])
            ahead = ahead.at[last].set(inner.first_last[:, :, g])
        both = _pivoted(a, jnp.concatenate([ahead, b], axis=1))
        solved.append((both[:, :width], both[:, width:]))
    x = [solved[-1][1]]
    for w, y in reversed(solved[:-1]):
        x.insert(0, y - _mm(w, x[0][first]))
    return x


def _expand(layout: Layout, inner: _Inner, ends: list[Array]) -> Rows:
    """Back to all blocks: inner nodes from their ends."""
    width = layout.width
    firsts = jnp.stack([ends[g][-width:] for g in range(len(layout.sizes))], axis=2)
    lasts = jnp.stack([ends[g + 1][:width] for g in range(len(layout.sizes))], axis=2)
    real = jnp.asarray(np.arange(inner.w.shape[0])[:, None] < np.asarray(layout.sizes)[None] - 2)

    def step(after, node):
        w, c, y, here = node
        x = y - _mm(w, after) - _mm(c, firsts)
        return jnp.where(here[:, None], x, after), x

    _, x = jax.lax.scan(step, lasts, (inner.w, inner.c, inner.y, real), reverse=True)
    parts = []
    for g, end in enumerate(ends):
        parts.append(end.reshape(-1, width, *end.shape[1:]))
        if g < len(layout.sizes):
            parts.append(x[: layout.sizes[g] - 2, :, :, g])
    return jnp.concatenate(parts)


def _assemble(matrix: Tridiagonal, rhs: Rows, blocks: range) -> tuple[Array, Array]:
    """The dense system of neighbouring blocks."""
    width, size = rhs.shape[1], len(blocks)
    dtype = jnp.result_type(matrix.diagonal, rhs)
    a = jnp.zeros((size * width, size * width, rhs.shape[-1]), dtype)
    for i, block in enumerate(blocks):
        for offset, part in ((-1, matrix.lower), (0, matrix.diagonal), (1, matrix.upper)):
            if 0 <= i + offset < size:
                row, column = i * width, (i + offset) * width
                a = a.at[row : row + width, column : column + width].set(part[block])
    return a, rhs[blocks.start : blocks.stop].reshape(size * width, *rhs.shape[2:]).astype(dtype)


def _pivoted(a: Array, b: Array) -> Array:
    """Dense solve with partial pivoting after scaling rows and columns to order one (units differ by 20 decades).

    Elementwise in the batch rather than through LAPACK: batches of its small factorisations inside compiled loops have
    been seen to wait for each other forever on two cores (jaxlib 0.10.2).
    """
    size = a.shape[0]
    columns = jnp.max(jnp.abs(a), axis=0)
    columns = jnp.where(columns > 0, columns, 1.0)
    a = a / columns
    rows = jnp.max(jnp.abs(a), axis=1, keepdims=True)
    rows = jnp.where(rows > 0, rows, 1.0)
    order = jnp.arange(size)[:, None]

    def eliminate(p, joined):
        column = jax.lax.dynamic_index_in_dim(joined, p, axis=1, keepdims=False)
        chosen = order == jnp.argmax(jnp.where(order >= p, jnp.abs(column), -1.0), axis=0)
        here = order == p
        best = jnp.sum(jnp.where(chosen[:, None], joined, 0.0), axis=0)
        displaced = jax.lax.dynamic_index_in_dim(joined, p, axis=0, keepdims=False)
        joined = jnp.where(chosen[:, None], displaced, joined)
        row = best * _reciprocal(jax.lax.dynamic_index_in_dim(best, p, axis=0, keepdims=False))
        column = jax.lax.dynamic_index_in_dim(joined, p, axis=1)
        return jnp.where(here[:, None], row, joined - column * row)

    joined = jax.lax.fori_loop(0, size, eliminate, jnp.concatenate([a, b], axis=1) / rows)
    return joined[:, size:] / columns[:, None]


def _gauss(a: Array, b: Array) -> Array:
    """a^-1 b for small blocks with trailing batch axes, unrolled, without pivoting."""
    width = a.shape[0]
    joined = jnp.concatenate([a, b], axis=1)
    for p in range(width):
        pivot = joined[p, p]
        row = joined[p, p:] * _reciprocal(pivot)
        rest = joined[:, p:] - joined[:, p : p + 1] * row[None]
        joined = joined.at[:, p:].set(rest.at[p].set(row))
    return joined[:, width:]


def _reciprocal(x: Array) -> Array:
    """1/x; complex division is slow in compiled code, one real division is not."""
    if jnp.iscomplexobj(x):
        return jnp.conj(x) * (1 / (x.real**2 + x.imag**2))
    return 1 / x


def _mm(a: Array, b: Array) -> Array:
    """Small matrix product over the first two axes, elementwise in the rest."""
    total = a[:, 0, None] * b[None, 0]
    for j in range(1, a.shape[1]):
        total = total + a[:, j, None] * b[None, j]
    return total


def _same_batch(matrix: Tridiagonal, rhs: Rows) -> tuple[Tridiagonal, Rows]:
    batch = max(matrix.diagonal.shape[-1], rhs.shape[-1])

    def widen(a):
        return jnp.broadcast_to(a, (*a.shape[:-1], batch))

    return Tridiagonal(*map(widen, matrix)), widen(rhs)
