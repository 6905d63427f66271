"""The whole run as a state machine: an event comes in, a new state and the next commands come out.

::

    RunStarted -> Plan -> Planned -> RunAgent single/1 -> Merge -> Validate -> Compose -> Ask | Land | LeaveBranch
                                       ^   |                          |          -> WriteDocuments -> Finish
                                       |   `-> MeasureBaseline -------'
                                       `------ single/2 <-- failed, tries left

`step` first records what happened (`core.record`), then looks at the state alone and says what is due and not under
way yet. So there is no hidden memory: every prefix of the journal folds to the live state, and a resumed run does what
the live one would have done.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill, shorten

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.budget import left, used_of
from ropeteam.core.model import LandedReason
from ropeteam.core.record import record
from ropeteam.core.state import AttemptState, Landing, RunState


def step(state: RunState, event: ev.AnyEvent) -> tuple[RunState, tuple[ev.AnyCommand, ...]]:
    """The state after `event`, and the commands that are now due and not open yet. Pure and deterministic."""
    state = record(state, event)
    fresh = tuple({c.key: c for c in reversed(due(state)) if c.key not in state.open}.values())[::-1]
    if not fresh:
        return state, ()
    return replace(
        state,
        open={**state.open, **{c.key: c for c in fresh}},
        opened={**state.opened, **{c.key: event.at for c in fresh}},
    ), fresh


def fold(events: Iterable[ev.AnyEvent]) -> RunState:
    """The state after all of them."""
    state = RunState()
    for event in events:
        state, _ = step(state, event)
    return state


def due(state: RunState) -> list[ev.AnyCommand]:
    """What should be under way in this state, whether it is already or not."""
    if state.started is None:
        return []
    if state.pending:
        return [ev.Fire(trigger=t) for t in state.pending]
    if state.outcome is not None:
        return _land_again(state, state.again) if state.again is not None else _stops(state, "interrupt")
    if state.phase in ("parked", "interrupted") and state.stop != "cancel":
        return []
    if (lost := _without_snapshot(state)) and state.stop != "park":
        return [ev.Keep(attempt=a.id, start=a.start, base=a.base) for a in lost]
    if state.stop:
        return _stop(state)
    if state.ending is not None:
        return _deliver(state) if state.tip and state.ending.startswith("delivered") else _end(state)
    if state.decision is None:
        return [ev.Plan()]
    return _work(state)


def _without_snapshot(state: RunState) -> list[AttemptState]:
    """Attempts that ended in a way that left their work in their tree alone."""
    ended = [a for a in state.attempts if a.stage in ("failed", "lost", "stopped")]
    return [a for a in ended if a.result.commit is None and not a.unkept]


# ---- while agents work


def _work(state: RunState) -> list[ev.AnyCommand]:
    commands: list[ev.AnyCommand] = []
    if state.baseline is None and state.attempts:  # once an agent is at work: its tree is made first
        commands.append(ev.MeasureBaseline(commit=state.base))
    a = state.newest
    if a is None or a.stage in ("failed", "lost", "stopped"):
        if not _agent_open(state):
            commands.append(_next_attempt(state))
    elif a.stage == "running":
        commands += _over_budget(state, a)
    elif a.stage == "ended":
        commands.append(_merge(state, a))
    elif a.stage == "merged" and state.baseline is not None:
        commands.append(ev.Validate(commit=a.merged, base=state.base, baseline=state.baseline))
    return commands


def _agent_open(state: RunState) -> bool:
    return any(isinstance(c, ev.RunAgent) for c in state.open.values())


def _next_attempt(state: RunState) -> ev.AnyCommand:
    """The next attempt of the one agent: from the newest snapshot there is, told what came before."""
    last = state.newest
    snapshots = [a.result.commit for a in state.attempts if a.result.commit]
    n = last.n + 1 if last else 1
    usd, tokens, seconds = left(state)
    longest = state.begun.settings.limits.attempt_seconds
    return ev.RunAgent(
        attempt=f"single/{n}",
        unit="single",
        kind="single",
        start=snapshots[-1] if snapshots else state.base,
        base=state.base,
        seconds=longest if seconds is None else min(seconds, longest),
        not_before=last.not_before if last and last.stage == "failed" else 0.0,
        earlier=tuple(ev.Earlier(attempt=a.id, ref=a.result.ref, problem=a.problem) for a in state.attempts),
        budget_usd=usd,
        budget_tokens=tokens,
    )


def _over_budget(state: RunState, a: AttemptState) -> list[ev.AnyCommand]:
    for name, used, limit in used_of(state):
        if name != "time" and used >= limit:
            return [ev.Stop(target=f"agent:{a.id}", why="budget")]
    return []


def _merge(state: RunState, a: AttemptState) -> ev.AnyCommand:
    assert a.result.commit is not None
    return ev.Merge(
        attempt=a.id,
        commit=a.result.commit,
        base=state.base,
        onto=state.base,
        message=message(state),
        at=a.ended_at,
    )


def message(state: RunState) -> str:
    """Of the commit that holds the feature: its title, and where it came from."""
    f = state.begun.feature
    paragraphs = [shorten(f.title or f.name, 72, placeholder="…"), *f.summary.strip().split("\n\n")]
    text = "\n\n".join(fill(p, 72, break_long_words=False) for p in paragraphs if p.strip())
    return f"{text}\n\nRopeteam-Run: {state.begun.run}\n"


# ---- stopping


def _stop(state: RunState) -> list[ev.AnyCommand]:
    """Ask everything long to stop, let what is short end, then end, park or be interrupted."""
    stops = _stops(state, state.stop)
    if stops:
        return stops
    if any(not isinstance(c, ev.Fire) for c in state.open.values()):
        return []
    if state.stop == "cancel":
        return [ev.Finish(outcome="cancelled")]
    if state.stop == "park":
        return [ev.Park(until=state.resume_at)]
    return [ev.Interrupt()]


def _stops(state: RunState, why: str) -> list[ev.AnyCommand]:
    """Requests to stop everything under way that takes long."""
    long = ev.RunAgent | ev.MeasureBaseline | ev.Validate | ev.Ask | ev.Plan
    return [ev.Stop(target=c.key, why=why) for c in state.open.values() if isinstance(c, long)]


# ---- ending


def _deliver(state: RunState) -> list[ev.AnyCommand]:
    assert state.ending is not None
    if state.documents is None:
        return [ev.Compose(tip=state.tip, outcome=state.ending, at=state.clockwork.last)]
    if state.landed or state.branch:
        return _end(state)
    repo = state.begun.repo
    why = state.landed_reason or _not_to_land(state)
    if why is not None:
        return [ev.LeaveBranch(branch=branch_name(state), head=state.head, reason=why)]
    if state.begun.answers.land == "ask" and state.answered is None:
        return [ev.Ask(question="land")]
    assert repo.branch is not None
    return [ev.Land(head=state.head, onto=repo.base, branch=repo.branch)]


def _not_to_land(state: RunState) -> LandedReason | None:
    answers, repo = state.begun.answers, state.begun.repo
    if answers.include_dirty:
        return "include_dirty"
    if answers.land == "no" or state.answered is False:
        return "asked"
    return "other_branch" if repo.branch is None else None


def _end(state: RunState) -> list[ev.AnyCommand]:
    assert state.ending is not None
    stops = _stops(state, "the run ends")
    if stops:
        return stops
    if any(not isinstance(c, ev.Fire | ev.WriteDocuments | ev.Finish) for c in state.open.values()):
        return []
    if state.written is None and state.ending != "cancelled":
        return [ev.WriteDocuments(outcome=state.ending)]
    return [ev.Finish(outcome=state.ending)]


def branch_name(state: RunState) -> str:
    """Of the branch that is left when the result does not land: the feature, and the end of the run's id."""
    return f"ropeteam/{state.begun.feature.name.replace('/', '-')}-{state.begun.run.rsplit('-', 1)[-1]}"


# ---- landing a kept result later


def _land_again(state: RunState, again: Landing) -> list[ev.AnyCommand]:
    repo = state.begun.repo
    if again.onto == repo.head:
        return [ev.Land(head=state.head, onto=again.onto, branch=again.branch, left=state.branch)]
    if not again.commit:
        return [ev.Rebase(head=state.head, base=repo.head, onto=again.onto)]
    if again.baseline is None:
        return [ev.MeasureBaseline(commit=again.onto)]
    if again.checks is None:
        return [ev.Validate(commit=again.commit, base=again.onto, baseline=again.baseline)]
    return [ev.Land(head=again.commit, onto=again.onto, branch=again.branch, left=state.branch)]
