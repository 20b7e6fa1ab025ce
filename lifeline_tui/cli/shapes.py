"""The JSON that commands print of stored sessions: scripts rely on its names."""

from __future__ import annotations

from typing import Any

from ..exporters.session_jsonl import branch_data, node_data, note_data
from ..store import Reader
from ..store import Session as Row


def session_line(store: Reader, row: Row) -> dict[str, Any]:
    """What `sessions --json` prints of a session.  `status`: streaming while a reply arrives in a live process, interrupted where
    one was cut off by a dead one, else idle."""
    status = "idle"
    if row.open_calls:
        status = "interrupted" if store.owner(row.id) is None else "streaming"
    names = ("title", "plan", "model", "simulated", "created_at", "updated_at", "nodes", "branches", "attempts")
    return {"session": row.id, "status": status} | {name: getattr(row, name) for name in names}


def session_data(store: Reader, session: str, branch: str | None) -> dict[str, Any]:
    """What `show --json` prints; a call without its reply carries what has arrived as `partial`."""
    row = store.session(session)
    nodes, branches = store.nodes(row.id), store.branches(row.id)
    if branch is not None:
        branches = [store.branch(row.id, branch)]
        nodes = store.path(row.id, branches[0].tip)
    shown = {node.id for node in nodes}
    open_calls = {point.call: point for point in store.open_calls(row.id)}
    data = []
    for node in nodes:
        each = node_data(node)
        if node.id in open_calls:
            each["partial"] = {"text": open_calls[node.id].text, "reasoning": open_calls[node.id].reasoning}
        data.append(each)
    notes = [note_data(note) for note in store.annotations(row.id) if note.node in shown]
    return {
        "session": session_line(store, row),
        "branches": [branch_data(each) for each in branches],
        "nodes": data,
        "annotations": notes,
    }
