"""At which frequencies an impedance is asked for: at the end of a study, or along its protocol."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.quantities import Frequency


class Impedance(Mapping):
    """At which frequencies."""

    from_: Frequency | None = Field(None, alias="from", description="Lowest.", examples=["1 mHz"])
    to: Frequency | None = Field(None, description="Highest.", examples=["1 MHz"])
    points: int = Field(60, description="Evenly spaced in the logarithm.", ge=2, le=100_000)
    frequencies: list[Frequency] | None = Field(None, description="Instead of a range.", min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self):
        ends = [key for key in ("from_", "to", "points") if key in self.model_fields_set]
        if self.frequencies is not None and ends:
            raise wrong("given together with frequencies", "from, to, points; or frequencies", ends[0].rstrip("_"))
        if self.frequencies is None and self.from_ is None:
            raise wrong("required key missing", "write e.g. from: 1 mHz", "from")
        if self.frequencies is None and self.to is None:
            raise wrong("required key missing", "write e.g. to: 1 MHz", "to")
        if self.frequencies is None and self.to <= self.from_:
            raise wrong("must be above `from`", "from the lowest to the highest frequency", "to")
        return self

    @property
    def frequency(self) -> Float[np.ndarray, " frequency"]:
        """Hz."""
        if self.frequencies is not None:
            return np.asarray(self.frequencies, float)
        return np.geomspace(self.from_, self.to, self.points)
