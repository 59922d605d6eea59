"""Settings that can be measured, each of which adds rows to a weighted Jacobian, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.design import optimal
from ionics.fitting.design.information import Unknowns
from ionics.fitting.identify import identify

Question = str | Sequence[str] | Callable[[Mapping[str, Any]], Any] | None


@dataclass(frozen=True, eq=False)
class Asked:
    """A question: a parameter, several, all (None), or a function of name -> value."""

    words: str
    along: Float[np.ndarray, "parameter asked"]  # derivatives by the unknowns, in units of their spread
    scale: float  # what an error of the answer is divided by
    nothing: float  # an error that is no knowledge: one spread of a parameter, the whole value of a function


@dataclass(frozen=True, eq=False)
class Settings:
    """What each setting tells of the unknowns, and the question."""

    unknowns: Unknowns
    rows: Float[np.ndarray, "setting row parameter"]  # weighted derivatives, by unknowns in units of their spread
    asked: Asked

    def errors(self, times: Float[np.ndarray, " setting"]) -> Float[np.ndarray, " parameter"]:
        """Standard errors with each setting measured so often, in the units of the parameters; inf: not determined."""
        used = self._used(times)
        found = np.array([_error(used, column[:, None]) for column in np.eye(len(self.unknowns.names))])
        return found * np.abs(self.unknowns.slope)

    def answer(self, times: Float[np.ndarray, " setting"]) -> float:
        """Standard error of the answer, relative; of several parameters the geometric mean."""
        return _error(self._used(times), self.asked.along) / self.asked.scale

    def enough(self, times: Float[np.ndarray, " setting"]) -> bool:
        """Whether everything that is asked for is known better than not at all."""
        used = self._used(times)
        return all(_error(used, column[:, None]) < self.asked.nothing for column in self.asked.along.T)

    def open(self, scale: float = 0.0) -> tuple[str, ...]:
        """What all settings together leave open, in sentences.

        scale: variance of a weighted residual; without scatter only directions of no information at all are left open.
        """
        known = self.unknowns
        jacobian = self.rows.reshape(-1, len(known.names)) / known.spread
        inside, flat = np.zeros(len(known.names), int), np.zeros(len(known.names))
        return identify(known.parameters, known.values, jacobian, known.spread, inside, flat, scale).sentences

    def _used(self, times):
        there = times > 0
        return self.rows[there] * np.sqrt(times[there])[:, None, None]


def asked(question: Question, known: Unknowns) -> Asked:
    """Raises ValueError for names that are not among the unknowns."""
    if callable(question):

        def of(values):
            return jnp.asarray(question(dict(zip(known.names, values, strict=True))), float)

        value, gradient = jax.value_and_grad(of)(jnp.asarray(known.values))
        name = getattr(question, "__name__", "<lambda>")
        words = "what is asked" if name == "<lambda>" else name
        size = abs(float(value)) or 1.0
        return Asked(words, (np.asarray(gradient) * known.slope)[:, None], size, size)
    names = known.names if question is None else (question,) if isinstance(question, str) else tuple(question)
    for name in names:
        if name not in known.names:
            raise ValueError(f"no parameter '{name}'; the models have {', '.join(known.names)}")
    where = [known.names.index(name) for name in names]
    words = "all parameters" if question is None and len(names) > 1 else ", ".join(names)
    scale = abs(known.values[where[0]] / known.slope[where[0]]) if len(where) == 1 else 1.0
    return Asked(words, np.eye(len(known.names))[:, where], float(scale) or 1.0, 1.0)


def _error(rows: Float[np.ndarray, "setting row parameter"], along: Float[np.ndarray, "parameter asked"]) -> float:
    """Standard error of what is asked for, of several the geometric mean; infinite where it is not determined."""
    white = optimal.whitened(rows, along) if len(rows) else None
    if white is None:
        return np.inf
    _, value = np.linalg.slogdet(white[1].T @ white[1])
    return float(np.exp(0.5 * value / along.shape[1]))


def variables(unknowns: Unknowns, words: str, plans: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a dataset: variables and coordinates of plans, each with its `errors` and its `answer`."""
    found = {
        "value": ("parameter", unknowns.values),
        "standard_error": (("plan", "parameter"), np.array([plan.errors for plan in plans.values()])),
        "answer_error": (
            "plan", [plan.answer for plan in plans.values()], {"units": "1", "long_name": f"error of {words}"}
        ),
    }  # fmt: skip
    units = [parameter.unit for parameter in unknowns.parameters]
    return found, {"parameter": list(unknowns.names), "unit": ("parameter", units), "plan": list(plans)}
