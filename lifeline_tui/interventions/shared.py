"""Fields that several interventions ask for, and what several do with them."""

from __future__ import annotations

from dataclasses import replace

from ..core.attempt_phases import Event, Phase, may
from ..core.nodes import Part, PartKind, Purpose
from ..core.state import Attempt, State
from ..core.wording import part
from .types import ASIDE, Context, Effect, Field, Refusal, Values, attempt_in


def place_field(context: Context, label: str = "Ask", default: str = ASIDE) -> Field:
    """Where a question goes.  The names of the last two are those of plans."""
    places = ((ASIDE, f"in a fork {context.aside}"), ("fork", "here, in a fork of this branch"), ("trunk", "here, on this branch"))
    return Field("in", label, "choice", default, places)


def in_fork(context: Context, values: Values, name: str, turn: tuple[Part, ...]) -> Effect:
    """`turn`, and its reply, where the operator chose."""
    aside = values.get("in", ASIDE) == ASIDE
    fork = "" if values.get("in") == "trunk" else name
    return Effect(
        turn=turn,
        call=Purpose.STEP,
        fork=fork,
        probe=fork,
        parent=context.start if aside else "",
        branch=context.branch if aside else "",
    )


def puzzle_field(state: State, context: Context, attempts: list[Attempt]) -> Field:
    pointed = [a for a in attempts if context.cursor is not None and a.reply == context.cursor.id]
    latest = {str(a.position): a for a in (*attempts, *pointed)}
    about = attempt_in(state, {}, context)
    default = str(about.position) if about and str(about.position) in latest else next(reversed(latest), "")
    options = tuple(
        (place, f"{place}: answered {a.answer}" if a.answer else f"{place}: {a.outcome}") for place, a in latest.items()
    )
    return Field("puzzle", "Puzzle", "choice", default, options)


def replied(state: State) -> list[Attempt]:
    return [a for a in state.attempts if may(a.phase, Event.TELL)]


def puzzle_only(state: State, context: Context) -> tuple[Field, ...]:
    return (puzzle_field(state, context, replied(state)),)


def answered_only(state: State, context: Context) -> tuple[Field, ...]:
    return (puzzle_field(state, context, [a for a in replied(state) if a.outcome is Phase.GRADED]),)


def place_only(state: State, context: Context) -> tuple[Field, ...]:
    return (place_field(context),)


# Small things that several share


def named_attempt(state: State, context: Context, values: Values) -> Attempt:
    attempt = attempt_in(state, values, context)
    if attempt is None or not attempt.reply:
        raise Refusal(f"Puzzle {values.get('puzzle') or '?'} has no reply on this branch.")
    return attempt


def told(state: State, context: Context, *parts: Part) -> Effect:
    """Feedback: queued, replacing the same kind for the same attempt; or sent alone where the plan gives feedback its own turn."""
    kinds = {(each.reply, each.puzzle, each.feedback) for each in parts}
    kept = tuple(each for each in context.queue if (each.reply, each.puzzle, each.feedback) not in kinds)
    if state.plan.feedback.turn == "own":
        return Effect(turn=kept + parts, call=Purpose.STEP)
    return Effect(queue=kept + parts)


def probe(state: State, context: Context, values: Values, name: str, template: str, **given: str) -> Effect:
    """A question to the subject, in a fork unless told otherwise, after whatever feedback is queued."""
    asked = part(context.templates, f"interventions/{template}", given, PartKind.PROBE, name)
    if "puzzle" in values:
        asked = replace(asked, puzzle=named_attempt(state, context, values).puzzle.id)
    return in_fork(context, values, name, (*context.queue, asked))
