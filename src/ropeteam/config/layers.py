"""Each place where settings can stand, read into checked values that know where they came from."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ropeteam.config import keys, values
from ropeteam.config.keys import Key, Unknown
from ropeteam.config.lines import line_of
from ropeteam.config.values import Wrong
from ropeteam.core.layers import LAYERS
from ropeteam.errors import BadInput

Origin = Literal["default", "user", "repository", "environment", "set", "flag"]

OWN_FILE = "ropeteam.toml"
PROJECT_FILE = "pyproject.toml"
INCLUDE_FILE = ".worktreeinclude"
PREFIX = "ROPETEAM_"
NOT_SETTINGS = ("ROPETEAM_TASK", "ROPETEAM_GIT")  # other uses of the prefix that ropeteam itself has
FLAGS = {"limits.budget_usd": "--budget-usd", "limits.budget_tokens": "--budget-tokens"}

_AT_LINE = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")
_AT_BASE = " The repository's settings are read at the commit the run starts from: commit the correction."


@dataclass(frozen=True)
class Given:
    """A checked value, with the layer and a sentence on where it came from."""

    key: Key
    value: object
    origin: Origin
    source: str

    @property
    def name(self) -> str:
        return self.key.name


@dataclass(frozen=True)
class _Place:
    """Where values stand: what a source sentence and a refusal say. text: of the file; prefix: of the table in it."""

    origin: Origin
    source: str
    where: str
    text: str = ""
    prefix: tuple[str, ...] = ()
    advice: str = ""

    def line(self, parts: Sequence[str]) -> int:
        return line_of(self.text, (*self.prefix, *parts)) if self.text else 0

    def at(self, parts: Sequence[str]) -> str:
        line = self.line(parts)
        return f"{self.where}:{line}" if line else self.where

    def sentence(self, parts: Sequence[str]) -> str:
        line = self.line(parts)
        return f"{self.source}, line {line}" if line else self.source


def of_user(path: Path, agents: Sequence[str]) -> list[Given]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"Your settings cannot be read: {error.strerror or error}.", where=str(path)) from error
    text = _decoded(content, str(path), "")
    place = _Place("user", f"your settings {path}", str(path), text)
    return list(_of_table(_parsed(text, place), (), place, agents))


def of_repository(read: Callable[[str], bytes | None], agents: Sequence[str]) -> list[Given]:
    own, project = read(OWN_FILE), read(PROJECT_FILE)
    table: dict[str, Any] | None = None
    text = ""
    if project is not None and b"ropeteam" in project:
        text = _decoded(project, PROJECT_FILE, _AT_BASE)
        table = _table_of_tool(text)
    if own is not None and table is not None:
        raise BadInput(
            f"Both {OWN_FILE} and [tool.ropeteam] in {PROJECT_FILE} have settings.",
            where=f"{PROJECT_FILE}:{line_of(text, ('tool', 'ropeteam'))}",
            hint=f"Keep one of them.{_AT_BASE}",
        )
    if table is not None:
        source = f"[tool.ropeteam] in {PROJECT_FILE} at the base commit"
        place = _Place("repository", source, PROJECT_FILE, text, ("tool", "ropeteam"), _AT_BASE)
    elif own is not None:
        text = _decoded(own, OWN_FILE, _AT_BASE)
        place = _Place("repository", f"{OWN_FILE} at the base commit", OWN_FILE, text, (), _AT_BASE)
        table = _parsed(text, place)
    else:
        return []
    return list(_of_table(table, (), place, agents))


def of_include(read: Callable[[str], bytes | None]) -> tuple[str, ...]:
    """The patterns of `.worktreeinclude`: untracked paths that work trees need, written as in `.gitignore`."""
    text = _decoded(read(INCLUDE_FILE) or b"", INCLUDE_FILE, _AT_BASE)
    return tuple(line for line in text.split("\n") if line.strip() and not line.startswith("#"))


def _table_of_tool(text: str) -> dict[str, Any] | None:
    tools = _parsed(text, _Place("repository", "", PROJECT_FILE, advice=_AT_BASE)).get("tool", {})
    table = tools.get("ropeteam") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        line = line_of(text, ("tool", "ropeteam"))
        raise BadInput("tool.ropeteam is not a table.", where=f"{PROJECT_FILE}:{line}", hint="Write [tool.ropeteam].")
    return table


def of_environment(env: Mapping[str, str], agents: Sequence[str]) -> list[Given]:
    given: list[Given] = []
    known = _variables(agents)
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS or not env[variable]:
            continue
        place = _Place("environment", f"environment variable {variable}", variable)
        parts = _of_variable(variable, known)
        if parts is None:
            _refuse_near_miss(variable, known)
            continue  # a variable of somebody else's
        given += _of_text(parts, env[variable], place, agents)
    return given


def _refuse_near_miss(variable: str, known: Mapping[str, tuple[str, ...]]) -> None:
    """Other programs may use the prefix too: only what is nearly the name of a setting is taken for a mistake."""
    endings = [name.removeprefix(PREFIX) for name in known]
    if close := difflib.get_close_matches(variable.removeprefix(PREFIX), endings, n=1, cutoff=0.8):
        hint = f"Did you mean {PREFIX + close[0]!r}? Else unset it."
        raise BadInput(f"{variable} is not a setting.", where=variable, hint=hint)


def _variables(agents: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The variable of every setting: `limits.tries` -> `ROPETEAM_LIMITS_TRIES`."""
    known = [tuple(name.split(".")) for name in keys.names()]
    known += [("agent", agent, field) for agent in agents for field in keys.agent_fields()]
    return {PREFIX + "_".join(parts).upper().replace("-", "_"): parts for parts in known}


def _of_variable(variable: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    if variable in known:
        return known[variable]
    for name, parts in known.items():
        if parts[-1] == "env" and variable.startswith(f"{name}_"):
            return (*parts, variable[len(name) + 1 :])
    return None


def of_sets(sets: Sequence[str], agents: Sequence[str]) -> list[Given]:
    given: list[Given] = []
    for text in sets:
        name, equals, value = text.partition("=")
        place = _Place("set", f"--set {name.strip()}", "--set")
        if not equals or not name.strip():
            hint = "Write --set key=value, for example --set workers=2."
            raise BadInput(f"--set {text!r} has no key and value.", where="--set", hint=hint)
        given += _of_text(tuple(part.strip() for part in name.strip().split(".")), value.strip(), place, agents)
    return given


def of_flags(flags: Mapping[str, object], agents: Sequence[str]) -> list[Given]:
    given: list[Given] = []
    for name, value in flags.items():
        if value is not None:
            flag = FLAGS.get(name, f"--{name}")
            given += _of_table(_nested(name.split("."), value), (), _Place("flag", f"flag {flag}", flag), agents)
    return given


def _of_text(parts: tuple[str, ...], text: str, place: _Place, agents: Sequence[str]) -> list[Given]:
    """A value as somebody types it: TOML, and a bare word is a string."""
    if not keys.is_group(parts) or parts == ("agent",):
        key = _key(parts, place, agents)
        value = _typed(text, bare=keys.takes_string(key))
        if key.parts == ("agent",) and isinstance(value, dict):
            return list(_of_table(value, parts, place, agents))
        parts = key.parts
    else:
        value = _typed(text, bare=False)
    return list(_of_table(_nested(parts, value), (), place, agents))


def _typed(text: str, *, bare: bool) -> Any:
    """bare: the setting takes a string, so that `4` or `true` without quotes is one too."""
    try:
        parsed = tomllib.loads(f"value = {text}\n")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = parsed["value"]
    if set(parsed) != {"value"} or (bare and not isinstance(value, str | list | dict)):
        return text
    return value


def _nested(parts: Sequence[str], value: object) -> dict[str, Any]:
    for part in reversed(parts):
        value = {part: value}
    return value  # type: ignore[return-value]  # parts is never empty


def _of_table(
    table: Mapping[str, Any], prefix: tuple[str, ...], place: _Place, agents: Sequence[str]
) -> Iterator[Given]:
    """Every setting in a table, tables of settings followed down."""
    for name, value in table.items():
        parts = (*prefix, name)
        if keys.is_group(parts) and isinstance(value, dict):
            if keys.is_agent(parts) and parts[1] not in agents:
                _key(parts, place, agents)  # refuses it, by the line of its table
            yield from _of_table(value, parts, place, agents)
            continue
        key = _key(parts, place, agents)
        if keys.is_table(key.type) and isinstance(value, dict):
            for entry, content in value.items():
                given = _given(_key((*parts, entry), place, agents), (*parts, entry), content, place)
                _known(given, (*parts, entry), place, agents)
                yield given
        else:
            given = _given(key, parts, value, place)
            _known(given, parts, place, agents)
            yield given
            if key.parts == ("agent",) and value not in agents:
                raise BadInput(
                    f"There is no agent {value!r}.",
                    where=place.at(parts),
                    hint=f"{keys.closest(str(value), agents)}Agents: {', '.join(agents)}.{place.advice}",
                )


def _known(given: Given, parts: tuple[str, ...], place: _Place, agents: Sequence[str]) -> None:
    """Agents that are named for something must be there, and so must the layers."""
    if given.key.parts[:2] not in (("agent", "for"), ("agent", "instead")):
        return
    for named in (given.value,) if isinstance(given.value, str) else given.value or ():  # type: ignore[attr-defined]
        name = str(named).partition(":")[0]
        if name not in agents:
            hint = f"{keys.closest(name, agents)}Agents: {', '.join(agents)}; a model stands behind a colon."
            raise BadInput(f"There is no agent {name!r}.", where=place.at(parts), hint=f"{hint}{place.advice}")
    layer = given.key.parts[-1]
    if given.key.parts[:3] == ("agent", "for", "layers") and layer not in LAYERS:
        hint = f"{keys.closest(layer, LAYERS)}Layers: {', '.join(LAYERS)}."
        raise BadInput(f"There is no layer {layer!r}.", where=place.at(parts), hint=f"{hint}{place.advice}")


def _key(parts: tuple[str, ...], place: _Place, agents: Sequence[str]) -> Key:
    try:
        return keys.resolve(parts, agents)
    except Unknown as error:
        raise BadInput(error.message, where=place.at(parts), hint=error.hint + place.advice) from error


def _given(key: Key, parts: tuple[str, ...], value: object, place: _Place) -> Given:
    try:
        return Given(key, values.checked(key, value), place.origin, place.sentence(parts))
    except Wrong as error:
        raise BadInput(error.message, where=place.at(parts), hint=error.allowed + place.advice) from error


def _parsed(text: str, place: _Place) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise BadInput(f"{place.where} is nested too deeply.", where=place.where) from error
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found.group(1)) if found and found.group(1) else text.count("\n") + 1
        reason = _AT_LINE.sub("", str(error)).strip()
        raise BadInput(
            f"{place.where} is not valid TOML: {reason}.",
            where=f"{place.where}:{line}",
            hint=f"Correct it.{place.advice}",
        ) from error


def _decoded(content: bytes, where: str, advice: str) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{where} is not UTF-8.", where=f"{where}:{line}", hint=f"Save it as UTF-8.{advice}") from error
