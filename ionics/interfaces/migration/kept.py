"""A band on disk: written whole after every step, read again to go on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
from ase import Atoms
from ase.io import read as read_atoms
from ase.io import write as write_atoms

from ionics.interfaces.errors import AtomsError

ENDS, BAND, CLIMB = "ends", "band", "climb"  # stages: ends still to relax, band to stretch, highest image climbing


@dataclass(frozen=True)
class Band:
    """Images as they stand and the energies [eV] of those that were calculated (nan else), shape (images,)."""

    images: tuple[Atoms, ...]
    energies: np.ndarray
    stage: str


def write(file: File | None, band: Band):
    """Atomically: the file holds this band or the one before, never half of one."""
    if file is None:
        return
    images = []
    for image, energy in zip(band.images, band.energies, strict=True):
        copy = image.copy()
        copy.calc = None
        copy.set_constraint()
        copy.info = {"stage": band.stage, "potential": float(energy)}
        images.append(copy)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    write_atoms(part, images, format="extxyz")
    os.replace(part, file)


def read(file: File) -> Band:
    """A band that `write` wrote."""
    try:
        images = read_atoms(file, index=":", format="extxyz")
        assert isinstance(images, list)
        energies = np.array([float(image.info["potential"]) for image in images])
        stage = str(images[0].info["stage"])
    except (KeyError, ValueError, IndexError, OSError) as error:
        raise AtomsError(f"{file} holds no band of images ({error})", "a file that a run of neb wrote") from error
    return Band(tuple(images), energies, stage)
