"""The command palette: every intervention, greyed ones with the reason why, found by any of its words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from ..interventions import TABLE
from .keys import key_of, with_keys
from .show import shown_line

OTHERS = {
    "help": ("Help", "Everything that can be done, with its keys."),
    "find": ("Sessions", "Search, resume, rename or hide a session."),
    "home": ("Start screen", "Continue, begin anew, pick a model."),
    "tour": ("Tour", "Two puppets side by side."),
}


class Commands(Provider):
    """Entries from the interventions table while a session is in hand, and the app's own screens always."""

    def _entries(self) -> list[tuple[str, str, Callable[[], None]]]:
        from .screens.run import RunScreen

        made: list[tuple[str, str, Callable[[], None]]] = []
        screen = self.screen
        if isinstance(screen, RunScreen):
            keymap = getattr(self.app, "keymap", {})
            for name, entry in TABLE.items():
                reason = screen.session.refusal(name, screen.pointed)
                about = entry.about if reason is None else f"not now: {with_keys(reason, keymap)}"
                made.append((f"{entry.label} ({key_of(name, keymap)})", about, partial(screen.action_do, name)))
        for name, (label, about) in OTHERS.items():
            made.append((label, about, getattr(self.app, f"action_{name}")))
        return made

    async def discover(self) -> Hits:
        for label, about, act in self._entries():
            yield DiscoveryHit(shown_line(label), act, text=label, help=shown_line(about).plain)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for label, about, act in self._entries():
            score = max(matcher.match(label), 0.8 * matcher.match(about))
            if score > 0:
                yield Hit(score, shown_line(label), act, text=label, help=shown_line(about).plain)
