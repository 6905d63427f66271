"""What is shown of earlier runs: the page in words, within 80 columns, and the chart."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent / "core"))

from test_history import runs_of

from ropeteam.cli import history_svg, page_history, page_markdown, page_text
from ropeteam.core.history import PastRun
from ropeteam.core.history_chart import history_chart
from ropeteam.core.history_report import history_report

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "a<b>&\x1b[31m|`x`"


def shown(runs: list[PastRun], width: int = 80, **more: object) -> str:
    return page_text.as_text(page_history.page(history_report(runs, **more)), width)  # type: ignore[arg-type]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_few_runs_are_said_to_be_few() -> None:
    text = flat(shown(runs_of(2.2, 1.4)))
    assert "2 runs of several agents: 1 came out as cautiously predicted, or better (2 should)." in text
    assert "held in 1 of 2 runs of several agents; 2 should (too few to say)." in text
    assert "from 2 runs, too few to say much" in text


def test_many_runs_are_not() -> None:
    text = flat(shown(runs_of(*[1.8] * 8)))
    assert "too few" not in text
    assert "Predicted to be no slower than one agent: 93%; it was so in 8." in text


def test_actual_and_predicted_stand_one_below_the_other() -> None:
    lines = shown(runs_of(2.0)).splitlines()
    at = next(i for i, line in enumerate(lines) if "checkout" in line)
    assert re.search(r"checkout +3\.\d min +~6\.\d min +2\.00 +615k +\$1\.25", lines[at])
    assert re.search(r"several agents +3\.3 min +6\.7 min +1\.5-2\.0 +600k +\$1\.20", lines[at + 1])


def test_a_run_that_was_slower_is_named() -> None:
    text = flat(shown(runs_of(2.0, 0.8)))
    assert "slower than one agent would have been: 1" in text
    assert re.search(r"r1 Slower than one agent would have been: [\d.]+ min, one takes about [\d.]+ min\.", text)


def test_what_went_differently_is_told_with_its_triggers() -> None:
    run = replace(runs_of(1.2)[0], outcome="delivered_after_fallback", triggers=("file_conflict",))
    text = shown([run])
    assert "several, then one" in text
    assert "Triggers: file_conflict." in text


@pytest.mark.parametrize("outcome", [None, "cancelled", "not_delivered", "delivered_single"])
def test_a_run_without_a_prediction_is_listed_all_the_same(outcome: str | None) -> None:
    run = replace(runs_of(1.0)[0], foreseen=None, speedup=None, mode="single", outcome=outcome)
    text = flat(shown([run]))  # type: ignore[list-item]
    assert "1 run; none yet in which several agents can be compared with their prediction." in text
    assert "no prediction" in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    runs = runs_of(2.0, 1.2)
    long = [replace(r, feature="a/rather-long-name-" * 3, parts=("02-part-with-a-name",), model="m" * 40) for r in runs]
    text = shown(long, width, skipped=("Run x is left out, " + "because " * 20,), earlier=7)
    assert max(len(line) for line in text.splitlines()) <= width


def test_only_the_newest_are_in_the_table() -> None:
    text = shown(runs_of(*[2.0] * 25))
    assert "the newest 20 of 25" in flat(text)
    assert text.count("several agents  ") == 20


def test_names_are_only_names() -> None:
    report = history_report([replace(runs_of(2.0)[0], feature=EVIL, agent=EVIL)])
    page = page_history.page(report)
    html = page_markdown.html(page, "t", "")
    assert "<b>" not in html
    assert "\x1b" not in page_text.as_text(page)


def test_the_chart_says_in_words_what_it_shows() -> None:
    chart = history_chart([replace(r, feature=EVIL) for r in runs_of(2.5, 0.7)])
    assert chart is not None
    root = ElementTree.fromstring(history_svg.svg(chart))
    titles = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert any("predicted 2.00 times as fast, cautiously 1.50; it was 2.50" in t for t in titles)
    assert any(t.endswith("it was 0.70, slower than one agent") for t in titles)
    words = [t.text for t in root.iter(f"{SVG}text")]
    assert "did not" in words
    assert "came out so, or better" in words
    assert len(list(root.iter(f"{SVG}circle"))) == 2  # one in the legend
    assert "script" not in {child.tag.removeprefix(SVG) for child in root.iter()}


def test_everything_that_is_drawn_lies_in_the_chart() -> None:
    chart = history_chart(runs_of(*[0.01, 50.0, 2.0] * 12))
    assert chart is not None
    root = ElementTree.fromstring(history_svg.svg(chart))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for shape in root.iter(f"{SVG}circle"):
        assert 0 <= float(shape.attrib["cx"]) <= width
        assert 0 <= float(shape.attrib["cy"]) <= height
