"""What the subject has been told on a path, counted so that a row of the table can say all of it.

An attempt is worth what stood above it: the operator's words, rules that were edited, statements that were untrue, and the last word
on each kind of feedback.  Folded turn by turn; total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .nodes import Origin, Part, PartKind, User

OWN_WORDS = frozenset({Origin.OPERATOR, Origin.EDITED})
KINDS = ("verdict", "key", "praise", "score")
_KIND = {"reveal": "key"}


@dataclass(frozen=True, slots=True)
class Last:
    """The last feedback of one kind: what was said (a key, correct/incorrect, a score), whether it was true, about which puzzle."""

    said: str | None
    truthful: bool | None
    puzzle: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """Counts over the turns of a path.  `operator_turns` are turns that hold words of the operator's own (written, edited, or a typed
    key), or from which some were taken away, `operator_chars` their characters; `by_hand` counts what the operator did to those turns
    beside the plan, `probes` the questions in them; `rules` is whether the plan's rules were sent as the plan has them; the
    last feedback of each of `KINDS` is kept; `newest` are the kinds of the last turn
    that gave feedback, and `newest_truthful` whether all of that was true (None where none of it is true or false)."""

    operator_turns: int = 0
    operator_chars: int = 0
    by_hand: int = 0
    probes: int = 0
    rules: bool = False
    verdict: Last | None = None
    key: Last | None = None
    praise: Last | None = None
    score: Last | None = None
    newest: tuple[str, ...] = ()
    newest_truthful: bool | None = None
    newest_puzzle: str = ""

    def facts(self) -> dict[str, Any]:
        """As columns of the attempts table."""
        facts: dict[str, Any] = {
            "n_operator_turns_above": self.operator_turns,
            "operator_chars_above": self.operator_chars,
            "rules_edited": not self.rules,
            "n_by_hand_above": self.by_hand,
            "n_probes_above": self.probes,
            "last_feedback_puzzle": self.newest_puzzle or None,
            "last_verdict": self.verdict.said if self.verdict else None,
            "last_verdict_truthful": self.verdict.truthful if self.verdict else None,
            "last_key_truthful": self.key.truthful if self.key else None,
            "last_praise": True if self.praise else None,
            "last_score": self.score.said if self.score else None,
        }
        for kind in KINDS:
            last: Last | None = getattr(self, kind)
            facts[f"last_{kind}_puzzle"] = last.puzzle if last else None
        return facts


def read(exposure: Exposure, user: User) -> Exposure:
    """The exposure once the subject has read a turn."""
    own = sum(len(span.text) for part in user.parts for span in part.spans if span.origin in OWN_WORDS)
    rules = exposure.rules or any(part.kind is PartKind.RULES and part.via != "edit" for part in user.parts)
    hand = [part for part in user.parts if part.via != "next" and not part.planned and part.step is None]
    told = [part for part in user.parts if part.kind is PartKind.FEEDBACK and part.reply and part.feedback != "violation"]
    exposure = replace(
        exposure,
        operator_turns=exposure.operator_turns + bool(own or user.replaces),
        by_hand=exposure.by_hand + len(hand) + (bool(user.replaces) and not hand),
        probes=exposure.probes + sum(part.kind is PartKind.PROBE for part in user.parts),
        operator_chars=exposure.operator_chars + own,
        rules=rules,
    )
    for part in told:
        kind = _KIND.get(part.feedback, part.feedback)
        if kind in KINDS:
            exposure = replace(exposure, **{kind: _last(part)})  # type: ignore[arg-type]
    if told:
        known = [part.truthful for part in told if part.truthful is not None]
        exposure = replace(
            exposure,
            newest=tuple(dict.fromkeys(part.feedback for part in told)),
            newest_truthful=all(known) if known else None,
            newest_puzzle=told[-1].puzzle,
        )
    return exposure


def _last(part: Part) -> Last:
    return Last(part.shown, part.truthful, part.puzzle)
