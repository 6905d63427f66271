"""Files drawn as a tree, or listed one a line, in a block of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ropeteam.features.path_words import named_in, read
from ropeteam.features.section_words import Status, status_beside

_BRANCH: Final = re.compile(r"^(?P<lead>[\s│|┃]*)(?P<fork>(?:[├└┣┗╰|+`\\]\s?[─━-]{1,3}|[├└┣┗╰])\s*)(?P<rest>.*)$")
_COMMENT: Final = re.compile(r"\s+(?:#|//|←|<-|<--|--|—|–|;|\*|-)\s?|\s{2,}|\s+(?=[(\[])")
_LETTER: Final = re.compile(
    r"^\s*(?P<letter>[AMD+~]|new:?|modified:?|deleted:?|create:?|update:?)\s+(?=\S)", re.IGNORECASE
)
_LETTERS: Final[dict[str, Status]] = {
    "a": "A",
    "+": "A",
    "new": "A",
    "create": "A",
    "m": "M",
    "~": "M",
    "modified": "M",
    "update": "M",
    "d": "D",
    "deleted": "D",
}
_CODE_LINE: Final = re.compile(
    r"[;{}()=]|\b(?:import|require|from|const|class|def|return|npm|git|cd|mkdir|touch|php|python)\b\s"
)


@dataclass(frozen=True)
class Leaf:
    """A file of a tree. line: 0-based within the block. whole: the path is complete (not a name below a root)."""

    path: str
    line: int
    status: Status = "?"
    purpose: str = ""
    whole: bool = True


def leaves(text: str, *, listing: bool) -> list[Leaf]:
    """The files that a block of code draws as a tree; none when it is none. listing: files are listed here, so that
    lines with a path each count too."""
    lines = text.split("\n")
    if sum(1 for line in lines if _is_branch(line)) >= 1:
        return _tree(lines)
    if _indented_tree(lines):
        return _tree(lines)
    return _plain_list(lines) if listing else []


def _is_branch(line: str) -> bool:
    found = _BRANCH.match(line)
    return found is not None and bool(re.search(r"[├└┣┗╰]|[|+`\\][─━-]{1,3}", found["fork"]))


def _indented_tree(lines: list[str]) -> bool:
    """Folders ending in `/`, with names indented below them, and nothing that looks like code."""
    said = [line for line in lines if line.strip()]
    folders = [n for n, line in enumerate(said) if _split(line.strip())[0].endswith("/")]
    deeper = any(n + 1 < len(said) and _indent(said[n + 1]) > _indent(said[n]) for n in folders)
    return deeper and not any(_CODE_LINE.search(_split(line.strip())[0]) for line in said)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tree(lines: list[str]) -> list[Leaf]:
    found: list[Leaf] = []
    above: list[tuple[int, str]] = []  # column of a folder's name, and the folder with `/`
    rows = [(n, *_column(line)) for n, line in enumerate(lines) if line.strip()]
    for at, (number, column, rest) in enumerate(rows):
        if not rest or re.fullmatch(r"[.…│|\s]*(?:\.\.\.|…)?.*\bmore\b.*|\.{3}|…", rest):
            continue
        while above and above[-1][0] >= column:
            above.pop()
        name, comment = _split(rest)
        inner = at + 1 < len(rows) and rows[at + 1][1] > column
        base = above[-1][1] if above else ""
        if name in (".", "./", "/"):
            continue
        if name.endswith("/") or (inner and read(name, coded=True) is None):
            above.append((column, base + name.strip("/") + "/"))
            continue
        item = read(base + name if base else name, coded=True, expected=True)
        if item is None or not item.paths or inner:
            if inner:
                above.append((column, base + name.strip("/") + "/"))
            continue
        found += [Leaf(path, number, _status(comment), comment) for path in item.paths if not path.endswith("/")]
    return found


def _column(line: str) -> tuple[int, str]:
    """Where the name begins, and the name with what stands behind it."""
    spread = line.expandtabs(4)
    found = _BRANCH.match(spread)
    if found and _is_branch(spread):
        return found.start("rest"), found["rest"].strip()
    lead = re.match(r"[\s│|┃]*", spread)
    return (lead.end() if lead else 0), spread[lead.end() if lead else 0 :].strip()


def _split(rest: str) -> tuple[str, str]:
    """A name, and the comment behind it."""
    cut = _COMMENT.search(rest)
    if cut is None:
        return rest.strip("*` "), ""
    return rest[: cut.start()].strip("*` "), rest[cut.end() :].strip()


def _status(comment: str) -> Status:
    return status_beside("", f" {comment}.") if comment else "?"


def _plain_list(lines: list[str]) -> list[Leaf]:
    found = []
    for number, line in enumerate(lines):
        letter = _LETTER.match(line)
        rest = line[letter.end() :] if letter else line
        if _CODE_LINE.search(re.split(r"\s+(?:#|//|-|–|—)\s", rest)[0]):
            continue
        names = [name for name in named_in(rest, expected=True) if name.paths]
        if not names or rest[: names[0].start].strip(" -*•"):
            continue
        comment = re.sub(r"^[\s#/–—:-]+", "", rest[names[0].end :])
        said = _LETTERS.get(letter["letter"].lower().rstrip(":"), "?") if letter else _status(comment)
        found += [
            Leaf(path, number, said, comment, whole="/" in path) for path in names[0].paths if not path.endswith("/")
        ]
    return found
