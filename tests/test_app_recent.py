"""The start screen remembers which model was used and where, never a key; and no plan is run on a paid model without a word."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from app_cases import SMALL, drawn, press, rest, running, said, script, until
from textual.widgets import Input, OptionList

from lifeline_tui.loading.config import Config
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.recent import KEPT, Recent, Used, recall, recent_path, remember
from lifeline_tui.tui.screens.confirm import Confirm
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.start import StartScreen

PLAN = "lifelines-10"
BASE = "http://127.0.0.1:8123/v1"


def highlighted(app: object) -> str:
    for menu in app.screen.query(OptionList):  # type: ignore[attr-defined]
        if menu.highlighted is not None:
            return menu.get_option_at_index(menu.highlighted).id or ""
    return ""


async def test_the_model_and_the_address_that_were_typed_are_there_the_next_time(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "m", "tab")
        app.screen.query_one("#name", Input).value = "openai/mine"
        app.screen.query_one("#base", Input).value = BASE
        await press(pilot, "enter")
        assert f"openai/mine at {BASE}" in drawn(app)
    async with running(tmp_path, SMALL) as (app, pilot):
        assert (app.model, app.api_base) == ("openai/mine", BASE)
        assert f"openai/mine at {BASE}" in drawn(app)
        await press(pilot, "m", "enter")
        assert app.model == "sim/anxious"
        menu = app.screen.query_one(OptionList)
        menu.highlighted = next(at for at, option in enumerate(menu.options) if option.id == "recent:1")
        await rest(pilot)
        await press(pilot, "enter")
        assert (app.model, app.api_base) == ("openai/mine", BASE), "it is listed among those used before"


async def test_a_model_on_the_command_line_or_newly_in_the_config_comes_first(tmp_path: Path) -> None:
    remember(Recent((Used("sim/rational"),), config="sim/base"))
    async with running(tmp_path, config=Config(model="sim/base")) as (app, _):
        assert app.model == "sim/rational"
    async with running(tmp_path, config=Config(model="sim/contrarian")) as (app, _):
        assert app.model == "sim/contrarian"
    async with running(tmp_path, model="sim/anxious", config=Config(model="sim/base")) as (app, _):
        assert app.model == "sim/anxious"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"models": [{"model": ""}]}',
        '{"models": [{"model": "a\\u001bb"}]}',
        '{"models": [{"model": "openai/x", "api_base": "ftp://user:pass@host"}]}',
        '{"models": [7]}',
        "[" * 15_000,
        "x" * 30_000,
    ],
)
async def test_a_broken_memory_is_passed_over_with_a_sentence(tmp_path: Path, text: str) -> None:
    recent_path().parent.mkdir(parents=True, exist_ok=True)
    recent_path().write_text(text)
    async with running(tmp_path) as (app, pilot):
        assert app.model == "sim/anxious"
        assert "The models used last are not known" in said(app)
        assert isinstance(app.screen, StartScreen)
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
    assert recall() == Recent((Used("sim/anxious"),))


def test_no_key_is_remembered_and_the_file_is_the_operators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-that-is-never-kept")
    remember(Recent((Used("openai/sk-a-key-that-is-never-kept"), Used("openai/x", BASE))))
    assert recall().used == (Used("openai/x", BASE),)
    assert "never-kept" not in recent_path().read_text()
    assert stat.S_IMODE(recent_path().stat().st_mode) == 0o600
    assert [path.name for path in recent_path().parent.iterdir()] == [recent_path().name], "nothing is left beside it"


def test_each_model_is_remembered_once_the_last_one_first() -> None:
    recent = Recent()
    for number in [*range(10), 8]:
        recent = recent.after(Used(f"openai/{number}"), "")
    assert [used.model[-1] for used in recent.used] == ["8", "9", "7", "6", "5", "4"]
    assert len(recent.used) == KEPT


async def test_a_memory_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    recent_path().mkdir(parents=True)
    async with running(tmp_path) as (app, pilot):
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        assert "could not be remembered" in said(app)


async def test_the_start_screen_stands_on_the_session_that_was_left(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
        first = app.session
        assert first is not None
        app.action_home()
        await until(pilot, lambda: highlighted(app) == f"open:{first.id}")
        await app.begin("baseline-20").wait()
        await press(pilot, "n")
        assert app.session is not None
        second = app.session.id
        app.action_home()
        await until(pilot, lambda: highlighted(app) == f"open:{second}")
        await press(pilot, "enter")
        assert app.session.id == second


# -- autoplay ------------------------------------------------------------------------------------------------------------------


async def test_autoplay_on_a_paid_model_asks_first_and_once_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSubject, "simulated", False)
    model = script(tmp_path, '- "ACTION: ANSWER\\nANSWER: 1"\n' * 40)
    async with running(tmp_path, SMALL, plan=PLAN, model=model) as (app, pilot):
        session = app.session
        assert session is not None
        await press(pilot, "n", "space")
        assert isinstance(app.screen, Confirm)
        assert "at least 19 calls to scripted/" in app.screen.question
        assert "enter or y starts it · escape or n does not" in drawn(app)
        await press(pilot, "space", "escape")
        assert isinstance(app.screen, RunScreen)
        assert len(session.state().attempts) == 1, "nothing was sent"
        await press(pilot, "space", "enter")
        await until(pilot, lambda: len(session.state().attempts) == 20)
        await press(pilot, "z", "space")
        await until(pilot, lambda: len(session.state().attempts) == 20)
        assert isinstance(app.screen, RunScreen), "it is asked once"


async def test_autoplay_on_a_puppet_starts_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "space")
        assert app.session is not None
        assert len(app.session.state().attempts) == 20
