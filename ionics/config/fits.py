"""The `fit` part of a file: spectra and a model to a result with everything that was asked about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics import fit_results as results
from ionics.config import fit_data, fit_models
from ionics.config.ceramics import readings
from ionics.config.fit_questions import Fit
from ionics.config.fitted import fitted
from ionics.config.schema import Config
from ionics.fitting import derived
from ionics.fitting.checks.kramers_kronig import LEAST_POINTS, kramers_kronig_series
from ionics.fitting.circuits import CPE, AbstractCircuit, Parallel, R
from ionics.fitting.derived import Measured
from ionics.fitting.leastsquares import fit_series, fit_together
from ionics.fitting.model import AbstractModel, CircuitModel
from ionics.fitting.posterior import sample
from ionics.fitting.problem import unknowns
from ionics.fitting.profile import profiles
from ionics.fitting.relaxation.relaxation_times import relaxation_times_series
from ionics.fitting.result import Estimates, FitResult
from ionics.fitting.spectrum import Spectrum

if TYPE_CHECKING:
    from ionics.config.study import Study

Tell = Callable[[str], None]


def fit(study: Study, data: str | Path | None, tell: Tell) -> xr.Dataset | xr.DataTree:
    """Fit every spectrum that is named with the same model: one Dataset, or a tree of them for a series."""
    config = study.config
    asked = question(config)
    if asked.model == "cell":
        from ionics.config import cell_fits

        if data is not None:
            raise config.error(("fit", "records"), "a fit of a cell reads the records of its file", "no --data")
        return cell_fits.fit(study, tell)
    if asked.model == "capacity-rate":
        from ionics.config import rate_fits

        return rate_fits.fit(study, data, tell)
    tell("reading spectra")
    measured = fit_data.spectra(config, asked, data)
    spectra = fit_data.prepared(asked, measured)
    tell("preparing the model")
    model = model_of(study)
    _check_names(config, asked, model, spectra)
    fits, whole = _fitted(config, asked, model, spectra, tell)
    members = dict(
        zip(_labels(spectra), _members(config, asked, model, fits, measured, study.origin, tell), strict=True)
    )
    if asked.series is None and len(members) == 1:
        return _examined(next(iter(members.values())), fits[0], asked, tell)
    if whole is None:
        members = {name: _examined(ds, one, asked, tell) for (name, ds), one in zip(members.items(), fits, strict=True)}
    tree = results.series(members, study.origin)
    if whole is not None:
        tree = results.with_joint(tree, _examined(results.joint_to_dataset(whole), whole, asked, tell))
    return _arrhenius(config, tree, fits)


def question(config: Config) -> Fit:
    """The `fit` part. Raises ConfigError where there is none."""
    if config.fit is None:
        raise config.error((), "nothing to fit", "write e.g. fit: {data: FILE, circuit: R0-p(R1,CPE1)-CPE2}")
    return config.fit


def model_of(study: Study) -> AbstractModel:
    """The circuit or the stack of the file, with its free parameters. Raises ConfigError."""
    asked = question(study.config)
    if asked.model == "circuit":
        return fit_models.circuit_model(study.config, asked)
    return fit_models.stack_model(study.config, asked, study.stack, study.occupancy)


def _fitted(config: Config, asked: Fit, model: AbstractModel, spectra: list[Spectrum], tell: Tell):
    """A fit of each spectrum, and that of the series where they are fitted together."""
    count = len(spectra)

    def share(done: float) -> None:
        tell(
            f"fitting {count} spectra: {100 * done:.0f} % of the searches"
            if count > 1
            else f"fitting {spectra[0].label}"
        )

    share(0.0)
    options = {
        "weighting": fit_data.weighting(asked), "starts": asked.starts, "robust": asked.robust, "tell": share
    }  # fmt: skip
    if not asked.joint:
        return fit_series(model, spectra, **options), None
    whole = fit_together(model, spectra, fit_models.across(config, asked, model), **options)
    return list(whole.members), whole


def _labels(spectra: list[Spectrum]) -> list[str]:
    """What the members of a series are called, each only once."""
    labels = [one.label for one in spectra]
    return [label if labels.count(label) == 1 else f"{label} ({k + 1})" for k, label in enumerate(labels)]


def _members(config: Config, asked: Fit, model: AbstractModel, fits: list[FitResult], measured, origin, tell: Tell):
    """A Dataset of each fit, with what follows from it and what was seen before it."""
    found = []
    for one in fits:
        ds = results.fit_to_dataset(one, origin)
        if isinstance(model, fit_models.StackModel):
            own = model.under(one.spectrum)
            ds = results.add_parts(ds, own.response(np.asarray(one.values), one.spectrum.frequency), float(own.area))
            values = dict(zip(one.names, map(float, one.values), strict=True))
            tied = {path: free.tied for path, free in asked.free.items()}
            ds.attrs["fitted"] = fitted(config, values, tied, one.spectrum.temperature, one.spectrum.frequency)
        numbers, doubts = consequences(config, model, one)
        if doubts:
            ds.attrs["ceramic"] = "; ".join(doubts)
        found.append(results.add_derived(ds, numbers))
    if asked.consistency and min(len(one) for one in measured) >= LEAST_POINTS:
        tell("testing the spectra by Kramers and Kronig")
        tests = kramers_kronig_series(measured)
        found = [results.add_part(ds, "kk", test.to_dataset()) for ds, test in zip(found, tests, strict=True)]
    if asked.relaxation_times:
        tell("distributions of relaxation times")
        times = relaxation_times_series([one.spectrum for one in fits])
        found = [results.add_part(ds, "drt", own.to_dataset()) for ds, own in zip(found, times, strict=True)]
    return found


def _examined(ds: xr.Dataset, estimates: Estimates, asked: Fit, tell: Tell) -> xr.Dataset:
    """With profile likelihoods and the posterior, where they are asked for."""
    if asked.profiles:
        tell("profile likelihoods")
        wanted = None if asked.profiles is True else asked.profiles
        ds = results.add_profiles(ds, *profiles(estimates, wanted))
    if asked.posterior is not None:
        tell("sampling the posterior")
        how = asked.posterior
        drawn = sample(estimates, draws=how.draws, warmup=how.warmup, chains=how.chains)
        ds = results.add_posterior(ds, drawn)
    return ds


# ---- consequences


def consequences(config: Config, model: AbstractModel, result: FitResult) -> tuple[dict[str, Measured], list[str]]:
    """Conductivities of the resistors, effective capacitances of each R || CPE, per area where possible; the barrier
    of a ceramic; and what to be careful about.
    """
    asked = question(config)
    if not isinstance(model, CircuitModel):
        return {}, []
    geometry, found, doubts = _geometry(config), {}, []
    if geometry is not None:
        for element in model.circuit.elements():
            if isinstance(element, R) and element.label in result.names:
                found[f"conductivity of {element.label}"] = geometry.conductivity(_resistance(result, element.label))
    for r, cpe in _pairs(model.circuit):
        if {r, f"{cpe}.Q", f"{cpe}.n"} <= set(result.names):
            capacitance = derived.propagate(
                result, lambda v, r=r, c=cpe: derived.hsu_mansfeld(v[f"{c}.Q"], v[f"{c}.n"], v[r]), "F"
            )
            found[f"capacitance of {r} | {cpe}"] = (
                capacitance if geometry is None else geometry.specific_capacitance(capacitance)
            )
    if asked.ceramic is not None:
        own, doubts = readings(config, asked.ceramic, geometry, result)
        found |= own
    return found, doubts


def _geometry(config: Config) -> derived.Geometry | None:
    asked = question(config).geometry
    return derived.Geometry(asked.thickness, asked.area) if asked else None


def _resistance(result: FitResult, name: str) -> Measured:
    """A fitted resistance, or the sum of several with the error that follows from their covariance."""
    return derived.propagate(result, lambda values: sum(values[term] for term in _terms(name)), "ohm")


def _pairs(circuit: AbstractCircuit):
    """Labels of each resistor and constant-phase element that stand alone side by side."""
    parts = getattr(circuit, "parts", ())
    if isinstance(circuit, Parallel) and sorted(type(p).__name__ for p in parts) == ["CPE", "R"]:
        r, cpe = sorted(parts, key=lambda part: isinstance(part, CPE))
        yield r.label, cpe.label
    for part in parts:
        yield from _pairs(part)


def _arrhenius(config: Config, tree: xr.DataTree, fits: list[FitResult]) -> xr.DataTree:
    """Activation energies of sigma T, or of T/R without a geometry; of sums too, `R1 + R2`."""
    asked = question(config).arrhenius
    if not asked:
        return tree
    geometry, points, unit = _geometry(config), {}, ""
    kelvin = np.array([one.spectrum.temperature for one in fits])
    for name in asked:
        rows = [_conductance(geometry, _resistance(one, name)) for one in fits]
        sigma, errors = np.array([row.value for row in rows]), np.array([row.error for row in rows])
        sound, unit = bool(np.all(np.isfinite(errors) & (errors > 0))), rows[0].unit
        points[name] = (sigma, errors, derived.arrhenius(kelvin, sigma, errors=errors if sound else None))
    return results.add_arrhenius(tree, points, unit)


def _terms(name: str) -> list[str]:
    return [term.strip() for term in name.split("+")]


def _check_names(config: Config, asked: Fit, model: AbstractModel, spectra: list[Spectrum]) -> None:
    """Complain about names before anything is fitted."""
    known = [parameter.name for parameter in model.parameters]
    searched = known
    if asked.joint:
        laws = fit_models.across(config, asked, model)
        searched = [unknown.name for unknown in unknowns(model, spectra, laws).parameters]
    terms = [term for name in asked.arrhenius for term in _terms(name)]
    arcs = [*asked.ceramic.bulk, *asked.ceramic.boundary] if asked.ceramic else []
    labels = [element.label for element in model.circuit.elements()] if isinstance(model, CircuitModel) else []
    profiled = asked.profiles if isinstance(asked.profiles, list) else []
    for key, names, there, kind in (
        ("arrhenius", terms, known, "parameter"),
        ("ceramic", arcs, labels, "element"),
        ("profiles", profiled, searched, "parameter"),
    ):
        for name in names:
            if name not in there:
                raise config.error(("fit", key), f"no {kind} '{name}'", f"there are {', '.join(there)}")


def _conductance(geometry: derived.Geometry | None, resistance: Measured) -> Measured:
    if geometry is not None:
        return geometry.conductivity(resistance)
    return Measured(1 / resistance.value, resistance.error / resistance.value**2, "S")
