"""The plan document in what an agent answered: between prose, in a fence, beside other JSON, with a comma too many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

LONGEST: Final = 4_000_000
"""Characters of an answer that are read. A plan of 1,000 units has about 500,000."""

_EFFORT: Final = 6_000_000
"""Characters looked at in search of JSON, all tries together: what is longer than that in vain is no answer."""

_INSIDE: Final = ("plan", "proposal", "document")
"""Fields in which a plan document may stand one level down."""

_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def document(text: str) -> dict[str, Any] | str:
    """The JSON object with `units` in the text; of several the one with the most, of equals the last. Else why there is
    none, a sentence that says what to do. Never raises."""
    if not text.strip():
        return "The answer is empty: give the plan document."
    if len(text) > LONGEST:
        return f"The answer has {len(text):,} characters, at most {LONGEST:,} are read: make the plan shorter."
    plans = _plans(text) or _plans(_COMMA.sub(lambda found: found[1] or "", text))
    if plans:
        best: dict[str, Any] = max(reversed(plans), key=_units)
        return best
    return _why_not(text)


def _units(plan: dict[str, Any]) -> int:
    return len(plan["units"]) if isinstance(plan["units"], list) else 0


def _plans(text: str) -> list[dict[str, Any]]:
    return [plan for value in _values(text) if (plan := _plan(value)) is not None]


def _plan(value: Any) -> dict[str, Any] | None:
    if isinstance(value, list) and value and all(isinstance(one, dict) and "id" in one for one in value):
        return {"units": value}
    if not isinstance(value, dict):
        return None
    if "units" in value:
        return value
    return next((inner for name in _INSIDE if (inner := _plan(value.get(name))) is not None), None)


def _values(text: str) -> Iterator[Any]:
    """All that is JSON by itself: the whole text, else each object that stands in it."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        yield from _objects(text)
        return
    yield from _objects(whole) if isinstance(whole, str) else (whole,)  # JSON in a JSON text


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = effort = 0
    while effort < _EFFORT and (at := text.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            effort += error.pos - at + error.pos // 16 + 50  # to say where it is costs something, too
            at += 1
        except (ValueError, RecursionError):  # a number of too many digits, too many brackets
            effort += 10_000
            at += 1
        else:
            effort += end - at
            at = end
            yield value


def _why_not(text: str) -> str:
    start = text.rfind("{", 0, max(text.find('"units"'), 0))
    if start < 0:
        return "There is no JSON object with `units` in the answer: give the plan document, one JSON object."
    try:
        json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} of the answer"
        if error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg:
            return f"The JSON of the plan ends in the middle ({where}): give it whole, and make it shorter if need be."
        return f"The JSON of the plan cannot be read: {error.msg}, {where}."
    except (ValueError, RecursionError):
        pass
    return "The JSON of the plan cannot be read: it is nested too deeply, or a number has too many digits."
