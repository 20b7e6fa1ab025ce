"""A session comes in as it was elsewhere: verbatim and whole, or not at all."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from store_cases import CALL, begin, fake_key, forged, reply

from lifeline_tui.core.nodes import Remark, annotation_hash, canonical, node_hash
from lifeline_tui.store import Draft, OwnedElsewhere, Store, StoreError, verify


@pytest.fixture
def source(tmp_path: Path):
    with Store(tmp_path / "source.db") as opened:
        session, asked, call = begin(opened)
        opened.append(session, [Draft(reply()), Draft(fake_key()), Draft(CALL)], parent=call, branch="main")
        opened.append(session, [Draft(forged())], parent=asked, branch="fork", remarks=[Remark("attempt", {}, "p1")])
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
    assert verify(target) == []
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


def _spoil(name: str, row, nodes, notes, branches):
    first, last = nodes[0], nodes[-1]
    match name:
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
            call = nodes[2]
            nodes.append(rehash(replace(nodes[3], id="other"), call.sha256))
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
          "path as an id", "annotation altered", "annotation nowhere", "branch nowhere", "no tip", "huge place", "title of another kind"]  # fmt: skip


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


def test_a_session_that_runs_elsewhere_takes_nothing_in(source, target, tmp_path):
    target.import_session(*parcel(source))
    target.own(source.sessions()[0].id)
    with Store(tmp_path / "target.db") as other, pytest.raises(OwnedElsewhere):
        other.import_session(*parcel(source))
