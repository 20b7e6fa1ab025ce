"""Notebooks that are none of ours, or not any more, as they may be given by --db."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from bombs import EVIL

from lifeline_tui.core.codec import annotation_hash, node_hash
from lifeline_tui.core.nodes import canonical
from lifeline_tui.store import Reader

FOREVER = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"


def plain(path: Path) -> sqlite3.Connection:
    """What any other program sees: no pragma of ours."""
    return sqlite3.connect(path, isolation_level=None)


def altered(*statements: str, lawless: bool = False) -> Callable[[Path], None]:
    """A notebook after SQL that no lifeline would run; `lawless`: its guards are down meanwhile, and stand again afterwards."""

    def make(path: Path) -> None:
        with closing(plain(path)) as conn:
            guards = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall() if lawless else []
            for name, _ in guards:
                conn.execute(f"DROP TRIGGER {name}")
            conn.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                conn.execute(statement)
            for _, sql in guards:
                conn.execute(sql)
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return make


def resealed(*changes: tuple[str, Any]) -> Callable[[Path], None]:
    """A notebook whose first root says something else (way, value), all hashes redone, as one who alters it with care would."""

    def make(path: Path) -> None:
        sealed: dict[str | None, str] = {None: ""}
        statements = []
        with Reader(path) as store:
            (row,) = store.sessions()
            for node in store.nodes(row.id):
                body = json.loads(node.raw)
                if node.parent is None:
                    for way, value in changes:
                        *above, last = way.split(".")
                        reduce(lambda inner, key: inner.setdefault(key, {}), above, body)[last] = value
                node = replace(node, raw=canonical(body))
                sealed[node.id] = node_hash(node, sealed[node.parent])
                raw = node.raw.replace("'", "''")
                statements.append(f"UPDATE nodes SET body = '{raw}', sha256 = '{sealed[node.id]}' WHERE id = '{node.id}'")
            for note in store.annotations(row.id):
                sha256 = annotation_hash(note, sealed[note.node])
                statements.append(f"UPDATE annotations SET sha256 = '{sha256}' WHERE id = '{note.id}'")
        altered(*statements, lawless=True)(path)

    return make


def posing(table: str, select: str) -> Callable[[Path], None]:
    """A view where a table should be, in a file that bears our mark."""

    def make(path: Path) -> None:
        with closing(plain(path)) as conn:
            names = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
            conn.execute("PRAGMA writable_schema = ON")
            conn.execute("DELETE FROM sqlite_master WHERE tbl_name = ?", (table,))
            columns = ", ".join(f"{select} AS {name}" for name in names)
            sql = f"CREATE VIEW {table} AS {FOREVER} SELECT {columns} FROM r"
            conn.execute("INSERT INTO sqlite_master VALUES ('view', ?, ?, 0, ?)", (table, table, sql))
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return make


def schema(table: str, old: str, new: str) -> Callable[[Path], None]:
    """A notebook with one table's statement written otherwise."""

    def make(path: Path) -> None:
        with closing(plain(path)) as conn:
            conn.execute("PRAGMA writable_schema = ON")
            done = conn.execute(
                "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND instr(sql, ?)", (old, new, table, old)
            )
            assert done.rowcount == 1
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return make


def bytes_at(*places: tuple[int, bytes], size: int | None = None) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("r+b") as file:
            for place, data in places:
                file.seek(place)
                file.write(data)
            if size is not None:
                file.truncate(size)

    return make


def beside(suffix: str, what: str | bytes) -> Callable[[Path], None]:
    """A notebook with something at its side: a link, `pipe`, or bytes."""

    def make(path: Path) -> None:
        side = path.with_name(path.name + suffix)
        if what == "pipe":
            os.mkfifo(side)
        elif isinstance(what, str):
            side.symlink_to(path.parents[1] / what)
        else:
            side.write_bytes(what)

    return make


def _own(path: Path, *statements: str, mark: bool = True) -> None:
    path.unlink()
    with closing(plain(path)) as conn:
        for statement in (*statements, *(["PRAGMA application_id = 1279870533", "PRAGMA user_version = 1"] if mark else [])):
            conn.execute(statement)


def _circle(path: Path) -> None:
    with closing(plain(path)) as conn:
        first, second = (id for (id,) in conn.execute("SELECT id FROM nodes WHERE kind = 'user' ORDER BY seq LIMIT 2"))
    altered(f"UPDATE nodes SET parent = '{second}' WHERE id = '{first}'", lawless=True)(path)


def _said(table: str, column: str, value: str, where: str = "1") -> Callable[[Path], None]:
    return altered(f"UPDATE {table} SET {column} = {value} WHERE {where}", lawless=True)


DEEP = "'" + "[" * 100_000 + "'"
FOREIGN: dict[str, Callable[[Path], None]] = {
    **{
        f"{table} is a view that never ends": posing(table, "n")
        for table in ("sessions", "nodes", "annotations", "branches", "checkpoints")
    },
    "view_state is a view that never ends": posing("view_state", "n"),
    "the table of attempts never ends": altered(
        "DROP VIEW v_attempts", f"CREATE VIEW v_attempts AS {FOREVER} SELECT n AS session, n AS node_id FROM r"
    ),
    "what is searched never ends": altered(
        "DROP VIEW searchable", f"CREATE VIEW searchable AS {FOREVER} SELECT n, 'the' AS text FROM r"
    ),
    "a trigger that writes": altered("CREATE TRIGGER evil AFTER INSERT ON sessions BEGIN UPDATE sessions SET title = 'evil'; END"),
    "a trigger that never ends": altered(
        f"CREATE TRIGGER evil AFTER INSERT ON sessions BEGIN INSERT INTO view_state {FOREVER} SELECT 'x', n, '1' FROM r; END"
    ),
    "a trigger on nodes": altered("CREATE TRIGGER evil AFTER INSERT ON nodes BEGIN UPDATE sessions SET title = 'evil'; END"),
    "an index that makes much of little": altered("CREATE INDEX evil ON sessions (hex(zeroblob(100000000)) || title)"),
    "no guards": altered("DROP TRIGGER nodes_refuse_update", "DROP TRIGGER annotations_refuse_delete"),
    "a generated column": schema("sessions", "title TEXT NOT NULL", "title TEXT AS (hex(zeroblob(100000000)))"),
    "a default that is large": schema(
        "sessions", "hidden INTEGER NOT NULL DEFAULT 0", "hidden INTEGER NOT NULL DEFAULT (abs(-9223372036854775808))"
    ),
    "not strict": schema("nodes", ") STRICT", ")"),
    "a table of other columns": lambda path: _own(
        path, "CREATE TABLE sessions (id)", "CREATE TABLE nodes (id)", "INSERT INTO sessions VALUES (1)"
    ),
    "our mark and nothing else": lambda path: _own(path),
    "our mark on a virtual table": lambda path: _own(
        path, "CREATE VIRTUAL TABLE sessions USING fts5(id, title, plan, model)", "INSERT INTO sessions VALUES (1, 2, 3, 4)"
    ),
    "our mark, and a session without a type": lambda path: _own(
        path,
        "CREATE TABLE sessions (id, title, plan, model, simulated, hidden, created_at, updated_at, nodes, annotations, branches, attempts)",
        "CREATE TABLE checkpoints (call, session, text, reasoning, at)",
        "INSERT INTO sessions VALUES (x'00ff', 1.5, NULL, x'ff', 'x', 'y', 1, NULL, 'a', 'b', 'c', 'd')",
    ),
    "another program's": lambda path: _own(path, "CREATE TABLE moz_places (id)", mark=False),
    "another program's mark": altered("PRAGMA application_id = 252006674"),
    "a later version": altered("PRAGMA user_version = 99"),
    "a schema of garbage": schema("branches", "CREATE TABLE branches", "CREATE TABLE branches branches"),
    "a schema that is cut off": schema("nodes", "CREATE TABLE nodes", "CREATE TABLE nodes (("),
    "a page count of 4 billion": bytes_at((28, b"\xff\xff\xff\xfe")),
    "pages of 512 bytes": bytes_at((16, b"\x02\x00")),
    "pages of no size": bytes_at((16, b"\x00\x03")),
    "a format of the future": bytes_at((18, b"\x09\x09")),
    "the first page alone": bytes_at(size=4096),
    "half a page": bytes_at(size=2000),
    "the header alone": bytes_at(size=100),
    "noise behind the header": bytes_at((100, bytes(range(256)) * 40)),
    "noise in the middle": bytes_at((8192, bytes(range(256)) * 64)),
    "all of it enciphered": bytes_at((0, bytes((17 * n * n + 31 * n) % 251 for n in range(20_000)))),
    "a pipe for a WAL": beside("-wal", "pipe"),
    "a pipe for shared memory": beside("-shm", "pipe"),
    "a pipe for a journal": beside("-journal", "pipe"),
    "a pipe for a lock": beside(".lock", "pipe"),
    "a pipe for the owners": beside(".owners", "pipe"),
    "a link for a lock": beside(".lock", "outside/made"),
    "a link for a WAL": beside("-wal", "outside/made"),
    "a link for shared memory": beside("-shm", "outside/made"),
    "a link for a journal": beside("-journal", "outside/canary.txt"),
    "a link for the owners": beside(".owners", "outside"),
}
"""Refused by whatever would write to them, and by whatever would read what is not ours in them."""

TAMPERED: dict[str, Callable[[Path], object]] = {
    "a page that points at itself": bytes_at((4096 + 8, b"\x00\x00\x00\x02")),
    "a terabyte of nothing": bytes_at(size=10**12),
    "a version below nought": altered("PRAGMA user_version = -1"),
    "version nought": altered("PRAGMA user_version = 0"),
    "another's WAL": beside("-wal", b"\x37\x7f\x06\x82" + bytes(range(256)) * 40),
    "a WAL of 40 MB of nothing": beside("-wal", b"\x37\x7f\x06\x82" + b"\0" * 4_000_000),
    "a link for the log": beside(".provider.log", "outside/made"),
    "a hot journal of noise": beside("-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 4096),
    "parents in a circle": _circle,
    "its own parent": _said("nodes", "parent", "id", "kind = 'user'"),
    "a kind that there is not": _said("nodes", "kind", "'tool'", "kind = 'user'"),
    "a body that is no JSON": _said("nodes", "body", "'x'", "kind = 'user'"),
    "a body that is a list": _said("nodes", "body", "'[1]'", "kind = 'user'"),
    "a body that is deep": _said("nodes", "body", DEEP, "kind = 'user'"),
    "a body of NaN": _said("nodes", "body", "'{\"seed\":NaN}'", "kind = 'root'"),
    "a body of a million digits": _said("nodes", "body", '\'{"seed":' + "9" * 1_000_000 + "}'", "kind = 'root'"),
    "a body of other types": _said("nodes", "body", '\'{"parts":[{"spans":3,"kind":[]}],"plan":3,"puzzles":"x","spans":[[]]}\''),
    "a batch of none, sealed anew": resealed(("plan.presentation", "batch"), ("plan.batch_size", 0)),
    "a plan of other types, sealed anew": resealed(
        ("plan.then", [{"do": "workings", "each": 3, "when": 4}]), ("plan.scoring", {"right": "x"})
    ),
    "an action nobody has, sealed anew": resealed(("plan.then", [{"do": "__import__"}]), ("plan.steps", [])),
    "a subject elsewhere, sealed anew": resealed(("params.api_base", EVIL), ("plan.subject", {"api_base": EVIL})),
    "a plan that never ends": _said(
        "nodes", "body", "json_set(body, '$.plan.presentation', 'batch', '$.plan.batch_size', 0)", "kind = 'root'"
    ),
    "a subject that is elsewhere": _said("nodes", "body", f"json_set(body, '$.params.api_base', '{EVIL}')", "kind = 'root'"),
    "a body that is a blob": _said("nodes", "body", "CAST('{}' AS TEXT)", "kind = 'reply'"),
    "a body with escape sequences": _said("nodes", "text", "char(27) || ']52;c;aGk=' || char(7)"),
    "titles with escape sequences": altered(
        "UPDATE sessions SET title = char(27) || ']52;c;aGk=' || char(7), plan = char(27) || '[2J', model = char(155) || '2J'"
    ),
    "a time with escape sequences": altered("UPDATE sessions SET updated_at = char(27) || '[2J' || char(10)"),
    "an id with escape sequences": altered("UPDATE sessions SET id = char(27) || '[2J'"),
    "an id that is a path": lambda path: (
        path.with_name(path.name + ".owners").mkdir(),
        altered(
            "UPDATE sessions SET id = '../../outside/canary.txt'",
            "UPDATE nodes SET session = '../../outside/canary.txt'",
            lawless=True,
        )(path),
    ),
    "no root": altered("DELETE FROM nodes WHERE kind = 'root'", lawless=True),
    "no nodes": altered("DELETE FROM nodes", lawless=True),
    "a value that is no JSON": _said("annotations", "value", "'x'"),
    "values of other types": _said("annotations", "value", "'[{\"x\":[]}]'"),
    "a value that is deep": _said("annotations", "value", DEEP),
    "a value of NaN": _said("annotations", "value", "'NaN'"),
    "annotations about nothing": _said("annotations", "node", "'nowhere'"),
    "branches to nowhere": altered("UPDATE branches SET tip = 'nowhere'"),
    "no branches": altered("DELETE FROM branches"),
    "branches with escape sequences": altered("UPDATE branches SET name = char(27) || '[2J'"),
    "a checkpoint that is no JSON": altered(
        "INSERT INTO checkpoints SELECT id, session, 'x', '[', 'y' FROM nodes WHERE kind = 'call' LIMIT 1"
    ),
    "a view state that is no JSON": altered("INSERT OR REPLACE INTO view_state SELECT id, 'api_base', 'x' FROM sessions"),
    "a view state that is elsewhere": altered(
        f"INSERT OR REPLACE INTO view_state SELECT id, 'api_base', '\"{EVIL}\"' FROM sessions"
    ),
    "a queue of other types": altered("INSERT OR REPLACE INTO view_state SELECT id, 'queue:x', '3' FROM sessions"),
    "a queue of a part that is none": altered("INSERT OR REPLACE INTO view_state SELECT id, 'queue:x:main', '[3]' FROM sessions"),
    "a branch in view that is a list": altered("INSERT OR REPLACE INTO view_state SELECT id, 'branch', '[\"main\"]' FROM sessions"),
    "counts that are none": altered("UPDATE sessions SET nodes = -1, attempts = 9223372036854775807"),
    "a search index of noise": altered("UPDATE search_data SET block = x'ffffffffffffffffffff'"),
    "text that is no UTF-8": _said("nodes", "text", "CAST(x'fffe' AS TEXT)"),
    "a node of 300 MB": lambda path: _large(path, 300_000_000),
}


def _large(path: Path, size: int) -> None:
    altered(f"UPDATE nodes SET body = CAST(zeroblob({size}) AS TEXT) WHERE kind = 'root'", lawless=True)(path)
