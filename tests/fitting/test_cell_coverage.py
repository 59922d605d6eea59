"""Intervals of fits of cells hold what they promise: 40 synthetic sets of discharges, capacities and spectra."""

import dataclasses

import numpy as np
import pytest

from ionics.fitting.cells.fit import fit_cell
from ionics.fitting.model import Prior
from tests.fitting.half_cells import FREE, TRUTH, clean_records, half_cell, moved, with_errors

SETS = 40


def study(sets=SETS, stated=True):
    """Whether each interval of 95 % holds the truth [set, parameter], reduced chi-squared of each set, its dof."""
    clean, begin = clean_records(half_cell()), moved(half_cell(), D=1.5, i0=0.6, C=0.8, kappa=1.4, filled=0.97)
    held, chi, dof = [], [], 0
    for seed in range(sets):
        # what is known before is a measurement, too: another one every time
        value = TRUTH["C"] * np.exp(0.02 * np.random.default_rng(10_000 + seed).standard_normal())
        records = with_errors(clean, seed)
        if not stated:
            records = [dataclasses.replace(one, sigma=None) for one in records]
        fit = fit_cell(*begin, records, FREE, priors={"C": Prior(float(value), 0.02)}, starts=0)
        limits = [fit.interval(name) for name in TRUTH]
        held.append([low < truth < high for (low, high), truth in zip(limits, TRUTH.values(), strict=True)])
        chi.append(fit.reduced_chi_squared)
        dof = fit.dof
    return np.array(held), np.array(chi), dof


@pytest.mark.slow
@pytest.mark.parametrize("stated", [True, False], ids=["stated errors", "estimated errors"])
def test_nineteen_of_twenty_intervals_hold_the_truth(stated):
    held, chi, dof = study(stated=stated)
    # 280 intervals; those of one set depend on each other, so that their deviation is at most that of 40
    one = np.sqrt(0.95 * 0.05 / SETS)
    assert held.mean() == pytest.approx(0.95, abs=3 * one)
    assert held.mean(axis=0).min() > 0.95 - 4 * one
    if stated:
        assert chi.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / dof / SETS))
