"""A strict reader of what was written to a terminal: every control is named, and what does not parse is a control too.

It is our own, so that a check of what the app writes rests on no library that the app is written with.
"""

from __future__ import annotations

import base64
import re
from collections import Counter

from hostile import harms

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_k][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # strings: OSC, DCS, SOS, PM, APC, a title
    r"|\x1b[ -/]*[0-~]"  # the other escapes
    r"|\r\n|[\x00-\x09\x0b-\x1f\x7f-\x9f]"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_MOVE = re.compile(r"\x1b\[[0-9]+;[0-9]+H")
_COPY = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
_PAINT = re.compile(r"\x1b\[\?2026[hl]|\x1b\[\?25[hl]|\x1b\]22;[a-z-]*\x07")


class Written:
    """What was written: `text` with a newline wherever the cursor was moved, every control by how often, what was `copied` to the
    clipboard, and `harmful` characters: of the text, of what was copied, or bytes that are not UTF-8."""

    def __init__(self, out: bytes) -> None:
        self.controls: Counter[str] = Counter()
        self.copied: list[str] = []
        self.harmful: Counter[str] = Counter()
        pieces: list[str] = []
        data, at = out.decode("utf-8", "surrogateescape"), 0
        for match in _CONTROL.finditer(data):
            pieces.append(data[at : match.start()])
            at = match.end()
            self._control(match[0], pieces)
        self.text = "".join([*pieces, data[at:]])
        self._look("", self.text)

    def _control(self, control: str, pieces: list[str]) -> None:
        if copy := _COPY.fullmatch(control):
            self.copied.append(base64.b64decode(copy[1]).decode("utf-8", "surrogateescape"))
            self._look("copied ", self.copied[-1])
        elif control == "\r\n":
            pieces.append("\n")
        elif _MOVE.fullmatch(control):
            self.controls["a move"] += 1
            pieces.append("\n")
        else:
            name = "a colour" if _COLOUR.fullmatch(control) else "painting" if _PAINT.fullmatch(control) else repr(control)
            self.controls[name] += 1

    def _look(self, where: str, text: str) -> None:
        odd = {char for char in set(text) if harms(char)}
        self.harmful.update(f"{where}U+{ord(char):04X}" for char in text if odd and char in odd)

    def beyond(self, usual: Counter[str], paints: bool = True) -> Counter[str]:
        """Every harmful character, and whatever a terminal obeys more often than `usual`: where an app `paints`, that apart."""
        more = self.controls - usual
        if paints:
            more = Counter({control: n for control, n in more.items() if control[0] == "'" or control[0] == '"'})
        return more + self.harmful
