"""A small real project with a planned feature, and the real program `ropeteam` started in it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repositories import git, make_repo

PROGRAM = str(Path(sys.executable).parent / "ropeteam")
DEADLINE = 60.0

FILES = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "tests/__init__.py": "",
    "tests/test_calc.py": (
        "import unittest\nimport calc\n\n\nclass Adding(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(calc.add(1, 2), 3)\n"
    ),
    ".gitignore": "__pycache__/\n",
    ".workspace/features/times/01-intent.md": "# Multiplication\n\n## Request\nA function `times(a, b)`.\n",
    ".workspace/features/times/01-research.md": "# Research\nPlain functions.\n",
}

WORK: list[dict[str, Any]] = [
    {"do": "progress", "text": "Writing times"},
    {"do": "write", "path": "times.py", "content": "def times(a, b):\n    return a * b\n"},
    {
        "do": "write",
        "path": "tests/test_times.py",
        "content": (
            "import unittest\nimport times\n\n\nclass Multiplying(unittest.TestCase):\n"
            "    def test_times(self):\n        self.assertEqual(times.times(2, 3), 6)\n"
        ),
    },
    {"do": "usage", "input": 1000, "cached": 200, "output": 300, "cost_usd": 0.25},
    {
        "do": "report",
        "files": [{"path": "times.py", "purpose": "multiplies"}],
        "decisions": [{"decision": "A module of its own", "rationale": "calc.py only adds"}],
        "deviations": [{"what": "No operator", "why": "nobody asked"}],
    },
]
CRASH: list[dict[str, Any]] = [{"do": "exit", "code": 3}]


@dataclass
class Done:
    """How the program ended. screen: what a terminal was sent, where there was one."""

    code: int
    out: str
    err: str
    screen: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    """repo: the project's repository. Everything of the test lies in `folder`, the home included."""

    folder: Path
    script: list[dict[str, Any]] = field(default_factory=lambda: list(WORK))
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def gate(self) -> Path:
        """A file that a waiting agent waits for."""
        return self.folder / "gate"

    def make(self, files: Mapping[str, str] = FILES) -> World:
        (self.folder / "home").mkdir()
        make_repo(self.repo, files)
        git(self.repo, "config", "user.name", "Test User")
        git(self.repo, "config", "user.email", "user@example.org")
        self.plays(self.script)
        return self

    def plays(self, steps: list[dict[str, Any]], **more: list[dict[str, Any]]) -> None:
        """What the agent does: in every attempt, or in those named (`second=`)."""
        names = {"second": "single/2", "third": "single/3"}
        units = {"single": steps, **{names[name]: one for name, one in more.items()}}
        (self.folder / "script.json").write_text(json.dumps({"units": units}))

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "ROPETEAM_TREES_FOLDER": str(self.folder / "trees"),
            "ROPETEAM_LIMITS_GRACE_SECONDS": "1",
        }

    @property
    def scripted(self) -> tuple[str, ...]:
        return ("--agent", "scripted", "--set", f"agent.scripted.script={self.folder / 'script.json'}")

    def run(self, *arguments: str, stdin: str = "", cwd: Path | None = None, env: Mapping[str, str] = {}) -> Done:
        """Start `ropeteam` without a terminal and wait for its end."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=cwd or self.repo,
            env={**self.env, **env},
            input=stdin.encode(),
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `ropeteam` and leave it running; the test's end ends it."""
        child = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.repo,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(child)
        return child

    def finished(self, child: subprocess.Popen[bytes]) -> Done:
        out, err = child.communicate(timeout=DEADLINE)
        return Done(child.returncode, out.decode(), err.decode())

    def at_terminal(self, *arguments: str, answers: Sequence[tuple[str, str]]) -> Done:
        """Start `ropeteam` in a terminal of 100 columns and type each answer when its question has been shown."""
        return at_terminal([PROGRAM, *arguments], self.repo, self.env, answers)

    def working(self) -> bool:
        """Whether the agent of the newest run is at work."""
        return any(attempt["outcome"] is None for unit in self.status()["units"] for attempt in unit["attempts"])

    def status(self) -> Any:
        return self.run("status", "--json").json

    def end(self) -> None:
        self.gate.touch()
        for child in self.started:
            if child.poll() is None:
                child.kill()
                child.wait()
            for stream in (child.stdout, child.stderr):
                if stream is not None:
                    stream.close()


def waiting(world: World) -> list[dict[str, Any]]:
    """The work, with an agent that waits at the gate first."""
    return [{"do": "progress", "text": "At the gate"}, {"do": "wait", "path": str(world.gate)}, *WORK]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds. Fails after a minute."""
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, f"never: {what}"
        time.sleep(0.05)


def at_terminal(
    argv: list[str], cwd: Path, env: dict[str, str], answers: Sequence[tuple[str, str]], seconds: float = DEADLINE
) -> Done:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**env, "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_controlling_terminal,
    )
    os.close(theirs)
    seen, left, read_from = b"", list(answers), 0
    limit = time.monotonic() + seconds
    try:
        while True:
            assert time.monotonic() < limit, seen.decode(errors="replace")
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
            while left and (at := seen.find(left[0][0].encode(), read_from)) >= 0:
                read_from = at + len(left[0][0].encode())
                os.write(ours, left.pop(0)[1].encode())
        child.wait(DEADLINE)
    finally:
        with suppress(ProcessLookupError):
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
        os.close(ours)
    assert not left, f"never asked: {left}\n{seen.decode(errors='replace')}"
    return Done(child.returncode, "", "", seen.decode(errors="replace"))


def _controlling_terminal() -> None:
    """So that what is typed as Ctrl-C becomes a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who starts tests in the background may have made them deaf to it
