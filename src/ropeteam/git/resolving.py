"""What of a merge's conflicts is resolved without an agent: lists by union, and files whose content is given."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ropeteam.core.paths import is_code
from ropeteam.git.calls import Git, joined
from ropeteam.git.merge_tree import Entry, Outcome

POINTER = b"version https://git-lfs."  # a file of LFS: one object name, no list


def resolve(
    git: Git, outcome: Outcome, *, union: Sequence[str], given: Mapping[str, bytes]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """(tree, conflicts that are left, paths merged by union).

    union: gitignore-style patterns of files that are lists; never code, whatever they say. given: the content of files
    that both sides changed, in place of what merging makes of it, whether or not they are in conflict.
    """
    blobs = {
        path: git.text("hash-object", "-w", "--stdin", "--no-filters", input=content)
        for path, content in given.items()
        if path not in outcome.conflicts or outcome.only_contents(path)
    }
    lists = [path for path in outcome.conflicts if path not in given and _may_be_list(outcome, path)]
    merged: list[str] = []
    for path in matching(git, lists, union):
        blob = _by_union(git, outcome.stages[path])
        if blob is not None:
            blobs[path] = blob
            merged.append(path)
    left = tuple(path for path in outcome.conflicts if path not in blobs)
    return outcome.tree if left else _with_blobs(git, outcome.tree, blobs), left, tuple(merged)


def _may_be_list(outcome: Outcome, path: str) -> bool:
    contents = outcome.kinds.get(path) == frozenset({"CONFLICT (contents)"})
    return contents and outcome.only_contents(path) and not is_code(path)


def matching(git: Git, paths: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Those of these paths that gitignore-style patterns name, as git itself reads them."""
    if not paths or not patterns:
        return []
    with tempfile.TemporaryDirectory(prefix="ropeteam-") as name:
        folder = Path(name)
        (folder / "patterns").write_bytes(os.fsencode("\n".join(patterns) + "\n"))
        (folder / "nothing").mkdir()
        listing = replace(git, work_tree=folder / "nothing", index=folder / "index")
        anything = git.text("hash-object", "--stdin", input=b"")
        entries = joined([f"100644 {anything} 0\t{path}" for path in paths])
        listing.call("update-index", "--add", "--replace", "-z", "--index-info", input=entries)
        found = set(listing.names("ls-files", "-c", "-i", "-z", "-X", os.fspath(folder / "patterns")))
    return [path for path in paths if path in found]


def _by_union(git: Git, stages: Mapping[int, Entry]) -> str | None:
    """The lines of both sides as one blob; None where one of them is no text."""
    contents = [git.call("cat-file", "blob", stages[n].blob).stdout if n in stages else b"" for n in (2, 1, 3)]
    if any(b"\0" in content or content.startswith(POINTER) for content in contents):
        return None
    with tempfile.TemporaryDirectory(prefix="ropeteam-") as name:
        paths = [Path(name) / part for part in ("ours", "base", "theirs")]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        done = git.call("merge-file", "-p", "-q", "--union", *map(os.fspath, paths), ok=range(256))
    if done.returncode != 0:
        return None
    return git.text("hash-object", "-w", "--stdin", "--no-filters", input=done.stdout)


def _with_blobs(git: Git, tree: str, blobs: Mapping[str, str]) -> str:
    """The tree with other contents of files that it has; their modes stay."""
    if not blobs:
        return tree
    with tempfile.TemporaryDirectory(prefix="ropeteam-") as name:
        indexed = replace(git, index=Path(name) / "index")
        indexed.call("read-tree", tree)
        entries = []
        for path, blob in blobs.items():
            there = git.text("ls-tree", "--full-tree", tree, "--", path)
            entries.append(f"{there[:6] if there.startswith('100') else '100644'} {blob} 0\t{path}")
        indexed.call("update-index", "--add", "--replace", "-z", "--index-info", input=joined(entries))
        return indexed.text("write-tree")
