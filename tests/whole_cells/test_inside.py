"""Lithium inside a particle against exact series, voids under a metal, loss of contact."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import brentq

from ionics.cells.inward import Modes, Shells, Spreading, Voids
from ionics.constants import FARADAY
from ionics.kinetics.contact import ContactArea, pressed
from ionics.transport.statistics import Lattice
from tests.whole_cells.build import T, carrier, even


def spreading(radius, sites, diffusivity):
    size = jnp.full((1, 1), radius)
    own = carrier(Lattice(), sites, diffusivity)
    return Spreading(own, size, diffusivity / size**2, 1 / (sites * size), jnp.asarray(T))


@eqx.filter_jit
def operator(inside, spread):
    """d/dw of the growth, and the growth of an empty piece at a unit rate: all there is to a linear one."""
    empty, one = jnp.zeros((inside.unknowns, 1, 1)), jnp.ones((1, 1))
    slope = jax.jacfwd(lambda w: inside.growth(w, 0 * one, spread).ravel())(empty)
    return slope.reshape(inside.unknowns, -1), inside.growth(empty, one, spread).ravel()


def filled(inside, spread, theta, rate, t):
    """Occupancies at the nodes after a constant rate [mol m-2 s-1] for a time [s], without any error in time."""
    slope, column = map(np.asarray, operator(inside, spread))
    n = len(column)
    both = np.zeros((n + 1, n + 1))
    both[:n, :n], both[:n, n] = slope, column * rate
    w = (expm(both * t) @ np.append(np.ravel(inside.uniform(jnp.full((1, 1), theta))), 1.0))[:n]
    w = jnp.asarray(w)[:, None, None]
    return np.ravel(inside.profile(w)), float(inside.mean(w)[0, 0]), float(inside.surface(w)[0, 0])


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_modes_are_the_shells_they_were_made_of(dimension):
    """Growth, and the answer to a rate that is eliminated first; on uneven shells."""
    rng = np.random.default_rng(dimension)
    spacing = rng.uniform(1, 3, 6)
    spacing = jnp.asarray(spacing / spacing.sum())
    shells, modes = Shells(dimension, spacing), Modes(dimension, spacing)
    spread, w = spreading(2e-6, 5e4, 1e-14), jnp.asarray(rng.normal(size=(7, 1, 2)))
    rate = jnp.asarray(rng.normal(size=(1, 2)) * 1e-5)
    theta = modes.profile(w)
    scale = float(jnp.max(jnp.abs(shells.growth(theta, rate, spread))))
    np.testing.assert_allclose(
        modes.profile(modes.growth(w, rate, spread)), shells.growth(theta, rate, spread), atol=1e-12 * scale
    )
    np.testing.assert_allclose(modes.mean(w), shells.mean(theta), atol=1e-13)
    found = []
    for kind, start in ((shells, theta), (modes, w)):
        factors, answer = kind.eliminated(kind.slopes(start, rate, spread), jnp.asarray(0.02))
        found.append((kind.profile(kind.substituted(factors, start, rate)), *answer))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, np.broadcast_to(other, one.shape), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", [Modes, Shells])
def test_second_order_towards_the_film_of_reference_a14(kind, reference):
    """Constant current into a thin film: concentrations at the surface, at the back and on average (A14)."""
    given, known = reference["A14"]["parameters"], reference["A14"]["reference"]
    spread = spreading(given["L"], given["cmax"], given["D"])
    errors = []
    for nodes in (11, 21, 41):
        inside, worst = kind(1, even(nodes)), 0.0
        for t in (20, 50):
            profile, mean, surface = filled(inside, spread, given["c0"] / given["cmax"], given["j"] / FARADAY, t)
            mean_known = known[f"c_mean({t} s)_mol_m3"]
            assert mean * given["cmax"] == pytest.approx(mean_known, rel=1e-12)  # what enters is there
            ends = {"surface": surface, "back": profile[0]}
            own = [abs(theta * given["cmax"] - known[f"c_{end}({t} s)_mol_m3"]) for end, theta in ends.items()]
            worst = max(worst, *own)
        errors.append(worst)
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.02)
    assert errors[2] < 1.0  # mol m-3, of a gradient of 4800


def sphere(tau, terms=60):
    """Rise of the occupancy at the surface of a sphere by j R / (c D): 3 tau + 1/5 - 2 sum exp(-l^2 tau) / l^2."""
    roots = [brentq(lambda x: np.sin(x) - x * np.cos(x), np.pi * n, np.pi * (n + 0.5)) for n in range(1, terms + 1)]
    return 3 * tau + 0.2 - 2 * sum(np.exp(-(x**2) * tau) / x**2 for x in roots)


@pytest.mark.parametrize("kind", [Modes, Shells])
def test_second_order_towards_the_exact_series_of_a_sphere(kind):
    """Constant flux; Carslaw and Jaeger, Conduction of Heat in Solids (1959), section 9.7."""
    radius, sites, diffusivity, rate = 3e-6, 5e4, 1e-14, 2e-6
    spread, step = spreading(radius, sites, diffusivity), rate * radius / (sites * diffusivity)
    errors = []
    for nodes in (11, 21, 41):
        inside = kind(3, even(nodes))
        found = [filled(inside, spread, 0.1, rate, tau * radius**2 / diffusivity)[2] for tau in (0.02, 0.3)]
        exact = [0.1 + step * sphere(tau) for tau in (0.02, 0.3)]
        errors.append(max(abs(np.array(found) - exact)))
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.05)
    assert errors[2] < 1e-3 * step


def test_voids_come_to_rest_where_stripping_and_healing_balance():
    """v = i healing / (depth + i healing), approached at the rate i / depth + 1 / healing."""
    depth, healing, i = 5e4, 2e3, 10.0
    voids, rate = Voids(depth, healing), jnp.full((1, 1), -i / FARADAY)
    steady = i * healing / (depth + i * healing)
    at = lambda v: float(voids.growth(jnp.full((1, 1, 1), v), rate, None)[0, 0, 0])  # noqa: E731
    assert abs(at(steady)) < 1e-15 * i / depth
    assert at(0.0) == pytest.approx(i / depth)
    assert at(0.1) - at(0.0) == pytest.approx(-0.1 * (i / depth + 1 / healing), rel=1e-12)
    assert float(voids.growth(jnp.full((1, 1, 1), 0.5), -rate, None)[0, 0, 0]) < 0  # plating fills them


def test_contact_stays_between_none_and_all():
    theta = jnp.linspace(0, 1, 5)
    law = ContactArea(0.7, -3.0, 0.5)
    assert float(law(jnp.asarray(0.5))) == pytest.approx(0.7, rel=1e-14)
    slope = float(jax.grad(law)(jnp.asarray(0.5)))
    assert slope == pytest.approx(0.7 * 0.3 * -3.0, rel=1e-12)
    np.testing.assert_array_equal(ContactArea(1.0, -3.0, 0.5)(theta), 1.0)  # what touches everywhere loses nothing
    extreme = np.asarray(ContactArea(0.7, -80.0, 0.5)(theta))
    assert np.all((extreme > 0) & (extreme <= 1))
    np.testing.assert_allclose(ContactArea(0.7, 0.0, 0.5)(theta), 0.7, rtol=1e-14)


def test_pressure_closes_a_contact():
    """None without pressure, in proportion to it where it is small, all of it under much."""
    stiffness = 1e9
    assert float(pressed(0.0, stiffness)) == 0
    small = 1e-6 * stiffness
    assert float(pressed(small, stiffness)) == pytest.approx(np.sqrt(8 / np.pi) * 1e-6, rel=1e-9)
    assert float(pressed(5 * stiffness, stiffness)) == pytest.approx(1.0, abs=1e-12)
