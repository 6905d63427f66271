"""What is due while one agent works on everything (`single`), or on everything that is left (`rest`)."""

from __future__ import annotations

from textwrap import fill, shorten

from ropeteam.core import events as ev
from ropeteam.core.budget import overspent
from ropeteam.core.next_attempt import next_attempt
from ropeteam.core.state import AttemptState, RunState


def work(state: RunState) -> list[ev.AnyCommand]:
    """The one agent, one try after the other."""
    commands: list[ev.AnyCommand] = []
    if not state.gauged and (state.attempts or state.offered):  # once an agent can be at work: its tree is made first
        commands.append(ev.MeasureBaseline(commit=state.base))
    a = state.newest(state.solo)
    if a is None or a.stage in ("failed", "lost", "stopped"):
        if not any(c.unit == state.solo for c in state.under_way()):
            commands.append(next_attempt(state, state.solo, state.solo, ground=ground(state), first=_complaint(state)))
    elif a.stage == "running":
        commands += overspent(state)
    elif a.stage == "ended" and not any(isinstance(c, ev.Merge) for c in state.open.values()):
        commands.append(_merge(state, a))
    elif a.stage == "merged" and state.baseline is not None and state.gauged and not checking(state):
        commands.append(ev.Validate(commit=a.merged, base=state.base, baseline=state.baseline))
    return commands


def checking(state: RunState) -> bool:
    """A candidate is being validated: there is one at a time."""
    return any(isinstance(c, ev.Validate) for c in state.open.values())


def ground(state: RunState) -> str:
    """What its work is measured against, and goes onto."""
    return state.ground if state.together else state.base


def _complaint(state: RunState) -> tuple[ev.Earlier, ...]:
    """Why what the units made together is not enough."""
    if not state.complaint:
        return ()
    return (ev.Earlier(attempt="candidate", ref="", problem=state.complaint),)


def _merge(state: RunState, a: AttemptState) -> ev.AnyCommand:
    assert a.result.commit is not None
    return ev.Merge(
        attempt=a.id,
        commit=a.result.commit,
        base=a.base,
        onto=ground(state),
        message=message(state),
        at=a.ended_at,
    )


def message(state: RunState) -> str:
    """Of the commit that holds the feature, or what was left of it: its title, and where it came from."""
    f = state.begun.feature
    paragraphs = [shorten(f.subject, 72, placeholder="…"), *f.summary.strip().split("\n\n")]
    text = "\n\n".join(fill(p, 72, break_long_words=False) for p in paragraphs if p.strip())
    return f"{text}\n\nRopeteam-Run: {state.begun.run}\n"
