"""Which records to make: of candidates that are measured once each, the few that answer a question best.

Like frequencies in `plan`, records add their Fisher information, so that the covariance that a fit of any of them will
report is known before they are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from ionics.fitting.design import optimal
from ionics.fitting.design.advice import of_records
from ionics.fitting.design.information import Unknowns
from ionics.fitting.design.settings import Question, Settings, asked, variables

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Told:
    """What some of the records tell."""

    errors: Float[np.ndarray, " parameter"]  # standard errors, in the units of the parameters; inf: not determined
    answer: float  # standard error of the answer, relative; of several parameters the geometric mean
    enough: bool  # whether everything asked for is known better than not at all


@dataclass(frozen=True, eq=False)
class Choice:
    """What each record tells, the suggestion, and the standard errors that follow."""

    settings: Settings  # what each record tells, and the question
    label: tuple[str, ...]  # of each record
    held: Bool[np.ndarray, " record"]  # whether it is there in any case: measured already, or known before
    chosen: Bool[np.ndarray, " record"]  # the suggestion, beside these
    certain: bool  # whether every choice of so many was compared
    contribution: Float[np.ndarray, " record"]  # share of what is known of the answer if all are measured
    share: Float[np.ndarray, "record parameter"]  # of the variance of each parameter, as in a fit of all
    plans: dict[str, Told]  # all, suggested; already: those that are held, if there are any
    needed: int  # the least number of records that answer the question; 0: not even all do
    open: tuple[str, ...]  # sentences: what all records together do not determine

    @property
    def asked(self) -> str:
        """The question in words."""
        return self.settings.asked.words

    @property
    def unknowns(self) -> Unknowns:
        """The parameters, at the values that are expected."""
        return self.settings.unknowns

    @property
    def alone(self) -> tuple[Told, ...]:
        """What each record tells alone, beside those held."""
        return tuple(told(self.settings, one | self.held) for one in np.eye(len(self.held), dtype=bool))

    @property
    def possible(self) -> bool:
        """Whether all records together answer the question."""
        return self.needed > 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """The choice in words."""
        return tuple(of_records(self))

    def to_dataset(self) -> xr.Dataset:
        """Records, shares, the suggestion, and the standard errors of the plans."""
        return _dataset(self)


def told(settings: Settings, there: Bool[np.ndarray, " record"]) -> Told:
    """By these records."""
    times = there.astype(float)
    return Told(settings.errors(times), settings.answer(times), settings.enough(times))


def choose(
    unknowns: Unknowns,
    rows: Float[np.ndarray, "record row parameter"],
    labels: Sequence[str],
    held: Bool[np.ndarray, " record"],
    question: Question,
    count: int,
    shares: Float[np.ndarray, "record parameter"],
) -> Choice:
    """The best so many records beside those that are held.

    rows: weighted derivatives of each record by the unknowns, in units of their spread. For the question see
    `plan.design`. Raises ValueError for unknown names and a number of records that cannot be.
    """
    candidates = int(np.sum(~held))
    if not 1 <= count <= candidates:
        raise ValueError(f"count {count} of {candidates} candidates; valid: 1 to {candidates}")
    wanted = asked(question, unknowns)
    settings = Settings(unknowns, rows, wanted)

    white, none = optimal.whitened(rows, wanted.along), np.zeros(len(held), bool)
    plans = ({"already": told(settings, held)} if held.any() else {}) | {"all": told(settings, ~none)}
    common = {"settings": settings, "label": tuple(labels), "held": held, "share": shares, "plans": plans}
    if white is None or not plans["all"].enough:
        nothing, open_ = np.zeros(len(held)), settings.open(1.0)
        return Choice(**common, chosen=none, certain=True, contribution=nothing, needed=0, open=open_)
    chosen, certain = optimal.best_of(*white, count, held)
    plans["suggested"] = told(settings, chosen | held)
    needed = count
    while not told(settings, optimal.best_of(*white, needed, held)[0] | held).enough:
        needed += 1
    parts = optimal.contribution(*white)
    return Choice(**common, chosen=chosen, certain=certain, contribution=parts, needed=needed, open=())


def _dataset(made: Choice) -> xr.Dataset:
    import xarray as xr

    found, places = variables(made.unknowns, made.asked, made.plans)
    one, alone = "record", made.alone
    return xr.Dataset(
        {
            "contribution": (one, made.contribution, {"units": "1", "long_name": "share of the information"}),
            "chosen": (one, made.chosen, {"long_name": "suggested"}),
            "held": (one, made.held, {"long_name": "measured or known already"}),
            "determination": (
                (one, "parameter"), made.share,
                {"units": "1", "long_name": "share of a record in what is known of a parameter"},
            ),
            "alone_error": (
                (one, "parameter"), np.array([own.errors for own in alone]),
                {"long_name": "standard error with this record alone beside what is known already"},
            ),
            "alone_answer": (
                one, [own.answer for own in alone],
                {"units": "1", "long_name": f"error of {made.asked} with this record alone"},
            ),
        }
        | found,
        coords={"record": list(made.label)} | places,
        attrs={"kind": "design", "asked": made.asked, "sentences": "\n".join(made.sentences)},
    )  # fmt: skip
