"""How long several agents take beside what their plan allows: units of known length, real git, a real check.

    .venv/bin/python bench/makespan.py [--scale X] [--rounds N] [--files N] [SHAPE ...]

A chain, a fan, a diamond and a mixed graph of units that do nothing but write a file and pause, played by the scripted
agent through the whole program. For each, in seconds:

    list       the list schedule of the plan with the known lengths (`core.graph.list_schedule`)
    checks     measured validation on the critical path: walking back from the end of the run, the time in which what
               came next waited for a candidate's checks (the tree for them included)
    makespan   from the run's first event to its last, landing included; program: with the start of the program
    ratio      makespan / (list + checks). Target: at most 1.05

and where the rest went, on the critical path: start (from being due to the agent's start: the tree, the task), agent
(starting and ending a Python interpreter, which the scripted agent is), end (snapshot, verdict), merge, and land.
--scale makes all units so many times as long. Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
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


@dataclass(frozen=True)
class Path_:
    """Seconds on the critical path, by what they went into."""

    checks: float = 0.0
    start: float = 0.0
    agent: float = 0.0
    end: float = 0.0
    merge: float = 0.0
    land: float = 0.0
    worked: float = 0.0


def scaled(pieces: Sequence[Piece], factor: float) -> list[Piece]:
    return [Piece(p.id, p.seconds * factor, p.needs) for p in pieces]


def critical(state: RunState, events: Sequence[AnyEvent], pieces: Sequence[Piece]) -> Path_:
    """Walk back from the end: from a candidate to the unit in it that ended last, from that to what it waited for."""
    known = {p.id: p for p in pieces}
    spans = [s for s in state.spans if s.kind == "validate"]
    merged = {s.of: s for s in state.spans if s.kind == "merge"}
    inside: dict[str, list[str]] = {}  # of a candidate, the attempts in it
    waiting: list[str] = []
    for event in events:
        if isinstance(event, ev.Merged):
            waiting.append(event.attempt)
        if isinstance(event, ev.CandidatePassed):
            tip = next(a.id for a in state.attempts if a.merged == event.commit)
            count = waiting.index(tip) + 1
            inside[event.commit], waiting = waiting[:count], waiting[count:]
    here = max(spans, key=lambda s: s.ended)
    parts = dict.fromkeys(("checks", "start", "agent", "end", "merge", "worked"), 0.0)
    parts["land"] = events[-1].at - here.ended
    until = here.ended  # what is later has been told already
    while True:
        last = max((state.attempt(id) for id in inside[here.of]), key=lambda a: merged[a.id].ended)
        parts["checks"] += until - merged[last.id].ended  # the waiting for the candidate before it included
        parts["merge"] += merged[last.id].ended - last.ended_at
        attempt = last
        while True:
            length, needs = known[attempt.unit].seconds, known[attempt.unit].needs
            parts["worked"] += length
            parts["agent"] += attempt.result.seconds - length
            parts["end"] += attempt.ended_at - attempt.started_at - attempt.result.seconds
            before = [s for s in spans if any(state.attempt(id).unit in needs for id in inside[s.of])]
            freed = [a for a in state.attempts if a.ended_at <= attempt.started_at and a.id != attempt.id]
            need = max(before, key=lambda s: s.ended, default=None)
            slot = max(freed, key=lambda a: a.ended_at, default=None)
            if need is not None and (slot is None or slot.ended_at <= need.ended):
                parts["start"] += attempt.started_at - need.ended
                here, until = need, need.ended
                break
            if slot is None or len([a for a in state.attempts if a.started_at < attempt.started_at]) < 1:
                parts["start"] += attempt.started_at - state.begun.at
                return Path_(**parts)
            if slot.ended_at < attempt.started_at - 5 or (needs == () and _at_first(state, attempt.started_at)):
                parts["start"] += attempt.started_at - state.begun.at
                return Path_(**parts)
            parts["start"] += attempt.started_at - slot.ended_at
            attempt = slot


def _at_first(state: RunState, started_at: float) -> bool:
    return all(a.ended_at > started_at for a in state.attempts)


def main() -> None:
    options = argparse.ArgumentParser(description="Makespan beside the list schedule.")
    options.add_argument("shapes", nargs="*", choices=[*SHAPES, []], default=[])
    options.add_argument("--scale", type=float, default=1.0, help="all units so many times as long")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--files", type=int, default=300)
    given = options.parse_args()
    print("shape     workers units    list  checks  makespan  program   ratio   start agent   end merge  land")
    for name in given.shapes or SHAPES:
        workers, pieces = SHAPES[name]
        pieces = tuple(scaled(pieces, given.scale))
        ratios = []
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as folder:
                place = Place(Path(folder), given.files)
                seconds, state = place.run(place.command(pieces, workers))
                events = place.events()
            plan = layered(parse(_text(pieces), "plan.json"), "auto")
            planned = list_schedule(plan, workers).makespan
            path = critical(state, events, pieces)
            makespan = events[-1].at - events[0].at
            ratios.append(makespan / (planned + path.checks))
            print(
                f"{name:<10}{workers:>6}{len(pieces):>6}{planned:>9.2f}{path.checks:>8.2f}{makespan:>10.2f}{seconds:>9.2f}"
                f"{ratios[-1]:>8.3f}{path.start:>8.2f}{path.agent:>6.2f}{path.end:>6.2f}{path.merge:>6.2f}{path.land:>6.2f}",
                flush=True,
            )
        if given.rounds > 1:
            print(f"{name:<10}median of {given.rounds}: {statistics.median(ratios):.3f}")


def _text(pieces: Sequence[Piece]) -> bytes:
    import json

    return json.dumps(plan_document(pieces)).encode()


if __name__ == "__main__":
    main()
