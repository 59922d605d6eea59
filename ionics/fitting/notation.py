"""Circuits from text, by a parser: `R0-p(R1,CPE1)-CPE2` (impedance.py) or `(R1|Q1)+(R2pQ2)+Q3`.

series   = parallel { ("-" | "+") parallel }
parallel = part { ("|" | "p") part }
part     = element | "(" series ")" | "p" "(" series { "," series } ")"
element  = symbol [ number ]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import reduce
from operator import add, or_

from ionics.fitting.circuits import AbstractCircuit, AbstractElement

KINDS = {symbol: kind for kind in AbstractElement.__subclasses__() for symbol in kind.symbols}
SYMBOLS = "|".join(sorted(KINDS, key=len, reverse=True))
TOKEN = re.compile(rf"\s*(?:(?P<element>(?P<symbol>{SYMBOLS})(?P<number>\d*))|(?P<sign>[-+|p(),]))\s*")
DECADES = 2.0  # each further C or CPE of a bare circuit starts this many decades above the one before


class CircuitError(ValueError):
    """A circuit text that cannot be read; the message points at the place."""


def parse(text: str, values: Mapping[str, float] | None = None) -> AbstractCircuit:
    """The circuit a text describes.

    values: parameter name -> value, e.g. {"R0": 10.0, "CPE1.n": 0.9}; parameters not named get typical
    values, with capacitances rising in the order they are written, so that the first arc is the fast one.
    """
    reader = _Reader(text, dict(values or {}))
    circuit = reader.series()
    if reader.tokens:
        reader.fail("expected '-', '+' or '|' between elements")
    if reader.values:
        raise CircuitError(f"'{text}' has no parameter {', '.join(reader.values)}; it has {', '.join(reader.names)}")
    return circuit


class _Reader:
    """Reads tokens from left to right; one method a line of the grammar."""

    def __init__(self, text, values):
        self.text, self.values = text, values
        self.tokens, self.names, self.labels, self.count = [], [], set(), Counter()
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                known = ", ".join(KINDS)
                raise CircuitError(f"'{text}', position {position + 1}: '{text[position]}'; known elements: {known}")
            self.tokens.append(match)
            position = match.end()

    def fail(self, what):
        place = self.tokens[0].start() + 1 if self.tokens else len(self.text) + 1
        found = f"'{self.tokens[0][0].strip()}'" if self.tokens else "the end"
        raise CircuitError(f"'{self.text}', position {place}: {what}; found {found}")

    def next_is(self, signs):
        return bool(self.tokens) and self.tokens[0]["sign"] is not None and self.tokens[0]["sign"] in signs

    def take(self, sign):
        if not self.next_is(sign):
            self.fail(f"expected '{sign}'")
        return self.tokens.pop(0)

    def series(self):
        parts = [self.parallel()]
        while self.next_is("-+"):
            self.tokens.pop(0)
            parts.append(self.parallel())
        return reduce(add, parts)

    def parallel(self):
        parts = [self.part()]
        while self.next_is("|p"):
            self.tokens.pop(0)
            parts.append(self.part())
        return reduce(or_, parts)

    def part(self):
        if self.next_is("p"):
            self.tokens.pop(0)
            self.take("(")
            branches = [self.series()]
            while self.next_is(","):
                self.tokens.pop(0)
                branches.append(self.series())
            self.take(")")
            return reduce(or_, branches)
        if self.next_is("("):
            self.tokens.pop(0)
            inside = self.series()
            self.take(")")
            return inside
        if not self.tokens or self.tokens[0]["element"] is None:
            self.fail("expected an element")
        return self.element(self.tokens.pop(0))

    def element(self, token):
        kind = KINDS[token["symbol"]]
        label = kind.symbols[0] + (token["number"] or str(self.count[kind]))
        if label in self.labels:
            raise CircuitError(f"'{self.text}': {label} stands twice; number the elements differently")
        self.labels.add(label)
        chosen = []
        for (symbol, unit), typical in zip(_symbols(kind), kind.typical, strict=True):
            name = parameter_name(label, symbol, len(kind.typical))
            self.names.append(name)
            capacitive = unit.startswith("F")
            rise = 10 ** (DECADES * sum(self.count[k] for k in (KINDS["C"], KINDS["CPE"]))) if capacitive else 1.0
            chosen.append(self.values.pop(name, typical * rise))
        self.count[kind] += 1
        return kind(*chosen, label=label)


def parameter_name(label: str, symbol: str, parameters: int) -> str:
    """`R0` for an element with one parameter, `CPE1.Q` for one with several."""
    return label if parameters == 1 else f"{label}.{symbol}"


def _symbols(kind):
    facts = (field.metadata for field in kind.__dataclass_fields__.values())
    return [(fact["symbol"], fact["unit"]) for fact in facts if "symbol" in fact]
