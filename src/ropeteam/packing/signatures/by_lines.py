"""Languages without a grammar here: lines that look like declarations. Too few or too many of them do no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from ropeteam.core.pack import Signature, signature

_KOTLIN: Final = (
    r"(?:(?:public|internal|open|abstract|sealed|data|enum|inline|suspend|override|annotation)\s+)*"
    r"(?:class|interface|object|fun|typealias)\s+[\w<`]"
)
_RUST: Final = (
    r"(?:pub(?:\([\w:]+\))?\s+)(?:(?:async|unsafe|const|extern\s+\"C\")\s+)*"
    r"(?:fn|struct|enum|trait|type|mod|const)\s+\w|impl\b"
)
_SHARP: Final = (
    r"(?:\[[^\]\n]+\]\s*)*"
    r"(?:(?:public|internal|protected|static|sealed|abstract|partial|async|override|virtual|readonly)\s+)+[\w<]"
)
_SWIFT: Final = (
    r"(?:(?:public|open|final|static|override|mutating)\s+)*(?:class|struct|enum|protocol|extension|func|actor)\s+\w"
)
_SCALA: Final = r"(?:(?:final|sealed|abstract|case|implicit|override)\s+)*(?:class|trait|object|def)\s+\w"
_RUBY: Final = (
    r"(?:module|class|def)\s+[\w:.<]|(?:has_many|has_one|belongs_to|has_and_belongs_to_many|scope|validates|enum|delegate|"
    r"include|attr_accessor|attr_reader|resources?|namespace|get|post|put|patch|delete)\s+[\w:'\"]"
)
_DART: Final = r"(?:abstract\s+)?(?:class|mixin|enum|extension)\s+\w"
_ELIXIR: Final = r"(?:defmodule|def|defmacro|schema|field|get|post|put|delete|resources|live)\s+[\w:\"]"
_LANGUAGES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("kt", "kts"), _KOTLIN),
    "rs": _RUST,
    "cs": _SHARP,
    "swift": _SWIFT,
    "scala": _SCALA,
    **dict.fromkeys(("rb", "rake"), _RUBY),  # where its grammar is not installed
    "dart": _DART,
    **dict.fromkeys(("ex", "exs"), _ELIXIR),
    "prisma": r"(?:model|enum|type)\s+\w",
    **dict.fromkeys(("graphql", "gql"), r"(?:extend\s+)?(?:type|interface|input|enum|union|scalar)\s+\w"),
    "proto": r"(?:message|service|enum|rpc)\s+\w",
    "sql": r"(?i:create\s+(?:or\s+replace\s+)?(?:table|view|type|function|trigger)|alter\s+table)\s",
}
_PATTERNS: Final = {
    ending: re.compile(rb"^([ \t]*)((?:" + pattern.encode() + rb")[^\n]*)", re.MULTILINE)
    for ending, pattern in _LANGUAGES.items()
}
_ANY: Final = re.compile(
    rb"^([ \t]*)((?:(?:export|default|public|protected|static|abstract|final|async)\s+)*"
    rb"(?:class|interface|enum|trait|struct|type|function\*?|func|def|module|record)\s+[\w(][^\n]*)",
    re.MULTILINE,
)
_VALUE: Final = re.compile(rb"^([^(\n]*?)\s*=\s*(?:b|r|@|\$)?[\"'].*$")  # the text that a constant holds may be a key
DEEPEST: Final = 2


def in_broken(content: bytes) -> Iterator[Signature]:
    """Of a file that its grammar makes nothing of."""
    yield from _matching(_ANY, content)


def found(ending: str, content: bytes) -> Iterator[Signature]:
    pattern = _PATTERNS.get(ending)
    if pattern is not None:
        yield from _matching(pattern, content)


def _matching(pattern: re.Pattern[bytes], content: bytes) -> Iterator[Signature]:
    step = b"    " if b"\n    " in content else b"  "
    at, line = 0, 1
    for each in pattern.finditer(content):
        line += content.count(b"\n", at, each.start())
        at = each.start()
        depth = len(each[1].expandtabs(4)) // len(step)
        if depth < DEEPEST:
            yield signature(line, _VALUE.sub(rb"\1", each[2]).decode("utf-8", "replace").rstrip(" \t\r{}("), depth)
