"""Host mode: what who asks for a unit gets, what becomes of one that is late, and where the time goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from several import Several
from test_together_properties import RandomRope, check_ended, firsts, go_well, numbers, over
from worlds import CHECKS

from ropeteam.cli.outline import progress
from ropeteam.core import events as ev
from ropeteam.core.history import past
from ropeteam.core.hosting import (
    ABANDONED,
    BeginAnew,
    Give,
    HostUnit,
    NoMore,
    Offer,
    Wait,
    answer,
    brief,
    next_step,
    of_overdue,
    overdue,
    stands_still,
    why_still,
)
from ropeteam.core.model import AttemptResult, Usage
from ropeteam.core.report import report
from ropeteam.core.state import AttemptState


class Host(Several):
    """Agents of a host: offered first, at work once they are taken."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.offers: dict[str, Offer] = {}

    def offered(self, *units: str) -> Host:
        """They become ready, all without a name."""
        for c in self.all(ev.RunAgent):
            if c.attempt not in self.state.offered and (not units or c.unit in units) and c.attempt not in self.offers:
                self.happen(ev.AttemptOffered(attempt=c.attempt, tree=f"/t/{c.attempt}", agent="host"))
                self.offers[c.attempt] = offer(c.attempt, at=self.now)
        if self.all(ev.MeasureBaseline):
            self.happen(ev.BaselineMeasured(commit="base", checks=CHECKS))
        return self

    def taken(self, *attempts: str, after: float = 10.0) -> Host:
        """At that moment; the run hears of it two seconds later."""
        for id in attempts:
            c = next(c for c in self.all(ev.RunAgent) if c.attempt == id)
            taken_at = self.now + after
            self.offers[id] = replace(self.offers[id], state="taken", taken_at=taken_at, changed_at=taken_at)
            begun = ev.AttemptStarted(
                attempt=id, tree="/t", folder="/f", start=c.start, agent="host", slot=c.slot, since=taken_at, by="me"
            )
            self.happen(begun, after=after + 2.0)
        return self

    def handed(self, unit: str, *, after: float = 60.0, usage: Usage | None = None) -> Host:
        a = self.state.attempt(self.agent(unit).attempt)
        self.offers[a.id] = replace(self.offers[a.id], state="over")
        self.now += after
        result = AttemptResult(seconds=self.now - a.started_at, commit=f"work-of-{a.id}", usage=usage or Usage())
        self.happen(ev.AttemptSucceeded(attempt=a.id, result=result), after=0.0)
        return self

    def late(self, unit: str) -> Host:
        """A successor is wanted."""
        a = self.state.attempt(self.agent(unit).attempt)
        self.offers[a.id] = replace(self.offers[a.id], state="over")
        result = AttemptResult(seconds=30.0, commit=f"work-of-{a.id}", evidence="Nothing changed for an hour.")
        self.happen(ev.AttemptFailed(attempt=a.id, outcome="timeout", result=result))
        return self

    def asked(self) -> Give | BeginAnew | Wait | NoMore:
        return answer(self.state, list(self.offers.values()), self.now)

    def attempt(self, id: str) -> AttemptState:
        return self.state.attempt(id)


def offer(attempt: str, *, at: float = 0.0, **more: Any) -> Offer:
    unit = HostUnit(
        id=attempt.partition("/")[0],
        attempt=attempt,
        kind="unit",
        title="",
        goal="",
        brief="",
        prompt="",
        prompt_file="/p",
        tree="/t",
        writes=(),
        needs=(),
        report_file="/r",
        deadline=0.0,
    )
    return Offer(attempt=attempt, unit=unit, seconds=3600.0, at=at, **more)


def at_the_three() -> Host:
    """The contract is validated; three units that need it are offered."""
    w = Host().offered().taken("01-contract/1")
    w.handed("01-contract").merges().holds()
    return w.offered()


# ---- who asks


def test_what_was_ready_first_is_given_first_and_until_then_one_waits() -> None:
    w = Host()
    assert w.asked() == Wait(seconds=2.0, why="a unit is being made ready")
    w.offered()
    assert w.asked() == Give(attempt="01-contract/1")
    w.taken("01-contract/1")
    waits = w.asked()
    assert isinstance(waits, Wait)
    assert (waits.seconds, waits.why.partition(" are ")[0].partition(" is ")[0]) == (10.0, "1 unit")
    w.handed("01-contract")
    assert w.asked() == Wait(seconds=2.0, why="work is being merged and validated")
    w.merges().holds().offered()
    assert w.asked() == Give(attempt=min(w.state.offered, key=lambda id: w.state.offered[id]))


def test_no_more_units_are_out_than_there_are_workers() -> None:
    w = Host(workers=2).offered().taken("01-contract/1")
    w.handed("01-contract").merges().holds()
    w.offered()
    assert len(w.state.offered) == 2  # those that wait to be taken count
    w.taken(*w.state.offered)
    w.offered()
    assert (w.state.offered, len(w.state.under_way())) == ({}, 2)


def test_an_overdue_one_is_begun_anew_only_when_there_is_nothing_else() -> None:
    w = at_the_three().taken("02-models/1", "03-api/1")
    w.now += 3601.0
    assert [overdue(o, w.now) for o in w.offers.values()] == [False, True, True, False]
    assert w.asked() == Give(attempt="04-mails/1")
    w.taken("04-mails/1")
    assert w.asked() == BeginAnew(attempt="02-models/1")
    w.offers["02-models/1"] = replace(w.offers["02-models/1"], wanted=True)
    assert w.asked() == BeginAnew(attempt="03-api/1")
    w.offers["03-api/1"] = replace(w.offers["03-api/1"], wanted=True)
    assert w.asked() == Wait(seconds=2.0, why="a successor of an overdue attempt is being made ready")


def test_nothing_is_begun_anew_while_something_else_may_become_ready() -> None:
    w = at_the_three().taken("02-models/1", "03-api/1", "04-mails/1")
    w.now += 3601.0
    w.offers["04-mails/1"] = replace(w.offers["04-mails/1"], state="handed")
    assert w.asked() == Wait(seconds=2.0, why="what was handed in is being looked at")
    w.handed("04-mails", after=1.0)
    assert w.asked() == Wait(seconds=2.0, why="work is being merged and validated")
    w.merges().holds()
    assert w.asked() == BeginAnew(attempt="02-models/1")


def test_a_run_that_stands_still_has_no_more_to_give_and_says_why() -> None:
    w = at_the_three()
    w.happen(ev.InterruptAsked())
    assert isinstance(w.asked(), Wait)  # it is only stopping: what is ready is not given any more
    for c in w.all(ev.RunAgent):
        w.happen(ev.CommandStopped(key=c.key))
    assert stands_still(w.state)
    assert (w.asked(), why_still(w.state)) == (NoMore(), "It was interrupted.")
    w.happen(ev.Resumed())
    assert not stands_still(w.state)
    assert {c.attempt for c in w.state.under_way()} == {"02-models/1", "03-api/1", "04-mails/1"}


# ---- one that was taken


@pytest.mark.parametrize(
    ("what", "asked", "wanted"),
    [
        ({"state": "taken", "changed_at": 100.0}, "", "wait"),
        ({"state": "taken", "changed_at": 100.0}, "cancel", "stop"),
        ({"state": "handed", "changed_at": 100.0}, "cancel", "handed"),  # it came before the stop was seen
        ({"state": "taken", "changed_at": -3600.0}, "", "wait"),  # overdue, and nobody else wants it
        ({"state": "taken", "changed_at": -3600.0, "wanted": True}, "", "overdue"),
        ({"state": "taken", "changed_at": 100.0, "wanted": True}, "", "wait"),  # it moved after all
        ({"state": "over", "wanted": True}, "", "overdue"),
        ({"state": "over"}, "", "stop"),
    ],
)
def test_what_is_done_with_it(what: dict[str, Any], asked: str, wanted: str) -> None:
    assert next_step(offer("a/1", **what), asked=asked, now=101.0) == wanted


def test_the_evidence_of_an_overdue_one_has_its_numbers() -> None:
    said = of_overdue(offer("a/1", state="taken", changed_at=0.0), 7200.0)
    assert "120 min" in said
    assert "3600" in said


def test_what_a_dead_process_took_is_given_again_before_anything_else() -> None:
    w = at_the_three().taken("02-models/1")
    offers = list(w.offers.values())
    assert answer(w.state, offers, w.now, ["02-models/1"]) == Give(attempt="02-models/1", again=True)
    assert answer(w.state, offers, w.now, ["01-contract/1"]) == w.asked()  # that one is over


def test_one_in_whose_tree_nothing_changes_for_long_is_told_with_the_way_out() -> None:
    w = Host().offered().taken("01-contract/1")
    assert isinstance(waits := w.asked(), Wait)
    assert "abandon" not in waits.why
    w.now += 1200.0
    assert isinstance(waits := w.asked(), Wait)
    assert "01-contract/1 for 20 min" in waits.why
    assert f"`ropeteam hand-in --run {w.state.begun.run} 01-contract/1 --abandon`" in waits.why


def test_one_that_was_given_back_is_begun_anew_and_says_why() -> None:
    back = offer("a/1", state="over", wanted=True, why=ABANDONED)
    assert next_step(back, asked="", now=101.0) == "overdue"
    assert of_overdue(back, 7200.0).startswith("It was given back undone")


# ---- what the state makes of it


def test_its_work_begins_when_it_is_taken_and_the_wait_is_nobodys() -> None:
    w = Host().offered()
    w.taken("01-contract/1", after=600.0)
    a, o = w.attempt("01-contract/1"), w.offers["01-contract/1"]
    assert (a.hosted, a.offered_at, a.started_at, a.by) == (True, o.at, o.taken_at, "me")
    assert o.taken_at - o.at > 600
    assert (w.state.offered, [s.of for s in w.state.spans if s.kind == "offer"]) == ({}, ["01-contract/1"])
    w.handed("01-contract", after=60.0).merges().holds()
    told = report(w.state)
    assert told.actual.seconds > 660
    assert told.actual.orchestration_seconds < 20
    for _ in range(2):
        w.happen(ev.InterruptAsked())
    for c in w.all(ev.RunAgent):
        w.happen(ev.CommandStopped(key=c.key))
    w.happen(ev.CancelAsked())
    seen = past(w.state)
    assert seen is not None
    assert max(seen.trees) < 5  # making the tree took a second, not ten minutes


def test_an_overdue_one_counts_as_no_failure_and_goes_on_from_its_snapshot() -> None:
    w = at_the_three().taken("02-models/1").late("02-models")
    a = w.attempt("02-models/1")
    assert (a.stage, a.outcome, a.counted, w.state.fallen) == ("lost", "timeout", False, "")
    assert w.state.triggers == ()
    (c,) = [c for c in w.state.under_way() if c.unit == "02-models"]
    assert (c.attempt, c.start) == ("02-models/2", "work-of-02-models/1")
    assert c.earlier[-1].problem == "Nothing changed for an hour."
    w.offered().taken("02-models/2").handed("02-models")
    assert w.attempt("02-models/2").stage == "ended"


def test_what_nobody_took_is_withdrawn_by_a_fall_and_left_to_the_one_agent() -> None:
    w = at_the_three().taken("02-models/1")
    w.breaks("02-models", "corrupted")
    assert w.state.fallen == "salvage"
    stops = w.all(ev.Stop)
    assert sorted(s.target for s in stops) == ["agent:03-api/1", "agent:04-mails/1"]
    assert all(s.unless_begun for s in stops)
    for s in stops:
        w.happen(ev.CommandStopped(key=s.target))
    assert w.state.offered == {}
    assert [c.unit for c in w.state.under_way()] == ["rest"]


def test_one_that_was_taken_in_that_moment_goes_on() -> None:
    w = at_the_three().taken("02-models/1")
    w.breaks("02-models", "corrupted")
    w.taken("03-api/1")
    assert [s.target for s in w.all(ev.Stop)] == ["agent:04-mails/1"]
    assert w.attempt("03-api/1").stage == "running"


def test_what_came_too_late_is_told_and_decides_nothing() -> None:
    w = at_the_three().taken("02-models/1").late("02-models")
    before = [c.key for c in w.state.open.values()]
    w.happen(ev.HandedInLate(attempt="02-models/1", ref="refs/r/02-models/1-late"))
    w.happen(ev.HandedInLate(attempt="02-models/1", ref="refs/r/02-models/1-late"))
    w.happen(ev.HandedInLate(attempt="99-none/1", ref="refs/r/x"))
    assert [c.key for c in w.state.open.values()] == before
    told = report(w.state)
    assert sum("refs/r/02-models/1-late" in n for n in told.notices) == 1
    assert "refs/r/02-models/1-late" in told.kept


# ---- what it used


def test_what_a_host_did_not_say_is_not_shown_as_nothing() -> None:
    w = at_the_three().taken("02-models/1").handed("02-models")
    told = report(w.state)
    (contract, *_) = told.units
    assert (contract.attempts[0].tokens, contract.attempts[0].cost_usd) == (None, None)
    assert (told.actual.tokens, told.actual.cost_usd) == (None, None)
    assert any("01-contract/1, 02-models/1" in n for n in told.notices)
    assert any("context" in n for n in told.notices)


def test_what_one_said_is_counted() -> None:
    w = at_the_three().taken("02-models/1")
    w.handed("02-models", usage=Usage(input=700, output=300, cost_usd=0.5))
    told = report(w.state)
    assert (told.actual.tokens, told.actual.cost_usd) == (1000, 0.5)
    assert any(n.endswith("no sum: 01-contract/1.") for n in told.notices)


def test_what_nobody_has_taken_is_not_said_to_be_at_work() -> None:
    w = at_the_three().taken("02-models/1")
    said = progress(w.state, w.now)
    assert "at work: 02-models/1, to be taken: " in said
    assert "02-models/1" not in said.partition("to be taken: ")[2]
    assert "03-api/1" in said.partition("to be taken: ")[2]


def test_the_brief_is_short_and_says_what_it_is() -> None:
    w = at_the_three()
    c = next(c for c in w.state.under_way() if c.unit == "02-models")
    words = brief(w.state, c, w.state.plan_unit("02-models"), "Do it. " * 200)
    assert words.startswith("One unit of Checkout.")
    assert "app/02-models.py" in words
    assert len(words) < 800


# ---- whatever happens


class HostedRope(RandomRope):
    """Every attempt is offered before it begins; it may be overdue as often as it likes."""

    def agent(self, c: ev.RunAgent) -> list[Any]:
        known = any(a.id == c.attempt for a in self.state.attempts)
        if not known and c.attempt not in self.state.offered:
            return [lambda: self.happen(ev.AttemptOffered(attempt=c.attempt, tree="/t", agent="host"))]
        return super().agent(c)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, first=firsts)
def test_every_hosted_run_ends_and_keeps_its_promises(numbers: list[int], first: ev.RunStarted) -> None:
    w = HostedRope(numbers, first)
    while w.numbers and not over(w):
        w.move(chaos=True)
    check_ended(go_well(w))
    state = w.state
    assert state.offered == {}
    assert all(a.hosted for a in state.attempts)
    # What failed twice in ropeteam itself takes a unit out of the run, and with it what its overdue attempt had made.
    ours = {t.attempt for t in (*state.triggers, *state.pending) if t.id == "unexpected_problem"}
    late = [a for a in state.attempts if a.outcome == "timeout" and a.id not in ours]
    assert all(a.stage == "lost" and not a.counted for a in late)
    assert all(s.ended >= s.began for s in state.spans)
