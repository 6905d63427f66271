"""The engine with a real journal, and a performer that does what each test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ropeteam.core import events as ev
from ropeteam.core.model import Answers, AttemptResult, Feature, FileChange, RepoFacts
from ropeteam.core.report import exit_code
from ropeteam.core.schedule import fold
from ropeteam.core.settings import Limits, Settings
from ropeteam.core.state import RunState
from ropeteam.engine import Emit, Engine
from ropeteam.errors import OutOfSpace
from ropeteam.journal import Journal
from ropeteam.testing.clock import ManualClock

RUN = "20261122-101530-checkout-7f3a"
Answer = Callable[[ev.AnyCommand, Emit], Awaitable[ev.AnyEvent]]


def started(limits: Limits | None = None) -> ev.RunStarted:
    return ev.RunStarted(
        run=RUN,
        feature=Feature(name="checkout", source="stdin"),
        repo=RepoFacts(
            top="/r", common_dir="/r/.git", branch="main", head="base", base="base", user_name="U", user_email="u@e"
        ),
        settings=Settings(limits=limits or Limits()),
        answers=Answers(mode="single", land="yes", agent="command"),
    )


class Play:
    """Answers every command as a run without trouble would, but for those it was given another answer for."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.performed: list[str] = []
        self.stopped: list[str] = []
        self.free = 10**12

    async def perform(self, command: ev.AnyCommand, state: RunState, emit: Emit) -> ev.AnyEvent:
        self.performed.append(command.key)
        own = self.answers.get(type(command).__name__)
        return await own(command, emit) if own is not None else self.well(command, state, emit)

    def well(self, command: ev.AnyCommand, state: RunState, emit: Emit) -> ev.AnyEvent:
        match command:
            case ev.RunAgent():
                if not any(a.id == command.attempt for a in state.attempts):
                    begin(command, emit)
                return ev.AttemptSucceeded(attempt=command.attempt, result=work(command))
            case ev.MeasureBaseline():
                return ev.BaselineMeasured(commit=command.commit, checks=())
            case ev.Merge():
                return ev.Merged(attempt=command.attempt, onto=command.onto, commit="merged")
            case ev.Validate():
                return ev.CandidatePassed(commit=command.commit, checks=())
            case ev.Compose():
                return ev.Composed(tip=command.tip, head="head")
            case ev.Land():
                emit(ev.LandingStarted(head=command.head, onto=command.onto, branch=command.branch))
                return ev.Landed(head=command.head, branch=command.branch)
            case ev.WriteDocuments():
                return ev.DocumentsWritten()
            case ev.Keep():
                return ev.AttemptKept(attempt=command.attempt, result=AttemptResult())
        raise AssertionError(command)

    def stop_agent(self, command: ev.RunAgent, stop: ev.Stop) -> None:
        self.stopped.append(f"{command.attempt} {stop.why}")

    def free_bytes(self) -> int:
        return self.free


def begin(command: ev.RunAgent, emit: Emit) -> None:
    emit(ev.AttemptStarted(attempt=command.attempt, tree="/t", folder="/f", start=command.start, agent="command"))


def work(command: ev.RunAgent) -> AttemptResult:
    changes = (FileChange(path="a.py", kind="created"),)
    return AttemptResult(commit=f"work-{command.attempt}", ref="refs/x", changes=changes)


def drive(journal: Journal, play: Play, first: ev.AnyEvent) -> RunState:
    return asyncio.run(Engine(RUN, journal=journal, performer=play, clock=ManualClock()).drive(first))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def names(journal: Journal) -> list[str]:
    return [type(e).__name__ for e in journal.events(RUN)]


def test_a_run_goes_to_its_end_and_the_journal_folds_to_it(journal: Journal) -> None:
    state = drive(journal, Play(), started())
    assert (state.outcome, state.landed, exit_code(state)) == ("delivered_single", True, 0)
    assert fold(journal.events(RUN)) == state
    assert names(journal)[:3] == ["RunStarted", "Planned", "AttemptStarted"]
    assert names(journal)[-1] == "RunEnded"


def test_what_is_done_was_journalled_before(journal: Journal) -> None:
    async def agent(command: ev.AnyCommand, emit: Emit) -> ev.AnyEvent:
        assert isinstance(command, ev.RunAgent)
        assert names(journal) == ["RunStarted", "Planned"]
        begin(command, emit)
        assert names(journal)[-1] == "AttemptStarted"
        return ev.AttemptSucceeded(attempt=command.attempt, result=work(command))

    assert drive(journal, Play(RunAgent=agent), started()).outcome == "delivered_single"


def test_an_exception_is_tried_once_more_and_told(journal: Journal) -> None:
    calls = 0

    async def merge(command: ev.AnyCommand, _: Emit) -> ev.AnyEvent:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError("a fault of ours")
        assert isinstance(command, ev.Merge)
        return ev.Merged(attempt=command.attempt, onto=command.onto, commit="merged")

    state = drive(journal, Play(Merge=merge), started())
    assert state.outcome == "delivered_single"
    assert [(t.id, t.action) for t in state.triggers] == [("unexpected_problem", "retry")]
    assert "a fault of ours" in state.triggers[0].evidence
    failed = next(e for e in journal.events(RUN) if isinstance(e, ev.CommandFailed))
    assert "ZeroDivisionError" in failed.trace


def test_the_same_exception_twice_ends_with_exit_code_3(journal: Journal) -> None:
    async def merge(command: ev.AnyCommand, _: Emit) -> ev.AnyEvent:
        raise ZeroDivisionError("a fault of ours")

    state = drive(journal, Play(Merge=merge), started())
    assert (state.outcome, exit_code(state)) == ("not_delivered", 3)


def test_a_full_disk_parks_and_a_resume_goes_on(journal: Journal) -> None:
    async def agent(command: ev.AnyCommand, emit: Emit) -> ev.AnyEvent:
        assert isinstance(command, ev.RunAgent)
        begin(command, emit)
        raise OutOfSpace("The disk is full.")

    state = drive(journal, Play(RunAgent=agent), started())
    assert (state.phase, exit_code(state)) == ("parked", 4)
    assert [t.id for t in state.triggers] == ["disk_nearly_full"]
    play = Play()
    state = drive(journal, play, ev.Resumed())
    assert state.outcome == "delivered_single"
    assert play.performed[:2] == ["keep:single/1", "agent:single/2"]


def test_little_free_space_parks(journal: Journal) -> None:
    play = Play()
    play.free = 5

    async def agent(command: ev.AnyCommand, emit: Emit) -> ev.AnyEvent:
        assert isinstance(command, ev.RunAgent)
        begin(command, emit)
        while not play.stopped:
            await asyncio.sleep(0)
        return ev.AttemptFailed(attempt=command.attempt, outcome="killed", result=work(command))

    play.answers["RunAgent"] = agent
    state = drive(journal, play, started(Limits(free_bytes=10)))
    assert state.phase == "parked"
    assert play.stopped == ["single/1 park"]


def test_a_request_in_the_inbox_cancels_and_checks_are_ended(journal: Journal) -> None:
    play = Play()
    ended = []

    async def baseline(command: ev.AnyCommand, _: Emit) -> ev.AnyEvent:
        try:
            journal.ask(RUN, "cancel", 0.0)
            await asyncio.Event().wait()
        finally:
            ended.append(command.key)
        raise AssertionError

    async def agent(command: ev.AnyCommand, emit: Emit) -> ev.AnyEvent:
        assert isinstance(command, ev.RunAgent)
        begin(command, emit)
        while not play.stopped:
            await asyncio.sleep(0)
        return ev.AttemptFailed(attempt=command.attempt, outcome="killed", result=work(command))

    play.answers |= {"RunAgent": agent, "MeasureBaseline": baseline}
    state = drive(journal, play, started())
    assert (state.outcome, exit_code(state)) == ("cancelled", 1)
    assert ended == ["baseline:base"]
    assert play.stopped == ["single/1 cancel"]
    assert "CommandStopped" in names(journal)


def test_a_journal_without_an_answer_is_taken_up_where_it_ends(journal: Journal) -> None:
    journal.append(RUN, [started()])  # all that a killed orchestrator had written
    play = Play()
    state = drive(journal, play, ev.Resumed())
    assert state.outcome == "delivered_single"
    assert play.performed.count("agent:single/1") == 1


def test_every_prefix_of_a_journal_can_be_resumed_to_the_same_end(journal: Journal, tmp_path: Path) -> None:
    whole = drive(journal, Play(), started())
    events = journal.events(RUN)
    for length in range(1, len(events)):
        cut = Journal(tmp_path / f"cut-{length}.sqlite")
        cut.append(RUN, events[:length])
        state = drive(cut, Play(), ev.Resumed())
        assert (state.outcome, state.head, state.landed) == (whole.outcome, whole.head, whole.landed), length
        cut.close()


def test_what_keeps_the_journal_from_being_written_ends_the_driving(journal: Journal) -> None:
    async def agent(command: ev.AnyCommand, emit: Emit) -> ev.AnyEvent:
        assert isinstance(command, ev.RunAgent)
        begin(command, emit)
        journal.close()
        return ev.AttemptSucceeded(attempt=command.attempt, result=work(command))

    with pytest.raises(Exception, match="closed"):
        drive(journal, Play(RunAgent=agent), started())
