"""The command line: load, call, save. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Solid-state battery interfaces: stacks of mixed conductors, their impedance, and fits of measured spectra.",
    epilog="Exit status: 0 done; 1 no solution was found; 2 something is wrong with what was given.",
)

OUT_HELP = (
    "Folder for the results. It appears when everything is written. An earlier result there is replaced; "
    "a folder that holds other files is refused."
)
File = Annotated[Path, typer.Argument(help="Configuration (YAML).", show_default=False)]
Out = Annotated[Path | None, typer.Option("--out", "-o", help=OUT_HELP, show_default="results/<name of FILE>")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override, e.g. --set stack.layers.electrolyte.nodes=321"),
]


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from ionics import __version__

        typer.echo(f"ionics {__version__}")
        raise typer.Exit


@app.command()
def run(file: File, out: Out = None, overrides: Set = None) -> None:
    """Solve the stack in FILE: equilibrium, steady state or a protocol in time, and its impedance.

    Writes DIR/result.nc, config.yaml (resolved), PNG figures and report.html.
    """
    with _failures(), _progress() as tell:
        folder = _folder(out, file.stem)
        study = _load(file, overrides, tell)
        result = study.run(tell)
        _write(result, folder, tell)
    _say(result, folder)
    if not result.attrs.get("complete", 1):
        raise typer.Exit(1)


@app.command()
def fit(
    file: File,
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="Spectrum, folder or pattern; instead of fit.data in FILE.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=OUT_HELP, show_default="results/<name of FILE>-fit")
    ] = None,
    overrides: Set = None,
) -> None:
    """Fit the circuit or the stack in FILE to measured spectra.

    Writes DIR/result.nc, config.yaml (resolved), PNG figures and report.html.
    """
    with _failures(), _progress() as tell:
        folder = _folder(out, f"{file.stem}-fit")
        study = _load(file, overrides, tell)
        result = study.fit(data, tell)
        _write(result, folder, tell)
    _say(result, folder)


@app.command()
def design(file: File, out: Out = None, overrides: Set = None) -> None:
    """Before measuring: which frequencies, or records of a cell, determine the free parameters of the fit in FILE best.

    Writes DIR/result.nc, config.yaml (resolved), a PNG figure and report.html.
    """
    with _failures(), _progress() as tell:
        folder = _folder(out, f"{file.stem}-design")
        result = _load(file, overrides, tell).design(tell)
        _write(result, folder, tell)
    _say(result, folder)


@app.command()
def interface(file: File, out: Out = None, overrides: Set = None) -> None:
    """From the two crystals in FILE to their junction: match, search, relax, barriers, and the stack they hand over.

    Writes DIR/result.nc, stack.yaml (for `ionics run`), interface.extxyz, search.db, PNG figures and report.html. What
    is done is kept in DIR.work: after an interruption the same command goes on.
    """
    with _failures(), _progress() as tell:
        folder = _folder(out, file.stem)
        study = _load(file, overrides, tell)
        try:
            result = study.interface(folder.with_name(f"{folder.name}.work"), tell)
        except KeyboardInterrupt:
            kept = folder.with_name(f"{folder.name}.work")
            typer.echo(f"Interrupted; what is done is kept in {kept}, and the same command goes on.", err=True)
            raise typer.Exit(130) from None
        _write(result, folder, tell)
    _say(result, folder)


@app.command()
def compare(
    results: Annotated[
        list[Path], typer.Argument(help="Folders of fits of the same data (or result.nc).", show_default=False)
    ],
) -> None:
    """Which model do the data want? Compare fits of the same data by information criteria."""
    with _failures():
        from ionics.comparison import compare as table
        from ionics.report import open_result

        names = [path.parent.name if path.name == "result.nc" else path.name for path in results]
        if len(set(names)) < len(names):
            names = [str(path) for path in results]
        found = table({name: open_result(path) for name, path in zip(names, results, strict=True)})
        _print(_comparison_table(found))
        typer.echo(found.attrs["message"] + ".")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Configurations (YAML).", show_default=False)],
    overrides: Set = None,
) -> None:
    """Check configurations without solving: show what would be computed, or every mistake with its line."""
    status = 0
    for file in files:
        try:
            with _failures():
                study = _load(file, overrides, lambda text: None)
                heading = f"{file}: {study.config.title}" if study.config.title else str(file)
                typer.echo(f"{heading}\n{study.check()}\n")
        except typer.Exit as stop:
            status = max(status, stop.exit_code)
    raise typer.Exit(status)


@app.command()
def materials(
    name: Annotated[str | None, typer.Argument(help="Show every number of this one.", show_default=False)] = None,
) -> None:
    """List the material library, or every number of one material with its source."""
    with _failures():
        from ionics.config import materials as library

        _print(_library_table(library) if name is None else _numbers_table(library, name))


@app.command()
def plot(
    result: Annotated[Path, typer.Argument(help="result.nc, or the folder it is in.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the pictures.", show_default="where RESULT is")
    ] = None,
) -> None:
    """Draw the figures and the report of RESULT again."""
    with _failures(), _progress() as tell:
        tell("reading the result")
        from ionics.report import open_result, redraw

        found = open_result(result)
        tell("drawing")
        folder = out or (result if result.is_dir() else result.parent)
        paths = redraw(found, folder)
    for path in paths:
        typer.echo(path)


def main() -> None:
    """Entry point of the command `ionics`."""
    app(prog_name="ionics")


# ---- what every command shares


def _load(file: Path, overrides: list[str] | None, tell: Callable[[str], None]):
    tell("reading the configuration")
    _settings()
    from ionics.config import read

    config = read(file, overrides or ())
    tell("starting")
    from ionics.config.study import Study

    return Study(config)


def _folder(out: Path | None, name: str) -> Path:
    """Where to write; refused before any work is done."""
    from ionics.folder import check_folder

    folder = out or Path("results") / name
    check_folder(folder)
    return folder


def _write(result, folder: Path, tell: Callable[[str], None]) -> None:
    from ionics.report import write_result

    write_result(result, folder, tell)


def _say(result, folder: Path) -> None:
    from ionics.summary import verdict

    for sentence in verdict(result):
        typer.echo(sentence)
    if warnings := json.loads(result.attrs["warnings"]):
        typer.echo(f"{len(warnings)} points to be careful about are in the report; `ionics check` shows them too.")
    typer.echo(f"Written to {folder}: open {folder / 'report.html'}")


def _settings() -> None:
    """float64, and compiled code kept between runs where the user's cache folder is writable."""
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        with contextlib.suppress(OSError):
            folder = _user_cache() / "ionics" / "compiled"
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Errors that a user can mend become one message and an exit status; anything else is a bug and keeps its trace."""
    try:
        yield
    except Exception as error:
        status = _status(error)
        if status is None:
            raise
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
        typer.echo(said, err=True)
        raise typer.Exit(status) from None


def _status(error: Exception) -> int | None:
    from ionics.config.errors import ConfigError

    if isinstance(error, ConfigError | OSError):
        return 2
    from ionics.comparison import NotComparable
    from ionics.fitting.leastsquares import FitError
    from ionics.fitting.spectrum import DataError
    from ionics.transport.equilibrium import NotConverged

    if isinstance(error, DataError | NotComparable):
        return 2
    return 1 if isinstance(error, NotConverged | FitError) else None


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr: a line that changes on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: typer.echo(f"... {text}", err=True)
        return
    from rich.console import Console

    with Console(stderr=True).status("...") as status:
        yield lambda text: status.update(text)


def _print(table) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def _comparison_table(found):
    from rich.table import Table

    table = Table("model", "parameters", "relative RMSE", "AICc above", "BIC above", "weight", box=None, pad_edge=False)
    for name in found.model.values:
        own = found.sel(model=name)
        rmse, weight = f"{100 * float(own.relative_rmse):.3g} %", f"{float(own.weight):.3g}"
        above = [f"{float(own[key]):.4g}" for key in ("delta_aicc", "delta_bic")]
        table.add_row(str(name), str(int(own.parameters)), rmse, *above, weight)
    return table


def _library_table(library):
    from rich.table import Table

    table = Table("material", "formula", "role", "stands for", box=None, pad_edge=False)
    for material in library.materials():
        about = (material.about or "").split(". ")[0].rstrip(".")
        table.add_row(material.name, material.formula, material.role, about)
    return table


def _numbers_table(library, name: str):
    from rich.table import Table

    table = Table("number", "value", "at", "source", "confidence", title=name, title_justify="left", show_lines=True)
    for entry in library.numbers(name):
        energy = f" (Ea {entry.activation_energy})" if entry.activation_energy else ""
        table.add_row(entry.key, entry.value + energy, entry.temperature, entry.source, entry.confidence)
    return table
