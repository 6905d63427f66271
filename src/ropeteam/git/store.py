"""P, our private bare repository beside the user's: where snapshots, merges and commits are made.

It borrows the user's objects, has our own configuration, and nothing of an agent ever runs in it. What matters of it
is carried over to U as a kept pack (`keep`), so that refs of U hold it: single objects written into U's store would be
lost to a `git gc --prune=now` that runs at the same time.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ropeteam.core.model import FileChange
from ropeteam.errors import GitFailed
from ropeteam.git.calls import Git, full_disk, pipe, version
from ropeteam.git.repository import Repo, commit_of, excludes, move_ref, refs_of, writing

OURS = "refs/ropeteam/"
HOME = "ropeteam/private.git"
"""P, below the `.git` that all work trees of U share."""
KEEP_WORD = "ropeteam"
STALE_SECONDS = 86_400.0  # a `.keep` of ours this old is left from a crash: carrying over takes seconds
FORMAT_OPTION = (2, 45)  # `init --ref-format`, in case another format than files is the default

CONFIGURATION = """[gc]
\tauto = 0
[core]
\tautocrlf = false
\tlogAllRefUpdates = false
\tcompression = 1
[pack]
\twindow = 0
\tthreads = 1
"""


# What `git init` and we write, and nothing that runs a program: an agent without a sandbox can write this file too.
_OURS_ONLY = re.compile(
    r"(?:\[(?:core|gc|pack|extensions)\]|\t(?:repositoryformatversion|filemode|bare|symlinks|ignorecase|precomposeunicode"
    r"|auto|autocrlf|logAllRefUpdates|compression|window|threads|objectformat|refstorage) = \w+|)"
)


_OURS = re.compile(
    r"|\[(core|gc|pack|extensions)\]|\t(bare = true|autocrlf = false|logAllRefUpdates = false|auto = 0|compression = 1"
    r"|window = 0|threads = 1|(filemode|symlinks|ignorecase|precomposeunicode) = (true|false)"
    r"|repositoryformatversion = [01]|objectformat = sha256|refstorage = files)"
)
"""A line of P's configuration as `git init` and we write it; nothing among them runs a program."""


class Incomplete(GitFailed):
    """Objects that a commit needs are missing: another git pruned them meanwhile."""


@dataclass(frozen=True, slots=True)
class Store:
    """P, and the repository it is for."""

    path: Path
    repo: Repo

    @property
    def git(self) -> Git:
        """For calls in P. Only its own configuration holds there, whoever wrote into it meanwhile."""
        _disarm(self)
        return Git(self.path)

    @property
    def objects(self) -> Path:
        return self.path / "objects"


def init_options(repo: Repo) -> tuple[str, ...]:
    """Of `git init`: no templates (they may hold hooks), the user's object format, refs as files."""
    files = ("--ref-format=files",) if version() >= FORMAT_OPTION else ()
    return ("-q", "--template=", f"--object-format={repo.object_format}", "--initial-branch=none", *files)


def open_store(repo: Repo) -> Store:
    """P, made when it is not there yet; what it copies from U is brought up to date."""
    store = Store(repo.common_dir / HOME, repo)
    with full_disk():
        if not (store.path / "HEAD").is_file():
            _build(store)
        _refresh(store)
        _forget_stale_keeps(repo)
    return store


def _build(store: Store) -> None:
    with _made_beside(store) as beside:
        # Relative to P's objects: right also after the user has moved the whole repository.
        (beside / "objects" / "info" / "alternates").write_text("../../../objects\n")
        with suppress(OSError):  # somebody else was faster: theirs is as good
            beside.rename(store.path)
    if not (store.path / "HEAD").is_file():
        raise OSError(f"{store.path} is in the way: it is no repository")


@contextmanager
def _made_beside(store: Store) -> Iterator[Path]:
    """A new repository with our configuration, next to P; removed if it is still there in the end."""
    store.path.parent.mkdir(parents=True, exist_ok=True)
    beside = store.path.with_name(f"private.{secrets.token_hex(4)}.new")
    try:
        beside.mkdir()
        Git(beside).call("init", "--bare", *init_options(store.repo))
        with (beside / "config").open("a") as file:
            file.write(CONFIGURATION)
        (beside / "info").mkdir(exist_ok=True)
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _disarm(store: Store) -> None:
    """Put P's configuration back if it is not ours, and take away attributes that would change what is snapshotted."""
    if not (store.path / "HEAD").is_file():
        return
    (store.path / "info" / "attributes").unlink(missing_ok=True)
    config = store.path / "config"
    try:
        plain = config.is_file() and not config.is_symlink()
        if plain and all(_OURS.fullmatch(line) for line in config.read_text().split("\n")):
            return
    except (OSError, UnicodeDecodeError):
        pass
    with _made_beside(store) as beside:
        (beside / "config").replace(config)


def _refresh(store: Store) -> None:
    _replace(store.path / "info" / "exclude", excludes(store.repo))
    shallow = store.repo.common_dir / "shallow"
    if shallow.is_file():
        _replace(store.path / "shallow", shallow.read_bytes())
    else:
        (store.path / "shallow").unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one. Not at all when it is the same."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    beside.write_bytes(content)
    beside.replace(path)


def _forget_stale_keeps(repo: Repo) -> None:
    for path in (repo.objects / "pack").glob("*.keep"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS and path.read_text().startswith(KEEP_WORD):
                path.unlink()


# ---- carrying over to U


def keep(store: Store, commit: str, ref: str, *, expected: str | None = None) -> None:
    """Make `commit` and all it needs part of U under `ref`. expected: what the ref must point at now (zeros: must not
    exist). Done already is fine. Incomplete: objects are missing, nothing was moved."""
    held = refs_of(store.repo.git, OURS)
    if held.get(ref) == commit:
        return
    with full_disk(), carried(store, [commit], held=held, based=f"{_run_of(ref)}/base" in held):
        move_ref(store.git, ref, commit)
        move_ref(writing(store.repo), ref, commit, expected)


def _run_of(ref: str) -> str:
    """`refs/ropeteam/RUN` of a ref of ours."""
    return "/".join(ref.split("/")[:3])


@contextmanager
def carried(
    store: Store,
    commits: Sequence[str],
    *,
    extra: Sequence[Path] = (),
    held: Mapping[str, str] | None = None,
    based: bool = False,
) -> Iterator[None]:
    """The objects of `commits` are in U, complete and checked, and no prune can take them before the block is left:
    move refs inside. extra: further object folders to find them in (the agent's own). held: refs of ours in U, where
    they are known. based: as in `held_lines`."""
    rest = "\n".join(commits).encode() + b"\n" + held_lines(store.repo, held, based=based)
    keeps = _send(replace(store.git, alternates=tuple(extra)), store.repo, rest)
    try:
        done = store.repo.git.call("rev-list", "--objects", "--quiet", "--stdin", input=rest, ok=range(256))
        if done.returncode != 0:
            raise Incomplete(("rev-list", *commits), done.returncode, done.stderr.decode(errors="replace")[-2000:])
        yield
    finally:
        for path in keeps:
            path.unlink(missing_ok=True)


def held_lines(repo: Repo, refs: Mapping[str, str] | None = None, *, based: bool = False) -> bytes:
    """Lines for a rev-list's input that leave out what U holds for certain: what refs of ours (checked when they were
    made) and the user's HEAD reach. Their other branches may be broken, and are not needed to say what is new.

    refs: of ours, where they are known. based: the commit that everything was built on is among them.
    """
    held = set((refs_of(repo.git, OURS) if refs is None else refs).values())
    if not based and (tip := commit_of(repo.git, "HEAD")) is not None:
        held.add(tip)
    return "".join(f"^{oid}\n" for oid in sorted(held)).encode()


def _send(source: Git, repo: Repo, rest: bytes) -> list[Path]:
    """Pack what the walk finds into U's store. Gives the `.keep` files that hold the packs."""
    done = source.call("rev-list", "--objects", "--no-object-names", "--stdin", input=rest, ok=range(256))
    if done.returncode != 0:
        raise Incomplete(("rev-list",), done.returncode, done.stderr.decode(errors="replace")[-2000:])
    if not done.stdout:
        return []
    target = Git(source.git_dir, objects=repo.objects)
    mine = f"{KEEP_WORD} {secrets.token_hex(8)}"
    try:
        said = pipe(
            source.stage("pack-objects", "-q", "--stdout", "--delta-base-offset"),
            target.stage("index-pack", "--stdin", f"--keep={mine}"),
            input=done.stdout,
        )
    except GitFailed as error:
        _forget_keep(repo, mine)  # a prune of the user's took the half written pack, after its .keep was written
        raise Incomplete(error.argv, error.returncode, error.stderr) from error
    word, _, pack = said.decode().strip().partition("\t")
    # "pack" instead of "keep": the same pack is there already, and its .keep belongs to whoever made it.
    return [repo.objects / "pack" / f"pack-{pack}.keep"] if word == "keep" else []


def _forget_keep(repo: Repo, words: str) -> None:
    for path in (repo.objects / "pack").glob("*.keep"):
        with suppress(OSError):
            if path.read_text().strip() == words:
                path.unlink()


# ---- reading commits


def changes(store: Store, old: str, new: str) -> tuple[FileChange, ...]:
    """Which files differ between two commits, by path. Renames are a deletion and a creation."""
    return tuple(
        FileChange(path=path, kind="created" if letter == "A" else "deleted" if letter == "D" else "modified")
        for letter, path in changed(store.git, old, new)
    )


def changed(git: Git, old: str, new: str) -> list[tuple[str, str]]:
    """(letter, path) of `diff-tree --name-status`: A, D, M, T (the type changed)."""
    parts = git.names("diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new)
    return list(zip(parts[0::2], parts[1::2], strict=True))
