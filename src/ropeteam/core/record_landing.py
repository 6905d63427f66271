"""What the events of a landing do to the state: at the end of the run, or later with `ropeteam land`."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.model import LandedReason
from ropeteam.core.state import Landing, RunState


def landing_ended(state: RunState, event: ev.Landed | ev.LandRefused) -> RunState:
    state = replace(state.closed("Land", event.at), landing_started=False)
    if isinstance(event, ev.LandRefused):
        return refuse(state, event.reason, event.detail)
    return replace(state, landed=True, landed_reason=None, landed_detail="", head=event.head, branch="", again=None)


def refuse(state: RunState, reason: LandedReason, detail: str) -> RunState:
    return replace(state, landed_reason=reason, landed_detail=detail, again=None)


def landing_again(state: RunState, event: ev.LandAsked | ev.Rebased | ev.RebaseConflicted) -> RunState:
    if isinstance(event, ev.LandAsked):
        return replace(state, again=Landing(onto=event.onto, branch=event.branch), failures={})
    state = state.closed("Rebase", event.at)
    if isinstance(event, ev.RebaseConflicted):
        return refuse(state, "moved", f"It conflicts with the new tip in {', '.join(event.paths)}.")
    if event.findings:
        return refuse(state, "moved", "; ".join(f"{f.path}:{f.line}: {f.message}" for f in event.findings))
    assert state.again is not None
    return replace(state, again=replace(state.again, commit=event.commit))
