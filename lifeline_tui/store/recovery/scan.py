"""What stands on a damaged notebook's pages, and what of it is proved: a turn by its hash and by those of all turns above it, a remark by
its own and its turn's."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from ...core.codec import annotation_hash, node_hash
from ...core.nodes import Annotation, Kind, Node
from ..rows import to_annotation, to_node
from .pages import Pages, Place, Row

SESSION, NODE, ANNOTATION, CHECKPOINT, PAIR = 12, 17, 15, 5, 3
"""Columns of those tables' rows; of branches and of the view's state alike."""
COLUMNS = frozenset({SESSION, NODE, ANNOTATION, CHECKPOINT, PAIR})
_KINDS = frozenset(Kind)
_ID, _SHA = re.compile(r"[0-9A-Za-z_-]{1,64}"), re.compile(r"[0-9a-f]{64}")
BAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Mark(NamedTuple):
    """A turn or a remark as it was found: where it stands, and what it says of itself.  `above`: its parent, or its turn."""

    place: Place
    id: str
    session: str
    above: str | None
    seq: int
    sha256: str
    reply: bool


@dataclass(slots=True)
class Found:
    """What stands on the pages: turns and remarks by id, and whatever has no hash by its key, with whether it is of the newest state."""

    most: int
    nodes: dict[str, list[Mark]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, list[Mark]] = field(default_factory=lambda: defaultdict(list))
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
                    self._mark(self.nodes, Mark(place, id_, session, above, seq, sha, kind == Kind.REPLY), row, but)
                case (_, str(id_), str(session), int(seq), str(above), *_, str(sha)) if len(row) == ANNOTATION:
                    self._mark(self.notes, Mark(place, id_, session, above, seq, sha, False), row, but)
                case (str(id_), str(title), str(), str(), int(), _, str(), str(), *_) if len(row) == SESSION:
                    self._row(("session", id_), row, newest, len(title), but)
                case (str(session), "api_base", str(address)) if address.startswith('"http'):
                    self._row(("address", session), json_text(address), newest, len(address), but)
                case (str(session), str(name), str(tip)) if _ID.fullmatch(tip):
                    self._row(("branch", session, name), tip, newest, len(name), but)
                case (str(call), str(session), str(), str(), str()):
                    self._row(("checkpoint", call), place, newest, 0, {call} if session in but else frozenset())

    def _mark(self, into: dict[str, list[Mark]], mark: Mark, row: Row, but: Set[str]) -> None:
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
            if weight(body) > self.most:
                self.left_out += 1
                return None
            return to_node((id_, session, parent, seq, kind, at, body, sha256, forged, fakes, first, copied))
        except BAD:
            return None

    def first(self, *key: str) -> Any:
        """The newest that was found under a key, or None."""
        return next((value for _, value in self.rows.get(key, ())), None)

    def now(self, *key: str) -> Any:
        """The same, of the newest state only."""
        return next((value for newest, value in self.rows.get(key, ()) if newest), None)


@dataclass(slots=True)
class Proved:
    """Turns and remarks whose hashes hold, by id; `first`: those that stand in the newest state."""

    found: Found
    nodes: dict[str, Mark] = field(default_factory=dict)
    notes: dict[str, Mark] = field(default_factory=dict)
    first: set[str] = field(default_factory=set)

    def add(self, pages: Pages) -> None:
        """Whatever was found that is proved by itself or by what is proved already; a call has one reply."""
        below: dict[str | None, list[Mark]] = defaultdict(list)
        for marks in self.found.nodes.values():
            for mark in marks:
                if mark.id not in self.nodes:
                    below[mark.above].append(mark)
        answered = {mark.above for mark in self.nodes.values() if mark.reply}
        waiting: list[tuple[Mark, Mark | None]] = [(mark, None) for mark in reversed(below[None])]
        waiting += [(mark, above) for above in self.nodes.values() for mark in reversed(below.get(above.id, ()))]
        while waiting:
            mark, above = waiting.pop()
            if mark.id in self.nodes or (above and above.session != mark.session) or (mark.reply and mark.above in answered):
                continue
            node = self.found.node(pages.row(mark.place))
            if node is None or node_hash(node, above.sha256 if above else "") != mark.sha256:
                continue
            self.nodes[mark.id] = mark
            answered |= {mark.above} if mark.reply else set()
            waiting += [(kid, mark) for kid in reversed(below[mark.id])]
        for marks in self.found.notes.values():
            for mark in marks:
                turn = self.nodes.get(mark.above or "")
                if mark.id in self.notes or turn is None or turn.session != mark.session:
                    continue
                note = to_note(pages.row(mark.place))
                if note is not None and annotation_hash(note, turn.sha256) == mark.sha256:
                    self.notes[mark.id] = mark

    def sessions(self) -> dict[str, int]:
        """Each session that was found, and how many turns and remarks it has at least.  One row alone may have come by its name through damage."""
        ids = Counter(marks[0].session for table in (self.found.nodes, self.found.notes) for marks in table.values())
        known = dict.fromkeys(key[1] for key in self.found.rows if key[0] == "session")
        known |= dict.fromkeys(session for session, rows in ids.items() if rows > 1)
        known |= dict.fromkeys(mark.session for mark in self.nodes.values())
        said = {session: row[8:10] for session in known if (row := self.found.now("session", session))}
        return {session: max(ids[session], *(n for n in said.get(session, ()) if isinstance(n, int)), 0) for session in known}

    def whole(self) -> set[str]:
        """The sessions of which all is proved that their rows count."""
        nodes, notes = (Counter(mark.session for mark in table.values()) for table in (self.nodes, self.notes))
        unproved = {marks[0].session for marks in self.found.nodes.values() if marks[0].id not in self.nodes}
        unproved |= {marks[0].session for marks in self.found.notes.values() if marks[0].id not in self.notes}
        whole = set[str]()
        for key in [key for key in self.found.rows if key[0] == "session" and key[1] not in unproved]:
            row, tips = self.found.now(*key), self._tips(key[1])
            if row and row[8:11] == (nodes[key[1]], notes[key[1]], len(tips)):
                whole.add(key[1])
        return whole

    def _tips(self, session: str) -> dict[str, tuple[bool, str]]:
        """The branches of a session whose tips are proved, by name: whether that is of the newest state, and the tip."""
        tips: dict[str, tuple[bool, str]] = {}
        for name in self.found.branches[session]:
            for newest, tip in self.found.rows["branch", session, name]:
                if tip in self.nodes and self.nodes[tip].session == session:
                    tips.setdefault(name, (newest, tip))
        return tips

    def branches(self, session: str, marks: Sequence[Mark]) -> list[dict[str, str]]:
        """The branches whose tips are proved.  Where one was lost, each turn that none of them holds is at the end of, or above, one more;
        so is a turn that the newest state does not have."""
        above = {mark.id: mark.above for mark in marks}
        tips = {name: tip for name, tip in self._tips(session).items() if tip[1] in above}
        row = self.found.now("session", session)
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
            if lost or leaf not in self.first:
                branches[next(name for name in _names() if name not in branches)] = leaf
        return [{"name": name, "tip": tip} for name, tip in branches.items()]


def by_session(marks: Mapping[str, Mark]) -> defaultdict[str, list[Mark]]:
    """In the order in which they were written."""
    by = defaultdict[str, list[Mark]](list)
    for mark in sorted(marks.values(), key=lambda mark: (mark.seq, mark.id)):
        by[mark.session].append(mark)
    return by


def _names() -> Iterator[str]:
    yield "main"
    yield from (f"salvaged-{number}" for number in count(1))


def weight(raw: str) -> int:
    """About how many bytes of memory JSON takes up once it is read."""
    return 2 * len(raw) + 30 * raw.count(",") + 200 * raw.count(",{")


def to_note(row: Row) -> Annotation | None:
    if len(row) != ANNOTATION:
        return None
    _, id_, session, seq, node, puzzle, span, field_, value, _, _, by, version, at, sha256 = row
    try:
        return to_annotation((id_, session, seq, node, puzzle, span, field_, value, by, version, at, sha256))
    except BAD:
        return None


def json_text(raw: str) -> str:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""
