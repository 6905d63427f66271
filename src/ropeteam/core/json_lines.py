"""In which line of a JSON document a value stands, and which names are given twice: for messages to its author."""

from __future__ import annotations

import json
import re

import msgspec

_NAME = re.compile(r"[\w-]+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Places(msgspec.Struct, frozen=True):
    """lines: 1-based, by place (`units[2].needs[0]`; the document itself is empty). twice: (place, line) of every name
    that its object had before; the last one counts."""

    lines: dict[str, int]
    twice: tuple[tuple[str, int], ...]


def places(text: str) -> Places:
    """text: valid JSON."""
    lines: dict[str, int] = {}
    twice: list[tuple[str, int]] = []
    opened: list[tuple[str, bool]] = []  # place, whether it is a list
    counts: list[int] = []
    here, is_name, line, seen = "", False, 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", seen, match.start())
        seen, token = match.start(), match[0]
        if token in ("{", "["):
            lines.setdefault(here, line)
            opened.append((here, token == "["))
            counts.append(0)
            is_name, here = token == "{", f"{here}[0]"
        elif token in ("}", "]"):
            opened.pop()
            counts.pop()
            is_name = False
        elif token == ",":
            place, is_list = opened[-1]
            counts[-1] += 1
            is_name, here = not is_list, f"{place}[{counts[-1]}]"
        elif is_name:
            place = opened[-1][0]
            here, is_name = below(place, msgspec.json.decode(token, type=str)), False
            if here in lines:
                twice.append((here, line))
            lines[here] = line
        elif token != ":":
            lines.setdefault(here, line)
    return Places(lines, tuple(twice))


def below(place: str, name: str) -> str:
    """The place of a field of an object: `place.name`, and `place["a name"]` where it could be taken for another."""
    if not _NAME.fullmatch(name):
        return f"{place}[{json.dumps(name)}]"
    return f"{place}.{name}" if place else name


def line_of_byte(data: bytes, message: str) -> int:
    """The line that a message of msgspec's decoder means (`… (byte 12)`); the last one where it names none."""
    found = re.search(r"\(byte (\d+)\)$", message)
    end = int(found[1]) if found else len(data.rstrip())
    return data.count(b"\n", 0, end) + 1
