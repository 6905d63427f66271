"""What the tests of supervised programs share: small programs to supervise, and a look at what is left of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ropeteam import process
from ropeteam.process_table import look

ENV = {"PATH": os.environ["PATH"]}

ESCAPE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + ".new", "w").write(str(os.getpid()))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(300)          # keeps our standard streams open
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.005)
print("done", flush=True)
if len(sys.argv) > 2:
    time.sleep(300)
"""


def until(condition: Callable[[], object], what: str = "", seconds: float = 20.0) -> None:
    """Wait for something that can be seen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    found = look(pid)
    return found is not None and not found.gone


def living_in(folder: Path) -> list[int]:
    """Pids of processes that work in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if Path(entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


class Place:
    """A work folder for programs, and a new folder for each one's wrapper."""

    def __init__(self, root: Path) -> None:
        self.tree = root / "tree"
        self.tree.mkdir()
        self._root = root
        self._count = 0

    def spec(self, *argv: str, **more: object) -> process.Spec:
        self._count += 1
        folder = self._root / f"log{self._count}"
        folder.mkdir()
        given = {"env": ENV, "cwd": str(self.tree), "folder": str(folder), **more}
        return process.Spec(argv=argv, **given)  # type: ignore[arg-type]

    def launch(self, *argv: str, **more: object) -> process.Child:
        return process.launch(self.spec(*argv, **more))

    def python(self, code: str, *argv: str, **more: object) -> process.Child:
        return self.launch(sys.executable, "-I", "-S", "-c", code, *argv, **more)

    def shell(self, code: str, **more: object) -> process.Child:
        return self.launch("sh", "-c", code, **more)

    def number(self, name: str) -> int:
        """A pid that a program wrote."""
        path = self.tree / name
        until(lambda: path.exists() and path.read_text().strip(), f"{name} was not written")
        return int(path.read_text())
