"""What a tree needs and the repository does not have: dependency folders and the like, copied from the user's checkout.

Never linked: an install in the tree would write into the user's folders, and an editable install would test the user's
code. A copied virtual environment names the user's folder in many places; those are made to name the tree.
"""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ropeteam import process
from ropeteam.git.calls import full_disk, no_space, out_of_space
from ropeteam.git.store import Store
from ropeteam.git.trees import Tree, erase

LARGE = 50_000_000
SECRETS = re.compile(r"\.env(\..*)?|.*\.env")
MOST_BYTES = 4_000_000  # of a text file in a virtual environment that is looked into


@dataclass(frozen=True, kw_only=True)
class Copying:
    """seconds: how long all of it may take. stopped: asked every now and then; what is not copied by then is left.

    tell: what is being copied now, where that is more than `LARGE` bytes, for people.
    """

    seconds: float = math.inf
    stopped: Callable[[], bool] = lambda: False
    tell: Callable[[str], None] = lambda _text: None


@dataclass(frozen=True)
class NotCopied:
    """text: a sentence. partly: the rest of it is there."""

    text: str
    partly: bool = False


class _Late(Exception):
    """The time is up."""


class _Stopped(Exception):
    """Somebody waits for the end of it."""


def copy_untracked(store: Store, tree: Tree, paths: Sequence[str], how: Copying | None = None) -> tuple[NotCopied, ...]:
    """Copy these paths of the user's checkout into the tree (sharing blocks where the file system can), each of them
    whole or not at all. What the tree has already stays. They are in no snapshot, and the agent's `git status` does not
    show them. Gives those that were not copied, or not all of them."""
    how = how or Copying()
    until = time.monotonic() + how.seconds
    problems: list[NotCopied] = []
    with full_disk():
        for name in dict.fromkeys(path.rstrip("/") for path in paths):
            if _may_copy(store.repo.top / name, tree.path / name, tree.path):
                try:
                    problems += _copy_one(store.repo.top, tree, name, until, how)
                except _Late:
                    problems.append(NotCopied(f"{name} was not copied: that took longer than {how.seconds:g} s."))
                except _Stopped:
                    break
    return tuple(problems)


def _copy_one(top: Path, tree: Tree, name: str, until: float, how: Copying) -> list[NotCopied]:
    """Made beside the tree and renamed: an orchestrator may be killed meanwhile."""
    source, target = top / name, tree.path / name
    tree.note("copied", sorted({*tree.noted("copied"), name}))
    _exclude(tree, name)
    size = _size(source, how)
    if size > LARGE:
        how.tell(f"copying {name}, {size / 1e6:,.0f} MB, into its work tree")
    beside = _beside(tree)
    try:
        problems = _copy(source, beside, until, how)
        if os.path.lexists(beside):
            if SECRETS.fullmatch(target.name) and beside.is_file() and not beside.is_symlink():
                beside.chmod(stat.S_IRUSR | stat.S_IWUSR)
            _relocate(beside, name, top, tree.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.rename(target)
    except _Stopped:
        raise  # in a hurry: what is half copied goes with the folder that the tree is in
    except BaseException:
        _remove(beside)
        raise
    there = os.path.lexists(target)
    return [NotCopied(f"{name} was {'in part ' * there}not copied: {why}.", partly=there) for why in problems]


def _beside(tree: Tree) -> Path:
    """A place from which it can be renamed into the tree: in its `.git` where the tree is a mount."""
    if tree.path.stat().st_dev != tree.path.parent.stat().st_dev:
        return tree.path / ".git" / f"{secrets.token_hex(4)}.copy"
    return tree.path.with_name(f".{tree.path.name}.{secrets.token_hex(4)}.copy")


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        erase(place)
    else:
        place.unlink(missing_ok=True)


def _size(source: Path, how: Copying) -> int:
    """Bytes in a file or folder. 0.5 s for 130,000 files."""
    size = 0
    folders = [source] if source.is_dir() and not source.is_symlink() else []
    if not folders:
        return source.lstat().st_size
    while folders:
        if how.stopped():
            raise _Stopped
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    size += entry.stat(follow_symlinks=False).st_size
    return size


def put_back(tree: Tree, name: str, content: bytes | None) -> None:
    """Undo in a new tree what an earlier attempt did to a file (None: there was none). A link is never followed out."""
    path = tree.path / name
    if path.parent.resolve() != tree.path.resolve() / Path(name).parent or (path.is_dir() and not path.is_symlink()):
        return
    path.unlink(missing_ok=True)
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _may_copy(source: Path, target: Path, inside: Path) -> bool:
    if not os.path.lexists(source) or os.path.lexists(target):
        return False
    return target.parent.resolve().is_relative_to(inside.resolve())


def _exclude(tree: Tree, name: str) -> None:
    escaped = re.sub(r"([\\*?\[\]!# ])", r"\\\1", name)
    with (tree.path / ".git" / "info" / "exclude").open("ab") as file:
        file.write(os.fsencode(f"/{escaped}\n"))


def _copy(source: Path, target: Path, until: float, how: Copying) -> list[str]:
    """Why some of it could not be copied. _Late, _Stopped: then the half of it is there."""
    if sys.platform == "linux" and shutil.which("cp"):
        argv = ["cp", "-a", "--reflink=auto", "--", os.fspath(source), os.fspath(target)]
        left = None if until == math.inf else max(0.0, until - time.monotonic())
        try:
            done = process.run(argv, timeout=left, stopped=how.stopped)
        except TimeoutError as error:
            raise _Late from error
        except InterruptedError as error:
            raise _Stopped from error
        if done.returncode == 0:
            return []
        if no_space(done.stderr):
            raise out_of_space(target)
    return _copy_ourselves(source, target, until, how)


def _copy_ourselves(source: Path, target: Path, until: float, how: Copying) -> list[str]:
    def one(path: str, copy: str) -> str:
        if how.stopped():
            raise _Stopped
        if time.monotonic() > until:
            raise _Late
        return shutil.copy2(path, copy, follow_symlinks=False)

    try:
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=_odd, copy_function=one)
        else:
            one(os.fspath(source), os.fspath(target))
    except shutil.Error as error:
        reasons = [str(why) for _, _, why in error.args[0]]
        if any(no_space(os.fsencode(reason)) for reason in reasons):
            raise out_of_space(target) from error
        return reasons[:1]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return [str(error)]
    return []


def _odd(folder: str, names: list[str]) -> list[str]:
    """What cannot be copied: sockets, pipes, devices."""
    modes = {name: Path(folder, name).lstat().st_mode for name in names}
    plain = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return [name for name, mode in modes.items() if not any(kind(mode) for kind in plain)]


# ---- paths of the user's checkout inside the copy


def _relocate(place: Path, name: str, top: Path, tree: Path) -> None:
    """Links to absolute places in the checkout, and the text files of virtual environments, name the tree instead.

    place: the copy. name: of the same in the checkout, and in the tree."""
    if place.is_symlink():
        _relink(place, top, tree)
        return
    for folder, folders, names in os.walk(place):
        for inner in (*folders, *names):
            path = Path(folder, inner)
            if path.is_symlink():
                _relink(path, top, tree)
        if "pyvenv.cfg" in names:
            _relocate_environment(Path(folder), os.path.normpath(name / Path(folder).relative_to(place)), top, tree)


def _relink(path: Path, top: Path, tree: Path) -> None:
    there = path.readlink()
    if there.is_absolute() and there.is_relative_to(top):
        path.unlink()
        path.symlink_to(tree / there.relative_to(top))


def _relocate_environment(place: Path, name: str, top: Path, tree: Path) -> None:
    prefixes = {os.fsencode(top)}
    if (named := _named_in_activate(place, name)) is not None:
        prefixes.add(named)
    pattern = re.compile(b"(?:" + b"|".join(re.escape(p) for p in sorted(prefixes)) + rb")(?=[/\"'\s:;,)]|$)")
    for path in _texts(place):
        _rewrite(path, pattern, os.fsencode(tree))


def _named_in_activate(place: Path, name: str) -> bytes | None:
    """The checkout as the environment names it: it may have been made by way of a link."""
    relative = os.fsencode(name)
    with suppress(OSError):
        text = (place / "bin" / "activate").read_bytes()
        found = re.search(rb"VIRTUAL_ENV=['\"]?(/[^'\"\n]+)", text)
        if found is not None and found.group(1).endswith(b"/" + relative):
            return found.group(1).removesuffix(b"/" + relative)
    return None


def _texts(place: Path) -> Iterator[Path]:
    yield place / "pyvenv.cfg"
    yield from (place / "bin").glob("*")
    for packages in place.glob("lib*/python*/site-packages"):
        if packages.parent.parent.is_symlink():
            continue  # lib64, another name of lib
        for shape in ("*.pth", "*.egg-link", "__editable__*", "*.dist-info/direct_url.json", "*.dist-info/RECORD"):
            yield from packages.glob(shape)


def _rewrite(path: Path, pattern: re.Pattern[bytes], tree: bytes) -> None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return
    old = path.read_bytes()
    if b"\0" in old:
        return  # a program, not a text
    new = pattern.sub(lambda _: tree, old)
    if new == old:
        return
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(new)
    shutil.copymode(path, beside)
    beside.replace(path)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
