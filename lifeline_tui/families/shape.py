"""What a puzzle family is, and how it reads its parameters.

A key is a key only when two methods agree on it that share nothing but the reading of the parameters.  Parameters come from files
that people share, so every one is read within bounds: no pack can make a solver run for long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lifeline_tui.core.puzzle import Answer, Fake

Params = Mapping[str, str]


class BadParams(ValueError):
    """Parameters that make no puzzle of the family; the message is a clause that says which and why."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of puzzle.  Every function is pure; all but `draw` raise `BadParams` on parameters that it cannot use."""

    name: str
    draw: Callable[[str, int], dict[str, str]]
    """(stratum, seed) -> parameters of a candidate; whether it is a good puzzle is for the checker to say."""
    text: Callable[[Params], str]
    """What the subject reads: complete in itself, with the form of the answer, naming neither family nor stratum."""
    solvers: Mapping[str, Callable[[Params], Answer]]
    """Two or more independent methods by name; each gives the key in its canonical form."""
    fakes: Callable[[Params], list[Fake]]
    """Wrong answers, each by its error, the most believable first; some may meet the key or each other and are then left out."""
    tag: Callable[[Params], str]
    """A few letters and digits about the parameters, for the puzzle's id."""


def word(params: Params, field: str, options: Iterable[str]) -> str:
    """The parameter `field`, which must be one of `options`."""
    value, allowed = _get(params, field), list(options)
    if value not in allowed:
        raise BadParams(f"{field} is {value!r}, not one of {', '.join(allowed)}")
    return value


def whole(params: Params, field: str, low: int, high: int) -> int:
    """The parameter `field` as a whole number from `low` to `high`."""
    return bounded(_get(params, field), field, low, high)


def parts(params: Params, field: str, most: int) -> list[str]:
    """The comma-separated parts of `field`, at most `most`; `none` has none."""
    value = _get(params, field)
    found = [] if value == "none" else [part.strip() for part in value.split(",")]
    if len(found) > most:
        raise BadParams(f"{field} has {len(found)} parts, more than {most}")
    return found


def bounded(text: str, field: str, low: int, high: int) -> int:
    """`text` as a whole number from `low` to `high`, written in plain digits."""
    if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise BadParams(f"{field} has {text[:40]!r}, not a whole number from {low} to {high}")
    return int(text)


def listed(items: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *head, tail = items
    return f"{', '.join(head)} {last} {tail}" if head else tail


def _get(params: Params, field: str) -> str:
    if field not in params:
        raise BadParams(f"the parameter {field} is missing")
    return params[field]
