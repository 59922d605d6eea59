"""Long work in stages, each kept in a file when it is done, so that the same question goes on where it was."""

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
    """One stage: (what the stages before found) -> a Dataset of its own."""

    name: str
    said: str  # while it works
    depends: tuple[str, ...]  # keys of the question, besides those of the stages before
    work: Callable[[xr.Dataset], xr.Dataset]


def walk(stages: Sequence[Stage], question: dict[str, Any], folder: Path, tell: Callable[[str], None]) -> xr.Dataset:
    """Every stage in turn, those that are in the folder for the same question read instead; all in one Dataset.

    `question`: key -> plain values. Attributes of a later stage stand beside those of the earlier ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found, told = xr.Dataset(), hashlib.sha256()
    for stage in stages:
        asked = json.dumps([stage.name, {key: question[key] for key in stage.depends}], sort_keys=True, default=str)
        told.update(asked.encode())
        path = folder / f"{stage.name}-{told.hexdigest()[:12]}.nc"
        if path.is_file():
            tell(f"{stage.said}: done before")
            own = results.open_result(path)
        else:
            tell(stage.said)
            own = stage.work(found)
            results.save(own, path)
        attributes = found.attrs | own.attrs
        found = found.merge(own)
        found.attrs = attributes
    return found
