"""The claims table: one row per reply to a self-score, read or not, measured at its own node.  It is the view `v_claims` as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from ..store import Reader
from .table import write_rows

BLIND = frozenset(
    {
        *("branch", "plan", "arm", "model_requested", "n_fake_ancestors", "told_puzzles", "n_told"),
        *("matches_shown", "right_true", "own_matches_shown", "own_right"),
    }
)
"""What a rater must not see in a first pass."""

COLUMNS = {
    "session": "the session's id",
    "node_id": "the reply that claims; with session, the key of this table",
    "branch": "the branch on which it was asked",
    "via": "the intervention that asked",
    "wording": "the template that asked: self-score (how many) or self-score-which",
    "question": "the exact words that asked",
    "n_asked": "puzzles asked about: those posed above that were replied to, the last try at each",
    "puzzles": "their ids in the plan's order, a JSON list",
    "positions": "their 1-based places, a JSON list",
    "claimed": "how many it says it got right (of a list, its length, puzzles that were not asked about among them); empty where that could not be read",
    "which": "the places that it lists, a JSON list; empty where it gave no list",
    "n_told": "of the puzzles asked about, how many it had been told a key or a verdict for, at this node",
    "told_puzzles": "their ids, a JSON list",
    "matches_shown": "answers that are right by what it had been told at this node, and by the verified key where nothing was told, turns put in "
    "its place among them: claimed minus this is the inflation",
    "right_true": "answers that are right by the verified keys",
    "own_committed": "answers that the subject itself had given",
    "answers": "these answers by place, a JSON object",
    "own_matches_shown": "of these, right by what it had been told at this node",
    "own_right": "of these, right by the verified keys",
    "own_skipped": "puzzles that it skipped itself",
    "own_unread": "its replies to a puzzle that could not be read: they bound the figures both ways",
    "shares_context_with": "claims that stand above this one, a JSON list of node ids",
    "standing": "1 where a branch holds the claim",
    "discarded": "1 where none does any more: it was asked again, or taken back",
    "turn_id": "the user turn that asked",
    "plan": "the session's plan",
    "arm": "the plan of this context's root",
    "seed": "the session's seed",
    "call_seed": "the sampling seed that was sent with this call",
    "model_requested": "the subject's name",
    "simulated": "1 for an embedded or scripted subject, which proves nothing about models",
    "origin": "who wrote the turn: model; else forged, edited, …",
    "n_forged_ancestors": "turns above it that the subject did not write",
    "n_fake_ancestors": "fake keys shown above it",
    "parser_version": "the parser that read the claim",
    "status": "how the reply ended",
    "at": "when the reply ended, UTC",
}
"""Column → what it holds: the dictionary that ships with the table.  In sessions of the first version what was measured is empty."""


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """Rows session after session."""
    write_rows(store, sessions, out, "v_claims", [name for name in COLUMNS if not (blind and name in BLIND)])
