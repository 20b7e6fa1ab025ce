"""A stored session as it can be read: its tree, its branches, and what each path amounts to.

Nothing here writes or asks.  A session that this process runs is one of these, and so is a recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.nodes import FAILED, Annotation, Call, Node, Purpose, Reply, Root
from ..core.state import State, apply
from ..core.tree import Tree

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Choices:
    """Replies to puzzles and claims of which the operator kept others: `asked_again` counts those beside another reply to the same turn, `discarded`
    those that no branch holds any more, because they were asked again or taken back."""

    asked_again: int = 0
    discarded: int = 0


class Reading:
    """A tree, with one of its branches in view.  States are folded once and kept until something is said about a node."""

    def __init__(self, tree: Tree, branches: dict[str, str], branch: str = MAIN) -> None:
        self.tree, self.branches, self.branch = tree, branches, branch
        self._states: dict[str, State] = {}
        self._choices: tuple[object, Choices] = (None, Choices())

    def choices(self) -> Choices:
        """How many replies to puzzles there are in the session beside those that were gone on with."""
        seen = (len(self.tree), tuple(sorted(self.branches.items())))
        if self._choices[0] != seen:
            self._choices = (seen, self._counted())
        return self._choices[1]

    def _counted(self) -> Choices:
        live: set[str] = set()
        for tip in self.branches.values():
            for node in self.tree.above(tip):
                if node.id in live:
                    break
                live.add(node.id)
        replies = {id for id, notes in self.tree.notes.items() if self.tree[id].copied_from is None and self._counts(id, notes)}
        turns: dict[str, int] = {}
        for id in replies:
            if isinstance(self.tree[id].body, Reply):
                turn = self._turn(id)
                turns[turn] = turns.get(turn, 0) + 1
        return Choices(sum(count - 1 for count in turns.values()), len(replies - live))

    def _counts(self, id: str, notes: Sequence[Annotation]) -> bool:
        """Whether a reply made an attempt or a claim; a call that failed made none, but for what was read of it.  A sample is none of
        several among which the operator chose."""
        body, said = self.tree[id].body, self.tree.said(id)
        call = self.tree[self.tree[id].parent or id].body
        if isinstance(call, Call) and call.purpose is Purpose.SAMPLE:
            return False
        if any(note.field == "claim_facts" for note in notes):
            return True
        tried = {note.puzzle or "" for note in notes if note.field == "attempt"}
        if isinstance(body, Reply) and body.status in FAILED:
            tried = {puzzle for puzzle in tried if said.get((puzzle, "action"), "unparsed") != "unparsed"}
        return bool(tried)

    def _turn(self, reply: str) -> str:
        """The user turn that a reply answers."""
        call = self.tree[reply].parent or ""
        return self.tree[call].parent or "" if call in self.tree else ""

    def holders(self, node: str) -> list[str]:
        """The branches on whose paths `node` stands, the one in view first."""
        names = sorted(self.branches, key=lambda name: name != self.branch)
        return [name for name in names if any(above.id == node for above in self.tree.above(self.branches[name]))]

    def below(self, node: str) -> Iterator[str]:
        """`node` and all turns below it, but for samples that no branch holds: those are no part of any conversation."""
        todo = [node]
        while todo:
            here = todo.pop()
            if not self.aside(here):
                yield here
                todo += self.tree.kids(here)

    def aside(self, node: str) -> bool:
        """Whether `node` is a call for a sample that no branch holds."""
        body = self.tree[node].body
        return isinstance(body, Call) and body.purpose is Purpose.SAMPLE and not self.holders(node)

    def newest_leaf(self, node: str) -> str:
        """The leaf reached from `node` by always taking the newest child that is part of a conversation."""
        while kids := [kid for kid in self.tree.kids(node) if not self.aside(kid)]:
            node = kids[-1]
        return node

    def samples(self, turn: str) -> tuple[list[Node], int]:
        """The replies that were sampled of a turn, in order, and how many are still arriving."""
        calls = [self.tree[kid] for kid in self.tree.kids(turn)]
        calls = [call for call in calls if isinstance(call.body, Call) and call.body.purpose is Purpose.SAMPLE]
        came = [self.tree[self.tree.kids(call.id)[0]] for call in calls if self.tree.kids(call.id)]
        return came, len(calls) - len(came)

    @property
    def tip(self) -> str:
        return self.branches[self.branch]

    @property
    def broken(self) -> bool:
        """Whether the tip is a reply that was cut off."""
        body = self.tree[self.tip].body
        return isinstance(body, Reply) and body.status in FAILED

    def run_status(self) -> str:
        """How the last run of the plan in this context ended, as the notebook says; "" where there was none."""
        said = self.tree.said(self.origin).get(("", "run"))
        return str(said.get("status", "")) if isinstance(said, dict) else ""

    @property
    def origin(self) -> str:
        """The root above the tip."""
        return [node.id for node in self.tree.above(self.tip)][-1]

    @property
    def root(self) -> Root:
        return self.state().root

    def state(self, node: str | None = None) -> State:
        """The state of the path that ends at `node` (default: the tip)."""
        todo: list[Node] = []
        state = State()
        for here in self.tree.above(node or self.tip):
            if here.id in self._states:
                state = self._states[here.id]
                break
            todo.append(here)
        for here in reversed(todo):
            state = apply(state, here, self.tree.said(here.id))
            self._states[here.id] = state
        return state

    def forget(self, node: str) -> None:
        """The states at and below `node`, of which something was said, are folded anew."""
        for here in self.tree.walk(node):
            self._states.pop(here, None)
