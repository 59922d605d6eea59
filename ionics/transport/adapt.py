"""Meshes that follow the solution: a strong space charge is thinner than the Debye length of the bulk."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from ionics.constants import GAS, VACUUM_PERMITTIVITY
from ionics.laws import Curve
from ionics.transport.balance import node_ranges, profiles
from ionics.transport.equilibrium import Occupancies, checked, equilibrium
from ionics.transport.grid import crowded
from ionics.transport.newton import NO_EQUILIBRIUM, OK, Solution
from ionics.transport.stack import FINEST, Layer, Stack, debye_length, ends_mesh

ROUNDS = 12  # to find the screening lengths at the ends
PASSES = 3  # to find where the solution is steep
CLOSE = 1.3  # ratio of screening lengths below which a mesh need not change
SHARE = 0.5  # of the nodes that follow the solution
FINE = 4001  # points on which the profiles of a layer are sampled, beside their knots
WEAK = 0.5  # RT/F: a layer whose potential varies by less keeps its mesh


def resolved(
    stack: Stack, *, voltage: float | None = None, occupancy: Occupancies | None = None, flowing: bool = False
) -> tuple[Stack, Solution]:
    """Equilibrium on meshes that follow it: the same stack with better placed nodes, and its solution.

    First each layer is graded to the screening length found at its ends, the smaller of the Debye length and RT/(F E);
    then half of the nodes move to where the charge is curved or the potential steep. Node counts stay, so nothing is
    compiled again. flowing: the stack need not have an equilibrium, what comes next drives it.
    Raises NotConverged.
    """
    bulk = [max(float(debye_length(layer.material, stack.temperature)), FINEST) for layer in stack.layers]
    lengths = [(length, length) for length in bulk]
    for _ in range(ROUNDS):
        solution = equilibrium(stack, voltage=voltage, occupancy=occupancy, throw=False)
        found = [
            tuple(max(min(length, own), FINEST) for own in ends)
            for length, ends in zip(bulk, _field_lengths(stack, solution), strict=True)
        ]
        change = np.abs(np.log(np.array(found)) - np.log(np.array(lengths)))
        if int(solution.result) not in (OK, NO_EQUILIBRIUM) or not np.nanmax(change, initial=0.0) > np.log(CLOSE):
            break
        lengths = found
        stack = _with_meshes(stack, lengths)
    where = _along(stack, lengths)
    bent = [np.ptp(phi) > WEAK * float(stack.thermal_voltage) for phi in _potentials(stack, solution)]
    for _ in range(PASSES if any(bent) and int(solution.result) == OK else 0):
        profile = zip(_charges(stack, solution), _potentials(stack, solution), strict=True)
        for i, (charge, phi) in enumerate(profile):
            if bent[i]:
                where[i] = crowded(where[i], np.asarray(stack.layers[i].spacing), charge, phi, SHARE)
        stack = _with_meshes(stack, lengths, where)
        solution = equilibrium(stack, voltage=voltage, occupancy=occupancy, throw=False)
    return stack, checked(solution, not (flowing and int(solution.result) == NO_EQUILIBRIUM))


def _with_meshes(stack: Stack, lengths: list[tuple[float, float]], where: list[np.ndarray] | None = None) -> Stack:
    """Each layer graded to the screening lengths [m] at its ends, its nodes at `where` in that grading."""
    where = where or _along(stack, lengths)
    spacings = [
        ends_mesh(layer.material, float(layer.thickness), lengths[i], layer.nodes, where[i])
        for i, layer in enumerate(stack.layers)
    ]
    return eqx.tree_at(lambda s: [layer.spacing for layer in s.layers], stack, spacings)


def _along(stack: Stack, lengths: list[tuple[float, float]]) -> list[np.ndarray]:
    return [along(layer, own, float(stack.temperature)) for layer, own in zip(stack.layers, lengths, strict=True)]


def along(layer: Layer, lengths: tuple[float, float], temperature: float) -> np.ndarray:
    """Positions of the nodes in the grading towards the ends: uniform, or half of them where the profiles change.

    lengths: screening lengths [m] at either end. The profiles are sampled on a fine grading that holds their knots.
    """
    curves = [(p.energy, 1 / (GAS * temperature)) for p in layer.profiles if p.energy is not None]
    curves += [(p.log_diffusivity, 1.0) for p in layer.profiles if p.log_diffusivity is not None]
    if not curves:
        return np.linspace(0, 1, layer.nodes)
    thickness = float(layer.thickness)
    even = np.linspace(0, 1, FINE)
    fine = ends_mesh(layer.material, thickness, lengths, FINE)
    x = thickness * np.concatenate([[0], np.cumsum(np.asarray(fine))])
    knots = np.concatenate([np.asarray(curve.knots) for curve, _ in curves])
    inside = np.interp(knots[(knots > 0) & (knots < thickness)], x, even)
    where = np.unique(np.concatenate([even, inside]))
    x = np.interp(where, even, x)
    change = np.sum([scale * sampled(curve, x) for curve, scale in curves], axis=0)
    where, x, change = (v[np.append(True, np.diff(x) > 0)] for v in (where, x, change))
    return np.interp(
        np.linspace(0, 1, layer.nodes), np.linspace(0, 1, len(x)), crowded(where, np.diff(x), change, change, SHARE)
    )


def sampled(curve: Curve, x: np.ndarray) -> np.ndarray:
    """A curve at many points, without compiling for their number."""
    from scipy.interpolate import PchipInterpolator

    knots = np.asarray(curve.knots)
    return PchipInterpolator(knots, np.asarray(curve.values))(np.clip(x, knots[0], knots[-1]))


def _field_lengths(stack: Stack, solution: Solution) -> list[tuple[float, float]]:
    """RT/(F E) just inside the left and right end of each layer [m]."""
    lengths = []
    displacement = np.asarray(solution.state.displacement)
    for i, layer in enumerate(stack.layers):
        eps = VACUUM_PERMITTIVITY * float(layer.material.permittivity)
        ends = (displacement[i] + float(stack.junctions[i].surface_charge), displacement[i + 1])
        lengths.append(tuple(float(stack.thermal_voltage) * eps / max(abs(float(d)), 1e-30) for d in ends))
    return lengths


def _potentials(stack: Stack, solution: Solution) -> list[np.ndarray]:
    phi = np.asarray(solution.state.phi)
    return [phi[nodes] for nodes in node_ranges(stack)]


def _charges(stack: Stack, solution: Solution) -> list[np.ndarray]:
    """Mobile charge density at the nodes of each layer [mol m-3]."""
    density = np.nan_to_num(np.asarray(profiles(stack, solution.state).concentration))
    rho = np.array([s.charge for s in stack.species]) @ density
    return [rho[nodes] for nodes in node_ranges(stack)]
