"""Answers as xarray Datasets: named axes, units on every variable, codes, config and versions inside.

A run is one Dataset with the dimensions `frequency`, `element` (contacts, layers and junctions from left to
right), `node` and `carrier`; a fit has `frequency` and `parameter`. Impedances are per area, in ohm cm^2, and
complex numbers are kept as two real variables (`z_real`, `z_imag`) because netCDF has no complex type. Fits are
put together in `fit_results`.
Positions are in m, potentials and electrochemical potentials (eta/F) in V, concentrations in mol/m^3.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import os
import platform
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import xarray as xr

from ionics.packing import packed, unpacked

OHM_M2 = 1e4  # ohm cm^2
FARAD_PER_M2 = 1e-4  # F cm^-2

PACKAGES = ("ionics-toolkit", "jax", "jaxlib", "equinox", "numpy", "scipy", "xarray", "h5netcdf")


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a result comes from: goes into the file's attributes."""

    title: str = ""
    source: str = ""
    config: str = ""  # the resolved YAML
    area: float | None = None  # m2
    materials: tuple[tuple[str, str], ...] = ()  # (material, citation)
    warnings: tuple[str, ...] = ()  # what to be careful about

    def attributes(self) -> dict[str, str]:
        """Text for the Dataset's attrs."""
        return {
            "title": self.title,
            "source": self.source,
            "config": self.config,
            "materials": json.dumps(self.materials, ensure_ascii=False),
            "warnings": json.dumps(self.warnings, ensure_ascii=False),
            "versions": json.dumps(versions()),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "Conventions": "ionics-1",
        }


def versions() -> dict[str, str]:
    """What computed this: package -> version."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if "ionics-toolkit" not in found:
        from ionics import __version__

        found["ionics-toolkit"] = __version__
    return found


# ------------------------------------------------------------------------------------------------- a run


def to_dataset(stack, solution, impedance=None, origin: Origin | None = None) -> xr.Dataset:
    """A solved stack and, if given, its impedance.

    stack: transport.stack.Stack; solution: transport.equilibrium.Solution; impedance:
    transport.impedance.Impedance.
    """
    origin = origin or Origin()
    ds = xr.merge([_profiles(stack, solution), elements(stack, impedance)])
    if impedance is not None:
        ds = ds.merge(spectrum(impedance))
    ds["voltage"] = scalar(solution.state.voltage, "V", "cell voltage, right metal minus left metal")
    ds["current"] = scalar(solution.state.current, "A/m^2", "current density, positive on discharge")
    ds["temperature"] = scalar(stack.temperature, "K", "temperature")
    if origin.area is not None:
        ds["area"] = scalar(origin.area, "m^2", "area")
    ds.attrs = origin.attributes() | {
        "kind": "run",
        "result": int(solution.result),
        "message": str(solution.message()),
        "pinned": json.dumps(list(solution.pinned), ensure_ascii=False),
    }
    return ds


def _profiles(stack, solution) -> xr.Dataset:
    import equinox as eqx

    from ionics.transport.balance import profiles

    p = eqx.filter_jit(profiles)(stack, solution.state)
    names = np.array([layer.name for layer in stack.layers])
    node, both = ("node",), ("carrier", "node")
    return xr.Dataset(
        {
            "potential": variable(node, p.potential, "V", "electrostatic potential"),
            "occupancy": variable(both, p.occupancy, "1", "share of the sites filled"),
            "concentration": variable(both, p.concentration, "mol/m^3", "concentration"),
            "electrochemical_potential": variable(both, p.electrochemical, "V", "electrochemical potential over F"),
        },
        coords={
            "x": variable(node, p.x, "m", "distance from the left contact"),
            "layer": variable(node, names[np.asarray(p.layer).astype(int)], "", "layer the node belongs to"),
            "carrier": [s.name for s in stack.species],
        },
    )


def elements(stack, impedance) -> xr.Dataset:
    """The resolved stack as a table over its elements."""
    from ionics.transport.stack import bulk_conductivity, debye_length

    layers = {layer.name: layer for layer in stack.layers}
    names = tuple(impedance.elements) if impedance is not None else _names(stack)
    contacts = (stack.junctions[0].name, stack.junctions[-1].name)

    def of_layer(value):
        return [float(value(layers[n])) if n in layers else math.nan for n in names]

    def kind(name):
        if name in layers:
            return "layer"
        if name == "series resistance":
            return "series resistance"
        return "contact" if name in contacts or name.endswith(" contact") else "junction"

    axis = ("element",)
    return xr.Dataset(
        {
            "element_kind": (axis, [kind(n) for n in names], {"long_name": "layer, junction or contact"}),
            "material": (axis, [layers[n].material.name if n in layers else "" for n in names]),
            "thickness": variable(axis, of_layer(lambda a: a.thickness), "m", "thickness"),
            "permittivity": variable(axis, of_layer(lambda a: a.material.permittivity), "1", "relative permittivity"),
            "debye_length": variable(
                axis,
                of_layer(lambda a: debye_length(a.material, stack.temperature)),
                "m",
                "Debye length of the neutral bulk",
            ),
            "bulk_resistance": variable(
                axis,
                [
                    _repeats(stack, n)
                    * 1e4
                    * layers[n].thickness
                    / bulk_conductivity(layers[n].material, stack.temperature)
                    if n in layers and len(layers[n].material.carriers) == 1
                    else math.nan
                    for n in names
                ],
                "ohm cm^2",
                "L/sigma of a layer with one carrier, without its space charge",
            ),
            "nodes": (
                axis,
                [layers[n].nodes if n in layers else 0 for n in names],
                {"long_name": "nodes"},
            ),
            "repeats": variable(axis, [_repeats(stack, n) for n in names], "1", "times this element stands in series"),
        },
        coords={"element": list(names)},
    )


def _names(stack) -> tuple[str, ...]:
    names = [stack.junctions[0].name]
    for layer, junction in zip(stack.layers, stack.junctions[1:], strict=True):
        names += [layer.name, junction.name]
    return tuple(names)


def _repeats(stack, name: str) -> float:
    for unit in stack.units:
        inside = {layer.name for layer in stack.layers[unit.first : unit.last + 1]}
        inside |= {junction.name for junction in stack.junctions[unit.first + 1 : unit.last + 1]}
        if name in inside:
            return float(unit.count)
    return 1.0


def spectrum(impedance) -> xr.Dataset:
    z, parts = np.asarray(impedance.z) * OHM_M2, np.asarray(impedance.parts) * OHM_M2
    one, two = ("frequency",), ("element", "frequency")
    unit = "ohm cm^2"
    return xr.Dataset(
        {
            "z_real": variable(one, z.real, unit, "real part of the impedance"),
            "z_imag": variable(one, z.imag, unit, "imaginary part of the impedance"),
            "z_part_real": variable(two, parts.real, unit, "real part of the share of an element"),
            "z_part_imag": variable(two, parts.imag, unit, "imaginary part of the share of an element"),
        },
        coords={
            "frequency": variable(one, impedance.frequency, "Hz", "frequency"),
            "element": list(impedance.elements),
        },
    )


def variable(dims, values, units: str, name: str):
    values = np.asarray(values)
    return (dims, values, {"units": units, "long_name": name} if units else {"long_name": name})


def scalar(value, units: str, name: str) -> xr.DataArray:
    return xr.DataArray(float(value), attrs={"units": units, "long_name": name})


# ------------------------------------------------------------------------------------------------- questions


def impedance_of(ds: xr.Dataset) -> xr.DataArray:
    """Z over frequency, complex; ohm cm^2 of a run, ohm of a fit."""
    return _complex(ds, "z_real", "z_imag").rename("z")


def parts_of(ds: xr.Dataset) -> xr.DataArray:
    """The share of each element in Z, complex (element, frequency)."""
    return _complex(ds, "z_part_real", "z_part_imag").rename("z_part")


def model_of(ds: xr.Dataset) -> xr.DataArray:
    """The fitted impedance, complex."""
    return _complex(ds, "z_model_real", "z_model_imag").rename("z_model")


def _complex(ds: xr.Dataset, real: str, imag: str) -> xr.DataArray:
    z = ds[real] + 1j * ds[imag]
    z.attrs = {"units": ds[real].attrs.get("units", ""), "long_name": "impedance"}
    return z


# ------------------------------------------------------------------------------------------------- files


def save(result: xr.Dataset | xr.DataTree, path: str | os.PathLike) -> Path:
    """Write netCDF-4; the name appears only when the file is whole."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    try:
        stored = packed(result) if isinstance(result, xr.DataTree) else result
        stored.to_netcdf(name, engine="h5netcdf")
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def open_result(path: str | os.PathLike) -> xr.Dataset | xr.DataTree:
    """A saved result, loaded whole: a Dataset, or a DataTree when the file holds a series."""
    path = Path(path)
    path = path / "result.nc" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such result file; `ionics run` and `ionics fit` write DIR/result.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
    return unpacked(tree) if tree.children else tree.to_dataset()
