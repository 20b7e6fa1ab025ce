"""The puzzle card: the puzzle in play or the one that is next, its hidden key, its fakes, and how the attempts have gone."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ...core.nodes import Call, Reply
from ...core.state import Attempt, State
from ...session import Session
from ..glyphs import Glyphs, glyphs_of
from ..show import shown, shown_line
from .spark import meter, skips, spark

STEPS = {"easy": 1, "medium": 2, "hard": 3}


class Card(Widget):
    """Renders from the session's state.  `peek` shows the key; `compact` leaves the puzzle's text to the transcript."""

    peek: reactive[bool] = reactive(False)
    compact: reactive[bool] = reactive(False, layout=True)

    DEFAULT_CSS = """
    Card { height: auto; padding: 0 1; }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session

    def render(self) -> Content:
        state, glyphs = self.session.state(), glyphs_of(self)
        lines = self._puzzle(state, glyphs) + self._course(state, glyphs)
        if not self.compact:
            lines += self._cost()
        return Content("\n").join(lines)

    def _puzzle(self, state: State, glyphs: Glyphs) -> list[Content]:
        attempt = state.latest
        coming = state.next_puzzle
        total = len(state.root.puzzles)
        if attempt is None or (not attempt.open and not attempt.reply):
            attempt = None
        if attempt is None:
            if coming is None:
                return [shown("no puzzles", "$text-muted")]
            return [
                shown_line(f"NEXT: PUZZLE 1 of {total}", "bold"),
                shown_line("n sends it", "$text-muted"),
                *([] if self.compact else [shown_line(""), shown(coming.text)]),
            ]
        puzzle = attempt.puzzle
        bar = meter(STEPS.get(puzzle.stratum, 0), 3, glyphs)
        key = puzzle.answer.value if self.peek else glyphs.hidden * 4
        lines = [
            Content.assemble(
                shown_line(f"PUZZLE {attempt.position} of {total}", "bold"),
                shown_line(f"  {puzzle.family} {puzzle.stratum} {bar}", "$text-muted"),
            ),
            Content.assemble(
                shown_line("key "),
                shown_line(key, "bold"),
                shown_line("  (. hides)" if self.peek else "  (. to peek)", "$text-muted"),
            ),
        ]
        if not puzzle.verified:
            lines.append(shown_line("nobody has verified this key", "$tone-error"))
        if not self.compact:
            lines += [shown_line(f"fake {fake.value}: {fake.error}", "$text-muted") for fake in puzzle.fakes]
        lines += self._told(attempt)
        return lines

    def _told(self, attempt: Attempt) -> list[Content]:
        key = attempt.shown_key
        if key is None:
            return []
        word = "true" if key.truthful else "FAKE"
        return [shown_line(f"shown {key.shown} ({word})", "" if key.truthful else "bold $tone-fake")]

    def _course(self, state: State, glyphs: Glyphs) -> list[Content]:
        own = [a for a in state.attempts if a.own and a.reply]
        if not own:
            return []
        lines = [] if self.compact else [shown_line("")]
        sure = [a.confidence for a in own]
        if any(value is not None for value in sure):
            lines.append(Content.assemble(shown_line("sure  ", "$text-muted"), shown_line(spark(sure, glyphs))))
        if state.offered is not None:
            lines.append(
                Content.assemble(
                    shown_line("skips ", "$text-muted"),
                    shown_line(skips([a.outcome == "skipped" for a in own], glyphs)),
                )
            )
        if not self.compact:
            tally = state.tally()
            lines.append(
                shown_line(
                    f"{tally.right} right · {tally.wrong} wrong · {tally.ungradable + tally.unparsed} unscored", "$text-muted"
                )
            )
        return lines

    def _cost(self) -> list[Content]:
        usages = [
            node.body.usage
            for node in self.session.tree.nodes.values()
            if isinstance(node.body, Reply) and node.body.usage is not None
        ]
        calls = sum(isinstance(node.body, Call) for node in self.session.tree.nodes.values())
        if not calls:
            return []
        tokens = sum((usage.input or 0) + (usage.output or 0) for usage in usages)
        costs = [usage.cost for usage in usages if usage.cost is not None]
        exact = all(usage.exact for usage in usages) and len(usages) == calls
        words = f"{tokens} tokens" + (f" · ${sum(costs):.4f}" if costs else " · cost unknown")
        return [shown_line(words + ("" if exact else " (estimated or partly unknown)"), "$text-muted")]
