"""What can be done to everything below a process: stop it for a moment, continue it, kill it; and find what was left.

Linux reads /proc. Elsewhere nothing can be found below a process, so these do nothing: the wrapper then falls back on
the program's process group.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ropeteam import locks
from ropeteam.process_folder import wrapper
from ropeteam.process_table import Process, below, look, send, send_to_all_below, table

SETTLE_SECONDS = 10.0  # how long a process may take to stop; one that waits for a disk cannot at once
VFORK_SECONDS = 0.1  # how long one must have been in the state that vfork leaves a parent in, to count as stopped
LOOK_AGAIN_SECONDS = 0.001
SWEEP_SECONDS = 10.0
MARK = "freeze"  # file in the wrapper's folder: locked by who freezes, and not empty while something is frozen


@contextmanager
def frozen(top: Process, folder: Path) -> Iterator[None]:
    """Everything below `top` stands still inside the block. TimeoutError: something does not stop; all goes on then.

    Killed inside the block, the mark in `folder` tells the next one to call `thaw_left`.
    """
    mark = _mark(folder)
    try:
        os.pwrite(mark.fd, b"x" * 32, 0)
        stopped: list[Process] = []
        try:
            stopped = _stop(top)
            yield
        finally:
            for process in reversed(stopped or _all_below(top)):
                send(process, signal.SIGCONT)
            os.ftruncate(mark.fd, 0)
    finally:
        mark.release()


def thaw_left(top: Process, folder: Path) -> None:
    """Continue what was frozen by somebody who is dead. Leaves alone what somebody living has frozen just now."""
    path = folder / MARK
    if not path.exists() or not path.stat().st_size:
        return
    mark = locks.try_lock(path)
    if mark is None:
        return
    try:
        for process in reversed(_all_below(top)):
            send(process, signal.SIGCONT)
        os.ftruncate(mark.fd, 0)
    finally:
        mark.release()


def kill_below(top: Process) -> bool:
    """Kill everything below `top`, stopping all of it first so that nothing forks away. False: there was nothing."""
    if not _same(top):
        return False
    found = send_to_all_below(top.pid, signal.SIGSTOP)
    for process in found:
        send(process, signal.SIGKILL)
    return bool(found)


def sweep_after(tree: Path, *logs: Path) -> list[int]:
    """`sweep` what is younger than the wrappers that had these folders; nothing when there were none since the boot."""
    starts = [written[1] for log in logs if (written := wrapper(log)) is not None]
    return sweep(tree, since=min(starts)) if starts else []


def sweep(tree: Path, *, since: int = 0, known: Container[int] = ()) -> list[int]:
    """Kill every process that works in `tree` or has a file of it open, until none is left. Returns their pids.

    For what a killed wrapper leaves behind, in trees of ours only. Spared: this process, those above it, those in its
    session, those at a terminal (a person's shell, editor, pager, wherever), those that were there before `since`
    (ticks since boot), and `known`. Environments of processes are never read: they hold secrets.
    """
    root = os.path.realpath(tree)
    killed: dict[int, None] = {}
    until = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < until:
        found = [process for process in _strangers(since, known) if _works_in(process.pid, root)]
        if not found:
            break
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                if send(process, number):
                    killed[process.pid] = None
        time.sleep(LOOK_AGAIN_SECONDS)
    return list(killed)


def works_in(tree: Path) -> bool:
    """Whether any process but this one works in `tree` or has a file of it open; a person's shell or viewer counts."""
    root = os.path.realpath(tree)
    return any(_works_in(pid, root) for pid in table() if pid != os.getpid())


def _mark(folder: Path) -> locks.Lock:
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        mark = locks.try_lock(folder / MARK)
        if mark is not None:
            return mark
        if time.monotonic() > until:
            raise TimeoutError(f"{folder}: frozen by another process")
        time.sleep(LOOK_AGAIN_SECONDS)


def _same(top: Process) -> bool:
    now = look(top.pid)
    return now is not None and now.start == top.start and not now.gone


def _all_below(top: Process) -> list[Process]:
    return below(top.pid) if _same(top) else []


def _stop(top: Process) -> list[Process]:
    """Stop everything below `top`, parents first, until there is nothing new and all of it really stands still."""
    stopped: dict[tuple[int, int], Process] = {}
    odd: dict[int, float] = {}
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        now = _all_below(top)
        new = [process for process in now if (process.pid, process.start) not in stopped]
        for process in new:
            stopped[process.pid, process.start] = process
            send(process, signal.SIGSTOP)
        if not new and all(_stands_still(process, odd) for process in now):
            return list(stopped.values())
        if time.monotonic() > until:
            for process in reversed(stopped.values()):
                send(process, signal.SIGCONT)
            raise TimeoutError(f"a process below {top.pid} cannot be stopped")
        time.sleep(LOOK_AGAIN_SECONDS)


def _stands_still(process: Process, odd: dict[int, float]) -> bool:
    """Whether every thread is stopped. `odd` remembers since when a process was seen with threads that only wait.

    A parent in the middle of `vfork` waits in the kernel (state D) until its child, which is stopped, goes on: it does
    nothing, and will never show as stopped. A wait for the disk looks the same but is short.
    """
    states = _thread_states(process.pid)
    if all(state in "TtZX" for state in states):
        odd.pop(process.pid, None)
        return True
    if all(state in "TtZXD" for state in states):
        return time.monotonic() - odd.setdefault(process.pid, time.monotonic()) > VFORK_SECONDS
    odd.pop(process.pid, None)
    return False


def _thread_states(pid: int) -> list[str]:
    states = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            text = (thread / "stat").read_bytes()
            states.append(text[text.rfind(b")") + 2 : text.rfind(b")") + 3].decode())
    except OSError:
        return states  # it ended meanwhile
    return states


def _strangers(since: int, known: Container[int]) -> list[Process]:
    everyone = table()
    me = everyone.get(os.getpid())
    above = set()
    up = me
    while up is not None and up.pid not in above:
        above.add(up.pid)
        up = everyone.get(up.parent)
    return [
        process
        for process in everyone.values()
        if process.pid not in above
        and process.pid not in known
        and not process.gone
        and not process.terminal
        and process.start >= since
        and (me is None or process.session != me.session)
    ]


def _works_in(pid: int, root: str) -> bool:
    links = [Path(f"/proc/{pid}/cwd")]
    with suppress(OSError):  # not ours to look at, or gone
        links += Path(f"/proc/{pid}/fd").iterdir()
    for link in links:
        with suppress(OSError):
            target = str(link.readlink())
            if target in (root, root + " (deleted)") or target.startswith(root + "/"):
                return True
    return False
