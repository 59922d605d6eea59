"""What a file says about the jumps that a diffusivity consists of."""

from __future__ import annotations

from pydantic import Field

from ionics.config.model import Mapping
from ionics.config.quantities import FilledFraction, Frequency, Length, PositiveEnergy


class Hop(Mapping):
    """A diffusivity from jumps between sites, D = f n l^2 nu exp(-barrier/RT) / (2 d).

    It is that of a jump into an empty site; on a lattice that is filled, a conductor has as much of it as sites are
    empty. Mehrer, Diffusion in Solids (Springer 2007), chapters 4 and 6, doi:10.1007/978-3-540-71488-0.
    """

    barrier: PositiveEnergy = Field(description="Energy of migration.", examples=["0.31 eV"])
    length: Length = Field(description="l, of one jump.", examples=["2.9 angstrom"])
    attempt_frequency: Frequency = Field(description="nu, with the entropy of migration in it.", examples=["10 THz"])
    directions: int = Field(description="n, jumps that lead away from a site.", examples=["4"], ge=1, le=48)
    dimensions: int = Field(3, description="d of the network of jumps (default 3).", examples=["3"], ge=1, le=3)
    correlation: FilledFraction = Field(1.0, description="f, the correlation factor (default 1).", examples=["0.78"])
    source: str | None = Field(None, description="Citation.")
    confidence: str | None = Field(None, description="How far to trust it.")
    note: str | None = Field(None, description="Free text for the reader.")

    @property
    def prefactor(self) -> float:
        """D without its barrier [m2/s]."""
        jumps = self.correlation * self.directions * self.attempt_frequency
        return jumps * self.length**2 / (2 * self.dimensions)
