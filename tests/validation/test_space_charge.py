"""Equilibrium against closed forms: A01, A03, A04, A17, A18, A19, C01 and a heterojunction of mixed conductors, D04.

Tolerance: 1e-4 unless a case is exact; the second-order error of the default mesh in the charge is 2e-4
before and 1e-5 after `resolved`, which every run uses, has moved the nodes.
"""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit

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
from tests.validation.record import compare, curve


def first_integral(field, volts):
    """Distances [m] from where the potential [V] is the first of `volts` to each of them, by quadrature of dphi/E."""
    x = [0.0]
    for one, other in itertools.pairwise(volts):
        x.append(x[-1] + abs(quad(lambda phi: 1 / field(phi), one, other, epsabs=0, epsrel=1e-9)[0]))
    return np.array(x)


def lattice_field(sites, theta, eps):
    """Size of the field [V m-1] over the potential against the bulk [V] in a lattice gas (A03)."""

    def field(volts):
        u = volts * FARADAY / (GAS * T)
        energy = np.log(1 - theta + theta * np.exp(-u)) + theta * u
        return np.sqrt(2 * GAS * T * sites * energy / (eps * VACUUM_PERMITTIVITY))

    return field


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
    compare("A01", "Debye length", debye_length(cell.layers[0].material, T), case["lamD_m"], 1e-10)
    cell, solution = resolved(cell, voltage=-0.1)
    compare("A01", "charge", -charge(solution), case["q_C_m2"], 1e-4)
    compare("A01", "capacitance at 0.1 V", capacitance(cell, 0.1), case["C_F_m2"], 1e-4)
    compare("A01", "capacitance at 0 V", capacitance(cell, 0.0), case["C0_F_m2"], 1e-4)
    shape = profiles(cell, solution.state)
    x, potential = np.asarray(shape.x), np.asarray(shape.potential) + 0.1
    for multiple, name in ((1, "phi_at_lamD_V"), (3, "phi_at_3lamD_V")):
        # linear interpolation between nodes adds h^2 phi''/8: an order of magnitude above the solution's own error
        compare("A01", f"φ({multiple} λ)", np.interp(multiple * case["lamD_m"], x, potential), case[name], 5e-4)
    thermal = GAS * T / FARADAY
    exact = 4 * thermal * np.arctanh(np.tanh(0.1 / (4 * thermal)) * np.exp(-x / case["lamD_m"]))
    near = x < 5 * case["lamD_m"]
    compare("A01", "φ on all nodes within 5 λ", potential[near], exact[near], 1e-4, scale=0.1)
    axes = "x [nm]", "potential against the bulk [V]"
    curve("A01", "φ", axes, (x[near] * 1e9, potential[near]), (x[near] * 1e9, exact[near]))


@pytest.mark.parametrize("surface", [-0.5, -0.1, 0.1, 0.5])
def test_lattice_gas_space_charge(reference, surface):
    """A03: charge, capacitance and occupancy at a surface potential, from full accumulation to deep depletion."""
    case, parameters = reference["A03"]["reference"], reference["A03"]["parameters"]
    material = lattice(parameters["N_sites"], parameters["theta_bulk"])
    cell = half_space(material, 200e-9, [LITHIUM])
    compare("A03", "Debye length", debye_length(material, T), case["lamD_m"], 1e-10)
    default = equilibrium(cell, voltage=-surface)
    name = f"phi_s={surface} V"
    compare("A03", f"charge at {surface} V, first mesh", charge(default), case[f"q({name})_C_m2"], 3e-4)
    cell, solution = resolved(cell, voltage=-surface)
    compare("A03", f"charge at {surface} V", charge(solution), case[f"q({name})_C_m2"], 2e-5)
    compare("A03", f"capacitance at {surface} V", capacitance(cell, surface), case[f"C({name})_F_m2"], 1e-4)
    occupancy = float(profiles(cell, solution.state).occupancy[0, 0])
    expected = case[f"occ_surface({surface} V)"]
    if surface < 0:
        compare("A03", f"empty sites at {surface} V", 1 - occupancy, 1 - expected, 1e-7)
    else:
        compare("A03", f"occupancy at {surface} V", occupancy, expected, 1e-10)
    theta, volts = parameters["theta_bulk"], np.linspace(-0.5, 0.5, 101)
    field = lattice_field(parameters["N_sites"], theta, parameters["eps_r"])
    exact = -np.sign(volts) * parameters["eps_r"] * VACUUM_PERMITTIVITY * field(volts)
    axes = "surface potential [V]", "charge [C m⁻²]"
    curve("A03", "charge", axes, ([surface], [charge(solution)]), (volts, exact))


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
    compare("A03", f"resistance at {band} V", excess, expected, 1e-4, scale=max(abs(expected), total))


def test_mott_schottky_depletion_exactly(reference):
    """A04: charge, capacitance and excess resistance of a depletion layer in a doped conductor."""
    case, parameters = reference["A04"]["reference"], reference["A04"]["parameters"]
    donors = parameters["N_donor_mol_m3"]
    carrier = Carrier(ELECTRON, Dilute(), 1.0, donors, Constant(1e-6))
    material = Material("donor-doped", (carrier,), parameters["eps_r"], neutral_charge((carrier,)))
    thickness = 100e-9
    cell, solution = resolved(half_space(material, thickness, [ELECTRON]), voltage=parameters["V_bend"])
    compare("A04", "charge", charge(solution), case["Q_exact_C_m2"], 1e-4)
    compare("A04", "capacitance", capacitance(cell, -parameters["V_bend"]), case["C_exact_F_m2"], 1e-4)
    shape, thermal = profiles(cell, solution.state), GAS * T / FARADAY
    eps = VACUUM_PERMITTIVITY * parameters["eps_r"]

    def field(volts):
        u = volts / thermal
        return np.sqrt(2 * GAS * T * donors / eps * (np.expm1(-u) + u))

    volts = np.linspace(parameters["V_bend"], 0.01, 60)
    x, bent = first_integral(field, volts), parameters["V_bend"] - np.asarray(shape.potential)
    compare("A04", "potential", np.interp(x, shape.x, bent), volts, 5e-4)
    inside = np.asarray(shape.x) < x[-1]
    axes = "x [nm]", "band bending [V]"
    curve("A04", "bending", axes, (np.asarray(shape.x)[inside] * 1e9, bent[inside]), (x * 1e9, volts))
    cell = depleted(material, [ELECTRON], -parameters["V_bend"], thickness)
    excess, _ = excess_resistance(cell)
    sigma = FARADAY**2 * 1e-6 * donors / (GAS * T)
    compare("A04", "excess resistance", excess * sigma, case["int_exp_u_minus1_dx_m"], 1e-4)


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
    nodes = cell.layers[0].nodes
    compare("A17", "Donnan potential", shape.potential[-1], case["phi_Donnan_V"], 1e-10)
    compare("A17", "cations inside", shape.concentration[0, -1], case["c_plus_inside"], 1e-10)
    compare("A17", "anions inside", shape.concentration[1, -1], case["c_minus_inside"], 1e-10)
    compare("A17", "potential of the junction", shape.potential[nodes], case["phi_interface_V"], 1e-4)
    assert float(shape.potential[nodes]) == float(shape.potential[nodes - 1])
    x, potential = np.asarray(shape.x[:nodes]), np.asarray(shape.potential[:nodes])
    thermal, length = GAS * T / FARADAY, float(debye_length(solution_side, T))
    decay = np.exp(-(x[-1] - x) / length)
    exact = 4 * thermal * np.arctanh(np.tanh(case["phi_interface_V"] / (4 * thermal)) * decay)
    near = decay > 1e-3
    compare("A17", "φ in the solution", potential[near], exact[near], 3e-4)
    axes = "x from the junction [nm]", "potential [V]"
    all_near = np.abs(np.asarray(shape.x) - x[-1]) < 7 * length
    ours = (np.asarray(shape.x)[all_near] - x[-1]) * 1e9, np.asarray(shape.potential)[all_near]
    curve("A17", "φ", axes, ours, ((x[near] - x[-1]) * 1e9, exact[near]))


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
    compare("A18", "built-in potential", solution.state.voltage, case["Vbi_V"], 1e-9)
    eps = p["eps_r"] * VACUUM_PERMITTIVITY
    compare("A18", "largest field", abs(float(solution.state.displacement[1])) / eps, case["Emax_exact_V_m"], 1e-4)
    nodes = cell.layers[0].nodes
    potential, x = np.asarray(solution.state.phi), np.asarray(profiles(cell, solution.state).x)
    step = potential[nodes] - potential[0]
    compare("A18", "potential of the junction", step, case["phi_junction_minus_p_bulk_V"], 1e-4)
    thermal = GAS * T / FARADAY
    faces = 0.5 * (x[nodes + 1 :] + x[nodes:-1]) - 300e-9
    field = -np.diff(potential[nodes:]) / np.diff(x[nodes:])

    def exact(volts):  # below the bulk of the donor-doped side
        u = volts / thermal
        few = ni**2 / electrons
        return np.sqrt(2 * GAS * T / eps * (electrons * (np.expm1(-u) + u) + few * (np.expm1(u) - u)))

    volts = np.linspace(case["Vbi_V"] - case["phi_junction_minus_p_bulk_V"], 0.005, 60)
    depth, shown = first_integral(exact, volts), faces < 350e-9
    axes = "x from the junction [nm]", "field in the n side [V m⁻¹]"
    curve("A18", "E", axes, (faces[shown] * 1e9, np.abs(field[shown])), (depth * 1e9, exact(volts)))


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
    compare("A19", f"{name}, voltage", solution.state.voltage, volts, 1e-9)
    n = cell.layers[0].nodes
    shape = profiles(cell, solution.state)
    # the charge of phase 1 is -(displacement at the junction) because its bulk has no field
    compare("A19", f"{name}, charge", solution.state.displacement[1], case[f"{name}: q1_C_m2"], 1e-4)
    suffix = "_V" if soft else "(rel bulk 1)_V"
    compare("A19", f"{name}, φ left", shape.potential[n - 1], case[f"{name}: phi_s1{suffix}"], 1e-4)
    right = case["soft: phi_s2_V"] if soft else case[f"{name}: phi_s2(rel bulk 2)_V"]
    compare("A19", f"{name}, φ right", shape.potential[n] - volts, right, 1e-4)
    if not soft:
        compare("A19", f"{name}, θ left", shape.occupancy[0, n - 1], case[f"{name}: occ1"], 1e-4)
        compare("A19", f"{name}, θ right", shape.occupancy[0, n], case[f"{name}: occ2"], 1e-4)
    x = (np.asarray(shape.x) - thickness[0]) / np.where(np.asarray(shape.layer) == 0, *np.array(thickness) / 60)
    near, axes = np.abs(x) < 8, ("x from the junction [Debye lengths]", "potential against bulk 1 [V]")
    ours = x[near], np.asarray(shape.potential)[near]
    exact = []
    for side, surface, sign, length in zip(
        sides, (case[f"{name}: phi_s1{suffix}"], right), (-1, 1), thickness, strict=True
    ):
        down = surface * np.geomspace(1, 1e-2, 40)
        depth = first_integral(lattice_field(side["N"], side["th"], side["er"]), down)
        exact.append((sign * depth / (length / 60), down + (volts if sign > 0 else 0)))
    both = [np.concatenate([left[::-1], right]) for left, right in zip(*exact, strict=True)]
    curve("A19", name, axes, ours, both)


@dataclass(frozen=True)
class Mixed:
    """Lithium ions on a lattice and dilute electrons with immobile charge: sites and charge [mol m-3], energies [RT].

    Potentials below are in RT/F against the neutral bulk.
    """

    sites: float
    fixed: float
    permittivity: float
    ion: float
    electron: float

    def bulk(self, lithium):
        """Occupancy by ions and concentration of electrons in the neutral bulk where lithium has a potential [RT]."""

        def surplus(u):
            return self.sites * expit(u) + self.fixed - np.exp(lithium - self.ion - self.electron - u)

        u = brentq(surplus, -60, 60, xtol=1e-14)
        return expit(u), np.exp(lithium - self.ion - self.electron - u)

    def energy(self, lithium, phi):
        """Half the squared displacement [C2 m-4]: the first integral of the Poisson equation."""
        theta, electrons = self.bulk(lithium)
        ions = self.sites * np.log1p(theta * np.expm1(-phi))
        eps = VACUUM_PERMITTIVITY * self.permittivity
        return eps * GAS * T * (ions + electrons * np.expm1(phi) - self.fixed * phi)

    def displacement(self, lithium, phi):
        """In the direction away from the surface at that potential [C m-2]."""
        return np.sign(phi) * np.sqrt(2 * np.maximum(self.energy(lithium, phi), 0))

    def material(self, name, theta, electrons):
        carriers = (
            Carrier(LITHIUM, Lattice(), self.sites, theta, Constant(1e-12), Constant(self.ion * GAS * T)),
            Carrier(ELECTRON, Dilute(), 1.0, electrons, Constant(1e-8), Constant(self.electron * GAS * T)),
        )
        return Material(name, carriers, self.permittivity, self.fixed)


FIRST = Mixed(100.0, -15.0, 10.0, 0.0, 0.0)
SECONDS = {
    "ions prefer it": Mixed(400.0, -60.0, 30.0, -6.0, 2.0),
    "electrons prefer it": Mixed(50.0, 20.0, 5.0, 3.0, -10.0),
    "both avoid it": Mixed(2000.0, -8.0, 80.0, 9.0, 4.0),
}


@pytest.mark.parametrize("name", SECONDS)
def test_heterojunction_of_two_mixed_conductors(name):
    """D04: ions and electrons both cross; the second bulk finds its composition, the step its two space charges."""
    two, thermal = SECONDS[name], GAS * T / FARADAY
    theta = 0.2
    electrons = FIRST.sites * theta + FIRST.fixed
    lithium = FIRST.ion + FIRST.electron + np.log(theta / (1 - theta) * electrons)  # potential of the neutral atom
    inside, n = two.bulk(lithium)
    step = FIRST.ion - two.ion + np.log(theta / (1 - theta)) - np.log(inside / (1 - inside))

    def charge_of_both(phi):
        return FIRST.displacement(lithium, phi) + two.displacement(lithium, phi - step)

    surface = brentq(charge_of_both, *sorted((0, step)), xtol=1e-14)
    # nothing passes the plate behind the second conductor, which has the potential of the first bulk
    plate = two.displacement(lithium, -step)
    one, other = FIRST.material("one", theta, electrons), two.material("two", 0.5 * inside, 2 * n)
    lengths = [float(debye_length(m, T)) for m in (one, two.material("two", inside, n))]
    cell = stack(
        [LITHIUM, ELECTRON],
        [layer(m, 60 * own, name=m.name) for m, own in zip((one, other), lengths, strict=True)],
        [
            Junction("left contact", reservoir(one, "left", T)),
            Junction("junction", (transfer("Li+"), transfer("e-"))),
            Junction("right contact"),
        ],
    )
    cell, solution = resolved(cell, voltage=0.0)
    shape = profiles(cell, solution.state)
    nodes, x, phi = cell.layers[0].nodes, np.asarray(shape.x), np.asarray(shape.potential) / thermal
    middle = nodes + np.argmin(np.abs(x[nodes:] - 60 * lengths[0] - 30 * lengths[1]))
    compare("D04", f"{name}: step between the bulks", phi[middle], step, 1e-9)
    compare("D04", f"{name}: θ in the second bulk", shape.occupancy[0, middle], inside, 1e-9)
    compare("D04", f"{name}: electrons in the second bulk", shape.concentration[1, middle], n, 1e-9)
    compare("D04", f"{name}: potential of the junction", phi[nodes], surface, 5e-5)
    exact = -FIRST.displacement(lithium, surface)
    compare("D04", f"{name}: charge", solution.state.displacement[1], exact, 1e-4)
    compare("D04", f"{name}: charge of the plate", solution.state.displacement[2], -plate, 1e-4)
    own = np.where(np.asarray(shape.layer) == 0, *lengths)
    axes = "x from the junction [Debye lengths]", "potential against the first bulk [V]"
    depth = (x - 60 * lengths[0]) / own
    near = np.abs(depth) < 8
    both = []
    for side, sign, end, length in ((FIRST, -1, surface, lengths[0]), (two, 1, surface - step, lengths[1])):
        down = end * np.geomspace(1, 1e-3, 60)
        eps = VACUUM_PERMITTIVITY * side.permittivity
        away = first_integral(lambda v: np.abs(side.displacement(lithium, v / thermal)) / eps, down * thermal)
        both.append((sign * away / length, (down + (step if sign > 0 else 0)) * thermal))
    both = [np.concatenate([left[::-1], right]) for left, right in zip(*both, strict=True)]
    ours = np.interp(both[0], depth, phi * thermal)
    compare("D04", f"{name}: φ on both sides", ours, both[1], 5e-5, scale=abs(step * thermal))
    curve("D04", name, axes, (depth[near], phi[near] * thermal), both)


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
    compare("C01", f"{name}, field at the metal", slope, case["fprime0"], 1e-4)
    # published with the code, in round constants (kT in four digits)
    found = -charge(solution) / ELEMENTARY_CHARGE * 1e-18
    compare("C01", f"{name}, charge", found, case["sigma_e_nm2"], 1e-4)
    mean = charge(solution) / case["phi_inf"] * 100
    compare("C01", f"{name}, integral capacitance", mean, case["C_uF_cm2"], 1e-4)
    shape = profiles(cell, solution.state)
    x, potential = np.asarray(shape.x)[1:], np.asarray(shape.potential)[1:]
    # where the curve is flat a millivolt is a nanometre: compare the potential at the published depth
    volts = np.array([1.24, 1.62, case["phi_inf"] / 2])
    depth = np.array([case["x_at_1p24V_A"], case["x_at_1p62V_A"], case["x_at_half_A"]]) * 1e-10
    compare("C01", f"{name}, potential in depth", np.interp(np.log(depth), np.log(x), potential), volts, 2e-4)

    def field(volts):  # against the bulk
        f = volts / thermal
        energy = np.log1p(4 * weight * np.sinh(f / 2) ** 2 / (1 + weight) ** 2)
        return thermal / unit * np.sqrt(2 * energy)

    near, far = 1 - np.geomspace(1e-3, 0.5, 40), 0.5 * np.geomspace(1, 1e-5, 40)[1:]
    volts = case["phi_inf"] * np.concatenate([[1.0], near, far])
    axes, shown = ("x [nm]", "potential against the metal [V]"), x > 1e-12
    exact = first_integral(field, volts)[1:] * 1e9, case["phi_inf"] - volts[1:]
    curve("C01", name, axes, (x[shown] * 1e9, potential[shown]), exact, ("log", "linear"))
