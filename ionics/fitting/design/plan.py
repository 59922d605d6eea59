"""Design before measuring: which frequencies, under which conditions, answer a question best.

The Fisher information of a spectrum is the sum of J^T J / sigma^2 over its frequencies, so it is known before anything
is measured; its inverse is the covariance that a fit will report. A design is made at expected values of the
parameters: where they may be far off, make it again after a first quick sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from ionics.fitting.design import optimal
from ionics.fitting.design.advice import sentences
from ionics.fitting.design.information import Condition, Unknowns, rows, unknowns
from ionics.fitting.design.settings import Question, Settings, asked, variables

if TYPE_CHECKING:
    import xarray as xr

PLANS = ("even", "suggested", "ideal")


@dataclass(frozen=True)
class Timing:
    """What a frequency costs: a pause, then so many periods."""

    cycles: float = 3.0
    pause: float = 1.0  # s

    def seconds(self, frequency: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
        """Time [s] of one measurement at each frequency [Hz]."""
        return self.pause + self.cycles / frequency


@dataclass(frozen=True, eq=False)
class Plan:
    """Measurements and what they will tell."""

    label: tuple[str, ...]  # condition of each measurement
    frequency: Float[np.ndarray, " measurement"]  # Hz
    times: Float[np.ndarray, " measurement"]  # how often each is made; of the ideal plan a fraction
    effort: float  # s, or the number of measurements
    errors: Float[np.ndarray, " parameter"]  # standard errors, in the units of the parameters; inf: not determined
    answer: float  # standard error of the answer, relative; of several parameters the geometric mean


@dataclass(frozen=True, eq=False)
class Design:
    """What each setting tells, where effort should go, and what comes of it beside evenly spaced frequencies."""

    asked: str  # the question in words
    unknowns: Unknowns
    label: tuple[str, ...]  # condition of each setting
    frequency: Float[np.ndarray, " setting"]  # Hz
    timed: bool  # whether effort is counted in seconds, otherwise in measurements
    contribution: Float[np.ndarray, " setting"]  # share of what is known if each setting is measured once
    shares: Float[np.ndarray, " setting"]  # of the effort, at the optimum
    sensitivity: Float[np.ndarray, " setting"]  # 1 where effort goes, nowhere above 1 + gap
    gap: float  # the shares are at least 1/(1 + gap) as efficient as the best; NaN: nothing answers the question
    counts: Int[np.ndarray, " setting"]  # the suggestion: how often to measure each
    plans: dict[str, Plan]  # `PLANS`; all of the same effort, the suggestion of no more
    open: tuple[str, ...]  # sentences: what no choice among the settings determines

    @property
    def possible(self) -> bool:
        """Whether the settings can answer the question at all."""
        return bool(np.isfinite(self.gap))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The design in words."""
        return tuple(sentences(self))

    def to_dataset(self) -> xr.Dataset:
        """Settings, shares, the suggestion, and the standard errors of the plans."""
        return _dataset(self)


def design(
    conditions: Condition | Sequence[Condition],
    question: Question = None,
    values: Mapping[str, float] | None = None,
    *,
    count: int = 12,
    keep: int = 0,
    timing: Timing | None = None,
    tolerance: float = 1e-3,
) -> Design:
    """The best measurements among candidate frequencies, under one condition or several.

    question: a parameter, several (D-optimal for them, all others unknown too), None for all, or a function of name
    -> value (c-optimal: the least variance of its value). values: name -> expected value, by default where the models
    start. count: measurements to suggest, and of the even plan, which spaces them evenly in the logarithm of the
    frequency over the candidates of each condition. keep: so many are evenly spaced in the suggestion too; an optimal
    design trusts the model, these show where it is wrong. timing: count seconds instead, with as many as the even
    plan takes; a frequency may then be repeated. tolerance: to which the optimum is certified.

    Raises ValueError for unknown names and numbers of measurements that cannot be.
    """
    conditions = [conditions] if isinstance(conditions, Condition) else list(conditions)
    known = unknowns(conditions, values)
    wanted = asked(question, known)
    own = [np.asarray(condition.frequency, float) for condition in conditions]
    if not len(conditions) <= count or not 0 <= keep <= count:
        raise ValueError(
            f"{count} measurements, {keep} kept, {len(conditions)} conditions; valid: one each, keep <= count"
        )
    each = [len(part) for part in np.array_split(np.arange(count), len(conditions))]
    even = [np.geomspace(f.min(), f.max(), n) for f, n in zip(own, each, strict=True)]
    parts = [rows(c, known, np.concatenate([f, e])) for c, f, e in zip(conditions, own, even, strict=True)]
    candidates = np.concatenate([part[: len(f)] for part, f in zip(parts, own, strict=True)])
    of_even = np.concatenate([part[len(f) :] for part, f in zip(parts, own, strict=True)])
    label, label_even = (
        tuple(c.label for c, f in zip(conditions, many, strict=True) for _ in f) for many in (own, even)
    )
    frequency, frequency_even = np.concatenate(own), np.concatenate(even)
    cost, cost_even = (np.ones(len(f)) if timing is None else timing.seconds(f) for f in (frequency, frequency_even))
    budget = float(cost_even.sum())

    def plan(label, frequency, rows, times, cost):
        there, own = times > 0, Settings(known, rows, wanted)
        labels, effort = tuple(np.array(label)[there]), float(times @ cost)
        return Plan(labels, frequency[there], times[there], effort, own.errors(times), own.answer(times))

    plans = {"even": plan(label_even, frequency_even, of_even, np.ones(len(frequency_even)), cost_even)}
    white = optimal.whitened(candidates / np.sqrt(cost)[:, None, None], wanted.along)
    nothing = np.zeros(len(frequency))
    common = {
        "asked": wanted.words,
        "unknowns": known,
        "label": label,
        "frequency": frequency,
        "timed": timing is not None,
    }
    if white is None:
        return Design(
            **common,
            contribution=nothing,
            shares=nothing,
            sensitivity=nothing,
            gap=np.nan,
            counts=nothing.astype(int),
            plans=plans,
            open=Settings(known, candidates, wanted).open(),
        )
    best = optimal.optimum(*white, tolerance=tolerance)
    single = white[0] * np.sqrt(cost)[:, None, None]
    counts = optimal.rounded(single, white[1], best.shares, cost, budget, timing is not None, _held(own, keep))
    for name, times in (("suggested", counts.astype(float)), ("ideal", best.shares * budget / cost)):
        plans[name] = plan(label, frequency, candidates, times, cost)
    return Design(
        **common,
        contribution=optimal.contribution(single, white[1]),
        shares=best.shares,
        sensitivity=best.sensitivity,
        gap=best.gap,
        counts=counts,
        plans=plans,
        open=(),
    )


def _held(own: Sequence[Float[np.ndarray, " frequency"]], keep: int) -> Int[np.ndarray, " setting"]:
    """The candidates nearest to so many evenly spaced frequencies, shared among the conditions."""
    parts = []
    for f, part in zip(own, np.array_split(np.arange(keep), len(own)), strict=True):
        counts = np.zeros(len(f), int)
        for wanted in np.geomspace(f.min(), f.max(), len(part)):
            counts[np.argmin(np.abs(np.log(f / wanted)))] = 1
        parts.append(counts)
    return np.concatenate(parts)


# ---- as a dataset


def _dataset(made: Design) -> xr.Dataset:
    import xarray as xr

    plans = {name: made.plans[name] for name in PLANS if name in made.plans}
    found, places = variables(made.unknowns, made.asked, plans)
    points, even = "setting", made.plans["even"]
    return xr.Dataset(
        {
            "contribution": (points, made.contribution, {"units": "1", "long_name": "share of the information"}),
            "share": (points, made.shares, {"units": "1", "long_name": "share of the effort"}),
            "sensitivity": (points, made.sensitivity, {"units": "1", "long_name": "sensitivity at the optimum"}),
            "count": (points, made.counts, {"units": "1", "long_name": "suggested measurements"}),
            "effort": ("plan", [plan.effort for plan in plans.values()], {"units": "s" if made.timed else "1"}),
            "even_frequency": ("even", even.frequency, {"units": "Hz"}),
            "even_condition": ("even", list(even.label)),
        }
        | found,
        coords={
            "frequency": (points, made.frequency, {"units": "Hz", "long_name": "frequency"}),
            "condition": (points, list(made.label)),
        }
        | places,
        attrs={"kind": "design", "asked": made.asked, "gap": made.gap, "sentences": "\n".join(made.sentences)},
    )
