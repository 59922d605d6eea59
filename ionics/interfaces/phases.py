"""Crystals to build interfaces from: the curated ones, a file, or any ASE or pymatgen object.

Every phase leaves here ordered, with oxidation states, neutral, without overlapping atoms and in the conventional cell
of the International Tables, so that Miller indices mean what papers mean by them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.ordering import Ordering, ordered

if TYPE_CHECKING:
    from ase import Atoms

CRYSTALS = Path(__file__).parent / "crystals"
SYMPREC = 0.01  # angstrom
OVERLAP = 0.6  # of the sum of covalent radii: P-O bonds stand at 0.88, the shortest of molecules (H2) at 1.2
NEUTRAL = 0.005  # e per atom: what rounded occupancies may leave


@dataclass(frozen=True)
class Elasticity:
    """Of an isotropic solid: the average of a polycrystal, good enough to share strain by stiffness."""

    youngs: float  # GPa
    poisson: float
    source: str


@dataclass(frozen=True)
class Phase:
    """A crystal: ordered, with oxidation states, in its conventional cell."""

    name: str
    structure: Structure
    source: str
    elasticity: Elasticity | None = None
    notes: tuple[str, ...] = ()

    @property
    def metal(self) -> bool:
        """Whether it is lithium metal."""
        return {site.specie.symbol for site in self.structure} == {"Li"}


def names() -> tuple[str, ...]:
    """Of all curated phases."""
    return tuple(sorted((path.stem for path in CRYSTALS.glob("*.cif")), key=str.lower))


def curated(name: str) -> Phase:
    """A curated phase, the caller's own copy. Raises AtomsError for an unknown name."""
    if name not in names():
        near = get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise AtomsError(f"no curated phase is called {name!r}", f"{hint}there are {', '.join(names())}")
    phase = _loaded(name)
    return replace(phase, structure=phase.structure.copy())


@cache
def _loaded(name: str) -> Phase:
    """A curated phase from its file."""
    text = (CRYSTALS / f"{name}.cif").read_text(encoding="utf-8")
    elasticity = Elasticity(
        float(_item(text, "_ionics_youngs_modulus_GPa")),
        float(_item(text, "_ionics_poisson_ratio")),
        _item(text, "_ionics_elasticity_source"),
    )
    notes = tuple(_item(text, "_publ_section_comment").splitlines())
    return Phase(name, _from_cif(text), _item(text, "_publ_section_references"), elasticity, notes)


def read(
    crystal: str | Path | Structure | Atoms,
    name: str | None = None,
    oxidation_states: Mapping[str, float] | None = None,
    order: Ordering | bool | None = None,
    elasticity: Elasticity | None = None,
) -> Phase:
    """A user's crystal: a file (CIF, POSCAR, anything ASE reads), a pymatgen Structure or ASE Atoms.

    `order` says how partial occupancies are ordered (True: in the conventional cell). Raises AtomsError for what cannot
    be read, for overlapping atoms, for a cell that is not neutral, for elements without oxidation state and for partial
    occupancies without `order`.
    """
    structure, source = _structure(crystal)
    label = name or structure.composition.reduced_formula
    notes: list[str] = []
    _no_overlap(structure, label)
    if not structure.is_ordered and not order:
        raise AtomsError(*_disordered(structure, label))
    structure = _decorated(structure, label, oxidation_states, notes)
    structure = conventional(structure, label, notes)
    _neutral(structure, label)
    if not structure.is_ordered:
        result = ordered(structure, order if isinstance(order, Ordering) else None)
        structure, notes = result.structure, [*notes, result.note]
    return Phase(label, structure, source, elasticity, tuple(notes))


def conventional(structure: Structure, label: str = "", notes: list[str] | None = None) -> Structure:
    """The conventional cell of the International Tables: what the Miller indices of papers refer to.

    A triclinic cell is kept as it is: it has no convention, and often it is an ordered cell in the axes of its parent.
    """
    analyser = SpacegroupAnalyzer(structure, symprec=SYMPREC)
    if analyser.get_crystal_system() == "triclinic":
        return structure
    standard = analyser.get_refined_structure()
    given, kept = structure.lattice.parameters, standard.lattice.parameters
    if notes is not None and (len(structure) != len(standard) or not np.allclose(given, kept, rtol=1e-3)):
        notes.append(
            f"the given cell of {len(structure)} sites was turned into the conventional one of space group "
            f"{analyser.get_space_group_symbol()} with {len(standard)} sites"
        )
    return standard


def _from_cif(text: str) -> Structure:
    """The structure of one of our files."""
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sites rounded to thirds
        return CifParser.from_str(text).parse_structures(primitive=False)[0]


def _item(text: str, key: str) -> str:
    """A data item of one of our files: on the line of its key, or between semicolons below it, its lines kept."""
    after = text.split(key, 1)[1]
    return after.split("\n;")[1].strip() if after.startswith("\n;") else after.split("\n", 1)[0].strip()


def _structure(crystal: str | Path | Structure | Atoms) -> tuple[Structure, str]:
    """Whatever was given as a Structure, and where it comes from."""
    from ase import Atoms
    from pymatgen.core import IStructure
    from pymatgen.io.ase import AseAtomsAdaptor

    if isinstance(crystal, IStructure):
        return Structure.from_sites(list(crystal)), "given as a pymatgen Structure"
    if isinstance(crystal, Atoms):
        if not crystal.pbc.all():
            raise AtomsError("the given Atoms are not periodic along all three axes", "a bulk crystal, pbc=True")
        return _with_charges(AseAtomsAdaptor.get_structure(crystal), crystal), "given as ASE Atoms"
    if not isinstance(crystal, str | Path):
        raise AtomsError(f"a {type(crystal).__name__} is no crystal", "a path, a pymatgen Structure or ASE Atoms")
    return _file(Path(crystal)), f"file {Path(crystal).name}"


def _with_charges(structure: Structure, atoms: Atoms) -> Structure:
    """Initial charges of ASE are taken as oxidation states where there are any."""
    if np.any(atoms.get_initial_charges()):
        structure.add_oxidation_state_by_site([float(charge) for charge in atoms.get_initial_charges()])
    return structure


def _file(path: Path) -> Structure:
    """A structure from a file of pymatgen's formats or of ASE's."""
    from ase.io import read as ase_read
    from pymatgen.io.ase import AseAtomsAdaptor

    if not path.is_file():
        raise AtomsError(f"there is no structure file {path}", "a CIF, a POSCAR or a file that ASE reads")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers warn about rounding and missing items; what matters is checked after
        try:
            return Structure.from_file(path)
        except Exception as first:
            try:
                return AseAtomsAdaptor.get_structure(ase_read(path))
            except Exception:
                raise AtomsError(
                    f"{path} cannot be read as a crystal ({_first_line(first)})",
                    "a CIF, a POSCAR or a file that ASE reads",
                ) from first


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _decorated(structure: Structure, label: str, given: Mapping[str, float] | None, notes: list[str]) -> Structure:
    """With oxidation states: those given, those of the structure, or guessed ones, in this order."""
    elements = sorted({element.symbol for element in structure.composition.element_composition})
    if given is not None:
        missing = [symbol for symbol in elements if symbol not in given]
        if missing:
            raise AtomsError(
                f"{label}: no oxidation state for {', '.join(missing)}", f"one for each of {', '.join(elements)}"
            )
        bare = structure.copy()
        bare.remove_oxidation_states()
        bare.add_oxidation_state_by_element({symbol: float(given[symbol]) for symbol in elements})
        return bare
    bare = {s.symbol for site in structure for s in site.species if getattr(s, "oxi_state", None) is None}
    if not bare:
        return structure
    if len(elements) == 1:
        structure.add_oxidation_state_by_element({elements[0]: 0.0})
        return structure
    return _guessed(structure, label, elements, sorted(bare), notes)


def _guessed(structure: Structure, label: str, elements: list[str], bare: list[str], notes: list[str]) -> Structure:
    """With the likeliest oxidation states of the composition."""
    whole = all(float(amount).is_integer() for amount in structure.composition.values())
    guesses = structure.composition.element_composition.oxi_state_guesses(max_sites=-50) if whole else ()
    if not guesses:
        raise AtomsError(
            f"{label}: no oxidation state for {', '.join(bare)}, and none that makes the cell neutral could be guessed",
            f"oxidation_states for {', '.join(elements)}",
        )
    guess = {symbol: float(guesses[0][symbol]) for symbol in elements}
    structure.remove_oxidation_states()
    structure.add_oxidation_state_by_element(guess)
    notes.append("oxidation states guessed from the composition: " + _spelled(guess))
    return structure


def _spelled(states: Mapping[str, float]) -> str:
    return ", ".join(f"{symbol} {state:+.3g}" for symbol, state in sorted(states.items()))


def _neutral(structure: Structure, label: str) -> None:
    """Raise AtomsError if the oxidation states do not cancel."""
    total, states = 0.0, {}
    for site in structure:
        for species, part in site.species.items():
            total += part * float(species.oxi_state)
            states[species.symbol] = float(species.oxi_state)
    if abs(total) > NEUTRAL * len(structure):
        units = structure.composition.get_reduced_formula_and_factor()[1]
        raise AtomsError(
            f"{label}: the oxidation states ({_spelled(states)}) add up to {total:+.3g} e per cell, "
            f"{total / units:+.3g} per formula unit",
            "states (and occupancies) that add up to 0",
        )


def _no_overlap(structure: Structure, label: str) -> None:
    """Raise AtomsError if two fully occupied sites stand nearer than any bond."""
    from ase.data import covalent_radii

    full = [i for i, site in enumerate(structure) if site.species.num_atoms > 0.999]
    radii = np.array([max(covalent_radii[s.Z] for s in structure[i].species) for i in full])
    distance = structure.lattice.get_all_distances(structure.frac_coords[full], structure.frac_coords[full])
    ratio = distance / (radii[:, None] + radii[None])
    np.fill_diagonal(ratio, np.inf)
    if ratio.size and ratio.min() < OVERLAP:
        i, j = (full[k] for k in np.unravel_index(ratio.argmin(), ratio.shape))
        pair = " and ".join(f"{structure[k].species_string} at {_position(structure[k])}" for k in (i, j))
        raise AtomsError(
            f"{label}: {pair} are {structure.get_distance(i, j):.3f} angstrom apart and overlap",
            "a cell whose atoms stand no nearer than bonds",
        )


def _position(site) -> str:
    return "(" + ", ".join(f"{x:.3f}" for x in site.frac_coords) + ")"


def _disordered(structure: Structure, label: str) -> tuple[str, str]:
    """What is wrong with a disordered crystal and what would be right."""
    kinds: dict[str, list] = {}
    for site in structure:
        if not site.is_ordered:
            kinds.setdefault(site.species_string, []).append(site)
    listed = "; ".join(f"{len(sites)} x {kind} such as {_position(sites[0])}" for kind, sites in kinds.items())
    return (
        f"{label} has partly occupied sites: {listed}",
        "say how to order them: order: true, or order with a supercell such as [1, 1, 1]",
    )
