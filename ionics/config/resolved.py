"""A configuration as YAML that stands alone, and plain values as YAML."""

from __future__ import annotations

import io
from typing import Any

from ionics.config import materials
from ionics.config.schema import Config


def resolved(config: Config) -> str:
    """The configuration as YAML that stands alone: overrides put in, library materials written out."""
    return dumped(alone(config))


def alone(config: Config) -> dict[str, Any]:
    """The plain values of a configuration with the library materials that it uses."""
    values = dict(config.document.values)
    library = {name: materials.document(name).values for name in _library(config)}
    if library:
        values["materials"] = library | values.get("materials", {})
    return values


def dumped(values: Any) -> str:
    """Plain values as YAML."""
    from ruamel.yaml import YAML

    yaml, text = YAML(), io.StringIO()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = None, 120, True
    yaml.dump(values, text)
    return text.getvalue()


def _library(config: Config) -> list[str]:
    """Library materials that the stack uses and the file does not write out itself."""
    known, wanted = materials.names(), []
    todo = config.used()
    while todo:
        name = todo.pop(0)
        local = config.materials.get(name)
        if local is not None and local.like and local.like != name:
            todo.append(local.like)
        elif local is None and name in known and name not in wanted:
            wanted.append(name)
    return wanted
