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
    landed = replace(state, landed=True, landed_on=event.branch, landed_reason=None, landed_detail="")
    return replace(landed, head=event.head, branch="", again=None)


def refuse(state: RunState, reason: LandedReason, detail: str) -> RunState:
    return replace(state, landed_reason=reason, landed_detail=detail, again=None)


def landing_asked(state: RunState, event: ev.LandAsked) -> RunState:
    """Only a delivered result that has not landed can land, and a landing that had begun goes on as it was.

    What else an earlier, dead `ropeteam land` had under way is not wanted any more: the tip may have moved since.
    """
    if state.landed or not (state.outcome or "").startswith("delivered") or "Land" in state.open:
        return state
    return replace(
        state.forgetting(c for c in state.open.values() if not isinstance(c, ev.Fire)),
        again=Landing(onto=event.onto, branch=event.branch),
        answered=True,
        failures={},
    )


def rebased(state: RunState, event: ev.Rebased | ev.RebaseConflicted) -> RunState:
    state = state.closed("Rebase", event.at)
    if state.again is None:  # given up meanwhile
        return state
    if isinstance(event, ev.RebaseConflicted):
        return refuse(state, "moved", f"It conflicts with the new tip in {', '.join(event.paths)}.")
    if event.findings:
        return refuse(state, "moved", "; ".join(f"{f.path}:{f.line}: {f.message}" for f in event.findings))
    return replace(state, again=replace(state.again, commit=event.commit))
