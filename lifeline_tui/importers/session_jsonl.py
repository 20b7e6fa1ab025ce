"""Our own lossless form, back in.  Same id and hash is skipped; the same id with another hash refuses the file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.nodes import Annotation, Kind, Node, canonical, decode
from ..core.plan import Actions
from ..exporters.session_jsonl import FORMAT, VERSION
from ..loading import BadFile, read_bytes
from ..store import Store
from .fitting import check_body, check_steps, check_value

LIMIT = 2_000_000_000
NODE = {"kind", "id", "parent", "seq", "at", "body", "sha256", "forged_above", "fakes_above", "first_fake_depth", "copied_from"}
NOTE = {"kind", "id", "seq", "node", "puzzle", "span", "field", "value", "by", "version", "at", "sha256"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's contents, checked but for their hashes."""

    session: dict[str, Any]
    nodes: list[Node]
    notes: list[Annotation]
    branches: list[dict[str, str]]


def read(store: Store, path: Path, actions: Actions | None = None) -> tuple[str, int]:
    """Imports a file, whose plan may script only `actions`, where those are given; returns the session's id and how many rows were
    new.  Raises BadFile or StoreError."""
    found = parse(path, actions)
    counts = store.import_session(found.session, found.nodes, found.notes, found.branches)
    return found.session["id"], sum(number for what, number in counts.items() if what != "skipped")


def parse(path: Path, actions: Actions | None = None) -> Parsed:
    """A file's contents.  Raises BadFile."""
    data = read_bytes(path, LIMIT)
    rows = []
    lines = data.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line.decode("ascii"))
        except (ValueError, RecursionError) as error:
            raise BadFile(path, f"is not a line of ASCII JSON ({error})", number) from None
        if not isinstance(row, dict):
            raise BadFile(path, "must hold one JSON object a line", number)
        rows.append(row)
    if len(rows) < 2 or rows[0].get("format") != FORMAT:
        raise BadFile(path, "is not a lifeline session: its first line must say so", 1)
    if rows[0].get("version") != VERSION:
        raise BadFile(path, f"has version {rows[0].get('version')!r}; this tool reads version {VERSION}", 1)
    total = hashlib.sha256(b"".join(line + b"\n" for line in lines[:-1])).hexdigest()
    if rows[-1].get("kind") != "end" or rows[-1].get("sha256") != total:
        raise BadFile(path, "is incomplete or was altered: its last line's digest does not match", len(rows))
    session = _session(rows[0], path)
    nodes: list[Node] = []
    notes: list[Annotation] = []
    branches: list[dict[str, str]] = []
    for number, row in enumerate(rows[1:-1], 2):
        kind = row.get("kind")
        try:
            if kind in set(Kind):
                nodes.append(_node(row, session["id"], actions))
            elif kind == "annotation":
                notes.append(_note(row, session["id"]))
            elif kind == "branch":
                branches.append({"name": _text(row, "name"), "tip": _text(row, "tip")})
            else:
                raise ValueError(f"unknown kind {kind!r}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadFile(path, f"is not a valid {kind if isinstance(kind, str) else 'row'}: {error}", number) from None
    counts = {"nodes": len(nodes), "annotations": len(notes), "branches": len(branches)}
    if rows[-1] != {"kind": "end", "counts": counts, "sha256": total}:
        raise BadFile(path, f"is incomplete or was altered: its last line does not count {counts}", len(rows))
    try:
        check_steps(nodes)
    except ValueError as error:
        raise BadFile(path, f"does not hold together: {error}") from None
    return Parsed(session, nodes, notes, branches)


def _session(row: dict[str, Any], path: Path) -> dict[str, Any]:
    session = row.get("session")
    if not isinstance(session, dict) or not all(
        isinstance(session.get(n), str) for n in ("id", "title", "plan", "model", "created_at")
    ):
        raise BadFile(path, "names no session", 1)
    if not isinstance(session.get("simulated"), bool):
        raise BadFile(path, "does not say whether the subject is simulated", 1)
    return session


def _text(row: dict[str, Any], name: str) -> str:
    if not isinstance(row[name], str):
        raise ValueError(f"{name} must be text")
    return str(row[name])


def _number(row: dict[str, Any], name: str) -> int:
    if type(row[name]) is not int or not 0 <= row[name] < 1 << 62:
        raise ValueError(f"{name} must be a whole number")
    return int(row[name])


def _known(row: dict[str, Any], names: set[str]) -> None:
    if set(row) != names:
        odd = ", ".join(sorted(set(row) ^ names))
        raise ValueError(f"fields missing or unknown: {odd}")


def _optional(row: dict[str, Any], name: str) -> str | None:
    return None if row[name] is None else _text(row, name)


def _node(row: dict[str, Any], session: str, actions: Actions | None) -> Node:
    _known(row, NODE)
    if not isinstance(row["body"], dict):
        raise ValueError("body must be an object")
    raw = canonical(row["body"])
    check_body(Kind(row["kind"]), row["body"], actions)
    return Node(
        id=_text(row, "id"),
        session=session,
        parent=_optional(row, "parent"),
        seq=_number(row, "seq"),
        at=_text(row, "at"),
        body=decode(Kind(row["kind"]), raw),
        raw=raw,
        sha256=_text(row, "sha256"),
        forged_above=_number(row, "forged_above"),
        fakes_above=_number(row, "fakes_above"),
        first_fake_depth=None if row["first_fake_depth"] is None else _number(row, "first_fake_depth"),
        copied_from=_optional(row, "copied_from"),
    )


def _note(row: dict[str, Any], session: str) -> Annotation:
    _known(row, NOTE)
    check_value(_text(row, "field"), row["value"])
    return Annotation(
        id=_text(row, "id"),
        session=session,
        seq=_number(row, "seq"),
        node=_text(row, "node"),
        field=_text(row, "field"),
        value=row["value"],
        raw=canonical(row["value"]),
        by=_text(row, "by"),
        at=_text(row, "at"),
        sha256=_text(row, "sha256"),
        puzzle=_optional(row, "puzzle"),
        span=_optional(row, "span"),
        version=_text(row, "version"),
    )
