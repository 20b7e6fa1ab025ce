"""From a model's name to a subject: embedded puppets, a file of replies, or a litellm model through the one provider child."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.puzzle import Puzzle
from ..loading.config import Model, bad_address
from ..subjects.child.redaction import holds_secret
from ..subjects.names import SCRIPTED, SIMULATED
from ..subjects.protocol import Subject, SubjectError
from ..subjects.puppets.puppet import SimulatedSubject

if TYPE_CHECKING:
    from ..subjects.child.client import Provider


KEYED = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-4.1",
    "GEMINI_API_KEY": "gemini/gemini-2.5-flash",
    "MISTRAL_API_KEY": "mistral/mistral-large-latest",
    "GROQ_API_KEY": "groq/llama-3.3-70b-versatile",
    "OPENROUTER_API_KEY": "openrouter/openai/gpt-4.1",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
}
"""Key variable → a model to offer where it is set.  Any other litellm name can be typed."""

LOCAL = {
    11434: ("Ollama", "ollama_chat/", "http://127.0.0.1:11434"),
    8080: ("llama.cpp", "openai/local", "http://127.0.0.1:8080/v1"),
    8000: ("vLLM", "hosted_vllm/", "http://127.0.0.1:8000/v1"),
    1234: ("LM Studio", "openai/local", "http://127.0.0.1:1234/v1"),
}
"""Port → the server that usually listens there, the model prefix and its API base."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model to choose: its name, one line about it, and where it is served if that is not the provider's own host."""

    model: str
    about: str
    api_base: str = ""


class Models:
    """Makes subjects.  Holds the provider child, which is started when a litellm subject first needs it."""

    def __init__(self, aliases: Mapping[str, Model], *, paced: bool, log: Path | None = None) -> None:
        self.aliases, self.paced = aliases, paced
        self._log = log
        self._provider: Provider | None = None

    def make(self, name: str, puzzles: Sequence[Puzzle] = (), api_base: str = "") -> Subject:
        """The subject called `name`.  `puzzles` is the answer book of the embedded puppets.  Name and API base are stored, and may come
        from a shared notebook: neither may hold a key, and a name no address.  Raises SubjectError."""
        alias = self.aliases.get(name, Model(name))
        if api_base and (problem := bad_address(api_base)):
            raise SubjectError(f"The API base {problem}.")
        if holds_secret(f"{name}\n{api_base}"):
            raise SubjectError(
                "A key is in the model's name or in the API base, which are stored: keys live in the environment alone."
            )
        if name in SIMULATED:
            return SimulatedSubject(name, book={puzzle.text: puzzle for puzzle in puzzles}, paced=self.paced)
        if name.startswith("sim/"):
            raise SubjectError(f"There is no embedded subject {name!r}; there are: {', '.join(SIMULATED)}.")
        if name.startswith(SCRIPTED):
            from ..subjects.scripted import ScriptedSubject

            return ScriptedSubject(name, Path(name.removeprefix(SCRIPTED)), paced=self.paced)
        if "/" not in alias.model:
            known = ", ".join([*SIMULATED, *self.aliases])
            raise SubjectError(f"{name!r} is no model: write provider/model as litellm names it, or one of {known}.")
        if "://" in alias.model:
            raise SubjectError(f"The model {name!r} holds an address: give that as the API base.")
        if self._provider is None:
            from ..subjects.child.client import Provider

            self._provider = Provider(log=self._log)
        return self._provider.subject(
            name, model=alias.model, api_base=api_base or alias.api_base or None, overrides=dict(alias.capabilities)
        )

    async def close(self) -> None:
        """Ends the provider child, if there is one."""
        if self._provider is not None:
            await self._provider.close()


ABOUT_SIMULATED = {
    "sim/anxious": "puppet: skips some, accepts most fakes",
    "sim/rational": "puppet: never skips, challenges fakes",
    "sim/contrarian": "puppet: never skips, never in doubt",
    "sim/honest": "puppet: never skips, claims what it was told",
    "sim/base": "puppet: a base model, continues text",
}


def offers(aliases: Mapping[str, Model], environ: Mapping[str, str] = os.environ) -> list[Offer]:
    """Models that can be chosen here: the embedded ones first, then the config's, then those whose key is in the environment."""
    found = [Offer(name, about) for name, about in ABOUT_SIMULATED.items()]
    found += [Offer(name, f"config: {alias.model}") for name, alias in aliases.items()]
    found += [Offer(model, f"{key} is set") for key, model in KEYED.items() if environ.get(key)]
    return found


def local_offers(timeout: float = 0.05) -> list[Offer]:
    """Servers that listen on this machine's usual ports.  Blocks up to `timeout` seconds a port: not for the screen's thread."""
    found = []
    for port, (name, model, base) in LOCAL.items():
        with socket.socket() as probe:
            probe.settimeout(timeout)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(Offer(model, f"{name} seems to listen on port {port}", base))
    return found
