"""A measured pellet as grains, grain boundaries and electrodes: the stack fits as well as the circuit does."""

import numpy as np
import pytest

import ionics

DATA = "data/hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt"


@pytest.fixture(scope="module")
def fitted(shared):
    data = shared / DATA
    if not data.is_file():
        pytest.skip(f"laboratory data are not at hand: {data}")
    return ionics.load("configs/fit_pellet_stack.yaml", ["fit.starts=2"]).fit(data)


def test_the_stack_describes_the_pellet_as_well_as_the_circuit(fitted):
    assert float(fitted.relative_rmse) <= 0.016


def test_its_resistances_add_up_to_that_of_the_pellet(fitted):
    """Ten micrometres of grain and a boundary, a hundred times, on 1 cm2: 1451 +- 30 ohm."""
    value = fitted.value.to_series()
    sigma = value["materials.pellet.carriers.Li+.conductivity"]
    boundary = value["stack.junctions.grain left | grain right.carriers.Li+.resistance"]
    total = 100 * (10e-6 / sigma + boundary) / 1e-4
    assert total == pytest.approx(1451, abs=30)


def test_every_parameter_is_determined(fitted):
    assert fitted.attrs["undetermined"] == "[]"
    assert np.all(fitted.standard_error < fitted.value)
