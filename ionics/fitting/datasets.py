"""What the tests of a spectrum found as xarray Datasets: named axes, units on every variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Complex

from ionics.fitting.spectrum import Spectrum

Described = tuple[tuple[str, ...], object, str, str]  # dims, values, units, long name


def dataset(
    spectrum: Spectrum, variables: Mapping[str, Described], coords: Mapping[str, Described], **attrs: str | int | float
) -> xr.Dataset:
    """A Dataset about one spectrum; where it came from goes into the attributes."""
    if spectrum.temperature is not None:
        variables = {**variables, "temperature": ((), spectrum.temperature, "K", "temperature")}
    return xr.Dataset(
        {name: _variable(*facts) for name, facts in variables.items()},
        coords={name: _variable(*facts) for name, facts in coords.items()},
        attrs=attrs
        | {
            "label": spectrum.label,
            "data": Path(spectrum.source).name,
            "sha256": spectrum.sha256,
            "notes": json.dumps(list(spectrum.notes), ensure_ascii=False),
        },
    )


def compared(spectrum: Spectrum, model: Complex[np.ndarray, " frequency"], name: str) -> dict[str, Described]:
    """Measured impedance, that of a model (`name`: what it is of), and (measured - model) / |measured|."""
    z, one = spectrum.impedance, ("frequency",)
    residual = (z - model) / abs(z)
    return {
        "z_real": (one, np.real(z), "ohm", "real part of the measured impedance"),
        "z_imag": (one, np.imag(z), "ohm", "imaginary part of the measured impedance"),
        "z_model_real": (one, np.real(model), "ohm", f"real part of the impedance of the {name}"),
        "z_model_imag": (one, np.imag(model), "ohm", f"imaginary part of the impedance of the {name}"),
        "residual_real": (one, np.real(residual), "1", f"(measured - {name}) / |measured|, real part"),
        "residual_imag": (one, np.imag(residual), "1", f"(measured - {name}) / |measured|, imaginary part"),
    }


def _variable(dims, values, units, name):
    return dims, np.asarray(values), {"units": units, "long_name": name} if units else {"long_name": name}
