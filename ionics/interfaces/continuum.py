"""From atoms to the constants of a continuum, each with its error: hops, occupancies, barriers across, volumes.

Energies in eV, lengths in angstrom. Errors are one standard deviation, carried to first order; of what depends
exponentially on an energy they become a factor, exp(u / kT). docs/interfaces/handover.md derives every formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ionics.constants import AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, PLANCK, VACUUM_PERMITTIVITY
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

BOLTZMANN_EV = BOLTZMANN / ELEMENTARY_CHARGE  # eV K-1
COULOMB = ELEMENTARY_CHARGE / (4 * math.pi * VACUUM_PERMITTIVITY) * 1e10  # eV angstrom, of two elementary charges
ANGSTROM, TERA = 1e-10, 1e12


def expect(estimate: Estimate, unit: str, what: str) -> float:
    """The value, if it is finite and in this unit."""
    if estimate.unit != unit:
        raise AtomsError(f"{what} is given in {estimate.unit or 'no unit'}", f"an Estimate in {unit or 'no unit'}")
    if not math.isfinite(estimate.value):
        raise AtomsError(f"{what} is {estimate.value}: what was computed failed", "leave it out, or compute it again")
    return estimate.value


def spread(estimate: Estimate) -> float:
    """Standard deviation of the logarithm."""
    if estimate.factor is not None:
        return math.log(estimate.factor)
    return estimate.uncertainty / abs(estimate.value) if estimate.value else math.inf


def deviation(estimate: Estimate) -> float:
    """Standard deviation in the unit of the estimate; of a factor, to first order."""
    if estimate.factor is not None:
        return abs(estimate.value) * math.log(estimate.factor)
    return estimate.uncertainty or 0.0


def positive(estimate: Estimate, unit: str, what: str) -> float:
    """Like `expect`, of what must be above zero."""
    if not expect(estimate, unit, what) > 0:
        raise AtomsError(f"{what} is {estimate.value:.4g} {unit}".rstrip(), "a positive value")
    return estimate.value


@dataclass(frozen=True)
class Hop:
    """How a carrier moves from site to site in the bulk of a crystal."""

    barrier: Estimate  # eV, saddle less initial state
    length: Estimate  # angstrom, between neighbouring sites
    attempt: Estimate  # THz
    directions: int  # jumps that a carrier can choose from
    dimensions: int = 3  # in which they lead

    def __post_init__(self):
        positive(self.barrier, "eV", "the barrier of a hop")
        positive(self.length, "angstrom", "the length of a hop")
        positive(self.attempt, "THz", "the attempt frequency of a hop")
        if self.directions < 1 or self.dimensions not in (1, 2, 3):
            raise AtomsError(
                f"{self.directions} directions in {self.dimensions} dimensions", "at least 1, in 1, 2 or 3"
            )

    def diffusivity(self, temperature: float) -> Estimate:
        """D = z a^2 nu exp(-E/kT) / (2 d) [m^2/s] of a carrier that is alone: its jumps are not correlated."""
        kt = BOLTZMANN_EV * temperature
        rate = self.attempt.value * TERA * math.exp(-self.barrier.value / kt)
        value = self.directions * (self.length.value * ANGSTROM) ** 2 * rate / (2 * self.dimensions)
        wide = math.hypot(deviation(self.barrier) / kt, 2 * spread(self.length), spread(self.attempt))
        method = (
            f"z a^2 nu exp(-E/kT)/(2 d) at {temperature:g} K, z = {self.directions}, d = {self.dimensions}, "
            f"E = {self.barrier.value:.4g} eV ({self.barrier.method})"
        )
        return Estimate(value, "m^2/s", self.barrier.source, method, factor=math.exp(wide))

    def entry(self) -> dict[str, Any]:
        """As the key `hop` of a carrier."""
        return {
            "barrier": self.barrier,
            "length": self.length,
            "attempt_frequency": self.attempt,
            "directions": self.directions,
            "dimensions": self.dimensions,
        }


def across(forward: Estimate, backward: Estimate, attempt: Estimate, temperature: float) -> Estimate:
    """Gibbs energy of activation [eV] of a hop across a junction, at equal standard potentials.

    forward and backward: saddle less either end [eV]; attempt [THz]. Rate laws share the difference of the ends out
    themselves, so that only the saddle above the mean of the ends is handed over; Eyring's kT/h is replaced by the
    attempt frequency: G = (E_f + E_b)/2 - kT ln(h nu / kT).
    """
    ends = expect(forward, "eV", "the forward barrier"), expect(backward, "eV", "the backward barrier")
    kt = BOLTZMANN_EV * temperature
    quanta = PLANCK / ELEMENTARY_CHARGE * positive(attempt, "THz", "the attempt frequency") * TERA
    value = sum(ends) / 2 - kt * math.log(quanta / kt)
    if value <= 0:
        raise AtomsError(
            f"barriers of {ends[0]:.3g} and {ends[1]:.3g} eV leave no barrier at equal energies",
            "law: equilibrium; such a hop does not limit anything",
        )
    error = math.hypot((deviation(forward) + deviation(backward)) / 2, kt * spread(attempt))
    method = f"mean of forward and backward barrier less kT ln(h nu/kT) at {temperature:g} K; {forward.method}"
    return Estimate(value, "eV", forward.source, method, error)


def site_density(sites: float, area: float, source: str, error: float) -> Estimate:
    """Sites of the last plane of a crystal per area [1/m^2]: counted in a cell of this area [angstrom^2]."""
    if not (sites > 0 and area > 0):
        raise AtomsError(f"{sites:g} sites in {area:g} angstrom^2", "at least one site in a cell")
    value = sites / (area * ANGSTROM**2)
    return Estimate(value, "1/m^2", source, "counted in the cell of the junction", value * error / sites)


def per_defect(frenkel: Estimate) -> Estimate:
    """Formation energy [eV] of either defect of a pair where as many of both, on as many sites, keep a crystal neutral.

    (theta/(1 - theta))^2 = exp(-E_F/kT), so each has one half.
    """
    value = expect(frenkel, "eV", "the energy of a Frenkel pair") / 2
    return Estimate(value, "eV", frenkel.source, f"half of that of a pair: {frenkel.method}", deviation(frenkel) / 2)


def site_limited(formation: Estimate, share: float, temperature: float) -> Estimate:
    """Formation energy [eV] on the sites that can be filled, from that on all sites of the crystal.

    theta/(1 - theta) = exp(-E/kT) / share: a pair that saturates at this share of its sites (alpha of Swift, Swift, Qi,
    Nat. Comput. Sci. 1 (2021) 212) has sites alpha N and the energy E + kT ln(alpha).
    """
    if not 0 < share <= 1:
        raise AtomsError(f"a share of {share:g} of the sites", "above 0, at most 1")
    value = expect(formation, "eV", "a formation energy") + BOLTZMANN_EV * temperature * math.log(share)
    method = f"{formation.method}; + kT ln({share:g}) at {temperature:g} K for the share of sites that can be filled"
    return Estimate(value, "eV", formation.source, method, deviation(formation))


def neutral_occupancy(formation: Estimate, temperature: float) -> Estimate:
    """Share of filled sites at which the crystal is neutral: theta/(1 - theta) = exp(-E_f/kT)."""
    kt = BOLTZMANN_EV * temperature
    theta = 1 / (1 + math.exp(expect(formation, "eV", "a formation energy") / kt))
    factor = math.exp((1 - theta) * deviation(formation) / kt)
    method = f"1/(1 + exp(E/kT)) at {temperature:g} K, E = {formation.value:.4g} eV ({formation.method})"
    return Estimate(theta, "", formation.source, method, factor=factor)


def unbound(pair: Estimate, separation: float, permittivity: Estimate) -> Estimate:
    """Energy [eV] of two defects far apart from that of a pair at this separation [angstrom].

    Their attraction e^2 / (4 pi eps0 eps r) is added. It counts as error in full: a continuous permittivity at the
    distance of neighbours is an extrapolation.
    """
    if not separation > 0:
        raise AtomsError(f"a pair {separation:g} angstrom apart", "a separation above 0")
    bond = COULOMB / (positive(permittivity, "", "the permittivity") * separation)
    method = f"{pair.method}; + {bond:.3g} eV of attraction at {separation:.3g} angstrom, which also counts as error"
    value = expect(pair, "eV", "the energy of a pair") + bond
    return Estimate(value, "eV", pair.source, method, math.hypot(deviation(pair), bond))


def pairing(frenkel: Estimate, sites: Estimate, hops: float, permittivity: Estimate, temperature: float) -> Estimate:
    """Rate constant [mol/m^3/s] at which Frenkel pairs form, at unit occupancies.

    Opposite charges that meet within their Onsager radius R = e^2/(4 pi eps0 eps kT) recombine: 4 pi R (D_i + D_v) N_A
    [m^3 mol-1 s-1] (Debye, Trans. Electrochem. Soc. 82 (1942) 265); detailed balance gives the rate of formation,
    times c_s^2 exp(-E_F/kT). hops: D_i + D_v [m^2/s].
    """
    kt = BOLTZMANN_EV * temperature
    radius = COULOMB * ANGSTROM / (positive(permittivity, "", "the permittivity") * kt)
    ratio = math.exp(-expect(frenkel, "eV", "the energy of a Frenkel pair") / kt)
    amount = positive(sites, "mol/m^3", "the density of sites")
    value = 4 * math.pi * radius * hops * AVOGADRO * amount**2 * ratio
    method = (
        f"diffusion limited within {radius * 1e9:.2g} nm, detailed balance at {frenkel.value:.4g} eV of a pair; the "
    )
    method += "factor is for the kinetics alone, not for that energy"
    return Estimate(value, "mol/m^3/s", frenkel.source, method, factor=10)


def partial_molar_volume(more: float, less: float, count: float, error: float, source: str) -> Estimate:
    """Of lithium [m^3/mol], from the volumes [angstrom^3] of two relaxed cells that differ by `count` atoms of it."""
    if not count > 0:
        raise AtomsError(f"two cells that differ by {count:g} atoms", "the cell with more lithium first")
    scale = ANGSTROM**3 * AVOGADRO / count
    method = "difference of two relaxed volumes over the lithium between them"
    return Estimate((more - less) * scale, "m^3/mol", source, method, error * scale)


def kept_positive(estimate: Estimate) -> Estimate:
    """The same, with a factor for an error: a quantity that cannot be negative, whose error reaches half of it."""
    if estimate.factor is not None or estimate.value <= 0 or estimate.uncertainty <= estimate.value / 2:
        return estimate
    wide = math.exp(estimate.uncertainty / estimate.value)
    method = f"{estimate.method}; its error, {estimate.uncertainty:.2g} {estimate.unit}, as a factor: it stays positive"
    return replace(estimate, uncertainty=None, factor=wide, method=method)
