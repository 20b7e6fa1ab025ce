"""What the store hands out, and how a row becomes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..core.codec import decode
from ..core.nodes import Annotation, Body, Kind, Node, canonical
from ..core.text import visible, visible_line

NODE = "id, session, parent, seq, kind, at, body, sha256, forged_above, fakes_above, first_fake_depth, copied_from"
ANNOTATION = "id, session, seq, node, puzzle, span, field, value, by, version, at, sha256"
SESSION = "id, title, plan, model, simulated, hidden, created_at, updated_at, nodes, annotations, branches, attempts"
Types = frozenset[type[Any]]
_TEXT: Types = frozenset({str})
_MAYBE: Types = frozenset({str, type(None)})
_NUMBER: Types = frozenset({int})
_PERHAPS: Types = frozenset({int, type(None)})
_NODE = (*[_TEXT] * 2, _MAYBE, _NUMBER, *[_TEXT] * 4, *[_NUMBER] * 2, _PERHAPS, _MAYBE)
_ANNOTATION = (*[_TEXT] * 2, _NUMBER, _TEXT, *[_MAYBE] * 2, *[_TEXT] * 6)
_SESSION = (*[_TEXT] * 4, *[_NUMBER] * 2, *[_TEXT] * 2, *[_NUMBER] * 5)
"""What the columns hold; in a damaged file they may hold anything."""
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


def _check(row: tuple[Any, ...], types: tuple[Types, ...]) -> None:
    for value, allowed in zip(row, types, strict=True):
        if type(value) not in allowed:
            raise TypeError(f"a column holds {type(value).__name__}")


def to_node(row: tuple[Any, ...]) -> Node:
    """Raises ValueError or TypeError for a row that was damaged."""
    _check(row, _NODE)
    (id_, session, parent, seq, kind, at, raw, sha256, forged, fakes, depth, copied) = row
    body = decode(Kind(kind), raw)
    return Node(id_, session, parent, seq, at, body, raw, sha256, forged, fakes, depth, copied)


def to_annotation(row: tuple[Any, ...]) -> Annotation:
    """Raises ValueError or TypeError for a row that was damaged."""
    _check(row, _ANNOTATION)
    (id_, session, seq, node, puzzle, span, field, raw, by, version, at, sha256) = row
    return Annotation(id_, session, seq, node, field, json.loads(raw), raw, by, at, sha256, puzzle, span, version)


def to_session(row: tuple[Any, ...]) -> Session:
    """Raises TypeError for a row that was damaged."""
    _check(row, _SESSION)
    (id_, title, plan, model, simulated, hidden, *rest) = row
    return Session(id_, title, plan, model, bool(simulated), bool(hidden), *rest)


def to_branch(row: tuple[Any, ...]) -> Branch:
    """Raises TypeError for a row that was damaged."""
    _check(row, (_TEXT,) * 3)
    return Branch(*row)


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
