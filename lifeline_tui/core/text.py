"""`visible()`: the one function between text from outside and anything that displays it.

Text from a model, a file or an import is stored raw; a terminal, however, obeys what it is sent, and Textual filters nothing.
So every display boundary passes text through here first (Law 4).  What is unsafe is shown, never dropped.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "\r\n"
    "|[\x00-\x09\x0b-\x1f\x7f-\x9f"  # C0 but newline, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff\ufdd0-\ufdef\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
    + "]"
    "|(?<![\u203c-\u3299\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u203c-\u3299\U0001f000-\U0001faff])"
)


def _show(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\r\n":
        return "\n"
    if char == "\t":
        return "    "
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def visible(text: str) -> str:
    """`text` with every character that a terminal might obey, hide or reorder by replaced with a visible stand-in.

    Newlines stay and tabs become four spaces.  C0 controls become control pictures (``␛``); DEL, C1, bidi, zero-width and tag
    characters, noncharacters and lone surrogates become ``⟨U+202E⟩``.  A zero-width joiner between two emoji stays.
    Idempotent; safe text is returned as the same object.
    """
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_show, text)


def visible_line(text: str, limit: int = 200) -> str:
    """`visible()` text on one line of at most `limit` characters: for titles, notifications and one-line errors."""
    line = visible(text[: limit + 2]).replace("\n", " ⏎ ")  # no character becomes less than one
    return line if len(line) <= limit else line[: limit - 1] + "…"


_PLACED = re.compile(r"[/\\~]|[A-Za-z]:[/\\]|file:")
_MODEL_FILE = re.compile(r"\.(?:gguf|ggml|ggjt|safetensors|bin|pt|pth|onnx|llamafile|ckpt|mlmodel|tflite)\Z", re.IGNORECASE)


def last_part(name: str) -> str:
    """A model's name without the folders of the machine that serves it: some servers answer with the whole path of the model's file.

    Only what is a place is cut (it begins with a slash, a backslash, `~`, a drive letter or `file:`, or ends as a model's file does);
    a name such as `org/model` stays.
    """
    if not (_PLACED.match(name) or _MODEL_FILE.search(name)):
        return name
    parts = [part for part in re.split(r"[/\\]", name) if part]
    return parts[-1] if parts else name
