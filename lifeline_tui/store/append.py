"""Inside one transaction: how a node, an annotation and what is counted about them get into the file (Laws 1, 2, 4 and 5).

Nothing here begins or ends a transaction, and nothing is ever changed but tips, checkpoints and counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..core.codec import annotation_hash, decode, encode, node_hash
from ..core.nodes import KIND_OF, Annotation, Assistant, Body, How, Kind, Node, Remark, Root, canonical, fakes_shown, text_of
from ..core.text import visible
from .errors import StoreError
from .rows import Draft, clean, named, searchable


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands, and what its children count above them."""

    sha256: str
    root: str
    depth: int
    kind: str
    forged: int
    fakes: int
    first_fake_depth: int | None


def puts_words_in_its_mouth(body: Body) -> bool:
    """Whether a turn counts as forged for what comes after it: any that the subject did not write, but for an imported record."""
    return isinstance(body, Assistant) and body.how != How.IMPORTED


def place_of(node: Node, root: str, depth: int) -> Place:
    fakes = fakes_shown(node.body)
    first = node.first_fake_depth if node.first_fake_depth is not None or not fakes else depth
    return Place(
        node.sha256,
        root,
        depth,
        node.kind,
        node.forged_above + puts_words_in_its_mouth(node.body),
        node.fakes_above + fakes,
        first,
    )


class Ledger:
    """The writing side of one transaction for one session."""

    def __init__(self, conn: sqlite3.Connection, session: str, at: str, new_id: Callable[[], str]) -> None:
        self._conn = conn
        self.session = session
        self.at = at
        self._new_id = new_id
        last = "(SELECT max({0}) FROM nodes{1}), (SELECT max({0}) FROM annotations{1})"
        lasts = f"{last.format('n', '')}, {last.format('seq', ' WHERE session = ?1')}"
        tops = self._one(f"SELECT {lasts} FROM sessions WHERE id = ?1", session)
        if not tops:
            raise StoreError(f"There is no session {session}; `lifeline sessions` lists them.")
        self._n = max(tops[0] or 0, tops[1] or 0)
        self._seq = max(tops[2] or 0, tops[3] or 0)
        self._placed: dict[str, Place] = {}  # what this transaction appended need not be read back
        self._grown = dict.fromkeys(("nodes", "annotations", "branches", "attempts"), 0)

    def _one(self, sql: str, *values: Any) -> Any:
        return self._conn.execute(sql, values).fetchone()

    def node(self, draft: Draft, parent: str | None) -> Node:
        """Append `draft` under `parent`."""
        body, kind = draft.body, KIND_OF[type(draft.body)]
        above = self._may_follow(kind, parent)
        self._seq += 1
        node = Node(
            id=self._new_id(),
            session=self.session,
            parent=parent,
            seq=self._seq,
            at=self.at,
            body=body,
            raw=encode(body),
            sha256="",
            forged_above=above.forged if above else 0,
            fakes_above=above.fakes if above else 0,
            first_fake_depth=above.first_fake_depth if above else None,
            copied_from=draft.copied_from,
        )
        node = replace(node, sha256=node_hash(node, above.sha256 if above else ""))
        root, depth = (above.root, above.depth + 1) if above else (node.id, 0)
        self.insert_node(node, root, depth)
        self._placed[node.id] = place_of(node, root, depth)
        return node

    def _may_follow(self, kind: Kind, parent: str | None) -> Place | None:
        if parent is None:
            if kind is not Kind.ROOT:
                raise StoreError(f"A {kind} node needs a parent; only a root stands alone.")
            return None
        if kind is Kind.ROOT:
            raise StoreError(f"A root begins a fresh context and cannot follow node {parent}.")
        above = self.place(parent)
        if kind is Kind.REPLY:
            if above.kind != Kind.CALL:
                raise StoreError(f"A reply answers a call, but node {parent} is a {above.kind}.")
            if self._one("SELECT 1 FROM nodes WHERE parent = ? AND kind = 'reply'", parent):
                raise StoreError(f"Call {parent} already has its reply; another answer needs another call.")
        return above

    def place(self, node: str) -> Place:
        if node in self._placed:
            return self._placed[node]
        row = self._one(
            "SELECT session, sha256, root, depth, kind, forged_above, fakes_above, first_fake_depth,"
            # Reading a body takes longer than the rest of an append; canonical JSON shows a fake by these very characters.
            " CASE WHEN kind = 'assistant' OR (kind = 'user' AND instr(body, '\"truthful\":false') > 0) THEN body END"
            " FROM nodes WHERE id = ?",
            node,
        )
        if not row or row[0] != self.session:
            raise StoreError(f"Session {self.session} has no node {node}.")
        (_, sha256, root, depth, kind, forged, fakes, first, raw) = row
        if raw is not None:
            body = decode(Kind(kind), raw)
            shown = fakes_shown(body)
            first = depth if first is None and shown else first
            forged, fakes = forged + puts_words_in_its_mouth(body), fakes + shown
        return Place(sha256, root, depth, kind, forged, fakes, first)

    def hash_of(self, node: str) -> str:
        if node in self._placed:
            return self._placed[node].sha256
        row = self._one("SELECT sha256 FROM nodes WHERE id = ? AND session = ?", node, self.session)
        if not row:
            raise StoreError(f"Session {self.session} has no node {node}.")
        return str(row[0])

    def insert_node(self, node: Node, root: str, depth: int) -> None:
        """Write `node` as it is; a call opens its checkpoint and a reply closes it."""
        self._n += 1
        self._conn.execute(
            "INSERT INTO nodes (n, id, session, parent, seq, kind, at, body, text, clean, sha256, forged_above, fakes_above,"
            " first_fake_depth, copied_from, root, depth) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._n, node.id, node.session, node.parent, node.seq, str(node.kind), node.at, node.raw,
                visible(text_of(node.body)), clean(node.raw), node.sha256, node.forged_above, node.fakes_above,
                node.first_fake_depth, node.copied_from, root, depth,
            ),
        )  # fmt: skip
        self._grown["nodes"] += 1
        if node.kind is Kind.CALL and node.copied_from is None:
            self._conn.execute("INSERT INTO checkpoints VALUES (?, ?, '\"\"', '\"\"', ?)", (node.id, node.session, node.at))
        elif node.kind is Kind.REPLY:
            self._conn.execute("DELETE FROM checkpoints WHERE call = ?", (node.parent,))

    def remark(self, remark: Remark, node: str) -> Annotation:
        """Append what `remark` says about `node`."""
        self._seq += 1
        raw = canonical(remark.value)
        note = Annotation(
            id=self._new_id(),
            session=self.session,
            seq=self._seq,
            node=node,
            field=remark.field,
            value=remark.value,
            raw=raw,
            by=remark.by,
            at=self.at,
            sha256="",
            puzzle=remark.puzzle,
            version=remark.version,
        )
        note = replace(note, sha256=annotation_hash(note, self.hash_of(node)))
        self.insert_annotation(note)
        return note

    def insert_annotation(self, note: Annotation) -> None:
        self._n += 1
        if note.field == "attempt" and not self._one(
            "SELECT 1 FROM annotations WHERE node = ? AND puzzle IS ? AND field = 'attempt'"
            " UNION ALL SELECT 1 FROM nodes WHERE id = ?1 AND copied_from IS NOT NULL",
            note.node,
            note.puzzle,
        ):
            self._grown["attempts"] += 1
        self._conn.execute(
            "INSERT INTO annotations (n, id, session, seq, node, puzzle, span, field, value, text, clean, by, version, at, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._n, note.id, note.session, note.seq, note.node, note.puzzle, note.span, note.field, note.raw,
                searchable(note.field, note.value), clean(note.raw), note.by, note.version, note.at, note.sha256,
            ),
        )  # fmt: skip
        self._grown["annotations"] += 1
        if note.field in ("name", "hide"):
            self._project(note.node)

    def _project(self, node: str) -> None:
        """A name or a hide of the session's first root shows in its row."""
        for field, value in session_facts(self._conn, self.session, node).items():
            self._conn.execute(f"UPDATE sessions SET {field} = ? WHERE id = ?", (value, self.session))

    def tip(self, name: str, node: str) -> None:
        """Move branch `name` to `node`, making it if there is none."""
        self.place(node)
        if not self._conn.execute(
            "UPDATE branches SET tip = ? WHERE session = ? AND name = ?", (node, self.session, name)
        ).rowcount:
            self._conn.execute("INSERT INTO branches VALUES (?, ?, ?)", (self.session, name, node))
            self._grown["branches"] += 1

    def keep(self, view: Mapping[str, Any]) -> None:
        """Keep JSON values of the view: cursor, queued feedback, chosen child, drafts."""
        keep(self._conn, self.session, view)

    def settle(self, *, touch: bool = True) -> None:
        """Bring the stored counts up to date; the last thing in a transaction."""
        grown = self._grown
        self._conn.execute(
            "UPDATE sessions SET nodes = nodes + ?, annotations = annotations + ?, branches = branches + ?, attempts = attempts + ?,"
            " updated_at = CASE WHEN ? THEN max(updated_at, ?) ELSE updated_at END WHERE id = ?",
            (grown["nodes"], grown["annotations"], grown["branches"], grown["attempts"], touch, self.at, self.session),
        )


def keep(conn: sqlite3.Connection, session: str, view: Mapping[str, Any]) -> None:
    conn.executemany(
        "INSERT INTO view_state VALUES (?, ?, ?) ON CONFLICT (session, key) DO UPDATE SET value = excluded.value",
        [(session, key, canonical(value)) for key, value in view.items()],
    )


def first_root(conn: sqlite3.Connection, session: str) -> str:
    """The id of the root that `session` began with; empty while there is none."""
    row = conn.execute("SELECT id FROM nodes WHERE session = ? AND kind = 'root' ORDER BY seq, id LIMIT 1", (session,)).fetchone()
    return row[0] if row else ""


def root_facts(root: Root) -> dict[str, Any]:
    """What a session's row says because its first root does: columns that no annotation may change."""
    plan: Any = root.plan
    name = plan.get("name") if isinstance(plan, dict) else None
    return {"plan": named(str(name or "")), "model": named(str(root.model)), "simulated": int(bool(root.simulated))}


def session_facts(conn: sqlite3.Connection, session: str, node: str | None = None) -> dict[str, Any]:
    """The title and hidden mark of `session` as annotations on its first root say; empty when none does or `node` is another."""
    first = first_root(conn, session)
    if not first or node not in (None, first):
        return {}
    facts: dict[str, Any] = {}
    for field, column in (("name", "title"), ("hide", "hidden")):
        row = conn.execute(
            "SELECT value FROM annotations WHERE node = ? AND puzzle IS NULL AND field = ? AND by IN ('machine', 'operator')"
            " ORDER BY by = 'operator' DESC, seq DESC, id DESC LIMIT 1",
            (first, field),
        ).fetchone()
        if row:
            value = json.loads(row[0])
            facts[column] = int(bool(value)) if column == "hidden" else named(str(value))
    return facts
