"""The one form: what is shown is exactly what is sent, and what was typed survives leaving."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from app_cases import SMALL, drawn, press, running, said, script, transcript, until
from textual.widgets import Input, Static, TextArea

from lifeline_tui.core.nodes import Assistant, Origin, User, plain, text_of
from lifeline_tui.interventions.table import TABLE
from lifeline_tui.tui.screens.form import Form
from lifeline_tui.tui.screens.pager import Pager
from lifeline_tui.tui.screens.run import RunScreen

PLAN = "lifelines-10"
SKIP = "ACTION: LIFELINE\\nDIFFICULTY: 9\\nCONFIDENCE: 10"
SENDING = ("workings", "self-score", "challenge", "key-check", "why-skip", "rule-check", "free")


def preview(app: object) -> str:
    screen = app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, Form)
    return str(screen.query_one("#preview", Static).content)


@pytest.mark.parametrize("name", SENDING)
async def test_the_preview_is_what_is_sent(tmp_path: Path, name: str) -> None:
    replies = f'- "{SKIP}"\n- "ok"\n'
    async with running(tmp_path, SMALL, plan=PLAN, model=script(tmp_path, replies)) as (app, pilot):
        await press(pilot, "n", "r", TABLE[name].key)
        if name == "free":
            await press(pilot, *"hi")
        words = preview(app)
        form = app.screen
        panel = form.query("Vertical").first()
        assert app.screen.region.contains_region(panel.region), "the form fits even here"
        await press(pilot, "ctrl+s")
        assert app.session is not None
        sent = [node for node in app.session.tree.nodes.values() if isinstance(node.body, User)][-1]
        assert text_of(sent.body) in words
        assert "The correct answer is" in text_of(sent.body), "queued feedback goes first"


async def test_a_fake_says_what_it_does(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "f")
        assert "Effect: contradicts a right answer" in preview(app)
        await press(pilot, "tab", "tab", *"999")
        assert "The correct answer is 999." in preview(app)
        await press(pilot, "enter", "n")
        assert app.session is not None
        told = app.session.state().attempts[0].shown_key
        assert told is not None
        assert (told.shown, told.truthful) == ("999", False)


async def test_another_puzzle_brings_its_own_fakes_and_its_own_reading(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "n", "f")
        session = app.session
        assert session is not None
        first, second = ({fake.value for fake in puzzle.fakes} for puzzle in session.root.puzzles[:2])
        assert preview(app).splitlines()[1].removeprefix("The correct answer is ").rstrip(".") in second
        await press(pilot, "left")
        assert any(f"for puzzle 1 is {fake}." in preview(app) or f"{fake}." in preview(app) for fake in first)
        await press(pilot, "escape", "g", "left")
        attempt = session.state().attempts[0]
        assert app.screen.query_one("#field-answer", Input).value == (attempt.answer or "")
        assert "Puzzle 1 is read and graded so already" in preview(app)
        await press(pilot, "left")
        assert "Puzzle 2 is read and graded so already" in preview(app), "each puzzle brings its own reading"


async def test_a_fake_says_that_it_takes_the_place_of_a_queued_key_and_no_short_word_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "r", "f")
        assert "In the place of what is queued now:" in preview(app)
        await press(pilot, "tab", "tab", *"42", "escape", "f")
        assert app.screen.query_one("#field-typed", Input).value == ""


async def test_the_right_answer_is_no_fake(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "f", "tab", "tab")
        assert app.session is not None
        app.screen.query(Input).last().value = app.session.state().attempts[0].puzzle.answer.value
        await press(pilot, "enter")
        assert isinstance(app.screen, Form), "a refused form stays open"
        assert "is the right answer" in preview(app)


async def test_what_was_typed_survives_leaving_the_form_and_the_session(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"dear", "escape")
        assert isinstance(app.screen, RunScreen)
        assert app.session is not None
        id = app.session.id
        await press(pilot, "escape")
        app.resume(id)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await press(pilot, "i")
        assert app.screen.query_one(TextArea).text == "dear"
        assert "Your draft is still here" in drawn(app)


async def test_a_forged_turn_stands_in_the_subjects_place_marked(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "a", *"fake", "ctrl+s")
        session = app.session
        assert session is not None
        body = session.tree[session.tip].body
        assert isinstance(body, Assistant)
        assert [(span.text, span.origin) for span in body.spans] == [("fake", Origin.FORGED)]
        assert "✎ forged · not the subject's own words" in drawn(app)
        assert len(session.branches) == 2, "the subject's own turn stays beside it"


async def test_an_edit_starts_from_the_turn_and_leaves_it_beside(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "e")
        area = app.screen.query_one(TextArea)
        assert "CONFIDENCE" in area.text
        area.text = "changed"
        await press(pilot, "ctrl+s")
        assert app.session is not None
        body = app.session.tree[app.session.tip].body
        assert isinstance(body, Assistant)
        assert plain(body.spans) == "changed"


async def test_long_text_goes_through_the_operators_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'from outside' > \"$1\"\n")
    os.chmod(editor, 0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        monkeypatch.setattr(type(app), "suspend", _not_suspended)
        await press(pilot, "n", "i", "ctrl+o")
        assert app.screen.query_one(TextArea).text == "from outside"


async def test_a_text_too_long_to_be_edited_in_place_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifeline_tui.tui.screens.form.IN_PLACE", 10)
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "e")
        assert not app.screen.query(TextArea)
        assert "characters, too many to be edited" in drawn(app)
        assert "opens them in $EDITOR" in drawn(app)


@pytest.mark.parametrize(("does", "why"), [("exit 3", "exit code 3"), ("printf 'caf\\351' > \"$1\"", "no UTF-8")])
async def test_what_an_editor_wrote_is_kept_although_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, why: str
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\nprintf 'from outside' > \"$1\"\n{does}\n")
    os.chmod(editor, 0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        monkeypatch.setattr(type(app), "suspend", _not_suspended)
        await press(pilot, "n", "i", *"mine", "ctrl+o")
        assert app.screen.query_one(TextArea).text == "mine"
        (kept,) = tmp_path.glob("lifeline-*.txt")
        assert kept.read_bytes() in (b"from outside", b"caf\xe9")
        assert why in said(app)
        assert str(kept) in said(app).replace("\n", "")


async def test_what_was_typed_and_not_sent_is_there_when_one_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"half")
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "home", "enter", "i")
        assert app.screen.query_one(TextArea).text == "half"
        await press(pilot, "ctrl+s")
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "home", "enter", "i")
        assert app.screen.query_one(TextArea).text == ""


async def test_a_format_is_chosen_where_no_file_is_named(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "ctrl+e", "ctrl+u", "shift+tab", "right", "escape")
        assert app.is_running


def _not_suspended(app: object) -> object:
    from contextlib import nullcontext

    return nullcontext()


async def test_notes_labels_and_overrides_stand_beside_the_reply(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "l", *"W3", "enter", "m", "semicolon", *"odd", "ctrl+s")
        reply, note = transcript(app).blocks[-2:]
        assert {"label W3", "bookmarked"} <= set(reply.tags)
        assert (note.heading, note.text, note.tags) == ("note", "odd", ("never shown to the subject",))
        assert app.session is not None
        grade = app.session.state().attempts[0].grade
        other = "wrong" if grade == "right" else "right"
        await press(pilot, "g", "tab", "tab", "tab", "right", *(["right"] if other == "wrong" else []), "enter")
        assert app.session.state().attempts[0].grade == other


async def test_what_the_subject_saw_is_shown_message_by_message(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "o")
        assert isinstance(app.screen, Pager)
        text = "\n".join(block.text for block in transcript(app).blocks)
        assert "Maximise your score" in text
        assert '"digest"' in text
        await press(pilot, "escape")
        assert isinstance(app.screen, RunScreen)


async def test_copy_takes_the_block_at_the_cursor_made_visible(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, '- "a\\x1bb"\n')) as (app, pilot):
        await press(pilot, "n", "ctrl+y")
        assert app.clipboard == "a␛b"
