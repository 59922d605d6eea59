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
    """What to measure for the model of `fit`, whose free parameters start where they are expected.

    Of a spectrum: which frequencies, `from` .. `to`. Of a cell: which of its records that are still to come.
    """

    question: str | list[str] | None = Field(
        None, description="A free parameter (the end of its path is enough), several, or (left out) all of them.",
        examples=["R1"],
    )  # fmt: skip
    from_: Frequency | None = Field(
        None, alias="from", description="Lowest frequency the instrument has.", examples=["10 mHz"]
    )
    to: Frequency | None = Field(None, description="Highest.", examples=["1 MHz"])
    points: int = Field(161, description="Candidates, evenly spaced in the logarithm.", ge=3, le=10_000)
    count: int = Field(12, description="Measurements, or records, to suggest.", ge=1, le=1000)
    keep: int = Field(0, description="So many of them evenly spaced, to see whether the model is wrong.", ge=0)
    error: PositiveRatio = Field(0.01, description="Of real and imaginary part, as a share of |Z|.", examples=["1 %"])
    timing: Timing | None = Field(None, description="Then the effort is counted in seconds.")
    conditions: list[At] = Field([], description="Candidates; left out: that of the file.")

    @model_validator(mode="after")
    def _in_order(self):
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise wrong("must be above `from`", "from the lowest to the highest frequency", "to")
        if self.keep > self.count:
            raise wrong("more than count", f"at most {self.count}", "keep")
        return self

    def suits(self, model: str) -> None:
        """Raise what is wrong where the fit is one of this model."""
        if model == "cell":
            for key in sorted(self.model_fields_set - {"question", "count"}):
                raise wrong(f"{key.rstrip('_')} is not used by model cell", "question and count", "design")
            if "count" not in self.model_fields_set:
                raise wrong("required key missing: how many records to make", "write e.g. count: 2", "design")
        elif model == "capacity-rate":
            raise wrong("nothing to design for capacities", "a circuit, a stack or a cell", "design")
        else:
            for key, own, example in (("from", self.from_, "10 mHz"), ("to", self.to, "1 MHz")):
                if own is None:
                    raise wrong(f"required key missing: {key}", f"write e.g. {key}: {example}", "design")
