"""P6 and P7: appending, paths and searches in a large notebook.

Everything that is compared runs interleaved in one process; ratios are of medians.  The folder should be on a real disk.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import Row, by_turns, compared
from store_cases import CALL, begin, item, reply

from lifeline_tui.core.codec import encode
from lifeline_tui.store import Draft, Store
from lifeline_tui.store.database import Database
from lifeline_tui.store.identity import ulid
from lifeline_tui.store.read import _PATH
from lifeline_tui.store.rows import NODE, to_node
from lifeline_tui.store.search import index_batch, waiting

DEEP = 200
PER_SESSION = 10_000


def fill(path: Path, count: int) -> list[str]:
    """`count` nodes in chains of `DEEP`, in sessions of `PER_SESSION`; the tips of the chains."""
    database = Database(path)
    bodies = [("call", encode(CALL), ""), ("reply", encode(reply()), ""), ("user", encode(item()), "")]
    words = ("bracelet necklace orbit colour rotation mirror burnside " + "count fixed total divide wrong right sum").split(" ")
    tips = []
    with database.writing(durable=False) as conn:
        rows = []
        parent = root = ""
        for n in range(1, count + 1):
            session, depth = f"S{n // PER_SESSION:08}", (n - 1) % DEEP
            if n == 1 or n % PER_SESSION == 0:
                conn.execute(
                    "INSERT INTO sessions (id, title, plan, model, simulated, created_at, updated_at) VALUES (?, ?, 'p', 'm', 1, 'x', ?)",
                    (session, session, session),
                )
            id_ = ulid()
            kind, body, _ = ("root", "{}", "") if depth == 0 else bodies[depth % 3]
            if depth == 0:
                parent, root = None, id_
            text = "" if kind in ("root", "call") else " ".join(words[(n * k) % 14] for k in range(3, 60)) + f" t{n % 1000} u{n}"
            rows.append((n, id_, session, parent, n, kind, "x", body, text, None, "0" * 64, 0, 0, None, None, root, depth))
            parent = id_
            if depth == DEEP - 1:
                tips.append(id_)
            if len(rows) == 10_000:
                conn.executemany(f"INSERT INTO nodes VALUES ({', '.join('?' * 17)})", rows)
                rows.clear()
        conn.executemany(f"INSERT INTO nodes VALUES ({', '.join('?' * 17)})", rows)
    while waiting(database.conn):
        with database.writing(durable=False) as conn:
            index_batch(conn)
    database.close()
    return tips


def _clock(action: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return measure


def _compare(rounds: int, **actions: Callable[[], object]) -> dict[str, list[float]]:
    return by_turns({name: _clock(action) for name, action in actions.items()}, rounds)


def large(count: int, folder: str | None) -> list[Row]:
    """P6 and P7 in a notebook of `count` nodes, made in `folder` (default: the system's for temporary files)."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        file = Path(made) / "large.db"
        tips = fill(file, count)
        bare = sqlite3.connect(Path(made) / "bare.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            bare.execute(f"PRAGMA {pragma}")
        bare.execute(
            "CREATE TABLE nodes (id TEXT PRIMARY KEY, session TEXT, parent TEXT, seq INTEGER, kind TEXT, at TEXT, body TEXT)"
        )
        with Store(file) as store, Store(Path(made) / "empty.db") as empty:
            return appends(store, empty, bare, tips) + paths(store, tips) + searches(store)


def appends(store: Store, empty: Store, bare: sqlite3.Connection, tips: list[str]) -> list[Row]:
    """P6: a fork commits a node, its tip and its counts; a bare insert one row of a table without any other index."""
    turn = iter(range(1_000_000))
    forks = [store.path(_session(store, tip), tip)[150] for tip in _some(tips)]
    for fork in forks:
        store.own(fork.session)
    session, asked, _ = begin(empty)

    def insert() -> None:
        bare.execute("INSERT INTO nodes VALUES (?, 's', 'p', 1, 'user', 'x', ?)", (ulid(), encode(item())))

    def fork(draft: Draft) -> None:
        at = forks[next(turn) % len(forks)]
        store.append(at.session, [draft], parent=at.id, branch="fork")

    found = _compare(
        600,
        bare=insert,
        fork=lambda: fork(Draft(item())),
        in_empty=lambda: empty.append(session, [Draft(item())], parent=asked, branch="fork"),
        call=lambda: fork(Draft(CALL)),
    )
    return [
        compared("P6", "fork in a large notebook, against a bare insert", 1.5, found, "fork", "bare", "µs", 1e6),
        compared("P6", "the same against a fork in an empty notebook", 1.5, found, "fork", "in_empty", "µs", 1e6),
        compared("P6", "a call's row in a large notebook, against bare", 1.5, found, "call", "bare", "µs", 1e6),
    ]


def _some(tips: list[str]) -> list[str]:
    return tips[:: max(1, len(tips) // 150)]


def _session(store: Store, node: str) -> str:
    ((session,),) = store.connection.execute("SELECT session FROM nodes WHERE id = ?", (node,))
    return str(session)


def paths(store: Store, tips: list[str]) -> list[Row]:
    turn = iter(range(1_000_000))
    conn = store.connection
    some = _some(tips)
    session = {tip: _session(store, tip) for tip in some}

    def loop(columns: str, decoded: bool) -> Callable[[], None]:
        def walk() -> None:
            at: str | None = some[next(turn) % len(some)]
            while at is not None:
                row = conn.execute(f"SELECT {columns} FROM nodes WHERE id = ?", (at,)).fetchone()
                at = row[2]
                if decoded:
                    to_node(row)

        return walk

    def path() -> None:
        tip = some[next(turn) % len(some)]
        store.path(session[tip], tip)

    def statement() -> None:
        conn.execute(_PATH, (some[next(turn) % len(some)],)).fetchall()

    found = _compare(100, loop=loop(NODE, False), statement=statement, decoded_loop=loop(NODE, True), path=path)
    return [
        compared("P7", "path of 200 as rows, against a loop of selects", 0.5, found, "statement", "loop", "µs", 1e6),
        compared("P7", "path of 200 as nodes, against a decoding loop", 0.5, found, "path", "decoded_loop", "µs", 1e6),
    ]


def searches(store: Store) -> list[Row]:
    """The first page of a search, against a LIKE scan for it: a common word, a rare one, and one that nobody said."""
    conn = store.connection
    sql = "SELECT id FROM nodes WHERE text LIKE ? ORDER BY n DESC"
    rows = []
    for word in ("burnside", "t500", "nowhere"):

        def scan(word: str = word) -> None:
            conn.execute(sql, (f"%{word}%",)).fetchall()

        def search(word: str = word) -> None:
            store.search(word, 50)

        found = _compare(5, scan=scan, search=search)
        rows.append(compared("P7", f"first page of a search for {word}, against LIKE", 0.05, found, "search", "scan", "µs", 1e6))
    return rows
