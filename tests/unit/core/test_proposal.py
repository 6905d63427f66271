"""An agent's proposal of a plan: what is mended, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ropeteam.core.model import Feature, Plan, Requirement
from ropeteam.core.plan_reading import clashes
from ropeteam.core.proposal import Proposal, Refused, checked
from ropeteam.core.survey import Dependency, PlannedFile, Survey

KNOWN = frozenset(
    {"app/main.py", "app/routes.py", "app/loan.py", "app/[id]/page.tsx", "tests/test_loan.py", "setup.cfg"}
)
FEATURE = Feature(
    name="lending",
    source="workspace",
    requirements=(
        Requirement(id="REQ-001", text="A loan can be made."),
        Requirement(id="REQ-002", text="A loan is shown on a page."),
        Requirement(id="REQ-003", text="Old and done.", status="✓"),
    ),
)


NOTHING = Survey()


def unit(id: str, *writes: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "title": id, "goal": f"Do {id}.", "needs": [], "writes": list(writes), **more}


GOOD = {
    "units": [
        unit("models", "app/loan.py", "tests/test_loan.py", requirements=["REQ-001"], provides=["Loan.due"]),
        unit("pages", "app/page.py", "app/pages/*.html", needs=["models"], requirements=["REQ-002"]),
    ],
    "files": [
        {"path": "app/loan.py", "status": "M", "lines": 40},
        {"path": "tests/test_loan.py", "status": "M", "lines": 30},
        {"path": "app/page.py", "status": "A", "lines": 60, "purpose": "shows loans", "needs": ["app/loan.py"]},
    ],
}


def check(document: Any, survey: Survey = NOTHING, feature: Feature = FEATURE, **more: Any) -> Proposal | Refused:
    text = document if isinstance(document, str) else json.dumps(document)
    return checked(text, feature, survey, KNOWN, **more)


def accepted(document: Any, survey: Survey = NOTHING, feature: Feature = FEATURE, **more: Any) -> Proposal:
    result = check(document, survey, feature, **more)
    assert isinstance(result, Proposal), result.faults
    return result


def refused(document: Any, survey: Survey = NOTHING, feature: Feature = FEATURE) -> tuple[str, ...]:
    result = check(document, survey, feature)
    assert isinstance(result, Refused), result.plan
    return result.faults


def of(*units: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan of which the first unit serves everything."""
    first = {"requirements": ["REQ-001", "REQ-002"], **units[0]}
    return {"units": [first, *units[1:]], **more}


# ---- taken as it is


def test_a_good_plan_is_taken_with_what_the_agent_knows_of_files() -> None:
    found = accepted(GOOD)

    assert found.mended == ()
    assert [u.id for u in found.plan.units] == ["models", "pages"]
    assert found.plan.batches == (("models",), ("pages",))
    assert found.plan.unit("models").provides == ("Loan.due",)
    assert found.plan.estimate is None
    files = {file.path: file for file in found.survey.files}
    assert (files["app/page.py"].status, files["app/page.py"].lines, files["app/page.py"].purpose) == (
        "A",
        60,
        "shows loans",
    )
    assert files["app/loan.py"].status == "M"
    assert files["tests/test_loan.py"].category == "test"
    assert [(d.path, d.on, d.kind) for d in found.survey.dependencies] == [("app/page.py", "app/loan.py", "declared")]
    assert found.survey.named


def test_what_was_found_without_a_model_stays_and_gets_the_agents_lines() -> None:
    before = PlannedFile(path="app/loan.py", lines=7, category="model", hot=0.5, source="01-architecture.md:3")
    edge = Dependency(path="app/page.py", on="app/loan.py", kind="import", likelihood=0.9)

    found = accepted(GOOD, Survey(files=(before,), dependencies=(edge,), unresolved=("x",)))

    after = next(file for file in found.survey.files if file.path == "app/loan.py")
    assert (after.lines, after.category, after.hot, after.source) == (40, "model", 0.5, "01-architecture.md:3")
    assert [d.kind for d in found.survey.dependencies] == ["import", "declared"]
    assert found.survey.unresolved == ("x",)


def test_needs_of_units_become_dependencies_where_nothing_is_said_of_files() -> None:
    document = {**GOOD, "files": []}

    found = accepted(document)

    assert [(d.path, d.on) for d in found.survey.dependencies] == [("app/page.py", "app/loan.py")]
    assert "pages needs models" in found.survey.dependencies[0].evidence


def test_its_own_figures_are_shown_and_not_used() -> None:
    times = {"seconds_p50": 1.0}
    document = of(unit("a", "a.py", estimate=times), confidence={"value": 0.97}, estimate={"speedup_p50": 9.0})

    found = accepted(document)

    assert found.confidence == 0.97
    assert (found.plan.confidence, found.plan.estimate, found.plan.units[0].estimate) == (None, None, None)
    assert accepted({**document, "confidence": 90}).confidence == 0.9
    assert accepted({**document, "confidence": "very"}).confidence is None


# ---- finding it


@pytest.mark.parametrize(
    "text",
    [
        f"Here is my plan:\n\n```json\n{json.dumps(GOOD, indent=2)}\n```\nIt has {{two}} units.",
        f"I looked at {{x}} and {{'a': 1}}.\n{json.dumps(GOOD)}",
        json.dumps({"plan": GOOD, "decisions": []}),
        json.dumps(json.dumps(GOOD)),
        json.dumps(GOOD).replace("}]", "},]").replace('"]', '",\n]'),
        f"A first draft: {json.dumps(of(unit('x', 'x.py')))} and the whole: {json.dumps(GOOD)}",
        f"{json.dumps({'note': 'units'})}\n{json.dumps(GOOD)}",
        "\ufeff" + json.dumps(GOOD),
    ],
    ids=["fence", "braces in prose", "in `plan`", "as a text", "commas", "two plans", "other JSON", "BOM"],
)
def test_the_plan_is_found_in_what_stands_around_it(text: str) -> None:
    assert accepted(text).plan == accepted(GOOD).plan


def test_of_two_plans_of_the_same_size_the_last_counts() -> None:
    first, last = of(unit("a", "a.py")), of(unit("b", "b.py"))
    assert [u.id for u in accepted(f"{json.dumps(first)}\nNo, better:\n{json.dumps(last)}").plan.units] == ["b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The answer is empty"),
        ("I would split it into models and pages.", "no JSON object with `units`"),
        ('{"files": []}', "no JSON object with `units`"),
        (json.dumps(GOOD)[:-40], "ends in the middle"),
        (json.dumps(GOOD).replace('"id"', "id", 1), "cannot be read"),
        ('{"units": ' + "[" * 100_000, "nested too deeply"),
        ("x" * 4_000_001, "at most 4,000,000"),
    ],
    ids=["empty", "prose", "other", "cut", "bad", "deep", "long"],
)
def test_no_plan_at_all(text: str, words: str) -> None:
    (fault,) = refused(text)
    assert words in fault


@pytest.mark.parametrize("text", ["{" * 500_000, '{"a":[' * 900 + "1," * 300_000])
def test_a_search_in_vain_comes_to_an_end(text: str) -> None:
    assert len(refused(text)) == 1


# ---- mended


def test_ids_paths_and_lists_are_put_right() -> None:
    document = of(
        unit("01 Models", "./app/new.py", "`app/b.py`", "app\\c.py", "app//d.py", "/tree/x/app/e.py", "setup.cfg"),
        unit("pages", "page.html", needs="01 Models", writes="page.html"),
    )

    found = accepted(document, tree="/tree/x")

    assert found.plan.units[0].id == "01-models"
    assert found.plan.units[0].writes == ("app/new.py", "app/b.py", "app/c.py", "app/d.py", "app/e.py", "/setup.cfg")
    assert found.plan.units[1].needs == ("01-models",)
    assert found.plan.units[1].writes == ("/page.html",)
    assert any("is called `01-models`" in one for one in found.mended)


def test_a_file_with_brackets_in_its_name_is_that_file() -> None:
    found = accepted(of(unit("a", "app/[id]/page.tsx")))
    assert found.plan.units[0].writes == (r"app/\[id]/page.tsx",)
    assert found.survey.files[0].path == "app/[id]/page.tsx"
    assert found.survey.files[0].status == "M"


@pytest.mark.parametrize("need", ["app/loan.py", "Loan.due", "The Models", "models", "./app/loan.py"])
def test_needs_may_name_what_the_unit_has(need: str) -> None:
    document = of(
        unit("models", "app/loan.py", provides=["Loan.due"], title="The models"), unit("pages", "p.py", needs=[need])
    )
    assert accepted(document).plan.unit("pages").needs == ("models",)


def test_a_need_of_what_is_there_already_is_none() -> None:
    found = accepted(of(unit("pages", "p.py", needs=["app/main.py", "pages"])))
    assert found.plan.unit("pages").needs == ()
    assert "which is there already" in found.mended[0]


def test_batches_are_found_anew_and_unknown_requirements_left_out() -> None:
    document = of(
        unit("a", "a.py", batch=7, requirements=["req-001", "REQ-002", "REQ-999"]),
        unit("b", "b.py", batch=1, needs=["a", "a"]),
        batches=[["b"], ["a"], ["zzz"]],
    )
    found = accepted(document)
    assert found.plan.batches == (("a",), ("b",))
    assert found.plan.unit("a").requirements == ("REQ-001", "REQ-002")
    assert "REQ-999" in found.mended[0]


def test_a_file_that_the_documents_name_gets_an_owner() -> None:
    survey = Survey(
        named=True,
        files=(
            PlannedFile(path="app/models/fine.py"),
            PlannedFile(path="tests/test_fee.py"),
            PlannedFile(path="app/routes.py", hub=True),
            PlannedFile(path="lib/rate.py"),
        ),
        dependencies=(Dependency(path="app/views/page.py", on="lib/rate.py", kind="path", likelihood=0.4),),
    )
    document = of(
        unit("models", "app/models/fee.py", "app/models/loan.py"),
        unit("views", "app/views/page.py"),
        unit("wiring", "app/main.py", needs=["models", "views"]),
    )

    found = accepted(document, survey)

    assert "app/models/fine.py" in found.plan.unit("models").writes
    assert "tests/test_fee.py" in found.plan.unit("models").writes
    assert "app/routes.py" in found.plan.unit("wiring").writes
    assert "lib/rate.py" in found.plan.unit("views").writes
    assert len(found.mended) == 4
    assert accepted(document, Survey(files=survey.files)).mended == (), "what was only guessed is not forced on it"


def test_a_name_known_in_part_is_owned_by_who_owns_such_a_file() -> None:
    table = PlannedFile(path="migrations/*_loans.sql", pattern="migrations/*_loans.sql", lines=9)
    survey = Survey(named=True, files=(table,))

    named = accepted(of(unit("a", "app/a.py", "migrations/007_loans.sql"), unit("b", "lib/b.py")), survey)
    beside = accepted(of(unit("a", "app/a.py", "migrations/006_x.sql"), unit("b", "lib/b.py")), survey)

    assert named.mended == ()
    assert "migrations/007_loans.sql" in {file.path for file in named.survey.files}
    assert table not in named.survey.files, "one file is not two"
    assert beside.plan.unit("a").writes[-1] == "migrations/*_loans.sql"
    assert table in beside.survey.files


def test_what_was_only_guessed_and_is_not_planned_is_not_part_of_the_work() -> None:
    edge = Dependency(path="lib/guess.py", on="app/loan.py", kind="cochange", likelihood=0.3)
    survey = Survey(files=(PlannedFile(path="lib/guess.py"),), dependencies=(edge,))
    found = accepted(GOOD, survey)
    assert "lib/guess.py" not in {file.path for file in found.survey.files}
    assert edge not in found.survey.dependencies


def test_a_file_that_fits_nowhere_is_a_fault() -> None:
    survey = Survey(named=True, files=(PlannedFile(path="other/thing.py"),))
    faults = refused(of(unit("a", "app/a.py"), unit("b", "lib/b.py")), survey)
    assert faults == (
        "No unit owns `other/thing.py`, which belongs to the feature: put it into the `writes` of the unit that does"
        " it.",
    )


def test_tests_go_where_their_code_is_and_a_unit_of_tests_alone_is_dissolved() -> None:
    document = of(
        unit("models", "app/fee.py"),
        unit("views", "app/page.ts"),
        unit("tests", "tests/test_fee.py", "app/page.test.ts", needs=["models", "views"]),
        unit("wiring", "app/main.py", needs=["tests"]),
    )

    found = accepted(document)

    assert [u.id for u in found.plan.units] == ["models", "views", "wiring"]
    assert found.plan.unit("models").writes == ("app/fee.py", "tests/test_fee.py")
    assert found.plan.unit("views").writes == ("app/page.ts", "app/page.test.ts")
    assert "Do tests." in found.plan.unit("views").goal
    assert found.plan.unit("wiring").needs == ("models", "views")


def test_a_test_of_everything_stays_where_it_is() -> None:
    document = of(unit("a", "app/a.py"), unit("e2e", "tests/test_whole.py", needs=["a"]))
    assert [u.id for u in accepted(document).plan.units] == ["a", "e2e"]


def test_a_path_of_two_units_goes_to_the_one_it_fits() -> None:
    document = of(
        unit("models", "app/models/loan.py", "app/models/fee.py"),
        unit("views", "app/views/loan.py", "app/models/fee.py"),
    )
    found = accepted(document)
    assert found.plan.unit("views").writes == ("app/views/loan.py",)
    assert "`app/models/fee.py` had several owners and is `models`'s alone" in found.mended[0]


def test_a_path_that_many_want_has_one_owner_and_the_others_ask() -> None:
    units = [unit(name, f"{name}/x.py", "app/routes.py") for name in ("a", "b", "c")]
    found = accepted(of(*units))
    assert [("app/routes.py" in u.writes) for u in found.plan.units] == [True, False, False]
    assert all(u.needs == () for u in found.plan.units), "nobody waits"


def test_a_path_that_is_all_a_unit_has_is_its_own() -> None:
    found = accepted(of(unit("a", "app/x.py", "docs/x.md"), unit("docs", "docs/x.md")))
    assert [u.writes for u in found.plan.units] == [("app/x.py",), ("docs/x.md",)]
    assert found.plan.unit("docs").needs == ()


def test_where_nothing_tells_them_apart_the_second_waits_for_the_first() -> None:
    found = accepted(of(unit("a", "app/x.py"), unit("b", "app/x.py")))
    assert not list(clashes(found.plan))
    assert found.plan.unit("b").needs == ("a",)
    assert found.mended == ("`b` waits for `a`: both write `app/x.py`.",)


def test_nobody_waits_in_a_circle_for_a_path() -> None:
    """The path would have a wait for c, and c wait for a by way of d."""
    units = [unit("a", "x.py", needs=["d"]), unit("c", "x.py"), unit("d", "x.py")]
    found = accepted(of(*units))
    assert not list(clashes(found.plan))


def test_a_folder_is_narrowed_to_the_files_that_the_plan_lists() -> None:
    files = [{"path": path, "status": "A", "lines": 1} for path in ("app/new/a.py", "app/new/b.py", "app/new/c.py")]
    document = of(unit("all", "app/new/"), unit("one", "app/new/a.py"), files=files)
    found = accepted(document)
    assert found.plan.unit("all").writes == ("app/new/b.py", "app/new/c.py")
    assert found.plan.unit("one").writes == ("app/new/a.py",)


def test_a_requirement_that_one_unit_speaks_of_is_its_own() -> None:
    document = {"units": [unit("a", "a.py", goal="REQ-001: make loans."), unit("b", "b.py", goal="(REQ-002) REQ-0011")]}
    found = accepted(document)
    assert [u.requirements for u in found.plan.units] == [("REQ-001",), ("REQ-002",)]


def test_strong_evidence_orders_two_units_unless_the_contract_declares_it() -> None:
    edge = Dependency(
        path="app/page.py", on="app/loan.py", kind="import", likelihood=0.95, evidence="line 3 imports it."
    )
    survey = Survey(dependencies=(edge,))
    two = (unit("models", "app/loan.py", provides=["Loan.due"]), unit("pages", "app/page.py"))

    alone = accepted(of(*two), survey)
    declared = accepted(of(*two, unit("contract", "app/types.py", kind="contract", provides=["Loan.due"])), survey)
    silent = accepted(of(*two, unit("contract", "app/types.py", kind="contract", provides=["Fee"])), survey)
    weak = accepted(
        of(*two), Survey(dependencies=(Dependency(path="app/page.py", on="app/loan.py", kind="path", likelihood=0.5),))
    )

    assert alone.plan.unit("pages").needs == ("models",)
    assert alone.mended == ("`pages` waits for `models`: `app/page.py` builds on `app/loan.py` (line 3 imports it).",)
    assert declared.plan.unit("pages").needs == ("contract",)
    assert silent.plan.unit("pages").needs == ("contract", "models")
    assert weak.plan.unit("pages").needs == ()


def test_an_order_against_what_the_documents_say_is_a_fault() -> None:
    survey = Survey(dependencies=(Dependency(path="app/page.py", on="app/loan.py", kind="declared", likelihood=0.95),))
    document = of(unit("models", "app/loan.py", needs=["pages"]), unit("pages", "app/page.py"))
    (fault,) = refused(document, survey)
    assert fault.startswith("`models` needs `pages`, but `app/page.py` builds on `app/loan.py`")


# ---- refused


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"units": []}, "at least one"),
        ({"units": "models"}, "list of units"),
        (of(unit("a", "a.py", needs=["b"]), unit("b", "b.py", needs=["a"])), "circle: a -> b -> a. Take out one"),
        (of(unit("pages", "a.py"), unit("b", "b.py", needs=["page"])), "'page', which is no unit (meant: pages?)"),
        (of(unit("rest", "a.py")), "Unit `rest`, `id`: rest means something else"),
        (of(unit("a", "../b.py")), "leads out of the repository (`..`). Write paths from the root"),
        (of(unit("a", "/etc/passwd")), "absolute path"),
        (of(unit("a", ".git/config")), "belongs to git"),
        (of(unit("a")), "a writes nothing"),
        (of(unit("a", "a.py", title="", goal="")), "a has no goal"),
        (of(unit("a", "a.py"), unit("a", "b.py")), "is the id of units[0] too"),
        (of(unit("a", "app/**/test_*.py"), unit("b", "app/x/")), "both own"),
        (of(unit("a", "a.py"), 7), "must be an object"),
        (of(unit("a", "a.py", needs={"b": 1})), "must be a list"),
        (of(unit("a", "a.py"), files=[{"path": "app/m.py", "status": "M"}]), "`app/m.py` of `a` is an unknown file"),
        (of(unit("a", "a.py"), files=[{"path": "lib/main.py", "status": "D"}]), "(meant: `app/main.py`?)"),
        ({"units": [unit("a", "a.py", requirements=["REQ-001"])]}, "serves REQ-002 (A loan is shown on a page.)"),
    ],
)  # fmt: skip
def test_what_cannot_be_mended_is_refused_in_words_that_help(document: Any, words: str) -> None:
    faults = refused(document)
    assert any(words in fault for fault in faults), faults
    assert all(fault.endswith((".", "?")) for fault in faults)


def test_ten_thousand_units_are_refused_at_once() -> None:
    faults = refused({"units": [unit(f"u{n}", f"app/{n}.py") for n in range(10_000)]})
    assert faults == (
        "`units`: there are 10,000 units, at most 1,000 can be had. Plan about one unit for each agent that works at"
        " once.",
    )


def test_every_fault_is_told_at_once() -> None:
    document = of(
        unit("a", "../x.py", needs=["zzz"]),
        unit("plan", "b.py"),
        unit("c", "c/*.py"),
        unit("d", "c/**/x.py"),
    )
    faults = refused(document)
    assert len(faults) == 4
    assert any("c and d" in f or "d and c" in f for f in faults)


def test_hundreds_of_units_that_own_the_same_files_end_in_a_fault_soon() -> None:
    units = [unit(f"u{n}", f"app/{n % 300}.py", f"x{n}.py") for n in range(600)]
    result = check(of(*units))
    assert isinstance(result, Refused)
    assert "Too many units own the same paths" in result.faults[0]


def test_faults_are_counted_where_there_are_too_many() -> None:
    faults = refused(of(*(unit(f"u{n}", f"../{n}.py") for n in range(100))))
    assert len(faults) == 41
    assert faults[-1] == "There are 60 more faults."


def test_a_plan_is_what_plans_are() -> None:
    found = accepted(GOOD)
    assert isinstance(found.plan, Plan)
    assert not list(clashes(found.plan))
