"""Atomistic interfaces: two crystals -> matched, searched, relaxed junctions -> numbers for a stack.

Inside this package lengths are in angstrom and energies in eV, as in ASE and pymatgen; `handoff` writes quantities with
units.
"""
