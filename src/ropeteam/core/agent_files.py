"""The two JSON files that ropeteam and any program used as an agent exchange, and the lines that program may print.

These are contracts with other people's programs: names and meanings stay, fields may be added. Unknown fields are
ignored when reading, so that a program may say more than this version understands.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ropeteam.core.model import AgentReport, DecisionNote, DeviationNote, FileNote, Kind, RequestNote, Usage

Count = Annotated[int, msgspec.Meta(ge=0)]


class TaskFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `ROPETEAM_TASK` points to: one attempt's task. Files are absolute; deadline: seconds since the epoch.

    writes: patterns, as in `.gitignore`, of the paths it owns; everything for an attempt at the whole feature. reads:
    of what it should look at. needs: ids of the units whose validated work is in its tree.
    """

    run: str
    unit: str
    attempt: int
    kind: Kind
    goal: str
    writes: tuple[str, ...]
    reads: tuple[str, ...]
    needs: tuple[str, ...]
    feature: str
    prompt_file: str
    report_file: str
    slot: int
    deadline: float


class UsageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Usage as a program tells it. Fields as in `Usage`, none below 0."""

    input: Count = 0
    cached: Count = 0
    output: Count = 0
    context_used: Count = 0
    context_limit: Count = 0
    cost_usd: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    def usage(self) -> Usage:
        return Usage(
            input=self.input,
            cached=self.cached,
            output=self.output,
            context_used=self.context_used,
            context_limit=self.context_limit,
            cost_usd=self.cost_usd,
        )


class UsageLine(UsageCounts, frozen=True, kw_only=True, tag_field="event", tag="usage"):
    """A line on standard output with the attempt's usage so far (cumulative)."""


class ProgressLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="progress"):
    """A line on standard output that says what the program does now, for people."""

    text: str = ""


class RetryLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="retry"):
    """A line on standard output: the provider refused a request, and the program waits and asks again.

    status: of HTTP (429: too many requests or the quota is used up; 401 and 403 end the attempt at once), 0 for no
    answer. retry_at: seconds since the epoch when the provider says it can go on, null where it does not say.
    """

    status: Count = 0
    retry_at: float | None = None
    text: str = ""


class SessionLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="session"):
    """A line on standard output with the id of the program's conversation, for people who want to look at it."""

    id: str = ""


class DeniedLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="denied"):
    """A line on standard output: the program was refused a permission, for what `text` says, and went on without."""

    text: str = ""


class EndLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """The last line on standard output of a program that gives up. It counts before the exit code.

    outcome: because its provider does not serve it: `rate` (too many requests, quota or credit used up), `overload`
    (the provider's own trouble, or no connection), `auth` (not logged in, key refused); at a limit: `context` (the
    conversation no longer fits the model), `turns`, `budget`; `denied`: it cannot go on without a permission;
    `crashed`: anything else. retry_at: as in `RetryLine`.
    """

    outcome: Literal["rate", "overload", "auth", "context", "turns", "budget", "denied", "crashed"]
    retry_at: float | None = None
    text: str = ""


class ReportFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may leave in `report_file`. requests: what a unit needs in files that it does not own. plan: a
    plan document (schema: `plan.json`), for `kind: plan` only; a text that holds one will do."""

    files: tuple[FileNote, ...] = ()
    decisions: tuple[DecisionNote, ...] = ()
    deviations: tuple[DeviationNote, ...] = ()
    requests: tuple[RequestNote, ...] = ()
    plan: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    usage: UsageCounts | None = None

    def report(self) -> AgentReport:
        return AgentReport(
            files=self.files,
            decisions=self.decisions,
            deviations=self.deviations,
            requests=self.requests,
            plan=_text_of(self.plan),
            usage=self.usage.usage() if self.usage else None,
        )


def _text_of(plan: msgspec.Raw) -> str:
    """The proposed plan as text. As it was written, so that whoever checks it sees every fault in it."""
    raw = bytes(plan)
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return "" if raw == b"null" else raw.decode(errors="replace")
