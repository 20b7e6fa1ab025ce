"""The attempts table: one row per (reply, puzzle), shared prefixes counted once.  It is the view `v_attempts` as it stands.

A cell that a spreadsheet would take for a formula gets a leading apostrophe; session-jsonl has the exact text.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, TextIO

from ..core.text import visible
from ..store import Reader

BLIND = frozenset(
    {"model_requested", "model_returned", "simulated", "arm", "plan", "key", "shown_answer", "truthful", "feedback_kind"}
)
"""What a rater must not see in a first pass."""


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """Rows in the order they were made, session after session."""
    writer = csv.writer(out, lineterminator="\n")
    names: list[str] | None = None
    for session in sessions:
        found = store.connection.execute("SELECT * FROM v_attempts WHERE session = ?", (session,))
        columns = [each[0] for each in found.description]
        shown = [name for name in columns if not (blind and name in BLIND)]
        if names is None:
            names = shown
            writer.writerow(names)
        places = [columns.index(name) for name in names]
        writer.writerows([_cell(row[place]) for place in places] for row in found)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _number(text) else text


def _number(text: str) -> bool:
    """A negative number is no formula."""
    return text[1:].replace(".", "", 1).isdecimal()
