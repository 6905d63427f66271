"""Settings, from where they are to a frozen `Settings`, with the source of each value.

Later layers win: built-in defaults, the user's file, the repository's settings at the base commit (`ropeteam.toml` or
`[tool.ropeteam]` in `pyproject.toml`), `ROPETEAM_...` variables, `--set key=value`, flags. Tables of variables
(`trees.env`, `agent.<name>.env`) are merged name by name; everything else is replaced as a whole. What the repository's
`.worktreeinclude` lists is added to `trees.copy`, whatever layer that comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from ropeteam.config import keys, layers
from ropeteam.config.layers import Given, Origin
from ropeteam.config.places import cache_folder, settings_folder
from ropeteam.config.schema import schema
from ropeteam.core.settings import Settings

__all__ = ["AGENTS", "Loaded", "cache_folder", "describe", "load", "needs_consent", "schema", "user_file"]

AGENTS = keys.AGENTS
_SECRET = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_REACHES_OUT = re.compile(
    r"checks\.(commands|setup)|agent\.[^.]+\.(argv|env|script)|plan\.thinking_argv|sandbox|trees\.(env|pass_env|folder)"
)


@dataclass(frozen=True)
class Loaded:
    """sources: dotted name -> where its value came from, a sentence. origins: the layer it came from."""

    settings: Settings
    sources: dict[str, str]
    origins: dict[str, Origin]


def load(
    *,
    top: Path | None,
    read: Callable[[str], bytes | None],
    user_file: Path | None,
    env: Mapping[str, str],
    sets: Sequence[str],
    flags: Mapping[str, object],
    agents: Sequence[str] = AGENTS,
) -> Loaded:
    """All layers as one. Raises BadInput with file, line, what is allowed and the closest name for every fault.

    top: the repository, None where there is none (its layer is left out). read: a path in it -> content at the base
    commit, None when it has no such file. env: the caller's environment; only `ROPETEAM_...` is looked at. sets: the
    values of `--set`. flags: dotted name -> value, None when not given. agents: which names may be configured.
    """
    given: list[Given] = []
    if user_file is not None:
        given += layers.of_user(user_file, agents)
    if top is not None:
        given += layers.of_repository(read, agents)
    given += layers.of_environment(env, agents)
    given += layers.of_sets(sets, agents)
    given += layers.of_flags(flags, agents)
    chosen = {one.name: one for one in given}
    names = [*keys.names(), *(name for name in chosen if name not in keys.names())]
    sources = {name: chosen[name].source if name in chosen else "built-in default" for name in names}
    settings = _settings(chosen)
    if included := layers.of_include(read) if top is not None else ():
        settings = replace(settings, trees=replace(settings.trees, copy=(*settings.trees.copy, *included)))
        sources["trees.copy"] += f", and {layers.INCLUDE_FILE} at the base commit"
    return Loaded(
        settings=settings,
        sources=sources,
        origins={name: chosen[name].origin if name in chosen else "default" for name in names},
    )


def _settings(chosen: Mapping[str, Given]) -> Settings:
    tree: dict[str, Any] = {}
    for one in chosen.values():
        parts = keys.place(one.key.parts)
        table = tree
        for part in parts[:-1]:
            table = table.setdefault(part, {})
        table[parts[-1]] = one.value
    return msgspec.convert(tree, Settings)


def user_file() -> Path:
    """The user's own settings: `ropeteam.toml` in the platform's configuration folder. It need not exist."""
    return settings_folder() / "ropeteam.toml"


def describe(loaded: Loaded) -> list[tuple[str, object, str]]:
    """Every setting as (dotted name, value as JSON would have it, source). Values that look secret are hidden."""
    tree = msgspec.to_builtins(loaded.settings)
    rows: list[tuple[str, object, str]] = []
    for name, source in loaded.sources.items():
        value = _at(tree, keys.resolve(name, AGENTS, known_agents_only=False).parts)
        if isinstance(value, dict) and any(other.startswith(f"{name}.") for other in loaded.sources):
            continue  # its entries have rows of their own
        secret = ".env." in name and _SECRET.search(name.rpartition(".env.")[2])
        rows.append((name, "***" if secret else value, source))
    return rows


def needs_consent(loaded: Loaded) -> list[tuple[str, object, str]]:
    """What the repository's own settings would run, or open to agents, as `describe` has it: to be asked about."""
    return [
        row
        for row in describe(loaded)
        if loaded.origins[row[0]] == "repository" and _REACHES_OUT.match(row[0]) and row[1] not in ((), {}, None)
    ]


def _at(tree: Any, parts: tuple[str, ...]) -> object:
    for part in keys.place(parts):
        tree = tree[part]
    return tree
