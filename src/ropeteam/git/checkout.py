"""The user's checkout as a commit (`--include-dirty`), and which filters its files go through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadRepository
from ropeteam.git.calls import Git, full_disk, identity, joined
from ropeteam.git.repository import Repo, borrowed, commit_of, configured, dirty, head, outside
from ropeteam.git.snapshots import commit_tree
from ropeteam.git.store import Store, keep


def snapshot_checkout(store: Store, facts: RepoFacts, ref: str, at: float, feature: str) -> str:
    """The tracked changes of the user's checkout (outside the feature's folder) as a commit on HEAD, kept under `ref`.

    The user's index and files stay as they are. BadRepository: a merge is in progress, or a changed file goes through
    a filter that only the repository's own configuration knows (its plain content would end in the commit).
    """
    tip = head(store.repo)
    with full_disk(), borrowed(store.repo, facts.checkout_config) as theirs:
        git = replace(theirs, git_dir=store.git.git_dir, alternates=()).having(env=identity(facts, at))
        if git.names("ls-files", "--unmerged", "-z"):
            raise BadRepository(
                "A merge with conflicts is in progress.",
                where=facts.top,
                hint="Finish it (git merge --continue) or abort it, then try again.",
                code="merge_in_progress",
            )
        changed = dirty(store.repo, feature=feature)
        _refuse_filtered(store, changed)
        submodules = _submodules(git)
        git.call("add", "-u", "--", *outside(feature), *(f":(exclude,top,literal){path}" for path in submodules))
        git.call("update-index", "-z", "--stdin", input=joined([p for p in changed if p in submodules]))
        if feature.strip("/"):
            _as_committed(git, tip, feature.strip("/"))
        commit = commit_tree(git, git.text("write-tree"), tip, b"Changes of the checkout that were not committed")
        before = commit_of(store.repo.git, ref)
        if before != commit:
            keep(store, commit, ref)
    return commit


def _as_committed(git: Git, tip: str, folder: str) -> None:
    """Put the index entries below a folder back to what a commit has."""
    there = git.names("ls-files", "-z", "--", f":(top,literal){folder}")
    if there:
        git.call("update-index", "--force-remove", "-z", "--stdin", input=joined(there))
    entries = git.call("ls-tree", "-r", "-z", "--full-tree", tip, "--", folder).stdout
    if entries:
        git.call("update-index", "--add", "-z", "--index-info", input=entries)


def _submodules(git: Git) -> list[str]:
    """`git add` would run `git status` in each of them, under a configuration of its own; which commit they are at can
    be told without."""
    entries = git.names("ls-files", "-s", "-z")
    return [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]


def _refuse_filtered(store: Store, changed: Sequence[str]) -> None:
    repo = store.repo
    names = local_filters(repo)
    if not names:
        return
    with borrowed(repo) as git:
        through = [path for path, name in filters(git, changed) if name in names]
    if through:
        raise BadRepository(
            f"{through[0]} has changes and goes through the filter of this repository's own configuration, "
            "which ropeteam does not run.",
            where=os.fspath(repo.top / through[0]),
            hint="Commit the changes yourself, then try again without --include-dirty.",
            code="local_filter",
        )


def local_filters(repo: Repo) -> set[str]:
    """Names of filters that only the repository's own configuration has."""
    found: dict[str, set[str]] = {}
    for scope, key, _ in configured(repo):
        if key.startswith("filter."):
            found.setdefault(key[len("filter.") :].rpartition(".")[0], set()).add(scope)
    return {name for name, scopes in found.items() if not scopes & {"global", "system"}}


def filters(git: Git, paths: Sequence[str], *options: str) -> list[tuple[str, str]]:
    """(path, name of its `filter` attribute) of those that have one."""
    parts = git.names("check-attr", "-z", "--stdin", *options, "filter", input=joined(paths)) if paths else []
    return [
        (path, value)
        for path, _, value in zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
        if value != "unspecified"
    ]
