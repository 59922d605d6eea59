"""What `ionics design` is asked: which measurements determine a parameter of the fit best."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.quantities import Frequency, PositiveRatio, Share, Temperature, Time


class At(Mapping):
    """A condition under which the sample could be measured."""

    temperature: Temperature | None = Field(None, examples=["25 degC"])
    state_of_charge: Share | None = Field(None, examples=["0.5"])

    @model_validator(mode="after")
    def _something(self):
        if not self.model_fields_set:
            raise wrong("no condition", "{temperature: 25 degC}, {state_of_charge: 0.5}, or both")
        return self


class Timing(Mapping):
    """What a frequency costs: a pause and so many periods."""

    cycles: Annotated[float, Field(gt=0)] = Field(3.0, description="Periods of each frequency.")
    pause: Time = Field(1.0, description="Before each frequency.", examples=["1 s"])


class Design(Mapping):
    """What to measure for the model of `fit`, whose free parameters start where they are expected."""

    question: str | list[str] | None = Field(
        None, description="A free parameter, several, or (left out) all of them.", examples=["R1"]
    )
    from_: Frequency = Field(alias="from", description="Lowest frequency the instrument has.", examples=["10 mHz"])
    to: Frequency = Field(description="Highest.", examples=["1 MHz"])
    points: int = Field(161, description="Candidates, evenly spaced in the logarithm.", ge=3, le=10_000)
    count: int = Field(12, description="Measurements to suggest.", ge=1, le=1000)
    keep: int = Field(0, description="So many of them evenly spaced, to see whether the model is wrong.", ge=0)
    error: PositiveRatio = Field(0.01, description="Of real and imaginary part, as a share of |Z|.", examples=["1 %"])
    timing: Timing | None = Field(None, description="Then the effort is counted in seconds.")
    conditions: list[At] = Field([], description="Candidates; left out: that of the file.")

    @model_validator(mode="after")
    def _in_order(self):
        if self.to <= self.from_:
            raise wrong("must be above `from`", "from the lowest to the highest frequency", "to")
        if self.keep > self.count:
            raise wrong("more than count", f"at most {self.count}", "keep")
        return self
