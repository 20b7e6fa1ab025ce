"""A screen that answers is closed once: Textual takes another screen away for every further `dismiss`, and two keys may come at once."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class ClosesOnce(Screen[ScreenResultType]):
    """Mixed in before the screen's own kind."""

    _closed_once = False

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self._closed_once:
            return AwaitComplete()
        self._closed_once = True
        return super().dismiss(result)
