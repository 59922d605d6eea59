"""What the wiring adds to a spectrum, taken away: a series L and R, or the fixture by open, short and load."""

from __future__ import annotations

import dataclasses

import numpy as np

from ionics.fitting.checks.chains import relaxations, time_constants
from ionics.fitting.derived import Measured
from ionics.fitting.spectrum import DataError, Spectrum

DECADES = 1.5  # at the high end, from which an inductance is read


def without_series(spectrum: Spectrum, *, inductance: float = 0.0, resistance: float = 0.0) -> Spectrum:
    """The spectrum less i omega L + R of the leads; L in H, R in ohm."""
    omega = 2 * np.pi * spectrum.frequency
    return _corrected(
        spectrum,
        spectrum.impedance - 1j * omega * inductance - resistance,
        np.ones(len(omega)),
        f"series inductance of {inductance:.4g} H and resistance of {resistance:.4g} ohm subtracted",
    )


def estimate_inductance(spectrum: Spectrum, decades: float = DECADES) -> Measured:
    """L [H] with its standard error, from the high end of a spectrum.

    Fitted to the highest `decades` is R + i omega L + sum R_k / (1 + i omega tau_k), tau_k from 1 / omega_max
    upwards: any relaxation of the cell that is faster than the highest frequency counts towards L, by
    -R_k tau_k. Errors are relative to |Z| (or the spectrum's sigma) and their size is found.
    DataError: fewer than 8 points at the high end.
    """
    high = spectrum.window(fmin=spectrum.frequency[0] / 10**decades)
    if len(high) < 8:
        raise DataError(
            f"{spectrum.label}: {len(high)} points in the highest {decades:g} decades; an inductance needs 8"
        )
    omega = 2 * np.pi * high.frequency
    per_decade = min(2.0, (len(high) - 4) / (2 * decades))
    tau = time_constants(high.frequency, per_decade, 0.0)
    columns = np.column_stack([np.ones_like(omega), 1j * omega / omega[0], relaxations(high.frequency, 3 * tau)])
    weight = 1 / (abs(high.impedance) if high.sigma is None else high.sigma)
    rows = np.vstack([np.real(columns), np.imag(columns)]) * np.tile(weight, 2)[:, None]
    goal = np.concatenate([np.real(high.impedance), np.imag(high.impedance)]) * np.tile(weight, 2)
    found, *_ = np.linalg.lstsq(rows, goal, rcond=None)
    spare = len(goal) - rows.shape[1]
    variance = np.sum((goal - rows @ found) ** 2) / spare
    error = np.sqrt(variance * np.linalg.pinv(rows.T @ rows)[1, 1])
    return Measured(float(found[1] / omega[0]), float(error / omega[0]), "H")


def without_fixture(
    spectrum: Spectrum,
    *,
    open_circuit: Spectrum,
    short_circuit: Spectrum,
    load: Spectrum | None = None,
    load_value: complex | float = 50.0,
) -> Spectrum:
    """The impedance at the end of a fixture that was measured open, shorted and, if given, with a known load.

    Without a load the fixture is a series impedance and a parallel admittance, Z = (Zm - Zs) (Zo - Zs) / (Zo - Zm);
    with a load of `load_value` [ohm] any linear two-port, Z = Zl (Zm - Zs) (Zo - Zlm) / ((Zlm - Zs) (Zo - Zm))
    (Keysight, Impedance Measurement Handbook, 6th edition, section 4.3). Calibrations are interpolated in ln f
    and must cover the spectrum, or a DataError names the one that does not.
    """
    zm, f = spectrum.impedance, spectrum.frequency
    zo, zs = _at(f, open_circuit, "open"), _at(f, short_circuit, "short")
    if load is None:
        factor = zo - zs
    else:
        zl = _at(f, load, "load")
        factor = load_value * (zo - zl) / (zl - zs)
    slope = factor * (zo - zs) / (zo - zm) ** 2
    kind = "open and short" if load is None else "open, short and load"
    return _corrected(spectrum, factor * (zm - zs) / (zo - zm), slope, f"corrected by a measured {kind}")


def _at(frequency, calibration, name):
    own = calibration.frequency[::-1]
    if frequency[0] > own[-1] * (1 + 1e-6) or frequency[-1] < own[0] * (1 - 1e-6):
        raise DataError(
            f"the {name} calibration covers {own[0]:.4g} to {own[-1]:.4g} Hz; the spectrum runs from "
            f"{frequency[-1]:.4g} to {frequency[0]:.4g} Hz"
        )
    return np.interp(np.log(frequency), np.log(own), calibration.impedance[::-1])


def _corrected(spectrum, impedance, slope, note):
    sigma = None if spectrum.sigma is None else spectrum.sigma * abs(slope)
    return dataclasses.replace(spectrum, impedance=impedance, sigma=sigma, notes=(*spectrum.notes, note))
