"""Particles that separate into phases: A22 and what follows from it in a piece, in a cell, and among several pieces."""

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from ionics.cells import linear
from ionics.cells.balance import at_rest, flatten, mass, rows, unflatten
from ionics.cells.cell import Cell, Electrode, Metal, Particle, Surface
from ionics.cells.phase_field import FEWEST, STEPS, PhaseField, even
from ionics.cells.simulate import simulate, states
from ionics.constants import FARADAY, GAS
from ionics.kinetics.compact import Capacitance, NoCompactLayer
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage
from ionics.transport.flux import Chemical, Hopping, Vehicle
from ionics.transport.protocol import Cutoff, Step
from ionics.transport.stack import Carrier, Species
from ionics.transport.statistics import Lattice, RegularSolution

T = 298.15
SITES, GRADIENT, STRENGTH = 22800.0, 3e-10, 3.0  # of A22
OWN = RegularSolution(STRENGTH * GAS * T)
LOW = float(OWN.binodal(T))
TENSION, WIDTH = (float(found) for found in OWN.phase_boundary(SITES, GRADIENT, T))
PLATEAU = 3.4  # V, of the common tangent
DIFFUSIVITY = 1e-15  # m2 s-1


def particle(radii, dimension=3, nodes=41, mobility=None, gradient=GRADIENT, exchange=10.0, capacitance=None):
    carrier = Carrier(Species("Li", 0), OWN, SITES, 0.5, Constant(DIFFUSIVITY), Constant(-PLATEAU * FARADAY))
    carrier = dataclasses.replace(carrier, mobility=Hopping() if mobility is None else mobility)
    compact = NoCompactLayer() if capacitance is None else Capacitance(capacitance)
    surface = Surface(ButlerVolmer(Constant(exchange), 0.5, True), compact=compact)
    inside = PhaseField(dimension, jnp.full(nodes - 1, 1 / (nodes - 1)), gradient)
    return Particle("particles", carrier, inside, surface, radii, jnp.full(len(radii), 1e-6 / len(radii)))


def cell(member, depth=1):
    lithium = Metal("lithium", Surface(ButlerVolmer(Constant(1e3), 0.5)))
    spacing = jnp.full(depth - 1, 1 / (depth - 1)) if depth > 1 else ()
    porous = Electrode("porous", (member,), 60e-6, Constant(1e-3), Constant(2.0), spacing)
    return Cell(Electrode("metal", (lithium,)), (), porous, T)


def free_energy(inside, w, size):
    """Per site, in RT; w has the nodes first. Stated here once more, as a sum over nodes and steps."""
    r = np.linspace(0, 1, len(w))
    edges = np.concatenate([[0.0], 0.5 * (r[1:] + r[:-1]), [1.0]])
    shares = np.diff(edges**inside.dimension)
    faces = inside.dimension * edges[1:-1] ** (inside.dimension - 1) / np.diff(r)
    mixing = w * jnp.log(w) + (1 - w) * jnp.log1p(-w) + STRENGTH * w * (1 - w)
    steep = inside.gradient_energy / (SITES * GAS * T * size**2)
    return jnp.tensordot(shares, mixing, 1) + 0.5 * steep * jnp.tensordot(faces, jnp.diff(w, axis=0) ** 2, 1)


@eqx.filter_jit
def _relaxed(inside, w, spreading, length):
    closed = jnp.zeros(w.shape[1:])
    factors, _ = inside.eliminated(inside.slopes(w, closed, spreading), 1 / length)
    return w + inside.substituted(factors, inside.growth(w, closed, spreading), None)


def equilibrium(member, low, high, place):
    """Profile of a closed piece that began with a boundary at a share of its radius."""
    spreading = member.spreading(jnp.asarray(T))
    ramp = (member.inside.positions - place) * float(member.radius[0]) / WIDTH
    w = (low + (high - low) * jax.nn.sigmoid(4 * ramp))[:, None, None]
    for length in np.geomspace(1e-7, 1e8, 61):  # s; from a millionth of the time of diffusion over a width
        w = _relaxed(member.inside, w, spreading, length)
    return w, spreading


# a piece


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("mobility", [Hopping(), Vehicle()], ids=["hopping", "vehicle"])
def test_the_potential_is_the_derivative_of_the_free_energy_which_a_closed_piece_only_loses(dimension, mobility):
    member = particle([20e-9], dimension, 30, mobility)
    spreading, inside = member.spreading(jnp.asarray(T)), member.inside
    w = jnp.asarray(np.random.default_rng(dimension).uniform(0.02, 0.98, (30, 1, 1)))
    slope = jax.grad(lambda w: free_energy(inside, w, 20e-9)[0, 0])(w)
    potential = inside.potential(w, spreading)
    # 50: what steps of up to one cost at this mesh, in RT
    np.testing.assert_allclose(slope / inside.shares, potential, rtol=0, atol=50 * 1e-13)
    growth = inside.growth(w, jnp.zeros((1, 1)), spreading)
    assert float(jnp.sum(slope * growth)) < 0
    pace = float(jnp.max(jnp.abs(growth)))
    assert abs(float(inside.mean(growth)[0, 0])) < 1e-14 * pace
    fed = inside.growth(w, jnp.full((1, 1), 1e-7), spreading)
    assert float(inside.mean(fed)[0, 0]) == pytest.approx(dimension * 1e-7 / (SITES * 20e-9), abs=1e-14 * pace)
    surface, curvature = inside.seen(w, spreading)
    chemical = member.filling(surface, jnp.asarray(T)).chemical
    np.testing.assert_allclose(chemical + curvature, potential[-1], rtol=0, atol=50 * 1e-13)


@pytest.fixture(scope="module")
def slabs():
    """Two phases in a film of ten widths, on three meshes."""
    found = []
    for nodes in (40, 80, 160):  # even: the boundary lies in the middle between two nodes
        member = particle([40e-9], 1, nodes)
        found.append((member, equilibrium(member, LOW + 0.02, 1 - LOW - 0.02, 0.5)[0][:, 0, 0]))
    return found


def test_a_slab_separates_into_the_phases_of_the_common_tangent(reference, slabs):
    """A22; the boundary is 20 decay lengths from both ends."""
    low = reference["A22"]["reference"]["x_binodal"]
    for member, w in slabs:
        np.testing.assert_allclose([w[0], w[-1]], [low, 1 - low], atol=1e-7)
        level = member.inside.potential(w[:, None, None], member.spreading(jnp.asarray(T)))
        assert float(jnp.max(jnp.abs(level))) < 1e-9


def test_energy_and_width_of_the_boundary_converge_with_the_square_of_the_step(reference, slabs):
    """A22. Of the finest mesh, 16 steps over the width, 1e-3 of the energy and of the width."""
    expected, errors = reference["A22"]["reference"], []
    for member, w in slabs:
        rest = float(jnp.sum(OWN.filling(OWN.unknown(jnp.asarray(LOW)), T).chemical)) * 0.5  # zero: symmetric
        bulk = LOW * np.log(LOW) + (1 - LOW) * np.log1p(-LOW) + STRENGTH * LOW * (1 - LOW)
        excess = float(free_energy(member.inside, w, 40e-9)) - bulk - rest
        energy = excess * SITES * GAS * T * 40e-9
        steepest = float(jnp.max(jnp.diff(w))) * (len(w) - 1) / 40e-9
        width = (1 - 2 * LOW) / steepest
        errors.append([energy / expected["interface_energy_J_m2"] - 1, width / expected["width_m"] - 1])
    errors = np.abs(errors)
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]) / np.log2([[79 / 39], [159 / 79]]), 2.0, atol=0.1)
    assert np.all(errors[-1] < 1e-3)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_tension_of_the_boundary_shifts_the_potential_of_a_core(dimension):
    """Gibbs and Thomson: mu = -+ (dimension - 1) gamma / (r c_s (1 - 2 low)), for a poor and a rich core.

    r is that of the boundary that holds the same lithium. The next term is of the order of (width / r)^2 = 0.6 %.
    """
    member = particle([60e-9], dimension, 121)
    for core, shell in ((LOW, 1 - LOW), (1 - LOW, LOW)):
        w, spreading = equilibrium(member, core, shell, 0.9)
        level = np.asarray(member.inside.potential(w, spreading))[:, 0, 0]
        assert np.ptp(level) < 1e-9
        share = (float(member.inside.mean(w)[0, 0]) - shell) / (core - shell)
        r = 60e-9 * share ** (1 / dimension)
        shift = (dimension - 1) * TENSION / (r * SITES * (shell - core) * GAS * T)
        assert level[0] == pytest.approx(-shift, rel=0.01)


def test_steps_are_counted_over_the_width_of_the_boundary():
    carrier = particle([1e-7]).carrier
    assert len(even(1e-7, carrier, GRADIENT, T)) == int(np.ceil(STEPS * 1e-7 / WIDTH))
    assert len(even(1e-9, carrier, GRADIENT, T)) == FEWEST
    mixed = dataclasses.replace(carrier, statistics=RegularSolution(GAS * T))
    assert len(even(1e-7, mixed, GRADIENT, T)) == FEWEST
    assert len(even(1e-7, dataclasses.replace(carrier, statistics=Lattice()), GRADIENT, T)) == FEWEST


def test_diffusion_down_a_concentration_knows_no_phases():
    member = particle([1e-7], mobility=Chemical())
    w = member.inside.uniform(jnp.full((1, 1), 0.5))
    with pytest.raises(ValueError, match="needs the mobility 'hopping' or 'vehicle', not 'chemical'"):
        member.inside.growth(w, jnp.zeros((1, 1)), member.spreading(jnp.asarray(T)))


# a cell, linearised


def uniform(one, theta):
    """At an occupancy that need not last."""
    member, state = one.positive.members[0], at_rest(one, {"particles": theta})
    size = jnp.full(state.positive.filling[0].shape[1:], theta)
    return eqx.tree_at(lambda s: s.positive.filling[0], state, member.inside.uniform(size))


def disturbed(one, seed):
    """A state that is no equilibrium of anything."""
    x = flatten(at_rest(one, {"particles": 0.4}))
    x = x + 1e-2 * jnp.asarray(np.random.default_rng(seed).normal(size=x.shape))
    return x.at[-2].set(1.0)


@pytest.mark.parametrize(("dimension", "drive"), [(1, Voltage(3.3)), (3, Current(1.0))])
def test_parts_solved_one_after_another_give_what_the_dense_matrix_gives(dimension, drive):
    one = cell(particle([20e-9, 35e-9], dimension, 12, capacitance=0.1), 3)
    x, held = disturbed(one, dimension), drive.terminal()
    weights = np.asarray(flatten(mass(one, unflatten(one, x))))
    rhs = np.random.default_rng(7).normal(size=x.shape)
    slope = np.asarray(jax.jit(jax.jacfwd(lambda x: flatten(rows(one, unflatten(one, x), held))))(x))

    @jax.jit
    def solved(rate):
        factors = linear.factorise(one, linear.linearise(one, unflatten(one, x), held), rate)
        return flatten(linear.solve(one, factors, unflatten(one, jnp.asarray(rhs) + 0 * rate)))

    for rate in (0.3, 30.0, 1e6, 2j):
        expected = np.linalg.solve(np.diag(weights) * rate - slope, rhs)
        # 1e-11: rounding of a matrix whose condition number is 1e7 to 1e9, and no pivoting between blocks
        np.testing.assert_allclose(solved(rate), expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("drive", "depth"), [(Voltage, 1), (Current, 3), pytest.param(Current, 1, marks=pytest.mark.slow)]
)
def test_pivots_count_what_grows_faster_than_a_rate(drive, depth):
    """Against eigenvalues of the dense matrix. States from stable to where all can fill at the cost of all others."""
    one = cell(particle([3e-9, 4e-9, 40e-9], 3, 16), depth)
    held = drive(1.0 if drive is Current else PLATEAU).terminal()

    @jax.jit
    def dense(x):
        return jax.jacfwd(lambda x: flatten(rows(one, unflatten(one, x), held)))(x)

    @jax.jit
    @partial(jax.vmap, in_axes=(None, 0))
    def counted(x, rate):
        return linear.growing(one, linear.factorise(one, linear.linearise(one, unflatten(one, x), held), rate))

    most = 0
    for theta in (0.05, 0.25, 0.5, 0.9):
        x = flatten(uniform(one, theta))
        weights = np.asarray(flatten(mass(one, unflatten(one, x))))
        values = scipy.linalg.eigvals(np.asarray(dense(x)), np.diag(weights))
        growth = values.real[np.isfinite(values) & (np.abs(values) < 1e12)]  # the laws have none
        rates = np.geomspace(1e-3, 1e4, 36)
        expected = np.sum(growth > rates[:, None], axis=1)
        np.testing.assert_array_equal(counted(x, jnp.asarray(rates)), expected)
        most = max(most, expected.max())
    assert most >= 4


# a cell in time


def passed(one, hours, charge=False, start=None, rtol=1e-3):
    """A charge or discharge that would take that time; mean occupancy of each size, voltage."""
    member = one.positive.members[0]
    capacity = FARADAY * SITES * float(jnp.sum(member.volume))
    sign, side, stop = (-1, "above", 3.5) if charge else (1, "below", 3.3)
    step = Step(Current(sign * capacity / 3600 / hours), cutoffs=(Cutoff.voltage(stop, side),))
    begin = at_rest(one, {"particles": 0.99 if charge else 0.01}) if start is None else start
    run = simulate(one, step, begin, rtol=rtol, steps=2000)
    means = np.asarray(jax.vmap(member.inside.mean)(states(one, run.x).positive.filling[0]))[:, :, 0]
    return run, means


@pytest.fixture(scope="module")
def lone():
    """One sphere in a cell, for any radius."""
    return lambda radius: cell(particle([radius]))


def test_a_small_sphere_stays_uniform_through_the_whole_loop(reference, lone):
    """A22: between the two spinodals. 0.05 mV: rows lie that close to the extremes, and 200 h are not forever."""
    run, means = passed(lone(3e-9), 200.0, rtol=1e-5)
    w = np.asarray(states(lone(3e-9), run.x).positive.filling[0])[:, :, 0, 0]
    assert np.ptp(w, axis=1).max() < 1e-3
    middle = (means[:, 0] > 0.1) & (means[:, 0] < 0.9)
    voltage = np.asarray(run.voltage)[middle]
    first = means[middle, 0] < 0.5
    gap = voltage[~first].max() - voltage[first].min()
    assert gap == pytest.approx(reference["A22"]["reference"]["hysteresis_gap_V"], abs=5e-5)


def phase(near, shift):
    """Occupancy of a phase whose potential lies that far from the plateau [V]."""

    def missed(x):
        return np.log(x / (1 - x)) + STRENGTH * (1 - 2 * x) + shift * FARADAY / (GAS * T)

    return scipy.optimize.brentq(missed, near - 0.05, near + 0.05)


def test_a_larger_sphere_fills_around_a_shrinking_core_on_the_plateau(lone):
    """At 200 h on the level of the core's tension, to 2 %; on charge mirrored. Seen at any tolerance."""
    one = lone(27e-9)
    for charge in (False, True):
        for rtol in (1e-2, 1e-3, 1e-4):
            run, means = passed(one, 200.0, charge, rtol=rtol)
            mean, voltage = means[:, 0], np.asarray(run.voltage)
            k = np.argmin(np.abs(mean - 0.5))
            core, shell = (1 - LOW, LOW) if charge else (LOW, 1 - LOW)
            r = 27e-9 * ((mean[k] - shell) / (core - shell)) ** (1 / 3)
            shift = 2 * TENSION / (r * SITES * (shell - core) * FARADAY)
            assert voltage[k] - PLATEAU == pytest.approx(shift, rel=0.02)
            w = np.asarray(states(one, run.x).positive.filling[0])[k, :, 0, 0]
            expected = phase(core, shift), phase(shell, shift)
            # 5e-4: shift at a coarse tolerance; 4e-3: the tail of the boundary, mirrored 6 to 7 decay lengths further
            assert abs(w[0] - expected[0]) < 5e-4
            assert abs(w[-1] - expected[1]) < 4e-3
            # as rounding of stiff rows leaves it; the last row is the charge where the cutoff is met
            since = np.asarray(run.charge)[:-1] / (FARADAY * SITES * 1e-6)
            np.testing.assert_allclose(mean[:-1], mean[0] + since, rtol=0, atol=1e-10)


def test_what_rests_loses_free_energy_until_one_boundary_is_left(lone):
    one = lone(27e-9)
    start = uniform(one, 0.5)
    noise = 0.02 * np.random.default_rng(2).normal(size=(41, 1, 1))
    start = eqx.tree_at(lambda s: s.positive.filling[0], start, start.positive.filling[0] + noise)
    run = simulate(one, Step(Current(0.0), 3.6e6, cutoffs=(Cutoff.voltage(3.3, "below"),)), start, steps=2000)
    w = states(one, run.x).positive.filling[0][:, :, 0, 0]
    energy = np.asarray(jax.vmap(lambda w: free_energy(one.positive.members[0].inside, w, 27e-9))(w))
    assert np.all(np.diff(energy) < 1e-9)
    assert energy[0] - energy[-1] > 0.01
    mean = np.asarray(jax.vmap(one.positive.members[0].inside.mean)(w))
    np.testing.assert_allclose(mean, mean[0], rtol=0, atol=1e-12)
    assert np.sum(np.diff(np.sign(np.asarray(w[-1]) - 0.5)) != 0) == 1


@pytest.mark.parametrize("rtol", [pytest.param(1e-2, marks=pytest.mark.slow), 1e-4])
def test_of_two_sizes_one_fills_after_the_other(rtol):
    """The first takes from the second what the current does not bring: both were at the spinodal together."""
    one = cell(particle([5e-9, 6e-9], nodes=16, exchange=1.0))
    run, means = passed(one, 50.0, rtol=rtol)
    apart = np.abs(means[:, 0] - means[:, 1])
    assert apart[means.mean(axis=1) < 0.2].max() < 0.01
    k = np.argmax(apart)
    np.testing.assert_allclose(sorted(means[k]), [LOW, 1 - LOW], atol=0.05)
    assert means[:k, 1].max() > 0.2 > means[k, 1]  # emptied
    assert apart[-1] < 0.01
    # two humps of the voltage, where one piece has one
    mean, voltage = means.mean(axis=1), np.asarray(run.voltage)
    humps = [voltage[(mean > a) & (mean < b)].max() for a, b in ((0.3, 0.5), (0.7, 0.9))]
    valley = voltage[(mean > 0.5) & (mean < 0.7)].min()
    assert min(humps) - valley > 0.015


def test_what_holds_less_than_nothing_is_not_possible(lone):
    """Time steps that end there are refused: mu has no value, and nothing leads out again."""
    one = lone(27e-9)
    state = at_rest(one, {"particles": 0.02})
    assert linear.possible(one, state)
    for wrong in (-1e-3, 1.001):
        out = eqx.tree_at(lambda s: s.positive.filling[0], state, state.positive.filling[0].at[3].set(wrong))
        assert not linear.possible(one, out)
