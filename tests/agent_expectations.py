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
from pathlib import Path
from typing import Any

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
