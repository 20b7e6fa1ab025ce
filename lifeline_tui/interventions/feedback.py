"""Telling the subject something.  It is queued in sight and joins the next turn."""

from __future__ import annotations

from dataclasses import replace

from ..core.attempt_phases import Phase
from ..core.nodes import Origin, PartKind
from ..core.reading.grading import same
from ..core.state import Attempt, State
from ..core.wording import agrees, lifelines, part, praise, reveal, verdict
from .conditions import (
    answered,
    budgeted,
    tellable,
)
from .registry import intervention
from .shared import answered_only, named_attempt, puzzle_field, puzzle_only, replied, told
from .types import Context, Effect, Field, Refusal, Values, attempt_in


@intervention(
    "reveal",
    "r",
    "reveal key",
    "Tell the right answer, with the next turn.",
    refuse=tellable,
    fields=puzzle_only,
    group="feedback",
)
def reveal_key(state: State, context: Context, values: Values) -> Effect:
    attempt = named_attempt(state, context, values)
    return _shown(state, context, attempt, attempt.puzzle.answer.value, "reveal", Origin.TEMPLATE)


def _shown(state: State, context: Context, attempt: Attempt, key: str, via: str, author: Origin) -> Effect:
    """A key, with any queued verdict on the same attempt following it."""
    numbered = state.plan.presentation == "batch" or attempt is not state.latest
    parts = [reveal(attempt, context.templates, key, via=via, author=author, numbered=numbered)]
    said = agrees(attempt, key)
    if said is not None and any(
        each.feedback == "verdict" and each.reply == attempt.reply and each.puzzle == attempt.puzzle.id for each in context.queue
    ):
        parts.insert(0, verdict(attempt, context.templates, said))
    return told(state, context, *parts)


def _fake_fields(state: State, context: Context) -> tuple[Field, ...]:
    attempt = attempt_in(state, {}, context)
    fakes = attempt.puzzle.fakes if attempt else ()
    options = tuple((fake.value, f"{fake.value}: {fake.error}") for fake in fakes)
    return (
        puzzle_field(state, context, replied(state)),
        Field("fake", "Fake from the pack", "choice", options[0][0] if options else "", options or (("", "none in the pack"),)),
        Field("typed", "or type one", "line"),
    )


@intervention(
    "fake",
    "f",
    "fake key",
    "Tell a believable wrong answer as the right one.",
    refuse=tellable,
    fields=_fake_fields,
    group="feedback",
)
def fake_key(state: State, context: Context, values: Values) -> Effect:
    attempt = named_attempt(state, context, values)
    typed = values["typed"].strip()
    key = typed or values["fake"]
    if not key:
        raise Refusal("The pack has no fake for this puzzle: type one.")
    if not typed and key not in {fake.value for fake in attempt.puzzle.fakes}:
        raise Refusal(f"{key} is not a fake of puzzle {attempt.position}: choose one of its own, or type one.")
    if same(attempt.puzzle.answer, attempt.puzzle.answer.value, key):
        raise Refusal(f"{key} is the right answer: use reveal, or type a wrong one.")
    return _shown(state, context, attempt, key, "fake", Origin.OPERATOR if typed else Origin.TEMPLATE)


def effect_of_key(attempt: Attempt, key: str) -> str:
    """What showing `key` does, in words for the operator: "contradicts a right answer"."""
    if attempt.outcome is not Phase.GRADED:
        return "no answer of the subject's to compare with"
    agrees = same(attempt.puzzle.answer, attempt.answer or "", key)
    if agrees is None:
        return "cannot be compared with the subject's answer"
    return f"{'confirms' if agrees else 'contradicts'} a {attempt.grade} answer"


@intervention(
    "verdict", "v", "verdict", "Tell whether the answer was correct.", refuse=answered, fields=answered_only, group="feedback"
)
def tell_verdict(state: State, context: Context, values: Values) -> Effect:
    attempt = named_attempt(state, context, values)
    about = (attempt.reply, attempt.puzzle.id)
    queued = [each.shown for each in context.queue if each.feedback == "reveal" and (each.reply, each.puzzle) == about]
    key = queued[-1] if queued else (attempt.shown_key.shown if attempt.shown_key else None)
    if (said := agrees(attempt, key)) is None:
        raise Refusal(f"Whether the answer to puzzle {attempt.position} is correct cannot be told: overrule its grade first.")
    return told(state, context, verdict(attempt, context.templates, said))


@intervention("praise", "p", "praise", "Praise the last answer.", refuse=tellable, fields=puzzle_only, group="feedback")
def give_praise(state: State, context: Context, values: Values) -> Effect:
    return told(state, context, praise(named_attempt(state, context, values), context.templates))


def _budget_fields(state: State, context: Context) -> tuple[Field, ...]:
    return (Field("left", "Lifelines left from now on", "line", str(state.left or 0)),)


@intervention(
    "budget",
    "u",
    "budget",
    "Change how many lifelines are left; told with the next turn.",
    refuse=budgeted,
    fields=_budget_fields,
    group="feedback",
)
def change_budget(state: State, context: Context, values: Values) -> Effect:
    text = values["left"].strip()
    if not text.isdecimal() or not text.isascii() or len(text) > 4:
        raise Refusal(f"Lifelines left must be a whole number from 0 to 9999, not {text!r}.")
    made = part(
        context.templates,
        "interventions/budget-change",
        {"lifelines": lifelines(int(text), state.plan.lifeline_word)},
        PartKind.FREE,
        "budget",
    )
    kept = tuple(each for each in context.queue if each.via != "budget")
    return Effect(queue=(*kept, replace(made, budget_shown=int(text))))
