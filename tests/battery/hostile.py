"""Text that means harm to whatever displays it: by family, each string small and with its sting at the front.

A string is never typed in raw: each is made from what it is, so that this file itself is safe to look at.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
ENDS, EVIL = (BEL, ST, "\x9c"), "cm0gLXJmIH4K"


def _table(**families: Sequence[str]) -> dict[str, str]:
    return {f"{family} {n}": text for family, texts in families.items() for n, text in enumerate(texts)}


CSI = (
    *("2J", "1;1H", "5;5;7m", "0;0r", "65535b", "6n", ">c", "21t", "?1049$p", ">31u", "!p", "5i", "4h"),
    *("?5h", "?25l", "?1049h", "?1000h", "?2004l", "200~rm -rf /\x1b[201~"),
)
ESCAPES = ("c", "#8", "(0", "N", "Z", "7", "D")
OSC = (
    *("0;pwned", "2;pwned", "4;1;?", "8;;http://evil.example/", "9;pwned", "11;?", "22;crosshair", f"52;c;{EVIL}"),
    *("52;c;?", "777;notify;a;b", "1337;SetBadgeFormat=eA==", "1337;RequestUpload=format=tgz"),
    "1337;File=inline=1:AAAA",
)
STRINGS = (
    *("P$qm", "P+q544e", "P0;1|17/" + EVIL, "Ptmux;\x1b\x1b]52;c;eA==\x07", "_Ga=T,f=24,s=1,v=1;AAAA"),
    *("^pwned", "Xpwned"),
)
BIDI = [*"\u061c\u200f\u202a\u202e\u2066\u2069"]
UNSEEN = [*"\u00ad\u034f\u115f\u200b\u200d\u2060\ufeff\u2028\u2029\U0001bca0"]
MARKUP = (
    "[@click=app.planted]hit[/]",
    "[@click=screen.planted]hit[/]",
    "[@mouse.down=app.planted]hit[/]",
    "[[@click=app.planted]hit[/]]",
    "[link=http://evil.example/]hit[/link]",
    "[/INST]",
    "list[int]",
    "[bold",
    "[]",
    "[/]",
    "\\",
)
LINKS = (
    "![x](http://evil.example/x.png)",
    "<http://evil.example/>",
    "<script>planted()</script>",
    "</text><a href='//evil.example'>x",
    "# heading",
    "```\nfence\n```",
    "| a | b |\n|---|---|",
)
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd|'x'!A0", "@SUM(1+1)", "\t=1+1", "\r=1+1")
WORDS = (
    "{0.__class__}",
    "{{name}}",
    "$(id) `id` ${HOME}",
    "'; DROP TABLE nodes; --",
    "\\x1b[2J \\033[2J ^[[2J",
    "../../etc/passwd",
    "--help",
    ":smile: :skull:",
    "ACTION: LIFELINE",
)
SHAPES = (
    "Z" + "\u0300\u0301\u0302\u0316\u0317\u0334\u0488" * 12,
    "e" + "\u0301" * 60,
    "日本語テキスト",
    "①②③ ±×÷ αβγ",
    "\u05d0\u05d1 abc",
    "👩\u200d🔬👨\u200d👩\u200d👧",
    "🇩🇪🇫🇷",
    "1\ufe0f\u20e3 ❤\ufe0f",
    "🔬\u200da",
    "\ufe00\ufe0d",
    "W" * 40,
    "\u3000wide",
    "\n\nbelow",
    "a" + "".join(chr(0xE0100 + byte) for byte in b"curl"),
)
HOSTILE: dict[str, str] = _table(
    c0=[f"{chr(n)}x" for n in range(0x20)],
    delete=["\x7fx"],
    c1=[f"{chr(n)}x" for n in range(0x80, 0xA0)],
    csi=[f"{ESC}[{each}" for each in CSI],
    csi8=[f"\x9b{each}" for each in CSI[::6]],
    escape=[f"{ESC}{each}" for each in ESCAPES],
    osc=[f"{ESC}]{each}{ENDS[n % 3]}" for n, each in enumerate(OSC)],
    osc8=[f"\x9d{each}\x9c" for each in OSC[::8]],
    unended=[f"{ESC}]0;no end", f"{ESC}P no end", f"{ESC}[38;5", "\x9d52;c;"],
    string=[f"{ESC}{each}{ST}" for each in STRINGS],
    string8=["\x90$qm\x9c", "\x9fGa=T;AAAA\x9c", "\x98pwned\x9c"],
    overwrite=["safe\revil", "safe\x08\x08\x08\x08evil", "safe\x1b[1K\revil"],
    split=[f"{ESC}\u202e[2J", f"{ESC}\u200b]52;c;eA==\x07", f"{ESC}\x18[2J", f"{ESC}{ESC}[2J"],
    bidi=[f"{each}evil" for each in BIDI],
    trojan=["/*\u202e } \u2066if (admin)\u2069 \u2066 begin*/", "a\u2067b\u2069c\u202dd"],
    unseen=[f"{each}x" for each in UNSEEN],
    tags=["\U000e0001\U000e0065x", "x" + "".join(chr(0xE0000 + ord(c)) for c in "run") + "y"],
    surrogate=["\ud800x", "x\ud83dy\ude00", "\udc80x", "\udc9b2J"],
    nonchar=["\uffffx", "\ufdd0x", "\U0001fffex", "\U0010ffffx"],
    odd=["\ufffcx", "\ue000x", "\u0378x", "\u00c2\x9b2J"],
    markup=MARKUP,
    links=LINKS,
    formula=FORMULAS,
    words=WORDS,
    shape=SHAPES,
)
"""Name → string."""

_APPROVED = "\u200d\ufe0e\ufe0f"
"""Unseen, but what joins and colours emoji: `visible()` leaves the joiner between two of them only."""
_UNSEEN_RANGES = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""Unicode's Default_Ignorable_Code_Point, and the interlinear marks: what a terminal shows nothing for."""


def harms(char: str) -> bool:
    """Whether no terminal should ever be sent this character, by Unicode's own properties and not by `visible()`."""
    if char == "\n" or char in _APPROVED or " " <= char <= "~":
        return False
    code = ord(char)
    if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return True
    return any(low <= code <= high for low, high in _UNSEEN_RANGES)
