"""How a key is spelled: as Textual spells it, told without importing Textual, so that a config with a wrong one is refused at once.

A key is modifiers with `+` between, then one printable character or a name.  A character without modifiers and its name are the same
key, and modifiers stand in no order: `spelled` gives what Textual itself would call it.
"""

from __future__ import annotations

import unicodedata

MODIFIERS = {"alt", "ctrl", "hyper", "meta", "shift", "super"}
NAMED = {
    *("space", "enter", "tab", "escape", "backspace", "delete", "insert"),
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
    *(f"f{number}" for number in range(1, 25)),
}
SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Unicode's name of a character → what its key is called."""


def name_of(character: str) -> str:
    """The name of the key that writes a character; letters and digits are called what they are."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return SHORTER.get(name, name)


SIGNS = {name_of(char) for char in map(chr, range(0x21, 0x100)) if char.isprintable() and not char.isalnum()}


def spelled(key: str) -> str:
    """A key as Textual calls it; "" where there is no such key."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    written = len(last) == 1 and last.isprintable() and last != " "
    if not (written or last in NAMED or last in SIGNS) or not MODIFIERS.issuperset(modifiers):
        return ""
    return "+".join([*sorted(set(modifiers)), last]) if modifiers else name_of(last) if written else last


def no_key(key: str) -> str:
    """Why a key is none, and what is one.  It is not repeated: someone may take `[keys]` for the place of another sort of key."""
    if not key:
        return "has a comma with no key beside it; commas stand between keys, and the key of that sign is called comma"
    return "names no key of a keyboard: write one character, or a name such as space, f5, slash or left_square_bracket, after ctrl+, alt+ or shift+"
