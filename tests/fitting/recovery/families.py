"""Three circuits and three stacks: truths drawn at random, measured with noise, and fitted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import ionics
from ionics.config.fits import model_of
from ionics.fitting.leastsquares import fit_series
from ionics.fitting.model import AbstractModel, CircuitModel
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import Spectrum

NOISE = (1e-3, 3e-2)  # one standard deviation of Re Z and of Im Z, of |Z|; drawn evenly from its logarithm
CIRCUITS = {
    "blocking pellet": (
        "R0-p(R1,CPE1)-CPE2",
        ((10, 100), (100, 1000), (5e-9, 1e-7), (0.75, 0.95), (5e-6, 1e-4), (0.6, 0.95)),
    ),
    "two arcs": (
        "R0-p(R1,CPE1)-p(R2,CPE2)",
        ((10, 100), (100, 500), (3e-9, 3e-8), (0.8, 0.95), (100, 500), (3e-6, 3e-5), (0.7, 0.95)),
    ),
    "finite diffusion": (
        "R0-p(R1,CPE1)-Wo1",
        ((10, 100), (100, 500), (1e-8, 1e-7), (0.75, 0.95), (50, 500), (0.3, 10)),
    ),
}
STACKS = {
    "pellet": ((2e-5, 5e-4), (5, 50), (1e-3, 1e-1), (0.7, 0.95)),
    "junction": ((1e-2, 1e-1), (1e-2, 1e-1), (1e-4, 1e-3), (0.8, 0.95), (3e-2, 3e-1)),
    "space charge": ((1e-4, 1e-3), (20, 60), (0.6e-2, 1.5e-2), (1e-2, 1e-1), (0.6, 0.9)),
}


@dataclass(frozen=True)
class Family:
    """A model with the ranges of its truths, in the units of its parameters."""

    name: str
    model: AbstractModel
    ranges: tuple[tuple[float, float], ...]
    frequency: Float[np.ndarray, " frequency"]  # Hz
    starts: int  # random ones, beside the middle of the ranges and the ends of two neighbours

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.model.parameters)

    def truth(self, rng) -> Float[np.ndarray, " parameter"]:
        """Drawn evenly on the scale that is searched."""
        drawn = []
        for parameter, (low, high) in zip(self.model.parameters, self.ranges, strict=True):
            even = rng.uniform(parameter.inner(float(low)), parameter.inner(float(high)))
            drawn.append(np.exp(even) if parameter.scale == "log" else even)
        return np.array(drawn)


def circuit(name: str) -> Family:
    """50 points from 1 MHz to 0.1 Hz."""
    text, ranges = CIRCUITS[name]
    kinds = [parameter.scale for parameter in CircuitModel(text).parameters]
    middle = [(a * b) ** 0.5 if kind == "log" else (a + b) / 2 for kind, (a, b) in zip(kinds, ranges, strict=True)]
    start = dict(zip((p.name for p in CircuitModel(text).parameters), middle, strict=True))
    return Family(name, CircuitModel(text, start), ranges, np.logspace(6, -1, 50), starts=6)


def stack(name: str) -> Family:
    """32 points from 10 MHz to 0.1 Hz."""
    path = Path(__file__).parent / f"{name.replace(' ', '_')}.yaml"
    return Family(name, model_of(ionics.load(path)), STACKS[name], np.logspace(7, -1, 32), starts=1)


def family(name: str) -> Family:
    """By its name."""
    return circuit(name) if name in CIRCUITS else stack(name)


# ---- measured


@eqx.filter_jit
def _impedance(model, values, frequency):
    return model.impedance(values, frequency)


def measured(model: AbstractModel, values, frequency, noise: float, rng, **fields) -> Spectrum:
    """The impedance of the model with Gaussian noise on Re Z and Im Z; its true sigma is known."""
    z = np.asarray(_impedance(model, jnp.asarray(values), jnp.asarray(frequency)))
    sigma = noise * np.abs(z)
    scatter = rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape)
    return Spectrum(frequency, z + sigma * scatter, sigma=sigma, **fields)


def noises(rng, count: int) -> Float[np.ndarray, " count"]:
    return np.exp(rng.uniform(*np.log(NOISE), count))


# ---- what a fit says, against the truth


@dataclass(frozen=True)
class Answer:
    """What a fit says of one parameter."""

    family: str
    number: int  # of the data set
    name: str
    weighting: str
    noise: float
    truth: float
    value: float
    share: float  # standard error, of the value on a log scale, as it is else
    interval: tuple[float, float]
    is_named: bool  # in `undetermined`
    is_on_bound: bool

    @property
    def is_determined(self) -> bool:
        return not (self.is_named or self.is_on_bound)

    @property
    def covers(self) -> bool:
        return self.interval[0] <= self.truth <= self.interval[1]


@dataclass
class Study:
    """Data sets of a family with their fits."""

    family: Family
    truths: list = field(default_factory=list)
    noise: list = field(default_factory=list)
    fits: list[FitResult] = field(default_factory=list)

    def answers(self) -> list[Answer]:
        return [one for k in range(len(self.fits)) for one in self.of(k)]

    def of(self, k: int) -> list[Answer]:
        """Of one data set, arcs in the order of their time constants."""
        result, found = self.fits[k], []
        for name, truth in zip(self.family.names, self.truths[k], strict=True):
            there = called(result, name)
            j = result.names.index(there)
            log = result.parameters[j].scale == "log"
            found.append(
                Answer(
                    self.family.name,
                    k,
                    name,
                    result.weighting,
                    self.noise[k],
                    float(truth),
                    result[there],
                    float(result.standard_errors[j] / (result.values[j] if log else 1.0)),
                    result.interval(there),
                    is_named(result, there),
                    result.at_bound[j],
                )
            )
        return found


def study(name: str, count: int, seed: int = 0) -> Study:
    """So many data sets with unknown size of the errors and as many with known sigma, all fitted."""
    own, rng = family(name), np.random.default_rng(seed)
    made = Study(own)
    for weighting in ("modulus", "sigma"):
        spectra = []
        for noise in noises(rng, count):
            made.truths.append(own.truth(rng))
            made.noise.append(float(noise))
            label = str(len(made.truths))
            spectra.append(measured(own.model, made.truths[-1], own.frequency, float(noise), rng, label=label))
        made.fits += fit_series(own.model, spectra, weighting=weighting, starts=own.starts)
    return made


def is_named(result: FitResult, name: str) -> bool:
    """Whether the fit says that a parameter is not determined."""
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) for text in result.undetermined)


def called(result: FitResult, name: str) -> str:
    """What the fit calls a parameter of the truth: of two arcs, the first is the faster one."""
    if "R2" not in result.names or "CPE2.Q" not in result.names:
        return name
    taus = [(result[f"R{k}"] * result[f"CPE{k}.Q"]) ** (1 / result[f"CPE{k}.n"]) for k in (1, 2)]
    if taus[0] < taus[1]:
        return name
    return name.translate(str.maketrans("12", "21"))


def coverage(answers: Sequence[Answer]) -> tuple[float, float]:
    """The share of intervals that hold the truth, and its standard error: whole data sets are drawn anew."""
    sets: dict[tuple, list[bool]] = {}
    for one in answers:
        sets.setdefault((one.family, one.number), []).append(one.covers)
    held, count = (np.array([f(own) for own in sets.values()], float) for f in (sum, len))
    rng = np.random.default_rng(0)
    again = rng.integers(len(held), size=(2000, len(held)))
    return held.sum() / count.sum(), float(np.std(held[again].sum(axis=1) / count[again].sum(axis=1)))
