"""Long work in stages, each kept in a file when it is done, so that the same question goes on where it was.

What a stage keeps while it works stands in a folder of its own, named like its file by what was asked so far: another
question never meets what is left of an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ionics import results


@dataclass(frozen=True)
class Stage:
    """One stage: (what the stages before found, its folder) -> a Dataset of its own."""

    name: str
    said: str  # while it works
    depends: tuple[str, ...]  # keys of the question, besides those of the stages before
    work: Callable[[xr.Dataset, Path], xr.Dataset]


def walk(
    stages: Sequence[Stage], question: dict[str, Any], folder: Path, tell: Callable[[str], None]
) -> tuple[xr.Dataset, dict[str, Path]]:
    """Every stage in turn, those that are in the folder for the same question read instead; all in one Dataset.

    `question`: key -> plain values. Attributes of a later stage stand beside those of the earlier ones. Returns the
    folder of every stage too.
    """
    found, told, places = xr.Dataset(), hashlib.sha256(), {}
    for stage in stages:
        asked = json.dumps([stage.name, {key: question[key] for key in stage.depends}], sort_keys=True, default=str)
        told.update(asked.encode())
        places[stage.name] = place = folder / f"{stage.name}-{told.hexdigest()[:12]}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / "found.nc"
        if path.is_file():
            tell(f"{stage.said}: done before")
            own = results.open_result(path)
        else:
            tell(stage.said)
            own = stage.work(found, place)
            results.save(own, path)
        attributes = found.attrs | own.attrs
        found = found.merge(own)
        found.attrs = attributes
    return found, places
