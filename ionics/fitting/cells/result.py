"""What a fit of a cell returns: how far every record is missed, the parameters, and which record determines which."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ionics.fitting.cells.groups import Determination, sentences
from ionics.fitting.cells.packing import Group
from ionics.fitting.cells.problem import CellPosed
from ionics.fitting.cells.records import Discharge, Impedance, Rates, Record, Titration
from ionics.fitting.cells.states import Specimen
from ionics.fitting.criteria import criteria
from ionics.fitting.result import Estimates


@dataclass(frozen=True, eq=False)
class Fitted:
    """One record as the fit has it, at the points that were kept."""

    name: str
    record: Record
    x: np.ndarray  # s of a discharge or titration, A m-2 of rates, Hz of a spectrum
    measured: np.ndarray  # V, C m-2, Ohm m2
    model: np.ndarray
    capacity: float | None = None  # of a discharge up to its cutoff, C m-2

    @property
    def rms(self) -> float:
        """Root mean square of what is missed: V of a discharge or titration, else a share.

        Of capacities that of the largest; of an impedance that of |Z|.
        """
        missed = np.abs(self.model - self.measured)
        if isinstance(self.record, Rates):
            missed = missed / self.measured.max()
        elif isinstance(self.record, Impedance):
            missed = missed / np.abs(self.measured)
        return float(np.sqrt(np.mean(missed**2))) if len(missed) else 0.0

    @property
    def sentence(self) -> str:
        """How far it is missed."""
        if isinstance(self.record, Rates | Impedance):
            return f"{self.name}: {100 * self.rms:.2g} %"
        text = f"{self.name}: {1e3 * self.rms:.2g} mV"
        if self.capacity is None or not isinstance(self.record, Discharge):
            return text
        if not self.record.capacity:
            return f"{text}, capacity {self.capacity:.3g} C m-2 where none was measured"
        return f"{text}, capacity {100 * (self.capacity / self.record.capacity - 1):+.2g} %"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CellFit(Estimates):
    """The best fit of a cell to all its records."""

    posed: CellPosed
    specimen: Specimen  # the cell with the fitted values in it, and what it contains
    fitted: tuple[Fitted, ...]
    sizes: tuple[Group, ...]  # of the errors, stated or estimated
    by_record: Determination
    by_kind: Determination

    @property
    def criteria(self) -> dict[str, float]:
        """AIC, AICc and BIC; smaller is better. Sizes of errors that were estimated count as parameters."""
        group, found = self.posed.packed.group, self.posed.packed.groups
        counts = np.array([np.sum(group == k) for k in range(len(found))])
        larger = np.array([now.size / then.size for now, then in zip(self.sizes, found, strict=True)])
        guessed = sum(not one.stated for one in self.sizes)
        deviance = self.chi_squared + float(2 * counts @ np.log(larger))
        return criteria(deviance, self.observations, len(self.parameters) + guessed, True)

    @property
    def verdict(self) -> str:
        """How well the cell describes its records, in a sentence."""
        text = "; ".join(one.sentence for one in self.fitted)
        if self.weighting == "sigma":
            limit = 1 + 3 * np.sqrt(2 / self.dof)
            good = self.reduced_chi_squared < limit
            text = f"{'fits' if good else 'does not fit'} within the given errors ({text})"
        if self.undetermined:
            text += "; not every parameter is determined"
        return text

    @property
    def sources(self) -> tuple[str, ...]:
        """Where each parameter comes from, in sentences."""
        inner = self.posed.unknowns
        width = np.array([one.upper - one.lower for one in self.parameters])
        size = np.where(inner.is_log, np.abs(self.values), width)
        return sentences(self.names, self.standard_errors / size, self.by_record, self.by_kind)

    def summary(self) -> str:
        """The fit as text."""
        lines = [self.verdict, *self._statistics(), *self._answers()]
        guessed = [one for one in self.sizes if not one.stated]
        if guessed:
            lines += ["", "Errors, estimated from the misfit:"]
        for one in guessed:
            lines.append(
                f"  {one.name}: {f'{1e3 * one.size:.3g} mV' if one.unit == 'V' else f'{100 * one.size:.3g} %'}"
            )
        lines += ["", "Where each parameter comes from:"]
        lines += [f"  {sentence}" for sentence in self.sources]
        return "\n".join(lines)

    def as_dict(self) -> dict:
        own = {
            "verdict": self.verdict,
            "records": {one.name: {"rms": one.rms, "capacity": one.capacity} for one in self.fitted},
            "errors": {one.name: {"size": one.size, "unit": one.unit, "stated": one.stated} for one in self.sizes},
            "shares": {
                name: dict(zip(self.names, map(float, row), strict=True))
                for name, row in zip(self.by_record.parts, self.by_record.share, strict=True)
            },
        }
        return own | super().as_dict()


def fitted(
    names: tuple[str, ...], records: tuple[Record, ...], packed, missed: Float[np.ndarray, " residual"]
) -> tuple[Fitted, ...]:
    """Every record with the answers of the model, from what its points are missed by."""
    place, found = 0, {}
    for part in (packed.discharges, packed.titrations, packed.spectra):
        if part is not None:
            size = part.weight.size * (2 if part is packed.spectra else 1)
            found[type(part).__name__] = missed[place : place + size], part
            place += size
            if part is packed.discharges:
                found["capacities"] = missed[place : place + part.current.size], part
                place += part.current.size
    run = {"Discharges": 0, "Titrations": 0, "Spectra": 0}
    answers = []
    for name, record in zip(names, records, strict=True):
        if isinstance(record, Discharge | Rates):
            count = len(record.current) if isinstance(record, Rates) else 1
            rows = slice(run["Discharges"], run["Discharges"] + count)
            run["Discharges"] += count
            answers.append(_of_current(name, record, rows, found["Discharges"], found["capacities"]))
        elif isinstance(record, Titration):
            answers.append(_of_steps(name, record, run["Titrations"], *found["Titrations"]))
            run["Titrations"] += 1
        else:
            answers.append(_of_spectrum(name, record, run["Spectra"], *found["Spectra"]))
            run["Spectra"] += 1
    return tuple(answers)


def _of_current(name, record, rows, voltages, capacities) -> Fitted:
    missed, part = voltages
    closing = np.asarray(capacities[0])[rows]
    weight = np.asarray(part.capacity_weight)[rows]
    reached = np.asarray(part.capacity)[rows] + closing / np.where(weight > 0, weight, np.inf)
    if isinstance(record, Rates):
        return Fitted(name, record, record.current, record.capacity, reached)
    own = np.asarray(part.weight)[rows][0]
    there = own > 0
    voltage = np.asarray(part.voltage)[rows][0][there]
    answer = voltage + missed.reshape(part.weight.shape)[rows][0][there] / own[there]
    last = float(reached[0]) if weight[0] > 0 else None
    return Fitted(name, record, np.asarray(part.time)[rows][0][there], voltage, answer, last)


def _of_steps(name, record, run, missed, part) -> Fitted:
    own = np.asarray(part.weight)[run]
    there = own > 0
    begun = np.concatenate([[0.0], np.cumsum(np.asarray(part.duration)[run])[:-1]])
    time = (begun[:, None] + np.asarray(part.time)[run])[there]
    voltage = np.asarray(part.voltage)[run][there]
    return Fitted(name, record, time, voltage, voltage + missed.reshape(part.weight.shape)[run][there] / own[there])


def _of_spectrum(name, record, run, missed, part) -> Fitted:
    own = np.asarray(part.weight)[run]
    there = own > 0
    real, imaginary = missed.reshape(len(part.weight), 2, -1)[run]
    z = np.asarray(part.impedance)[run][there]
    answer = z + (real + 1j * imaginary)[there] / own[there]
    return Fitted(name, record, np.asarray(part.frequency)[run][there], z, answer)


def fields_of(estimates: Estimates) -> dict:
    """Of the estimates, by name."""
    return {field.name: getattr(estimates, field.name) for field in dataclasses.fields(estimates)}
