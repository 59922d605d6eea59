"""An interface as text (extended XYZ) and back: what files of results keep."""

from __future__ import annotations

import io

from ase import Atoms
from ase.io import read, write

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface

KEYS = ("left", "right", "plane")


def text(interface: Interface) -> str:
    """Positions, cell, tags, oxidation states, and in the comment line the names of the phases and the plane."""
    atoms = interface.atoms.copy()
    atoms.calc = None
    atoms.set_constraint()
    atoms.info |= {key: getattr(interface, key) for key in KEYS}
    out = io.StringIO()
    write(out, atoms, format="extxyz")
    return out.getvalue()


def interface(extxyz: str) -> Interface:
    """What `text` wrote. Raises AtomsError where the comment line names no phases."""
    atoms = read(io.StringIO(extxyz), index=0, format="extxyz")
    assert isinstance(atoms, Atoms)
    missing = [key for key in KEYS if key not in atoms.info]
    if missing:
        raise AtomsError(f"no {missing[0]} in the comment line", "a file that ionics wrote")
    left, right, plane = (atoms.info.pop(key) for key in KEYS)
    return Interface(atoms, str(left), str(right), float(plane))
