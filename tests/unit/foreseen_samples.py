"""A feature as it is foreseen, for what is shown of planning: everything that a page can say, said once."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.decide import decide
from ropeteam.core.foreseen import Foreseen
from ropeteam.core.model import Answers, Confidence, Plan, PlanEstimate, SideEstimate, Unit, UnitEstimate
from ropeteam.core.plan import layered
from ropeteam.core.reading import told
from ropeteam.core.settings import Gate, Settings
from ropeteam.core.survey import Candidate, Dependency, EdgeNote, Explanation, Outlook, PlannedFile, Survey, UnitNote

FILES = (
    PlannedFile(path="shop/models/cart.py", status="A", lines=120, category="model", source="01-architecture.md:12"),
    PlannedFile(path="shop/api/cart.py", status="A", lines=90, category="service"),
    PlannedFile(path="shop/routes.py", status="M", size=80, hub=True),
    PlannedFile(path="shop/old_cart.py", status="D", size=40),
)

UNITS = (
    Unit(
        id="01-contract",
        title="Names that the others share",
        goal="Declare Cart and its methods.",
        kind="contract",
        layer="config",
        writes=("shop/models/__init__.py", "shop/schema.sql"),
        estimate=UnitEstimate(seconds_p50=90.0, seconds_p90=170.0, tokens_p50=30_000.0),
    ),
    Unit(
        id="02-models",
        title="The cart and its lines, with what they cost together",
        goal="Implement Cart.",
        layer="models",
        needs=("01-contract",),
        writes=("shop/models/cart.py", "shop/models/line.py", "tests/test_cart.py", "tests/test_line.py"),
        requirements=("REQ-001", "REQ-002"),
        estimate=UnitEstimate(seconds_p50=340.0, seconds_p90=700.0, tokens_p50=120_000.0),
    ),
    Unit(
        id="03-api",
        title="The API of carts",
        goal="Add the API.",
        layer="services",
        needs=("01-contract",),
        writes=tuple(f"shop/api/{name}.py" for name in ("cart", "line", "price", "stock", "voucher", "ship", "tax")),
        reads=("shop/api/base.py",),
        requirements=("REQ-003",),
        estimate=UnitEstimate(seconds_p50=310.0, seconds_p90=640.0, tokens_p50=110_000.0),
    ),
    Unit(
        id="04-wiring",
        title="Everything can be reached",
        goal="Register it.",
        layer="wiring",
        needs=("01-contract", "02-models", "03-api"),
        writes=("shop/routes.py",),
        estimate=UnitEstimate(seconds_p50=80.0, seconds_p90=150.0, tokens_p50=20_000.0),
    ),
)

EXPLANATION = Explanation(
    planner="static",
    candidates=(
        Candidate(
            name="balanced, thin contract",
            units=4,
            width=2,
            seconds_p50=560.0,
            seconds_p90=980.0,
            speedup_p50=1.84,
            speedup_quantile=1.58,
            chosen=True,
        ),
        Candidate(
            name="layers with barriers",
            units=5,
            width=2,
            seconds_p50=790.0,
            seconds_p90=1400.0,
            speedup_p50=1.2,
            speedup_quantile=1.02,
            why="Every layer waits for the slowest unit of the one before.",
        ),
        Candidate(
            name="one unit a file",
            units=12,
            width=7,
            seconds_p50=900.0,
            seconds_p90=1500.0,
            speedup_p50=1.05,
            speedup_quantile=0.9,
            why="Reading in twelve times costs more than the width gains.",
        ),
    ),
    units=(
        UnitNote(unit="01-contract", reasons=("2 files need what it declares.", "It is 4 % of the work.")),
        UnitNote(unit="02-models", reasons=("Tests are beside what they test.",)),
    ),
    edges=(
        EdgeNote(
            unit="03-api",
            on="02-models",
            likelihood=0.72,
            handled="contract",
            evidence=("shop/api/cart.py imports shop/models/cart.py in 3 of 4 sibling files.",),
        ),
        EdgeNote(unit="02-models", on="03-api", likelihood=0.12, handled="risk", evidence=("Both are new.",)),
    ),
    flips=("With 2 workers one agent would do it: the speed-up would be 1.31.",),
)


def a_plan() -> Plan:
    made = layered(Plan(units=UNITS, contract="01-contract"), "auto")
    return replace(
        made,
        confidence=Confidence(value=0.943, reasons=("1 of 4 new files has no declared needs.",)),
        estimate=PlanEstimate(
            workers=4,
            gate_quantile=0.25,
            speedup_quantile=1.58,
            speedup_p50=1.84,
            single=SideEstimate(
                seconds_p50=960.0, seconds_p90=1_700.0, tokens_p50=410_000.0, cost_usd_p50=0.41, cost_usd_p90=0.83
            ),
            parallel=SideEstimate(
                seconds_p50=540.0, seconds_p90=980.0, tokens_p50=560_000.0, cost_usd_p50=0.56, cost_usd_p90=1.12
            ),
            critical_path=("01-contract", "02-models", "04-wiring"),
        ),
    )


def foreseen(plan: Plan | None = None, *, mode: str = "auto", gate: Gate | None = None) -> Foreseen:
    gate = gate or Gate()
    plan = plan or a_plan()
    survey = Survey(
        files=FILES,
        dependencies=(Dependency(path="shop/api/cart.py", on="shop/models/cart.py", kind="sibling", likelihood=0.72),),
        named=True,
        unresolved=("01-architecture.md:30: `the usual place` is no path.",),
        uncovered=("REQ-009",),
    )
    return Foreseen(
        feature="cart",
        base="84601df1a83aaddce64e10ffb27b075c667df4f9",
        plan=plan,
        decision=decide(Answers(mode=mode, agent="claude"), plan, gate),  # type: ignore[arg-type]
        outlook=Outlook(survey=survey, costs=Costs(), explanation=EXPLANATION),
        gate=gate,
        agent="claude",
        reading=told(Settings(), "parallel", one_reading=True),
    )
