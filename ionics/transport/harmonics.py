"""The second harmonic and the rectified voltage under a small periodic current: second-order perturbation, exact.

Murbach and Schwartz, J. Electrochem. Soc. 164 (2017) E3311; Kirk et al., J. Electrochem. Soc. 170 (2023) 010514.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ionics.transport.balance import State
from ionics.transport.freedom import Freedom, analyse, frozen
from ionics.transport.impedance import CACHED, Frequencies
from ionics.transport.linear import Layout, Tridiagonal, coloured, factorise, pivoted_inverse, substitute, with_identity
from ionics.transport.newton import Solution
from ionics.transport.stack import Stack
from ionics.transport.tangent import Blocks, Tangent, Waves, in_turns


class Harmonics(eqx.Module):
    """V(t) = V0 - Re(z I1 exp(i w t)) + I1^2 [rectified + Re(second exp(2 i w t))] for I = I0 + I1 cos(w t).

    Up to terms of third order in I1. The terms are those of the periodic state that a slowly growing amplitude
    leads to: what cannot leave the stack keeps its mean amount.
    """

    frequency: Float[Array, " frequency"]  # Hz, w / 2 pi
    z: Complex[Array, " frequency"]  # Ohm m2
    second: Complex[Array, " frequency"]  # V m4 A-2
    rectified: Float[Array, " frequency"]  # V m4 A-2


def harmonics(stack: Stack, about: Solution | State, frequency: Frequencies) -> Harmonics:
    """Voltage at twice the frequency [Hz] and at rest per square of the current's amplitude [V m4 A-2]."""
    if stack.units:
        raise ValueError("a repeated unit is meshed once: write its layers out to have their harmonics")
    state = about.state if isinstance(about, Solution) else about
    freedom = analyse(stack, voltage=False, flowing=True)
    return _harmonics(stack, freedom, state, jnp.atleast_1d(jnp.asarray(frequency, float)))


@eqx.filter_jit
def _harmonics(stack: Stack, freedom: Freedom, state: State, frequency) -> Harmonics:
    tangent = Tangent(stack, state)
    mean = Mean(tangent, freedom)

    def answer(frequency):
        # With x = x0 + Re(x1 e) + x_mean + Re(x2 e^2), e = exp(i omega t), the second-order part of the balance is
        # J x2 + M dx2/dt + (O'' + S'' d/dt)[Re(x1 e), Re(x1 e)] / 2 = 0, and Re(x1 e)^2 = (|x1|^2 + Re(x1^2 e^2)) / 2.
        first = tangent.response(tangent.factors(frequency), frequency)
        leaving, stored = _curvature(tangent, first)
        twice = 2 * frequency
        right = -0.25 * (_double(leaving) + 2j * jnp.pi * twice * _double(stored))
        second = tangent.solve(tangent.factors(twice), twice, right)
        still = mean.solve(*(-0.25 * (one[0] + one[2]) for one in (leaving, stored)))
        return -first[-1, -1], second[-1, -1], still[-1, -1]

    z, second, rectified = in_turns(answer, tangent.layout, frequency, CACHED // 2)
    return Harmonics(frequency, z + stack.series_resistance, second, rectified)


Three = Float[Array, "3 block row frequency"]


def _curvature(tangent: Tangent, change: Waves) -> tuple[Three, Three]:
    """Second derivatives of outflow and storage along (real, real), (real, imaginary), (imaginary, imaginary) parts."""

    def second(one, other):
        def slope(x):
            return jax.jvp(lambda x: tangent.balance(x)[:2], (x,), (one,))[1]

        return jax.jvp(slope, (tangent.x,), (other,))[1]

    pairs = jnp.stack([change.real, change.real, change.imag]), jnp.stack([change.real, change.imag, change.imag])
    of_each = jax.vmap(second, in_axes=-1, out_axes=-1)
    return jax.vmap(of_each)(*pairs)


def _double(along: Three) -> Waves:
    """The second derivative along (x1, x1), from those along the parts of x1."""
    return along[0] - along[2] + 2j * along[1]


class Mean:
    """Mean changes: J x = rows, while what the stack conserves stays as it was.

    J is singular in every amount that cannot leave (and in the voltage, if no direct current can pass). y J = 0 tells
    for each such freedom which sum of the rows vanishes identically, so that y (M x - stored) = 0 is what keeps x from
    drifting. J is made regular as in `steady`: one row of each freedom is traded for the unknown itself. What neither
    moves nor reacts stays, and so do films, which grow without end.
    """

    def __init__(self, tangent: Tangent, freedom: Freedom):
        self.tangent, layout = tangent, tangent.layout
        traded = _traded(tangent.stack, freedom, layout)
        self.replaced = np.zeros(tangent.x.shape, bool)
        for place in (*traded, *_kept(tangent.stack, layout)):
            self.replaced[place] = True
        (singular,) = jax.lax.stop_gradient(coloured(lambda dx: tangent.rows(dx)[:1], *tangent.x.shape))
        singular = with_identity(singular, layout.padding())
        regular = Tridiagonal(*(jnp.where(self.replaced[:, :, None, None], 0.0, part) for part in singular))
        self.factors = factorise(with_identity(regular, self.replaced), layout)
        units = [jnp.zeros(tangent.x.shape).at[place].set(1.0) for place in traded]
        self.free = [self._regular(unit) for unit in units]  # J x = 0
        transposed = jax.linear_transpose(self._regular, tangent.x)
        self.kept = [transposed(unit - _row(singular, *p))[0] for p, unit in zip(traded, units, strict=True)]  # y
        if self.free:
            amounts = jnp.stack([self._amounts(tangent.rows(free)[1]) for free in self.free], axis=1)
            self.inverse = jax.lax.stop_gradient(pivoted_inverse(amounts[..., None])[..., 0])

    def solve(self, rows: Float[Array, "block row frequency"], stored: Float[Array, "block row frequency"]):
        """Mean change of every unknown. rows and stored: what J x and M x (where it is conserved) have to be."""
        return jax.vmap(self._solve, in_axes=-1, out_axes=-1)(rows, stored)

    def _solve(self, rows: Blocks, stored: Blocks) -> Blocks:
        # as in Tangent: the elimination is taken as given, and refined with the balance itself
        answer = self._given(*jax.lax.stop_gradient((rows, stored)))
        leaving, moved = self.tangent.rows(answer)
        return answer - self._given(leaving - rows, moved - stored)

    def _given(self, rows: Blocks, stored: Blocks) -> Blocks:
        answer = self._regular(jnp.where(self.replaced, 0.0, rows))
        if not self.free:
            return answer
        missing = self._amounts(stored - self.tangent.rows(answer)[1])
        return answer + jnp.tensordot(self.inverse @ missing, jnp.stack(self.free), axes=1)

    def _regular(self, rows: Blocks) -> Blocks:
        return substitute(self.factors, rows[:, :, None, None], self.tangent.layout)[:, :, 0, 0]

    def _amounts(self, stored: Blocks) -> Float[Array, " freedom"]:
        return jnp.stack([jnp.sum(kept * stored) for kept in self.kept])


def _traded(stack: Stack, freedom: Freedom, layout: Layout) -> list[tuple[int, int]]:
    """Block and row of the unknown that stands for each freedom: u of a held carrier, the voltage."""
    places = []
    for held in freedom.inventories:
        region = freedom.regions[held.region]
        if region.junction is None:
            places.append((layout.nodes[region.layers[0]][0], stack.index(held.species)))
        else:
            places.append(
                (layout.junction[region.junction], layout.reactions + _slot(stack, region.junction, held.species))
            )
    if freedom.voltage:
        places.append((layout.metal, layout.width - 1))
    return places


def _kept(stack: Stack, layout: Layout) -> list[tuple[int, int]]:
    """Block and row of what does not change in the mean: immobile carriers without reactions, films, idle states."""
    places = []
    for layer, (first, last) in zip(stack.layers, layout.nodes, strict=True):
        idle = [c.species.name for c in layer.material.carriers if frozen(layer.material, c.species.name)]
        places += [(block, stack.index(name)) for name in idle for block in range(first, last)]
    for j, junction in enumerate(stack.junctions):
        reacting = [name for r in junction.reactions for name, _ in (*r.left, *r.right)]
        slots = [*range(junction.film.slots)]
        slots += [_slot(stack, j, kept.name) for kept in junction.states if kept.name not in reacting]
        places += [(layout.junction[j], layout.reactions + slot) for slot in slots]
    return places


def _slot(stack: Stack, j: int, name: str) -> int:
    """Which slot of junction j holds an interface state."""
    return stack.junctions[j].film.slots + [kept.name for kept in stack.junctions[j].states].index(name)


def _row(matrix: Tridiagonal, block: int, row: int) -> Blocks:
    """One row of the matrix, in blocks."""
    blocks, width = matrix.diagonal.shape[:2]
    found = jnp.zeros((blocks, width)).at[block].set(matrix.diagonal[block, row, :, 0])
    if block > 0:
        found = found.at[block - 1].set(matrix.lower[block, row, :, 0])
    return found.at[block + 1].set(matrix.upper[block, row, :, 0]) if block + 1 < blocks else found
