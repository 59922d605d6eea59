"""Molecular dynamics of ions (ASE, Langevin) on disk, so that it can be stopped and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.constraints import FixAtoms
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

from ionics.interfaces.errors import AtomsError


@dataclass(frozen=True)
class Run:
    """Frames of a run at one temperature. Positions are unwrapped: an ion that left the cell goes on outside."""

    atoms: Atoms  # the first frame
    positions: np.ndarray  # angstrom, shape (frames, atoms, 3)
    interval: float  # ps between frames
    temperature: float  # K, asked for
    measured: float  # K, mean over the second half
    message: str  # 'complete', or how far it came and why not further

    @property
    def time(self) -> float:
        """From first to last frame [ps]."""
        return self.interval * (len(self.positions) - 1)


@dataclass(frozen=True)
class Settings:
    """Of one run."""

    time: float = 20.0  # ps
    step: float = 1.0  # fs
    every: int = 20  # steps between frames kept
    friction: float = 0.01  # 1/fs; the thermostat forgets a velocity within 1/friction
    seed: int = 0


def run(
    atoms: Atoms,
    calculator: Calculator,
    temperature: float,
    keep: File,
    settings: Settings | None = None,
    fixed: np.ndarray | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Run:
    """Dynamics at a temperature [K]; frames go to the trajectory file `keep`, and a run that was stopped goes on there.

    `fixed`: mask of atoms that stay, shape (atoms,). A calculator that fails ends the run with its frames so far and
    words in `message`.
    """
    settings = settings or Settings()
    _check(temperature, settings)
    done, last = _stored(keep, atoms)
    frames = round(settings.time * 1000 / settings.step / settings.every) + 1
    message = "complete"
    try:
        if done < frames:
            _go_on(last, atoms, calculator, temperature, keep, settings, fixed, frames - done, done, tell)
    except Exception as error:  # a calculator may raise anything; the frames up to here are kept
        stored, _ = _stored(keep, atoms)
        message = f"stopped after {stored} of {frames} frames: {type(error).__name__}: {error}"
    return _told(keep, temperature, settings, fixed, message)


def _check(temperature: float, settings: Settings):
    if not temperature > 0:
        raise AtomsError(f"a temperature of {temperature} K", "above 0 K")
    if settings.step <= 0 or settings.every < 1 or settings.time <= 0:
        raise AtomsError(
            "time, step and frames of the dynamics must be positive", "time in ps, step in fs, every in steps"
        )


def _stored(keep: File, atoms: Atoms) -> tuple[int, Atoms | None]:
    """How many frames are on disk, and the last of them."""
    if not keep.exists() or keep.stat().st_size == 0:
        return 0, None
    with TrajectoryReader(keep) as frames:
        if not len(frames):
            return 0, None
        last = frames[len(frames) - 1]
        assert isinstance(last, Atoms)
        if list(last.symbols) != list(atoms.symbols):
            raise AtomsError(f"{keep} holds a run of other atoms", "another file, or remove it to start anew")
        return len(frames), last


def _go_on(last, atoms, calculator, temperature, keep: File, settings: Settings, fixed, more: int, done: int, tell):
    moving = (last if last is not None else atoms).copy()
    moving.set_constraint(FixAtoms(mask=fixed) if fixed is not None else None)
    random = np.random.default_rng((settings.seed, done))
    if last is None:
        MaxwellBoltzmannDistribution(moving, temperature_K=temperature, rng=random)
        if fixed is None:
            Stationary(moving)
    moving.calc = calculator
    motion = Langevin(
        moving, settings.step * units.fs, temperature_K=temperature, friction=settings.friction / units.fs,
        rng=random, fixcm=False,
    )  # fmt: skip
    keep.parent.mkdir(parents=True, exist_ok=True)
    with TrajectoryWriter(keep, "a") as frames:
        if last is None:
            frames.write(moving)
            more -= 1
        for frame in range(more):
            motion.run(settings.every)
            frames.write(moving)
            if frame % max(1, more // 10) == 0:
                tell(f"{temperature:g} K: {done + frame + 1} frames, {moving.get_temperature():.0f} K")


def _told(keep: File, temperature: float, settings: Settings, fixed, message: str) -> Run:
    with TrajectoryReader(keep) as frames:
        stored = [frame for frame in frames if isinstance(frame, Atoms)]
    positions = np.array([frame.positions for frame in stored])
    free = np.ones(len(stored[0]), dtype=bool) if fixed is None else ~fixed
    kinetic = [frame.get_kinetic_energy() for frame in stored[len(stored) // 2 :]]
    measured = 2 * float(np.mean(kinetic)) / (3 * free.sum() * units.kB)
    first = stored[0].copy()
    first.set_constraint()
    return Run(first, positions, settings.step * settings.every / 1000, temperature, measured, message)
