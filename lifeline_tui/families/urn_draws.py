"""Balls drawn from a bag without putting any back: the exact chance of what was drawn, sometimes with a rule on neighbours.

One method multiplies chances draw by draw and keeps what is left; the other counts ordered draws of single balls.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, permutations, product
from math import comb, factorial, gcd, perm, prod

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, form, listed, parts, size, whole, word

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
    at_most: bool = False
    """Whether `exactly` is read as at most."""
    or_more: bool = False
    """Whether `exactly` is read as at least, and …"""
    no_more: bool = False
    """… `at_least` as exactly."""
    may_meet: str = ""
    """A colour that may follow itself all the same."""
    first_free: bool = False
    """Whether the first two balls may be alike all the same."""


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
    for number in range(case.draws):
        following: dict[tuple[tuple[int, ...], int], Fraction] = {}
        for (drawn, last), chance in states.items():
            total = sum(case.bag.values()) - sum(drawn)
            for place, name in enumerate(names):
                left = case.bag[name] - drawn[place]
                barred = case.differ and place == last and name != case.may_meet and not (case.first_free and number == 1)
                if left <= 0 or barred:
                    continue
                after = (*drawn[:place], drawn[place] + 1, *drawn[place + 1 :]), place
                following[after] = following.get(after, Fraction(0)) + chance * Fraction(left, total)
        states = following
    return sum((chance for (drawn, _), chance in states.items() if _meets(case, dict(zip(names, drawn, strict=True)))), Fraction(0))


def _meets(case: _Case, drawn: dict[str, int]) -> bool:
    (colour, count), (other, least) = case.exactly, case.at_least
    some, more = drawn[colour], drawn.get(other, 0)
    first = some >= count if case.or_more else some <= count if case.at_most else some == count
    return first and (more == least if case.no_more and least else more >= least)


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
    """The chance of another event of the same draws, so that its denominator can occur; and favourable draws counted wrongly."""
    case = _read(params)
    (colour, count), (other, least) = case.exactly, case.at_least
    slips: list[tuple[str, _Case]] = []
    if case.differ:
        slips += [(f"let two {name} balls follow each other", replace(case, may_meet=name)) for name in case.bag]
        slips.insert(1, ("let the first two balls be of one colour", replace(case, first_free=True)))
        slips.append(("ignored the rule about balls drawn one after the other", replace(case, differ=False)))
    if least:
        slips += [
            (f"asked for one {other} ball fewer", replace(case, at_least=(other, least - 1))),
            (f"read at least {least} {other} as exactly {least}", replace(case, no_more=True)),
        ]
    slips += [
        (f"read exactly {count} {colour} as at least {count}", replace(case, or_more=True)),
        (f"read exactly {count} {colour} as at most {count}", replace(case, at_most=True)),
    ]
    for one, name in permutations(case.bag, 2):
        bag = {**case.bag, one: case.bag[one] - 1, name: case.bag[name] + 1}
        slips.append((f"took one of the {one} balls for a {name} one", replace(case, bag=bag)))
    fakes = [Fake(str(_chance(slip)), error) for error, slip in slips]
    return fakes if case.differ else [*fakes, *_miscounted(case)]


def _miscounted(case: _Case) -> list[Fake]:
    """The favourable sets of balls, as ways for the colour of which so many are asked times ways for the rest, with one wrong."""
    (colour, count), size_ = case.exactly, case.bag[case.exactly[0]]
    sets, own = Fraction(comb(sum(case.bag.values()), case.draws)), comb(size_, count)
    if not own:
        return []
    rest = _chance(case) * sets / own
    wrong = [
        (f"missed one of the {rest} ways to draw the balls that are not {colour}", own * (rest - 1)),
        (f"counted one of the {rest} ways to draw the balls that are not {colour} twice", own * (rest + 1)),
        (f"counted {size_ - 1} {colour} balls to draw from in place of {size_}", comb(size_ - 1, count) * rest),
        (f"counted {size_ + 1} {colour} balls to draw from in place of {size_}", comb(size_ + 1, count) * rest),
        (f"missed one of the {own * rest} sets of balls that meet what is asked", own * rest - 1),
        (f"counted one of the {own * rest} sets of balls that meet what is asked twice", own * rest + 1),
    ]
    return [Fake(str(good / sets), error) for error, good in wrong]


def _alone(case: _Case, colour: str, count: int) -> Fraction:
    """The chance of exactly `count` balls of one colour, whatever else is drawn."""
    size_, total = case.bag[colour], sum(case.bag.values())
    return Fraction(comb(size_, count) * comb(total - size_, case.draws - count), comb(total, case.draws))


def _only_one(case: _Case) -> bool:
    """Whether one condition is the whole puzzle: then what could be checked about it is what has to be found."""
    return not case.differ and _alone(case, *case.exactly) == _chance(case)


def _range(params: Params, key: Answer, value: str) -> str:
    return "" if 0 < Fraction(value) < 1 else "is not between 0 and 1"


def _denominator(params: Params, key: Answer, value: str) -> str:
    """Favourable ways over all ways, whichever way they are counted: by sets of balls, in order, or as rows of the whole bag."""
    case = _read(params)
    total, below = sum(case.bag.values()), Fraction(value).denominator
    rows = factorial(total) // prod(map(factorial, case.bag.values()))
    (colour, asked), choose = case.exactly, perm if case.differ else comb
    ways, own = choose(total, case.draws), choose(case.bag[colour], asked)
    if gcd(ways, rows) % below:
        return f"has the denominator {below}, which does not divide the number of ways to draw"
    if not _only_one(case) and own and (Fraction(value) * ways / own).denominator > 1:
        return f"gives a number of favourable ways that the {own} for the {colour} balls do not divide"
    return ""


def _bounds(params: Params, key: Answer, value: str) -> str:
    """All conditions together are no likelier than one of them, and two at least as likely as their chances leave room for."""
    case = _read(params)
    if _only_one(case):
        return ""
    other, least = case.at_least
    first, then = _alone(case, *case.exactly), 1 - sum((_alone(case, other, few) for few in range(least)), Fraction(0))
    if Fraction(value) > min(first, then):
        return "is more than the chance of one of its conditions alone"
    return "is less than its two conditions leave room for" if not case.differ and Fraction(value) < first + then - 1 else ""


FAMILY = Family(
    name="urn-draws",
    draw=_draw,
    text=_text,
    solvers={"chances": _by_chances, "enumeration": _by_enumeration},
    fakes=_fakes,
    checks={"form": form, "range": _range, "size": size, "denominator": _denominator, "bounds": _bounds},
    tag=lambda params: "".join(map(str, _read(params).bag.values())),
)
