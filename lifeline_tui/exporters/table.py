"""A view as a CSV table: what the exporters of tables share.

A cell that a spreadsheet would take for a formula gets a leading apostrophe; session-jsonl has the exact text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any, TextIO

from ..core.text import last_part, visible
from ..store import Reader


def write_rows(store: Reader, sessions: Sequence[str], out: TextIO, view: str, names: Sequence[str]) -> None:
    """The rows of a `view` for each of the sessions, under a line with the names of the columns."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    paths = {place for place, name in enumerate(names) if name == "model_returned"}
    for session in sessions:
        found = store.connection.execute(f"SELECT {', '.join(names)} FROM {view} WHERE session = ?", (session,))
        for row in found:
            writer.writerow([_cell(last_part(value) if place in paths and value else value) for place, value in enumerate(row)])


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _number(text) else text


def _number(text: str) -> bool:
    """A negative number is no formula."""
    return re.fullmatch(r"-[0-9]+(\.[0-9]+)?", text) is not None
