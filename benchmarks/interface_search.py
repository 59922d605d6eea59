"""Does a search beat random registries at equal energy calls? Two interfaces, five seeds, the bond-valence field.

    python benchmarks/interface_search.py --work FOLDER [Li2O LiCoO2] [--seeds 5] [--workers 1]

registry: rigid slabs; two lateral shifts and the gap.
atoms: shifts, gap, two strains and every atom within 2.5 angstrom of the plane, each structure relaxed by five steps;
    contenders with other numbers of steps visit fewer structures with the same calls.

FOLDER keeps the databases of all runs; what is there is not computed again. Writes results/interface_search.md and a
picture in docs/images.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib.pyplot as plt
import numpy as np
from ase.db import connect
from machine import processor

from ionics.interfaces.calculators import Recipe
from ionics.interfaces.interface import Interface
from ionics.interfaces.matching import Limits, build, candidates
from ionics.interfaces.phases import curated
from ionics.interfaces.search.history import History, history
from ionics.interfaces.search.searching import search
from ionics.interfaces.search.settings import Settings, Stage

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
JOULE = 16.0218  # J/m^2 in eV/angstrom^2
FIELD = Recipe("bond-valence")
MOVES = {"registry": 1.0, "splice": 1.0, "rattle": 1.0, "across": 0.5, "exchange": 0.25}
ALONE = {"registry": 1.0}  # a random search that makes no moves of atoms samples registries


@dataclass(frozen=True)
class Pair:
    left: str
    right: str
    planes: tuple[tuple[int, int, int], tuple[int, int, int]]
    limits: Limits

    def start(self) -> Interface:
        phases = curated(self.left), curated(self.right)
        return build(candidates(*phases, [self.planes], self.limits)[0], *phases)


def limits(mismatch: float, area: float) -> Limits:
    return Limits(
        area=area, mismatch=mismatch, strain=mismatch, angle=0.03, shear=0.04, atoms=220, thickness=(5.0, 5.0)
    )


PAIRS = {
    "Li2O": Pair("Li2O", "Li2CO3", ((1, 1, 1), (0, 0, 1)), limits(0.06, 90)),
    "LiCoO2": Pair("LiCoO2", "gamma-Li3PO4", ((1, 0, 4), (1, 0, 0)), limits(0.08, 120)),
}


@dataclass(frozen=True)
class Case:
    """What is searched, with what budget; the first contender is the one to beat."""

    stage: Stage
    population: int
    more: Mapping[str, object]
    contenders: Mapping[str, tuple[str, Mapping[str, float]]]
    steps: Mapping[str, int] = field(default_factory=dict)  # of relaxation, where a contender takes others

    def settings(self, contender: str, seed: int, workers: int) -> Settings:
        method, moves = self.contenders[contender]
        more = {**self.more, "moves": moves}
        stage = replace(self.stage, steps=self.steps.get(contender, self.stage.steps))
        return Settings(method, (stage,), population=self.population, seed=seed, workers=workers, **more)


CASES = {
    "registry": Case(
        Stage("field", FIELD, calls=250),
        10,
        {},
        {"random registry": ("random", ALONE), "genetic": ("genetic", ALONE), "swarm": ("swarm", ALONE)},
    ),
    "atoms": Case(
        Stage("field", FIELD, calls=1000, steps=5),
        8,
        {"depth": 2.5, "outer": 1.5, "strain": 0.02},
        {
            "random registry": ("random", ALONE),
            "random registry, 50 steps": ("random", ALONE),
            "random moves": ("random", MOVES),
            "genetic": ("genetic", MOVES),
            "swarm": ("swarm", MOVES),
            "genetic, 15 steps": ("genetic", MOVES),
            "swarm, 15 steps": ("swarm", MOVES),
        },
        {"random registry, 50 steps": 50, "genetic, 15 steps": 15, "swarm, 15 steps": 15},
    ),
}


def main() -> None:
    asked = _arguments()
    asked.work.mkdir(parents=True, exist_ok=True)
    told: dict[tuple[str, str], dict[str, list[History]]] = {}
    sizes = {}
    for pair in asked.pairs:
        start = PAIRS[pair].start()
        sizes[pair] = f"{len(start.atoms)} atoms, {start.area:.0f} angstrom^2"
        for name in CASES:
            told[pair, name] = _runs(pair, name, start, asked)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "interface_search.md").write_text(_report(told, sizes, asked), encoding="utf-8")
    _numbers(told)
    _picture(told)


def _runs(pair: str, name: str, start: Interface, asked: argparse.Namespace) -> dict[str, list[History]]:
    """The histories of every contender, one for each seed."""
    case = CASES[name]

    def path(contender: str, seed: int) -> Path:
        return asked.work / f"{pair}_{name}_{contender.replace(',', '').replace(' ', '_')}_{seed}.db"

    for seed in range(asked.seeds):
        for contender in case.contenders:
            if asked.read:
                continue
            found = search([start], case.settings(contender, seed, asked.workers), path(contender, seed))
            print(pair, name, contender, seed, f"{JOULE * found.best[0].energy:.4f} J/m^2", flush=True)
    return {
        contender: [
            _against_common_slabs(path(contender, seed), path("swarm", seed), start.area) for seed in range(asked.seeds)
        ]
        for contender in case.contenders
    }


def _against_common_slabs(path: Path, common: Path, area: float) -> History:
    """The history of a run; its energies against the separated slabs as the swarm's run has them.

    A run that relaxes structures longer relaxes its slabs longer too, and would look worse for that.
    """
    line = history(path)
    moved = (_slabs(path) - _slabs(common)) / area
    return replace(line, energy=line.energy + moved, best=line.best + moved)


def _slabs(path: Path) -> float:
    """Energy of the separated slabs [eV]."""
    rows = connect(str(path), type="db", use_lock_file=False).select(state="reference")
    return sum(row.energy for row in rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", default=list(PAIRS))
    parser.add_argument("--work", type=Path, required=True, help="folder of the databases")
    parser.add_argument("--read", action="store_true", help="no search: tables and pictures of what is in FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def at(line: History, calls: int) -> float:
    """Best energy [J/m^2] after so many calls, nan before the first structure."""
    done = np.nonzero(line.calls <= calls)[0]
    return JOULE * float(line.best[done[-1]]) if len(done) else np.nan


def _report(told, sizes: Mapping[str, str], asked: argparse.Namespace) -> str:
    parts = ["# Search of interfaces at equal energy calls\n"]
    for (pair, name), runs in told.items():
        parts.append(_table(pair, name, runs, sizes[pair]))
    now, packages = datetime.date.today(), ("ase", "pymoo", "ase-ga", "numpy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    parts.append(
        f"Best energy of joining [J/m²] against the separated slabs; *wins* counts the seeds in which a search ends "
        f"below the random registry of the same seed. {processor()}, {os.cpu_count()} cores; {now}; {versions}. "
        f"`python benchmarks/interface_search.py --work FOLDER --seeds {asked.seeds}`\n"
    )
    return "\n".join(parts)


def _table(pair: str, name: str, runs: Mapping[str, list[History]], size: str) -> str:
    case, chosen = CASES[name], PAIRS[pair]
    planes = ["({}{}{})".format(*plane) for plane in chosen.planes]
    head = f"## {chosen.left}{planes[0]} | {chosen.right}{planes[1]}, {name}: {case.stage.calls} calls, {size}\n"
    seeds = range(max(len(lines) for lines in runs.values()))
    columns = "".join(f" seed {seed} |" for seed in seeds)
    rows = [f"| search |{columns} mean | standard error | wins | mean at half the calls | structures |"]
    rows.append("|---|" + "---|" * (len(seeds) + 5))
    ends = {label: [at(line, case.stage.calls) for line in lines] for label, lines in runs.items()}
    blind = ends[next(iter(case.contenders))]
    for label, lines in runs.items():
        values = np.array(ends[label])
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        wins = (
            f"{sum(v < b for v, b in zip(values, blind, strict=True))} of {len(values)}" if ends[label] != blind else ""
        )
        half = np.mean([at(line, case.stage.calls // 2) for line in lines])
        cells = "".join(f" {value:.3f} |" for value in values)
        visited = np.mean([len(line.number) for line in lines])
        rows.append(f"| {label} |{cells} {values.mean():.3f} | {error:.3f} | {wins} | {half:.3f} | {visited:.0f} |")
    return head + "\n" + "\n".join(rows) + "\n"


def _numbers(told) -> None:
    numbers = {
        f"{pair} {name}": {
            label: [at(line, CASES[name].stage.calls) for line in lines] for label, lines in runs.items()
        }
        for (pair, name), runs in told.items()
    }
    (RESULTS / "interface_search.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")


def _picture(told) -> None:
    names = list(dict.fromkeys(pair for pair, _ in told))
    figure, axes = plt.subplots(
        len(names), len(CASES), figsize=(10, 3.6 * len(names)), squeeze=False, layout="constrained"
    )
    colours = {"random registry": "0.4", "random moves": "tab:brown", "random registry, 50 steps": "tab:green"}
    colours |= {"genetic": "tab:blue", "swarm": "tab:orange", "genetic, 15 steps": "navy", "swarm, 15 steps": "tab:red"}
    for (pair, name), runs in told.items():
        axis = axes[names.index(pair), list(CASES).index(name)]
        calls = np.arange(5, CASES[name].stage.calls + 1, 5)
        for label, lines in runs.items():
            _band(axis, calls, np.array([[at(line, n) for n in calls] for line in lines]), label, colours[label])
        chosen = PAIRS[pair]
        axis.set_title(f"{chosen.left} | {chosen.right}: {name}")
        axis.set_xlabel("energy calls")
        axis.set_ylabel("best energy of joining [J/m²]")
    axes[-1, -1].legend(frameon=False, fontsize=7, loc="upper right")
    figure.savefig(IMAGES / "interface_search.png", dpi=110)


def _band(axis, calls: np.ndarray, values: np.ndarray, label: str, colour: str) -> None:
    """Mean of the seeds and all seeds thinly."""
    axis.plot(calls, values.T, color=colour, lw=0.6, alpha=0.4)
    shown = np.isfinite(values).all(axis=0)
    axis.plot(calls[shown], values[:, shown].mean(axis=0), color=colour, lw=2, label=label)


if __name__ == "__main__":
    main()
