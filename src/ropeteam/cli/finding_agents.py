"""Looks at every agent there is, all at the same time, and not for long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from ropeteam.core.agents_report import AgentAbilities, AgentFound, AgentsReport, AgentState
from ropeteam.ports import Abilities, Agent, Probe

if TYPE_CHECKING:
    from ropeteam.config import Loaded

SECONDS: Final = 8.0
"""How long all of them are waited for. The slowest takes 1.5 s to say its version, twice that from a cold disk."""

_LATE = f"It did not say its version within {SECONDS:g} s."
_LATE_HINT = "Try again: a program that was never started is slow at first."


def look(loaded: Loaded, seconds: float = SECONDS) -> AgentsReport:
    """Each agent is asked in a thread of its own; one that does not answer in time holds nobody up."""
    from ropeteam import app

    began = time.monotonic()
    found: dict[str, Probe] = {}

    def ask(name: str) -> None:
        found[name] = app.probe(loaded, name)

    # Daemons: a program that hangs must not hold us up at the end either.
    asked = [threading.Thread(target=ask, args=(name,), name=f"probe-{name}", daemon=True) for name in app.AGENTS]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(max(0.0, began + seconds - time.monotonic()))
    named = (loaded.settings.agent,) if loaded.settings.agent else app.BY_DEFAULT
    probes = {name: found.get(name) or Probe(name=name, problem=_LATE, hint=_LATE_HINT) for name in app.AGENTS}
    chosen = next((name for name in named if name in probes and not probes[name].problem), "")
    agents = tuple(of_one(app.agent(name), probe, chosen=name == chosen) for name, probe in sorted(probes.items()))
    return AgentsReport(agents=agents, seconds=round(time.monotonic() - began, 1))


def of_one(agent: Agent, probe: Probe, *, chosen: bool) -> AgentFound:
    return AgentFound(
        name=probe.name,
        state=_state(probe),
        usable=not probe.problem,
        chosen=chosen,
        version=probe.version,
        path=probe.path,
        problem=probe.problem,
        hint=probe.hint if probe.problem else "",
        can=_can(agent, agent.abilities),
    )


def _state(probe: Probe) -> AgentState:
    if not probe.problem:
        return "usable"
    if probe.log_in:
        return "log_in"
    if probe.path or probe.problem == _LATE:
        return "broken"
    return "not_set_up" if f"agent.{probe.name}." in probe.problem else "missing"


def _can(agent: Agent, abilities: Abilities) -> AgentAbilities:
    return AgentAbilities(
        report="structured" if abilities.structured else "file" if agent.report_by == "file" else "text",
        usage=abilities.usage,
        forks=abilities.forks,
        forks_confined=abilities.forks_confined,
        stops_at=(*(("money",) if abilities.budget else ()), *(("turns",) if abilities.turns else ())),
        thinks=agent.attaches,
        hosted=abilities.hosted,
        note=abilities.note,
    )
