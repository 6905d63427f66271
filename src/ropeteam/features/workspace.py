"""Where features live, and which words name one: the name rules and the search for a folder."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from ropeteam.errors import BadInput

FEATURES = ".workspace/features"
INTENT = "01-intent.md"
RESEARCH = "01-research.md"
SPEC = "spec.md"
SPEC_ROOTS = ("specs", ".specify/specs")
"""Where spec-kit keeps its features; which of them depends on its version."""
LONGEST_NAME = 200
SHOWN_NAMES = 12  # of the features that exist, how many a refusal lists

_NOT_ALLOWED = re.compile(r"[^a-z0-9/_-]")
_DRIVE = re.compile(r"[a-z]:")
_SPEC_NAME = re.compile(r"(\d{8}-\d{6}|\d{3,})-.")


def normalised(text: str) -> str:
    r"""Trimmed, lower case, `\` turned into `/`, without `/` at the end: the form in which names are compared."""
    name = text.strip().lower().replace("\\", "/")
    return name.rstrip("/") or name[:1]


def fault(name: str) -> str:
    """Why a normalised name cannot be used, as the end of a sentence; empty when it can."""
    if not name:
        return "it is empty"
    if len(name) > LONGEST_NAME:
        return f"it has {len(name)} characters, {LONGEST_NAME} are allowed"
    if ".." in name.split("/"):
        return "`..` is not allowed"
    if name.startswith(("/", "~")):
        return "an absolute name is not allowed"
    if _DRIVE.match(name):
        return "a drive letter is not allowed"
    if found := _NOT_ALLOWED.search(name):
        return f"{found.group()!r} is not allowed: only a-z, 0-9, '-', '_', and '/' for nesting"
    if "" in name.split("/"):
        return "there is nothing between two '/'"
    return ""


def checked(text: str, top: Path) -> str:
    """The normalised name, or a refusal with the reason and the features that exist."""
    name = normalised(text)
    if reason := fault(name):
        raise BadInput(f"{shown(text)} cannot name a feature: {reason}.", where="FEATURE", hint=listing(top, name))
    return name


def existing(top: Path) -> list[str]:
    """Names of the features of the repository at `top`, sorted: folders under `.workspace/features` with an intent."""
    root = top / FEATURES
    if not inside(root, top):
        return []
    names = []
    for folder, below, files in os.walk(root):
        below[:] = sorted(entry for entry in below if not entry.startswith("."))
        if Path(folder) != root and any(file.lower() == INTENT for file in files):
            names.append(Path(folder).relative_to(root).as_posix())
    return sorted(names)


def find(text: str, top: Path) -> tuple[str, Path]:
    """Name and resolved folder of the feature that `text` means: a name, or a path to a folder in the repository."""
    name = normalised(text)
    reason = fault(name)
    if not reason and (folder := _by_name(name, top)) is not None:
        return name, _kept_inside(folder, top, text)
    if not reason and (folder := _by_spec(name, top)) is not None:
        return named(folder.name), _kept_inside(folder, top, text)
    if ".." not in name.split("/") and (folder := _by_path(text.strip(), top)) is not None:
        folder = _kept_inside(folder, top, text)
        known = name_in_workspace(folder, top) or (folder / INTENT).exists() or is_spec_folder(folder, top)
        if reason or known:
            return name_in_workspace(folder, top) or named(folder.name), folder
    if reason:
        raise BadInput(f"{shown(text)} cannot name a feature: {reason}.", where="FEATURE", hint=listing(top, name))
    hint = f"{listing(top, name)} `ropeteam new {name}` writes a folder to fill in."
    raise BadInput(f"There is no feature {name!r}.", where=f"{FEATURES}/{name}", hint=hint)


def listing(top: Path, name: str) -> str:
    """A sentence that lists the features that exist, those like `name` first."""
    names = [*existing(top), *(folder.name for folder in spec_folders(top))]
    if not names:
        return f"There are no features under {FEATURES} yet."
    close = difflib.get_close_matches(name[:LONGEST_NAME], names, n=3, cutoff=0.5)
    meant = f"Did you mean {close[0]!r}? " if close and close[0] != name else ""
    ordered = close + [other for other in names if other not in close]
    more = f" and {len(ordered) - SHOWN_NAMES} more" if len(ordered) > SHOWN_NAMES else ""
    return f"{meant}Features that exist: {', '.join(ordered[:SHOWN_NAMES])}{more}."


def shown(text: str) -> str:
    """What the user typed, in quotes, with control characters made visible and a bound on its length."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _by_name(name: str, top: Path) -> Path | None:
    """The folder of that name, upper and lower case taken as the same where no folder is spelled exactly so."""
    folder = top / FEATURES
    for part in name.split("/"):
        if is_dir(folder / part):
            folder = folder / part
            continue
        alike = [entry for entry in _folders(folder) if entry.name.lower() == part]
        if not alike:
            return None
        if len(alike) > 1:
            names = " and ".join(entry.name for entry in alike)
            raise BadInput(f"{names} differ only in upper and lower case.", where=str(folder), hint="Rename one.")
        folder = alike[0]
    return folder


def is_spec_folder(folder: Path, top: Path) -> bool:
    """Whether it is a feature folder of spec-kit: it has a specification, or its place and name are those of one."""
    if (folder / INTENT).exists():
        return False
    roots = [(top / root).resolve() for root in SPEC_ROOTS]
    named_so = folder.resolve().parent in roots and _SPEC_NAME.match(folder.name) is not None
    return (folder / SPEC).exists() or named_so


def spec_folders(top: Path) -> list[Path]:
    """The feature folders of spec-kit in the repository at `top`, by name."""
    found = [folder for root in SPEC_ROOTS if inside(top / root, top) for folder in _folders(top / root)]
    return sorted((folder for folder in found if is_spec_folder(folder, top)), key=lambda folder: folder.name)


def _by_spec(name: str, top: Path) -> Path | None:
    """The folder of spec-kit that is named so, or numbered so (`001`)."""
    found = []
    for folder in spec_folders(top):
        if folder.name.lower() == name:
            return folder
        number = match[1] if (match := _SPEC_NAME.match(folder.name)) else ""
        if number == name or (name.isdigit() and number.isdigit() and int(number) == int(name)):
            found.append(folder)
    if len(found) > 1:
        names = ", ".join(folder.relative_to(top).as_posix() for folder in found)
        raise BadInput(f"{name!r} may mean {names}.", where="FEATURE", hint="Give the whole name, or the path.")
    return found[0] if found else None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if is_dir(entry))
    except OSError:
        return []


def _by_path(text: str, top: Path) -> Path | None:
    """`text` as a path: from the current folder, else from the top of the repository."""
    if not text:
        return None
    return next((path for path in (Path.cwd() / text, top / text) if is_dir(path)), None)


def _kept_inside(folder: Path, top: Path, text: str) -> Path:
    if not inside(folder, top):
        raise BadInput(
            f"The folder {shown(text)} leads out of the repository.",
            where=str(folder),
            hint="A feature folder lies inside the repository. From outside, a single Markdown file can be given.",
        )
    resolved = folder.resolve()
    if resolved == top.resolve() or ".git" in resolved.relative_to(top.resolve()).parts:
        raise BadInput(f"{shown(text)} is not a feature folder.", where=str(folder), hint=listing(top, ""))
    return resolved


def name_in_workspace(folder: Path, top: Path) -> str:
    """The name of a folder under `.workspace/features`; empty for any other one."""
    root = (top / FEATURES).resolve()
    if not folder.is_relative_to(root) or folder == root:
        return ""
    name = folder.relative_to(root).as_posix().lower()
    return "" if fault(name) else name


def named(words: str) -> str:
    """A name that keeps the rules, made from any words (a file's stem, a folder's own name)."""
    name = re.sub(r"[^a-z0-9_]+", "-", words.lower()).strip("-")[:LONGEST_NAME]
    return name or "feature"


def inside(path: Path, top: Path) -> bool:
    """Whether `path`, with every symbolic link followed, lies in the repository."""
    try:
        return path.resolve().is_relative_to(top.resolve())
    except (OSError, RuntimeError):  # a circle of links
        return False


def refuse_outside(path: Path, shown: str, top: Path) -> None:
    """Raise BadInput for a file that a link leads out of the repository to."""
    if not inside(path, top):
        raise BadInput(
            f"{shown} leads out of the repository.", where=shown, hint="Put the file itself there, not a link."
        )


def is_dir(path: Path) -> bool:
    """`Path.is_dir`, and False for what cannot be a path at all (too long, a NUL in it, not readable)."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
