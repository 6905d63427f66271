"""Documents as bytes and as files: decoded, and replaced as a whole."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from ropeteam.errors import BadInput


def text(content: bytes | None) -> str | None:
    """The text of a document as `with_section` and `with_mark` take it. Raises BadInput when it is not UTF-8."""
    if content is None:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"A document of the feature is not UTF-8 in line {line}; it was left as it is.") from error


def write(path: Path, text: str, *, inside: Path | None = None) -> None:
    """Replace the file atomically: whoever reads it sees the old text or the new one, also after a power cut.

    The file's mode stays; missing folders are made. A symbolic link is refused, and so is a folder that leads out of
    `inside`, with BadInput. Raises OSError when it cannot be written; the old text is there then.
    """
    if path.is_symlink():
        raise BadInput(f"{path.name} is a symbolic link; it was left as it is.", where=str(path))
    if inside is not None and not path.parent.resolve().is_relative_to(inside.resolve()):
        raise BadInput(f"{path.parent} leads out of the repository; nothing was written.", where=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode("utf-8")
    before = path.stat() if path.exists() else None
    if before is not None and before.st_size == len(content) and path.read_bytes() == content:
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(beside, content, before)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_new(path: Path, content: bytes, like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if like is not None:
            with suppress(PermissionError):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
