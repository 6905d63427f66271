"""Was the user's checkout changed? Every way in which it can be is seen; touching is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from git_world import World, world

from repositories import write_files
from ropeteam import git
from ropeteam.context import CheckoutLook
from ropeteam.errors import GitFailed

pytestmark = pytest.mark.usefixtures("users_home")

FILES = {"a.txt": "a\n", "b.txt": "b\n", "x.sh": "x\n", "d/c.txt": "c\n", "odd \udcff": "o\n"}


def touched(w: World) -> None:
    for path in FILES:
        os.utime(w.top / path, (3, 3))
    w.git("status")  # writes the index anew
    write_files(w.top, {"loose.txt": "untracked", "a.txt": "a\n"})
    w.git("update-ref", "refs/remotes/origin/main", "HEAD")
    w.git("update-ref", "refs/ropeteam/other/x", "HEAD")


def kept_time(w: World) -> None:
    stat = (w.top / "a.txt").stat()
    write_files(w.top, {"a.txt": "b\n"})
    os.utime(w.top / "a.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))


def linked(w: World) -> None:
    (w.top / "a.txt").unlink()
    (w.top / "a.txt").symlink_to("b.txt")


CHANGES: dict[str, tuple[Callable[[World], object], str]] = {
    "content": (lambda w: write_files(w.top, {"a.txt": "changed\n"}), "The tracked file a.txt was changed."),
    "same time and size": (kept_time, "The tracked file a.txt was changed."),
    "removed": (lambda w: (w.top / "d/c.txt").unlink(), "The tracked file d/c.txt was removed."),
    "mode": (lambda w: (w.top / "x.sh").chmod(0o755), "The tracked file x.sh was changed."),
    "link": (linked, "The tracked file a.txt was changed."),
    "not UTF-8": (lambda w: (w.top / "odd \udcff").unlink(), r"The tracked file odd \xff was removed."),
    "branch": (lambda w: w.git("branch", "-f", "side", "HEAD"), "The ref refs/heads/side is new."),
    "checkout": (lambda w: w.git("checkout", "-q", "--detach"), "HEAD was refs/heads/main"),
    "stash": (
        lambda w: w.git("update-ref", "refs/stash", "HEAD"),
        "The ref refs/stash is new.",
    ),
    "configuration": (lambda w: w.git("config", "core.fsmonitor", "evil"), ".git/config was changed"),
    "hook": (lambda w: write_files(w.top, {".git/hooks/pre-commit": "#!/bin/sh\n"}), "hooks/pre-commit is new."),
    "attributes": (lambda w: write_files(w.top, {".git/info/attributes": "* -text\n"}), "info/attributes is new."),
    "index": (lambda w: w.git("rm", "-q", "--cached", "a.txt"), "The index has other content"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(tmp_path: Path, name: str) -> None:
    w = world(tmp_path, FILES)
    before = git.fingerprint(w.repo)
    change, said = CHANGES[name]
    change(w)
    found = git.compare_fingerprint(w.repo, before)
    assert any(said in sentence for sentence in found), found


def test_touching_is_no_change(tmp_path: Path) -> None:
    w = world(tmp_path, FILES)
    before = git.fingerprint(w.repo)
    assert git.compare_fingerprint(w.repo, before) == []
    touched(w)
    assert git.compare_fingerprint(w.repo, before) == []


def test_what_was_changed_before_counts_only_when_it_changes_again(tmp_path: Path) -> None:
    w = world(tmp_path, FILES)
    write_files(w.top, {"a.txt": "being edited\n", "b.txt": "being edited\n"})
    before = git.fingerprint(w.repo)
    assert git.compare_fingerprint(w.repo, before) == []
    write_files(w.top, {"a.txt": "edited more\n"})
    w.git("checkout", "-q", "b.txt")
    assert git.compare_fingerprint(w.repo, before) == [
        "The tracked file a.txt was changed.",
        "The tracked file b.txt was changed.",
    ]


def test_line_ends_of_the_user_are_no_change(tmp_path: Path, users_home: Path) -> None:
    with (users_home / ".gitconfig").open("a") as file:
        file.write("[core]\n\tautocrlf = true\n")
    w = world(tmp_path, FILES)
    for path in ("a.txt", "b.txt"):
        (w.top / path).unlink()
    w.git("-c", "core.autocrlf=true", "checkout", "-q", "a.txt", "b.txt")
    before = git.fingerprint(w.repo)
    os.utime(w.top / "a.txt", (3, 3))
    assert git.compare_fingerprint(w.repo, before) == []


def test_it_can_be_written_down(tmp_path: Path) -> None:
    w = world(tmp_path, FILES)
    write_files(w.top, {"odd \udcff": "changed\n"})
    before = git.fingerprint(w.repo)
    text = msgspec.json.encode(before)
    assert git.compare_fingerprint(w.repo, msgspec.json.decode(text, type=git.Fingerprint)) == []


def test_those_that_begin_together_look_once_and_later_ones_again(tmp_path: Path) -> None:
    w = world(tmp_path, FILES)

    async def looks() -> list[bytes]:
        look = CheckoutLook(w.repo)
        one, other = await asyncio.gather(look.now(), look.now())
        write_files(w.top, {"a.txt": "changed\n"})
        return [one, other, await look.now()]

    one, other, later = asyncio.run(looks())
    assert one is other
    before, after = (msgspec.json.decode(seen, type=git.Fingerprint) for seen in (one, later))
    assert (before.changed, list(after.changed)) == ({}, ["a.txt"])


def test_a_look_that_fails_is_made_again(tmp_path: Path) -> None:
    w = world(tmp_path, FILES)

    async def looks() -> bytes:
        look = CheckoutLook(w.repo)
        (w.top / ".git" / "HEAD").rename(tmp_path / "HEAD")
        with pytest.raises(GitFailed):
            await look.now()
        (tmp_path / "HEAD").rename(w.top / ".git" / "HEAD")
        return await look.now()

    assert msgspec.json.decode(asyncio.run(looks()), type=git.Fingerprint).changed == {}
