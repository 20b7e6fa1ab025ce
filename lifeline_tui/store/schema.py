"""The tables, and the triggers that keep Law 1: history is append-only.

Every statement here belongs to a released migration and is never edited: a change is a new migration, and one on `nodes` or
`annotations` never uses `transform`, which drops triggers.  `verify` compares the file's triggers with this text.

Indexes are few: each is another page to write with every turn.  A node's children are looked for in its session.

Both history tables have `n`, one count over the whole file (newest first without a sort, and the
search watermark), `text`, what search and the views show, and `clean`, the JSON with `visible()` text, only where the raw one
holds what other programs choke on (lone surrogates, NULs).  `root` and `depth` of a node are derived, and kept for plain joins.
"""

from __future__ import annotations

APPLICATION_ID = 0x4C494645  # "LIFE"
VERSION = 3

TABLES = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, plan TEXT NOT NULL, model TEXT NOT NULL, simulated INTEGER NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    nodes INTEGER NOT NULL DEFAULT 0, annotations INTEGER NOT NULL DEFAULT 0, branches INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE nodes (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session TEXT NOT NULL REFERENCES sessions(id),
    parent TEXT REFERENCES nodes(id), seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('root', 'system', 'user', 'call', 'reply', 'assistant')),
    at TEXT NOT NULL, body TEXT NOT NULL, text TEXT NOT NULL, clean TEXT, sha256 TEXT NOT NULL,
    forged_above INTEGER NOT NULL, fakes_above INTEGER NOT NULL, first_fake_depth INTEGER, copied_from TEXT,
    root TEXT NOT NULL, depth INTEGER NOT NULL, CHECK ((kind = 'root') = (parent IS NULL))
) STRICT;
CREATE TABLE annotations (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session TEXT NOT NULL REFERENCES sessions(id), seq INTEGER NOT NULL,
    node TEXT NOT NULL REFERENCES nodes(id), puzzle TEXT, span TEXT, field TEXT NOT NULL, value TEXT NOT NULL,
    text TEXT, clean TEXT, by TEXT NOT NULL, version TEXT NOT NULL, at TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE branches (
    session TEXT NOT NULL REFERENCES sessions(id), name TEXT NOT NULL, tip TEXT NOT NULL REFERENCES nodes(id),
    PRIMARY KEY (session, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    call TEXT PRIMARY KEY NOT NULL REFERENCES nodes(id), session TEXT NOT NULL, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE view_state (
    session TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE search_watermark (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL) STRICT;
INSERT INTO search_watermark VALUES (1, 0);
CREATE VIEW searchable AS
    SELECT n, text FROM nodes UNION ALL SELECT n, text FROM annotations WHERE text IS NOT NULL;
CREATE VIRTUAL TABLE search USING fts5(
    text, content='searchable', content_rowid='n', columnsize=0, tokenize='unicode61 remove_diacritics 2'
);
CREATE INDEX nodes_session ON nodes (session, seq);
CREATE UNIQUE INDEX nodes_one_reply ON nodes (parent) WHERE kind = 'reply';
CREATE INDEX annotations_session ON annotations (session, seq);
CREATE INDEX annotations_node ON annotations (node, puzzle, field, seq);
CREATE INDEX annotations_attempts ON annotations (session, seq) WHERE field = 'attempt';
CREATE INDEX checkpoints_session ON checkpoints (session)
"""


def _refuse(table: str, event: str, message: str, when: str = "") -> str:
    """A trigger.  RAISE before an insert is what stops INSERT OR REPLACE, which deletes without firing delete triggers."""
    condition = f" WHEN {when}" if when else ""
    name = f"{table}_refuse_{event.lower()}"
    return f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"


_REUSED = "EXISTS (SELECT 1 FROM {0} WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM {0} WHERE n = NEW.n)"
_REPLIED = "NEW.kind = 'reply' AND EXISTS (SELECT 1 FROM nodes WHERE parent = NEW.parent AND kind = 'reply')"

TRIGGERS: dict[str, str] = {
    statement.split()[2]: statement
    for statement in (
        _refuse("nodes", "UPDATE", "history is append-only: a node is never changed"),
        _refuse("nodes", "DELETE", "history is append-only: a node is never deleted"),
        _refuse(
            "nodes", "INSERT", "history is append-only: a node is never replaced", f"{_REUSED.format('nodes')} OR ({_REPLIED})"
        ),
        _refuse("annotations", "UPDATE", "history is append-only: an annotation is never changed"),
        _refuse("annotations", "DELETE", "history is append-only: an annotation is never deleted"),
        _refuse("annotations", "INSERT", "history is append-only: an annotation is never replaced", _REUSED.format("annotations")),
    )
}
"""By name.  The insert triggers name every unique constraint of their table: REPLACE would delete the row it meets at any one."""

SEARCH = {
    "search_data": "CREATE TABLE 'search_data'(id INTEGER PRIMARY KEY, block BLOB)",
    "search_idx": "CREATE TABLE 'search_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "search_config": "CREATE TABLE 'search_config'(k PRIMARY KEY, v) WITHOUT ROWID",
}
"""What the search index makes for itself."""
READ: dict[str, str] = {
    statement.split("(")[0].split()[2 + statement.lstrip().startswith("CREATE VIRTUAL")]: statement.strip()
    for statement in TABLES.split(";\n")
    if statement.split()[1] in ("TABLE", "VIEW", "VIRTUAL")
} | SEARCH
"""Whatever is read from, beside the views in views.py, by name: in another file, a view that never ends could stand in its place."""
