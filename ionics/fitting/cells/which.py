"""Which records to make of a cell, to answer a question best: the information of each at the values expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.cells.cell import Cell
from ionics.fitting.cells.fit import pose
from ionics.fitting.cells.groups import PRIORS, determination
from ionics.fitting.cells.imagined import imagined
from ionics.fitting.cells.knots import Knot
from ionics.fitting.cells.packing import title
from ionics.fitting.cells.problem import CellPosed
from ionics.fitting.cells.records import Record
from ionics.fitting.design.choice import Choice, choose
from ionics.fitting.design.information import Unknowns
from ionics.fitting.design.settings import Question
from ionics.fitting.model import Free, Prior
from ionics.fitting.posed import linearised
from ionics.fitting.spectrum import DataError


def which_records(
    cell: Cell,
    filled: Mapping[str, float | Float[Array, ""]],
    candidates: Sequence[Record],
    free: Sequence[Free | Knot],
    question: Question = None,
    *,
    count: int,
    measured: Sequence[Record] = (),
    priors: Mapping[str, Prior] | None = None,
) -> Choice:
    """The best so many of the candidates, beside what has been measured.

    cell, filled, free, priors: as of `fit_cell`, with the values that are expected. candidates: records that stand in
    for those to come, see `imagined`; every size of an error must be stated. question: a parameter, several, all
    (None), or a function of name -> value. With P parameters every record is reduced to P rows of the same information.

    Raises DataError for candidates that cannot be, ValueError for unknown names and for a count that cannot be.
    """
    posed = pose(cell, filled, [*measured, *candidates], free, priors)
    _stated(posed)
    posed = imagined(posed, len(measured))
    unknowns = Unknowns(posed.unknowns.parameters, posed.unknowns.values(posed.unknowns.start))
    rows, labels = _rows(posed, unknowns)
    size = len(unknowns.names)
    of = np.repeat(np.arange(len(rows)), size)
    parts = determination(rows.reshape(-1, size), of, labels, np.ones(size))
    held = np.array([k < len(measured) or name == PRIORS for k, name in enumerate(labels)])
    return choose(unknowns, rows, labels, held, question, count, parts.share)


def _stated(posed: CellPosed) -> None:
    for group in posed.packed.groups:
        if not group.stated:
            missing = "charge_sigma" if group.name == "capacities" else "sigma"
            raise DataError(
                f"{group.name}: no {missing}; valid: every error of a design is stated, nothing is estimated"
            )


def _rows(posed: CellPosed, unknowns: Unknowns):
    """Weighted derivatives of each record, and last of the priors, by unknowns in units of their spread."""
    jacobian = np.asarray(linearised(posed.problem, jnp.asarray(posed.unknowns.start))[1]) * unknowns.spread
    owner, names = posed.packed.record, [title(one, posed.records) for one in posed.records]
    parts = [jacobian[: len(owner)][owner == k] for k in range(len(names))]
    if posed.priors:
        parts, names = [*parts, jacobian[len(owner) :]], [*names, PRIORS]
    for name, part in zip(names, parts, strict=True):
        if not np.all(np.isfinite(part)):
            raise DataError(f"{name}: derivatives are not finite numbers with the values expected")
    return np.stack([_reduced(part) for part in parts]), tuple(names)


def _reduced(part: Float[np.ndarray, "row parameter"]) -> Float[np.ndarray, "parameter parameter"]:
    """Rows with the same information."""
    upper = np.linalg.qr(part, mode="r")
    return np.pad(upper, ((0, part.shape[1] - len(upper)), (0, 0)))
