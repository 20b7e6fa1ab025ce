"""A terminal that has gone away must not hold the app up: it still has a reply to save (Law 5).

Textual writes to the terminal on a thread that ends at the first error; the screen's own thread would then wait for it for ever.
"""

from __future__ import annotations

from contextlib import suppress
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
