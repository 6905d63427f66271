"""What it costs to look for conflicts between agents at work: medians, in milliseconds, by size and number of agents.

Time, and in brackets the processor time of all that was started, which a busy machine changes less.

    .venv/bin/python bench/lookahead.py [FILES ...]        (300 and 10000 without)

Everything happens in a temporary folder. Each agent has changed five files and made one since the look before; a
snapshot is taken of each tree, and its work compared with that of all others and with what is merged already.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from git_steps import AT, make
from ropeteam import git

AGENTS = (2, 4, 8)
ROUNDS = 7
RUN = "refs/ropeteam/bench"


Spent = tuple[float, float]


def now() -> Spent:
    """Seconds: of the clock, and of the processor for everything that was started and has ended, ourselves included."""
    return time.perf_counter(), sum(os.times()[:4])


def since(began: Spent) -> Spent:
    """In milliseconds."""
    return (time.perf_counter() - began[0]) * 1000, (sum(os.times()[:4]) - began[1]) * 1000


def measure(folder: Path, agents: int) -> tuple[list[Spent], list[Spent]]:
    """Of a snapshot, and of one agent's look at all the others and the integration."""
    repo = git.find(folder / "repo")
    store, facts = git.open_store(repo), git.facts(repo)
    base = facts.base
    merged = git.commit_files(store, parent=base, files={"merged.py": b"m"}, message="m", at=AT, facts=facts)
    places = [folder / "trees" / f"{agents}-{number}" for number in range(agents)]
    trees = [git.create_tree(store, one, base, facts, index=one.with_suffix(".index")) for one in places]
    snapshots, looks = [], []
    for turn in range(ROUNDS):
        tips: dict[int, str] = {}
        for number, tree in enumerate(trees):
            for name in range(5):
                path = sorted((tree.path / f"d{name + 5 * number}").glob("*/*.py"))[0]
                path.write_text(f"round = {turn}\n" * 30)
            (tree.path / f"new{turn}.py").write_text("new = 1\n")
            began = now()
            ref = f"{RUN}/{agents}/{number}"
            taken = git.snapshot(store, tree, start=base, ref=ref, message="m", at=AT, facts=facts)
            snapshots.append(since(began))
            tips[number] = taken.commit
        mine = (base, tips[0])
        pairs = [(mine, (base, merged)), *((mine, (base, tips[other])) for other in range(1, agents))]
        began = now()
        git.conflicts_between(store, pairs)
        looks.append(since(began))
    return snapshots, looks


def main(sizes: list[int]) -> None:
    print("git", ".".join(map(str, git.version())))
    print(f"{'files':>8}{'agents':>8}{'snapshot':>16}{'look':>14}{'of a processor':>16}")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as name:
            folder = Path(name)
            os.environ["HOME"] = name
            (folder / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.org\n")
            make(folder / "repo", size)
            for agents in AGENTS:
                cells, share = [], 0.0
                for spent in measure(folder, agents):
                    wall, processor = (statistics.median(one) for one in zip(*spent, strict=True))
                    cells.append(f"{wall:.0f} ({processor:.0f})")
                    share += agents * processor / 60_000
                print(f"{size:>8}{agents:>8}{cells[0]:>16}{cells[1]:>14}{share:>16.1%}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [300, 10_000])
