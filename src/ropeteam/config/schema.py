"""A JSON Schema of `ropeteam.toml`, made from the types in `core.settings` and the ranges in `keys`."""

from __future__ import annotations

from typing import Any

import msgspec

from ropeteam.config import keys
from ropeteam.core.settings import Settings


def schema() -> dict[str, Any]:
    """For editors and for the guide. A new document at every call."""
    _, definitions = msgspec.json.schema_components([Settings], ref_template="#/$defs/{name}")
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions.pop("Settings"),
        "title": "ropeteam.toml",
        "$defs": definitions,
    }
    _with_ranges(made)
    _with_agents(made)
    _with_commands(made)
    return made


def _with_ranges(made: dict[str, Any]) -> None:
    for name, bounds in keys.RANGES.items():
        *group, last = name.replace("agent.*", "AgentSettings").split(".")
        owner = made["$defs"][group[0].capitalize() if group[0] != "AgentSettings" else group[0]] if group else made
        _bound(owner["properties"][last], bounds)


def _bound(schema: dict[str, Any], bounds: keys.Range) -> None:
    """Also a limit that may be absent: `"none"` takes it away, as null cannot be written in TOML."""
    options = schema.get("anyOf", [schema])
    for option in options:
        if option.get("type") in ("integer", "number"):
            option["exclusiveMinimum" if bounds.above else "minimum"] = bounds.low
            if bounds.high != float("inf"):
                option["maximum"] = bounds.high
        elif option.get("type") == "null":
            option.clear()
            option["const"] = "none"


def _with_agents(made: dict[str, Any]) -> None:
    """`agent = "claude"`, or a table `[agent]` with its name and one table for each agent."""
    of_agents = made["properties"]["agents"]
    beside = {"for": made["properties"].pop("agent_for"), "instead": made["properties"].pop("instead")}
    of_agents["propertyNames"] = {"enum": list(keys.AGENTS)}
    made["properties"]["agent"] = {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"name": {"type": "string"}, **beside}
                | {agent: {"$ref": "#/$defs/AgentSettings"} for agent in keys.AGENTS},
                "additionalProperties": False,
            },
        ]
    }


def _with_commands(made: dict[str, Any]) -> None:
    command = made["$defs"]["CheckCommand"]
    command["properties"].pop("found")
    command["properties"]["argv"] = {"anyOf": [{"type": "string"}, command["properties"]["argv"]]}
    command["required"] = ["argv"]
    made["$defs"]["Checks"]["properties"]["commands"] = {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/CheckCommand"}]},
    }
