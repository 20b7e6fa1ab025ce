"""The bar of actions: whole items, the most useful first, greyed when they cannot be done now.

A greyed one still answers its key or a click: it says why.  The bar never changes its height or its order, so that nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.binding import Keymap
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ...core.text import visible_line
from ...interventions.table import TABLE
from ...session.session import Session
from ..keys import key_of, with_keys
from ..show import shown, shown_line

USEFUL = (
    *(
        "next",
        "autoplay",
        "reveal",
        "fake",
        "workings",
        "self-score",
        "undo",
        "free",
        "challenge",
        "edit",
        "forge",
        "fork",
        "sample",
    ),
    *("regenerate", "verdict", "key-check", "why-skip", "grade", "note", "label", "bookmark", "praise", "rule-check", "budget"),
)
"""What stands in the bar for as long as there is room; the rest is behind help and the palette."""
GAP = 2
LINES = 2
TOLD = {True: 30, False: 19}
"""Cells of what undo would take back, on a wide screen and on a small one: always the same, so that nothing beside it jumps."""
WIDE = 160


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the bar at column `x` of line `y`.  `name` is an intervention's, or "leave" or "help"."""

    name: str
    key: str
    label: str
    x: int
    y: int

    @property
    def width(self) -> int:
        return len(self.key) + 1 + len(self.label)


def way_out(busy: bool, keymap: Keymap) -> tuple[str, str]:
    """The key that ends what is going on: the reply that is arriving, or else the session in hand."""
    return (key_of("cancel", keymap), "cancel") if busy else (key_of("leave", keymap), "leave")


def laid_out(width: int, keymap: Keymap) -> list[Item]:
    """The items of a bar `width` cells wide: two lines of whole items, the way out and help at the end of the last."""
    room = max(len(" ".join(way_out(busy, keymap))) for busy in (True, False)) - 1
    tail = [("leave", "", " " * room), ("help", key_of("help", keymap), "help")]
    end = sum(len(key) + 1 + len(label) + GAP for _, key, label in tail) - GAP
    made: list[Item] = []
    x = y = 0
    names = iter([*USEFUL, *(name for name in TABLE if name not in USEFUL)])
    name = next(names, None)
    while name is not None and y < LINES:
        label = TABLE[name].label.ljust(TOLD[width >= WIDE] if name == "undo" else 0)
        item = Item(name, key_of(name, keymap), label, x, y)
        if x + item.width <= width - (end + GAP if y == LINES - 1 else 0):
            made.append(item)
            x += item.width + GAP
            name = next(names, None)
        else:
            x, y = 0, y + 1
    x = width - end
    for name, key, label in tail:
        made.append(Item(name, key, label, x, LINES - 1))
        x += made[-1].width + GAP
    return made


class Actions(Widget):
    """Renders from the table and the state; a click does what the key does."""

    DEFAULT_CSS = """
    Actions { height: 2; background: $panel; padding: 0 1; }
    """

    class Chosen(Message):
        """An item was clicked: the name of an intervention, "leave" or "help"."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, session: Session, keymap: Keymap) -> None:
        super().__init__()
        self.session, self.keymap = session, keymap
        self.cursor: str | None = None

    def items(self) -> list[Item]:
        return laid_out(self.size.width, self.keymap)

    def render(self) -> Content:
        lines = [Content("") for _ in range(LINES)]
        for item in self.items():
            grey = self.why_not(item.name) is not None
            key, label = item.key, item.label
            if item.name == "leave":
                key, label = way_out(self.session.calling, self.keymap)
            elif item.name == "undo":
                label = visible_line(self.session.label("undo"), len(label))
            lines[item.y] = Content.assemble(
                lines[item.y],
                " " * (item.x - lines[item.y].cell_length),
                shown_line(key, "$unavailable" if grey else "bold $accent"),
                shown_line(f" {label}", "$unavailable" if grey else ""),
            )
        return Content("\n").join(lines)

    def why_not(self, name: str) -> str | None:
        """Why an item cannot be done now; None when it can."""
        reason = self.session.refusal(name, self.cursor) if name in TABLE else None
        return None if reason is None else with_keys(reason, self.keymap)

    def at(self, x: int, y: int) -> Item | None:
        """The item under a cell of the bar."""
        return next((item for item in self.items() if item.y == y and item.x <= x < item.x + item.width), None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        place = event.get_content_offset(self)
        item = self.at(place.x, place.y) if place is not None else None
        if item is None or item.name not in TABLE:
            self.tooltip = None
        else:
            self.tooltip = shown(self.why_not(item.name) or TABLE[item.name].about)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        item = self.at(place.x, place.y) if place is not None else None
        if item is not None:
            self.post_message(self.Chosen(item.name))
