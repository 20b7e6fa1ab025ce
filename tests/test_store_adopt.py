"""A session comes in as it was elsewhere: verbatim and whole, or not at all."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from store_cases import BEGUN, begin, call, fake_key, forged, item, reply

from lifeline_tui.core.codec import annotation_hash, as_data, decode, encode, node_hash
from lifeline_tui.core.nodes import Remark, canonical
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.core.tree import in_force
from lifeline_tui.store import Draft, OwnedElsewhere, Store, StoreError
from lifeline_tui.store.verify import verify


@pytest.fixture
def source(tmp_path: Path):
    with Store(tmp_path / "source.db") as opened:
        session, asked, first = begin(opened)
        later = call(BEGUN, item(), reply(), fake_key())
        opened.append(session, [Draft(reply()), Draft(fake_key()), Draft(later)], parent=first, branch="main")
        (turn,), _ = opened.append(session, [Draft(forged())], parent=asked, branch="fork", remarks=[Remark("attempt", {}, "p1")])
        opened.append(session, [Draft(fake_key())], parent=turn.id, branch="fork")
        opened.rename(session, "a name")
        yield opened


@pytest.fixture
def target(tmp_path: Path):
    with Store(tmp_path / "target.db") as opened:
        yield opened


def parcel(store: Store):
    row = store.sessions()[0]
    return (asdict(row), store.nodes(row.id), store.annotations(row.id), [asdict(branch) for branch in store.branches(row.id)])


def test_what_comes_in_is_what_went_out_in_whatever_order(source, target):
    row, nodes, notes, branches = parcel(source)
    for seed in range(3):
        shuffled = random.Random(seed).sample(nodes, len(nodes))
        counts = target.import_session(row, shuffled, notes[::-1], branches)
        assert parcel(target) == (row, nodes, notes, branches)
    assert counts == {"nodes": 0, "annotations": 0, "branches": 0, "skipped": len(nodes) + len(notes)}
    assert verify(target, digest_of=call_digest) == []
    assert target.owner(row["id"]) is None


def test_what_was_added_elsewhere_comes_in_and_moves_the_branch(source, target):
    target.import_session(*parcel(source))
    session = source.sessions()[0].id
    tip = next(branch.tip for branch in source.branches(session) if branch.name == "main")
    source.append(session, [Draft(reply("later"))], parent=tip, branch="main")
    counts = target.import_session(*parcel(source))
    assert (counts["nodes"], counts["branches"]) == (1, 1)
    assert parcel(target) == parcel(source)
    assert verify(target) == []


def test_copies_that_went_on_apart_are_merged(source, target):
    target.import_session(*parcel(source))
    session = source.sessions()[0].id
    asked = source.nodes(session)[1].id
    for store in (source, target):
        store.append(session, [Draft(forged("here"))], parent=asked, branch="fork")
    before = len(target.nodes(session))
    target.import_session(*parcel(source))
    assert len(target.nodes(session)) == before + 1
    assert [branch.name for branch in target.branches(session)] == ["fork", "fork (2)", "main"]
    assert verify(target) == []


def rehash(node, parent_sha):
    return replace(node, sha256=node_hash(node, parent_sha))


def rewritten(node, **changes):
    """`node` with another body."""
    raw = canonical(json.loads(node.raw) | changes)
    return replace(node, raw=raw, body=decode(node.kind, raw))


def resealed(nodes, notes):
    """All hashes redone, as one who alters a session with care would."""
    sealed = {}
    for at, node in enumerate(nodes):
        nodes[at] = sealed[node.id] = rehash(node, sealed[node.parent].sha256 if node.parent else "")
    for at, note in enumerate(notes):
        notes[at] = replace(note, sha256=annotation_hash(note, sealed[note.node].sha256))


def _spoil(name: str, row, nodes, notes, branches):
    first, last = nodes[0], nodes[-1]
    kinds = [str(node.kind) for node in nodes]
    assert kinds == ["root", "user", "call", "reply", "user", "call", "assistant", "user"]
    match name:
        case "simulated left out":
            row["simulated"] = False
        case "another model":
            row["model"] = "anthropic/claude"
        case "another plan":
            row["plan"] = "other"
        case "calls of another kind":
            nodes[2] = rewritten(nodes[2], simulated=False)
            resealed(nodes, notes)
        case "roots of two kinds":
            nodes.append(replace(rewritten(first, simulated=False), id="another", seq=99))
            resealed(nodes, notes)
        case "no root":
            nodes.clear()
            notes.clear()
            branches.clear()
        case "not forged above":
            nodes[-1] = replace(last, forged_above=0)
            resealed(nodes, notes)
        case "not faked above":
            nodes[5] = replace(nodes[5], fakes_above=0, first_fake_depth=None)
            resealed(nodes, notes)
        case "forged above where nothing was":
            nodes[3] = replace(nodes[3], forged_above=1)
            resealed(nodes, notes)
        case "a stale digest":
            nodes[1] = rewritten(nodes[1], parts=as_data(item())["parts"] * 2)
            resealed(nodes, notes)
        case "no digest":
            nodes[2] = rewritten(nodes[2], digest="")
            resealed(nodes, notes)
        case "a reply to no call":
            nodes[3] = replace(nodes[3], parent=nodes[1].id)
            resealed(nodes, notes)
        case "beside its parent":
            nodes[1] = replace(nodes[1], seq=first.seq)
            resealed(nodes, notes)
        case "a note before its node":
            notes[0] = replace(notes[0], seq=1)
            resealed(nodes, notes)
        case "altered":
            nodes[1] = replace(nodes[1], raw=nodes[1].raw.replace("How", "Who"))
        case "two contents":
            nodes.append(replace(last, sha256="0" * 64))
        case "missing parent":
            del nodes[1]
        case "cycle":
            nodes[1] = replace(nodes[1], parent=last.id)
            nodes[-1] = replace(last, parent=nodes[1].id)
        case "second reply":
            nodes.append(rehash(replace(nodes[3], id="other"), nodes[2].sha256))
        case "not canonical":
            nodes[0] = rehash(replace(first, raw=json.dumps(json.loads(first.raw), indent=1) if first.raw != "{}" else "{ }"), "")
        case "not a number":
            nodes[0] = rehash(replace(first, raw='{"seed":NaN}'), "")
        case "deep":
            nodes[0] = rehash(replace(first, raw="[" * 100_000), "")
        case "another session":
            nodes[0] = replace(first, session="other")
        case "path as an id":
            row["id"] = "../../x"
        case "annotation altered":
            notes[0] = replace(notes[0], by="operator")
        case "annotation nowhere":
            notes[0] = replace(notes[0], node="nowhere")
            notes[0] = replace(notes[0], sha256=annotation_hash(notes[0], first.sha256))
        case "branch nowhere":
            branches[0] = {"name": "main", "tip": "nowhere"}
        case "no tip":
            branches[0] = {"name": "main"}
        case "huge place":
            nodes[0] = rehash(replace(first, seq=1 << 70), "")
        case "title of another kind":
            row["title"] = {"x": 1}


SPOILT = ["altered", "two contents", "missing parent", "cycle", "second reply", "not canonical", "not a number", "deep", "another session",
          "path as an id", "annotation altered", "annotation nowhere", "branch nowhere", "no tip", "huge place", "title of another kind",
          "simulated left out", "another model", "another plan", "calls of another kind", "roots of two kinds", "no root",
          "not forged above", "not faked above", "forged above where nothing was", "a stale digest", "no digest", "a reply to no call",
          "beside its parent", "a note before its node"]  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_refused_whole(source, target, name):
    row, nodes, notes, branches = parcel(source)
    _spoil(name, row, nodes, notes, branches)
    with pytest.raises(StoreError) as caught:
        target.import_session(row, nodes, notes, branches)
    assert str(caught.value).endswith(".")
    assert target.sessions(include_hidden=True) == []
    target.import_session(*parcel(source))
    assert verify(target) == []


def test_same_id_with_another_content_is_refused(source, target):
    target.import_session(*parcel(source))
    row, nodes, notes, branches = parcel(source)
    other = replace(nodes[-1], raw=canonical({"how": "sham"}))
    nodes[-1] = rehash(other, nodes[1].sha256)
    with pytest.raises(StoreError, match="here already with another content"):
        target.import_session(row, nodes, notes, branches)


def _said_of(nodes, notes, node, field, value, by="machine", seq=99):
    """The same, with one more note that bears a right hash."""
    note = replace(notes[0], id="added", seq=seq, node=node.id, field=field, value=value, raw=canonical(value), by=by)
    return [*notes, replace(note, sha256=annotation_hash(note, node.sha256))]


@pytest.mark.parametrize("field", ["grade", "name", "hide", "note", "attempt"])
@pytest.mark.parametrize("by", ["operator", "machine"])
def test_a_file_does_not_change_what_counts_of_the_turns_that_are_here(source, target, field, by):
    target.import_session(*parcel(source))
    before = parcel(target)
    row, nodes, notes, branches = parcel(source)
    at = nodes[0] if field in ("name", "hide") else nodes[3]
    with pytest.raises(StoreError, match=f"{field} by {by} .* is here already"):
        target.import_session(row, nodes, _said_of(nodes, notes, at, field, "right", by), branches)
    assert parcel(target) == before


def test_what_raters_say_of_turns_that_are_here_comes_in(source, target):
    target.import_session(*parcel(source))
    row, nodes, notes, branches = parcel(source)
    counts = target.import_session(row, nodes, _said_of(nodes, notes, nodes[3], "grade", "right", "rater:ann"), branches)
    assert counts["annotations"] == 1
    assert verify(target) == []


def test_that_a_new_turn_told_something_of_one_that_is_here_comes_in(source, target):
    target.import_session(*parcel(source))
    row, nodes, notes, branches = parcel(source)
    told = _said_of(nodes, notes, nodes[3], "feedback", {"kind": "reveal", "shown": "35", "truthful": False})
    with pytest.raises(StoreError, match=r"feedback by machine .* is here already"):
        target.import_session(row, nodes, told, branches)
    part = replace(fake_key().parts[0], reply=nodes[3].id, puzzle="p1")
    body = replace(fake_key(), parts=(part,))
    new = rehash(replace(nodes[4], id="telling", seq=98, body=body, raw=encode(body)), nodes[3].sha256)
    assert target.import_session(row, [*nodes, new], told, branches)["annotations"] == 1
    assert verify(target) == []


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_of_two_notes_at_one_place_the_app_and_the_table_take_the_same(source, target, ids):
    row, nodes, notes, branches = parcel(source)
    for name, value in zip(ids, ("right", "wrong"), strict=True):
        said = _said_of(nodes, notes, nodes[6], "grade", value)[-1]
        notes.append(replace(said, id=name, sha256=annotation_hash(replace(said, id=name), nodes[6].sha256)))
    target.import_session(row, nodes, notes, branches)
    (graded,) = target.connection.execute("SELECT grade FROM v_attempts").fetchone()
    found = in_force(target.annotations(row["id"], [nodes[6].id]))
    assert found["p1", "grade"].value == graded == {"b": "wrong", "a": "right"}[ids[1]]


def test_a_session_keeps_its_first_root(source, target):
    target.import_session(*parcel(source))
    row, nodes, notes, branches = parcel(source)
    first = rehash(replace(nodes[0], id="first", seq=0), "")
    notes = _said_of([first], notes, first, "hide", True, "operator")
    with pytest.raises(StoreError, match="another root"):
        target.import_session(row, [first, *nodes], notes, branches)
    assert len(target.sessions()) == 1


def test_a_session_that_runs_elsewhere_takes_nothing_in(source, target, tmp_path):
    target.import_session(*parcel(source))
    target.own(source.sessions()[0].id)
    with Store(tmp_path / "target.db") as other, pytest.raises(OwnedElsewhere):
        other.import_session(*parcel(source))
