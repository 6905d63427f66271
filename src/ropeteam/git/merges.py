"""Merges and commits in P's object store: no checkout, no hook, no driver of anybody's configuration."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ropeteam.core.model import RepoFacts
from ropeteam.git.calls import Git, full_disk, identity, joined
from ropeteam.git.merge_tree import three_way, tree_of
from ropeteam.git.resolving import resolve
from ropeteam.git.snapshots import commit_tree
from ropeteam.git.store import Store


@dataclass(frozen=True, slots=True)
class Merge:
    """commit: the result; None when there are conflicts. conflicts: the paths. united: paths whose conflicts were
    resolved by keeping the lines of both sides; only told of a merge without conflicts."""

    commit: str | None
    conflicts: tuple[str, ...] = ()
    united: tuple[str, ...] = ()


def merge(
    store: Store,
    *,
    onto: str,
    tip: str,
    base: str,
    message: str,
    at: float,
    facts: RepoFacts,
    union: Sequence[str] = (),
    given: Mapping[str, bytes] = MappingProxyType({}),
) -> Merge:
    """The changes base..tip as one commit on `onto`, dated `at`. Where they are in `onto` already, that is `onto`.

    union: gitignore-style patterns of files that are lists: where both sides changed the same lines of one, it gets the
    lines of both (never code, never what is no text, never where a side deleted or renamed it). given: contents of
    files that both sides changed, in place of what merging makes of them.
    """
    git = store.git.having(env=identity(facts, at))
    with full_disk():
        outcome = three_way(git, onto, tip, base)
        tree, conflicts, united = resolve(git, outcome, union=union, given=given)
        if conflicts:
            return Merge(None, conflicts)
        if tree == outcome.onto:
            return Merge(onto, united=united)
        return Merge(commit_tree(git, tree, onto, message.encode(errors="replace")), united=united)


def rebase(store: Store, *, head: str, base: str, onto: str, facts: RepoFacts) -> Merge:
    """Every commit of base..head anew on `onto`; messages, authors and dates stay. Stops at the first conflict."""
    if base == onto:
        return Merge(head)
    current = onto
    with full_disk():
        for commit in store.git.text("rev-list", "--reverse", "--first-parent", f"{base}..{head}").split():
            env, message = _read_commit(store.git, commit, facts)
            git = store.git.having(env=env)
            outcome = three_way(git, current, commit, f"{commit}^")
            if outcome.conflicts:
                return Merge(None, outcome.conflicts)
            if outcome.tree != outcome.onto:
                current = commit_tree(git, outcome.tree, current, message)
    return Merge(current)


def _read_commit(git: Git, commit: str, facts: RepoFacts) -> tuple[dict[str, str], bytes]:
    """Who and when of a commit as environment (the committer is the user), and its message."""
    headers, _, message = git.call("cat-file", "commit", commit).stdout.partition(b"\n\n")
    env: dict[str, str] = {}
    for line in headers.split(b"\n"):
        found = re.fullmatch(rb"(author|committer) (.*?) ?<(.*)> (-?\d+) ([+-]\d+)", line)
        if found is not None:
            role = found.group(1).decode().upper()
            parts = [os.fsdecode(part) for part in found.groups()[1:]]
            env |= {f"GIT_{role}_NAME": parts[0] or "unknown", f"GIT_{role}_EMAIL": parts[1]}
            env[f"GIT_{role}_DATE"] = f"@{parts[2]} {parts[3]}"
    env |= {"GIT_COMMITTER_NAME": facts.user_name, "GIT_COMMITTER_EMAIL": facts.user_email}
    return env, message


def commit_files(
    store: Store, *, parent: str, files: Mapping[str, bytes], message: str, at: float, facts: RepoFacts
) -> str:
    """A commit on `parent` with these files set (their modes stay); `parent` itself when they are so already."""
    with full_disk(), tempfile.TemporaryDirectory(prefix="ropeteam-") as folder:
        git = replace(store.git, index=Path(folder) / "index").having(env=identity(facts, at))
        git.call("read-tree", parent)
        entries = b""
        for path, content in files.items():
            blob = git.text("hash-object", "-w", "--stdin", "--no-filters", input=content)
            there = git.text("ls-tree", "--full-tree", parent, "--", path)
            mode = there[:6] if there.startswith("100") else "100644"
            entries += joined([f"{mode} {blob} 0\t{path}"])
        git.call("update-index", "--add", "--replace", "-z", "--index-info", input=entries)
        tree = git.text("write-tree")
        if tree == tree_of(git, parent):
            return parent
        return commit_tree(git, tree, parent, message.encode(errors="replace"))
