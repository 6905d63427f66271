"""A check on the base commit's tree and then with its canary, as `ropeteam.validation` does it."""

from __future__ import annotations

from collections.abc import Sequence

from ropeteam.checks import gauge
from ropeteam.core.model import Baseline
from ropeteam.ports import Check, Place


async def measure(check: Check, place: Place, files: Sequence[str], *, canary: bool = True) -> Baseline:
    run = await check.run(place, f"{check.command.name}-base")
    return await gauge(check, place, files, run) if canary else Baseline(run=run)
