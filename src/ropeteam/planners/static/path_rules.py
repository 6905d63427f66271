"""Which of two files that are about the same thing builds on the other, by what their paths say they are.

Measured on the pairs of one stem in 1,280 real features: how often the one's new lines used something the other adds,
by what each is, and whether it was new. Rules with fewer than eight pairs are estimates and marked so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, cast

from ropeteam.core.survey import PlannedFile

Role = Literal[
    "test",
    "migration",
    "controller",
    "route",
    "request",
    "service",
    "model",
    "client",
    "hook",
    "job",
    "view",
    "config",
    "docs",
    "locale",
]

MOST_ALIKE: Final = 30  # files of one stem; more are a folder of parts of one thing

_ROLES: Final[tuple[tuple[Role, re.Pattern[str]], ...]] = (
    ("migration", re.compile(r"migrations?/|db/migrate")),
    ("controller", re.compile(r"controllers?[/.]|controller\.")),
    ("route", re.compile(r"(^|/)routes?[/.]|urls\.py|routes?\.\w+$|router")),
    ("request", re.compile(r"requests?/|resources/.*\.php|serializers?|forms?\.py|policies|dtos?/")),
    ("service", re.compile(r"services?[/.]|service\.|repositor|usecase|actions?/")),
    ("model", re.compile(r"(^|/)(models?|entit(y|ies))[/.]|\.prisma$|schema")),
    ("job", re.compile(r"(^|/)(jobs?|workers?|mail|mailers?|console|commands|listeners|events|notifications)/")),
    ("hook", re.compile(r"(^|/)(hooks?|composables|stores?)/")),
)
_API: Final = re.compile(r"(^|/)(api|apis)/")
# (what builds, what it builds on): likelihood where both are new; only the builder; only what it builds on; neither.
_RULES: Final[Mapping[tuple[Role, Role], tuple[float, float, float, float]]] = {
    ("test", "service"): (0.80, 0.52, 0.30, 0.33),
    ("test", "view"): (0.74, 0.07, 0.06, 0.21),
    ("test", "model"): (0.61, 0.26, 0.30, 0.30),
    ("test", "controller"): (0.51, 0.14, 0.30, 0.12),
    ("test", "route"): (0.59, 0.33, 0.30, 0.28),
    ("test", "client"): (0.44, 0.20, 0.20, 0.22),
    ("test", "request"): (0.28, 0.25, 0.18, 0.06),
    ("test", "config"): (0.58, 0.30, 0.30, 0.20),
    ("controller", "request"): (0.88, 0.10, 0.50, 0.04),
    ("controller", "service"): (0.53, 0.20, 0.45, 0.17),
    ("controller", "model"): (0.12, 0.10, 0.20, 0.10),
    ("route", "controller"): (0.50, 0.20, 0.50, 0.20),  # few pairs
    ("route", "service"): (0.24, 0.10, 0.38, 0.07),
    ("route", "model"): (0.26, 0.12, 0.20, 0.20),
    ("service", "model"): (0.34, 0.25, 0.30, 0.11),
    ("service", "migration"): (0.25, 0.10, 0.20, 0.05),  # the last three: few pairs
    ("model", "migration"): (0.48, 0.20, 0.48, 0.10),  # the last three: few pairs
    ("request", "model"): (0.21, 0.10, 0.15, 0.14),
    ("view", "controller"): (0.54, 0.10, 0.30, 0.05),  # the last three: few pairs
    ("view", "hook"): (0.27, 0.10, 0.27, 0.09),
    ("hook", "client"): (0.50, 0.20, 0.30, 0.12),  # half of what was measured without telling one from the other
    ("view", "client"): (0.27, 0.10, 0.27, 0.09),
    ("view", "model"): (0.13, 0.10, 0.11, 0.08),
    ("view", "service"): (0.12, 0.05, 0.11, 0.04),
    ("client", "model"): (0.17, 0.17, 0.11, 0.08),
    ("client", "service"): (0.09, 0.05, 0.09, 0.00),
}


def role(file: PlannedFile) -> Role:
    """What a file is in the usual division of an application."""
    if file.category == "test":
        return "test"
    low = file.path.lower()
    if _API.search(low):
        return "client" if file.language in ("ts", "js") else "controller"
    return next((name for name, rule in _ROLES if rule.search(low)), cast(Role, file.category))


def likelihood(one: PlannedFile, on: PlannedFile) -> float:
    """That `one` builds on what is added to `on`, both being about the same thing; 0 where no rule says so."""
    rule = _RULES.get((role(one), role(on)))
    if rule is None or one.category == "docs" or on.status == "D" or "template" in (one.language, on.language):
        return 0.0
    if one.category == "test" and not _tests(one, on):
        return 0.0
    return rule[(one.status != "A") * 2 + (on.status != "A")]


def _tests(test: PlannedFile, on: PlannedFile) -> bool:
    """Whether a test of the same stem is of that file: not when its name says of what kind the tested file is, and that
    is another, nor when they are in different languages."""
    if _family(test) != _family(on):
        return False
    name = tested_name(test)
    said = next((kind for kind in _KINDS if re.search(rf"{kind}s?$", name)), "")
    return not said or said in on.path.lower() or name == on.path.rpartition("/")[2].partition(".")[0].lower()


def tested_name(test: PlannedFile) -> str:
    """What a test's own name says that it tests, in lower case."""
    name = test.path.rpartition("/")[2].partition(".")[0].lower()
    return re.sub(r"^test_|_?(?:tests?|spec)$", "", name)


def _family(file: PlannedFile) -> str:
    return "web" if file.language in ("ts", "js", "vue", "svelte") else file.language


_KINDS: Final = (
    "controller",
    "service",
    "model",
    "route",
    "page",
    "view",
    "repository",
    "migration",
    "api",
    "component",
)


def sentence(one: PlannedFile, on: PlannedFile) -> str:
    """The evidence in words."""
    return f"{one.path} ({role(one)}) and {on.path} ({role(on)}) are about the same thing."
