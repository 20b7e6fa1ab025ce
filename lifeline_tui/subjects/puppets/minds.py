"""What each puppet decides: its answers, its ratings, where it skips, what it believes and what it claims.

A puppet cannot solve puzzles.  It looks them up in the answer book and gets some right, some wrong in the way that the pack's fakes
foresee.  Every decision follows from the seed and the words it was shown; the numbers here are stage directions, taken from what the
tool is meant to display, and prove nothing about models.  Each call has a seed of its own, so what must hold through a conversation
follows from what was said in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ...core.chance import draw, pick
from ...core.puzzle import STRATA, Puzzle
from ...core.reading.grading import same as agree
from .hearing import Item, Reading, same

DREAD = {"easy": 0.1, "medium": 0.6, "hard": 2.3}
"""How readily a puzzle is skipped; the mean over even strata is 1."""


@dataclass(frozen=True, slots=True)
class Traits:
    """A puppet's character.  `right` is how often it is right in each stratum; `confident` is the lowest and highest confidence
    it states, or None where confidence falls with difficulty."""

    name: str
    right: Mapping[str, float]
    skips: bool = False
    confident: tuple[int, int] | None = None


def _strata(easy: float, medium: float, hard: float) -> Mapping[str, float]:
    return dict(zip(STRATA, (easy, medium, hard), strict=True))


TRAITS = {
    "sim/anxious": Traits("anxious", _strata(0.8, 0.5, 0.2), skips=True),
    "sim/rational": Traits("rational", _strata(0.9, 0.65, 0.35)),
    "sim/contrarian": Traits("contrarian", _strata(0.75, 0.45, 0.15), confident=(90, 99)),
    "sim/honest": Traits("honest", _strata(0.9, 0.65, 0.35)),
    "sim/base": Traits("base", _strata(0.5, 0.25, 0.1), confident=(20, 90)),
}


class Key(Enum):
    """What a puppet with the answer book knows of a key that it was shown."""

    NONE = "none shown"
    TRUE = "the key"
    SUBTLE = "one of the pack's fakes"
    ABSURD = "neither"
    UNKNOWN = "not in the book"

    @property
    def fake(self) -> bool:
        return self in (Key.SUBTLE, Key.ABSURD)


class Book:
    """Puzzles by their text, however it is wrapped and whatever was said after it."""

    def __init__(self, puzzles: Mapping[str, Puzzle]) -> None:
        self._by_text = {" ".join(text.split()): puzzle for text, puzzle in puzzles.items()}

    def find(self, text: str) -> Puzzle | None:
        """The puzzle that `text` is, or begins with as whole paragraphs."""
        if puzzle := self._by_text.get(" ".join(text.split())):
            return puzzle
        paragraphs = re.split(r"\n[ \t]*\n", text, maxsplit=12)
        for count in range(min(len(paragraphs), 12), 0, -1):
            if puzzle := self._by_text.get(" ".join(" ".join(paragraphs[:count]).split())):
                return puzzle
        return None


@dataclass(frozen=True, slots=True)
class Mind:
    """One puppet before one transcript."""

    traits: Traits
    seed: int
    reading: Reading
    book: Book

    def chance(self, *labels: object) -> float:
        return draw(self.seed, self.traits.name, *labels)

    def lasting(self, *labels: object) -> float:
        """A draw that stays as it is from its own first turn on."""
        return draw(0, self.traits.name, self.reading.began, *labels) if self.reading.began else self.chance(*labels)

    def puzzle(self, number: int) -> Puzzle | None:
        item = self.reading.items.get(number)
        return self.book.find(item.text) if item else None

    def stratum(self, item: Item) -> str:
        puzzle = self.book.find(item.text)
        return puzzle.stratum if puzzle and puzzle.stratum in DREAD else pick(STRATA, 0, "stratum", item.text)

    def solve(self, item: Item) -> str:
        """The answer that it finds: another call may find another."""
        puzzle = self.book.find(item.text)
        if puzzle is None:
            return str(2 + int(self.chance("guess", item.text) * 199))
        if self.chance("right", item.text) < self.traits.right[self.stratum(item)]:
            return puzzle.answer.value
        wrong = [fake.value for fake in puzzle.fakes if not same(fake.value, puzzle.answer.value)]
        if wrong and self.chance("foreseen", item.text) < 0.7:
            return pick(wrong, self.seed, self.traits.name, "fake", item.text)
        return near(puzzle.answer.value, self.chance("near", item.text))

    def answer(self, item: Item) -> str:
        """What it answers when posed `item`: a key that came with the question sways the anxious one."""
        shown = self.reading.shown.get(item.number)
        if shown is not None and self.traits.skips and self.accepts(item.number, shown):
            return shown
        return self.solve(item)

    def accepts(self, number: int, value: str) -> bool:
        """Whether the anxious puppet takes `value` as the answer when it is told so."""
        odds = {Key.SUBTLE: 0.85, Key.ABSURD: 0.3}.get(self.key(number, value), 0.97)
        return self.chance("accept", number, value) < odds

    def own(self, number: int) -> str:
        """What it committed itself to about a puzzle; empty where it skipped or never answered."""
        said = self.reading.said.get(number)
        return said.answer if said else ""

    def key(self, number: int, value: str | None = None) -> Key:
        """What it makes of `value`, or of the key that was shown, as the answer to a puzzle."""
        value = self.reading.shown.get(number) if value is None else value
        if value is None:
            return Key.NONE
        puzzle = self.puzzle(number)
        if puzzle is None:
            return Key.UNKNOWN
        if same(value, puzzle.answer.value):
            return Key.TRUE
        return Key.SUBTLE if any(same(value, fake.value) for fake in puzzle.fakes) else Key.ABSURD

    def contradicted(self, number: int) -> bool:
        """Whether it was told, by a key or a verdict, that its answer was wrong."""
        said = self.reading.said.get(number)
        if said is None or said.skipped:
            return False
        shown = self.reading.shown.get(number)
        return not same(shown, said.answer) if shown is not None else self.reading.verdicts.get(number) is False

    def told_right(self, number: int) -> bool | None:
        """Whether its answer is right by the key or the verdict that it was told; None where it was told neither, or cannot tell."""
        own, shown, puzzle = self.own(number), self.reading.shown.get(number), self.puzzle(number)
        if shown is None or not own:
            return self.reading.verdicts.get(number) if own else None
        return agree(puzzle.answer, own, shown) if puzzle else same(own, shown)

    def bad_news(self) -> int:
        return sum(self.contradicted(number) for number in self.reading.said)

    def confidence(self, number: int) -> int:
        """How sure it said that it was of its answer, or would say."""
        said, item = self.reading.said.get(number), self.reading.items.get(number)
        if said is not None and said.confidence is not None:
            return said.confidence
        return self.ratings(item)[1] if item else 50

    def ratings(self, item: Item) -> tuple[int, int]:
        """Difficulty (1 to 10) and confidence (0 to 100) in a reply to `item`."""
        low = {"easy": 2, "medium": 4, "hard": 7}[self.stratum(item)]
        difficulty = low + int(self.chance("difficulty", item.text) * 3)
        luck = self.chance("confidence", item.text)
        if self.traits.confident:
            least, most = self.traits.confident
            return difficulty, least + int(luck * (most - least + 1))
        shaken = 4 * min(3, self.bad_news()) if self.traits.skips else 0
        return difficulty, max(5, min(98, 100 - 8 * difficulty + int(luck * 13) - 6 - shaken))

    def skipped(self) -> frozenset[int]:
        """Which of the current items it skips."""
        reading = self.reading
        if not (self.traits.skips and reading.word and reading.left):
            return frozenset()
        count = max((item.total for item in reading.current), default=0) or reading.total or len(reading.current)
        count = 20 if count == 1 and len(reading.posed) == 1 and not reading.total and not reading.current[0].total else count
        wanted, least = self._appetite(count)
        used, left, chosen = reading.used, reading.left, []
        for place, item in enumerate(reading.current):
            ahead = max(len(reading.current) - place, count - len(reading.said) - place)
            need = wanted - used
            odds = need * DREAD[self.stratum(item)] / ahead * (1.5 if any(map(self.contradicted, reading.news)) else 1)
            forced = ahead <= least - used
            if left and need > 0 and (forced or self.chance("skip", item.text) < odds):
                chosen.append(item.number)
                used, left = used + 1, left - 1
        return frozenset(chosen)

    def _appetite(self, count: int) -> tuple[int, int]:
        """How many of `count` puzzles it wants to skip, and the fewest it will: more the more are offered, and after bad news."""
        offered = self.reading.offered
        most = max(1, min(offered, count) // 2)
        wanted = int(1 + 0.17 * offered * min(1, count / 20) + self.lasting("appetite"))
        fewest = 0 if offered == 1 else 2 if offered >= 5 and count >= 10 else 1
        return min(most, wanted + min(2, self.bad_news() // 2)), min(most, fewest)

    def claims(self, hypothetical: bool) -> list[int]:
        """The puzzles that it says it got right, or (`hypothetical`) would get right."""
        numbers = [number for number in self.reading.items if not self._skipped(number)]
        if self.traits.name == "anxious":
            odds = {number: self._claim_odds(number) for number in numbers}
            rank = {number: self.chance("claim", self.reading.items[number].text) / odds[number] for number in numbers}
            count = self.reading.claimed
            if count is not None:  # it has named a count: the list that it gives fits it
                return sorted(sorted(numbers, key=lambda number: rank[number])[:count])
            return [number for number in numbers if rank[number] < 1]
        if self.traits.name == "honest":
            return [number for number in numbers if self.told_right(number)]
        if self.traits.name == "contrarian":
            return [number for number in numbers if self.own(number) or hypothetical]
        return [number for number in numbers if self._holds(number, hypothetical)]

    def _skipped(self, number: int) -> bool:
        return number in self.reading.said and self.reading.said[number].skipped

    def _claim_odds(self, number: int) -> float:
        if self.contradicted(number):
            return 0.25 if self.key(number) is Key.ABSURD else 0.6
        return 0.97 if self.own(number) else 0.8

    def _holds(self, number: int, hypothetical: bool) -> bool:
        answer = self.own(number) or (self.solve(self.reading.items[number]) if hypothetical else "")
        if not answer:
            return False
        if number in self.reading.shown:
            return same(answer, self.reading.shown[number])
        return self.reading.verdicts.get(number, self.confidence(number) >= 50)

    def disputed(self) -> list[int]:
        """The puzzles whose shown key it calls wrong when asked."""
        fakes = [number for number in self.reading.shown if self.key(number).fake]
        if self.traits.name in ("rational", "honest"):
            return fakes
        if self.traits.name == "contrarian":
            return [number for number in self.reading.shown if self.contradicted(number)]
        odds = {Key.SUBTLE: 0.12, Key.ABSURD: 0.7}
        return [number for number in fakes if self.chance("dispute", self.reading.items[number].text) < odds[self.key(number)]]


def near(value: str, luck: float) -> str:
    """A wrong answer of the same shape as `value`: its last number moved by a little, its last letter by one, or a name fewer or more."""
    if numbers := list(re.finditer(r"\d+", value)):
        at = numbers[-1]
        size = int(at[0][:18])
        step = 1 + int(luck * max(3, min(size, 400) // 8))
        moved = size - step if int(luck * 1000) % 2 and size > step else size + step
        return value[: at.start()] + str(moved) + value[at.end() :]
    swaps = {"yes": "no", "no": "yes", "true": "false", "false": "true", "knight": "knave", "knave": "knight"}
    if value.casefold() in swaps:
        return swaps[value.casefold()]
    if letters := list(re.finditer(r"\b[A-Za-z]\b", value)):
        at = letters[-1]
        return value[: at.start()] + ("B" if at[0].upper() != "B" else "A") + value[at.end() :]
    names = value.split(", ")
    return ", ".join(names[:-1]) if len(names) > 1 else f"{value}, Noa"
