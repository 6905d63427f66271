"""A proposed plan document brought into the form that `plan_reading` takes, as far as that needs no guess.

Whatever cannot be brought there stays as it is: it becomes a fault with a name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Literal

from ropeteam.core import patterns
from ropeteam.core.model import Value
from ropeteam.core.plan_document import MAX_UNITS
from ropeteam.core.plan_reading import RESERVED, bad_id
from ropeteam.core.proposal_owners import pattern_of, plain

MAX_FILES: Final = 10_000
MOST_LINES: Final = 100_000
_LOOKED_UP: Final = 500  # needs that are no unit, each held against all patterns

_NAME: Final = re.compile(r"[^/*?\[\\!#~][^/*?\[\\]*/?(?<!\.\.)")
"""A name without a slash, of one file or folder."""

_TEXTS: Final = ("title", "goal", "layer")
_LISTS: Final = ("needs", "writes", "reads", "requirements", "provides")


class FileSaid(Value, frozen=True, kw_only=True):
    """What a planner says of one file. Where it says nothing: None or empty."""

    path: str
    status: Literal["A", "M", "D"] | None = None
    lines: int | None = None
    purpose: str = ""
    needs: tuple[str, ...] = ()


class Document(Value, frozen=True, kw_only=True):
    """raw: with units that can be read as a plan, but for their faults. confidence: its own, 0 to 1; shown, not used.
    mended: a sentence each."""

    raw: dict[str, Any]
    files: tuple[FileSaid, ...] = ()
    confidence: float | None = None
    mended: tuple[str, ...] = ()


def read(found: dict[str, Any], *, requirements: Iterable[str], known: Collection[str], tree: str) -> Document:
    """found: the JSON object with `units`. requirements: ids there are. known: the files of the base commit. tree: the
    planner's work tree, which it may have put before paths."""
    listed = found["units"]
    if not isinstance(listed, list) or len(listed) > MAX_UNITS:
        return Document(raw={"units": listed})
    mended: list[str] = []
    files = _files(found.get("files"), tree, mended)
    names = _new_ids(listed)
    ids = {id.lower(): id for id in requirements}
    exact = {file.path for file in files} | set(known)
    units = [_unit(one, names, ids, exact, tree, mended) if isinstance(one, dict) else one for one in listed]
    _resolve_needs([one for one in units if isinstance(one, dict)], known, mended)
    raw: dict[str, Any] = {"units": units}
    contract = found.get("contract")
    if contract not in (None, "", False):
        raw["contract"] = names.get(contract, contract) if isinstance(contract, str) else contract
    return Document(
        raw=raw, files=files, confidence=_confidence(found.get("confidence")), mended=tuple(dict.fromkeys(mended))
    )


# ---- units


def _new_ids(listed: Iterable[Any]) -> dict[str, str]:
    """Ids that cannot be used as they are -> ones that can."""
    names = {}
    for one in listed:
        given = one.get("id") if isinstance(one, dict) else None
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        if not isinstance(given, str) or not bad_id(given) or given.strip().lower() in RESERVED:
            continue
        plain_id = re.sub(r"[^a-z0-9._-]+", "-", given.strip().lower()).strip("._-")
        plain_id = re.sub(r"\.\.+", ".", plain_id)[:64]
        if plain_id and not bad_id(plain_id):
            names[given] = plain_id
    return names


def _unit(
    given: dict[str, Any],
    names: Mapping[str, str],
    requirements: Mapping[str, str],
    exact: Collection[str],
    tree: str,
    mended: list[str],
) -> dict[str, Any]:
    id = given.get("id")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    unit: dict[str, Any] = {"id": _clean(id)}
    if isinstance(id, str) and id in names:
        unit["id"] = names[id]
        mended.append(f"The unit {_shown(id)} is called `{names[id]}`: an id has small letters and no spaces.")
    for name in _TEXTS:
        if given.get(name) is not None:
            unit[name] = _clean(given[name])
    for name in _LISTS:
        unit[name] = _texts(given.get(name))
    if given.get("kind") == "contract":
        unit["kind"] = "contract"
    for name in ("writes", "reads"):
        if isinstance(unit[name], list):
            unit[name] = [_pattern(one, tree, exact) if isinstance(one, str) else one for one in unit[name]]
    if isinstance(unit["needs"], list):
        unit["needs"] = [names.get(one, one) if isinstance(one, str) else one for one in unit["needs"]]
    unit["requirements"] = _known_only(unit, requirements, mended)
    return unit


def _texts(value: Any) -> Any:
    """A list of texts; one text is taken for a list of one. Anything else stays, and is a fault."""
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _clean(value: Any) -> Any:
    """A text without what UTF-8 cannot hold; a value nested in it is named, not kept: it is a fault anyway."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").strip()
    if isinstance(value, bool | int | float | None):
        return value if not isinstance(value, float) or math.isfinite(value) else None
    return [] if isinstance(value, list) else {}


def _known_only(unit: Mapping[str, Any], requirements: Mapping[str, str], mended: list[str]) -> Any:
    given = unit["requirements"]
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        return given
    unknown = [one for one in given if one.lower() not in requirements]
    if unknown and requirements:
        mended.append(f"`{unit['id']}` named {_listed(unknown)}, which the feature does not have: left out.")
    return list(dict.fromkeys(requirements[one.lower()] for one in given if one.lower() in requirements))


# ---- paths


def _pattern(given: str, tree: str, exact: Collection[str]) -> str:
    """A pattern as it is meant: from the root, with slashes; a file that is known by its own name, whatever is in it.

    A name without a slash, which counts at any depth for git, is one at the root for who lists the files of a plan."""
    path = _path(given, tree)
    if path in exact:
        return pattern_of(path)
    return f"/{path}" if _NAME.fullmatch(path) else path


def _path(given: str, tree: str) -> str:
    path = given.strip().strip("`'\"").strip()
    if tree and path.startswith(f"{tree.rstrip('/')}/"):
        path = path[len(tree.rstrip("/")) + 1 :]
    if re.search(r"\\(?![*?\[\]\\!# ])", path) and "/" not in path:
        path = path.replace("\\", "/")  # as on Windows
    path = re.sub(r"(?<=[^/])/{2,}", "/", path)
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return re.sub(r"/\.(?=/|$)", "", path)


def _files(given: Any, tree: str, mended: list[str]) -> tuple[FileSaid, ...]:
    """What can be used of `files`; what cannot is passed over and counted, since the plan does not depend on it."""
    if isinstance(given, dict):
        given = [
            {"path": path, **(said if isinstance(said, dict) else {"lines": said})} for path, said in given.items()
        ]
    if not isinstance(given, list):
        return ()
    found: dict[str, FileSaid] = {}
    for one in given[:MAX_FILES]:
        file = _file({"path": one} if isinstance(one, str) else one, tree)
        if file is not None:
            found[file.path] = file
    lost = len(given) - len(found)
    if lost:
        mended.append(f"{lost} of {len(given)} entries of `files` could not be used and were passed over.")
    return tuple(found.values())


def _file(given: Any, tree: str) -> FileSaid | None:
    path = given.get("path") if isinstance(given, dict) else None
    if not isinstance(path, str):
        return None
    path = _path(_clean(path), tree).lstrip("/")
    if patterns.problem(pattern_of(path) if path else path) or path.endswith("/"):
        return None
    status, lines, purpose = given.get("status"), given.get("lines"), given.get("purpose")
    if isinstance(lines, float) and math.isfinite(lines):
        lines = round(lines)
    whole = isinstance(lines, int) and not isinstance(lines, bool) and 0 <= lines <= MOST_LINES
    needs = _texts(given.get("needs"))
    return FileSaid(
        path=path,
        status=status if status in ("A", "M", "D") else None,
        lines=lines if whole else None,
        purpose=_clean(purpose)[:500] if isinstance(purpose, str) else "",
        needs=tuple(dict.fromkeys(_path(one, tree).lstrip("/") for one in needs if isinstance(one, str)))
        if isinstance(needs, list)
        else (),
    )


# ---- needs


def _resolve_needs(units: list[dict[str, Any]], known: Collection[str], mended: list[str]) -> None:
    """Needs that name a title, what another provides, or a file of another, become that unit's id."""
    units = [unit for unit in units if isinstance(unit["id"], str) and isinstance(unit["needs"], list)]
    ids = {unit["id"] for unit in units}
    titles, provided, files = _tables(units)
    left = _LOOKED_UP
    for unit in units:
        needs: list[Any] = []
        for need in unit["needs"]:
            if not isinstance(need, str) or need in ids:
                needs.append(need)
                continue
            path = need.lstrip("/").removeprefix("./")
            meant = titles.get(need.lower()) or provided.get(need) or provided.get(path) or files.get(path) or set()
            if not meant and left > 0 and "/" in path:
                left -= 1
                meant = {o["id"] for o in units if isinstance(o["writes"], list) and _owns(o["writes"], path)}
            if len(meant) == 1:
                (need,) = meant
                needs.append(need)
            elif not meant and path in known:
                mended.append(f"`{unit['id']}` needs nobody for `{path}`, which is there already.")
            else:
                needs.append(need)
        if unit["id"] in needs:
            needs = [need for need in needs if need != unit["id"]]
        unit["needs"] = list(dict.fromkeys(need for need in needs if isinstance(need, str))) + [
            need for need in needs if not isinstance(need, str)
        ]


def _tables(
    units: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, set[str]]]:
    """Ids of units by title, by what they provide, and by the files that they own by name."""
    titles: dict[str, set[str]] = {}
    provided: dict[str, set[str]] = {}
    files: dict[str, set[str]] = {}
    for unit in units:
        if isinstance(unit.get("title"), str):
            titles.setdefault(unit["title"].lower(), set()).add(unit["id"])
        for table, field in ((provided, "provides"), (files, "writes")):
            for one in unit[field] if isinstance(unit[field], list) else ():
                name = plain(one) if isinstance(one, str) and field == "writes" else one
                if isinstance(name, str):
                    table.setdefault(name, set()).add(unit["id"])
    return titles, provided, files


def _owns(writes: Iterable[Any], path: str) -> bool:
    return patterns.owns((one for one in writes if isinstance(one, str)), path)


# ---- the rest


def _confidence(given: Any) -> float | None:
    value = given.get("value") if isinstance(given, dict) else given
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        return None
    return float(value) if value <= 1 else value / 100


def _shown(text: str) -> str:
    return repr(text[:80])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(_shown(name) for name in names[:5]) + more
