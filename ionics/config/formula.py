"""An expression in x, evaluated without running code: numbers, x, + - * / **, exp, log or ln, tanh, sqrt."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from ionics.config.errors import choices

FUNCTIONS = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt, "ln": np.log}
OPERATORS = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power
}  # fmt: skip
ALLOWED = f"numbers, x, + - * / **, {', '.join(FUNCTIONS)}"
LONGEST = 2000  # characters; published fits have a few hundred
LOOKED = 4001  # points between which a denominator is watched
VANISHED = 1e-9  # of the largest value of a denominator: it touches zero


class FormulaError(ValueError):
    """A text that is not such an expression, or has no value."""

    def __init__(self, problem: str, valid: str = f"use {ALLOWED}"):
        super().__init__(f"{problem}; {valid}")
        self.problem, self.valid = problem, valid


def evaluate(text: str, x: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """The values of an expression at x, finite. Raises FormulaError."""
    values = _values(_parsed(text), x)
    bad = ~np.isfinite(values)
    if bad.any():
        raise FormulaError(f"has no value at x = {x[bad][0]:.6g}", "an expression that is finite over the range")
    return values


def poles(text: str, low: float, high: float) -> list[float]:
    """Where between low and high a denominator of an expression vanishes, rising. Raises FormulaError.

    A pole between two samples of a table is otherwise seen only if it is a wide one.
    """
    x = np.linspace(low, high, LOOKED)
    found = {round(zero, 12) for part in _denominators(_parsed(text).body) for zero in _zeros(part, x)}
    return sorted(found)


def _denominators(tree: ast.expr) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield node.right
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            power = _values(ast.Expression(node.right), np.zeros(1))[0]
            if not _names(node.right) and power < 0:
                yield node.left


def _names(tree: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "x" for node in ast.walk(tree))


def _zeros(part: ast.expr, x: Float[np.ndarray, " point"]) -> Iterator[float]:
    """Where an expression changes its sign, or touches zero."""
    from scipy.optimize import brentq, minimize_scalar

    def at(position: float) -> float:
        return float(_values(ast.Expression(part), np.array([position]))[0])

    values = _values(ast.Expression(part), x)
    yield from (float(one) for one in x[values == 0])
    sign, size = np.sign(values), np.abs(values)
    for i in np.flatnonzero(sign[1:] * sign[:-1] < 0):
        yield float(brentq(at, x[i], x[i + 1], xtol=1e-14))
    touching = (size[1:-1] < size[:-2]) & (size[1:-1] <= size[2:])
    for i in np.flatnonzero(touching & (sign[1:-1] * sign[2:] > 0) & (sign[1:-1] * sign[:-2] > 0)) + 1:
        lowest = minimize_scalar(lambda p: abs(at(p)), bounds=(x[i - 1], x[i + 1]), options={"xatol": 1e-12})
        if lowest.fun < VANISHED * size[np.isfinite(size)].max():
            yield float(lowest.x)


def _parsed(text: str) -> ast.Expression:
    if len(text) > LONGEST:
        raise FormulaError(f"{len(text)} characters", f"at most {LONGEST}")
    try:
        return ast.parse(" ".join(text.split()), mode="eval")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        raise FormulaError("not an expression") from None


def _values(tree: ast.Expression, x: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    try:
        with np.errstate(all="ignore"):
            return np.broadcast_to(_value(tree.body, x), x.shape)
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaError("not an expression") from None


def _value(node: ast.expr, x):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and abs(node.value) < math.inf:
        return np.float64(node.value)
    if isinstance(node, ast.Name):
        if node.id != "x":
            raise FormulaError(f"unknown name '{node.id}'", choices(node.id, ["x", *FUNCTIONS], "known names"))
        return x
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        return -_value(node.operand, x) if isinstance(node.op, ast.USub) else _value(node.operand, x)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.left, x), _value(node.right, x))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in FUNCTIONS:
            raise FormulaError(
                f"unknown function '{node.func.id}'", choices(node.func.id, FUNCTIONS, "known functions")
            )
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise FormulaError(f"{node.func.id} takes one argument", f"write {node.func.id}(...)")
        return FUNCTIONS[node.func.id](_value(node.args[0], x))
    raise FormulaError(f"'{ast.unparse(node)}' is not understood")
