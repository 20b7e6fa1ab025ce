"""The stored form of nodes: canonical JSON, and the hashes that chain them.

Decoding is total: a stored path always opens (Law 12), so fields that this version does not know are ignored and missing ones take their
default.  Empty fields are left out of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .nodes import BODIES, Annotation, Body, Kind, Node, canonical, digest

B = TypeVar("B")

_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _defaults(cls: Any) -> tuple[tuple[str, Any], ...]:
    """Each field of a dataclass with its default, or MISSING."""
    return tuple((f.name, f.default if f.default_factory is MISSING else f.default_factory()) for f in fields(cls))


def as_data(value: Any) -> Any:
    """A dataclass of this module as plain JSON data, fields at their default left out."""
    if type(value) in _PLAIN:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        data = {}
        for name, default in _defaults(type(value)):
            item = getattr(value, name)
            if default is MISSING or item != default or type(item) is not type(default):
                data[name] = as_data(item)
        return data
    if isinstance(value, Mapping):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_data(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def encode(body: Body) -> str:
    """The stored form of a body."""
    return canonical(as_data(body))


Reader = Callable[[Any], Any]


def _as_is(data: Any) -> Any:
    return data


def _reader(hint: Any) -> Reader:
    """What turns JSON data into a value of type `hint`; worked out once a type, because a path decodes hundreds of nodes."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union or type(hint).__name__ == "UnionType":
        some = _reader(next(arg for arg in args if arg is not type(None)))
        return _as_is if some is _as_is else lambda data: None if data is None else some(data)
    if origin is tuple:
        each = _reader(args[0])
        return lambda data: tuple(map(each, data)) if isinstance(data, list) else ()
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda data: from_data(hint, data if isinstance(data, dict) else {})
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        words: Mapping[Any, Any] = {str(word): word for word in hint}

        def word(data: Any) -> Any:
            # A later version's word is kept as it is.
            return words.get(data, data) if isinstance(data, str) else ""

        return word
    return _as_is


@cache
def _readers(cls: type) -> tuple[dict[str, Reader], dict[str, Any]]:
    """How to read each field of a dataclass, and what a field without a default is read from when it is missing."""
    hints = get_type_hints(cls)
    required = [f.name for f in fields(cast(Any, cls)) if f.default is MISSING and f.default_factory is MISSING]
    words = {name for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, str)}
    return {name: _reader(hint) for name, hint in hints.items()}, {name: "" if name in words else [] for name in required}


def from_data(cls: type[B], data: Mapping[str, Any]) -> B:
    """The inverse of `as_data`; unknown fields are ignored and missing ones without a default are empty."""
    readers, required = _readers(cast(Any, cls))
    kwargs = {name: readers[name](value) for name, value in data.items() if name in readers}
    for name, empty in required.items():
        if name not in kwargs:
            kwargs[name] = readers[name](empty)
    return cls(**kwargs)


def decode(kind: Kind, raw: str) -> Body:
    """The body stored as `raw`."""
    return cast(Body, from_data(BODIES[Kind(kind)], json.loads(raw)))


def node_hash(node: Node, parent_sha: str) -> str:
    """The link of the hash chain: everything stored in the row, and the parent's own hash."""
    row = [node.id, node.session, node.parent, node.seq, node.kind, node.at, node.raw]
    counts = [node.forged_above, node.fakes_above, node.first_fake_depth, node.copied_from]
    return digest([*row, *counts, parent_sha])


def annotation_hash(note: Annotation, node_sha: str) -> str:
    """An annotation's hash: everything stored in the row, and the hash of the node it is about."""
    row = [note.id, note.session, note.seq, note.node, note.puzzle, note.span, note.field, note.raw, note.by]
    return digest([*row, note.version, note.at, node_sha])
