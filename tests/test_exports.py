"""What leaves the notebook: whole, with its provenance, harmless to whatever opens it; and what comes in is refused if it was touched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_cases import WORDS, Voice, answers, opened, plan, rows, steps
from test_core_state import Path as Path_

from lifeline_tui.core.codec import as_data, decode
from lifeline_tui.core.nodes import Kind, Origin, Remark, Root, Span, canonical, plain, text_of
from lifeline_tui.core.plan import Feedback, Plan, Step, When
from lifeline_tui.core.schedule import due
from lifeline_tui.core.state import fold
from lifeline_tui.core.text import visible
from lifeline_tui.core.transcript import call_digest, render
from lifeline_tui.exporters import FORMATS, ExportError, exporter, write
from lifeline_tui.exporters.attempts_csv import BLIND, COLUMNS
from lifeline_tui.exporters.markdown import _block, _plain, joined, record
from lifeline_tui.exporters.table import _cell
from lifeline_tui.importers.fitting import check_body, check_steps, check_value
from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.plans import load_plan, plan_names
from lifeline_tui.session.session import Session
from lifeline_tui.store import Reader, Store, StoreError
from lifeline_tui.store.schema import TRIGGERS
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.protocol import End

HOSTILE = 'a\x00\ud800\u202e\x1b]52;c;x\x07 [@click=app.quit]\n````\n# heading\n<script>alert(1)</script>\n`````text\n"=1+1"'


def exported(session: Session, format: str, *, blind: bool = False) -> str:
    out = io.StringIO()
    exporter(format)(session._write.store, [session.id], out, blind)
    return out.getvalue()


# CSV


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@x", "=5", "@5", "+5", "-٣", "-", "--1", "=", "+1.5", "-1.5.", "-.5"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text: str):
    assert _cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["38", "-5", "-1.25", "3/8", "a=b", "", None, 3, 0.5, "1 - 2"])
def test_other_cells_are_left_as_they_are(value: Any):
    assert _cell(value) == value


@given(st.text(st.characters(codec=None), max_size=8))
def test_no_cell_begins_with_what_a_spreadsheet_runs(text: str):
    cell = _cell(text)
    assert not cell.startswith(("=", "+", "@", "\t", "\r"))
    assert not cell.startswith("-") or re.fullmatch(r"-[0-9]+(\.[0-9]+)?", cell)
    assert cell.removeprefix("'") in (visible(text), visible(text).removeprefix("'"))


async def test_the_attempts_table_has_a_row_for_each_attempt_and_a_word_for_each_column(tmp_path: Path):
    async with opened(tmp_path, Voice(answers("=cmd()"), answers(12), answers(13)), feedback="reveal") as session:
        await steps(session, "next", "next", "challenge")
        await session.go("main")
        await session.do("next")
        table = list(csv.DictReader(io.StringIO(exported(session, "attempts-csv"))))
        assert [row["position"] for row in table] == ["1", "2", "3"]
        assert table[0]["answer"] == "'=cmd()"
        assert list(table[0]) == list(COLUMNS)
        assert {row["simulated"] for row in table} == {"1"}
        blind = list(csv.DictReader(io.StringIO(exported(session, "attempts-csv", blind=True))))
        assert set(blind[0]) == set(COLUMNS) - BLIND


async def test_an_attempt_was_told_what_its_own_branch_was_told(tmp_path: Path):
    """Two later forks tell the same attempt otherwise; the operator's note on it changes nothing."""
    feedback = Feedback("verdict+reveal", shown="true")
    async with opened(tmp_path, Voice(answers(11)), feedback=feedback) as session:
        await steps(session, "next", "next")
        reply = session.tree.path(session.tip)[3].id
        await session.do("fork", cursor=reply)
        await steps(session, "fake", "next")
        await session.do("fork", cursor=reply)
        await steps(session, ("fake", {"typed": "99"}), "challenge")
        await session.remark(
            [Remark("feedback", {"kind": "reveal", "shown": "77", "truthful": False}, "p1", "operator", node=reply)]
        )
        first = next(row for row in rows(session) if row["node_id"] == reply)
        assert (first["shown_answer"], first["truthful"]) == ("11", 1)
        told = [note.value["shown"] for note in session.tree.notes[reply] if note.field == "feedback"]
        assert told == ["11", "21", "99", "77"]


# Markdown


@given(st.text(st.sampled_from("`~\n a"), max_size=40))
def test_a_fence_is_longer_than_any_in_the_text(text: str):
    lines = "\n".join(_block("reply", "n1", text)).split("\n")
    fence = lines[-1]
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert lines[3] == f"{fence}text"
    assert not any(line.strip().startswith(fence) for line in lines[4:-1])
    assert "\n".join(lines[4:-1]) == text


@given(st.text(max_size=30))
def test_text_within_a_line_is_defused(text: str):
    assert "\n" not in _plain(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[<>#|~]", _plain(text))


WORDED, TYPED, FORGED = Origin.TEMPLATE, Origin.OPERATOR, Origin.FORGED
STRETCHES = [
    ([("a", WORDED), ("b", WORDED), (" c", WORDED)], [("ab c", WORDED)]),
    ([("a", WORDED), (" ", TYPED), ("b", WORDED)], [("a b", WORDED)]),
    ([("a", WORDED), ("\n\n", TYPED), ("b", TYPED)], [("a\n\n", WORDED), ("b", TYPED)]),
    ([("\n", TYPED), ("a", WORDED), ("", FORGED)], [("\na", WORDED)]),
    ([(" ", TYPED), ("\n", WORDED)], [(" \n", TYPED)]),
    ([("a", WORDED), ("\u200b", FORGED), ("b", WORDED)], [("a", WORDED), ("\u200b", FORGED), ("b", WORDED)]),
    ([("a", WORDED), ("\u2028", FORGED)], [("a", WORDED), ("\u2028", FORGED)]),
    ([], []),
]


@pytest.mark.parametrize(("spans", "blocks"), STRETCHES)
def test_what_one_writer_wrote_at_a_stretch_is_one_block(spans: list[tuple[str, Origin]], blocks: list[tuple[str, Origin]]):
    assert joined([Span(*each) for each in spans]) == [Span(*each) for each in blocks]


@given(st.lists(st.builds(Span, st.text("ab \n\u200b", max_size=3), st.sampled_from([WORDED, TYPED, FORGED])), max_size=8))
def test_no_word_changes_its_writer_and_no_block_is_empty(spans: list[Span]):
    blocks = joined(spans)

    def written(spans: list[Span]) -> list[tuple[str, Origin]]:
        return [(char, span.origin) for span in spans for char in span.text if not char.isspace()]

    assert written(blocks) == written(spans)
    assert plain(blocks) == plain(spans)
    assert len(blocks) < 2 or all(block.text.strip() for block in blocks)
    assert all(one.origin != other.origin for one, other in pairwise(blocks))


async def test_markdown_shows_hostile_text_and_obeys_none_of_it(tmp_path: Path):
    async with opened(tmp_path, Voice(HOSTILE, RuntimeError("![x](http://elsewhere.example) <b>"))) as session:
        await steps(session, "next", ("note", {"text": "# note [link](x)"}), ("forge", {"text": HOSTILE}))
        with pytest.raises(RuntimeError):
            await session.do("free", {"text": HOSTILE})
        text = exported(session, "markdown")
    assert text == visible(text)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "heading" not in outside
    assert "\\# note \\[link\\](x)" in outside
    assert "!\\[x\\](http://elsewhere.example) \\<b\\>" in outside
    assert "**SIMULATED" in outside
    assert re.findall(r"assistant, not the subject's own: (\w+) · (\w+)", outside) == [("forged", "forged")]
    assert text.count("⟨U+D800⟩") == 3


async def test_the_path_of_a_servers_model_file_stays_in_the_lossless_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("session_cases.End", partial(End, model="/home/someone/models/tiny-q4.gguf"))
    async with opened(tmp_path, Voice()) as session:
        await steps(session, "next")
        assert "The server answered as tiny-q4.gguf." in exported(session, "markdown")
        assert "someone" not in exported(session, "markdown")
        assert "tiny" not in exported(session, "markdown", blind=True)
        assert "/home/someone/models/tiny-q4.gguf" in exported(session, "session-jsonl"), "which is lossless"


# JSONL


async def test_jsonl_keeps_lone_surrogates_and_nuls_and_comes_back_byte_for_byte(tmp_path: Path):
    async with opened(tmp_path, Voice(HOSTILE, answers(12))) as session:
        await steps(
            session, "next", ("note", {"text": HOSTILE}), ("free", {"text": HOSTILE, "in": "fork"}), ("fake", {"typed": HOSTILE})
        )
        await session.go("main")
        await steps(session, "next", "regenerate", ("forge", {"text": HOSTILE}))
        first = exported(session, "session-jsonl")
        assert first.isascii()
        assert "\\ud800" in first
        assert "\\u0000" in first
        id, before = session.id, session.tree.nodes
        for format in FORMATS:
            exported(session, format).encode("utf-8")
    file = tmp_path / "s.jsonl"
    file.write_text(first, newline="")
    with Store(tmp_path / "other.db") as other:
        assert read(other, file) == (id, len(first.splitlines()) - 2)
        assert read(other, file)[1] == 0
        assert {node.id: node for node in other.nodes(id)} == before
        out = io.StringIO()
        exporter("session-jsonl")(other, [id], out, False)
        assert out.getvalue() == first
        assert verify(other, digest_of=call_digest) == []


async def test_what_cannot_be_exported_says_so_and_leaves_no_file(tmp_path: Path):
    async with opened(tmp_path, Voice()) as session:
        await session.do("next")
        store = session._write.store
        out = tmp_path / "out"
        out.mkdir()
        for sessions, blind in (([session.id] * 2, False), ([session.id], True), ([], False)):
            with pytest.raises(ExportError):
                write("session-jsonl", store, sessions, out / "x.jsonl", blind=blind)
        (out / "link").symlink_to(out / "x.jsonl")
        with pytest.raises(ExportError, match="symbolic link"):
            write("markdown", store, [session.id], out / "link")
        with pytest.raises(ExportError, match="cannot be written"):
            write("markdown", store, [session.id], out / "nowhere" / "x.md")
        assert sorted(path.name for path in out.iterdir()) == ["link"]


@pytest.mark.parametrize("name", ["t.db", "t.db-wal", "t.db.lock", "again.db", "other.db", "pipe", "folder"])
async def test_an_export_takes_the_place_of_an_older_one_and_of_nothing_else(tmp_path: Path, name: str):
    async with opened(tmp_path, Voice()) as session:
        await session.do("next")
        store = session._write.store
        Store(tmp_path / "other.db").close()
        os.link(store.file, tmp_path / "again.db")
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "folder").mkdir()
        (tmp_path / "old.md").write_text("an older export")
        before = {path: path.lstat().st_ino for path in tmp_path.iterdir()}
        with pytest.raises(ExportError):
            write("markdown", store, [session.id], tmp_path / name)
        assert {path: path.lstat().st_ino for path in tmp_path.iterdir()} == before
        write("markdown", store, [session.id], tmp_path / "old.md")
        assert "an older export" not in (tmp_path / "old.md").read_text()


async def test_what_was_altered_is_not_exported_to_be_imported_again(tmp_path: Path):
    async with opened(tmp_path, Voice()) as session:
        await session.do("next")
        file, id = session._write.store.file, session.id
    conn = sqlite3.connect(file)
    for name in TRIGGERS:
        conn.execute(f"DROP TRIGGER {name}")
    conn.execute("UPDATE nodes SET body = replace(body, 'ANSWER', 'answer') WHERE kind = 'reply'")
    for sql in TRIGGERS.values():
        conn.execute(sql)
    conn.commit()
    conn.close()
    with Reader(file) as store, pytest.raises(ExportError, match=r"is not what its hash says.*--salvage"):
        write("session-jsonl", store, [id], tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


# Import


@pytest.fixture
async def lines(tmp_path: Path) -> list[str]:
    """The lines of an exported session."""
    async with opened(tmp_path, Voice(answers(11), answers(12)), feedback="reveal") as session:
        await steps(session, "next", "next", "challenge", ("note", {"text": "odd"}))
        return exported(session, "session-jsonl").splitlines()


def sealed(lines: list[str]) -> list[str]:
    """`lines` with a last line that fits them, as one who alters a file with care would make it."""
    body = [json.loads(line) for line in lines[:-1]]
    kinds = [each.get("kind") for each in body]
    counts = {"annotations": kinds.count("annotation"), "branches": kinds.count("branch")}
    counts["nodes"] = len(body) - 1 - sum(counts.values())
    total = hashlib.sha256("".join(f"{line}\n" for line in lines[:-1]).encode()).hexdigest()
    return [*lines[:-1], canonical({"kind": "end", "counts": counts, "sha256": total})]


def change(line: str, **values: Any) -> str:
    return canonical(json.loads(line) | values)


def where(lines: list[str], kind: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(lines) if json.loads(line).get("kind") == kind][nth]


def _another_body(lines: list[str]) -> None:
    at = where(lines, "reply")
    body = json.loads(lines[at])["body"]
    body["spans"][0]["text"] = answers(99)
    lines[at] = change(lines[at], body=body)


def _another_note(lines: list[str]) -> None:
    at = where(lines, "annotation", 3)
    lines[at] = change(lines[at], value="changed")


def _moved(lines: list[str]) -> None:
    at = where(lines, "user", 1)
    lines[at] = change(lines[at], parent=json.loads(lines[1])["id"])


def _twice(lines: list[str]) -> None:
    at = where(lines, "reply")
    lines.insert(at + 1, change(lines[at], sha256="0" * 64))


def _without(kind: str) -> Any:
    def spoil(lines: list[str]) -> None:
        del lines[where(lines, kind)]

    return spoil


def _set(which: str, **values: Any) -> Any:
    def spoil(lines: list[str]) -> None:
        at = where(lines, which)
        lines[at] = change(lines[at], **values)

    return spoil


def _set_header(**values: Any) -> Any:
    def spoil(lines: list[str]) -> None:
        session = json.loads(lines[0])["session"]
        lines[0] = change(lines[0], session=session | values)

    return spoil


def _set_plan(**values: Any) -> Any:
    def spoil(lines: list[str]) -> None:
        body = json.loads(lines[1])["body"]
        lines[1] = change(lines[1], body=body | {"plan": body["plan"] | values})

    return spoil


def _made_by(step: int) -> Any:
    def spoil(lines: list[str]) -> None:
        at = where(lines, "user")
        parts = [part | {"step": step} for part in json.loads(lines[at])["body"]["parts"]]
        lines[at] = change(lines[at], body={"parts": parts})

    return spoil


CAREFUL = {
    "another body": _another_body,
    "another annotation": _another_note,
    "moved elsewhere": _moved,
    "the same id with another hash": _twice,
    "a node left out": _without("call"),
    "another count of what was forged above": _set("reply", forged_above=5),
    "a branch to nowhere": _set("branch", tip="nowhere"),
    "an unknown kind": _set("user", kind="tool"),
    "an unknown field": _set("user", extra=1),
    "a place that is no number": _set("user", seq="1"),
    "a body that is no object": _set("user", body=[]),
    "an id that is a path": _set("user", id="../../x"),
    "another subject": _set_header(model="anthropic/claude", simulated=False),
    "a plan that never ends": _set_plan(presentation="batch", batch_size=0),
    "an action that its script lacks": _made_by(3),
}


@pytest.mark.parametrize("name", CAREFUL)
def test_what_was_altered_with_care_is_refused_whole(tmp_path: Path, lines: list[str], name: str):
    CAREFUL[name](lines)
    _refused_whole(tmp_path, sealed(lines))


CARELESS = {
    "truncated": lambda lines: lines[:-1],
    "cut in a line": lambda lines: [*lines[:-2], lines[-2][:20]],
    "a line left out": lambda lines: lines[:3] + lines[4:],
    "two lines changed over": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "a character changed": lambda lines: [lines[0].replace("test", "tost"), *lines[1:]],
    "something after the end": lambda lines: [*lines, lines[-1]],
    "other counts": lambda lines: [*lines[:-1], change(lines[-1], counts={"nodes": 1, "annotations": 1, "branches": 1})],
    "of another version": lambda lines: sealed([change(lines[0], version=2), *lines[1:]]),
    "of another kind": lambda lines: sealed([change(lines[0], format="other"), *lines[1:]]),
    "not JSON": lambda lines: ["{", *lines[1:]],
    "not an object": lambda lines: [lines[0], "[]", *lines[1:]],
    "deep": lambda lines: [lines[0], "[" * 100_000, *lines[1:]],
    "not ASCII": lambda lines: [lines[0], '"é"', *lines[1:]],
    "empty": lambda lines: [],
}


WRONG: list[Any] = [None, "x", 3, -9, True, [], {}, ["x"], [{}], 10**30]


@given(st.data())
def test_a_body_that_comes_in_always_opens(data: st.DataObject):
    """Any one value of a session put in the place of another: it is refused, or all that is asked of a path can be asked of it."""
    nodes = [json.loads(node.raw) for node in SAMPLE]
    at = data.draw(st.integers(0, len(nodes) - 1))
    *above, last = data.draw(st.sampled_from(list(_places(nodes[at]))))
    inner = nodes[at]
    for key in above:
        inner = inner[key]
    inner[last] = data.draw(st.sampled_from(WRONG))
    try:
        check_body(SAMPLE[at].kind, nodes[at])
    except ValueError:
        return
    bodies = [decode(node.kind, canonical(raw)) for node, raw in zip(SAMPLE, nodes, strict=True)]
    path = [replace(node, body=body) for node, body in zip(SAMPLE, bodies, strict=True)]
    state = fold(path, lambda node: TOLD.said.get(node, {}))
    assert (state.score_true, state.score_shown, state.tally(), state.left, state.next_puzzle, state.standing) is not None
    assert all(isinstance(text_of(body), str) for body in bodies)
    assert due(state, WORDS) is not None
    render(bodies, "chat-1")
    render(bodies, "base-1")


def _places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield (*above, key)
        yield from _places(value, (*above, key))


IMPOSSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("presentation", {"presentation": "both"}),
    ("batch_size", {"presentation": "batch", "batch_size": 0}),
    ("batch_size", {"presentation": "batch", "batch_size": -1}),
    ("lifelines", {"lifelines": -1}),
    ("lifeline_word", {"lifeline_word": "two words"}),
    ("lifeline_word", {"lifeline_word": ""}),
    ("lifeline_word", {"lifeline_word": "Answer"}),
    ("scoring.skip", {"scoring": {"skip": 1e12}}),
    ("form", {"form": "verse"}),
    ("feedback.kind", {"feedback": {"kind": "applause"}}),
    ("feedback.shown", {"feedback": {"shown": "never"}}),
    ("feedback.fake_rate", {"feedback": {"fake_rate": 1.5}}),
    ("feedback.turn", {"feedback": {"turn": "both"}}),
    ("feedback.on_skip", {"feedback": {"on_skip": "often"}}),
    ("feedback.delay", {"feedback": {"delay": -1}}),
    ("on_violation", {"on_violation": "shout"}),
    ("on_ambiguous", {"on_ambiguous": "guess"}),
    ("pause_after_unread", {"pause_after_unread": -1}),
    ("then[1].after:", {"then": [{"do": "tell"}, {"do": "tell", "after": "show"}]}),
    ("steps[1].after:", {"steps": [{"do": "tell"}, {"do": "tell", "after": "tell", "place": "trunk"}]}),
    ("then[0].place", {"then": [{"do": "tell", "place": "under"}]}),
    ("then[0].when.op", {"then": [{"do": "tell", "when": {"field": "grade", "op": "like", "value": "w"}}]}),
    ("steps[1].fields", {"steps": [{"do": "tell"}, {"do": "tell", "fields": {"text": 3}}]}),
]


@pytest.mark.parametrize(("field", "values"), IMPOSSIBLE)
def test_a_plan_that_no_file_could_state_is_refused(field: str, values: dict[str, Any]):
    with pytest.raises(ValueError, match=re.escape(f"body.plan.{field} ")):
        check_body(Kind.ROOT, {"plan": {"name": "x", **values}})


SCRIPTED = [
    ("then[0].do", {"do": "nope"}),
    ("then[0].do", {"do": "undo"}),
    ("a name in body.plan.then[0].fields", {"do": "reveal", "fields": {"bogus": "x"}}),
    ("then[0].fields.wording", {"do": "workings", "fields": {"wording": "any"}}),
]


@pytest.mark.parametrize(("field", "step"), SCRIPTED)
def test_a_plan_that_comes_in_scripts_only_what_there_is(tmp_path: Path, lines: list[str], field: str, step: dict[str, Any]):
    _set_plan(then=[step])(lines)
    (tmp_path / "bad.jsonl").write_text("".join(f"{line}\n" for line in sealed(lines)), newline="")
    with Store(tmp_path / "new.db") as store:
        before = list(store.connection.iterdump())
        with pytest.raises(BadFile, match=re.escape(field) + " must be one of "):
            read(store, tmp_path / "bad.jsonl", scriptable())
        assert list(store.connection.iterdump()) == before
    check_body(Kind.ROOT, {"plan": {"name": "x", "steps": [step]}})


def test_a_plan_may_script_all_that_can_be_scripted():
    for name, fields in scriptable().items():
        steps = [{"do": name, "fields": {field: next(iter(values), "any")}} for field, values in fields.items()]
        check_body(Kind.ROOT, {"plan": {"name": "x", "then": [*steps, {"do": name}]}}, scriptable())


def test_what_a_file_may_no_longer_ask_for_is_taken_where_an_old_session_holds_it():
    sampled = {"logprobs": True, "top_logprobs": 5, "seed": 7}
    check_body(Kind.ROOT, {"plan": {"name": "x", "subject": sampled}, "params": sampled}, scriptable())


def test_the_plans_that_ship_are_possible():
    for name in plan_names():
        check_body(Kind.ROOT, json.loads(canonical({"plan": as_data(load_plan(name))})), scriptable())


@pytest.mark.parametrize("step", [-1, 2, 10**9])
def test_a_turn_is_made_by_an_action_that_its_script_has(step: int):
    script = (Step("self-score"), Step("tell", "trunk", ("all",), When("grade", "is", "wrong")))
    root, user = SAMPLE[0], SAMPLE[1]

    def path(step: int | None) -> list[Any]:
        body = replace(user.body, parts=tuple(replace(part, step=step) for part in user.body.parts))
        above = replace(root, body=Root(plan=as_data(Plan("x", then=script))))
        return [replace(user, body=body, parent=root.id, seq=root.seq + 1), above]

    for good in (None, 0, 1):
        check_steps(path(good))
    with pytest.raises(ValueError, match=f"action {step + 1} of a script of 2"):
        check_steps(path(step))


def _told() -> Path_:
    path = Path_(plan(feedback=Feedback("verdict+reveal", shown="fake"))).pose().hear(answers(11))
    return path.pose(*due(path.state, WORDS)).hear("x")


TOLD = _told()
SAMPLE = TOLD.nodes
NOTES = [
    ("answer", 3),
    ("flags", "x"),
    ("claim", {"which": [[]]}),
    ("claim", 3),
    ("difficulty", True),
    ("grade", None),
    ("attempt", []),
]


@pytest.mark.parametrize(("field", "value"), NOTES)
def test_an_annotation_of_another_type_is_refused(tmp_path: Path, lines: list[str], field: str, value: Any):
    at = where(lines, "annotation")
    lines[at] = change(lines[at], field=field, value=value)
    _refused_whole(tmp_path, sealed(lines))
    with pytest.raises(ValueError):
        check_value(field, value)


@pytest.mark.parametrize("name", CARELESS)
def test_what_was_altered_without_care_is_refused_whole(tmp_path: Path, lines: list[str], name: str):
    _refused_whole(tmp_path, CARELESS[name](lines))


def _refused_whole(tmp_path: Path, lines: list[str]) -> None:
    """Neither a new notebook nor one that has the session already takes anything of it (which may well have more than the file)."""
    file, good = tmp_path / "bad.jsonl", tmp_path / "good.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), newline="")
    with Reader(tmp_path / "t.db") as source:
        id = source.sessions()[0].id
        write("session-jsonl", source, [id], good)
    for name, first in (("new.db", None), ("old.db", good)):
        with Store(tmp_path / name) as store:
            if first is not None:
                read(store, first)
            before = list(store.connection.iterdump())
            try:
                read(store, file)
            except (BadFile, StoreError) as error:
                refusal = str(error)
            else:
                refusal = "" if first is None or len(lines) >= len(good.read_text().splitlines()) else "nothing new"
            assert refusal
            assert list(store.connection.iterdump()) == before
            assert verify(store) == []


@pytest.mark.parametrize(
    "text", ["1," * 600_000, "é" * 1_500_000, '\n"' * 1_000_000, "\U0001f600" * 600_000], ids=["commas", "é", "marks", "emoji"]
)
async def test_a_very_long_reply_comes_back_as_it_went(tmp_path: Path, text: str):
    async with opened(tmp_path, Voice(text)) as session:
        await session.do("next")
        before = exported(session, "session-jsonl")
        (tmp_path / "x.jsonl").write_text(before, newline="")
        with Store(tmp_path / "other.db") as other:
            read(other, tmp_path / "x.jsonl")
            out = io.StringIO()
            exporter("session-jsonl")(other, [session.id], out, False)
        assert out.getvalue() == before


async def test_a_readable_record_says_what_was_taken_back_and_never_calls_a_reading_by_hand_that_was(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(12), answers(99))) as session:
        await steps(session, "next", ("grade", {"action": "answer", "answer": "99", "grade": "wrong"}), "undo", "next", "undo")
        await steps(session, "next", "fork", "next")
        with Reader(tmp_path / "t.db") as store:
            text = "\n".join(record(store, session.id, blind=False))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Branch main", "## Branch fork", "## Taken back, or asked again: on no branch"]
    assert "(by the operator)" not in text
    main = text[text.index("## Branch main") : text.index("## Branch fork")]
    assert "ANSWER: 11" in main
    assert "ANSWER: 12" in main
