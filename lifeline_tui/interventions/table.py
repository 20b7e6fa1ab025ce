"""Everything that the operator can do to a conversation, one function each: the one table that all keys, help and plans draw on.

`refuse` may say no; what is decided is then carried out whole.  Feedback is queued in sight and joins the next turn; probes fork by
default, of the trunk, carrying the queued feedback along, so that they don't contaminate it; whatever changes a turn makes a sibling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..core.attempt_phases import Event, Phase, may
from ..core.nodes import Assistant, Call, How, Origin, Part, PartKind, Purpose, Remark, Reply, Span, Status, User, plain, text_of
from ..core.reading.candidates import candidates
from ..core.reading.grading import grade, same
from ..core.state import Attempt, State
from ..core.wording import agrees, item, labels, lifelines, option_order, part, praise, reveal, rules, verdict, violation
from .conditions import (
    alone,
    answered,
    budgeted,
    editable,
    forgeable,
    forkable,
    gradable,
    notable,
    probeable,
    redoable,
    repeatable,
    tellable,
    undoable,
    unread,
    violated,
    when_heard,
    when_next,
    when_playable,
)
from .types import ASIDE, Act, Context, Effect, Field, Fields, Intervention, Refusal, Refuse, Values, attempt_in

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


# Fields


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


def _place(context: Context, label: str = "Ask", default: str = ASIDE) -> Field:
    """Where a question goes.  The names of the last two are those of plans."""
    places = ((ASIDE, f"in a fork {context.aside}"), ("fork", "here, in a fork of this branch"), ("trunk", "here, on this branch"))
    return Field("in", label, "choice", default, places)


def _fork(context: Context, values: Values, name: str, turn: tuple[Part, ...]) -> Effect:
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


def _puzzle(state: State, context: Context, attempts: list[Attempt]) -> Field:
    pointed = [a for a in attempts if context.cursor is not None and a.reply == context.cursor.id]
    latest = {str(a.position): a for a in (*attempts, *pointed)}
    about = attempt_in(state, {}, context)
    default = str(about.position) if about and str(about.position) in latest else next(reversed(latest), "")
    options = tuple(
        (place, f"{place}: answered {a.answer}" if a.answer else f"{place}: {a.outcome}") for place, a in latest.items()
    )
    return Field("puzzle", "Puzzle", "choice", default, options)


def _replied(state: State) -> list[Attempt]:
    return [a for a in state.attempts if may(a.phase, Event.TELL)]


def _puzzle_only(state: State, context: Context) -> tuple[Field, ...]:
    return (_puzzle(state, context, _replied(state)),)


def _answered_only(state: State, context: Context) -> tuple[Field, ...]:
    return (_puzzle(state, context, [a for a in _replied(state) if a.outcome is Phase.GRADED]),)


def _place_only(state: State, context: Context) -> tuple[Field, ...]:
    return (_place(context),)


# Small things that several share


def _named(state: State, context: Context, values: Values) -> Attempt:
    attempt = attempt_in(state, values, context)
    if attempt is None or not attempt.reply:
        raise Refusal(f"Puzzle {values.get('puzzle') or '?'} has no reply on this branch.")
    return attempt


def _told(state: State, context: Context, *parts: Part) -> Effect:
    """Feedback: queued, replacing the same kind for the same attempt; or sent alone where the plan gives feedback its own turn."""
    kinds = {(each.reply, each.puzzle, each.feedback) for each in parts}
    kept = tuple(each for each in context.queue if (each.reply, each.puzzle, each.feedback) not in kinds)
    if state.plan.feedback.turn == "own":
        return Effect(turn=kept + parts, call=Purpose.STEP)
    return Effect(queue=kept + parts)


def _probe(state: State, context: Context, values: Values, name: str, template: str, **given: str) -> Effect:
    """A question to the subject, in a fork unless told otherwise, after whatever feedback is queued."""
    asked = part(context.templates, f"interventions/{template}", given, PartKind.PROBE, name)
    if "puzzle" in values:
        asked = replace(asked, puzzle=_named(state, context, values).puzzle.id)
    return _fork(context, values, name, (*context.queue, asked))


# The table


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


@intervention("autoplay", "space", "autoplay", "Run the plan until a key pauses it.", refuse=when_playable, group="step")
def autoplay(state: State, context: Context, values: Values) -> Effect:
    return Effect(autoplay=True)


@intervention(
    "reveal",
    "r",
    "reveal key",
    "Tell the right answer, with the next turn.",
    refuse=tellable,
    fields=_puzzle_only,
    group="feedback",
)
def reveal_key(state: State, context: Context, values: Values) -> Effect:
    attempt = _named(state, context, values)
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
    return _told(state, context, *parts)


def _fake_fields(state: State, context: Context) -> tuple[Field, ...]:
    attempt = attempt_in(state, {}, context)
    fakes = attempt.puzzle.fakes if attempt else ()
    options = tuple((fake.value, f"{fake.value}: {fake.error}") for fake in fakes)
    return (
        _puzzle(state, context, _replied(state)),
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
    attempt = _named(state, context, values)
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
    "verdict", "v", "verdict", "Tell whether the answer was correct.", refuse=answered, fields=_answered_only, group="feedback"
)
def tell_verdict(state: State, context: Context, values: Values) -> Effect:
    attempt = _named(state, context, values)
    about = (attempt.reply, attempt.puzzle.id)
    queued = [each.shown for each in context.queue if each.feedback == "reveal" and (each.reply, each.puzzle) == about]
    key = queued[-1] if queued else (attempt.shown_key.shown if attempt.shown_key else None)
    if (said := agrees(attempt, key)) is None:
        raise Refusal(f"Whether the answer to puzzle {attempt.position} is correct cannot be told: overrule its grade first.")
    return _told(state, context, verdict(attempt, context.templates, said))


@intervention("praise", "p", "praise", "Praise the last answer.", refuse=tellable, fields=_puzzle_only, group="feedback")
def give_praise(state: State, context: Context, values: Values) -> Effect:
    return _told(state, context, praise(_named(state, context, values), context.templates))


def _workings_fields(state: State, context: Context) -> tuple[Field, ...]:
    kinds = (
        ("workings", "show your working"),
        ("workings-may-fail", "… and if you cannot, say so"),
        ("workings-derivation", "the derivation that leads to the shown key, or else the answer"),
    )
    return (_puzzle(state, context, _replied(state)), Field("wording", "Wording", "choice", "workings", kinds), _place(context))


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
    attempt = _named(state, context, values)
    queued = [each.shown for each in context.queue if each.feedback == "reveal" and each.puzzle == attempt.puzzle.id]
    shown = queued[-1] if queued else (attempt.shown_key.shown if attempt.shown_key else attempt.answer)
    if not shown and (values["wording"] == "workings-derivation" or attempt.outcome in (Phase.SKIPPED, Phase.VIOLATED)):
        raise Refusal(f"Puzzle {attempt.position} has neither an answer nor a shown key to derive: reveal or fake one first.")
    return _probe(state, context, values, "workings", values["wording"], answer=shown or "", i=str(attempt.position))


def _score_fields(state: State, context: Context) -> tuple[Field, ...]:
    asks = (("count", "how many it got right"), ("which", "which ones it got right"))
    words = (("did", "how many did you get right"), ("would", "how many would you get right"))
    return (Field("ask", "Question", "choice", "count", asks), Field("did", "Wording", "choice", "did", words), _place(context))


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
    return _probe(state, context, values, "self-score", template, did=values["did"])


@intervention(
    "key-check",
    "k",
    "key check",
    "Ask which of the given answers are wrong, if any.",
    refuse=probeable,
    fields=_place_only,
    group="probe",
    place=ASIDE,
)
def ask_key_check(state: State, context: Context, values: Values) -> Effect:
    return _probe(state, context, values, "key-check", "key-check")


@intervention("challenge", "c", "challenge", "Ask: are you sure?", refuse=probeable, fields=_place_only, group="probe", place=ASIDE)
def ask_challenge(state: State, context: Context, values: Values) -> Effect:
    return _probe(state, context, values, "challenge", "challenge")


def _skip_fields(state: State, context: Context) -> tuple[Field, ...]:
    """Any puzzle can be asked about, since the question does not say that it was skipped; by default it is one that was."""
    about = _puzzle(state, context, _replied(state))
    skipped = [str(a.position) for a in state.attempts if a.outcome is Phase.SKIPPED]
    return (replace(about, default=skipped[-1]) if skipped and about.default not in skipped else about, _place(context))


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
    return _probe(state, context, values, "why-skip", "why-skip", i=str(_named(state, context, values).position))


@intervention(
    "rule-check",
    "q",
    "rule check",
    "Ask what a wrong answer scores.",
    refuse=probeable,
    fields=_place_only,
    group="probe",
    place=ASIDE,
)
def ask_rule_check(state: State, context: Context, values: Values) -> Effect:
    return _probe(state, context, values, "rule-check", "rule-check")


def _form_fields(state: State, context: Context) -> tuple[Field, ...]:
    unread = [a for a in state.attempts if a.outcome is Phase.UNPARSED]
    return (_puzzle(state, context, unread), _place(context, default="trunk"))


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
    attempt = _named(state, context, values)
    head = f"PUZZLE {attempt.position}\n" if state.plan.presentation == "batch" else ""
    lines = head + labels(state.plan, option_order(state.root))
    return _probe(state, context, values, "form-again", "form-again", i=str(attempt.position), lines=lines)


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


@intervention(
    "free",
    "i",
    "write",
    "Write a turn of your own; queued feedback goes first.",
    refuse=when_heard,
    fields=lambda state, context: (Field("text", "Your turn", "text"), _place(context, "Send", "trunk")),
    group="probe",
    place="trunk",
)
def write_turn(state: State, context: Context, values: Values) -> Effect:
    if not values["text"].strip():
        raise Refusal("There is nothing to send.")
    made = Part(PartKind.FREE, (Span(values["text"], Origin.OPERATOR),), via="free")
    return _fork(context, values, "free", (*context.queue, made))


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


def _grade_fields(state: State, context: Context) -> tuple[Field, ...]:
    attempt = attempt_in(state, {}, context)
    actions = (("answer", "it answers"), ("lifeline", "it skips"), ("refusal", "it refuses"), ("unparsed", "cannot be told"))
    grades = (("auto", "grade the answer by its key"), ("right", "right"), ("wrong", "wrong"), ("ungradable", "cannot be graded"))
    action = attempt.action if attempt and attempt.action in dict(actions) else "answer"
    offered = candidates(context.text(attempt.reply), attempt.puzzle.answer) if attempt and not attempt.answer else ()
    options = (
        ("", f"{len(offered)} found in it: → goes through them" if offered else "nothing is offered"),
        *((c, c) for c in offered),
    )
    return (
        _puzzle(state, context, [a for a in state.attempts if a.reply]),
        Field("action", "The reply", "choice", action or "answer", actions),
        Field("found", "Found in the reply", "choice", "", options, fills="answer"),
        Field("answer", "Answer", "line", (attempt.answer or "") if attempt else "", chooses=("action", "answer")),
        Field("grade", "Grade", "choice", "auto", grades),
    )


@intervention(
    "grade",
    "g",
    "override",
    "Overrule how a reply was read or graded; both readings stay.",
    refuse=gradable,
    fields=_grade_fields,
    group="notes",
)
def override(state: State, context: Context, values: Values) -> Effect:
    attempt = _named(state, context, values)
    puzzle = attempt.puzzle.id
    verdict_ = values["grade"]
    answer = values["answer"].strip() or values["found"] or None
    if values["action"] != "answer":
        if answer is not None and answer != attempt.answer:
            raise Refusal(f"The answer {answer!r} is given too: choose “it answers”, or clear the answer.")
        verdict_, answer = ("n/a" if values["action"] == "lifeline" else "ungradable"), None
    elif verdict_ == "auto":
        verdict_ = str(grade(attempt.puzzle.answer, answer))
    if (values["action"], answer, verdict_) == (attempt.action, attempt.answer, attempt.grade) and not attempt.failed:
        raise Refusal(f"Puzzle {attempt.position} is read and graded so already: nothing was changed.")
    said: list[tuple[str, Any]] = [("action", values["action"]), ("answer", answer), ("grade", verdict_)]
    keys = {fake.value for fake in attempt.puzzle.fakes} | {
        told.shown for told in attempt.told if told.kind == "reveal" and told.shown
    }
    agreed = {key: same(attempt.puzzle.answer, answer, key) for key in sorted(keys)} if answer is not None else {}
    said.append(("agrees", {"overruled": True, "keys": agreed}))
    if attempt.failed:
        said.insert(0, ("attempt", dict(attempt.facts)))
    if "abstained" in attempt.flags and verdict_ in ("right", "wrong"):
        said.append(("flags", [flag for flag in attempt.flags if flag != "abstained"]))
    return Effect(remarks=tuple(Remark(name, value, puzzle, "operator", node=attempt.reply) for name, value in said))


def _remark(name: str, empty: str) -> Act:
    def act(state: State, context: Context, values: Values) -> Effect:
        text = values["text"].strip()
        if not text or context.cursor is None:
            raise Refusal(empty)
        return Effect(remarks=(Remark(name, text, by="operator", node=context.cursor.id),))

    return act


intervention(
    "note",
    "semicolon",
    "note",
    "Write a note on the turn at the cursor; the subject never sees it.",
    refuse=notable,
    fields=lambda state, context: (Field("text", "Note", "text"),),
    group="notes",
)(_remark("note", "A note needs text."))

intervention(
    "label",
    "l",
    "label",
    "Label the turn at the cursor, such as W3.",
    refuse=notable,
    fields=lambda state, context: (Field("text", "Label"),),
    group="notes",
)(_remark("label", "A label needs text."))


@intervention("bookmark", "m", "bookmark", "Mark the turn at the cursor, or take the mark away.", refuse=notable, group="notes")
def bookmark(state: State, context: Context, values: Values) -> Effect:
    assert context.cursor is not None, "notable"
    return Effect(remarks=(Remark("bookmark", not context.marked, by="operator", node=context.cursor.id),))


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
