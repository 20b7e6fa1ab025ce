"""The one way from text of any source into a widget.

A bare string handed to a widget is parsed as markup, which can run actions, and its control characters reach the terminal raw
(Law 4).  So a widget is only ever given what `shown` returns.
"""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from ..core.text import visible, visible_line

AT_MOST = 20_000
"""Characters of one text that a widget lays out: Textual takes seconds for a megabyte, at every change."""


def shown(text: str, style: str = "") -> Content:
    """`text` made visible, never parsed as markup; what is beyond `AT_MOST` characters is a note.  `style` is ours, in Textual's
    notation (``"bold $origin-model"``)."""
    if (more := len(text) - AT_MOST) > 0:
        text = f"{text[:AT_MOST]}\n… {more:,} more characters are not shown here"
    return Content.styled(visible(text), style) if style else Content(visible(text))


def shown_line(text: str, style: str = "", limit: int = 200) -> Content:
    """Like `shown`, on one line of at most `limit` characters."""
    return shown(visible_line(text, limit), style)


def cut(text: str, room: int, sign: str = "…") -> str:
    """`text` in at most `room` cells, with a sign where it is cut: `right: 20` is never read as `right: 2`."""
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, room - len(sign)) + sign if room >= len(sign) else ""
