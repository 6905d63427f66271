"""Which of the user's keys a program built on litellm is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from given_task import a_task
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.agents import litellm_keys
from ropeteam.agents.aider import AiderAgent
from ropeteam.agents.mini_swe_agent import MiniSweAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent

BOTH = pytest.mark.parametrize("agent", [AiderAgent(), MiniSweAgent()], ids=["aider", "mini"])


def passed(agent: Agent, tmp_path: Path, settings: AgentSettings) -> set[str]:
    return set(agent.build(a_task(tree=tmp_path, settings=settings)).pass_env)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["openai/gpt-4o"], {"OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL"}),
        (["openrouter/anthropic/claude-sonnet-4.5"], {"OPENROUTER_API_KEY"}),
        (["groq/llama", "xai/grok"], {"GROQ_API_KEY", "XAI_API_KEY"}),
        (["groq/llama", "groq/small"], {"GROQ_API_KEY"}),
    ],
)
def test_a_model_that_names_its_provider_gets_that_ones_keys(models: Sequence[str], names: set[str]) -> None:
    assert set(litellm_keys.variables(models)) == names


@pytest.mark.parametrize("models", [[], [""], ["gpt-4o"], ["openai"], ["openai/"], ["nobody/gpt-4o"], ["groq/x", "y"]])
def test_a_model_that_names_none_may_be_of_any(models: Sequence[str]) -> None:
    assert litellm_keys.variables(models) == litellm_keys.EVERY


@given(st.lists(st.text(max_size=30) | st.sampled_from([f"{name}/m" for name in litellm_keys.PROVIDERS])))
def test_never_more_than_the_known_ones_and_never_none(models: list[str]) -> None:
    found = litellm_keys.variables(models)

    assert found
    assert set(found) <= set(litellm_keys.EVERY)
    assert len(found) == len(set(found))


@BOTH
def test_only_those_keys_reach_the_program(agent: Agent, tmp_path: Path) -> None:
    named = passed(agent, tmp_path, AgentSettings(model="anthropic/claude-sonnet-4-5"))

    assert "ANTHROPIC_API_KEY" in named
    assert "OPENAI_API_KEY" not in named
    assert {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"} <= passed(agent, tmp_path, AgentSettings())
    own = AgentSettings(model="groq/llama", env={"GROQ_API_KEY": "k"})
    assert "GROQ_API_KEY" not in passed(agent, tmp_path, own), "the settings give it themselves"


def test_a_model_in_the_command_line_or_the_variables_counts_too(tmp_path: Path) -> None:
    argv = AgentSettings(argv=("aider", "--model", "groq/llama", "--weak-model=xai/grok"))
    env = AgentSettings(env={"AIDER_MODEL": "groq/llama", "AIDER_EDITOR_MODEL": "xai/grok"})

    for settings in (argv, env):
        keys = {name for name in passed(AiderAgent(), tmp_path, settings) if name.endswith("_KEY")}
        assert keys == {"GROQ_API_KEY", "XAI_API_KEY"}
    named = AgentSettings(env={"MSWEA_MODEL_NAME": "groq/llama"})
    assert passed(MiniSweAgent(), tmp_path, named) == {"GROQ_API_KEY"}
    alone = AgentSettings(argv=("aider", "--weak-model", "xai/grok"))
    assert "OPENAI_API_KEY" in passed(AiderAgent(), tmp_path, alone), "the main model is not known"


@pytest.mark.parametrize(
    ("models", "env", "missing"),
    [
        (["anthropic/claude"], {"OPENAI_API_KEY": "k"}, ("anthropic", "ANTHROPIC_API_KEY")),
        (["anthropic/claude"], {"ANTHROPIC_API_KEY": "k"}, ("", "")),
        (["anthropic/claude"], {"ANTHROPIC_API_KEY": ""}, ("anthropic", "ANTHROPIC_API_KEY")),
        ([""], {"GROQ_API_KEY": "k"}, ("", "")),
        ([""], {}, ("a provider", "OPENAI_API_KEY")),
        (["ollama/llama3"], {}, ("", "")),
    ],
)
def test_whose_key_is_missing(models: Sequence[str], env: dict[str, str], missing: tuple[str, str]) -> None:
    assert litellm_keys.missing(models, env) == missing


@BOTH
def test_the_probe_names_the_key_of_the_provider_at_hand(agent: Agent, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    settings = AgentSettings(argv=(str(program),), model="groq/llama")

    found = agent.probe(settings, {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"})

    assert found.log_in
    assert "of groq" in found.problem
    assert "GROQ_API_KEY" in found.hint
    assert agent.probe(settings, {"HOME": str(tmp_path), "GROQ_API_KEY": "k"}).problem == ""
