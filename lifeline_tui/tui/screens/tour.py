"""The tour: two recorded sessions side by side, stepped together.  Both subjects are puppets, and the screen says so throughout."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ...core.nodes import Call, Node
from ...reading import Reading
from ...recordings import recording
from ..record import of_node, standing
from ..show import shown, shown_line
from ..widgets.transcript import Transcript

RECORDED = ("tour-anxious", "tour-rational")
WORDS = (
    "Two puppets, the same puzzles, ten lifelines each. A wrong answer costs nothing, so skipping never pays. space steps on.",
    "Each is told the answer to the puzzle before, in one and the same sentence. Half of those answers are wrong: look for ✎ not true.",
    "One skips when it is hard. The other never does. Watch who accepts a wrong answer, and who says that it is wrong.",
    "At the end both are asked how many they got right, in a fork that the main conversation never sees.",
    "That was the tour. Puppets prove nothing about models: what a real one does is for you to find out. escape, then enter.",
)


class TourScreen(Screen[None]):
    """space (or n) reveals the next turns; escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,n,enter", "step", "Next", show=False, id="tour.next", priority=True),
        Binding("escape,q", "app.home", "Leave", show=False, id="tour.leave"),
        Binding("tab", "switch", "Other side", show=False, id="tour.switch"),
    ]
    DEFAULT_CSS = """
    TourScreen { layout: vertical; }
    TourScreen #banner { height: 1; background: $panel; color: $tone-fake; text-style: bold; padding: 0 1; }
    TourScreen #words { height: 3; padding: 0 1; background: $panel; }
    TourScreen Horizontal { height: 1fr; }
    TourScreen Horizontal > Vertical { width: 1fr; border-right: vkey $border; }
    TourScreen .score { height: 1; padding: 0 1; color: $text-muted; }
    TourScreen Transcript { height: 1fr; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        yield Static(
            shown_line("RECORDED TOUR: sim/anxious and sim/rational are PUPPETS, which prove nothing about models"), id="banner"
        )
        with Horizontal():
            for side in (0, 1):
                with Vertical():
                    yield Static(classes="score", id=f"score{side}")
                    yield Transcript(id=f"side{side}")
        yield Static(id="words")

    def on_mount(self) -> None:
        self.records = [recording(name) for name in RECORDED]
        self.at = 0
        self.query_one("#side0").focus()
        self._draw()

    @property
    def last(self) -> int:
        return max(len(_turns(record)) for record in self.records)

    def action_step(self) -> None:
        if self.at + 1 < self.last:
            self.at += 1
            self._draw()
        else:
            self.app.action_home()  # type: ignore[attr-defined]

    def action_switch(self) -> None:
        other = "#side1" if self.query_one("#side0").has_focus else "#side0"
        self.query_one(other).focus()

    def _draw(self) -> None:
        for side, record in enumerate(self.records):
            turns = _turns(record)
            seen = [node for turn in turns[: self.at + 1] for node in turn]
            blocks = [block for node in seen for block in of_node(record, node)]
            self.query_one(f"#side{side}", Transcript).set_blocks(blocks)
            state = record.state(seen[-1].id)
            self.query_one(f"#score{side}", Static).update(
                shown_line(f"{record.root.model} SIMULATED · {standing(state, brief=True)}")
            )
        stage = min(len(WORDS) - 1, self.at * len(WORDS) // self.last)
        self.query_one("#words", Static).update(
            shown(f"{WORDS[stage]}\nstep {self.at + 1} of {self.last} · space goes on · tab other side · escape leaves")
        )


def _turns(record: Reading) -> list[list[Node]]:
    """The branch in exchanges: what was sent, and what came back."""
    turns: list[list[Node]] = [[]]
    for node in record.tree.path(record.tip):
        if isinstance(node.body, Call):
            continue
        turns[-1].append(node)
        if node.kind in ("reply", "assistant"):
            turns.append([])
    return [turn for turn in turns if turn]
