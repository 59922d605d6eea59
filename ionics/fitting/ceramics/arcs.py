"""What two arcs say of a ceramic: its boundaries as bricks, and their barrier by the closed forms in use.

u = z F dphi / RT is the barrier in thermal units, positive where the carrier is depleted; L the Debye length.

    bricks           sigma_b / sigma_gb = tau_gb / tau_b and delta = d C_b / C_gb, of equal permittivity: Maier, Ber.
                     Bunsenges. Phys. Chem. 90 (1986) 26; limits: Fleig, Maier, J. Eur. Ceram. Soc. 19 (1999) 693
    Mott-Schottky    dopants do not move: sigma_b / sigma_gb = exp(u) / (2 u) over 2 lambda*, lambda* = L sqrt(2 u), or
                     sqrt(4 u) times the Debye length that counts dopants too: Fleig, Rodewald, Maier, J. Appl. Phys.
                     87 (2000) 2372; Guo, Waser, Prog. Mater. Sci. 51 (2006) 151, doi 10.1016/j.pmatsci.2005.07.001
    Gouy-Chapman     dopants in equilibrium: Kim, Fleig, Maier, Phys. Chem. Chem. Phys. 5 (2003) 2268, doi
                     10.1039/b300170a
    in between       dopants frozen in from sintering: Usler, De Souza, J. Electrochem. Soc. 168 (2021) 056504
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.fitting.ceramics import depletion
from ionics.fitting.derived import Geometry, Measured, hsu_mansfeld
from ionics.fitting.model import CircuitModel
from ionics.fitting.notation import parameter_name
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import DataError

# RT/zF; below, the barrier that the closed form reads off is more than a tenth too high (docs/images/shortcut_map.png)
LOW = {"resistances": 3.5, "times": 5.0}
WIDE = 0.2  # C_b / C_gb: the share of a grain that its boundary takes; above, it is no thin brick
Law = Literal["mott-schottky", "gouy-chapman"]


@dataclass(frozen=True, eq=False)
class Arcs:
    """The two arcs of a ceramic with the covariance of their four numbers."""

    values: Float[np.ndarray, " arc"]  # R, C of the grains, R, C of the boundaries; ohm and F; NaN: not resolved
    covariance: Float[np.ndarray, "arc arc"]
    temperature: float  # K

    def __post_init__(self):
        if np.any(self.values <= 0) or not np.all(np.isfinite(self.values[[0, 2]])) or not self.temperature > 0:
            numbers = ", ".join(f"{value:g}" for value in self.values)
            raise DataError(f"arcs {numbers} at {self.temperature:g} K; valid: numbers above 0")

    @classmethod
    def measured(
        cls,
        temperature: float,
        bulk: Measured,
        boundary: Measured,
        bulk_capacitance: Measured | None = None,
        boundary_capacitance: Measured | None = None,
    ) -> Arcs:
        """From independent resistances [ohm] and capacitances [F] at a temperature [K]. Raises DataError."""
        unknown = Measured(np.nan, np.nan, "F")
        parts = (bulk, bulk_capacitance or unknown, boundary, boundary_capacitance or unknown)
        errors = np.array([part.error for part in parts], float)
        return cls(np.array([part.value for part in parts], float), np.diag(errors**2), float(temperature))

    @classmethod
    def of_fit(
        cls,
        result: FitResult,
        bulk: tuple[str, str | None] = ("R1", "CPE1"),
        boundary: tuple[str, str | None] = ("R2", "CPE2"),
        temperature: float | None = None,
    ) -> Arcs:
        """From a fitted circuit: the labels of a resistor and of the C or CPE beside it (None: not resolved).

        The capacitance of a constant-phase element is that with the same summit (`hsu_mansfeld`). temperature [K]:
        that of the spectrum by default. Raises DataError for labels that the circuit does not have.
        """
        kelvin = result.spectrum.temperature if temperature is None else temperature
        if kelvin is None or not isinstance(result.model, CircuitModel):
            raise DataError(f"{result.spectrum.label}: arcs need a fitted circuit and a temperature [K]")
        present = _values(result.model)

        def numbers(fitted):
            values = present | dict(zip(result.names, fitted, strict=True))
            found = []
            for r, c in (bulk, boundary):
                capacitance = _capacitance(values, c, _named(values, r)) if c else np.nan
                found += [_named(values, r), capacitance]
            return jnp.stack([jnp.asarray(number, float) for number in found])

        fitted = jnp.asarray(result.values)
        slope = np.nan_to_num(np.asarray(jax.jacfwd(numbers)(fitted)))
        used = np.any(slope != 0, axis=0)
        covariance = slope[:, used] @ result.covariance[np.ix_(used, used)] @ slope[:, used].T
        return cls(np.asarray(numbers(fitted)), covariance, float(kelvin))

    def product(self, powers: Sequence[int], unit: str = "1", *others: tuple[Measured, int]) -> Measured:
        """R_b^p C_b^q R_gb^r C_gb^s times powers of other numbers, with the error of all of them."""
        used = np.array(powers, float) != 0
        power, value = np.array(powers, float)[used], self.values[used]
        slope = power / value
        variance = slope @ self.covariance[np.ix_(used, used)] @ slope
        variance += sum((p * other.error / other.value) ** 2 for other, p in others)
        result = float(np.prod(value**power) * np.prod([other.value**p for other, p in others]))
        return Measured(result, abs(result) * float(np.sqrt(variance)), unit)

    @property
    def resistance_ratio(self) -> Measured:
        """R_gb / R_b."""
        return self.product((-1, 0, 1, 0))

    @property
    def time_ratio(self) -> Measured:
        """tau_gb / tau_b = R_gb C_gb / (R_b C_b); NaN without both capacitances."""
        return self.product((-1, -1, 1, 1))


def _values(model: CircuitModel) -> dict[str, float]:
    """Every value of a circuit by its name, fixed ones too."""
    found = {}
    for element in model.circuit.elements():
        parts = element.quantities()
        found |= {parameter_name(element.label, facts["symbol"], len(parts)): float(v) for facts, v in parts}
    return found


def _named(values, name):
    if name not in values:
        raise DataError(f"the circuit has no '{name}'; it has {', '.join(values)}")
    return values[name]


def _capacitance(values, label, resistance):
    if f"{label}.Q" in values:
        return hsu_mansfeld(values[f"{label}.Q"], values[f"{label}.n"], resistance)
    return _named(values, label)


@dataclass(frozen=True)
class Bricks:
    """Grains as cubes with boundaries of one thickness and the permittivity of the grains around them."""

    resistance_ratio: Measured  # R_gb / R_b
    time_ratio: Measured  # tau_gb / tau_b, which is sigma_b / sigma_gb of the boundary itself
    thickness: Measured | None = None  # m, of the boundary with its space charge
    bulk_conductivity: Measured | None = None  # S/cm
    boundary_conductivity: Measured | None = None  # S/cm, as if the boundaries filled the sample
    specific_conductivity: Measured | None = None  # S/cm, of the boundary itself
    permittivity: Measured | None = None  # relative, of the grains


def bricks(arcs: Arcs, geometry: Geometry | None = None, grain: Measured | None = None) -> Bricks:
    """The brick-layer reading. geometry: of the sample; grain [m]: the mean grain size; None where not known."""
    ratios = arcs.resistance_ratio, arcs.time_ratio
    thickness = None if grain is None else arcs.product((0, 1, 0, -1), "m", (grain, 1))
    if geometry is None:
        return Bricks(*ratios, thickness)
    absolute = geometry.permittivity(arcs.product((0, 1, 0, 0), "F"))
    return Bricks(
        *ratios,
        thickness,
        geometry.conductivity(arcs.product((1, 0, 0, 0), "ohm")),
        geometry.conductivity(arcs.product((0, 0, 1, 0), "ohm")),
        geometry.conductivity(arcs.product((0, -1, 1, 1), "ohm")),
        Measured(absolute.value / VACUUM_PERMITTIVITY, absolute.error / VACUUM_PERMITTIVITY, "1"),
    )


# ---- barriers


@dataclass(frozen=True)
class Barrier:
    """A barrier read off by a closed form, and what speaks against it."""

    potential: Measured  # V, of the core against the grain; NaN where the form has no barrier for these numbers
    reduced: Measured  # u, in RT/zF
    width: Measured | None  # m, of the layer on one side of the core: lambda*, or the Debye length (Gouy-Chapman)
    form: str
    doubts: tuple[str, ...] = ()


def debye(permittivity: float, concentration: float, temperature: float, charge: int = 1, carriers: int = 1) -> float:
    """L [m] of grains with mobile carriers of that charge number and concentration [mol m-3].

    carriers: 2 where as many dopants of opposite charge are in equilibrium too (Gouy-Chapman).
    """
    strength = carriers * charge**2 * FARADAY**2 * concentration
    return float(np.sqrt(permittivity * VACUUM_PERMITTIVITY * GAS * temperature / strength))


def barrier_of_times(arcs: Arcs, charge: int = 1, length: Measured | None = None) -> Barrier:
    """Mott-Schottky from tau_gb / tau_b = exp(u) / (2 u), without any length.

    charge: charge number of the carrier; length [m]: Debye length of the grains, for the width lambda*.
    """
    ratio, form = arcs.time_ratio, "Mott-Schottky, from time constants"
    u = depletion.barrier_of_times(ratio.value)
    error = ratio.error / ratio.value * (u / (u - 1) if u > 1 else np.inf)
    share, width, doubts = arcs.product((0, 1, 0, -1)).value, None, ()
    if share > WIDE:
        doubts = (f"by its capacitance a boundary takes {100 * share:.2g} % of its grain: no thin layer in series",)
    if length is not None:
        width = _width(length.value * np.sqrt(2 * u), np.hypot(length.error / length.value, error / (2 * u)))
    return _barrier(arcs, charge, u, error, width, form, LOW["times"], doubts)


def barrier_of_resistances(
    arcs: Arcs, charge: int, grain: Measured, length: Measured, law: Law = "mott-schottky"
) -> Barrier:
    """From R_gb / R_b = (2 L / d) times the excess of one layer: exp(u)/sqrt(2 u), or 2 (exp(u/2) - 1) (Gouy-Chapman).

    charge: charge number of the carrier; grain [m]: grain size d; length [m]: Debye length L (`debye`), which counts
    the dopants too where they are in equilibrium. Raises ValueError for an unknown law.
    """
    excess = arcs.product((-1, 0, 1, 0), "1", (Measured(grain.value / 2, grain.error / 2, "m"), 1), (length, -1))
    own = length.error / length.value
    if law == "gouy-chapman":
        u = depletion.barrier_of_gouy_chapman(excess.value)
        width, slope = _width(length.value, own), excess.value * np.exp(-u / 2)
    elif law == "mott-schottky":
        u = depletion.barrier_of_excess(excess.value)
        slope = 2 * u / (2 * u - 1) if u > 0.5 else np.inf
        of_length = 1 - slope / (2 * u)  # the length enters u as well
        rest = np.sqrt(max((excess.error / excess.value) ** 2 - own**2, 0.0)) * slope / (2 * u)
        width = _width(length.value * np.sqrt(2 * u), np.hypot(of_length * own, rest))
    else:
        raise ValueError(f"law '{law}'; valid: mott-schottky, gouy-chapman")
    form = {"mott-schottky": "Mott-Schottky", "gouy-chapman": "Gouy-Chapman"}[law] + ", from resistances"
    low = LOW["resistances"] if law == "mott-schottky" else -np.inf
    doubts = ()
    if np.isfinite(width.value) and 2 * width.value > grain.value:
        doubts = (f"two layers of {width.value * 1e9:.3g} nm do not fit into a grain of {grain.value * 1e9:.3g} nm",)
    return _barrier(arcs, charge, u, slope * excess.error / excess.value, width, form, low, doubts)


def _width(value, relative):
    return Measured(float(value), float(value * relative), "m")


def _barrier(arcs, charge, u, error, width, form, low, doubts=()):
    thermal = GAS * arcs.temperature / FARADAY / charge
    if np.isnan(u):
        doubts = (f"no barrier of the form {form} has so small a ratio", *doubts)
    elif u < low:
        doubts = (f"a barrier of {u:.2g} RT/zF leaves carriers in the layer, the form counts none", *doubts)
    potential = Measured(float(u * thermal), float(abs(error * thermal)), "V")
    return Barrier(potential, Measured(float(u), float(abs(error)), "1"), width, form, doubts)


# ---- several temperatures


@dataclass(frozen=True)
class Trend:
    """Barriers over temperature as a straight line, each weighted by its error."""

    potential: Measured  # V, at the mean temperature
    slope: Measured  # V/K
    temperature: float  # K, the mean: value and slope are uncorrelated there
    chi_squared: float  # reduced; NaN without given errors
    sentence: str


def trend(temperatures: Float[np.ndarray, " temperature"], potentials: Sequence[Measured]) -> Trend:
    """Line through the barriers [V] of a temperature series [K].

    Errors follow from those of the barriers; where a barrier has none (0 or not finite) all weigh the same, and errors
    follow from the scatter. Raises DataError for fewer than three barriers that exist.
    """
    kelvin, value = np.asarray(temperatures, float), np.array([p.value for p in potentials])
    there = np.isfinite(value)
    kelvin, value, error = kelvin[there], value[there], np.array([p.error for p in potentials])[there]
    if len(value) < 3:
        raise DataError(f"{len(value)} barriers; valid: three or more for a trend over temperature")
    given = bool(np.all(np.isfinite(error) & (error > 0)))
    weight = 1 / error**2 if given else np.ones_like(value)
    mean = float(np.average(kelvin, weights=weight))
    columns = np.stack([np.ones_like(kelvin), kelvin - mean], axis=1) * np.sqrt(weight)[:, None]
    line, *_ = np.linalg.lstsq(columns, value * np.sqrt(weight), rcond=None)
    misfit = value * np.sqrt(weight) - columns @ line
    scatter = float(misfit @ misfit) / (len(value) - 2)
    errors = np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)) * (1.0 if given else scatter))
    at, slope = (Measured(float(v), float(e), unit) for v, e, unit in zip(line, errors, ("V", "V/K"), strict=True))
    span = f"between {kelvin.min():.0f} and {kelvin.max():.0f} K"
    if abs(slope.value) < 2 * slope.error:
        words = f"the barrier is {at.value:.3f} V {span}, the same at all temperatures within its error"
    else:
        way = "rises" if slope.value * at.value > 0 else "falls"
        change = f"{abs(slope.value) * 1e5:.2g} mV per 100 K"
        words = f"the barrier {way} by {change} {span}; it is {at.value:.3f} V at {mean:.0f} K"
    return Trend(at, slope, mean, scatter if given else np.nan, words)
