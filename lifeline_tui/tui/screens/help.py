"""Help, generated: every intervention from the table and every other key from the run screen's bindings."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding

from ...actions import ASIDE
from ...core.nodes import Origin
from ...interventions import TABLE
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


def help_blocks(keymap: Mapping[str, str], glyphs: Glyphs) -> list[Block]:
    """Everything that can be done, by group, with the keys as they are set."""
    from .run import RunScreen

    made = []
    for group, title in GROUPS.items():
        lines = [
            f"{key_of(name, keymap):>8}  {entry.label}: {entry.about}{PLACES.get(entry.place, '')}"
            for name, entry in TABLE.items()
            if entry.group == group
        ]
        made.append(Block(group, Origin.OPERATOR, title, "\n".join(lines)))
    rest = [
        f"{key_name(keymap.get(binding.id or '', binding.key)):>8}  {binding.description}"
        for binding in RunScreen.BINDINGS
        if isinstance(binding, Binding) and binding.id not in TABLE
    ]
    rest += ["  up, down  a turn; pageup, pagedown a page; home, end the first and the last"]
    rest += ["  ctrl+p  command palette", "  ctrl+z  suspend; fg comes back", "  ctrl+q  quit; everything is saved already"]
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
