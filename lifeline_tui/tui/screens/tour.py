"""The tour: two recorded sessions side by side, stepped together.  Both subjects are puppets, and the screen says so throughout.

Every caption but the first and last sentence is made from the recordings, so that it can only say what is shown above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ...core.claims import facts
from ...core.nodes import Node, Origin, PartKind, User
from ...runs.recordings import recording
from ...session.view import MAIN, Reading
from ..blocks import Block
from ..host import Host
from ..overlay import Overlay
from ..record import of_node, reading, standing
from ..show import shown
from ..widgets.transcript import Transcript

RECORDED = ("tour-anxious", "tour-rational")
FORKED = "Branched off here: the main conversation never sees what follows."
LAST = "Puppets prove nothing about models: what a real one does is for you to find out."


@dataclass(frozen=True, slots=True)
class Step:
    """What is seen after a press of space: the branch, and the reply that each side has come to on it."""

    branch: str
    tips: tuple[str, ...]


class TourScreen(Overlay[None], Screen[None]):
    """space (or n) reveals the next turns; escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,n,enter", "step", "Next", show=False, id="tour.next", priority=True),
        Binding("escape,q", "app.home", "Leave", show=False, id="tour.leave"),
        Binding("tab", "switch", "Other side", show=False, id="tour.switch"),
        Binding("slash", "app.find", "Search", show=False, id="tour.search"),
        Binding("question_mark", "app.help", "Help", show=False, id="tour.help"),
    ]
    DEFAULT_CSS = """
    TourScreen { layout: vertical; }
    TourScreen #banner { height: auto; background: $panel; color: $tone-fake; text-style: bold; padding: 0 1; }
    TourScreen #words { height: 4; padding: 0 1; background: $panel; }
    TourScreen #keys { height: 1; padding: 0 1; background: $panel; color: $text-muted; }
    TourScreen Horizontal { height: 1fr; }
    TourScreen Horizontal > Vertical { width: 1fr; }
    TourScreen #left { border-right: vkey $border; }
    TourScreen .score { height: auto; min-height: 2; color: $text-muted; }
    TourScreen Transcript { height: 1fr; padding: 0 1; }
    """

    app: Host

    def compose(self) -> ComposeResult:
        yield Static(shown("RECORDED TOUR of two PUPPETS, which prove nothing about models"), id="banner")
        with Horizontal():
            for side, name in enumerate(("left", "right")):
                with Vertical(id=name):
                    yield Static(classes="score", id=f"score{side}")
                    yield Transcript(id=f"side{side}")
        yield Static(id="words")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.records = [recording(name) for name in RECORDED]
        self.steps = _steps(self.records)
        self.at = 0
        self.query_one("#side0").focus()
        self._draw()

    def action_step(self) -> None:
        if self.at + 1 < len(self.steps):
            self.at += 1
            self._draw()
        else:
            self.app.action_home()

    def action_switch(self) -> None:
        other = "#side1" if self.query_one("#side0").has_focus else "#side0"
        self.query_one(other).focus()

    def _draw(self) -> None:
        step = self.steps[self.at]
        for side, (record, tip) in enumerate(zip(self.records, step.tips, strict=True)):
            self.query_one(f"#side{side}", Transcript).set_blocks(_blocks(record, tip))
            where = "" if step.branch == MAIN else f" · fork {step.branch}"
            head = f"{record.root.model} SIMULATED{where}\n{standing(record.state(tip), brief=True)}"
            self.query_one(f"#score{side}", Static).update(shown(head))
        last = self.at + 1 == len(self.steps)
        self.query_one("#words", Static).update(shown(" ".join([*_caption(self.records, step), *([LAST] if last else [])])))
        on = "space ends the tour" if last else "space goes on"
        self.query_one("#keys", Static).update(
            shown(f"step {self.at + 1} of {len(self.steps)} · {on} · tab other side · escape leaves")
        )


def _steps(records: list[Reading]) -> list[Step]:
    """The main conversation reply after reply, then every fork that both have, in the order they were made."""
    steps = []
    first = records[0]
    forks = sorted((name for name in first.branches if name != MAIN), key=lambda name: first.tree[first.branches[name]].seq)
    for branch in (MAIN, *forks):
        if all(branch in record.branches for record in records):
            replies = [_replies(record, branch) for record in records]
            steps += [Step(branch, tips) for tips in zip(*replies, strict=False)]
    return steps


def _replies(record: Reading, branch: str) -> list[str]:
    """The replies of a branch; of a fork, its own."""
    main = set() if branch == MAIN else {node.id for node in record.tree.above(record.branches[MAIN])}
    return [node.id for node in record.tree.path(record.branches[branch]) if node.kind == "reply" and node.id not in main]


def _blocks(record: Reading, tip: str) -> list[Block]:
    """The path as blocks, with a line where it leaves the main conversation."""
    main = {node.id for node in record.tree.above(record.branches[MAIN])}
    blocks: list[Block] = []
    forked = False
    for node in record.tree.path(tip):
        if node.id not in main and not forked:
            forked = True
            blocks.append(Block(f"{node.id}#fork", Origin.TEMPLATE, "fork", FORKED, (), "quiet", dim=True))
        blocks += of_node(record, node)
    return blocks


def _asked(record: Reading, tip: str) -> User:
    """The turn that the reply `tip` answers."""
    return next(node.body for node in record.tree.above(tip) if isinstance(node.body, User))


def _caption(records: list[Reading], step: Step) -> list[str]:
    """What is seen in this step, as sentences; the first step says what it is all about."""
    asked = [_asked(record, tip) for record, tip in zip(records, step.tips, strict=True)]
    probe = next((part.via for part in asked[0].parts if part.kind is PartKind.PROBE), "")
    if probe:
        forked = "In a fork, which the main conversation never sees, both are asked"
        said = [_claim(record, tip) for record, tip in zip(records, step.tips, strict=True)]
        if probe == "self-score":
            return [*_told(records, asked), f"{forked} how many they got right.", *said]
        return [*_told(records, asked), f"{forked} for the derivation of an answer. Read what each writes."]
    did = [_did(record, record.tree[tip]) for record, tip in zip(records, step.tips, strict=True)]
    return [*(_told(records, asked) or _rules(records[0])), *did]


def _rules(record: Reading) -> list[str]:
    plan = record.state().plan
    free = " A wrong answer costs nothing, so a lifeline never pays." if plan.scoring.wrong >= plan.scoring.skip else ""
    return [f"Two puppets, the same {len(record.root.puzzles)} puzzles, {plan.lifelines or 'no'} lifelines each.{free}"]


def _told(records: list[Reading], asked: list[User]) -> list[str]:
    """Which key was shown before this turn, whether it is true, and the sign it stands under."""
    keys: list[tuple[str, str]] = []
    for record, user in zip(records, asked, strict=True):
        part = next((part for part in user.parts if part.kind is PartKind.FEEDBACK and part.shown), None)
        if part is not None:
            position = next(a.position for a in record.state(record.branches[MAIN]).attempts if a.puzzle.id == part.puzzle)
            true = "true" if part.truthful else "NOT TRUE (marked ‘not true’, which only you see)"
            keys.append((record.root.model, f"told that the answer to puzzle {position} is {part.shown}: {true}."))
    if len(keys) == len(records) and len({key for _, key in keys}) == 1:
        return [f"Both were {keys[0][1]}"]
    return [f"{model} was {key}" for model, key in keys]


def _did(record: Reading, reply: Node) -> str:
    attempt = record.state(reply.id).find(reply.id)
    return f"{record.root.model} on puzzle {attempt.position}: {reading(attempt)}." if attempt else ""


def _claim(record: Reading, tip: str) -> str:
    """How many it says it got right, beside how many it had to think it did at that very place, and how many it did."""
    claim = record.tree.said(tip).get(("", "claim"))
    count = claim.get("count") if isinstance(claim, dict) else None
    measured = facts(record.state(tip), _asked(record, tip).parts[-1], "")
    return (
        f"{record.root.model} claims {'no number' if count is None else count}: {measured['own_matches_shown']} by what it was told, "
        f"{measured['own_right']} truly."
    )
