"""What `ionics interface` is asked: two crystals, how they may be joined, and what the junction hands to a stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ionics.config import units
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    Frequency,
    Length,
    MolarEnergy,
    OpenFraction,
    Permittivity,
    Position,
    PositiveRatio,
    Quantity,
    Share,
    Temperature,
    Time,
    Voltage,
)
from ionics.config.units import Dimension
from ionics.constants import AVOGADRO, ELEMENTARY_CHARGE

Force = Annotated[float, Quantity(Dimension("a force", "N", "0.05 eV/angstrom"), above=0)]
MatchArea = Annotated[float, Quantity(Dimension("an area", "m^2", "150 angstrom^2"), above=0)]
Plane = tuple[int, int, int]
ANGSTROM = 1e-10  # m
EV_PER_ANGSTROM = ELEMENTARY_CHARGE / ANGSTROM  # N
EV = ELEMENTARY_CHARGE * AVOGADRO  # J/mol


class Order(Mapping):
    """How partly occupied sites become an ordered cell."""

    supercell: tuple[int, int, int] = Field((1, 1, 1), description="Of the conventional cell.")
    primitive: bool = Field(False, description="Order the primitive cell and repeat it in the given one.")
    shared: bool = Field(False, description="A species may move between all its partly occupied sites.")
    closest: Length = Field(2 * ANGSTROM, description="Ions of partly occupied sites stand no nearer.")
    seed: int = Field(0, description="Of the sample, where there are too many orderings.", ge=0)


class Measured(Mapping):
    """A measured open-circuit voltage, to which the model's lithium chemical potential is shifted."""

    potential: Voltage = Field(description="Against Li/Li+.", examples=["3.93 V"])
    uncertainty: Annotated[float, Quantity(units.VOLTAGE, above=0)] = Field(
        0.02, description="One standard deviation.", examples=["20 mV"]
    )
    source: str = Field(description="Citation.", examples=["doi 10.1149/1.2221184"], min_length=1)
    occupancy: tuple[Share, Share] = Field(
        (0.9, 1.0), description="Shares of filled lithium sites between which it was measured."
    )


class Electrode(Mapping):
    """A host that takes and gives lithium with its electron."""

    occupancy: OpenFraction = Field(description="Share of its lithium sites filled in the stack.", examples=["0.95"])
    open_circuit: Measured | None = Field(
        None,
        description="Without it no lithium chemical potential is handed over.",
        examples=["{potential: 3.93 V, source: doi ...}"],
    )


class Crystal(Mapping):
    """One of the two crystals."""

    structure: str = Field(
        description="A curated phase, or a file with one structure, seen from this file (CIF, POSCAR, anything ASE "
        "reads).",
        examples=["LiCoO2"],
    )
    planes: list[Plane] | None = Field(
        None, description="Miller indices in the conventional cell; left out: those up to max_index.",
        examples=["[[1, 0, 4]]"],
    )  # fmt: skip
    max_index: int = Field(1, description="Highest Miller index tried.", ge=1, le=4)
    thickness: Length = Field(8 * ANGSTROM, description="Of the slab, at least.", examples=["8 angstrom"])
    oxidation_states: dict[str, float] = Field({}, description="By element, where the file says none.")
    order: Order | None = Field(None, description="What to do with partly occupied sites.")
    electrode: Electrode | None = Field(
        None, description="Left out: an electrolyte, or lithium metal.", examples=["{occupancy: 0.95}"]
    )
    permittivity: Permittivity = Field(10.0, description="Static, relative.", examples=["10"])
    directions: int = Field(4, description="Jumps a lithium can choose from.", ge=1, le=24)

    @model_validator(mode="after")
    def _real_planes(self):
        for i, plane in enumerate(self.planes or ()):
            if not any(plane):
                raise wrong(f"plane {i + 1} is (0 0 0)", "Miller indices, e.g. [[1, 0, 4]]", "planes")
        if self.planes == []:
            raise wrong("no plane is given", "Miller indices, e.g. [[1, 0, 4]], or delete the line", "planes")
        return self


class Matching(Mapping):
    """Which cells of the two planes may be laid on each other."""

    area: MatchArea = Field(200 * ANGSTROM**2, description="Of the common cell, at most.")
    strain: Annotated[float, Quantity(Dimension("a dimensionless number", "", "5 %"), above=0, below=0.5)] = Field(
        0.05, description="Largest principal strain of either crystal.", examples=["5 %"]
    )
    atoms: int = Field(200, description="In the cell with both slabs, at most.", ge=4)
    open_corners: int = Field(
        1,
        description="Corners that a polyhedron such as TiO6 may miss at a face; covalent units miss none.",
        ge=0,
        le=5,
    )
    keep: int = Field(3, description="So many of the ranked candidates are searched.", ge=1)


class Search(Mapping):
    """How the junction is looked for, by the bond-valence field first."""

    method: Literal["random", "genetic", "swarm"] = Field("genetic", description="How the next structure is chosen.")
    calls: int = Field(300, description="Energies of the field, for each candidate.", ge=4)
    population: int = Field(16, description="Structures a generation.", ge=4)
    depth: Position = Field(0.0, description="Atoms so near to the plane are moved one by one too.")
    refine: int = Field(2, description="So many of the best go to the model.", ge=1)
    seed: int = Field(1, description="The same seed finds the same structures.", ge=0)


class Relaxation(Mapping):
    """When the atoms are at rest."""

    force: Force = Field(0.1 * EV_PER_ANGSTROM, description="Largest force left.", examples=["0.1 eV/angstrom"])
    steps: int = Field(100, description="At most.", ge=1)
    fixed: Length = Field(2 * ANGSTROM, description="Of both free surfaces, that stays where it is.")


class Migration(Mapping):
    """Hops of lithium into a vacancy, near the plane and across it."""

    hops: int = Field(2, description="Within the slabs, at even distances from the plane; beside them", ge=0)
    across: int = Field(1, description="so many of the shortest over the plane.", ge=0)
    longest: Length = Field(4 * ANGSTROM, description="Of a hop within a slab.")
    images: int = Field(3, description="Between the ends.", ge=1)
    force: Force = Field(0.1 * EV_PER_ANGSTROM, description="Largest force left.", examples=["0.1 eV/angstrom"])
    steps: int = Field(60, description="At most, of each path.", ge=1)
    error: MolarEnergy = Field(
        0.2 * EV, description="Of the model, one standard deviation of its barriers.", examples=["0.2 eV"]
    )
    model: str | None = Field(None, description="Left out: that of the interface.")


class Defects(Mapping):
    """Vacancies and interstitials against the distance from the plane, of ions in the bond-valence field."""

    sites: int = Field(6, description="So many of each kind in each slab, at even distances.", ge=2)
    force: Force = Field(0.1 * EV_PER_ANGSTROM, description="Largest force left.", examples=["0.1 eV/angstrom"])
    steps: int = Field(150, description="Of each relaxation, at most.", ge=1)
    error: MolarEnergy = Field(
        0.6 * EV, description="Of the field, one standard deviation of the energy of a lone ion.", examples=["0.6 eV"]
    )
    pair_error: MolarEnergy = Field(
        0.3 * EV, description="Of the model, one standard deviation of the energy of a pair.", examples=["0.3 eV"]
    )


class Dynamics(Mapping):
    """Molecular dynamics of the junction."""

    temperatures: list[Temperature] = Field(description="One run each.", examples=["[800 K, 1000 K]"], min_length=1)
    time: Time = Field(1e-11, description="Of each run.", examples=["10 ps"])
    step: Time = Field(1e-15, description="Of the integration.", examples=["1 fs"])
    seed: int = Field(1, ge=0)


class Energies(Mapping):
    """What the junction costs and what it becomes."""

    exchange: list[tuple[str, str]] = Field([], description="Cations that may change sides.", examples=["[[Co, P]]"])
    pairs: int = Field(1, description="Of each exchange, those nearest to each other.", ge=1)
    lithium: bool = Field(True, description="Interface energy against the lithium chemical potential.")
    entries: str | None = Field(
        None, description="JSON of computed entries for the reaction products, or materials-project; left out: the "
        "curated phases, by the model.", examples=["entries.json"],
    )  # fmt: skip


class Handover(Mapping):
    """The stack that is written, and what atoms do not say."""

    thickness: Length = Field(20e-9, description="Of each layer.", examples=["20 nm"])
    attempt_frequency: Frequency = Field(1e13, description="Of hops, known within a factor of 3.", examples=["10 THz"])
    permittivity_factor: PositiveRatio = Field(1.3, description="Within which the permittivities are known.")
    step: Voltage | None = Field(
        None, description="Potential right less left that the space charges share, instead of that of the defects.",
        examples=["{value: 1.62 V, uncertainty: 0.1 V, source: doi ...}"],
    )  # fmt: skip
    formation_energy: MolarEnergy | None = Field(
        None, description="Of one defect of the electrolyte, instead of a computed pair.",
        examples=["{value: 0.9 eV, uncertainty: 0.1 eV, source: doi ...}"],
    )  # fmt: skip


class InterfaceQuestion(Mapping):
    """Two crystals, and what is to be known of their junction."""

    left: Crystal = Field(examples=["{structure: LiCoO2}"])
    right: Crystal = Field(examples=["{structure: gamma-Li3PO4}"])
    match: Matching = Field(Matching(), description="How the cells are joined.")
    model: str = Field(
        "chgnet", description="Energies: bond-valence, chgnet, chgnet-r2scan, sevenn, or package.module:Class."
    )
    second_model: str | None = Field(None, description="A second opinion: its difference widens the uncertainties.")
    search: Search = Field(Search(), description="Of registry, gap and atoms near the plane.")
    relax: Relaxation = Field(Relaxation(), description="Of the best, by the model.")
    migration: Migration | None = Field(None, description="Barriers of lithium.")
    defects: Defects | None = Field(None, description="Formation energies of lithium defects.")
    dynamics: Dynamics | None = Field(None, description="Molecular dynamics.")
    energies: Energies = Field(Energies(), description="Adhesion, exchange, reactions.")
    handover: Handover = Field(Handover(), description="The stack that is written.")
    workers: int = Field(1, description="Processes.", ge=1, le=256)
