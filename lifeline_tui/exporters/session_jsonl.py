"""The lossless form of sessions: everything but view state, one JSON object a line, closed by counts and a digest over all lines.

Names stand as the server gave them: some servers answer with the path of the model's file on their machine, and no other format has
more than its last part.  A lone surrogate or a NUL survives, because every line is ASCII JSON.  Export → import → export is byte-identical.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from ..core.codec import annotation_hash, node_hash
from ..core.nodes import Annotation, Node, canonical
from ..store import Branch, Reader
from ..store import Session as Row
from ..store.errors import SALVAGE
from . import ExportError, ExportFailed

FORMAT, VERSION = "lifeline-session", 1


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """One session.  Raises ExportError for several, or when asked to be blind: this form keeps everything."""
    if len(sessions) != 1:
        raise ExportError("session-jsonl holds one session a file: export them one at a time.")
    if blind:
        raise ExportError("session-jsonl keeps everything, so it cannot be blind: use markdown or attempts-csv.")
    total = hashlib.sha256()
    for line in lines(store, sessions[0]):
        total.update(line.encode("ascii") + b"\n")
        out.write(line + "\n")
    out.write(canonical({"kind": "end", "counts": _counts(store, sessions[0]), "sha256": total.hexdigest()}) + "\n")


def lines(store: Reader, session: str) -> Iterator[str]:
    """Every line but the last.  Raises ExportFailed at a row that is not what its hash says: no import would take it."""
    row = store.session(session)
    yield canonical({"format": FORMAT, "version": VERSION, "session": header(row)})
    hashes = {"": ""}
    for node in store.nodes(session):
        hashes[node.id] = _proved(row, node, node_hash(node, hashes.get(node.parent or "", "")))
        yield canonical(node_data(node))
    for note in store.annotations(session):
        _proved(row, note, annotation_hash(note, hashes.get(note.node, "")))
        yield canonical(note_data(note))
    for branch in store.branches(session):
        yield canonical(branch_data(branch))


def _proved(session: Row, thing: Node | Annotation, sha256: str) -> str:
    if thing.sha256 != sha256:
        what = "turn" if isinstance(thing, Node) else "remark"
        raise ExportFailed(
            f"Session {session.id} is damaged or was altered: {what} {thing.id} is not what its hash says. {SALVAGE}."
        )
    return sha256


def _counts(store: Reader, session: str) -> dict[str, int]:
    return {
        "nodes": len(store.nodes(session)),
        "annotations": len(store.annotations(session)),
        "branches": len(store.branches(session)),
    }


def header(row: Row) -> dict[str, Any]:
    """What identifies a session."""
    names = ("id", "title", "plan", "model", "simulated", "created_at")
    return {name: getattr(row, name) for name in names}


def node_data(node: Node) -> dict[str, Any]:
    """A node as one object; `kind` is its own."""
    return {
        "kind": str(node.kind),
        "id": node.id,
        "parent": node.parent,
        "seq": node.seq,
        "at": node.at,
        "body": json.loads(node.raw),
        "sha256": node.sha256,
        "forged_above": node.forged_above,
        "fakes_above": node.fakes_above,
        "first_fake_depth": node.first_fake_depth,
        "copied_from": node.copied_from,
    }


def note_data(note: Annotation) -> dict[str, Any]:
    return {
        "kind": "annotation",
        "id": note.id,
        "seq": note.seq,
        "node": note.node,
        "puzzle": note.puzzle,
        "span": note.span,
        "field": note.field,
        "value": note.value,
        "by": note.by,
        "version": note.version,
        "at": note.at,
        "sha256": note.sha256,
    }


def branch_data(branch: Branch) -> dict[str, Any]:
    return {"kind": "branch", "name": branch.name, "tip": branch.tip}
