"""The shape of an intervention: what the operator can do to a conversation, as data.

Keys, footer, help, palette, headless names and README all come from this one table.  An intervention is decided purely: from the
state of a path, its context and the fields that the operator filled in to an `Effect`; whoever holds the session carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..core.nodes import Assistant, Node, Part, Purpose, Remark
from ..core.state import Attempt, State
from ..core.wording import Templates

Values = Mapping[str, str]


MARK = re.compile(r"\{key:([a-z-]+)\}")
"""Stands in a sentence for the key of an intervention, or of another binding of the run screen: `{key:regenerate}`."""

ASIDE = "aside"
ARRIVING = "A reply is still arriving: {key:cancel} stops it."
"""Where a probe goes unless the operator says otherwise: into a fork of the trunk."""


def named(sentence: str) -> str:
    """A sentence without a keyboard: what its keys would do, by name."""
    return MARK.sub(r"\1", sentence)


class Refusal(Exception):
    """An intervention cannot be made now, or its fields are not right.  The message is for the operator.

    `marked` is the sentence with its keys as marks, for whoever knows the keyboard; `str` names what they do.
    """

    @property
    def marked(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        return named(self.marked)


@dataclass(frozen=True, slots=True)
class Context:
    """What an intervention may look at beside the state of the path that ends at the tip.

    `cursor` is the node that the operator points at (the tip unless moved); `stand` is the node under which another turn of the
    subject's would stand beside it, "" where none could; `queue` is the feedback waiting at the tip; `busy` while a reply is arriving;
    `hands` is False when a plan runs without an operator; `marked` where the cursor's turn is bookmarked; `puzzle` is the position that
    was chosen, "" while none is: refusals and fields are then about that attempt.  `branch` and `start` are where a probe leaves the trunk, "" where it hangs from the tip, and
    `aside` says so in words; `undoes` and `redoes` say what would be taken back, or done again; `text` gives the text of a turn by its node's id.
    """

    templates: Templates
    queue: tuple[Part, ...] = ()
    cursor: Node | None = None
    stand: str = ""
    busy: bool = False
    hands: bool = True
    marked: bool = False
    puzzle: str = ""
    branch: str = ""
    start: str = ""
    aside: str = "of the trunk"
    undoes: str = ""
    redoes: str = ""
    text: Callable[[str], str] = lambda node: ""


MOST_SAMPLES = 1_000
"""Replies that are sampled at one time for each model and temperature: more are a study."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to happen, in this order: `remarks` are written; `queue` replaces the feedback waiting at the tip; with `fork`, a new
    branch of that name starts at `parent` (default: the tip) of `branch` (default: the one in hand); `turn` and `forged` are
    appended there; with `call`, the subject is asked.  `probe` names the intervention where the fork is made for its question alone; `replaces` the turn that `turn` is an edit of.
    `history` goes one thing back (-1) or forth (1) in what was done.  `samples` replies to the turn `parent` are asked for, at
    `temperature` (None: the session's), and no branch moves."""

    turn: tuple[Part, ...] = ()
    forged: Assistant | None = None
    call: Purpose | None = None
    parent: str = ""
    fork: str = ""
    probe: str = ""
    replaces: str = ""
    queue: tuple[Part, ...] | None = None
    remarks: tuple[Remark, ...] = ()
    branch: str = ""
    history: int = 0
    autoplay: bool = False
    samples: int = 0
    temperature: float | None = None

    @property
    def moves(self) -> bool:
        """Whether the tree grows or a tip moves: one such thing at a time."""
        return bool(self.turn or self.forged or self.call or self.fork or self.history)


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in.  `kind`: line, text (many lines) or choice; `options` are (value, label) pairs for a choice.

    In a form, what is typed here chooses: `chooses` is another field and the value that it then gets.  A choice with `fills` writes
    its value into that field.
    """

    name: str
    label: str
    kind: str = "line"
    default: str = ""
    options: tuple[tuple[str, str], ...] = ()
    chooses: tuple[str, str] | None = None
    fills: str = ""


Refuse = Callable[[State, Context], str | None]
Fields = Callable[[State, Context], tuple[Field, ...]]
Act = Callable[[State, Context, Values], Effect]


@dataclass(frozen=True, slots=True)
class Intervention:
    """One entry of the table.  `name` is stable: plans and the command line use it.  `about` is a sentence for help.  `place` is
    where it goes by default, for one that has a field "in"."""

    name: str
    key: str
    label: str
    about: str
    act: Act
    refuse: Refuse
    fields: Fields
    group: str = ""
    place: str = ""

    def decide(self, state: State, context: Context, values: Values | None = None) -> Effect:
        """The effect, or Refusal with the reason why not."""
        context = replace(context, puzzle=(values or {}).get("puzzle", ""))
        if reason := self.refuse(state, context):
            raise Refusal(reason)
        given = {each.name: each.default for each in self.fields(state, context)}
        unknown = set(values or {}) - set(given)
        if unknown:
            known = ", ".join(given) or "none"
            raise Refusal(f"{self.name} has no field {', '.join(sorted(unknown))}; its fields are: {known}")
        given.update(values or {})
        for each in self.fields(state, context):
            if each.kind == "choice" and given[each.name] not in {value for value, _ in each.options}:
                options = ", ".join(value for value, _ in each.options)
                raise Refusal(f"{self.name}: {each.name} must be one of {options}, not {given[each.name]!r}")
        return self.act(state, context, given)


def attempt_in(state: State, values: Values, context: Context) -> Attempt | None:
    """The attempt that an intervention is about: the puzzle named in its fields (the try at it that the cursor is on,
    or else the last), the one under the cursor, or the latest."""
    pointed = [a for a in state.attempts if context.cursor is not None and a.reply == context.cursor.id]
    if position := values.get("puzzle") or context.puzzle:
        named = [a for a in state.attempts if position in (str(a.position), a.puzzle.id)]
        found = next((a for a in pointed if a in named), named[-1] if named else None)
        if found is not None or position == values.get("puzzle"):
            return found
    return pointed[0] if pointed else state.latest
