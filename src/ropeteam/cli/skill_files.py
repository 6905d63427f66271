"""Writes what an agent gets, and takes it away again, without ever overwriting what somebody else wrote.

Beside the skill lies a list of what was written, with a digest of each file: a file that is not on it is not ours, one
with another digest was changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ropeteam.cli.skill_places import Servers
from ropeteam.core.model import Value
from ropeteam.errors import BadInput, UserError

Kind = Literal["new", "changed", "same", "yours", "gone", "kept"]
LIST_NAME: Final = ".ropeteam.json"


class Written(Value, frozen=True, kw_only=True):
    """What was written at the last installation. files: path -> SHA-256. server: the file in which the MCP server was
    named; program: what it starts."""

    files: dict[str, str] = {}
    server: str = ""
    program: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One file. new: to be written; changed: it is ours, and another version; same; yours: somebody else wrote or
    changed it; gone: ours, and not needed any more; kept: it was to be removed, and was changed."""

    path: str
    kind: Kind
    data: bytes = b""


def read_list(path: Path) -> Written:
    """Nothing where there is no list. Raises BadInput for one that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Written)
    except FileNotFoundError:
        return Written()
    except (OSError, msgspec.MsgspecError) as problem:
        raise BadInput(
            f"The list of what was installed cannot be read: {problem}.",
            where=str(path),
            hint="Remove that file; then what is installed counts as yours, and --force takes its place.",
        ) from problem


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def present(path: Path) -> bytes | None:
    """What stands there; None for nothing. BadInput for what is no file."""
    if not path.exists() and not path.is_symlink():
        return None
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadInput(f"{path} cannot be read: {problem.strerror}.", where=str(path)) from problem


def to_install(base: Path, wanted: Mapping[str, bytes], before: Written) -> list[Step]:
    """What would be done. Nothing is changed."""
    steps = []
    for path, data in wanted.items():
        there = present(base / path)
        if there is None:
            steps.append(Step(path, "new", data))
        elif there == data:
            steps.append(Step(path, "same", data))
        else:
            ours = before.files.get(path) == digest(there)
            steps.append(Step(path, "changed" if ours else "yours", data))
    return steps + [step for step in to_remove(base, before) if step.path not in wanted and step.kind == "gone"]


def to_remove(base: Path, before: Written) -> list[Step]:
    """What of ours is still there."""
    found = []
    for path, known in before.files.items():
        there = present(base / path)
        if there is not None:
            found.append(Step(path, "gone" if digest(there) == known else "kept"))
    return found


def carry_out(base: Path, steps: list[Step]) -> list[str]:
    """Write and remove. What was somebody else's is kept beside it. Returns the paths of those copies."""
    copies = []
    for step in steps:
        path = base / step.path
        if step.kind == "yours":
            copies.append(_set_aside(path))
        if step.kind in ("new", "changed", "yours"):
            write(path, step.data)
        elif step.kind == "gone":
            path.unlink()
            drop_empty(path.parent, base)
    return copies


def _set_aside(path: Path) -> str:
    """The first free name of `x.bak`, `x.bak2`, …"""
    number = 1
    while (other := path.with_name(f"{path.name}.bak{number if number > 1 else ''}")).exists():
        number += 1
    other.write_bytes(path.read_bytes())
    return str(other)


def write(path: Path, data: bytes) -> None:
    """Whole or not at all; through a link to what it leads to."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as problem:
        raise UserError(
            f"{path} cannot be written: {problem.strerror}.", where=str(path), hint="Make it writable, and try again."
        ) from problem


def drop_empty(folder: Path, base: Path) -> None:
    with suppress(OSError):
        while folder != base:
            folder.rmdir()
            folder = folder.parent


# ---- the MCP server in a file of settings


def with_server(
    text: str | None, servers: Servers, entry: dict[str, Any], before: dict[str, Any] | None = None
) -> str | None:
    """The settings with our server in them; None where it stands there already. before: as we wrote it the last time.
    BadInput where they cannot be read or name another server so."""
    known = _servers(text, servers)
    if "ropeteam" in known:
        if known["ropeteam"] == entry:
            return None
        if before is not None and known["ropeteam"] == before:
            return with_server(without_server(text, servers, before), servers, entry)
        raise BadInput("A server named ropeteam is there already, and starts something else.")
    if servers.form == "toml":
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
        return f"{text.rstrip() + chr(10) * 2 if text and text.strip() else ''}[{servers.key}.ropeteam]\n{lines}"
    settings = json.loads(text) if text and text.strip() else {}
    settings.setdefault(servers.key, {})["ropeteam"] = entry
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def without_server(text: str | None, servers: Servers, entry: dict[str, Any]) -> str | None:
    """The settings without our server; None where it is not there, or is not as we wrote it."""
    if text is None or _servers(text, servers).get("ropeteam") != entry:
        return None
    if servers.form == "toml":
        added = with_server("", servers, entry) or ""
        return text.replace(added, "", 1).rstrip() + "\n" if added in text else None
    settings = json.loads(text)
    del settings[servers.key]["ropeteam"]
    if not settings[servers.key]:
        del settings[servers.key]
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n" if settings else ""


def _servers(text: str | None, servers: Servers) -> dict[str, Any]:
    try:
        found = (tomllib.loads if servers.form == "toml" else json.loads)(text) if text and text.strip() else {}
    except ValueError as problem:
        raise BadInput(f"It cannot be read ({problem}), so it is left alone.") from problem
    known = found.get(servers.key, {}) if isinstance(found, dict) else None
    if not isinstance(known, dict):
        raise BadInput("It is not what that agent has there, so it is left alone.")
    return known
