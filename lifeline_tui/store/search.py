"""Full-text search over what was said: the visible text of nodes, reasoning and system prompts included, and of notes.

Indexing at each append would cost a pause; the index follows in batches, and a watermark says how far it is.  A writer brings it
up to date before it searches; a reader cannot, and looks through the few rows beyond the watermark itself.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from ..core.text import visible, visible_line
from .rows import Hit

BATCH = 2_000
"""Rows indexed in one transaction: the lock is held for some tens of milliseconds."""
_AROUND = 60
_WORD = re.compile(r"\w+")

_WHERE = """SELECT n, session, id, kind, at FROM nodes WHERE n = ?1
UNION ALL SELECT n, session, node, field, at FROM annotations WHERE n = ?1"""


def waiting(conn: sqlite3.Connection) -> bool:
    """Whether rows wait to be indexed."""
    (found,) = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM nodes WHERE n > w.n) OR EXISTS (SELECT 1 FROM annotations WHERE n > w.n) FROM search_watermark w"
    ).fetchone()
    return bool(found)


def index_batch(conn: sqlite3.Connection) -> None:
    """Index the next rows, in a transaction that the caller holds."""
    (low,) = conn.execute("SELECT n FROM search_watermark").fetchone()
    (top,) = conn.execute(
        "SELECT max(coalesce((SELECT max(n) FROM nodes), 0), coalesce((SELECT max(n) FROM annotations), 0))"
    ).fetchone()
    high = min(low + BATCH, top)
    conn.execute("INSERT INTO search (rowid, text) SELECT n, text FROM searchable WHERE n > ? AND n <= ?", (low, high))
    conn.execute("UPDATE search_watermark SET n = ?", (high,))


def find(conn: sqlite3.Connection, text: str, limit: int, before: int | None) -> list[Hit]:
    """The newest hits; no text can be a syntax error, and one without a letter or digit finds nothing."""
    words = _words(text)
    if not words or limit < 1:
        return []
    bound = before if before is not None else (1 << 63) - 1
    hits = [_hit(conn, n, snippet) for n, snippet in _tail(conn, words, bound, limit)]
    if len(hits) < limit:
        rows = conn.execute(
            "SELECT rowid, snippet(search, 0, '«', '»', '…', 16) FROM search WHERE search MATCH ? AND rowid < ?"
            " ORDER BY rowid DESC LIMIT ?",
            (_query(words), bound, limit - len(hits)),
        ).fetchall()
        hits += [_hit(conn, n, snippet) for n, snippet in rows]
    return hits


def sessions_saying(conn: sqlite3.Connection, text: str) -> set[str]:
    """The sessions in which all words of `text` stand together somewhere."""
    words = _words(text)
    if not words:
        return set()
    everything = 1 << 62
    found = [n for n, _ in _tail(conn, words, everything, everything)]
    found += [n for (n,) in conn.execute("SELECT rowid FROM search WHERE search MATCH ?", (_query(words),))]
    rows = conn.execute(
        "SELECT session FROM nodes WHERE n IN (SELECT value FROM json_each(?1))"
        " UNION SELECT session FROM annotations WHERE n IN (SELECT value FROM json_each(?1))",
        (json.dumps(found),),
    )
    return {session for (session,) in rows}


def _words(text: str) -> list[str]:
    return _WORD.findall(visible(text))


def _query(words: list[str]) -> str:
    """Quoted, a word is only a word; the last one may still be in the typing."""
    return " ".join(f'"{word}"' for word in words) + "*"


def _tail(conn: sqlite3.Connection, words: list[str], bound: int, limit: int) -> list[tuple[int, str]]:
    """The matches among the rows that are not indexed yet."""
    found = []
    rows = conn.execute(
        "SELECT n, text FROM searchable WHERE n > (SELECT n FROM search_watermark) AND n < ? ORDER BY n DESC", (bound,)
    )
    patterns = [
        re.compile(rf"\b{re.escape(word)}{'' if i == len(words) - 1 else chr(92) + 'b'}", re.I) for i, word in enumerate(words)
    ]
    for n, text in rows:
        matches = [pattern.search(text) for pattern in patterns]
        if all(matches) and matches[0]:
            start, end = matches[0].span()
            found.append((n, f"{text[max(0, start - _AROUND) : start]}«{text[start:end]}»{text[end : end + _AROUND]}"))
            if len(found) == limit:
                break
    return found


def _hit(conn: sqlite3.Connection, n: int, snippet: str) -> Hit:
    row: tuple[Any, ...] = conn.execute(_WHERE, (n,)).fetchone()
    return Hit(row[0], row[1], row[2], row[3], visible_line(snippet), row[4])
