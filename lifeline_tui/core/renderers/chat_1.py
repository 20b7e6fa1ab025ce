"""Renderer `chat-1`, released and frozen: chat messages, neighbours of one role merged with a blank line.

Old calls bear digests that this code made, so it is never edited: a change is a new renderer in a new file.  A test compares this
file with its recorded hash, and another holds digests of recorded calls fixed, with all that they call.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..nodes import Assistant, Body, Call, Origin, Reply, Root, System, User, plain
from .rendered import Rendered

NAME = "chat-1"

Turn = tuple[str, str, tuple[Origin, ...]]


def turns(path: Iterable[Body]) -> list[Turn]:
    """(role, text, who wrote it) of every node with text, same-role neighbours merged with a blank line; a later root starts anew."""
    found: list[Turn] = []
    for body in path:
        match body:
            case Root():
                found.clear()
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
        if found and found[-1][0] == role:
            _, before, earlier = found.pop()
            text, origins = f"{before}\n\n{text}", [*earlier, *origins]
        found.append((role, text, tuple(dict.fromkeys(origins))))
    return found


def render(path: Iterable[Body]) -> Rendered:
    return Rendered(NAME, messages=tuple({"role": role, "content": text} for role, text, _ in turns(path)))
