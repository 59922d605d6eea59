"""The `design` part of a file: the model of its fit and candidate frequencies, or records, to the best of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics.config.design_questions import At, Design
from ionics.config.fits import model_of, question
from ionics.config.schema import Config
from ionics.fitting.design import plan
from ionics.fitting.design.choice import Choice
from ionics.fitting.design.information import Condition
from ionics.fitting.model import AbstractModel
from ionics.fitting.spectrum import Spectrum

if TYPE_CHECKING:
    from ionics.config.study import Study


def design(study: Study, tell: Callable[[str], None]) -> xr.Dataset:
    """What to measure. Raises ConfigError where the file asks nothing, or for something it has not."""
    asked = study.config.design
    if asked is None:
        raise study.config.error((), "nothing to design", "write e.g. design: {question: R1, from: 10 mHz, to: 1 MHz}")
    of = _of_records if question(study.config).model == "cell" else _of_spectra
    made = of(study, asked, tell)
    ds = made.to_dataset()
    ds.attrs |= study.origin.attributes() | {"kind": "design"}
    return ds


def _of_spectra(study: Study, asked: Design, tell: Callable[[str], None]) -> plan.Design:
    """Which frequencies."""
    tell("preparing the model")
    model = model_of(study)
    wanted = _named(study.config, asked, [parameter.name for parameter in model.parameters])
    tell("designing")
    timing = None if asked.timing is None else plan.Timing(asked.timing.cycles, asked.timing.pause)
    try:
        return plan.design(_conditions(asked, model), wanted, count=asked.count, keep=asked.keep, timing=timing)
    except ValueError as error:
        raise study.config.error(("design",), str(error)) from None


def _of_records(study: Study, asked: Design, tell: Callable[[str], None]) -> Choice:
    """Which records of a cell, beside those that have been made."""
    from ionics.config.cell_candidates import candidates, check_errors
    from ionics.config.cell_fits import expected
    from ionics.config.cell_records import read
    from ionics.fitting.cells.which import which_records

    config = study.config
    check_errors(config)
    to_come = candidates(config)
    if not to_come:
        problem, example = (
            "every record has been measured: nothing is left to choose",
            "{current: 1 mA/cm^2, cutoff: 3 V}",
        )
        raise config.error(("fit", "records"), problem, f"records to come, e.g. discharge: {example}")
    if asked.count > len(to_come):
        raise config.error(("design", "count"), f"{len(to_come)} records are to come", f"1 to {len(to_come)}")
    tell("building the cell")
    specimen, fingers, known = expected(config, question(config))
    wanted = _named(config, asked, [finger.name for finger in fingers])
    measured = read(config)
    tell(f"what {len(to_come)} records would tell")
    return which_records(
        specimen.cell, specimen.filled, to_come, fingers, wanted, count=asked.count, measured=measured, priors=known
    )


def _named(config: Config, asked: Design, known: list[str]) -> str | list[str] | None:
    """The question by the names of the fit; of a dotted path the end is enough where no other ends so."""
    if asked.question is None:
        return None
    found = []
    for name in [asked.question] if isinstance(asked.question, str) else asked.question:
        same = [name] if name in known else [one for one in known if one.endswith(f".{name}")]
        if len(same) != 1:
            problem = f"'{name}' is the end of several paths" if same else f"'{name}' is not free"
            raise config.error(("design", "question"), problem, f"free are {', '.join(known)}")
        found.append(same[0])
    return found[0] if isinstance(asked.question, str) else found


def _conditions(asked: Design, model: AbstractModel) -> list[Condition]:
    frequency = np.geomspace(asked.from_, asked.to, asked.points)
    if not asked.conditions:
        return [Condition("", model, frequency, asked.error)]
    return [
        Condition(_words(at), model.under(_imagined(at, frequency)), frequency, asked.error) for at in asked.conditions
    ]


def _imagined(at: At, frequency) -> Spectrum:
    """A spectrum that says under which conditions it would be measured."""
    charge = {} if at.state_of_charge is None else {"state_of_charge": at.state_of_charge}
    return Spectrum(frequency, np.ones(len(frequency), complex), temperature=at.temperature, conditions=charge)


def _words(at: At) -> str:
    warm = [] if at.temperature is None else [f"{at.temperature - 273.15:.4g} °C"]
    return ", ".join(warm + ([] if at.state_of_charge is None else [f"{100 * at.state_of_charge:.3g} % charged"]))
