"""History is append-only, and a path is what was appended (Laws 1, 2, 4 and 5)."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import CALL, HISTORY, begin, fake_key, forged, item, plain, reply, text

from lifeline_tui.core.nodes import How, Remark, Reply, Root, Status, System
from lifeline_tui.store import Draft, Store, StoreError
from lifeline_tui.store.verify import verify


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "x.db") as opened:
        yield opened


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE {0} SET at = 'x'",
        "UPDATE OR REPLACE {0} SET n = 1",
        "DELETE FROM {0}",
        "INSERT INTO {0} SELECT * FROM {0} LIMIT 1",
        "INSERT OR REPLACE INTO {0} SELECT * FROM {0} LIMIT 1",
        "INSERT OR IGNORE INTO {0} SELECT * FROM {0} LIMIT 1",
        "REPLACE INTO {0} SELECT 99 + n, {1} FROM {0} LIMIT 1",
        "REPLACE INTO {0} SELECT n, 'new', {2} FROM {0} LIMIT 1",
        "INSERT INTO {0} SELECT * FROM {0} WHERE true ON CONFLICT DO UPDATE SET at = 'x'",
    ],
)
def test_history_refuses_to_be_rewritten(store, tmp_path, table, attack):
    session, _, call = begin(store)
    store.append(session, [Draft(reply())], parent=call, remarks=[Remark("note", "x")])
    other = plain(tmp_path / "x.db")
    columns = [row[1] for row in other.execute(f"PRAGMA table_info({table})")]
    before = other.execute(f"SELECT * FROM {table} ORDER BY n").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(attack.format(table, ", ".join(columns[1:]), ", ".join(columns[2:])))
    assert other.execute(f"SELECT * FROM {table} ORDER BY n").fetchall() == before
    other.close()


def test_a_reply_is_not_replaced_by_another_reply_to_the_same_call(store, tmp_path):
    session, _, call = begin(store)
    store.append(session, [Draft(reply())], parent=call)
    other = plain(tmp_path / "x.db")
    columns = ", ".join(row[1] for row in other.execute("PRAGMA table_info(nodes)") if row[1] not in ("n", "id"))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(f"REPLACE INTO nodes SELECT 999, 'new', {columns} FROM nodes WHERE kind = 'reply'")
    other.close()
    assert [node.kind for node in store.nodes(session) if node.parent == call] == ["reply"]


def test_a_path_runs_from_the_root_to_the_node(store):
    session, _, call = begin(store)
    (last,), _ = store.append(session, [Draft(reply())], parent=call, branch="main")
    path = store.path(session, last.id)
    assert [node.kind for node in path] == ["root", "user", "call", "reply"]
    assert [node.seq for node in path] == [1, 2, 3, 4]
    assert path == store.nodes(session)
    assert store.branches(session)[0].tip == last.id


def test_fork_shares_its_prefix(store):
    session, asked, call = begin(store)
    store.append(session, [Draft(reply())], parent=call)
    (other, *_), _ = store.append(session, [Draft(forged())], parent=asked, branch="fork")
    assert store.path(session, other.id)[:2] == store.path(session, call)[:2]
    assert [node.kind for node in store.nodes(session) if node.parent == asked] == ["call", "assistant"]


def test_seq_is_one_count_over_nodes_and_annotations(store):
    session, _, call = begin(store)
    nodes, notes = store.append(session, [Draft(reply())], parent=call, remarks=[Remark("answer", "38"), Remark("grade", "right")])
    assert [nodes[0].seq, *(note.seq for note in notes)] == [4, 5, 6]
    assert {note.node for note in notes} == {nodes[0].id}
    assert store.annotate(session, [Remark("label", "x", node=call)])[0].seq == 7
    assert store.annotations(session, [nodes[0].id]) == notes


def test_what_was_forged_and_faked_above_is_counted_at_append(store):
    session, _, call = begin(store)
    chain = [reply(), fake_key(), forged(), fake_key(), forged("as it was", How.IMPORTED), item(), CALL, reply()]
    nodes, _ = store.append(session, [Draft(body) for body in chain], parent=call)
    assert [(n.forged_above, n.fakes_above, n.first_fake_depth) for n in nodes] == [
        (0, 0, None), (0, 0, None), (0, 1, 4), (1, 1, 4), (1, 2, 4), (1, 2, 4), (1, 2, 4), (1, 2, 4),
    ]  # fmt: skip
    (below,), _ = store.append(session, [Draft(CALL)], parent=nodes[2].id)
    assert (below.forged_above, below.fakes_above, below.first_fake_depth) == (1, 1, 4)


REFUSED = [
    ([item()], None, "needs a parent"),
    ([Root()], "call", "fresh context"),
    ([reply()], "item", "answers a call"),
    ([reply()], "nowhere", "has no node nowhere"),
]


@pytest.mark.parametrize(("bodies", "parent", "words"), REFUSED)
def test_what_may_not_follow_is_refused_with_a_sentence(store, bodies, parent, words):
    session, asked, call = begin(store)
    before = store.nodes(session)
    with pytest.raises(StoreError, match=words):
        store.append(session, [Draft(b) for b in bodies], parent={"call": call, "item": asked}.get(parent, parent))
    assert store.nodes(session) == before


def test_a_call_has_at_most_one_reply(store):
    session, _, call = begin(store)
    store.append(session, [Draft(reply())], parent=call)
    with pytest.raises(StoreError, match="already has its reply"):
        store.append(session, [Draft(reply("second"))], parent=call, branch="main")
    assert [node.parent for node in store.nodes(session)].count(call) == 1


def test_a_transaction_that_fails_leaves_nothing_and_the_store_goes_on(store):
    session, _, call = begin(store)
    before = store.session(session)
    with pytest.raises(StoreError):
        store.append(session, [Draft(reply())], parent=call, remarks=[Remark("note", "x", node="missing")], branch="main")
    with pytest.raises(StoreError, match="cannot be stored"):
        store.append(session, [Draft(reply())], parent=call, remarks=[Remark("grade", "right", puzzle="\ud800")])
    with pytest.raises(ValueError):
        store.append(session, [Draft(reply())], parent=call, remarks=[Remark("grade", float("nan"))])
    assert store.session(session) == before
    store.append(session, [Draft(reply())], parent=call, branch="main")
    assert verify(store) == []


raw_text = st.text(st.characters(exclude_categories=())).filter(bool)


@settings(max_examples=40, deadline=None)
@given(st.lists(raw_text, min_size=1, max_size=4))
def test_any_text_comes_back_as_it_was_said(texts):
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "x.db") as store:
        session = store.create_session(texts[0], "p", "m", False)
        drafts = [Draft(Root(plan={"name": "p"}, model="m")), *(Draft(System(text(words))) for words in texts)]
        remarks = [Remark("note", texts[0])]
        nodes, notes = store.append(session, drafts, parent=None, remarks=remarks, branch=texts[-1])
        assert store.nodes(session) == nodes
        assert store.annotations(session) == notes
        assert verify(store) == []
        other = plain(Path(folder) / "x.db")
        for view in ("v_messages", "v_branches"):
            assert other.execute(f"SELECT * FROM {view}").fetchall()
        other.close()
        store.search(texts[0])


def test_a_checkpoint_follows_the_stream_until_the_reply(store):
    session, _, call = begin(store)
    assert [point.text for point in store.open_calls(session)] == [""]
    assert store.checkpoint(call, "half \ud800", "thought\0")
    (point,) = store.open_calls(session)
    assert (point.text, point.reasoning) == ("half \ud800", "thought\0")
    store.append(session, [Draft(Reply(text("all"), status=Status.COMPLETE))], parent=call)
    assert store.open_calls(session) == []
    assert not store.checkpoint(call, "late")


def test_rename_and_hide_are_annotations_and_show_in_the_row(store):
    session, _, _ = begin(store, "old")
    store.rename(session, "new\x1b[2J")
    assert store.session(session).title == "new␛[2J"
    store.hide(session)
    assert store.sessions() == []
    assert [row.id for row in store.sessions(include_hidden=True)] == [session]
    store.hide(session, False)
    assert [note.value for note in store.annotations(session)] == ["new\x1b[2J", True, False]
    assert len(store.sessions()) == 1
    assert verify(store) == []


def test_branches_move(store):
    session, asked, call = begin(store)
    store.set_branch(session, "b", asked)
    store.set_branch(session, "b", call)
    assert [(branch.name, branch.tip) for branch in store.branches(session)] == [("b", call), ("main", call)]
    assert store.session(session).branches == 2


def test_view_state_keeps_json(store):
    session, _, _ = begin(store)
    assert store.view_state(session, "cursor", 0) == 0
    for value in (1, {"queued": ["\ud800"]}, None):
        store.set_view_state(session, "cursor", value)
        assert store.view_state(session, "cursor", 0) == value


def test_a_session_is_found_by_id_prefix_or_title(store):
    first, second = begin(store, "alpha")[0], begin(store, "alphabet")[0]
    assert store.session(first).id == store.session("alpha").id == first
    assert store.session("alphab").id == store.session(second[:26].lower()).id == second
    with pytest.raises(StoreError, match="are called 'alph'"):
        store.session("alph")
    for ref in ("", "nothing", "%"):
        with pytest.raises(StoreError, match="There is no session"):
            store.session(ref)
    assert [row.id for row in store.sessions(limit=1)] == [second]
    assert [row.title for row in store.sessions("ALPHAB")] == ["alphabet"]
    assert store.sessions("a%a") == []
