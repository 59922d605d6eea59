"""The shape of the tree: who may import whom, what lives in one place, and what is not imported until needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "ionics"

LOWER = {  # part -> the parts it may import, itself included
    "constants": set(),
    "quantity": set(),
    "folder": set(),
    "laws": {"constants"},
    "kinetics": {"constants", "laws", "kinetics"},
    "transport": {"constants", "laws", "kinetics", "transport"},
    "cells": {"constants", "laws", "kinetics", "transport", "cells"},
    "fitting": {"constants", "laws", "kinetics", "transport", "cells", "fitting"},
    "packing": set(),
    "results": {"constants", "transport", "fitting", "packing", "quantity"},
    "fit_results": {"constants", "results"},
    "comparison": {"results", "fit_results", "fitting"},
    "timeline": {"constants", "transport", "results", "quantity"},
    "cell_timeline": {"constants", "transport", "cells", "results", "timeline"},
    "cell_fit_results": {"results", "fit_results"},
    "summary": {"constants", "results", "quantity"},
    "intervals": {"results", "summary"},
    "plots": {"constants", "results", "fit_results", "summary", "quantity", "plots"},
    "report": {"constants", "results", "fit_results", "summary", "plots", "folder", "quantity"},
    "interfaces": {"constants", "interfaces"},
    "interface_results": {"results", "interfaces"},
    "patterns": {"constants", "patterns"},
    "config": {
        "constants", "laws", "kinetics", "transport", "fitting", "results", "fit_results", "summary", "plots", "report",
        "config", "intervals", "timeline", "cell_timeline", "cell_fit_results", "cells", "quantity",
        "interfaces", "interface_results",
    },
    "cli": {"config", "report", "summary", "comparison", "folder", "quantity", "fitting", "transport"},
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip

ONLY_IN = {  # outside package -> where it may be imported
    "pint": {"config"},
    "ruamel": {"config"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "typer": {"cli"},
    "rich": {"cli"},
    "matplotlib": {"plots"},
    "xarray": {
        "results", "fit_results", "comparison", "timeline", "cell_timeline", "cell_fit_results", "summary", "plots",
        "report", "intervals",
        "config.study", "config.fits", "config.stages", "interface_results",
        "config.interface_course", "config.interface_lithium", "config.interface_bulk", "config.interface_energies",
        "config.interface_handover",
        "config.designs", "config.cell_course", "config.cell_fits", "config.rate_fits", "packing",
        "fitting.spectrum", "fitting.files.cycling", "fitting.datasets", "fitting.design.plan", "fitting.design.choice",
        "fitting.rates.capacity_rate", "fitting.rates.datasets", "fitting.rates.fitted", "patterns",
    },
    "ase": {"interfaces"},
    "pymatgen": {"interfaces"},
}  # fmt: skip


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path, inside_functions: bool = True) -> set[str]:
    """Dotted names that a file imports; those of `from ionics import x` as ionics.x."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    if not inside_functions:
        outer = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) or _type_checking(n)]
        skipped = {id(inner) for node in outer for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            package = node.module in ("ionics", "ionics.config")
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if package else {node.module}
    return found


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", files(), ids=module)
def test_no_file_imports_upwards(path):
    known = LOWER[part(path)]
    own = {name.split(".")[1] for name in imports(path) if name.startswith("ionics.")}
    own.discard("__version__")
    assert own <= known, f"{module(path)} imports {sorted(own - known)}"


@pytest.mark.parametrize("path", files(), ids=module)
def test_outside_packages_live_in_one_place(path):
    for name in {name.split(".")[0] for name in imports(path)} & ONLY_IN.keys():
        places = ONLY_IN[name]
        assert part(path) in places or module(path) in places, f"{module(path)} imports {name}"


@pytest.mark.parametrize("path", [p for p in files() if part(p) != "interfaces"], ids=module)
def test_the_table_knows_every_part_and_no_module_imports_matplotlib_before_it_draws(path):
    assert part(path) in LOWER
    eager = {name.split(".")[0] for name in imports(path, inside_functions=False)}
    assert "matplotlib" not in eager


def test_no_two_modules_import_each_other_on_import():
    eager = {
        f"ionics.{module(p)}".removesuffix(".__init__"): imports(p, inside_functions=False) & _names() for p in files()
    }
    done: set[str] = set()
    while left := {name for name, needs in eager.items() if name not in done and needs <= done | {name}}:
        done |= left
    assert done == set(eager), f"in a cycle: {sorted(set(eager) - done)}"


def _names() -> set[str]:
    return {f"ionics.{module(p)}".removesuffix(".__init__") for p in files()}


HEAVY = ("jax", "xarray", "matplotlib", "scipy", "pandas", "pint", "pydantic", "numpy")


@pytest.mark.parametrize(
    "code",
    [
        "import ionics",
        "import ionics.cli",
        "import ionics.cli, contextlib, typer.testing as t; "
        "assert t.CliRunner().invoke(ionics.cli.app, ['--help']).exit_code == 0",
    ],
    ids=["package", "cli", "help"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    asked = f"{code}; import sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]"


def test_public_names_are_found_and_wrong_ones_are_named():
    import ionics

    assert callable(ionics.load)
    assert set(dir(ionics)) >= {"load", "open_result", "read_spectrum"}
    with pytest.raises(AttributeError, match="'lode'"):
        _ = ionics.lode
