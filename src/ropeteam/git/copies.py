"""What a tree needs and the repository does not have: dependency folders and the like, copied from the user's checkout.

Never linked: an install in the tree would write into the user's folders, and an editable install would test the user's
code. A copied virtual environment names the user's folder in many places; those are made to name the tree.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ropeteam import process
from ropeteam.git.calls import NO_SPACE, full_disk, out_of_space
from ropeteam.git.store import Store
from ropeteam.git.trees import Tree

SECRETS = re.compile(r"\.env(\..*)?|.*\.env")
MOST_BYTES = 4_000_000  # of a text file in a virtual environment that is looked into


def copy_untracked(store: Store, tree: Tree, paths: Sequence[str]) -> None:
    """Copy these paths of the user's checkout into the tree (sharing blocks where the file system can). What the tree
    has already stays. They are in no snapshot, and the agent's `git status` does not show them."""
    top = store.repo.top
    with full_disk():
        copied = set(tree.noted("copied"))
        for name in dict.fromkeys(path.rstrip("/") for path in paths):
            source, target = top / name, tree.path / name
            if not _may_copy(source, target, tree.path):
                continue
            # Noted first: half a copy must not end in a snapshot.
            copied.add(name)
            tree.note("copied", sorted(copied))
            _exclude(tree, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, target)
            if SECRETS.fullmatch(target.name) and target.is_file() and not target.is_symlink():
                target.chmod(stat.S_IRUSR | stat.S_IWUSR)
            _relocate(target, top, tree.path)


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


def _copy(source: Path, target: Path) -> None:
    if sys.platform == "linux" and shutil.which("cp"):
        done = process.run(["cp", "-a", "--reflink=auto", "--", os.fspath(source), os.fspath(target)])
        if done.returncode == 0:
            return
        if any(words in done.stderr for words in NO_SPACE):
            raise out_of_space(target)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=_odd)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _odd(folder: str, names: list[str]) -> list[str]:
    """What cannot be copied: sockets, pipes, devices."""
    modes = {name: Path(folder, name).lstat().st_mode for name in names}
    plain = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return [name for name, mode in modes.items() if not any(kind(mode) for kind in plain)]


# ---- paths of the user's checkout inside the copy


def _relocate(place: Path, top: Path, tree: Path) -> None:
    """Links to absolute places in the checkout, and the text files of virtual environments, name the tree instead."""
    if place.is_symlink():
        _relink(place, top, tree)
        return
    for folder, folders, names in os.walk(place):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink():
                _relink(path, top, tree)
        if "pyvenv.cfg" in names:
            _relocate_environment(Path(folder), top, tree)


def _relink(path: Path, top: Path, tree: Path) -> None:
    there = path.readlink()
    if there.is_absolute() and there.is_relative_to(top):
        path.unlink()
        path.symlink_to(tree / there.relative_to(top))


def _relocate_environment(place: Path, top: Path, tree: Path) -> None:
    prefixes = {os.fsencode(top)}
    if (named := _named_in_activate(place, tree)) is not None:
        prefixes.add(named)
    pattern = re.compile(b"(?:" + b"|".join(re.escape(p) for p in sorted(prefixes)) + rb")(?=[/\"'\s:;,)]|$)")
    for path in _texts(place):
        _rewrite(path, pattern, os.fsencode(tree))


def _named_in_activate(place: Path, tree: Path) -> bytes | None:
    """The checkout as the environment names it: it may have been made by way of a link."""
    relative = os.fsencode(place.relative_to(tree))
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
