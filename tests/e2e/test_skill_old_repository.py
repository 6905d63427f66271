"""A repository that was used with an older `/2-code`, through the skill: the real claude calls it and does the work.

The user has configured nothing for ropeteam: claude is on the PATH, the plugin is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from old_repository import CHECKOUT, COMMAND, GERMAN, INTERRUPTED, PORTUGUESE, files
from skill_world import BEGINS, NAME, Done, Host, call, host_of, look_up, told

from repositories import commit_all, git, make_repo, write_files
from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import Request, Shell, StructuredReport, Turn, WriteFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed"),
]

INSIDE = "It is a work tree of your own, made for this task."
"""Stands in every request of an agent that ropeteam started, and in none of the conversation that called the skill."""


@pytest.fixture
def h(tmp_path: Path) -> Iterator[Host]:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "claude").symlink_to(str(bundled()))
    with host_of(tmp_path, make_repo(tmp_path / "shop", files()), None) as made:
        made.env["PATH"] = f"{programs}:{made.env['PATH']}"
        made.install()
        yield made


def work(name: str) -> tuple[Turn, ...]:
    """What the one agent does: a module with its test."""
    test = (
        f"import unittest\n\nfrom app import {name}\n\n\nclass It(unittest.TestCase):\n"
        f"    def test_works(self):\n        self.assertEqual({name}.NAME, {name!r})\n"
    )
    writes = {f"app/{name}.py": f"NAME = {name!r}\n", f"tests/test_{name}.py": test}
    said = {
        "files": [{"path": path, "purpose": "does it"} for path in writes],
        "decisions": [{"decision": "A module of its own", "rationale": "So are carts."}],
        "deviations": [],
    }
    calls = tuple(WriteFile(path=path, content=text) for path, text in writes.items())
    return Turn(calls=calls), Turn(calls=(StructuredReport(content=said),))


def by_tools(feature: str) -> tuple[Turn, ...]:
    start = {"feature": feature, "land": "yes"}
    return (
        Turn(text=BEGINS, calls=(look_up("start", "wait"),)),
        Turn(calls=(call("start", **start),)),
        Turn(text="Shall I begin?", calls=(call("start", **start, confirm=True),)),
        Turn(calls=(call("wait", timeout_seconds=120),)),
    )


def by_commands(feature: str) -> tuple[Turn, ...]:
    return (
        Turn(text=BEGINS, calls=(Shell(command=f"ropeteam plan {feature} --short"),)),
        Turn(text="Yes?", calls=(Shell(command=f"ropeteam run {feature} --land yes --detach --json --yes"),)),
        Turn(calls=(Shell(command="ropeteam wait --timeout 110 --short"),)),
    )


def ran(h: Host, feature: str, turns: Sequence[Turn], name: str) -> Done:
    """The whole of `/2-code`, whose last phases write as the skill says; gives how it ended."""
    h.server.script_for(NAME, INSIDE, work(name))
    folder = f".workspace/features/{feature}"
    tests = f"printf '\\n## {feature} (2026-11-26)\\n\\nCommand: `unittest`\\n' >> {folder}/02-tests.md"
    overview = f"printf '# What is there\\n\\nNow also {name}.\\n' > {folder}/00-overview.md"
    looks = Turn(calls=(Shell(command=f"ls {folder}; git status --short"),))
    last = Turn(text="Tests.", calls=(Shell(command=tests), Shell(command=overview)))
    return h.code([looks, *turns, last, Turn(text="Next: a commit.")], prompt=f"/ropeteam:2-code {feature}")


def changed(before: dict[str, bytes], h: Host) -> dict[str, tuple[bytes, bytes]]:
    """Files that are others now, or gone; those that are new have no bytes before."""
    now = every_file(h.repo)
    return {p: (before.get(p, b""), now.get(p, b"")) for p in before | now if before.get(p) != now.get(p)}


def every_file(top: Path) -> dict[str, bytes]:
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(top).parts
    }


def lines_that_changed(change: tuple[bytes, bytes]) -> list[tuple[str, str]]:
    old, new = (text.decode().split("\n") for text in change)
    return [(a, b) for a, b in zip(old, new, strict=True) if a != b]


def test_x(h: Host) -> None:
    for feature, way, name in (
        ("checkout", by_tools, "payments"),
        ("erinnerungen", by_commands, "reminders"),
        ("loja/favoritos", by_commands, "sharing"),
    ):
        before = every_file(h.repo)
        done = ran(h, feature, way(feature), name)
        print(feature, done.code)
        for t in told(h.conversation()[-1]):
            print("  ->", t[:1500])
        for p, (a, b) in changed(before, h).items():
            print("*****", p)
            import difflib

            print(
                "\n".join(
                    repr(x)
                    for x in difflib.unified_diff(a.decode().split("\n"), b.decode().split("\n"), lineterm="", n=1)
                )
            )
        print(git(h.repo, "status", "--short"))
        print(git(h.repo, "log", "--format=%s"))
        commit_all(h.repo)
    assert 0
