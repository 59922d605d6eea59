"""Bond-valence screening: percolation on known landscapes, and barriers of crystals published with another program."""

import crystals_by_hand as crystals
import numpy as np
import pytest

from ionics.interfaces import screening
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.screening import Screening, screen


def landscape(energy):
    """Barriers along axes, and in 1, 2, 3 dimensions, of a made landscape."""

    def least(enough):
        return screening._lowest(lambda level: any(enough(f) for f in screening._loops(energy <= level)), 0.0, 5.0)

    axes = [least(lambda f, i=i: bool(np.any(f[:, i]))) for i in range(3)]
    ranks = [least(lambda f, n=n: np.linalg.matrix_rank(f) >= n) for n in (1, 2, 3)]
    return axes, ranks


def test_channels_percolate_at_their_saddles_and_only_along_themselves():
    energy = np.full((8, 9, 10), 9.0)
    energy[:, 2, 2] = 0.0
    energy[5, 2, 2] = 0.7  # the saddle along a
    energy[3, :, 2] = np.minimum(energy[3, :, 2], 1.3)  # joins channels along b
    axes, ranks = landscape(energy)
    assert axes == [pytest.approx(0.7, abs=0.01), pytest.approx(1.3, abs=0.01), np.inf]
    assert ranks == [pytest.approx(0.7, abs=0.01), pytest.approx(1.3, abs=0.01), np.inf]


def test_a_diagonal_channel_counts_for_both_axes_but_is_one_dimensional():
    energy = np.full((8, 8, 8), 9.0)
    for i in range(8):
        energy[i, i, 4] = 0.2
    axes, ranks = landscape(energy)
    assert axes == [pytest.approx(0.2, abs=0.01), pytest.approx(0.2, abs=0.01), np.inf]
    assert ranks == [pytest.approx(0.2, abs=0.01), np.inf, np.inf]


def test_a_ring_that_never_leaves_its_cell_does_not_percolate():
    energy = np.full((10, 10, 10), 9.0)
    energy[2:8, 2, 5] = energy[2:8, 7, 5] = energy[2, 2:8, 5] = energy[7, 2:8, 5] = 0.1
    assert landscape(energy)[0] == [np.inf] * 3


def test_a_channel_through_the_corner_of_the_cell_is_not_missed():
    energy = np.full((8, 8, 8), 9.0)
    for i in range(8):
        energy[i, (i + 4) % 8, 0] = 0.3  # crosses both faces, the one at b in the middle of a
    assert landscape(energy)[0] == [pytest.approx(0.3, abs=0.01), pytest.approx(0.3, abs=0.01), np.inf]


def test_the_way_between_two_places_is_as_high_as_its_lowest_pass():
    energy = np.full((12, 8, 8), 9.0)
    energy[2:9, 4, 4] = 0.0
    energy[5, 4, 4] = 1.1
    energy[5, 5, 4] = 0.6  # round the pass
    made = Screening("Li+", energy, np.eye(3) * 3, (0, 0, 0), (0, 0, 0), np.zeros(3))
    assert made.between((2 / 12, 0.5, 0.5), (8 / 12, 0.5, 0.5)) == pytest.approx(0.6, abs=0.01)
    assert made.between((2 / 12, 0.5, 0.5), (2 / 12, 0.5, 0.5)) == 0.0
    assert made.at((5 / 12, 0.5, 0.5)) == 1.1


@pytest.mark.parametrize(
    ("make", "least", "dimension"),
    [
        # least barriers, from the package bvlain 0.25: ATOMS reference values; grids differ by 0.2 angstrom
        (crystals.lithium_cobalt_oxide, 1.30, 2),
        (crystals.lithium_phosphate, 0.42, 1),
        (crystals.lithium_titanium_phosphate, 0.50, 3),
    ],
)
def test_barriers_agree_with_another_program(make, least, dimension):
    found = screen(make())
    assert found.dimensions[0] == pytest.approx(least, abs=0.05)
    assert found.dimensions[dimension - 1] < 1.5


def test_lithium_in_its_layered_oxide_stays_in_its_layer():
    atoms = crystals.lithium_cobalt_oxide()
    found = screen(atoms)
    assert found.dimensions[1] < 1.5
    assert found.dimensions[2] == np.inf  # through the cobalt layer: not below 5 eV
    lithium = atoms.get_scaled_positions()[atoms.symbols == "Li"][0]
    assert found.at(lithium) < 0.05  # the site is the lowest place


def test_bad_input_is_refused_with_words():
    atoms = crystals.lithium_oxide()
    with pytest.raises(AtomsError, match="'lithium' is not an ion"):
        screen(atoms, "lithium")
    with pytest.raises(AtomsError, match="no Na in the structure"):
        screen(atoms, "Na+")
    atoms.set_initial_charges([0, 0, 0])
    with pytest.raises(AtomsError, match="charged against"):
        screen(atoms)
