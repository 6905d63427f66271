"""What reading costs: one feature of six units and a contract, with the real claude and a model that is scripted.

    .venv/bin/python bench/reading.py [--ways WAY ...] [--read N] [--files N] [--json]

The repository is a real one (the package that reads feature folders here, 21 files, 155 kB). What is read is scripted,
because a scripted model has no mind of its own: who begins a conversation reads the twelve files that everybody needs
(104 kB) in four requests and then the file that its own work changes; who goes on from another's conversation reads
that file alone; who was given a context pack reads three of the twelve (--read) and that file. Everything else is
the real program's: tools, system prompt, reminders, what it sends again with each request. Counted is what the
loopback server received, against its simulation of the provider's cache (`ropeteam.testing.prompt_cache`: four
characters a token, a prefix can be read once the request that wrote it was answered).

full: input tokens that were not in the cache. Those that are written to it are counted at full price. As billed:
written 1.25 times, read from the cache 0.1 times the price of input. before: requests of a unit before the one whose
answer first asks for an edit, the median over the units. first: seconds of wall time from the begin of the run to the
first request, which says something on a quiet machine and with --files, so many files more than those that are read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

from claude_runs import NAME, ClaudeRun  # noqa: E402
from driving import Project, make_as  # noqa: E402

from pack import files as others  # noqa: E402
from ropeteam.testing.model_server import ModelServer, Shell, StructuredReport, Turn, WriteFile  # noqa: E402

Way = Literal["single", "single and map", "fork", "auto", "pack", "none"]
SHARE: dict[Way, str] = {
    "single": "none",
    "single and map": "auto",
    "fork": "fork",
    "auto": "auto",
    "pack": "pack",
    "none": "none",
}
"""`reading.share`; auto is the default, also for one agent, who has a map then."""

SOURCES = ROOT / "src" / "ropeteam" / "features"
COMMON = (
    "__init__ blocks file_trees intent item_words loading named_files sections selecting step_numbers steps workspace"
)
UNITS = {
    "outline": "outline",
    "paths": "path_words",
    "words": "section_words",
    "speckit": "speckit",
    "meaning": "understanding",
    "starting": "starting",
}
"""Units, each with the file that its work changes and nobody else reads."""
CONTRACT = "types"
FEATURE = "bench"
LINES = 120
"""Of a new file; a test with a third of it beside. A usual unit (`bench.plan`: 60 to 200 added lines)."""


@dataclass(frozen=True)
class Found:
    """Of one way, in tokens. full, cached, output: of all agents together."""

    way: str
    agents: int
    requests: int
    full: int
    cached: int
    output: int
    before: float
    first: float

    @property
    def billed(self) -> int:
        return round(1.25 * self.full + 0.1 * self.cached)


def code(name: str, lines: int) -> str:
    body = "".join(f"def {name}_{n}(value: int) -> int:\n    return value + {n}\n\n" for n in range(lines // 3))
    return f'"""Work of {name}."""\n\n{body}'


def files(more: int) -> dict[str, str]:
    found = dict(others(more))
    found |= {f"app/{path.name}": path.read_text() for path in sorted(SOURCES.glob("*.py"))}
    folder = f".workspace/features/{FEATURE}"
    requirements = "".join(f"| REQ-{n:03} | `{unit}` works | Core | Unit | ○ |\n" for n, unit in enumerate(UNITS, 1))
    found["CLAUDE.md"] = "# Rules\n\n" + "Plain functions, typed, a docstring each. Tests beside the code.\n" * 20
    found[f"{folder}/01-intent.md"] = (
        "# Six parts\n\n## Summary\n\n"
        + "Every part of the reader is made anew, with tests.\n" * 30
        + "\n## Requirements\n\n| ID | Requirement | Category | Test | Status |\n| --- | --- | --- | --- | --- |\n"
        + requirements
    )
    found[f"{folder}/01-research.md"] = "# Research\n\n" + "How such things are done in this project.\n" * 60
    found[f"{folder}/01-architecture.md"] = "# Architecture\n\n" + "One module a part, on shared types.\n" * 60
    return found


def plan() -> dict[str, Any]:
    units: list[dict[str, Any]] = [
        {"id": CONTRACT, "kind": "contract", "goal": "Declare the shared types.", "writes": ["app/new_types.py"]}
    ]
    for unit, path in UNITS.items():
        writes = [f"app/new_{unit}.py", f"tests/test_{unit}.py", f"app/{path}.py"]
        goal = f"The part {unit}, as the contract declares it, with its tests."
        units.append({"id": unit, "title": f"Part {unit}", "goal": goal, "needs": [CONTRACT], "writes": writes})
    return {"units": units, "contract": CONTRACT}


# ---- what the model does


def reads(names: Sequence[str], at_once: int = 3) -> list[Turn]:
    groups = [names[n : n + at_once] for n in range(0, len(names), at_once)]
    return [Turn(calls=tuple(Shell(command=f"cat app/{name}.py") for name in group)) for group in groups]


def writes(unit: str) -> list[Turn]:
    new = WriteFile(path=f"app/new_{unit}.py", content=code(unit, LINES))
    test = WriteFile(path=f"tests/test_{unit}.py", content=code(f"test_{unit}", LINES // 3))
    run = Shell(command=f"python3 -m py_compile app/new_{unit}.py && rm -rf app/__pycache__ && echo ok")
    return [Turn(calls=(new,)), Turn(calls=(test, run))]


def declares() -> list[Turn]:
    return [Turn(calls=(WriteFile(path="app/new_types.py", content=code("types", LINES // 2)),))]


def report(*paths: str) -> Turn:
    told = [{"path": path, "purpose": "as planned"} for path in paths]
    return Turn(calls=(StructuredReport(content={"files": told, "decisions": [], "deviations": []}),))


def script(c: ClaudeRun, way: Way, packed: int) -> None:
    everybody = COMMON.split()
    c.server.script(NAME)
    if way.startswith("single"):
        turns = [*reads(everybody), *declares()]
        for unit, path in UNITS.items():
            turns += [*reads([path]), *writes(unit)]
        c.server.script(NAME, [*turns, report("app/new_types.py")])
        return
    before = {"fork": [], "auto": [], "pack": reads(everybody[:packed]), "none": reads(everybody)}[way]
    for unit, path in UNITS.items():
        turns = [*before, *reads([path]), *writes(unit), report(f"app/new_{unit}.py")]
        c.server.script_for(NAME, f"This is the unit `{unit}` of the feature", turns)
    first = reads(everybody[:packed]) if way == "pack" else reads(everybody)
    turns = [*first, *declares(), report("app/new_types.py")]
    c.server.script_for(NAME, f"This is the contract `{CONTRACT}` of the feature", turns)


def measure(folder: Path, way: Way, more: int, packed: int) -> Found:
    with ModelServer() as server:
        project = make_as(Project, folder, files(more), sandbox=True, sets=("checks.commands=[]", "workers=4"))
        try:
            c = ClaudeRun(project, server, feature=FEATURE)
            script(c, way, packed)
            given = folder / "plan.json"
            given.write_text(json.dumps(plan()))
            sets = [part for one in (*c.sets, f"reading.share={SHARE[way]}") for part in ("--set", one)]
            mode = ("single",) if way.startswith("single") else ("parallel", "--plan", str(given))
            done = project.ropeteam(
                "run", FEATURE, "--agent", "claude", "--mode", *mode, "--yes", "--json", *sets, seconds=580
            )
            if done.code or not done.json["outcome"].startswith("delivered_") or done.json["triggers"]:
                raise SystemExit(f"{way}: {done}")
            begun = project.events("RunStarted")[0]["at"]
            first = next(one.at for one in server.requests(NAME) if one.main) - begun
            return found_in(way, server, len(project.events("AttemptStarted")), first)
        finally:
            project.ropeteam("clean", "--json")  # trees of many files are mounts
            project.close()


def found_in(way: Way, server: ModelServer, agents: int, first: float) -> Found:
    whole = server.reading(NAME)
    parts = {one.part for one in server.answered(NAME)}
    units = [server.reading(NAME, part) for part in parts if "the unit" in part] or [whole]
    before = statistics.median(one.before_edit or 0 for one in units)
    return Found(way, agents, whole.requests, whole.unread, whole.cached, whole.output, before, round(first, 2))


def main() -> int:
    options = argparse.ArgumentParser(description="What reading costs, by how it is shared.")
    options.add_argument("--ways", nargs="+", default=list(get_args(Way)), choices=get_args(Way))
    options.add_argument("--read", type=int, default=3, help="files of the twelve that who has a pack reads (3)")
    options.add_argument("--files", type=int, default=0)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    found = []
    for way in given.ways:
        with tempfile.TemporaryDirectory(prefix="ropeteam-reading-") as folder:
            found.append(measure(Path(folder).resolve(), way, given.files, given.read))
        if not given.json:
            print(f"{way}: {found[-1]}", file=sys.stderr, flush=True)
    if given.json:
        print(json.dumps([{**asdict(one), "billed": one.billed} for one in found], indent=1))
        return 0
    one_agent = next((one for one in found if one.way == "single"), found[0])
    print(
        "| way | agents | requests | full | times single | from the cache | as billed | times single | before | first |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for one in found:
        times, money = one.full / one_agent.full, one.billed / one_agent.billed
        print(
            f"| {one.way} | {one.agents} | {one.requests} | {one.full:,} | {times:.2f} | {one.cached:,} "
            f"| {one.billed:,} | {money:.2f} | {one.before:g} | {one.first:.1f} s |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
