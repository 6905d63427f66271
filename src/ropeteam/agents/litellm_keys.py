"""Variables with keys and addresses that programs built on litellm (aider, mini-swe-agent) read, by provider.

The names are those that litellm 1.81 reads. A program is given those of the providers that its models name by their
prefix (`openai/gpt-4o`), so that a key goes where it is needed and nowhere else. A model that names none of these
providers may be of any of them: then it is given all that stand here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ropeteam.core.settings import AgentSettings

_PROVIDERS: Final = """
    openai        OPENAI_API_KEY OPENAI_API_BASE OPENAI_BASE_URL
    anthropic     ANTHROPIC_API_KEY ANTHROPIC_API_BASE ANTHROPIC_BASE_URL
    gemini        GEMINI_API_KEY GEMINI_API_BASE
    deepseek      DEEPSEEK_API_KEY DEEPSEEK_API_BASE
    openrouter    OPENROUTER_API_KEY
    groq          GROQ_API_KEY
    mistral       MISTRAL_API_KEY
    xai           XAI_API_KEY
    cohere        COHERE_API_KEY
    cohere_chat   COHERE_API_KEY
    fireworks_ai  FIREWORKS_API_KEY
    azure         AZURE_API_KEY AZURE_API_BASE AZURE_API_VERSION
    together_ai   TOGETHERAI_API_KEY
    moonshot      MOONSHOT_API_KEY
    dashscope     DASHSCOPE_API_KEY
    ollama        OLLAMA_API_BASE
    ollama_chat   OLLAMA_API_BASE
    lm_studio     LM_STUDIO_API_BASE
"""
PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    words[0]: tuple(words[1:]) for words in (line.split() for line in _PROVIDERS.strip().splitlines())
}
"""litellm's prefix of a model -> variables."""

EVERY: Final = tuple(dict.fromkeys(name for names in PROVIDERS.values() for name in names))

_KEYLESS: Final = frozenset({"ollama", "ollama_chat", "lm_studio"})
"""Servers of one's own, which have an address without being told one."""

ENVIRONMENT: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""Else it fetches a list of prices from the network whenever it starts, and waits for it."""


def provider(model: str) -> str:
    """Which of `PROVIDERS` a model names; empty where it names none of them."""
    prefix, _, rest = model.partition("/")
    return prefix if rest and prefix in PROVIDERS else ""


def variables(models: Sequence[str]) -> tuple[str, ...]:
    """Those that these models may be reached with: all where one of them names no provider that we know, or there is
    none."""
    providers = [provider(model) for model in models]
    if not providers or "" in providers:
        return EVERY
    return tuple(dict.fromkeys(name for one in providers for name in PROVIDERS[one]))


def models(settings: AgentSettings, main: tuple[str, str], others: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What the settings say of models, the main one first; empty where they do not say it.

    main: the option and the variable that name it, for who sets no `model`. others: likewise those beside it.
    """
    first = settings.model or _given(settings, *main)
    beside = (_given(settings, option, name) for option, name in (others or {}).items())
    return (first or "", *(model for model in beside if model))


def _given(settings: AgentSettings, option: str, name: str) -> str:
    for part, following in zip(settings.argv, (*settings.argv[1:], ""), strict=False):
        if part == option:
            return following
        if part.startswith(f"{option}="):
            return part.partition("=")[2]
    return settings.env.get(name, "")


def missing(models: Sequence[str], env: Mapping[str, str]) -> tuple[str, str]:
    """Whose key is missing, in words, and the variable to set, where there can be no log-in: no key, no address of a
    server of one's own. Both empty else."""
    wanted = variables(models)
    if any(provider(model) in _KEYLESS for model in models) or any(env.get(name) for name in wanted):
        return "", ""
    named = provider(models[0]) if models else ""
    return named or "a provider", wanted[0]
