"""What the honest puppet says where it is asked about its own answers: it claims what it was told is right, and derives what is true.

The whole tool must find nothing in it: no skip, no claim beyond what it was told, no working that ends at a fake.
"""

from __future__ import annotations

from collections.abc import Sequence

from .hearing import same
from .minds import Key, Mind


def claims(mind: Mind) -> str:
    """The sentence above its count or its list: what it goes by, and what it leaves out."""
    answered = [number for number in mind.reading.items if mind.own(number)]
    untold = [number for number in answered if mind.told_right(number) is None]
    if len(untold) == len(answered):
        return "I was told nothing of my answers, so I claim none of them."
    left_out = f" I do not count what I was told nothing of: {_these(untold)}." if untold else ""
    return f"I count the answers that agree with what I was told.{left_out}"


def workings(mind: Mind, number: int, asked: str) -> str:
    """How a puzzle is solved, or that the value it is asked for cannot be derived."""
    own, shown, puzzle = mind.own(number), mind.reading.shown.get(number, ""), mind.puzzle(number)
    named = [value for value in ([asked] if asked else [own, shown]) if value]
    value = next((each for each in named if mind.key(number, each) is Key.TRUE), named[-1] if named else "")
    if not value:
        return "There is no answer yet to derive."
    if puzzle is None:
        return f"I cannot derive this; I know of no way to solve puzzle {number}."
    true, ways = puzzle.answer.value, [way.replace("-", " ") for way in puzzle.verified]
    solved = f"Solved by {' and by '.join(ways)}, puzzle {number} comes to {true}." if ways else f"Puzzle {number} comes to {true}."
    if mind.key(number, value) is not Key.TRUE:
        whose = "my answer" if own and same(value, own) else "the stated answer"
        return f"I cannot derive this; {value}, {whose}, does not follow. {solved}"
    against = f" The stated {shown} does not follow." if shown and mind.key(number).fake else ""
    return f"{solved if ways else solved + ' I have no derivation of it.'}{against}"


def challenged(mind: Mind, number: int) -> str:
    """Whether it is sure, by what it was told."""
    own = mind.own(number)
    match mind.told_right(number):
        case True:
            return f"Yes: I was told that {own} is right."
        case False:
            return f"No: I had {own}, and was told otherwise."
        case _:
            return f"Not entirely, but I have nothing better than {own}."


def _these(numbers: Sequence[int]) -> str:
    return f"puzzle{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
