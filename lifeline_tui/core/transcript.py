"""A path as the subject saw it: exact chat messages, or the exact prompt of a base model, and their digest.

What was sent must be reconstructible from the nodes alone (Law 2), so a call names the renderer that made its request.  Released
renderers stand in `renderers/`, one frozen file each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .nodes import Body, Call, Node, Origin
from .renderers import base_1, chat_1
from .renderers.rendered import Message, Rendered

__all__ = ["BASE", "BASE_STOP", "CHAT", "RENDERERS", "Message", "Rendered", "call_digest", "render", "writers"]

CHAT, BASE, BASE_STOP = chat_1.NAME, base_1.NAME, base_1.STOP
RENDERERS: Mapping[str, Callable[[Iterable[Body]], Rendered]] = {CHAT: chat_1.render, BASE: base_1.render}


def writers(path: Iterable[Body]) -> list[tuple[Origin, ...]]:
    """Who wrote each message of a chat's request, in the order of its messages."""
    return [origins for _, _, origins in chat_1.turns(path)]


def render(path: Iterable[Body], renderer: str) -> Rendered:
    """What a call made at the end of `path` (bodies, root first) sends.  Raises KeyError for a renderer that this version does not have."""
    return RENDERERS[renderer](path)


def call_digest(path: list[Node]) -> str | None:
    """The digest that the call at the end of `path` must bear, recomputed; None where its renderer is unknown here."""
    call = path[-1].body
    if not isinstance(call, Call) or call.renderer not in RENDERERS:
        return None
    return render((node.body for node in path[:-1]), call.renderer).digest
