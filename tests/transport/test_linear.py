"""The block-tridiagonal solver against dense algebra, and derivatives through Newton and the impedance."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.kinetics.compact import Capacitance, ConstantPhase
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport import impedance as spectra
from ionics.transport.balance import Current, State, outflow, storage
from ionics.transport.batches import in_turns
from ionics.transport.chains import multiplied_out
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.linear import (
    Layout,
    Tridiagonal,
    factorise,
    jacobian,
    multiply,
    pivoted_inverse,
    solve,
    substitute,
    with_identity,
)
from ionics.transport.stack import Junction, transfer
from tests.cells import ANION, CATION, LITHIUM, lattice, salt, stack, symmetric_cell, uniform

FREQUENCY = jnp.array([3e4, 1e6])  # where resistance and reactance are of one size


def one_layer():
    """Width 2: one carrier, reactions with a law and a compact layer at both ends."""
    return symmetric_cell(lattice(100.0, 0.3), 1e-7, 3.0, 0.1, nodes=9)


def two_layers():
    """Width 3: a constraint and a finite rate at one junction, unequal layers, a constant-phase element."""
    law = ButlerVolmer(Constant(1.0), 0.5)
    return stack(
        [CATION, ANION],
        [uniform(salt(1.0), 4e-8, 5, "one"), uniform(salt(3.0, 1e-13, 30.0), 1e-8, 9, "two")],
        [
            Junction("left contact"),
            Junction("one | two", (transfer("C+"), transfer("A-", law)), Capacitance(1.0)),
            Junction("right contact", (), ConstantPhase(1e-2, 0.8)),
        ],
    )


def three_layers():
    """Width 4: three species of which no layer has all, three reactions at one contact, the shortest layer allowed."""
    return stack(
        [CATION, ANION, LITHIUM],
        [
            uniform(salt(1.0), 4e-8, 4, "one"),
            uniform(salt(0.5, 1e-13, 30.0), 1e-8, 3, "two"),
            uniform(lattice(100.0, 0.3), 2e-8, 6, "three"),
        ],
        [
            Junction("left contact"),
            Junction("one | two", (transfer("C+"), transfer("A-"))),
            Junction("two | three"),
            Junction("right contact", tuple(transfer("Li+", ButlerVolmer(Constant(i), 0.5)) for i in (1.0, 2.0, 3.0))),
        ],
    )


STACKS = (one_layer, two_layers, three_layers)


class System:
    """A stack's rows and storage as functions of the blocks, their matrices, and a state off equilibrium."""

    def __init__(self, cell):
        self.layout = layout = Layout(cell)
        random = np.random.default_rng(1)
        nodes, junctions = sum(layout.sizes), len(cell.junctions)
        self.state = State(
            jnp.asarray(0.3 * random.standard_normal((layout.carriers, nodes)) - 1),
            jnp.asarray(0.02 * random.standard_normal(nodes)),
            jnp.asarray(1e-6 * random.standard_normal((layout.reactions, junctions))),
            jnp.zeros((layout.slots, junctions)),
            jnp.asarray(1e-3 * random.standard_normal(junctions)),
            jnp.asarray(0.1),
            jnp.asarray(2.0),
        )
        self.x = layout.flatten(self.state)

        def rows(x):
            state = layout.unflatten(x)
            return layout.flatten(outflow(cell, state, Current(0.0))), layout.flatten(storage(cell, state))

        parts = [lambda x: rows(x)[0], lambda x: rows(x)[1]]
        both = jax.jit(lambda x: ([jacobian(part, x) for part in parts], jax.jacfwd(rows)(x)))
        (self.still, self.moving), self.full = both(self.x)
        self.still = with_identity(self.still, layout.padding())

    def matrix(self, rate):
        """The rows' matrix plus rate times the storage's."""
        return Tridiagonal(*(a + rate * b for a, b in zip(self.still, self.moving, strict=True)))


@functools.cache
def system(make) -> System:
    return System(make())


def dense(matrix: Tridiagonal, k: int = 0) -> np.ndarray:
    """The whole matrix of one member of the batch."""
    lower, diagonal, upper = (np.asarray(part[..., min(k, part.shape[-1] - 1)]) for part in matrix)
    blocks, width = diagonal.shape[:2]
    full = np.zeros((blocks, width, blocks, width), diagonal.dtype)
    for b in range(blocks):
        full[b, :, b] = diagonal[b]
        if b:
            full[b, :, b - 1], full[b - 1, :, b] = lower[b], upper[b - 1]
    return full.reshape(blocks * width, -1)


def scaled_solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dense solve after the scaling without which rows of mol and of volt cannot be compared."""
    columns = np.abs(a).max(axis=0)
    rows = np.abs(a / columns).max(axis=1)
    return np.linalg.solve(a / columns / rows[:, None], b / rows[:, None]) / columns[:, None]


@pytest.mark.parametrize("make", STACKS)
def test_flatten_and_unflatten(make):
    layout, state, x = system(make).layout, system(make).state, system(make).x
    assert x.shape == (layout.blocks, layout.width)
    for name, value in vars(layout.unflatten(x)).items():
        np.testing.assert_array_equal(value, getattr(state, name), err_msg=name)
    mark = layout.flatten(jax.tree.map(jnp.ones_like, state))
    np.testing.assert_array_equal(mark == 0, layout.padding())
    assert layout.of_nodes().sum() == sum(layout.sizes)


@pytest.mark.parametrize("make", STACKS)
def test_coloured_jacobian_is_the_dense_one(make):
    own = system(make)
    eye = np.diag(own.layout.padding().ravel().astype(float))
    for matrix, full, extra in ((own.still, own.full[0], eye), (own.moving, own.full[1], 0 * eye)):
        full = np.asarray(full).reshape(own.x.size, -1) + extra
        np.testing.assert_allclose(dense(matrix), full, rtol=1e-12, atol=1e-13 * np.abs(full).max())


@functools.partial(jax.jit, static_argnums=2)
def solved(matrix, rhs, make):
    return solve(matrix, rhs, system(make).layout)


@pytest.mark.parametrize("make", STACKS)
@pytest.mark.parametrize("unit", [1.0, 1j], ids=["real", "complex"])
def test_solve_is_the_dense_solve(make, unit):
    """Three right-hand sides; a batch of two matrices that have little in common."""
    own = system(make)
    matrix = own.matrix(unit * jnp.array([1e2, 1e6]))
    size = np.abs(own.x)[:, :, None, None]
    wanted = np.random.default_rng(2).standard_normal((*own.x.shape, 3, 2)) * size
    rhs = multiply(matrix, jnp.asarray(wanted).astype(matrix.diagonal.dtype))
    answer = solved(matrix, rhs, make)
    for k in range(2):
        reference = scaled_solve(dense(matrix, k), np.asarray(rhs[..., k]).reshape(-1, 3)).reshape(*own.x.shape, 3)
        slot = np.maximum(np.abs(reference).max(axis=(0, 2), keepdims=True), 1e-300)
        assert np.max(np.abs(answer[..., k] - reference) / slot) < 1e-8


def test_storage_and_dispersion_enter_as_if_they_stood_in_the_matrix():
    own = system(two_layers)
    rate, dispersion = jnp.array([1e2j, 1e6j]), jnp.array([[1.0, 2.0], [-3.0, 4j], [5.0, -6.0]])
    matrix = own.matrix(rate)
    diagonal = matrix.diagonal.at[jnp.asarray(own.layout.junction), -1, -1].add(dispersion)
    rhs = jnp.ones((*own.x.shape, 1, 2), complex)
    wanted = solved(matrix._replace(diagonal=diagonal), rhs, two_layers)
    factors = jax.jit(lambda: factorise(own.still, own.layout, own.moving, rate, dispersion))()
    np.testing.assert_allclose(substitute(factors, rhs, own.layout) / wanted, 1.0, rtol=1e-9)


def test_couplings_may_be_shared_by_the_batch_or_the_only_thing_that_differs():
    own = system(two_layers)
    matrix, both = own.matrix(1e4), jnp.array([1.0, 0.5])
    rhs = jnp.ones((*own.x.shape, 3, 2))
    for part in ("diagonal", "upper"):
        shared = matrix._replace(**{part: getattr(matrix, part) * both})
        spread = Tridiagonal(*(jnp.broadcast_to(a, (*a.shape[:-1], 2)) for a in shared))
        np.testing.assert_allclose(solved(shared, rhs, two_layers), solved(spread, rhs, two_layers), rtol=1e-9)


@pytest.mark.parametrize("unit", [1.0, 1 - 2j], ids=["real", "complex"])
def test_pivoted_inverse_meets_zeros_on_the_diagonal_and_all_scales(unit):
    """And a singular matrix has an inverse that is not finite."""
    shuffled = np.random.default_rng(5).standard_normal((6, 6, 2))
    np.fill_diagonal(shuffled[..., 0], 0.0)
    a = jnp.asarray(unit * shuffled * np.geomspace(1e-15, 1e5, 6)[:, None, None] * np.geomspace(1e9, 1e-9, 6)[:, None])
    found = pivoted_inverse(a)
    for k in range(2):
        wanted = scaled_solve(np.asarray(a[..., k]), np.eye(6))
        np.testing.assert_allclose(found[..., k] / wanted, 1.0, rtol=1e-10)
    assert not np.all(np.isfinite(pivoted_inverse(a.at[2].set(0.0))))


def test_a_layer_of_two_nodes_is_refused():
    cell = stack([CATION, ANION], [uniform(salt(1.0), 1e-8, 2)], [Junction("left"), Junction("right")])
    with pytest.raises(ValueError, match="three nodes"):
        Layout(cell)


# Derivatives and batches: one compiled question of four numbers serves the tests below.

BASE = stack(
    [CATION, ANION],
    [uniform(salt(1.0, fixed=0.3, anion=1.3), 2e-9, 6)],
    [Junction("left contact", (), Capacitance(0.2)), Junction("right contact")],
)


def leaves(cell):
    """A temperature, an amount, a thickness, a diffusivity: each enters at another place."""
    layer = cell.layers[0]
    return cell.temperature, layer.material.fixed_charge, layer.thickness, layer.material.carriers[0].diffusivity.value


START = jnp.stack(leaves(BASE))


@jax.jit
def question(factor):
    """Equilibrium at 50 mV and impedance of the stack whose four numbers are multiplied by factors."""
    cell = eqx.tree_at(leaves, BASE, tuple(factor * START))
    solution = equilibrium(cell, voltage=0.05, throw=False)
    answer = impedance(cell, solution, FREQUENCY)
    shares = 1e4 * answer.parts[1]
    return jnp.concatenate([40 * solution.state.phi, 1e4 * answer.z.real, 1e4 * answer.z.imag, shares.real])


def test_derivatives_are_those_of_central_differences_in_both_modes():
    one, step = jnp.ones(4), 1e-4
    differences = [(question(one + step * e) - question(one - step * e)) / (2 * step) for e in jnp.eye(4)]
    scale = np.abs(question(one)) + 1e-3
    along = jax.jit(lambda direction: jax.jvp(question, (one,), (direction,))[1])
    forward = np.stack([along(e) for e in jnp.eye(4)], axis=1) / scale[:, None]
    np.testing.assert_allclose(forward, np.stack(differences, axis=1) / scale[:, None], atol=1e-6)
    weights = np.random.default_rng(4).standard_normal(scale.size) / scale
    backward = jax.jit(jax.grad(lambda factor: weights @ question(factor)))(one)
    np.testing.assert_allclose(backward, (weights * scale) @ forward, rtol=1e-9)
    assert np.all(np.abs(forward).max(axis=0) > 1e-3)  # every number matters


@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_batch_worked_off_in_turns_is_the_batch(count):
    x, y = jnp.linspace(0.1, 2.0, count), jnp.asarray(3.0)

    def function(x, name, y):
        return {"sum": x + y, "more": jnp.stack([jnp.sin(x) * y, x])} if name == "both" else None

    turns = in_turns(function, 3)
    found = eqx.filter_vmap(turns, in_axes=(0, None, None))(x, "both", y)
    expected = eqx.filter_vmap(function, in_axes=(0, None, None))(x, "both", y)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    slope = jax.vmap(jax.grad(lambda x: turns(x, "both", y)["more"][0]))(x)
    np.testing.assert_allclose(slope, y * jnp.cos(x), rtol=1e-15)


def test_a_linear_function_with_its_products_multiplied_out_is_the_same():
    a, b = jnp.asarray([0.3, -2.0, 5.0, 0.0]), jnp.asarray([1.0, 2.0, -3.0, 4.0])

    def function(x, y):
        steep = jnp.where(a > 0, jnp.exp(x[:4]) / b, -x[1:] * y)
        both = jnp.concatenate([jnp.diff(steep, prepend=y), steep[::-1]])
        return both.reshape(2, 4).T * b[:, None], jnp.cumsum(a * steep), jax.jit(lambda s: -(s - y) * 2)(steep)

    primals = jnp.asarray([0.1, 0.5, -0.4, 0.2, 1.5]), jnp.asarray(0.7)
    _, slope = jax.linearize(function, *primals)
    along = jnp.asarray([1.0, -0.3, 0.2, 2.0, 0.4]), jnp.asarray(-1.1)
    found = multiplied_out(slope, *along)(*along)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), found, slope(*along))


def test_a_batch_is_a_loop():
    many = 1 + 0.1 * jnp.asarray(np.random.default_rng(3).uniform(-1, 1, (3, 4)))
    np.testing.assert_allclose(
        jax.vmap(question)(many), jnp.stack([question(one) for one in many]), rtol=1e-8, atol=1e-10
    )


def test_frequencies_in_several_turns_are_those_in_one(monkeypatch):
    solution = equilibrium(BASE, voltage=0.05)
    frequency = jnp.geomspace(1.0, 1e5, 5)
    question = jax.jit(lambda turns: spectra._alone(BASE, solution.state, frequency), static_argnums=0)
    z, parts, *_ = question(1)
    monkeypatch.setattr(spectra, "CACHED", 5 * 9 * 9 // 2)
    several = question(3)
    np.testing.assert_allclose(several[0], z, rtol=1e-9)
    np.testing.assert_allclose(several[1], parts, rtol=1e-7, atol=1e-9 * np.abs(z).max())
