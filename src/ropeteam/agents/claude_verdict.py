"""What to make of an ended run of claude: its outcome, its report, and what people should know."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ropeteam.agents import endings
from ropeteam.agents.claude_events import Result
from ropeteam.core.model import AgentReport, Kind, Outcome
from ropeteam.ports import Exit

OWN_LONGEST_WAIT: Final = 45.0
"""Seconds. claude's own waits double up to about 40 s; a longer one is the provider's `retry-after`."""

_NOT_LOGGED_IN = re.compile(r"not logged in|/login\b|invalid api key|failed to authenticate|oauth token", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credit balance|billing|usage limit|hit your limit", re.IGNORECASE)
_NO_CONVERSATION = re.compile(r"no conversation found", re.IGNORECASE)
_NOTHING: Final = "last_content_type=none"
"""In what claude says of an answer without any content (2.1.330)."""
_FENCED = re.compile(r"```(?:json)?\s*\n(\{.*?\})\s*```", re.DOTALL)


@dataclass(slots=True)
class Heard:
    """What the events have told so far. denials: tool by id of its call. resets_at: seconds since the epoch.

    rate_wait: seconds claude last waited because of a 429. began: the first event was seen.
    """

    session: str
    model: str = ""
    began: bool = False
    result: Result | None = None
    report: Any = None
    last_text: str = ""
    api_error: str = ""
    retries: int = 0
    rate_wait: float = 0.0
    resets_at: float | None = None
    compacted: int = 0
    denials: dict[str, str] = field(default_factory=dict)
    failed_servers: list[str] = field(default_factory=list)
    foreign_session: str = ""
    garbled: str = ""


def judge(exit: Exit, heard: Heard, kind: Kind) -> tuple[Outcome, str]:
    """The outcome, and one sentence of evidence.

    Our own stop counts first, then the result event where it names a fault, then how the program ended, then what
    makes the conversation unreliable. Only what passes all of that is `ok`.
    """
    stopped = endings.stopped(exit)
    if stopped is not None:
        return stopped.outcome, stopped.evidence
    if heard.result is None:
        return _without_result(exit, heard)
    fault = _fault(heard.result, heard)
    if fault is not None:
        return fault
    outcome, evidence = endings.exit_code(exit)
    if outcome != "ok":
        return outcome, f"It said it was done. {evidence}"
    unreliable = _unreliable(heard, kind)
    if unreliable:
        return "corrupted", unreliable
    return "ok", f"Done in {exit.seconds:.0f} s (turns: {heard.result.num_turns})."


def _without_result(exit: Exit, heard: Heard) -> tuple[Outcome, str]:
    outcome, evidence = endings.exit_code(exit)
    if outcome == "ok":
        return "crashed", f"{evidence} It never said that it was done."
    if not heard.began and outcome == "crashed":
        return outcome, f"{evidence} It did not begin: see its error output."
    return outcome, evidence


def _fault(result: Result, heard: Heard) -> tuple[Outcome, str] | None:
    """What the result event says went wrong. `subtype` alone does not tell: a refusal by the provider is "success"."""
    words = (result.result or "; ".join(result.errors or ()) or result.subtype).strip()
    said = f"{words[:300].rstrip('.')} (turns: {result.num_turns}, retries: {heard.retries})"
    match result.subtype, result.terminal_reason:
        case "error_max_turns", _:
            return "turns", f"It reached its limit of turns: {said}."
        case "error_max_budget_usd", _:
            return "budget", f"It reached its limit of money: {said}; ${result.total_cost_usd or 0:.2f} spent."
        case "error_max_structured_output_retries", _:
            return "corrupted", f"Its report is not what was asked for: {said}."
        case _, "prompt_too_long":
            return "context", f"The conversation no longer fits the model: {said}."
        case "error_during_execution", reason if (reason or "").startswith("aborted"):
            return "killed", f"It was interrupted: {said}."
        case "error_during_execution", _ if _NOTHING in words:
            return "overload", f"Its model answered with nothing: {said}."
        case _ if not result.is_error and result.subtype == "success":
            return None
        case _ if result.terminal_reason == "api_error" or result.api_error_status or heard.api_error:
            return _refused(result, heard, words), f"The provider's last answer: {said}."
        case _:
            return "crashed", f"It ended with {result.subtype}: {said}."


def _refused(result: Result, heard: Heard, words: str) -> Outcome:
    """The outcome of a request that the provider did not answer as hoped."""
    status = result.api_error_status
    if status in (401, 403) or heard.api_error == "authentication_failed" or _NOT_LOGGED_IN.search(words):
        return "auth"
    if status in (402, 429) or heard.api_error in ("rate_limit", "billing_error") or _NO_CREDIT.search(words):
        return "rate"
    if status == 413:
        return "context"
    if status is None or status == 408 or status >= 500:
        return "overload"
    return "crashed"


def _unreliable(heard: Heard, kind: Kind) -> str:
    if heard.foreign_session:
        return f"It came back as another conversation: {heard.foreign_session} instead of {heard.session}."
    if heard.garbled:
        return f"Its output cannot be read: {heard.garbled}."
    if heard.compacted and kind in ("unit", "contract"):
        return f"Its conversation was shortened {heard.compacted} times: what it knew is no longer certain."
    return ""


def unforked(heard: Heard, outcome: Outcome) -> bool:
    """Of one that was to go on from another conversation: it ended at once, because it does not find it, or because
    this version does not know how."""
    result = heard.result
    if outcome == "crashed" and result is None and not heard.began:
        return True
    return result is not None and result.num_turns == 0 and bool(_NO_CONVERSATION.search(" ".join(result.errors or ())))


def notices(heard: Heard, outcome: Outcome) -> tuple[str, ...]:
    """What decides nothing and people should know all the same."""
    found = []
    if heard.denials:
        tools = ", ".join(f"{tool} {count}x" for tool, count in sorted(Counter(heard.denials.values()).items()))
        found.append(f"It was not allowed {len(heard.denials)} things it tried ({tools}).")
    if heard.failed_servers:
        found.append(f"It worked without the MCP server {', '.join(heard.failed_servers)}, which did not start.")
    if heard.compacted:
        found.append(f"Its conversation was shortened {heard.compacted} times.")
    if heard.result is None and heard.began:
        found.append("What it cost is not known: it ended without saying so.")
    if outcome != "corrupted" and heard.garbled:
        found.append(f"A line of its output cannot be read: {heard.garbled}.")
    return tuple(found)


def retry_at(heard: Heard, now: float) -> float | None:
    """When the provider says it can go on; None when it does not say."""
    if heard.resets_at is not None:
        return heard.resets_at
    return now + heard.rate_wait if heard.rate_wait > OWN_LONGEST_WAIT else None


# ---- the report


def report(heard: Heard, kind: Kind) -> tuple[AgentReport, tuple[str, ...]]:
    """The report, from the structured answer, else from a fenced JSON block in the last message.

    Of who plans, the plan as text: from the structured answer, else the whole last message.
    """
    result = heard.result
    if result is None:
        return AgentReport(), ()
    words = result.result or heard.last_text
    if kind == "plan":
        return AgentReport(plan=_plan(heard.report, words)), ()
    given: Any = heard.report
    if given is None:
        found = _FENCED.findall(words)
        given = found[-1] if found else None
    if given is None:
        return AgentReport(), () if result.is_error else ("It left no report of what it did.",)
    try:
        value = msgspec.json.decode(given) if isinstance(given, str) else given
        said = msgspec.convert(value, AgentReport, strict=False)
        return msgspec.structs.replace(said, usage=None, plan=""), ()
    except (msgspec.MsgspecError, RecursionError) as error:
        return AgentReport(), (f"Its report cannot be read: {error}.",)


def _plan(given: Any, words: str) -> str:
    if given is None:
        return words
    plan = given.get("plan", given) if isinstance(given, dict) else given
    return plan if isinstance(plan, str) else msgspec.json.encode(plan).decode()
