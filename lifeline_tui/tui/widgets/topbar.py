"""The line above everything: which plan and branch, which subject (and that it is simulated), both scores, the budget."""

from __future__ import annotations

from textual.binding import Keymap
from textual.content import Content
from textual.widget import Widget

from ...session.branches import home
from ...session.session import Session
from ..keys import key_of
from ..record import standing
from ..show import shown_line


class TopBar(Widget):
    """Renders from the session's state; holds nothing."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self, session: Session, keymap: Keymap) -> None:
        super().__init__()
        self.session, self.keymap = session, keymap

    def render(self) -> Content:
        """All of it where there is room; else shorter words, and at last a shorter name of the plan and of the subject."""
        state, width = self.session.state(), self.size.width
        choices = self.session.choices()
        for room, brief in ((80, False), (28, False), (28, True), (20, True), (12, True), (8, True)):
            left, right = self._left(room), standing(state, brief, choices)
            space = width - left.cell_length - len(right)
            if space > 0:
                break
        return Content.assemble(left, " " * max(1, space), shown_line(right)).truncate(max(1, width), ellipsis=True)

    def _left(self, room: int) -> Content:
        session = self.session
        away = session.branch != home(session)
        back = key_of("back", self.keymap)
        return Content.assemble(
            shown_line(session.state().plan.name, "bold", room),
            shown_line(" ▸ ", "$text-muted"),
            shown_line(session.branch, "bold $accent" if away else "", room),
            shown_line(f" ({back} goes back)" if room >= 28 else f" ({back})", "$text-muted") if away else "",
            "  ",
            shown_line(session.subject.name, "", room),
            shown_line(" SIMULATED" if room > 8 else " SIM", "bold $tone-fake") if session.subject.simulated else "",
        )
