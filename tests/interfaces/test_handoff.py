"""What atoms hand over: constants by closed forms and invariants, files that the solver takes to published answers."""

import math

import numpy as np
import pytest

import ionics
from ionics.constants import AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, PLANCK, VACUUM_PERMITTIVITY
from ionics.interfaces import continuum
from ionics.interfaces.continuum import Hop
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.handoff import (
    CHARGE_TRANSFER,
    crossing,
    defect_pair,
    film_stress,
    handover,
    layer,
    lithium_metal,
    single_ion,
)
from ionics.interfaces.stacks import electrode_stack, lithium_stack

KT = BOLTZMANN * 300 / ELEMENTARY_CHARGE  # eV


def said(value, unit="", error=0.0, **words):
    words = {"source": "a made-up crystal; a made-up model 1.0", "method": "chosen for the test"} | words
    return Estimate(value, unit, uncertainty=None if "factor" in words else error, **words)


def hop(barrier=0.31, error=0.05, directions=6, dimensions=3):
    return Hop(
        said(barrier, "eV", error), said(3.0, "angstrom", 0.0), said(10.0, "THz", factor=2.0), directions, dimensions
    )


def test_a_walker_on_a_cubic_lattice_diffuses_with_the_square_of_its_step_times_its_rate():
    rate = 1e13 * math.exp(-0.31 / KT)
    found = hop().diffusivity(300)
    assert found.unit == "m^2/s"
    assert found.value == pytest.approx(
        (3e-10) ** 2 * rate, rel=1e-12
    )  # six ways, three dimensions: a^2 times the rate of one
    assert hop(directions=2, dimensions=1).diffusivity(300).value == pytest.approx(found.value, rel=1e-12)
    assert found.factor == pytest.approx(math.exp(math.hypot(0.05 / KT, math.log(2))), rel=1e-12)


def test_a_random_walk_has_the_diffusivity_of_its_hops():
    """The same formula against walkers: jumps of a length in one of four directions in a plane, at random times."""
    rng, walkers, jumps = np.random.default_rng(1), 4000, 400
    ways = 3.0 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    ends = ways[rng.integers(4, size=(walkers, jumps))].sum(axis=1)
    one = hop(directions=4, dimensions=2)
    rate = 4 * one.attempt.value * 1e12 * math.exp(-one.barrier.value / KT)
    walked = (ends**2).sum(axis=1).mean() * 1e-20 / (2 * 2 * jumps / rate)
    # the mean of squares of 4000 walkers scatters by 1/sqrt(4000) = 1.6 %: three of that
    assert one.diffusivity(300).value == pytest.approx(walked, rel=0.05)


@pytest.mark.parametrize("split", [0.0, 0.08, -0.2])
def test_a_hop_across_has_the_rates_of_its_two_barriers_whatever_the_ends_are_worth(split):
    """Rates of theta (1 - theta') n nu exp(-E/kT) each way are what the law makes of the one barrier handed over."""
    import jax.numpy as jnp

    from ionics.constants import FARADAY, GAS
    from ionics.kinetics.eyring import Eyring
    from ionics.kinetics.rates import ButlerVolmer

    forward, backward, nu, sites = 0.4 + split / 2, 0.4 - split / 2, 8.0, 5e18
    barrier = continuum.across(said(forward, "eV"), said(backward, "eV"), said(nu, "THz"), 300)
    theta = 0.3, 0.8
    jumps = sites / AVOGADRO * nu * 1e12
    there = theta[0] * (1 - theta[1]) * jumps * math.exp(-forward / KT)
    back = theta[1] * (1 - theta[0]) * jumps * math.exp(-backward / KT)
    law = ButlerVolmer(Eyring(sites / AVOGADRO, barrier.value * ELEMENTARY_CHARGE * AVOGADRO), 0.5, True)
    activities = jnp.log(theta[0] * (1 - theta[1])), jnp.log(theta[1] * (1 - theta[0]))
    affinity = GAS * 300 * (activities[0] - activities[1] - split / KT)
    residual = law.residual(jnp.asarray(0.0), affinity, 1, activities, jnp.asarray(300.0))
    assert -float(residual) / FARADAY == pytest.approx(there - back, rel=1e-9)  # constants in 10 digits


def test_an_attempt_frequency_of_kt_over_h_leaves_the_barrier_as_it_is():
    usual = BOLTZMANN * 300 / PLANCK * 1e-12
    found = continuum.across(said(0.5, "eV", 0.1), said(0.3, "eV", 0.1), said(usual, "THz"), 300)
    assert found.value == pytest.approx(0.4, abs=1e-12)
    assert found.uncertainty == pytest.approx(0.1, abs=1e-12)  # both barriers have the same saddle: no gain from two


def test_a_hop_without_a_barrier_is_refused_with_what_to_write_instead():
    with pytest.raises(AtomsError, match="law: equilibrium"):
        continuum.across(said(0.01, "eV"), said(0.0, "eV"), said(10, "THz"), 300)


def test_occupancy_of_a_neutral_crystal_and_its_error():
    few = continuum.neutral_occupancy(said(0.9, "eV", 0.1), 300)
    assert few.value == pytest.approx(math.exp(-0.9 / KT), rel=1e-12)
    assert few.factor == pytest.approx(math.exp(0.1 / KT), rel=1e-9)
    half = continuum.neutral_occupancy(said(0.0, "eV", 0.1), 300)
    assert half.value == 0.5
    up = continuum.neutral_occupancy(said(-1e-4, "eV"), 300)
    assert math.log(half.factor) / 0.1 == pytest.approx(math.log(up.value / 0.5) / 1e-4, rel=2e-3)  # a difference


def test_a_pair_that_is_nearer_is_bound_by_as_much_as_point_charges_attract():
    found = continuum.unbound(said(1.0, "eV", 0.1), 5.0, said(10.0))
    bond = ELEMENTARY_CHARGE / (4 * math.pi * VACUUM_PERMITTIVITY * 10 * 5e-10)
    assert found.value == pytest.approx(1.0 + bond, rel=1e-9)
    assert found.uncertainty == pytest.approx(math.hypot(0.1, bond), rel=1e-9)


def test_lithium_swells_its_host_by_the_volume_between_two_cells():
    found = continuum.partial_molar_volume(400.0, 396.0, 2, 0.2, "LiCoO2")
    assert found.value == pytest.approx(2e-30 * AVOGADRO)
    assert found.uncertainty == pytest.approx(0.1e-30 * AVOGADRO)
    assert found.unit == "m^3/mol"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hop(barrier=-0.1), "barrier of a hop is -0.1 eV"),
        (lambda: Hop(said(0.3, "kJ/mol"), said(3, "angstrom"), said(10, "THz"), 4), "given in kJ/mol"),
        (lambda: hop(dimensions=4), "1, 2 or 3"),
        (lambda: continuum.per_defect(said(math.nan, "eV")), "failed"),
        (lambda: continuum.site_limited(said(0.1, "eV"), 0.0, 300), "above 0, at most 1"),
        (lambda: crossing(said(0.0, "eV"), said(1e18, "1/m^2")), "barrier of a junction"),
        (lambda: lithium_metal(barrier=said(0.3, "eV")), "both, or neither"),
        (lambda: film_stress(said(1e-6, "m^3/mol"), said(100, "GPa"), said(0.7), "0.5"), "Poisson"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, words):
    with pytest.raises(AtomsError, match=words):
        make()


SAID = {"atoms": "a made-up crystal", "models": "a made-up model 1.0", "settings": "chosen for a test"}


def electrolyte(error=0.02):
    return defect_pair(
        said(10.0, "", 2.0), said(63000.0, "mol/m^3", 1000.0), said(0.30, "eV", error), hop(), hop(0.25), 300, "0.3 nm"
    )


def junction_file(**changes):
    """Electrolyte | cathode as the flow of an interface hands it over; changes: of the arguments."""
    profile = {"position": ["18 nm", "19.5 nm"], "energy": ["0 eV", said(0.1, "eV", 0.05)]}
    both = {"Li+": {"energy": profile}, "V_Li-": {"energy": profile}}
    parts = {
        "title": "Li3PO4: beside LiCoO2",
        "temperature": 300.0,
        "materials": {"electrolyte of atoms": electrolyte()},
        "layers": [
            layer("electrolyte", "electrolyte of atoms", "20 nm", nodes=101, profiles=both),
            layer("cathode", "LiCoO2", "20 nm", nodes=101, occupancy={"Li": 0.6}),
        ],
        "left": {"contact": "reservoir"},
        "right": {"contact": "ohmic"},
        "junctions": {
            "electrolyte | cathode": crossing(said(0.5, "eV", 0.1), said(5e18, "1/m^2", 1e17), said(-0.2, "V", 0.1))
        },
        "study": {
            "state_of_charge": {"cathode": {"Li": 0.6}},
            "impedance": {"from": "1 Hz", "to": "1 MHz", "points": 3},
        },
    }
    return handover(**(parts | SAID | changes))


def load(tmp_path, made):
    return ionics.load(made.write(tmp_path / "stack.yaml"))


def test_the_file_is_what_the_door_accepts_with_every_number_as_it_was_handed_over(tmp_path):
    made = junction_file()
    study = load(tmp_path, made)
    assert "models: a made-up model 1.0" in study.config.source
    stack = study.stack
    carrier = stack.layers[0].material.carrier("Li+")
    assert float(carrier.diffusivity(300.0)) == pytest.approx(hop().diffusivity(300).value, rel=1e-5)  # six digits
    expected = continuum.neutral_occupancy(said(0.30, "eV"), 300).value
    assert float(carrier.occupancy) == pytest.approx(expected, rel=1e-5)
    assert made.estimates["stack.junctions.electrolyte | cathode.space_charge_potential"].uncertainty == 0.1
    assert [one.name for one in stack.layers] == ["electrolyte", "cathode"]


def test_the_file_runs_and_the_step_is_the_one_handed_over(tmp_path):
    """Far behind both space charges the bulks differ by the flat-band step plus what was handed over."""
    from ionics.transport.adapt import resolved
    from ionics.transport.balance import profiles
    from ionics.transport.stack import bulk_step

    study = load(tmp_path, junction_file())
    cell, solution = resolved(study.stack, occupancy=study.occupancy)
    shape = profiles(cell, solution.state)
    potential, where = np.asarray(shape.potential), np.asarray(shape.layer)
    step = potential[where == 1][-1] - potential[where == 0][0]
    assert float(cell.junctions[1].step) == pytest.approx(float(bulk_step(cell, 1)) + 0.2, abs=1e-9)
    faces = potential[where == 1][0] - potential[where == 0][-1]
    # the layer is 20 nm, its Debye length 0.3 nm: what is left of the space charge at its other end is exp(-60)
    assert step - faces == pytest.approx(-0.2, abs=1e-6)


def test_one_number_at_two_places_is_written_once_so_that_nothing_can_part_them():
    """Both defects of a pair have one formation energy and one density of sites: apart they would dope the crystal."""
    text = junction_file().text()
    assert text.count("formation_energy: &formation_energy") == 1
    assert text.count("formation_energy: *formation_energy") == 1
    assert text.count("sites: *sites") == 1


def test_a_barrier_less_certain_than_it_is_high_stays_positive():
    made = junction_file(
        junctions={"electrolyte | cathode": crossing(said(0.2, "eV", 0.15), said(5e18, "1/m^2", 1e17))}
    )
    key = "stack.junctions.electrolyte | cathode.reactions.Li+ + e- <-> Li.eyring.barrier"
    assert made.estimates[key].factor == pytest.approx(math.exp(0.75))
    assert "stays positive" in made.estimates[key].method


def test_films_single_ions_and_kinetics_at_the_metal_are_accepted(tmp_path):
    stress = film_stress(said(1e-6, "m^3/mol", 1e-7), said(100.0, "GPa", 10.0), said(0.25, "", 0.02), "0.5")
    glass = single_ion(said(13.0, "", 1.0), said(6e4, "mol/m^3", 1e3), said(0.6, "", 0.05), hop())
    glass["carriers"]["Li+"]["stress"] = stress
    study = load(
        tmp_path,
        junction_file(
            materials={"electrolyte of atoms": glass},
            left=lithium_metal(said(0.1, "V", 0.05), said(0.4, "eV", 0.05), said(1e19, "1/m^2", 1e18)),
            layers=[
                layer("electrolyte", "electrolyte of atoms", "20 nm", nodes=101),
                layer("cathode", "LiCoO2", "20 nm", nodes=101, occupancy={"Li": 0.6}),
            ],
        ),
    )
    assert study.stack.layers[0].material.carriers[0].stress is not None
    assert study.stack.junctions[0].reactions[0].law.occupancy_dependent


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": " "}, "nothing is said about the models"),
        (
            {"junctions": {"cathode | electrolyte": crossing(said(0.5, "eV"), said(1e18, "1/m^2"))}},
            "no junction cathode",
        ),
        ({"left": {"contact": "lithium", "dipole": said(math.inf, "V")}}, "the estimate at stack.left.dipole"),
        ({"left": {"contact": "lithium", "dipole": said(0.1, "V", source="")}}, "does not say where"),
        ({"left": {"contact": object()}}, "cannot stand in a stack file"),
    ],
)
def test_a_file_that_would_not_say_what_it_is_is_refused(changes, words):
    with pytest.raises(AtomsError, match=words):
        junction_file(**changes).text()


# Swift, Swift and Qi, Nat. Comput. Sci. 1 (2021) 212, doi:10.1038/s43588-021-00041-y: inputs and answers published with
# the code of the paper at 300 K and alpha = 0.1: e phi [eV], sites [1/cm3], Ef0 [eV], permittivity; x1 [A], sigma
# [e/nm2], C [uF/cm2] with half of their last printed digit.
DOUBLE_LAYERS = {
    "LLZO": (1.6216363422810787, 3.27455e22, 0.0143907397384, 50.0, 16.2683, -5.3271, 52.6322),
    "Li2CO3": (1.844417907251016, 1.64940788011e22, 0.9110166485045346, 5.64, 6.1259, -1.0104, 8.7771),
    "Li2O (111)": (2.183321390809776, 8.08106e22, 0.8601251285608837, 7.27, 3.7080, -2.9964, 21.9886),
    "Li2O (110)": (0.7104936557674408, 8.08106e22, 0.8601251285608837, 7.27, 0.0881, -0.0712, 1.6051),
    "LiF": (1.9160630915364418, 5.98412e22, 0.9733510180664657, 9.0, 4.0817, -2.4425, 20.4241),
}
ALPHA = 0.1


def beside_lithium(name):
    """Lithium on an electrolyte as published, handed over: 30 Debye lengths of it."""
    volts, sites, energy, permittivity, *_ = DOUBLE_LAYERS[name]
    words = {"source": f"{name} on lithium; Swift, Swift, Qi 2021", "method": "published density functional theory"}
    full = continuum.site_limited(said(energy, "eV", **words), ALPHA, 300)
    per_volume = ALPHA * sites * 1e6
    moving = said(1e-12, "m^2/s", method="chosen: at rest nothing moves")
    pair = defect_pair(
        said(permittivity, **words), said(per_volume / AVOGADRO, "mol/m^3", **words), full, moving, moving, 300
    )
    ratio = math.exp(full.value / KT)
    scale = math.sqrt(permittivity * VACUUM_PERMITTIVITY * KT / (per_volume * ELEMENTARY_CHARGE))
    thickness = 30 * scale * max((1 + ratio) / math.sqrt(2 * ratio), 20)
    return lithium_stack(
        (name, pair), said(volts, "V", **words), 300.0, f"{thickness * 1e9:.9g} nm", title=f"Li | {name}", **SAID
    )


@pytest.mark.parametrize("name", DOUBLE_LAYERS)
def test_published_inputs_handed_over_give_the_published_double_layer(tmp_path, name):
    from ionics.transport.adapt import resolved
    from ionics.transport.balance import profiles

    volts, sites, _, _, depth, charge, capacitance = DOUBLE_LAYERS[name]
    cell, solution = resolved(load(tmp_path, beside_lithium(name)).stack)
    found = float(solution.state.displacement[0]) / ELEMENTARY_CHARGE * 1e-18  # of the metal, e/nm2
    # the mesh errs by 1e-5; estimates are written in six digits, energies of 36 kT then err by 2e-5
    assert found == pytest.approx(charge, rel=5e-5, abs=0.51e-4)
    assert -found / (ALPHA * sites * 1e-21) * 10 == pytest.approx(depth, rel=5e-5, abs=0.51e-4)
    assert -found / volts * 16.0218 == pytest.approx(capacitance, rel=5e-5, abs=0.51e-4)
    shape = profiles(cell, solution.state)
    potential = np.asarray(shape.potential)
    assert potential[-1] - potential[0] == pytest.approx(volts, abs=6e-6)  # half of the sixth digit


def stack_of(side, electrode, **changes):
    """An electrode on either side, mirrored as a whole."""
    sign = 1 if side == "left" else -1
    parts = {
        "electrode": ("cathode", electrode), "electrolyte": ("electrolyte", electrolyte()), "side": side,
        "barrier": said(0.5, "eV", 0.1), "sites": said(5e18, "1/m^2", 1e17), "step": said(0.2 * sign, "V", 0.1),
        "temperature": 300.0, "title": "mirrored",
    }  # fmt: skip
    return electrode_stack(**(parts | SAID | changes))


def test_an_electrode_on_the_left_is_the_mirror_image_of_one_on_the_right(tmp_path):
    """Also that the parts, signs and ends that belong to a side follow it."""
    from ionics.transport.adapt import resolved
    from ionics.transport.balance import profiles

    found = {}
    for side in ("left", "right"):
        frozen = single_ion(said(13.0), said(51555.0, "mol/m^3"), said(0.6), said(1e-14, "m^2/s"))
        study = load(tmp_path, stack_of(side, frozen))
        assert [one.name for one in study.stack.layers][side == "right"] == "cathode"
        cell, solution = resolved(study.stack)
        shape = profiles(cell, solution.state)
        found[side] = np.asarray(shape.potential) - float(shape.potential[0])
    mirrored = found["right"][::-1] - found["right"][-1]
    np.testing.assert_allclose(found["left"], mirrored, atol=1e-6)  # meshes move to 1e-5 RT/F


def test_a_library_electrode_needs_its_filling_and_holds_it(tmp_path):
    with pytest.raises(AtomsError, match="how much lithium cathode holds"):
        stack_of("right", "LiCoO2")
    with pytest.raises(AtomsError, match="left or right"):
        stack_of("top", "LiCoO2")
    made = stack_of("left", "LiCoO2", occupancy=said(0.6))
    assert "Li+ + e- <-> Li" in made.text()
    study = load(tmp_path, made)
    assert study.occupancy[("cathode", "Li")] == pytest.approx(0.6)


def test_the_charge_transfer_of_the_library_is_that_of_the_hand_over():
    assert CHARGE_TRANSFER in junction_file().document["stack"]["junctions"]["electrolyte | cathode"]["reactions"]
