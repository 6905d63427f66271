"""`kill -9` of the orchestrator at random moments of a run of nine units, resumed until it ends.

    .venv/bin/python bench/kills.py [--kills N] [--seed S] [--jobs J] [--where WHERE]        (or `make bench-kills`)

Moments are spread over the whole length of an undisturbed run, measured first. Of every ten kills seven are of the
orchestrator alone, one of it and of the first resume, one of it while it lands, one of it together with all wrappers
(then new attempts are allowed). Each must end with the tree of the undisturbed run (but for the run's own documents),
no agent started twice, nothing merged or landed twice, no process left. Exit code 1 where one does not; then its folder
stays. Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

from nine_units import Killed, Undisturbed, Where, kill_and_resume, nine_units, undisturbed  # noqa: E402

SECONDS = 0.3
TURNS: tuple[Where, ...] = (*["anywhere"] * 7, "twice", "landing", "with the wrappers")  # type: ignore[assignment]


def one(folder: Path, number: int, seed: int, where: Where, reference: Undisturbed) -> Killed:
    place = folder / str(number)
    place.mkdir()
    with nine_units(place, seconds=SECONDS) as p:
        try:
            found = kill_and_resume(p, random.Random(f"{seed}/{number}"), where, reference)
        except Exception as problem:
            found = Killed(where, faults=[f"{type(problem).__name__}: {problem}"], same=False)
    if found.faults:
        print(f"kill {number} ({where}), in {place}:\n  " + "\n  ".join(found.faults), flush=True)
    else:
        shutil.rmtree(place)
    return found


def main() -> int:
    options = argparse.ArgumentParser(description="Kill the orchestrator at random moments, and resume.")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=2, help="runs side by side")
    options.add_argument("--where", choices=get_args(Where), help="only of this kind")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ropeteam-kills-"))
    began = time.monotonic()
    (folder / "undisturbed").mkdir()
    with nine_units(folder / "undisturbed", seconds=SECONDS) as p:
        reference = undisturbed(p)
    print(f"undisturbed: {reference.seconds:.1f} s, 9 agents, {len(reference.commits)} commits", flush=True)
    wheres = [given.where or TURNS[number % len(TURNS)] for number in range(given.kills)]
    with ThreadPoolExecutor(given.jobs) as pool:
        all_found = list(pool.map(lambda n: one(folder, n, given.seed, wheres[n], reference), range(given.kills)))
    for where in dict.fromkeys(wheres):
        print(line(where, [found for found in all_found if found.what == where]))
    print(line("all", all_found), f"({time.monotonic() - began:.0f} s, seed {given.seed})")
    bad = any(found.faults for found in all_found)
    if not bad:
        shutil.rmtree(folder)
    return int(bad)


def line(name: str, found: list[Killed]) -> str:
    return (
        f"{name}: {sum(f.killed for f in found)} kills ({sum(f.too_late for f in found)} came too late), "
        f"{len(found)} runs resumed to their end, {sum(f.same for f in found)} with the same tree, "
        f"{sum(f.doubled for f in found)} agents started twice, "
        f"{sum(f.never_started for f in found)} attempts begun anew whose agent had not started, "
        f"{sum(f.left for f in found)} processes left, {sum(bool(f.faults) for f in found)} runs with faults"
    )


if __name__ == "__main__":
    sys.exit(main())
