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

import json
import os
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ..core.nodes import Annotation, Kind, Node, Origin, Reply, Root, Span, Status, annotation_hash, node_hash
from ..core.text import visible_line
from .append import root_facts
from .database import BESIDE, TROUBLE
from .errors import BadReference, StoreError, trouble
from .pages import Pages, Place, Row
from .read import Reader
from .rows import Checkpoint, to_annotation, to_node
from .store import Judged, Store, interrupted

SESSION, NODE, ANNOTATION, CHECKPOINT, PAIR = 12, 17, 15, 5, 3
"""Columns of those tables' rows; of branches and of the view's state alike."""
_COLUMNS = frozenset({SESSION, NODE, ANNOTATION, CHECKPOINT, PAIR})
_KINDS = frozenset(Kind)
_ID, _SHA = re.compile(r"[0-9A-Za-z_-]{1,64}"), re.compile(r"[0-9a-f]{64}")
_LEAST_ROOM, _ROOM = 48_000_000, 4
"""Bytes of memory for what was found, and again for one session, at least and per byte of the file."""
_NAMED = 10
"""Sessions that are spoken of by name."""
_BAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


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


class _Mark(NamedTuple):
    """A turn or a remark as it was found: where it stands, and what it says of itself.  `above`: its parent, or its turn."""

    place: Place
    id: str
    session: str
    above: str | None
    seq: int
    sha256: str
    reply: bool


@dataclass(slots=True)
class _Found:
    """What stands on the pages: turns and remarks by id, and whatever has no hash by its key, with whether it is of the newest state."""

    most: int
    nodes: dict[str, list[_Mark]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, list[_Mark]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[tuple[str, ...], list[tuple[bool, Any]]] = field(default_factory=lambda: defaultdict(list))
    branches: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    left_out: int = 0
    seen: set[int] = field(default_factory=set)
    kept: int = 0

    def take(self, every: Iterable[tuple[Place, Row]], *, newest: bool, but: Set[str] = frozenset()) -> None:
        """Keeps what is ours of `every` row, but for the sessions of `but`."""
        for place, row in every:
            match row:
                case (_, str(id_), str(session), str() | None as above, int(seq), kind, _, _, _, _, str(sha), *_) if (
                    len(row) == NODE and kind in _KINDS
                ):
                    self._mark(self.nodes, _Mark(place, id_, session, above, seq, sha, kind == Kind.REPLY), row, but)
                case (_, str(id_), str(session), int(seq), str(above), *_, str(sha)) if len(row) == ANNOTATION:
                    self._mark(self.notes, _Mark(place, id_, session, above, seq, sha, False), row, but)
                case (str(id_), str(title), str(), str(), int(), _, str(), str(), *_) if len(row) == SESSION:
                    self._row(("session", id_), row, newest, len(title), but)
                case (str(session), "api_base", str(address)) if address.startswith('"http'):
                    self._row(("address", session), _text(address), newest, len(address), but)
                case (str(session), str(name), str(tip)) if _ID.fullmatch(tip):
                    self._row(("branch", session, name), tip, newest, len(name), but)
                case (str(call), str(session), str(), str(), str()):
                    self._row(("checkpoint", call), place, newest, 0, {call} if session in but else frozenset())

    def _mark(self, into: dict[str, list[_Mark]], mark: _Mark, row: Row, but: Set[str]) -> None:
        proper = _ID.fullmatch(mark.id) and _ID.fullmatch(mark.session) and _SHA.fullmatch(mark.sha256)
        if proper and mark.session not in but and (key := hash(row)) not in self.seen and self._has_room(1_000):
            self.seen.add(key)
            into[mark.id].append(mark)

    def _row(self, key: tuple[str, ...], value: Any, newest: bool, length: int, but: Set[str]) -> None:
        if key[1] in but or not _ID.fullmatch(key[1]) or not self._has_room(1_000 + 4 * length):
            return
        if key[0] == "branch" and key not in self.rows:
            self.branches[key[1]].append(key[2])
        self.rows[key].append((newest, value))

    def _has_room(self, cost: int) -> bool:
        self.kept += cost
        self.left_out += self.kept > self.most
        return self.kept <= self.most

    def node(self, row: Row) -> Node | None:
        """The turn that a row holds; None where it cannot be read, or would take up too much."""
        if len(row) != NODE:
            return None
        _, id_, session, parent, seq, kind, at, body, _, _, sha256, forged, fakes, first, copied, *_ = row
        try:
            if _cost(body) > self.most:
                self.left_out += 1
                return None
            return to_node((id_, session, parent, seq, kind, at, body, sha256, forged, fakes, first, copied))
        except _BAD:
            return None

    def first(self, *key: str) -> Any:
        """The newest that was found under a key, or None."""
        return next((value for _, value in self.rows.get(key, ())), None)

    def now(self, *key: str) -> Any:
        """The same, of the newest state only."""
        return next((value for newest, value in self.rows.get(key, ()) if newest), None)


@dataclass(slots=True)
class _Proved:
    """Turns and remarks whose hashes hold, by id; `first`: those that stand in the newest state."""

    nodes: dict[str, _Mark] = field(default_factory=dict)
    notes: dict[str, _Mark] = field(default_factory=dict)
    first: set[str] = field(default_factory=set)

    def add(self, pages: Pages, found: _Found) -> None:
        """Whatever of `found` is proved by itself or by what is proved already; a call has one reply."""
        below: dict[str | None, list[_Mark]] = defaultdict(list)
        for marks in found.nodes.values():
            for mark in marks:
                if mark.id not in self.nodes:
                    below[mark.above].append(mark)
        answered = {mark.above for mark in self.nodes.values() if mark.reply}
        waiting: list[tuple[_Mark, _Mark | None]] = [(mark, None) for mark in reversed(below[None])]
        waiting += [(mark, above) for above in self.nodes.values() for mark in reversed(below.get(above.id, ()))]
        while waiting:
            mark, above = waiting.pop()
            if mark.id in self.nodes or (above and above.session != mark.session) or (mark.reply and mark.above in answered):
                continue
            node = found.node(pages.row(mark.place))
            if node is None or node_hash(node, above.sha256 if above else "") != mark.sha256:
                continue
            self.nodes[mark.id] = mark
            answered |= {mark.above} if mark.reply else set()
            waiting += [(kid, mark) for kid in reversed(below[mark.id])]
        for marks in found.notes.values():
            for mark in marks:
                turn = self.nodes.get(mark.above or "")
                if mark.id in self.notes or turn is None or turn.session != mark.session:
                    continue
                note = _note(pages.row(mark.place))
                if note is not None and annotation_hash(note, turn.sha256) == mark.sha256:
                    self.notes[mark.id] = mark


def salvage(damaged: Path, into: Path, judged: Judged) -> Salvage:
    """Takes all that can be proved of `damaged` into a new notebook at `into`.  Raises StoreError; BadReference where that is there."""
    _look_at(into)
    with ExitStack() as held:
        try:
            pages = held.enter_context(Pages(damaged, _COLUMNS))
        except OSError as error:
            raise BadReference(f"{damaged} cannot be read: {error.strerror}.") from error
        # Ours is closed last, since that drops the locks of the other.
        sound = held.enter_context(_sound(damaged)) and not pages.log.torn
        found, proved = _Found(_LEAST_ROOM + _ROOM * pages.bytes), _Proved()
        found.take(pages.newest(), newest=True)
        proved.add(pages, found)
        proved.first |= {*proved.nodes, *proved.notes}
        whole = _whole(found, proved) if sound else set[str]()
        if not whole or set(_sessions(found, proved)) - whole:
            found.take(pages.others(), newest=False, but=whole)
            proved.add(pages, found)
        if not proved.nodes:
            raise BadReference(
                f"{damaged} holds nothing that can be proved: it is no lifeline notebook, or too little of it is left."
                + _passed_over(pages, found)
            )
        replies = {mark.above for marks in found.nodes.values() for mark in marks if mark.reply}
        with _in_place(into) as part, Store(part, judged=judged) as store:
            result = _Taking(pages, found, proved, store, sound, replies).all()
            if not result.sessions:
                raise StoreError(f"Nothing could be taken of {damaged}. {' '.join(result.lost)}")
        if more := _passed_over(pages, found):
            result.lost.append(more.strip())
    return result


def _passed_over(pages: Pages, found: _Found) -> str:
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
    found: _Found
    proved: _Proved
    store: Store
    sound: bool
    replies: set[str | None]
    """The calls to which any reply was found, proved or not."""
    result: Salvage = field(default_factory=Salvage)

    def all(self) -> Salvage:
        nodes, notes = _by_session(self.proved.nodes), _by_session(self.proved.notes)
        short = []
        for session, least in _sessions(self.found, self.proved).items():
            taken, why = self._session(session, nodes[session], notes[session]) if session in nodes else (0, "")
            if taken < least or why:
                short.append((session, taken, least, why))
        self.result.lost += [self._said(*each) for each in short[:_NAMED]]
        if more := short[_NAMED:]:
            rest = sum(least - taken for _, taken, least, _ in more)
            self.result.lost.append(f"Of {len(more)} more sessions, {rest} turns and remarks were not taken.")
        return self.result

    def _session(self, session: str, nodes: list[_Mark], notes: list[_Mark]) -> tuple[int, str]:
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
            except _BAD as error:
                why = why or f"It cannot be read whole: {error!r}."
            else:
                self.result.sessions += 1
                self.result.nodes += counts["nodes"]
                self.result.annotations += counts["annotations"]
                self.result.branches += counts["branches"]
                return counts["nodes"] + counts["annotations"], why or self._close(session)
        return 0, why

    def _import(self, session: str, nodes: list[_Mark], notes: list[_Mark]) -> dict[str, int]:
        own: list[Node] = []
        cost = 0
        for mark in nodes:
            row = self.pages.row(mark.place)
            cost += _cost(row[7]) if len(row) == NODE else 0
            node = self.found.node(row) if cost <= self.found.most else None
            if node is None:
                raise BadReference("It would take up too much memory." if cost > self.found.most else "It changed as it was read.")
            own.append(node)
        said = [note for mark in notes if (note := _note(self.pages.row(mark.place)))]
        root = next(node.body for node in own if isinstance(node.body, Root))
        facts = root_facts(root)
        whole = {"id": session, "title": facts["plan"], "created_at": own[0].at, "updated_at": own[-1].at, **facts}
        if stored := self.found.first("session", session):
            whole |= {"title": stored[1], "created_at": stored[6], "updated_at": stored[7]}
        return self.store.import_session(whole, own, said, _branches(self.found, self.proved, session, nodes))

    def _close(self, session: str) -> str:
        """Gives the session what goes on from where it stood; why that could not be, if it could not."""
        closed: list[bool] = []

        def closing(point: Checkpoint) -> Reply:
            call = point.call
            row = self.pages.row(place) if (place := self.found.first("checkpoint", call)) else ()
            text, reasoning, at = (_text(row[2]), _text(row[3]), row[4]) if len(row) == CHECKPOINT else ("", "", "")
            open_ = self.sound and bool(self.found.now("checkpoint", call)) and call not in self.replies
            closed.append(open_)
            return interrupted(Checkpoint(call, text, reasoning, at)) if open_ else _unproved(text, reasoning)

        try:
            if address := self.found.first("address", session):
                self.store.set_view_state(session, "api_base", address)
            self.store.own(session, closing)
            self.store.release(session)
        except _BAD as error:
            return f"Its open calls could not be closed: {error!r}."
        self.result.interrupted += closed.count(True)
        self.result.unanswered += closed.count(False)
        return ""

    def _said(self, session: str, taken: int, least: int, why: str) -> str:
        """What is missing of a session, and why."""
        row = self.found.first("session", session)
        title = f" ({visible_line(row[1], 60)})" if row and row[1] else ""
        said = f"Session {session}{title}: {taken or 'none'} of {least} turns and remarks"
        if why:
            return f"{said}. {why}"
        damaged = below = 0
        for table, proved in ((self.found.nodes, self.proved.nodes), (self.found.notes, self.proved.notes)):
            for id_, marks in table.items():
                if id_ not in proved and marks[0].session == session:
                    under = all(mark.above is not None and mark.above not in self.proved.nodes for mark in marks)
                    damaged, below = damaged + (not under), below + under
        gone = least - taken - damaged - below
        whys = [f"{damaged} {'is' if damaged == 1 else 'are'} damaged"] if damaged else []
        whys += [f"{below} {'stands' if below == 1 else 'stand'} below a turn that is damaged or gone"] if below else []
        whys += [f"{gone} {'was' if gone == 1 else 'were'} not found"] if gone > 0 else []
        return f"{said}; {', '.join(whys)}."


def _by_session(marks: Mapping[str, _Mark]) -> defaultdict[str, list[_Mark]]:
    """In the order in which they were written."""
    by = defaultdict[str, list[_Mark]](list)
    for mark in sorted(marks.values(), key=lambda mark: (mark.seq, mark.id)):
        by[mark.session].append(mark)
    return by


def _sessions(found: _Found, proved: _Proved) -> dict[str, int]:
    """Each session that was found, and how many turns and remarks it has at least.  One row alone may have come by its name through damage."""
    ids = Counter(marks[0].session for table in (found.nodes, found.notes) for marks in table.values())
    known = dict.fromkeys(key[1] for key in found.rows if key[0] == "session")
    known |= dict.fromkeys(session for session, rows in ids.items() if rows > 1)
    known |= dict.fromkeys(mark.session for mark in proved.nodes.values())
    said = {session: row[8:10] for session in known if (row := found.now("session", session))}
    return {session: max(ids[session], *(n for n in said.get(session, ()) if isinstance(n, int)), 0) for session in known}


def _whole(found: _Found, proved: _Proved) -> set[str]:
    """The sessions of which all is proved that their rows count."""
    nodes, notes = (Counter(mark.session for mark in table.values()) for table in (proved.nodes, proved.notes))
    unproved = {marks[0].session for marks in found.nodes.values() if marks[0].id not in proved.nodes}
    unproved |= {marks[0].session for marks in found.notes.values() if marks[0].id not in proved.notes}
    whole = set[str]()
    for key in [key for key in found.rows if key[0] == "session" and key[1] not in unproved]:
        row, tips = found.now(*key), _tips(found, proved, key[1])
        if row and row[8:11] == (nodes[key[1]], notes[key[1]], len(tips)):
            whole.add(key[1])
    return whole


def _tips(found: _Found, proved: _Proved, session: str) -> dict[str, tuple[bool, str]]:
    """The branches of a session whose tips are proved, by name: whether that is of the newest state, and the tip."""
    tips: dict[str, tuple[bool, str]] = {}
    for name in found.branches[session]:
        for newest, tip in found.rows["branch", session, name]:
            if tip in proved.nodes and proved.nodes[tip].session == session:
                tips.setdefault(name, (newest, tip))
    return tips


def _branches(found: _Found, proved: _Proved, session: str, marks: Sequence[_Mark]) -> list[dict[str, str]]:
    """The branches whose tips are proved.  Where one was lost, each turn that none of them holds is at the end of, or above, one more;
    so is a turn that the newest state does not have."""
    above = {mark.id: mark.above for mark in marks}
    tips = {name: tip for name, tip in _tips(found, proved, session).items() if tip[1] in above}
    row = found.now("session", session)
    lost = not tips or row is None or row[10] != sum(newest for newest, _ in tips.values())
    branches = {name: tip for name, (_, tip) in tips.items()}
    held: set[str] = set()
    for tip in branches.values():
        at: str | None = tip
        while at is not None and at not in held:
            held.add(at)
            at = above[at]
    inner = set(above.values())
    for leaf in (id_ for id_ in above if id_ not in inner and id_ not in held):
        if lost or leaf not in proved.first:
            branches[next(name for name in _names() if name not in branches)] = leaf
    return [{"name": name, "tip": tip} for name, tip in branches.items()]


def _names() -> Iterator[str]:
    yield "main"
    yield from (f"salvaged-{number}" for number in count(1))


def _cost(raw: str) -> int:
    """About how many bytes of memory JSON takes up once it is read."""
    return 2 * len(raw) + 30 * raw.count(",") + 200 * raw.count(",{")


def _note(row: Row) -> Annotation | None:
    if len(row) != ANNOTATION:
        return None
    _, id_, session, seq, node, puzzle, span, field_, value, _, _, by, version, at, sha256 = row
    try:
        return to_annotation((id_, session, seq, node, puzzle, span, field_, value, by, version, at, sha256))
    except _BAD:
        return None


def _text(raw: str) -> str:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def _unproved(text: str, reasoning: str) -> Reply:
    """What closes a call whose reply, if it had one, was not found whole.  What had arrived has no hash: a bit of it may be wrong."""
    cause = "its reply was not found whole in a damaged notebook"
    if text or reasoning:
        cause += ", and this beginning of it" + (", with its reasoning," if reasoning else "") + " is not proved"
    if reasoning:
        text = f"[reasoning]\n{reasoning}\n\n[reply]\n{text}"
    return Reply((Span(text, Origin.IMPORTED),) if text else (), status=Status.ERROR, cause=cause)
