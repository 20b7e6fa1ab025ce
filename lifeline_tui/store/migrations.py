"""What turns any older file into one of the current schema, in one transaction.

Imported only when a file is new or behind: sqlite-utils costs a third of a start.  A migration that was released is never edited.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from .schema import APPLICATION_ID, TABLES, TRIGGERS, VERSION
from .views import VIEWS

migrations = Migrations("lifeline")


@migrations()
def m001_first(db: Database) -> None:
    # Not executescript: it commits first, and a kill after that would leave half a schema.
    for statement in [*TABLES.split(";\n"), *TRIGGERS.values(), *VIEWS.values()]:
        db.conn.execute(statement)


@migrations()
def m002_what_was_told_and_claimed(db: Database) -> None:
    """New columns and `v_claims`: views only, no row is touched."""
    for name, statement in VIEWS.items():
        db.conn.execute(f"DROP VIEW IF EXISTS {name}")
        db.conn.execute(statement)


@migrations()
def m003_samples(db: Database) -> None:
    """Samples are neither standing nor discarded: views only, no row is touched."""
    m002_what_was_told_and_claimed(db)


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the file up to date.  The caller holds the side lock.  A kill at any moment leaves the file as it was."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(conn))
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {VERSION}")
        conn.execute("COMMIT")
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
