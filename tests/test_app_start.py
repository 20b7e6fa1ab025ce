"""The start screen: two keys to the first puzzle, every failure named, the tour, and what goes before a first paint."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap as wrapped

import pytest
from app_cases import SMALL, WIDE, drawn, notice, press, rest, running, said, until
from textual.widgets import OptionList, Static

from lifeline_tui.loading.config import Config
from lifeline_tui.loading.resources import user_folder
from lifeline_tui.subjects.names import simulated
from lifeline_tui.tui.record import standing
from lifeline_tui.tui.screens.models import ModelScreen
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.screens.tour import TourScreen
from lifeline_tui.tui.widgets.transcript import Transcript


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_a_newcomer_is_two_keys_from_a_puzzle(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size) as (app, pilot):
        await press(pilot, "enter")
        assert "n sends the first puzzle" in notice(app)
        await press(pilot, "n")
        assert "PUZZLE 1 of 20" in drawn(app)
        assert "SIMULATED" in drawn(app)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_each_choice_is_one_line_and_everything_is_on_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size) as (app, pilot):
        await press(pilot, "enter", "n", "ctrl+x")
        assert isinstance(app.screen, StartScreen)
        menu = app.screen.query_one(OptionList)
        assert menu.virtual_size.height == menu.option_count
        screen = drawn(app)
        for words in ("lifeline", "CONTINUE", "1 attempt ", "NEW SESSION", "tour", "q quit"):
            assert words in screen


async def test_continue_is_offered_first_and_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "enter", "n", "n", "ctrl+x")
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "home", "enter")
        assert app.session is not None
        assert len(app.session.state().attempts) == 2


async def test_a_plan_that_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    folder = user_folder() / "sessions"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("puzzles: {pack: starter}\nlifelines: many\n")
    async with running(tmp_path) as (app, pilot):
        assert "cannot be used" in drawn(app)
        menu = app.screen.query_one(OptionList)
        menu.highlighted = next(at for at, option in enumerate(menu.options) if option.id == "plan:mine")
        await pilot.pause()
        assert "mine.yaml" in str(app.screen.query_one("#words", Static).content)
        await press(pilot, "enter")
        assert "mine.yaml" in said(app)
        assert isinstance(app.screen, StartScreen)


@pytest.mark.parametrize(
    ("model", "words"), [("nonsense", "is no model"), ("sim/nobody", "no embedded subject"), ("scripted/none.yaml", "none.yaml")]
)
async def test_a_model_that_cannot_be_had_is_said_in_a_sentence(tmp_path: Path, model: str, words: str) -> None:
    async with running(tmp_path, model=model) as (app, pilot):
        await press(pilot, "enter")
        assert words in said(app)
        assert isinstance(app.screen, StartScreen)


async def test_models_offer_the_embedded_ones_first_and_then_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-shown")
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "m")
        screen = app.screen
        assert isinstance(screen, ModelScreen)
        assert [offer.model for offer in screen.found][:2] == ["sim/anxious", "sim/rational"]
        assert "OPENAI_API_KEY is set" in drawn(app)
        assert "sk-never-shown" not in drawn(app)
        await press(pilot, "down", "enter")
        assert app.model == "sim/rational"
        assert "sim/rational" in drawn(app)


async def test_a_model_is_chosen_although_sessions_are_still_being_read(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        start = app.screen
        assert isinstance(start, StartScreen)
        await press(pilot, "m")
        start.load()  # as its timer does when m came early
        await press(pilot, "down", "enter")
        assert app.model == "sim/rational"


async def test_the_tour_shows_two_puppets_and_says_so_throughout(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "t")
        screen = app.screen
        assert isinstance(screen, TourScreen)
        for _ in screen.steps:
            assert "PUPPETS" in drawn(app)
            assert drawn(app).count("SIMULATED") >= 2
            await press(pilot, "space")
        assert isinstance(app.screen, StartScreen)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_the_tours_captions_say_what_is_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size) as (app, pilot):
        await press(pilot, "t")
        screen = app.screen
        assert isinstance(screen, TourScreen)
        asked = set()
        for step in screen.steps:
            caption = str(screen.query_one("#words", Static).content)
            blocks = [screen.query_one(f"#side{side}", Transcript).blocks for side in (0, 1)]
            for side in blocks:
                keys = [block for block in side if block.heading in ("true key", "fake key")]
                assert ("NOT TRUE" in caption) is ("not true" in keys[-1].tags if keys else False), caption
            probes = {block.heading for side in blocks for block in side if block.heading in ("self-score", "workings")}
            assert ("how many they got right" in caption) is (probes == {"self-score"})
            assert ("derivation" in caption) is (probes == {"workings"})
            assert all(any(block.heading == "fork" for block in side) is (step.branch != "main") for side in blocks)
            for side_, (record, tip) in enumerate(zip(screen.records, step.tips, strict=True)):
                assert standing(record.state(tip), brief=True) in drawn(app), "no header is cut"
                assert screen.query_one(f"#score{side_}").size.height == 2
            assert len(wrapped(caption, size[0] - 2)) <= screen.query_one("#words").size.height
            asked |= probes
            await press(pilot, "space")
        assert asked == {"self-score", "workings"}


@pytest.mark.parametrize(
    ("name", "is_simulated"),
    [("sim/base", True), ("scripted/a.yaml", True), ("sim/nobody", False), ("openai/gpt-4.1", False), ("simulated", False)],
)
def test_what_is_no_model_is_known_by_one_rule(name: str, is_simulated: bool) -> None:
    assert simulated(name) is is_simulated


async def test_a_subject_from_a_file_is_labelled_before_anything_is_sent(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, model="scripted/replies.yaml") as (app, _):
        assert "SIMULATED scripted/replies.yaml" in drawn(app)
        assert "on a puppet" in drawn(app)


@pytest.mark.parametrize(
    "title", ["a title that is far too long for the line that it stands on " * 3, "題" * 60], ids=["long", "wide"]
)
async def test_simulated_is_never_cut_from_a_stored_session(tmp_path: Path, title: str) -> None:
    async with running(tmp_path, SMALL, plan="lifelines-10") as (app, pilot):
        await press(pilot, "n")
        assert app.session is not None
        await app.lab.rename(app.session.id, title)
        await press(pilot, "ctrl+x")
        await until(pilot, lambda: "CONTINUE" in drawn(app))
        assert "SIMULATED sim/anxious" in drawn(app).partition("NEW SESSION")[0]
        await press(pilot, "slash")
        assert "SIMULATED" in drawn(app)


async def test_a_session_of_which_nothing_was_sent_is_not_offered_to_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, plan="lifelines-10") as (app, pilot):
        await press(pilot, "ctrl+x")
        screen = app.screen
        assert isinstance(screen, StartScreen)
        await until(pilot, lambda: screen.abouts)
        await rest(pilot)
        assert "CONTINUE" not in drawn(app)
        await press(pilot, "slash")
        assert "attempts 0" in drawn(app), "it is still among the sessions"


async def test_the_theme_without_colour_has_none_left(tmp_path: Path) -> None:
    async with running(tmp_path, config=Config(theme="lifeline-mono")) as (app, _):
        grey = {"ansi_default", "ansi_black", "ansi_white", "ansi_bright_black", "ansi_bright_white"}
        used = {name: value.split()[0] for name, value in app.get_css_variables().items() if value.startswith(("ansi_", "#"))}
        assert {name: value for name, value in used.items() if value not in grey} == {}


async def test_a_notebook_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "notebook.db").write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "enter")
        assert "is not a lifeline database" in said(app)
        assert isinstance(app.screen, StartScreen)


async def test_no_session_is_shown_of_one_that_does_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        app.resume("nowhere")
        await rest(pilot)
        assert "nowhere" in said(app)


async def test_a_plan_named_on_the_command_line_opens_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, plan="liar-realtime", model="sim/rational") as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.session is not None
        assert app.session.root.model == "sim/rational"


@pytest.mark.parametrize("theme", ["lifeline-dark", "lifeline-light", "lifeline-mono"])
async def test_every_theme_shows_the_same_words(tmp_path: Path, theme: str) -> None:
    async with running(tmp_path, plan="lifelines-10", config=Config(theme=theme)) as (app, pilot):
        await press(pilot, "n")
        assert app.theme == theme
        for words in ("◆ sim/anxious SIMULATED", "▣ puzzle 1", "PUZZLE 1 of 20", "n next"):
            assert words in drawn(app)


async def test_ascii_signs_can_be_chosen(tmp_path: Path) -> None:
    async with running(tmp_path, plan="lifelines-10", config=Config(glyphs="ascii")) as (app, pilot):
        await press(pilot, "n")
        assert "M sim/anxious SIMULATED" in drawn(app)
        assert not set("◆▣█▌✓✗") & set(drawn(app))
