"""A design in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ionics.fitting.design.plan import Design

MOST = 0.8  # share of the information that a sentence calls most


def sentences(made: Design) -> Iterator[str]:
    """What to measure, what it brings, where the information lies, and how sure that is."""
    if not made.possible:
        yield f"no choice among these {len(made.frequency)} settings determines {made.asked}"
        yield from made.open
        return
    even, suggested = made.plans["even"], made.plans["suggested"]
    one = "," not in made.asked and made.asked != "all parameters"
    kind, several = "the error" if one else "the mean error", len(set(made.label)) > 1
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
        if share > 0.05:
            yield _where(
                made.frequency[own], made.contribution[own] / share, made.asked, name if several else "", share
            )
    lost = [n for n, e in zip(made.unknowns.names, suggested.errors, strict=True) if not np.isfinite(e)]
    if lost:
        yield f"this plan does not determine {', '.join(lost)}: ask for them as well where they matter"
    least = _percent(made.plans["ideal"].answer / np.sqrt(1 + made.gap))
    yield f"no plan of this effort brings {kind} below {least}: the optimum is certified to {_percent(made.gap)}"


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
