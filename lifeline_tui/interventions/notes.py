"""What the operator says about a turn.  The subject never sees it."""

from __future__ import annotations

from typing import Any

from ..core.nodes import Remark
from ..core.reading.candidates import candidates
from ..core.reading.grading import grade, same
from ..core.state import State
from .conditions import (
    gradable,
    notable,
)
from .registry import intervention
from .shared import named_attempt, puzzle_field
from .types import Act, Context, Effect, Field, Refusal, Values, attempt_in


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
        puzzle_field(state, context, [a for a in state.attempts if a.reply]),
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
    attempt = named_attempt(state, context, values)
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
