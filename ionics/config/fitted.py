"""The file of a fit with the fitted values put in: a stack that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ionics.config import document as files
from ionics.config.document import Document
from ionics.config.errors import ConfigError
from ionics.config.leaves import target
from ionics.config.reading import checked
from ionics.config.resolved import dumped, resolved
from ionics.config.schema import Config, Unit
from ionics.config.units import constant_phase

POINTS = 60


def fitted(
    config: Config, values: Mapping[str, float], tied: Mapping[str, Sequence[str]], kelvin: float | None, frequency
) -> str:
    """YAML with values [SI] at dotted paths, the same at the paths tied to them.

    kelvin: of the spectrum, None to keep that of the file; frequency [Hz]: where an impedance is asked for if the
    file asks nothing. Raises ConfigError where the new file would not be understood.
    """
    document = files.parse(resolved(config), config.document.name)
    document.values.pop("fit", None)  # its bounds and units belong to where it started
    every = {one: value for path, value in values.items() for one in (path, *tied.get(path, ()))}
    for path, value in every.items():
        exponent = every.get(f"{path[:-1]}n") if path.endswith(("_layer.Q", "_phase.Q")) else None
        dimension = target(config, path).dimension if exponent is None else constant_phase(exponent)
        files.put(document, _written(config, document, path), f"{value:.12g} {dimension.unit}".strip())
    if kelvin is not None:
        files.put(document, "temperature", f"{kelvin:.12g} K")
    if config.study is None:
        low, high = float(min(frequency)), float(max(frequency))
        files.put(document, "study", f"{{impedance: {{from: {low:.12g} Hz, to: {high:.12g} Hz, points: {POINTS}}}}}")
    text = dumped(document.values)
    checked(files.parse(text, config.document.name))
    return text


def _written(config: Config, document: Document, path: str) -> str:
    """The path of the scalar that a quantity is: some may be written in two ways, or with a law of temperature."""
    for name in (path, path.replace("compact_layer.", "compact_layer.constant_phase."), *_in_units(config, path)):
        try:
            found = document.at(files.find(document, name))
        except ConfigError:  # no such member of a list
            continue
        if isinstance(found, dict) and "value" in found:
            return f"{name}.value"
        if found is not None:
            return name
    return path


def _in_units(config: Config, path: str) -> Iterator[str]:
    """The path of a layer through the repeated unit that it stands in."""
    for entry in config.stack.layers if config.stack else ():
        if isinstance(entry, Unit) and path.startswith("stack.layers."):
            yield f"stack.layers.{entry.name}.layers.{path.removeprefix('stack.layers.')}"
