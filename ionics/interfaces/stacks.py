"""The two stacks that interfaces hand over: an electrode beside an electrolyte, and lithium metal on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ionics.interfaces.continuum import expect
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.handoff import (
    CHARGE_TRANSFER,
    IMPEDANCE,
    Handover,
    Part,
    crossing,
    handover,
    layer,
    lithium_metal,
)

RESERVOIR: Part = {"contact": "reservoir"}


def electrode_stack(
    electrode: tuple[str, Part | str],
    electrolyte: tuple[str, Part],
    side: str,
    barrier: Estimate,
    sites: Estimate,
    step: Estimate | None,
    temperature: float,
    occupancy: Estimate | None = None,
    thickness: tuple[str, str] = ("20 nm", "20 nm"),
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
    **said: Any,
) -> Handover:
    """An electrode beside an electrolyte, lithium crossing by an Eyring hop; the electrolyte ends in its bulk.

    electrode, electrolyte: name of the layer and its material; an electrode that is the name of a library material
    holds neutral lithium and electrons, one that is a part (`single_ion`) holds Li+ in a charge that does not move.
    side: of the electrode, 'left' or 'right'; occupancy: of it, needed for a library material. step: as it would be
    written with these sides [V], `built_in` gives it. thickness: of the electrode and the electrolyte; profiles: by
    layer, carrier. said: title, atoms, models, settings, study of `handover`.
    """
    if side not in ("left", "right"):
        raise AtomsError(f"an electrode on the side {side!r}", "left or right")
    mixed = isinstance(electrode[1], str)
    if mixed and occupancy is None:
        raise AtomsError(f"how much lithium {electrode[0]} holds is not said", "occupancy, e.g. 0.6")
    along = {} if profiles is None else profiles
    materials = {f"{name} of atoms": part for name, part in (electrode, electrolyte) if not isinstance(part, str)}
    filled = {} if occupancy is None else {"Li" if mixed else "Li+": f"{expect(occupancy, '', 'the filling'):.6g}"}
    own = {"occupancy": filled} if filled else {}
    one = layer(electrode[0], electrode[1] if mixed else f"{electrode[0]} of atoms", thickness[0], **own)
    other = layer(electrolyte[0], f"{electrolyte[0]} of atoms", thickness[1])
    for slab in (one, other):
        slab |= {"profiles": along[slab["name"]]} if slab["name"] in along else {}
    layers, ends = [one, other], [{"contact": "ohmic"} if mixed else RESERVOIR, RESERVOIR]
    if side == "right":
        layers.reverse()
        ends.reverse()
    name = " | ".join(slab["name"] for slab in layers)
    junction = crossing(barrier, sites, step, CHARGE_TRANSFER if mixed else None)
    if mixed:
        said["study"] = {"state_of_charge": {electrode[0]: filled}} | (said.get("study") or IMPEDANCE)
    return handover(
        temperature=temperature, materials=materials, layers=layers, left=ends[0], right=ends[1],
        junctions={name: junction}, **said,
    )  # fmt: skip


def lithium_stack(
    electrolyte: tuple[str, Part],
    step: Estimate,
    temperature: float,
    thickness: str,
    barrier: Estimate | None = None,
    sites: Estimate | None = None,
    profiles: Mapping[str, Any] | None = None,
    **said: Any,
) -> Handover:
    """Lithium metal, left, on an electrolyte that ends in its bulk; step: of `built_in` with side 'left' [V]."""
    slab = layer(electrolyte[0], f"{electrolyte[0]} of atoms", thickness)
    slab |= {"profiles": profiles} if profiles else {}
    materials = {slab["material"]: electrolyte[1]}
    metal = lithium_metal(step, barrier, sites)
    return handover(temperature=temperature, materials=materials, layers=[slab], left=metal, right=RESERVOIR, **said)
