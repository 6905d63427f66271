"""Whatever the world does, these hold. The world is a list of numbers; when it runs out, all goes well from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import FAILED, PASSED, World, answered, started

from ropeteam.core import events as ev
from ropeteam.core.history import past
from ropeteam.core.model import Finding, LandedReason, Outcome, Trigger, Usage
from ropeteam.core.report import exit_code, report
from ropeteam.core.schedule import fold
from ropeteam.core.settings import Limits

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)[1:]  # all but ok
REASONS: tuple[LandedReason, ...] = get_args(LandedReason)[2:]  # of a refusal
DISK = ev.TriggerFired(trigger=Trigger(id="disk_nearly_full", evidence="90 MB are free.", action="park"))
STANDING = ("parked", "interrupted", "ended")


class RandomWorld(World):
    """Answers what is open as the numbers say, and checks after every step what must always hold.

    chaos: how many steps may still go wrong or come from outside.
    """

    def __init__(self, numbers: list[int], first: ev.RunStarted, *, plan_at_once: bool) -> None:
        self.numbers = numbers
        self.passed: set[str] = set()
        self.valid: set[str] = set()
        self.snapshots = {first.repo.base}
        self.injected = 0
        self.busy: set[str] = set()
        self.landed = 0
        self.resumed_at = 0.0
        super().__init__(first, plan_at_once=plan_at_once)

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
            self._check_command(c, before.ending == "cancelled" or self.state.ending == "cancelled")
        now = self.state
        assert set(now.open) == self.busy, "what is under way is not what was asked for and not answered"
        assert len(self.all(ev.RunAgent)) <= 1
        assert len([a for a in now.attempts if a.stage == "running"]) <= 1
        assert [a.id for a in now.attempts] == [f"single/{i}" for i in range(1, len(now.attempts) + 1)]
        assert sum(a.counted for a in now.attempts) <= max(now.tries, 1)
        assert before.tip in ("", now.tip), "a validated result was dropped"
        if before.outcome and before.outcome != "not_delivered":
            assert now.outcome == before.outcome
        return commands

    def _forget(self, event: ev.AnyEvent) -> None:
        """What the event answers is not under way any more, nor is its being stopped."""
        key = answered(event)
        if key is not None:
            assert key in self.busy or key.startswith("fire:"), f"{key} was not asked for"
            self.busy -= {key, f"stop:{key}"}
        elif isinstance(event, ev.Resumed):  # of a process that is gone
            over = self.state.outcome in ("delivered_single", "cancelled") and self.state.again is None
            self.busy = set() if over else {k for k in self.busy if not k.startswith("stop:")}
        elif isinstance(event, ev.LandAsked) and "Land" not in self.busy:
            self.busy = set()

    def _note(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.CandidatePassed():
                self.passed.add(event.commit)
                self.valid.add(event.commit)
            case ev.Composed():
                assert event.tip in self.passed
                self.valid.add(event.head)
            case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost() | ev.AttemptKept():
                if event.result.commit:
                    self.snapshots.add(event.result.commit)
            case ev.Landed():
                assert self.state.ending == "delivered_single"
                self.landed += 1
            case ev.RunEnded():
                assert self.state.outcome is None
                assert event.outcome in ("delivered_single", "not_delivered", "cancelled")
                others = {k for k in self.state.open if k != "Finish"}
                assert not others, f"the run ends while {others} are under way"
                if event.outcome == "delivered_single":
                    assert self.state.tip in self.passed
                    assert self.state.landed or self.state.branch

    def _check_command(self, c: ev.AnyCommand, cancelled: bool) -> None:
        match c:
            case ev.Compose():
                assert c.tip in self.passed
            case ev.Land() | ev.LeaveBranch():
                assert c.head in self.valid
                assert not cancelled
                assert self.landed == 0
            case ev.RunAgent():
                assert c.start in self.snapshots
                assert c.base == self.state.base
            case ev.Stop():
                assert c.target in self.state.open
            case _:
                pass

    def check_standing(self) -> None:
        """Between two events of the world: nothing is forgotten, and what stands still says so."""
        assert self.state.pending == ()
        assert not self.all(ev.Fire)
        if not self.state.open:
            assert self.state.phase in STANDING, "it stands still and does not know it"
        elif self.state.phase in ("parked", "interrupted"):
            raise AssertionError(f"{self.state.phase} with {sorted(self.state.open)} under way")
        fired = [e for e in self.events if isinstance(e, ev.TriggerFired)]
        assert len(fired) - self.injected == len(self.asked_for(ev.Fire)) == len(self.state.triggers) - self.injected
        assert self.landed <= 1

    # ---- one step of the world

    def move(self, chaos: bool) -> None:
        outside = self.from_outside() if chaos and self.pick(8) == 7 else []
        if outside:
            outside[self.pick(len(outside))]()
        else:
            answers = self.answers(chaos)
            answers[self.pick(len(answers)) if chaos else 0]()
        self.check_standing()

    def from_outside(self) -> list[Callable[[], Any]]:
        crash, more = self.crash, lambda: self.crash(budget_usd=50.0)
        return [crash, more, self.interrupt, self.disk, crash, more, self.interrupt, self.disk, self.cancel]

    def crash(self, **limits: float) -> None:
        """The orchestrator goes away and another takes over; of an ended run, `resume` or `land` is asked for."""
        if (self.state.outcome or "").startswith("delivered") and self.pick(2):
            self.happen(ev.LandAsked(onto=("base", "tip", "newer")[self.pick(3)], branch="main"))
        else:
            self.resume(**limits)
            self.resumed_at = self.now

    def disk(self) -> None:
        if not self.state.stop and self.state.outcome is None:
            self.injected += 1
            self.happen(DISK)

    def answers(self, chaos: bool) -> list[Callable[[], Any]]:
        """What may come of the commands under way; the first is what goes well."""
        if not self.state.open:
            return [lambda: self.crash(budget_usd=100.0, budget_tokens=10**9, run_seconds=10.0**9)]
        working = [c for c in self.state.open.values() if not isinstance(c, ev.Stop)]
        c = working[self.pick(len(working)) if chaos else 0]
        told = f"stop:{c.key}" in self.state.open
        good = self.good(c)
        stopped = [lambda: self.happen(ev.CommandStopped(key=c.key))]
        begun = isinstance(c, ev.RunAgent) and any(a.id == c.attempt for a in self.state.attempts)
        long = isinstance(c, ev.MeasureBaseline | ev.Validate | ev.Ask | ev.Plan) or (
            isinstance(c, ev.RunAgent) and not begun
        )
        if told and begun:
            good = [lambda: self.fail("killed", commit=(None, "")[self.pick(2)]), *good]
        if told and long:
            good = [*stopped, *good]
        if isinstance(c, ev.Plan):
            return good
        return [
            *good * (6 // len(good)),
            lambda: self.happen(ev.CommandFailed(key=c.key, error="git ended with 128")),
            lambda: (self.disk(), c.key in self.state.open and stopped[0]()),
        ]

    def good(self, c: ev.AnyCommand) -> list[Callable[[], Any]]:
        match c:
            case ev.Plan():
                return [lambda: self.happen(ev.Planned(decision=_decision(self)))]
            case ev.MeasureBaseline():
                return [lambda: self.happen(ev.BaselineMeasured(commit=c.commit, checks=()))]
            case ev.RunAgent():
                return self.agent(c)
            case ev.Keep():
                return [lambda: self.keep((None, "")[self.pick(2)] if self.pick(3) else "")]
            case ev.Merge():
                return [
                    self.merge,
                    lambda: self.merge(findings=(Finding(path="a.py", message="invalid syntax"),)),
                    lambda: self.happen(ev.MergeConflicted(attempt=c.attempt, onto=c.onto, paths=("a.py",))),
                ]
            case ev.Validate():
                return [
                    lambda: self.happen(ev.CandidatePassed(commit=c.commit, checks=PASSED)),
                    lambda: self.happen(ev.CandidateFailed(commit=c.commit, checks=FAILED)),
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
            case ev.Rebase():
                return [
                    lambda: self.happen(ev.Rebased(onto=c.onto, commit=f"{c.head}-on-{c.onto}")),
                    lambda: self.happen(ev.RebaseConflicted(onto=c.onto, paths=("a.py",))),
                ]
            case _:
                raise AssertionError(f"{c.key} was not answered at once")

    def agent(self, c: ev.RunAgent) -> list[Callable[[], Any]]:
        known = [a for a in self.state.attempts if a.id == c.attempt]
        if not known:
            return [self.begin]
        cost = float(self.pick(12))
        commit = "" if self.pick(4) < 3 else None
        ways: list[Callable[[], Any]] = [
            lambda: self.succeed(usage=Usage(cost_usd=cost, output=int(cost))),
            lambda: self.use(cost_usd=cost, output=int(cost * 100)),
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


def _decision(w: World) -> Any:
    from ropeteam.core.decide import decide

    return decide(w.state.begun.answers, None, w.state.begun.settings.gate)


limits = st.builds(
    Limits,
    tries=st.integers(1, 3),
    budget_usd=st.sampled_from([None, None, 0.0, 5.0, 20.0]),
    budget_tokens=st.sampled_from([None, 500]),
    run_seconds=st.sampled_from([None, 150.0]),
)
firsts = st.builds(
    started,
    land=st.sampled_from(["yes", "no", "ask"]),
    include_dirty=st.booleans(),
    branch=st.sampled_from(["main", None]),
    limits=limits,
)
numbers = st.binary(max_size=160).map(list) | st.binary(min_size=60, max_size=160).map(list)


@settings(max_examples=400, deadline=None)
@given(numbers=numbers, first=firsts, plan_at_once=st.booleans())
def test_every_run_ends_and_keeps_its_promises(numbers: list[int], first: ev.RunStarted, plan_at_once: bool) -> None:
    w = RandomWorld(numbers, first, plan_at_once=plan_at_once)
    w.check_standing()
    while w.numbers:
        w.move(chaos=True)
    for _ in range(80):  # from here all goes well
        if w.state.phase == "ended" and not w.state.open and w.state.outcome != "not_delivered":
            break
        w.move(chaos=False)
    check_ended(w)


def check_ended(w: RandomWorld) -> None:
    state = w.state
    assert state.phase == "ended", sorted(state.open)
    assert state.open == {}
    assert state.outcome in ("delivered_single", "cancelled")  # a run that was not delivered was resumed until it was
    assert (state.outcome == "cancelled") == ("cancelled" in [t.id for t in state.triggers])
    said = report(state)
    assert exit_code(state) == expected_exit_code(w)
    told = past(state)
    assert told is not None
    assert [o.unit for o in told.observations if o.good] == [a.unit for a in state.attempts if a.stage == "validated"]
    assert told.seconds == said.actual.seconds
    assert msgspec.json.decode(msgspec.json.encode(said), type=type(said)) == said
    journal = msgspec.json.decode(msgspec.json.encode(w.events), type=list[ev.AnyEvent])
    assert fold(journal) == state
    w.resume()
    assert report(w.state) == said
    assert w.state.open == {}


def expected_exit_code(w: RandomWorld) -> int:
    """From the events alone."""
    said = report(w.state)
    if said.error:
        return 3
    if said.outcome == "cancelled":
        return 1
    asked = any(isinstance(e, ev.LandAsked) and e.at > w.state.ended_at for e in w.events)
    yes = [e.yes for e in w.events if isinstance(e, ev.Answered)]
    wanted = asked or w.state.begun.answers.land == "yes" or (bool(yes) and yes[-1])
    return 1 if wanted and not said.landed and said.landed_reason != "include_dirty" else 0


# ---- a crash changes nothing


class Scripted(RandomWorld):
    """What comes of a command depends only on how many of its kind were answered before: not on crashes."""

    def __init__(self, script: dict[str, list[int]], crashes: set[int], first: ev.RunStarted) -> None:
        self.script = {kind: list(reversed(ways)) for kind, ways in script.items()}
        self.crashes = crashes
        super().__init__([], first, plan_at_once=True)

    def answers(self, chaos: bool) -> list[Callable[[], Any]]:
        c = next(c for c in self.state.open.values() if not isinstance(c, ev.Stop))
        if f"stop:{c.key}" in self.state.open:
            return super().answers(chaos)
        ways = [*self.good(c), lambda: self.happen(ev.CommandFailed(key=c.key, error="git ended with 128"))]
        script = self.script.get(type(c).__name__, [])
        return [ways[script.pop() % len(ways) if script else 0]]

    def go(self) -> Scripted:
        for i in range(100):
            if self.state.phase in STANDING:
                return self
            self.move(chaos=False)
            # A resume of a run that is about to park is the resume that it would have waited for.
            if i in self.crashes and self.state.phase not in STANDING and not self.state.stop:
                self.resume()
        raise AssertionError("it does not end")


KINDS = ["MeasureBaseline", "RunAgent", "Keep", "Merge", "Validate", "Compose", "Ask", "Land", "LeaveBranch"]
scripts = st.fixed_dictionaries({kind: st.lists(st.integers(0, 11), max_size=4) for kind in KINDS})


@settings(max_examples=200, deadline=None)
@given(script=scripts, crashes=st.sets(st.integers(0, 25), min_size=1, max_size=6), first=firsts)
def test_a_run_killed_and_resumed_ends_as_if_it_had_not_been(
    script: dict[str, list[int]], crashes: set[int], first: ev.RunStarted
) -> None:
    straight = Scripted(script, set(), first).go()
    killed = Scripted(script, crashes, first).go()
    assert killed.state.phase == straight.state.phase
    assert killed.state.outcome == straight.state.outcome
    assert (killed.state.landed, killed.state.branch) == (straight.state.landed, straight.state.branch)
    assert [a.id for a in killed.state.attempts] == [a.id for a in straight.state.attempts]
    assert killed.triggers() == straight.triggers()
    long_lived = [c for c in killed.issued if not isinstance(c, ev.Stop)]
    assert [type(c) for c in long_lived] == [type(c) for c in straight.issued if not isinstance(c, ev.Stop)]
