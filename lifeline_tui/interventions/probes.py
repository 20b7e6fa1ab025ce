"""Asking the subject something: in a fork of the trunk by default, carrying the queued feedback along, so that the trunk never sees it."""

from __future__ import annotations

from dataclasses import replace

from ..core.attempt_phases import Phase
from ..core.nodes import Origin, Part, PartKind, Span
from ..core.state import State
from ..core.wording import labels, option_order
from .conditions import (
    probeable,
    unread,
    when_heard,
)
from .registry import intervention
from .shared import in_fork, named_attempt, place_field, place_only, probe, puzzle_field, replied
from .types import ASIDE, Context, Effect, Field, Refusal, Values


def _workings_fields(state: State, context: Context) -> tuple[Field, ...]:
    kinds = (
        ("workings", "show your working"),
        ("workings-may-fail", "… and if you cannot, say so"),
        ("workings-derivation", "the derivation that leads to the shown key, or else the answer"),
    )
    return (
        puzzle_field(state, context, replied(state)),
        Field("wording", "Wording", "choice", "workings", kinds),
        place_field(context),
    )


@intervention(
    "workings",
    "w",
    "workings",
    "Ask for the working of a puzzle, or for the derivation of its shown key.",
    refuse=probeable,
    fields=_workings_fields,
    group="probe",
    place=ASIDE,
)
def ask_workings(state: State, context: Context, values: Values) -> Effect:
    attempt = named_attempt(state, context, values)
    queued = [each.shown for each in context.queue if each.feedback == "reveal" and each.puzzle == attempt.puzzle.id]
    shown = queued[-1] if queued else (attempt.shown_key.shown if attempt.shown_key else attempt.answer)
    if not shown and (values["wording"] == "workings-derivation" or attempt.outcome in (Phase.SKIPPED, Phase.VIOLATED)):
        raise Refusal(f"Puzzle {attempt.position} has neither an answer nor a shown key to derive: reveal or fake one first.")
    return probe(state, context, values, "workings", values["wording"], answer=shown or "", i=str(attempt.position))


def _score_fields(state: State, context: Context) -> tuple[Field, ...]:
    asks = (("count", "how many it got right"), ("which", "which ones it got right"))
    words = (("did", "how many did you get right"), ("would", "how many would you get right"))
    return (
        Field("ask", "Question", "choice", "count", asks),
        Field("did", "Wording", "choice", "did", words),
        place_field(context),
    )


@intervention(
    "self-score",
    "s",
    "self-score",
    "Ask how many it got right, or which.",
    refuse=probeable,
    fields=_score_fields,
    group="probe",
    place=ASIDE,
)
def ask_self_score(state: State, context: Context, values: Values) -> Effect:
    template = "self-score" if values["ask"] == "count" else "self-score-which"
    return probe(state, context, values, "self-score", template, did=values["did"])


@intervention(
    "key-check",
    "k",
    "key check",
    "Ask which of the given answers are wrong, if any.",
    refuse=probeable,
    fields=place_only,
    group="probe",
    place=ASIDE,
)
def ask_key_check(state: State, context: Context, values: Values) -> Effect:
    return probe(state, context, values, "key-check", "key-check")


@intervention("challenge", "c", "challenge", "Ask: are you sure?", refuse=probeable, fields=place_only, group="probe", place=ASIDE)
def ask_challenge(state: State, context: Context, values: Values) -> Effect:
    return probe(state, context, values, "challenge", "challenge")


def _skip_fields(state: State, context: Context) -> tuple[Field, ...]:
    """Any puzzle can be asked about, since the question does not say that it was skipped; by default it is one that was."""
    about = puzzle_field(state, context, replied(state))
    skipped = [str(a.position) for a in state.attempts if a.outcome is Phase.SKIPPED]
    return (replace(about, default=skipped[-1]) if skipped and about.default not in skipped else about, place_field(context))


@intervention(
    "why-skip",
    "y",
    "why skip",
    "Ask whether it skipped a puzzle, and why.",
    refuse=probeable,
    fields=_skip_fields,
    group="probe",
    place=ASIDE,
)
def ask_why_skip(state: State, context: Context, values: Values) -> Effect:
    return probe(state, context, values, "why-skip", "why-skip", i=str(named_attempt(state, context, values).position))


@intervention(
    "rule-check",
    "q",
    "rule check",
    "Ask what a wrong answer scores.",
    refuse=probeable,
    fields=place_only,
    group="probe",
    place=ASIDE,
)
def ask_rule_check(state: State, context: Context, values: Values) -> Effect:
    return probe(state, context, values, "rule-check", "rule-check")


def _form_fields(state: State, context: Context) -> tuple[Field, ...]:
    unread = [a for a in state.attempts if a.outcome is Phase.UNPARSED]
    return (puzzle_field(state, context, unread), place_field(context, default="trunk"))


@intervention(
    "form-again",
    "ctrl+f",
    "form again",
    "Ask for the lines of the form, after a reply that could not be read; you read the answer.",
    refuse=unread,
    fields=_form_fields,
    group="probe",
    place="trunk",
)
def ask_for_the_form(state: State, context: Context, values: Values) -> Effect:
    attempt = named_attempt(state, context, values)
    head = f"PUZZLE {attempt.position}\n" if state.plan.presentation == "batch" else ""
    lines = head + labels(state.plan, option_order(state.root))
    # What the plan tells of a reply would give the answer away before it is given: it waits.
    waiting = tuple(part for part in context.queue if not part.planned)
    return probe(state, replace(context, queue=waiting), values, "form-again", "form-again", i=str(attempt.position), lines=lines)


@intervention(
    "free",
    "i",
    "write",
    "Write a turn of your own; queued feedback goes first.",
    refuse=when_heard,
    fields=lambda state, context: (Field("text", "Your turn", "text"), place_field(context, "Send", "trunk")),
    group="probe",
    place="trunk",
)
def write_turn(state: State, context: Context, values: Values) -> Effect:
    if not values["text"].strip():
        raise Refusal("There is nothing to send.")
    made = Part(PartKind.FREE, (Span(values["text"], Origin.OPERATOR),), via="free")
    return in_fork(context, values, "free", (*context.queue, made))
