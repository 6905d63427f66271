"""Runs one program, keeps its output, and answers for everything it starts.

`ropeteam.process` starts `main` in an interpreter of its own (`python -I -S`). Only the standard library and
`process_table` are used (no pathlib, no contextlib: there is one wrapper for every agent), so that it is small and goes
on whatever happens to the orchestrator.

    main(FOLDER, READY_FD, LEASH_FD)     with the specification as JSON on standard input

FOLDER gets `pid` (`process_table.own_name`, by rename), `out.NNN` and `err.NNN` (the output), and `exit.json`, by
rename, only once the kernel says that no child is left. The caller hands down an open descriptor that holds the lock on
FOLDER/lock; it is released by the kernel when this process ends, whichever way. One byte is written to READY_FD when a
signal can no longer be missed. LEASH_FD (-1: none) is the reading end of a pipe whose other end the starter holds:
when that closes, the program is stopped. (Not the parent-death signal: that one follows the starting *thread*.)

SIGTERM asks for a stop: SIGTERM to everything below, SIGKILL to what is left after the grace time. When the program
ends unasked, what it left behind is killed at once. On Linux "everything below" holds for processes that went into
sessions of their own and were orphaned: this process is their subreaper. Elsewhere it is the program's process group.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from ropeteam import process_table as table

# ruff: noqa: PTH104, PTH108, PTH118, PTH123, SIM105

CHUNK = 1 << 16
SEGMENTS = 16  # files that the output may fill; the first and the newest of each stream are never deleted
ROOM = 4096  # bytes of a file written whole
DRAIN_SECONDS = 2.0  # how long what is still in the pipes is read once no child is left
CHASES = 20  # so often, some 50 microseconds apart, no new orphan must have come
LOOK_AGAIN_SECONDS = 0.02  # between two rounds of killing


# ---- the output


class Log:
    """The output of both streams as numbered files, at most `limit` bytes together: beginnings and ends are kept.

    A full disk loses output, never the program.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.size = max(limit // SEGMENTS, 4096)
        self.sizes: dict[str, dict[int, int]] = {}
        self.files: dict[str, int] = {}
        self.total = 0
        self.lost = 0

    def write(self, stream: str, data: bytes) -> None:
        try:
            while data:
                number = self._room(stream)
                done = os.write(self.files[stream], data[: self.size - self.sizes[stream][number]])
                self.sizes[stream][number] += done
                self.total += done
                data = data[done:]
        except OSError:
            self.lost += len(data)
        while self.total > self.limit and self._delete_one():
            pass

    def _room(self, stream: str) -> int:
        """The number of a file of this stream that is open and not full."""
        sizes = self.sizes.setdefault(stream, {})
        newest = max(sizes, default=-1)
        if newest >= 0 and sizes[newest] < self.size:
            return newest
        name = os.path.join(self.folder, f"{stream}.{newest + 1:03d}")
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if stream in self.files:
            os.close(self.files[stream])
        self.files[stream] = file
        sizes[newest + 1] = 0
        return newest + 1

    def _delete_one(self) -> bool:
        """Delete the oldest middle file of the stream that takes most. False: there is none."""
        for stream, sizes in sorted(self.sizes.items(), key=lambda pair: -sum(pair[1].values())):
            middle = sorted(sizes)[1:-1]
            if middle:
                self.total -= sizes.pop(middle[0])
                try:
                    os.unlink(os.path.join(self.folder, f"{stream}.{middle[0]:03d}"))
                except OSError:
                    pass
                return True
        return False


def reserve(folder: str, name: str) -> None:
    """Take the room for a later `write_whole` of that name, so that a disk that is full by then does not matter."""
    with open(os.path.join(folder, name + ".new"), "wb") as file:
        file.write(b" " * ROOM)


def write_whole(folder: str, name: str, text: str, *, sync: bool) -> None:
    """Write a short file, padded with spaces, so that it is there completely or not at all.

    sync: also after a power cut.
    """
    path = os.path.join(folder, name)
    file = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, text.encode().ljust(ROOM))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
    os.rename(path + ".new", path)
    if sync:
        directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(directory)  # closed by the end of this process, which is near


# ---- the program


class Job:
    """What to run: the fields of `ropeteam.process.Spec` that matter here."""

    def __init__(self, text: bytes) -> None:
        told = json.loads(text)
        self.argv: list[str] = told["argv"]
        self.env: dict[str, str] = told["env"]
        self.cwd: str = told["cwd"]
        self.stdin: bytes = told["stdin"].encode("utf-8", "surrogateescape")
        self.grace_seconds: float = told["grace_seconds"]
        self.log_bytes: int = told["log_bytes"]
        self.merge_stderr: bool = told["merge_stderr"]


def become(job: Job, ends: tuple[int, int, int], parent: int) -> None:
    """In the forked child: turn into the program. Comes back only by an exception."""
    os.setpgid(0, 0)
    table.prctl(table.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(125)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # the C library keeps some for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for target, end in enumerate(ends):
        os.dup2(end, target)
    os.chdir(job.cwd)
    os.execvpe(job.argv[0], job.argv, job.env)


def start(job: Job, ends: tuple[int, int, int]) -> tuple[int, str]:
    """Fork the program, its standard streams being `ends`. Returns its pid, and why it could not be started if so."""
    told, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            become(job, ends, parent)
        except BaseException as error:
            code = 127 if isinstance(error, (FileNotFoundError, NotADirectoryError)) else 126
            name = getattr(error, "filename", None) or job.argv[0]
            why = getattr(error, "strerror", None) or repr(error)
            os.write(tell, f"cannot start {name}: {why}".encode(errors="replace"))
            os._exit(code)
    os.close(tell)
    problem = b""
    while part := os.read(told, CHUNK):  # ends without a word when the exec closes the other end
        problem += part
    os.close(told)
    return pid, problem.decode(errors="replace")


class Wrapper:
    """The life of one program: start, pass its output on, stop it when asked, outlive everything it left."""

    def __init__(self, folder: str, job: Job, leash: int, wakeup: int) -> None:
        self.folder = folder
        self.job = job
        self.log = Log(folder, job.log_bytes)
        self.leash = leash
        self.wakeup = wakeup
        self.poll = select.poll()
        self.pipes: dict[int, str] = {}
        self.input = -1
        self.unsent = memoryview(job.stdin)
        self.program = 0
        self.problem = ""
        self.status: int | None = None
        self.started = self.ended = time.monotonic()
        self.ended_at = 0.0
        self.kill_at: float | None = None
        self.asked = False
        self.forced = False
        self.left: set[tuple[int, int]] = set()

    def start(self) -> None:
        """Make the pipes and the program."""
        none = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        out, out_end = os.pipe()
        err, err_end = (-1, out_end) if self.job.merge_stderr else os.pipe()
        input_end, self.input = os.pipe() if self.unsent else (none, -1)
        try:
            self.program, self.problem = start(self.job, (input_end, out_end, err_end))
        except OSError as error:  # no more processes allowed
            self.problem, self.status, self.ended_at = f"cannot start a process: {error}", 126 << 8, time.time()
        for end in {none, out_end, err_end, input_end}:
            os.close(end)
        self._watch(self.wakeup, select.POLLIN)
        self._watch(self.leash, select.POLLIN)
        self._watch(self.input, select.POLLOUT)
        for pipe, stream in ((out, "out"), (err, "err")):
            if self._watch(pipe, select.POLLIN):
                self.pipes[pipe] = stream
        if self.problem:
            self.log.write("out" if self.job.merge_stderr else "err", self.problem.encode() + b"\n")

    def _watch(self, file: int, events: int) -> bool:
        if file >= 0:
            os.set_blocking(file, False)
            self.poll.register(file, events)
        return file >= 0

    def _forget(self, file: int) -> None:
        self.poll.unregister(file)
        os.close(file)
        self.pipes.pop(file, None)

    def serve(self) -> None:
        """Until no child is left."""
        while self._reap():
            now = time.monotonic()
            if self.status is not None and not self.asked:
                self.kill_at = self.ended
            if self.kill_at is None:
                seconds = None
            elif now < self.kill_at:
                seconds = self.kill_at - now
            else:
                self._kill()
                seconds = LOOK_AGAIN_SECONDS
            self._pump(seconds)

    def _reap(self) -> bool:
        """Take note of every child that ended. False: none is left, running or dead."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.program:
                self.status, self.ended, self.ended_at = status, time.monotonic(), time.time()

    def _pump(self, seconds: float | None) -> None:
        """Wait for something to happen, at most `seconds`, and do what it asks for."""
        for file, _ in self.poll.poll(None if seconds is None else int(seconds * 1000) + 1):
            if file == self.wakeup:
                if signal.SIGTERM in os.read(file, CHUNK):
                    self._ask()
            elif file == self.leash:
                self._forget(file)
                self._ask()
            elif file == self.input:
                self._feed()
            else:
                self._read(file)

    def _feed(self) -> None:
        try:
            self.unsent = self.unsent[os.write(self.input, self.unsent[:CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:
            self.unsent = self.unsent[:0]  # it does not want to read on
        if not self.unsent:
            self._forget(self.input)

    def _read(self, pipe: int) -> bool:
        """Pass on what is in the pipe. False: nothing now."""
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self.log.write(self.pipes[pipe], data)
        else:
            self._forget(pipe)
        return bool(data)

    def _ask(self) -> None:
        """The polite part of stopping. What is stopped (SIGSTOP) is continued, or it could not obey."""
        if self.asked:
            return
        self.asked = True
        self.kill_at = time.monotonic() + self.job.grace_seconds
        if table.HAVE_PROC:
            for process in table.send_to_all_below(os.getpid(), signal.SIGTERM):
                table.send(process, signal.SIGCONT)
        elif self.status is None:
            table.signal_group(self.program, signal.SIGTERM)

    def _kill(self) -> None:
        """The other part. Everything is stopped first, so that nothing can fork faster than it is killed."""
        if not table.HAVE_PROC:
            self.forced = self.forced or self.status is None
            table.signal_group(self.program, signal.SIGKILL)
        for process in table.send_to_all_below(os.getpid(), signal.SIGSTOP):
            if table.send(process, signal.SIGKILL):
                if process.pid == self.program:
                    self.forced = True
                else:
                    self.left.add((process.pid, process.start))
        self._chase()

    def _chase(self) -> None:
        """Kill what is never there any more when the table has been read: a row of processes, each forking and ending.

        Orphans become children of ours, and to read only those is quick. Their numbers stay theirs until we reap them.
        """
        before: list[int] = []
        same = 0
        for _ in range(CHASES * CHASES):
            if self.status is None or same == CHASES or not self._reap():
                return
            now = table.children(os.getpid())
            same, before = (same + 1 if now == before else 0), now
            for pid in now:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass  # it became another user

    def finish(self) -> None:
        """No child is left: keep what is still in the pipes, and say how it ended."""
        until = time.monotonic() + DRAIN_SECONDS
        for pipe in list(self.pipes):
            while pipe in self.pipes and self._read(pipe) and time.monotonic() < until:
                pass
        code = os.waitstatus_to_exitcode(self.status) if self.status is not None else None
        record = {
            "code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else 0,
            "at": self.ended_at,
            "seconds": self.ended - self.started,
            "asked": self.asked,
            "forced": self.forced,
            "left": len(self.left),
            "lost": self.log.lost,
            "problem": self.problem[:500],
        }
        write_whole(self.folder, "exit.json", json.dumps(record), sync=True)


def listen_for_signals() -> int:
    """From now on signals are bytes in a pipe. Returns the end to read."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    return told


def main(folder: str, ready_fd: str, leash_fd: str) -> None:
    """The whole life of the wrapper. Ends when nothing is left."""
    ready = int(ready_fd)
    for fd in table.open_descriptors():  # the locks among them: this process holds them, the program must not
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass  # not open (any more)
    wakeup = listen_for_signals()
    table.prctl(table.PR_SET_CHILD_SUBREAPER, 1)
    job = Job(sys.stdin.buffer.read())
    reserve(folder, "exit.json")
    write_whole(folder, "pid", table.own_name(), sync=False)
    try:
        os.write(ready, b"r")
    except OSError:
        pass  # whoever started this is gone; the program runs all the same
    os.close(ready)
    wrapper = Wrapper(folder, job, int(leash_fd), wakeup)
    wrapper.start()
    wrapper.serve()
    wrapper.finish()
