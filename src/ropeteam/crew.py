"""Who works in a run: the agent that is named or found, and those that the settings name for parts of the work."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ropeteam.config import Loaded
from ropeteam.core.choosing import every, read
from ropeteam.core.events import RunStarted
from ropeteam.core.model import Unusable
from ropeteam.core.settings import AgentSettings, Settings
from ropeteam.errors import AgentNotUsable, BadInput
from ropeteam.ports import Agent, Probe

AGENTS: Final = {
    "acp": "ropeteam.agents.acp:AcpAgent",
    "aider": "ropeteam.agents.aider:AiderAgent",
    "claude": "ropeteam.agents.claude:ClaudeAgent",
    "codex": "ropeteam.agents.codex:CodexAgent",
    "command": "ropeteam.agents.command:CommandAgent",
    "gemini": "ropeteam.agents.gemini:GeminiAgent",
    "host": "ropeteam.agents.host:HostAgent",
    "mini-swe-agent": "ropeteam.agents.mini_swe_agent:MiniSweAgent",
    "opencode": "ropeteam.agents.opencode:OpencodeAgent",
    "scripted": "ropeteam.agents.scripted:ScriptedAgent",
}
BY_DEFAULT: Final = ("claude", "codex", "gemini", "opencode")
"""Looked for in this order when no agent is named."""

ASK: Final = "`ropeteam agents` lists what is installed."


def agent(name: str) -> Agent:
    """The adapter of that name. Raises BadInput with the names there are."""
    if name not in AGENTS:
        raise BadInput(f"There is no agent named {name!r}.", where="--agent", hint="Agents: " + ", ".join(AGENTS))
    module, _, attribute = AGENTS[name].partition(":")
    adapter: Agent = getattr(importlib.import_module(module), attribute)()
    return adapter


def probe(loaded: Loaded, name: str) -> Probe:
    """Whether an agent can be used here. What only the repository's own settings name is not run to find out."""
    own = loaded.settings.agents.get(name, AgentSettings())
    return agent(name).probe(own, os.environ, trusted=loaded.origins.get(f"agent.{name}.argv") != "repository")


def first_of(loaded: Loaded, names: Sequence[str]) -> tuple[str, Probe]:
    """The first that answers, and what it answered. Raises AgentNotUsable, with what the first of all lacks."""
    probes = []
    for name in names:
        probes.append(probe(loaded, name))
        if not probes[-1].problem:
            return name, probes[-1]
    first = probes[0]
    raise AgentNotUsable(
        f"The agent {first.name} cannot be used: {first.problem}", where="--agent", hint=first.hint or ASK
    )


def others(loaded: Loaded, first: str) -> tuple[Settings, tuple[Probe, ...], tuple[str, ...]]:
    """The rest of them: settings without those of `agent.instead` that cannot be used, what the others answered, and a
    sentence for each that is left out. Raises AgentNotUsable for one that is to do a part of the work."""
    settings = loaded.settings
    probes = {name: probe(loaded, name) for name in every(settings, first)[1:]}
    needed = every(replace(settings, instead=()), first)
    for name in needed[1:]:
        if problem := probes[name].problem:
            where = next(key for key in loaded.origins if _names(loaded, key, name))
            raise AgentNotUsable(
                f"The agent {name} cannot be used: {problem}", where=where, hint=probes[name].hint or ASK
            )
    usable = tuple(one for one in settings.instead if (n := read(one).agent) == first or not probes[n].problem)
    without = [probes[read(one).agent] for one in settings.instead if one not in usable]
    left_out = tuple(f"{p.name} could not go on for another agent (agent.instead): {p.problem}" for p in without)
    answered = tuple(p for p in probes.values() if not p.problem)
    return replace(settings, instead=usable), answered, left_out


def unusable(begun: RunStarted) -> tuple[Unusable, ...]:
    """Of the agents that a run may use, those that are not there any more. None of their programs is run to find out.

    A program that is named by a path in the repository is looked for when an attempt begins: only its work tree has it.
    """
    found = []
    for name in every(begun.settings, begun.answers.agent):
        own = begun.settings.agents.get(name, AgentSettings())
        if own.argv and "/" in own.argv[0] and not own.argv[0].startswith("/"):
            continue
        answer = agent(name).probe(own, os.environ, trusted=False)
        if answer.problem:
            told = f"The agent {name} cannot be used: {answer.problem} {answer.hint or ASK}".rstrip(". ")
            found.append(Unusable(agent=name, why=f"{told}. Then `ropeteam resume` goes on."))
    return tuple(found)


def _names(loaded: Loaded, key: str, name: str) -> bool:
    """Whether the setting `key` is one of `agent.for` that names this agent."""
    if not key.startswith("agent.for."):
        return False
    part, _, entry = key.removeprefix("agent.for.").partition(".")
    value = getattr(loaded.settings.agent_for, part)
    named = value.get(entry) if isinstance(value, dict) else value
    return isinstance(named, str) and read(named).agent == name
