"""Balancing two electrodes: synthetic truth with honest errors, a commercial cell, and the way back to a window."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.config import materials
from ionics.constants import FARADAY, GAS
from ionics.fitting.balancing import CAPACITIES, ENDS, balance
from ionics.fitting.full_cell import FullCell, HalfCell, Stoichiometries
from ionics.fitting.spectrum import DataError
from ionics.transport.statistics import Measured

T = 298.15
THERMAL = GAS * T / FARADAY
TRUTH = np.array([0.32, 0.90, 0.83, 0.05])  # ENDS
CAPACITY = 3.0  # Ah, drawn
NOISE = 1e-3  # V


def curve(name):
    return Measured(*materials.material(name).carriers["Li"].open_circuit.curve)


@pytest.fixture(scope="module")
def electrodes():
    return curve("NMC811"), curve("graphite")


def rest(curves, share, windows):
    """Voltage by the definition, from NumPy's side of the curves."""
    found = []
    for one, first, last in ((curves[0], *windows[:2]), (curves[1], *windows[2:])):
        x = first + (last - first) * np.asarray(share)
        found.append(np.asarray(one.open_circuit(one.unknown(jnp.asarray(x)), T)))
    return found[0] - found[1]


def discharge(curves, points=200, windows=TRUTH, noise=None):
    share = np.linspace(0.0, 1.0, points)
    return CAPACITY * share, rest(curves, share, windows) + (0.0 if noise is None else noise)


def wanted(windows=TRUTH):
    used = CAPACITY / abs(windows[1] - windows[0]), CAPACITY / abs(windows[3] - windows[2])
    return dict(zip((*ENDS, *CAPACITIES), (*windows, *used), strict=True))


# ----------------------------------------------------------------------------------------------- the balance


@pytest.mark.parametrize("seed", range(5))
def test_windows_anywhere_are_found_without_a_start(electrodes, seed):
    rng = np.random.default_rng(seed)
    truth = np.array([rng.uniform(0.27, 0.4), rng.uniform(0.8, 0.92), rng.uniform(0.6, 0.95), rng.uniform(0.01, 0.1)])
    found = balance(*discharge(electrodes, windows=truth), *electrodes)
    np.testing.assert_allclose(found.windows, truth, atol=1e-6)  # noise-free: what xtol leaves
    assert found.rms < 1e-8
    for name, value in wanted(truth).items():
        assert found[name] == pytest.approx(value, rel=1e-5)


def test_the_covariance_is_that_of_the_jacobian_by_differences(electrodes):
    """sigma^2 (J^T J)^-1 with J from central differences of the definition."""
    charge, voltage = discharge(electrodes)
    found = balance(charge, voltage, *electrodes, sigma=NOISE)
    step = 1e-7
    columns = [
        (rest(electrodes, charge / CAPACITY, TRUTH + h) - rest(electrodes, charge / CAPACITY, TRUTH - h)) / (2 * step)
        for h in step * np.eye(4)
    ]
    jacobian = np.stack(columns, axis=1)
    expected = NOISE**2 * np.linalg.inv(jacobian.T @ jacobian)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert found.error("positive at start") == pytest.approx(np.sqrt(expected[0, 0]), rel=1e-4)


def runs(keep, series, points):
    """Noise of NOISE whose neighbours are alike by `keep`."""
    noises = np.random.default_rng(2).normal(0.0, NOISE, (series, points))
    for k in range(1, points):
        noises[:, k] = keep * noises[:, k - 1] + np.sqrt(1 - keep**2) * noises[:, k]
    return noises


def coverage(electrodes, noises, **options):
    """Share of 95 % intervals that hold the truth, by estimate."""
    held = dict.fromkeys((*ENDS, *CAPACITIES), 0)
    for noise in noises:
        found = balance(*discharge(electrodes, len(noise), noise=noise), *electrodes, starts=2, **options)
        for name, value in wanted().items():
            low, high = found.interval(name)
            held[name] += low <= value <= high
    return np.array([count / len(noises) for count in held.values()])


@pytest.mark.slow
def test_the_intervals_hold_the_truth_as_often_as_they_say(electrodes):
    """95 % of 60: three standard deviations of that count are 8 %."""
    assert coverage(electrodes, runs(0.0, 60, 150), sigma=NOISE).min() >= 0.87


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "points"), [(0.0, 150), (0.9, 400), (0.98, 1000)])
def test_they_do_so_when_the_noise_is_not_known_and_comes_in_runs(electrodes, keep, points):
    """A misfit that keeps its sign over 20 or 100 points is not hundreds of observations; 200 series, 3 sigma 5 %."""
    found = coverage(electrodes, runs(keep, 200, points))
    assert found.min() >= 0.90
    assert keep == 0 or coverage(electrodes, runs(keep, 60, points), sigma=NOISE).max() < 0.75  # as if independent


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_the_points_over_which_noise_is_alike_are_found(electrodes, keep):
    """(1 + rho)/(1 - rho) of an autoregression; the median of 12 series of 1000 points is known to a fifth."""
    found = [balance(*discharge(electrodes, 1000, noise=n), *electrodes, starts=2) for n in runs(keep, 12, 1000)]
    assert np.median([one.correlation for one in found]) == pytest.approx((1 + keep) / (1 - keep), rel=0.2)


@pytest.mark.slow
def test_errors_do_not_shrink_with_the_number_of_readings_of_one_misfit(electrodes):
    """Every second of a discharge read again and again says nothing new."""
    rng = np.random.default_rng(3)
    noise = np.interp(np.linspace(0, 1, 2000), np.linspace(0, 1, 60), rng.normal(0, 2e-3, 60))
    often = balance(*discharge(electrodes, 2000, noise=noise), *electrodes)
    seldom = balance(*discharge(electrodes, 250, noise=noise[np.linspace(0, 1999, 250).astype(int)]), *electrodes)
    for name in ENDS:
        assert often.error(name) == pytest.approx(seldom.error(name), rel=0.35)


def test_a_plateau_leaves_its_electrode_open_and_says_so(electrodes):
    """Indium: 2 mV over the whole electrode. The cathode is placed as well as ever."""
    curves = electrodes[0], curve("InLi")
    noise = np.random.default_rng(4).normal(0, NOISE, 200)
    found = balance(*discharge(curves, windows=np.array([0.32, 0.90, 0.7, 0.2]), noise=noise), *curves)
    assert found.undetermined
    assert all("negative" in sentence and "positive" not in sentence for sentence in found.undetermined)
    low, high = found.interval("negative capacity")
    assert high == np.inf or high > 2 * low
    assert found["positive at start"] == pytest.approx(0.32, abs=0.005)
    assert found.error("positive at start") < 0.005


def test_two_straight_lines_change_together():
    """U_p = 4 - 0.5 x and U_n = 1 - 0.5 x: only a difference and a slope are in the data, two numbers of four."""
    x = np.linspace(0.01, 0.99, 9)
    curves = Measured(x, 4 - 0.5 * x), Measured(x, 1 - 0.5 * x)
    windows = np.array([0.3, 0.8, 0.7, 0.3])
    noise = np.random.default_rng(5).normal(0, NOISE, 100)
    found = balance(*discharge(curves, 100, windows, noise), *curves)
    told = " ".join(found.undetermined)
    assert "can change together" in told
    assert all(name in told for name in ENDS)
    assert found.rms < 1.2 * NOISE


def test_a_known_overpotential_is_taken_off(electrodes):
    charge, voltage = discharge(electrodes)
    found = balance(charge, voltage - 0.012, *electrodes, overpotential=0.012)
    np.testing.assert_allclose(found.windows, TRUTH, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda q, v: (q[:5], v[:5]), "at least 8 points"),
        (lambda q, v: (q, np.where(q > 1, np.nan, v)), "not finite"),
        (lambda q, v: (q[::-1], v), "the charge does not rise at point 2"),
        (lambda q, v: (0 * q, v), "the charge does not rise"),
        (lambda q, v: (q, v[::-1]), "the voltage rises"),
    ],
)
def test_what_is_no_discharge_is_refused_in_words(electrodes, change, words):
    with pytest.raises(DataError, match=words):
        balance(*change(*discharge(electrodes)), *electrodes)


def test_an_unknown_estimate_lists_the_known_ones(electrodes):
    found = balance(*discharge(electrodes), *electrodes)
    with pytest.raises(KeyError, match="positive capacity"):
        found.error("capacity")
    assert "positive capacity" in str(found)


# --------------------------------------------------------------------------------------------- the way back


def test_a_balanced_cell_rests_where_its_discharge_began_and_ended(electrodes):
    charge, voltage = discharge(electrodes)
    window = balance(charge, voltage, *electrodes).cell.window(voltage[-1], voltage[0])
    assert window.capacity == pytest.approx(CAPACITY, rel=1e-5)
    assert window.full.positive == pytest.approx(TRUTH[0], abs=1e-5)
    assert window.full.negative == pytest.approx(TRUTH[2], abs=1e-5)
    assert window.empty.positive == pytest.approx(TRUTH[1], abs=1e-5)
    assert window.beyond == ()


@pytest.fixture
def cell(electrodes):
    """A cathode as made and an empty anode of which an interphase took nothing."""
    positive, negative = HalfCell(electrodes[0], 5.0), HalfCell(electrodes[1], 4.0)
    return FullCell.as_made(positive, negative, Stoichiometries(0.93, 0.004))


@pytest.mark.parametrize("voltage", [-1.0, 0.5, 2.5, 3.0, 3.7, 4.2, 5.0, 7.0])
def test_fillings_at_a_voltage_give_that_voltage_and_keep_the_lithium(cell, voltage):
    found = cell.at(voltage)
    assert 0 <= found.positive <= 1
    assert 0 <= found.negative <= 1
    lithium = cell.positive.capacity * found.positive + cell.negative.capacity * found.negative
    assert lithium == pytest.approx(cell.inventory, rel=1e-12)
    if 2.5 <= voltage <= 5:  # else an electrode is as full as numbers between 0 and 1 can say
        again = rest((cell.positive.curve, cell.negative.curve), [0.0], [found.positive] * 2 + [found.negative] * 2)
        assert again[0] == pytest.approx(voltage, abs=1e-6)


def test_far_voltages_empty_an_electrode_and_are_named(cell):
    """The anode holds no more than 4 of the 4.666 Ah, so it is full while the cathode still has some."""
    window = cell.window(-1.0, 7.0)
    assert window.full.negative == pytest.approx(1.0, abs=1e-12)
    assert window.empty.negative == pytest.approx(0.0, abs=1e-8)  # its tail is ten times as steep
    assert window.capacity == pytest.approx(4.0, rel=1e-9)
    assert len(window.beyond) == 4
    assert "the negative electrode is filled to 1" in " ".join(window.beyond)


def test_the_tail_is_logarithmic(electrodes):
    """Below its curve a graphite anode rises by RT/F for every e-fold of its emptying, or by more."""
    cell = FullCell.as_made(HalfCell(electrodes[0], 100.0), HalfCell(electrodes[1], 1.0), Stoichiometries(0.6, 0.5))
    deep, deeper = cell.at(1.5), cell.at(1.0)
    folds = np.log(deep.negative / deeper.negative)
    slope = float(electrodes[1].curve.slopes[0] * electrodes[1].curve.knots[0])
    assert 0.5 / folds == pytest.approx(max(-slope, THERMAL), rel=0.01)  # the huge cathode stays where it is


@pytest.mark.parametrize(("lower", "upper"), [(4.2, 2.5), (3.0, 3.0)])
def test_a_window_goes_upwards(cell, lower, upper):
    with pytest.raises(ValueError, match="is not below the upper one"):
        cell.window(lower, upper)


@pytest.mark.parametrize(("positive", "inventory"), [(0.0, 1.0), (5.0, 0.0), (5.0, 9.5)])
def test_lithium_that_does_not_fit_is_refused(electrodes, positive, inventory):
    with pytest.raises(ValueError, match="lithium between 0 and both of them"):
        FullCell(HalfCell(electrodes[0], positive), HalfCell(electrodes[1], 4.0), inventory)


# ------------------------------------------------------------------------------------------- a measured cell


def half_cell(file):
    rows = np.loadtxt(file, delimiter=",", comments="#")
    rows = rows[(rows[:, 0] > 0) & (rows[:, 0] < 1)]
    return Measured(*rows[np.concatenate([[True], np.diff(rows[:, 1]) < 0])].T)


def test_a_commercial_cell_of_cobalt_oxide_and_graphite(laboratory):
    """Enertech pouch cell at C/10 with the half cells of Ai et al., J. Electrochem. Soc. 167 (2020) 013512."""
    folder = laboratory / "pybamm"
    if not folder.is_dir():
        pytest.skip("no such folder")
    seconds, voltage = np.loadtxt(folder / "Enertech_0.1C_discharge_U.txt").T
    charge = 0.228 * seconds / 3600  # Ah, at a tenth of the nominal 2.28 A
    curves = half_cell(folder / "lico2_ocp_Ai2020.csv"), half_cell(folder / "graphite_ocp_Enertech_Ai2020.csv")
    found = balance(charge[::20], voltage[::20], *curves)
    assert charge[-1] == pytest.approx(2.336, abs=1e-3)
    assert found.rms < 3e-3  # V, of a discharge over 1.2 V
    assert found.undetermined == ()
    # full at 0.435 in that paper, whose cathode is valid up to 0.9651; this discharge begins at 4.18 V, not 4.2 V
    assert found["positive at start"] == pytest.approx(0.435, abs=0.02)
    assert found["positive at end"] == pytest.approx(0.9651, abs=0.01)
    assert found["positive capacity"] == pytest.approx(4.599, rel=0.05)  # of its site density, thickness and area
    low, high = found.interval("negative at start")
    assert high - low > 0.05  # the first stage of graphite is nearly flat
    window = found.cell.window(float(voltage[-1]), float(voltage[0]))
    assert window.capacity == pytest.approx(charge[-1], rel=0.02)  # the first and last point have a misfit
