"""What is known of a run at one moment: a fold of its events, and nothing that is not in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from ropeteam.core.events import AnyCommand, ConflictForeseen, RunAgent, RunStarted
from ropeteam.core.model import (
    Asked,
    AttemptResult,
    Baseline,
    CheckResult,
    Decision,
    Finding,
    Kind,
    LandedReason,
    Outcome,
    Phase,
    Plan,
    RunOutcome,
    Trigger,
    Unit,
    Unusable,
    Usage,
    Value,
)
from ropeteam.core.survey import Explanation

Stage = Literal["running", "ended", "merged", "validated", "failed", "ejected", "lost", "stopped"]
"""running -> ended (it says it is done) -> merged (one commit, cheap checks clean) -> validated, or failed;
ejected: its work was taken out again, a reference for whoever does it anew; lost: its processes went away with the
orchestrator; stopped: we stopped it, for the user, the disk, or because another one won."""


class AttemptState(Value, frozen=True, kw_only=True):
    """One attempt. counted: whether its failure counts against the tries. problem: for the next attempt's prompt.
    again: another attempt of its unit follows, in parallel. asked: what others needed of it, as it was told.

    merged: the commit that holds its work on the integration. not_before: when a next attempt may start. unkept: it
    has no snapshot and cannot have one: its work is in its tree alone. told_to_stop: by an orchestrator that went away
    before it saw the end. asked_at: since when it was being made ready (its tree, its task). offered_at: since when a
    host could take it, 0 for an agent that we start; by: who took it. model: that was chosen for it, empty for its
    agent's own. at_path, forks, fork, unpriced: as `AttemptStarted` has them.
    """

    id: str
    unit: str
    kind: Kind
    n: int
    start: str
    base: str
    agent: str = ""
    model: str = ""
    tree: str = ""
    folder: str = ""
    at_path: str = ""
    forks: bool = False
    fork: str = ""
    slot: int = 0
    stage: Stage = "running"
    asked_at: float = 0.0
    offered_at: float = 0.0
    by: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    outcome: Outcome | None = None
    result: AttemptResult = AttemptResult()
    usage: Usage = Usage()
    merged: str = ""
    merged_at: float = 0.0
    validated_at: float = 0.0
    findings: tuple[Finding, ...] = ()
    resolved: tuple[str, ...] = ()
    counted: bool = False
    problem: str = ""
    not_before: float = 0.0
    unkept: bool = False
    told_to_stop: bool = False
    again: bool = False
    asked: tuple[Asked, ...] = ()
    unpriced: bool = False

    @property
    def hosted(self) -> bool:
        """Done by somebody whom we did not start."""
        return self.offered_at > 0

    @property
    def ready_at(self) -> float:
        """When its tree and its task were ready."""
        return self.offered_at or self.started_at

    @property
    def unmeasured(self) -> bool:
        """It was not said what it used: its tokens and its cost are not known."""
        return self.hosted and not self.usage.tokens and not self.usage.cost_usd

    @property
    def costless(self) -> bool:
        """It was not said what it cost: not known, which is not nothing."""
        return self.unmeasured or (self.unpriced and not self.usage.cost_usd)


class Span(Value, frozen=True, kw_only=True):
    """A command that was under way from `began` to `ended`, in seconds since the epoch. of: what it worked on. offer:
    an attempt that waited for somebody to take it."""

    kind: Literal["baseline", "validate", "merge", "land", "offer"]
    of: str
    began: float
    ended: float


class Clockwork(Value, frozen=True, kw_only=True):
    """Where the seconds went. driven: an orchestrator was at work; checks: validation that nothing else ran beside;
    asked: waiting for the user's answer; waited: for a provider, before another try."""

    since: float = 0.0
    last: float = 0.0
    driven: float = 0.0
    checks: float = 0.0
    asked: float = 0.0
    waited: float = 0.0

    def spent_on(self, key: str, seconds: float) -> Clockwork:
        """With the seconds that the command `key` was under way."""
        if key.startswith("validate:"):
            return msgspec.structs.replace(self, checks=self.checks + seconds)
        if key == "Ask":
            return msgspec.structs.replace(self, asked=self.asked + seconds)
        return self


class Landing(Value, frozen=True, kw_only=True):
    """`ropeteam land` of an ended run: the kept result on the tip `onto` of `branch`."""

    onto: str
    branch: str
    commit: str = ""
    baseline: tuple[Baseline, ...] | None = None
    checks: tuple[CheckResult, ...] | None = None


class RunState(Value, frozen=True, kw_only=True):
    """tip: the validated result; head: the same with the documents on top. pending: triggers not announced yet.

    open: commands under way, by key; opened: when each began. failures: exceptions of ours, by kind of command.
    planned: the plan as it was when it was decided on, whose predictions count; planning_seconds: driven until then.
    gauged: the baseline's checks have been tried with broken code. stop: what was asked for, once. answered: the user's
    answer about landing.

    Of several agents: checkpoint: the newest validated commit of the integration, empty before the first; line: ids
    of merged attempts that wait on top of it, in order; suspects: how many of them, from the front, are known to fail
    together (0: nothing is known). complete: the checkpoint passed as the last one. complaint: why it did not.
    fresh: what happened last is that a candidate became the checkpoint, but for what was told or planned anew of that.
    used_up: agents that cannot go on (quota, log-in) since the run was begun or resumed last, where others may, each
    with when it can again; 0 where nobody said. unusable: those that were not there when the run was resumed last.
    offered: attempts that wait for somebody to take them, and since when.
    fallen: how the run fell back, once it has. parking: it parks once the attempts under way have ended.
    """

    started: RunStarted | None = None
    phase: Phase = "planning"
    decision: Decision | None = None
    plan: Plan | None = None
    planned: Plan | None = None
    planning_seconds: float = 0.0
    explanation: Explanation | None = None
    checkpoint: str = ""
    line: tuple[str, ...] = ()
    suspects: int = 0
    complete: bool = False
    fresh: bool = False
    complaint: str = ""
    fallen: Literal["", "salvage", "strict"] = ""
    parking: bool = False
    used_up: dict[str, float] = {}
    unusable: tuple[Unusable, ...] = ()
    foreseen: tuple[ConflictForeseen, ...] = ()
    spans: tuple[Span, ...] = ()
    baseline: tuple[Baseline, ...] | None = None
    gauged: bool = False
    attempts: tuple[AttemptState, ...] = ()
    offered: dict[str, float] = {}
    checks: tuple[CheckResult, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    pending: tuple[Trigger, ...] = ()
    warned: tuple[str, ...] = ()
    tries: int = 0
    budget_usd: float | None = None
    budget_tokens: int | None = None
    run_seconds: float | None = None
    stop: Literal["", "cancel", "interrupt", "park"] = ""
    ending: RunOutcome | None = None
    outcome: RunOutcome | None = None
    tip: str = ""
    head: str = ""
    documents: tuple[str, ...] | None = None
    written: tuple[str, ...] | None = None
    documents_problem: str = ""
    answered: bool | None = None
    landing_started: bool = False
    landed: bool = False
    landed_on: str = ""
    landed_reason: LandedReason | None = None
    landed_detail: str = ""
    branch: str = ""
    resume_at: float | None = None
    again: Landing | None = None
    failures: dict[str, int] = {}
    crashed: str = ""
    open: dict[str, AnyCommand] = {}
    opened: dict[str, float] = {}
    clockwork: Clockwork = Clockwork()
    ended_at: float = 0.0

    @property
    def begun(self) -> RunStarted:
        """The first event. Only before it has none."""
        assert self.started is not None
        return self.started

    @property
    def base(self) -> str:
        return self.begun.repo.base

    @property
    def together(self) -> bool:
        """Several agents, as was decided; also after the run fell back."""
        return self.decision is not None and self.decision.mode == "parallel"

    @property
    def ground(self) -> str:
        """What new work builds on: the newest checkpoint, else the base."""
        return self.checkpoint or self.base

    @property
    def solo(self) -> Literal["single", "rest"]:
        """The one agent that works on everything, or on all that is left: `single`, or `rest` after a fall."""
        return "rest" if self.together else "single"

    def plan_unit(self, id: str) -> Unit:
        """The unit of that id in the plan. KeyError when there is none."""
        if self.plan is None:
            raise KeyError(id)
        return self.plan.unit(id)

    def newest(self, unit: str) -> AttemptState | None:
        """The newest attempt of that unit."""
        return next((a for a in reversed(self.attempts) if a.unit == unit), None)

    def under_way(self) -> tuple[RunAgent, ...]:
        """Attempts that run, or are being made ready."""
        return tuple(c for c in self.open.values() if isinstance(c, RunAgent))

    def attempt(self, id: str) -> AttemptState:
        """The attempt of that id; KeyError when there is none."""
        for a in reversed(self.attempts):
            if a.id == id:
                return a
        raise KeyError(id)

    def with_attempt(self, changed: AttemptState) -> RunState:
        return msgspec.structs.replace(
            self, attempts=tuple(changed if a.id == changed.id else a for a in self.attempts)
        )

    def closed(self, key: str, at: float) -> RunState:
        """The command `key` has been answered at `at`, and with it a request to stop it. What comes after the end of
        the run (a landing later) does not count in its times."""
        gone = {key, f"stop:{key}"}
        state = self.no_longer_offered(key.removeprefix("agent:"), at)
        if state is not self:
            return state.closed(key, at)
        began = self.opened.get(key)
        c = self.clockwork
        spans = self.spans
        if began is not None and self.outcome is None:
            c = c.spent_on(key, max(0.0, at - max(began, c.since)))
            kind, _, of = key.partition(":")
            if kind in ("baseline", "validate", "merge", "Land"):
                spans = (*spans, Span(kind=kind.lower(), of=of, began=max(began, c.since), ended=at))  # type: ignore[arg-type]
        return msgspec.structs.replace(
            self,
            spans=spans,
            open={k: v for k, v in self.open.items() if k not in gone},
            opened={k: v for k, v in self.opened.items() if k not in gone},
            clockwork=c,
        )

    def no_longer_offered(self, attempt: str, at: float) -> RunState:
        """It was taken at `at`, or withdrawn. The time that it waited is nobody's work."""
        since = self.offered.get(attempt)
        if since is None:
            return self
        began = max(since, self.clockwork.since)
        return msgspec.structs.replace(
            self,
            offered={id: when for id, when in self.offered.items() if id != attempt},
            spans=(*self.spans, Span(kind="offer", of=attempt, began=min(began, at), ended=at)),
        )

    def forgetting(self, commands: Iterable[AnyCommand]) -> RunState:
        """Without these commands, which a process that is gone had under way and nobody waits for."""
        gone = {c.key for c in commands}
        return msgspec.structs.replace(
            self,
            open={k: c for k, c in self.open.items() if k not in gone},
            opened={k: at for k, at in self.opened.items() if k not in gone},
        )

    def pend(self, trigger: Trigger) -> RunState:
        """With one more trigger to announce."""
        return msgspec.structs.replace(self, pending=(*self.pending, trigger))


def spent(attempts: Iterable[AttemptState]) -> tuple[float, int, float]:
    """Money in dollars, tokens and agent seconds of these attempts together."""
    listed = list(attempts)
    return (
        sum(a.usage.cost_usd for a in listed),
        sum(a.usage.tokens for a in listed),
        sum(a.result.seconds for a in listed),
    )
