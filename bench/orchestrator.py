"""What ropeteam itself costs while an agent works, and how long it takes until one does.

    .venv/bin/python bench/orchestrator.py [SECONDS [FILES ...]]        (60 s, 300 and 10000 files without)

1. Memory: peak resident set (VmHWM, pages shared with other processes included) of the `ropeteam run` process, with
   its live view at a terminal, and of the attempt's wrapper, while a program is the agent that speaks every two
   seconds. Goal: 80 MB.
2. Processor time of both, and of the git calls they make, in a stretch of SECONDS after the baseline's checks; an hour
   of agent time is extrapolated from it, plus the snapshots of an hour (one every 300 s), measured in a second run.
3. Time from the start of `ropeteam run` to the agent's first sign: the first request of claude, which a model server on
   the loopback interface answers, and the first act of a program. Beside it, in turn, what a shell script would do:
   `git worktree add`, then the same program there; and the program alone, in the checkout. Medians of ROUNDS.

No duration is asserted. Everything happens in a temporary folder, with a home and dummy keys of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import ModelServer, StructuredReport, Turn, WriteFile

ROUNDS = 5
SNAPSHOTS_AN_HOUR = 3600 / 300
TICKS = os.sysconf("SC_CLK_TCK")
REPORT = StructuredReport(content={"files": [], "decisions": [], "deviations": []})
TALKER = """
import json, pathlib, time
pathlib.Path("new.py").write_text("x = 1\\n")
stop, number = pathlib.Path("stop"), 0
while not stop.exists() and number < 1800:
    number += 1
    print(json.dumps({"event": "progress", "text": f"step {number}"}), flush=True)
    print(json.dumps({"event": "usage", "input": 100 * number, "output": number}), flush=True)
    time.sleep(2)
stop.unlink(missing_ok=True)
"""
TEST = "import unittest\n\nclass Bench(unittest.TestCase):\n    def test_true(self):\n        self.assertTrue(True)\n"
WRITER = "import pathlib, sys, time; open(sys.argv[1], 'a').write(f'{time.time()}\\n'); pathlib.Path('new.py').touch()"


class Bench:
    """A repository of so many files in `folder`, and the environment that everything is started in."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self.top = folder, folder / "repo"
        (folder / "home").mkdir(parents=True)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        for number in range(files):
            path = self.top / f"d{number % 100}" / f"{number % 17}" / f"file{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"def function_{number}():\n    return {number}\n" * 20)
        tests = self.top / "tests"
        tests.mkdir()
        (tests / "test_bench.py").write_text(TEST)
        feature = self.top / ".workspace" / "features" / "bench"
        feature.mkdir(parents=True)
        (feature / "01-intent.md").write_text("# Bench\n\nMake `new.py`.\n")
        (feature / "01-research.md").write_text("# Research\n\nNone needed.\n")
        self.git("init", "-q", "-b", "main")
        self.git("config", "gc.auto", "0")
        self.git("config", "user.name", "Bench")
        self.git("config", "user.email", "bench@example.org")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        self.git("gc", "-q")

    def git(self, *args: str) -> None:
        subprocess.run(["git", "-C", str(self.top), *args], env=self.env, check=True)

    def ropeteam(self, agent: str, argv: list[str], *more: str) -> list[str]:
        sets = [f"agent.{agent}.argv={json.dumps(argv)}", f"trees.folder={self.folder / 'trees'}", *more]
        options = [part for one in sets for part in ("--set", one)]
        return [sys.executable, "-m", "ropeteam", "run", "bench", "--agent", agent, "--mode", "single", "--yes",
                "--quiet", "--land", "no", *options]  # fmt: skip


# ---- 1 and 2: memory and processor time


class Watched:
    """A process by its number: the most memory it had, and its processor time with that of its waited-for children."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak = pid, 0.0

    def look(self) -> float:
        with suppress(OSError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            peaks = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
            self.peak = max([self.peak, *peaks])  # a process that has just ended has none
            times = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:15]
            return sum(map(int, times)) / TICKS
        return 0.0


@contextmanager
def terminal() -> Iterator[int]:
    """A terminal that somebody reads."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read() -> None:
        with suppress(OSError):
            while os.read(ours, 65536):
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join(5)
        os.close(ours)


def at_work(bench: Bench, seconds: float, snapshot_seconds: float) -> tuple[Watched, Watched, float, int]:
    """Run the talking agent, followed live at a terminal. The two processes, processor seconds per second of its time,
    and snapshots taken."""
    argv = [sys.executable, "-c", TALKER]
    command = bench.ropeteam("command", argv, f"limits.snapshot_seconds={snapshot_seconds}")
    shutil.rmtree(bench.folder / "trees", ignore_errors=True)
    with (
        terminal() as screen,
        subprocess.Popen(
            [part for part in command if part != "--quiet"],
            cwd=bench.top,
            env={**bench.env, "TERM": "xterm-256color"},
            stdin=screen,
            stdout=screen,
            stderr=screen,
        ) as run,
    ):
        until = time.monotonic() + 120
        while not (found := list((bench.folder / "trees").glob("*/*/single-1/log/pid"))):
            assert time.monotonic() < until, "the agent did not start"
            assert run.poll() is None, f"ropeteam ended with {run.returncode}"
            time.sleep(0.02)
        ours, wrapper = Watched(run.pid), Watched(int(found[0].read_text().split()[0]))
        while not baseline_measured(bench):
            assert run.poll() is None, f"ropeteam ended with {run.returncode}"
            assert time.monotonic() < until, "the baseline was not measured"
            time.sleep(0.1)
        began, before = time.monotonic(), ours.look() + wrapper.look()
        time.sleep(seconds)
        used, stretch = ours.look() + wrapper.look() - before, time.monotonic() - began
        (found[0].parents[1] / "tree" / bench.top.name / "stop").touch()
        while run.poll() is None:
            ours.look()
            time.sleep(0.02)
    assert run.returncode == 0, f"ropeteam ended with {run.returncode}"
    return ours, wrapper, used / stretch, int(stretch / snapshot_seconds)


def baseline_measured(bench: Bench) -> bool:
    """Whether the newest run has done with the checks that run beside the agent's beginning."""
    journal = sqlite3.connect(f"file:{bench.top}/.git/ropeteam/journal.sqlite?mode=ro", uri=True, timeout=10)
    with closing(journal):
        newest = "(SELECT run FROM events ORDER BY at DESC LIMIT 1)"
        query = f"SELECT count(*) FROM events WHERE type = 'BaselineMeasured' AND run = {newest}"
        return bool(journal.execute(query).fetchone()[0])


def costs(bench: Bench, seconds: float, files: int) -> None:
    ours, wrapper, quiet, _ = at_work(bench, seconds, 10_000)
    short = max(12.0, seconds / 2)
    _, _, busy, snapshots = at_work(bench, short, 2.0)
    each = max(0.0, busy - quiet) * 2.0
    print(f"{files:>6} files   peak memory: ropeteam run {ours.peak:.0f} MB, wrapper {wrapper.peak:.0f} MB")
    print(
        f"{'':>6}         processor time an hour of agent time: {quiet * 3600:.1f} s, and {SNAPSHOTS_AN_HOUR:.0f} "
        f"snapshots of {each * 1000:.0f} ms: {quiet * 3600 + SNAPSHOTS_AN_HOUR * each:.1f} s "
        f"(extrapolated from {seconds:.0f} s and {snapshots} snapshots)"
    )


# ---- 3: time to the first sign


def first_signs(bench: Bench, server: ModelServer) -> dict[str, list[float]]:
    """Seconds from start to first sign, by way of starting, in turn so that other load falls on all."""
    claude, name, note = str(bundled()), "bench", bench.folder / "note"
    writer = [sys.executable, "-c", WRITER, str(note)]
    ways: dict[str, Callable[[], float]] = {
        "program: ropeteam run": lambda: noted(bench, note, bench.ropeteam("command", writer, "sandbox.mode=off")),
        "program: worktree add": lambda: noted(bench, note, in_a_tree(*writer)),
        "claude: ropeteam run": lambda: asked(bench, server, name, bench.ropeteam("claude", [claude])),
        "claude: worktree add": lambda: asked(bench, server, name, in_a_tree(claude, "-p", "Go")),
        "claude: in the checkout": lambda: asked(bench, server, name, [claude, "-p", "Go"]),
    }
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for way, measure in ways.items():
            found.setdefault(way, []).append(measure())
            tidy(bench)
    return found


def in_a_tree(*argv: str) -> list[str]:
    return ["sh", "-c", 'git worktree add -q --detach ../tree && cd ../tree && exec "$@"', "sh", *argv]


def asked(bench: Bench, server: ModelServer, name: str, argv: list[str]) -> float:
    write = Turn(calls=(WriteFile(path="new.py", content="x = 1\n"),))
    server.script(name, [write, Turn(calls=(REPORT,))] if "ropeteam" in argv else [Turn(text="Done.")])
    began = time.time()
    done = subprocess.run(
        argv,
        cwd=bench.top,
        env={**bench.env, "ANTHROPIC_BASE_URL": server.base_url(name)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done
    return next(request.at for request in server.requests(name) if request.main) - began


def noted(bench: Bench, note: Path, argv: list[str]) -> float:
    note.unlink(missing_ok=True)
    began = time.time()
    done = subprocess.run(
        argv, cwd=bench.top, env=bench.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert note.exists(), done
    return float(note.read_text().split()[0]) - began


def tidy(bench: Bench) -> None:
    if (bench.folder / "tree").exists():
        bench.git("worktree", "remove", "--force", "../tree")
    (bench.top / "new.py").unlink(missing_ok=True)


def main(seconds: float, sizes: list[int]) -> None:
    for files in sizes:
        with tempfile.TemporaryDirectory() as scratch, ModelServer() as server:
            bench = Bench(Path(scratch).resolve(), files)
            costs(bench, seconds, files)
            if bundled() is None:
                print("claude-agent-sdk is not installed: no time to the first request")
                continue
            for way, times in first_signs(bench, server).items():
                spread = f"{min(times):.2f} to {max(times):.2f}, the first {times[0]:.2f}"
                print(f"{'':>6}         {way:<24} {statistics.median(times):6.2f} s   ({spread})")


if __name__ == "__main__":
    numbers = [float(word) for word in sys.argv[1:]]
    main(numbers[0] if numbers else 60.0, [int(n) for n in numbers[1:]] or [300, 10_000])
