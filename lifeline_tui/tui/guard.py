"""The second guard: whatever text a forgotten call site lets through is made visible before the terminal sees it (Law 4).

Every widget's lines, borders and titles included, pass the app's line filters last of all, whether they are then written to the
terminal, to a screenshot, or asked what a click on them should do.  So one filter there is enough: it shows control characters
instead of sending them, and drops links and click actions, which markup in outside text could have planted.  What goes round the
lines is guarded beside it: notifications, the title, the clipboard and the crash screen.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.notifications import SeverityLevel

from ..core.text import visible, visible_line

R = TypeVar("R")


SCROLLBAR = [("@mouse.down", "grab"), ("@mouse.down", "scroll_up"), ("@mouse.down", "scroll_down")]
"""The only actions that lines may hold: those that Textual's scrollbar puts there."""


@lru_cache(maxsize=1024)
def _planted(style: Style) -> bool:
    """Whether a style holds an action that is not a scrollbar's."""
    return any(key.startswith("@") and (key, value) not in SCROLLBAR for key, value in style.meta.items())


def _obeyed(segment: Segment) -> bool:
    """Whether a terminal might obey the text, or a click on it might do something."""
    text, style, _ = segment
    if not (text.isascii() and text.isprintable()) and (visible(text) is not text or "\n" in text):
        return True
    if style is None:
        return False
    return style._link is not None or (style._meta is not None and b"@" in style._meta and _planted(style))


def guard(segments: list[Segment]) -> list[Segment]:
    """A line with what a terminal might obey shown.  It keeps its width; a line that needs nothing is returned as it is."""
    if not any(map(_obeyed, segments)):
        return segments
    width = sum(segment.cell_length for segment in segments)
    safe = [Segment(visible(text).replace("\n", "␊"), _harmless(style)) for text, style, control in segments if not control]
    return Segment.adjust_line_length(safe, width)


def _harmless(style: Style | None) -> Style | None:
    """`style` without a link and without planted actions."""
    if style is None:
        return None
    meta = {key: value for key, value in style.meta.items() if not key.startswith("@") or (key, value) in SCROLLBAR}
    return Style.combine([style.clear_meta_and_links(), Style.from_meta(meta)])


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

    def panic(self, *renderables: RenderableType) -> None:
        """What Textual ends the app for by itself is said as plain text, and is a fault like any other."""
        from ..subjects.child.redaction import without_secrets

        self._return_code = 1
        told = (segment.text for each in renderables for segment in self.console.render(each) if not segment.control)
        self._exit_renderables.append(Text(visible(without_secrets("".join(told)))))
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        """Textual's own crash screen prints every local variable, keys among them (Law 10); this one prints the trace alone."""
        from ..subjects.child.redaction import without_secrets

        self.bell()
        self._exit_renderables.append(Text(visible(without_secrets(traceback.format_exc()))))
        self._close_messages_no_wait()
