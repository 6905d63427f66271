"""Pipes and devices where git opens a file: a snapshot is taken all the same, at once, and what was there is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from git_world import World, world

from repositories import git as agents_git
from repositories import make_repo, write_files

pytestmark = pytest.mark.usefixtures("users_home")

AT_ONCE = 30.0
"""Seconds, on a busy machine. git itself would wait for ever, and is stopped by us after 900."""


def planted(folder: Path, plant: Callable[[Path], None]) -> tuple[World, list[str], list[str]]:
    """What a snapshot says, and what it says when it is taken again: problems and the files that were changed."""
    w = world(folder, {"a.txt": "a", "dir/b.txt": "b", ".gitignore": "*.log\n"})
    tree = w.tree()
    write_files(tree.path, {"new.txt": "n", "dir/new.txt": "n"})
    plant(tree.path)
    began = time.monotonic()
    first, again = w.snapshot(tree), w.snapshot(tree)
    assert time.monotonic() - began < AT_ONCE
    assert (again.commit, again.problems) == (first.commit, first.problems)
    changed = [change.path for change in first.changes]
    assert {"new.txt", "dir/new.txt"} <= set(changed)
    moved = [path for path in tree.index.parent.iterdir() if ".aside-" in path.name]
    assert len(moved) == len(first.problems)
    return w, list(first.problems), changed


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", ".gitmodules", ".mailmap"])
@pytest.mark.parametrize("where", ["", "dir/", "new folder/"])
def test_a_pipe_that_git_would_read(tmp_path: Path, name: str, where: str) -> None:
    def plant(tree: Path) -> None:
        path = tree / where / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        write_files(path.parent, {"beside.txt": "b"})

    _, problems, changed = planted(tmp_path, plant)
    assert problems == [
        f"{where}{name} was a pipe or a device, which git waits for: it was moved out of the tree.",
    ]
    assert f"{where}beside.txt" in changed


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes"])
def test_a_folder_or_a_link_of_that_name_is_no_obstacle(tmp_path: Path, name: str) -> None:
    def plant(tree: Path) -> None:
        write_files(tree, {f"new/{name}/inside.txt": "i"})
        (tree / "dir" / name).symlink_to("/dev/zero")

    _, problems, changed = planted(tmp_path, plant)
    assert problems == []
    assert {f"new/{name}/inside.txt", f"dir/{name}"} <= set(changed)


REPOSITORIES: dict[str, Callable[[Path], object]] = {
    "HEAD": lambda git: ((git / "HEAD").unlink(), os.mkfifo(git / "HEAD")),
    "commondir": lambda git: os.mkfifo(git / "commondir"),
    "an endless file": lambda git: (git / "commondir").symlink_to("/dev/zero"),
    "objects": lambda git: os.mkfifo(git / "objects/info/alternates"),
    "packs": lambda git: [os.mkfifo(git / f"objects/pack/pack-{'1' * 40}.{kind}") for kind in ("idx", "pack")],
}


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_in_the_tree(tmp_path: Path, name: str) -> None:
    def plant(tree: Path) -> None:
        make_repo(tree / "inner", {"i.txt": "i"})
        (tree / "inner/.git/objects/info").mkdir(exist_ok=True)
        REPOSITORIES[name](tree / "inner/.git")

    _, problems, changed = planted(tmp_path, plant)
    assert problems
    assert "inner/i.txt" in changed


def test_a_repository_whose_git_folder_is_elsewhere(tmp_path: Path) -> None:
    """In the tree, outside of it, and by a link."""
    outside = make_repo(tmp_path / "outside") / ".git"
    (outside / "HEAD").unlink()
    os.mkfifo(outside / "HEAD")

    def plant(tree: Path) -> None:
        make_repo(tree / "other", {"o.txt": "o"})
        (tree / "other/.git").rename(tree / "plain")
        (tree / "plain/HEAD").unlink()
        os.mkfifo(tree / "plain/HEAD")
        write_files(tree, {"one/.git": "gitdir: ../plain\n", "one/1.txt": "1"})
        write_files(tree, {"two/.git": f"gitdir: {outside}\n", "two/2.txt": "2", "three/3.txt": "3"})
        (tree / "three/.git").symlink_to(outside)

    _, problems, changed = planted(tmp_path, plant)
    assert sorted(problem.partition(" ")[0] for problem in problems) == ["plain/HEAD", "three/.git", "two/.git"]
    assert {"one/1.txt", "two/2.txt", "three/3.txt"} <= set(changed)
    assert (outside / "HEAD").is_fifo(), "nothing outside of the tree is touched"


def test_the_agents_own_objects(tmp_path: Path) -> None:
    def plant(tree: Path) -> None:
        agents_git(tree, "commit", "-q", "--allow-empty", "-m", "own")
        (tree / ".git/objects/info/alternates").rename(tree / ".git/objects/info/was")
        os.mkfifo(tree / ".git/objects/info/alternates")
        os.mkfifo(tree / ".git/objects/info/commit-graph")

    _, problems, _ = planted(tmp_path, plant)
    assert len([problem for problem in problems if problem.startswith(".git/objects/info/")]) == 2


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    def plant(tree: Path) -> None:
        for name in ("HEAD", "packed-refs", "commondir"):
            (tree / ".git" / name).unlink(missing_ok=True)
            (tree / ".git" / name).mkdir()

    _, problems, _ = planted(tmp_path, plant)
    assert problems == []
