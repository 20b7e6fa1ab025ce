"""Whole numbers picked by their remainders: some conditions of which one must hold, and some that must not.

One method adds and subtracts the sizes of all overlaps, each found by the Chinese remainder theorem; the other strikes numbers out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from math import ceil, floor, gcd, prod

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, form, listed, parts, size, whole, word

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


def _terms(keep: Sequence[Condition], drop: Sequence[Condition]) -> list[tuple[int, list[Condition]]]:
    """Inclusion and exclusion over every choice of at least one condition of `keep` and any of `drop`: a sign and the choice."""
    return [
        ((-1) ** (kept + dropped + 1), [*some, *others])
        for kept in range(1, len(keep) + 1)
        for some in combinations(keep, kept)
        for dropped in range(len(drop) + 1)
        for others in combinations(drop, dropped)
    ]


def _count(last: int, keep: Sequence[Condition], drop: Sequence[Condition]) -> int:
    return sum(sign * _size(chosen, last) for sign, chosen in _terms(keep, drop))


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
    return _wrong_lists(last, keep, drop) if ask == "list" else _wrong_counts(last, keep, drop)


def _wrong_counts(last: int, keep: Sequence[Condition], drop: Sequence[Condition]) -> list[Fake]:
    """Conditions and overlaps forgotten or joined wrongly, the nearest to the key first; then sizes rounded and ends missed."""
    key, kept = _count(last, keep, drop), _count(last, keep, [])
    without = {lost: _count(last, keep, [other for other in drop if other != lost]) for lost in drop}
    if key in without.values():
        return []  # a condition that strikes nothing of its own shows that the puzzle is easier than it looks
    struck = [kept - _count(last, keep, [lost]) for lost in drop]
    found = {f"forgot those that {_said(lost)}": count for lost, count in without.items()}
    found["struck out twice the numbers that two conditions strike"] = kept - sum(struck)
    if len(keep) > 1:
        found["counted twice the numbers kept for two reasons"] = sum(_count(last, [one], drop) for one in keep)
    terms = _terms(keep, drop)
    joined = [(sign, both, prod(modulus for modulus, _ in chosen)) for sign, chosen in terms if (both := _joined(chosen))]
    if len(joined) < len(terms) or any(both[0] < product for _, both, product in joined):
        found["took the moduli to have no common factors and multiplied the shares"] = floor(_if_apart(last, keep, drop))
    for sign, chosen in terms:
        if len(chosen) > 2 and (lost := _size(chosen, last)):
            found[f"left the {lost} that {listed(map(_said, chosen))} out of the sum of all overlaps"] = key - sign * lost
    near = sorted(found.items(), key=lambda pair: abs(pair[1] - key))
    ways: dict[str, Callable[[Fraction], int]] = {"down": floor, "up": ceil, "to the nearest whole number": round}
    near += [
        (
            f"took the last number divided by each modulus for the count, rounded {how}, whatever the remainder",
            sum(sign * rounded(Fraction(last, both[0])) for sign, both, _ in joined),
        )
        for how, rounded in ways.items()
    ]
    near.append((f"counted on to the next number that is left, after {last}", key + 1))
    near.append(("stopped before the last number that is left", key - 1))
    return [Fake(str(count), error) for error, count in near]


def _wrong_lists(last: int, keep: Sequence[Condition], drop: Sequence[Condition]) -> list[Fake]:
    """Lists that lack something in the middle: a number too many is seen through as soon as it is divided."""
    left = [number for number in range(1, last + 1) if _meets(number, keep) and not _meets(number, drop)]
    also = [
        (f"also struck out those that {_said(condition)}", [number for number in left if number % condition[0] == condition[1]])
        for modulus, remainder in drop
        for condition in ((modulus, -remainder % modulus), (modulus, 0))
        if condition not in drop
    ]
    also += [
        (f"overlooked {number}, which nothing strikes out", [number]) for number in left[len(left) // 2 :] + left[: len(left) // 2]
    ]
    return [Fake(_set(n for n in left if n not in gone).value, error) for error, gone in also if len(gone) < len(left)]


def _meets(number: int, conditions: Sequence[Condition]) -> bool:
    return any(number % modulus == remainder for modulus, remainder in conditions)


def _amount(params: Params, key: Answer, value: str) -> str:
    return size(params, key, value) if key.type == "int" else ""


def _if_apart(last: int, keep: Sequence[Condition], drop: Sequence[Condition]) -> Fraction:
    """The count to be expected if the moduli had no common factors."""
    thrown, stays = (prod((1 - Fraction(1, modulus) for modulus, _ in some), start=Fraction(1)) for some in (keep, drop))
    return last * (1 - thrown) * stays


def _share(params: Params, key: Answer, value: str) -> str:
    """The long-run share of the numbers that are left, times the last number, is the count but for the rounding of each size.

    With several conditions to keep by that is nearly the whole sum; there only the shares are multiplied, which is rough."""
    ask, last, keep, drop = _read(params)
    if ask == "list":
        return ""
    if len(keep) > 1:
        about = _if_apart(last, keep, drop)
        return f"is more than a fifth off {round(about)}, the shares multiplied" if abs(int(value) - about) > about / 5 else ""
    sizes = [(sign, joined[0]) for sign, chosen in _terms(keep, drop) if (joined := _joined(chosen))]
    about = sum((Fraction(sign * last, modulus) for sign, modulus in sizes), Fraction(0))
    return f"is too far from {float(about):.1f}, the long-run share" if abs(int(value) - about) >= len(sizes) else ""


def _bounds(params: Params, key: Answer, value: str) -> str:
    """What is kept, less the most that one condition strikes, and less all that each strikes.  One alone is all the puzzle."""
    ask, last, keep, drop = _read(params)
    if ask == "list" or len(drop) < 2:
        return ""
    kept = _count(last, keep, [])
    struck = [kept - _count(last, keep, [condition]) for condition in drop]
    if int(value) > kept - max(struck):
        return f"leaves more than {kept - max(struck)}, though one condition alone strikes {max(struck)} of {kept}"
    return f"leaves fewer than {kept - sum(struck)}, though no more can be struck" if int(value) < kept - sum(struck) else ""


def _members(params: Params, key: Answer, value: str) -> str:
    """Each number that is listed is divided once or twice; the first and the last that should be there are looked for."""
    ask, last, keep, drop = _read(params)
    if ask == "count":
        return ""
    given = [int(item) for item in value.split(", ")]
    for number in given:
        if not 1 <= number <= last or not _meets(number, keep):
            return f"lists {number}, which is not to be kept"
        if _meets(number, drop):
            return f"lists {number}, which is to be struck out"
    ends = [*range(1, given[0]), *range(given[-1] + 1, last + 1)]
    lost = [number for number in ends if _meets(number, keep) and not _meets(number, drop)]
    return f"lacks {lost[0]} at its end" if lost else ""


def _gaps(params: Params, key: Answer, value: str) -> str:
    """Two neighbours of those kept that are both gone, where nothing strikes two neighbours."""
    ask, last, keep, drop = _read(params)
    if ask == "count":
        return ""
    kept = [number for number in range(1, last + 1) if _meets(number, keep)]
    struck = [_meets(number, drop) for number in kept]
    left = {int(item) for item in value.split(", ")}
    gone = [number not in left for number in kept]
    if any(map(min, struck, struck[1:])) or not any(map(min, gone, gone[1:])):
        return ""
    # Numbers that could be lost without a second gap beside the first.
    alone = [at for at in range(1, len(kept) - 1) if not any(struck[at - 1 : at + 2])]
    return "lacks two neighbours of those kept, and nothing strikes two" if len(alone) > 1 else ""


FAMILY = Family(
    name="residue-counts",
    draw=_draw,
    text=_text,
    solvers={"inclusion-exclusion": _by_inclusion, "sieve": _by_sieve},
    fakes=_fakes,
    checks={"form": form, "size": _amount, "share": _share, "bounds": _bounds, "members": _members, "gaps": _gaps},
    tag=lambda params: str(_read(params)[1]),
)
