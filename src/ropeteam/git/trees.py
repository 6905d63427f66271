"""T, one attempt's tree: a small repository of its own, so that nothing an agent does in it reaches the user's `.git`.

Beside the tree's own index we have one of ours, outside of it, and files next to ours that say what the tree looked
like when it was made (`Tree.noted`): the agent can change everything inside the tree, and nothing of these.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadInput, BadRepository, RopeteamError
from ropeteam.git import mounts
from ropeteam.git.calls import Git, full_disk, joined, quoted, split
from ropeteam.git.repository import Repo, commit_of, copy_index, excludes, refs_of
from ropeteam.git.store import HOME, Store, init_options

Note = Literal["aside", "copied", "gitlinks", "overlay", "refs", "sealed", "unkept"]


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
        aside: what an agent put into it that was moved out (`obstacles`). overlay: the folders below it, of changes and
        of work, where it is one. sealed: the commit and the folders' mode, written when it was ready, so that the time
        of the note tells what came later. unkept: what its newest snapshot could not take, a sentence each."""
        with suppress(FileNotFoundError):
            return split(self._note(what).read_bytes())
        return []

    def note(self, what: Note, names: Sequence[str]) -> None:
        self._note(what).write_bytes(joined(names))

    def sealed_at(self) -> int:
        """When it was ready, in nanoseconds of the file system's own clock. FileNotFoundError: it was never sealed."""
        return self._note("sealed").stat().st_mtime_ns

    @property
    def made(self) -> Path:
        """Our index as it was when the tree was ready."""
        return self._note("made")

    def _note(self, what: Note | Literal["made"]) -> Path:
        return self.index.with_name(f"{self.index.name}.{what}")


def open_tree(path: Path, index: Path) -> Tree:
    """A tree that was made before. An overlay is mounted again if it is not (after a reboot); where that fails
    NotMounted is raised: without it the tree would look empty."""
    tree = Tree(path, index)
    show(tree)
    return tree


def show(tree: Tree) -> None:
    """See to it that a tree that is an overlay is mounted. NotMounted."""
    places = [Path(place) for place in tree.noted("overlay")]
    if not places or not tree.path.is_dir() or mounts.is_mounted(tree.path):
        return
    try:
        mounts.mount(tree.path, *places)
    except mounts.NotMounted as error:
        raise mounts.NotMounted(
            error.message,
            where=os.fspath(tree.path),
            hint=f"What was changed in it is in {places[1]}. As root, `ropeteam resume` mounts it again.",
        ) from error


def create_tree(store: Store, path: Path, commit: str, facts: RepoFacts, *, index: Path) -> Tree:
    """Make the tree `path` showing `commit`. It is built beside and renamed: if it is there, it is whole."""
    tree = Tree(path, index)
    if whole(tree):
        return tree
    with full_disk(), placed(tree) as beside:
        beside.mkdir()
        make_repository(store, beside, commit, facts, tree)
        fill(store, tree, beside, commit)
    return tree


def whole(tree: Tree) -> bool:
    """Whether it was made to its end. If not, what was begun of it is taken away, but for the folder itself."""
    if tree.noted("sealed") or (tree.index.is_file() and not tree.noted("overlay")):
        show(tree)
        if (tree.path / ".git").is_dir():
            return True
    forget_overlay(tree)
    forget_index(tree)
    return False


@contextmanager
def placed(tree: Tree) -> Iterator[Path]:
    """A place beside the tree's own, renamed to it in the end; removed when the block fails."""
    path = tree.path
    for folder in (path.parent, tree.index.parent):
        folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        yield beside
        if path.is_dir():
            path.rmdir()  # an empty folder may wait there; anything else must not be touched
        beside.rename(path)
    finally:
        if beside.exists():
            erase(beside)


def make_repository(
    store: Store, place: Path, commit: str, facts: RepoFacts, tree: Tree, *, submodules: Sequence[str] | None = None
) -> None:
    """The repository of a tree in its folder, whose files need not be there yet. tree: what is noted belongs to it.
    submodules: those of the commit, where they are known."""
    dot_git = place / ".git"
    Git(dot_git, work_tree=place).call("init", *init_options(store.repo))
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
    tree.note("gitlinks", gitlinks(store, commit) if submodules is None else submodules)


def refuse_trees_of_attempts(repo: Repo) -> None:
    """An agent that has our skill, or our MCP server, may take its own task for one to hand on, without an end.

    BadRepository: this is the repository of a tree, and no user's: it borrows objects from P.
    """
    try:
        lenders = (repo.git_dir / "objects" / "info" / "alternates").read_bytes().splitlines()
    except OSError:
        return
    if any(lender.rstrip(b'"').endswith(os.fsencode(f"/{HOME}/objects")) for lender in lenders):
        raise BadRepository(
            "This is the work tree of an attempt: a run is at work here, and none begins inside of it.",
            where=str(repo.top),
            hint="An agent does the task it was given itself. Your own runs begin in your own checkout.",
            code="inside_a_run",
        )


def fill(store: Store, tree: Tree, place: Path, commit: str, *, known: Path | None = None, reset: bool = False) -> None:
    """Bring the files at `place` to `commit`, and make the tree's index, ours and its own.

    known: an index that holds for what is there. reset: what is not as that says is written again.
    """
    ours = tree.index.with_name(f"{tree.index.name}.{secrets.token_hex(4)}.new")
    try:
        if known is not None:
            copy_index(known, ours)
        how = ("--reset",) if reset else ("-m",)
        replace(store.git, work_tree=place, index=ours).call("read-tree", *how, "-u", commit)
        copy_index(ours, place / ".git" / "index")
        copy_index(ours, tree.made)
        ours.replace(tree.index)
        tree.note("sealed", [commit, f"{stat.S_IMODE((place / '.git').stat().st_mode):o}"])
    finally:
        ours.unlink(missing_ok=True)


def gitlinks(store: Store, commit: str) -> list[str]:
    """Paths of the submodules in a commit."""
    listed = store.git.call("ls-tree", "-r", "-z", "--full-tree", commit).stdout
    entries = split(listed) if b"160000 commit " in listed else []
    return [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]


def gitlinks_after(store: Store, before: str, known: Sequence[str], commit: str) -> list[str]:
    """Of `commit`, where those of `before` are known: all of it is gone through only if there are any."""
    if before == commit:
        return list(known)
    raw = store.git.call("diff-tree", "-r", "-z", "--no-renames", "--raw", before, commit).stdout
    return gitlinks(store, commit) if known or b" 160000 " in raw else []


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
    forget_overlay(tree)
    if tree.path.exists():
        away = tree.path.with_name(f".{tree.path.name}.{secrets.token_hex(4)}.gone")
        tree.path.rename(away)
        erase(away)
    forget_index(tree)


def forget_index(tree: Tree) -> None:
    """Remove our files for a tree."""
    for path in tree.index.parent.glob(f"{glob.escape(tree.index.name)}*"):
        if path == tree.index or path.name.startswith(f"{tree.index.name}."):
            if path.is_dir() and not path.is_symlink():
                erase(path)
            else:
                path.unlink(missing_ok=True)


def forget_overlay(tree: Tree) -> None:
    """Take away the mount of a tree that is no longer needed, and what was changed in it. Nothing for a plain one."""
    places = tree.noted("overlay")
    if not places:
        return
    mounts.unmount_below(tree.path)
    with suppress(FileNotFoundError):
        tree.path.rmdir()  # without it nobody takes the tree for one that could be mounted again
    erase(Path(places[1]).parent)
    tree.note("overlay", [])


def _pointed_at(git: Git, commit: str) -> bool:
    return bool(git.text("for-each-ref", "--count=1", f"--points-at={commit}", "--format=%(refname)"))


def erase(path: Path) -> None:
    """Remove a folder with all that is in it; links are not followed, folders without permissions are opened, overlays
    of ours are unmounted first. RopeteamError where somebody else has mounted something in it: that is not ours."""
    mounts.unmount_below(path)
    if foreign := mounts.foreign_below(path):
        raise RopeteamError(
            f"The folder {path} was not removed: something is mounted at {foreign[0]}.",
            where=foreign[0],
            hint="Unmount it, then remove the folder (`ropeteam clean`).",
        )
    remove_folder(path)


def remove_folder(path: Path) -> None:
    """`erase` where no overlay can be."""
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
