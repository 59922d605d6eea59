"""Ions in a washboard: dynamics, diffusivity and Arrhenius line against the exact diffusivity and the exact barrier."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from scipy.special import i0

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration import arrhenius, diffusion, md, neb
from ionics.interfaces.migration.paths import Path

HEIGHT, PERIOD = 0.3, 3.0  # eV, angstrom
FRICTION = 0.2  # 1/fs, ten times the frequency in a well: overdamped
IONS = 120
HOT = (800.0, 1000.0, 1300.0)  # K


class Washboard(Calculator):
    """Every ion by itself in h/2 (1 - cos(2 pi x / a)) along x, y and z: hops of one period over exactly h."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, fails_at: int | None = None):
        super().__init__()
        self.calls, self.fails_at = 0, fails_at

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        self.calls += 1
        if self.fails_at is not None and self.calls >= self.fails_at:
            raise RuntimeError("the node went down")
        phase = 2 * np.pi / PERIOD * self.atoms.positions
        energy = HEIGHT / 2 * (1 - np.cos(phase)).sum()
        self.results = {"energy": energy, "forces": -HEIGHT / 2 * 2 * np.pi / PERIOD * np.sin(phase)}


def exact(temperature):
    """Overdamped diffusivity in a cosine [m^2/s]: kT / (m gamma) / I0(h / 2kT)^2.

    Lifson & Jackson 1962, 10.1063/1.1701014.
    """
    thermal = units.kB * temperature  # eV
    mass = Atoms("Li").get_masses()[0]
    free = thermal / mass / (FRICTION / units.fs)  # angstrom^2 per ASE's unit of time
    return free / i0(HEIGHT / 2 / thermal) ** 2 * (1000 * units.fs) * diffusion.AREA_PER_TIME


def crystal(ions=IONS):
    """Ions on random wells of a cell 12 wells high."""
    random = np.random.default_rng(3)
    return Atoms(f"Li{ions}", PERIOD * random.integers(0, 12, (ions, 3)), cell=[12 * PERIOD] * 3, pbc=True)


def settings(time=8.0, seed=0):
    return md.Settings(time=time, step=2.0, every=50, friction=FRICTION, seed=seed)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [md.run(crystal(), Washboard(), t, folder / f"{t:g}.traj", settings(seed=k)) for k, t in enumerate(HOT)]


@pytest.fixture(scope="module")
def found(runs):
    return [diffusion.diffusivity(motion, start=1.0, lags=12) for motion in runs]


def test_the_thermostat_keeps_its_temperature(runs):
    for motion in runs:
        # 3 N degrees of freedom over some 40 independent frames: 2 / sqrt(3 * 120 * 40) = 1.7 %, three times that
        assert motion.measured == pytest.approx(motion.temperature, rel=0.05)
        assert motion.message == "complete"


def test_diffusivities_are_the_exact_ones_within_their_errors(found):
    for temperature, d in zip(HOT, found, strict=True):
        # three standard errors, and 5 % for the memory that a friction of ten times the frequency leaves
        assert abs(d.value[0] - exact(temperature)) < 3 * d.error[0] + 0.05 * exact(temperature)
        assert 0 < d.error[0] < 0.5 * d.value[0]


def test_the_arrhenius_energy_is_the_barrier_that_the_band_finds(found):
    ends = [Atoms("Li", [[x, 0, 0]], cell=[12 * PERIOD] * 3, pbc=True) for x in (0.3, PERIOD - 0.2)]
    band = neb.neb(Path(*ends, (0,), "well to well", "interstitial", PERIOD), Washboard(), neb.Settings(3, 0.01))
    assert band.forward == pytest.approx(HEIGHT, abs=1e-4)
    line = arrhenius.arrhenius(HOT, [d.value[0] for d in found], [d.error[0] for d in found], "washboard")
    slope = -np.polyfit(1 / (units.kB * np.array(HOT)), np.log([exact(t) for t in HOT]), 1)[0]
    assert slope == pytest.approx(
        HEIGHT, abs=0.03
    )  # the exact line itself is this near: the wells are but 3 to 4 kT deep
    assert abs(line.energy.value - band.forward) < 3 * line.energy.uncertainty + abs(slope - HEIGHT)
    assert line.energy.uncertainty < 0.06


def test_slabs_of_a_uniform_crystal_are_equally_fast(runs):
    edges = np.linspace(0, 12 * PERIOD, 5) - PERIOD / 2
    slabs = diffusion.resolved(runs[-1], np.append(edges[:-1], 12 * PERIOD), pieces=2, start=0.6, lags=8)
    assert slabs.ions.sum() == 2 * IONS
    assert slabs.flatness < 3.8  # chi2 / 3 of four slabs: larger once in a hundred runs
    assert slabs.mean[0] == pytest.approx(exact(HOT[-1]), abs=3 * slabs.mean[1] + 0.05 * exact(HOT[-1]))


def test_a_slab_in_which_nothing_moves_is_told_from_one_in_which_all_does():
    random = np.random.default_rng(0)
    steps = random.normal(0, 0.3, (200, 80, 3))
    steps[:, 40:] *= 0.1
    start = np.zeros((80, 3))
    start[:40, 2], start[40:, 2] = 5.0, 15.0
    positions = start + np.cumsum(steps, axis=0) - steps[0]
    motion = md.Run(Atoms("Li80", positions[0], cell=[20, 20, 20], pbc=True), positions, 0.1, 300.0, 300.0, "complete")
    slabs = diffusion.resolved(motion, np.array([0.0, 10.0, 20.0, 30.0]), pieces=4, start=0.3, lags=8)
    walk = 0.3**2 / 2 / 0.1 * diffusion.AREA_PER_TIME  # variance of a step over twice its time
    assert slabs.value[0] == pytest.approx(walk, abs=3 * slabs.error[0])
    assert slabs.value[1] == pytest.approx(walk / 100, abs=3 * slabs.error[1])
    assert np.isnan(slabs.value[2])
    assert slabs.ions[2] == 0
    assert slabs.flatness > 10


def test_drift_of_the_host_is_not_diffusion():
    times = np.arange(100)[:, None, None] * np.array([0.5, 0, 0])
    random = np.random.default_rng(0)
    still = random.uniform(0, 10, (1, 30, 3)) + 0.02 * random.normal(size=(100, 30, 3))
    motion = md.Run(Atoms("Li10O20", still[0], cell=[10] * 3, pbc=True), still + times, 0.1, 300.0, 300.0, "complete")
    found = diffusion.diffusivity(motion, start=0.5, lags=6)
    assert found.value[0] + found.error[0] < 1e-11  # m^2/s; the drift alone would give 1e-7


def test_a_run_that_breaks_keeps_its_frames_and_goes_on(tmp_path):
    keep = tmp_path / "run.traj"
    short = settings(time=1.0)
    broken = md.run(crystal(4), Washboard(fails_at=300), 800.0, keep, short)
    assert "stopped after" in broken.message
    assert "the node went down" in broken.message
    have = len(broken.positions)
    assert 1 <= have < 11
    whole = md.run(crystal(4), Washboard(), 800.0, keep, short)
    assert whole.message == "complete"
    assert len(whole.positions) == 11
    assert whole.positions[:have] == pytest.approx(broken.positions)
    assert md.run(crystal(4), Washboard(fails_at=1), 800.0, keep, short).message == "complete"  # nothing left to do


def test_fixed_atoms_do_not_move(tmp_path):
    fixed = np.array([True, False, False])
    motion = md.run(crystal(3), Washboard(), 800.0, tmp_path / "f.traj", settings(time=1.0), fixed=fixed)
    assert np.ptp(motion.positions[:, 0], axis=0) == pytest.approx(np.zeros(3))
    assert np.ptp(motion.positions[:, 1]) > 0.1


def test_an_arrhenius_line_through_exact_points_is_exact_and_its_errors_are_those_of_the_points():
    temperature = np.array([500.0, 600.0, 800.0, 1000.0])
    d = 2e-7 * np.exp(-0.42 / (arrhenius.KELVIN * temperature))
    line = arrhenius.arrhenius(temperature, d, 0.1 * d, "made")
    assert line.energy.value == pytest.approx(0.42)
    assert line.prefactor.value == pytest.approx(2e-7)
    assert line.at(700.0).value == pytest.approx(2e-7 * np.exp(-0.42 / (arrhenius.KELVIN * 700)))
    random = np.random.default_rng(0)
    drawn = [
        arrhenius.arrhenius(temperature, d * np.exp(0.1 * random.normal(size=4)), 0.1 * d, "made") for _ in range(400)
    ]
    scatter = np.std([one.energy.value for one in drawn])
    assert line.energy.uncertainty == pytest.approx(
        scatter, rel=0.15
    )  # 400 draws know a deviation to 3.5 %, errors grow
    assert line.at(700.0).factor < line.prefactor.factor  # the correlation of both numbers counts


def test_scatter_beyond_the_errors_widens_the_line():
    temperature = np.array([500.0, 600.0, 800.0, 1000.0])
    d = 2e-7 * np.exp(-0.42 / (arrhenius.KELVIN * temperature))
    bent = d * np.array([2.0, 0.5, 2.0, 0.5])
    small, large = (arrhenius.arrhenius(temperature, bent, part * d, "made") for part in (0.01, 0.001))
    assert small.chi2 > 1
    assert large.energy.uncertainty == pytest.approx(small.energy.uncertainty, rel=0.02)


def test_bad_input_is_told_in_words(tmp_path, runs):
    with pytest.raises(AtomsError, match="two different temperatures"):
        arrhenius.arrhenius([500, 500], [1e-12, 1e-12], [1e-13, 1e-13], "")
    with pytest.raises(AtomsError, match=r"the diffusivity -1.* is not a positive number"):
        arrhenius.arrhenius([500, 600], [-1.0, 1e-12], [1e-13, 1e-13], "")
    with pytest.raises(AtomsError, match="temperature of -3"):
        md.run(crystal(2), Washboard(), -3.0, tmp_path / "x.traj")
    with pytest.raises(AtomsError, match="too short for lags"):
        diffusion.diffusivity(runs[0], start=5.0)
    with pytest.raises(AtomsError, match="no Na in the run"):
        diffusion.diffusivity(runs[0], ion="Na")
    with pytest.raises(AtomsError, match="other atoms"):
        md.run(Atoms("Na2", cell=[9] * 3), Washboard(), 300.0, _stored(tmp_path))


def _stored(folder):
    keep = folder / "other.traj"
    md.run(crystal(2), Washboard(), 300.0, keep, md.Settings(time=0.01, step=1.0, every=5))
    return keep
