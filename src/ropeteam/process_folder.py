"""What a supervised program is told, and what it leaves in its folder: the record of its end, and its output.

The output is read line by line, while it is being written, and after a restart of the reader.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from ropeteam.process_table import boot

LINE_BYTES = 8_000_000  # a longer line is cut there
CHUNK = 1 << 18
READ_BYTES = 16_000_000  # of lines given back by one call, about


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised program.

    folder: absolute, exists, used for nothing else: takes what the wrapper writes. stdin: text for standard input,
    empty: there is none. log_bytes: how much output is kept, its beginning and its end. with_parent: stop it when the
    process that started it ends, however that ends. merge_stderr: both streams into `out`.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    folder: str
    stdin: str = ""
    grace_seconds: float = 5.0
    log_bytes: int = 64_000_000
    with_parent: bool = False
    merge_stderr: bool = False

    def without_secrets(self) -> dict[str, object]:
        """For people who look into the folder."""
        return {"argv": self.argv, "cwd": self.cwd, "env": sorted(self.env), "stdin_characters": len(self.stdin)}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a supervised program; nothing it started lives any more.

    code: None when a signal ended it (`signal`, else 0); 127 or 126 with a `problem`: it could not be started.
    at: seconds since the epoch. asked: a stop was asked for. forced: it had to be killed then. left: how many other
    processes had to be killed. lost: bytes of output that could not be written (disk full).
    """

    code: int | None
    signal: int = 0
    at: float
    seconds: float
    asked: bool = False
    forced: bool = False
    left: int = 0
    lost: int = 0
    problem: str = ""


def ended(folder: Path) -> Ended | None:
    """The record in a supervised program's folder; None: it runs, never ran, or its wrapper was killed."""
    try:
        return msgspec.json.decode((folder / "exit.json").read_bytes(), type=Ended)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def wrapper(folder: Path) -> tuple[int, int] | None:
    """Number and start (ticks) of the wrapper that has or had that folder. None: there was none since the boot."""
    with suppress(OSError, ValueError):
        pid, start, *rest = (folder / "pid").read_text().split()
        if rest in ([], [boot()]):
            return int(pid), int(start)
    return None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where reading goes on: file number and byte. inside: the rest of that line belongs to one already cut."""

    segment: int = 0
    offset: int = 0
    inside: bool = False


class Tail:
    """The lines of one stream of a wrapper's folder, in order.

    gaps: how many times a stretch had been deleted before it was read (the program wrote more than is kept); the
    reading goes on at the first line start after it. cut: how many lines were longer than 8 MB.
    """

    def __init__(self, folder: Path, stream: str = "out", position: Position | None = None) -> None:
        self.folder = folder
        self.stream = stream
        self.gaps = 0
        self.cut = 0
        start = position or Position()
        self._segment = start.segment
        self._offset = start.offset  # of the next byte to read in that file
        self._inside = start.inside
        self._buffer = bytearray()
        # where each file's part of the buffer starts: (index in the buffer, segment, offset in that file)
        self._origins: list[tuple[int, int, int]] = [(0, start.segment, start.offset)]

    @property
    def position(self) -> Position:
        """Just behind the last line that was given back."""
        _, segment, offset = self._origins[0]
        return Position(segment=segment, offset=offset, inside=self._inside)

    def read(self, limit: int = 1000, *, last: bool = False) -> list[bytes]:
        """At most `limit` complete lines, without their newline; empty: nothing new now.

        What follows the last newline is a line too once the program has ended (its record is there) or with `last`.
        """
        over = last or (self.folder / "exit.json").exists()  # looked at before reading: nothing comes after it
        lines: list[bytes] = []
        size = 0
        while len(lines) < limit and size < READ_BYTES:
            line = self._take()
            if line is None:
                if self._fill():
                    continue
                line = self._rest() if over else None
            if line is None:
                break
            lines.append(line)
            size += len(line)
        return lines

    def skip_to(self, most: int) -> None:
        """Go on with the last `most` bytes, about, at the first line start in them, when more than those are unread."""
        left = most
        for segment in reversed(self._segments()):
            try:
                size = self._path(segment).stat().st_size
            except FileNotFoundError:
                continue
            if size >= left:
                if (segment, size - left) > (self._segment, self._offset):
                    self._next(segment, whole=False)
                    self._offset = size - left
                    self._origins = [(0, segment, self._offset)]
                return
            left -= size

    def _take(self) -> bytes | None:
        """The next line that is complete (or too long) in the buffer."""
        while True:
            end = self._buffer.find(b"\n")
            if end < 0 and len(self._buffer) <= LINE_BYTES:
                if self._inside:
                    self._drop(len(self._buffer))
                return None
            long = end < 0 or end > LINE_BYTES
            line = bytes(self._buffer[: LINE_BYTES if long else end])
            self._drop(len(line) if long else end + 1)
            skip, self._inside = self._inside, long
            if not skip:
                self.cut += long
                return line

    def _rest(self) -> bytes | None:
        rest = bytes(self._buffer)
        self._drop(len(rest))
        return rest or None

    def _drop(self, count: int) -> None:
        """Forget the first bytes of the buffer, keeping account of where the next one comes from."""
        del self._buffer[:count]
        moved = [(start - count, segment, offset) for start, segment, offset in self._origins]
        start, segment, offset = [origin for origin in moved if origin[0] <= 0][-1]
        self._origins = [(0, segment, offset - start)] + [origin for origin in moved if origin[0] > 0]

    def _fill(self) -> bool:
        """Read on into the buffer. False: nothing new."""
        while True:
            if self._append():
                return True
            later = [number for number in self._segments() if number > self._segment]
            if not later:
                return False
            whole = self._path(self._segment).exists() or self._offset == self._full_size()
            if self._append():  # written between the first look and the start of the next file
                return True
            self._next(later[0], whole=whole and later[0] == self._segment + 1)

    def _append(self) -> bool:
        try:
            with self._path(self._segment).open("rb") as file:
                file.seek(self._offset)
                data = file.read(CHUNK)
        except FileNotFoundError:
            return False
        self._buffer += data
        self._offset += len(data)
        return bool(data)

    def _next(self, segment: int, *, whole: bool) -> None:
        """Go on with that file. Not `whole`: something between was deleted unread, and the line it cuts is no line."""
        if whole:
            self._origins.append((len(self._buffer), segment, 0))
        else:
            self.gaps += 1
            self._buffer.clear()
            self._inside = True
            self._origins = [(0, segment, 0)]
        self._segment, self._offset = segment, 0

    def _path(self, segment: int) -> Path:
        return self.folder / f"{self.stream}.{segment:03d}"

    def _full_size(self) -> int:
        """Every file but the newest is as long as the first."""
        try:
            return self._path(0).stat().st_size
        except FileNotFoundError:
            return -1

    def _segments(self) -> list[int]:
        names = (path.name.rpartition(".")[2] for path in self.folder.glob(f"{self.stream}.*"))
        return sorted(int(name) for name in names if name.isdigit())
