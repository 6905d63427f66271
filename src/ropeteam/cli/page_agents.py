"""The page of `ropeteam agents`: those that can be used and what they can do, then the others and what to do."""

from __future__ import annotations

from typing import Final

from ropeteam.cli.page_parts import Page, Row, Section
from ropeteam.cli.plain import count, escaped, plain, whole
from ropeteam.core.agents_report import AgentFound, AgentsReport

HEAD: Final = ("agent", "version", "report", "tells", "forks", "stops at", "thinks")

_TELLS: Final = {"cost": "tokens, money", "tokens": "tokens", "some": "some", "none": "nothing"}


def agents_page(found: AgentsReport) -> Page:
    usable = [agent for agent in found.agents if agent.usable]
    others = [agent for agent in found.agents if not agent.usable]
    chosen = next((agent.name for agent in usable if agent.chosen), "")
    sections = []
    if usable:
        sections.append(Section("Can be used", tuple(_able(agent) for agent in usable), head=HEAD, left=len(HEAD)))
        notes = tuple(Row((agent.name, whole(agent.can.note))) for agent in usable if agent.can.note)
        sections += [Section("Notes", notes)] if notes else []
        places = tuple(Row((agent.name, escaped(agent.path))) for agent in usable if agent.path)
        sections += [Section("Where they are", places)] if places else []
    if others:
        sections.append(Section("Cannot be used yet", tuple(_unable(agent) for agent in others)))
    below = f"{chosen} is taken where none is named." if chosen else "None is taken by itself: name one (--agent)."
    return Page(
        headline=f"{count(len(usable), 'agent')} of {len(found.agents)} can be used here.",
        tone="good" if chosen else "calm",
        below=below,
        sections=tuple(sections),
        next=(),
    )


def _able(agent: AgentFound) -> Row:
    can = agent.can
    cells = (
        agent.name,
        plain(agent.version) or "–",
        "form" if can.report == "structured" else can.report,
        _TELLS[can.usage],
        "yes" if can.forks else "sandbox" if can.forks_confined else "–",
        ", ".join(can.stops_at) or "–",
        "yes" if can.thinks else "–",
    )
    return Row(cells)


def _unable(agent: AgentFound) -> Row:
    hint = (plain(agent.hint),) if agent.hint else ()
    version = f"{plain(agent.version)}: " if agent.version else ""
    return Row((agent.name, f"{version}{whole(agent.problem)}", *hint))
