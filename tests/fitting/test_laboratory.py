"""Fits of measured spectra against what their authors published, and against other programs.

Data: hybrid-drt (Huang et al., Electrochim. Acta 443 (2023) 141879), EISFitpython (Adediwura, Mathew, Schmedt
auf der Guenne, J. Mater. Chem. A 12 (2024) 15847), impedance.py (Murbach et al., JOSS 5 (2020) 2349).
"""

import dataclasses
import re

import numpy as np
import pytest

from ionics.fitting.circuits import CPE, R
from ionics.fitting.derived import Geometry, Measured, arrhenius, hsu_mansfeld, propagate
from ionics.fitting.files.readers import read_spectrum
from ionics.fitting.leastsquares import fit, fit_series
from ionics.fitting.model import CircuitModel


def test_a_cold_electrolyte_pellet_is_a_resistance_an_arc_and_a_blocking_electrode(laboratory):
    spectrum = read_spectrum(laboratory / "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt").window(fmax=1.1e6)
    result = fit(CircuitModel("R0-p(R1,CPE1)-CPE2"), spectrum)
    assert result.relative_rmse <= 0.016
    total = propagate(result, lambda p: p["R0"] + p["R1"], "ohm")
    assert total.value == pytest.approx(1451.0, abs=30.0)
    assert result.starts_at_best >= 16  # the optimum is found again and again, not by luck


# ---- seven temperatures of a ceramic pellet, as its author fitted them

CELSIUS = (140, 150, 160, 170, 180, 190, 200)
KELVIN = np.array([413.0, 423.0, 433.0, 443.0, 453.0, 463.0, 473.0])  # the author adds 273
# The author's starting values (Example3-Batchfit.py) say which arc is which: R1 bulk, R2 grain boundary.
CERAMIC = CircuitModel(
    (R(1.8e6, label="R1") | CPE(1.3e-11, 0.9, label="CPE1"))
    + (R(8.2e6, label="R2") | CPE(1.3e-9, 0.9, label="CPE2"))
    + CPE(5.7e-7, 0.6, label="CPE3")
)


@pytest.fixture(scope="module")
def published(laboratory):
    text = (laboratory / "eisfitpython/Example_scripts/Example3/Batch_EISfit_Report.txt").read_text()
    number = r"([-+.\de]+)"
    reports = []
    for part in re.split(r"Data_\d+K", text)[1:]:
        chi = float(re.search(rf"Chi-squared: {number}", part)[1])
        rows = re.findall(rf"^[RQn]\d =\s+{number}\s+{number}\s+{number}$", part, re.MULTILINE)
        reports.append((chi, np.array(rows, dtype=float)[:, :2]))
    return reports


@pytest.fixture(scope="module")
def fitted(laboratory):
    folder = laboratory / "eisfitpython/EIS_Data/Example-3-4"
    spectra = [read_spectrum(folder / f"s04147-{celsius}deg.txt") for celsius in CELSIUS]
    return fit_series(CERAMIC, spectra)


def test_the_published_circuit_fits_of_seven_temperatures_are_reproduced(published, fitted):
    assert len(published) == len(fitted) == 7
    for (chi, rows), result in zip(published, fitted, strict=True):
        assert result.chi_squared == pytest.approx(chi, rel=1e-5)
        np.testing.assert_allclose(result.values, rows[:, 0], rtol=1e-3)
        np.testing.assert_allclose(result.standard_errors, rows[:, 1], rtol=1e-2)


def test_the_published_correlations_are_reproduced(fitted):
    first = fitted[0].correlation  # Data_433K is the third; its matrix is printed in full
    third = fitted[2].correlation
    np.testing.assert_allclose(np.diag(first), 1.0)
    column = [1.0, 0.805, -0.852, -0.975, -0.743, 0.865, -0.170, -0.182]
    np.testing.assert_allclose(third[:, 0], column, atol=2e-3)  # printed to three digits


def test_the_published_activation_energies_are_reproduced(fitted):
    """ln(sigma T) against 1/T, every temperature with the same weight: bulk, grain boundary, total."""
    pellet = Geometry.pellet(diameter=8e-3, thickness=2.1e-3)
    published = {"R1": (0.5869, 0.0163), "R2": (0.8919, 0.0025), "total": (0.8555, 0.0006)}
    for name, (energy, error) in published.items():
        resistance = [r["R1"] + r["R2"] if name == "total" else r[name] for r in fitted]
        sigma = np.array([pellet.conductivity(Measured(ohm, 0.0, "ohm")).value for ohm in resistance])
        line = arrhenius(KELVIN, sigma)
        assert line.activation_energy.value == pytest.approx(energy, abs=1.5e-4)
        assert line.activation_energy.error == pytest.approx(error, abs=1e-4)


def test_the_published_conductivity_and_capacitance_are_reproduced(fitted):
    """2.857e-6 S/cm +- 8.79 % at 413 K with the author's 0.001 cm and 0.01 cm2; 17.41 pF in the grain boundary."""
    pellet = Geometry(2.1e-3, np.pi * 4e-3**2, thickness_error=1e-5, area_error=1e-6)
    bulk = pellet.conductivity(Measured(fitted[0]["R1"], fitted[0].error("R1"), "ohm"))
    assert bulk.value == pytest.approx(2.857e-6, rel=1e-3)
    assert bulk.error / bulk.value == pytest.approx(0.0879, rel=1e-2)
    boundary = propagate(fitted[0], lambda p: hsu_mansfeld(p["CPE2.Q"], p["CPE2.n"], p["R2"]), "F")
    assert boundary.value == pytest.approx(1.741e-11, rel=1e-3)


# ---- a lithium-ion cell, as the documentation of impedance.py fits it


def test_random_starts_reach_the_best_fit_of_a_lithium_ion_cell(laboratory):
    """The documented circuit on the documented points (Im Z < 0: its `ignoreBelowX`), modulus weighting.

    Relative RMSE is sqrt(mean |Z - Z_fit|^2 / |Z|^2). impedance.py, from the starting values of its
    documentation and with weight_by_modulus, ends at 0.018742; 0.01797 is what a global search finds.
    """
    spectrum = read_spectrum(laboratory / "impedance.py/exampleData.csv")
    keep = spectrum.impedance.imag < 0
    spectrum = dataclasses.replace(spectrum, frequency=spectrum.frequency[keep], impedance=spectrum.impedance[keep])
    result = fit(CircuitModel("R0-p(R1,C1)-p(R2-Wo1,C2)"), spectrum, starts=64)
    assert len(spectrum) == 57
    assert result.relative_rmse <= 0.01797
    assert result.starts_at_best >= 3
    assert any("Wo1.Z0 * Wo1.tau^-0.5" in sentence for sentence in result.undetermined)
