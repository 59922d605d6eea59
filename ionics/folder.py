"""A folder of results that is either whole or not there."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

DRAWN = "nyquist bode parts profiles protocol voltage sweep thermal losses junctions moments fit correlation arrhenius"
DRAWN += " contributions consistency relaxation_times likelihoods corner spectra series design choice"
DRAWN += " electrodes records limits capacity_rate influence"
DRAWN += " candidates structure search registry paths defects gamma reactions"
OWN_FILES = re.compile(
    rf"result\.nc|config\.yaml|report\.html|stack\.yaml|interface\.extxyz|search\.db|fitted(-.*)?\.yaml|({'|'.join(DRAWN.split())})(-.*)?\.png"
)


def check_folder(folder: Path) -> None:
    """Raise FileExistsError unless the folder is missing, empty, or holds nothing but an earlier result."""
    if folder.is_dir():
        foreign = sorted(entry.name for entry in folder.iterdir() if not OWN_FILES.fullmatch(entry.name))
        if foreign:
            raise FileExistsError(
                f"{folder}: holds {foreign[0]}, which is no part of an ionics result; "
                "give another folder with --out, or move that file"
            )
    elif folder.exists():
        raise FileExistsError(f"{folder}: is a file; give a folder with --out")


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place at the end, or vanishes if anything goes wrong."""
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield new
        new.chmod(0o755)
        _swap(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one, which stays until the new one is there."""
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    try:
        folder.rename(old / "before")
        try:
            new.rename(folder)
        except OSError:
            (old / "before").rename(folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
