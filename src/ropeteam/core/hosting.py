"""Host mode: what is handed out and taken in (the forms of `ropeteam take` and `hand-in`), and what follows from what.

An offer is an attempt whose tree is ready, and which no program of ours begins: whoever calls `take` gets it, and the
host's own subagent does the work. Its life: offered -> taken -> handed (in), or over (stopped, or overdue and begun
anew by a successor), or withdrawn (nobody took it before it was not to begin any more).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import shorten
from typing import Final, Literal

from ropeteam.core import events as ev
from ropeteam.core.model import Kind, LandedReason, Phase, RunOutcome, Unit, Value
from ropeteam.core.state import RunState

SOON_SECONDS = 2.0
"""After so long asking again is worth it when a unit is on its way: a tree is made, a candidate validated."""
LATER_SECONDS = 10.0
"""The same when everything that can be done is with subagents."""
SILENT_SECONDS = 600.0
"""A subagent that reads and thinks for longer than this before it writes is rare."""
ABANDONED = "it was given back undone"
LATE = "late"
"""What is written into a tree after its attempt was over is kept under the attempt's ref with `-late` behind it."""
REPORT = "handed-in.json"
"""In the attempt's folder: the report that came with the hand-in, in place of what its subagent left."""
BRIEF_CHARACTERS = 300

OfferState = Literal["offered", "taken", "handed", "over", "withdrawn"]


# ---- what is said to a host


class HostUnit(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A unit that was handed out. Files and folders are absolute; deadline: seconds since the epoch, moved on by every
    change in the tree.

    attempt: what it is handed in under. brief: a few lines for whoever hands it on. prompt: the text to give to the
    subagent as it is; it tells it to read `prompt_file`, where the whole task stands. writes: patterns, as in
    `.gitignore`, of what it owns. needs: units whose validated work is in its tree. report_file: where the subagent
    leaves its report (schema: `report-file.json`).
    """

    id: str
    attempt: str
    kind: Kind
    title: str
    goal: str
    brief: str
    prompt: str
    prompt_file: str
    tree: str
    writes: tuple[str, ...]
    needs: tuple[str, ...]
    report_file: str
    deadline: float


class Taken(Value, frozen=True, kw_only=True):
    """The answer to `ropeteam take`: one of `unit`, `wait_seconds` and `done` is there.

    unit: to be done. wait_seconds: ask again after so long; out: attempts that subagents have. done: there is nothing
    to be done any more, because the run ended (`outcome`) or stands still (`state`: `parked`, `interrupted`; only
    `ropeteam resume` goes on with it then). landed_reason: why a result that was delivered is not on the branch.
    why: of waiting, of standing still or of not being delivered, in words.
    """

    run: str
    unit: HostUnit | None = None
    wait_seconds: float | None = None
    done: bool = False
    out: tuple[str, ...] = ()
    state: Phase | None = None
    outcome: RunOutcome | None = None
    landed: bool = False
    landed_reason: LandedReason | None = None
    branch: str = ""
    why: str = ""


class HandedIn(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to `ropeteam hand-in`. accepted: its tree is taken as its work now, merged and validated as always.
    Not accepted: it came too late; kept: the ref that keeps its tree as it is now, empty where nothing was new in it.
    abandoned: it was given back undone, and is begun anew from what its tree holds. message: in words."""

    run: str
    attempt: str
    accepted: bool
    abandoned: bool = False
    kept: str = ""
    message: str = ""


# ---- offers


class Offer(Value, frozen=True, kw_only=True):
    """One offer as it is now. at: since when; by, taken_at: who took it, when. seen: the newest change in its tree, in
    nanoseconds of the file system's clock; changed_at: when that was noticed (at first: when it was taken). seconds:
    how long it may be without a change. wanted: somebody asked for a unit when there was only this one left. handed_at,
    report: the hand-in; report None: what its subagent left in the report file. why: it is over."""

    attempt: str
    unit: HostUnit
    seconds: float
    at: float
    state: OfferState = "offered"
    by: str = ""
    taken_at: float = 0.0
    changed_at: float = 0.0
    seen: int = 0
    wanted: bool = False
    handed_at: float = 0.0
    report: str | None = None
    why: str = ""

    @property
    def deadline(self) -> float:
        return self.changed_at + self.seconds

    @property
    def out(self) -> bool:
        """It was taken, and has not been stopped: with a subagent, or back from it."""
        return self.state in ("taken", "handed")


def overdue(offer: Offer, now: float) -> bool:
    """Nothing in its tree changed for too long. That is no failure: it may still be handed in, until somebody asks for
    a unit and there is no other."""
    return offer.state == "taken" and now > offer.deadline


# ---- what follows


class Give(Value, frozen=True, kw_only=True):
    """again: it was taken before, by a process that is gone without having passed it on."""

    attempt: str
    again: bool = False


class BeginAnew(Value, frozen=True, kw_only=True):
    """End this overdue attempt, so that its successor can be handed out."""

    attempt: str


class Wait(Value, frozen=True, kw_only=True):
    seconds: float
    why: str


class NoMore(Value, frozen=True, kw_only=True):
    """The run stands still."""


def answer(
    state: RunState, offers: Sequence[Offer], now: float, lost: Collection[str] = ()
) -> Give | BeginAnew | Wait | NoMore:
    """What somebody who asks for a unit gets. offers: of the run, in any order. lost: attempts that were taken by a
    process that is gone and never passed them on: nobody is at work on them, so that they are given as they are."""
    if stands_still(state):
        return NoMore()
    again = sorted((o for o in offers if o.state == "taken" and o.attempt in lost), key=lambda o: o.taken_at)
    if again and not state.stop:
        return Give(attempt=again[0].attempt, again=True)
    free = sorted((o for o in offers if o.state == "offered"), key=lambda o: (o.unit.kind == "belay", o.at))
    if free and not state.stop:
        return Give(attempt=free[0].attempt)
    out = out_now(state, offers)
    coming = _coming(state, out)
    late = sorted((o for o in out if overdue(o, now) and not o.wanted), key=lambda o: o.deadline)
    if late and not coming:
        return BeginAnew(attempt=late[0].attempt)
    if coming or any(o.wanted for o in out):
        return Wait(seconds=SOON_SECONDS, why=coming or "a successor of an overdue attempt is being made ready")
    many = f"{len(out)} units are" if len(out) != 1 else "1 unit is"
    ours = len(state.under_way()) - len(out)
    beside = f" and {ours} with agents that ropeteam started" if ours else ""
    why = f"{many} with subagents{beside}; nothing else can begin until one of them is done"
    return Wait(seconds=LATER_SECONDS, why=f"{why}{_silent(state.begun.run, out, now)}")


def _silent(run: str, out: Sequence[Offer], now: float) -> str:
    """Of those in whose trees nothing has changed for long: how to get one back that nobody is at work on."""
    silent = [o for o in out if o.state == "taken" and now - o.changed_at > SILENT_SECONDS]
    if not silent:
        return ""
    told = ", ".join(f"{o.attempt} for {(now - o.changed_at) / 60:.0f} min" for o in silent)
    return (
        f". Nothing has changed in the tree of {told}: if nobody is at work on it any more,"
        f" `ropeteam hand-in --run {run} {silent[0].attempt} --abandon` frees it"
    )


def out_now(state: RunState, offers: Sequence[Offer]) -> list[Offer]:
    """Those with subagents, and those that were handed in and have not ended yet."""
    under_way = {c.attempt for c in state.under_way()}
    return [o for o in offers if o.out and o.attempt in under_way]


def _coming(state: RunState, out: Sequence[Offer]) -> str:
    """What is under way that may lead to another unit, in words; empty for nothing."""
    have, begun = {o.attempt for o in out}, {a.id: a for a in state.attempts}
    others = [c for c in state.under_way() if c.attempt not in have]
    if any(c.attempt not in begun for c in others):
        return "a unit is being made ready"
    if any(begun[c.attempt].hosted for c in others):
        return "the work of one that is over is being kept"
    if any(o.state == "handed" for o in out):
        return "what was handed in is being looked at"
    if any(isinstance(c, ev.Merge | ev.Validate | ev.Assess | ev.MeasureBaseline) for c in state.open.values()):
        return "work is being merged and validated"
    if not state.under_way():
        return "the run is ending" if state.ending is not None else "the run is getting ready"
    return ""


def stands_still(state: RunState) -> bool:
    """Ended with nothing left to land, parked, or interrupted."""
    if state.phase in ("parked", "interrupted"):
        return True
    return state.outcome is not None and state.again is None


def why_still(state: RunState) -> str:
    """Why it ended or stands still, where that is not simply that it was delivered."""
    if state.outcome is not None and state.outcome.startswith("delivered"):
        return ""
    if state.crashed:
        return state.crashed
    telling = [t for t in state.triggers if t.action in ("park", "stop")]
    if telling:
        return telling[-1].evidence
    return "It was interrupted." if state.phase == "interrupted" else ""


Step = Literal["wait", "handed", "stop", "overdue"]


def next_step(offer: Offer, *, asked: str, now: float) -> Step:
    """What is to be done with an attempt that was taken. asked: why it is to stop, empty when it is not. A hand-in that
    came before a stop was seen counts; an overdue one ends only when its successor is wanted."""
    if offer.state == "handed":
        return "handed"
    if offer.state == "over":  # by an orchestrator that went away before it could say so
        return "overdue" if offer.wanted else "stop"
    if asked:
        return "stop"
    return "overdue" if offer.wanted and overdue(offer, now) else "wait"


def of_overdue(offer: Offer, now: float) -> str:
    """The evidence, as a sentence."""
    if offer.why == ABANDONED:
        return "It was given back undone, as nobody was at work on it any more: it is begun anew from its snapshot."
    return (
        f"Nothing in its tree changed for {(now - offer.changed_at) / 60:.0f} min (limits.host_seconds is"
        f" {offer.seconds:.0f}), it was not handed in, and somebody asked for a unit: it is begun anew from its"
        " snapshot."
    )


# ---- words

_OVER: Final = {
    "cancel": "the run was cancelled",
    "interrupt": "the run was interrupted",
    "park": "the run was parked",
    "budget": "the budget was used up",
    "strict": "the run fell back, and everything was stopped",
}


def why_over(step: Step, asked: str) -> str:
    """Why a hand-in comes too late, in words. asked: why the attempt was to stop."""
    if step == "overdue":
        return "nothing in its tree had changed for too long, and it was begun anew"
    return _OVER.get(asked, asked)


def brief(state: RunState, command: ev.RunAgent, unit: Unit | None, goal: str) -> str:
    """A few lines on a unit, for whoever hands it on to a subagent."""
    subject = state.begun.feature.subject
    what = {
        "contract": f"The contract of {subject}: what the other units rely on.",
        "unit": f"One unit of {subject}.",
        "single": f"All of {subject}.",
        "rest": f"What is left of {subject}, on top of what is validated.",
        "belay": f"All of {subject}, beside the units, as insurance.",
        "plan": f"A plan for {subject}; nothing is to be changed.",
    }[command.kind]
    lines = [what]
    if unit is not None:
        lines.append(shorten(goal, BRIEF_CHARACTERS, placeholder="…"))
        lines.append("Writes " + shorten(", ".join(unit.writes), BRIEF_CHARACTERS, placeholder="…") + ".")
    if command.earlier and command.kind == "plan":
        lines.append("An earlier plan was refused; the prompt says why.")
    elif command.earlier:
        lines.append(f"Earlier tries: {len(command.earlier)}; the last one's work is in the tree.")
    return "\n".join(lines)
