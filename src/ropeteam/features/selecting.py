"""Which sections of an intent a run is about: what they depend on, what was asked for, what is due."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ropeteam.core import graph
from ropeteam.core.model import Plan, Section, Unit
from ropeteam.errors import BadInput
from ropeteam.features.sections import NONE, Found, Mark, Need, bare, find, named, slug

_NUMBER = re.compile(r"[0-9]{1,4}")
_KIND = re.compile(r"(?:(part|extend|extension|change)\b\s*:?\s*)?(.*)", re.IGNORECASE | re.DOTALL)
SHOWN = 12


class Names:
    """Sections by all the words that may mean them."""

    def __init__(self, sections: Sequence[Found]) -> None:
        self._exact: dict[str, list[Found]] = {}
        self._plain: dict[str, list[Found]] = {}
        self._numberless: dict[str, list[Found]] = {}
        self._number: dict[int, list[Found]] = {}
        for section in sections:
            name, plain = slug(section.name), slug(named(section.name)[0])
            self._exact.setdefault(name, []).append(section)
            for key in {name, plain}:
                self._plain.setdefault(key, []).append(section)
            self._numberless.setdefault(re.sub(r"^\d+-", "", name), []).append(section)
            if section.number is not None:
                self._number.setdefault(section.number, []).append(section)

    def matching(self, words: str) -> list[Found]:
        """Which sections words may mean: the whole name, without its number, by the number alone."""
        for key in (slug(words), slug(named(bare(words))[0])):
            if key and key in self._exact:
                return self._exact[key]
        found = _KIND.fullmatch(words.strip())
        assert found is not None  # it takes anything
        kind = (found[1] or "").lower().replace("extension", "extend")
        key = slug(named(bare(found[2]))[0])
        by_number = self._number.get(int(key), []) if _NUMBER.fullmatch(key) else []
        for meant in (self._plain.get(key, []), self._numberless.get(key, []), by_number):
            of_kind = [section for section in meant if not kind or section.kind == kind]
            if key and of_kind:
                return of_kind
        return []


def matching(words: str, sections: Sequence[Found]) -> list[Found]:
    """Which of these sections words may mean."""
    return Names(sections).matching(words)


@dataclass(frozen=True)
class Edge:
    """A section depends on another, named in line `line`."""

    name: str
    line: int


@dataclass(frozen=True)
class Outline:
    """All sections of an intent, in its order, and what each depends on, by name."""

    sections: tuple[Found, ...]
    needs: dict[str, tuple[Edge, ...]]
    notices: tuple[str, ...]
    shown: str
    names: Names
    by_name: dict[str, Found]

    def __getitem__(self, name: str) -> Found:
        return self.by_name[name]

    def as_values(self, text: str, requirements: dict[str, tuple[str, ...]]) -> tuple[Section, ...]:
        """For `Feature.sections`. requirements: ids by name."""
        lines = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff")).split("\n")
        return tuple(
            Section(
                kind=section.kind,
                name=section.name,
                status=section.status,
                needs=tuple(dict.fromkeys(edge.name for edge in self.needs[section.name])),
                requirements=requirements.get(section.name, ()),
                text="\n".join(lines[section.line - 1 : section.end - 1]).strip("\n"),
                line=section.line,
            )
            for section in self.sections
        )


def outline(text: str, shown: str, logged: Iterable[str] = ()) -> Outline:
    """The sections of an intent. logged: names that an earlier log has a section for: those without any mark are done.

    Raises BadInput with file and line: two of one name, a dependency that is none of them, a cycle.
    """
    sections, notices = [], []
    known = {slug(name) for name in logged}
    for section in find(text):
        marks = section.marks
        if not marks and slug(section.name) in known:
            notices.append(f"{shown}, line {section.line}: {section.titled} has no mark; the log says that it is done.")
            section = _marked(section)
        elif len({mark.status for mark in marks}) > 1:
            said = ", ".join(f"{mark.status} in line {mark.line}" for mark in marks)
            notices.append(f"{shown}: {section.titled} is {said}; taken as {section.status}.")
        if section.alone:
            notices.append(f"{shown}, line {section.line}: {section.name} stands in the list of parts only.")
        sections.append(section)
    _refuse_doubles(sections, shown)
    names = Names(sections)
    needs = {section.name: tuple(_edges(section, names, sections, shown)) for section in sections}
    by_name = {section.name: section for section in sections}
    open_ = [section.name for section in sections if section.status != "done"]
    if circle := graph.cycle(_graph(open_, needs)):
        raise BadInput(
            "Sections depend on each other in a circle: "
            + " -> ".join(f"{name} (line {by_name[name].line})" for name in circle)
            + ".",
            where=f"{shown}:{next(e.line for e in needs[circle[0]] if e.name == circle[1])}",
            hint="Take one of these dependencies away.",
        )
    notices += _contradictions(sections, needs, shown)
    return Outline(tuple(sections), needs, tuple(notices), shown, names, by_name)


def _marked(section: Found) -> Found:
    return replace(section, marks=(Mark("done", section.line, "status"),))


def _refuse_doubles(sections: list[Found], shown: str) -> None:
    seen: dict[str, Found] = {}
    for section in sections:
        before = seen.setdefault(slug(section.name) or section.name, section)
        if before is not section:
            raise BadInput(
                f"Two sections are named {section.name!r}: in line {before.line} and in line {section.line}.",
                where=f"{shown}:{section.line}",
                hint="Give one of them another name.",
            )


def _edges(section: Found, names: Names, sections: list[Found], shown: str) -> Iterable[Edge]:
    for need in section.needs:
        for words in _parted(need.words, names):
            meant = names.matching(words)
            if not meant and NONE.fullmatch(words):
                continue
            if len(meant) == 1 and meant[0].name != section.name:
                yield Edge(meant[0].name, need.line)
            elif section.status != "done":  # what is done needs nothing any more
                raise _bad_need(section, need, words, meant, sections, shown)


def _parted(words: str, names: Names) -> list[str]:
    """`01-cart-models, 02-mail and 03` -> its names; a name that has such a word in it stays whole."""
    found = []
    for one in [words] if names.matching(words) else re.split(r"[,;+&]", words):
        found += [one] if names.matching(one) else re.split(r"\band\b", one)
    parts = [one.strip(" .") for one in found]
    return [one if names.matching(one) else re.sub(r"\s*\([^()]*\)$", "", one) for one in parts if one]


def _bad_need(
    section: Found, need: Need, words: str, meant: list[Found], sections: list[Found], shown: str
) -> BadInput:
    what = "itself" if len(meant) == 1 else f"{words!r}, which is none of its sections"
    if len(meant) > 1:
        what = f"{words!r}, which may be {_names(meant)}"
    return BadInput(
        f"{section.titled} depends on {what}.",
        where=f"{shown}:{need.line}",
        hint=f"{_close(words, sections)}Sections: {_names(s for s in sections if s is not section) or 'no other'}."
        " `none` says that it depends on nothing.",
    )


def _contradictions(sections: list[Found], needs: dict[str, tuple[Edge, ...]], shown: str) -> list[str]:
    """Where a list of parts and a section name other dependencies: all of them count."""
    notices = []
    for section in sections:
        places: dict[int, set[str]] = {}
        for edge in needs[section.name]:
            inside = 0 if section.line <= edge.line < section.end else 1
            places.setdefault(inside, set()).add(edge.name)
        if len(places) == 2 and places[0] != places[1]:
            lines = sorted({edge.line for edge in needs[section.name]})
            notices.append(
                f"{shown}: {section.titled} names other dependencies in lines {', '.join(map(str, lines))};"
                " all of them count."
            )
    return notices


def _graph(names: Iterable[str], needs: dict[str, tuple[Edge, ...]]) -> Plan:
    """These sections and what they need of each other, as the graph functions of the core take it."""
    among = dict.fromkeys(names)
    return Plan(
        units=tuple(
            Unit(id=name, needs=tuple(dict.fromkeys(edge.name for edge in needs[name] if edge.name in among)))
            for name in among
        )
    )


# ---- what is asked for


def selected(found: Outline, *, feature: str, parts: Sequence[str], all_parts: bool) -> tuple[str, ...]:
    """Names of the sections that a run is about, each after what it depends on; empty for the whole feature.

    Raises BadInput for what cannot be done: a part that is not there, one whose dependency is not done, nothing left.
    """
    if parts and all_parts:
        raise BadInput(
            "--part names what to do, and --all-parts means all there is.",
            where="--part",
            hint="Leave out one of them.",
        )
    if not found.sections:
        if parts:
            raise BadInput(
                f"The feature {feature!r} has no parts.",
                where="--part",
                hint="Leave --part out: it is run as a whole."
                f" A heading `## Part: NAME` in {found.shown} begins a part.",
            )
        return ()
    if parts:
        chosen = {_asked(words, found, feature).name for words in parts}
        _refuse_missing(chosen, found, feature)
        return _ordered(chosen, found)
    due = [section for section in found.sections if section.status != "done"]
    if not due:
        raise BadInput(
            f"Every section of {feature!r} is done: {_names(found.sections)}.",
            where=found.shown,
            hint=f"`ropeteam run {feature} --part NAME` does one again. What is new goes into a section of its own:"
            " `## Extend: NAME` or `## Change: NAME`.",
        )
    if all_parts:
        return _ordered({section.name for section in due}, found)
    ready = [s for s in due if s.status != "blocked" and not _missing(s, found, set())]
    return (ready[0].name,) if ready else _refuse_stuck(due, found, feature)


def _asked(words: str, found: Outline, feature: str) -> Found:
    meant = found.names.matching(words)
    if len(meant) == 1:
        return meant[0]
    several = f"{words[:80]!r} may mean {_names(meant)} of {feature!r}."
    raise BadInput(
        several if meant else f"There is no part {words[:80]!r} in the feature {feature!r}.",
        where="--part",
        hint=f"{_close(words, found.sections)}There are: {_names(found.sections)}.",
    )


def _missing(section: Found, found: Outline, chosen: set[str]) -> list[Edge]:
    """What it depends on that is neither done nor done with it."""
    return [e for e in found.needs[section.name] if found[e.name].status != "done" and e.name not in chosen]


def _refuse_missing(chosen: set[str], found: Outline, feature: str) -> None:
    for name in _ordered(chosen, found):
        for edge in _missing(found[name], found, chosen):
            raise BadInput(
                f"{found[name].titled} depends on {edge.name}, which is not done ({found[edge.name].status}).",
                where=f"{found.shown}:{edge.line}",
                hint=f"`ropeteam run {feature} --part {_quoted(edge.name)}` does that first."
                " Give both with --part to have them done together; --all-parts does everything that is left.",
            )


def _refuse_stuck(due: list[Found], found: Outline, feature: str) -> tuple[str, ...]:
    why = []
    for section in due:
        waits = _missing(section, found, set())
        word = f"waits for {waits[0].name}" if waits else section.status
        why.append(f"{section.name} (line {section.line}) {word if waits else f'is {word}'}")
    first = next((s for s in due if not _missing(s, found, set())), due[0])
    raise BadInput(
        f"No section of {feature!r} can be begun: {'; '.join(why[:SHOWN])}.",
        where=f"{found.shown}:{first.line}",
        hint=f"See why {first.name} is {first.status};"
        f" `ropeteam run {feature} --part {_quoted(first.name)}` tries it again.",
    )


def _ordered(names: set[str], found: Outline) -> tuple[str, ...]:
    """In the order of the intent, but each after what it depends on."""
    among = [section.name for section in found.sections if section.name in names]
    try:
        return graph.order(_graph(among, found.needs))
    except ValueError:  # a circle among sections that are done: they need nothing any more
        return tuple(among)


def _names(sections: Iterable[Found]) -> str:
    names = [section.name for section in sections]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _close(words: str, sections: Sequence[Found]) -> str:
    keys = {slug(section.name): section.name for section in sections}
    close = difflib.get_close_matches(slug(words)[:200], list(keys), n=1, cutoff=0.5)
    return f"Did you mean {keys[close[0]]!r}? " if close else ""


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"
