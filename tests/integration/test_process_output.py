"""The output of supervised programs: kept within bounds, never in the program's way, read line by line."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_programs import Place, living_in, until

from ropeteam import process
from ropeteam.process import Tail

FLOOD = """
import sys, threading
def flood(stream, name, count):
    line = (name + "x" * 90).encode()
    for number in range(count):
        stream.write(b"%d %s\\n" % (number, line))
    stream.flush()
other = threading.Thread(target=flood, args=(sys.stderr.buffer, "err", int(sys.argv[2])))
other.start()
flood(sys.stdout.buffer, "out", int(sys.argv[1]))
other.join()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    left = living_in(tmp_path)
    process.sweep(tmp_path)
    assert left == [], "processes were left alive"


def ends(child: process.Child) -> process.Ended:
    ended = asyncio.run(process.wait(child, 30))
    assert ended is not None
    return ended


def everything(tail: Tail) -> list[bytes]:
    lines = []
    while part := tail.read():
        lines += part
    return lines


def test_a_flood_fills_neither_the_disk_nor_the_pipe(place: Place) -> None:
    child = place.python(FLOOD, "200000", "100000", log_bytes=2_000_000)
    assert ends(child).code == 0
    for stream, count in (("out", 200_000), ("err", 100_000)):
        tail = Tail(child.folder, stream)
        lines = everything(tail)
        assert lines[0].startswith(b"0 " + stream.encode())
        assert lines[-1].startswith(b"%d %s" % (count - 1, stream.encode()))
        assert tail.gaps == 1
        assert all(line.endswith(b"x" * 90) for line in lines)
        numbers = [int(line.split()[0]) for line in lines]
        assert numbers == sorted(numbers)
        assert len(numbers) > 1000
    stored = sum(path.stat().st_size for path in child.folder.iterdir() if path.name[:4] in ("out.", "err."))
    assert 1_500_000 < stored <= 2_000_000


def test_a_reader_that_follows_sees_every_line_once(place: Place) -> None:
    child = place.python(FLOOD, "30000", "0", log_bytes=16_000_000)
    tail = Tail(child.folder)
    lines: list[bytes] = []
    while child.alive():
        lines += tail.read(100)
        tail = Tail(child.folder, position=tail.position)  # as after a restart
    lines += everything(tail)
    assert [int(line.split()[0]) for line in lines] == list(range(30_000))
    assert len(list(child.folder.glob("out.*"))) > 2
    assert tail.gaps == 0


def test_a_line_is_complete_before_it_is_given(place: Place) -> None:
    go = place.tree / "go"
    os.mkfifo(go)
    child = place.shell("printf 'one\\ntw'; read line < go; printf 'o\\nthree'")
    tail = Tail(child.folder)
    lines: list[bytes] = []
    until(lambda: lines.extend(tail.read()) or lines)
    assert lines == [b"one"]
    assert tail.read() == []
    go.write_text("on\n")
    ends(child)
    assert everything(tail) == [b"two", b"three"]


def test_both_streams_as_one(place: Place) -> None:
    child = place.shell("echo a; echo b >&2; echo c; exec /no/such/program", merge_stderr=True)
    assert ends(child).code == 127
    lines = everything(Tail(child.folder))
    assert lines[:3] == [b"a", b"b", b"c"]
    assert b"not found" in lines[3]
    assert not list(child.folder.glob("err.*"))


def test_a_line_that_is_too_long_is_cut(place: Place) -> None:
    code = "import sys; sys.stdout.write('first\\n' + 'y' * 20_000_000 + '\\nlast\\n')"
    child = place.python(code, log_bytes=64_000_000)
    assert ends(child).code == 0
    tail = Tail(child.folder)
    lines = [(len(line), line[:5]) for line in everything(tail)]
    assert lines == [(5, b"first"), (8_000_000, b"yyyyy"), (4, b"last")]
    assert tail.cut == 1


def test_a_program_outlives_a_full_disk(place: Place) -> None:
    """The output is lost then, and counted; the record of the end has its room from the start."""
    if not Path("/dev/full").exists() or sys.platform != "linux":
        pytest.skip("needs /dev/full")
    spec = place.spec("sh", "-c", "echo lost; exit 6")
    (Path(spec.folder) / "out.000").symlink_to("/dev/full")
    ended = ends(process.launch(spec))
    assert (ended.code, ended.lost) == (6, 5)
