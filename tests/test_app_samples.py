"""Sampling through the keyboard: a number and x, the strip under the turn, the way through the samples, and one opened as a branch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from app_cases import SMALL, WIDE, drawn, half_a_reply, notice, press, rest, running, said, transcript, until
from textual.widgets import Input

from lifeline_tui.core.nodes import Call, Purpose
from lifeline_tui.loading.config import Config
from lifeline_tui.session.session import Session
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.screens.form import Form

PLAN = "lifelines-10"


def session_of(app: LifelineApp) -> Session:
    assert app.session is not None
    return app.session


def sampled(session: Session) -> int:
    calls = [node for node in session.tree.nodes.values() if isinstance(node.body, Call) and node.body.purpose is Purpose.SAMPLE]
    return len(calls)


def words(app: LifelineApp) -> str:
    """What stands on the screen as one line, however it is wrapped."""
    return " ".join(re.sub("[█▌▏▕▔]", " ", drawn(app)).split())


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_a_number_and_x_samples_as_many_and_they_are_gone_through_and_one_is_opened(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "1", "2")
        assert notice(app) == "12 …: x samples as many replies to the turn at the cursor."
        tip = session.tip
        await press(pilot, "x")
        assert sampled(session) == 12
        assert (session.tip, list(session.branches)) == (tip, ["main"])
        assert "▣ samples" in drawn(app)
        assert "12 samples: " in drawn(app)
        assert transcript(app).current_block.id.endswith("#samples")  # type: ignore[union-attr]
        await press(pilot, "enter")
        assert "Choose a sample first: [ and ] go through them." in said(app)
        await press(pilot, "right_square_bracket", "right_square_bracket")
        assert "◆ sample 2 of 12, sim/anxious SIMULATED" in drawn(app)
        await press(pilot, "left_square_bracket")
        assert "◆ sample 1 of 12, sim/anxious SIMULATED" in drawn(app)
        assert list(session.branches) == ["main"], "looking makes no branch"
        await press(pilot, "enter")
        assert list(session.branches) == ["main", "sample"]
        assert session.branch == "sample"
        assert session.state().attempts[0].reply == session.tip != tip
        await press(pilot, "n")
        assert len(session.state().attempts) == 2
        await press(pilot, "backspace")
        assert session.branch == "main"


async def test_x_alone_asks_how_many_and_at_which_temperature(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "x")
        assert isinstance(app.screen, Form)
        assert "Asks sim/anxious 8 times for a reply to this turn, each with a seed of its own." in words(app)
        app.screen.query_one("#field-k", Input).value = "none"
        await rest(pilot)
        assert "How many replies must be a whole number from 1 to 1,000, not 'none'." in words(app)
        app.screen.query_one("#field-k", Input).value = "3"
        app.screen.query_one("#field-temperature", Input).value = "0"
        await press(pilot, "enter")
        assert sampled(session) == 3
        assert "sampled at temperature 0, not independently: no interval" in words(app)


async def test_escape_stops_the_samples_and_the_conversation_can_go_on_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.yaml").write_text('- "ANSWER: 4"\n' * 4)
    async with running(tmp_path, plan=PLAN, model=f"scripted/{tmp_path / 'script.yaml'}") as (app, pilot):
        session = session_of(app)
        await press(pilot, "n")
        whole = ScriptedSubject.stream
        monkeypatch.setattr(ScriptedSubject, "stream", half_a_reply)
        await pilot.press("9", "x")
        await until(pilot, lambda: len(session.partials) == 8)
        await until(pilot, lambda: "8 samples are arriving: esc stops the rest and keeps what came." in notice(app))
        assert "esc cancel" in drawn(app).splitlines()[-1]
        monkeypatch.setattr(ScriptedSubject, "stream", whole)
        await pilot.press("n")
        await until(pilot, lambda: len(session.state().attempts) == 2 and not session.busy)
        assert len(session.partials) == 8
        await press(pilot, "escape")
        assert (session.partials, sampled(session)) == ([], 8)
        assert "8 failed" in drawn(app)


async def test_a_number_before_another_key_is_forgotten(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "7", "m")
        assert "…: x samples" not in notice(app)
        await press(pilot, "x")
        assert app.screen.query_one("#field-k", Input).value == "8"


async def test_where_there_is_nothing_to_reply_to_it_is_said(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "x")
        assert "No reply to sample here: move the cursor to one, or to the turn that it answers." in said(app)


async def test_samples_are_none_of_the_siblings_that_one_goes_through(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "3", "x", "end", "ctrl+r")
        replies = [id for id, node in session.tree.nodes.items() if node.kind == "reply" and not session.aside(node.parent or "")]
        assert len(replies) == 2
        await press(pilot, "end", "left_square_bracket")
        assert session.tip == replies[0]
        await press(pilot, "end", "left_square_bracket")
        assert session.tip == replies[1]
        assert sampled(session) == 3
        assert not any(
            session.holders(reply.id)
            for reply in session.samples(session.tree[session.tree[session.tip].parent or ""].parent or "")[0]
        )


async def test_the_strip_names_the_keys_as_they_are_set(tmp_path: Path) -> None:
    keys = {"previous-branch": "f7", "next-branch": "f8", "open-sample": "f9"}
    async with running(tmp_path, plan=PLAN, config=Config(keys=keys)) as (app, pilot):
        await press(pilot, "n", "2", "x")
        assert "f7 and f8 go through them; f9 opens one as a branch." in words(app)
