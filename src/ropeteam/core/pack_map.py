"""The map of a repository as text, within a limit: nearest files with what they offer, then folders with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

from ropeteam.core import pack_paths, paths
from ropeteam.core.pack import Known, best, plain_path

FIRST: Final = 6  # signatures of a near file, before any file gets more
FIRST_FAR: Final = 3
NEAR: Final = 60  # of a file that has to do with the feature, at most
FAR: Final = 15
SHOWN_PATHS: Final = 4  # files that one imports, or is imported by
SHOWN_FAR: Final = 2  # the same of a file that has nothing to do with the feature
OTHERS_SHARE: Final = 0.15  # of the limit, for folders
SHOWN_ENDINGS: Final = 4
ROOT_FILES: Final = 30
MORE_FOLDERS: Final = 24  # characters of the line that counts those for which there is no room
LEAST: Final = 200  # characters below which a map says nothing


def map_text(files: Sequence[Known], every: Sequence[str], limit: int) -> str:
    """At most `limit` characters; empty where that is too little. files: the nearest first. every: all paths.

    Each file gets a few lines first, then the nearest ones more while there is room. It is written down in the order of
    the paths.
    """
    if limit < LEAST:
        return ""
    room = limit - round(limit * OTHERS_SHARE)
    blocks: dict[str, str] = {}
    for near, far in ((FIRST, FIRST_FAR), (NEAR, FAR)):
        for file in files:
            block = _block(file, near if file.near else far)
            cost = len(block) + 1 - (len(blocks[file.path]) + 1 if file.path in blocks else 0)
            if cost <= room:
                blocks[file.path] = block
                room -= cost
    parts = [blocks[path] for path in sorted(blocks)]
    used = sum(len(part) + 1 for part in parts)
    others = folders_text([path for path in every if path not in blocks], limit - used - 1)
    return "\n".join([*parts, *([f"\n{others}"] if others and parts else [others] if others else [])])


def _block(file: Known, most: int) -> str:
    facts = [f"{file.lines} lines"] if file.lines else []
    for word, those in (("uses", file.uses), ("used by", file.used_by)):
        if those:
            facts.append(f"{word} {_paths(those, file.path, SHOWN_PATHS if file.near else SHOWN_FAR)}")
    head = plain_path(file.path) + (f"  ({'; '.join(facts)})" if facts else "")
    shown = best(file.signatures, most)
    lines = [head, *("  " * (one.depth + 1) + one.text for one in shown)]
    if len(shown) < len(file.signatures):
        lines.append(f"  … {len(file.signatures) - len(shown)} more")
    return "\n".join(lines)


def _paths(those: Sequence[str], of: str, most: int) -> str:
    """`./` for what is in the same folder."""
    folder = of.rpartition("/")[0]
    short = [
        f"./{name}" if there == folder else path for path in those[:most] for there, _, name in [path.rpartition("/")]
    ]
    more = f" and {len(those) - most} more" if len(those) > most else ""
    return ", ".join(plain_path(path) for path in short) + more


# ---- the rest of the tree


class _Folder:
    """below: files in it, however deep, by ending; code: how many of them are the project's own code. own: right
    inside."""

    def __init__(self) -> None:
        self.below: Counter[str] = Counter()
        self.code = 0
        self.own: list[str] = []
        self.folders: dict[str, _Folder] = {}


def folders_text(those: Sequence[str], limit: int) -> str:
    """The other files, a line for each folder, as deep as there is room for: those with most code are taken apart
    first."""
    root = _Folder()
    for path in those:
        *folders, name = path.split("/")
        kind = paths.suffix(path) or "other"
        code = paths.is_code(path) and not pack_paths.is_made(path)
        at = root
        for folder in folders:
            at = at.folders.setdefault(folder, _Folder())
            at.below[kind] += 1
            at.code += code
        at.own.append(name)
    head = "Other files:"
    lines: dict[str, str] = {}
    if root.own:
        more = f" and {len(root.own) - ROOT_FILES} more" if len(root.own) > ROOT_FILES else ""
        lines[""] = ", ".join(plain_path(name, 80) for name in sorted(root.own)[:ROOT_FILES]) + more
    if sum(len(line) + 1 for line in lines.values()) + len(head) > limit:
        lines = {}
    room = limit - len(head) - sum(len(line) + 1 for line in lines.values())
    first = {f"{name}/": (name, folder) for name, folder in sorted(root.folders.items())}
    shown = {key: _line(key, folder) for key, (_, folder) in first.items()}
    kept, left = _fitting(shown, room)
    if left:
        kept, left = _fitting(shown, room - MORE_FOLDERS)
    room -= sum(len(line) + 1 for line in kept.values())
    lines |= kept
    if left:
        lines["\x7f"] = f"and {left} more folders"
        return _joined(head, lines, limit)
    _take_apart(lines, {key: folder for key, (_, folder) in first.items()}, room)
    return _joined(head, lines, limit) if lines else ""


def _fitting(lines: dict[str, str], room: int) -> tuple[dict[str, str], int]:
    """As many as there is room for, and how many are left over."""
    kept: dict[str, str] = {}
    for key, line in lines.items():
        if len(line) + 1 > room:
            continue
        kept[key] = line
        room -= len(line) + 1
    return kept, len(lines) - len(kept)


def _take_apart(lines: dict[str, str], folders: dict[str, _Folder], room: int) -> None:
    heap: list[tuple[int, int, str]] = []
    for key, folder in folders.items():
        heappush(heap, (-folder.code, -folder.below.total(), key))
    while heap:
        *_, key = heappop(heap)
        folder = folders[key]
        inner = {f"{key}{name}/": one for name, one in sorted(folder.folders.items())}
        if not inner:
            continue
        new = {one: _line(one, each) for one, each in inner.items()}
        if folder.own:
            new[key] = _line(key, folder, own=True)
        cost = sum(len(line) + 1 for line in new.values()) - len(lines[key]) - 1
        if cost > room:
            continue
        room -= cost
        del lines[key]
        lines |= new
        for one, each in inner.items():
            folders[one] = each
            heappush(heap, (-each.code, -each.below.total(), one))


def _line(key: str, folder: _Folder, *, own: bool = False) -> str:
    kinds = Counter(paths.suffix(name) or "other" for name in folder.own) if own else folder.below
    total = kinds.total()
    most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{count} {plain_path(kind, 12)}" for kind, count in most[:SHOWN_ENDINGS])
    return f"{plain_path(key, 200)} {told}" + (f", {total} in all" if len(most) > SHOWN_ENDINGS else "")


def _joined(head: str, lines: dict[str, str], limit: int) -> str:
    text = "\n".join([head, *(lines[key] for key in sorted(lines))])
    return text if len(text) <= limit else ""
