"""Recorded replay: a stored conversation played again from its record, each request rendered anew and each turn read anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..core.codec import as_data, encode
from ..core.nodes import FACTS, Assistant, Call, Node, Reply, Root, User, canonical, text_of
from ..core.reading.auto_annotate import judge
from ..core.state import State, apply
from ..core.text import visible_line
from ..core.transcript import call_digest
from ..core.tree import Tree
from ..store import Reader


@dataclass(frozen=True, slots=True)
class Replayed:
    """A node played again: `faithful` when its request, body and machine readings come out as they were recorded."""

    node: Node
    branch: str
    faithful: bool
    why: str

    def data(self) -> dict[str, Any]:
        return {"branch": self.branch, "node": self.node.id, "kind": str(self.node.kind), "body": as_data(self.node.body)} | {
            "faithful": self.faithful,
            "why": self.why,
        }

    def text(self) -> str:
        mark = "" if self.faithful else f"  NOT AS RECORDED: {self.why}"
        return f"[{self._writer()}] {text_of(self.node.body)}{mark}".rstrip() + "\n"

    def _writer(self) -> str:
        body = self.node.body
        match body:
            case Root():
                return f"{self.node.kind} {visible_line(body.model)}{' SIMULATED' if body.simulated else ''}"
            case Assistant():
                return f"{self.node.kind}, not the subject's own: {body.how}"
            case User():
                return f"{self.node.kind} {', '.join(dict.fromkeys(span.origin for part in body.parts for span in part.spans))}"
        return str(self.node.kind)


def replay_recorded(store: Reader, name: str, branch: str | None, every: bool) -> Iterator[Replayed]:
    """Plays branches again from their record.  Each request is rendered anew and each turn judged anew; nothing is asked."""
    session = store.session(name).id
    tree, tips = store.tree(session)
    chosen = list(tips) if every else [branch or ("main" if "main" in tips else next(iter(tips), "main"))]
    for each in chosen:
        yield from _replay(tree, each, tips.get(each) or store.branch(session, each).tip)


def _replay(tree: Tree, branch: str, tip: str) -> Iterator[Replayed]:
    state = State()
    path = tree.path(tip)
    for place, node in enumerate(path):
        why = ""
        if encode(node.body) != node.raw:
            why = "the body is not what this version would write"
        elif isinstance(node.body, Call):
            again = call_digest(path[: place + 1])
            if again != node.body.digest:
                why = f"the request's digest was {node.body.digest}, and is now {again}"
        elif isinstance(node.body, Reply | Assistant):
            before = path[place - 1].body
            why = _judged_otherwise(tree, state, node, before if isinstance(before, Call) else None)
        state = apply(state, node, tree.said(node.id))
        yield Replayed(node, branch, not why, why)


def _judged_otherwise(tree: Tree, state: State, node: Node, call: Call | None) -> str:
    """How the machine would read a turn differently now; "" where it reads it as it did."""
    assert isinstance(node.body, Reply | Assistant)
    recorded = {
        (n.puzzle or "", n.field): n.raw for n in tree.notes.get(node.id, ()) if n.by == "machine" and n.field != "feedback"
    }
    again = {(r.puzzle or "", r.field): canonical(r.value) for r in judge(state, node.body, call, "")}
    for place in sorted(set(recorded) | set(again)):
        if place[1] not in FACTS and recorded.get(place) != again.get(place):
            return f"{place[1]} of {place[0] or 'the turn'} was {recorded.get(place)}, and is now {again.get(place)}"
    return ""
