"""The fault matrix: what happens to an agent, in words that belong to none. What is to come of it stands, written by
hand, in `tests/golden/<agent>/expected.toml`."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ropeteam.testing.model_server import Broken, EditFile, Fault, Refused, Shell, Turn, WriteFile

REPORT = {
    "files": [{"path": "app/new.py", "purpose": "the new module"}],
    "decisions": [{"decision": "one module", "rationale": "it is small"}],
    "deviations": [{"what": "no cache", "why": "not needed"}],
}
ENVIRONMENT = "seen.env"
"""Where, in its tree, the agent's own shell writes the environment that it has."""

WRITE = Turn(text="Writing the module.", calls=(WriteFile(path="app/new.py", content="x = 1\n"),))
EDIT = Turn(calls=(EditFile(path="app/new.py", find="x = 1", replace="x = 2"),))
LOOK = Turn(calls=(Shell(command=f"env > {ENVIRONMENT}; cat app/new.py"),))
OUTSIDE = Turn(calls=(WriteFile(path="../outside.txt", content="x\n"),))
Step = Turn | Literal["report"]
"""`report`: it gives its report, in the way of the agent at hand."""


@dataclass(frozen=True)
class Case:
    """forever: the last fault is repeated. key: there is one. refused: nobody listens at the base URL. signal: what
    the program gets while its second request hangs; stop: why it is stopped then, as the engine does it. seconds: after
    them it is stopped as one that has stalled. turns, budget_usd: limits of the task."""

    steps: Sequence[Step] = (WRITE, "report")
    faults: Sequence[Fault | None] = ()
    forever: bool = False
    key: bool = True
    refused: bool = False
    signal: int = 0
    stop: Literal["", "asked", "stalled"] = ""
    seconds: float = 240.0
    turns: int | None = None
    budget_usd: float | None = None


def _always(kind: str, seconds: float | None = None) -> Case:
    return Case(faults=[Refused(kind=kind, seconds=seconds)], forever=True)  # type: ignore[arg-type]


def _broken(kind: str) -> Case:
    return Case(faults=[Broken(kind=kind)], forever=True)  # type: ignore[arg-type]


HANGS = (None, Broken(kind="hang"))

CASES = {
    "success": Case(steps=(WRITE, EDIT, LOOK, "report")),
    "no-report": Case(steps=(WRITE, Turn(text="All done."), Turn(text="Really."))),
    "nothing": Case(steps=("report",)),
    "denied": Case(steps=(OUTSIDE, WRITE, "report")),
    "not-logged-in": Case(key=False),
    "auth": _always("auth"),
    "forbidden": _always("forbidden"),
    "rate": _always("rate", 1.0),
    "rate-once": Case(faults=[None, Refused(kind="rate", seconds=1.0)]),
    "quota": _always("quota"),
    "window": _always("window"),
    "overload": _always("overload"),
    "overload-once": Case(faults=[None, Refused(kind="overload")]),
    "server": _always("server"),
    "context": Case(faults=[None, Refused(kind="context")], forever=True),
    "no-such-model": _always("model"),
    "bad-request": _always("bad"),
    "garbage": _broken("garbage"),
    "cut-once": Case(faults=[Broken(kind="cut")]),
    "cut": _broken("cut"),
    "empty": _broken("empty"),
    "sse-error": _broken("sse_error"),
    "reset": _broken("reset"),
    "refused": Case(refused=True),
    "turns": Case(steps=[WRITE] * 5, turns=2),
    "budget": Case(steps=[WRITE] * 5, budget_usd=0.01),
    "hang": Case(faults=HANGS, forever=True, stop="stalled"),
    "stopped": Case(faults=HANGS, forever=True, stop="asked"),
    "sigterm": Case(faults=HANGS, forever=True, signal=signal.SIGTERM),
    "sigint": Case(faults=HANGS, forever=True, signal=signal.SIGINT),
    "sigkill": Case(faults=HANGS, forever=True, signal=signal.SIGKILL),
}
