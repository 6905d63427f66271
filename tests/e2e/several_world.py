"""A small project whose feature is planned for several agents, and one program that plays all of them.

The plan has a real shape: a contract, three units that build on it, one that joins two of them, one that follows the
third. What a unit's agent does is its entry in `plays`, as Python after `AGENT`; without one it does its work. Agents
and checks wait at gates (files in a folder), so that every moment can be held for as long as a test wants.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driving import DEADLINE, FEATURE, Done, Project, make_as, must_hold, wait_until

from repositories import git

LONG = 150.0
"""Seconds after which a run counts as hanging."""

FOLDER = f".workspace/features/{FEATURE}"
LOG = f"{FOLDER}/02-implementation.md"
INTENT = f"{FOLDER}/01-intent.md"


def _module(name: str, says: str) -> str:
    return f"import words\n\n\ndef {name}(who):\n    return {says}\n"


def _test(name: str, expected: str) -> str:
    return (
        f"import unittest\n\nimport {name}\n\n\nclass {name.title()}(unittest.TestCase):\n"
        f'    def test_{name}(self):\n        self.assertEqual({name}.{name}("you"), "{expected}")\n'
    )


BASE: Mapping[str, str] = {
    "app.py": 'def greet(name):\n    return "hello"\n',
    "menu.py": 'MENU = [\n    "greet",\n]\n',
    "CHANGELOG.md": "# Changes\n\n- first\n",
    "tests/__init__.py": "",
    "tests/test_app.py": (
        "import unittest\n\nimport app\n\n\nclass App(unittest.TestCase):\n"
        '    def test_greets(self):\n        self.assertIn("hello", app.greet("you"))\n'
    ),
    "tests/test_menu.py": (
        "import unittest\n\nimport menu\n\n\nclass Menu(unittest.TestCase):\n"
        '    def test_greet_is_first(self):\n        self.assertEqual(menu.MENU[0], "greet")\n'
    ),
    ".gitignore": "__pycache__/\n",
    INTENT: (
        "# Talk politely\n\n**Status:** pending\n\nGreet people, say good-bye, and do both politely.\n\n"
        "## Requirements\n\n| ID | Requirement |\n| --- | --- |\n| REQ-001 | `talk` greets and says good-bye |\n"
    ),
    f"{FOLDER}/01-research.md": "# Research\n\nPlain Python, tested with unittest.\n",
}
"""The project. menu.py and CHANGELOG.md belong to no unit."""

WORK: Mapping[str, Mapping[str, str]] = {
    "01-contract": {"words.py": 'HELLO = "hello"\nBYE = "bye"\nPLEASE = "please"\n'},
    "02-hello": {
        "hello.py": _module("hello", 'f"{words.HELLO} {who}"'),
        "tests/test_hello.py": _test("hello", "hello you"),
    },
    "03-bye": {"bye.py": _module("bye", 'f"{words.BYE} {who}"'), "tests/test_bye.py": _test("bye", "bye you")},
    "04-polite": {
        "polite.py": _module("polite", 'f"{words.PLEASE}, {who}"'),
        "tests/test_polite.py": _test("polite", "please, you"),
    },
    "05-talk": {
        "talk.py": 'import bye\nimport hello\n\n\ndef talk(who):\n    return hello.hello(who) + " " + bye.bye(who)\n',
        "tests/test_talk.py": _test("talk", "hello you bye you"),
    },
    "06-app": {"app.py": 'import polite\n\n\ndef greet(name):\n    return "hello " + polite.polite(name)\n'},
}
"""What each unit makes of it."""

UNITS = tuple(WORK)
RESULT: Mapping[str, str] = {path: text for files in WORK.values() for path, text in files.items()}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "01-contract": (),
    "02-hello": ("01-contract",),
    "03-bye": ("01-contract",),
    "04-polite": ("01-contract",),
    "05-talk": ("02-hello", "03-bye"),
    "06-app": ("04-polite",),
}


def plan(**more: Any) -> dict[str, Any]:
    """The plan as a document. more: further fields of it (`estimate`, `confidence`)."""
    units = [{"id": id, "goal": f"Do {id}.", "needs": list(NEEDS[id]), "writes": list(WORK[id])} for id in WORK]
    return {"contract": "01-contract", "units": units, **more}


def users_side(top: str) -> str:
    """A digest of the user's side: where HEAD and main are, the index, every file of the checkout, byte by byte."""
    import hashlib
    import os

    seen = hashlib.sha256()
    for name in (".git/HEAD", ".git/index", ".git/refs/heads/main", ".git/packed-refs", ".git/config"):
        path = os.path.join(top, name)
        seen.update(open(path, "rb").read() if os.path.exists(path) else b"-")  # noqa: SIM115
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(files):
            path = os.path.join(folder, name)
            seen.update(path.encode("utf-8", "surrogateescape") + b"\0" + open(path, "rb").read())  # noqa: SIM115
    return seen.hexdigest()


AGENT = """
import json, os, pathlib, signal, subprocess, sys, time
task = json.loads(pathlib.Path(os.environ["ROPETEAM_TASK"]).read_text())
own = pathlib.Path(task["report_file"]).parent
me = task["unit"]

def note(name, text=""):
    with open(own / name, "a", errors="surrogateescape") as file:
        file.write(text + "\\n")

def wait_for(name):
    begun = time.monotonic()
    said = begun
    while not (GATES / name).exists():
        now = time.monotonic()
        if now - begun > DEADLINE:
            sys.exit(f"nobody opened {name}")
        if now - said > 0.5:  # a sign of life
            said = now
            print("waiting", flush=True)
        time.sleep(0.01)

def opens(name):
    (GATES / name).touch()

def say(**event):
    print(json.dumps(event), flush=True)

def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    note("wrote", str(path))

def works(*units):
    for unit in units or ([me] if me in WORK else WORK):
        for path, text in WORK[unit].items():
            if not os.path.exists(path) or open(path).read() != text:
                write(path, text)

def report(**more):
    wrote = (own / "wrote").read_text().split("\\n") if (own / "wrote").exists() else []
    files = [{"path": path, "purpose": "part of " + me} for path in dict.fromkeys(wrote) if path in RESULT]
    text = json.dumps({"files": files, "usage": {"input": 1000, "output": 300, "cost_usd": 0.01}} | more)
    pathlib.Path(task["report_file"]).write_text(text)

def git(*args, **how):
    subprocess.run(["git", *args], check=True, stdin=subprocess.DEVNULL, **how)

note("starts", me + "/" + str(task["attempt"]))
if not hidden:
    note("user", users_side(TOP))
does = PLAYS.get(f"{me}/{task['attempt']}", PLAYS.get(me, "works(); report()"))
exec(does)
if not hidden:
    note("user", users_side(TOP))
"""
"""Every agent: `PLAYS` says what it does. Before and after it looks at the user's side."""

CHECK = """
import pathlib, runpy, sys, time
gates = pathlib.Path(sys.argv[1])
with open(gates / "checks", "a") as file:
    file.write("begun\\n")
while (gates / "hold-checks").exists():
    time.sleep(0.01)
sys.path.insert(0, "")
sys.argv = ["unittest", "discover", "-v"]
runpy.run_module("unittest", run_name="__main__")
"""
"""The project's check: its tests, once the gate is open."""


class Several(Project):
    """The project with its plan and its agents. Gates are files in `gates`."""

    hidden = False

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    def open(self, *names: str) -> None:
        for name in names:
            (self.gates / name).touch()

    def at(self, name: str) -> None:
        """Wait until an agent has opened that gate."""
        wait_until((self.gates / name).exists, f"an agent at {name}")

    def hold_checks(self) -> None:
        self.open("hold-checks")

    def free_checks(self) -> None:
        (self.gates / "hold-checks").unlink()

    def checks_begun(self, count: int) -> None:
        """Wait until the project's check was started that often; the first is that of the base."""
        place = self.gates / "checks"
        wait_until(lambda: place.exists() and len(place.read_text().split()) >= count, f"check number {count}")

    def plays(self, does: Mapping[str, str]) -> None:
        """What agents do, by `unit/attempt` or by unit; those that are not named do their work."""
        work = {unit: dict(files) for unit, files in WORK.items()}
        lines = [
            f"import pathlib\nGATES = pathlib.Path({str(self.gates)!r})",
            f"TOP, hidden, DEADLINE = {str(self.top)!r}, {self.hidden!r}, {DEADLINE!r}",
            f"PLAYS = {dict(does)!r}",
            f"WORK = {work!r}",
            "RESULT = {path: text for files in WORK.values() for path, text in files.items()}",
            inspect.getsource(users_side),
            AGENT,
        ]
        (self.folder / "agent" / "agent.py").write_text("\n".join(lines), errors="surrogateescape")

    def planned(self, document: Mapping[str, Any]) -> None:
        self.plan_file.write_text(json.dumps(document, indent=1))

    def run_args(self, *more: str, mode: str = "parallel") -> tuple[str, ...]:
        """`ropeteam run` of the plan with several of the project's own agent, landing without a question."""
        sets = [part for setting in self.sets for part in ("--set", setting)]
        how = ("--agent", "command", "--mode", mode, "--plan", str(self.plan_file))
        return ("run", FEATURE, *how, "--yes", *sets, *more)

    def ran(self, *more: str, code: int = 0, mode: str = "parallel", env: Mapping[str, str] | None = None) -> Done:
        """Run it to its end, hold it to what must always hold."""
        return self.end(self.begin(*more, mode=mode, env=env), code)

    def begin(
        self, *more: str, mode: str = "parallel", env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        return self.start(*self.run_args("--json", *more, mode=mode), env=env)

    def end(self, child: subprocess.Popen[bytes], code: int = 0, *, apart: bool = True) -> Done:
        """How it ended, held to what must always hold. apart: no agent reached the user's side."""
        done = self.ended(child, LONG)
        assert done.code == code, done
        must_hold(self)
        self.landed_is_validated()
        if apart:
            self.branch_moved_at_landing_only()
        return done

    def resumed(self, *more: str, code: int = 0) -> Done:
        return self.end(self.start("resume", "--json", *more), code)

    def landed_is_validated(self) -> None:
        """What is on the branch, or waits on one of ours, is the last candidate that passed, and the documents."""
        for put in self.events("Landed", "BranchLeft"):
            passed = self.events("CandidatePassed")[-1]["commit"]
            beyond = git(self.top, "diff", "--name-only", passed, put["head"]).split("\n")
            assert set(beyond) <= {LOG, INTENT, ""}, beyond

    def branch_moved_at_landing_only(self) -> None:
        """Every agent saw the user's side as it was; the branch moved once, by the landing, or not at all."""
        seen = {line for file in self.trees.rglob("io/user") for line in file.read_text().split()}
        assert seen <= set((self.folder / "side").read_text().split()), "an agent saw the user's side changed"
        moved = git(self.top, "log", "-g", "--format=%gs", "main").split("\n")
        moved = [how for how in moved if not how.startswith("commit")]  # those of the test, before the run
        assert moved == ["ropeteam: land"] * len(self.events("Landed")), moved

    def look(self) -> None:
        super().look()
        with (self.folder / "side").open("a") as file:
            file.write(users_side(str(self.top)) + "\n")

    def attempts(self, report: Any) -> dict[str, list[str]]:
        """Outcomes by unit, of those that were tried."""
        return {u["id"]: [a["outcome"] for a in u["attempts"]] for u in report["units"] if u["attempts"]}

    def units(self, report: Any, state: str = "validated") -> list[str]:
        return [u["id"] for u in report["units"] if u["state"] == state]

    def wrote(self, attempt: str) -> set[str]:
        """The files that the agent of that attempt says it wrote."""
        (started,) = [e for e in self.events("AttemptStarted") if e["attempt"] == attempt]
        file = Path(started["folder"]) / "io" / "wrote"
        return set(file.read_text().split("\n")[:-1]) if file.exists() else set()

    def io_of(self, attempt: str) -> Path:
        (started,) = [e for e in self.events("AttemptStarted") if e["attempt"] == attempt]
        return Path(started["folder"]) / "io"


@contextmanager
def several(folder: Path, *, sandbox: bool = False, sets: tuple[str, ...] = ()) -> Iterator[Several]:
    """The project, its plan, and agents that do their work at once."""
    argv = json.dumps([sys.executable, "-S", "-E", str(folder / "agent" / "check.py"), str(folder / "gates")])
    check = f'checks.commands=[{{name="tests",argv={argv},format="unittest"}}]'
    made = make_as(Several, folder, BASE, sandbox=sandbox, sets=(check, "checks.canary=false", *sets))
    made.gates.mkdir()
    (folder / "agent" / "check.py").write_text(CHECK)
    made.hidden = sandbox
    made.look()
    made.planned(plan())
    made.plays({})
    try:
        yield made
    finally:
        made.close()


# ---- how it ended


def told(p: Several, done: Done, id: str, *words: str, action: str = "salvage", unit: str | None = None) -> None:
    """The trigger and its evidence stand in the terminal text, in the journal, in the JSON and in the run's log."""
    fits = [
        t
        for t in done.json["triggers"]
        if t["id"] == id
        and t["action"] == action
        and all(w in t["evidence"] for w in words)
        and unit in (None, t["unit"])
    ]
    assert len(fits) == 1, done.json["triggers"]
    fired = [e["trigger"] for e in p.events("TriggerFired")]
    said = [(t["id"], t.get("action", "notice"), t.get("unit", ""), t["evidence"]) for t in fired]
    assert said.count((id, action, fits[0]["unit"], fits[0]["evidence"])) == 1, said
    live, page = flat(done.err), flat(p.ropeteam("report").out)
    for word in words:
        assert flat(word) in live, done.err
        assert flat(word) in page, page
    assert id in page, page
    if done.json["outcome"] not in (None, "cancelled"):
        log = flat(log_of(p, done))
        assert f"`{id}`" in log
        for word in words:
            assert flat(word) in log, log


def log_of(p: Several, done: Done) -> str:
    """The run's documentation: in the result's last commit, else in place."""
    head = done.json["head"]
    if head and LOG in git(p.top, "ls-tree", "-r", "--name-only", head).split("\n"):
        return git(p.top, "show", f"{head}:{LOG}")
    return (p.top / LOG).read_text()


def flat(text: str) -> str:
    """Without white space and marks, so that words are found wherever a line was broken."""
    return "".join(text.replace("\\", "").split())


def delivered(
    p: Several,
    done: Done,
    outcome: str,
    *,
    landed: bool = True,
    winner: str = "parallel",
    result: Mapping[str, str] = RESULT,
) -> Any:
    """It ended so, with the whole feature on the branch (or on the one that was left), and was written down."""
    report = done.json
    assert (report["state"], report["outcome"], report["landed"]) == ("ended", outcome, landed), done
    assert (report["winner"], [c["state"] for c in report["checks"]]) == (winner, ["passed"]), done
    for path, text in result.items():
        assert git(p.top, "show", f"{report['head']}:{path}") + "\n" == text, path
    assert f"(`{outcome}`)" in log_of(p, done)
    return report


def fell_back(
    p: Several, done: Done, *kept: str, rest: int = 1, landed: bool = True, perhaps: tuple[str, ...] = ()
) -> Any:
    """Delivered through the fall: what was validated was begun once, and one agent did what was left, once.

    kept: the units that were validated (in any order). rest: how many attempts the one agent needed.
    perhaps: units that could begin before the fall where another was merged and validated sooner; what they did counts.
    """
    report = delivered(p, done, "delivered_after_fallback", landed=landed)
    kept = (*kept, *(unit for unit in perhaps if unit in p.units(report)))
    assert sorted(p.units(report)) == sorted((*kept, *(["rest"] if rest else []))), report["units"]
    starts = p.starts()
    assert [s for s in starts if s.partition("/")[0] in kept] == sorted(f"{unit}/1" for unit in kept), starts
    assert len(starts) == len(set(starts))
    assert [s for s in starts if s.startswith("rest/")] == [f"rest/{n + 1}" for n in range(rest)]
    untouched = {path for unit in kept for path in WORK.get(unit, ())}
    for n in range(rest):
        assert not p.wrote(f"rest/{n + 1}") & untouched, "it did again what is validated"
    return report
