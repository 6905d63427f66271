"""What to make of an ended run of codex: its outcome, its report, and what people should know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from ropeteam.agents import endings, program
from ropeteam.agents.codex_record import Record
from ropeteam.agents.report_schema import without_nulls
from ropeteam.core.model import AgentReport, Kind, Outcome
from ropeteam.ports import Exit, Task

NOT_RENEWED: Final = "the-log-in-is-not-renewed-in-a-sandbox"
"""In codex's words where it wanted to renew its log-in and could not: see `codex.RENEWAL`."""

_STATUS = re.compile(r"\b(?:unexpected status|last status:) (\d{3})\b")
_FENCED = re.compile(r"```(?:json)?\s*\n(\{.*?\})\s*```", re.DOTALL)

# codex's own words come without a status. They hold for all providers; a provider's own words stand behind a status.
_LOG_IN = re.compile(
    rf"{NOT_RENEWED}|missing environment variable|access token could not be refreshed|log ?out and (?:log|sign) in|"
    r"not logged in|sign in again|invalid api key|incorrect api key",
    re.IGNORECASE,
)
_USED_UP = re.compile(
    r"usage limit|quota exceeded|spend cap|out of credits|check your plan and billing|credit balance|"
    r"to use codex with your chatgpt plan",
    re.IGNORECASE,
)
_FULL = re.compile(r"ran out of room in the model|context[_ ]window|context_length_exceeded|too large for the model")
_NO_ANSWER = re.compile(
    r"stream disconnected|connection failed|error sending request|high demand|at capacity|overloaded|timed? ?out|"
    r"server_error|error while reading the server response|failed to lookup address",
    re.IGNORECASE,
)

_AT: Final = re.compile(
    r"[Tt]ry again at (?:(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2})(?:st|nd|rd|th), (?P<year>\d{4}) )?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d) (?P<half>[AP]M)"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Heard:
    """What the events have told so far. failed: why the turn failed; done: it completed. error: the last `error`.

    forked: it went on from a copy of another conversation. tools: it ran a command, a patch or a tool.
    """

    session: str = ""
    forked: bool = False
    began: bool = False
    done: bool = False
    failed: str | None = None
    error: str = ""
    retries: int = 0
    tools: int = 0
    last_text: str = ""
    declined: list[str] = field(default_factory=list)
    garbled: str = ""
    record: Record = field(default_factory=Record)


def judge(exit: Exit, heard: Heard, kind: Kind) -> tuple[Outcome, str]:
    """The outcome, and one sentence of evidence.

    Our own stop counts first, then a turn that failed, then how the program ended, then what makes the conversation
    unreliable. Only what passes all of that is `ok`. The exit code is 0 for refused writes too, and 1 for all the rest.
    """
    stopped = endings.stopped(exit)
    if stopped is not None:
        return stopped.outcome, stopped.evidence
    if heard.failed is not None:
        said = heard.failed or heard.error or "it did not say why"
        retried = f" (retries: {heard.retries})"
        return refused(said), f"Its turn failed: {plain(said)[:300].rstrip('.')}{retried}."
    outcome, evidence = endings.exit_code(exit)
    if not heard.done:
        return _without_an_end(exit, heard, outcome, evidence)
    if outcome != "ok":
        return outcome, f"It said it was done. {evidence}"
    unreliable = _unreliable(heard, kind)
    if unreliable:
        return "corrupted", unreliable
    if _nothing_allowed(heard, kind):
        calls = len(heard.record.refused)
        return "denied", f"All it tried was refused ({calls} of {calls}): {heard.record.refused[0][:200]}."
    return "ok", f"Done in {exit.seconds:.0f} s (tools used: {heard.tools})."


def _without_an_end(exit: Exit, heard: Heard, outcome: Outcome, evidence: str) -> tuple[Outcome, str]:
    if outcome == "ok":
        return "crashed", f"{evidence} It never said that it was done."
    if outcome == "crashed" and heard.began and exit.code == 1:
        # Whatever goes wrong in a turn is told; only an interrupted one (SIGINT) ends like this.
        return "killed", f"It was interrupted after {exit.seconds:.0f} s (exit code 1, and no end of its turn)."
    if outcome == "crashed" and not heard.began and heard.forked:
        return outcome, f"{evidence} It did not begin: the conversation to go on from was not found, or not taken."
    if outcome == "crashed" and not heard.began:
        return outcome, f"{evidence} It did not begin: see its error output."
    return outcome, evidence


def refused(words: str) -> Outcome:
    """What it means that a turn failed with these words."""
    status = status_of(words)
    if status == 413 or _FULL.search(words):
        return "context"
    if status in (402, 429) or _USED_UP.search(words):
        return "rate"
    if status in (401, 403) or _LOG_IN.search(words):
        return "auth"
    if status == 408 or status >= 500 or (not status and _NO_ANSWER.search(words)):
        return "overload"
    return "crashed"


def status_of(words: str) -> int:
    """Of HTTP, where codex tells one, else 0. It renews a log-in because of a 401."""
    found = _STATUS.search(words)
    return int(found[1]) if found else 401 if NOT_RENEWED in words else 0


def plain(words: str) -> str:
    """A provider's answer in JSON as the message in it."""
    text = words.strip()
    if text.startswith("{"):
        try:
            found: Any = msgspec.json.decode(text)["error"]["message"]
            text = found if isinstance(found, str) else text
        except (msgspec.MsgspecError, RecursionError, LookupError, TypeError):
            pass
    return " ".join(text.split())


def _unreliable(heard: Heard, kind: Kind) -> str:
    if heard.garbled:
        return f"Its output cannot be read: {heard.garbled}."
    if heard.record.compacted and kind in ("unit", "contract"):
        times = heard.record.compacted
        return f"Its conversation was shortened {times} times: what it knew is no longer certain."
    return ""


def _nothing_allowed(heard: Heard, kind: Kind) -> bool:
    """Who plans may read only, and is refused what it writes."""
    record = heard.record
    return kind != "plan" and 0 < record.calls == len(record.refused)


def notices(heard: Heard, outcome: Outcome) -> tuple[str, ...]:
    """What decides nothing and people should know all the same."""
    found = []
    denied = [*heard.declined, *heard.record.refused]
    if denied and outcome != "denied":
        found.append(f"It was not allowed {len(denied)} of the things it tried (the first: {denied[0][:160]}).")
    if NOT_RENEWED in (heard.failed or heard.error):
        found.append("Its log-in has run out. Start `codex` once, which renews it; then `ropeteam resume` goes on.")
    if heard.record.compacted:
        found.append(f"Its conversation was shortened {heard.record.compacted} times.")
    if heard.began and heard.record.usage is None and not heard.done:
        found.append("What it used is not known: it ended without saying so.")
    if outcome != "corrupted" and heard.garbled:
        found.append(f"A line of its output cannot be read: {heard.garbled}.")
    return tuple(found)


def retry_at(words: str, now: float) -> float | None:
    """When the provider says it can go on; None when it does not say.

    codex writes the time of the machine's own zone: `3:05 PM` today, `Nov 28th, 2026 11:57 AM` on another day.
    """
    found = _AT.search(words)
    if found is None:
        return None
    hour = int(found["hour"]) % 12 + (12 if found["half"] == "PM" else 0)
    try:
        today = datetime.fromtimestamp(now)
        at = today.replace(hour=hour, minute=int(found["minute"]), second=0, microsecond=0)
        if found["month"]:
            month = _MONTHS.index(found["month"]) + 1
            return at.replace(year=int(found["year"]), month=month, day=int(found["day"])).timestamp()
        if at < today - timedelta(hours=12):  # said shortly before midnight, read shortly after
            at += timedelta(days=1)
        return at.timestamp()
    except (ValueError, OverflowError, OSError):
        return None


# ---- the report


def report(heard: Heard, task: Task) -> tuple[AgentReport, tuple[str, ...]]:
    """The report: the last message, which has its form (`--output-schema`); else a JSON block in it; else the file that
    it may have written. Of who plans, the plan as text."""
    if not heard.done:
        return AgentReport(), ()
    words = heard.last_text
    given = _json(words)
    if given is None and (blocks := _FENCED.findall(words)):
        given = _json(blocks[-1])
    if task.kind == "plan":
        return AgentReport(plan=_plan(given, words)), ()
    if given is None:
        return _from_file(task)
    given.pop("plan", None)  # of who plans: they share the form where they share the conversation
    try:
        said = msgspec.convert(given, AgentReport, strict=False)
        return msgspec.structs.replace(said, usage=None, plan=""), ()
    except (msgspec.MsgspecError, RecursionError) as error:
        return AgentReport(), (f"Its report cannot be read: {error}.",)


def _json(words: str) -> Any:
    try:
        value = without_nulls(msgspec.json.decode(words))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _plan(given: Any, words: str) -> str:
    if given is None:
        return words
    plan = given.get("plan", given)
    return plan if isinstance(plan, str) else msgspec.json.encode(plan).decode() if plan else ""


def _from_file(task: Task) -> tuple[AgentReport, tuple[str, ...]]:
    said, problem = program.read_report(task.report_file)
    if problem:
        return AgentReport(), (problem,)
    if said == AgentReport():
        return said, ("It left no report of what it did.",)
    return msgspec.structs.replace(said, usage=None, plan=""), ()
