"""What an agent's own repository holds: read without git, since its configuration and hooks are the agent's.

Only regular files are opened, links are not followed: a planted pipe must not block us.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ropeteam.git.calls import Git

MOST_BYTES = 64_000_000  # of one file with refs or a log of refs
MOST_FILES = 20_000  # refs and logs that are looked at
NAME = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
HEADS = ("HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "AUTO_MERGE", "packed-refs")


@dataclass(frozen=True, slots=True)
class Found:
    """An agent's repository. tips: object names in its refs and logs. shallow: its history is cut off."""

    git_dir: Path
    objects: Path
    tips: frozenset[str]
    head: str | None
    shallow: bool


def look(place: Path, inside: Path) -> Found | None:
    """The repository whose work tree is `place`; None when there is none, or when it is not within `inside`."""
    git_dir = _git_dir(place)
    if git_dir is None or not _within(git_dir, inside):
        return None
    common = git_dir
    named = read(git_dir / "commondir")
    if named is not None:
        common = git_dir / os.fsdecode(named).strip()
        if not _within(common, inside):
            return None
    tips: set[str] = set()
    for path in _files(git_dir, common):
        content = read(path)
        if content is not None:
            tips.update(name.decode() for name in NAME.findall(content))
    shallow = read(common / "shallow") is not None
    return Found(git_dir, common / "objects", frozenset(tips), _head(git_dir, common), shallow)


def _git_dir(place: Path) -> Path | None:
    dot_git = place / ".git"
    try:
        mode = dot_git.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISDIR(mode):
        return dot_git
    content = read(dot_git) or b""
    return place / os.fsdecode(content[8:]).strip() if content.startswith(b"gitdir: ") else None


def _within(path: Path, inside: Path) -> bool:
    return path.resolve().is_relative_to(inside.resolve())


def _files(git_dir: Path, common: Path) -> Iterator[Path]:
    folders = {git_dir, common}
    worktrees = common / "worktrees"
    if worktrees.is_dir() and not worktrees.is_symlink():
        folders.update(path for path in worktrees.iterdir() if path.is_dir() and not path.is_symlink())
    count = 0
    for folder in sorted(folders):
        yield from (folder / name for name in HEADS)
        for part in ("refs", "logs"):
            if (folder / part).is_symlink():
                continue
            for inner, _, names in os.walk(folder / part):
                for name in names:
                    count += 1
                    if count <= MOST_FILES:
                        yield Path(inner, name)


def _head(git_dir: Path, common: Path) -> str | None:
    content = (read(git_dir / "HEAD") or b"").strip()
    for _ in range(5):
        if NAME.fullmatch(content):
            return content.decode()
        if not content.startswith(b"ref: refs/") or b".." in content:
            return None
        name = content[5:].strip()
        loose = read(git_dir / os.fsdecode(name)) or read(common / os.fsdecode(name))
        content = (loose or _packed(common, name)).strip()
    return None


def _packed(common: Path, name: bytes) -> bytes:
    for line in (read(common / "packed-refs") or b"").splitlines():
        oid, _, packed = line.partition(b" ")
        if packed == name:
            return oid
    return b""


def read(path: Path) -> bytes | None:
    """A regular file's content; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def own_commits(git: Git, tips: Sequence[str], held: bytes) -> list[str]:
    """Of `tips` those commits that no other of them holds and that are not held already (`held`: ^lines of rev-list).

    git: sees the agent's objects. Names that are no commits (a blob's, one that is gone) are passed over.
    """
    commits = [oid for oid, kind in _kinds(git, tips) if kind == "commit"]
    if not commits:
        return []
    wanted = "\n".join(commits).encode() + b"\n" + held
    done = git.call("rev-list", "--parents", "--stdin", input=wanted, ok=range(256))
    if done.returncode != 0:
        return commits
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    parents = {parent for row in rows for parent in row[1:]}
    return sorted({row[0] for row in rows} - parents)


def _kinds(git: Git, names: Sequence[str]) -> list[tuple[str, str]]:
    if not names:
        return []
    text = "\n".join(sorted(names)).encode() + b"\n"
    lines = git.call("cat-file", "--batch-check=%(objectname) %(objecttype)", input=text).stdout.decode().splitlines()
    return [(oid, kind) for oid, _, kind in (line.partition(" ") for line in lines)]
