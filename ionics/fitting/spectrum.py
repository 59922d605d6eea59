"""A measured impedance spectrum, and the one way its data can be wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Complex, Float

if TYPE_CHECKING:
    import xarray as xr

CONDITIONS = {"state_of_charge": "1", "pressure": "Pa", "cycle": "1", "time": "s"}  # and temperature, in K


class DataError(ValueError):
    """Data that cannot be used; the message names file, line, column, value and what would be valid."""


class Unrecognised(DataError):
    """A file that is of no format known here; readers of other packages may know it."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Impedance against frequency, stored from the highest frequency to the lowest."""

    frequency: Float[np.ndarray, " frequency"]  # Hz
    impedance: Complex[np.ndarray, " frequency"]  # ohm, exp(+i omega t): a capacitor has Im Z < 0
    temperature: float | None = None  # K
    label: str = ""
    source: str = ""  # path of the file
    sha256: str = ""  # of the file's bytes
    notes: tuple[str, ...] = ()  # what the reader decided, in sentences
    sigma: Float[np.ndarray, " frequency"] | None = None  # ohm, standard deviation of Re Z and of Im Z
    conditions: Mapping[str, float] = field(default_factory=dict)  # names and units as in CONDITIONS
    metadata: Mapping[str, str | float] = field(default_factory=dict)  # what the file says of its measurement

    def __post_init__(self):
        frequency = np.asarray(self.frequency, dtype=float)
        impedance = np.asarray(self.impedance, dtype=complex)
        _check(self.label or self.source or "spectrum", frequency, impedance, self.sigma)
        object.__setattr__(self, "conditions", _conditions(self.label or self.source or "spectrum", self.conditions))
        object.__setattr__(self, "metadata", dict(self.metadata))
        order = np.argsort(-frequency, kind="stable")
        object.__setattr__(self, "frequency", frequency[order])
        object.__setattr__(self, "impedance", impedance[order])
        if self.sigma is not None:
            sigma = np.broadcast_to(np.asarray(self.sigma, dtype=float), frequency.shape)
            object.__setattr__(self, "sigma", sigma[order])

    def __len__(self) -> int:
        return len(self.frequency)

    def window(self, fmin: float = 0.0, fmax: float = np.inf) -> Spectrum:
        """The points with fmin <= frequency <= fmax [Hz]."""
        keep = (self.frequency >= fmin) & (self.frequency <= fmax)
        if not keep.any():
            low, high = self.frequency[-1], self.frequency[0]
            raise DataError(
                f"{self.label or self.source}: no point between {fmin:g} and {fmax:g} Hz; "
                f"the spectrum runs from {low:g} to {high:g} Hz"
            )
        note = f"{keep.sum()} of {len(keep)} points kept between {fmin:g} and {fmax:g} Hz"
        return dataclasses.replace(
            self,
            frequency=self.frequency[keep],
            impedance=self.impedance[keep],
            sigma=None if self.sigma is None else self.sigma[keep],
            notes=(*self.notes, note),
        )

    def to_xarray(self) -> xr.Dataset:
        """z_real and z_imag [ohm] over frequency [Hz]; the conditions are coordinates, the rest attributes."""
        import xarray as xr

        def ohm(values, name):
            return "frequency", values, {"units": "ohm", "long_name": name}

        data = {
            "z_real": ohm(np.real(self.impedance), "real part of the impedance"),
            "z_imag": ohm(np.imag(self.impedance), "imaginary part of the impedance"),
        }
        if self.sigma is not None:
            data["sigma"] = ohm(self.sigma, "standard deviation of each part of the impedance")
        coordinates = {"frequency": ("frequency", self.frequency, {"units": "Hz", "long_name": "frequency"})}
        given = dict(self.conditions) | ({} if self.temperature is None else {"temperature": self.temperature})
        for name, value in given.items():
            attributes = {"units": {**CONDITIONS, "temperature": "K"}[name], "long_name": name.replace("_", " ")}
            coordinates[name] = ((), value, attributes)
        return xr.Dataset(data, coordinates, attributes_of(self))


def attributes_of(measured) -> dict[str, str | float]:
    """What is stored beside the numbers of a measurement: label, name of the file, digest, notes, metadata."""
    own = {"label": measured.label, "data": Path(measured.source).name, "sha256": measured.sha256}
    return {**measured.metadata, **own, "notes": json.dumps(list(measured.notes), ensure_ascii=False)}


def _conditions(name, given):
    for key, value in given.items():
        if key not in CONDITIONS:
            raise DataError(f"{name}: condition '{key}'; valid: {', '.join(CONDITIONS)} (temperature is its own field)")
        if not np.isfinite(value):
            raise DataError(f"{name}: condition {key} is {value}; valid: a finite number in {CONDITIONS[key]}")
    return {key: float(value) for key, value in given.items()}


def _check(name, frequency, impedance, sigma):
    if frequency.ndim != 1 or frequency.shape != impedance.shape or not len(frequency):
        raise DataError(
            f"{name}: frequency has shape {frequency.shape} and impedance {impedance.shape}; "
            "give two one-dimensional arrays of the same, non-zero length"
        )
    for what, bad in (
        ("frequency must be finite and > 0", ~(np.isfinite(frequency) & (frequency > 0))),
        ("impedance must be finite", ~np.isfinite(impedance)),
        ("impedance must not be zero", impedance == 0),
    ):
        if bad.any():
            k = int(np.argmax(bad))
            raise DataError(f"{name}: {what}; point {k + 1} has {frequency[k]} Hz, {impedance[k]} ohm")
    if sigma is not None and not np.all(np.isfinite(sigma) & (np.asarray(sigma) > 0)):
        raise DataError(f"{name}: sigma must be finite and > 0 [ohm] at every point")
