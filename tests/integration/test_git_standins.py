"""A tree that is taken away for a while: nothing can be written into it, and it comes back whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from git_world import World, world

from repositories import files_of
from ropeteam import git
from ropeteam.core.model import AttemptResult
from ropeteam.core.state import AttemptState, RunState
from ropeteam.errors import RopeteamError
from ropeteam.forking import Absent
from ropeteam.git import mounts
from ropeteam.git.trees import Tree

FILES = {"src/mod.py": "x = 1\n", ".gitignore": "*.log\n", "README.md": "read me\n"}


@pytest.fixture(params=["plain", "overlay"])
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[World, Tree]]:
    if request.param == "overlay" and (why := mounts.problem(tmp_path)):
        pytest.skip(why)
    w = world(tmp_path, FILES)
    folder = tmp_path / "run"
    yield w, git.Pool(w.store, folder, w.facts, request.param).make(folder / "a/tree", w.base, index=folder / "a/index")
    mounts.unmount_below(tmp_path)


def work(tree: Tree) -> None:
    (tree.path / "new.py").write_text("y = 2\n")
    (tree.path / "seen.log").write_text("ignored, and in no snapshot\n")
    (tree.path / "README.md").unlink()


def test_it_is_a_file_that_nothing_can_be_written_below_and_comes_back_as_it_was(made: tuple[World, Tree]) -> None:
    w, tree = made
    work(tree)
    before = files_of(tree.path)
    for _ in range(2):
        git.take_away(tree)
        assert tree.path.is_file()
        assert not tree.path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        for write in (
            lambda: (tree.path / "src/mod.py").write_text("z"),
            lambda: (tree.path / "x").mkdir(parents=True),
        ):
            with pytest.raises(NotADirectoryError):
                write()
    for _ in range(2):
        git.bring_back(tree)
        assert files_of(tree.path) == before
    assert w.snapshot(tree, "single/1").commit is not None
    assert (tree.path / "seen.log").read_text().startswith("ignored")


def test_again_after_it_was_cut_off_in_between(made: tuple[World, Tree]) -> None:
    """As an orchestrator leaves it that was killed once the tree was moved and no file stood in its place."""
    _, tree = made
    before = files_of(tree.path)
    git.take_away(tree)
    tree.path.unlink()
    git.take_away(tree)
    assert tree.path.is_file()
    tree.path.unlink()
    git.bring_back(tree)
    assert files_of(tree.path) == before


def test_a_tree_that_is_gone_gets_the_file_and_loses_it_again(made: tuple[World, Tree]) -> None:
    _, tree = made
    git.erase(tree.path)
    tree.note("overlay", [])
    git.take_away(tree)
    with pytest.raises(NotADirectoryError):
        (tree.path / "x").mkdir(parents=True)
    git.bring_back(tree)
    assert not os.path.lexists(tree.path)


def test_what_somebody_else_put_there_is_left_alone(made: tuple[World, Tree]) -> None:
    _, tree = made
    before = files_of(tree.path)
    git.take_away(tree)
    tree.path.unlink()
    tree.path.mkdir()
    (tree.path / "mine").write_text("a person's\n")
    assert git.is_displaced(tree)
    assert not git.bring_back(tree)
    assert [path.name for path in tree.path.iterdir()] == ["mine"]
    (tree.path / "mine").unlink()
    tree.path.rmdir()
    assert git.bring_back(tree)
    assert files_of(tree.path) == before
    assert not git.is_displaced(tree)


def test_again_after_it_was_killed_with_a_note_that_nobody_may_write(made: tuple[World, Tree]) -> None:
    _, tree = made
    note = tree.path.with_name(f".{tree.path.name}.note")
    note.write_text("half")
    note.chmod(0o444)
    git.take_away(tree)
    assert tree.path.is_file()
    assert tree.path.read_text().startswith("ropeteam:")
    assert not note.exists()


def test_it_can_be_removed_with_everything_while_it_is_away(made: tuple[World, Tree]) -> None:
    _, tree = made
    git.take_away(tree)
    git.erase(tree.path.parents[1])
    assert not tree.path.parents[1].exists()


# ---- for whom


@dataclass(frozen=True)
class Place:
    """What `Absent` needs of a run."""

    repo: git.Repo
    has_sandbox: bool = False


def attempt(id: str, **more: Any) -> AttemptState:
    unit, _, n = id.partition("/")
    return AttemptState(id=id, unit=unit, kind="unit", n=int(n), start="", base="", **more)


def scout(w: World, tree: Tree) -> AttemptState:
    """`01-contract/1`, whose tree was given its place by `made`."""
    taken = w.snapshot(tree, "01-contract/1")
    result = AttemptResult(commit=taken.commit, ref="refs/ropeteam/run-1/01-contract/1")
    return attempt("01-contract/1", tree=str(tree.path), folder=str(tree.index.parent), result=result)


def test_after_a_restart_the_first_that_ends_brings_no_tree_back_that_others_must_not_reach(
    made: tuple[World, Tree],
) -> None:
    w, tree = made
    forks = [attempt(name, fork="01-contract/1", stage="running") for name in ("02-a/1", "03-b/1")]
    state = RunState(attempts=(scout(w, tree), *forks))
    absent: Any = Absent(Place(w.repo))  # type: ignore[arg-type]

    absent.need("02-a/1", "01-contract/1", state)
    assert absent.done("02-a/1") == []
    assert tree.path.is_file(), "03-b/1 lives, though nobody has said so yet"
    absent.need("03-b/1", "01-contract/1", state)
    absent.need("04-c/1", "01-contract/1", state)  # with a state in which 02-a/1 still runs
    absent.done("03-b/1")
    absent.done("04-c/1")
    assert tree.path.is_dir()


def test_a_tree_whose_snapshot_is_not_under_its_ref_is_not_taken_away(made: tuple[World, Tree]) -> None:
    w, tree = made
    found = scout(w, tree)
    git.delete_refs(w.repo, [found.result.ref])
    absent: Any = Absent(Place(w.repo))  # type: ignore[arg-type]
    with pytest.raises(RopeteamError, match="no ref holds its snapshot"):
        absent.need("02-a/1", "01-contract/1", RunState(attempts=(found,)))
    assert tree.path.is_dir()
    absent.done("02-a/1")


def test_what_an_agent_makes_in_its_place_is_told(made: tuple[World, Tree]) -> None:
    w, tree = made
    absent: Any = Absent(Place(w.repo))  # type: ignore[arg-type]
    absent.need("02-a/1", "01-contract/1", RunState(attempts=(scout(w, tree),)))
    tree.path.unlink()
    tree.path.mkdir()
    (tree.path / "new.py").write_text("an agent's\n")
    (told,) = absent.done("02-a/1")
    assert str(tree.path) in told
    assert (tree.path / "new.py").exists()
