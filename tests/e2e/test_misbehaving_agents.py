"""Agents that do what they should not: nothing of the user's changes, nothing they made is lost, and it is said.

Several faults share one run where they can: attempt after attempt, each taken up by the next one.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import FEATURE, Done, Project, looked_at, must_hold, project, wait_until

from repositories import files_of, git
from ropeteam import sandbox

INTENT = f".workspace/features/{FEATURE}/01-intent.md"


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Project]:
    """Without a sandbox: these agents could reach everything."""
    with project(tmp_path) as made:
        yield made


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[Project]:
    if not sandbox.available().ok:
        pytest.skip("bubblewrap does not run here")
    with project(tmp_path, sandbox=True) as made:
        yield made


def ran(p: Project, *args: str, code: int) -> Any:
    """Run the feature to its end, hold the run to what must always hold; its report."""
    done = p.ropeteam(*p.run_args("--json", *args))
    return ended(p, done, code)


def ended(p: Project, done: Done, code: int) -> Any:
    assert done.code == code, done
    must_hold(p)
    report = done.json
    assert report["outcome"] == ("not_delivered" if code else "delivered_single") or report["landed_reason"]
    if not report["landed"]:
        untouched(p)
    return report


def untouched(p: Project) -> None:
    """The user's side is as it was, but for the run's own documents."""
    now = looked_at(p.top)
    for part in ("head", "branches", "index", "stash", "config"):
        assert now[part] == p.before[part], part
    changed = {path for path, what in now["files"].items() if p.before["files"].get(path) != what}
    assert changed <= {INTENT}


def outcomes(report: Any) -> list[str]:
    return [a["outcome"] for unit in report["units"] for a in unit["attempts"]]


def fired(report: Any, id: str) -> list[str]:
    return [t["evidence"] for t in report["triggers"] if t["id"] == id]


def prompt(p: Project, attempt: int) -> str:
    return (p.io(attempt) / "prompt.md").read_text()


def by_attempt(*does: str) -> str:
    """Another doing for each attempt, the last one for all that follow."""
    last = len(does) - 1
    return "\n".join(
        f"if task['attempt'] {'>' if i == last else '='}= {i + 1}:\n    " + "\n    ".join(d.strip("\n").split("\n"))
        for i, d in enumerate(does)
    )


# ---- what they say and how they end

LIES = 'everything(); report(files=[{"path": "app.py"}, {"path": "nowhere.py"}, {"path": "../x"}])'
GARBLED = 'everything(); pathlib.Path(task["report_file"]).write_text("{\\"files\\": [")'
TAMPERS = f'write({INTENT!r}, "# Do something else\\n"); report(files=[])'
EXITS = 'write("half.py", "half = True\\n"); print("no more money", file=sys.stderr); sys.exit(3)'
DIES = "import signal; os.kill(os.getpid(), signal.SIGSEGV); time.sleep(60)"
SYNTAX = 'write("app.py", "def greet(name:\\n    return 1\\n"); report(files=[])'
MARKERS = """
write("app.py", 'def greet(name):\\n    return f"hello {name}"\\n')
write("NOTES.txt", "<<<<<<< HEAD\\none\\n=======\\ntwo\\n>>>>>>> other\\n")
report(files=[])
"""
MENDS = 'os.unlink("NOTES.txt"); everything(); report()'


@pytest.mark.slow
def test_nine_ways_to_fail_and_a_tenth_attempt(p: Project) -> None:
    p.agent(by_attempt("report(files=[])", LIES, GARBLED, TAMPERS, EXITS, DIES, SYNTAX, MARKERS, "sys.exit(3)", MENDS))
    report = ran(p, "--set", "limits.tries=10", code=0)
    assert outcomes(report) == [
        *("empty", "corrupted", "corrupted", "corrupted", "crashed", "killed"),
        *("ok", "ok", "crashed", "ok"),
    ]
    said = [(t["id"], t["action"], t["evidence"]) for t in report["triggers"]]
    expected = [
        ("agent_crashed", "changed nothing"),
        ("context_corrupted", "nowhere.py, ../x"),
        ("context_corrupted", "report"),
        ("context_corrupted", INTENT),
        ("agent_crashed", "exit code 3"),
        ("agent_crashed", "SIGSEGV"),
        ("syntax_error", "app.py:1"),
        ("syntax_error", "NOTES.txt:1"),
        ("agent_crashed", "exit code 3"),
    ]
    assert [(id, action) for id, action, _ in said] == [(id, "retry") for id, _ in expected]
    for (_, _, evidence), (_, words) in zip(said, expected, strict=True):
        assert words in evidence
    assert "no more money" in said[4][2]
    for attempt, (_, words) in enumerate(expected, start=2):  # each is told what the one before did
        assert words in prompt(p, attempt)
    assert git(p.top, "show", f"main:{INTENT}").startswith("# Greet by name")
    assert git(p.top, "show", f"{report['kept'][3]}:{INTENT}") == "# Do something else"
    assert git(p.top, "show", "main:half.py") == "half = True"
    assert "NOTES.txt" not in git(p.top, "ls-tree", "-r", "--name-only", "main")
    assert len(git(p.top, "log", "--format=%h", f"{report['base']}..main").split("\n")) == 2


@pytest.mark.slow
def test_without_a_change_twice(p: Project) -> None:
    p.agent("report(files=[])")
    report = ran(p, code=1)
    assert (report["outcome"], outcomes(report)) == ("not_delivered", ["empty", "empty"])
    assert [t["action"] for t in report["triggers"]] == ["retry", "stop"]
    p.agent("everything(); report()")
    assert ended(p, p.ropeteam("resume", "--json"), 0)["landed"]


def test_a_time_limit_and_a_deaf_agent(p: Project) -> None:
    p.agent(
        'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); write("half.py", "half = True\\n")\n'
        'os.fork() or os.setsid(); wait_for("never")'
    )
    report = ran(p, "--set", "limits.tries=1", "--set", "limits.attempt_seconds=2", code=1)
    assert outcomes(report) == ["timeout"]
    assert "time limit" in report["triggers"][0]["evidence"]
    assert git(p.top, "show", f"{report['kept'][0]}:half.py") == "half = True"


# ---- what they do to their tree

ERASES = """
import shutil
for name in os.listdir("."):
    shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)
"""
GONE = "import shutil; shutil.rmtree(os.getcwd())"
GIT = """
import subprocess
def git(*args):
    subprocess.run(["git", "-c", "core.pager=cat", *args], check=True, stdin=subprocess.DEVNULL)
"""
RESETS = (
    GIT
    + """
write("reset.py", "reset = 1\\n"); git("add", "-A"); git("commit", "-qm", "mine")
git("reset", "-q", "--hard", "HEAD~1")
write("stashed.py", "stashed = 1\\n"); git("stash", "-q", "-u")
"""
)
ORPHAN = (
    GIT
    + """
git("checkout", "-q", "--orphan", "new"); write("orphan.py", "orphan = 1\\n")
git("add", "-A"); git("commit", "-qm", "x")
"""
)
WELL = (
    GIT
    + """
git("switch", "-q", "-c", "topic"); git("checkout", "main", "--", ".")
everything(); git("add", "-A"); git("commit", "-qm", "one"); git("tag", "v9")
write("second.py", "second = 2\\n"); git("add", "-A"); git("commit", "-qm", "two")
git("init", "-q", "inner"); write("inner/i.py", "inner = 1\\n")
git("-C", "inner", "add", "-A"); git("-C", "inner", "commit", "-qm", "inner")
for name in (b"new\\nline.txt", b"caf\\xe9.txt", b" -rf", b'quote".txt', "sm\\u00f6rg\\u00e5s.txt".encode()):
    open(name, "w").write("odd\\n")
os.symlink("/etc/passwd", "link"); os.mkfifo("pipe")
report()
"""
)


@pytest.mark.slow
def test_trees_are_erased_reset_and_committed_in(p: Project) -> None:
    p.agent(by_attempt(RESETS, ERASES, GONE, ORPHAN, WELL))
    report = ran(p, "--set", "limits.tries=10", code=0)
    assert outcomes(report) == ["empty", "corrupted", "corrupted", "corrupted", "ok"]
    assert "no longer descends" in report["triggers"][3]["evidence"]
    refs = git(p.top, "for-each-ref", "--format=%(refname)", f"refs/ropeteam/{p.run()}/").split("\n")
    kept = git(p.top, "log", "--format=", "--name-only", "-m", "--root", *refs, "--not", "main").split("\n")
    assert {"reset.py", "stashed.py", "orphan.py"} <= set(kept)
    landed = git(p.top, "ls-tree", "-r", "-z", "--name-only", "main").split("\0")
    assert {"second.py", "inner/i.py", "new\nline.txt", os.fsdecode(b"caf\xe9.txt"), " -rf", "link"} <= set(landed)
    assert (p.top / os.fsdecode(b"caf\xe9.txt")).read_text() == "odd\n"
    assert any("inner is a git repository of its own" in notice for notice in report["notices"])
    assert git(p.top, "log", "--format=%an", f"{report['base']}..main") == "Test User\nTest User"
    assert git(p.top, "tag") == ""
    shown = p.ropeteam("report")
    assert shown.code == 0
    assert "new\nline" not in shown.out


# ---- what they leave behind

SERVES = """
import socket, subprocess
print("x" * 50, flush=True)
server = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
server += "open({port!r}, 'w').write(str(s.getsockname()[1])); time.sleep(600)"
subprocess.Popen([sys.executable, "-I", "-S", "-c", server], start_new_session=True)
until = time.monotonic() + 30
while not (os.path.exists({port!r}) and os.path.getsize({port!r})) and time.monotonic() < until:
    time.sleep(0.01)
line = b"y" * 99_999 + b"\\n"
for _ in range(1000):
    sys.stdout.buffer.write(line); sys.stderr.buffer.write(line)
sys.stdout.flush()
everything(); report()
"""


def test_a_server_is_left_running_and_200_megabytes_are_said(p: Project) -> None:
    port = p.folder / "port"
    p.agent(SERVES.format(port=str(port)))
    report = ran(p, "--set", "limits.log_bytes=1000000", code=0)
    assert report["landed"]
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=2):
        pass
    log = p.io().parent / "log"
    assert sum(path.stat().st_size for path in log.iterdir()) < 4_000_000


@pytest.mark.slow
def test_a_server_is_left_running_in_the_sandbox(confined: Project) -> None:
    p = confined
    p.agent(
        'import subprocess; subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], '
        'start_new_session=True); note("served"); everything(); report()'
    )
    assert ran(p, code=0)["landed"]
    assert not p.processes()


# ---- outside of their tree

REACHES_OUT = """
top = pathlib.Path({top!r})
for name in ("app.py", "new.txt", ".git/description", ".git/config"):
    try:
        with open(top / name, "a") as file:
            file.write("# mine now\\n")
    except OSError as error:
        note("denied", name)
try:
    note("listed", " ".join(os.listdir(top)))
except OSError:
    pass
everything(); report()
"""


def test_an_agent_that_writes_into_the_checkout(p: Project) -> None:
    p.agent(REACHES_OUT.format(top=str(p.top)))
    done = p.ropeteam(*p.run_args("--json"))
    assert done.code == 1, done
    report = done.json
    assert (report["outcome"], report["landed_reason"]) == ("delivered_single", "dirty")
    evidence = " ".join(fired(report, "checkout_changed"))
    assert "app.py was changed" in evidence
    assert ".git/config was changed" in evidence
    assert (p.top / "app.py").read_text().endswith("# mine now\n")  # reported, never overwritten
    assert git(p.top, "show", f"{report['branch']}:app.py") == 'def greet(name):\n    return f"hello {name}"'
    assert git(p.top, "rev-parse", "main") == p.before["head"]
    assert p.ropeteam("land").code == 2
    git(p.top, "checkout", "-q", "app.py")
    assert p.ropeteam("land").code == 0


def test_an_agent_that_would_write_into_the_checkout(confined: Project) -> None:
    p = confined
    p.agent(REACHES_OUT.format(top=str(p.top)))
    report = ran(p, "--land", "no", code=0)
    assert fired(report, "checkout_changed") == []
    assert (p.io() / "denied").read_text().split() == ["app.py", "new.txt", ".git/description", ".git/config"]
    assert (p.io() / "listed").read_text().split() in ([], [".git"])
    assert set(files_of(p.top)) - set(p.before["files"]) <= {f".workspace/features/{FEATURE}/02-implementation.md"}


@pytest.mark.slow
def test_an_agent_that_moves_the_users_branch(p: Project) -> None:
    """Commits in the checkout itself, as an agent without a sandbox may: the user's work is left as it is, and told."""
    p.agent(
        GIT + f'top = {str(p.top)!r}\n(pathlib.Path(top) / "mine.txt").write_text("agent\\n")\n'
        'git("-C", top, "add", "mine.txt"); git("-C", top, "commit", "-qm", "on your branch")\neverything(); report()'
    )
    done = p.ropeteam(*p.run_args("--json"))
    assert done.code == 1, done
    assert done.json["landed_reason"] == "moved"
    assert "refs/heads/main" in " ".join(fired(done.json, "checkout_changed"))
    assert git(p.top, "log", "-1", "--format=%s", "main") == "on your branch"
    done = p.ropeteam("land", "--json")
    assert done.json["landed"], done
    assert (p.top / "mine.txt").exists()
    assert (p.top / "farewell.py").exists()


# ---- what their work does to the project's checks

BREAKS = 'everything(); write("app.py", "def greet(name):\\n    return 42\\n"); report()'


def test_a_broken_test_and_a_second_try(p: Project) -> None:
    p.agent(by_attempt(BREAKS, 'note("found", open("app.py").read()); everything(); report()'))
    report = ran(p, code=0)
    assert "test_greets" in fired(report, "batch_validation_failed")[0]
    assert "return 42" in (p.io(2) / "found").read_text()
    told = prompt(p, 2)
    assert "test_greets" in told
    assert 'self.assertIn("hello", app.greet("you"))' in told  # what the test said
    assert told.startswith(prompt(p, 1)[:2000])
    assert report["checks"][0]["state"] == "passed"


@pytest.mark.slow
def test_a_test_that_stays_broken(p: Project) -> None:
    p.agent(BREAKS)
    report = ran(p, code=1)
    assert [t["action"] for t in report["triggers"]] == ["retry", "stop"]
    assert report["checks"][0]["state"] == "failed"
    assert any("test_greets" in name for name in report["checks"][0]["failing"])
    assert "✗" in (p.top / INTENT).read_text()


def test_a_deleted_test_is_listed(p: Project) -> None:
    p.agent('everything(); os.unlink("tests/test_app.py"); report()')
    report = ran(p, code=0)
    check = report["checks"][0]
    assert any("test_greets" in name for name in check["removed"]), check
    assert [f["path"] for f in report["files"]["deleted"]] == ["tests/test_app.py"]
    assert "removed by the feature" in p.ropeteam("report").out


def test_a_flaky_test_is_told_from_a_broken_one(p: Project) -> None:
    """Fails the first time it sees the new code, and never again."""
    seen = p.folder / "seen"
    (p.top / "tests/test_flaky.py").write_text(
        "import pathlib, unittest\n\n\nclass Flaky(unittest.TestCase):\n    def test_now_and_then(self):\n"
        f"        seen = pathlib.Path({str(seen)!r})\n"
        "        if pathlib.Path('farewell.py').exists() and not seen.exists():\n"
        "            seen.touch()\n            self.fail('only once')\n"
    )
    git(p.top, "add", "-A")
    git(p.top, "commit", "-qm", "flaky")
    p.look()
    report = ran(p, code=0)
    assert report["checks"][0]["state"] == "flaky"
    assert seen.exists()
    assert report["landed"]
    assert json.dumps(report["checks"]).count("test_now_and_then") >= 1


def test_an_interrupted_agent_leaves_nothing_running(p: Project) -> None:
    p.agent('write("half.py", "half = True\\n"); os.fork() or os.setsid(); note("working"); wait_for("never")')
    child = p.start(*p.run_args("--json"))
    p.wait_agent()
    child.send_signal(2)
    done = p.ended(child)
    assert done.code == 130, done
    must_hold(p)
    wait_until(lambda: not p.processes(), "no process left")
    untouched(p)
    p.agent("everything(); report()")
    assert ended(p, p.ropeteam("resume", "--json"), 0)["landed"]
