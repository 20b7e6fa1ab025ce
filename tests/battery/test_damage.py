"""Damaged notebooks: no change to history passes for clean, the damaged file stays as it is, and what can be proved is salvaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import environ, lifeline, real
from store_cases import ROOT, begin, reply
from table import Table, command, sized

from lifeline_tui.core.codec import decode
from lifeline_tui.core.nodes import Kind, Origin, Reply, Span, Status
from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.store import Draft, Reader, Store, StoreError, verify
from lifeline_tui.store.recovery import pages, salvage
from lifeline_tui.store.recovery import scan as found
from lifeline_tui.store.rows import Checkpoint
from lifeline_tui.store.schema import TRIGGERS
from lifeline_tui.store.store import interrupted

SO_FAR = "as far as th"
LONG = "a long reply, which needs pages of its own " * 400
PAGE = 4096
History = dict[str, tuple[Any, ...]]
WRONG = (
    "changes not detected",
    "originals touched",
    "untrue rows salvaged",
    "not verified after",
    "whole rows left behind",
    "branches that end elsewhere",
    "branches made up",
    "raised raw",
)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole.db`, closed; `logged.db`, with most of it in its write-ahead log; and `restarted.db`, whose log began again."""
    folder = tmp_path_factory.mktemp("notebook")
    restart(folder / "restarted.db")
    with Store(folder / "whole.db") as store:
        read(store, ROOT / "sessions" / "tour-anxious.jsonl")
        shutil.copy(folder / "whole.db", folder / "logged.db")
        read(store, ROOT / "sessions" / "tour-rational.jsonl")
        session, _, call = begin(store, "with a long reply")
        store.append(session, [Draft(reply(LONG))], parent=call, branch="main")
        session, asked, call = begin(store, "undone")
        store.append(session, [Draft(reply())], parent=call, branch="main")
        store.set_branch(session, "main", asked)
        _, _, call = begin(store, "left open")
        store.checkpoint(call, SO_FAR)
        for part in ("", "-wal"):
            shutil.copy(folder / f"whole.db{part}", folder / f"logged.db{part}")
    return folder


def restart(path: Path) -> None:
    """Two apps on one notebook; one was left while the other's log was being read, so that this began again without being cut."""
    made = path.with_name("made.db")
    with Store(made) as store:
        asked = [answered(store, f"turn {number}", 4_000 + 3_000 * number) for number in range(5)]
        with Reader(made) as reader, reader.moment():
            reader.sessions()
            Store(made).close()
        for session, tip in asked[:2]:
            store.set_branch(session, "main", tip)
        answered(store, "late", 12_000)
        for part in ("", "-wal"):
            shutil.copy(f"{made}{part}", f"{path}{part}")


def answered(store: Store, title: str, length: int) -> tuple[str, str]:
    """A session with a reply that was kept as it came: the ids of the session and of its item."""
    session, asked, call = begin(store, title)
    words = "".join(chr(33 + (at * at + length) % 90) for at in range(length))
    for part in range(1, 5):
        store.checkpoint(call, words[: length * part // 5])
    store.append(session, [Draft(reply(words))], parent=call, branch="main")
    return session, asked


def history(path: Path) -> History:
    """Every turn and remark, by id."""
    with Reader(path) as store:
        nodes = store.connection.execute(
            "SELECT id, session, parent, seq, kind, at, body, sha256, forged_above, fakes_above, first_fake_depth, copied_from FROM nodes"
        ).fetchall()
        notes = store.connection.execute(
            "SELECT id, session, node, seq, field, value, by, at, sha256, puzzle, span, version FROM annotations"
        ).fetchall()
    return {row[0]: row for row in [*nodes, *notes]}


def header(db: Path, chance: Random) -> None:
    _write(db, 0, chance.randbytes(chance.randint(1, 100)), chance.randrange(100))


def truncated(db: Path, chance: Random) -> None:
    with db.open("r+b") as file:
        file.truncate(chance.randrange(db.stat().st_size))


def body_bits(db: Path, chance: Random) -> None:
    """Bits flipped within what was said."""
    data = db.read_bytes()
    places = [at for word in (b'"text":"', b"ANSWER", b"a long reply", b'"value"', b"bracelet") for at in _all(data, word)]
    for _ in range(chance.randint(1, 8)):
        at = chance.choice(places) + chance.randrange(12)
        _write(db, at, bytes([data[at] ^ 1 << chance.randrange(8)]))


def any_bits(db: Path, chance: Random) -> None:
    for _ in range(chance.randint(1, 50)):
        at = chance.randrange(db.stat().st_size)
        _write(db, at, bytes([db.read_bytes()[at] ^ 1 << chance.randrange(8)]))


def whole_pages(db: Path, chance: Random) -> None:
    """A page overwritten with zeros, with noise, or with another page."""
    count = db.stat().st_size // PAGE
    other = db.read_bytes()[PAGE * (at := chance.randrange(count)) :][:PAGE]
    _write(
        db, PAGE * chance.choice([n for n in range(count) if n != at]), chance.choice([bytes(PAGE), chance.randbytes(PAGE), other])
    )


def index_bits(db: Path, chance: Random) -> None:
    """Bits flipped in keys that only an index holds."""
    conn = sqlite3.connect(db)
    roots = [
        root
        for (root,) in conn.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index' AND name LIKE '%autoindex_annot%'")
    ]
    conn.close()
    for root in roots:
        at = root * PAGE - chance.randint(1, 20)
        _write(db, at, bytes([db.read_bytes()[at] ^ 1 << chance.randrange(8)]))


def garbled_log(db: Path, chance: Random) -> None:
    log = db.with_name(db.name + "-wal")
    _write(log, chance.randrange(log.stat().st_size), chance.randbytes(chance.randint(1, 200)))


def cut_log(db: Path, chance: Random) -> None:
    truncated(db.with_name(db.name + "-wal"), chance)


def old_frames(db: Path, chance: Random) -> None:
    """Something written over what an earlier run of the log has left behind the newest, or nothing."""
    log = db.with_name(db.name + "-wal")
    data = log.read_bytes()
    old = [at for at in range(32, len(data), PAGE + 24) if data[at + 8 : at + 16] != data[16:24]]
    at = chance.choice(old)
    _write(log, at, data[at : at + chance.choice([0, 8, 24])] + chance.randbytes(chance.choice([0, 100, PAGE])))


def triggers(db: Path, chance: Random) -> None:
    conn = sqlite3.connect(db)
    name = chance.choice(list(TRIGGERS))
    conn.execute(f"DROP TRIGGER {name}")
    if chance.random() < 0.5:
        conn.execute(
            TRIGGERS[name].replace("RAISE(ABORT", "RAISE(IGNORE").replace(", 'history is append-only: a", ") --", 1).split(" --")[0]
            + "; END"
        )
    conn.commit()
    conn.close()


def rewritten(db: Path, chance: Random) -> None:
    """Somebody who knows about the triggers changes a turn or a remark, or takes one away from under others."""
    conn = sqlite3.connect(db)
    for statement in TRIGGERS:
        conn.execute(f"DROP TRIGGER {statement}")
    conn.execute(
        chance.choice(
            [
                "UPDATE nodes SET body = replace(body, 'ANSWER', 'answer') WHERE kind = 'reply'",
                "UPDATE nodes SET at = '2020-01-01T00:00:00.000Z' WHERE n = 5",
                "DELETE FROM nodes WHERE n = 6",
                "UPDATE annotations SET value = '\"wrong\"' WHERE field = 'grade' AND value = '\"right\"'",
                "UPDATE annotations SET by = 'operator' WHERE field = 'grade'",
            ]
        )
    )
    for statement in TRIGGERS.values():
        conn.execute(statement)
    conn.commit()
    conn.close()


DAMAGE: dict[str, tuple[Callable[[Path, Random], None], str]] = {
    "header": (header, "whole"),
    "truncated": (truncated, "whole"),
    "bits in what was said": (body_bits, "whole"),
    "bits anywhere": (any_bits, "whole"),
    "pages": (whole_pages, "whole"),
    "bits in an index": (index_bits, "whole"),
    "a garbled log": (garbled_log, "logged"),
    "a torn log": (cut_log, "logged"),
    "a log that began again": (old_frames, "restarted"),
    "triggers": (triggers, "whole"),
    "rows rewritten": (rewritten, "whole"),
}


ALWAYS = ("triggers", "bits in an index")
UNSEEN = ("a torn log", "a log that began again")
"""What is no change to history, or none that a kill does not make, too."""


def _all(data: bytes, word: bytes) -> list[int]:
    places, at = [], data.find(word)
    while at >= 0:
        places.append(at)
        at = data.find(word, at + 1)
    return places


def _write(path: Path, at: int, data: bytes, cut: int | None = None) -> None:
    with path.open("r+b") as file:
        file.seek(at if cut is None else cut)
        file.write(data if cut is None else data[: 100 - cut])


WALK = (
    ("sessions", "--json"),
    ("show", "with a long"),
    ("export", "--format", "session-jsonl"),
    ("replay", "liar"),
)


def damage(kind: str, notebook: Path, folder: Path, rounds: int, chance: Random, *, walk: bool = True) -> Counter[str]:
    counts = Counter(dict.fromkeys(("files", "detected", "harmless", "an earlier moment", *WRONG), 0))
    harm, name = DAMAGE[kind]
    true = history(notebook / f"{name}.db")
    for number in range(rounds):
        db, rescued = folder / f"{number}.db", folder / f"{number}-rescued.db"
        for each in notebook.glob(f"{name}.db*"):
            if each.is_file():
                shutil.copy(each, folder / each.name.replace(name, str(number)))
        harm(db, chance)
        files = {each: each.read_bytes() for each in (db, db.with_name(db.name + "-wal")) if each.exists()}
        try:
            verified, saved = lifeline("verify", "--db", db), lifeline("verify", "--db", db, "--salvage", rescued)
            for words in WALK if walk else ():
                lifeline(*words, "--db", db)
        except Exception as error:
            counts["raised raw"] += 1
            raise AssertionError(f"round {number} raised {error!r}") from error
        counts["files"] += 1
        counts["originals touched"] += any(each.read_bytes() != data for each, data in files.items())
        counts["raised raw"] += any("Traceback" in done.err for done in (verified, saved))
        counts["detected"] += verified.code != 0
        if verified.code == 0:
            counts[_undetected(true, db)] += 1
        readable = _readable(db, true)
        sound = _is_sound(db) and "log is damaged" not in verified.out
        whole = readable if sound else readable | _standing(db, notebook / f"{name}.db", true)
        kept = history(rescued) if rescued.exists() else {}
        counts["whole rows left behind"] += len(whole - set(kept))
        if kept:
            opened = _open_calls(db) if sound else {}
            closed = {id for id, row in kept.items() if id not in true and row[4] == "reply" and _owns_up(row, opened)}
            counts["calls without a proved reply"] += len(closed)
            counts["untrue rows salvaged"] += sum(true.get(id) != row and not {id, row[2]} & closed for id, row in kept.items())
            counts["not verified after"] += lifeline("verify", "--db", rescued).code != 0
            counts["rows salvaged of those there were"] += len(kept.keys() & true.keys())
            if readable and sound:
                moved, made = _branches(db, rescued, readable | closed, kept)
                counts["branches that end elsewhere"] += moved
                counts["branches made up"] += made
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    counts["rows there were"] = len(true) * rounds
    return counts


def _is_sound(db: Path) -> bool:
    try:
        with Reader(db) as store:
            return store.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except (StoreError, sqlite3.Error):
        return False


def _open_calls(db: Path) -> dict[str, str]:
    """What has arrived of the calls that were open, as SQLite has it."""
    with Reader(db) as store:
        return {point.call: point.text for session in store.sessions(include_hidden=True) for point in store.open_calls(session.id)}


def _owns_up(row: tuple[Any, ...], opened: dict[str, str]) -> bool:
    """Whether a reply that nobody gave says so, and has not a word as the model's; or closes a call that was merely open."""
    body = decode(Kind.REPLY, row[6])
    assert isinstance(body, Reply)
    if row[2] in opened and body.status is Status.INTERRUPTED:
        return body == interrupted(Checkpoint(row[2], opened[row[2]], "", ""))
    return (
        body.status is Status.ERROR
        and "not found whole" in body.cause
        and not body.reasoning
        and all(span.origin is Origin.IMPORTED for span in body.spans)
    )


def _undetected(true: History, db: Path) -> str:
    """What verify calls clean is as it was, or, where only the end of the log is gone, as it was a moment before."""
    now = history(db)
    if now == true:
        return "harmless"
    beginning = all(true.get(id) == row for id, row in now.items()) and all(row[2] in now for row in now.values() if row[2])
    return "an earlier moment" if beginning and db.with_name(db.name + "-wal").exists() else "changes not detected"


def _readable(db: Path, true: History) -> set[str]:
    """The turns that SQLite itself still gives out as they were, with all turns above them."""
    try:
        now = history(db)
    except (StoreError, sqlite3.Error, ValueError, TypeError):
        return set()
    return _held(now, true)


def _held(now: History, true: History) -> set[str]:
    whole: set[str] = set()
    for id, row in sorted(now.items(), key=lambda each: str(each[1][3]).zfill(9)):
        if true.get(id) == row and (row[2] is None or row[2] in whole):
            whole.add(id)
    return whole


@cache
def _where(path: Path) -> dict[str, set[int]]:
    """The pages of each turn of a file that is whole."""
    of = {}
    with pages.Pages(path, frozenset({found.NODE})) as file:
        for place, row in file.newest():
            cell = file._cell(place.page, place.start)
            assert cell is not None
            of[row[1]] = {place.page, *(file._chain(cell, place.moment) or ())}
    return of


def _standing(db: Path, pristine: Path, true: History) -> set[str]:
    """The turns that stand on pages which are as they were, with all turns above them, whatever SQLite makes of the file."""
    where = _where(pristine)
    same = set[int]()
    for part in ("", "-wal"):
        was, now = (Path(f"{path}{part}").read_bytes() if Path(f"{path}{part}").exists() else b"" for path in (pristine, db))
        for page in {page for turn in where.values() for page in turn if (page >= 0) == bool(part)}:
            at = 32 + page * (PAGE + 24) if part else (-page - 1) * PAGE
            size = PAGE + 24 * bool(part)
            same |= {page} if now[at : at + size] == was[at : at + size] else set()
    return _held({id: row for id, row in true.items() if id in where and where[id] <= same}, true)


def _tips(path: Path) -> dict[tuple[str, str], str]:
    with Reader(path) as store:
        return {(session, name): tip for session, name, tip in store.connection.execute("SELECT session, name, tip FROM branches")}


def _branches(db: Path, rescued: Path, whole: set[str], kept: History) -> tuple[int, int]:
    """How many branches that SQLite gives out, and whose turns it does, are not as they were, and how many came to be beside them."""
    now, then = _tips(db), _tips(rescued)
    moved = sum(
        then.get(key) != tip and kept.get(then.get(key, ""), (0,) * 5)[2] != tip for key, tip in now.items() if tip in whole
    )
    torn = {session for (session, _), tip in now.items() if tip not in whole}
    torn |= {row[1] for id, row in kept.items() if id not in whole}
    return moved, sum(key not in now and key[0] not in torn for key in then)


@sized(fast=2, long=112, shards=1)
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_detected_and_what_is_true_is_salvaged(
    notebook: Path, tmp_path: Path, chance: Random, table: Table, kind: str, rounds: int
) -> None:
    counts = damage(kind, notebook, tmp_path, rounds, chance)
    table.row(f"damage: {kind}", counts)
    assert not any(counts[fault] for fault in WRONG), counts
    assert counts["detected"] == rounds if kind in ALWAYS else counts["detected"] or kind in UNSEEN


NEVER = lambda *all: iter(())  # noqa: E731
TRUST = lambda thing, above: thing.sha256  # noqa: E731
NEWEST, FILE, LOG = pages.Pages.newest, verify._file, pages.Log._read


def _where_it_opens(self: pages.Pages) -> Iterator[Any]:
    return NEWEST(self) if pages._read(self._fd, 16, 0) == b"SQLite format 3\0" else iter(())


def _to_a_bad_page(self: pages.Pages) -> Iterator[Any]:
    for page in self._newest():
        data = self._page(page)
        if data[100 if page == -1 else 0] not in (2, 5, 10, 13) or len(data) < PAGE:
            return
        for start in self._starts(page):
            if row := self.row(place := pages.Place(page, start, -1)):
                yield place, row


def _as_long_as_it_says(self: pages.Pages) -> Iterator[Any]:
    said = int.from_bytes(pages._read(self._fd, 4, 28), "big")
    return NEWEST(self) if said == self._count else iter(())


def _every_frame(self: pages.Log, size: int) -> None:
    LOG(self, size)
    self.whole = len(self.frames)


def _unasked(conn: sqlite3.Connection) -> Iterator[Any]:
    return (finding for finding in FILE(conn) if "SQLite says" not in str(finding))


def _more_branches(proved: found.Proved, session: str, marks: list[found.Mark]) -> list[dict[str, str]]:
    proved.found.rows.pop(("session", session), None)
    return BRANCHES(proved, session, marks)


BRANCHES = found.Proved.branches
QUIET = (verify, "_node", NEVER), (verify, "annotation_hash", TRUST), (verify, "_file", NEVER)
HASHLESS = (found, "node_hash", TRUST), (found, "annotation_hash", TRUST)
Patches = tuple[tuple[Any, str, Any], ...]
PLANTED: dict[str, tuple[str, str, Patches]] = {
    "a salvage of what SQLite opens": (
        "header",
        "whole rows left behind",
        ((pages.Pages, "newest", _where_it_opens), (pages.Pages, "others", NEVER)),
    ),
    "a salvage that stops at the first bad page": (
        "pages",
        "whole rows left behind",
        ((pages.Pages, "newest", _to_a_bad_page), (pages.Pages, "others", NEVER)),
    ),
    "a salvage of files as long as they say": (
        "truncated",
        "whole rows left behind",
        ((pages.Pages, "newest", _as_long_as_it_says), (pages.Pages, "others", NEVER)),
    ),
    "verify without hashes and counts": (
        "bits in what was said",
        "changes not detected",
        (*QUIET, (verify, "session_findings", NEVER)),
    ),
    "a salvage up to the first page that is none": (
        "bits anywhere",
        "whole rows left behind",
        ((pages.Pages, "newest", _to_a_bad_page), (pages.Pages, "others", NEVER)),
    ),
    "verify without integrity_check": ("bits in an index", "harmless", ((verify, "_file", _unasked),)),
    "a salvage without the log": ("a torn log", "whole rows left behind", ((pages.Log, "_read", lambda self, size: None),)),
    "verify without its look at the log": ("a garbled log", "an earlier moment", ((verify, "_log", NEVER),)),
    "the newest reading of a page alone": ("a garbled log", "whole rows left behind", ((pages.Pages, "others", NEVER),)),
    "every frame of a log counts": (
        "a log that began again",
        "whole rows left behind",
        ((pages.Log, "_read", _every_frame), (pages.Pages, "others", NEVER)),
    ),
    "older frames are the newest": ("a log that began again", "branches that end elsewhere", ((pages.Log, "_read", _every_frame),)),
    "a branch for every leaf": ("triggers", "branches made up", ((found.Proved, "branches", _more_branches),)),
    "verify without its look at the triggers": ("triggers", "harmless", ((verify, "_file", NEVER),)),
    "verify without hashes": ("rows rewritten", "changes not detected", QUIET),
}


@pytest.mark.parametrize("bug", [*PLANTED, "a salvage without hashes"])
def test_a_careless_verify_or_salvage_is_caught(
    notebook: Path, tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    adopted = *HASHLESS, (salvage.Store, "import_session", _taken_as_it_is)
    kind, fault, patches = PLANTED.get(bug, ("rows rewritten", "untrue rows salvaged", adopted))
    new = fault in WRONG or kind in ALWAYS  # else it is counted of a careful one, too
    usual = 0 if new else damage(kind, notebook, tmp_path, 2, Random(kind), walk=False)[fault]
    _where(notebook / f"{DAMAGE[kind][1]}.db")  # before anything is planted
    for module, name, value in patches:
        monkeypatch.setattr(module, name, value)
    more = damage(kind, notebook, tmp_path, 3 if new else 2, Random(kind), walk=False)[fault] - usual
    assert more > 0
    table.caught(f"damage: {kind}", bug, more)


def _taken_as_it_is(store: Store, row: Any, nodes: Any, notes: Any, branches: Any) -> dict[str, int]:
    from lifeline_tui.store.append import Ledger

    with store._database.writing() as conn:
        conn.execute(
            "INSERT INTO sessions (id, title, plan, model, simulated, created_at, updated_at) VALUES (:id, :title, :plan, :model,"
            " :simulated, :created_at, :updated_at)",
            row,
        )
        ledger = Ledger(conn, row["id"], "", store.new_id)
        for node in nodes:
            ledger.insert_node(node, "", 0)
    return {"nodes": len(nodes), "annotations": 0, "branches": 0}


def test_salvage_never_writes_over_a_file(notebook: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("dear diary")
    done = lifeline("verify", "--db", notebook / "whole.db", "--salvage", there)
    assert done.code == 2
    assert "is there already" in done.err
    assert there.read_text() == "dear diary"


def test_a_file_that_holds_nothing_of_ours_is_not_salvaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(struct.pack(">16I", *range(16)) * 1000)
    done = lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "out.db")
    assert done.code == 2
    assert "nothing that can be proved" in done.err
    assert not (tmp_path / "out.db").exists()


def test_what_had_arrived_of_an_open_reply_is_salvaged_too(tmp_path: Path) -> None:
    with Store(tmp_path / "x.db") as store:
        _, _, call = begin(store)
        store.checkpoint(call, "as far as th", "I thought")
        for part in ("", "-wal"):
            shutil.copy(f"{tmp_path}/x.db{part}", f"{tmp_path}/y.db{part}")
    _write(tmp_path / "y.db", 0, bytes(100))
    assert lifeline("verify", "--db", tmp_path / "y.db", "--salvage", tmp_path / "z.db").code == 1
    with Reader(tmp_path / "z.db") as rescued:
        (body,) = [node.body for node in rescued.nodes(rescued.sessions()[0].id) if node.parent == call]
    assert isinstance(body, Reply)
    assert (body.spans, body.reasoning, body.status) == (
        (Span("[reasoning]\nI thought\n\n[reply]\nas far as th", Origin.IMPORTED),),
        "",
        Status.ERROR,
    )
    assert "not proved" in body.cause


def test_a_salvaged_session_goes_on_where_it_was_served(tmp_path: Path) -> None:
    with Store(tmp_path / "x.db") as store:
        session, *_ = begin(store)
        store.set_view_state(session, "api_base", "http://127.0.0.1:9/v1")
    _write(tmp_path / "x.db", 0, bytes(100))
    lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db")
    with Reader(tmp_path / "z.db") as rescued:
        assert rescued.view_state(session, "api_base") == "http://127.0.0.1:9/v1"


def test_a_call_that_is_merely_open_is_closed_as_after_any_program_that_ended(tmp_path: Path) -> None:
    with Store(tmp_path / "live.db") as store:
        session, _, call = begin(store)
        store.checkpoint(call, SO_FAR, "I thought")
        done = lifeline("verify", "--db", tmp_path / "live.db", "--salvage", tmp_path / "z.db")
    assert (done.code, done.out) == (0, "")
    with Reader(tmp_path / "z.db") as rescued:
        (body,) = [node.body for node in rescued.nodes(session) if node.parent == call]
    assert body == interrupted(Checkpoint(call, SO_FAR, "I thought", ""))


def test_what_was_planted_beside_a_damaged_reply_is_not_the_models(tmp_path: Path) -> None:
    with Store(tmp_path / "x.db") as store:
        session, _, call = begin(store)
        store.append(session, [Draft(reply("true words"))], parent=call, branch="main")
    conn = sqlite3.connect(tmp_path / "x.db")
    conn.execute("DROP TRIGGER nodes_refuse_update")
    conn.execute("UPDATE nodes SET body = replace(body, 'true words', 'TRUE words') WHERE kind = 'reply'")
    conn.execute("INSERT INTO checkpoints VALUES (?, ?, '\"never said\"', '\"never thought\"', '2026')", (call, session))
    conn.commit()
    conn.close()
    assert lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db").code == 1
    with Reader(tmp_path / "z.db") as rescued:
        (body,) = [node.body for node in rescued.nodes(session) if node.parent == call]
    assert isinstance(body, Reply)
    assert (body.reasoning, {span.origin for span in body.spans}) == ("", {Origin.IMPORTED})


FULL = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (300_000,) * 2)"
STOPPED = """import os, signal
from lifeline_tui.store import Store
take = Store.import_session
def stopped(self, *given):
    done = take(self, *given)
    os.kill(os.getpid(), signal.SIG{0})
    return done
Store.import_session = stopped"""


@pytest.mark.parametrize(
    ("plant", "code", "left"),
    [(FULL, 1, False), (STOPPED.format("TERM"), 143, False), (STOPPED.format("KILL"), -9, True)],
    ids=["a full disk", "SIGTERM", "SIGKILL"],
)
def test_no_part_of_a_salvage_passes_for_the_whole(notebook: Path, tmp_path: Path, plant: str, code: int, left: bool) -> None:
    words = ["verify", "--db", str(notebook / "whole.db"), "--salvage", str(tmp_path / "z.db")]
    done = subprocess.run([*command(plant), *words], env=environ(), capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "z.db").exists()
    assert bool(list(tmp_path.glob("z.db*"))) == left
    assert lifeline(*words).code == 0
    assert lifeline("verify", "--db", tmp_path / "z.db").code == 0
    assert left or [each.name for each in tmp_path.glob("z.db*") if each.is_dir()] == []


def bomb(path: Path) -> None:
    """A hundred pages, half of them one row's, which is named two thousand times on each of the others."""
    half, fits = 50, 489
    types = [0, 21, 21, 0, 1, 21, 21, 13 + 2 * PAGE * (half - 3), 13, 0, 21, 1, 1, 0, 0, 21, 1]
    varints = b"".join(_varint(kind) for kind in types)
    row = _varint(len(varints) + 1) + varints
    length = len(row) + 24 + 1 + 1 + 1 + 1 + PAGE * (half - 3)
    here = fits + (length - fits) % (PAGE - 4)
    here = here if here <= PAGE - 35 else fits
    cell = _varint(length) + b"\1" + row.ljust(here, b"x") + struct.pack(">I", 2)
    leaf = bytearray(PAGE)
    leaf[0], leaf[-len(cell) :] = 0x0D, cell
    count = (PAGE - 8 - len(cell)) // 2
    leaf[3:5] = struct.pack(">H", count)
    leaf[8 : 8 + 2 * count] = struct.pack(">H", PAGE - len(cell)) * count
    chain = [struct.pack(">I", page + 1 if page < half else 0) + b"y" * (PAGE - 4) for page in range(2, half + 1)]
    path.write_bytes(b"".join([b"SQLite format 3\0\x10\0".ljust(PAGE, b"\0"), *chain, *[bytes(leaf)] * half]))


def _varint(number: int) -> bytes:
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(0x80 | number & 0x7F)
    return bytes(reversed(out))


# What getrusage calls the peak begins, behind an exec, at that of the process that started it: here the test's own worker.
PEAK = "import atexit, sys\natexit.register(lambda: sys.stderr.write(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]))"


def test_a_small_file_that_claims_much_takes_little_memory(tmp_path: Path) -> None:
    bomb(tmp_path / "x.db")
    words = ["verify", "--db", str(tmp_path / "x.db"), "--salvage", str(tmp_path / "z.db")]
    done = subprocess.run([*command(PEAK), *words], env=environ(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert int(done.stderr.split()[-1]) < 200_000  # KiB


@pytest.mark.parametrize("part", ["", "-wal"])
def test_a_pipe_is_no_notebook(tmp_path: Path, part: str) -> None:
    (tmp_path / "x.db").write_bytes(bytes(PAGE)) if part else None
    os.mkfifo(tmp_path / f"x.db{part}")
    done = real("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db")
    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert not (tmp_path / "z.db").exists()


def test_what_was_lost_is_said_of_each_session(tmp_path: Path) -> None:
    with Store(tmp_path / "x.db") as store:
        for number in range(14):
            session, _, call = begin(store, f"number {number}")
            store.append(session, [Draft(reply("ANSWER: 38"))], parent=call, branch="main")
    conn = sqlite3.connect(tmp_path / "x.db")
    conn.execute("DROP TRIGGER nodes_refuse_update")
    conn.execute("UPDATE nodes SET at = '2020' WHERE kind = 'user'")
    conn.commit()
    conn.close()
    done = lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db")
    assert done.code == 1
    said = [line for line in done.err.splitlines() if line.startswith("Session")]
    assert len(said) == 10
    assert said[0].endswith("1 of 4 turns and remarks; 1 is damaged, 2 stand below a turn that is damaged or gone.")
    assert "Of 4 more sessions, 12 turns and remarks were not taken." in done.err
    assert "number 0" in said[0]


def test_who_salvages_is_not_told_to_salvage(notebook: Path, tmp_path: Path) -> None:
    shutil.copy(notebook / "whole.db", tmp_path / "x.db")
    _write(tmp_path / "x.db", 0, bytes(100))
    assert "--salvage" in lifeline("verify", "--db", tmp_path / "x.db").err
    done = lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db")
    assert "--salvage" not in done.out + done.err


def test_a_sound_notebook_comes_through_as_it_was(notebook: Path, tmp_path: Path) -> None:
    done = lifeline("verify", "--db", notebook / "whole.db", "--salvage", tmp_path / "z.db")
    assert done.code == 0
    opened = _open_calls(notebook / "whole.db")
    assert {key: tip for key, tip in _tips(tmp_path / "z.db").items() if tip in history(notebook / "whole.db")} == {
        key: tip for key, tip in _tips(notebook / "whole.db").items() if tip not in opened
    }
