"""What must hold for every stack (PHYSICS section 8), over random ones of one shape that share compiled functions."""

import equinox as eqx
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from ionics.constants import FARADAY, GAS
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer, Linear
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage, flows, profiles, storage
from ionics.transport.equilibrium import NotConverged, equilibrium
from ionics.transport.freedom import Overdetermined
from ionics.transport.impedance import impedance
from ionics.transport.stack import Junction, Reaction, Stack, bulk_potential, transfer
from ionics.transport.steady import steady
from tests.cells import ANION, CATION, LITHIUM, T, blocking_cell, lattice, layer, salt, stack, symmetric_cell

NODES = 41
shapes = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],
)


def decades(low, high):
    return st.floats(np.log10(low), np.log10(high)).map(lambda e: 10.0**e)


phases = st.fixed_dictionaries(
    {
        "sites": decades(10.0, 6e4),
        "theta": st.floats(0.02, 0.98),
        "diffusivity": decades(1e-15, 1e-10),
        "eps": st.floats(5.0, 60.0),
        "mu0": st.floats(-0.2, 0.2).map(lambda volts: volts * FARADAY),
        "hopping": st.just(True),
    }
)


@st.composite
def heterojunctions(draw):
    """Two lattice conductors between lithium contacts with Butler-Volmer kinetics and compact layers."""
    one, two = (lattice(**draw(phases), name=name) for name in ("one", "two"))
    layers = [layer(m, draw(decades(2e-9, 2e-6)), NODES, m.name) for m in (one, two)]
    ends = []
    for side, sign, material in (("left", 1, one), ("right", -1, two)):
        level = bulk_potential(material.carriers[0], jnp.asarray(T)) + draw(st.floats(-0.1, 0.1)) * FARADAY
        law = ButlerVolmer(Constant(draw(decades(0.1, 100.0))), draw(st.floats(0.2, 0.8)))
        compact = Capacitance(draw(decades(0.02, 1.0)))
        ends.append(Junction(f"{side} contact", (transfer("Li+", law, sign * level),), compact))
    middle = Junction(
        "middle",
        (transfer("Li+", Linear(Constant(draw(decades(1e-6, 1e-2))))),),
        Capacitance(draw(decades(0.02, 1.0))),
        draw(st.floats(-0.2, 0.2)),
        draw(st.floats(-0.02, 0.02)),
    )
    return stack([LITHIUM], layers, [ends[0], middle, ends[1]])


def mirror(cell: Stack) -> Stack:
    """The same device seen from the other side."""

    def turned(junction):
        reactions = tuple(
            Reaction(
                r.right,
                r.left,
                eqx.tree_at(lambda law: law.alpha, r.law, 1 - r.law.alpha) if hasattr(r.law, "alpha") else r.law,
                -r.level,
            )
            for r in junction.reactions
        )
        return Junction(junction.name, reactions, junction.compact, -junction.step, junction.surface_charge)

    layers = [eqx.tree_at(lambda a: a.spacing, one, one.spacing[::-1]) for one in cell.layers[::-1]]
    return stack(cell.species, layers, [turned(junction) for junction in cell.junctions[::-1]])


def scale_of_flux(cell):
    """What one RT would drive across the finest face of each layer [mol m-2 s-1]."""
    return [
        float(a.material.carriers[0].diffusivity(T) * a.material.carriers[0].sites / (a.thickness * a.spacing.min()))
        for a in cell.layers
    ]


@shapes
@given(heterojunctions())
def test_at_equilibrium_every_flux_is_zero_to_rounding_and_eta_is_flat(cell):
    solution = equilibrium(cell)
    layers, junctions = flows(cell, solution.state)
    for flow, scale in zip(layers, scale_of_flux(cell), strict=True):
        # a face multiplies the rounding of u and phi (some 40 RT) by its conductance
        assert float(jnp.abs(flow.flux[0]).max()) < 1e-12 * scale
        assert float(jnp.ptp(flow.electrochemical[0])) < 1e-10 * GAS * T
    for junction in junctions:
        assert abs(float(junction.affinity[0])) < 1e-9 * GAS * T


@shapes
@given(heterojunctions(), st.floats(-1.0, 1.0))
def test_the_impedance_at_rest_and_under_current_tends_to_the_slope_of_the_voltage(cell, share):
    rest = equilibrium(cell)
    still = float(impedance(cell, rest, [1e-7, 1.0]).z[0].real)
    current = share * 0.05 / still
    state = steady(cell, Current(current), rest)
    step = 1e-4 * 0.05 / still
    volts = [float(steady(cell, Current(current + sign * step), state).state.voltage) for sign in (-1, 1)]
    slope = -(volts[1] - volts[0]) / (2 * step)
    # central difference: its own error is some 1e-8 of curvature and 1e-9 of rounding
    assert float(impedance(cell, state, [1e-7, 1.0]).z[0].real) == pytest.approx(slope, rel=1e-5)


@shapes
@given(heterojunctions())
def test_the_shares_of_layers_and_junctions_add_up_to_the_impedance(cell):
    answer = impedance(cell, equilibrium(cell), np.geomspace(1e-2, 1e8, 11))
    np.testing.assert_allclose(answer.parts.sum(axis=0), answer.z, rtol=1e-9)
    assert float(answer.parts.real.min()) > -1e-9 * float(jnp.abs(answer.z).max())


@shapes
@given(heterojunctions(), st.floats(-1.0, 1.0))
def test_the_mirror_image_of_a_stack_has_the_mirror_image_of_its_solution(cell, volts):
    image = mirror(cell)
    here, there = equilibrium(cell), equilibrium(image)
    assert float(here.state.voltage) == pytest.approx(-float(there.state.voltage), abs=1e-9)
    np.testing.assert_allclose(here.state.u, there.state.u[:, ::-1], atol=1e-8)
    frequency = np.geomspace(1e-2, 1e8, 11)
    np.testing.assert_allclose(impedance(cell, here, frequency).z, impedance(image, there, frequency).z, rtol=1e-7)
    offset = 0.2 * volts
    forward = steady(cell, Voltage(float(here.state.voltage) + offset), here)
    backward = steady(image, Voltage(float(there.state.voltage) - offset), there)
    # relative to what 1 V would drive at the slope of rest
    ohms = abs(float(impedance(cell, here, frequency).z[0].real))
    assert float(forward.state.current) == pytest.approx(-float(backward.state.current), abs=1e-8 / ohms)


@shapes
@given(heterojunctions(), st.floats(-1.0, 1.0))
def test_every_face_produces_entropy_and_the_current_is_the_same_everywhere(cell, share):
    rest = equilibrium(cell)
    ohms = float(impedance(cell, rest, [1e-7, 1.0]).z[0].real)
    state = steady(cell, Current(share * 0.2 / ohms), rest)
    layers, junctions = flows(cell, state.state)
    expected = float(state.state.current) / FARADAY
    for flow, scale in zip(layers, scale_of_flux(cell), strict=True):
        power = flow.flux[0] * -jnp.diff(flow.electrochemical[0])
        assert float(power.min()) >= -1e-13 * scale * GAS * T
        np.testing.assert_allclose(flow.flux[0], expected, rtol=1e-7, atol=1e-13 * scale)
    for junction in junctions:
        assert (
            float(junction.affinity[0] * junction.rate[0])
            >= -1e-12 * max(abs(expected), 1e-6 * min(scale_of_flux(cell))) * GAS * T
        )
        assert float(junction.rate[0]) == pytest.approx(expected, rel=1e-7, abs=1e-13 * min(scale_of_flux(cell)))


@shapes
@given(decades(0.1, 100.0), decades(1e-14, 1e-11), st.floats(-1.0, 1.0))
def test_a_closed_cell_keeps_its_ions_at_any_voltage(concentration, diffusivity, volts):
    cell = blocking_cell(salt(concentration, diffusivity), 1e-7, [CATION, ANION], NODES)
    for solution in (equilibrium(cell, voltage=volts), steady(cell, Voltage(volts))):
        amounts = storage(cell, solution.state).u.sum(axis=1)
        np.testing.assert_allclose(amounts, concentration * 1e-7, rtol=1e-12)
        # what one metal gains the other loses
        assert float(solution.state.displacement[0]) == pytest.approx(float(solution.state.displacement[1]), rel=1e-9)


def kramers_kronig_misfit(frequency, z):
    """Relative misfit of the best sum of relaxations, resistance, capacitance and inductance (Schoenleber 2014)."""
    iw = 2j * np.pi * frequency
    tau = np.geomspace(
        0.1 / (2 * np.pi * frequency.max()), 10 / (2 * np.pi * frequency.min()), 10 * len(frequency) // 10
    )
    basis = np.concatenate([1 / (1 + np.outer(iw, tau)), np.ones((len(iw), 1)), 1 / iw[:, None], iw[:, None]], axis=1)
    basis = basis / np.abs(z)[:, None]
    real = np.concatenate([basis.real, basis.imag])
    norms = np.linalg.norm(real, axis=0)
    target = z / np.abs(z)
    target = np.concatenate([target.real, target.imag])
    weights, *_ = np.linalg.lstsq(real / norms, target, rcond=1e-13)
    return np.abs(real / norms @ weights - target).max()


@shapes
@given(heterojunctions(), st.floats(-1.0, 1.0))
def test_computed_spectra_obey_kramers_and_kronig(cell, share):
    rest = equilibrium(cell)
    frequency = np.geomspace(1e-3, 1e9, 121)
    ohms = float(impedance(cell, rest, [1e-7, 1.0]).z[0].real)
    driven = steady(cell, Current(share * 0.1 / ohms), rest)
    for state in (rest, driven):
        z = np.asarray(impedance(cell, state, frequency).z)
        assert kramers_kronig_misfit(frequency, z) < 1e-4
    # the check can fail: a phase that is wrong by one percent in the middle of the spectrum is found
    wrong = z.real + 1j * z.imag * (1 + 0.05 * np.exp(-(np.log10(frequency / 1e3) ** 2)))
    if np.abs(z.imag / z)[(frequency > 1e2) & (frequency < 1e4)].max() > 0.2:
        assert kramers_kronig_misfit(frequency, wrong) > 3e-4


def test_no_direct_current_passes_a_blocking_cell():
    cell = blocking_cell(salt(1.0), 1e-7, [CATION, ANION], NODES)
    with pytest.raises(NotConverged, match="no direct current can pass"):
        steady(cell, Current(1.0))


def test_a_voltage_that_the_contacts_decide_cannot_be_chosen():
    cell = symmetric_cell(lattice(1000.0, 0.5), 1e-7, 1.0, nodes=NODES)
    with pytest.raises(Overdetermined, match="already fix the voltage"):
        equilibrium(cell, voltage=0.3)
    with pytest.raises(Overdetermined, match=r"occupancy of Li\+ in layer cannot be chosen"):
        equilibrium(cell, occupancy={("layer", "Li+"): 0.3})


def test_a_current_into_a_layer_it_cannot_leave_has_no_steady_state():
    """Salt: the cation passes at both ends, the anion is held, so a limiting current bounds the steady state."""
    material = salt(1.0, 1e-12)
    level = float(bulk_potential(material.carriers[0], jnp.asarray(T)))
    ends = [
        Junction(f"{side} contact", (transfer("C+", None, sign * level),))
        for side, sign in (("left", 1), ("right", -1))
    ]
    thickness = 1e-6
    cell = stack([CATION, ANION], [layer(material, thickness, NODES)], ends)
    limit = 4 * FARADAY * 1e-12 * 1.0 / thickness  # 4 F D c / L, Newman chapter 11 for equal mobile ions
    near = steady(cell, Current(0.9 * limit))
    shape = profiles(cell, near.state)
    # the salt falls linearly through the neutral layer; a few Debye lengths (3 nm) at each end are not neutral
    middle = slice(NODES // 2 - 6, NODES // 2 + 7)
    expected = 1 + 0.9 * (1 - 2 * np.asarray(shape.x)[middle] / thickness)
    np.testing.assert_allclose(np.asarray(shape.concentration)[1, middle], expected, rtol=5e-3)
