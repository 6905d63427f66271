"""What one run of opencode says, taken in line by line, and what to make of it when it has ended."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ropeteam.agents import endings, refusals, reports
from ropeteam.agents import opencode_events as events
from ropeteam.agents.unattended import not_allowed, notices
from ropeteam.core.model import AgentReport, Outcome, Usage
from ropeteam.ports import Exit, Finish, Said, Task

_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_head: Final = msgspec.json.Decoder(events.Head)

_NOT_ALLOWED: Final = re.compile(r"rule which prevents|rejected permission|permission denied by|dismissed this", re.I)
"""What a tool's call answers when a permission was not given."""

_LOGGED: Final = re.compile(r'level=ERROR .*message="stream error".*error\.error="((?:[^"\\]|\\.)*)"')
"""Its log on a refused request; whether it tries again shows by what comes after."""

_FAILED: Final = re.compile(r'level=ERROR .*message=failed .*?error="((?:[^"\\]|\\.)*)"')
"""Its log on what its last event calls an unexpected error."""

_NO_KEY: Final = re.compile(r"Model not found: [^/\s]+/(\S+)\. Did you mean: .*?\1(?![\w.-])")
"""It knows the provider and the model, and has no key: what it proposes is what it was asked for."""

_GOING_ON: Final = ("tool-calls", "tool_calls")
"""Reasons of a step after which another one follows."""

_NOTHING: Final = "unknown"
"""Reason of a step whose answer broke off or was empty. Another one follows at once."""

EMPTY_STEPS: Final = 5
"""So many empty answers in a row, and there is no point in waiting for the next: opencode asks again without an end
and without a pause (seen: nine times a second). It makes a refused request five times again before it gives up."""

EMPTY: Final = "The provider answers with nothing"

MOST: Final = 1e15
"""Tokens. More than that is no count."""


class OpencodeConversation:
    """Parser and memory of one attempt."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._session = ""
        self._foreign = ""
        self._words = ""
        self._reason = ""
        self._steps = 0
        self._usage = Usage()
        self._tools = 0
        self._denials: list[str] = []
        self._refused = ""
        self._refusals = 0
        self._empty = 0
        self._failed: events.Fault | None = None
        self._cause = ""
        self._plain = ""
        self._garbled = ""

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.strip()
        if not text.startswith(b"{"):
            return self._log(text.decode(errors="replace"))
        try:
            head = _head.decode(text)
            if not head.type:
                return self._not_read(f"a JSON line without a type ({len(text)} bytes)")
            return (*self._same_session(head), *self._event(head.type, text))
        except _FAULTS as error:
            if b" level=ERROR " in text:  # its log came in between: it is written beside the events
                return self._log(text.decode(errors="replace"))
            return self._not_read(f"{len(text)} bytes: {error}")

    def finish(self, exit: Exit, now: float) -> Finish:
        report, problem = reports.left(self._task, self._words)
        outcome, evidence = self._judge(exit, problem)
        missing = outcome == "ok" and not problem and report == AgentReport()
        return Finish(
            outcome=outcome,
            usage=self._usage,
            report=report,
            session=self._session,
            model=self._task.settings.model or "",
            evidence=evidence,
            notices=notices(outcome, refused=self._denials, missing=missing, problem=problem, garbled=self._garbled),
            retry_at=self._retry_at(now) if outcome in ("rate", "overload") else None,
            unforked=self._task.fork is not None and not self._session and not exit.stopped and exit.code == 1,
        )

    # ---- events

    def _event(self, kind: str, line: bytes) -> Sequence[Said]:
        if kind == "error":
            self._failed = msgspec.json.decode(line, type=events.Failed).error
            return (Said(kind="end", text=endings.shortened(self._failed.data.message or self._failed.name)),)
        part = msgspec.json.decode(line, type=events.Event).part
        match kind:
            case "step_start":
                self._failed = None  # it shortened its conversation and goes on
                self._reason = ""
                self._refused = ""
                return ()
            case "text":
                self._empty = 0
                self._words = part.text if part.text.strip() else self._words
                return (Said(kind="text", text=endings.shortened(part.text)),) if part.text.strip() else ()
            case "tool_use":
                return self._tool_use(part)
            case "step_finish":
                return self._step(part)
            case _:
                return ()

    def _tool_use(self, part: events.Part) -> Sequence[Said]:
        self._tools += 1
        self._empty = 0
        done = Said(kind="tool", text=endings.tool_words(part.tool, part.state.input, self._task.tree))
        error = part.state.error or ""
        if part.state.status != "error" or not _NOT_ALLOWED.search(error):
            return (done,)
        self._denials.append(part.tool)
        return (done, Said(kind="denied", text=f"{part.tool} was not allowed: {endings.shortened(error)}"))

    def _step(self, part: events.Part) -> Sequence[Said]:
        self._steps += 1
        self._reason = part.reason
        self._add(part)
        told = Said(kind="usage", usage=self._usage)
        if part.reason == _NOTHING:
            return (told, *self._nothing(part.tokens or events.Tokens()))
        self._empty = 0
        return (told,) if part.reason in _GOING_ON else (told, Said(kind="end", text=part.reason))

    def _nothing(self, tokens: events.Tokens) -> Sequence[Said]:
        """A wait without an end is one that is longer than anybody waits."""
        self._empty = 0 if tokens.output > 0 else self._empty + 1
        if self._empty < EMPTY_STEPS:
            return ()
        return (Said(kind="retry", text=f"{EMPTY}; it asks again without an end.", seconds=math.inf),)

    def _add(self, part: events.Part) -> None:
        """Usage and cost are told of each step by itself."""
        tokens = part.tokens or events.Tokens()
        read, cached = _count(tokens.input) + _count(tokens.cache.write), _count(tokens.cache.read)
        wrote = _count(tokens.output) + _count(tokens.reasoning)
        before = self._usage
        self._usage = Usage(
            input=before.input + read,
            cached=before.cached + cached,
            output=before.output + wrote,
            context_used=read + cached + wrote,
            cost_usd=before.cost_usd + max(0.0, part.cost),
        )

    def _log(self, text: str) -> Sequence[Said]:
        """What is no event: lines of its log, and words of programs around it."""
        failed = _FAILED.search(text)
        if failed is not None:
            self._cause = failed[1]
            return ()
        logged = _LOGGED.search(text)
        if logged is None:
            self._plain = endings.shortened(text) or self._plain
            return ()
        self._refused = re.sub(r"\\(.)", r"\1", logged[1]).removeprefix("AI_APICallError: ")
        self._refusals += 1
        status, seconds = refusals.status(self._refused), refusals.wait(self._refused)
        return (Said(kind="retry", text=f"The provider: {self._refused[:200]}", status=status, seconds=seconds),)

    # ---- the verdict

    def _judge(self, exit: Exit, problem: str) -> tuple[Outcome, str]:
        """Our own stop counts first, then an error event, then how the program ended, then whether it came to its end,
        then what makes the conversation unreliable. Only what passes all of that is `ok`."""
        stopped = endings.stopped(exit)
        if stopped is not None:
            if stopped.outcome == "stalled" and self._empty >= EMPTY_STEPS:
                return "overload", f"{EMPTY}, and it asks again without an end ({self._so_far()})."
            return refusals.while_waiting(stopped, self._refused) or (stopped.outcome, stopped.evidence)
        if self._failed is not None:
            return self._fault(self._failed)
        outcome, evidence = endings.exit_code(exit)
        if outcome != "ok":
            last = f" Its last words: {self._plain}" if outcome == "crashed" and self._plain else ""
            refused = refusals.outcome(0, self._refused or self._plain) if outcome == "crashed" else None
            return refused or outcome, evidence + last
        if self._reason != "stop":
            reason = f"its last step ended with {self._reason!r}" if self._reason else "no step of it came to an end"
            return "crashed", f"{evidence} It never said that it was done: {reason} ({self._so_far()})."
        if unreliable := self._unreliable() or problem:
            return "corrupted", unreliable
        if self._task.turns is not None and self._steps > self._task.turns:
            return "turns", f"It reached its limit of turns ({self._so_far()})."
        done = f"Done in {exit.seconds:.0f} s ({self._so_far()})"
        return ("denied", f"{done}; {not_allowed(self._denials)}.") if self._denials else ("ok", f"{done}.")

    def _fault(self, fault: events.Fault) -> tuple[Outcome, str]:
        data = fault.data
        said = self._said(self._cause or data.message or fault.name)
        match fault.name:
            case "UnknownError" if _NO_KEY.search(self._cause):
                return "auth", f"It has no log-in for the provider of its model: {said}."
            case "ProviderAuthError":
                return "auth", f"The provider's last answer: {said}."
            case "ContextOverflowError":
                return "context", f"The conversation no longer fits the model: {said}."
            case "MessageAbortedError":
                return "killed", f"It was interrupted: {said}."
        refused = refusals.outcome(data.status or 0, f"{data.message} {data.body or ''}")
        if refused is not None:
            return refused, f"The provider's last answer: {said}."
        return "crashed", f"It ended with {fault.name or 'an error'}: {said}."

    def _said(self, words: str) -> str:
        return f"{' '.join(words.split())[:300].rstrip('.')} ({self._so_far()})"

    def _so_far(self) -> str:
        refused = f", refused requests: {self._refusals}" if self._refusals else ""
        return f"steps: {self._steps}, tool calls: {self._tools}{refused}"

    def _unreliable(self) -> str:
        if self._foreign:
            return f"It went on as another conversation: {self._foreign} instead of {self._session}."
        return f"Its output cannot be read: {self._garbled}." if self._garbled else ""

    def _retry_at(self, now: float) -> float | None:
        """From the header of the last refused answer, else from its words."""
        data = self._failed.data if self._failed is not None else events.FaultData()
        header = (data.headers or {}).get("retry-after", "")
        if re.fullmatch(r"\d{1,7}(\.\d+)?", header):
            return now + float(header)
        return refusals.retry_at(f"{data.message} {data.body or ''} {self._refused}", now)

    # ---- what should not be

    def _same_session(self, head: events.Head) -> Sequence[Said]:
        if head.session in ("", self._session):
            return ()
        if not self._session:
            self._session = head.session
            return (Said(kind="session", text=head.session),)
        self._foreign = self._foreign or head.session
        return ()

    def _not_read(self, problem: str) -> Sequence[Said]:
        self._garbled = self._garbled or problem
        return (endings.unreadable(problem),)


def _count(tokens: float) -> int:
    return int(min(max(0.0, tokens), MOST))
