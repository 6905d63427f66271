"""What codex writes down of a conversation while it is held, and tells nobody: the tokens of each request, the size of
the model's context, the commands and patches that its own sandbox refused, and that the conversation was shortened.

`codex exec --json` tells tokens once, at the end of a turn that succeeded, and a refused command not at all (seen with
0.169.0). The record is a help, never a need: where it is missing or cannot be read, the events alone are believed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from ropeteam.agents import codex_events as events
from ropeteam.core.model import Usage

READ_BYTES: Final = 8_000_000
"""Of the record, at one look; what is left is read the next time."""
LINE_BYTES: Final = 32_000_000
"""A longer line was not written by codex: the record is not read any further."""

_REFUSED: Final = re.compile(
    r"approval policy is Never; reject|patch rejected: |(?:^|\n)Failed to write file |"
    r"(?:^|\n)bwrap: |isolate app-server sockets|(?:Read-only file system|Operation not permitted)\s*$"
)
_SUCCEEDED: Final = re.compile(r"^(?:Exit code: 0\b|(?:[^\n]*\n){0,4}Process exited with code 0\b)")
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_recorded = msgspec.json.Decoder(events.Recorded)


@dataclass(slots=True)
class Record:
    """What was read so far. usage: of this conversation alone, what it was forked from not counted; None: not told.

    calls: calls of tools that were answered. refused: what the model was told of those that a sandbox refused.
    """

    usage: Usage | None = None
    window: int = 0
    context_used: int = 0
    model: str = ""
    calls: int = 0
    compacted: int = 0
    refused: list[str] = field(default_factory=list)


class RecordReader:
    """Reads the record of one conversation as it grows. folders: where conversations may lie, the likeliest first."""

    def __init__(self, folders: Sequence[Path], thread: str) -> None:
        self.record = Record()
        self._folders = folders
        self._thread = thread
        self._path: Path | None = None
        self._offset = 0
        self._rest = b""

    def read(self) -> None:
        """Take in what was written since the last time. Never raises."""
        self._path = self._path or find(self._folders, self._thread)
        if self._path is None or len(self._rest) > LINE_BYTES:
            return
        data = self._rest + _part(self._path, self._offset)
        self._offset += len(data) - len(self._rest)
        *lines, self._rest = data.split(b"\n")
        for line in lines:
            try:
                self._line(_recorded.decode(line))
            except _FAULTS:
                continue  # the events are believed, not the record

    def _line(self, line: events.Recorded) -> None:
        match line.type:
            case "turn_context":
                model = msgspec.json.decode(line.payload, type=events.TurnContext).model
                self.record.model = model or self.record.model
            case "token_usage_record":
                self._tokens(msgspec.json.decode(line.payload, type=events.TokenUsage).usage)
            case "compacted":
                self.record.compacted += 1
            case "event_msg":
                message = msgspec.json.decode(line.payload, type=events.Message)
                if message.info is not None:
                    self.record.window = message.info.model_context_window or self.record.window
            case "response_item":
                self._item(msgspec.json.decode(line.payload, type=events.Output))

    def _tokens(self, tokens: events.Tokens | None) -> None:
        if tokens is None:
            return
        one, before = usage_of(tokens), self.record.usage or Usage()
        self.record.usage = plus(before, one)
        self.record.context_used = one.tokens

    def _item(self, item: events.Output) -> None:
        if item.type not in _OUTPUTS:
            return
        self.record.calls += 1
        words = text_of(item.output)
        if _REFUSED.search(words) and not _SUCCEEDED.match(words):
            self.record.refused.append(words.strip().splitlines()[-1])


def find(folders: Sequence[Path], thread: str) -> Path | None:
    """The record of that conversation. Its folder is named by the day it began on, which its id tells."""
    try:
        began = datetime.fromtimestamp(int(thread[:8] + thread[9:13], 16) / 1000)
    except (ValueError, OverflowError, OSError):
        return None
    if not re.fullmatch(r"[0-9a-f-]{36}", thread):
        return None
    for folder in folders:
        for days in (0, -1, 1):  # by its clock, which may be in another time zone
            try:
                day = (began + timedelta(days=days)).strftime("%Y/%m/%d")
                found = sorted((folder / day).glob(f"rollout-*-{thread}.jsonl"))
            except (ValueError, OverflowError, OSError):
                continue
            if found:
                return found[0]
    return None


def _part(path: Path, offset: int) -> bytes:
    """What an agent may have put there is not followed: a link could lead anywhere, a pipe would never be opened."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b""
            file.seek(offset)
            return file.read(READ_BYTES)
    except OSError:
        return b""


def text_of(output: Any) -> str:
    """What the model read: a text, or the texts of its blocks."""
    if isinstance(output, str):
        return output
    blocks = output if isinstance(output, list) else []
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))


def usage_of(tokens: events.Tokens) -> Usage:
    """codex counts what came from the cache as input too."""
    cached = tokens.cached_input_tokens or 0
    return Usage(
        input=max(0, (tokens.input_tokens or 0) - cached),
        cached=max(0, cached),
        output=max(0, tokens.output_tokens or 0),
    )


def plus(one: Usage, other: Usage) -> Usage:
    return Usage(input=one.input + other.input, cached=one.cached + other.cached, output=one.output + other.output)


def minus(one: Usage, other: Usage) -> Usage:
    """Never below zero: a conversation whose beginning was shortened may be counted anew."""
    return Usage(
        input=max(0, one.input - other.input),
        cached=max(0, one.cached - other.cached),
        output=max(0, one.output - other.output),
    )
