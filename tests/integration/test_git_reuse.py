"""A tree that is used once more is the same as a new one, whatever was done to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from git_world import AT, World, world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hostile import as_text, hostile_config
from repositories import git as run_git
from ropeteam import git
from ropeteam.git.reuse import Doubtful, reuse_tree

FILES: dict[str, str | bytes] = {
    **{f"src/{n}/mod{n}.py": f"x = {n}\n" * 5 for n in range(6)},
    "run.sh": "#!/bin/sh\n",
    "deep/er/est/file.txt": "deep\n",
    ".gitignore": "*.log\nbuild/\n",
    ".gitattributes": "*.crlf text eol=crlf\n",
    "win.crlf": "a\nb\n",
    "ümlaut.txt": "ü\n",
    "README.md": "read me\n",
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = world(tmp_path_factory.mktemp("reuse"), FILES)
    (made.top / "run.sh").chmod(0o755)
    (made.top / "link").symlink_to("README.md")
    run_git(made.top, "add", "-A")
    run_git(made.top, "commit", "-q", "-m", "modes and a link")
    return _again(made)


def _again(w: World) -> World:
    w.facts = git.facts(w.repo)
    git.keep(w.store, w.facts.base, "refs/ropeteam/run-1/base2")
    return w


def later(w: World) -> str:
    """A commit that changes, adds and removes files, and puts a folder where a file was."""
    files = {"src/1/mod1.py": b"changed = 1\n", "new/file.py": b"new\n", "README.md/inner.txt": b"now a folder\n"}
    without = git.commit_files(
        w.store, parent=w.base, files={"src/2/mod2.py": None, "README.md": None}, message="m", at=AT, facts=w.facts
    )
    return git.commit_files(w.store, parent=without, files=files, message="m", at=AT, facts=w.facts)


def all_of(tree: git.Tree) -> dict[bytes, tuple[int, bytes]]:
    """Mode and content of everything in a tree, folders and `.git` included, but for the index, which holds times."""
    found: dict[bytes, tuple[int, bytes]] = {}
    for folder, folders, names in os.walk(os.fsencode(tree.path)):
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if os.path.islink(path):
                content = os.readlink(path)
            else:
                content = b"" if os.path.isdir(path) else Path(os.fsdecode(path)).read_bytes()
            found[os.path.relpath(path, os.fsencode(tree.path))] = (mode, content)
    index = found.pop(b".git/index")
    return found | {b"the index": (index[0], run_git(tree.path, "ls-files", "-s").encode())}


def aged(tree: git.Tree) -> git.Tree:
    """As if it had been sealed a second later: else everything in so small a tree would be in doubt."""
    note = tree.index.with_name(f"{tree.index.name}.sealed")
    at = note.stat().st_mtime_ns + 1_000_000_000
    os.utime(note, ns=(at, at))
    return tree


# ---- what an agent may have done


def same_size(top: Path) -> None:
    path = top / "src/1/mod1.py"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"1", b"7"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(top: Path) -> None:
    path = top / "src/3/mod3.py"
    before, content = path.stat(), path.read_bytes().replace(b"3", b"8")
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped(top: Path) -> None:
    one, other = top / "src/4/mod4.py", top / "src/5/mod5.py"
    times = {path: path.stat() for path in (one, other)}
    one.rename(top / "x")
    other.rename(one)
    (top / "x").rename(other)
    for path, found in times.items():
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def modes(top: Path) -> None:
    (top / "run.sh").chmod(0o644)
    (top / "win.crlf").chmod(0o777)
    (top / "src").chmod(0o2777)
    top.chmod(0o700)


def read_only(top: Path) -> None:
    (top / "deep/er/extra").write_text("x")
    (top / "deep/er").chmod(0o500)
    (top / "deep").chmod(0o000)


def linked_folder(top: Path) -> None:
    shutil.copytree(top / "src/2", top.parent / f"{top.name}-outside", dirs_exist_ok=True)
    shutil.rmtree(top / "src/2")
    (top / "src/2").symlink_to(top.parent / f"{top.name}-outside")


def linked_file(top: Path) -> None:
    (top / "win.crlf").unlink()
    (top / "win.crlf").symlink_to("/etc/hostname")


def hard_linked(top: Path) -> None:
    os.link(top / "src/0/mod0.py", top.parent / f"{top.name}-hard")


def nested(top: Path) -> None:
    for place in (top / "src/0", top / "other", top / "build/ignored"):
        place.mkdir(parents=True, exist_ok=True)
        run_git(place, "init", "-q")
        (place / "inner.txt").write_text("inner")


def odd_names(top: Path) -> None:
    for name in (b"new\nline", b"\xff\xfe", b" ", b"-rf", b"a\\b"):
        Path(os.fsdecode(os.fsencode(top) + b"/" + name)).write_text("x")
    Path(os.fsdecode(os.fsencode(top) + b"/dir\n\xff")).mkdir()


def ignored(top: Path) -> None:
    (top / "x.log").write_text("log")
    (top / "build/a/b").mkdir(parents=True)
    (top / "build/a/b/c").write_text("c")
    (top / "src/0/empty").mkdir()


def file_for_folder(top: Path) -> None:
    shutil.rmtree(top / "src")
    (top / "src").write_text("a file now")


def git_is_a_file(top: Path) -> None:
    shutil.rmtree(top / ".git")
    (top / ".git").write_text("gitdir: /tmp\n")


def git_is_a_link(top: Path) -> None:
    (top / ".git").rename(top / "moved")
    (top / ".git").symlink_to(top / "moved")


def git_is_gone(top: Path) -> None:
    shutil.rmtree(top / ".git")


def hostile(top: Path) -> None:
    (top.parent / "canaries").mkdir(exist_ok=True)
    with (top / ".git/config").open("a") as file:
        file.write(as_text(hostile_config(top.parent, "reuse")))
    (top / ".git/info/attributes").write_text("* filter=evil\n")


def attributes(top: Path) -> None:
    (top / ".gitattributes").write_text("* text eol=crlf ident\n")
    (top / "src/.gitattributes").write_text("* text eol=crlf\n")


def pipes(top: Path) -> None:
    os.mkfifo(top / "pipe")
    (top / ".gitignore").unlink()
    os.mkfifo(top / ".gitignore")


def rights(top: Path) -> None:
    os.setxattr(top / "run.sh", "user.x", b"1")


def committed(top: Path) -> None:
    run_git(top, "add", "-A", "-f")
    run_git(top, "commit", "-q", "--allow-empty", "-m", "mine")
    run_git(top, "checkout", "-q", "-b", "other")


DEEDS: list[Callable[[Path], None]] = [
    same_size,
    replaced,
    swapped,
    modes,
    linked_folder,
    linked_file,
    hard_linked,
    nested,
    odd_names,
    ignored,
    attributes,
    pipes,
    rights,
    hostile,
    read_only,
    file_for_folder,
    git_is_a_file,
    git_is_a_link,
    git_is_gone,
    committed,
]


def used_again(w: World, old: git.Tree, commit: str) -> git.Tree:
    w.count += 1
    place = w.folder / "trees" / f"again{w.count}"
    return reuse_tree(w.store, old, place, commit, w.facts, index=place.with_suffix(".index"))


def is_as_new(w: World, tree: git.Tree, commit: str) -> None:
    new = w.tree(commit)
    assert all_of(tree) == all_of(new)
    assert {what: tree.noted(what) for what in ("copied", "gitlinks", "refs", "overlay")} == {  # type: ignore[arg-type]
        what: new.noted(what)  # type: ignore[arg-type]
        for what in ("copied", "gitlinks", "refs", "overlay")
    }
    assert w.snapshot(tree, f"u{w.count}/1", start=commit).changes == ()
    assert run_git(tree.path, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("where", ["same", "later"])
def test_one_deed(w: World, deed: Callable[[Path], None], where: str) -> None:
    old = aged(w.tree())
    deed(old.path)
    commit = w.base if where == "same" else later(w)
    tree = used_again(w, old, commit)
    is_as_new(w, tree, commit)
    assert not old.path.exists()
    assert list(old.index.parent.glob(f"{old.index.name}*")) == []
    assert not list((w.folder / "trees/canaries").glob("*"))


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,), derandomize=True
)
@given(data=st.data())
def test_many_deeds_and_many_times(w: World, data: st.DataObject) -> None:
    tree = aged(w.tree())
    for _ in range(data.draw(st.integers(1, 3))):
        for deed in data.draw(st.lists(st.sampled_from(DEEDS), max_size=4)):
            try:
                deed(tree.path)
            except (OSError, AssertionError):
                continue  # what an earlier one left does not let it
        commit = data.draw(st.sampled_from([w.base, later(w)]))
        tree = aged(used_again(w, tree, commit))
        is_as_new(w, tree, commit)


def test_what_was_not_touched_is_not_written_again(w: World) -> None:
    old = aged(w.tree())
    before = {path: (old.path / path).stat() for path in ("src/0/mod0.py", "src/1/mod1.py", "win.crlf")}
    same_size(old.path)
    tree = used_again(w, old, w.base)
    after = {path: (tree.path / path).stat() for path in before}
    assert [path for path in before if before[path].st_ctime_ns == after[path].st_ctime_ns] == [
        "src/0/mod0.py",
        "win.crlf",
    ]


def test_what_came_with_the_sealing_is_in_doubt(w: World) -> None:
    """A change in the very tick of the clock in which the file was written could not be told by its time."""
    old = w.tree()
    note = old.index.with_name(f"{old.index.name}.sealed")
    at = (old.path / "src/0/mod0.py").stat().st_ctime_ns
    os.utime(note, ns=(at, at))
    tree = used_again(w, old, w.base)
    assert (tree.path / "src/0/mod0.py").stat().st_ctime_ns > at
    is_as_new(w, tree, w.base)


@pytest.fixture
def somebody(w: World) -> Iterator[Callable[[Path], None]]:
    children: list[subprocess.Popen[bytes]] = []

    def begin(place: Path) -> None:
        program = [sys.executable, "-c", "print(flush=True); input()"]
        child = subprocess.Popen(program, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout is not None
        child.stdout.readline()

    yield begin
    for child in children:
        child.communicate(b"\n")


def test_a_tree_in_which_somebody_is_at_work_is_left_alone(w: World, somebody: Callable[[Path], None]) -> None:
    old = aged(w.tree())
    somebody(old.path / "src")
    with pytest.raises(Doubtful, match="at work"):
        used_again(w, old, w.base)
    assert (old.path / "README.md").read_text() == "read me\n"
    assert old.made.is_file()


def doubtful(w: World, old: git.Tree, commit: str | None = None) -> str:
    with pytest.raises(Doubtful) as raised:
        used_again(w, old, commit or w.base)
    assert not (w.folder / "trees" / f"again{w.count}").exists()
    return str(raised.value)


def test_other_line_ends_need_a_new_tree(w: World) -> None:
    other = git.commit_files(
        w.store, parent=w.base, files={"src/.gitattributes": b"* text eol=crlf\n"}, message="m", at=AT, facts=w.facts
    )
    assert "look different" in doubtful(w, aged(w.tree()), other)


def test_an_unfinished_tree_and_one_whose_work_is_not_all_kept_are_not_used(w: World) -> None:
    half = w.tree()
    half.index.with_name(f"{half.index.name}.sealed").unlink()
    assert "made to its end" in doubtful(w, half)
    unkept = aged(w.tree())
    unkept.note("unkept", ["Not in the snapshot: x"])
    assert "made to its end" in doubtful(w, unkept)


def test_folders_with_rights_of_their_own_need_a_new_tree(w: World) -> None:
    old = aged(w.tree())
    os.setxattr(old.path / "src", "user.x", b"1")
    assert "rights of its own" in doubtful(w, old)


def test_another_umask_needs_a_new_tree(w: World) -> None:
    old = aged(w.tree())
    before = os.umask(0o077)
    try:
        assert "another mode" in doubtful(w, old)
    finally:
        os.umask(before)


# ---- the pool


def pool(w: World, name: str) -> git.Pool:
    folder = w.folder / f"{name}-{time.monotonic_ns()}"
    folder.mkdir()
    return git.Pool(w.store, folder, w.facts, "plain", few=1)


def placed(pool: git.Pool, name: str, commit: str) -> git.Tree:
    folder: Path = pool._folder / name
    return pool.make(folder / "tree", commit, index=folder / "index")


def test_an_attempts_tree_is_used_only_when_its_snapshot_is_held(w: World) -> None:
    trees = pool(w, "pool")
    first = placed(trees, "a", w.base)
    (first.path / "mine.py").write_text("mine\n")
    taken = w.snapshot(first, "pool-a/1")
    trees.give_up(first, ref="refs/ropeteam/run-1/pool-a/1", commit=w.base)
    second = placed(trees, "b", w.base)
    assert (first.path / "mine.py").exists(), "the ref holds something else"
    trees.give_up(second, ref="refs/ropeteam/run-1/pool-b/1", commit=w.base)
    placed(trees, "c", w.base)
    assert second.path.exists(), "there is no such ref"
    again = git.Pool(w.store, trees._folder, w.facts, "plain", few=1)
    again.give_up(first, ref="refs/ropeteam/run-1/pool-a/1", commit=taken.commit)
    is_as_new(w, placed(again, "d", w.base), w.base)
    assert not first.path.exists()
    again.give_up(first, ref="refs/ropeteam/run-1/pool-a/1", commit=taken.commit)
    is_as_new(w, placed(again, "e", later(w)), later(w))


def test_one_tree_goes_from_validation_to_validation(w: World) -> None:
    trees = pool(w, "checks")
    tree = placed(trees, "check-0", w.base)
    for number in range(1, 4):
        (tree.path / "build").mkdir()
        (tree.path / "build/left.o").write_text("left")
        trees.give_back(tree)
        assert not tree.path.exists()
        assert len(list((trees._folder / "spare").iterdir())) == 1
        commit = later(w) if number % 2 else w.base
        tree = placed(trees, f"check-{number}", commit)
        assert list((trees._folder / "spare").iterdir()) == []
        is_as_new(w, tree, commit)
    trees.give_back(tree)
    another = git.Pool(w.store, trees._folder, w.facts, "plain", few=1)  # the next orchestrator finds it
    is_as_new(w, placed(another, "check-9", w.base), w.base)
    another.close()
    assert not (trees._folder / "spare").exists()


def test_only_one_is_kept_for_validations(w: World) -> None:
    trees = pool(w, "one")
    made = [placed(trees, f"c{number}", w.base) for number in range(3)]
    for tree in made:
        trees.give_back(tree)
    assert len(list((trees._folder / "spare").iterdir())) == 1
    assert not any(tree.path.exists() for tree in made)
