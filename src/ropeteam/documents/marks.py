"""The marks of a run in the documents that the user wrote: statuses in the intent, boxes of tasks."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ropeteam.core.model import RunOutcome
from ropeteam.documents import section_marks, statuses
from ropeteam.documents.lines import BOM, newline_of, one_line, parted, split

LONGEST_REASON = 200

_TASK = re.compile(r"(?P<before>\s*[-*+]\s+)\[ \](?P<after>\s+(?:\*\*|`)?(?P<id>T\d{2,5}[a-z]?)\b.*)")


def with_mark(
    intent: str,
    outcome: RunOutcome,
    reason: str,
    date: str,
    *,
    sections: Sequence[str] = (),
    left: Collection[str] = (),
) -> str:
    """The intent with its status moved: done when the run delivered, blocked when it did not.

    sections: names of those that the run was about; their marks move, and the line under the title that counts them.
    Without any it was about the whole feature: then the `**Status:**` line between the title and the next heading is
    changed, or added under the title. When it was delivered, pending marks of lists and of requirements move too, but
    for requirements whose ids are in `left`. A cancelled run changes nothing. date: of the day, as it should stand
    there.
    """
    if outcome == "cancelled":
        return intent
    body = intent.removeprefix(BOM)
    said = statuses.Said(date, "" if outcome != "not_delivered" else _reason(reason))
    marked = section_marks.marked(body, sections, said, left) if sections else _whole(body, said, left)
    return intent[: len(intent) - len(body)] + marked


def _whole(body: str, said: statuses.Said, left: Collection[str]) -> str:
    lines = split(body)
    within = statuses.outline(body)
    if said.done:
        statuses.move_marks(lines, within, left)
        statuses.move_cells(lines, left)
    at = statuses.head_line(lines, within)
    if at is not None:
        statuses.set_status(lines, at, said.line)
    else:
        statuses.add_status(lines, within.title_end, f"**Status:** {said.line}", newline_of(body))
    return "".join(lines)


def _reason(reason: str) -> str:
    words = one_line(reason).rstrip(". ") or "not delivered"
    return words if len(words) <= LONGEST_REASON else words[: LONGEST_REASON - 1].rstrip() + "…"


def with_boxes(tasks: str, left: Collection[str] = ()) -> str:
    """A list of tasks with the boxes of those that are not in `left` ticked, as spec-kit does it: `- [X] T001 …`."""
    body = tasks.removeprefix(BOM)
    lines = split(body)
    for at in statuses.outline(body).prose:
        content, end = parted(lines[at])
        if (found := _TASK.fullmatch(content)) and found["id"] not in left:
            lines[at] = f"{found['before']}[X]{found['after']}{end}"
    return tasks[: len(tasks) - len(body)] + "".join(lines)
