"""Records as arrays of common shapes with weights, and which residual belongs to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ionics.fitting.cells.courses import Discharges, Titrations
from ionics.fitting.cells.records import Discharge, Impedance, Rates, Record, Titration
from ionics.fitting.cells.spectra import Spectra

PAD, FEW = 20, 4  # points of a discharge or spectrum, and of a step, are padded to multiples of these
VOLTAGE, CHARGE, CAPACITY, SPECTRUM = 5e-3, 2e-3, 1e-2, 1e-2  # errors at first, where they are estimated: V, shares
LEAST = 0.1  # of the largest capacity: a smaller one is known no better than this one
BEYOND = 1.0  # V past what was measured in a titration


@dataclass(frozen=True)
class Group:
    """Residuals whose errors are of one size."""

    name: str
    size: float  # standard deviation, in its unit
    unit: str
    stated: bool  # whether the record says it


@dataclass(frozen=True, eq=False)
class Packed:
    """Arrays, and for every residual the record and the group it belongs to, -1 where it is padding."""

    discharges: Discharges | None
    titrations: Titrations | None
    spectra: Spectra | None
    groups: tuple[Group, ...]
    record: Int[np.ndarray, " residual"]
    group: Int[np.ndarray, " residual"]


def pack(records: Sequence[Record], factors: Float[np.ndarray, " group"] | None = None) -> Packed:
    """factors: of the size of the errors of each group; by default 1."""
    groups = _groups(records)
    number = {group.name: k for k, group in enumerate(groups)}
    factors = np.ones(len(groups)) if factors is None else factors
    makers = (_discharges, _titrations, _spectra)
    parts, owners, members = [], [np.zeros(0, int)], [np.zeros(0, int)]
    for maker in makers:
        part, owner, member = maker(records, number, factors)
        parts.append(part)
        owners.append(owner)
        members.append(member)
    return Packed(*parts, tuple(groups), np.concatenate(owners), np.concatenate(members))


def title(record: Record, records: Sequence[Record]) -> str:
    """A name of a record within a fit, always another one."""
    own = f"{type(record).__name__.lower()} {record.label}".strip()
    same = [one for one in records if f"{type(one).__name__.lower()} {one.label}".strip() == own]
    return own if len(same) == 1 else f"{own} {[one is record for one in same].index(True) + 1}"


def _groups(records) -> list[Group]:
    found = []
    for record in records:
        name = title(record, records)
        if isinstance(record, Discharge):
            found.append(Group(name, record.sigma or VOLTAGE, "V", record.sigma is not None))
            if record.cutoff is not None and record.charge_sigma is not None:
                found.append(Group(f"{name}, capacity", record.charge_sigma, "1", True))
        elif isinstance(record, Rates):
            found.append(Group(name, record.sigma or CAPACITY, "1", record.sigma is not None))
        elif isinstance(record, Titration):
            found.append(Group(name, record.sigma or VOLTAGE, "V", record.sigma is not None))
        else:
            stated = record.sigma is not None or record.spectrum.sigma is not None
            found.append(Group(name, record.sigma or SPECTRUM, "1", stated))
    if any(isinstance(one, Discharge) and one.cutoff is not None and one.charge_sigma is None for one in records):
        found.append(Group("capacities", CHARGE, "1", False))
    return found


def _padded(rows, length: int, fill: float = 0.0) -> np.ndarray:
    return np.stack([np.pad(np.asarray(row), (0, length - len(row)), constant_values=fill) for row in rows])


def _length(counts, multiple: int) -> int:
    most = max(max(counts), 1)
    return most + -most % multiple


# ---- constant currents


def _discharges(records, number, factors):
    own = [(k, one) for k, one in enumerate(records) if isinstance(one, Discharge | Rates)]
    if not own:
        return None, np.zeros(0, int), np.zeros(0, int)
    largest = max(_capacity(one) for _, one in own)
    runs = [run for k, one in own for run in _runs(k, one, title(one, records), number, factors, largest)]
    length = _length([len(run["time"]) for run in runs], PAD)
    fields = {name: _padded([run[name] for run in runs], length) for name in ("voltage", "weight")}
    fields["time"] = _padded([run["time"] for run in runs], length, 1.0)
    scalars = ("current", "drawn", "temperature", "cutoff", "capacity", "capacity_weight")
    fields |= {name: np.array([run[name] for run in runs]) for name in scalars}
    owner = np.array([run["record"] for run in runs])
    owners = [np.where(fields["weight"] > 0, owner[:, None], -1), np.where(fields["capacity_weight"] > 0, owner, -1)]
    group, closing = (np.array([run[name] for run in runs]) for name in ("group", "closing"))
    members = [np.where(fields["weight"] > 0, group[:, None], -1), np.where(fields["capacity_weight"] > 0, closing, -1)]
    arrays = Discharges(**{name: jnp.asarray(value) for name, value in fields.items()})
    return arrays, np.concatenate([o.ravel() for o in owners]), np.concatenate([m.ravel() for m in members])


def _capacity(record: Discharge | Rates) -> float:
    if isinstance(record, Rates):
        return float(record.capacity.max())
    return max(record.capacity or 0.0, float(record.charge.max(initial=0.0)), 1e-300)


def _runs(k: int, record: Discharge | Rates, name: str, number, factors, largest: float):
    same = {"record": k, "drawn": record.drawn, "temperature": record.temperature, "group": number[name]}
    none = np.zeros(0)
    if isinstance(record, Rates):
        weight = 1 / ((record.sigma or CAPACITY) * record.capacity.max() * factors[number[name]])
        for current, capacity in zip(record.current, record.capacity, strict=True):
            yield same | {
                "time": none, "voltage": none, "weight": none, "current": current, "cutoff": record.cutoff,
                "capacity": capacity, "capacity_weight": weight, "closing": number[name],
            }  # fmt: skip
        return
    closing = number.get(f"{name}, capacity", number.get("capacities", -1))
    kept, last = record.thinned(), None if record.cutoff is None else record.capacity
    error = (record.charge_sigma or CHARGE) * max(last or 0.0, LEAST * largest)
    cutoff = record.cutoff
    if cutoff is None:
        cutoff = record.voltage.min() if record.current > 0 else record.voltage.max()
    yield same | {
        "time": kept.time,
        "voltage": kept.voltage,
        "weight": 1 / (voltage_errors(kept) * factors[number[name]]),
        "current": record.current,
        "cutoff": cutoff,
        "capacity": last or 0.0,
        "capacity_weight": 0.0 if last is None else 1 / (error * factors[closing]),
        "closing": closing,
    }


def voltage_errors(record: Discharge) -> Float[np.ndarray, " point"]:
    """Of every voltage [V], with what an error of the charge makes of it: sqrt(sigma^2 + (dV/dq sigma_q q)^2)."""
    own, charge = record.sigma or VOLTAGE, record.charge
    if len(charge) < 3:
        return np.full(len(charge), own)
    slope = np.gradient(record.voltage, charge)
    return np.hypot(own, slope * (record.charge_sigma or CHARGE) * charge)


# ---- steps


def _titrations(records, number, factors):
    own = [(k, one) for k, one in enumerate(records) if isinstance(one, Titration)]
    if not own:
        return None, np.zeros(0, int), np.zeros(0, int)
    steps = [one.steps() for _, one in own]
    most, length = max(map(len, steps)), _length([len(t) for run in steps for t, _ in run], FEW)
    empty = (np.zeros(0), np.zeros(0))
    steps = [run + [empty] * (most - len(run)) for run in steps]
    groups = np.array([number[title(one, records)] for _, one in own])
    errors = np.array([(one.sigma or VOLTAGE) * factors[g] for (_, one), g in zip(own, groups, strict=True)])
    time, voltage = (np.stack([_padded([step[i] for step in run], length, 1.0) for run in steps]) for i in (0, 1))
    there = np.stack([_padded([np.ones(len(step[0])) for step in run], length) for run in steps])
    arrays = Titrations(
        current=jnp.asarray(_padded([one.current for _, one in own], most)),
        duration=jnp.asarray(_padded([one.duration for _, one in own], most, 1.0)),
        drawn=jnp.asarray([float(one.drawn) for _, one in own]),
        temperature=jnp.asarray([float(one.temperature) for _, one in own]),
        floor=jnp.asarray([float(one.voltage.min()) - BEYOND for _, one in own]),
        ceiling=jnp.asarray([float(one.voltage.max()) + BEYOND for _, one in own]),
        time=jnp.asarray(time),
        voltage=jnp.asarray(voltage),
        weight=jnp.asarray(there / errors[:, None, None]),
    )
    numbers = np.array([k for k, _ in own])
    owner, member = (np.where(there > 0, what[:, None, None], -1) for what in (numbers, groups))
    return arrays, owner.ravel(), member.ravel()


# ---- spectra


def _spectra(records, number, factors):
    own = [(k, one) for k, one in enumerate(records) if isinstance(one, Impedance)]
    if not own:
        return None, np.zeros(0, int), np.zeros(0, int)
    length = _length([len(one.spectrum) for _, one in own], PAD)
    groups = np.array([number[title(one, records)] for _, one in own])
    there = _padded([np.ones(len(one.spectrum)) for _, one in own], length)
    weights = [1 / (impedance_errors(one) * factors[g]) for (_, one), g in zip(own, groups, strict=True)]
    arrays = Spectra(
        frequency=jnp.asarray(_padded([one.spectrum.frequency for _, one in own], length, 1.0)),
        impedance=jnp.asarray(_padded([one.impedance for _, one in own], length, 1.0)),
        weight=jnp.asarray(_padded(weights, length)),
        drawn=jnp.asarray([float(one.drawn) for _, one in own]),
        temperature=jnp.asarray([float(one.temperature) for _, one in own]),
    )
    numbers = np.array([k for k, _ in own])
    owner, member = (
        np.repeat(np.where(there > 0, what[:, None], -1)[:, None], 2, axis=1) for what in (numbers, groups)
    )
    return arrays, owner.ravel(), member.ravel()


def impedance_errors(record: Impedance) -> Float[np.ndarray, " point"]:
    """Of either part at every frequency [Ohm m2]."""
    if record.sigma is None and record.spectrum.sigma is not None:
        return np.asarray(record.spectrum.sigma) * record.area
    return (record.sigma or SPECTRUM) * np.abs(record.impedance)
