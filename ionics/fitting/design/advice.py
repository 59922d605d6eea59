"""A design in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ionics.fitting.design.choice import Choice
    from ionics.fitting.design.plan import Design

MOST = 0.8  # share of the information that a sentence calls most
NAMED = 0.05  # shares of the information below are not told


def sentences(made: Design) -> Iterator[str]:
    """What to measure, what it brings, where the information lies, and how sure that is."""
    if not made.possible:
        yield f"no choice among these {len(made.frequency)} settings determines {made.asked}"
        yield from made.open
        return
    even, suggested = made.plans["even"], made.plans["suggested"]
    kind, several = _kind(made.asked), len(set(made.label)) > 1
    number, most = int(suggested.times.sum()), int(suggested.times.max())
    span = f"{_hertz(suggested.frequency.min())} and {_hertz(suggested.frequency.max())}"
    what = "frequencies" if most == 1 else "times"
    compared = f"{_percent(even.answer)} with {len(even.frequency)} evenly spaced frequencies"
    spent = f", in {suggested.effort:.3g} s instead of {even.effort:.3g} s" if made.timed else ""
    yield (
        f"measure {number} {what} between {span}: {kind} of {made.asked} is {_percent(suggested.answer)} "
        f"instead of {compared}{spent}"
    )
    for name in dict.fromkeys(suggested.label):
        own = [k for k in np.flatnonzero(made.counts) if made.label[k] == name]
        listed = ", ".join(
            _hertz(made.frequency[k]) + (f" ({made.counts[k]} times)" if made.counts[k] > 1 else "") for k in own
        )
        yield (f"{name}: " if several else "the frequencies: ") + listed
    for name in dict.fromkeys(made.label):
        own = np.array([one == name for one in made.label])
        share = made.contribution[own].sum()
        if share > NAMED:
            yield _where(
                made.frequency[own], made.contribution[own] / share, made.asked, name if several else "", share
            )
    yield from _lost(made.unknowns.names, np.isfinite(suggested.errors))
    least = _percent(made.plans["ideal"].answer / np.sqrt(1 + made.gap))
    yield f"no plan of this effort brings {kind} below {least}: the optimum is certified to {_percent(made.gap)}"


def of_records(made: Choice) -> Iterator[str]:
    """Which records to make, what they bring, and which of them says what."""
    every, kind = made.plans["all"], _kind(made.asked)
    candidates = int(np.sum(~made.held))
    if not made.possible:
        yield f"all {candidates} records together do not determine {made.asked}"
        yield from made.open
        return
    names = [name for name, own in zip(made.label, made.chosen, strict=True) if own]
    suggested, count = made.plans["suggested"].answer, len(names)
    if made.needed > count:
        few = f"no {count} of these {candidates} records determine" if count > 1 else "no single record determines"
        yield f"{few} {made.asked}: it takes {made.needed} of them"
        return
    already = made.plans.get("already")
    now = f" instead of {_percent(already.answer)}" if already is not None and already.enough else ""
    others = f"; all {candidates} bring it to {_percent(every.answer)}" if count < candidates else ""
    yield f"measure {', '.join(names)}: {kind} of {made.asked} is then {_percent(suggested)}{now}{others}"
    if made.certain and count < candidates:
        yield f"no other {count} of the {candidates} records do better"
    order = [k for k in np.argsort(-made.contribution) if made.contribution[k] > NAMED]
    shares = ", ".join(f"{_percent(made.contribution[k])} from {made.label[k]}" for k in order)
    yield f"of what all records tell of {made.asked}: {shares}"
    single = [
        (own.answer, name)
        for own, name, held in zip(made.alone, made.label, made.held, strict=True)
        if own.enough and not held
    ]
    more = " beside what is known" if made.held.any() else ""
    if single and count > 1:
        least, best = min(single)
        yield f"of single records{more} {best} is the best, with {_percent(least)}"
    elif count > 1:
        yield f"no single record{more} determines {made.asked}"
    known = made.plans["suggested"].errors < np.abs(made.unknowns.slope)
    yield from _lost(made.unknowns.names, known)


def _kind(asked: str) -> str:
    return "the error" if "," not in asked and asked != "all parameters" else "the mean error"


def _lost(names, known) -> Iterator[str]:
    lost = [name for name, own in zip(names, known, strict=True) if not own]
    if lost:
        yield f"this plan does not determine {', '.join(lost)}: ask for them as well where they matter"


def _where(frequency, share, asked, label, total):
    order = np.argsort(frequency)
    sum_ = np.cumsum(share[order])
    low, high = (frequency[order][np.searchsorted(sum_, q)] for q in ((1 - MOST) / 2, (1 + MOST) / 2))
    start = (
        f"{label} holds {_percent(total)} of the information on {asked}, most of it"
        if label
        else f"most of the information on {asked} lies"
    )
    return f"{start} between {_hertz(low)} and {_hertz(high)}"


def _hertz(frequency: float) -> str:
    for size, unit in ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz"), (1e-3, "mHz")):
        if frequency >= 0.9995 * size:
            return f"{frequency / size:.3g} {unit}"
    return f"{frequency * 1e6:.3g} uHz"


def _percent(share: float) -> str:
    return (
        f"{100 * share:.2g} %"
        if share < 0.995
        else f"{share:.2g} times its value"
        if np.isfinite(share)
        else "infinite"
    )
