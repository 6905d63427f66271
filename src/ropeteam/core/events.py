"""What can happen to a run (events) and what a run can ask for (commands).

Events are the journal: they are appended, never changed, and `at` comes from the clock once, when they are appended.
Every command has a `key`; an event that answers a command closes its key (`schedule.record`). A command may be
performed again after a crash, so performing it twice must come to the same: dates and ids are in the command.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ropeteam.core import model
from ropeteam.core.commands import (
    AnyCommand as AnyCommand,
)
from ropeteam.core.commands import (
    Ask as Ask,
)
from ropeteam.core.commands import (
    Assess as Assess,
)
from ropeteam.core.commands import (
    Command as Command,
)
from ropeteam.core.commands import (
    Compose as Compose,
)
from ropeteam.core.commands import (
    Earlier as Earlier,
)
from ropeteam.core.commands import (
    Finish as Finish,
)
from ropeteam.core.commands import (
    Fire as Fire,
)
from ropeteam.core.commands import (
    Interrupt as Interrupt,
)
from ropeteam.core.commands import (
    Keep as Keep,
)
from ropeteam.core.commands import (
    Land as Land,
)
from ropeteam.core.commands import (
    LeaveBranch as LeaveBranch,
)
from ropeteam.core.commands import (
    MeasureBaseline as MeasureBaseline,
)
from ropeteam.core.commands import (
    Merge as Merge,
)
from ropeteam.core.commands import (
    Park as Park,
)
from ropeteam.core.commands import (
    Plan as Plan,
)
from ropeteam.core.commands import (
    Rebase as Rebase,
)
from ropeteam.core.commands import (
    Replan as Replan,
)
from ropeteam.core.commands import (
    RunAgent as RunAgent,
)
from ropeteam.core.commands import (
    Stop as Stop,
)
from ropeteam.core.commands import (
    Validate as Validate,
)
from ropeteam.core.commands import (
    WriteDocuments as WriteDocuments,
)
from ropeteam.core.model import (
    Answers,
    AttemptResult,
    Baseline,
    CheckResult,
    Decision,
    Feature,
    Finding,
    LandedReason,
    Outcome,
    RepoFacts,
    RunOutcome,
    Trigger,
    Unusable,
    Usage,
)
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Explanation, Outlook


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """at: seconds since the epoch, filled in by whoever appends it to the journal."""

    at: float = 0.0


class RunStarted(Event, frozen=True, kw_only=True):
    """First of all. Holds everything the run depends on, so that nothing later reads it from a place that changes.

    plan: as it was given (`--plan`), or made without a model; outlook: what it was made from. one_reading: its units
    are expected to go on from one conversation that has read (`core.reading.expected`)."""

    run: str
    feature: Feature
    repo: RepoFacts
    settings: Settings
    answers: Answers
    plan: model.Plan | None = None
    outlook: Outlook | None = None
    one_reading: bool = False
    version: str = ""


class Planned(Event, frozen=True, kw_only=True):
    """attempt: whose proposal the plan is; empty when it is no agent's."""

    decision: Decision
    plan: model.Plan | None = None
    explanation: Explanation | None = None
    attempt: str = ""


class PlanRefused(Event, frozen=True, kw_only=True):  # faults: why it cannot be carried out, a sentence each
    attempt: str
    faults: tuple[str, ...]


class Replanned(Event, frozen=True, kw_only=True):
    """Another plan for what has not begun: units with attempts stay as they are, and no id is used again."""

    plan: model.Plan
    why: str = ""


class BaselineMeasured(Event, frozen=True, kw_only=True):
    """commit: what was measured. checks: one for each check that was found or configured, in order. final: they have
    been tried with broken code too; before that they can be compared with, and another `BaselineMeasured` follows."""

    commit: str
    checks: tuple[Baseline, ...]
    final: bool = True


class AttemptOffered(Event, frozen=True, kw_only=True):
    """Its tree is ready, and no program of ours begins it: it waits for somebody to take it (`core.hosting`)."""

    attempt: str
    tree: str
    agent: str


class AttemptStarted(Event, frozen=True, kw_only=True):
    """Journalled before the process is started. tree, folder: absolute; slot: small number, free for this attempt.

    since: of one that was offered, when it was taken; by: by whom. at_path: where its agent sees the tree, where that
    is another place (in the sandbox). forks: whether others can go on from a copy of its conversation. fork: the
    attempt whose conversation it does go on from. unpriced: its agent tells tokens, if anything, and no money.
    """

    attempt: str
    tree: str
    folder: str
    start: str
    agent: str
    slot: int = 0
    since: float = 0.0
    by: str = ""
    at_path: str = ""
    unpriced: bool = False
    forks: bool = False
    fork: str = ""


class UsageReported(Event, frozen=True, kw_only=True):
    """Cumulative for the attempt; journalled when it has grown enough to matter."""

    attempt: str
    usage: Usage


class AttemptSucceeded(Event, frozen=True, kw_only=True):
    attempt: str
    result: AttemptResult


class AttemptFailed(Event, frozen=True, kw_only=True):
    attempt: str
    outcome: Outcome
    result: AttemptResult


class AttemptLost(Event, frozen=True, kw_only=True):
    """The attempt's processes are gone and left no exit code: not a failure of the agent."""

    attempt: str
    result: AttemptResult


class AttemptKept(Event, frozen=True, kw_only=True):
    """The tree of an attempt that ended without a snapshot has one now, or cannot have one (`commit` is None)."""

    attempt: str
    result: AttemptResult


class HandedInLate(Event, frozen=True, kw_only=True):
    """An attempt that was over was handed in all the same. ref: keeps its tree as it was then."""

    attempt: str
    ref: str


class Merged(Event, frozen=True, kw_only=True):
    """One linear commit on `onto`. findings: what the cheap checks say of it. resolved: conflicts that were resolved
    automatically, a sentence each (union of a list, a lock file made anew)."""

    attempt: str
    onto: str
    commit: str
    findings: tuple[Finding, ...] = ()
    resolved: tuple[str, ...] = ()


class MergeConflicted(Event, frozen=True, kw_only=True):
    """reasons: why what is resolved automatically elsewhere was not, a sentence each."""

    attempt: str
    onto: str
    paths: tuple[str, ...]
    reasons: tuple[str, ...] = ()


class ConflictForeseen(Event, frozen=True, kw_only=True):
    """Work of two attempts under way, as it is now, would conflict: told early, decides nothing."""

    attempt: str
    other: str
    paths: tuple[str, ...]


class CandidatePassed(Event, frozen=True, kw_only=True):
    """complete: the tests that the feature adds pass too, as they must in the end."""

    commit: str
    checks: tuple[CheckResult, ...]
    complete: bool = True


class CandidateFailed(Event, frozen=True, kw_only=True):
    commit: str
    checks: tuple[CheckResult, ...]


class TriggerFired(Event, frozen=True, kw_only=True):
    trigger: Trigger


class Composed(Event, frozen=True, kw_only=True):
    """The result with the run's documents on top, where they are tracked. documents: written into the commit."""

    tip: str
    head: str
    documents: tuple[str, ...] = ()


class Answered(Event, frozen=True, kw_only=True):
    question: Literal["land"]
    yes: bool


class LandingStarted(Event, frozen=True, kw_only=True):
    """Journalled before the first byte of the user's checkout is touched."""

    head: str
    onto: str
    branch: str


class Landed(Event, frozen=True, kw_only=True):
    head: str
    branch: str


class LandRefused(Event, frozen=True, kw_only=True):
    """detail: the paths or the branch in question, a sentence."""

    head: str
    reason: LandedReason
    detail: str = ""


class BranchLeft(Event, frozen=True, kw_only=True):
    branch: str
    head: str
    reason: LandedReason


class DocumentsWritten(Event, frozen=True, kw_only=True):
    """paths: written in place, relative to the repository. problem: why one could not be."""

    paths: tuple[str, ...] = ()
    problem: str = ""


class Rebased(Event, frozen=True, kw_only=True):
    """A kept result merged anew on the tip of the user's branch (`ropeteam land`)."""

    onto: str
    commit: str
    findings: tuple[Finding, ...] = ()


class RebaseConflicted(Event, frozen=True, kw_only=True):
    onto: str
    paths: tuple[str, ...]


class LandAsked(Event, frozen=True, kw_only=True):
    """`ropeteam land` of an ended run: onto the tip `onto` of `branch`."""

    onto: str
    branch: str


class CommandStopped(Event, frozen=True, kw_only=True):
    """A command that was told to stop has stopped without a result."""

    key: str


class CommandFailed(Event, frozen=True, kw_only=True):
    """An exception while a command was performed. error: its sentence; trace: for the log."""

    key: str
    error: str
    trace: str = ""


class CancelAsked(Event, frozen=True, kw_only=True):
    pass


class InterruptAsked(Event, frozen=True, kw_only=True):
    pass


class Resumed(Event, frozen=True, kw_only=True):
    """The orchestrator began to drive this run again. budget_usd, budget_tokens, run_seconds: new limits, if any.
    unusable: agents that the run may need and that are not there, or not logged in, by now."""

    budget_usd: float | None = None
    budget_tokens: int | None = None
    run_seconds: float | None = None
    unusable: tuple[Unusable, ...] = ()


class Parked(Event, frozen=True, kw_only=True):
    until: float | None = None


class Interrupted(Event, frozen=True, kw_only=True):
    pass


class RunEnded(Event, frozen=True, kw_only=True):
    outcome: RunOutcome


AnyEvent = (
    RunStarted
    | Planned
    | PlanRefused
    | Replanned
    | BaselineMeasured
    | AttemptOffered
    | AttemptStarted
    | UsageReported
    | AttemptSucceeded
    | AttemptFailed
    | AttemptLost
    | AttemptKept
    | HandedInLate
    | Merged
    | MergeConflicted
    | ConflictForeseen
    | CandidatePassed
    | CandidateFailed
    | TriggerFired
    | Composed
    | Answered
    | LandingStarted
    | Landed
    | LandRefused
    | BranchLeft
    | DocumentsWritten
    | Rebased
    | RebaseConflicted
    | LandAsked
    | CommandStopped
    | CommandFailed
    | CancelAsked
    | InterruptAsked
    | Resumed
    | Parked
    | Interrupted
    | RunEnded
)
