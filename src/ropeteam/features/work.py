"""What the documents say of the work itself: its files and its order, for the whole feature or for a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ropeteam.core.model import Document, NamedFile, Step
from ropeteam.features import named_files, sections, steps
from ropeteam.features.blocks import Heading, blocks
from ropeteam.features.named_files import Wanted
from ropeteam.features.selecting import Outline, matching


@dataclass(frozen=True)
class Work:
    """files: no path twice. unresolved, notices: a sentence each, as in `Feature`."""

    files: tuple[NamedFile, ...] = ()
    steps: tuple[Step, ...] = ()
    unresolved: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def read(documents: Sequence[Document], wanted: Wanted = lambda _document, _line: True) -> Work:
    """Files and steps that the documents name. wanted: whether a line belongs to what the run is about (a section that
    is not selected does not). Never raises."""
    sequence = steps.sequence(documents, wanted)
    listed = named_files.listed(documents, wanted)
    return Work(
        files=named_files.merged([*listed.files, *sequence.files]),
        steps=tuple(sequence.steps),
        unresolved=tuple(dict.fromkeys((*listed.unresolved, *sequence.unresolved))),
        notices=tuple(sequence.notices),
    )


def about(selected: Sequence[str], found: Outline) -> Wanted:
    """Which lines of the documents a run of these sections is about: all but those that stand in a section, or under a
    heading that is named like one, that is not selected. None selected: every line."""
    if not selected:
        return lambda _document, _line: True
    known: dict[str, list[tuple[int, int]]] = {}

    def wanted(document: Document, line: int) -> bool:
        if document.path not in known:
            known[document.path] = list(_of_others(document, selected, found))
        return not any(start <= line < end for start, end in known[document.path])

    return wanted


def _of_others(document: Document, selected: Sequence[str], found: Outline) -> Iterator[tuple[int, int]]:
    """Ranges of lines that are about sections that are not selected."""
    if document.kind == "intent":
        yield from ((one.line, one.end) for one in found.sections if one.name not in selected and not one.alone)
        return
    headings = [block for block in blocks(document.text) if isinstance(block, Heading)]
    for at, heading in enumerate(headings):
        words = sections.bare(heading.text) if heading.text else ""
        meant = matching(words, found.sections) if words and not words.isdigit() else []
        if len(meant) == 1 and meant[0].name not in selected:
            later = (other.line for other in headings[at + 1 :] if other.level <= heading.level)
            yield heading.line, next(later, document.text.count("\n") + 2)
