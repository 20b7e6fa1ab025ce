"""A puzzle as a pack states it: its text, its verified key, and believable wrong answers with the error that makes them."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_TYPES = ("int", "fraction", "decimal", "tuple", "set", "multiset", "sequence", "choice", "expression")
STRATA = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class Answer:
    """A typed answer.  `value` is always text (``"38"``, ``"3/8"``, ``"A, C"``); `tolerance` is absolute, for decimals."""

    type: str
    value: str
    tolerance: str = ""


@dataclass(frozen=True, slots=True)
class Fake:
    """A wrong `value` of the key's own type, and the `error` that leads to it, in words for the operator."""

    value: str
    error: str


@dataclass(frozen=True, slots=True)
class Puzzle:
    """One item.  `verified` names the independent methods that proved the key; empty: nobody has verified it."""

    id: str
    text: str
    answer: Answer
    fakes: tuple[Fake, ...] = ()
    family: str = ""
    stratum: str = ""
    verified: tuple[str, ...] = ()
    pack: str = ""
