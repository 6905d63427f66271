"""What an intent says, understood leniently: title, task type, summary, requirements, and what was not understood."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ropeteam.core.model import Requirement
from ropeteam.features.blocks import Block, Heading, Line, Table, blocks, plain

LONGEST_TITLE = 120
LONGEST_SUMMARY = 400
TASK_TYPES = ("FEATURE", "EXTEND", "CHANGE")
CATEGORIES = ("core", "api", "ui", "integration", "edge_case")
TEST_TYPES = ("manual", "automated_ui", "automated_api", "automated_unit")

# REQ-001, FR-12, REQ-API-003, US-1.2 - and, because such ids begin no sentence, without a mark after them.
_ID = r"[A-Z][A-Z0-9]{0,9}(?:-[A-Z0-9]{1,10})?-\d{1,5}(?:\.\d{1,3})?[a-z]?"
_USUAL_ID = r"(?:REQ|FR|NFR|AC|US|SC)(?:-[A-Z0-9]{1,10})?-\d{1,5}(?:\.\d{1,3})?[a-z]?"
_LOOSE_ID = re.compile(r"[A-Za-z][A-Za-z_.-]{0,20}\d{1,5}[a-z]?")
_FULL_ID = re.compile(_ID)
_BEGINS = re.compile(
    rf"(?P<box>\[[ xX]\]\s+)?(?P<mark>[○●✓✗]\s+)?"
    rf"(?:[*_`\[(]+(?P<marked>{_ID})(?P<colon>:)?[*_`\])]+|(?P<sure>{_USUAL_ID})|(?P<bare>{_ID})(?=\s*[:–—]|\s+-\s))"
    r"(?P<paren>\s*\([^)]*\))?\s*[:.–—-]*\s*(?P<text>.*)"
)
_TASK_TYPE = re.compile(r"[*_\s>-]*(?:task\s*)type[*_\s]*:[*_\s]*([A-Za-z]+)(.*)", re.IGNORECASE)
_META = re.compile(r"\s*(?:\*\*[^*]{1,40}:\*\*|[A-Z][A-Z ]{2,30}:|\*\*[^*]{1,40}\*\*:)")
_REQUEST = re.compile(r"request|overview|summary|what\b|goal|intent|description", re.IGNORECASE)
_TITLE_WORD = re.compile(
    r"(?:feature|intent|feature intent|feature request|(?:feature )?specification)\s*[:–—-]\s+(?=\S)", re.IGNORECASE
)

_COLUMNS = (
    ("test_type", re.compile(r"test", re.IGNORECASE)),
    ("status", re.compile(r"^(status|state|done)$", re.IGNORECASE)),
    ("category", re.compile(r"categor|^(type|area|kind|group)$", re.IGNORECASE)),
    ("text", re.compile(r"descri|requirement|criteri|behavio|statement|what|text|story|expect", re.IGNORECASE)),
)
_ID_HEADER = re.compile(r"(req(uirement)?\s*)?(id|no\.?|nr\.?|#)", re.IGNORECASE)


@dataclass(frozen=True)
class Intent:
    title: str
    task_type: str
    summary: str
    requirements: tuple[Requirement, ...]
    notices: tuple[str, ...]


def read(text: str, shown: str, sections: Sequence[int] = ()) -> Intent:
    """Understand an intent. shown: how to call it in the notices. sections: lines where one begins. Never refuses."""
    found = blocks(text)
    task_type, notices = _task_type(found, shown)
    requirements, doubts = _requirements(found, shown, sorted(sections))
    return Intent(
        title=_title(found),
        task_type=task_type,
        summary=_summary(found),
        requirements=requirements,
        notices=(*notices, *doubts),
    )


def summary(text: str) -> str:
    """The first paragraph that says something of what is wanted."""
    return _summary(blocks(text))


def _title(found: list[Block]) -> str:
    headings = [block for block in found if isinstance(block, Heading) and block.text]
    tops = [heading.text for heading in headings if heading.level == 1] or [heading.text for heading in headings]
    words = tops or [plain(block.text) for block in found if isinstance(block, Line) and block.text.strip()]
    return clipped(_TITLE_WORD.sub("", words[0], count=1), LONGEST_TITLE) if words else ""


def clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _task_type(found: list[Block], shown: str) -> tuple[str, list[str]]:
    for block in found:
        if isinstance(block, Line) and (match := _TASK_TYPE.match(block.text)):
            word = match.group(1).upper()
            if word in TASK_TYPES and "|" not in match.group(2):
                return word, []
            allowed = ", ".join(TASK_TYPES)
            return "FEATURE", [
                f"{shown}, line {block.line}: task type {word} is not one of {allowed}; taken as FEATURE."
            ]
    return "FEATURE", []


def _summary(found: list[Block]) -> str:
    """The first paragraph under a heading that speaks of the request, else the first one at all."""
    requests = [i for i, block in enumerate(found) if isinstance(block, Heading) and _REQUEST.search(block.text)]
    for start in [*(i + 1 for i in requests), 0]:
        end = next((i for i in range(start, len(found)) if start and isinstance(found[i], Heading)), len(found))
        if words := _paragraph(found[start:end]):
            return clipped(words, LONGEST_SUMMARY)
    return ""


def _paragraph(found: Iterable[Block]) -> str:
    words: list[str] = []
    for block in found:
        if not isinstance(block, Line) or (block.first and words):
            if words:
                break
            continue
        if not _META.match(block.text):
            words.append(plain(block.text))
    return " ".join(words)


def _requirements(found: list[Block], shown: str, sections: list[int]) -> tuple[tuple[Requirement, ...], list[str]]:
    """Every requirement with an id. An id that comes again in the same section is taken as a reference, and said."""
    kept: list[Requirement] = []
    seen: dict[tuple[str, int], Requirement] = {}
    notices: list[str] = []
    for block in found:
        for item in _in_block(block, shown, notices):
            earlier = seen.setdefault((item.id, bisect_right(sections, item.line)), item)
            if earlier is item:
                kept.append(item)
            elif earlier.text != item.text:
                notices.append(f"{shown}, line {item.line}: {item.id} is also in line {earlier.line}; that one counts.")
    return tuple(kept), notices


def doubts(kept: Sequence[Requirement], shown: str) -> list[str]:
    """What a reader should know of the requirements that a run is about: ids that are double, none at all."""
    lines: dict[str, list[int]] = {}
    for item in kept:
        lines.setdefault(item.id, []).append(item.line)
    notices = [
        f"{shown}: {name} names {len(those)} requirements (lines {', '.join(map(str, those))}); all are kept."
        for name, those in lines.items()
        if len(those) > 1
    ]
    if not kept:
        notices.append(f"{shown} has no requirements with ids (REQ-001 ...): its text as a whole is the task.")
    return notices


def _in_block(block: Block, shown: str, notices: list[str]) -> list[Requirement]:
    if isinstance(block, Table):
        return _in_table(block, shown, notices)
    item = _in_line(block.text, block.line)
    return [item] if item else []


def _in_line(text: str, line: int) -> Requirement | None:
    """`REQ-001: text`, `**REQ-001** text`, `[x] REQ-001 (core, automated_unit) - text`."""
    match = _BEGINS.match(text.strip())
    if not match:
        return None
    words = [word.strip().lower() for word in re.split(r"[,;/]", (match["paren"] or "").strip(" ()"))]
    rest = plain(match["text"])
    if match["paren"] and not any(word in CATEGORIES + TEST_TYPES for word in words):
        rest = f"{match['paren'].strip()} {rest}"
    box = (match["box"] or "").strip()
    return Requirement(
        id=match["marked"] or match["sure"] or match["bare"],
        text=rest,
        category=next((word for word in words if word in CATEGORIES), ""),
        test_type=next((word for word in words if word in TEST_TYPES), ""),
        status=(match["mark"] or "").strip() or ({"": "", "[ ]": "○"}.get(box, "✓")),
        line=line,
    )


def _in_table(table: Table, shown: str, notices: list[str]) -> list[Requirement]:
    ids = _id_column(table)
    if ids is None:
        return []
    columns = _columns(table.header, ids)
    found = []
    for row in table.rows:
        values = {kind: plain(row.cells[at]) for kind, at in columns.items() if at < len(row.cells)}
        name = _bare(row.cells[ids]) if ids < len(row.cells) else ""
        text = values.pop("text", "") or _longest(row.cells, {ids, *columns.values()})
        if _FULL_ID.fullmatch(name) or _LOOSE_ID.fullmatch(name):
            found.append(Requirement(id=name, text=text, line=row.line, **values))
        elif len(row.cells) == 1:
            continue  # a paragraph right under the table, which Markdown takes for a row
        elif text and name:
            notices.append(f"{shown}, line {row.line}: {clipped(name, 40)!r} is not an id; the row is not listed.")
        elif text:
            notices.append(f"{shown}, line {row.line}: a requirement without an id: {clipped(text, 80)}")
    return found


def _id_column(table: Table) -> int | None:
    """The column that holds ids: by what stands in it, else by a header that says so."""
    for at in range(len(table.header)):
        if any(at < len(row.cells) and _FULL_ID.fullmatch(_bare(row.cells[at])) for row in table.rows):
            return at
    for at, header in enumerate(table.header):
        cells = [_bare(row.cells[at]) for row in table.rows if at < len(row.cells) and row.cells[at]]
        if _ID_HEADER.fullmatch(_bare(header)) and cells and all(_LOOSE_ID.fullmatch(cell) for cell in cells):
            return at
    return None


def _columns(header: tuple[str, ...], ids: int) -> dict[str, int]:
    columns: dict[str, int] = {}
    for at, words in enumerate(header):
        kind = next((kind for kind, words_of in _COLUMNS if words_of.search(_bare(words))), None)
        if at != ids and kind and kind not in columns:
            columns[kind] = at
    return columns


def _bare(cell: str) -> str:
    return plain(cell).strip("*_`[]() ")


def _longest(cells: tuple[str, ...], used: set[int]) -> str:
    return plain(max((cell for at, cell in enumerate(cells) if at not in used), key=len, default=""))
