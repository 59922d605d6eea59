"""Reactions in the bulk: detailed balance, closed forms, limits, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.kinetics.bulk import Generation, MassAction, ShockleyReadHall, WeakElectrolyte
from ionics.laws import Constant

T = jnp.asarray(298.15)
SRH = ShockleyReadHall("e-", "h+", Constant(1e-6), Constant(3e-6), Constant(2e-8), Constant(5e-8))
WEAK = WeakElectrolyte("Li+", "n-", Constant(9e-9), 60100.0, 0.18)


def rate(law, a, forward=0.0, backward=0.0, **concentrations):
    a = jnp.asarray(a, float)
    logs = (jnp.broadcast_to(jnp.asarray(x, float), a.shape) for x in (forward, backward))
    return law.rate(a, *logs, {k: jnp.asarray(v, float) for k, v in concentrations.items()}, T)


def test_mass_action_is_forward_less_backward():
    """Frenkel pairs of ideal carriers: A/RT = ln K + ln f - ln b gives k (f - b / K)."""
    f, b, log_k = np.array([0.7, 1e-30, 1e-3]), np.array([1e-4, 1e-12, 1e-3]), -9.0
    a = log_k + np.log(f) - np.log(b)
    found = rate(MassAction(Constant(5.0)), a, np.log(f), np.log(b))
    np.testing.assert_allclose(found, 5.0 * (f - b * np.exp(-log_k)), rtol=1e-12)


def test_mass_action_vanishes_in_equilibrium_with_the_digits_of_its_slope():
    """rate = k f A/RT close by: 1e-12 RT away twelve digits of 1 - exp(-a) would be gone."""
    a = jnp.array([-1e-12, 0.0, 1e-12])
    np.testing.assert_allclose(rate(MassAction(Constant(5.0)), a, -2.0), 5.0 * np.exp(-2.0) * a, rtol=1e-11)


@pytest.mark.parametrize("law", [MassAction(Constant(1.0)), SRH, WEAK, Generation(Constant(2.0))], ids=repr)
def test_rates_and_derivatives_stay_finite(law):
    """Nodes from fully depleted to full, hundreds of RT from equilibrium."""
    a = jnp.linspace(-400, 400, 41)

    @eqx.filter_jit
    def total(args):
        law, a, forward, c = args
        return law.rate(a, forward, -forward, c, T).sum()

    for theta in (1e-30, 1e-3, 1.0):
        c = {name: jnp.full(41, 1e4 * theta) for name in ("e-", "h+", "Li+", "n-")}
        value, slopes = eqx.filter_value_and_grad(total)((law, a, jnp.full(41, np.log(theta)), c))
        assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves((value, slopes)))


def test_generation_is_the_same_everywhere():
    np.testing.assert_array_equal(rate(Generation(Constant(2.0)), np.linspace(-5, 5, 7)), 2.0)


def test_recombination_through_a_trap_is_that_of_shockley_read_and_hall():
    """With dilute carriers of intrinsic density ni, A/RT = ln(n p / ni^2)."""
    n, p, ni = np.array([1e-3, 1e-9, 1e-12, 1e-6]), np.array([1e-4, 1e-9, 1e-10, 1e-6]), 1e-6
    found = rate(SRH, np.log(n * p / ni**2), **{"e-": n, "h+": p})
    expected = (n * p - ni**2) / (3e-6 * (n + 2e-8) + 1e-6 * (p + 5e-8))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found[0] > 0 > found[2]


def test_recombination_of_a_minority_takes_its_lifetime():
    """In n-type material at low injection: (p - p0) / tau_p."""
    ni, n, p = 1e-9, 1.0, 1e-7
    found = rate(SRH, np.log([n * p / ni**2]), **{"e-": [n], "h+": [p]})
    assert float(found[0]) == pytest.approx((p - ni**2 / n) / 3e-6, rel=1e-6)


def test_a_weak_electrolyte_rests_at_its_degree_of_dissociation():
    """Neutral at c = delta total, and back to there with the rate k_d + 2 k_r delta total (Danilov 2011)."""
    rest = 0.18 * 60100.0
    both = lambda c: rate(WEAK, 0.0, **{"Li+": c, "n-": c})  # noqa: E731
    assert abs(float(both(rest))) < 1e-13 * 9e-9 * rest**2
    k_d = 9e-9 * 60100.0 * 0.18**2 / 0.82
    slope = jax.grad(lambda c: both(c))(jnp.asarray(rest))
    assert float(slope) == pytest.approx(-(k_d + 2 * 9e-9 * rest), rel=1e-12)
    assert float(rate(WEAK, 0.0, **{"Li+": 0.0, "n-": 0.0})) == pytest.approx(k_d * 60100.0, rel=1e-14)
