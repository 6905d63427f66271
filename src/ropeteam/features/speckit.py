"""A feature folder of spec-kit (`specs/001-search`): its documents, and what its specification says in its own way."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from ropeteam.core.model import Document, Requirement
from ropeteam.errors import BadInput
from ropeteam.features import reading, workspace
from ropeteam.features.blocks import Heading, blocks
from ropeteam.features.workspace import SPEC

Kind = Literal["intent", "research", "architecture", "tasks", "implementation", "tests", "context"]

MOST_FILES: Final = 200
CONSTITUTIONS: Final = (".specify/memory/constitution.md", "memory/constitution.md")
_KINDS: dict[str, Kind] = {
    SPEC: "intent",
    "research.md": "research",
    "plan.md": "architecture",
    "data-model.md": "context",
    "quickstart.md": "context",
    "tasks.md": "tasks",
    "02-implementation.md": "implementation",
    "02-tests.md": "tests",
}
_ORDER = list(_KINDS)
_TEXTS = (".md", ".markdown", ".txt", ".yaml", ".yml", ".json", ".graphql", ".gql", ".proto", ".sql", ".http", ".xml")
_TEXTS_OF_CONTRACTS = (*_TEXTS, ".ts", ".py", ".toml", ".wsdl", ".avsc", ".xsd")
_TEMPLATE = re.compile(
    r"\[(?:FEATURE|FEATURE NAME|Brief Title|Describe this user journey[^\]\n]{0,200}|specific capability[^\]\n]{0,200}"
    r"|initial state|boundary condition|Entity \d)\]"
)
_UNTITLED = re.compile(r"^# .*\[FEATURE(?: NAME)?\]", re.MULTILINE)
_UNWRITTEN = re.compile(r"\[(?:PROJECT_NAME|PRINCIPLE_\d+_NAME)\]")
_UNCLEAR = re.compile(r"\[NEEDS CLARIFICATION(?::\s*([^\]\n]*))?")
_STORY = re.compile(r"User Story (\d{1,3})\s*[-–—:]\s*(.+?)(?:\s*\(Priority:[^)]*\))?\W*", re.IGNORECASE)
_DESCRIBED = re.compile(r"^\*\*Input\*\*:\s*(?:User description:)?\s*[\"“](.+?)[\"”]\s*$", re.MULTILINE | re.DOTALL)


def documents(folder: Path, place: str, top: Path) -> tuple[tuple[Document, ...], list[str]]:
    """Every document of the folder, the specification first, and what is to be said of them. Raises BadInput for a
    specification that is not there or not written yet. place: the folder, relative to the repository."""
    found, notices = _read(folder, place, top)
    spec = next((one for one in found if one.kind == "intent"), None)
    if spec is None:
        raise BadInput(
            f"The spec-kit feature {folder.name!r} has no {SPEC}.",
            where=f"{place}/{SPEC}",
            hint="`/speckit.specify` writes it.",
        )
    _refuse_template(reading.not_empty(spec.text, spec.path), spec.path)
    for one in [one for one in found if one.kind in ("architecture", "tasks") and _UNTITLED.search(one.text[:4000])]:
        notices.append(f"{one.path} is still the template of spec-kit and was not read.")
        found.remove(one)
    for one in found:
        if one.kind in ("intent", "architecture", "tasks"):
            notices += _unclear(one)
    return (*found, *_constitution(top, notices)), notices


def _read(folder: Path, place: str, top: Path) -> tuple[list[Document], list[str]]:
    found: list[Document] = []
    notices: list[str] = []
    for path in _files(folder, place):
        inner = path.relative_to(folder).as_posix()
        shown = f"{place}/{inner}"
        texts = _TEXTS_OF_CONTRACTS if inner.startswith("contracts/") else _TEXTS
        if path.suffix.lower() not in texts:
            notices.append(f"{shown} is not text and was not read.")
            continue
        if len(found) == MOST_FILES:
            notices.append(f"{place} has more than {MOST_FILES} files; {shown} and what follows were not read.")
            break
        workspace.refuse_outside(path, shown, top)
        found.append(Document(kind=_KINDS.get(inner.lower(), "context"), path=shown, text=reading.text_of(path, shown)))
    return found, notices


def _files(folder: Path, place: str) -> list[Path]:
    """Files in the order in which spec-kit makes them; what is hidden is not there."""
    files = []
    for path in sorted(reading.entries(folder, place)):
        if path.name.startswith("."):
            continue
        if workspace.is_dir(path):
            for inner, below, names in os.walk(path):
                below[:] = sorted(name for name in below if not name.startswith("."))
                files += [Path(inner) / name for name in sorted(names) if not name.startswith(".")]
        else:
            files.append(path)
    files.sort(key=lambda path: _ORDER.index(path.name.lower()) if path.name.lower() in _ORDER else len(_ORDER))
    return files


def _refuse_template(text: str, shown: str) -> None:
    said = _without_comments(text)
    if found := _TEMPLATE.search(said):
        line = said.count("\n", 0, found.start()) + 1
        count = len(_TEMPLATE.findall(said))
        more = f" {count} places are as the template has them." if count > 1 else ""
        raise BadInput(
            f"{shown} is not filled in yet.",
            where=f"{shown}:{line}",
            hint=f"Put what is wanted in place of {found.group()}, line {line}; `/speckit.specify` does that.{more}",
        )


def _without_comments(text: str) -> str:
    """As many lines, without what stands in comments: there the template explains itself."""
    parts, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        parts += [text[at:begin], "\n" * text.count("\n", begin, end)]
        at = end + 3
    return "".join([*parts, text[at:]])


def _unclear(document: Document) -> list[str]:
    """Questions that were left open: agents decide them, which the user should know."""
    found = [
        (number, match)
        for number, line in enumerate(document.text.splitlines(), start=1)
        for match in _UNCLEAR.finditer(line)
    ]
    notices = [
        f"{document.path}, line {number}: not clarified: {_asked(match)} Agents decide it themselves."
        for number, match in found[:10]
    ]
    if len(found) > 10:
        notices.append(f"{document.path}: {len(found) - 10} more questions are not clarified.")
    return notices


def _asked(match: re.Match[str]) -> str:
    words = (match[1] or "").strip().rstrip(".") or "a question"
    return words if words.endswith("?") else f"{words}."


def _constitution(top: Path, notices: list[str]) -> tuple[Document, ...]:
    """The project's principles, where they are written: how this project does such things."""
    for shown in CONSTITUTIONS:
        path = top / shown
        if path.is_file() and workspace.inside(path, top):
            text = reading.text_of(path, shown)
            if _UNWRITTEN.search(text):
                notices.append(f"{shown} is still the template of spec-kit and was not read.")
                return ()
            return (Document(kind="research", path=shown, text=text),)
    return ()


def with_stories(requirements: Sequence[Requirement], spec: str) -> tuple[Requirement, ...]:
    """The requirements, and the user stories as `US1`, as tasks name them, in the order of the specification."""
    known = {item.id for item in requirements}
    stories = []
    for block in blocks(spec):
        if isinstance(block, Heading) and (match := _STORY.fullmatch(block.text)):
            story = Requirement(id=f"US{int(match[1])}", text=match[2].strip(), line=block.line)
            if story.id not in known:
                known.add(story.id)
                stories.append(story)
    return tuple(sorted((*requirements, *stories), key=lambda item: item.line))


def description(spec: str) -> str:
    """What the user asked for in his words; empty where the specification does not say."""
    found = _DESCRIBED.search(spec.replace("\r\n", "\n")[:4000])
    words = " ".join(found.group(1).split()) if found else ""
    return "" if "$ARGUMENTS" in words else words
