"""Feature folders of different shape with the repository each is for: `tests/golden/planning`, as real repositories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from repositories import commit_all, git, make_repo, write_files
from ropeteam import features
from ropeteam.core.model import Feature, Plan
from ropeteam.core.survey import Survey
from ropeteam.git import find
from ropeteam.planners.static import survey

GOLDEN = Path(__file__).parent / "golden/planning"
PLACES = {
    "laravel": (".workspace/features/returns", "returns"),
    "react": (".workspace/features/saved-searches", "saved-searches"),
    "python": (".workspace/features/import", "import"),
    "speckit": ("specs/003-photo-albums", "specs/003-photo-albums"),
    "markdown": ("wishes", "wishes/json-output.md"),
    "checkout": (".workspace/features/checkout", "checkout"),
}
"""Of each golden folder: where its documents lie in the repository, and what is given as FEATURE."""


@dataclass(frozen=True)
class World:
    """A repository with a feature's documents in it, all committed."""

    top: Path
    feature: Feature
    survey: Survey


def files_of_text(text: str) -> dict[str, str]:
    """`=== path` begins a file."""
    parts = re.split(r"^=== (\S+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def world(name: str, folder: Path) -> World:
    """The golden feature `name` in a new repository below `folder`, loaded and surveyed."""
    place, asked = PLACES[name]
    top = make_repo(folder / name, files_of_text((GOLDEN / name / "repository.txt").read_text()))
    write_files(top / place, {path.name: path.read_bytes() for path in sorted((GOLDEN / name / "feature").iterdir())})
    commit_all(top, "the feature's documents")
    feature = features.load(asked, top=top)
    return World(top, feature, survey(feature, find(top), git(top, "rev-parse", "HEAD")))


def shown(found: Survey) -> str:
    """A survey as text for people: files, then what each builds on, the strongest evidence first."""
    lines = []
    for file in found.files:
        marks = [file.category, "hub" * file.hub, f"step {file.step}" * bool(file.step), file.task, file.pattern]
        marks += [", ".join(file.requirements)]
        lines.append(f"{file.status} {file.path}  ({'; '.join(mark for mark in marks if mark)})")
        own = [d for d in found.dependencies if d.path == file.path and d.likelihood >= 0.1]
        lines += [f"    {d.likelihood:.2f} {d.kind} {d.on}" for d in sorted(own, key=lambda d: (-d.likelihood, d.on))]
    lines += ["", *(f"step {s.id} (at {s.number}): {', '.join(s.files) or '-'}" for s in found.steps)]
    lines += ["", f"named: {'yes' if found.named else 'no'}"]
    for title, those in (("unresolved", found.unresolved), ("uncovered", found.uncovered), ("notice", found.notices)):
        lines += [f"{title}: {one}" for one in those]
    return "\n".join(lines) + "\n"


def shown_plan(plan: Plan) -> str:
    """Units in their order: what each needs, owns and serves."""
    lines = []
    for unit in plan.units:
        mark = " (contract)" if unit.id == plan.contract else ""
        lines.append(f"{unit.batch}. {unit.id}{mark}  needs: {', '.join(unit.needs) or '-'}")
        lines += [f"    {pattern}" for pattern in unit.writes]
        lines += [f"    serves {', '.join(unit.requirements)}"] if unit.requirements else []
    return "\n".join(lines) + "\n"
