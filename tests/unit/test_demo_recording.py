from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.demo import recording, repository
from ropeteam.testing import script

FILES = sorted(str(path.relative_to(recording.FEATURE)) for path in recording.FEATURE.rglob("*") if path.is_file())
FILES = [path for path in FILES if "__pycache__" not in path]


def apply(steps: list[script.AnyStep], text: str) -> str:
    for step in steps:
        match step:
            case script.Write(content=content):
                text = content
            case script.Patch(find=find, replace=replace):
                assert text.count(find) == 1
                text = text.replace(find, replace)
            case _:
                pytest.fail(f"unexpected {step}")
    return text


@pytest.mark.parametrize("path", FILES)
def test_each_file_ends_as_it_stands_in_the_feature(path: str) -> None:
    present = recording.SAMPLE / path
    before = present.read_text() if present.exists() else ""
    assert apply(recording.change(path), before) == (recording.FEATURE / path).read_text()


lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "    d\n"]), max_size=12).map("".join)


@given(lines, lines)
def test_patches_turn_any_text_into_any_other_or_say_they_cannot(old: str, new: str) -> None:
    pairs = recording.patches(old, new)
    if pairs is None:
        return
    steps: list[script.AnyStep] = [script.Patch(path="x", find=find, replace=replace) for find, replace in pairs]
    assert apply(steps, old) == new


def test_the_recording_names_every_file_once_and_gives_each_a_purpose() -> None:
    made = recording.load()
    named = [path for stage in made.stage for path in stage.files]
    assert sorted(named) == FILES
    assert sorted(made.purposes) == FILES


def test_it_takes_a_quarter_of_an_hour_of_the_features_time() -> None:
    steps = recording.record("python3").units["single"]
    assert sum(step.seconds for step in steps if isinstance(step, script.Pause)) == pytest.approx(900)


def test_usage_grows_and_stays_inside_the_context() -> None:
    steps = recording.record("python3").units["single"]
    used = [step for step in steps if isinstance(step, script.Used)]
    assert used == sorted(used, key=lambda step: (step.input, step.cached, step.output, step.cost_usd))
    assert 0 < used[-1].context_used < 0.8 * used[-1].context_limit
    # 54,100 fresh at $3, 486,000 cached at $0.30 and 24,200 written at $15 a million
    assert used[-1].cost_usd == pytest.approx(0.6711)


def test_what_is_written_can_be_played(tmp_path: Path) -> None:
    path = recording.write(tmp_path / "script.json", "python3")
    assert script.load_script(path) == recording.record("python3")


def test_the_plan_of_the_sample_names_every_file_of_the_feature() -> None:
    folder = recording.SAMPLE / ".workspace" / "features" / repository.FEATURE
    plan = (folder / "01-architecture.md").read_text()
    assert sorted(set(re.findall(r"^(?:\||-) `([^`]+)`", plan, re.MULTILINE))) == FILES
