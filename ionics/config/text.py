"""The table of `ionics check` as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionics.config.table import Check

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
CM2 = 1e4  # cm2 in a m2


def text(found: Check) -> str:
    """Layers, their carriers, junctions, and where to be careful."""
    parts = [_head(found)]
    if found.layers:
        parts += [_table(LAYER, _layers(found)), _table(CARRIER, _carriers(found)), _table(JUNCTION, _junctions(found))]
    if found.details:
        parts.append(_table(DETAIL, [(row.place, row.what, row.value) for row in found.details]))
    if found.warnings:
        parts.append("\n".join(["Careful:", *(f"  - {warning}" for warning in found.warnings)]))
    return "\n\n".join(parts)


LAYER = ("layer", "material", "thickness", "nodes", "Debye length", "conductivity", "eps/sigma", "L/sigma")
CARRIER = (
    "layer",
    "carrier",
    "statistics, mobility",
    "charge",
    "filled",
    "concentration",
    "conductivity",
    "diffusivity",
    "L^2/D",
)
DETAIL = ("place", "also there", "which is")
JUNCTION = ("junction", "crossing", "resistance", "step", "compact layer")


def _head(found: Check) -> str:
    if found.temperature is None:
        return "no stack: nothing to resolve"
    words = [f"{found.temperature:.6g} K"]
    if found.area is not None:
        words.append(f"area {found.area * CM2:.4g} cm^2")
    if found.series_resistance:
        words.append(f"series resistance {_area_resistance(found.series_resistance)}")
    return ", ".join(words)


def _layers(found: Check) -> Iterable[Sequence[str]]:
    for row in found.layers:
        name = f"{row.name} (x {row.count})" if row.count > 1 else row.name
        yield (
            name,
            row.material,
            si(row.thickness, "m"),
            str(row.nodes),
            si(row.debye_length, "m"),
            _conductivity(row.conductivity),
            si(row.dielectric_time, "s"),
            _area_resistance(row.resistance),
        )


def _carriers(found: Check) -> Iterable[Sequence[str]]:
    for row in found.layers:
        for carrier in row.carriers:
            yield (
                row.name,
                carrier.name,
                carrier.kind,
                f"{carrier.charge:+d}" if carrier.charge else "0",
                f"{carrier.occupancy:.4g}",
                f"{carrier.concentration:.4g} mol/m^3",
                _conductivity(carrier.conductivity),
                f"{carrier.diffusivity:.3g} m^2/s" if carrier.diffusivity else "-",
                si(carrier.diffusion_time, "s"),
            )


def _junctions(found: Check) -> Iterable[Sequence[str]]:
    for row in found.junctions:
        laws = [f"{what}: {law}" for what, law in row.laws]
        stops = [f"{', '.join(row.blocked)} blocked"] if row.blocked else []
        assumed = " (flat band assumed)" if row.flat_band else ""
        yield (
            row.name,
            "; ".join([*laws, *stops]) or "nothing",
            _area_resistance(row.resistance),
            f"{row.step:.4g} V{assumed}",
            row.compact_layer or "-",
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def si(value: float, unit: str) -> str:
    """A value with a prefix, three digits: 4.66e-11 m is '46.6 pm', 6360 s is '1.77 h'."""
    if unit == "s" and 3600 <= value < math.inf:
        return f"{value / 3600:.3g} h"
    if not math.isfinite(value) or value == 0:
        return f"{value:g} {unit}" if value == 0 else "-"
    power = min(max(3 * math.floor(math.log10(float(f"{abs(value):.2e}")) / 3), -15), 9 if unit != "s" else 0)
    return f"{value / 10.0**power:.3g} {PREFIXES[power]}{unit}"


def _conductivity(value: float) -> str:
    return f"{value / 100:.4g} S/cm" if value else "-"


def _area_resistance(value: float) -> str:
    return f"{value * CM2:.4g} ohm cm^2" if math.isfinite(value) else "-"
