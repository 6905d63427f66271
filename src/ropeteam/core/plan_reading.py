"""A plan from a document, checked in full: what comes out of `parse` keeps what `model.Plan` promises."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from ropeteam.core import graph, patterns
from ropeteam.core.json_lines import Places, line_of_byte, places
from ropeteam.core.model import Confidence, Plan, PlanEstimate, Unit, UnitEstimate
from ropeteam.core.plan_batches import contracted, laid_out
from ropeteam.core.plan_document import ID_PATTERN, MAX_UNITS, Faults, PlanDocument, UnitDocument, field
from ropeteam.errors import BadInput

RESERVED: Final = ("single", "rest", "plan", "belay", "base", "integration", "candidate")
MAX_FAULTS: Final = 1_000
"""More are counted, not shown: nobody reads them, and a document of another kind has a fault in every line."""

_ID: Final = re.compile(ID_PATTERN)
_HINT: Final = "Correct the plan; nothing was changed. docs/guide/plans.md says what a plan holds."


def parse(document: bytes, where: str) -> Plan:
    """The plan that a document holds, in the form of `ropeteam plan --json` or with only units that have `id`, `goal`,
    `needs`, `writes`. where: its name, for messages.

    Every unit needs the contract then, but for those the contract needs. `batches` is empty where the document gives
    none (see `plan_batches.layered`). Raises BadInput (`bad_plan`) with every fault, its place and its line.
    """
    faults = Faults()
    try:
        text = document.decode("utf-8-sig")
        raw = msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        raise _bad(
            [(document.count(b"\n", 0, error.start) + 1, "", "it is not UTF-8: save it as UTF-8")], where
        ) from None
    except RecursionError:
        raise _bad([(1, "", "it is nested too deeply")], where) from None
    except msgspec.DecodeError as error:
        line = line_of_byte(document.removeprefix(b"\xef\xbb\xbf"), str(error))
        raise _bad([(line, "", f"it is not JSON: {error}")], where) from None
    known = places(text)
    for place, line in known.twice:
        faults.add(place, f"it is there twice, in line {line} again")
    plan = of_value(raw, faults)
    if plan is None or faults.found:
        raise _bad([(_line(known, place), place, said) for place, said in faults.found], where)
    return plan


def _line(known: Places, place: str) -> int:
    """The line of a place, or of what would hold it."""
    while place and place not in known.lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return known.lines.get(place, 1)


def _bad(faults: Sequence[tuple[int, str, str]], where: str) -> BadInput:
    """faults: (line, place, sentence) of each."""
    ordered = sorted(faults, key=lambda fault: fault[0])[:MAX_FAULTS]
    lines = [f"line {line}: {place}{': ' if place else ''}{said}." for line, place, said in ordered]
    if len(faults) > MAX_FAULTS:
        lines.append(f"and {len(faults) - MAX_FAULTS:,} more.")
    many = f"it has {len(faults):,} faults:\n  " if len(faults) > 1 else ""
    message = f"The plan cannot be used: {many}" + "\n  ".join(lines)
    return BadInput(message, where=f"{where}:{ordered[0][0]}", hint=_HINT, code="bad_plan")


# ---- reading the document


def of_value(raw: Any, faults: Faults, *, shared: bool = False) -> Plan | None:
    """The plan that decoded JSON holds; None, or one that cannot be used, where there are faults.

    shared: units that could run at once may own the same path, for who mends that.
    """
    if not isinstance(raw, dict):
        faults.add("", 'it must be an object: {"units": [...]}')
        return None
    listed = raw.get("units")
    if not isinstance(listed, list) or not listed:
        faults.add("units", "there must be a list of units, with at least one")
        return None
    if len(listed) > MAX_UNITS:
        faults.add("units", f"there are {len(listed):,} units, at most {MAX_UNITS:,} can be had")
        return None
    units: dict[str, Unit] = {}
    at: dict[str, str] = {}  # of each unit, its place
    given: dict[str, int] = {}
    for index, one in enumerate(listed):
        place = f"units[{index}]"
        unit = _unit(one, place, faults)
        if unit is None:
            continue
        if unit.id in units:
            faults.add(f"{place}.id", f"{unit.id} is the id of {at[unit.id]} too")
            continue
        units[unit.id], at[unit.id] = unit, place
        batch = field(one, "batch", UnitDocument, place, faults)
        if batch is not None:
            given[unit.id] = batch
    _check_needs(units, at, faults)
    contract = _contract(raw, units, at, faults)
    made = Plan(
        units=tuple(u if u.id != contract else msgspec.structs.replace(u, kind="contract") for u in units.values()),
        contract=contract,
        confidence=_confidence(raw, faults),
        estimate=_estimate(raw, faults),
    )
    rings = graph.cycles(made)
    for ring in rings:
        faults.add(f"{at[ring[0]]}.needs", f"units need each other in a circle: {' -> '.join(ring)}")
    for clash in islice(clashes(made), 0 if shared else MAX_FAULTS):
        faults.add(f"{at[clash.second]}.writes", clash.said)
    given = _batches(raw, units, given, at, faults)
    if rings:
        return None
    return _numbered(contracted(made), given, at, faults) if given else contracted(made)


def _unit(raw: Any, place: str, faults: Faults) -> Unit | None:
    """A unit with what is usable of it; None when it has no id to speak of it by."""
    if not isinstance(raw, dict):
        faults.add(place, "a unit must be an object")
        return None
    id = raw.get("id")
    if not isinstance(id, str):
        faults.add(f"{place}.id", "a unit must have an id, which is a text")
        return None
    if said := bad_id(id):
        faults.add(f"{place}.id", said)

    def value(name: str) -> Any:
        return field(raw, name, UnitDocument, place, faults)

    title, goal = value("title") or "", value("goal") or ""
    texts = all(isinstance(raw.get(name) or "", str) for name in ("title", "goal"))
    if texts and not title.strip() and not goal.strip():
        faults.add(place, f"{id} has no goal: its agent would not know what to do")
    writes = _paths(value("writes") or (), f"{place}.writes", faults)
    if raw.get("writes") in (None, []):
        faults.add(f"{place}.writes", f"{id} writes nothing: list the files that it owns")
    estimate = value("estimate")
    return Unit(
        id=id,
        title=title,
        goal=goal if goal.strip() else title,
        kind=value("kind") or "unit",
        layer=value("layer") or "",
        needs=tuple(dict.fromkeys(value("needs") or ())),
        writes=writes,
        reads=_paths(value("reads") or (), f"{place}.reads", faults),
        requirements=value("requirements") or (),
        provides=tuple(dict.fromkeys(value("provides") or ())),
        estimate=None
        if estimate is None or estimate.seconds_p50 is None
        else UnitEstimate(
            seconds_p50=estimate.seconds_p50,
            seconds_p90=estimate.seconds_p90 or 0.0,
            tokens_p50=estimate.tokens_p50 or 0.0,
        ),
    )


def bad_id(id: str) -> str:
    """Why that cannot be the id of a unit; empty when it can."""
    if id in RESERVED:
        return f"{id} means something else (reserved: {', '.join(RESERVED)})"
    if not _ID.fullmatch(id) or id.endswith("\n"):
        return f"{id!r} cannot be an id: 1 to 64 of `a-z 0-9 . _ -`, the first a letter or a digit"
    if ".." in id or id.endswith(".lock"):
        return f"{id!r} cannot be an id: git allows no `..` and no `.lock` at the end of a ref"
    return ""


def _paths(given: tuple[str, ...], place: str, faults: Faults) -> tuple[str, ...]:
    """The patterns that can be used."""
    usable = []
    for index, pattern in enumerate(given):
        if said := patterns.problem(pattern):
            faults.add(f"{place}[{index}]", f"{pattern[:200]!r} {said}")
        else:
            usable.append(pattern)
    return tuple(dict.fromkeys(usable))


def _check_needs(units: Mapping[str, Unit], at: Mapping[str, str], faults: Faults) -> None:
    for unit in units.values():
        for need in unit.needs:
            if need not in units:
                close = difflib.get_close_matches(need, units, n=1)
                faults.add(
                    f"{at[unit.id]}.needs",
                    f"{unit.id} needs {need!r}, which is no unit" + (f" (meant: {close[0]}?)" if close else ""),
                )


def _contract(raw: dict[str, Any], units: Mapping[str, Unit], at: Mapping[str, str], faults: Faults) -> str | None:
    """The id of the contract, named at the top or by the unit's `kind`."""
    named = field(raw, "contract", PlanDocument, "", faults)
    if named is not None and named not in units:
        faults.add("contract", f"{named!r} is no unit")
        named = None
    for unit in units.values():
        if unit.kind == "contract" and named is None:
            named = unit.id
        elif unit.kind == "contract" and unit.id != named:
            faults.add(f"{at[unit.id]}.kind", f"{unit.id} is a second contract beside {named}; there can be one")
    return named if isinstance(named, str) else None


def _confidence(raw: dict[str, Any], faults: Faults) -> Confidence | None:
    given = raw.get("confidence")
    if isinstance(given, dict) and given.get("value") is None and not given.get("reasons"):
        return None
    confidence = field(raw, "confidence", PlanDocument, "", faults)
    if not isinstance(confidence, Confidence):
        return None
    if not 0 <= confidence.value <= 1:
        faults.add("confidence.value", f"{confidence.value:g} is no probability: it must be from 0 to 1")
    return confidence


def _estimate(raw: dict[str, Any], faults: Faults) -> PlanEstimate | None:
    estimate = field(raw, "estimate", PlanDocument, "", faults)
    if not isinstance(estimate, PlanEstimate):
        return None
    built: dict[str, Any] = msgspec.to_builtins(estimate)
    for name, value in built.items():
        for inside, number in value.items() if isinstance(value, dict) else [("", value)]:
            if isinstance(number, int | float) and number < 0:
                faults.add(f"estimate.{name}{'.' if inside else ''}{inside}", f"{number:g} is less than nothing")
    return estimate


class Clash(NamedTuple):
    """Two units that could run at once, the second listed after the first, and a path that both own by a pattern."""

    second: str
    first: str
    path: str
    patterns: tuple[str, str]  # of the second, of the first

    @property
    def said(self) -> str:
        return (
            f"{self.second} and {self.first} both own {self.path} (`{self.patterns[0]}` and `{self.patterns[1]}`) and"
            " neither needs the other: let only one own it, or let one need the other"
        )


def clashes(plan: Plan) -> Iterator[Clash]:
    """Of each pair of units at most one."""
    before = graph.ancestors(plan)
    owned = sorted(
        (patterns.prefix(pattern), index, pattern) for index, u in enumerate(plan.units) for pattern in u.writes
    )
    seen: set[tuple[int, int]] = set()
    around: list[tuple[str, int, str]] = []  # of those before in order, the ones that a path can have in common
    for mine in owned:
        while around and not mine[0].startswith(around[-1][0]):
            around.pop()
        for theirs in around:
            pair = (min(mine[1], theirs[1]), max(mine[1], theirs[1]))
            first, second = (plan.units[index].id for index in pair)
            if first == second or pair in seen or first in before[second] or second in before[first]:
                continue
            path = patterns.clash(mine[2], theirs[2])
            if path is not None:
                seen.add(pair)
                yield Clash(second, first, path, (theirs[2], mine[2]) if mine[1] == pair[0] else (mine[2], theirs[2]))
        around.append(mine)


# ---- batches


def _batches(
    raw: dict[str, Any], units: Mapping[str, Unit], given: dict[str, int], at: Mapping[str, str], faults: Faults
) -> dict[str, int]:
    """The batch of each unit that is given one, by itself or by the list at the top."""
    found, in_list = dict(given), set()
    for index, batch in enumerate(field(raw, "batches", PlanDocument, "", faults) or ()):
        for inside, id in enumerate(batch):
            place = f"batches[{index}][{inside}]"
            if id not in units:
                faults.add(place, f"{id!r} is no unit")
            elif id in in_list:
                faults.add(place, f"{id} is in a batch already")
            elif found.setdefault(id, index + 1) != index + 1:
                faults.add(place, f"{id} is in batch {index + 1} here, and in batch {found[id]} at {at[id]}.batch")
            in_list.add(id)
    return found


def _numbered(plan: Plan, given: Mapping[str, int], at: Mapping[str, str], faults: Faults) -> Plan:
    """Batches as they are given; a unit without one comes right after what it needs."""
    batch: dict[str, int] = {}
    for id in graph.order(plan):
        needs = plan.unit(id).needs
        least = 1 + max((batch[need] for need in needs), default=0)
        batch[id] = given.get(id, least)
        if batch[id] < least:
            need = max(needs, key=batch.__getitem__)
            faults.add(at[id], f"{id} is in batch {batch[id]}, and needs {need}, which is in batch {batch[need]}")
            batch[id] = least
    return laid_out(plan, batch)
