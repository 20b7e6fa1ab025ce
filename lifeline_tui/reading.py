"""A stored session as it can be read: its tree, its branches, and what each path amounts to.

Nothing here writes or asks.  A session that this process runs is one of these, and so is a recording.
"""

from __future__ import annotations

from .core.nodes import Node, Root
from .core.state import State, apply
from .core.tree import Tree

MAIN = "main"


class Reading:
    """A tree, with one of its branches in view.  States are folded once and kept until something is said about a node."""

    def __init__(self, tree: Tree, branches: dict[str, str], branch: str = MAIN) -> None:
        self.tree, self.branches, self.branch = tree, branches, branch
        self._states: dict[str, State] = {}

    @property
    def tip(self) -> str:
        return self.branches[self.branch]

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
