"""What `ropeteam agents` says: which agents there are, which can be used here, and what each can do."""

from __future__ import annotations

from typing import Literal

from ropeteam.core.model import Value

AgentState = Literal["usable", "log_in", "broken", "missing", "not_set_up"]


class AgentAbilities(Value, frozen=True, kw_only=True, omit_defaults=False):
    """report: how it reports: in the structured form it is asked for, in a file that it writes, or in its text. usage:
    what it tells of tokens and money. forks: it can go on from a copy of another attempt's conversation.
    forks_confined: it can in the sandbox. stops_at: limits that it stops at by itself. thinks: it can be given an MCP
    server to think with. hosted: nothing is started: its tasks are offered, and whoever asks for one does it. note: a
    sentence."""

    report: Literal["structured", "file", "text"] = "file"
    usage: Literal["cost", "tokens", "some", "none"] = "none"
    forks: bool = False
    forks_confined: bool = False
    stops_at: tuple[Literal["money", "turns"], ...] = ()
    thinks: bool = False
    hosted: bool = False
    note: str = ""


class AgentFound(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One agent. state: usable; log_in: its program is there, and nobody is logged in; broken: it is there and cannot
    be run; missing: it is not there; not_set_up: it needs to be told which program to run. chosen: it is taken where no
    other is named. problem, hint: empty where it can be used."""

    name: str
    state: AgentState
    usable: bool
    chosen: bool = False
    version: str = ""
    path: str = ""
    problem: str = ""
    hint: str = ""
    can: AgentAbilities = AgentAbilities()


class AgentsReport(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Every agent there is, in alphabetical order. seconds: that it took to look."""

    agents: tuple[AgentFound, ...] = ()
    seconds: float = 0.0
