"""The tree of a session: nodes by id, children in the order they were made, and what has been said about each.

Parents alone are stored; children are derived here (a stored child list is what loses turns).  Annotations take effect by one rule:
the operator beats the machine, then the highest seq wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .nodes import Annotation, Node

Said = dict[tuple[str, str], Any]
"""(puzzle id or "", field) → the value in force."""


class Fork(NamedTuple):
    """Where a branch began: the branch that it left, the node where it did, and the intervention whose question it was made for."""

    left: str
    node: str
    probe: str = ""


def in_force(notes: Iterable[Annotation]) -> dict[tuple[str, str], Annotation]:
    """For each (puzzle, field) the annotation that counts.  Raters and judges are kept apart: theirs never count here."""
    best: dict[tuple[str, str], Annotation] = {}
    for note in notes:
        if note.by not in ("machine", "operator"):
            continue
        place = (note.puzzle or "", note.field)
        old = best.get(place)
        if old is None or (note.by == "operator", note.seq, note.id) > (old.by == "operator", old.seq, old.id):
            best[place] = note
    return best


class Tree:
    """Nodes and annotations of one session.  Grows by `add` and `annotate`; nothing is ever taken out."""

    def __init__(self, nodes: Iterable[Node] = (), notes: Iterable[Annotation] = ()) -> None:
        self.nodes: dict[str, Node] = {}
        self.forks: dict[str, Fork] = {}
        """By branch; sessions of the first version did not record it."""
        self.children: dict[str | None, list[str]] = {}
        self.notes: dict[str, list[Annotation]] = {}
        for node in nodes:
            self.add(node)
        for note in notes:
            self.annotate(note)

    def add(self, node: Node) -> None:
        self.nodes[node.id] = node
        self.children.setdefault(node.parent, []).append(node.id)

    def annotate(self, note: Annotation) -> None:
        self.notes.setdefault(note.node, []).append(note)
        if note.field == "fork" and isinstance(note.value, dict):
            told = {name: value if isinstance(value := note.value.get(name), str) else "" for name in ("branch", "from", "probe")}
            self.forks[told["branch"]] = Fork(told["from"], note.node, told["probe"])

    def __getitem__(self, node: str) -> Node:
        return self.nodes[node]

    def __contains__(self, node: str) -> bool:
        return node in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def above(self, node: str | None) -> Iterator[Node]:
        """`node` and its ancestors, nearest first."""
        while node is not None:
            here = self.nodes[node]
            yield here
            node = here.parent

    def path(self, node: str) -> list[Node]:
        """Root → `node`."""
        return list(self.above(node))[::-1]

    def kids(self, node: str | None) -> list[str]:
        """Children in the order they were made; of None: the roots."""
        return self.children.get(node, [])

    def siblings(self, node: str) -> list[str]:
        """`node` and those beside it."""
        return self.kids(self.nodes[node].parent)

    def place(self, node: str) -> tuple[int, ...]:
        """Where `node` stands, by counts alone: for each node from its root down, which of its siblings it is, the first being 0.
        It does not hang on ids, so a run that does the same again meets the same places."""
        return tuple(self.kids(here.parent).index(here.id) for here in self.above(node))[::-1]

    def leaves(self) -> list[str]:
        return [node for node in self.nodes if not self.kids(node)]

    def walk(self, start: str | None = None) -> Iterator[str]:
        """Every node under `start` (None: all), parents before children, siblings in order; no recursion."""
        stack = list(reversed(self.kids(start))) if start is None else [start]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(self.kids(node)))

    def said(self, node: str) -> Said:
        """What is in force about `node`."""
        return {place: note.value for place, note in in_force(self.notes.get(node, ())).items()}
