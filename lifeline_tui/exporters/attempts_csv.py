"""The attempts table: one row per (reply, puzzle), shared prefixes counted once.  It is the view `v_attempts` as it stands.

A call that failed before anything could be read is no attempt and has no row; `v_calls` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from ..store import Reader
from .table import write_rows

BLIND = frozenset(
    {
        *("model_requested", "model_returned", "arm", "plan", "params", "cost", "finish_reason_raw", "branch", "via"),
        *("key", "shown_answer", "truthful", "shown_in", "feedback_kind", "prev_feedback_kind", "prev_truthful"),
        *("grade", "graded_by", "machine_grade", "prev_grade", "score", "score_shown", "n_fake_ancestors", "first_fake_depth"),
        *(
            "n_untrue_above",
            "n_by_hand_above",
            "n_probes_above",
            "last_verdict",
            "last_verdict_truthful",
            "last_key_truthful",
            "last_praise",
            "last_score",
        ),
        *("last_verdict_puzzle", "last_key_puzzle", "last_praise_puzzle", "last_score_puzzle", "last_feedback_puzzle"),
        *("shown_right", "persona", "scoring", "feedback_plan", "plan_digest", "templates_digest", "rules_edited"),
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
    "prev_feedback_kind": "the kinds of feedback in the last turn above that gave any, joined with +; none where none did",
    "prev_truthful": "whether all of that was true: 1, 0, or empty where none of it is true or false",
    "prev_grade": "how the attempt before was graded; empty where the turn before held several",
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
    "shown_answer": "the key (or verdict) told last on this branch, true or fake; where none was, on another: see shown_in; what was taken back was not told",
    "truthful": "whether what was told is true, a verdict by the grade in force: 1, 0, or empty",
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
    "status": "how the reply ended, for this puzzle; of a call that failed, only what was read before has a row",
    "finish_reason_raw": "the provider's own word",
    "model_requested": "the subject's name",
    "model_returned": "the name that the provider answered with; of a path on its machine only the last part (session-jsonl has all)",
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
    "shown_right": "whether the answer is right by what was told of it on its branch, and by the verified key where nothing was: "
    "1, 0, or empty; what score_shown adds up",
    "standing": "1 where a branch holds the attempt and no later try on such a path took its place, else 0",
    "superseded_by": "the reply that took its place, if one did",
    "n_siblings_discarded": "other tries at this puzzle in the same place that no branch holds any more (asked again, or taken back)",
    "discarded": "1 where no branch holds the attempt any more",
    "trunk": "1 on the path of the branch main as it stands: its rows are what `run --json` counts, and the standing ones make the scores",
    "above_node_id": "the reply that made the attempt before, on this path; v_branches.last_attempt begins the chain of a branch",
    "turn_id": "the user turn that posed the puzzle",
    "depth": "depth of the reply (root 0)",
    "n_operator_turns_above": "user turns above it that hold words of the operator's own (written, edited, or a typed key), or that an edit took some from; "
    "turns put in the subject's place are n_forged_ancestors",
    "operator_chars_above": "characters of those words",
    "n_by_hand_above": "what the operator did to the turns above it beside the plan: feedback, questions, budgets, words, edits",
    "n_probes_above": "questions above it on its own path: workings, self-scores, challenges and the like, scripted or by hand",
    "rules_edited": "1 where the rules of the plan do not stand above as the plan has them",
    "n_untrue_above": "untrue statements above it: fake keys, false verdicts, false scores",
    "last_verdict": "the last verdict above it: correct or incorrect",
    "last_verdict_truthful": "whether that was true",
    "last_verdict_puzzle": "the puzzle that it was about",
    "last_key_truthful": "whether the last key shown above it was the true one",
    "last_key_puzzle": "the puzzle that it was about",
    "last_praise": "1 where the subject was praised above",
    "last_praise_puzzle": "for which puzzle last",
    "last_score": "the last score that it was told",
    "last_score_puzzle": "after which puzzle",
    "last_feedback_puzzle": "the puzzle of the newest feedback of any kind",
    "persona": "the system prompt's persona; none where nothing is sent",
    "scoring": "points for right, wrong and skip, and whether it is said that there is no penalty, JSON",
    "option_order": "which of ACTION's options is named first: answer-first or skip-first; empty where there is one, or in old sessions",
    "feedback_plan": "the feedback that the plan gives, in full, JSON",
    "plan_digest": "SHA-256 of the plan as it was run; empty in old sessions",
    "pack_digest": "SHA-256 of the whole pack; empty in old sessions",
    "templates_digest": "SHA-256 of the names and versions of all templates; empty in old sessions",
    "parser_version": "the parser that read the reply",
    "grader_version": "the grader that graded it",
    "run_status": "how the last run of the plan in this context ended: complete, partial, failed; started where it was killed; "
    "empty where it was played by hand, and in sessions of the first version",
    "item_seed": "the seed that chose puzzles, order, fakes and the order of the options",
    "call_seed": "the sampling seed that was sent with this call; empty where the backend takes none",
}
"""Column → what it holds: the dictionary that ships with the table."""


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """Rows in the order they were made, session after session."""
    write_rows(store, sessions, out, "v_attempts", [name for name in COLUMNS if not (blind and name in BLIND)])
