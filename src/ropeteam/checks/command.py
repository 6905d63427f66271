"""One of the project's own commands as a check: start it, wait for it, read what it says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from ropeteam import process
from ropeteam.checks.locate import locate
from ropeteam.checks.results import parse
from ropeteam.core.model import CheckRun, TestResult
from ropeteam.core.settings import CheckCommand
from ropeteam.finishing import to_the_end
from ropeteam.ports import Place

OUTPUT_CHARACTERS = 4000
"""Of a run's output, how much is kept: its end, where the failures and the summary are."""

_GRACE_SECONDS = 5.0
_KILL_SECONDS = 10.0  # beyond the grace time, until the wrapper must have ended everything
_LOG_BYTES = 64_000_000
_MOST_RESULTS = 64_000_000

_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "CI": "1", "NO_COLOR": "1", "CARGO_TERM_COLOR": "never"}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# What a runner says when it is not there or cannot start: nothing was tested, which is no failure of the code.
_CANNOT_RUN = re.compile(
    r"""^(?P<why>
        .*:\ No\ module\ named\ '?(pytest|unittest|django)'?
      | Could\ not\ open\ input\ file:\ .*
      | .*ImportError:\ Couldn't\ import\ Django.*
      | .*error:\ unrecognized\ arguments:\ .*
      | bwrap:\ .*
      | .*\bcommand\ not\ found | (.*/)?sh:\ .*:\ not\ found
      | error:\ no\ such\ command:\ .*
    )$""",
    re.VERBOSE | re.MULTILINE,
)
_CANNOT_RUN_CODES = frozenset({1, 2, 4, 101, 126, 127})


class CommandCheck:
    """A `ropeteam.ports.Check` of one command."""

    def __init__(self, command: CheckCommand) -> None:
        self.command = command

    async def run(self, place: Place, label: str) -> CheckRun:
        """Run it once. A run that cannot be made at all, or passes `place.seconds`, has no exit code and a problem.

        label: names the folder (below `place.folder`) that keeps its output. When the task is cancelled, everything
        the command started is stopped and gone before this ends.
        """
        name = self.command.name
        cwd = place.tree / self.command.cwd
        if not cwd.is_dir():
            return CheckRun(name=name, problem=f"the folder {self.command.cwd} is not there")
        folder = _new_folder(place.folder, label)
        results = folder / "results"
        env = self._environment(place, results)
        argv = tuple(_filled(part, place.tree, results) for part in self.command.argv)
        if problem := _missing(argv[0], env, cwd):
            return CheckRun(name=name, problem=problem)
        (folder / "process").mkdir()
        spec = process.Spec(
            argv=(*place.prefix, *argv),
            env=env,
            cwd=str(cwd),
            folder=str(folder / "process"),
            grace_seconds=_GRACE_SECONDS,
            log_bytes=_LOG_BYTES,
            with_parent=True,
            merge_stderr=True,
        )
        ended, seconds = await _run(spec, place)
        return await asyncio.to_thread(self._read, place, folder, ended, seconds)

    def _environment(self, place: Place, results: Path) -> dict[str, str]:
        own = {name: _filled(value, place.tree, results) for name, value in self.command.env.items()}
        if "NODE_OPTIONS" in own and place.env.get("NODE_OPTIONS"):
            own["NODE_OPTIONS"] = f"{place.env['NODE_OPTIONS']} {own['NODE_OPTIONS']}"
        return {**_ENVIRONMENT, **place.env, **own}

    def _read(self, place: Place, folder: Path, ended: process.Ended | None, seconds: float) -> CheckRun:
        written = b"\n".join(_lines(folder / "process"))
        text = _ESCAPES.sub("", written[-8 * OUTPUT_CHARACTERS :].decode("utf-8", "replace"))
        output = text if len(text) <= OUTPUT_CHARACTERS else _whole_lines(text[-OUTPUT_CHARACTERS:])
        name = self.command.name
        if ended is None:
            problem = "it ended without a trace: its supervisor was killed"
            return CheckRun(name=name, seconds=seconds, output=output, problem=problem)
        if ended.asked:
            problem = f"stopped at its time limit of {place.seconds:g} s"
            return CheckRun(name=name, seconds=ended.seconds, output=output, problem=problem)
        code = ended.code if ended.code is not None else -ended.signal
        tests = self._tests(place, folder, written, code)
        if problem := "" if tests else _cannot_run(code, text, ended.problem):
            return CheckRun(name=name, seconds=ended.seconds, output=output, problem=problem)
        return CheckRun(name=name, exit_code=code, tests=tests, seconds=ended.seconds, output=output)

    def _tests(self, place: Place, folder: Path, written: bytes, code: int) -> tuple[TestResult, ...]:
        command = self.command
        if command.format == "exit":
            return ()
        tests = parse(command.format, _results(folder / "results"), written, code)
        starts = [after for option, after in zip(command.argv, command.argv[1:], strict=False) if option == "-s"]
        return locate(tests, place.tree, command.cwd, format=command.format, starts=starts)


async def _run(spec: process.Spec, place: Place) -> tuple[process.Ended | None, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    locks = [place.lock_fd] if place.lock_fd >= 0 else []
    starting = asyncio.ensure_future(asyncio.to_thread(process.launch, spec, lock_fds=locks))
    try:
        child = await asyncio.shield(starting)
        ended = await process.wait(child, place.seconds)
        if ended is None and child.alive():
            await _stop(child)
            ended = process.ended(child.folder)
        return ended, loop.time() - began
    except asyncio.CancelledError:
        await to_the_end(_stop_started(starting))
        raise


async def _stop_started(starting: asyncio.Future[process.Child]) -> None:
    await _stop(await starting)


async def _stop(child: process.Child) -> None:
    """Politely, then not; nothing it started is left afterwards."""
    child.stop()
    await process.wait(child, _GRACE_SECONDS + _KILL_SECONDS)
    if child.alive():
        await asyncio.to_thread(child.kill)


def _new_folder(parent: Path, label: str) -> Path:
    """A folder of its own for every run: after an interruption the same label comes again."""
    parent.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^\w.-]+", "-", label).strip("-.")[:60] or "check"
    return Path(tempfile.mkdtemp(prefix=f"{safe}-", dir=parent)).resolve()


def _filled(text: str, tree: Path, results: Path) -> str:
    return text.replace("{tree}", str(tree)).replace("{results}", str(results))


def _missing(program: str, env: dict[str, str], cwd: Path) -> str:
    """Why the program cannot be started, looked up before a sandbox hides the reason."""
    path = env.get("PATH", os.defpath)
    if "/" in program:
        found = (cwd / program).is_file()
    else:
        found = shutil.which(program, path=path) is not None
    return "" if found else f"{program} is not installed"


def _cannot_run(code: int, output: str, problem: str) -> str:
    """What a runner that could not start said; empty when it did start."""
    if problem:
        return problem
    found = _CANNOT_RUN.search(output) if code in _CANNOT_RUN_CODES else None
    if found:
        return found["why"].strip()[:300]
    return f"its program was not found (exit code {code})" if code in (126, 127) else ""


def _lines(folder: Path) -> list[bytes]:
    tail = process.Tail(folder)
    lines: list[bytes] = []
    while more := tail.read(100_000, last=True):
        lines += more
    return lines


def _whole_lines(end: str) -> str:
    """Without the piece of a line that the cut left at the start, where there are others."""
    return end.partition("\n")[2] or end


def _results(path: Path) -> bytes | None:
    """What the command wrote; only a plain file of sensible size, for the code under test has written it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_RESULTS:
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(_MOST_RESULTS)
    finally:
        os.close(handle)
