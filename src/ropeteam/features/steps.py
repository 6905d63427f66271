"""The documents' own order of the work: an implementation sequence, phases, or a list of tasks with check boxes.

Pure, as `named_files`. A step's number says when: steps of equal number may be done side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ropeteam.core.model import Document, NamedFile, Step
from ropeteam.features import section_words, step_numbers
from ropeteam.features.blocks import Heading, plain
from ropeteam.features.item_words import before_separator, purpose_of, requirements_in, shown
from ropeteam.features.named_files import LONGEST_PURPOSE, Wanted
from ropeteam.features.outline import Cells, Code, Entry, Item, Words, outline
from ropeteam.features.path_words import named_in

_TASK: Final = re.compile(r"^(?:\*\*|`)?(T\d{1,4}[a-z]?)(?:\*\*|`)?[\s:.–—-]+(.*)$", re.DOTALL)
_TAG: Final = re.compile(r"\[(P|US\d{1,3}|Story\s?\d+)\]\s*", re.IGNORECASE)
_PHASE: Final = re.compile(
    r"^\W*(?:phase|step|stage|milestone|iteration|wave|batch)\s+(?P<id>\d{1,3}[a-z]?|[A-Z])\b\W*(?P<text>.*)$",
    re.IGNORECASE,
)
_ID: Final = r"(?:(?:steps?|phases?|stages?|tasks?|items?|parts?|#)\s*)?(?:T\d{1,4}[a-z]?|\d{1,3}[a-z]?)"
_NEEDS: Final = re.compile(
    rf"\b(?:needs?|requires?|depends?\s+on|depending\s+on|after|builds?\s+on|blocked\s+by|uses|follows|prerequisites?|dependenc(?:y|ies))"
    rf"\b\s*[:=]?\s*(?P<ids>(?:only\s+)?{_ID}(?:\s*(?:,|and|&|\+|/|to|through|-|–|—)\s*{_ID})*)(?=\s*(?:[,;.:)\]]|and\b|$|[-–—]\s|\n))",
    re.IGNORECASE,
)
_NO_NEEDS: Final = re.compile(
    r"\b(?:needs?|requires?|depends?\s+on|dependencies|prerequisites?)\s*[:=]?\s*(?:nothing|none|no\s+(?:other|step)\w*)\b|\bno\s+dependenc|\bindependent\b(?!\s+of\s+\w+\s+\w+ing)",
    re.IGNORECASE,
)
_PARALLEL: Final = re.compile(
    r"\[P\]|\(parallel\b|\bin\s+parallel\b|\bparallel(?:izable|isable)\b|\bside\s+by\s+side\b|\bconcurrently\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"(?:(T)?(\d{1,4})([a-z]?))")
_ARROWS: Final = re.compile(r"\s*(?:→|->|=>|➜|⟶)\s*")
_LIST_COLUMNS: Final = {
    "id": re.compile(r"^\W*(?:#|no\.?|nr\.?|step|phase|order|id|task|stage)\W*$", re.IGNORECASE),
    "needs": re.compile(r"depend|needs?|requires?|after|prerequisite|blocked", re.IGNORECASE),
    "parallel": re.compile(r"parallel", re.IGNORECASE),
}


@dataclass
class Order:
    """What was found. files: that steps and tasks name. done: ids of tasks whose box is ticked: they are left out."""

    steps: list[Step] = field(default_factory=list)
    files: list[NamedFile] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass
class _Draft:
    """A step while it is read: its own text, and all texts below it with their lines."""

    id: str
    line: int
    texts: list[tuple[str, int]]
    phase: str = ""
    parallel: bool = False
    task: bool = False
    needs_text: str = ""


def sequence(documents: Iterable[Document], wanted: Wanted) -> Order:
    """Steps of the first document that has any: tasks before an architecture before an intent."""
    kinds = ("tasks", "architecture", "intent")
    for document in sorted((d for d in documents if d.kind in kinds), key=lambda d: kinds.index(d.kind)):
        found = Order()
        entries = outline(document.text)
        drafts = _tasks(entries, document, wanted, found)
        if len(drafts) + len(found.done) < 2 or document.kind != "tasks":
            drafts = (
                drafts if document.kind == "tasks" and (drafts or found.done) else _sequence(entries, document, wanted)
            )
        if drafts or found.done:
            _finish(drafts, document, found)
            return found
    return Order()


# ---- tasks with boxes


def _tasks(entries: Sequence[Entry], document: Document, wanted: Wanted, found: Order) -> list[_Draft]:
    """`- [ ] T001 [P] [US1] Create the model in src/models/user.py`; also boxes without ids in a list of tasks."""
    drafts: list[_Draft] = []
    if document.kind != "tasks":
        return drafts
    phase, counted, skipping = "", 0, 99
    boxes = any(isinstance(entry, Item) and entry.box is not None for entry in entries)
    level = min((entry.level for entry in entries if isinstance(entry, Heading) and entry.level > 1), default=1)
    for entry in entries:
        if isinstance(entry, Heading):
            phase, skipping = (plain(entry.text) if entry.level <= level else phase), 99
        elif isinstance(entry, Item) and boxes and entry.box is None and entry.depth == 1:
            skipping = 99
        elif isinstance(entry, Item) and entry.depth > skipping:
            continue
        elif isinstance(entry, Item) and (task := _task(entry)) is not None:
            skipping = 99
            counted += 1
            id, text, parallel = task
            if not wanted(document, entry.line):
                continue
            if entry.box in ("x", "✓", "✔"):
                found.done.append(id or str(counted))
                skipping = entry.depth
                continue
            drafts.append(_Draft(id or str(counted), entry.line, [(text, entry.line)], phase, parallel, task=True))
        elif isinstance(entry, (Item, Words)) and entry.depth and drafts and skipping == 99:
            drafts[-1].texts.append((entry.text, entry.line))
    return drafts


def _task(entry: Item) -> tuple[str, str, bool] | None:
    """Its id (may be empty), its text without marks, and whether it may run beside others."""
    said = _TASK.match(entry.text)
    if said is None and entry.box is None:
        return None
    id, text = (said[1], said[2]) if said else ("", entry.text)
    if said is None and (inner := re.match(r"^\d+(?:\.\d+)*\.?\s+", text)):
        id, text = inner[0].strip(" ."), text[inner.end() :]
    head = text[:60]
    return id, text, "[p]" in head.lower()


# ---- a sequence or phases


def _sequence(entries: Sequence[Entry], document: Document, wanted: Wanted) -> list[_Draft]:
    """The first section that is an order of work and has steps; else headings that are numbered phases."""
    for at, entry in enumerate(entries):
        level = _begins(entry)
        if level and wanted(document, entry.line):
            drafts = [d for d in _steps_below(_section(entries, at + 1, level)) if wanted(document, d.line)]
            if len(drafts) > 1 or (drafts and isinstance(entry, Heading) and "sequence" in entry.text.lower()):
                return drafts
    if document.kind == "intent":
        return []
    phases = [d for d in _phases(entries) if wanted(document, d.line)]
    return phases if len(phases) > 1 else []


def _begins(entry: Entry) -> int:
    """The level of a heading (7: a label) that announces an order of work; 0: it does not."""
    if isinstance(entry, Heading) and section_words.mode_of(entry.text) == "sequence":
        return entry.level
    label = (
        isinstance(entry, Words)
        and not entry.depth
        and len(entry.text) <= 80
        and entry.text.strip().endswith((":", "**"))
    )
    return 7 if label and isinstance(entry, Words) and section_words.mode_of(entry.text) == "sequence" else 0


def _section(entries: Sequence[Entry], start: int, level: int) -> Sequence[Entry]:
    end = start
    while end < len(entries):
        entry = entries[end]
        if isinstance(entry, Heading) and entry.level <= level:
            break
        if (
            level == 7
            and isinstance(entry, Words)
            and not entry.depth
            and re.fullmatch(r"\*\*[^*]+\*\*:?", entry.text.strip())
        ):
            break
        end += 1
    return entries[start:end]


def _steps_below(section: Sequence[Entry]) -> list[_Draft]:
    if phases := _phases(section):
        return phases
    if rows := [entry for entry in section if isinstance(entry, Cells)]:
        return _rows(rows)
    ordered = any(isinstance(entry, Item) and entry.depth == 1 and entry.number for entry in section)
    drafts: list[_Draft] = []
    for entry in section:
        if isinstance(entry, Item) and entry.depth == 1 and (entry.number or not ordered):
            drafts.append(_Draft(entry.number or str(len(drafts) + 1), entry.line, [(entry.text, entry.line)]))
        elif isinstance(entry, (Item, Words)) and drafts and entry.depth:
            drafts[-1].texts.append((entry.text, entry.line))
    return _renumbered(drafts) if drafts else _arrows(section)


def _renumbered(drafts: list[_Draft]) -> list[_Draft]:
    """Lists in which every item is written `1.` count by themselves."""
    ids = [draft.id for draft in drafts]
    if len(set(ids)) < len(ids):
        for at, draft in enumerate(drafts, 1):
            draft.id = str(at)
    return drafts


def _phases(section: Sequence[Entry]) -> list[_Draft]:
    """Headings, labels or bold items `Phase 1: Models`, each with all that stands below it."""
    drafts: list[_Draft] = []
    level = 99
    for entry in section:
        named = _PHASE.match(_bare(entry.text)) if isinstance(entry, (Heading, Words, Item)) else None
        rank = _rank(entry)
        if named and rank and rank <= level:
            level = rank
            drafts.append(_Draft(named["id"], entry.line, [(named["text"] or named[0], entry.line)]))
        elif drafts and isinstance(entry, Heading) and entry.level <= level:
            break
        elif drafts and isinstance(entry, (Heading, Words, Item)):
            drafts[-1].texts.append((entry.text, entry.line))
        elif drafts and isinstance(entry, Cells):
            drafts[-1].texts += [(cell, entry.line) for cell in entry.cells]
    return _renumbered(drafts)


def _rank(entry: Entry) -> int:
    if isinstance(entry, Heading):
        return entry.level
    if isinstance(entry, Words) and not entry.depth and re.match(r"\*\*|__", entry.text.strip()):
        return 7
    return 10 if isinstance(entry, Item) and entry.depth == 1 else 0


def _bare(text: str) -> str:
    return (
        re.sub(r"[*_`]{1,3}", "", text).strip() if not named_in(text) else re.sub(r"\*\*|__(?!init)", "", text).strip()
    )


def _rows(rows: list[Cells]) -> list[_Draft]:
    drafts = []
    for count, row in enumerate(rows, 1):
        at = {
            kind: next((n for n, words in enumerate(row.header) if p.search(words)), None)
            for kind, p in _LIST_COLUMNS.items()
        }
        id = _cell(row, at["id"])
        number = _NUMBER.fullmatch(re.sub(r"[*_`#]|step|phase", "", id, flags=re.IGNORECASE).strip())
        needs = _cell(row, at["needs"])
        rest = [
            cell
            for n, cell in enumerate(row.cells)
            if n != at["needs"] and (n != at["id"] or number is None) and n != at["parallel"]
        ]
        parallel = re.match(r"\W*(?:y|yes|true|✓|x)\b|.*\[P\]", _cell(row, at["parallel"]), re.IGNORECASE) is not None
        drafts.append(
            _Draft(
                number[0] if number else str(count),
                row.line,
                [(" - ".join(cell for cell in rest if cell), row.line)],
                parallel=parallel,
                needs_text=f"needs {needs}"
                if needs and not section_words.nothing(needs)
                else "needs nothing" * (at["needs"] is not None),
            )
        )
    return _renumbered(drafts)


def _cell(row: Cells, at: int | None) -> str:
    return row.cells[at].strip() if at is not None and at < len(row.cells) else ""


def _arrows(section: Sequence[Entry]) -> list[_Draft]:
    """`models → services → routes` in one line."""
    for entry in section:
        text = entry.text if isinstance(entry, (Words, Code)) else ""
        parts = [part.strip() for part in _ARROWS.split(text.strip()) if part.strip()]
        if len(parts) > 2:
            return [_Draft(str(n), entry.line, [(part, entry.line)]) for n, part in enumerate(parts, 1)]
    return []


# ---- from drafts to steps


def _finish(drafts: list[_Draft], document: Document, found: Order) -> None:
    ids = [draft.id for draft in drafts]
    known = {*ids, *found.done}
    steps: list[Step] = []
    stated = False
    for draft in drafts:
        whole = "\n".join([draft.needs_text, *(text for text, _ in draft.texts)])
        needs, unknown = _needs(whole, draft.id, known)
        stated = stated or bool(needs) or _NO_NEEDS.search(whole) is not None
        if unknown:
            found.notices.append(
                f"{document.path}, line {draft.line}: it needs {', '.join(unknown)}, which is no step; not counted."
            )
        files = _files(draft, document, found)
        steps.append(
            Step(
                id=draft.id,
                number=1,
                text=_shortened(draft.texts[0][0]),
                parallel=draft.parallel or _PARALLEL.search(draft.texts[0][0]) is not None,
                needs=tuple(need for need in needs if need in ids),
                files=files,
                requirements=requirements_in(whole),
                phase=draft.phase,
                source=document.path,
                line=draft.line,
            )
        )
    tasks = any(draft.task for draft in drafts)
    if stuck := step_numbers.circle(steps):
        told = f"{document.path}: the steps {', '.join(stuck)} need each other; they are taken in their order."
        found.notices.append(told)
        steps = [msgspec.structs.replace(s, needs=()) if s.id in stuck else s for s in steps]
        stated = stated and not all(s.id in stuck for s in steps)
    number = step_numbers.by_phase if tasks else step_numbers.by_needs if stated else step_numbers.in_order
    found.steps = number(steps)
    if found.done:
        done = ", ".join(found.done[:6]) + (f" and {len(found.done) - 6} more" if len(found.done) > 6 else "")
        found.notices.append(f"{document.path}: tasks that are ticked off are left out: {done}.")


def _shortened(text: str) -> str:
    words = plain(_TAG.sub("", text))
    return words if len(words) <= LONGEST_PURPOSE else words[: LONGEST_PURPOSE - 1] + "…"


def _needs(text: str, own: str, known: set[str]) -> tuple[list[str], list[str]]:
    """Ids that the text names as needed, ranges filled in; and those that are no step."""
    needs: list[str] = []
    for found in _NEEDS.finditer(text):
        previous: tuple[str, int] | None = None
        parts = re.split(r"(\s*(?:to|through|-|–|—)\s*|\s*(?:,|and|&|\+|/)\s*)", found["ids"])
        for at, part in enumerate(parts[::2]):
            number = _NUMBER.search(part)
            if number is None:
                continue
            joined = parts[2 * at - 1].strip() if at else ""
            id = number[0]
            if joined in ("to", "through", "-", "–", "—") and previous and int(number[2]) - previous[1] < 100:
                needs += [f"{previous[0]}{n:0{len(number[2])}d}" for n in range(previous[1] + 1, int(number[2]))]
            needs.append(id)
            previous = (number[1] or "", int(number[2]))
    once = [need for need in dict.fromkeys(needs) if need != own]
    return [n for n in once if n in known], [n for n in once if n not in known]


def _files(draft: _Draft, document: Document, found: Order) -> tuple[str, ...]:
    """The paths that a step names, which become files of the feature too."""
    paths: list[str] = []
    for text, line in draft.texts:
        names = named_in(text, expected=draft.task)
        about = names if draft.task else [name for name in before_separator(text, names) if name.coded or name.sure]
        for at, name in enumerate(about):
            here = line + text.count("\n", 0, name.start)
            if name.problem:
                found.unresolved.append(f"{document.path}:{here}: {shown(name.raw)!r} is not taken: {name.problem}.")
                continue
            head = text[about[at - 1].end if at else 0 : name.start]
            passing = re.search(
                r"\b(?:see|like|as in|similar to|from|per|according to|following|using)\s+(?:the\s+)?[`(]?$",
                head,
                re.IGNORECASE,
            )
            for path in name.paths:
                if passing or re.match(r"specs/\d{3}|\.workspace/", path) or (path in _PLANNING and "/" not in path):
                    continue
                paths.append(path)
                found.files.append(
                    NamedFile(
                        path=path,
                        status=section_words.status_beside(text[: name.start], text[name.end :]),
                        purpose=_shortened(
                            draft.texts[0][0] if draft.task else purpose_of(text, about) or draft.texts[0][0]
                        ),
                        task=draft.id,
                        requirements=requirements_in(text),
                        source=document.path,
                        line=here,
                    )
                )
    return tuple(dict.fromkeys(paths))


_PLANNING: Final = frozenset({"plan.md", "spec.md", "tasks.md", "research.md", "data-model.md", "quickstart.md"})
