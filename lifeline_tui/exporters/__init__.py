"""Exports: one file each, one interface.  An exporter writes text of stored sessions to an open file; provenance always travels along.

`write` is the one way to a file: a temporary file beside the target, synced, then renamed, so that there is never half an export.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, TextIO

from ..store import Reader
from ..store.database import BESIDE


class Format(NamedTuple):
    """One format: the module with its `export(store, sessions, out, blind)`, what it is in a few words, and how its files end."""

    module: str
    about: str
    suffix: str


FORMATS = {
    "attempts-csv": Format("attempts_csv", "one row per attempt, for analysis", ".csv"),
    "claims-csv": Format("claims_csv", "one row per claim, measured where it was made", ".csv"),
    "session-jsonl": Format("session_jsonl", "all of it, to import again", ".jsonl"),
    "markdown": Format("markdown", "to read", ".md"),
}
"""By name, in the order in which they are offered."""

Export = Callable[[Reader, Sequence[str], TextIO, bool], None]


PLACE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""What is wrong with where to write, not with the disk."""


ENDS = ("", *BESIDE, ".lock", ".owners", ".provider.log")
"""What follows a notebook's name in the names of its files."""


class ExportError(Exception):
    """An export cannot be made as asked.  The message is for the operator."""


class ExportFailed(ExportError):
    """The place is right, but the export did not succeed: a full disk, say."""


def exporter(format: str) -> Export:
    """The exporter of a format, imported when it is asked for."""
    export: Export = import_module(f".{FORMATS[format].module}", __package__).export
    return export


def write(format: str, store: Reader, sessions: Sequence[str], path: Path, *, blind: bool = False) -> None:
    """Exports to `path`, whole or not at all.  An older export is replaced, nothing else is.  Raises ExportError."""
    try:
        try:
            if reason := _irreplaceable(path, store.file):
                raise ExportError(f"{path} is {reason}.")
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except ValueError as error:  # a NUL, or half a character
            raise ExportError(f"{path} cannot be the name of a file: {error}.") from None
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
                exporter(format)(store, sessions, out, blind)
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        kind = ExportError if isinstance(error, PLACE) else ExportFailed
        raise kind(f"{path} cannot be written: {error.strerror or error}.") from error


def _irreplaceable(path: Path, notebook: Path) -> str:
    """Why what is at `path` must stay; "" where it need not, or where nothing is.  Raises OSError.

    The notebook itself is never opened to see: closing it would drop the locks that SQLite holds on it."""
    if path.is_symlink():
        return "a symbolic link: name the file itself"
    if path.name in {notebook.name + beside for beside in ENDS} and path.parent.samefile(notebook.parent):
        return "the notebook, or stands beside it and is a part of it"
    if not path.exists():
        return ""
    if path.samefile(notebook):
        return "the notebook itself"
    if not path.is_file():
        return "no regular file: without a file, the export goes to the terminal or to a pipe"
    with path.open("rb") as file:
        return "a database, and never written over" if file.read(16) == b"SQLite format 3\0" else ""
