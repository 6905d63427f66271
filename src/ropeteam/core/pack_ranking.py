"""Which files the map shows: nearest to the feature first. Pure, and the same for the same arguments.

1. what the feature's documents name; 2. the files beside new ones, and what all these import; 3. what imports them;
4. tests of them; 5. hubs (routes, an index, settings), the nearest first; 6. all other code, by how near its folder is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from ropeteam.core import paths
from ropeteam.core.model import Feature
from ropeteam.core.survey import Survey

MOST_NAMED: Final = 60
MOST_BESIDE: Final = 3  # files beside one new file
MOST_HUBS: Final = 12
LEAST_SHOWN: Final = 20
MOST_SHOWN: Final = 1_500
SHORTEST_BLOCK: Final = 120  # characters of one file in the map: its path, its imports and a line or two


def how_many(room: int) -> int:
    """Files that could be shown in so many characters: more need not be read."""
    return min(MOST_SHOWN, max(LEAST_SHOWN, room // SHORTEST_BLOCK))


def named_by(
    feature: Feature, survey: Survey, code: Collection[str], every: Collection[str]
) -> tuple[list[str], list[str]]:
    """The files of the repository that the feature is about, and the new ones that it names. code: those that can be
    shown; every: all there are."""
    planned = [file.path for file in survey.files]
    mentioned = [file.path for file in feature.files if "*" not in file.path]
    each = list(dict.fromkeys((*planned, *mentioned)))
    there = [path for path in each if path in code][:MOST_NAMED]
    new = [path for path in each if path not in every and not path.endswith("/") and "*" not in path]
    return there, new[:MOST_NAMED]


def beside(new: str, inside: Mapping[str, Sequence[str]], sizes: Mapping[str, int]) -> list[str]:
    """Files that a new one will probably be like: of its ending, a test or none as it is, in its folder; the one of
    middle size first, then those next to it. inside: files right inside each folder."""
    folder, _, name = new.rpartition("/")
    ending = name.partition(".")[2]
    alike = [
        path
        for path in inside.get(folder, ())
        if ending and path.endswith("." + ending) and paths.is_test(path) == paths.is_test(new) and path != new
    ]
    alike = [path for path in alike if not _says_little(path)] or alike
    alike.sort(key=lambda path: (sizes.get(path, 0), path))
    middle = (len(alike) - 1) / 2
    order = sorted(range(len(alike)), key=lambda n: (abs(n - middle), n))
    return [alike[n] for n in order][:MOST_BESIDE]


def _says_little(path: str) -> bool:
    return path.rpartition("/")[2].partition(".")[0].lower() in ("__init__", "index", "mod", "conftest", "main")


def nearness(path: str, folders: Collection[str]) -> int:
    """Parts that its folder has in common with the nearest of these folders, less those that lead away from there."""
    own = path.split("/")[:-1]
    best = -len(own)
    for folder in folders:
        other = folder.split("/") if folder else []
        same = 0
        for mine, its in zip(own, other, strict=False):
            if mine != its:
                break
            same += 1
        best = max(best, 2 * same - len(own))
    return best


def ranked(
    code: Sequence[str],
    *,
    named: Sequence[str],
    neighbours: Sequence[str],
    uses: Iterable[str],
    used_by: Iterable[str],
    tests: Iterable[str],
    hubs: Iterable[str],
    most: int,
) -> tuple[list[str], int]:
    """So many of the files, nearest first, and how many of them have to do with the feature.

    code: every file that can be shown. neighbours: beside new files. uses, used_by: of the named ones.
    """
    known = set(code)
    folders = {path.rpartition("/")[0] for path in (*named, *neighbours)}
    cached: dict[str, int] = {}

    def near(path: str) -> int:
        folder = path.rpartition("/")[0]
        if folder not in cached:
            cached[folder] = nearness(path, folders)
        return cached[folder]

    def by_nearness(those: Iterable[str]) -> list[str]:
        return sorted(those, key=lambda path: (-near(path), paths.is_test(path), path.count("/"), path))

    tiers = (named, neighbours, by_nearness(uses), by_nearness(used_by), by_nearness(tests))
    order = dict.fromkeys(path for tier in tiers for path in tier if path in known)
    close = len(order)
    order |= dict.fromkeys([path for path in by_nearness(hubs) if path in known][:MOST_HUBS])
    if len(order) < most:
        order |= dict.fromkeys(by_nearness(path for path in code if path not in order))
    return list(order)[:most], min(close, most)
