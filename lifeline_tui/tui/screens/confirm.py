"""One question before something that cannot be taken back, such as calls that cost money."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from ...session.session import Session
from ..overlay import Overlay
from ..show import shown


class Confirm(Overlay[bool], ModalScreen[bool]):
    """Enter does it; escape, or n, does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "dismiss(True)", "Do it", show=False, id="confirm.do"),
        Binding("escape,n,q", "dismiss(False)", "Leave", show=False, id="confirm.leave"),
    ]
    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > Vertical { width: 80%; max-width: 70; height: auto; background: $panel; padding: 1 2; }
    Confirm .keys { color: $text-muted; margin-top: 1; height: auto; }
    """

    def __init__(self, question: str, does: str) -> None:
        """`does`: what enter does, in a word or two."""
        super().__init__()
        self.question, self.does = question, does

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(shown(self.question))
            yield Static(shown(f"enter or y {self.does} · escape or n does not"), classes="keys")


def calls_ahead(session: Session) -> str:
    """What autoplay is about to send, in words: how many calls, to which model."""
    state = session.state()
    left = len(state.root.puzzles) - state.posed
    calls = -(-left // state.plan.batch_size) if state.plan.presentation == "batch" else left
    calls = max(1, calls + bool(state.owed))
    more = " Its scripted steps add more." if state.plan.then or state.plan.steps else ""
    count = f"at least {calls} call{'s' if calls != 1 else ''}"
    return f"Autoplay sends {count} to {session.subject.name}, which may cost money.{more} A key pauses it after the reply that is arriving."
