"""Pictures: what stands on the axes, that nothing is hidden, and that no global setting is touched."""

import json
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

import matplotlib as mpl  # isort: skip
from matplotlib.figure import Figure

from ionics import fit_results, plots, results
from ionics.folder import DRAWN
from ionics.plots.spectra import shown_parts, smooth
from ionics.report import CAPTIONS, open_result, redraw, report, write_result
from ionics.results import scalar, variable
from ionics.summary import contributions, reference_frequency

ELEMENTS = ("left contact", "film", "film | cathode", "cathode", "right contact", "series resistance")
FREQUENCY = np.geomspace(1e-3, 1e6, 46)


def rc(resistance: float, capacitance: float) -> np.ndarray:
    return resistance / (1 + 2j * np.pi * FREQUENCY * resistance * capacitance)


def example(blocking: bool = False, debye: float = 2e-9) -> xr.Dataset:
    """What a run of a two-layer cell looks like, from closed forms."""
    w = 2j * np.pi * FREQUENCY
    last = 1 / (w * 2e-6) if blocking else np.full(46, 1e-3 + 0j)
    diffusion = 0 * w if blocking else 120 / (np.sqrt(40 * w) * np.tanh(np.sqrt(40 * w)))
    parts = np.stack([rc(44, 5e-7), rc(326, 3e-9), rc(67, 5e-6), diffusion, last, np.full(46, 61.0 + 0j)])
    z = parts.sum(axis=0)
    half = 0.5 + 0.5 * np.tanh(np.linspace(-4, 4, 81)) / np.tanh(4)
    x = np.r_[half * 4e-6, 4e-6 + half * 8e-6]
    layer = np.repeat(["film", "cathode"], 81)
    film = layer == "film"
    phi = np.where(film, 0.3 - 0.1 * np.exp(np.minimum(x - 4e-6, 0) / debye), 3.9)
    concentration = np.full((2, 162), np.nan)
    concentration[0, film], concentration[1, ~film] = 6e3 * np.exp(-(phi[film] - 0.3) / 0.1), 4e4
    eta = np.where(np.isnan(concentration), np.nan, np.array([[0.0], [-3.9]]))
    one, both, node, table = ("frequency",), ("element", "frequency"), ("node",), ("element",)
    ohm, layers = "ohm cm^2", [name in ("film", "cathode") for name in ELEMENTS]
    ds = xr.Dataset(
        {
            "z_real": variable(one, z.real, ohm, "real part"),
            "z_imag": variable(one, z.imag, ohm, "imaginary part"),
            "z_part_real": variable(both, parts.real, ohm, "real part"),
            "z_part_imag": variable(both, parts.imag, ohm, "imaginary part"),
            "potential": variable(node, phi, "V", "potential"),
            "concentration": variable(("carrier", "node"), concentration, "mol/m^3", "concentration"),
            "electrochemical_potential": variable(("carrier", "node"), eta, "V", "eta/F"),
            "element_kind": (table, ["layer" if own else "junction" for own in layers]),
            "material": (table, ["glass" if own else "" for own in layers]),
            "thickness": variable(table, [4e-6 if own else np.nan for own in layers], "m", "thickness"),
            "permittivity": variable(table, [10.0 if own else np.nan for own in layers], "1", "permittivity"),
            "debye_length": variable(table, [debye if own else np.nan for own in layers], "m", "Debye length"),
            "nodes": (table, [81 if own else 0 for own in layers]),
            "repeats": variable(table, np.ones(6), "1", "repeats"),
            "voltage": scalar(3.9, "V", "voltage"),
            "current": scalar(0.0, "A/m^2", "current"),
            "temperature": scalar(293.15, "K", "temperature"),
        },
        coords={
            "x": variable(node, x, "m", "x"),
            "layer": (node, layer),
            "carrier": ["Li+", "Li"],
            "frequency": variable(one, FREQUENCY, "Hz", "frequency"),
            "element": list(ELEMENTS),
        },
    )
    cites = (("glass", "A & B <2020>"),)
    origin = results.Origin("Film & cathode", "made up", "title: <cell>\n", None, cites, ("mind the gap",))
    ds.attrs = origin.attributes() | {"kind": "run", "result": 0, "message": "converged", "pinned": "[]"}
    return ds


def fit_example(noise: float = 0.01) -> xr.Dataset:
    model = 10 + rc(300, 1e-8) + 1 / (1e-5 * (2j * np.pi * FREQUENCY) ** 0.8)
    rng = np.random.default_rng(1)
    data = model * (1 + noise * (rng.normal(size=46) + 1j * rng.normal(size=46)))
    one, axis, names = ("frequency",), ("parameter",), ["R0", "R1", "C1"]
    ds = xr.Dataset(
        {
            "z_real": variable(one, data.real, "ohm", "real part"),
            "z_imag": variable(one, data.imag, "ohm", "imaginary part"),
            "z_model_real": variable(one, model.real, "ohm", "real part"),
            "z_model_imag": variable(one, model.imag, "ohm", "imaginary part"),
            "value": variable(axis, [10.0, 300.0, 1e-8], "", "value"),
            "standard_error": variable(axis, [0.1, np.inf, np.nan], "", "error"),
            "interval_low": variable(axis, [9.8, 0.0, np.nan], "", "low"),
            "interval_high": variable(axis, [10.2, np.inf, np.nan], "", "high"),
            "aicc": scalar(-10.0, "1", "AICc"),
            "bic": scalar(-9.0, "1", "BIC"),
            "at_bound": variable(axis, [0, 0, 1], "", "on its bound"),
            "lower": variable(axis, [1.0, 1.0, 1e-8], "", "lower"),
            "upper": variable(axis, [1e3, 1e4, 1.0], "", "upper"),
            "parameter_unit": (axis, ["ohm", "ohm", "F"]),
            "correlation": (("parameter", "other"), np.array([[1, -0.9, 0.2], [-0.9, 1, 0], [0.2, 0, 1]])),
            "reduced_chi_squared": scalar(1.1, "1", "chi"),
            "relative_rmse": scalar(0.01, "1", "rmse"),
            "start_cost": variable(("start",), np.ones(4), "1", "cost"),
        },
        coords={"frequency": variable(one, FREQUENCY, "Hz", "f"), "parameter": names, "other": names},
    )
    ds.attrs = results.Origin("Fit").attributes() | {
        "kind": "fit", "message": "fits well", "starts_at_best": 3,
        "undetermined": json.dumps(["R1 is not determined"]),
        "elsewhere": "[]",
        "limits": "[]",
        "label": "sample", "notes": json.dumps(["-Im Z in the third column"]), "data": "a.csv", "sha256": "abc",
    }  # fmt: skip
    return ds


def series_example() -> xr.DataTree:
    from ionics.fitting.derived import arrhenius

    kelvin = np.array([300.0, 320.0, 340.0, 360.0])
    members = {f"{t:.0f} K": fit_example().assign(temperature=scalar(t, "K", "temperature")) for t in kelvin}
    sigma = 1e3 / kelvin * np.exp(-0.4 / (8.617333262e-5 * kelvin))
    line = arrhenius(kelvin, sigma, errors=0.02 * sigma)
    return fit_results.add_arrhenius(fit_results.series(members), {"R1": (sigma, 0.02 * sigma, line)}, "S/cm")


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    return example()


def axes():
    return Figure(layout="constrained").add_subplot()


def test_nyquist_has_equal_axes_and_minus_im_z_upward(run):
    ax = plots.plot_nyquist(run, axes())
    assert ax.get_aspect() == 1.0
    total = next(line for line in ax.lines if line.get_label() == "_total")
    x, y = total.get_data()
    k = int(np.argmax(y))
    z = run.ionics.z.values
    assert y[k] == pytest.approx((-z.imag)[FREQUENCY > 1].max(), rel=1e-2) or y[k] == pytest.approx((-z.imag).max())
    assert x.max() == pytest.approx(z.real.max(), rel=1e-9)
    assert ax.get_xlabel() == "Re Z (Ω cm²)"
    assert ax.get_ylabel() == "−Im Z (Ω cm²)"


def test_nyquist_marks_sit_on_the_curve_at_their_frequency(run):
    ax = plots.plot_nyquist(run, axes(), resize=True)
    marks = {t.get_text(): t.xy for t in ax.texts}
    assert {"1 MHz", "1 kHz"} <= marks.keys()
    for text, frequency in (("1 MHz", 1e6), ("1 kHz", 1e3)):
        z = run.ionics.z.sel(frequency=frequency, method="nearest").values
        assert np.hypot(marks[text][0] - z.real, marks[text][1] + z.imag) < 0.02 * abs(run.z_real.values).max()


def test_nyquist_labels_do_not_overlap_when_drawn(run):
    for ds in (run, example(blocking=True)):
        figure = Figure(layout="constrained")
        ax = plots.plot_nyquist(ds, figure.add_subplot(), resize=True)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) > 2
        for i, a in enumerate(boxes):
            assert not any(a.overlaps(b) for b in boxes[:i])
        assert all(ax.get_tightbbox().x0 <= b.x0 and b.x1 <= figure.bbox.x1 for b in boxes)
        legend = ax.get_legend().get_window_extent()
        assert legend.x1 <= figure.bbox.x1
        assert legend.y0 >= figure.bbox.y0


def test_nyquist_shows_every_element_that_matters_with_its_share(run):
    labels = plots.plot_nyquist(run, axes()).get_legend_handles_labels()[1]
    assert labels[0].startswith("series resistance")  # the fastest stands first
    assert any(re.fullmatch(r"film: 326 Ω cm² \(\d\d %\)", label) for label in labels)
    assert not any(label.startswith("right contact") for label in labels)  # 1 mohm cm^2


def test_arcs_stand_in_series_and_end_where_the_total_ends(run):
    shown = shown_parts(run.sortby("frequency", ascending=False))
    speeds = [name for name, *_ in shown]
    assert speeds == ["series resistance", "film", "left contact", "film | cathode", "cathode"]
    assert sum(share for *_, share, _ in shown) == pytest.approx(1.0, abs=1e-4)
    assert len({color for *_, color in shown}) == len(shown)


def test_a_blocking_tail_is_cropped_and_said_to_be():
    ds = example(blocking=True)
    ax = plots.plot_nyquist(ds, axes())
    assert ax.get_ylim()[1] < 1.2 * ds.z_real.values.max()
    assert "continues to |Z|" in ax.get_title(loc="right")
    assert any("blocks: 2 µF/cm²" in label for label in ax.get_legend_handles_labels()[1])


def test_resistances_of_a_blocked_cell_are_read_off_at_the_foot_of_its_tail():
    ds = example(blocking=True)
    foot = reference_frequency(ds)
    y = -ds.z_imag.sortby("frequency")
    assert (y.sel(frequency=slice(None, foot)).diff("frequency") < 0).all()  # below it the tail only
    assert float(y.sel(frequency=slice(foot, None))[1]) > float(y.sel(frequency=foot))
    film = contributions(ds).resistance.sel(element="film")
    assert float(film) == pytest.approx(326 / (1 + (2 * np.pi * foot * 326 * 3e-9) ** 2), rel=1e-9)
    assert "at the foot of the blocking tail" in ds.ionics.verdict


def test_the_smoothed_curve_passes_through_every_computed_point():
    z = rc(326, 3e-9)
    frequency, fine = smooth(FREQUENCY[::-1], z[::-1])
    assert frequency[0] == pytest.approx(FREQUENCY[-1])
    assert fine[::8] == pytest.approx(z[::-1])
    exact = 326 / (1 + 2j * np.pi * frequency * 326 * 3e-9)
    assert abs(fine - exact).max() < 0.01 * 326  # cubics over a fifth of a decade


def test_bode_and_parts_put_the_frequency_on_a_logarithmic_axis(run):
    for plot in (plots.plot_bode, plots.plot_parts):
        upper, lower = plot(run, Figure(layout="constrained").subplots(2, 1, sharex=True))
        assert lower.get_xscale() == "log"
        assert lower.get_xlabel() == "frequency (Hz)"
        assert "Ω cm²" in upper.get_ylabel()


def test_profiles_enlarge_junctions_whose_space_charge_the_overview_hides(run):
    grid = plots.plot_profiles(run, Figure(layout="constrained"))
    titles = [row[0].get_title(loc="left") for row in grid]
    assert titles == ["whole stack", "film | cathode"]
    assert grid[1, 0].get_xlabel() == "distance from the junction (nm)"
    low, high = grid[1, 0].get_xlim()
    assert low < -10 < 0 < high < 1000
    assert grid[0, 1].get_ylabel() == "concentration (mol/m³)"


def test_profiles_without_space_charge_are_one_row():
    flat = example()
    flat["potential"] = flat.potential * 0 + 1.0
    assert plots.plot_profiles(flat, Figure(layout="constrained")).shape == (1, 3)


def test_profiles_do_not_blow_rounding_up_to_a_picture(run):
    noisy = run.copy()
    noisy["electrochemical_potential"] = run.electrochemical_potential + 1e-12 * np.arange(162)
    low, high = plots.plot_profiles(noisy, Figure(layout="constrained"))[0, 2].get_ylim()
    assert high - low > 1.0  # mV


def test_fit_plot_shows_relative_residuals_in_per_cent():
    ds = fit_example(noise=0.0)
    ds["z_real"] = ds.z_model_real + 0.03 * np.hypot(ds.z_model_real, ds.z_model_imag)
    *_, lower = plots.plot_fit(ds, Figure(layout="constrained"))
    real = next(line for line in lower.lines if line.get_label() == "Re")
    assert real.get_ydata() == pytest.approx(np.full(46, 3.0))
    assert lower.get_ylabel() == "residual (%)"


def test_arrhenius_line_goes_through_the_points_it_was_fitted_to():
    ds = series_example().to_dataset()
    ax = plots.plot_arrhenius(ds, axes())
    x, y = ax.lines[-1].get_data()
    kelvin = ds.temperature.values
    points = np.log(ds.conductivity.values[0] * kelvin)
    assert np.interp(1000 / kelvin, x, np.log(y)) == pytest.approx(points, abs=1e-3)
    assert "0.400 ±" in ax.get_legend_handles_labels()[1][0]


@pytest.mark.parametrize("make", [example, lambda: example(True), fit_example, lambda: series_example().to_dataset()])
def test_every_figure_is_drawn_without_a_warning_and_without_touching_global_settings(make, tmp_path):
    ds, before = make(), dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = plots.write_figures(ds, tmp_path)
    assert dict(mpl.rcParams) == before
    assert paths
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in paths)


@pytest.mark.parametrize("points", [1, 2, 5])
def test_few_frequencies_are_drawn_too(points, tmp_path):
    few = example().isel(frequency=slice(20, 20 + points))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_result(few, tmp_path / "out")
    assert (tmp_path / "out" / "nyquist.png").is_file()


def test_without_an_impedance_there_are_profiles_only(run, tmp_path):
    alone = run.drop_vars(["z_real", "z_imag", "z_part_real", "z_part_imag", "frequency"])
    write_result(alone, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").glob("*.png")] == ["profiles.png"]


def test_plots_work_without_axes_in_a_notebook(run):
    mpl.use("agg")
    import matplotlib.pyplot as plt

    assert run.ionics.plot_nyquist() is plt.gca()
    run.ionics.plot_bode(), run.ionics.plot_parts(), run.ionics.plot_profiles()
    fit_example().ionics.plot_fit(), fit_example().ionics.plot_correlation(), series_example().ionics.plot_arrhenius()
    plt.close("all")


class Page(HTMLParser):
    """Collects the links and images of a page and checks that its tags close."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("make", [example, fit_example, series_example])
def test_the_report_is_one_whole_page_that_needs_nothing_else(make, tmp_path):
    folder = write_result(make(), tmp_path / "out")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert page.links
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert len(page.links) == len(list(folder.glob("*.png")))


def test_the_report_begins_with_the_verdict_and_escapes_what_users_wrote(run):
    text = report(run)
    assert text.index("of it is the film") < text.index("<table>")
    assert "title: &lt;cell&gt;" in text
    assert "A &amp; B &lt;2020&gt;" in text
    assert "mind the gap" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_fit_report_says_what_is_not_determined():
    words = " ".join(Page(report(fit_example())).words)
    assert "R1 is not determined" in words
    assert "not determined" in words
    assert "on its bound" in words
    assert "SHA-256 of a.csv: abc" in words


def test_a_folder_with_other_files_is_refused_and_kept(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        write_result(run, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_earlier_result_is_replaced_as_a_whole(run, tmp_path):
    folder = write_result(fit_example(), tmp_path / "out")
    assert (folder / "fit.png").exists()
    write_result(run, folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "bode.png", "config.yaml", "nyquist.png", "parts.png", "profiles.png", "report.html", "result.nc",
    ]  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert open_result(folder).identical(run)


def test_a_failure_while_writing_leaves_the_earlier_result(run, tmp_path, monkeypatch):
    folder = write_result(run, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(plots, "write_figures", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_result(run, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_pictures_can_be_drawn_again_elsewhere(run, tmp_path):
    folder = write_result(run, tmp_path / "out")
    paths = redraw(open_result(folder), tmp_path / "again")
    assert {p.name for p in paths} == {"nyquist.png", "bode.png", "parts.png", "profiles.png", "report.html"}
    assert all(p.is_file() for p in paths)


def test_a_folder_of_results_knows_every_picture_as_its_own():
    """Else a run could not be repeated into the same folder."""
    assert set(CAPTIONS) == set(DRAWN.split())
