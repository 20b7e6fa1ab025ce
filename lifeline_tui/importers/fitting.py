"""Whether what a file brings in has the shapes that the core trusts: checked here, at the edge, so that whatever is stored opens.

Unknown fields pass: they are kept and ignored.  A field of another type than its own refuses the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..core.codec import from_data
from ..core.nodes import BODIES, Kind, Node, Root, User
from ..core.plan import CONDITIONS, OPERATORS, RANGES, SAMPLED, WORDS, Actions, Plan, Step, is_lifeline_word, misplaced

NUMBER = (int, float)
VALUES: Mapping[str, tuple[type, ...]] = {
    "attempt": (dict,),
    "feedback": (dict,),
    "claim": (dict,),
    "failed": (dict,),
    "claim_facts": (dict,),
    "agrees": (dict,),
    "fork": (dict,),
    "run": (dict,),
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


def check_body(kind: Kind, data: Mapping[str, Any], actions: Actions | None = None) -> None:
    """Raises ValueError, naming the field, for a body that is not of its kind's shape.  The plan of a root may script only `actions`,
    where those are given."""
    _check(BODIES[kind], data, "body")
    if kind in (Kind.ROOT, Kind.CALL):
        _check_sampling(data.get("params", {}), "body.params")
    if kind is Kind.ROOT:
        for name in ("planned_fakes", "digests"):
            if any(not isinstance(value, str) for value in (data.get(name) or {}).values()):
                raise ValueError(f"body.{name} must hold texts")
        if any(type(value) is not bool for value in (data.get("yoked") or {}).values()):
            raise ValueError("body.yoked must say true or false of each place")
        plan = data.get("plan", {})
        _check(Plan, plan, "body.plan")
        _check_plan(from_data(Plan, plan), actions)


def check_value(field: str, value: Any) -> None:
    """Raises ValueError for an annotation whose value is not of its field's type."""
    if field in VALUES and (type(value) is bool or not isinstance(value, VALUES[field])):
        raise ValueError(f"{field} has a value of another type")
    if field in ("attempt", "failed") and type(value.get("left")) is not int:
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


def _check_plan(plan: Plan, actions: Actions | None) -> None:
    """What the loader asks of a plan's values, so that every run of it ends and no action of it breaks."""
    _check_sampling(plan.subject, "body.plan.subject")
    for where, words in WORDS.items():
        _one_of(attrgetter(where)(plan), words, f"body.plan.{where}")
    for where, (low, high) in RANGES.items():
        value = attrgetter(where)(plan)
        if value is not None and not low <= value <= high:
            raise ValueError(f"body.plan.{where} must be from {low} to {high}")
    if not is_lifeline_word(plan.lifeline_word):
        raise ValueError("body.plan.lifeline_word must be one word of letters, other than 'answer'")
    for name in ("then", "steps"):
        if wrong := misplaced(getattr(plan, name)):
            raise ValueError(f"body.plan.{name}[{wrong[0]}].after: {wrong[1]}")
        for place, step in enumerate(getattr(plan, name)):
            where = f"body.plan.{name}[{place}]"
            _one_of(step.place, ("fork", "trunk"), f"{where}.place")
            if step.when is not None:
                _one_of(step.when.op, OPERATORS, f"{where}.when.op")
                _one_of(step.when.field, CONDITIONS, f"{where}.when.field")
            if not all(isinstance(value, str) for value in step.fields.values()):
                raise ValueError(f"{where}.fields must hold texts")
            if actions is not None:
                _check_action(step, actions, where)


def _check_sampling(params: Mapping[str, Any], where: str) -> None:
    for name, value in params.items():
        _one_of(name, SAMPLED, f"a name in {where}, where addresses, headers and keys never stand,")
        if not all(isinstance(each, (str, *NUMBER)) for each in (value if isinstance(value, list) else [value])):
            raise ValueError(f"{where}.{name} has a value of another type")


def _check_action(step: Step, actions: Actions, where: str) -> None:
    _one_of(step.do, actions, f"{where}.do")
    for name, value in step.fields.items():
        _one_of(name, actions[step.do], f"a name in {where}.fields")
        if options := actions[step.do][name]:
            _one_of(value, options, f"{where}.fields.{name}")


def _one_of(value: str, words: Collection[str], where: str) -> None:
    if value not in words:
        raise ValueError(f"{where} must be one of {', '.join(words)}")


def check_steps(nodes: Iterable[Node]) -> None:
    """Raises ValueError for a turn that bears the place of an action which the script of its plan does not have."""
    scripts: dict[str | None, int] = {}
    for node in sorted(nodes, key=lambda node: node.seq):
        body = node.body
        scripts[node.id] = scripts.get(node.parent, 0)
        if isinstance(body, Root):
            plan = from_data(Plan, body.plan)
            scripts[node.id] = len(plan.steps or plan.then)
        elif isinstance(body, User):
            for part in body.parts:
                if part.step is not None and not 0 <= part.step < scripts[node.id]:
                    raise ValueError(f"node {node.id} was made by action {part.step + 1} of a script of {scripts[node.id]}")
