"""Small pictures in one line of text: confidence over time, where lifelines went, how hard."""

from __future__ import annotations

from collections.abc import Sequence

from ..glyphs import UNICODE, Glyphs


def spark(values: Sequence[float | None], glyphs: Glyphs = UNICODE, low: float = 0.0, high: float = 100.0, width: int = 20) -> str:
    """The last `width` values, one cell each, scaled from `low` to `high`; a value that nobody gave is a blank."""
    top = len(glyphs.spark) - 1
    cells = []
    for value in list(values)[-width:]:
        if value is None:
            cells.append(" ")
        else:
            share = (value - low) / (high - low) if high > low else 0.0
            cells.append(glyphs.spark[round(max(0.0, min(1.0, share)) * top)])
    return "".join(cells)


def skips(skipped: Sequence[bool | None], glyphs: Glyphs = UNICODE, width: int = 20) -> str:
    """The last `width` attempts: ``L`` where a lifeline was used, a dot where not, a blank where that is not known."""
    return "".join(" " if skip is None else "L" if skip else glyphs.dot for skip in list(skipped)[-width:])


def meter(value: float, high: int, glyphs: Glyphs = UNICODE) -> str:
    """`value` of `high` as filled and hollow cells."""
    filled = max(0, min(high, round(value)))
    return glyphs.full * filled + glyphs.hollow * (high - filled)
