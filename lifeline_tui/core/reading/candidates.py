"""What an unlabelled reply may have meant as its answer: offered to the operator, never scored (Law 6).

A candidate is a piece of the reply, as it stands there, that could be a value of the key's type.  The likeliest comes first: what is
boxed, then what the reply calls its answer, then what else could be one, the last first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..puzzle import Answer
from .expressions import read
from .grading import Grade, grade
from .numbers import Unreadable

MOST = 6
"""Candidates that are offered."""
LOOKED_AT = 4_000
"""Characters at the end of a reply that are looked at: answers stand there."""
LONGEST = 120
"""Characters of one candidate."""

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\}){1,120})\}")
_SAID = (
    re.compile(r"\b(?:answer|result|total|solution|value)\b[^\n.:=]{0,40}?(?:\bis\b|:|=)[ \t]*([^\n]{1,120})", re.IGNORECASE),
    re.compile(r"(?:\b(?:therefore|thus|hence|so)\b,?|=)[ \t]*([^\n]{1,120})", re.IGNORECASE),
)
"""What comes before an answer: the surer first."""
_NUMBER = re.compile(
    r"(?<![\w.,/^])[-+−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\s?/\s?\d+)?%?(?![\w^/]|[.,]\d)|\\d?frac\{\d+\}\{\d+\}"
)
_LIST = re.compile(r"[{(\[][^{}()\[\]\n]{1,118}[})\]]|(?<![\w,])[\w+−-]{1,20}(?:, ?(?:and )?[\w+−-]{1,20}){1,30}(?!\w)")
_CHOICE = re.compile(r"(?<!\w)\(?([A-Za-z])\)?(?=[\s.,;:)*_]|\Z)")
_LISTS = ("tuple", "set", "multiset", "sequence")
_EDGES = " \t\r\n*_`$\"'“”.,;:!"


def candidates(reply: str, key: Answer) -> tuple[str, ...]:
    """At most `MOST` pieces of `reply` that could be answers of the key's type, the likeliest first."""
    text = reply[-LOOKED_AT:]
    found: dict[str, None] = {}
    for piece in _pieces(text, key):
        piece = piece.strip(_EDGES + "()" if key.type == "choice" else _EDGES)
        if piece and len(piece) <= LONGEST and piece not in found and _readable(key, piece):
            found[piece] = None
            if len(found) == MOST:
                break
    return tuple(found)


def _pieces(text: str, key: Answer) -> Iterator[str]:
    """Pieces of the text, the likeliest first."""
    for match in reversed(list(_BOXED.finditer(text))):
        yield match[1]
    for said in _SAID:
        for match in reversed(list(said.finditer(text))):
            yield match[1]
            yield match[1].partition(". ")[0]
            yield from _values(match[1], key)
    yield from reversed(list(_values(text, key)))


def _values(text: str, key: Answer) -> Iterator[str]:
    """What stands in a text that looks like a value of the key's type, in its order."""
    if key.type == "choice":
        for match in _CHOICE.finditer(text):
            if match[1].isupper() or match[0].startswith("("):
                yield match[1]
    elif key.type in _LISTS:
        for match in _LIST.finditer(text):
            yield match[0]
    else:
        for match in _NUMBER.finditer(text):
            yield match[0]


def _readable(key: Answer, piece: str) -> bool:
    """Whether the grader can read it as a value of the key's type; an expression, whether it is one."""
    if key.type == "expression":
        try:
            read(piece)
        except Unreadable:
            return False
        return True
    return grade(key, piece) in (Grade.RIGHT, Grade.WRONG)
