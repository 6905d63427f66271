"""The runs of a repository, read from its journal: newest ones, quickly, and around what cannot be read."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent / "core"))

from several import Several

from ropeteam import history
from ropeteam.core import events as ev
from ropeteam.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def events_of(run: str, w: Several | None = None, day: int = 0) -> list[ev.AnyEvent]:
    found = []
    for e in (w or Several().in_parallel()).events:
        e = replace(e, at=e.at + day * 86_400)
        found.append(replace(e, run=run) if isinstance(e, ev.RunStarted) else e)
    return found


def test_runs_come_oldest_first_and_those_under_way_not_at_all(journal: Journal) -> None:
    journal.append("second", events_of("second", day=2))
    journal.append("first", events_of("first", day=1))
    journal.append("now", events_of("now", Several().with_contract(), day=3))
    found = history.read(journal)
    assert [r.run for r in found.runs] == ["first", "second"]
    assert (found.skipped, found.earlier) == ((), 0)


def test_what_is_remembered_is_what_would_be_read(journal: Journal) -> None:
    for n in range(3):
        journal.append(f"r{n}", events_of(f"r{n}", day=n))
    fresh = history.read(journal)
    assert journal.summaries(history.FORM) == {}
    assert history.read(journal, remember=True) == fresh
    assert set(journal.summaries(history.FORM)) == {"r0", "r1", "r2"}
    assert history.read(journal) == fresh


def test_a_run_that_went_on_is_read_anew(journal: Journal) -> None:
    whole = events_of("r")
    w = Several().with_contract()
    journal.append("r", whole[: len(w.events)])
    assert history.read(journal, remember=True).runs == ()
    journal.append("r", whole[len(w.events) :])
    (run,) = history.read(journal).runs
    assert run.outcome == "delivered_parallel"


def test_a_summary_in_another_form_is_made_anew(journal: Journal) -> None:
    events = events_of("r")
    journal.append("r", events)
    journal.summarize("r", len(events), "0.0/0", b'{"something": "else"}')
    assert [r.run for r in history.read(journal).runs] == ["r"]


def test_a_run_ends_with_its_summary_kept(journal: Journal) -> None:
    w = Several().in_parallel()
    journal.append(w.state.begun.run, w.events)
    history.remember(journal, w.state)
    assert set(journal.summaries(history.FORM)) == {w.state.begun.run}
    (run,) = history.read(journal).runs
    assert run.run == w.state.begun.run


@pytest.mark.parametrize("damage", ["body", "type", "order", "summary"])
def test_what_cannot_be_read_is_left_out_and_said(journal: Journal, damage: str) -> None:
    journal.append("good", events_of("good", day=1))
    journal.append("bad", events_of("bad", day=2))
    with sqlite3.connect(journal.path) as db:
        if damage == "body":
            db.execute("UPDATE events SET body = ? WHERE run = 'bad' AND seq = 3", (b"{nothing",))
        elif damage == "type":
            db.execute("UPDATE events SET body = ? WHERE run = 'bad' AND seq = 1", (b'{"type":"FromTheFuture"}',))
        elif damage == "order":
            db.execute("DELETE FROM events WHERE run = 'bad' AND seq = 1")
        else:
            count = len(events_of("bad"))
            db.execute("INSERT INTO summaries VALUES ('bad', ?, ?, ?)", (count, history.FORM, b"[1, 2]"))
    db.close()
    found = history.read(journal)
    assert [r.run for r in found.runs] == ["good"]
    (said,) = found.skipped
    assert said.startswith("Run bad is left out")
    assert said.endswith(".")


def test_only_the_newest_are_looked_at(journal: Journal) -> None:
    for n in range(6):
        journal.append(f"r{n}", events_of(f"r{n}", day=n))
    found = history.read(journal, 4)
    assert [r.run for r in found.runs] == ["r2", "r3", "r4", "r5"]
    assert found.earlier == 2
