"""What the benchmarks of several agents share: a repository, a plan, a play for the scripted agent, and one run of it.

No benchmark of its own. Everything lies in a folder that the caller made, with a home of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ropeteam.core import events as ev
from ropeteam.core.events import AnyEvent
from ropeteam.core.schedule import fold
from ropeteam.core.state import RunState
from ropeteam.journal import Journal

FEATURE = "bench"
TEST = "import unittest\n\nclass Bench(unittest.TestCase):\n    def test_true(self):\n        self.assertTrue(True)\n"


@dataclass(frozen=True)
class Piece:
    """A unit: how long it works, in seconds, and what it needs."""

    id: str
    seconds: float
    needs: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"made/{self.id}.py"


def plan_document(pieces: Sequence[Piece], *, estimated: bool = True) -> dict[str, Any]:
    units = []
    for piece in pieces:
        unit: dict[str, Any] = {
            "id": piece.id,
            "goal": f"Write {piece.path}.",
            "needs": list(piece.needs),
            "writes": [piece.path],
        }
        if estimated:
            unit["estimate"] = {"seconds_p50": piece.seconds, "seconds_p90": piece.seconds * 1.5}
        units.append(unit)
    return {"units": units}


def play_document(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Each writes its file at once, works, and reports."""
    units = {}
    for piece in pieces:
        steps: list[dict[str, Any]] = [{"do": "write", "path": piece.path, "content": f"NAME = {piece.id!r}\n"}]
        if piece.seconds:
            steps.append({"do": "pause", "seconds": piece.seconds})
        steps.append({"do": "report", "files": [{"path": piece.path, "purpose": "its part"}]})
        units[piece.id] = steps
    return {"units": units}


class Place:
    """A repository of `files` generated files under `folder`, and the environment that everything is started in."""

    def __init__(self, folder: Path, files: int, *, tested: bool = True) -> None:
        self.folder, self.top = folder, folder / "repo"
        (folder / "home").mkdir(parents=True)
        (folder / "home" / ".gitconfig").write_text("[user]\n\tname = Bench\n\temail = bench@example.org\n")
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(folder),
        }
        imported(self.top, files, tested=tested, env=self.env)

    def command(self, pieces: Sequence[Piece], workers: int, *more: str) -> list[str]:
        """The command line of one run."""
        (self.folder / "plan.json").write_text(json.dumps(plan_document(pieces)))
        (self.folder / "play.json").write_text(json.dumps(play_document(pieces)))
        sets = {"agent.scripted.script": self.folder / "play.json", "trees.folder": self.folder / "trees"}
        options = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
        return [
            *(sys.executable, "-m", "ropeteam", "run", FEATURE, "--agent", "scripted", "--mode", "parallel"),
            *(
                "--mode",
                "parallel",
                "--plan",
                str(self.folder / "plan.json"),
                "--workers",
                str(workers),
                "--yes",
                "--land",
                "yes",
            ),
            *("--quiet", *options, *more),
        ]

    def run(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[float, RunState]:
        """Seconds from the start of the program to its end, and the run as its journal tells it."""
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.top,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        state = fold(self.events())
        told = [(t.id, t.unit, t.evidence) for t in state.triggers] + [(a.id, a.problem) for a in state.attempts]
        assert done.returncode == 0, f"{done.returncode}: {done.stdout}\n{done.stderr}\n{told}\n{state.crashed}"
        assert state.outcome == "delivered_parallel", f"{state.outcome}: {state.triggers}"
        assert state.landed
        return seconds, state

    def events(self) -> list[AnyEvent]:
        """Of the newest run."""
        with closing(Journal(self.top / ".git" / "ropeteam" / "journal.sqlite")) as journal:
            return journal.events(journal.find(None))

    def back(self) -> None:
        """The branch as it was, for the next round."""
        git(self.top, "reset", "-q", "--hard", "first", env=self.env)


def git(top: Path, *args: str, env: Mapping[str, str], input: bytes | None = None) -> str:
    done = subprocess.run(["git", "-C", str(top), *args], env=dict(env), input=input, capture_output=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode()}"
    return done.stdout.decode().strip()


def imported(top: Path, files: int, *, tested: bool, env: Mapping[str, str]) -> None:
    """A repository of one commit by `git fast-import`, checked out: quicker than adding so many files."""
    top.mkdir(parents=True)
    git(top, "init", "-q", "-b", "main", env=env)
    git(top, "config", "gc.auto", "0", env=env)
    git(top, "fast-import", "--quiet", "--date-format=raw", env=env, input=b"".join(_stream(files, tested)))
    git(top, "reset", "-q", "--hard", env=env)
    git(top, "tag", "first", env=env)


def _stream(files: int, tested: bool) -> Iterator[bytes]:
    yield b"commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 5\nfirst\n"
    first = {
        f".workspace/features/{FEATURE}/01-intent.md": "# Bench\n\nMake the files of `made/`.\n",
        f".workspace/features/{FEATURE}/01-research.md": "# Research\n\nNone needed.\n",
    }
    if tested:
        first["tests/test_bench.py"] = TEST
    for path, text in first.items():
        yield _file(path, text)
    for number in range(files - len(first)):
        path = f"d{number % 100}/{number % 17}/file{number}.py"
        yield _file(path, f"def function_{number}():\n    return {number}\n" * 20)


def _file(path: str, text: str) -> bytes:
    content = text.encode()
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)


def at(events: Sequence[AnyEvent], kind: type[Any]) -> float:
    """When the last event of that kind was journalled."""
    return next(event.at for event in reversed(events) if isinstance(event, kind))


__all__ = ["FEATURE", "Piece", "Place", "at", "ev", "git", "imported", "plan_document", "play_document"]
