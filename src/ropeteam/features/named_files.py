"""The files that the documents name: in tables, lists, headings, drawings of trees, and in passing.

Pure: documents in, values out; nothing is looked up in a repository. Where files are listed, what cannot be made a path
of is said with its line. Elsewhere a path is only taken as mentioned, unless the words beside it say what to do to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ropeteam.core.model import Document, NamedFile
from ropeteam.features import file_trees, section_words
from ropeteam.features.blocks import Heading, plain
from ropeteam.features.item_words import ARROW, before_separator, purpose_of, requirements_in, shown
from ropeteam.features.outline import Cells, Code, Entry, Item, Words, outline
from ropeteam.features.path_words import Named, named_in
from ropeteam.features.section_words import Mode, Status

Wanted = Callable[[Document, int], bool]
"""Whether a line of a document belongs to what this run is about."""

LONGEST_PURPOSE: Final = 300
_LABEL: Final = re.compile(r"^\W*(?:files?|paths?|location|modules?|source|target)\b[^:`]{0,20}:", re.IGNORECASE)
_DO: Final = re.compile(
    r"\b(?:create|add|introduce|implement|write|build|extend|modify|change|update|edit|adjust|refactor|rename|move|delete|remove"
    r"|replace|register|wire|mount|new|in)\b",
    re.IGNORECASE,
)
_NOT: Final = re.compile(
    r"\b(?:not|never|without|don't|doesn't|unchanged|untouched|like|as in|see|similar|follow|following|same as"
    r"|such as|pattern|existing|already|currently|today|from|uses?|via|reads?|lives? in|look at|reuse|e\.g\.)\b",
    re.IGNORECASE,
)
_MUST: Final = re.compile(
    r"[`)]*,?\s*(?:which|that|it)?\s*(?:has|have|needs?|must|should|shall|will|gets?)\s+(?:to\s+)?(?!not\b)\w", re.I
)
_OWN: Final = re.compile(r"(?:^|/)\.workspace/|^specs/\d{3}[-\w]*/|^0[0-9]-[\w-]+\.md$")


@dataclass
class Listing:
    """What was found, as it grows. unresolved: a sentence each, with `file:line`."""

    files: list[NamedFile] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Context:
    """What holds until the next heading or item of the same rank: what is done to files below, and their folder."""

    rank: int
    mode: Mode = ""
    folder: str = ""


def listed(documents: Iterable[Document], wanted: Wanted) -> Listing:
    """The files of all documents but for their sequences and tasks, which `steps` reads. No path twice."""
    found = Listing()
    for document in documents:
        if document.kind in ("intent", "research", "architecture"):
            _Reader(document, wanted, found).read(outline(document.text))
    return found


def merged(files: Iterable[NamedFile]) -> tuple[NamedFile, ...]:
    """Each path once, in the order of its first mention: what is said of it in several places is put together."""
    kept: dict[str, NamedFile] = {}
    for file in files:
        kept[file.path] = _together(kept[file.path], file) if file.path in kept else file
    return tuple(kept.values())


def _together(one: NamedFile, other: NamedFile) -> NamedFile:
    if one.mentioned != other.mentioned:
        strong, weak = (other, one) if one.mentioned else (one, other)
        return msgspec.structs.replace(strong, purpose=strong.purpose or weak.purpose)
    rank = "?MDA"
    return msgspec.structs.replace(
        one,
        status=max(one.status, other.status, key=rank.index),
        purpose=one.purpose or other.purpose,
        task=one.task or other.task,
        requirements=tuple(dict.fromkeys((*one.requirements, *other.requirements))),
        needs=one.needs if other.needs is None else tuple(dict.fromkeys((*(one.needs or ()), *other.needs))),
    )


class _Reader:
    """Reads one document from top to bottom, remembering under which headings and items it is."""

    def __init__(self, document: Document, wanted: Wanted, found: Listing) -> None:
        self.document = document
        self.wanted = wanted
        self.found = found
        self.contexts: list[_Context] = []
        self.columns: tuple[int | None, int | None] = (None, None)

    def read(self, entries: Sequence[Entry]) -> None:
        for at, entry in enumerate(entries):
            following = entries[at + 1] if at + 1 < len(entries) else None
            match entry:
                case Heading():
                    self._heading(entry)
                case Item():
                    self._item(entry, following)
                case Words():
                    self._words(entry)
                case Cells():
                    self._row(entry)
                case Code():
                    self._code(entry)

    # ---- where we are

    @property
    def mode(self) -> Mode:
        return next((context.mode for context in reversed(self.contexts) if context.mode), "")

    @property
    def folder(self) -> str:
        return next((context.folder for context in reversed(self.contexts) if context.folder), "")

    def _enter(self, context: _Context) -> None:
        self._leave(context.rank)
        self.contexts.append(context)

    def _leave(self, rank: int) -> None:
        while self.contexts and self.contexts[-1].rank >= rank:
            self.contexts.pop()

    @property
    def lists_files(self) -> bool:
        return self.mode in ("A", "M", "D", "?")

    # ---- one entry each

    def _heading(self, entry: Heading) -> None:
        names = [name for name in named_in(entry.text, expected=True) if name.paths]
        said = section_words.mode_of(entry.text) if not names or names[0].start > 3 else ""
        if entry.level == 1 and said in ("sequence", "?", "context"):
            said = ""
        if self.document.kind == "research" and said == "?":
            said = "context"
        self._enter(_Context(entry.level, said, _folder_of(names, self.folder)))
        files = [name for name in names if not name.paths[0].endswith("/")]
        if files and (self.lists_files or self.document.kind == "architecture"):
            self._take(entry.text, entry.line, files)

    def _item(self, entry: Item, following: Entry | None) -> None:
        self._leave(10 + entry.depth)
        if self.mode == "sequence":
            return
        nested = isinstance(following, (Item, Words, Code)) and following.depth > entry.depth - isinstance(
            following, (Words, Code)
        )
        label = section_words.mode_of(entry.text) if nested or entry.text.rstrip("* ").endswith(":") else ""
        names = named_in(entry.text, expected=self.lists_files or bool(label))
        if label and not names:
            self._enter(_Context(10 + entry.depth, label))
        elif nested and (folder := _folder_of(names, self.folder)) and self.lists_files:
            self._enter(_Context(10 + entry.depth, "", folder))
        else:
            self._text(entry.text, entry.line, item=not nested)

    def _words(self, entry: Words) -> None:
        if not entry.depth:
            self._leave(10)
        if self.mode == "sequence" and not _pseudo_heading(entry.text):
            return
        if _pseudo_heading(entry.text) and not named_in(entry.text):
            self._enter(_Context(7 if not entry.depth else 10 + entry.depth, section_words.mode_of(entry.text)))
            return
        if self.mode == "sequence":
            return
        for offset, text in enumerate(entry.text.split("\n")):
            if _pseudo_heading(text) and (said := section_words.mode_of(text)) and not named_in(text):
                self._enter(_Context(7, said))
            else:
                self._text(text, entry.line + offset, item=False)

    def _row(self, entry: Cells) -> None:
        if self.mode == "sequence":
            return
        if entry.first:
            self.columns = self._columns(entry)
        at, status_at = self.columns
        if at is None or (not self.lists_files and status_at is None and not self._file_table(entry)):
            self._mentions(" | ".join(entry.cells), entry.line)
            return
        cell = entry.cells[at] if at < len(entry.cells) else ""
        needs_at = section_words.column("needs", entry.header)
        needs = self._needs(entry.cells[needs_at]) if needs_at is not None and needs_at < len(entry.cells) else None
        own = (at, status_at, needs_at if needs is not None else None)
        others = [text for n, text in enumerate(entry.cells) if n not in own and text.strip()]
        said = (
            section_words.status_cell(entry.cells[status_at])
            if status_at is not None and status_at < len(entry.cells)
            else "?"
        )
        names = named_in(cell, expected=True)
        if names:
            self._take(cell, entry.line, names, said=said, purpose=" - ".join(others), needs=needs)
        elif not section_words.nothing(cell) and len(entry.cells) > 1:
            self._unread(cell, entry.line)

    def _needs(self, cell: str) -> tuple[str, ...] | None:
        """The paths in a cell of what a file builds on; none where it says so; None where it cannot be told."""
        paths = tuple(dict.fromkeys(path for name in named_in(cell, expected=True) for path in name.paths))
        return paths if paths or section_words.nothing(cell) or cell.strip(" -–—*_`") == "" else None

    def _columns(self, entry: Cells) -> tuple[int | None, int | None]:
        named = [n for n, cell in enumerate(entry.cells) if any(name.paths for name in named_in(cell, expected=True))]
        by_header = section_words.column("path", entry.header)
        at = by_header if by_header is not None and (by_header in named or not named) else next(iter(named), None)
        status = section_words.column("status", entry.header)
        return at, status if status != at else None

    def _file_table(self, entry: Cells) -> bool:
        return (
            self.document.kind == "architecture"
            and section_words.column("path", entry.header) is not None
            and self.mode != "context"
        )

    def _code(self, entry: Code) -> None:
        if self.mode in ("sequence", "context"):
            return
        for leaf in file_trees.leaves(entry.text, listing=self.lists_files):
            line = entry.line + leaf.line
            if not self.wanted(self.document, line) or (self.document.kind == "research" and not self.lists_files):
                continue
            path = leaf.path if leaf.whole else self.folder + leaf.path
            explicit = leaf.status if leaf.status != "?" else self._status
            self._keep(path, explicit, leaf.purpose, line, mentioned=explicit == "?", created=True)

    # ---- what a text names

    def _text(self, text: str, line: int, *, item: bool) -> None:
        label = _LABEL.match(text) if self.document.kind != "research" else None
        said = _label_mode(text)
        if (
            not self.lists_files
            and not (said in ("A", "M", "D") or (said == "?" and label))
            and not (label and self.mode != "context")
        ):
            self._mentions(text, line)
            return
        names = named_in(text, expected=True)
        start = text.index(":") + 1 if said or (label and label.end() <= (names[0].start if names else 0)) else 0
        about = before_separator(text, [name for name in names if name.start >= start] or names)
        if not item and self.lists_files and not (about and (about[0].coded or about[0].start < 4 or start)):
            self._mentions(text, line)
        elif any(name.paths or name.problem for name in about):
            self._take(text, line, about, said=said if said in ("A", "M", "D") else "?")
        elif item and self.lists_files and not section_words.nothing(text):
            self._unread(text, line)

    def _take(
        self,
        text: str,
        line: int,
        names: list[Named],
        *,
        said: Status = "?",
        purpose: str = "",
        needs: tuple[str, ...] | None = None,
    ) -> None:
        """These paths are what the text is about."""
        if not self.wanted(self.document, line):
            return
        rest = purpose or purpose_of(text, names)
        for at, name in enumerate(names):
            here = line + text.count("\n", 0, name.start)
            if name.problem:
                self.found.unresolved.append(
                    f"{self.document.path}:{here}: {shown(name.raw)!r} is not taken: {name.problem}."
                )
                continue
            marked = section_words.status_beside(text[names[at - 1].end if at else 0 : name.start], text[name.end :])
            status = (
                said
                if said != "?"
                else marked
                if marked != "?" and self._may_mark(marked, text, name)
                else self._status
            )
            if at + 1 < len(names) and ARROW.fullmatch(text[name.end : names[at + 1].start]) and names[at + 1].paths:
                status = "D"
            elif at and ARROW.fullmatch(text[names[at - 1].end : name.start]) and names[at - 1].paths:
                status = "A"
            for path in name.paths:
                whole = "/" in path.rstrip("/") or not self.folder
                self._keep(path if whole else self.folder + path, status, rest, here, text=text, needs=needs)

    def _may_mark(self, marked: Status, text: str, name: Named) -> bool:
        """A mark beside the path outranks the section; a verb before it only where the section says nothing."""
        before = text[: name.start].split()
        return self._status == "?" or len(before) <= 3 or section_words.status_beside("", text[name.end :]) == marked

    @property
    def _status(self) -> Status:
        return self.mode if self.mode in ("A", "M", "D") else "?"

    def _mentions(self, text: str, line: int) -> None:
        """Paths named in passing: in an intent the words before them may say that something is to be done to them."""
        for name in named_in(text):
            here = line + text.count("\n", 0, name.start)
            if not name.paths or not (name.coded or name.sure) or not self.wanted(self.document, here):
                continue
            head = re.split(r"[.;!?]\s", text[: name.start])[-1]
            after = text[name.end :].lstrip("`: ")
            is_new = not head.strip("-*`( ") and section_words.status_beside("", after) == "A"
            asked = _DO.search(head) or requirements_in(text) or is_new
            to_do = (
                self.document.kind == "intent"
                and self.mode != "context"
                and (_MUST.match(text[name.end :]) or (asked and not _NOT.search(head)))
            )
            status = "A" if is_new and to_do else section_words.status_beside(head, text[name.end :]) if to_do else "?"
            for path in name.paths:
                said = plain(head + text[name.start :].split(". ")[0])
                self._keep(path, status, said, here, text=text, mentioned=not to_do)

    def _keep(
        self,
        path: str,
        status: Status,
        purpose: str,
        line: int,
        *,
        text: str = "",
        mentioned: bool = False,
        created: bool = False,
        needs: tuple[str, ...] | None = None,
    ) -> None:
        if _OWN.search(path):
            return
        self.found.files.append(
            NamedFile(
                path=path,
                status="A" if created and mentioned else status,
                purpose=purpose if len(purpose) <= LONGEST_PURPOSE else purpose[: LONGEST_PURPOSE - 1] + "…",
                requirements=requirements_in(f"{text} {purpose}"),
                needs=needs,
                mentioned=mentioned,
                source=self.document.path,
                line=line,
            )
        )

    def _unread(self, text: str, line: int) -> None:
        if self.wanted(self.document, line):
            self.found.unresolved.append(f"{self.document.path}:{line}: no path could be read in {shown(text)!r}.")


def _folder_of(names: list[Named], around: str) -> str:
    """The folder that a heading or an item is about, below the folder around it when it does not begin at the root."""
    folders = [path for name in names for path in name.paths if path.endswith("/")]
    if not folders:
        return ""
    first = folders[0]
    return first if "/" in first.rstrip("/") or not around or first.startswith(around) else around + first


def _label_mode(text: str) -> Mode:
    """What a label at the start of a text says: `Create: a.ts, b.ts`."""
    label, colon, _ = text.partition(":")
    return section_words.mode_of(label) if colon and len(label) <= 60 and "`" not in label and "/" not in label else ""


def _pseudo_heading(text: str) -> bool:
    """`**Files to create:**` or `New files:` alone in a paragraph."""
    words = text.strip()
    return len(words) <= 80 and (
        re.fullmatch(r"(\*\*|__)[^*_`\n]+\1\s*:?(?:\s*\([^)]*\)\s*:?)?", words) is not None
        or re.fullmatch(r"[^`\n]{2,60}:\**", words) is not None
    )
