"""Our own lossless form, back in.  Same id and hash is skipped; the same id with another hash refuses the file.

A file is read line by line and refused at the first line that no export writes: each is spelled in the one way there is, stands in its
place, once, and hashes to what it says.  So what came in goes out again to the byte, and what is large is so because a session is.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.codec import annotation_hash, decode, node_hash
from ..core.nodes import Annotation, Kind, Node, canonical
from ..core.plan import Actions
from ..exporters.session_jsonl import FORMAT, VERSION
from ..loading.files import BadFile, read_lines
from ..store import Store
from ..store.rows import named
from .fitting import check_body, check_steps, check_value

LIMIT = 2_000_000_000
LONGEST, LONGEST_WIDE = 16_000_000, 8_000_000
"""Bytes of a line, and of one with characters such as emoji: with one of those in it a text takes four bytes a character in memory."""
MOST_VALUES = 500_000
"""In a line: a value takes thirty times the room that it takes in a file."""
_WIDE = re.compile(r"\\ud[89ab]")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
DEEPEST = 50
SESSION = {"id", "title", "plan", "model", "simulated", "created_at"}
BRANCH = {"kind", "name", "tip"}
NODE = {"kind", "id", "parent", "seq", "at", "body", "sha256", "forged_above", "fakes_above", "first_fake_depth", "copied_from"}
NOTE = {"kind", "id", "seq", "node", "puzzle", "span", "field", "value", "by", "version", "at", "sha256"}


@dataclass(slots=True)
class Parsed:
    """A file's contents, so far.  `hashes` holds that of every node and note, `last` the place of the last of the lines."""

    session: dict[str, Any]
    nodes: list[Node] = field(default_factory=list)
    notes: list[Annotation] = field(default_factory=list)
    branches: list[dict[str, str]] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    last: tuple[Any, ...] = ()


def read(store: Store, path: Path, actions: Actions | None = None) -> tuple[str, int]:
    """Imports a file, whose plan may script only `actions`, where those are given; returns the session's id and how many rows were
    new.  Raises BadFile or StoreError."""
    return take(store, parse(path, actions))


def take(store: Store, found: Parsed) -> tuple[str, int]:
    """Imports what a file holds; returns the session's id and how many rows were new.  Raises StoreError."""
    counts = store.import_session(found.session, found.nodes, found.notes, found.branches)
    return found.session["id"], sum(number for what, number in counts.items() if what != "skipped")


def parse(path: Path, actions: Actions | None = None) -> Parsed:
    """A file's contents.  Raises BadFile."""
    found: Parsed | None = None
    total = hashlib.sha256()
    number, held = 0, b""
    for number, line in enumerate(read_lines(path, LIMIT, LONGEST), 1):
        if number == 1:
            found = Parsed(_session(_object(line, path, 1), path))
        elif found is not None and number > 2:
            _take(found, _object(held, path, number - 1), path, number - 1, actions)
        if number > 1:
            total.update(held)
        held = line
    if found is None or number < 2:
        raise BadFile(path, "is not a lifeline session: it has no lines" if found is None else "is incomplete: it has one line", 1)
    counts = {"nodes": len(found.nodes), "annotations": len(found.notes), "branches": len(found.branches)}
    if _object(held, path, number) != {"kind": "end", "counts": counts, "sha256": total.hexdigest()}:
        raise BadFile(path, f"is incomplete or was altered: its last line is not the digest of all others, with {counts}", number)
    try:
        check_steps(found.nodes)
    except ValueError as error:
        raise BadFile(path, f"does not hold together: {error}") from None
    return found


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """The JSON object in a line, which is spelled as an export spells it: so no key is there twice, and no two readers differ."""
    try:
        text = line.decode("ascii")
        if len(text) > LONGEST_WIDE and _WIDE.search(text):
            raise ValueError(f"it is longer than {LONGEST_WIDE:,} bytes")
        marks = _marks(text)
        if sum(marks.values()) > MOST_VALUES and text.count('"') <= 4 * MOST_VALUES:
            marks = _marks(_STRING.sub("", text))  # most stand in what was said
        if sum(marks.values()) > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values")
        row = json.loads(text)
        if not isinstance(row, dict):
            raise ValueError("it is no object")
        if f"{canonical(row)}\n" != text:
            raise ValueError("it is spelled otherwise than an export spells it")
        if marks["["] + marks["{"] > DEEPEST and _deeper(row, DEEPEST):
            raise ValueError(f"it is nested more than {DEEPEST} deep")
    except (ValueError, RecursionError) as error:
        raise BadFile(path, f"is no line of an export, which is ASCII JSON: {error}", number) from None
    return row


def _marks(text: str) -> dict[str, int]:
    return {mark: text.count(mark) for mark in ",[{"}


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper(each, levels - 1) for each in inner)


def _take(found: Parsed, row: dict[str, Any], path: Path, number: int, actions: Actions | None) -> None:
    """A node, an annotation or a branch more."""
    kind = row.get("kind")
    try:
        if kind in set(Kind):
            node = _node(row, found.session["id"], actions)
            _new(found, node, node_hash(node, "" if node.parent is None else _of(found, node.parent)))
            _next(found, 0, node.seq, node.id)
            found.nodes.append(node)
        elif kind == "annotation":
            note = _note(row, found.session["id"])
            _new(found, note, annotation_hash(note, _of(found, note.node)))
            _next(found, 1, note.seq, note.id)
            found.notes.append(note)
        elif kind == "branch":
            _known(row, BRANCH)
            _of(found, _text(row, "tip"))
            _next(found, 2, _name(row, "name"))
            found.branches.append({"name": row["name"], "tip": row["tip"]})
        else:
            raise ValueError(f"unknown kind {kind!r}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadFile(path, f"is not a valid {kind if isinstance(kind, str) else 'row'}: {error}", number) from None


def _new(found: Parsed, thing: Node | Annotation, sha256: str) -> None:
    if thing.id in found.hashes:
        raise ValueError(f"{thing.id} comes twice")
    if thing.sha256 != sha256:
        raise ValueError("it is not what its hash says; the file was altered")
    found.hashes[thing.id] = sha256


def _next(found: Parsed, *place: Any) -> None:
    """Nodes, then annotations, then branches, each kind in its order."""
    if place <= found.last:
        raise ValueError("it does not stand in its place")
    found.last = place


def _of(found: Parsed, node: str) -> str:
    """The hash of a node that is named."""
    if node not in found.hashes:
        raise ValueError(f"node {node} does not stand above it")
    return found.hashes[node]


def _session(row: dict[str, Any], path: Path) -> dict[str, Any]:
    if row.get("format") != FORMAT:
        raise BadFile(path, "is not a lifeline session: its first line must say so", 1)
    if canonical(row.get("version")) != canonical(VERSION):
        raise BadFile(path, f"has version {row.get('version')!r}; this tool reads version {VERSION}", 1)
    try:
        _known(row, {"format", "version", "session"})
        session = row["session"]
        if not isinstance(session, dict):
            raise ValueError("it names no session")
        _known(session, SESSION)
        for name in ("id", "created_at"):
            _text(session, name)
        for name in ("title", "plan", "model"):
            _name(session, name)
        if not isinstance(session["simulated"], bool):
            raise ValueError("it does not say whether the subject is simulated")
    except ValueError as error:
        raise BadFile(path, f"is not the first line of a lifeline session: {error}", 1) from None
    return session


def _text(row: dict[str, Any], name: str) -> str:
    """A text that is a column of its own: what bodies and values hold is ASCII JSON, this is not."""
    if not isinstance(row[name], str):
        raise ValueError(f"{name} must be text")
    try:
        row[name].encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has characters that cannot be stored") from None
    return str(row[name])


def _name(row: dict[str, Any], name: str) -> str:
    """A text as names are stored."""
    if named(_text(row, name)) != row[name]:
        raise ValueError(f"{name} is no name: it is empty, too long, or hides something")
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
