"""Fluxes and dielectrics to machine precision: A25 and A26."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.laws import Constant
from ionics.transport.balance import layer_flow, profiles
from ionics.transport.equilibrium import equilibrium
from ionics.transport.flux import Chemical, Hopping, Vehicle, bernoulli
from ionics.transport.impedance import impedance
from ionics.transport.stack import Carrier, Junction, Layer, Material
from ionics.transport.statistics import Dilute, Lattice
from tests.cells import CATION, T, stack, uniform
from tests.validation.record import compare, curve


def test_bernoulli_to_rounding(reference):
    """A25."""
    for key, value in reference["A25"]["reference"].items():
        if key.startswith("Bernoulli"):
            x = float(key[len("Bernoulli(") : -1])
            compare("A25", key.replace("Bernoulli", "B"), bernoulli(jnp.asarray(x)), value, 1e-14)


def test_bernoulli_and_its_derivative_against_many_digits():
    """Over fourteen decades on both sides of zero, the value to a few units in the last place, the slope to 1e-13."""
    import mpmath

    x = np.concatenate([np.geomspace(1e-14, 600, 60), -np.geomspace(1e-14, 600, 60), [0.2, -0.2, 0.0]])
    with mpmath.workdps(50):
        exact = [mpmath.mpf(v) / mpmath.expm1(mpmath.mpf(v)) if v else mpmath.mpf(1) for v in x]
        slope = [
            (mpmath.expm1(v) - v * mpmath.exp(v)) / mpmath.expm1(v) ** 2 if v else mpmath.mpf(-0.5)
            for v in map(mpmath.mpf, x)
        ]
    found, slopes = jax.vmap(jax.value_and_grad(bernoulli))(jnp.asarray(x))
    compare("A25", "B over fourteen decades", found, np.array(exact, float), 4e-16 * 4)
    compare("A25", "dB/dx over fourteen decades", slopes, np.array(slope, float), 1e-13)
    near = np.argsort(x)[np.abs(np.sort(x)) < 50]
    pair = (x[near], np.asarray(found)[near]), (x[near], np.array(exact, float)[near])
    curve("A25", "B(x)", ("x = zFΔφ/RT", "B(x)"), *pair, scales=("linear", "log"))


def test_constant_field_flux_is_exact_between_two_nodes(reference):
    """A25: the Goldman-Hodgkin-Katz flux, in one cell."""
    p, case = reference["A25"]["parameters"], reference["A25"]["reference"]
    carrier = Carrier(CATION, Dilute(), 1.0, 1.0, Constant(p["D"]))
    material = Material("membrane", (carrier,), 10.0, 0.0)
    cell = stack([CATION], [uniform(material, p["L"], 5)], [Junction("left"), Junction("right")])
    two = Layer("membrane", material, p["L"], jnp.ones(1))
    u = jnp.log(jnp.array([[p["cL"], p["cR"]]]))
    flow = layer_flow(cell, two, u, jnp.array([0.0, p["dV"]]))
    compare("A25", "flux through one cell", flow.flux[0][0], case["J_GHK_mol_m2_s"], 1e-13)


def test_constant_field_profile_is_exact_at_the_nodes(reference):
    """A25: the discrete flux through two cells agrees only with the exact concentration between them."""
    p, case = reference["A25"]["parameters"], reference["A25"]["reference"]
    carrier = Carrier(CATION, Dilute(), 1.0, 1.0, Constant(p["D"]))
    material = Material("membrane", (carrier,), 10.0, 0.0)
    cell = stack([CATION], [uniform(material, p["L"], 5)], [Junction("left"), Junction("right")])
    three = Layer("membrane", material, p["L"], jnp.array([0.5, 0.5]))
    u = jnp.log(jnp.array([[p["cL"], case["c_mid_exact"], p["cR"]]]))
    flow = layer_flow(cell, three, u, jnp.array([0.0, 0.5 * p["dV"], p["dV"]]))
    compare("A25", "flux through two cells", flow.flux[0][:2], case["J_GHK_mol_m2_s"], 1e-13)


def test_dielectrics_with_a_sheet_charge(reference):
    """A26: Gauss' law alone, no carriers at all."""
    p, case = reference["A26"]["parameters"], reference["A26"]["reference"]
    one, two = Material("one", (), p["er1"], 0.0), Material("two", (), p["er2"], 0.0)
    cell = stack(
        [],
        [uniform(one, p["L1"], 11, "one"), uniform(two, p["L2"], 11, "two")],
        [Junction("left"), Junction("sheet", surface_charge=p["q_s"]), Junction("right")],
    )
    # the reference holds the left plate at V and grounds the right one; here the left one is ground
    solution = equilibrium(cell, voltage=-p["V"])
    state = solution.state
    compare("A26", "potential of the sheet", state.phi[10] + p["V"], case["phi_i_V"], 1e-13)
    compare("A26", "D on the left", state.displacement[1], case["D1_C_m2"], 1e-13)
    compare("A26", "D on the right", state.displacement[1] + p["q_s"], case["D2_C_m2"], 1e-13)
    z = impedance(cell, solution, 1.0).z[0]
    compare("A26", "capacitance", (1 / (2j * np.pi * z)).real, case["C_F_m2"], 1e-13)
    shape = profiles(cell, state)
    x = np.linspace(0, (p["L1"] + p["L2"]) * 1e9, 41)
    exact = x, np.interp(x, [0, p["L1"] * 1e9, x[-1]], [p["V"], case["phi_i_V"], 0.0])
    curve("A26", "φ", ("x [nm]", "potential [V]"), (shape.x * 1e9, shape.potential + p["V"]), exact)


@pytest.mark.parametrize("mobility", [Vehicle(), Hopping()])
@pytest.mark.parametrize("statistics", [Dilute(), Lattice()])
def test_flux_vanishes_where_eta_is_flat_and_reverses_with_the_ends(mobility, statistics):
    drop = jnp.linspace(-20.0, 20.0, 41)
    left = jnp.full_like(drop, -1.3)

    def flux(left, right, drop):
        return mobility.flux(statistics.filling(left, jnp.asarray(T)), statistics.filling(right, jnp.asarray(T)), drop)

    forward = flux(left, left - drop, drop)
    size = jnp.abs(drop) + 1
    assert float(jnp.max(jnp.abs(forward) / size)) < 1e-15
    there = flux(left, left + 0.7, drop)
    back = flux(left + 0.7, left, -drop)
    np.testing.assert_allclose(there, -back, rtol=1e-14, atol=1e-300)


def test_a_lattice_gas_without_field_obeys_fick_at_every_filling():
    """Hopping mobility: the blocking factors cancel (PHYSICS section 2)."""
    ends = ([-4.0, 0.0, 4.0], [-3.0, 1.0, 7.0])
    left, right = (Lattice().filling(jnp.asarray(u), jnp.asarray(T)) for u in ends)
    hop, fick = (mobility.flux(left, right, jnp.zeros(3)) for mobility in (Hopping(), Chemical()))
    np.testing.assert_allclose(hop, fick, rtol=1e-14)
