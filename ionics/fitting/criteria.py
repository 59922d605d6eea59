"""Information criteria of a fit."""

from __future__ import annotations

import math


def criteria(chi_squared: float, observations: int, parameters: int, known: bool) -> dict[str, float]:
    """AIC, AICc (Hurvich and Tsai, Biometrika 76 (1989) 297) and BIC; smaller is better.

    -2 ln L is chi-squared where the errors are `known`, else n ln(chi-squared / n), the size of the errors being one
    more parameter. Only differences between models of the same data with the same weighting mean anything.
    """
    n, k = observations, parameters + (not known)
    misfit = chi_squared if known else n * math.log(max(chi_squared, 1e-300) / n)
    corrected = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
    return {"AIC": misfit + 2 * k, "AICc": misfit + 2 * k + corrected, "BIC": misfit + k * math.log(n)}
