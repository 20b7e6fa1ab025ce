"""Many processes on one notebook: nobody's transactions are lost, readers see whole moments, and a session has one owner."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from store_cases import CALL, begin, child, reply
from table import Table, sized

from lifeline_tui.core.nodes import Status
from lifeline_tui.store import Draft, OwnedElsewhere, Reader, Store, StoreError
from lifeline_tui.store.verify import verify

WRITERS, READERS = 8, 2
WRITING = """
import sys
exec(sys.argv[1])
from store_cases import *
from lifeline_tui.store import StoreError
from lifeline_tui.core.nodes import Remark
sys.stdin.readline()
failed = 0
with Store(sys.argv[2]) as store:
    session, asked, call = begin(store, sys.argv[3])
    for turn in range(int(sys.argv[4])):
        try:
            if turn % 10 == 5:
                store.checkpoint(call, f"as far as {turn}")
            elif turn % 10 == 9:
                store.search("word")
                store.annotate(session, [Remark("note", f"note {turn}", node=asked)])
            else:
                store.append(session, [Draft(CALL), Draft(reply(f"word {turn}"))], parent=asked, branch="main")
        except StoreError:
            failed += 1
print(failed, flush=True)
"""
READING = """
import json, select, sys
from store_cases import *
from lifeline_tui.store import Reader
from lifeline_tui.store.verify import verify
looks, wrong = 0, 0
print("ready", flush=True)
seen = {}
while not select.select([sys.stdin], [], [], 0)[0]:
    with Reader(sys.argv[1]) as store:
        looks += 1
        wrong += bool(verify(store))
        for row in store.sessions():
            now = [node.id for node in store.nodes(row.id)]
            wrong += now[: len(seen.get(row.id, []))] != seen.get(row.id, [])
            seen[row.id] = now
print(json.dumps([looks, wrong]), flush=True)
"""
OWNING = """
import sys
exec(sys.argv[1])
from store_cases import *
store = Store(sys.argv[2])
session, asked, call = begin(store)
store.checkpoint(call, "as far as th", "I thought")
print(session, asked, call, flush=True)
sys.stdin.readline()
"""
WRONG = ("transactions failed", "transactions lost", "moments that were not whole", "damaged")


def crowd(folder: Path, transactions: int, plant: str = "") -> Counter[str]:
    """Eight writers, each in a session of its own, while two readers look over and over."""
    counts = Counter(dict.fromkeys(("writers", "transactions", "looks", *WRONG), 0))
    path = folder / "x.db"
    Store(path).close()
    readers = [child(READING, path) for _ in range(READERS)]
    writers = [child(WRITING, plant, path, str(n), transactions) for n in range(WRITERS)]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "ready\n"
        for writer in writers:
            print("go", file=writer.stdin, flush=True)
        for writer in writers:
            writer.wait(600)
        for reader in readers:
            looks, wrong = json.loads(reader.communicate("stop\n")[0])
            counts.update({"looks": looks, "moments that were not whole": wrong})
        for writer in writers:
            failed = int(writer.communicate()[0] or transactions)
            counts.update({"writers": 1, "transactions": transactions, "transactions failed": failed})
    finally:
        for each in (*readers, *writers):
            each.kill()
            each.communicate()
    with Store(path) as store:
        for row in store.sessions():
            said = [each % 10 for each in range(transactions)]
            due = 3 + 2 * sum(each not in (5, 9) for each in said), said.count(9)
            counts["transactions lost"] += (due[0] - row.nodes) // 2 + due[1] - row.annotations
        counts["transactions lost"] += (WRITERS - len(store.sessions())) * transactions
        counts["damaged"] += len(verify(store))
    return counts


CROWD = "processes: eight writers and two readers"


@sized(fast=10, long=1000, shards=1)
def test_no_transaction_of_many_writers_is_lost(tmp_path: Path, table: Table, rounds: int) -> None:
    counts = crowd(tmp_path, rounds)
    table.row(CROWD, counts)
    assert counts["looks"]
    assert not any(counts[fault] for fault in WRONG), counts


UNLOCKED = """
import contextlib, functools, sqlite3
from lifeline_tui.store.lock import SideLock
SideLock.held = lambda self: contextlib.nullcontext()
class Deferred(sqlite3.Connection):
    def execute(self, sql, *values):
        return super().execute("BEGIN" if sql == "BEGIN IMMEDIATE" else sql, *values)
sqlite3.connect = functools.partial(sqlite3.connect, factory=Deferred)
"""


def test_writers_without_a_lock_are_caught(tmp_path: Path, table: Table) -> None:
    found: Counter[str] = Counter()
    for attempt in range(5):  # they need not meet
        found += crowd(tmp_path / str(attempt), 30, UNLOCKED)
        if any(found[fault] for fault in WRONG):
            break
    assert any(found[fault] for fault in WRONG), found
    table.caught(CROWD, "no lock, and deferred transactions", sum(found[fault] for fault in WRONG))


OWNER_WRONG = ("second owners let in", "refused without the pid", "not taken over", "text lost", "damaged")
OWNER = "processes: a second owner, and a dead one"


def owners(folder: Path, rounds: int, plant: str = "") -> Counter[str]:
    """A second owner is turned away by the first one's pid, and lets itself in once that is dead."""
    counts = Counter(dict.fromkeys(("owners", *OWNER_WRONG), 0))
    for number in range(rounds):
        path = folder / f"{number}.db"
        with child(OWNING, plant, path) as owner, Store(path) as store:
            session, asked, call = owner.stdout.readline().split()
            counts["owners"] += 1
            try:
                store.append(session, [Draft(CALL)], parent=asked)
                counts["second owners let in"] += 1
            except OwnedElsewhere as error:
                counts["refused without the pid"] += f"process {owner.pid} " not in str(error)
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            closed = store.own(session)
            counts["not taken over"] += [node.parent for node in closed] != [call] or store.owner(session).pid != os.getpid()
            counts["text lost"] += [(node.body.status, node.body.spans[0].text, node.body.reasoning) for node in closed] != [
                (Status.INTERRUPTED, "as far as th", "I thought")
            ]
            counts["damaged"] += len(verify(store))
    return counts


@sized(fast=1, long=100, shards=2)
def test_a_second_owner_is_refused_and_a_dead_one_replaced(tmp_path: Path, table: Table, rounds: int) -> None:
    counts = owners(tmp_path, rounds)
    table.row(OWNER, counts)
    assert not any(counts[fault] for fault in OWNER_WRONG), counts


def test_an_owner_without_a_lock_is_caught(tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked = "import fcntl\nfcntl.flock = lambda fd, how: None\n"
    found = owners(tmp_path, 1, unlocked)
    assert found["second owners let in"]
    table.caught(OWNER, "no lock on the owner's file", found["second owners let in"])


VISITING = """
import sys
from store_cases import *
with Store(sys.argv[1]) as store:
    begin(store, "visitor")
"""
LOCKS_WRONG = ("logs taken away", "turns that others do not see")
LOCKS = "processes: others come and go while a process writes and reads"


def visits(folder: Path, rounds: int, look: Callable[[Path], None]) -> Counter[str]:
    """A process writes, looks at its own file as the app does, and goes on writing, while another comes and goes.

    Any descriptor of the file that is closed drops all locks of its process on it; whoever comes then takes itself for the only
    one, and takes the write-ahead log away when it goes.
    """
    counts = Counter(dict.fromkeys(("visits", *LOCKS_WRONG), 0))
    for number in range(rounds):
        path = folder / f"{number}.db"
        with Store(path) as store:
            session, _, call = begin(store)
            look(path)
            with child(VISITING, path) as visitor:
                visitor.communicate()
            counts["visits"] += 1
            counts["logs taken away"] += not path.with_name(f"{path.name}-wal").exists()
            with suppress(StoreError):  # that the log is gone is seen, too
                store.append(session, [Draft(reply())], parent=call, branch="main")
            with child(
                "import sys\nfrom store_cases import *\nprint(len(Store(sys.argv[1]).nodes(sys.argv[2])))", path, session
            ) as other:
                counts["turns that others do not see"] += int(other.communicate()[0]) != 4
    return counts


def _looked(path: Path) -> None:
    """All that a process does with its notebook beside writing to it."""
    with Reader(path) as store:
        assert verify(store) == []
        store.sessions()
    with Store(path):
        pass


@sized(fast=1, long=100, shards=2)
def test_looking_at_ones_own_file_leaves_it_locked(tmp_path: Path, table: Table, rounds: int) -> None:
    counts = visits(tmp_path, rounds, _looked)
    table.row(LOCKS, counts)
    assert not any(counts[fault] for fault in LOCKS_WRONG), counts


def test_a_descriptor_that_is_closed_is_caught(tmp_path: Path, table: Table) -> None:
    found = visits(tmp_path, 1, lambda path: path.open("rb").close())
    assert found["logs taken away"]
    table.caught(LOCKS, "the file opened and closed beside SQLite", found["logs taken away"])
