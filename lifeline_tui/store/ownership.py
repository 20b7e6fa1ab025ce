"""Who runs a session: one live process, which alone may write to it; a dead owner is noticed and replaced.

An owner holds a lock on a small file of its own beside the database.  The kernel drops that lock when the process ends, however
it ends, so neither `kill -9` nor a reused process number can mislead anybody; the number written in it is for the sentence only.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import BadReference, OwnedElsewhere, StoreError, sentence
from .lock import gone, side_file

_GRACE_S = 0.1
"""A reader that looks holds the lock for microseconds; so long an owner-to-be waits before it believes what it sees."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The live process that runs a session: `pid` on `host` (0 and empty in the instant before it has said so)."""

    pid: int
    host: str


def folder(database: Path) -> Path:
    return database.with_name(database.name + ".owners")


def _file(database: Path, session: str) -> Path:
    """Where the owner of `session` says so.  Raises BadReference for an id that is no name in that folder: another made it."""
    if session in ("", ".", "..") or "/" in session or "\0" in session:
        raise BadReference(f"{session!r} is no session's id, so nobody can run it. Export it, or leave it as it is.")
    return folder(database) / session


def _stands(fd: int, path: Path) -> bool:
    """Whether what is open as `fd` is what stands at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _read(fd: int) -> Owner:
    pid, _, host = os.pread(fd, 300, 0).decode("utf-8", "replace").partition(" ")
    return Owner(int(pid) if pid.isdigit() else 0, host)


def owner_of(database: Path, session: str) -> Owner | None:
    """The live owner of `session`, or None.  Only looks."""
    try:
        fd = side_file(_file(database, session), os.O_RDONLY)
    except (OSError, StoreError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(fd)
    finally:
        os.close(fd)
    return None


class Ownership:
    """The sessions that this store runs."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[str, int] = {}

    def __contains__(self, session: str) -> bool:
        return session in self._held

    def take(self, session: str) -> bool:
        """Own `session` from now on; False if it was ours already.  Raises OwnedElsewhere, with the owner's process number, and
        StoreError where somebody took away what said that it is ours."""
        path = _file(self._database, session)
        if session in self._held:
            if not _stands(self._held[session], path):
                raise gone(path)
            return False
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if not stat.S_ISDIR(os.lstat(path.parent).st_mode):
                raise StoreError(f"{path.parent} is a link, not a folder: nothing was written. Move it away, then try again.")
            self._held[session] = self._lock(path)
        except OSError as error:
            raise StoreError(sentence(error, path.parent)) from error
        # A full disk keeps no owner's name, which is for a sentence only; the lock is what counts.
        with suppress(OSError):
            os.ftruncate(self._held[session], 0)
            os.pwrite(self._held[session], f"{os.getpid()} {socket.gethostname()}".encode("utf-8", "replace"), 0)
        return True

    def _lock(self, path: Path) -> int:
        end = time.monotonic() + _GRACE_S
        while True:
            fd = side_file(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The last owner removes its file; a lock on one that is gone from the folder protects nothing.
                if _stands(fd, path):
                    return fd
                os.close(fd)
            except BlockingIOError:
                owner = _read(fd)
                os.close(fd)
                if time.monotonic() > end:
                    raise OwnedElsewhere(
                        f"Session {path.name} is being run by process {owner.pid or 'unknown'} on {owner.host or 'this host'}. "
                        "Watch it here, or end that process to go on with it."
                    ) from None
                time.sleep(0.005)
            except BaseException:
                os.close(fd)
                raise

    def release(self, session: str) -> None:
        fd = self._held.pop(session, None)
        if fd is not None:
            path = folder(self._database) / session
            if _stands(fd, path):
                with suppress(OSError):
                    os.unlink(path)
            os.close(fd)

    def release_all(self) -> None:
        for session in list(self._held):
            self.release(session)
