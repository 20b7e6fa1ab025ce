"""The lock on a side file that every write transaction and every WAL checkpoint of a database holds.

It is never a lock on the database itself: closing any descriptor of that would drop SQLite's own locks.  SQLite before 3.51.3 can
corrupt a file when two writing connections meet at a WAL reset, so they never meet.  The kernel drops a lock with its process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import StoreError, sentence

WAIT_S = 10.0
"""How long a writer waits for another one.  A transaction takes milliseconds; only a stopped process holds it longer."""


class SideLock:
    """An exclusive lock between processes, and between stores of one process.  Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(sentence(error, path)) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raises StoreError, naming the holder, when it cannot be had in `WAIT_S` seconds."""
        self._acquire()
        try:
            with suppress(OSError):  # a full disk: the number is for a sentence only
                os.pwrite(self._fd, f"{os.getpid():<20}".encode(), 0)
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _acquire(self) -> None:
        end = time.monotonic() + WAIT_S
        pause = 0.0005
        while True:
            try:
                return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if not isinstance(error, BlockingIOError):
                    raise StoreError(sentence(error, self.path)) from error
            if time.monotonic() >= end:
                holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise StoreError(
                    f"Process {holder} has held {self.path} for over {WAIT_S:g} s, so nothing was written. "
                    "End or resume that process, then try again."
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)

    def close(self) -> None:
        os.close(self._fd)
