"""The `fit` part of a file with `model: cell`: records and what is free, to a result with everything asked about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import numpy as np
import xarray as xr

from ionics import cell_fit_results
from ionics import fit_results as results
from ionics.config.cell_assembly import beginning, build_cell
from ionics.config.cell_leaves import CellLeaf, leaf
from ionics.config.cell_records import records
from ionics.config.fit_models import prior
from ionics.config.fit_questions import Fit, FreeParameter
from ionics.config.fits import question
from ionics.config.schema import Config
from ionics.config.units import UnitError
from ionics.fitting.cells.fit import fit_cell
from ionics.fitting.cells.knots import Knot
from ionics.fitting.cells.limiting import limits
from ionics.fitting.cells.states import Specimen
from ionics.fitting.model import Free, Prior
from ionics.fitting.posterior import sample
from ionics.fitting.profile import profiles

if TYPE_CHECKING:
    from ionics.config.study import Study

DECADES = 3  # of bounds to each side, where none are stated


def fit(study: Study, tell: Callable[[str], None]) -> xr.Dataset:
    """Fit the cell to all its records at once. Raises ConfigError, DataError, FitError."""
    config = study.config
    asked = question(config)
    tell("reading records")
    measured = records(config)
    tell("building the cell")
    specimen, fingers, known = expected(config, asked)

    def share(done: float) -> None:
        tell(f"fitting {len(measured)} records: {100 * done:.0f} % of the searches")

    share(0.0)
    starts = asked.starts if "starts" in asked.model_fields_set else 4  # each is a search in time
    found = fit_cell(specimen.cell, specimen.filled, measured, fingers, priors=known, starts=starts, tell=share)
    ds = cell_fit_results.to_dataset(found, study.origin)
    losses = limits(found, tell=lambda done: tell(f"what limits each discharge: {100 * done:.0f} %"))
    if losses is not None:
        ds = cell_fit_results.with_limits(ds, losses)
    if asked.profiles:
        tell("profile likelihoods")
        ds = results.add_profiles(ds, *profiles(found, None if asked.profiles is True else asked.profiles))
    if asked.posterior is not None:
        tell("sampling the posterior")
        how = asked.posterior
        ds = results.add_posterior(ds, sample(found, draws=how.draws, warmup=how.warmup, chains=how.chains))
    return ds


def expected(config: Config, asked: Fit) -> tuple[Specimen, list[Free | Knot], dict[str, Prior]]:
    """The cell where the fit starts, what is free in it, and what is known of that. Raises ConfigError."""
    specimen = Specimen(build_cell(config), beginning(config))
    specimen = _held(config, asked, specimen)
    free = {path: one for path, one in asked.free.items() if one.fixed is None}
    fingers = [_finger(config, path, one, specimen) for path, one in free.items()]
    known = {
        path: prior(config, path, one, one.scale or "log", leaf(config, specimen.cell, path).dimension)
        for path, one in free.items()
        if one.prior is not None
    }
    return _begun(config, free, fingers, specimen), fingers, known


def _held(config: Config, asked: Fit, specimen: Specimen) -> Specimen:
    """With what is fixed at a value of its own."""
    for path, one in asked.free.items():
        if one.fixed is not None:
            own = leaf(config, specimen.cell, path)
            value = _si(config, path, "fixed", one.fixed, own)
            specimen = Free(path, own.where, value, value + 1.0, "linear").put(specimen, value)
    return specimen


def _begun(config: Config, free: dict[str, FreeParameter], fingers: list[Free | Knot], specimen: Specimen) -> Specimen:
    """With what starts at a value of its own."""
    for finger, (path, one) in zip(fingers, free.items(), strict=True):
        if one.start is not None:
            own = leaf(config, specimen.cell, path)
            specimen = finger.put(specimen, _si(config, path, "start", one.start, own))
    return specimen


def _finger(config: Config, path: str, one: FreeParameter, specimen: Specimen) -> Free | Knot:
    """Start and bounds in SI. Raises ConfigError."""
    own, place = leaf(config, specimen.cell, path), ("fit", "free", path)
    if one.across is not None:
        raise config.error(
            (*place, "across"), "a fit of a cell shares everything", "give activation energies in the file"
        )
    others = [leaf(config, specimen.cell, other) for other in one.tied]
    for other in others:
        if other.dimension != own.dimension:
            raise config.error((*place, "tied"), f"{other.path} is not the same quantity", "paths of the same quantity")
    if own.knot is not None and others:
        raise config.error((*place, "tied"), "a knot of a curve stands alone", "no tied")
    present = _present(own, specimen)
    start = present if one.start is None else _si(config, path, "start", one.start, own)
    scale = one.scale or "log"
    if one.bounds is None and scale == "linear":
        raise config.error(place, "a linear scale needs bounds", "bounds: [lower, upper]")
    if scale == "log" and start <= 0:
        raise config.error(place, f"a log scale, but it is {start:.4g}", "scale: linear, with bounds; or a start")
    stated = [_si(config, path, "bounds", bound, own) for bound in one.bounds or ()]
    low, high = stated or (start / 10**DECADES, start * 10**DECADES)
    if not low <= start <= high:
        raise config.error(place, f"the cell has {start:.4g}, outside the bounds", "wider bounds, or a start")
    unit = own.dimension.unit or "1"
    if own.knot is not None:
        return Knot(path, own.where, own.knot, low, high, scale, unit, own.times)
    places = [own.where, *(other.where for other in others)]
    where = own.where if not others else lambda s: tuple(one(s) for one in places)
    return Free(path, where, low, high, scale, unit)


def _present(own: CellLeaf, specimen: Specimen) -> float:
    """What the cell has [SI]."""
    found = own.where(specimen)
    if own.knot is not None:
        return own.times * float(np.exp(found.values[own.knot]))
    return float(np.ravel(jax.tree.leaves(found)[0])[0])


def _si(config: Config, path: str, key: str, written, own: CellLeaf) -> float:
    try:
        return written.of(own.dimension)
    except UnitError as error:
        raise config.error(("fit", "free", path, key), error.problem, error.valid) from None
