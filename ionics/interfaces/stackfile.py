"""The text of a stack file from nested mappings whose leaves may be estimates: the door reads it, nobody else need.

One Estimate object that stands at several places is one number: it is written once, with an anchor, and referred to.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

PLAIN = re.compile(r"[A-Za-z0-9(][A-Za-z0-9_.+*/^%() -]*")  # what YAML reads back as the same text, unquoted
ANCHOR = re.compile(r"[^A-Za-z0-9_]+")
WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n", "~"}


def text(document: Mapping[str, Any]) -> str:
    """The document as YAML: an estimate becomes its four entries, a list of plain values stays on one line."""
    return "\n".join(_Writer(document).block(document, 0)) + "\n"


def estimates(document: Mapping[str, Any]) -> dict[str, Estimate]:
    """Every estimate by its dotted path, in the order of the file."""
    return dict(_walk(document, ()))


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Estimate]]:
    if isinstance(node, Estimate):
        yield ".".join(path), node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _walk(value, (*path, str(key)))
    elif isinstance(node, (list, tuple)):
        for k, value in enumerate(node):
            yield from _walk(value, (*path, str(k)))


class _Writer:
    """Lines of YAML; knows which estimates stand at more than one place, and which of them it has written."""

    def __init__(self, document: Mapping[str, Any]):
        found = [(path.rsplit(".", 1)[-1], id(estimate)) for path, estimate in _walk(document, ())]
        counts = Counter(number for _, number in found)
        several = dict.fromkeys(number for _, number in found if counts[number] > 1)
        keys = {number: key for key, number in reversed(found)}
        self.anchors = {number: f"{ANCHOR.sub('_', keys[number])}_{k + 1}" for k, number in enumerate(several)}
        self.written: set[int] = set()

    def block(self, node: Mapping[str, Any], depth: int) -> Iterator[str]:
        pad = "  " * depth
        for key, value in node.items():
            yield from self.entry(f"{pad}{_scalar(key)}:", value, depth)

    def entry(self, head: str, value: Any, depth: int) -> Iterator[str]:
        """One key with what stands under it."""
        mark, value = self.marked(value)
        head = f"{head} {mark}".rstrip()
        if isinstance(value, Mapping) and value:
            yield head
            yield from self.block(value, depth + 1)
        elif isinstance(value, (list, tuple)) and any(isinstance(one, (Mapping, Estimate)) for one in value):
            yield head
            for one in value:
                yield from self.item(one, depth + 1)
        else:
            yield head if mark else f"{head} {_flow(value)}"

    def item(self, value: Any, depth: int) -> Iterator[str]:
        """One entry of a list of mappings."""
        mark, value = self.marked(value)
        pad = "  " * depth
        if mark:
            yield f"{pad}- {mark}"
            yield from self.block(value or {}, depth + 1)
            return
        lines = list(self.block(value, depth + 1)) if isinstance(value, Mapping) else [_flow(value)]
        yield f"{pad}- {lines[0].lstrip()}"
        yield from lines[1:]

    def marked(self, value: Any) -> tuple[str, Any]:
        """The anchor of an estimate and its entries; its alias and nothing where it has been written before."""
        if not isinstance(value, Estimate):
            return "", value
        name = self.anchors.get(id(value))
        if name is not None and id(value) in self.written:
            return f"*{name}", None
        self.written.add(id(value))
        return f"&{name}" if name is not None else "", _entries(value)


def _entries(estimate: Estimate) -> dict[str, str]:
    """Those of the file; what is exact has no uncertainty there."""
    return {key: text for key, text in estimate.entry().items() if key != "uncertainty" or estimate.uncertainty != 0}


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if not isinstance(value, str):
        raise AtomsError(f"{value!r} cannot stand in a stack file", "text, a number, an Estimate, a list or a mapping")
    plain = PLAIN.fullmatch(value) and value.strip() == value and value.lower() not in WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)
