"""Good files become the numbers that a hand calculation gives."""

import jax
import numpy as np
import pytest

from ionics import config
from ionics.config import table
from ionics.config.carriers import charge_in
from ionics.constants import AVOGADRO, FARADAY, GAS
from ionics.kinetics.compact import Capacitance, ConstantPhase, NoCompactLayer
from ionics.kinetics.rates import ButlerVolmer, Equilibrium, Linear
from ionics.laws import Arrhenius, Constant
from ionics.transport.flux import Chemical, Hopping, Vehicle
from ionics.transport.statistics import Dilute, Lattice, Measured

from .files import CELL, CERAMIC, CIRCUIT, GOOD, line, read

ROUND = 1e-12  # relative: a few roundings of unit conversion


def close(value, wanted):
    return float(value) == pytest.approx(wanted, rel=ROUND, abs=0)


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    return config.build(read(tmp_path_factory.mktemp("cell"), CELL))


@pytest.fixture(scope="module")
def ceramic(tmp_path_factory):
    return config.build(read(tmp_path_factory.mktemp("ceramic"), CERAMIC))


def test_the_cell_in_si(cell):
    assert [layer.name for layer in cell.layers] == ["electrolyte", "cathode"]
    assert [j.name for j in cell.junctions] == ["left contact", "electrolyte | cathode", "right contact"]
    assert [(s.name, s.charge) for s in cell.species] == [("Li+", 1), ("Li", 0), ("e-", -1)]
    assert close(cell.temperature, 293.15)
    assert close(cell.series_resistance, 18.25 * 3.36e-4)
    assert [layer.nodes for layer in cell.layers] == [81, 81]
    assert close(cell.layer("electrolyte").thickness, 3.62e-6)
    assert close(cell.layer("electrolyte").material.permittivity, 13.2)
    assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves(cell))


def test_a_conductivity_becomes_the_diffusivity_that_has_it(cell):
    (carrier,) = cell.layer("electrolyte").material.carriers
    assert isinstance(carrier.statistics, Lattice)
    assert isinstance(carrier.mobility, Hopping)
    assert isinstance(carrier.diffusivity, Constant)  # a bare number is constant, whatever the library's is
    wanted = 1.109e-4 * GAS * 293.15 / (FARADAY**2 * 61141 * 0.64 * 0.36)
    assert close(carrier.diffusivity(cell.temperature), wanted)


def test_the_fixed_charge_makes_the_bulk_neutral(cell):
    assert close(cell.layer("electrolyte").material.fixed_charge, -61141 * 0.64)
    assert close(cell.layer("cathode").material.fixed_charge, 32200.0)


def test_the_electrode(cell):
    lithium, electron = cell.layer("cathode").material.carriers
    assert isinstance(lithium.statistics, Measured)
    assert isinstance(lithium.mobility, Chemical)
    assert close(lithium.occupancy, 0.8)
    assert close(lithium.diffusivity(cell.temperature), 2.1e-14)
    assert np.allclose(lithium.statistics.curve.values, [4.2, 4.0, 3.8])
    assert isinstance(electron.statistics, Dilute)
    assert isinstance(electron.mobility, Vehicle)
    assert close(electron.diffusivity(cell.temperature), 10 * GAS * 293.15 / (FARADAY**2 * 32200))


def test_the_junctions_of_the_cell(cell):
    left, middle, right = cell.junctions
    (reaction,) = left.reactions
    assert (reaction.left, reaction.right) == ((("Li+", 1),), (("Li+", 1),))
    assert isinstance(reaction.law, ButlerVolmer)
    assert close(reaction.law.exchange_current(cell.temperature), 5.7503)
    assert close(reaction.law.alpha, 0.4)
    assert isinstance(left.compact, Capacitance)
    assert close(left.compact.capacitance, 5.3e-3)
    (reaction,) = middle.reactions
    assert reaction.left == (("Li+", 1),)
    assert sorted(reaction.right) == [("Li", 1), ("e-", -1)]
    assert close(reaction.law.alpha, 0.5)
    current = 3.76 * np.exp(-0.5 * FARADAY / GAS * (1 / 293.15 - 1 / 298.15))
    assert close(reaction.law.exchange_current(cell.temperature), current)
    assert isinstance(middle.compact, ConstantPhase)
    assert close(middle.compact.q, 1e-2)
    assert close(middle.compact.n, 0.9)
    (reaction,) = right.reactions
    assert isinstance(reaction.law, Equilibrium)
    assert isinstance(right.compact, NoCompactLayer)


def test_flat_band_adds_up_to_the_open_circuit_voltage(cell):
    """Li | electrolyte | host at theta = 0.8: the steps across the faces sum to U(0.8), less the 50 mV put in."""
    lithium = cell.layer("cathode").material.carriers[0]
    voltage = lithium.statistics.open_circuit(lithium.statistics.unknown(lithium.occupancy), cell.temperature)
    total = sum(float(junction.step) for junction in cell.junctions)
    assert total == pytest.approx(float(voltage) - 0.05, abs=1e-12)


def test_a_mirrored_cell_has_mirrored_reactions(tmp_path):
    """The equation keeps its direction as written, so alpha keeps its meaning; only the sides swap."""
    head, tail = CELL.split("stack:\n")
    mirrored = """stack:
  left: {contact: ohmic}
  layers:
    - {name: cathode, material: host, thickness: 8.08 um, nodes: 81, occupancy: {Li: 0.8}}
    - {name: electrolyte, material: my lipon, thickness: 3.62 um, nodes: 81}
  junctions:
    cathode | electrolyte: {reactions: {Li+ + e- <-> Li: {law: butler-volmer, exchange_current: 1 A/m^2, alpha: 0.3}}}
  right: {contact: lithium, law: butler-volmer, exchange_current: 1 A/m^2, alpha: 0.4}
"""
    assert tail
    stack = config.build(read(tmp_path, head + mirrored))
    (reaction,) = stack.junctions[1].reactions
    assert sorted(reaction.left) == [("Li", -1), ("e-", 1)]
    assert reaction.right == (("Li+", -1),)
    assert close(reaction.law.alpha, 0.3)
    assert stack.junctions[2].reactions[0].left == (("Li+", -1),)  # forward is out of the metal, here to the left
    lithium = stack.layer("cathode").material.carriers[0]
    voltage = lithium.statistics.open_circuit(lithium.statistics.unknown(lithium.occupancy), stack.temperature)
    assert sum(float(j.step) for j in stack.junctions) == pytest.approx(-float(voltage), abs=1e-12)


def test_the_ceramic_in_si(ceramic):
    assert close(ceramic.temperature, 298.15)
    assert close(ceramic.series_resistance, 5e-4)
    (unit,) = ceramic.units
    assert (unit.first, unit.last, float(unit.count)) == (0, 2, 1000.0)
    (carrier,) = ceramic.layer("grain left").material.carriers
    assert close(carrier.sites, 2e27 / AVOGADRO)
    assert close(carrier.occupancy, 0.25)
    assert isinstance(carrier.diffusivity, Arrhenius)
    assert close(carrier.diffusivity.value, 1e-12)
    assert close(carrier.diffusivity.activation_energy, 30e3)
    assert close(carrier.diffusivity.reference, 300.0)
    (core,) = ceramic.layer("boundary").material.carriers
    assert close(core.standard_potential(ceramic.temperature), 0.2 * FARADAY)
    assert close(core.diffusivity.value, 1e-12)  # what `like` does not change stays


def test_the_junctions_of_the_ceramic(ceramic):
    left, first, second, right = ceramic.junctions
    assert left.reactions == ()
    assert close(left.compact.capacitance, 0.1)
    assert float(left.step) == 0.0
    assert isinstance(first.reactions[0].law, Equilibrium)  # not mentioned: crosses in equilibrium
    assert float(first.step) == 0.0  # a stated dipole; the mu0 decide
    (hop,) = second.reactions
    assert isinstance(hop.law, Linear)
    assert close(hop.law.resistance(ceramic.temperature), 1e-3)
    warmer = float(hop.law.resistance(np.float64(310.0)))
    assert warmer == pytest.approx(1e-3 * np.exp(0.4 * FARADAY / GAS * (1 / 310 - 1 / 298.15)))  # conducts better
    assert close(second.surface_charge, -0.05)
    (reservoir,) = right.reactions
    assert float(right.step) == pytest.approx(0.0, abs=1e-15)  # a reservoir stands at the level of the bulk
    assert close(reservoir.law.resistance(ceramic.temperature), 2e-4)


def test_a_circuit_fit_needs_no_stack(tmp_path):
    found = read(tmp_path, CIRCUIT)
    assert found.stack is None
    fit = found.fit
    assert fit.frequency_range == pytest.approx((0.1, 1.1e6))
    assert fit.geometry.area == pytest.approx(0.5e-4)
    assert fit.weighting.relative == pytest.approx(0.01)
    assert [b.value for b in fit.free["R0"].bounds] == [1.0, 1e4]
    assert fit.series.temperature == r"s04147-(\d+)deg"
    with pytest.raises(config.ConfigError, match="stack"):
        config.build(found)


def test_the_study(tmp_path):
    study = read(tmp_path, CELL).study
    assert study.operating_point.current == pytest.approx(1.0)
    assert study.state_of_charge == {"cathode": {"Li": 0.8}}
    assert study.impedance.frequency == pytest.approx(np.geomspace(1e-3, 1e6, 10))
    assert read(tmp_path, CELL, "study.operating_point=equilibrium").study.operating_point == "equilibrium"
    chosen = read(tmp_path, CELL, "study.impedance={frequencies: [1 Hz, 2 kHz]}").study.impedance.frequency
    assert list(chosen) == [1.0, 2000.0]


@pytest.mark.parametrize(
    ("override", "where", "wanted"),
    [
        ("temperature=40 degC", lambda c: c.temperature, 313.15),
        ("stack.layers.electrolyte.thickness=5 nm", lambda c: c.stack.layers[0].thickness, 5e-9),
        ("stack.layers.1.nodes=33", lambda c: c.stack.layers[1].nodes, 33),
        ("stack.left.alpha=0.6", lambda c: c.stack.left.alpha, 0.6),
        (
            "materials.my lipon.carriers.Li+.conductivity=2 mS/cm",
            lambda c: c.material("my lipon").carriers["Li+"].conductivity.value,
            0.2,
        ),
        (
            "stack.junctions.electrolyte | cathode.reactions.Li+ + e- <-> Li.exchange_current=9 A/m^2",
            lambda c: c.stack.junctions["electrolyte | cathode"].reactions["Li+ + e- <-> Li"].exchange_current.value,
            9.0,
        ),
        ("stack.right.dipole=0.1 V", lambda c: c.stack.right.dipole, 0.1),
    ],
)
def test_an_override_replaces_one_value(override, where, wanted, tmp_path):
    assert where(read(tmp_path, CELL, override)) == pytest.approx(wanted)


def test_a_number_replaced_in_a_material_leaves_nothing_of_the_old_one(tmp_path):
    lipon = read(tmp_path, CELL).material("my lipon")
    assert lipon.carriers["Li+"].conductivity.source is None
    assert lipon.carriers["Li+"].conductivity.activation_energy is None
    assert "Raijmakers" in lipon.carriers["Li+"].sites.source


def test_a_diffusivity_takes_the_place_of_the_librarys_conductivity(tmp_path):
    text = CELL.replace("{conductivity: 1.109e-4 S/m}", "{diffusivity: 3e-15 m^2/s}")
    carrier = read(tmp_path, text).material("my lipon").carriers["Li+"]
    assert carrier.conductivity is None
    assert close(carrier.diffusivity.value, 3e-15)


def test_a_local_name_shadows_the_library(tmp_path):
    text = CELL.replace("my lipon", "LiPON")  # LiPON: {like: LiPON, ...} starts from the library's entry
    assert close(read(tmp_path, text).material("LiPON").carriers["Li+"].conductivity.value, 1.109e-4)


def test_a_species_on_both_sides_goes_where_it_is_told(tmp_path):
    text = CERAMIC.replace(
        "grain left | boundary: {dipole: 0 V}",
        "grain left | boundary: {reactions: {Li+(grain left) <-> Li+(boundary): {law: equilibrium}}}",
    )
    stack = config.build(read(tmp_path, text))
    assert stack.junctions[1].reactions[0].left == (("Li+", 1),)
    assert stack.junctions[1].reactions[0].right == (("Li+", 1),)


def test_a_blocked_carrier_does_not_cross(tmp_path):
    text = CERAMIC.replace("{dipole: 0 V}", "{carriers: {Li+: {law: blocked}}}")
    assert config.build(read(tmp_path, text)).junctions[1].reactions == ()
    with pytest.raises(config.ConfigError, match="no charge crosses here"):
        config.build(read(tmp_path, text.replace("{law: blocked}}}", "{law: blocked}}, space_charge_potential: 0 V}")))


def test_the_layer_may_be_filled_differently_from_where_the_conductivity_was_measured(tmp_path):
    text = CERAMIC.replace("mu0: 0 eV", "mobility: vehicle").replace("        mobility: hopping\n", "")
    text = text.replace(
        "diffusivity: {value: 1e-12 m^2/s, activation_energy: 30 kJ/mol,", "conductivity: {value: 1 S/m,"
    )
    text = text.replace("thickness: 1 nm", "thickness: 1 nm, occupancy: {Li+: 0.5}")
    stack = config.build(read(tmp_path, text))
    grain, core = (stack.layer(name).material.carriers[0] for name in ("grain left", "boundary"))
    assert close(core.diffusivity.value, float(grain.diffusivity.value))
    assert close(core.occupancy, 0.5)
    assert close(stack.layer("boundary").material.fixed_charge, -0.5 * 2e27 / AVOGADRO)


# -------------------------------------------------------------------------------------------------- leaves


@pytest.mark.parametrize(
    ("path", "quantity", "unit"),
    [
        ("stack.layers.electrolyte.carriers.Li+.conductivity", 1.109e-4, "S/m"),
        ("materials.my lipon.carriers.Li+.conductivity", 1.109e-4, "S/m"),
        ("stack.layers.cathode.carriers.Li.diffusivity", 2.1e-14, "m^2/s"),
        ("stack.layers.cathode.carriers.e-.conductivity.value", 10.0, "S/m"),
        ("stack.layers.cathode.thickness", 8.08e-6, "m"),
        ("stack.layers.cathode.permittivity", 12.9, ""),
        ("stack.left.exchange_current", 5.7503, "A/m^2"),
        ("stack.left.alpha", 0.4, ""),
        ("stack.left.compact_layer.capacitance", 5.3e-3, "F/m^2"),
        ("stack.junctions.electrolyte | cathode.reactions.Li+ + e- <-> Li.exchange_current", 3.76, "A/m^2"),
        (
            "stack.junctions.electrolyte | cathode.reactions.Li+ + e- <-> Li.exchange_current.activation_energy",
            0.5 * FARADAY,
            "J/mol",
        ),
        ("stack.junctions.electrolyte | cathode.compact_layer.Q", 1e-2, "S s^0.9/m^2"),
        ("stack.junctions.electrolyte | cathode.compact_layer.constant_phase.n", 0.9, ""),
        ("stack.junctions.electrolyte | cathode.space_charge_potential", 0.05, "V"),
        ("series_resistance", 18.25, "ohm"),
    ],
)
def test_a_leaf_is_reported_in_the_quantity_of_the_file(path, quantity, unit, cell, tmp_path):
    leaf = config.leaf(read(tmp_path, CELL), path)
    assert leaf.dimension.unit == unit
    assert leaf.quantity(float(leaf.where(cell))) == pytest.approx(quantity, rel=1e-9)
    assert leaf.value(leaf.quantity(0.3)) == pytest.approx(0.3)


def test_a_material_in_several_layers_is_one_parameter(ceramic, tmp_path):
    found = read(tmp_path, CERAMIC)
    tied = config.leaf(found, "materials.grain.carriers.Li+.diffusivity").where(ceramic)
    assert len(tied) == 2
    one = config.leaf(found, "stack.layers.ceramic.layers.boundary.carriers.Li+.diffusivity").where(ceramic)
    assert close(one, 1e-12)
    energy = config.leaf(found, "stack.junctions.boundary | grain right.carriers.Li+.resistance.activation_energy")
    assert energy.quantity(float(energy.where(ceramic))) == pytest.approx(0.4 * FARADAY)


def test_a_leaf_can_be_moved_and_the_stack_follows(cell, tmp_path):
    import equinox as eqx

    leaf = config.leaf(read(tmp_path, CELL), "stack.layers.electrolyte.carriers.Li+.conductivity")
    moved = eqx.tree_at(leaf.where, cell, np.asarray(leaf.value(2.218e-4)))
    ratio = (
        moved.layers[0].material.carriers[0].diffusivity.value / cell.layers[0].material.carriers[0].diffusivity.value
    )
    assert float(ratio) == pytest.approx(2.0)


# --------------------------------------------------------------------------------------------------- table


def test_the_table_of_the_cell(tmp_path):
    found = table.check(read(tmp_path, CELL))
    electrolyte, cathode = found.layers
    assert electrolyte.conductivity == pytest.approx(1.109e-4, rel=1e-9)
    assert electrolyte.resistance == pytest.approx(3.62e-6 / 1.109e-4, rel=1e-9)
    assert electrolyte.dielectric_time == pytest.approx(13.2 * 8.8541878188e-12 / 1.109e-4, rel=1e-9)
    strength = FARADAY**2 * 61141 * 0.64 * 0.36
    assert electrolyte.debye_length == pytest.approx(np.sqrt(13.2 * 8.8541878188e-12 * GAS * 293.15 / strength))
    lithium, electron = cathode.carriers
    assert lithium.diffusion_time == pytest.approx((8.08e-6) ** 2 / 2.1e-14)
    assert lithium.concentration == pytest.approx(0.8 * 32200)
    assert lithium.conductivity == 0.0
    assert electron.conductivity == pytest.approx(10.0, rel=1e-9)
    left, middle, right = found.junctions
    assert left.resistance == pytest.approx(GAS * 293.15 / (FARADAY * 5.7503))  # 44 ohm cm^2
    assert left.flat_band
    assert not middle.flat_band
    assert right.resistance == 0.0
    assert any("electrolyte: Debye length 0.0466 nm is below the lattice spacing 0.3 nm" in w for w in found.warnings)
    assert any("left contact: flat band is assumed" in w for w in found.warnings)
    assert not any("electrolyte | cathode: flat band" in w for w in found.warnings)


def test_the_table_of_a_repeated_unit(tmp_path):
    found = table.check(read(tmp_path, CERAMIC))
    assert [row.count for row in found.layers] == [1000, 1000, 1000]
    assert found.junctions[0].resistance == np.inf
    assert found.junctions[2].resistance == pytest.approx(1e-3)
    assert found.junctions[3].resistance == pytest.approx(2e-4)
    assert not any("thick" in w for w in found.warnings)
    thin = table.check(read(tmp_path, CERAMIC, "stack.layers.ceramic.layers.boundary.thickness=0.8 nm"))
    assert any("boundary: 0.8 nm thick, a few lattice spacings only" in w for w in thin.warnings)


def test_an_occupancy_dependent_current_is_shown_at_the_bulk_filling(tmp_path):
    text = CELL.replace(
        "          law: butler-volmer", "          law: butler-volmer\n          occupancy_dependent: true"
    )
    text = text.replace("{value: 3.76 A/m^2, activation_energy: 0.5 eV, temperature: 298.15 K}", "3.76 A/m^2")
    i0 = 3.76 * np.sqrt((0.64 * 0.2) * (0.36 * 0.8))  # alpha = 1/2; the electrons of the host have occupancy one
    found = table.check(read(tmp_path, text)).junctions[1]
    assert found.resistance == pytest.approx(GAS * 293.15 / (FARADAY * i0))


def test_a_coarse_mesh_is_told(tmp_path):
    text = CELL.replace("nodes: 81\n    - name", "nodes: 5\n    - name")
    found = table.check(read(tmp_path, text))
    assert any("electrolyte: the mesh begins with" in w and "nodes: 9" in w for w in found.warnings)


@pytest.mark.parametrize("name", GOOD)
def test_reading_needs_no_numerics(name, tmp_path):
    """Reading and checking a file stays quick: JAX is imported only when a stack is built."""
    import subprocess
    import sys

    path = tmp_path / "study.yaml"
    path.write_text(GOOD[name], encoding="utf-8")
    code = f"import sys; from ionics import config; config.read({str(path)!r}); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_table_as_text(tmp_path):
    words = str(table.check(read(tmp_path, CELL)))
    for word in ("293.15 K, area 3.36 cm^2, series resistance 61.32 ohm cm^2", "3.62 um", "46.6 pm", "326.4 ohm cm^2"):
        assert word in words
    assert "Li+ + e- <-> Li: butler-volmer" in words
    assert "Careful:" in words
    assert str(table.check(read(tmp_path, CIRCUIT))) == "no stack: nothing to resolve"


def test_a_circuit_that_cannot_be_read_is_told_by_the_table(tmp_path):
    text = CIRCUIT.replace("circuit: R0-p(R1,CPE1)-CPE2", "circuit: R0-p(R1,CPE1")
    with pytest.raises(config.ConfigError) as caught:
        table.check(read(tmp_path, text))
    assert f"study.yaml:{line(text, 'circuit: R0')}: fit.circuit: got R0-p(R1,CPE1;" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "charge"), [("Li+", 1), ("e-", -1), ("O2-", -2), ("Al3+", 3), ("Mg++", 2), ("Li", None), ("V_Li", None)]
)
def test_the_charge_in_a_name(name, charge):
    assert charge_in(name) == charge
