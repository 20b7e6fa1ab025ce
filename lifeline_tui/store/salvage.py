"""What can be proved of a damaged notebook, taken into a new one; the damaged file is only read.

A turn is proved by its hash and by those of all turns above it, a remark by its own and its turn's: so nothing comes in that was not
written, and all that is whole on any page does.  Names, times, branches and the address of a server have no hash: they come along where
they fit.  A call whose reply is not proved gets one that says so, and what had arrived of it stands there as imported, not as the
model's.  Queued feedback and the rest of the view do not come along.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.nodes import Annotation, Kind, Node, Origin, Reply, Root, Span, Status, annotation_hash, node_hash
from .append import root_facts
from .errors import BadReference, StoreError
from .pages import Row, rows
from .rows import to_annotation, to_node
from .store import Judged, Store

SESSION, NODE, ANNOTATION = 12, 17, 15
"""Columns of those tables' rows."""
_KINDS = frozenset(Kind)


@dataclass(slots=True)
class Salvage:
    """What came of it: counts of what was taken in, the ids of rows that were found and could not be proved, and sentences."""

    sessions: int = 0
    nodes: int = 0
    annotations: int = 0
    branches: int = 0
    unanswered: int = 0
    unproved: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        taken = (
            f"{self.sessions} sessions, {self.nodes} turns, {self.annotations} remarks and {self.branches} branches were salvaged"
        )
        lost = f" {self.unanswered} calls have no reply that can be proved, and say so." if self.unanswered else ""
        beside = f"; {len(self.unproved)} damaged rows were found beside them."
        return taken + beside + lost + "".join(f" {why}" for why in self.refused)


@dataclass(slots=True)
class _Found:
    """Rows as they stand on the pages, the newest first."""

    nodes: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    annotations: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    sessions: dict[str, Row] = field(default_factory=dict)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    checkpoints: dict[str, tuple[str, str]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


def salvage(damaged: Path, into: Path, judged: Judged) -> Salvage:
    """Takes all that can be proved of `damaged` into a new notebook at `into`.  Raises StoreError; BadReference where that is there."""
    if into.exists():
        raise BadReference(f"{into} is there already: name a new file for what is salvaged.")
    try:
        found = _found(rows(damaged))
    except OSError as error:
        raise BadReference(f"{damaged} cannot be read: {error.strerror}.") from error
    nodes = _proved(found.nodes)
    notes = _proved_remarks(found.annotations, nodes)
    result = Salvage(unproved=(set(found.nodes) - set(nodes)) | (set(found.annotations) - set(notes)))
    if not nodes:
        raise BadReference(f"{damaged} holds nothing that can be proved: it is no lifeline notebook, or too little of it is left.")
    with Store(into, judged=judged) as store:
        for session in dict.fromkeys(node.session for node in nodes.values()):
            own = [node for node in nodes.values() if node.session == session]
            said = [note for note in notes.values() if note.session == session]
            row, branches = _row(found, session, own), _branches(found, session, own)
            try:
                counts = store.import_session(row, own, said, branches)
            except StoreError as error:
                result.refused.append(f"Session {session} was left out: {error}")
                continue
            result.sessions += 1
            result.nodes += counts["nodes"]
            result.annotations += counts["annotations"]
            result.branches += counts["branches"]
            if session in found.addresses:
                store.set_view_state(session, "api_base", found.addresses[session])
            result.unanswered += len(store.own(session, lambda point: _unproved(*found.checkpoints.get(point.call, ("", "")))))
    return result


def _found(every: Iterable[Row]) -> _Found:
    found = _Found()
    for row in every:
        match row:
            case (_, str(id_), str(), *_) if len(row) == NODE and row[5] in _KINDS:
                found.nodes[id_].append(row)
            case (_, str(id_), str(), int(), str(), *_) if len(row) == ANNOTATION:
                found.annotations[id_].append(row)
            case (str(id_), str(), str(), str(), int(), _, str(), str(), *_) if len(row) == SESSION:
                found.sessions.setdefault(id_, row)
            case (str(session), "api_base", str(address)) if address.startswith('"http'):
                found.addresses.setdefault(session, _text(address))
            case (str(session), str(name), str(tip)):
                found.branches.setdefault((session, name), tip)
            case (str(call), str(), str(text), str(reasoning), str()):
                found.checkpoints.setdefault(call, (_text(text), _text(reasoning)))
    return found


def _unproved(text: str, reasoning: str) -> Reply:
    """What closes a call whose reply, if it had one, was not found whole.  What had arrived has no hash: a bit of it may be wrong."""
    cause = "its reply was not found whole in a damaged notebook" + (", and this beginning of it is not proved" if text else "")
    return Reply((Span(text, Origin.IMPORTED),) if text else (), reasoning, Status.ERROR, cause)


def _text(raw: str) -> str:
    try:
        value = json.loads(raw)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _proved(candidates: dict[str, list[Row]]) -> dict[str, Node]:
    """The nodes whose hashes hold up to their root, parents first."""
    below: dict[str | None, list[Node]] = defaultdict(list)
    for versions in candidates.values():
        for node in _readable_nodes(versions):
            below[node.parent].append(node)
    proved: dict[str, Node] = {}
    waiting = [(node, "") for node in below[None]]
    while waiting:
        node, above = waiting.pop()
        if node.id in proved or node_hash(node, above) != node.sha256:
            continue
        proved[node.id] = node
        waiting += [(kid, node.sha256) for kid in below[node.id] if kid.session == node.session]
    return dict(sorted(proved.items(), key=lambda each: (each[1].session, each[1].seq)))


def _readable_nodes(versions: Sequence[Row]) -> Iterator[Node]:
    for row in versions:
        _, id_, session, parent, seq, kind, at, body, _, _, sha256, forged, fakes, first, copied, *_ = row
        try:
            yield to_node((id_, session, parent, seq, kind, at, body, sha256, forged, fakes, first, copied))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue


def _proved_remarks(candidates: dict[str, list[Row]], nodes: dict[str, Node]) -> dict[str, Annotation]:
    proved: dict[str, Annotation] = {}
    for id_, versions in candidates.items():
        for _, _, session, seq, node, puzzle, span, field_, value, _, _, by, version, at, sha256 in versions:
            if node not in nodes or nodes[node].session != session:
                continue
            try:
                note = to_annotation((id_, session, seq, node, puzzle, span, field_, value, by, version, at, sha256))
                if annotation_hash(note, nodes[node].sha256) == sha256:
                    proved[id_] = note
            except (ValueError, TypeError, RecursionError):
                continue
    return proved


def _row(found: _Found, session: str, nodes: Sequence[Node]) -> dict[str, Any]:
    """The session's row: what its first root says, and the title and the times that were found."""
    root = next(node.body for node in nodes if isinstance(node.body, Root))
    facts = root_facts(root)
    row = {"id": session, "title": facts["plan"], "created_at": nodes[0].at, "updated_at": nodes[-1].at, **facts}
    if session in found.sessions:
        _, title, _, _, _, _, created, updated, *_ = found.sessions[session]
        row |= {"title": title, "created_at": created, "updated_at": updated}
    return row


def _branches(found: _Found, session: str, nodes: Sequence[Node]) -> list[dict[str, str]]:
    """The branches whose tips are proved; every turn that none of them holds is at the end of, or above, one more."""
    known = {node.id: node for node in nodes}
    branches = [{"name": name, "tip": tip} for (of, name), tip in found.branches.items() if of == session and tip in known]
    held: set[str] = set()
    for branch in branches:
        at: str | None = branch["tip"]
        while at is not None and at not in held:
            held.add(at)
            at = known[at].parent
    parents = {node.parent for node in nodes}
    names = {branch["name"] for branch in branches}
    for leaf in (node for node in nodes if node.id not in parents and node.id not in held):
        name = next(name for name in _names() if name not in names)
        names.add(name)
        branches.append({"name": name, "tip": leaf.id})
    return branches


def _names() -> Iterator[str]:
    yield "main"
    number = 1
    while True:
        yield f"salvaged-{number}"
        number += 1
