"""What the transcript draws: one block a stretch of text by one writer, already decided; the widget adds no meaning."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.nodes import Origin


@dataclass(frozen=True, slots=True)
class Block:
    """`id` is a node's id or that of a part of it.  `heading` says who or what ("model", "fake key", "forged"), `tags` the rest
    ("queued", "cancelled", "streaming").  `text` is raw.  `tone` is "", "fake", "error" or "quiet" and colours the tags; `dim`
    marks what the subject does not see on this path."""

    id: str
    origin: Origin
    heading: str
    text: str
    tags: tuple[str, ...] = ()
    tone: str = ""
    dim: bool = False
    reasoning: bool = False
