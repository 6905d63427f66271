"""A plan as a file has it: its fields and their types. The JSON Schema of the guide is made from these.

Fields that are not named here are passed over (`ropeteam plan --json` prints more), and `null` is as good as absent.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from ropeteam.core.json_lines import below
from ropeteam.core.model import Confidence, PlanEstimate

ID_PATTERN: Final = "^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_UNITS: Final = 1_000

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Count = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]
Texts = tuple[str, ...]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    pass


class UnitEstimateDocument(_Part, frozen=True, kw_only=True):
    """How long one attempt takes: half of them less than `seconds_p50`, nine of ten less than `seconds_p90`."""

    seconds_p50: Amount | None = None
    seconds_p90: Amount | None = None
    tokens_p50: Amount | None = None


class UnitDocument(_Part, frozen=True, kw_only=True):
    """A piece of work for one agent. `goal`: what it is told. `needs`: ids of units whose work it builds on. `writes`:
    patterns, as in `.gitignore`, of the files it owns; `reads`: of those it should look at. `provides`: what new it
    makes available to others, names or paths. `batch`: given in all units or found from `needs`."""

    id: Id
    writes: Annotated[Texts, Meta(min_length=1)]
    goal: str | None = None
    title: str | None = None
    kind: Literal["contract", "unit"] | None = None
    layer: str | None = None
    batch: Count | None = None
    needs: Texts | None = None
    reads: Texts | None = None
    requirements: Texts | None = None
    provides: Texts | None = None
    estimate: UnitEstimateDocument | None = None


class FileDocument(_Part, frozen=True, kw_only=True):
    """A file of the feature. `status`: `A` new, `M` changed, `D` deleted. `lines`: added lines, as they can be guessed.
    `needs`: paths of files of this feature whose new content it builds on."""

    path: str
    status: Literal["A", "M", "D"] | None = None
    lines: Annotated[int, Meta(ge=0)] | None = None
    purpose: str | None = None
    needs: Texts | None = None


class PlanDocument(_Part, frozen=True, kw_only=True):
    """`contract`: id of the unit that is done first and that all others build on. `batches`: ids, in order. `files`:
    what a planning agent says of single files; a plan that is given with `--plan` needs none."""

    units: Annotated[tuple[UnitDocument, ...], Meta(min_length=1, max_length=MAX_UNITS)]
    contract: str | None = None
    files: tuple[FileDocument, ...] | None = None
    batches: tuple[Texts, ...] | None = None
    confidence: Confidence | None = None
    estimate: PlanEstimate | None = None


class Faults:
    """What is wrong with a document, in the order in which it was found: (place, sentence)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, place: str, text: str) -> None:
        self.found.append((place, text))


_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def field(raw: dict[str, Any], name: str, of: type[_Part], place: str, faults: Faults) -> Any:
    """The value of a field as its type in `of` wants it; None when it is absent or cannot be had, which is then among
    the faults. What can be had of a list is had."""
    value = raw.get(name)
    if value is None:
        return None
    return converted(value, _types(of)[name], below(place, name), faults)


@functools.cache
def _types(of: type[_Part]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(of)}


def converted(value: Any, kind: Any, place: str, faults: Faults) -> Any:
    """The same for any value and type. Each element of a list of texts is a fault of its own."""
    if isinstance(value, list) and Texts in (kind, *get_args(kind)):
        texts = [converted(one, str, f"{place}[{index}]", faults) for index, one in enumerate(value)]
        return tuple(text for text in texts if text is not None)
    if isinstance(value, dict) and kind in (Confidence | None, PlanEstimate | None):
        value = {name: one for name, one in value.items() if one is not None}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text, _, inside = str(error).partition(" - at `$")
        faults.add(place + inside.removesuffix("`"), plain(text))
        return None


def plain(text: str) -> str:
    """A message of msgspec's in our words: "Expected `str | null`, got `int`"."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", text):
        return f"`{missing[1]}` is missing"
    if word := re.fullmatch(r"Invalid enum value (.*)", text, re.DOTALL):
        return f"it cannot be {word[1]}"
    if least := re.fullmatch(r"Expected `(\w+)` >= (\d+)(?:\.0)?", text):
        return f"it must be {_KINDS.get(least[1], least[1])} of at least {least[2]}"
    if kinds := re.fullmatch(r"Expected `([^`]+)`, got `(\w+)`", text):
        wanted = [_KINDS.get(kind, kind) for kind in kinds[1].split(" | ") if kind != "null"]
        return f"it must be {' or '.join(wanted)}, not {_KINDS.get(kinds[2], kinds[2])}"
    return text
