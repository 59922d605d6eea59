"""Search of an interface: registry, gap, strain, and the atoms near the plane; every visited structure is kept.

The door is `searching.search`; `history` reads what a database holds, `registry_map` has
the energy over lateral shifts.
"""
