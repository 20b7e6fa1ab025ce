"""What the operator did, in order, so that the last of it can be taken back and done again.

The notebook stays append-only: to take back a remark is to say once more what was in force before it, to take back a turn is to move
the tip above it.  What was done is kept as view state, so that it outlives the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from ..core.codec import as_data, from_data
from ..core.nodes import UNDONE, Assistant, How, Node, Part, Remark, User
from ..core.state import State
from ..core.tree import Tree, in_force
from ..interventions.table import called
from ..interventions.types import Effect

MOST = 50
"""Things that can be taken back one by one; before them, a turn at a time."""

NOTHING: dict[str, Any] = {
    **{"bookmark": False, "label": "", "note": "", "flags": [], "agrees": {}},
    **{"action": "unparsed", "grade": "ungradable"},
}
"""What says of a field that nothing is said, where that is not null."""

Place = tuple[str, str]
"""A branch and its tip."""


@dataclass(frozen=True, slots=True)
class Said:
    """One remark: of what, the value in force before it, and its own; each value with its version."""

    node: str
    puzzle: str | None
    field: str
    before: tuple[Any, str]
    after: tuple[Any, str]

    def remark(self, back: bool) -> Remark:
        value, version = self.before if back else self.after
        return Remark(self.field, value, self.puzzle, "operator", version, self.node)


@dataclass(frozen=True, slots=True)
class Waited:
    """What waited at a place, before and after."""

    branch: str
    tip: str
    before: tuple[Part, ...]
    after: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done.  `left` and `came` are where the operator was, and then is, if that changed; `came` has no tip before
    it is taken back, since a reply may follow."""

    label: str
    left: Place | None = None
    came: Place | None = None
    waited: tuple[Waited, ...] = ()
    said: tuple[Said, ...] = ()


class History:
    """What was done, and what of it was taken back, each the last one last."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        self.undone: list[Done] = []
        self._written = True

    def push(self, done: Done) -> None:
        """Something new was done: what had been taken back stays so."""
        self.done = [*self.done[-MOST + 1 :], done]
        self.undone = []
        self._written = False

    def drop(self, done: Done) -> None:
        """It could not be done after all."""
        self.done = [each for each in self.done if each is not done]
        self._written = False

    def turned(self, done: Done, now: Done, back: bool) -> None:
        """`done`, as it is `now`, was taken back, or was done again."""
        self.done = [each for each in self.done if each is not done]
        self.undone = [each for each in self.undone if each is not done]
        (self.undone if back else self.done).append(now)
        self._written = False

    def view(self) -> dict[str, Any]:
        """As view state; nothing where that has been written."""
        if self._written:
            return {}
        self._written = True
        return {"history": {name: [_data(each) for each in getattr(self, name)] for name in ("done", "undone")}}

    def recall(self, kept: Any) -> None:
        """Takes up what was kept, or nothing where that makes no sense: a notebook may be another's."""
        try:
            self.done, self.undone = ([_done(each) for each in kept[name]][-MOST:] for name in ("done", "undone"))
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            self.done, self.undone = [], []


def _data(done: Done) -> dict[str, Any]:
    waited = [
        [each.branch, each.tip, *([as_data(part) for part in parts] for parts in (each.before, each.after))] for each in done.waited
    ]
    said = [[each.node, each.puzzle, each.field, list(each.before), list(each.after)] for each in done.said]
    return {"label": done.label, "left": done.left, "came": done.came, "waited": waited, "said": said}


def _done(data: Any) -> Done:
    def place(value: Any) -> Place | None:
        return None if value is None else (_text(value[0]), _text(value[1]))

    def parts(value: Any) -> tuple[Part, ...]:
        return tuple(from_data(Part, each) for each in value)

    waited = tuple(Waited(_text(b), _text(t), parts(before), parts(after)) for b, t, before, after in data["waited"])
    said = tuple(
        Said(
            _text(node), puzzle if puzzle is None else _text(puzzle), _text(field), (was[0], _text(was[1])), (now[0], _text(now[1]))
        )
        for node, puzzle, field, was, now in data["said"]
    )
    return Done(_text(data["label"]), place(data["left"]), place(data["came"]), waited, said)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


class Undoable(Protocol):
    """What is asked of a session here."""

    tree: Tree
    branches: dict[str, str]
    branch: str
    history: History

    @property
    def tip(self) -> str: ...
    def state(self, node: str | None = None) -> State: ...
    def queue(self, node: str | None = None, branch: str = "") -> tuple[Part, ...]: ...
    def due(self, node: str) -> tuple[Part, ...]: ...
    def overruled(self, remarks: Sequence[Remark]) -> Mapping[tuple[str, str], tuple[Part, ...]]: ...
    def free_name(self, name: str) -> str: ...


def about_to(session: Undoable, effect: Effect) -> Done:
    """What `effect` is about to do, so that it can be taken back."""
    place, branch, told = effect.parent or session.tip, effect.branch or session.branch, ""
    waited: list[Waited] = []
    if effect.remarks:
        node = session.tree[effect.remarks[0].node]
        place, told = node.id, about(session.state(node.id), node)
        waited = [Waited(*at, session.queue(at[1], at[0]), queue) for at, queue in session.overruled(effect.remarks).items()]
    elif effect.queue is not None:
        waited = [Waited(session.branch, session.tip, session.queue(), effect.queue)]
    return Done(
        label(effect, session.state(place), session.queue(place, branch), session.tree, told),
        left=(session.branch, session.tip) if effect.moves else None,
        came=(session.free_name(effect.fork) if effect.fork else session.branch, "") if effect.moves else None,
        waited=tuple(waited),
        said=said(session.tree, effect.remarks),
    )


def last_done(session: Undoable, queue: tuple[Part, ...]) -> Done | None:
    """What undo takes back, where `queue` waits at the tip: what was done last, unless the plan's own feedback came after it.  In a
    session without any record of what was done, it is the last turn."""
    last = next(iter(session.history.done[-1:]), None)
    if last is not None and not stands(session, last):
        last = None
    here = last is None or (last.came is not None and last.came[0] == session.branch)
    if here and queue and queue == session.due(session.tip):
        told = label(Effect(queue=queue), session.state(), queue[:-1], session.tree, "")
        return Done(told, waited=(Waited(session.branch, session.tip, queue[:-1], queue),))
    if last is not None:
        return last
    turn = next((node for node in session.tree.above(session.tip) if isinstance(node.body, User | Assistant)), None)
    if turn is None or turn.parent is None:
        return None
    effect = Effect(turn=turn.body.parts) if isinstance(turn.body, User) else Effect(forged=cast(Assistant, turn.body))
    told = label(effect, session.state(turn.parent), (), session.tree, "")
    return Done(told, (session.branch, turn.parent), (session.branch, session.tip))


def stands(session: Undoable, done: Done) -> bool:
    """Whether the notebook still holds all that `done` is about."""
    places = [place for place in (done.left, done.came) if place is not None]
    nodes = [tip for _, tip in places if tip] + [each.node for each in done.said] + [each.tip for each in done.waited]
    return all(branch in session.branches for branch, _ in places) and all(node in session.tree for node in nodes)


def said(tree: Tree, remarks: Sequence[Remark]) -> tuple[Said, ...]:
    """What each remark changes."""
    found = []
    for remark in remarks:
        if remark.field == "attempt":
            continue  # what was the case stays so; that nothing was read of it is said by the other fields
        note = in_force(tree.notes.get(remark.node, ())).get((remark.puzzle or "", remark.field))
        own = note is not None and note.by == "operator"
        value = note.value if note is not None else NOTHING.get(remark.field)
        version = note.version if note is not None and own and remark.field != "note" else UNDONE
        found.append(Said(remark.node, remark.puzzle, remark.field, (value, version), (remark.value, remark.version)))
    return tuple(found)


# In words


def label(effect: Effect, state: State, known: Sequence[Part], tree: Tree, about: str) -> str:
    """What `effect` does, in a few words: "fake key P2 (queued)", P2 being puzzle 2.  `state` is that of where it hangs, `known` what waits
    there; `about` names the turn that a remark is about."""
    if effect.remarks:
        return _remark(effect.remarks, state, about)
    if effect.queue is not None:
        new = [part for part in effect.queue if part not in known]
        return f"{_part(new[-1], state)} (queued)" if new else "what was queued"
    if effect.forged is not None:
        return f"{'edited' if effect.forged.how is How.EDITED else 'forged'} turn{_of(state)}"
    if effect.turn:
        number = 1 + sum(isinstance(node.body, User) for node in tree.above(state.tip or None))
        last = effect.turn[-1]
        posed = [part.position for part in effect.turn if part.position is not None]
        if posed:
            puzzles = f"P{posed[0]}" if len(posed) == 1 else f"P{posed[0]}–P{posed[-1]}"
            return f"turn {number} ({puzzles})"
        return f"turn {number} ({_part(last, state)})"
    if effect.call is not None:
        return f"ask again{_of(state)}"
    return "fork"


def _of(state: State) -> str:
    return f" P{state.posed}" if state.posed else ""


def _part(part: Part, state: State) -> str:
    """One part of a turn, by what was done: "workings P3"."""
    position = part.position or state.position(part.puzzle)
    return (called(part.via) or "text") + (f" P{position}" if position is not None else "")


def _remark(remarks: Sequence[Remark], state: State, about: str) -> str:
    first = remarks[0]
    if any(remark.field == "grade" for remark in remarks):
        position = state.position(first.puzzle)
        return "override" + (f" P{position}" if position is not None else "")
    if first.field == "label":
        return f"label {first.value} on {about}"
    if first.field == "bookmark":
        return f"bookmark {'on' if first.value else 'off'} {about}"
    return f"{first.field} on {about}"


def about(state: State, node: Node) -> str:
    """A turn in a word or two: the number of its puzzle, or what was asked there."""
    found = [a.position for a in state.attempts if node.id in (a.item, a.call, a.reply)]
    if found:
        return str(found[0]) if len(found) == 1 else f"{found[0]}–{found[-1]}"
    if isinstance(node.body, Assistant):
        return "a forged turn"
    return (called(state.last_part.via) if state.last_part is not None else "") or "the start"


def turned_to(done: Done, branches: dict[str, str]) -> Done:
    """`done` with the tip that it came to, as that stands now."""
    if done.came is None or done.came[1] or done.came[0] not in branches:
        return done
    return replace(done, came=(done.came[0], branches[done.came[0]]))
