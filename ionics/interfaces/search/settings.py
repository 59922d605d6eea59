"""What a search is told: the method, the stages of rising cost with their budgets, and what may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ase.calculators.calculator import BaseCalculator

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface

Method = Literal["random", "genetic", "swarm"]
METHODS = ("random", "genetic", "swarm")
MOVES = ("registry", "splice", "rattle", "exchange", "across", "insert", "remove")
OF_ATOMS = MOVES[1:]


@dataclass(frozen=True)
class Stage:
    """One way to judge a structure: a score that costs nothing, or energies of a calculator.

    `calculator` makes an ASE calculator (or names one, see `calculators.calculator`); called once in each process.
    `score` takes an Interface, lower is better, infinite is never promoted. One of the two is given.
    """

    name: str
    calculator: str | Callable[[], BaseCalculator] | None = None
    score: Callable[[Interface], float] | None = None
    calls: int | None = None  # energy calls this stage may spend; a score has none
    promoted: float = 1.0  # share of what it saw that goes on to the next stage, at least one
    steps: int = 0  # of local relaxation; 0: the energy as it stands
    fmax: float = 0.05  # eV/angstrom at which the relaxation stops
    relaxed: Literal["interlayer", "inner"] = "interlayer"  # what moves: the interlayer, or all but the outer atoms

    def __post_init__(self):
        if (self.calculator is None) == (self.score is None):
            raise AtomsError(f"stage {self.name!r} has neither or both of calculator and score", "give one of the two")
        if self.calculator is not None and (self.calls is None or self.calls < 1):
            raise AtomsError(f"stage {self.name!r} has no budget", "calls: the number of energy calls, 1 or more")
        if not 0 < self.promoted <= 1:
            raise AtomsError(f"stage {self.name!r} promotes {self.promoted}", "promoted: a share above 0, at most 1")
        if self.steps < 0 or self.fmax <= 0:
            raise AtomsError(f"stage {self.name!r}: {self.steps} steps to {self.fmax}", "steps from 0, fmax above 0")
        if self.relaxed not in ("interlayer", "inner"):
            raise AtomsError(f"stage {self.name!r} relaxes {self.relaxed!r}", "relaxed: interlayer or inner")


@dataclass(frozen=True)
class Settings:
    """A search; lengths in angstrom, energies in eV. The same settings and seed visit the same structures.

    Without `depth` and `buffer` there is nothing but the rigid registry: two shifts, the lift and two strains. The
    moves of atoms are weights: how often each is tried against the others; missing ones are not made.
    """

    method: Method
    stages: tuple[Stage, ...]
    population: int = 20
    seed: int = 0
    lift: tuple[float, float] = (-0.5, 1.5)  # the right slab is raised by this against its start
    strain: float = 0.0  # a and b of the junction are stretched by up to this, each for itself
    depth: float = 0.0  # atoms nearer to the plane than this are the interlayer
    outer: float = 3.0  # atoms nearer to a free surface than this never move
    moves: Mapping[str, float] = field(default_factory=lambda: {"registry": 1.0, "splice": 1.0, "rattle": 1.0})
    rattle: float = 0.4  # largest displacement of a rattled atom along x, y and z
    mobile: str = "Li"  # the element that goes across, in and out
    reservoir: Mapping[str, float] = field(default_factory=dict)  # its chemical potential, where it may go in and out
    buffer: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # element: number, oxidation state; added
    fresh: float = 0.2  # share of every generation of atoms that starts anew
    alike: float = 0.005  # structures whose distances differ by less, relatively, are one
    workers: int = 1

    def __post_init__(self):
        if self.method not in METHODS:
            raise AtomsError(f"unknown search {self.method!r}", f"one of {', '.join(METHODS)}")
        if self.population < 2:
            raise AtomsError(f"a population of {self.population}", "population: 2 or more")
        if not self.lift[0] <= self.lift[1]:
            raise AtomsError(f"the lift runs from {self.lift[0]} to {self.lift[1]} A", "the lower bound first")
        if not 0 <= self.strain < 0.2:
            raise AtomsError(f"a strain of {self.strain}", "strain: from 0 to below 0.2")
        if min(self.depth, self.outer, self.rattle, self.alike) < 0 or not 0 <= self.fresh <= 1:
            raise AtomsError("a negative length or share", "depth, outer, rattle and alike from 0; fresh from 0 to 1")
        if self.workers < 1:
            raise AtomsError(f"{self.workers} worker processes", "workers: 1 or more")
        self._check_moves()
        self._check_stages()

    def _check_moves(self):
        for name, weight in self.moves.items():
            if name not in MOVES:
                raise AtomsError(f"unknown move {name!r}", f"moves: {', '.join(MOVES)}")
            if not weight >= 0:
                raise AtomsError(f"move {name!r} has weight {weight}", "0 or more")
        if not sum(self.moves.values()) > 0:
            raise AtomsError("no move has a weight", f"moves: at least one of {', '.join(MOVES)}")
        needy = [name for name in ("insert", "remove") if self.moves.get(name)]
        if needy and self.mobile not in self.reservoir:
            raise AtomsError(
                f"{' and '.join(needy)} changes the number of {self.mobile}, whose chemical potential is not given",
                f"reservoir: {{{self.mobile}: eV per atom in the energies of the calculator}}",
            )

    def _check_stages(self):
        if not self.stages or self.guide == len(self.stages):
            raise AtomsError("no stage has a calculator", "at least one stage with energies drives the search")
        if any(stage.score is not None for stage in self.stages[self.guide :]):
            raise AtomsError("a score stands after a calculator", "scores first, then calculators from cheap to dear")
        idle = [s.name for s in self.stages if s.steps and s.relaxed == "interlayer" and not self.of_atoms]
        if idle:
            raise AtomsError(f"stage {idle[0]!r} relaxes an interlayer and there is none", "depth above 0, or steps: 0")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise AtomsError(f"two stages of one name among {', '.join(names)}", "a name of its own for each")

    @property
    def guide(self) -> int:
        """Place of the stage whose energies drive the search: the first with a calculator."""
        with_calculator = [i for i, stage in enumerate(self.stages) if stage.calculator is not None]
        return with_calculator[0] if with_calculator else len(self.stages)

    @property
    def of_atoms(self) -> bool:
        """Whether more than the rigid registry is searched."""
        return self.depth > 0 or bool(self.buffer)

    def signature(self) -> dict[str, Any]:
        """What decides which structures are visited, as plain values: not the budgets, not the workers.

        A callable is known by its name alone.
        """
        stages = [
            [s.name, named(s.calculator), named(s.score), s.promoted, s.steps, s.fmax, s.relaxed] for s in self.stages
        ]
        keys = ("method", "population", "seed", "strain", "depth", "outer", "rattle", "mobile", "fresh", "alike")
        plain = {key: getattr(self, key) for key in keys}
        buffer = {element: list(entry) for element, entry in self.buffer.items()}
        chosen = {"lift": list(self.lift), "moves": dict(self.moves), "reservoir": dict(self.reservoir)}
        return {**plain, **chosen, "buffer": buffer, "stages": stages}


def named(part: Any) -> str:
    """Name of a calculator or score, as it is kept: its own `name`, else that of the function or class."""
    if part is None or isinstance(part, str):
        return part or ""
    function = getattr(part, "func", part)  # of a functools.partial
    own = getattr(function, "name", None)
    return own if isinstance(own, str) else getattr(function, "__qualname__", type(function).__qualname__)
