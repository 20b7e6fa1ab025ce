"""The palette finds a command by its name alone and says what enter will do; `/` is a search field wherever it is pressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_cases import SMALL, drawn, press, rest, running, said, transcript
from textual import events
from textual.binding import Binding
from textual.widgets import Input, OptionList, Static

from lifeline_tui.interventions.table import TABLE
from lifeline_tui.loading.config import Config
from lifeline_tui.tui.commands import Command, commands, found
from lifeline_tui.tui.screens.export import ExportForm
from lifeline_tui.tui.screens.pager import Pager
from lifeline_tui.tui.screens.palette import Palette
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.sessions import SessionsScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.widgets.card import Card
from lifeline_tui.tui.widgets.tree_rail import TreeRail

PLAN = "lifelines-10"


def will(app: object) -> str:
    screen = app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, Palette)
    return str(screen.query_one("#will", Static).content)


async def test_peek_peeks_and_sends_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+p", *"peek")
        assert will(app).startswith("enter: Peek at the key (.)")
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        assert app.session is not None
        assert len(app.session.state().attempts) == 1
        assert f"key {app.session.state().attempts[0].puzzle.answer.value}" in str(app.screen.query_one("#card", Card).render())


async def test_quit_quits_and_takes_nothing_back(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+p", *"quit")
        assert "Quit (ctrl+q)" in will(app)
        assert app.session is not None
        tip = app.session.tip
        app.post_message(events.Key("enter", None))
        await pilot.pause()
        assert app.session.tip == tip
        assert app._exit


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("export", ExportForm),
        ("saw", Pager),
        ("request", Pager),
        ("help", Pager),
        ("search", SessionsScreen),
        ("sessions", SessionsScreen),
        ("start", StartScreen),
    ],
)
async def test_what_has_a_key_is_done_by_its_name(tmp_path: Path, word: str, shown: type) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+p", *word, "enter")
        assert isinstance(app.screen, shown)


async def test_copy_tree_and_themes_are_done_by_name_too(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+p", *"copy", "enter")
        assert "Copied" in said(app)
        assert not app.screen.query_one(TreeRail).display
        await press(pilot, "ctrl+p", *"tree", "enter")
        assert app.screen.query_one(TreeRail).display
        await press(pilot, "ctrl+p", *"light", "enter")
        assert app.theme == "lifeline-light"


async def test_everything_that_has_a_key_is_in_the_palette_with_the_reason_why_not(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        for screen in (StartScreen, RunScreen, SessionsScreen):
            here = app.screen if isinstance(app.screen, screen) else None
            if screen is SessionsScreen:
                await press(pilot, "slash")
                here = app.screen
            if here is None:
                continue
            entries = {command.name: command for command in commands(here)}
            ids = [b.id for b in (*screen.BINDINGS, *type(app).BINDINGS) if isinstance(b, Binding) and b.id]
            assert {id.rpartition(".")[2] for id in ids} <= set(entries)
            for name in TABLE if screen is RunScreen else ():
                reason = app.session.refusal(name, None) if app.session else None
                assert entries[name].refused == (reason or "")


@pytest.mark.parametrize("word", ["zzz", "undo a turn", "puzzle", "believable", "q u i t e"])
async def test_a_word_that_names_nothing_does_nothing_and_says_so(tmp_path: Path, word: str) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+p")
        app.screen.query_one(Input).value = word
        await rest(pilot)
        assert "enter does nothing" in will(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, Palette)
        await press(pilot, "escape")
        assert isinstance(app.screen, RunScreen)
        assert app.session is not None
        assert len(app.session.state().attempts) == 1


def named(name: str, label: str = "") -> Command:
    return Command(name, label or name, "", "quit the undo peek", lambda: None)


def test_a_name_beats_a_beginning_and_a_beginning_beats_letters() -> None:
    all_ = [named("undo"), named("redo"), named("quit"), named("next"), named("note"), named("key-check", "key check")]
    assert [each.name for each in found("quit", all_)] == ["quit"]
    assert [each.name for each in found("no", all_)] == ["note"]
    assert [each.name for each in found("n", all_)] == ["next", "note"]
    assert [each.name for each in found("check", all_)] == ["key-check"]
    assert [each.name for each in found("ke ch", all_)] == ["key-check"]
    assert [each.name for each in found("nxt", all_)] == ["next"]
    assert found("peek", all_) == []
    assert found("", all_) == all_


async def test_a_greyed_command_says_why_before_and_after_enter(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "ctrl+p", *"reveal")
        assert "Not now: No puzzle has been posed yet." in will(app)
        await press(pilot, "enter")
        assert "No puzzle has been posed yet." in said(app)


async def test_a_remapped_key_is_the_one_that_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, config=Config(keys={"peek": "f6"})) as (app, pilot):
        await press(pilot, "ctrl+p", *"peek")
        assert "Peek at the key (f6)" in will(app)


# -- search --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["run", "start", "sessions"])
async def test_a_word_after_the_slash_is_searched_for_and_renames_and_hides_nothing(tmp_path: Path, where: str) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
        if where == "start":
            app.action_home()
        if where == "sessions":
            await press(pilot, "slash", "down")
        await press(pilot, "slash", *"rah")
        assert isinstance(app.screen, SessionsScreen)
        assert app.screen.query_one(Input).value == "rah"
        (row,) = app.lab.rows(hidden=True)
        assert (row.title, row.hidden) == (PLAN, False)


async def test_a_hit_opens_on_its_branch_with_the_cursor_on_its_turn(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"zebra", "tab", "right", "ctrl+s")
        session = app.session
        assert session is not None
        aside = session.branch
        assert aside != "main"
        await session.go("main")
        await press(pilot, "n", "n", "slash", *"zebra", "enter")
        assert isinstance(app.screen, RunScreen)
        assert app.session is not None
        assert app.session.branch == aside
        block = transcript(app).current_block
        assert block is not None
        assert "zebra" in block.text
        id = app.session.id
    async with running(tmp_path, SMALL) as (app, pilot):
        await press(pilot, "slash", *"zebra", "enter")
        assert app.session is not None
        assert (app.session.id, app.session.branch) == (id, aside)
        block = transcript(app).current_block
        assert block is not None
        assert "zebra" in block.text


async def test_a_hit_stands_on_the_part_of_the_turn_that_has_the_word(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "n", "slash", *"robot", "enter")
        block = transcript(app).current_block
        assert block is not None
        assert block.heading == "puzzle 1"


async def test_the_list_below_the_search_says_what_its_letters_do(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "slash")
        assert "type to search" in drawn(app)
        assert "h hide" not in drawn(app)
        await press(pilot, "down")
        assert app.screen.query_one(OptionList).has_focus
        assert "r rename · h hide" in drawn(app)
