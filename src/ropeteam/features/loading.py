"""From what the user typed to a `Feature`: every file read once, understood, refused where it cannot be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ropeteam.core.model import Document, Feature
from ropeteam.errors import BadInput
from ropeteam.features import reading, speckit, workspace
from ropeteam.features.understanding import Wanted, understood
from ropeteam.features.workspace import FEATURES, INTENT, RESEARCH

Kind = Literal["intent", "research", "architecture", "overview", "implementation", "tests", "log"]

_KINDS: dict[str, Kind] = {
    INTENT: "intent",
    RESEARCH: "research",
    "01-architecture.md": "architecture",
    "00-overview.md": "overview",
    "02-implementation.md": "implementation",
    "02-tests.md": "tests",
}
_ORDER = list(_KINDS)
_PLACEHOLDER = re.compile(r"<<fill in: ([^<>\n]*)>>")
_MARKDOWN = (".md", ".markdown")


def load(
    name: str, *, top: Path, stdin: str | None = None, parts: tuple[str, ...] = (), all_parts: bool = False
) -> Feature:
    """The feature that `name` means, in the repository whose top folder is `top`.

    name: a name under `.workspace/features`, the name or number of a spec-kit folder, a path to a feature folder or to
    a Markdown file, or `-` for the text in `stdin`. parts: which parts, extensions or changes; without them and
    `all_parts` the first that is due, where there are any. Raises BadInput (what, where, what to do) for everything
    that cannot be used.
    """
    wanted = Wanted(parts, all_parts)
    if name.strip() == "-":
        return _from_text(stdin, wanted)
    if name.strip().lower().endswith(_MARKDOWN):
        return _from_file(name.strip(), top, wanted)
    found, folder = workspace.find(name, top)
    return _from_folder(found, folder, top, wanted)


def _from_text(text: str | None, wanted: Wanted) -> Feature:
    if text is None or not text.strip():
        raise BadInput(
            "There is nothing on standard input.",
            where="standard input",
            hint="`-` reads the feature from standard input: `ropeteam run - < issue.md`.",
        )
    reading.checked(text, "standard input")
    return understood("stdin", "stdin", "", (Document(kind="intent", path="stdin", text=text),), [], wanted)


def _from_file(text: str, top: Path, wanted: Wanted) -> Feature:
    path = next((path for path in (Path.cwd() / text, top / text) if _is_file(path)), None)
    if path is None:
        raise BadInput(f"There is no file {workspace.shown(text)}.", where=text[:200], hint=workspace.listing(top, ""))
    root = (top / FEATURES).resolve()
    in_workspace = path.name.lower() == INTENT and path.resolve().is_relative_to(root)
    if in_workspace or (path.name == workspace.SPEC and workspace.is_spec_folder(path.parent, top)):
        found, folder = workspace.find(str(path.parent.resolve()), top)
        return _from_folder(found, folder, top, wanted)
    inside = workspace.inside(path, top)
    shown = path.resolve().relative_to(top.resolve()).as_posix() if inside else path.name
    content = reading.not_empty(reading.text_of(path, shown), shown)
    document = Document(kind="intent", path=shown, text=content)
    return understood(workspace.named(path.stem), "file", "", (document,), [], wanted)


def _from_folder(name: str, folder: Path, top: Path, wanted: Wanted) -> Feature:
    place = folder.relative_to(top.resolve()).as_posix()
    if workspace.is_spec_folder(folder, top):
        documents, notices = speckit.documents(folder, place, top)
        return understood(name, "speckit", place, documents, notices, wanted)
    documents, notices = _documents(folder, place, top)
    kinds = {document.kind for document in documents}
    for kind, file in (("intent", INTENT), ("research", RESEARCH)):
        if kind not in kinds:
            new = f"`ropeteam new {name}` writes one to fill in (what is there already stays as it is)."
            known = workspace.name_in_workspace(folder, top)
            hint = new if known else f"`ropeteam new NAME` writes a folder with one to fill in under {FEATURES}."
            raise BadInput(f"The feature {name!r} has no {file}.", where=f"{place}/{file}", hint=hint)
    for document in documents:
        if document.kind in ("intent", "research"):
            _filled_in(reading.not_empty(document.text, document.path), document.path)
    return understood(name, "workspace", place, documents, notices, wanted)


def _documents(folder: Path, place: str, top: Path) -> tuple[tuple[Document, ...], list[str]]:
    """Every Markdown file of the folder, in the order of the phases, and what was left out."""
    documents, notices = [], []
    for path in sorted(reading.entries(folder, place), key=lambda entry: entry.name):
        shown = f"{place}/{path.name}"
        if path.name.startswith(".") or workspace.is_dir(path):
            continue
        if path.suffix.lower() not in _MARKDOWN:
            notices.append(f"{shown} is not Markdown and was not read.")
            continue
        workspace.refuse_outside(path, shown, top)
        kind = _KINDS.get(path.name.lower(), "log")
        documents.append(Document(kind=kind, path=shown, text=reading.text_of(path, shown)))
    documents.sort(key=_position)
    return tuple(documents), notices


def _position(document: Document) -> tuple[int, str]:
    name = document.path.rpartition("/")[2]
    return (_ORDER.index(name.lower()) if name.lower() in _ORDER else len(_ORDER), name)


def _filled_in(text: str, shown: str) -> None:
    if found := _PLACEHOLDER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise BadInput(
            f"{shown} is not filled in yet.",
            where=f"{shown}:{line}",
            hint=f"Fill in {found.group(1).strip()}, line {line}. {_left(text)}",
        )


def _left(text: str) -> str:
    count = len(_PLACEHOLDER.findall(text))
    return f"{count} places are marked <<fill in: ...>>." if count > 1 else "It is the last place that is marked so."


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
