"""What one run of codex says, taken in line by line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from ropeteam.agents import codex_events as events
from ropeteam.agents import codex_verdict, endings
from ropeteam.agents.codex_record import Record, RecordReader, minus, usage_of
from ropeteam.agents.codex_verdict import Heard
from ropeteam.core.model import Usage
from ropeteam.ports import Exit, Finish, Said, Task

_head = msgspec.json.Decoder(events.Head)
_item = msgspec.json.Decoder(events.ItemEvent)
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_RETRY = re.compile(r"^Reconnecting\.\.\. (?:\d+/\d+|waiting for network)(?: \((?P<why>.*)\))?$", re.DOTALL)
_SHELL = re.compile(r"^\S*/(?:ba|z|da)?sh -l?c (?P<rest>.*)$", re.DOTALL)


class CodexConversation:
    """Parser and memory of one attempt.

    sessions: the folders that codex may write the record of this conversation to, the likeliest first.
    """

    def __init__(self, task: Task, sessions: Sequence[Path]) -> None:
        self._task = task
        self._sessions = sessions
        self._heard = Heard(forked=task.fork is not None)
        self._reader: RecordReader | None = None
        self._whole: Usage | None = None
        self._told = Usage()

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.strip()
        if not text:
            return ()
        try:
            kind = _head.decode(text).type
        except _FAULTS as error:
            return self._not_an_event(text, str(error))
        if not kind:
            return self._garbled(f"a JSON line without a type ({len(text)} bytes)")
        try:
            return (*self._event(kind, text), *self._recorded())
        except _FAULTS as error:
            return self._garbled(f"{kind}: {error}")

    def finish(self, exit: Exit, now: float) -> Finish:
        heard = self._heard
        self._recorded()
        outcome, evidence = codex_verdict.judge(exit, heard, self._task.kind)
        report, notices = codex_verdict.report(heard, self._task)
        words = heard.failed or heard.error
        return Finish(
            outcome=outcome,
            usage=self._usage(),
            report=endings.inside(report, self._task.tree),
            session=heard.session,
            model=self._record.model or self._task.settings.model or "",
            evidence=evidence,
            notices=(*notices, *codex_verdict.notices(heard, outcome)),
            retry_at=codex_verdict.retry_at(words, now) if outcome in ("rate", "overload") else None,
            compacted=self._record.compacted > 0,
            unforked=heard.forked and not heard.began and not exit.stopped and exit.code == 1,
        )

    # ---- events

    def _event(self, kind: str, line: bytes) -> Sequence[Said]:
        heard = self._heard
        match kind:
            case "thread.started":
                heard.began = True
                heard.session = msgspec.json.decode(line, type=events.ThreadStarted).thread_id
                self._reader = RecordReader(self._sessions, heard.session)
                return (Said(kind="session", text=heard.session),)
            case "item.started" | "item.updated":
                return self._begun(_item.decode(line).item)
            case "item.completed":
                return self._ended(_item.decode(line).item)
            case "error":
                return self._trouble(msgspec.json.decode(line, type=events.Words).message)
            case "turn.completed":
                usage = msgspec.json.decode(line, type=events.TurnCompleted).usage
                heard.done = True
                self._whole = usage_of(usage) if usage is not None else None
                return (Said(kind="usage", usage=self._usage()), Said(kind="end", text="completed"))
            case "turn.failed":
                heard.failed = msgspec.json.decode(line, type=events.TurnFailed).error.message
                return (Said(kind="end", text="failed"),)
            case _:
                return ()

    def _begun(self, item: events.Item) -> Sequence[Said]:
        match item.type:
            case "command_execution":
                return self._tool(f"Shell {command_words(item.command or '')}")
            case "file_change":
                return self._tool("Edit " + ", ".join(self._inside(change.path) for change in item.changes or ()))
            case "mcp_tool_call":
                thought = item.arguments.get("thought") if isinstance(item.arguments, dict) else None
                return self._tool(f"{item.tool} {thought}" if isinstance(thought, str) else item.tool or "")
            case "web_search":
                return self._tool(f"Search {item.query or ''}")
            case "todo_list":
                step = next((step.text for step in item.items or () if not step.completed), "")
                return (Said(kind="text", text=endings.shortened(step)),) if step else ()
            case _:
                return ()

    def _tool(self, words: str) -> Sequence[Said]:
        self._heard.tools += 1
        return (Said(kind="tool", text=endings.shortened(words)),)

    def _ended(self, item: events.Item) -> Sequence[Said]:
        words = (item.text or item.message or "").strip()
        if item.type == "agent_message" and words:
            self._heard.last_text = words
            return (Said(kind="text", text=endings.shortened(words)),)
        if item.type in ("reasoning", "error") and words:
            return (Said(kind="text", text=endings.shortened(words.replace("**", ""))),)
        if item.status == "declined":
            tried = command_words(item.command or "") or ", ".join(self._inside(c.path) for c in item.changes or ())
            self._heard.declined.append(tried)
            return (Said(kind="denied", text=endings.shortened(f"It was not allowed: {tried}")),)
        return ()

    def _trouble(self, words: str) -> Sequence[Said]:
        """codex tries again, or gives up: then `turn.failed` follows."""
        heard = self._heard
        found = _RETRY.match(words)
        heard.error = found["why"] or "" if found else words
        if found is None:
            return (Said(kind="text", text=endings.shortened(codex_verdict.plain(words))),)
        heard.retries += 1
        why = endings.shortened(heard.error)
        return (Said(kind="retry", text=f"{why}; trying again.", status=codex_verdict.status_of(heard.error)),)

    # ---- the record

    @property
    def _record(self) -> Record:
        return self._heard.record

    def _recorded(self) -> Sequence[Said]:
        """What the record tells that the events do not."""
        if self._reader is None:
            return ()
        refused, compacted = len(self._record.refused), self._record.compacted
        self._reader.read()
        self._heard.record = self._reader.record
        said = [Said(kind="denied", text=endings.shortened(words)) for words in self._record.refused[refused:]]
        if self._record.compacted > compacted:
            said.append(Said(kind="compacted", text="Its conversation was shortened to fit the model's context."))
        usage = self._usage()
        if usage.tokens > self._told.tokens:
            self._told = usage
            said.append(Said(kind="usage", usage=usage))
        return said

    def _usage(self) -> Usage:
        """Of this attempt alone. The record counts request by request; what the events tell in the end is of the whole
        conversation."""
        record = self._record
        before = self._task.fork.usage if self._task.fork is not None else Usage()
        told = minus(self._whole, before) if self._whole is not None else Usage()
        spent = record.usage if record.usage is not None else told
        return msgspec.structs.replace(spent, context_used=record.context_used, context_limit=record.window)

    # ---- what should not be

    def _not_an_event(self, text: bytes, problem: str) -> Sequence[Said]:
        words = endings.plain_words(text, began=self._heard.began)
        return (words,) if words is not None else self._garbled(f"{len(text)} bytes: {problem}")

    def _garbled(self, problem: str) -> Sequence[Said]:
        self._heard.garbled = self._heard.garbled or problem
        return (endings.unreadable(problem),)

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self._task.tree}/")


def command_words(command: str) -> str:
    """The command as the model gave it: `/bin/bash -lc 'pytest -q'` is how codex starts `pytest -q`."""
    found = _SHELL.match(command)
    if found is None:
        return command
    try:
        words = shlex.split(found["rest"])
    except ValueError:
        return found["rest"]
    return words[0] if len(words) == 1 else found["rest"]
