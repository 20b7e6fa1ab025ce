"""What a subject is: something that turns a transcript into a stream of events that ends exactly once.

A subject knows nothing of plans, puzzles or trees: it is handed the exact messages (or prompt), and whoever closes the stream early
cancels the request.  A subject never raises for what a provider did: that is an `End` with a status and a cause.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the config needs the deadlines before the first paint, and nothing of nodes
    from ..core.nodes import Status, Usage


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds to wait: to connect, for the first event, between events, and in all; and how often to retry before the first
    event.  They start when the subject is ready to send."""

    connect: float = 15.0
    first_token: float = 180.0
    gap: float = 90.0
    total: float = 1800.0
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One call.  `messages` for a chat model ({role, content} mappings), else `prompt`; never both."""

    messages: tuple[Mapping[str, str], ...] = ()
    prompt: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    deadlines: Deadlines = Deadlines()


@dataclass(frozen=True, slots=True)
class Delta:
    """More text, more reasoning, or both."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The subject will try again by itself, in `wait` seconds; only ever before the first delta."""

    attempt: int
    wait: float
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """How the reply ended.  `cause` is a sentence for the operator, empty when complete, and `cause_kind` the word of `Cause` for it;
    `finish_raw` is the provider's own word."""

    status: Status
    cause: str = ""
    finish_raw: str = ""
    usage: Usage | None = None
    model: str = ""
    fingerprint: str = ""
    redacted: bool = False
    cause_kind: str = ""


Event = Delta | Retry | End


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend takes.  `params` are the parameter names it accepts; None: unknown, so all are sent.  `context` is how many tokens
    it holds; None: not known."""

    chat: bool = True
    params: frozenset[str] | None = None
    reasoning: bool = False
    prefill: bool = False
    note: str = ""
    context: int | None = None

    def dropped(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The names in `params` that this backend does not take, sorted: shown before they are left out."""
        return tuple(sorted(set(params) - self.params)) if self.params is not None else ()


class SubjectError(Exception):
    """A subject cannot be used at all: a missing key, an unknown model, an unreadable file.  The message is for the operator."""


class Subject(Protocol):
    """A model under study.  `name` is what the operator typed; `model` is the name that is asked for, with any alias resolved;
    `simulated` marks the embedded puppets."""

    name: str
    model: str
    simulated: bool

    async def capabilities(self) -> Capabilities:
        """What this backend takes.  Raises SubjectError."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        """Deltas and retries, then one `End`.  Closing the generator cancels the request and frees its connection."""
        ...

    async def close(self) -> None:
        """Frees what the subject holds."""
        ...
