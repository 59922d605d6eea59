"""Equilibrium: every electrochemical potential flat where its carrier can move, and Gauss' law. Nothing else."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.kinetics.rates import Blocked
from ionics.transport.balance import Current, State, flows, node_ranges, outflow, spacings
from ionics.transport.freedom import Freedom, Inventory, Term, analyse, bulk_row, frozen, places, reaction_row
from ionics.transport.linear import Layout
from ionics.transport.newton import MESSAGES, NO_EQUILIBRIUM, OK, Solution, newton
from ionics.transport.stack import Stack, bulk_potential, bulk_unknown
from ionics.transport.statistics import Lattice

Scalar = Float[Array, ""]
Occupancies = dict[tuple[str, str], float]
CONTRADICTION = 1e-6  # RT


class NotConverged(RuntimeError):
    """A question without an answer, in words."""


def equilibrium(
    stack: Stack,
    *,
    voltage: Float[Array, ""] | float | None = None,
    occupancy: Occupancies | None = None,
    throw: bool = True,
) -> Solution:
    """The equilibrium state of a stack.

    voltage [V]: terminal voltage where the contacts leave it open (default: they decide, else 0).
    occupancy: (layer name, species name) -> mean occupancy held there, the state of charge. Amounts that nothing
    else fixes are those of the layers' own bulk occupancies; `pinned` says which.
    Raises Overdetermined if more is stated than can be chosen, NotConverged (unless throw=False).
    """
    occupancy = occupancy or {}
    layers = [layer.name for layer in stack.layers]
    held = tuple((layers.index(layer), species) for layer, species in occupancy)
    freedom = analyse(stack, voltage=voltage is not None, occupancies=held)
    values = jnp.asarray([*occupancy.values()], float)
    volts = jnp.asarray(0.0 if voltage is None else voltage, float)
    solution = _equilibrium(stack, freedom, volts, values)
    return checked(solution, throw)


def checked(solution: Solution, throw: bool) -> Solution:
    """Raise in words where the result is a plain number; under a transformation the code stays beside the value."""
    if throw and not isinstance(solution.result, Tracer) and int(solution.result) != 0:
        raise NotConverged(f"{MESSAGES[int(solution.result)]} (after {int(solution.steps)} steps)")
    return solution


@eqx.filter_jit
def _equilibrium(stack: Stack, freedom: Freedom, volts, values) -> Solution:
    layout = Layout(stack)
    start, constants = guess(stack, freedom, volts, values)
    parameters = (stack, volts, values)

    def rows(given, state, p):
        return flat_rows(given[0], freedom, state, p)

    def conditions(given, state, p):
        return _conditions(*given, freedom, state, p)

    def resting(given, state):
        # what keeps potentials from running away before the carriers that screen them are in place
        still = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(lambda s: s.phi, still, _screening(given[0]) * state.phi / given[0].thermal_voltage)

    state, p, result, steps, size = newton(
        rows,
        conditions,
        layout,
        jax.lax.stop_gradient(stack.thermal_voltage),
        start,
        constants,
        parameters,
        stored=resting,
        first=0.01,
    )
    result = jnp.where((result == OK) & (_contradiction(stack, freedom, p) > CONTRADICTION), NO_EQUILIBRIUM, result)
    return Solution(state, result, steps, size, tuple(sentences(stack, freedom, len(values))))


def _screening(stack: Stack) -> Float[Array, " node"]:
    """F sum |z| c in the cell of each node at the bulk occupancies [C m-2]."""
    parts = []
    for layer in stack.layers:
        _, volume = spacings(layer)
        density = sum((abs(c.species.charge) * c.sites * c.occupancy for c in layer.material.carriers), jnp.zeros(()))
        parts.append(FARADAY * density * volume)
    return jnp.concatenate(parts)


def flat_rows(stack: Stack, freedom: Freedom, state: State, p: Float[Array, " constant"]) -> State:
    """The balance with each carrier's rows replaced by eta = its region's constant (in RT), nothing passing."""
    flowing = flows(stack, state)
    rows = still(stack, outflow(stack, state, Current(0.0), flowing), state, None, flowing)
    u, surface = rows.u, rows.surface
    layers, junctions = flowing
    ranges, thermal = node_ranges(stack), GAS * stack.temperature
    for n, region in enumerate(freedom.regions):
        for i in region.layers:
            carriers = [c.species.name for c in stack.layers[i].material.carriers]
            eta = layers[i].electrochemical[carriers.index(region.species)]
            u = u.at[stack.index(region.species), ranges[i]].set(eta / thermal - p[n])
        if region.junction is not None:
            j, slot = region.junction, slot_of(stack, region.junction, region.species)
            surface = surface.at[slot, j].set(junctions[j].stress[slot] / thermal - p[n])
    return State(
        u,
        rows.phi,
        state.rate,
        surface,
        rows.displacement,
        state.voltage / stack.thermal_voltage - p[-1],
        state.current,
    )


def still(stack: Stack, rows: State, state: State, reference: State | None, flowing) -> State:
    """Rows of what neither moves nor reacts at rest: it stays as in the reference (None: as the stack was made).

    Immobile carriers without reactions, the thickness of films, interface states that nothing fills.
    """
    u, surface = rows.u, rows.surface
    made = resting_surface(stack) if reference is None else reference.surface
    for i, (layer, nodes) in enumerate(zip(stack.layers, node_ranges(stack), strict=True)):
        for k, carrier in enumerate(layer.material.carriers):
            if frozen(layer.material, carrier.species.name):
                row = stack.index(carrier.species.name)
                own = flowing[0][i].filling[k].log_occupancy
                if reference is None:
                    kept = jnp.log(carrier.occupancy)
                else:
                    kept = flows(stack, reference)[0][i].filling[k].log_occupancy
                u = u.at[row, nodes].set(own - kept)
    for j, junction in enumerate(stack.junctions):
        slots = [*range(junction.film.slots)]
        reacting = [name for r in junction.reactions for name, _ in (*r.left, *r.right)]
        slots += [slot_of(stack, j, kept.name) for kept in junction.states if kept.name not in reacting]
        for slot in slots:
            surface = surface.at[slot, j].set(state.surface[slot, j] - made[slot, j])
    return eqx.tree_at(lambda s: (s.u, s.surface), rows, (u, surface))


def resting_surface(stack: Stack) -> Float[Array, "slot junction"]:
    """Unknowns of what the junctions store, as the stack was made: films as thick as stated, states half full."""
    slots = Layout(stack).slots
    columns = [jnp.pad(j.film.start(), (0, slots - j.film.slots)) for j in stack.junctions]
    return jnp.stack(columns, axis=1) if slots else jnp.zeros((0, len(stack.junctions)))


def slot_of(stack: Stack, j: int, name: str) -> int:
    """Which slot of junction j holds an interface state."""
    return stack.junctions[j].film.slots + [kept.name for kept in stack.junctions[j].states].index(name)


def held_amounts(stack: Stack, freedom: Freedom, state: State) -> list[tuple[Scalar, Scalar]]:
    """Of each inventory: what its sum adds and what it takes off [mol m-2], both positive."""
    layers, junctions = flows(stack, state)

    def content(i, name):
        names = [c.species.name for c in stack.layers[i].material.carriers]
        return jnp.sum(layers[i].content[names.index(name)])

    def stored(j, name):
        return junctions[j].held[slot_of(stack, j, name)]

    return [_sums(held, content, stored) for held in freedom.inventories]


def own_amounts(stack: Stack, freedom: Freedom, values) -> list[tuple[Scalar, Scalar]]:
    """The same where the first inventories have the mean occupancies `values`, the others the layers' own."""

    def amount(i, name, occupancy=None):
        carrier, layer = stack.layers[i].material.carrier(name), stack.layers[i]
        return (carrier.occupancy if occupancy is None else occupancy) * carrier.sites * layer.thickness

    def stored(j, name):
        return stack.junctions[j].states[slot_of(stack, j, name) - stack.junctions[j].film.slots].stored(jnp.zeros(()))

    nothing = jnp.zeros(())
    given = [(amount(h.layers[0], h.species, v), nothing) for h, v in zip(freedom.inventories, values, strict=False)]
    return given + [_sums(held, amount, stored) for held in freedom.inventories[len(given) :]]


def _sums(held: Inventory, content, stored) -> tuple[Scalar, Scalar]:
    added = taken = jnp.zeros(())
    for term in held.terms:
        if term.junction is None:
            own = sum(content(i, term.species) for i in term.layers)
        else:
            own = stored(term.junction, term.species)
        added, taken = (added + term.weight * own, taken) if term.weight > 0 else (added, taken - term.weight * own)
    return added, taken


def inventory_rows(stack: Stack, freedom: Freedom, state: State, wanted) -> list[Scalar]:
    """Departure of each held sum from the wanted one, as a logarithm: electrochemical potentials follow that.

    Of one carrier on a lattice: of filled over other sites.
    """
    rows = []
    for held, now, own in zip(freedom.inventories, held_amounts(stack, freedom, state), wanted, strict=True):
        (added, taken), sum_wanted = now, own[0] - own[1]
        # added - taken = wanted, with positive numbers on both sides
        rows.append(jnp.log((added + jax.nn.relu(-sum_wanted)) / (taken + jax.nn.relu(sum_wanted))))
        term = held.terms[0]
        carriers = [stack.layers[i].material.carrier(term.species) for i in term.layers]
        if len(held.terms) == 1 and carriers and all(isinstance(c.statistics, Lattice) for c in carriers):
            room = sum(c.sites * stack.layers[i].thickness for c, i in zip(carriers, term.layers, strict=True))
            rows[-1] = rows[-1] - jnp.log(_empty(stack, term, state) / (room - sum_wanted))
    return rows


def _empty(stack: Stack, term: Term, state: State) -> Scalar:
    """Sites that a carrier leaves [mol m-2], with their digits when few are left."""
    total = jnp.zeros(())
    layers, _ = flows(stack, state)
    for i in term.layers:
        material, filling = stack.layers[i].material, layers[i].filling
        names = [c.species.name for c in material.carriers]
        k = names.index(term.species)
        others = [filling[names.index(c.species.name)].occupancy for c in material.beside(material.carriers[k])]
        _, volume = spacings(stack.layers[i])
        total = total + material.carriers[k].sites * jnp.sum((filling[k].vacancy + sum(others, 0.0)) * volume)
    return total


def _ties(stack: Stack, freedom: Freedom, bulk, reactions) -> list[tuple[Float[np.ndarray, " constant"], Scalar]]:
    """Of reactions in the bulk, (layer, reaction), then at junctions: row and level, affinity/RT = level + row @ p."""
    found, thermal = freedom.regions, GAS * stack.temperature
    where = places(found)
    ties = []
    for i, m in bulk:
        level = stack.layers[i].material.reactions[m].level
        ties.append((bulk_row(stack, found, where, i, m), level / thermal))
    for j, m in reactions:
        level = stack.junctions[j].reactions[m].level
        ties.append((reaction_row(stack, found, where, j, m), level / thermal))
    return ties


def _contradiction(stack: Stack, freedom: Freedom, p) -> Scalar:
    """Largest affinity [RT] of the reactions that the others leave no choice."""
    bulk = [
        (i, m)
        for i, layer in enumerate(stack.layers)
        for m, reaction in enumerate(layer.material.reactions)
        if (i, m) not in freedom.bulk and reaction.law.detailed_balance
    ]
    reactions = [
        (j, m)
        for j, junction in enumerate(stack.junctions)
        for m, reaction in enumerate(junction.reactions)
        if (j, m) not in freedom.reactions and not isinstance(reaction.law, Blocked)
    ]
    affinities = [jnp.abs(level + row @ p) for row, level in _ties(stack, freedom, bulk, reactions)]
    return jnp.max(jnp.stack([jnp.zeros(()), *affinities]))


def _conditions(stack, volts, values, freedom: Freedom, state: State, p):
    rows = [level + row @ p for row, level in _ties(stack, freedom, freedom.bulk, freedom.reactions)]
    if freedom.voltage:
        rows.append(p[-1] - volts / stack.thermal_voltage)
    return jnp.stack(rows + inventory_rows(stack, freedom, state, own_amounts(stack, freedom, values)))


def guess(stack: Stack, freedom: Freedom, volts, values) -> tuple[State, Float[Array, " constant"]]:
    """Every layer neutral, at the potential that meets the reactions and contacts best (least squares)."""
    found, thermal = freedom.regions, stack.thermal_voltage
    where = places(found)
    given = {(h.layers[0], h.species): values[n] for n, h in enumerate(freedom.inventories[: len(values)])}
    count = len(stack.layers)
    size = len(found) + 1 + count  # constants, then the potential of each layer, all in RT
    matrix, right, u0 = [], [], {}
    for i, layer in enumerate(stack.layers):
        for carrier in layer.material.carriers:
            name = carrier.species.name
            theta = given.get((i, name), carrier.occupancy)
            own = eqx.tree_at(lambda c: c.occupancy, carrier, jnp.asarray(theta, float))
            beside = layer.material.beside(carrier)
            u0[i, name] = bulk_unknown(own, beside)
            if (i, name) not in where:
                continue
            row = np.zeros(size)
            row[where[i, name]], row[len(found) + 1 + i] = 1, -carrier.species.charge
            matrix.append(row)
            right.append(bulk_potential(own, stack.temperature, beside) / (GAS * stack.temperature))
    for row, level in _ties(stack, freedom, freedom.bulk, freedom.reactions):
        matrix.append(100 * np.append(row, np.zeros(count)))
        right.append(-100 * level)
    if freedom.voltage:
        matrix.append(100 * np.eye(size)[len(found)])
        right.append(100 * volts / thermal)
    solution = jnp.asarray(np.linalg.pinv(np.array(matrix))) @ jnp.stack(right)
    constants, potential = solution[: len(found) + 1], solution[len(found) + 1 :]
    sizes = [layer.nodes for layer in stack.layers]
    u = jnp.zeros((len(stack.species), sum(sizes)))
    for (i, name), value in u0.items():
        u = u.at[stack.index(name), node_ranges(stack)[i]].set(value)
    phi = jnp.concatenate([jnp.full(n, thermal * potential[i]) for i, n in enumerate(sizes)])
    reactions = Layout(stack).reactions
    junctions = len(stack.junctions)
    state = State(
        u,
        phi,
        jnp.zeros((reactions, junctions)),
        resting_surface(stack),
        jnp.zeros(junctions),
        thermal * constants[-1],
        jnp.zeros(()),
    )
    return state, constants


def sentences(stack: Stack, freedom: Freedom, given: int) -> list[str]:
    """What was held, in words."""
    words = []
    for n, held in enumerate(freedom.inventories):
        words_of = []
        for term in held.terms:
            place = ", ".join(stack.layers[i].name for i in term.layers) or stack.junctions[term.junction].name
            count = "" if abs(term.weight) == 1 else f"{abs(term.weight):g} "
            words_of.append(f"{' and ' if term.weight > 0 else ' less '}{count}{term.species} in {place}")
        terms = "".join(words_of)
        origin = "as asked" if n < given else "at the layer's own composition"
        words.append(f"amount of {terms.removeprefix(' and ')} held {origin}")
    if freedom.voltage:
        words.append("voltage held")
    return words
