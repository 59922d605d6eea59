"""The JSON schema for editors says what the reader says."""

import json
from pathlib import Path

import pytest

from ionics.config import schema
from ionics.config.document import parse

from .files import CELL, GOOD, MIXED

EXPORTED = Path(__file__).parents[2] / "docs" / "ionics.schema.json"


def violations(text):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    return list(validator.iter_errors(parse(text, "study.yaml").values))


def test_the_exported_schema_is_current():
    """Made by `python -m ionics.config.schema > docs/ionics.schema.json`."""
    assert json.loads(EXPORTED.read_text(encoding="utf-8")) == schema.json_schema()


def test_the_schema_knows_every_part():
    exported = schema.json_schema()
    assert set(exported["properties"]) == {
        "title", "source", "temperature", "area", "series_resistance", "materials", "stack", "cell", "study", "fit",
        "design", "interface",
    }  # fmt: skip
    assert exported["additionalProperties"] is False
    length = exported["$defs"]["Length"]
    bare, uncertain = length["anyOf"]
    assert bare["type"] == "string"
    assert list(uncertain["properties"]) == ["value", "uncertainty", "source", "method"]
    assert length["examples"] == ["5 nm"]
    assert exported["$defs"]["Contact"]["properties"]["contact"]["enum"] == [
        "blocking",
        "ohmic",
        "lithium",
        "reservoir",
    ]
    assert "null" not in json.dumps(exported)


@pytest.mark.parametrize("name", GOOD)
def test_good_files_satisfy_it(name):
    assert violations(GOOD[name]) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("    reorganisation_energy: 1 eV\n", ""),
        ("    reorganisation_energy: 1 eV\n", "    reorganisation_energy: 1 eV\n    alpha: 0.4\n"),
        ("    eyring: {barrier: 0.5 eV, site_density: 1e19/m^2}\n", ""),
        ("{law: generation, rate: 1e20/cm^3/s}", "{law: generation}"),
        ("{law: generation, rate: 1e20/cm^3/s}", "{law: mass-action, rate: 1e20/cm^3/s}"),
        ("statistics: fermi-dirac", "statistics: fermi"),
        ("equilibrium: standard potentials", "equilibrium: somewhere"),
        ("width: 1 nm", "widths: 1 nm"),
        ("poisson: 0.25", "poisson: 0.75"),
        ("density: 1e17/m^2", "density: 17"),
    ],
)
def test_mistakes_of_the_wider_physics_violate_it(good, bad):
    assert good in MIXED
    assert violations(MIXED.replace(good, bad, 1))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("3.62 um", "3.62"),
        ("thickness: 3.62", "thicknes: 3.62"),
        ("contact: ohmic", "contact: ohmc"),
        ("    exchange_current: 5.7503 A/m^2\n", ""),
        ("    law: butler-volmer\n    exch", "    law: linear\n    exch"),
        ("temperature: 293.15 K", "temperature: warm"),
        ("n: 0.9", "n: 1.9"),
    ],
)
def test_mistakes_violate_it(good, bad):
    assert good in CELL
    assert violations(CELL.replace(good, bad, 1))
