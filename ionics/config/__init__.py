"""The one door: YAML -> checked SI values -> objects. Units and validation live here and nowhere else.

Nothing heavy is imported until it is called, so that `ionics --help` stays quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ionics.config.errors import ConfigError, Problem

if TYPE_CHECKING:
    from ionics.config.leaves import Leaf
    from ionics.config.schema import Config
    from ionics.transport.stack import Stack

__all__ = ["ConfigError", "Problem", "build", "leaf", "read"]


def read(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The checked configuration in a file, after overrides written as 'dotted.key=value'. Raises ConfigError."""
    from ionics.config.reading import read as implementation

    return implementation(path, overrides)


def build(config: Config) -> Stack:
    """The physics of a checked configuration, in float64; the configuration is not needed after it."""
    _float64()
    from ionics.config.assembly import build as implementation

    return implementation(config)


def leaf(config: Config, path: str) -> Leaf:
    """Where the quantity at a dotted path of the configuration stands in the stack. Raises ConfigError."""
    _float64()
    from ionics.config.leaves import leaf as implementation

    return implementation(config, path)


def _float64() -> None:
    """ionics computes in float64; JAX must know before its first array."""
    import jax

    jax.config.update("jax_enable_x64", True)


def __getattr__(name: str):
    """The modules of this package, imported when first used."""
    if name in ("materials", "schema", "study", "table", "units"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
