"""Locks between processes: `flock` on a file. The kernel lets go when the last process that holds it ends.

A lock belongs to the open descriptor, not to a process: a child that is given `Lock.fd` (`pass_fds`) holds it too, so a
resumed run waits for the children of a killed one. The descriptor is handed down only where that is asked for.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class Lock:
    """A lock that is held. Letting go of it leaves it with children that were given the descriptor."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def release(self) -> None:
        """Close the descriptor. (Not LOCK_UN: that would take it from our children as well.) Harmless twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def try_lock(path: Path) -> Lock | None:
    """Take the lock without waiting; None: somebody has it. Makes the file; its folder must exist. Writes our pid."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # the name may stand for another file by now: then this lock would keep nobody out
        if os.path.samestat(os.fstat(fd), path.stat()):
            with suppress(OSError):  # a full disk; the number is only for messages
                os.ftruncate(fd, 0)
                os.pwrite(fd, str(os.getpid()).encode(), 0)
            return Lock(path, fd)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


async def lock(path: Path, *, poll: float = 0.1, seconds: float | None = None) -> Lock | None:
    """Take the lock, looking every `poll` seconds, for at most `seconds` (None: as long as it takes).

    By looking, not by a blocking call in a thread: that could not be cancelled.
    """
    import asyncio

    until = None if seconds is None else time.monotonic() + seconds
    while True:
        taken = try_lock(path)
        if taken is not None:
            return taken
        if until is not None and time.monotonic() >= until:
            return None
        await asyncio.sleep(poll)


def held(path: Path) -> bool:
    """Whether anybody has the lock. Two who ask at the same time do not disturb each other."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def holder(path: Path) -> int | None:
    """The pid written by whoever took the lock last, for messages; None when there is none. Not whether it is held."""
    with suppress(OSError, ValueError):
        return int(path.read_bytes())
    return None
