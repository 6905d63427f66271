"""The file of a plan (`--plan`): read whole, or a refusal that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ropeteam.core import plan as plans
from ropeteam.core.model import Plan
from ropeteam.errors import BadInput

LARGEST_BYTES: Final = 8_000_000
"""A thousand units with pages of text each."""


def load_plan(path: Path) -> Plan:
    """The plan in a file, checked in full. Raises BadInput (`bad_plan`) with every fault."""
    shown = str(path)
    try:
        if not path.is_file():
            raise _bad(f"There is no file {shown}.", shown, "--plan takes the path of a file.")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as problem:
        said = f"The plan cannot be read: {problem.strerror or problem}."
        raise _bad(said, shown, "Make it readable, or give another.") from problem
    if len(content) > LARGEST_BYTES:
        said = f"{shown} has more than {LARGEST_BYTES:,} bytes: that is no plan."
        raise _bad(said, shown, "docs/guide/plans.md says what a plan holds.")
    return plans.parse(content, shown)


def _bad(message: str, where: str, hint: str) -> BadInput:
    return BadInput(message, where=where, hint=hint, code="bad_plan")
