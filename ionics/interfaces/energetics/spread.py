"""One number from several models: their mean, and how far they stand apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate


def ensemble(
    values: Mapping[str, float], unit: str, source: str, method: str, uncertainty: float | None = None
) -> Estimate:
    """Mean of `values` (name of the model -> value) with their standard deviation as the uncertainty.

    One model says nothing about its own error: with a single value an `uncertainty` from elsewhere has to be given,
    and `method` has to say where it is from. With several values a given one is added in quadrature.
    """
    numbers = np.array(list(values.values()), dtype=float)
    if not numbers.size or not np.all(np.isfinite(numbers)):
        raise AtomsError(f"no spread of {dict(values)}", "give one finite value for each model")
    if numbers.size == 1 and uncertainty is None:
        raise AtomsError(
            f"one model ({next(iter(values))}) says nothing about its own error",
            "give a second model, or the uncertainty with its source",
        )
    own = numbers.std(ddof=1) if numbers.size > 1 else 0.0
    told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    how = f"standard deviation over {numbers.size} models ({told} {unit})" if numbers.size > 1 else told + f" {unit}"
    both = float(np.hypot(own, uncertainty or 0.0))
    return Estimate(float(numbers.mean()), unit, source, f"{method}; {how}", uncertainty=both)
