"""Everything through the command line: a small real project, the program as a child process, and what must always hold.

`project(tmp_path)` makes a repository with a feature folder, one check and an agent of its own (any program, by the
protocol of `--agent command`). The agent's steps are chosen by `AGENT_DOES`: what it writes, and where it waits.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from repositories import files_of, git, make_repo
from ropeteam.core.report import report
from ropeteam.core.schedule import fold
from ropeteam.journal import Journal

DEADLINE = 60.0
"""Seconds after which what a test waits for counts as never coming. Generous: the machine may be busy."""

FEATURE = "greeting"
FILES: Mapping[str, str] = {
    "app.py": 'def greet(name):\n    return "hello"\n',
    "tests/__init__.py": "",
    "tests/test_app.py": (
        "import unittest\n\nimport app\n\n\nclass Greeting(unittest.TestCase):\n"
        '    def test_greets(self):\n        self.assertIn("hello", app.greet("you"))\n'
    ),
    ".gitignore": "__pycache__/\n",
    f".workspace/features/{FEATURE}/01-intent.md": (
        "# Greet by name\n\n**Status:** pending\n\nGreet people by their name.\n\n"
        "## Requirements\n\n| ID | Requirement |\n| --- | --- |\n| REQ-001 | `greet` names the person |\n"
    ),
    f".workspace/features/{FEATURE}/01-research.md": "# Research\n\nPlain Python, tested with unittest.\n",
}
RESULT: Mapping[str, str] = {
    "app.py": 'def greet(name):\n    return f"hello {name}"\n',
    "farewell.py": 'def farewell(name):\n    return f"bye {name}"\n',
    "tests/test_farewell.py": (
        "import unittest\n\nimport farewell\n\n\nclass Farewell(unittest.TestCase):\n"
        '    def test_names(self):\n        self.assertEqual(farewell.farewell("you"), "bye you")\n'
    ),
}
"""What the agent makes of it: one file changed, two new."""

AGENT = f"""
import json, os, pathlib, sys, time
task = json.loads(pathlib.Path(os.environ["ROPETEAM_TASK"]).read_text())
own = pathlib.Path(task["report_file"]).parent

def note(name, text=""):
    with open(own / name, "a") as file:
        file.write(text + "\\n")

def wait_for(name, seconds={DEADLINE}):
    until = time.monotonic() + seconds
    while not (own / name).exists():
        if time.monotonic() > until:
            sys.exit(f"nobody made {{name}}")
        time.sleep(0.01)

def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    note("wrote", str(path))

def everything():
    for path, text in {dict(RESULT)!r}.items():
        write(path, text)

def report(**more):
    files = [{{"path": p, "purpose": "part of it"}} for p in {list(RESULT)!r}]
    decisions = [{{"decision": "Names are strings", "rationale": "They are typed in."}}]
    usage = {{"input": 1000, "cached": 200, "output": 300, "cost_usd": 0.01}}
    text = json.dumps({{"files": files, "decisions": decisions, "usage": usage}} | more)
    pathlib.Path(task["report_file"]).write_text(text)

note("starts", task["unit"] + "/" + str(task["attempt"]))
"""
"""The beginning of every agent here. Beside its report it leaves `starts` and `wrote`, and waits for files there."""

AT_ONCE = "everything(); report()"
HELD = 'write("farewell.py", "half = True\\n"); note("working"); wait_for("go"); everything(); report()'


@dataclass(frozen=True)
class Done:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def wait_until(what: Callable[[], Any], why: str, seconds: float = DEADLINE) -> Any:
    """The first true value of `what`, looked at again and again; fails after the deadline."""
    until = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < until, f"waited {seconds:g} s in vain for: {why}"
        time.sleep(0.005)
    return value


def hear_interrupts() -> None:
    """In a child: tests that were started in the background may be deaf to Ctrl-C, and their children with them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Project:
    """A user's repository with a feature to implement, and everything around it in `folder`."""

    folder: Path
    top: Path
    env: dict[str, str]
    sets: tuple[str, ...]
    output: Path
    before: dict[str, Any] = field(default_factory=dict)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    # ---- calling

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "ropeteam", *args]

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the program in the repository. Its output goes to files beside; `ended` gives it back."""
        number = len(self.children)
        with (self.output / f"out.{number}").open("wb") as out, (self.output / f"err.{number}").open("wb") as err:
            child = subprocess.Popen(
                self.argv(*args),
                cwd=self.top,
                env=self.env | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=hear_interrupts,
            )
        self.children.append(child)
        return child

    def ended(self, child: subprocess.Popen[bytes], seconds: float = DEADLINE) -> Done:
        """Wait for a started program to end."""
        code = child.wait(seconds)
        number = self.children.index(child)
        out, err = ((self.output / f"{name}.{number}").read_text(errors="replace") for name in ("out", "err"))
        return Done(code, out, err)

    def ropeteam(self, *args: str, env: Mapping[str, str] | None = None, seconds: float = DEADLINE) -> Done:
        """Run the program to its end."""
        return self.ended(self.start(*args, env=env), seconds)

    def run_args(self, *more: str) -> tuple[str, ...]:
        """`ropeteam run` of the feature with the project's own agent, landing without a question."""
        sets = [part for setting in self.sets for part in ("--set", setting)]
        return ("run", FEATURE, "--agent", "command", "--mode", "single", "--yes", *sets, *more)

    def agent(self, does: str) -> None:
        """What the agent does, as Python after `AGENT`."""
        (self.folder / "agent" / "agent.py").write_text(AGENT + does + "\n")

    def close(self) -> None:
        """End whatever of ours still runs: the programs we started, and what works in the run's folders."""
        for child in self.children:
            if child.poll() is None:
                with suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        for pid in self.processes():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    # ---- looking

    @property
    def home(self) -> Path:
        """Where ropeteam keeps its things in the repository."""
        return self.top / ".git" / "ropeteam"

    @property
    def trees(self) -> Path:
        return self.folder / "cache"

    def rows(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Every journalled event, read without disturbing anybody: run, type, fields."""
        path = self.home / "journal.sqlite"
        if not path.exists():
            return []
        try:
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        except sqlite3.OperationalError:
            return []
        try:
            found = db.execute("SELECT run, type, body FROM events ORDER BY run, seq")
            return [(run, kind, json.loads(body)) for run, kind, body in found]
        except sqlite3.OperationalError:  # the table is just being made
            return []
        finally:
            db.close()

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Journalled events of these types (all, without one), with their type under `type`."""
        return [body for _, kind, body in self.rows() if not kinds or kind in kinds]

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.rows()]

    def wait_event(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event of that type is journalled for the `count`-th time."""
        wait_until(lambda: len(self.events(kind)) >= count, f"{kind} in the journal")
        return self.events(kind)[count - 1]

    def run(self) -> str:
        """The id of the newest run."""
        return self.rows()[-1][0]

    def io(self, attempt: int = 1) -> Path:
        """The folder that the agent of an attempt shares with us."""
        return Path(self.events("AttemptStarted")[attempt - 1]["folder"]) / "io"

    def wait_agent(self, name: str = "working", attempt: int = 1) -> Path:
        """Wait until the agent has left a note; gives the folder it shares with us."""
        self.wait_event("AttemptStarted", attempt)
        io = self.io(attempt)
        wait_until((io / name).exists, f"the agent's note {name}")
        return io

    def wrapper(self, attempt: int = 1) -> int:
        """The pid of the wrapper of an attempt."""
        return int((self.io(attempt).parent / "log" / "pid").read_text().split()[0])

    def agents(self, attempt: int = 1) -> list[int]:
        """Processes that work in an attempt's tree."""
        return working_in(Path(self.events("AttemptStarted")[attempt - 1]["tree"]))

    def starts(self) -> list[str]:
        """Every start of an agent, by the agent's own count."""
        return [line for file in sorted(self.trees.rglob("io/starts")) for line in file.read_text().split()]

    def processes(self) -> list[int]:
        """Processes that work in the folders of runs: agents, wrappers (they hold a lock there), checks."""
        return [pid for folder in (self.trees, self.home) for pid in working_in(folder)]

    def holder(self) -> int:
        """The pid of the orchestrator, as its lock says."""
        return int((self.home / "runs" / f"{self.run()}.lock").read_text())

    def lock_openers(self) -> list[int]:
        """Processes that have the run's lock file open, whether they hold it or only look."""
        path = self.home / "runs" / f"{self.run()}.lock"
        return working_in(path)

    def asked(self) -> list[str]:
        """Requests of other processes that nobody has taken yet."""
        db = sqlite3.connect(f"file:{self.home / 'journal.sqlite'}?mode=ro", uri=True)
        try:
            return [kind for (kind,) in db.execute("SELECT kind FROM inbox WHERE taken = 0")]
        finally:
            db.close()

    def look(self) -> None:
        """Take what is there now for how the user left it."""
        self.before = looked_at(self.top)

    def report(self) -> Any:
        return self.ropeteam("report", "--format", "json").json


def working_in(folder: Path) -> list[int]:
    """Processes with their working directory, or a file open, in `folder`. Their environments are not looked at."""
    root, found = os.path.realpath(folder), []
    for place in Path("/proc").glob("[0-9]*"):
        links = [place / "cwd"]
        with suppress(OSError):
            links += (place / "fd").iterdir()
        for link in links:
            with suppress(OSError):
                target = os.readlink(link)
                if target == root or target.startswith(root + "/"):
                    found.append(int(place.name))
                    break
    return [pid for pid in found if pid != os.getpid()]


def alive(pid: int) -> bool:
    """Whether that process is there and not only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


P = TypeVar("P", bound=Project)


def make_project(
    folder: Path,
    *,
    sandbox: bool = False,
    sets: tuple[str, ...] = (),
    does: str = AT_ONCE,
    output: Path | None = None,
) -> Project:
    """A repository with the feature planned and committed, a home of its own, an agent outside of both.

    output: where the output of what we start goes, if not into `folder`.
    """
    made = make_as(Project, folder, FILES, sandbox=sandbox, sets=sets, output=output)
    made.agent(does)
    return made


def make_as(
    kind: type[P],
    folder: Path,
    files: Mapping[str, str],
    *,
    sandbox: bool,
    sets: tuple[str, ...] = (),
    output: Path | None = None,
) -> P:
    """The same for a project of another kind, with files of its own and no agent yet."""
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Test User\n\temail = user@example.org\n")
    top = make_repo(folder / "repo", files)
    (folder / "agent").mkdir()
    own = [
        f"agent.command.argv={json.dumps([sys.executable, '-I', '-S', str(folder / 'agent' / 'agent.py')])}",
        f"trees.folder={json.dumps(str(folder / 'cache'))}",
        "limits.grace_seconds=1",
        "limits.retry_seconds=0.1",
    ]
    if not sandbox:
        own.append("sandbox.mode=off")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "ANTHROPIC_API_KEY": "dummy",
        "TMPDIR": str(folder),
    }
    if "ROPETEAM_GIT" in os.environ:
        env["ROPETEAM_GIT"] = os.environ["ROPETEAM_GIT"]
    made = kind(folder, top, env, (*own, *sets), output or folder)
    made.before = looked_at(top)
    return made


# ---- what must hold, always


def looked_at(top: Path) -> dict[str, Any]:
    """The user's side of a repository: where HEAD and the branches are, the index, every file that is tracked."""
    tracked = set(git(top, "ls-files").split("\n"))
    return {
        "head": git(top, "rev-parse", "HEAD"),
        "branches": git(top, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/main"),
        "index": git(top, "ls-files", "-s"),
        "files": {path: what for path, what in files_of(top).items() if path in tracked},
        "stash": git(top, "stash", "list"),
        "config": (top / ".git" / "config").read_bytes(),
    }


def nothing_lost(p: Project) -> None:
    """Every file that an agent says it wrote is in its tree, or in a commit under the run's refs."""
    run = p.run()
    refs = git(p.top, "for-each-ref", "--format=%(objectname)", f"refs/ropeteam/{run}/").split()
    kept = git(p.top, "rev-list", *refs, "--not", p.before["head"]).split()  # a stash has its new files in a parent
    in_refs = {path for commit in kept for path in git(p.top, "ls-tree", "-r", "--name-only", commit).split("\n")}
    for started in p.events("AttemptStarted"):
        note = Path(started["folder"]) / "io" / "wrote"
        for path in note.read_text().split("\n")[:-1] if note.exists() else ():
            assert (Path(started["tree"]) / path).exists() or path in in_refs, f"{path} of {started['attempt']} is gone"


def must_hold(p: Project, *, at_rest: bool = True) -> None:
    """What the design promises after any ending. at_rest: nobody drives a run now (after a kill an agent may live)."""
    fsck = subprocess.run(
        ["git", "-C", str(p.top), "fsck", "--connectivity-only", "--no-dangling"],
        capture_output=True,
        env=p.env,
        check=False,
    )
    assert (fsck.returncode, fsck.stdout) == (0, b""), f"git fsck: {fsck}"
    if not p.rows():
        assert looked_at(p.top) == p.before
        return
    if not p.events("LandingStarted") and not p.events("DocumentsWritten"):
        now = looked_at(p.top)
        assert now == p.before, {key: (p.before[key], now[key]) for key in now if now[key] != p.before[key]}
    nothing_lost(p)
    journal = Journal(p.home / "journal.sqlite")  # it can read names that are not UTF-8
    events = journal.events(p.run())
    journal.close()
    for length in range(1, len(events) + 1):
        report(fold(events[:length]))
    if at_rest:
        wait_until(lambda: not p.processes(), f"no process left in {p.trees}", seconds=5)


@contextmanager
def project(folder: Path, **how: Any) -> Iterator[Project]:
    made = make_project(folder, **how)
    try:
        yield made
    finally:
        made.close()
