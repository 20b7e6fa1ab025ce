"""All stored sessions: search in what was said, resume, rename, hide."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ...core.nodes import Origin
from ...store import Hit, Reader, StoreError
from ...store import Session as Row
from ..glyphs import Glyphs
from ..host import Host
from ..overlay import Overlay
from ..show import shown, shown_line
from ..widgets.line import Line
from ..widgets.menu import Menu

KINDS = ("system", "user", "reply", "assistant")
"""What a hit's `field` says of a turn; of a remark it names the remark."""

TITLE, NARROW, ROOM = 30, 18, 100
"""Cells of a title, on a screen of less than `ROOM` columns too: what comes after it, SIMULATED first, must stay in sight."""


class SessionsScreen(Overlay[None], Screen[None]):
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
    app: Host

    def compose(self) -> ComposeResult:
        yield Line(placeholder="search in names, and in everything that was said", id="search")
        yield Static(id="empty")
        yield Menu()
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.hidden_too = False
        self.renaming = ""
        self.opening = False
        self.hits: dict[str, Hit] = {}
        """Each hit by the id of its line."""
        self.listed: str | None = None
        """The words whose hits are in the list; None until something is."""
        self.query_one("#search", Input).focus()
        self.load()

    def on_descendant_focus(self) -> None:
        """What the keys do now: in the field every letter is text."""
        if self.renaming:
            keys = "enter rename · escape leave it as it is"
        elif self.query_one("#search", Input).has_focus:
            leave = "escape clears" if self.query_one("#search", Input).value else "escape leave"
            keys = f"type to search · enter open · down to the list: rename, hide · {leave}"
        else:
            keys = "enter open · / search · r rename · h hide · a hidden too · escape leave"
        self.query_one("#keys", Static).update(shown(keys))

    def on_key(self, event: events.Key) -> None:
        if event.key == "down" and self.query_one("#search", Input).has_focus and not self.renaming:
            event.stop()
            self.set_focus(self.query_one(OptionList))

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        words = self.query_one("#search", Input).value.strip() if not self.renaming else ""
        try:
            options = await asyncio.to_thread(self._found, words) if words else await asyncio.to_thread(self._rows)
        except StoreError as error:
            self.notify(str(error), severity="error", timeout=15)
            return
        menu = self.query_one(OptionList)
        at = menu.highlighted or 0 if self.listed == words else 0
        menu.clear_options()
        menu.add_options(options)
        waited, self.listed = self.listed is None, words
        empty = self.query_one("#empty", Static)
        empty.display = not options
        empty.update(shown(f"Nothing with {words!r} in it." if words else "No sessions yet: escape, then enter starts one."))
        if options:
            menu.highlighted = min(at, len(options) - 1)
            if waited and self.opening:
                self._open()
        self.opening = False

    def _rows(self) -> list[Option]:
        return [self._row(row) for row in self.app.lab.rows(hidden=self.hidden_too)]

    def _row(self, row: Row) -> Option:
        return Option(
            Content.assemble(
                _beginning(row.updated_at, row, self.narrow),
                shown_line(f"{row.model} · attempts {row.attempts} · branches {row.branches}"),
            ),
            id=f"{row.id}:{int(row.hidden)}",
        )

    def _found(self, words: str) -> list[Option]:
        hits = list({(hit.session, hit.node, hit.field, hit.snippet): hit for hit in self.app.lab.find(words)}.values())
        named = [self._row(row) for row in self.app.lab.rows(words, hidden=self.hidden_too)]
        if not hits:
            return named
        with Reader(self.app.db) as store:
            rows = {row.id: row for row in store.sessions(include_hidden=True)}
            writers = _writers(store, hits)
        kept = [(n, hit) for n, hit in enumerate(hits) if hit.session in rows]
        self.hits = {f"{hit.session}:{int(rows[hit.session].hidden)}:{n}": hit for n, hit in kept}
        return named + [
            Option(
                Content.assemble(
                    _beginning(hit.at, rows[hit.session], self.narrow),
                    shown_line(_wrote(hit, writers, self.app.glyphs), "$text-muted"),
                    "\n  ",
                    shown_line(hit.snippet, "", 300),
                ),
                id=f"{hit.session}:{int(rows[hit.session].hidden)}:{n}",
            )
            for n, hit in kept
        ]

    @property
    def narrow(self) -> bool:
        return self.size.width < ROOM

    @property
    def chosen(self) -> tuple[str, bool] | None:
        """The session under the cursor, and whether it is hidden."""
        menu = self.query_one(OptionList)
        if menu.highlighted is None:
            return None
        id, hidden, *_ = (menu.get_option_at_index(menu.highlighted).id or "").split(":")
        return id, hidden == "1"

    def on_option_list_option_selected(self) -> None:
        self._open()

    def _open(self) -> None:
        """Opens the session under the cursor; from a hit, at the turn that it is in."""
        menu = self.query_one(OptionList)
        if self.chosen and menu.highlighted is not None:
            hit = self.hits.get(menu.get_option_at_index(menu.highlighted).id or "")
            word = re.search("«(.+?)»", hit.snippet) if hit is not None else None
            self.app.resume(self.chosen[0], hit.node if hit is not None else "", word[1] if word is not None else "")

    def action_leave(self) -> None:
        if self.renaming or self.query_one("#search", Input).value:
            self._search_again()
        else:
            self.dismiss()

    def _search_again(self) -> None:
        """All sessions again; the cursor is in the list after a renaming, else in the field."""
        search = self.query_one("#search", Input)
        (self.query_one(OptionList) if self.renaming else search).focus()
        self.renaming = ""
        search.value = ""
        search.placeholder = "search in names, and in everything that was said"
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
        self.on_descendant_focus()
        if not self.renaming:
            self.listed = None
            self.load()

    async def on_input_submitted(self, message: Input.Submitted) -> None:
        """Opens what is listed first for these words, once it is listed."""
        if not self.renaming:
            if self.listed is None:
                self.opening = True
            else:
                self._open()
            return
        if message.value.strip():
            await self._write(self.app.lab.rename(self.renaming, message.value), self.renaming)
        self._search_again()

    async def action_hide(self) -> None:
        if self.chosen:
            id, hidden = self.chosen
            await self._write(self.app.lab.hide(id, not hidden), id)
            self.load()

    async def _write(self, change: Coroutine[Any, Any, None], id: str) -> None:
        """Renames or hides; the session is held only for that moment unless it is the one in hand."""
        try:
            await change
            writer = self.app.lab.writer
            if self.app.session is None or self.app.session.id != id:
                await writer(writer.store.release, id)
        except StoreError as error:
            self.notify(str(error), severity="error", timeout=15)


def _beginning(at: str, row: Row, narrow: bool) -> Content:
    """When, in which session, and the words about it that must not be cut."""
    words = f"{'hidden ' if row.hidden else ''}{'SIMULATED ' if row.simulated else ''}"
    return Content.assemble(
        shown_line(f"{at[5 if narrow else 0 : 16].replace('T', ' ')}  "),
        shown_line(row.title, "bold").truncate(NARROW if narrow else TITLE, ellipsis=True, pad=True),
        "  ",
        shown_line(words, "bold $tone-fake"),
    )


def _writers(store: Reader, hits: Sequence[Hit]) -> dict[str, tuple[str, ...]]:
    """Node → the origins of its text."""
    marks = ", ".join("?" * len(hits))
    sql = f"SELECT node_id, origins FROM v_messages WHERE node_id IN ({marks})"
    found = store.connection.execute(sql, [hit.node for hit in hits]).fetchall()
    return {node: tuple((origins or "").split()) for node, origins in found}


def _wrote(hit: Hit, writers: dict[str, tuple[str, ...]], glyphs: Glyphs) -> str:
    """Who wrote what was found, with the sign that it has in the transcript.  A remark is the operator's."""
    origins = writers.get(hit.node, ()) if hit.field in KINDS else (str(Origin.OPERATOR),)
    signs = {str(origin): sign for origin, sign in glyphs.origin.items()}
    return " + ".join(f"{signs.get(origin, '?')} {origin}" for origin in origins) or hit.field
