"""Text from agents, files and tools, made fit for a terminal; and figures in words."""

from __future__ import annotations

import re
import time
import unicodedata

_ESCAPES = re.compile(
    r"""\x1b\[[0-?]*[ -/]*[@-~]          # colours, cursor
      | \x1b[\]PX^_].*?(?:\x1b\\|\x07|$)  # titles, links, device strings
      | \x1b[ -/]*[0-~]                  # the others
      | \x9b[0-?]*[ -/]*[@-~]""",
    re.VERBOSE | re.DOTALL,
)
# Invisible letters that change the order or look of what stands beside them.
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def plain(text: str) -> str:
    """One line of an agent's words: terminal escapes removed, unseen characters removed, white space single."""
    text = _ESCAPES.sub("", text)
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if c.isspace() else "" if unicodedata.category(c) in _UNSEEN else c for c in text)
    return " ".join("".join(kept).split())


def whole(text: str) -> str:
    """`plain`, with a full stop where others may follow: what programs say of themselves often has none."""
    said = plain(text)
    return f"{said}." if said and said[-1] not in ".!?…:;" else said


def escaped(text: str, *, keep_lines: bool = False) -> str:
    """Exactly what is there, what cannot be seen written as an escape: for paths, and for messages about them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if keep_lines and c == "\n" else _shown(c) for c in text)


def _shown(c: str) -> str:
    if unicodedata.category(c) not in _UNSEEN:
        return c
    code = ord(c)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def shortened(text: str, length: int) -> str:
    """At most `length` characters, with a mark where something was left out."""
    return text if len(text) <= length else text[: max(0, length - 1)].rstrip() + "…"


def duration(seconds: float) -> str:
    """`8.4 s`, `42 s`, `13 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock_time(at: float, *, seconds: bool = False) -> str:
    """`14:32`, of the day, where the reader is."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(at))


UNKNOWN = "not known"
"""What nobody said: never shown as nothing."""


def number(value: int | None) -> str:
    """`1,234`."""
    return UNKNOWN if value is None else f"{value:,}"


def money(dollars: float | None) -> str:
    """`$1.23`; under ten cents with what can still be told apart."""
    if dollars is None:
        return UNKNOWN
    return f"${dollars:.2f}" if dollars >= 0.1 or dollars == 0 else f"${dollars:.4f}"


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `1,234 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int) -> str:
    """`950 tokens`, `12k tokens`, `1.2M tokens`: where there is little room."""
    if number < 1_000:
        return count(number, "token")
    return f"{number / 1_000:,.0f}k tokens" if number < 999_500 else f"{number / 1_000_000:,.1f}M tokens"
