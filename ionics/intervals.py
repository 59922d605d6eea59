"""What follows from uncertain numbers: intervals of everything a run gives, and which number matters how much.

The draws of an ensemble become quantiles of the variables of a run: `potential` gains `potential_quantile` with the
dimension `quantile` (0.025, 0.16, 0.5, 0.84, 0.975: 95 % and 68 % lie between the outer and the inner two). Profiles
are compared at the same share of the thickness of a layer: where a thickness is uncertain, x is that of its value.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ionics.results import FARAD_PER_M2, OHM_M2, spectrum, variable
from ionics.summary import contributions, reference_frequency

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
CONTRADICTORY = -1  # the numbers drawn contradict each other, so there is nothing to solve
FEWEST = 8  # draws with an answer that make an interval
TINY = 1e-300  # beside what is so rare that it has no logarithm
EVEN = 1e-3  # of an answer: a spread that could be that of meshes
MINOR = 0.05  # share of the resistance below which an element is not asked what its spread comes from

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Number:
    """An uncertain number of a file."""

    key: str  # dotted
    value: float  # central, SI
    unit: str
    written: str  # 0.34 eV ± 0.05 eV
    source: str = ""
    method: str = ""
    also: str = ""  # other places of the file where it stands


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is kept of one solution."""

    potential: Floats  # (node), V
    field: Floats  # (node), V m-1
    concentration: Floats  # (carrier, node), mol m-3; NaN where a carrier does not live
    voltage: float  # V
    current: float  # A m-2
    capacitance: Floats  # (junction), differential, F m-2; NaN where no charge is stored
    impedance: Any = None  # transport.impedance.Impedance


@dataclasses.dataclass(frozen=True)
class Draw:
    """One set of values of the uncertain numbers, and what followed from it."""

    values: Floats  # (number), SI
    result: int  # code of the solution, or CONTRADICTORY
    message: str
    answer: Answer | None = None
    remeshed: bool = False  # its space charge was too thin for the mesh of the run


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A run for many values of its uncertain numbers."""

    numbers: tuple[Number, ...]
    central: Answer
    draws: tuple[Draw, ...]
    seed: int


def added(ds: xr.Dataset, stack, ensemble: Ensemble | None) -> xr.Dataset:
    """A run with the intervals of an ensemble; as it is without one."""
    if ensemble is None:
        return ds
    kept = [draw for draw in ensemble.draws if draw.answer is not None]
    field = variable(("node",), ensemble.central.field, "V/m", "electric field")
    new = ds.assign(_inputs(ensemble) | {"field": field})
    new = new.assign_coords(quantile=list(QUANTILES), uncertain=[number.key for number in ensemble.numbers])
    if len(kept) >= FEWEST:
        new = _with_profiles(new, stack, ensemble.central, kept)
        new = _with_spectrum(new, kept) if "z_real" in ds else new
        new = _with_influence(new, ensemble, kept)
    new.attrs["draws"] = json.dumps({"asked": len(ensemble.draws), "answered": len(kept), "seed": ensemble.seed})
    new.attrs["uncertainty"] = json.dumps(sentences(ensemble), ensure_ascii=False)
    return new


def sentences(ensemble: Ensemble) -> list[str]:
    """What became of the draws, where not all of them were answered on the mesh of the run."""
    draws, told = ensemble.draws, []
    messages = [draw.message for draw in draws if draw.answer is None]
    failed, lost = Counter(text.partition(":")[0] for text in messages), len(messages)
    for what, count in failed.most_common():
        example = next(text for text in messages if text.partition(":")[0] == what)
        told.append(f"{count} of {len(draws)} draws have no answer: {example}")
    if len(draws) - lost < FEWEST:
        told.insert(0, f"no intervals: {len(draws) - lost} of {len(draws)} draws have an answer")
    elif lost:
        told.append(f"the intervals are those of the other {len(draws) - lost} draws, so they may be too narrow")
    remeshed = sum(draw.remeshed for draw in draws)
    if remeshed:
        told.append(f"{remeshed} of {len(draws)} draws got a mesh of their own: their space charge is thinner")
    return told


def quantiles(values: Floats, logarithmic: bool = False) -> Floats:
    """QUANTILES along the first axis, which comes first again; NaN where fewer than FEWEST draws are finite.

    Interpolated (in the logarithm, if asked) between the draws as if the k-th of n stood for a share (k - 1/2)/n below
    it: Hazen (1914), method 5 of Hyndman and Fan, Am. Stat. 50 (1996) 361, doi:10.1080/00031305.1996.10473566.
    """
    values = np.log(np.maximum(values, TINY)) if logarithmic else np.asarray(values, float)
    few = np.isfinite(values).sum(axis=0) < FEWEST
    filled = np.where(few, 0.0, np.where(np.isfinite(values), values, np.nan))
    found = np.nanquantile(filled, QUANTILES, axis=0, method="hazen")
    return np.where(few, np.nan, np.exp(found) if logarithmic else found)


def influence(inputs: Floats, answer: Floats) -> tuple[Floats, float]:
    """Share of the variance of an answer (draw) that each input (draw, number) explains, and their sum.

    Of ranks, so that what rises together counts whatever its curve: regression coefficient times correlation, which add
    up to the share R^2 that a sum of all inputs explains. Saltelli et al., Global Sensitivity Analysis: The Primer
    (Wiley 2008), chapter 1, doi:10.1002/9780470725184; the product: Pratt, Proc. 2nd Tampere Conf. Stat. (1987) 245.
    """
    from scipy.stats import rankdata

    keep = np.isfinite(answer)
    if not _spreads(answer):
        return np.zeros(inputs.shape[1]), 0.0
    x, y = (_standard(rankdata(part[keep], axis=0)) for part in (inputs, answer))
    correlation = x.T @ y / len(y)
    if len(y) <= 2 * x.shape[1]:  # too few for a regression
        return correlation**2, float(min(1.0, np.sum(correlation**2)))
    slope, *_ = np.linalg.lstsq(x, y, rcond=None)
    return np.maximum(slope * correlation, 0.0), float(np.sum(slope * correlation))


def _standard(ranks: Floats) -> Floats:
    return (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)


def _inputs(ensemble: Ensemble) -> dict:
    """The uncertain numbers, and what was drawn for them."""
    axis, numbers = ("uncertain",), ensemble.numbers
    words = {"unit": "unit", "written": "as in the file", "source": "source", "method": "method", "also": "also"}
    found = {
        f"uncertain_{key}": (axis, [getattr(one, key) for one in numbers], {"long_name": name})
        for key, name in words.items()
    }
    unit = "in uncertain_unit"
    found["uncertain_value"] = (axis, [one.value for one in numbers], {"long_name": f"central value, {unit}"})
    values = np.stack([draw.values for draw in ensemble.draws])
    found["draw_value"] = (("draw", "uncertain"), values, {"long_name": f"value drawn, {unit}"})
    codes = [draw.result for draw in ensemble.draws]
    found["draw_result"] = (("draw",), codes, {"long_name": f"code of the solution, {CONTRADICTORY}: contradictory"})
    return found


def _with_profiles(ds: xr.Dataset, stack, central: Answer, kept: list[Draw]) -> xr.Dataset:
    new = {}
    for name, dims, logarithmic in (
        ("potential", ("node",), False),
        ("field", ("node",), False),
        ("concentration", ("carrier", "node"), True),
        ("voltage", (), False),
        ("current", (), False),
    ):
        values = np.stack([np.asarray(getattr(draw.answer, name)) for draw in kept])
        new[f"{name}_quantile"] = _interval(ds[name], dims, quantiles(values, logarithmic))
    axis = ("element",)
    own = np.full(ds.sizes["element"], np.nan)
    stored = np.full((len(kept), ds.sizes["element"]), np.nan)
    for j, junction in enumerate(stack.junctions):
        k = list(ds.element.values).index(junction.name)
        own[k] = central.capacitance[j] * FARAD_PER_M2
        stored[:, k] = [draw.answer.capacitance[j] * FARAD_PER_M2 for draw in kept]
    name = "differential capacitance of the space charges and compact layer of a junction"
    new["junction_capacitance"] = variable(axis, own, "F/cm^2", name)
    ds = ds.assign(new)
    ds["junction_capacitance_quantile"] = _interval(ds.junction_capacitance, axis, quantiles(stored, True))
    return ds.assign(junction_capacitance_draw=variable(("answered", "element"), stored, "F/cm^2", name))


def _interval(central: xr.DataArray, dims: tuple[str, ...], values: Floats):
    name = f"quantiles of the {central.attrs['long_name']}"
    return variable(("quantile", *dims), values, central.attrs["units"], name)


def _with_spectrum(ds: xr.Dataset, kept: list[Draw]) -> xr.Dataset:
    """Quantiles of Z, its modulus and phase, and of what every element adds."""
    z = np.stack([draw.answer.impedance.z for draw in kept]) * OHM_M2
    tables = [contributions(spectrum(draw.answer.impedance)) for draw in kept]
    central, axis, unit = contributions(ds), ("frequency",), "ohm cm^2"
    own = ds.z_real.values + 1j * ds.z_imag.values
    ds = ds.assign(
        z_modulus=variable(axis, abs(own), unit, "modulus of the impedance"),
        z_phase=variable(axis, np.degrees(np.angle(own)), "degree", "phase of the impedance"),
        element_resistance=(("element",), central.resistance.values, central.resistance.attrs),
        element_share=(("element",), central.share.values, central.share.attrs),
        element_capacitance=(("element",), central.capacitance.values, central.capacitance.attrs),
        resistance=variable((), float(ds.z_real.sel(frequency=reference_frequency(ds))), unit, "total resistance"),
        z_draw_real=variable(("answered", "frequency"), z.real, unit, "real part of the impedance of a draw"),
        z_draw_imag=variable(("answered", "frequency"), z.imag, unit, "imaginary part of the impedance of a draw"),
    )
    total = np.array([float(table.resistance.sum()) for table in tables])
    ds["resistance_draw"] = variable(("answered",), total, unit, "total resistance of a draw")
    columns = {
        "z_real": z.real, "z_imag": z.imag, "z_modulus": abs(z), "z_phase": np.degrees(np.angle(z)),
    }  # fmt: skip
    for name, values in columns.items():
        ds[f"{name}_quantile"] = _interval(ds[name], axis, quantiles(values, name == "z_modulus"))
    for name in ("resistance", "share", "capacitance"):
        values = np.stack([table[name].values for table in tables])
        ds[f"element_{name}_quantile"] = _interval(ds[f"element_{name}"], ("element",), quantiles(values))
        if name == "resistance":
            ds["element_resistance_draw"] = variable(("answered", "element"), values, unit, "real part of a share")
    ds["resistance_quantile"] = _interval(ds.resistance, (), quantiles(total, bool((total > 0).all())))
    return ds


def _with_influence(ds: xr.Dataset, ensemble: Ensemble, kept: list[Draw]) -> xr.Dataset:
    """Which number explains how much of the spread of each answer."""
    inputs = np.stack([draw.values for draw in kept])
    answers = _answers(ds, kept)
    found = [influence(inputs, values) for values in answers.values()]
    ds = ds.assign_coords(answer=list(answers))
    ds["influence"] = variable(
        ("answer", "uncertain"), np.stack([shares for shares, _ in found]), "1", "share of the variance (of ranks)"
    )
    explained = [total for _, total in found]
    ds["explained"] = variable(("answer",), explained, "1", "share of the variance that a sum explains")
    return ds


def _answers(ds: xr.Dataset, kept: list[Draw]) -> dict[str, Floats]:
    """What is asked where its spread comes from."""
    found = {}
    if "resistance_draw" in ds:
        found["resistance"] = ds.resistance_draw.values
    for k, name in enumerate(ds.element.values):
        if np.isfinite(ds.junction_capacitance.values[k]):
            found[f"capacitance of {name}"] = ds.junction_capacitance_draw.values[:, k]
    if "resistance_draw" in ds:
        shares = ds.element_share.values
        large = [k for k in np.argsort(-shares) if MINOR < shares[k] < 1 - MINOR]
        found |= {f"resistance of {ds.element.values[k]}": ds.element_resistance_draw.values[:, k] for k in large}
    found["voltage"] = np.array([draw.answer.voltage for draw in kept])
    found["potential across the stack"] = np.array([np.ptp(draw.answer.potential) for draw in kept])
    return {name: values for name, values in found.items() if _spreads(values)}


def _spreads(values: Floats) -> bool:
    """Whether an answer differs from draw to draw by more than meshes make it."""
    _, low, middle, high, _ = quantiles(values)
    return bool(high - low > EVEN * abs(middle))  # not where there are too few
