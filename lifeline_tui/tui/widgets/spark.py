"""Small pictures in one line of text: confidence over time, where lifelines went, how hard."""

from __future__ import annotations

from collections.abc import Sequence

from ..glyphs import UNICODE, Glyphs

WIDTH = 20
"""Cells at most."""


def spark(values: Sequence[float | None], glyphs: Glyphs = UNICODE) -> str:
    """The last values, of 0 to 100, one cell each; a value that nobody gave is a blank."""
    top = len(glyphs.spark) - 1
    cells = []
    for value in values[-WIDTH:]:
        if value is None:
            cells.append(" ")
        else:
            cells.append(glyphs.spark[round(max(0.0, min(1.0, value / 100)) * top)])
    return "".join(cells)


def skips(skipped: Sequence[bool | None], glyphs: Glyphs = UNICODE) -> str:
    """The last attempts: ``L`` where a lifeline was used, a dot where not, a blank where no reply came."""
    return "".join(" " if skip is None else "L" if skip else glyphs.dot for skip in skipped[-WIDTH:])


def meter(value: float, high: int, glyphs: Glyphs = UNICODE) -> str:
    """`value` of `high` as filled and hollow cells."""
    filled = max(0, min(high, round(value)))
    return glyphs.full * filled + glyphs.hollow * (high - filled)
