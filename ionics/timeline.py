"""A protocol as an xarray Dataset: what the terminals saw in time, and what happened inside.

Dimensions: `time` (rows, in s; the end of one step and the beginning of the next share a time), `step`, `snapshot`
(profiles are kept at some of the times), `node`, `carrier`, `loss` (who takes which part of the voltage), `reaction`,
`slot` (what junctions store) and, where the impedance was measured on the way, `measured` and `measured_frequency`.
Current is in A/m^2, charge in C/m^2: 36000 C/m^2 are 1 mAh/cm^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from ionics import results
from ionics.results import Origin, variable
from ionics.transport import losses
from ionics.transport.impedance import Impedance
from ionics.transport.linear import Layout
from ionics.transport.newton import MESSAGES, OK
from ionics.transport.stack import Stack
from ionics.transport.transient import Instant, Trajectory

Rows = Float[np.ndarray, " row"]


@dataclass(frozen=True)
class Act:
    """One step of a protocol that was done."""

    name: str
    key: str  # of the step in the file
    kind: str  # what was held, 'sweep' or 'rest'
    ended: str  # by what
    t: Rows  # s
    voltage: Rows  # V
    current: Rows  # A m-2
    charge: Rows  # C m-2
    temperature: Rows  # K
    inside: Any  # losses.History of a stack; of a cell, that of `cell_timeline`
    which: np.ndarray  # rows whose profiles are kept
    profiles: Any  # of them, stacked: Profiles of a stack; of a cell, its Snapshots


@dataclass(frozen=True)
class Measured:
    """An impedance on the way, and where it was measured."""

    name: str
    step: int  # after which it was measured; -1: before the first
    time: float  # s
    charge: float  # C m-2 since the start
    voltage: float  # V
    current: float  # A m-2
    temperature: float  # K
    impedance: Impedance


@dataclass(frozen=True)
class Course:
    """What was done of a protocol, and where it ended."""

    acts: tuple[Act, ...]
    end: Any  # Instant of the engine
    planned: int  # steps
    names: tuple[str, ...]  # of all of them
    result: int = OK  # of the engine; -1: interrupted, -2: a step could not begin
    message: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)  # time steps accepted and rejected, corrections
    measured: tuple[Measured, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every step was done."""
        return self.result == OK


def digest(
    stack: Stack, along: losses.Path | None, run: Trajectory, name: str, key: str, kind: str, ended: str, moments: int
) -> Act:
    """What is kept of a step: all rows of what one measures, profiles of up to `moments`."""
    t, temperature = np.asarray(run.t), np.asarray(run.temperature)
    wanted = np.linspace(t[0], t[-1], moments)
    which = np.unique([0, *np.searchsorted(t, wanted[1:-1]), len(t) - 1])
    some = _rows(run.state, which)
    return Act(
        name,
        key,
        kind,
        ended,
        t,
        *(np.asarray(own) for own in (run.voltage, run.current, run.charge)),
        temperature,
        losses.history(stack, run.state, temperature, along),
        which,
        losses.moments(stack, some, temperature[which]),
    )


def _rows(tree, which):
    import jax

    return jax.tree.map(lambda a: np.asarray(a)[which], tree)


def to_dataset(stack: Stack, course: Course, impedance=None, origin: Origin | None = None) -> xr.Dataset:
    """A protocol that was followed and, if asked, the impedance at its end."""
    acts, along = course.acts, losses.path(stack)
    shown = course.measured[0].impedance if impedance is None and course.measured else impedance
    parts = [*measured_rows(acts), _snapshots(stack, acts), _inside(stack, acts, along), _end(stack, course)]
    ds = xr.merge([*parts, results.elements(stack, shown), spectra(course.measured)])
    return completed(ds, course, impedance, origin)


def completed(ds: xr.Dataset, course: Course, impedance=None, origin: Origin | None = None) -> xr.Dataset:
    """With the impedance at the end, if asked, and with what is said about the run."""
    origin = origin or Origin()
    if impedance is not None:
        ds = ds.merge(results.spectrum(impedance))
    if origin.area is not None:
        ds["area"] = results.scalar(origin.area, "m^2", "area")
    ds.attrs = origin.attributes() | {
        "kind": "protocol",
        "result": int(course.result),
        "message": MESSAGES[OK] if course.complete else course.message,
        "complete": int(course.complete),
        "steps_planned": course.planned,
        "time_steps": course.counts[0],
        "time_steps_rejected": course.counts[1],
        "newton_corrections": course.counts[2],
        "pinned": "[]",
    }
    return ds


def measured_rows(acts: Sequence[Act]) -> tuple[xr.Dataset, xr.Dataset]:
    """What the terminals saw, row by row, and how each step ended."""
    return _measured(acts), _steps(acts)


def snapshot_rows(acts: Sequence[Act]) -> tuple[np.ndarray, np.ndarray]:
    """Of every snapshot: the step, and the row in time."""
    number = np.concatenate([np.full(len(act.which), n) for n, act in enumerate(acts)])
    before = np.cumsum([0, *(len(act.t) for act in acts)])
    return number, np.concatenate([start + act.which for start, act in zip(before, acts, strict=False)])


def _joined(acts: Sequence[Act], name: str):
    return np.concatenate([getattr(act, name) for act in acts])


def _measured(acts: Sequence[Act]) -> xr.Dataset:
    axis = ("time",)
    number = np.concatenate([np.full(len(act.t), n) for n, act in enumerate(acts)])
    return xr.Dataset(
        {
            "voltage": variable(axis, _joined(acts, "voltage"), "V", "voltage at the terminals, right minus left"),
            "current": variable(axis, _joined(acts, "current"), "A/m^2", "current density, positive on discharge"),
            "charge": variable(axis, _joined(acts, "charge"), "C/m^2", "charge passed since the start"),
            "temperature": variable(axis, _joined(acts, "temperature"), "K", "temperature"),
            "step_of_row": variable(axis, number, "", "index of the step that a row belongs to"),
        },
        coords={"time": variable(axis, _joined(acts, "t"), "s", "time since the start")},
    )


def _steps(acts: Sequence[Act]) -> xr.Dataset:
    axis = ("step",)
    words = {
        "step_name": ([act.name for act in acts], "what was done"),
        "step_key": ([act.key for act in acts], "where the step stands in the configuration"),
        "step_kind": ([act.kind for act in acts], "what was held; sweep; rest"),
        "step_end": ([act.ended for act in acts], "what ended the step"),
    }
    return xr.Dataset(
        {name: (axis, values, {"long_name": text}) for name, (values, text) in words.items()}
        | {
            "step_duration": variable(axis, [act.t[-1] - act.t[0] for act in acts], "s", "how long the step took"),
            "step_charge": variable(axis, [act.charge[-1] - act.charge[0] for act in acts], "C/m^2", "charge passed"),
        },
        coords={"step": np.arange(len(acts))},
    )


def _snapshots(stack: Stack, acts: Sequence[Act]) -> xr.Dataset:
    one, each, all_ = ("snapshot",), ("snapshot", "node"), ("snapshot", "carrier", "node")
    names = np.array([layer.name for layer in stack.layers])
    found = [act.profiles for act in acts]
    kept = {
        key: np.concatenate([getattr(p, key) for p in found])
        for key in ("potential", "occupancy", "concentration", "electrochemical")
    }
    number, rows = snapshot_rows(acts)
    return xr.Dataset(
        {
            "potential": variable(each, kept["potential"], "V", "electrostatic potential"),
            "occupancy": variable(all_, kept["occupancy"], "1", "share of the sites filled"),
            "concentration": variable(all_, kept["concentration"], "mol/m^3", "concentration"),
            "electrochemical_potential": variable(
                all_, kept["electrochemical"], "V", "electrochemical potential over F"
            ),
            "snapshot_row": variable(one, rows, "", "index of the row, in time, of a snapshot"),
            "snapshot_step": variable(one, number, "", "index of the step that a snapshot belongs to"),
        },
        coords={
            "x": variable(("node",), found[0].x[0], "m", "distance from the left contact"),
            "layer": variable(("node",), names[found[0].layer[0].astype(int)], "", "layer the node belongs to"),
            "carrier": [s.name for s in stack.species],
            "charge_number": variable(("carrier",), [s.charge for s in stack.species], "1", "elementary charges"),
            "snapshot_time": variable(one, np.concatenate([act.t[act.which] for act in acts]), "s", "time"),
        },
    )


def _inside(stack: Stack, acts: Sequence[Act], along: losses.Path | None) -> xr.Dataset:
    def of(name):
        return np.concatenate([getattr(act.inside, name) for act in acts])

    names, slots = losses.reactions(stack), losses.slots(stack)
    ds = xr.Dataset(
        {
            "affinity": variable(("time", "reaction"), of("affinity"), "V", "affinity of a reaction per charge moved"),
            "rate": variable(
                ("time", "reaction"),
                of("rate"),
                "mol/(m^2 s)",
                "rate of a reaction forward; out of the metal at a contact",
            ),
        },
        coords={"reaction": list(names)},
    )
    if along is not None:
        ds["open_circuit"] = variable(
            ("time",), of("open_circuit"), "V", "open-circuit voltage of the mean compositions"
        )
        text = "part of voltage - open_circuit"
        ds["overpotential"] = variable(("time", "loss"), of("losses"), "V", text)
        ds = ds.assign_coords(loss=list(losses.names(stack, along)))
        ds["current_path"] = ((), " | ".join(along.species), {"long_name": "what carries the current in each layer"})
    if slots:
        held = of("surface")
        films = np.array(["film" in name.rpartition(": ")[2] for name in slots])
        unit = {"units": "1", "long_name": "films: thickness in m; interface states: amount in mol/m^2"}
        ds["surface"] = (("time", "slot"), held, unit)
        ds = ds.assign_coords(slot=list(slots), slot_unit=("slot", np.where(films, "m", "mol/m^2")))
    return ds


def spectra(measured: Sequence[Measured]) -> xr.Dataset:
    """Impedances on the way: one row for each, NaN at frequencies of others."""
    if not measured:
        return xr.Dataset()
    axis, axes = ("measured",), ("measured", "element", "measured_frequency")
    found = [results.spectrum(one.impedance) for one in measured]
    frequency = np.unique(np.concatenate([ds.frequency.values for ds in found]))
    rows = xr.concat([ds.reindex(frequency=frequency) for ds in found], "measured")
    unit = "ohm cm^2"
    where = {
        "time": ("s", "time since the start"),
        "charge": ("C/m^2", "charge passed since the start"),
        "voltage": ("V", "voltage at the terminals"),
        "current": ("A/m^2", "current density, positive on discharge"),
        "temperature": ("K", "temperature"),
    }
    coords = {
        f"measured_{key}": variable(axis, [getattr(one, key) for one in measured], units, f"{text}, when measured")
        for key, (units, text) in where.items()
    }
    text = "index of the step after which it was measured, -1: before the first"
    coords["measured_step"] = variable(axis, [one.step for one in measured], "", text)
    coords["measured_name"] = (axis, [one.name for one in measured], {"long_name": "step that asked for it"})
    coords["measured_frequency"] = variable(("measured_frequency",), frequency, "Hz", "frequency")
    values = {}
    for key, text in (("real", "real part of the impedance"), ("imag", "imaginary part of the impedance")):
        values[f"measured_z_{key}"] = variable((axes[0], axes[2]), rows[f"z_{key}"].values, unit, f"{text} on the way")
        part = rows[f"z_part_{key}"].transpose("measured", "element", "frequency").values
        values[f"measured_z_part_{key}"] = variable(axes, part, unit, f"{text} of an element on the way")
    names = list(measured[0].impedance.elements)
    return xr.Dataset(values, coords=coords | {"element": names, "measured": np.arange(len(measured))})


# ------------------------------------------------------------------------------------------------- going on


def _end(stack: Stack, course: Course) -> xr.Dataset:
    """All it takes to go on: meshes, unknowns and amounts where the run ended."""
    layout, end, both = Layout(stack), course.end, ("block", "unknown")
    spacing = np.concatenate([np.append(np.asarray(layer.spacing), 0.0) for layer in stack.layers])
    text = "distance to the next node over the thickness, 0 at the end of a layer"
    return xr.Dataset(
        {
            "spacing": variable(("node",), spacing, "1", text),
            "end_state": variable(both, layout.flatten(end.state), "", "unknowns at the end, as the solver keeps them"),
            "end_stored": variable(
                both, layout.flatten(end.stored), "", "amounts at the end, as the solver keeps them"
            ),
            "end_time": results.scalar(end.time, "s", "time at the end"),
            "end_charge": results.scalar(end.charge, "C/m^2", "charge passed at the end"),
        }
    )


def resume(ds: xr.Dataset, stack: Stack) -> tuple[Stack, Instant]:
    """The stack with the meshes of a result, and where that ended. Raises ValueError where they do not fit."""
    if "end_state" not in ds:
        raise ValueError("it holds no state to go on from: only a protocol leaves one")
    layers = {name: int((ds.layer.values == name).sum()) for name in dict.fromkeys(ds.layer.values)}
    own = {layer.name: layer.nodes for layer in stack.layers}
    if layers != own:
        raise ValueError(f"it has the layers (nodes) {_listed(layers)}, this stack {_listed(own)}")
    spacings = [jnp.asarray(ds.spacing.values[ds.layer.values == name][:-1]) for name in layers]
    stack = eqx.tree_at(lambda s: [layer.spacing for layer in s.layers], stack, spacings)
    layout = Layout(stack)
    if ds.end_state.shape != (layout.blocks, layout.width):
        raise ValueError("its species or reactions are others")
    end = [layout.unflatten(jnp.asarray(ds[name].values)) for name in ("end_state", "end_stored")]
    return stack, Instant(jnp.asarray(float(ds.end_time)), *end, jnp.asarray(float(ds.end_charge)))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())
