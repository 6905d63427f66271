"""Trees that are overlays: as a plain one for everybody who works in them, mounted again when needed, never left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_world import AT, World, world

from repositories import files_of
from repositories import git as run_git
from ropeteam import git, process, sandbox
from ropeteam.git import mounts

FILES = {**{f"src/{n}/mod{n}.py": f"x = {n}\n" for n in range(5)}, ".gitignore": "*.log\n", "README.md": "read me\n"}


def mounted(folder: Path) -> list[str]:
    return [place for place in mounts._ours() if place.startswith(os.fspath(folder))]


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    if why := mounts.problem(tmp_path):
        pytest.skip(why)
    yield world(tmp_path, FILES)
    left = mounted(tmp_path)
    mounts.unmount_below(tmp_path)
    assert left == [] or all(Path(place).name == "tree" for place in left)


def pool(w: World) -> git.Pool:
    return git.Pool(w.store, w.folder / "run 1, a:b", w.facts, "overlay")


def make(w: World, name: str, commit: str | None = None) -> git.Tree:
    folder = w.folder / "run 1, a:b" / name
    return pool(w).make(folder / "tree", commit or w.base, index=folder / "index")


def snapshot(w: World, tree: git.Tree, name: str = "single/1") -> git.Snapshot:
    return w.snapshot(tree, name)


def test_it_looks_like_a_plain_tree(w: World) -> None:
    other = git.commit_files(
        w.store, parent=w.base, files={"src/1/mod1.py": b"y\n", "README.md": None}, message="m", at=AT, facts=w.facts
    )
    for commit in (w.base, other):
        tree = make(w, commit[:6], commit)
        assert mounts.is_mounted(tree.path)
        plain = w.tree(commit)
        assert files_of(tree.path) == files_of(plain.path)
        assert run_git(tree.path, "status", "--porcelain") == ""
        assert run_git(tree.path, "log", "--format=%H", "-1") == commit
        assert w.snapshot(tree, f"{commit[:6]}/1", start=commit).changes == ()


def test_what_is_done_in_one_is_in_its_snapshot_and_nowhere_else(w: World) -> None:
    first, second = make(w, "a"), make(w, "b")
    before = files_of(second.path)
    path = first.path / "src/1/mod1.py"
    times = path.stat()
    path.write_text("x = 7\n")  # as long as before, and with the same time
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    run_git(first.path, "mv", "src/2", "moved")
    (first.path / "src/3/mod3.py").unlink()
    (first.path / "src/4/mod4.py").chmod(0o755)
    (first.path / "new.log").write_text("ignored")
    taken = snapshot(w, first)
    assert [(change.path, change.kind) for change in taken.changes] == [
        ("moved/mod2.py", "created"),
        ("src/1/mod1.py", "modified"),
        ("src/2/mod2.py", "deleted"),
        ("src/3/mod3.py", "deleted"),
        ("src/4/mod4.py", "modified"),
    ]
    assert taken.ignored == ("new.log",)
    assert files_of(second.path) == before
    assert files_of(make(w, "c").path) == before


def test_after_a_reboot_it_is_mounted_again_with_all_that_was_done(w: World) -> None:
    tree = make(w, "a")
    (tree.path / "mine.py").write_text("mine\n")
    mounts.unmount_below(tree.path)
    assert list(tree.path.iterdir()) == []
    again = git.open_tree(tree.path, tree.index)
    assert (again.path / "mine.py").read_text() == "mine\n"
    mounts.unmount_below(tree.path)
    taken = snapshot(w, tree)  # whoever held on to it meanwhile
    assert [change.path for change in taken.changes] == ["mine.py"]
    mounts.unmount_below(tree.path)
    assert make(w, "a") == tree
    assert (tree.path / "mine.py").exists()


def test_one_that_cannot_be_mounted_again_is_never_taken_for_an_empty_tree(w: World) -> None:
    tree = make(w, "a")
    (tree.path / "mine.py").write_text("mine\n")
    mounts.unmount_below(tree.path)
    below = w.folder / "run 1, a:b/pristine"
    below.rename(w.folder / "elsewhere")
    with pytest.raises(git.NotMounted, match="is gone") as raised:
        git.open_tree(tree.path, tree.index)
    assert "index.overlay-" in raised.value.hint
    with pytest.raises(git.NotMounted):
        snapshot(w, tree)
    assert make(w, "a") == tree, "what it is over was made once more"
    assert [change.path for change in snapshot(w, tree).changes] == ["mine.py"]


def test_removed_it_leaves_neither_mount_nor_file(w: World) -> None:
    tree = make(w, "a")
    (tree.path / "mine.py").write_text("mine\n")
    snapshot(w, tree)
    git.remove_tree(w.store, tree, snapshot_of="refs/ropeteam/run-1/single/1")
    assert mounted(w.folder) == []
    assert list((w.folder / "run 1, a:b/a").iterdir()) == []
    git.remove_tree(w.store, tree, snapshot_of="refs/ropeteam/run-1/single/1")


def test_erasing_the_runs_folder_unmounts_first(w: World) -> None:
    trees = [make(w, name) for name in "ab"]
    with (trees[0].path / "README.md").open():  # something still reads in it
        git.erase(w.folder / "run 1, a:b")
    assert mounted(w.folder) == []
    assert not (w.folder / "run 1, a:b").exists()


def test_a_mount_that_fails_leaves_nothing_and_a_plain_tree_is_made(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = pool(w)
    assert trees.method() == "overlay"
    bin_folder = w.folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "mount").write_text("#!/bin/sh\necho no such luck >&2\nexit 32\n")
    (bin_folder / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    folder = w.folder / "run 1, a:b/a"
    tree = trees.make(folder / "tree", w.base, index=folder / "index")
    assert not mounts.is_mounted(tree.path)
    assert files_of(tree.path) == files_of(w.tree().path)
    assert list(folder.glob("index.overlay*")) == []
    assert "no such luck" in mounts.problem(w.folder)


def test_a_half_made_one_is_made_again(w: World) -> None:
    """As an orchestrator leaves it that was killed after the mount and before the end."""
    tree = make(w, "a")
    (tree.path / "src/0/mod0.py").unlink()
    for what in ("sealed", "made"):
        tree.index.with_name(f"index.{what}").unlink()
    tree.index.unlink()
    again = make(w, "a")
    assert files_of(again.path) == files_of(w.tree().path)
    assert mounted(w.folder) == [os.fspath(tree.path)]
    assert len(list(tree.index.parent.glob("index.overlay-*"))) == 1


def test_in_the_sandbox(w: World) -> None:
    found = sandbox.available()
    if not found.ok:
        pytest.skip(found.why)
    tree = make(w, "a")
    at = w.folder / "at"
    at.mkdir()
    policy = sandbox.Policy(tree=tree.path, at=at, home=w.folder / "home", hidden=(w.top,))
    script = f"test $(pwd) = {at} && echo new > new.py && git mv src/1 moved && cat README.md && rm src/0/mod0.py"
    done = process.run([*sandbox.prefix(policy, found.path), "sh", "-c", script], cwd=tree.path)
    assert (done.returncode, done.stdout) == (0, b"read me\n"), done.stderr
    changes = snapshot(w, tree).changes
    assert [change.path for change in changes] == ["moved/mod1.py", "new.py", "src/0/mod0.py", "src/1/mod1.py"]


def test_what_is_left_working_in_it_is_found(w: World) -> None:
    tree = make(w, "a")
    assert not process.works_in(tree.path)
    child = subprocess.Popen(["sleep", "300"], cwd=tree.path / "src", start_new_session=True)
    try:
        assert process.works_in(tree.path)
        assert process.sweep(tree.path) == [child.pid]
    finally:
        child.kill()
        child.wait()


def test_dependencies_and_pipes(w: World) -> None:
    (w.top / ".git/info").mkdir(exist_ok=True)
    (w.top / ".git/info/exclude").write_text("node_modules\n")
    (w.top / "node_modules/x").mkdir(parents=True)
    (w.top / "node_modules/x/index.js").write_text("x")
    tree = make(w, "a")
    assert git.copy_untracked(w.store, tree, ["node_modules"]) == ()
    assert (tree.path / "node_modules/x/index.js").read_text() == "x"
    assert list((tree.path / ".git").glob("*.copy")) == []
    (tree.path / ".gitignore").unlink()
    os.mkfifo(tree.path / ".gitignore")
    taken = snapshot(w, tree)
    assert [change.path for change in taken.changes] == [".gitignore"]
    assert "moved out of the tree" in taken.problems[0]


def test_a_validations_overlay_is_not_kept(w: World) -> None:
    trees = pool(w)
    folder = w.folder / "run 1, a:b/check"
    tree = trees.make(folder / "tree", w.base, index=folder / "index")
    trees.give_back(tree)
    assert mounted(w.folder) == []


@pytest.mark.parametrize(("wanted", "files", "method"), [("auto", 10, "plain"), ("plain", 10, "plain")])
def test_small_repositories_stay_simple(w: World, wanted: str, files: int, method: str) -> None:
    assert files < git.MANY_FILES
    assert git.Pool(w.store, w.folder / "p", w.facts, wanted).method() == method  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_large_repository_gets_overlays(tmp_path: Path) -> None:
    if why := mounts.problem(tmp_path):
        pytest.skip(why)
    w = world(tmp_path, {f"d{n % 50}/{n}.txt": f"{n}\n" for n in range(git.MANY_FILES)})
    trees = git.Pool(w.store, tmp_path / "run", w.facts, "auto")
    assert trees.method() == "overlay"
    tree = trees.make(tmp_path / "run/a/tree", w.base, index=tmp_path / "run/a/index")
    try:
        assert mounts.is_mounted(tree.path)
        assert w.snapshot(tree).changes == ()
    finally:
        git.erase(tmp_path / "run")
    assert mounted(tmp_path) == []
