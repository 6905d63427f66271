"""Variables with keys and addresses that programs built on litellm (aider, mini-swe-agent) read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NAMES: Final = """
    OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY DEEPSEEK_API_KEY OPENROUTER_API_KEY GROQ_API_KEY MISTRAL_API_KEY
    XAI_API_KEY COHERE_API_KEY FIREWORKS_API_KEY AZURE_API_KEY TOGETHERAI_API_KEY MOONSHOT_API_KEY DASHSCOPE_API_KEY
    OPENAI_API_BASE OPENAI_BASE_URL ANTHROPIC_API_BASE ANTHROPIC_BASE_URL AZURE_API_BASE AZURE_API_VERSION
    OLLAMA_API_BASE DEEPSEEK_API_BASE GEMINI_API_BASE LM_STUDIO_API_BASE
"""

ENVIRONMENT: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""Else it fetches a list of prices from the network whenever it starts, and waits for it."""


def passed(env: Mapping[str, str]) -> tuple[str, ...]:
    """Those that are passed on, but for what the settings give themselves."""
    return tuple(name for name in _NAMES.split() if name not in env)


def some_key(env: Mapping[str, str]) -> bool:
    """Whether there may be a log-in: a key, or the address of a server of one's own."""
    return any(env.get(name) for name in _NAMES.split())
