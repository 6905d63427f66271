"""What the command line refuses: one message, the right exit code, nothing changed; and what happens when it breaks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import PROGRAM, World

from repositories import git


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    yield made
    made.end()


REFUSALS = [
    (["frobnicate"], "usage", "There is no command 'frobnicate'."),
    (["stats"], "usage", "Did you mean 'status'?"),
    (["run"], "usage", "Missing argument 'FEATURE'."),
    (["run", "times", "--mode", "fast"], "usage", "'fast' is not one of"),
    (["run", "times", "--mode", "parallel"], "agent_not_usable", "The agent claude cannot be used"),
    (["run", "times", "--workers", "many"], "usage", "'many' is not a valid integer"),
    (["run", "times", "--no-such-flag"], "usage", "--no-such-flag"),
    (["run", "times", "--workers", "0"], "bad_input", "workers"),
    (["run", "times", "--budget-usd", "-1"], "bad_input", "--budget-usd"),
    (["run", "times", "--set", "limits.attempt_seconds=soon"], "bad_input", "limits.attempt_seconds"),
    (["run", "times", "--set", "nonsense"], "bad_input", "nonsense"),
    (["run", "times", "--agent", "nobody"], "bad_input", "nobody"),
    (["run", "tmes"], "bad_input", "Did you mean 'times'?"),
    (["run", "../../etc"], "bad_input", "`..` is not allowed"),
    (["run", "-"], "bad_input", "There is nothing on standard input."),
    (["run", "times", "--agent", "command"], "agent_not_usable", "agent.command.argv"),
    (["run", "times", "--repo", "/nowhere/at/all"], "bad_repository", "/nowhere/at/all"),
    (["plan"], "usage", "Missing argument 'FEATURE'."),
    (["plan", "tmes"], "bad_input", "Did you mean 'times'?"),
    (["plan", "times", "--plan", "nowhere.json"], "bad_plan", "There is no file nowhere.json."),
    (["plan", "times", "--part", "cart"], "bad_input", "has no parts"),
    (["plan", "times", "--mode", "parallel", "--planner", "static"], "plan_needed", "only one thing to do at a time"),
    (["plan", "times", "--planner", "agent", "--agent", "command"], "agent_not_usable", "agent.command.argv"),
    (["status"], "no_such_run", "There is no run in this repository yet."),
    (["resume", "x"], "no_such_run", "There is no run in this repository yet."),
    (["new", "times"], "bad_input", "exists already"),
    (["demo", "--keep", "."], "bad_input", "not empty"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSALS, ids=[" ".join(r[0])[:40] for r in REFUSALS])
def test_refused_with_one_message_and_nothing_changed(
    world: World, arguments: list[str], code: str, words: str
) -> None:
    before = git(world.repo, "for-each-ref"), sorted(p for p in world.repo.rglob("*") if ".git" not in p.parts)
    done = world.run(*arguments)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("error: ")
    assert words in done.err
    assert "Traceback" not in done.err
    as_json = world.run(*arguments, "--json")
    assert (as_json.code, as_json.err) == (2, "")
    assert set(as_json.json) == {"error"}
    assert set(as_json.json["error"]) == {"code", "message", "where", "hint"}
    assert as_json.json["error"]["code"] == code
    after = git(world.repo, "for-each-ref"), sorted(p for p in world.repo.rglob("*") if ".git" not in p.parts)
    assert after == before


def test_places_that_are_no_repository_or_have_no_commit(world: World) -> None:
    (world.folder / "plain").mkdir()
    (world.folder / "fresh").mkdir()
    git(world.folder / "fresh", "init", "-q")
    for place, code in (("plain", "not_a_repository"), ("fresh", "unborn_branch")):
        done = world.run("run", "times", "--json", cwd=world.folder / place)
        assert done.code == 2
        assert done.json["error"]["code"] == code
        assert done.json["error"]["hint"]


def test_a_cache_folder_that_cannot_be_written(world: World) -> None:
    (world.folder / "file").write_text("")
    env = {"ROPETEAM_TREES_FOLDER": str(world.folder / "file" / "below")}
    done = world.run("run", "times", *world.scripted, "--yes", "--json", env=env)
    assert done.code == 2
    assert done.json["error"]["code"] == "cache_unwritable"


def test_no_git_on_the_path(world: World) -> None:
    done = world.run("run", "times", "--json", env={"ROPETEAM_GIT": str(world.folder / "no-git")})
    assert done.code == 2
    assert done.json["error"]["code"] == "git_missing"


def test_a_journal_that_is_none_is_said(world: World) -> None:
    home = world.repo / ".git" / "ropeteam"
    home.mkdir()
    (home / "journal.sqlite").write_bytes(b"this is no database, and never was one" * 100)
    done = world.run("status")
    assert (done.code, done.out) == (3, "")
    assert "Traceback" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1
    assert str(home / "journal.sqlite") in done.err
    assert world.run("status", "--json").json["error"]["code"] == "journal_damaged"
    assert (home / "journal.sqlite").read_bytes().startswith(b"this is no database")


def test_whoever_stops_reading_is_no_failure(world: World) -> None:
    world.run("run", "times", *world.scripted, "--yes")
    reader, writer = os.pipe()
    os.close(reader)
    child = subprocess.run(
        [PROGRAM, "report", "--format", "html"], cwd=world.repo, env=world.env, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (child.returncode, child.stderr) == (0, b"")


def test_a_locale_without_the_letters_breaks_nothing(world: World) -> None:
    world.run("run", "times", *world.scripted, "--yes")
    done = subprocess.run(
        [PROGRAM, "report"],
        cwd=world.repo,
        env={**world.env, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Delivered and landed on main." in done.stdout


def imported(world: World, *arguments: str) -> tuple[int, list[str], str]:
    """A command's exit code, the modules that it imported, and what it printed."""
    code = (
        "import sys, io\n"
        f"sys.argv = ['ropeteam', *{arguments!r}]\n"
        "sys.stdout, real = io.StringIO(), sys.stdout\n"
        "from ropeteam.cli import main\n"
        "code = main()\n"
        "print(repr([code, sorted(sys.modules), sys.stdout.getvalue()]), file=real)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=world.repo, env=world.env, capture_output=True, check=True)
    ended, modules, shown = ast.literal_eval(done.stdout.decode())
    return ended, modules, shown


def test_help_imports_nothing_heavy(world: World) -> None:
    ended, modules, shown = imported(world, "--help")
    assert ended == 0
    for heavy in ("asyncio", "sqlite3", "rich", "msgspec", "subprocess", "tree_sitter", "json", "dataclasses"):
        assert heavy not in modules
    assert not [m for m in modules if m.startswith("ropeteam.") and not m.startswith(("ropeteam.cli", "ropeteam.err"))]
    for command in ("run", "resume", "demo", "doctor"):
        assert f"\n  {command} " in shown


def test_a_look_at_runs_imports_nothing_that_only_a_run_needs(world: World) -> None:
    ended, modules, _ = imported(world, "status")
    assert ended == 2  # there is none
    assert "ropeteam.journal" in modules
    needless = ("asyncio", "markdown_it", "tree_sitter", "rich")
    needless += tuple(f"ropeteam.{name}" for name in ("engine", "features", "packing", "perform", "planners"))
    assert [name for name in needless if name in modules] == []


def test_every_command_has_help(world: World) -> None:
    from ropeteam.cli.commands import COMMANDS

    for name in COMMANDS:
        done = world.run(name, "--help")
        assert (done.code, done.err) == (0, ""), name
        assert "Usage: ropeteam" in done.out
        assert len(max(done.out.splitlines(), key=len)) <= 80
