"""Many processes, kills and bad files: nothing acknowledged is lost, nobody is misled, and every refusal is a sentence."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from store_cases import CALL, ROOT, begin, child, fake_key, plain, reply

from lifeline_tui.core.nodes import Remark, Status
from lifeline_tui.store import Draft, OwnedElsewhere, Reader, Store, StoreError
from lifeline_tui.store.lock import SideLock
from lifeline_tui.store.verify import verify

OWNING = """
import sys
from store_cases import *
store = Store(sys.argv[1])
session, asked, call = begin(store)
store.checkpoint(call, "as far as th", "I thought")
print(session, asked, call, flush=True)
sys.stdin.readline()
"""

DYING = """
import os, sys
import lifeline_tui.store.migrations as migrations
class Deadly(dict):
    def values(self):
        for place, statement in enumerate(super().values()):
            if place == int(sys.argv[2]):
                os.kill(os.getpid(), 9)
            yield statement
migrations.VIEWS = Deadly(migrations.VIEWS)
from lifeline_tui.store import Store
Store(sys.argv[1])
print("open", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_live_owner_keeps_others_from_writing_and_a_dead_one_is_replaced(tmp_path):
    path = tmp_path / "x.db"
    with child(OWNING, path) as owner, Store(path) as store:
        session, asked, call = owner.stdout.readline().split()
        assert store.owner(session).pid == owner.pid
        assert [point.text for point in store.open_calls(session)] == ["as far as th"]
        for write in (
            lambda: store.append(session, [Draft(CALL)], parent=asked),
            lambda: store.annotate(session, [Remark("note", "x", node=asked)]),
            lambda: store.set_branch(session, "b", asked),
            lambda: store.rename(session, "x"),
        ):
            with pytest.raises(OwnedElsewhere, match=f"process {owner.pid} "):
                write()
        assert len(store.nodes(session)) == 3
        assert store.annotations(session) == []
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert store.owner(session) is None
        assert [point.call for point in store.open_calls(session)] == [call]
        (closed,) = store.own(session)
        assert (closed.parent, closed.body.status, closed.body.reasoning) == (call, Status.INTERRUPTED, "I thought")
        assert closed.body.spans[0].text == "as far as th"
        assert store.branches(session)[0].tip == closed.id
        assert store.owner(session).pid == os.getpid()
        assert verify(store) == []


def test_a_reused_process_number_is_no_owner(tmp_path):
    with Store(tmp_path / "x.db") as store:
        session, *_ = begin(store)
        store.release(session)
        (tmp_path / "x.db.owners" / session).write_text(f"{os.getppid()} here")
        assert store.owner(session) is None
        assert len(store.own(session)) == 1


def test_ownership_ends_with_release_and_close(tmp_path):
    with Store(tmp_path / "x.db") as first, Store(tmp_path / "x.db") as second:
        session, asked, call = begin(first)
        first.append(session, [Draft(reply())], parent=call)
        with pytest.raises(OwnedElsewhere):
            second.own(session)
        first.release(session)
        assert second.own(session) == []
        second.append(session, [Draft(CALL)], parent=asked)
        with pytest.raises(OwnedElsewhere):
            first.annotate(session, [Remark("note", "x", node=asked)])
    assert list((tmp_path / "x.db.owners").iterdir()) == []


def test_what_is_said_about_an_interrupted_reply_is_written_with_it(tmp_path):
    path = tmp_path / "x.db"
    with Store(path) as store:
        session, asked, call = begin(store)

    def remarks(store, nodes, reply):
        return [Remark("attempt", {"item": nodes[1].id, "status": reply.status}, "p1")]

    with Store(path, judged=remarks) as store:
        (node,) = store.own(session)
        (note,) = store.annotations(session)
        assert (note.node, note.value) == (node.id, {"item": asked, "status": "interrupted"})
        assert store.path(session, node.id)[-2].id == call


@pytest.mark.parametrize("place", [0, 2, 99])
def test_a_kill_in_the_first_migration_leaves_a_file_that_opens(tmp_path, place):
    path = tmp_path / "x.db"
    with child(DYING, path, place) as dying:
        assert dying.stdout.read() == ("open\n" if place == 99 else "")
    with Store(path) as store:
        begin(store)
        assert verify(store) == []


def test_a_new_file_is_private_and_so_is_all_beside_it(tmp_path):
    old = os.umask(0)
    try:
        with Store(tmp_path / "new" / "x.db") as store:
            begin(store)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
            assert modes.pop("x.db.owners") == 0o700
            assert modes == dict.fromkeys(["x.db", "x.db-wal", "x.db-shm", "x.db.lock"], 0o600)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    finally:
        os.umask(old)


def _database(application_id: int, version: int):
    def make(path: Path) -> None:
        conn = plain(path)
        conn.executescript(f"CREATE TABLE t (x); PRAGMA application_id = {application_id}; PRAGMA user_version = {version}")
        conn.close()

    return make


FOREIGN = {
    "words": (lambda path: path.write_text("dear diary" * 50), "not a lifeline database"),
    "another program's": (_database(0, 0), "another program"),
    "newer": (_database(0x4C494645, 99), "newer lifeline"),
    "folder": (lambda path: path.mkdir(), "cannot be opened"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("opener", [Store, Reader])
def test_a_file_that_is_not_ours_is_left_as_it_is(tmp_path, name, opener):
    path = tmp_path / "x.db"
    make, words = FOREIGN[name]
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=words):
        opener(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("x.db")] == ["x.db"]


def test_a_reader_never_makes_a_file(tmp_path):
    with pytest.raises(StoreError, match="no database"):
        Reader(tmp_path / "x.db")
    assert not (tmp_path / "x.db").exists()


def test_a_reader_cannot_write_and_sees_what_is_written(tmp_path):
    with Store(tmp_path / "x.db") as store, Reader(tmp_path / "x.db") as reader:
        session, *_ = begin(store)
        assert reader.nodes(session) == store.nodes(session)
        assert verify(reader) == []
        with pytest.raises(sqlite3.OperationalError):
            reader.connection.execute("DELETE FROM branches")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_can_be_read(tmp_path):
    folder = tmp_path / "shelf"
    with Store(folder / "x.db") as store:
        session, *_ = begin(store)
        nodes = store.nodes(session)
    folder.chmod(0o500)
    try:
        with Reader(folder / "x.db") as reader:
            assert reader.nodes(session) == nodes
            assert reader.owner(session) is None
    finally:
        folder.chmod(0o700)


def _full_pages(store: Store):
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: store.connection.execute("PRAGMA max_page_count = 4294967294")


def _full_file(store: Store):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{store.file}-wal").stat().st_size, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("fill", [_full_pages, _full_file])
def test_a_full_disk_is_a_sentence_and_the_store_goes_on(tmp_path, fill):
    with Store(tmp_path / "x.db") as store:
        session, _, call = begin(store)
        before = store.nodes(session)
        make_room = fill(store)
        try:
            with pytest.raises(StoreError, match=r"nothing was written|disk is full"):
                store.append(session, [Draft(reply("much " * 20_000))], parent=call, branch="main")
        finally:
            make_room()
        assert store.nodes(session) == before
        store.append(session, [Draft(reply("much " * 20_000))], parent=call, branch="main")
        assert verify(store) == []


def test_the_holder_of_the_lock_is_named(tmp_path, monkeypatch):
    with Store(tmp_path / "x.db") as store:
        session, _, call = begin(store)
        other = SideLock(tmp_path / "x.db.lock")
        monkeypatch.setattr("lifeline_tui.store.lock.WAIT_S", 0.02)
        with other.held(), pytest.raises(StoreError, match=f"Process {os.getpid()} has held"):
            store.append(session, [Draft(reply())], parent=call)
        other.close()
        store.append(session, [Draft(reply())], parent=call)


def test_the_wal_is_folded_back(tmp_path, monkeypatch):
    monkeypatch.setattr("lifeline_tui.store.database.WAL_PAGES", 20)
    wal = tmp_path / "x.db-wal"
    with Store(tmp_path / "x.db") as store:
        session, asked, _ = begin(store)
        sizes = []
        for _ in range(40):
            store.append(session, [Draft(fake_key())], parent=asked)
            sizes.append(wal.stat().st_size)
        assert max(sizes) < 60 * 4200
        assert 0 in sizes
    assert not wal.exists()


def test_opening_an_up_to_date_file_needs_the_standard_library_alone(tmp_path):
    path = tmp_path / "x.db"
    with Store(path) as store:
        begin(store)
    code = (
        "import sys; from lifeline_tui.store import Store; s = Store(sys.argv[1]); s.nodes(s.sessions()[0].id); s.search('how'); s.close();"
        "print(sorted({'sqlite_utils', 'yaml', 'click', 'rich', 'textual', 'asyncio'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code, path], env=env, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_row_that_is_longer_than_any_turn_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "n.db") as store:
        session, *_ = begin(store)
        store.append(session, [Draft(reply("x" * 300_000))], parent=store.branches(session)[0].tip, branch="main")
    monkeypatch.setattr("lifeline_tui.store.database.LONGEST", 200_000)
    with Reader(tmp_path / "n.db") as reader, pytest.raises(StoreError, match="longer than any turn"):
        reader.nodes(session)
