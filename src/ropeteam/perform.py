"""Which part carries out which command."""

from __future__ import annotations

import asyncio
from typing import assert_never

from ropeteam.assessing import assess
from ropeteam.attempts import Attempts
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.progress import top
from ropeteam.core.state import RunState
from ropeteam.delivery import Delivery
from ropeteam.engine import Emit, free_bytes
from ropeteam.merging import Merging
from ropeteam.validation import Validation


class RunPerformer:
    """The `engine.Performer` of one run."""

    def __init__(self, context: RunContext) -> None:
        self._c = context
        self._seen: RunState | None = None
        self._attempts = Attempts(context, integration=lambda: top(self._seen) if self._seen else "")
        self._validation = Validation(context)
        self._merging = Merging(context, self._validation)
        self._delivery = Delivery(context, self._validation)

    async def perform(self, command: ev.AnyCommand, state: RunState, emit: Emit) -> ev.AnyEvent:
        self._seen = state  # each that is due begins with the newest state
        match command:
            case ev.RunAgent():
                return await self._attempts.perform(command, state, emit)
            case ev.Assess():
                return await asyncio.to_thread(assess, self._c, command, state)
            case ev.Keep():
                return await asyncio.to_thread(self._attempts.keep, command, state)
            case ev.MeasureBaseline():
                return await self._validation.baseline(command, state, emit)
            case ev.Merge():
                return await self._merging.merge(command)
            case ev.Validate():
                return await self._validation.validate(command)
            case ev.Compose():
                return await self._delivery.compose(command, state)
            case ev.Ask():
                return await self._delivery.ask(state)
            case ev.Land():
                return await self._delivery.land(command, state, emit)
            case ev.LeaveBranch():
                return await self._delivery.leave_branch(command)
            case ev.WriteDocuments():
                return await self._delivery.write_documents(command, state)
            case ev.Rebase():
                return await self._delivery.rebase(command)
            case ev.Plan() | ev.Replan() | ev.Stop() | ev.Fire() | ev.Finish() | ev.Park() | ev.Interrupt():
                raise AssertionError(f"{command.key} is answered by the engine itself")
            case _:
                assert_never(command)

    def stop_agent(self, command: ev.RunAgent, stop: ev.Stop) -> None:
        self._attempts.stop(command, stop)

    def free_bytes(self) -> int:
        return free_bytes(self._c.folder, self._c.repo.common_dir)
