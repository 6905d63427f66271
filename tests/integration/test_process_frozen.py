"""Everything below a wrapper stands still for a moment, so that its files can be looked at."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_programs import ESCAPE, Place, is_alive, living_in, until

from ropeteam import process
from ropeteam.process_table import look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing can be found below a process elsewhere")

WRITERS = """
import os, sys, time
def write(name):
    with open(name, "r+b" if os.path.exists(name) else "w+b", buffering=0) as file:
        number = 0
        while True:
            number += 1
            file.seek(0)
            for _ in range(4):
                file.write(b"%020d\\n" % number)
for number in range(3):
    if os.fork() == 0:
        if number:
            os.setsid()
        if number == 2 and os.fork():
            os._exit(0)
        write(f"written{number}")
os.waitpid(-1, 0)
write("written3")
"""

SPAWNER = """
import os, sys
number = 0
while True:
    number += 1
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)     # vfork inside
    with open("count", "w") as file:
        file.write(str(number))
"""

FREEZER = """
import sys
from pathlib import Path
from ropeteam import process
with process.attach(Path(sys.argv[1])).frozen():
    print("frozen", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    left = living_in(tmp_path)
    process.sweep(tmp_path)
    assert left == [], "processes were left alive"


def contents(place: Place) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.tree.iterdir()}


def states(place: Place) -> set[str]:
    found = (look(pid) for pid in living_in(place.tree))
    return {process.state for process in found if process is not None}


def test_files_do_not_change_while_frozen_and_do_afterwards(place: Place) -> None:
    child = place.python(WRITERS)
    until(lambda: len(contents(place)) == 4 and all(contents(place).values()))
    for _ in range(10):
        with child.frozen():
            before = contents(place)
            assert states(place) <= {"T"}
            for _ in range(20):
                assert contents(place) == before
        until(lambda before=before: all(contents(place)[name] != old for name, old in before.items()))
    child.kill()


def test_a_program_in_the_middle_of_starting_another_can_be_frozen(place: Place) -> None:
    child = place.python(SPAWNER)
    until(lambda: (place.tree / "count").exists())
    for _ in range(40):
        with child.frozen():
            before = contents(place)
            assert contents(place) == before
        until(lambda before=before: contents(place) != before)
    child.kill()


def test_stopping_what_is_frozen(place: Place) -> None:
    child = place.shell("trap 'echo saved > saved; exit 7' TERM; echo up; while :; do sleep 0.01; done")
    until(lambda: process.Tail(child.folder).read())
    with child.frozen():
        child.stop()
        ended = asyncio.run(process.wait(child, 20))
    assert ended is not None
    assert ended.code == 7


def test_what_a_killed_orchestrator_left_frozen_goes_on(place: Place) -> None:
    child = place.python(WRITERS)
    until(lambda: len(contents(place)) == 4 and all(contents(place).values()))
    freezer = subprocess.Popen(
        [sys.executable, "-c", FREEZER, str(child.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert freezer.stdout is not None
        assert freezer.stdout.readline() == b"frozen\n"
        assert process.attach(child.folder) is not None  # somebody living froze it: it stays so
        assert states(place) == {"T"}
    finally:
        freezer.kill()
        freezer.communicate()
    assert states(place) == {"T"}
    before = contents(place)
    assert process.attach(child.folder) is not None
    until(lambda: all(contents(place)[name] != old for name, old in before.items()))
    child.kill()


def test_freezing_what_is_gone_does_nothing(place: Place) -> None:
    ended = place.shell("exit 0")
    asyncio.run(process.wait(ended, 20))
    with ended.frozen():
        pass
    child = place.python(ESCAPE, "escapee", "stay")
    escapee = place.number("escapee")
    os.kill(child.pid, signal.SIGKILL)
    asyncio.run(process.wait(child, 20))
    with child.frozen():
        assert is_alive(escapee)
    assert escapee in process.sweep(place.tree)  # and the program itself, where its own end was not seen yet


def test_an_exception_inside_thaws(place: Place) -> None:
    child = place.python(WRITERS)
    until(lambda: len(contents(place)) == 4 and all(contents(place).values()))
    with pytest.raises(RuntimeError), child.frozen():
        raise RuntimeError
    before = contents(place)
    until(lambda: all(contents(place)[name] != old for name, old in before.items()))
    child.kill()
