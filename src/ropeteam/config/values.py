"""One value, checked against its setting: what comes out can be converted to `Settings` without a fault."""

from __future__ import annotations

import math
from typing import Any, get_args, get_type_hints

import msgspec

from ropeteam.config import keys
from ropeteam.config.keys import Key
from ropeteam.core.settings import CheckCommand

LONGEST_NAME = 60  # of a check that is named by its command line
_COMMAND_FIELDS = ("name", "argv", "cwd", "format", "env")


class Wrong(Exception):
    """A value that its setting cannot have. message: what is wrong with it; allowed: what it may be."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed


def checked(key: Key, value: object) -> object:
    """The value as plain data. Raises Wrong."""
    if isinstance(value, str) and value.strip().lower() == "none" and keys.takes_none(key):
        return None
    if key.name == "checks.commands":
        return _commands(value)
    if ".env." in key.name and ("=" in key.parts[-1] or "\0" in key.parts[-1] or not key.parts[-1]):
        raise Wrong(f"{key.parts[-1]!r} cannot name a variable.", "Allowed: a name without = in it.")
    try:
        converted = msgspec.convert(value, key.type)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Wrong(f"{key.name} cannot be {_shown(value)}.", _allowed(key, value)) from error
    if isinstance(converted, int | float) and key.rule in keys.RANGES and not keys.RANGES[key.rule].holds(converted):
        raise Wrong(f"{key.name} cannot be {_shown(value)}.", _allowed(key, value))
    if isinstance(converted, float) and not math.isfinite(converted):
        raise Wrong(f"{key.name} cannot be {_shown(value)}.", _allowed(key, value))
    if "\0" in (text := str(msgspec.to_builtins(converted))) or "\\x00" in text:
        raise Wrong(f"{key.name} cannot hold a NUL character.", _allowed(key, value))
    if key.name.startswith("merge.locks.") and "/" in key.parts[-1]:
        raise Wrong(f"{key.parts[-1]!r} is a path.", "Allowed: the name of a lock file, wherever it is.")
    if key.name in ("trees.copy", "sandbox.writable", "merge.union"):
        _paths(key, converted)
    return msgspec.to_builtins(converted)


def _paths(key: Key, patterns: Any) -> None:
    for pattern in patterns:
        if not pattern.strip():
            raise Wrong(f"{key.name} has an empty entry.", "paths or patterns")
        if key.name == "trees.copy" and ".." in pattern.split("/"):
            raise Wrong(f"{key.name} cannot hold {pattern!r}: `..` leads out of the repository.", "patterns inside it")


def _allowed(key: Key, value: object) -> str:
    close = keys.closest(value, _choices(key)) if isinstance(value, str) else ""
    return f"{close}Allowed: {keys.allowed(key)}."


def _choices(key: Key) -> list[str]:
    return [one for one in getattr(key.type, "__args__", ()) if isinstance(one, str)]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _commands(value: object) -> list[dict[str, Any]]:
    """Checks as the user wrote them: a string is a line for the shell, a table names its parts."""
    if not isinstance(value, list | tuple):
        raise Wrong(
            f"checks.commands cannot be {_shown(value)}.",
            'Allowed: a list of shell lines, like ["pytest -q"], or of tables with name and argv; [] for none.',
        )
    commands = [_command(one, number) for number, one in enumerate(value, start=1)]
    names = [command["name"] for command in commands]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Wrong(f"checks.commands has two checks named {twice!r}.", "Give each a name of its own: {name = ...}.")
    return commands


def _command(value: object, number: int) -> dict[str, Any]:
    here = f"checks.commands, number {number},"
    table = {"argv": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise Wrong(f"{here} cannot be {_shown(value)}.", "Allowed: a shell line or a table with name and argv.")
    for field in table:
        if field not in _COMMAND_FIELDS:
            close = keys.closest(str(field), _COMMAND_FIELDS)
            raise Wrong(f"{here} has no field {field!r}.", f"{close}Fields: {', '.join(_COMMAND_FIELDS)}.")
    argv = table.get("argv")
    if not argv or (isinstance(argv, str) and not argv.strip()):
        raise Wrong(f"{here} has no command.", 'Allowed: a shell line, or a table with argv = ["program", "argument"].')
    line = argv if isinstance(argv, str) else None
    words = ["sh", "-c", line] if line is not None else argv
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise Wrong(f"{here} argv cannot be {_shown(argv)}.", "Allowed: a shell line or a list of strings.")
    name = table.get("name") or _name(line if line is not None else " ".join(words))
    return _fields(here, {**table, "name": name, "argv": list(words)})


def _fields(here: str, table: dict[str, Any]) -> dict[str, Any]:
    try:
        command = msgspec.convert(table, CheckCommand)
    except msgspec.ValidationError as error:
        formats = ", ".join(get_args(get_type_hints(CheckCommand)["format"]))
        raise Wrong(f"{here} is not right: {error}.", f"format is one of {formats}; the rest are strings.") from error
    if command.cwd.startswith(("/", "~")) or ".." in command.cwd.replace("\\", "/").split("/"):
        raise Wrong(f"{here} cwd {command.cwd!r} is not a folder in the repository.", "Allowed: a path below its root.")
    built: dict[str, Any] = msgspec.to_builtins(command)
    return built


def _name(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1] + "…"
