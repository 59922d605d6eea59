"""An expression in x, evaluated without running code: numbers, x, + - * / **, exp, log, tanh, sqrt."""

from __future__ import annotations

import ast
import math

import numpy as np
from jaxtyping import Float

from ionics.config.errors import choices

FUNCTIONS = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt}
OPERATORS = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power
}  # fmt: skip
ALLOWED = f"numbers, x, + - * / **, {', '.join(FUNCTIONS)}"
LONGEST = 2000  # characters; published fits have a few hundred


class FormulaError(ValueError):
    """A text that is not such an expression, or has no value."""

    def __init__(self, problem: str, valid: str = f"use {ALLOWED}"):
        super().__init__(f"{problem}; {valid}")
        self.problem, self.valid = problem, valid


def evaluate(text: str, x: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """The values of an expression at x, finite. Raises FormulaError."""
    if len(text) > LONGEST:
        raise FormulaError(f"{len(text)} characters", f"at most {LONGEST}")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval")
        with np.errstate(all="ignore"):
            values = np.broadcast_to(_value(tree.body, x), x.shape)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaError("not an expression") from None
    bad = ~np.isfinite(values)
    if bad.any():
        raise FormulaError(f"has no value at x = {x[bad][0]:.6g}", "an expression that is finite over the range")
    return values


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
