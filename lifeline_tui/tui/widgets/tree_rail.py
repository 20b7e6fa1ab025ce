"""The tree beside the transcript: rows from `rail.rail_rows`, drawn only where they are seen, so that size costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...core.text import visible_line
from ..glyphs import Glyphs, glyphs_of
from ..rail import Row
from ..show import cut


class TreeRail(ScrollView, can_focus=True):
    """A list of rows with a cursor, which starts on the current one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "cursor(1)", "Down", show=False, id="tree.down"),
        Binding("up", "cursor(-1)", "Up", show=False, id="tree.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="tree.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="tree.page_up"),
        Binding("home", "cursor(-1000000000)", "First", show=False, id="tree.first"),
        Binding("end", "cursor(1000000000)", "Last", show=False, id="tree.last"),
        Binding("enter", "choose", "Go there", show=False, id="tree.choose"),
        Binding("left,right,space", "fold", "Fold or unfold", show=False, id="tree.fold"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree-rail--guide",
        "tree-rail--path",
        "tree-rail--aside",
        "tree-rail--current",
        "tree-rail--cursor",
        "tree-rail--cursor-blurred",
        "tree-rail--right",
        "tree-rail--wrong",
        "tree-rail--skip",
        "tree-rail--forged",
        "tree-rail--error",
    }
    DEFAULT_CSS = """
    TreeRail {
        overflow: hidden auto;
        scrollbar-size-vertical: 1;
        & > .tree-rail--guide { color: $faint; }
        & > .tree-rail--path { color: $foreground; }
        & > .tree-rail--aside { color: $quiet; }
        & > .tree-rail--current { color: $foreground; text-style: bold; }
        & > .tree-rail--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        & > .tree-rail--cursor-blurred { background: $block-cursor-blurred-background; }
        & > .tree-rail--right { color: $tone-right; }
        & > .tree-rail--wrong { color: $tone-error; }
        & > .tree-rail--skip { color: $tone-skip; }
        & > .tree-rail--forged { color: $origin-forged; }
        & > .tree-rail--error { color: $tone-error; }
        &:nocolor > .tree-rail--guide { text-style: dim; }
        &:nocolor > .tree-rail--aside { text-style: dim; }
        &:nocolor > .tree-rail--cursor { text-style: reverse; }
    }
    """

    cursor: var[int] = var(0)

    class NodeChosen(Message):
        """The operator wants to go to that node."""

        def __init__(self, rail: TreeRail, node_id: str) -> None:
            super().__init__()
            self.rail = rail
            self.node_id = node_id

        @property
        def control(self) -> TreeRail:
            return self.rail

    class FoldAsked(Message):
        """The operator wants a side branch folded or unfolded; `opened` says what it is now."""

        def __init__(self, rail: TreeRail, node_id: str, opened: bool) -> None:
            super().__init__()
            self.rail = rail
            self.node_id = node_id
            self.opened = opened

        @property
        def control(self) -> TreeRail:
            return self.rail

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Row] = ()
        self._styles: dict[tuple[str, ...], Style] = {}

    def set_rows(self, rows: Sequence[Row], to_current: bool = True) -> None:
        """Shows `rows`, the cursor on the current one, or with `to_current` false on the node where it was."""
        was = self.cursor_row
        self.rows = rows
        self.virtual_size = Size(0, len(rows))
        at = None
        if not to_current and was is not None:
            at = next((i for i, row in enumerate(rows) if row.twig.id == was.twig.id and row.rest == was.rest), None)
        if at is None:
            at = next((i for i, row in enumerate(rows) if row.current), len(rows) - 1)
        self.move_cursor(at)
        self.refresh()

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def move_cursor(self, index: int) -> None:
        """Puts the cursor on a row and brings it into view."""
        self.refresh_line(self.cursor)
        self.cursor = max(0, min(len(self.rows) - 1, index))
        self.refresh_line(self.cursor)
        self._reveal()

    def _reveal(self) -> None:
        page, y = self.size.height, self.scroll_offset.y
        if page and not y <= self.cursor < y + page:
            self.scroll_to(y=max(0, self.cursor - page // 2), animate=False, force=True)

    def on_resize(self) -> None:
        self._reveal()

    def action_cursor(self, step: int) -> None:
        self.move_cursor(self.cursor + step)

    def action_page(self, step: int) -> None:
        self.move_cursor(self.cursor + step * max(1, self.size.height - 1))

    def action_choose(self) -> None:
        row = self.cursor_row
        if row is not None and not row.rest:
            self.post_message(self.NodeChosen(self, row.twig.id))

    def action_fold(self) -> None:
        row = self.cursor_row
        if row is not None and row.opened is not None:
            self.post_message(self.FoldAsked(self, row.twig.id, row.opened))

    def on_click(self, event: events.Click) -> None:
        y = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if y < len(self.rows):
            self.move_cursor(y)
            self.action_choose()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def _style(self, *names: str) -> Style:
        style = self._styles.get(names)
        if style is None:
            parts = [self.get_component_rich_style(f"tree-rail--{name}", partial=True) for name in names if name]
            style = self._styles[names] = Style.combine([self.rich_style, *parts])
        return style

    def render_line(self, y: int) -> Strip:
        width, at = self.scrollable_content_region.width, self.scroll_offset.y + y
        if at >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        cursor = ("cursor" if self.has_focus else "cursor-blurred") if at == self.cursor else ""
        return Strip(self._segments(self.rows[at], cursor, width)).adjust_cell_length(width, self._style(cursor))

    def _segments(self, row: Row, cursor: str, width: int) -> list[Segment]:
        glyphs, twig = glyphs_of(self), row.twig
        quiet = self._style("guide", cursor)
        segments = [Segment("".join(_guide(step, glyphs) for step in row.guides), quiet)]
        if row.rest:
            return [*segments, Segment(f"{glyphs.more} {row.rest:,} more", quiet)]
        look = "current" if row.current else "path" if row.on_path else "aside"
        lead = glyphs.here if row.current else " " if row.opened is None else glyphs.opened if row.opened else glyphs.shut
        marks = "".join(f" {glyphs.mark(mark)}" for mark in twig.marks)
        left, right = glyphs.angles
        after = f" {left}{row.fork[0]}/{row.fork[1]}{right}" if row.fork is not None else ""
        after += f" +{row.hidden:,}" if row.hidden else ""
        label = visible_line(twig.label, width) + (f" {glyphs.below} fake {visible_line(twig.told, width)}" if twig.told else "")
        room = max(0, width - sum(segment.cell_length for segment in segments) - cell_len(f"{lead} {marks}{after}"))
        label = cut(label, room, glyphs.more)
        segments.append(Segment(f"{lead} {label}", self._style(look, cursor)))
        if marks:
            segments.append(Segment(marks, self._style(look, twig.tone, cursor)))
        name = cut(visible_line(twig.name, width), room - cell_len(label) - 1, glyphs.more)
        if name not in ("", glyphs.more):
            segments.append(Segment(f" {name}", self._style(look, cursor)))
        return [*segments, Segment(after, quiet)] if after else segments


def _guide(step: str, glyphs: Glyphs) -> str:
    return {"t": f"{glyphs.through} ", "f": f"{glyphs.fork} ", "l": f"{glyphs.last} "}.get(step, "  ")
