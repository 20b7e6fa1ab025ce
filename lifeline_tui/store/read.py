"""The read side: paths, trees, sessions and what was said about them.  A reader never writes, and never makes a file.

Each question is one statement, so each answer is one consistent moment even while another process writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ..core.nodes import Annotation, Node
from ..core.tree import Tree
from .database import TROUBLE, open_read_only, real
from .errors import ADVICE, BadReference, StoreError, sentence
from .ownership import Owner, owner_of
from .rows import ANNOTATION, NODE, SESSION, Branch, Checkpoint, Hit, Session, to_annotation, to_branch, to_node, to_session
from .search import find, sessions_saying

_SESSIONS = f"SELECT {SESSION}, (SELECT count(*) FROM checkpoints c WHERE c.session = sessions.id) FROM sessions"
# The CTE carries row numbers, not bodies, and the joins are told to follow it: one look-up by id per ancestor.
_PATH = f"""WITH RECURSIVE up(n, parent) AS (
    SELECT n, parent FROM nodes WHERE id = ?
    UNION ALL SELECT nodes.n, nodes.parent FROM up CROSS JOIN nodes ON nodes.id = up.parent
) SELECT {", ".join(f"nodes.{name}" for name in NODE.split(", "))} FROM up CROSS JOIN nodes ON nodes.n = up.n"""
T = TypeVar("T")
_MANY = 500
"""Values in one IN (…): far below any SQLite's limit."""


class Reader:
    """A database opened for reading only.  For one thread at a time."""

    def __init__(self, path: Path | str) -> None:
        self.file = real(path)
        self._conn = open_read_only(self.file)

    def close(self) -> None:
        self._conn.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """For the views and for exports: read from it, nothing else."""
        return self._conn

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All that is read inside is as it was at one moment, whoever writes meanwhile."""
        self._conn.execute("BEGIN")
        try:
            yield
        finally:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._conn.execute(sql, values).fetchall()
        except TROUBLE as error:
            raise StoreError(sentence(error, self.file)) from error

    def _read(self, to: Callable[[tuple[Any, ...]], T], rows: Iterable[tuple[Any, ...]]) -> list[T]:
        """`rows` as what they stand for.  Raises StoreError for one that cannot be read."""
        found = []
        for row in rows:
            try:
                found.append(to(row))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise self._damaged(f"row {row[0]} cannot be read ({error})") from error
        return found

    def _damaged(self, how: str) -> StoreError:
        return StoreError(f"{self.file} is damaged: {how}.{ADVICE}")

    # Sessions

    def sessions(self, search: str | None = None, *, include_hidden: bool = False, limit: int | None = None) -> list[Session]:
        """Sessions, the last changed first, at most `limit`; `search` looks in titles, plans and models."""
        where = "(hidden = 0 OR ?) AND (? IS NULL OR instr(lower(title || char(10) || plan || char(10) || model), lower(?)) > 0)"
        rows = self._all(
            f"{_SESSIONS} WHERE {where} ORDER BY updated_at DESC, rowid DESC LIMIT ?",
            include_hidden,
            search,
            search,
            -1 if limit is None else limit,
        )
        return self._read(to_session, rows)

    def session(self, ref: str) -> Session:
        """The session with the id or title `ref`, or the only one whose id or title begins with it.  Raises StoreError."""
        for where in ("id = ?", "title = ?", "substr(id, 1, length(?1)) = upper(?1)", "substr(title, 1, length(?1)) = ?1"):
            found = self._all(f"{_SESSIONS} WHERE {where} LIMIT 6", ref) if ref else []
            if len(found) == 1:
                return self._read(to_session, found)[0]
            if found:
                listed = ", ".join(f"{row[0]} ({row[1]})" for row in found[:5])
                raise BadReference(f"{len(found)} sessions or more are called {ref!r}: {listed}. Name one by its id.")
        raise BadReference(f"There is no session {ref!r} in {self.file}; `lifeline sessions` lists them.")

    def owner(self, session: str) -> Owner | None:
        """The live process that runs `session`, or None."""
        return owner_of(self.file, session)

    def branches(self, session: str) -> list[Branch]:
        return self._read(to_branch, self._all("SELECT session, name, tip FROM branches WHERE session = ? ORDER BY name", session))

    def branch(self, session: str, name: str) -> Branch:
        """The branch `name` of `session`.  Raises BadReference."""
        found = self.branches(session)
        for each in found:
            if each.name == name:
                return each
        raise BadReference(f"Session {session} has no branch {name!r}; it has {', '.join(each.name for each in found) or 'none'}.")

    # The tree

    def nodes(self, session: str) -> list[Node]:
        """All nodes of `session` in (seq, id) order."""
        nodes = self._read(to_node, self._all(f"SELECT {NODE} FROM nodes WHERE session = ? ORDER BY seq, id", session))
        known: set[str | None] = {None}
        for node in nodes:
            if node.parent not in known:
                raise self._damaged(f"node {node.id} stands under {node.parent}, which is not there")
            known.add(node.id)
        return nodes

    def path(self, session: str, node: str) -> list[Node]:
        """Root → `node`.  Raises StoreError when the session has no such node."""
        nodes = self._read(to_node, self._all(_PATH, node))
        if not nodes or nodes[0].session != session:
            raise BadReference(f"Session {session} has no node {node}.")
        nodes.reverse()
        return nodes

    def tree(self, session: str) -> tuple[Tree, dict[str, str]]:
        """All of `session`, with what was said about it, and the tips of its branches by name.  Raises StoreError."""
        tree = Tree(self.nodes(session), self.annotations(session))
        branches = {each.name: each.tip for each in self.branches(session)}
        for name, tip in branches.items():
            if tip not in tree:
                raise self._damaged(f"branch {name!r} ends at {tip}, which is not there")
        return tree, branches

    # What was said about it

    def annotations(self, session: str, nodes: Sequence[str] | None = None) -> list[Annotation]:
        """All annotations of `session`, or those on `nodes`, in (seq, id) order."""
        base = f"SELECT {ANNOTATION} FROM annotations"
        if nodes is None:
            return self._read(to_annotation, self._all(f"{base} WHERE session = ? ORDER BY seq, id", session))
        found: list[Annotation] = []
        for start in range(0, len(nodes), _MANY):
            some = nodes[start : start + _MANY]
            marks = ", ".join("?" * len(some))
            rows = self._all(f"{base} WHERE node IN ({marks})", *some)
            found += self._read(to_annotation, (row for row in rows if row[1] == session))
        return sorted(found, key=lambda note: (note.seq, note.id))

    def attempts(self, sessions: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of the attempts table of `sessions`, by column."""
        found: list[dict[str, Any]] = []
        for session in sessions:
            rows = self._conn.execute("SELECT * FROM v_attempts WHERE session = ?", (session,))
            names = [column[0] for column in rows.description]
            found += (dict(zip(names, row, strict=True)) for row in rows)
        return found

    def open_calls(self, session: str) -> list[Checkpoint]:
        """The calls of `session` without a reply: streaming while `owner(session)` lives, interrupted otherwise."""
        sql = "SELECT call, text, reasoning, at FROM checkpoints WHERE session = ? ORDER BY at, call"
        return self._read(_checkpoint, self._all(sql, session))

    def view_state(self, session: str, key: str, default: Any = None) -> Any:
        """The JSON value kept under `key`, or `default`."""
        rows = self._all("SELECT value FROM view_state WHERE session = ? AND key = ?", session, key)
        return self._read(_value, ((key, *row) for row in rows))[0][1] if rows else default

    def view_states(self, session: str) -> dict[str, Any]:
        """All view state of a session, by key."""
        return dict(self._read(_value, self._all("SELECT key, value FROM view_state WHERE session = ?", session)))

    def sessions_saying(self, text: str) -> set[str]:
        """The ids of the sessions in which all words of `text` stand together in a turn or a note."""
        try:
            return sessions_saying(self._conn, text)
        except TROUBLE as error:
            raise StoreError(sentence(error, self.file)) from error

    def search(self, text: str, limit: int = 50, before: int | None = None) -> list[Hit]:
        """Where all words of `text` stand together, newest first; `before` is the `n` of the last hit of the page before."""
        try:
            return find(self._conn, text, limit, before)
        except TROUBLE as error:
            raise StoreError(sentence(error, self.file)) from error


def _value(row: tuple[Any, ...]) -> tuple[str, Any]:
    key, raw = row
    return key, json.loads(raw)


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    call, text, reasoning, at = row
    return Checkpoint(call, json.loads(text), json.loads(reasoning), at)
