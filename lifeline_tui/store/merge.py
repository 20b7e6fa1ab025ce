"""Taking in a session from elsewhere: verbatim, after its hashes were checked, and all of it or nothing.

A node or annotation that is here already with the same hash is skipped; with another hash the whole session is refused.  Parents
may come after children.  Two copies of a session that went on apart are merged: their nodes are siblings, as in any fork.  What
counts of a turn that is here stays as it is: a file brings new turns and what is said of them, never another grade for an old one.
Whatever `verify` would find fault with is refused: the session is checked as it will stand, before the transaction ends.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from ..core.codec import annotation_hash, decode, node_hash
from ..core.nodes import Annotation, Kind, Node, Root, User, canonical
from ..core.transcript import call_digest
from .append import Ledger, Place, first_root, place_of, root_facts, session_facts
from .database import Database
from .errors import BadReference, StoreError
from .ownership import Ownership
from .rows import named
from .verify import session_findings

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_INT64 = range(-(1 << 63), 1 << 63)


def _order(thing: Node | Annotation) -> tuple[int, str]:
    return thing.seq, thing.id


def _refuse(what: str) -> StoreError:
    return BadReference(f"Nothing was imported: {what}.")


def adopt(
    database: Database,
    owned: Ownership,
    session: Mapping[str, Any],
    nodes: Sequence[Node],
    annotations: Sequence[Annotation],
    branches: Sequence[Mapping[str, Any]],
    clock: Callable[[], str],
    new_id: Callable[[], str],
) -> dict[str, int]:
    row = _session_row(session, clock())
    id_ = row["id"]
    for node in nodes:
        _check_alone(node, id_)
    for note in annotations:
        _check_alone(note, id_)
    was_ours = id_ in owned
    owned.take(id_)
    try:
        with database.writing() as conn:
            new = not conn.execute("SELECT 1 FROM sessions WHERE id = ?", (id_,)).fetchone()
            if new:
                conn.execute(
                    "INSERT INTO sessions (id, title, plan, model, simulated, created_at, updated_at)"
                    " VALUES (:id, :title, :plan, :model, :simulated, :created_at, :updated_at)",
                    row,
                )
            ledger = Ledger(conn, id_, row["updated_at"], new_id)
            here = dict(conn.execute("SELECT id, sha256 FROM nodes WHERE session = ?", (id_,)))
            root = first_root(conn, id_)
            added = _nodes(ledger, nodes, here)
            _check_row(conn, row, root)
            told = _told(node for node in nodes if node.id not in here)
            said = dict(conn.execute("SELECT id, sha256 FROM annotations WHERE session = ?", (id_,)))
            noted = _annotations(ledger, annotations, said, here, told)
            moved = sum(_branch(ledger, conn, branch) for branch in branches)
            ledger.settle(touch=bool(added or noted or moved))
            for column, value in session_facts(conn, id_).items():
                conn.execute(f"UPDATE sessions SET {column} = ? WHERE id = ?", (value, id_))
            for finding in session_findings(conn, id_, call_digest):
                raise BadReference(f"Nothing was imported. {finding}")
    finally:
        if not was_ours:
            owned.release(id_)
    skipped = len(nodes) + len(annotations) - added - noted
    return {"nodes": added, "annotations": noted, "branches": moved, "skipped": skipped}


def _session_row(session: Mapping[str, Any], now: str) -> dict[str, Any]:
    id_ = session.get("id")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise _refuse(f"{id_!r} is not a session id")
    texts = {name: session.get(name) or "" for name in ("title", "plan", "model")}
    times = {name: session.get(name) or now for name in ("created_at", "updated_at")}
    for name, value in {**texts, **times}.items():
        if not isinstance(value, str):
            raise _refuse(f"{name} of session {id_} is not text")
    return {"id": id_, "simulated": int(bool(session.get("simulated"))), **{k: named(v) for k, v in texts.items()}, **times}


def _check_alone(thing: Node | Annotation, session: str) -> None:
    """What can be wrong with a row whatever stands around it."""
    what = f"{'node' if isinstance(thing, Node) else 'annotation'} {thing.id!r}"
    if not isinstance(thing.id, str) or not _ID.fullmatch(thing.id):
        raise _refuse(f"{what} has no proper id")
    if thing.session != session:
        raise _refuse(f"{what} belongs to session {thing.session!r}, not to {session}")
    if thing.seq not in _INT64:
        raise _refuse(f"{what} has the impossible place {thing.seq}")
    try:
        proper = canonical(json.loads(thing.raw)) == thing.raw
    except (ValueError, RecursionError):
        proper = False
    if not proper:
        raise _refuse(f"{what} does not hold the canonical JSON that was hashed")
    if isinstance(thing, Node) and (thing.kind is Kind.ROOT) != (thing.parent is None):
        raise _refuse(f"{what} is a {thing.kind} {'without' if thing.parent is None else 'with'} a parent")


def _known(what: str, id_: str, sha256: str, here: Mapping[str, str]) -> bool:
    if id_ in here and here[id_] != sha256:
        raise _refuse(f"{what} {id_} is here already with another content")
    return id_ in here


def _nodes(ledger: Ledger, nodes: Sequence[Node], here: Mapping[str, str]) -> int:
    """Insert what is new, parents first; the number of nodes inserted."""
    new: dict[str, Node] = {}
    hashes = {**here} | {node.id: node.sha256 for node in nodes}
    for node in sorted(nodes, key=_order):
        known = _known("node", node.id, node.sha256, here)
        if known and node_hash(node, hashes.get(node.parent or "", "")) != node.sha256:
            raise _refuse(f"node {node.id} is not what its hash says; the file was altered")
        if not known and new.setdefault(node.id, node).sha256 != node.sha256:
            raise _refuse(f"node {node.id} comes twice, with two contents")
    below: dict[str | None, list[Node]] = {}
    for node in new.values():
        below.setdefault(node.parent, []).append(node)
    places: dict[str, Place] = {}
    queue = [(_order(node), node.id) for node in new.values() if node.parent is None or node.parent in here]
    heapify(queue)
    while queue:
        node = new[heappop(queue)[1]]
        above = None if node.parent is None else places.get(node.parent) or ledger.place(node.parent)
        if node_hash(node, above.sha256 if above else "") != node.sha256:
            raise _refuse(f"node {node.id} is not what its hash says; the file was altered")
        root, depth = (above.root, above.depth + 1) if above else (node.id, 0)
        ledger.insert_node(node, root, depth)
        places[node.id] = place_of(node, root, depth)
        for child in below.get(node.id, ()):
            heappush(queue, (_order(child), child.id))
    if lost := next((node for node in new.values() if node.id not in places), None):
        raise _refuse(
            f"node {lost.id} has no path to a root: its parent {lost.parent} is missing, or the two stand above each other"
        )
    return len(places)


def _check_row(conn: sqlite3.Connection, row: Mapping[str, Any], root: str) -> None:
    """What the file says of the whole session must be what its first root says, and that must stay the one that is here."""
    first = first_root(conn, row["id"])
    if not first:
        raise _refuse(f"session {row['id']} is empty")
    if root and root != first:
        raise _refuse(f"session {row['id']} is here already and begins with another root")
    ((raw,),) = conn.execute("SELECT body FROM nodes WHERE id = ?", (first,))
    body = decode(Kind.ROOT, raw)
    assert isinstance(body, Root)
    for name, value in root_facts(body).items():
        if row[name] != value:
            raise _refuse(f"the file gives its {name} as {row[name]!r}, but its first root says {value!r}")


Told = set[tuple[str, str]]


def _told(new: Iterable[Node]) -> Told:
    """The attempts (reply, puzzle) that new turns give feedback on."""
    return {(part.reply, part.puzzle) for node in new if isinstance(node.body, User) for part in node.body.parts}


def _annotations(
    ledger: Ledger, annotations: Sequence[Annotation], here: dict[str, str], nodes: Mapping[str, str], told: Told
) -> int:
    """Insert what is new; the number inserted.  Of `nodes`, which were here before, nothing that counts comes in but what they were
    `told` by new ones."""
    inserted = 0
    for note in sorted(annotations, key=_order):
        known = _known("annotation", note.id, note.sha256, here)
        if annotation_hash(note, ledger.hash_of(note.node)) != note.sha256:
            raise _refuse(f"annotation {note.id} is not what its hash says; the file was altered")
        if known:
            continue
        fed_back = note.field == "feedback" and note.by == "machine" and (note.node, note.puzzle or "") in told
        if note.node in nodes and note.by in ("machine", "operator") and not fed_back:
            raise _refuse(
                f"the file adds {note.field} by {note.by} to node {note.node}, which is here already, and a file may not change "
                "what counts of it; say it here instead"
            )
        ledger.insert_annotation(note)
        here[note.id] = note.sha256
        inserted += 1
    return inserted


def _branch(ledger: Ledger, conn: sqlite3.Connection, branch: Mapping[str, Any]) -> int:
    """Bring in a branch; where both copies moved it apart, the imported tip gets a name of its own.  Whether anything changed."""
    name, tip = branch.get("name"), branch.get("tip")
    if not isinstance(name, str) or not isinstance(tip, str):
        raise _refuse(f"a branch of session {ledger.session} lacks its name or its tip")
    name = stem = named(name)
    copy = 2
    while row := conn.execute("SELECT tip FROM branches WHERE session = ? AND name = ?", (ledger.session, name)).fetchone():
        if row[0] == tip or _is_above(conn, tip, row[0]):
            return 0
        if _is_above(conn, row[0], tip):
            break
        name, copy = f"{stem} ({copy})", copy + 1
    ledger.tip(name, tip)
    return 1


def _is_above(conn: sqlite3.Connection, ancestor: str, node: str) -> bool:
    sql = (
        "WITH RECURSIVE up(id) AS (VALUES (?1) UNION ALL SELECT nodes.parent FROM up JOIN nodes ON nodes.id = up.id"
        " WHERE nodes.parent IS NOT NULL) SELECT EXISTS (SELECT 1 FROM up WHERE id = ?2)"
    )
    return bool(conn.execute(sql, (node, ancestor)).fetchone()[0])
