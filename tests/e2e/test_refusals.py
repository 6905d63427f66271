"""What must be changed first is said in one message, with exit code 2, and nothing is changed: not a byte.

Most are asked for as the JSON document, so that code, place and advice are held as well as the words.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from driving import FEATURE, Done, Project, looked_at, must_hold, project

from repositories import commit_all, files_of, git, make_repo, write_files
from ropeteam import git as ours

SLOW = partial(pytest.param, marks=pytest.mark.slow)
FOLDER = f".workspace/features/{FEATURE}"
CLAUDE = "agent.claude.argv"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One repository for all cases that change nothing in it."""
    with project(tmp_path_factory.mktemp("refused")) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Project]:
    """A repository for a case that arranges something in it first."""
    with project(tmp_path) as made:
        yield made


def picture(top: Path) -> dict[str, object]:
    """Every byte of a repository with its git directory, but for ropeteam's own folder in it."""
    found: dict[str, object] = {}
    for folder, below, names in os.walk(top):
        if folder == str(top / ".git"):
            below.remove("ropeteam") if "ropeteam" in below else None
        for name in (*below, *names):
            path = Path(folder, name)
            found[str(path)] = os.readlink(path) if path.is_symlink() else path.is_dir() or path.read_bytes()
    return found


@dataclass(frozen=True)
class Refusal:
    code: str
    message: str
    where: str
    hint: str


def refused(p: Project, *args: str, drop: tuple[str, ...] = (), top: Path | None = None, **env: str) -> Refusal:
    """Ask for the JSON document and hold it to what every refusal must be. drop: variables that are left out."""
    top = top or p.top
    before, events = picture(top), p.kinds()
    kept = {name: p.env.pop(name) for name in drop}
    done = p.ropeteam(*args, "--json", env=env)
    p.env.update(kept)
    assert done.code == 2, done
    assert picture(top) == before
    assert p.kinds() == events
    assert "Traceback" not in done.err
    assert set(done.json) == {"error"}
    error = Refusal(**done.json["error"])
    assert error.hint
    assert error.where or error.code == "usage"
    return error


def of_feature(p: Project, name: str) -> tuple[str, ...]:
    run, _, *rest = p.run_args()
    return (run, name, *rest)


# ---- the repository


def bare(folder: Path) -> None:
    git(folder, "init", "-q", "--bare", ".")


def unborn(folder: Path) -> None:
    git(folder, "init", "-q", "--template=", ".")


def of_an_attempt(folder: Path) -> None:
    store = ours.open_store(ours.find(make_repo(folder.with_name(f"{folder.name}-user"))))
    facts = ours.facts(store.repo)
    ours.create_tree(store, folder, facts.base, facts, index=folder.with_name(f"{folder.name}-index"))


REPOSITORIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not_a_repository": (lambda _folder: None, "This is not a git repository."),
    "bare_repository": (bare, "bare"),
    "unborn_branch": (unborn, "no commit yet"),
    "inside_a_run": (of_an_attempt, "a run is at work here, and none begins inside of it"),
}


@pytest.mark.parametrize("code", REPOSITORIES)
def test_a_folder_that_cannot_be_worked_in(shared: Project, tmp_path: Path, code: str) -> None:
    make, words = REPOSITORIES[code]
    make(tmp_path)
    error = refused(shared, *shared.run_args("--repo", str(tmp_path)), top=tmp_path)
    assert (error.code, error.where) == (code, str(tmp_path))
    assert words in error.message


def test_a_folder_that_is_not_there(shared: Project, tmp_path: Path) -> None:
    error = refused(shared, *shared.run_args("--repo", str(tmp_path / "nowhere")))
    assert error.message == f"There is no folder {tmp_path / 'nowhere'}."


def test_a_dirty_checkout_is_listed(own: Project) -> None:
    write_files(own.top, {"app.py": "changed = 1\n", "tests/test_app.py": "changed = 2\n"})
    git(own.top, "add", "tests/test_app.py")
    error = refused(own, *own.run_args())
    assert error.code == "dirty"
    assert error.message.split("\n")[1:] == ["  app.py", "  tests/test_app.py"]
    assert "--include-dirty" in error.hint


def test_changes_that_are_taken_along_lead_to_a_branch(own: Project) -> None:
    write_files(own.top, {"tests/test_app.py": (own.top / "tests/test_app.py").read_text() + "# mine\n"})
    write_files(own.top, {"scratch.txt": "never tracked\n", f"{FOLDER}/01-research.md": "# Research\n\nNew words.\n"})
    own.before = looked_at(own.top)
    done = own.ropeteam(*own.run_args("--include-dirty", "--json"))
    assert done.code == 0, done
    said = done.json
    assert (said["landed"], said["landed_reason"]) == (False, "include_dirty")
    assert git(own.top, "log", "--format=%s", f"main..{said['branch']}").split("\n")[-1].startswith("Changes of the")
    first = git(own.top, "rev-list", "--reverse", f"main..{said['branch']}").split("\n")[0]
    assert git(own.top, "diff", "--name-only", "main", first) == "tests/test_app.py"
    assert looked_at(own.top)["index"] == own.before["index"]
    assert (own.top / "tests/test_app.py").read_text().endswith("# mine\n")
    assert (own.top / "scratch.txt").read_text() == "never tracked\n"


def test_a_merge_that_is_not_finished(own: Project) -> None:
    git(own.top, "checkout", "-q", "-b", "other")
    write_files(own.top, {"app.py": "other = 1\n"})
    commit_all(own.top)
    git(own.top, "checkout", "-q", "main")
    write_files(own.top, {"app.py": "mine = 1\n"})
    commit_all(own.top)
    with suppress(AssertionError):
        git(own.top, "merge", "-q", "other")
    assert refused(own, *own.run_args()).code == "dirty"
    error = refused(own, *own.run_args("--include-dirty"))
    assert error.code == "merge_in_progress"
    assert "git merge" in error.hint


def test_nobody_is_known_as_the_author(shared: Project, tmp_path: Path) -> None:
    error = refused(shared, *shared.run_args(), HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    assert (error.code, error.where) == ("no_identity", str(shared.top))
    assert "git config --global user.email" in error.hint


# ---- the feature


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("checkout", "There is no feature 'checkout'."),
        SLOW("greetin", "There is no feature 'greetin'."),
        ("../x", "`..` is not allowed"),
        SLOW("..\\..\\x", "`..` is not allowed"),
        ("greeting/../../../../etc", "`..` is not allowed"),
        ("/etc", "leads out of the repository"),
        SLOW("~/x", "an absolute name is not allowed"),
        ("C:\\x", "a drive letter is not allowed"),
        ("$(touch x)", "'$' is not allowed"),
        SLOW("greeting;ls", "';' is not allowed"),
        SLOW("`id`", "'`' is not allowed"),
        SLOW("greeting\nx", "is not allowed"),
        SLOW("", "it is empty"),
        SLOW(".", "is not a feature folder"),
        (".git", "is not a feature folder"),
        SLOW("x" * 201, "it has 201 characters"),
        ("../../secret.md", "There is no file"),
        SLOW("/nowhere/issue.md", "There is no file"),
    ],
)
def test_a_feature_that_cannot_be(shared: Project, name: str, words: str) -> None:
    error = refused(shared, *of_feature(shared, name))
    assert words in error.message
    assert FEATURE in error.hint or "leads out" in words


def link_out(folder: Path) -> None:
    (folder.parent.parent.parent / ".workspace/features/wanted").rmdir()
    folder.symlink_to("/etc")


def linked_file(folder: Path) -> None:
    write_files(folder, {"01-research.md": "# R\n\nWords.\n"})
    (folder / "01-intent.md").symlink_to("/etc/hostname")


FOLDERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a link that leads out": (link_out, "leads out of the repository", "wanted"),
    "a file that leads out": (linked_file, "leads out of the repository", "01-intent.md"),
    "no research": (lambda f: write_files(f, {"01-intent.md": "# I\n"}), "has no 01-research.md", "01-research.md"),
    "no intent": (lambda f: write_files(f, {"01-research.md": "# R\n"}), "has no 01-intent.md", "01-intent.md"),
    "nothing in it": (lambda f: write_files(f, {"01-intent.md": " \n", "01-research.md": "# R\n"}), "is empty", "01-"),
    "not UTF-8": (
        lambda f: write_files(f, {"01-intent.md": b"# Caf\xe9\n", "01-research.md": "# R\n"}),
        "byte 0xe9 in line 1",
        "01-intent.md:1",
    ),
    "UTF-16": (
        lambda f: write_files(f, {"01-intent.md": "# I\n".encode("utf-16"), "01-research.md": "# R\n"}),
        "UTF-16",
        "01-intent.md",
    ),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_a_feature_folder_that_cannot_be_used(own: Project, what: str) -> None:
    make, words, where = FOLDERS[what]
    folder = own.top / ".workspace/features/wanted"
    folder.mkdir()
    make(folder)
    error = refused(own, *of_feature(own, "wanted"))
    assert error.code == "bad_input"
    assert words in error.message
    assert where in error.where


def test_a_template_that_is_not_filled_in(own: Project) -> None:
    assert own.ropeteam("new", "search").code == 0
    error = refused(own, *of_feature(own, "search"))
    assert error.message == ".workspace/features/search/01-intent.md is not filled in yet."
    line = int(error.where.rpartition(":")[2])
    assert "<<fill in:" in (own.top / ".workspace/features/search/01-intent.md").read_text().split("\n")[line - 1]


# ---- the agent

AGENTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "unknown": (("--agent", "claud"), "bad_input", "There is no agent 'claud'."),
    "without a command": (("--agent", "command"), "agent_not_usable", "agent.command.argv is not set"),
    "with an empty command": (
        ("--agent", "command", "--set", "agent.command.argv=[]"),
        "agent_not_usable",
        "agent.command.argv is not set",
    ),
    "of a program that is nowhere": (
        ("--agent", "command", "--set", 'agent.command.argv=["no-such-agent"]'),
        "agent_not_usable",
        "There is no program 'no-such-agent'",
    ),
    "of a program that no tree has": (
        ("--agent", "command", "--set", 'agent.command.argv=["./tools/agent"]'),
        "agent_not_usable",
        "there is no tools/agent in the last commit",
    ),
    "without a script": (("--agent", "scripted"), "agent_not_usable", "agent.scripted.script"),
    "whose script is nowhere": (
        ("--agent", "scripted", "--set", "agent.scripted.script=/nowhere.json"),
        "agent_not_usable",
        "/nowhere.json",
    ),
}


@pytest.mark.parametrize("what", AGENTS)
def test_an_agent(shared: Project, what: str) -> None:
    args, code, words = AGENTS[what]
    error = refused(shared, "run", FEATURE, "--yes", *args)
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize("text", ['{"units": 3}', '{"units', '{"unit": {}}'])
def test_a_script_that_cannot_be_played(shared: Project, tmp_path: Path, text: str) -> None:
    (tmp_path / "play.json").write_text(text)
    script = f"agent.scripted.script={tmp_path / 'play.json'}"
    error = refused(shared, "run", FEATURE, "--yes", "--agent", "scripted", "--set", script)
    assert error.code == "agent_not_usable"
    assert str(tmp_path / "play.json") in error.message


def test_claude_is_not_installed(shared: Project) -> None:
    error = refused(shared, "run", FEATURE, "--yes", PATH="/usr/bin:/bin")
    assert (error.code, error.where) == ("agent_not_usable", "--agent")
    assert "'claude' was not found" in error.message


@pytest.mark.slow
def test_claude_is_not_logged_in(shared: Project) -> None:
    """The real program, without a key and with a home that has no log-in."""
    bundled = pytest.importorskip("claude_agent_sdk").__path__[0] + "/_bundled/claude"
    if not os.path.exists(bundled):
        pytest.skip("this platform's claude-agent-sdk bundles no claude")
    args = ("run", FEATURE, "--yes", "--agent", "claude", "--set", f"{CLAUDE}={json.dumps([bundled])}")
    error = refused(shared, *args, drop=("ANTHROPIC_API_KEY",))
    assert error.code == "agent_not_usable"
    assert "not logged in" in error.message
    assert "ANTHROPIC_API_KEY" in error.hint


# ---- the machine


def stand_in(folder: Path, says: str) -> str:
    path = folder / "git"
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return str(path)


def test_git_is_too_old(shared: Project, tmp_path: Path) -> None:
    error = refused(shared, *shared.run_args(), ROPETEAM_GIT=stand_in(tmp_path, "git version 2.30.2"))
    assert error.code == "git_too_old"
    assert error.message == "git 2.30.2 is too old: 2.38 or newer is needed."


def test_git_is_missing(shared: Project, tmp_path: Path) -> None:
    for env in ({"ROPETEAM_GIT": "/nowhere/git"}, {"PATH": str(tmp_path), "ROPETEAM_GIT": ""}):
        assert refused(shared, *shared.run_args(), **env).code == "git_missing"
    assert refused(shared, *shared.run_args(), ROPETEAM_GIT=stand_in(tmp_path, "no git")).code == "git_missing"


def test_the_folder_for_trees_cannot_be_written(shared: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        error = refused(shared, *shared.run_args("--set", f"trees.folder={folder}"))
        assert error.code == "cache_unwritable"
        assert error.where.startswith(f"{folder}/")
    args = ("run", FEATURE, "--yes", "--agent", "command", "--set", shared.sets[0])  # the platform's own folder
    assert refused(shared, *args, XDG_CACHE_HOME=str(tmp_path / "file")).code == "cache_unwritable"


def test_the_folder_for_trees_is_read_only(own: Project, tmp_path: Path) -> None:
    """As it is on a read-only file system: a mount of our own, where this machine lets us have one."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    bwrap = [
        "bwrap",
        "--bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--ro-bind",
        str(folder),
        str(folder),
        "--",
    ]
    if subprocess.run([*bwrap, "true"], capture_output=True, check=False).returncode:
        pytest.skip("bubblewrap does not run here")
    done = subprocess.run(
        [*bwrap, *own.argv(*own.run_args("--set", f"trees.folder={folder}", "--json"))],
        cwd=own.top,
        env=own.env,
        capture_output=True,
        check=False,
    )
    told = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert told.code == 2, told
    assert told.json["error"]["code"] == "cache_unwritable"
    assert "Read-only file system" in told.json["error"]["message"]
    must_hold(own)


def test_trees_inside_the_checkout(shared: Project) -> None:
    for folder in ("trees", f"{shared.top}/trees", f"{shared.top}/.git/trees", str(shared.top)):
        error = refused(shared, *shared.run_args("--set", f"trees.folder={folder}"))
        assert error.code == "cache_inside"


def test_a_sandbox_is_wanted_and_not_there(shared: Project, tmp_path: Path) -> None:
    (tmp_path / "git").symlink_to(str(shutil.which("git")))
    args = shared.run_args("--set", "sandbox.mode=on", "--set", f'agent.command.argv=["{sys.executable}"]')
    error = refused(shared, *args, PATH=str(tmp_path))
    assert (error.code, error.where) == ("no_sandbox", "sandbox.mode")


# ---- settings and flags


@pytest.mark.parametrize(
    ("text", "line", "words", "advice"),
    [
        ("[limits]\ntries = 3\nstall = 4\n", 3, "There is no setting 'limits.stall'.", "'limits.stall_seconds'"),
        SLOW("\nworkers = 0\n", 2, "workers cannot be 0.", "from 1 to 64"),
        ("[limits\n", 1, "is not valid TOML", "Correct it."),
        SLOW('x = "\\q"\n', 1, "is not valid TOML", "Correct it."),
        ('agent = "codez"\n', 1, "There is no agent 'codez'.", "claude"),
    ],
)
def test_settings_of_the_repository(own: Project, text: str, line: int, words: str, advice: str) -> None:
    write_files(own.top, {"ropeteam.toml": text})
    commit_all(own.top)
    error = refused(own, *own.run_args())
    assert words in error.message
    assert error.where == f"ropeteam.toml:{line}"
    assert advice in error.hint
    assert "commit the correction" in error.hint


def test_settings_of_the_user(shared: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"ropeteam/ropeteam.toml": "# mine\nlimits.tries = 99\n"})
    error = refused(shared, *shared.run_args(), XDG_CONFIG_HOME=str(tmp_path))
    assert error.where == f"{tmp_path}/ropeteam/ropeteam.toml:2"
    assert error.message == "limits.tries cannot be 99."


@pytest.mark.parametrize(
    ("args", "where", "words"),
    [
        SLOW(("--set", "limits.tries"), "--set", "has no key and value"),
        (("--set", "limits.trise=3"), "--set", "There is no setting 'limits.trise'."),
        (("--set", "limits.tries=many"), "--set", "limits.tries cannot be 'many'."),
        SLOW(("--set", "sandbox.mode=maybe"), "--set", "sandbox.mode cannot be 'maybe'."),
        SLOW(("--workers", "0"), "--workers", "workers cannot be 0."),
        (("--budget-usd", "-3"), "--budget-usd", "limits.budget_usd cannot be -3.0."),
        SLOW(("--budget-usd", "nan"), "--budget-usd", "limits.budget_usd cannot be nan."),
        SLOW(("--budget-tokens", "many"), "", "'many' is not a valid integer"),
        (("--mode", "fast"), "", "'fast' is not one of"),
        (("--nope",), "", "No such option '--nope'"),
        (("another",), "", "unexpected extra argument (another)"),
    ],
)
def test_a_flag(shared: Project, args: tuple[str, ...], where: str, words: str) -> None:
    error = refused(shared, *shared.run_args(*args))
    assert words in error.message
    assert error.where == where
    assert (error.code == "usage") == (where == "")


def test_a_variable(shared: Project) -> None:
    error = refused(shared, *shared.run_args(), ROPETEAM_LIMITS_TRIES="x")
    assert (error.message, error.where) == ("limits.tries cannot be 'x'.", "ROPETEAM_LIMITS_TRIES")


@pytest.mark.parametrize(
    "command", ["status", "resume", "land", *map(SLOW, ("attach", "wait", "cancel", "report", "clean"))]
)
def test_a_run_that_is_not_there(shared: Project, command: str) -> None:
    error = refused(shared, command, "20200101-000000-nothing-0000")
    assert error.code == "no_such_run"


def test_a_command_that_is_not_there(shared: Project) -> None:
    error = refused(shared, "rnu", "x")
    assert error.message == "There is no command 'rnu'. Did you mean 'run'?"


def test_consent_is_needed_and_nobody_is_here(shared: Project) -> None:
    args = [part for part in shared.run_args() if part != "--yes"]
    error = refused(shared, *args)
    assert (error.code, error.where) == ("consent_needed", str(shared.top))
    assert "--yes" in error.hint


@pytest.mark.parametrize("args", [("--repo", "/nowhere"), ("--workers", "0"), ("--nope",), ("--agent", "codez")])
def test_what_people_see(shared: Project, args: tuple[str, ...]) -> None:
    """The same words as in the document, once, on standard error; nothing on standard output."""
    error = refused(shared, *shared.run_args(*args))
    done = shared.ropeteam(*shared.run_args(*args))
    where = f"where: {error.where}\n" if error.where else ""
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {error.message}\n{where}hint: {error.hint}\n"


def test_nothing_is_left_of_all_these(shared: Project) -> None:
    """After every refusal of this file the repository is as it was made, and nothing runs."""
    must_hold(shared)
    assert shared.kinds() == []
    assert set(files_of(shared.top)) == set(shared.before["files"])
    assert not shared.processes()


# ---- the plan

PLAN = {"units": [{"id": "a", "goal": "x", "writes": ["a.py"]}, {"id": "b", "goal": "x", "writes": ["b.py"]}]}
FLAGS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "several where nothing can be shared out": (
        ("--mode", "parallel", "--planner", "static"),
        "plan_needed",
        "--mode",
        "only one thing to do at a time",
    ),
    "belay beside one": (("--belay", "--mode", "single"), "belay_alone", "--belay", "--mode single asks for one"),
    "a plan that is nowhere": (
        ("--plan", "nowhere.json"),
        "bad_plan",
        "nowhere.json",
        "There is no file nowhere.json.",
    ),
    "a plan that is a folder": (("--plan", "/etc"), "bad_plan", "/etc", "There is no file /etc."),
}


@pytest.mark.parametrize("what", FLAGS)
def test_flags_of_several_agents(shared: Project, what: str) -> None:
    args, code, where, words = FLAGS[what]
    error = refused(shared, *shared.run_args(*args))
    assert (error.code, error.where) == (code, where)
    assert words in error.message


def test_a_plan_with_faults_is_refused_with_all_of_them(shared: Project, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    units = [
        {"id": "rest", "goal": "x", "writes": ["a.py"]},
        {"id": "b", "goal": "x", "writes": ["../b.py"], "needs": ["c"]},
        {"id": "c", "goal": "x", "writes": ["a.py"], "needs": ["b", "nobody"]},
    ]
    plan.write_text(json.dumps({"units": units}, indent=1))
    error = refused(shared, *shared.run_args("--plan", str(plan)))
    assert (error.code, error.where) == ("bad_plan", f"{plan}:4")
    said = error.message.split("\n")
    assert said[0] == "The plan cannot be used: it has 5 faults:"
    for words in (
        "rest means something else",
        "leads out of the",
        "b -> c -> b",
        "needs 'nobody'",
        "c and rest both own",
    ):
        assert sum(words in line for line in said) == 1


def test_a_plan_is_journalled_laid_out_with_the_flags(own: Project, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({**PLAN, "contract": "a"}))
    args = ("--plan", str(plan), "--mode", "single", "--workers", "3", "--set", "plan.grouping=layers")
    done = own.ropeteam(*own.run_args(*args, "--json"))
    assert done.code == 0, done
    begun = own.wait_event("RunStarted")
    assert (begun["plan"]["batches"], begun["plan"]["barriers"]) == ([["a"], ["b"]], True)
    assert begun["plan"]["units"][1]["needs"] == ["a"]
    assert begun["settings"]["workers"] == 3
