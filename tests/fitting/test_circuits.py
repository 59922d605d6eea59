"""Elements obey their closed forms, combine as values, and are written as text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.fitting.circuits import CPE, HN, TL, TLQ, TLR, AbstractElement, C, G, L, R, W, Wo, Ws, labelled, tanh
from ionics.fitting.model import CircuitModel
from ionics.fitting.notation import CircuitError, parse

OMEGA = np.logspace(-4, 8, 49)
S = 1j * OMEGA
CLOSED = {
    "R": (R(7.0), 7.0 + 0 * S),
    "C": (C(3e-6), 1 / (S * 3e-6)),
    "L": (L(2e-3), S * 2e-3),
    "CPE": (CPE(2e-5, 0.7), 1 / (2e-5 * S**0.7)),
    "W": (W(5.0), 5.0 * (1 - 1j) / np.sqrt(OMEGA)),
    "G": (G(4.0, 0.3), 4.0 / np.sqrt(1 + S * 0.3)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_an_element_has_its_textbook_impedance(name):
    element, expected = CLOSED[name]
    # a few roundings of a complex power
    np.testing.assert_allclose(element.impedance(jnp.asarray(OMEGA)), expected, rtol=1e-14)


def test_a_bounded_diffusion_layer_is_a_warburg_when_fast_and_a_capacitor_or_a_resistor_when_slow():
    z0, tau = 3.0, 2.0
    warburg = W(z0 / np.sqrt(2 * tau)).impedance(jnp.asarray(OMEGA))
    fast = OMEGA * tau > 2e3  # there tanh differs from 1 by exp(-2 sqrt(1e3)) < 1e-27
    for element in (Wo(z0, tau), Ws(z0, tau)):
        np.testing.assert_allclose(element.impedance(jnp.asarray(OMEGA))[fast], warburg[fast], rtol=1e-13)
    slow = jnp.asarray([1e-6])  # corrections are of order omega tau = 2e-6
    np.testing.assert_allclose(Ws(z0, tau).impedance(slow), z0, rtol=1e-5)
    blocked = Wo(z0, tau).impedance(slow)
    np.testing.assert_allclose(blocked.imag, -z0 / (1e-6 * tau), rtol=1e-5)
    np.testing.assert_allclose(blocked.real, z0 / 3, rtol=1e-5)


def test_a_skewed_arc_is_symmetric_with_beta_one_and_a_gerischer_with_alpha_one_and_beta_half():
    omega = jnp.asarray(OMEGA)
    symmetric = (R(7.0) | CPE(0.3**0.8 / 7.0, 0.8)).impedance(omega)
    np.testing.assert_allclose(HN(7.0, 0.3, 0.8, 1.0).impedance(omega), symmetric, rtol=1e-13)
    np.testing.assert_allclose(HN(7.0, 0.3, 1.0, 0.5).impedance(omega), G(7.0, 0.3).impedance(omega), rtol=1e-13)


def ladder(ions, electrons, transfer, q, n, s, rungs):
    """A transmission line as that many rungs, solved by Kirchhoff's laws: current into one rail, out of the other."""
    share = np.full(rungs, 1.0 / rungs)
    wall = (1 / transfer + q * s**n) * share
    matrix = np.zeros((2 * rungs, 2 * rungs), dtype=complex)
    for k in range(rungs):
        a, b = k, rungs + k
        matrix[[a, b], [a, b]] += wall[k]
        matrix[[a, b], [b, a]] -= wall[k]
        for first, total in ((0, ions), (rungs, electrons)):
            if k + 1 < rungs:
                g = rungs / total
                i, j = first + k, first + k + 1
                matrix[[i, j], [i, j]] += g
                matrix[[i, j], [j, i]] -= g
    matrix[-1, -1] += 1.0  # the potential is that against the end of the electrons' rail
    current = np.zeros(2 * rungs)
    current[0], current[-1] = 1.0, -1.0
    u = np.linalg.solve(matrix, current)
    return u[0] - u[-1] + (ions + electrons) / (2 * rungs)  # half a rung before the first and after the last wall


def test_a_transmission_line_is_a_ladder_of_many_rungs():
    s, values = 1j * np.array([1e-2, 1.0, 30.0]), (40.0, 15.0, 90.0, 3e-3, 0.85)
    line = np.asarray(TL(*values).impedance(jnp.asarray(s.imag)))
    errors = []
    for rungs in (50, 100):  # midpoint rungs: the error falls by four as their number doubles
        found = np.array([ladder(*values, one, rungs) for one in s])
        errors.append(np.max(np.abs(found - line) / np.abs(line)))
    assert errors[1] < 4e-5
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_a_rail_without_loss_and_a_wall_without_reaction_are_limits_of_the_transmission_line():
    omega = jnp.asarray(OMEGA)
    reacting = TLR(40.0, 90.0, 3e-3, 0.85).impedance(omega)
    np.testing.assert_allclose(TL(40.0, 1e-12, 90.0, 3e-3, 0.85).impedance(omega), reacting, rtol=1e-10)
    blocked = TLQ(40.0, 3e-3, 0.85).impedance(omega)
    np.testing.assert_allclose(TLR(40.0, 1e15, 3e-3, 0.85).impedance(omega), blocked, rtol=1e-8)
    slow = TLR(40.0, 90.0, 3e-3, 0.85).impedance(jnp.asarray([1e-12]))
    root = np.sqrt(40.0 / 90.0)
    np.testing.assert_allclose(slow.real, 40.0 / (root * np.tanh(root)), rtol=1e-9)


def test_a_cpe_with_exponent_one_is_a_capacitor():
    omega = jnp.asarray(OMEGA)
    np.testing.assert_allclose(CPE(2e-6, 1.0).impedance(omega), C(2e-6).impedance(omega), rtol=1e-13)


def test_the_complex_tanh_keeps_its_digits_near_zero_and_does_not_overflow():
    x = np.array([1e-9, 1e-5, 0.3, 2.0]) * np.exp(0.25j * np.pi)
    np.testing.assert_allclose(tanh(jnp.asarray(x)), np.tanh(x), rtol=1e-14)
    far = jnp.asarray([500.0 + 500.0j, 1e5 + 1e5j])
    np.testing.assert_allclose(tanh(far), 1.0)
    _, slope = jax.jvp(tanh, (far,), (jnp.ones_like(far),))
    np.testing.assert_allclose(slope, 0.0, atol=1e-300)


def test_plus_is_series_and_bar_is_parallel():
    omega = jnp.asarray(OMEGA)
    a, b, c = R(10.0), R(50.0), CPE(1e-6, 0.9)
    one, two, three = (part.impedance(omega) for part in (a, b, c))
    np.testing.assert_allclose((a + (b | c)).impedance(omega), one + two * three / (two + three), rtol=1e-14)


@pytest.mark.parametrize(
    "text", ["R0-p(R1,CPE1)-CPE2", "R0+(R1|Q1)+Q2", "R0 + (R1pQ1) + Q2", "R0-(p(R1,Q1)-CPE2)", "R0-R1|CPE1-CPE2"]
)
def test_text_and_values_make_the_same_circuit(text):
    values = {"R0": 10.0, "R1": 50.0, "CPE1.Q": 1e-6, "CPE1.n": 0.9, "CPE2.Q": 1e-5, "CPE2.n": 0.8}
    built = R(10.0) + (R(50.0) | CPE(1e-6, 0.9)) + CPE(1e-5, 0.8)
    parsed = parse(text, values)
    omega = jnp.asarray(OMEGA)
    np.testing.assert_array_equal(parsed.impedance(omega), built.impedance(omega))


def test_a_circuit_is_written_as_it_is_read():
    text = "L0-R0-p(R1-Wo1,CPE1)-p(R2,C2)-Ws3-G4-W5"
    assert str(parse(text)) == text
    built = R(1.0) + (R(2.0) | C(1e-6)) + R(3.0)
    assert str(labelled(built)) == "R0-p(R1,C0)-R2"


def test_parameters_carry_names_units_and_bounds():
    model = CircuitModel("R0-p(R1,CPE1)", bounds={"R0": (1.0, 1e5)})
    assert [(p.name, p.unit, p.scale) for p in model.parameters] == [
        ("R0", "ohm", "log"),
        ("R1", "ohm", "log"),
        ("CPE1.Q", "F s^(n-1)", "log"),
        ("CPE1.n", "1", "linear"),
    ]
    assert (model.parameters[0].lower, model.parameters[0].upper) == (1.0, 1e5)


def test_the_capacitances_of_a_bare_circuit_rise_so_that_the_first_arc_is_the_fast_one():
    circuit = CircuitModel("p(R1,CPE1)-p(R2,CPE2)-C3")
    q = [p.start for p in circuit.parameters if p.unit.startswith("F")]
    assert q == sorted(q)
    assert q[0] < q[1] < q[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 1: expected an element; found the end"),
        ("R0-", "position 4: expected an element; found the end"),
        ("R0--R1", "position 4: expected an element; found '-'"),
        ("p(R1,C1", r"position 8: expected '\)'"),
        ("R1)", "position 3: expected '-', '\\+' or '|'"),
        ("R0-X1", "position 4: 'X'; known elements: R, C, L"),
        ("(R1|Q1)+(R2|Q1)", "CPE1 stands twice"),
        ("__import__('os')", "position 1: '_'"),
    ],
)
def test_a_text_that_is_no_circuit_is_refused_at_its_place(text, message):
    with pytest.raises(CircuitError, match=message):
        parse(text)


def test_a_bare_circuit_starts_inside_the_bounds_it_is_given_and_where_it_is_told():
    model = CircuitModel("R0-p(R1,C1)", start={"R1": 7.0}, bounds={"R0": (1.0, 100.0)})
    assert [p.start for p in model.parameters][:2] == pytest.approx([10.0, 7.0])
    outside = CircuitModel(R(5.0) + C(1e-6), bounds={"R0": (10.0, 20.0)})
    with pytest.raises(ValueError, match="start 5 is outside its bounds 10 to 20"):
        _ = outside.parameters


def test_names_that_a_circuit_does_not_have_are_refused():
    with pytest.raises(CircuitError, match="has no parameter R7; it has R0, C0"):
        parse("R0-C0", {"R7": 1.0})
    with pytest.raises(ValueError, match="has no parameter 'R7'; it has R0, C0"):
        CircuitModel("R0-C0", fixed=("R7",))


@pytest.mark.parametrize("kind", AbstractElement.__subclasses__(), ids=lambda kind: kind.symbols[0])
def test_every_element_is_passive_and_has_a_derivative_like_its_differences(kind):
    element = kind(*kind.typical)
    omega = jnp.asarray(np.logspace(-3, 6, 19))
    assert np.all(np.asarray(element.impedance(omega)).real >= -1e-9 * abs(np.asarray(element.impedance(omega))))
    model = CircuitModel(element)
    start = jnp.asarray([p.start for p in model.parameters])
    exact = jax.jacfwd(lambda v: model.impedance(v, omega))(start)
    for k, value in enumerate(start):
        step = 1e-5 * float(value)  # central difference: error of order step^2 = 1e-10, rounding 1e-16 / 1e-5
        up, down = (model.impedance(start.at[k].add(sign * step), omega) for sign in (1, -1))
        rounding = 3e-11 * float(abs(up).max()) / float(value)
        np.testing.assert_allclose(exact[:, k], (up - down) / (2 * step), rtol=1e-7, atol=rounding)
