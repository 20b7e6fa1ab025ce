"""What the store hands out, and how a row becomes it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from ..core.nodes import Annotation, Body, Kind, Node, canonical, decode
from ..core.text import visible, visible_line

NODE = "id, session, parent, seq, kind, at, body, sha256, forged_above, fakes_above, first_fake_depth, copied_from"
ANNOTATION = "id, session, seq, node, puzzle, span, field, value, by, version, at, sha256"
SESSION = "id, title, plan, model, simulated, hidden, created_at, updated_at, nodes, annotations, branches, attempts"
SEARCHED_FIELDS = ("note", "label", "name")


@dataclass(frozen=True, slots=True)
class Draft:
    """A node to be."""

    body: Body
    copied_from: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A row of `sessions`.  `open_calls` counts the calls without a reply: streaming while an owner lives, else interrupted."""

    id: str
    title: str
    plan: str
    model: str
    simulated: bool
    hidden: bool
    created_at: str
    updated_at: str
    nodes: int
    annotations: int
    branches: int
    attempts: int
    open_calls: int


@dataclass(frozen=True, slots=True)
class Branch:
    session: str
    name: str
    tip: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What has arrived so far of the reply to `call`, raw."""

    call: str
    text: str
    reasoning: str
    at: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where the words were found.  `node` is the one to open; `snippet` marks the words with ``«»``; `n` is for `before`."""

    n: int
    session: str
    node: str
    field: str
    snippet: str
    at: str


def to_node(row: sqlite3.Row | tuple[Any, ...]) -> Node:
    (id_, session, parent, seq, kind, at, raw, sha256, forged, fakes, depth, copied) = row
    body = decode(Kind(kind), raw)
    return Node(id_, session, parent, seq, at, body, raw, sha256, forged, fakes, depth, copied)


def to_annotation(row: sqlite3.Row | tuple[Any, ...]) -> Annotation:
    (id_, session, seq, node, puzzle, span, field, raw, by, version, at, sha256) = row
    return Annotation(id_, session, seq, node, field, json.loads(raw), raw, by, at, sha256, puzzle, span, version)


def to_session(row: tuple[Any, ...]) -> Session:
    (id_, title, plan, model, simulated, hidden, *rest) = row
    return Session(id_, title, plan, model, bool(simulated), bool(hidden), *rest)


def named(text: str) -> str:
    """A title or a name as it is stored: on one line, nothing hidden.  The raw text of a rename is kept in its annotation."""
    return visible_line(text.strip()) or "untitled"


def _made_visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_made_visible(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): _made_visible(item) for key, item in value.items()}
    return value


def clean(raw: str) -> str | None:
    """`raw` JSON with visible text, where it might hold what other programs cannot read; else None."""
    if "\\ud" not in raw and "\\u0000" not in raw:
        return None
    shown = canonical(_made_visible(json.loads(raw)))
    return None if shown == raw else shown


def searchable(field: str, value: Any) -> str | None:
    """The text that search finds of an annotation, if any."""
    return visible(value) if field in SEARCHED_FIELDS and isinstance(value, str) else None
