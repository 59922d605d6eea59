"""The `design` part of a file: the model of its fit and candidate measurements to the best of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics.config.design_questions import At, Design
from ionics.config.fits import model_of
from ionics.fitting.design import plan
from ionics.fitting.design.information import Condition
from ionics.fitting.model import AbstractModel
from ionics.fitting.spectrum import Spectrum

if TYPE_CHECKING:
    from ionics.config.study import Study


def design(study: Study, tell: Callable[[str], None]) -> xr.Dataset:
    """What to measure. Raises ConfigError where the file asks nothing, or for something it has not."""
    config = study.config
    asked = config.design
    if asked is None:
        raise config.error((), "nothing to design", "write e.g. design: {question: R1, from: 10 mHz, to: 1 MHz}")
    tell("preparing the model")
    model = model_of(study)
    known = [parameter.name for parameter in model.parameters]
    wanted = [asked.question] if isinstance(asked.question, str) else asked.question or []
    for name in wanted:
        if name not in known:
            raise config.error(("design", "question"), f"'{name}' is not free", f"free are {', '.join(known)}")
    tell("designing")
    timing = None if asked.timing is None else plan.Timing(asked.timing.cycles, asked.timing.pause)
    try:
        made = plan.design(_conditions(asked, model), asked.question, count=asked.count, keep=asked.keep, timing=timing)
    except ValueError as error:
        raise config.error(("design",), str(error)) from None
    ds = made.to_dataset()
    ds.attrs |= study.origin.attributes() | {"kind": "design"}
    return ds


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
