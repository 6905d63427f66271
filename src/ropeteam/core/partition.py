"""Files shared out among units: about equal work in each, and what builds on each other together.

Everything is by index. What is made small is the expected end of the slowest unit: its reading-in, its work, and the
mending of what builds on a file of another unit without anybody knowing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ropeteam.core.costs import Costs
from ropeteam.core.simulate import Work

SHARPNESS: Final = 6.0
"""Of the mean that stands for the slowest unit: as it is, the second slowest counts too, and may become the slowest."""
PASSES: Final = 12
BIG: Final = 400
"""From so many files on fewer passes are made."""


class Links(NamedTuple):
    """Hazards (-log of the probability that there is none) of dependencies: of each file on others, and on it."""

    on: tuple[dict[int, float], ...]
    by: tuple[dict[int, float], ...]


def links(work: Work) -> Links:
    on: tuple[dict[int, float], ...] = tuple({} for _ in work.seconds)
    by: tuple[dict[int, float], ...] = tuple({} for _ in work.seconds)
    for i, j, likely in work.edges:
        hazard = -math.log1p(-min(likely, 0.99))
        on[i][j] = hazard
        by[j][i] = hazard
    return Links(on, by)


class Shares:
    """Which unit each file is in, with what follows from it. declared: files that a contract speaks for."""

    def __init__(
        self, atoms: Sequence[Sequence[int]], work: Work, known: Links, costs: Costs, declared: frozenset[int]
    ) -> None:
        self.work, self.known, self.costs, self.declared = work, known, costs, declared
        self.atoms = atoms
        self.unit = [0] * len(work.seconds)
        self.count = 0
        self.load: list[float] = []
        self.hazard: list[float] = []

    def place(self, bins: Sequence[Iterable[int]]) -> None:
        """bins: indices of atoms of each unit."""
        self.count = len(bins)
        self.load = [0.0] * self.count
        for number, held in enumerate(bins):
            for atom in held:
                for file in self.atoms[atom]:
                    self.unit[file] = number
                    self.load[number] += self.work.seconds[file]
        self.hazard = [0.0] * self.count
        for i, others in enumerate(self.known.on):
            for j, hazard in others.items():
                if self.unit[i] != self.unit[j]:
                    self.hazard[self.unit[i]] += hazard * self.weight(j)

    def weight(self, j: int) -> float:
        return self.costs.contract_misses if j in self.declared else 1.0

    def total(self, loads: Sequence[float], hazards: Sequence[float]) -> float:
        """Expected seconds until the slowest unit and all mending is done. Units that probably have nothing to mend
        end with their work; the others begin to mend when what they build on is there, about halfway between their own
        end and the last one."""
        costs = self.costs
        most = max(loads)
        slowest = most * math.pow(sum([math.pow(load / most, SHARPNESS) for load in loads]), 1.0 / SHARPNESS)
        later = []
        for load, hazard in zip(loads, hazards, strict=True):
            if hazard > 1e-4:
                end = (load + slowest) / 2 + costs.repair_seconds + costs.repair_share * load
                later.append((end, math.exp(-hazard)))
        later.sort(reverse=True)
        expected, none = 0.0, 1.0
        for end, clean in later:
            if end <= slowest:
                break
            expected += none * (1.0 - clean) * end
            none *= clean
        return costs.reading_seconds + expected + none * slowest

    def moved(self, atom: int, to: int) -> tuple[list[float], list[float]]:
        """Loads and hazards with that atom in that unit."""
        loads, hazards = list(self.load), list(self.hazard)
        here = self.unit[self.atoms[atom][0]]
        inside = set(self.atoms[atom])
        for file in inside:
            loads[here] -= self.work.seconds[file]
            loads[to] += self.work.seconds[file]
            for j, hazard in self.known.on[file].items():
                if j in inside:
                    continue
                hazard *= self.weight(j)
                if self.unit[j] != here:
                    hazards[here] -= hazard
                if self.unit[j] != to:
                    hazards[to] += hazard
            weight = self.weight(file)
            for i, hazard in self.known.by[file].items():
                if i in inside:
                    continue
                there = self.unit[i]
                if there == here:
                    hazards[here] += hazard * weight
                elif there == to:
                    hazards[to] -= hazard * weight
        return loads, hazards

    def improve(self) -> None:
        """Move single atoms, then swap pairs, as long as that makes it better."""
        best = self.total(self.load, self.hazard)
        order = sorted(range(len(self.atoms)), key=lambda a: -sum(self.work.seconds[f] for f in self.atoms[a]))
        for _ in range(PASSES if len(self.atoms) < BIG else 2):
            before = best
            for atom in order:
                best = self._improved(atom, best)
            if best >= before * 0.9999:
                break

    def _improved(self, atom: int, best: float) -> float:
        here = self.unit[self.atoms[atom][0]]
        for to in self._targets(atom, here):
            loads, hazards = self.moved(atom, to)
            value = self.total(loads, hazards)
            if value < best * 0.99999:
                best, self.load, self.hazard = value, loads, hazards
                for file in self.atoms[atom]:
                    self.unit[file] = to
                here = to
        return best

    def _targets(self, atom: int, here: int) -> list[int]:
        if self.count <= 8:
            return [n for n in range(self.count) if n != here]
        near = {self.unit[o] for f in self.atoms[atom] for o in (*self.known.on[f], *self.known.by[f])}
        near.add(min(range(self.count), key=self.load.__getitem__))
        return sorted(near - {here})

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Files of each unit that has any, in order."""
        found: list[list[int]] = [[] for _ in range(self.count)]
        for file, number in enumerate(self.unit):
            found[number].append(file)
        return tuple(tuple(files) for files in found if files)


def shared_out(
    atoms: Sequence[Sequence[int]],
    work: Work,
    known: Links,
    costs: Costs,
    units: int,
    declared: frozenset[int] = frozenset(),
    slack: float = 1.1,
) -> Shares:
    """atoms: files that stay together. What builds on each other most is put together until a unit has its share of the
    work; these clusters are packed, the largest first, where there is room and company; then it is improved."""
    shares = Shares(atoms, work, known, costs, declared)
    clusters = _clusters(atoms, work, known, units, declared, slack, costs)
    shares.place(_packed(clusters, atoms, work, known, costs, units, declared))
    shares.improve()
    return shares


def _clusters(
    atoms: Sequence[Sequence[int]],
    work: Work,
    known: Links,
    units: int,
    declared: frozenset[int],
    slack: float,
    costs: Costs,
) -> list[list[int]]:
    """Indices of atoms that should stay together, at most about a unit's share of the work each."""
    of = {file: n for n, atom in enumerate(atoms) for file in atom}
    size = [sum(work.seconds[f] for f in atom) for atom in atoms]
    most = max(sum(size) / units * slack, max(size, default=0.0))
    bond: dict[tuple[int, int], float] = {}
    for i, others in enumerate(known.on):
        for j, hazard in others.items():
            a, b = of[i], of[j]
            if a != b:
                pair = (min(a, b), max(a, b))
                bond[pair] = bond.get(pair, 0.0) + hazard * (costs.contract_misses if j in declared else 1.0)
    root = list(range(len(atoms)))

    def find(n: int) -> int:
        while root[n] != n:
            root[n] = root[root[n]]
            n = root[n]
        return n

    for a, b in sorted(bond, key=lambda pair: (-bond[pair], pair)):
        if bond[a, b] < 0.1:
            break
        one, other = find(a), find(b)
        if one != other and size[one] + size[other] <= most:
            root[other] = one
            size[one] += size[other]
    found: dict[int, list[int]] = {}
    for n in range(len(atoms)):
        found.setdefault(find(n), []).append(n)
    return list(found.values())


def _packed(
    clusters: list[list[int]],
    atoms: Sequence[Sequence[int]],
    work: Work,
    known: Links,
    costs: Costs,
    units: int,
    declared: frozenset[int],
) -> list[list[int]]:
    size = {id(c): sum(work.seconds[f] for a in c for f in atoms[a]) for c in clusters}
    loads = [0.0] * units
    bins: list[list[int]] = [[] for _ in range(units)]
    unit: dict[int, int] = {}
    for cluster in sorted(clusters, key=lambda c: -size[id(c)]):
        files = [f for a in cluster for f in atoms[a]]
        company = [0.0] * units
        for f in files:
            for j, hazard in known.on[f].items():
                if j in unit:
                    company[unit[j]] += hazard * (costs.contract_misses if j in declared else 1.0)
            for i, hazard in known.by[f].items():
                if i in unit:
                    company[unit[i]] += hazard * (costs.contract_misses if f in declared else 1.0)
        price = costs.repair_seconds + costs.repair_share * sum(work.seconds) / units
        best = min(range(units), key=lambda n: (loads[n] + size[id(cluster)] - price * min(company[n], 2.0), n))
        loads[best] += size[id(cluster)]
        bins[best].extend(cluster)
        unit.update(dict.fromkeys(files, best))
    return [b for b in bins if b]


def worth_declaring(shares: Shares) -> frozenset[int]:
    """Files on which other units probably build: declaring their interfaces costs less than the mending it saves."""
    work, costs = shares.work, shares.costs
    found = set()
    for j, others in enumerate(shares.known.by):
        saved = 0.0
        for i, hazard in others.items():
            if shares.unit[i] != shares.unit[j]:
                load = shares.load[shares.unit[i]]
                saved += hazard * (costs.repair_seconds + costs.repair_share * load)
        if saved * (1.0 - costs.contract_misses) > costs.contract_share * work.seconds[j] * 1.5:
            found.add(j)
    return frozenset(found)
