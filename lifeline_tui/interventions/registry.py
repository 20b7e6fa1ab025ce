"""The one table of interventions, in the order in which help and the palette list them, and the decorator that fills it."""

from __future__ import annotations

from collections.abc import Callable

from ..core.state import State
from .types import Act, Context, Field, Fields, Intervention, Refuse

TABLE: dict[str, Intervention] = {}


def no_fields(state: State, context: Context) -> tuple[Field, ...]:
    return ()


def intervention(
    name: str, key: str, label: str, about: str, *, refuse: Refuse, fields: Fields = no_fields, group: str, place: str = ""
) -> Callable[[Act], Act]:
    """Registers the decorated function under `name`."""

    def register(act: Act) -> Act:
        assert name not in TABLE
        assert key not in {each.key for each in TABLE.values()}
        TABLE[name] = Intervention(name, key, label, about, act, refuse, fields, group, place)
        return act

    return register
