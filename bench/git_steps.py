"""How long each step of a run takes with git, by size of the repository: medians, in milliseconds.

    .venv/bin/python bench/git_steps.py [FILES ...]            (300 and 10000 without)
    .venv/bin/python bench/git_steps.py --trees [FILES ...]    ways of making trees (300, 10000 and 60000 without)

Everything happens in a temporary folder (TMPDIR). Each step is done several times; the snapshot is of a tree in which
five files were changed and one is new. Trees that are used once more had that done to them, and a folder of 200 ignored
files; they are made one after the other, or eight by as many threads as there are processors.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ropeteam import git, process
from ropeteam.core.model import RepoFacts

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
    (top / ".gitignore").write_text("build/\n")
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


# ---- ways of making trees


def work_in(tree: git.Tree) -> None:
    for name in range(5):
        next((tree.path / f"d{name}").glob("*/*.py")).write_text("changed = 1\n" * 30)
    (tree.path / "new.py").write_text("new = 1\n")
    (tree.path / "build").mkdir(exist_ok=True)
    for number in range(200):
        (tree.path / "build" / f"{number}.o").write_text("o" * 100)


def ways(folder: Path, repo: git.Repo, store: git.Store, size: int) -> None:
    """A line of the table for each way."""
    facts = git.facts(repo)
    git.keep(store, facts.base, f"{RUN}/base")
    changed = git.commit_files(
        store, parent=facts.base, files={"d1/1/file1.py": b"later\n"}, message="m", at=AT, facts=facts
    )
    for way in ("plain", "overlay", "reuse"):
        place = folder / way
        place.mkdir()
        if way == "overlay" and (why := git.overlay_problem(place)):
            print(f"| {size:>6,} | overlay | not here: {why} | | |")
            continue
        numbers = iter(range(1_000))

        def new(pool: git.Pool, commit: str, place: Path = place, numbers: Iterator[int] = numbers) -> git.Tree:
            inner = place / str(next(numbers))
            return pool.make(inner / "tree", commit, index=inner / "index")

        pool = git.Pool(store, place, facts, "overlay" if way == "overlay" else "plain", few=1)
        first, single, snapshots = Steps(), Steps(), Steps()
        tree = first.measure("1", lambda p=pool: new(p, facts.base))
        for number in range(ROUNDS if size < 10_000 else 3):
            work_in(tree)
            ref = f"{RUN}/{way}/{number}"
            taken = snapshots.measure(
                "1",
                lambda t=tree, r=ref: git.snapshot(store, t, start=changed, ref=r, message="m", at=AT, facts=facts),
            )
            if way == "reuse":
                pool.give_up(tree, ref=ref, commit=taken.commit)
            tree = single.measure("1", lambda p=pool: new(p, changed))
        eight = eight_at_once(lambda p=pool: new(p, changed), pool, store, facts, again=way == "reuse")
        times = [
            first.times["1"][0],
            statistics.median(single.times["1"]),
            eight,
            statistics.median(snapshots.times["1"]),
        ]
        print(f"| {size:>6,} | {way:<7} | " + " | ".join(f"{time:6,.0f}" for time in times) + " |", flush=True)
        git.erase(place)


def eight_at_once(
    new: Callable[[], git.Tree], pool: git.Pool, store: git.Store, facts: RepoFacts, *, again: bool
) -> float:
    """Milliseconds until the last of eight is there. again: out of eight others, in which agents had worked."""
    with ThreadPoolExecutor(git.makers()) as threads:

        def all_of_them() -> list[git.Tree]:
            return [made.result() for made in [threads.submit(new) for _ in range(8)]]

        if again:
            for number, tree in enumerate(all_of_them()):
                work_in(tree)
                ref = f"{RUN}/eight/{number}"
                taken = git.snapshot(store, tree, start=facts.base, ref=ref, message="m", at=AT, facts=facts)
                pool.give_up(tree, ref=ref, commit=taken.commit)
        steps = Steps()
        steps.measure("8", all_of_them)
    return steps.times["8"][0]


def main(arguments: list[str]) -> None:
    print("git", ".".join(map(str, git.version())))
    trees = "--trees" in arguments
    sizes = [int(size) for size in arguments if size != "--trees"]
    if trees:
        print("| files | way | the first, ms | one more | eight at once | snapshot of one |")
        print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for size in sizes or ([300, 10_000, 60_000] if trees else [300, 10_000]):
        with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as name:
            folder = Path(name)
            os.environ["HOME"] = name
            (folder / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.org\n")
            make(folder / "repo", size)
            if trees:
                repo = git.find(folder / "repo")
                ways(folder, repo, git.open_store(repo), size)
                continue
            steps = Steps()
            repo = steps.measure("find", lambda top=folder / "repo": git.find(top))
            store = steps.measure("open the store", lambda found=repo: git.open_store(found))
            for number in range(ROUNDS):
                one_round(steps, folder, repo, store, number)
            print(f"\n{size} files (median of {ROUNDS}, ms)")
            for step, times in steps.times.items():
                print(f"  {step:<22}{statistics.median(times):8.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
