"""How long several agents take beside what their plan allows: units of known length, real git, a real check.

    .venv/bin/python bench/makespan.py [--scale X] [--rounds N] [--files N] [SHAPE ...]

A chain, a fan, a diamond and a mixed graph of units that do nothing but write a file and pause, played by the scripted
agent through the whole program. For each, in seconds:

    list       the list schedule of the plan with the known lengths (`core.graph.list_schedule`)
    checks     measured validation on the critical path: walking back from the end of the run, the time in which what
               came next waited for a candidate's checks (the tree for them included)
    makespan   from the run's first event to its last, landing included; program: with the start of the program
    ratio      makespan / (list + checks). Target: at most 1.05
    taken      the same with the list schedule of what the agents took: starting and ending the Python interpreter that
               the scripted agent is takes 0.1 s and more, which a length of so many seconds does not say

and where the rest went, on the critical path: start (from being due to being journalled as started: the tree, the
task), agent (what it took more than its known length), end (its wrapper's start, its end noticed, snapshot, verdict),
merge, and land (documents, landing, the run's end).
--scale: units of 4 to 8 s so many times as long (2 without: 8 to 16 s). Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plays import Piece, Place, plan_document
from ropeteam.core import events as ev
from ropeteam.core.events import AnyEvent
from ropeteam.core.graph import list_schedule
from ropeteam.core.plan import layered, parse
from ropeteam.core.state import RunState

SHAPES: dict[str, tuple[int, tuple[Piece, ...]]] = {
    "chain": (2, (Piece("a", 6), Piece("b", 5, ("a",)), Piece("c", 7, ("b",)), Piece("d", 6, ("c",)))),
    "fan": (3, tuple(Piece(f"u{n}", seconds) for n, seconds in enumerate((8, 7, 7, 6, 6, 5, 5, 4, 4)))),
    "diamond": (
        4,
        (
            Piece("top", 6),
            *(Piece(f"side{n}", seconds, ("top",)) for n, seconds in enumerate((8, 7, 7, 5))),
            Piece("bottom", 6, tuple(f"side{n}" for n in range(4))),
        ),
    ),
    "mixed": (
        3,
        (
            Piece("contract", 5),
            Piece("a", 6, ("contract",)),
            Piece("b", 8, ("contract",)),
            Piece("c", 4, ("contract",)),
            Piece("d", 7, ("a",)),
            Piece("e", 5, ("a", "c")),
            Piece("f", 6, ("b",)),
            Piece("g", 4, ("d", "e")),
            Piece("h", 5, ("f", "g")),
        ),
    ),
}
"""Workers, and units with their lengths in seconds."""


@dataclass
class Parts:
    """Seconds on the critical path, by what they went into."""

    checks: float = 0.0
    start: float = 0.0
    agent: float = 0.0
    end: float = 0.0
    merge: float = 0.0
    land: float = 0.0


def scaled(pieces: Sequence[Piece], factor: float) -> tuple[Piece, ...]:
    return tuple(Piece(p.id, p.seconds * factor, p.needs) for p in pieces)


def critical(state: RunState, events: Sequence[AnyEvent], pieces: Sequence[Piece]) -> Parts:
    """Walk back from the end: from a candidate to the unit in it that was merged last, from a unit to what it waited
    for, the candidate that held what it needs or the unit whose place it took."""
    known = {p.id: p for p in pieces}
    checks = [s for s in state.spans if s.kind == "validate"]
    merges = {s.of: s for s in state.spans if s.kind == "merge"}
    inside = candidates(state, events)
    parts = Parts()
    candidate = max(checks, key=lambda s: s.ended)
    parts.land = events[-1].at - candidate.ended
    while True:
        attempt = max((state.attempt(id) for id in inside[candidate.of]), key=lambda a: merges[a.id].ended)
        parts.checks += candidate.ended - merges[attempt.id].ended  # the waiting for the candidate before included
        parts.merge += merges[attempt.id].ended - attempt.ended_at
        while True:
            parts.agent += attempt.result.seconds - known[attempt.unit].seconds
            parts.end += attempt.ended_at - attempt.started_at - attempt.result.seconds
            needs = known[attempt.unit].needs
            holding = [s for s in checks if any(state.attempt(id).unit in needs for id in inside[s.of])]
            needed = max(holding, key=lambda s: s.ended, default=None)
            freed = [a for a in state.attempts if a.ended_at <= attempt.started_at]
            before = max(freed, key=lambda a: a.ended_at, default=None)
            if before is None:
                parts.start += attempt.started_at - state.begun.at
                return parts
            if needed is not None and needed.ended >= before.ended_at:
                parts.start += attempt.started_at - needed.ended
                candidate = needed
                break
            parts.start += attempt.started_at - before.ended_at
            attempt = before


def candidates(state: RunState, events: Sequence[AnyEvent]) -> dict[str, list[str]]:
    """Of each candidate that passed, by its commit, the attempts in it."""
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    for event in events:
        if isinstance(event, ev.Merged):
            waiting.append(event.attempt)
        if isinstance(event, ev.CandidatePassed):
            count = waiting.index(next(a.id for a in state.attempts if a.merged == event.commit)) + 1
            found[event.commit], waiting = waiting[:count], waiting[count:]
    return found


def main() -> None:
    options = argparse.ArgumentParser(description="Makespan beside the list schedule.")
    options.add_argument("shapes", nargs="*", choices=[*SHAPES, []], default=[])
    options.add_argument("--scale", type=float, default=2.0, help="all units so many times as long")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--files", type=int, default=300)
    given = options.parse_args()
    print("shape     workers units    list  checks  makespan  program   ratio  taken   start agent   end merge  land")
    for name in given.shapes or SHAPES:
        workers, pieces = SHAPES[name]
        pieces = scaled(pieces, given.scale)
        ratios = [one_round(name, workers, pieces, given.files) for _ in range(given.rounds)]
        if given.rounds > 1:
            first, second = (statistics.median(column) for column in zip(*ratios, strict=True))
            print(f"{name:<10}medians of {given.rounds}: {first:.3f} {second:.3f}", flush=True)


def one_round(name: str, workers: int, pieces: tuple[Piece, ...], files: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as folder:
        place = Place(Path(folder), files)
        seconds, state = place.run(place.command(pieces, workers))
        events = place.events()
    parts = critical(state, events, pieces)
    took = {a.unit: a.result.seconds for a in state.attempts}
    planned = scheduled(pieces, workers)
    taken = scheduled([Piece(p.id, took[p.id], p.needs) for p in pieces], workers)
    makespan = events[-1].at - events[0].at
    ratios = makespan / (planned + parts.checks), makespan / (taken + parts.checks)
    print(
        f"{name:<10}{workers:>6}{len(pieces):>6}{planned:>9.2f}{parts.checks:>8.2f}{makespan:>10.2f}{seconds:>9.2f}"
        f"{ratios[0]:>8.3f}{ratios[1]:>7.3f}{parts.start:>8.2f}{parts.agent:>6.2f}{parts.end:>6.2f}{parts.merge:>6.2f}"
        f"{parts.land:>6.2f}",
        flush=True,
    )
    return ratios


def scheduled(pieces: Sequence[Piece], workers: int) -> float:
    """The list schedule's length."""
    text = json.dumps(plan_document(pieces)).encode()
    return list_schedule(layered(parse(text, "plan.json"), "auto"), workers).makespan


if __name__ == "__main__":
    main()
