"""The layer of a unit, for `plan.grouping = "layers"`: as it is named, else as its paths say.

Layers in their order: config, models, services (with controllers, routes and APIs), views (with components and pages),
then tests and wiring. The words are the usual names of folders and files in projects of many stacks; what says nothing
counts as a service, which is in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ropeteam.core import paths
from ropeteam.core.model import Unit

LAYERS: Final = ("config", "models", "services", "views", "tests", "wiring")
_UNKNOWN: Final = LAYERS.index("services")
_WORDS: Final = (
    """config configs configuration setting settings schema schemas migration migrations migrate database databases db
    infrastructure infra contract contracts type types interface interfaces constants env environment bootstrap""",
    "model models entity entities domain orm repository repositories dao record records",
    """service services controller controllers api apis route routes router routers routing handler handlers endpoint
    endpoints middleware logic backend server job jobs worker workers resolver resolvers graphql http usecase usecases
    command commands""",
    """view views component components page pages template templates ui frontend layout layouts screen screens style
    styles css scss asset assets static public widget widgets client""",
    "test tests testing spec specs e2e __tests__ cypress",
    "wiring",
)
_RANK: Final = {word: rank for rank, words in enumerate(_WORDS) for word in words.split()}
_ENDINGS: Final = {
    **dict.fromkeys(("sql", "toml", "ini", "yaml", "yml", "env", "prisma"), 0),
    **dict.fromkeys(("html", "htm", "vue", "svelte", "jsx", "tsx", "css", "scss", "twig", "erb", "hbs", "jinja"), 3),
}


def rank_of(unit: Unit) -> int:
    """Place of the unit's layer in `LAYERS`. Of several the last: it cannot begin before what its later part needs.
    Tests go with the code they are written beside, and count only in a unit that has nothing else."""
    for word in _split(unit.layer):
        if word in _RANK:
            return _RANK[word]
    ranks = [rank for rank in map(_rank_of_path, unit.writes) if rank is not None]
    return max((r for r in ranks if r != _RANK["tests"]), default=max(ranks, default=_UNKNOWN))


def layer_of(unit: Unit) -> str:
    """The name of its layer."""
    return LAYERS[rank_of(unit)]


def _rank_of_path(pattern: str) -> int | None:
    """What a pattern's own names say; None when they say nothing. Folders count before the file's own name."""
    *folders, name = pattern.strip("/").split("/")
    if pattern.endswith("/") or "." not in name:
        folders, name = [*folders, name], ""
    if paths.is_test(pattern.rstrip("/") + ("/x" if not name else "")):
        return _RANK["tests"]
    named = _first(word for folder in reversed(folders) for word in (folder.lower(), *reversed(list(_split(folder)))))
    if named is None:
        named = _first(reversed(list(_split(name.rpartition(".")[0]))))
    return _ENDINGS.get(name.rpartition(".")[2].lower()) if named is None else named


def _first(words: Iterable[str]) -> int | None:
    return next((_RANK[word] for word in words if word in _RANK), None)


def _split(text: str) -> Iterator[str]:
    """The words of a name: `userController`, `user_controller`, `user-controller`."""
    for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text):
        yield part.lower()
