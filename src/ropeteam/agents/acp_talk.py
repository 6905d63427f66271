"""What is said in the Agent Client Protocol, understood: updates as lines for `program`, permissions, how a turn ends.

Pure: messages in, lines out. `acp_client` speaks; what is here is tested with recorded messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import msgspec

from ropeteam.agents import refusals
from ropeteam.agents.provider_words import refusal
from ropeteam.core.agent_files import DeniedLine, EndLine, ProgressLine, SessionLine, UsageLine
from ropeteam.core.model import Kind


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="done"):
    """The last line of a turn that ended well. Of the client alone: other programs say it by their exit code."""


Line = ProgressLine | UsageLine | SessionLine | DeniedLine | EndLine | Done

SHOWN: Final = 160
"""Characters of a text that are shown to people."""

THINKING: Final = "sequential-thinking"
"""What we call the MCP server for thinking."""

AUTH_REQUIRED: Final = -32000
"""The protocol's code for an agent that is not logged in."""

_ERROR_TEXT: Final = 1000
"""A last message longer than this is an answer; an error that is told as one is a line or two."""

_ERROR_WORDS = re.compile(r"^\W*(api error|error|unexpected status|exceeded|stream|internal error|failed)\b", re.I)
"""How a message begins that tells an error, where an agent that did nothing ends its turn in peace."""


_REFUSAL: Final = re.compile(
    r"^\W*(?:path not in workspace|tool execution .{0,80}denied|status: (?:denied|aborted))", re.I
)
"""How the result of a tool call begins that the agent refused by itself: gemini, and codex where a model decides."""

_GO_ON: Final = (
    "That was not allowed: {what}. You may write below {tree} and the file {report}, and nothing else; nobody can be "
    "asked to allow more. Leave it, say so in your report, and go on with the rest of your task."
)


_NOT_THERE: Final = re.compile(r"\bnot found\b|does not exist|not supported", re.IGNORECASE)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the client is to do: start `argv` in `tree`, and have one turn with it. The prompt is on standard input.

    report_file: the only file outside the tree that it may write. thinking: command of an MCP server to offer.
    mode: of the session, where the program has it. bounded: the program confines itself in that mode, so that whatever
    it asks for is what its own bounds do not allow.
    """

    argv: tuple[str, ...]
    tree: str
    report_file: str
    kind: Kind
    model: str | None = None
    thinking: tuple[str, ...] = ()
    mode: str = ""
    bounded: bool = False


# ---- what it does

_STOPS: Final[dict[str, tuple[Literal["context", "turns", "crashed"], str]]] = {
    "max_tokens": ("context", "it stopped at the model's limit of tokens"),
    "max_turn_requests": ("turns", "it stopped at its limit of requests"),
    "refusal": ("crashed", "the model refused to go on"),
}


class Narrator:
    """Takes in the `session/update` notifications of one turn, in order, and says what is worth a line.

    last_text: its last message, whole; empty when a tool was called after it. before: the last one with words before
    that. worked: whether it called a tool. broken: codex-acp says that the turn failed; it tells the error as a
    message and ends the turn in peace. refused: what the client refused it in this turn, empty if nothing.
    """

    def __init__(self) -> None:
        self.last_text = ""
        self.before = ""
        self.worked = False
        self.broken = False
        self.refused = ""
        self._message: object = None
        self._shown = 0
        self._titles: dict[str, str] = {}
        self._plan = ""
        self._usage = UsageLine()
        self._earlier = UsageLine()

    def update(self, update: Mapping[str, Any]) -> Sequence[Line]:
        """Never raises, whatever the update holds."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                return self._text(_words(_mapping(update.get("content")).get("text")), update.get("messageId"))
            case "tool_call" | "tool_call_update":
                return self._tool(update)
            case "plan":
                return self._steps(update.get("entries"))
            case "usage_update":
                return self._context(update)
            case "session_info_update":
                status = _mapping(_mapping(_mapping(update.get("_meta")).get("codex")).get("threadStatus"))
                if status.get("type") != "systemError":
                    return ()
                self.broken = True
                return self._begin()
            case _:
                return ()

    def finished(self, answer: Mapping[str, Any]) -> Sequence[Line]:
        """The lines that are still due when the turn has ended. answer: to the prompt; empty where there was none."""
        lines = list(self._flush())
        counts = _mapping(answer.get("usage"))
        told = _mapping(_mapping(_mapping(answer.get("_meta")).get("quota")).get("token_count"))
        if not counts and told:  # gemini: cached reading included
            lines.append(self._spent(_count(told.get("input_tokens")), 0, _count(told.get("output_tokens"))))
        if counts:
            given, cached, output = (
                _count(counts.get(key)) for key in ("inputTokens", "cachedReadTokens", "outputTokens")
            )
            written, total = _count(counts.get("cachedWriteTokens")), _count(counts.get("totalTokens"))
            # Whether the input includes what came from the cache is not said, and done both ways; the total tells.
            inclusive = bool(cached) and cached <= given and total - given - output < cached + written
            fresh = given - cached if inclusive else given + written
            lines.append(self._spent(fresh, cached, output))
        return lines

    def go_on(self, reason: str, order: Order, *, given: bool = False) -> str:
        """What to tell an agent that ended its turn because it was refused something, so that it does the rest; empty
        where it did not end for that. Its user is to say what to do instead: codex cancels the turn then, opencode ends
        it without a word. given: as for `ended`."""
        if not self._ended_by_refusal(reason, given):
            return ""
        told, self.refused = _GO_ON.format(what=self.refused, tree=order.tree, report=order.report_file), ""
        self._begin()
        self._earlier = self._usage
        return told

    def ended(self, reason: str, *, given: bool = False) -> EndLine | None:
        """What the end of the turn means; None: the agent is done. given: what it was asked for is there."""
        if reason in _STOPS:
            outcome, words = _STOPS[reason]
            return EndLine(outcome=outcome, text=_short(f"{words}. {self.last_text}"))
        if self._ended_by_refusal(reason, given):
            return EndLine(outcome="denied", text=_short(f"it ended its turn whenever it was refused: {self.refused}"))
        if reason != "end_turn":
            return EndLine(outcome="crashed", text=f"its turn ended with {reason!r}")
        text = self.last_text.strip()
        found = refusal(text)
        if self.broken:
            return EndLine(outcome=found or "crashed", text=_short(refusals.plain(text)))
        if not text and not given:  # gemini makes of an answer that breaks off a turn that ends in peace
            return EndLine(outcome="overload", text="it ended without a last word and without a report")
        telling = not self.worked and len(text) <= _ERROR_TEXT and _ERROR_WORDS.match(text)
        return EndLine(outcome=found, text=_short(refusals.plain(text))) if telling and found else None

    def _ended_by_refusal(self, reason: str, given: bool) -> bool:
        silent = reason == "end_turn" and not self.last_text.strip() and not given
        return bool(self.refused) and (reason == "cancelled" or silent)

    def _text(self, text: str, message: object) -> Sequence[Line]:
        lines = self._begin() if message != self._message else ()
        self._message = message
        self.last_text += text
        return (*lines, *self._flush()) if "\n\n" in self.last_text[self._shown :] else lines

    def _begin(self) -> Sequence[Line]:
        """What comes now is a message of its own."""
        lines = self._flush()
        self.before = self.last_text if self.last_text.strip() else self.before
        self.last_text, self._shown = "", 0
        return lines

    def _flush(self) -> Sequence[Line]:
        """What it has written and nobody has seen yet."""
        words = " ".join(self.last_text[self._shown :].split())
        self._shown = len(self.last_text)
        return (ProgressLine(text=words[:SHOWN]),) if words else ()

    def _tool(self, update: Mapping[str, Any]) -> Sequence[Line]:
        key, title = _words(update.get("toolCallId")), " ".join(_words(update.get("title")).split())
        lines = list(self._flush() if key in self._titles else self._begin())
        if update.get("status") == "failed" and (words := _refusal(update.get("content"))):
            lines.append(DeniedLine(text=words[:SHOWN]))
        self._titles.setdefault(key, "")
        self.worked = True
        if title and self._titles.get(key) != title:
            self._titles[key] = title
            lines.append(ProgressLine(text=title[:SHOWN]))
        return lines

    def _steps(self, entries: object) -> Sequence[Line]:
        steps = [_mapping(entry) for entry in entries] if isinstance(entries, list) else []
        done = sum(step.get("status") == "completed" for step in steps)
        now = next((_words(step.get("content")) for step in steps if step.get("status") == "in_progress"), "")
        text = f"{done} of {len(steps)} steps done" + (f"; now: {' '.join(now.split())}" if now else "")
        if not steps or text == self._plan:
            return ()
        self._plan = text
        return (ProgressLine(text=text[:SHOWN]),)

    def _context(self, update: Mapping[str, Any]) -> Sequence[Line]:
        cost = _mapping(update.get("cost"))
        dollars = cost.get("amount") if cost.get("currency") == "USD" else None
        more = {"cost_usd": max(0.0, float(dollars))} if isinstance(dollars, int | float) else {}
        return (self._told(context_used=_count(update.get("used")), context_limit=_count(update.get("size")), **more),)

    def _spent(self, fresh: int, cached: int, output: int) -> UsageLine:
        """By a turn, after those before it."""
        before = self._earlier
        return self._told(input=before.input + fresh, cached=before.cached + cached, output=before.output + output)

    def _told(self, **counts: Any) -> UsageLine:
        self._usage = msgspec.structs.replace(self._usage, **counts)
        return self._usage


# ---- what it may


def may(order: Order, tool_call: Mapping[str, Any]) -> bool:
    """Whether the agent may do what it asks for: commands, and edits below the work tree or of the report.

    Who plans only reads, and writes its report. Of one that confines itself a command only asks to leave its bounds.
    """
    kind, paths = _words(tool_call.get("kind")), touched(tool_call)
    if kind in ("read", "search", "think"):
        return True
    if kind == "fetch":
        return order.kind == "plan" or not order.bounded
    if kind == "execute":
        return order.kind != "plan" and not order.bounded
    if kind not in ("edit", "delete", "move") and not paths:
        thinks = bool(order.thinking) and THINKING in _words(tool_call.get("title"))
        return thinks or (order.kind != "plan" and not order.bounded)
    return _may_touch(order, paths)


def _may_touch(order: Order, paths: Sequence[str]) -> bool:
    """An edit, or what says no more than where: opencode asks so (`other`) for all that is outside of the tree."""
    report = order.report_file
    own = {report, str(PurePosixPath(report).parent)} if report in paths else set()
    if order.kind == "plan":
        return bool(paths) and own.issuperset(paths)
    if order.bounded and not paths:
        return False  # what it leaves its bounds for is not known
    return all(path in own or _below(path, order.tree) for path in paths)


def asked_for(tool_call: Mapping[str, Any]) -> str:
    """What the agent wants, for people: its title, with the paths that are not in it."""
    title = " ".join((_words(tool_call.get("title")) or _words(tool_call.get("kind")) or "a tool call").split())
    more = [path for path in touched(tool_call) if PurePosixPath(path).name not in title]
    return (f"{title} ({', '.join(more)})" if more else title)[:SHOWN]


def _refusal(content: object) -> str:
    """What a failed tool call says where it was refused; empty where it failed otherwise."""
    places = content if isinstance(content, list) else []
    texts = (_words(_mapping(_mapping(place).get("content")).get("text")) for place in places)
    # Where it may write (gemini) would be cut off in the middle of a path.
    return next(
        (" ".join(text.split()).partition(" resolves outside")[0] for text in texts if _REFUSAL.match(text)), ""
    )


def touched(tool_call: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths that a tool call says it touches."""
    found = []
    for places in (tool_call.get("locations"), tool_call.get("content")):
        found += [_words(_mapping(place).get("path")) for place in places] if isinstance(places, list) else []
    given = _mapping(tool_call.get("rawInput"))
    found += [_words(given.get(key)) for key in ("file_path", "filePath", "filepath", "path", "notebook_path")]
    return tuple(dict.fromkeys(path for path in found if path))


def _below(path: str, tree: str) -> bool:
    whole = PurePosixPath(tree, path)
    return ".." not in whole.parts and whole.is_relative_to(tree)


def chosen(options: Sequence[tuple[str, str]], *, allow: bool) -> str | None:
    """Which option to choose, of (id, kind); None when there is none like it. Once before always: what is allowed for
    good is written down by some agents, in the work tree or in the user's own settings."""
    for wanted in ("allow_once", "allow_always") if allow else ("reject_once", "reject_always"):
        for option, kind in options:
            if kind == wanted:
                return option
    return None


# ---- how it ends


def failed(code: int, message: str, data: object) -> EndLine:
    """What an error means that came instead of an answer (JSON-RPC)."""
    more = _words(_mapping(data).get("details") or _mapping(data).get("message")) or _plain(data)
    text = message if not more or more == message else f"{message}: {more}"
    if code == AUTH_REQUIRED or code in (401, 403):
        return EndLine(outcome="auth", text=_short(refusals.plain(text)))
    # gemini gives the status of HTTP as the code, and 500 where it has none.
    found = refusal(text) or (None if _NOT_THERE.search(text) else refusal(str(code)))
    return EndLine(outcome=found or "crashed", text=_short(f"{refusals.plain(text)} ({code})"))


def _plain(data: object) -> str:
    if data is None or data == {}:
        return ""
    try:
        return msgspec.json.encode(data).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return ""


def _short(text: str) -> str:
    return " ".join(text.split())[:400].strip()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0
