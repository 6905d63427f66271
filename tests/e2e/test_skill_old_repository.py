"""A repository that was used with an older `/2-code`, through the skill: the real claude calls it and does the work.

The user has configured nothing for ropeteam: claude is on the PATH, the plugin is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from old_repository import CHECKOUT, FEATURES, GERMAN, INTERRUPTED, PORTUGUESE, files
from skill_world import BEGINS, MODEL, NAME, Done, Host, call, code_of, host_of, look_up, told

from repositories import git, make_repo, write_files
from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import Request, Shell, StructuredReport, Turn, WriteFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed"),
]

INSIDE = "It is a work tree of your own, made for this task."
"""Stands in every request of an agent that ropeteam started, and in none of the conversation that called the skill."""


PLAN = {
    "plan": {
        "units": [
            {
                "id": "payments",
                "title": "Payments",
                "goal": "Orders are paid.",
                "needs": [],
                "provides": [],
                "writes": ["app/payments.py", "tests/test_payments.py"],
                "requirements": ["REQ-004", "REQ-005", "REQ-006", "REQ-007"],
            }
        ],
        "files": [
            {"path": "app/payments.py", "status": "A", "lines": 90},
            {"path": "tests/test_payments.py", "status": "A", "lines": 40},
        ],
    }
}
"""Of an agent: the documents name no files."""


@contextmanager
def host_of_old(folder: Path, *, tracked: bool) -> Iterator[Host]:
    """tracked: whether the features are in git, or ignored by it."""
    every = files()
    if tracked:
        repo = make_repo(folder / "shop", every)
    else:
        inside = {path: text for path, text in every.items() if not path.startswith(FEATURES)}
        repo = make_repo(folder / "shop", {**inside, ".gitignore": "__pycache__/\n/.workspace/\n"})
        write_files(repo, {path: text for path, text in every.items() if path not in inside})
    with host_of(folder, repo, None) as made:
        programs = Path(made.env["HOME"]) / ".local" / "bin"  # in the sandbox nothing of /tmp is seen
        programs.mkdir(parents=True)
        (programs / "claude").symlink_to(str(bundled()))
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


def by_tools(h: Host, feature: str) -> tuple[Turn, ...]:
    start = {"feature": feature, "land": "yes"}
    return (
        Turn(text=BEGINS, calls=(look_up("start", "wait"),)),
        Turn(calls=(call("start", **start),)),
        Turn(text="Shall I begin?", calls=(call("start", **start, confirm=code_of(h, start)),)),
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


def kept(change: tuple[bytes, bytes]) -> bytes:
    """What was added to a file whose every byte is still there."""
    old, new = change
    assert new.startswith(old)
    return new.removeprefix(old)


def told_inside(h: Host) -> Request:
    """The last request of the agent that did the newest feature."""
    return [request for request in h.server.requests(NAME) if request.main and INSIDE in request.text][-1]


def nothing_was_configured(h: Host) -> None:
    for place in (h.repo / "ropeteam.toml", Path(h.env["HOME"]) / ".config/ropeteam/ropeteam.toml"):
        assert not place.exists()


def test_a_part_that_an_older_one_left_half_done_through_the_tools(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    with host_of_old(tmp_path, tracked=True) as h:
        before, config = every_file(h.repo), (h.repo / ".git/config").read_bytes()
        h.server.script_for(NAME, "Plan how the feature", [Turn(calls=(StructuredReport(content=PLAN),))])

        done = ran(h, "checkout", by_tools(h, "checkout"), "payments")

        assert done.code == 0, done
        said = h.report()
        assert (said["outcome"], said["landed"], said["parts"]) == ("delivered_single", True, ["02-payment-backend"])
        asked, started, _ = (
            json.loads(text.split("\n\n<")[0]) for text in told(h.conversation()[-1]) if text.startswith("{")
        )
        assert (asked["started"], started["started"]) == (False, True), "agreed to once, and nothing else is asked for"
        nothing_was_configured(h)
        assert (h.repo / ".git/config").read_bytes() == config

        now = changed(before, h)
        written = {
            f"{CHECKOUT}/{name}" for name in ("00-overview.md", "01-intent.md", "02-implementation.md", "02-tests.md")
        }
        assert set(now) == written | {"app/payments.py", "tests/test_payments.py"}, "all else is as it was, to the byte"
        day = said["started_at"][:10]
        intent = now[f"{CHECKOUT}/01-intent.md"]
        rows = [line for line in intent[0].decode().split("\n") if re.match(r"\| REQ-00[4567]", line)]
        assert lines_that_changed(intent) == [
            ("**Status:** 1/3 parts complete", "**Status:** 2/3 parts complete"),
            ("### ● 02-payment-backend", f"### ✓ 02-payment-backend ({day})"),
            ("- Status: in progress", "- Status: completed"),
            *((row, row.replace("○", "✓")) for row in rows),
        ]
        log = kept(now[f"{CHECKOUT}/02-implementation.md"]).decode()
        assert log.startswith(f"\n\n<!-- ropeteam run {said['run']} -->\n## Part: 02-payment-backend ({day})\n")
        assert kept(now[f"{CHECKOUT}/02-tests.md"])

        prompt = told_inside(h).text
        assert INTERRUPTED.strip() in prompt, "the log of the run that was interrupted"
        assert "| REQ-001 | PASS |" in prompt


def test_other_languages_line_ends_and_an_ignored_workspace_by_the_command_line(tmp_path: Path) -> None:
    with host_of_old(tmp_path, tracked=False) as h:
        older = h.claude("-p", "/2-code erinnerungen", "--model", MODEL)
        assert older.code == 0, older
        assert "Load `.workspace/features/erinnerungen`" in h.server.requests(NAME)[-1].text, (
            "theirs is called as before"
        )

        before = every_file(h.repo)
        done = ran(h, "erinnerungen", by_commands("erinnerungen"), "reminders")
        assert done.code == 0, done
        first = h.report()
        assert (first["outcome"], first["landed"], first["parts"]) == ("delivered_single", True, [])
        now = changed(before, h)
        assert set(now) == {
            *(f"{GERMAN}/{name}" for name in ("00-overview.md", "01-intent.md", "02-implementation.md", "02-tests.md")),
            *("app/reminders.py", "tests/test_reminders.py"),
        }
        old, new = now[f"{GERMAN}/01-intent.md"]
        status = f"\r\n**Status:** ✓ done ({first['started_at'][:10]})\r\n".encode()
        assert new == old.replace(b"# Erinnerungen\r\n", b"# Erinnerungen\r\n" + status)
        log = kept(now[f"{GERMAN}/02-implementation.md"])
        assert log.count(b"\n") == log.count(b"\r\n") > 10
        assert "Abgebrochen: Es fehlte" in told_inside(h).text

        before = every_file(h.repo)
        done = ran(h, "loja/favoritos", by_commands("loja/favoritos"), "sharing")
        assert done.code == 0, done
        second = h.report()
        assert (second["outcome"], second["landed"], second["parts"]) == (
            "delivered_single",
            True,
            ["Lista partilhada"],
        )
        assert not [notice for notice in second["notices"] if "REQ-001" in notice], "it was done long ago"
        now = changed(before, h)
        assert set(now) == {
            *(
                f"{PORTUGUESE}/{name}"
                for name in ("00-overview.md", "01-intent.md", "02-implementation.md", "02-tests.md")
            ),
            *("app/sharing.py", "tests/test_sharing.py"),
        }
        old, new = now[f"{PORTUGUESE}/01-intent.md"]
        day = second["started_at"][:10]
        heading = "## Extend: Lista partilhada (2026-03-02)\n\n"
        assert new.decode() == old.decode().replace(heading, f"{heading}**Status:** ✓ done ({day})\n\n").replace(
            "○", "✓"
        )
        assert kept(now[f"{PORTUGUESE}/02-implementation.md"]).count(b"\n## Extend: Lista partilhada (") == 1

        assert git(h.repo, "status", "--porcelain") == ""
        assert git(h.repo, "log", "--format=%s", "-2").splitlines() == ["Favoritos: Lista partilhada", "Erinnerungen"]
        nothing_was_configured(h)
