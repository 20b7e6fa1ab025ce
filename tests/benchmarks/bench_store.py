"""P6 and P7 of the performance goals, by hand: `python tests/benchmarks/bench_store.py [NODES] [FOLDER]`.

Everything that is compared runs interleaved in one process; ratios are of medians.  The folder should be on a real disk.
"""

# ruff: noqa: E402, T201

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from store_cases import CALL, begin, item, reply

from lifeline_tui.core.nodes import Kind, decode, encode
from lifeline_tui.store import Draft, Store, ulid
from lifeline_tui.store.database import Database
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


def clock(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e6


def compare(title: str, rounds: int, **actions: Callable[[], object]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(clock(action))
    medians = {name: median(taken) for name, taken in times.items()}
    base = next(iter(medians.values()))
    print(f"{title}: " + " · ".join(f"{name} {value:.0f} µs ({value / base:.3f}×)" for name, value in medians.items()), flush=True)
    return medians


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        large = Path(folder) / "large.db"
        start = time.perf_counter()
        tips = fill(large, count)
        print(f"{count} nodes filled and indexed in {time.perf_counter() - start:.0f} s, {large.stat().st_size >> 20} MiB")
        bare = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            bare.execute(f"PRAGMA {pragma}")
        bare.execute(
            "CREATE TABLE nodes (id TEXT PRIMARY KEY, session TEXT, parent TEXT, seq INTEGER, kind TEXT, at TEXT, body TEXT)"
        )
        with Store(large) as store, Store(Path(folder) / "empty.db") as empty:
            measure(store, empty, bare, tips)


def measure(store: Store, empty: Store, bare: sqlite3.Connection, tips: list[str]) -> None:
    turn = iter(range(1_000_000))
    points = {tip: store.node(tip) for tip in tips[:: max(1, len(tips) // 150)]}
    forks = [store.path(node.session, tip)[150] for tip, node in points.items()]
    for fork in forks:
        store.own(fork.session)
    session, asked, _ = begin(empty)

    def insert() -> None:
        bare.execute("INSERT INTO nodes VALUES (?, 's', 'p', 1, 'user', 'x', ?)", (ulid(), encode(item())))

    def fork(draft: Draft) -> None:
        at = forks[next(turn) % len(forks)]
        store.append(at.session, [draft], parent=at.id, branch="fork")

    compare(
        "P6 one commit, FULL",
        300,
        bare=insert,
        fork_in_large=lambda: fork(Draft(item())),
        fork_in_empty=lambda: empty.append(session, [Draft(item())], parent=asked, branch="fork"),
        call_in_large=lambda: fork(Draft(CALL)),
    )
    _, _, call = begin(empty)
    compare("stream checkpoint, NORMAL", 200, checkpoint=lambda: empty.checkpoint(call, "word " * 2_000))
    paths(store, list(points))
    searches(store)


def paths(store: Store, tips: list[str]) -> None:
    turn = iter(range(1_000_000))
    conn = store.connection
    session = {tip: store.node(tip).session for tip in tips}

    def loop(columns: str, decoded: bool) -> Callable[[], None]:
        def walk() -> None:
            at: str | None = tips[next(turn) % len(tips)]
            while at is not None:
                row = conn.execute(f"SELECT {columns} FROM nodes WHERE id = ?", (at,)).fetchone()
                at = row[2]
                if decoded:
                    to_node(row)

        return walk

    from lifeline_tui.store.read import _PATH

    compare(
        "P7 path of 200, rows",
        100,
        loop_of_selects=loop(NODE, False),
        cte=lambda: conn.execute(_PATH, (tips[next(turn) % len(tips)],)).fetchall(),
    )

    def path() -> None:
        tip = tips[next(turn) % len(tips)]
        store.path(session[tip], tip)

    compare("P7 path of 200, decoded", 50, loop_of_selects=loop(NODE, True), path=path)
    compare("decode one item", 100, item=lambda: decode(Kind.USER, encode(item())))


def searches(store: Store) -> None:
    conn = store.connection
    sql = "SELECT id FROM nodes WHERE text LIKE ? ORDER BY n DESC"
    for word in ("burnside", "t500", "nowhere"):
        scan = f"%{word}%"
        compare(
            f"P7 search {word!r}",
            5,
            like_scan=lambda scan=scan: conn.execute(sql, (scan,)).fetchall(),
            like_first_page=lambda scan=scan: conn.execute(sql + " LIMIT 50", (scan,)).fetchall(),
            search=lambda word=word: store.search(word, 50),
        )
    compare("sessions, first page", 20, sessions=lambda: store.sessions(limit=100))


if __name__ == "__main__":
    main()
