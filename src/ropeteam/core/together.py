"""What is due while several agents work: merges, candidates, new attempts, the belay, and the way to `rest`."""

from __future__ import annotations

from textwrap import fill, shorten

from ropeteam.core import alone
from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, overspent
from ropeteam.core.graph import tails
from ropeteam.core.model import RequestNote, Unit
from ropeteam.core.next_attempt import free_slot, next_attempt
from ropeteam.core.patterns import owns
from ropeteam.core.plan import with_wiring
from ropeteam.core.progress import asked_of, at_work, left, newest, open_requests, pieces, top, units, validated
from ropeteam.core.replanning import at_checkpoint
from ropeteam.core.state import AttemptState, RunState

INTEGRATION = "integration"
"""Last part of the ref that only ever points at checkpoints."""


def work(state: RunState) -> list[ev.AnyCommand]:
    """What should be under way, whether it is already or not."""
    commands = [*_baseline(state), *overspent(state), *_stopped_by_strictness(state), *_not_begun(state)]
    commands += _merge(state) + _validate(state)
    if state.parking:
        return commands
    if (better := at_checkpoint(state)) is not None:  # answered at once; then what begins is of the new plan
        return [*commands, better]
    commands += _starts(state) + _belay(state)
    if state.fallen and not at_work(state):
        commands += _rest(state)
    elif not state.fallen and not left(state) and not at_work(state) and (asked := open_requests(state)):
        assert state.plan is not None
        why = "Validated units need lines in files of others that are done."
        wanted = [RequestNote(path=r.path, what=r.what) for r in asked]
        commands.append(ev.Replan(plan=with_wiring(state.plan, wanted), why=why))
    return commands


def _baseline(state: RunState) -> list[ev.AnyCommand]:
    """Once an agent is at work, or could be: its tree is made first. When it failed twice, only once something waits
    for it."""
    if state.gauged or not (state.attempts or state.offered):
        return []
    known, belay = {u.id for u in units(state)}, state.newest("belay")
    alone = state.newest("rest") is not None or (belay is not None and belay.stage == "merged")
    drained = not any(c.unit in known for c in state.under_way()) and (state.line or not left(state))
    if state.failures.get("MeasureBaseline", 0) > 1 and not alone and not drained:
        return []
    return [ev.MeasureBaseline(commit=state.base)]


# ---- new attempts


def _starts(state: RunState) -> list[ev.AnyCommand]:
    if exhausted(state):
        return []
    known = {u.id for u in units(state)}
    busy = [c for c in state.under_way() if c.unit in known]
    free = state.begun.settings.workers - len(busy)
    if free <= 0:
        return []
    taken = {c.slot for c in state.under_way()}
    commands: list[ev.AnyCommand] = []
    for unit in _ready(state, {c.unit for c in busy})[:free]:
        slot = free_slot(taken)
        taken.add(slot)
        asked = asked_of(state, unit)
        commands.append(next_attempt(state, unit.id, unit.kind, ground=state.ground, slot=slot, asked=asked))
    return commands


def _ready(state: RunState, busy: set[str]) -> list[Unit]:
    """Units that can be begun, those first on which the longest work hangs."""
    last = {a.unit: a for a in newest(state)}
    new_ones = not state.fallen and not state.suspects  # a candidate that fails will lead to a fall
    done = validated(state)
    ready = [
        u
        for u in units(state)
        if u.id not in busy
        and u.id not in done
        and (last[u.id].again if u.id in last else new_ones and _may_begin(state, u, done))
    ]
    if len(ready) < 2 or state.plan is None:
        return ready
    weight = tails(state.plan)
    return sorted(ready, key=lambda u: -weight[u.id])


def _may_begin(state: RunState, unit: Unit, done: frozenset[str]) -> bool:
    assert state.plan is not None
    if not done.issuperset(unit.needs):
        return False
    earlier = (u.id for u in units(state) if u.batch < unit.batch)
    return not state.plan.barriers or done.issuperset(earlier)


def _not_begun(state: RunState) -> list[ev.AnyCommand]:
    """Attempts that are being made ready when nothing may begin any more: all when the run is to park or its budget is
    used up, after a fall those of units that nobody has tried."""
    tried = {a.unit for a in state.attempts}
    begun = {a.id for a in state.attempts}
    waiting = [c for c in state.under_way() if c.attempt not in begun]
    if state.parking:
        return [ev.Stop(target=c.key, why="park", unless_begun=True) for c in waiting]
    if exhausted(state):
        return [ev.Stop(target=c.key, why="budget", unless_begun=True) for c in waiting]
    known = {u.id for u in units(state)}
    new = [c for c in waiting if c.unit in known and c.unit not in tried]
    return [ev.Stop(target=c.key, why="fall", unless_begun=True) for c in new if state.fallen]


def _stopped_by_strictness(state: RunState) -> list[ev.AnyCommand]:
    """The plan's units, and the candidate of what was let go."""
    if state.fallen != "strict":
        return []
    known = {u.id for u in units(state)}
    stops: list[ev.AnyCommand] = [ev.Stop(target=c.key, why="strict") for c in state.under_way() if c.unit in known]
    candidates = [c for c in state.open.values() if isinstance(c, ev.Validate) and c.keep]
    return [*stops, *(ev.Stop(target=c.key, why="strict") for c in candidates if c.commit != state.ground)]


# ---- merging and validating


def _merge(state: RunState) -> list[ev.AnyCommand]:
    """One after the other, each onto the one before; none while it is looked for which of them fails."""
    if any(isinstance(c, ev.Merge) for c in state.open.values()):
        return []
    belay = state.newest("belay")
    if belay is not None and belay.stage == "ended":
        return [merge_of(state, belay, state.base, title="")]
    if state.suspects:
        return []
    ended = [a for a in pieces(state) if a.stage == "ended"]
    if not ended:
        return []
    first = min(ended, key=lambda a: a.ended_at)
    unit = state.plan_unit(first.unit)
    return [merge_of(state, first, top(state), title=unit.title or unit.goal or unit.id)]


def merge_of(state: RunState, a: AttemptState, onto: str, *, title: str) -> ev.Merge:
    assert a.result.commit is not None
    return ev.Merge(
        attempt=a.id,
        commit=a.result.commit,
        base=a.base,
        onto=onto,
        message=unit_message(state, a, title) if title else alone.message(state),
        at=a.ended_at,
        declares=a.kind == "contract",
    )


def unit_message(state: RunState, a: AttemptState, title: str) -> str:
    """Of the commit that holds a unit: its title, its goal, and where it came from."""
    unit = state.plan_unit(a.unit)
    head = shorten(title, 72, placeholder="…")
    paragraphs = [head, *(p for p in unit.goal.strip().split("\n\n") if p.strip() and p.strip() != head)]
    text = "\n\n".join(fill(p, 72, break_long_words=False) for p in paragraphs)
    return f"{text}\n\nRopeteam-Run: {state.begun.run}\nRopeteam-Unit: {unit.id}\n"


def _validate(state: RunState) -> list[ev.AnyCommand]:
    """The candidate: everything that waits, or a part of it when it is looked for which of it fails."""
    if state.baseline is None or alone.checking(state):
        return []
    belay = state.newest("belay")
    waiting = state.attempt(state.line[0]) if state.line else None
    if not state.gauged and ((belay and belay.stage == "merged") or is_last(state)):
        return []  # what may be delivered is held against checks that are known to tell
    if belay is not None and belay.stage == "merged" and not (waiting and waiting.merged_at < belay.merged_at):
        return [ev.Validate(commit=belay.merged, base=state.base, baseline=state.baseline)]
    if state.suspects > 1:
        half = state.attempt(state.line[state.suspects // 2 - 1])
        return [_candidate(state, half.merged, last=False)]
    if state.line:
        return [_candidate(state, top(state), last=is_last(state))]
    if is_last(state) and not state.complete and not state.complaint and not at_work(state):
        return [_candidate(state, state.ground, last=True)]
    return []


def _candidate(state: RunState, commit: str, *, last: bool) -> ev.Validate:
    assert state.baseline is not None
    return ev.Validate(
        commit=commit,
        base=state.base,
        baseline=state.baseline,
        last=last,
        keep=INTEGRATION,
        disowned=_disowned(state, commit),
    )


def _disowned(state: RunState, commit: str) -> tuple[str, ...]:
    """Files changed or deleted on the way to this commit, by no unit that owns them."""
    waiting = [id for id in state.line if state.attempt(id).merged == commit]
    inside = state.line[: state.line.index(waiting[-1]) + 1] if waiting else ()
    owned: set[str] = set()
    others: set[str] = set()
    for a in pieces(state):
        if a.stage == "validated" or a.id in inside:
            for change in a.result.changes:
                if owns(state.plan_unit(a.unit).writes, change.path):
                    owned.add(change.path)
                elif change.kind != "created":
                    others.add(change.path)
    return tuple(sorted(others - owned))


def is_last(state: RunState) -> bool:
    """What waits and what is validated is the whole feature."""
    waiting = {state.attempt(id).unit for id in state.line}
    if any(u.id not in waiting for u in left(state)):
        return False
    return not open_requests(state, (*state.line,))


# ---- insurance, and what is left


def _belay(state: RunState) -> list[ev.AnyCommand]:
    """One more worker on the whole feature, from the start."""
    if not _belay_due(state) or any(c.unit == "belay" for c in state.under_way()):
        return []
    return [next_attempt(state, "belay", "belay", ground=state.base, slot=state.begun.settings.workers + 1)]


def _belay_due(state: RunState) -> bool:
    """It is to begin, or to be tried again."""
    last = state.newest("belay")
    if exhausted(state):
        return False
    if last is not None:
        return last.again
    return state.begun.answers.belay and not state.fallen and state.failures.get("RunAgent:belay", 0) < 2


def belayed(state: RunState) -> bool:
    """The belay lives: it works, or what it made waits for its validation."""
    last = state.newest("belay")
    if _belay_due(state) or any(c.unit == "belay" for c in state.under_way()):
        return True
    return last is not None and last.stage in ("running", "ended", "merged")


def _rest(state: RunState) -> list[ev.AnyCommand]:
    """One agent on all that is left, unless nothing is, or the belay does it."""
    nothing_left = not left(state) and not state.complaint and not open_requests(state)
    if nothing_left or belayed(state):
        return []
    return alone.work(state)
