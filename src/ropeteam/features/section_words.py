"""What a heading, a label or a mark says of the files below or beside it: created, changed, deleted, or left alone."""

from __future__ import annotations

import re
from typing import Final, Literal

Status = Literal["A", "M", "D", "?"]
Mode = Literal["A", "M", "D", "?", "context", "sequence", ""]
"""`context`: files that are only to be looked at. `sequence`: the order of the work. Empty: says nothing of it."""

_CREATE: Final = (
    r"(?:to be )?(?:creat(?:e|es|ed|ing|ion)|new|add(?:s|ed|ing|itions?)?|introduc(?:e|ed|ing)|generat(?:e|ed))"
)
_MODIFY: Final = (
    r"(?:to be )?(?:modif(?:y|ied|ies|ying|ications?)|chang(?:e|es|ed|ing)|updat(?:e|es|ed|ing)|edit(?:s|ed|ing)?"
    r"|extend(?:s|ed|ing)?|touch(?:ed|es)?|adjust(?:ed|ments?)?|alter(?:ed)?|adapt(?:ed)?|refactor(?:ed|ings?)?|existing)"
)
_DELETE: Final = r"(?:to be )?(?:delet(?:e|es|ed|ing|ions?)|remov(?:e|es|ed|ing|als?)|drop(?:ped)?)"
_THINGS: Final = (
    r"(?:files?|modules?|components?|classes|code|scripts?|artifacts?|artefacts?|paths?|sources?|assets?|views?|tests?)"
)
_HAS: Final = {
    "A": re.compile(rf"\b{_CREATE}\b", re.IGNORECASE),
    "M": re.compile(rf"\b{_MODIFY}\b", re.IGNORECASE),
    "D": re.compile(rf"\b{_DELETE}\b", re.IGNORECASE),
}
_ACTION: Final = rf"(?:{_CREATE}|{_MODIFY}|{_DELETE})"
_FILES_DONE: Final = re.compile(
    rf"\bfiles?\b(?:\s+(?:to|that|which|will|are|must|need|be|being|should|have|we))*\s*[\s:(/,–—-]\s*{_ACTION}\b"
    rf"|\b{_ACTION}(?:\s*(?:/|,|&|\+|\b(?:the|these|those|following|all|or|and|to)\b|{_ACTION}))*(?:\s+\w+)?\s+files?\b",
    re.IGNORECASE,
)
_FILES_ALONE: Final = re.compile(
    r"(?:(?:the|all|affected|impacted|touched|involved|planned|expected|test|tests|source|code|project|backend|frontend|back-end|front-end"
    r"|proposed|target|feature|main|core|api|ui|of|and|database|configuration|config)\s+)*"
    r"(?:files?(?:\s+(?:involved|affected|touched|impacted|list|overview|summary|map|plan|structure|layout|tree|organi[sz]ation|inventory))*"
    r"|(?:directory|folder|project|code|source)\s+(?:structure|layout|tree|plan|map|list|organi[sz]ation))(?:\s*\([^)]*\))?",
    re.IGNORECASE,
)
_THING: Final = re.compile(rf"\b{_THINGS}\b", re.IGNORECASE)
_FILES: Final = re.compile(
    r"\bfiles?\b|\b(?:file|directory|folder|project|code|source)\s+(?:structure|layout|tree|plan|map|list|organi[sz]ation)\b",
    re.IGNORECASE,
)
_ACTION_ALONE: Final = re.compile(
    rf"(?:to\s+)?(?:{_CREATE}|{_MODIFY}|{_DELETE})(?:\s*(?:/|,|and|or|&|\+)\s*(?:{_CREATE}|{_MODIFY}|{_DELETE}))*"
    rf"(?:\s+(?:to|of|in))?(?:\s+(?:the|existing|new))*(?:\s+{_THINGS})?",
    re.IGNORECASE,
)
_CONTEXT: Final = re.compile(
    r"\bun(?:changed|touched|modified)\b|\bnot\s+(?:to\s+)?(?:be\s+)?(?:touch|chang|modif|edit)|\bdo(?:es)?\s+not\b|\bdon't\b"
    r"|\breferences?\b|\bto\s+(?:read|follow|look|consult|review)\b|\brelevant\b|\brelated\b|\bkey files\b|\bsimilar\b"
    r"|\bexamples?\b|\bread[- ]only\b|\bout of scope\b|\bleave\b|\bno changes?\b|\bconventions?\b"
    r"|\bcurrent (?:state|structure)\b|\bdocumentation \(this feature\)",
    re.IGNORECASE,
)
_SEQUENCE: Final = re.compile(
    r"(?:(?:the|suggested|recommended|proposed)\s+)?(?:"
    r"(?:implementation|build|execution|development|work|delivery|coding|construction)\s+"
    r"(?:sequence|order|plan|steps?|phases?|road\s?map|stages?|tasks?|checklist|strategy)"
    r"|sequence|build\s+order|order(?:\s+of\s+(?:implementation|work|execution))?|steps|phases|road\s?map|tasks?(?:\s+(?:list|breakdown))?"
    r"|milestones|work\s+breakdown|implementation|sequence\s+of\s+\w+|plan\s+of\s+(?:work|action)|action\s+plan)"
    r"(?:\s*\([^)]*\))?",
    re.IGNORECASE,
)
_COLUMN: Final = {
    "path": re.compile(r"\b(?:files?|paths?|file\s*names?|location|where|module)\b", re.IGNORECASE),
    "needs": re.compile(
        r"\b(?:depends?(?:\s+on)?|dependenc(?:y|ies)|needs?|requires?|builds?\s+on|uses|imports)\b", re.IGNORECASE
    ),
    "status": re.compile(
        r"^\W*(?:action|status|change(?:\s*type)?|type|operation|op|new\?|kind|what to do|a/m|mode)\W*$", re.IGNORECASE
    ),
}
_CELL: Final = {
    "A": re.compile(rf"\W*(?:{_CREATE}|a|\+|neu|yes|✚|➕|🆕)\b.*|\W*\+\W*|🆕.*", re.IGNORECASE | re.DOTALL),
    "M": re.compile(rf"\W*(?:{_MODIFY}|m|~|no)\b.*|\W*~\W*|✏.*", re.IGNORECASE | re.DOTALL),
    "D": re.compile(rf"\W*(?:{_DELETE}|d)\b.*|\W*[-−]\W*|🗑.*", re.IGNORECASE | re.DOTALL),
}
_MARK: Final = re.compile(
    r"[(\[{*_`<←#\s-]*\b(new|added?|created?|modified|modify|changed?|updated?|edit|extended?|existing|deleted?|removed?)\b"
    r"\s*(?:file)?(?:[)\]}*_`:,;>.]|\s[-–—]\s)|^\W*\b(new|modified|updated|deleted)\b\W*$",
    re.IGNORECASE,
)
_FROM: Final = re.compile(r"\bfrom\s+(?:the\s+)?$", re.IGNORECASE)
_ADD: Final = re.compile(r"\badd|\bintroduc|\bnew\b", re.IGNORECASE)
_INTO: Final = re.compile(r"\b(?:to|into|in|on|within|inside)\s+(?:the\s+)?(?:existing\s+)?$", re.IGNORECASE)
_NOTHING: Final = re.compile(
    r"\W*(?:none|nothing|n/?a|no(?:\s+\w+){0,2}\s*files?|no\s+changes?|not\s+applicable|tbd|-|—)?\W*", re.IGNORECASE
)


def mode_of(heading: str) -> Mode:
    """What a heading or a label says of what stands below it. `Files to Create` -> `A`, `Implementation Order` ->
    `sequence`, `Create or modify` -> `?`, `Overview` -> empty."""
    words = re.sub(r"[*_`]|^\W*\d+(?:\.\d+)*[.)]?\s+", " ", heading).strip(" :.-–—#\t")
    words = re.sub(r"^[A-Z]\.\s+|^\W+", "", words).strip()
    if not words or len(words) > 100:
        return ""
    if _CONTEXT.search(words) and (_FILES.search(words) or _THING.search(words)):
        return "context"
    if re.fullmatch(r"(?:the |all |code |file |planned )*changes", words, re.IGNORECASE):
        return "?"
    said = [status for status, pattern in _HAS.items() if pattern.search(words)]
    if _is_of_files(words) or _ACTION_ALONE.fullmatch(words) or (said and len(words) <= 60 and _listed(words)):
        return said[0] if len(said) == 1 else _both(words)  # type: ignore[return-value]
    if _SEQUENCE.fullmatch(words):
        return "sequence"
    return ""


def _is_of_files(words: str) -> bool:
    """`Files to create`, `New files`, `Affected files (backend)`, `File structure`; not `Import from a file`."""
    return _FILES_DONE.search(words) is not None or _FILES_ALONE.fullmatch(words) is not None


def _listed(words: str) -> bool:
    """`New components`, `Modified classes (backend)`: an action right before what is listed."""
    return re.match(rf"(?:{_CREATE}|{_MODIFY}|{_DELETE})\s+{_THINGS}\b", words, re.IGNORECASE) is not None


def _both(words: str) -> str:
    """`additions to the router` change it; `new files and changes` are two things."""
    if re.match(r"(?:add(?:itions?)?|new lines?)\s+(?:to|in)\b", words, re.IGNORECASE):
        return "M"
    return "?"


def status_cell(cell: str) -> Status:
    """What the cell of a column `Action` says."""
    for status in ("D", "M", "A"):
        if _CELL[status].fullmatch(cell.strip()):
            return status
    return "?"


def column(kind: str, header: tuple[str, ...]) -> int | None:
    """The first column of that kind (`path`, `status`, `needs`) by its heading."""
    return next((at for at, words in enumerate(header) if _COLUMN[kind].search(re.sub(r"[*_`]", "", words))), None)


def status_beside(before: str, after: str) -> Status:
    """What words beside a path say: `Create x`, `x (new)`, `[M] x`, `Delete x`; `remove a link from x` changes x."""
    head = re.split(r"[.;]\s|[`)]\s*,", before)[-1]
    if mark := _MARK.match(after[:24]):
        return _word_status(mark[1] or mark[2])
    if box := re.search(r"(?:^|\s)[\[(]?([AMD+~])[\])]?\s*$", head):
        return {"A": "A", "+": "A", "M": "M", "~": "M", "D": "D"}[box[1]]  # type: ignore[return-value]
    verb, distance = _last_verb(head)
    if _FROM.search(head) or (verb == "D" and distance > 3):
        return "M"
    return "?" if _INTO.search(head) and verb == "A" and _ADD.search(head) else verb


def _last_verb(head: str) -> tuple[Status, int]:
    """The last word that says what is done, and how many words stand behind it."""
    last: Status = "?"
    at = 0
    for status, pattern in _HAS.items():
        for found in pattern.finditer(head):
            if found.end() > at:
                at, last = found.end(), status  # type: ignore[assignment]
    return last, len(head[at:].split())


def without_mark(text: str) -> str:
    """What stands behind a path, without a mark such as `(new)` before it."""
    mark = _MARK.match(text)
    return text[mark.end() :] if mark else text


def _word_status(word: str) -> Status:
    for status, pattern in _HAS.items():
        if pattern.fullmatch(word):
            return status  # type: ignore[return-value]
    return "?"


def nothing(text: str) -> bool:
    """`None`, `n/a`, `no new files`: an item that says that there is nothing to list."""
    return _NOTHING.fullmatch(re.sub(r"[*_`]", "", text)) is not None
