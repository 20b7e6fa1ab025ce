"""Which key does what on the run screen, and how a sentence tells it: the interventions' keys and those that only look.

A sentence names no key itself but holds a mark, such as `{key:regenerate}`, which stands for the key as the operator has set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..interventions.table import TABLE
from ..interventions.types import MARK

KEYS = {
    **{"semicolon": ";", "full_stop": ".", "question_mark": "?", "slash": "/", "backspace": "bksp", "escape": "esc"},
    **{"left_square_bracket": "[", "right_square_bracket": "]"},
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the run screen that belongs to no intervention, and what it is for."""

    key: str
    action: str
    about: str


OTHERS = {
    "cancel": Key("escape", "cancel", "Cancel the reply that is arriving, and the keys that wait"),
    "leave": Key("ctrl+x", "leave", "Leave the session: back to the start screen, where it can be gone on with"),
    "peek": Key("full_stop", "peek", "Peek at the key"),
    "saw": Key("o", "saw", "What the subject saw"),
    "previous-branch": Key("left_square_bracket", "fork_point(-1)", "Previous sibling branch"),
    "next-branch": Key("right_square_bracket", "fork_point(1)", "Next sibling branch"),
    "open-sample": Key("enter", "open_sample", "Open the sample that is shown as a branch"),
    "back": Key("backspace", "back", "Back to where this branch left"),
    "switch": Key("tab", "switch", "Between tree and transcript"),
    "rail": Key("ctrl+t", "rail", "Show or hide the tree"),
    "search": Key("slash", "app.find", "Search"),
    "save": Key("ctrl+s", "save", "Save again what could not be saved"),
    "export": Key("ctrl+e", "export", "Export"),
    "copy": Key("ctrl+y", "copy", "Copy the block at the cursor"),
    "help": Key("question_mark", "app.help", "Help"),
}
"""By the name of the binding, which stands in the config's `[keys]`."""


def key_name(key: str) -> str:
    """The first of a binding's keys, as the operator knows it."""
    first = key.split(",")[0]
    return KEYS.get(first, first)


def key_of(name: str, keymap: Mapping[str, str]) -> str:
    """The key of an intervention or of another binding as it is shown, the operator's own if remapped."""
    if name not in TABLE and name not in OTHERS:
        return name
    return key_name(keymap.get(name, TABLE[name].key if name in TABLE else OTHERS[name].key))


def with_keys(sentence: str, keymap: Mapping[str, str]) -> str:
    """A sentence with the keys in place of their marks."""
    return MARK.sub(lambda mark: key_of(mark[1], keymap), sentence)
