"""The second guard: whatever text a forgotten call site lets through is made visible before the terminal sees it (Law 4).

Every widget's lines, borders and titles included, pass the app's line filters last of all, whether they are then written to the
terminal, to a screenshot, or asked what a click on them should do.  So one filter there is enough: it shows control characters
instead of sending them, and drops links and click actions, which markup in outside text could have planted.  What goes round the
lines is guarded beside it: notifications, the title, the clipboard and the crash screen.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.notifications import SeverityLevel

from ..core.text import visible, visible_line

R = TypeVar("R")


def _harmless(style: Style | None) -> Style | None:
    """`style` without a link and without actions; the same object where it has neither."""
    if style is None or (style._link is None and (style._meta is None or b"@" not in style._meta)):
        return style
    meta = {key: value for key, value in style.meta.items() if not key.startswith("@")}
    return Style.combine([style.clear_meta_and_links(), Style.from_meta(meta)])


def _clean(segment: Segment) -> bool:
    text, style, _ = segment
    return visible(text) is text and "\n" not in text and _harmless(style) is style


def guard(segments: list[Segment]) -> list[Segment]:
    """A line with what a terminal might obey shown.  It keeps its width; a line that needs nothing is returned as it is."""
    if all(map(_clean, segments)):
        return segments
    width = sum(segment.cell_length for segment in segments)
    safe = [Segment(visible(text).replace("\n", "␊"), _harmless(style)) for text, style, control in segments if not control]
    return Segment.adjust_line_length(safe, width)


class Guard(LineFilter):
    """The guard, and then Textual's own filters `after` it, as one: each filter more copies every line of every frame."""

    def __init__(self, after: tuple[LineFilter, ...]) -> None:
        super().__init__()
        self.after = after

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        segments = guard(segments)
        for line_filter in self.after:
            segments = line_filter.apply(segments, background)
        return segments


class Guarded(App[R]):
    """An app whose every way to the terminal is guarded."""

    _guard: Guard | None = None

    def get_line_filters(self) -> Sequence[LineFilter]:
        after = tuple(super().get_line_filters())
        if self._guard is None or self._guard.after != after:
            self._guard = Guard(after)
        return [self._guard]

    def validate_title(self, title: Any) -> str:
        return visible_line(str(title))

    def validate_sub_title(self, sub_title: Any) -> str:
        return visible_line(str(sub_title))

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notification of plain text: markup is never parsed, whatever `markup` says."""
        super().notify(visible(message), title=visible_line(title), severity=severity, timeout=timeout, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copies what is seen: control characters are shown, so that pasting into a terminal runs nothing."""
        super().copy_to_clipboard(visible(text))

    def _fatal_error(self) -> None:
        """Textual's own crash screen prints every local variable, keys among them (Law 10); this one prints the trace alone."""
        self.bell()
        self._exit_renderables.append(Text(visible(traceback.format_exc())))
        self._close_messages_no_wait()
