"""How long time steps are, when they are taken, and how a cutoff is met.

No derivative passes through it but the state's.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ionics.cells import rodas
from ionics.transport.march import CUTOFF_NOT_REACHED, NO_START, STEP_TOO_SMALL
from ionics.transport.newton import OK
from ionics.transport.protocol import FOREVER, SAME, Observed, Task

Scalar = Float[Array, ""]
Vector = Float[Array, " unknown"]
Flag = Bool[Array, ""]

MEASURED = 3  # charge, current, voltage: the last unknowns
EVENT = 1e-10  # of a cutoff's level: how well it is met
ALREADY = 1e-6  # the same where a step begins: it may begin where the one before it has met the same cutoff
LONGEST_TURN = 4.0  # of one correction, in RT/F
TURNS = 200  # corrections
CONVERGED, ENDED = 1e-12, 1e-6  # last correction; the same where rounding ends the corrections, in RT/F
SAFETY, LEAST, MOST = 0.9, 0.2, 6.0
SHORTEST = 1e-13  # of the time passed, or s
CLOSER, MARGIN = 12, 1e-9  # rounds; of a bracket, how far within its ends a cutoff is sought


class Walk(NamedTuple):
    """Where a cell stands."""

    t: Scalar  # s since the step of the protocol began
    x: Vector
    h: Scalar  # next time step wanted
    begun: Flag  # what follows at once is in its place
    correction: Scalar  # size of the last one before
    turns: Int[Array, ""]  # corrections
    exceeded: Scalar  # how far the first cutoff is passed; negative before
    low: Scalar  # bracket of the step that meets a cutoff; below zero: none is sought
    high: Scalar
    below: Scalar  # how far it is passed at both ends
    above: Scalar
    finished: Flag
    event: Int[Array, ""]
    result: Int[Array, ""]
    counts: Int[Array, " 2"]  # accepted, rejected
    taken: Scalar  # length of the last step accepted, s
    error: Scalar  # and its error, 1 allowed
    refused: Flag  # whether the last attempt was
    slope: Vector  # dx/dt where the last step ended


class Attempt(NamedTuple):
    """A time step before anybody has judged it."""

    t: Scalar  # its end, s
    h: Scalar
    last: Flag  # it reaches the end of the step of the protocol
    y: Vector  # unknowns at its end
    wrong: Scalar  # their error; of a step of no length the size of the correction; not finite if anything is not
    bend: Float[Array, "3 3"]  # of the dense output of what is measured
    slope: Vector  # dx/dt at its end
    turn: Vector  # of a step of no length: the correction


def observed(x: Vector) -> Observed:
    """What cutoffs look at, of the last unknowns."""
    charge, current, voltage = x[-3], x[-2], x[-1]
    return Observed(voltage, current, charge, jnp.zeros((0, 2)))


def first(x: Vector, result: Int[Array, ""], length: Scalar) -> Walk:
    """Where a step of a protocol begins."""
    zero, none, no = jnp.zeros(()), -jnp.ones(()), jnp.zeros((), bool)
    return Walk(
        t=zero, x=x.at[-MEASURED].set(0.0), h=length, begun=no, correction=zero + jnp.inf, turns=jnp.zeros((), int),
        exceeded=none, low=none, high=zero, below=zero, above=zero, finished=result != OK, event=-jnp.ones((), int),
        result=result, counts=jnp.zeros(2, int), taken=zero, error=zero + 1.0, refused=no, slope=jnp.zeros_like(x),
    )  # fmt: skip


def _next_end(task: Task, t: Scalar, stops: bool) -> Scalar:
    """Where a time step has to end at the latest [s]."""
    corners = jnp.concatenate([task.signal.corners, task.temperature.corners])
    corners = task.stops if stops else corners
    own = jnp.where(jnp.isinf(task.duration), FOREVER, task.duration)
    if not corners.size:
        return own
    return jnp.minimum(own, jnp.min(jnp.where(corners > t * (1 + SAME), corners, jnp.inf)))


def length(task: Task, walk: Walk, stops: bool) -> tuple[Scalar, Scalar, Flag]:
    """Where the next time step ends, its length [s], and whether it is the last one."""
    task, walk = jax.lax.stop_gradient((task, walk))
    end, seeking = _next_end(task, walk.t, stops), walk.low >= 0
    room, wanted = end - walk.t, jnp.minimum(walk.h, task.longest())
    reaches = ~seeking & (wanted >= 0.999 * room)
    h = jnp.where(reaches, room, jnp.where(wanted > 0.5 * room, 0.5 * room, wanted))
    h = jnp.where(seeking | walk.finished, walk.h, h)
    t = jnp.where(reaches, end, walk.t + h)
    return t, h, reaches & (t >= task.duration) | (t >= FOREVER)


def judged(task: Task, walk: Walk, tried: Attempt, rtol: Scalar) -> Walk:
    """After an attempt."""
    fixed = jax.lax.stop_gradient((task, walk, tried))
    found = jax.tree.map(
        lambda turned, stepped: jnp.where(walk.begun, stepped, turned), _turned(*fixed), _stepped(*fixed, rtol)
    )
    # where it stands carries its derivatives
    accepted = found.counts[0] > walk.counts[0]
    begins = ~walk.begun & ~walk.finished
    ahead = jnp.where(accepted, found.t - fixed[2].t, 0.0)
    damped = jnp.minimum(1.0, LONGEST_TURN / fixed[2].wrong)
    x = jnp.where(accepted, tried.y + jax.lax.stop_gradient(tried.slope) * ahead, walk.x)
    x = jnp.where(begins, walk.x + damped * tried.turn, x)
    return found._replace(x=x)


def _turned(task: Task, walk: Walk, tried: Attempt) -> Walk:
    """After a correction of what follows at once."""
    size, turns, x = tried.wrong, walk.turns + 1, walk.x + tried.turn
    stalled = (size < ENDED) & (size > 0.5 * walk.correction)
    good = (size <= CONVERGED) | stalled
    failed = ~jnp.isfinite(size) | ~good & (turns >= TURNS)
    exceeded, which = _worst(task, x)
    met = good & (exceeded >= -ALREADY)
    going = ~walk.finished
    return walk._replace(
        h=jnp.minimum(walk.h, task.longest()),
        begun=walk.begun | good,
        correction=size,
        turns=turns,
        exceeded=exceeded,
        finished=walk.finished | failed | met,
        event=jnp.where(going & met, which, walk.event),
        result=jnp.where(going & failed, NO_START, walk.result),
    )


def _stepped(task: Task, walk: Walk, tried: Attempt, rtol: Scalar) -> Walk:
    """After a time step."""
    h, error, seeking = tried.h, tried.wrong / rtol, walk.low >= 0
    failed = ~jnp.isfinite(error)
    good, going = ~failed & (error <= 1.0), ~walk.finished
    seen = tried.y[-MEASURED:]
    start = walk.x[-MEASURED:]
    worst, which = _worst(task, tried.y)
    # past a cutoff, or a little before or after the one that is sought: how far it still is
    speed, before = _speeds(task, tried, start, which)
    ahead = -worst / jnp.where(speed == 0, 1.0, speed)
    near = jnp.abs(speed - before) * ahead**2 <= EVENT * h
    met = good & ((worst > 0) | seeking) & ((jnp.abs(worst) <= EVENT) | near & (speed > 0))
    met |= seeking & good & (walk.high - walk.low <= 4e-16 * (walk.t + walk.high))
    accepted = going & good & (met | (~seeking & (worst <= 0)))
    searching = going & good & ~accepted

    below = seeking & (worst < 0)
    low, high = jnp.where(below, h, jnp.maximum(walk.low, 0.0)), jnp.where(below, walk.high, h)
    lower = jnp.where(below, worst, jnp.where(seeking, walk.below, walk.exceeded))
    upper = jnp.where(below, walk.above, worst)
    width = high - low
    secant = high - upper * width / (upper - lower)
    sought = _crossing(task, start, seen, tried.bend, (low / h, high / h, secant / h), which) * h
    sought = jnp.clip(sought, low + MARGIN * width, high - MARGIN * width)

    error = jnp.maximum(error, 1e-12)
    trend = (h / walk.taken) * (walk.error / error) ** (1 / rodas.ORDER)  # of the step with the same error as this one
    factor = SAFETY * error ** (-1 / rodas.ORDER) * jnp.where(good, jnp.minimum(trend, 1.0), 1.0)
    factor = jnp.where(failed, 0.25, jnp.clip(factor, LEAST, jnp.where(walk.refused, 1.0, MOST)))
    proposal = jnp.where(accepted & (h < walk.h), jnp.maximum(h * factor, walk.h), h * factor)
    small = going & ~good & (h * factor < SHORTEST * jnp.maximum(walk.t, 1.0))
    ends = accepted & (met | tried.last)
    never = ends & ~met & jnp.isinf(task.duration)
    t = jnp.where(met, tried.t + jnp.where(jnp.abs(worst) <= EVENT, 0.0, ahead), tried.t)
    return walk._replace(
        t=jnp.where(accepted, t, walk.t),
        h=jnp.where(walk.finished, walk.h, jnp.where(searching, sought, proposal)),
        exceeded=jnp.where(accepted, worst, walk.exceeded),
        low=jnp.where(searching, low, -1.0),
        high=high,
        below=lower,
        above=upper,
        finished=walk.finished | ends | small,
        event=jnp.where(ends & met, which, walk.event),
        result=jnp.where(small, STEP_TOO_SMALL, jnp.where(never, CUTOFF_NOT_REACHED, walk.result)),
        counts=walk.counts + jnp.stack([accepted, going & ~accepted]).astype(int),
        taken=jnp.where(accepted, h, walk.taken),
        error=jnp.where(accepted, error, walk.error),
        refused=going & ~good,
        slope=jnp.where(accepted, tried.slope, walk.slope),
    )


def _worst(task: Task, x: Vector) -> tuple[Scalar, Int[Array, ""]]:
    """How far the cutoff that is nearest or furthest passed is passed, and which it is."""
    exceeded = jnp.append(task.exceeded(observed(x)), -jnp.inf)
    return jnp.max(exceeded), jnp.argmax(exceeded)


def _speeds(task: Task, tried: Attempt, start, which) -> tuple[Scalar, Scalar]:
    """How fast a cutoff is approached at the end of an attempt, and at its beginning [s-1]."""
    end, bend = tried.y[-MEASURED:], tried.bend

    def speed(x, change):
        _, speed = jax.jvp(lambda x: task.exceeded(observed(x)), (x,), (change / tried.h,))
        return jnp.append(speed, 0.0)[which]

    return speed(end, end - start - jnp.sum(bend, axis=0)), speed(start, end - start + bend[0])


def _crossing(task: Task, start, end, bend, ends, which) -> Scalar:
    """Where, as a share of the step, its dense output meets a cutoff: Newton's method between two ends and a guess.

    The guess, where it meets none between them: they are of other attempts, each with a dense output of its own.
    """

    def exceeded(share):
        return task.exceeded(observed(rodas.between(start, end, bend, share)))[which] if task.levels.size else 0 * share

    def closer(_, found):
        low, high, share = found
        value, slope = jax.jvp(exceeded, (share,), (jnp.ones_like(share),))
        low, high = jnp.where(value < 0, share, low), jnp.where(value < 0, high, share)
        newton = share - value / slope
        return low, high, jnp.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high))

    low, high, guess = ends
    meets = (exceeded(low) < 0) & (exceeded(high) > 0)
    return jnp.where(meets, jax.lax.fori_loop(0, CLOSER, closer, ends)[2], guess)
