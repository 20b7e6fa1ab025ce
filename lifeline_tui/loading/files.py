"""Bytes and text of a file from anybody: bounded, of a regular file, and refused in a sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..core.text import visible_line

MAX_BYTES = 1_000_000


class BadFile(ValueError):
    """A file cannot be used.  `str()` is one safe line: ``plan.yaml:12: feedback.fake_rate: must be a number from 0 to 1``."""

    def __init__(self, path: str | Path, problem: str, line: int | None = None, field: str = "") -> None:
        self.path, self.line, self.field, self.problem = str(path), line, field, problem
        shown = visible_line(self.path, 10_000)
        where = shown if len(shown) <= 120 else "…" + shown[-119:]
        where += f":{line}" if line is not None else ""
        super().__init__(": ".join([where, *([visible_line(field, 80)] if field else []), visible_line(problem, 400)]))


def read_bytes(path: str | Path, limit: int = MAX_BYTES) -> bytes:
    """A regular file's bytes, at most `limit`.  Raises BadFile."""
    with _opened(path, limit) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise too_large(path, limit)
    return data


def read_lines(path: str | Path, limit: int, longest: int) -> Iterator[bytes]:
    """A regular file's lines one after another, each of at most `longest` bytes, with its end.  Raises BadFile."""
    with _opened(path, limit) as file:
        number = 0
        while line := file.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise BadFile(path, f"is a line of more than {longest:,} bytes", number)
            yield line


@contextmanager
def _opened(path: str | Path, limit: int) -> Iterator[BinaryIO]:
    """A folder, a device or a pipe is refused without waiting, and what is too large without reading it."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise BadFile(path, "is not a regular file")
            if found.st_size > limit:
                raise too_large(path, limit)
            with open(handle, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(handle)
    except BadFile:
        raise
    except (OSError, ValueError) as error:
        raise BadFile(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def too_large(path: str | Path, limit: int) -> BadFile:
    return BadFile(path, f"is too large: more than {limit:,} bytes")


def decoded(data: bytes, file: str | Path) -> str:
    """UTF-8 text, a byte order mark left out.  Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise too_large(file, MAX_BYTES)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadFile(file, f"is not UTF-8 text (byte {error.start + 1})", data.count(b"\n", 0, error.start) + 1) from None


def listed(words: Iterable[str], joint: str = "and") -> str:
    """``a, b and c``."""
    items = [str(word) for word in words]
    return f"{', '.join(items[:-1])} {joint} {items[-1]}" if len(items) > 1 else "".join(items)


def short(value: str) -> str:
    return f"'{value}'" if len(value) <= 60 else f"'{value[:59]}…'"


def meant(name: str, known: Iterable[str]) -> str:
    """The name most like `name`, or nothing."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, [word for word in known if len(word) <= 40], 1)), "") if len(name) <= 40 else ""
