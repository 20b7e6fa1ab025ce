"""The rows that stand on the pages of a SQLite file and of its write-ahead log, read without SQLite.

SQLite refuses a file whose header or whose inner pages are damaged; the leaves, where the rows are, can be whole all the same.
Nothing here says whether a row is true, or the newest: the hash chain does.  The format: https://sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USUAL = 4_096
"""Bytes of a page, where the header does not say."""
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x0A, 0x02
_WIDTHS = (0, 1, 2, 3, 4, 6, 8)
_MOST = 1 << 30

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """One page in the write-ahead log; `commit`: a transaction ends with it."""

    head: bytes
    page: bytes

    @property
    def number(self) -> int:
        return int.from_bytes(self.head[:4], "big")

    @property
    def commit(self) -> bool:
        return any(self.head[4:8])


def rows(path: Path) -> Iterator[Row]:
    """Each row on each leaf page, the newest page of the log first, as its values in the order of the columns.  A row may come more
    than once, in versions that are not the newest, or damaged.  Raises OSError."""
    data, size = path.read_bytes(), _page_size(path)
    frames = _frames(_log(path), size)
    stored = {at // size + 1: data[at : at + size] for at in range(0, len(data), size)}
    newest = stored | {frame.number: frame.page for frame in frames}
    for number, page in [*((frame.number, frame.page) for frame in reversed(frames)), *stored.items()]:
        for cell in _cells(page, 100 if number == 1 else 0):
            # What does not fit on its page goes on elsewhere: there, too, the log or the file may have the better copy.
            found = [_record(payload) for pages in (newest, stored) if (payload := _payload(cell, pages, size)) is not None]
            yield from dict.fromkeys(row for row in found if row)


def torn(path: Path) -> int:
    """How many transactions of the write-ahead log end behind a frame that is damaged, so that SQLite passes them over.  A kill in
    the middle of a write leaves none.  Looks at the log alone, since locks are held on the file.  Raises OSError."""
    log, lost = _log(path), 0
    if len(log) < 32:
        return 0
    order = ">" if log[3] & 1 else "<"
    sums = _sum(log[:24], order, (0, 0))
    broken = struct.unpack(">II", log[24:32]) != sums
    for frame in _frames(log, int.from_bytes(log[8:12], "big") or USUAL):
        if frame.head[8:16] != log[16:24] and not broken:
            break  # of an earlier run of the log
        if not broken:
            sums = _sum(frame.page, order, _sum(frame.head[:8], order, sums))
            broken = struct.unpack(">II", frame.head[16:24]) != sums
        lost += broken and frame.commit
    return lost


def _page_size(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(18)
    size = int.from_bytes(head[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if 512 <= size <= 65_536 and size & (size - 1) == 0 else USUAL


def _log(path: Path) -> bytes:
    try:
        return path.with_name(path.name + "-wal").read_bytes()
    except FileNotFoundError:
        return b""


def _frames(log: bytes, size: int) -> list[_Frame]:
    whole = range(32, len(log) - size - 23, size + 24)
    return [_Frame(log[at : at + 24], log[at + 24 : at + 24 + size]) for at in whole]


def _sum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


@dataclass(frozen=True, slots=True)
class _Cell:
    """A row's bytes from where they begin on the page; `index`: on a page that is not a table's own."""

    data: bytes
    length: int
    index: bool


def _cells(page: bytes, head: int) -> Iterator[_Cell]:
    kind = page[head] if len(page) > head + 8 else 0
    if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER):
        return
    first = head + (12 if kind == _INDEX_INNER else 8)
    count = int.from_bytes(page[head + 3 : head + 5], "big")
    for at in range(first, min(first + 2 * count, len(page) - 1), 2):
        start = int.from_bytes(page[at : at + 2], "big") + (4 if kind == _INDEX_INNER else 0)
        length, start = _varint(page, start)
        if kind == _TABLE_LEAF:
            _, start = _varint(page, start)
        if 0 < length < _MOST and start < len(page):
            yield _Cell(page[start:], length, kind != _TABLE_LEAF)


def _payload(cell: _Cell, pages: Mapping[int, bytes], size: int) -> bytes | None:
    """All of a row's bytes, those on overflow pages too; None where one of these is missing."""
    most = (size - 12) * 64 // 255 - 23 if cell.index else size - 35
    least = (size - 12) * 32 // 255 - 23
    if cell.length <= most:
        return cell.data[: cell.length] if len(cell.data) >= cell.length else None
    here = least + (cell.length - least) % (size - 4)
    here = here if here <= most else least
    parts, left, passed = [cell.data[:here]], cell.length - here, set[int]()
    number = int.from_bytes(cell.data[here : here + 4], "big")
    while left > 0:
        page = pages.get(number)
        if page is None or len(page) < size or number in passed:
            return None
        passed.add(number)
        parts.append(page[4 : 4 + left])
        left -= size - 4
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _record(payload: bytes) -> Row:
    """The values; empty where the bytes are no record."""
    end, at = _varint(payload, 0)
    types = []
    while at < end <= len(payload):
        type_, at = _varint(payload, at)
        types.append(type_)
    values: list[Any] = []
    at = end
    for type_ in types:
        if type_ in (8, 9):
            values.append(type_ - 8)
            continue
        width = _WIDTHS[type_] if type_ < 7 else 8 if type_ == 7 else (type_ - 12) // 2
        part = payload[at : at + width]
        if type_ in (10, 11) or len(part) < width:
            return ()
        at += width
        if type_ == 0:
            values.append(None)
        elif type_ < 7:
            values.append(int.from_bytes(part, "big", signed=True))
        else:
            values.append(part.decode("utf-8", "replace") if type_ >= 13 and type_ % 2 else part)
    return tuple(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number, where it ends); past the end of `data`, zeros are read."""
    number = 0
    for place in range(9):
        byte = data[at + place] if at + place < len(data) else 0
        if place == 8:
            return number << 8 | byte, at + 9
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + place + 1
    raise AssertionError("the ninth byte is the last")
