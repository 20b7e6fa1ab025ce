"""Why an intervention cannot be made now: one sentence each, for the operator, or None when it can.

A greyed key shows its reason; the same sentence refuses it without hands.  A key in a sentence is a mark, such as
`{key:regenerate}`, since only the screen knows which key that is.
"""

from __future__ import annotations

from ..core.attempt_phases import Event, Phase, may
from ..core.nodes import Assistant, Reply, System, User
from ..core.state import Attempt, State
from .types import ARRIVING, Context, attempt_in


def when_idle(state: State, context: Context) -> str | None:
    return ARRIVING if context.busy else None


def when_heard(state: State, context: Context) -> str | None:
    """The operator's turn: nothing is owed."""
    if reason := when_idle(state, context):
        return reason
    return "The subject still owes a reply: {key:regenerate} asks for it." if state.owed else None


def when_next(state: State, context: Context) -> str | None:
    if reason := when_heard(state, context):
        return reason
    if context.hands and state.latest and state.latest.phase is Phase.AMBIGUOUS:
        return "The last reply both answers and skips: say which with {key:grade} first."
    if alone(state, context) or violated(state) or state.next_puzzle is not None:
        return None
    return "Every puzzle of the plan has been posed on this branch."


def when_playable(state: State, context: Context) -> str | None:
    """As for the next step; but a reply that is owed is asked for, and scripted actions may be left after the last puzzle."""
    if reason := when_idle(state, context):
        return reason
    return None if state.owed or state.plan.then or state.plan.steps else when_next(state, context)


def tellable(state: State, context: Context) -> str | None:
    if reason := when_heard(state, context):
        return reason
    attempt = attempt_in(state, {}, context)
    if attempt is None:
        return "No puzzle has been posed yet."
    if attempt.failed:
        return "That call failed, so there is no reply to tell anything about: {key:regenerate} asks again."
    if not may(attempt.phase, Event.TELL):
        return "That reply both answers and skips: say which with {key:grade} first."
    return None


def answered(state: State, context: Context) -> str | None:
    if reason := tellable(state, context):
        return reason
    attempt = attempt_in(state, {}, context)
    return None if attempt and attempt.outcome is Phase.GRADED else "That puzzle was not answered, so there is nothing to judge."


def probeable(state: State, context: Context) -> str | None:
    if reason := when_heard(state, context):
        return reason
    return None if state.attempts else "No puzzle has been posed yet."


def unread(state: State, context: Context) -> str | None:
    if reason := when_heard(state, context):
        return reason
    return None if any(a.outcome is Phase.UNPARSED for a in state.attempts) else "Every reply on this branch could be read."


def budgeted(state: State, context: Context) -> str | None:
    if reason := when_heard(state, context):
        return reason
    return (
        None if state.offered is not None else "This plan offers no lifelines, and a subject that has none must not hear of them."
    )


def repeatable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    return None if context.stand else "No reply to ask for again here: move the cursor to one."


def sampleable(state: State, context: Context) -> str | None:
    return None if context.stand else "No reply to sample here: move the cursor to one, or to the turn that it answers."


def editable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    if context.cursor is not None and isinstance(context.cursor.body, System):
        return "A system prompt is set when a session starts: begin a new one."
    if context.cursor is None or not isinstance(context.cursor.body, User | Reply | Assistant):
        return "Move the cursor to a turn to edit it."
    return None


def forgeable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    return None if context.stand else "No turn of the subject's stands here: move the cursor to one, or pose a puzzle first."


def forkable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    return None if context.cursor is not None else "Move the cursor to a turn to fork there."


def undoable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    return None if context.undoes else "Nothing to undo: the session starts here."


def redoable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    return None if context.redoes else "Nothing to redo: nothing was taken back since the last thing that was done."


def gradable(state: State, context: Context) -> str | None:
    if reason := when_idle(state, context):
        return reason
    attempt = attempt_in(state, {}, context)
    return None if attempt and attempt.reply else "No reply to a puzzle here: move the cursor to one."


def notable(state: State, context: Context) -> str | None:
    return None if context.cursor is not None else "Move the cursor to a turn first."


def alone(state: State, context: Context) -> bool:
    """Whether the queued feedback goes out by itself, before the next puzzle, and a reply to it is awaited."""
    return state.plan.feedback.turn == "own" and bool(context.queue)


def violated(state: State) -> Attempt | None:
    """A lifeline asked for at zero budget, not told of yet; each puzzle is told of once, so that this cannot go on for ever."""
    last = state.latest
    if state.offered is None:
        return None  # where nothing is offered, nothing sent may mention lifelines (Law 11)
    if last is None or last.phase is not Phase.VIOLATED or state.plan.on_violation != "tell" or last.number > 1:
        return None
    return None if state.plan.presentation == "batch" else last
