"""A path as the subject saw it: exact chat messages, or the exact prompt of a base model, and their digest.

What was sent must be reconstructible from the nodes alone (Law 2), so a call names the renderer that made its request.  A released
renderer is never edited: a change is a new name beside the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .nodes import Assistant, Body, Call, Node, Origin, Reply, Root, System, User, digest, plain
from .replies import cut_base

Message = Mapping[str, str]

BASE_STOP = ("\n### ",)
"""Where a base model's continuation ends: it would go on to write the operator's part."""


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


def _turns(path: Iterable[Body]) -> list[tuple[str, str, tuple[Origin, ...]]]:
    """(role, text, who wrote it) of every node with text, same-role neighbours merged with a blank line; a later root starts anew."""
    turns: list[tuple[str, str, tuple[Origin, ...]]] = []
    for body in path:
        match body:
            case Root():
                turns.clear()
                continue
            case Call():
                continue
            case System(spans=spans):
                role, text = "system", plain(spans)
            case User(parts=parts):
                role, text = "user", "\n\n".join(plain(part.spans) for part in parts)
                spans = tuple(span for part in parts for span in part.spans)
            case Reply(spans=spans) | Assistant(spans=spans):
                role, text = "assistant", plain(spans)
        if not text:
            continue
        origins = [span.origin for span in spans]
        if turns and turns[-1][0] == role:
            _, before, earlier = turns.pop()
            text, origins = f"{before}\n\n{text}", [*earlier, *origins]
        turns.append((role, text, tuple(dict.fromkeys(origins))))
    return turns


def writers(path: Iterable[Body]) -> list[tuple[Origin, ...]]:
    """Who wrote each message of a chat's request, in the order of its messages."""
    return [origins for _, _, origins in _turns(path)]


def _chat_1(path: Iterable[Body]) -> Rendered:
    return Rendered("chat-1", messages=tuple({"role": role, "content": text} for role, text, _ in _turns(path)))


_HEADINGS = {"user": "### Operator\n", "assistant": "### Subject\n"}


def _base_1(path: Iterable[Body]) -> Rendered:
    """Blocks under headings, ending where the subject is to write; what it wrote past its own turn is cut, as the parser cuts it."""
    blocks = []
    turns = _turns(path)
    for role, text, _ in turns:
        body = cut_base(text, BASE_STOP).strip("\n") if role == "assistant" else text
        blocks.append(_HEADINGS.get(role, "") + body)
    if not turns or turns[-1][0] != "assistant":
        blocks.append("### Subject\n")
    return Rendered("base-1", prompt="\n\n".join(blocks))


RENDERERS: Mapping[str, Callable[[Iterable[Body]], Rendered]] = {"chat-1": _chat_1, "base-1": _base_1}
CHAT, BASE = "chat-1", "base-1"


def render(path: Iterable[Body], renderer: str) -> Rendered:
    """What a call made at the end of `path` (bodies, root first) sends.  Raises KeyError for a renderer that this version does not have."""
    return RENDERERS[renderer](path)


def call_digest(path: list[Node]) -> str | None:
    """The digest that the call at the end of `path` must bear, recomputed; None where its renderer is unknown here."""
    call = path[-1].body
    if not isinstance(call, Call) or call.renderer not in RENDERERS:
        return None
    return render((node.body for node in path[:-1]), call.renderer).digest
