"""What is known of the work before anybody does it: which files, and what of them builds on what.

`ropeteam.planners` finds it out from the feature's documents and the base commit; the planner in the core makes units
of it. It is all the planner ever sees, so that what it plans can be planned again from the journal.
"""

from __future__ import annotations

from typing import Literal

from ropeteam.core.costs import Costs
from ropeteam.core.model import Step, Value

DependencyKind = Literal["declared", "import", "sequence", "sibling", "path", "test", "cochange"]


class PlannedFile(Value, frozen=True, kw_only=True):
    """A file that the feature creates (`A`), changes (`M`) or deletes (`D`).

    lines: added lines as they can be guessed before the work; None: nothing to guess from. size: lines it has at the
    base commit (0: new). language: its ending's usual name (`python`, `ts`), category: `config`, `model`, `service`,
    `view`, `test`, `docs` or `locale`. step: place in the documents' own sequence, 1-based, 0: not in it; task: the id
    that names it there. requirements: ids that name it. hub: many parts of a feature want a line in it (routes, an
    index, settings, texts of a language). hot: share of the last 500 commits that touched it; prior: commits that ever
    did among those that were looked at. source: document and line, or what else it was found by. pattern: of
    `.gitignore`, owns it, where `path` is not the name of one file: a folder (`/` at its end), or a name known only in
    part (`migrations/*_create_orders.php`); empty otherwise.
    """

    path: str
    status: Literal["A", "M", "D"] = "M"
    purpose: str = ""
    lines: int | None = None
    size: int = 0
    language: str = ""
    category: str = ""
    step: int = 0
    task: str = ""
    requirements: tuple[str, ...] = ()
    hub: bool = False
    hot: float = 0.0
    prior: int = 0
    source: str = ""
    pattern: str = ""


class Dependency(Value, frozen=True, kw_only=True):
    """The file `path` probably builds on what the feature adds to the file `on`.

    likelihood: that it does, 0 to 1, as such evidence was right on real features. evidence: a sentence for people.
    """

    path: str
    on: str
    kind: DependencyKind
    likelihood: float
    evidence: str = ""


class Survey(Value, frozen=True, kw_only=True):
    """files: no path twice. dependencies: of two files at most one for each kind. steps: the documents' own sequence.
    declared: files of which what they build on is stated in full, so that what is not stated is unlikely.
    named: the documents themselves name the files (else they were guessed, and an agent would know better).

    unresolved: what the documents name and could not be made a path of, a sentence each. uncovered: ids of requirements
    that nothing names a file for, where others have some. notices: for the user, a sentence each.
    """

    files: tuple[PlannedFile, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    steps: tuple[Step, ...] = ()
    declared: tuple[str, ...] = ()
    named: bool = False
    unresolved: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


# ---- why a plan is as it is


class Candidate(Value, frozen=True, kw_only=True):
    """A way of grouping the work that was tried. Seconds of wall time; speedup_quantile: its lower quantile."""

    name: str
    units: int
    width: int
    seconds_p50: float
    seconds_p90: float
    speedup_p50: float
    speedup_quantile: float
    chosen: bool = False
    why: str = ""


class UnitNote(Value, frozen=True, kw_only=True):
    """Why a unit is as it is, a sentence each."""

    unit: str
    reasons: tuple[str, ...] = ()


class EdgeNote(Value, frozen=True, kw_only=True):
    """What is known of a dependency between two units, and what the plan does about it.

    handled: `order`: the unit waits; `contract`: what it needs is declared before both begin; `risk`: they run side by
    side, and when it is real it has to be repaired; `against`: the plan has the other one wait, and the same then.
    """

    unit: str
    on: str
    likelihood: float
    handled: Literal["order", "contract", "risk", "against"]
    evidence: tuple[str, ...] = ()


class Explanation(Value, frozen=True, kw_only=True):
    """flips: what would have to change for the other decision, a sentence each. planner: who made the plan."""

    planner: Literal["static", "agent", "given"] = "static"
    candidates: tuple[Candidate, ...] = ()
    units: tuple[UnitNote, ...] = ()
    edges: tuple[EdgeNote, ...] = ()
    flips: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


# ---- all of it, as a run begins with it


class Outlook(Value, frozen=True, kw_only=True):
    """What a run was planned from, so that it can be planned again from the journal alone.

    paths: of the survey's surroundings that exist at the base commit, which a proposal may speak of. ask_agent: why an
    agent is to plan, a sentence; empty when none is. static_seconds: of one agent, as the static plan has it.
    """

    survey: Survey = Survey()
    costs: Costs = Costs()
    explanation: Explanation = Explanation()
    ask_agent: str = ""
