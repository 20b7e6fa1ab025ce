"""The bar of actions: every intervention with its key, greyed when it cannot be done now.  A greyed key still answers: it says why."""

from __future__ import annotations

from textual.binding import Keymap
from textual.content import Content
from textual.widget import Widget

from ...interventions import TABLE
from ...session import Session
from ..show import shown_line

SHORT = ("next", "autoplay", "reveal", "fake", "verdict", "praise", "workings", "self-score", "challenge", "key-check", "why-skip")
NAMES = {"semicolon": ";", "full_stop": ".", "question_mark": "?"}


class Actions(Widget):
    """Renders from the table and the state."""

    DEFAULT_CSS = """
    Actions { height: auto; max-height: 2; background: $panel; padding: 0 1; }
    """

    def __init__(self, session: Session, keymap: Keymap) -> None:
        super().__init__()
        self.session, self.keymap = session, keymap
        self.cursor: str | None = None

    def render(self) -> Content:
        bits: list[Content] = []
        if self.session.busy:
            bits.append(Content.assemble(shown_line("esc", "bold $accent"), shown_line(" cancel, keeping what came")))
        width = self.size.width - 2
        used = 0
        for name, entry in TABLE.items():
            key = key_of(name, self.keymap)
            refused = self.session.refusal(name, self.cursor)
            bit = Content.assemble(
                shown_line(key, "$text-disabled" if refused else "bold $accent"),
                shown_line(f" {entry.label}", "$text-disabled" if refused else ""),
            )
            if used + bit.cell_length + 2 > 2 * width - 12:
                break
            used += bit.cell_length + 2
            bits.append(bit)
        bits.append(Content.assemble(shown_line("?", "bold $accent"), shown_line(" help")))
        return Content("  ").join(bits)


def key_of(name: str, keymap: Keymap) -> str:
    """The key of an intervention as it is shown, the operator's own if remapped."""
    key = keymap.get(name, TABLE[name].key).split(",")[0]
    return NAMES.get(key, key)
