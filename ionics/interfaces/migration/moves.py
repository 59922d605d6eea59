"""The distinct moves of an ion from site to site: by a vacancy, beside a second one, through voids, by a kick-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration.network import dimension
from ionics.interfaces.migration.sites import Place, Sites

VACANCY, DIVACANCY, INTERSTITIAL, INTERSTITIALCY = "vacancy", "divacancy", "interstitial", "interstitialcy"
MECHANISMS = (VACANCY, DIVACANCY, INTERSTITIAL, INTERSTITIALCY)
HOME = (0, 0, 0)

# How the places of a move read backwards: vacancy i, j; divacancy i, j and the empty k; interstitialcy void, site, void
BACKWARDS = {VACANCY: (1, 0), DIVACANCY: (1, 0, 2), INTERSTITIAL: (1, 0), INTERSTITIALCY: (2, 1, 0)}


@dataclass(frozen=True)
class Move:
    """One kind of move; `copies` are all of its equals by symmetry that start in one cell, the first is itself.

    Places of a vacancy and an interstitial: from, to. Of a divacancy: from, to, the second empty site. Of an
    interstitialcy: the void that the first ion leaves, the site from which it kicks out the second, the void to which
    that one goes.
    """

    mechanism: str
    label: str  # names of the places, 8d-4c, with ', ' and so on where two kinds of hop join the same sites
    places: tuple[Place, ...]
    distance: float  # angstrom, of the longest step
    copies: tuple[tuple[Place, ...], ...]

    @property
    def steps(self) -> tuple[tuple[Place, Place], ...]:
        """Which ion goes from where to where."""
        if self.mechanism == INTERSTITIALCY:
            return (self.places[0], self.places[1]), (self.places[1], self.places[2])
        return ((self.places[0], self.places[1]),)

    @property
    def ends(self) -> tuple[Place, Place]:
        """Where the defect (vacancy or interstitial) stands before and after, in whichever order."""
        return self.places[0], self.places[-1] if self.mechanism == INTERSTITIALCY else self.places[1]


def vacancy(sites: Sites, limit: float = 4.0, clear: float = 1.0) -> tuple[Move, ...]:
    """Hops of an ion into an empty neighbour site, up to `limit` [angstrom], the shortest first.

    If no hop that short joins up into a path through the crystal, the limit grows to the first at which one does
    (LiTi2(PO4)3: 6.0 angstrom). A hop over another full site (within `clear` of the line) is two hops, and left out.
    """
    reach = max(limit, _reach(sites, np.flatnonzero(sites.full)))
    return _distinct(sites, VACANCY, _hops(sites, sites.full, reach, clear))


def divacancy(sites: Sites, limit: float = 4.0, clear: float = 1.0) -> tuple[Move, ...]:
    """Hops of an ion into an empty site while one more site, within `limit` [angstrom] of either end, is empty too.

    Of equally long hops those come first whose second vacancy is nearest to both ends.
    """

    def found():
        for start, end in _hops(sites, sites.full, limit, clear):
            for beside in _near(sites, start[0], sites.full, limit):
                if beside != end:
                    yield start, end, beside  # beside the end: the same, read backwards

    return _distinct(sites, DIVACANCY, found())


def interstitial(sites: Sites, limit: float = 4.0, clear: float = 1.0) -> tuple[Move, ...]:
    """Hops of an extra ion from void to void, up to `limit` [angstrom], not through a full site."""
    _voids(sites)
    return _distinct(sites, INTERSTITIAL, _hops(sites, ~sites.full, limit, clear))


def interstitialcy(sites: Sites, limit: float = 4.0, angle: float = 100.0) -> tuple[Move, ...]:
    """Kick-outs: an ion in a void pushes one off its site into the next void; both steps up to `limit` [angstrom].

    The two voids are seen from the site at `angle` [degree] or more: a push goes forward.
    """
    _voids(sites)

    def found():
        for site in np.flatnonzero(sites.full):
            around = list(_near(sites, site, ~sites.full, limit))
            home = sites.position((int(site), HOME))
            for k, left in enumerate(around):
                for right in around[k + 1 :]:
                    if _angle(sites.position(left) - home, sites.position(right) - home) >= angle:
                        yield left, (int(site), HOME), right

    return _distinct(sites, INTERSTITIALCY, found())


def all_moves(sites: Sites, mechanisms: tuple[str, ...] = (VACANCY,), limit: float = 4.0) -> tuple[Move, ...]:
    """Distinct moves of the mechanisms asked for."""
    finders: dict[str, Callable] = {
        VACANCY: vacancy,
        DIVACANCY: divacancy,
        INTERSTITIAL: interstitial,
        INTERSTITIALCY: interstitialcy,
    }
    unknown = [m for m in mechanisms if m not in finders]
    if unknown:
        raise AtomsError(f"no migration mechanism is called {unknown[0]!r}", f"one of {', '.join(MECHANISMS)}")
    return tuple(move for mechanism in mechanisms for move in finders[mechanism](sites, limit))


def _voids(sites: Sites):
    if sites.full.all():
        raise AtomsError(
            "no voids among the sites, so no interstitial can move",
            "sites(structure, interstitials=True); if that finds none the structure is dense",
        )


def _near(sites: Sites, site: int, wanted: np.ndarray, limit: float) -> Iterator[Place]:
    """Places of the wanted sites within `limit` [angstrom] of a site in the home cell, nearest first."""
    lattice = sites.structure.lattice
    found = lattice.get_points_in_sphere(sites.points[wanted], sites.position((int(site), HOME)), limit)
    which = np.flatnonzero(wanted)
    rows = []
    for point, distance, index, *_ in found:
        if distance < 1e-3:
            continue
        cell = np.rint(point - sites.points[which[index]]).astype(int)
        rows.append((round(float(distance), 6), int(which[index]), (int(cell[0]), int(cell[1]), int(cell[2]))))
    for _, index, cell in sorted(rows):
        yield index, cell


def _hops(sites: Sites, wanted: np.ndarray, limit: float, clear: float) -> Iterator[tuple[Place, Place]]:
    for site in np.flatnonzero(wanted):
        around = list(_near(sites, site, sites.full, limit)) if clear > 0 else []
        for end in _near(sites, site, wanted, limit):
            if not _blocked(sites, (int(site), HOME), end, around, clear):
                yield (int(site), HOME), end


def _blocked(sites: Sites, start: Place, end: Place, around: list[Place], clear: float) -> bool:
    """Whether a full site stands within `clear` [angstrom] of the line between two places."""
    line = sites.position(end) - sites.position(start)
    for place in around:
        if place == end:
            continue
        arm = sites.position(place) - sites.position(start)
        along = float(arm @ line / (line @ line))
        if 0 < along < 1 and np.linalg.norm(arm - along * line) < clear:
            return True
    return False


def _apart(sites: Sites, one: Place, other: Place) -> float:
    return float(np.linalg.norm(sites.position(one) - sites.position(other)))


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _home(places: tuple[Place, ...]) -> tuple[Place, ...]:
    """The same places shifted by lattice vectors so that the first stands in the home cell."""
    base = np.array(places[0][1])
    return tuple((i, tuple(int(x) for x in np.array(cell) - base)) for i, cell in places)  # pyright: ignore


def _key(places: tuple[Place, ...], mechanism: str) -> tuple[Place, ...]:
    """One name for a move and its reverse, wherever they start."""
    return min(_home(places), _home(tuple(places[i] for i in BACKWARDS[mechanism])))


def _distinct(sites: Sites, mechanism: str, found) -> tuple[Move, ...]:
    """Moves up to symmetry, lattice translation and reversal, the shortest first."""
    classes: list[list[tuple[Place, ...]]] = []
    known: set[tuple[Place, ...]] = set()
    for places in found:
        key = _key(places, mechanism)
        if key in known:
            continue
        copies = {
            _key(tuple(sites.image(o, place) for place in places), mechanism) for o in range(len(sites.rotations))
        }
        known |= copies
        classes.append([_home(places), *sorted(copies - {key})])
    moves = [_move(sites, mechanism, copies) for copies in classes]
    moves.sort(key=lambda move: (round(move.distance, 3), _spread(sites, move), move.label))
    return _primed(moves)


def _spread(sites: Sites, move: Move) -> float:
    """Distances of a second vacancy from both ends, together [angstrom]; 0 for other mechanisms."""
    if move.mechanism != DIVACANCY:
        return 0.0
    start, end, beside = move.places
    return round(_apart(sites, start, beside) + _apart(sites, end, beside), 3)


def _move(sites: Sites, mechanism: str, copies: list[tuple[Place, ...]]) -> Move:
    move = Move(mechanism, "", copies[0], 0.0, tuple(copies))
    names = [sites.names[i] for i, _ in move.places]
    label = "-".join(names[:2]) + f"+{names[2]}" if mechanism == DIVACANCY else "-".join(names)
    longest = max(_apart(sites, start, end) for start, end in move.steps)
    return Move(mechanism, label, move.places, longest, move.copies)


def _primed(moves: list[Move]) -> tuple[Move, ...]:
    """A prime for every further hop of the same label, in order of length."""
    seen: dict[str, int] = {}
    named = []
    for move in moves:
        ends = move.label
        count = seen[ends] = seen.get(ends, -1) + 1
        label = ends + "'" * count if count < 4 else f"{ends}({count + 1})"
        named.append(Move(move.mechanism, label, move.places, move.distance, move.copies))
    return tuple(named)


def _reach(sites: Sites, among: np.ndarray) -> float:
    """The shortest limit [angstrom] at which hops between the sites join up into an endless path."""
    wanted = np.zeros(len(sites.points), dtype=bool)
    wanted[among] = True
    longest = max(sites.structure.lattice.abc)
    rows = sorted(
        (_apart(sites, (int(i), HOME), end), (int(i), HOME), end)
        for i in among
        for end in _near(sites, i, wanted, longest)
    )
    lengths = np.unique(np.round([row[0] for row in rows], 3))
    for length in lengths:
        if dimension([(s, e) for d, s, e in rows if d <= length + 1e-3]):
            return float(length) + 1e-3
    return longest
