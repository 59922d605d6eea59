"""The files in configs/ can be read and built, and two of them answer as physics has it."""

from pathlib import Path

import numpy as np
import pytest

import ionics
from ionics import config
from ionics.config.study import Study

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_says_its_source_and_can_be_built(path):
    found = config.read(path)
    assert found.title
    assert found.source
    if found.stack is not None:
        assert config.build(found).layers


def spectrum(name: str, *overrides: str):
    """Z at a very low and at a high frequency, and the study."""
    study = ionics.load(CONFIGS / f"{name}.yaml", ["study.impedance={frequencies: [1 uHz, 1 MHz]}", *overrides])
    assert isinstance(study, Study)
    return study, study.run()


def test_a_mixed_conductor_between_ion_blocking_contacts_shows_all_of_its_resistance_and_then_that_of_electrons():
    """1/(s_ion + s_eon) at high frequency, 1/s_eon at rest; Yokota, J. Phys. Soc. Jpn. 16 (1961) 2213."""
    _, result = spectrum("mixed_conductor", "stack.layers.Ag2S.nodes=61")
    slow, fast = result["z_real"].values
    assert slow == pytest.approx(0.01 / 1e-3, rel=1e-6)
    assert fast == pytest.approx(0.01 / 2e-3, rel=1e-3)


def test_a_core_blocks_as_much_as_the_vacancies_beside_it_are_missing():
    """At rest nothing moves but vacancies: R is the integral of dx / sigma over what equilibrium left of them."""
    study, result = spectrum("grain_boundary_core")
    theta, x = result["occupancy"].values[0], result["x"].values
    (row,) = study.check().layers
    share = np.sum(np.diff(x) * 0.5 * (1 / theta[1:] + 1 / theta[:-1])) * 3.75e-4 / row.thickness
    assert theta.min() < 1e-3 * 3.75e-4
    assert theta.max() > 10 * 3.75e-4
    bulk = row.count * row.resistance * 1e4  # ohm cm2
    assert result["z_real"].values[0] / bulk == pytest.approx(share, rel=2e-2)  # the trapezoid rule of the left side
