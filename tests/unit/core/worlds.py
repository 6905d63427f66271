"""A world around `schedule.step`: it does what the engine does with commands, without doing any of it.

Every event goes through one door, `World.happen`, which also steps a second state with the event as it comes back from
its JSON: so every prefix of every journal in these tests folds to the live state.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.model import (
    AgentReport,
    Answers,
    AttemptResult,
    Baseline,
    CheckResult,
    CheckRun,
    Feature,
    FileChange,
    Outcome,
    RepoFacts,
    Usage,
)
from ropeteam.core.schedule import at_once, step
from ropeteam.core.settings import Limits, Settings
from ropeteam.core.state import RunState

BASE, HEAD = "base", "base"
PASSED = (CheckResult(name="pytest", state="passed", baseline="passed", tests=4),)
FAILED = (
    CheckResult(
        name="pytest",
        state="failed",
        baseline="passed",
        failing=("test_total",),
        why="1 test fails",
        output="assert 3 == 4",
    ),
)
CHECKS = (Baseline(run=CheckRun(name="pytest", exit_code=0)),)

C = TypeVar("C", bound=ev.Command)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ev.AnyEvent).decode


def started(
    *,
    land: str = "yes",
    mode: str = "single",
    include_dirty: bool = False,
    branch: str | None = "main",
    limits: Limits | None = None,
    settings: Settings | None = None,
    agent: str = "command",
    feature: Feature | None = None,
) -> ev.RunStarted:
    return ev.RunStarted(
        run="20261122-101530-checkout-7f3a",
        feature=feature or Feature(name="checkout", source="workspace", folder=".workspace/features/checkout"),
        repo=RepoFacts(
            top="/home/u/shop",
            common_dir="/home/u/shop/.git",
            branch=branch,
            head=HEAD,
            base="snapshot" if include_dirty else BASE,
            user_name="U",
            user_email="u@example.org",
        ),
        settings=settings or Settings(limits=limits or Limits()),
        answers=Answers(mode=mode, land=land, agent=agent, include_dirty=include_dirty),  # type: ignore[arg-type]
    )


class World:
    """One run. events: its journal; issued: every command that was ever asked for, in order. tick: seconds between two
    events."""

    tick = 1.0

    forks = False  # whether agents can go on from each other's conversations

    def __init__(self, first: ev.RunStarted | None = None, *, plan_at_once: bool = True) -> None:
        self.state = RunState()
        self.replayed = RunState()
        self.events: list[ev.AnyEvent] = []
        self.issued: list[ev.AnyCommand] = []
        self.now = 1_000_000.0
        self.plan_at_once = plan_at_once
        self.happen(first or started())

    # ---- the door

    def happen(self, event: ev.AnyEvent, after: float | None = None) -> list[ev.AnyCommand]:
        """The event, `after` seconds later, and all that follows from it at once. The commands that came of it."""
        self.now += self.tick if after is None else after
        fresh: list[ev.AnyCommand] = []
        queue = [event]
        while queue:
            commands = self._step(replace(queue.pop(0), at=self.now))
            fresh += commands
            for c in commands:
                answer = at_once(c, self.state)
                if answer is not None and (self.plan_at_once or not isinstance(c, ev.Plan)):
                    queue.append(answer)
        return fresh

    def _step(self, event: ev.AnyEvent) -> tuple[ev.AnyCommand, ...]:
        before = self.state
        self.state, commands = step(before, event)
        self.events.append(event)
        self.issued += commands
        keys = [c.key for c in commands]
        assert len(set(keys)) == len(keys), f"issued twice at once: {keys}"
        self.replayed, again = step(self.replayed, _decode(_encode(event)))
        assert self.replayed == self.state
        assert again == commands
        return commands

    # ---- what is under way

    def find(self, kind: type[C]) -> C:
        """The open command of that kind; there must be exactly one."""
        found = self.all(kind)
        assert len(found) == 1, f"{kind.__name__}: {len(found)} open, of {sorted(self.state.open)}"
        return found[0]

    def all(self, kind: type[C]) -> list[C]:
        return [c for c in self.state.open.values() if isinstance(c, kind)]

    def asked_for(self, kind: type[C]) -> list[C]:
        """Every command of that kind that was ever issued."""
        return [c for c in self.issued if isinstance(c, kind)]

    def kinds(self) -> set[str]:
        return {type(c).__name__ for c in self.state.open.values()}

    def triggers(self) -> list[tuple[str, str]]:
        return [(t.id, t.action) for t in self.state.triggers]

    # ---- answers

    def baseline(self) -> World:
        command = self.find(ev.MeasureBaseline)
        self.happen(ev.BaselineMeasured(commit=command.commit, checks=CHECKS))
        return self

    def begin(self, **usage: float) -> World:
        """The agent starts, and says what it has used, if anything."""
        c = self.find(ev.RunAgent)
        self.happen(
            ev.AttemptStarted(
                attempt=c.attempt,
                tree=f"/t/{c.attempt}",
                folder=f"/f/{c.attempt}",
                start=c.start,
                agent=c.agent or "command",
                forks=self.forks,
                fork=c.fork if self.forks else "",
            )
        )
        if usage:
            self.use(**usage)
        return self

    def use(self, **usage: float) -> World:
        c = self.find(ev.RunAgent)
        self.happen(ev.UsageReported(attempt=c.attempt, usage=Usage(**usage)))  # type: ignore[arg-type]
        return self

    def result(self, *, seconds: float = 60.0, commit: str | None = "", **fields: object) -> AttemptResult:
        attempt = self.find(ev.RunAgent).attempt
        return AttemptResult(
            seconds=seconds,
            commit=f"work-of-{attempt}" if commit == "" else commit,
            ref=f"refs/ropeteam/run/{attempt}" if commit is not None else "",
            **{"changes": (FileChange(path="a.py", kind="created"),), "report": AgentReport(), **fields},  # type: ignore[arg-type]
        )

    def succeed(self, **fields: object) -> World:
        result = self.result(**fields)  # type: ignore[arg-type]
        self.happen(ev.AttemptSucceeded(attempt=self.find(ev.RunAgent).attempt, result=result), after=result.seconds)
        return self

    def fail(self, outcome: Outcome, **fields: object) -> World:
        result = self.result(**{"evidence": f"It ended as {outcome}.", **fields})  # type: ignore[arg-type]
        attempt = self.find(ev.RunAgent).attempt
        self.happen(ev.AttemptFailed(attempt=attempt, outcome=outcome, result=result), after=result.seconds)
        return self

    def lose(self, **fields: object) -> World:
        self.happen(ev.AttemptLost(attempt=self.find(ev.RunAgent).attempt, result=self.result(**fields)))  # type: ignore[arg-type]
        return self

    def keep(self, commit: str | None = "") -> World:
        """The first of those that are to be kept."""
        c = self.all(ev.Keep)[0]
        kept = f"kept-of-{c.attempt}" if commit == "" else commit
        result = replace(self.state.attempt(c.attempt).result, commit=kept, ref=f"refs/ropeteam/run/{c.attempt}")
        self.happen(ev.AttemptKept(attempt=c.attempt, result=result))
        return self

    def merge(self, **fields: object) -> World:
        c = self.find(ev.Merge)
        self.happen(ev.Merged(attempt=c.attempt, onto=c.onto, commit=f"merged-{c.commit}", **fields))  # type: ignore[arg-type]
        return self

    def validate(self, passes: bool = True) -> World:
        c = self.find(ev.Validate)
        if passes:
            self.happen(ev.CandidatePassed(commit=c.commit, checks=PASSED))
        else:
            self.happen(ev.CandidateFailed(commit=c.commit, checks=FAILED))
        return self

    def compose(self, *documents: str) -> World:
        c = self.find(ev.Compose)
        head = f"{c.tip}+documents" if documents else c.tip
        self.happen(ev.Composed(tip=c.tip, head=head, documents=documents))
        return self

    def answer(self, yes: bool) -> World:
        self.find(ev.Ask)
        self.happen(ev.Answered(question="land", yes=yes))
        return self

    def touch(self) -> World:
        """The landing begins to write."""
        c = self.find(ev.Land)
        self.happen(ev.LandingStarted(head=c.head, onto=c.onto, branch=c.branch))
        return self

    def land(self, *, write: bool = True) -> World:
        """It lands, and at the end of a run its documents are written in place where they are in no commit."""
        c = self.touch().find(ev.Land)
        self.happen(ev.Landed(head=c.head, branch=c.branch))
        return self.write() if write and self.all(ev.WriteDocuments) else self

    def refuse(self, reason: str, detail: str = "") -> World:
        c = self.find(ev.Land)
        self.happen(ev.LandRefused(head=c.head, reason=reason, detail=detail))  # type: ignore[arg-type]
        return self

    def leave(self, *, write: bool = True) -> World:
        c = self.find(ev.LeaveBranch)
        self.happen(ev.BranchLeft(branch=c.branch, head=c.head, reason=c.reason))
        return self.write() if write and self.all(ev.WriteDocuments) else self

    def write(self) -> World:
        self.find(ev.WriteDocuments)
        self.happen(ev.DocumentsWritten(paths=("02-implementation.md",)))
        return self

    def break_(self, kind: type[ev.Command], error: str = "git ended with 128") -> World:
        """An exception of ours while that command is performed."""
        self.happen(ev.CommandFailed(key=self.find(kind).key, error=error))
        return self

    def stopped(self, kind: type[ev.Command]) -> World:
        key = self.find(kind).key
        assert f"stop:{key}" in self.state.open, f"{key} was not told to stop"
        self.happen(ev.CommandStopped(key=key))
        return self

    # ---- stories up to a point

    def to_merge(self) -> World:
        return self.begin().baseline().succeed()

    def to_validate(self) -> World:
        return self.to_merge().merge()

    def to_compose(self) -> World:
        return self.to_validate().validate()

    def to_land(self) -> World:
        return self.to_compose().compose("02-implementation.md")

    def to_end(self) -> World:
        return self.to_land().land()

    # ---- what comes from outside

    def resume(self, after: float = 100.0, **limits: float) -> World:
        self.happen(ev.Resumed(**limits), after=after)  # type: ignore[arg-type]
        return self

    def cancel(self) -> World:
        self.happen(ev.CancelAsked())
        return self

    def interrupt(self) -> World:
        self.happen(ev.InterruptAsked())
        return self


def answered(event: ev.AnyEvent) -> str | None:
    """The key of the command that the event answers, by the words of its docstring."""
    match event:
        case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost():
            return f"agent:{event.attempt}"
        case ev.AttemptKept():
            return f"keep:{event.attempt}"
        case ev.Merged() | ev.MergeConflicted():
            return f"merge:{event.attempt}"
        case ev.BaselineMeasured():
            return f"baseline:{event.commit}" if event.final else None
        case ev.CandidatePassed() | ev.CandidateFailed():
            return f"validate:{event.commit}"
        case ev.TriggerFired():
            return f"fire:{event.trigger.id}:{event.trigger.attempt}"
        case ev.CommandStopped() | ev.CommandFailed():
            return event.key
        case ev.Rebased() | ev.RebaseConflicted():
            return "Rebase"
        case ev.Landed() | ev.LandRefused():
            return "Land"
        case _:
            names = {
                ev.Planned: "Plan",
                ev.Replanned: "Replan",
                ev.Composed: "Compose",
                ev.Answered: "Ask",
                ev.BranchLeft: "LeaveBranch",
                ev.DocumentsWritten: "WriteDocuments",
                ev.RunEnded: "Finish",
                ev.Parked: "Park",
                ev.Interrupted: "Interrupt",
            }
            return names.get(type(event))
