"""Which settings there are, what each may be, and what to say where a name or a value does not fit.

The names and types are those of `core.settings`, read from the types themselves; ranges are here.
"""

from __future__ import annotations

import difflib
import functools
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from ropeteam.core.settings import AgentSettings, Settings

AGENTS = ("acp", "aider", "claude", "codex", "command", "gemini", "host", "mini-swe-agent", "opencode", "scripted")

LONGEST_SECONDS = 100_000_000.0  # about three years: what dates can be made of


@dataclass(frozen=True)
class Range:
    """Bounds of a number; `above` excludes `low` itself."""

    low: float
    high: float = math.inf
    above: bool = False

    def holds(self, value: float) -> bool:
        return math.isfinite(value) and (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high == math.inf or self.high == LONGEST_SECONDS:
            return f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        return f"from {self.low:g} to {self.high:g}" + (f", not {self.low:g}" if self.above else "")


_TIME = Range(0, LONGEST_SECONDS, above=True)
_WAIT = Range(0, LONGEST_SECONDS)
_SHARE = Range(0, 1)
RANGES: Mapping[str, Range] = {
    "workers": Range(1, 64),
    "limits.attempt_seconds": _TIME,
    "limits.stall_seconds": _TIME,
    "limits.grace_seconds": _WAIT,
    "limits.context_share": _SHARE,
    "limits.budget_share": _SHARE,
    "limits.budget_usd": Range(0, above=True),
    "limits.budget_tokens": Range(1),
    "limits.run_seconds": _TIME,
    "limits.turns": Range(1),
    "limits.retry_seconds": _WAIT,
    "limits.check_seconds": _TIME,
    "limits.free_bytes": Range(0),
    "limits.snapshot_seconds": _TIME,
    "limits.lookahead_seconds": _TIME,
    "limits.log_bytes": Range(10_000),
    "limits.tries": Range(1, 10),
    "limits.host_seconds": _TIME,
    "limits.undeclared_files": Range(0),
    "gate.min_speedup": Range(0),
    "gate.min_sequential_seconds": Range(0, LONGEST_SECONDS),
    "gate.min_confidence": _SHARE,
    "gate.quantile": _SHARE,
    "plan.seed": Range(0, 2**31),
    "reading.pack_tokens": Range(200, 200_000),
    "ask.cost_usd": Range(0),
    "ask.seconds": _WAIT,
    "checks.retries": Range(0, 10),
    "agent.*.time_scale": Range(0, 1_000_000, above=True),
}


@dataclass(frozen=True)
class Key:
    """One setting. parts: its dotted name, `agent` for both spellings. rule: the name its range is under."""

    parts: tuple[str, ...]
    type: Any
    rule: str

    @property
    def name(self) -> str:
        return ".".join(self.parts)


class Unknown(Exception):
    """There is no such setting. hint: the closest name and what there is."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_SPELLED = {"agent_for": "agent.for", "instead": "agent.instead"}
"""Fields of `Settings` that stand in the table `agent` beside the agents themselves."""
_BESIDE = ("for", "instead", "name")
"""Names in the table `agent` that are no agents."""


def place(parts: Sequence[str]) -> tuple[str, ...]:
    """Where in `Settings`, as plain data, a setting stands."""
    if len(parts) < 2 or parts[0] != "agent":
        return tuple(parts)
    beside = {"for": "agent_for", "instead": "instead"}
    return (beside[parts[1]], *parts[2:]) if parts[1] in beside else ("agents", *parts[1:])


@functools.cache
def names() -> dict[str, Any]:
    """Dotted name -> type of every setting but those of single agents."""
    found: dict[str, Any] = {}

    def walk(prefix: str, struct: type) -> None:
        for name, kind in get_type_hints(struct).items():
            spelled = _SPELLED.get(prefix + name, prefix + name)
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                walk(f"{spelled}.", kind)
            elif name != "agents":
                found[spelled] = kind

    walk("", Settings)
    return found


@functools.cache
def agent_fields() -> dict[str, Any]:
    return get_type_hints(AgentSettings)


def is_group(parts: tuple[str, ...]) -> bool:
    """Whether the name stands for a table of settings, not for one."""
    if parts[0] in ("agent", "agents"):
        return len(parts) <= 2 and (len(parts) < 2 or parts[1] not in ("instead", "name"))
    return any(name.startswith(".".join(parts) + ".") for name in names())


def is_agent(parts: tuple[str, ...]) -> bool:
    """Whether the name stands for the table of one agent."""
    return len(parts) == 2 and parts[0] in ("agent", "agents") and parts[1] not in _BESIDE


def is_table(kind: Any) -> bool:
    return get_origin(kind) is dict


def resolve(name: str | Sequence[str], agents: Sequence[str], *, known_agents_only: bool = True) -> Key:
    """The setting of that name. Raises Unknown with the closest names."""
    parts = tuple(name.split(".")) if isinstance(name, str) else tuple(name)
    if parts in (("agent",), ("agent", "name")):
        return Key(("agent",), names()["agent"], "agent")
    if parts[0] in ("agent", "agents") and parts[1:2] not in (("for",), ("instead",)):
        return _of_agent(parts, agents, known_agents_only)
    for length in range(len(parts), 0, -1):
        kind = names().get(".".join(parts[:length]))
        if kind is not None and (length == len(parts) or is_table(kind)):
            return _entry(parts, length, kind, ".".join(parts[:length]))
    if is_group(parts):
        inside = ", ".join(other for other in names() if other.startswith(".".join(parts) + "."))
        raise Unknown(f"{'.'.join(parts)} is a table of settings.", f"Set one of {inside}.")
    raise _unknown(".".join(parts), list(names()))


def _entry(parts: tuple[str, ...], length: int, kind: Any, rule: str) -> Key:
    """The setting itself, or one entry of a table of variables (whose name may hold dots)."""
    if length == len(parts):
        return Key(parts, kind, rule)
    return Key((*parts[:length], ".".join(parts[length:])), get_args(kind)[1], rule)


def _of_agent(parts: tuple[str, ...], agents: Sequence[str], known_only: bool) -> Key:
    parts = ("agent", *parts[1:])
    if known_only and (len(parts) < 2 or parts[1] not in agents):
        close = closest(parts[1] if len(parts) > 1 else "", agents)
        raise Unknown(f"There is no agent {'.'.join(parts[1:2])!r}.", f"{close}Agents: {', '.join(agents)}.")
    fields = agent_fields()
    if len(parts) == 2:
        raise Unknown(f"{'.'.join(parts)} is a table of settings.", f"It has {', '.join(fields)}.")
    kind = fields.get(parts[2])
    if kind is None or (len(parts) > 3 and not is_table(kind)):
        raise _unknown(".".join(parts), [f"agent.{parts[1]}.{field}" for field in fields])
    return _entry(parts, 3, kind, f"agent.*.{parts[2]}")


def _unknown(name: str, known: list[str]) -> Unknown:
    group = name.rpartition(".")[0]
    siblings = [other for other in known if other.rpartition(".")[0] == group]
    last = {other.rpartition(".")[2]: other for other in known}  # `attempt_seconds` for `limits.attempt_seconds`
    word = name.rpartition(".")[2]
    close = (
        f"Did you mean {last[word]!r}? " if word in last else closest(name, known) or closest(word, list(last), last)
    )
    there = siblings if group and siblings else [*dict.fromkeys(other.partition(".")[0] for other in known)]
    return Unknown(f"There is no setting {name!r}.", f"{close}There is: {', '.join(there)}.")


def closest(name: str, known: Sequence[str], full: Mapping[str, str] | None = None) -> str:
    """`Did you mean 'x'? ` with the closest of `known`, or nothing."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"Did you mean {(full or {}).get(found[0], found[0])!r}? " if found else ""


def allowed(key: Key) -> str:
    """What the setting may be, for people: `a number from 0 to 1`."""
    words = _words(key.type)
    return f"{words} {RANGES[key.rule]}" if key.rule in RANGES else words


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_words(one) for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{one}"' for one in get_args(kind))
    if get_origin(kind) is tuple:
        return 'a list of strings, like ["one", "two"]'
    if is_table(kind):
        inside = get_args(kind)[1]
        if inside is str:
            return 'a table of strings, like {NAME = "value"}'
        return 'a table of lists of strings, like {"name" = ["one", "two"]}'
    return {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}[kind]


def takes_none(key: Key) -> bool:
    """Whether `"none"` takes a limit away: numbers that may be absent."""
    parts = get_args(key.type)
    return type(None) in parts and str not in parts and any(one in parts for one in (int, float))


def takes_string(key: Key) -> bool:
    return key.type is str or str in get_args(key.type)
