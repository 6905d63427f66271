"""Writes what an agent gets, and takes it away again, without ever overwriting what somebody else wrote.

Beside the skill lies a list of what was written, with a digest of each file: a file that is not on it is not ours, one
with another digest was changed since.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import stat
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
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
    """Nothing where there is no list. Raises BadInput for one that cannot be read, or that names what lies elsewhere:
    in a repository anybody may have written it."""
    try:
        written = msgspec.json.decode(path.read_bytes(), type=Written)
    except FileNotFoundError:
        return Written()
    except (OSError, msgspec.MsgspecError) as problem:
        raise _bad_list(path, str(problem)) from problem
    for name in (*written.files, *([written.server] if written.server else [])):
        if "\0" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise _bad_list(path, f"it names {name!r}, which is no place of ours")
    return written


def _bad_list(path: Path, why: str) -> BadInput:
    return BadInput(
        f"The list of what was installed cannot be read: {why}.",
        where=str(path),
        hint="Remove that file; then what is installed counts as yours, and --force takes its place.",
    )


def must_lie_inside(base: Path, paths: list[str]) -> None:
    """BadInput where a link in the repository `base` leads one of them out of it: anybody may have put it there."""
    for path in paths:
        if not (base / path).resolve().is_relative_to(base.resolve()):
            raise BadInput(
                f"{base / path} leads out of the repository, to {(base / path).resolve()}: nothing was done.",
                where=path,
                hint="Remove that link if it is not meant to be there.",
            )


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
    shutil.copy2(path, other)  # who may read it stays as it was
    return str(other)


def write(path: Path, data: bytes) -> None:
    """Whole or not at all; through a link to what it leads to. Who may read it stays as it was: settings hold keys."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        try:
            beside.touch(0o666 if mode is None else 0o600, exist_ok=False)
            beside.write_bytes(data)
            if mode is not None:
                beside.chmod(mode)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
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
        added = f"{text.rstrip() + chr(10) * 2 if text and text.strip() else ''}[{servers.key}.ropeteam]\n{lines}"
        try:
            tomllib.loads(added)
        except tomllib.TOMLDecodeError as problem:  # its servers stand in a table between braces: none can follow
            raise BadInput("A server cannot be added at its end, so it is left alone.") from problem
        return added
    settings = _json(text) if text and text.strip() else {}
    settings.setdefault(servers.key, {})["ropeteam"] = entry
    return _written(settings)


def without_server(text: str | None, servers: Servers, entry: dict[str, Any]) -> str | None:
    """The settings without our server; None where it is not there, or is not as we wrote it."""
    if text is None or _servers(text, servers).get("ropeteam") != entry:
        return None
    if servers.form == "toml":
        added = with_server("", servers, entry) or ""
        return text.replace(added, "", 1).rstrip() + "\n" if added in text else None
    settings = _json(text)
    del settings[servers.key]["ropeteam"]
    if not settings[servers.key]:
        del settings[servers.key]
    return _written(settings) if settings else ""


def _written(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, indent=2, ensure_ascii=False)
    whole = text.isascii() or text.encode("utf-8", "replace").decode() == text
    return (text if whole else json.dumps(settings, indent=2)) + "\n"  # half of a surrogate pair needs its escape


def _json(text: str) -> Any:
    """ValueError also for what would not come out of it again as it went in."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands in it twice")
        return found

    def number(word: str) -> float:
        if not math.isfinite(value := float(word)):
            raise ValueError(f"{word} is no number of JSON")
        return value

    try:
        return json.loads(text, object_pairs_hook=once, parse_float=number, parse_constant=number)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem


def _servers(text: str | None, servers: Servers) -> dict[str, Any]:
    try:
        found = (tomllib.loads if servers.form == "toml" else _json)(text) if text and text.strip() else {}
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"It cannot be read ({problem}), so it is left alone.") from problem
    known = found.get(servers.key, {}) if isinstance(found, dict) else None
    if not isinstance(known, dict):
        raise BadInput("It is not what that agent has there, so it is left alone.")
    return known
