"""What is wrong with a file, in one form: FILE:LINE: dotted.key: got VALUE; problem; what would be valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it stands, and the way out."""

    where: str  # FILE:LINE, or where else the value came from (--set)
    key: str  # dotted
    value: str  # as written
    problem: str
    valid: str = ""

    def __str__(self):
        parts = [f"got {self.value}", self.problem, self.valid]
        place = f"{self.where}: {self.key}" if self.key else self.where
        return f"{place}: " + "; ".join(part for part in parts if part)


class ConfigError(ValueError):
    """A file that says something that cannot be meant: one line per problem."""

    def __init__(self, *problems: Problem):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; letter case and separators do not count."""
    known = list(known)
    plain = {_plain(k): k for k in reversed(known)}
    if _plain(word) in plain:
        return plain[_plain(word)]
    begun = [p for p in plain if len(_plain(word)) >= 4 and p.startswith(_plain(word))]
    if begun:
        return plain[min(begun, key=len)]
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def choices(word: str, known: Iterable[str], what: str = "valid") -> str:
    """'did you mean X? valid: A, B, C', without the question when nothing is near."""
    known = list(known)
    near = nearest(word, known)
    listed = f"{what}: {', '.join(known)}" if known else f"{what}: none"
    return f"did you mean {near}? {listed}" if near else listed


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c not in " _-")
