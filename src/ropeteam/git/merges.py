"""Merges and commits in P's object store: no checkout, no hook, no driver of anybody's configuration."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ropeteam.core.model import RepoFacts
from ropeteam.git.calls import Git, failure, full_disk, identity, joined
from ropeteam.git.snapshots import commit_tree
from ropeteam.git.store import Store


@dataclass(frozen=True, slots=True)
class Merge:
    """commit: the result; None when there are conflicts. conflicts: the paths."""

    commit: str | None
    conflicts: tuple[str, ...] = ()


def merge(store: Store, *, onto: str, tip: str, base: str, message: str, at: float, facts: RepoFacts) -> Merge:
    """The changes base..tip as one commit on `onto`, dated `at`. Where they are in `onto` already, that is `onto`."""
    git = store.git.having(env=identity(facts, at))
    with full_disk():
        tree, conflicts = _merged_tree(git, onto, tip, base)
        if tree is None:
            return Merge(None, conflicts)
        if tree == _tree(git, onto):
            return Merge(onto)
        return Merge(commit_tree(git, tree, onto, message.encode(errors="replace")))


def rebase(store: Store, *, head: str, base: str, onto: str, facts: RepoFacts) -> Merge:
    """Every commit of base..head anew on `onto`; messages, authors and dates stay. Stops at the first conflict."""
    if base == onto:
        return Merge(head)
    current = onto
    with full_disk():
        for commit in store.git.text("rev-list", "--reverse", "--first-parent", f"{base}..{head}").split():
            env, message = _read_commit(store.git, commit, facts)
            git = store.git.having(env=env)
            tree, conflicts = _merged_tree(git, current, commit, f"{commit}^")
            if tree is None:
                return Merge(None, conflicts)
            if tree != _tree(git, current):
                current = commit_tree(git, tree, current, message)
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


def _tree(git: Git, commit: str) -> str:
    return git.text("rev-parse", "--verify", f"{commit}^{{tree}}")


def _merged_tree(git: Git, onto: str, tip: str, base: str) -> tuple[str | None, tuple[str, ...]]:
    """The tree of `onto` with the changes base..tip, or the paths in conflict."""
    ours, theirs, old = (_tree(git, commit) for commit in (onto, tip, base))
    if ours in (old, theirs):
        return theirs, ()
    if theirs == old:
        return ours, ()
    # merge-tree looks for the base by itself (`--merge-base` is newer than what we require): give it three commits
    # with no other history, so that there is only one to find.
    root = commit_tree(git, old, None, b"base")
    left, right = (commit_tree(git, tree, root, b"side") for tree in (ours, theirs))
    with _attributes(git, onto) as config:
        merging = git.having(config)
        done = merging.call("merge-tree", "--write-tree", "--messages", "--name-only", "-z", left, right, ok=(0, 1))
    parts = [os.fsdecode(part) for part in done.stdout.split(b"\0")]
    if done.returncode == 0:
        return parts[0], ()
    if not parts[0]:
        raise failure(("merge-tree", onto, tip), done)
    return None, _conflicts(parts[1:])


def _conflicts(parts: list[str]) -> tuple[str, ...]:
    """Paths of a conflicted merge: names up to an empty one, then records (count, that many paths, type, text). After
    the records there can be free text: a count that is no number is the end."""
    end = parts.index("") if "" in parts else len(parts)
    names = list(parts[:end])
    rest = iter(parts[end + 1 :])
    for count in rest:
        if not count.isdigit():
            break
        paths = [next(rest, "") for _ in range(int(count))]
        kind, _text = next(rest, ""), next(rest, "")
        if kind.startswith("CONFLICT"):
            names += [path for path in paths if path]
    return tuple(dict.fromkeys(names)) or ("(git names no path)",)


@contextmanager
def _attributes(git: Git, commit: str) -> Iterator[dict[str, str]]:
    """The `.gitattributes` of a commit in one file: merge-tree in a bare repository reads none by itself. Never in P's
    `info/attributes`, which would outrank those of a tree in snapshots."""
    listed = git.names("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    files = sorted((path for path in listed if path.rpartition("/")[2] == ".gitattributes"), key=lambda p: p.count("/"))
    if not files:
        yield {}
        return
    lines: list[str] = []
    for path in files:
        folder = path.rpartition("/")[0]
        text = os.fsdecode(git.call("cat-file", "blob", f"{commit}:{path}").stdout)
        lines += [_rooted(line, folder) for line in text.splitlines()]
    with tempfile.NamedTemporaryFile(prefix="ropeteam-", suffix=".attributes") as file:
        file.write(os.fsencode("\n".join(lines) + "\n"))
        file.flush()
        yield {"core.attributesFile": file.name}


def _rooted(line: str, folder: str) -> str:
    """A line of the `.gitattributes` in `folder` as it would stand at the top."""
    text = line.strip()
    if not folder or not text or text.startswith(("#", "[attr]")):
        return text
    quote = '"' if text.startswith('"') else ""
    body = text.removeprefix(quote)
    pattern = re.split(r'"' if quote else r"\s", body, maxsplit=1)[0]
    between = "/" if "/" in pattern.rstrip("/") else "/**/"
    if " " in folder and not quote:
        quote, body = '"', body.replace(pattern, f'{pattern}"', 1)
    return f"{quote}/{folder}{between}{body.removeprefix('/')}"


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
        if tree == _tree(git, parent):
            return parent
        return commit_tree(git, tree, parent, message.encode(errors="replace"))
