"""How long each step of a run takes with git, by size of the repository: medians, in milliseconds.

    .venv/bin/python bench/git_steps.py [FILES ...]        (300 and 10000 without)

Everything happens in a temporary folder. Each step is done several times; the snapshot is of a tree in which five files
were changed and one is new.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ropeteam import git, process

ROUNDS = 7
AT = 1_700_000_000.0
RUN = "refs/ropeteam/bench"
T = TypeVar("T")


def user_git(top: Path, *args: str) -> None:
    done = process.run(["git", "-c", "gc.auto=0", "-C", str(top), *args])
    assert done.returncode == 0, done.stderr


def make(top: Path, count: int) -> None:
    for number in range(count):
        path = top / f"d{number % 100}" / f"{number % 17}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def function_{number}():\n    return {number}\n" * 20)
    user_git(top, "init", "-q", "-b", "main")
    user_git(top, "add", "-A")
    user_git(top, "commit", "-q", "-m", "first")
    user_git(top, "gc", "-q")


class Steps:
    """Times by name of step, in the order in which they came up."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def measure(self, name: str, step: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = step()
        self.times.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        return result


def one_round(steps: Steps, folder: Path, repo: git.Repo, store: git.Store, number: int) -> None:
    facts = steps.measure("facts", lambda: git.facts(repo))
    steps.measure("dirty", lambda: git.dirty(repo, feature=".workspace/x"))
    base, place = facts.base, folder / "trees" / str(number)
    steps.measure("keep the base", lambda: git.keep(store, base, f"{RUN}/{number}/base"))
    tree = steps.measure(
        "create a tree", lambda: git.create_tree(store, place, base, facts, index=place.with_suffix(".index"))
    )
    before = steps.measure("fingerprint", lambda: git.fingerprint(repo))
    for name in range(5):
        path = next((place / f"d{name}").glob("*/*.py"))
        path.write_text(f"round = {number}\n" * 30)
    (place / f"new{number}.py").write_text("new = 1\n")
    ref = f"{RUN}/{number}/single/1"

    def take() -> git.Snapshot:
        return git.snapshot(store, tree, start=base, ref=ref, message="m", at=AT, facts=facts)

    taken = steps.measure("snapshot, first", take)
    steps.measure("snapshot, again", take)
    other = git.commit_files(store, parent=base, files={"other.py": b"o"}, message="o", at=AT, facts=facts)
    merged = steps.measure(
        "merge", lambda: git.merge(store, onto=other, tip=taken.commit, base=base, message="m", at=AT, facts=facts)
    )
    head = merged.commit or base
    steps.measure("keep the result", lambda: git.keep(store, head, f"{RUN}/{number}/head"))
    steps.measure("compare fingerprint", lambda: git.compare_fingerprint(repo, before))
    landed = steps.measure(
        "land", lambda: git.land(store, head=head, onto=base, branch="main", facts=facts, feature="")
    )
    assert landed.landed, landed
    steps.measure("remove the tree", lambda: git.remove_tree(store, tree, snapshot_of=ref))


def main(sizes: list[int]) -> None:
    print("git", ".".join(map(str, git.version())))
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as name:
            folder = Path(name)
            os.environ["HOME"] = name
            (folder / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.org\n")
            make(folder / "repo", size)
            steps = Steps()
            repo = steps.measure("find", lambda top=folder / "repo": git.find(top))
            store = steps.measure("open the store", lambda found=repo: git.open_store(found))
            for number in range(ROUNDS):
                one_round(steps, folder, repo, store, number)
            print(f"\n{size} files (median of {ROUNDS}, ms)")
            for step, times in steps.times.items():
                print(f"  {step:<22}{statistics.median(times):8.0f}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [300, 10_000])
