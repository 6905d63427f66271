"""Was the user's checkout changed? What it was is remembered as its index and a few digests; git compares."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ropeteam.git.calls import Git
from ropeteam.git.repository import Repo, borrowed, checkout_config, refs_of

GONE = ""  # digest of a file that is not there


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Can be written as JSON: names that are not UTF-8 are escaped.

    head: symbolic name or commit. refs: branches, tags, stash. files: configuration, hooks and what else steers git,
    with digests. index, index_ns: a refreshed copy and its time. entries: digest of what is in the index. changed:
    tracked files that differed from the index, with digests."""

    head: str
    refs: dict[str, str]
    files: dict[str, str]
    index: bytes
    index_ns: int
    entries: str
    changed: dict[str, str]


def fingerprint(repo: Repo) -> Fingerprint:
    """What the checkout is now. Nothing of it is touched, and none of its filters runs."""
    with borrowed(repo) as git:
        index = git.git_dir / "index"
        changed = _changed(git)
        return Fingerprint(
            head=_head(repo),
            refs=_refs(repo),
            files=_files(repo),
            index=index.read_bytes() if index.is_file() else b"",
            index_ns=index.stat().st_mtime_ns if index.is_file() else 0,
            entries=_entries(git),
            changed=_digests(repo, changed),
        )


def compare_fingerprint(repo: Repo, before: Fingerprint) -> list[str]:
    """What has changed since, a sentence each; nothing for the checkout as it was. New untracked files do not count."""
    said: list[str] = []
    head = _head(repo)
    if head != before.head:
        said.append(f"HEAD was {before.head} and is {head}.")
    said += _differing("The ref", before.refs, _refs(repo))
    said += _differing("The file", before.files, _files(repo))
    with borrowed(repo) as git:
        if _entries(git) != before.entries:
            said.append("The index has other content (git add, reset or commit).")
    return said + _changed_files(repo, before)


def _changed_files(repo: Repo, before: Fingerprint) -> list[str]:
    """Tracked files beside the index of then. Those that differ are compared once more as the user's git would: a file
    that was only touched must be read with the user's line ends and filters."""
    different: list[str] = []
    now: dict[str, str] = {}
    for as_the_user in (False, True):
        with borrowed(repo, checkout_config(repo) if as_the_user else {}) as git:
            index = git.git_dir / "index"
            index.write_bytes(before.index)
            os.utime(index, ns=(before.index_ns, before.index_ns))
            now = _digests(repo, _changed(git))
        different = [path for path in sorted({*now, *before.changed}) if before.changed.get(path) != now.get(path)]
        if not different:
            break
    return [f"The tracked file {path} was {'removed' if now.get(path) == GONE else 'changed'}." for path in different]


def _digests(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    return {_name(path): _file_digest(repo.top / path) for path in paths}


def _name(path: str | Path) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _changed(git: Git) -> list[str]:
    """Tracked files that differ from the index. Each call looks at every file, so that one is made where none seems to
    differ; only where some do are they read, to see whether they were merely touched."""
    compared = ("diff-files", "--name-only", "-z", "--ignore-submodules=dirty")
    if not git.names(*compared):
        return []
    git.call("update-index", "-q", "--refresh", ok=(0, 1))
    return git.names(*compared)


def _entries(git: Git) -> str:
    return _digest(git.call("ls-files", "-s", "-z").stdout)


def _head(repo: Repo) -> str:
    symbolic = repo.git.call("symbolic-ref", "-q", "HEAD", ok=(0, 1))
    if symbolic.returncode == 0:
        return os.fsdecode(symbolic.stdout).strip()
    return repo.git.text("rev-parse", "HEAD")


def _refs(repo: Repo) -> dict[str, str]:
    """Without ours, and without remote branches: a fetch in the background is nobody's harm."""
    return {_name(ref): oid for ref, oid in refs_of(repo.git, "refs/heads/", "refs/tags/", "refs/stash").items()}


def _files(repo: Repo) -> dict[str, str]:
    common = repo.common_dir
    named = {
        common / "config",
        common / "config.worktree",
        repo.git_dir / "config.worktree",
        common / "info" / "attributes",
        common / "info" / "exclude",
        common / "info" / "grafts",
        common / "objects" / "info" / "alternates",
    }
    hooks = common / "hooks"
    if hooks.is_dir():
        named.update(path for path in hooks.iterdir() if not path.name.endswith(".sample"))
    found = {_name(path): _file_digest(path) for path in sorted(named)}
    return {path: digest for path, digest in found.items() if digest != GONE}


def _file_digest(path: Path) -> str:
    try:
        if path.is_symlink():
            return "link " + _digest(os.fsencode(path.readlink()))
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        return f"{mode} {_digest(path.read_bytes())}" if path.is_file() else GONE
    except OSError:
        return GONE


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _differing(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    said = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if old is None:
            said.append(f"{what} {name} is new.")
        elif new is None:
            said.append(f"{what} {name} is gone (it was {old[:14]}).")
        else:
            said.append(f"{what} {name} was changed ({old[:14]} to {new[:14]}).")
    return said
