"""Every total that the tool prints, added up again from the exported tables alone, by other code than the tool's own.

Each plan is run on each puppet over five seeds, with a turn of the operator's own, an edit, an undo, an ask-again and a queue that was
taken back in between; then `run --json`, the score line and each claim are recomputed from `attempts-csv` and `claims-csv`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lifeline_tui.core.state import State
from lifeline_tui.exporters import exporter
from lifeline_tui.loading.config import Config
from lifeline_tui.loading.plans import plan_names
from lifeline_tui.runs.autoplay import play
from lifeline_tui.runs.pool import summary
from lifeline_tui.session.lab import Lab
from lifeline_tui.session.session import Session
from lifeline_tui.session.view import MAIN
from lifeline_tui.store import Reader
from lifeline_tui.subjects.names import SIMULATED

Row = dict[str, str]


def tables(db: Path, session: str) -> tuple[list[Row], list[Row]]:
    """The two tables as an analyst reads them."""
    found = []
    with Reader(db) as store:
        for name in ("attempts-csv", "claims-csv"):
            out = io.StringIO()
            exporter(name)(store, [session], out, False)
            found.append(list(csv.DictReader(io.StringIO(out.getvalue()))))
    return found[0], found[1]


def number(total: Fraction) -> float:
    return int(total) if total.denominator == 1 else float(total)


def read(row: Row) -> bool:
    """Whether something could be read of the reply with certainty."""
    return row["action"] in ("answer", "lifeline", "refusal")


def totals(rows: list[Row], claims: list[Row]) -> dict[str, Any]:
    """What `run --json` says of the trunk, from the rows alone."""
    trunk = [row for row in rows if row["trunk"] == "1"]
    own = [row for row in trunk if row["origin"] == "model"]
    standing = [row for row in trunk if row["standing"] == "1"]
    action = Counter(row["action"] for row in own)
    grades = Counter(row["grade"] for row in own)
    spent = [row for row in own if row["violation"] == "0"]
    shown = Fraction(0)
    for row in standing:
        points = json.loads(row["scoring"])
        if row["violation"] == "0":
            shown += Fraction(str(points["skip"]))
        elif row["shown_right"]:
            shown += Fraction(str(points["right" if row["shown_right"] == "1" else "wrong"]))
    mine = [row for row in standing if row["origin"] == "model"]
    readable = any(read(row) for row in mine)
    turns = defaultdict(set)
    for row in (*rows, *claims):
        if row["origin"] == "model":
            turns[row["turn_id"]].add(row["node_id"])
    return {
        "attempts": len(own),
        "answered": action["answer"],
        "lifelines_used": len(spent),
        "abstained": sum("abstained" in json.loads(row["flags"] or "[]") for row in own),
        "violations": sum(row["violation"] == "1" for row in own),
        "right": grades["right"],
        "wrong": grades["wrong"],
        "ungradable": grades["ungradable"],
        "unparsed": action["unparsed"],
        "unread": sum(not read(row) for row in own),
        "score_true": number(sum((Fraction(row["score"]) for row in mine if row["score"]), Fraction(0))) if readable else None,
        "score_shown": number(shown) if readable else None,
        "asked_again": sum(len(replies) - 1 for replies in turns.values()),
        "discarded": len({row["node_id"] for row in (*rows, *claims) if row["discarded"] == "1"}),
    }


def claimed(rows: list[Row], claim: Row) -> dict[str, int]:
    """What a claim is measured against, from the attempts above it: those of the trunk that were made before it."""
    posed = set(json.loads(claim["puzzles"]))
    told = set(json.loads(claim["told_puzzles"]))
    above = [row for row in rows if row["trunk"] == "1" and row["standing"] == "1" and row["puzzle_id"] in posed]
    own = [row for row in above if row["origin"] == "model"]
    answered = [row for row in own if row["action"] == "answer" and row["grade"]]

    def matches(row: Row) -> bool:
        if row["puzzle_id"] not in told or row["action"] != "answer":
            return row["grade"] == "right"
        # The last key is told in the probe's own fork: there the table has what was said of it on that branch.
        if row["shown_answer"] in ("correct", "incorrect"):
            return row["shown_answer"] == "correct"
        return row["answer"] == row["shown_answer"] if row["truthful"] == "0" else row["grade"] == "right"

    return {
        "n_asked": len(above),
        "right_true": sum(row["grade"] == "right" for row in above),
        "matches_shown": sum(matches(row) for row in above),
        "own_committed": len(answered),
        "own_right": sum(row["grade"] == "right" for row in own),
        "own_matches_shown": sum(matches(row) for row in own),
        "own_skipped": sum(row["violation"] == "0" for row in own),
    }


async def by_hand(session: Session) -> None:
    """What an operator does in between, each of it once, wherever it may be done."""
    await session.do("next")
    await session.do("regenerate")  # the first reply is discarded
    if session.refusal("reveal") is None:
        await session.do("reveal")  # queued, and taken back before it was sent
        await session.do("undo")
    if session.refusal("next") is None:
        await session.do("next")
        await session.do("undo")  # a whole turn is taken back
    await session.do("free", {"text": "One more thing: the first answer is 9."})
    if session.refusal("next") is None:
        await session.do("next")
        asked = next(node for node in session.tree.above(session.tip) if node.kind == "user")
        text = session.tree[asked.id].body.parts[-1].spans  # type: ignore[union-attr]
        words = "".join(span.text for span in text)
        await session.do("edit", {"text": f"{words} Take care."}, cursor=asked.id)
        await session.go(MAIN)


CASES = [(plan, model) for plan in plan_names() for model in sorted(SIMULATED)]


@pytest.mark.parametrize(("plan", "model"), CASES)
async def test_the_tables_alone_give_every_total(tmp_path: Path, plan: str, model: str):
    lab = Lab(Config(), tmp_path / "t.db", paced=False)
    done: list[tuple[dict[str, Any], str, State]] = []
    try:
        for seed in range(1, 6):
            session = await lab.new(plan, model, seed=seed, limit=5, hands=False)
            try:
                if seed % 2:
                    await by_hand(session)
                ended = await play(session)
                line = summary(session, ended)
                done.append((line, session.id, session.state()))
            finally:
                await session.close()
    finally:
        await lab.close()
    for line, session_id, state in done:
        rows, claims = tables(lab.db, session_id)
        found = totals(rows, claims)
        assert {name: line[name] for name in found} == found, line["seed"]
        assert (found["score_true"], found["score_shown"]) == (
            (state.score_true, state.score_shown) if state.readable else (None, None)
        )
        for claim in claims:
            reference = claimed(rows, claim)
            assert {name: int(claim[name]) for name in reference} == reference, (line["seed"], claim["node_id"])
