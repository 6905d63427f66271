"""Scripts for the scripted agent: what is accepted, and where a fault is said to be."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ropeteam.agents.scripted import ScriptedAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.testing import script as steps
from ropeteam.testing.script import json_schema, load_script, parse_script


def script_of(*play: object) -> bytes:
    return json.dumps({"units": {"single": list(play)}}).encode()


def test_the_most_particular_play_counts() -> None:
    play = [{"do": "progress", "text": "x"}]
    script = parse_script(json.dumps({"units": {"single": [], "single/2": play, "*": play * 2}}).encode(), "s")

    assert script.play_for("single", 1) == ()
    assert len(script.play_for("single", 2) or ()) == 1
    assert len(script.play_for("rest", 1) or ()) == 2
    assert parse_script(b'{"units": {"a": []}}', "s").play_for("b", 1) is None


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'{"units": {"single": [\n  oops]}}', "play.json:2:3"),
        (b"", "play.json"),
        (b'{"unit": {}}', "play.json"),
        (b'{"units": {"single": {}}}', "play.json"),
        (b'{"units": {}, "more": 1}', "play.json"),
        (b"\xff", "play.json:1:1"),
        (script_of({"do": "hang"}, {"do": "dance"}), "play.json:units['single'][1]"),
        (script_of({"do": "write", "path": "a"}), "play.json:units['single'][0]"),
        (script_of({"do": "write", "path": "a", "content": "", "mode": 1}), "play.json:units['single'][0]"),
        (script_of({"do": "write", "path": "../a", "content": ""}), "play.json:units['single'][0]"),
        (script_of({"do": "write", "path": "/a", "content": ""}), "play.json:units['single'][0]"),
        (script_of({"do": "bring", "files": {"a": "", "b/../c": ""}}), "play.json:units['single'][0]"),
        (script_of({"do": "refused", "outcome": "ok"}), "play.json:units['single'][0]"),
        (script_of({"do": "delete", "path": ""}), "play.json:units['single'][0]"),
        (script_of({"do": "patch", "path": "a", "find": "", "replace": "x"}), "play.json:units['single'][0]"),
        (script_of({"do": "pause", "seconds": -1}), "play.json:units['single'][0]"),
        (script_of({"do": "command", "argv": []}), "play.json:units['single'][0]"),
        (script_of({"do": "command", "argv": "ls"}), "play.json:units['single'][0]"),
    ],
)
def test_a_bad_script_is_refused_with_its_place(data: bytes, where: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_script(data, "play.json")
    assert caught.value.where == where
    assert caught.value.message
    assert "--schema" in caught.value.hint


def test_a_script_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_script(tmp_path / "none.json")
    assert caught.value.where == str(tmp_path / "none.json")


def test_the_schema_names_every_step() -> None:
    schema = json_schema()
    described = {
        definition["properties"]["do"]["enum"][0]
        for definition in schema["$defs"].values()
        if "do" in definition.get("properties", {})
    }

    tags = {cls.__struct_config__.tag for cls in steps.AnyStep.__args__}
    assert described == tags
    assert {"write", "patch", "delete", "command", "pause", "usage", "report", "hang", "escape"} <= tags


def test_the_adapter_refuses_what_cannot_be_played(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(script_of())
    bad.write_bytes(script_of({"do": "dance"}))
    agent = ScriptedAgent()

    assert agent.probe(AgentSettings(script=str(good)), {}).problem == ""
    for settings in (
        AgentSettings(),
        AgentSettings(script=str(bad)),
        AgentSettings(script=str(tmp_path / "none.json")),
        AgentSettings(script=str(good), time_scale=0.0),
        AgentSettings(script=str(good), time_scale=float("nan")),
    ):
        probe = agent.probe(settings, {})
        assert probe.problem
        assert probe.hint
    assert "units['single'][0]" in agent.probe(AgentSettings(script=str(bad)), {}).problem


def test_every_step_survives_being_written_down() -> None:
    note = steps.FileNote(path="a", purpose="p")
    play = (
        steps.Write(path="a", content="b"),
        steps.Used(input=1, cost_usd=0.5),
        steps.Report(files=(note,)),
        steps.Lie(),
        steps.Escape(path="x"),
    )
    script = steps.Script(units={"*": play})

    assert parse_script(msgspec.json.encode(script), "s") == script
