"""Who walks past hostile text: hands and eyes for an app in this process, and for one in a terminal of its own."""

from __future__ import annotations

import asyncio
import os
import re
import time
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hostile import harms
from hostile_walk import Said
from terminals import Terminal
from textual import events
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Static
from textual.widgets._toast import Toast
from vt import Written

from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.guard import SCROLLBAR
from lifeline_tui.tui.screens.pager import Pager
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.widgets.card import Card
from lifeline_tui.tui.widgets.topbar import TopBar
from lifeline_tui.tui.widgets.transcript import Transcript

NOTHING: Counter[str] = Counter()
FAULTS = ("missed", "unapproved bytes", "actions", "links")
FORMS = ("ask", "export", "action_model")
"""Workers that wait while a form is open."""
FRAMES = 0.06
"""Seconds: a few frames, and more than the start screen waits before it reads what is stored."""
KEYS = {
    **{
        "slash": "/",
        "enter": "\r",
        "tab": "\t",
        "down": "\x1b[B",
        "up": "\x1b[A",
        "right": "\x1b[C",
        "home": "\x1b[H",
        "end": "\x1b[F",
    },
    **{"full_stop": ".", "semicolon": ";", "right_square_bracket": "]", "left_square_bracket": "["},
    **{f"ctrl+{char}": chr(ord(char) & 31) for char in "epstuyqx"},
    "escape": "\x1b[27u",  # as the protocol has it that the app asks for: a bare one could be the beginning of something
}


class Eyes:
    """Counts displays, each under its surface's name, and whatever a string did that it must not."""

    def __init__(self) -> None:
        self.counts = Counter(dict.fromkeys(("strings", "displays", *FAULTS), 0))
        self.surfaces: set[str] = set()

    def all_there(self, said: Said, strips: list[Strip], surfaces: tuple[str, ...]) -> bool:
        text = "\n".join(strip.text for strip in strips)
        return all(said.mark(surface.rpartition(" ")[2]) in text for surface in surfaces)

    def displayed(self, said: Said, seen: str, *surfaces: str) -> None:
        """A display is a surface whose mark is in what was `seen` of it; the others were missed, and prove nothing."""
        for surface in surfaces:
            found = said.mark(surface.rpartition(" ")[2]) in seen
            self.counts["displays" if found else "missed"] += 1
            self.surfaces.add(surface)
            if not found:
                print(f"missed {surface}: {ascii(said.text)[:60]}")

    def written(self, said: Said, out: bytes, usual: Counter[str] = NOTHING, paints: bool = True) -> Written:
        """Looks through all that was written for what is no painting."""
        written = Written(out)
        beyond = written.beyond(usual, paints)
        self.counts["unapproved bytes"] += beyond.total() + (bool(said.raw) and said.raw in out)
        return written

    def styled(self, strips: list[Strip]) -> None:
        """Looks for what a click, or a terminal, could take for an action or a link."""
        styles = Counter(style for strip in strips for _, style, _ in strip if style is not None)
        for style, times in styles.items():
            self.counts["links"] += times * (style.link is not None)
            self.counts["actions"] += times * sum(name[0] == "@" and (name, to) not in SCROLLBAR for name, to in style.meta.items())


class Watched(LifelineApp):
    """The app, which counts what text must never make it do."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.done: Counter[str] = Counter()

    def action_planted(self, *given: str) -> None:
        self.done["actions"] += 1

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.done["links"] += 1


@contextmanager
def unpainted() -> Iterator[None]:
    """Nobody looks at the frames of an app without a terminal: what would be painted is asked for."""
    paint = Compositor.render_update

    def asked(self: Compositor, full: bool = False, **options: Any) -> Any:
        return paint(self, full, **options) if full else self._dirty_regions.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compositor, "render_update", asked)
        yield


def painted(app: App[Any]) -> list[Strip]:
    """The lines that would be painted now, as they come out of the last filter.  A screen under another was looked at before that came."""
    visible_screen_stack.set([])
    return app.screen._compositor.render_strips()


def bytes_of(app: App[Any], strips: list[Strip]) -> bytes:
    return "\r\n".join(strip.render(app.console) for strip in strips).encode("utf-8", "surrogatepass")


async def settled(pilot: Pilot[None]) -> None:
    """Until the app has nothing more to do: no message waits, nothing is to be laid out, and no worker works but for a form.  The
    pilot's own pause sleeps several times as long as the app takes."""
    app, since = pilot.app, time.monotonic()
    still = 0
    while still < 3 and app._exception is None:
        assert time.monotonic() - since < 60, "the app never rests"
        await pilot._wait_for_screen()
        await asyncio.sleep(0.001)
        screen = app.screen
        waits = FORMS if isinstance(screen, ModalScreen) else ()
        busy = any(worker.is_running and worker.name not in waits for worker in app.workers)
        busy |= any(node.message_queue_size for node in (app, *screen.walk_children(with_self=True)))
        busy |= isinstance(screen, RunScreen) and screen._due is not None
        screen._on_timer_update()
        still = 0 if busy or screen._layout_required or screen._callbacks else still + 1


class Here:
    """For an app in this process."""

    size = (120, 60)

    def __init__(self, pilot: Pilot[None], eyes: Eyes) -> None:
        self.pilot, self.app, self.eyes = pilot, pilot.app, eyes
        self.said = Said(0, "")
        self.sent: list[str] = []
        assert self.app._driver is not None
        self.app._driver.write = self.sent.append  # type: ignore[method-assign]

    async def keys(self, names: str, then: str) -> None:
        for name in names.split():
            self.app.post_message(events.Key(name, name if len(name) == 1 else None))
        await settled(self.pilot)

    async def paste(self, text: str) -> None:
        self.app.post_message(events.Paste(text))
        await settled(self.pilot)

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)
        await settled(self.pilot)

    async def see(self, *surfaces: str) -> None:
        strips, end = painted(self.app), time.monotonic() + 5
        while not self.eyes.all_there(self.said, strips, surfaces) and time.monotonic() < end:
            await self.pilot.pause(0.01)
            await settled(self.pilot)
            strips = painted(self.app)
        self.eyes.written(self.said, bytes_of(self.app, strips))
        self.eyes.styled(strips)
        self.eyes.displayed(self.said, "\n".join(strip.text for strip in strips), *surfaces)
        if any(surface.startswith("notification") for surface in surfaces):
            self.app.clear_notifications()
        if "hit" in self.said.text:
            await self._click(strips)

    async def _click(self, strips: list[Strip]) -> None:
        """Clicks on every word that markup would have made an action of, where a click means nothing else."""
        places = [(match.start(), y) for y, strip in enumerate(strips) for match in re.finditer("hit", strip.text)]
        for place in places:
            widget = self.app.get_widget_at(*place)[0]
            # Not on a notification: one that is just going lets the click through to what lies under it.
            if isinstance(widget, Transcript | Card | TopBar | Static) and not isinstance(widget, Toast):
                await self.pilot.click(offset=place)
                self.eyes.counts["clicks"] += 1
        if places and isinstance(self.app.screen, RunScreen | Pager):
            await self.keys("end" if isinstance(self.app.screen, RunScreen) else "home", "")

    async def copied(self, surface: str) -> None:
        written = self.eyes.written(self.said, "".join(self.sent).encode("utf-8", "surrogatepass"))
        self.sent.clear()
        self.eyes.displayed(self.said, "".join(written.copied), surface)

    async def shot(self, surface: str) -> None:
        svg = self.app.export_screenshot()
        harmful = sum(map(harms, svg))
        self.eyes.counts["unapproved bytes"] += harmful
        if harmful:
            return
        root = xml.fromstring(svg)
        live = [each for each in root.iter() if each.tag.rpartition("}")[2] in ("a", "script", "image", "foreignObject")]
        self.eyes.counts["links"] += len(live)
        self.eyes.displayed(self.said, "".join(root.itertext()).replace("\xa0", " "), surface)


class Tape(Terminal):
    """A terminal with a long memory: adding to it does not copy what is there."""

    def __init__(self, *words: object, **options: Any) -> None:
        self._tape = bytearray()
        super().__init__(*words, **options)

    @property
    def out(self) -> Any:
        return self._tape

    @out.setter
    def out(self, tape: bytes | bytearray) -> None:
        self._tape = tape if isinstance(tape, bytearray) else bytearray(tape)

    def shows(self, words: str, since: int = 0) -> bool:
        return words in Written(bytes(self.out[since:])).text

    def rest(self) -> None:
        """Until the app has nothing more to do: for a few frames nothing was written, and none of its threads ran."""
        size, since = -1, time.monotonic()

        def resting() -> bool:
            nonlocal size, since
            if len(self.out) != size or self._runs():
                size, since = len(self.out), time.monotonic()
            return time.monotonic() - since > FRAMES

        self.read(resting, "the app to rest", 60)

    def _runs(self) -> bool:
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/stat")
        with suppress(OSError):
            return any(thread.read_text().rpartition(")")[2].split()[0] in "RD" for thread in threads)
        return True

    @property
    def worked(self) -> float:
        """Seconds of a processor that the app has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class There:
    """For an app in a terminal of its own: all that it ever writes is read."""

    size = (200, 60)

    def __init__(self, terminal: Tape, said: Said, eyes: Eyes) -> None:
        self.terminal, self.said, self.eyes = terminal, said, eyes
        self.since = self.copies = 0

    async def keys(self, names: str, then: str) -> None:
        for name in names.split():
            self._send(KEYS.get(name, name))
        self._wait(then)

    async def paste(self, text: str) -> None:
        unescaped = text.replace("\x1b", "␛")  # as a terminal pastes it
        self._send(f"\x1b[200~{unescaped}\x1b[201~")

    async def resize(self, width: int, height: int) -> None:
        self.since = len(self.terminal.out)
        self.terminal.resize(width, height)
        self.terminal.rest()

    def _send(self, text: str) -> None:
        self.since = len(self.terminal.out)
        self.terminal.send(text.encode("utf-8", "surrogatepass"))
        self.terminal.rest()

    def _wait(self, *words: str) -> str:
        """What was painted since the last key, once the words are in it, or nobody believes any more that they come."""
        with suppress(AssertionError):
            self.terminal.read(lambda: all(self.terminal.shows(word, self.since) for word in words), seconds=10)
        return Written(bytes(self.terminal.out[self.since :])).text

    async def see(self, *surfaces: str) -> None:
        seen = self._wait(*(self.said.mark(surface.rpartition(" ")[2]) for surface in surfaces))
        self.eyes.displayed(self.said, seen, *surfaces)

    async def copied(self, surface: str) -> None:
        self.copies += 1
        self.eyes.displayed(self.said, "".join(Written(bytes(self.terminal.out[self.since :])).copied), surface)

    async def shot(self, surface: str) -> None:
        """There is no key for it."""
