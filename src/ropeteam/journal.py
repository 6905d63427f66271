"""The journal: every event of every run of one repository, in one SQLite file. Nothing else knows the database.

It lies in the repository's common git directory, so that it goes where the repository goes and no agent's tree holds
it. Events are appended in a transaction that is on disk before the call returns (`synchronous=FULL`), never changed.
Besides the events there is what is no event: an inbox (requests of other processes to the orchestrator), what agents
do right now (for `status`, overwritten all the time), the consents that the user gave, what a run came to in short
(`ropeteam.history`; it follows from the events, and is made anew where it is missing), and what is offered to a host
(`ropeteam.offers`).
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ropeteam.core.events import AnyEvent, RunStarted
from ropeteam.errors import JournalDamaged, NoSuchRun
from ropeteam.offers import SCHEMA as OFFERS
from ropeteam.offers import Offers, disk

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  run TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (run, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
  taken INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS doing (
  run TEXT NOT NULL, attempt TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, attempt));
CREATE TABLE IF NOT EXISTS consents (what TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS summaries (
  run TEXT PRIMARY KEY, events INTEGER NOT NULL, form TEXT NOT NULL, body BLOB NOT NULL);
"""

_decoder = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()


def _encode(event: AnyEvent) -> bytes:
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:  # a path that is not UTF-8: its bytes are lone surrogates, which need escapes
        return json.dumps(msgspec.to_builtins(event)).encode()


def _decode(body: bytes) -> AnyEvent:
    escapes = b"\\ud" in body
    event: AnyEvent = msgspec.convert(json.loads(body), AnyEvent) if escapes else _decoder.decode(body)
    return event


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the list of runs. at: when it began, seconds since the epoch."""

    run: str
    at: float
    events: int


class Journal:
    """One connection; not shared between threads. Several processes may have one each."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises OutOfSpace, JournalDamaged, or OSError when it cannot be written."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # settings are in it, keys among them: for nobody else to read
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with disk(path), _readable(path):
            self._db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA + OFFERS)

    def close(self) -> None:
        self._db.close()

    def offers(self, run: str) -> Offers:
        """What is offered to a host in that run."""
        return Offers(self._db, self.path, run)

    def append(self, run: str, events: Sequence[AnyEvent]) -> None:
        """Append these events of one run, all or none, and have them on disk."""
        with disk(self.path), self._transaction():
            (last,) = self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM events WHERE run = ?", (run,)).fetchone()
            self._db.executemany(
                "INSERT INTO events (run, seq, at, type, body) VALUES (?, ?, ?, ?, ?)",
                [(run, last + i, e.at, type(e).__name__, _encode(e)) for i, e in enumerate(events, start=1)],
            )

    def events(self, run: str, after: int = 0) -> list[AnyEvent]:
        """The events of a run in order, those after number `after`. Empty when there is no such run."""
        rows = self._db.execute("SELECT seq, body FROM events WHERE run = ? AND seq > ? ORDER BY seq", (run, after))
        return [self._event(run, seq, body) for seq, body in rows]

    def _event(self, run: str, seq: int, body: bytes) -> AnyEvent:
        try:
            event: AnyEvent = _decode(body)
        except (msgspec.MsgspecError, ValueError) as problem:
            raise JournalDamaged(
                f"Event {seq} of run {run} cannot be read: {problem}",
                where=str(self.path),
                hint="It may come from a newer version of ropeteam. The work is under refs/ropeteam/ in any case.",
            ) from problem
        return event

    def runs(self) -> list[RunLine]:
        """Every run of this repository, oldest first."""
        rows = self._db.execute("SELECT run, MIN(at), COUNT(*) FROM events GROUP BY run ORDER BY MIN(at), run")
        return [RunLine(run=run, at=at, events=n) for run, at, n in rows]

    def find(self, run: str | None) -> str:
        """The id of the run meant: exact, or the only one that contains the text, or the newest for None.

        Raises NoSuchRun.
        """
        names = [line.run for line in self.runs()]
        if not names:
            raise NoSuchRun(
                "There is no run in this repository yet.",
                where=str(self.path),
                hint="`ropeteam run FEATURE` starts one.",
            )
        if run is None:
            return names[-1]
        matching = [n for n in names if n == run] or [n for n in names if run in n]
        if len(matching) == 1:
            return matching[0]
        what = "no run" if not matching else f"{len(matching)} runs"
        raise NoSuchRun(
            f"There is {what} named {run!r} here.", where="RUN", hint="Runs: " + ", ".join((matching or names)[-5:])
        )

    # ---- the inbox: requests of other processes

    def ask(self, run: str, kind: str, at: float) -> None:
        """Leave a request (`cancel`) for the orchestrator of `run`."""
        with disk(self.path), self._transaction():
            self._db.execute("INSERT INTO inbox (run, at, kind) VALUES (?, ?, ?)", (run, at, kind))

    def asked(self, run: str) -> list[tuple[int, str]]:
        """Requests not taken yet: (number, kind)."""
        return list(self._db.execute("SELECT id, kind FROM inbox WHERE run = ? AND taken = 0 ORDER BY id", (run,)))

    def take(self, number: int) -> None:
        with disk(self.path), self._transaction():
            self._db.execute("UPDATE inbox SET taken = 1 WHERE id = ?", (number,))

    def forget(self, run: str, *, before: float) -> None:
        """Take whatever was asked before that moment."""
        with disk(self.path), self._transaction():
            self._db.execute("UPDATE inbox SET taken = 1 WHERE run = ? AND at < ?", (run, before))

    # ---- what agents do right now: for people, lost without harm

    def tell(self, run: str, attempt: str, text: str, at: float) -> None:
        try:
            self._db.execute("PRAGMA synchronous=OFF")  # not worth a disk write of its own every second
            self._db.execute("INSERT OR REPLACE INTO doing VALUES (?, ?, ?, ?)", (run, attempt, at, text))
        except sqlite3.Error:
            return
        finally:
            self._db.execute("PRAGMA synchronous=FULL")

    def doing(self, run: str) -> dict[str, tuple[float, str]]:
        rows = self._db.execute("SELECT attempt, at, text FROM doing WHERE run = ?", (run,))
        return {attempt: (at, text) for attempt, at, text in rows}

    # ---- what runs came to, in short: lost without harm

    def summarize(self, run: str, events: int, form: str, body: bytes) -> None:
        """Keep what the first `events` events of a run come to, written in that form."""
        try:
            self._db.execute("PRAGMA synchronous=OFF")  # it can be made anew
            self._db.execute("INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?)", (run, events, form, body))
        except sqlite3.Error:
            return
        finally:
            self._db.execute("PRAGMA synchronous=FULL")

    def summaries(self, form: str) -> dict[str, tuple[int, bytes]]:
        """Of each run with one in that form: of how many events it is, and the summary."""
        rows = self._db.execute("SELECT run, events, body FROM summaries WHERE form = ?", (form,))
        return {run: (events, body) for run, events, body in rows}

    # ---- consents

    def consented(self, what: str) -> bool:
        return self._db.execute("SELECT 1 FROM consents WHERE what = ?", (what,)).fetchone() is not None

    def consent(self, what: str, at: float) -> None:
        with disk(self.path):
            self._db.execute("INSERT OR REPLACE INTO consents VALUES (?, ?)", (what, at))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def started(events: Sequence[AnyEvent]) -> RunStarted | None:
    """The first event of a run, if it is what it must be."""
    return events[0] if events and isinstance(events[0], RunStarted) else None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What sqlite says of a file that it cannot use, in our words."""
    try:
        yield
    except sqlite3.OperationalError as problem:
        if "readonly" in str(problem) or "unable to open" in str(problem):
            raise PermissionError(errno.EACCES, str(problem), str(path)) from problem
        raise
    except sqlite3.DatabaseError as problem:
        raise JournalDamaged(
            f"The journal is not one: {problem}.",
            where=str(path),
            hint="Move the file away; the work of earlier runs is under refs/ropeteam/ in any case.",
        ) from problem
