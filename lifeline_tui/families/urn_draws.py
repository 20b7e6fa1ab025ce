"""Balls drawn from a bag without putting any back: the exact chance of what was drawn, sometimes with a rule on neighbours.

One method multiplies chances draw by draw and keeps what is left; the other counts ordered draws of single balls.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from math import perm

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, listed, parts, whole, word

_COLOURS = ("red", "green", "blue", "white", "black", "yellow")
_MOST_WORDS = 30_000


@dataclass(frozen=True, slots=True)
class _Case:
    """A bag, the number of draws, and what is asked of them.  Fakes change one thing."""

    bag: dict[str, int]
    draws: int
    exactly: tuple[str, int]
    at_least: tuple[str, int]
    """A colour and a number; 0 asks nothing."""
    differ: bool
    put_back: bool = False


def _draw(stratum: str, seed: int) -> dict[str, str]:
    kinds, draws, high = {"easy": (2, (2, 3), 5), "medium": (3, (4, 5), 6), "hard": (4, (6, 7), 6)}[stratum]
    colours = shuffled(_COLOURS, seed, "colours")[:kinds]
    bag = {colour: pick(range(2, high + 1), seed, "bag", colour) for colour in colours}
    length = pick(draws, seed, "draws")
    return {
        "bag": ", ".join(f"{colour} {count}" for colour, count in bag.items()),
        "draws": str(length),
        "exactly": f"{colours[0]} {pick((1, 2), seed, 'exactly') if length > 2 else 1}",
        "at_least": "none" if stratum == "easy" else f"{colours[1]} {1 if stratum == 'medium' else 2}",
        "neighbours": "differ" if stratum == "hard" else "free",
    }


def _read(params: Params) -> _Case:
    bag = dict(_coloured(part, "bag", 12) for part in parts(params, "bag", 5))
    draws = whole(params, "draws", 1, 8)
    if len(bag) < 2 or not draws <= sum(bag.values()) <= 40 or len(bag) ** draws > _MOST_WORDS:
        raise BadParams("the bag must hold 2 to 5 colours, enough balls, and not too many for so many draws")
    asked = [_coloured(part, field, 8) for field in ("exactly", "at_least") for part in parts(params, field, 1) or ["none 0"]]
    exactly, at_least = asked
    if max(exactly[1], at_least[1]) > draws:
        raise BadParams("exactly and at_least must ask for no more balls than are drawn")
    if exactly[0] not in bag or at_least[0] not in {*bag, "none"} or exactly[0] == at_least[0]:
        raise BadParams("exactly and at_least must name two different colours of the bag")
    return _Case(bag, draws, exactly, at_least, word(params, "neighbours", ("differ", "free")) == "differ")


def _coloured(part: str, field: str, high: int) -> tuple[str, int]:
    colour, _, count = part.partition(" ")
    if not colour.isalpha():
        raise BadParams(f"{field} has {part[:40]!r}, not a colour and a number")
    return colour, bounded(count, field, 0, high)


def _text(params: Params) -> str:
    case = _read(params)
    (colour, count), (other, least) = case.exactly, case.at_least
    asked = [f"exactly {count} of them {'is' if count == 1 else 'are'} {colour}"]
    if least:
        asked.append(f"at least {least} of them {'is' if least == 1 else 'are'} {other}")
    if case.differ:
        asked.append("no two balls drawn one straight after the other have the same colour")
    joined = ", and ".join([", ".join(asked[:-1]), asked[-1]]) if len(asked) > 2 else listed(asked)
    return (
        f"A bag holds {listed(f'{size} {name}' for name, size in case.bag.items())} balls. {case.draws} balls are drawn at random, one "
        f"after another, and none is put back. What is the probability that {joined}? Give the answer as a fraction in lowest terms."
    )


def _chance(case: _Case) -> Fraction:
    """Chances multiplied draw by draw, over what has been drawn so far and the colour of the last ball."""
    names = list(case.bag)
    states: dict[tuple[tuple[int, ...], int], Fraction] = {((0,) * len(names), -1): Fraction(1)}
    for _ in range(case.draws):
        following: dict[tuple[tuple[int, ...], int], Fraction] = {}
        for (drawn, last), chance in states.items():
            total = sum(case.bag.values()) - (0 if case.put_back else sum(drawn))
            for place, name in enumerate(names):
                left = case.bag[name] - (0 if case.put_back else drawn[place])
                if left <= 0 or (case.differ and place == last):
                    continue
                after = (*drawn[:place], drawn[place] + 1, *drawn[place + 1 :]), place
                following[after] = following.get(after, Fraction(0)) + chance * Fraction(left, total)
        states = following
    return sum((chance for (drawn, _), chance in states.items() if _meets(case, dict(zip(names, drawn, strict=True)))), Fraction(0))


def _meets(case: _Case, drawn: dict[str, int]) -> bool:
    return drawn[case.exactly[0]] == case.exactly[1] and drawn.get(case.at_least[0], 0) >= case.at_least[1]


def _by_chances(params: Params) -> Answer:
    return Answer("fraction", str(_chance(_read(params))))


def _by_enumeration(params: Params) -> Answer:
    """Every word of colours, weighted by the ways to pick single balls for it, over all ordered draws of single balls."""
    case = _read(params)
    good = 0
    for colours in product(case.bag, repeat=case.draws):
        counts = Counter(colours)
        if counts[case.exactly[0]] != case.exactly[1] or counts[case.at_least[0]] < case.at_least[1]:
            continue
        if case.differ and any(one == other for one, other in pairwise(colours)):
            continue
        ways = 1
        for colour, count in counts.items():
            ways *= perm(case.bag[colour], count)
        good += ways
    return Answer("fraction", str(Fraction(good, perm(sum(case.bag.values()), case.draws))))


def _fakes(params: Params) -> list[Fake]:
    case = _read(params)
    (colour, count), (other, least) = case.exactly, case.at_least
    fakes = []
    if case.differ:
        fakes.append(Fake(str(_chance(replace(case, differ=False))), "ignored the rule about balls drawn one after the other"))
    fakes.append(Fake(str(_chance(replace(case, put_back=True))), "put every ball back"))
    if least:
        fakes.append(Fake(str(_chance(replace(case, at_least=(other, least - 1)))), f"asked for one {other} ball fewer"))
    else:
        total, size = sum(case.bag.values()), case.bag[colour]
        one_order = Fraction(perm(size, count) * perm(total - size, case.draws - count), perm(total, case.draws))
        fakes.append(Fake(str(one_order), f"took one order only, the {colour} first"))
    more = sum(_chance(replace(case, exactly=(colour, number))) for number in range(count, case.draws + 1))
    return [*fakes, Fake(str(more), f"read exactly {count} {colour} as at least {count}")]


FAMILY = Family(
    name="urn-draws",
    draw=_draw,
    text=_text,
    solvers={"chances": _by_chances, "enumeration": _by_enumeration},
    fakes=_fakes,
    tag=lambda params: "".join(map(str, _read(params).bag.values())),
)
