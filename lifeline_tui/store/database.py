"""Opening the file, and the one way to write to it: a `BEGIN IMMEDIATE` transaction under the side lock.

A file that is not ours is told by its header alone and is left untouched.  A new file is private (0600) before anything is in it.
Automatic checkpoints are off; the WAL is folded back under the same lock when it has grown, and on closing.

A path may be a link, and what stands at it may change under us.  What is beside a database goes by its real name, so that all who
open it meet there; and nothing is acknowledged unless the file at that name is the one that was opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ADVICE, BadReference, StoreError, sentence, trouble
from .lock import SideLock, gone, look_beside
from .schema import APPLICATION_ID, READ, TRIGGERS, VERSION
from .views import VIEWS

WAL_PAGES = 2_000
_PAGE = 4_096 + 24
LONGEST = 128_000_000
"""Bytes of a row, at most; SQLite says so before it reads a longer one, which another program must have put there."""
BESIDE = ("-wal", "-shm", "-journal")
_NEWEST = "SELECT n, id FROM nodes ORDER BY n DESC LIMIT 1"
TROUBLE = (sqlite3.Error, OSError, UnicodeError, OverflowError)


def real(path: Path | str) -> Path:
    """The path by which everybody knows the file at `path`; where there is none yet, as it was given."""
    return Path(os.path.realpath(path) if os.path.exists(path) else os.path.abspath(path))


def _look(path: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which file stands at `path`, and when it was last written to and how long it is; zeros for none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return (0, 0), (0, 0)
    return (facts.st_dev, facts.st_ino), (facts.st_mtime_ns, facts.st_size)


def _is_ours(path: Path) -> int:
    """The schema version in the header of `path`: 0 for an empty file.  Raises BadReference for any other file than ours, and
    StoreError where SQLite would write, or wait, somewhere else than beside it.

    SQLite is asked, in a way that takes no lock and looks at nothing beside the file.  To open the file ourselves, and close it, would
    drop every lock that this process's other connections hold on it; another process would then take the log away from under them.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise BadReference(f"{path} cannot be opened: {error.strerror}. Choose another file with --db.") from error
    if not stat.S_ISREG(facts.st_mode):
        raise BadReference(f"{path} cannot be opened: it is no regular file. Choose another file with --db.")
    for end in BESIDE:
        look_beside(path.with_name(path.name + end))
    if not facts.st_size:
        return 0
    conn = _connect(_uri(path, "mode=ro&immutable=1"))
    try:
        return _version(conn, path)
    except UnicodeDecodeError:
        return VERSION  # damaged: see below
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return VERSION  # damaged, or just being written to: a connection that takes locks will tell
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise trouble(error, path) from error
    finally:
        conn.close()
    # No database, so no connection has it open.
    with path.open("rb") as file:
        head = file.read(100)
    if not any(head) and path.with_name(path.name + "-journal").exists():
        return 0  # what a power cut left of a first write, which SQLite is about to take back
    raise trouble(sqlite3.DatabaseError("not a database"), path)


def _version(conn: sqlite3.Connection, path: Path) -> int:
    """The schema version, 0 where nothing is there yet.  Raises BadReference for a database that is not ours."""
    version, application, pages = (
        int(conn.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id", "page_count")
    )
    if not pages:
        return 0
    if application != APPLICATION_ID:
        raise BadReference(f"{path} is a database of another program; it was left as it is. Choose another file with --db.")
    if version > VERSION:
        raise BadReference(
            f"{path} was written by a newer lifeline (schema {version}, this one knows {VERSION}); it was left as it is. "
            "Update lifeline-tui, or choose another file with --db."
        )
    return version


def _connect(target: str) -> sqlite3.Connection:
    conn = sqlite3.connect(target, uri=True, isolation_level=None, check_same_thread=False, timeout=5.0)
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    # Bytes flipped on the disk must reach `verify`, not a decoding error.
    conn.text_factory = lambda data: data.decode("utf-8", "replace")
    return conn


def _uri(path: Path, query: str) -> str:
    return f"{path.absolute().as_uri()}?{query}"


def _check_schema(conn: sqlite3.Connection, path: Path, *, writing: bool, views: bool = True) -> None:
    """Raises StoreError unless all that is read from is what we made, and, for writing, all that guards it and nothing else.  Of an
    older version, which has other `views`, those are not looked at: they are made anew."""
    stored = {
        name: (kind, table, sql or "")
        for kind, name, table, sql in conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    }
    ours = READ | (VIEWS if views else {}) | (TRIGGERS if writing else {})
    other = next((name for name, sql in ours.items() if name not in stored or stored[name][2].strip() != sql), "")
    if not other and writing:
        triggers = (name for name, (kind, table, _) in stored.items() if kind == "trigger" and table in READ)
        other = next((name for name in triggers if name not in TRIGGERS), "")
    if other:
        kind = stored[other][0] if other in stored else "part"
        raise StoreError(f"{path} is not as it was made: its {kind} {other} is {'another' if other in stored else 'gone'}.{ADVICE}")


class Database:
    """A connection that may write.  For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise trouble(error, path) from error
        _is_ours(path)
        if os.stat(path).st_nlink > 1:
            raise BadReference(
                f"{path} has a second name (it is a hard link), and who opens it by that would not see what is written here. "
                "Copy it, and name the copy with --db."
            )
        self.lock = SideLock(path.with_name(path.name + ".lock"))
        try:
            self.conn = self._open()
        except BaseException as error:
            self.lock.close()
            if isinstance(error, TROUBLE):
                raise StoreError(sentence(error, path)) from error
            raise
        self._wal = path.with_name(path.name + "-wal")
        self._wal_seen = 0
        self._opened = {each: _look(each)[0] for each in (f"{self.lock.path}", f"{path}-wal", f"{path}-shm", f"{path}")}
        self._stamp, self._folded = (0, 0), 0  # of the file as it was last looked into: its look, and the count of its newest turn

    def _open(self) -> sqlite3.Connection:
        conn = _connect(_uri(self.path, "mode=rw"))
        try:
            # Asked of SQLite, which first rolls back what a kill left behind; the header alone may speak of that.
            if _version(conn, self.path) < VERSION:
                with self.lock.held():
                    # Another process may have been first.
                    if (version := _version(conn, self.path)) < VERSION:
                        from .migrations import migrate

                        if version:
                            _check_schema(conn, self.path, writing=True, views=False)
                        os.chmod(self.path, 0o600)
                        migrate(conn)
            if conn.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                with self.lock.held():
                    conn.execute("PRAGMA journal_mode = WAL")
            _check_schema(conn, self.path, writing=True)
            conn.execute("PRAGMA wal_autocheckpoint = 0")
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA cache_size = -8000")  # KiB
            conn.execute("PRAGMA foreign_keys = ON")
            conn.execute("PRAGMA recursive_triggers = ON")
        except BaseException:
            conn.close()
            raise
        return conn

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on the disk afterwards, or StoreError was raised and nothing is.

        `durable=False` leaves out the fsync: a power cut may lose it, a kill does not.
        """
        conn = self.conn
        try:
            with self.lock.held():
                if not durable:
                    conn.execute("PRAGMA synchronous = NORMAL")
                try:
                    conn.execute("BEGIN IMMEDIATE")
                    self._check_place()
                    yield conn
                    self._check_place()
                    conn.execute("COMMIT")
                finally:
                    if conn.in_transaction:
                        conn.execute("ROLLBACK")
                    if not durable:
                        conn.execute("PRAGMA synchronous = FULL")
                self._fold_if_grown()
        except TROUBLE as error:
            raise StoreError(sentence(error, self.path)) from error

    def _check_place(self) -> None:
        """Raises StoreError unless what was opened still stands where it stood, and holds what was folded into it."""
        stamp = self._stamp
        for path, opened in self._opened.items():
            now, stamp = _look(path)
            if now != opened:
                raise gone(Path(path))
        if stamp != self._stamp:  # that of the last of them, the database
            self._check_content(shrunk=stamp[1] < self._stamp[1])
            self._stamp = stamp

    def _check_content(self, *, shrunk: bool) -> None:
        """Raises StoreError when the file was written to by a copy that was put over it, and not by a fold of this history.

        A fold that was cut short leaves pages of two moments, which only the log makes whole: to lack some is no sign.
        """
        file = _connect(_uri(self.path, "mode=ro&immutable=1"))
        try:
            last = file.execute(_NEWEST).fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT:
                raise
            return
        finally:
            file.close()
        n, id_ = last or (0, "")
        ours = not n or self.conn.execute("SELECT id FROM nodes WHERE n = ?", (n,)).fetchone() == (id_,)
        if shrunk or n < self._folded or not ours:
            raise gone(self.path)
        self._folded = n

    def _fold_if_grown(self) -> None:
        """Fold the WAL back once it has grown by another `WAL_PAGES`; a reader in the way makes it partial, and that is fine."""
        with suppress(OSError, sqlite3.Error):
            size = os.stat(self._wal).st_size
            if size - self._wal_seen > WAL_PAGES * _PAGE:
                self._fold()
                self._wal_seen = os.stat(self._wal).st_size

    def _fold(self) -> None:
        self.conn.execute("PRAGMA busy_timeout = 0")
        try:
            self.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.conn.execute("PRAGMA busy_timeout = 5000")

    def close(self) -> None:
        # The last connection to close checkpoints by itself: under the lock, that is harmless.
        try:
            with suppress(StoreError), self.lock.held():
                with suppress(sqlite3.Error):
                    self._fold()
                self.conn.close()
        finally:
            self.conn.close()
            self.lock.close()


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and never creates a database; in a folder that is read-only it takes the file as it stands.  A
    file of an older version is brought up to date first."""
    if not path.exists():
        raise BadReference(f"There is no database at {path}. Name another one with --db, or run `lifeline` to begin one.")
    if (version := _is_ours(path)) < VERSION:
        if not version:
            raise BadReference(f"{path} is still empty. Open it once with `lifeline --db {path}`.")
        # Only views change from one version to the next: whoever may write brings the file up to date before it is read.
        try:
            Database(path).close()
        except StoreError as error:
            raise BadReference(f"{path} is of an older schema, and could not be brought up to date: {error}") from error
    for query in ("mode=ro", "mode=ro&immutable=1"):
        conn = _connect(_uri(path, query))
        try:
            conn.execute("PRAGMA query_only = ON")
            _version(conn, path)
            _check_schema(conn, path, writing=False)
        except StoreError:
            conn.close()
            raise
        except TROUBLE as error:
            conn.close()
            wal = path.with_name(path.name + "-wal")
            if "immutable" in query or (
                isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            ):
                raise StoreError(sentence(error, path)) from error
            if wal.exists() and wal.stat().st_size:
                raise StoreError(
                    f"{path} has changes in {wal.name} that cannot be read in a read-only folder. Copy both files elsewhere."
                ) from error
        else:
            return conn
    raise AssertionError("one of the two answers")
