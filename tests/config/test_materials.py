"""The library: every number with unit, temperature, source and a word on its trust; every material usable."""

import pytest

from ionics import config
from ionics.config import ConfigError, materials
from ionics.config.units import TEMPERATURE, UnitError, parse, parse_any

from .files import read

LAYERS = [name for name in materials.names() if materials.material(name).role != "metal"]


@pytest.mark.parametrize("name", materials.names())
def test_every_number_has_unit_temperature_source_and_confidence(name):
    entries = materials.numbers(name)
    assert len(entries) >= 3
    for entry in entries:
        where = f"{name}: {entry.key}"
        assert parse(entry.temperature, TEMPERATURE) > 0, where
        assert len(entry.source) > 10, where
        assert len(entry.confidence) > 5, where
        if not entry.value.endswith("points"):
            value, _ = parse_any(entry.value)
            assert value == value, where


@pytest.mark.parametrize("name", materials.names())
def test_an_entry_is_known_by_the_name_of_its_file(name):
    entry = materials.material(name)
    assert entry.name == name
    assert entry.formula
    assert entry.about
    assert entry.role in ("electrolyte", "electrode", "metal")
    assert entry.lattice_spacing is not None


@pytest.mark.parametrize("name", LAYERS)
def test_every_material_builds_a_layer(name, tmp_path):
    empty = [c for c, entry in materials.material(name).carriers.items() if entry.occupancy is None]
    filled = f", occupancy: {{{', '.join(f'{c}: 0.6' for c in empty)}}}" if empty else ""
    text = f"""
temperature: 25 degC
stack:
  left: {{contact: blocking}}
  layers: [{{name: film, material: {name}, thickness: 100 nm, nodes: 21{filled}}}]
  right: {{contact: reservoir}}
"""
    found = read(tmp_path, text)
    stack = config.build(found)
    layer = stack.layer("film")
    charge = sum(float(c.species.charge * c.sites * c.occupancy) for c in layer.material.carriers)
    assert charge + float(layer.material.fixed_charge) == pytest.approx(0.0, abs=1e-9 * max(1.0, abs(charge)))
    for carrier in layer.material.carriers:
        assert 1e-20 < float(carrier.diffusivity(stack.temperature)) < 1e-4
    (row,) = config.table.check(found).layers
    for carrier, entry in materials.material(name).carriers.items():
        if entry.conductivity and entry.conductivity.temperature == 298.15:
            shown = next(c.conductivity for c in row.carriers if c.name == carrier)
            assert shown == pytest.approx(entry.conductivity.value, rel=1e-9)
    assert row.citations


def test_materials_lists_all_of_them():
    assert [m.name for m in materials.materials()] == list(materials.names())
    assert {"LiPON", "LiCoO2"} <= set(materials.names())


def test_an_unknown_material_names_the_nearest():
    with pytest.raises(ConfigError, match=r"got Lipon; unknown material; did you mean LiPON\?"):
        materials.material("Lipon")


def test_pairs_are_complete():
    for row in materials.pairs():
        assert {"junction", "property", "value", "temperature", "source", "confidence"} <= row.keys()
        assert " | " in row["junction"]
        try:
            parse_any(row["value"])
        except UnitError as error:
            pytest.fail(f"{row['junction']} {row['property']}: {error}")


def test_alternatives_name_something_of_their_material():
    for name in materials.names():
        known = {entry.key for entry in materials.numbers(name) if not entry.key.startswith("alternatives.")}
        carriers = materials.material(name).carriers
        for other in materials.material(name).alternatives or ():
            first, _, rest = other.property.partition(".")
            species = rest.partition(".")[0]
            assert other.property in known or first == "properties" or species in carriers, (name, other.property)
