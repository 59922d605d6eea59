"""The posterior of a fit: what the data and the priors leave possible, sampled by Hamiltonian Monte Carlo (NumPyro)."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.fitting.levenberg import Box
from ionics.fitting.posed import AbstractProblem, linearised
from ionics.fitting.result import Estimates
from ionics.fitting.spectrum import DataError

RHAT, ESS = 1.01, 400.0  # Vehtari et al., Bayesian Analysis 16 (2021) 667: limits of trust


@dataclass(frozen=True)
class Posterior:
    """Draws of the parameters, in their units, and whether to trust them."""

    estimates: Estimates
    draws: Float[np.ndarray, "chain draw parameter"]
    rhat: Float[np.ndarray, " parameter"]
    effective: Float[np.ndarray, " parameter"]  # effective number of independent draws
    divergences: int
    seconds: float  # of sampling, without compilation and warm-up

    @property
    def trustworthy(self) -> bool:
        return bool(np.max(self.rhat) < RHAT and np.min(self.effective) > ESS and not self.divergences)

    @property
    def verdict(self) -> str:
        """Diagnostics in a sentence."""
        chains, draws, _ = self.draws.shape
        text = (
            f"{chains} chains of {draws} draws: R-hat at most {np.max(self.rhat):.3f}, "
            f"at least {np.min(self.effective):.0f} effective draws, {self.divergences} divergences"
        )
        worst = self.estimates.names[int(np.argmin(self.effective))]
        return text if self.trustworthy else f"{text}; not to be trusted yet (worst: {worst}), draw more"

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Central credible interval of a parameter."""
        own = self.draws[..., self.estimates.names.index(name)]
        low, high = np.quantile(own, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def sample(estimates: Estimates, *, draws: int = 1000, warmup: int = 500, chains: int = 4, seed: int = 0) -> Posterior:
    """Sample the posterior about a fit with the no-U-turn sampler, all chains as one batch.

    The prior of a parameter is its own, or flat between its bounds on the scale it is searched on. The likelihood is
    Gaussian with the given sigma; where only the relative weights of the points are known, the size of the errors is
    integrated out with Jeffreys' prior, p ~ chi-squared^(-n/2). Gradients are the exact Jacobian times the residual.
    Raises DataError where NumPyro is not installed.
    """
    try:
        from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
        from numpyro.infer import MCMC, NUTS
    except ImportError:
        raise DataError("sampling a posterior needs NumPyro: pip install 'ionics-toolkit[bayes]'") from None
    posed = estimates.posed
    box, at = posed.unknowns.box, jnp.asarray(posed.unknowns.inner(estimates.values))
    inside = jnp.clip((at - box.lower) / (box.upper - box.lower), 1e-6, 1 - 1e-6)
    centre = jnp.log(inside) - jnp.log1p(-inside)
    known, count = posed.known, posed.observations
    stretch = (box.upper - box.lower) * inside * (1 - inside)  # dx/dz
    residual, jacobian = linearised(posed.problem, _inside(centre, box)[0])
    scale = 1.0 if known else jnp.sum(residual**2) / posed.dof
    fisher = (jacobian * stretch).T @ (jacobian * stretch) / scale + jnp.eye(len(at)) / 10
    covariance = jnp.linalg.inv(fisher)
    root, (first, second) = jnp.linalg.cholesky(covariance), jax.random.split(jax.random.key(seed))
    potential = functools.partial(_potential, posed.problem, box, count, known)
    # drawn are w, z = centre + root w, of unit size: adaptation of the masses pulls variances towards 1e-3
    kernel = NUTS(potential_fn=lambda w: potential(centre + root @ w), dense_mass=True)
    run = MCMC(
        kernel, num_warmup=warmup, num_samples=draws, num_chains=chains, chain_method="vectorized", progress_bar=False
    )
    run.warmup(second, init_params=0.5 * jax.random.normal(first, (chains, len(at))))
    started = time.perf_counter()
    run.run(run.post_warmup_state.rng_key, extra_fields=("diverging",))
    z = np.asarray(centre + run.get_samples(group_by_chain=True) @ root.T)
    seconds = time.perf_counter() - started
    x = np.asarray(_inside(jnp.asarray(z), box)[0])
    return Posterior(
        estimates,
        posed.unknowns.values(x),
        np.array([split_gelman_rubin(x[..., j]) for j in range(x.shape[-1])]),
        np.array([effective_sample_size(x[..., j]) for j in range(x.shape[-1])]),
        int(np.sum(np.asarray(run.get_extra_fields()["diverging"]))),
        seconds,
    )


def _inside(z: Float[Array, "*batch unknown"], box: Box):
    """From the whole line to between the bounds, and the logarithm of the slope."""
    share = jax.nn.sigmoid(z)
    slope = jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)
    return box.lower + (box.upper - box.lower) * share, slope


def _potential(problem: AbstractProblem, box: Box, count: int, known: bool, z: Float[Array, " unknown"]):
    """Minus the logarithm of the posterior density of z; its derivative is taken in forward mode once."""

    @jax.custom_vjp
    def potential(z):
        return both(z)[0]

    def both(z):
        x, log_slope = _inside(z, box)
        residual, jacobian = problem.linearised(x)
        data, prior = residual[: -len(x)], residual[-len(x) :]
        squares = jnp.sum(data**2)
        share = 1.0 if known else count / squares
        misfit = squares / 2 if known else count / 2 * jnp.log(squares)
        value = misfit + jnp.sum(prior**2) / 2 - jnp.sum(log_slope)
        by_x = share * data @ jacobian[: -len(x)] + prior @ jacobian[-len(x) :]
        inner = jax.nn.sigmoid(z)
        by_z = by_x * (box.upper - box.lower) * inner * (1 - inner) - (1 - 2 * inner)
        sane = jnp.isfinite(value) & jnp.all(jnp.isfinite(by_z))
        return jnp.where(sane, value, jnp.inf), jnp.where(sane, by_z, 0.0)

    potential.defvjp(both, lambda slope, outer: (outer * slope,))
    return potential(z)
