"""The uncertain numbers of a file: which they are, and the file with other values drawn for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionics.config.document import Document
from ionics.config.errors import ConfigError
from ionics.config.model import Mapping
from ionics.config.resolved import alone
from ionics.config.schema import Config
from ionics.config.uncertain import Drawn, Uncertain

Steps = tuple[str | int, ...]
DEVICE = ("temperature", "area", "series_resistance", "stack", "cell")  # beside the materials it is made of
DRIVE = ("state_of_charge", "operating_point")  # what a study does to it


@dataclass(frozen=True)
class Doubt:
    """An uncertain number of a file, wherever it stands there."""

    paths: tuple[Steps, ...]  # of the mappings that state it
    keys: tuple[str, ...]  # the same, dotted
    number: Uncertain
    source: str = ""
    method: str = ""

    @property
    def key(self) -> str:
        """The dotted path of the first."""
        return self.keys[0]


def doubts(config: Config) -> tuple[Doubt, ...]:
    """The uncertain numbers that the device, and what is done to it, depend on.

    What has the same value, uncertainty, source (which is stated) and method is one number, drawn once.
    """
    used = _materials(config)
    parts = [((key,), getattr(config, key)) for key in DEVICE]
    parts += [(("materials", name), entry) for name, entry in config.materials.items() if name in used]
    parts += [(("study", key), getattr(config.study, key)) for key in DRIVE if config.study is not None]
    found: dict[Any, Doubt] = {}
    for one in (_doubt(config.document, *number) for path, part in parts for number in _numbers(path, part)):
        spread = one.number.spread
        same = (float(one.number), spread.error, spread.logarithmic, spread.unit, one.source, one.method)
        tie = same if one.source else one.paths
        before = found.get(tie)
        joined = replace(before, paths=before.paths + one.paths, keys=before.keys + one.keys) if before else one
        found[tie] = joined
    return tuple(found.values())


def check(config: Config) -> None:
    """Raises ConfigError where a number that asks a question is uncertain."""
    parts = [(("study", key), getattr(config.study, key)) for key in _rest(config)]
    parts += [((key,), getattr(config, key)) for key in ("fit", "design")]
    problems = [
        config.document.problem(
            _place(config.document, place), "a number of the question is exact", "its value without uncertainty"
        )
        for path, part in parts
        for place, _ in _numbers(path, part)
    ]
    if problems:
        raise ConfigError(*problems)


def not_followed(config: Config) -> Iterator[str]:
    """Says where the uncertain numbers of a file count with their central values only."""
    found = doubts(config)
    if not found:
        return
    count = f"uncertain numbers ({', '.join(doubt.key for doubt in found)})"
    asked = config.study
    if config.cell is not None:
        yield f"{count}: a cell is run with central values only, intervals are those of a stack"
    elif asked is not None and asked.protocol:
        yield f"{count}: a protocol is run with central values only, intervals are those of rest or an operating point"
    elif asked is not None and not asked.uncertainty.samples:
        yield f"{count}: no draws are asked for (study.uncertainty.samples), so there are no intervals"


def standing_alone(config: Config) -> Config:
    """The same with the library materials that it uses as a part of it, so that their numbers may be drawn too."""
    from ionics.config.reading import checked

    values = alone(config)
    if values.get("materials") == config.document.values.get("materials"):
        return config
    return checked(replace(config.document, values=values))


def drawn(config: Config, found: Sequence[Doubt], shares: Sequence[float]) -> Config:
    """The configuration with each uncertain number where this share of its distribution lies below it.

    Raises ConfigError where the numbers drawn contradict each other or others of the file.
    """
    from ionics.config.reading import checked

    values = config.document.values
    for doubt, share in zip(found, shares, strict=True):
        for path in doubt.paths:
            values = _put(values, path, doubt.number.draw(share))
    return checked(replace(config.document, values=values))


def design(count: int, samples: int, seed: int) -> NDArray[np.float64]:
    """Shares (sample, number): every number takes the middles of `samples` equal shares once each.

    A Latin hypercube (McKay, Beckman, Conover, Technometrics 21 (1979) 239, doi:10.1080/00401706.1979.10489755), the
    most even of many. With one number, or one that matters, quantiles are as exact as in a table.
    """
    from scipy.stats import qmc

    return qmc.LatinHypercube(count, scramble=False, optimization="random-cd", rng=seed).random(samples)


def _rest(config: Config) -> list[str]:
    return [key for key in type(config.study).model_fields if key not in DRIVE] if config.study is not None else []


def _materials(config: Config) -> set[str]:
    """Local materials that the device is made of, and those they are like."""
    todo, found = list(config.used()), set()
    while todo:
        name = todo.pop()
        entry = config.materials.get(name)
        if name not in found and entry is not None:
            found.add(name)
            todo += [entry.like] if entry.like else []
    return found


def _numbers(path: Steps, part: Any) -> Iterator[tuple[Steps, Uncertain]]:
    """Paths of the uncertain numbers in a part of a configuration."""
    if isinstance(part, Uncertain):
        yield path, part
    elif isinstance(part, Mapping):
        for name, field in type(part).model_fields.items():
            yield from _numbers((*path, field.alias or name), part.quantity(name))
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _numbers((*path, key), value)
    elif isinstance(part, list | tuple):
        for i, value in enumerate(part):
            yield from _numbers((*path, i), value)
    elif is_dataclass(part):  # a quantity whose dimension its text decides
        yield from _numbers(path, getattr(part, "value", None))


def _place(document: Document, path: Steps) -> Steps:
    """The path of the mapping that states a number: its own, or that of a number with a source."""
    return path if isinstance(document.at(path), dict) else path[:-1]


def _doubt(document: Document, path: Steps, number: Uncertain) -> Doubt:
    place = _place(document, path)
    stated = document.at(place)
    said = [str(stated.get(key) or "") for key in ("source", "method")]
    return Doubt((place,), (document.dotted(place),), number, *said)


def _put(values: Any, path: Steps, number: Drawn) -> Any:
    """Plain values with a number drawn at a path; what is on the way is copied."""
    if not path:
        return {key: value for key, value in values.items() if key != "uncertainty"} | {"value": number}
    new = list(values) if isinstance(values, list) else dict(values)
    new[path[0]] = _put(values[path[0]], path[1:], number)
    return new
