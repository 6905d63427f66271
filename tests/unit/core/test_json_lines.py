"""Lines of the values of a JSON document."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropeteam.core.json_lines import below, places

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text('ab"\\{,:é', max_size=3), inside, max_size=3),
)


def walk(document: object, place: str = "") -> list[tuple[str, object]]:
    if isinstance(document, list):
        inner = [(f"{place}[{index}]", value) for index, value in enumerate(document)]
    else:
        inner = [(below(place, name), value) for name, value in document.items()] if isinstance(document, dict) else []
    return [(place, document), *(found for at, value in inner for found in walk(value, at))]


@RELAXED
@given(DOCUMENTS)
def test_every_value_is_in_the_line_that_is_said(document) -> None:
    text = json.dumps(document, indent=1)
    lines = text.split("\n")
    found = places(text)
    for place, value in walk(document):
        line = lines[found.lines[place] - 1]
        assert isinstance(value, dict | list) or json.dumps(value) in line


def test_names_that_are_there_twice() -> None:
    assert places('{"a": 1,\n "b": {"a": 2},\n "a": 3}').twice == (("a", 3),)
