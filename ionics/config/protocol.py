"""What is done to the stack in time: `study: protocol`, and the one order in which all of it is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from ionics.config.controls import short
from ionics.config.errors import nearest
from ionics.config.experiments import EXPERIMENTS, Experiment
from ionics.config.model import Mapping, keys
from ionics.config.parts import Part, Steps
from ionics.config.steps import Step
from ionics.quantity import quantity


class Repeat(Mapping):
    """Steps done several times in a row."""

    repeat: int = Field(description="How many times.", examples=["10"], ge=1, le=10_000)
    steps: list[Entry] = Field(description="What is repeated.", min_length=1)


def _kind(data: Any) -> str:
    """Which of the three is meant; a misspelt experiment is one."""
    if not isinstance(data, dict):
        return "one step"
    if "repeat" in data or "steps" in data:
        return "several steps"
    known = keys(Step)
    alone = next((key for key in data if key not in known), "")
    meant = nearest(str(alone), [*known, *EXPERIMENTS]) if alone else None
    return "an experiment" if meant in EXPERIMENTS else "one step"


Entry = Annotated[
    Annotated[Step, Tag("one step")]
    | Annotated[Experiment, Tag("an experiment")]
    | Annotated[Repeat, Tag("several steps")],
    Discriminator(_kind),
]
Repeat.model_rebuild()


@dataclass(frozen=True)
class Leg:
    """One thing done without a corner: a step, or one side of the triangle of a sweep."""

    path: Steps  # of the entry of the protocol, in the file
    step: Step
    turn: int  # how often these lines were done before
    side: int = 0  # of a sweep
    part: Part | None = None  # of the experiment that the entry is

    @property
    def name(self) -> str:
        """In words."""
        words = self.step.name or self._plain()
        return f"{self.part.name}: {words}" if self.part is not None and self.part.name else words

    def _plain(self) -> str:
        step = self.step
        if step.rest is not None:
            return "rest"
        if step.hold is not None:
            return step.hold.name
        if step.sine is not None:
            return f"sine of {quantity(step.sine.frequency, 'Hz')}"
        if step.profile is not None:
            return f"{step.what.replace('_', '-')} of {step.profile.file}"
        if step.sweep is None:
            return "impedance"
        begin, end = (short(step.what, corner) for corner in self.ends)
        return f"sweep {begin} → {end}"

    @property
    def key(self) -> str:
        """Where it stands: study.protocol[2].steps[0]."""
        words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path]
        return "".join(words).removeprefix(".")

    def place(self, *keys: str | int) -> Steps:
        """Where a key of the step was written."""
        return (*self.path, *(keys if self.part is None else self.part.place(keys)))

    @property
    def block(self) -> tuple[Steps, int] | None:
        """What the legs of one experiment share, each time it is done."""
        return None if self.part is None else (self.path, self.turn)

    @property
    def ends(self) -> tuple[float, float]:
        """Where a sweep begins and ends, SI."""
        return self.step.sweep.corners[self.side], self.step.sweep.corners[self.side + 1]


def legs(protocol: list[Entry], path: Steps = ("study", "protocol"), turn: int = 0) -> Iterator[Leg]:
    """Everything in the order in which it is done."""
    for i, entry in enumerate(protocol):
        if isinstance(entry, Repeat):
            for n in range(entry.repeat):
                yield from legs(entry.steps, (*path, i, "steps"), turn * entry.repeat + n)
            continue
        for part in entry.parts() if isinstance(entry, Experiment) else [entry]:
            step, part = (part.step, part) if isinstance(part, Part) else (part, None)
            sides = len(step.sweep.corners) - 1 if step.sweep else 1
            yield from (Leg((*path, i), step, turn, side, part) for side in range(sides))
