"""`lifeline verify`: does the file still say what was written to it?  (Laws 1 and 2.)

It recomputes the hash chain, so it proves alteration; it cannot prove that the newest rows were not removed.  It only reads.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..core.codec import annotation_hash, node_hash
from ..core.nodes import Annotation, Call, Kind, Node, Root, text_of
from ..core.text import visible
from .append import Place, place_of, root_facts, session_facts
from .database import TROUBLE
from .errors import sentence
from .read import Reader
from .recovery.pages import torn
from .rows import ANNOTATION, NODE, clean, searchable, to_annotation, to_node
from .schema import TRIGGERS
from .views import VIEWS

DigestOf = Callable[[list[Node]], str | None]
"""The digest of what a call sent, recomputed from the path root → call; None where its renderer is unknown."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

_COUNTS = {
    "nodes": "(SELECT count(*) FROM nodes n WHERE n.session = s.id)",
    "annotations": "(SELECT count(*) FROM annotations a WHERE a.session = s.id)",
    "branches": "(SELECT count(*) FROM branches b WHERE b.session = s.id)",
    "attempts": "(SELECT count(*) FROM (SELECT DISTINCT a.node, a.puzzle FROM annotations a JOIN nodes n ON n.id = a.node"
    " WHERE a.session = s.id AND a.field = 'attempt' AND n.copied_from IS NULL))",
}
_OPEN = """SELECT id, 'has no reply, and its checkpoint is missing' FROM nodes c WHERE session = ?1 AND kind = 'call'
AND copied_from IS NULL AND NOT EXISTS (SELECT 1 FROM nodes WHERE parent = c.id AND kind = 'reply')
AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE call = c.id)
UNION ALL SELECT call, 'has its reply, and still a checkpoint' FROM checkpoints k WHERE session = ?1
AND EXISTS (SELECT 1 FROM nodes WHERE parent = k.call AND kind = 'reply')"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written: a sentence, and the session and row it is about (empty: the whole file)."""

    text: str
    session: str = ""
    id: str = ""

    def __str__(self) -> str:
        return self.text


def verify(store: Reader, session: str | None = None, digest_of: DigestOf | None = None) -> list[Finding]:
    """All that is wrong with the file, or with one `session` of it; empty when nothing is."""
    try:
        # One moment of the file, whoever writes meanwhile.
        store.connection.execute("BEGIN")
        findings = [*_file(store.connection), *_log(store)]
        rows = store.connection.execute("SELECT id FROM sessions WHERE ?1 IS NULL OR id = ?1 ORDER BY id", (session,)).fetchall()
        for (id_,) in rows:
            findings += _looked_at(store.connection, id_, digest_of)
    except TROUBLE as error:
        return [Finding(sentence(error, store.file))]
    finally:
        if store.connection.in_transaction:
            store.connection.execute("ROLLBACK")
    return findings


def _looked_at(conn: sqlite3.Connection, session: str, digest_of: DigestOf | None) -> list[Finding]:
    """The findings; where rows contradict each other so that not even looking is possible, that is one."""
    try:
        return list(session_findings(conn, session, digest_of))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return [Finding(f"Session {session} cannot be read whole: {error!r}.", session, session)]


def _log(store: Reader) -> Iterator[Finding]:
    """The write-ahead log, of which SQLite passes over in silence what it cannot read."""
    if (lost := torn(store.file)) and torn(store.file) == lost:  # twice: another process may have been writing
        yield Finding(
            f"The write-ahead log is damaged: {lost} transactions in it cannot be read. After a power cut or a write that failed"
            " nothing that was acknowledged is missing; otherwise turns are."
        )


def _file(conn: sqlite3.Connection) -> Iterator[Finding]:
    for (text,) in conn.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield Finding(f"SQLite says of the file: {text}.")
    stored = {
        name: (table, sql)
        for name, table, sql in conn.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
    }
    for name, sql in TRIGGERS.items():
        if name not in stored:
            yield Finding(f"Trigger {name} is gone: history could be changed.", id=name)
        elif stored[name][1] != sql:
            yield Finding(f"Trigger {name} was altered: history could be changed.", id=name)
    for name, (table, _) in stored.items():
        if name not in TRIGGERS and table in ("nodes", "annotations"):
            yield Finding(f"Trigger {name} on {table} is not ours.", id=name)
    views = dict(conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
    for name, sql in VIEWS.items():
        if views.get(name) != sql:
            yield Finding(f"View {name} {'was altered' if name in views else 'is gone'}: tables and exports read it.", id=name)
    for table, row, other, _ in conn.execute("PRAGMA foreign_key_check"):
        yield Finding(f"Row {row} of {table} points at a row of {other} that does not exist.", id=str(row))


def session_findings(conn: sqlite3.Connection, session: str, digest_of: DigestOf | None) -> Iterator[Finding]:
    """All that is wrong with one session, as it stands in the caller's transaction.  Only what passes here is let in by an import."""
    nodes: dict[str, Node] = {}
    places: dict[str, Place] = {}
    whole: dict[str, bool] = {}
    columns = f"SELECT {NODE}, text, clean, root, depth FROM nodes WHERE session = ? ORDER BY seq, id"
    for *row, text, shown, root, depth in conn.execute(columns, (session,)).fetchall():
        try:
            node = to_node(tuple(row))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield Finding(f"Node {row[0]} cannot be read: {error}.", session, row[0])
            continue
        nodes[node.id] = node
        above = places.get(node.parent) if node.parent else None
        if node.parent and (above is None or node.seq <= nodes[node.parent].seq):
            yield Finding(f"Node {node.id} does not stand after its parent {node.parent}, or that is missing.", session, node.id)
        if (text, shown) != (visible(text_of(node.body)), clean(node.raw)):
            yield Finding(f"Node {node.id} shows another text than it holds.", session, node.id)
        wrong = list(_node(node, nodes.get(node.parent or ""), above, root, depth))
        yield from (Finding(f"Node {node.id} {each}.", session, node.id) for each in wrong)
        whole[node.id] = not wrong and (node.parent is None or whole.get(node.parent, False))
        if digest_of is not None and whole[node.id] and isinstance(node.body, Call) and node.body.digest:
            said = digest_of(_path(nodes, node))
            if said is not None and said != node.body.digest:
                yield Finding(f"Call {node.id} did not send what its path says: its digest differs.", session, node.id)
        places[node.id] = place_of(node, root, depth)
    yield from _annotations(conn, session, nodes)
    yield from _subject(conn, session, nodes)
    yield from _stored(conn, session)


def _node(node: Node, parent: Node | None, above: Place | None, root: str, depth: int) -> Iterator[str]:
    if node_hash(node, parent.sha256 if parent else "") != node.sha256:
        yield "was altered, or its parent was: its hash differs"
    if (above.root if above else node.id, above.depth + 1 if above else 0) != (root, depth):
        yield "has a wrong root or depth stored"
    counted = (above.forged, above.fakes, above.first_fake_depth) if above else (0, 0, None)
    if counted != (node.forged_above, node.fakes_above, node.first_fake_depth):
        yield "has wrong counts of what was forged or faked above it"
    if isinstance(node.body, Call) and not _DIGEST.fullmatch(node.body.digest):
        yield f"is a call whose digest is {node.body.digest!r}, which is none"
    if node.kind is Kind.REPLY and (parent is None or parent.kind is not Kind.CALL):
        yield "is a reply to no call"


def _path(nodes: dict[str, Node], node: Node) -> list[Node]:
    path, at = [node], nodes.get(node.parent or "")
    while at is not None:
        path.append(at)
        at = nodes.get(at.parent or "")
    path.reverse()
    return path


def _annotations(conn: sqlite3.Connection, session: str, nodes: dict[str, Node]) -> Iterator[Finding]:
    columns = f"SELECT {ANNOTATION}, text, clean FROM annotations WHERE session = ? ORDER BY seq, id"
    for *row, text, shown in conn.execute(columns, (session,)).fetchall():
        try:
            note: Annotation = to_annotation(tuple(row))
        except (ValueError, TypeError, RecursionError) as error:
            yield Finding(f"Annotation {row[0]} cannot be read: {error}.", session, row[0])
            continue
        if (text, shown) != (searchable(note.field, note.value), clean(note.raw)):
            yield Finding(f"Annotation {note.id} shows another text than it holds.", session, note.id)
        node = nodes.get(note.node)
        if node is None:
            yield Finding(
                f"Annotation {note.id} is about node {note.node}, which session {session} does not have.", session, note.id
            )
        elif note.seq <= node.seq:
            yield Finding(f"Annotation {note.id} stands before the node that it is about.", session, note.id)
        elif annotation_hash(note, node.sha256) != note.sha256:
            yield Finding(f"Annotation {note.id} was altered, or its node was: its hash differs.", session, note.id)


def _subject(conn: sqlite3.Connection, session: str, nodes: dict[str, Node]) -> Iterator[Finding]:
    """Who spoke, and whether it was a model: a session has one kind of subject, and its row says what its first root says."""
    root = next((node.body for node in nodes.values() if isinstance(node.body, Root)), None)
    if root is None:
        return
    for node in nodes.values():
        if isinstance(node.body, Root | Call) and node.body.simulated != root.simulated:
            kind = "simulated" if node.body.simulated else "not simulated"
            yield Finding(
                f"{node.kind.capitalize()} {node.id} says that its subject is {kind}, unlike the session's first root.",
                session,
                node.id,
            )
    for column, value in root_facts(root).items():
        ((stored,),) = conn.execute(f"SELECT {column} FROM sessions WHERE id = ?", (session,))
        if stored != value:
            yield Finding(f"Session {session} says {column} is {stored!r}, but its first root says {value!r}.", session, session)


def _stored(conn: sqlite3.Connection, session: str) -> Iterator[Finding]:
    """What may change, and must agree with what may not."""
    for name, truth in _COUNTS.items():
        ((stored, counted),) = conn.execute(f"SELECT s.{name}, {truth} FROM sessions s WHERE s.id = ?", (session,))
        if stored != counted:
            yield Finding(f"Session {session} counts {stored} {name}, but has {counted}.", session, session)
    for column, value in session_facts(conn, session).items():
        ((stored,),) = conn.execute(f"SELECT {column} FROM sessions WHERE id = ?", (session,))
        if stored != value:
            yield Finding(f"Session {session} says {column} is {stored!r}, but its annotations say {value!r}.", session, session)
    for name, tip in conn.execute(
        "SELECT name, tip FROM branches b WHERE session = ?1 AND NOT EXISTS (SELECT 1 FROM nodes WHERE id = b.tip AND session = ?1)",
        (session,),
    ):
        yield Finding(f"Branch {name!r} of session {session} points at node {tip}, which it does not have.", session, tip)
    for call, text in conn.execute(_OPEN, (session,)):
        yield Finding(f"Call {call} {text}.", session, call)
