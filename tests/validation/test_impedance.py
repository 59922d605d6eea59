"""Impedance and kinetics against closed forms: A05, A08, A09, A11."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.balance import Current, flows
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Vehicle
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
from ionics.transport.steady import steady
from tests.cells import (
    ANION,
    CATION,
    ELECTRON,
    LITHIUM,
    T,
    blocking_cell,
    lattice,
    layer,
    salt,
    stack,
    symmetric_cell,
    uniform,
)
from tests.validation.linear_response import Ions, plates
from tests.validation.record import compare, curve, nyquist, spectrum


def tabulated(case, prefix="Z"):
    """Frequencies and complex values of the entries `prefix(1e2 Hz)...`."""
    pairs = [
        (float(key.split("(")[1].split(" ")[0]), complex(*value))
        for key, value in case.items()
        if key.startswith(prefix + "(")
    ]
    return np.array([f for f, _ in pairs]), np.array([z for _, z in pairs])


def blocking(frequency, kappa2, diffusivity, half, eps):
    """Exact linear impedance of one or two ions between blocking plates (A05)."""
    iw = 2j * np.pi * np.asarray(frequency)
    k = np.sqrt(kappa2 + iw / diffusivity)
    return 2 * kappa2 / (iw * eps * k**2) * (np.tanh(k * half) / k + iw * half / (diffusivity * kappa2))


def test_blocking_plates_with_a_binary_salt(reference):
    """A05 (Macdonald 1953; Bazant, Thornton, Ajdari 2004)."""
    case = reference["A05"]["reference"]
    p = reference["A05"]["parameters"]
    cell = blocking_cell(salt(1.0), 1e-6, [CATION, ANION])
    compare("A05", "Debye length", debye_length(cell.layers[0].material, T), case["lamD_m"], 1e-10)
    frequency, expected = tabulated(case)
    many = np.geomspace(1, 1e6, 40)
    z = impedance(cell, equilibrium(cell), np.concatenate([frequency, many])).z
    z, along = np.split(np.asarray(z), [len(frequency)])
    compare("A05", "Z", z, expected, 1e-4)
    # the real part is a ten-thousandth of the modulus at low frequency, and right by itself
    compare("A05", "Re Z", z.real, expected.real, 1e-4)
    compare("A05", "Re Z, low-frequency limit", z[0].real, case["ReZ_lowf_closed_form"], 1e-4)
    eps = p["eps_r"] * VACUUM_PERMITTIVITY
    exact = blocking(many, 1 / case["lamD_m"] ** 2, p["D"], p["half_spacing_L"], eps)
    compare("A05", "Z from 1 Hz to 1 MHz", along, exact, 1e-4)
    spectrum("A05", "", many, along, many, exact)


def test_single_ion_conductor_between_blocking_plates(reference):
    """A05, second form: one ion on a fixed background, D -> D/(1-theta), kappa^2 with theta (1-theta)."""
    sites, theta, diffusivity, half = 100.0, 0.3, 1e-12, 5e-7
    material = lattice(sites, theta, diffusivity)
    cell = blocking_cell(material, 2 * half, [LITHIUM])
    frequency = np.geomspace(1e-1, 1e6, 15)
    eps = 10 * VACUUM_PERMITTIVITY
    kappa2 = FARADAY**2 * sites * theta * (1 - theta) / (eps * GAS * T)
    expected = blocking(frequency, kappa2, diffusivity / (1 - theta), half, eps)
    compare("A05", "one ion on a background", impedance(cell, equilibrium(cell), frequency).z, expected, 1e-4)


def uniform_error(nodes):
    half = 20e-9
    cell = stack(
        [CATION, ANION],
        [uniform(salt(1.0), 2 * half, nodes)],
        [Junction("left contact"), Junction("right contact")],
    )
    frequency = np.array([1e2, 1e5])
    eps = 10 * VACUUM_PERMITTIVITY
    exact = blocking(frequency, 2 * FARADAY**2 / (eps * GAS * T), 1e-12, half, eps)
    return np.abs(np.asarray(impedance(cell, equilibrium(cell), frequency).z) - exact) / np.abs(exact)


def test_second_order_in_space_towards_the_exact_blocking_impedance():
    order = np.log2(uniform_error(51) / uniform_error(101))
    np.testing.assert_allclose(order, 2.0, atol=0.1)


def test_second_order_on_graded_meshes():
    frequency = np.array([1e1, 1e4])

    def z(nodes):
        cell = blocking_cell(salt(1.0), 1e-6, [CATION, ANION], nodes)
        return np.asarray(impedance(cell, equilibrium(cell), frequency).z)

    coarse, middle, fine = z(101), z(201), z(401)
    order = np.log2(np.abs(coarse - middle) / np.abs(middle - fine))
    np.testing.assert_allclose(order, 2.0, atol=0.1)


def reversible(p, frequency):
    """Closed form of A08: m = mu/F is odd about the middle, and so is m - phi, which is a sinh."""
    half, exchange, stern = p["half_spacing_L"], p["i0"], p["C_Stern"]
    eps, iw = p["eps_r"] * VACUUM_PERMITTIVITY, 2j * np.pi * np.asarray(frequency)
    sigma = FARADAY**2 * p["D_vehicle"] * p["N_sites"] * p["theta"] / (GAS * T)
    kappa2 = FARADAY**2 * p["N_sites"] * p["theta"] * (1 - p["theta"]) / (eps * GAS * T)
    k = np.sqrt(kappa2 * (1 + iw * eps / sigma))
    share = iw * eps * kappa2 / (sigma * k**2)
    sinh, slope = np.tanh(k * half), k  # both over cosh(k L)
    transfer = GAS * T / (FARADAY * exchange)
    # m = share a sinh(k x) + b x, phi = m - a sinh(k x), the right metal at phi_M = 1; rows: reaction, compact layer
    rows = np.array(
        [
            [share * sinh + sigma * transfer * share * slope, half + sigma * transfer + 0 * k],
            [(share - 1) * sinh + eps / stern * (share - 1) * slope, half + eps / stern + 0 * k],
        ]
    )
    a, b = np.linalg.solve(np.moveaxis(rows, -1, 0), np.ones((len(k), 2, 1)))[..., 0].T
    current = -sigma * (share * a * slope + b) - iw * eps * ((share - 1) * a * slope + b)
    return -2 / current


def test_reversible_electrodes_with_stern_layers(reference):
    """A08: Poisson-Nernst-Planck, Stern layer and Frumkin-corrected Butler-Volmer together; Z(0) to rounding."""
    case, p = reference["A08"]["reference"], reference["A08"]["parameters"]
    material = lattice(p["N_sites"], p["theta"], p["D_vehicle"])
    cell = symmetric_cell(material, 2 * p["half_spacing_L"], p["i0"], p["C_Stern"])
    frequency, expected = tabulated(case)
    many = np.geomspace(1, 1e6, 45)
    answer = impedance(cell, equilibrium(cell), np.concatenate([frequency, many]))
    z, along = np.split(np.asarray(answer.z), [len(frequency)])
    compare("A08", "Z", z, expected, 1e-5)
    compare("A08", "Z from 1 Hz to 1 MHz", along, reversible(p, many), 1e-4)
    compare("A08", "Z(0)", z[0].real, case["Z_dc_exact_Ohm_m2"], 1e-9)
    share = dict(zip(answer.elements, np.asarray(answer.parts[:, 0].real), strict=True))
    compare("A08", "share of the layer", share["layer"], case["Rbulk_Ohm_m2"], 1e-9)
    compare("A08", "share of a contact", share["left contact"], case["Rct_each_Ohm_m2"], 1e-9)
    nyquist("A08", "Z", along, reversible(p, np.geomspace(1, 1e6, 300)))


def mixed_conductor(p):
    """Lithium ions on a lattice, and so many electrons that their chemical potential does not move."""
    many = 1e9  # mol m-3: the transmission line of A09 has no thermodynamic factor from the electrons
    ion = Carrier(LITHIUM, Lattice(), p["c_max"], p["x"], Constant(0.0), Constant(0.0), Vehicle())
    electron = Carrier(ELECTRON, Dilute(), many, 1.0, Constant(0.0))
    for sigma, carrier in ((p["sigma_ion"], ion), (p["sigma_eon"], electron)):
        c = float(carrier.sites * carrier.occupancy)
        object.__setattr__(carrier, "diffusivity", Constant(sigma * GAS * T / (FARADAY**2 * c)))
    carriers = (ion, electron)
    return Material("mixed conductor", carriers, 0.01, neutral_charge(carriers))  # nor has it a dielectric


def transmission_line(p, name, frequency):
    """Closed forms of A09."""
    ions, electrons, length = p["sigma_ion"], p["sigma_eon"], p["L"]
    slope = GAS * T / FARADAY / (p["x"] * (1 - p["x"]))
    capacity, iw = FARADAY * p["c_max"] / slope, 2j * np.pi * frequency
    if name == "Zsym":
        fast, slow = length / (ions + electrons), length / electrons
        y = np.sqrt(iw * length**2 * capacity * (1 / ions + 1 / electrons) / 4)
        return fast + (slow - fast) * np.tanh(y) / y
    ri, re = 1 / ions, 1 / electrons
    nu = length * np.sqrt(iw * capacity * (ri + re))
    ends = 2 * ri * re / np.sinh(nu) + (ri**2 + re**2) / np.tanh(nu)
    return ri * re / (ri + re) * length + length / nu * ends / (ri + re)


@pytest.mark.parametrize("name", ["Zsym", "Zbat"])
def test_mixed_conductor_is_the_transmission_line(reference, name):
    """A09 (Jamnik, Maier): ion-blocking symmetric cell, and ions from one side with electrons from the other."""
    p = reference["A09"]["parameters"]
    material = mixed_conductor(p)
    ion, electron = reservoir(material, "left", T), reservoir(material, "right", T)
    electrons_left, electrons_right, ions_left = ion[1], electron[1], ion[0]
    left = (electrons_left,) if name == "Zsym" else (ions_left,)
    cell = stack(
        [LITHIUM, ELECTRON],
        [layer(material, p["L"])],
        [Junction("left contact", left, Capacitance(1e-7)), Junction("right contact", (electrons_right,))],
    )
    # the compact layer keeps the electrons' double layer, which the transmission line does not have, out of the way
    frequency, expected = tabulated(reference["A09"]["reference"], name)
    many = np.geomspace(3e-4, 10, 40)
    z = impedance(cell, equilibrium(cell), np.concatenate([frequency, many])).z
    z, along = np.split(np.asarray(z), [len(frequency)])
    compare("A09", name, z, expected, 1e-4)
    compare("A09", f"Re {name}", z.real, expected.real, 1e-4)
    exact = transmission_line(p, name, many)
    compare("A09", f"{name} on a line of frequencies", along, exact, 1e-4)
    spectrum("A09", name, many, along, many, exact)


@pytest.mark.parametrize("alpha", [0.5, 0.6])
@pytest.mark.parametrize("current", [1, 10, 100])
def test_butler_volmer_overpotential_to_rounding(reference, alpha, current):
    """A11: whatever the rest of the cell does, the affinity at the contact is the one its rate needs."""
    case, p = reference["A11"]["reference"], reference["A11"]["parameters"]
    name = f"eta(i={current},alpha{'_a' if alpha != 0.5 else ''}={alpha})_V"
    cell = symmetric_cell(lattice(1000.0, 0.5, 1e-12), 100e-9, p["i0"], alpha=alpha, nodes=41)
    solution = steady(cell, Current(float(current)))
    _, junctions = flows(cell, solution.state)
    found = float(junctions[0].affinity[0]) / FARADAY
    compare("A11", f"η at {current} A/m², α = {alpha}", found, case[name], 1e-12)
    eta = np.linspace(0, 0.125, 60)
    exact = p["i0"] * (np.exp(alpha * eta * FARADAY / (GAS * T)) - np.exp((alpha - 1) * eta * FARADAY / (GAS * T)))
    axes = "overpotential [V]", "current [A m⁻²]"
    curve("A11", f"α = {alpha}", axes, ([found], [current]), (eta[1:], exact[1:]), ("linear", "log"))


def test_charge_transfer_resistance(reference):
    """A11: RT/(F i0) at rest, and the local slope at 50 mV."""
    case, p = reference["A11"]["reference"], reference["A11"]["parameters"]
    cell = symmetric_cell(lattice(1000.0, 0.5, 1e-12), 100e-9, p["i0"], nodes=41)
    rest = impedance(cell, equilibrium(cell), 1e-6)
    compare("A11", "resistance at rest", rest.parts[0, 0].real, case["Rct_Ohm_m2"], 1e-12)
    law = ButlerVolmer(Constant(p["i0"]), 0.5)
    current = -float(law.residual(jnp.zeros(()), jnp.asarray(0.05 * FARADAY), 1, (jnp.ones(()),) * 2, jnp.asarray(T)))
    driven = steady(cell, Current(current))
    slope = impedance(cell, driven, 1e-6).parts[0, 0].real
    compare("A11", "resistance at 50 mV", slope, case["Rct_local(eta=50 mV, alpha=0.5)_Ohm_m2"], 1e-10)


def mixture(ions, eps, thickness, contacts, compact=None):
    """Dilute ions between two equal plates."""
    species = [Species(f"ion {k}", z) for k, z in enumerate(ions.charge)]
    carriers = tuple(
        Carrier(s, Dilute(), 1.0, c, Constant(d))
        for s, c, d in zip(species, ions.concentration, ions.diffusivity, strict=True)
    )
    material = Material("mixture", carriers, eps, neutral_charge(carriers))
    ends = [Junction(side, contacts(carriers, sign), *compact or ()) for side, sign in (("left", 1), ("right", -1))]
    return stack(species, [layer(material, thickness)], ends)


@pytest.mark.parametrize(
    ("name", "charges", "concentrations", "diffusivities"),
    [
        ("slow anion", (1, -1), (1.0, 1.0), (1e-12, 1e-13)),
        ("salt 2:1", (2, -1), (1.0, 2.0), (3e-13, 1e-12)),
        ("three ions", (1, 1, -1), (0.3, 0.7, 1.0), (1e-12, 1e-14, 2e-13)),
    ],
)
def test_unequal_ions_between_blocking_plates(name, charges, concentrations, diffusivities):
    """D01: the ions no longer follow each other; a salt diffuses slowly besides the charging."""
    half, frequency = 5e-7, np.geomspace(1e-2, 1e6, 33)
    ions = Ions(charges, concentrations, diffusivities, (0.0,) * len(charges))
    cell = mixture(ions, 10.0, 2 * half, lambda carriers, sign: ())
    z = np.asarray(impedance(cell, equilibrium(cell), frequency).z)
    exact = plates(ions, 10.0, half, frequency, T)
    compare("D01", name, z, exact, 1e-4)
    compare("D01", f"{name}, real part", z.real, exact.real, 1e-4)
    spectrum("D01", name, frequency, z, frequency, exact)


def test_binary_electrolyte_between_reversible_plates():
    """D02: the cation reacts, the anion diffuses back; three arcs, from a Debye length of 3 nm."""
    ions, half, compact = Ions((1, -1), (1.0, 1.0), (1e-12, 4e-12), (2.0, 0.0)), 5e-7, 0.05

    def contacts(carriers, sign):
        return (
            transfer("ion 0", ButlerVolmer(Constant(2.0), 0.5), sign * bulk_potential(carriers[0], jnp.asarray(T))),
        )

    cell = mixture(ions, 10.0, 2 * half, contacts, (Capacitance(compact),))
    frequency = np.append(1e-6, np.geomspace(1e-2, 1e6, 48))
    z = np.asarray(impedance(cell, equilibrium(cell), frequency).z)
    exact = plates(ions, 10.0, half, frequency, T, 1 / compact)
    compare("D02", "Z from 1 µHz to 1 MHz", z, exact, 1e-4)
    # at rest the anions stand still: the cations alone conduct
    direct = GAS * T / FARADAY * (2 * half / (FARADAY * 1e-12) + 2 / 2.0)
    compare("D02", "Z(0)", z[0].real, direct, 1e-9)
    nyquist("D02", "Z", z, plates(ions, 10.0, half, np.geomspace(1e-2, 1e6, 300), T, 1 / compact))


def test_the_level_of_a_contact_is_the_bulk_potential():
    """A symmetric cell in equilibrium at zero volts is flat: no space charge that nobody asked for."""
    material = lattice(1000.0, 0.2)
    cell = symmetric_cell(material, 100e-9, None, nodes=41)
    solution = equilibrium(cell)
    assert float(jnp.abs(solution.state.displacement).max()) < 1e-12
    assert float(solution.state.voltage) == pytest.approx(0.0, abs=1e-12)
    assert float(bulk_potential(material.carriers[0], jnp.asarray(T))) == pytest.approx(
        GAS * T * np.log(0.2 / 0.8), rel=1e-12
    )
