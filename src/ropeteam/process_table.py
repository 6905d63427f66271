"""The process table: who started whom, and signals that cannot reach the wrong process.

Linux, by /proc. Elsewhere (`HAVE_PROC` false) nothing is found. Environments of processes are never read: they hold
secrets. Used by the wrapper too: only what a bare interpreter has is imported here.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

# pathlib is not loaded here: there is one wrapper for every agent
# ruff: noqa: PTH110, PTH123, PTH208, SIM105

PR_SET_PDEATHSIG = 1  # numbers of linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
HAVE_PROC = os.path.exists("/proc/self/stat")


class Process:
    """One line of the process table. start: clock ticks since boot; with the pid it names a process for good.

    terminal: of the device that controls it, 0 for none.
    """

    __slots__ = ("parent", "pid", "session", "start", "state", "terminal")

    def __init__(self, pid: int, state: str, parent: int, session: int, start: int, terminal: int = 0) -> None:
        self.pid = pid
        self.state = state
        self.parent = parent
        self.session = session
        self.start = start
        self.terminal = terminal

    @property
    def gone(self) -> bool:
        """Dead, and only waiting for its parent to take note."""
        return self.state in "ZX"


def look(pid: int) -> Process | None:
    """The process of that number as it is now; None when there is none, or no /proc to look at."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2 :].split()  # the name before it may hold spaces and brackets
    if len(fields) < 20:
        return None
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]), int(fields[4]))


def boot() -> str:
    """Names the time since the system was started: ticks of another one mean nothing. Empty: it does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip()
    except OSError:
        return ""


def own_name() -> str:
    """Number, start and boot of this process, with spaces between: there will never be another of that name."""
    return f"{os.getpid()} {getattr(look(os.getpid()), 'start', 0)} {boot()}"


def table() -> dict[int, Process]:
    """Every process that can be seen, by its number."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    found = (look(int(name)) for name in names if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def below(top: int) -> list[Process]:
    """Every process that `top` started, and what those started, parents before children. Dead ones are left out."""
    started: dict[int, list[Process]] = {}
    for process in table().values():
        started.setdefault(process.parent, []).append(process)
    order: list[Process] = []
    row = list(started.get(top, ()))
    while row:
        order += row
        row = [child for process in row for child in started.get(process.pid, ())]
    return [process for process in order if not process.gone]


def children(pid: int) -> list[int]:
    """The numbers of its children, dead ones included: quick, and empty where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(number) for number in file.read().split()]
    except OSError:
        return []


def send(process: Process, number: int) -> bool:
    """Signal exactly this process, never another that got its number since. False: it is gone, or not ours."""
    try:
        handle = os.pidfd_open(process.pid) if sys.platform == "linux" else -1
    except OSError as error:
        if error.errno == errno.ESRCH:
            return False
        handle = -1  # an old kernel, or no descriptor is free
    try:
        now = look(process.pid)
        if now is None or now.start != process.start:
            return False
        if handle >= 0:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(process.pid, number)
        return True
    except OSError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)


def send_to_all_below(top: int, number: int) -> list[Process]:
    """Signal everything below `top`, looking again until nothing new appears. Returns them, parents first.

    SIGTERM is not sent to what only holds a process namespace (bubblewrap, unshare): dying of it, it would take
    everything inside along at once, while it ends by itself when what is inside has ended.
    """
    seen: dict[tuple[int, int], Process] = {}
    while True:
        now = below(top)
        new = [process for process in now if (process.pid, process.start) not in seen]
        if not new:
            return list(seen.values())
        holders = _namespace_holders(now) if number == signal.SIGTERM else set()
        for process in new:
            seen[process.pid, process.start] = process
            if process.pid not in holders:
                send(process, number)


def _namespace_holders(processes: list[Process]) -> set[int]:
    """Those that have a child in a process namespace below their own."""
    depth = {process.pid: _namespace_depth(process.pid) for process in processes}
    return {process.parent for process in processes if 0 < depth.get(process.parent, 0) < depth[process.pid]}


def _namespace_depth(pid: int) -> int:
    """In how many process namespaces it has a number; 0: unknown."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return next((len(line.split()) - 1 for line in file if line.startswith(b"NSpid:")), 0)
    except OSError:
        return 0


def signal_group(leader: int, number: int) -> None:
    """For systems without /proc: the program's process group is all that can be reached."""
    try:
        os.killpg(leader, number)
    except OSError:
        pass


def prctl(option: int, value: int) -> None:
    """Tell the kernel something about this process. Does nothing where there is no such call."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def open_descriptors() -> list[int]:
    """Of this process; where that cannot be listed, those that may be."""
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return list(range(1024))
