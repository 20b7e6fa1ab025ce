"""Whole numbers picked by their remainders: some conditions of which one must hold, and some that must not.

One method adds and subtracts the sizes of all overlaps, each found by the Chinese remainder theorem; the other strikes numbers out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import gcd

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, listed, parts, whole, word

Condition = tuple[int, int]  # modulus, remainder
_MODULI = {"easy": (3, 4, 5, 6, 7), "medium": (4, 5, 6, 7, 9, 10, 11), "hard": (6, 8, 9, 10, 12, 14, 15, 18, 21)}
_RANGES = {"easy": (30, 50), "medium": (700, 3_000), "hard": (20_000, 90_000)}
_KEEP = {"easy": 1, "medium": 1, "hard": 2}
_DROP = {"easy": 1, "medium": 2, "hard": 3}


def _draw(stratum: str, seed: int) -> dict[str, str]:
    moduli = shuffled(_MODULI[stratum], seed, "moduli")[: _KEEP[stratum] + _DROP[stratum]]
    conditions = [f"{modulus} {pick(range(modulus), seed, 'remainder', modulus)}" for modulus in moduli]
    return {
        "ask": "list" if stratum == "easy" else "count",
        "last": str(pick(range(*_RANGES[stratum]), seed, "last")),
        "keep": ", ".join(conditions[: _KEEP[stratum]]),
        "drop": ", ".join(conditions[_KEEP[stratum] :]),
    }


def _read(params: Params) -> tuple[str, int, list[Condition], list[Condition]]:
    """What is asked, the last number, the conditions to keep by and those to drop by."""
    ask = word(params, "ask", ("count", "list"))
    last = whole(params, "last", 2, 60 if ask == "list" else 100_000)
    return ask, last, _conditions(params, "keep"), _conditions(params, "drop")


def _conditions(params: Params, field: str) -> list[Condition]:
    found: list[Condition] = []
    for part in parts(params, field, 4):
        modulus, _, remainder = part.partition(" ")
        size = bounded(modulus, field, 2, 60)
        found.append((size, bounded(remainder, field, 0, size - 1)))
    if not found or len(set(found)) < len(found):
        raise BadParams(f"{field} must name one or more different conditions")
    return found


def _text(params: Params) -> str:
    ask, last, keep, drop = _read(params)
    both = ", or both" if len(keep) == 2 else ", or more than one of these" if len(keep) > 2 else ""
    listing, counting = "Which numbers are left? List them, separated by commas.", "How many numbers are left? Give a whole number."
    return (
        f"Take the whole numbers from 1 to {last}, both included. Keep the numbers that {listed(map(_said, keep), 'or')}{both}, and "
        f"throw the others away. From the numbers kept, strike out all that {listed(map(_said, drop), 'or')}. {listing if ask == 'list' else counting}"
    )


def _said(condition: Condition) -> str:
    modulus, remainder = condition
    return f"leave remainder {remainder} when divided by {modulus}" if remainder else f"are divisible by {modulus}"


def _joined(conditions: Iterable[Condition]) -> Condition | None:
    """One condition that says what all of them say, or None where they contradict each other."""
    modulus, remainder = 1, 0
    for other, wanted in conditions:
        shared = gcd(modulus, other)
        if (wanted - remainder) % shared:
            return None
        steps = (wanted - remainder) // shared * pow(modulus // shared, -1, other // shared) % (other // shared)
        remainder += modulus * steps
        modulus = modulus // shared * other
    return modulus, remainder


def _size(conditions: Sequence[Condition], last: int) -> int:
    """How many of 1 … `last` meet all of `conditions`."""
    joined = _joined(conditions)
    if joined is None:
        return 0
    modulus, remainder = joined
    return (last - remainder) // modulus + (remainder > 0) if last >= remainder else 0


def _count(last: int, keep: Sequence[Condition], drop: Sequence[Condition]) -> int:
    """Inclusion and exclusion over every choice of at least one condition of `keep` and any of `drop`."""
    return sum(
        (-1) ** (kept + dropped + 1) * _size([*some, *others], last)
        for kept in range(1, len(keep) + 1)
        for some in combinations(keep, kept)
        for dropped in range(len(drop) + 1)
        for others in combinations(drop, dropped)
    )


def _by_inclusion(params: Params) -> Answer:
    ask, last, keep, drop = _read(params)
    if ask == "count":
        return Answer("int", str(_count(last, keep, drop)))
    # A number is left exactly where the count up to it grows.
    counts = [_count(upto, keep, drop) for upto in range(last + 1)]
    return _set(number for number in range(1, last + 1) if counts[number] > counts[number - 1])


def _by_sieve(params: Params) -> Answer:
    ask, last, keep, drop = _read(params)
    left = bytearray(last + 1)
    for mark, conditions in ((1, keep), (0, drop)):
        for modulus, remainder in conditions:
            for number in range(remainder, last + 1, modulus):
                left[number] = mark
    numbers = [number for number in range(1, last + 1) if left[number]]
    return Answer("int", str(len(numbers))) if ask == "count" else _set(numbers)


def _set(numbers: Iterable[int]) -> Answer:
    return Answer("set", ", ".join(map(str, numbers)))


def _fakes(params: Params) -> list[Fake]:
    ask, last, keep, drop = _read(params)
    if ask == "list":
        kept = [number for number in range(1, last + 1) if any(number % modulus == left for modulus, left in keep)]
        gone = [number for number in kept if any(number % modulus == left for modulus, left in drop)]
        return [
            Fake(_set(number for number in kept if number not in gone[:-1]).value, "struck out all but the last that had to go"),
            Fake(_set([number for number in kept if number not in gone][1:]).value, "missed the first number"),
            Fake(_set(kept).value, "forgot to strike any out"),
        ]
    fakes = [Fake(str(_count(last, keep, [c for c in drop if c != lost])), f"forgot those that {_said(lost)}") for lost in drop]
    once = sum(_count(last, keep, []) - _count(last, keep, [condition]) for condition in drop)
    fakes.insert(1, Fake(str(_count(last, keep, []) - once), "struck out twice the numbers that two conditions strike"))
    if len(keep) > 1:
        fakes.insert(1, Fake(str(sum(_count(last, [one], drop) for one in keep)), "counted twice the numbers kept for two reasons"))
    return fakes


FAMILY = Family(
    name="residue-counts",
    draw=_draw,
    text=_text,
    solvers={"inclusion-exclusion": _by_inclusion, "sieve": _by_sieve},
    fakes=_fakes,
    tag=lambda params: str(_read(params)[1]),
)
