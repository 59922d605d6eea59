"""What the lines above a table say of the measurement: instrument, technique, date, amplitude, area."""

from __future__ import annotations

import re
from collections.abc import Iterable

# key -> (pattern whose first group is the value, the unit where the line says it elsewhere)
PATTERNS = {
    "technique": (
        (r"^TITLE\tLABEL\t([^\t]+)", ""),
        (r"^((?:Potentio|Galvano|Chrono|Staircase|Open Circuit|Modulo)\S* .+)", ""),
        (r"^(A\.C\. Impedance)", ""),
        (r"^\s*Experiment Type:\s*(.+)", ""),
        (r'^"(Sweep Frequency[^"]*)"', ""),
    ),
    "instrument": (
        (r"^Device : (.+)", ""),
        (r"^PSTAT\tPSTAT\t([^\t]+)", ""),
        (r"^Instrument Model:\s*(.+)", ""),
        (r"^Type=(VersaSTAT\S*)", ""),
        (r"^(RelaxIS \S+) Spectrum export", ""),
        (r"^\s*Measured Data, (ZPlot:\s*\S+)", ""),
        (r'^"(ZPlotW|Z60W) Data File', ""),
    ),
    "date": (
        (r"^Technique started on : (.+)", ""),
        (r"^Acquisition started on : (.+)", ""),
        (r"^DATE\tLABEL\t([^\t]+)", ""),
        (r"^\s*Date:\s*(.+?)(?:\s+Time:.*)?$", ""),
        (r"^DateAcquired=(.+)", ""),
        (r"^([A-Z][a-z]{2}\. \d+, \d{4}.*)", ""),
        (r"^\S+, (\d\d\.\d\d\.\d{4}, \d\d:\d\d)", ""),
    ),
    "amplitude": (
        (r"^VAC\tQUANT\t(\S+)", "mV rms"),
        (r"^IAC\tQUANT\t(\S+)", "mA rms"),
        (r"^Va \(mV\)\s+(\S+)", "mV"),
        (r"^Ia\s+(\S+)", ""),
        (r"AC Volt\s*\[Vrms\]=(\S+)", "V rms"),
        (r"^Amplitude \(V\) = (\S+)", "V"),
        (r"^\s*Potential-AC:\s*(\S+)", "mV"),
    ),
    "area": (
        (r"^Electrode surface area : (.+)", ""),
        (r"^AREA\tQUANT\t(\S+)", "cm^2"),
        (r"^Working Electrode Area \(cm2\)=(\S+)", "cm^2"),
    ),
    "diameter": ((r"^Diameter\[mm\]:\s*(\S+)", "mm"),),
    "thickness": ((r"\bThickness\[mm\]:\s*(\S+)\s+Spacer", "mm"),),
}
COMPILED = [(key, re.compile(pattern), unit) for key, rows in PATTERNS.items() for pattern, unit in rows]


def described(lines: Iterable[str]) -> dict[str, str | float]:
    """Key -> value as the file writes it, with its unit; the first line that answers a key wins."""
    found = {}
    for line in lines:
        for key, pattern, unit in COMPILED:
            match = key not in found and pattern.search(line.rstrip())
            if match and match[1].strip():
                found[key] = f"{match[1].strip()} {unit}".strip()
    return found
