"""The texts agents get: the shared part the same to the byte, documents fenced off, nothing forgotten.

`UPDATE_GOLDEN=1 pytest tests/unit/test_prompts.py` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ropeteam import prompts
from ropeteam.core.briefing import Asked, Briefing, Left, Neighbour
from ropeteam.core.events import Earlier
from ropeteam.core.model import DecisionNote, Document, Feature, FileNote, Requirement, Section, Step, Unit
from ropeteam.core.pack import Excerpt
from ropeteam.core.proposal import Proposal, checked
from ropeteam.core.survey import Dependency, PlannedFile, Survey

GOLDEN = Path(__file__).parent.parent / "golden/prompts"
FEATURE = Feature(
    name="shop/checkout",
    source="workspace",
    folder=".workspace/features/shop/checkout",
    title="Checkout",
    documents=(
        Document(
            kind="intent", path=".workspace/features/shop/checkout/01-intent.md", text="# Checkout\n\n$cost ${x}\n"
        ),
        Document(kind="research", path=".workspace/features/shop/checkout/01-research.md", text="# How to report\n"),
        Document(kind="architecture", path=".workspace/features/shop/checkout/01-architecture.md", text="Design.\n"),
        Document(kind="implementation", path=".workspace/features/shop/checkout/02-implementation.md", text="Log.\n"),
        Document(kind="log", path=".workspace/features/shop/checkout/04-verify.md", text="Verified.\n"),
    ),
    requirements=(
        Requirement(id="REQ-001", text="one", status="✓"),
        Requirement(id="REQ-002", text="two", status="○"),
        Requirement(id="REQ-003", text="three"),
    ),
)
PARTS = msgspec.structs.replace(
    FEATURE,
    sections=(
        Section(kind="part", name="01-cart-models", status="done", requirements=("REQ-001",), line=42),
        Section(kind="part", name="02-payment-backend", requirements=("REQ-002", "REQ-003"), line=58),
        Section(kind="part", name="03-checkout-ui", line=75),
        Section(kind="extend", name="Guest `Checkout`\n# Your task", status="blocked", line=91),
    ),
    selected=("02-payment-backend", "03-checkout-ui"),
)
PLAIN = Feature(name="stdin", source="stdin", documents=(Document(kind="intent", path="stdin", text="Words."),))


MAP = "shop/db.py  (40 lines; used by ./app.py)\n  def connect(url: str) -> Db\n\nOther files:\nREADME.md\nshop/ 3 py"
EXCERPTS = (
    Excerpt(path="shop/types.py", why="the contract declares it", text="class Order: ...\n", language="python"),
    Excerpt(path="shop/db.py", why="your task names it", text="12: def connect(url: str) -> Db", part="outline"),
    Excerpt(path="docs/`odd`\n# x.md", why="your task names it", text="````\n# Not ours\n", part="start"),
)


def shared(
    feature: Feature = FEATURE,
    context: tuple[tuple[str, str], ...] = (("AGENTS.md", "Use tabs.\n"),),
    repository_map: str = "",
) -> str:
    patterns = prompts.default_patterns()
    return prompts.shared(feature, base_context=context, patterns=patterns, repository_map=repository_map)


def own(
    feature: Feature = FEATURE,
    *earlier: Earlier,
    kind: str = "single",
    by: str = "file",
    goal: str = "",
    briefing: Briefing | None = None,
    repository_map: str = "",
    excerpts: tuple[Excerpt, ...] = (),
    thinking: bool = False,
    hosted: bool = False,
) -> str:
    return prompts.own(
        kind=kind,  # type: ignore[arg-type]
        goal=goal or "Implement the feature Checkout.",
        feature=feature,
        tree="/trees/single-1",
        report_file="/attempts/single-1/report.json",
        earlier=earlier,
        report_by=by,  # type: ignore[arg-type]
        briefing=briefing,
        repository_map=repository_map,
        excerpts=excerpts,
        thinking=thinking,
        hosted=hosted,
    )


def about_parts(feature: Feature = PARTS) -> str:
    """What the shared part says of the sections, behind everything else."""
    before, heading, after = shared(feature).partition("## What this run is about\n")
    assert before.strip() == shared().strip(), "the documents are told as ever"
    return heading + after


CONTRACT = Unit(
    id="01-contract",
    title="Shared types",
    goal="Declare what orders and payments know of each other.",
    kind="contract",
    writes=("shop/types.py", "shop/migrations/"),
)
API = Unit(
    id="03-api",
    title="Routes",
    goal="Serve the checkout over HTTP, with $cost in the answer.",
    needs=("01-contract", "02-models"),
    writes=("shop/api/*.py", "tests/test_api.py"),
    reads=("shop/db.py",),
    requirements=("REQ-002", "REQ-003"),
)
MODELS = Neighbour(
    unit="02-models",
    title="Models",
    writes=("shop/models/", "tests/test_models.py"),
    state="validated",
    changed=("shop/models/order.py", "tests/test_models.py"),
)
VIEWS = Neighbour(unit="04-views", title="Pages", writes=("shop/views/",), state="running")
WIRING = Neighbour(unit="05-wiring", title="Wiring", writes=("shop/app.py",))
FOR_CONTRACT = Briefing(
    unit=CONTRACT,
    others=(
        Neighbour(unit=MODELS.unit, title=MODELS.title, writes=MODELS.writes),
        Neighbour(unit=API.id, title=API.title, writes=API.writes),
        Neighbour(unit=VIEWS.unit, title=VIEWS.title, writes=VIEWS.writes),
        WIRING,
    ),
)
FOR_API = Briefing(
    unit=API,
    contract=(
        FileNote(path="shop/types.py", purpose="Order, Payment, and what may go wrong"),
        FileNote(path="shop/migrations/7.sql", purpose="the table of orders"),
    ),
    contract_decisions=(DecisionNote(decision="Amounts are integers of cents", rationale="no rounding"),),
    others=(
        Neighbour(
            unit=CONTRACT.id,
            title=CONTRACT.title,
            writes=CONTRACT.writes,
            state="validated",
            changed=("shop/types.py", "shop/migrations/7.sql"),
        ),
        MODELS,
        VIEWS,
        WIRING,
    ),
    requests=(Asked(unit="02-models", path="shop/api/errors.py", what="answer 409 for SoldOut"),),
)
FOR_REST = Briefing(
    others=(MODELS,),
    requests=(
        Asked(unit="02-models", path="shop/app.py", what="Add to create_app():\n\n```python\nmodels.set_up(app)\n```"),
    ),
    left=(
        Left(
            unit=API.id,
            title=API.title,
            goal=API.goal,
            writes=API.writes,
            requirements=API.requirements,
            commit="1f" * 20,
            ref="refs/ropeteam/r/03-api/1",
            evidence="pytest: 1 test that passed before fails:\n```\n# test_total\n```",
        ),
        Left(unit="04-views", title="Pages", goal="Show the checkout.", writes=("shop/views/",)),
    ),
    batches=(("Routes", "Pages"), ("Wiring",)),
)
FOR_PLAN = Briefing(
    survey=Survey(
        named=True,
        files=(
            PlannedFile(path="shop/api/cart.py", status="A", lines=80, purpose="the cart", requirements=("REQ-002",)),
            PlannedFile(path="shop/routes.py", hub=True),
        ),
        dependencies=(
            Dependency(path="shop/routes.py", on="shop/api/cart.py", kind="import", likelihood=0.9, evidence="imports"),
            Dependency(path="shop/api/cart.py", on="shop/db.py", kind="path", likelihood=0.1),
        ),
        steps=(Step(id="T1", number=1, text="Write the cart"),),
        unresolved=("`the usual model` in 01-architecture.md:7 is no path.",),
        uncovered=("REQ-003",),
    ),
    workers=4,
)
REFUSED = Earlier(attempt="plan/1", ref="refs/ropeteam/r/plan/1", problem="- Unit `a`, `needs`: $boom is no unit.")
FAILED = Earlier(attempt="single/1", ref="refs/ropeteam/r/single/1", problem="2 tests failed:\n```\n$boom\n```")


def own_forked(before: str) -> str:
    told = own(kind="unit", by="structured", briefing=FOR_API)
    return prompts.forked(told, done="contract", tree="/trees/t", before=before)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shared.md", shared()),
        ("shared-map.md", shared(PLAIN, repository_map=MAP)),
        ("own-single.md", own()),
        ("shared-parts.md", about_parts()),
        ("own-single-parts.md", own(PARTS)),
        ("own-second-try.md", own(FEATURE, FAILED, by="structured")),
        ("own-rest.md", own(PLAIN, FAILED, kind="rest")),
        (
            "own-single-batches.md",
            own(briefing=Briefing(batches=(("Shared types",), ("Models", "Pages"), ("Wiring",)))),
        ),
        ("own-rest-left.md", own(kind="rest", briefing=FOR_REST)),
        ("own-contract.md", own(kind="contract", briefing=FOR_CONTRACT)),
        ("own-unit.md", own(kind="unit", briefing=FOR_API)),
        ("own-unit-excerpts.md", own(kind="unit", briefing=FOR_API, excerpts=EXCERPTS)),
        ("own-plan.md", own(kind="plan", briefing=FOR_PLAN)),
        ("own-plan-second-try.md", own(PLAIN, REFUSED, kind="plan", by="structured", thinking=True)),
        ("own-unit-forked.md", own_forked(before="/trees/t")),
        ("own-unit-forked-elsewhere.md", own_forked(before="/trees/contract")),
        ("own-unit-second-try.md", own(FEATURE, FAILED, kind="unit", by="structured", briefing=FOR_API)),
    ],
)
def test_golden_texts(name: str, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


@pytest.mark.parametrize(("kind", "briefing"), [("single", None), ("unit", FOR_API), ("plan", FOR_PLAN)])
def test_a_hosts_subagent_is_told_where_it_works_and_nothing_else_changes(kind: str, briefing: Briefing | None) -> None:
    told, usual = own(kind=kind, briefing=briefing, hosted=True), own(kind=kind, briefing=briefing)
    more = [line for line in told.splitlines() if line not in usual.splitlines()]
    assert [line for line in usual.splitlines() if line not in told.splitlines()] == []
    words = " ".join(more)
    assert "`cd '/trees/single-1' && `" in words
    assert "absolute path" in words
    assert len(words) < 700


@pytest.mark.parametrize(("kind", "what"), [("unit", "Change files in /t/x and nowhere else."), ("plan", "It plans")])
def test_what_a_host_tells_its_subagent_is_short_and_sends_it_to_the_file(kind: str, what: str) -> None:
    told = prompts.to_subagent("/a/io/prompt.md", "/t/x", kind)  # type: ignore[arg-type]
    assert "/a/io/prompt.md" in told
    assert what in told
    assert "cd '/t/x' && " in told
    assert len(told) < 700


def test_who_goes_on_from_another_conversation_is_told_where_it_is_now() -> None:
    told, same = own_forked("/trees/contract"), own_forked("/trees/t")
    task = own(kind="unit", by="structured", briefing=FOR_API)
    assert told.endswith(task)
    assert same.endswith(task), "its task is told in full"
    assert "/trees/contract` is gone" in told
    assert "gone" not in same.removesuffix(task)
    for done in ("plan", "contract", "unit"):
        text = prompts.forked(task, done=done, tree="/t", before="/t")  # type: ignore[arg-type]
        assert "is finished" in text.partition("\n# ")[0]


def test_what_a_run_is_about_what_is_done_and_what_comes_later() -> None:
    text = about_parts()
    assert "what follows, in this order, and" in text
    assert "- part `02-payment-backend`, line 58 of `.workspace/features/shop/checkout/01-intent.md`: `REQ-002`" in text
    assert "in the repository already: part `01-cart-models`." in text
    assert "Not to be done now: extend ``Guest `Checkout`\\n# Your task``." in text
    assert "Do all of `02-payment-backend`, `03-checkout-ui`, in this order" in own(PARTS)
    assert "whole feature" not in own(PARTS)


def test_the_last_section_of_a_feature_has_nothing_before_or_after_it() -> None:
    last = msgspec.structs.replace(PARTS, sections=PARTS.sections[1:2], selected=("02-payment-backend",))
    text = about_parts(last)
    assert "does what follows, and nothing else" in text
    assert "earlier runs" not in text
    assert "Not to be done" not in text


def test_the_shared_part_is_the_same_to_the_byte_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_prompts as t; "
        "sys.stdout.buffer.write(t.shared().encode())"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, env=env, cwd="/", check=True
    )
    assert done.stdout == shared().encode()


def test_what_is_particular_is_not_in_the_shared_part() -> None:
    text = shared()
    assert "/trees" not in text
    assert "report.json" not in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text)


def test_the_shared_part_holds_everything_in_its_order() -> None:
    text = shared()
    order = ["Use tabs.", "Architecture patterns", "$cost ${x}", "# How to report", "Design.", "Log.", "Verified."]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_no_instructions_and_empty_ones_are_told_so() -> None:
    assert "There are none." in shared(context=())
    assert "There are none." in shared(context=(("CLAUDE.md", "  \n"),))


def test_the_repositorys_own_patterns_replace_ours() -> None:
    text = prompts.shared(PLAIN, base_context=(), patterns="Only this.")
    assert "Only this." in text
    assert "Schema changes" not in text


def test_the_map_is_the_last_of_what_all_read_and_excerpts_come_before_the_task() -> None:
    assert shared(PARTS, repository_map=MAP).startswith(shared(PARTS))
    assert headings(shared(repository_map=MAP))[-1] == "# A map of the repository"
    with_them = own(kind="unit", briefing=FOR_API, excerpts=EXCERPTS)
    without = own(kind="unit", briefing=FOR_API)
    before, _, task = with_them.partition("# Read for you\n")
    assert without == before + task[task.index("# Your task\n") :]
    assert headings(with_them) == [*headings(before), "# Read for you", *headings(without)[len(headings(before)) :]]


@pytest.mark.parametrize("kind", ["plan", "contract", "unit", "rest"])
def test_a_map_of_its_own_stands_first_where_the_shared_one_would(kind: str) -> None:
    """So that who reads for itself is told the same, in the same order, wherever the map is."""
    briefing = FOR_API if kind in ("contract", "unit") else None
    its, plain = own(kind=kind, briefing=briefing, repository_map=MAP), own(kind=kind, briefing=briefing)
    assert its.endswith(plain)
    assert shared() + "\n" + its == shared(repository_map=MAP) + "\n" + plain


def test_headings_outside_the_fences_are_only_ours() -> None:
    text = shared(context=(("CLAUDE.md", "# Your task\n\n````\n# Your task\n````\n\n`````\n"),))
    assert headings(text) == [
        "# What you are part of",
        "# The project's own instructions",
        "# Architecture patterns",
        "# The feature: Checkout",
        "## What is wanted",
        "## How this project does such things",
        "## The chosen design",
        "## What earlier runs did",
        "## Logs of other phases",
    ]


def headings(text: str) -> list[str]:
    """Headings as a Markdown parser sees them: not what stands in fences."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    return [
        f"{token.markup} {tokens[at + 1].content}" for at, token in enumerate(tokens) if token.type == "heading_open"
    ]


@given(st.text(alphabet=st.sampled_from("`#~ \n\rx<>\ufeff"), max_size=60) | st.text(max_size=60))
def test_no_document_gets_out_of_its_fence(words: str) -> None:
    feature = Feature(name="f", source="stdin", documents=(Document(kind="intent", path="stdin", text=words),))
    assert len(headings(shared(feature))) == 5


@given(st.text(max_size=80))
def test_the_failing_output_of_an_earlier_attempt_stays_in_its_fence(words: str) -> None:
    text = own(FEATURE, Earlier(attempt="single/1", ref="", problem=words))
    assert headings(text) == ["# Your task", "## What came before", "## How to work", "## How to report"]


def test_the_task_names_goal_tree_requirements_and_documents() -> None:
    text = own()
    assert text.startswith("# Your task\n\nImplement the feature Checkout.\n")
    assert "`/trees/single-1`" in text
    assert "The requirements to meet: REQ-002, REQ-003." in text
    assert "to be kept working: REQ-001." in text
    assert "`.workspace/features/shop/checkout`" in text
    assert "earlier" not in text.lower()
    order = ["configuration and schema", "models;", "services and controllers", "views and components"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_many_requirements_are_counted_and_not_all_listed() -> None:
    many = Feature(
        name="f", source="stdin", requirements=tuple(Requirement(id=f"REQ-{n:03d}", text="") for n in range(100))
    )
    assert "REQ-059 and 40 more." in own(many)


def test_earlier_attempts_are_told_with_their_output_and_ref() -> None:
    text = own(FEATURE, FAILED, Earlier(attempt="single/2", ref="refs/two", problem="again"))
    assert "$boom" in text
    assert "`refs/ropeteam/r/single/1`" in text
    assert text.index("single/1") < text.index("single/2")


def test_the_way_to_report_fits_the_agent() -> None:
    assert "/attempts/single-1/report.json" in own(by="file")
    assert "report.json" not in own(by="structured")
    for by in ("file", "structured"):
        assert "`deviations`" in own(by=by)


def test_a_goal_with_dollar_signs_is_left_alone() -> None:
    assert "Pay $5 and ${more}, $$." in own(goal="Pay $5 and ${more}, $$.")


@pytest.mark.parametrize("kind", ["contract", "unit"])
def test_what_cannot_be_told_is_an_error_of_ours(kind: str) -> None:
    with pytest.raises(ValueError, match="without its unit"):
        own(kind=kind)


# ---- of the plan and of the others


def test_what_all_units_are_told_comes_first_and_is_the_same_to_the_byte() -> None:
    views = Unit(id=VIEWS.unit, title=VIEWS.title, goal="Show it.", writes=VIEWS.writes)
    api = Neighbour(unit=API.id, title=API.title, writes=API.writes, state="validated", changed=("shop/api/x.py",))
    others = (api, *(one for one in FOR_API.others if one.unit != views.id))
    for_views = msgspec.structs.replace(FOR_API, unit=views, others=others, requests=())
    texts = [own(kind="unit", briefing=one) for one in (FOR_API, for_views)]

    first, second = (text.partition("# Your task\n")[0] for text in texts)

    assert first == second
    assert "# What the contract declares" in first
    assert own(kind="contract", briefing=FOR_CONTRACT).startswith(first.partition("# What the contract declares")[0])


def test_a_unit_is_told_what_is_its_own_and_where_to_ask_for_the_rest() -> None:
    text = own(kind="unit", briefing=FOR_API)
    mine = text.partition("## What is yours")[2].partition("## ")[0]

    assert "- `shop/api/*.py`\n- `tests/test_api.py`" in mine
    assert "shop/views" not in mine
    assert "`requests`" in mine
    assert "with $cost in the answer" in text
    assert "It serves REQ-002, REQ-003." in text
    assert "Look at what fits `shop/db.py` too." in text
    assert "Not done yet, so that nothing of it is in your work tree: `04-views`, `05-wiring`." in text
    assert "`02-models` Models, which you build on: `shop/models/order.py`" in text
    assert "- `shop/api/errors.py`, for `02-models`: answer 409 for SoldOut" in text
    assert '"requests": [' in text
    assert text.count("shop/migrations/7.sql") == 1, "the contract's files are told once"
    assert "whole feature" not in text


def test_who_owns_everything_is_not_told_of_requests_in_its_report() -> None:
    assert "requests" not in own() + own(kind="belay") + own(kind="rest", briefing=FOR_REST)
    assert "`requests` (`path`, `what`)" in own(kind="unit", by="structured", briefing=FOR_API)


def test_a_unit_alone_and_without_a_contract_is_told_nothing_of_others() -> None:
    text = own(kind="unit", briefing=Briefing(unit=Unit(id="api", title="Routes", writes=("a.py",))))

    assert text.startswith("# Your task\n\nRoutes\n")
    assert headings(text) == ["# Your task", "## What is yours", "## How to work", "## How to report"]


def test_many_units_files_and_requests_are_counted_and_not_all_told() -> None:
    paths = tuple(f"p{n:03d}.py" for n in range(200))
    many = Briefing(
        unit=msgspec.structs.replace(API, writes=paths),
        contract=tuple(FileNote(path=path) for path in paths),
        contract_decisions=tuple(DecisionNote(decision=f"d{n}") for n in range(200)),
        others=tuple(
            Neighbour(unit=f"u{n:03d}", writes=paths, changed=paths, state="validated" if n % 2 else "pending")
            for n in range(200)
        ),
        requests=tuple(Asked(unit="u001", path=path, what="x" * 100_000) for path in paths),
    )
    text = own(kind="unit", briefing=many)

    assert len(text) < 100_000
    assert "- and 171 more" in text
    assert "`p005.py` and 194 more" in text


def test_what_is_left_is_told_in_full_with_the_commit_of_the_earlier_try() -> None:
    left = tuple(Left(unit=f"u{n}", goal=f"goal number {n}.") for n in range(100))
    text = own(kind="rest", briefing=msgspec.structs.replace(FOR_REST, left=(*FOR_REST.left, *left)))

    assert all(one.goal in text for one in (*FOR_REST.left, *left))
    assert f"An earlier try: commit `{'1f' * 20}`." in text
    assert "refs/ropeteam" not in text, "the ref is not in the work tree"


@example("0\n\x1e0")
@given(st.text(max_size=80) | st.text(alphabet=st.sampled_from("`#~ \n\rx<>-1.\ufeff\udc80\x1e\u2028"), max_size=60))
def test_nothing_that_others_said_passes_for_a_heading_of_ours(words: str) -> None:
    briefing = Briefing(
        unit=msgspec.structs.replace(API, title=words),
        contract=(FileNote(path=words, purpose=words),),
        contract_decisions=(DecisionNote(decision=f"d{words}", rationale=words),),
        others=(Neighbour(unit="02", title=words, writes=(words,), state="validated", changed=(words,)), VIEWS),
        requests=(Asked(unit="02", path="a", what=words),),
    )
    text = own(kind="unit", briefing=briefing)

    assert text.encode()
    assert headings(text) == [
        "# The units of this feature",
        "# What the contract declares",
        "# Your task",
        "## What is yours",
        "## What is there, and what is not",
        "## Asked of you",
        "## How to work",
        "## How to report",
    ]


def test_a_long_log_keeps_its_newest_end_and_says_what_is_missing() -> None:
    log = "".join(f"line {number:06d}\n" for number in range(20_000))
    feature = Feature(name="f", source="stdin", documents=(Document(kind="log", path="04-x.md", text=log),))
    text = shared(feature)
    assert "line 019999" in text
    assert "line 000000" not in text
    left = re.search(r"the first (\d+) characters are left out", text)
    assert left
    assert log[int(left.group(1)) :] in text
    intent = Feature(name="f", source="stdin", documents=(Document(kind="intent", path="x", text=log),))
    assert log in shared(intent)


# ---- who plans


def test_the_example_of_a_plan_is_one() -> None:
    text = own(PLAIN, kind="plan")
    example = text.partition("```json\n")[2].partition("```")[0]
    wanted = tuple(Requirement(id=id, text="") for id in ("REQ-001", "REQ-002"))
    there = {"shop/routes.py", "shop/types.py"}

    found = checked(example, Feature(name="x", source="stdin", requirements=wanted), Survey(), there)

    assert isinstance(found, Proposal), found.faults
    assert (found.mended, found.plan.contract, found.confidence) == ((), "contract", 0.8)
    assert found.plan.batches == (("contract",), ("loans", "pages"))


def test_a_planner_is_told_only_what_was_wrong_last() -> None:
    first, second = (Earlier(attempt=f"plan/{n}", ref="", problem=f"- fault {n}") for n in (1, 2))
    lost = Earlier(attempt="plan/3", ref="", problem="")
    text = own(PLAIN, first, second, lost, kind="plan")
    assert "- fault 2" in text
    assert "- fault 1" not in text
    assert "What was wrong" not in own(PLAIN, lost, kind="plan")


def test_it_is_told_of_the_tool_only_where_there_is_one() -> None:
    assert "sequentialthinking" in own(PLAIN, kind="plan", thinking=True)
    assert "sequentialthinking" not in own(PLAIN, kind="plan")


def test_units_are_told_what_others_provide_and_what_is_counted_on() -> None:
    models = msgspec.structs.replace(MODELS, provides=("Order.total", "$cost"))
    mine = msgspec.structs.replace(API, provides=("POST /orders",))
    text = own(kind="unit", briefing=msgspec.structs.replace(FOR_API, unit=mine, others=(models, WIRING)))
    assert "`02-models` Models: `shop/models/`, `tests/test_models.py`; provides `Order.total`, `$cost`" in text
    assert "by exactly these names: `POST /orders`." in text


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_a_survey_says_cannot_pass_for_a_heading(purpose: str, path: str) -> None:
    survey = Survey(
        files=(PlannedFile(path=path or "a", purpose=purpose),),
        dependencies=(Dependency(path=path, on="b", kind="path", likelihood=1.0, evidence=purpose),),
        unresolved=(purpose,),
        steps=(Step(id="x", number=1, text=purpose),),
    )
    plain = own(PLAIN, kind="plan", briefing=Briefing(survey=Survey(files=(PlannedFile(path="a"),))))
    text = own(PLAIN, kind="plan", briefing=Briefing(survey=survey))
    headings = [line for line in outside_fences(text) if line.startswith("#")]
    assert headings == [line for line in outside_fences(plain) if line.startswith("#")]


def outside_fences(text: str) -> list[str]:
    found, fence = [], ""
    for line in text.split("\n"):
        marks = re.match(r" *(`{3,})", line)
        if fence and marks and line.strip() == fence:
            fence = ""
        elif not fence and marks:
            fence = marks[1]
        elif not fence:
            found.append(line)
    return found
