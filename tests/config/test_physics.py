"""What a file says about statistics, reactions, profiles and interfaces becomes what a hand calculation gives."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics import config
from ionics.config import ConfigError, table
from ionics.config.formula import evaluate
from ionics.constants import AVOGADRO, BOLTZMANN, FARADAY, GAS, PLANCK
from ionics.kinetics.bulk import Generation, MassAction, ShockleyReadHall, WeakElectrolyte
from ionics.kinetics.eyring import Eyring
from ionics.kinetics.film import Interphase, NoFilm, ResistiveFilm
from ionics.kinetics.rates import ButlerVolmer, Marcus, MarcusHushChidsey
from ionics.transport.fermi import inverse_fermi_dirac
from ionics.transport.flux import Chemical, Hopping, Immobile, Vehicle
from ionics.transport.statistics import Dilute, FermiDirac, Lattice, RegularSolution

from .files import CELL, CERAMIC, MIXED, line, read

T = 500.0
RT = GAS * T
ROUND = 1e-12  # relative: a few roundings of unit conversion


def close(value, wanted):
    return float(value) == pytest.approx(wanted, rel=ROUND, abs=0)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return config.build(read(tmp_path_factory.mktemp("mixed"), MIXED))


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    return table.check(read(tmp_path_factory.mktemp("checked"), MIXED))


def carrier(stack, layer, name):
    return stack.layer(layer).material.carrier(name)


def test_statistics_and_mobilities(mixed):
    kinds = {
        ("mixed", "Li_i"): (Lattice, Hopping),
        ("mixed", "e-"): (FermiDirac, Vehicle),
        ("mixed", "h+"): (Dilute, Vehicle),
        ("mixed", "trapped"): (Lattice, Immobile),
        ("film", "Li"): (RegularSolution, Chemical),
    }
    for (layer, name), (statistics, mobility) in kinds.items():
        own = carrier(mixed, layer, name)
        assert type(own.statistics) is statistics
        assert type(own.mobility) is mobility
    assert close(carrier(mixed, "film", "Li").statistics.interaction, 0.15 * FARADAY)


def test_shared_sites_are_empty_where_nobody_sits(mixed):
    lithium = carrier(mixed, "mixed", "Li_i")
    assert lithium.sublattice == carrier(mixed, "mixed", "Na_i").sublattice == "gaps"
    assert carrier(mixed, "mixed", "V_Li").sublattice is None
    assert close(lithium.diffusivity(T), 1.0 * RT / (FARADAY**2 * 2e4 * 0.1 * (1 - 0.1 - 0.3)))


def test_a_diffusivity_over_the_filling(mixed, tmp_path):
    lithium = carrier(mixed, "film", "Li")
    warmer = np.exp(-0.3 * FARADAY / GAS * (1 / T - 1 / 300))
    for theta, diffusivity in ((0.05, 1e-14), (0.1, 1e-14), (0.4, 1e-15), (1.0, 1e-16)):  # constant beyond the table
        found = lithium.diffusivity(T) * np.exp(lithium.diffusivity_curve(jnp.asarray(theta)))
        assert float(found) == pytest.approx(diffusivity * warmer, rel=1e-10)
    moved = config.build(read(tmp_path, MIXED, "stack.layers.film.occupancy={Li: 0.1}"))
    assert float(carrier(moved, "film", "Li").diffusivity(300.0)) == pytest.approx(1e-14, rel=1e-10)


def test_the_stress_of_a_clamped_film(mixed):
    film = carrier(mixed, "film", "Li").stress
    biaxial = -50e6 - 100e9 / 0.75 * 2e-6 / 3 * (0.4 - 0.5) * 2e4
    assert close(film.potential(jnp.asarray(0.4 * 2e4)), -2e-6 * (2 / 3 * biaxial - 1e6))


def test_bulk_reactions(mixed):
    pairs, recombination, trapping, light = mixed.layer("mixed").material.reactions
    assert (pairs.consumed, pairs.produced) == ((), (("Li_i", 1), ("V_Li", 1)))
    assert isinstance(pairs.law, MassAction)
    constant = 1e6 * np.exp(-0.5 * FARADAY / GAS * (1 / T - 1 / 300))
    assert close(pairs.law.rate_constant(T), constant)
    assert close(pairs.level, RT * (np.log(0.1 / 0.6) + np.log(1e-6 / (1 - 1e-6))))  # mu of the pair as stated
    assert isinstance(recombination.law, ShockleyReadHall)
    assert (recombination.law.electron, recombination.law.hole) == ("e-", "h+")
    assert close(recombination.law.hole_lifetime(T), 2e-6)
    assert close(recombination.law.p1(T), 1e15 / AVOGADRO)
    assert close(recombination.level, -RT * (float(inverse_fermi_dirac(jnp.asarray(2.0))) + np.log(1e-6)))
    assert float(trapping.level) == 0.0  # the standard potentials decide
    assert isinstance(light.law, Generation)
    assert close(light.law.value(T), 1e26 / AVOGADRO)
    (dissociation,) = mixed.layer("sep").material.reactions
    assert isinstance(dissociation.law, WeakElectrolyte)
    assert (dissociation.law.freed, dissociation.law.left_behind) == ("Li+", "n-")
    assert close(dissociation.law.total, 6e4)
    assert close(dissociation.law.dissociation, 0.18)


def test_a_metal_holds_electrons_and_holes_in_the_balance_that_they_have_in_the_bulk(mixed):
    electron, hole = mixed.junctions[-1].reactions
    recombination = mixed.layer("mixed").material.reactions[1]
    assert float(electron.level) == 0.0
    assert close(hole.level, -float(recombination.level))


def test_a_core_is_a_smooth_well(mixed):
    (profile,) = mixed.layer("sep").profiles
    middle, half = jnp.asarray(0.5e-6), jnp.asarray(0.5e-6 + 0.5e-9)
    assert profile.species == "Li+"
    assert close(profile.energy(middle), -0.3 * FARADAY)
    assert float(profile.energy(half)) == pytest.approx(-0.15 * FARADAY, rel=1e-3)
    assert abs(float(profile.energy(jnp.asarray(0.51e-6)))) < 1e-6
    assert float(profile.log_diffusivity(middle)) == pytest.approx(np.log(0.1))
    assert float(profile.log_diffusivity(half)) == pytest.approx(0.5 * np.log(0.1), rel=1e-3)


def test_a_table_over_position(mixed):
    (profile,) = mixed.layer("mixed").profiles
    assert close(profile.energy(jnp.asarray(1e-9)), -0.1 * FARADAY)
    assert float(profile.energy(jnp.asarray(5e-7))) == 0.0
    assert close(profile.log_diffusivity(jnp.asarray(0.0)), np.log(0.1))


def test_the_nodes_crowd_where_a_profile_changes(mixed, tmp_path):
    """A core of 1 nm in a layer of 1 um: a mesh graded to the ends has no node in it."""
    from ionics.transport.stack import graded_mesh

    layer = config.build(read(tmp_path, MIXED, "stack.layers.sep.nodes=201")).layer("sep")
    x = np.asarray(layer.positions())
    inside = np.abs(x - 0.5e-6) < 1.5e-9
    ends = np.cumsum(np.asarray(graded_mesh(layer.material, 1e-6, T, 201))) * 1e-6
    assert np.sum(np.abs(ends - 0.5e-6) < 1.5e-9) <= 1
    assert np.sum(inside) > 60
    step = np.abs(np.diff(np.asarray(layer.profiles[0].energy(jnp.asarray(x))))).max() / RT
    assert step < 0.3
    assert x[-1] == pytest.approx(1e-6, rel=1e-12)
    assert np.diff(x)[0] < 1e-10  # and the ends keep their share


def test_the_laws_of_the_junctions(mixed):
    left, sep_film, film_mixed, _ = mixed.junctions
    (law,) = [r.law for r in left.reactions]
    assert isinstance(law, Marcus)
    assert law.occupancy_dependent
    assert close(law.reorganisation, FARADAY)
    assert isinstance(law.exchange_current, Eyring)
    attempts = BOLTZMANN * T / PLANCK
    wanted = FARADAY * 1e19 / AVOGADRO * attempts * np.exp(-0.5 * FARADAY / RT)
    assert close(law.exchange_current(T), wanted)
    (law,) = [r.law for r in sep_film.reactions]
    assert isinstance(law, MarcusHushChidsey)
    assert law.occupancy_dependent
    assert close(law.reorganisation, 0.5 * FARADAY)
    direct, from_film, from_mixed = film_mixed.reactions
    assert (direct.left, direct.right) == ((("e-", 1),), (("e-", 1),))
    assert (from_film.left, from_film.right) == ((("e-", 1),), (("trap", 1),))
    assert (from_mixed.left, sorted(from_mixed.right)) == ((), [("e-", -1), ("trap", 1)])
    assert isinstance(from_mixed.law, ButlerVolmer)


def test_a_hop_of_two_charges_carries_twice_the_current(tmp_path):
    text = CERAMIC.replace("Li+", "Mg2+").replace("charge: 1", "charge: 2")
    text = text.replace(
        "linear, resistance: {value: 10 ohm cm^2, activation_energy: 0.4 eV, temperature: 298.15 K}", "X"
    )
    text = text.replace("law: X", "law: butler-volmer, eyring: {barrier: 0.5 eV, site_density: 1e19/m^2}")
    found = read(tmp_path, text)
    stack = config.build(found)
    assert close(stack.junctions[2].reactions[0].law.exchange_current.site_density, 2 * 1e19 / AVOGADRO)
    leaf = config.leaf(found, "stack.junctions.boundary | grain right.carriers.Mg2+.eyring.site_density")
    assert leaf.quantity(float(leaf.where(stack))) == pytest.approx(1e19 / AVOGADRO)


def test_films_and_states(mixed):
    left, sep_film, film_mixed, right = mixed.junctions
    assert isinstance(left.film, ResistiveFilm)
    assert close(left.film.resistance(jnp.zeros(0), T), 5e-4)
    film = sep_film.film
    assert isinstance(film, Interphase)
    assert (film.left, film.right) == ((), (("Li", 1),))
    assert close(film.level, -4.5 * FARADAY)
    assert close(film.resistivity(T), 1e5)
    assert close(film.rate(T), 1e-9 / 3600)
    assert (float(film.alpha), float(film.reversible), film.halving) == (0.5, 1.0, None)
    assert np.allclose(film.stored(film.start()), [1e-10, 1e-12], rtol=1e-12)
    assert isinstance(right.film, NoFilm)
    (trap,) = film_mixed.states
    assert (trap.name, trap.charge) == ("trap", -1)
    assert close(trap.density, 1e17 / AVOGADRO)
    assert close(trap.level, -0.1 * FARADAY)


def test_an_immobile_carrier_stays_at_a_contact_that_holds_the_others(tmp_path):
    text = MIXED.replace("right: {contact: ohmic}", "right: {contact: reservoir}")
    names = [r.left[0][0] for r in config.build(read(tmp_path, text)).junctions[-1].reactions]
    assert names == ["Li_i", "Na_i", "V_Li", "e-", "h+"]


def test_states_alone_define_no_flat_band(tmp_path):
    text = MIXED.replace("      states:", "      carriers: {e-: {law: blocked}}\n      states:")
    assert float(config.build(read(tmp_path, text)).junctions[2].step) == 0.0
    text = text.replace("      states:", "      space_charge_potential: 0.1 V\n      states:")
    with pytest.raises(config.ConfigError, match="no charge crosses here"):
        config.build(read(tmp_path, text))


def test_an_open_circuit_formula_is_the_curve(tmp_path):
    formula = "4.2 - 0.5*x - 0.1*tanh(30*(x - 0.7)) - exp(60*(x - 0.95))"
    text = CELL.replace(
        "          occupancy: [0.5, 0.7, 0.9]\n          potential: [4.2 V, 4.0 V, 3.8 V]",
        f"          formula: {formula}\n          range: [0.45, 0.95]",
    )
    statistics = carrier(config.build(read(tmp_path, text)), "cathode", "Li").statistics
    x = np.linspace(0.46, 0.94, 101)
    found = statistics.open_circuit(statistics.unknown(jnp.asarray(x)), 293.15)
    np.testing.assert_allclose(found, evaluate(formula, x), atol=2e-6)  # V, of a curve that falls by 1.4 V


def test_what_changes_a_library_entry_takes_what_contradicts_it_along(tmp_path):
    change = "materials: {LiCoO2: {like: LiCoO2, carriers: {Li: {statistics: lattice, diffusivity: 1e-14 m^2/s}}}}"
    text = f"""\
temperature: 300 K
{change}
stack:
  left: {{contact: ohmic}}
  layers: [{{name: film, material: LiCoO2, thickness: 1 um, nodes: 21, occupancy: {{Li: 0.6}}}}]
  right: {{contact: blocking}}
"""
    found = read(tmp_path, text).material("LiCoO2").carriers["Li"]
    assert found.open_circuit is None
    assert found.diffusivity_over_occupancy is None
    plain = text.replace(change + "\n", "").replace("Li: 0.6", "Li: 0.8")
    lithium = carrier(config.build(read(tmp_path, plain)), "film", "Li")
    assert float(lithium.diffusivity(300.0)) == pytest.approx(2.1e-14, rel=1e-9)


# --------------------------------------------------------------------------------------------------- leaves


@pytest.mark.parametrize(
    ("path", "quantity", "unit"),
    [
        ("stack.layers.film.carriers.Li.diffusivity", 1e-15, "m^2/s"),
        ("materials.host.reactions.nothing <-> Li_i + V_Li.rate_constant", 1e6, "mol/m^3/s"),
        ("materials.host.reactions.e- + h+ <-> nothing.hole_lifetime", 2e-6, "s"),
        ("stack.layers.sep.reactions.nothing <-> Li+ + n-.recombination", 1e-8, "m^3/mol/s"),
        ("stack.left.eyring.barrier", 0.5 * FARADAY, "J/mol"),
        ("stack.left.reorganisation_energy", FARADAY, "J/mol"),
        ("stack.left.film.resistance", 5e-4, "ohm m^2"),
        ("stack.junctions.film | mixed.states.trap.density", 1e17 / AVOGADRO, "mol/m^2"),
        ("stack.junctions.film | mixed.reactions.e-(mixed) <-> trap.exchange_current", 2.0, "A/m^2"),
    ],
)
def test_a_leaf_is_reported_in_the_quantity_of_the_file(path, quantity, unit, mixed, tmp_path):
    leaf = config.leaf(read(tmp_path, MIXED), path)
    assert leaf.dimension.unit == unit
    assert leaf.quantity(float(leaf.where(mixed))) == pytest.approx(quantity, rel=1e-9)


# ---------------------------------------------------------------------------------------------------- table


def test_the_table_shows_what_else_there_is(checked):
    found = {(row.place, row.what): row.value for row in checked.details}
    assert found["mixed", "nothing <-> Li_i + V_Li"] == "mass-action, affinity 0 eV at the stated composition"
    assert found["mixed", "nothing <-> e- + h+"] == "generation, 166.1 mol/m^3/s"
    assert found["sep", "profile of Li+"] == "core 0.3 eV deep, 1 nm wide at 500 nm, D times 0.1"
    assert found["mixed", "profile of Li_i"] == "-0.2 eV to 0 eV, D times 0.1 to 1"
    assert found["left contact", "film"] == "5 ohm cm^2"
    assert found["sep | film", "film"] == "interphase driven by nothing <-> Li, now 0.101 ohm cm^2"
    assert found["film | mixed", "state trap"] == "charge -1, 1e+17 /m^2, level -0.1 eV"
    assert checked.junctions[0].resistance == pytest.approx(5e-4, rel=1e-3)  # the hop itself is fast
    rows = {row.name: row for row in checked.layers[2].carriers}
    assert rows["e-"].kind == "fermi-dirac, vehicle"
    assert rows["Li_i"].conductivity == pytest.approx(1.0, rel=1e-9)
    assert (rows["trapped"].conductivity, rows["trapped"].diffusion_time) == (0.0, np.inf)
    assert all(str(row.value) in str(checked) for row in checked.details)


def test_the_table_says_where_physics_asks_for_care(checked):
    def told(*words):
        return any(all(word in warning for word in words) for warning in checked.warnings)

    assert told("film: Li at 0.4 lies inside the spinodal (0.174 to 0.826)", "separates into 0.0387 and 0.961")
    assert told("sep: Li+ is stated as 1.2e+04 mol/m^3", "1.08e+04 mol/m^3, is free")
    assert told("mixed: the reaction of e-, trapped is not in equilibrium at the stated composition")
    assert not told("Li_i, V_Li")
    assert told("sep: the profile of Li+ changes by", "write nodes: 81 or more")


def test_a_mesh_that_follows_the_profile_is_not_complained_of(tmp_path):
    fine = table.check(read(tmp_path, MIXED, "stack.layers.sep.nodes=201"))
    assert not any("profile of Li+" in warning for warning in fine.warnings)
    steps = "{Li+: {energy: {position: [0 nm, 0.1 nm, 0.100000001 nm], energy: [1 eV, 1 eV, 0 eV]}}}"
    step = table.check(read(tmp_path, MIXED, f"stack.layers.sep.profiles={steps}", "stack.layers.sep.nodes=19001"))
    assert any("profile of Li+ changes by 23 RT between two nodes of the mesh; smooth it" in w for w in step.warnings)


def test_a_debye_length_that_no_mesh_follows_is_refused(tmp_path):
    text = MIXED.replace("occupancy: 0.2, conductivity", "occupancy: 9, conductivity")
    text = text.replace("occupancy: 0.2, diffusivity", "occupancy: 9, diffusivity")
    with pytest.raises(ConfigError) as caught:
        table.check(read(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.key == "stack.layers.sep.material"
    assert str(problem).startswith(f"{tmp_path / 'study.yaml'}:{line(text, 'material: salt')}: ")
    assert "got salt; its Debye length, 0.00605 nm, is below 0.01 nm, the finest that a mesh follows" in str(problem)
    assert "up to 20001; fewer charges or a larger permittivity" in str(problem)


def test_electrons_of_a_metal_need_no_mesh_for_their_space_charge(tmp_path):
    dilute = "statistics: dilute, sites: 2e4 mol/m^3, occupancy: 0.1, conductivity: 1 S/m"
    dense = MIXED.replace(dilute, "statistics: dilute, sites: 1e7 mol/m^3, occupancy: 1, conductivity: 1e5 S/m")
    assert dense != MIXED
    film = next(row for row in table.check(read(tmp_path, dense)).layers if row.name == "film")
    assert film.debye_length < 1e-11


def test_a_constant_phase_is_marked_as_one_of_impedance_only(tmp_path):
    found = table.check(read(tmp_path, CELL))
    assert found.junctions[1].compact_layer.endswith("n = 0.9 (impedance only)")
