"""What can be done in a session, and where: everything that is decided from the tree before anything is written or asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..core.codec import as_data
from ..core.nodes import Assistant, Call, Node, Part, Remark, Reply, Root, System, User, plain
from ..core.schedule import due
from ..core.state import State
from ..core.tree import Tree
from ..core.wording import Templates
from ..interventions.table import TABLE, where
from ..interventions.types import ASIDE, Context, Effect, Intervention, Refusal, Values
from . import history
from .branches import trunk_of
from .history import History
from .view import Reading

Queues = dict[tuple[str, str], tuple[Part, ...]]
"""Feedback that waits, by (branch, tip)."""


def as_view(queues: Queues) -> dict[str, Any]:
    """`queues` as view state."""
    return {f"queue:{tip}:{branch}": [as_data(part) for part in queue] for (branch, tip), queue in queues.items()}


class Decisions(Reading):
    """A session with the feedback that waits in it, and the interventions that may be made."""

    def __init__(
        self, tree: Tree, branches: dict[str, str], branch: str, *, templates: Templates, queues: Queues, hands: bool
    ) -> None:
        super().__init__(tree, branches, branch)
        self.templates, self.hands = templates, hands
        self._queues = queues
        self.history = History()
        self._trunk: tuple[Any, str] = (None, "")
        self._left: tuple[Any, str] = (None, "")

    @property
    def busy(self) -> bool:
        """While a turn is being written, or its reply is arriving."""
        return False

    @property
    def trunk(self) -> str:
        """The branch that the plan goes on with: the one in hand, or the one that this probe's fork left."""
        seen = (self.branch, self.tip, len(self.branches), len(self.tree))
        if self._trunk[0] != seen:
            self._trunk = seen, trunk_of(self, self.branch)
        return self._trunk[1]

    def start(self, cursor: str | None = None) -> tuple[str, str]:
        """The branch and the turn that a probe leaves: the trunk and its tip, or the turn of the trunk that the cursor is on."""
        trunk = self.trunk
        tip = self.branches[trunk]
        if cursor is None or cursor not in self.tree or isinstance(self.tree[cursor].body, Root | System):
            return trunk, tip
        answered = tip
        for node in self.tree.above(tip):
            if isinstance(node.body, Reply | Assistant):
                answered = node.id
            if node.id == cursor:
                return trunk, answered
        return trunk, tip

    def queue(self, node: str | None = None, branch: str = "") -> tuple[Part, ...]:
        """The feedback waiting at `node`: what the operator made of it on `branch` (default: the one in hand), or else what the plan
        gives there."""
        node, branch = node or self.tip, branch or self.branch
        if (branch, node) in self._queues:
            return self._queues[branch, node]
        planned = self.due(node)
        if not planned or not self._queues:
            return planned
        # What the plan gave further up, and the operator took back there, does not come again.
        changed = {place for _, place in self._queues}
        above = [each.id for each in self.tree.above(node) if each.id in changed]
        settled = {(part.reply, part.puzzle) for place in above for part in self.due(place)}
        return tuple(part for part in planned if (part.reply, part.puzzle) not in settled)

    def due(self, node: str) -> tuple[Part, ...]:
        """The feedback that the plan gives at `node`."""
        return due(self.state(node), self.templates) if isinstance(self.tree[node].body, Reply | Assistant) else ()

    def context(self, cursor: str | None = None) -> Context:
        """What an intervention may look at, with the operator pointing at `cursor` (default: the tip)."""
        node = self.tree[cursor if cursor is not None and cursor in self.tree else self.tip]
        queue = self.queue()
        return Context(
            templates=self.templates,
            queue=queue,
            cursor=node,
            stand=self._stand(node),
            busy=self.busy,
            hands=self.hands,
            marked=self.tree.said(node.id).get(("", "bookmark")) is True,
            aside=self._aside(cursor),
            undoes=done.label if (done := history.last_done(self, queue)) else "",
            redoes=self.history.undone[-1].label if self.history.undone else "",
            text=self._text,
        )

    def _aside(self, cursor: str | None) -> str:
        """In words, where a probe leaves the trunk."""
        asked = (self.trunk, self.branches[self.trunk], cursor)
        if self._left[0] != asked:
            trunk, start = self.start(cursor)
            self._left = asked, f"from {trunk}, {where(self.state(start))}"
        return self._left[1]

    def seen(self, name: str, values: Values | None = None, cursor: str | None = None, at: str = "") -> tuple[State, Context]:
        """What an intervention is decided from: the path that it will hang from, which is `at` where that is given, and otherwise not
        always the one in hand."""
        context, entry = self.context(at or cursor), TABLE[name]
        if at:
            return self.state(at), replace(context, queue=self.queue(at))
        if entry.place and (values or {}).get("in", entry.place) == ASIDE:
            branch, start = self.start(cursor)
        elif entry.group == "step":
            branch, start = self.trunk, self.branches[self.trunk]
        else:
            return self.state(), context
        return self.state(start), replace(context, queue=self.queue(start, branch), branch=branch, start=start)

    def label(self, name: str) -> str:
        """An intervention in a word or two; of undo and redo, with what it would take back or do again."""
        context = self.context()
        what = {"undo": context.undoes, "redo": context.redoes}.get(name, "")
        return f"{TABLE[name].label}: {what}" if what else TABLE[name].label

    def _text(self, id: str) -> str:
        """What stands in a turn of the subject's, its reasoning left out."""
        body = self.tree[id].body if id in self.tree else None
        return plain(body.spans) if isinstance(body, Reply | Assistant) else ""

    def _stand(self, node: Node) -> str:
        """The node that another turn of the subject's would hang from, beside `node`."""
        if isinstance(node.body, Reply) and node.parent:
            node = self.tree[node.parent]
        if isinstance(node.body, Call | Assistant):
            return node.parent or ""
        return node.id if isinstance(node.body, User) else ""

    def refusal(self, name: str, cursor: str | None = None) -> str | None:
        """Why `name` cannot be done now; None when it can."""
        return TABLE[name].refuse(*self.seen(name, None, cursor))

    def decide(self, name: str, values: Values | None = None, cursor: str | None = None, at: str = "") -> Effect:
        """What `name` would do, below `at` where that is given: the exact text for a preview.  Raises Refusal."""
        effect = self._intervention(name).decide(*self.seen(name, values, cursor, at), values)
        return replace(effect, parent=at) if at else effect

    @staticmethod
    def _intervention(name: str) -> Intervention:
        if name not in TABLE:
            raise Refusal(f"There is no intervention {name!r}; there are: {', '.join(TABLE)}.")
        return TABLE[name]

    def overruled(self, remarks: Sequence[Remark]) -> Queues:
        """The queues that `remarks` change, as they will be."""
        ruled = {(remark.node, remark.puzzle) for remark in remarks if remark.field == "grade"}
        changed: Queues = {}
        for place, queue in self._queues.items():
            kept = tuple(part for part in queue if part.feedback != "verdict" or (part.reply, part.puzzle) not in ruled)
            if kept != queue:
                changed[place] = kept
        return changed

    def free_name(self, name: str) -> str:
        """`name`, or `name-2`, …: the first that no branch bears."""
        number, free = 1, name
        while free in self.branches:
            number += 1
            free = f"{name}-{number}"
        return free
