"""What a project's checks can tell, and what work trees are given: configured or found, through the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from driving import RESULT, Project, must_hold, project

from repositories import commit_all, git, write_files
from ropeteam import sandbox


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path) as made:
        yield made


def having(p: Project, files: Mapping[str, str], *removed: str) -> None:
    """Commit these files; without those that are removed."""
    for path in removed:
        git(p.top, "rm", "-q", path)
    write_files(p.top, files)
    commit_all(p.top)
    p.look()


def ran(p: Project, *args: str, code: int = 0) -> Any:
    done = p.ropeteam(*p.run_args("--json", *args))
    assert done.code == code, done
    must_hold(p)
    return done.json


def closing(p: Project) -> str:
    """The first line of the report, and what it says of checks."""
    return p.ropeteam("report").out


# ---- checks that cannot tell


def test_a_project_without_checks(p: Project) -> None:
    having(p, {}, "tests/__init__.py", "tests/test_app.py")
    p.agent('write("app.py", "def greet(name):\\n    return name\\n"); report(files=[])')
    report = ran(p)
    assert (report["landed"], report["checks"]) == (True, [])
    assert "No check of the project's own was there to test it." in closing(p).split("\n")[0]


def test_tests_that_never_passed(p: Project) -> None:
    """They failed before and fail now: nothing is held against the result, and nothing is called passed."""
    never = "import unittest\n\n\nclass Old(unittest.TestCase):\n    def test_x(self):\n        1 / 0\n"
    having(p, {"tests/test_app.py": never})
    p.agent('write("app.py", "def greet(name):\\n    return name\\n"); report(files=[])')
    report = ran(p)
    (check,) = report["checks"]
    assert (check["baseline"], check["state"]) == ("failed", "no_gate")
    assert "no_gate" in closing(p).split("\n")[0]
    assert report["landed"]


@pytest.mark.slow
def test_a_check_that_notices_nothing(p: Project) -> None:
    """It ends well whatever the code is: the canary shows it."""
    report = ran(p, "--set", 'checks.commands=[{name = "smile", argv = ["true"]}]')
    (check,) = report["checks"]
    assert (check["name"], check["state"]) == ("smile", "no_gate")
    assert "smile: no_gate" in closing(p).split("\n")[0]


@pytest.mark.slow
def test_a_check_whose_program_is_missing(p: Project) -> None:
    report = ran(p, "--set", 'checks.commands=[{name = "lint", argv = ["no-such-linter"]}]')
    (check,) = report["checks"]
    assert (check["state"], report["landed"]) == ("not_run", True)
    assert "no-such-linter" in check["why"]
    assert "lint: not_run" in closing(p).split("\n")[0]


def test_a_set_up_that_fails(p: Project) -> None:
    report = ran(p, "--set", 'checks.setup=["echo no network >&2; exit 7"]')
    (check,) = report["checks"]
    assert (check["state"], report["landed"]) == ("not_run", True)
    assert "exit 7" in check["why"]
    assert "not_run" in closing(p).split("\n")[0]
    assert any("set-up" in notice for notice in report["notices"]), report["notices"]


# ---- checks as configured


def test_the_repositorys_own_commands(p: Project) -> None:
    """From the base commit: what the agent makes of them in its tree does not count."""
    commands = '[[checks.commands]]\nname = "own"\nargv = ["sh", "check.sh"]\n'
    check = "python3 -c 'import app' && grep -q hello app.py\n"
    having(p, {"ropeteam.toml": commands, "check.sh": check})
    p.agent(
        'if task["attempt"] == 1:\n    write("app.py", "def greet(name):\\n    return name\\n")\n'
        '    write("ropeteam.toml", "[checks]\\ncommands = []\\n"); report(files=[])\n'
        "else:\n    everything(); report()"
    )
    report = ran(p)
    assert [t["id"] for t in report["triggers"]] == ["batch_validation_failed"]
    assert [(c["name"], c["state"], c["baseline"]) for c in report["checks"]] == [("own", "passed", "passed")]


def test_a_set_up_before_agent_and_checks(p: Project) -> None:
    """A line of shell in every tree, whose untracked result the check needs and the agent sees."""
    having(p, {".gitignore": "__pycache__/\nmade/\n", "check.sh": "test -f made/it && python3 -c 'import app'\n"})
    p.agent('note("saw", open("made/it").read()); everything(); report()')
    setup = 'checks.setup=["mkdir -p made && echo $GREETING > made/it"]'
    env = 'trees.env={GREETING = "hello {slot} {8100 + slot}"}'
    report = ran(p, "--set", setup, "--set", env, "--set", 'checks.commands=[{name = "c", argv = ["sh", "check.sh"]}]')
    assert (p.io() / "saw").read_text().strip() == "hello 1 8101"  # 0 belongs to the checks
    assert [c["state"] for c in report["checks"]] == ["passed"]
    assert "made/it" not in git(p.top, "ls-tree", "-r", "--name-only", "main")


# ---- what is copied


@pytest.mark.parametrize("confined", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_trees_are_given(tmp_path: Path, confined: bool) -> None:
    """Dependency folders by themselves; what `.worktreeinclude` and trees.copy name; nothing else that is untracked."""
    if confined and not sandbox.available().ok:
        pytest.skip("bubblewrap does not run here")
    with project(tmp_path, sandbox=confined) as p:
        ignored = "__pycache__/\n.env\n*.local\nnode_modules/\nsecret.txt\ndata/\n"
        having(p, {".gitignore": ignored, ".worktreeinclude": "# of development\n.env\n*.local\n!not.local\n"})
        write_files(
            p.top,
            {
                ".env": "KEY=1\n",
                "config/db.local": "db\n",
                "not.local": "not\n",
                "node_modules/left/index.js": "left\n",
                "secret.txt": "secret\n",
                "data/rows.csv": "rows\n",
            },
        )
        p.agent(
            'found = [str(f) for f in pathlib.Path(".").rglob("*") if f.is_file() and ".git/" not in str(f)]\n'
            'note("found", json.dumps([found, oct(os.stat(".env").st_mode & 0o777), dict(os.environ)]))\n'
            'pathlib.Path(".env").write_text("KEY=stolen\\n"); everything(); report()'
        )
        args = ["--set", 'trees.copy=["node_modules", "data"]', "--set", 'trees.pass_env=["MY_TOKEN"]']
        p.env |= {"MY_TOKEN": "mine", "OTHER_TOKEN": "other"}
        report = ran(p, *args)
        found, mode, env = json.loads((p.io() / "found").read_text())
        given = {".env", "config/db.local", "node_modules/left/index.js", "data/rows.csv"}
        assert given <= set(found)
        assert not {"not.local", "secret.txt"} & set(found)
        assert mode == "0o600"
        assert env["MY_TOKEN"] == "mine"
        assert not {"OTHER_TOKEN", "ANTHROPIC_API_KEY"} & set(env)
        assert (p.top / ".env").read_text() == "KEY=1\n"
        landed = set(git(p.top, "ls-tree", "-r", "--name-only", "main").split("\n"))
        assert set(RESULT) <= landed
        assert not given & landed
        assert report["landed"]
        assert stat.S_IMODE((p.top / ".env").stat().st_mode) != 0o600


def test_what_is_copied_is_agreed_to(p: Project) -> None:
    """`.worktreeinclude` may name secrets: another one is asked about again."""
    assert p.ropeteam(*p.run_args("--land", "no")).code == 0
    unasked = [part for part in p.run_args("--json", "--land", "no") if part != "--yes"]
    p.agent('write("more.py", "more = 1\\n"); report(files=[])')
    assert p.ropeteam(*unasked).code == 0
    having(p, {".worktreeinclude": ".env\n"})
    assert p.ropeteam(*unasked).json["error"]["code"] == "consent_needed"
