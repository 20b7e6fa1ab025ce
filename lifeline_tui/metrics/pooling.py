"""Which attempts may be added up, and what they come to.

Sessions of one arm are pooled only if they are one arm: the same settings, the same words, the same versions of what read and graded
them, and the same done to the subject beside the plan.  Whatever differs is named, and nothing is pooled.
"""

from __future__ import annotations

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
DONE = (
    ("rules_edited", "edited rules"),
    ("n_operator_turns_above", "words of the operator's own"),
    ("n_forged_ancestors", "turns that the subject did not write"),
    ("n_by_hand_above", "things done by hand beside the plan"),
    ("n_siblings_discarded", "replies that others were chosen over"),
)
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
    by_session: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_session[str(row["session"])].append(row)
    for name in SETTINGS:
        if why := _differ({session: _values(found, name) for session, found in by_session.items()}, name):
            return why
    for name, words in DONE:
        touched = {session: any(row[name] for row in found) for session, found in by_session.items()}
        if len(set(touched.values())) > 1:
            one, other = (next(session for session in by_session if touched[session] is has) for has in (True, False))
            return f"{words} stand above attempts of session {one} and not of {other}"
    return _cut_short(by_session) or _seeds(by_session) or _orders(by_session)


def _values(rows: Iterable[Row], name: str) -> str:
    """All that a column holds in one session, which is one thing unless the operator changed it on the way."""
    return " and ".join(sorted({"empty" if row[name] in (None, "") else str(row[name]) for row in rows}))


def _differ(values: Mapping[str, str], name: str) -> str:
    first, *others = values
    other = next((session for session in others if values[session] != values[first]), None)
    return f"{name} is {values[first]} in session {first} and {values[other]} in {other}" if other is not None else ""


def _cut_short(by_session: Mapping[str, Sequence[Row]]) -> str:
    """A session whose run was complete and which lacks puzzles: turns were taken back since."""
    for session, rows in by_session.items():
        left = len({row["puzzle_id"] for row in rows})
        if rows[0]["run_status"] == "complete" and rows[0]["n"] is not None and left < rows[0]["n"]:
            return (
                f"session {session} has {left} of its {rows[0]['n']} puzzles although its run was complete: turns were taken back"
            )
    return ""


def _seeds(by_session: Mapping[str, Sequence[Row]]) -> str:
    """Two sessions that were sampled alike are one observation, seen twice."""
    met: dict[object, str] = {}
    for session, rows in by_session.items():
        for row in rows:
            if row["call_seed"] is not None and met.setdefault(row["call_seed"], session) != session:
                return f"sessions {met[row['call_seed']]} and {session} were sampled with the same seeds"
    return ""


def _orders(by_session: Mapping[str, Sequence[Row]]) -> str:
    """Each order of the options equally often, but where one seed was to hold all items fixed."""
    first = [rows[0] for rows in by_session.values()]
    orders = Counter(row["option_order"] for row in first if row["option_order"])
    counted = [orders.get(order, 0) for order in ("answer-first", "skip-first")]
    if not orders or len({row["item_seed"] for row in first}) == 1 or abs(counted[0] - counted[1]) <= 1:
        return ""
    return f"option_order is not balanced: {counted[0]} sessions answer-first, {counted[1]} skip-first"


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows of one arm come to, each figure with what it is out of: [numerator, denominator]; None where sessions of the first
    version did not record it."""
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
        "untrue_above": None
        if any(row["n_untrue_above"] is None for row in own)
        else sum(bool(row["n_untrue_above"]) for row in own),
        "discarded_beside": sum({row["node_id"]: row["n_siblings_discarded"] or 0 for row in own}.values()),
    }
