"""Context packs: what is read of the repository once and given to agents, so that they need not look for it.

`Packs` makes them for one run: `map` of the base commit, the same for all attempts; `excerpts` for one attempt, of the
commit that its tree starts at. What is shown, and how much of it, is decided in `ropeteam.core.pack*`.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from ropeteam.core import pack_excerpts, pack_ranking
from ropeteam.core.briefing import Briefing
from ropeteam.core.model import Feature
from ropeteam.core.pack import Excerpt, Known, characters
from ropeteam.core.pack_map import map_text
from ropeteam.core.survey import Survey
from ropeteam.git.repository import HasGit
from ropeteam.packing.commits import Commit, Remembered
from ropeteam.packing.connections import among, imported_by, importers_of
from ropeteam.planners.static import kinds
from ropeteam.prompts import packs

MAP_SHARE = 0.5  # of `reading.pack_tokens`; what the map leaves of the whole is for excerpts
KEPT_COMMITS = 4
SMALLEST_HUB = 200  # bytes: an empty `__init__.py` joins nothing


class Packs:
    """Of one run. place: a repository that has all its commits. tokens: `reading.pack_tokens`. May be asked from
    several threads at once; each thing is made once."""

    def __init__(self, place: HasGit, base: str, feature: Feature, survey: Survey, tokens: int) -> None:
        self._place = place
        self._base = base
        self._feature = feature
        self._survey = survey
        self._limit = characters(tokens)
        self._lock = Lock()
        self._remembered: Remembered = {}
        self._commits: dict[str, Commit] = {}
        self._map: str | None = None

    def map(self) -> str:
        """The map as text; it depends on nothing but what this was made of. Empty where there is no room for one."""
        with self._lock:
            if self._map is None:
                self._map = self._drawn()
            return self._map

    def excerpts(self, told: Briefing, start: str) -> list[Excerpt]:
        """For an attempt that is told this and whose tree starts at the commit `start`."""
        drawn = self.map()
        with self._lock:
            commit = self._commit(start)
            wanted = pack_excerpts.wanted(
                told, commit.every, commit.sizes, commit.may_show, lambda own: _used(own, commit)
            )
            commit.load(want.path for want in wanted)
            contents = {
                want.path: pack_excerpts.Content(
                    text=commit.text(want.path),
                    signatures=commit.signatures(want.path),
                    language=kinds.language(want.path) or "text",
                )
                for want in wanted
            }
            room = self._limit - len(packs.repository_map(drawn)) - packs.excerpts_frame()
            return pack_excerpts.chosen(wanted, contents, room, lambda one: len(packs.excerpt(one)) + 2)

    def _commit(self, name: str) -> Commit:
        if name not in self._commits:
            while len(self._commits) >= KEPT_COMMITS:  # each holds what was read of it
                self._commits.pop(next(iter(self._commits)))
            self._commits[name] = Commit(self._place, name, self._remembered)
        return self._commits[name]

    def _drawn(self) -> str:
        limit = round(self._limit * MAP_SHARE) - packs.map_frame()
        if limit <= 0:
            return ""
        commit = self._commit(self._base)
        shown, close = self._ranked(commit, pack_ranking.how_many(limit))
        uses, used_by = among(shown, commit)
        files = [
            Known(
                path=path,
                lines=commit.lines(path),
                signatures=commit.signatures(path),
                uses=tuple(uses.get(path, ())),
                used_by=tuple(used_by.get(path, ())),
                near=at < close,
            )
            for at, path in enumerate(shown)
        ]
        return map_text(files, commit.every, limit)

    def _ranked(self, commit: Commit, most: int) -> tuple[list[str], int]:
        code = set(commit.code)
        named, new = pack_ranking.named_by(self._feature, self._survey, code, commit.blobs)
        inside = {folder: [p for p in those if p in code] for folder, those in commit.base.inside.items()}
        neighbours = [path for each in new for path in pack_ranking.beside(each, inside, commit.sizes)]
        return pack_ranking.ranked(
            commit.code,
            named=named,
            neighbours=neighbours,
            uses=imported_by([*named, *neighbours], commit),
            used_by=importers_of(named, commit),
            tests=_tests_of([*named, *new], commit.code),
            hubs=[path for path in commit.code if commit.sizes[path] >= SMALLEST_HUB and kinds.is_hub(path)],
            most=most,
        )


def _used(own: Sequence[str], commit: Commit) -> list[str]:
    """What an attempt's files import; what a file imports that joins everything (routes, an index) says little."""
    return imported_by([path for path in own if not kinds.is_hub(path)], commit)


def _tests_of(those: Sequence[str], code: Sequence[str]) -> list[str]:
    """Tests that are about the same things, by their names."""
    stems = {kinds.stem(path) for path in those} - {""}
    return [path for path in code if kinds.category(path) == "test" and kinds.stem(path) in stems] if stems else []
