"""Search finds what was said; verify finds what was altered; the views say what an analyst needs."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import BEGUN, CALL, begin, fake_key, item, plain, reply, text

from lifeline_tui.core.nodes import Call, Remark, Reply, Root, Usage
from lifeline_tui.store import Draft, Reader, Store
from lifeline_tui.store.schema import TRIGGERS
from lifeline_tui.store.verify import verify


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "x.db") as opened:
        yield opened


def test_search_finds_text_reasoning_and_notes_newest_first(store):
    session, asked, call = begin(store)
    thinking = Reply(text("ANSWER: 38"), reasoning="Burnside counts the orbits")
    (answer,), _ = store.append(session, [Draft(thinking)], parent=call)
    store.annotate(session, [Remark("note", "is it burnside again?", by="operator", node=asked)])
    hits = store.search("burnside")
    assert [(hit.node, hit.field) for hit in hits] == [(asked, "note"), (answer.id, "reply")]
    assert "«Burnside» counts" in hits[1].snippet
    assert store.search("burnside", limit=1) == hits[:1]
    assert store.search("burnside", before=hits[0].n) == hits[1:]
    assert [hit.node for hit in store.search("orbits burns")] == [answer.id]
    assert store.search("burnside unheard") == []


def test_a_reader_searches_beyond_the_watermark(store, tmp_path):
    session, asked, call = begin(store)
    store.search("how")
    (answer,), _ = store.append(session, [Draft(reply("how odd"))], parent=call)
    with Reader(tmp_path / "x.db") as reader:
        seen = [hit.node for hit in reader.search("HOW")]
    assert seen == [answer.id, asked] == [hit.node for hit in store.search("how")]


@settings(max_examples=150, deadline=None)
@given(
    words=st.text(st.characters(exclude_categories=()), max_size=30)
    | st.sampled_from(['"', "a AND", "NEAR(", "text:x", "-", "*", "a\0b"])
)
def test_no_search_text_is_an_error(words, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "search.db"
    with Store(path) as store:
        if not store.sessions():
            begin(store)
        store.search(words)


def test_a_whole_session_verifies(store):
    session, _, call = begin(store)
    store.append(
        session, [Draft(reply()), Draft(fake_key()), Draft(CALL)], parent=call, remarks=[Remark("note", "x")], branch="main"
    )
    assert verify(store) == []
    assert verify(store, session, lambda path: CALL.digest) == []
    assert "digest differs" in str(verify(store, session, lambda path: "1" * 64)[0])


def _rewrite(table: str, change: str) -> list[str]:
    """What somebody does who knows about the triggers."""
    name = f"{table}_refuse_update"
    return [f"DROP TRIGGER {name}", change, TRIGGERS[name]]


DAMAGE = {
    "body": (_rewrite("nodes", "UPDATE nodes SET body = replace(body, '38', '39') WHERE kind = 'reply'"), "was altered"),
    "text": (_rewrite("nodes", "UPDATE nodes SET text = 'ANSWER: 39' WHERE kind = 'reply'"), "another text"),
    "counts above": (_rewrite("nodes", "UPDATE nodes SET fakes_above = 1 WHERE kind = 'reply'"), "wrong counts"),
    "parent": (
        _rewrite("nodes", "UPDATE nodes SET parent = (SELECT id FROM nodes WHERE kind = 'root') WHERE kind = 'reply'"),
        "was altered",
    ),
    "not JSON": (_rewrite("nodes", "UPDATE nodes SET body = '{' WHERE kind = 'reply'"), "cannot be read"),
    "annotation": (_rewrite("annotations", "UPDATE annotations SET value = '\"wrong\"'"), "Annotation .* altered"),
    "trigger gone": (["DROP TRIGGER nodes_refuse_delete"], "nodes_refuse_delete is gone"),
    "trigger hollow": (
        ["DROP TRIGGER nodes_refuse_delete", "CREATE TRIGGER nodes_refuse_delete BEFORE DELETE ON nodes BEGIN SELECT 1; END"],
        "nodes_refuse_delete was altered",
    ),
    "count": (["UPDATE sessions SET attempts = 7"], "counts 7 attempts, but has 1"),
    "title": (["UPDATE sessions SET title = 'other'"], "title is 'other'"),
    "branch": (["UPDATE branches SET tip = 'nowhere'"], "points at node nowhere"),
    "simulated": (["UPDATE sessions SET simulated = 0"], "simulated is 0, but its first root says 1"),
    "model": (
        ["UPDATE sessions SET model = 'anthropic/claude'"],
        "model is 'anthropic/claude', but its first root says 'sim/anxious'",
    ),
    "plan": (["UPDATE sessions SET plan = 'other'"], "plan is 'other', but its first root says 'baseline-20'"),
    "what the views read of an annotation": (
        _rewrite("annotations", "UPDATE annotations SET clean = '\"right\"' WHERE field = 'grade'"),
        "Annotation .* shows another text",
    ),
    "what search reads of an annotation": (
        _rewrite("annotations", "UPDATE annotations SET text = 'other' WHERE field = 'name'"),
        "Annotation .* shows another text",
    ),
    "view gone": (["DROP VIEW v_calls"], "View v_calls is gone"),
    "view replaced": (["DROP VIEW v_attempts", "CREATE VIEW v_attempts AS SELECT 'right' AS grade"], "View v_attempts was altered"),
    "checkpoint": (
        ["INSERT INTO checkpoints SELECT parent, session, '\"\"', '\"\"', at FROM nodes WHERE kind = 'reply'"],
        "still a checkpoint",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_finds_what_was_altered(store, tmp_path, damage):
    session, _, call = begin(store)
    store.append(
        session,
        [Draft(reply())],
        parent=call,
        remarks=[Remark("attempt", {"position": 1}, puzzle="p1"), Remark("grade", "wrong", "p1")],
    )
    store.rename(session, "mine")
    assert verify(store) == []
    statements, words = DAMAGE[damage]
    other = plain(tmp_path / "x.db")
    for statement in statements:
        other.execute(statement)
    other.close()
    findings = verify(store)
    assert [finding for finding in findings if __import__("re").search(words, finding.text)], findings


def test_a_call_without_a_digest_is_a_finding(store):
    session = store.create_session("t", "p", "m", False)
    store.append(session, [Draft(Root(plan={"name": "p"}, model="m")), Draft(Call())], parent=None)
    assert ["whose digest is ''" in finding.text for finding in verify(store)] == [True]


def test_a_call_and_a_root_of_another_kind_than_the_first_root_are_findings(store):
    session, asked, _ = begin(store)
    (real,), _ = store.append(session, [Draft(replace(CALL, simulated=False))], parent=asked)
    (other,), _ = store.append(session, [Draft(replace(BEGUN, simulated=False))], parent=None)
    assert [(finding.id, "says that its subject is not simulated" in finding.text) for finding in verify(store)] == [
        (real.id, True),
        (other.id, True),
    ]


def _attempts(path: Path) -> list[dict[str, object]]:
    conn = plain(path)
    conn.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in conn.execute("SELECT * FROM v_attempts ORDER BY at")]
    finally:
        conn.close()


def test_an_attempt_is_one_row_with_its_effective_values(store, tmp_path):
    session, asked, call = begin(store)
    answer = Reply(text("ANSWER: 38"), usage=Usage(input=10, output=3, exact=False), total_ms=90, finish_raw="stop")
    facts = {"item": asked, "call": call, "position": 1, "attempt_no": 1, "branch": "main", "prev_truthful": False}
    said = [
        ("attempt", facts),
        ("action", "answer"),
        ("answer", "38"),
        ("confidence", 85),
        ("flags", ["revised"]),
        ("grade", "wrong"),
    ]
    store.append(session, [Draft(answer)], parent=call, remarks=[Remark(field, value, puzzle="p1") for field, value in said])
    node = store.nodes(session)[-1].id
    told = {"kind": "reveal", "shown": "35", "truthful": False}
    overrides = [Remark("grade", "right", "p1", by="operator", node=node), Remark("grade", "wrong", "p1", node=node)]
    store.annotate(
        session, [Remark("feedback", told, "p1", node=node), *overrides, Remark("grade", "wrong", "p1", by="rater:ann", node=node)]
    )
    (row,) = _attempts(tmp_path / "x.db")
    wanted = {
        "session": session, "node_id": node, "puzzle_id": "p1", "parent_id": call, "branch": "main", "via": "step", "pack": "starter",
        "family": "bracelets", "stratum": "hard", "position": 1, "key": "38", "action": "answer", "answer": "38", "confidence": 85,
        "flags": '["revised"]', "shown_answer": "35", "truthful": 0, "grade": "right", "score": 1, "status": "complete", "simulated": 1,
        "tokens_in": 10, "tokens_estimated": 1, "latency_ms": 90, "origin": "model", "prev_truthful": 0, "difficulty": None, "cost": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert store.session(session).attempts == 1


def test_copies_are_no_attempts_and_no_open_calls(store, tmp_path):
    session, _, call = begin(store)
    (first,), _ = store.append(session, [Draft(reply())], parent=call, remarks=[Remark("attempt", {}, "p1")])
    copies = [Draft(BEGUN), Draft(item()), Draft(CALL, copied_from=call), Draft(reply(), copied_from=first.id)]
    store.append(session, copies, parent=None, remarks=[Remark("attempt", {}, "p1")])
    assert len(_attempts(tmp_path / "x.db")) == store.session(session).attempts == 1
    assert store.open_calls(session) == []
    assert verify(store) == []


@pytest.mark.parametrize("facts", ["text", 3, None, [], {"item": 5}, {"item": "\ud800"}, {"branch": "\ud800\0"}])
def test_views_survive_facts_of_any_shape(store, tmp_path, facts):
    session, _, call = begin(store)
    store.append(
        session, [Draft(reply("\ud800\0"))], parent=call, remarks=[Remark("attempt", facts, "p1"), Remark("answer", "\ud800", "p1")]
    )
    (row,) = _attempts(tmp_path / "x.db")
    assert row["answer"] == "⟨U+D800⟩"
    other = plain(tmp_path / "x.db")
    assert len(other.execute("SELECT * FROM v_calls").fetchall()) == 1
    assert [row[0] for row in other.execute("SELECT text FROM v_messages ORDER BY seq")] == ["How many?", "⟨U+D800⟩␀"]
    other.close()


def test_one_sessions_attempts_are_found_by_index(store):
    plan = store.connection.execute("EXPLAIN QUERY PLAN SELECT * FROM v_attempts WHERE session = 'x'").fetchall()
    # `up` is what a walk from a node to its ancestors has found, `g` the tries at one puzzle.
    scans = [
        row[3]
        for row in plan
        if row[3].startswith("SCAN") and "VIRTUAL TABLE" not in row[3] and row[3] not in ("SCAN up", "SCAN g")
    ]
    assert scans == [], plan
