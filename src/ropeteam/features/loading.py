"""From what the user typed to a `Feature`: every file read once, understood, refused where it cannot be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ropeteam.core.model import Document, Feature
from ropeteam.errors import BadInput
from ropeteam.features import intent as intents
from ropeteam.features import reading, workspace
from ropeteam.features.workspace import FEATURES, INTENT, RESEARCH

Kind = Literal["intent", "research", "architecture", "overview", "implementation", "tests", "log"]

LONG_CHARACTERS = 200_000  # about 50,000 tokens, which every attempt reads

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


def load(name: str, *, top: Path, stdin: str | None = None) -> Feature:
    """The feature that `name` means, in the repository whose top folder is `top`.

    name: a name under `.workspace/features`, a path to a feature folder or to a Markdown file, or `-` for the text
    in `stdin`. Raises BadInput (what, where, what to do) for everything that cannot be used.
    """
    if name.strip() == "-":
        return _from_text(stdin)
    if name.strip().lower().endswith(_MARKDOWN):
        return _from_file(name.strip(), top)
    found, folder = workspace.find(name, top)
    return _from_folder(found, folder, top)


def _from_text(text: str | None) -> Feature:
    if text is None or not text.strip():
        raise BadInput(
            "There is nothing on standard input.",
            where="standard input",
            hint="`-` reads the feature from standard input: `ropeteam run - < issue.md`.",
        )
    reading.checked(text, "standard input")
    return _feature("stdin", "stdin", "", (Document(kind="intent", path="stdin", text=text),), [])


def _from_file(text: str, top: Path) -> Feature:
    path = next((path for path in (Path.cwd() / text, top / text) if _is_file(path)), None)
    if path is None:
        raise BadInput(f"There is no file {workspace.shown(text)}.", where=text[:200], hint=workspace.listing(top, ""))
    root = (top / FEATURES).resolve()
    if path.name.lower() == INTENT and path.resolve().is_relative_to(root):
        found, folder = workspace.find(str(path.parent.resolve()), top)
        return _from_folder(found, folder, top)
    inside = workspace.inside(path, top)
    shown = path.resolve().relative_to(top.resolve()).as_posix() if inside else path.name
    content = _not_empty(reading.text_of(path, shown), shown)
    document = Document(kind="intent", path=shown, text=content)
    return _feature(workspace.named(path.stem), "file", "", (document,), [])


def _from_folder(name: str, folder: Path, top: Path) -> Feature:
    place = folder.relative_to(top.resolve()).as_posix()
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
            _filled_in(_not_empty(document.text, document.path), document.path)
    return _feature(name, "workspace", place, documents, notices)


def _documents(folder: Path, place: str, top: Path) -> tuple[tuple[Document, ...], list[str]]:
    """Every Markdown file of the folder, in the order of the phases, and what was left out."""
    documents, notices = [], []
    for path in sorted(_entries(folder, place), key=lambda entry: entry.name):
        shown = f"{place}/{path.name}"
        if path.name.startswith(".") or workspace.is_dir(path):
            continue
        if path.suffix.lower() not in _MARKDOWN:
            notices.append(f"{shown} is not Markdown and was not read.")
            continue
        if not workspace.inside(path, top):
            raise BadInput(
                f"{shown} leads out of the repository.", where=shown, hint="Put the file itself there, not a link."
            )
        kind = _KINDS.get(path.name.lower(), "log")
        documents.append(Document(kind=kind, path=shown, text=reading.text_of(path, shown)))
    documents.sort(key=_position)
    return tuple(documents), notices


def _entries(folder: Path, place: str) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}.", where=place) from error


def _position(document: Document) -> tuple[int, str]:
    name = document.path.rpartition("/")[2]
    return (_ORDER.index(name.lower()) if name.lower() in _ORDER else len(_ORDER), name)


def _not_empty(text: str, shown: str) -> str:
    if not text.removeprefix("\ufeff").strip():
        raise BadInput(f"{shown} is empty.", where=shown, hint="Write down what is wanted, in your own words.")
    return text


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


def _feature(
    name: str,
    source: Literal["workspace", "file", "stdin"],
    folder: str,
    documents: tuple[Document, ...],
    notices: list[str],
) -> Feature:
    intent = next(document for document in documents if document.kind == "intent")
    said = intents.read(intent.text, intent.path)
    for document in documents:
        if len(document.text) > LONG_CHARACTERS:
            notices.append(
                f"{document.path} has {len(document.text):,} characters; every attempt reads what is in its prompt."
            )
    return Feature(
        name=name,
        source=source,
        folder=folder,
        title=said.title or name,
        task_type=said.task_type,
        summary=said.summary,
        documents=documents,
        requirements=said.requirements,
        notices=(*notices, *said.notices),
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
