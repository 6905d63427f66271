"""Budgets that end, results that land later, checkouts of every kind, and every way to name a feature."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driving import FEATURE, FILES, Done, Project, looked_at, must_hold, project

from repositories import commit_all, git, write_files

SLOW = partial(pytest.param, marks=pytest.mark.slow)
FOLDER = f".workspace/features/{FEATURE}"


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path) as made:
        yield made


def ran(p: Project, *args: str, code: int = 0) -> Any:
    return said(p, p.ropeteam(*p.run_args("--json", *args)), code)


def said(p: Project, done: Done, code: int = 0) -> Any:
    assert done.code == code, done
    must_hold(p)
    return done.json


# ---- budgets

SPENDS = """
def spend(cost, tokens=0):
    print(json.dumps({{"event": "usage", "input": tokens, "cost_usd": cost}}), flush=True)
    note("spent")
write("farewell.py", "half = True\\n")
spend({first})
if task["attempt"] == 1:
    wait_for("go", 20)
everything()
spend({second})
"""


def fired(report: Any) -> list[tuple[str, str]]:
    return [(t["action"], t["evidence"]) for t in report["triggers"] if t["id"] == "token_budget_exceeded"]


def test_four_fifths_of_the_money_are_a_notice(p: Project) -> None:
    p.agent(SPENDS.format(first="0.85, 1000", second="0.9, 2000") + 'report(usage={"input": 2000, "cost_usd": 0.9})')
    child = p.start(*p.run_args("--json", "--budget-usd", "1"))
    io = p.wait_agent("spent")
    (io / "go").touch()
    report = said(p, p.ended(child))
    assert [action for action, _ in fired(report)] == ["notice"]
    assert "$0." in fired(report)[0][1]
    assert "of $1.00 used" in fired(report)[0][1]
    assert report["landed"]
    assert report["actual"]["cost_usd"] == 0.9


@pytest.mark.parametrize("limit", ["money", SLOW("tokens")])
def test_a_budget_is_used_up(p: Project, limit: str) -> None:
    """The agent is stopped, everything is kept, and a larger budget goes on from there."""
    p.agent(SPENDS.format(first="1.5, 3000", second="1.6, 3100") + "report(usage=None)")
    flag, small, large = {
        "money": ("--budget-usd", "1", "9"),
        "tokens": ("--budget-tokens", "2000", "9000"),
    }[limit]
    report = ran(p, flag, small, code=1)
    assert (report["outcome"], report["landed"]) == ("not_delivered", False)
    assert fired(report)[-1][0] == "stop"
    assert git(p.top, "show", f"{report['kept'][0]}:farewell.py") == "half = True"
    assert git(p.top, "rev-parse", "main") == p.before["head"]
    assert said(p, p.ropeteam("resume", "--json"), 1)["outcome"] == "not_delivered"
    assert len(p.starts()) == 1  # nothing is started for a budget that is gone
    report = said(p, p.ropeteam("resume", "--json", flag, large))
    assert (report["outcome"], report["landed"]) == ("delivered_single", True)
    assert len(p.starts()) == 2
    assert (p.top / "farewell.py").exists()


def test_the_last_of_a_budget_delivers(p: Project) -> None:
    """Work that is done and valid is delivered, though nothing is left."""
    p.agent('everything(); report(usage={"input": 5000, "cost_usd": 2.5})')
    report = ran(p, "--budget-usd", "2")
    assert report["landed"]
    assert [action for action, _ in fired(report)] == ["stop"]


# ---- landing later


def left(p: Project) -> Any:
    """A result on a branch of its own."""
    report = ran(p, "--land", "no")
    assert (report["landed"], report["landed_reason"]) == (False, "asked")
    assert git(p.top, "rev-parse", "main") == p.before["head"]
    assert git(p.top, "rev-parse", report["branch"]) == report["head"]
    return report


def commit(p: Project, files: dict[str, str]) -> str:
    write_files(p.top, files)
    git(p.top, "add", *files)
    git(p.top, "commit", "-qm", "meanwhile")
    return git(p.top, "rev-parse", "HEAD")


@pytest.mark.slow
def test_a_kept_result_lands_where_it_began(p: Project) -> None:
    report = left(p)
    landed = said(p, p.ropeteam("land", "--json"))
    assert (landed["landed"], landed["branch"], landed["head"]) == (True, None, report["head"])
    assert git(p.top, "rev-parse", "main") == report["head"]
    assert report["branch"] not in git(p.top, "branch", "--format=%(refname:short)").split()
    assert git(p.top, "status", "--porcelain") == ""
    assert said(p, p.ropeteam("land", "--json"))["landed"]  # once more changes nothing
    assert git(p.top, "rev-parse", "main") == report["head"]


def test_a_kept_result_lands_on_a_newer_tip(p: Project) -> None:
    """Merged anew, and validated with what came meanwhile."""
    report = left(p)
    newer = commit(p, {"other.py": "other = 1\n"})
    landed = said(p, p.ropeteam("land", "--json"))
    assert landed["landed"]
    assert git(p.top, "merge-base", "main", newer) == newer
    assert {"other.py", "farewell.py"} <= set(git(p.top, "ls-tree", "--name-only", "main").split("\n"))
    assert git(p.top, "log", "--merges", "--format=%h") == ""
    assert landed["head"] != report["head"]
    assert git(p.top, "status", "--porcelain") == ""
    assert landed["checks"][0]["state"] == "passed"


@pytest.mark.slow
def test_a_kept_result_conflicts_with_a_newer_tip(p: Project) -> None:
    report = left(p)
    newer = commit(p, {"app.py": 'def greet(name):\n    return "hello there"\n'})
    refused = said(p, p.ropeteam("land", "--json"), 1)
    assert (refused["landed"], refused["landed_reason"]) == (False, "moved")
    assert "app.py" in refused["landed_detail"]
    assert git(p.top, "rev-parse", "main") == newer
    assert git(p.top, "rev-parse", report["branch"]) == report["head"]
    assert git(p.top, "status", "--porcelain") == ""
    assert "app.py" in p.ropeteam("report").out


@pytest.mark.slow
def test_a_kept_result_breaks_on_a_newer_tip(p: Project) -> None:
    """No conflict in the text, and a test that fails: the checks of the new tip decide."""
    report = left(p)
    test = "import unittest\n\nimport app\n\n\nclass Strict(unittest.TestCase):\n"
    test += '    def test_strict(self):\n        self.assertEqual(app.greet("you"), "hello")\n'
    newer = commit(p, {"tests/test_strict.py": test})
    refused = said(p, p.ropeteam("land", "--json"), 1)
    assert refused["landed_reason"] == "moved"
    assert "test_strict" in refused["landed_detail"]
    assert git(p.top, "rev-parse", "main") == newer
    assert git(p.top, "rev-parse", report["branch"]) == report["head"]
    assert refused["outcome"] == "delivered_single"
    git(p.top, "rm", "-q", "tests/test_strict.py")
    git(p.top, "commit", "-qm", "not so strict")
    assert said(p, p.ropeteam("land", "--json"))["landed"]


@pytest.mark.slow
def test_another_git_holds_the_index(p: Project) -> None:
    (p.top / ".git" / "index.lock").touch()
    report = ran(p, code=1)
    assert (report["landed"], report["landed_reason"]) == (False, "dirty")
    assert "index.lock" in report["landed_detail"]
    assert git(p.top, "rev-parse", "main") == p.before["head"]
    (p.top / ".git" / "index.lock").unlink()
    assert said(p, p.ropeteam("land", "--json"))["landed"]


@pytest.mark.slow
def test_landing_on_another_branch(p: Project) -> None:
    left(p)
    git(p.top, "switch", "-q", "-c", "release")
    commit(p, {"other.py": "other = 1\n"})
    landed = said(p, p.ropeteam("land", "--json"))
    assert landed["landed"]
    assert git(p.top, "rev-parse", "release") == landed["head"]
    assert git(p.top, "rev-parse", "main") == p.before["head"]


# ---- checkouts


@pytest.mark.slow
def test_a_detached_head(p: Project) -> None:
    git(p.top, "checkout", "-q", "--detach")
    report = said(p, p.ropeteam(*p.run_args("--json")), 1)
    assert report["landed_reason"] == "other_branch"
    assert git(p.top, "rev-parse", "HEAD") == p.before["head"]
    error = p.ropeteam("land", "--json")
    assert error.code == 2
    assert "detached" in error.json["error"]["message"]
    git(p.top, "checkout", "-q", "main")
    assert said(p, p.ropeteam("land", "--json"))["landed"]


@pytest.mark.slow
def test_another_branch_while_it_runs(p: Project) -> None:
    p.agent('note("working"); wait_for("go"); everything(); report()')
    child = p.start(*p.run_args("--json"))
    io = p.wait_agent()
    git(p.top, "switch", "-q", "-c", "elsewhere")
    (io / "go").touch()
    report = said(p, p.ended(child), 1)
    assert (report["outcome"], report["landed_reason"]) == ("delivered_single", "other_branch")
    assert git(p.top, "rev-parse", "main") == git(p.top, "rev-parse", "elsewhere") == p.before["head"]


def test_a_linked_work_tree_of_the_user(p: Project) -> None:
    """The run's home is the repository's, its result lands where it was started, the other checkout stays as it is."""
    main, linked = p.top, p.folder / "linked"
    git(main, "worktree", "add", "-q", "-b", "topic", str(linked))
    before = looked_at(main)
    done = p.ropeteam(*p.run_args("--json", "--repo", str(linked)))
    assert done.code == 0, done
    report = done.json
    assert report["landed"]
    assert git(linked, "rev-parse", "topic") == report["head"]
    assert git(linked, "status", "--porcelain") == ""
    assert (linked / "farewell.py").exists()
    assert looked_at(main) == before
    assert git(main, "status", "--porcelain") == ""
    assert p.ropeteam("report", "--json").json["run"] == report["run"]  # seen from the other checkout too


@pytest.mark.slow
def test_a_folder_inside_the_repository(p: Project) -> None:
    done = p.ropeteam(*p.run_args("--json", "--repo", str(p.top / "tests")))
    assert said(p, done)["landed"]


def test_untracked_files(p: Project) -> None:
    """They never stop a run; what is in the way of the result stops only its landing."""
    write_files(p.top, {"farewell.py": "mine\n", "notes.txt": "mine\n"})
    report = ran(p, code=1)
    assert report["landed_reason"] == "in_the_way"
    assert "farewell.py" in report["landed_detail"]
    assert (p.top / "farewell.py").read_text() == "mine\n"
    (p.top / "farewell.py").rename(p.top / "mine.py")
    assert said(p, p.ropeteam("land", "--json"))["landed"]
    assert (p.top / "notes.txt").read_text() == "mine\n"


# ---- ways to name a feature

TEXT = "# Say goodbye\n\nA function `farewell(name)` that says goodbye.\n"


def named(p: Project, feature: str, more: Sequence[str] = ()) -> Any:
    run, _, *rest = p.run_args("--json", *more)
    return said(p, p.ropeteam(run, feature, *rest))


@pytest.mark.parametrize("name", [f"./{FOLDER}", SLOW(f"{FOLDER}/01-intent.md"), SLOW("Greeting"), SLOW(" greeting/ ")])
def test_a_feature_by_another_name(p: Project, name: str) -> None:
    report = named(p, name)
    assert (report["feature"], report["landed"]) == (FEATURE, True)
    assert f"{FOLDER}/02-implementation.md" in report["documents"]


@pytest.mark.parametrize("outside", [SLOW(False), True])
def test_a_feature_in_a_markdown_file(p: Project, outside: bool) -> None:
    place = p.folder if outside else p.top
    (place / "Say Goodbye.md").write_text(TEXT)
    report = named(p, str(place / "Say Goodbye.md") if outside else "Say Goodbye.md")
    assert (report["feature"], report["documents"], report["landed"]) == ("say-goodbye", [], True)
    assert git(p.top, "log", "-1", "--format=%s") == "Say goodbye"
    assert "A function `farewell(name)`" in (p.io() / "prompt.md").read_text()
    assert not (p.top / FOLDER / "02-implementation.md").exists()


def test_a_feature_on_standard_input(p: Project) -> None:
    run, _, *rest = p.run_args("--json")
    argv = p.argv(run, "-", *rest)
    done = subprocess.run(argv, cwd=p.top, env=p.env, input=TEXT, capture_output=True, text=True, check=False)
    report = said(p, Done(done.returncode, done.stdout, done.stderr))
    assert (report["feature"], report["documents"], report["landed"]) == ("stdin", [], True)
    assert "A function `farewell(name)`" in (p.io() / "prompt.md").read_text()
    assert git(p.top, "log", "-1", "--format=%s") == "Say goodbye"


@pytest.mark.slow
def test_a_feature_that_git_does_not_know(p: Project) -> None:
    """A folder that is not committed: read, written to in place, and in no commit."""
    git(p.top, "rm", "-rq", "--cached", ".workspace")
    (p.top / ".gitignore").write_text(FILES[".gitignore"] + ".workspace/\n")
    git(p.top, "add", ".gitignore")
    commit_all(p.top, "features are nobody's business")
    p.look()
    report = ran(p)
    assert report["landed"]
    assert "Greet people by their name." in (p.io() / "prompt.md").read_text()
    assert (p.top / FOLDER / "02-implementation.md").exists()
    assert ".workspace" not in git(p.top, "ls-tree", "-r", "--name-only", "main")
