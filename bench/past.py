"""What it costs a run that there were many before it: their journal read, with summaries and without.

    .venv/bin/python bench/past.py [--runs N]

One real run of six units is made; its events are journalled as so many runs. Then, medians of five, in ms:

    anew       every run folded from its events: once, where a journal is from a version without summaries
    summaries  every run read from its summary: what each later run and each `ropeteam plan` pays
    fit        costs fitted to all of them
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from plays import Piece, Place
from ropeteam import history
from ropeteam.core import events as ev
from ropeteam.core.costs import Costs
from ropeteam.core.fitting import fitted
from ropeteam.journal import Journal

ROUNDS = 5


def milliseconds(what: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        what()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def main() -> None:
    options = argparse.ArgumentParser(description="Earlier runs read from the journal.")
    options.add_argument("--runs", type=int, default=200)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as folder:
        place = Place(Path(folder), 50)
        place.run(place.command([Piece(f"u{n}", 0) for n in range(6)], 4))
        events = place.events()
        path = Path(folder) / "many.sqlite"
        with closing(Journal(path)) as journal:
            for n in range(given.runs):
                name = f"20260101-{n:06}-bench-0000"
                journal.append(name, [replace(e, run=name) if isinstance(e, ev.RunStarted) else e for e in events])
            anew = milliseconds(lambda: history.read(journal))
            history.read(journal, remember=True)
            known = milliseconds(lambda: history.read(journal))
            runs = history.read(journal).runs
            fit = milliseconds(lambda: fitted(Costs(), runs, "scripted"))
        size = path.stat().st_size / 1e6
    print(f"{len(runs)} runs of {len(events)} events, {size:.1f} MB")
    print(f"anew {anew:.0f}   summaries {known:.1f}   fit {fit:.1f}")


if __name__ == "__main__":
    main()
