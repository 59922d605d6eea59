"""Run the validation tests, draw what each case compared, write the table: python docs/validation/draw.py [FOLDER]

FOLDER: where an earlier run with IONICS_VALIDATION=FOLDER recorded; the tests are then not run again.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.validation.record import CASES  # noqa: E402

COLOURS = ["#1b6ca8", "#c8553d", "#3b8b5d", "#8a5aa8", "#b8860b", "#4f6d7a", "#d08fa5", "#2b2b2b"]
FEW = 10  # points of a reference that are drawn as crosses
SMALLEST = 1e-17  # errors of zero are drawn there
INTRODUCTION = """# Validation

Every case of the reference collection, and further ones of the same kinds, as a test of `tests/validation` and as a
picture. Both come from the same lines: a test calls `compare`, which asserts and records.
`python docs/validation/draw.py` runs the tests, draws the pictures and writes this page.

The largest error is relative to the reference value, or, for quantities that vanish somewhere, to their scale (the
applied voltage, the total resistance). Where a case has several quantities it is the one closest to its tolerance.

A and B: closed forms and independent solutions, C: published ones, D: further closed forms and independent solutions.
C03, a grain boundary of Gd-doped CeO2, is not among them: it needs the segregation energies that pyscses publishes and
the collection does not hold. A07, A12, A15, A16 and A20 do not exist.

"""


def record(folder):
    """Run the validation tests with recording."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/validation", "-m", ""]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "IONICS_VALIDATION": folder}, check=False)
    if done.returncode:
        sys.exit("the validation tests did not pass: nothing is drawn")


def read(folder, case):
    """Comparisons and curves of one case; points that several tests gave to one curve are joined."""
    path = Path(folder) / f"{case}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    values = {line["quantity"]: line for line in lines if "quantity" in line}
    curves = {}
    for line in (line for line in lines if "curve" in line):
        before = curves.setdefault(line["curve"], line)
        if before is not line and "computed" in line:
            before["computed"] = [one + more for one, more in zip(before["computed"], line["computed"], strict=True)]
    return list(values.values()), list(curves.values())


def draw(case, values, curves):
    """Left the physics, right the errors."""
    height = max(3.2, 0.19 * len(values) + 1.1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, height), width_ratios=[1.15, 1], layout="constrained")
    for k, line in enumerate(curves):
        colour = COLOURS[k % len(COLOURS)]
        if "exact" in line:
            few = len(line["exact"][0]) <= FEW
            style = {"marker": "x", "linestyle": "", "ms": 8} if few else {"lw": 1.2}
            left.plot(*line["exact"], color=colour, alpha=0.75, **style)
        if "computed" in line:
            x, y = (np.asarray(v) for v in line["computed"])
            if "exact" in line and few and len(x) > FEW:  # the reference is points only
                left.plot(x, y, lw=0.8, alpha=0.6, color=colour)
            shown = thinned(x, y, line["scales"])
            left.plot(x[shown], y[shown], "o", ms=3.6, mfc="none", mew=1.0, color=colour)
        left.plot([], [], color=colour, label=line["curve"])
    if curves:
        left.set(xlabel=curves[0]["axes"][0], ylabel=curves[0]["axes"][1])
        left.set(xscale=curves[0]["scales"][0], yscale=curves[0]["scales"][1])
        if len(curves) > 1:
            left.legend(fontsize=7, frameon=False)
        left.set_title("circles: ionics, lines and crosses: reference", fontsize=8, loc="left")
    else:
        left.set_axis_off()
    errors(right, values)
    figure.suptitle(f"{case}  {CASES[case][0]}", fontsize=11, x=0.01, ha="left")
    figure.savefig(HERE / f"{case}.png", dpi=90)
    plt.close(figure)


def thinned(x, y, scales):
    """Few enough points to tell them apart: evenly spaced along the drawn curve."""
    if len(x) <= 45:
        return np.arange(len(x))
    length = np.zeros(len(x))
    for values, scale in ((x, scales[0]), (y, scales[1])):
        own = np.log(np.abs(values) + 1e-300) if scale == "log" else np.asarray(values, float)
        length[1:] += np.abs(np.diff(own)) / max(np.ptp(own), 1e-300)
    along = np.cumsum(length)
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], 40)).clip(0, len(x) - 1))


def errors(axes, values):
    """One row a quantity: its error, and its tolerance as a line."""
    rows = np.arange(len(values))[::-1]
    found = [max(line["error"], SMALLEST) for line in values]
    allowed = [line["tolerance"] for line in values]
    axes.hlines(rows, SMALLEST, found, color="#c9d6df", lw=3)
    axes.plot(found, rows, "o", ms=4, color=COLOURS[0], label="error")
    axes.vlines(allowed, rows - 0.4, rows + 0.4, color=COLOURS[1], lw=1.6, label="tolerance")
    axes.set(xscale="log", xlim=(SMALLEST / 2, 1), ylim=(-0.7, len(values) - 0.3), xlabel="relative error")
    axes.set_yticks(rows, [line["quantity"] for line in values], fontsize=7)
    axes.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    axes.legend(fontsize=7, frameon=False, loc="lower center", ncols=2, bbox_to_anchor=(0.5, 1.0), borderaxespad=0.1)
    axes.grid(axis="x", lw=0.3)


def row(case, values):
    """A line of the table."""
    what, source = (text.replace("|", "\\|") for text in CASES[case])
    worst = max(values, key=lambda line: line["error"] / line["tolerance"])
    return (
        f"| {case} | {what} | {source} | {worst['error']:.1e} ({worst['quantity']}) | {worst['tolerance']:.0e} |"
        f" [picture]({case}.png) |"
    )


def main():
    """Draw every case, write the page."""
    mpl.use("Agg")
    mpl.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    with tempfile.TemporaryDirectory() as own:
        folder = sys.argv[1] if len(sys.argv) > 1 else own
        if folder == own:
            record(folder)
        lines = [
            "| case | what | formula or source | largest error | tolerance | picture |",
            "|---|---|---|---|---|---|",
        ]
        pictures = []
        for case in CASES:
            values, curves = read(folder, case)
            if not values:
                print(f"{case}: nothing recorded")
                continue
            draw(case, values, curves)
            lines.append(row(case, values))
            pictures.append(f"![{case}: {CASES[case][0]}]({case}.png)")
    notes = (HERE / "notes.md").read_text() if (HERE / "notes.md").is_file() else ""
    page = INTRODUCTION + "\n\n".join(filter(None, ["\n".join(lines), notes.strip(), *pictures])) + "\n"
    (HERE / "README.md").write_text(page)


if __name__ == "__main__":
    main()
