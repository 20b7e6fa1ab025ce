"""The lock on a side file that every write transaction and every WAL checkpoint of a database holds.

It is never a lock on the database itself: closing any descriptor of that would drop SQLite's own locks.  SQLite before 3.51.3 can
corrupt a file when two writing connections meet at a WAL reset, so they never meet.  The kernel drops a lock with its process.

A notebook may come with a folder that somebody else packed: nothing beside it is written to unless it is a plain file of one name.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import StoreError, sentence

WAIT_S = 10.0
"""How long a writer waits for another one.  A transaction takes milliseconds; only a stopped process holds it longer."""


def look_beside(path: Path) -> None:
    """Raises StoreError unless nothing stands at `path`, or a regular file that has no other name.

    Asked before it is opened, too: a pipe would be waited for, and to close another name of the database would drop SQLite's locks.
    """
    with suppress(FileNotFoundError):
        _plain(path, os.lstat(path))


def _plain(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        raise StoreError(
            f"{path} is a link, or no file at all, and what belongs there would be written elsewhere: nothing was written. "
            "Move it away, then try again."
        )


def side_file(path: Path, how: int = os.O_RDWR | os.O_CREAT) -> int:
    """The file at `path`, beside a notebook, opened.  Raises OSError, and StoreError for what is no plain file of one name."""
    look_beside(path)
    fd = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        _plain(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def gone(path: Path) -> StoreError:
    """What is said of a file that is not at its path any more."""
    return StoreError(
        f"{path} was moved, deleted or replaced while it was open: nothing more is written there. "
        "Put it back as it was, or go on in another notebook."
    )


class SideLock:
    """An exclusive lock between processes, and between stores of one process.  Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = side_file(path)
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
