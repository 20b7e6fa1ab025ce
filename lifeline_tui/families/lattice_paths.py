"""Routes on a grid that avoid closed points, sometimes with a limit on steps in one direction.

One method adds up ways point by point and keeps the length of the last run; the other walks every route.
"""

from __future__ import annotations

from collections import defaultdict
from math import comb

from lifeline_tui.core.chance import pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, listed, parts, whole

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


def _ways(east: int, north: int, blocked: list[Point], run: int) -> int:
    """Ways by point, direction of the last step and length of its run, summed from the start to the goal."""
    longest, closed = run or east + north, set(blocked)
    ways: dict[Point, dict[tuple[str, int], int]] = {(0, 0): {("", 0): 1}}
    for x in range(east + 1):
        for y in range(north + 1):
            if (x, y) == (0, 0) or (x, y) in closed:
                continue
            here: dict[tuple[str, int], int] = defaultdict(int)
            for way, before in (("E", (x - 1, y)), ("N", (x, y - 1))):
                for (last, length), count in ways.get(before, {}).items():
                    now = length + 1 if last == way else 1
                    if now <= longest:
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
    east, north, blocked, run = _read(params)
    key, free = _ways(east, north, blocked, run), _ways(east, north, [], run)
    fakes = [
        Fake(str(_ways(east, north, [p for p in blocked if p != missed], run)), f"missed the closed point {missed}")
        for missed in blocked
        if len(blocked) > 1
    ]
    if run:
        fakes.insert(1, Fake(str(_ways(east, north, blocked, run - 1 or 1)), f"allowed runs of fewer than {run} steps only"))
        fakes.insert(2, Fake(str(_ways(east, north, blocked, run + 1)), f"allowed runs of {run + 1} steps"))
    else:
        to_first = _ways(*blocked[0], [], 0)
        fakes.append(Fake(str(free - to_first), "took off the routes to a closed point instead of those through it"))
        fakes.append(Fake(str(free - key), "counted the routes that the closed points forbid"))
        fakes.append(Fake(str(free), "forgot every closed point"))
    return fakes


FAMILY = Family(
    name="lattice-paths",
    draw=_draw,
    text=_text,
    solvers={"dynamic-programming": _dynamic, "enumeration": _enumeration},
    fakes=_fakes,
    tag=lambda params: "{}x{}".format(*_read(params)),
)
