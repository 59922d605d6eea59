"""YAML text -> plain values, each with the line it stands on; and the values put in by --set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ionics.config.errors import ConfigError, Problem, choices

Path_ = tuple[str | int, ...]
TAG = "tag:yaml.org,2002:"
DEPTH, SIZE = 40, 100_000


@dataclass
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and where each of them was written."""

    name: str  # as the user wrote it
    values: Any = None
    places: dict[Path_, str] = field(default_factory=dict)  # path -> FILE:LINE or --set
    texts: dict[Path_, str] = field(default_factory=dict)  # path of a scalar -> as written

    def where(self, path: Path_) -> str:
        """Where the value at a path, or the nearest thing around it, was written."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)

    def dotted(self, path: Path_) -> str:
        """The path as one writes it: members of a list go by their name, steps of a protocol by their number."""
        words, value = [], self.values
        for step in path:
            value = _child(value, step)
            named = isinstance(step, int) and isinstance(value, dict) and path[0] != "study"
            name = value.get("name") if named else None
            if isinstance(step, int) and not isinstance(name, str) and words:
                words[-1] += f"[{step}]"
            else:
                words.append(name if isinstance(name, str) else str(step))
        return ".".join(words)

    def at(self, path: Path_) -> Any:
        """The value at a path, None where there is nothing."""
        value = self.values
        for step in path:
            value = _child(value, step)
        return value

    def text(self, path: Path_) -> str:
        """The value at a path as it was written, shortened."""
        if path in self.texts:
            return self.texts[path] or "''"
        return _flow(self.at(path))

    def problem(self, path: Path_, problem: str, valid: str = "", value: str | None = None) -> Problem:
        """What is wrong with the value at a path."""
        return Problem(self.where(path), self.dotted(path), self.text(path) if value is None else value, problem, valid)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """The document in a file, after overrides 'dotted.key=value'."""
    document = parse(_read(Path(path)), str(path))
    for override in overrides:
        _override(document, override)
    return document


def parse(text: str, name: str) -> Document:
    """The document in a text; `name` is what messages call it."""
    document = Document(name)
    node = _compose(text, name)
    if node is None:
        raise ConfigError(Problem(f"{name}:1", "", "nothing", "the file is empty", "write e.g. 'stack:'"))
    document.values = _convert(document, node, (), None)
    return document


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        valid = choices(path.name, known, "YAML files there")
        raise ConfigError(Problem(str(path), "", str(path), "no such file", valid)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = hex(error.object[error.start])
        raise ConfigError(Problem(f"{path}:{line}", "", byte, "not UTF-8 text", "save the file as UTF-8")) from None
    except OSError as error:
        raise ConfigError(Problem(str(path), "", str(path), error.strerror or str(error), "a YAML file")) from None


def _compose(text: str, name: str):
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        written = (text.splitlines() or [""])[min(line, len(text.splitlines()) - 1)]
        what, valid = _explain(str(error.problem or error.context), written)
        raise ConfigError(Problem(f"{name}:{line + 1}", "", written.strip() or "nothing", what, valid)) from None
    except YAMLError as error:
        what = " ".join(str(error).split())
        raise ConfigError(Problem(name, "", "text", f"not YAML: {what}", "see yaml.org")) from None


def _explain(problem: str, line: str) -> tuple[str, str]:
    """A syntax error in words."""
    if "\t" in line:
        return "a tab character", "indent with spaces"
    if "mapping values are not allowed" in problem:
        return "not YAML: a second ': ' in one line", "quote text that contains ': ', or start a new line"
    return f"not YAML: {problem}", "check brackets, quotes, colons and indentation here and in the line before"


def _convert(document: Document, node, path: Path_, source: str | None) -> Any:
    """The plain value of a node; notes where it stands."""
    document.places.setdefault(path, source or f"{document.name}:{node.start_mark.line + 1}")
    if len(path) > DEPTH or len(document.places) > SIZE:
        raise ConfigError(
            document.problem(path, "nested too deeply or too large", "no anchor may contain itself", "...")
        )
    if node.id == "scalar":
        document.texts[path] = node.value
        return _scalar(node)
    if node.id == "sequence":
        return [_convert(document, item, (*path, i), source) for i, item in enumerate(node.value)]
    return _mapping(document, node, path, source)


def _mapping(document: Document, node, path: Path_, source: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in node.value:
        here = source or f"{document.name}:{key.start_mark.line + 1}"
        if key.id != "scalar":
            raise ConfigError(Problem(here, document.dotted(path), "a nested key", "a key must be text", "quote it"))
        inner = (*path, key.value)
        if key.value in result:
            first = document.places[inner]
            dotted = ".".join(filter(None, (document.dotted(path), key.value)))
            written = value.value if value.id == "scalar" else "a second value"
            raise ConfigError(Problem(here, dotted, written, f"duplicate key, first in {first}", "keep one of them"))
        document.places[inner] = here
        result[key.value] = _convert(document, value, inner, source)
    return result


def _scalar(node) -> str | int | float | bool | None:
    """YAML 1.2 core: quoted text stays text, and so does everything that is not plainly a number."""
    text, kind = node.value, str(node.tag).removeprefix(TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if kind == "float":
        return float(text.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))
    return text


def _override(document: Document, override: str) -> None:
    """Put 'dotted.key=value' into the document; the schema judges it afterwards."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        _refuse(key, override, "not an override", "write KEY=VALUE, e.g. temperature='25 degC'")
    put(document, key.strip(), text)


def put(document: Document, key: str, text: str) -> None:
    """Put a value, written as YAML, at a dotted key."""
    path = find(document, key)
    parent = document.values
    for depth, step in enumerate(path[:-1]):
        below = _child(parent, step)
        if below is None and isinstance(parent, dict):
            below = parent[step] = {}
            document.places[path[: depth + 1]] = "--set"
        if not isinstance(below, (dict, list)):
            _refuse(key, text, f"{document.dotted(path[: depth + 1])} is a value, not a mapping", "shorten the key")
        parent = below
    for known in [p for p in (*document.places, *document.texts) if p[: len(path)] == path]:
        document.places.pop(known, None), document.texts.pop(known, None)
    node = _compose(text, "--set")
    if node is None:
        _refuse(key, "nothing", "the value is missing", f"write {key}=VALUE")
    parent[path[-1]] = _convert(document, node, path, "--set")


def find(document: Document, dotted: str) -> Path_:
    """The path of a dotted key; keys may contain dots and spaces, members of lists go by name or number."""
    path: list[str | int] = []
    value, rest = document.values, re.sub(r"\[(\d+)\](?=\.|$)", r".\1", dotted)
    while rest:
        step, rest_ = _step(document, value, rest, dotted)
        path.append(step)
        value, rest = _child(value, step), rest_
    return tuple(path)


def _step(document: Document, value: Any, rest: str, dotted: str) -> tuple[str | int, str]:
    """One step down: the longest key that fits, or a new one."""
    if isinstance(value, list):
        names = [v.get("name") if isinstance(v, dict) else None for v in value]
        known: dict[str, str | int] = {str(i): i for i in range(len(value))}
        known |= {name: i for i, name in enumerate(names) if isinstance(name, str)}
    else:
        known = {key: key for key in value} if isinstance(value, dict) else {}
    for key in sorted(known, key=len, reverse=True):
        if rest == key or rest.startswith(key + "."):
            return known[key], rest[len(key) + 1 :]
    if isinstance(value, list):
        named = [name for name in names if isinstance(name, str)]
        _refuse(dotted, rest, "no such member of the list", choices(rest.split(".")[0], named))
    head, _, tail = rest.partition(".")
    return head, tail


def _refuse(key: str, value: str, problem: str, valid: str) -> NoReturn:
    raise ConfigError(Problem("--set", key.strip(), value, problem, valid))


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return None


def _flow(value: Any, limit: int = 60) -> str:
    """A value on one line, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(_flow(v) for v in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
