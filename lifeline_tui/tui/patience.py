"""Keys wait.  What is pressed or pasted while a session opens, or while what answers is starting, is kept in order and done when it
is ready, each when what the one before it began is over; what comes in one burst waits for the form that it is meant for.  The key
that cancels drops them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TypeVar

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widgets import OptionList
from textual.worker import WorkerState

R = TypeVar("R")

LOOKED = 0.02
"""Seconds between two looks at whether the next key may go on."""

GONE = 1.0
"""Seconds after which a widget that has not dealt with what was posted to it is taken for closed."""

OVER = frozenset({WorkerState.SUCCESS, WorkerState.ERROR, WorkerState.CANCELLED})


class Patient(App[R]):
    """An app that keeps the keys for which it is not ready."""

    def __init__(self, *, ansi_color: bool = False) -> None:
        super().__init__(ansi_color=ansi_color)
        self.waiting: deque[events.Key | events.Paste] = deque()
        self._patient = False
        self._let: events.Event | None = None
        self._choosing = False

    # What the app says of itself

    @property
    def starting(self) -> bool:
        """Whether a session, or what answers in it, is on its way."""
        return self.under_way("open")

    @property
    def unready(self) -> bool:
        """Whether what is in hand cannot take a key yet."""
        return self._choosing or self.starting

    def chooses(self, key: str) -> bool:
        """Whether `key` may open something that the keys after it are meant for."""
        return key == "enter" and isinstance(self.focused, OptionList)

    @property
    def resting(self) -> bool:
        """Whether what the last key began is over."""
        return not self.under_way("session")

    def stop_waiting(self) -> bool:
        """The operator does not want to wait any longer.  Returns whether that is all that the key should do."""
        return False

    def waits(self) -> None:
        """More or fewer keys wait."""

    def under_way(self, group: str) -> bool:
        """Whether something of that kind has begun and is not over."""
        return any(worker.group == group and worker.state not in OVER for worker in self.workers)

    @property
    def waiting_keys(self) -> str:
        """The keys that wait, as the operator knows them."""
        from .keys import key_name  # brings every intervention, which the first paint does without

        return " ".join(key_name(each.key) if isinstance(each, events.Key) else "a paste" for each in self.waiting)

    # Keeping, and letting go

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if event is self._let:
                self._let = None
            elif self._keeps(event):
                return
            if isinstance(event, events.Key) and self.chooses(event.key):
                self.choosing()
        await super().on_event(event)

    def _keeps(self, event: events.Key | events.Paste) -> bool:
        """Whether `event` is dealt with: kept for later, or obeyed as the key that ends the waiting."""
        if not (self.waiting or self.unready):
            return False
        if isinstance(event, events.Key):
            if event.key in self.keys_of("cancel", "escape"):
                self.waiting.clear()
                self.waits()
                return self.stop_waiting()
            if event.key in {*self.keys_of("quit", "ctrl+q"), *self.keys_of("suspend", "ctrl+z")}:
                return False
        self.waiting.append(event)
        # Only who had to wait for a start is waited for: elsewhere a key too many is refused, as ever.
        self._patient = self._patient or self.starting
        if len(self.waiting) == 1:
            self.run_worker(self._let_go(), group="waiting")
        self.waits()
        return True

    def keys_of(self, name: str, default: str) -> list[str]:
        """The keys of a binding, the operator's own where they are remapped."""
        return str(getattr(self, "keymap", {}).get(name, default)).split(",")

    async def _let_go(self) -> None:
        """Does what waits, one after the other."""
        while self.waiting:
            while self._not_yet():
                await asyncio.sleep(LOOKED)
            await self.handled()
            if not self.waiting or self._not_yet():
                continue
            self._let = self.waiting.popleft()
            self.post_message(self._let)
            await self.handled()
        self._patient = False
        self.waits()

    def _not_yet(self) -> bool:
        return self.unready or (self._patient and not self.resting)

    async def handled(self) -> None:
        """Waits until whatever was posted so far has been dealt with, by whichever widget."""
        for _ in range(2):
            focused = self.focused or self.screen
            pumps: list[MessagePump] = [self, *focused.ancestors_with_self]  # a message goes up from one to the next
            for pump in pumps:
                done = asyncio.Event()
                if pump.is_running and pump.call_later(done.set):
                    with suppress(TimeoutError):  # one that is closed meanwhile deals with nothing any more
                        await asyncio.wait_for(done.wait(), GONE)

    def choosing(self) -> None:
        """A choice is being made that may open something: keys wait until it is known."""
        self._choosing = True

        async def chosen() -> None:
            try:
                await self.handled()
            finally:
                self._choosing = False

        self.run_worker(chosen(), group="choosing")
