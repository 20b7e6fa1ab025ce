"""The session's tree as twigs for the rail: one a turn of the subject's, or a user turn that has none yet."""

from __future__ import annotations

import re
from itertools import islice

from ..core.nodes import Assistant, Call, How, Node, Part, Reply, Root, Status, User
from ..core.state import Attempt, State
from ..interventions.table import TABLE, called
from ..session.session import Session
from .rail import Grove, Twig


class Growth:
    """The session's tree as a grove that grows with it: a turn is looked at once, and again when something more is said about it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.forget()

    def forget(self) -> None:
        """An operator's remark may change how other turns are read too."""
        self.grove = Grove()
        self._read = 0
        self._shown: dict[str, str | None] = {}
        self._said: dict[str, int] = {}
        self._named: dict[str, str] = {}

    def twig_at(self, node: str) -> str:
        """The nearest turn at or above `node` that the rail shows."""
        return self._shown[node] or node

    def grow(self) -> Grove:
        """Takes in what is new since the last time."""
        tree = self.session.tree
        if any(isinstance(tree[id].body, User) and tree.kids(id) for id in self._bare()):
            self.forget()
        new = list(islice(tree.nodes.values(), self._read, None))
        self._read += len(new)
        for node in new:
            above = self._shown[node.parent] if node.parent is not None else None
            turn = isinstance(node.body, Root | Reply | Assistant) or (isinstance(node.body, User) and not tree.kids(node.id))
            turn = turn and not self._sampled(node)
            self._shown[node.id] = node.id if turn else above
        names = self._names()
        stale = {node.id for node in new if self._shown[node.id] == node.id}
        stale |= {id for id in {*names, *self._named} if names.get(id) != self._named.get(id)}
        stale |= {id for id, said in self._said.items() if len(tree.notes.get(id, ())) != said}
        for node in (*(node for node in new if node.id in stale), *(tree[id] for id in stale - {node.id for node in new})):
            above = self._shown[node.parent] if node.parent is not None else None
            self.grove.add(_twig(self.session, node, above, names.get(node.id, "")))
            self._said[node.id] = len(tree.notes.get(node.id, ()))
        self._named = names
        return self.grove

    def _sampled(self, node: Node) -> bool:
        """Whether a reply is a sample that no branch holds: the transcript's strip shows those."""
        return isinstance(node.body, Reply) and node.parent is not None and self.session.aside(node.parent)

    def _bare(self) -> list[str]:
        """Shown user turns that had no reply, not even a call."""
        return [id for id, twig in self.grove.twigs.items() if "posed" in twig.marks]

    def _names(self) -> dict[str, str]:
        """Branches by the turn at their tip."""
        names: dict[str, str] = {}
        for name, tip in self.session.branches.items():
            at = self.twig_at(tip)
            names[at] = f"{names[at]}, {name}" if at in names else name
        return names


def _twig(session: Session, node: Node, above: str | None, name: str) -> Twig:
    if isinstance(node.body, Root):
        return Twig(node.id, above, "start", name=name)
    if isinstance(node.body, User):
        return Twig(node.id, above, "unanswered", ("posed",), "", name)
    state = session.state(node.id)
    attempts = [a for a in state.attempts if a.reply == node.id]
    marks: list[str] = []
    tone = ""
    if isinstance(node.body, Assistant):
        marks, tone = ["edited" if node.body.how is How.EDITED else "forged"], "forged"
    elif isinstance(node.body, Reply) and node.body.status is not Status.COMPLETE:
        marks, tone = [str(node.body.status)], "error"
    told = ""
    if len(attempts) == 1:
        mark = mark_of(attempts[0])
        marks.append(mark)
        tone = tone or {"right": "right", "wrong": "wrong", "lifeline": "skip"}.get(mark, "")
        label = f"{attempts[0].position}" + (f" try {attempts[0].number}" if attempts[0].number > 1 else "")
        if any(part.via == "edit" for part in _parts(session, node)):
            label += " edit"
    elif attempts:
        label = f"{attempts[0].position}–{attempts[-1].position}"
    else:
        label = _asked(state)
    if isinstance(node.body, Assistant):
        label += " edit" if node.body.how is How.EDITED else " forged"
    elif _again(session, node):
        label += " again"
    if not attempts:
        told = next((part.shown or "" for part in reversed(_parts(session, node)) if part.truthful is False and part.shown), "")
    if any(a.shown_key and a.shown_key.truthful is False for a in state.attempts[-2:-1]):
        marks.append("fake")
    if session.tree.said(node.id).get(("", "bookmark")) is True:
        marks.append("bookmark")
    stem = re.sub(r"-\d+$", "", name)
    known = name == label or (stem in TABLE and label.startswith(TABLE[stem].label))
    return Twig(node.id, above, label, tuple(marks), tone, "" if known else name, told)


def _parts(session: Session, node: Node) -> tuple[Part, ...]:
    """What the subject was told and asked in the turn that `node` answers."""
    for above in islice(session.tree.above(node.parent), 2):
        if isinstance(above.body, User):
            return above.body.parts
    return ()


def _asked(state: State) -> str:
    """What was asked last, and of which puzzle: "workings P3"."""
    last = state.last_part
    if last is None or not last.via:
        return "turn"
    position = state.position(last.puzzle)
    return called(last.via) + (f" P{position}" if position is not None else "")


def _again(session: Session, node: Node) -> bool:
    """Whether the reply is one more to the same turn."""
    call = session.tree[node.parent].body if node.parent else None
    return isinstance(call, Call) and call.sample_index > 0


def mark_of(attempt: Attempt) -> str:
    """The sign of an attempt: its grade, or what it was instead of an answer."""
    if attempt.outcome == "skipped":
        return "lifeline"
    if attempt.outcome == "violated":
        return "violation"
    if attempt.outcome == "ambiguous":
        return "both"
    if attempt.action == "answer":
        return attempt.grade or "ungradable"
    return "refusal" if attempt.outcome == "refused" else "unparsed"
