"""A terminal that has gone away must not hold the app up: it still has a reply to save (Law 5).

Textual writes to the terminal on a thread that ends at the first error; the screen's own thread would then wait for it for ever.
And it reads on a thread that asks a terminal that is gone for keys without a pause.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TextIO


class Lasting:
    """A file whose writing goes nowhere once nobody is there to read it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def watch(terminal: int, gone: Callable[[], object]) -> None:
    """Calls `gone`, on a thread, once the terminal has been closed: not everyone who had one is sent a signal then."""

    def wait() -> None:
        poll = select.poll()
        poll.register(terminal, 0)  # what closes is reported unasked
        if any(event & select.POLLHUP for _, event in poll.poll()):
            gone()

    Thread(target=wait, name="terminal", daemon=True).start()
