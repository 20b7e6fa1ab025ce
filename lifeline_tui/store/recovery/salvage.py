"""What can be proved of a damaged notebook, taken into a new one; the damaged file is only read.

A turn is proved by its hash and by those of all turns above it, a remark by its own and its turn's: so nothing comes in that was not
written, and all that is whole on any page does.  Names, times, branches and the address of a server have no hash: they come along where
they fit.  Queued feedback and the rest of the view do not come along.

The newest state of the file comes first.  Other readings of a page, and older ones, only add what it does not prove; of a session that
is whole in a sound file (SQLite finds no fault with it, nor we with its log) they add nothing.

A call without a reply is closed as after any program that ended, with what had arrived, where the file is sound, the call still has its
checkpoint, and no reply to it was found anywhere.  Otherwise a reply may have been lost: the call gets one that says so, and what had
arrived stands there as imported, not as the model's.

The new notebook is built in a folder of its own beside its place, and gets its name when it is whole.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ...core.nodes import Cause, Node, Origin, Reply, Root, Span, Status
from ...core.text import visible_line
from ..append import root_facts
from ..database import BESIDE, TROUBLE
from ..errors import BadReference, StoreError, trouble
from ..read import Reader
from ..rows import Checkpoint
from ..store import Judged, Store, interrupted
from .pages import Pages
from .scan import BAD, CHECKPOINT, COLUMNS, NODE, Found, Mark, Proved, by_session, json_text, to_note, weight

_LEAST_ROOM, _ROOM = 48_000_000, 4
"""Bytes of memory for what was found, and again for one session, at least and per byte of the file."""
_NAMED = 10
"""Sessions that are spoken of by name."""


@dataclass(slots=True)
class Salvage:
    """What came of it: counts of what was taken in, and a sentence for each thing that is not as it was."""

    sessions: int = 0
    nodes: int = 0
    annotations: int = 0
    branches: int = 0
    interrupted: int = 0
    unanswered: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.lost and not self.unanswered

    def __str__(self) -> str:
        taken = (
            f"{self.sessions} sessions, {self.nodes} turns, {self.annotations} remarks and {self.branches} branches were salvaged."
        )
        still = f" {self.interrupted} calls were still open, and are closed as interrupted." if self.interrupted else ""
        return taken + still + (f" {self.unanswered} calls have no reply that can be proved, and say so." * bool(self.unanswered))


def salvage(damaged: Path, into: Path, judged: Judged) -> Salvage:
    """Takes all that can be proved of `damaged` into a new notebook at `into`.  Raises StoreError; BadReference where that is there."""
    _look_at(into)
    with ExitStack() as held:
        try:
            pages = held.enter_context(Pages(damaged, COLUMNS))
        except OSError as error:
            raise BadReference(f"{damaged} cannot be read: {error.strerror}.") from error
        # Ours is closed last, since that drops the locks of the other.
        sound = held.enter_context(_sound(damaged)) and not pages.log.torn
        found = Found(_LEAST_ROOM + _ROOM * pages.bytes)
        proved = Proved(found)
        found.take(pages.newest(), newest=True)
        proved.add(pages)
        proved.first |= {*proved.nodes, *proved.notes}
        whole = proved.whole() if sound else set[str]()
        if not whole or set(proved.sessions()) - whole:
            found.take(pages.others(), newest=False, but=whole)
            proved.add(pages)
        if not proved.nodes:
            raise BadReference(
                f"{damaged} holds nothing that can be proved: it is no lifeline notebook, or too little of it is left."
                + _passed_over(pages, found)
            )
        replies = {mark.above for marks in found.nodes.values() for mark in marks if mark.reply}
        with _in_place(into) as part, Store(part, judged=judged) as store:
            result = _Taking(pages, proved, store, sound, replies).all()
            if not result.sessions:
                raise StoreError(f"Nothing could be taken of {damaged}. {' '.join(result.lost)}")
        if more := _passed_over(pages, found):
            result.lost.append(more.strip())
    return result


def _passed_over(pages: Pages, found: Found) -> str:
    """A sentence about what met a bound, if anything did."""
    left = pages.passed_over + found.left_out
    return f" {left} rows were passed over: they hold more than such a file can, or are too many." if left else ""


@contextmanager
def _sound(path: Path) -> Iterator[bool]:
    """Whether SQLite finds no fault with the file, which stays as it is at this moment, whoever writes meanwhile."""
    with ExitStack() as held:
        try:
            store = held.enter_context(Reader(path))
            held.enter_context(store.moment())
            ok = store.connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
        except (StoreError, *TROUBLE):
            ok = False
        yield ok


def _look_at(into: Path) -> None:
    """Raises BadReference unless a new notebook can stand there: what is left of another's log would be taken for its own."""
    for end in ("", *BESIDE):
        if os.path.lexists(path := into.with_name(into.name + end)):
            raise _there(path)


def _there(path: Path) -> BadReference:
    return BadReference(f"{path} is there already: name a new file for what is salvaged.")


@contextmanager
def _in_place(into: Path) -> Iterator[Path]:
    """Where to build what comes to stand at `into`, once it is whole; nothing is left of it otherwise.  Raises StoreError."""
    try:
        into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"{into.name}.unfinished-", dir=into.parent, ignore_cleanup_errors=True) as folder:
            part = Path(folder, into.name)
            try:
                yield part
            except StoreError as error:
                raise StoreError(str(error).replace(str(part), str(into))) from error
            if part.with_name(f"{part.name}-wal").exists():
                raise StoreError(
                    f"What was salvaged could not be put into one file at {into}: look after the disk, then try again."
                )
            os.close(os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            os.replace(part, into)
    except FileExistsError as error:
        raise _there(into) from error
    except OSError as error:
        raise trouble(error, into) from error


@dataclass(slots=True)
class _Taking:
    """The taking in, session after session."""

    pages: Pages
    proved: Proved
    store: Store
    sound: bool
    replies: set[str | None]
    """The calls to which any reply was found, proved or not."""
    result: Salvage = field(default_factory=Salvage)

    def all(self) -> Salvage:
        nodes, notes = by_session(self.proved.nodes), by_session(self.proved.notes)
        short = []
        for session, least in self.proved.sessions().items():
            taken, why = self._session(session, nodes[session], notes[session]) if session in nodes else (0, "")
            if taken < least or why:
                short.append((session, taken, least, why))
        self.result.lost += [self._said(*each) for each in short[:_NAMED]]
        if more := short[_NAMED:]:
            rest = sum(least - taken for _, taken, least, _ in more)
            self.result.lost.append(f"Of {len(more)} more sessions, {rest} turns and remarks were not taken.")
        return self.result

    def _session(self, session: str, nodes: list[Mark], notes: list[Mark]) -> tuple[int, str]:
        """How many turns and remarks were taken in, and why not all that are proved."""
        why = ""
        for chosen in (nodes + notes, [mark for mark in nodes + notes if mark.id in self.proved.first]):
            ids = {mark.id for mark in chosen}
            try:
                counts = self._import(
                    session, [mark for mark in nodes if mark.id in ids], [mark for mark in notes if mark.id in ids]
                )
            except StoreError as error:
                if isinstance(error.__cause__, (OSError, sqlite3.OperationalError)):
                    raise  # the disk, and not what was to be written
                why = why or str(error)
            except BAD as error:
                why = why or f"It cannot be read whole: {error!r}."
            else:
                self.result.sessions += 1
                self.result.nodes += counts["nodes"]
                self.result.annotations += counts["annotations"]
                self.result.branches += counts["branches"]
                return counts["nodes"] + counts["annotations"], why or self._close(session)
        return 0, why

    def _import(self, session: str, nodes: list[Mark], notes: list[Mark]) -> dict[str, int]:
        own: list[Node] = []
        cost = 0
        for mark in nodes:
            row = self.pages.row(mark.place)
            cost += weight(row[7]) if len(row) == NODE else 0
            node = self.proved.found.node(row) if cost <= self.proved.found.most else None
            if node is None:
                raise BadReference(
                    "It would take up too much memory." if cost > self.proved.found.most else "It changed as it was read."
                )
            own.append(node)
        said = [note for mark in notes if (note := to_note(self.pages.row(mark.place)))]
        root = next(node.body for node in own if isinstance(node.body, Root))
        facts = root_facts(root)
        whole = {"id": session, "title": facts["plan"], "created_at": own[0].at, "updated_at": own[-1].at, **facts}
        if stored := self.proved.found.first("session", session):
            whole |= {"title": stored[1], "created_at": stored[6], "updated_at": stored[7]}
        return self.store.import_session(whole, own, said, self.proved.branches(session, nodes))

    def _close(self, session: str) -> str:
        """Gives the session what goes on from where it stood; why that could not be, if it could not."""
        closed: list[bool] = []

        def closing(point: Checkpoint) -> Reply:
            call = point.call
            row = self.pages.row(place) if (place := self.proved.found.first("checkpoint", call)) else ()
            text, reasoning, at = (json_text(row[2]), json_text(row[3]), row[4]) if len(row) == CHECKPOINT else ("", "", "")
            open_ = self.sound and bool(self.proved.found.now("checkpoint", call)) and call not in self.replies
            closed.append(open_)
            return interrupted(Checkpoint(call, text, reasoning, at)) if open_ else _unproved(text, reasoning)

        try:
            if address := self.proved.found.first("address", session):
                self.store.set_view_state(session, "api_base", address)
            self.store.own(session, closing)
            self.store.release(session)
        except BAD as error:
            return f"Its open calls could not be closed: {error!r}."
        self.result.interrupted += closed.count(True)
        self.result.unanswered += closed.count(False)
        return ""

    def _said(self, session: str, taken: int, least: int, why: str) -> str:
        """What is missing of a session, and why."""
        row = self.proved.found.first("session", session)
        title = f" ({visible_line(row[1], 60)})" if row and row[1] else ""
        said = f"Session {session}{title}: {taken or 'none'} of {least} turns and remarks"
        if why:
            return f"{said}. {why}"
        damaged = below = 0
        for table, proved in ((self.proved.found.nodes, self.proved.nodes), (self.proved.found.notes, self.proved.notes)):
            for id_, marks in table.items():
                if id_ not in proved and marks[0].session == session:
                    under = all(mark.above is not None and mark.above not in self.proved.nodes for mark in marks)
                    damaged, below = damaged + (not under), below + under
        gone = least - taken - damaged - below
        whys = [f"{damaged} {'is' if damaged == 1 else 'are'} damaged"] if damaged else []
        whys += [f"{below} {'stands' if below == 1 else 'stand'} below a turn that is damaged or gone"] if below else []
        whys += [f"{gone} {'was' if gone == 1 else 'were'} not found"] if gone > 0 else []
        return f"{said}; {', '.join(whys)}."


def _unproved(text: str, reasoning: str) -> Reply:
    """What closes a call whose reply, if it had one, was not found whole.  What had arrived has no hash: a bit of it may be wrong."""
    cause = "its reply was not found whole in a damaged notebook"
    if text or reasoning:
        cause += ", and this beginning of it" + (", with its reasoning," if reasoning else "") + " is not proved"
    if reasoning:
        text = f"[reasoning]\n{reasoning}\n\n[reply]\n{text}"
    return Reply((Span(text, Origin.IMPORTED),) if text else (), status=Status.ERROR, cause=cause, cause_kind=Cause.DAMAGED)
