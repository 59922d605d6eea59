"""Fits as xarray Datasets: parameters over `parameter`, data and model over `frequency`, a series as a DataTree.

What was found beside the fit stands in the same Dataset under a prefix: `kk_` (Kramers-Kronig test), `drt_`
(distribution of relaxation times), `profile_`, `posterior_`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ionics.constants import FARADAY
from ionics.results import Origin, scalar, variable

UNITS = {"temperature": "K", "state_of_charge": "1", "pressure": "Pa", "cycle": "1", "time": "s"}  # of conditions
KEPT = ["label", "data", "sha256", "notes"]  # attributes of a part that the fit has as well


def fit_to_dataset(fit, origin: Origin | None = None) -> xr.Dataset:
    """A fit with its data: parameters with errors and correlations, measured and fitted impedance, chi-squared.

    fit: fitting.result.FitResult.
    """
    spectrum, one = fit.spectrum, ("frequency",)
    relative = fit.residuals / abs(fit.impedance)
    ds = estimates_to_dataset(fit).assign(
        z_real=variable(one, spectrum.impedance.real, "ohm", "real part of the measured impedance"),
        z_imag=variable(one, spectrum.impedance.imag, "ohm", "imaginary part of the measured impedance"),
        z_model_real=variable(one, np.real(fit.impedance), "ohm", "real part of the fitted impedance"),
        z_model_imag=variable(one, np.imag(fit.impedance), "ohm", "imaginary part of the fitted impedance"),
        residual_real=variable(one, relative.real, "1", "(measured - fitted) / |fitted|, real part"),
        residual_imag=variable(one, relative.imag, "1", "(measured - fitted) / |fitted|, imaginary part"),
        relative_rmse=scalar(fit.relative_rmse, "1", "root mean square of |residual| / |Z|"),
    )
    ds = ds.assign_coords(frequency=variable(one, spectrum.frequency, "Hz", "frequency"))
    kelvin = {} if spectrum.temperature is None else {"temperature": spectrum.temperature}
    for name, value in (kelvin | dict(spectrum.conditions)).items():
        ds[name] = scalar(value, UNITS[name], name.replace("_", " "))
    ds.attrs |= (origin or Origin()).attributes() | {
        "kind": "fit",
        "message": fit.verdict,
        "label": spectrum.label,
        "data": Path(spectrum.source).name,
        "sha256": spectrum.sha256,
        "notes": json.dumps(list(spectrum.notes), ensure_ascii=False),
    }
    return ds


def estimates_to_dataset(fit) -> xr.Dataset:
    """Parameters with errors, and how good the fit is. fit: fitting.result.Estimates."""
    axis, two = ("parameter",), ("parameter", "other")
    limits = np.array([fit.interval(name) for name in fit.names])
    data = {
        "value": variable(axis, fit.values, "", "fitted value, in parameter_unit"),
        "standard_error": variable(axis, fit.standard_errors, "", "one standard deviation, in parameter_unit"),
        "interval_low": variable(axis, limits[:, 0], "", "lower end of the 95 % interval, in parameter_unit"),
        "interval_high": variable(axis, limits[:, 1], "", "upper end of the 95 % interval, in parameter_unit"),
        "parameter_unit": (axis, list(fit.units), {"long_name": "unit of the parameter"}),
        "at_bound": variable(axis, np.array(fit.at_bound, dtype=np.int8), "", "1 where the value is on its bound"),
        "lower": variable(axis, [p.lower for p in fit.parameters], "", "lower bound"),
        "upper": variable(axis, [p.upper for p in fit.parameters], "", "upper bound"),
        "log_scale": variable(
            axis, np.array([p.scale == "log" for p in fit.parameters], np.int8), "1", "1: searched by ln"
        ),
        "correlation": variable(two, fit.correlation, "1", "correlation of the parameters"),
        "covariance": variable(two, fit.covariance, "", "covariance of the parameters"),
        "chi_squared": scalar(fit.chi_squared, "1", "sum of squared weighted residuals"),
        "reduced_chi_squared": scalar(fit.reduced_chi_squared, "1", "chi-squared per degree of freedom"),
        "start_cost": variable(("start",), fit.start_costs, "1", "chi-squared each start ended with"),
    }
    for name, value in fit.criteria.items():
        data[name.lower()] = scalar(value, "1", f"information criterion {name}")
    if fit.information is not None:
        one = ("combination",)
        data["information_error"] = variable(one, fit.information.error, "1", "standard error of a combination")
        direction = fit.information.direction
        data["information_direction"] = variable((*one, *axis), direction, "1", "combination of the parameters")
    attributes = {
        "weighting": fit.weighting,
        "dof": int(fit.dof),
        "observations": int(fit.observations),
        "starts_at_best": int(fit.starts_at_best),
        "undetermined": json.dumps(list(fit.undetermined), ensure_ascii=False),
        "limits": json.dumps(list(fit.limits), ensure_ascii=False),
        "elsewhere": json.dumps(list(fit.elsewhere), ensure_ascii=False),
    }
    return xr.Dataset(data, {"parameter": list(fit.names), "other": list(fit.names)}, attributes)


# ---- what stands beside a fit


def add_derived(ds: xr.Dataset, derived: Mapping) -> xr.Dataset:
    """Numbers that follow from a fit, name -> fitting.derived.Measured, on the dimension `derived`."""
    if not derived:
        return ds
    axis, numbers = ("derived",), derived.values()
    values, errors, units = ([getattr(one, key) for one in numbers] for key in ("value", "error", "unit"))
    return ds.assign_coords(derived=list(derived)).assign(
        derived_value=variable(axis, values, "", "derived value, in derived_unit"),
        derived_error=variable(axis, errors, "", "one standard deviation, in derived_unit"),
        derived_unit=(axis, list(units)),
    )


def add_parts(ds: xr.Dataset, response, area: float) -> xr.Dataset:
    """The share of every element of a fitted stack in its impedance [ohm]. response: transport.impedance.Impedance."""
    parts, two = np.asarray(response.parts) / area, ("element", "frequency")
    return ds.assign_coords(element=list(response.elements)).assign(
        z_part_real=variable(two, parts.real, "ohm", "real part of the share of an element"),
        z_part_imag=variable(two, parts.imag, "ohm", "imaginary part of the share of an element"),
    )


def add_part(ds: xr.Dataset, prefix: str, part: xr.Dataset) -> xr.Dataset:
    """Another Dataset of the same spectrum, every name in it with a prefix."""
    new = part.rename({name: f"{prefix}_{name}" for name in {*part.variables, *part.dims}})
    attributes = {f"{prefix}_{key}": value for key, value in part.attrs.items() if key not in KEPT}
    return ds.merge(new, combine_attrs="override").assign_attrs(attributes)


def part_of(ds: xr.Dataset, prefix: str) -> xr.Dataset:
    """What `add_part` added, as it was."""
    start = f"{prefix}_"
    names = [name for name in ds.variables if str(name).startswith(start)]
    part = ds[names].rename({name: str(name).removeprefix(start) for name in names})
    part = part.drop_vars(
        [name for name in part.coords if str(name) not in part.dims and f"{start}{name}" not in names]
    )
    own = {key.removeprefix(start): value for key, value in ds.attrs.items() if key.startswith(start)}
    part.attrs = {key: ds.attrs[key] for key in KEPT if key in ds.attrs} | own
    return part


def add_profiles(ds: xr.Dataset, profiles: Sequence, warning: str) -> xr.Dataset:
    """Profile likelihoods (fitting.profile.Profile) on the dimensions `profiled` and `profile_point`."""
    length = max(len(one.value) for one in profiles)

    def padded(rows):
        return np.stack([np.pad(row, (0, length - len(row)), constant_values=np.nan) for row in rows])

    both, axis = ("profiled", "profile_point"), ("profiled",)
    limits = np.array([one.interval() for one in profiles])
    inner = np.array([one.interval(0.6827) for one in profiles])
    closed = np.array([one.closed() for one in profiles], dtype=np.int8)
    return ds.assign_coords(profiled=[one.name for one in profiles]).assign(
        profile_value=variable(both, padded([one.value for one in profiles]), "", "value, in parameter_unit"),
        profile_rise=variable(both, padded([one.rise for one in profiles]), "1", "rise of chi-squared over the noise"),
        profile_low=variable(axis, limits[:, 0], "", "lower end of the 95 % interval"),
        profile_high=variable(axis, limits[:, 1], "", "upper end of the 95 % interval"),
        profile_low68=variable(axis, inner[:, 0], "", "lower end of the 68 % interval"),
        profile_high68=variable(axis, inner[:, 1], "", "upper end of the 68 % interval"),
        profile_closed_low=variable(axis, closed[:, 0], "", "1 where the data set a lower limit"),
        profile_closed_high=variable(axis, closed[:, 1], "", "1 where the data set an upper limit"),
    ).assign_attrs(
        profiles=json.dumps([one.sentence() for one in profiles], ensure_ascii=False), profile_warning=warning
    )  # fmt: skip


def add_posterior(ds: xr.Dataset, posterior) -> xr.Dataset:
    """Draws (fitting.posterior.Posterior) on the dimensions `chain`, `draw` and `parameter`."""
    axis = ("parameter",)
    limits = np.array([posterior.interval(name) for name in posterior.estimates.names])
    return ds.assign(
        posterior_draws=variable(("chain", "draw", "parameter"), posterior.draws, "", "draws, in parameter_unit"),
        posterior_low=variable(axis, limits[:, 0], "", "lower end of the central 95 % interval"),
        posterior_high=variable(axis, limits[:, 1], "", "upper end of the central 95 % interval"),
        posterior_rhat=variable(axis, posterior.rhat, "1", "split R-hat"),
        posterior_effective=variable(axis, posterior.effective, "1", "effective number of draws"),
    ).assign_attrs(posterior=posterior.verdict, posterior_trustworthy=int(posterior.trustworthy))


# ---- a series


def series(members: Mapping[str, xr.Dataset], origin: Origin | None = None) -> xr.DataTree:
    """Fits of several spectra with the same model: parameters over spectra at the root, each fit in a group.

    Conditions that all spectra have are variables over `spectrum`.
    """
    fits, axis = list(members.values()), ("spectrum", "parameter")
    root = xr.Dataset(
        {
            "value": variable(axis, [ds["value"].values for ds in fits], "", "fitted value, in parameter_unit"),
            "standard_error": variable(
                axis, [ds.standard_error.values for ds in fits], "", "one standard deviation, in parameter_unit"
            ),
            "parameter_unit": (("parameter",), fits[0].parameter_unit.values),
            "relative_rmse": variable(
                ("spectrum",), [float(ds.relative_rmse) for ds in fits], "1", "root mean square of |residual| / |Z|"
            ),
            "reduced_chi_squared": variable(
                ("spectrum",), [float(ds.reduced_chi_squared) for ds in fits], "1", "chi-squared per degree of freedom"
            ),
        },
        coords={"spectrum": list(members), "parameter": fits[0].parameter.values},
    )
    for name, unit in UNITS.items():
        if all(name in ds for ds in fits):
            root[name] = variable(("spectrum",), [float(ds[name]) for ds in fits], unit, name.replace("_", " "))
    names = [tuple(ds.derived.values) if "derived" in ds.dims else () for ds in fits]
    shared = [name for name in names[0] if all(name in own for own in names)]
    if shared:
        both = ("spectrum", "derived")
        root = root.assign_coords(derived=shared)
        for key, words in (("derived_value", "derived value"), ("derived_error", "one standard deviation")):
            values = [ds[key].sel(derived=shared).values for ds in fits]
            root[key] = variable(both, values, "", f"{words}, in derived_unit")
        root["derived_unit"] = (("derived",), fits[0].derived_unit.sel(derived=shared).values)
    if all("kk_consistent" in ds.attrs for ds in fits):
        root["consistent"] = variable(
            ("spectrum",), np.array([ds.attrs["kk_consistent"] for ds in fits], np.int8), "", "1: passes Kramers-Kronig"
        )
        root.attrs["consistency"] = json.dumps([ds.attrs["kk_message"] for ds in fits], ensure_ascii=False)
    root.attrs |= (origin or Origin()).attributes() | {"kind": "series"}
    return xr.DataTree.from_dict({"/": root} | {f"/{name.replace('/', '-')}": ds for name, ds in members.items()})


def joint_to_dataset(fit) -> xr.Dataset:
    """The parameters of a series that was fitted together. fit: fitting.result.SeriesFit."""
    ds = estimates_to_dataset(fit)
    ds["relative_rmse"] = scalar(fit.relative_rmse, "1", "root mean square of |residual| / |Z|, of all points")
    return ds.assign_attrs(kind="joint", message=fit.verdict)


ENERGY = ".activation_energy"
OWN = {"parameter": "unknown", "other": "other_unknown"}  # a group shares the dimensions of its parents


def with_joint(tree: xr.DataTree, joint: xr.Dataset) -> xr.DataTree:
    """A series with what was fitted to all of it, in the group `together`; its parameters are on `unknown`."""
    tree = tree.copy()
    own = {name: new for name, new in OWN.items() if name in joint.dims}
    tree["together"] = xr.DataTree(joint.rename(own).assign_attrs(created=tree.attrs["created"]))
    told = [_energy(joint.sel(parameter=name)) for name in joint.parameter.values if str(name).endswith(ENERGY)]
    tree.attrs["together"] = joint.attrs["message"]
    tree.attrs["together_energies"] = json.dumps(told, ensure_ascii=False)
    return tree


def _energy(one: xr.Dataset) -> str:
    """An activation energy in words, in eV."""
    factor = 1 / FARADAY if one.parameter_unit.item() == "J/mol" else 1.0
    value, error = (factor * float(one[key]) for key in ("value", "standard_error"))
    return f"activation energy of {str(one.parameter.item()).removesuffix(ENERGY)}: {value:.4f} ± {error:.2g} eV"


def joint_of(tree: xr.DataTree) -> xr.Dataset:
    """What `with_joint` added, as it was."""
    ds = tree["together"].to_dataset(inherit=False)
    return ds.rename({new: name for name, new in OWN.items() if new in ds.dims})


def add_arrhenius(tree: xr.DataTree, points: Mapping[str, tuple], unit: str) -> xr.DataTree:
    """Activation energies of a series: sigma T = A exp(-Ea / kT).

    points: parameter -> (conductivities, their errors, fitting.derived.Arrhenius); unit: of the conductivities.
    """
    names, axis = list(points), ("arrhenius",)
    sigma, errors, lines = zip(*points.values(), strict=True)
    energies = [line.activation_energy for line in lines]
    unit_of = {"units": unit}
    tree = tree.copy()
    tree.dataset = tree.to_dataset().assign(
        conductivity=((*axis, "spectrum"), np.array(sigma), unit_of | {"long_name": "conductivity or conductance"}),
        conductivity_error=((*axis, "spectrum"), np.array(errors), unit_of | {"long_name": "one standard deviation"}),
        activation_energy=variable(axis, [e.value for e in energies], "eV", "activation energy of sigma T"),
        activation_energy_error=variable(axis, [e.error for e in energies], "eV", "one standard deviation"),
        log_prefactor=variable(axis, [line.log_prefactor.value for line in lines], "1", "ln A, A in unit of sigma K"),
        r_squared=variable(axis, [line.r_squared for line in lines], "1", "coefficient of determination"),
        arrhenius=names,
    )
    return tree
