"""The spectra of a fit, as the file wants them read, corrected and weighted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ionics.config.fit_questions import Corrections, Fit
from ionics.config.schema import Config
from ionics.fitting.checks.corrections import estimate_inductance, without_series
from ionics.fitting.checks.error_models import fit_error_model, repeated_error
from ionics.fitting.checks.kramers_kronig import kramers_kronig_series
from ionics.fitting.files.folder import read_series
from ionics.fitting.leastsquares import Weighting
from ionics.fitting.spectrum import DataError, Spectrum


def spectra(config: Config, asked: Fit, data: str | Path | None) -> list[Spectrum]:
    """All that is to be fitted, as measured; a path in the configuration is relative to its folder.

    Raises ConfigError where no data are named, DataError where they cannot be read.
    """
    if data is None and asked.data is None:
        raise config.error(("fit",), "no data", "write data: FILE, or give --data FILE")
    beside = Path(config.document.name).parent
    where = Path(data) if data is not None else beside / str(asked.data)
    columns = [int(c) if c.isdigit() else c for c in asked.columns] if asked.columns else None
    pattern, units = asked.series.groups if asked.series else (None, {})
    table = beside / asked.series.table if asked.series and asked.series.table else None
    found = read_series(where, pattern=pattern, units=units, table=table, columns=columns)
    if len(found) > 1 and asked.series is None and where.is_file():
        raise DataError(f"{where}: holds {len(found)} spectra; write series: {{}} to fit them all")
    if asked.model == "stack":
        found = [one if one.temperature else dataclasses.replace(one, temperature=config.temperature) for one in found]
    return found


def prepared(asked: Fit, measured: list[Spectrum]) -> list[Spectrum]:
    """Within the range of frequencies that is asked for, without the cables, with errors where they are known."""
    found = measured
    if asked.corrections is not None:
        found = [_corrected(one, asked.corrections) for one in found]
    if asked.frequency_range:
        found = [one.window(*asked.frequency_range) for one in found]
    return found if asked.weighting == "modulus" else _with_errors(asked, found)


def _corrected(one: Spectrum, asked: Corrections) -> Spectrum:
    inductance = estimate_inductance(one).value if asked.inductance == "estimated" else asked.inductance or 0.0
    return without_series(one, inductance=inductance, resistance=asked.resistance or 0.0)


def _with_errors(asked: Fit, spectra: list[Spectrum]) -> list[Spectrum]:
    """Standard deviations of each point [ohm]. Raises DataError."""
    if asked.weighting == "fitted":
        model = fit_error_model(kramers_kronig_series(spectra))
        sigma = [model.sigma(one.impedance) for one in spectra]
    elif asked.weighting == "repeated":
        groups: dict = {}
        for k, one in enumerate(spectra):
            groups.setdefault((one.temperature, *sorted(one.conditions.items())), []).append(k)
        sigma = [np.zeros(0)] * len(spectra)
        for members in groups.values():
            own = repeated_error([spectra[k] for k in members])
            for k in members:
                sigma[k] = own
    else:
        given = asked.weighting
        sigma = [given.sigma if given.relative is None else given.relative * abs(one.impedance) for one in spectra]
    return [
        dataclasses.replace(one, sigma=np.broadcast_to(own, one.frequency.shape))
        for one, own in zip(spectra, sigma, strict=True)
    ]


def weighting(asked: Fit) -> Weighting:
    """How points count in the fit."""
    return "modulus" if asked.weighting == "modulus" else "sigma"
