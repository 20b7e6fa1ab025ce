"""What the store says when it cannot do what it was asked: always a sentence, never a traceback of SQLite's."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

SALVAGE = "`lifeline verify --salvage FILE` takes what can be proved into a new notebook"
ADVICE = f" Leave it as it is: {SALVAGE}."
"""How a sentence about damage ends."""


class StoreError(Exception):
    """Something that the operator can read and act on.  Nothing was half written."""


class BadReference(StoreError):
    """What was named is not there, or is not ours: the session, the node, the database or the file to import."""


class OwnedElsewhere(StoreError):
    """Another live process runs this session; it can be watched here, and not written."""


class Unkept(StoreError):
    """A reply that could be stored nowhere; `text` is all of it, for whoever can still show it."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(why)
        self.text = text


def trouble(error: Exception, path: Path) -> StoreError:
    """`error` as the StoreError to raise: a bad name where the path itself cannot be, else what the sentence says."""
    named = isinstance(
        error, (NotADirectoryError, IsADirectoryError, FileExistsError, FileNotFoundError)
    ) or "not a database" in str(error)
    return (BadReference if named else StoreError)(sentence(error, path))


def sentence(error: Exception, path: Path) -> str:
    """What `error` of SQLite or of the operating system means for the file at `path`, and what to do about it."""
    text = str(error)
    if isinstance(error, UnicodeEncodeError):
        return f"A name has characters that cannot be stored ({error.reason}); nothing was written to {path}."
    if isinstance(error, OverflowError):
        return f"A number is too large to be stored ({text}); nothing was written to {path}."
    if "append-only" in text or "one reply" in text:
        return f"{text[:1].upper()}{text[1:]} ({path})."
    code = getattr(error, "errno", None)
    if "disk is full" in text or code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The disk is full, or its quota is used up: nothing was written to {path}. Free some space, then try again."
    if "disk I/O error" in text or code == errno.EIO:
        return (
            f"The disk gave an error, or its quota is used up: nothing was written to {path}. Look after the disk, then try again."
        )
    if "unable to open" in text:
        return f"{path}, or a file beside it, could not be opened: nothing was written. Look at its folder, then try again."
    if "readonly" in text or isinstance(error, PermissionError) or code == errno.EROFS:
        return f"{path} cannot be written: it, or its folder, is read-only for this user. Choose another file with --db."
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return f"{path} cannot be made: a part of that path is a file, not a folder. Choose another file with --db."
    if "not a database" in text:
        return f"{path} is not a lifeline database, or not any more. Choose another file with --db.{ADVICE}"
    if "malformed" in text or "corrupt" in text or isinstance(error, UnicodeDecodeError):
        return f"{path} is damaged ({text}).{ADVICE}"
    if "too big" in text:
        return f"A row of {path} is longer than any turn can be; nothing was read from it or written.{ADVICE}"
    if "locked" in text or "busy" in text:
        return f"{path} is being used by another program ({text}); nothing was written. Try again in a moment."
    if isinstance(error, sqlite3.IntegrityError):
        return f"{path} refused what was to be written, and nothing was: {text}."
    return f"{path} could not be used, and nothing was written: {text}."
