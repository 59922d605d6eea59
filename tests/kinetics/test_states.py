"""Interface states: Fermi-Dirac filling, what they hold, exchange that balances in equilibrium."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS
from ionics.kinetics.rates import ButlerVolmer
from ionics.kinetics.states import InterfaceState
from ionics.laws import Constant

T = jnp.asarray(298.15)
RT = GAS * float(T)
TRAP = InterfaceState("trap", -1, 1e-6, -0.2 * FARADAY)


def test_in_equilibrium_with_a_fermi_level_states_fill_by_fermi_and_dirac():
    fermi = jnp.linspace(-1, 1, 9) * FARADAY
    w = (fermi - TRAP.level) / RT
    np.testing.assert_allclose(TRAP.chemical(w, T), fermi, rtol=1e-13, atol=1e-9)
    np.testing.assert_allclose(TRAP.occupancy(w), 1 / (1 + np.exp(-(fermi + 0.2 * FARADAY) / RT)), rtol=1e-12)
    np.testing.assert_allclose(TRAP.stored(w), 1e-6 * TRAP.occupancy(w), rtol=1e-15)


@pytest.mark.parametrize("theta", [1e-30, 1e-3, 0.5, 0.999])
def test_the_unknown_of_an_occupancy(theta):
    w = TRAP.unknown(jnp.asarray(theta))
    assert float(TRAP.occupancy(w)) == pytest.approx(theta, rel=1e-13)


def test_capture_and_emission_are_first_order():
    """e- -> trap by an occupancy dependent law: c n (1 - f) - e f with e/c fixed by the levels (Shockley and Read)."""
    law, n, f = ButlerVolmer(Constant(2.0), 0.0, True), 1e-4, 0.3
    w = TRAP.unknown(jnp.asarray(f))
    affinity = RT * jnp.log(n) - TRAP.chemical(w, T)
    logs = jnp.log(n) + jax.nn.log_sigmoid(-w), jax.nn.log_sigmoid(w)
    rate = -float(law.residual(jnp.zeros(()), affinity, 1, logs, T)) / FARADAY
    emission = np.exp(float(TRAP.level) / RT)
    assert rate == pytest.approx(2.0 / FARADAY * (n * (1 - f) - emission * f), rel=1e-12)
