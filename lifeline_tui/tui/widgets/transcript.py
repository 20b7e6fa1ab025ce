"""The transcript: who wrote what, line by line, over any length, while more of it streams in.

Lines are drawn on demand (no widget per message) from a `Column`.  Deltas are gathered and drawn at most every 30 ms, and each costs
its last line.  The view follows the end until the operator scrolls away, and stays put when heights above it turn out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from ...core.text import visible_line
from ..blocks import Block
from ..column import Column
from ..glyphs import glyphs_of
from ..show import cut

FLUSH_EVERY = 0.03
"""Seconds between two paintings of streamed text."""
BAR_EVERY = 0.25
"""Seconds between two paintings of the scrollbar while text streams in: it costs as much as the text and says less."""
STRIPS_KEPT = 512
"""Drawn lines that are kept, so that scrolling draws new ones only."""
GUTTER = 2
"""Cells to the left of the text: the writer's bar and a space."""


class Transcript(ScrollView, can_focus=True):
    """A list of blocks with a cursor.  `cursor` is the index of the block it is on, -1 while there is none."""

    ALLOW_SELECT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "cursor(1)", "Next block", show=False, id="transcript.next"),
        Binding("up", "cursor(-1)", "Previous block", show=False, id="transcript.previous"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="transcript.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="transcript.page-down"),
        Binding("home", "jump(False)", "First block", show=False, id="transcript.first"),
        Binding("end", "jump(True)", "Last block", show=False, id="transcript.last"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--model",
        "transcript--operator",
        "transcript--template",
        "transcript--forged",
        "transcript--edited",
        "transcript--imported",
        "transcript--other_model",
        "transcript--fake",
        "transcript--error",
        "transcript--quiet",
        "transcript--reasoning",
        "transcript--here",
    }
    DEFAULT_CSS = """
    Transcript {
        overflow: hidden scroll;
        scrollbar-size-vertical: 1;
        & > .transcript--model { color: $origin-model; }
        & > .transcript--operator { color: $origin-operator; }
        & > .transcript--template { color: $origin-template; }
        & > .transcript--forged { color: $origin-forged; }
        & > .transcript--edited { color: $origin-edited; }
        & > .transcript--imported { color: $origin-imported; }
        & > .transcript--other_model { color: $origin-other; }
        & > .transcript--quiet { color: $quiet; }
        & > .transcript--fake { color: $tone-fake; text-style: bold; }
        & > .transcript--error { color: $tone-error; text-style: bold; }
        & > .transcript--reasoning { color: $quiet; text-style: italic; }
        & > .transcript--here { background: $cursor-line; }
        &:nocolor > .transcript--quiet { text-style: dim; }
    }
    """

    cursor: var[int] = var(-1)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        """Whether the view stays at the end while text arrives."""
        self._column = Column()
        self._pending: dict[str, list[str]] = {}
        self._timer: Timer | None = None
        self._flushed = 0.0
        self._moving = False
        self._bar_drawn, self._bar_stands = 0.0, False
        self._styles: dict[tuple[str, ...], Style] = {}
        self._strips: dict[tuple[int, int, int, bool, bool], Strip] = {}  # by block, row in it, line, cursor, focus

    # -- what it shows ---------------------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(self._column.blocks)

    @property
    def current_block(self) -> Block | None:
        """The block under the cursor."""
        return self._column.blocks[self.cursor] if 0 <= self.cursor < len(self._column.blocks) else None

    def set_blocks(self, blocks: Iterable[Block]) -> None:
        """Shows `blocks` from their end, and forgets the old ones."""
        self._pending.clear()
        self._strips.clear()
        self._column.set(blocks)
        self.following = True
        self.cursor = len(self._column.blocks) - 1
        self._settle()

    def show_blocks(self, blocks: Iterable[Block]) -> None:
        """Shows `blocks` in place of the old ones; those that stay the same at the beginning are left alone."""
        new, old = list(blocks), self._column.blocks
        pairs = enumerate(zip(old, new, strict=False))
        same = next((at for at, (a, b) in pairs if a is not b and a != b), min(len(old), len(new)))
        if same < len(old) or same < len(new):
            self.set_tail(same, new[same:])

    def set_tail(self, at: int, blocks: Iterable[Block]) -> None:
        """Puts `blocks` in place of all from the index `at` on.  The cursor and the view stay unless they were at the end."""
        column, here = self._column, self.current_block
        at_end = self.following and self.cursor == len(column.blocks) - 1
        keep = self._anchor()
        if at < len(column.blocks):
            self._pending.clear()
        column.cut(at)
        for block in blocks:
            column.append(block)
        last = len(column.blocks) - 1
        self._strips = {key: strip for key, strip in self._strips.items() if key[0] < at}
        stays = None if at_end or here is None else column.place(here.id)
        self.cursor = last if stays is None else stays
        self.following = stays is None or self.following
        self._settle((min(keep[0], last), keep[1]) if keep and last >= 0 else None)

    def stream(self, block_id: str, text: str) -> None:
        """More text of a block, drawn within 30 ms."""
        self._pending.setdefault(block_id, []).append(text)
        if self._timer is None:
            wait = FLUSH_EVERY - (monotonic() - self._flushed)
            if wait <= 0:
                self.flush()
            else:
                self._timer = self.set_timer(wait, self.flush)

    def flush(self) -> None:
        """Draws what has streamed in so far."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        pending, self._pending = self._pending, {}
        keep = self._anchor()
        for block_id, deltas in pending.items():
            at = self._column.place(block_id)
            if at is None:
                continue
            was = self._column.height
            first = self._column.top(at) + self._column.grow(at, "".join(deltas))
            end = max(was, self._column.height) if was != self._column.height else self._column.top(at + 1)
            self._strips = {key: strip for key, strip in self._strips.items() if key[2] < first}
            self.refresh_lines(first, end - first)
        self._settle(keep, repaint=False)
        self._flushed = monotonic()

    # -- where it stands -------------------------------------------------------------------------------------------------------

    def _anchor(self) -> tuple[int, int] | None:
        """The block at the top of the view and how far into it the view starts."""
        if not self._column.blocks:
            return None
        y = self.scroll_offset.y
        at = self._column.at(y)
        return at, y - self._column.top(at)

    def _settle(self, keep: tuple[int, int] | None = None, repaint: bool = True) -> None:
        """Lays out what is in view and a page to either side of it, and keeps the view where it was: at the end, or at `keep`."""
        page = self.size.height
        if not page:
            return
        column = self._column
        last = len(column.blocks) - 1
        self._moving, self._bar_stands = True, not repaint
        if column.blocks:
            at, into = (last, 0) if self.following else keep or self._anchor() or (0, 0)
            column.measure_about(at, 2 * page, 2 * page)
            into = min(into, column.measure(at) - 1)
            y = column.height - page if self.following else column.top(at) + into
        else:
            y = 0
        size = Size(self.scrollable_content_region.width, column.height)
        if size != self.virtual_size:
            # Set without a layout of the whole screen: neither the size of this widget nor its scrollbar depends on it.
            self.set_reactive(Transcript.virtual_size, size)
            if repaint or monotonic() - self._bar_drawn >= BAR_EVERY:
                self._bar_stands = False
                self._scroll_update(size)
        if y != self.scroll_y:
            self.scroll_to(y=max(0, y), animate=False, force=True)
        if not self._bar_stands:
            self._bar_drawn = monotonic()
        self._moving = self._bar_stands = False
        if repaint:
            self.refresh()

    def _scroll_to(self, x: float | None = None, y: float | None = None, *, animate: bool = True, **options: Any) -> bool:
        """Never animated: each step of an animation lays out what came into view and scrolls again, which would end the animation."""
        return super()._scroll_to(x, y, animate=False, **options)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if self._bar_stands:
            self.refresh()
        else:
            super().watch_scroll_y(old_value, new_value)
        if not self._moving:
            self.following = new_value >= self.max_scroll_y
            self._settle()

    def on_resize(self, event: events.Resize) -> None:
        width = self.scrollable_content_region.width - GUTTER
        if width > 0 and width != self._column.width:
            keep = self._anchor()
            self._strips.clear()
            self._column.resize(width)
            self._settle(keep)
        else:
            self._settle()

    # -- the cursor ------------------------------------------------------------------------------------------------------------

    def watch_cursor(self) -> None:
        self.refresh()

    def action_cursor(self, step: int) -> None:
        """To the next or the previous block; through a block taller than the view by half pages first."""
        column, page = self._column, self.size.height
        if not column.blocks:
            return
        top, bottom = column.top(self.cursor), column.top(self.cursor) + column.measure(self.cursor) - 1
        if step > 0 and bottom > self.scroll_offset.y + page and top <= self.scroll_offset.y + page:
            self.scroll_to(y=min(self.scroll_offset.y + page // 2, bottom - page), animate=False)
        elif step < 0 and top < self.scroll_offset.y < bottom:
            self.scroll_to(y=max(self.scroll_offset.y - page // 2, top), animate=False)
        else:
            self.move_cursor(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A page on or back, one line of the old one kept; the cursor comes along, so that no key acts on a turn out of sight."""
        column, page = self._column, self.size.height
        if not column.blocks:
            return
        self.scroll_to(y=self.scroll_offset.y + step * max(1, page - 1), animate=False)
        y = self.scroll_offset.y
        first, last = column.at(y), column.at(min(y + page, column.height) - 1)
        if y >= self.max_scroll_y:
            self.cursor = len(column.blocks) - 1
        elif not first <= self.cursor <= last:
            self.cursor = min(last, first + (column.top(first) < y))

    def action_jump(self, to_end: bool) -> None:
        self.move_cursor(len(self._column.blocks) - 1 if to_end else 0)

    def move_cursor(self, index: int) -> None:
        """Puts the cursor on a block and brings it into view."""
        column, page = self._column, self.size.height
        if not column.blocks:
            return
        self.cursor = max(0, min(len(column.blocks) - 1, index))
        if self.cursor == len(column.blocks) - 1 and column.measure(self.cursor) <= page:
            self.following = True
            self._settle()
            return
        column.measure_about(self.cursor, page, page)
        top, y = column.top(self.cursor), self.scroll_offset.y
        bottom = top + column.measure(self.cursor) - 1
        if top < y or bottom - top >= page:
            y = top
        elif bottom > y + page:
            y = bottom - page
        self.following = False
        self._settle((column.at(y), y - column.top(column.at(y))))

    def show_block(self, block_id: str) -> bool:
        """Puts the cursor on the block of that id; False where there is none."""
        at = self._column.place(block_id)
        if at is not None:
            self.move_cursor(at)
        return at is not None

    def on_click(self, event: events.Click) -> None:
        y = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if self.text_selection is None and self._column.blocks and y < self._column.height:
            self.cursor = self._column.at(y)

    # -- drawing ---------------------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _style(self, *names: str) -> Style:
        """The widget's own style under those of the named component classes; a name that has none, such as an origin that only a
        later version knows, looks like the rest."""
        style = self._styles.get(names)
        if style is None:
            known = [name for name in (f"transcript--{each}" for each in names) if name in self.COMPONENT_CLASSES]
            parts = [self.get_component_rich_style(name, partial=True) for name in known]
            style = self._styles[names] = Style.combine([self.rich_style, *parts])
        return style

    def render_line(self, y: int) -> Strip:
        width, line = self.size.width, self.scroll_offset.y + y
        if not self._column.blocks or line >= self._column.height:
            return Strip.blank(width, self.rich_style)
        at = self._column.at(line)
        row = line - self._column.top(at)
        here = at == self.cursor and self.has_focus and line < self._column.top(at + 1) - 1
        key = (at, row, line, at == self.cursor, here)
        strip = self._strips.get(key) if self.text_selection is None else None
        if strip is None or strip.cell_length != width:
            strip = self._line_of(at, row, line, "here" if here else "")
            strip = strip.adjust_cell_length(width, self._style("here" if here else ""))
            if self.text_selection is None:
                self._strips = self._strips if len(self._strips) < STRIPS_KEPT else {}
                self._strips[key] = strip
        return strip

    def _line_of(self, at: int, row: int, line: int, here: str) -> Strip:
        block, flow, glyphs = self._column.blocks[at], self._column.flow(at), glyphs_of(self)
        if row > len(flow.lines) + (flow.cut > 0):
            return Strip([])
        writer = self._style(here, block.origin)
        bar = glyphs.bar_here if at == self.cursor else glyphs.bar_thought if block.reasoning else glyphs.bar
        gutter = Segment(f"{bar} ", writer)
        if row == 0:
            glyph = glyphs.origin.get(block.origin, "?")
            room = max(1, self.scrollable_content_region.width - GUTTER)
            name = cut(f"{glyph} {visible_line(block.heading, 60)}", room - bool(block.tags))
            tags = "".join(f" {glyphs.dot} {visible_line(tag, 60)}" for tag in block.tags)
            tags = cut(tags, room - cell_len(name))
            look = self._style(here, block.tone or "quiet")
            return Strip([gutter, Segment(name, writer + Style(bold=True)), Segment(tags, look)])
        if row > len(flow.lines):
            note = f"{glyphs.more} {flow.cut:,} more characters are not shown here"
            return Strip([gutter, Segment(note, self._style(here, "quiet"))])
        style = self._style(here, "reasoning" if block.reasoning else "quiet" if block.dim else "")
        return Strip([gutter, *self._text(flow.lines[row - 1], style, line)])

    def _text(self, text: str, style: Style, line: int) -> list[Segment]:
        """A line of text, its selected stretch marked, each segment knowing its place (which is how the mouse finds it)."""
        span = self.text_selection.get_span(line) if self.text_selection is not None else None
        if span is None:
            return [Segment(text, style + Style.from_meta({"offset": (0, line)}))]
        start, end = span[0], len(text) if span[1] == -1 else span[1]
        marked = style + self.screen.get_component_rich_style("screen--selection") + Style(reverse=self.app.no_color)
        pieces = [(0, text[:start], style), (start, text[start:end], marked), (end, text[end:], style)]
        return [Segment(part, look + Style.from_meta({"offset": (x, line)})) for x, part, look in pieces if part]

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it is laid out, headings left out."""
        first = selection.start.y if selection.start is not None else 0
        last = selection.end.y if selection.end is not None else self._column.height - 1
        lines: list[str] = []
        for y in range(first, min(last, self._column.height - 1) + 1):
            at = self._column.at(y)
            row = y - self._column.top(at) - 1
            drawn = self._column.flow(at).lines
            if 0 <= row < len(drawn) and (span := selection.get_span(y)) is not None:
                lines.append(drawn[row][span[0] : None if span[1] == -1 else span[1]])
        return "\n".join(lines), "\n"
