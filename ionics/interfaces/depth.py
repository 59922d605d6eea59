"""Energies of defects against their distance from the plane of an interface, and as a profile for a continuum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionics.interfaces.continuum import BOLTZMANN_EV
from ionics.interfaces.defects import Computed
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.interface import LEFT, RIGHT, Interface

NM = 0.1  # nm in an angstrom


@dataclass(frozen=True)
class Depth:
    """Energies of one kind of defect in one slab, less their mean in its middle; sorted by distance."""

    distance: np.ndarray  # angstrom, from the plane, never negative, (points,)
    energy: np.ndarray  # eV, (points,)
    error: np.ndarray  # eV, (points,), one standard deviation
    reach: float  # angstrom: from here on the slab counts as bulk
    reference: float  # eV, mean in the middle, against the perfect structure
    scatter: float  # eV, standard deviation in the middle
    source: str
    method: str


def segregation(
    interface: Interface, tag: int, computed: Computed, model_error: float, follows: bool | None = None
) -> Depth:
    """Segregation energies of lone vacancies or interstitials, or of Frenkel pairs, in one slab.

    The middle is the inner third of the slab; a pair stands half-way between its defects. model_error [eV]: what is
    known about the potential, such as its mean error for barriers or energies of this kind; follows: whether the
    electrons of this slab may follow a lithium (an electrode), which a potential for neutral atoms needs for lone
    defects.
    """
    alone = [(d.removed is None) != (d.added is None) for d in computed.defects]
    if any(alone) and not computed.fixed_charges and not follows:
        raise AtomsError(
            f"lone defects of {_name(interface, tag)} by {computed.model}, which moves lithium with its electron: in "
            "an electrolyte that is another defect",
            "Frenkel pairs, or follows=True for an electrode that takes and gives electrons, or a field of charges",
        )
    own = _slab(interface, tag)
    where = np.full(len(computed.defects), np.nan)
    here = np.zeros(len(where), bool)
    for k in np.flatnonzero(computed.good):
        heights = np.array([computed.empty[k, 2], computed.extra[k, 2]]) - interface.plane
        heights = heights[np.isfinite(heights)]
        where[k] = heights.mean()
        here[k] = bool(np.all((heights >= own[0]) & (heights <= own[1])))
    near, far = sorted(abs(edge) for edge in own)
    reach, end = near + (far - near) / 3, near + 2 * (far - near) / 3
    distance, energy = np.abs(where[here]), computed.energy[here]
    middle = energy[(distance >= reach) & (distance <= end)]
    if len(middle) < 2:
        raise AtomsError(
            f"{len(middle)} defects in the middle of the slab of {_name(interface, tag)}, {reach:.1f} to {end:.1f} "
            "angstrom from the plane: nothing stands for its bulk",
            "a thicker slab, or more defects",
        )
    reference, scatter = float(middle.mean()), float(middle.std(ddof=1))
    order = np.argsort(distance)
    order = order[distance[order] <= end]
    error = math.hypot(scatter, model_error)
    method = (
        f"relaxed defects less their mean over {len(middle)} in the middle third of the slab; error: scatter there, "
        f"{scatter:.2g} eV, and {model_error:.2g} eV of the potential"
    )
    found = distance[order], energy[order] - reference, np.full(len(order), error)
    return Depth(*found, reach, reference, scatter, f"{interface.left} | {interface.right}; {computed.model}", method)


def formation(depth: Depth, bulk: Computed) -> tuple[float, float]:
    """Energy in the middle of the slab less that in a bulk supercell, lowest of each [eV], and its error.

    Zero within its error says that the middle is a bulk; else strain or thickness speak.
    """
    if not bulk.good.any():
        raise AtomsError("no defect of the bulk was computed: " + "; ".join(bulk.messages), "another supercell")
    if depth.scatter < 0 or bulk.model not in depth.source:
        raise AtomsError(f"a bulk by {bulk.model} for a slab by {depth.source}", "the same potential")
    inner = depth.energy[depth.distance >= depth.reach] + depth.reference
    return float(inner.min() - bulk.energy[bulk.good].min()), depth.scatter


@dataclass(frozen=True)
class Transfers:
    """Lithium that went to the other slab: where it left and where it is now [angstrom from the plane], (rows,)."""

    left_from: np.ndarray  # negative: it left the left slab
    now_at: np.ndarray
    energy: np.ndarray  # eV
    error: np.ndarray  # eV


def transfer_energies(interface: Interface, computed: Computed, model_error: float) -> Transfers:
    """Of every lithium in `computed` that changed its slab; no reference of lithium enters."""
    start, end = computed.empty[:, 2] - interface.plane, computed.extra[:, 2] - interface.plane
    went = computed.good & (start * end < 0)
    return Transfers(start[went], end[went], computed.energy[went], np.full(int(went.sum()), model_error))


def combined(interface: Interface, out: Computed, put: Computed, model_error: float) -> Transfers:
    """Every vacancy with every interstitial of the other slab, far from each other: the sum of their energies.

    Of ions in a field of fixed charges only: there the number of ions and the charge stay in the sum.
    """
    if not (out.fixed_charges and put.fixed_charges) or out.model != put.model:
        raise AtomsError(
            f"lone defects by {out.model} and {put.model} do not add up to a lithium that moved: a potential for "
            "neutral atoms leaves an electron here and a hole there",
            "`transfers` in one cell, or one field of fixed charges for both",
        )
    start, end = out.empty[:, 2] - interface.plane, put.extra[:, 2] - interface.plane
    i, j = np.nonzero(np.outer(out.good, put.good) & (start[:, None] * end[None, :] < 0))
    error = np.full(len(i), math.sqrt(2) * model_error)
    return Transfers(start[i], end[j], out.energy[i] + put.energy[j], error)


def binned(depth: Depth, width: float, temperature: float) -> Depth:
    """One point a slice of `width` [angstrom]: -kT ln of the mean of exp(-E/kT) over its sites.

    That is what a rare defect sees of sites of many energies. Errors: those of the sites, weighted alike.
    """
    kt = BOLTZMANN_EV * temperature
    slices = np.floor(depth.distance / width).astype(int)
    rows = []
    for one in np.unique(slices):
        own = slices == one
        energy = depth.energy[own]
        low = energy.min()
        weights = np.exp(-(energy - low) / kt)
        share = weights / weights.sum()
        scatter = float(np.sqrt((share**2 * depth.error[own] ** 2).sum()))
        rows.append((float(share @ depth.distance[own]), low - kt * math.log(weights.mean()), scatter))
    distance, energy, error = (np.array(column) for column in zip(*rows, strict=True))
    method = f"{depth.method}; -kT ln<exp(-E/kT)> over slices of {width:g} angstrom at {temperature:g} K"
    return Depth(distance, energy, error, depth.reach, depth.reference, depth.scatter, depth.source, method)


def energy_profile(depth: Depth, tag: int, thickness: float, share: float = 1.0) -> dict[str, Any]:
    """The key `energy` of a profile: mu0 of a carrier less that of its bulk, along a layer of `thickness` [nm].

    share: 1/2 of a Frenkel pair for each of its defects. From `reach` on the layer is bulk: exactly zero there, so that
    the composition of the material is that of the layer.
    """
    if thickness < depth.reach * NM:
        raise AtomsError(
            f"a layer of {thickness:g} nm is thinner than what the interface changes, {depth.reach * NM:.3g} nm",
            "a thicker layer",
        )
    near = depth.distance < depth.reach
    if not near.any():
        raise AtomsError(
            "no defects between the plane and the middle of the slab", "smaller fixed parts, or more defects"
        )
    points: list[tuple[float, Any]] = [
        (distance * NM, Estimate(share * energy, "eV", depth.source, depth.method, share * error))
        for distance, energy, error in zip(depth.distance[near], depth.energy[near], depth.error[near], strict=True)
    ]
    points.append((depth.reach * NM, "0 eV"))
    if tag == LEFT:
        points = [(thickness - distance, energy) for distance, energy in reversed(points)]
    return {"position": [f"{x:.6g} nm" for x in _apart([x for x, _ in points])], "energy": [e for _, e in points]}


def _apart(positions: Sequence[float]) -> list[float]:
    """Increasing: points of one height stand a thousandth of a nanometre apart."""
    found = [positions[0]]
    for x in positions[1:]:
        found.append(max(x, found[-1] + 1e-3))
    return found


def _slab(interface: Interface, tag: int) -> tuple[float, float]:
    """Heights [angstrom] of the lowest and highest atom of a slab above the plane."""
    own = interface.distance[interface.side(tag)]
    if not len(own):
        raise AtomsError(f"no atoms of {_name(interface, tag)} in the interface", "tags 1 and 2")
    return float(own.min()), float(own.max())


def _name(interface: Interface, tag: int) -> str:
    return {LEFT: interface.left, RIGHT: interface.right}[tag]
