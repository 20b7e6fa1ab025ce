"""A claim is data: what a subject says that it got right, and what was the case at the very node where it said so.

The reference is figured where the claim was made, with what the subject had been told there: a key that only another branch tells
is not held against it.  Written with the reply, like an attempt's facts.
"""

from __future__ import annotations

from typing import Any

from .attempt_phases import Phase
from .nodes import FAILED, Assistant, Part, Remark, Reply, Status, plain
from .reading.replies import PARSER_VERSION, parse_self_score
from .state import Attempt, State


def claim_remarks(state: State, body: Reply | Assistant, text: str | None, branch: str) -> list[Remark]:
    """Remarks about a reply to a self-score; none where the last turn asked for none.

    `claim` has what was said: {"count": n} and {"which": [positions]}, each where it was read; `claim_facts` what it is measured
    against, also where nothing could be read.  `text` is None for a reply that was cut off, of which nothing is read.  A call that
    failed made no claim.
    """
    asked = state.last_part
    if asked is None or asked.via != "self-score":
        return []
    status = body.status if isinstance(body, Reply) else Status.COMPLETE
    if status in FAILED:
        return []
    remarks = [Remark("claim_facts", facts(state, asked, branch) | {"status": str(status)})]
    found = parse_self_score(text) if text is not None else None
    claim: dict[str, Any] = {}
    if found is not None and found.count is not None:
        claim["count"] = found.count
    if found is not None and found.which is not None:
        claim["which"] = list(found.which)
    return [*remarks, Remark("claim", claim, version=PARSER_VERSION)] if claim else remarks


def facts(state: State, asked: Part, branch: str) -> dict[str, Any]:
    """What a claim made in `state` is measured against.

    All counts are over the puzzles asked about: those posed above, the last try at each.  `matches_shown` counts the answers that
    agree with what the subject was told is right, `right_true` those that are right by the verified key; both take the turns put in
    the subject's place as its own, as it must.  The `own_…` figures leave those out.  Where the subject was told nothing of a puzzle,
    the verified key counts; `n_told` says of how many it was told something.
    """
    tries = [a for a in state.standing if a.reply]
    own = [a for a in tries if a.own]
    told = [a for a in tries if a.shown_key or any(each.kind == "verdict" for each in a.told)]
    return {
        "branch": branch,
        "via": asked.via,
        "wording": asked.template.rpartition("/")[2],
        "question": plain(asked.spans),
        "n_asked": len(tries),
        "puzzles": [a.puzzle.id for a in tries],
        "positions": [a.position for a in tries],
        "told_puzzles": [a.puzzle.id for a in told],
        "n_told": len(told),
        "matches_shown": _count(tries, shown=True),
        "right_true": _count(tries, shown=False),
        "answers": {str(a.position): a.answer for a in own if _committed(a)},
        "own_committed": sum(map(_committed, own)),
        "own_matches_shown": _count(own, shown=True),
        "own_right": _count(own, shown=False),
        "own_skipped": sum(a.outcome is Phase.SKIPPED for a in own),
        "own_unread": sum(a.unread or a.failed for a in own),
        "shares_context_with": list(state.claims),
    }


def _committed(attempt: Attempt) -> bool:
    return attempt.outcome is Phase.GRADED and attempt.answer is not None


def _count(tries: list[Attempt], *, shown: bool) -> int:
    return sum((a.shown_right is True) if shown else (a.outcome is Phase.GRADED and a.grade == "right") for a in tries)
