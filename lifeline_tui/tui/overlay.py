"""A screen over another one, for as long as something is read or asked.

It is closed once: Textual takes another screen away for every further `dismiss`, and two keys may come at once.  And what was said of
an earlier key does not cover it.
"""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType

from .host import Host


class Overlay(Screen[ScreenResultType]):
    """Mixed in before the screen's own kind."""

    app: Host
    _closed_once = False

    def on_mount(self) -> None:
        self.app.hush()

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self._closed_once:
            return AwaitComplete()
        self._closed_once = True
        return super().dismiss(result)
