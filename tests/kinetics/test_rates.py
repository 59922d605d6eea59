"""Rate laws: what thermodynamics asks of every one, closed forms, Chidsey's integral against quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfc

from ionics.constants import BOLTZMANN, FARADAY, GAS, PLANCK
from ionics.kinetics.eyring import Eyring
from ionics.kinetics.rates import ButlerVolmer, Marcus, MarcusHushChidsey, net
from ionics.laws import Constant
from ionics.transport.flux import Hopping
from ionics.transport.statistics import Lattice

T = 298.15
RT = GAS * T
I0 = 3.0
LAWS = [
    ButlerVolmer(Constant(I0), 0.3, True),
    Marcus(Constant(I0), 0.6 * FARADAY, True),
    MarcusHushChidsey(Constant(I0), 0.6 * FARADAY, True),
]
every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)


@eqx.filter_jit
def current(law, a, activities=(0.0, 0.0)):
    """i [A m-2] at affinities a in units of RT and log activities; electrons = 1."""
    logs = tuple(jnp.asarray(x, float) for x in activities)
    return -jax.vmap(lambda x: law.residual(jnp.zeros(()), x * RT, 1, logs, jnp.asarray(T)))(jnp.asarray(a, float))


@eqx.filter_jit
def log_forward(law, a, temperature=T):
    return jax.vmap(lambda x: law.log_forward(x, jnp.asarray(temperature, float)))(jnp.asarray(a, float))


@every_law
@pytest.mark.parametrize("activities", [(0.0, 0.0), (-3.0, -0.2), (-69.0, -69.0), (-69.0, 0.0), (0.0, -69.0)])
def test_detailed_balance(law, activities):
    """The net rate is forward - backward with backward / forward = exp(-A/RT), each first order in what it consumes."""
    a = np.array([-7.0, -0.5, 0.5, 7.0])
    forward, backward = activities
    unit = a - forward + backward
    kf, kb = np.array(log_forward(law, unit)), np.array(log_forward(law, unit)) - unit
    expected = I0 * (np.exp(forward + kf) - np.exp(backward + kb))
    np.testing.assert_allclose(current(law, a, activities), expected, rtol=1e-11)
    np.testing.assert_allclose(kb + backward - kf - forward, -a, atol=1e-12)


@every_law
def test_a_constant_exchange_current_ignores_the_occupancies(law):
    fixed = eqx.tree_at(lambda x: x.exchange_current, type(law)(law.exchange_current, 0.4, False), Constant(2.0))
    np.testing.assert_array_equal(current(fixed, [0.3], (-5.0, -1.0)), current(fixed, [0.3]))


def test_butler_volmer_of_a_hop():
    """i00 (theta_l (1-theta_r))^(1-alpha) ((1-theta_l) theta_r)^alpha [exp(alpha a) - exp(-(1-alpha) a)]."""
    left, right, alpha, a = 0.7, 0.1, 0.3, np.linspace(-6, 6, 13)
    f, b = left * (1 - right), (1 - left) * right
    expected = I0 * f ** (1 - alpha) * b**alpha * (np.exp(alpha * a) - np.exp(-(1 - alpha) * a))
    np.testing.assert_allclose(current(LAWS[0], a, (np.log(f), np.log(b))), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("law", LAWS[1:], ids=lambda law: type(law).__name__)
def test_symmetric_laws_change_sign_with_the_affinity(law):
    """The mirror image of a junction: affinity and activities change places."""
    a = np.geomspace(1e-6, 200, 30)
    np.testing.assert_allclose(current(law, a, (-1.0, -4.0)), -current(law, -a, (-4.0, -1.0)), rtol=1e-12)


@every_law
def test_small_affinities_keep_their_digits(law):
    """i -> i0 a as a -> 0: the resistance at rest is RT / (F i0) for every law, as in A11."""
    a = np.array([1e-14, -1e-14, 1e-9, -1e-9])
    np.testing.assert_allclose(current(law, a), I0 * a, rtol=2e-9)
    slope = jax.grad(lambda x: current(law, x[None])[0])(jnp.zeros(()))
    assert float(slope) == pytest.approx(I0, rel=1e-13)


def residuals(law, a, forward, backward):
    return jax.vmap(lambda x: law.residual(jnp.zeros(()), x * RT, 1, (forward, backward), jnp.asarray(T)))(a)


@eqx.filter_jit
def derivatives(*point):
    """Value, derivative along the sum of all arguments, gradients by each of them."""
    out, push = eqx.filter_jvp(residuals, point, jax.tree.map(jnp.ones_like, point))
    _, pull = eqx.filter_vjp(residuals, *point)
    return out, push, jax.tree.leaves(pull(jnp.ones_like(out)))


@every_law
def test_currents_and_all_derivatives_stay_finite(law):
    """Hundreds of RT, occupancies and vacancies of 1e-30: value, forward and reverse derivative by everything."""
    a = jnp.concatenate([jnp.linspace(-400, 400, 81), jnp.array([1e-300, -1e-300])])
    tiny = np.log(1e-30)
    for activities in [(0, 0), (tiny, 0), (0, tiny), (tiny, tiny), (2 * tiny, 0), (0, 2 * tiny)]:
        out, push, gradients = derivatives(law, a, *(jnp.asarray(x, float) for x in activities))
        assert len(gradients) == 5
        assert all(bool(jnp.isfinite(x).all()) for x in [out, push, *gradients])


@every_law
def test_the_slope_is_that_of_the_current(law):
    """Differences of the current against its derivative, on both sides of rest and beyond the reorganisation energy."""
    a, step, activities = jnp.array([-60.0, -20.0, -2.0, 0.0, 2.0, 20.0, 60.0]), 1e-4, (-1.0, -3.0)
    slope = jax.vmap(jax.grad(lambda x: current(law, x[None], activities)[0]))(a)
    ahead, behind = current(law, a + step, activities), current(law, a - step, activities)
    rounding = 1e-14 * (np.abs(ahead) + np.abs(behind)) / step
    assert np.all(np.abs(slope - (ahead - behind) / (2 * step)) < rounding + 1e-7 * np.abs(slope))


def test_net_is_forward_less_backward_whatever_their_size():
    """Rates far below and affinities far above what fits a float still give a finite difference."""
    a = jnp.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    np.testing.assert_allclose(net(jnp.full(5, -750.0), a)[0], -np.exp(50.0), rtol=1e-12)
    np.testing.assert_allclose(net(jnp.zeros(5), a)[1:], [1 - np.e, 0.0, 1 - 1 / np.e, 1.0], rtol=1e-15)


def fermi_integral(a, energy):
    """ln of Chidsey's integral as he writes it, over exp(-(x - lambda + a)^2 / (4 lambda)) / (1 + exp(x))."""

    def exponent(x):
        return -((x - energy + a) ** 2) / (4 * energy) - np.logaddexp(0, x)

    grid = np.linspace(-max(a, 0) - 60, energy + max(-a, 0) + 60, 20001)
    top = grid[np.argmax(exponent(grid))]
    reach = 12 * np.sqrt(2 * energy)
    value, _ = quad(
        lambda x: np.exp(exponent(x) - exponent(top)), top - reach, top + reach, points=[top], epsrel=1e-13, limit=1000
    )
    return exponent(top) + np.log(value)


@pytest.mark.parametrize("temperature", [250.0, 298.15, 400.0])
@pytest.mark.parametrize("volts", [0.05, 0.2, 0.7, 1.5, 3.0])
def test_marcus_hush_chidsey_is_the_integral_over_the_fermi_distribution(volts, temperature):
    """To 1e-10 over five volts; the worst, 3 eV at 250 K, is where the trapezoid's step is widest."""
    energy = volts * FARADAY / (GAS * temperature)
    a = np.concatenate([np.linspace(-5, 5, 21), [volts, -volts, 0.99 * volts]]) * FARADAY / (GAS * temperature)
    found = log_forward(MarcusHushChidsey(Constant(1.0), volts * FARADAY), a, temperature)
    exact = np.array([fermi_integral(x, energy) for x in a]) - fermi_integral(0.0, energy)
    np.testing.assert_allclose(np.array(found) - exact, 0, atol=1e-10)


def test_marcus_hush_chidsey_saturates():
    """Every level of the metal helps: kf -> sqrt(4 pi lambda) / integral at rest, where Marcus turns back."""
    energy = 0.5 * FARADAY / RT
    a = np.array([3 * energy, 6 * energy, 12 * energy])
    limit = 0.5 * np.log(4 * np.pi * energy) - fermi_integral(0.0, energy)
    found = log_forward(MarcusHushChidsey(Constant(1.0), 0.5 * FARADAY), a)
    np.testing.assert_allclose(found[1:], limit, atol=1e-10)
    marcus = log_forward(Marcus(Constant(1.0), 0.5 * FARADAY), a)
    assert np.all(np.diff(marcus) < -energy)


@pytest.mark.parametrize("volts", [0.2, 0.3])
def test_marcus_hush_chidsey_is_near_the_published_formula(volts):
    """Zeng et al. (2014): within the 5 % that they state, for the reorganisation energies for which that holds."""
    energy = volts * FARADAY / RT
    a = np.linspace(-1, 1, 21) * FARADAY / RT
    tail = erfc((energy - np.sqrt(1 + np.sqrt(energy) + a**2)) / (2 * np.sqrt(energy)))
    formula = np.sqrt(np.pi * energy) / (1 + np.exp(-a)) * tail
    found = log_forward(MarcusHushChidsey(Constant(1.0), volts * FARADAY), a) + fermi_integral(0.0, energy)
    np.testing.assert_allclose(formula, np.exp(found), rtol=0.05)


@pytest.mark.parametrize("volts", [30.0, 300.0])
def test_marcus_goes_to_butler_volmer_for_large_reorganisation(volts):
    """With alpha = 1/2; the departure is a^2 / (4 lambda)."""
    a = np.linspace(-10, 10, 11)
    departure = log_forward(Marcus(Constant(1.0), volts * FARADAY), a) - log_forward(
        ButlerVolmer(Constant(1.0), 0.5), a
    )
    np.testing.assert_allclose(departure, -(a**2) / (4 * volts * FARADAY / RT), rtol=1e-9, atol=1e-12)


def test_marcus_hush_chidsey_goes_to_marcus_at_half_the_reorganisation_energy():
    """Levels near the Fermi energy carry it: kf / kf_Marcus -> 1 / cos(pi a / (2 lambda)), from
    the integral of exp(-x a / (2 lambda)) / (2 cosh(x/2)); the next term falls as 1 / lambda."""
    errors = []
    for volts in (4.0, 8.0):
        a = np.array([0.5 * volts * FARADAY / RT])
        ratio = log_forward(MarcusHushChidsey(Constant(1.0), volts * FARADAY), a) - log_forward(
            Marcus(Constant(1.0), volts * FARADAY), a
        )
        errors.append(float(ratio[0]) - 0.5 * np.log(2))
    assert abs(errors[0]) < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)


def test_eyring_is_transition_state_theory():
    """F n kT/h exp(-barrier / RT), and the slope of its logarithm in 1/T is barrier + RT."""
    sites, barrier = 2e-5, 0.4 * FARADAY
    law = Eyring(sites, barrier)
    expected = FARADAY * sites * BOLTZMANN * T / PLANCK * np.exp(-barrier / RT)
    assert float(law(jnp.asarray(T))) == pytest.approx(expected, rel=1e-12)
    slope = jax.grad(lambda beta: jnp.log(law(1 / beta)))(jnp.asarray(1 / T))
    assert float(slope) == pytest.approx(-(barrier + RT) / GAS, rel=1e-12)


def test_an_eyring_hop_across_a_junction_is_a_hop_in_the_bulk():
    """Without a field: rate (n kT/h exp(-b)) times theta_l (1-theta_r) - theta_r (1-theta_l) is D c_s / distance times
    the turnover of the bulk's hopping, with D = distance^2 kT/h exp(-b) and n = c_s distance."""
    sites, distance, barrier = 4e4, 3e-10, 0.35 * FARADAY
    u = jnp.array([0.8, -1.9])
    law = ButlerVolmer(Eyring(sites * distance, barrier), 0.4, True)
    full, empty = jax.nn.log_sigmoid(u), jax.nn.log_sigmoid(-u)
    rate = current(law, [float(u[0] - u[1])], (full[0] + empty[1], full[1] + empty[0])) / FARADAY
    diffusivity = distance**2 * BOLTZMANN * T / PLANCK * np.exp(-barrier / RT)
    filling = Lattice().filling(u, jnp.asarray(T))
    turnover = Hopping().flux(filling[0], filling[1], jnp.zeros(()))
    assert float(rate[0]) == pytest.approx(diffusivity * sites / distance * float(turnover), rel=1e-12)
