"""Atomistic interfaces as parts of one Dataset: candidates, visited structures, atoms, hops, defects, estimates.

Inside a Dataset energies per area are in J/m^2, of hops and defects in eV, lengths of atoms in angstrom. Every function
makes the variables of one part; `config.interface_course` merges them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr

from ionics.interfaces import drawing
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.interface import Interface
from ionics.results import scalar, variable

JOULE_PER_M2 = 16.02176634  # of an eV per square angstrom


def texts(dims: str, values: Sequence[str], name: str):
    """Words along a dimension, which a file can hold also where there are none."""
    return (dims,), np.array([str(value) for value in values], dtype=object), {"long_name": name}


def candidates(ranked: Sequence, searched: Collection[int]) -> xr.Dataset:
    """Every candidate in the order of its rank; `searched`: the rows that go on."""
    matches = [one.candidate.match for one in ranked]
    sides = [[_side(getattr(one.candidate, side)) for one in ranked] for side in ("left", "right")]
    dim = "candidate"
    numbers = {
        "candidate_score": ([one.score * JOULE_PER_M2 for one in ranked], "J/m^2", "score of the ranking, low is good"),
        "candidate_strain": ([m.strain for m in matches], "1", "largest principal strain of either slab"),
        "candidate_area": ([m.area for m in matches], "angstrom^2", "area of the common cell"),
        "candidate_atoms": ([one.candidate.atoms for one in ranked], "", "atoms of both slabs"),
        "candidate_dipole": (
            [max(map(abs, one.dipole)) for one in ranked], "e/angstrom", "larger dipole of the slabs per area"
        ),
        "candidate_passed": ([int(one.passed) for one in ranked], "", "whether it passes the audit"),
        "candidate_searched": ([int(k in searched) for k in range(len(ranked))], "", "whether it was searched"),
    }  # fmt: skip
    found = {name: variable((dim,), *how) for name, how in numbers.items()}
    found["candidate_left"] = texts(dim, sides[0], "plane and cut of the left slab")
    found["candidate_right"] = texts(dim, sides[1], "plane and cut of the right slab")
    found["candidate_reasons"] = texts(dim, ["; ".join(one.reasons) for one in ranked], "why it does not pass")
    return xr.Dataset(found)


def _side(cut) -> str:
    return f"({' '.join(map(str, cut.facet.plane))}) cut {cut.label}"


def visits(found, starts: Sequence[str]) -> xr.Dataset:
    """Every structure a search visited: a search.history.History, and the names of its starts."""
    return xr.Dataset(
        {
            "visit_energy": variable(("visit",), found.energy * JOULE_PER_M2, "J/m^2", "energy of joining the slabs"),
            "visit_calls": variable(("visit",), found.calls, "", "energy calls spent"),
            "visit_candidate": texts("visit", [starts[k] for k in found.start], "candidate"),
            "visit_operator": texts("visit", found.operator, "how it was made"),
            "visit_message": texts("visit", found.message, "what went wrong"),
        }
    )


def registry(found) -> xr.Dataset:
    """Energies over lateral shifts, a search.registry_map.RegistryMap."""
    dims = ("shift_a", "shift_b")
    return xr.Dataset(
        {"registry_energy": variable(dims, found.energy * JOULE_PER_M2, "J/m^2", "energy of joining the two slabs")},
        coords={
            "shift_a": variable(dims[:1], found.shift_a, "", "shift along a, as a fraction"),
            "shift_b": variable(dims[1:], found.shift_b, "", "shift along b, as a fraction"),
        },
    )


def atoms(interface: Interface) -> xr.Dataset:
    """The atoms of an interface, with how they are drawn."""
    symbols = interface.atoms.get_chemical_symbols()
    return xr.Dataset(
        {
            "atom_position": variable(("atom", "xyz"), interface.atoms.positions, "angstrom", "position"),
            "atom_symbol": texts("atom", symbols, "element"),
            "atom_side": variable(("atom",), interface.atoms.get_tags(), "", "slab: 1 left, 2 right"),
            "atom_charge": variable(("atom",), interface.oxidation, "e", "oxidation state"),
            "atom_radius": variable(("atom",), drawing.radii(symbols, interface.oxidation), "angstrom", "drawn radius"),
            "atom_colour": texts("atom", drawing.colours(symbols), "drawn colour"),
            "cell": variable(("axis", "xyz"), interface.atoms.cell.array, "angstrom", "vectors of the cell, rows"),
            "plane": scalar(interface.plane, "angstrom", "height of the plane"),
        }
    )


def hops(barriers: Sequence, distances: Sequence[float]) -> xr.Dataset:
    """Barriers (migration.neb.Barrier) and where they are [angstrom from the plane]; failed ones are nan."""
    images = max((len(one.energies) for one in barriers), default=0)
    energy, along = np.full((2, len(barriers), images), np.nan)
    for k, one in enumerate(barriers):
        energy[k, : len(one.energies)], along[k, : len(one.along)] = one.energies, one.along
    dims, dim = ("path", "image"), "path"
    return xr.Dataset(
        {
            "path_energy": variable(dims, energy, "eV", "energy above the initial state"),
            "path_coordinate": variable(dims, along, "angstrom", "way of all atoms together"),
            "path_forward": variable((dim,), [one.forward for one in barriers], "eV", "barrier forward"),
            "path_backward": variable((dim,), [one.backward for one in barriers], "eV", "barrier backward"),
            "path_converged": variable((dim,), [int(one.converged) for one in barriers], "", "whether it converged"),
            "path_distance": variable((dim,), distances, "angstrom", "middle of the hop from the plane"),
            "path_label": texts(dim, [one.label for one in barriers], "hop"),
            "path_mechanism": texts(dim, [one.mechanism for one in barriers], "mechanism"),
            "path_message": texts(dim, [one.message for one in barriers], "how it ended"),
        }
    )


def defects(rows: Sequence[tuple[str, float, float, float, str]]) -> xr.Dataset:
    """Rows of (kind, distance from the plane [angstrom], energy [eV], its error [eV], message)."""
    kinds, distance, energy, error, messages = zip(*rows, strict=True) if rows else ((),) * 5
    return xr.Dataset(
        {
            "site_distance": variable(("site",), np.array(distance, float), "angstrom", "distance from the plane"),
            "site_energy": variable(("site",), np.array(energy, float), "eV", "energy"),
            "site_error": variable(("site",), np.array(error, float), "eV", "one standard deviation"),
            "site_kind": texts("site", kinds, "defect"),
            "site_message": texts("site", messages, "what went wrong"),
        }
    )


def estimates(named: dict[str, Estimate]) -> xr.Dataset:
    """The numbers that are handed over, as they are written and as numbers."""
    rows = list(named.values())
    spread = [one.uncertainty if one.uncertainty is not None else np.nan for one in rows]
    factor = [one.factor if one.factor is not None else np.nan for one in rows]
    dim = "estimate"
    return xr.Dataset(
        {
            "estimate_value": variable((dim,), [one.value for one in rows], "", "value, in the unit beside it"),
            "estimate_uncertainty": variable((dim,), spread, "", "one standard deviation, in that unit"),
            "estimate_factor": variable((dim,), factor, "", "or one standard deviation as a factor"),
            "estimate_unit": texts(dim, [one.unit for one in rows], "unit"),
            "estimate_text": texts(dim, [one.entry()["value"] for one in rows], "value as written"),
            "estimate_spread": texts(dim, [one.entry()["uncertainty"] for one in rows], "uncertainty as written"),
            "estimate_source": texts(dim, [one.source for one in rows], "source"),
            "estimate_method": texts(dim, [one.method for one in rows], "method"),
        },
        coords={dim: texts(dim, list(named), "name")},
    )
