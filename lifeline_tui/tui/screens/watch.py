"""A session that another process runs: read-only and live, read again every second, until its owner has ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from ...core.nodes import Origin
from ...session.view import MAIN, Reading
from ...store import Owner, Reader, StoreError
from ..blocks import Block
from ..host import Host
from ..overlay import Overlay
from ..record import Record, standing
from ..show import shown_line
from ..widgets.transcript import Transcript

EVERY = 1.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the owner, the session as stored, and the reply that is streaming at its tip."""

    owner: Owner | None
    reading: Reading
    title: str
    streaming: tuple[Block, ...]


class WatchScreen(Overlay[None], Screen[None]):
    """Nothing can be done here but look; enter takes the session over once nobody runs it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.home", "Leave", show=False, id="watch.leave"),
        Binding("enter", "take", "Go on with it", show=False, id="watch.take", priority=True),
        Binding("ctrl+y", "copy", "Copy", show=False, id="watch.copy"),
        Binding("slash", "app.find", "Search", show=False, id="watch.search"),
        Binding("question_mark", "app.help", "Help", show=False, id="watch.help"),
    ]
    DEFAULT_CSS = """
    WatchScreen { layout: vertical; }
    WatchScreen #banner { height: auto; background: $panel; color: $tone-fake; padding: 0 1; }
    WatchScreen #standing { height: auto; background: $panel; padding: 0 1; }
    WatchScreen Transcript { height: 1fr; padding: 0 1; }
    """

    app: Host

    def __init__(self, session: str) -> None:
        super().__init__()
        self.session = session
        self.owner: Owner | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="banner")
        yield Static(id="standing")
        yield Transcript()

    def on_mount(self) -> None:
        self.query_one(Transcript).focus()
        self.set_interval(EVERY, self.look)
        self.look()

    @work(exclusive=True, group="load")
    async def look(self) -> None:
        """Reads the session again and shows what is new."""
        try:
            found = await asyncio.to_thread(self._read)
        except StoreError as error:
            self.query_one("#banner", Static).update(shown_line(str(error)))
            return
        self.owner = found.owner
        if found.owner is not None:
            words = f"READ ONLY: run by process {found.owner.pid or '?'} on {found.owner.host or 'this host'}, shown as it goes on"
        else:
            words = "READ ONLY: nobody runs this session any more; enter goes on with it"
        self.query_one("#banner", Static).update(shown_line(f"{words} · escape leaves"))
        reading = found.reading
        root = reading.root
        # The label comes before what may be cut.
        line = (
            f"{'SIMULATED ' if root.simulated else ''}{root.model}  {found.title} ▸ {reading.branch}  {standing(reading.state())}"
        )
        self.query_one("#standing", Static).update(shown_line(line, "", 400))
        self.query_one(Transcript).show_blocks([*Record(reading).path(), *found.streaming])

    def _read(self) -> Look:
        with Reader(self.app.db) as store:
            row = store.session(self.session)
            tree, branches = store.tree(row.id)
            current = store.view_state(row.id, "branch", MAIN)
            branch = current if current in branches else next(iter(branches))
            calls = [point for point in store.open_calls(row.id) if point.call == branches[branch]]
            streaming = tuple(Block(point.call, Origin.MODEL, row.model, point.text, ("streaming",), "quiet") for point in calls)
            return Look(store.owner(row.id), Reading(tree, branches, branch), row.title, streaming)

    def action_take(self) -> None:
        if self.owner is None:
            self.app.resume(self.session)
        else:
            self.notify(f"Process {self.owner.pid} still runs this session: end it there first.", severity="warning")

    def action_copy(self) -> None:
        block = self.query_one(Transcript).current_block
        if block is not None:
            self.app.copy_to_clipboard(block.text)
            self.notify("Copied.")
