"""The runs of a repository as its journal tells them, for estimates and for `ropeteam history`.

What a run came to is kept beside its events once it stands still, so that hundreds of runs are read as quickly as one.
A summary that is missing, or of fewer events than there are, is made anew from the events.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from ropeteam import __version__
from ropeteam.core.history import PastRun, past
from ropeteam.core.schedule import fold
from ropeteam.core.state import RunState
from ropeteam.journal import Journal

MOST: Final = 200
"""So many of the newest runs are looked at."""
FORM: Final = f"{__version__}/1"
"""Of the summaries. The number goes up whenever a `PastRun` is made in another way."""

_decoder = msgspec.json.Decoder(PastRun | None)


@dataclass(frozen=True)
class History:
    """runs: that ended or are parked, oldest first. skipped: of those that cannot be read, a sentence each. earlier:
    how many runs before these were not looked at."""

    runs: tuple[PastRun, ...] = ()
    skipped: tuple[str, ...] = ()
    earlier: int = 0


def read(journal: Journal, most: int = MOST, *, remember: bool = False) -> History:
    """The newest runs of a repository. A run whose entries cannot be read is left out, and said.

    remember: keep summaries of those that have none; without it nothing is written."""
    lines = journal.runs()
    known = journal.summaries(FORM)
    runs: list[PastRun] = []
    skipped: list[str] = []
    for line in lines[-most:]:
        events, body = known.get(line.run, (0, b""))
        try:
            if events == line.events:
                found = _decoder.decode(body)
            else:
                found = past(fold(journal.events(line.run)))
                if remember:
                    _keep(journal, line.run, line.events, found)
        except Exception as problem:  # one old run must not be in the way of every new one
            skipped.append(f"Run {line.run} is left out, its journal cannot be read: {_why(problem)}")
            continue
        if found is not None:
            runs.append(found)
    return History(tuple(runs), tuple(skipped), max(0, len(lines) - most))


def remember(journal: Journal, state: RunState) -> None:
    """Keep what a run came to that stands still. What keeps that from being done is no matter for a run that is over:
    the summary is made anew when it is wanted."""
    run = state.begun.run
    with suppress(Exception):
        number = next((line.events for line in journal.runs() if line.run == run), 0)
        _keep(journal, run, number, past(state))


def _keep(journal: Journal, run: str, events: int, found: PastRun | None) -> None:
    try:
        body = msgspec.json.encode(found)
    except UnicodeEncodeError:  # a name that is not UTF-8: it is made anew each time
        return
    journal.summarize(run, events, FORM, body)


def _why(problem: Exception) -> str:
    words = str(problem) or "its events do not fit together"
    return words if words.endswith(".") else f"{words}."
