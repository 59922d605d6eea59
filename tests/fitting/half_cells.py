"""A half cell that fits are tried on, what is free in it, and records of it with errors of known size."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.cells.cell import Cell, Conductor, Electrode, Metal, Particle, Surface
from ionics.cells.inward import Modes, Shells
from ionics.constants import FARADAY
from ionics.fitting.cells.fit import pose
from ionics.fitting.cells.packing import impedance_errors, title, voltage_errors
from ionics.fitting.cells.records import Discharge, Impedance, Rates
from ionics.fitting.cells.result import fitted
from ionics.fitting.cells.states import Specimen
from ionics.fitting.model import Free
from ionics.fitting.posed import linearised
from ionics.fitting.spectrum import Spectrum
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.flux import Chemical
from ionics.transport.stack import Carrier, Species
from ionics.transport.statistics import Measured

SITES, VOLUME, FILLED = 5e4, 3e-5, 0.3
FULL = FARADAY * SITES * VOLUME * 0.6  # C m-2, from 0.3 to 0.9
ONE = FULL / 3600  # A m-2
CUTOFF = 3.0  # V
AREA = 1e-4  # m2
RATES, IMPOSSIBLE = (0.2, 1.0, 4.0), 1000.0
FREQUENCY = np.geomspace(1e4, 1e-2, 20)
THETA = np.linspace(0.01, 0.99, 200)
OPEN_CIRCUIT = 4.25 - 0.75 * THETA - 0.06 * np.tanh((THETA - 0.5) / 0.08)


def particle(cell):
    return cell.positive.members[0]


FREE = (
    Free("D", lambda s: particle(s.cell).carrier.diffusivity.value, 1e-17, 1e-12, unit="m2/s"),
    Free("R", lambda s: particle(s.cell).radius, 3e-8, 3e-4, unit="m"),
    Free("i0", lambda s: particle(s.cell).surface.law.exchange_current.value, 1e-3, 1e3, unit="A/m2"),
    Free("C", lambda s: particle(s.cell).surface.compact.capacitance, 1e-3, 1e2, unit="F/m2"),
    Free("kappa", lambda s: s.cell.between[0].conductivity.value, 1e-4, 1e2, unit="S/m"),
    Free("filled", lambda s: s.filled["NMC"], 0.01, 0.6, "linear"),
    Free("volume", lambda s: particle(s.cell).volume, 1e-6, 1e-3, unit="m"),
)
TRUTH = {"D": 5e-15, "R": 3e-6, "i0": 1.5, "C": 0.2, "kappa": 0.1, "filled": FILLED, "volume": VOLUME}


def half_cell(curve=None, shells=10):
    """Lithium | a layer that conducts | spheres that see the same electrolyte everywhere."""
    size = np.linspace(4, 1, shells - 1)
    kind = Modes if curve is None else Shells
    carrier = Carrier(
        Species("Li", 0), Measured(THETA, OPEN_CIRCUIT), SITES, 0.5, Constant(TRUTH["D"]), Constant(0.0), Chemical(),
        diffusivity_curve=curve,
    )  # fmt: skip
    surface = Surface(ButlerVolmer(Constant(TRUTH["i0"]), 0.5, True), compact=Capacitance(TRUTH["C"]))
    own = Particle(
        "NMC", carrier, kind(3, size / size.sum()), surface, np.array([TRUTH["R"]]), np.array([TRUTH["volume"]])
    )
    lithium = Metal("Li", Surface(ButlerVolmer(Constant(20.0), 0.5), compact=Capacitance(0.1)))
    between = Conductor("separator", Constant(TRUTH["kappa"]), 3e-5)
    return Cell(Electrode("negative", (lithium,)), (between,), Electrode("positive", (own,)), 298.15)


def moved(cell, **factors):
    """The cell with some of its parameters off by a factor, and so much in it."""
    specimen = Specimen(cell, {"NMC": FILLED})
    for finger in FREE:
        if finger.name in factors:
            specimen = finger.put(specimen, jnp.asarray(finger.start(specimen) * factors[finger.name]))
    return specimen.cell, {"NMC": float(specimen.filled["NMC"])}


@eqx.filter_jit
def answered(part, specimen):
    return part.answer(specimen, jnp.asarray(1e-5)) if hasattr(part, "current") else part.answer(specimen)


def answers(cell, records):
    """The records as a fit of the cell begins with them, by what a fit compiles anyway."""
    posed = pose(cell, {"NMC": FILLED}, records, FREE)
    residual, _ = linearised(posed.problem, jnp.asarray(posed.unknowns.start))
    names = tuple(title(one, posed.records) for one in posed.records)
    return fitted(names, posed.records, posed.packed, np.asarray(residual)[: -len(FREE)])


def clean_records(cell, sigma=2e-3, charge_sigma=2e-3, relative=0.01):
    """Discharges, capacities of which the last rate cannot be, and two spectra, as the cell itself has them."""
    errors = {"sigma": sigma, "charge_sigma": charge_sigma}
    share = np.concatenate([np.geomspace(1e-3, 0.1, 10), np.linspace(0.1, 1, 40)[1:-1]])  # of the time to the cutoff
    flat = np.full(len(share), 4.0)
    blank = [Discharge(ONE * c, share, flat, CUTOFF, capacity=1.0, label=f"{c}C", **errors) for c in RATES]
    currents = ONE * np.array([*RATES, IMPOSSIBLE])
    table = Rates(currents, np.full(len(currents), FULL), CUTOFF, sigma=0.005, label="table")
    one = Spectrum(FREQUENCY, np.ones(len(FREQUENCY)) + 0j)
    spectra = [Impedance(one, AREA, d * FULL, sigma=relative, label=f"{100 * (1 - d):.0f} %") for d in (0.2, 0.6)]
    timed = [
        dataclasses.replace(one, time=share * own.capacity / one.current, capacity=own.capacity)
        for one, own in zip(blank, answers(cell, [*blank, table, *spectra]), strict=False)
    ]
    own = answers(cell, [*timed, table, *spectra])
    found = [dataclasses.replace(one, voltage=known.model) for one, known in zip(timed, own, strict=False)]
    found.append(dataclasses.replace(table, capacity=own[len(RATES)].model))
    for one, known in zip(spectra, own[-len(spectra) :], strict=True):
        found.append(dataclasses.replace(one, spectrum=Spectrum(FREQUENCY, known.model / AREA)))
    return found


def with_errors(records, seed, sigma=2e-3, charge_sigma=2e-3, relative=0.01):
    """The same with normal errors of the size that the fit ascribes to them."""
    rng = np.random.default_rng(seed)
    found = []
    for one in records:
        if isinstance(one, Discharge):
            size = voltage_errors(dataclasses.replace(one, sigma=sigma, charge_sigma=charge_sigma))
            noise = size * rng.standard_normal(len(size))
            end = one.capacity * (1 + charge_sigma * rng.standard_normal())
            found.append(dataclasses.replace(one, voltage=one.voltage + noise, capacity=end))
        elif isinstance(one, Impedance):
            size = impedance_errors(dataclasses.replace(one, sigma=relative)) / one.area
            noise = size * (rng.standard_normal(len(size)) + 1j * rng.standard_normal(len(size)))
            spectrum = Spectrum(one.spectrum.frequency, one.spectrum.impedance + noise)
            found.append(dataclasses.replace(one, spectrum=spectrum))
        elif isinstance(one, Rates):
            size = (one.sigma or 0.01) * one.capacity.max()
            noise = np.where(one.capacity > 0, size * rng.standard_normal(len(one.capacity)), 0.0)
            noisy = one.capacity + noise
            found.append(dataclasses.replace(one, capacity=noisy))
        else:
            noise = sigma * rng.standard_normal(len(one.voltage))
            found.append(dataclasses.replace(one, voltage=one.voltage + noise))
    return found
