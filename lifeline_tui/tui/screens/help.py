"""Help, generated: every intervention from the table and every other key from the run screen's bindings."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from textual.binding import Binding
from textual.screen import Screen

from ...core.nodes import Origin
from ...interventions.table import TABLE
from ...interventions.types import ASIDE
from ..blocks import Block
from ..glyphs import Glyphs
from ..keys import key_name, key_of

GROUPS = {
    "step": "Going on",
    "feedback": "Telling it something (queued, sent with the next turn)",
    "probe": "Asking it something",
    "tree": "Changing history (always beside, never over)",
    "notes": "Notes of your own (the subject never sees them)",
}


PLACES = {ASIDE: " In a fork, unless you say otherwise.", "trunk": " On this branch, unless you say otherwise."}
"""Where a question goes unless the operator says otherwise."""


def help_blocks(screen: Screen[Any], keymap: Mapping[str, str], glyphs: Glyphs, width: int) -> list[Block]:
    """Everything that can be done, by group, with the keys as they are set, in lines of at most `width` cells.  First comes what can be
    done on `screen`, from where help was asked for."""
    from .run import RunScreen

    def line(key: str, words: str) -> str:
        return textwrap.fill(f"{key:>8}  {words}", width, subsequent_indent=" " * 10)

    def keys(of: type[Screen[Any]]) -> list[str]:
        bindings = [each for each in of.BINDINGS if isinstance(each, Binding) and each.id not in TABLE]
        return [line(key_name(keymap.get(each.id or "", each.key)), each.description) for each in bindings]

    made = []
    if not isinstance(screen, RunScreen):
        here = [*keys(type(screen)), line("enter", "what the line under the cursor says"), line("ctrl+q", "Quit")]
        made.append(Block("here", Origin.OPERATOR, "Here", "\n".join(here)))
        made.append(Block("session", Origin.OPERATOR, "In a session", "The keys below are those of a session that is open."))
    for group, title in GROUPS.items():
        lines = [
            line(key_of(name, keymap), f"{entry.label}: {entry.about}{PLACES.get(entry.place, '')}")
            for name, entry in TABLE.items()
            if entry.group == group
        ]
        made.append(Block(group, Origin.OPERATOR, title, "\n".join(lines)))
    rest = keys(RunScreen)
    rest += [line("up, down", "a turn; pageup, pagedown a page; home, end the first and the last")]
    rest += [line("ctrl+p", "command palette"), line("ctrl+z", "suspend; fg comes back")]
    rest += [line("ctrl+q", "quit; everything is saved already")]
    made.append(Block("look", Origin.OPERATOR, "Looking and moving", "\n".join(rest)))
    writers = "\n".join(f"{glyphs.origin[origin]}  {origin}" for origin in Origin)
    made.append(Block("signs", Origin.OPERATOR, "Who wrote what", writers))
    signs: dict[str, list[str]] = {}
    for name, sign in glyphs.marks.items():
        signs.setdefault(sign, []).append({"fake": "told a fake before it", "both": "answers and skips"}.get(name, name))
    marks = "\n".join(f"{sign}  {', '.join(names)}" for sign, names in signs.items())
    made.append(Block("marks", Origin.OPERATOR, "How a turn in the tree ended", marks))
    words = (
        "subject: the model being probed · lifeline: leave to skip a puzzle · key: its right answer · fake: a believable wrong one · "
        "shown: what the subject was told is right · true score: by the verified keys, the subject's own turns only · "
        "shown score: by what it was told, as it would count"
    )
    made.append(Block("words", Origin.OPERATOR, "Words", words))
    return made
