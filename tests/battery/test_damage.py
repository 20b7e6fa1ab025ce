"""Damaged notebooks: no change to history passes for clean, the damaged file stays as it is, and what can be proved is salvaged."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import lifeline
from store_cases import ROOT, begin, reply
from table import Table, sized

from lifeline_tui.core.nodes import Kind, Origin, Reply, Span, Status, decode
from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.store import Draft, Reader, Store, StoreError
from lifeline_tui.store.schema import TRIGGERS

LONG = "a long reply, which needs pages of its own " * 400
PAGE = 4096
History = dict[str, tuple[Any, ...]]
WRONG = (
    "changes not detected",
    "originals touched",
    "untrue rows salvaged",
    "not verified after",
    "whole rows left behind",
    "raised raw",
)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole.db`, closed; and `logged.db`, with most of it in its write-ahead log."""
    folder = tmp_path_factory.mktemp("notebook")
    with Store(folder / "whole.db") as store:
        read(store, ROOT / "sessions" / "tour-anxious.jsonl")
        shutil.copy(folder / "whole.db", folder / "logged.db")
        read(store, ROOT / "sessions" / "tour-rational.jsonl")
        session, _, call = begin(store, "with a long reply")
        store.append(session, [Draft(reply(LONG))], parent=call, branch="main")
        begin(store, "left open")
        for part in ("", "-wal"):
            shutil.copy(folder / f"whole.db{part}", folder / f"logged.db{part}")
    return folder


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


def pages(db: Path, chance: Random) -> None:
    """A page overwritten with zeros, with noise, or with another page."""
    count = db.stat().st_size // PAGE
    other = db.read_bytes()[PAGE * (at := chance.randrange(count)) :][:PAGE]
    _write(
        db, PAGE * chance.choice([n for n in range(count) if n != at]), chance.choice([bytes(PAGE), chance.randbytes(PAGE), other])
    )


def garbled_log(db: Path, chance: Random) -> None:
    log = db.with_name(db.name + "-wal")
    _write(log, chance.randrange(log.stat().st_size), chance.randbytes(chance.randint(1, 200)))


def cut_log(db: Path, chance: Random) -> None:
    truncated(db.with_name(db.name + "-wal"), chance)


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
    "pages": (pages, "whole"),
    "a garbled log": (garbled_log, "logged"),
    "a torn log": (cut_log, "logged"),
    "triggers": (triggers, "whole"),
    "rows rewritten": (rewritten, "whole"),
}


def _all(data: bytes, word: bytes) -> list[int]:
    found, at = [], data.find(word)
    while at >= 0:
        found.append(at)
        at = data.find(word, at + 1)
    return found


def _write(path: Path, at: int, data: bytes, cut: int | None = None) -> None:
    with path.open("r+b") as file:
        file.seek(at if cut is None else cut)
        file.write(data if cut is None else data[: 100 - cut])


def damage(kind: str, notebook: Path, folder: Path, rounds: int, chance: Random) -> Counter[str]:
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
            for words in (
                ("sessions", "--json"),
                ("show", "with a long"),
                ("export", "--format", "session-jsonl"),
                ("replay", "liar"),
            ):
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
        if rescued.exists():
            kept = history(rescued)
            lost = {id for id, row in kept.items() if id not in true and row[4] == "reply" and _owns_up(row)}
            counts["calls without a proved reply"] += len(lost)
            counts["untrue rows salvaged"] += sum(true.get(id) != row and not {id, row[2]} & lost for id, row in kept.items())
            counts["not verified after"] += lifeline("verify", "--db", rescued).code != 0
            counts["rows salvaged of those there were"] += len(kept.keys() & true.keys())
            counts["whole rows left behind"] += len(_readable(db, true) - set(kept))
        else:
            counts["whole rows left behind"] += len(_readable(db, true))
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    counts["rows there were"] = len(true) * rounds
    return counts


def _owns_up(row: tuple[Any, ...]) -> bool:
    """Whether a reply that nobody gave says so, and has not a word as the model's."""
    body = decode(Kind.REPLY, row[6])
    assert isinstance(body, Reply)
    return (
        body.status is Status.ERROR
        and "not found whole" in body.cause
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
    whole: set[str] = set()
    for id, row in sorted(now.items(), key=lambda each: str(each[1][3]).zfill(9)):
        if true.get(id) == row and (row[2] is None or row[2] in whole):
            whole.add(id)
    return whole


@sized(fast=4, long=112, shards=1)
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_detected_and_what_is_true_is_salvaged(
    notebook: Path, tmp_path: Path, chance: Random, table: Table, kind: str, rounds: int
) -> None:
    counts = damage(kind, notebook, tmp_path, rounds, chance)
    table.row(f"damage: {kind}", counts)
    assert not any(counts[fault] for fault in WRONG), counts
    assert counts["detected"] == rounds if kind == "triggers" else counts["detected"] or kind == "a torn log"


def test_a_careless_verify_or_salvage_is_caught(
    notebook: Path, tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lifeline_tui.store import salvage, verify

    def found(kind: str, fault: str, bug: str, *patches: tuple[Any, str, Any]) -> None:
        usual = damage(kind, notebook, tmp_path, 4, Random(kind))[fault]
        with monkeypatch.context() as patch:
            for module, name, value in patches:
                patch.setattr(module, name, value)
            more = damage(kind, notebook, tmp_path, 4, Random(kind))[fault] - usual
        assert more > 0, kind
        table.caught(f"damage: {kind}", bug, more)

    trusting = lambda thing, above: thing.sha256  # noqa: E731
    quiet = (verify, "_node", lambda *all: ()), (verify, "annotation_hash", trusting), (verify, "_file", lambda conn: ())
    found("rows rewritten", "changes not detected", "verify without hashes", *quiet)
    found("triggers", "harmless", "verify without its look at the triggers", (verify, "_file", lambda conn: ()))
    found("a garbled log", "an earlier moment", "verify without its look at the log", (verify, "_log", lambda store: ()))
    hashes = (salvage, "node_hash", trusting), (salvage, "annotation_hash", trusting)
    adopted = (salvage.Store, "import_session", _taken_as_it_is)
    found("rows rewritten", "untrue rows salvaged", "a salvage without hashes", *hashes, adopted)


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
    assert (body.spans, body.reasoning, body.status) == ((Span("as far as th", Origin.IMPORTED),), "I thought", Status.ERROR)
    assert "not proved" in body.cause


def test_a_salvaged_session_goes_on_where_it_was_served(tmp_path: Path) -> None:
    with Store(tmp_path / "x.db") as store:
        session, *_ = begin(store)
        store.set_view_state(session, "api_base", "http://127.0.0.1:9/v1")
    _write(tmp_path / "x.db", 0, bytes(100))
    lifeline("verify", "--db", tmp_path / "x.db", "--salvage", tmp_path / "z.db")
    with Reader(tmp_path / "z.db") as rescued:
        assert rescued.view_state(session, "api_base") == "http://127.0.0.1:9/v1"
