"""Before the agent works: stopped while its tree is made ready, out of time for it, and without a journal."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driving import AT_ONCE, Project, make_project, must_hold, wait_until
from killing import QUICK, gone

from repositories import write_files

SOON = 20.0
"""Seconds, on a busy machine; the copy that is stopped would take 300."""

CP = """#!/bin/sh
for last; do :; done
case $last in */single-*) echo $$ >> {folder}/copying; [ -e {folder}/quick ] || exec sleep 300;; esac
exec /bin/cp "$@"
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """With a folder of dependencies that git does not hold, and a `cp` that takes for ever in an agent's tree."""
    made: list[Project] = []

    def new(*sets: str) -> Project:
        p = make_project(tmp_path, sets=(*QUICK, *sets))
        made.append(p)
        write_files(p.top, {"node_modules/x/index.js": "x", ".git/info/exclude": "node_modules\n"})
        write_files(tmp_path / "bin", {"cp": CP.format(folder=tmp_path)})
        (tmp_path / "bin/cp").chmod(0o755)
        p.env["PATH"] = f"{tmp_path / 'bin'}:{p.env['PATH']}"
        return p

    yield new
    for p in made:
        p.close()


def copying(p: Project) -> int:
    path = p.folder / "copying"
    return int(wait_until(lambda: path.read_text().split()[-1:] if path.exists() else [], "the copy to begin")[0])


SEEN = 'assert pathlib.Path("node_modules/x/index.js").read_text() == "x"; '


@pytest.mark.parametrize("how", ["cancel", "interrupt", "leave at once"])
def test_stopped_while_dependencies_are_copied(project: Callable[..., Project], how: str) -> None:
    p = project()
    p.agent(SEEN + AT_ONCE)
    child = p.start(*p.run_args("--json"))
    pid = copying(p)
    began = time.monotonic()
    if how == "cancel":
        assert p.ropeteam("cancel", "--json").code == 0
    else:
        child.send_signal(signal.SIGINT)
    if how == "leave at once":
        p.wait_event("InterruptAsked")
        child.send_signal(signal.SIGINT)
    done = p.ended(child)
    assert time.monotonic() - began < SOON
    assert done.code == (1 if how == "cancel" else 130), done
    gone(pid)
    assert p.events("AttemptStarted") == []
    must_hold(p, at_rest=how != "leave at once")
    if how != "cancel":
        (p.folder / "quick").touch()
        again = p.ropeteam("resume", "--json")
        assert again.json["outcome"] == "delivered_single", again
        must_hold(p)


def test_dependencies_that_take_too_long_are_done_without(project: Callable[..., Project]) -> None:
    p = project("limits.check_seconds=3")
    p.agent('assert not pathlib.Path("node_modules").exists(); ' + AT_ONCE)
    done = p.ropeteam(*p.run_args("--json"))
    assert done.json["outcome"] == "delivered_single", done
    (attempt,) = p.events("AttemptSucceeded")
    told = "In its work tree node_modules was not copied: that took longer than 3 s."
    assert told in attempt["result"]["notices"], attempt
    gone(copying(p))
    must_hold(p)


def test_an_agent_that_could_not_be_journalled_is_not_started(project: Callable[..., Project]) -> None:
    p = project()
    (p.folder / "quick").touch()
    p.ropeteam("status")
    db = sqlite3.connect(p.home / "journal.sqlite")
    db.execute(
        "CREATE TRIGGER no BEFORE INSERT ON events WHEN NEW.type = 'AttemptStarted'"
        " BEGIN SELECT RAISE(FAIL, 'not this one'); END"
    )
    db.commit()
    done = p.ropeteam(*p.run_args("--json"))
    assert done.code != 0, done
    assert p.events("AttemptStarted") == []
    assert list(p.trees.rglob("prompt.md")), "it was about to"
    assert list(p.trees.rglob("log/pid")) == []
    db.execute("DROP TRIGGER no")
    db.commit()
    db.close()
    again = p.ropeteam("resume", "--json")
    assert again.json["outcome"] == "delivered_single", again
    assert p.starts() == ["single/1"]
    must_hold(p)
