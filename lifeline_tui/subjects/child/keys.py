"""Which environment variable a model needs, so that a missing key is one sentence before any request, and before litellm loads."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "cohere_chat": ("COHERE_API_KEY", "CO_API_KEY"),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
    "text-completion-openai": ("OPENAI_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN"),
    "xai": ("XAI_API_KEY",),
}
"""The variables that hold a provider's key, the usual one first."""

OPENAI_SHAPED = frozenset({"openai", "text-completion-openai"})
"""Names under which people reach servers of their own, which want no key: with an API base, these send a dummy one."""

DUMMY_KEY = "no-key"
OTHERWISE = "or choose sim/anxious, which needs no key"


def dummy_key(provider: str, api_base: str | None, environ: Mapping[str, str]) -> str | None:
    """The key to send for want of a real one; None: leave it to the environment."""
    wanted = provider in OPENAI_SHAPED and own_server(api_base, environ) and not environ.get("OPENAI_API_KEY")
    return DUMMY_KEY if wanted else None


def own_server(api_base: str | None, environ: Mapping[str, str]) -> bool:
    return bool(api_base or environ.get("OPENAI_BASE_URL") or environ.get("OPENAI_API_BASE"))


def missing_key(provider: str, model: str, api_base: str | None, environ: Mapping[str, str]) -> str:
    """One sentence that names the variable to set, or nothing: the key is there, not needed, or this provider is not known here."""
    names = VARIABLES.get(provider, ())
    if not names or any(environ.get(name) for name in names) or (provider in OPENAI_SHAPED and own_server(api_base, environ)):
        return ""
    base = ", give an API base" if provider in OPENAI_SHAPED else ""
    return f"{model} needs a key: set {names[0]} in the environment and start again{base}, {OTHERWISE}."
