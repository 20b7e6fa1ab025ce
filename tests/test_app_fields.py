"""What is typed or pasted into a form is kept, the way on stands in sight, and what is chosen is seen without colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_cases import SMALL, WIDE, drawn, half_a_reply, notice, press, rest, run_screen, running, said, script, until
from textual import events
from textual.strip import Strip
from textual.widgets import Input, OptionList, Static, TextArea

from lifeline_tui.interventions.table import TABLE
from lifeline_tui.loading.config import Config
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.glyphs import UNICODE
from lifeline_tui.tui.screens.form import Form
from lifeline_tui.tui.screens.help import help_blocks
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.widgets.choice import Choice
from lifeline_tui.tui.widgets.transcript import Transcript

PLAN = "lifelines-10"
UNREAD = '- "I tried 12 first. The answer is 38, I think; 7 was wrong."\n'


def value(app: object, field: str) -> str:
    return str(app.screen.query_one(f"#field-{field}").value)  # type: ignore[attr-defined]


async def test_an_answer_that_is_typed_for_an_unread_reply_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, UNREAD)) as (app, pilot):
        await press(pilot, "n", "g")
        assert value(app, "action") == "unparsed"
        await press(pilot, "tab", "tab", "tab", *"41")
        assert value(app, "action") == "answer", "typing chooses"
        await press(pilot, "enter")
        assert app.session is not None
        attempt = app.session.state().attempts[0]
        assert (attempt.action, attempt.answer) == ("answer", "41")


async def test_an_unread_reply_offers_what_stands_in_it_and_scores_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, UNREAD)) as (app, pilot):
        await press(pilot, "n", "g", "tab", "tab")
        assert "3 found in it" in drawn(app)
        assert app.session is not None
        assert app.session.state().attempts[0].grade == "ungradable"
        await press(pilot, "right")
        assert (value(app, "answer"), value(app, "action")) == ("38", "answer")
        await press(pilot, "right", "right", "left", "left", "enter")
        assert app.session.state().attempts[0].answer == "38"


async def test_an_answer_beside_another_choice_is_refused_and_not_dropped(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, UNREAD)) as (app, pilot):
        await press(pilot, "n", "g", "tab", "tab", "tab", *"41", "shift+tab", "shift+tab", "right", "enter")
        assert isinstance(app.screen, Form)
        assert "The answer '41' is given too" in str(app.screen.query_one("#preview", Static).content)
        assert value(app, "answer") == "41"


@pytest.mark.parametrize("name", ["free", "edit", "forge", "note", "label", "grade", "fake", "workings", "self-score", "budget"])
async def test_a_form_says_how_to_send_it_however_long_its_text(tmp_path: Path, name: str) -> None:
    long = "ACTION: ANSWER\\nANSWER: 1\\n" + "word " * 3000
    async with running(tmp_path, SMALL, plan=PLAN, model=script(tmp_path, f'- "{long}"\n')) as (app, pilot):
        await press(pilot, "n", TABLE[name].key)
        assert isinstance(app.screen, Form)
        for area in app.screen.query(TextArea):
            area.text = "line\n" * 400
        await rest(pilot)
        await rest(pilot)
        assert "escape leave" in drawn(app)
        panel = app.screen.query_one("#panel")
        assert app.screen.region.contains_region(panel.region)
        keys = app.screen.query_one(".keys")
        assert panel.content_region.contains_region(keys.region)


async def test_a_preview_that_is_cut_is_read_by_pages(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i")
        app.screen.query_one(TextArea).text = "\n".join(f"line {number}" for number in range(60))
        await rest(pilot)
        await press(pilot, "tab", *["pagedown"] * 30)
        assert "line 59" in drawn(app)


async def test_lines_that_are_pasted_into_a_field_of_one_line_are_joined_and_it_is_said(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "l")
        app.post_message(events.Paste("W3\nbut only\n  in part"))
        await rest(pilot)
        assert app.screen.query_one(Input).value == "W3 but only in part"
        assert "3 pasted lines were joined" in said(app)
        await press(pilot, "enter")
        assert app.session is not None
        assert app.session.tree.said(app.session.tip)["", "label"] == "W3 but only in part"


async def test_what_is_pasted_goes_where_the_cursor_is_and_over_what_is_selected(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "l", *"ad", "left")
        app.post_message(events.Paste("bc"))
        await rest(pilot)
        assert app.screen.query_one(Input).value == "abcd"
        await press(pilot, "shift+home")
        app.post_message(events.Paste("x"))
        await rest(pilot)
        assert app.screen.query_one(Input).value == "xd"


async def test_a_paste_where_nothing_takes_text_is_said_and_does_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        app.post_message(events.Paste("nnnn"))
        await rest(pilot)
        assert app.session is not None
        assert not app.session.state().attempts
        assert "Nothing here takes text" in said(app)


async def test_no_two_fields_of_a_form_have_one_name(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
        session = app.session
        assert session is not None
        for entry in TABLE.values():
            labels = [field.label for field in entry.fields(session.state(), session.context())]
            assert len(set(labels)) == len(labels), entry.name


async def test_the_choice_with_the_focus_is_seen_without_colour(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, config=Config(theme="lifeline-mono")) as (app, pilot):
        await press(pilot, "n", "g")
        here, other = app.screen.query(Choice)[:2]
        assert here.has_focus
        assert here.rich_style.reverse
        assert not other.rich_style.reverse


async def test_help_says_of_each_question_where_it_goes(tmp_path: Path) -> None:
    text = "\n".join(block.text for block in help_blocks(StartScreen(), {}, UNICODE, 200))
    assert "w  workings: Ask for the working of a puzzle, or for the derivation of its shown key. In a fork, unless" in text
    assert "i  write: Write a turn of your own; queued feedback goes first. On this branch, unless" in text


@pytest.mark.parametrize(
    ("key", "says"), [("f", "enter queue it"), ("l", "enter keep it"), ("semicolon", "ctrl+s keep it"), ("w", "enter send")]
)
async def test_a_form_says_what_becomes_of_it(tmp_path: Path, key: str, says: str) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", key)
        assert says in drawn(app)


async def test_what_is_notified_covers_no_key(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        bars = drawn(app).splitlines()[-2:]
        await press(pilot, "y", "v", "f", "g")
        assert "No puzzle has been posed yet." in drawn(app)
        assert drawn(app).splitlines()[-2:] == bars
        assert drawn(app).splitlines()[0].startswith(f" {PLAN} ▸ main  sim/anxious SIMULATED")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_the_palette_fits_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size, plan=PLAN) as (app, pilot):
        await press(pilot, "ctrl+p")
        assert app.screen.region.contains_region(app.screen.query("Vertical").first().region)
        assert "escape leaves" in drawn(app)


@pytest.mark.parametrize("keys", [(), ("m",), ("slash", "down"), ("ctrl+p",)], ids=["start", "models", "sessions", "palette"])
async def test_the_line_that_enter_takes_is_seen_without_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(tmp_path, SMALL) as (app, pilot):
        await press(pilot, *keys)
        menu = app.screen.query_one(OptionList)
        assert menu.highlighted is not None
        region = menu.content_region
        y = menu._index_to_line[menu.highlighted] - menu.scroll_offset.y
        lines = [line.crop(region.x, region.right - 2) for line in app.screen._compositor.render_strips()[region.y : region.bottom]]
        reverse = [any(segment.style and segment.style.reverse and segment.text.strip() for segment in line) for line in lines]
        assert [number for number, is_ in enumerate(reverse) if is_] == [y]


async def test_no_notification_shows_markup(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "ctrl+c")
        assert "ctrl+q quits" in said(app)
        assert "[" not in said(app)


async def test_what_is_said_again_stands_once_and_an_error_stands_until_its_time_is_over(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        app.notify("It failed.", severity="error", timeout=60)
        for number in range(3):
            app.notify("There is nothing to say.", title=str(number))
        await pilot.pause()
        assert said(app).count("There is nothing to say.") == 1
        for number in range(6):
            app.notify(f"Said {number}.")
        await pilot.pause()
        assert [each.message for each in app._notifications] == ["It failed.", "Said 3.", "Said 4.", "Said 5."]


@pytest.mark.parametrize("size", [(60, 20), SMALL, WIDE, (200, 50)])
async def test_a_line_of_help_that_goes_on_below_goes_on_under_its_words(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size, plan=PLAN) as (app, pilot):
        await press(pilot, "question_mark")
        view = app.screen.query_one(Transcript)
        group = next(block for block in view.blocks if block.id == "probe")
        await press(pilot, "down", "down")
        rows = group.text.split("\n")
        shown = drawn(app)
        assert size[0] > 80 or any(row.startswith(" " * 10) for row in rows), "what goes on stands under the words"
        there = [row for row in rows if row.strip() in shown]
        assert len(there) > 3
        assert all(f"█ {row}" in shown for row in there), "and none is wrapped once more"


async def test_help_on_the_start_screen_begins_with_its_own_keys(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as (app, pilot):
        await press(pilot, "question_mark")
        seen = drawn(app)
        assert seen.index("Here") < seen.index("m  Pick a model") < seen.index("In a session")


async def test_slash_goes_to_a_field_that_takes_words_wherever_it_is_pressed(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as (app, pilot):
        await press(pilot, "m", "slash", *"abc")
        assert app.focused is app.screen.query_one("#name", Input)
        assert app.screen.query_one("#name", Input).value == "abc"
        await press(pilot, "escape", "t", "slash", *"def")
        assert app.screen.query_one("#search", Input).value == "def"


async def test_what_is_being_opened_is_said_from_the_first_paint_on(tmp_path: Path) -> None:
    app = LifelineApp(Config(), tmp_path / "notebook.db", plan=PLAN, model="sim/rational", paced=False)
    async with app.run_test(size=SMALL):
        screen = app.screen_stack[0]
        assert [str(each.content) for each in screen.query(Static)] == [f"Opening {PLAN} on sim/rational …"]
        await app.leave()


async def test_what_was_said_of_an_earlier_key_does_not_cover_a_form_and_an_error_does(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
        app.notify("Nothing is arriving.")
        app.notify("It failed.", severity="error", timeout=60)
        await pilot.pause()
        assert "Nothing is arriving." in drawn(app)
        await press(pilot, "f")
        assert isinstance(app.screen, Form)
        assert "Nothing is arriving." not in drawn(app)
        assert "It failed." in drawn(app)


async def test_a_session_is_laid_out_for_its_width_from_the_first_paint_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = set()
    plainly = Transcript.render_line

    def render_line(self: Transcript, y: int) -> Strip:
        widths.add(self.size.width)
        return plainly(self, y)

    monkeypatch.setattr(Transcript, "render_line", render_line)
    async with running(tmp_path, SMALL, plan=PLAN):
        assert widths == {78}


@pytest.mark.parametrize("typed", ["10", "247", "Ada,Bob"])
async def test_letters_that_come_faster_than_the_focus_moves_are_kept_in_order(tmp_path: Path, typed: str) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, UNREAD)) as (app, pilot):
        await press(pilot, "n", "g")
        app.screen.query_one("#field-found", Choice).focus()
        await rest(pilot)
        for letter in typed:
            app.post_message(events.Key(letter, letter))
        await rest(pilot)
        assert value(app, "answer") == typed


async def test_what_is_pasted_onto_a_choice_goes_where_typing_goes(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, UNREAD)) as (app, pilot):
        await press(pilot, "n", "g")
        app.screen.query_one("#field-found", Choice).focus()
        await rest(pilot)
        app.post_message(events.Paste("247"))
        await rest(pilot)
        assert value(app, "answer") == "247"


async def test_each_format_of_an_export_has_a_file_of_its_own_and_enter_exports_from_both_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+e", "enter")
        await press(pilot, "ctrl+e", "shift+tab")
        assert "Replaces the file" in drawn(app)
        await press(pilot, "right")
        assert "Writes" in drawn(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
    assert sorted(path.name.rpartition("-")[0].rpartition("-")[2] for path in tmp_path.glob("lifeline-*.csv")) == [
        "attempts",
        "claims",
    ]


async def test_a_refusal_goes_when_it_is_no_longer_true_and_when_its_screen_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        monkeypatch.setattr(ScriptedSubject, "stream", half_a_reply)
        await pilot.press("n")
        await until(pilot, lambda: run_screen(app).session.partial is not None)
        await pilot.press("w")
        await until(pilot, lambda: "A reply is still arriving" in said(app))
        await press(pilot, "escape")
        assert "A reply is still arriving" not in said(app)
        await press(pilot, "escape")
        assert "Nothing is arriving" in said(app)
        await press(pilot, "ctrl+x")
        assert "Nothing is arriving" not in said(app)


async def test_what_a_batch_sends_is_said_as_it_is(tmp_path: Path) -> None:
    async with running(tmp_path, plan="baseline-20-batch") as (app, _):
        assert notice(app).startswith("n sends 20 puzzles in one message; ")


async def test_after_the_form_was_asked_for_again_it_is_said_how_to_read_the_reply(tmp_path: Path) -> None:
    async with running(tmp_path, plan="realtime-reveal", model=script(tmp_path, '- "Hm."\n- "It is 9."\n')) as (app, pilot):
        await press(pilot, "n", "ctrl+f")
        assert "The correct answer is" not in drawn(app), "the plan's key waits until an answer was given"
        await press(pilot, "enter")
        assert "g reads it by hand" in notice(app)
        session = run_screen(app).session
        assert [part.feedback for part in session.queue()] == ["reveal"]
