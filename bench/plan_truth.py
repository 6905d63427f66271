"""What a plan would have come to on a real feature: its files, lines and dependencies as they turned out.

The truth is a record of `features.jsonl.gz` with `added`, `use` and `cross`. A dependency between two units that the
plan neither orders nor declares in its contract costs what the assumptions say.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal


@dataclass(frozen=True)
class Assumptions:
    """Seconds, but for shares. noise: log-sigma of a unit's time; common: of all of a feature, one agent's too.

    contract_share: of the work on the files that a contract declares, what declaring takes; contract_checked: whether
    units wait for its validation. repair: `mend` begins when both are merged and takes `repair_share` of the unit's
    work and `repair_seconds`; `wait`: the unit begins only when the other is merged, where that is no circle; `file`:
    half of the work on the file that builds on it is done again.
    """

    reading: float = 75.0
    line: float = 12 * 3 / 70
    file: float = 10.0
    validation: float = 40.0
    merge: float = 20.0
    noise: float = 0.3
    common: float = 0.2
    contract_share: float = 0.05
    contract_reading: float = 15.0
    contract_checked: bool = True
    repair: Literal["mend", "wait", "file"] = "mend"
    repair_share: float = 0.3
    repair_seconds: float = 30.0
    conflict: float = 0.02
    declared_holds: float = 1.0
    merge_queue: bool = True


LIKELY: Final = Assumptions(
    merge=3.0,
    merge_queue=False,
    repair_share=0.55,
    repair_seconds=65.0,
    contract_checked=False,
)
"""With these a plain gate over balanced units comes out as the issue has it on other repositories: merges beside the
others' work, and mending that is a new reading-in and half the unit's work."""
VARIANTS: dict[str, Assumptions] = {
    "likely": LIKELY,
    "merges of 20 s in a queue": replace(LIKELY, merge=20.0, merge_queue=True),
    "cheap mending": replace(LIKELY, repair="file"),
    "dear mending": replace(LIKELY, repair_share=0.8, repair_seconds=75.0),
    "true dependencies are waited for": replace(LIKELY, repair="wait"),
    "contract by an agent of its own": replace(LIKELY, contract_reading=75.0, contract_checked=True),
    "contract that misses a fifth": replace(LIKELY, contract_share=0.10, contract_reading=40.0, declared_holds=0.8),
    "reading-in of 30 s": replace(LIKELY, reading=30.0),
    "more noise": replace(LIKELY, noise=0.5, common=0.3),
    "less noise": replace(LIKELY, noise=0.15, common=0.1),
}


@dataclass(frozen=True)
class Shape:
    """A plan by indices. units: files of each; needs: of each the units before it; contract: declared files."""

    units: tuple[tuple[int, ...], ...]
    needs: tuple[tuple[int, ...], ...]
    contract: tuple[int, ...] = ()


@dataclass(frozen=True)
class Truth:
    seconds: tuple[float, ...]
    edges: tuple[tuple[int, int], ...]


def truth_of(record: dict[str, Any], a: Assumptions) -> Truth:
    seconds = tuple(f["added"] * a.line + a.file for f in record["files"])
    edges = {(e[0], e[1]) for name in ("use", "cross") for e in record[name]}
    return Truth(seconds, tuple(sorted(e for e in edges if e[0] != e[1])))


def alone(truth: Truth, a: Assumptions) -> float:
    """Seconds of one agent at the median."""
    return a.reading + sum(truth.seconds) + a.validation


def both(truth: Truth, shape: Shape, a: Assumptions, workers: int, rng: random.Random) -> tuple[float, float]:
    """Seconds of one agent and of several, drawn once."""
    common = math.exp(rng.gauss(0, a.common))
    one = (a.reading + sum(truth.seconds)) * common * math.exp(rng.gauss(0, a.noise)) + a.validation
    return one, _together(truth, shape, a, workers, common, rng)


def _together(truth: Truth, shape: Shape, a: Assumptions, workers: int, common: float, rng: random.Random) -> float:
    owner = {f: n for n, files in enumerate(shape.units) for f in files}
    pace = [common * math.exp(rng.gauss(0, a.noise)) for _ in shape.units]
    work = [sum(truth.seconds[f] for f in files) * p for files, p in zip(shape.units, pace, strict=True)]
    lengths = [w + a.reading * p for w, p in zip(work, pace, strict=True)]
    before = _closed(shape.needs)
    missed = _missed(truth, shape, owner, before, a, rng)
    needs = [set(n) for n in shape.needs]
    if a.repair == "wait":
        for i, j in sorted(missed):
            one, other = owner[i], owner[j]
            if one not in _closed(needs)[other]:
                needs[one].add(other)
        before = _closed(needs)
        missed = [(i, j) for i, j in missed if owner[j] not in before[owner[i]]]
    begin = 0.0
    if shape.contract:
        writing = a.contract_share * sum(truth.seconds[f] for f in shape.contract)
        begin = (a.contract_reading + writing) * common * math.exp(rng.gauss(0, a.noise)) + a.merge
        begin += a.validation if a.contract_checked else 0.0
    merged = _played(lengths, needs, begin, a, workers)
    end = max(merged)
    if a.repair == "file":
        for i, j in missed:
            at = max(merged[owner[i]], merged[owner[j]])
            end = max(end, at + a.repair_seconds + truth.seconds[i] * pace[owner[i]] / 2)
    else:
        for n in {owner[i] for i, _ in missed}:
            others = [owner[j] for i, j in missed if owner[i] == n]
            at = max([merged[n], *(merged[o] for o in others)])
            end = max(end, at + a.repair_seconds + a.repair_share * work[n] + a.merge)
    count = len(shape.units)
    if rng.random() < 1 - (1 - a.conflict) ** (count * (count - 1) / 2):
        end += a.repair_seconds
    return end + a.validation


def _missed(
    truth: Truth,
    shape: Shape,
    owner: dict[int, int],
    before: Sequence[set[int]],
    a: Assumptions,
    rng: random.Random,
) -> list[tuple[int, int]]:
    contract = set(shape.contract)
    return [
        (i, j)
        for i, j in truth.edges
        if owner[i] != owner[j]
        and owner[j] not in before[owner[i]]
        and not (j in contract and (a.declared_holds >= 1.0 or rng.random() < a.declared_holds))
    ]


def _closed(needs: Sequence[Sequence[int] | set[int]]) -> list[set[int]]:
    found: list[set[int]] = []
    for start in range(len(needs)):
        seen: set[int] = set()
        waiting = list(needs[start])
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting.extend(needs[here])
        found.append(seen)
    return found


def _played(lengths: list[float], needs: list[set[int]], begin: float, a: Assumptions, workers: int) -> list[float]:
    """When each unit is merged; a unit begins once those that it needs are merged, the longest tail first."""
    followers: list[list[int]] = [[m for m, n in enumerate(needs) if here in n] for here in range(len(needs))]
    tails: dict[int, float] = {}

    def tail(n: int) -> float:
        if n not in tails:
            tails[n] = lengths[n] + max((tail(f) for f in followers[n]), default=0.0)
        return tails[n]

    open_needs = [len(n) for n in needs]
    ready = [n for n, count in enumerate(open_needs) if not count]
    merged = [0.0] * len(lengths)
    events: list[tuple[float, int, int]] = []
    now, free, merger = begin, workers, begin
    while ready or events:
        while ready and free:
            n = max(ready, key=tail)
            ready.remove(n)
            heapq.heappush(events, (now + lengths[n], 0, n))
            free -= 1
        now, what, n = heapq.heappop(events)
        if what:
            ready.append(n)
            continue
        free += 1
        merged[n] = (max(now, merger) if a.merge_queue else now) + a.merge
        merger = merged[n]
        for other in followers[n]:
            open_needs[other] -= 1
            if not open_needs[other]:
                heapq.heappush(events, (merged[n], 1, other))
    return merged
