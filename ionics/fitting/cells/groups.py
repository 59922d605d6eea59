"""How large the errors of groups of residuals are, and which of them determine which parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SPARE = 3.0  # residuals that a group must have beyond what the parameters take from it, for its errors to be estimated
LEAST = 1e-6  # factor of an error
LOST = 1.0  # a standard error of a logarithm, or as a share of the allowed range, that is no knowledge
PRIORS = "what was known before"
NOTHING = 1e-10  # eigenvalues of the scaled Fisher matrix below this share of the largest are rounding


def rescaled(
    residual: Float[np.ndarray, " residual"],
    jacobian: Float[np.ndarray, "residual unknown"],
    group: Int[np.ndarray, " datum"],
    stated: Float[np.ndarray, " group"],
) -> Float[np.ndarray, " group"]:
    """By which factor the errors of each group should be larger: from its residuals.

    residual, jacobian: of the data and, last, of the priors; stated: 1 where the errors are given and stay. The degrees
    of freedom of a group are its residuals less their leverages, the share of the parameters that they determine: the
    estimate of Foerstner (Allg. Vermess.-Nachr. 86 (1979) 446), which repeated ends at restricted maximum likelihood.
    """
    vectors, singular, _ = np.linalg.svd(jacobian, full_matrices=False)
    leverage = np.sum(vectors[:, singular > NOTHING * singular.max(initial=1e-300)] ** 2, axis=1)[: len(group)]
    found = np.ones(len(stated))
    for k in np.flatnonzero(np.asarray(stated) == 0):
        own = group == k
        spare = own.sum() - leverage[own].sum()
        if spare >= SPARE:
            found[k] = max(float(np.sqrt(np.sum(residual[: len(group)][own] ** 2) / spare)), LEAST)
    return found


@dataclass(frozen=True, eq=False)
class Determination:
    """What parts of the data say of each parameter; errors of logarithms, or as shares of the allowed range."""

    parts: tuple[str, ...]
    share: Float[np.ndarray, "part parameter"]  # of the variance of the estimate, summing to 1
    without: Float[np.ndarray, "part parameter"]  # standard error if the part were missing
    alone: Float[np.ndarray, "part parameter"]  # standard error from the part alone


def sentences(
    names: tuple[str, ...], errors: Float[np.ndarray, " parameter"], records: Determination, kinds: Determination
) -> tuple[str, ...]:
    """Where each parameter comes from, in words; kinds: records of a kind taken together."""
    found = []
    for p, (name, error) in enumerate(zip(names, errors, strict=True)):
        if not error < LOST:
            found.append(f"{name}: from nothing that was measured")
            continue
        first = int(np.argmax(records.share[:, p]))
        text = f"{name}: {100 * records.share[first, p]:.0f} % from {records.parts[first]}"
        needed = [kind for kind, left in zip(kinds.parts, kinds.without[:, p], strict=True) if not left < LOST]
        several = len(kinds.parts) > 1 and needed
        found.append(f"{text}; open without {' or without '.join(needed)}" if several else text)
    return tuple(found)


def determination(
    jacobian: Float[np.ndarray, "residual unknown"],
    part: Int[np.ndarray, " datum"],
    names: tuple[str, ...],
    spread: Float[np.ndarray, " unknown"],
) -> Determination:
    """By the Fisher matrices of the parts, F_b, and of all, F = sum F_b: C = 1/F = sum C F_b C.

    The diagonal of C F_b C is what the noise in part b brings to the variances: as a share of that of C it says of
    whose data the estimate is made. spread: the unit of errors, a change that counts as knowing nothing.
    """
    jacobian = jacobian * spread
    data, rest = jacobian[: len(part)], jacobian[len(part) :]
    fisher = [data[part == b].T @ data[part == b] for b in range(len(names))]
    if rest.any():
        fisher, names = [*fisher, rest.T @ rest], (*names, PRIORS)
    whole = sum(fisher, np.zeros((len(spread), len(spread))))
    covariance = inverse(whole)
    known = np.where(np.isfinite(covariance), covariance, 0.0)
    variance = np.where(np.diag(known) > 0, np.diag(known), np.inf)
    return Determination(
        names,
        np.array([np.diag(known @ own @ known) / variance for own in fisher]),
        np.array([np.sqrt(np.diag(inverse(whole - own))) for own in fisher]),
        np.array([np.sqrt(np.diag(inverse(own))) for own in fisher]),
    )


def inverse(fisher: Float[np.ndarray, "unknown unknown"]) -> Float[np.ndarray, "unknown unknown"]:
    """Of a Fisher matrix; infinite on the diagonal of what it does not determine."""
    scale = np.sqrt(np.maximum(np.diag(fisher), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(fisher / np.outer(safe, safe))
    known = values > NOTHING * max(values.max(initial=0.0), 1e-300)
    found = (vectors[:, known] / values[known]) @ vectors[:, known].T / np.outer(safe, safe)
    lost = np.any(np.abs(vectors[:, ~known]) > 1e-4, axis=1) | (scale == 0)
    found[np.diag_indices_from(found)] = np.where(lost, np.inf, np.diag(found))
    return found
