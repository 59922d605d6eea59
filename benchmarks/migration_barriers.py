"""Barriers of the literature (migration_barriers.csv) against hops found by themselves and a potential of choice.

Which hop of ours is which path of the file: its names come from Du & Holzwarth 2007 (10.1103/PhysRevB.76.174302),
Lepley, Holzwarth & Du 2013 (10.1103/PhysRevB.88.104103) and others; the ends that the authors of the data set used
(github.com/sai-mat-group/mlips-migration-barriers, Dataset-2) were read and the vectors of the hops compared. The same
place holds their barriers with CHGNet (PUBLISHED), made from the highest and the lowest of five images.

Resumable: results are written after every path, bands after every step.

    python benchmarks/migration_barriers.py                      # all paths, hours on two cores
    python benchmarks/migration_barriers.py --only LiCoO2_1 LiCoO2_2
    python benchmarks/migration_barriers.py --table              # the page from what is there
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from machine import processor

from ionics.interfaces import calculators, phases
from ionics.interfaces.migration import ends, moves, neb, paths, sites

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "migration_barriers.json"
PAGE = HERE / "results" / "migration_barriers.md"
SHARED = Path(os.environ.get("IONICS_SHARED", HERE.parents[1] / "shared"))
LIMIT = 4.0  # angstrom, of a hop
LEAST = 8.0  # angstrom between periodic copies
FIRST = 15  # cases of LiCoO2, gamma-Li3PO4, LiTi2(PO4)3 and tetragonal LLZO
COMMAND = "python benchmarks/migration_barriers.py --images 1"


@dataclass(frozen=True)
class Case:
    """A path of the file and the hop of ours that it is."""

    name: str  # in the file
    phase: str
    label: str
    mechanism: str = moves.VACANCY
    published: float | None = None  # eV, CHGNet by the authors of the data set


G, B, GS, BS = "gamma-Li3PO4", "beta-Li3PO4", "gamma-Li3PS4", "beta-Li3PS4"
LLZO = "tetragonal-LLZO"
CASES = (
    Case("LiCoO2_1", "LiCoO2", "3a-3a", published=0.448),
    Case("LiCoO2_2", "LiCoO2", "3a-3a+3a", moves.DIVACANCY, 0.119),
    Case("g-Li3PO4_3", G, "8d-8d", published=0.297),
    Case("g-Li3PO4_4", G, "8d-8d''", published=0.542),
    Case("g-Li3PO4_1", G, "8d-4c'", published=0.254),
    Case("g-Li3PO4_6", G, "8d-4c", published=0.495),
    Case("Li7La3Zr2O12_3", LLZO, "32g-32g", published=0.172),
    Case("Li7La3Zr2O12_1", LLZO, "32g-16f", published=0.115),
    Case("LiTi2P3O12", "LiTi2(PO4)3", "6b-6b", published=0.272),
    Case("g-Li3PO4_2", G, "8d-4c''", published=0.456),
    Case("g-Li3PO4_5", G, "8d-4c'''", published=0.364),
    Case("g-Li3PO4_7", G, "8d-8d'", published=0.367),
    Case("g-Li3PO4_8", G, "8d-8d'", published=0.367),
    Case("Li7La3Zr2O12_2", LLZO, "32g-16f'", published=0.098),
    Case("g-Li3PO4_9", G, "4c-8d+8d(12)", moves.DIVACANCY, 0.541),  # the data set's ends have two vacancies
    Case("b-Li3PO4_1", B, "4b-2a", published=0.302),
    Case("b-Li3PO4_2", B, "4b-2a'''", published=0.357),
    Case("b-Li3PO4_3", B, "4b-4b'", published=0.478),
    Case("b-Li3PO4_4", B, "4b-4b''", published=0.353),
    Case("b-Li3PO4_5", B, "4b-2a'", published=0.374),
    Case("b-Li3PO4_6", B, "4b-2a''", published=0.469),
    Case("b-Li3PO4_7", B, "4b-4b", published=0.477),
    Case("b-Li3PO4_8", B, "4b-4b"),
    Case("b-Li3PS4_1", BS, "8d-4b", published=0.055),
    Case("b-Li3PS4_2", BS, "8d-8d'", published=0.115),
    Case("b-Li3PS4_3", BS, "8d-4b"),
    Case("b-Li3PS4_4", BS, "8d-4b"),
    Case("b-Li3PS4_5", BS, "8d-8d'"),
    Case("b-Li3PS4_6", BS, "8d-4b"),
    Case("b-Li3PS4_7", BS, "8d-8d", published=0.007),
    Case("b-Li3PS4_8", BS, "8d-8d'", published=0.115),
    Case("b-Li3PS4_9", BS, "8d-8d"),
    Case("b-Li3PS4_10", BS, "8d-8d'"),
    Case("g-Li3PS4_1", GS, "4b-2a", published=0.140),
    Case("g-Li3PS4_2", GS, "4b-2a''", published=0.054),
    Case("g-Li3PS4_3", GS, "4b-2a'", published=0.133),
    Case("g-Li3PS4_4", GS, "4b-2a''"),
    Case("g-Li3PS4_5", GS, "4b-2a"),
)


def main():
    options = _options()
    done = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.table:
        wanted = [case for case in CASES if not options.only or case.name in options.only]
        _run(wanted, done, options)
    PAGE.write_text(page(done))
    print(PAGE.read_text())


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names in the file")
    parser.add_argument("--calculator", default="chgnet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--fmax", type=float, default=0.1, help="eV/angstrom of the band; the ends relax to 0.05")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no further path after so long")
    parser.add_argument("--bands", type=Path, default=Path(tempfile.gettempdir()) / "ionics_migration_bands")
    parser.add_argument("--table", action="store_true", help="write the page only")
    return parser.parse_args()


def _run(wanted, done, options):
    started = time.monotonic()
    model = calculators.calculator(options.calculator, options.threads)
    shared = {}
    for case in wanted:
        key = _key(case)
        if done.get(key, {}).get("converged") or time.monotonic() - started > 60 * options.minutes:
            continue
        done[key] = _barrier(case, model, shared, options)
        part = RESULTS.with_suffix(".part")
        part.write_text(json.dumps(done, indent=1))
        os.replace(part, RESULTS)
        PAGE.write_text(page(done))


def _key(case: Case) -> str:
    return f"{case.phase} {case.mechanism} {case.label}"


def found_in(phase: str) -> sites.Sites:
    """Sites of lithium in the primitive cell of LLZO (long enough by itself), else in the conventional one."""
    structure = phases.curated(phase).structure
    return sites.sites(structure.get_primitive_structure() if "LLZO" in phase else structure)


def move_of(case: Case, found: sites.Sites) -> moves.Move:
    return {move.label: move for move in moves.all_moves(found, (case.mechanism,), LIMIT)}[case.label]


def _barrier(case: Case, model, shared: dict, options) -> dict:
    found = found_in(case.phase)
    move = move_of(case, found)
    way = paths.path(move, found, LEAST)
    repeats = paths.supercell(found.structure.lattice.matrix, LEAST)
    known = shared.setdefault((case.phase, case.mechanism), ends.symmetric(found, repeats))
    settings = neb.Settings(images=options.images, fmax=options.fmax, steps=100)
    keep = options.bands / f"{case.name}_{options.calculator}_{options.images}.xyz"
    start = time.process_time()
    result = neb.neb(way, model, settings, keep=keep, ends=known, tell=lambda text: print(case.name, text, flush=True))
    return {
        "distance": move.distance, "atoms": len(way.initial), "forward": result.forward, "backward": result.backward,
        "energies": list(result.energies), "along": list(result.along), "converged": result.converged,
        "message": result.message, "force": result.forces_max, "cpu": time.process_time() - start,
        "images": options.images, "fmax": options.fmax, "source": calculators.describe(model),
        "ends": [found.names[move.places[0][0]], found.names[move.places[1][0]]],
    }  # fmt: skip


def literature() -> dict[str, dict]:
    """Rows of the file by name."""
    with (SHARED / "validation" / "migration_barriers.csv").open(encoding="utf-8-sig") as file:
        return {row["sys_name"]: row for row in csv.DictReader(file)}


def page(done: dict) -> str:
    known = literature()
    columns = "path, in the file, hop found, length [A], barrier [eV], from either end [eV], DFT [eV], MACE [eV]"
    head = f"| {columns}, CHGNet published [eV], atoms, note |".replace(", ", " | ")
    missing = [case.name for case in CASES if not np.isfinite(_height(done, case))]
    lines = [
        "# Migration barriers", "",
        head, "|" + "---|" * 11, *(_row(case, known[case.name], done) for case in CASES), "",
        "Mean absolute errors against DFT, in eV; MACE is the column MACE-RELAX of the file.", "",
        "| paths | done | here | MACE, the same paths | CHGNet published, the same paths | MACE, all |",
        "|" + "---|" * 6,
        _errors("LiCoO2, gamma-Li3PO4, LiTi2(PO4)3, tetragonal LLZO", CASES[:FIRST], done, known),
        _errors("all of the table", CASES, done, known), "",
        *_order(done, known),
        f"Not done: {', '.join(missing)}; to finish: the command below goes on." if missing else "All done.", "",
        _setting(done), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _height(done: dict, case: Case) -> float:
    """Saddle over the deeper end [eV], nan where it was not found."""
    result = done.get(_key(case))
    return max(result["forward"], result["backward"]) if result and result["converged"] else np.nan


def _errors(title: str, cases, done: dict, known: dict) -> str:
    dft = np.array([float(known[case.name]["MIGRATION BARRIER(eV)"]) for case in cases])
    mace = np.abs([float(known[case.name]["MACE-RELAX"]) for case in cases] - dft)
    ours = np.abs([_height(done, case) for case in cases] - dft)
    theirs = np.abs([np.nan if case.published is None else case.published for case in cases] - dft)
    have = np.isfinite(ours)
    same = [f"{np.nanmean(x[have]):.3f}" if have.any() else "" for x in (ours, mace, theirs)]
    return f"| {title} | {have.sum()} of {len(cases)} | **{same[0]}** | {same[1]} | {same[2]} | {mace.mean():.3f} |"


def _row(case: Case, row: dict, done: dict) -> str:
    result, found = done.get(_key(case)), found_in(case.phase)
    move = move_of(case, found)
    cells = [
        case.name, row["PATH INFO"], f"{case.phase} {case.mechanism} {case.label}", f"{move.distance:.3f}",
        f"{_height(done, case):.3f}".replace("nan", ""),
        f"{result['forward']:.3f}, {result['backward']:.3f}" if result else "",
        row["MIGRATION BARRIER(eV)"], row["MACE-RELAX"], "" if case.published is None else f"{case.published:.3f}",
        str(result["atoms"]) if result else "", result["message"] if result else "not done",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _order(done: dict, known: dict) -> list[str]:
    """Whether the model puts the divacancy of LiCoO2 below its monovacancy."""
    one, two = (done.get(_key(case)) for case in CASES[:2])
    if not (one and two and one["converged"] and two["converged"]):
        return []
    word = "below" if two["forward"] < one["forward"] else "ABOVE"
    dft = [float(known[case.name]["MIGRATION BARRIER(eV)"]) for case in CASES[:2]]
    return [
        f"LiCoO2: the divacancy hop ({two['forward']:.3f} eV) lies {word} the monovacancy ({one['forward']:.3f} eV); "
        f"DFT {dft[1]:.3f} and {dft[0]:.3f} eV.",
        "",
    ]


def _setting(done: dict) -> str:
    some = next(iter(done.values()), None)
    if some is None:
        return ""
    images = " or ".join(sorted({str(result["images"]) for result in done.values()}))
    cpu = sum(result["cpu"] for result in done.values())
    return (
        f"{some['source']}; measured cells, not relaxed; ends relaxed to 0.05 eV/A, the highest image climbing, "
        f"improved tangent, {images} images between the ends, band to {some['fmax']} eV/A, at least {LEAST:g} A "
        "between periodic copies. Barrier: saddle over the deeper end, as in the data set; g-Li3PO4_5 and b-Li3PO4_1 "
        "count from the shallower end in the file ('0.2 as 0'); the published CHGNet barriers are of images that did "
        f"not climb. {processor()}, {cpu / 60:.0f} CPU minutes, load {os.getloadavg()[0]:.1f}; {date.today()}. "
        f"`{COMMAND}`"
    )


if __name__ == "__main__":
    main()
