"""A porous electrode without particles is a transmission line, whose impedance is known for any two conductivities."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells.balance import at_rest
from ionics.cells.impedance import impedance
from ionics.kinetics.compact import Capacitance, ConstantPhase
from tests.whole_cells.build import transmission_line

THICKNESS, IONIC, ELECTRONIC, RESISTANCE = 5e-5, 0.02, 0.05, 3e-3  # m, S m-1, Ohm m2
FREQUENCY = np.geomspace(1e-1, 3e2, 11)


def exact(admittance, ionic=IONIC, electronic=ELECTRONIC, thickness=THICKNESS):
    """Ions enter at one end, electrons leave at the other; admittance of all walls [S m-2].

    Euler and Nonnenmacher, Electrochim. Acta 2 (1960) 268, doi:10.1016/0013-4686(60)80025-4; with one resistance only
    it is the pore of de Levie, Electrochim. Acta 8 (1963) 751, doi:10.1016/0013-4686(63)80042-0.
    """
    nu = np.sqrt(thickness * (1 / ionic + 1 / electronic) * admittance)
    ratio = electronic / ionic + ionic / electronic
    both = (2 + ratio * np.cosh(nu)) / (nu * np.sinh(nu))
    return thickness / (ionic + electronic) * (1 + both)


def found(nodes, compact, frequency=FREQUENCY, resistance=RESISTANCE, ionic=IONIC, electronic=ELECTRONIC, **more):
    cell = transmission_line(nodes, ionic, electronic, resistance, compact, **more)
    return impedance(cell, at_rest(cell, {}), frequency)


def test_second_order_towards_the_transmission_line():
    compact = Capacitance(5.0)
    known = exact(1 / RESISTANCE + 2j * np.pi * FREQUENCY * 5.0)
    few, many = (found(nodes, compact) for nodes in (21, 41))
    errors = [np.max(abs(np.asarray(own.z) - known) / abs(known)) for own in (few, many)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    assert errors[1] < 2e-3
    assert many.elements == ("flat", "porous", "series resistance")
    assert many.names[1:4] == ("porous, ions", "porous, electrons", "porous, charge transfer")
    np.testing.assert_allclose(many.parts.sum(0), many.z, rtol=1e-13)
    np.testing.assert_allclose(many.shares.sum(0), many.z, rtol=1e-13)
    assert np.all(np.real(many.shares) > -1e-15)  # what conducts dissipates


def test_shares_of_the_line_are_what_its_parts_dissipate():
    """At low frequency a thin line of slow walls takes a third of either resistance and all of the walls'."""
    few = found(21, Capacitance(5.0), [1e-6], resistance=1.0)
    third = np.array([THICKNESS / (3 * IONIC), THICKNESS / (3 * ELECTRONIC), 1.0])
    # the current falls linearly up to (thickness / conductivity) / wall; 1 / (2 20^2) of a third by the nodes
    np.testing.assert_allclose(np.real(few.shares[1:4, 0]), third, rtol=6e-3)


def test_a_mixed_conductor_is_that_of_reference_a09(reference):
    """Nothing but the capacity of lithium at every depth: the battery electrode of Jamnik and Maier (A09)."""
    given, known = reference["A09"]["parameters"], reference["A09"]["reference"]
    length = given["L"]
    answer = found(
        41, Capacitance(known["c_chem_F_m3"] * length), [1e-3, 1e-1], 1e12, given["sigma_ion"], given["sigma_eon"],
        thickness=length,
    )  # fmt: skip
    exact = np.array([complex(*known[f"Zbat({name} Hz)_Ohm_m2"]) for name in ("1e-3", "1e-1")])
    # second order in 40 steps of a wave that decays over half the electrode at most
    np.testing.assert_allclose(answer.z, exact, rtol=2e-3)


def test_walls_of_constant_phase():
    """Admittance Q (i omega)^n at every depth; with n = 1 a capacitance."""
    q, n = 4.0, 0.8
    known = exact(1 / RESISTANCE + q * (2j * np.pi * FREQUENCY) ** n)
    own = found(41, ConstantPhase(q, n))
    np.testing.assert_allclose(own.z, known, rtol=5e-3)
    np.testing.assert_allclose(own.shares.sum(0), own.z, rtol=1e-13)
    np.testing.assert_allclose(found(41, ConstantPhase(q, 1.0)).z, found(41, Capacitance(q)).z, rtol=1e-12)
    assert jnp.iscomplexobj(own.z)
