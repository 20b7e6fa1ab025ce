"""All stored sessions: search in what was said, resume, rename, hide."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ...store import StoreError
from ..show import shown, shown_line

if TYPE_CHECKING:
    from ..app import LifelineApp


class SessionsScreen(Screen[None]):
    """A search line over a list.  With words in the line, it lists where they were said."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False, id="sessions.leave"),
        Binding("slash", "search", "Search", show=False, id="sessions.search"),
        Binding("r", "rename", "Rename", show=False, id="sessions.rename"),
        Binding("h", "hide", "Hide or show again", show=False, id="sessions.hide"),
        Binding("a", "all", "Hidden ones too", show=False, id="sessions.all"),
        Binding("question_mark", "app.help", "Help", show=False, id="sessions.help"),
    ]
    DEFAULT_CSS = """
    SessionsScreen { layout: vertical; padding: 0 1; }
    SessionsScreen Input { height: 1; border: none; background: $surface; padding: 0 1; margin-bottom: 1; }
    SessionsScreen Input:focus { border: none; background: $cursor-line; }
    SessionsScreen OptionList {
        height: 1fr; border: none; padding: 0; background: $background; text-wrap: nowrap; text-overflow: ellipsis;
    }
    SessionsScreen OptionList:focus { border: none; background-tint: $background 0%; }
    SessionsScreen #empty { color: $text-muted; height: auto; display: none; }
    SessionsScreen #keys { height: 1; color: $text-muted; }
    """
    app: LifelineApp

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search in everything that was said", id="search")
        yield Static(id="empty")
        yield OptionList(markup=False)
        yield Static(shown("enter resume · / search · r rename · h hide · a hidden too · escape leave"), id="keys")

    def on_mount(self) -> None:
        self.hidden_too = False
        self.renaming = ""
        self.query_one(OptionList).focus()
        self.load()

    @work(exclusive=True)
    async def load(self) -> None:
        words = self.query_one("#search", Input).value.strip() if not self.renaming else ""
        try:
            options = await asyncio.to_thread(self._found, words) if words else await asyncio.to_thread(self._rows)
        except StoreError as error:
            self.notify(str(error), severity="error", timeout=15)
            return
        menu = self.query_one(OptionList)
        at = menu.highlighted or 0
        menu.clear_options()
        menu.add_options(options)
        empty = self.query_one("#empty", Static)
        empty.display = not options
        empty.update(shown(f"Nothing with {words!r} in it." if words else "No sessions yet: escape, then enter starts one."))
        if options:
            menu.highlighted = min(at, len(options) - 1)

    def _rows(self) -> list[Option]:
        return [
            Option(
                Content.assemble(
                    shown_line(f"{row.updated_at[:16].replace('T', ' ')}  "),
                    shown_line(f"{row.title:30.30}  ", "bold"),
                    shown_line(
                        f"{row.model}{' SIMULATED' if row.simulated else ''} · attempts {row.attempts} · branches {row.branches}"
                    ),
                    shown_line(" · hidden", "$text-muted") if row.hidden else "",
                ),
                id=f"{row.id}:{int(row.hidden)}",
            )
            for row in self.app.lab.rows(hidden=self.hidden_too)
        ]

    def _found(self, words: str) -> list[Option]:
        return [
            Option(
                Content.assemble(shown_line(f"{hit.at[:16].replace('T', ' ')}  "), shown_line(hit.snippet, "", 300)),
                id=f"{hit.session}:0:{n}",
            )
            for n, hit in enumerate(self.app.lab.find(words))
        ]

    @property
    def chosen(self) -> tuple[str, bool] | None:
        """The session under the cursor, and whether it is hidden."""
        menu = self.query_one(OptionList)
        if menu.highlighted is None:
            return None
        id, hidden, *_ = (menu.get_option_at_index(menu.highlighted).id or "").split(":")
        return id, hidden == "1"

    def on_option_list_option_selected(self) -> None:
        if self.chosen:
            self.app.resume(self.chosen[0])

    def action_leave(self) -> None:
        if self.renaming or self.query_one("#search", Input).has_focus:
            self._search_again()
        else:
            self.dismiss()

    def _search_again(self) -> None:
        self.renaming = ""
        search = self.query_one("#search", Input)
        search.value = ""
        search.placeholder = "search in everything that was said"
        self.query_one(OptionList).focus()
        self.load()

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    def action_all(self) -> None:
        self.hidden_too = not self.hidden_too
        self.load()

    def action_rename(self) -> None:
        if self.chosen:
            self.renaming = self.chosen[0]
            field = self.query_one("#search", Input)
            field.value, field.placeholder = "", "a new name, then enter"
            field.focus()

    def on_input_changed(self) -> None:
        if not self.renaming:
            self.load()

    async def on_input_submitted(self, message: Input.Submitted) -> None:
        if not self.renaming:
            self.query_one(OptionList).focus()
            return
        if message.value.strip():
            await self._write("rename", self.renaming, message.value)
        self._search_again()

    async def action_hide(self) -> None:
        if self.chosen:
            id, hidden = self.chosen
            await self._write("hide", id, not hidden)
            self.load()

    async def _write(self, what: str, id: str, value: object) -> None:
        """Renames or hides; the session is held only for that moment unless it is the one in hand."""
        writer = self.app.lab.writer
        try:
            await writer(getattr(writer.store, what), id, value)
            if self.app.session is None or self.app.session.id != id:
                await writer(writer.store.release, id)
        except StoreError as error:
            self.notify(str(error), severity="error", timeout=15)
