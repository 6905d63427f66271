"""What ropeteam costs beside a bare shell script that makes the same git calls: 16 units that do nothing.

    .venv/bin/python bench/overhead.py [--rounds N] [--workers N] [--table] [FILES ...]    (300 10000 60000 without)

Each unit's agent writes one file at once. No check is found, so git is what is measured, with the tree of every agent
made, snapshotted, merged, kept, and landed in the end. The script is made of a recording of the calls of such a run
(`git_recording`), with the same folders made, renamed and mounted, and the same indexes copied; it makes them one after
the other, as a script does. Both are run in turn on copies of the same repository, at the same place, ROUNDS times;
medians and their ratio. Target: at most 1.3.

Then where the time goes, in a run of its own with clocks around the steps: seconds of all 16 units together. Several
are done at once, so they are more than the run took. Everything happens in a temporary folder (TMPDIR).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import git_recording
from plays import Piece, Place, git

UNITS = 16
AGENT = """#!/bin/sh
unit=$(sed -n 's/.*"unit": *"\\([^"]*\\)".*/\\1/p' "$ROPETEAM_TASK")
mkdir -p made && echo "NAME = '$unit'" >"made/$unit.py"
"""
PIECES = [Piece(f"u{number:02}", 0.0) for number in range(UNITS)]


class World:
    """A repository that is put back before every round. aside: how it was."""

    def __init__(self, folder: Path, files: int, workers: int) -> None:
        self.place = Place(folder, files, tested=False)
        self.folder, self.top, self.aside = folder, self.place.top, folder / "aside"
        self.top.rename(self.aside)
        agent = folder / "agent.sh"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        (folder / "tmp").mkdir()
        self.env = {**self.place.env, "TMPDIR": str(folder / "tmp")}
        argv = ("--set", f"agent.command.argv={json.dumps([str(agent)])}", "--set", "sandbox.mode=off")
        command = self.place.command(PIECES, workers, *argv)
        command[command.index("scripted")] = "command"
        self.command = command

    def back(self) -> None:
        """Everything as it was at first: the repository with an index that holds, no trees, no temporary files."""
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if (place := line.split(" ")[4]).startswith(str(self.folder)):
                subprocess.run(["umount", place], check=True)
        for path in (self.top, self.folder / "trees", self.folder / "tmp"):
            shutil.rmtree(path, ignore_errors=True)
        subprocess.run(["cp", "-a", self.aside, self.top], check=True)
        git(self.top, "update-index", "-q", "--refresh", env=self.env)
        (self.folder / "tmp").mkdir()

    def run(self, **more: str) -> float:
        self.back()
        seconds, state = self.place.run(self.command, {**self.env, **more})
        assert len([a for a in state.attempts if a.stage == "validated"]) == UNITS
        return seconds

    def recorded(self) -> tuple[str, int]:
        self.back()
        folder = str(self.folder / "recording")
        self.place.run(self.command, {**self.env, **git_recording.start(folder, str(self.top))})
        return git_recording.script(folder)

    def play(self, script: str) -> float:
        self.back()
        env = {name: value for name, value in self.env.items() if not name.startswith("GIT_")}
        began = time.monotonic()
        done = subprocess.run(["sh", script], env=env, stderr=subprocess.PIPE, text=True, check=False)
        seconds = time.monotonic() - began
        assert done.returncode == 0, done.stderr
        return seconds


# ---- where the time goes

STEPS = {
    "ropeteam.git.pool.Pool.make": "tree",
    "ropeteam.git.fingerprint": "fingerprint",
    "ropeteam.git.compare_fingerprint": "fingerprint",
    "ropeteam.git.snapshot": "snapshot",
    "ropeteam.git.snapshots.keep": "  of it: keep",
    "ropeteam.git.merge": "merge",
    "ropeteam.git.keep": "keep",
    "ropeteam.validation.Validation.inspect": "syntax",
    "ropeteam.validation.Validation.validate": "validation",
    "ropeteam.process.launch": "start of the wrapper",
    "ropeteam.preparing._turn": "waiting for a turn to make a tree",
    "ropeteam.delivery.Delivery._compose": "compose",
    "ropeteam.git.land": "land",
    "ropeteam.journal.Journal.append": "journal",
}
CLOCKED = """
import asyncio, atexit, contextlib, functools, importlib, inspect, json, os, sys, threading, time
steps, out = json.loads(sys.argv[1]), sys.argv[2]
began = time.monotonic()
spent, lock = {}, threading.Lock()

def add(name, since):
    with lock:
        seconds, count = spent.get(name, (0.0, 0))
        spent[name] = (seconds + time.monotonic() - since, count + 1)

def clocked(function, name):
    if inspect.iscoroutinefunction(function):
        async def around(*args, **named):
            since = time.monotonic()
            try:
                return await function(*args, **named)
            finally:
                add(name, since)
    elif name.startswith("waiting"):
        @contextlib.asynccontextmanager
        async def around(*args, **named):
            since = time.monotonic()
            async with function(*args, **named) as given:
                add(name, since)
                yield given
    else:
        def around(*args, **named):
            since = time.monotonic()
            try:
                return function(*args, **named)
            finally:
                add(name, since)
    return functools.wraps(function)(around)

for path, name in steps.items():
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:cut]))
            break
        except ImportError:
            continue
    for part in parts[cut:-1]:
        owner = getattr(owner, part)
    setattr(owner, parts[-1], clocked(getattr(owner, parts[-1]), name))
atexit.register(lambda: open(out, "w").write(json.dumps([time.monotonic() - began, spent])))
sys.argv = ["ropeteam", *sys.argv[3:]]
from ropeteam.cli import main
sys.exit(main())
"""


def table(world: World) -> None:
    out = world.folder / "clocks.json"
    module = world.command.index("ropeteam")
    program = [sys.executable, "-c", CLOCKED, json.dumps(STEPS), str(out), *world.command[module + 1 :]]
    world.back()
    seconds, state = world.place.run(program, world.env)
    _, spent = json.loads(out.read_text())
    rows = {name: (amount, count) for name, (amount, count) in spent.items()}
    rows["agents, their wrappers' end included"] = (sum(a.result.seconds for a in state.attempts), len(state.attempts))
    lag = sum(a.ended_at - a.started_at - a.result.seconds for a in state.attempts)
    rows["from the agent's end to its judged snapshot"] = (lag, len(state.attempts))
    print(f"   where the time of a run of {seconds:.2f} s goes (seconds of all units together, calls, ms a call):")
    for name, (amount, count) in sorted(rows.items(), key=lambda row: -row[1][0]):
        print(f"      {name:<46}{amount:>8.2f}{count:>6}{1000 * amount / count:>9.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description="Overhead beside a bare shell script of the same git calls.")
    options.add_argument("files", nargs="*", type=int, default=[300, 10_000, 60_000])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--no-table", dest="table", action="store_false")
    given = options.parse_args()
    for files in given.files:
        with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as folder:
            world = World(Path(folder), files, given.workers)
            try:
                script, calls = world.recorded()
                ours, bare = [], []
                for _ in range(given.rounds):
                    ours.append(world.run())
                    bare.append(world.play(script))
                one, other = statistics.median(ours), statistics.median(bare)
                print(
                    f"{files:>6} files, {UNITS} units, {given.workers} workers: ropeteam {one:.2f} s, "
                    f"script of {calls} git calls {other:.2f} s, ratio {one / other:.2f} "
                    f"(rounds: {', '.join(f'{a:.2f}/{b:.2f}' for a, b in zip(ours, bare, strict=True))})",
                    flush=True,
                )
                if given.table:
                    table(world)
            finally:
                world.back()


if __name__ == "__main__":
    main()
