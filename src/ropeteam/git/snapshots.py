"""Snapshots: what a tree shows, as a commit that refs of U hold.

The tree's own index and configuration are not used: an agent can write both. Files go through our index into P, and
from there as a kept pack into U. The caller freezes the processes that work in the tree.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ropeteam.core.model import FileChange, RepoFacts
from ropeteam.errors import GitFailed
from ropeteam.git import leftovers
from ropeteam.git.calls import Git, failure, full_disk, identity, joined, no_space, split
from ropeteam.git.leftovers import Found
from ropeteam.git.obstacles import move_aside
from ropeteam.git.repository import commit_of, move_ref, writing
from ropeteam.git.store import Incomplete, Store, carried, changes, held_lines, keep
from ropeteam.git.trees import Tree, show

TRIES = 3
NESTED_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """commit: the tree's files on top of its start. changes: against the start. ignored: paths that the agent wrote
    and the repository ignores; they are in no snapshot. nested: repositories inside the tree, whose files are in the
    snapshot as plain files. descends: the tree's HEAD descends from the start. kept: further refs that hold the agent's
    own commits, stashes and what it reset away. problems: what could not be kept, a sentence each."""

    commit: str
    changes: tuple[FileChange, ...]
    ignored: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    descends: bool = True
    kept: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def snapshot(store: Store, tree: Tree, *, start: str, ref: str, message: str, at: float, facts: RepoFacts) -> Snapshot:
    """Put the tree's files under `ref`, in P and in U, as one commit on `start`, dated `at`.

    Taken again without a change in between it is the same commit, whatever `at` says. An earlier one under `ref` with
    work that is gone since stays under a ref of its own. GitFailed when it cannot be done in three tries: the tree is
    as it was.
    """
    show(tree)
    for number in range(TRIES):
        try:
            with full_disk():
                moved, nested = move_aside(tree)
                taken = _snapshot(store, tree, nested, start, ref, message, at, facts)
                tree.note("unkept", taken.problems)
                return replace(taken, problems=(*moved, *taken.problems))
        except GitFailed:
            if number == TRIES - 1:
                raise
            _repair(tree, number)
    raise AssertionError("unreachable")


def _repair(tree: Tree, number: int) -> None:
    """Our own lock may be left from a killed git. An index remembers objects as written that a prune may have taken:
    a fresh one writes them again. Files without permissions cannot be read: it is our folder, so they get them."""
    for path in (tree.index.with_name(f"{tree.index.name}.lock"), tree.index):
        path.unlink(missing_ok=True)
    if number:
        _open_up(tree.path)


def _open_up(top: Path) -> None:
    for folder, names, files in os.walk(top):
        for name in (*names, *files):
            path = Path(folder, name)
            wanted = stat.S_IRWXU if name in names else stat.S_IRUSR
            with suppress(OSError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & wanted != wanted:
                    path.chmod(stat.S_IMODE(mode) | wanted)


def _snapshot(
    store: Store, tree: Tree, nested: frozenset[str], start: str, ref: str, message: str, at: float, facts: RepoFacts
) -> Snapshot:
    git = tree.git(store)
    if not tree.index.is_file():
        git.call("read-tree", start)
    inner = _Nested(store, tree, git, nested)
    inner.find()
    problems = list(_add(git, [*inner.apart, *tree.noted("copied")]))
    problems += [f"Not in the snapshot: {path} is a repository too deep inside others." for path in inner.too_deep]
    inner.add()
    if not tree.index.is_file():  # git would write an empty tree without a word
        raise GitFailed(("write-tree",), -1, f"{tree.index} is gone")
    written = git.text("write-tree")
    signed = store.git.having(env=identity(facts, at))
    before = commit_of(store.repo.git, ref)
    commit = before if before and _same(store.git, before, written, start) else _commit(signed, written, start, message)
    kept: list[str] = []
    if before and before != commit:
        kept += _keep_replaced(store, before, commit, start, ref)
    keep(store, commit, ref)
    agents = leftovers.look(tree.path, tree.path)
    descends = _descends(store, agents, start)
    if agents is not None:
        kept += _keep_own(store, agents, set(tree.noted("refs")) | {start}, f"{ref}-kept/", problems)
    for path, found in inner.repositories:
        if found.shallow:
            problems.append(f"The repository {path} has a shallow history: its files are kept, its commits are not.")
        else:
            kept += _keep_own(store, found, {start}, f"{ref}-nested/", problems)
    kept += inner.keep_submodules(signed, ref, message)
    return Snapshot(
        commit=commit,
        changes=changes(store, start, commit),
        ignored=_ignored(git, tree),
        nested=tuple(inner.paths),
        descends=descends,
        kept=tuple(dict.fromkeys(kept)),
        problems=tuple(problems),
    )


def _add(git: Git, without: Sequence[str]) -> list[str]:
    """Take everything into our index but what is ignored and the paths `without`. Gives what could not be read."""
    specs = joined([".", *(f":(exclude,top,literal){path.rstrip('/')}" for path in without)])
    command = ("add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul")
    done = git.call(*command, input=specs, ok=range(256))
    if done.returncode == 0:
        return []
    if b".lock'" in done.stderr or no_space(done.stderr):
        raise failure(command, done)
    _open_up(git.work_tree or git.git_dir)
    done = git.call(*command, "--ignore-errors", input=specs, ok=(0, 1))
    lines = done.stderr.decode(errors="replace").splitlines() if done.returncode else []
    return [f"Not in the snapshot: {line}" for line in lines if line.startswith(("error:", "fatal:"))]


def _same(git: Git, commit: str, tree: str, parent: str) -> bool:
    return git.text("show", "-s", "--no-show-signature", "--format=%T %P", commit) == f"{tree} {parent}"


def _commit(git: Git, tree: str, parent: str | None, message: str) -> str:
    return commit_tree(git, tree, parent, message.encode(errors="replace"))


def commit_tree(git: Git, tree: str, parent: str | None, message: bytes) -> str:
    """Write a commit. git: has the identity and the date in its environment."""
    text = message.replace(b"\0", b"").rstrip(b"\n") + b"\n"
    return git.text("commit-tree", tree, *(("-p", parent) if parent else ()), "-F", "-", input=text)


def _keep_replaced(store: Store, before: str, commit: str, start: str, ref: str) -> list[str]:
    """An earlier snapshot under the same ref is not forgotten when it has work that is gone from the tree since."""
    earlier, later = ({change.path for change in changes(store, start, one)} for one in (before, commit))
    if earlier <= later:
        return []
    name = f"{ref}-kept/{before[:12]}"
    keep(store, before, name)
    return [name]


def _ignored(git: Git, tree: Tree) -> tuple[str, ...]:
    copied = {path.rstrip("/") for path in tree.noted("copied")}
    listed = git.names("ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z")
    return tuple(path for path in listed if path.rstrip("/") not in copied)


# ---- what the agent's own repository holds


def _descends(store: Store, agents: Found | None, start: str) -> bool:
    if agents is None or agents.head is None:
        return False
    if agents.head == start:
        return True
    git = replace(store.git, alternates=(agents.objects,))
    return git.call("merge-base", "--is-ancestor", start, agents.head, ok=range(256)).returncode == 0


def _keep_own(store: Store, agents: Found, known: set[str], prefix: str, problems: list[str]) -> list[str]:
    """Put the agent's own commits under refs of U, all that no ref of U holds yet."""
    tips = sorted(agents.tips - known)
    if not tips:
        return []
    git = replace(store.git, alternates=(agents.objects,))
    commits = leftovers.own_commits(git, tips, held_lines(store.repo))
    try:
        return _keep_all(store, agents, commits, prefix)
    except Incomplete:
        kept = []
        for commit in commits:  # one broken history must not cost the others
            try:
                kept += _keep_all(store, agents, [commit], prefix)
            except Incomplete as error:
                problems.append(f"The agent's commit {commit[:12]} is incomplete and was not kept: {error.stderr}")
        return kept


def _keep_all(store: Store, agents: Found, commits: Sequence[str], prefix: str) -> list[str]:
    if not commits:
        return []
    with carried(store, commits, extra=(agents.objects,)):
        git = writing(store.repo)
        for commit in commits:
            move_ref(git, f"{prefix}{commit[:12]}", commit)
    return [f"{prefix}{commit[:12]}" for commit in commits]


class _Nested:
    """Repositories inside the tree. git would record them as bare links, and their content would be lost.

    folders: those with a `.git` in them. paths: of all of them. apart: what must be left out when everything is added.
    repositories: their own histories.
    """

    def __init__(self, store: Store, tree: Tree, git: Git, folders: frozenset[str]) -> None:
        self.store = store
        self.tree = tree
        self.git = git
        self.folders = folders
        self.paths: list[str] = []
        self.apart: list[str] = []
        self.repositories: list[tuple[str, Found]] = []
        self.too_deep: list[str] = []
        self._plain: list[str] = []
        self._submodules: list[str] = []

    def find(self) -> None:
        for path in self.tree.noted("gitlinks"):
            if _filled(self.tree.path / path):
                self._submodules.append(path)
                self.apart.append(path)
                self._note(path)
        for path in _folders(self.git.names("ls-files", "-z")) if self.folders else ():
            if path in self.folders and os.path.lexists(self.tree.path / path / ".git"):
                self._note(path)  # made around tracked files: git sees these as before
        for path in self.git.names("ls-files", "-o", "--exclude-standard", "-z"):
            if path.endswith("/"):
                self.apart.append(path)
                self._plain += self._files(path, NESTED_DEPTH)

    def _note(self, path: str) -> None:
        self.paths.append(path.rstrip("/"))
        found = leftovers.look(self.tree.path / path, self.tree.path)
        if found is not None:
            self.repositories.append((path.rstrip("/"), found))

    def _files(self, path: str, depth: int) -> list[str]:
        """Files of a repository inside the tree, relative to the tree, without what either of them ignores."""
        self._note(path)
        files: list[str] = []
        for name in self._list(self.tree.path / path):
            if name.endswith("/"):
                if depth:
                    files += self._files(path + name, depth - 1)
                else:
                    self.too_deep.append(path + name)
            else:
                files.append(path + name)
        ignored = self.git.call("check-ignore", "-z", "--no-index", "--stdin", input=joined(files), ok=(0, 1))
        away = set(split(ignored.stdout))
        return [name for name in files if name not in away]

    def _list(self, place: Path) -> list[str]:
        empty = self.tree.index.with_name(f"{self.tree.index.name}.none")
        inner = replace(self.git, work_tree=place, index=empty)
        return inner.names("ls-files", "-o", "--exclude-standard", "-z")

    def add(self) -> None:
        """Take their files into our index as plain files, and what became of submodules as git would."""
        if self._plain:
            self.git.call("update-index", "--add", "--replace", "-z", "--stdin", input=joined(self._plain))
        heads = {path: found.head for path, found in self.repositories}
        for path in self._submodules:
            if head := heads.get(path):
                self.git.call("update-index", "--add", "--cacheinfo", f"160000,{head},{path}")

    def keep_submodules(self, signed: Git, ref: str, message: str) -> list[str]:
        """A submodule's files have no place in a commit of the repository: they get one of their own."""
        if not self._submodules:
            return []
        index = self.tree.index.with_name(f"{self.tree.index.name}.submodules")
        index.unlink(missing_ok=True)
        git = replace(self.git, index=index)
        files = [path + "/" + name for path in self._submodules for name in self._list(self.tree.path / path)]
        git.call("update-index", "--add", "-z", "--stdin", input=joined([f for f in files if not f.endswith("/")]))
        commit = _commit(signed, git.text("write-tree"), None, message)
        index.unlink(missing_ok=True)
        name = f"{ref}-nested/{commit[:12]}"
        keep(self.store, commit, name)
        return [name]


def _folders(files: Sequence[str]) -> list[str]:
    folders: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(folders)


def _filled(place: Path) -> bool:
    try:
        return place.is_dir() and not place.is_symlink() and any(place.iterdir())
    except OSError:
        return False
