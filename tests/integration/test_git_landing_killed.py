"""Landings that were killed: finished as if nothing had happened, or not touched where the user has gone on working."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from git_world import World, around, world

from repositories import commit_all, files_of, write_files
from ropeteam import git
from ropeteam.errors import LandingStopped

pytestmark = pytest.mark.usefixtures("users_home")

BEFORE = {
    "a.txt": "a\n" * 100,
    "b.txt": "b\n",
    "same.txt": "s\n",
    "gone/deep/g.txt": "g\n",
    "dir/x.txt": "x\n",
    "file": "f\n",
    "run.sh": "#!/bin/sh\n",
    "type": "t\n",
    ".gitattributes": "*.crlf text eol=crlf\n",
    "w.crlf": "1\r\n",
}
AFTER = {
    "a.txt": "agent\n" * 100,
    "b.txt": "agent\n",
    "dir": "now a file\n",
    "file/in/it.txt": "now a folder\n",
    "new/n.txt": "n\n" * 50,
    ".gitattributes": "*.crlf text eol=lf\n",
    "w.crlf": "2\n",
}
LAND_STEPS = ("files", "branch", "done")
REPAIR_STEPS = ("removed", "index", "written", "branch", "done")


def prepared(folder: Path) -> tuple[World, str]:
    w = world(folder, BEFORE)
    tree = w.tree()
    for name in ("gone/deep/g.txt", "dir/x.txt", "file", "type"):
        (tree.path / name).unlink()
    (tree.path / "dir").rmdir()
    write_files(tree.path, AFTER)
    (tree.path / "type").symlink_to("same.txt")
    (tree.path / "run.sh").chmod(0o755)
    write_files(w.top, {"loose.txt": "untracked\n"})
    return w, w.merged(w.snapshot(tree).commit)


def land_and_die(w: World, head: str, what: str, step: str) -> int:
    program = Path(__file__).with_name("git_land_and_die.py")
    argv = [sys.executable, str(program), str(w.top), head, w.base, what, step]
    return subprocess.run(argv, check=False, capture_output=True).returncode


def repair(w: World, head: str) -> git.LandResult:
    return git.repair_landing(w.store, head=head, onto=w.base, branch="main", facts=w.facts, feature="")


def assert_as_undisturbed(w: World, head: str, other: Path) -> None:
    """The checkout is what an undisturbed landing of the same result in a copy of the repository makes of it."""
    v, same = prepared(other)
    assert v.land(same).landed
    assert files_of(w.top) == files_of(v.top)
    assert w.git("ls-files", "-s") == v.git("ls-files", "-s")
    assert w.git("rev-parse", "HEAD", "main").split() == [head, head]
    assert w.git("status", "--porcelain") == "?? loose.txt"
    assert not (w.top / ".git" / "index.lock").exists()


@pytest.mark.parametrize("step", LAND_STEPS)
def test_killed_between_the_steps(tmp_path: Path, step: str) -> None:
    w, head = prepared(tmp_path / "one")
    assert land_and_die(w, head, "land", step) == -9
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")
    assert repair(w, head).landed


@pytest.mark.parametrize("step", REPAIR_STEPS)
def test_the_repair_is_killed_too(tmp_path: Path, step: str) -> None:
    w, head = prepared(tmp_path / "one")
    write_files(w.top, {"b.txt": "agent\n"})
    (w.top / "gone/deep/g.txt").unlink()
    assert land_and_die(w, head, "repair", step) == -9
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")


def killing_filter(home: Path, count: int) -> Path:
    """A smudge filter of the user's that kills the git which runs it, and that one's parent, at the n-th file."""
    script, calls = home / "killer.sh", home / "calls"
    script.write_text(
        f"""#!/bin/sh
echo x >> '{calls}'
if [ -f '{home}/armed' ] && [ "$(wc -l < '{calls}')" -eq {count} ]; then
    kill -9 "$(cut -d ' ' -f 4 /proc/$PPID/stat)" "$PPID"
fi
exec cat
"""
    )
    script.chmod(0o755)
    with (home / ".gitconfig").open("a") as file:
        file.write(f'[filter "killer"]\n\tclean = cat\n\tsmudge = {script}\n')
    return home / "armed"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the parent in /proc")
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_killed_in_the_middle_of_writing_files(tmp_path: Path, users_home: Path, count: int) -> None:
    armed = killing_filter(users_home, count)
    names = [f"{number}.k" for number in range(6)]
    w = world(tmp_path, {".gitattributes": "*.k filter=killer\n", **dict.fromkeys(names, "before\n")})
    head = w.result(dict.fromkeys(names, "after\n"))
    armed.write_text("")
    (users_home / "calls").write_text("")
    assert land_and_die(w, head, "land", "never") == -9
    armed.unlink()
    half = {name: (w.top / name).read_text() if (w.top / name).exists() else None for name in names}
    assert set(half.values()) >= {None}
    assert (w.top / ".git" / "index.lock").exists()
    assert repair(w, head).landed
    assert {(w.top / name).read_text() for name in names} == {"after\n"}
    assert w.git("status", "--porcelain") == ""
    assert w.git("rev-parse", "main") == head


def half_landed(folder: Path) -> tuple[World, str]:
    """As a git leaves it that was killed while it wrote `a.txt`: its lock, removed files, one torn."""
    w, head = prepared(folder)
    (w.top / ".git" / "index.lock").write_bytes(b"DIRC torn")
    for name in ("gone/deep/g.txt", "dir/x.txt", "file"):
        (w.top / name).unlink()
    for name in ("gone/deep", "gone", "dir"):
        (w.top / name).rmdir()
    write_files(w.top, {".gitattributes": AFTER[".gitattributes"], "a.txt": AFTER["a.txt"][:33]})
    return w, head


def test_one_torn_file_is_written_again(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path / "one")
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")


@pytest.mark.parametrize("edit", ["a.txt", "b.txt", "new/n.txt", "run.sh", "type", "dir"])
def test_what_the_user_wrote_in_between_stops_the_repair(tmp_path: Path, edit: str) -> None:
    w, head = half_landed(tmp_path)
    if edit == "type":
        (w.top / edit).unlink()
    write_files(w.top, {edit: "mine\n"})
    before = files_of(w.top)
    with pytest.raises(LandingStopped) as caught:
        repair(w, head)
    assert edit in caught.value.message
    assert head in caught.value.hint
    assert files_of(w.top) == before
    assert w.git("rev-parse", "main") == w.base


def test_several_incomplete_files_are_written_again(tmp_path: Path) -> None:
    """A git that has no room goes on to the next file, and leaves each empty or missing."""
    w, head = half_landed(tmp_path / "one")
    (w.top / "b.txt").write_text("")
    write_files(w.top, {"new/n.txt": ""})
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")


def test_edits_elsewhere_do_not_matter_and_stay(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path)
    write_files(w.top, {"same.txt": "mine\n", "mine.txt": "mine too\n"})
    (w.top / ".git" / "index.lock").unlink()
    w.git("add", "mine.txt")
    assert repair(w, head).landed
    assert (w.top / "same.txt").read_text() == "mine\n"
    assert w.git("status", "--porcelain").splitlines() == ["A  mine.txt", " M same.txt", "?? loose.txt"]


def test_staged_in_between_stops_the_repair(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path)
    (w.top / ".git" / "index.lock").unlink()
    w.git("update-index", "--cacheinfo", f"100644,{w.git('rev-parse', 'HEAD:same.txt')},b.txt")
    entries = w.git("ls-files", "-s")
    with pytest.raises(LandingStopped):
        repair(w, head)
    assert w.git("ls-files", "-s") == entries


def test_something_put_in_the_way_in_between_stops_the_repair(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path)
    write_files(w.top, {"dir/mine.txt": "in a folder that must become a file\n"})
    with pytest.raises(LandingStopped):
        repair(w, head)
    assert (w.top / "dir/mine.txt").exists()
    assert w.git("rev-parse", "main") == w.base


def test_a_folder_that_became_a_link_stops_the_repair(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path / "one")
    outside = tmp_path / "outside"
    write_files(outside, {"n.txt": "not ours\n"})
    (w.top / "new").symlink_to(outside)
    with pytest.raises(LandingStopped):
        repair(w, head)
    assert (outside / "n.txt").read_text() == "not ours\n"


def test_nothing_was_done_yet(tmp_path: Path) -> None:
    w, head = prepared(tmp_path / "one")
    (w.top / ".git" / "index.lock").write_bytes(b"")
    write_files(w.top, {"same.txt": "mine\n"})
    assert repair(w, head).reason == "dirty"
    w.git("checkout", "-q", "same.txt")
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")


def test_branch_moved_or_left_in_between(tmp_path: Path) -> None:
    w, head = prepared(tmp_path / "one")
    w.git("checkout", "-q", "-b", "other")
    assert repair(w, head).reason == "other_branch"
    w.git("checkout", "-q", "main")
    write_files(w.top, {"same.txt": "mine\n"})
    commit_all(w.top)
    assert repair(w, head).reason == "moved"
    v, head = half_landed(tmp_path / "two")
    (v.top / ".git" / "index.lock").unlink()
    v.git("symbolic-ref", "HEAD", "refs/heads/elsewhere")
    before = files_of(v.top)
    with pytest.raises(LandingStopped):
        repair(v, head)
    assert files_of(v.top) == before


def test_the_user_took_everything_back_in_between(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path / "one")
    (w.top / ".git" / "index.lock").unlink()
    w.git("reset", "-q", "--hard")
    assert repair(w, head).landed
    assert_as_undisturbed(w, head, tmp_path / "two")


def test_branch_moves_in_the_last_moment(tmp_path: Path) -> None:
    """The files are taken back when the branch cannot be moved any more."""
    w, head = prepared(tmp_path)
    files = files_of(w.top)

    def move(step: str) -> None:
        if step == "branch":
            other = w.git("commit-tree", "-p", "HEAD", "-m", "by the user", "HEAD^{tree}")
            w.git("update-ref", "refs/heads/main", other)

    result = git.land(w.store, head=head, onto=w.base, branch="main", facts=w.facts, feature="", progress=move)
    assert result.reason == "moved"
    assert files_of(w.top) == files
    assert w.git("status", "--porcelain") == "?? loose.txt"


def test_a_living_git_keeps_its_lock(tmp_path: Path) -> None:
    w, head = half_landed(tmp_path)
    lock = w.top / ".git" / "index.lock"
    with lock.open("ab"):
        with pytest.raises(Exception, match=r"lock|index"):
            repair(w, head)
        assert lock.exists()
    assert repair(w, head).landed


def test_copied_repository_lands_too(tmp_path: Path) -> None:
    """All times in the index are wrong after a copy: files must be read, not compared by time."""
    w, head = prepared(tmp_path / "one")
    shutil.copytree(w.top, tmp_path / "copy" / "repo", symlinks=True, copy_function=shutil.copy)
    v = around(tmp_path / "copy" / "repo", tmp_path / "copy")
    for path in BEFORE:
        os.utime(v.top / path, (5, 5))
    assert v.land(head).landed
    assert v.git("status", "--porcelain") == "?? loose.txt"


def test_line_ends_that_a_checkout_would_write_otherwise(tmp_path: Path) -> None:
    w = world(tmp_path, {".gitattributes": "*.crlf text eol=crlf\n", "a.crlf": "1\n", "b.crlf": "1\n", "c.txt": "1\n"})
    head = w.result({"a.crlf": "2\n", "b.crlf": "2\n", "c.txt": "2\n"})
    write_files(w.top, {"c.txt": "2\n"})
    assert repair(w, head).landed
    assert (w.top / "a.crlf").read_bytes() == b"2\r\n"
    assert w.git("status", "--porcelain") == ""
