"""Whatever happens to several agents, these hold. The world is a list of numbers; when it runs out, all goes well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from plans import plans
from worlds import BASE, CHECKS, FAILED, PASSED, answered
from worlds_together import NEW_TEST_FAILS, Rope, parts, together

from ropeteam.core import events as ev
from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.fitting import fitted
from ropeteam.core.history import past
from ropeteam.core.model import (
    AgentReport,
    FileChange,
    Finding,
    LandedReason,
    Outcome,
    Plan,
    PlanEstimate,
    RequestNote,
    Trigger,
    UnitEstimate,
    Usage,
)
from ropeteam.core.plan_batches import layered
from ropeteam.core.progress import left, pieces, units
from ropeteam.core.report import exit_code, report
from ropeteam.core.schedule import fold
from ropeteam.core.settings import Limits
from ropeteam.core.timing import critical_attempts

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)[1:]  # all but ok
REASONS: tuple[LandedReason, ...] = get_args(LandedReason)[2:]  # of a refusal
DISK = ev.TriggerFired(trigger=Trigger(id="disk_nearly_full", evidence="90 MB are free.", action="park"))
STANDING = ("parked", "interrupted", "ended")
FALLS = ("salvage", "strict")


class RandomRope(Rope):
    """Answers what is open as the numbers say, and checks after every step what must always hold."""

    def __init__(self, numbers: list[int], first: ev.RunStarted) -> None:
        self.numbers = numbers
        self.busy: set[str] = set()
        self.passed: set[str] = set()
        self.snapshots = {BASE}
        self.empty: set[str] = set()
        self.composed: set[str] = set()
        self.injected = 0
        self.landed = 0
        self.resumed_at = 0.0
        super().__init__(first)

    def pick(self, n: int) -> int:
        """A number below n; 0 once the numbers have run out."""
        return self.numbers.pop() % n if self.numbers and n > 1 else 0

    # ---- what must always hold

    def _step(self, event: ev.AnyEvent) -> tuple[ev.AnyCommand, ...]:
        before = self.state
        self._note(event)
        self._forget(event)
        commands = super()._step(event)
        for c in commands:
            assert c.key not in self.busy, f"{c.key} is asked for while it is under way"
            self.busy.add(c.key)
            self._check_command(c)
        keys = {c.key for c in commands}
        assert not {f"stop:{key}" for key in keys} & keys, "asked for and told to stop at once"
        now = self.state
        assert set(now.open) == self.busy, "what is under way is not what was asked for and not answered"
        self._check_agents()
        self._check_integration(before.ground if before.started else BASE)
        assert before.tip in ("", now.tip), "a validated result was replaced"
        if before.outcome and before.outcome != "not_delivered":
            assert now.outcome == before.outcome
        return commands

    def _forget(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.AttemptStarted):  # what was only not to begin goes on
            stop = self.state.open.get(f"stop:agent:{event.attempt}")
            self.busy -= {stop.key} if isinstance(stop, ev.Stop) and stop.unless_begun else set()
        key = answered(event)
        if key is not None:
            assert key in self.busy or key.startswith("fire:"), f"{key} was not asked for"
            self.busy -= {key, f"stop:{key}"}
        elif isinstance(event, ev.Resumed):  # of a process that is gone
            over = self.state.outcome not in (None, "not_delivered")
            self.busy = set() if over else {k for k in self.busy if not k.startswith("stop:")}

    def _note(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.CandidatePassed():
                self.passed.add(event.commit)
            case ev.Merged() if event.commit == event.onto:
                self.empty.add(event.attempt)
            case ev.Composed():
                assert event.tip in self.passed
                self.composed.add(event.head)
            case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost() | ev.AttemptKept():
                if event.result.commit:
                    self.snapshots.add(event.result.commit)
            case ev.Landed():
                self.landed += 1
            case ev.RunEnded():
                assert self.state.outcome is None
                others = {k for k in self.state.open if k != "Finish"}
                assert not others, f"the run ends while {others} are under way"

    def _check_agents(self) -> None:
        now = self.state
        known = {u.id for u in units(now)}
        under_way = list(now.under_way())
        at_work = [c for c in under_way if c.unit in known]
        workers = now.begun.settings.workers if now.started else 0
        assert len(at_work) <= workers, "wider than it may be"
        slots = [c.slot for c in under_way]
        assert len(set(slots)) == len(slots), f"two attempts in one slot: {slots}"
        assert min(slots, default=1) >= 1
        assert max(slots, default=1) <= workers + 1
        names = [c.unit for c in under_way]
        assert len(set(names)) == len(names), f"two attempts of one unit: {names}"
        assert "rest" not in names or not at_work, "rest works beside others"
        assert len({a.id for a in now.attempts}) == len(now.attempts)
        assert len([c for c in now.open.values() if isinstance(c, ev.Merge)]) <= 1
        assert len([c for c in now.open.values() if isinstance(c, ev.Validate)]) <= 1

    def _check_integration(self, before: str) -> None:
        now = self.state
        if now.plan is None or not now.together:
            return
        here = parts(now.ground)
        assert now.ground == BASE or now.ground in self.passed, "a checkpoint that did not pass"
        assert f"{now.ground}>".startswith(f"{before}>"), "validated work was dropped"
        assert len(set(here)) == len(here), "work is in there twice"
        done = {a.id for a in pieces(now) if a.stage == "validated"}
        assert set(here) <= done
        assert done - set(here) <= self.empty
        under = now.ground
        for id in now.line:
            a = now.attempt(id)
            assert a.stage == "merged"
            assert a.merged in (f"{under}>{id}", under), "the line is not one line"
            under = a.merged
        assert not now.line or now.fallen != "strict"
        assert now.suspects <= len(now.line)
        assert now.suspects != 1
        merged = {a.id for a in pieces(now) if a.stage == "merged"}
        assert merged == set(now.line), "merged and in no line"
        last = {a.unit: a for a in pieces(now)}
        for a in pieces(now):
            waits = a.stage in ("running", "ended", "merged") or a.again
            assert a.id == last[a.unit].id or not waits, "an old attempt is waited for"

    def _check_command(self, c: ev.AnyCommand) -> None:
        now = self.state
        match c:
            case ev.Compose():
                assert c.tip in self.passed
                assert now.ending is not None
            case ev.Land() | ev.LeaveBranch():
                assert c.head in self.passed | self.composed
                assert now.ending is not None
                assert now.ending.startswith("delivered")
                assert self.landed == 0
            case ev.RunAgent():
                self._check_start(c)
            case ev.Merge():
                a = now.attempt(c.attempt)
                assert a.stage == "ended"
                assert c.commit in self.snapshots
                if a.unit == "belay":
                    assert c.onto == BASE
                elif a.unit == "rest":
                    assert c.onto == now.ground
                else:
                    assert c.onto == (now.attempt(now.line[-1]).merged if now.line else now.ground)
            case ev.Validate():
                assert c.base == BASE
                assert not now.pending
                assert now.gauged or not (c.last or not c.keep), "delivered by checks that may tell nothing"
            case ev.Stop():
                assert c.target in now.open
            case _:
                pass

    def _check_start(self, c: ev.RunAgent) -> None:
        now = self.state
        tries = [a for a in now.attempts if a.unit == c.unit]
        assert c.attempt == f"{c.unit}/{len(tries) + 1}"
        assert c.start in self.snapshots or c.start == BASE or c.start in self.passed
        assert c.base == BASE or (c.base in self.passed and f"{now.ground}>".startswith(f"{c.base}>"))
        if not tries:
            assert c.start == c.base == (BASE if c.unit == "belay" else now.ground)
        if c.unit == "rest":
            assert now.fallen
            assert not now.line
            return
        if c.unit == "belay":
            assert c.slot == now.begun.settings.workers + 1
            return
        unit = now.plan_unit(c.unit)
        done = {a.unit for a in pieces(now) if a.stage == "validated"}
        assert c.unit not in done
        assert done >= set(unit.needs), "it begins before what it needs is validated"
        assert now.plan is not None
        if now.plan.barriers:
            assert done >= {u.id for u in units(now) if u.batch < unit.batch}
        if now.fallen:
            assert now.fallen == "salvage"
            assert tries, "something new starts after the fall"
        assert not tries or tries[-1].stage in ("failed", "lost", "stopped"), "an ejected unit is tried again"

    def check_standing(self) -> None:
        """Between two events of the world: nothing is forgotten, and what stands still says so."""
        assert self.state.pending == ()
        if not self.state.open:
            assert self.state.phase in STANDING, "it stands still and does not know it"
        elif self.state.phase in ("parked", "interrupted"):
            raise AssertionError(f"{self.state.phase} with {sorted(self.state.open)} under way")
        fired = [e for e in self.events if isinstance(e, ev.TriggerFired)]
        assert len(fired) - self.injected == len(self.asked_for(ev.Fire))
        assert self.landed <= 1

    # ---- one step of the world

    def move(self, chaos: bool) -> None:
        if chaos and self.pick(12) == 11:
            ways = self.from_outside()
            ways[self.pick(len(ways))]()
        else:
            answers = self.answers(chaos)
            answers[self.pick(len(answers)) if chaos else 0]()
        self.check_standing()

    def from_outside(self) -> list[Callable[[], Any]]:
        crash, more = self.crash, lambda: self.crash(budget_usd=50.0)
        return [crash, more, self.interrupt, self.disk, crash, more, self.interrupt, self.disk, crash, self.cancel]

    def crash(self, **limits: float) -> None:
        self.resume(**limits)
        self.resumed_at = self.now

    def disk(self) -> None:
        if not self.state.stop and self.state.outcome is None:
            self.injected += 1
            self.happen(DISK)

    def answers(self, chaos: bool) -> list[Callable[[], Any]]:
        """What may come of the commands under way; the first is what goes well."""
        if not self.state.open:
            return [lambda: self.crash(budget_usd=1e6, budget_tokens=10**9, run_seconds=1e9)]
        working = [c for c in self.state.open.values() if not isinstance(c, ev.Stop)]
        c = working[self.pick(len(working)) if chaos else 0]
        told = f"stop:{c.key}" in self.state.open
        good = self.good(c)
        stopped: Callable[[], Any] = lambda: self.happen(ev.CommandStopped(key=c.key))  # noqa: E731
        begun = isinstance(c, ev.RunAgent) and any(a.id == c.attempt for a in self.state.attempts)
        if told and begun:
            good = [lambda: self.fail("killed", commit=(None, "")[self.pick(2)]), *good]
        elif told and isinstance(c, ev.MeasureBaseline | ev.Validate | ev.Ask | ev.RunAgent | ev.Merge):
            good = [stopped, *good]
        return [
            *good * max(1, 8 // len(good)),
            lambda: self.happen(ev.CommandFailed(key=c.key, error="git ended with 128")),
            lambda: (self.disk(), c.key in self.state.open and stopped()),
        ]

    def good(self, c: ev.AnyCommand) -> list[Callable[[], Any]]:
        match c:
            case ev.MeasureBaseline():
                measured = ev.BaselineMeasured(commit=c.commit, checks=CHECKS)
                return [lambda: self.happen(measured), lambda: self.happen(replace(measured, final=False))]
            case ev.RunAgent():
                return self.agent(c)
            case ev.Keep():
                return [lambda: self.keep((None, "")[self.pick(2)] if self.pick(3) else "")]
            case ev.Merge():
                return [
                    self.merge,
                    self.merge,
                    lambda: self.merge(empty=c.attempt.partition("/")[0] not in ("rest", "belay")),
                    lambda: self.merge(findings=(Finding(path="a.py", message="invalid syntax"),)),
                    self.conflict,
                ]
            case ev.Validate():
                pass_, fail = (
                    ev.CandidatePassed(commit=c.commit, checks=PASSED),
                    ev.CandidateFailed(commit=c.commit, checks=FAILED),
                )
                some = ev.CandidatePassed(commit=c.commit, checks=NEW_TEST_FAILS, complete=False)
                return [
                    lambda: self.happen(pass_),
                    lambda: self.happen(some if c.keep else fail),
                    lambda: self.happen(fail),
                ]
            case ev.Compose():
                return [self.compose, lambda: self.compose("02-implementation.md")]
            case ev.Ask():
                return [lambda: self.answer(True), lambda: self.answer(False)]
            case ev.Land():
                return [
                    lambda: self.happen(ev.Landed(head=c.head, branch=c.branch)),
                    self.touch,
                    lambda: self.refuse(REASONS[self.pick(len(REASONS))]),
                ]
            case ev.LeaveBranch():
                return [lambda: self.leave(write=False)]
            case ev.WriteDocuments():
                return [self.write]
            case _:
                raise AssertionError(f"{c.key} was not answered at once")

    def agent(self, c: ev.RunAgent) -> list[Callable[[], Any]]:
        self.at(c.unit)
        known = [a for a in self.state.attempts if a.id == c.attempt]
        if not known:
            return [lambda: self.begin(c.unit)]
        cost = self.pick(16) / 4
        full = self.pick(6) * 200
        usage = Usage(cost_usd=cost, output=int(cost * 100), context_used=full, context_limit=1100)
        commit = "" if self.pick(4) < 3 else None
        ways: list[Callable[[], Any]] = [
            lambda: self.succeed(usage=Usage(cost_usd=cost, output=int(cost))),
            lambda: self.succeed(usage=usage, report=self._asks()),
            lambda: self.happen(ev.UsageReported(attempt=c.attempt, usage=usage)),
            lambda: self.succeed(changes=self._changes(c.unit)),
            lambda: self.fail(
                OUTCOMES[self.pick(len(OUTCOMES))],
                commit=commit,
                usage=Usage(cost_usd=cost),
                retry_at=(None, self.now + 100, self.now + 10_000)[self.pick(3)],
            ),
        ]
        if known[0].started_at < self.resumed_at:
            ways.append(lambda: self.lose(commit=commit))
        return ways

    def _asks(self) -> AgentReport:
        names = [u.id for u in units(self.state)]
        path = f"{names[self.pick(len(names))]}/x.py" if self.pick(4) else "nobody/x.py"
        return AgentReport(requests=(RequestNote(path=path, what=f"a line, number {self.pick(3)}"),))

    def _changes(self, unit: str) -> tuple[FileChange, ...]:
        names = [u.id for u in units(self.state)]
        count = self.pick(7)
        strange = [FileChange(path=f"free/{n}.py", kind="created") for n in range(count)]
        if not count:
            strange = [FileChange(path=f"{names[self.pick(len(names))]}/y.py", kind="modified")]
        return (FileChange(path=f"{self.folder(unit)}x.py", kind="created"), *strange)


@st.composite
def laid_out(draw: st.DrawFn, predicted: bool = False) -> Plan:
    """predicted: then it is looked again at what has not begun, which may be joined or left to one agent."""
    plan = draw(plans(most=7))
    done = layered(replace(plan, batches=(), barriers=False), "auto")
    return replace(done, barriers=plan.barriers, estimate=PlanEstimate() if predicted else None)


limits = st.builds(
    Limits,
    tries=st.integers(1, 3),
    budget_usd=st.sampled_from([None, None, None, 0.0, 5.0, 20.0]),
    budget_tokens=st.sampled_from([None, None, 2000]),
    run_seconds=st.sampled_from([None, None, 500.0]),
    undeclared_files=st.sampled_from([0, 5]),
)


@st.composite
def firsts_of(draw: st.DrawFn, predicted: bool = False) -> ev.RunStarted:
    plan = draw(laid_out(predicted))
    modes = ["parallel", "auto"] if predicted and graph.width(plan) > 1 else ["parallel"]
    return together(
        plan=plan,
        workers=draw(st.integers(1, 6)),
        fallback=draw(st.sampled_from(FALLS)),
        belay=draw(st.booleans()),
        limits=draw(limits),
        land=draw(st.sampled_from(["yes", "no", "ask"])),
        mode=draw(st.sampled_from(modes)),
    )


firsts = firsts_of()
numbers = st.binary(max_size=60).map(list) | st.binary(min_size=80, max_size=400).map(list)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, first=firsts)
def test_every_run_of_several_ends_and_keeps_its_promises(numbers: list[int], first: ev.RunStarted) -> None:
    check_promises(numbers, first)


def check_promises(numbers: list[int], first: ev.RunStarted) -> None:
    w = RandomRope(numbers, first)
    w.check_standing()
    while w.numbers and not over(w):
        w.move(chaos=True)
    check_ended(go_well(w))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, first=firsts_of(predicted=True))
def test_so_does_one_that_is_looked_at_again_on_its_way(numbers: list[int], first: ev.RunStarted) -> None:
    check_promises(numbers, first)


def go_well(w: RandomRope) -> RandomRope:
    """From here all goes well, and who has to allow more allows it."""
    for _ in range(200):
        if over(w):
            break
        w.move(chaos=False)
    return w


def over(w: RandomRope) -> bool:
    return w.state.phase == "ended" and not w.state.open and w.state.outcome != "not_delivered"


def check_ended(w: RandomRope) -> None:
    state = w.state
    assert state.phase == "ended", sorted(state.open)
    assert state.open == {}
    check_outcome(w)
    said = report(state)
    assert msgspec.json.decode(msgspec.json.encode(said), type=type(said)) == said
    assert exit_code(state) in (0, 1, 3)
    check_past(w)
    journal = msgspec.json.decode(msgspec.json.encode(w.events), type=list[ev.AnyEvent])
    assert fold(journal) == state
    w.resume()
    assert report(w.state) == said
    assert w.state.open == {}


def check_past(w: RandomRope) -> None:
    """What it tells later runs: all of its attempts, none twice, and validated ones alone as measures."""
    told = past(w.state)
    assert told is not None
    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
    assert len(told.observations) == sum(a.stage not in ("running", "lost") for a in w.state.attempts)
    good = [o.unit for o in told.observations if o.good]
    assert sorted(good) == sorted(a.unit for a in w.state.attempts if a.stage == "validated" and a.kind != "plan")
    assert min((*told.validations, *told.merges, *told.trees), default=0.0) >= 0.0
    costs = fitted(Costs(), [told], told.agent)
    assert costs.runs == bool(good)


def check_outcome(w: RandomRope) -> None:
    """The ending is the one that the triggers and the result say."""
    state = w.state
    assert (state.outcome == "cancelled") == ("cancelled" in [t.id for t in state.triggers])
    if state.outcome == "cancelled":
        return
    said = report(state)
    fell = any(t.action in FALLS for t in state.triggers)
    assert state.landed or state.branch
    here = parts(state.tip)
    assert state.tip in w.passed
    if said.winner == "belay":
        assert [p.partition("/")[0] for p in here] == ["belay"]
        assert state.outcome == ("delivered_after_fallback" if fell else "delivered_single")
        return
    assert said.winner == "parallel"
    assert state.outcome == ("delivered_after_fallback" if fell else "delivered_parallel")
    whole = [*parts(state.ground)]
    if here != tuple(whole):  # and on top of all that is validated the rest
        assert here[:-1] == tuple(whole)
        assert here[-1].startswith("rest/")
        assert fell
    else:
        assert not left(state)
    if not fell:
        assert {a.unit for a in pieces(state) if a.stage == "validated"} == {u.id for u in units(state)}


# ---- a crash changes nothing


class ScriptedRope(RandomRope):
    """Who answers next and what comes of it depends only on how many answers there were before: not on crashes."""

    def __init__(self, turns: list[int], ways: dict[str, list[int]], crashes: set[int], first: ev.RunStarted) -> None:
        self.turns = list(reversed(turns))
        self.ways = {kind: list(reversed(some)) for kind, some in ways.items()}
        self.crashes = crashes
        super().__init__([], first)

    def answers(self, chaos: bool) -> list[Callable[[], Any]]:
        working = [c for c in self.state.open.values() if not isinstance(c, ev.Stop)]
        c = working[(self.turns.pop() if self.turns else 0) % len(working)]
        ways = [*self.good(c), lambda: self.happen(ev.CommandFailed(key=c.key, error="git ended with 128"))]
        if f"stop:{c.key}" in self.state.open:
            ways = [lambda: self._stopped(c), *self.good(c)]
        some = self.ways.get(type(c).__name__, [])
        return [ways[some.pop() % len(ways) if some else 0]]

    def go(self) -> ScriptedRope:
        for i in range(300):
            if self.state.phase in STANDING:
                return self
            self.move(chaos=False)
            # A resume of a run that is about to park is the resume that it would have waited for.
            quiet = not self.state.stop and not self.state.parking
            if i in self.crashes and self.state.phase not in STANDING and quiet:
                self.resume()
        raise AssertionError("it does not end")


KINDS = ["MeasureBaseline", "RunAgent", "Keep", "Merge", "Validate", "Compose", "Ask", "Land", "LeaveBranch"]
ways = st.fixed_dictionaries({kind: st.lists(st.integers(0, 11), max_size=8) for kind in KINDS})
turns = st.lists(st.integers(0, 7), max_size=30)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=turns, ways=ways, crashes=st.sets(st.integers(0, 60), min_size=1, max_size=12), first=firsts)
def test_a_run_of_several_killed_and_resumed_ends_as_if_it_had_not_been(
    turns: list[int], ways: dict[str, list[int]], crashes: set[int], first: ev.RunStarted
) -> None:
    check_resumed(turns, ways, crashes, first)


def check_resumed(turns: list[int], ways: dict[str, list[int]], crashes: set[int], first: ev.RunStarted) -> None:
    straight = ScriptedRope(turns, ways, set(), first).go()
    killed = ScriptedRope(turns, ways, crashes, first).go()
    one, other = straight.state, killed.state
    assert (other.phase, other.outcome, other.tip) == (one.phase, one.outcome, one.tip)
    assert (other.landed, other.branch, other.checkpoint) == (one.landed, one.branch, one.checkpoint)
    assert [(a.id, a.stage, a.merged) for a in other.attempts] == [(a.id, a.stage, a.merged) for a in one.attempts]
    assert killed.fell() == straight.fell()
    keys = [[c.key for c in w.issued if not isinstance(c, ev.Stop)] for w in (straight, killed)]
    assert keys[0] == keys[1]


# ---- checks that tell the truth find who is at fault, and nobody else


class Truthful(RandomRope):
    """Everything goes well but for the work of some units, which fails the checks wherever it is."""

    def __init__(self, numbers: list[int], first: ev.RunStarted, culprits: frozenset[str]) -> None:
        self.culprits = culprits
        super().__init__(numbers, first)

    def go(self) -> Truthful:
        for _ in range(300):
            if self.state.phase in STANDING:
                return self
            told = [c for c in self.state.open.values() if f"stop:{c.key}" in self.state.open]
            working = told or [c for c in self.state.open.values() if not isinstance(c, ev.Stop)]
            c = working[self.pick(len(working))]
            if told:
                self._stopped(c)
            elif isinstance(c, ev.Validate):
                here = {id.partition("/")[0] for id in parts(c.commit)}
                self.validate(not here & self.culprits)
            else:
                self.good(c)[0]()
            self.check_standing()
        raise AssertionError("it does not end")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, first=firsts, guilty=st.sets(st.integers(0, 6), max_size=3))
def test_whoever_is_at_fault_is_found_and_nobody_else(
    numbers: list[int], first: ev.RunStarted, guilty: set[int]
) -> None:
    check_truth(numbers, first, guilty)


def check_truth(numbers: list[int], first: ev.RunStarted, guilty: set[int]) -> None:
    assert first.plan is not None
    ids = [u.id for u in first.plan.units]
    culprits = frozenset(ids[g] for g in guilty if g < len(ids))
    plain = replace(first.settings, limits=Limits())
    answers = replace(first.answers, belay=False, land="yes")
    w = Truthful(numbers, replace(first, settings=plain, answers=answers), culprits).go()
    state = w.state
    ejected = {a.unit for a in pieces(state) if a.stage == "ejected" and a.counted}
    assert ejected <= culprits, "taken out, and not at fault"
    assert {t.id for t in state.triggers} <= {"batch_validation_failed"}
    good = {p.partition("/")[0] for p in parts(state.ground)}
    if not culprits:
        assert state.outcome == "delivered_parallel"
        assert good == set(ids)
        assert not any(isinstance(e, ev.CandidateFailed) for e in w.events)
        return
    assert state.outcome == "delivered_after_fallback"
    assert ejected
    assert parts(state.tip) == (*parts(state.ground), "rest/1")
    assert not good & culprits
    assert len(state.triggers) == len(ejected)
    looks = len(w.asked_for(ev.Validate))
    assert looks <= len(ids) * 3 + 3, "more looks than halving needs"


# ---- nobody waits who need not


class Timed(Rope):
    """Agents take exactly as long as was estimated; merges and checks take no time."""

    tick = 0.0

    def go(self) -> float:
        began, ends = self.now, dict[str, float]()
        while self.state.phase not in STANDING:
            c = next((c for c in self.state.open.values() if c.key not in ends), None)
            if c is None:
                key = min(ends, key=ends.__getitem__)
                agent = self.state.open[key]
                assert isinstance(agent, ev.RunAgent)
                self.at(agent.unit).succeed(seconds=ends.pop(key) - self.now)
                last = self.now
                continue
            if isinstance(c, ev.RunAgent):
                assert self.state.plan is not None
                ends[c.key] = self.now + graph.weights(self.state.plan)[c.unit]
            self.go_on_with(c)
        return last - began


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=laid_out(), workers=st.integers(1, 8), seconds=st.permutations(range(7)))
def test_nobody_waits_who_need_not(plan: Plan, workers: int, seconds: list[int]) -> None:
    """With checks that take no time: as long as the longest chain where everybody finds a worker, else within Graham's
    bound. (Not the list schedule: a worker that is free takes what can begin now, not what can once a check is done.)

    Fractions that differ in every sum, so that no two attempts end at once.
    """
    estimates = (UnitEstimate(seconds_p50=float(s + 1) + 2.0 ** -(s + 3)) for s in seconds)
    plan = replace(plan, units=tuple(replace(u, estimate=e) for u, e in zip(plan.units, estimates, strict=False)))
    w = Timed(together(plan, workers=workers, land="no"))
    took, alone = w.go(), sum(graph.weights(plan).values())
    longest = max(graph.tails(plan).values())
    assert w.state.outcome == "delivered_parallel"
    if workers >= graph.width(plan):
        assert took == pytest.approx(longest)
    assert max(alone / workers, longest) - 1e-6 <= took
    assert took <= alone / workers + (1 - 1 / workers) * longest + 1e-6
    chain = [w.state.attempt(id) for id in critical_attempts(w.state)]
    assert sum(a.ended_at - a.started_at for a in chain) == pytest.approx(took), "the critical path is the whole run"
