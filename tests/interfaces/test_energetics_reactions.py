"""Reactions of two phases: known by hand, balanced, the same from both sides, and open to lithium."""

import json
from importlib import import_module

import numpy as np
import pytest
from ase.build import bulk as crystal_of
from pymatgen.analysis.interface_reactions import GrandPotentialInterfacialReactivity, InterfacialReactivity
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PhaseDiagram
from pymatgen.core import Composition, Element
from pymatgen.entries.computed_entries import ComputedEntry
from pymatgen.io.ase import AseAtomsAdaptor
from scipy.optimize import minimize_scalar

from ionics.interfaces.energetics.computed import Bulking, atoms_of, entries_of
from ionics.interfaces.energetics.entries import Entries, entry, joined, materials_project, read_entries
from ionics.interfaces.energetics.reactions import alone, reactivity
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.errors import AtomsError
from tests.interfaces.pairs import A, Pairs, crystal

# eV/atom of formation, made up so that every hull below can be found by hand
TABLE = {
    "Li": 0.0, "O2": 0.0, "P": 0.0, "Co": 0.0, "Li2O": -2.0, "Li2O2": -1.6, "Li3PO4": -2.7, "LiPO3": -2.4,
    "LiCoO2": -1.7, "CoO": -1.2, "Co3O4": -1.35, "P2O5": -2.1, "Li3P": -0.8,
}  # fmt: skip


def made(table: dict[str, float], source: str = "hand", shifts: dict[str, float] | None = None) -> Entries:
    """Entries of a table; `shifts`: element -> eV/atom by which its zero is moved."""
    found = []
    for formula, value in table.items():
        whole = Composition(formula)
        extra = sum(n * (shifts or {}).get(str(e), 0.0) for e, n in whole.items()) / whole.num_atoms
        found.append(entry(formula, value + extra, source))
    return Entries(tuple(found))


KNOWN = made(TABLE)


def of_formula(name: str, table=TABLE) -> float:
    """Energy of one reduced formula unit [eV]."""
    return table[name] * Composition(name).reduced_composition.num_atoms


def test_lithium_and_its_peroxide_give_the_oxide():
    found = reactivity("Li", "Li2O2", KNOWN)
    assert found.worst.products == pytest.approx({"Li2O": 2.0})
    assert found.worst.reactants == pytest.approx({"Li": 2.0, "Li2O2": 1.0})
    assert found.worst.fraction == pytest.approx(2 / 6)
    assert found.worst.released == pytest.approx(2 * -6.0 + 6.4)  # eV: two Li2O at 3 x -2.0, one Li2O2 at 4 x -1.6
    assert found.worst.energy == pytest.approx((-12.0 + 6.4) / 6)
    assert found.worst.per_mole == pytest.approx(-5.6 * 96.485, rel=1e-5)
    assert "2 Li + Li2O2 -> 2 Li2O releases 933 meV/atom (540 kJ/mol as written)" in found.words()


def test_phases_on_one_edge_of_the_hull_do_not_react():
    found = reactivity("Li2O", "Li3PO4", KNOWN)
    assert found.worst.energy == pytest.approx(0.0, abs=1e-9)
    assert "no reaction" in found.words()


OXIDES = [(pair, v) for pair in [("LiCoO2", "P2O5"), ("Li3P", "Co3O4")] for v in (None, 1.0, 4.5)]


@pytest.mark.parametrize(("pair", "voltage"), [*OXIDES, (("Li", "LiCoO2"), None), (("Li", "LiPO3"), None)])
def test_every_kink_is_balanced_and_its_energy_is_that_of_its_reaction(pair, voltage):
    for kink in reactivity(*pair, KNOWN, voltage).kinks:
        before = sum((Composition(name) * n for name, n in kink.reactants.items()), Composition())
        after = sum((Composition(name) * n for name, n in kink.products.items()), Composition())
        for element in {*before, *after}:
            supplied = kink.lithium if str(element) == "Li" else 0.0
            assert after[element] - before[element] == pytest.approx(supplied, abs=1e-9)
        energy = sum(n * of_formula(name) for name, n in kink.products.items())
        energy -= sum(n * of_formula(name) for name, n in kink.reactants.items())
        assert kink.released == pytest.approx(energy + kink.lithium * (voltage or 0.0), abs=1e-8)


@pytest.mark.parametrize("voltage", [None, 0.5, 3.0, 4.5])
def test_it_does_not_matter_which_phase_comes_first(voltage):
    there, back = reactivity("LiCoO2", "P2O5", KNOWN, voltage), reactivity("P2O5", "LiCoO2", KNOWN, voltage)
    assert [k.fraction for k in there.kinks] == pytest.approx([1 - k.fraction for k in back.kinks[::-1]])
    assert [k.energy for k in there.kinks] == pytest.approx([k.energy for k in back.kinks[::-1]], abs=1e-9)


@pytest.mark.parametrize("voltage", [None, 3.0])
def test_the_zero_of_each_element_does_not_matter(voltage):
    moved = made(TABLE, shifts={"Li": -1.9, "O": -4.9, "P": -5.4, "Co": -7.1})
    one, other = reactivity("LiCoO2", "P2O5", KNOWN, voltage), reactivity("LiCoO2", "P2O5", moved, voltage)
    assert [k.energy for k in other.kinks] == pytest.approx([k.energy for k in one.kinks], abs=1e-8)


def test_energies_agree_with_the_reactivity_of_pymatgen():
    pair = Composition("LiCoO2"), Composition("P2O5")
    diagram = PhaseDiagram(list(KNOWN.entries))
    theirs = InterfacialReactivity(*pair, diagram, norm=True).get_kinks()
    ours = reactivity("LiCoO2", "P2O5", KNOWN).kinks
    assert [k.energy for k in ours] == pytest.approx([k[2] for k in sorted(theirs, key=lambda k: k[1])], abs=1e-9)
    grand = GrandPotentialPhaseDiagram(list(KNOWN.entries), {Element("Li"): -4.0})
    open_ = GrandPotentialInterfacialReactivity(*pair, grand, diagram, include_no_mixing_energy=True, norm=True)
    theirs = sorted(open_.get_kinks(), key=lambda k: k[1])
    ours = reactivity("LiCoO2", "P2O5", KNOWN, voltage=4.0).kinks
    assert [k.fraction for k in ours] == pytest.approx([k[1] for k in theirs], abs=1e-9)
    assert [k.energy for k in ours] == pytest.approx([k[2] for k in theirs], abs=1e-9)


def test_the_most_negative_point_lies_on_the_tie_line_of_a_cycle():
    """Hess: straight to the products, or by way of the elements."""
    kink = reactivity("LiCoO2", "P2O5", KNOWN).worst
    apart = {name: -of_formula(name) * n for name, n in kink.reactants.items()}
    again = {name: of_formula(name) * n for name, n in kink.products.items()}
    assert kink.released == pytest.approx(sum(apart.values()) + sum(again.values()), abs=1e-9)


def test_open_to_lithium_licoo2_gives_metal_at_low_and_oxygen_at_high_voltage():
    low, high = alone("LiCoO2", KNOWN, 0.0), alone("LiCoO2", KNOWN, 4.5)
    assert (low.products, low.lithium) == (pytest.approx({"Co": 1.0, "Li2O": 2.0}), pytest.approx(3.0))
    assert low.released == pytest.approx(2 * -6.0 + 4 * 1.7)
    assert high.lithium == pytest.approx(-1.0)
    assert set(high.products) == {"Co3O4", "O2"}
    assert "LiCoO2 + 3 Li (reservoir) -> " in low.reaction
    assert alone("LiCoO2", KNOWN, 3.0).released == pytest.approx(0.0, abs=1e-9)


def test_a_reservoir_only_helps_and_at_its_best_price_not_at_all():
    """min over products at fixed lithium = max over mu of the grand potential: the two limits of one number."""
    bad = made(TABLE | {"LiCoO2": -1.5})
    inside = reactivity("LiCoO2", "Li3PO4", bad).above["LiCoO2"] * 4
    assert inside > 0.1
    released = [alone("LiCoO2", bad, v).released for v in np.linspace(0, 5, 201)]
    assert max(released) <= -inside + 1e-9
    assert max(released) == pytest.approx(-inside, abs=3 * 0.025)  # at most 3 Li an unit, steps of 25 mV


def test_what_the_contact_adds_is_told_from_what_each_phase_loses_alone():
    bad = made(TABLE | {"LiCoO2": -1.45})
    found = reactivity("LiCoO2", "P2O5", bad)
    good = reactivity("LiCoO2", "P2O5", KNOWN)
    assert found.kinks[-1].energy == pytest.approx(-found.above["LiCoO2"], abs=1e-9)
    assert found.mutual(found.contact) > found.worst.energy
    assert good.mutual(good.worst) == pytest.approx(good.worst.energy)
    assert "LiCoO2 alone lies" in found.words()
    assert "The contact adds at most" in found.words()
    nothing = reactivity("LiCoO2", "Li3PO4", KNOWN, voltage=4.5)
    assert "adds nothing" in nothing.words()


def test_energy_per_area_is_that_of_the_layer_used_up():
    kink = reactivity("Li", "Li2O2", KNOWN).worst
    volumes = {"Li": 21.6, "Li2O2": 32.8}
    layer = kink.per_area(volumes, 10.0)
    assert layer == pytest.approx(-5.6 / (2 * 21.6 + 32.8) * 10.0 * JOULE_PER_AREA)
    assert kink.per_area(volumes, 20.0) == pytest.approx(2 * layer)
    with pytest.raises(AtomsError, match="no volume of Li2O2"):
        kink.per_area({"Li": 21.6}, 10.0)


def test_elements_without_energy_are_said_to_be_missing():
    bare = made({k: v for k, v in TABLE.items() if k not in ("Co", "P", "O2")})
    found = reactivity("LiCoO2", "P2O5", bare)
    assert found.worst.energy > reactivity("LiCoO2", "P2O5", KNOWN).worst.energy  # fewer products release less
    assert "Note: no energy of Co, O, P as an element" in found.words()
    assert "placeholder" not in found.words()
    with pytest.raises(AtomsError, match="Co would be set free, of which there is no energy"):
        alone("LiCoO2", made({"Li": 0, "Li2O": -2, "LiCoO2": -1.7}), voltage=-5.0)  # cheaper than any bond


@pytest.mark.parametrize(
    ("pair", "voltage", "words"),
    [
        (("LiCoO2", "Li2Co2O4"), None, "one composition"),
        (("LiCoO2", "Li7La3Zr2O12"), None, "no energy of Li7La3Zr2O12; one of Co, "),
        (("Li", "LiCoO2"), 0.0, "own reservoir"),
        (("LiCoO2", "nonsense"), None, "'nonsense' is no formula"),
        (("LiCoO2", ""), None, "is no formula"),
    ],
)
def test_what_cannot_be_asked_is_refused(pair, voltage, words):
    with pytest.raises(AtomsError, match=words):
        reactivity(*pair, KNOWN, voltage)


def test_open_to_lithium_needs_its_metal():
    with pytest.raises(AtomsError, match="no entry of lithium metal"):
        reactivity("LiCoO2", "P2O5", made({k: v for k, v in TABLE.items() if k != "Li"}), voltage=3.0)


def test_sources_are_not_mixed_silently():
    here = made({"LiCoO2": -1.7, "Li": 0, "O2": 0, "Co": 0}, "one model")
    there = made({k: TABLE[k] for k in ("P2O5", "Li3PO4", "Co3O4", "P")}, "another model")
    with pytest.raises(AtomsError, match="different sources: another model; one model"):
        joined(here, there)
    words = reactivity("LiCoO2", "P2O5", joined(here, there, mixed=True)).words()
    assert "Note: energies of 2 sources are mixed (another model; one model)" in words
    assert joined(here, here).sources == ("one model",)


def test_a_table_and_a_list_of_entries_read_the_same(tmp_path):
    table, listed, plain = tmp_path / "own.csv", tmp_path / "own.json", tmp_path / "plain.json"
    table.write_text("# by hand\nformula, energy_per_atom, source\nLi2O, -2.0, mine\n\nO2, 0, mine\n")
    listed.write_text(json.dumps([e.as_dict() for e in made({"Li2O": -2.0, "O2": 0}, "mine").entries]))
    plain.write_text(
        json.dumps([{"formula": "Li2O", "energy_per_atom": -2.0}, {"formula": "O2", "energy_per_atom": 0}])
    )
    found = [read_entries(path) for path in (table, listed, plain)]
    for one in found:
        assert one.of("Li2O").energy_per_atom == pytest.approx(-2.0)
        assert one.of("O2").energy_per_atom == 0
    assert [one.sources for one in found] == [("mine",), ("mine",), ("plain.json",)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "formula,energy\nLi,0\n", "no column energy_per_atom"),
        ("a.csv", "formula,energy_per_atom\nLi,0\n\nLi2O,low\n", "a.csv, line 4: energy_per_atom 'low' is no number"),
        ("a.csv", "formula,energy_per_atom\nLi,nan\n", "line 2: energy_per_atom 'nan'"),
        ("a.csv", "formula,energy_per_atom\nQq2,1\n", "line 2: formula 'Qq2' is no formula"),
        ("a.csv", "formula,energy_per_atom\nLi\n", "line 2: no energy_per_atom"),
        ("a.csv", "formula,energy_per_atom\n", "holds no entry"),
        ("a.csv", "", "no column formula, energy_per_atom"),
        ("a.json", "[{", "a.json, line 1: no JSON"),
        ("a.json", "{}", "not a list"),
        ("a.json", '[{"formula": "Li"}]', "entry 1: no energy_per_atom"),
        ("a.json", '[{"composition": {"Li": 1}}]', "entry 1: no ComputedEntry"),
        ("a.txt", "", "entries in a .txt file"),
    ],
)
def test_mistakes_in_files_are_named_with_their_place(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(AtomsError, match=words):
        read_entries(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AtomsError, match=r"none\.csv: cannot be read"):
        read_entries(tmp_path / "none.csv")


class Client:
    """Stands in for the client of the Materials Project."""

    asked: tuple = ()

    def __init__(self, key):
        if key == "wrong":
            raise ValueError("Invalid or old API key")

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        return None

    def get_entries_in_chemsys(self, elements, **settings):
        type(self).asked = (elements, settings)
        return [ComputedEntry("Li2O", -14.0, entry_id="mp-1960")] if "Li" in elements else []


@pytest.fixture
def client(monkeypatch):
    for name in ("MP_API_KEY", "PMG_MAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(import_module("sys").modules, "mp_api.client", None)
    monkeypatch.setattr("pymatgen.ext.matproj.MPRester", Client)
    return monkeypatch


def test_entries_of_the_materials_project_know_their_source(client):
    client.setenv("MP_API_KEY", "k")
    found = materials_project(["Li", "O"])
    assert Client.asked == (["Li", "O"], {})
    assert found.sources == ("Materials Project, GGA/GGA+U with its 2020 corrections",)


def test_no_key_a_wrong_key_and_no_answer_are_told(client):
    with pytest.raises(AtomsError, match="no key of the Materials Project; set MP_API_KEY"):
        materials_project(["Li"])
    with pytest.raises(AtomsError, match=r"no answer .ValueError: Invalid or old API key.; check the key"):
        materials_project(["Li"], key="wrong")
    with pytest.raises(AtomsError, match="no entry of Fe"):
        materials_project(["Fe"], key="k")


class Phase:
    """A name and a structure, as a phase has them."""

    def __init__(self, name: str, atoms):
        self.name, self.structure = name, AseAtomsAdaptor.get_structure(atoms)
        self.structure.add_oxidation_state_by_element({"Mg": 2, "O": -2, "Na": 1, "F": -1, "K": 1, "Cl": -1})


def test_energies_are_those_of_relaxed_cells(tmp_path):
    phases = [Phase("magnesia", crystal("MgO"))]
    found = entries_of(phases, Pairs(), "pairs", Bulking(fmax=0.005), keep=tmp_path)
    rigid = entries_of(phases, Pairs(), "pairs", Bulking(steps=0))
    lowest = minimize_scalar(lambda a: _stretched("MgO", a), bracket=(A, 1.02 * A), tol=1e-6).fun
    assert found.of("MgO").energy_per_atom == pytest.approx(lowest, abs=1e-5)  # forces below 0.005 eV/angstrom
    assert rigid.of("MgO").energy_per_atom == pytest.approx(_stretched("MgO", A), abs=1e-9)
    assert found.sources == ("pairs",)
    assert "magnesia: not at rest" in rigid.notes[0]


def _stretched(name: str, a: float) -> float:
    atoms = crystal(name)
    atoms.set_cell([a] * 3, scale_atoms=True)
    atoms.calc = Pairs()
    return atoms.get_potential_energy() / len(atoms)


def test_kept_energies_are_not_computed_again_and_failures_leave_the_rest(tmp_path):
    phases = [Phase("magnesia", crystal("MgO")), Phase("sylvite", crystal_of("KCl", "rocksalt", a=6.3, cubic=True))]
    heard = []
    first = entries_of(phases, Pairs(), "pairs", Bulking(steps=0), keep=tmp_path, tell=heard.append)
    assert len(first.entries) == 1
    assert any("sylvite is left out" in note and "KeyError" in note for note in first.notes)

    class Never(Pairs):
        def calculate(self, *args, **kwargs):
            raise RuntimeError("was asked")

    again = entries_of(phases[:1], Never(), "pairs", Bulking(steps=0), keep=tmp_path)
    assert again.of("MgO").energy == pytest.approx(first.of("MgO").energy, abs=1e-12)
    with pytest.raises(AtomsError, match=r"no phase could be computed .*was asked"):
        entries_of(phases[:1], Never(), "other pairs", Bulking(steps=0), keep=tmp_path)


def test_oxidation_states_become_charges():
    assert atoms_of(Phase("magnesia", crystal("MgO")).structure).get_initial_charges().sum() == 0
    assert set(atoms_of(Phase("magnesia", crystal("MgO")).structure).get_initial_charges()) == {2.0, -2.0}
