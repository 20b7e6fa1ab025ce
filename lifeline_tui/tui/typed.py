"""What is typed or pasted may be any bytes, and may come in pieces.

Textual's decoder raises on bytes that are not UTF-8, and the app would end there.  Some pastes were seen to leave the text in another
order, or the keyboard dead until the next paste (textual 8.2.8).  So pastes are cut out of the stream here, before its parser sees
them: whole, in order, and over after a moment of silence, so that keys always come back by themselves.
"""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Any

from textual import events

ESCAPE = chr(27)
BEGIN, END = f"{ESCAPE}[200~", f"{ESCAPE}[201~"
"""What a terminal puts around a paste."""

PATIENCE = 1.0
"""Seconds of silence after which a paste is taken to be over."""
HELD = 0.1
"""Seconds that the beginning of a mark is waited on, as Textual waits on an escape character."""
BURST = 8
"""Characters that come at once after a paste was given up for over: no hand types so fast, so they are the rest of it."""

KEYS, PASTE, SETTLE = "keys", "paste", "settle"
Piece = tuple[str, str]
"""KEYS or PASTE and the text; or SETTLE: what the parser waits for has not come."""


class Pastes:
    """Cuts what a terminal sends into keys and pastes, which stand between two marks.  Time is passed in."""

    def __init__(self, begin: str = BEGIN, end: str = END) -> None:
        self._begin, self._end = begin, end
        self._pasted: list[str] | None = None
        self._held = ""
        self._since = 0.0
        self._late = False
        """Whether a paste was given up for over and its end has not come yet."""

    def feed(self, data: str, now: float) -> Iterator[Piece]:
        """The pieces of what came."""
        data, self._held, self._since = self._held + data, "", now
        while data:
            if self._pasted is None:
                begin, end = data.find(self._begin), data.find(self._end)
                if self._late and end >= 0 and not 0 <= begin < end:
                    self._late = False
                    yield PASTE, data[:end]
                    data = data[end + len(self._end) :]
                elif begin >= 0:
                    self._late, self._pasted = False, []
                    yield KEYS, data[:begin]
                    data = data[begin + len(self._begin) :]
                else:
                    data, self._held = _without_beginning(data, self._end if self._late else self._begin)
                    late = self._late and len(data) >= BURST and ESCAPE not in data
                    yield PASTE if late else KEYS, data
                    return
            else:
                text, ended, rest = data.partition(self._end)
                if not ended:
                    text, self._held = _without_beginning(data, self._end)
                self._pasted.append(text)
                if not ended:
                    return
                yield PASTE, "".join(self._pasted)
                self._pasted, data = None, rest

    def tick(self, now: float) -> Iterator[Piece]:
        """What is over because nothing more has come."""
        if self._pasted is not None:
            if now - self._since >= PATIENCE:
                yield PASTE, "".join(self._pasted)
                self._pasted, self._late = None, True
        elif self._held and now - self._since >= HELD and not (self._late and len(self._held) > 1):
            held, self._held = self._held, ""
            yield KEYS, held
            yield SETTLE, ""


def _without_beginning(data: str, mark: str) -> tuple[str, str]:
    """`data` without the longest beginning of `mark` that it ends in, and that beginning."""
    for size in range(min(len(mark) - 1, len(data)), 0, -1):
        if data.endswith(mark[:size]):
            return data[:-size], data[-size:]
    return data, ""


def steady(parser: type[Any], clock: Callable[[], float] = monotonic) -> type[Any]:
    """Textual's parser, given keys only; pastes go round it."""

    class Steady(parser):  # type: ignore[misc]
        _timeout_time: float | None

        def __init__(self, *options: Any, **named: Any) -> None:
            super().__init__(*options, **named)
            self._pastes = Pastes()

        def feed(self, data: str) -> Iterator[Any]:
            if not data:
                yield from super().feed(data)
            for kind, text in self._pastes.feed(data, clock()):
                yield from self._message(kind, text)

        def tick(self) -> Iterator[Any]:
            for kind, text in self._pastes.tick(clock()):
                yield from self._message(kind, text)
            yield from super().tick()

        def _message(self, kind: str, text: str) -> Iterator[Any]:
            if kind == SETTLE:
                if self._timeout_time is not None:
                    self._timeout_time = 0.0
                yield from super().tick()
            elif kind == KEYS and text:
                yield from super().feed(text)
            elif kind == PASTE and (text := text.replace("\0", "")):
                yield events.Paste(text)

    return Steady


def _forgiving(encoding: str) -> Any:
    return partial(getincrementaldecoder(encoding), errors="replace")


def forgive(driver: object) -> None:
    """From now on `driver` reads a byte that means nothing as the sign for what is missing, and pastes whole.  Its decoder and its
    parser cannot be reached but by the names that its module calls them by."""
    names = vars(sys.modules[type(driver).__module__])
    if "getincrementaldecoder" in names:
        names["getincrementaldecoder"] = _forgiving
    if (parser := names.get("XTermParser")) is not None and not hasattr(parser, "steady"):
        names["XTermParser"] = steady(parser)
        names["XTermParser"].steady = True
