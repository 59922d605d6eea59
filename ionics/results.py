"""Answers as xarray Datasets: named axes, units on every variable, codes, config and versions inside.

A run is one Dataset with the dimensions `frequency`, `element` (contacts, layers and junctions from left to
right), `node` and `carrier`; a fit has `frequency` and `parameter`. Impedances are per area, in ohm cm^2, and
complex numbers are kept as two real variables (`z_real`, `z_imag`) because netCDF has no complex type.
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
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import xarray as xr

OHM_M2 = 1e4  # ohm cm^2
FARAD_PER_M2 = 1e-4  # F cm^-2

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
PACKAGES = ("ionics-toolkit", "jax", "jaxlib", "equinox", "numpy", "scipy", "xarray", "h5netcdf")


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a result comes from: goes into the file's attributes."""

    title: str = ""
    source: str = ""
    config: str = ""  # the resolved YAML
    area: float | None = None  # m2
    materials: tuple[tuple[str, str], ...] = ()  # (material, citation)

    def attributes(self) -> dict[str, str]:
        """Text for the Dataset's attrs."""
        return {
            "title": self.title,
            "source": self.source,
            "config": self.config,
            "materials": json.dumps(self.materials, ensure_ascii=False),
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


def to_dataset(stack, solution, impedance=None, frequency=None, origin: Origin | None = None) -> xr.Dataset:
    """A solved stack and, if given, its impedance at `frequency` [Hz].

    stack: transport.stack.Stack; solution: transport.equilibrium.Solution; impedance:
    transport.impedance.Impedance.
    """
    origin = origin or Origin()
    ds = xr.merge([_profiles(stack, solution), _elements(stack, impedance)])
    if impedance is not None:
        ds = ds.merge(_spectrum(impedance, frequency))
    ds["voltage"] = _scalar(solution.state.voltage, "V", "cell voltage, right metal minus left metal")
    ds["current"] = _scalar(solution.state.current, "A/m^2", "current density, positive on discharge")
    ds["temperature"] = _scalar(stack.temperature, "K", "temperature")
    if origin.area is not None:
        ds["area"] = _scalar(origin.area, "m^2", "area")
    ds.attrs = origin.attributes() | {
        "kind": "run",
        "result": int(solution.result),
        "message": str(solution.message()),
        "pinned": json.dumps(list(solution.pinned), ensure_ascii=False),
    }
    return ds


def _profiles(stack, solution) -> xr.Dataset:
    from ionics.transport.balance import profiles

    p = profiles(stack, solution.state)
    names = np.array([layer.name for layer in stack.layers])
    node, both = ("node",), ("carrier", "node")
    return xr.Dataset(
        {
            "potential": _variable(node, p.potential, "V", "electrostatic potential"),
            "occupancy": _variable(both, p.occupancy, "1", "share of the sites filled"),
            "concentration": _variable(both, p.concentration, "mol/m^3", "concentration"),
            "electrochemical_potential": _variable(
                both, p.electrochemical, "V", "electrochemical potential over F"
            ),
        },
        coords={
            "x": _variable(node, p.x, "m", "distance from the left contact"),
            "layer": _variable(node, names[np.asarray(p.layer)], "", "layer the node belongs to"),
            "carrier": [s.name for s in stack.species],
        },
    )


def _elements(stack, impedance) -> xr.Dataset:
    """The resolved stack as a table over its elements."""
    from ionics.transport.stack import debye_length

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
            "thickness": _variable(axis, of_layer(lambda a: a.thickness), "m", "thickness"),
            "permittivity": _variable(
                axis, of_layer(lambda a: a.material.permittivity), "1", "relative permittivity"
            ),
            "debye_length": _variable(
                axis,
                of_layer(lambda a: debye_length(a, stack.temperature)),
                "m",
                "Debye length of the neutral bulk",
            ),
            "nodes": (
                axis,
                [len(layers[n].mesh) if n in layers else 0 for n in names],
                {"long_name": "nodes"},
            ),
            "repeats": _variable(
                axis, [_repeats(stack, n) for n in names], "1", "times this element stands in series"
            ),
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


def _spectrum(impedance, frequency) -> xr.Dataset:
    z, parts = np.asarray(impedance.z) * OHM_M2, np.asarray(impedance.parts) * OHM_M2
    one, two = ("frequency",), ("element", "frequency")
    unit = "ohm cm^2"
    return xr.Dataset(
        {
            "z_real": _variable(one, z.real, unit, "real part of the impedance"),
            "z_imag": _variable(one, z.imag, unit, "imaginary part of the impedance"),
            "z_part_real": _variable(two, parts.real, unit, "real part of the share of an element"),
            "z_part_imag": _variable(two, parts.imag, unit, "imaginary part of the share of an element"),
        },
        coords={
            "frequency": _variable(one, frequency, "Hz", "frequency"),
            "element": list(impedance.elements),
        },
    )


def _variable(dims, values, units: str, name: str):
    values = np.asarray(values)
    return (dims, values, {"units": units, "long_name": name} if units else {"long_name": name})


def _scalar(value, units: str, name: str) -> xr.DataArray:
    return xr.DataArray(float(value), attrs={"units": units, "long_name": name})


# ------------------------------------------------------------------------------------------------- questions


def impedance_of(ds: xr.Dataset) -> xr.DataArray:
    """Z over frequency, complex, ohm cm^2 (ohm where a fit had no geometry)."""
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


def contributions(ds: xr.Dataset) -> xr.Dataset:
    """What each element adds: resistance and its share at the lowest frequency, arc frequency, capacitance.

    The capacitance is that of the highest arc, 1 / (4 pi f_peak (-Im Z)_peak), exact for one R in parallel
    with one C; of an element without an arc that blocks at the lowest frequency, -1 / (omega Im Z); otherwise
    NaN.
    """
    parts = parts_of(ds).transpose("element", "frequency").sortby("frequency")
    frequency = parts.frequency.values
    rows = [_arc(frequency, part) for part in parts.values]
    resistance = parts.values[:, 0].real
    total = resistance.sum()
    axis, area = ("element",), parts.attrs["units"].removeprefix("ohm").strip()
    farad = f"F/{area}" if area else "F"
    return xr.Dataset(
        {
            "resistance": _variable(
                axis, resistance, parts.attrs["units"], "real part at the lowest frequency"
            ),
            "share": _variable(
                axis, resistance / total, "1", "share of the real part at the lowest frequency"
            ),
            "peak_frequency": _variable(axis, [r[0] for r in rows], "Hz", "frequency of the arc's summit"),
            "capacitance": _variable(axis, [r[1] for r in rows], farad, "effective capacitance"),
        },
        coords={"element": ds.element.values},
    )


def _arc(frequency, z) -> tuple[float, float]:
    """Frequency of the highest interior summit of -Im Z and the effective capacitance."""
    y = -z.imag
    summits = [
        i for i in range(1, len(y) - 1) if y[i] > y[i - 1] and y[i] >= y[i + 1] and y[i] > 1e-9 * abs(z).max()
    ]
    if summits:
        i = max(summits, key=lambda k: y[k])
        f, height = _summit(np.log(frequency[i - 1 : i + 2]), y[i - 1 : i + 2])
        return f, 1 / (4 * math.pi * f * height)
    if y[0] > abs(z[0].real):
        return math.nan, 1 / (2 * math.pi * frequency[0] * y[0])
    return math.nan, math.nan


def _summit(x, y) -> tuple[float, float]:
    """Top of the parabola through three points: exp(x), y."""
    a, b, c = np.polyfit(x - x[1], y, 2)
    shift = -b / (2 * a)
    return float(np.exp(x[1] + shift)), float(c + b * shift / 2)


def blocking(ds: xr.Dataset) -> bool:
    """Whether no direct current can pass: at the lowest frequency Z points down rather than to the right."""
    z = impedance_of(ds).sortby("frequency").values
    return bool(-z[0].imag > abs(z[0].real) and -z[0].imag > -z[1].imag)


def verdict(ds: xr.Dataset) -> list[str]:
    """The result in sentences, the most important first."""
    if ds.attrs.get("kind") == "fit":
        return _fit_verdict(ds)
    celsius = quantity(float(ds.temperature) - 273.15, "°C", prefix=False)
    current = float(ds.current)
    if abs(current) < 1e-12:
        sentences = [f"The cell rests at {float(ds.voltage):.4g} V at {celsius}."]
    else:
        way = "discharge" if current > 0 else "charge"
        density = quantity(abs(current) / 1e4, "A/cm²")
        sentences = [f"The cell is at {float(ds.voltage):.4g} V on {way} at {density}, {celsius}."]
    if int(ds.attrs["result"]) != 0:
        sentences.insert(0, f"Do not use these numbers: {ds.attrs['message']}")
    if "z_real" in ds:
        sentences += _resistance_sentences(ds)
    return sentences + json.loads(ds.attrs.get("pinned", "[]"))


def _resistance_sentences(ds) -> list[str]:
    low = float(ds.frequency.min())
    total = float(ds.z_real.sel(frequency=low))
    ohms = (
        f" ({quantity(total / (float(ds.area) * 1e4), 'Ω')} on {float(ds.area) * 1e4:.3g} cm²)"
        if "area" in ds
        else ""
    )
    share = contributions(ds)["share"]
    first = share.isel(element=int(share.argmax("element")))
    size = f"{100 * float(first):.0f} % of it is the {first.element.item()}"
    where = f"at {quantity(low, 'Hz')}"
    if blocking(ds):
        real = f"the real part of Z {where} is {quantity(total, 'Ω cm²')}{ohms}"
        return [f"Direct current is blocked; {real} and {size}."]
    return [f"The resistance {where} is {quantity(total, 'Ω cm²')}{ohms}; {size}."]


def _fit_verdict(ds) -> list[str]:
    chi = float(ds.chi_squared)
    sentences = [f"Reduced chi-squared {chi:.3g}."]
    if "message" in ds.attrs:
        sentences.append(ds.attrs["message"])
    return sentences


def quantity(value: float, unit: str, digits: int = 3, prefix: bool = True) -> str:
    """A number for a reader: three digits and an SI prefix, `12.3 kΩ cm²`."""
    if not math.isfinite(value) or value == 0 or not prefix:
        return f"{value:.{digits}g} {unit}".strip()
    exponent = int(min(12, max(-15, 3 * math.floor(math.log10(abs(float(f"{value:.{digits}g}"))) / 3))))
    scaled = value / 10.0**exponent
    text = f"{scaled:.{digits}g}"
    if "e" in text:
        text = f"{scaled:.0f}"
    return f"{text} {PREFIXES[exponent]}{unit}"


# ------------------------------------------------------------------------------------------------- files


def save(result: xr.Dataset | xr.DataTree, path: str | os.PathLike) -> Path:
    """Write netCDF-4; the name appears only when the file is whole."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    try:
        result.to_netcdf(name, engine="h5netcdf")
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
        raise FileNotFoundError(
            f"{path}: no such result file; `ionics run` and `ionics fit` write DIR/result.nc"
        )
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
    return tree if tree.children else tree.to_dataset()


def series(root: xr.Dataset, members: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """A series of fits: the summary at the root, each member in its own group."""
    return xr.DataTree.from_dict({"/": root} | {f"/{name}": ds for name, ds in members.items()})
