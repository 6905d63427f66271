"""Whatever an agent answers: it never raises, and what is accepted is a plan like any other."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.core import graph
from ropeteam.core.model import Feature, Requirement
from ropeteam.core.plan_reading import clashes, parse
from ropeteam.core.proposal import Proposal, Refused, checked
from ropeteam.core.proposal_owners import Owners
from ropeteam.core.survey import Dependency, PlannedFile, Survey

PATHS = [
    "a.py",
    "app/a.py",
    "app/b.py",
    "app/c.ts",
    "tests/test_a.py",
    "app/a.test.ts",
    "lib/x",
    "app/[id].tsx",
    "README.md",
]
KNOWN = frozenset(PATHS[:4])
REQUIREMENTS = ("REQ-1", "REQ-2")
FEATURE = Feature(name="x", source="stdin", requirements=tuple(Requirement(id=id, text=id) for id in REQUIREMENTS))

paths = st.sampled_from(PATHS)
odd = st.sampled_from(
    ["app/", "app/*.py", "**/test_*.py", "./app/b.py", "../x", "/etc/passwd", "app\\c.ts", "", "!x", "**"]
)
ids = st.sampled_from(["a", "b", "c", "d", "A B", "rest", "a.lock", "e" * 70, "é"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | ids | paths,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def lists(of: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(of, max_size=4)


units = st.fixed_dictionaries(
    {"id": ids, "goal": st.sampled_from(["Do it.", "REQ-1", "REQ-2 and REQ-1", ""]), "writes": lists(paths | odd)},
    optional={
        "title": st.sampled_from(["A", "B"]),
        "needs": lists(ids | paths),
        "provides": lists(paths | st.sampled_from(["thing"])),
        "requirements": lists(st.sampled_from(["REQ-1", "req-2", "REQ-9"])),
        "kind": st.sampled_from(["contract", "unit", "tests"]),
    },
)
files = st.fixed_dictionaries(
    {"path": paths | odd},
    optional={"status": st.sampled_from("AMD?"), "lines": st.integers(-1, 50), "needs": lists(paths)},
)
bad = st.fixed_dictionaries(
    {"units": st.lists(units, min_size=1, max_size=5)},
    optional={"files": st.lists(files, max_size=4), "contract": ids, "confidence": anything},
)


@st.composite
def nearly_good(draw: st.DrawFn) -> dict[str, Any]:
    """What a planner could answer: names that are names, needs of units before it, but owners as it happens."""
    names = draw(st.lists(st.sampled_from(["a", "b", "C d", "e"]), min_size=1, max_size=4, unique=True))
    made: list[dict[str, Any]] = []
    for name in names:
        needs = draw(st.lists(st.sampled_from([one["id"] for one in made]), max_size=2)) if made else []
        writes = draw(st.lists(paths | st.sampled_from(["app/", "./app/b.py", "app\\c.ts"]), min_size=1, max_size=4))
        made.append({"id": name, "goal": f"Do {name}.", "needs": needs, "writes": writes})
    made[0]["requirements"] = list(REQUIREMENTS)
    named = draw(st.lists(st.fixed_dictionaries({"path": paths, "needs": lists(paths)}), max_size=4))
    return {"units": made, "files": named, **({"contract": names[0]} if draw(st.booleans()) else {})}


good = nearly_good() | bad
surveys = st.builds(
    lambda named, found, edges: Survey(
        named=named,
        files=tuple(PlannedFile(path=path, hub=hub) for path, hub in found.items()),
        dependencies=tuple(Dependency(path=a, on=b, kind=kind, likelihood=p) for a, b, kind, p in edges),
    ),
    st.booleans(),
    st.dictionaries(paths, st.booleans(), max_size=4),
    st.lists(st.tuples(paths, paths, st.sampled_from(["import", "declared"]), st.floats(0, 1)), max_size=4),
)


def damaged(document: dict[str, Any], path: list[int], value: Any) -> Any:
    """The document with one thing in it replaced by something else."""
    here: Any = document
    for step in path:
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        if not keys:
            break
        key = keys[step % len(keys)]
        if not isinstance(here[key], dict | list) or step % 3 == 0:
            here[key] = value
            break
        here = here[key]
    return document


def verify(result: Proposal | Refused, survey: Survey) -> None:
    if isinstance(result, Refused):
        assert result.faults
        assert all(fault.strip() for fault in result.faults)
        assert msgspec.json.encode(result), "it goes into the journal"
        return
    plan = result.plan
    built = msgspec.to_builtins(plan)
    assert parse(msgspec.json.encode(built), "it").units == plan.units
    assert graph.cycles(plan) == ()
    assert not list(clashes(plan))
    served = {id for unit in plan.units for id in unit.requirements}
    assert set(REQUIREMENTS) <= served
    owners = Owners(plan.units)
    if survey.named:
        assert all(owners.of(file.path) for file in survey.files)
        assert {file.path for file in survey.files} <= {file.path for file in result.survey.files}
    assert all(owners.of(file.path) for file in result.survey.files), "who does not own it does not do it"
    assert len({file.path for file in result.survey.files}) == len(result.survey.files)
    assert all(d.path != d.on for d in result.survey.dependencies if d not in survey.dependencies)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Proposal) == result


@given(st.text())
def test_any_text(text: str) -> None:
    result = checked(text, FEATURE, Survey(), KNOWN)
    assert isinstance(result, Refused)


@given(anything, st.booleans())
def test_any_json(value: Any, inside: bool) -> None:
    verify(checked(json.dumps({"units": value} if inside else value), FEATURE, Survey(), KNOWN), Survey())


@given(good, surveys)
def test_what_is_accepted_is_a_valid_plan(document: dict[str, Any], survey: Survey) -> None:
    verify(checked(json.dumps(document), FEATURE, survey, KNOWN), survey)


@settings(max_examples=50)
@given(good, surveys, st.lists(st.integers(0, 9), max_size=5), anything)
def test_damaged_documents(document: dict[str, Any], survey: Survey, path: list[int], value: Any) -> None:
    verify(checked(json.dumps(damaged(document, path, value)), FEATURE, survey, KNOWN), survey)


@settings(max_examples=50)
@given(good, surveys, st.integers(0, 400), st.text(max_size=20))
def test_cut_and_surrounded(document: dict[str, Any], survey: Survey, cut: int, around: str) -> None:
    text = json.dumps(document)
    verify(checked(f"{around}{text[:cut]}{around}", FEATURE, survey, KNOWN), survey)
    verify(checked(f"{around}\n{text}\n{around}", FEATURE, survey, KNOWN), survey)


@settings(max_examples=50)
@given(good, surveys)
def test_the_same_answer_gives_the_same_plan(document: dict[str, Any], survey: Survey) -> None:
    text = json.dumps(document)
    assert checked(text, FEATURE, survey, KNOWN) == checked(text, FEATURE, survey, sorted(KNOWN))
