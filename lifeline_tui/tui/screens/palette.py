"""The command palette: type a command's name; the lines below say what enter will do, and a name that nothing has does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ..commands import Command, found
from ..overlay import Overlay
from ..show import shown, shown_line
from ..widgets.line import Line
from ..widgets.menu import Menu

AROUND = 12
"""Lines of the palette and its surroundings that are not the list."""
KEY = 10
"""Cells of a key."""


class Palette(Overlay[Command | None], ModalScreen[Command | None]):
    """Answers with a command, or None when it was left.  The list follows each letter at once, so that enter does what is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave", show=False, id="palette.leave", priority=True),
        Binding("down", "move('down')", "Down", show=False, id="palette.down"),
        Binding("up", "move('up')", "Up", show=False, id="palette.up"),
        Binding("pagedown", "move('page_down')", "Page down", show=False, id="palette.page-down"),
        Binding("pageup", "move('page_up')", "Page up", show=False, id="palette.page-up"),
    ]
    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical { width: 90%; max-width: 90; height: auto; margin-top: 2; background: $panel; padding: 1 2; }
    Palette Input { height: 1; border: none; background: $surface; padding: 0 1; }
    Palette Input:focus { border: none; background: $cursor-line; }
    Palette OptionList {
        height: auto; border: none; padding: 0; margin-top: 1; background: $panel; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Palette OptionList > .option-list--option-highlighted {
        color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
    }
    Palette #will { height: 3; margin-top: 1; }
    Palette .keys { height: 1; color: $text-muted; }
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self.commands = commands
        self.listed: list[Command] = []

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Line(placeholder="the name of a command", id="command")
            menu = Menu()
            menu.can_focus = False
            yield menu
            yield Static(id="will")
            yield Static(shown("type a name · up, down choose · enter does it · escape leaves"), classes="keys")

    def on_mount(self) -> None:
        self.query_one(Line).focus()
        self._list()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(OptionList).styles.max_height = max(3, event.size.height - AROUND)

    @property
    def chosen(self) -> Command | None:
        """What enter does."""
        at = self.query_one(OptionList).highlighted
        return self.listed[at] if at is not None and at < len(self.listed) else None

    def _list(self) -> None:
        self.listed = found(self.query_one(Line).value, self.commands)
        menu = self.query_one(OptionList)
        menu.clear_options()
        menu.add_options([Option(_entry(command)) for command in self.listed])
        menu.highlighted = 0 if self.listed else None
        self._say()

    def _say(self) -> None:
        """What enter will do."""
        command = self.chosen
        will = self.query_one("#will", Static)
        if command is None:
            will.update(shown(f"No command is called {self.query_one(Line).value.strip()!r}: enter does nothing.", "$tone-error"))
            return
        key = f" ({command.key})" if command.key else ""
        about = f"Not now: {command.refused}" if command.refused else command.about
        head = shown_line(f"enter: {command.label}{key}", "bold")
        will.update(Content.assemble(head, "\n", shown(about, "$tone-error" if command.refused else "$text-muted")))

    def on_input_changed(self) -> None:
        self._list()

    def on_option_list_option_highlighted(self) -> None:
        self._say()

    def on_input_submitted(self) -> None:
        if self.chosen is None:
            self.app.bell()
        else:
            self.dismiss(self.chosen)

    def on_option_list_option_selected(self) -> None:
        self.on_input_submitted()

    def action_move(self, step: str) -> None:
        menu = self.query_one(OptionList)
        getattr(menu, f"action_{'cursor_' if step in ('up', 'down') else ''}{step}")()


def _entry(command: Command) -> Content:
    """A line of the list: the key, then the name; greyed where it cannot be done now."""
    style = "$unavailable" if command.refused else ""
    return Content.assemble(
        shown_line(command.key, style or "bold $accent").truncate(KEY, ellipsis=True, pad=True),
        " ",
        shown_line(command.label, style),
    )
