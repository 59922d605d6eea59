"""Expressions in x: their values, and everything that is not one."""

import numpy as np
import pytest

from ionics.config.formula import LONGEST, FormulaError, evaluate

X = np.linspace(0.1, 0.9, 5)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3.5", 3.5 + 0 * X),
        ("4.2 - 0.4*x", 4.2 - 0.4 * X),
        ("-x**2 + +x", X - X**2),
        ("2**-x/3", 2.0**-X / 3),
        ("exp(-20*(x - 0.5)) + log(x)", np.exp(-20 * (X - 0.5)) + np.log(X)),
        ("tanh(sqrt(x))\n + 1e-3", np.tanh(np.sqrt(X)) + 1e-3),
    ],
)
def test_an_expression_has_the_value_it_has_on_paper(text, values):
    np.testing.assert_allclose(evaluate(text, X), values, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not an expression"),
        ("4.2 -", "not an expression"),
        ("x x", "not an expression"),
        ("(" * 900 + "x" + ")" * 900, "not an expression"),
        ("9" * 400, "not an expression"),
        ("x" * (LONGEST + 1), f"at most {LONGEST}"),
        ("y", "unknown name 'y'"),
        ("sin(x)", "unknown function 'sin'"),
        ("exp(x, 2)", "exp takes one argument"),
        ("exp(*x)", "exp takes one argument"),
        ("exp", "unknown name 'exp'"),
        ("x.real", "'x.real' is not understood"),
        ("x[0]", "not understood"),
        ("__import__('os')", "unknown function '__import__'"),
        ("(lambda: x)()", "not understood"),
        ("x if x else x", "not understood"),
        ("x < 1", "not understood"),
        ("x // 2", "not understood"),
        ("x ^ 2", "not understood"),
        ("True", "not understood"),
        ("1j*x", "not understood"),
        ("'x'", "not understood"),
        ("log(x - 0.5)", "has no value at x = 0.1"),
        ("9**9**9**9", "has no value"),
    ],
)
def test_anything_else_is_refused(text, words):
    with pytest.raises(FormulaError) as caught:
        evaluate(text, X)
    assert words in str(caught.value)
