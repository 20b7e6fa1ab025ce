"""What every renderer makes: the content of one request, and its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..nodes import digest

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request's content: `messages`, or `prompt` for a base model; `digest` is the SHA-256 of its canonical JSON."""

    renderer: str
    messages: tuple[Message, ...] = ()
    prompt: str | None = None

    @property
    def digest(self) -> str:
        return digest(self.data())

    def data(self) -> dict[str, Any]:
        """What is digested: {"messages": [...]} or {"prompt": "..."}."""
        return {"prompt": self.prompt} if self.prompt is not None else {"messages": [dict(m) for m in self.messages]}
