"""Which step of the documents' sequence a file belongs to, and which requirement it serves, by the words they share.

Only where the documents do not say so themselves. Words that stand in many steps count less (inverse document
frequency); a word of the file's own name counts more than one of its purpose.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from ropeteam.core.model import Requirement, Step
from ropeteam.core.survey import PlannedFile
from ropeteam.planners.static.kinds import singular, words

_SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "migration": ("schema", "database", "table", "model"),
    "migrations": ("schema", "database", "table", "model"),
    "i18n": ("text", "translation", "locale", "string", "label"),
    "locale": ("text", "translation", "string"),
    "lang": ("text", "translation", "locale", "string"),
    "api": ("endpoint", "client", "call", "route"),
    "route": ("endpoint", "api"),
    "controller": ("endpoint", "api", "http"),
    "view": ("template", "page", "ui", "frontend"),
    "component": ("ui", "frontend"),
    "page": ("ui", "frontend", "screen"),
    "livewire": ("component", "ui", "frontend"),
    "config": ("configuration", "setting"),
    "setting": ("configuration",),
    "test": ("testing",),
    "spec": ("test", "testing"),
    "job": ("worker", "background", "queue"),
    "mail": ("email", "notification"),
    "prisma": ("schema", "database"),
    "entity": ("model",),
    "composable": ("hook",),
    "readme": ("documentation", "docs"),
    "changelog": ("documentation", "docs"),
}
_HUB_WORDS: Final = ("wiring", "integration", "registration", "register", "wire", "mount", "glue")
_IDLE: Final = frozenset(
    """a an the and or of to in on for with by at as is are be it its this that then from into all each new add create
    update change file step phase first second implement implementation need nothing their them they when where which
    can has have no not one two src lib app main index init ts js py php""".split()  # noqa: SIM905
)
_ROLES: Final = frozenset(
    """controller route model migration service action mail mailer job component hook view page template request test
    schema middleware policy wiring""".split()  # noqa: SIM905
)
_WORTH: Final = {(True, True): 4.0, (True, False): 3.0, (False, True): 1.5, (False, False): 1.0}
"""Of a word that a step and a file share, by whether it is in the file's path and in its purpose."""

MOST_FOR_REQUIREMENT: Final = 2  # files that are equally like it
LEAST_FOR_REQUIREMENT: Final = 0.30  # of a requirement's words that the file's own must cover


def by_words(files: Sequence[PlannedFile], steps: Sequence[Step]) -> dict[str, Step]:
    """Path -> the step whose words fit best; files that fit none are left out."""
    heads = [_bag(_said(step.text).partition(":")[0]) for step in steps]
    bags = [_bag(_said(step.text)) for step in steps]
    weight = _weights(bags)
    roles = {short(word) for word in _ROLES}
    placed: dict[str, Step] = {}
    for file in files:
        name, about, kind = _of_file(file)
        scores = [
            sum(
                _WORTH[w in name, w in about]
                * (2.0 if w in head else 1.0)
                * (1.6 if w in name and w in roles else 1.0)
                * weight[w]
                for w in bag
                if w in name | about | kind
            )
            for head, bag in zip(heads, bags, strict=True)
        ]
        best = max(scores, default=0.0)
        if best > 0.0:
            placed[file.path] = steps[scores.index(best)]
    return placed


def _said(text: str) -> str:
    """What a step is about, without the paths it names, and without notes in brackets on what it needs."""
    text = re.sub(r"`[^`]*[./][^`]*`|\S+/\S+\.\w+", " ", text)
    return re.sub(r"\((?:[^()]*\b(?:needs?|after|depends?|requires?|parallel|independent)\b[^()]*)\)", " ", text)


def serving(files: Sequence[PlannedFile], requirements: Sequence[Requirement]) -> dict[str, list[str]]:
    """Requirement id -> paths of the files whose words cover most of it; ids that no file covers are left out."""
    of = {item.id: item for item in requirements}
    bags = {item.id: _bag(item.text) for item in requirements}
    weight = _weights(list(bags.values()))
    own = [(file.path, set().union(*_of_file(file))) for file in files]
    found: dict[str, list[str]] = {}
    for id, bag in bags.items():
        whole = sum(weight[w] for w in bag)
        if not whole:
            continue
        scores = {path: sum(weight[w] for w in bag & have) / whole for path, have in own}
        best = max(scores.values(), default=0.0)
        if best >= LEAST_FOR_REQUIREMENT:
            ties = [file for file in files if scores[file.path] >= best * 0.999]
            fitting = [file for file in ties if file.category == ("view" if of[id].category == "ui" else "service")]
            found[id] = [file.path for file in (fitting or ties)[:MOST_FOR_REQUIREMENT]]
    return found


def _weights(bags: Sequence[set[str]]) -> Counter[str]:
    seen = Counter(word for bag in bags for word in bag)
    weight: Counter[str] = Counter()
    for word, count in seen.items():
        weight[word] = math.log1p(len(bags) / count)  # type: ignore[assignment]
    return weight


def _of_file(file: PlannedFile) -> tuple[set[str], set[str], set[str]]:
    """Words of its path, of its purpose, and what files of its kind are usually called."""
    name = _bag(file.path.replace("/", " "))
    kind = {file.category}
    if file.hub:
        name.update(_HUB_WORDS)
    for word in [*name, file.category]:
        kind.update(_SYNONYMS.get(word, ()))
    return name, _bag(file.purpose), kind


def _bag(text: str) -> set[str]:
    return {short(word) for word in words(text) if len(word) > 1 and word not in _IDLE} - _IDLE


def short(word: str) -> str:
    """`configuration` and `config`, `searches` and `search` are the same here."""
    word = singular(word)
    for end in ("uration", "ations", "ation", "ing", "ed"):
        if word.endswith(end) and len(word) - len(end) >= 4:
            return word[: -len(end)]
    return word
