"""The session's tree as twigs for the rail: one a turn of the subject's, or a user turn that has none yet."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.nodes import Assistant, Node, Reply, Root, Status, User
from ..core.state import Attempt
from ..session import Session
from .rail import Twig


def twigs(session: Session) -> Iterator[Twig]:
    """Parents before children.  A branch's name stands at its tip."""
    names: dict[str, str] = {}
    for name, tip in session.branches.items():
        names[tip] = f"{names[tip]}, {name}" if tip in names else name
    shown: dict[str, str | None] = {}
    for id in session.tree.walk():
        node = session.tree[id]
        above = shown[node.parent] if node.parent is not None else None
        if isinstance(node.body, Root | Reply | Assistant) or (isinstance(node.body, User) and not session.tree.kids(id)):
            yield _twig(session, node, above, names.get(id, ""))
            shown[id] = id
        else:
            shown[id] = above


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
        marks, tone = ["fake"], "forged"
    elif isinstance(node.body, Reply) and node.body.status is not Status.COMPLETE:
        marks, tone = [str(node.body.status)], "error"
    if len(attempts) == 1:
        mark = mark_of(attempts[0])
        marks.append(mark)
        tone = tone or {"right": "right", "wrong": "wrong", "lifeline": "skip"}.get(mark, "")
        label = f"{attempts[0].position}" + (f" try {attempts[0].number}" if attempts[0].number > 1 else "")
    elif attempts:
        label = f"{attempts[0].position}–{attempts[-1].position}"
    else:
        label = state.last_part.via if state.last_part and state.last_part.via else "turn"
    if any(a.shown_key and a.shown_key.truthful is False for a in state.attempts[-2:-1]):
        marks.append("fake")
    if session.tree.said(node.id).get(("", "bookmark")) is True:
        marks.append("bookmark")
    return Twig(node.id, above, label, tuple(marks), tone, name)


def mark_of(attempt: Attempt) -> str:
    """The sign of an attempt: its grade, or what it was instead of an answer."""
    if attempt.outcome == "skipped":
        return "lifeline"
    if attempt.outcome in ("violated", "ambiguous"):
        return "both"
    if attempt.action == "answer":
        return attempt.grade or "ungradable"
    return "refusal" if attempt.outcome == "refused" else "unparsed"
