"""The barrier of grain boundaries by the full stack, beside the one that a closed form reads off the same numbers.

The stack has the statistics, carriers, grain size and core that it has; where the closed form is off by more than a
tenth, it is said which of its assumptions fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.fitting.ceramics import arcs as ceramics
from ionics.fitting.ceramics import depletion
from ionics.fitting.ceramics.arcs import LOW, Arcs, Barrier, Trend, trend
from ionics.fitting.ceramics.grains import CHARGE, CORE, Answer, Ceramic, answer, remeshed, shares
from ionics.fitting.derived import Measured
from ionics.fitting.model import Free
from ionics.transport.equilibrium import NotConverged
from ionics.transport.flux import Hopping, Immobile
from ionics.transport.newton import MESSAGES
from ionics.transport.stack import debye_length
from ionics.transport.statistics import Dilute

STEPS, REMESHED = 40, 4  # of Newton's method; those before which the mesh follows
FAR, NEAR, ENDED = 3.0, 1e-9, 1e-6  # logarithm of a ratio: the longest step, converged, as good as converged
CROWDED = 0.1  # occupancy of a lattice above which a carrier is not dilute
UNLIKE = 0.1  # difference that asks for a reason
PRESENT = 0.01  # share of the current, or of the screening, above which a carrier counts


class NoBarrier(RuntimeError):
    """No barrier explains the numbers, or the search did not find it; the message says which."""


@dataclass(frozen=True)
class Found:
    """The stack that answers as measured."""

    ceramic: Ceramic
    values: tuple[Measured, ...]  # of the free leaves, in their order; errors are those of the targets
    barrier: Measured  # V, where the potential differs most from the neutral grain
    answer: Answer


def match(
    ceramic: Ceramic,
    free: Sequence[Free],
    *,
    resistance: Measured | None = None,
    time: Measured | None = None,
    start: Sequence[float] | None = None,
) -> Found:
    """The values of one or two free leaves that give the measured ratios, by Newton's method with exact derivatives.

    free: `CORE` or `CHARGE`, `PERMITTIVITY`, or any finger at a leaf of the stack that acts on the ratios; resistance:
    R_gb / R_b, time: tau_gb / tau_b; as many ratios as free leaves. start: their values instead of those of the stack.
    Raises NoBarrier where the search does not end, ValueError for another number of ratios.
    """
    targets = {k: ratio for k, ratio in enumerate((resistance, time)) if ratio is not None}
    if len(targets) != len(free):
        raise ValueError(f"{len(free)} free leaves and {len(targets)} measured ratios; valid: as many of both")
    wanted = np.array([ratio.value for ratio in targets.values()])
    if not np.all(np.isfinite(wanted) & (wanted > -1) & (wanted != 0)):
        raise NoBarrier(f"ratios {wanted}; valid: above -1 and not 0")
    free, rows = tuple(free), tuple(targets)
    begin = [one.start(ceramic.stack) for one in free] if start is None else start
    inner = np.array([np.log(v) if one.scale == "log" else v for one, v in zip(free, begin, strict=True)], float)
    thermal = float(ceramic.stack.thermal_voltage)
    longest = np.array([1.0 if one.scale == "log" else FAR * thermal if one.unit == "V" else np.inf for one in free])
    missed = np.array([np.inf])
    for step in range(STEPS):
        ceramic = _placed(ceramic, free, jnp.asarray(inner))
        ceramic = _meshed(ceramic, free, inner) if step < REMESHED else ceramic
        found, slopes = _linearised(ceramic, free, jnp.asarray(inner))
        if int(found.result) != 0:
            raise NoBarrier(f"{_words(free, inner)}: {MESSAGES[int(found.result)]}")
        now = np.array([float(found[k]) for k in rows])
        close = (now > 0) & (wanted > 0)
        base = np.where(close, 0.0, 1.0)  # ratios of different sign, or negative ones, are compared as 1 + ratio
        if not np.all(base + now > 0):
            raise NoBarrier(f"{_words(free, inner)}: ratios {now}, beyond what the impedance resolves")
        missed = np.log((base + now) / (base + wanted))
        jacobian = np.array([np.asarray(slopes[k]) for k in rows]) / (base + now)[:, None]
        if np.max(np.abs(missed)) < NEAR and step >= REMESHED:
            break
        move = np.linalg.solve(jacobian, missed)
        inner = inner - move / max(1.0, np.max(np.abs(missed)) / FAR, np.max(np.abs(move) / longest))
    if not np.max(np.abs(missed)) < ENDED:
        raise NoBarrier(f"no end after {STEPS} steps: {_words(free, inner)} gives ratios {now}, wanted {wanted}")
    moved = np.linalg.inv(jacobian) * [
        ratio.error / abs(b + ratio.value) for b, ratio in zip(base, targets.values(), strict=True)
    ]
    errors = np.sqrt(np.sum(moved**2, axis=1))
    values = tuple(
        Measured(float(np.exp(x)), float(np.exp(x) * e), one.unit)
        if one.scale == "log"
        else Measured(float(x), float(e), one.unit)
        for one, x, e in zip(free, inner, errors, strict=True)
    )
    of_barrier = float(np.linalg.norm(np.asarray(slopes.barrier) @ moved))
    return Found(ceramic, values, Measured(float(found.barrier), of_barrier, "V"), found)


def _placed(ceramic: Ceramic, free: Sequence[Free], inner: Float[Array, " unknown"]) -> Ceramic:
    """The ceramic with its free leaves at the unknowns."""
    stack = ceramic.stack
    for one, x in zip(free, inner, strict=True):
        stack = one.put(stack, jnp.exp(x) if one.scale == "log" else x)
    return Ceramic(stack, ceramic.half, ceramic.charge, ceramic.frozen)


@eqx.filter_jit
def _linearised(ceramic: Ceramic, free: tuple[Free, ...], inner: Float[Array, " unknown"]):
    """The answer at the unknowns, and its derivatives by them."""

    def of(inner):
        found = answer(_placed(ceramic, free, inner))
        return found, found

    slopes, found = jax.jacfwd(of, has_aux=True)(inner)
    return found, slopes


def _meshed(ceramic, free, inner):
    try:
        return remeshed(ceramic)
    except NotConverged as error:
        raise NoBarrier(f"{_words(free, inner)}: {error}") from None


def _words(free, inner):
    pairs = zip(free, inner, strict=True)
    return ", ".join(f"{one.name} {np.exp(x) if one.scale == 'log' else x:.4g} {one.unit}" for one, x in pairs)


# ---- beside the closed form


@dataclass(frozen=True)
class Comparison:
    """One measured boundary read twice."""

    stack: Found
    shortcut: Barrier
    difference: float  # shortcut / stack - 1; NaN where the shortcut has no barrier
    reasons: tuple[str, ...]  # which assumptions of the shortcut the stack does not share
    sentence: str


def compare(
    ceramic: Ceramic,
    arcs: Arcs,
    by: Literal["resistances", "times"] = "times",
    also: Free | None = None,
) -> Comparison:
    """The barrier of the stack that answers as the arcs do, and the Mott-Schottky reading of the same arcs.

    by: which ratio gives the barrier; also: a leaf that follows from the other ratio (`PERMITTIVITY`; `GRAIN` where
    grain size or doping are not known, since only grain size over Debye length counts). Half a grain has its barrier
    free, a repeated unit the charge of its core (`surface_charge` of its first junction). The closed form takes grain
    size and Debye length from the stack. Raises NoBarrier, and ValueError where arcs and stack differ in temperature.
    """
    if abs(float(ceramic.stack.temperature) - arcs.temperature) > 1e-6 * arcs.temperature:
        raise ValueError(f"arcs at {arcs.temperature:g} K, stack at {float(ceramic.stack.temperature):g} K")
    ratios = {"resistance": arcs.resistance_ratio, "time": arcs.time_ratio}
    length = _length(ceramic)
    if by == "times":
        u = depletion.barrier_of_times(ratios["time"].value)
    else:
        u = depletion.barrier_of_depletion(ratios["resistance"].value * float(ceramic.grain) / (2 * length))
    begin = _begin(ceramic, u if np.isfinite(u) else 1.0, length)
    if also is None:
        asked = {name: ratio for name, ratio in ratios.items() if by.startswith(name)}
        found = match(ceramic, (CORE if ceramic.half else CHARGE,), start=(begin,), **asked)
    else:
        start = (begin, also.start(ceramic.stack))
        found = match(ceramic, (CORE if ceramic.half else CHARGE, also), start=start, **ratios)
    length = _length(found.ceramic)
    exact = Measured(length, 0.0, "m")
    if by == "times":
        shortcut = ceramics.barrier_of_times(arcs, ceramic.charge, exact)
    else:
        grain = Measured(float(found.ceramic.grain), 0.0, "m")
        shortcut = ceramics.barrier_of_resistances(arcs, ceramic.charge, grain, exact)
    difference = shortcut.potential.value / found.barrier.value - 1
    reasons = why(found, LOW[by])
    return Comparison(found, shortcut, float(difference), reasons, _sentence(found, shortcut, difference, reasons))


def _length(ceramic: Ceramic) -> float:
    return float(debye_length(ceramic.stack.layers[0].material, ceramic.stack.temperature))


@dataclass(frozen=True)
class Series:
    """A temperature series read twice, and how the barrier goes with temperature in either reading."""

    readings: tuple[Comparison, ...]
    stack: Trend
    shortcut: Trend | None  # None where fewer than three temperatures have a barrier of that form


def series(
    ceramic: Callable[[float], Ceramic], arcs: Sequence[Arcs], by: Literal["resistances", "times"] = "times"
) -> Series:
    """`compare` at every temperature. ceramic: temperature [K] -> the stack.

    Raises DataError for fewer than three temperatures, and what `compare` raises.
    """
    readings = tuple(compare(ceramic(one.temperature), one, by) for one in arcs)
    kelvin = np.array([one.temperature for one in arcs])
    read = [one.shortcut.potential for one in readings]
    there = sum(bool(np.isfinite(potential.value)) for potential in read)
    of_stack = trend(kelvin, [one.stack.barrier for one in readings])
    return Series(readings, of_stack, trend(kelvin, read) if there > 2 else None)


def _begin(ceramic: Ceramic, u: float, length: float) -> float:
    """Barrier [V], or charge of the core [C m-2] between two layers of a dilute carrier, at u."""
    volts = u * float(ceramic.stack.thermal_voltage) / ceramic.charge
    if ceramic.half:
        return volts
    layer = np.sqrt(2 * max(np.expm1(-u) + u, 0.0)) * GAS * float(ceramic.stack.temperature) / (FARADAY * length)
    eps = VACUUM_PERMITTIVITY * float(ceramic.material.permittivity)
    return 2 * eps * float(layer) * float(np.sign(volts)) / abs(ceramic.charge)


def why(found: Found, low: float = LOW["times"]) -> tuple[str, ...]:
    """What the closed forms assume and this stack is not; low: barrier [RT/zF] below which its layer is not empty."""
    ceramic, length = found.ceramic, _length(found.ceramic)
    material, temperature = ceramic.material, float(ceramic.stack.temperature)
    thermal = float(ceramic.stack.thermal_voltage) / ceramic.charge
    u, middle = found.barrier.value / thermal, float(found.answer.middle) / thermal
    width, grain = length * np.sqrt(2 * max(u, 0.0)), float(ceramic.grain)
    reasons = []
    if u < 0:
        reasons.append("carriers gather at the core instead of leaving it")
    elif u < low:
        reasons.append(f"the barrier is only {u:.2g} RT/zF: the layer is not empty of carriers")
    if abs(middle) > 0.1 or 2 * width > grain:
        reasons.append(
            f"layers of {width * 1e9:.3g} nm meet in a grain of {grain * 1e9:.3g} nm: "
            f"its middle is {middle:.2g} RT/zF from neutral"
        )
    carried = shares(material, temperature)
    main = int(np.argmax(carried))
    mobile = [k for k, c in enumerate(material.carriers) if not isinstance(c.mobility, Immobile)]
    screening = np.array([c.species.charge**2 * float(c.sites * c.occupancy) for c in material.carriers])
    for k in mobile:
        name = material.carriers[k].species.name
        if k != main and carried[k] > PRESENT:
            reasons.append(f"{name} carries {100 * carried[k]:.2g} % of the current and has its own layer")
        opposite = material.carriers[k].species.charge * ceramic.charge < 0
        if k != main and opposite and screening[k] > PRESENT * screening.sum():
            reasons.append(f"{name} gathers where the carrier leaves (Gouy-Chapman): the layer is thinner")
    first = material.carriers[main]
    if not isinstance(first.statistics, Dilute) and float(first.occupancy) > CROWDED:
        reasons.append(f"{100 * float(first.occupancy):.2g} % of the sites are taken: the carrier is not dilute")
    if isinstance(first.mobility, Hopping) and float(first.occupancy) > CROWDED:
        reasons.append("a jump needs an empty site, and there are more of them in the layer")
    return tuple(reasons)


def _sentence(found: Found, shortcut: Barrier, difference: float, reasons: tuple[str, ...]) -> str:
    volts, because = found.barrier.value, "; ".join(reasons)
    if np.isnan(difference):
        return (
            f"the stack has a barrier of {volts:.4g} V where {shortcut.form} has none: {because or shortcut.doubts[0]}"
        )
    start = f"the stack has a barrier of {volts:.4g} V, {shortcut.form} gives {shortcut.potential.value:.4g} V"
    if abs(difference) < UNLIKE:
        return f"{start}: they agree to {100 * abs(difference):.2g} %"
    return f"{start}, {100 * abs(difference):.2g} % too {'high' if difference > 0 else 'low'}" + (
        f": {because}" if because else ""
    )
