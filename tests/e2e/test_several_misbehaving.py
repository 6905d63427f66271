"""Several agents that do what they should not, each a real process, side by side in one run.

After each run: nothing that they wrote is lost, nothing landed that was not validated, no process is left, and the
user's side is as it was (`Several.end`), but for what they did to it with their own hands, which is told.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import wait_until
from several_world import LOG, RESULT, UNITS, Several, delivered, fell_back, several, told

from repositories import git
from ropeteam import sandbox

SLOW = pytest.mark.slow


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Several]:
    """Without a sandbox: these agents could reach everything."""
    with several(tmp_path) as made:
        yield made


def falls(p: Several, does: dict[str, str], count: int, *args: str) -> object:
    """Each of the three begins once all are at work; which of them is merged first is not said."""
    p.plays({unit: f'opens(me); wait_for("all")\n{text}' for unit, text in does.items()})
    child = p.begin(*args)
    for unit in does:
        p.at(unit)
    p.open("all")
    wait_until(lambda: len(p.events("TriggerFired")) >= count, f"{count} triggers")
    return p.end(child)


# ---- git in their own tree

COMMITS = 'git("switch", "-q", "-c", "mine"); works(); git("add", "-A"); git("commit", "-qm", "mine"); report()'
STASHES = (
    'write("bye.py", "first = 1\\n"); git("add", "-A"); git("commit", "-qm", "one")\n'
    'git("reset", "-q", "--hard", "HEAD~1")\n'
    'write("stashed.py", "stashed = 1\\n"); git("stash", "-q", "-u"); report(files=[])'
)
MOVES = 'works(); git("checkout", "-q", "--orphan", "other"); git("add", "-A"); git("commit", "-qm", "other"); report()'


def test_they_commit_move_and_stash(p: Several) -> None:
    done = falls(p, {"02-hello": COMMITS, "03-bye": STASHES, "04-polite": MOVES}, 2)
    report = fell_back(p, done, "01-contract", "02-hello")
    told(p, done, "agent_crashed", "changed nothing", unit="03-bye")
    told(p, done, "context_corrupted", "no longer descends", unit="04-polite")
    refs = git(p.top, "for-each-ref", "--format=%(refname)", f"refs/ropeteam/{p.run()}/03-bye/").split("\n")
    kept = git(p.top, "log", "--format=", "--name-only", "-m", "--root", *refs, "--not", "main").split("\n")
    assert {"bye.py", "stashed.py"} <= set(kept)
    assert git(p.top, "branch", "--format=%(refname:short)") == "main"
    assert git(p.top, "stash", "list") == ""
    assert [a["outcome"] for u in report["units"] for a in u["attempts"]].count("ok") == 3


PLANTS = """
ran = "touch " + str(GATES / "ran") + "\\n"
for name, text in {
    "config": f"[core]\\n\\tfsmonitor = {ran}[filter \\"x\\"]\\n\\tclean = {ran}\\tsmudge = {ran}",
    "info/attributes": "* filter=x\\n",
    "hooks/post-index-change": "#!/bin/sh\\n" + ran,
    "index.lock": "",
    "objects/info/alternates": "/nowhere\\n",
}.items():
    path = pathlib.Path(".git") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
works(); report()
"""
ERASES = """
import shutil
write("bye.py", "lost = 1\\n")
note("wrote.not", "bye.py"); (own / "wrote").unlink()
for name in os.listdir("."):
    shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)
report(files=[])
"""
GONE = "import shutil; shutil.rmtree(os.getcwd())"


def test_they_ruin_their_trees(p: Several) -> None:
    """What one plants in its own `.git` is run by nobody; one erases its files and git, one its whole folder."""
    done = falls(p, {"02-hello": PLANTS, "03-bye": ERASES, "04-polite": GONE}, 2)
    fell_back(p, done, "01-contract", "02-hello")
    told(p, done, "context_corrupted", unit="03-bye")
    told(p, done, "context_corrupted", unit="04-polite")
    assert not (p.gates / "ran").exists()


# ---- files of others

DELETES = 'works(); os.unlink("app.py"); report()'
OVERWRITES = 'works(); write("polite.py", "mine = 1\\n"); report()'


def test_they_delete_and_overwrite_what_is_others(p: Several) -> None:
    done = falls(p, {"02-hello": DELETES, "03-bye": OVERWRITES, "04-polite": "works(); report()"}, 2)
    fell_back(p, done, "01-contract", "04-polite", perhaps=("06-app",))
    told(p, done, "file_conflict", "app.py of 06-app", unit="02-hello")
    told(p, done, "file_conflict", "polite.py of 04-polite", unit="03-bye")
    assert git(p.top, "show", f"refs/ropeteam/{p.run()}/03-bye/1:polite.py") == "mine = 1"


@SLOW
def test_one_deletes_what_it_builds_on(p: Several) -> None:
    """The contract's file, and the tests: found by what fails then, whoever owns it."""
    deletes = 'works(); os.unlink("words.py"); os.unlink("tests/test_app.py"); report()'
    done = falls(p, {"02-hello": "works(); report()", "03-bye": deletes, "04-polite": "works(); report()"}, 1)
    fell_back(p, done, "01-contract", "02-hello", "04-polite", perhaps=("06-app",))
    told(p, done, "batch_validation_failed", "test_greets", unit="03-bye")
    assert (p.top / "tests/test_app.py").exists()


# ---- what they leave and say

SERVES = """
server = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
server += "open({port!r}, 'w').write(str(s.getsockname()[1])); time.sleep(600)"
subprocess.Popen([sys.executable, "-I", "-S", "-c", server], start_new_session=True)
until = time.monotonic() + 30
while not (os.path.exists({port!r}) and os.path.getsize({port!r})) and time.monotonic() < until:
    time.sleep(0.01)
works(); report()
"""
FLOODS = """
line = b"y" * 99_999 + b"\\n"
for _ in range(500):
    sys.stdout.buffer.write(line); sys.stderr.buffer.write(line)
sys.stdout.flush()
works(); report()
"""
ODD = """
works()
git("init", "-q", "inner"); write("inner/i.py", "inner = 1\\n")
git("-C", "inner", "add", "-A"); git("-C", "inner", "commit", "-qm", "inner")
for name in (b"new\\nline.txt", b"caf\\xe9.txt", b" -rf"):
    open(name, "w").write("odd\\n")
os.symlink("/etc/passwd", "link"); os.mkfifo("pipe")
report()
"""


def test_they_leave_a_server_flood_and_name_files_oddly(p: Several) -> None:
    port = p.folder / "port"
    p.plays({"02-hello": SERVES.format(port=str(port)), "03-bye": FLOODS, "04-polite": ODD})
    done = p.ran("--set", "limits.log_bytes=1000000")
    report = delivered(p, done, "delivered_parallel")
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=2):
        pass
    log = p.io_of("03-bye/1").parent / "log"
    assert sum(path.stat().st_size for path in log.iterdir()) < 4_000_000
    landed = git(p.top, "ls-tree", "-r", "-z", "--name-only", "main").split("\0")
    assert {"inner/i.py", "new\nline.txt", os.fsdecode(b"caf\xe9.txt"), " -rf", "link"} <= set(landed)
    assert any("inner is a git repository of its own" in notice for notice in report["notices"])
    told(p, done, "undeclared_write", "-rf", "inner/i.py", action="notice", unit="04-polite")
    for text in (done.err, p.ropeteam("report").out, (p.top / LOG).read_text()):
        assert "new\nline" not in text


@SLOW
def test_they_have_nothing_to_show_and_lie(p: Several) -> None:
    lies = 'works(); report(files=[{"path": "bye.py"}, {"path": "../outside.py"}, {"path": "nowhere.py"}])'
    late = 'works(); report(); os.fork() or (os.setsid(), time.sleep(5), open("late.py", "w").write("late = 1\\n"))'
    done = falls(p, {"02-hello": "report(files=[])", "03-bye": lies, "04-polite": late}, 2)
    fell_back(p, done, "01-contract", "04-polite", perhaps=("06-app",))
    told(p, done, "agent_crashed", "changed nothing", unit="02-hello")
    told(p, done, "context_corrupted", "../outside.py, nowhere.py", unit="03-bye")
    assert not (p.top / "late.py").exists()


# ---- the user's side

REACHES = """
wait_for("taken")
top = pathlib.Path(TOP)
ran = "touch " + str(GATES / "ran") + "\\n"
for name, text in {
    "new.txt": "mine\\n",
    ".git/hooks/post-checkout": "#!/bin/sh\\n" + ran,
    ".git/hooks/reference-transaction": "#!/bin/sh\\n" + ran,
    ".git/config": "[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tfsmonitor = " + ran,
}.items():
    try:
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(text)
        (top / name).chmod(0o755)
    except OSError:
        note("denied", name)
works(); report()
"""
TAKES = """
try:
    git("-C", TOP, "branch", "evil")
    git("-C", TOP, "update-ref", "-d", "refs/ropeteam/" + task["run"] + "/01-contract/1")
except (OSError, subprocess.CalledProcessError):
    note("denied", "branch")
opens("taken"); works(); report()
"""


def test_they_reach_into_the_users_repository(p: Several) -> None:
    """Without a sandbox they can. It is told; what they plant is not run; the result is what was validated."""
    p.plays({"02-hello": REACHES, "03-bye": TAKES})
    child = p.begin()
    child.wait(150)
    assert not (p.gates / "ran").exists()  # before any call of git by the test itself
    done = p.end(child, apart=False)
    report = delivered(p, done, "delivered_parallel")
    told(p, done, "checkout_changed", "hooks/post-checkout", ".git/config was changed", "02-hello/1", action="notice")
    assert any("refs/heads/evil is new" in t["evidence"] for t in report["triggers"]), report["triggers"]
    assert (p.top / "new.txt").read_text() == "mine\n"
    assert "new.txt" not in git(p.top, "ls-tree", "-r", "--name-only", "main").split("\n")


@SLOW
def test_they_commit_on_the_users_branch(p: Several) -> None:
    """It moved, so the result waits on a branch of its own; what they did is left as it is."""
    p.plays(
        {
            "03-bye": 'pathlib.Path(TOP, "mine.txt").write_text("x\\n"); git("-C", TOP, "add", "mine.txt")\n'
            'git("-C", TOP, "commit", "-qm", "on your branch"); works(); report()'
        }
    )
    done = p.end(p.begin(), 1, apart=False)
    report = delivered(p, done, "delivered_parallel", landed=False)
    assert report["landed_reason"] == "moved"
    told(p, done, "checkout_changed", "refs/heads/main", "03-bye/1", action="notice", unit="")
    assert git(p.top, "log", "-1", "--format=%s", "main") == "on your branch"
    done = p.ropeteam("land", "--json")
    assert done.json["landed"], done
    assert all((p.top / path).read_text() == text for path, text in RESULT.items())


def test_a_sandbox_keeps_them_out(tmp_path: Path) -> None:
    if not sandbox.available().ok:
        pytest.skip("bubblewrap does not run here")
    with several(tmp_path, sandbox=True) as p:
        wall = f"sandbox.writable={json.dumps([str(p.gates), str(p.folder / 'agent')])}"
        p.plays({"02-hello": REACHES, "03-bye": TAKES})
        done = p.ran("--set", wall)
        report = delivered(p, done, "delivered_parallel")
        assert report["triggers"] == []
        assert not (p.top / "new.txt").exists()
        assert git(p.top, "branch", "--format=%(refname:short)") == "main"
        assert (p.io_of("03-bye/1") / "denied").read_text() == "branch\n"
        assert len((p.io_of("02-hello/1") / "denied").read_text().split()) == 4
        assert sorted(p.starts()) == [f"{unit}/1" for unit in UNITS]
