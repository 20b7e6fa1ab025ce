"""What the machine says about a turn when it arrives: the parse, the grade and the facts of each attempt, as annotations.

Written with the reply and never recomputed on opening (Law 6).  What is not certain is not scored: an incomplete reply's last
block, an ambiguous or unlabelled reply are none of them wrong.  A call that failed made no attempt at what could not be read.
"""

from __future__ import annotations

from typing import Any

from ..claims import claim_remarks
from ..nodes import FAILED, Assistant, Call, Part, PartKind, Remark, Reply, Status, User, plain
from ..state import Attempt, State
from ..transcript import BASE, BASE_STOP
from .grading import GRADER_VERSION, Grade, grade
from .replies import PARSER_VERSION, Action, Parsed, cut_base, parse, parse_batch

ABOUT = ("action", "answer", "difficulty", "confidence", "flags")


def judge(state: State, body: Reply | Assistant, call: Call | None, branch: str) -> list[Remark]:
    """Remarks about a turn that answers `state`'s open attempts or a self-score.  `state` is that of the turn's parent."""
    asked = [attempt for attempt in state.attempts if attempt.open]
    text = plain(body.spans)
    complete = not isinstance(body, Reply) or body.status is Status.COMPLETE
    if call is not None and call.renderer == BASE:
        own = cut_base(text, BASE_STOP)
        complete, text = complete or len(own) < len(text), own  # what runs on past its turn has ended that turn
    if not asked:
        return claim_remarks(state, body, text if complete else None, branch)
    word = state.plan.lifeline_word
    if len(asked) == 1 and state.plan.presentation == "sequential":
        parsed = {asked[0].position: parse(text, word=word, complete=complete, position=asked[0].position)}
    else:
        parsed = parse_batch(text, [attempt.position for attempt in asked], word=word, complete=complete)
    remarks: list[Remark] = []
    left = state.left or 0
    failed = isinstance(body, Reply) and body.status in FAILED
    for attempt in asked:
        found = parsed[attempt.position]
        facts = {**_facts(state, attempt, body, call, branch, found), "left": left}
        if failed and found.action is Action.UNPARSED:
            remarks.append(Remark("failed", facts, attempt.puzzle.id))
            continue
        remarks.append(Remark("attempt", facts, attempt.puzzle.id))
        left -= found.action is Action.LIFELINE and left > 0
        values = (str(found.action), found.answer, found.difficulty, found.confidence, list(found.flags))
        remarks += [
            Remark(field, value, attempt.puzzle.id, version=PARSER_VERSION)
            for field, value in zip(ABOUT, values, strict=True)
            if value is not None and value != []
        ]
        remarks.append(Remark("grade", str(graded(attempt, found)), attempt.puzzle.id, version=GRADER_VERSION))
    return remarks


def graded(attempt: Attempt, found: Parsed) -> Grade:
    """right, wrong or ungradable for an answer; n/a for a lifeline; ungradable for what was not parsed with certainty."""
    if found.action is Action.ANSWER:
        return grade(attempt.puzzle.answer, found.answer)
    return Grade.NOT_APPLICABLE if found.action is Action.LIFELINE else Grade.UNGRADABLE


def _facts(
    state: State, attempt: Attempt, body: Reply | Assistant, call: Call | None, branch: str, found: Parsed
) -> dict[str, Any]:
    """What was the case when the attempt was made: fixed now, because later overrides change counted values only (Law 12)."""
    earlier = [a for a in state.attempts if not a.open]
    before = earlier[-1] if earlier else None
    if before is not None and sum(a.reply == before.reply for a in earlier) > 1:
        before = None  # the turn before held several, and none of them is the one before
    told = state.exposure
    status = body.status if isinstance(body, Reply) else Status.COMPLETE
    if status is Status.COMPLETE and "truncated" in found.flags:
        status = Status.TRUNCATED
    return {
        "item": attempt.item,
        "call": attempt.call,
        "position": attempt.position,
        "attempt_no": attempt.number,
        "n": len(state.root.puzzles),
        "lifelines_offered": state.offered,
        "lifelines_left": attempt.budget_shown,
        "score_shown": attempt.score_shown,
        "presentation": state.plan.presentation,
        "form": state.plan.form,
        "feedback_kind": state.plan.feedback.kind,
        "prev_feedback_kind": "+".join(told.newest) or "none",
        "prev_truthful": told.newest_truthful,
        "prev_grade": before.grade if before else None,
        "status": str(status),
        "origin": "model" if isinstance(body, Reply) else str(body.how),
        "purpose": str(call.purpose) if call else "",
        "fork_group": call.group if call else "",
        "sample_index": call.sample_index if call else 0,
        "branch": branch,
        **told.facts(),
        "n_untrue_above": state.untrue,
        **_verdict_facts(state),
    }


def _verdict_facts(state: State) -> dict[str, Any]:
    """Whether the last verdict is true, by the grade that is in force now."""
    last = state.exposure.verdict
    if last is None:
        return {}
    about = [a for a in state.attempts if a.puzzle.id == last.puzzle and any(told.kind == "verdict" for told in a.told)]
    told = next((each for each in reversed(about[-1].told) if each.kind == "verdict"), None) if about else None
    return {"last_verdict_truthful": about[-1].truth(told)} if told is not None else {}


def agreement_remarks(state: State, user: User) -> list[Remark]:
    """For each attempt whose answer the operator overruled, and which a turn now tells another key for: what it agrees with."""
    remarks = []
    for part in user.parts:
        attempt = state.find(part.reply, part.puzzle) if part.feedback == "reveal" and part.shown is not None else None
        if attempt is not None and attempt.agreements.get("overruled"):
            keys = {**(attempt.agreements.get("keys") or {}), part.shown: {"yes": True, "no": False}.get(part.agrees)}
            remarks.append(Remark("agrees", {"overruled": True, "keys": keys}, part.puzzle, "operator", GRADER_VERSION, part.reply))
    return remarks


def told_remarks(user: User, branch: str) -> list[Remark]:
    """For each attempt that a user turn gives feedback on, what was told: its kinds, the key or verdict shown, its truth, whether the
    answer agrees with the key, and on which branch and in which turn."""
    about: dict[tuple[str, str], list[Part]] = {}
    for part in user.parts:
        if part.kind is PartKind.FEEDBACK and part.reply:
            about.setdefault((part.reply, part.puzzle), []).append(part)
    remarks = []
    for (reply, puzzle), parts in about.items():
        shown = next((part.shown for part in parts if part.feedback == "reveal"), parts[-1].shown)
        known = [part.truthful for part in parts if part.truthful is not None]
        kinds = "+".join(dict.fromkeys(part.feedback for part in parts))
        value = {"kind": kinds, "shown": shown, "truthful": all(known) if known else None, "branch": branch}
        key = next((part for part in parts if part.feedback == "reveal"), None)
        if key is not None:
            value |= {"key_truthful": key.truthful, "agrees": key.agrees}
        verdict = next((part.shown for part in parts if part.feedback == "verdict"), None)
        if verdict is not None:
            value |= {"verdict": verdict}
        remarks.append(Remark("feedback", value, puzzle, node=reply, names_turn=True))
    return remarks
