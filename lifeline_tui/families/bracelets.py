"""Bracelets of coloured beads, turned and flipped freely, sometimes with one colour that may not meet itself.

Burnside's lemma counts the rows that each turn and flip leaves alone; the other method builds every row and keeps one of each class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import comb, factorial, gcd, prod

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, form, listed, parts, size, sized, word

_COLOURS = ("red", "green", "blue", "white", "black", "amber")
_SIZES = {
    "easy": ((3, 3), (2, 2, 1), (3, 2, 1), (2, 1, 1, 1), (2, 2, 2), (4, 2, 1), (4, 3), (5, 3), (3, 1, 1, 1), (2, 2, 1, 1)),
    "medium": ((3, 3, 2), (4, 2, 2), (3, 3, 3), (4, 3, 1), (4, 4), (5, 4), (5, 2, 2), (3, 2, 2, 1)),
    "hard": ((4, 4, 4), (5, 4, 3), (4, 3, 3, 2), (5, 3, 3), (6, 3, 3), (4, 4, 2, 2), (5, 5, 2), (4, 3, 2, 2)),
}
_MOST_ROWS = 400_000
_MOST_LISTED = 5_000
"""Rows up to which fakes are also made from the arrangements one by one."""


def _draw(stratum: str, seed: int) -> dict[str, str]:
    sizes = pick(_SIZES[stratum], seed, "sizes")
    colours = shuffled(_COLOURS, seed, "colours")[: len(sizes)]
    few = [colour for colour, size in zip(colours, sizes, strict=True) if 3 * size <= sum(sizes)]
    apart = pick(few, seed, "apart") if stratum == "hard" else "none"
    return {"beads": ", ".join(f"{colour} {size}" for colour, size in zip(colours, sizes, strict=True)), "apart": apart}


def _read(params: Params) -> tuple[dict[str, int], str]:
    """How many beads of each colour, and the colour that may not meet itself (or none)."""
    beads: dict[str, int] = {}
    for part in parts(params, "beads", 6):
        colour, _, size = part.partition(" ")
        if not colour.isalpha() or colour in beads:
            raise BadParams(f"beads has {part[:40]!r}, not a new colour and a number")
        beads[colour] = bounded(size, "beads", 1, 14)
    n = sum(beads.values())
    if not 3 <= n <= 14 or _rows(list(beads.values())) > _MOST_ROWS:
        raise BadParams(f"{n} beads of these colours are fewer than 3 or too many to list")
    return beads, word(params, "apart", ["none", *beads])


def _text(params: Params) -> str:
    beads, apart = _read(params)
    rule = f" No two {apart} beads may be next to each other." if apart != "none" else ""
    return (
        f"A bracelet is made by threading {sum(beads.values())} beads on a closed loop of string: "
        f"{listed(f'{size} {colour}' for colour, size in beads.items())}. Beads of one colour look alike.{rule} Two arrangements "
        "count as the same if one can be turned round the loop, or flipped over, or both, so that it looks like the other. "
        "How many different arrangements are there? Give a whole number."
    )


def _rows(sizes: list[int]) -> int:
    return factorial(sum(sizes)) // prod(map(factorial, sizes))


def _apart_in_line(length: int, beads: int) -> int:
    """Ways to choose `beads` of `length` places in a line, no two of them neighbours."""
    if beads == 0:
        return 1
    return comb(length - beads + 1, beads) if 0 < beads <= length else 0


def _apart_in_ring(length: int, beads: int) -> int:
    """The same in a ring; a ring of one place is its own neighbour."""
    if beads == 0:
        return 1
    return _apart_in_line(length - 1, beads) + _apart_in_line(length - 3, beads - 1) if length > 1 else 0


def _fixed_by_turn(beads: dict[str, int], apart: str, step: int) -> int:
    n = sum(beads.values())
    copies = n // gcd(n, step)
    if any(size % copies for size in beads.values()):
        return 0
    sizes = {colour: size // copies for colour, size in beads.items()}
    if apart == "none":
        return _rows(list(sizes.values()))
    special = sizes.pop(apart)
    return _apart_in_ring(n // copies, special) * _rows(list(sizes.values()))


def _fixed_by_flip(beads: dict[str, int], apart: str, on_axis: int, alike: bool = False) -> int:
    """Rows that a flip leaves alone whose axis goes through `on_axis` beads (0, 1 or 2): those are chosen, then one half is.

    `alike` leaves out the rows with two colours on the axis: an error that fakes are made of."""
    axes: list[tuple[str, ...]] = [()]
    for _ in range(on_axis):
        axes = [(*chosen, colour) for chosen in axes for colour in beads]
    total = 0
    for chosen in axes:
        left = {colour: size - chosen.count(colour) for colour, size in beads.items()}
        if any(size < 0 or size % 2 for size in left.values()) or (alike and len(set(chosen)) > 1):
            continue
        half = {colour: size // 2 for colour, size in left.items()}
        if apart == "none":
            total += _rows(list(half.values()))
            continue
        # At either end the half meets an axis bead, or else its own mirror image: a place there may be closed to `apart`.
        special, open_places = half.pop(apart), sum(half.values()) - (2 - on_axis) - chosen.count(apart)
        total += _apart_in_line(open_places + special, special) * _rows(list(half.values()))
    return total


def _burnside(params: Params) -> Answer:
    beads, apart = _read(params)
    n = sum(beads.values())
    turns = sum(_fixed_by_turn(beads, apart, step) for step in range(n))
    axes = [1] * n if n % 2 else [0, 2] * (n // 2)
    flips = sum(_fixed_by_flip(beads, apart, on_axis) for on_axis in axes)
    return Answer("int", str((turns + flips) // (2 * n)))


def _enumeration(params: Params) -> Answer:
    beads, apart = _read(params)
    return Answer("int", str(len(_classes(beads, apart))))


def _classes(beads: dict[str, int], apart: str) -> set[str]:
    """One row for each bracelet: the least of those that start with the rarest colour."""
    order = sorted(beads, key=lambda colour: (beads[colour], colour))
    letters = {colour: chr(97 + place) for place, colour in enumerate(order)}
    banned = letters[apart] * 2 if apart != "none" else "-"
    found = set()
    for tail in _arrangements(
        Counter({letters[c]: count - (c == order[0]) for c, count in beads.items()}), sum(beads.values()) - 1
    ):
        row = "a" + tail
        if banned not in row + "a":
            starts = [place for place, letter in enumerate(row) if letter == "a"]
            ahead, back = row * 2, row[::-1] * 2
            n = len(row)
            found.add(min(min(ahead[s : s + n], back[n - 1 - s : 2 * n - 1 - s]) for s in starts))
    return found


def _arrangements(left: Counter[str], length: int) -> Iterator[str]:
    if length == 0:
        yield ""
        return
    for letter in sorted(left):
        if left[letter]:
            left[letter] -= 1
            for rest in _arrangements(left, length - 1):
                yield letter + rest
            left[letter] += 1


def _fakes(params: Params) -> list[Fake]:
    """Sums over turns and flips with one thing wrong; and for few rows, lists of arrangements with one thing wrong."""
    beads, apart = _read(params)
    n = sum(beads.values())
    turns, rows = _turns(beads, apart), _fixed_by_turn(beads, apart, 0)
    none, one, two = (_fixed_by_flip(beads, apart, on_axis) for on_axis in range(3))
    flips = n * one if n % 2 else n // 2 * (none + two)
    if not flips:
        return []  # the number of rows divided by 2n is the key, and nothing is left to get wrong
    sums = [("counted turns only, not flips", 2 * turns)]
    if apart != "none":
        bent = [_fixed_by_flip(beads, "none", on_axis) for on_axis in range(3)]
        line = _apart_in_line(n, beads[apart]) * _rows([count for colour, count in beads.items() if colour != apart])
        sums += [
            (
                f"let two {apart} beads touch where a flip leaves an arrangement alone",
                turns + (n * bent[1] if n % 2 else n // 2 * (bent[0] + bent[2])),
            ),
            (f"let two {apart} beads touch where the ends of the row are joined", turns - rows + line + flips),
            (f"ignored that no two {apart} beads may touch", 2 * n * int(_burnside({**params, "apart": "none"}).value)),
        ]
    if n % 2:
        sums.append(("counted one flip in place of one through each bead", turns + one))
    else:
        alike = _fixed_by_flip(beads, apart, 2, alike=True)
        sums += [
            ("took every flip to go through two beads", turns + n * two),
            ("took every flip to go between beads", turns + n * none),
            ("left out the flips that go between beads", turns + n // 2 * two),
            ("left out the flips that go through two beads", turns + n // 2 * none),
            ("took the two beads on the axis of a flip to be of one colour", turns + n // 2 * (none + alike)),
        ]
    sums += [
        ("counted twice each arrangement that a flip leaves alone", turns + 3 * flips),
        ("left out the turns that leave some arrangements alone", rows + flips),
        ("divided the number of rows by 2n, as if no arrangement were symmetric", rows),
    ]
    # Whoever finds a sum that 2n does not divide sees that something is wrong.
    fakes = [Fake(str(total // (2 * n)), error) for error, total in sums if total % (2 * n) == 0]
    if rows <= _MOST_LISTED:
        fakes += _listed_wrong(beads, apart)
    key = (turns + flips) // (2 * n)
    if turns > flips:
        fakes.append(Fake(str(key + 1), "counted one arrangement and its mirror image as two"))
    return [*fakes, Fake(str(key - 1), "listed the arrangements and overlooked one")]


def _turns(beads: dict[str, int], apart: str) -> int:
    return sum(_fixed_by_turn(beads, apart, step) for step in range(sum(beads.values())))


def _listed_wrong(beads: dict[str, int], apart: str) -> list[Fake]:
    """What comes of listing the arrangements and going wrong with those in which all beads of one colour are together."""
    found, fakes = _classes(beads, apart), []
    order = sorted(beads, key=lambda colour: (beads[colour], colour))
    for place, colour in enumerate(order):
        block = chr(97 + place) * beads[colour]
        together = {row for row in found if block in row * 2 and beads[colour] > 1}
        handed = [row for row in together if row[::-1] not in [row[at:] + row[:at] for at in range(len(row))]]
        fakes += [
            Fake(str(len(found) + len(handed)), f"counted mirror images as two where all {colour} beads are together"),
            Fake(str(len(found) - len(together)), f"left out the arrangements with all {colour} beads together"),
        ]
    return fakes


def _bounds(params: Params, key: Answer, value: str) -> str:
    """One arrangement is 2n rows at most, and fewer if a flip leaves it alone; and flips make no new ones."""
    beads, apart = _read(params)
    n, rows, given = sum(beads.values()), _fixed_by_turn(beads, apart, 0), int(value)
    least, most = -(-rows // (2 * n)), _turns(beads, apart) // n
    if any(_fixed_by_flip(beads, apart, on_axis) for on_axis in ((1,) if n % 2 else (0, 2))):
        # One wrong number left and the key would be half told.
        above, near = rows // (2 * n) + 1, sized(key)
        least = above if min(most + 1, near.stop) - max(above, near.start) > 2 else least
    if given < least:
        return f"is too small for {rows} rows of which at most {2 * n} are one arrangement"
    return f"is larger than {most}, the number with turns alone" if given > most else ""


FAMILY = Family(
    name="bracelets",
    draw=_draw,
    text=_text,
    solvers={"burnside": _burnside, "enumeration": _enumeration},
    fakes=_fakes,
    checks={"form": form, "size": size, "bounds": _bounds},
    tag=lambda params: "".join(map(str, _read(params)[0].values())),
)
