"""Garbage collection of the user's repository at the same time: refs of ours are complete, always."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from git_world import AT, RUN, world

from repositories import git as user_git
from repositories import make_repo, write_files
from ropeteam import git
from ropeteam.errors import GitFailed, OutOfSpace
from ropeteam.git.store import Incomplete

pytestmark = pytest.mark.usefixtures("users_home")

SNAPSHOTS = 30


def test_snapshots_while_the_user_prunes(tmp_path: Path) -> None:
    w = world(tmp_path, {f"d{number % 7}/{number}.txt": f"{number}\n" * 20 for number in range(60)})
    stop = threading.Event()
    rounds: list[int] = []

    def collect() -> None:
        while not stop.is_set():
            # Loose objects that nothing needs, with the content that a snapshot is about to have: git takes them as
            # written already, and the collection removes them.
            for number in range(SNAPSHOTS):
                user_git(w.top, "hash-object", "-w", "--stdin", input=f"work {number}\n".encode())
            user_git(w.top, "gc", "-q", "--prune=now")
            rounds.append(1)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        tree = w.tree()
        commits = {}
        for number in range(SNAPSHOTS):
            write_files(tree.path, {f"d1/new{number}.txt": f"work {number}\n", "d2/2.txt": f"{number}\n"})
            taken = w.snapshot(tree, f"unit/{number}", at=AT + number)
            commits[f"{RUN}/unit/{number}"] = taken.commit
    finally:
        stop.set()
        collector.join()
    assert rounds
    user_git(w.top, "gc", "-q", "--prune=now")
    user_git(w.top, "fsck", "--connectivity-only", "--no-dangling")
    assert git.refs(w.repo, f"{RUN}/unit") == commits
    for number in range(SNAPSHOTS):
        assert w.shown(commits[f"{RUN}/unit/{number}"], f"d1/new{number}.txt") == f"work {number}\n".encode()
    assert list((w.top / ".git/objects/pack").glob("*.keep")) == []


def test_several_at_once(tmp_path: Path) -> None:
    w = world(tmp_path, {f"{number}.txt": f"{number}\n" for number in range(20)})
    trees = [w.tree() for _ in range(6)]
    for number, tree in enumerate(trees):
        write_files(tree.path, {f"{number}.txt": "changed\n", "same.txt": "the same in all\n"})
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda pair: w.snapshot(pair[1], f"unit/{pair[0]}"), enumerate(trees)))
    assert [snapshot.commit for snapshot in taken] == list(git.refs(w.repo, f"{RUN}/unit").values())
    user_git(w.top, "fsck", "--connectivity-only", "--no-dangling")


def test_stores_opened_at_once_are_one(tmp_path: Path) -> None:
    repo = git.find(make_repo(tmp_path / "repo"))
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: git.open_store(repo), range(6)))
    assert len(set(stores)) == 1
    assert sorted(path.name for path in stores[0].path.parent.iterdir()) == ["private.git"]


def test_what_is_incomplete_gets_no_ref(tmp_path: Path) -> None:
    w = world(tmp_path)
    missing = "1" * 40
    text = f"tree {missing}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nbroken\n".encode()
    broken = user_git(w.store.path, "hash-object", "-t", "commit", "-w", "--stdin", input=text)
    with pytest.raises(Incomplete):
        git.keep(w.store, broken, f"{RUN}/broken")
    assert git.refs(w.repo, f"{RUN}/broken") == {}


def test_a_moved_ref_is_not_overwritten(tmp_path: Path) -> None:
    w = world(tmp_path)
    one = git.commit_files(w.store, parent=w.base, files={"1": b"1"}, message="1", at=AT, facts=w.facts)
    two = git.commit_files(w.store, parent=w.base, files={"2": b"2"}, message="2", at=AT, facts=w.facts)
    git.keep(w.store, one, f"{RUN}/x", expected=w.repo.zero)
    with pytest.raises(GitFailed):
        git.keep(w.store, two, f"{RUN}/x", expected=w.repo.zero)
    assert git.refs(w.repo, f"{RUN}/x") == {f"{RUN}/x": one}
    git.keep(w.store, one, f"{RUN}/x", expected=w.repo.zero)
    git.keep(w.store, two, f"{RUN}/x", expected=one)
    assert git.refs(w.repo, f"{RUN}/x") == {f"{RUN}/x": two}


def test_the_lock_of_the_run_is_inherited_by_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = world(tmp_path)
    program = tmp_path / "git-that-tells"
    program.write_text(f"#!/bin/sh\nls -l /proc/$$/fd > '{tmp_path}/seen'\nexec git \"$@\"\n")
    program.chmod(0o755)
    lock = (tmp_path / "run.lock").open("w")
    monkeypatch.setenv("ROPETEAM_GIT", str(program))
    with lock, git.holding(lock.fileno()):
        git.head(w.repo)
    assert "run.lock" in (tmp_path / "seen").read_text()
    git.head(w.repo)
    assert "run.lock" not in (tmp_path / "seen").read_text()


def test_a_full_disk_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = world(tmp_path)
    program = tmp_path / "git-on-a-full-disk"
    program.write_text(
        "#!/bin/sh\necho 'fatal: unable to write loose object file: No space left on device' >&2\nexit 128\n"
    )
    program.chmod(0o755)
    tree = w.tree()
    monkeypatch.setenv("ROPETEAM_GIT", str(program))
    with pytest.raises(OutOfSpace) as caught:
        w.snapshot(tree)
    assert caught.value.exit_code == 4
    assert tree.path.exists()
