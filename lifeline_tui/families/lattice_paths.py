"""Routes on a grid that avoid closed points, sometimes with a limit on steps in one direction.

One method adds up ways point by point and keeps the length of the last run; the other walks every route.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from math import comb

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, form, listed, parts, size, whole

Point = tuple[int, int]
_SIZES = {
    "easy": ((3, 2), (4, 2), (3, 3), (2, 4), (2, 3)),
    "medium": ((5, 5), (6, 4), (6, 5), (5, 6), (4, 6)),
    "hard": ((8, 7), (7, 8), (8, 8), (9, 7), (7, 9)),
}
_BLOCKS = {"easy": (1,), "medium": (2, 3), "hard": (4, 5, 6)}
_MOST_ROUTES = 30_000
_RUNS = {"easy": (0,), "medium": (3,), "hard": (2, 3)}


def _draw(stratum: str, seed: int) -> dict[str, str]:
    east, north = pick(_SIZES[stratum], seed, "size")
    inner = [(x, y) for x in range(east + 1) for y in range(north + 1) if 1 < x + y < east + north - 1]
    count = pick(_BLOCKS[stratum], seed, "blocks")
    blocked = sorted(shuffled(inner, seed, "blocked")[:count])
    return {
        "east": str(east),
        "north": str(north),
        "blocked": ", ".join(f"{x} {y}" for x, y in blocked),
        "run": str(pick(_RUNS[stratum], seed, "run")),
    }


def _read(params: Params) -> tuple[int, int, list[Point], int]:
    """The goal, the closed points, and the longest run that is allowed (0: any)."""
    east, north = whole(params, "east", 1, 10), whole(params, "north", 1, 10)
    blocked: list[Point] = []
    for part in parts(params, "blocked", 12):
        x, _, y = part.partition(" ")
        blocked.append((bounded(x, "blocked", 0, east), bounded(y, "blocked", 0, north)))
    if {(0, 0), (east, north)} & set(blocked) or len(set(blocked)) < len(blocked) or not blocked:
        raise BadParams("blocked must name different points that are neither start nor goal")
    if comb(east + north, east) > _MOST_ROUTES:
        raise BadParams(f"a grid of {east} by {north} has too many routes to walk")
    return east, north, blocked, whole(params, "run", 0, 10)


def _text(params: Params) -> str:
    east, north, blocked, run = _read(params)
    closed = listed(map(str, blocked))
    limit = f" It must not take more than {run} steps one after another in the same direction." if run else ""
    return (
        f"A robot stands at the point (0, 0) of a grid and has to reach the point ({east}, {north}). Each step takes it one unit east "
        f"(x grows by 1) or one unit north (y grows by 1). It must not visit the {'points' if len(blocked) > 1 else 'point'} {closed}."
        f"{limit} How many different routes are there? Give a whole number."
    )


@dataclass(frozen=True, slots=True)
class _Slip:
    """How a fake's count goes wrong; the default is not at all."""

    entered: Point | None = None
    by: str = ""
    """The closed point that a step in this direction may still enter."""
    longer: str = ""
    """The direction in which a run may be one step longer."""


def _ways(east: int, north: int, blocked: list[Point], run: int, slip: _Slip = _Slip()) -> int:
    """Ways by point, direction of the last step and length of its run, summed from the start to the goal."""
    longest, closed = run or east + north, set(blocked)
    ways: dict[Point, dict[tuple[str, int], int]] = {(0, 0): {("", 0): 1}}
    for x in range(east + 1):
        for y in range(north + 1):
            if (x, y) == (0, 0):
                continue
            here: dict[tuple[str, int], int] = defaultdict(int)
            for way, before in (("E", (x - 1, y)), ("N", (x, y - 1))):
                if (x, y) in closed and (slip.entered, slip.by) != ((x, y), way):
                    continue
                for (last, length), count in ways.get(before, {}).items():
                    now = length + 1 if last == way else 1
                    if now <= longest + (slip.longer == way):
                        here[way, now] += count
            ways[x, y] = here
    return sum(ways[east, north].values())


def _walk(east: int, north: int, closed: set[Point], run: int) -> int:
    """Routes counted one at a time, as words of E and N."""
    banned = ("E" * (run + 1), "N" * (run + 1)) if run else ()
    count, open_ = 0, [("", 0, 0)]
    while open_:
        route, x, y = open_.pop()
        if (x, y) in closed or x > east or y > north or route.endswith(banned):
            continue
        if (x, y) == (east, north):
            count += 1
        else:
            open_ += [(route + "E", x + 1, y), (route + "N", x, y + 1)]
    return count


def _dynamic(params: Params) -> Answer:
    return Answer("int", str(_ways(*_read(params))))


def _enumeration(params: Params) -> Answer:
    east, north, blocked, run = _read(params)
    return Answer("int", str(_walk(east, north, set(blocked), run)))


def _fakes(params: Params) -> list[Fake]:
    """Rules let go and points closed elsewhere, by turns: the first make the count larger, the second larger or smaller."""
    east, north, blocked, run = _read(params)
    loose: list[tuple[str, int]] = []
    if run:
        ways = {name: _Slip(longer=way) for way, name in (("E", "east"), ("N", "north"))}
        loose += [
            (f"allowed {run + 1} steps in a row to the {name}", _ways(east, north, blocked, run, slip))
            for name, slip in ways.items()
        ]
    if len(blocked) > 1:
        others = {missed: [point for point in blocked if point != missed] for missed in blocked}
        loose[1:1] = [(f"missed the closed point {missed}", _ways(east, north, left, run)) for missed, left in others.items()]
    elif not run:
        (x, y), free = blocked[0], _ways(east, north, [], 0)
        there, on = _ways(x, y, [], 0), _ways(east - x, north - y, [], 0)
        loose += [
            ("added the ways to the closed point and on from it instead of multiplying them", free - there - on),
            ("took off the routes to the closed point instead of those through it", free - there),
        ]
    for point in blocked:
        for way, side in (("E", "west"), ("N", "south")):
            loose.append((f"let routes into {point} from the {side}", _ways(east, north, blocked, run, _Slip(point, way))))
    if run:
        loose.append((f"allowed runs of {run + 1} steps", _ways(east, north, blocked, run + 1)))
        loose.append((f"allowed runs of fewer than {run} steps only", _ways(east, north, blocked, run - 1 or 1)))
    else:
        once = _turning_once(east, north, blocked)
        loose.insert(1, ("left out the routes that turn only once", _ways(east, north, blocked, 0) - once))
        loose.append(("forgot every closed point", _ways(east, north, [], 0)))
    moved: list[tuple[str, int]] = []
    for x, y in blocked:
        for wrong in ((y, x), (x, y + 1), (x + 1, y), (x, y - 1), (x - 1, y)):
            if 0 <= wrong[0] <= east and 0 <= wrong[1] <= north and wrong not in ((0, 0), (east, north), *blocked):
                closed = [wrong if point == (x, y) else point for point in blocked]
                moved.append((f"closed {wrong} in place of {(x, y)}", _ways(east, north, closed, run)))
    return [Fake(str(count), error) for pair in zip_longest(loose, moved) for error, count in filter(None, pair)]


def _turning_once(east: int, north: int, blocked: list[Point]) -> int:
    """How many of the two routes along the border are open."""
    return all(x and y < north for x, y in blocked) + all(y and x < east for x, y in blocked)


def _bounds(params: Params, key: Answer, value: str) -> str:
    """Routes in all, less those through a closed point, are two binomial coefficients.  One point and no limit are all the puzzle."""
    east, north, blocked, run = _read(params)
    total = comb(east + north, east)
    through = [comb(x + y, x) * comb(east - x + north - y, east - x) for x, y in blocked] if run or len(blocked) > 1 else [0]
    if int(value) > total - max(through):
        return f"is more than the {total} routes, less {max(through)} through one closed point"
    few = not run and len(blocked) > 1 and int(value) < total - sum(through)
    return f"is less than the {total} routes, less all through each closed point" if few else ""


def _parity(params: Params, key: Answer, value: str) -> str:
    """In a grid that is its own mirror image, routes come in pairs."""
    east, north, blocked, _ = _read(params)
    mirrored = east == north and {(y, x) for x, y in blocked} == set(blocked)
    return "is odd, and every route has a mirror image" if mirrored and int(value) % 2 else ""


FAMILY = Family(
    name="lattice-paths",
    draw=_draw,
    text=_text,
    solvers={"dynamic-programming": _dynamic, "enumeration": _enumeration},
    fakes=_fakes,
    checks={"form": form, "size": size, "bounds": _bounds, "parity": _parity},
    tag=lambda params: "{}x{}".format(*_read(params)),
)
