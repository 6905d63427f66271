"""The `Merge` command: lists by union, lock files made anew by a tool that really runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest
from git_world import AT, World, world
from msgspec.structs import replace

from repositories import write_files
from ropeteam import git, sandbox
from ropeteam.agents.command import CommandAgent
from ropeteam.checks import CommandCheck
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import Answers, Feature
from ropeteam.core.settings import Limits, Merge, Settings
from ropeteam.merging import Merging
from ropeteam.testing.clock import ManualClock
from ropeteam.validation import Validation

pytestmark = pytest.mark.usefixtures("users_home")

LOCK = "parts.lock"
TOOL = """
import pathlib, sys
calls = pathlib.Path(sys.argv[1])
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
before = pathlib.Path("parts.lock").read_text().split()
assert not any(line.startswith("<<<") for line in before), "conflict markers"
wanted = pathlib.Path("parts").read_text().split()
pinned = dict(line.split("=") for line in before)
lines = [f"{name}={pinned.get(name, len(calls.read_text()))}\\n" for name in wanted]
pathlib.Path("parts.lock").write_text("".join(lines))
pathlib.Path("left.txt").write_text("the tool leaves more than it should")
"""
"""Pins what is not pinned yet with how often it was called: as little the same twice as a registry is."""


class Bench:
    """A repository in which two have added a part each, and what carries out merges in it."""

    def __init__(self, tmp_path: Path, argv: tuple[str, ...] | None = None, *, confined: bool = False) -> None:
        self.calls = tmp_path / "calls"
        self.w = world(tmp_path, {"sub/parts": "a\n\nz\n", "sub/parts.lock": "a=0\nz=0\n", "CHANGELOG.md": "0\n"})
        self.told: list[str] = []
        tool = (sys.executable, "-c", TOOL, str(self.calls)) if argv is None else argv
        self.merging = merging(self.w, {LOCK: tool}, self.told, confined=confined)

    def add(self, name: str, *, where: int, log: str = "") -> str:
        parts = ["a", "", "z"]
        parts.insert(where, name)
        locked = [f"{part}=0" for part in parts if part and part != name] + [f"{name}=9"]
        files = {"sub/parts": "\n".join(parts) + "\n", "sub/parts.lock": "\n".join(locked) + "\n"}
        return self.work(f"{name}/1", files | ({"CHANGELOG.md": f"0\n{log}\n"} if log else {}))

    def work(self, name: str, files: dict[str, str | bytes]) -> str:
        tree = self.w.tree()
        write_files(tree.path, files)
        return self.w.snapshot(tree, name).commit

    def merge(self, attempt: str, commit: str, onto: str) -> ev.AnyEvent:
        command = ev.Merge(attempt=attempt, commit=commit, base=self.w.base, onto=onto, message="Unit", at=AT)
        return asyncio.run(self.merging.merge(command))

    def shown(self, commit: str, path: str) -> str:
        return (git.read_file(self.w.store, commit, path) or b"").decode()


def merging(w: World, locks: dict[str, tuple[str, ...]], told: list[str], *, confined: bool = False) -> Merging:
    settings = Settings(merge=Merge(locks=locks), limits=Limits(check_seconds=100.0))
    context = RunContext(
        started=ev.RunStarted(
            run="run-1",
            feature=Feature(name="checkout", source="stdin"),
            repo=w.facts,
            settings=settings,
            answers=Answers(agent="command"),
        ),
        repo=w.repo,
        store=w.store,
        agent=CommandAgent(),
        agents=lambda _name: CommandAgent(),
        clock=ManualClock(),
        folder=w.folder / "run",
        lock_fd=-1,
        sandbox=sandbox.available() if confined else sandbox.Availability(ok=False),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(w.folder / "home")},
        checks=CommandCheck,
        tell=lambda _attempt, text: told.append(text),
    )
    return Merging(context, Validation(context))


def test_what_only_one_side_changed_needs_no_tool(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    merged = b.merge("one/1", b.add("one", where=1), b.w.base)
    assert isinstance(merged, ev.Merged)
    assert merged.resolved == ()
    other = b.work("two/1", {"other.txt": "2\n"})
    again = b.merge("two/1", other, merged.commit)
    assert isinstance(again, ev.Merged)
    assert again.resolved == ()
    assert not b.calls.exists()


def test_only_of_what_others_build_on_the_imports_must_be_there(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    commit = b.work("contract/1", {"app/__init__.py": "", "app/api.py": "import json\nfrom .models import Order\n"})
    one = ev.Merge(attempt="contract/1", commit=commit, base=b.w.base, onto=b.w.base, message="Unit", at=AT)
    (plain, declares) = (asyncio.run(b.merging.merge(each)) for each in (one, replace(one, declares=True)))
    assert isinstance(plain, ev.Merged)
    assert plain.findings == ()
    assert isinstance(declares, ev.Merged)
    assert [(f.path, f.line, f.check) for f in declares.findings] == [("app/api.py", 2, "imports")]
    assert declares.commit == plain.commit


def test_a_lock_file_in_conflict_is_made_anew_and_a_list_has_both(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    first = b.merge("one/1", b.add("one", where=1, log="one"), b.w.base)
    assert isinstance(first, ev.Merged)
    two = b.add("two", where=2, log="two")
    merged = b.merge("two/1", two, first.commit)
    assert isinstance(merged, ev.Merged)
    assert merged.resolved == (
        "CHANGELOG.md is a list that both changed: the lines of both are kept.",
        f"sub/parts.lock was changed by both: it was made anew with {sys.executable}.",
    )
    assert b.shown(merged.commit, "sub/parts").split() == ["a", "one", "two", "z"]
    assert b.shown(merged.commit, "sub/parts.lock").split() == ["a=0", "one=9", "two=1", "z=0"]
    assert b.shown(merged.commit, "CHANGELOG.md").split() == ["0", "one", "two"]
    assert {change.path for change in git.changes(b.w.store, first.commit, merged.commit)} == {
        "CHANGELOG.md",
        "sub/parts",
        "sub/parts.lock",
    }
    assert b.w.git("rev-parse", "refs/ropeteam/run-1/two/1-merged", f"{merged.commit}^") == (
        f"{merged.commit}\n{first.commit}"
    )
    assert not list((b.w.folder / "run").iterdir())
    assert any("making sub/parts.lock anew" in text for text in b.told)

    assert b.merge("two/1", two, first.commit) == merged
    assert b.calls.read_text() == "x"
    third = b.merge("three/1", b.work("three/1", {"three.txt": "3\n"}), first.commit)
    assert isinstance(third, ev.Merged)
    elsewhere = b.merge("two/1", two, third.commit)
    assert isinstance(elsewhere, ev.Merged)
    assert b.calls.read_text() == "xx"


def test_a_tool_that_fails_or_is_missing_leaves_the_conflict(tmp_path: Path) -> None:
    for number, (argv, why) in enumerate(
        (
            ((sys.executable, "-c", "import sys; sys.exit('no such part')"), "ended with 1: no such part"),
            (("not-there-at-all",), "not-there-at-all is not installed"),
            ((sys.executable, "-c", "import os; os.remove('parts.lock')"), "the tool left no plain file"),
            (
                (sys.executable, "-c", "import os; os.remove('parts.lock'); os.symlink('/etc/passwd', 'parts.lock')"),
                "the tool left no plain file",
            ),
        )
    ):
        b = Bench(tmp_path / str(number), argv)
        first = b.add("one", where=1, log="one")
        conflicted = b.merge("two/1", b.add("two", where=2, log="two"), first)
        assert isinstance(conflicted, ev.MergeConflicted)
        assert conflicted.paths == ("sub/parts.lock",)
        (reason,) = conflicted.reasons
        assert reason.startswith("sub/parts.lock could not be made anew: ")
        assert why in reason
        assert git.refs(b.w.repo, "refs/ropeteam/run-1/two/1-merged") == {}


def test_no_tool_where_it_is_switched_off_or_the_manifest_conflicts(tmp_path: Path) -> None:
    b = Bench(tmp_path / "off", ())
    conflicted = b.merge("two/1", b.add("two", where=2), b.add("one", where=1))
    assert isinstance(conflicted, ev.MergeConflicted)
    assert (conflicted.paths, conflicted.reasons) == (("sub/parts.lock",), ())
    b = Bench(tmp_path / "manifest")
    conflicted = b.merge("two/1", b.add("two", where=1), b.add("one", where=1))
    assert isinstance(conflicted, ev.MergeConflicted)
    assert conflicted.paths == ("sub/parts",)
    assert not b.calls.exists()


def test_a_lock_file_that_merged_by_lines_is_made_anew_too(tmp_path: Path) -> None:
    far = "".join(f"p{n}=0\n" for n in range(20))
    for argv, said in ((None, "made anew with"), (("not-there-at-all",), "could not be made anew (not-there-at-all")):
        b = Bench(tmp_path / said[:4], argv)
        base = b.work("start/1", {"sub/parts.lock": far, "sub/parts": "p0\n"})
        b.w.facts = replace(b.w.facts, base=base)
        one = b.work("one/1", {"sub/parts.lock": "first=0\n" + far})
        two = b.work("two/1", {"sub/parts.lock": far + "last=0\n"})
        merged = b.merge("two/1", two, one)
        assert isinstance(merged, ev.Merged)
        (sentence,) = merged.resolved
        assert said in sentence
        expected = "p0=0\n" if argv is None else f"first=0\n{far}last=0\n"
        assert b.shown(merged.commit, "sub/parts.lock") == expected


@pytest.mark.skipif(not sandbox.available().ok, reason="no sandbox here")
def test_the_tool_is_confined_as_checks_are(tmp_path: Path) -> None:
    program = """
import pathlib, os
seen = sorted(os.listdir(os.environ["TOP"])) if os.path.isdir(os.environ.get("TOP", "")) else []
pathlib.Path("parts.lock").write_text(f"seen={len(seen)}\\n")
"""
    b = Bench(tmp_path, ("sh", "-c", f"TOP={tmp_path / 'repo'} exec python3 -c '{program}'"), confined=True)
    merged = b.merge("two/1", b.add("two", where=2), b.add("one", where=1))
    assert isinstance(merged, ev.Merged)
    entries = int(b.shown(merged.commit, "sub/parts.lock").removeprefix("seen="))
    assert entries < len(list((tmp_path / "repo").iterdir()))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
@pytest.mark.slow
def test_package_lock_by_the_real_npm(tmp_path: Path) -> None:
    """Two units add a package each; both come from folders, so that no network is needed."""
    names = ("eight", "one", "two", "zero")
    folders = {f"{name}/package.json": json.dumps({"name": name, "version": "1.0.0"}) for name in names}

    def files(*wanted: str, pad: int) -> dict[str, str | bytes]:
        """The packages one a line with empty lines between, as far apart as merging by lines needs."""
        listed = ",\n\n\n\n".join(f'"{name}": "file:{name}"' for name in wanted)
        links = {f"node_modules/{name}": {"resolved": name, "link": True} for name in wanted}
        packages = {**{name: {"version": "1.0.0"} for name in wanted}, **links}
        lock = {"name": "app", "lockfileVersion": 3, "packages": packages}
        return {
            "package.json": f'{{"name": "app", "version": "1.0.0", "dependencies": {{\n{listed}\n}}}}\n',
            "package-lock.json": json.dumps(lock, indent=pad),
        }

    w = world(tmp_path, {**folders, **files("eight", "zero", pad=2)})
    m = merging(w, {}, [], confined=True)
    made: list[str] = []
    for name, wanted in (("one/1", ("one", "eight", "zero")), ("two/1", ("eight", "zero", "two"))):
        tree = w.tree()
        write_files(tree.path, files(*wanted, pad=len(name) - 2 - len(made)))
        made.append(w.snapshot(tree, name).commit)
    command = ev.Merge(attempt="two/1", commit=made[1], base=w.base, onto=made[0], message="Unit", at=AT)
    merged = asyncio.run(m.merge(command))
    assert isinstance(merged, ev.Merged), merged.reasons  # type: ignore[union-attr]
    assert merged.resolved == ("package-lock.json was changed by both: it was made anew with npm.",)
    lock = json.loads(git.read_file(w.store, merged.commit, "package-lock.json") or b"")
    assert set(lock["packages"][""]["dependencies"]) == set(names)
    assert {f"node_modules/{name}" for name in names} <= set(lock["packages"])
    assert asyncio.run(m.merge(command)) == merged
