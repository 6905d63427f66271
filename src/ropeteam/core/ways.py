"""The ways of grouping a feature's files that are tried, by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ropeteam.core.costs import Costs
from ropeteam.core.partition import Links, Shares, links, shared_out, worth_declaring
from ropeteam.core.simulate import Layout, Piece, Work

MOST_UNITS: Final = 16
SURE: Final = 0.7
"""Hazard of a dependency between two units from which on one of the ways lets the one wait: a likelihood of a half."""


class Way(NamedTuple):
    """name, why: for people. groups: files of each unit, the contract not among them. contract: whether the first piece
    of the layout is one. barriers: it is laid out in batches that wait for each other."""

    name: str
    why: str
    groups: tuple[tuple[int, ...], ...]
    layout: Layout
    contract: bool = False
    barriers: bool = False


def ways(
    work: Work,
    atoms: Sequence[Sequence[int]],
    layers: Sequence[int],
    costs: Costs,
    workers: int,
    *,
    only_layers: bool = False,
) -> Iterator[Way]:
    """atoms: files that stay together, each file in one. layers: rank of each file. workers: at least 1."""
    known = links(work)
    everything = tuple(range(len(work.seconds)))
    yield Way("one unit", "everything by one agent", (everything,), Layout((Piece(everything),)))
    if len(atoms) < 2:
        return
    seen: set[object] = set()
    tried = (
        by_layer(work, atoms, layers, workers) if only_layers else _tried(work, atoms, layers, known, costs, workers)
    )
    for way in tried:
        if len(way.groups) > 1 and way.layout not in seen:
            seen.add(way.layout)
            yield way


def _tried(
    work: Work, atoms: Sequence[Sequence[int]], layers: Sequence[int], known: Links, costs: Costs, workers: int
) -> Iterator[Way]:
    for count in counts(len(atoms), workers):
        shares = shared_out(atoms, work, known, costs, count)
        yield independent(f"{count} balanced units", shares)
        yield blind(f"{count} even units", work, atoms, count)
        yield from _ordered(f"{count} units in order", shares)
        declared = worth_declaring(shares)
        if declared:
            again = shared_out(atoms, work, known, costs, count, declared)
            declared = worth_declaring(again) or declared
            again = shared_out(atoms, work, known, costs, count, declared)
            yield contracted(f"contract, then {count} units", again, declared)
    yield from by_layer(work, atoms, layers, workers)


def counts(atoms: int, workers: int) -> list[int]:
    """How many units are tried: up to one a worker, and a few more, so that who is done early can take another."""
    most = min(atoms, MOST_UNITS)
    near = range(2, min(workers, 8) + 1)
    wide = (workers, workers * 3 // 2, workers * 2)
    return sorted({n for n in (*near, *wide) if 2 <= n <= most})


def independent(name: str, shares: Shares) -> Way:
    groups = shares.groups()
    return Way(name, "side by side, what builds on each other together", groups, Layout(tuple(map(Piece, groups))))


def blind(name: str, work: Work, atoms: Sequence[Sequence[int]], count: int) -> Way:
    groups = tuple(_layer(atoms, work, count))
    return Way(name, "as even as can be, whatever builds on what", groups, Layout(tuple(map(Piece, groups))))


def contracted(name: str, shares: Shares, declared: frozenset[int]) -> Way:
    groups = shares.groups()
    declaring = shares.costs.contract_share * sum(shares.work.seconds[f] for f in declared)
    pieces = (
        Piece((), extra=declaring, reading=shares.costs.contract_reading),
        *(Piece(group, needs=(0,), reading=shares.costs.fork_reading) for group in groups),
    )
    why = f"the interfaces of {len(declared)} files are declared first, then all work side by side"
    return Way(name, why, groups, Layout(pieces, declared), contract=True)


def _ordered(name: str, shares: Shares) -> Iterator[Way]:
    """The same units, each waiting for those that it surely builds on, as far as that makes no circle."""
    groups = shares.groups()
    owner = {file: n for n, group in enumerate(groups) for file in group}
    strength: dict[tuple[int, int], float] = {}
    for i, others in enumerate(shares.known.on):
        for j, hazard in others.items():
            if owner[i] != owner[j]:
                pair = (owner[i], owner[j])
                strength[pair] = strength.get(pair, 0.0) + hazard
    needs: list[set[int]] = [set() for _ in groups]
    for pair in sorted(strength, key=lambda p: (-strength[p], p)):
        if strength[pair] >= SURE and not _reaches(needs, pair[1], pair[0]):
            needs[pair[0]].add(pair[1])
    if any(needs):
        pieces = tuple(Piece(group, needs=tuple(sorted(n))) for group, n in zip(groups, needs, strict=True))
        yield Way(name, "units wait for what they probably build on", groups, Layout(pieces))


def _reaches(needs: Sequence[set[int]], start: int, goal: int) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        waiting.extend(needs[here] - seen)
        seen |= needs[here]
    return False


def by_layer(work: Work, atoms: Sequence[Sequence[int]], layers: Sequence[int], workers: int) -> Iterator[Way]:
    """Layers as batches, each shared out among the workers, each waiting for the one before."""
    batches: dict[int, list[Sequence[int]]] = {}
    for atom in atoms:
        batches.setdefault(max(layers[f] for f in atom), []).append(atom)
    pieces: list[Piece] = []
    groups: list[tuple[int, ...]] = []
    numbers: list[list[int]] = []
    for rank in sorted(batches):
        inside = batches[rank]
        share = sum(work.seconds) / max(1, workers)
        seconds = sum(work.seconds[f] for atom in inside for f in atom)
        count = max(1, min(len(inside), workers, round(seconds / share)))
        held = _layer(inside, work, count)
        before = tuple(numbers[-1]) if numbers else ()
        numbers.append([])
        for group in held:
            numbers[-1].append(len(pieces))
            pieces.append(Piece(group, needs=before))
            groups.append(group)
    if len(numbers) > 1 or len(pieces) > 1:
        yield Way(
            "layers",
            "configuration, models, services, views in batches",
            tuple(groups),
            Layout(tuple(pieces)),
            False,
            True,
        )


def _layer(atoms: Sequence[Sequence[int]], work: Work, count: int) -> list[tuple[int, ...]]:
    loads = [0.0] * count
    bins: list[list[int]] = [[] for _ in range(count)]
    for atom in sorted(atoms, key=lambda a: -sum(work.seconds[f] for f in a)):
        least = min(range(count), key=lambda n: (loads[n], n))
        loads[least] += sum(work.seconds[f] for f in atom)
        bins[least].extend(atom)
    return [tuple(sorted(b)) for b in bins if b]
