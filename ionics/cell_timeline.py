"""A protocol done to a cell as an xarray Dataset: what the terminals saw, who took which part of the voltage.

As in `timeline`, with other insides. `member`: particles, films and metals. Snapshots hold `filling` at `point`s (a
place in a piece of a size at a depth, all in one row with coordinates that say where) and, at `place`s (a depth of an
electrode), the potential over the electrolyte and what enters there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from ionics import results, timeline
from ionics.cells import losses
from ionics.cells.balance import Inside, State
from ionics.cells.cell import Cell, Electrode, Member, Metal
from ionics.cells.simulate import Instant, Run, states
from ionics.constants import FARADAY
from ionics.results import Origin, variable
from ionics.timeline import Act, Course
from ionics.transport.newton import MESSAGES, OK

SIDES = ("negative", "positive")


@dataclass(frozen=True)
class Snapshots:
    """What is inside a cell at some rows."""

    filling: Float[np.ndarray, "row point"]
    drop: Float[np.ndarray, "row place"]  # V
    entering: Float[np.ndarray, "row place"]  # A m-2 of the electrode per share of its depth


@dataclass(frozen=True)
class History:
    """What happens inside a cell, one row for each time."""

    losses: Float[np.ndarray, "row loss"]  # V
    open_circuit: Float[np.ndarray, " row"]  # V
    mean: Float[np.ndarray, "row member"]  # occupancy; share of voids of a metal
    surface: Float[np.ndarray, "row member"]  # mean of it over all surfaces


def members(cell: Cell) -> list[tuple[str, Electrode, Member, int]]:
    """Side, electrode, member and its place among the members of the electrode."""
    return [(side, getattr(cell, side), one, k) for side in SIDES for k, one in enumerate(getattr(cell, side).members)]


def digest(cell: Cell, run: Run, name: str, key: str, kind: str, ended: str, moments: int) -> Act:
    """What is kept of a step: all rows of what one measures, profiles of up to `moments`."""
    t, temperature = np.asarray(run.t), np.asarray(run.temperature)
    wanted = np.linspace(t[0], t[-1], moments)
    which = np.unique([0, *np.searchsorted(t, wanted[1:-1]), len(t) - 1])
    parts, open_circuit = losses.history(cell, run.x, temperature)
    state = states(cell, run.x)
    mean, surface = [], []
    for side, electrode, one, k in members(cell):
        own = getattr(state, side).filling[k]
        weights = np.asarray(one.area)[:, None] * np.asarray(electrode.shares) / float(jnp.sum(one.area))
        inside = (np.asarray(jax.vmap(f)(own)) for f in (one.inside.mean, one.inside.surface))
        volumes = weights if isinstance(one, Metal) else _by_volume(one, electrode)
        for found, values, weight in zip((mean, surface), inside, (volumes, weights), strict=True):
            found.append(np.sum(values * weight, axis=(1, 2)))
    history = History(np.asarray(parts), np.asarray(open_circuit), np.stack(mean, 1), np.stack(surface, 1))
    measured = (np.asarray(own) for own in (run.voltage, run.current, run.charge))
    some = jax.tree.map(lambda a: np.asarray(a)[which], state)
    return Act(name, key, kind, ended, t, *measured, temperature, history, which, snapshots(cell, some))  # pyright: ignore


def _by_volume(one, electrode: Electrode):
    volume = np.asarray(one.volume)
    return (volume / volume.sum())[:, None] * np.asarray(electrode.shares)


def snapshots(cell: Cell, state: State) -> Snapshots:
    """What is inside, of states with a first axis of rows."""
    filling, drop, entering = [], [], []
    for side in SIDES:
        electrode: Electrode = getattr(cell, side)
        own: Inside = getattr(state, side)
        taken = 0.0
        for one, w, rate in zip(electrode.members, own.filling, own.rate, strict=True):
            profile = np.asarray(jax.vmap(one.inside.profile)(jnp.asarray(w)))
            filling.append(profile.reshape(len(profile), -1))
            taken = taken + FARADAY * np.sum(np.asarray(one.area)[:, None] * np.asarray(rate), axis=1)
        drop.append(np.asarray(own.drop))
        entering.append(taken)
    return Snapshots(*(np.concatenate(part, axis=1) for part in (filling, drop, entering)))


def to_dataset(cell: Cell, course: Course, impedance=None, origin: Origin | None = None) -> xr.Dataset:
    """A protocol that was followed and, if asked, the impedance at its end."""
    acts = course.acts
    if not acts:
        return _at_rest(cell, course, impedance, origin or Origin())
    parts = [*timeline.measured_rows(acts), _inside(cell, acts), _snapshots(cell, acts), _end(course)]
    return timeline.completed(xr.merge([*parts, timeline.spectra(course.measured)]), course, impedance, origin)


def _at_rest(cell: Cell, course: Course, impedance, origin: Origin) -> xr.Dataset:
    """Nothing was done: the voltage at rest and, if asked, the impedance."""
    ds = xr.Dataset() if impedance is None else results.spectrum(impedance)
    ds["voltage"] = results.scalar(course.end.x[-1], "V", "cell voltage")
    ds["current"] = results.scalar(course.end.x[-2], "A/m^2", "current density, positive on discharge")
    ds["temperature"] = results.scalar(cell.temperature, "K", "temperature")
    if origin.area is not None:
        ds["area"] = results.scalar(origin.area, "m^2", "area")
    ds.attrs = origin.attributes() | {"kind": "run", "result": OK, "message": MESSAGES[OK], "pinned": "[]"}
    return ds


def _inside(cell: Cell, acts: Sequence[Act]) -> xr.Dataset:
    def of(name):
        return np.concatenate([getattr(act.inside, name) for act in acts])

    each = ("time", "member")
    return xr.Dataset(
        {
            "open_circuit": variable(
                ("time",), of("open_circuit"), "V", "open-circuit voltage of the mean compositions"
            ),
            "overpotential": variable(("time", "loss"), of("losses"), "V", "part of voltage - open_circuit"),
            "mean_filling": variable(each, of("mean"), "1", "mean occupancy; of a metal, share of its face in voids"),
            "surface_filling": variable(each, of("surface"), "1", "occupancy at the surface, mean over all surfaces"),
        },
        coords={
            "loss": list(losses.names(cell)),
            "member": [one.name for _, _, one, _ in members(cell)],
            "member_electrode": ("member", [side for side, *_ in members(cell)]),
        },
    )


def _snapshots(cell: Cell, acts: Sequence[Act]) -> xr.Dataset:
    one, number, rows = ("snapshot",), *timeline.snapshot_rows(acts)
    of = {key: np.concatenate([getattr(act.profiles, key) for act in acts]) for key in ("filling", "drop", "entering")}
    place = {"electrode": [], "depth": []}
    point: dict[str, list] = {"member": [], "position": [], "size": [], "depth": []}
    for side in SIDES:
        electrode: Electrode = getattr(cell, side)
        depth = np.asarray(jnp.pad(jnp.cumsum(electrode.spacing), (1, 0)) * electrode.thickness)
        place["electrode"] += [side] * len(depth)
        place["depth"] += list(depth)
        for own in electrode.members:
            metal = isinstance(own, Metal)
            radii = np.zeros(1) if metal else np.asarray(own.radius)
            along = np.ones(1) if metal else np.asarray(own.inside.positions)
            grid = np.meshgrid(along, radii, depth, indexing="ij")
            point["member"] += [own.name] * grid[0].size
            for key, values in zip(("position", "size", "depth"), grid, strict=True):
                point[key] += list(values.ravel())
    texts = {
        "position": ("1", "distance from the middle over the radius; of a film, from the collector"),
        "size": ("m", "radius of the particle, thickness of the film"),
        "depth": ("m", "distance from the separator"),
    }
    return xr.Dataset(
        {
            "filling": variable(("snapshot", "point"), of["filling"], "1", "occupancy"),
            "drop": variable(("snapshot", "place"), of["drop"], "V", "potential of the electrode over the electrolyte"),
            "entering": variable(
                ("snapshot", "place"), of["entering"], "A/m^2", "current that enters, if so at all depths",
            ),
            "snapshot_row": variable(one, rows, "", "index of the row, in time, of a snapshot"),
            "snapshot_step": variable(one, number, "", "index of the step that a snapshot belongs to"),
        },
        coords={
            "snapshot_time": variable(one, np.concatenate([act.t[act.which] for act in acts]), "s", "time"),
            "place_electrode": ("place", place["electrode"], {"long_name": "electrode"}),
            "place_depth": variable(("place",), place["depth"], "m", "distance from the separator"),
            "point_member": ("point", point["member"], {"long_name": "member"}),
        }
        | {f"point_{key}": variable(("point",), point[key], *text) for key, text in texts.items()},
    )  # fmt: skip


def _end(course: Course) -> xr.Dataset:
    """All it takes to go on."""
    end: Instant = course.end
    return xr.Dataset(
        {
            "end_unknowns": variable(
                ("unknown",), np.asarray(end.x), "", "unknowns at the end, as the solver keeps them"
            ),
            "end_time": results.scalar(end.time, "s", "time at the end"),
            "end_charge": results.scalar(end.charge, "C/m^2", "charge passed at the end"),
        }
    )


def resume(ds: xr.Dataset, unknowns: int) -> Instant:
    """Where a result of the same cell ended. Raises ValueError where it does not fit."""
    if "end_unknowns" not in ds:
        raise ValueError("it holds no state of a cell to go on from")
    if ds.sizes["unknown"] != unknowns:
        raise ValueError(f"it has {ds.sizes['unknown']} unknowns, this cell {unknowns}: other nodes, sizes or members")
    x = jnp.asarray(ds.end_unknowns.values)
    return Instant(jnp.asarray(float(ds.end_time)), x, jnp.asarray(float(ds.end_charge)))
