"""What one run of gemini says, taken in line by line, and what to make of it when it has ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ropeteam.agents import endings, refusals, reports
from ropeteam.agents import gemini_events as events
from ropeteam.agents.unattended import not_allowed, notices
from ropeteam.core.model import AgentReport, Outcome, Usage
from ropeteam.ports import Exit, Finish, Said, Task

_DENIED: Final = "policy_violation"
_OUTSIDE: Final = "Path not in workspace"
"""What the result of a tool says that would have gone beyond the work tree and the attempt's folder."""

_BY_CODE: Final[dict[int, tuple[Outcome, str]]] = {
    41: ("auth", "it is not logged in, or its log-in does not fit its settings"),
    42: ("crashed", "it did not understand how it was started"),
    44: ("crashed", "the sandbox that its settings ask for could not be started"),
    52: ("crashed", "its settings cannot be used"),
    53: ("turns", "it reached its limit of turns"),
    54: ("crashed", "a tool failed in a way it cannot go on from"),
    55: ("denied", "it does not trust the folder"),
    130: ("killed", "it was interrupted"),
}
"""Exit codes that gemini documents, and what each says where no event says more."""

_BY_EVENT: Final[tuple[tuple[str, Outcome], ...]] = (
    ("Maximum session turns exceeded", "turns"),
    ("Loop detected", "crashed"),
    ("Agent execution blocked", "denied"),  # by a hook of the user's or the repository's
)
"""What the event `error` begins with where a run ends in success for no good reason."""

_REFUSED: Final = re.compile(r"Attempt \d+ failed(?: with status (?P<status>\d+))?[.:]*\s*(?P<words>.*)")
_WAITS: Final = re.compile(r"^(?P<words>.*?)\.* ?Retrying (?:after (?P<ms>\d{1,12})ms|with backoff)\.*\s*(?P<more>.*)")
"""Its lines on standard error for a request that was refused and will be made again. No event tells it. The provider's
words may go on over several lines; the last of them tells the wait."""

_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_head: Final = msgspec.json.Decoder(events.Head)


class GeminiConversation:
    """Parser and memory of one attempt."""

    def __init__(self, task: Task, session: str) -> None:
        self._task = task
        self._session = session
        self._began = False
        self._foreign = ""
        self._model = ""
        self._words = ""
        self._answered = False
        self._tools: dict[str, str] = {}
        self._denials: dict[str, str] = {}
        self._warnings: list[str] = []
        self._result: events.Result | None = None
        self._plain = ""
        self._refused = ""
        self._status = 0
        self._refusals = 0
        self._garbled = ""

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.strip()
        if not text:
            return ()
        try:
            head = _head.decode(text)
        except _FAULTS as error:
            return self._not_an_event(text, str(error))
        if not head.type:
            return self._not_read(f"a JSON line without a type ({len(text)} bytes)")
        self._refused = ""
        try:
            return self._event(head.type, text)
        except _FAULTS as error:
            return self._not_read(f"{head.type}: {error}")

    def finish(self, exit: Exit, now: float) -> Finish:
        report, problem = reports.left(self._task, self._words)
        outcome, evidence = self._judge(exit, problem)
        missing = outcome == "ok" and not problem and report == AgentReport()
        return Finish(
            outcome=outcome,
            usage=self._usage(),
            report=report,
            session=self._session,
            model=self._model_used(),
            evidence=evidence,
            notices=self._notices(outcome, problem, missing=missing),
            retry_at=refusals.retry_at(self._last_fault(), now) if outcome in ("rate", "overload") else None,
        )

    # ---- events

    def _event(self, kind: str, line: bytes) -> Sequence[Said]:
        match kind:
            case "init":
                return self._init(msgspec.json.decode(line, type=events.Init))
            case "message":
                return self._message(msgspec.json.decode(line, type=events.Message))
            case "tool_use":
                use = msgspec.json.decode(line, type=events.ToolUse)
                self._tools[use.tool_id] = use.tool_name
                return (Said(kind="tool", text=endings.tool_words(use.tool_name, use.parameters, self._task.tree)),)
            case "tool_result":
                return self._tool_result(msgspec.json.decode(line, type=events.ToolResult))
            case "error":
                warned = msgspec.json.decode(line, type=events.Warned)
                self._warnings.append(warned.message)
                return (Said(kind="text", text=endings.shortened(warned.message)),)
            case "result":
                self._result = msgspec.json.decode(line, type=events.Result)
                return (Said(kind="usage", usage=self._usage()), Said(kind="end", text=self._result.status))
            case _:
                return ()

    def _init(self, init: events.Init) -> Sequence[Said]:
        self._began = True
        self._model = init.model
        if init.session_id != self._session:
            self._foreign = init.session_id or "one without an id"
        return (Said(kind="session", text=init.session_id),)

    def _message(self, message: events.Message) -> Sequence[Said]:
        if message.role != "assistant" or not message.content:
            return ()
        # An answer comes in pieces; whatever comes between two answers is a tool's result.
        self._words = self._words + message.content if self._answered else message.content
        self._answered = True
        return (Said(kind="text", text=endings.shortened(message.content)),) if message.content.strip() else ()

    def _tool_result(self, result: events.ToolResult) -> Sequence[Said]:
        self._answered = False
        error = result.error
        if error is None or not (error.type == _DENIED or error.message.startswith(_OUTSIDE)):
            return ()
        tool = self._tools.get(result.tool_id, "a tool")
        self._denials[result.tool_id] = tool
        return (Said(kind="denied", text=endings.shortened(error.message) or f"{tool} was not allowed"),)

    # ---- the verdict

    def _judge(self, exit: Exit, problem: str) -> tuple[Outcome, str]:
        """Our own stop counts first, then the last event where it names a fault, then how the program ended, then what
        makes the conversation unreliable. Only what passes all of that is `ok`."""
        stopped = endings.stopped(exit)
        if stopped is not None:
            return refusals.while_waiting(stopped, self._refused) or (stopped.outcome, stopped.evidence)
        if self._result is None:
            return self._without_result(exit)
        fault = self._fault(exit)
        if fault is not None:
            return fault
        outcome, evidence = endings.exit_code(exit)
        if outcome != "ok":
            return outcome, f"It said it was done. {evidence}"
        if unreliable := problem or self._unreliable():
            return "corrupted", unreliable
        if not self._answered:
            # Seen where the conversation no longer fits: no event, and success.
            return "context", "It ended without a last word, as it does when the conversation no longer fits its model."
        done = f"Done in {exit.seconds:.0f} s (tool calls: {self._calls()})"
        return ("denied", f"{done}; {self._not_allowed()}.") if self._denials else ("ok", f"{done}.")

    def _without_result(self, exit: Exit) -> tuple[Outcome, str]:
        outcome, evidence = endings.exit_code(exit)
        code = _code(exit)
        if code in _BY_CODE:
            outcome, meaning = _BY_CODE[code]
            words = f" ({self._plain.rstrip('.')})" if self._plain else ""
            return outcome, f"Ended with exit code {code} after {exit.seconds:.0f} s: {meaning}{words}."
        if outcome == "ok":
            return "crashed", f"{evidence} It never said that it was done."
        return (
            outcome,
            f"{evidence} Its last words: {self._plain}" if self._plain and outcome == "crashed" else evidence,
        )

    def _fault(self, exit: Exit) -> tuple[Outcome, str] | None:
        """What the last event says went wrong, or a warning before it that no success follows from."""
        assert self._result is not None
        calls = f"tool calls: {self._calls()}"
        if self._result.status == "success":
            for words, outcome in _BY_EVENT:
                if any(warning.startswith(words) for warning in self._warnings):
                    return outcome, f"It gave up: {words.lower()} ({calls})."
            return None
        words = " ".join(self._last_fault().split())
        again = f", refused requests: {self._refusals}" if self._refusals else ""
        said = f"{refusals.plain(words)[:300].rstrip('.') or 'no reason given'} ({calls}{again})"
        error = self._result.error
        if error is None:
            # The model's answer was empty or could not be read, several times over.
            return "overload", f"Its model gave no answer that can be used: {said}."
        code = _code(exit)
        if code in _BY_CODE and error.type.startswith("Fatal"):
            return _BY_CODE[code][0], f"It gave up: {said}."
        refused = refusals.outcome(_status(code), words)
        if refused is not None:
            return refused, f"The provider's last answer: {said}."
        return "crashed", f"It ended with {error.type or 'an error'}: {said}."

    def _last_fault(self) -> str:
        """The words of what went wrong last."""
        result = self._result
        if result is not None and result.error is not None:
            return result.error.message
        return self._refused or (self._warnings[-1] if self._warnings else "")

    def _unreliable(self) -> str:
        if self._foreign:
            return f"It came back as another conversation: {self._foreign} instead of {self._session}."
        return f"Its output cannot be read: {self._garbled}." if self._garbled else ""

    def _notices(self, outcome: Outcome, problem: str, *, missing: bool) -> tuple[str, ...]:
        tools = list(self._denials.values())
        found = notices(outcome, refused=tools, missing=missing, problem=problem, garbled=self._garbled)
        if self._result is None and self._began:
            found = (*found, "How many tokens it used is not known: it ended without saying so.")
        return found

    def _not_allowed(self) -> str:
        return not_allowed(list(self._denials.values()))

    # ---- figures

    def _usage(self) -> Usage:
        stats = self._result.stats if self._result is not None else None
        if stats is None:
            return Usage()
        read = max(0, stats.input_tokens - stats.cached)
        # Thoughts are paid for as output and only in the total.
        wrote = max(stats.output_tokens, stats.total_tokens - stats.input_tokens, 0)
        return Usage(input=read, cached=max(0, stats.cached), output=wrote)

    def _calls(self) -> int:
        stats = self._result.stats if self._result is not None else None
        return stats.tool_calls if stats is not None else len(self._tools)

    def _model_used(self) -> str:
        """The model that was asked for; where gemini chose itself, the one that did most."""
        models = self._result.stats.models if self._result is not None and self._result.stats is not None else {}
        if self._model and not self._model.startswith("auto"):
            return self._model
        return max(models, key=lambda name: models[name].total_tokens, default=self._model)

    # ---- what should not be

    def _not_an_event(self, text: bytes, problem: str) -> Sequence[Said]:
        """Plain words come from gemini's standard error, and from programs around it."""
        if text.startswith(b"{"):
            return self._not_read(f"{len(text)} bytes: {problem}")
        words = text.decode(errors="replace")
        refused = _REFUSED.search(words)
        if refused is not None:
            self._status = int((refused["status"] or "0")[:9])
            self._refused, words = "", refused["words"]
        waits = _WAITS.search(words)
        if refused is not None or waits is not None:
            told = f"{waits['words']} {waits['more']}" if waits is not None else words
            self._refused = refusals.plain(f"{self._refused} {told}".strip())
        elif not words.startswith(("at ", "}")):  # of a stack trace
            self._plain = endings.shortened(words)
        return self._again(int(waits["ms"] or 0) / 1000) if waits is not None else ()

    def _again(self, seconds: float) -> Sequence[Said]:
        """It waits that long and makes the request once more."""
        self._refusals += 1
        status = self._status or refusals.status(self._refused)
        return (Said(kind="retry", text=f"The provider: {self._refused[:200]}", status=status, seconds=seconds),)

    def _not_read(self, problem: str) -> Sequence[Said]:
        self._garbled = self._garbled or problem
        return (endings.unreadable(problem),)


def _code(exit: Exit) -> int:
    """The exit code; where a sandbox took it for a signal, as it was."""
    if exit.code is not None:
        return exit.code
    return 128 + exit.signal if exit.signal else 0


def _status(code: int) -> int:
    """The status of HTTP that gemini gave as its exit code, of which a system keeps the lowest eight bits."""
    known = (400, 401, 402, 403, 404, 408, 413, 429, 499, *range(500, 512), 529)
    return next((status for status in known if status & 0xFF == code), 0)
