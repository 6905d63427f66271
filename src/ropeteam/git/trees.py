"""T, one attempt's tree: a small repository of its own, so that nothing an agent does in it reaches the user's `.git`.

Beside the tree's own index we have one of ours, outside of it, and files next to ours that say what the tree looked
like when it was made (`Tree.noted`): the agent can change everything inside the tree, and nothing of these.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadInput, RopeteamError
from ropeteam.git.calls import Git, full_disk, joined, quoted, split
from ropeteam.git.repository import commit_of, copy_index, excludes, refs_of
from ropeteam.git.store import Store, init_options

Note = Literal["aside", "copied", "gitlinks", "refs"]


@dataclass(frozen=True, slots=True)
class Tree:
    """path: the work tree. index: OUR index for it, outside the tree."""

    path: Path
    index: Path

    def git(self, store: Store) -> Git:
        """For calls that look at its files through our index and our private repository."""
        return replace(store.git, work_tree=self.path, index=self.index)

    def noted(self, what: Note) -> list[str]:
        """copied: untracked paths that we copied in. gitlinks: submodules at its start. refs: commits its refs had.
        aside: what an agent put into it that was moved out (`obstacles`)."""
        with suppress(FileNotFoundError):
            return split(self._note(what).read_bytes())
        return []

    def note(self, what: Note, names: Sequence[str]) -> None:
        self._note(what).write_bytes(joined(names))

    def _note(self, what: Note) -> Path:
        return self.index.with_name(f"{self.index.name}.{what}")


def open_tree(path: Path, index: Path) -> Tree:
    """A tree that was made before."""
    return Tree(path, index)


def create_tree(store: Store, path: Path, commit: str, facts: RepoFacts, *, index: Path) -> Tree:
    """Make the tree `path` showing `commit`. It is built beside and renamed: if it is there, it is whole."""
    tree = Tree(path, index)
    if (path / ".git").is_dir() and index.is_file():
        return tree
    with full_disk():
        for folder in (path.parent, index.parent):
            folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        try:
            _build(store, beside, commit, facts, tree)
            if path.is_dir():
                path.rmdir()  # an empty folder may wait there; anything else must not be touched
            beside.rename(path)
        finally:
            if beside.exists():
                erase(beside)
    return tree


def _build(store: Store, beside: Path, commit: str, facts: RepoFacts, tree: Tree) -> None:
    beside.mkdir()
    dot_git = beside / ".git"
    Git(dot_git, work_tree=beside).call("init", *init_options(store.repo))
    with (dot_git / "config").open("a", errors="surrogateescape") as file:
        file.write(_configuration(facts))
    (dot_git / "info").mkdir(exist_ok=True)
    (dot_git / "info" / "exclude").write_bytes(excludes(store.repo))
    lenders = (store.objects, store.repo.objects)
    (dot_git / "objects" / "info").mkdir(exist_ok=True)
    (dot_git / "objects" / "info" / "alternates").write_bytes(
        b"".join(os.fsencode(quoted(lender)) + b"\n" for lender in lenders)
    )
    if (store.path / "shallow").is_file():
        shutil.copyfile(store.path / "shallow", dot_git / "shallow")
    theirs = refs_of(store.repo.git, "refs/heads/", "refs/remotes/", "refs/tags/")
    lines = "".join(f"{oid} {name}\n" for name, oid in sorted(theirs.items()))
    (dot_git / "packed-refs").write_bytes(os.fsencode("# pack-refs with: sorted\n" + lines))
    (dot_git / "HEAD").write_text(f"{commit}\n")
    tree.note("refs", sorted({commit, *theirs.values()}))
    tree.note("copied", [])
    tree.note("gitlinks", _gitlinks(store, commit))
    ours = tree.index.with_name(f"{tree.index.name}.{secrets.token_hex(4)}.new")
    try:
        replace(store.git, work_tree=beside, index=ours).call("read-tree", "-m", "-u", commit)
        copy_index(ours, dot_git / "index")
        ours.replace(tree.index)
    finally:
        ours.unlink(missing_ok=True)


def _gitlinks(store: Store, commit: str) -> list[str]:
    entries = store.git.names("ls-tree", "-r", "-z", "--full-tree", commit)
    return [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]


def _configuration(facts: RepoFacts) -> str:
    """What the agent's own git in the tree gets told. No remotes: an agent must not push the user's work."""
    values = {
        "user": {"name": facts.user_name, "email": facts.user_email},
        "core": {"autocrlf": "false", "logAllRefUpdates": "true"},
        "commit": {"gpgSign": "false"},  # nobody is there to enter a passphrase
        "gc": {"auto": "0"},
        "maintenance": {"auto": "false"},
    }
    lines = []
    for section, entries in values.items():
        lines.append(f"[{section}]")
        lines += [f"\t{key} = {_value(value)}" for key, value in entries.items()]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def content(store: Store, tree: Tree, path: str) -> bytes | None:
    """A plain file of a tree as a snapshot would take it; None for anything else, and behind a link."""
    git = tree.git(store)
    done = git.call("update-index", "--add", "-z", "--stdin", input=joined([path]), ok=range(256))
    entry = git.text("ls-files", "-s", "-z", "--", f":(top,literal){path}") if done.returncode == 0 else ""
    mode, _, rest = entry.partition(" ")
    return git.call("cat-file", "blob", rest.split(" ")[0]).stdout if mode.startswith("100") else None


# ---- the end of a tree


def remove_tree(store: Store, tree: Tree, *, snapshot_of: str) -> None:
    """Remove a tree and our files for it. snapshot_of: the ref of U, or the commit under one, that holds its snapshot;
    without it the tree stays and BadInput is raised. Gone already is fine."""
    git = store.repo.git
    held = commit_of(git, snapshot_of)
    if held is None or not (refs_of(git, snapshot_of) or _pointed_at(git, held)):
        raise BadInput(
            f"The work tree {tree.path} was not removed: no ref holds its snapshot ({snapshot_of}).",
            where=os.fspath(tree.path),
            hint="`ropeteam resume` takes the snapshot.",
            code="not_kept",
        )
    if tree.path.exists():
        away = tree.path.with_name(f".{tree.path.name}.{secrets.token_hex(4)}.gone")
        tree.path.rename(away)
        erase(away)
    for path in tree.index.parent.glob(f"{tree.index.name}*"):
        if path == tree.index or path.name.startswith(f"{tree.index.name}."):
            path.unlink(missing_ok=True)


def _pointed_at(git: Git, commit: str) -> bool:
    return bool(git.text("for-each-ref", "--count=1", f"--points-at={commit}", "--format=%(refname)"))


def erase(path: Path) -> None:
    """Remove a folder with all that is in it; links are not followed, folders without permissions are opened."""
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    with suppress(OSError):
        path.chmod(stat.S_IRWXU)
    for folder, names, _ in os.walk(path):
        for name in names:
            with suppress(OSError):
                inner = Path(folder, name)
                if not inner.is_symlink():
                    inner.chmod(stat.S_IRWXU)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise RopeteamError(f"The folder {path} could not be removed: {error}.", where=os.fspath(path)) from error
