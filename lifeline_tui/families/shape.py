"""What a puzzle family is, and how it reads its parameters.

A key is a key only when two methods agree on it that share nothing but the reading of the parameters.  Parameters come from files
that people share, so every one is read within bounds: no pack can make a solver run for long.

A fake is of use only while nobody sees through it at a glance.  So each family lists its cheap checks: what a clever reader tries
on a value without solving the puzzle.  Its fakes are what wrong derivations give, and those that fall to a check are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from lifeline_tui.core.puzzle import Answer, Fake

Params = Mapping[str, str]
Check = Callable[[Params, Answer, str], str]
"""(parameters, key, value) -> what gives the value away, as a clause that follows "it"; empty if nothing does.

The first check of a family is `form`; those after it may rely on it.  A check says nothing where fewer than two wrong values would
be left, or where what it works out is the whole puzzle: there it would not be a look at the value but the solution."""

RATIO = Fraction(3, 2)
"""How many times larger or smaller than the key a number may not be, so that none is off by half or more."""


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
    """What wrong derivations give, each with its error, the most believable first.  Those that meet the key or each other, or fall
    to a check, are left out."""
    checks: Mapping[str, Check]
    """The cheap checks by name, in the order in which they are tried."""
    tag: Callable[[Params], str]
    """A few letters and digits about the parameters, for the puzzle's id."""


def flaw(family: Family, params: Params, key: Answer, value: str) -> str:
    """The first cheap check that `value` falls to and what it sees there, as a clause; empty if there is none.

    What is seen in the key too gives nothing away."""
    for name, check in family.checks.items():
        seen = check(params, key, value)
        if seen and not check(params, key, key.value):
            return f"falls to the check of its {name}: it {seen}"
    return ""


def form(params: Params, key: Answer, value: str) -> str:
    """A value that is written as no key is: dressed, not in lowest terms, a list out of order or with one thing twice."""
    match key.type:
        case "int":
            good = bool(re.fullmatch("0|[1-9][0-9]{0,39}", value))
            return "" if good else "is not a whole number in plain digits"
        case "fraction":
            good = bool(re.fullmatch("[0-9]{1,40}(/0*[1-9][0-9]{0,39})?", value)) and str(Fraction(value)) == value
            return "" if good else "is not a fraction in lowest terms"
    items = value.split(", ")
    if len(set(items)) < len(items):
        return "names one thing twice"
    names = key.value[:1].isalpha()
    alike = all(re.fullmatch("[A-Za-z]+" if names else "0|[1-9][0-9]{0,8}", item) for item in items)
    ordered = alike and items == sorted(items, key=lambda item: (0 if names else int(item), item))
    return "" if ordered else f"is not a list of {'names' if names else 'numbers'} in order with commas between"


def size(params: Params, key: Answer, value: str) -> str:
    """A number of another size than the key's."""
    small, large = sorted((Fraction(key.value), Fraction(value)))
    return "" if large < RATIO * small else f"is {RATIO} of the key or more, or {1 / RATIO} of it or less"


def sized(key: Answer) -> range:
    """The whole numbers that are of the key's size, the key among them."""
    return range(floor(Fraction(key.value) / RATIO) + 1, ceil(Fraction(key.value) * RATIO))


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
