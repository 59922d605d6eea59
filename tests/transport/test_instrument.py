"""Impedance as an instrument: reference electrodes, profiles, space charges, harmonics, under current as at rest."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.kinetics.bulk import MassAction
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer, Linear
from ionics.kinetics.states import InterfaceState
from ionics.laws import Constant
from ionics.transport.balance import Current
from ionics.transport.equilibrium import equilibrium
from ionics.transport.harmonics import harmonics
from ionics.transport.impedance import impedance
from ionics.transport.protocol import Step, sine
from ionics.transport.response import response, split
from ionics.transport.stack import (
    BulkReaction,
    Carrier,
    Junction,
    Material,
    Reaction,
    Species,
    Unit,
    bulk_conductivity,
    bulk_potential,
    debye_length,
    reservoir,
    transfer,
)
from ionics.transport.statistics import Dilute
from ionics.transport.steady import steady
from ionics.transport.transient import simulate
from tests.cells import (
    ANION,
    CATION,
    ELECTRON,
    LITHIUM,
    T,
    blocking_cell,
    half_space,
    lattice,
    layer,
    salt,
    stack,
    symmetric_cell,
)

NODES = 41
VT = GAS * T / FARADAY
FREQUENCY = np.array([1e-6, 1e2, 1e4, 1e6])


def electrolyte(concentration, thickness, diffusivity=1e-12):
    """A binary salt between electrodes that exchange its cation: what a lithium symmetric cell with salt is."""
    material = salt(concentration, diffusivity)
    level = bulk_potential(material.carriers[0], jnp.asarray(T))
    ends = [
        Junction(f"{side} contact", (transfer("C+", None, sign * level),))
        for side, sign in (("left", 1), ("right", -1))
    ]
    return stack([CATION, ANION], [layer(material, thickness, 161)], ends)


def heterojunction(tilt=0.0, turned=False):
    """Two conductors whose ions redistribute: a space charge on both sides of the junction."""
    materials = lattice(1000.0, 0.3, 1e-12), lattice(3000.0, 0.6, 1e-13, mu0=8000.0)
    one, two = materials[::-1] if turned else materials
    ends = [Junction(side, reservoir(m, side, T)) for side, m in (("left", one), ("right", two))]
    middle = Junction("middle", (transfer("Li+", Linear(Constant(1e-5))),), Capacitance(0.1), tilt)
    return stack(
        [LITHIUM], [layer(one, 3e-8, NODES, "one"), layer(two, 3e-8, NODES, "two")], [ends[0], middle, ends[1]]
    )


# -------------------------------------------------------------------------------------------- under current


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_slope_and_curvature_of_concentration_polarisation(share):
    """V = -2 RT/F ln((1+j)/(1-j)), j = I/I_lim, I_lim = 4FDc/L (Newman and Thomas-Alyea, chapter 11; equal ions).

    The first and second harmonics tend to the first and second derivatives of the steady voltage; the anion and the
    charge on the electrodes keep their amounts.
    """
    thickness, diffusivity, concentration = 1e-5, 1e-10, 100.0
    cell = electrolyte(concentration, thickness, diffusivity)
    limit = 4 * FARADAY * diffusivity * concentration / thickness
    answer = harmonics(cell, steady(cell, Current(share * limit)), [1e-5])
    # neutrality holds up to the Debye length (0.3 nm) over what is left of the layer's concentration drop
    assert float(answer.z[0].real) == pytest.approx(4 * VT / limit / (1 - share**2), rel=2e-3)
    curvature = -8 * VT * share / (1 - share**2) ** 2 / limit**2
    scale = 8 * VT / limit**2
    assert float(answer.second[0].real) == pytest.approx(curvature / 4, rel=5e-3, abs=1e-6 * scale)
    assert float(answer.rectified[0]) == pytest.approx(curvature / 4, rel=5e-3, abs=1e-6 * scale)


# ------------------------------------------------------------------------------------- reference electrodes


def test_a_reference_electrode_sees_charge_transfer_and_then_the_electrolyte():
    thickness, exchange, compact = 1e-7, 2.0, 1e-3
    material = lattice(3e4, 0.5)
    cell = symmetric_cell(material, thickness, exchange, compact, nodes=NODES)
    rest = equilibrium(cell)
    z, ohms, sigma = impedance(cell, rest, FREQUENCY).z, VT / exchange, float(bulk_conductivity(material, T))
    for x in (0.0, 0.123 * thickness, 0.5 * thickness, thickness):
        found = split(cell, rest, FREQUENCY, "layer", x, "Li+")
        np.testing.assert_allclose(found.left + found.right, z, rtol=1e-12)
        assert float(found.left[0].real) == pytest.approx(ohms + x / sigma, rel=1e-8)
        if x == 0.5 * thickness:
            np.testing.assert_allclose(found.left, found.right, rtol=1e-8)
    near = split(cell, rest, FREQUENCY, "layer", 0.0, "Li+")
    # the space charge behind the compact layer stores C/C_Debye = 6e-4 as well, the layer as a dielectric 9e-4
    expected = ohms / (1 + 2j * np.pi * FREQUENCY[:3] * ohms * compact)
    np.testing.assert_allclose(near.left[:3] / expected, 1.0, atol=2e-3)


def test_the_series_resistance_is_on_the_right():
    cell = symmetric_cell(lattice(3e4, 0.5), 1e-7, 2.0, 1e-3, nodes=NODES)
    more = eqx.tree_at(lambda s: s.series_resistance, cell, jnp.asarray(0.5))
    without, found = (split(c, equilibrium(c), FREQUENCY, "layer", 0.0, "Li+") for c in (cell, more))
    np.testing.assert_allclose(found.left, without.left, rtol=1e-12)
    np.testing.assert_allclose(found.right, without.right + 0.5, rtol=1e-12)


def test_a_reference_electrode_without_anything_to_sense_is_refused():
    cell = symmetric_cell(lattice(3e4, 0.5), 1e-7, 2.0, 1e-3, nodes=NODES)
    rest = equilibrium(cell)
    with pytest.raises(ValueError, match="no e- in layer"):
        split(stack([LITHIUM, ELECTRON], cell.layers, cell.junctions), rest, FREQUENCY, "layer", 0.0, "e-")
    repeated = stack([LITHIUM], cell.layers, cell.junctions, units=(Unit(0, 0, 3.0),))
    for question in (response, harmonics):
        with pytest.raises(ValueError, match="repeated unit"):
            question(repeated, rest, FREQUENCY)


# ---------------------------------------------------------------------------------------------- profiles


def test_the_concentration_wave_in_a_binary_electrolyte():
    """delta c = -I (1 - t+) / (F D k) sinh(k (x - L/2)) / cosh(k L/2), k^2 = i omega/D, t+ = 1/2 (Warburg 1899)."""
    thickness, diffusivity = 1e-5, 1e-10
    cell = electrolyte(100.0, thickness, diffusivity)
    frequency = np.array([1e-2, 0.3, 3.0])
    found = response(cell, equilibrium(cell), frequency)
    inner = np.abs(np.asarray(found.x) / thickness - 0.5) < 0.45
    x = np.asarray(found.x)[inner, None] - 0.5 * thickness
    k = np.sqrt(2j * np.pi * frequency / diffusivity)
    wave = -0.5 / (FARADAY * diffusivity * k) * np.sinh(k * x) / np.cosh(0.5 * k * thickness)
    assert inner.sum() > 8
    for carrier in (0, 1):
        # of the mesh, second order: 7e-3 with half the nodes
        error = np.abs(np.asarray(found.concentration)[carrier, inner] - wave) / np.abs(wave).max(axis=0)
        assert error.max() < 2e-3


def test_the_charge_wave_between_blocking_plates_per_volt():
    """Poisson, Nernst, Planck, linear: Macdonald 1953; Bazant, Thornton, Ajdari 2004."""
    concentration, diffusivity, half = 1.0, 1e-12, 2e-8
    material = salt(concentration, diffusivity)
    cell = blocking_cell(material, 2 * half, [CATION, ANION], 161)
    frequency = np.array([1e2, 1e4, 1e5])
    found = response(cell, equilibrium(cell), frequency).per_voltage()
    iw, eps = 2j * np.pi * frequency, 10 * VACUUM_PERMITTIVITY
    kappa = 1 / float(debye_length(material, T))
    k = np.sqrt(kappa**2 + iw / diffusivity)
    field = 1.0  # far from the plates, before it is scaled to one volt
    amount = -(kappa**2) * eps * field * k * diffusivity / (FARADAY * iw * np.cosh(k * half))
    volts = 2 * (-FARADAY * amount * np.sinh(k * half) / (eps * k**2) + field * half)
    x = np.asarray(found.x)[:, None] - half
    wave = amount / volts * np.sinh(k * x)
    error = np.abs(np.asarray(found.concentration[0] - found.concentration[1]) - wave) / np.abs(wave).max(axis=0)
    assert error.max() < 2e-3  # second order: a quarter of it with twice the nodes
    np.testing.assert_allclose(found.voltage, 1.0, rtol=1e-12)
    np.testing.assert_allclose(1 / found.current, -impedance(cell, equilibrium(cell), frequency).z, rtol=1e-9)


# ------------------------------------------------------------------------------------------ space charges


def test_space_charges_and_bulk_add_up_to_their_layer_and_the_bulk_is_ohmic():
    cell = heterojunction()
    answer = impedance(cell, equilibrium(cell), FREQUENCY)
    names, pieces = answer.pieces()
    np.testing.assert_allclose(answer.zones.sum(axis=1), answer.parts[1:4:2], rtol=1e-12)
    np.testing.assert_allclose(pieces.sum(axis=0), answer.z, rtol=1e-9)
    assert names[:4] == ("left", "one, space charge on the left", "one, bulk", "one, space charge on the right")
    assert len(names) == len(pieces) == 3 + 2 * 3 + 1
    for i, own in enumerate(cell.layers):
        length = float(own.thickness - answer.reach[i].sum())
        assert length > 0.3 * float(own.thickness)
        # where the bulk begins the potential is off by exp(-5) RT/F, a Debye length further by a third of that
        expected = length / float(bulk_conductivity(own.material, T))
        assert float(answer.zones[i, 1, 0].real) == pytest.approx(expected, rel=2e-3)


def test_the_mirror_image_has_its_space_charges_on_the_other_side():
    here, there = (impedance(c, equilibrium(c), FREQUENCY) for c in (heterojunction(), heterojunction(turned=True)))
    np.testing.assert_allclose(there.reach[::-1, ::-1], here.reach, rtol=1e-6)
    np.testing.assert_allclose(there.zones[::-1, ::-1], here.zones, rtol=1e-6, atol=1e-9 * np.abs(here.z).max())


def test_shares_count_what_reacts_in_the_bulk_and_what_fills_at_a_junction():
    """Frenkel pairs that form at a finite rate, and an adsorbed ion: without either term nothing adds up."""
    vacancy = Species("V'", -1)
    carriers = tuple(Carrier(s, Dilute(), 1e4, 1e-4, Constant(1e-12)) for s in (LITHIUM, vacancy))
    pair = BulkReaction((), (("Li+", 1), ("V'", 1)), MassAction(Constant(1e6)), 2 * GAS * T * np.log(1e-4))
    adsorbed = InterfaceState("adsorbed", 1, 1e-6, 0.1 * FARADAY)
    film = Material("Frenkel", carriers, 10.0, 0.0, (pair,))
    right = Reaction((("Li+", 1),), (("adsorbed", 1),), ButlerVolmer(Constant(1.0), 0.5), 0.0)
    cell = stack(
        [LITHIUM, vacancy],
        [layer(film, 2e-8, NODES)],
        [
            Junction("left", (transfer("Li+", level=0.1 * FARADAY),)),
            Junction("right", (right,), Capacitance(0.1), states=(adsorbed,)),
        ],
    )
    answer = impedance(cell, equilibrium(cell), np.geomspace(1e1, 1e7, 4))
    np.testing.assert_allclose(answer.parts.sum(axis=0), answer.z, rtol=1e-9)
    assert float(answer.parts.real.min()) > -1e-9 * float(jnp.abs(answer.z).max())


def test_a_depleted_space_charge_reaches_as_far_as_its_charge():
    """Beyond five Debye lengths where the potential is many RT/F; the depletion width grows with the root of it."""
    material = salt(1e-6, fixed=1.0, anion=1.0 + 1e-6)  # one mobile ion, in effect: Schottky's depletion of the anion
    cell = half_space(material, 2e-7, [CATION, ANION], NODES)
    rest = equilibrium(cell)
    reach = [
        float(impedance(cell, equilibrium(cell, voltage=float(rest.state.voltage) + v), FREQUENCY).reach[0, 0])
        for v in (0.0, 0.5, 1.0)
    ]
    debye = float(debye_length(material, T))
    assert reach[0] == pytest.approx(5 * debye, rel=1e-6)
    assert max(reach[1:]) > 6 * debye


# ---------------------------------------------------------------------------------------------- harmonics


def test_second_harmonic_of_butler_volmer_with_a_double_layer():
    """i = v/R + g v^2/2 + C dv/dt gives v2 = -g Z1^2 / 4 / (1/R + 2 i omega C), twice (both contacts alike).

    For a lone contact as in Harrington, Can. J. Chem. 75 (1997) 1508.
    """
    exchange, alpha, compact = 2.0, 0.7, 1e-3
    cell = symmetric_cell(lattice(3e5, 0.5, eps=1.0), 1e-7, exchange, compact, alpha, NODES)
    answer = harmonics(cell, equilibrium(cell), FREQUENCY)
    ohms, g = VT / exchange, exchange * (2 * alpha - 1) / VT**2
    iw = 2j * np.pi * FREQUENCY[:3]
    linear = ohms / (1 + iw * ohms * compact)
    expected = 2 * g / 4 * linear**2 / (1 / ohms + 2 * iw * compact)  # overpotentials lower the voltage
    np.testing.assert_allclose(answer.second[:3] / expected, 1.0, atol=3e-3)
    assert complex(answer.second[0]) == pytest.approx(expected[0], rel=1e-6)
    np.testing.assert_allclose(answer.rectified[:3] / (2 * g / 4 * np.abs(linear) ** 2 * ohms), 1.0, atol=3e-3)


def test_a_cell_that_is_its_own_mirror_image_has_no_second_harmonic():
    scale = VT / 2.0**2
    for alphas in ((0.5, 0.5), (0.3, 0.7)):
        cell = symmetric_cell(lattice(1000.0, 0.3), 1e-7, 2.0, 0.1, 0.5, NODES)
        cell = eqx.tree_at(
            lambda s: [j.reactions[0].law.alpha for j in s.junctions], cell, [jnp.asarray(a) for a in alphas]
        )
        answer = harmonics(cell, equilibrium(cell), FREQUENCY)
        assert float(np.abs(answer.second).max()) < 1e-12 * scale
        assert float(np.abs(answer.rectified).max()) < 1e-12 * scale
    bent = eqx.tree_at(lambda s: s.junctions[0].reactions[0].law.alpha, cell, jnp.asarray(0.4))
    assert float(np.abs(harmonics(bent, equilibrium(bent), FREQUENCY).second).max()) > 1e-3 * scale


def test_second_harmonic_and_rectification_of_a_nonlinear_capacitor():
    """A blocking metal on a salt: q = q0 sinh(F psi / 2RT), so V2 = V''(q) q1^2 / 4 with q1 = I1 / (i omega).

    Grahame, Chem. Rev. 41 (1947) 441. No direct current passes: the mean charge stays, the mean voltage does not.
    """
    cell = half_space(salt(1.0), 1e-7, [CATION, ANION], 161)
    frequency = np.array([1e-3, 1.0])
    omega = 2 * np.pi * frequency
    for volts in (0.05, -0.1):
        rest = equilibrium(cell, voltage=volts)
        answer = harmonics(cell, rest, frequency)
        charge = float(rest.state.displacement[0])
        q0 = np.sqrt(8 * 10 * VACUUM_PERMITTIVITY * GAS * T * 1.0)
        curvature = 2 * VT * charge / (q0**2 + charge**2) ** 1.5
        # the charge of the space charge is right to 1e-3 on this mesh
        np.testing.assert_allclose(answer.second / (-curvature / omega**2 / 4), 1.0, atol=1e-2)
        np.testing.assert_allclose(answer.rectified / (curvature / omega**2 / 4), 1.0, atol=1e-2)


def test_harmonics_under_current_are_the_derivatives_of_the_steady_voltage():
    """Space charges, kinetics and a driven state: no closed form, but steady states on both sides."""
    cell = heterojunction(0.05)
    rest = equilibrium(cell)
    ohms = float(impedance(cell, rest, FREQUENCY).z[0].real)
    current, step = 0.05 / ohms, 2e-3 * 0.05 / ohms
    state = steady(cell, Current(current), rest)
    v = [float(steady(cell, Current(current + s * step), state).state.voltage) for s in (-1, 0, 1)]
    answer = harmonics(cell, state, FREQUENCY)
    assert float(answer.z[0].real) == pytest.approx(-(v[2] - v[0]) / (2 * step), rel=1e-5)
    second = (v[2] - 2 * v[1] + v[0]) / step**2
    assert float(answer.second[0].real) == pytest.approx(second / 4, rel=1e-3)
    assert float(answer.rectified[0]) == pytest.approx(second / 4, rel=1e-3)


def test_harmonics_are_those_of_a_sine_in_time():
    """A current of a tenth of the exchange current: what is left out is of the order of its square, one percent."""
    exchange, frequency, amplitude, points = 2.0, 100.0, 0.2, 32
    cell = symmetric_cell(lattice(3e5, 0.5, eps=1.0), 1e-7, exchange, 0.1, 0.7, NODES)
    rest = equilibrium(cell)
    periods = np.arange(points) / points
    step = Step(
        Current(0.0), 4 / frequency, signal=sine(0.0, amplitude, frequency), save=jnp.asarray(2.5 + periods) / frequency
    )
    run = simulate(cell, step, rest, rtol=1e-6)
    volts = np.asarray(run.voltage)[1:-1]  # without the beginning and the end
    assert len(volts) == points
    turns = np.exp(-2j * np.pi * (2.5 + periods - 0.25))  # the sine is a cosine a quarter of a period later
    answer = harmonics(cell, rest, np.full(4, frequency))
    first, second = (np.mean(volts * turns**n) * 2 / amplitude**n for n in (1, 2))
    assert first == pytest.approx(-complex(answer.z[0]), rel=1e-2)
    assert second == pytest.approx(complex(answer.second[0]), rel=1e-2)
    assert np.mean(volts) / amplitude**2 == pytest.approx(float(answer.rectified[0]), rel=1e-2)


# ------------------------------------------------------------------------------------------- derivatives

START = jnp.array([T, 1.0, 1e-12])
SMALL = half_space(salt(1.0), 1e-8, [CATION, ANION], 9)


@jax.jit
def question(factor):
    """A half cell's impedance, the second harmonic and the rectified voltage of a polarised salt."""
    temperature, amount, diffusivity = START * factor
    cell, carriers = SMALL, SMALL.layers[0].material.carriers
    cell = eqx.tree_at(
        lambda s: (
            s.temperature,
            *(c.occupancy for c in s.layers[0].material.carriers),
            s.layers[0].material.carriers[0].diffusivity.value,
            s.junctions[1].reactions[0].level,
        ),
        cell,
        (temperature, amount, amount, diffusivity, -bulk_potential(carriers[0], temperature)),
    )
    rest = equilibrium(cell, voltage=0.05, throw=False)
    harmonic = harmonics(cell, rest, jnp.array([3e4]))
    half = split(cell, rest, jnp.array([3e4]), "layer", 3e-9, "C+")
    return jnp.stack([harmonic.second[0].real, harmonic.second[0].imag, harmonic.rectified[0], half.left[0].real])


@pytest.mark.slow
def test_derivatives_are_those_of_central_differences_in_both_modes():
    one, step = jnp.ones(3), 1e-4
    value = question(one)
    differences = np.stack([(question(one + step * e) - question(one - step * e)) / (2 * step) for e in jnp.eye(3)], 1)
    forward = np.asarray(jax.jit(jax.jacfwd(question))(one))
    np.testing.assert_allclose(forward / value[:, None], differences / value[:, None], atol=1e-5)
    backward = jax.jit(jax.grad(lambda factor: jnp.sum(question(factor) / value)))(one)
    np.testing.assert_allclose(backward, (forward / value[:, None]).sum(axis=0), rtol=1e-8)
