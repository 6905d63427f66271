"""Plans from documents: what is understood, every fault with its place, batches, wiring, replacing."""

from __future__ import annotations

import json
import time
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import plans

from ropeteam.core import graph, patterns
from ropeteam.core.model import Confidence, Plan, RequestNote, Unit, UnitEstimate
from ropeteam.core.plan import RESERVED, layered, parse, replacing, with_wiring
from ropeteam.errors import BadInput

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


def unit(id: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": id, "goal": f"do {id}", "writes": [f"src/{id}/"], **more}


def read(*units: Any, **more: Any) -> Plan:
    return parse(json.dumps({"units": units, **more}).encode(), "plan.json")


def faults(document: object) -> list[str]:
    """The faults of a document, as they are printed, without their lines."""
    data = document if isinstance(document, bytes) else json.dumps(document, indent=1).encode()
    with pytest.raises(BadInput) as raised:
        parse(data, "plan.json")
    error = raised.value
    assert error.code == "bad_plan"
    assert error.exit_code == 2
    assert error.where.startswith("plan.json:")
    assert "docs/guide/plans.md" in error.hint
    said = error.message.removeprefix("The plan cannot be used: ").split("\n  ")
    assert len(said) == 1 or said.pop(0) == f"it has {len(said):,} faults:"
    return [line.partition(": ")[2] for line in said]


def fault(*units: Any, **more: Any) -> str:
    found = faults({"units": units, **more})
    assert len(found) == 1, found
    return found[0]


# ---- what is understood


def test_the_short_form_is_enough() -> None:
    plan = read({"id": "a", "goal": "do a", "needs": [], "writes": ["a.py"]}, unit("b", needs=["a"]))
    assert plan == Plan(
        units=(
            Unit(id="a", goal="do a", writes=("a.py",)),
            Unit(id="b", goal="do b", needs=("a",), writes=("src/b/",)),
        )
    )


def test_every_field_of_a_printed_plan_is_read() -> None:
    estimate = {"seconds_p50": 210.0, "seconds_p90": 480.0, "tokens_p50": 9000}
    side = {"seconds_p50": 900.0, "seconds_p90": None, "tokens_p50": 0, "cost_usd_p50": 0.0, "cost_usd_p90": 0.0}
    plan = read(
        unit("01-contract", title="Words", layer="config", batch=1, reads=["app/db.py"], requirements=["REQ-1"]),
        unit("02-models", needs=["01-contract"], batch=2, estimate=estimate),
        feature="checkout",
        base="0" * 40,
        contract="01-contract",
        batches=[["01-contract"], ["02-models"]],
        confidence={"value": 0.94, "reasons": ["because"]},
        estimate={"workers": 4, "speedup_p50": 2.1, "single": side, "parallel": None, "critical_path": ["01-contract"]},
        decision={"mode": "parallel", "triggers": [], "overridden": [], "reasons": []},
    )
    contract, models = plan.units
    assert (contract.kind, contract.title, contract.layer, contract.reads) == (
        "contract",
        "Words",
        "config",
        ("app/db.py",),
    )
    assert contract.requirements == ("REQ-1",)
    assert models.estimate == UnitEstimate(seconds_p50=210.0, seconds_p90=480.0, tokens_p50=9000)
    assert plan.batches == (("01-contract",), ("02-models",))
    assert models.batch == 2
    assert plan.confidence == Confidence(value=0.94, reasons=("because",))
    assert plan.estimate is not None
    assert plan.estimate.single.seconds_p50 == 900.0
    assert plan.estimate.critical_path == ("01-contract",)


def test_what_is_null_is_absent() -> None:
    nothing = dict.fromkeys(("title", "kind", "layer", "batch", "needs", "reads", "requirements", "estimate"))
    empty = {"seconds_p50": None, "seconds_p90": None, "tokens_p50": None}
    plan = read(
        unit("a", **nothing),
        unit("b", estimate=empty),
        contract=None,
        batches=None,
        confidence={"value": None, "reasons": []},
        estimate={"workers": None, "single": dict(empty), "critical_path": []},
    )
    assert plan.units[0] == Unit(id="a", goal="do a", writes=("src/a/",))
    assert plan.units[1].estimate is None
    assert plan.confidence is None
    assert plan.contract is None


def test_a_title_alone_is_the_goal() -> None:
    assert read({"id": "a", "title": "do it", "writes": ["a"]}).units[0].goal == "do it"


@pytest.mark.parametrize("how", [{"contract": "k"}, {}])
def test_every_unit_needs_the_contract_but_for_what_the_contract_needs(how) -> None:
    kind = {} if how else {"kind": "contract"}
    plan = read(unit("setup"), unit("k", needs=["setup"], **kind), unit("a"), unit("b", needs=["a", "k"]), **how)
    assert plan.contract == "k"
    assert [(u.id, u.kind, u.needs) for u in plan.units] == [
        ("setup", "unit", ()),
        ("k", "contract", ("setup",)),
        ("a", "unit", ("k",)),
        ("b", "unit", ("a", "k")),
    ]


def test_a_plan_may_have_a_wiring_unit_of_its_own() -> None:
    assert read(unit("wiring")).units[0].id == "wiring"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps({"units": [unit()]}).encode(), "p").units[0].id == "a"


# ---- what is refused


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "it is not JSON"),
        (b'{"units": [,]}', "it is not JSON"),
        (b'{"units": "\xff"}', "it is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "it must be an object"),
        (b"{}", "units: there must be a list of units"),
        (b'{"units": []}', "units: there must be a list of units"),
        (b'{"units": {}}', "units: there must be a list of units"),
        (b'{"units": [1e999]}', "it is not JSON"),
        (b'{"units": [3]}', "units[0]: a unit must be an object"),
        (b'{"units": [{}]}', "units[0].id: a unit must have an id"),
        (b'{"units": [{"id": 3}]}', "units[0].id: a unit must have an id"),
        ({"units": [unit()] * 1_001}, "units: there are 1,001 units, at most 1,000 can be had"),
    ],
)
def test_a_document_that_is_no_plan(document, said) -> None:
    (found,) = faults(document)
    assert said in found


@pytest.mark.parametrize("id", ["", "A", "-a", ".a", "a b", "a/b", "a\n", "é", "a" * 65, "a..b", "a.lock"])
def test_ids_that_cannot_be(id) -> None:
    assert "cannot be an id" in fault(unit() | {"id": id})


@pytest.mark.parametrize("id", RESERVED)
def test_reserved_ids(id) -> None:
    assert fault(unit() | {"id": id}).startswith(f"units[0].id: {id} means something else")


@pytest.mark.parametrize("id", ["0", "a" * 64, "a.b", "01-x_y", "lock", "a.", "rest-2"])
def test_ids_that_can_be(id) -> None:
    assert read(unit() | {"id": id}).units[0].id == id


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"goal": ""}, "units[0]: a has no goal: its agent would not know what to do."),
        ({"goal": 3}, "units[0].goal: it must be a text, not a whole number."),
        ({"kind": "test"}, "units[0].kind: it cannot be 'test'."),
        ({"batch": 0}, "units[0].batch: it must be a whole number of at least 1."),
        ({"batch": "1"}, "units[0].batch: it must be a whole number, not a text."),
        ({"needs": "b"}, "units[0].needs: it must be a list, not a text."),
        ({"needs": [3]}, "units[0].needs[0]: it must be a text, not a whole number."),
        ({"needs": ["b"]}, "units[0].needs: a needs 'b', which is no unit."),
        ({"needs": ["a"]}, "units[0].needs: units need each other in a circle: a -> a."),
        ({"requirements": "REQ-1"}, "units[0].requirements: it must be a list, not a text."),
        ({"requirements": [{"id": "REQ-1"}]}, "units[0].requirements[0]: it must be a text, not an object."),
        ({"writes": []}, "units[0].writes: a writes nothing: list the files that it owns."),
        ({"writes": None}, "units[0].writes: a writes nothing: list the files that it owns."),
        ({"writes": ["../a"]}, "units[0].writes[0]: '../a' leads out of the repository (`..`)."),
        ({"writes": ["a", "!b"]}, "units[0].writes[1]: '!b' begins with `!`"),
        ({"writes": ["/etc/passwd"]}, "units[0].writes[0]: '/etc/passwd' is an absolute path"),
        ({"reads": ["a/../../b"]}, "units[0].reads[0]: 'a/../../b' leads out of the repository (`..`)."),
        ({"estimate": 3}, "units[0].estimate: it must be an object, not a whole number."),
        ({"estimate": {"seconds_p50": -1}}, "units[0].estimate.seconds_p50: it must be a number of at least 0."),
    ],
)
def test_faults_of_a_unit(more, said) -> None:
    assert fault(unit(**more)).startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"contract": "x"}, "contract: 'x' is no unit."),
        ({"contract": 3}, "contract: it must be a text, not a whole number."),
        ({"batches": [["a", "x"]]}, "batches[0][1]: 'x' is no unit."),
        ({"batches": [["a", "b", "a"]]}, "batches[0][2]: a is in a batch already."),
        ({"batches": ["a"]}, "batches[0]: it must be a list, not a text."),
        ({"confidence": {"value": 2}}, "confidence.value: 2 is no probability: it must be from 0 to 1."),
        ({"confidence": {"reasons": ["x"]}}, "confidence: `value` is missing."),
        ({"estimate": {"single": {"seconds_p50": "long"}}}, "estimate.single.seconds_p50: it must be a number"),
        ({"estimate": {"speedup_p50": -1}}, "estimate.speedup_p50: -1 is less than nothing."),
    ],
)
def test_faults_of_the_whole(more, said) -> None:
    assert fault(unit("a"), unit("b"), **more).startswith(said)


def test_an_id_can_be_had_once() -> None:
    assert fault(unit("a"), unit("a")) == "units[1].id: a is the id of units[0] too."


def test_a_name_can_be_had_once() -> None:
    document = b'{"units": [{"id": "a", "goal": "x",\n "writes": ["a"],\n "writes": ["b"]}]}'
    assert faults(document) == ["units[0].writes: it is there twice, in line 3 again."]


def test_a_misspelt_need_names_the_unit_that_is_like_it() -> None:
    assert fault(unit("02-models"), unit("b", needs=["02-model"])).endswith("which is no unit (meant: 02-models?).")


def test_cycles_are_printed() -> None:
    said = fault(unit("a", needs=["c"]), unit("b", needs=["a"]), unit("c", needs=["b"]), unit("d", needs=["a"]))
    assert said == "units[0].needs: units need each other in a circle: a -> c -> b -> a."


def test_two_contracts_are_one_too_many() -> None:
    assert fault(unit("a", kind="contract"), unit("b", kind="contract")).startswith("units[1].kind: b is a second")
    assert fault(unit("a"), unit("b", kind="contract"), contract="a").startswith("units[1].kind: b is a second")


def test_two_that_could_run_at_once_own_no_path_together() -> None:
    one, other = unit("a", writes=["app/models/*.py"]), unit("b", writes=["docs/", "app/**"])
    assert fault(one, other).startswith(
        "units[1].writes: b and a both own app/models/.py (`app/**` and `app/models/*.py`) and neither needs the other"
    )
    between = unit("m", needs=["a"], writes=["m"])
    assert read(one, between, {**other, "needs": ["m"]}).units[2].needs == ("m",)
    assert read(one, other, contract="a").contract == "a"


def test_a_batch_comes_after_those_of_what_it_needs() -> None:
    said = fault(unit("a", batch=2), unit("b", needs=["a"], batch=2))
    assert said == "units[1]: b is in batch 2, and needs a, which is in batch 2."
    said = fault(unit("a", batch=1), unit("b", batch=2), batches=[["b"]])
    assert said == "batches[0][0]: b is in batch 1 here, and in batch 2 at units[1].batch."


def test_every_fault_is_listed_with_its_line() -> None:
    document = b"""{"units": [
      {"id": "Bad", "goal": "x", "writes": ["a"]},
      {"id": "b", "goal": "x",
       "needs": ["nobody"],
       "writes": ["../a",
                  "c"]},
      {"id": "c", "goal": "x", "writes": ["c"]},
      {"id": "d", "writes": []}
    ]}"""
    with pytest.raises(BadInput) as raised:
        parse(document, "my/plan.json")
    assert raised.value.where == "my/plan.json:2"
    assert raised.value.message.splitlines() == [
        "The plan cannot be used: it has 6 faults:",
        "  line 2: units[0].id: 'Bad' cannot be an id: 1 to 64 of `a-z 0-9 . _ -`, the first a letter or a digit.",
        "  line 4: units[1].needs: b needs 'nobody', which is no unit.",
        "  line 5: units[1].writes[0]: '../a' leads out of the repository (`..`).",
        "  line 7: units[2].writes: c and b both own c (`c` and `c`) and neither needs the other:"
        " let only one own it, or let one need the other.",
        "  line 8: units[3]: d has no goal: its agent would not know what to do.",
        "  line 8: units[3].writes: d writes nothing: list the files that it owns.",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from([f.name for f in msgspec.structs.fields(Unit)]), JSON, max_size=6)
TOP = st.dictionaries(st.sampled_from(["contract", "batches", "confidence", "estimate"]), JSON, max_size=3)


@RELAXED
@given(st.lists(FIELDS.map(lambda fields: unit() | fields), max_size=3), TOP)
def test_any_document_is_a_plan_or_a_refusal(units, top) -> None:
    try:
        plan, said = read(*units, **top), ""
    except BadInput as error:
        plan, said = None, error.message
    assert graph.cycle(plan) == () if plan else "line 1: " in said


@RELAXED
@given(st.binary(max_size=40))
def test_any_bytes_are_refused_politely(data) -> None:
    with pytest.raises(BadInput, match="The plan cannot be used"):
        parse(data, "p")


@RELAXED
@given(plans())
def test_a_plan_that_is_printed_is_read_again(plan) -> None:
    laid_out = layered(msgspec.structs.replace(plan, barriers=False, batches=()), "auto")
    again = parse(msgspec.json.encode(laid_out), "plan.json")
    assert again.batches == laid_out.batches
    assert layered(again, "auto") == again
    assert {u.id: set(u.needs) for u in again.units} == {u.id: set(u.needs) for u in laid_out.units}
    before = graph.ancestors(again)
    for a, b in combinations(again.units, 2):
        if a.id not in before[b.id] and b.id not in before[a.id]:
            assert not any(patterns.clash(p, q) for p in a.writes for q in b.writes)


def test_hundreds_of_units_are_checked_in_seconds() -> None:
    units = [unit(f"u{n}", writes=[f"src/p{n % 40}/m{n}_*.py", f"tests/test_{n}.py", f"e{n}.md"]) for n in range(300)]
    began = time.process_time()
    plan = read(*units)
    assert len(plan.units) == 300
    assert time.process_time() - began < 20


# ---- batches


def batches(plan: Plan, grouping: str = "auto") -> list[str]:
    made = layered(plan, grouping)  # type: ignore[arg-type]
    assert [id for batch in made.batches for id in batch if made.unit(id).batch != made.batches.index(batch) + 1] == []
    return [" ".join(batch) for batch in made.batches]


def test_without_batches_units_are_laid_out_by_depth() -> None:
    plan = read(unit("d", needs=["b"]), unit("k"), unit("b"), unit("c"), contract="k")
    assert plan.batches == ()
    assert batches(plan) == ["k", "b c", "d"]
    assert not layered(plan, "auto").barriers


def test_given_batches_are_kept_and_counted_from_1() -> None:
    plan = read(unit("a", batch=3), unit("b", batch=7), unit("c", needs=["a"]))
    assert batches(plan) == ["a", "c", "b"]
    assert batches(read(unit("a"), unit("b"), batches=[["b"], ["a"]])) == ["b", "a"]


def test_layers_come_one_after_the_other() -> None:
    plan = read(
        unit("pages", writes=["library/views/*.html", "tests/test_pages.py"]),
        unit("lending", writes=["library/services/lending.py", "tests/test_lending.py"]),
        unit("routes", writes=["library/controllers/"]),
        unit("loans", writes=["library/models/loan.py"]),
        unit("settings", writes=["library/config.py"]),
        unit("table", writes=["migrations/0001.sql"]),
        unit("tests", writes=["e2e/"]),
        unit("odd", writes=["x.py"]),
        unit("named", writes=["y.py"], layer="Models"),
    )
    assert batches(plan, "layers") == ["settings table", "loans named", "lending routes odd", "pages", "tests"]
    made = layered(plan, "layers")
    assert made.barriers
    assert (made.unit("pages").layer, made.unit("named").layer) == ("views", "Models")


def test_a_layer_is_never_before_what_it_needs_and_splits_where_it_needs_itself() -> None:
    plan = read(
        unit("k", writes=["types.py"]),
        unit("view", writes=["a/views/"]),
        unit("model", writes=["a/models/x.py"], needs=["view"]),
        unit("one", writes=["a/services/x.py"]),
        unit("two", writes=["a/services/y.py"], needs=["one"]),
        contract="k",
        batches=[["k"], ["view", "one"], ["model", "two"]],
    )
    assert batches(plan, "layers") == ["k", "one", "two", "view", "model"]


@RELAXED
@given(plans(), st.sampled_from(["auto", "layers"]))
def test_batches_hold_every_unit_once_and_after_its_needs(plan, grouping) -> None:
    made = layered(msgspec.structs.replace(plan, batches=()), grouping)
    assert sorted(id for batch in made.batches for id in batch) == sorted(u.id for u in made.units)
    assert all(made.unit(need).batch < u.batch for u in made.units for need in u.needs)
    assert all(made.contract in graph.needs(made)[u.id] for u in made.units if made.contract in u.needs)
    assert layered(made, grouping) == made


# ---- changing a plan


def test_requests_become_a_last_unit_that_runs_alone() -> None:
    plan = layered(read(unit("a"), unit("b", needs=["a"]), unit("wiring")), "auto")
    notes = [RequestNote(path="app/routes.py", what="add /x"), RequestNote(path="app/routes.py", what="add /x")]
    made = with_wiring(plan, notes)
    wiring = made.units[-1]
    assert (wiring.id, wiring.needs, wiring.writes, wiring.batch) == ("wiring-2", ("a", "b", "wiring"), ("**",), 3)
    assert wiring.goal.count("- `app/routes.py`: add /x") == 1
    assert made.batches == (*plan.batches, ("wiring-2",))
    assert parse(msgspec.json.encode(made), "p").batches == made.batches
    assert with_wiring(made, notes).units[-1].id == "wiring-3"
    assert with_wiring(plan, []) == plan
    assert replacing(plan, made, frozenset({"a", "b", "wiring"})) == made


def test_a_plan_is_replaced_only_where_nothing_was_tried() -> None:
    old = read(unit("a"), unit("b"), unit("c"))
    touched = frozenset({"a"})
    new = read(unit("a"), unit("b", goal="do more"), unit("d"))
    assert replacing(old, new, touched) == new
    assert replacing(old, read(unit("b")), touched) == "a has been tried already, and the new plan has no such unit."
    changed = read(unit("a", goal="else"), unit("b"))
    assert replacing(old, changed, touched) == "a has been tried already, and the new plan changes it."
    moved = layered(read(unit("a", batch=2), unit("x", batch=1)), "auto")
    assert replacing(old, moved, touched) == moved
    again = replacing(old, new, touched, used=frozenset({"d", "b"}))
    assert again == "d was the id of a unit of an earlier plan, and an id is never used again."
    other = replacing(old, read(unit("a"), unit("k", needs=["a"]), contract="k"), touched)
    assert other == "The contract was none and would be k, and units have begun."
