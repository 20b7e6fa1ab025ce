"""The attempts table: one row per (reply, puzzle), shared prefixes counted once.  It is the view `v_attempts` as it stands.

A cell that a spreadsheet would take for a formula gets a leading apostrophe; session-jsonl has the exact text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any, TextIO

from ..core.text import visible
from ..store import Reader

BLIND = frozenset(
    {
        *("model_requested", "model_returned", "arm", "plan", "params", "cost", "finish_reason_raw", "branch", "via"),
        *("key", "shown_answer", "truthful", "shown_in", "feedback_kind", "prev_feedback_kind", "prev_truthful"),
        *("grade", "graded_by", "machine_grade", "prev_grade", "score", "score_shown", "n_fake_ancestors", "first_fake_depth"),
    }
)
"""What a rater must not see in a first pass: the subject, the arm, and what was right.  That a subject is simulated is always said."""


COLUMNS = {
    "session": "the session's id",
    "node_id": "the reply (or the turn put in its place) that made the attempt",
    "puzzle_id": "the puzzle; with session and node_id, the key of this table",
    "parent_id": "the call that the reply answered; for a forged turn, the user turn above it",
    "branch": "the branch's name when the attempt was made",
    "via": "why the call was made: step, regenerate or retry; empty for a forged turn",
    "fork_group": "the node under which sibling calls stand; empty for a first call",
    "sample_index": "0 for the first call at a node, 1 for the next, …",
    "presentation": "sequential or batch",
    "form": "where the labelled lines were asked for: block-last, action-first, free",
    "feedback_kind": "the feedback that the plan gives",
    "prev_feedback_kind": "the feedback given on the attempt before, on this path; none where none was",
    "prev_truthful": "whether that was true: 1, 0, or empty",
    "prev_grade": "how the attempt before was graded",
    "prediction": "the operator's call before the step, if any",
    "pack": "the pack that the puzzle came from",
    "family": "the puzzle's family",
    "stratum": "easy, medium or hard, by design and not by measurement",
    "position": "1-based place in the plan's order",
    "attempt_no": "1 for the first try at this puzzle on this path, 2 for the next, …",
    "n": "puzzles in the plan",
    "lifelines_offered": "lifelines offered in all; empty where they are never mentioned",
    "lifelines_left": "lifelines left when the puzzle was posed",
    "score_shown": "the score when the puzzle was posed, as the subject would count it from what it was shown",
    "action": "answer, lifeline, both, refusal, unparsed; the operator's reading where there is one",
    "answer": "the answer as read",
    "difficulty": "1 to 10, as the subject rated it",
    "confidence": "0 to 100, as the subject rated it",
    "flags": "what the parser noticed, a JSON list",
    "violation": "1 where a lifeline was asked for and none was left, 0 where one was; empty for anything else",
    "key": "the verified right answer",
    "shown_answer": "the key (or verdict) told last on this branch, true or fake; where none was, on another: see shown_in",
    "truthful": "whether what was told was true: 1, 0, or empty",
    "shown_in": "the branch on which it was told",
    "grade": "right, wrong, ungradable (neither, and never counted as wrong), n/a for a lifeline",
    "graded_by": "machine, or operator where the grade was overruled",
    "machine_action": "action as the machine read it",
    "machine_answer": "answer as the machine read it",
    "machine_grade": "grade as the machine gave it",
    "score": "points by the plan's scoring and the verified key; empty where ungradable",
    "item_edited": "1 where the operator edited the turn that posed the puzzle",
    "n_forged_ancestors": "turns above it that the subject did not write",
    "n_fake_ancestors": "fake keys shown above it",
    "first_fake_depth": "depth (root 0) of the first turn above it that showed a fake",
    "origin": "who wrote the turn: model; else forged, edited, imported, …",
    "status": "how the reply ended, for this puzzle",
    "finish_reason_raw": "the provider's own word",
    "model_requested": "the subject's name",
    "model_returned": "the name that the provider answered with",
    "simulated": "1 for an embedded or scripted subject, which proves nothing about models",
    "params": "sampling parameters as sent, JSON",
    "tokens_in": "tokens of the whole request: in a batch repeated on each row of the reply",
    "tokens_out": "tokens of the whole reply: in a batch repeated on each row of the reply",
    "tokens_reasoning": "of these, reasoning tokens",
    "tokens_estimated": "1 where the counts are a guess",
    "cost": "US dollars for the whole reply; empty where unknown",
    "latency_ms": "milliseconds from request to end",
    "at": "when the reply ended, UTC",
    "plan": "the session's plan",
    "arm": "the plan of this context's root",
    "seed": "the session's seed",
}
"""Column → what it holds: the dictionary that ships with the table."""


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """Rows in the order they were made, session after session."""
    writer = csv.writer(out, lineterminator="\n")
    names = [name for name in COLUMNS if not (blind and name in BLIND)]
    writer.writerow(names)
    for session in sessions:
        found = store.connection.execute(f"SELECT {', '.join(names)} FROM v_attempts WHERE session = ?", (session,))
        writer.writerows([_cell(value) for value in row] for row in found)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _number(text) else text


def _number(text: str) -> bool:
    """A negative number is no formula."""
    return re.fullmatch(r"-[0-9]+(\.[0-9]+)?", text) is not None
