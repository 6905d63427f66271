"""How git is called: one environment for every call, errors as ours, nothing of the machine's configuration.

Names in this package: U is the user's repository, P our private bare repository for it, T one attempt's tree.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ropeteam import process
from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadRepository, GitFailed, OutOfSpace
from ropeteam.process import Completed, Stage

MINIMUM = (2, 38)  # `merge-tree --write-tree`
CONFIG_HOOKS = (2, 54)  # from here on hooks can be defined in the configuration
SECONDS = 900.0  # a git call that takes longer hangs (a planted pipe, a dead network disk)

FIXED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # no transport at all: nothing of ours talks to another repository
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "LC_ALL": "C",  # messages of the system that we look for
}
CONFIG = (
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.hooksPath", "/dev/null"),
    ("hook.reference-transaction.enabled", "false"),
    ("hook.post-index-change.enabled", "false"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),  # else git looks into ~/.config/git by itself
    ("core.excludesFile", "/dev/null"),
    ("core.safecrlf", "false"),
    ("submodule.recurse", "false"),
    ("diff.ignoreSubmodules", "dirty"),  # else git runs `status` inside submodules, under their configuration
    ("index.threads", "1"),
)
_NO_SPACE = (b"No space left on device", b"Disk quota exceeded")
_NOT_WRITTEN = b"error: unable to write file "

_inherited: ContextVar[tuple[int, ...]] = ContextVar("inherited", default=())


@contextmanager
def holding(*descriptors: int) -> Iterator[None]:
    """Git children started inside the block inherit these descriptors (the run's lock), so that a resume waits."""
    token = _inherited.set((*_inherited.get(), *descriptors))
    try:
        yield
    finally:
        _inherited.reset(token)


@contextmanager
def full_disk() -> Iterator[None]:
    """A full disk inside the block becomes `OutOfSpace`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise out_of_space(error.filename or "") from error
        raise


def out_of_space(where: object = "") -> OutOfSpace:
    return OutOfSpace(
        "The disk is full.",
        where=os.fsdecode(where) if isinstance(where, (str, bytes)) else str(where),
        hint="Everything written so far is kept. Make room, then `ropeteam resume`.",
    )


def program() -> str:
    """The git program: `ROPETEAM_GIT`, else the first one on the path."""
    return os.environ.get("ROPETEAM_GIT") or "git"


def version() -> tuple[int, ...]:
    """Of the git program. BadRepository `git_missing` when there is none."""
    return _version(program(), os.environ.get("PATH", ""))


@lru_cache(maxsize=8)
def _version(name: str, _path: str) -> tuple[int, ...]:
    try:
        done = process.run([name, "--version"], env=environment(), timeout=60)
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise _missing(name) from error
    found = re.search(rb"git version (\d+(?:\.\d+)*)", done.stdout)
    if done.returncode != 0 or found is None:
        raise _missing(name)
    return tuple(int(part) for part in found.group(1).split(b"."))


def _missing(name: str) -> BadRepository:
    return BadRepository(
        f"git was not found ({name}).",
        where="ROPETEAM_GIT" if os.environ.get("ROPETEAM_GIT") else "PATH",
        hint=f"Install git {'.'.join(map(str, MINIMUM))} or newer, or let ROPETEAM_GIT name it.",
        code="git_missing",
    )


def require() -> None:
    """BadRepository `git_missing` or `git_too_old` unless a git that we can work with is here."""
    found = version()
    if found[:2] < MINIMUM:
        raise BadRepository(
            f"git {'.'.join(map(str, found))} is too old: {'.'.join(map(str, MINIMUM))} or newer is needed.",
            where=program(),
            hint="Install a newer git, or let ROPETEAM_GIT name one.",
            code="git_too_old",
        )


def environment() -> dict[str, str]:
    """Of every git call of ours: the caller's, without anything that steers git, and what we fix."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | FIXED


def users_environment() -> dict[str, str]:
    """Of the few calls that read the user's own configuration: which repository it is must not come from outside."""
    away = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
    away |= {"GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return {name: value for name, value in os.environ.items() if name not in away} | quiet


def users_git(folder: Path, *args: str) -> Completed:
    """A read-only git call with the user's own configuration, in `folder`."""
    return _run([program(), "-C", os.fspath(folder), *args], users_environment(), None, None)


def identity(facts: RepoFacts, at: float) -> dict[str, str]:
    """Author and committer of a commit: the user, at `at` (seconds since the epoch; UTC, so that a repeated command
    makes the same commit wherever it is repeated)."""
    who = {"NAME": facts.user_name, "EMAIL": facts.user_email, "DATE": f"@{max(0, int(at))} +0000"}
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}


@dataclass(frozen=True, slots=True)
class Git:
    """Which repository, work tree, index and objects a call works on. Paths are absolute.

    objects: written to, instead of the repository's own. alternates: read besides. config, env: on top of ours.
    """

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    objects: Path | None = None
    alternates: tuple[Path, ...] = ()
    config: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    def having(self, config: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None) -> Git:
        """The same with more configuration or environment."""
        return replace(
            self,
            config=(*self.config, *(config or {}).items()),
            env=(*self.env, *(env or {}).items()),
        )

    def environment(self) -> dict[str, str]:
        env = environment()
        env["GIT_DIR"] = os.fspath(self.git_dir)
        config = [*CONFIG, *self.config]
        if self.work_tree is not None:
            env["GIT_WORK_TREE"] = os.fspath(self.work_tree)
            config.append(("core.bare", "false"))
        if self.index is not None:
            env["GIT_INDEX_FILE"] = os.fspath(self.index)
        if self.objects is not None:
            env["GIT_OBJECT_DIRECTORY"] = os.fspath(self.objects)
        if self.alternates:
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.pathsep.join(quoted(path) for path in self.alternates)
        env["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (key, value) in enumerate(config):
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value
        return env | dict(self.env)

    def call(self, *args: str, input: bytes | None = None, ok: Sequence[int] = (0,)) -> Completed:
        """GitFailed when it ends with another code than those in `ok`; OutOfSpace when the disk is full."""
        done = _run([program(), *args], self.environment(), self.work_tree or self.git_dir, input)
        if done.returncode not in ok:
            raise failure(args, done)
        return done

    def text(self, *args: str, input: bytes | None = None) -> str:
        """What it prints, without the last newline."""
        return os.fsdecode(self.call(*args, input=input).stdout).removesuffix("\n")

    def names(self, *args: str, input: bytes | None = None) -> list[str]:
        """What it prints between NULs (`-z`)."""
        return split(self.call(*args, input=input).stdout)

    def stage(self, *args: str) -> Stage:
        return Stage(argv=[program(), *args], env=self.environment())


def pipe(*stages: Stage, input: bytes) -> bytes:
    """Output of the last of several connected calls. Errors as in `Git.call`."""
    try:
        ended = process.pipeline(stages, input=input, pass_fds=_inherited.get(), timeout=SECONDS)
    except (FileNotFoundError, PermissionError) as error:
        raise _missing(program()) from error
    except TimeoutError as error:
        raise GitFailed(("pipeline",), -1, str(error)) from error
    for stage, done in zip(stages, ended, strict=True):
        if done.returncode != 0:
            raise failure([str(part) for part in stage.argv[1:]], done)
    return ended[-1].stdout


def _run(argv: list[str], env: Mapping[str, str], cwd: Path | None, input: bytes | None) -> Completed:
    try:
        return process.run(argv, cwd=cwd, env=env, input=input, timeout=SECONDS, pass_fds=_inherited.get())
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if cwd is not None and not cwd.is_dir():
            raise GitFailed(tuple(argv[1:]), -1, f"no folder {cwd}") from error
        raise _missing(argv[0]) from error
    except TimeoutError as error:
        raise GitFailed(tuple(argv[1:]), -1, str(error)) from error


def no_space(stderr: bytes) -> bool:
    """Whether git says that the disk is full.

    Where it cannot write a file of a checkout to its end, "unable to write" is all it says; with a reason behind it
    (a folder that somebody's `gc` has just removed) it is something else.
    """
    if any(words in stderr for words in _NO_SPACE):
        return True
    lines = [line for line in stderr.splitlines() if line.startswith(_NOT_WRITTEN)]
    return any(not line.endswith(b": No such file or directory") for line in lines)


def failure(args: Sequence[str], done: Completed) -> GitFailed | OutOfSpace:
    if no_space(done.stderr):
        return out_of_space()
    return GitFailed(tuple(args), done.returncode, done.stderr.decode(errors="replace")[-2000:])


def split(output: bytes) -> list[str]:
    """NUL-terminated names as text (surrogate escapes for what is not UTF-8)."""
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def joined(names: Sequence[str]) -> bytes:
    """The opposite of `split`."""
    return b"".join(os.fsencode(name) + b"\0" for name in names)


def quoted(path: Path) -> str:
    """A path as git wants it in lists of alternates: in C quotes when it could be misread."""
    text = os.fspath(path)
    if not re.search(r'[":\n\\#]', text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
