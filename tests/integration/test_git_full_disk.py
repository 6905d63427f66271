"""A disk that is really full: said as such, nothing lost, and going on once there is room. Needs the right to mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_world import World, around

from repositories import files_of, make_repo, write_files
from ropeteam import git
from ropeteam.errors import OutOfSpace

pytestmark = pytest.mark.usefixtures("users_home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("cannot mount a small disk here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def make_room(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=40m", str(place)], check=True)


def small_world(small_disk: Path, tmp_path: Path) -> World:
    """The user's repository is on the small disk, the trees are not."""
    top = make_repo(small_disk / "repo", {"a.txt": "a\n", "z.txt": "z\n", "gone.txt": "g\n"})
    return around(top, tmp_path / "cache")


def test_landing(small_disk: Path, tmp_path: Path) -> None:
    w = small_world(small_disk, tmp_path)
    head = w.result({"a.txt": "agent\n", "big.txt": "0" * 6_000_000, "z.txt": "agent\n", "gone.txt": None})
    before = files_of(w.top)
    with pytest.raises(OutOfSpace):
        w.land(head)
    assert files_of(w.top) == before
    assert w.git("status", "--porcelain") == ""
    make_room(small_disk)
    done = git.repair_landing(w.store, head=head, onto=w.base, branch="main", facts=w.facts, feature="")
    assert done.landed
    assert w.git("status", "--porcelain") == ""
    assert (w.top / "big.txt").stat().st_size == 6_000_000


def test_snapshot(small_disk: Path, tmp_path: Path) -> None:
    w = small_world(small_disk, tmp_path)
    tree = w.tree()
    write_files(tree.path, {"random.bin": os.urandom(6_000_000)})
    with pytest.raises(OutOfSpace):
        w.snapshot(tree)
    w.git("fsck", "--connectivity-only", "--no-dangling")
    make_room(small_disk)
    assert [change.path for change in w.snapshot(tree).changes] == ["random.bin"]


def test_tree(small_disk: Path, tmp_path: Path) -> None:
    top = make_repo(tmp_path / "repo", {"big.txt": "0" * 6_000_000})
    w = around(top, small_disk)
    with pytest.raises(OutOfSpace):
        w.tree()
    assert not [path for path in (small_disk / "trees").iterdir() if path.is_dir()]
    make_room(small_disk)
    assert files_of(w.tree().path) == files_of(top)
