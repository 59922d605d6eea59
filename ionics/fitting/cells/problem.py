"""A cell and records of it as one problem of least squares."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.fitting.cells.courses import COARSE, RTOL, Discharges, Titrations
from ionics.fitting.cells.groups import rescaled
from ionics.fitting.cells.knots import Knot
from ionics.fitting.cells.packing import Group, Packed, pack
from ionics.fitting.cells.records import Record
from ionics.fitting.cells.spectra import Spectra
from ionics.fitting.cells.states import Specimen
from ionics.fitting.model import Free
from ionics.fitting.posed import AbstractPosed, AbstractProblem, Unknowns, linearised
from ionics.fitting.problem import ROUNDING
from ionics.fitting.spectrum import DataError

ROUGH = 1e-5  # of chi-squared, which other time steps change by up to 1e-4; of 200 numbers 0.05 standard errors
PASSES = 4  # estimates of the size of errors


class CellProblem(AbstractProblem):
    """All residuals of a cell: those of its discharges, its titrations, its spectra, and of the priors.

    The values of `unknowns`, or their exponentials, are put where the fingers point.
    """

    specimen: Specimen
    free: tuple[Free | Knot, ...] = eqx.field(static=True)
    is_log: Array  # bool, unknown
    expected: Float[Array, " unknown"]  # by the priors
    certainty: Float[Array, " unknown"]  # one over the standard deviation of the prior; 0: none
    discharges: Discharges | None
    titrations: Titrations | None
    spectra: Spectra | None
    rtol: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=RTOL)
    coarse: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=COARSE)

    @property
    def slow(self) -> bool:
        return True

    @property
    def rough(self) -> float:
        return ROUGH

    @property
    def residuals(self) -> int:
        parts = 0 if self.discharges is None else self.discharges.weight.size + self.discharges.current.size
        parts += 0 if self.titrations is None else self.titrations.weight.size
        parts += 0 if self.spectra is None else 2 * self.spectra.weight.size
        return parts + len(self.expected)

    def at(self, unknowns: Float[Array, " unknown"]) -> Specimen:
        """The cell with these values."""
        values = jnp.where(self.is_log, jnp.exp(jnp.where(self.is_log, unknowns, 0.0)), unknowns)
        specimen = self.specimen
        for finger, value in zip(self.free, values, strict=True):
            specimen = finger.put(specimen, value)
        return specimen

    def misfit(self, unknowns: Float[Array, " unknown"], rtol: Float[Array, ""]) -> Float[Array, " residual"]:
        """Weighted residuals of the data."""
        specimen, parts = self.at(unknowns), []
        if self.discharges is not None:
            parts.append(self.discharges.misfit(specimen, rtol))
        if self.titrations is not None:
            parts.append(self.titrations.misfit(specimen, rtol))
        if self.spectra is not None:
            parts.append(self.spectra.misfit(specimen))
        return jnp.concatenate(parts)

    def linearised(self, unknowns: Float[Array, " unknown"]):
        """Residual and its Jacobian, whose time steps are coarser."""
        slope = jax.jacfwd(lambda at: self.misfit(at, self.coarse))(unknowns)
        value = jnp.concatenate([self.misfit(unknowns, self.rtol), (unknowns - self.expected) * self.certainty])
        return value, jnp.concatenate([slope, jnp.diag(self.certainty)])


@dataclass(frozen=True, eq=False)
class CellPosed(AbstractPosed):
    """A cell, fingers on what is free in it, and records."""

    specimen: Specimen
    free: tuple[Free | Knot, ...]
    records: tuple[Record, ...]
    unknowns: Unknowns
    factors: Float[np.ndarray, " group"] | None = None  # on the sizes of errors, once they have been estimated
    noise: float = 1.0

    @functools.cached_property
    def packed(self) -> Packed:
        """The records as arrays."""
        return pack(self.records, self.factors)

    @functools.cached_property
    def problem(self) -> CellProblem:
        found = self.unknowns.parameters
        expected = [unknown.inner(unknown.prior.value) if unknown.prior else 0.0 for unknown in found]
        return CellProblem(
            specimen=self.specimen,
            free=self.free,
            is_log=jnp.asarray(self.unknowns.is_log),
            expected=jnp.asarray(expected),
            certainty=jnp.asarray([1 / unknown.prior.error if unknown.prior else 0.0 for unknown in found]),
            discharges=self.packed.discharges,
            titrations=self.packed.titrations,
            spectra=self.packed.spectra,
        )

    @property
    def weighting(self) -> str:
        return "sigma" if all(group.stated for group in self.packed.groups) else "estimated"

    @property
    def sizes(self) -> tuple[Group, ...]:
        """The groups with the sizes of errors that are used."""
        factors = np.ones(len(self.packed.groups)) if self.factors is None else self.factors
        return tuple(replace(one, size=one.size * float(f)) for one, f in zip(self.packed.groups, factors, strict=True))

    @property
    def label(self) -> str:
        return f"{len(self.records)} record{'s' if len(self.records) != 1 else ''} of a cell"

    @property
    def plain(self) -> CellPosed:
        return self

    @property
    def known(self) -> bool:
        return True

    @property
    def observations(self) -> int:
        return int(np.sum(self.packed.record >= 0))

    @property
    def rounding(self) -> float:
        return ROUNDING**2 * self.observations

    @property
    def sharp(self) -> bool:
        return False

    @property
    def followed(self) -> bool:
        return True

    @property
    def passes(self) -> int:
        return 0 if self.weighting == "sigma" else PASSES

    def weighed(self, at: Float[np.ndarray, " unknown"]) -> CellPosed:
        residual, jacobian = (np.asarray(part) for part in linearised(self.problem, jnp.asarray(at)))
        stated = np.array([float(group.stated) for group in self.packed.groups])
        factors = rescaled(residual, jacobian, self.packed.group, stated)
        return replace(self, factors=factors if self.factors is None else factors * self.factors)

    def check(self) -> None:
        if self.dof < 1:
            count = len(self.unknowns.parameters)
            raise DataError(
                f"{self.label}: {self.observations} numbers cannot determine {count} parameters; "
                f"valid: more than {count} numbers"
            )

    def spread(self, missed: Float[np.ndarray, " residual"]) -> float:
        return 1.0
