"""Every intervention that there is, and what all of them are asked: keys, help, the palette and plans draw on this table.

To add one, write a decorated function in the file of its family: `steps`, `feedback`, `probes`, `tree` or `notes`.
"""

from __future__ import annotations

from ..core.nodes import PartKind
from ..core.state import State

from . import steps, feedback, probes, tree, notes  # isort: skip  # noqa: F401, in the order of the table
from .registry import TABLE
from .types import Context

__all__ = ["TABLE", "called", "scriptable", "where"]


def called(via: str) -> str:
    """What the operator did or asked by the intervention of this name, in a word or two."""
    ours = {"free": "your text", "edit": "edited turn", "reveal": "true key", "next": "rules"}
    return ours.get(via) or (TABLE[via].label if via in TABLE else via)


def where(state: State) -> str:
    """Where a path has come, in words: "after puzzle 3"."""
    last = state.last_part
    puzzle = f"puzzle {state.posed}" if state.posed else ""
    if last is not None and (last.kind is PartKind.PROBE or last.via == "free"):
        return f"after {called(last.via)}" + (f" at {puzzle}" if puzzle else "")
    return f"after {puzzle}" if puzzle else "before the first puzzle"


def scriptable() -> dict[str, dict[str, tuple[str, ...]]]:
    """What plans may script: intervention → field → its choices, none where they follow from the session or any text will do.

    Only what tells or asks the subject something: how a reply was read is for the operator to say, and the tree for the run to grow.
    """
    nothing = State(), Context({})
    return {
        name: {each.name: tuple(value for value, _ in each.options if value) for each in entry.fields(*nothing)}
        for name, entry in TABLE.items()
        if entry.group in ("feedback", "probe") or name in ("next", "forge")
    }
