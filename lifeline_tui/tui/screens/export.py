"""Where to export to, and as what."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ...exporters import FORMATS
from ..overlay import Overlay
from ..show import shown
from ..widgets.choice import Choice
from ..widgets.line import Line

OFFERED = tuple((name, f"{name}: {each.about}") for name, each in FORMATS.items())
MORE = {
    "session-jsonl": "Nothing is left out: a server's name for its model stands as it came, and may be a path on its machine.",
}
"""What must be known of a format before it is given away."""
NOTEBOOK = "notebook"
UNSAVED = (NOTEBOOK, "notebook: all of it, the unsaved reply too")
SUFFIX = {NOTEBOOK: ".db", **{name: each.suffix for name, each in FORMATS.items()}}


class ExportForm(Overlay[tuple[str, Path] | None], ModalScreen[tuple[str, Path] | None]):
    """Answers with (format, path), or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Leave", id="export.leave")]
    DEFAULT_CSS = """
    ExportForm { align: center middle; }
    ExportForm > Vertical { width: 80%; max-width: 80; height: auto; background: $panel; padding: 1 2; }
    ExportForm .title { text-style: bold; margin-bottom: 1; }
    ExportForm Input { height: 1; border: none; background: $surface; padding: 0 1; margin-top: 1; }
    ExportForm Input:focus { border: none; background: $cursor-line; }
    ExportForm #place { height: auto; color: $text-muted; margin-top: 1; }
    ExportForm .keys { color: $text-muted; margin-top: 1; }
    """

    def __init__(self, session: str, *, unsaved: bool = False) -> None:
        """`unsaved`: a reply could not be stored, and can be saved elsewhere."""
        super().__init__()
        self.session = session
        self.formats = (UNSAVED, *OFFERED) if unsaved else OFFERED

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(shown("Export this session"), classes="title")
            format_ = self.formats[0][0]
            yield Choice(self.formats, format_)
            yield Line(self._usual(format_))
            yield Static(id="place")
            yield Static(shown("tab format or file · ←→ choose the format · enter export · escape leave"), classes="keys")

    def _usual(self, format_: str) -> str:
        """The name that is offered: another one for each format, so that none takes another's place."""
        return f"lifeline-{self.session}-{format_}{SUFFIX[format_]}"

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._say()

    @property
    def place(self) -> Path | None:
        """The whole path of the file; None while it has no name."""
        name = self.query_one(Input).value.strip()
        try:
            return Path(os.path.abspath(Path(name).expanduser())) if name else None
        except (RuntimeError, ValueError):  # ~nobody, or a NUL
            return None

    def on_input_changed(self) -> None:
        self._say()

    def _say(self) -> None:
        place = self.place
        more = MORE.get(self.query_one(Choice).value, "")
        does = "Replaces the file" if place is not None and place.exists() else "Writes"
        self.query_one("#place", Static).update(shown(f"{does} {place}\n{more}".rstrip() if place else "A file must be named."))

    def on_choice_changed(self) -> None:
        path, format_ = self.query_one(Input), self.query_one(Choice).value
        given = Path(path.value)
        with suppress(ValueError):  # of what is no file's name, nothing can be changed
            if given.name in {self._usual(name) for name, _ in self.formats}:
                path.value = str(given.with_name(self._usual(format_)))
            else:
                path.value = str(given.with_suffix(SUFFIX[format_]))
        self._say()

    def on_key(self, event: events.Key) -> None:
        """Enter exports from the choice of the format too."""
        if event.key == "enter" and isinstance(self.focused, Choice):
            event.stop()
            self.on_input_submitted()

    def on_input_submitted(self) -> None:
        if (place := self.place) is not None:
            self.dismiss((self.query_one(Choice).value, place))
