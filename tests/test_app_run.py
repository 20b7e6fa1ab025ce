"""The run screen: every intervention by its key, on wide and small screens, and nothing that was sent or received is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

import pytest
from app_cases import SMALL, WIDE, drawn, half_a_reply, notice, press, rest, run_screen, running, said, script, transcript, until
from textual.widgets import Input

from lifeline_tui.core.nodes import Reply, Status
from lifeline_tui.interventions.table import TABLE
from lifeline_tui.loading.config import Config
from lifeline_tui.store import Reader, Store, StoreError
from lifeline_tui.subjects.protocol import Delta, End, Event, Request
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.glyphs import UNICODE
from lifeline_tui.tui.screens.form import Form
from lifeline_tui.tui.screens.help import help_blocks
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.widgets.actions import Actions, key_of, laid_out
from lifeline_tui.tui.widgets.card import Card
from lifeline_tui.tui.widgets.tree_rail import TreeRail

PLAN = "lifelines-10"
ANSWER = "ACTION: ANSWER\\nANSWER: 1\\nDIFFICULTY: 3\\nCONFIDENCE: 60"


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_a_session_by_hand_is_found_again_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size) as (app, pilot):
        await press(pilot, "enter", "n")
        assert app.session is not None
        assert len(app.session.state().attempts) == 1, "a newcomer is two keys from the first puzzle"
        await press(pilot, "n", "n", "n", "n", "r", "f", "enter")
        assert [part.via for part in app.session.queue()] == ["fake"], "a fake takes the place of the reveal that waits"
        await press(pilot, "w", "enter")
        assert app.session.branch == "workings"
        await press(pilot, "backspace")
        assert app.session.branch == "main"
        await press(pilot, "b", "n")
        assert app.session.branch == "fork"
        was = (set(app.session.tree.nodes), dict(app.session.branches), app.session.branch, drawn(app))
        id = app.session.id

    async with running(tmp_path, size) as (app, pilot):
        assert isinstance(app.screen, StartScreen)
        app.resume(id)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await rest(pilot)
        assert app.session is not None
        assert (set(app.session.tree.nodes), dict(app.session.branches), app.session.branch, drawn(app)) == was


async def test_two_scores_and_the_budget_stand_above_everything(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "f", "enter", "n")
        first = drawn(app).splitlines()[0]
        for word in (PLAN, "main", "sim/anxious SIMULATED", "true ", "shown ", "lifelines 10/10", "fakes shown 1"):
            assert word in first


async def test_a_fork_says_how_to_get_back(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "s", "enter")
        assert "self-score (bksp goes back)" in drawn(app)
        await press(pilot, "backspace", "n", "backspace")
        assert app.session is not None
        assert app.session.branch == "main"
        assert "where everything began" in said(app)


async def test_back_from_a_fork_of_a_fork_is_one_step(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "s", "enter", "c", "right", "enter")
        assert app.session is not None
        assert app.session.branch == "challenge"
        await press(pilot, "backspace")
        assert app.session.branch == "self-score"
        await press(pilot, "backspace")
        assert app.session.branch == "main"


async def test_the_key_and_the_fakes_are_hidden_until_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n")
        assert app.session is not None
        puzzle = app.session.state().attempts[0].puzzle
        card = app.screen.query_one("#card", Card)
        secrets = [puzzle.answer.value, *(fake.value for fake in puzzle.fakes)]
        assert not any(f" {secret}" in str(card.render()) for secret in secrets)
        await press(pilot, "full_stop")
        assert all(f" {secret}" in str(card.render()) for secret in secrets)
        await press(pilot, "n")
        assert "key ████" in str(card.render()), "the next puzzle hides its own again"
        await press(pilot, "up", "up", "up")
        assert f"key {puzzle.answer.value}" in str(card.render()), "the card follows the cursor"


async def test_the_cursor_is_at_the_end_after_each_step_and_moves_by_block(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "n", "n")
        view = transcript(app)
        assert view.cursor == len(view.blocks) - 1
        await press(pilot, "up", "up", "up", "up", "up")
        up = view.cursor
        assert up < len(view.blocks) - 1
        await press(pilot, "down", "down", "down", "down")
        assert view.cursor > up
        await press(pilot, "home", "n")
        assert view.cursor == len(view.blocks) - 1


async def test_siblings_are_a_bracket_apart_and_the_tree_goes_anywhere(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "ctrl+r")
        session = app.session
        assert session is not None
        second = session.tip
        await press(pilot, "left_square_bracket")
        first = session.tip
        assert session.tree[first].parent != session.tree[second].parent, "two calls, a reply each"
        assert run_screen(app).pointed == first
        await press(pilot, "right_square_bracket")
        assert session.tip == second
        rail = app.screen.query_one(TreeRail)
        assert not rail.display
        await press(pilot, "tab")
        assert rail.has_focus
        await press(pilot, "up", "enter")
        assert session.tip == first
        assert transcript(app).has_focus
        await press(pilot, "tab", "tab")
        assert not rail.display


async def test_a_note_leaves_the_cursor_where_it_is(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "n", "home", "down")
        at = transcript(app).current_block
        await press(pilot, "m")
        assert transcript(app).current_block == at


# -- what cannot be done says why ----------------------------------------------------------------------------------------------


async def test_a_greyed_action_says_why(tmp_path: Path) -> None:
    async with running(tmp_path, plan="baseline-20") as (app, pilot):
        assert app.session is not None
        greyed = {name: reason for name in TABLE if (reason := app.session.refusal(name, run_screen(app).pointed))}
        assert {"reveal", "fake", "verdict", "workings", "why-skip", "budget", "regenerate", "grade"} <= set(greyed)
        for name, reason in greyed.items():
            await press(pilot, TABLE[name].key)
            assert f"{TABLE[name].label}: {reason}" in said(app)
        assert isinstance(app.screen, RunScreen), "none of them opened a form"


async def test_the_bar_shows_whole_items_in_two_lines_and_a_click_does_them(tmp_path: Path) -> None:
    async with running(tmp_path, (200, 50), plan=PLAN) as (app, pilot):
        bar = app.screen.query_one(Actions)
        assert bar.size.height == 2
        greyed = next(item for item in bar.items() if item.name == "why-skip")
        await pilot.hover(bar, offset=(1 + greyed.x, greyed.y))
        assert "No puzzle has been posed yet" in str(bar.tooltip)
        await pilot.click(bar, offset=(1 + greyed.x, greyed.y))
        assert "No puzzle has been posed yet" in said(app)
        item = next(item for item in bar.items() if item.name == "next")
        await pilot.click(bar, offset=(1 + item.x, item.y))
        await rest(pilot)
        assert app.session is not None
        assert len(app.session.state().attempts) == 1


@pytest.mark.parametrize("width", range(40, 260, 7))
def test_no_item_of_the_bar_is_cut_and_none_stands_on_another(width: int) -> None:
    items = laid_out(width, {})
    assert {"next", "help", "leave"} <= {item.name for item in items}
    for y in (0, 1):
        row = sorted((item for item in items if item.y == y), key=lambda item: item.x)
        assert all(item.x + item.width <= width for item in row)
        assert all(a.x + a.width < b.x for a, b in pairwise(row))


@pytest.mark.parametrize("name", TABLE)
async def test_every_intervention_is_bound_and_in_help(name: str) -> None:
    assert any(TABLE[name].key in binding.key and binding.id == name for binding in RunScreen.BINDINGS)  # type: ignore[union-attr]
    assert any(f"{key_of(name, {})}  {TABLE[name].label}: " in block.text for block in help_blocks(StartScreen(), {}, UNICODE, 200))


async def test_a_remapped_key_works_and_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, config=Config(keys={"next": "f5", "peek": "f6"})) as (app, pilot):
        assert "f5 next" in drawn(app)
        await press(pilot, "n")
        assert app.session is not None
        assert not app.session.state().attempts
        await press(pilot, "f5")
        assert len(app.session.state().attempts) == 1


# -- what goes wrong -----------------------------------------------------------------------------------------------------------


async def test_cancel_keeps_the_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSubject, "stream", half_a_reply)
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        session = app.session
        assert session is not None
        await pilot.press("n")
        await until(pilot, lambda: session.partial is not None and session.partial.text)
        await until(pilot, lambda: "half of an" in drawn(app))
        assert "streaming" in transcript(app).blocks[-1].tags
        await pilot.press("n")
        assert "A reply is still arriving" in said(app)
        await press(pilot, "escape")
        body = session.tree[session.tip].body
        assert isinstance(body, Reply)
        assert (body.status, body.spans[0].text) == (Status.CANCELLED, "half of an")
        assert "ended as cancelled: by the operator" in notice(app)
        assert "ctrl+r asks again" in notice(app)
        assert isinstance(app.screen, RunScreen)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_an_error_says_what_happened_and_ctrl_r_asks_again(tmp_path: Path, size: tuple[int, int]) -> None:
    replies = f'- {{status: error, text: "half"}}\n- "{ANSWER}"\n'
    async with running(tmp_path, size, plan=PLAN, model=script(tmp_path, replies)) as (app, pilot):
        await press(pilot, "n")
        assert "The reply ended as error" in notice(app)
        assert "The reply ended as error" in drawn(app)
        await press(pilot, "ctrl+r")
        assert app.session is not None
        assert sum(isinstance(node.body, Reply) for node in app.session.tree.nodes.values()) == 2


async def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    replies = '- "[@click=app.quit]go[/] \\x1b]52;c;aGk=\\x07 \\u202e backwards [/INST]"\n'
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, replies)) as (app, pilot):
        await press(pilot, "n")
        screen = drawn(app)
        assert "[@click=app.quit]go[/]" in screen
        assert "\x1b" not in screen
        assert "\u202e" not in screen


async def test_a_full_disk_keeps_what_was_typed_and_offers_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full: nothing was written. Free some space, then try again.")

    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "i", *"dear")
        with monkeypatch.context() as patch:
            patch.setattr(Store, "append", full)
            await press(pilot, "ctrl+s")
            assert "The disk is full" in notice(app)
        await press(pilot, "i")
        form = app.screen
        assert isinstance(form, Form)
        assert form.values()["text"] == "dear"
        await press(pilot, "ctrl+s")
        assert app.session is not None
        assert any("dear" in block.text for block in transcript(app).blocks)
        await press(pilot, "i")
        assert isinstance(app.screen, Form)
        assert app.screen.values()["text"] == "", "what was sent is no draft any more"


async def test_a_reply_that_cannot_be_saved_stays_in_sight_until_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Store.append

    def no_replies(self: Store, session: str, drafts: list, **more: object) -> object:  # type: ignore[type-arg]
        if isinstance(drafts[0].body, Reply) and self.file.name == "notebook.db":
            raise StoreError("The disk is full: nothing was written.")
        return append(self, session, drafts, **more)  # type: ignore[arg-type]

    async with running(tmp_path, plan=PLAN, model=script(tmp_path, f'- "{ANSWER}"\n')) as (app, pilot):
        session = app.session
        assert session is not None
        with monkeypatch.context() as patch:
            patch.setattr(Store, "append", no_replies)
            await press(pilot, "n")
            await press(pilot, "ctrl+e")
            assert "notebook" in drawn(app)
            app.screen.query_one(Input).value = str(tmp_path / "b.db")
            await press(pilot, "enter")
            await until(pilot, lambda: "Exported to" in said(app))
        with Reader(tmp_path / "b.db") as store:
            assert [row.nodes for row in store.sessions()] == [len(session.tree.nodes) + 1]
        assert "ctrl+s tries to save it again, ctrl+e saves it elsewhere" in notice(app)
        assert transcript(app).blocks[-1].tags == ("not saved",)
        assert "CONFIDENCE: 60" in drawn(app)
        await press(pilot, "ctrl+s")
        assert isinstance(session.tree[session.tip].body, Reply)
        assert "CONFIDENCE: 60" in drawn(app)
        assert "save" not in notice(app)


# -- the whole plan ------------------------------------------------------------------------------------------------------------


async def test_autoplay_does_not_run_on_behind_another_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Semaphore(2)

    async def gated(self: ScriptedSubject, request: Request) -> AsyncGenerator[Event, None]:
        await gate.acquire()
        yield Delta(text=ANSWER)
        yield End(Status.COMPLETE)

    monkeypatch.setattr(ScriptedSubject, "stream", gated)
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        session = app.session
        assert session is not None
        await pilot.press("space")
        await until(pilot, lambda: len(session.state().attempts) == 3)
        await pilot.press("o")
        for _ in range(20):
            gate.release()
        await rest(pilot)
        assert len(session.state().attempts) == 3


async def test_autoplay_runs_until_a_key_pauses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Semaphore(3)

    async def gated(self: ScriptedSubject, request: Request) -> AsyncGenerator[Event, None]:
        await gate.acquire()
        yield Delta(text=ANSWER.replace("\\n", "\n"))
        yield End(Status.COMPLETE)

    monkeypatch.setattr(ScriptedSubject, "stream", gated)
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        session = app.session
        assert session is not None
        await pilot.press("space")
        await until(pilot, lambda: len(session.state().attempts) == 4)
        assert "space pauses it" in notice(app)
        await pilot.press("n")
        assert "Autoplay pauses" in said(app)
        gate.release()
        await rest(pilot)
        assert len(session.state().attempts) == 4
        for _ in range(20):
            gate.release()
        await press(pilot, "space")
        assert len(session.state().attempts) == 20
        await press(pilot, "n")
        assert "Every puzzle of the plan has been posed" in said(app)
