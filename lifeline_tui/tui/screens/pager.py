"""Something to read: help, or the exact request of a call.  Block by block, in the transcript's own widget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from ...core.nodes import Body, Call, Origin
from ...core.transcript import Rendered, writers
from ..blocks import Block
from ..overlay import Overlay
from ..show import shown_line
from ..widgets.transcript import GUTTER, Transcript

SHARE, MOST = 0.9, 110
"""How much of the screen's width it takes, and how many cells at most."""


def text_width(width: int) -> int:
    """Cells of a line of text in a pager on a screen that is `width` cells wide: without its margins, the gutter and the scrollbar."""
    return max(20, min(MOST, int(SHARE * width)) - 2 - GUTTER - 2)


class Pager(Overlay[None], ModalScreen[None]):
    """A titled list of blocks; escape leaves it, ctrl+y copies the block at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Leave", id="pager.leave"),
        Binding("ctrl+y", "copy", "Copy", id="pager.copy"),
    ]
    DEFAULT_CSS = f"""
    Pager {{ align: center middle; }}
    Pager > .title {{ width: {SHARE:.0%}; max-width: {MOST}; height: 1; background: $panel; padding: 0 1; text-style: bold; }}
    Pager > Transcript {{ width: {SHARE:.0%}; max-width: {MOST}; height: 85%; background: $surface; padding: 0 1; }}
    Pager > .keys {{ width: {SHARE:.0%}; max-width: {MOST}; height: 1; background: $panel; padding: 0 1; color: $text-muted; }}
    """

    def __init__(self, title: str, blocks: Sequence[Block]) -> None:
        super().__init__()
        self._title, self._blocks = title, blocks

    def compose(self) -> ComposeResult:
        yield Static(shown_line(self._title), classes="title")
        yield Transcript()
        yield Static(shown_line("up, down move · ctrl+y copy · escape leave"), classes="keys")

    def on_mount(self) -> None:
        transcript = self.query_one(Transcript)
        transcript.set_blocks(self._blocks)
        transcript.focus()
        self.call_after_refresh(transcript.action_jump, False)

    def action_copy(self) -> None:
        block = self.query_one(Transcript).current_block
        if block is not None:
            self.app.copy_to_clipboard(block.text)
            self.notify("Copied.")


def saw(rendered: Rendered, path: Sequence[Body], call: Call | None) -> list[Block]:
    """The request made at the end of `path`, message by message, each under all who wrote it, with its parameters and its digest."""
    if rendered.prompt is not None:
        everyone = tuple(dict.fromkeys(origin for origins in writers(path) for origin in origins))
        made = [_message("prompt", "prompt, exactly", rendered.prompt, everyone)]
    else:
        made = [
            _message(f"m{number}", message["role"], message["content"], origins)
            for number, (message, origins) in enumerate(zip(rendered.messages, writers(path), strict=True))
        ]
    if call is not None:
        facts = {"model": call.model, "params": dict(call.params), "left out": list(call.dropped), "purpose": str(call.purpose)}
        facts |= {"digest": call.digest, "renderer": call.renderer}
        made.append(Block("call", Origin.TEMPLATE, "request", json.dumps(facts, indent=1), (), "quiet", dim=True))
    return made or [Block("none", Origin.TEMPLATE, "nothing", "Nothing has been said yet.", dim=True)]


def _message(id: str, name: str, text: str, origins: tuple[Origin, ...]) -> Block:
    """A message under the sign of whoever changed it: what the operator wrote, forged or edited is never shown as another's."""
    usual = (Origin.TEMPLATE, Origin.MODEL)
    origin = next((each for each in origins if each not in usual), origins[0] if origins else Origin.TEMPLATE)
    return Block(id, origin, f"{name} · {', '.join(origins)}" if len(origins) > 1 or origin not in usual else name, text)
