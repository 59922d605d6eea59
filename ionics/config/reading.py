"""A file -> a checked configuration, or one line per thing that is wrong."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ionics.config import document as documents
from ionics.config.document import Document
from ionics.config.errors import ConfigError, Problem, choices
from ionics.config.model import Mapping
from ionics.config.open_circuit import read_files

Model = TypeVar("Model", bound=Mapping)
Steps = tuple[str | int, ...]


def read(path: str | Path, overrides: Sequence[str] = ()) -> Any:
    """The checked configuration in a file, after overrides 'dotted.key=value'. Raises ConfigError."""
    return checked(documents.load(path, overrides))


def checked(document: Document) -> Any:
    """The checked configuration of a document. Raises ConfigError."""
    from ionics.config import uncertainty
    from ionics.config.references import check, resolve
    from ionics.config.schema import Config

    read_files(document)
    config = validated(document, Config)
    config._document = document
    config._resolved = resolve(config)
    check(config)
    uncertainty.check(config)
    return config


def validated(document: Document, model: type[Model]) -> Model:
    """The document as a model. Raises ConfigError."""
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        found = [p for e in error.errors(include_url=False) for p in _problems(document, e)]
        raise ConfigError(*dict.fromkeys(found)) from None


def _problems(document: Document, error: Any) -> Iterator[Problem]:
    """The lines that say what one error of the schema says."""
    path, kind, context = locate(document, error["loc"]), error["type"], error.get("ctx", {})
    if kind == "unknown_keys":
        for key in context["unknown"]:
            yield document.problem((*path, key), "unknown key", choices(key, context["known"], "valid keys"))
    elif kind == "ionics":
        key = context["key"]
        place = (*path, *key) if isinstance(key, tuple) else (*path, key) if key else path
        yield document.problem(place, context["problem"], context["valid"])
    elif kind == "missing":
        key = str(error["loc"][-1])
        yield document.problem((*path, key), "required key missing", f"write e.g. {key}: {_example(key)}")
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        yield document.problem(path, "unknown choice", choices(document.text(path), known))
    else:
        yield document.problem(path, *_plain(kind, error["msg"], context))


def locate(document: Document, location: Steps) -> Steps:
    """The path in the document: without the names of alternatives that the schema puts between."""
    path: list[str | int] = []
    for step in location:
        below = document.at(tuple(path))
        inside = isinstance(below, dict) and step in below
        if inside or (isinstance(below, list) and isinstance(step, int) and step < len(below)):
            path.append(step)
    return tuple(path)


def _plain(kind: str, message: str, context: dict[str, Any]) -> tuple[str, str]:
    """Problem and remedy of the simple types."""
    said = {
        "int_type": ("not a whole number", "e.g. 10"),
        "int_parsing": ("not a whole number", "e.g. 10"),
        "int_from_float": ("not a whole number", "e.g. 10"),
        "string_type": ("text is needed here", "write it on one line, in quotes"),
        "list_type": ("a list is needed here", "[one, two], or lines that begin with '- '"),
        "dict_type": ("a mapping is needed here", "key: value, one per line"),
        "tuple_type": ("a list of two is needed here", "[lowest, highest]"),
        "bool_type": ("neither true nor false", "true or false"),
        "bool_parsing": ("neither true nor false", "true or false"),
        "string_too_short": ("empty text", "at least one character"),
    }
    if kind in said:
        return said[kind]
    for key, word in (("ge", "at least"), ("le", "at most"), ("gt", "above"), ("lt", "below")):
        if key in context:
            return f"must be {word} {context[key]}", f"a number {word} {context[key]}"
    if kind in ("too_short", "too_long"):
        wanted = context.get("min_length", context.get("max_length"))
        found, limit = context["actual_length"], "at least" if kind == "too_short" else "at most"
        return f"{found} {'entry' if found == 1 else 'entries'}", f"{limit} {wanted}"
    return message[0].lower() + message[1:], ""


@functools.cache
def _examples() -> dict[str, str]:
    """key -> how it may look, over all mappings of a file."""
    from ionics.config.schema import Config

    found: dict[str, str] = {}
    todo: list[type] = [Mapping]
    while todo:
        model = todo.pop()
        todo += model.__subclasses__()
        for name, field in model.model_fields.items():
            if field.examples:
                found[field.alias or name] = str(field.examples[0])
    assert Config.__name__  # imported so that its parts are known
    return found


def _example(key: str) -> str:
    return _examples().get(key, "...")
