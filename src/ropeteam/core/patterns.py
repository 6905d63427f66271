"""Which paths a unit owns: patterns as a line of `.gitignore` has them, and whether two of them can meet.

A pattern is read as git reads it (`dir.c`, `wildmatch.c`), byte by byte, and turned into a small automaton; `owns`
walks it along a path, `shared` walks two of them at once and finds a path that both match, if there is one at all.
Paths are files, relative to the repository's root. What a pattern matches it owns with all that is below it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

MAX_LENGTH: Final = 1_000
"""Longest pattern, in characters. Paths are shorter; the limit keeps the work of comparing two patterns small."""

_SLASH: Final = 1 << ord("/")
_ANY: Final = ((1 << 256) - 1) & ~1  # a path holds every byte but NUL
_IN_NAME: Final = _ANY & ~_SLASH
_DOT: Final = 1 << ord(".")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_ABSOLUTE: Final = re.compile(r"/(bin|boot|dev|etc|home|mnt|opt|private|proc|root|sbin|srv|sys|tmp|Users|usr|var)/.")
_TRIMMED: Final = re.compile(r"((?:\\.|[^\\]|\\\Z)*?) *\Z", re.DOTALL)
_SPECIAL: Final = re.compile(r"[*?\[\\]")
_ENDING: Final = re.compile(r"(\.[A-Za-z0-9]+)$")

# A path as it can be in a repository: no empty part, none that is `.` or `..`. (bytes, next state) of each state:
# 0 a part begins, 1 it is `.`, 2 it is `..`, 3 it is a name. Only a name can be the end.
_PATH: Final = (
    ((_DOT, 1), (_IN_NAME & ~_DOT, 3)),
    ((_DOT, 2), (_IN_NAME & ~_DOT, 3)),
    ((_IN_NAME, 3),),
    ((_IN_NAME, 3), (_SLASH, 0)),
)


class _BadPattern(Exception):
    """Git would match nothing with it; the text says why."""


class _Automaton(NamedTuple):
    """edges: of each state, (bytes as a bit set, next state). ends: states in which a path may end.

    prefix: the bytes that every path it matches begins with.
    """

    edges: tuple[tuple[tuple[int, int], ...], ...]
    ends: frozenset[int]
    start: int
    prefix: bytes


# ---- asked by others


def problem(pattern: str) -> str:
    """Why a pattern cannot be used; empty when it can."""
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH:,} characters"
    text = _trimmed(pattern)
    parts = text.replace("\\", "").split("/")
    if not text:
        return "is empty"
    if text == "/":
        return "is only a slash (`**` is every path)"
    if any(char in text for char in "\0\n\r"):
        return "has a line break or a NUL character in it"
    if text.startswith("!"):
        return "begins with `!`: there is no taking away, list what is owned (a name that begins so: `\\!`)"
    if text.startswith("#"):
        return "begins with `#`, which is a comment (a name that begins so: `\\#`)"
    if text.startswith("~/") or _DRIVE.match(text) or _ABSOLUTE.match(text):
        return "is an absolute path: write it relative to the repository's root, without a slash before it"
    if ".." in parts:
        return "leads out of the repository (`..`)"
    if "." in parts:
        return "has `.` as a part of it, which matches nothing: leave it out"
    if "" in parts[1:-1]:
        return "has an empty part between two slashes, so that it matches nothing"
    if parts[0] == ".git" or parts[:2] == ["", ".git"]:
        return "is in `.git`, which belongs to git"
    try:
        text.encode("utf-8", "surrogateescape")
        _automaton(pattern)
    except UnicodeEncodeError:
        return "is not valid Unicode"
    except _BadPattern as bad:
        return str(bad)
    return ""


def owns(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns matches the file `path`, or a folder that it is in. A pattern that cannot be used
    matches nothing."""
    data = path.encode("utf-8", "surrogateescape")
    return any(_matches(pattern, data) for pattern in patterns)


def exact(path: str) -> str:
    """The pattern that matches that file and no other."""
    text = re.sub(r"([*?\[\]\\])", r"\\\1", path)
    if text[:1] in ("!", "#", "~") or _DRIVE.match(text):
        text = "\\" + text
    if text.endswith(" "):
        text = text[:-1] + "\\ "
    return text if "/" in text.strip("/") else "/" + text.strip("/")


def literal(pattern: str) -> str | None:
    """The one path that a pattern without wildcards names; None when it has any."""
    text = _trimmed(pattern)
    plain = re.sub(r"\\(.)", r"\1", text)
    return None if re.search(r"(?<!\\)(?:\\\\)*[*?\[]", text) or text.endswith("/") else plain.removeprefix("/")


def overlap(a: str, b: str) -> bool:
    """Whether there can be a file that both patterns match."""
    return shared(a, b) is not None


def shared(a: str, b: str) -> str | None:
    """A shortest path that both patterns match; None when there can be none."""
    return _meeting(a, b, _AS_GIT, _AS_GIT)


def clash(a: str, b: str) -> str | None:
    """`shared` without far-fetched paths, for patterns as people write them. None when there is none.

    To git `app/` and `docs/` meet in `app/docs/x`, since a name without a slash before it counts at any depth, and
    `*.md` and `*.py` meet in `x.md/y.py`, since they match folders too. Nobody who writes these means that. So a plain
    name is taken to be at the root, unless the other pattern has a part that matches it (`app/*.py` and `models.py`);
    and a name with an ending is taken to be a file, unless the other pattern has a folder with that ending
    (`App.xcodeproj` and `App.xcodeproj/project.pbxproj`).
    """
    one, other = _words(a), _words(b)
    left, right = _meant(one, other), _meant(other, one)
    if left.file and right.file and one.ending != other.ending:
        return None
    return _meeting(a, b, left, right)


class _Meaning(NamedTuple):
    """How a pattern is taken. file: it matches no folder. root: a name without a slash counts at the root only."""

    file: bool
    root: bool


_AS_GIT: Final = _Meaning(False, False)


class _Words(NamedTuple):
    """What can be seen of a pattern at once. plain: its one part, when it is a plain name; parts: those that say
    something; ending: of its last part, empty for none; folders: endings of the parts before."""

    plain: str
    parts: tuple[str, ...]
    ending: str
    folders: frozenset[str]


@lru_cache(maxsize=1 << 14)
def _words(pattern: str) -> _Words:
    text = _trimmed(pattern)
    parts = text.strip("/").split("/")
    plain = parts[0] if len(parts) == 1 and text[:1] != "/" and not _SPECIAL.search(text) else ""
    endings = [found[1] if (found := _ENDING.search(part)) else "" for part in text.split("/")]
    said = tuple(part for part in parts if part.strip("*"))
    return _Words(plain, said, endings[-1], frozenset(endings[:-1]))


def _meant(one: _Words, other: _Words) -> _Meaning:
    root = bool(one.plain) and not any(
        part == one.plain or (_SPECIAL.search(part) and owns((part,), one.plain)) for part in other.parts
    )
    return _Meaning(file=bool(one.ending) and one.ending not in other.folders, root=root)


def prefix(pattern: str) -> str:
    """What every path begins with that the pattern matches: patterns of which neither prefix begins with the other
    never meet. Empty when that can be anything, and for what cannot be used."""
    try:
        return _automaton(pattern).prefix.decode("utf-8", "surrogateescape")
    except (_BadPattern, UnicodeEncodeError):
        return ""


# ---- walking


def _matches(pattern: str, path: bytes) -> bool:
    try:
        automaton = _automaton(pattern)
    except (_BadPattern, UnicodeEncodeError):
        return False
    if not path.startswith(automaton.prefix):
        return False
    states = {automaton.start}
    for byte in path:
        states = {then for state in states for allowed, then in automaton.edges[state] if allowed >> byte & 1}
        if not states:
            return False
    return not automaton.ends.isdisjoint(states)


def _meeting(a: str, b: str, meaning_a: _Meaning, meaning_b: _Meaning) -> str | None:
    """A shortest path to a state in which both patterns and the rules of paths can end."""
    try:
        left, right = _automaton(a, meaning_a), _automaton(b, meaning_b)
    except (_BadPattern, UnicodeEncodeError):
        return None
    if not left.prefix.startswith(right.prefix) and not right.prefix.startswith(left.prefix):
        return None
    begin = (left.start, right.start, 0)
    came: dict[tuple[int, int, int], tuple[tuple[int, int, int], int] | None] = {begin: None}
    waiting = deque((begin,))
    while waiting:
        here = waiting.popleft()
        if here[2] == 3 and here[0] in left.ends and here[1] in right.ends:
            return _trail(here, came)
        for in_left, to_left in left.edges[here[0]]:
            for in_right, to_right in right.edges[here[1]]:
                for in_path, to_path in _PATH[here[2]] if in_left & in_right else ():
                    allowed, there = in_left & in_right & in_path, (to_left, to_right, to_path)
                    if allowed and there not in came:
                        came[there] = (here, allowed)
                        waiting.append(there)
    return None


def _trail(
    here: tuple[int, int, int], came: dict[tuple[int, int, int], tuple[tuple[int, int, int], int] | None]
) -> str:
    found = bytearray()
    while (step := came[here]) is not None:
        here, allowed = step
        found.append(_readable(allowed))
    return bytes(reversed(found)).decode("utf-8", "surrogateescape")


def _readable(allowed: int) -> int:
    """A byte of the set that reads well in a message."""
    for byte in b"xabcdefghijklmnopqrstuvwyz0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ-./":
        if allowed >> byte & 1:
            return byte
    return (allowed & -allowed).bit_length() - 1


# ---- reading a pattern


def _trimmed(pattern: str) -> str:
    """Without the spaces at its end, unless they are escaped, as git reads a line."""
    match = _TRIMMED.match(pattern)
    return match[1] if match else pattern


@lru_cache(maxsize=1 << 14)
def _automaton(pattern: str, meaning: _Meaning = _AS_GIT) -> _Automaton:
    """Raises _BadPattern."""
    text = _trimmed(pattern).encode("utf-8", "surrogateescape")
    folder_only, text = text.endswith(b"/"), text.removesuffix(b"/")
    anywhere, text = b"/" not in text and not meaning.root, text.removeprefix(b"/")
    literal = re.match(rb"[^*?\[\\]*", text)
    plain = literal[0] if literal else b""
    made = _Builder()
    if anywhere:  # any folders before it
        made.loop(_ANY)
        made.step(_SLASH)
        made.skip(made.start, made.here)
    # Git compares the beginning without wildcards first and only then the rest, so that `a**/b` counts as if `**`
    # stood at the beginning; in a pattern without a slash there is nothing for it to cross.
    for piece in _pieces(text, begins=(0, len(plain))):
        made.add(piece)
    named = made.here
    made.step(_SLASH)
    made.step(_ANY)
    made.loop(_ANY)
    ends = {named} if meaning.file and not folder_only else {made.here} if folder_only else {named, made.here}
    return made.done(ends, b"" if anywhere else plain)


class _Builder:
    """Puts an automaton together from left to right. Free moves (`skip`) are dissolved at the end."""

    def __init__(self) -> None:
        self.start = self.here = 0
        self._edges: list[list[tuple[int, int]]] = [[]]
        self._free: list[list[int]] = [[]]

    def step(self, allowed: int) -> None:
        """One byte of the set."""
        self._edges.append([])
        self._free.append([])
        self._edges[self.here].append((allowed, self.here + 1))
        self.here += 1

    def loop(self, allowed: int) -> None:
        """Any number of bytes of the set. A state of its own, so that nothing leads back to what was before."""
        self._edges.append([(allowed, self.here + 1)])
        self._free.append([])
        self.skip(self.here, self.here + 1)
        self.here += 1

    def skip(self, start: int, end: int) -> None:
        self._free[start].append(end)

    def add(self, piece: tuple[str, int]) -> None:
        kind, allowed = piece
        if kind == "one":
            self.step(allowed)
        elif kind == "many":
            self.loop(allowed)
        else:  # `**/`: nothing at all, or anything and a slash
            start = self.here
            self.loop(_ANY)
            self.step(_SLASH)
            self.skip(start, self.here)

    def done(self, ends: set[int], prefix: bytes) -> _Automaton:
        reach = [self._reach(state) for state in range(len(self._edges))]
        edges = tuple(tuple(edge for state in states for edge in self._edges[state]) for states in reach)
        final = frozenset(state for state, states in enumerate(reach) if not ends.isdisjoint(states))
        return _Automaton(edges, final, self.start, prefix)

    def _reach(self, state: int) -> set[int]:
        found, waiting = {state}, [state]
        while waiting:
            for other in self._free[waiting.pop()]:
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found


def _pieces(text: bytes, begins: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """(`one`, bytes), (`many`, bytes) or (`folders`, 0) for each part of a pattern, as wildmatch.c takes them.

    begins: where `**` counts as the beginning of a part even without a slash before it.
    """
    at = 0
    while at < len(text):
        char = text[at : at + 1]
        if char == b"*":
            end = at
            while text[end : end + 1] == b"*":
                end += 1
            begin = at in begins or text[at - 1 : at] == b"/"
            crosses = end - at > 1 and begin and (end == len(text) or text[end:].startswith((b"/", b"\\/")))
            if crosses and text[end : end + 1] == b"/":
                yield "folders", 0
                end += 1
            else:
                yield "many", _ANY if crosses else _IN_NAME
            at = end
        elif char == b"[":
            allowed, at = _class(text, at + 1)
            yield "one", allowed & _IN_NAME
        elif char == b"\\" and at + 1 == len(text):
            raise _BadPattern("ends in a backslash, so that it matches nothing (a backslash itself: `\\\\`)")
        elif char == b"?":
            yield "one", _IN_NAME
            at += 1
        else:
            at += char == b"\\"
            yield "one", 1 << text[at]
            at += 1


_CLASSES: Final = {
    b"alnum": rb"[0-9A-Za-z]",
    b"alpha": rb"[A-Za-z]",
    b"blank": rb"[ \t]",
    b"cntrl": rb"[\x00-\x1f\x7f]",
    b"digit": rb"[0-9]",
    b"graph": rb"[!-~]",
    b"lower": rb"[a-z]",
    b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]",
    b"space": rb"[ \t\n\v\f\r]",
    b"upper": rb"[A-Z]",
    b"xdigit": rb"[0-9A-Fa-f]",
}


def _class(text: bytes, at: int) -> tuple[int, int]:
    """(bytes, where it goes on) of a class whose content begins at `at`."""
    negated = text[at : at + 1] in (b"!", b"^") and at < len(text)
    at += negated
    allowed, before, first = 0, 0, True
    while first or text[at : at + 1] != b"]":
        first = False
        char = _byte(text, at)
        named = re.compile(rb"\[:([^\]]*):\]").match(text, at)
        if named:
            if named[1] not in _CLASSES:
                raise _BadPattern(f"has a class that does not exist: `{named[0].decode(errors='replace')}`")
            allowed |= _bits(re.compile(_CLASSES[named[1]]))
            at, before = named.end(), 0
            continue
        if char == ord("-") and before and text[at + 1 : at + 2] not in (b"", b"]"):
            at += 1 + (text[at + 1 : at + 2] == b"\\")
            last = _byte(text, at)
            allowed |= sum(1 << byte for byte in range(before, last + 1))
            before = 0
        else:
            at += char == ord("\\")
            before = _byte(text, at)
            allowed |= 1 << before
        at += 1
    return (_ANY & ~allowed if negated else allowed), at + 1


def _byte(text: bytes, at: int) -> int:
    if at >= len(text):
        raise _BadPattern("has a `[` without its `]`, so that it matches nothing (a bracket itself: `\\[`)")
    return text[at]


def _bits(kind: re.Pattern[bytes]) -> int:
    return sum(1 << byte for byte in range(256) if kind.match(bytes((byte,))))
