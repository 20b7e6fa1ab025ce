"""The notebook on screen: search, resume, rename, hide, export; and a session that another process runs is shown and not touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_cases import SMALL, drawn, press, rest, running, said, transcript, until
from store_cases import child
from textual.widgets import Input, OptionList, Static

from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.sessions import SessionsScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.screens.watch import WatchScreen

PLAN = "lifelines-10"
OTHER = """
import sys
from store_cases import CALL, item, reply
from lifeline_tui.core.codec import as_data
from lifeline_tui.core.nodes import Root
from lifeline_tui.core.plan import Plan
from lifeline_tui.store import Draft, Store
store = Store(sys.argv[1])
session = store.create_session("theirs", "lent", "sim/anxious", True)
root = Root(plan=as_data(Plan("lent")), model="sim/anxious", simulated=True)
nodes, _ = store.append(session, [Draft(root), Draft(item()), Draft(CALL)], parent=None, branch="main")
call = nodes[2].id
store.checkpoint(call, "half of an")
print(session)
sys.stdin.readline()
store.append(session, [Draft(reply("ANSWER: 38 and done"))], parent=call, branch="main")
print("replied")
sys.stdin.readline()
store.close()
print("closed")
sys.stdin.readline()
"""


async def test_search_finds_what_was_said_and_opens_it(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"zebra", "ctrl+s", "escape", "slash")
        assert isinstance(app.screen, SessionsScreen)
        await press(pilot, *"zebra")
        menu = app.screen.query_one(OptionList)
        assert menu.option_count >= 1
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)


async def test_a_hit_names_its_session_and_who_wrote_it(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"zebra", "ctrl+s", "slash", *"zebra")
        found = drawn(app)
        for words in (PLAN, "SIMULATED", "● operator", "«zebra»"):
            assert words in found
        assert "hidden SIMULATED" not in found
        await press(pilot, "down", "h")
        assert "hidden SIMULATED" in drawn(app)
        await press(pilot, "h")
        assert "hidden SIMULATED" not in drawn(app), "h shows it again, from a hit too"


async def test_the_export_form_shows_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+e")
        place = app.screen.query_one("#place", Static)
        app.screen.query_one(Input).value = "sub/../out.csv"
        await rest(pilot)
        assert str(place.content) == f"Writes {tmp_path / 'out.csv'}"
        app.screen.query_one(Input).value = ""
        await rest(pilot)
        assert "must be named" in str(place.content)


async def test_a_search_without_a_hit_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "slash", *"quagga")
        assert "Nothing with 'quagga' in it" in drawn(app)
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, RunScreen)


async def test_a_session_is_renamed_and_hidden(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "slash", "down", "r", *"mine", "enter")
        assert "mine" in drawn(app)
        await press(pilot, "h")
        assert app.screen.query_one(OptionList).option_count == 0
        await press(pilot, "a")
        assert "hidden" in drawn(app)
        await press(pilot, "h", "escape", "n")
        assert app.session is not None
        assert len(app.session.state().attempts) == 2, "the session in hand is still ours"


async def test_export_writes_where_it_says(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+e")
        app.screen.query_one(Input).value = str(tmp_path / "out.csv")
        await press(pilot, "enter")
        await until(pilot, lambda: "Exported" in said(app))
        assert (tmp_path / "out.csv").read_text().count("\n") == 2


async def test_a_session_of_another_process_is_watched_live_and_then_taken_over(tmp_path: Path) -> None:
    other = child(OTHER, tmp_path / "notebook.db")
    assert other.stdout is not None
    assert other.stdin is not None
    session = other.stdout.readline().strip()
    try:
        async with running(tmp_path) as (app, pilot):
            app.resume(session)
            await until(pilot, lambda: isinstance(app.screen, WatchScreen))
            await until(pilot, lambda: f"run by process {other.pid}" in drawn(app))
            assert "half of an" in drawn(app)
            await press(pilot, "enter")
            assert "still runs this session" in said(app)
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "replied\n"
            await until(pilot, lambda: "ANSWER: 38 and done" in drawn(app))
            assert not any("streaming" in block.tags for block in transcript(app).blocks)
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "closed\n"
            await until(pilot, lambda: "nobody runs this session any more" in drawn(app))
            await press(pilot, "escape")
            await rest(pilot)
            assert isinstance(app.screen, StartScreen)
            app.resume(session)
            await until(pilot, lambda: isinstance(app.screen, RunScreen))
    finally:
        other.kill()
        other.communicate()


async def test_a_session_whose_wordings_cannot_be_used_is_not_opened_and_says_why(tmp_path: Path, monkeypatch) -> None:
    async with running(tmp_path, plan=PLAN) as (app, _):
        assert app.session is not None
        id = app.session.id
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    wordings = tmp_path / "prompts" / "interventions"
    wordings.mkdir(parents=True)
    (wordings / "challenge.txt").write_text("{{bogus}}")
    async with running(tmp_path) as (app, pilot):
        app.resume(id)
        await rest(pilot)
        assert "challenge.txt:1: {{bogus}} is not known here" in said(app)
        assert isinstance(app.screen, StartScreen)


async def test_search_finds_sessions_by_their_names_too_and_says_what_escape_does(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "slash", *"anxious")
        menu = app.screen.query_one(OptionList)
        assert menu.option_count >= 1
        assert "escape clears" in drawn(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, SessionsScreen)
        assert "escape leave" in drawn(app)


async def test_a_note_that_was_taken_back_and_done_again_is_one_hit(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "semicolon", *"zebra", "ctrl+s", "z", "ctrl+d", "slash", *"zebra")
        assert app.screen.query_one(OptionList).option_count == 1
