"""The store: everything that is ever said or done in a session, appended to one SQLite file and never changed (Law 1).

Each call that writes is one transaction under the side lock: all of it is on the disk when it returns, or StoreError was raised,
nothing was written and the store goes on.  Writing to a session makes this store its owner; whoever finds a session whose owner
died closes its open calls first, with what had arrived (Law 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.nodes import Annotation, Cause, Node, Origin, Remark, Reply, Span, Status, canonical
from .append import Ledger, first_root, keep
from .database import Database, real
from .errors import StoreError
from .identity import now_iso, ulid
from .ownership import Ownership
from .read import Reader
from .rows import Checkpoint, Draft, Hit, named
from .search import index_batch, waiting

Judged = Callable[[Reader, list[Node], Reply], Sequence[Remark]]
"""What to say about the reply that closes an open call, given the store and the path to that call (its last node)."""


def interrupted(point: Checkpoint) -> Reply:
    """The reply that closes a call which a dead owner left open."""
    return Reply(
        spans=(Span(point.text, Origin.MODEL),) if point.text else (),
        reasoning=point.reasoning,
        status=Status.INTERRUPTED,
        cause="the program ended before the reply did",
        cause_kind=Cause.KILLED,
    )


class Store(Reader):
    """A database opened for writing, and made if there is none.  For one thread at a time; the caller takes care of that."""

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Callable[[], str] = now_iso,
        new_id: Callable[[], str] = ulid,
        judged: Judged = lambda store, path, reply: (),
    ) -> None:
        self.file = real(path)
        self.clock = clock
        self.new_id = new_id
        self._judged = judged
        self._database = Database(self.file)
        self._conn = self._database.conn
        self._owned = Ownership(self.file)

    def __enter__(self) -> Store:
        return self

    def close(self) -> None:
        self._owned.release_all()
        self._database.close()

    @contextmanager
    def _ledger(self, session: str, *, touch: bool = True) -> Iterator[Ledger]:
        with self._database.writing() as conn:
            ledger = Ledger(conn, session, self.clock(), self.new_id)
            yield ledger
            ledger.settle(touch=touch)

    # Sessions and their owner

    def create_session(self, title: str, plan: str, model: str, simulated: bool) -> str:
        """A new, empty session, owned by this store.  Names are stored as they can be shown, on one line."""
        session = self.new_id()
        self._owned.take(session)
        try:
            with self._database.writing() as conn:
                at = self.clock()
                conn.execute(
                    "INSERT INTO sessions (id, title, plan, model, simulated, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (session, named(title), named(plan), named(model), simulated, at, at),
                )
        except StoreError:
            self._owned.release(session)
            raise
        return session

    def own(self, session: str, closing: Callable[[Checkpoint], Reply] = interrupted) -> list[Node]:
        """Run `session` from now on.  Calls that a dead owner left open get replies, by `closing`, which are returned.  Raises
        OwnedElsewhere while another process runs it."""
        if not self._owned.take(session):
            return []
        try:
            return self._recover(session, closing)
        except BaseException:
            self._owned.release(session)
            raise

    def release(self, session: str) -> None:
        """Let others run `session`."""
        self._owned.release(session)

    def _recover(self, session: str, closing: Callable[[Checkpoint], Reply]) -> list[Node]:
        found = self.open_calls(session)
        paths = {point.call: self.path(session, point.call) for point in found}
        replies = []
        if found:
            with self._ledger(session) as ledger:
                for point in found:
                    reply = closing(point)
                    node = ledger.node(Draft(reply), point.call)
                    for remark in self._judged(self, paths[point.call], reply):
                        ledger.remark(remark, remark.node or node.id)
                    for (name,) in self._all("SELECT name FROM branches WHERE session = ? AND tip = ?", session, point.call):
                        ledger.tip(name, node.id)
                    replies.append(node)
        return replies

    # History

    def append(
        self,
        session: str,
        drafts: Sequence[Draft],
        *,
        parent: str | None,
        remarks: Sequence[Remark] = (),
        branch: str | None = None,
        view: Mapping[str, Any] = {},
    ) -> tuple[list[Node], list[Annotation]]:
        """Append `drafts` as a chain under `parent`, then `remarks`, move `branch` to the last of them and keep `view` state: one
        transaction.

        A remark without a node is about the last node appended.
        """
        self.own(session)
        with self._ledger(session) as ledger:
            nodes: list[Node] = []
            for draft in drafts:
                nodes.append(ledger.node(draft, nodes[-1].id if nodes else parent))
            last = nodes[-1].id if nodes else parent or ""
            first = nodes[0].id if nodes else ""
            named_turn = (replace(each, value={**each.value, "turn": first}) if each.names_turn else each for each in remarks)
            notes = [ledger.remark(remark, remark.node or last) for remark in named_turn]
            if branch is not None:
                ledger.tip(named(branch), last)
            ledger.keep(view)
        return nodes, notes

    def annotate(self, session: str, remarks: Sequence[Remark], view: Mapping[str, Any] = {}) -> list[Annotation]:
        """Say something about nodes of `session`, each remark naming its node, and keep `view` state: one transaction."""
        self.own(session)
        with self._ledger(session) as ledger:
            notes = [ledger.remark(remark, remark.node) for remark in remarks]
            ledger.keep(view)
        return notes

    def rename(self, session: str, title: str) -> None:
        """Give `session` another title: an annotation on its first root, shown in its row."""
        self._say_of_session(session, Remark("name", title, by="operator"))

    def hide(self, session: str, hidden: bool = True) -> None:
        """Leave `session` out of the list, or put it back."""
        self._say_of_session(session, Remark("hide", hidden, by="operator"))

    def _say_of_session(self, session: str, remark: Remark) -> None:
        if not (root := first_root(self._conn, session)):
            raise StoreError(f"Session {session} is still empty; it can be renamed or hidden once it has begun.")
        self.own(session)
        with self._ledger(session) as ledger:
            ledger.remark(remark, root)

    # What may change: tips, checkpoints, view state

    def set_branch(self, session: str, name: str, tip: str, view: Mapping[str, Any] = {}) -> None:
        """Let the branch `name` end at `tip`, and keep `view` state: one transaction."""
        self.own(session)
        with self._ledger(session) as ledger:
            ledger.tip(named(name), tip)
            ledger.keep(view)

    def checkpoint(self, call: str, text: str, reasoning: str = "") -> bool:
        """Keep what has arrived of the reply to `call`; False when it has its reply already.  Survives a kill, not a power cut."""
        with self._database.writing(durable=False) as conn:
            sql = "UPDATE checkpoints SET text = ?, reasoning = ?, at = ? WHERE call = ?"
            return bool(conn.execute(sql, (canonical(text), canonical(reasoning), self.clock(), call)).rowcount)

    def set_view_state(self, session: str, key: str, value: Any) -> None:
        """Keep a JSON value: cursor, queued feedback, chosen child, drafts.  Needs no ownership."""
        with self._database.writing(durable=False) as conn:
            keep(conn, session, {key: value})

    # Search and import

    def index(self) -> bool:
        """Index a batch of what search does not know yet, in an idle moment; whether there is more."""
        if not waiting(self._conn):
            return False
        with self._database.writing(durable=False) as conn:
            index_batch(conn)
        return True

    def search(self, text: str, limit: int = 50, before: int | None = None) -> list[Hit]:
        while self.index():
            pass
        return super().search(text, limit, before)

    def import_session(
        self,
        session: Mapping[str, Any],
        nodes: Sequence[Node],
        annotations: Sequence[Annotation],
        branches: Sequence[Mapping[str, Any]],
    ) -> dict[str, int]:
        """Take in a session as it was elsewhere, or what is new in it: all, or, when anything in it is wrong, nothing.

        Returns how many nodes, annotations and branches were added, and how many were here already (`skipped`).
        """
        from .merge import adopt

        return adopt(self._database, self._owned, session, nodes, annotations, branches, self.clock, self.new_id)
