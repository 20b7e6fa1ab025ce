"""A choice on one line: left and right (or a click) turn it.  Small enough for any form, and needs no open list."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ..show import shown_line


class Choice(Widget, can_focus=True):
    """Options as (value, label); `value` is the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Previous", show=False, id="choice.previous"),
        Binding("right,space", "turn(1)", "Next", show=False, id="choice.next"),
    ]
    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; background: $surface; padding: 0 1; }
    Choice:focus { background: $cursor-line; text-style: $block-cursor-text-style; }
    """
    place: reactive[int] = reactive(0)

    class Changed(Message):
        """Another option was chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, options: tuple[tuple[str, str], ...], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.offer(options, value)

    def offer(self, options: tuple[tuple[str, str], ...], value: str) -> None:
        """Other options, with `value` chosen; nobody is told."""
        self.options = options
        values = [each for each, _ in options]
        self.set_reactive(Choice.place, values.index(value) if value in values else 0)
        self.refresh()

    def choose(self, value: str) -> None:
        """Turns to the option of that value, where there is one."""
        self.place = next((place for place, (each, _) in enumerate(self.options) if each == value), self.place)

    @property
    def value(self) -> str:
        return self.options[self.place][0] if self.options else ""

    def render(self) -> Content:
        label = self.options[self.place][1] if self.options else "nothing to choose"
        count = f"  {self.place + 1}/{len(self.options)}" if len(self.options) > 1 else ""
        room = max(8, self.size.width - len(count) - 4)
        label_ = shown_line(label, "", 300).truncate(room, ellipsis=True)
        return Content.assemble(shown_line("‹ ", "dim"), label_, shown_line(f" ›{count}", "dim"))

    def watch_place(self) -> None:
        self.post_message(self.Changed(self))

    def action_turn(self, step: int) -> None:
        if self.options:
            self.place = (self.place + step) % len(self.options)

    def on_click(self) -> None:
        self.action_turn(1)
