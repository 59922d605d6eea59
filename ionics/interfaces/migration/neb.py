"""Barriers by nudged elastic bands: improved tangent (Henkelman & Jonsson 2000, 10.1063/1.1323224), climbing image
(Henkelman, Uberuaga & Jonsson 2000, 10.1063/1.1329672), first guess by image-dependent pair potentials (Smidstrup et
al. 2014, 10.1063/1.4878664). The band itself is ASE's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as File

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.geometry import find_mic
from ase.mep import NEB
from ase.mep.neb import idpp_interpolate
from ase.optimize import BFGS, FIRE

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration import kept
from ionics.interfaces.migration.ends import Ends
from ionics.interfaces.migration.paths import Path

METHOD = "improvedtangent"
DENSE = 1500  # coordinates up to which a full Hessian (BFGS) pays; FIRE above


@dataclass(frozen=True)
class Barrier:
    """The way over a pass, as far as it was found; read `converged` before believing the numbers."""

    label: str
    mechanism: str
    forward: float  # eV, nan where no image was calculated
    backward: float  # eV
    energies: np.ndarray  # eV above the initial state, along the path, shape (images,)
    along: np.ndarray  # angstrom, distance gone by all atoms together, shape (images,)
    images: tuple[Atoms, ...]
    converged: bool
    message: str  # in words: converged after so many steps, or why not
    forces_max: float  # eV/angstrom, of the band
    spread: float | None = None  # eV, standard deviation of the forward barrier over several calculators

    @property
    def highest(self) -> float:
        """Saddle over the deeper of both ends [eV], what the data set of Devi et al. calls the barrier."""
        return max(self.forward, self.backward)


@dataclass(frozen=True)
class Settings:
    """How a band is stretched and when it is done."""

    images: int = 5  # between the ends
    fmax: float = 0.05  # eV/angstrom, of the band
    steps: int = 300  # of the band
    spring: float = 5.0  # eV/angstrom^2: as hard as ions are held; with ASE's 0.1 quasi-Newton steps may run away
    climb: bool = True
    end_fmax: float = 0.05  # eV/angstrom
    end_steps: int = 300


def neb(
    path: Path,
    calculator: Calculator,
    settings: Settings | None = None,
    fixed: np.ndarray | None = None,
    keep: File | None = None,
    ends: Ends | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Barrier:
    """The barrier along a path: ends relaxed, band relaxed, highest image climbing.

    `fixed`: mask of atoms that stay, shape (atoms,). `keep`: an extxyz file with the band as it stands after every
    step; if it exists the work goes on from there. `ends`: relaxed ends shared by several paths in one cell, with the
    same calculator and `fixed`. A calculator that fails does not raise: the result says so in words, with the images up
    to then, and those are kept as well.
    """
    settings = settings or Settings()
    band = _start(path, fixed, keep, settings, tell)
    if band.stage == kept.ENDS:
        try:
            band = _relax_ends(band, calculator, settings, ends or Ends(), tell)
        except Exception as error:  # a calculator may raise anything; what it left is kept
            kept.write(keep, band)
            return _told(path, band, f"the calculator failed while an end relaxed: {_words(error)}", np.nan)
        if _fallen(band, path):
            return _told(path, band, "no barrier: one end is no minimum, its ion fell back towards the other", np.nan)
        band = _guess(band, path, settings)
        kept.write(keep, band)
    return _stretch(path, band, calculator, settings, keep, tell)


def _start(path: Path, fixed, keep: File | None, settings: Settings, tell) -> kept.Band:
    band = kept.read(keep) if keep is not None and keep.exists() else None
    if band is not None:
        if list(band.images[0].symbols) != list(path.initial.symbols):
            raise AtomsError(
                f"{keep} holds a band of other atoms than {path.label}",
                "another file, or remove it to start anew",
            )
        tell(f"{path.label}: going on from {keep}")
        _hold(band.images, fixed)
        return band
    ends = [path.initial.copy(), path.final.copy()]
    _unwrap(ends)
    _hold(ends, fixed)
    return kept.Band(tuple(ends), np.full(2, np.nan), kept.ENDS)


def _hold(images: Sequence[Atoms], fixed: np.ndarray | None):
    for image in images:
        image.set_constraint(FixAtoms(mask=fixed) if fixed is not None else None)


def _unwrap(images: Sequence[Atoms]):
    """Move every atom of later images to the periodic copy nearest to where it was."""
    for before, image in itertools.pairwise(images):
        step, _ = find_mic(image.positions - before.positions, image.cell, image.pbc)
        image.positions = before.positions + step


def _relax_ends(band: kept.Band, calculator: Calculator, settings: Settings, known: Ends, tell) -> kept.Band:
    ends, energies = [], []
    for name, end in zip(("initial", "final"), band.images, strict=True):
        atoms = end.copy()
        found = known.find(atoms)
        if found is None:
            known.add(end, *_relaxed(atoms, calculator, settings, name, tell))
            found = known.find(end)
        assert found is not None
        atoms.set_positions(found[0], apply_constraint=False)
        ends.append(atoms)
        energies.append(found[1])
    _unwrap(ends)
    return replace(band, images=tuple(ends), energies=np.array(energies))


def _relaxed(atoms: Atoms, calculator: Calculator, settings: Settings, name: str, tell) -> tuple[Atoms, float]:
    atoms.calc = calculator
    kind = BFGS if 3 * len(atoms) <= DENSE else FIRE
    search = kind(atoms, logfile=None, maxstep=0.1)
    done = search.run(fmax=settings.end_fmax, steps=settings.end_steps)
    energy = float(atoms.get_potential_energy())
    tell(f"{name} end: {search.nsteps} steps, {energy:.4f} eV" + ("" if done else ", not converged"))
    return atoms, energy


def _fallen(band: kept.Band, path: Path) -> bool:
    """Whether the relaxed ends are (nearly) one state: the moving ions are closer than a third of their way."""
    moving = list(path.moving)
    step, length = find_mic(band.images[-1].positions - band.images[0].positions, path.initial.cell, path.initial.pbc)
    del step
    return bool(length[moving].max() < path.distance / 3)


def _guess(band: kept.Band, path: Path, settings: Settings) -> kept.Band:
    """Images between relaxed ends: straight, or by the path's middle, then spread by pair distances."""
    first, last = band.images
    images = [first, *(first.copy() for _ in range(settings.images)), last]
    across, _ = find_mic(last.positions - first.positions, first.cell, first.pbc)
    bend = np.zeros_like(across)
    if path.middle is not None:
        half = path.initial.positions + 0.5 * (path.final.positions - path.initial.positions)
        bend, _ = find_mic(path.middle - half, first.cell, first.pbc)
    for k, image in enumerate(images[1:-1], start=1):
        part = k / (settings.images + 1)
        image.set_positions(first.positions + part * across + 4 * part * (1 - part) * bend, apply_constraint=False)
    _ease(images)
    unknown = np.full(settings.images, np.nan)
    energies = np.concatenate([band.energies[:1], unknown, band.energies[1:]])
    return kept.Band(tuple(image.copy() for image in images), energies, kept.BAND)


def _ease(images: list[Atoms]):
    """IDPP; its own band also runs with the improved tangent."""
    band = NEB(images, method=METHOD, allow_shared_calculator=True)
    idpp_interpolate(band, traj=None, log=None, fmax=0.1, mic=True, steps=100)
    for image in images:
        image.calc = None


def _stretch(path, band: kept.Band, calculator: Calculator, settings: Settings, keep: File | None, tell) -> Barrier:
    images = [image.copy() for image in band.images]
    for end, energy in ((0, band.energies[0]), (-1, band.energies[-1])):
        images[end].calc = SinglePointCalculator(images[end], energy=energy, forces=np.zeros((len(images[0]), 3)))
    for image in images[1:-1]:
        image.calc = calculator
    chain = _Chain(images, k=settings.spring, climb=False, method=METHOD, allow_shared_calculator=True)
    watch = _Watch(path.label, chain, band, keep, tell)
    try:
        watch.run(settings)
    except Exception as error:
        return _told(path, watch.band, f"the calculator failed after {watch.steps} steps: {_words(error)}", watch.force)
    if watch.force <= settings.fmax and _valley(watch.band.energies):
        inner, ends = watch.band.energies[1:-1].min(), watch.band.energies[[0, -1]].min()
        message = (
            "no image stands above both ends: the way leads through a deeper state; ask for more images, or split it"
            if inner < ends
            else "no image stands above both ends: the way only climbs, and its upper end is hardly a site of its own"
        )
        return _told(path, watch.band, message, watch.force)
    if watch.force <= settings.fmax:
        return _told(path, watch.band, f"converged after {watch.steps} steps", watch.force, converged=True)
    message = (
        f"not converged in {watch.steps} steps: forces up to {watch.force:.3f} eV/angstrom, asked for {settings.fmax}"
    )
    return _told(path, watch.band, message, watch.force)


def _valley(energies: np.ndarray) -> bool:
    """Whether all images lie below the higher end [eV]: then no pass was found."""
    return bool(energies[1:-1].max() <= max(energies[0], energies[-1]))


class _Chain(NEB):
    """ASE's band with two things more: it asks the calculator only where the images moved (ASE's optimisers ask for
    forces twice a step), and knows the largest force on any image (ASE's residual leaves the climbing one out)."""

    force = np.inf  # eV/angstrom
    _known: tuple[bool, np.ndarray, np.ndarray] | None = None

    def get_forces(self):
        positions = self.get_positions()
        if self._known is not None and self._known[0] == self.climb and np.array_equal(self._known[1], positions):
            return self._known[2].copy()
        forces = super().get_forces()
        self.force = float(np.linalg.norm(forces.reshape(-1, 3), axis=1).max())
        self._known = (self.climb, positions.copy(), forces.copy())
        return forces


class _Watch:
    """One run of a band: loose first, then climbing; writes the band down after every step."""

    def __init__(self, label: str, chain: _Chain, band: kept.Band, keep: File | None, tell):
        self.label, self.chain, self.band, self.keep, self.tell = label, chain, band, keep, tell
        self.steps, self.force = 0, np.inf

    def run(self, settings: Settings):
        if settings.climb:
            if self.band.stage != kept.CLIMB:
                self._go(max(0.2, 4 * settings.fmax), settings.steps)
            self.chain.climb = True
            self.band = replace(self.band, stage=kept.CLIMB)
        self._go(settings.fmax, settings.steps)

    def _go(self, fmax: float, most: int):
        if self.steps >= most:
            return
        size = 3 * len(self.chain.images[0]) * (len(self.chain.images) - 2)
        kind = BFGS if size <= DENSE else FIRE
        search = kind(self.chain, logfile=None, maxstep=0.1)
        for _ in search.irun(fmax=0.0, steps=most):
            self._note()
            if self.force <= fmax or self.steps >= most:
                break

    def _note(self):
        self.steps += 1
        self.force = self.chain.force
        images = tuple(image.copy() for image in self.chain.images)
        self.band = replace(self.band, images=images, energies=self.chain.energies.copy())
        kept.write(self.keep, self.band)
        rise = self.band.energies.max() - self.band.energies[0]
        self.tell(f"{self.label}: step {self.steps}, {rise:.3f} eV, force {self.force:.3f} eV/angstrom")


def _told(path: Path, band: kept.Band, message: str, force: float, converged: bool = False) -> Barrier:
    images, energies = band.images, np.asarray(band.energies, dtype=float)
    known = np.isfinite(energies)
    top = energies[1:-1].max() if known.all() and len(energies) > 2 else np.nan
    top = max(top, energies[0], energies[-1]) if np.isfinite(top) else top
    forward, backward = float(top - energies[0]), float(top - energies[-1])
    return Barrier(
        path.label, path.mechanism, forward, backward, energies - energies[0], travelled(images), tuple(images),
        converged, message, float(force),
    )  # fmt: skip


def travelled(images: Sequence[Atoms]) -> np.ndarray:
    """Length of the way up to each image [angstrom], all atoms together, shape (images,)."""
    steps = [0.0]
    for before, after in itertools.pairwise(images):
        step, _ = find_mic(after.positions - before.positions, after.cell, after.pbc)
        steps.append(float(np.linalg.norm(step)))
    return np.cumsum(steps)


def with_spread(barrier: Barrier, calculators: Sequence[Calculator]) -> Barrier:
    """The same barrier with the standard deviation [eV] of its height over further calculators on the same images."""
    if not calculators:
        raise AtomsError("a spread needs at least one further calculator", "another model of the same kind of atoms")
    heights = [barrier.forward]
    for calculator in calculators:
        energies = []
        for image in barrier.images:
            atoms = image.copy()
            atoms.calc = calculator
            energies.append(atoms.get_potential_energy())
        heights.append(max(energies) - energies[0])
    return replace(barrier, spread=float(np.std(heights, ddof=1)))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
