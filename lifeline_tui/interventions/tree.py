"""Changing history.  Whatever changes a turn makes a sibling beside it."""

from __future__ import annotations

from dataclasses import replace

from ..core.nodes import Assistant, Call, How, Origin, Part, PartKind, Purpose, Reply, Span, Status, User, plain, text_of
from ..core.state import State
from .conditions import (
    editable,
    forgeable,
    forkable,
    redoable,
    repeatable,
    sampleable,
    undoable,
)
from .registry import intervention
from .types import MOST_SAMPLES, Context, Effect, Field, Refusal, Values


@intervention(
    "regenerate",
    "ctrl+r",
    "ask again",
    "Ask for the reply again, as a sibling; after a failure this is the retry.",
    refuse=repeatable,
    group="tree",
)
def ask_again(state: State, context: Context, values: Values) -> Effect:
    here = context.cursor.body if context.cursor is not None else None
    failed = isinstance(here, Reply) and here.status is not Status.COMPLETE
    at_tip = context.cursor is None or context.cursor.id == state.tip
    purpose = Purpose.RETRY if failed or state.owed else Purpose.REGENERATE
    return Effect(parent=context.stand, fork="" if at_tip else "again", call=purpose)


def _sample_fields(state: State, context: Context) -> tuple[Field, ...]:
    given = str(state.plan.subject.get("temperature", ""))
    return (
        Field("k", "How many replies", "line", "8"),
        Field("temperature", f"Temperature (empty: {given or 'as the model has it'})", "line"),
    )


@intervention(
    "sample",
    "x",
    "sample",
    "Ask for several more replies to the turn at the cursor, and see how they differ; a number typed before it says how many.",
    refuse=sampleable,
    fields=_sample_fields,
    group="tree",
)
def take_samples(state: State, context: Context, values: Values) -> Effect:
    count, heat = values["k"].strip(), values["temperature"].strip()
    if not (count.isdecimal() and count.isascii() and len(count) <= 4 and 1 <= int(count) <= MOST_SAMPLES):
        raise Refusal(f"How many replies must be a whole number from 1 to {MOST_SAMPLES:,}, not {count!r}.")
    try:
        temperature = float(heat) if heat else None
    except ValueError:
        temperature = -1
    if temperature is not None and not 0 <= temperature <= 2:
        raise Refusal(f"A temperature is a number from 0 to 2, not {heat!r}.")
    return Effect(parent=context.stand, samples=int(count), temperature=temperature)


def _edit_fields(state: State, context: Context) -> tuple[Field, ...]:
    body = context.cursor.body if context.cursor is not None else None
    text = plain(body.spans) if isinstance(body, Reply) else text_of(body) if body is not None else ""
    return (Field("text", "The turn, as it should have been", "text", text),)


@intervention(
    "edit",
    "e",
    "edit turn",
    "Edit the turn at the cursor; the original stays beside it.",
    refuse=editable,
    fields=_edit_fields,
    group="tree",
)
def edit_turn(state: State, context: Context, values: Values) -> Effect:
    node = context.cursor
    assert node is not None, "editable"
    text = values["text"]
    if not text.strip():
        raise Refusal("An edited turn needs text; to drop a turn, fork above it.")
    if isinstance(node.body, User):
        return Effect(parent=node.parent or "", fork="edit", turn=_edited(node.body, text), replaces=node.id, call=Purpose.STEP)
    return Effect(parent=context.stand, fork="edit", forged=Assistant((Span(text, Origin.EDITED),), How.EDITED, node.id))


def _edited(user: User, text: str) -> tuple[Part, ...]:
    """The parts of an edited turn: those whose text is unchanged keep who wrote them, the rest is one edited part.

    A puzzle stays posed (its record and position are kept on the edited part) as long as its text is still there.  Feedback and
    budgets are not edited: what the record says that the subject was told would no longer be so.
    """
    parts = list(user.parts)
    head: list[Part] = []
    tail: list[Part] = []
    while parts and f"{text}\n\n".startswith(f"{plain(parts[0].spans)}\n\n"):
        head.append(parts.pop(0))
        if text == plain(head[-1].spans):
            return tuple(head)
        text = text[len(plain(head[-1].spans)) + 2 :]
    while parts and f"\n\n{text}".endswith(f"\n\n{plain(parts[-1].spans)}"):
        tail.insert(0, parts.pop())
        if text == plain(tail[0].spans):
            return (*head, *tail)
        text = text[: len(text) - len(plain(tail[0].spans)) - 2]
    if any(each.kind is PartKind.FEEDBACK or each.via == "budget" for each in parts):
        raise Refusal("Feedback and budgets are not edited as text: fork above this turn, and use reveal, fake, verdict or budget.")
    edited = Part(PartKind.FREE, (Span(text, Origin.EDITED),), via="edit")
    if len(parts) == 1 and parts[0].record is not None and parts[0].record.text in text:
        edited = replace(parts[0], spans=edited.spans, via="edit")
    return (*head, edited, *tail)


@intervention(
    "forge",
    "a",
    "forge turn",
    "Write a turn in the subject's place.",
    refuse=forgeable,
    fields=lambda state, context: (Field("text", "What the subject is made to have said", "text"),),
    group="tree",
)
def forge_turn(state: State, context: Context, values: Values) -> Effect:
    if not values["text"].strip():
        raise Refusal("A forged turn needs text.")
    node = context.cursor
    replaces = node.id if node is not None and isinstance(node.body, Reply | Assistant) else ""
    forged = Assistant((Span(values["text"], Origin.FORGED),), How.FORGED, replaces)
    return Effect(parent=context.stand, fork="" if context.stand == state.tip else "forge", forged=forged)


@intervention("fork", "b", "fork here", "Start a branch at the cursor.", refuse=forkable, group="tree")
def fork_here(state: State, context: Context, values: Values) -> Effect:
    node = context.cursor
    assert node is not None, "forkable"
    place = node.parent if isinstance(node.body, User | Call) and node.parent else node.id
    return Effect(parent=place, fork="fork")


@intervention(
    "undo",
    "z",
    "undo",
    "Take back the last thing that you did: a turn, a queued key, a grade, a mark.",
    refuse=undoable,
    group="tree",
)
def undo(state: State, context: Context, values: Values) -> Effect:
    return Effect(history=-1)


@intervention("redo", "ctrl+d", "redo", "Do again what was taken back last.", refuse=redoable, group="tree")
def redo(state: State, context: Context, values: Values) -> Effect:
    return Effect(history=1)
