"""Which attempts may be added up, and what they come to.

Sessions of one arm are pooled only if they are one arm: the same settings, the same words, the same versions of what read and graded
them, and the same done to the subject beside the plan.  Whatever differs is named, and nothing is pooled.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""A row of the attempts table."""

SETTINGS = (
    *("persona", "scoring", "form", "presentation", "lifelines_offered", "feedback_plan", "n", "run_status", "simulated"),
    *("parser_version", "grader_version", "templates_digest", "pack_digest", "plan_digest"),
)
"""Columns that must have one value over all rows of an arm; those whose difference says most come first."""
DONE = (("rules_edited", "edited rules"), ("n_operator_turns_above", "words of the operator's own"))
"""Columns that must be 0 in all sessions of an arm, or in none; in words."""


def groups(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows of the trunk that stand, by (arm, subject)."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["trunk"] and row["standing"]:
            found[str(row["arm"]), str(row["model_requested"])].append(row)
    return dict(found)


def difference(rows: Sequence[Row]) -> str:
    """Why the rows of one arm may not be pooled: what differs, between which sessions; "" where they may."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(str(row["session"]), row)
    sessions = list(first)
    for name in SETTINGS:
        values = {session: _said(row[name]) for session, row in first.items()}
        other = next((session for session in sessions if values[session] != values[sessions[0]]), None)
        if other is not None:
            return f"{name} is {values[sessions[0]]} in session {sessions[0]} and {values[other]} in {other}"
    for name, words in DONE:
        touched = {session: any(row[name] for row in rows if row["session"] == session) for session in sessions}
        if len(set(touched.values())) > 1:
            one, other = (next(session for session in sessions if touched[session] is has) for has in (True, False))
            return f"{words} stand above attempts of session {one} and not of {other}"
    beside = {session: _beside(row for row in rows if row["session"] == session) for session in sessions}
    if len(set(beside.values())) > 1:
        one, other = (next(session for session in sessions if beside[session] is has) for has in (True, False))
        return f"untrue statements that the plan does not make stand above attempts of session {one} and not of {other}"
    orders = Counter(row["option_order"] for row in first.values() if row["option_order"])
    if orders and max(orders.values()) - min(orders.get(order, 0) for order in ("answer-first", "skip-first")) > 1 < len(sessions):
        return f"option_order is not balanced: {', '.join(f'{count} {order}' for order, count in sorted(orders.items()))}"
    return ""


def _said(value: object) -> str:
    return "empty" if value in (None, "") else str(value)


def _beside(rows: Iterable[Row]) -> bool:
    """Whether untrue statements stand above that the plan does not make: a coin's verdicts and fakes that it shows are its own."""
    for row in rows:
        plan = json.loads(row["feedback_plan"])
        if row["n_untrue_above"] and plan["shown"] == "true" and plan["kind"] not in ("coin", "yoked"):
            return True
    return False


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows of one arm come to, each figure with what it is out of: [numerator, denominator]."""
    own = [row for row in rows if row["origin"] == "model"]
    answered = [row for row in own if row["action"] == "answer"]
    graded = [row for row in answered if row["grade"] in ("right", "wrong")]
    return {
        "sessions": len({row["session"] for row in rows}),
        "attempts": len(own),
        "answered": [len(answered), len(own)],
        "lifelines_used": [sum(row["violation"] == 0 for row in own), len(own)],
        "right": [sum(row["grade"] == "right" for row in graded), len(graded)],
        "unread": [sum(row["action"] in ("unparsed", "both") for row in own), len(own)],
        "forged_above": sum(bool(row["n_forged_ancestors"]) for row in own),
        "untrue_above": sum(bool(row["n_untrue_above"]) for row in own),
        "discarded_beside": sum(row["n_siblings_discarded"] or 0 for row in own),
    }
