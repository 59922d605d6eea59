"""Numbers as a reader wants them: three digits, an SI prefix, an error with two digits, a unit with superscripts."""

from __future__ import annotations

import math

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


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


def plus_minus(value: float, error: float) -> str:
    """Value and error to the two digits of the error that mean something: `12.34 ± 0.56`, `(1.2 ± 0.3)e-06`."""
    if not math.isfinite(error) or error <= 0 or value == 0:
        return f"{value:.5g}"
    exponent = math.floor(math.log10(max(abs(value), error)))
    shift = exponent if not -3 <= exponent <= 4 else 0
    decimals = max(0, min(12, 1 - math.floor(math.log10(error)) + shift))
    text = f"{value / 10.0**shift:.{decimals}f} ± {error / 10.0**shift:.{decimals}f}"
    return f"({text})e{shift:+03d}" if shift else text


def pretty_unit(unit: str) -> str:
    """`ohm cm^2` -> `Ω cm²`."""
    for text, sign in (("ohm", "Ω"), ("^2", "²"), ("^3", "³"), ("^-1", "⁻¹"), ("^-2", "⁻²")):
        unit = unit.replace(text, sign)
    return "" if unit == "1" else unit


def duration(seconds: float) -> str:
    """A time for a reader: `2.5 h`, `3.2 min`, `15 µs`."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return quantity(seconds, "s")
