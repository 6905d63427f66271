"""From a path as a document has it to one in the repository: as it is, or the one that must be meant, and said so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ropeteam.core.model import NamedFile
from ropeteam.core.patterns import exact
from ropeteam.planners.static.base import Base

MOST_OF_A_PATTERN: Final = 60  # files that one pattern may stand for
MOST_OF_A_FOLDER: Final = 60  # files that a folder may hold to be taken as a whole
_CODE_ENDINGS: Final = re.compile(r"\.(?:py|[cm]?[jt]sx?|vue|svelte|php|go|rs|java|kt|rb|cs|html|css|scss|json|sql)$")


@dataclass(frozen=True)
class Found:
    """path: in the repository. pattern: gitignore-style, where the path is not one file. there: at the base commit.
    note: a sentence on how it came from what is written; empty when it is as it is written. doubt: it may be wrong, so
    that it belongs among what could not be resolved."""

    path: str
    there: bool
    pattern: str = ""
    note: str = ""
    doubt: bool = False


@dataclass
class Finder:
    """Resolves paths against the base commit, remembering the folder that authors leave out in front of them."""

    base: Base
    prefixes: list[str] = field(default_factory=list)

    def learn(self, files: Iterable[NamedFile]) -> None:
        """Where files that are there are named without their first folders, others of the document will be too."""
        for file in files:
            if "/" in file.path and file.path not in self.base.names and "*" not in file.path:
                alike = self._by_suffix(file.path.rstrip("/"))
                if len(alike) == 1:
                    prefix = alike[0][: -len(file.path)]
                    if prefix and prefix not in self.prefixes:
                        self.prefixes.append(prefix)

    def find(self, file: NamedFile) -> list[Found]:
        """What a named path stands for; an empty list when it stands for nothing that could be found or made."""
        if "*" in file.path or "?" in file.path:
            return self._pattern(file)
        if file.path.endswith("/"):
            return self._folder(file)
        return [self._file(file)]

    # ---- one file

    def _file(self, file: NamedFile) -> Found:
        path = file.path
        if path in self.base.names:
            return Found(path, True)
        if path in self.base.folders:
            return self._folder_instead(path)
        if (same := self.base.by_lower.get(path.lower(), [])) and len(same) == 1:
            return Found(same[0], True, note=f"{path} is {same[0]} in the repository (upper and lower case differ).")
        if file.status != "A" or "/" not in path:
            alike = self._by_suffix(path)
            if len(alike) == 1 and not (file.status == "A" and self._fits_root(path)):
                return Found(alike[0], True, note=f"{path} is taken as {alike[0]}, the only file whose path ends so.")
            if len(alike) > 1 and file.status != "A" and not self._fits_root(path):
                some = ", ".join(alike[:3]) + (" ..." if len(alike) > 3 else "")
                return Found(path, False, note=f"{path} could be any of {len(alike)} files ({some}).", doubt=True)
        if not _CODE_ENDINGS.search(path) and (known := self._with_ending(path)):
            return known
        return self._new(file)

    def _by_suffix(self, path: str) -> list[str]:
        low = path.lower()
        those = self.base.by_name.get(low.rpartition("/")[2], [])
        exact = [found for found in those if found.endswith("/" + path)]
        return exact or [found for found in those if found.lower().endswith("/" + low)]

    def _fits_root(self, path: str) -> bool:
        """Whether a name without a folder is at home in the root: others of its kind are there."""
        if "/" in path:
            return False
        ending = path.rpartition(".")[2]
        code = _CODE_ENDINGS.search(path) is not None and ending != "json"
        return not code or any(other.endswith("." + ending) for other in self.base.inside.get("", []))

    def _with_ending(self, path: str) -> Found | None:
        """`app/Models/Order` where files there end in `.php`."""
        folder, _, name = path.rpartition("/")
        if "." in name.lstrip(".") or not folder:
            return None
        beside = self.base.inside.get(folder, [])
        there = [other for other in beside if other.startswith(f"{path}.")]
        if len(there) == 1:
            return Found(there[0], True, note=f"{path} is taken as {there[0]}.")
        endings = {other.rpartition(".")[2] for other in beside if _CODE_ENDINGS.search(other)}
        if len(endings) == 1 and name[:1].isupper() and not there:
            made = f"{path}.{endings.pop()}"
            return Found(made, False, note=f"{path} is taken as {made}, as the files beside it end.")
        return None

    def _new(self, file: NamedFile) -> Found:
        """A file that is not there: where it will be."""
        path = file.path
        if "/" not in path:
            return self._new_without_folder(path)
        folder, _, name = path.rpartition("/")
        placed = self._placed(folder)
        note = f"{path} is taken as {placed}/{name}: that is where such files are." if placed != folder else ""
        return Found(f"{placed}/{name}" if placed else name, f"{placed}/{name}" in self.base.names, note=note)

    def _new_without_folder(self, path: str) -> Found:
        if self._fits_root(path):
            return Found(path, False)
        like = _like(path)
        homes = (
            {other.rpartition("/")[0] for other in self.base.files if like and other.rpartition("/")[2].endswith(like)}
            if like
            else set()
        )
        homes.discard("")
        if len(homes) == 1:
            made = f"{homes.pop()}/{path}"
            return Found(
                made, False, note=f"{path} has no folder; it is taken as {made}, where files named like it are."
            )
        return Found(path, False, note=f"{path} has no folder, and where it belongs cannot be told.", doubt=True)

    def _placed(self, folder: str) -> str:
        """The folder that must be meant: its case as it is there, and the first folders that the author left out."""
        if folder in self.base.folders:
            return folder
        parts = folder.split("/")
        top = self.base.folders_by_lower.get(parts[0].lower(), [])
        if not top:
            return self._elsewhere(folder, parts)
        for count in range(len(parts), 0, -1):
            start = "/".join(parts[:count])
            same = [start] if start in self.base.folders else self.base.folders_by_lower.get(start.lower(), [])
            if len(same) == 1:
                return "/".join([same[0], *parts[count:]])
        return folder

    def _elsewhere(self, folder: str, parts: list[str]) -> str:
        """The first folder is not there: it may be the repository's own name, or something stands before it."""
        for prefix in self.prefixes:
            if prefix + parts[0] in self.base.folders:
                return prefix + folder
        if len(parts) > 1 and parts[1] in self.base.folders:
            return "/".join(parts[1:])
        for count in range(len(parts), 1, -1):
            start = "/".join(parts[:count])
            alike = [
                other
                for other in self.base.folders_by_name.get(parts[count - 1].lower(), [])
                if other.endswith("/" + start)
            ]
            if len(alike) == 1:
                return "/".join([alike[0], *parts[count:]])
        return folder

    # ---- folders and patterns

    def _folder_instead(self, path: str) -> Found:
        """A folder named where a file is meant: the file of that name in it that stands for it, else all of it."""
        for name in ("index.ts", "index.tsx", "index.js", "__init__.py", "mod.rs", "index.vue"):
            if f"{path}/{name}" in self.base.names:
                return Found(
                    f"{path}/{name}", True, note=f"{path} is a folder; {path}/{name} is taken, which stands for it."
                )
        return self._whole(path)

    def _folder(self, file: NamedFile) -> list[Found]:
        path = file.path.rstrip("/")
        if path in self.base.names:
            return [Found(path, True)]
        placed = self._placed(path) if path not in self.base.folders else path
        if placed in self.base.folders:
            return [self._whole(placed)]
        return [
            Found(
                placed + "/",
                False,
                pattern=exact(placed + "/"),
                note=f"{placed}/ is a new folder: which files it will hold is not said.",
            )
        ]

    def _whole(self, path: str) -> Found:
        start = path + "/"
        count = sum(1 for other in self.base.files if other.startswith(start))
        if count > MOST_OF_A_FOLDER or "/" not in path:
            return Found(
                start,
                True,
                pattern="",
                note=f"{start} is a folder of {count} files: which of them is not said.",
                doubt=True,
            )
        return Found(
            start, True, pattern=exact(path + "/"), note=f"{start} is a folder ({count} files): all of it is taken."
        )

    def _pattern(self, file: NamedFile) -> list[Found]:
        expression = _expression(file.path)
        those = (
            [path for path in self.base.files if expression.fullmatch(path)]
            if file.status != "A" or "**" in file.path
            else []
        )
        if 0 < len(those) <= MOST_OF_A_PATTERN:
            note = f"{file.path} stands for {len(those)} file{'s' * (len(those) != 1)} of the base commit."
            return [Found(path, True, note=note if n == 0 else "") for n, path in enumerate(those)]
        if those:
            return [
                Found(
                    file.path,
                    True,
                    note=f"{file.path} stands for {len(those)} files: too many to be named by it.",
                    doubt=True,
                )
            ]
        folder, _, name = file.path.rpartition("/")
        if file.status in ("M", "D") or "**" in name or re.fullmatch(r"\*+(?:\.\w+)?", name):
            return [Found(file.path, False, note=f"{file.path} stands for no file of the base commit.", doubt=True)]
        placed = self._placed(folder) if folder and "*" not in folder else folder
        path = f"{placed}/{name}" if placed else name
        return [Found(path, False, pattern=re.sub(r"\\([*?])", r"\1", exact(path)))]


def _like(name: str) -> str:
    """The ending that files of a kind share: `OrderService.php` -> `Service.php`, `a.test.ts` -> `.test.ts`."""
    stem, dot, ending = name.partition(".")
    role = re.search(r"[A-Z][a-z]+$", stem)
    if role and role.start() and dot:
        return f"{role[0]}.{ending}"
    snake = re.search(r"_[a-z]+$", stem)
    return f"{snake[0]}.{ending}" if snake and dot else f".{ending}" if "." in ending else ""


def _expression(pattern: str) -> re.Pattern[str]:
    """A glob as people write it: `**` goes through folders, `*` and `?` stay in one."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    words = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))
