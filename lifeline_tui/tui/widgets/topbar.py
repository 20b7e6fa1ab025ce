"""The line above everything: which plan and branch, which subject (and that it is simulated), both scores, the budget."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from ...session import Session
from ..record import standing
from ..show import shown_line


class TopBar(Widget):
    """Renders from the session's state; holds nothing."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def render(self) -> Content:
        session, state = self.session, self.session.state()
        left = Content.assemble(
            shown_line(state.plan.name, "bold", 28),
            shown_line(" ▸ ", "$text-muted"),
            shown_line(session.branch, "$accent" if session.branch != "main" else "", 20),
            "  ",
            shown_line(session.subject.name, "", 28),
            shown_line(" SIMULATED", "bold $tone-fake") if session.subject.simulated else "",
        )
        right = shown_line(standing(state), "", 80)
        space = self.size.width - 2 - left.cell_length - right.cell_length
        if space < 1:
            right = shown_line(standing(state).replace(" · ", " ").replace("lifelines", "L"), "", 60)
            space = max(1, self.size.width - 2 - left.cell_length - right.cell_length)
        return Content.assemble(left, " " * space, right)
