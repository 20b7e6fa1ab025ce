"""The rows that stand on the pages of a SQLite file and of its write-ahead log, read without SQLite.

SQLite refuses a file whose header or whose inner pages are damaged; the leaves, where the rows are, can be whole all the same.
A page may stand there in several versions.  The newest are in the log, as far as its salt and its sums hold up to a commit; what lies
behind that is of a transaction that never ended, behind damage, or of an earlier run of the log, and is only another reading.
Nothing here says whether a row is true: the hash chain does.  The format: https://sqlite.org/fileformat2.html

A damaged file may say anything, so what is read of it is bounded by its size; no more than a page or a row is held at a time.
"""

from __future__ import annotations

import os
import stat
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ..database import LONGEST
from ..errors import BadReference

USUAL = 4_096
"""Bytes of a page, where the header does not say."""
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x0A, 0x02
_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_READINGS = 100
"""Moments of the log as of which one row's overflow pages are looked at."""
_LEAST_WORK, _WORK = 64_000_000, 8
"""Bytes that are read of overflow pages, at least and per byte of the file: what is sound there is read once or twice."""
_REMEMBERED = 500_000

Row = tuple[Any, ...]


class Place(NamedTuple):
    """Where a row stands: a version of a page (a frame of the log by its number, or -n for page n of the file), the byte where it
    begins, and the frame as of which its overflow pages are read (-1: those of the file)."""

    page: int
    start: int
    moment: int


class _Frame(NamedTuple):
    """One page in the write-ahead log; `commit`: a transaction ends with it."""

    number: int
    commit: bool
    salt: bytes


class Log:
    """The write-ahead log.  Its first `whole` frames are what SQLite reads; `torn` counts the transactions of the same run of the log
    that end behind a frame that is damaged, which SQLite passes over.  A kill in the middle of a write leaves none."""

    def __init__(self, path: Path, size: int = 0) -> None:
        """`size`: of a page; 0 for what the log itself says."""
        self.frames: list[_Frame] = []
        self.whole = self.torn = 0
        self.fd = -1
        try:
            self.fd = _opened(path)
        except FileNotFoundError:
            return
        try:
            self._read(size)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _read(self, size: int) -> None:
        head = _read(self.fd, 32, 0)
        if len(head) < 32:
            return
        self.size = size or int.from_bytes(head[8:12], "big")
        self.size = self.size if _is_size(self.size) else USUAL
        order = ">" if head[3] & 1 else "<"
        sums = _sum(head[:24], order, (0, 0))
        known = holds = struct.unpack(">II", head[24:]) == sums
        runs = True
        for at in range(32, os.fstat(self.fd).st_size - self.size - 23, self.size + 24):
            data = _read(self.fd, self.size + 24, at).ljust(self.size + 24, b"\0")
            frame = _Frame(int.from_bytes(data[:4], "big"), any(data[4:8]), data[8:16])
            self.frames.append(frame)
            if holds and (holds := frame.salt == head[16:24]):
                sums = _sum(data[24:], order, _sum(data[:8], order, sums))
                holds = struct.unpack(">II", data[16:24]) == sums
            if holds and frame.commit:
                self.whole = len(self.frames)
            # Where frames of an earlier run begin, which have another salt, this one ends: a power cut may have kept some of what
            # was to come behind them, and nobody had acknowledged that.
            runs = runs and (not known or frame.salt == head[16:24])
            self.torn += not holds and frame.commit and runs

    def page(self, frame: int) -> bytes:
        return _read(self.fd, self.size, 56 + frame * (self.size + 24))


def torn(path: Path) -> int:
    """How many transactions of the log cannot be read.  Looks at the log alone, since locks are held on the file.  Raises OSError."""
    log = Log(_beside(path))
    log.close()
    return log.torn


@dataclass(frozen=True, slots=True)
class _Cell:
    """A row's bytes on its page, and how many it has in all; `overflow`: the page where the others begin, or 0."""

    local: bytes
    length: int
    overflow: int


class Pages:
    """A file and its log, opened to read; only rows that have one of so many `columns` are looked at.  Raises OSError, and BadReference
    for what is no regular file."""

    def __init__(self, path: Path, columns: frozenset[int]) -> None:
        self._columns = columns
        self._fd = _opened(path)
        try:
            self._size = _page_size(_read(self._fd, 18, 0))
            self.log = Log(_beside(path), self._size)
        except BaseException:
            os.close(self._fd)
            raise
        self.bytes = os.fstat(self._fd).st_size + len(self.log.frames) * self._size
        self._count = -(-os.fstat(self._fd).st_size // self._size)
        self._work = _LEAST_WORK + _WORK * self.bytes
        self.passed_over = 0
        """Rows that were not read because reading had gone on for too long."""
        self._frames: dict[int, list[int]] = defaultdict(list)
        self._ends: list[int] = []
        frames = self.log.frames
        for at, frame in enumerate(frames):
            self._frames[frame.number].append(at)
        for at in reversed(range(len(frames))):
            goes_on = at + 1 < len(frames) and not frames[at].commit and frames[at + 1].salt == frames[at].salt
            self._ends.append(self._ends[-1] if goes_on else at)
        self._ends.reverse()
        self._leaf: tuple[int | None, bytes, int] = (None, b"", 0)

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._fd)
        self.log.close()

    def newest(self) -> Iterator[tuple[Place, Row]]:
        """Each row of the newest state, with its place, as its values in the order of the columns.  It may be damaged."""
        now = self.log.whole - 1
        for page in self._newest():
            for start in self._starts(page):
                if row := self.row(place := Place(page, start, now), charged=True):
                    yield place, row

    def others(self) -> Iterator[tuple[Place, Row]]:
        """Each other reading: rows on other versions of pages, the later first, and rows that overflow, with other versions of those
        pages.  A row comes more than once where its readings differ."""
        now, newest, log = self.log.whole - 1, set(self._newest()), self.log.frames
        later = sorted(range(self.log.whole, len(log)), key=lambda at: (self.log.whole > 0 and log[at].salt == log[0].salt, at))
        frames = [*reversed(later), *reversed(range(self.log.whole))]
        seen = set[int]()
        for page in [
            *newest,
            *(at for at in frames if at not in newest),
            *(-n for n in range(1, self._count + 1) if -n not in newest),
        ]:
            for start in self._starts(page):
                cell = self._cell(page, start)
                first = now if page in newest else self._ends[page] if page >= 0 else -1
                for moment in self._moments(cell, first) if cell and cell.overflow else (first,):
                    pages = self._chain(cell, moment) if cell else None
                    if cell is None or pages is None or (page in newest and moment == now):
                        continue
                    key = hash((cell.local, cell.length, tuple(pages)))
                    if key in seen:
                        continue
                    if len(seen) > _REMEMBERED:
                        seen.clear()
                    seen.add(key)
                    if row := self.row(place := Place(page, start, moment), charged=True):
                        yield place, row

    def row(self, place: Place, *, charged: bool = False) -> Row:
        """The values at `place`; empty where the bytes are no record, or have been passed over."""
        cell = self._cell(place.page, place.start)
        pages = self._chain(cell, place.moment) if cell else None
        if cell is None or pages is None:
            return ()
        if charged and pages:
            self._work -= cell.length
            if self._work < 0:
                self.passed_over += 1
                return ()
        rest = b"".join(self._page(page)[4:] for page in pages)
        return _record((cell.local + rest)[: cell.length])

    def _newest(self) -> Iterator[int]:
        """The newest version of each page."""
        now = self.log.whole - 1
        last = {self.log.frames[at].number for at in range(self.log.whole)}
        yield from (self._version(number, now) for number in range(1, self._count + 1))
        yield from (self._version(number, now) for number in sorted(last) if number > self._count)

    def _version(self, number: int, moment: int) -> int:
        """Page `number` as of a frame: the last in the log until then, of the same run, or else the file's."""
        frames = self._frames.get(number, ()) if moment >= 0 else ()
        at = bisect_right(frames, moment)
        same = at and self.log.frames[frames[at - 1]].salt == self.log.frames[moment].salt
        return frames[at - 1] if same else -number

    def _page(self, page: int) -> bytes:
        return self.log.page(page) if page >= 0 else _read(self._fd, self._size, (-page - 1) * self._size)

    def _moments(self, cell: _Cell, first: int) -> Iterator[int]:
        """The moments as of which the overflow pages of a row may have other versions, beginning with `first`."""
        yield first
        yield -1
        numbers = {cell.overflow} | {self._number(page) for page in self._chain(cell, first) or ()}
        moments = {self._ends[at] for number in numbers for at in self._frames.get(number, ())} - {first}
        yield from sorted(moments, reverse=True)[:_READINGS]

    def _number(self, page: int) -> int:
        return self.log.frames[page].number if page >= 0 else -page

    def _chain(self, cell: _Cell, moment: int) -> list[int] | None:
        """The versions of a row's overflow pages; None where one of these is missing, or they go round in a ring."""
        pages: list[int] = []
        numbers = set[int]()
        number, left = cell.overflow, cell.length - len(cell.local)
        while left > 0:
            self._work -= 100
            page = self._version(number, moment)
            if number in numbers or number < 1 or (page < 0 and number > self._count) or self._work < 0:
                self.passed_over += self._work < 0
                return None
            numbers.add(number)
            pages.append(page)
            left -= self._size - 4
            number = int.from_bytes(self._page(page)[:4], "big")
        return pages

    def _starts(self, page: int) -> list[int]:
        """Where the cells of a leaf page begin, in the order of their keys, each once."""
        data = self._page(page)
        head = 100 if self._number(page) == 1 else 0
        kind = data[head] if len(data) > head + 8 else 0
        self._leaf = page, data, kind
        if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER):
            return []
        first = head + (12 if kind == _INDEX_INNER else 8)
        end = min(first + 2 * int.from_bytes(data[head + 3 : head + 5], "big"), len(data) - 1)
        return list(dict.fromkeys(int.from_bytes(data[at : at + 2], "big") for at in range(first, end, 2)))

    def _cell(self, page: int, start: int) -> _Cell | None:
        """The row that begins there, if it may be one that is looked for."""
        if self._leaf[0] != page:
            self._starts(page)
        _, data, kind = self._leaf
        index = kind != _TABLE_LEAF
        length, start = _varint(data, start + (4 if kind == _INDEX_INNER else 0))
        if not index:
            _, start = _varint(data, start)
        most = (self._size - 12) * 64 // 255 - 23 if index else self._size - 35
        here = length
        if length > most:
            least = (self._size - 12) * 32 // 255 - 23
            here = least + (length - least) % (self._size - 4)
            here = here if here <= most else least
        end = start + here
        if not 0 < length <= min(self.bytes, LONGEST) or end + (4 if length > here else 0) > len(data):
            return None
        if not self._fits(data[start:end], length):
            return None
        return _Cell(data[start:end], length, int.from_bytes(data[end : end + 4], "big") if length > here else 0)

    def _fits(self, local: bytes, length: int) -> bool:
        """Whether the head of a record is that of a row with such columns and of such length."""
        types = _types(local)
        return types is not None and len(types[0]) in self._columns and types[1] + sum(map(_width, types[0])) == length


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _opened(path: Path) -> int:
    """Opened to read, without waiting for the other end of a pipe.  Raises OSError, and BadReference for what is no regular file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise BadReference(f"{path} cannot be read: it is no regular file.")


def _read(fd: int, size: int, at: int) -> bytes:
    """Empty where the disk does not give it."""
    try:
        return os.pread(fd, size, at)
    except OSError:
        return b""


def _is_size(size: int) -> bool:
    return 512 <= size <= 65_536 and size & (size - 1) == 0


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if _is_size(size) else USUAL


def _sum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _types(payload: bytes) -> tuple[list[int], int] | None:
    """The types of a record's values, and where the first of these begins."""
    end, at = _varint(payload, 0)
    if end > len(payload):
        return None
    types = []
    while at < end:
        type_, at = _varint(payload, at)
        types.append(type_)
    return types, end


def _width(type_: int) -> int:
    return _WIDTHS[type_] if type_ < 10 else (type_ - 12) // 2


def _record(payload: bytes) -> Row:
    """The values; empty where the bytes are no record."""
    types, at = _types(payload) or ([], 0)
    values: list[Any] = []
    for type_ in types:
        width = _width(type_)
        part = payload[at : at + width]
        if type_ in (10, 11) or len(part) < width:
            return ()
        at += width
        if type_ in (0, 8, 9):
            values.append(None if type_ == 0 else type_ - 8)
        elif type_ < 7:
            values.append(int.from_bytes(part, "big", signed=True))
        else:
            values.append(part.decode("utf-8", "replace") if type_ >= 13 and type_ % 2 else part)
    return tuple(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number, where it ends); past the end of `data`, zeros are read."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    number = 0
    for place in range(9):
        byte = data[at + place] if at + place < len(data) else 0
        if place == 8:
            return number << 8 | byte, at + 9
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + place + 1
    raise AssertionError("the ninth byte is the last")
