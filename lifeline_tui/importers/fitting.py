"""Whether what a file brings in has the shapes that the core trusts: checked here, at the edge, so that whatever is stored opens.

Unknown fields pass: they are kept and ignored.  A field of another type than its own refuses the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..core.nodes import BODIES, Kind
from ..core.plan import Plan

NUMBER = (int, float)
VALUES: Mapping[str, tuple[type, ...]] = {
    "attempt": (dict,),
    "feedback": (dict,),
    "claim": (dict,),
    "flags": (list,),
    "action": (str,),
    "grade": (str,),
    "answer": (str, type(None)),
    "difficulty": (*NUMBER, type(None)),
    "confidence": (*NUMBER, type(None)),
}
"""Field → the types that its value may have; a field that is not here is free."""


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def check_body(kind: Kind, data: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the field, for a body that is not of its kind's shape."""
    _check(BODIES[kind], data, "body")
    if kind is Kind.ROOT:
        _check(Plan, data.get("plan", {}), "body.plan")


def check_value(field: str, value: Any) -> None:
    """Raises ValueError for an annotation whose value is not of its field's type."""
    if field in VALUES and (type(value) is bool or not isinstance(value, VALUES[field])):
        raise ValueError(f"{field} has a value of another type")
    if field == "attempt" and type(value.get("left")) is not int:
        raise ValueError("left of an attempt must be a whole number")
    if field == "claim":
        which = value.get("which", [])
        if not isinstance(which, list) or any(type(number) is not int for number in which):
            raise ValueError("which of a claim must be a list of whole numbers")


def _check(hint: Any, data: Any, where: str) -> None:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union or type(hint).__name__ == "UnionType":
        if data is not None:
            _check(next(arg for arg in args if arg is not type(None)), data, where)
    elif origin is tuple:
        _type(data, (list,), where)
        for place, item in enumerate(data):
            _check(args[0], item, f"{where}[{place}]")
    elif isinstance(hint, type) and is_dataclass(hint):
        _type(data, (dict,), where)
        for field in fields(hint):
            if field.name in data:
                _check(_hints(hint)[field.name], data[field.name], f"{where}.{field.name}")
    elif hint is bool:
        _type(data, (bool,), where)
    elif hint in (int, float):
        _type(data, (int,) if hint is int else NUMBER, where)
        if isinstance(data, bool) or not -(1 << 62) < data < 1 << 62:
            raise ValueError(f"{where} has a value of another type")
    elif isinstance(hint, type) and issubclass(hint, str | StrEnum):
        _type(data, (str,), where)
    elif origin is not None:
        _type(data, (dict,), where)


def _type(data: Any, types: tuple[type, ...], where: str) -> None:
    if not isinstance(data, types):
        raise ValueError(f"{where} has a value of another type")
