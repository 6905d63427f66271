"""What is to come of each case, written by hand for each agent: `tests/golden/<agent>/expected.toml`.

[left-out]
turns = "gemini has no limit of turns"

[auth]
outcome = "auth"
words = "401"        # in the evidence
retry_at = true      # the moment to go on is told
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ropeteam.ports import Finish, Said

GOLDEN = Path(__file__).parent / "golden"


def expected(agent: str) -> dict[str, dict[str, Any]]:
    """By case; empty where nothing was written down yet."""
    return {name: value for name, value in _read(agent).items() if name not in ("left-out", "agent")}


def left_out(agent: str) -> dict[str, str]:
    """Cases that mean nothing for this agent, with the reason."""
    return dict(_read(agent).get("left-out", {}))


def _read(agent: str) -> dict[str, Any]:
    path = GOLDEN / agent / "expected.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def check(agent: str, case: str, finish: Finish, said: Sequence[Said]) -> None:
    """AssertionError where what an adapter made of a case is not what was written down."""
    wanted = expected(agent)[case]
    assert finish.outcome == wanted["outcome"], finish.evidence
    assert wanted.get("words", "") in finish.evidence
    assert finish.evidence
    assert not [one for one in said if one.kind == "garbled"]
    assert (finish.retry_at is not None) == wanted.get("retry_at", False), finish.retry_at
    assert any(one.kind == "denied" for one in said) == wanted.get("denied", False)
    if wanted.get("report"):
        assert [note.path for note in finish.report.files] == ["app/new.py"]
        assert [note.rationale for note in finish.report.decisions] == ["it is small"]
        assert [note.what for note in finish.report.deviations] == ["no cache"]
    if finish.outcome == "ok":
        assert any(one.kind == "end" for one in said), "its own word that it is done"


def has(agent: str, what: str) -> bool:
    """Whether the agent has a `shell`, a `session` to be named, `exact` figures of its usage: all do unless it is said
    otherwise."""
    return bool(_read(agent).get("agent", {}).get(what, True))


def adapter_of(agent: str) -> str:
    """The adapter that these recordings are for: one can drive several programs."""
    return str(_read(agent).get("agent", {}).get("adapter", agent))
