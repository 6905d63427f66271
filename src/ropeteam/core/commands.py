"""What a run can ask for (commands). Each is answered by events (`ropeteam.core.events`, which names them all too).

Every command has a `key`; an event that answers it closes its key. A command may be performed again after a crash, so
performing it twice must come to the same: dates and ids are in the command.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ropeteam.core import model
from ropeteam.core.model import Asked, Baseline, Kind, LandedReason, RunOutcome, Trigger


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    @property
    def key(self) -> str:
        """Unique among the commands of one run that can be open at once."""
        return type(self).__name__


class Plan(Command, frozen=True, kw_only=True):
    """Answered by `Planned`."""


class Assess(Command, frozen=True, kw_only=True):
    """Check what an agent proposed as a plan, and predict it. Answered by `Planned` or `PlanRefused`."""

    attempt: str


class Replan(Command, frozen=True, kw_only=True):
    """Answered at once by `Replanned`."""

    plan: model.Plan
    why: str = ""


class MeasureBaseline(Command, frozen=True, kw_only=True):
    """Run every check and its canary on `commit`. Answered by `BaselineMeasured`; by one that is not final before."""

    commit: str

    @property
    def key(self) -> str:
        return f"baseline:{self.commit}"


class Earlier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt is told of one before it. problem: why that one did not do, with the failing output."""

    attempt: str
    ref: str
    problem: str


class RunAgent(Command, frozen=True, kw_only=True):
    """Answered by `AttemptStarted`, then `AttemptSucceeded`, `AttemptFailed` or `AttemptLost`.

    start: the commit its tree shows at first. base: the commit its changes are measured against. not_before: wait until
    then. earlier: what came before, newest last. budget_usd, budget_tokens: what is left of the run's. seconds: its
    time limit. slot: a number from 1 on that no other attempt under way has. asked: what others need of this unit.
    agent, model: who does it, empty for the run's own. fork: the attempt whose conversation it goes on from, or none.
    """

    attempt: str
    unit: str
    kind: Kind
    start: str
    base: str
    seconds: float
    slot: int = 1
    not_before: float = 0.0
    earlier: tuple[Earlier, ...] = ()
    asked: tuple[Asked, ...] = ()
    budget_usd: float | None = None
    budget_tokens: int | None = None
    agent: str = ""
    model: str = ""
    fork: str = ""

    @property
    def key(self) -> str:
        return f"agent:{self.attempt}"


class Keep(Command, frozen=True, kw_only=True):
    """Snapshot the tree of an attempt that ended without one. Answered by `AttemptKept`."""

    attempt: str
    start: str
    base: str

    @property
    def key(self) -> str:
        return f"keep:{self.attempt}"


class Stop(Command, frozen=True, kw_only=True):
    """Stop what the open command `target` does. why: for people. Closed when `target` closes.

    unless_begun: an attempt that is only being made ready is not begun; one that has begun goes on."""

    target: str
    why: str
    unless_begun: bool = False

    @property
    def key(self) -> str:
        return f"stop:{self.target}"


class Merge(Command, frozen=True, kw_only=True):
    """Put the work of an attempt on `onto` as one commit, and look at it cheaply. base: where that work began.

    Answered by `Merged` or `MergeConflicted`. message: of the commit; at: its date. declares: others build on it as
    soon as it holds, so what its files import must be there.
    """

    attempt: str
    commit: str
    base: str
    onto: str
    message: str
    at: float
    declares: bool = False

    @property
    def key(self) -> str:
        return f"merge:{self.attempt}"


class Validate(Command, frozen=True, kw_only=True):
    """Run the checks on `commit` beside the baseline. last: the whole feature is in it, so its new tests count.

    keep: the ref of the run that is to point at it once it holds; it holds then even if new tests still fail, and
    `CandidatePassed.complete` says whether they do. disowned: files that were changed or deleted only by units that do
    not own them: a test that is missing from one of them was not taken out by anybody who may. Answered by
    `CandidatePassed` or `CandidateFailed`.
    """

    commit: str
    base: str
    baseline: tuple[Baseline, ...]
    last: bool = True
    keep: str = ""
    disowned: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"validate:{self.commit}"


class Fire(Command, frozen=True, kw_only=True):
    """Answered at once by `TriggerFired`, in the same transaction as the event that led to it."""

    trigger: Trigger

    @property
    def key(self) -> str:
        return f"fire:{self.trigger.id}:{self.trigger.attempt}"


class Compose(Command, frozen=True, kw_only=True):
    """Put the run's documents on top of `tip` where they are tracked. Answered by `Composed`."""

    tip: str
    outcome: RunOutcome
    at: float


class Ask(Command, frozen=True, kw_only=True):
    """Answered by `Answered`."""

    question: Literal["land"]


class Land(Command, frozen=True, kw_only=True):
    """Answered by `LandingStarted`, then `Landed` or `LandRefused`. left: our branch that landing makes needless."""

    head: str
    onto: str
    branch: str
    left: str = ""


class LeaveBranch(Command, frozen=True, kw_only=True):
    """Make the named branch at `head`. Answered by `BranchLeft`. reason: why it does not land."""

    branch: str
    head: str
    reason: LandedReason


class WriteDocuments(Command, frozen=True, kw_only=True):
    """Write the run's documents in place, where they did not go into a commit. Answered by `DocumentsWritten`."""

    outcome: RunOutcome


class Rebase(Command, frozen=True, kw_only=True):
    """Merge a kept result anew: every commit of base..head on `onto`. Answered by `Rebased` or `RebaseConflicted`."""

    head: str
    base: str
    onto: str


class Finish(Command, frozen=True, kw_only=True):
    """Answered by `RunEnded`."""

    outcome: RunOutcome


class Park(Command, frozen=True, kw_only=True):
    """Answered by `Parked`: the orchestrator ends, everything is kept."""

    until: float | None = None


class Interrupt(Command, frozen=True, kw_only=True):
    """Answered by `Interrupted`: the orchestrator ends, everything is kept."""


AnyCommand = (
    Plan
    | Assess
    | Replan
    | MeasureBaseline
    | RunAgent
    | Keep
    | Stop
    | Merge
    | Validate
    | Fire
    | Compose
    | Ask
    | Land
    | LeaveBranch
    | WriteDocuments
    | Rebase
    | Finish
    | Park
    | Interrupt
)
