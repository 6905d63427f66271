"""The documents a run writes: its section in `02-implementation.md`, and the status mark in `01-intent.md`.

Text in, text out, and one writer that replaces a file atomically. What is not ours in a text stays as it is, to the
byte: its line ends, its byte order mark, whether it ends with a newline.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ropeteam.core.model import Feature, RunOutcome
from ropeteam.core.report import CheckLine, FileLine, Report, RequestLine, TriggerLine, UnitLine
from ropeteam.core.timing import Actual
from ropeteam.errors import BadInput

Read = Callable[[str], bytes | None]
"""Path relative to the repository -> content, None when there is no such file."""

LONGEST_REASON = 200
SHOWN_FILES = 500
SHOWN_TESTS = 20

_OUTCOMES: dict[RunOutcome, str] = {
    "delivered_parallel": "delivered, in parallel",
    "delivered_after_fallback": "delivered, after falling back to one agent",
    "delivered_single": "delivered, by one agent",
    "not_delivered": "not delivered; everything is kept",
    "cancelled": "cancelled; everything is kept",
}
_BOM = "\ufeff"


def text(content: bytes | None) -> str | None:
    """The text of a document as `with_section` and `with_mark` take it. Raises BadInput when it is not UTF-8."""
    if content is None:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"A document of the feature is not UTF-8 in line {line}; it was left as it is.") from error


# ---- the section


def section(report: Report) -> str:
    """What a run did, as Markdown without markers; `with_section` puts it into the log."""
    parts = [
        f"## Run {report.run} ({report.started_at[:10]})",
        "\n".join(_head(report)),
        _list("Units", (_unit(u) for u in report.units)) if _several(report) else "",
        _list("Files Created", _files(report.files.created)),
        _list("Files Modified", _files(report.files.modified)),
        _list("Files Deleted", _files(report.files.deleted)) if report.files.deleted else "",
        _list("Architectural Decisions", (_of(report, d.unit, d.decision, d.rationale) for d in report.decisions)),
        _list("Deviations from Plan", (_of(report, d.unit, d.what, d.why) for d in report.deviations)),
        _list("What Fell Back", (_trigger(t) for t in report.triggers)),
        _list("Still to Do by Hand", (_request(r) for r in left)) if (left := _left(report)) else "",
        _list("Checks", (_check(c) for c in report.checks)),
        _time_and_cost(report),
        _list("Notices", (_line(notice) for notice in report.notices)) if report.notices else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> list[str]:
    lines = [f"Generated: {report.started_at.replace('T', ' ').replace('Z', ' UTC')}"]
    if report.outcome is not None:
        lines.append(f"Outcome: {_OUTCOMES[report.outcome]} (`{report.outcome}`)")
    if report.decision is not None:
        why = "; ".join(_line(reason).rstrip(".") for reason in report.decision.reasons)
        ids = ", ".join(f"`{trigger}`" for trigger in report.decision.triggers)
        lines.append(f"Mode: {report.decision.mode}" + (f" ({ids})" if ids else "") + (f": {why}" if why else ""))
    lines.append(f"Agent: {_line(report.agent)}")
    lines.append(f"Base: {report.base[:12]}")
    if report.outcome is not None and not report.outcome.startswith("delivered"):
        lines += [f"Kept: {_code(ref)}" for ref in report.kept]
    return [f"- {line}" for line in lines]


def _files(files: tuple[FileLine, ...]) -> list[str]:
    shown = [f"{_code(file.path)}" + (f" - {_line(file.purpose)}" if file.purpose else "") for file in files]
    more = len(shown) - SHOWN_FILES
    return [*shown[:SHOWN_FILES], f"and {more} more"] if more > 0 else shown


def _pair(what: str, why: str) -> str:
    return f"{_line(what).rstrip('.:')}: {_line(why)}" if why.strip() else _line(what)


def _several(report: Report) -> bool:
    return report.decision is not None and report.decision.mode == "parallel"


def _of(report: Report, unit: str, what: str, why: str) -> str:
    """With the unit whose agent said it, where there are several."""
    return f"{_pair(what, why)} ({_line(unit)})" if _several(report) else _pair(what, why)


def _unit(unit: UnitLine) -> str:
    title = f" {_line(unit.title)}" if unit.title else ""
    tries = f", {len(unit.attempts)} attempts" if len(unit.attempts) > 1 else ""
    took = f", {_duration(sum(a.seconds for a in unit.attempts))}" if unit.attempts else ""
    refs = [_code(a.ref) for a in unit.attempts if a.ref] if unit.state != "validated" else []
    kept = f"; kept: {', '.join(refs)}" if refs else ""
    return f"`{unit.id}`{title}: {unit.state}{tries}{took}{kept}"


def _left(report: Report) -> list[RequestLine]:
    """Requests that nobody saw to, in a run whose units are what was delivered."""
    return [r for r in report.requests if not r.done] if report.winner != "belay" else []


def _request(request: RequestLine) -> str:
    return f"{_code(request.path)}: {_line(request.what) or 'a change'} (asked for by `{_line(request.unit)}`)"


def _trigger(trigger: TriggerLine) -> str:
    where = f" in {_line(trigger.unit)}" if trigger.unit else ""
    return f"`{trigger.id}`{where}, {trigger.at}: {_line(trigger.evidence)} (action: {trigger.action})"


def _check(check: CheckLine) -> str:
    words = f"{_line(check.name)}: {check.state} (before: {check.baseline})"
    if check.tests:
        words += f", {check.tests} tests" + (f", {check.added} of them new" if check.added else "")
    if check.why:
        words += f". {_line(check.why)}"
    for label, tests in (("Failing", check.failing), ("Removed", check.removed)):
        if tests:
            more = f" and {len(tests) - SHOWN_TESTS} more" if len(tests) > SHOWN_TESTS else ""
            words += f" {label}: {', '.join(_code(test) for test in tests[:SHOWN_TESTS])}{more}."
    return words


def _time_and_cost(report: Report) -> str:
    actual = report.actual
    lines = _both_ways(report) if _several(report) else _one_way(report)
    lines += [f"Tokens: {actual.tokens:,}", f"Cost: {actual.cost_usd:.2f} USD"]
    if any(u.id == "belay" for u in report.units):
        lines.append(f"Of it the belay, as insurance: {actual.insurance_usd:.2f} USD")
    if report.clock:
        lines.append(f"Clock: {_line(report.clock)}")
    return _list("Time and Cost", lines)


def _one_way(report: Report) -> list[str]:
    foreseen, actual = report.predicted.single_seconds_p50, report.actual
    return [
        f"Predicted: {_duration(foreseen) if foreseen is not None else 'not estimated'}",
        _so_far(actual),
    ]


def _both_ways(report: Report) -> list[str]:
    p, actual = report.predicted, report.actual
    ways = [("several agents", p.parallel_seconds_p50), ("one agent", p.single_seconds_p50)]
    known = [f"{name} {_duration(seconds)}" for name, seconds in ways if seconds is not None]
    foreseen = ", ".join(known) or "not estimated"
    if p.speedup_p50 is not None:
        cautiously = f", cautiously {p.speedup_quantile:.2f}" if p.speedup_quantile is not None else ""
        foreseen += f", typically {p.speedup_p50:.2f} times as fast{cautiously} (median of simulated ratios)"
    lines = [
        f"Predicted: {foreseen}",
        _so_far(actual),
    ]
    if actual.single_seconds_estimated is not None:
        alone = f"One agent, reckoned from what was measured: {_duration(actual.single_seconds_estimated)}"
        times = f" ({actual.speedup_estimated:.2f} times as fast)" if actual.speedup_estimated is not None else ""
        slower = actual.speedup_estimated is not None and actual.speedup_estimated < 1
        lines.append(alone + (" (several agents were slower)" if slower else times))
    return lines


def _so_far(actual: Actual) -> str:
    """The log is written, and committed, before the result lands: the report's figures have the landing too."""
    took, ours = _duration(actual.seconds), _duration(actual.orchestration_seconds)
    return f"Actual: {took}, of it orchestration {ours} (before landing)"


def _duration(seconds: float) -> str:
    """As the report prints it (`cli.plain.duration`)."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _list(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([f"### {heading}", *(f"- {line}" for line in list(lines) or ["none"])])


def _line(words: str) -> str:
    """Somebody's words on one line, in which no comment (so no marker of ours) can begin or end."""
    clean = words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(clean.split()).replace("<!--", "<! --").replace("-->", "-- >")


def _code(words: str) -> str:
    words = _line(words)
    if "`" not in words:
        return f"`{words}`"
    fence = "`" * (max(len(run) for run in re.findall("`+", words)) + 1)
    return f"{fence} {words} {fence}"


def with_section(existing: str | None, feature: Feature, run: str, section: str) -> str:
    """The log with the run's section in it: in the place of the same run's earlier one, else at the end."""
    opening, closing = f"<!-- ropeteam run {run} -->", f"<!-- ropeteam end {run} -->"
    block = f"{opening}\n{section.strip()}\n{closing}"
    before = existing or ""
    newline = _newline(before)
    block = block.replace("\r\n", "\n").replace("\n", newline)
    found = _section_of(before, opening, closing)
    if found is not None:
        return before[: found[0]] + block + before[found[1] :]
    if not before.removeprefix(_BOM).strip():
        title = _line(feature.title or feature.name)
        return f"{before}# Implementation Log - {title}{newline * 2}{block}{newline}"
    return before + _gap(before, newline) + block + newline


def _section_of(log: str, opening: str, closing: str) -> tuple[int, int] | None:
    """Where a run's section begins and ends. Without its closing line: up to the next section or heading of its level,
    so that nothing of anybody else's is taken for it."""
    start = _line_start(log, opening, 0)
    if start is None:
        return None
    body = start + len(opening)
    end = _line_start(log, closing, body)
    if end is not None:
        return start, end + len(closing)
    heading = re.compile(r"^#{1,2} .*$", re.MULTILINE).search(log, body)  # its own
    after = re.compile(r"^(?:#{1,2} |<!-- ropeteam run )", re.MULTILINE).search(log, heading.end() if heading else body)
    stop = after.start() if after else len(log)
    return start, start + len(log[start:stop].rstrip())


def _line_start(log: str, marker: str, at: int) -> int | None:
    found = re.compile(rf"^{re.escape(marker)}[ \t]*\r?$", re.MULTILINE).search(log, at)
    return found.start() if found else None


def _newline(existing: str) -> str:
    """The line end a text uses most."""
    return "\r\n" if existing.count("\r\n") * 2 > existing.count("\n") else "\n"


def _gap(before: str, newline: str) -> str:
    """What is missing to an empty line at the end."""
    if before.endswith(newline * 2):
        return ""
    return newline if before.endswith("\n") else newline * 2


# ---- the status mark

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:[^\n]*\n){0,60}?---[ \t]*(?:\n|\Z)")
_STATUS = re.compile(
    r"(?P<key>\s*(?:[-*>]\s+)?(?:\*\*Status:\*\*|\*\*Status\*\*:|__Status:__|Status:)[ \t]*)(?P<said>.*)"
)
_PENDING = re.compile(r"(?P<before>\s*(?:#{1,6}|[-*+]|\d+[.)])\s+(?:\[ \]\s+)?(?:\*\*)?)[○●](?=\s)")
_NOT_DONE = re.compile(
    r"(?P<before>\s*[-*+]\s+(?:\*\*)?Status:(?:\*\*)?\s*)(?:pending|in[ _-]progress)(?=\s*$)", re.IGNORECASE
)


def with_mark(intent: str, outcome: RunOutcome, reason: str, date: str) -> str:
    """The intent with its status moved: done when the run delivered, blocked when it did not.

    The `**Status:**` line between the title and the next heading is changed, or added under the title. When the whole
    feature was delivered, the pending marks of a summary list move too. A cancelled run changes nothing. date: of the
    day, as it should stand there.
    """
    if outcome == "cancelled":
        return intent
    done = outcome != "not_delivered"
    body = intent.removeprefix(_BOM)
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", body)
    outline = _outline(body)
    words = f"✓ done ({date})" if done else f"✗ blocked: {_reason(reason)} ({date})"
    if done:
        _move_marks(lines, outline)
    _set_status(lines, outline, words, _newline(body))
    return intent[: len(intent) - len(body)] + "".join(lines)


def _reason(reason: str) -> str:
    words = _line(reason).rstrip(". ") or "not delivered"
    return words if len(words) <= LONGEST_REASON else words[: LONGEST_REASON - 1].rstrip() + "…"


@dataclass(frozen=True)
class _Outline:
    """What stands in which line, counted from 0. title_end: the line after the title, and 0 without one.
    headings: where `#` headings begin. prose: lines of text and lists, headings too; not code, not tables."""

    title_end: int
    headings: tuple[int, ...]
    prose: tuple[int, ...]


def _outline(intent: str) -> _Outline:
    from markdown_it import MarkdownIt

    plain = re.sub(r"\r\n|\r", "\n", intent)
    plain = _FRONT_MATTER.sub(lambda found: "\n" * found.group().count("\n"), plain)
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    title_end, in_table = 0, False
    headings: list[int] = []
    prose: set[int] = set()
    for token in parser.parse(plain):
        in_table = token.type == "table_open" or (in_table and token.type != "table_close")
        if token.type == "heading_open" and token.map:
            if token.tag == "h1" and not headings:
                title_end = token.map[1]
            if token.markup.startswith("#"):  # a line of text above `---` is parsed as a heading too
                headings.append(token.map[0])
        elif token.type == "inline" and token.map and not in_table:
            prose.update(range(*token.map))
    return _Outline(title_end, tuple(headings), tuple(sorted(prose)))


def _set_status(lines: list[str], outline: _Outline, words: str, newline: str) -> None:
    start = outline.title_end
    limit = next((heading for heading in outline.headings if heading >= start), len(lines))
    for at in (line for line in outline.prose if start <= line < limit):
        content, end = _parted(lines[at])
        if found := _STATUS.fullmatch(content):
            said = found["said"]
            trailing = said[len(said.rstrip()) :] if said.strip() else ""  # two spaces there break the line
            lines[at] = found["key"].rstrip() + " " + words + trailing + end
            return
    _add_status(lines, start, f"**Status:** {words}", newline)


def _add_status(lines: list[str], at: int, status: str, newline: str) -> None:
    """Under the title, which ends before line `at`; without a title at the top, after the front matter."""
    if at == 0 and (found := _FRONT_MATTER.match(re.sub(r"\r\n|\r", "\n", "".join(lines)))):
        at = found.group().count("\n")
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    before = [newline] if at else []
    after = [newline] if at < len(lines) and lines[at].strip() else []
    lines[at:at] = [*before, status + newline, *after]


def _move_marks(lines: list[str], outline: _Outline) -> None:
    """`### ○ name` and `- ○ name` become ✓, and so does the `- Status: pending` that stands under such a heading."""
    under = False
    for at in outline.prose:
        content, end = _parted(lines[at])
        found = _PENDING.match(content)
        if at in outline.headings:
            under = found is not None
        if found:
            lines[at] = found["before"] + "✓" + content[found.end() :] + end
        elif under and (word := _NOT_DONE.match(content)):
            lines[at] = word["before"] + "completed" + content[word.end() :] + end


def _parted(line: str) -> tuple[str, str]:
    content = line.rstrip("\r\n")
    return content, line[len(content) :]


# ---- writing


def write(path: Path, text: str, *, inside: Path | None = None) -> None:
    """Replace the file atomically: whoever reads it sees the old text or the new one, also after a power cut.

    The file's mode stays; missing folders are made. A symbolic link is refused, and so is a folder that leads out of
    `inside`, with BadInput. Raises OSError when it cannot be written; the old text is there then.
    """
    if path.is_symlink():
        raise BadInput(f"{path.name} is a symbolic link; it was left as it is.", where=str(path))
    if inside is not None and not path.parent.resolve().is_relative_to(inside.resolve()):
        raise BadInput(f"{path.parent} leads out of the repository; nothing was written.", where=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode("utf-8")
    before = path.stat() if path.exists() else None
    if before is not None and before.st_size == len(content) and path.read_bytes() == content:
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(beside, content, before)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_new(path: Path, content: bytes, like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if like is not None:
            with suppress(PermissionError):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
