"""Going on: the plan's next step, and the whole plan."""

from __future__ import annotations

from dataclasses import replace

from ..core.nodes import Purpose
from ..core.state import State
from ..core.wording import item, rules, violation
from .conditions import (
    alone,
    violated,
    when_next,
    when_playable,
)
from .registry import intervention
from .types import Context, Effect, Values


@intervention(
    "next", "n", "next", "Send the plan's next step: the queued feedback and the next puzzle.", refuse=when_next, group="step"
)
def next_step(state: State, context: Context, values: Values) -> Effect:
    if alone(state, context):
        return Effect(turn=context.queue, call=Purpose.STEP)
    if attempt := violated(state):
        again = replace(violation(attempt, context.templates, state.plan.lifeline_word), score_shown=state.score_shown)
        return Effect(turn=(*context.queue, again), call=Purpose.STEP)
    opening = () if state.posed else (rules(state.plan, context.templates, state.root),)
    if state.plan.presentation == "batch":
        size = state.plan.batch_size
        chosen = list(enumerate(state.root.puzzles, 1))[state.posed : state.posed + size]
    else:
        chosen = [(state.posed + 1, state.root.puzzles[state.posed])]
    items = tuple(item(state, context.templates, puzzle, place, told=context.queue) for place, puzzle in chosen)
    return Effect(turn=(*context.queue, *opening, *items), call=Purpose.STEP)


@intervention(
    "autoplay",
    "space",
    "autoplay",
    "Run the plan; pressed again, or with another step, it pauses.",
    refuse=when_playable,
    group="step",
)
def autoplay(state: State, context: Context, values: Values) -> Effect:
    return Effect(autoplay=True)
