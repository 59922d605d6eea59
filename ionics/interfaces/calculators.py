"""Energies by name: the field of this package, machine-learned potentials, or anybody's ASE calculator."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes

from ionics.interfaces.errors import AtomsError, MissingExtra

FIELD = "bond-valence"
NAMES = (FIELD, "chgnet", "chgnet-r2scan", "sevenn")


@dataclass(frozen=True)
class Recipe:
    """How to make a calculator: small, picklable, so that every worker process makes its own."""

    name: str  # one of NAMES, or package.module:Class
    threads: int = 1  # of a machine-learned potential

    def __call__(self) -> BaseCalculator:
        return calculator(self.name, self.threads)


def calculator(name: str | BaseCalculator, threads: int = 1) -> BaseCalculator:
    """The ASE calculator called `name`: one of NAMES, 'package.module:Class', or a calculator itself.

    `threads` of a machine-learned potential: on a busy machine more than one loses severalfold (docs: energies.md).
    """
    if not isinstance(name, str):
        return _checked(name)
    if name == FIELD:
        from ionics.interfaces.field import BondValenceField

        return BondValenceField()
    if name.startswith("chgnet"):
        return _chgnet(name, threads)
    if name == "sevenn":
        return _sevenn(threads)
    return _foreign(name)


def describe(calc: BaseCalculator) -> str:
    """Name and version of a calculator, for the source of a number."""
    return str(getattr(calc, "description", None) or _package(calc))


class Ensemble(Calculator):
    """The mean of several calculators; `spread` says how far they disagree.

    After a calculation `results` holds the mean energy, forces and, where all give it, stress, and `energy_spread`
    [eV] and `forces_spread` [eV/angstrom], (atoms,): standard deviations over the members. Energies of unlike models
    have unlike zeros: take differences of whole ensembles by `energies`, one per member.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, members: Sequence[BaseCalculator]):
        super().__init__()
        if len(members) < 2:
            raise AtomsError(f"an ensemble of {len(members)} calculator has no spread", "give two or more calculators")
        self.members = tuple(members)
        self.description = "mean of " + ", ".join(describe(member) for member in members)

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        energies, forces, stresses = [], [], []
        for member in self.members:
            energies.append(member.get_potential_energy(self.atoms))
            forces.append(member.get_forces(self.atoms))
            if "stress" in properties:
                stresses.append(member.get_stress(self.atoms))
        mean = float(np.mean(energies))
        self.results = {"energy": mean, "free_energy": mean, "forces": np.mean(forces, axis=0)}
        self.results["energy_spread"] = float(np.std(energies, ddof=1))
        self.results["forces_spread"] = np.sqrt(np.sum(np.var(forces, axis=0, ddof=1), axis=1))
        if stresses:
            self.results["stress"] = np.mean(stresses, axis=0)

    def energies(self, atoms) -> np.ndarray:
        """Energy [eV] by every member, (members,)."""
        return np.array([member.get_potential_energy(atoms) for member in self.members])


class Chgnet(Calculator):
    """CHGNet without its chatter, and without stress and magnetic moments until somebody asks: a third of the time."""

    implemented_properties = ["energy", "free_energy", "forces", "stress", "magmoms"]  # noqa: RUF012

    def __init__(self, inner, description: str):
        super().__init__()
        self.inner, self.description = inner, description
        self.asked: set[str] = set()

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        self.asked |= set(properties)
        task = "efsm" if "magmoms" in self.asked else "efs" if "stress" in self.asked else "ef"
        self.inner.results = {}
        with quiet():
            self.inner.calculate(self.atoms, list(properties), list(system_changes), task=task)
        self.results = {key: value for key, value in self.inner.results.items() if key in self.implemented_properties}
        self.results = {key: float(v) if np.ndim(v) == 0 else np.asarray(v, float) for key, v in self.results.items()}
        if "stress" in self.results:
            self.results["stress"] = _voigt(self.results["stress"])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what libraries print and warn about while they load or run."""
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _chgnet(name, threads):
    models = {"chgnet": "0.3.0", "chgnet-r2scan": "r2scan"}
    if name not in models:
        raise AtomsError(f"there is no calculator '{name}'", _valid())
    _needs("chgnet", "mlip", f"the calculator '{name}'")
    _limit(threads)
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    with quiet():
        model = CHGNet.load(model_name=models[name], use_device="cpu", verbose=False)
        inner = CHGNetCalculator(model, use_device="cpu", on_isolated_atoms="ignore")
    return Chgnet(inner, f"CHGNet {models[name]} (chgnet {_version('chgnet')})")


def _sevenn(threads):
    _needs("sevenn", "mlip", "the calculator 'sevenn'")
    _limit(threads)
    with quiet():
        from sevenn.calculator import SevenNetCalculator  # pyright: ignore[reportMissingImports]

        inner = SevenNetCalculator("7net-0", device="cpu")
    inner.description = f"SevenNet-0 (sevenn {_version('sevenn')})"
    return inner


def _foreign(name):
    """The calculator at a dotted path, package.module:Class, made without arguments."""
    module, colon, attribute = name.partition(":")
    if not colon or not attribute.isidentifier():
        raise AtomsError(f"there is no calculator '{name}'", _valid())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise AtomsError(f"the calculator '{name}' cannot be imported: {error}", "install its package") from error
    except AttributeError as error:
        raise AtomsError(f"the module {module} has no {attribute}", _valid()) from error
    try:
        with quiet():
            made = found()
    except TypeError as error:
        hint = "give the path of a function or class that needs no arguments"
        raise AtomsError(f"'{name}' cannot be made without arguments: {error}", hint) from error
    return _checked(made)


def _checked(calc):
    if all(
        callable(getattr(calc, name, None)) for name in ("get_potential_energy", "get_forces", "calculation_required")
    ):
        return calc
    raise AtomsError(f"a {type(calc).__name__} is not an ASE calculator", _valid())


def _valid():
    return f"one of {', '.join(NAMES)}, 'package.module:Class', or an ASE calculator object"


def _voigt(stress):
    """xx, yy, zz, yz, xz, xy of a 3 x 3 tensor or of what is so written already."""
    return stress if stress.shape == (6,) else stress.flat[[0, 4, 8, 5, 2, 1]]


def _needs(package, extra, purpose):
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(package, extra, purpose)


def _limit(threads):
    import torch

    torch.set_num_threads(threads)


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _package(calc):
    root = type(calc).__module__.partition(".")[0]
    return f"{type(calc).__name__} ({root} {_version(root)})"
