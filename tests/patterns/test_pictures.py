"""Pictures of patterns: what stands on the axes."""

import numpy as np
import pytest

import matplotlib as mpl  # isort: skip
from ase.build import bulk
from matplotlib.figure import Figure

from ionics.patterns import synthetic
from ionics.plots.patterns import plot_components, plot_network

mpl.use("Agg")


@pytest.fixture(scope="module")
def taken_apart():
    pytest.importorskip("sklearn")
    from ionics.patterns.endmembers import endmembers

    return endmembers(synthetic.image(shape=(6, 20)).image, 3, draws=2)


def test_a_map_is_drawn_for_each_component_above_the_spectra(taken_apart):
    figure = Figure(layout="constrained")
    axes = plot_components(taken_apart, figure, names=synthetic.PHASES, reference=synthetic.image(shape=(6, 20)))
    assert [ax.get_title(loc="left") for ax in axes[:3]] == list(synthetic.PHASES)
    assert axes[0].get_xlabel() == "position across (nm)"
    assert axes[3].get_xlabel() == "energy loss (eV)"
    drawn = [line.get_ydata().sum() for line in axes[3].lines[:3]]
    assert drawn == pytest.approx([1, 1, 1])  # shares, whatever the counts
    figure.canvas.draw()


def test_a_line_scan_is_drawn_as_lines(taken_apart):
    axes = plot_components(taken_apart.isel(y=2), Figure(layout="constrained"))
    assert len(axes) == 2
    assert axes[0].lines[1].get_ydata() == pytest.approx(taken_apart.fraction.isel(y=2, component=1).values)


def test_stacks_of_maps_have_to_be_sliced(taken_apart):
    with pytest.raises(ValueError, match="select a slice"):
        plot_components(taken_apart.expand_dims(z=[0, 1]).transpose("component", ...), Figure())


def test_a_network_shows_every_feature_and_its_percolation():
    pytest.importorskip("gudhi")
    from ionics.patterns.networks import ion_network

    found = ion_network(bulk("Li", "sc", a=4.0))
    left, right = plot_network(found, Figure(layout="constrained"))
    assert sum(len(dots.get_offsets()) for dots in left.collections) == found.sizes["feature"]
    assert right.lines[-1].get_xdata()[0] == pytest.approx(2.0, abs=1e-3)
    assert np.isclose(right.lines[0].get_ydata()[0], 1)  # one ion per cell
