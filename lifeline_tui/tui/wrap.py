"""Text into lines of at most so many cells, so that a streamed token costs its last line and a 5 MB line does not hang.

Greedy wrapping never changes a line that has a successor, so `Flow` rewraps from the start of the last line only.  Heights of
blocks that nobody has looked at are guessed by `guess_height`, in constant time for each.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import get_character_cell_size

from ..core.text import visible

SHOWN_AT_MOST = 200_000
"""Characters of one block that are laid out; the rest is a note."""

_NARROW = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0373\u0391-\u03a1\u03a3-\u0482\u2010-\u2027\u2030-\u205e\u2070-\u2071\u2074-\u208e"
    "\u20a0-\u20c0\u2100-\u214f\u2190-\u22ff\u2500-\u25fc\u2713-\u2718\u27e6-\u27eb\u2400-\u2426]*"
).fullmatch
"""Matches text of which every character is known to be one cell wide; a test compares it with the table."""


@lru_cache(maxsize=64)
def _pieces(width: int) -> re.Pattern[str]:
    """As much as fits and ends before a space or at the end, else a hard cut."""
    return re.compile(f"(.{{1,{width}}})(?:[ ]|$)|(.{{1,{width}}})")


def _starts(line: str, width: int) -> list[tuple[int, int]]:
    """(start, end) of each wrapped line of one paragraph."""
    if not line:
        return [(0, 0)]
    if _NARROW(line):
        if len(line) <= width:
            return [(0, len(line))]
        return [match.span(match.lastindex or 1) for match in _pieces(width).finditer(line)]
    return _wide_starts(line, width)


def _wide_starts(line: str, width: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start, cells, gap, gap_cells = 0, 0, -1, 0
    for at, char in enumerate(line):
        size = get_character_cell_size(char)
        while cells + size > width and at > start:
            if char == " ":
                gap, gap_cells = at, cells
            if gap > start:
                spans.append((start, gap))
                start, cells = gap + 1, max(0, cells - gap_cells - 1)
            else:
                spans.append((start, at))
                start, cells = at, 0
            gap = -1
        if at < start:
            continue
        if char == " ":
            gap, gap_cells = at, cells
        cells += size
    if start < len(line) or not spans:
        spans.append((start, len(line)))
    return spans


class Flow:
    """A growing text laid out in `width` cells.  `lines` is what to draw; `cut` is how many raw characters are not drawn."""

    __slots__ = ("_anchor", "_kept", "_raw", "cut", "lines", "width")

    def __init__(self, raw: str, width: int) -> None:
        self.width = max(4, width)
        self.lines: list[str] = []
        self.cut = 0
        self._raw = ""
        self._anchor = self._kept = 0  # where in `_raw` the last line starts, and how many lines are settled above it
        self.grow(raw)

    def grow(self, raw: str) -> int:
        """Adds `raw` at the end; the index of the first line that may have changed."""
        room = SHOWN_AT_MOST - len(self._raw)
        self.cut += max(0, len(raw) - room)
        self._raw += raw[:room]
        tail = self._raw[self._anchor :]
        first = self._kept
        text = visible(tail)
        del self.lines[first:]
        at = 0
        for paragraph in text.split("\n"):
            spans = _starts(paragraph, self.width)
            self.lines += [paragraph[a:b] for a, b in spans]
            last = at + spans[-1][0]
            at += len(paragraph) + 1
        if len(text) == len(tail):
            self._anchor += last
            self._kept = len(self.lines) - 1
        elif (newline := tail.rfind("\n")) >= 0:
            # Stand-ins are longer than what they stand for, so only a newline is a sure place to resume from.
            self._anchor += newline + 1
            self._kept = len(self.lines) - len(_starts(text[text.rfind("\n") + 1 :], self.width))
        return first


def guess_height(raw: str, width: int) -> int:
    """About how many lines `raw` takes, without looking at it closely; exact for one short line."""
    length = min(len(raw), SHOWN_AT_MOST)
    return 1 + raw.count("\n", 0, SHOWN_AT_MOST) + length // max(4, width)
