"""A cell fitted to discharges, capacities, titrations and spectra: one pytree, one likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.cells.cell import Cell
from ionics.fitting.across import Spread
from ionics.fitting.cells.groups import Determination, determination
from ionics.fitting.cells.knots import Knot
from ionics.fitting.cells.packing import title
from ionics.fitting.cells.problem import CellPosed
from ionics.fitting.cells.records import Discharge, Impedance, Rates, Record, Titration
from ionics.fitting.cells.result import CellFit, fitted
from ionics.fitting.cells.states import Specimen
from ionics.fitting.leastsquares import Options, Tell, estimated, fields_of, random_starts, settled
from ionics.fitting.model import Free, Parameter, Prior
from ionics.fitting.posed import Unknowns, linearised
from ionics.fitting.spectrum import DataError

REACH = 4.0  # random starts lie within this factor of the given one,
PART = 0.25  # or within this part of the range on a linear scale
KINDS = {Discharge: "discharges", Rates: "capacities", Titration: "titrations", Impedance: "impedances"}


def fit_cell(
    cell: Cell,
    filled: Mapping[str, float | Float[Array, ""]],
    records: Sequence[Record],
    free: Sequence[Free | Knot],
    *,
    priors: Mapping[str, Prior] | None = None,
    starts: int = 4,
    seed: int = 0,
    iterations: int = 60,
    tell: Tell | None = None,
) -> CellFit:
    """Fit what is free of a cell to all records at once.

    filled: occupancy of each member before anything is drawn. free: fingers that point into a `Specimen`, that is at
    `.cell` and at `.filled`: Free("D", lambda s: s.cell.positive.members[0].carrier.diffusivity.value, 1e-16, 1e-12).
    starts: random ones besides what the cell holds, within a factor REACH of it.

    Minimised is the sum of squares of residuals over their standard deviations: of the voltages and the capacity of a
    discharge (`courses.Discharges`), of capacities, of the voltages of a titration, of both parts of an impedance.
    Sizes that a record does not state are estimated, one for each record and one for the capacities of all discharges
    (`groups.rescaled`), and the search is repeated with them. Covariance: (J^T J)^-1 with these weights. Voltages that
    are computed in time are good to some microvolts.

    Raises DataError where the records cannot determine so many parameters, FitError where no start is finite.
    """
    posed = pose(cell, filled, records, free, priors)
    unknowns = posed.unknowns
    begins = np.concatenate([unknowns.start[None], random_starts(_reach(unknowns), unknowns, starts, seed)])
    options = Options("sigma", starts, seed, iterations, tell=tell)
    posed, ends, chosen = settled([posed], [begins], options, [begins[0]])[0]
    estimates, missed = estimated(posed, ends, chosen)
    names = tuple(title(one, posed.records) for one in posed.records)
    return CellFit(
        **fields_of(estimates),
        specimen=posed.problem.at(jnp.asarray(chosen)),
        fitted=fitted(names, posed.records, posed.packed, missed),
        sizes=posed.sizes,
        **_determinations(posed, chosen, names),
    )


def pose(
    cell: Cell,
    filled: Mapping[str, float | Float[Array, ""]],
    records: Sequence[Record],
    free: Sequence[Free | Knot],
    priors: Mapping[str, Prior] | None = None,
) -> CellPosed:
    """What `fit_cell` searches, before anything is compiled."""
    if not records:
        raise DataError("no records: there is nothing to fit the cell to")
    specimen, free = Specimen(cell, dict(filled)), tuple(free)
    return CellPosed(specimen, free, tuple(records), _unknowns(specimen, free, dict(priors or {})))


def _determinations(posed: CellPosed, at, names: tuple[str, ...]) -> dict[str, Determination]:
    jacobian = np.asarray(linearised(posed.problem, jnp.asarray(at))[1])
    owner = posed.packed.record
    kinds = [KINDS[type(one)] for one in posed.records]
    found = tuple(dict.fromkeys(kinds))
    of_kind = np.append([found.index(kind) for kind in kinds], -1)[owner]
    box = posed.unknowns.box
    spread = np.where(posed.unknowns.is_log, 1.0, np.asarray(box.upper - box.lower))
    return {
        "by_record": determination(jacobian, owner, names, spread),
        "by_kind": determination(jacobian, of_kind, found, spread),
    }


def _unknowns(specimen: Specimen, free, priors: dict[str, Prior]) -> Unknowns:
    names = [finger.name for finger in free]
    if len(set(names)) < len(names):
        raise DataError(f"two free parameters have the same name: {', '.join(sorted(names))}")
    for name in priors:
        if name not in names:
            raise DataError(f"a prior for '{name}', which is not free; free are {', '.join(names)}")
    spreads = []
    for one in free:
        found = Parameter(
            one.name, one.start(specimen), one.lower, one.upper, one.scale, one.unit, priors.get(one.name)
        )
        spreads.append(Spread((found,), np.ones((1, 1)), np.zeros(1)))
    return Unknowns(tuple(spreads))


def _reach(unknowns: Unknowns) -> list[tuple[float, float]]:
    """Between what random starts lie, of each unknown."""
    found = []
    for one in unknowns.parameters:
        if one.scale == "log":
            low, high = one.start / REACH, one.start * REACH
        else:
            low, high = one.start - PART * (one.upper - one.lower), one.start + PART * (one.upper - one.lower)
        found.append((max(low, one.lower), min(high, one.upper)))
    return found
