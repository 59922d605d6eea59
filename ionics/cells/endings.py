"""Why a run of a cell ended, in words: results of the stacks, and surfaces that ran full or empty."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int

from ionics.cells.balance import State
from ionics.cells.cell import Cell, Metal
from ionics.transport.newton import MESSAGES

SURFACE = 20  # the results from there on, two for each member of the electrodes: its surface is empty, is full
FULL = 1e-6  # of the sites of a surface, what is left where no time step is short enough


def narrowest(cell: Cell, state: State) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """The member whose surface is closest to full or empty, and whether it is full; -1 if none is."""
    left = []
    for electrode, inside in ((cell.negative, state.negative), (cell.positive, state.positive)):
        for member, own in zip(electrode.members, inside.filling, strict=True):
            surface = member.inside.surface(own)
            empty = jnp.inf if isinstance(member, Metal) else jnp.min(surface)
            left += [jnp.asarray(empty), 1 - jnp.max(surface)]
    left = jnp.stack(left)
    which = jnp.argmin(left)
    return jnp.where(left[which] < FULL, which // 2, -1), which % 2


def words(cell: Cell) -> tuple[str, ...]:
    """Of the results from SURFACE on."""
    found = []
    for electrode in (cell.negative, cell.positive):
        for member in electrode.members:
            for full in (False, True):
                what = f"the surface of {member.name} is {'full' if full else 'empty'}"
                what = f"voids cover the face of {member.name}" if isinstance(member, Metal) else what
                way = "falls" if full == (electrode is cell.positive) else "rises"
                found.append(f"{what}: the voltage {way} without end")
    return tuple(found)


def message(result: int, surfaces: tuple[str, ...]) -> str:
    """A result in words; surfaces: the `words` of the cell."""
    return MESSAGES[result] if result < SURFACE else surfaces[result - SURFACE]
