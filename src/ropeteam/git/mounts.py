"""Overlay mounts: what shows a folder that is only read, and takes every change into another. Linux, as root.

Every mount of ours carries `NAME` as its source, so that it is told from others. Nothing is assumed: `problem` tries.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from ropeteam import process
from ropeteam.errors import RopeteamError

NAME = "ropeteam-tree"
SECONDS = 30.0
OPTIONS = "redirect_dir=on,index=off,metacopy=off"
"""redirect_dir: else `rename` of a folder fails, and with it `git mv`. metacopy: a new mode copies the whole file."""

_MOUNTINFO = Path("/proc/self/mountinfo")
_PLAIN = re.compile(r"[\w./-]+")


class NotMounted(RopeteamError):
    """An overlay could not be mounted, or not be taken away."""


def mount(place: Path, lower: Path, upper: Path, work: Path) -> None:
    """Show at `place` what is in `lower`, with changes in `upper`. NotMounted with the reason."""
    base = upper.parent
    # Relative to a folder of ours: whatever the folders above are called, nothing in the options needs an escape.
    folders = {"lowerdir": lower, "upperdir": upper, "workdir": work}
    named = {key: os.path.relpath(os.path.realpath(path), os.path.realpath(base)) for key, path in folders.items()}
    if not all(path.is_dir() for path in (place, lower, upper)) or not all(map(_PLAIN.fullmatch, named.values())):
        raise NotMounted(f"The work tree {place} cannot be mounted: {lower} or {upper} is gone.", where=str(place))
    options = ",".join(f"{key}={value}" for key, value in named.items())
    _call("mount", ["-t", "overlay", "-o", f"{options},{OPTIONS}", NAME, os.fspath(place)], base, place)


def is_mounted(place: Path) -> bool:
    """Whether an overlay of ours is mounted there."""
    return os.path.realpath(place) in _ours()


def unmount_below(folder: Path) -> None:
    """Take away every overlay of ours at `folder` or below it. NotMounted where one stays."""
    real = os.path.realpath(folder)
    for place in reversed([place for place in _ours() if place == real or place.startswith(real.rstrip("/") + "/")]):
        try:
            _call("umount", [place], Path("/"), Path(place))
        except NotMounted:  # something still works in it: it keeps its view, and nobody else sees it any more
            _call("umount", ["--lazy", place], Path("/"), Path(place))


def foreign_below(folder: Path) -> list[str]:
    """What somebody else has mounted at `folder` or below it: to remove the folder would remove what is in there."""
    real = os.path.realpath(folder)
    ours = set(_ours())
    return [p for p in _mounted() if p not in ours and (p == real or p.startswith(real.rstrip("/") + "/"))]


def _ours() -> list[str]:
    """Where overlays of ours are mounted, in the order in which that was done."""
    return [place for place, ours in _table() if ours]


def _mounted() -> list[str]:
    return [place for place, _ in _table()]


def _table() -> list[tuple[str, bool]]:
    """Every mount, in order: where, and whether it is one of ours."""
    try:
        lines = _MOUNTINFO.read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines:
        fields, _, rest = line.partition(b" - ")
        if rest:
            place = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields.split(b" ")[4])
            found.append((os.fsdecode(place), rest.split(b" ")[:2] == [b"overlay", NAME.encode()]))
    return found


def _call(program: str, args: list[str], cwd: Path, place: Path) -> None:
    try:
        done = process.run([program, *args], cwd=cwd, timeout=SECONDS, env={**os.environ, "LC_ALL": "C"})
    except (OSError, TimeoutError) as error:
        raise NotMounted(f"{program} of the work tree {place} failed: {error}.", where=str(place)) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
        raise NotMounted(f"{program} of the work tree {place} failed: {said}.", where=str(place))


def problem(folder: Path) -> str:
    """Why overlays cannot be used in this folder, empty when they can. A real one is mounted and taken away: 20 ms."""
    if not sys.platform.startswith("linux"):
        return "overlays exist on Linux only"
    if os.geteuid() != 0:
        return "mounting an overlay needs root"
    if not shutil.which("mount") or not shutil.which("umount"):
        return "mount or umount is not installed"
    place = folder / f".overlay-{secrets.token_hex(4)}"
    try:
        return _tried(place)
    except NotMounted as error:
        return f"an overlay does not mount in {folder}: {error.message}"
    except OSError as error:
        return f"an overlay does not work in {folder}: {error.strerror}"
    finally:
        with suppress(NotMounted):
            unmount_below(place)
        shutil.rmtree(place, ignore_errors=True)


def _tried(place: Path) -> str:
    lower, upper, work, shown = (place / name for name in ("lower", "upper", "work", "shown"))
    for path in (lower / "inner", upper, work, shown):
        path.mkdir(parents=True)
    (lower / "inner" / "file").write_text("x\n")
    mount(shown, lower, upper, work)
    ours, theirs = (lower / "inner" / "file").lstat(), (shown / "inner" / "file").lstat()
    # git's index of the folder below must hold in the overlay: else each tree's first look would read every file
    if (ours.st_ino, ours.st_ctime_ns, ours.st_mtime_ns) != (theirs.st_ino, theirs.st_ctime_ns, theirs.st_mtime_ns):
        return "an overlay shows other file numbers than the folder below it"
    (shown / "inner").rename(shown / "renamed")
    (shown / "renamed" / "file").write_text("y\n")
    if (shown / "renamed" / "file").lstat().st_ctime_ns == ours.st_ctime_ns:
        return "an overlay does not tell which files were changed"
    return ""
