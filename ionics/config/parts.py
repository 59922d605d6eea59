"""The steps that an experiment stands for, and what several experiments have in common.

What is checked is checked once, where it is written: the steps are made from numbers in SI, and each says where its
keys were written.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from ionics.config.controls import Duration, Hold, Size
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import CurrentDensity, PositiveRatio, Ratio
from ionics.config.steps import Measurement, Step, Until

Steps = tuple[str | int, ...]
Skips = Literal["never", "under current", "always"]

MOST = 200  # pulses where only a voltage ends them
LEVELS = 10_000  # most of one titration
ROUNDING = 1e-9  # of a count that units leave


@dataclass(frozen=True)
class Part:
    """One step of an experiment."""

    step: Step
    keys: dict[Steps, Steps] = dataclasses.field(default_factory=dict)  # of the step -> where they were written
    skips: Skips = "never"  # when what ends it is met as it begins: with its current, or even before
    tolerant: bool = False  # where it cannot be finished, the protocol goes on
    closes: bool = False  # its voltage ends the experiment, but for a rest right after
    name: str = ""  # before that of the step

    def place(self, keys: Steps) -> Steps:
        """Where a key of the step was written, inside the experiment; () where nothing says it."""
        for n in range(len(keys), 0, -1):
            if keys[:n] in self.keys:
                return (*self.keys[keys[:n]], *keys[n:])
        return ()

    def inside(self, key: str, **changes) -> Part:
        """The same as part of something under a key."""
        keys = {own: (key, *written) for own, written in self.keys.items()}
        return dataclasses.replace(self, keys=keys, **changes)


def held(hold: Hold, name: str | None = None, **until: float | tuple[float, float] | None) -> Step:
    """Something held until the first of some ends."""
    ends = {key: value for key, value in until.items() if value is not None}
    return Step.model_construct(hold=hold, until=Until.model_construct(**ends), name=name)


def resting(time: float, measurement: Measurement | None = None) -> Step:
    """A rest, and what is measured at its end."""
    return Step.model_construct(rest=time, impedance=measurement)


class Flow(Mapping):
    """A current or a C-rate. Discharge counts positive."""

    current: CurrentDensity | None = Field(None, examples=["0.1 mA/cm^2"])
    c_rate: Ratio | None = Field(None, description="Needs study.capacity.", examples=["0.5"])

    @model_validator(mode="after")
    def _flows(self):
        if (self.current is None) == (self.c_rate is None):
            raise wrong("one thing flows", "current: 0.1 mA/cm^2, or c_rate: 0.5; negative: charge")
        if self.value == 0:
            raise wrong("nothing flows", "a current that is not zero; negative: charge", self.what)
        return self

    @property
    def what(self) -> Literal["current", "c_rate"]:
        """The key that is written."""
        return "current" if self.c_rate is None else "c_rate"

    @property
    def value(self) -> float:
        """SI."""
        return float(getattr(self, self.what))

    @property
    def hold(self) -> Hold:
        """The same held."""
        return Hold.model_construct(**{self.what: self.value})

    @property
    def keys(self) -> dict[Steps, Steps]:
        """Where the keys of a step that holds it are written."""
        return {("hold", self.what): (self.what,)}


class Taper(Mapping):
    """What ends a held voltage, whichever comes first."""

    current: Size | None = Field(None, description="To which its size falls.", examples=["10 uA/cm^2"])
    c_rate: PositiveRatio | None = Field(None, description="The same as a C-rate.", examples=["0.05"])
    time: Duration | None = Field(None, description="Since the voltage is held.", examples=["1 h"])

    @model_validator(mode="after")
    def _something(self):
        if not self.model_fields_set:
            raise wrong("nothing ends the held voltage", "{current: 10 uA/cm^2}, {c_rate: 0.05} or {time: 1 h}")
        if self.current is not None and self.c_rate is not None:
            raise wrong("given together with current", "one of the two", "c_rate")
        return self

    @property
    def ends(self) -> dict[str, float | None]:
        """Keys of `until`."""
        return {"current": self.current, "c_rate": self.c_rate, "time": self.time}
