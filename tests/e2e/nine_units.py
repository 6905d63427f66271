"""A run of nine units that is killed at a moment and resumed until it ends: what came of it, beside an undisturbed one.

For the sample among the tests and for the sweep (`bench/kills.py`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from driving import FEATURE, Done, Project, alive, make_project, wait_until

from repositories import git

NEEDS: Mapping[str, tuple[str, ...]] = {
    "contract": (),
    "a": ("contract",),
    "b": ("contract",),
    "c": ("contract",),
    "d": ("a",),
    "e": ("a", "b"),
    "f": ("c",),
    "g": ("d", "e"),
    "h": ("f", "g"),
}
WORKERS = 3
OWN = (f".workspace/features/{FEATURE}/02-implementation.md", f".workspace/features/{FEATURE}/01-intent.md")
"""The run's own documents: they tell times."""
CHECK = 'checks.commands=[{name="grep",argv=["grep","-q","def greet","app.py"]}]'
RESUMES = 6
LONG = 300.0
"""Seconds after which a run counts as hanging, on a machine that is busy with other things too."""

AGENT = """
path = pathlib.Path("made") / (task["unit"] + ".py")
write(path, "half = True\\n")
time.sleep(SECONDS)
write(path, "NAME = " + repr(task["unit"]) + "\\n")
report(files=[{"path": str(path), "purpose": "part of it"}])
"""
"""What each agent does, after the beginning that all have: it notes its start, then works for a while."""

Where = Literal["anywhere", "twice", "landing", "with the wrappers"]


def plan() -> str:
    units = [
        {"id": id, "goal": f"Write made/{id}.py.", "needs": list(needs), "writes": [f"made/{id}.py"]}
        for id, needs in NEEDS.items()
    ]
    return json.dumps({"units": units})


@contextmanager
def nine_units(folder: Path, *, seconds: float) -> Iterator[Project]:
    """The project. seconds: how long each agent works."""
    p = make_project(folder, sets=(CHECK, "checks.canary=false"), does=AGENT.replace("SECONDS", str(seconds)))
    (folder / "plan.json").write_text(plan())
    try:
        yield p
    finally:
        p.close()


def run_args(p: Project) -> tuple[str, ...]:
    sets = [part for setting in p.sets for part in ("--set", setting)]
    several = ("--mode", "parallel", "--plan", str(p.folder / "plan.json"), "--workers", str(WORKERS))
    return ("run", FEATURE, "--agent", "command", "--yes", "--land", "yes", *several, *sets)


def tree(p: Project) -> str:
    """What is on the branch, without the run's own documents."""
    lines = git(p.top, "ls-tree", "-r", "main").split("\n")
    return "\n".join(line for line in lines if line.partition("\t")[2] not in OWN)


def commits(p: Project) -> list[str]:
    """Subjects of what landed, sorted: with several agents the order is nobody's promise."""
    return sorted(git(p.top, "log", "--format=%s", f"{p.before['head']}..main").split("\n"))


@dataclass(frozen=True)
class Undisturbed:
    """seconds: from the start of the program to its end."""

    seconds: float
    tree: str
    commits: list[str]


def undisturbed(p: Project) -> Undisturbed:
    began = time.monotonic()
    done = p.ropeteam(*run_args(p), "--json", seconds=LONG)
    seconds = time.monotonic() - began
    assert (done.code, done.json["outcome"]) == (0, "delivered_parallel"), done
    assert sorted(p.starts()) == sorted(f"{id}/1" for id in NEEDS)
    return Undisturbed(seconds, tree(p), commits(p))


@dataclass
class Killed:
    """What came of one. killed: how often the program was; too_late: it had ended before. faults: what must not be."""

    what: str
    killed: int = 0
    too_late: int = 0
    doubled: int = 0
    never_started: int = 0
    left: int = 0
    same: bool = True
    faults: list[str] = field(default_factory=list)


def kill_and_resume(p: Project, chance: random.Random, where: Where, reference: Undisturbed) -> Killed:
    """Kill the run at a random moment of the undisturbed one's length, or where it is said; resume until it ends."""
    found = Killed(where)
    child = p.start(*run_args(p), "--json")
    _kill(p, child, _moment(p, child, chance, where, reference.seconds), where, found)
    if where == "twice":
        child = p.start("resume", "--json")
        _kill(p, child, _after(child, chance.uniform(0.0, reference.seconds)), where, found)
    done = p.ended(child, LONG) if child.returncode == 0 else _resumed(p, found)
    _judge(p, done, found, reference, new_attempts=where == "with the wrappers")
    return found


def _moment(
    p: Project, child: subprocess.Popen[bytes], chance: random.Random, where: Where, seconds: float
) -> Callable[[], None]:
    if where == "landing":
        pause = chance.uniform(0.0, 0.1)

        def landing() -> None:
            wait_until(lambda: child.poll() is not None or p.events("LandingStarted"), "the landing")
            time.sleep(pause)

        return landing
    return _after(child, chance.uniform(0.0, seconds))


def _after(child: subprocess.Popen[bytes], seconds: float) -> Callable[[], None]:
    def wait() -> None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)

    return wait


def _kill(p: Project, child: subprocess.Popen[bytes], wait: Callable[[], None], where: Where, found: Killed) -> None:
    wait()
    wrappers = _wrappers(p) if where == "with the wrappers" else []
    child.kill()
    for pid in wrappers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if child.wait() == -signal.SIGKILL:
        found.killed += 1
    else:
        found.too_late += 1


def _wrappers(p: Project) -> list[int]:
    """Of all attempts, by the files in which they leave their numbers."""
    numbers = [int(path.read_text().split()[0]) for path in p.trees.glob("*/*/*/log/pid") if path.stat().st_size]
    return [pid for pid in numbers if alive(pid)]


def _resumed(p: Project, found: Killed) -> Done:
    if not p.rows():  # killed before there was a run: it can be started again
        return p.ropeteam(*run_args(p), "--json", seconds=LONG)
    done = p.ropeteam("resume", "--json", seconds=LONG)
    for _ in range(RESUMES):
        if done.code == 0:
            break
        found.faults.append(f"a resume ended with {done.code}: {done.err[-500:]}")
        done = p.ropeteam("resume", "--json", seconds=LONG)
    return done


def _judge(p: Project, done: Done, found: Killed, reference: Undisturbed, *, new_attempts: bool) -> None:
    if done.code != 0 or done.json["outcome"] != "delivered_parallel" or not done.json["landed"]:
        found.faults.append(f"it ended otherwise: {done}")
        found.same = False
        return
    if tree(p) != reference.tree:
        found.same = False
        found.faults.append(f"another tree: {git(p.top, 'diff', '--stat', p.before['head'], 'main')}")
    if commits(p) != reference.commits:
        found.faults.append(f"other commits: {commits(p)}")
    starts = Counter(start.partition("/")[0] for start in p.starts())
    begun = Counter(event["attempt"].partition("/")[0] for event in p.events("AttemptStarted"))
    lost = Counter(event["attempt"].partition("/")[0] for event in p.events("AttemptLost"))
    found.doubled = sum(count - 1 for count in starts.values())
    found.never_started = sum(count - 1 for count in begun.values()) - found.doubled
    if found.doubled and not new_attempts:
        found.faults.append(f"agents started: {dict(starts)}")
    if any(begun[id] != 1 + lost[id] for id in NEEDS):
        found.faults.append(f"attempts: {dict(begun)}, lost {dict(lost)}")
    kinds = Counter(p.kinds())
    for kind in ("RunStarted", "Landed", "RunEnded"):
        if kinds[kind] != 1:
            found.faults.append(f"{kinds[kind]} times {kind}")
    merged = Counter(event["attempt"] for event in p.events("Merged"))
    if sorted(merged.values()) != [1] * len(NEEDS):
        found.faults.append(f"merged: {dict(merged)}")
    for kind in ("CommandFailed", "TriggerFired", "AttemptFailed", "MergeConflicted"):
        if kinds[kind]:
            found.faults.append(f"{kind}: {p.events(kind)[0]}")
    if git(p.top, "status", "--porcelain"):
        found.faults.append(f"the checkout: {git(p.top, 'status', '--porcelain')}")
    try:
        wait_until(lambda: not p.processes(), "no process left", seconds=5)
    except AssertionError:
        found.left = len(p.processes())
        found.faults.append(f"processes left: {[Path(f'/proc/{pid}/cmdline').read_bytes() for pid in p.processes()]}")
