"""The only place that starts child processes.

Two ways. `run` and `pipeline`: short calls that are waited for (git, `--version`). `launch`: a program that may take
hours, under a wrapper (`ropeteam.process_wrapper`) that answers for everything it starts, keeps its output and records
its end, whether or not the orchestrator lives; `attach` finds it again. `talking` is for a program that runs under such
a wrapper itself and has another one to talk to.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

import msgspec

from ropeteam import locks, process_tree
from ropeteam.process_folder import Ended, Position, Spec, Tail, ended, wrapper
from ropeteam.process_table import HAVE_PROC, Process, look, send
from ropeteam.process_tree import sweep, sweep_after, works_in

WRAPPER = "import sys; sys.path.append(sys.argv[1]); from ropeteam.process_wrapper import main; main(*sys.argv[2:])"
READY_SECONDS = 60.0  # until a wrapper must have started; 20 ms on an idle machine
KILL_SECONDS = 10.0  # until what was killed must be gone
WAIT_SECONDS = 0.05  # between two looks where the kernel cannot tell us
STOP_SECONDS = 0.1  # between two looks whether a call is to stop
PIPE_SECONDS = 1.0  # how long output of a killed call is read on, when somebody else holds the pipe


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """How a short call ended. returncode: negative for a signal."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One program of a pipeline. env: None is our own."""

    argv: Sequence[str | bytes]
    env: Mapping[str, str] | None = None


def run(
    argv: Sequence[str | bytes],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,
    timeout: float | None = None,
    stopped: Callable[[], bool] | None = None,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a program in a session of its own and wait. Standard input is empty without `input`.

    TimeoutError after `timeout` seconds, InterruptedError soon after `stopped` (not together with `input`) says so;
    then, and on any other exception, its process group has been killed. FileNotFoundError, PermissionError: it cannot
    be started.
    """
    assert stopped is None or input is None  # `communicate` cannot be called again where there is input
    child = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    with _killed_on_error([child]):
        stdout, stderr = _output(child, _name(argv), input, timeout, stopped)
    return Completed(returncode=child.returncode, stdout=stdout, stderr=stderr)


def _output(
    child: subprocess.Popen[bytes],
    name: str,
    input: bytes | None,
    timeout: float | None,
    stopped: Callable[[], bool] | None,
) -> tuple[bytes, bytes]:
    until = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        left = until - time.monotonic()
        at_most = left if stopped is None else min(left, STOP_SECONDS)
        try:
            return child.communicate(input, None if at_most == math.inf else max(0.0, at_most))
        except subprocess.TimeoutExpired as error:
            if stopped is not None and stopped():
                raise InterruptedError(f"{name} was stopped") from error
            if stopped is None or time.monotonic() >= until:
                raise TimeoutError(f"{name} took longer than {timeout:g} s") from error


def pipeline(
    stages: Sequence[Stage],
    *,
    input: bytes = b"",
    cwd: Path | None = None,
    timeout: float | None = None,
    pass_fds: Sequence[int] = (),
) -> tuple[Completed, ...]:
    """Run programs side by side, each one's standard output being the next one's input, through pipes of the kernel.

    One `Completed` for each, `stdout` only in the last. Errors as in `run`; then all of them have been killed.
    """
    children: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as source, _temporary_files(len(stages)) as errors, _killed_on_error(children):
        source.write(input)
        source.seek(0)
        above: IO[bytes] = source
        for stage, error_file in zip(stages, errors, strict=True):
            child = subprocess.Popen(
                stage.argv,
                cwd=cwd,
                env=stage.env,
                stdin=above,
                stdout=subprocess.PIPE,
                stderr=error_file,
                pass_fds=pass_fds,
                start_new_session=True,
            )
            children.append(child)
            if above is not source:
                above.close()  # else the one before would never see that the next one is gone
            assert child.stdout is not None
            above = child.stdout
        until = None if timeout is None else time.monotonic() + timeout
        try:
            stdout, _ = children[-1].communicate(timeout=timeout)
            for child in children:
                child.wait(None if until is None else max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{_name(stages[-1].argv)} took longer than {timeout:g} s") from error
        return tuple(
            Completed(returncode=child.returncode, stdout=stdout if child is children[-1] else b"", stderr=_whole(file))
            for child, file in zip(children, errors, strict=True)
        )


@contextmanager
def _temporary_files(count: int) -> Iterator[list[IO[bytes]]]:
    files: list[IO[bytes]] = []
    try:
        for _ in range(count):
            files.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed below
        yield files
    finally:
        for file in files:
            file.close()


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _name(argv: Sequence[str | bytes]) -> str:
    return " ".join(os.fsdecode(part) for part in argv[:3])


@contextmanager
def _killed_on_error(children: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Whatever goes wrong inside, the children's process groups do not outlive the block."""
    try:
        yield
    except BaseException:
        for child in children:
            if child.returncode is None:
                with suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
        for child in children:
            with suppress(subprocess.TimeoutExpired, ValueError):
                child.communicate(timeout=PIPE_SECONDS)
            for file in (child.stdin, child.stdout, child.stderr):
                if file is not None:
                    with suppress(OSError):
                        file.close()
            child.wait()
        raise


class Talker:
    """A program that is written to and read from while it runs. input, output: its standard streams, unbuffered."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._child = child
        self.input = child.stdin
        self.output = child.stdout

    def wait(self, seconds: float) -> int | None:
        """Its exit code (negative for a signal), or None when it still runs after so long."""
        with suppress(subprocess.TimeoutExpired):
            return self._child.wait(seconds)
        return None

    def end(self, seconds: float) -> int:
        """Close its input, ask it to end, kill it, with so long after each of the first two. Its exit code."""
        with suppress(OSError):
            self.input.close()
        for action in (self._child.terminate, self._child.kill):
            code = self.wait(seconds)
            if code is not None:
                return code
            action()
        return self._child.wait()


@contextmanager
def talking(argv: Sequence[str], *, cwd: Path, seconds: float = 1.0) -> Iterator[Talker]:
    """A program to be talked to, with our environment and standard error, ended (`Talker.end`) with the block.

    It stays in our process group and nobody answers for what it starts: the wrapper we run under does. OSError: it
    cannot be started.
    """
    child = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    talker = Talker(child)
    try:
        yield talker
    finally:
        talker.end(seconds)
        with suppress(OSError):
            talker.output.close()


# ---- supervised programs


def spawn(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path) -> int:
    """Start a program that is to outlive us, in a session of its own, its output appended to a file. Its pid.

    Nothing of ours is inherited. It is waited for by nobody: when it ends before us it stays a zombie until we end.
    """
    with output.open("ab") as log:
        child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    child.returncode = 0  # it is not ours to wait for: else the garbage collector complains of it
    return child.pid


class Child:
    """A supervised program, started by `launch` or found by `attach`. pid, start: of its wrapper."""

    def __init__(self, folder: Path, top: Process, started: subprocess.Popen[bytes] | None = None, leash: int = -1):
        self.folder = folder
        self.pid = top.pid
        self._top = top
        self._started = started
        self._leash = [leash] if leash >= 0 else []  # closed, by the kernel at the latest: the program is stopped

    def alive(self) -> bool:
        """Whether the wrapper lives. Once it does not, the record is there, or the wrapper was killed."""
        if self._started is None:
            return locks.held(self.folder / "lock")
        if self._started.poll() is None:
            return True
        with suppress(IndexError):  # popping it is atomic: another thread may be here as well
            os.close(self._leash.pop())
        return False

    def stop(self) -> None:
        """Ask for a stop: SIGTERM to everything below, the grace time, SIGKILL. Returns at once; harmless when gone."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill everything below the wrapper now, and wait until nothing is left and the end is recorded.

        TimeoutError: something cannot be killed (it waits for a dead disk, or became another user).
        """
        until = time.monotonic() + KILL_SECONDS
        self._signal(signal.SIGCONT)  # a wrapper that somebody stopped could not take note
        while self.alive():
            found = process_tree.kill_below(self._top)
            if not HAVE_PROC:
                self._signal(signal.SIGTERM)
            if time.monotonic() > until:
                if found:
                    raise TimeoutError(f"a process below {self.pid} cannot be killed")
                self._signal(signal.SIGKILL)
            time.sleep(process_tree.LOOK_AGAIN_SECONDS)

    def frozen(self) -> AbstractContextManager[None]:
        """A block in which everything below the wrapper stands still. Nothing happens when the wrapper is gone."""
        if not HAVE_PROC:
            return nullcontext()
        return process_tree.frozen(self._top, self.folder)

    def _signal(self, number: int) -> None:
        if HAVE_PROC:
            send(self._top, number)
        elif self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def launch(spec: Spec, *, lock_fds: Sequence[int] = ()) -> Child:
    """Start a program under a wrapper; returns once the wrapper listens (about 25 ms).

    lock_fds: descriptors that the wrapper holds on to (not the program). FileExistsError: the folder has been used.
    A program that cannot be started is no exception: its record says so (`Ended.problem`).
    """
    folder = Path(spec.folder)
    if (folder / "pid").exists() or (folder / "exit.json").exists():
        raise FileExistsError(f"{folder} has been used for another program")
    with tempfile.TemporaryFile() as order, _pipe() as ready, _pipe(spec.with_parent) as leash:
        # the wrapper gets it through an unlinked file: the environment holds keys, and those stay off the disk
        order.write(json.dumps(msgspec.to_builtins(spec)).encode())
        order.seek(0)
        (folder / "spec.json").write_text(json.dumps(spec.without_secrets(), indent=1))
        with _lock(folder / "lock") as lock, (folder / "wrapper.err").open("ab") as errors:
            ours = str(Path(__file__).resolve().parents[1])
            started = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", WRAPPER, ours, folder, str(ready[1]), str(leash[0])],
                cwd="/",
                env={name: value for name, value in os.environ.items() if name in ("LD_LIBRARY_PATH", "PATH")},
                stdin=order,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[fd for fd in (lock.fd, ready[1], leash[0], *lock_fds) if fd >= 0],
                start_new_session=True,
            )
        os.close(ready[1])
        ready[1] = -1
        if not select.select([ready[0]], [], [], READY_SECONDS)[0] or not os.read(ready[0], 1):
            started.kill()
            started.wait()
            raise OSError(f"the wrapper did not start: {(folder / 'wrapper.err').read_text()[-500:]}")
        top = _written_pid(folder)
        assert top is not None
        kept, leash[1] = leash[1], -1
        return Child(folder, top, started, kept)


def attach(folder: Path) -> Child | None:
    """The living wrapper of that folder, whoever started it; None: there is none (see `ended`).

    What an orchestrator had frozen when it was killed goes on.
    """
    until = time.monotonic() + READY_SECONDS
    while locks.held(folder / "lock"):
        top = _written_pid(folder)
        if top is not None:
            process_tree.thaw_left(top, folder)
            return Child(folder, top)
        if time.monotonic() > until:
            raise TimeoutError(f"{folder} is locked by a process that does not say who it is")
        time.sleep(process_tree.LOOK_AGAIN_SECONDS)  # it is just starting
    return None


async def wait(child: Child, seconds: float | None = None) -> Ended | None:
    """Wait for the end, at most `seconds`. None: it still runs, or it ended without a record (`alive` tells which)."""
    import asyncio

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _gone(child)
    return None if child.alive() else ended(child.folder)


async def _gone(child: Child) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    handle = -1
    with suppress(OSError, AttributeError):
        handle = os.pidfd_open(child.pid)
    try:
        if handle >= 0 and child.alive():  # alive after opening: the number is still the wrapper's
            told = asyncio.Event()
            loop.add_reader(handle, told.set)
            await told.wait()
        while child.alive():
            await asyncio.sleep(WAIT_SECONDS)
    finally:
        if handle >= 0:
            loop.remove_reader(handle)
            os.close(handle)


@contextmanager
def _pipe(wanted: bool = True) -> Iterator[list[int]]:
    """[end to read, end to write], -1 for what is not there; what is not taken out is closed."""
    ends = list(os.pipe()) if wanted else [-1, -1]
    try:
        yield ends
    finally:
        for end in ends:
            if end >= 0:
                os.close(end)


def _lock(path: Path) -> locks.Lock:
    until = time.monotonic() + 1.0
    while True:  # somebody may just be asking whether it is held
        lock = locks.try_lock(path)
        if lock is not None:
            return lock
        if time.monotonic() > until:
            raise FileExistsError(f"{path.parent} is in use")
        time.sleep(process_tree.LOOK_AGAIN_SECONDS)


def _written_pid(folder: Path) -> Process | None:
    written = wrapper(folder)
    return None if written is None else look(written[0]) or Process(written[0], "X", 0, 0, written[1])


__all__ = [
    "HAVE_PROC",
    "Child",
    "Completed",
    "Ended",
    "Position",
    "Spec",
    "Stage",
    "Tail",
    "Talker",
    "attach",
    "ended",
    "launch",
    "pipeline",
    "run",
    "spawn",
    "sweep",
    "sweep_after",
    "talking",
    "wait",
    "works_in",
]
