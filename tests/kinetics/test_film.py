"""Films: what an interphase tends to, how it starts, what it resists."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import GAS
from ionics.kinetics.film import Interphase, NoFilm, ResistiveFilm
from ionics.laws import Arrhenius, Constant

T = jnp.asarray(298.15)
RT = GAS * float(T)
LENGTH, SPEED = 1e-9, 1e-12


def interphase(**changes):
    values = {
        "left": (("Li", 1),),
        "right": (),
        "resistivity": Constant(1e5),
        "rate": Constant(SPEED),
        "level": 0.0,
        "alpha": 0.4,
        "reversible": 1.0,
        "reference": LENGTH,
        "initial": jnp.array([0.2e-9, 0.1e-9]),
        "halving": None,
    }
    return Interphase(**(values | changes))


def growth(film, w, a):
    return film.growth(w, jnp.asarray(a * RT), T)


def test_films_that_do_not_change_have_no_unknowns():
    w = jnp.zeros(0)
    law = Arrhenius(0.02, -3e4, 298.15)
    warm = jnp.asarray(330.0)
    for film, expected in ((NoFilm(), 0.0), (ResistiveFilm(law), float(law(warm)))):
        assert film.slots == 0 == film.start().size == film.stored(w).size
        assert film.growth(w, jnp.asarray(1e5), warm).size == 0
        assert film.left == film.right == ()
        assert float(film.level) == 0.0
        assert float(film.resistance(w, warm)) == expected


def test_an_interphase_starts_as_thick_as_it_was_made_and_resists_by_its_whole_thickness():
    film = interphase()
    w = film.start()
    np.testing.assert_allclose(film.stored(w), film.initial, rtol=1e-14)
    assert film.start().shape == (film.slots,)
    assert float(film.resistance(w, T)) == pytest.approx(1e5 * 0.3e-9, rel=1e-14)


@pytest.mark.parametrize("a", [-3.0, 0.0, 2.5])
@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("halving", [None, 2e-9])
def test_growth_and_dissolution_balance_where_thermodynamics_says(a, share, halving):
    """l_rev = share l_ref exp(a) / (1 + l/halving), whatever alpha; below it grows, above it dissolves."""
    permanent = 0.4e-9
    film = interphase(reversible=share, halving=halving, alpha=0.4)
    scale = share * LENGTH * np.exp(a)
    if halving is None:
        rest = scale
    else:  # l_rev (1 + (l_rev + permanent)/halving) = scale
        b = 1 + permanent / halving
        rest = 0.5 * halving * (-b + np.sqrt(b**2 + 4 * scale / halving))
    w = jnp.log(jnp.array([rest, permanent]) / LENGTH)
    size = SPEED * np.exp(0.4 * a)
    assert abs(float(growth(film, w, a)[0])) < 1e-14 * size
    assert float(growth(film, w - 0.1, a)[0]) > 0 > float(growth(film, w + 0.1, a)[0])


def test_the_parts_share_what_grows_and_only_one_dissolves():
    """Together they grow by v0 exp(alpha a); the permanent part never shrinks."""
    film = interphase(reversible=0.3)
    w = jnp.array([-30.0, -1.0])  # nearly nothing to dissolve
    grown = np.array(growth(film, w, 1.5))
    np.testing.assert_allclose(grown, SPEED * np.exp(0.4 * 1.5) * np.array([0.3, 0.7]), rtol=1e-9)
    shrinking = np.array(growth(film, jnp.zeros(2), -5.0))
    assert shrinking[0] < 0 < shrinking[1]


def test_thickness_relaxes_exponentially_at_a_held_affinity():
    """dl/dt = v0 exp(alpha a) - v0 exp(-(1-alpha) a) l / l_ref has a closed solution; 400 midpoint steps follow it."""
    film, a = interphase(alpha=0.5), -1.0
    decay = SPEED * np.exp(0.5) / LENGTH
    rest, start, steps = LENGTH * np.exp(a), 0.2e-9, 400
    duration = 2 / decay

    @eqx.filter_jit
    def run(film):
        def step(w, _):
            rate = lambda w: growth(film, w, a) / film.stored(w)  # dw/dt  # noqa: E731
            dt = duration / steps
            return w + dt * rate(w + 0.5 * dt * rate(w)), None

        return film.stored(jax.lax.scan(step, film.start(), None, steps)[0])

    exact = rest + (start - rest) * np.exp(-decay * duration)
    assert float(run(film)[0]) == pytest.approx(exact, rel=1e-5)
    assert float(run(film)[1]) == pytest.approx(0.1e-9, rel=1e-12)


@pytest.mark.parametrize("halving", [None, 2e-9])
def test_growth_is_differentiable_by_everything(halving):
    film = interphase(halving=halving, reversible=0.3)

    def total(film, w, a):
        return growth(film, w, a).sum() * film.resistance(w, T)

    for a in (-40.0, 0.0, 40.0):
        value, slopes = eqx.filter_value_and_grad(lambda args: total(*args))((film, film.start(), jnp.asarray(a)))
        assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves((value, slopes)))
