"""Small crystals for tests of energies, as ASE atoms with oxidation states; where from: ATOMS reference values."""

from ase import Atoms
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

STATES = {"Li": 1, "Co": 3, "Ti": 4, "P": 5, "C": 4, "Zr": 4, "La": 3, "O": -2, "F": -1, "S": -2}


def crystal(group, lattice, species, places) -> Atoms:
    structure = Structure.from_spacegroup(group, lattice, species, places).get_primitive_structure()
    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.set_initial_charges([STATES[symbol] for symbol in atoms.get_chemical_symbols()])
    return Atoms(atoms)


def lithium_cobalt_oxide() -> Atoms:
    return crystal(
        "R-3m", Lattice.hexagonal(2.816, 14.054), ["Li", "Co", "O"], [(0, 0, 0), (0, 0, 0.5), (0, 0, 0.2396)]
    )


def lithium_phosphate() -> Atoms:
    places = [
        (0.1639, 0.5013, 0.3013),
        (0.4237, 0.75, 0.2057),
        (0.4115, 0.25, 0.3082),
        (0.3417, 0.0434, 0.2058),
        (0.0501, 0.25, 0.2937),
        (0.0892, 0.75, 0.1223),
    ]
    return crystal("Pnma", Lattice.orthorhombic(10.490, 6.120, 4.9266), ["Li", "Li", "P", "O", "O", "O"], places)


def lithium_titanium_phosphate() -> Atoms:
    places = [(0, 0, 0), (0, 0, 0.1411), (0.2902, 0, 0.25), (0.1855, 0.9940, 0.1904), (0.1892, 0.1654, 0.0816)]
    return crystal("R-3c", Lattice.hexagonal(8.512, 20.858), ["Li", "Ti", "P", "O", "O"], places)


def lithium_oxide() -> Atoms:
    return crystal("Fm-3m", Lattice.cubic(4.619), ["Li", "O"], [(0.25, 0.25, 0.25), (0, 0, 0)])


def lithium_fluoride() -> Atoms:
    return crystal("Fm-3m", Lattice.cubic(4.026), ["Li", "F"], [(0.5, 0.5, 0.5), (0, 0, 0)])


def lithium_carbonate() -> Atoms:
    places = [(0.1965, 0.4492, 0.8344), (0, 0.0657, 0.25), (0, 0.3216, 0.25), (0.1459, -0.0659, 0.3127)]
    return crystal("C2/c", Lattice.monoclinic(8.359, 4.973, 6.198, 114.83), ["Li", "C", "O", "O"], places)
