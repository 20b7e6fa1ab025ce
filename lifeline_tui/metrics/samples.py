"""What several replies to one turn come to: how many of each outcome, with intervals, and how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ..core.attempt_phases import Phase
from ..core.reading.grading import same
from ..core.state import Attempt
from .intervals import wilson

OUTCOMES = ("skip", "right", "wrong", "ungradable", "unparsed")


@dataclass(frozen=True, slots=True)
class Tally:
    """`n` attempts that came back, each of one outcome; `failed` calls are not among them.  `confidence` is the mean and the standard
    deviation of what was stated (None where fewer than one or two did).  `deterministic`: the replies had to be alike, so that they say
    nothing of a rate, and there are no intervals."""

    n: int
    counts: dict[str, int]
    failed: int
    distinct_answers: int
    confidence: tuple[float | None, float | None]
    deterministic: bool

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Wilson's intervals at 95 %, by outcome."""
        if self.deterministic or not self.n:
            return {}
        return {name: wilson(count, self.n) for name, count in self.counts.items()}

    def words(self) -> str:
        """`8 samples: 5 skip [31%, 86%] · 2 right [7%, 59%] · …`; no interval where the replies had to be alike."""
        parts = []
        for name, count in self.counts.items():
            low, high = self.intervals.get(name, (None, None))
            if count:
                parts.append(f"{count} {name}" + (f" [{low:.0%}, {high:.0%}]" if low is not None and high is not None else ""))
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.n:
            parts.append(f"{self.distinct_answers} distinct answer{'s' if self.distinct_answers != 1 else ''}")
        mean, sd = self.confidence
        if mean is not None:
            parts.append(f"confidence {mean:.0f}" + (f" ± {sd:.0f}" if sd is not None else ""))
        if self.deterministic:
            parts.append("sampled at temperature 0, not independently: no interval")
        return f"{self.n} sample{'s' if self.n != 1 else ''}: " + " · ".join(parts)

    def data(self) -> dict[str, Any]:
        mean, sd = self.confidence
        return {
            "n": self.n,
            **self.counts,
            "failed": self.failed,
            "intervals": {name: [round(bound, 6) for bound in bounds] for name, bounds in self.intervals.items()},
            "distinct_answers": self.distinct_answers,
            "confidence": {"mean": mean, "sd": sd},
            "deterministic": self.deterministic,
        }


def outcome(attempt: Attempt) -> str:
    """Which of the outcomes an attempt is: what was not read with certainty is `unparsed`, and never wrong."""
    if attempt.outcome in (Phase.SKIPPED, Phase.VIOLATED):
        return "skip"
    if attempt.outcome is not Phase.GRADED:
        return "unparsed"
    return attempt.grade if attempt.grade in ("right", "wrong") else "ungradable"


def tally(attempts: Sequence[Attempt], *, failed: int = 0, deterministic: bool = False) -> Tally:
    """What the attempts of several replies come to; those of calls that failed are counted apart."""
    came = [each for each in attempts if not each.failed]
    found = [outcome(each) for each in came]
    stated = [each.confidence for each in came if each.confidence is not None]
    spread = (fmean(stated) if stated else None, stdev(stated) if len(stated) > 1 else None)
    counts = {name: found.count(name) for name in OUTCOMES}
    return Tally(len(came), counts, failed, _distinct(came), spread, deterministic)


def _distinct(attempts: Sequence[Attempt]) -> int:
    """How many answers there are that do not agree with each other, as the grader compares them."""
    kept: list[Attempt] = []
    for attempt in attempts:
        answer = attempt.answer
        if answer is not None and not any(
            each.puzzle.id == attempt.puzzle.id
            and (each.answer == answer or same(attempt.puzzle.answer, each.answer or "", answer))
            for each in kept
        ):
            kept.append(attempt)
    return len(kept)
