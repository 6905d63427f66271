"""How codex is started, and how it is found: without the real program."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import given_task
import msgspec
import pytest

from ropeteam.agents import codex
from ropeteam.agents.codex import CodexAgent, OwnConfig, own_config
from ropeteam.agents.report_schema import report_schema, strict, without_nulls
from ropeteam.core.model import AgentReport
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Fork, Launch, Task

HOME = {"HOME": "/nowhere"}
SESSION = "019b796d-d600-7000-8000-000000000001"


def a_task(**changes: object) -> Task:
    return given_task.a_task(**{"shared_prompt": "shared ", **changes})


def build(env: dict[str, str] = HOME, **changes: object) -> Launch:
    return CodexAgent(env=env).build(a_task(**changes))


def config(launch: Launch) -> dict[str, Any]:
    """The `-c` options as codex reads them: each a line of TOML."""
    argv = launch.argv
    return tomllib.loads("\n".join(argv[i + 1] for i, word in enumerate(argv) if word == "-c"))


def users(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text(text)
    return {"HOME": str(tmp_path)}


def test_the_shared_prompt_is_the_beginning_of_all_it_is_told() -> None:
    launches = [build(), build(sandboxed=True), build(unit="other", own_prompt="other", tree=Path("/elsewhere"))]

    assert all(launch.stdin.startswith("shared ") for launch in launches)
    assert launches[1].stdin == "shared own"
    assert "/attempt/tree" not in launches[2].stdin
    told = config(launches[0])
    assert not told["include_environment_context"]
    assert not told["include_permissions_instructions"]
    assert told["project_doc_max_bytes"] == 0
    assert not told["skills"]["include_instructions"]


def test_one_sandbox_confines_it_and_never_two() -> None:
    within, without = build(sandboxed=True), build()

    assert "--dangerously-bypass-approvals-and-sandbox" in within.argv
    assert "-s" not in within.argv
    assert "--dangerously-bypass-approvals-and-sandbox" not in without.argv
    assert without.argv[without.argv.index("-s") + 1] == "workspace-write"
    assert "Your commands run confined: they can write `/attempt/tree`" in without.stdin


def test_who_plans_can_only_read() -> None:
    within, without = build(kind="plan", sandboxed=True), build(kind="plan")

    assert without.argv[without.argv.index("-s") + 1] == "read-only"
    assert within.reads_only, "where codex does not confine itself, ropeteam's sandbox does"
    assert not build(sandboxed=True).reads_only


def test_a_log_in_is_not_renewed_where_it_cannot_be_kept() -> None:
    within = build(sandboxed=True)

    assert within.env["CODEX_REFRESH_TOKEN_URL_OVERRIDE"].startswith("http://127.0.0.1:9/")
    assert build().env == {}
    (folder,) = within.home_folders
    assert (folder.name, folder.variable, folder.kept) == (".codex", "CODEX_HOME", ())
    own = AgentSettings(env={"CODEX_REFRESH_TOKEN_URL_OVERRIDE": "http://own"})
    assert build(sandboxed=True, settings=own).env == own.env


def test_the_model_is_passed_on_only_when_it_is_set() -> None:
    assert "--model" not in build().argv
    argv = build(settings=AgentSettings(model="gpt-5.5", argv=("/opt/codex", "-c", "x=1"))).argv
    assert argv[argv.index("--model") + 1] == "gpt-5.5"
    assert argv[:4] == ("/opt/codex", "-c", "x=1", "exec")


def test_a_fork_goes_on_from_a_copy_and_is_told_only_what_is_new() -> None:
    fork = Fork(session=SESSION, tree=Path("/other/tree"), folder=Path("/other"))
    launch = build(fork=fork, sandboxed=True)

    assert launch.argv[-3:] == ("fork", SESSION, "-")
    assert launch.stdin == "own"
    assert launch.carried == ("home/sessions/*.jsonl",)
    assert build().carried == ()
    assert build().argv[-1] == "-"


# ---- the user's own settings


def test_no_program_of_the_users_settings_is_started(tmp_path: Path) -> None:
    text = '[mcp_servers.plain]\ncommand = "x"\n[mcp_servers."with.dot"]\nurl = "http://x"\n'
    told = config(build(users(tmp_path, text)))

    assert told["mcp_servers"] == {"plain": {"enabled": False}, "with.dot": {"enabled": False}}
    assert told["notify"] == []
    assert told["features"]["hooks"] is False
    assert "mcp_servers" not in config(build()), "codex refuses a server that it does not know"


def test_the_server_it_thinks_with_is_the_only_one(tmp_path: Path) -> None:
    env = users(tmp_path, '[mcp_servers.own]\ncommand = "x"\n[mcp_servers.sequential-thinking]\ncommand = "y"\n')
    launch = build(env, kind="plan", thinking=("/opt/think", "--quiet"))

    servers = config(launch)["mcp_servers"]
    assert servers["own"] == {"enabled": False}
    assert (servers["sequential-thinking"]["command"], servers["sequential-thinking"]["args"]) == (
        "/opt/think",
        ["--quiet"],
    )
    assert "/opt/think" in launch.readable


def test_keys_that_the_users_providers_name_are_passed_on(tmp_path: Path) -> None:
    text = (
        'model_provider = "mine"\n[model_providers.mine]\nenv_key = "MINE_KEY"\n'
        'env_http_headers = {"X-Team" = "MINE_TEAM"}\n[model_providers.broken]\nenv_key = 3\n'
    )
    launch = build(users(tmp_path, text))

    assert {"MINE_KEY", "MINE_TEAM", "CODEX_API_KEY", "CODEX_HOME"} <= set(launch.pass_env)
    assert "AWS_SECRET_ACCESS_KEY" not in launch.pass_env


def test_a_key_alone_is_enough(tmp_path: Path) -> None:
    key = {"OPENAI_API_KEY": "dummy"}
    told = config(build(HOME | key))

    assert told["model_providers"][told["model_provider"]]["env_key"] == "OPENAI_API_KEY"
    for env in (HOME, HOME | key | {"CODEX_API_KEY": "x"}, users(tmp_path, 'model_provider = "mine"\n') | key):
        assert "model_provider" not in config(build(env)), "codex finds its log-in by itself"
    (tmp_path / ".codex" / "config.toml").unlink()
    (tmp_path / ".codex" / "auth.json").touch(mode=0o000)
    assert "model_provider" not in config(build({"HOME": str(tmp_path)} | key))


@pytest.mark.parametrize("text", ["not toml [", "mcp_servers = 3\nmodel_providers = [1]\n", "\udcff"])
def test_settings_that_cannot_be_read_are_left_to_codex(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode(errors="surrogateescape"))

    assert own_config({"CODEX_HOME": str(tmp_path)}) == OwnConfig()


# ---- the form of the report


def objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if "properties" in schema and isinstance(schema["properties"], dict) else []
    return own + [found for value in schema.values() for found in objects(value)]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["unit", "plan"])
def test_the_form_of_the_report_is_strict(kind: Any, shared: bool) -> None:
    launch = build(kind=kind, as_planner=shared)
    schema = json.loads(launch.files[launch.argv[launch.argv.index("--output-schema") + 1]])

    assert schema == strict(report_schema(kind, as_planner=shared))
    found = objects(schema)
    assert len(found) > 4
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
        assert all("type" in value or "anyOf" in value for value in one["properties"].values())
        assert "default" not in json.dumps(one)


def test_null_is_what_may_be_left_out() -> None:
    schema = strict(report_schema("unit"))
    assert {"type": "null"} in schema["properties"]["requests"]["anyOf"]
    answer = {"files": [{"path": "a", "purpose": "b"}], "decisions": [], "deviations": [], "requests": None}
    assert "requests" not in without_nulls(answer)
    assert msgspec.convert(without_nulls(answer), AgentReport).files[0].path == "a"


# ---- finding it


def fake(folder: Path, script: str) -> Path:
    program = folder / "codex"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def env_of(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder / "home"), **more}


def test_on_the_path_with_its_version_and_without_the_callers_secrets(tmp_path: Path) -> None:
    program = fake(tmp_path, 'test "$1" = --version && test -z "$CODEX_API_KEY" && echo "codex-cli 9.8.7"')

    probe = CodexAgent().probe(AgentSettings(), env_of(tmp_path, CODEX_API_KEY="dummy"))

    assert (probe.path, probe.version, probe.problem) == (str(program), "9.8.7", "")


def test_it_says_its_version_without_the_users_folder(tmp_path: Path) -> None:
    fake(tmp_path, 'touch "$CODEX_HOME/left" 2>/dev/null; echo 1.2.3')

    assert CodexAgent().probe(AgentSettings(), env_of(tmp_path, CODEX_HOME=str(tmp_path / "own"))).version == "1.2.3"
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("script", ["exit 3", "echo no number", "kill -9 $$"])
def test_a_program_that_names_no_version_is_not_usable(tmp_path: Path, script: str) -> None:
    fake(tmp_path, script)

    assert "version" in CodexAgent().probe(AgentSettings(), env_of(tmp_path, CODEX_API_KEY="dummy")).problem


def test_what_is_not_there_or_not_trusted_is_not_run(tmp_path: Path) -> None:
    missing = CodexAgent().probe(AgentSettings(), {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    fake(tmp_path, f"touch {tmp_path}/ran; echo 1.2.3")
    untrusted = CodexAgent().probe(AgentSettings(), env_of(tmp_path, CODEX_API_KEY="dummy"), trusted=False)

    assert "not found" in missing.problem
    assert "agent.codex.argv" in missing.hint
    assert (untrusted.problem, untrusted.version) == ("", "")
    assert not (tmp_path / "ran").exists()


def test_a_log_in_is_seen_or_missed_or_left_open(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}

    assert "not logged in" in codex.not_logged_in(env)
    assert "not logged in" in codex.not_logged_in({**env, "CODEX_API_KEY": ""})
    for key in ("CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_API_KEY"):
        assert codex.not_logged_in({**env, key: "1"}) == ""
    own = users(tmp_path, 'cli_auth_credentials_store = "keyring"\n')
    assert codex.not_logged_in(own) == "", "nobody can tell from outside"
    (tmp_path / ".codex" / "config.toml").write_text('model_provider = "mine"\n')
    assert codex.not_logged_in(own) == "", "it may need no key at all"
    (tmp_path / ".codex" / "config.toml").write_text('model = "x"\n')
    assert "not logged in" in codex.not_logged_in(own)
    (tmp_path / ".codex" / "auth.json").touch(mode=0o000)
    assert codex.not_logged_in(own) == "", "that it is there is enough"
    assert "not logged in" in codex.not_logged_in({**own, "CODEX_HOME": str(tmp_path / "other")})
