"""The journal as a file."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from ropeteam.core import events as ev
from ropeteam.core.model import Decision
from ropeteam.errors import JournalDamaged, NoSuchRun
from ropeteam.journal import Journal

RUN = "20260101-000000-x-0000"


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ropeteam" / "journal.sqlite")
    journal.append("run", [ev.InterruptAsked(at=1.0)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ropeteam").iterdir()}
    journal.close()
    assert modes
    assert set(modes.values()) == {0o600}, modes


def test_what_is_not_a_journal_is_said(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 40)
    with pytest.raises(JournalDamaged, match="not one"):
        Journal(path)
    assert path.read_bytes().startswith(b"no database")


def test_a_journal_that_cannot_be_opened_is_a_matter_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").mkdir()
    with pytest.raises(OSError, match="unable to open"):
        Journal(tmp_path / "journal.sqlite")


def test_events_come_back_as_they_went_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    first = [ev.Planned(at=1.0, decision=Decision(mode="single")), ev.CancelAsked(at=2.0)]
    odd = ev.Landed(at=3.0, head="caf\udce9", branch="main")  # a name that is not UTF-8
    journal.append(RUN, first)
    journal.append(RUN, [odd])
    journal.append("20260102-000000-y-0000", [ev.InterruptAsked(at=4.0)])
    assert journal.events(RUN) == [*first, odd]
    assert journal.events(RUN, after=2) == [odd]
    assert [line.events for line in journal.runs()] == [3, 1]
    assert journal.find(None) == "20260102-000000-y-0000"
    assert journal.find("x-0000") == RUN
    with pytest.raises(NoSuchRun, match="2 runs"):
        journal.find("2026010")


def test_events_are_appended_together_or_not_at_all(tmp_path: Path) -> None:
    class Unknown(ev.Event, frozen=True, kw_only=True):
        thing: object

    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(TypeError):
        journal.append(RUN, [ev.CancelAsked(at=1.0), Unknown(thing=object())])  # type: ignore[list-item]
    assert journal.events(RUN) == []


def test_an_event_of_another_version_is_said_with_its_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.append(RUN, [ev.CancelAsked(at=1.0)])
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    db.execute("INSERT INTO events VALUES (?, 2, 2.0, 'Later', ?)", (RUN, b'{"type":"Later"}'))
    db.commit()
    with pytest.raises(JournalDamaged, match="Event 2"):
        journal.events(RUN)


def test_a_request_is_taken_once(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path / "journal.sqlite"), Journal(tmp_path / "journal.sqlite")
    other.ask(RUN, "cancel", 1.0)
    ((number, kind),) = journal.asked(RUN)
    assert kind == "cancel"
    journal.take(number)
    assert journal.asked(RUN) == []
    assert other.asked("another") == []
