"""From documents to a `Feature`: what is wanted, which of its sections this run is about, what was not understood."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ropeteam.core.model import Document, Feature, Requirement
from ropeteam.features import intent as intents
from ropeteam.features import sections, selecting, speckit, work
from ropeteam.features.blocks import lines_of
from ropeteam.features.selecting import Outline

LONG_CHARACTERS = 200_000  # about 50,000 tokens, which every attempt reads

_BEGINS = re.compile(r"<!-- ropeteam run (\S+) -->[ \t]*")
_ENDS = re.compile(r"<!-- ropeteam end (\S+) -->[ \t]*")
_RANGE = re.compile(r"\b([A-Z][A-Z0-9-]{0,20}-)(\d{1,5})\b\s*(?:to|through|\.{2,3}|…|–|—|-)\s*\1?(\d{1,5})\b")
_REFERENCE = re.compile(r"|(?:to|through|…|–|—|-|,|and)\s.*")
_ID = re.compile(r"\b[A-Z][A-Z0-9]{0,9}(?:-[A-Z0-9]{1,10})?-\d{1,5}(?:\.\d{1,3})?[a-z]?\b")


@dataclass(frozen=True)
class Wanted:
    """Which sections were asked for; nothing: the first that is due."""

    parts: tuple[str, ...] = ()
    all_parts: bool = False


def understood(
    name: str,
    source: Literal["workspace", "file", "stdin", "speckit"],
    folder: str,
    documents: tuple[Document, ...],
    notices: list[str],
    wanted: Wanted,
) -> Feature:
    """The feature that the documents describe. Raises BadInput for sections that cannot be used, or selected so."""
    intent = next(document for document in documents if document.kind == "intent")
    found = selecting.outline(intent.text, intent.path, _logged(documents))
    said = intents.read(intent.text, intent.path, [section.line for section in found.sections])
    every = said.requirements if source != "speckit" else speckit.with_stories(said.requirements, intent.text)
    own = _by_section(found, every, intent.text)
    selected = selecting.selected(found, feature=name, parts=wanted.parts, all_parts=wanted.all_parts)
    mine = tuple(item for one in selected for item in own[one]) if selected else every
    values = found.as_values(intent.text, {one: tuple(item.id for item in items) for one, items in own.items()})
    chosen = [section for section in values if section.name in selected]
    only = chosen[0] if len(chosen) == 1 else None
    kinds = {section.kind for section in chosen}
    named = work.read(documents, work.about(selected, found))
    return Feature(
        name=name,
        source=source,
        folder=folder,
        title=said.title or name,
        task_type=kinds.pop().upper() if len(kinds) == 1 and "part" not in kinds else said.task_type,
        summary=(intents.summary(only.text) if only else "") or _described(source, intent) or said.summary,
        documents=documents,
        requirements=mine,
        sections=values,
        selected=selected,
        files=named.files,
        steps=named.steps,
        unresolved=named.unresolved,
        notices=(
            *notices,
            *(
                f"{long.path} has {len(long.text):,} characters; every attempt reads what is in its prompt."
                for long in documents
                if len(long.text) > LONG_CHARACTERS
            ),
            *said.notices,
            *found.notices,
            *named.notices,
            *(_inside(intent) if found.sections else ()),
            *(_outside(every, own, found) if selected else ()),
            *intents.doubts(mine, f"{intent.path}: {', '.join(selected)}" if selected else intent.path),
        ),
    )


def _described(source: str, intent: Document) -> str:
    return intents.clipped(speckit.description(intent.text), intents.LONGEST_SUMMARY) if source == "speckit" else ""


def _logged(documents: Sequence[Document]) -> list[str]:
    """Sections that somebody else's log says were implemented. Runs of ours leave a mark in the intent instead."""
    logs = [document.text for document in documents if document.kind == "implementation"]
    return [section.name for log in logs for section in sections.find(_of_others(log)) if not section.alone]


def _of_others(log: str) -> str:
    """A log without what runs of ours wrote into it: between two comments with the same id."""
    lines = lines_of(log)
    closed = {found[1]: at for at, line in enumerate(lines) if (found := _ENDS.fullmatch(line))}
    kept: list[str] = []
    skip = -1
    for at, line in enumerate(lines):
        if at > skip and (found := _BEGINS.fullmatch(line)):
            skip = closed.get(found[1], -1)
        if at > skip:
            kept.append(line)
    return "\n".join(kept)


def _by_section(found: Outline, every: Sequence[Requirement], text: str) -> dict[str, tuple[Requirement, ...]]:
    """The requirements of each section, by its name: those that stand in it, and those of no section that it names by
    their ids where it says nothing of its own of them."""
    inside, outside = _divided(found, every)
    known = {item.id for item in outside}
    lines = lines_of(text)
    by_section = {}
    for section, items in zip(found.sections, inside, strict=True):
        own = [item for item in items if not (item.id in known and _REFERENCE.fullmatch(item.text))]
        referring = [item.line for item in items if item not in own] if own else range(section.line, section.end)
        named = _ids("\n".join(lines[line - 1] for line in referring)) & known
        by_section[section.name] = (*own, *(item for item in outside if named and item.id in named))
    return by_section


def _divided(found: Outline, every: Sequence[Requirement]) -> tuple[list[list[Requirement]], list[Requirement]]:
    """The requirements that stand in each section, and those that stand in none."""
    begins = [section.line for section in found.sections]
    inside: list[list[Requirement]] = [[] for _ in begins]
    outside = []
    for item in every:
        at = bisect_right(begins, item.line) - 1
        if at >= 0 and item.line < found.sections[at].end:
            inside[at].append(item)
        else:
            outside.append(item)
    return inside, outside


def _ids(text: str) -> set[str]:
    """Ids that a text names, those of a range (`REQ-001 to REQ-003`) each."""
    ids = set(_ID.findall(text))
    for stem, first, last in _RANGE.findall(text):
        if int(first) <= int(last) < int(first) + 1000:
            ids.update(f"{stem}{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
    return ids


def _inside(intent: Document) -> list[str]:
    return [
        f"{intent.path}, line {heading.line}: {heading.text!r} stands inside of {around.titled} and is done with it."
        for heading, around in sections.nested(intent.text)
    ]


def _outside(every: Sequence[Requirement], own: dict[str, tuple[Requirement, ...]], found: Outline) -> list[str]:
    """Requirements of no section are not those of a run that is about sections: say so of those that are not done."""
    known = {item.line for items in own.values() for item in items}
    open_ = [item for item in _divided(found, every)[1] if sections.status_of(item.status) != "done"]
    outside = [item for item in open_ if item.line not in known]
    if not outside:
        return []
    ids = ", ".join(f"{item.id} (line {item.line})" for item in outside[:10])
    more = f" and {len(outside) - 10} more" if len(outside) > 10 else ""
    return [f"{found.shown}: {ids}{more} stand in no section and are not among the requirements of this run."]
