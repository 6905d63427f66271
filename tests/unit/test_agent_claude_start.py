"""How claude is started, and how it is found: without the real program."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from given_task import a_task

from ropeteam.agents import claude
from ropeteam.agents.claude import ClaudeAgent
from ropeteam.agents.endings import conversation_id
from ropeteam.agents.report_schema import report_schema
from ropeteam.core.model import AgentReport
from ropeteam.core.plan_document import PlanDocument, UnitDocument
from ropeteam.core.settings import AgentSettings


def option(argv: tuple[str, ...], name: str) -> str | None:
    return argv[argv.index(name) + 1] if name in argv else None


def test_limits_and_model_are_passed_on_only_when_they_are_set() -> None:
    bare = ClaudeAgent().build(a_task()).argv
    full = ClaudeAgent().build(a_task(turns=7, budget_usd=1.5, settings=AgentSettings(model="sonnet"))).argv

    assert bare[0] == "claude"
    assert not {"--model", "--max-turns", "--max-budget-usd"} & set(bare)
    assert option(full, "--model") == "sonnet"
    assert option(full, "--max-turns") == "7"
    assert option(full, "--max-budget-usd") == "1.5000"


def test_no_money_left_is_still_an_amount_that_claude_takes() -> None:
    argv = ClaudeAgent().build(a_task(budget_usd=0.0)).argv

    assert float(option(argv, "--max-budget-usd") or 0) > 0


def test_the_shared_prompt_is_a_file_of_its_own() -> None:
    launch = ClaudeAgent().build(a_task())

    assert launch.files[option(launch.argv, "--append-system-prompt-file") or ""] == "shared"
    assert launch.stdin == "own"
    assert "--append-system-prompt-file" not in ClaudeAgent().build(a_task(shared_prompt="")).argv


def test_an_attempt_has_one_conversation_id_and_no_other_attempts() -> None:
    ids = {
        conversation_id(a_task(**changes))
        for changes in ({}, {"attempt": 2}, {"unit": "rest"}, {"run": "20260101-000000-x-0001"})
    }

    assert len(ids) == 4
    assert option(ClaudeAgent().build(a_task()).argv, "--session-id") == conversation_id(a_task())


def test_our_own_skills_are_not_offered_unless_the_user_gives_claude_settings() -> None:
    settings = json.loads(option(ClaudeAgent().build(a_task()).argv, "--settings") or "")
    assert settings["skillOverrides"]["2-code"] == "off"
    assert settings["enabledPlugins"] == {"ropeteam@ropeteam": False}

    for own in (("--settings", "mine.json"), ("--settings=mine.json",)):
        argv = ClaudeAgent().build(a_task(settings=AgentSettings(argv=("claude", *own)))).argv
        assert [part for part in argv if "settings" in part] == [part for part in own if "settings" in part]


def test_settings_override_what_we_set() -> None:
    env = {"CLAUDE_CODE_MAX_RETRIES": "1", "MORE": "x"}
    launch = ClaudeAgent().build(a_task(settings=AgentSettings(env=env)))

    assert launch.env["CLAUDE_CODE_MAX_RETRIES"] == "1"
    assert launch.env["MORE"] == "x"
    assert launch.env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == "1"


def test_keys_of_a_cloud_account_pass_only_when_claude_is_to_use_it() -> None:
    plain = ClaudeAgent().build(a_task())
    bedrock = ClaudeAgent().build(a_task(settings=AgentSettings(env={"CLAUDE_CODE_USE_BEDROCK": "1"})))
    off = ClaudeAgent().build(a_task(settings=AgentSettings(env={"CLAUDE_CODE_USE_BEDROCK": "0"})))

    assert "ANTHROPIC_API_KEY" in plain.pass_env
    assert "AWS_SECRET_ACCESS_KEY" not in (*plain.pass_env, *off.pass_env)
    assert "AWS_SECRET_ACCESS_KEY" in bedrock.pass_env
    assert [folder.name for folder in plain.home_folders] == [".claude"]
    assert [folder.name for folder in bedrock.home_folders] == [".claude", ".aws"]
    assert (plain.home, bedrock.home) == ((), ()), "nothing of the home folder is written as a whole"


def test_the_report_schema_stands_alone_and_fits_the_report() -> None:
    schema = report_schema("unit")
    argv = ClaudeAgent().build(a_task()).argv

    assert json.loads(option(argv, "--json-schema") or "") == schema
    assert "$ref" not in json.dumps(schema)
    assert set(schema["required"]) == {"files", "decisions", "deviations"}
    assert set(schema["properties"]) == {*schema["required"], "requests"}, "who owns everything asks for nothing"
    for name in schema["properties"]:
        assert name in AgentReport.__struct_fields__
        (item,) = [schema["properties"][name]["items"]]
        example = {name: [dict.fromkeys(item["properties"], "words")]}
        assert getattr(msgspec.convert(example, AgentReport), name)


# ---- finding it


def fake(folder: Path, script: str, name: str = "claude") -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def env_of(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder / "home"), **more}


def test_on_the_path_with_its_version(tmp_path: Path) -> None:
    program = fake(tmp_path, 'test "$1" = --version && echo "9.8.7 (Claude Code)"')

    probe = ClaudeAgent().probe(AgentSettings(), env_of(tmp_path, ANTHROPIC_API_KEY="dummy"))

    assert (probe.path, probe.version, probe.problem) == (str(program), "9.8.7", "")


def test_not_installed(tmp_path: Path) -> None:
    probe = ClaudeAgent().probe(AgentSettings(), {"PATH": str(tmp_path), "HOME": str(tmp_path)})

    assert "not found" in probe.problem
    assert "agent.claude.argv" in probe.hint


@pytest.mark.parametrize("script", ["exit 3", "echo no number", "kill -9 $$"])
def test_a_program_that_names_no_version_is_not_usable(tmp_path: Path, script: str) -> None:
    fake(tmp_path, script)

    assert "version" in ClaudeAgent().probe(AgentSettings(), env_of(tmp_path, ANTHROPIC_API_KEY="dummy")).problem


def test_a_program_that_is_no_program_is_not_usable(tmp_path: Path) -> None:
    program = tmp_path / "claude"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)

    assert "cannot be run" in ClaudeAgent().probe(AgentSettings(), env_of(tmp_path)).problem


def test_a_program_that_hangs_is_given_up(tmp_path: Path) -> None:
    fake(tmp_path, "exec sleep 60")
    agent = ClaudeAgent(probe_seconds=0.2)

    assert "cannot be run" in agent.probe(AgentSettings(), env_of(tmp_path)).problem


def test_the_version_is_asked_without_the_callers_secrets(tmp_path: Path) -> None:
    fake(tmp_path, 'test -z "$ANTHROPIC_API_KEY$OTHER" && echo 1.2.3')

    probe = ClaudeAgent().probe(AgentSettings(), env_of(tmp_path, ANTHROPIC_API_KEY="dummy", OTHER="secret"))

    assert probe.version == "1.2.3"


def test_a_log_in_is_seen_or_missed_or_left_open(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = home / ".claude"
    folder.mkdir(parents=True)
    env = {"HOME": str(home)}

    assert "not logged in" in claude.not_logged_in(env)
    for key in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_VERTEX"):
        assert claude.not_logged_in({**env, key: "1"}) == ""
    assert "not logged in" in claude.not_logged_in({**env, "ANTHROPIC_API_KEY": ""})
    (folder / "settings.json").write_text("{}")
    assert claude.not_logged_in(env) == "", "it may name a program that gives the key"
    (folder / "settings.json").rename(tmp_path / "elsewhere")
    (folder / ".credentials.json").touch(mode=0o000)
    assert claude.not_logged_in(env) == "", "that it is there is enough"
    assert "not logged in" in claude.not_logged_in({**env, "CLAUDE_CONFIG_DIR": str(tmp_path / "other")})


# ---- as a planner


def test_who_plans_is_asked_for_a_plan_and_may_only_read() -> None:
    argv = ClaudeAgent().build(a_task(kind="plan", unit="plan")).argv
    schema = json.loads(option(argv, "--json-schema") or "")

    assert schema == report_schema("plan")
    assert "$ref" not in json.dumps(schema)
    plan = schema["properties"]["plan"]
    unit = plan["properties"]["units"]["items"]
    assert set(unit["properties"]) < set(UnitDocument.__struct_fields__)
    assert unit["properties"]["title"] == {"type": "string"}
    assert set(plan["properties"]) < set(PlanDocument.__struct_fields__)
    assert {"provides", "needs", "writes"} <= set(unit["required"])
    assert option(argv, "--permission-mode") == "default"
    assert option(argv, "--allowedTools") == "Read,Grep,Glob"
    assert {"Write", "Edit", "EnterWorktree"} <= set((option(argv, "--disallowedTools") or "").split(","))
    assert "--mcp-config" not in argv
    assert "Write" not in (option(ClaudeAgent().build(a_task()).argv, "--disallowedTools") or "").split(",")


def test_the_server_it_thinks_with_is_the_only_one() -> None:
    program = "/opt/npm/lib/node_modules/x/dist/index.js"
    launch = ClaudeAgent().build(a_task(kind="plan", unit="plan", thinking=(program, "--quiet")))
    config = json.loads(option(launch.argv, "--mcp-config") or "")

    assert config == {
        "mcpServers": {
            "sequential-thinking": {
                "command": program,
                "args": ["--quiet"],
                "env": {"DISABLE_THOUGHT_LOGGING": "true"},
            }
        }
    }
    assert "--strict-mcp-config" in launch.argv
    assert (option(launch.argv, "--allowedTools") or "").endswith(",mcp__sequential-thinking")
    assert launch.env["ENABLE_TOOL_SEARCH"] == "false"
    assert program in launch.readable
