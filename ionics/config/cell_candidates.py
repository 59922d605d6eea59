"""Records of a cell that are still to come, as a file says them: what stands in for their data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ionics.config.cell_records import (
    DischargeRecord,
    ImpedanceRecord,
    RatesRecord,
    TitrationRecord,
    stated,
    under,
)

if TYPE_CHECKING:
    from ionics.config.schema import Config
    from ionics.fitting.cells.records import Record

READINGS = 12  # of a pulse or a rest, as many as a fit keeps


def candidates(config: Config) -> list[Record]:
    """The records to come. Raises ConfigError where one does not state how large its errors will be."""
    return [MADE[kind](config, own) for _, kind, own in stated(config) if own.to_come]


def check_errors(config: Config) -> None:
    """Raise ConfigError where a record, made or to come, does not state the size of its errors."""
    for place, kind, own in stated(config):
        needed = {"sigma": "e.g. sigma: 2 mV" if kind in ("discharge", "titration") else "e.g. sigma: 1 %"}
        if kind == "discharge" and own.cutoff is not None:
            needed["charge_sigma"] = "e.g. charge_sigma: 0.5 %"
        for key, example in needed.items():
            if getattr(own, key) is None:
                raise config.error(place, f"a design needs {key}", f"the size of the errors, {example}")


def _discharge(config: Config, own: DischargeRecord):
    from ionics.fitting.cells.records import Discharge

    first = np.array([] if own.first is None else [own.first])
    label = own.name or f"{own.current * 0.1:.4g} mA/cm²"
    sizes = {"sigma": own.sigma, "charge_sigma": own.charge_sigma}
    return Discharge(
        own.current, first, np.full(len(first), own.cutoff), own.cutoff, label=label, **under(config, own), **sizes
    )


def _rates(config: Config, own: RatesRecord):
    from ionics.fitting.cells.records import Rates

    current = np.asarray(own.current)
    any_ = np.ones(len(current))
    return Rates(current, any_, own.cutoff, sigma=own.sigma, label=own.name or "", **under(config, own))


def _titration(config: Config, own: TitrationRecord):
    from ionics.fitting.cells.records import Titration

    current, duration = np.tile([own.current, 0.0], own.count), np.tile([own.pulse, own.rest], own.count)
    begun = np.append(0.0, np.cumsum(duration)[:-1])
    time = np.concatenate(
        [start + np.geomspace(own.first, long, READINGS) for start, long in zip(begun, duration, strict=True)]
    )
    any_ = np.zeros(len(time))
    return Titration(current, duration, time, any_, sigma=own.sigma, label=own.name or "", **under(config, own))


def _impedance(config: Config, own: ImpedanceRecord):
    from ionics.fitting.cells.records import Impedance
    from ionics.fitting.spectrum import Spectrum

    frequency = np.geomspace(own.from_, own.to, own.points)
    spectrum = Spectrum(frequency, np.ones(len(frequency), complex))
    return Impedance(spectrum, config.area or 1.0, sigma=own.sigma, label=own.name or "", **under(config, own))


MADE = {"discharge": _discharge, "rates": _rates, "titration": _titration, "impedance": _impedance}
