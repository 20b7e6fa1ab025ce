"""The puzzle card: the puzzle at the cursor or in play, or the one that is next, its hidden key, and how the attempts have gone.

The key and the fakes stay hidden until they are asked for, since the operator may be playing along; the next puzzle hides its own again.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ...core.nodes import Reply
from ...core.puzzle import Puzzle
from ...core.state import Attempt, State
from ...session.session import Session
from ..glyphs import Glyphs, glyphs_of
from ..show import shown, shown_line
from .spark import meter, skips, spark

STEPS = {"easy": 1, "medium": 2, "hard": 3}


class Card(Widget):
    """Renders from the session's state.  `peeked` is the id of the puzzle whose key is shown, `cursor` the node pointed at.  With `compact` it is a strip of two lines, and more only while peeking."""

    peeked: reactive[str] = reactive("", layout=True)
    compact: reactive[bool] = reactive(False, layout=True)

    DEFAULT_CSS = """
    Card { height: auto; padding: 0 1; }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.cursor: str | None = None
        self._drawn = ""

    def look(self, cursor: str | None) -> None:
        """Shows what belongs to the node `cursor`; the screen is laid out anew only where something changed."""
        self.cursor = cursor
        text = self.render().plain
        if text != self._drawn:
            self._drawn = text
            self.refresh(layout=True)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt under the cursor, or else the latest."""
        state = self.session.state()
        here = [a for a in state.attempts if self.cursor and self.cursor in (a.item, a.call, a.reply)]
        return here[-1] if here else state.latest

    @property
    def puzzle(self) -> Puzzle | None:
        """The puzzle that the card is about."""
        return self.attempt.puzzle if self.attempt is not None else self.session.state().next_puzzle

    def peek(self) -> None:
        """Shows the key and the fakes, or hides them again."""
        id = self.puzzle.id if self.puzzle is not None else ""
        self.peeked = "" if self.peeked == id else id

    def render(self) -> Content:
        state, glyphs = self.session.state(), glyphs_of(self)
        puzzle = self.puzzle
        if puzzle is None:
            return shown("no puzzles", "$text-muted")
        attempt = self.attempt
        head = (
            f"PUZZLE {attempt.position} of {len(state.root.puzzles)}" if attempt else f"NEXT: PUZZLE 1 of {len(state.root.puzzles)}"
        )
        kind = f"{puzzle.family} {puzzle.stratum} {meter(STEPS.get(puzzle.stratum, 0), 3, glyphs)}"
        if self.compact:
            gap = Content("  ")
            lines = [
                gap.join([shown_line(head, "bold"), shown_line(kind, "$text-muted"), self._key(puzzle, glyphs)]),
                gap.join([*self._told(attempt), *self._course(state, glyphs)]),
                *self._fakes(puzzle),
            ]
            return Content("\n").join(lines)
        lines = [shown_line(head, "bold"), shown_line(kind, "$text-muted"), self._key(puzzle, glyphs), *self._fakes(puzzle)]
        lines += self._told(attempt)
        if attempt is None:
            lines += [shown_line(""), shown(puzzle.text)]
        course = self._course(state, glyphs)
        lines += [shown_line(""), *course] if course else []
        return Content("\n").join(lines + self._cost())

    def _key(self, puzzle: Puzzle, glyphs: Glyphs) -> Content:
        peeking = self.peeked == puzzle.id
        return Content.assemble(
            shown_line("key ", "$text-muted"),
            shown_line(puzzle.answer.value if peeking else glyphs.hidden * 4, "bold"),
            shown_line("" if puzzle.verified else " unverified", "$tone-error"),
            shown_line("  . hides" if peeking else "  . peeks" if self.compact else "  . shows it, fakes too", "$text-muted"),
        )

    def _fakes(self, puzzle: Puzzle) -> list[Content]:
        if self.peeked != puzzle.id:
            return []
        return [
            Content.assemble(
                shown_line("fake ", "$text-muted"), shown_line(fake.value), shown_line(f" {fake.error}", "$text-muted")
            )
            for fake in puzzle.fakes
        ] or [shown_line("no fakes in the pack", "$text-muted")]

    def _told(self, attempt: Attempt | None) -> list[Content]:
        key = attempt.shown_key if attempt is not None else None
        if key is None:
            return []
        return [shown_line(f"shown {key.shown} ({'true' if key.truthful else 'FAKE'})", "" if key.truthful else "bold $tone-fake")]

    def _course(self, state: State, glyphs: Glyphs) -> list[Content]:
        """Confidence, lifelines by position and counts, of what the subject itself wrote."""
        own = [a for a in state.attempts if a.own and a.reply]
        if not own:
            return []
        lines = []
        sure = [a.confidence for a in own]
        if any(value is not None for value in sure):
            lines.append(Content.assemble(shown_line("sure  ", "$text-muted"), shown_line(spark(sure, glyphs))))
        if state.offered is not None:
            marks = skips([None if a.failed else a.outcome == "skipped" for a in own], glyphs)
            lines.append(Content.assemble(shown_line("skips ", "$text-muted"), shown_line(marks)))
        tally = state.tally()
        words = f"{tally.right} right · {tally.wrong} wrong" + (f" · {tally.ungradable} unscored" if tally.ungradable else "")
        return [*lines, shown_line(words, "$text-muted")]

    def _cost(self) -> list[Content]:
        replies = [node.body for node in self.session.tree.nodes.values() if isinstance(node.body, Reply)]
        if not replies:
            return []
        usages = [reply.usage for reply in replies if reply.usage is not None]
        tokens = sum((usage.input or 0) + (usage.output or 0) for usage in usages)
        costs = [usage.cost for usage in usages if usage.cost is not None]
        exact = all(usage.exact for usage in usages) and len(usages) == len(replies)
        words = f"{tokens:,} tokens" + (f" · ${sum(costs):.4f}" if costs else " · cost unknown")
        return [shown_line(words + (" · exact" if exact else " · estimated or partly unknown"), "$text-muted")]
