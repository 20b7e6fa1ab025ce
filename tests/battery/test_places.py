"""The notebook's place: links, pipes and files of others beside it, several names for it, and a file that is moved, deleted, replaced or
written over while it is open.  Nobody's file is written to through a name, all who open one notebook meet, and nothing is acknowledged
that is not in the file at its path."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from store_cases import BEGUN, CALL, begin, child, plain, reply
from table import Table, sized
from terminals import Terminal

from lifeline_tui.core.nodes import Reply
from lifeline_tui.core.nodes import plain as words_of
from lifeline_tui.loading.config import Config, database
from lifeline_tui.store import Draft, OwnedElsewhere, Reader, Store, StoreError
from lifeline_tui.store.database import Database
from lifeline_tui.store.verify import verify

PRECIOUS = b"what a person would miss\n" * 20


def _wrong(counts: Counter[str], faults: tuple[str, ...]) -> Counter[str]:
    return Counter({name: counts[name] for name in faults if counts[name]})


# What stands beside a notebook that came with a folder

BESIDE = "places: what stands beside a notebook that came with a folder"
BESIDE_WRONG = ("files written to", "let in", "things taken away", "raised raw", "hung")
SIDES = (".lock", ".owners", ".owners/{session}", "-wal", "-shm", "-journal")
READ = ("-wal", "-shm", "-journal")
"""Those that a reader opens, too."""
TRYING = """
import sys
exec(sys.argv[1])
from pathlib import Path
from store_cases import *
from lifeline_tui.core.nodes import Remark
from lifeline_tui.store import Reader, Store, StoreError
for line in sys.stdin:
    how, session, node, path = line.rstrip("\\n").split(" ", 3)
    try:
        if how == "read":
            with Reader(path) as store:
                store.owner(session), store.nodes(session)
        else:
            with Store(path) as store:
                store.annotate(session, [Remark("note", "x", node=node)])
        said = "done"
    except StoreError:
        said = "refused"
    except BaseException as error:
        said = "raw " + repr(error)
    print(said, flush=True)
"""


def _link(place: Path, precious: Path) -> None:
    place.symlink_to(precious)


def _dangling(place: Path, precious: Path) -> None:
    place.symlink_to(precious.with_name("nothing-yet"))


def _hard(place: Path, precious: Path) -> None:
    place.hardlink_to(precious)


def _itself(place: Path, precious: Path) -> None:
    place.hardlink_to(precious.parent / "with" / "s.db")


def _pipe(place: Path, precious: Path) -> None:
    os.mkfifo(place)


def _folder(place: Path, precious: Path) -> None:
    place.symlink_to(precious.parent) if place.suffix == ".owners" else place.mkdir()


def _socket(place: Path, precious: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(here)


def _device(place: Path, precious: Path) -> None:
    place.symlink_to("/dev/null")


KINDS: tuple[Callable[[Path, Path], None], ...] = (_link, _dangling, _hard, _itself, _pipe, _folder, _socket, _device)


def beside(folder: Path, rounds: int, chance: Random, plant: str = "") -> Counter[str]:
    """A writer and a reader of a notebook, beside which something else stands in the place of each of our files."""
    counts = Counter(dict.fromkeys(("tried", "refused", *BESIDE_WRONG), 0))
    folder.mkdir(exist_ok=True)
    with Store(folder / "made.db") as store:
        session, item, _ = begin(store)
    cases = [(how, side, kind) for side in SIDES for kind in KINDS for how in ("write", "read")]
    chance.shuffle(cases)
    trying = child(TRYING, plant)
    with trying, _deadline(trying, 20):
        for number, (how, side, kind) in enumerate(cases[:rounds]):
            precious, db = folder / f"{number}" / "precious", folder / f"{number}" / "with" / "s.db"
            db.parent.mkdir(parents=True)
            shutil.copy(folder / "made.db", db)
            precious.write_bytes(PRECIOUS)
            place = Path(str(db) + side.format(session=session))
            place.parent.mkdir(exist_ok=True)
            kind(place, precious)
            before = os.lstat(place)
            with suppress(BrokenPipeError):
                print(how, session, item, db, file=trying.stdin, flush=True)
            said = trying.stdout.readline().strip()
            counts["tried"] += 1
            counts["refused"] += said == "refused"
            counts["hung"] += not said
            counts["raised raw"] += said.startswith("raw")
            counts["let in"] += said == "done" and (how == "write" or side in READ)
            left = sorted(each.name for each in precious.parent.iterdir())
            counts["files written to"] += precious.read_bytes() != PRECIOUS or left != ["precious", "with"]
            counts["things taken away"] += not os.path.lexists(place) or not os.path.samestat(before, os.lstat(place))
        with suppress(BrokenPipeError):
            trying.stdin.close()
    return counts


@contextmanager
def _deadline(process: object, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, process.kill)  # type: ignore[attr-defined]
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@sized(fast=96, long=96, shards=1)
def test_nothing_is_written_through_what_stands_beside_a_notebook(
    tmp_path: Path, chance: Random, table: Table, rounds: int
) -> None:
    counts = beside(tmp_path, rounds, chance)
    table.row(BESIDE, counts)
    assert counts["tried"] == rounds
    assert counts["refused"] > rounds // 2
    assert not _wrong(counts, BESIDE_WRONG), counts


TRUSTING = """
import os
from lifeline_tui.store import database, lock, ownership
lock.side_file = ownership.side_file = lambda path, how=os.O_RDWR | os.O_CREAT: os.open(path, how | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
ownership._stands = lambda fd, path: True
look = database.look_beside
database.look_beside = lambda path: look(path) if path.is_fifo() else None  # it would be waited for
"""


def test_a_trusting_store_is_caught(tmp_path: Path, chance: Random, table: Table) -> None:
    found = _wrong(beside(tmp_path, 96, chance, TRUSTING), BESIDE_WRONG)
    assert found["files written to"]
    table.caught(BESIDE, "opened as it stands, links and all", found.total())


@pytest.mark.parametrize("id_", ["../../precious", "/precious", "..", "a/b", ""])
def test_a_session_with_a_path_for_an_id_is_run_by_nobody(tmp_path: Path, id_: str) -> None:
    (tmp_path / "precious").write_bytes(PRECIOUS)
    path = tmp_path / "with" / "s.db"
    Store(path).close()
    id_ = id_.replace("/precious", str(tmp_path / "precious")) if id_.startswith("/") else id_
    with plain(path) as other:
        values = (id_, "t", "p", "m", 1, "2026", "2026")
        other.execute(
            "INSERT INTO sessions (id, title, plan, model, simulated, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)", values
        )
    other.close()
    with Store(path) as store:
        assert store.owner(id_) is None
        with pytest.raises(StoreError, match="no session's id"):
            store.append(id_, [Draft(BEGUN)], parent=None)
    assert (tmp_path / "precious").read_bytes() == PRECIOUS


# One notebook by several names

NAMES = "places: one notebook by several names, two processes"
NAMES_WRONG = ("second owners let in", "turns unseen", "files of another name", "names told apart")
OWNING = """
import sys
from store_cases import *
store = Store(sys.argv[1])
session, asked, call = begin(store)
print(session, asked, call, flush=True)
for line in sys.stdin:
    store.checkpoint(call, line.strip())
    print("kept", flush=True)
"""


def _names(folder: Path, real: Path) -> dict[str, Path]:
    """Names that lead to the notebook, each in a folder of its own."""
    for name in ("file", "chain", "relative", "shelf"):
        (folder / name).mkdir()
    (folder / "file" / "n.db").symlink_to(real)
    (folder / "chain" / "one.db").symlink_to(folder / "file" / "n.db")
    (folder / "chain" / "two.db").symlink_to("one.db")
    (folder / "relative" / "n.db").symlink_to(os.path.relpath(real, folder / "relative"))
    (folder / "shelf" / "books").symlink_to(real.parent, target_is_directory=True)
    return {
        "a link": folder / "file" / "n.db",
        "a chain of links": folder / "chain" / "two.db",
        "a relative link": folder / "relative" / "n.db",
        "a link to its folder": folder / "shelf" / "books" / real.name,
        "a roundabout way": real.parent / ".." / real.parent.name / real.name,
    }


def names(folder: Path, rounds: int) -> Counter[str]:
    """Another process runs a session by the notebook's own name, or by a link; each other name is tried meanwhile."""
    counts = Counter(dict.fromkeys(("names", *NAMES_WRONG), 0))
    for number in range(rounds):
        here = folder / f"{number}"
        real = here / "real" / "n.db"
        real.parent.mkdir(parents=True)
        Store(real).close()
        ways = _names(here, real)
        first = [real, *ways.values()][number % (len(ways) + 1)]
        with child(OWNING, first) as owner:
            session, asked, _ = owner.stdout.readline().split()
            for name, path in ways.items():
                print(name, file=owner.stdin, flush=True)
                assert owner.stdout.readline() == "kept\n"
                counts["names"] += 1
                counts["names told apart"] += database(Config(), str(path)) != real
                with Store(path) as store, Reader(path) as reader:
                    counts["turns unseen"] += (
                        [each.text for each in reader.open_calls(session)] != [name] if _known(reader, session) else 1
                    )
                    try:
                        store.append(session, [Draft(CALL)], parent=asked)
                        counts["second owners let in"] += 1
                    except OwnedElsewhere as error:
                        counts["second owners let in"] += f"process {owner.pid} " not in str(error)
                    except StoreError:
                        counts["turns unseen"] += 1
            owner.stdin.close()
            owner.wait()
        made = {str(each.relative_to(here)) for each in here.rglob("*") if not each.is_symlink() and each.is_file()}
        counts["files of another name"] += sum(not each.startswith("real/n.db") for each in made)
        with Store(real) as store:
            counts["turns unseen"] += not store.nodes(session) or bool(verify(store))
    return counts


def _known(store: Reader, session: str) -> bool:
    return any(row.id == session for row in store.sessions())


@sized(fast=1, long=60)
def test_all_who_open_one_notebook_meet(tmp_path: Path, table: Table, rounds: int) -> None:
    counts = names(tmp_path, rounds)
    table.row(NAMES, counts)
    assert not _wrong(counts, NAMES_WRONG), counts


def test_a_name_that_is_taken_as_it_is_given_is_caught(tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("store", "read"):
        monkeypatch.setattr(f"lifeline_tui.store.{module}.real", Path)
    found = _wrong(names(tmp_path, 1), NAMES_WRONG)
    assert found["second owners let in"]
    assert found["files of another name"]
    table.caught(NAMES, "the path taken as it is given", found.total())


def test_a_second_name_that_cannot_be_told_from_the_first_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "n.db").close()
    (tmp_path / "m.db").hardlink_to(tmp_path / "n.db")
    for name in ("n.db", "m.db"):
        with pytest.raises(StoreError, match="hard link"):
            Store(tmp_path / name)


def test_a_link_to_nothing_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "n.db").symlink_to(tmp_path / "away" / "n.db")
    for opener in (Store, Reader):
        with pytest.raises(StoreError):
            opener(tmp_path / "n.db")
    assert not (tmp_path / "away").exists()


@pytest.mark.parametrize("target", ["precious", ".", "/dev/zero", "/dev/full", "/dev/tty", "/proc/self/mem"])
def test_a_link_to_what_is_no_notebook_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "precious").write_bytes(PRECIOUS)
    (tmp_path / "n.db").symlink_to(target)
    for opener in (Store, Reader):
        with pytest.raises(StoreError):
            opener(tmp_path / "n.db")
    assert (tmp_path / "precious").read_bytes() == PRECIOUS


# A notebook that goes away while it is open

GONE = "places: a notebook moved, deleted, replaced or written over in the middle"
GONE_WRONG = ("acknowledged and lost", "copies harmed", "not gone on when put back", "not said", "raised raw")


def _delete(db: Path, other: Path) -> None:
    db.unlink()


def _delete_all(db: Path, other: Path) -> None:
    for each in [each for each in db.parent.iterdir() if each.name.startswith(db.name)]:
        each.unlink() if each.is_file() else shutil.rmtree(each)


def _move(db: Path, other: Path) -> None:
    db.rename(db.with_name("elsewhere.db"))


def _move_folder(db: Path, other: Path) -> None:
    db.parent.rename(db.parent.with_name(f"{db.parent.name}-elsewhere"))


def _link_back(db: Path, other: Path) -> None:
    db.rename(db.with_name("elsewhere.db"))
    db.symlink_to("elsewhere.db")


def _restore(db: Path, other: Path) -> None:
    shutil.copy(other, db.with_name("tmp"))
    db.with_name("tmp").rename(db)


def _overwrite(db: Path, other: Path) -> None:
    shutil.copyfile(other, db)


def _empty(db: Path, other: Path) -> None:
    db.write_bytes(b"")


def _garbage(db: Path, other: Path) -> None:
    db.write_bytes(b"dear diary" * 50_000)


def _lose(end: str) -> Callable[[Path, Path], None]:
    def lose(db: Path, other: Path) -> None:
        place = Path(f"{db}{end}")
        place.unlink() if place.is_file() else shutil.rmtree(place)

    return lose


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "deleted": _delete,
    "deleted with all beside it": _delete_all,
    "moved": _move,
    "moved with its folder": _move_folder,
    "moved, and a link left": _link_back,
    "restored": _restore,
    "overwritten": _overwrite,
    "overwritten by an older copy": _overwrite,
    "emptied": _empty,
    "overwritten by another file": _garbage,
    "its log deleted": _lose("-wal"),
    "its index deleted": _lose("-shm"),
    "its lock deleted": _lose(".lock"),
    "its owners deleted": _lose(".owners"),
}
SAID = re.compile(r"was moved, deleted or replaced while it was open|is not a lifeline database|no such table|is damaged")


def gone(folder: Path, rounds: int, chance: Random, ways: Sequence[str] = tuple(WAYS)) -> Counter[str]:
    """A store appends; at some moment its file goes another way, or another file is put in its place; it appends again."""
    counts = Counter(dict.fromkeys(("tried", *GONE_WRONG), 0))
    for number in range(rounds):
        name = ways[number % len(ways)]
        db, other = folder / f"{number}" / "n.db", folder / f"{number}-other.db"
        with Store(db) as store:
            begin(store, "earlier")
        if name == "overwritten by an older copy":
            shutil.copyfile(db, other)
            with Store(db) as store:  # and it went on afterwards
                for _ in range(chance.randrange(1, 30)):
                    begin(store)
        else:
            with Store(other) as store:
                for _ in range(chance.randrange(1, 30)):
                    begin(store, "other")
        copy = other.read_bytes()
        store = Store(db)
        try:
            session, item, _ = begin(store)
            for _ in range(chance.randrange(4)):
                store.append(session, [Draft(CALL), Draft(reply())], parent=item)
            there = [node.id for node in store.nodes(session)]
            WAYS[name](db, other)
            counts["tried"] += 1
            counts.update(_tries(store, session, item))
            if name in ("moved", "moved with its folder"):
                _put_back(db)
                try:
                    store.append(session, [Draft(CALL), Draft(reply())], parent=item)
                    counts["not gone on when put back"] += bool(verify(store)) or len(store.nodes(session)) != len(there) + 2
                except StoreError:
                    counts["not gone on when put back"] += 1
        finally:
            with suppress(StoreError):
                store.close()
        if name == "restored":
            with Store(db) as restored:
                counts["copies harmed"] += bool(verify(restored)) or {row.title for row in restored.sessions()} != {"other"}
        counts["copies harmed"] += other.read_bytes() != copy
    return counts


def _put_back(db: Path) -> None:
    for away, back in ((db.with_name("elsewhere.db"), db), (db.parent.with_name(f"{db.parent.name}-elsewhere"), db.parent)):
        if away.exists():
            away.rename(back)


def _tries(store: Store, session: str, item: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(2):
        try:
            store.append(session, [Draft(CALL), Draft(reply())], parent=item, branch="main")
            found["acknowledged and lost"] += 1
        except StoreError as error:
            found["not said"] += not SAID.search(str(error))
        except Exception:
            found["raised raw"] += 1
    return found


@sized(fast=len(WAYS), long=50 * len(WAYS))
def test_nothing_is_acknowledged_that_is_not_in_the_file_at_its_path(
    tmp_path: Path, chance: Random, table: Table, rounds: int
) -> None:
    counts = gone(tmp_path, rounds, chance)
    table.row(GONE, counts)
    assert counts["tried"] == rounds
    assert not _wrong(counts, GONE_WRONG), counts


@pytest.mark.parametrize(
    ("bug", "what", "instead"),
    [
        ("nothing looked at", "_check_place", lambda self: None),
        ("another file with the same number taken for ours", "_check_content", lambda self, *, shrunk: None),
    ],
)
def test_a_store_that_does_not_look_is_caught(
    tmp_path: Path, chance: Random, table: Table, monkeypatch: pytest.MonkeyPatch, bug: str, what: str, instead: Callable[..., None]
) -> None:
    monkeypatch.setattr(Database, what, instead)
    ways = ("deleted", "restored", "overwritten", "overwritten by an older copy")
    found = _wrong(gone(tmp_path, len(ways), chance, ways), GONE_WRONG)
    assert found["acknowledged and lost"]
    table.caught(GONE, bug, found.total())


def test_a_fold_of_another_process_is_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifeline_tui.store.database.WAL_PAGES", 5)
    with Store(tmp_path / "n.db") as one, Store(tmp_path / "n.db") as two:
        places = [(store, *begin(store)) for store in (one, two)]
        for turn in range(60):
            store, session, item, _ = places[turn // 7 % 2]
            store.append(session, [Draft(CALL), Draft(reply(f"turn {turn}"))], parent=item)
        assert verify(one) == verify(two) == []


# The same, under the real app

APP = "places: a notebook that goes away under the app in mid-stream"
APP_WRONG = ("replies lost", "left without a word", "not verified")
UNDER = (
    "deleted",
    "restored",
    "overwritten",
    "moved",
    "deleted with all beside it",
    "moved with its folder",
    "emptied",
    "its log deleted",
)
BLIND = "from lifeline_tui.store.database import Database\nDatabase._check_place = lambda self: None\n"


def under_the_app(folder: Path, rounds: int, plant: str = "") -> Counter[str]:
    """The file goes while a reply arrives; the operator leaves, and looks for the reply where the last line says that it is."""
    counts = Counter(dict.fromkeys(("apps", *APP_WRONG), 0))
    for number in range(rounds):
        db, other, tmp = folder / f"{number}" / "n.db", folder / f"{number}-other.db", folder / f"{number}-tmp"
        tmp.mkdir()
        with Store(other) as store:
            begin(store, "other")
        with Terminal("open", "--plan", "baseline-20", "--model", "sim/anxious", "--db", db, plant=plant, TMPDIR=str(tmp)) as app:
            app.read(lambda app=app: b"NEXT" in app.out, "the run screen")
            app.send(b"n")
            app.read(lambda db=db: db.exists() and _arriving(db), "a reply")
            WAYS[UNDER[number % len(UNDER)]](db, other)
            app.send(b"\x11")
            counts["apps"] += 1
            app.ended()
            said = re.sub(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|[\r\n]", b"", app.out[app.out.rfind(b"\x1b[?1049l") :]).decode()
        rescued = list(tmp.glob("lifeline-*/rescued.db"))
        counts["left without a word"] += "rescued.db" not in said and "ACTION" not in said
        counts["replies lost"] += not rescued
        for place in rescued:
            with Reader(place) as store:
                (row,) = store.sessions()
                kept = [words_of(node.body.spans) for node in store.nodes(row.id) if isinstance(node.body, Reply)]
                counts["replies lost"] += not kept or not kept[-1]
                counts["not verified"] += bool(verify(store))
    return counts


def _arriving(db: Path) -> bool:
    try:
        with Reader(db) as store:
            return any(point.text for row in store.sessions() for point in store.open_calls(row.id))
    except StoreError:
        return False


@sized(fast=1, long=len(UNDER) * 5)
def test_a_reply_outlives_the_notebook(tmp_path: Path, table: Table, rounds: int) -> None:
    counts = under_the_app(tmp_path, rounds)
    table.row(APP, counts)
    assert not _wrong(counts, APP_WRONG), counts


def test_an_app_that_does_not_look_is_caught(tmp_path: Path, table: Table) -> None:
    found = _wrong(under_the_app(tmp_path, 1, BLIND), APP_WRONG)
    assert found["replies lost"]
    table.caught(APP, "the file at the path not looked at", found.total())
