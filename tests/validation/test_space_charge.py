"""Equilibrium against closed forms: A01, A03, A04, A17, A18, A19 and C01 of the reference collection.

Tolerance: 1e-4 unless a case is exact; the second-order error of the default mesh in the charge is 2e-4
before and 1e-5 after `resolved`, which every run uses, has moved the nodes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import AVOGADRO, ELEMENTARY_CHARGE, FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.laws import Constant
from ionics.transport.adapt import resolved
from ionics.transport.balance import profiles
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.stack import (
    Carrier,
    Junction,
    Material,
    Species,
    bulk_potential,
    debye_length,
    neutral_charge,
    reservoir,
    transfer,
)
from ionics.transport.statistics import Dilute, Lattice
from tests.cells import (
    ANION,
    CATION,
    ELECTRON,
    HOLE,
    LITHIUM,
    T,
    half_space,
    lattice,
    layer,
    salt,
    semiconductor,
    stack,
)


def charge(solution):
    """In the electrolyte, C m-2: opposite to that of the metal on its left."""
    return -float(solution.state.displacement[0])


def capacitance(cell, voltage):
    """d(metal charge)/d(potential of the metal against the bulk), by implicit differentiation."""
    _, slope = jax.jvp(
        lambda v: equilibrium(cell, voltage=-v, throw=False).state.displacement[0],
        (jnp.asarray(voltage),),
        (jnp.ones(()),),
    )
    return float(slope)


def test_gouy_chapman_charge_profile_and_capacitance(reference):
    """A01."""
    case = reference["A01"]["reference"]
    cell = half_space(salt(100.0, eps=78.49), 40e-9, [CATION, ANION])
    assert float(debye_length(cell.layers[0].material, T)) == pytest.approx(case["lamD_m"], rel=1e-10)
    cell, solution = resolved(cell, voltage=-0.1)
    assert -charge(solution) == pytest.approx(case["q_C_m2"], rel=1e-4)
    assert capacitance(cell, 0.1) == pytest.approx(case["C_F_m2"], rel=1e-4)
    assert capacitance(cell, 0.0) == pytest.approx(case["C0_F_m2"], rel=1e-4)
    shape = profiles(cell, solution.state)
    for multiple, name in ((1, "phi_at_lamD_V"), (3, "phi_at_3lamD_V")):
        phi = np.interp(multiple * case["lamD_m"], shape.x, shape.potential + 0.1)
        # linear interpolation between nodes adds h^2 phi''/8: an order of magnitude above the solution's own error
        assert phi == pytest.approx(case[name], rel=5e-4)


@pytest.mark.parametrize("surface", [-0.5, -0.1, 0.1, 0.5])
def test_lattice_gas_space_charge(reference, surface):
    """A03: charge, capacitance and occupancy at a surface potential, from full accumulation to deep depletion."""
    case, parameters = reference["A03"]["reference"], reference["A03"]["parameters"]
    material = lattice(parameters["N_sites"], parameters["theta_bulk"])
    cell = half_space(material, 200e-9, [LITHIUM])
    assert float(debye_length(material, T)) == pytest.approx(case["lamD_m"], rel=1e-10)
    default = equilibrium(cell, voltage=-surface)
    name = f"phi_s={surface} V"
    assert charge(default) == pytest.approx(case[f"q({name})_C_m2"], rel=3e-4)
    cell, solution = resolved(cell, voltage=-surface)
    assert charge(solution) == pytest.approx(case[f"q({name})_C_m2"], rel=2e-5)
    assert capacitance(cell, surface) == pytest.approx(case[f"C({name})_F_m2"], rel=1e-4)
    occupancy = float(profiles(cell, solution.state).occupancy[0, 0])
    expected = case[f"occ_surface({surface} V)"]
    assert (
        1 - occupancy == pytest.approx(1 - expected, rel=1e-3)
        if surface < 0
        else occupancy == pytest.approx(expected, rel=1e-6)
    )


def depleted(material, species, band, thickness):
    """A metal in equilibrium with the carrier holds the surface `band` volts above the bulk; the bulk on the right."""
    carrier = material.carriers[0]
    level = bulk_potential(carrier, jnp.asarray(T)) - carrier.species.charge * FARADAY * band
    left = Junction("left contact", (transfer(carrier.species.name, None, level),))
    right = Junction("right contact", reservoir(material, "right", T))
    return stack(species, [layer(material, thickness)], [left, right])


def excess_resistance(cell):
    """Direct-current resistance beyond that of the neutral layer, Ohm m2."""
    cell, solution = resolved(cell)
    z = float(impedance(cell, solution, 1e-9).z[0].real)
    carrier, thickness = cell.layers[0].material.carriers[0], float(cell.layers[0].thickness)
    sigma = FARADAY**2 * carrier.diffusivity(T) * carrier.sites * carrier.occupancy / (GAS * T)
    return z - thickness / float(sigma), z


@pytest.mark.parametrize(
    ("band", "name"),
    [
        (0.1, "R_depletion(phi_s=0.1 V, D=1e-12)_Ohm_m2"),
        (0.3, "R_depletion(phi_s=0.3 V, D=1e-12)_Ohm_m2"),
        (0.5, "R_depletion(phi_s=0.5 V, D=1e-12)_Ohm_m2"),
        (-0.3, "R_accumulation(phi_s=-0.3 V)_Ohm_m2"),
    ],
)
def test_depletion_resistance_is_exponential_in_the_band_bending(reference, band, name):
    """A03: from a small surplus to 55.9 Ohm m2, six decades, through the same conduction law."""
    cell = depleted(lattice(1000.0, 0.1), [LITHIUM], band, 20e-9)
    excess, total = excess_resistance(cell)
    # the neutral layer's own resistance is subtracted, so the tolerance counts relative to the larger of the two
    expected = reference["A03"]["reference"][name]
    assert excess == pytest.approx(expected, abs=1e-4 * max(abs(expected), total))


def test_mott_schottky_depletion_exactly(reference):
    """A04: charge, capacitance and excess resistance of a depletion layer in a doped conductor."""
    case, parameters = reference["A04"]["reference"], reference["A04"]["parameters"]
    donors = parameters["N_donor_mol_m3"]
    carrier = Carrier(ELECTRON, Dilute(), 1.0, donors, Constant(1e-6))
    material = Material("donor-doped", (carrier,), parameters["eps_r"], neutral_charge((carrier,)))
    thickness = 100e-9
    cell, solution = resolved(half_space(material, thickness, [ELECTRON]), voltage=parameters["V_bend"])
    assert charge(solution) == pytest.approx(case["Q_exact_C_m2"], rel=1e-4)
    assert capacitance(cell, -parameters["V_bend"]) == pytest.approx(case["C_exact_F_m2"], rel=1e-4)
    cell = depleted(material, [ELECTRON], -parameters["V_bend"], thickness)
    excess, _ = excess_resistance(cell)
    sigma = FARADAY**2 * 1e-6 * donors / (GAS * T)
    assert excess * sigma == pytest.approx(case["int_exp_u_minus1_dx_m"], rel=1e-4)


def test_donnan_equilibrium_of_a_charged_layer(reference):
    """A17."""
    case = reference["A17"]["reference"]
    solution_side = salt(10.0, eps=80.0, name="solution")
    membrane = salt(100.0, eps=80.0, fixed=-100.0, anion=1.0, name="membrane")
    cell = stack(
        [CATION, ANION],
        [layer(solution_side, 100e-9, name="solution"), layer(membrane, 40e-9, name="membrane")],
        [
            Junction("left contact", reservoir(solution_side, "left", T)),
            Junction("junction", (transfer("C+"), transfer("A-"))),
            Junction("right contact"),
        ],
    )
    cell, state = resolved(cell, voltage=case["phi_Donnan_V"])
    shape = profiles(cell, state.state)
    assert float(shape.potential[-1]) == pytest.approx(case["phi_Donnan_V"], rel=1e-6)
    assert float(shape.concentration[0, -1]) == pytest.approx(case["c_plus_inside"], rel=1e-6)
    assert float(shape.concentration[1, -1]) == pytest.approx(case["c_minus_inside"], rel=1e-6)
    nodes = cell.layers[0].nodes
    assert float(shape.potential[nodes]) == pytest.approx(case["phi_interface_V"], rel=1e-4)
    assert float(shape.potential[nodes]) == float(shape.potential[nodes - 1])


def test_pn_junction(reference):
    """A18: built-in potential to rounding, field and potential at the junction from the first integral."""
    case, p = reference["A18"]["reference"], reference["A18"]["parameters"]
    moles = 1e6 / AVOGADRO
    ni, na, nd = (p[key] * moles for key in ("ni_cm3", "Na_cm3", "Nd_cm3"))
    holes = na / 2 + np.hypot(na / 2, ni)
    electrons = nd / 2 + np.hypot(nd / 2, ni)
    acceptor = semiconductor(ni**2 / holes, holes, p["eps_r"], name="p")
    donor = semiconductor(electrons, ni**2 / electrons, p["eps_r"], name="n")
    cell = stack(
        [ELECTRON, HOLE],
        [layer(acceptor, 300e-9, name="p"), layer(donor, 1e-6, name="n")],
        [
            Junction("left contact", reservoir(acceptor, "left", T)),
            Junction("junction", (transfer("e-"), transfer("h+"))),
            Junction("right contact", reservoir(donor, "right", T)),
        ],
    )
    cell, solution = resolved(cell)
    assert float(solution.state.voltage) == pytest.approx(case["Vbi_V"], rel=1e-9)
    field = abs(float(solution.state.displacement[1])) / (p["eps_r"] * VACUUM_PERMITTIVITY)
    assert field == pytest.approx(case["Emax_exact_V_m"], rel=1e-4)
    junction = float(solution.state.phi[cell.layers[0].nodes] - solution.state.phi[0])
    assert junction == pytest.approx(case["phi_junction_minus_p_bulk_V"], rel=1e-4)


@pytest.mark.parametrize("difference", [0.1, 0.5, -0.5, "soft"])
def test_ionic_heterojunction(reference, difference):
    """A19: two lattice conductors in contact share the potential step so that their charges cancel."""
    case, parameters = reference["A19"]["reference"], reference["A19"]["parameters"]
    soft = difference == "soft"
    sides = parameters["soft"] if soft else (parameters["phase1"], parameters["phase2"])
    name = "soft" if soft else f"dPhi={difference} V"
    volts = case["soft: phi_s1_V"] - case["soft: phi_s2_V"] if soft else difference
    one, two = (lattice(s["N"], s["th"], eps=s["er"], name=n) for s, n in zip(sides, ("one", "two"), strict=True))
    # phi2 - phi1 = -(mu2 - mu1)/F in the bulk fixes the difference of standard potentials
    own = [float(bulk_potential(m.carriers[0], jnp.asarray(T))) for m in (one, two)]
    two = lattice(sides[1]["N"], sides[1]["th"], eps=sides[1]["er"], mu0=-FARADAY * volts + own[0] - own[1], name="two")
    thickness = [60 * float(debye_length(m, T)) for m in (one, two)]
    cell = stack(
        [LITHIUM],
        [layer(one, thickness[0], name="one"), layer(two, thickness[1], name="two")],
        [
            Junction("left contact", reservoir(one, "left", T)),
            Junction("junction", (transfer("Li+"),)),
            Junction("right contact", reservoir(two, "right", T)),
        ],
    )
    cell, solution = resolved(cell)
    assert float(solution.state.voltage) == pytest.approx(volts, rel=1e-9)
    n = cell.layers[0].nodes
    shape = profiles(cell, solution.state)
    # the charge of phase 1 is -(displacement at the junction) because its bulk has no field
    q1 = float(solution.state.displacement[1])
    assert q1 == pytest.approx(case[f"{name}: q1_C_m2"], rel=1e-4)
    suffix = "_V" if soft else "(rel bulk 1)_V"
    assert float(shape.potential[n - 1]) == pytest.approx(case[f"{name}: phi_s1{suffix}"], rel=1e-4)
    if not soft:
        assert float(shape.potential[n]) - volts == pytest.approx(case[f"{name}: phi_s2(rel bulk 2)_V"], rel=1e-4)
        assert float(shape.occupancy[0, n - 1]) == pytest.approx(case[f"{name}: occ1"], rel=1e-3)
        assert float(shape.occupancy[0, n]) == pytest.approx(case[f"{name}: occ2"], rel=1e-4)


@pytest.mark.parametrize("name", ["LLZO", "Li2CO3"])
def test_lithium_metal_on_a_solid_electrolyte(reference, name):
    """C01 (Swift, Swift, Qi 2021): a site-limited defect pair from superionic to insulating.

    Li2CO3 spans eight decades of length: 1.8 V fall over 0.07 nm at the metal while the bulk screens over 0.7 mm.
    """
    case, common = reference["C01"]["cases"][name], reference["C01"]["common"]
    temperature = common["T"]
    sites = common["alpha"] * case["N"] * 1e6 / AVOGADRO
    weight = common["alpha"] * np.exp(case["Ef0"] / (common["kB_eV"] * temperature))
    species = [Species("Li_i+", 1), Species("V_Li-", -1)]
    carriers = tuple(Carrier(s, Lattice(), sites, 1 / (weight + 1), Constant(1e-12)) for s in species)
    material = Material(name, carriers, case["eps_r"], 0.0)
    unit = case["lambda_A"] * 1e-10
    thickness = 30 * max(float(debye_length(material, temperature)), 20 * unit)
    cell = half_space(material, thickness, species, temperature=temperature)
    cell, solution = resolved(cell, voltage=case["phi_inf"])
    thermal = float(cell.thermal_voltage)
    slope = -charge(solution) * unit / (case["eps_r"] * VACUUM_PERMITTIVITY * thermal)
    assert slope == pytest.approx(case["fprime0"], rel=1e-4)
    # published with the code, in round constants (kT in four digits)
    assert -charge(solution) / ELEMENTARY_CHARGE * 1e-18 == pytest.approx(case["sigma_e_nm2"], rel=1e-4)
    shape = profiles(cell, solution.state)
    # where the curve is flat a millivolt is a nanometre: compare the potential at the published depth
    for volts, depth in (
        (1.24, case["x_at_1p24V_A"]),
        (1.62, case["x_at_1p62V_A"]),
        (case["phi_inf"] / 2, case["x_at_half_A"]),
    ):
        found = np.interp(np.log(depth * 1e-10), np.log(np.asarray(shape.x)[1:]), np.asarray(shape.potential)[1:])
        assert found == pytest.approx(volts, rel=2e-4)
