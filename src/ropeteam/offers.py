"""Offers of host mode in the journal's database: what any process may take and hand in, one statement at a time.

Each change says in which state the offer must be, so that of two processes that want the same one gets it, whatever
dies in between. What a run makes of them is in its events (`AttemptOffered`, `AttemptStarted`, ...).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ropeteam.core.hosting import HostUnit, Offer
from ropeteam.errors import OutOfSpace

SCHEMA = """
CREATE TABLE IF NOT EXISTS offers (
  run TEXT NOT NULL, attempt TEXT NOT NULL, unit TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'offered', "by" TEXT NOT NULL DEFAULT '', taken_at REAL NOT NULL DEFAULT 0,
  changed_at REAL NOT NULL DEFAULT 0, seen INTEGER NOT NULL DEFAULT 0, wanted INTEGER NOT NULL DEFAULT 0,
  handed_at REAL NOT NULL DEFAULT 0, report TEXT, why TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (
  run TEXT NOT NULL, attempt TEXT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (run, attempt)) WITHOUT ROWID;
"""

_COLUMNS = 'attempt, unit, seconds, at, state, "by", taken_at, changed_at, seen, wanted, handed_at, report, why'
_NAMES = _COLUMNS.replace('"', "").split(", ")


def _encode(unit: HostUnit) -> str:
    """In ASCII: the bytes of a path that is not UTF-8 are lone surrogates, which need escapes."""
    return json.dumps(msgspec.to_builtins(unit))


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """A full disk, as sqlite says it, in our words. path: of the database."""
    try:
        yield
    except sqlite3.OperationalError as problem:
        if "disk is full" in str(problem) or "disk I/O" in str(problem):
            raise OutOfSpace(
                f"The journal cannot be written: {problem}.", where=str(path), hint="Make room, then `ropeteam resume`."
            ) from problem
        raise


class Offers:
    """Of one run. Through a connection of the journal's; not shared between threads."""

    def __init__(self, db: sqlite3.Connection, path: Path, run: str) -> None:
        self._db = db
        self._path = path
        self._run = run

    def all(self) -> list[Offer]:
        """In the order in which they were made."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM offers WHERE run = ? ORDER BY at, attempt", (self._run,))
        return [_offer(row) for row in rows]

    def find(self, attempt: str) -> Offer | None:
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM offers WHERE run = ? AND attempt = ?", (self._run, attempt)
        ).fetchone()
        return _offer(row) if row is not None else None

    def put(self, unit: HostUnit, seconds: float, at: float) -> None:
        """Offer it. One that was withdrawn is offered anew; any other stays as it is."""
        with disk(self._path):
            self._db.execute(
                "INSERT INTO offers (run, attempt, unit, seconds, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run, attempt) DO UPDATE SET unit = excluded.unit, seconds = excluded.seconds,"
                " at = excluded.at, state = 'offered'"
                " WHERE state = 'withdrawn'",
                (self._run, unit.attempt, _encode(unit), seconds, at),
            )

    def take(self, attempt: str, by: str, at: float, holder: str = "") -> bool:
        """Whether the caller has it now: nobody else took it, and it was not withdrawn. holder: the process that takes
        it, until it is `answered`; empty where whoever wants it has it with this call."""
        with self._both():
            what = "state = 'taken', \"by\" = ?, taken_at = ?, changed_at = ?"
            taken = self._change(attempt, "offered", what, by, at, at)
            if taken and holder:
                row = (self._run, attempt, holder)
                self._db.execute("INSERT OR REPLACE INTO holders (run, attempt, holder) VALUES (?, ?, ?)", row)
            return taken

    def held(self) -> dict[str, str]:
        """Attempts that were taken by a process which has not passed them on yet, and the process; empty for one that
        has given up its caller."""
        rows = self._db.execute(
            "SELECT attempt, holder FROM holders JOIN offers USING (run, attempt) WHERE run = ? AND state = 'taken'",
            (self._run,),
        )
        return dict(rows.fetchall())

    def adopt(self, attempt: str, was: str, holder: str, by: str, at: float) -> bool:
        """Take it over from a process that never passed it on. Whether the caller has it now: nobody was faster."""
        with self._both():
            passed = self._held(attempt, was, "UPDATE holders SET holder = ?", holder)
            return passed and self._change(attempt, "taken", '"by" = ?, changed_at = ?, wanted = 0', by, at)

    def answered(self, attempt: str, holder: str) -> bool:
        """From now on it is with whoever called `holder`. Whether it was that process that held it."""
        return self._held(attempt, holder, "DELETE FROM holders")

    def let_go(self, attempt: str, holder: str) -> bool:
        """Whoever called `holder` does not wait any more, and has not got it. The next one takes it over."""
        return self._held(attempt, holder, "UPDATE holders SET holder = ?", "")

    def _held(self, attempt: str, holder: str, what: str, *values: str) -> bool:
        where = "WHERE run = ? AND attempt = ? AND holder = ?"
        with disk(self._path):
            return self._db.execute(f"{what} {where}", (*values, self._run, attempt, holder)).rowcount == 1

    def abandon(self, attempt: str, why: str) -> bool:
        """Nobody is at work on it any more: it is over, and its successor is wanted. Whether it was out."""
        return self._change(attempt, "taken", "state = 'over', wanted = 1, why = ?", why)

    def withdraw(self, attempt: str) -> bool:
        """Whether nobody can take it any more, and nobody has."""
        return self._change(attempt, "offered", "state = 'withdrawn'")

    def saw(self, attempt: str, seen: int, at: float) -> None:
        """Something changed in its tree: its deadline moves on, and no successor is wanted any more."""
        self._change(attempt, "taken", "seen = ?, changed_at = ?, wanted = 0", seen, at)

    def want(self, attempt: str) -> None:
        """Somebody asked for a unit, and there is no other than this overdue one."""
        self._change(attempt, "taken", "wanted = 1")

    def hand_in(self, attempt: str, report: str | None, at: float) -> bool:
        """Whether it was still to be handed in."""
        return self._change(attempt, "taken", "state = 'handed', report = ?, handed_at = ?", report, at)

    def close(self, attempt: str, why: str) -> bool:
        """From now on a hand-in comes too late. Whether it had not come before."""
        return self._change(attempt, "taken", "state = 'over', why = ?", why)

    def late(self, attempt: str, at: float) -> None:
        """It was handed in after it was over."""
        self._change(attempt, "over", "handed_at = ?", at)

    def elsewhere(self, attempt: str, *, taken: bool = False) -> list[str]:
        """Other runs that have offered an attempt of that name, the newest last. taken: only those where somebody has
        taken it, and it is not back."""
        only = " AND state = 'taken'" if taken else ""
        rows = self._db.execute(
            f"SELECT run FROM offers WHERE attempt = ? AND run != ?{only} ORDER BY at", (attempt, self._run)
        )
        return [run for (run,) in rows]

    @contextmanager
    def _both(self) -> Iterator[None]:
        """All that is changed inside, or nothing of it."""
        with disk(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _change(self, attempt: str, before: str, what: str, *values: object) -> bool:
        with disk(self._path):
            changed = self._db.execute(
                f"UPDATE offers SET {what} WHERE run = ? AND attempt = ? AND state = ?",
                (*values, self._run, attempt, before),
            )
        return changed.rowcount == 1


def _offer(row: tuple[object, ...]) -> Offer:
    values = dict(zip(_NAMES, row, strict=True))
    return msgspec.convert({**values, "unit": json.loads(str(values["unit"]))}, Offer, strict=False)
