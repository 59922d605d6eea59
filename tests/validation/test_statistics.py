"""Carriers beyond the ideal ones against closed forms: A02, A21, A22, A23, A24 and what they imply."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import AVOGADRO, FARADAY, GAS
from ionics.kinetics.bulk import MassAction
from ionics.kinetics.compact import Capacitance
from ionics.laws import Constant, Curve
from ionics.transport.adapt import resolved
from ionics.transport.balance import Voltage, profiles
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Immobile
from ionics.transport.mechanics import ClampedFilm, curvature, sphere_stress
from ionics.transport.stack import (
    BulkReaction,
    Carrier,
    Junction,
    Layer,
    Material,
    Profile,
    debye_length,
    graded_mesh,
    neutral_charge,
    reservoir,
    transfer,
)
from ionics.transport.statistics import Dilute, FermiDirac, Lattice, RegularSolution
from ionics.transport.steady import steady
from tests.cells import ANION, CATION, ELECTRON, HOLE, LITHIUM, T, half_space, layer, stack
from tests.validation.record import compare, curve

NODES = 161


@pytest.fixture(scope="module")
def steric():
    """Cations and anions that share the sites of one lattice, 1 / a^3 of them, at a blocking metal."""

    def cell(concentration, size, eps):
        sites = 1 / (AVOGADRO * size**3)
        carriers = tuple(
            Carrier(s, Lattice(), sites, concentration / sites, sublattice="solvent") for s in (CATION, ANION)
        )
        return half_space(Material("electrolyte", carriers, eps, 0.0), 3e-8, [CATION, ANION], NODES)

    return cell


def test_steric_double_layer(reference, steric):
    """A02: two carriers that share one sublattice; 2e-4 is the second-order error of 161 nodes."""
    case = reference["A02"]
    p, expected = case["parameters"], case["reference"]
    cell = steric(p["c0"], p["a"], p["eps_r"])
    thermal, eps = GAS * T / FARADAY, p["eps_r"] * 8.8541878188e-12

    def exact(volts):
        sinh = np.sinh(volts / (2 * thermal)) ** 2
        root = np.sqrt(2 / expected["nu"] * np.log1p(2 * expected["nu"] * sinh))
        length = np.sqrt(eps * GAS * T / (2 * FARADAY**2 * p["c0"]))
        return eps / length * np.sinh(volts / thermal) / ((1 + 2 * expected["nu"] * sinh) * root)

    compare("A02", "ν", 2 * p["c0"] / cell.layers[0].material.carriers[0].sites, expected["nu"], 1e-8)
    found = []
    for volts in (0.05, 0.1, expected["phi_Cmax_V"], 0.3, 1.0):
        fine, solution = resolved(cell, voltage=-volts)

        def charge(v, fine=fine):
            return equilibrium(fine, voltage=-v, throw=False).state.displacement[0]

        capacitance = jax.jvp(charge, (jnp.asarray(volts),), (jnp.ones(()),))[1]
        found.append((volts, float(capacitance)))
        if volts == expected["phi_Cmax_V"]:
            compare("A02", "largest capacitance", capacitance, expected["Cmax_F_m2"], 4e-4)
        else:
            compare("A02", f"charge at {volts} V", charge(volts), expected[f"q({volts} V)_C_m2"], 2e-4)
            compare("A02", f"capacitance at {volts} V", capacitance, expected[f"C({volts} V)_F_m2"], 4e-4)
        filled = np.asarray(profiles(fine, solution.state).occupancy).sum(axis=0)
        assert filled.max() < 1
    line = np.linspace(0.005, 1.05, 210)
    axes = "surface potential [V]", "capacitance [F m⁻²]"
    curve("A02", "C", axes, np.transpose(found), (line, exact(line)))


def test_the_debye_length_knows_that_sites_are_shared(steric):
    """The charge's response to a small potential, whatever the statistics: 1/lambda^2 = -d rho/d phi / eps."""
    cell = steric(2000.0, 5e-10, 78.49)
    material = cell.layers[0].material
    a = [float(c.occupancy) for c in material.carriers]
    sites = float(material.carriers[0].sites)
    strength = sites * (a[0] * (1 - a[0]) + a[1] * (1 - a[1]) + 2 * a[0] * a[1])
    expected = np.sqrt(8.8541878188e-12 * 78.49 * GAS * T / (FARADAY**2 * strength))
    assert float(debye_length(material, T)) == pytest.approx(expected, rel=1e-9)


def test_degenerate_electrons_go_over_into_dilute_and_metallic_ones():
    few = FermiDirac().filling(jnp.asarray(-20.0), T)
    assert float(few.occupancy) == pytest.approx(np.exp(-20.0), rel=1e-9)
    many = FermiDirac().filling(jnp.asarray(2000.0), T)
    assert float(many.occupancy) == pytest.approx(4 / (3 * np.sqrt(np.pi)) * 2000**1.5, rel=1e-6)
    u = jnp.linspace(-30.0, 80.0, 45)
    np.testing.assert_allclose(FermiDirac().unknown(FermiDirac().filling(u, T).occupancy), u, atol=1e-11)
    # Blakemore 1982: F_1/2(0) = 0.678093895... in this normalisation 0.765147024
    assert float(FermiDirac().filling(jnp.asarray(0.0), T).occupancy) == pytest.approx(0.7651470246, rel=1e-9)


def test_degenerate_metal_screens_within_thomas_and_fermi():
    """lambda^2 = 2 eps E_F / (3 n F): 2 % above it at E_F = 8 RT (Sommerfeld's next term)."""
    u = 8.0
    filled = float(FermiDirac().filling(jnp.asarray(u), T).occupancy)
    electrons = Carrier(ELECTRON, FermiDirac(), 1e4, filled)
    length = float(debye_length(Material("metal", (electrons,), 10.0, 0.0), T))
    thomas_fermi = np.sqrt(2 * 8.8541878188e-12 * 10 * u * GAS * T / (3 * FARADAY**2 * 1e4 * filled))
    assert length == pytest.approx(thomas_fermi, rel=0.02)


def test_frumkin_isotherm(reference):
    """A21: the regular solution is Frumkin's isotherm with g = -2 W / RT."""
    p, expected = reference["A21"]["parameters"], reference["A21"]["reference"]
    own = RegularSolution(interaction=-0.5 * p["g"] * GAS * T)

    def potential(x):
        return p["E0"] - GAS * T / FARADAY * own.filling(own.unknown(x), T).chemical

    for x in (0.05, 0.25, 0.5, 0.9):
        compare("A21", f"E({x})", potential(jnp.asarray(x)), expected[f"E(x={x})_V"], 1e-12)
    for x in (0.25, 0.5):
        slope = abs(float(jax.grad(potential)(jnp.asarray(x))))
        name = f"C_int(x={x}, 320 nm)_F_m2"
        compare("A21", f"capacitance at {x}", FARADAY * p["c_max"] * p["L"] / slope, expected[name], 1e-12)
        factor = x * slope * FARADAY / (GAS * T)
        compare("A21", f"thermodynamic factor at {x}", factor, expected[f"thermo_factor(x={x})"], 1e-12)
    x = np.linspace(0.02, 0.98, 49)
    exact = p["E0"] - GAS * T / FARADAY * (np.log(x / (1 - x)) + p["g"] * (x - 0.5))
    ours = np.asarray(jax.vmap(potential)(jnp.asarray(x)))
    compare("A21", "E from 0.02 to 0.98", ours, exact, 1e-12)
    curve("A21", "E", ("x in LiₓHost", "E [V]"), (x, ours), (x, exact))


def test_two_phases(reference):
    """A22: binodal, spinodal, the boundary between the phases, the gap between charge and discharge."""
    p, expected = reference["A22"]["parameters"], reference["A22"]["reference"]
    own = RegularSolution(interaction=p["Omega"] * GAS * T)
    compare("A22", "binodal", own.binodal(T), expected["x_binodal"], 1e-11)
    compare("A22", "spinodal", own.spinodal(T), expected["x_spinodal"], 1e-11)
    compare("A22", "hysteresis", own.hysteresis(T), expected["hysteresis_gap_V"], 1e-12)
    top = own.filling(own.unknown(own.spinodal(T)), T).chemical
    compare("A22", "μ at the spinodal", top, expected["mu_spinodal_RT"], 1e-11)
    energy, width = own.phase_boundary(p["c_max"], p["kappa_J_per_m"], T)
    compare("A22", "energy of the boundary", energy, expected["interface_energy_J_m2"], 1e-9)
    compare("A22", "width of the boundary", width, expected["width_m"], 1e-12)
    x = np.linspace(0.01, 0.99, 99)
    mu = np.asarray(own.filling(own.unknown(jnp.asarray(x)), T).chemical)
    axes = "occupancy", "(μ - μ⁰)/RT"
    curve("A22", "μ", axes, (x, mu), (x, np.log(x / (1 - x)) + p["Omega"] * (1 - 2 * x)))
    low, edge = expected["x_binodal"], expected["x_spinodal"]
    ours = [float(v) for v in (own.binodal(T), 1 - own.binodal(T), own.spinodal(T), 1 - own.spinodal(T))]
    height = float(top)
    marks = [low, 1 - low, edge, 1 - edge], [0, 0, height, -height]
    curve("A22", "binodal and spinodal", axes, (ours, marks[1]), marks)
    mixed = RegularSolution(interaction=1.9 * GAS * T)
    assert float(mixed.binodal(T)) == 0.5


def test_stress_shifts_the_potential(reference):
    """A23: a clamped film, the bending of its substrate, a sphere; and the shift seen by a stack in equilibrium."""
    p, expected = reference["A23"]["parameters"], reference["A23"]["reference"]
    film = ClampedFilm(p["Omega"], p["E"], p["nu"], 5000.0, 0.0, 0.0)
    stress = float(film.biaxial(jnp.asarray(5000.0 + p["dc"])))
    compare("A23", "stress of the film", stress, expected["sigma_biaxial_Pa"], 1e-12)
    bent = curvature(stress, p["hf"], p["hs"], p["Es"], p["nus"])
    compare("A23", "curvature", bent, expected["curvature_1_m"], 1e-12)
    difference = p["j"] * p["R"] / (2 * FARADAY * p["D"])
    centre, surface = sphere_stress(p["Omega"], p["E"], p["nu"], difference)
    compare("A23", "radial stress in the centre", centre, expected["sigma_r_centre_Pa"], 1e-12)
    compare("A23", "tangential stress at the surface", surface, expected["sigma_theta_surface_Pa"], 1e-12)

    def voltage(stress):
        carrier = Carrier(LITHIUM, Lattice(), 1e4, 0.6, stress=stress)
        other = Carrier(LITHIUM, Lattice(), 1e4, 0.6)
        materials = [Material("film", (c,), 10.0, neutral_charge((c,))) for c in (carrier, other)]
        layers = [layer(m, 1e-7, NODES, name) for m, name in zip(materials, ("film", "rest"), strict=True)]
        contacts = [Junction("left"), Junction("middle", (transfer("Li+"),)), Junction("right")]
        solution = equilibrium(stack([LITHIUM], layers, contacts), occupancy={("film", "Li+"): 0.6})
        phi = np.asarray(solution.state.phi)
        return phi[NODES // 2] - phi[NODES + NODES // 2]  # of one bulk against the other

    # 1000 mol/m3 above the concentration at which it was clamped: mu and, with eta flat, phi shift by dE
    shift = voltage(film) - voltage(None)
    compare("A23", "shift of the potential", shift, expected["dE_V"], 1e-9)
    over = np.linspace(-1500, 1500, 31)
    own = -np.asarray(film.potential(jnp.asarray(5000.0 + over))) / FARADAY * 1e3
    axes = "concentration over that of the unstressed film [mol m⁻³]", "shift of the potential [mV]"
    curve("A23", "film", axes, (over, own), (over, over / p["dc"] * expected["dE_V"] * 1e3))
    curve("A23", "stack", axes, ([p["dc"]], [shift * 1e3]))


def test_hebb_wagner_polarisation(reference):
    """A24: ions are blocked at the right, so electrons and holes alone carry the current, each in its own gradient."""
    p, expected = reference["A24"]["parameters"], reference["A24"]["reference"]
    ion = Carrier(LITHIUM, Dilute(), 1.0, 1e3, Constant(1e-10))
    thermal = FARADAY**2 / (GAS * T)
    minority = [
        Carrier(s, Dilute(), 1.0, 1e-6, Constant(sigma / (thermal * 1e-6)))
        for s, sigma in ((ELECTRON, p["sigma_e"]), (HOLE, p["sigma_h"]))
    ]
    carriers = (ion, *minority)
    material = Material("mixed conductor", carriers, 10.0, neutral_charge(carriers))
    left = Junction("reversible", reservoir(material, "left", T))
    # the metal's potential drops in a compact layer: the formula knows no space charge that would repel the holes
    passing = tuple(r for r in reservoir(material, "right", T) if r.left[0][0] != "Li+")
    right = Junction("ion-blocking", passing, Capacitance(1e-7))
    cell = stack([LITHIUM, ELECTRON, HOLE], [layer(material, p["L"], NODES)], [left, right])
    rest = equilibrium(cell)
    line = np.linspace(0.01, 0.32, 63)
    factor = GAS * T / (FARADAY * p["L"])

    def exact(volts):
        x = volts * FARADAY / (GAS * T)
        return factor * (p["sigma_e"] * -np.expm1(-x) + p["sigma_h"] * np.expm1(x))

    found = []
    for volts in (0.02, expected["V_at_min_dIdV"], 0.1, 0.3):
        moved = steady(cell, Voltage(volts), rest)
        found.append((volts, abs(float(moved.state.current))))
        key = f"i(V={volts})_A_m2"
        compare("A24", f"current at {volts:.2g} V", found[-1][1], expected.get(key, exact(volts)), 2e-4)
    axes = "voltage [V]", "current [A m⁻²]"
    curve("A24", "i", axes, np.transpose(found), (line, exact(line)), ("linear", "log"))


def test_frenkel_pairs_follow_mass_action_in_a_space_charge():
    """i v = K everywhere in equilibrium, though each varies by orders of magnitude; the bulk is neutral."""
    vacancy = type(LITHIUM)("V'", -1)
    carriers = tuple(Carrier(s, Dilute(), 1e4, 1e-4, Constant(1e-12)) for s in (LITHIUM, vacancy))
    pair = BulkReaction((), (("Li+", 1), ("V'", 1)), MassAction(Constant(1.0)), 2 * GAS * T * np.log(1e-4))
    material = Material("Frenkel", carriers, 10.0, 0.0, (pair,))
    metal = Junction("metal", (transfer("Li+", level=0.2 * FARADAY),))
    cell = stack([LITHIUM, vacancy], [layer(material, 2e-7, NODES)], [metal, Junction("blocking")])
    solution = equilibrium(cell)
    assert solution.pinned in ((), ("voltage held",))  # nothing has to be said about amounts: pairs form
    filled = np.asarray(profiles(cell, solution.state).occupancy)
    np.testing.assert_allclose(filled[0] * filled[1], 1e-8, rtol=1e-8)
    assert filled[0].max() / filled[0].min() > 1e2


def test_a_trap_fills_with_the_level_of_the_electrons_and_stays_where_it_is():
    trapped = type(ELECTRON)("trapped", -1)
    free = Carrier(ELECTRON, Dilute(), 1e3, 1e-3, Constant(1e-6))
    trap = Carrier(trapped, Lattice(), 10.0, 0.5, mobility=Immobile())
    catch = BulkReaction((("e-", 1),), (("trapped", 1),), MassAction(Constant(1.0)), -GAS * T * np.log(1e-3))
    material = Material("with traps", (free, trap), 10.0, neutral_charge((free, trap)), (catch,))
    frozen = Material("frozen", (free, trap), 10.0, neutral_charge((free, trap)))
    for own, moves in ((material, True), (frozen, False)):
        contact = Junction("right", (transfer("e-", level=-GAS * T * np.log(1e-3)),))
        cell = stack([ELECTRON, trapped], [layer(own, 1e-7, NODES)], [Junction("left"), contact])
        solution = equilibrium(cell, voltage=-0.1)
        filled = np.asarray(profiles(cell, solution.state).occupancy)
        if moves:
            np.testing.assert_allclose(filled[1] / (1 - filled[1]), filled[0] / 1e-3, rtol=1e-8)
            assert np.ptp(filled[1]) > 0.3
        else:
            np.testing.assert_allclose(filled[1], 0.5, rtol=1e-9)


def test_a_segregation_profile_is_felt_where_it_is():
    """A grain-boundary core and a neutral carrier: eta is flat, so the occupancy follows the energy."""
    neutral = type(LITHIUM)("Li", 0)
    material = Material("grain", (Carrier(neutral, Lattice(), 1e4, 0.01),), 10.0, 0.0)
    x = np.linspace(0, 1e-8, 41)
    well = -0.1 * FARADAY * np.exp(-(((x - 5e-9) / 1e-9) ** 2))
    own = Layer("grain", material, 1e-8, graded_mesh(material, 1e-8, T, NODES), (Profile("Li", Curve(x, well)),))
    cell = stack([neutral], [own], [Junction("left", reservoir(material, "left", T)), Junction("right")])
    filled = np.asarray(profiles(cell, equilibrium(cell).state).occupancy)[0]
    middle = 0.01 / 0.99 * np.exp(0.1 * FARADAY / (GAS * T))
    assert filled.max() == pytest.approx(middle / (1 + middle), rel=1e-2)
    assert filled[0] == pytest.approx(0.01, rel=1e-6)
