"""One problem as one writes it for itself: two dilute carriers and Poisson's equation, numpy and a banded solver.

Three layers of cations and anions, one of them with fixed charge; both cross the junctions in equilibrium, the
contacts are metals with the cation in equilibrium (or blocked), the anion cannot leave. Scharfetter-Gummel fluxes, the
Jacobian by hand in band storage, unknowns interleaved node by node, scipy.linalg.solve_banded in every Newton step and
at every frequency, IDA of SUNDIALS (scikit-sundae) with the same Jacobian in time. It knows nothing else: no other
statistics, kinetics, shares of the elements or derivatives. `stack` states the same problem in the words of ionics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_banded

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.laws import Constant
from ionics.transport.stack import Carrier, Junction, Layer, Material, Species, Stack, graded_mesh, transfer
from ionics.transport.statistics import Dilute

T = 298.15
THERMAL = GAS * T / FARADAY  # V
CHARGE = np.array([1.0, -1.0])
LOWER, UPPER = 3, 5  # bands below and above the diagonal
TOLERANCE, LONGEST, STEPS = 1e-9, 4.0, 100  # of Newton's corrections, in RT


@dataclass(frozen=True)
class Problem:
    """Numbers of the three layers."""

    thickness: np.ndarray  # m [layer]
    permittivity: np.ndarray  # relative [layer]
    diffusivity: np.ndarray  # m2 s-1 [layer, carrier]
    amount: np.ndarray  # mol m-3 [layer, carrier]
    fixed: np.ndarray  # mol m-3, signed [layer]


STANDARD = Problem(
    np.array([2e-7, 1e-7, 3e-7]),
    np.array([10.0, 20.0, 15.0]),
    np.array([[1e-12, 1e-12], [1e-13, 3e-13], [3e-13, 1e-13]]),
    np.array([[1.0, 1.0], [0.3, 0.7], [2.0, 2.0]]),
    np.array([0.0, 0.4, 0.0]),
)


def varied(seed: int, spread: float = 2.0) -> Problem:
    """The standard problem with every number changed by up to a factor; the layers stay neutral as they are."""
    rng = np.random.default_rng(seed)

    def by(values):
        return values * spread ** rng.uniform(-1, 1, np.shape(values))

    amount = by(STANDARD.amount.mean(axis=1))
    fixed = amount * rng.uniform(-0.5, 0.5, 3)
    amounts = np.stack([amount - np.minimum(fixed, 0), amount + np.maximum(fixed, 0)], axis=1)
    return Problem(by(STANDARD.thickness), by(STANDARD.permittivity), by(STANDARD.diffusivity), amounts, fixed)


def stack(problem: Problem, nodes: int, reversible: bool = True) -> Stack:
    """The problem in ionics' words, with that many nodes in each layer."""
    species = (Species("C+", 1), Species("A-", -1))
    layers = []
    for i, thickness in enumerate(problem.thickness):
        numbers = zip(species, problem.amount[i], problem.diffusivity[i], strict=True)
        carriers = tuple(Carrier(one, Dilute(), 1.0, c, Constant(d)) for one, c, d in numbers)
        material = Material(f"material {i}", carriers, problem.permittivity[i], problem.fixed[i])
        layers.append(Layer(f"layer {i}", material, thickness, graded_mesh(material, thickness, T, nodes)))
    cross = (transfer("C+"), transfer("A-"))
    ends = (transfer("C+"),) if reversible else ()
    inner = (Junction(f"{i} | {i + 1}", cross) for i in range(len(layers) - 1))
    return Stack(species, tuple(layers), (Junction("left", ends), *inner, Junction("right", ends)), T)


def by_hand(cell: Stack, problem: Problem, reversible: bool = True) -> ByHand:
    """The same problem on the same nodes."""
    return ByHand(problem, [np.asarray(layer.spacing) for layer in cell.layers], reversible)


def bernoulli(x):
    """x / (exp(x) - 1) and its slope."""
    near = np.abs(x) < 1e-2
    safe = np.where(near, 1.0, x)
    below = np.expm1(safe)
    far = safe / below
    b = np.where(near, 1 - x / 2 + x**2 / 12 - x**4 / 720, far)
    return b, np.where(near, -0.5 + x / 6 - x**3 / 180, (1 - far - safe) / below)


class ByHand:
    """Where two layers meet in equilibrium their end nodes are one node with two half cells.

    y [node, 3]: log c of the cation, log c of the anion (c in mol m-3), F phi / RT against the left metal. Rows: what
    leaves each cell [mol m-2 s-1], Gauss' law [mol m-2]; at the contacts the potential of the metal and, if it is in
    equilibrium there, the cation's c = 1 mol m-3.
    """

    def __init__(self, problem: Problem, spacings: list[np.ndarray], reversible: bool = True):
        self.reversible = reversible
        h = np.concatenate([s * thickness for s, thickness in zip(spacings, problem.thickness, strict=True)])
        of_face = np.repeat(np.arange(len(spacings)), [len(s) for s in spacings])
        eps, fixed = problem.permittivity[of_face], problem.fixed[of_face]
        half = np.stack([np.pad(h / 2, (0, 1)), np.pad(h / 2, (1, 0))])
        self.nodes, self.volume = len(h) + 1, half.sum(axis=0)
        self.background = np.pad(fixed, (0, 1)) * half[0] + np.pad(fixed, (1, 0)) * half[1]
        self.conductance = problem.diffusivity[of_face].T / h
        self.permittivity = VACUUM_PERMITTIVITY * eps / h * THERMAL / FARADAY  # mol m-2 per RT/F
        amount = problem.amount[of_face].T
        self.amount = (np.pad(amount, ((0, 0), (0, 1))) * half[0] + np.pad(amount, ((0, 0), (1, 0))) * half[1]).sum(1)
        self.diagonal_gauss = np.pad(self.permittivity, (0, 1)) + np.pad(self.permittivity, (1, 0))
        self.weight = 1 / self.permittivity / np.sum(1 / self.permittivity)  # of each face in the current

    # The equations

    def flux(self, y):
        """Scharfetter-Gummel [mol m-2 s-1], carrier by face."""
        c = np.exp(y[:, :2].T)
        drop = np.diff(y[:, 2])
        b, _ = bernoulli(drop)
        return self.conductance * np.stack(
            [b * c[0, :-1] - (b + drop) * c[0, 1:], (b + drop) * c[1, :-1] - b * c[1, 1:]]
        )

    def outflow(self, y, voltage):
        """Rows of the balance without what is stored."""
        rows = np.empty_like(y)
        rows[:, :2] = np.diff(self.flux(y), prepend=0, append=0).T
        field = np.diff(y[:, 2]) * self.permittivity
        content = np.exp(y[:, :2]) * self.volume[:, None]
        rows[:, 2] = -np.diff(field, prepend=0, append=0) - content[:, 0] + content[:, 1] - self.background
        rows[0, 2], rows[-1, 2] = y[0, 2], y[-1, 2] - voltage
        if self.reversible:
            rows[0, 0], rows[-1, 0] = y[0, 0], y[-1, 0]
        return rows

    def stored(self, y):
        """Diagonal of the storage [mol m-2], node by row."""
        content = np.zeros_like(y)
        content[:, :2] = np.exp(y[:, :2]) * self.volume[:, None]
        if self.reversible:
            content[0, 0] = content[-1, 0] = 0.0
        return content

    def jacobian(self, y):
        """Of outflow, in band storage [row, column]."""
        ab = np.zeros((LOWER + UPPER + 1, 3 * self.nodes))
        content = np.exp(y[:, :2].T)
        drop = np.diff(y[:, 2])
        b, slope = bernoulli(drop)
        for k, (forth, back) in enumerate(((b, b + drop), (b + drop, b))):  # F phi rises: cations back, anions on
            left = self.conductance[k] * forth * content[k, :-1]
            right = -self.conductance[k] * back * content[k, 1:]
            change = (slope, slope + 1) if k == 0 else (slope + 1, slope)
            drift = self.conductance[k] * (change[0] * content[k, :-1] - change[1] * content[k, 1:])
            own, other = ab[:, k::3], ab[:, 2::3]  # by the carrier itself and by the potential of a node
            own[UPPER, :-1] += left
            own[UPPER, 1:] -= right
            own[UPPER - 3, 1:] = right
            own[UPPER + 3, :-1] = -left
            other[UPPER + k - 2, :-1] -= drift
            other[UPPER + k - 2, 1:] -= drift
            other[UPPER + k - 5, 1:] = drift
            other[UPPER + k + 1, :-1] = drift
            own[UPPER + 2 - k] = -CHARGE[k] * content[k] * self.volume
        potential = ab[:, 2::3]
        potential[UPPER] = self.diagonal_gauss
        potential[UPPER - 3, 1:] = potential[UPPER + 3, :-1] = -self.permittivity
        rows = (0, 2) if self.reversible else (2,)
        for row in rows:
            self.hold(ab, row)
            self.hold(ab, 3 * (self.nodes - 1) + row)
        return ab

    @staticmethod
    def hold(ab, row):
        """Make a row that of a held unknown."""
        for column in range(max(0, row - LOWER), min(ab.shape[1], row + UPPER + 1)):
            ab[UPPER + row - column, column] = 0.0
        ab[UPPER, row] = 1.0

    # Questions

    def flat(self):
        """Everything mixed, no field."""
        y = np.zeros((self.nodes, 3))
        y[:, :2] = np.log(self.amount / self.volume.sum())
        return y

    def newton(self, y, voltage):
        """Nothing accumulates; what cannot leave keeps its amount: its row at the first node is traded for that."""
        y, trapped = y.copy(), (1,) if self.reversible else (0, 1)
        level = np.array([y[0, k] + CHARGE[k] * y[0, 2] for k in trapped])
        many = len(trapped)
        for steps in range(1, STEPS + 1):
            rows, ab = self.outflow(y, voltage), self.jacobian(y)
            content = np.exp(y[:, :2].T) * self.volume
            right = np.zeros((3 * self.nodes, 1 + many))
            for n, k in enumerate(trapped):
                self.hold(ab, k)
                ab[UPPER + k - 2, 2] = CHARGE[k]
                rows[0, k] = y[0, k] + CHARGE[k] * y[0, 2] - level[n]
                right[k, 1 + n] = 1.0
            right[:, 0] = -rows.ravel()
            found = solve_banded((LOWER, UPPER), ab, right, overwrite_ab=True, overwrite_b=True, check_finite=False)
            found = found.reshape(self.nodes, 3, 1 + many)
            slopes = np.stack([content[k] @ found[:, k] for k in trapped])
            wanting = np.array([self.amount[k] - content[k].sum() for k in trapped])
            d_level = np.linalg.solve(slopes[:, 1:], wanting - slopes[:, 0])
            change = found[:, :, 0] + found[:, :, 1:] @ d_level
            size = np.abs(change).max()
            step = min(1.0, LONGEST / size) if size > 0 else 1.0
            y, level = y + step * change, level + step * d_level
            if size < TOLERANCE:
                self.steps = steps
                return y
        raise RuntimeError("Newton's method did not converge")

    def equilibrium(self):
        """From a flat guess, with the same equations as everything else."""
        return self.newton(self.flat(), 0.0)

    def poisson_boltzmann(self):
        """The equilibrium by what holds there only: one unknown a node, bordered by a constant of each carrier."""
        n, phi = self.nodes, np.zeros(self.nodes)
        mu = np.log(self.amount / self.volume.sum())
        free = np.array([not self.reversible, True])
        mu[~free] = 0.0
        for _ in range(STEPS):
            content = np.exp(mu[:, None] - CHARGE[:, None] * phi) * self.volume
            field = np.diff(phi) * self.permittivity
            rows = -np.diff(field, prepend=0, append=0) - CHARGE @ content - self.background
            ab = np.zeros((3, n))
            ab[0, 1:] = ab[2, :-1] = -self.permittivity
            ab[1] = content.sum(axis=0) + self.diagonal_gauss
            right = np.vstack([rows, -CHARGE[free, None] * content[free]])
            for end, off in ((0, (0, 1)), (-1, (2, -2))):
                ab[1, end], ab[off] = 1.0, 0.0
                right[:, end] = 0.0
            solved = solve_banded((1, 1), ab, right.T, overwrite_ab=True, overwrite_b=True, check_finite=False).T
            along = -CHARGE[free, None] * content[free]  # of the amounts with phi
            sums = content[free].sum(axis=1)
            schur = np.diag(sums) - along @ solved[1:].T
            d_mu = np.linalg.solve(schur, along @ solved[0] - (sums - self.amount[free]))
            d_phi = -solved[0] - d_mu @ solved[1:]
            size = np.abs(d_phi).max()
            step = min(1.0, LONGEST / max(size, 1e-300))
            phi, mu[free] = phi + step * d_phi, mu[free] + step * d_mu
            if size < TOLERANCE:
                return np.stack([mu[0] - phi, mu[1] + phi, phi], axis=1)
        raise RuntimeError("no equilibrium")

    def steady(self, start, voltage):
        """Under a voltage [RT/F] from a state next to it."""
        return self.newton(start, voltage)

    def current(self, y):
        """A m-2 from left to right while the voltage stands still, by the theorem of Ramo and Shockley."""
        return FARADAY * self.weight @ (CHARGE @ self.flux(y))

    def impedance(self, y, frequency):
        """-dV/dI [Ohm m2], one complex banded solve per frequency."""
        still, moving = self.jacobian(y), self.stored(y).ravel()
        kick = np.zeros(3 * self.nodes, complex)
        kick[-1] = 1.0
        z = np.empty(len(frequency), complex)
        faces = self.jacobian_of_current(y)
        elastance = np.sum(1 / self.permittivity)
        for i, omega in enumerate(2 * np.pi * np.asarray(frequency)):
            ab = still.astype(complex)
            ab[UPPER] += 1j * omega * moving
            x = solve_banded((LOWER, UPPER), ab, kick, overwrite_ab=True, check_finite=False)
            # every face in parts of its elastance, the displacement of all of them is that of the terminals
            current = faces @ x - 1j * omega * FARADAY / elastance
            z[i] = -THERMAL / current
        return z

    def jacobian_of_current(self, y):
        """d current / dy [A m-2], flat."""
        content, row = np.exp(y[:, :2].T), np.zeros((self.nodes, 3))
        drop = np.diff(y[:, 2])
        b, slope = bernoulli(drop)
        for k, (forth, back) in enumerate(((b, b + drop), (b + drop, b))):
            scale = FARADAY * CHARGE[k] * self.weight * self.conductance[k]
            row[:-1, k] += scale * forth * content[k, :-1]
            row[1:, k] -= scale * back * content[k, 1:]
            change = (slope, slope + 1) if k == 0 else (slope + 1, slope)
            drift = scale * (change[0] * content[k, :-1] - change[1] * content[k, 1:])
            row[:-1, 2] -= drift
            row[1:, 2] += drift
        return row.ravel()

    def stepped(self, y, voltage):
        """The state just after a step of the voltage: no carrier has moved, the potential solves Gauss' law."""
        y = y.copy()
        rise = np.pad(np.cumsum(1 / self.permittivity), (1, 0))
        y[:, 2] += (voltage - y[-1, 2]) * rise / rise[-1]
        return y

    def transient(self, y, voltage, times, rtol, atol=None):
        """States at times [s] after a step of the voltage [RT/F] at 0, by IDA. Returns [time, node, 3] and the answer.

        atol is that of log c and of F phi / RT, all of order one; like rtol unless given.
        """
        from sksundae.ida import IDA

        n = self.nodes
        y0 = self.stepped(y, voltage)
        moving = self.stored(y0).ravel() > 0
        size = 3 * n
        column = np.arange(size)
        offset = np.arange(LOWER + UPPER + 1)[:, None] - UPPER
        row = np.broadcast_to(column + offset, (LOWER + UPPER + 1, size))
        inside = (row >= 0) & (row < size)
        flat = (row * size + column)[inside]

        def residual(t, y, yp, out):
            y = y.reshape(n, 3)
            out[:] = (self.outflow(y, voltage) + self.stored(y) * yp.reshape(n, 3)).ravel()

        def slope(t, y, yp, out, cj, matrix):
            y = y.reshape(n, 3)
            ab = self.jacobian(y)
            ab[UPPER] += (self.stored(y) * (cj + yp.reshape(n, 3))).ravel()
            matrix.reshape(-1)[flat] = ab[inside]

        yp0 = np.zeros(size)
        rows, content = self.outflow(y0, voltage).ravel(), self.stored(y0).ravel()
        yp0[moving] = -rows[moving] / content[moving]
        solver = IDA(
            residual,
            jacfn=slope,
            linsolver="band",
            lband=LOWER,
            uband=UPPER,
            rtol=rtol,
            atol=rtol if atol is None else atol,
            algebraic_idx=np.flatnonzero(~moving),
            first_step=1e-12,
            max_num_steps=100_000,
        )
        answer = solver.solve(np.concatenate([[0.0], times]), y0.ravel(), yp0)
        if not answer.success:
            raise RuntimeError(answer.message)
        return answer.y[1:].reshape(-1, n, 3), answer
