"""Reading lines from numbered files, however they are cut and whenever the reader starts again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.process_folder import Position, Tail, ended

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=30)


def parts(text: bytes, sizes: list[int]) -> list[bytes]:
    """The text as pieces of these sizes, the last of them taking the rest."""
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


@settings(deadline=None)  # files on a disk that others use
@given(
    lines=LINES, size=st.integers(1, 40), step=st.integers(1, 9), limit=st.integers(1, 4), last=st.binary(max_size=3)
)
def test_every_line_once_whatever_the_files_and_restarts(
    lines: list[bytes], size: int, step: int, limit: int, last: bytes
) -> None:
    rest = last.replace(b"\n", b"")
    text = b"".join(line + b"\n" for line in lines) + rest
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen: list[bytes] = []
        position = Position()
        for start in range(0, len(text), step):  # written byte by byte, in files of `size`
            for at in range(start, min(start + step, len(text))):
                with (folder / f"out.{at // size:03d}").open("ab") as file:
                    file.write(text[at : at + 1])
            tail = Tail(folder, position=position)
            seen += tail.read(limit)
            position = tail.position
        (folder / "exit.json").write_text("{}")
        tail = Tail(folder, position=position)
        while more := tail.read(limit):
            seen += more
        assert seen == lines + ([rest] if rest else [])
        assert tail.gaps == 0


@settings(deadline=None)  # files on a disk that others use
@given(lines=LINES, size=st.integers(1, 40), missing=st.sets(st.integers(1, 20), max_size=4))
def test_after_a_gap_only_whole_lines(lines: list[bytes], size: int, missing: set[int]) -> None:
    numbered = [b"%d:%s" % (number, line.replace(b":", b"")) for number, line in enumerate(lines)]
    text = b"".join(line + b"\n" for line in numbered)
    files = [text[at : at + size] for at in range(0, len(text), size)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, content in enumerate(files):
            if number not in missing or number == len(files) - 1:  # the newest is always kept
                (folder / f"out.{number:03d}").write_bytes(content)
        seen = []
        tail = Tail(folder)
        while more := tail.read(3):
            seen += more
        assert [line for line in numbered if line in seen] == seen
        gone = [number for number in missing if number < len(files) - 1]
        assert bool(tail.gaps) == bool(gone)
        if not gone:
            assert seen == numbered


def test_nothing_yet_and_no_record() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tail = Tail(folder)
        assert tail.read() == []
        assert ended(folder) is None
        (folder / "out.000").write_bytes(b"half")
        assert tail.read() == []
        assert tail.position == Position()
        assert tail.read(last=True) == [b"half"]
        assert tail.position == Position(offset=4)
        (folder / "exit.json").write_text("not whole")
        assert ended(folder) is None


def test_skipping_to_the_end_gives_whole_lines_of_it(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(1000))
    for at in range(0, len(text), 1000):
        (tmp_path / f"out.{at // 1000:03d}").write_bytes(text[at : at + 1000])
    tail = Tail(tmp_path)
    assert tail.read(3) == [b"line 0", b"line 1", b"line 2"]
    tail.skip_to(1505)
    rest = tail.read(last=True)
    assert rest[-1] == b"line 999"
    assert text.endswith(b"\n".join(rest) + b"\n")
    assert 1480 < sum(len(line) + 1 for line in rest) <= 1505
    assert tail.gaps == 1


def test_skipping_does_not_go_back_or_leave_out_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "out.000").write_bytes(b"a\nb\nc\n")
    tail = Tail(tmp_path)
    tail.skip_to(1000)
    assert (tail.read(1), tail.gaps) == ([b"a"], 0)
    tail.skip_to(4)
    assert tail.read(last=True) == [b"b", b"c"]
