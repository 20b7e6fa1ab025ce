"""One row of the table for each goal: a ratio of medians, with what it must not exceed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` is to stay at or under `limit` (with `least`, at or over it); `medians` says in words what was compared."""

    goal: str
    what: str
    limit: float
    ratio: float
    medians: str
    n: int
    least: bool = False

    @property
    def met(self) -> bool:
        return self.ratio >= self.limit if self.least else self.ratio <= self.limit

    def line(self) -> str:
        bound = f"{'≥' if self.least else '≤'} {self.limit:g}"
        mark = "ok  " if self.met else "MISS"
        return f"{self.goal:<4} {self.what:<52} {bound:>8} {self.ratio:>8.2f} {mark} {self.medians} (n={self.n})"


HEAD = f"{'goal':<4} {'what':<52} {'limit':>8} {'measured':>8}"


def by_turns(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """What each measure gave; they take turns, so that a slow moment of the machine meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def compared(
    goal: str, what: str, limit: float, found: Mapping[str, list[float]], name: str, base: str, unit: str = "ms", scale: float = 1e3
) -> Row:
    """The row that sets the median of `name` against that of `base`."""
    mine, other = median(found[name]), median(found[base])
    words = f"{name} {mine * scale:.3g} {unit}, {base} {other * scale:.3g} {unit}"
    return Row(goal, what, limit, mine / other, words, len(found[name]))
